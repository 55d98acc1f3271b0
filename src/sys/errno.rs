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

    /// The English text that GNU tools print, or `None` for a number that has none.
    #[must_use]
    pub fn text(self) -> Option<&'static str> {
        // One string to walk is about 2 KB smaller than a table of addresses and lengths.
        let text = TEXTS.split('\n').nth(usize::from(self.number()) - 1)?;
        if text.is_empty() { None } else { Some(text) }
    }
}

impl core::fmt::Debug for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Errno({}: {})", self.0, self.text().unwrap_or("unknown"))
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

/// The texts of errors 1 to 133, a line each; lines 41 and 58 are numbers never given out.
const TEXTS: &str = "\
Operation not permitted\n\
No such file or directory\n\
No such process\n\
Interrupted system call\n\
Input/output error\n\
No such device or address\n\
Argument list too long\n\
Exec format error\n\
Bad file descriptor\n\
No child processes\n\
Resource temporarily unavailable\n\
Cannot allocate memory\n\
Permission denied\n\
Bad address\n\
Block device required\n\
Device or resource busy\n\
File exists\n\
Invalid cross-device link\n\
No such device\n\
Not a directory\n\
Is a directory\n\
Invalid argument\n\
Too many open files in system\n\
Too many open files\n\
Inappropriate ioctl for device\n\
Text file busy\n\
File too large\n\
No space left on device\n\
Illegal seek\n\
Read-only file system\n\
Too many links\n\
Broken pipe\n\
Numerical argument out of domain\n\
Numerical result out of range\n\
Resource deadlock avoided\n\
File name too long\n\
No locks available\n\
Function not implemented\n\
Directory not empty\n\
Too many levels of symbolic links\n\
\n\
No message of desired type\n\
Identifier removed\n\
Channel number out of range\n\
Level 2 not synchronized\n\
Level 3 halted\n\
Level 3 reset\n\
Link number out of range\n\
Protocol driver not attached\n\
No CSI structure available\n\
Level 2 halted\n\
Invalid exchange\n\
Invalid request descriptor\n\
Exchange full\n\
No anode\n\
Invalid request code\n\
Invalid slot\n\
\n\
Bad font file format\n\
Device not a stream\n\
No data available\n\
Timer expired\n\
Out of streams resources\n\
Machine is not on the network\n\
Package not installed\n\
Object is remote\n\
Link has been severed\n\
Advertise error\n\
Srmount error\n\
Communication error on send\n\
Protocol error\n\
Multihop attempted\n\
RFS specific error\n\
Bad message\n\
Value too large for defined data type\n\
Name not unique on network\n\
File descriptor in bad state\n\
Remote address changed\n\
Can not access a needed shared library\n\
Accessing a corrupted shared library\n\
.lib section in a.out corrupted\n\
Attempting to link in too many shared libraries\n\
Cannot exec a shared library directly\n\
Invalid or incomplete multibyte or wide character\n\
Interrupted system call should be restarted\n\
Streams pipe error\n\
Too many users\n\
Socket operation on non-socket\n\
Destination address required\n\
Message too long\n\
Protocol wrong type for socket\n\
Protocol not available\n\
Protocol not supported\n\
Socket type not supported\n\
Operation not supported\n\
Protocol family not supported\n\
Address family not supported by protocol\n\
Address already in use\n\
Cannot assign requested address\n\
Network is down\n\
Network is unreachable\n\
Network dropped connection on reset\n\
Software caused connection abort\n\
Connection reset by peer\n\
No buffer space available\n\
Transport endpoint is already connected\n\
Transport endpoint is not connected\n\
Cannot send after transport endpoint shutdown\n\
Too many references: cannot splice\n\
Connection timed out\n\
Connection refused\n\
Host is down\n\
No route to host\n\
Operation already in progress\n\
Operation now in progress\n\
Stale file handle\n\
Structure needs cleaning\n\
Not a XENIX named type file\n\
No XENIX semaphores available\n\
Is a named type file\n\
Remote I/O error\n\
Disk quota exceeded\n\
No medium found\n\
Wrong medium type\n\
Operation canceled\n\
Required key not available\n\
Key has expired\n\
Key has been revoked\n\
Key was rejected by service\n\
Owner died\n\
State not recoverable\n\
Operation not possible due to RF-kill\n\
Memory page has hardware error";

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

    #[test]
    fn texts_are_those_of_the_c_library_in_the_c_locale() {
        for number in 1..=140_u16 {
            // SAFETY: strerror takes any number and returns a C string.
            let theirs = unsafe { libc::strerror(i32::from(number)) };
            // SAFETY: the string lives until this thread's next call of strerror.
            let theirs = unsafe { core::ffi::CStr::from_ptr(theirs) }
                .to_str()
                .unwrap();
            match Errno::new(number).text() {
                Some(ours) => assert_eq!(ours, theirs, "errno {number}"),
                None => assert!(
                    theirs.starts_with("Unknown error"),
                    "errno {number}: {theirs}"
                ),
            }
        }
    }
}
