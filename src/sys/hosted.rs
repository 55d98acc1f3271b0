//! From and to what `std` has: for programs that have it.

use std::io;
use std::os::fd::{self, AsFd, AsRawFd, FromRawFd, IntoRawFd};

use super::{BorrowedFd, Errno, OwnedFd};

/// Lends whatever `std` holds open.
///
/// ```
/// use annulet::sys::BorrowedFd;
/// use std::{fs::File, os::fd::AsRawFd};
///
/// let file = File::open("/dev/null").unwrap();
/// assert_eq!(BorrowedFd::from(&file).raw(), file.as_raw_fd());
/// ```
///
/// What is closed while it is lent does not compile:
///
/// ```compile_fail,E0505
/// use annulet::sys::BorrowedFd;
///
/// let file = std::fs::File::open("/dev/null").unwrap();
/// let lent = BorrowedFd::from(&file);
/// drop(file);
/// lent.raw();
/// ```
impl<'fd, T: AsFd + ?Sized> From<&'fd T> for BorrowedFd<'fd> {
    fn from(owner: &'fd T) -> Self {
        owner.as_fd().into()
    }
}

impl<'fd> From<fd::BorrowedFd<'fd>> for BorrowedFd<'fd> {
    fn from(fd: fd::BorrowedFd<'fd>) -> Self {
        // SAFETY: it is open for `'fd`, which is what `std`'s type is about.
        unsafe { Self::borrow_raw(fd.as_raw_fd()) }
    }
}

impl From<fd::OwnedFd> for OwnedFd {
    fn from(fd: fd::OwnedFd) -> Self {
        // SAFETY: open, and given up by its owner.
        unsafe { Self::from_raw(fd.into_raw_fd()) }
    }
}

/// ```
/// # let Ok(ring) = annulet::ring::IoUring::new(1) else { return };
/// use annulet::sys::{OwnedFd, duplicate_from};
///
/// let ours: OwnedFd = duplicate_from(ring.as_fd(), 10).unwrap();
/// let theirs: std::os::fd::OwnedFd = ours.into();
/// # let _ = OwnedFd::from(theirs);
/// ```
impl From<OwnedFd> for fd::OwnedFd {
    fn from(fd: OwnedFd) -> Self {
        // SAFETY: open, and given up by its owner.
        unsafe { Self::from_raw_fd(fd.into_raw()) }
    }
}

impl AsFd for OwnedFd {
    fn as_fd(&self) -> fd::BorrowedFd<'_> {
        // SAFETY: open as long as `self` is, and never -1: the kernel gave the number.
        unsafe { fd::BorrowedFd::borrow_raw(self.raw()) }
    }
}

/// ```
/// use annulet::sys::Errno;
///
/// let error = std::io::Error::from(Errno::ENOENT);
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// ```
impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.number().cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::string::ToString;
    use std::{assert_eq, io};

    #[test]
    fn descriptors_change_hands_and_are_closed_once() {
        let (reader, writer) = io::pipe().unwrap();
        let raw = writer.as_raw_fd();
        let lent = BorrowedFd::from(&writer);
        assert_eq!((lent.raw(), BorrowedFd::from(writer.as_fd())), (raw, lent));
        let ours = OwnedFd::from(fd::OwnedFd::from(writer));
        assert_eq!((ours.raw(), AsFd::as_fd(&ours).as_raw_fd()), (raw, raw));
        let theirs = fd::OwnedFd::from(ours);
        assert_eq!(theirs.as_raw_fd(), raw);
        drop(theirs);
        // Not before both were closed would there be an end.
        assert_eq!(io::read_to_string(reader).unwrap(), "");
    }

    #[test]
    fn errors_are_the_same_in_both() {
        let error = io::Error::from(Errno::EACCES);
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let text = Errno::EACCES.to_string() + " (os error 13)";
        assert_eq!(error.to_string(), text);
    }
}
