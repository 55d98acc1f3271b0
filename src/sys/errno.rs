//! Error numbers of the kernel, with the text that GNU tools print for them.

use core::num::NonZeroU16;

/// An error number as the kernel returns it (1 to 4095; `include/linux/err.h`, `MAX_ERRNO`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(NonZeroU16);

/// What a system call gives.
pub type Result<T> = core::result::Result<T, Errno>;

impl Errno {
    /// The largest error number that a return register can carry.
    pub const MAX: u16 = 4095;

    /// The error of number `number`, or `None` outside 1 to 4095.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        match NonZeroU16::new(number) {
            Some(number) if number.get() <= Self::MAX => Some(Self(number)),
            _ => None,
        }
    }

    /// As [`Self::from_number`], for the constants below.
    const fn new(number: u16) -> Self {
        Self::from_number(number).unwrap()
    }

    /// The error's number, 1 to 4095.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0.get()
    }

    /// As [`Self::check`] for a call whose only success is 0: then the register's negative is
    /// the errno, and nothing is compared: 2 bytes a call instead of 15.
    ///
    /// # Errors
    /// The error that the register carries.
    #[inline]
    pub const fn check_zero(register: usize) -> Result<()> {
        #[allow(clippy::cast_possible_truncation)] // 0, or −4095 to −1
        match NonZeroU16::new(register.wrapping_neg() as u16) {
            Some(number) => Err(Self(number)),
            None => Ok(()),
        }
    }

    /// Takes apart a return register: −4095 to −1 is an error, all else a value
    /// (`man 2 syscall`; addresses and sizes above `isize::MAX` are values).
    ///
    /// # Errors
    /// The error that the register carries.
    #[inline]
    pub const fn check(register: usize) -> Result<usize> {
        if register > usize::MAX - Self::MAX as usize {
            #[allow(clippy::cast_possible_truncation)] // 1 to 4095
            if let Some(number) = NonZeroU16::new(register.wrapping_neg() as u16) {
                return Err(Self(number));
            }
        }
        Ok(register)
    }
}

impl core::fmt::Debug for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Errno({})", self.0)
    }
}

/// The error numbers by name (`include/uapi/asm-generic/errno.h`, `errno-base.h`).
#[allow(missing_docs)]
impl Errno {
    pub const EPERM: Self = Self::new(1);
    pub const ENOENT: Self = Self::new(2);
    pub const ESRCH: Self = Self::new(3);
    pub const EINTR: Self = Self::new(4);
    pub const EIO: Self = Self::new(5);
    pub const ENXIO: Self = Self::new(6);
    pub const E2BIG: Self = Self::new(7);
    pub const ENOEXEC: Self = Self::new(8);
    pub const EBADF: Self = Self::new(9);
    pub const ECHILD: Self = Self::new(10);
    pub const EAGAIN: Self = Self::new(11);
    pub const ENOMEM: Self = Self::new(12);
    pub const EACCES: Self = Self::new(13);
    pub const EFAULT: Self = Self::new(14);
    pub const ENOTBLK: Self = Self::new(15);
    pub const EBUSY: Self = Self::new(16);
    pub const EEXIST: Self = Self::new(17);
    pub const EXDEV: Self = Self::new(18);
    pub const ENODEV: Self = Self::new(19);
    pub const ENOTDIR: Self = Self::new(20);
    pub const EISDIR: Self = Self::new(21);
    pub const EINVAL: Self = Self::new(22);
    pub const ENFILE: Self = Self::new(23);
    pub const EMFILE: Self = Self::new(24);
    pub const ENOTTY: Self = Self::new(25);
    pub const ETXTBSY: Self = Self::new(26);
    pub const EFBIG: Self = Self::new(27);
    pub const ENOSPC: Self = Self::new(28);
    pub const ESPIPE: Self = Self::new(29);
    pub const EROFS: Self = Self::new(30);
    pub const EMLINK: Self = Self::new(31);
    pub const EPIPE: Self = Self::new(32);
    pub const EDOM: Self = Self::new(33);
    pub const ERANGE: Self = Self::new(34);
    pub const EDEADLK: Self = Self::new(35);
    pub const ENAMETOOLONG: Self = Self::new(36);
    pub const ENOLCK: Self = Self::new(37);
    pub const ENOSYS: Self = Self::new(38);
    pub const ENOTEMPTY: Self = Self::new(39);
    pub const ELOOP: Self = Self::new(40);
    pub const ENOMSG: Self = Self::new(42);
    pub const EIDRM: Self = Self::new(43);
    pub const ECHRNG: Self = Self::new(44);
    pub const EL2NSYNC: Self = Self::new(45);
    pub const EL3HLT: Self = Self::new(46);
    pub const EL3RST: Self = Self::new(47);
    pub const ELNRNG: Self = Self::new(48);
    pub const EUNATCH: Self = Self::new(49);
    pub const ENOCSI: Self = Self::new(50);
    pub const EL2HLT: Self = Self::new(51);
    pub const EBADE: Self = Self::new(52);
    pub const EBADR: Self = Self::new(53);
    pub const EXFULL: Self = Self::new(54);
    pub const ENOANO: Self = Self::new(55);
    pub const EBADRQC: Self = Self::new(56);
    pub const EBADSLT: Self = Self::new(57);
    pub const EBFONT: Self = Self::new(59);
    pub const ENOSTR: Self = Self::new(60);
    pub const ENODATA: Self = Self::new(61);
    pub const ETIME: Self = Self::new(62);
    pub const ENOSR: Self = Self::new(63);
    pub const ENONET: Self = Self::new(64);
    pub const ENOPKG: Self = Self::new(65);
    pub const EREMOTE: Self = Self::new(66);
    pub const ENOLINK: Self = Self::new(67);
    pub const EADV: Self = Self::new(68);
    pub const ESRMNT: Self = Self::new(69);
    pub const ECOMM: Self = Self::new(70);
    pub const EPROTO: Self = Self::new(71);
    pub const EMULTIHOP: Self = Self::new(72);
    pub const EDOTDOT: Self = Self::new(73);
    pub const EBADMSG: Self = Self::new(74);
    pub const EOVERFLOW: Self = Self::new(75);
    pub const ENOTUNIQ: Self = Self::new(76);
    pub const EBADFD: Self = Self::new(77);
    pub const EREMCHG: Self = Self::new(78);
    pub const ELIBACC: Self = Self::new(79);
    pub const ELIBBAD: Self = Self::new(80);
    pub const ELIBSCN: Self = Self::new(81);
    pub const ELIBMAX: Self = Self::new(82);
    pub const ELIBEXEC: Self = Self::new(83);
    pub const EILSEQ: Self = Self::new(84);
    pub const ERESTART: Self = Self::new(85);
    pub const ESTRPIPE: Self = Self::new(86);
    pub const EUSERS: Self = Self::new(87);
    pub const ENOTSOCK: Self = Self::new(88);
    pub const EDESTADDRREQ: Self = Self::new(89);
    pub const EMSGSIZE: Self = Self::new(90);
    pub const EPROTOTYPE: Self = Self::new(91);
    pub const ENOPROTOOPT: Self = Self::new(92);
    pub const EPROTONOSUPPORT: Self = Self::new(93);
    pub const ESOCKTNOSUPPORT: Self = Self::new(94);
    pub const EOPNOTSUPP: Self = Self::new(95);
    pub const EPFNOSUPPORT: Self = Self::new(96);
    pub const EAFNOSUPPORT: Self = Self::new(97);
    pub const EADDRINUSE: Self = Self::new(98);
    pub const EADDRNOTAVAIL: Self = Self::new(99);
    pub const ENETDOWN: Self = Self::new(100);
    pub const ENETUNREACH: Self = Self::new(101);
    pub const ENETRESET: Self = Self::new(102);
    pub const ECONNABORTED: Self = Self::new(103);
    pub const ECONNRESET: Self = Self::new(104);
    pub const ENOBUFS: Self = Self::new(105);
    pub const EISCONN: Self = Self::new(106);
    pub const ENOTCONN: Self = Self::new(107);
    pub const ESHUTDOWN: Self = Self::new(108);
    pub const ETOOMANYREFS: Self = Self::new(109);
    pub const ETIMEDOUT: Self = Self::new(110);
    pub const ECONNREFUSED: Self = Self::new(111);
    pub const EHOSTDOWN: Self = Self::new(112);
    pub const EHOSTUNREACH: Self = Self::new(113);
    pub const EALREADY: Self = Self::new(114);
    pub const EINPROGRESS: Self = Self::new(115);
    pub const ESTALE: Self = Self::new(116);
    pub const EUCLEAN: Self = Self::new(117);
    pub const ENOTNAM: Self = Self::new(118);
    pub const ENAVAIL: Self = Self::new(119);
    pub const EISNAM: Self = Self::new(120);
    pub const EREMOTEIO: Self = Self::new(121);
    pub const EDQUOT: Self = Self::new(122);
    pub const ENOMEDIUM: Self = Self::new(123);
    pub const EMEDIUMTYPE: Self = Self::new(124);
    pub const ECANCELED: Self = Self::new(125);
    pub const ENOKEY: Self = Self::new(126);
    pub const EKEYEXPIRED: Self = Self::new(127);
    pub const EKEYREVOKED: Self = Self::new(128);
    pub const EKEYREJECTED: Self = Self::new(129);
    pub const EOWNERDEAD: Self = Self::new(130);
    pub const ENOTRECOVERABLE: Self = Self::new(131);
    pub const ERFKILL: Self = Self::new(132);
    pub const EHWPOISON: Self = Self::new(133);
}

/// The texts of errors 1 to 133 in English, as GNU tools print them, each with a NUL. Lines 41
/// and 58 are numbers never given out.
pub const TEXTS: &str = "\
Operation not permitted\0\
No such file or directory\0\
No such process\0\
Interrupted system call\0\
Input/output error\0\
No such device or address\0\
Argument list too long\0\
Exec format error\0\
Bad file descriptor\0\
No child processes\0\
Resource temporarily unavailable\0\
Cannot allocate memory\0\
Permission denied\0\
Bad address\0\
Block device required\0\
Device or resource busy\0\
File exists\0\
Invalid cross-device link\0\
No such device\0\
Not a directory\0\
Is a directory\0\
Invalid argument\0\
Too many open files in system\0\
Too many open files\0\
Inappropriate ioctl for device\0\
Text file busy\0\
File too large\0\
No space left on device\0\
Illegal seek\0\
Read-only file system\0\
Too many links\0\
Broken pipe\0\
Numerical argument out of domain\0\
Numerical result out of range\0\
Resource deadlock avoided\0\
File name too long\0\
No locks available\0\
Function not implemented\0\
Directory not empty\0\
Too many levels of symbolic links\0\
\0\
No message of desired type\0\
Identifier removed\0\
Channel number out of range\0\
Level 2 not synchronized\0\
Level 3 halted\0\
Level 3 reset\0\
Link number out of range\0\
Protocol driver not attached\0\
No CSI structure available\0\
Level 2 halted\0\
Invalid exchange\0\
Invalid request descriptor\0\
Exchange full\0\
No anode\0\
Invalid request code\0\
Invalid slot\0\
\0\
Bad font file format\0\
Device not a stream\0\
No data available\0\
Timer expired\0\
Out of streams resources\0\
Machine is not on the network\0\
Package not installed\0\
Object is remote\0\
Link has been severed\0\
Advertise error\0\
Srmount error\0\
Communication error on send\0\
Protocol error\0\
Multihop attempted\0\
RFS specific error\0\
Bad message\0\
Value too large for defined data type\0\
Name not unique on network\0\
File descriptor in bad state\0\
Remote address changed\0\
Can not access a needed shared library\0\
Accessing a corrupted shared library\0\
.lib section in a.out corrupted\0\
Attempting to link in too many shared libraries\0\
Cannot exec a shared library directly\0\
Invalid or incomplete multibyte or wide character\0\
Interrupted system call should be restarted\0\
Streams pipe error\0\
Too many users\0\
Socket operation on non-socket\0\
Destination address required\0\
Message too long\0\
Protocol wrong type for socket\0\
Protocol not available\0\
Protocol not supported\0\
Socket type not supported\0\
Operation not supported\0\
Protocol family not supported\0\
Address family not supported by protocol\0\
Address already in use\0\
Cannot assign requested address\0\
Network is down\0\
Network is unreachable\0\
Network dropped connection on reset\0\
Software caused connection abort\0\
Connection reset by peer\0\
No buffer space available\0\
Transport endpoint is already connected\0\
Transport endpoint is not connected\0\
Cannot send after transport endpoint shutdown\0\
Too many references: cannot splice\0\
Connection timed out\0\
Connection refused\0\
Host is down\0\
No route to host\0\
Operation already in progress\0\
Operation now in progress\0\
Stale file handle\0\
Structure needs cleaning\0\
Not a XENIX named type file\0\
No XENIX semaphores available\0\
Is a named type file\0\
Remote I/O error\0\
Disk quota exceeded\0\
No medium found\0\
Wrong medium type\0\
Operation canceled\0\
Required key not available\0\
Key has expired\0\
Key has been revoked\0\
Key was rejected by service\0\
Owner died\0\
State not recoverable\0\
Operation not possible due to RF-kill\0\
Memory page has hardware error\0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_borders_of_the_error_range() {
        assert_eq!(Errno::check(0), Ok(0));
        assert_eq!(Errno::check(usize::MAX), Err(Errno::EPERM));
        assert_eq!(
            Errno::check(4095_usize.wrapping_neg()),
            Err(Errno::new(4095))
        );
        assert_eq!(
            Errno::check(4096_usize.wrapping_neg()),
            Ok(4096_usize.wrapping_neg())
        );
        assert_eq!(Errno::check(isize::MAX as usize), Ok(isize::MAX as usize));
        assert_eq!(Errno::check_zero(0), Ok(()));
        assert_eq!(Errno::check_zero(usize::MAX), Err(Errno::EPERM));
        assert_eq!(
            Errno::check_zero(4095_usize.wrapping_neg()),
            Err(Errno::new(4095))
        );
        assert_eq!(Errno::from_number(0), None);
        assert_eq!(Errno::from_number(4096), None);
        assert_eq!(Errno::from_number(4095).map(Errno::number), Some(4095));
    }
}
