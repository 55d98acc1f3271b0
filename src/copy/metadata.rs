//! What a copy keeps of its source besides the data: times, owner, permission bits.
//!
//! Always in this order, after the data: writing changes times, a change of owner clears
//! setuid, setgid and capabilities, and the final permission bits may lock us out.

use super::engine::Engine;
use super::options::Preserve;
use super::path::Place;
use crate::sys::{self, AtFlags, BorrowedFd, Errno, FileType, KEEP_ID, Mode, Result, Stat};

/// How a file's metadata is reached.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// Through an open descriptor: whatever happens to the name meanwhile.
    Open(BorrowedFd<'a>),
    /// By name and never through a symlink: symlinks and device nodes cannot be opened.
    Named(Place<'a>),
}

impl Target<'_> {
    fn set_times(self, from: &Stat) -> Result<()> {
        match self {
            Self::Open(fd) => sys::futimens(fd, from.atime, from.mtime),
            Self::Named(place) => sys::utimensat(
                place.dir,
                place.name(),
                from.atime,
                from.mtime,
                AtFlags::SYMLINK_NOFOLLOW,
            ),
        }
    }

    fn set_owner(self, uid: u32, gid: u32) -> Result<()> {
        match self {
            Self::Open(fd) => sys::fchown(fd, uid, gid),
            Self::Named(place) => {
                sys::fchownat(place.dir, place.name(), uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            }
        }
    }

    /// Sets the permission bits.
    ///
    /// # Errors
    /// As [`sys::fchmod`].
    pub fn set_mode(self, mode: Mode) -> Result<()> {
        match self {
            Self::Open(fd) => sys::fchmod(fd, mode),
            Self::Named(place) => match sys::fchmodat_nofollow(place.dir, place.name(), mode) {
                // Before Linux 6.6 there is no call that does not follow symlinks.
                Err(Errno::ENOSYS) => sys::fchmodat(place.dir, place.name(), mode),
                answer => answer,
            },
        }
    }
}

/// What an existing file was before it was written over, as far as that matters for its owner.
#[derive(Debug, Clone, Copy)]
pub struct Before {
    uid: u32,
    gid: u32,
    mode: Mode,
}

impl From<&Stat> for Before {
    fn from(stat: &Stat) -> Self {
        Self {
            uid: stat.uid,
            gid: stat.gid,
            mode: stat.mode,
        }
    }
}

/// What is known of the file whose metadata is to be set.
#[derive(Debug, Clone, Copy)]
pub struct Copied<'a> {
    /// How to reach it.
    pub target: Target<'a>,
    /// Its place, for messages.
    pub place: Place<'a>,
    /// What it was before, if it existed.
    pub before: Option<Before>,
    /// The mode to set where modes are not kept; `None` if it has the right one.
    pub otherwise: Option<Mode>,
}

/// Permission bits that a new file is made without until its owner is set: those through
/// which somebody could get at it, or at what is put into it, in between.
pub fn withheld(preserve: Preserve, kind: FileType, mode: Mode) -> Mode {
    let bits = if preserve.contains(Preserve::OWNERSHIP) {
        Mode::RWXG | Mode::RWXO
    } else if kind == FileType::Directory {
        Mode::WRITE_OTHERS
    } else {
        Mode::empty()
    };
    mode & bits
}

impl Engine<'_> {
    /// Gives a finished copy the times, owner and permission bits that the options ask for.
    /// Returns whether everything that was asked for could be kept.
    pub(super) fn keep_metadata(&mut self, from: &Stat, copied: &Copied<'_>) -> bool {
        let preserve = self.options.preserve;
        let mut kept = true;
        if preserve.contains(Preserve::TIMESTAMPS) {
            let set = copied.target.set_times(from);
            kept &= self.checked("preserving times for {}", copied.place, set);
        }
        let mut mode = from.mode;
        if preserve.contains(Preserve::OWNERSHIP) {
            let owner = self.keep_owner(from, copied);
            kept &= owner != Owner::Failed;
            if owner != Owner::Kept {
                // Not this owner's privileges for somebody else.
                mode -= Mode::SPECIAL;
            }
        }
        let wanted = if preserve.contains(Preserve::MODE) {
            Some(mode)
        } else {
            copied.otherwise
        };
        if let Some(wanted) = wanted
            && from.kind != FileType::Symlink
        {
            // A symlink has no permission bits of its own.
            let set = copied.target.set_mode(wanted);
            kept &= self.checked("preserving permissions for {}", copied.place, set);
        }
        kept
    }

    /// The mode for a new file that was made with `withheld` bits missing from `mode`, where
    /// the umask lets it have any of them.
    pub(super) fn released(&mut self, mode: Mode, withheld: Mode) -> Option<Mode> {
        if withheld.is_empty() {
            return None;
        }
        let umask = self.umask();
        (!umask.contains(withheld)).then_some((mode & Mode::PERMISSIONS) - umask)
    }

    fn keep_owner(&mut self, from: &Stat, copied: &Copied<'_>) -> Owner {
        if let Some(before) = copied.before {
            if (before.uid, before.gid) == (from.uid, from.gid) {
                return Owner::Kept;
            }
            // Before an existing file changes hands, its old owner's permissions that its new
            // one may not want are taken away.
            if self.options.preserve.contains(Preserve::MODE)
                && !(before.mode & (!from.mode | Mode::SPECIAL)).is_empty()
            {
                let set = copied.target.set_mode(before.mode & from.mode & Mode::RWXU);
                if !self.checked("clearing permissions for {}", copied.place, set) {
                    return Owner::Failed;
                }
            }
        }
        let set = copied.target.set_owner(from.uid, from.gid);
        if set.is_ok() {
            return Owner::Kept;
        }
        if matches!(set, Err(Errno::EPERM | Errno::EINVAL)) {
            // The group may be one of ours even so.
            let _ = copied.target.set_owner(KEEP_ID, from.gid);
            if sys::geteuid() != 0 {
                return Owner::Refused;
            }
        }
        self.checked("failed to preserve ownership for {}", copied.place, set);
        Owner::Failed
    }
}

/// What came of setting an owner.
#[derive(PartialEq, Eq)]
enum Owner {
    Kept,
    /// An ordinary user may not give files away: expected, and no error.
    Refused,
    Failed,
}
