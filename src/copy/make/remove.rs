//! Removing what is in the way.

use crate::copy::entry::Entry;
use crate::copy::worker::Worker;
use crate::report::{During, Message, Result};
use crate::sys::{self, AtFlags, BorrowedFd, Errno};

/// Removes what is at the destination, if anything is.
///
/// # Errors
/// Those of `unlinkat`.
pub fn remove(worker: &Worker<'_>, entry: &Entry<'_>) -> Result<()> {
    match sys::unlinkat(entry.dst.dir, entry.dst.name, AtFlags::empty()) {
        Err(Errno::ENOENT) => Ok(()),
        Ok(()) => {
            worker.say_verbosely(Message::Removed, &entry.shown);
            Ok(())
        }
        failed => failed.during(Message::Remove),
    }
}

/// Removes the file that this copy has made. Says whether it did: its name may be another file's
/// by now.
///
/// # Errors
/// Those of looking at it and of `unlinkat`.
pub fn remove_made(entry: &Entry<'_>, made: BorrowedFd<'_>) -> Result<bool> {
    let place = &entry.dst;
    let is_it = match (sys::stat_fd(made), place.stat(false)) {
        (Err(errno), _) => Err(errno),
        (_, Err(Errno::ENOENT)) => Ok(false),
        (_, Err(errno)) => Err(errno),
        (Ok(made), Ok(named)) => Ok(named.id == made.id),
    };
    if !is_it.during(Message::Remove)? {
        return Ok(false);
    }
    let removed = sys::unlinkat(place.dir, place.name, AtFlags::empty());
    removed.map(|()| true).during(Message::Remove)
}
