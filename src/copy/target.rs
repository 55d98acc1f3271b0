//! How a file's metadata is reached, and what is known of it.

use super::handle;
use super::path::Place;
use crate::sys::{self, AtFlags, BorrowedFd, Mode, Stat};

/// How a file's metadata is reached.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// Through an open descriptor: whatever happens to the name meanwhile.
    Open(BorrowedFd<'a>),
    /// Through one that only stands for it: symlinks and device nodes cannot be opened.
    Handle(BorrowedFd<'a>),
    /// By name, a symlink as itself: a source, or what nobody else can put another file in the
    /// place of.
    Named(&'a Place<'a>),
}

impl Target<'_> {
    /// Looks at it.
    ///
    /// # Errors
    /// As [`sys::stat_at`].
    pub fn stat(self) -> sys::Result<Stat> {
        match self {
            Self::Open(fd) | Self::Handle(fd) => sys::stat_fd(fd),
            Self::Named(place) => place.stat(false),
        }
    }

    /// Sets the times of last access and change to those of `from`.
    ///
    /// # Errors
    /// As [`sys::utimensat`]; [`handle::NO_WAY`].
    pub fn set_times(self, from: &Stat) -> sys::Result<()> {
        match self {
            Self::Open(fd) => sys::futimens(fd, &from.times),
            Self::Handle(fd) => handle::set_times(fd, from),
            Self::Named(place) => sys::utimensat(
                place.dir,
                place.name,
                &from.times,
                AtFlags::SYMLINK_NOFOLLOW,
            ),
        }
    }

    /// Sets owner and group.
    ///
    /// # Errors
    /// As [`sys::fchownat`].
    pub fn set_owner(self, uid: u32, gid: u32) -> sys::Result<()> {
        match self {
            Self::Open(fd) => sys::fchown(fd, uid, gid),
            Self::Handle(fd) => handle::set_owner(fd, uid, gid),
            Self::Named(place) => {
                sys::fchownat(place.dir, place.name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            }
        }
    }

    /// Whether these are owner and group.
    #[must_use]
    pub fn is_owned_by(self, uid: u32, gid: u32) -> bool {
        self.stat()
            .is_ok_and(|found| (found.uid, found.gid) == (uid, gid))
    }

    /// Sets the permission bits of what is no symlink.
    ///
    /// # Errors
    /// As [`sys::fchmod`]; [`handle::NO_WAY`].
    pub fn set_mode(self, mode: Mode) -> sys::Result<()> {
        match self {
            Self::Open(fd) => sys::fchmod(fd, mode),
            Self::Handle(fd) => handle::set_mode(fd, mode),
            Self::Named(place) => sys::fchmodat(place.dir, place.name, mode),
        }
    }
}

/// What is known of the file whose metadata is to be set.
#[derive(Debug, Clone, Copy)]
pub struct Copied<'a> {
    /// How to reach it.
    pub target: Target<'a>,
    /// It is a symlink, which has no permission bits of its own.
    pub is_symlink: bool,
    /// What it was before, if it existed.
    pub before: Option<&'a Stat>,
    /// The mode to set where modes are not kept; `None` if it has the right one.
    pub mode: Option<Mode>,
    /// How to reach the source, where more is to be kept than its metadata tells.
    pub source: Option<Target<'a>>,
    /// Both paths, as messages show them.
    pub shown: &'a [&'a [u8]; 2],
    /// Whether it gets access control lists, and other extended attributes.
    pub lists: bool,
    pub others: bool,
}
