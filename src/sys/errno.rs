//! Error numbers of the kernel, with the text that GNU tools print for them.

use core::num::NonZeroU32;

/// An error number as the kernel returns it (1 to 4095; `include/linux/err.h`, `MAX_ERRNO`).
///
/// ```
/// use annulet::sys::Errno;
///
/// let errno = Errno::from_number(2).unwrap();
/// assert_eq!(errno, Errno::ENOENT);
/// assert_eq!(errno.to_string(), "No such file or directory");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(NonZeroU32);

/// What a system call gives.
pub type Result<T> = core::result::Result<T, Errno>;

impl Errno {
    /// The largest error number that a return register can carry.
    pub const MAX: u32 = 4095;

    /// The error of number `number`, or `None` outside 1 to 4095.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) if number.get() <= Self::MAX => Some(Self(number)),
            _ => None,
        }
    }

    /// As [`Self::from_number`], for the constants below.
    const fn new(number: u32) -> Self {
        Self::from_number(number).unwrap()
    }

    /// What GNU tools print for it in the C locale, if it is one of those below.
    #[must_use]
    pub fn text(self) -> Option<&'static str> {
        let line = self.number() as usize - 1;
        TEXTS.split('\n').nth(line).filter(|text| !text.is_empty())
    }

    /// The error's number, 1 to 4095.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0.get()
    }

    /// As [`Self::check`] for a call whose only success is 0.
    ///
    /// # Errors
    /// The error that the register carries.
    #[inline]
    pub const fn check_zero(register: usize) -> Result<()> {
        #[allow(clippy::cast_possible_truncation)] // 0, or −4095 to −1
        match NonZeroU32::new(register.wrapping_neg() as u32) {
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
            if let Some(number) = NonZeroU32::new(register.wrapping_neg() as u32) {
                return Err(Self(number));
            }
        }
        Ok(register)
    }
}

impl core::fmt::Debug for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Errno({}: {self})", self.0)
    }
}

/// What GNU tools print for it ([`Errno::text`]), or "Unknown error N".
impl core::fmt::Display for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.text() {
            Some(text) => f.pad(text),
            None => write!(f, "Unknown error {}", self.0),
        }
    }
}

impl core::error::Error for Errno {}

/// Makes a constant of each error number that has a name, and one list of all texts.
macro_rules! errnos {
    ($($($name:ident)? = $number:literal, $text:literal;)*) => {
        #[allow(missing_docs)]
        impl Errno {
            $($(pub const $name: Self = Self::new($number);)?)*
        }

        /// The texts by number, the first of 1, a line each.
        const TEXTS: &str = concat!($($text, "\n",)*);
    };
}

// By number (`include/uapi/asm-generic/errno.h`, `errno-base.h`), without a gap; 41 and 58 were never given out.
errnos! {
    EPERM = 1, "Operation not permitted";
    ENOENT = 2, "No such file or directory";
    ESRCH = 3, "No such process";
    EINTR = 4, "Interrupted system call";
    EIO = 5, "Input/output error";
    ENXIO = 6, "No such device or address";
    E2BIG = 7, "Argument list too long";
    ENOEXEC = 8, "Exec format error";
    EBADF = 9, "Bad file descriptor";
    ECHILD = 10, "No child processes";
    EAGAIN = 11, "Resource temporarily unavailable";
    ENOMEM = 12, "Cannot allocate memory";
    EACCES = 13, "Permission denied";
    EFAULT = 14, "Bad address";
    ENOTBLK = 15, "Block device required";
    EBUSY = 16, "Device or resource busy";
    EEXIST = 17, "File exists";
    EXDEV = 18, "Invalid cross-device link";
    ENODEV = 19, "No such device";
    ENOTDIR = 20, "Not a directory";
    EISDIR = 21, "Is a directory";
    EINVAL = 22, "Invalid argument";
    ENFILE = 23, "Too many open files in system";
    EMFILE = 24, "Too many open files";
    ENOTTY = 25, "Inappropriate ioctl for device";
    ETXTBSY = 26, "Text file busy";
    EFBIG = 27, "File too large";
    ENOSPC = 28, "No space left on device";
    ESPIPE = 29, "Illegal seek";
    EROFS = 30, "Read-only file system";
    EMLINK = 31, "Too many links";
    EPIPE = 32, "Broken pipe";
    EDOM = 33, "Numerical argument out of domain";
    ERANGE = 34, "Numerical result out of range";
    EDEADLK = 35, "Resource deadlock avoided";
    ENAMETOOLONG = 36, "File name too long";
    ENOLCK = 37, "No locks available";
    ENOSYS = 38, "Function not implemented";
    ENOTEMPTY = 39, "Directory not empty";
    ELOOP = 40, "Too many levels of symbolic links";
    = 41, "";
    ENOMSG = 42, "No message of desired type";
    EIDRM = 43, "Identifier removed";
    ECHRNG = 44, "Channel number out of range";
    EL2NSYNC = 45, "Level 2 not synchronized";
    EL3HLT = 46, "Level 3 halted";
    EL3RST = 47, "Level 3 reset";
    ELNRNG = 48, "Link number out of range";
    EUNATCH = 49, "Protocol driver not attached";
    ENOCSI = 50, "No CSI structure available";
    EL2HLT = 51, "Level 2 halted";
    EBADE = 52, "Invalid exchange";
    EBADR = 53, "Invalid request descriptor";
    EXFULL = 54, "Exchange full";
    ENOANO = 55, "No anode";
    EBADRQC = 56, "Invalid request code";
    EBADSLT = 57, "Invalid slot";
    = 58, "";
    EBFONT = 59, "Bad font file format";
    ENOSTR = 60, "Device not a stream";
    ENODATA = 61, "No data available";
    ETIME = 62, "Timer expired";
    ENOSR = 63, "Out of streams resources";
    ENONET = 64, "Machine is not on the network";
    ENOPKG = 65, "Package not installed";
    EREMOTE = 66, "Object is remote";
    ENOLINK = 67, "Link has been severed";
    EADV = 68, "Advertise error";
    ESRMNT = 69, "Srmount error";
    ECOMM = 70, "Communication error on send";
    EPROTO = 71, "Protocol error";
    EMULTIHOP = 72, "Multihop attempted";
    EDOTDOT = 73, "RFS specific error";
    EBADMSG = 74, "Bad message";
    EOVERFLOW = 75, "Value too large for defined data type";
    ENOTUNIQ = 76, "Name not unique on network";
    EBADFD = 77, "File descriptor in bad state";
    EREMCHG = 78, "Remote address changed";
    ELIBACC = 79, "Can not access a needed shared library";
    ELIBBAD = 80, "Accessing a corrupted shared library";
    ELIBSCN = 81, ".lib section in a.out corrupted";
    ELIBMAX = 82, "Attempting to link in too many shared libraries";
    ELIBEXEC = 83, "Cannot exec a shared library directly";
    EILSEQ = 84, "Invalid or incomplete multibyte or wide character";
    ERESTART = 85, "Interrupted system call should be restarted";
    ESTRPIPE = 86, "Streams pipe error";
    EUSERS = 87, "Too many users";
    ENOTSOCK = 88, "Socket operation on non-socket";
    EDESTADDRREQ = 89, "Destination address required";
    EMSGSIZE = 90, "Message too long";
    EPROTOTYPE = 91, "Protocol wrong type for socket";
    ENOPROTOOPT = 92, "Protocol not available";
    EPROTONOSUPPORT = 93, "Protocol not supported";
    ESOCKTNOSUPPORT = 94, "Socket type not supported";
    EOPNOTSUPP = 95, "Operation not supported";
    EPFNOSUPPORT = 96, "Protocol family not supported";
    EAFNOSUPPORT = 97, "Address family not supported by protocol";
    EADDRINUSE = 98, "Address already in use";
    EADDRNOTAVAIL = 99, "Cannot assign requested address";
    ENETDOWN = 100, "Network is down";
    ENETUNREACH = 101, "Network is unreachable";
    ENETRESET = 102, "Network dropped connection on reset";
    ECONNABORTED = 103, "Software caused connection abort";
    ECONNRESET = 104, "Connection reset by peer";
    ENOBUFS = 105, "No buffer space available";
    EISCONN = 106, "Transport endpoint is already connected";
    ENOTCONN = 107, "Transport endpoint is not connected";
    ESHUTDOWN = 108, "Cannot send after transport endpoint shutdown";
    ETOOMANYREFS = 109, "Too many references: cannot splice";
    ETIMEDOUT = 110, "Connection timed out";
    ECONNREFUSED = 111, "Connection refused";
    EHOSTDOWN = 112, "Host is down";
    EHOSTUNREACH = 113, "No route to host";
    EALREADY = 114, "Operation already in progress";
    EINPROGRESS = 115, "Operation now in progress";
    ESTALE = 116, "Stale file handle";
    EUCLEAN = 117, "Structure needs cleaning";
    ENOTNAM = 118, "Not a XENIX named type file";
    ENAVAIL = 119, "No XENIX semaphores available";
    EISNAM = 120, "Is a named type file";
    EREMOTEIO = 121, "Remote I/O error";
    EDQUOT = 122, "Disk quota exceeded";
    ENOMEDIUM = 123, "No medium found";
    EMEDIUMTYPE = 124, "Wrong medium type";
    ECANCELED = 125, "Operation canceled";
    ENOKEY = 126, "Required key not available";
    EKEYEXPIRED = 127, "Key has expired";
    EKEYREVOKED = 128, "Key has been revoked";
    EKEYREJECTED = 129, "Key was rejected by service";
    EOWNERDEAD = 130, "Owner died";
    ENOTRECOVERABLE = 131, "State not recoverable";
    ERFKILL = 132, "Operation not possible due to RF-kill";
    EHWPOISON = 133, "Memory page has hardware error";
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::format;
    use std::io;

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
    #[cfg_attr(miri, ignore = "Miri has few of the texts of a C library")]
    fn texts_of_errors_are_those_of_the_c_library_in_the_c_locale() {
        for number in 1..=140_u32 {
            let theirs = format!("{}", io::Error::from_raw_os_error(number.cast_signed()));
            let theirs = theirs
                .strip_suffix(&format!(" (os error {number})"))
                .unwrap();
            match Errno::new(number).text() {
                Some(ours) => assert_eq!(ours, theirs, "{number}"),
                None => assert!(theirs.starts_with("Unknown error"), "{number}"),
            }
            assert_eq!(format!("{}", Errno::new(number)), theirs);
        }
    }
}
