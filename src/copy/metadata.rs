//! What a copy keeps of its source besides the data: times, owner, extended attributes, access
//! control lists, permission bits.
//!
//! Always in this order, after the data: writing changes times, a change of owner clears
//! setuid, setgid and capabilities, and the final permission bits may lock us out.

use super::engine::Engine;
use super::handle;
use super::options::Preserve;
use super::path::Place;
use crate::report::{During, Message, Result};
use crate::sys::{self, AtFlags, BorrowedFd, Errno, FileType, KEEP_ID, Mode, Stat};

/// What is not kept in metadata, or not there alone.
pub const KEPT_IN_ATTRIBUTES: Preserve = Preserve::MODE
    .union(Preserve::XATTR)
    .union(Preserve::CONTEXT);

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
    pub fn stat(self, stat: &mut Stat) -> sys::Result<()> {
        match self {
            Self::Open(fd) | Self::Handle(fd) => sys::stat_fd(fd, stat),
            Self::Named(place) => place.stat(AtFlags::SYMLINK_NOFOLLOW, stat),
        }
    }

    fn set_times(self, from: &Stat) -> sys::Result<()> {
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

    fn set_owner(self, uid: u32, gid: u32) -> sys::Result<()> {
        match self {
            Self::Open(fd) => sys::fchown(fd, uid, gid),
            Self::Handle(fd) => handle::set_owner(fd, uid, gid),
            Self::Named(place) => {
                sys::fchownat(place.dir, place.name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            }
        }
    }

    /// Whether these are owner and group.
    fn is_owned_by(self, uid: u32, gid: u32) -> bool {
        let mut found = Stat::default();
        self.stat(&mut found).is_ok() && (found.uid, found.gid) == (uid, gid)
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
    /// What it was before, if it existed.
    pub before: Option<&'a Stat>,
    /// The mode to set where modes are not kept; `None` if it has the right one.
    pub otherwise: Option<Mode>,
    /// How to reach the source, where more is to be kept than its metadata tells.
    pub source: Option<Target<'a>>,
    /// Both paths, as messages show them.
    pub shown: &'a [&'a [u8]; 2],
    /// Whether it gets access control lists, and other extended attributes.
    pub lists: bool,
    pub others: bool,
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
    /// What cannot be kept ends it, as in GNU cp.
    pub(super) fn keep_metadata(&mut self, from: &Stat, copied: &Copied<'_>) -> Result<()> {
        let preserve = self.options.preserve;
        if preserve.contains(Preserve::TIMESTAMPS) {
            let step = if copied.others {
                Message::Times
            } else {
                Message::ParentTimes
            };
            copied.target.set_times(from).during(step)?;
        }
        let mut mode = from.mode;
        if preserve.contains(Preserve::OWNERSHIP) {
            self.keep_owner(from, copied, &mut mode)?;
        }
        let mut kept = Ok(());
        if preserve.intersects(KEPT_IN_ATTRIBUTES)
            && let Some(source) = copied.source
        {
            kept = self.keep_attributes(source, copied);
        }
        let mut wanted = copied.otherwise;
        if preserve.contains(Preserve::MODE) {
            wanted = Some(mode);
        } else if preserve.contains(Preserve::NO_MODE) && copied.before.is_none() && copied.others {
            self.drop_access_list(copied.target)?;
        }
        // A symlink has no permission bits of its own.
        match wanted {
            Some(mode) if from.kind != FileType::Symlink => {
                copied.target.set_mode(mode).during(self.mode_step())?;
            }
            _ => {}
        }
        kept
    }

    /// What it is to set a mode: GNU cp has three messages.
    pub(super) const fn mode_step(&self) -> Message {
        let preserve = self.options.preserve;
        if preserve.contains(Preserve::MODE) {
            Message::Mode
        } else if preserve.contains(Preserve::NO_MODE) {
            Message::UsualMode
        } else {
            Message::RestoreMode
        }
    }

    /// The mode for a new file of type `kind` that was made with `withheld` bits missing from
    /// `mode`, where the umask lets it have any of them, or the source's is not wanted.
    pub(super) fn released(&mut self, kind: FileType, mode: Mode, withheld: Mode) -> Option<Mode> {
        if self.options.preserve.contains(Preserve::NO_MODE) {
            let usual = match kind {
                FileType::Directory | FileType::Socket => Mode::PERMISSIONS,
                _ => Mode::READ_WRITE,
            };
            return Some((usual - self.umask()) | (mode & Mode::SPECIAL));
        }
        if withheld.is_empty() {
            return None;
        }
        let umask = self.umask();
        (!umask.contains(withheld)).then_some(mode - umask)
    }

    /// Sets the owner. Where it is not kept, takes from the `mode` to be set this owner's
    /// privileges, which are not for somebody else: an ordinary user may not give files away,
    /// which is expected, and no error.
    fn keep_owner(&mut self, from: &Stat, copied: &Copied<'_>, mode: &mut Mode) -> Result<()> {
        if let Some(before) = copied.before {
            if (before.uid, before.gid) == (from.uid, from.gid) {
                return Ok(());
            }
            // Before an existing file changes hands, its old owner's permissions that its new one
            // may not want are taken away, and who else has any.
            if self.options.preserve.contains(Preserve::MODE) {
                let common = before.mode & from.mode & Mode::RWXU;
                self.drop_access_list(copied.target)?;
                copied.target.set_mode(common).during(Message::ClearMode)?;
            }
        }
        let set = copied.target.set_owner(from.uid, from.gid);
        // There are file systems that refuse it whoever the owner is.
        if set.is_err() && copied.target.is_owned_by(from.uid, from.gid) {
            return Ok(());
        }
        if matches!(set, Err(Errno::EPERM | Errno::EINVAL)) {
            // The group may be one of ours even so.
            let _ = copied.target.set_owner(KEEP_ID, from.gid);
            if sys::geteuid() != 0 {
                // Of a directory that leads to an operand they are kept, as in GNU cp.
                if copied.others {
                    *mode -= Mode::SPECIAL;
                }
                return Ok(());
            }
        }
        set.during(Message::Owner)
    }
}
