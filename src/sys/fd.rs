//! Descriptors: owned ones that close themselves and borrowed ones that cannot outlive them.

use core::marker::PhantomData;

use super::Errno;
use super::arch::{nr, syscall1, syscall2, syscall3};
use super::errno::Result;

/// A descriptor that is closed when dropped.
#[derive(Debug, PartialEq, Eq)]
pub struct OwnedFd(i32);

/// A descriptor that somebody else keeps open for `'fd`.
///
/// With the feature `std` it is made of whatever `std` holds open, by [`From`]; without, of a
/// number ([`Self::borrow_raw`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BorrowedFd<'fd> {
    raw: i32,
    owner: PhantomData<&'fd OwnedFd>,
}

/// The working directory, where a call takes a directory (`AT_FDCWD`).
pub const CWD: BorrowedFd<'static> = BorrowedFd::standing(-100);
/// Standard input. Where the caller has closed it, or the next two, [`OwnedFd`]s may come to have
/// their numbers: `std` opens `/dev/null` in their place when it starts, and without it
/// [`OwnedFd::above_standard`] keeps them apart.
pub const STDIN: BorrowedFd<'static> = BorrowedFd::standing(0);
/// Standard output.
pub const STDOUT: BorrowedFd<'static> = BorrowedFd::standing(1);
/// Standard error.
pub const STDERR: BorrowedFd<'static> = BorrowedFd::standing(2);

impl OwnedFd {
    /// Takes ownership of descriptor `raw`.
    ///
    /// # Safety
    /// `raw` is open and nobody else closes it.
    #[must_use]
    pub const unsafe fn from_raw(raw: i32) -> Self {
        Self(raw)
    }

    /// Lends the descriptor.
    #[must_use]
    pub const fn as_fd(&self) -> BorrowedFd<'_> {
        BorrowedFd {
            raw: self.0,
            owner: PhantomData,
        }
    }

    /// The descriptor's number.
    #[must_use]
    pub const fn raw(&self) -> i32 {
        self.0
    }

    /// Gives the descriptor up, to be closed by somebody else.
    #[must_use]
    pub const fn into_raw(self) -> i32 {
        let raw = self.0;
        core::mem::forget(self);
        raw
    }

    /// The same, but never as one of the three standard descriptors: where the caller started
    /// us with one of them closed, what is meant for it must not end up in a file of ours.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn above_standard(self) -> Result<Self> {
        if self.0 > 2 {
            Ok(self)
        } else {
            duplicate_from(self.as_fd(), 3)
        }
    }

    /// Closes the descriptor and says whether that failed. Some file systems (NFS, FUSE,
    /// quotas) report a failed write only here.
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`, `EDQUOT`: an earlier write was lost. The descriptor is gone in every
    /// case, also after `EINTR` (`man 2 close`).
    pub fn close(self) -> Result<()> {
        close_raw(self.into_raw())
    }
}

impl Drop for OwnedFd {
    fn drop(&mut self) {
        // Whoever needs to know whether closing failed calls `close`.
        let _ = close_raw(self.0);
    }
}

/// The descriptor that a call made and returned.
pub(super) fn from_register(register: usize) -> Result<OwnedFd> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // an int
    Errno::check(register).map(|raw| OwnedFd(raw as i32))
}

/// Duplicates `fd` to the lowest free number from `least` on, close-on-exec.
///
/// # Errors
/// `EMFILE`.
pub fn duplicate_from(fd: BorrowedFd<'_>, least: u16) -> Result<OwnedFd> {
    const F_DUPFD_CLOEXEC: usize = 1030;
    // SAFETY: F_DUPFD_CLOEXEC takes no address.
    let r = unsafe { syscall3(nr::FCNTL, fd.arg(), F_DUPFD_CLOEXEC, usize::from(least)) };
    from_register(r)
}

/// Whether a descriptor has this number.
#[must_use]
pub fn is_open(raw: i32) -> bool {
    const F_GETFD: usize = 1;
    // SAFETY: F_GETFD takes no address and changes nothing.
    let r = unsafe { syscall2(nr::FCNTL, arg(raw), F_GETFD) };
    Errno::check(r).is_ok()
}

fn close_raw(raw: i32) -> Result<()> {
    // SAFETY: close touches no memory; `raw` is ours to close by `from_raw`'s contract.
    let r = unsafe { syscall1(nr::CLOSE, arg(raw)) };
    Errno::check_zero(r)
}

/// Closes standard output for good, to learn what some file systems tell only then
/// ([`OwnedFd::close`]).
///
/// # Safety
/// [`STDOUT`] is not used any more, here or elsewhere: the number may be another file's.
///
/// # Errors
/// As [`OwnedFd::close`]; `EBADF` where it was closed before.
pub unsafe fn close_stdout() -> Result<()> {
    close_raw(STDOUT.raw)
}

impl BorrowedFd<'_> {
    /// Lends descriptor `raw`, as `std`'s `AsRawFd` gives it.
    ///
    /// # Safety
    /// `raw` stays open as long as what is made of it is used.
    #[must_use]
    pub const unsafe fn borrow_raw(raw: i32) -> Self {
        Self {
            raw,
            owner: PhantomData,
        }
    }

    const fn standing(raw: i32) -> BorrowedFd<'static> {
        BorrowedFd {
            raw,
            owner: PhantomData,
        }
    }

    /// The descriptor's number.
    #[must_use]
    pub const fn raw(self) -> i32 {
        self.raw
    }

    /// The descriptor as a call's argument: sign-extended, as the kernel takes an `int`.
    pub(super) const fn arg(self) -> usize {
        arg(self.raw)
    }
}

#[allow(clippy::cast_sign_loss)] // the register holds the sign-extended int
const fn arg(raw: i32) -> usize {
    raw as isize as usize
}
