//! Opening the file that was looked at, and no other.
//!
//! Between a look at a name and its opening, whoever may write to the directory can put
//! something else there: a FIFO, whose opening waits for ever, and whose waiting writer dies of
//! SIGPIPE if it does not; a device that acts as soon as it is opened (a tape rewinds, a watchdog
//! starts). So a name is held first, by a descriptor that can do nothing else ([`OFlags::PATH`])
//! and touches nothing. The file that it holds is looked at, and opened by that descriptor,
//! which `/proc/self/fd` has as a name.
//!
//! Without `/proc` it is opened by its own name, so that nothing waits, and compared with what
//! was held: what was put there meanwhile is opened, and closed again.

use super::handle::{self, following};
use super::path::Place;
use super::proc::{DIRECTORY, open_directory, path_of};
use crate::data::plain::{self, NO_MODE};
use crate::sys::{self, CWD, Errno, FileId, FileType, OFlags, OwnedFd, Result, Stat, until_nul};

/// With fewer descriptors than this left, none is kept open for convenience.
const SPARE: u64 = 32;

/// A file that is held, and which one it is.
#[derive(Debug)]
pub struct Held {
    fd: OwnedFd,
    id: FileId,
}

/// Takes hold of what is under a name, a symlink itself unless it is to `follow`, and looks at it.
///
/// # Errors
/// As [`handle::open`].
pub fn hold(place: &Place<'_>, follow: bool) -> Result<(Held, Stat)> {
    let (fd, stat) = handle::open(place, follow)?;
    Ok((Held { fd, id: stat.id }, stat))
}

/// Opens files by the descriptors that hold them.
#[derive(Debug)]
pub enum Opener {
    /// No file was opened so yet.
    Untried,
    /// One was, by its descriptor's whole path: for one alone that is a call less.
    Proven,
    /// In the directory in which descriptors are names: for many files each open takes
    /// three quarters of the time so.
    ByDirectory(OwnedFd),
    /// By whole paths, as no descriptor can be spared for that.
    ByPath,
    /// There is no `/proc`.
    Missing,
}

impl Opener {
    /// Whether it is known that files cannot be opened so.
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    /// Opens the file that is held. Its type decides what that does, and whether it waits.
    ///
    /// # Errors
    /// As [`plain::open`]; `EMFILE` also where files cannot be opened so. By name it takes one
    /// descriptor less.
    pub fn open(&mut self, held: &Held, flags: OFlags) -> Result<OwnedFd> {
        let path = path_of(held.fd.as_fd());
        let open = |dir, path| plain::open(dir, until_nul(path), flags | OFlags::NOCTTY, NO_MODE);
        if matches!(self, Self::Untried) {
            if let Ok(file) = open(CWD, &path)
                && sys::stat_fd(file.as_fd()).is_ok_and(|stat| stat.id == held.id)
            {
                *self = Self::Proven;
                return Ok(file);
            }
            // It cannot be opened, or that was not /proc.
            *self = Self::look().unwrap_or(Self::Missing);
        } else if matches!(self, Self::Proven) {
            *self = Self::look().unwrap_or(Self::ByPath);
        }
        match self {
            Self::ByDirectory(directory) => {
                let name = path.get(DIRECTORY.count_bytes() + 1..);
                open(directory.as_fd(), name.unwrap_or_default())
            }
            Self::Missing => Err(Errno::EMFILE),
            _ => open(CWD, &path),
        }
    }

    /// Looks for [`DIRECTORY`], and whether it may be kept open.
    fn look() -> Result<Self> {
        let directory = open_directory()?;
        if plain::descriptors_left(directory.as_fd()) >= SPARE {
            Ok(Self::ByDirectory(directory))
        } else {
            Ok(Self::ByPath)
        }
    }
}

/// Opens what its directory lists as a regular file without waiting for what else it may be by
/// now, which the caller has to look at.
///
/// # Errors
/// As [`plain::open`]; `EAGAIN` where somebody has a lease on it.
pub fn open_listed(place: &Place<'_>) -> Result<OwnedFd> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    plain::open(place.dir, place.name, flags, NO_MODE)
}

/// Opens by its name a file that was looked at. A regular file is opened without waiting for what
/// else it may be by now, which the caller has to find out.
///
/// # Errors
/// As [`plain::open`]; `ENXIO` for a FIFO instead of a regular file that is to be written to.
pub fn open_named(
    place: &Place<'_>,
    follow: bool,
    looked_at: &Stat,
    flags: OFlags,
) -> Result<OwnedFd> {
    let flags = flags | OFlags::NOCTTY | following(follow);
    let open = |flags| plain::open(place.dir, place.name, flags, NO_MODE);
    if looked_at.kind != FileType::Regular {
        return open(flags);
    }
    match open(flags | OFlags::NONBLOCK) {
        // Somebody has a lease on it, which the kernel now takes back (`man 2 fcntl`).
        Err(Errno::EAGAIN)
            if hold(place, follow).is_ok_and(|(_, now)| now.kind == FileType::Regular) =>
        {
            open(flags)
        }
        opened => opened,
    }
}
