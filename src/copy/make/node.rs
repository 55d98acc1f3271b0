//! Names without data: symlinks, FIFOs, sockets, device nodes.

use core::ffi::CStr;

use crate::copy::attributes::{self, withheld};
use crate::copy::entry::{Entry, Name};
use crate::copy::handle::{self, NO_WAY};
use crate::copy::options::Preserve;
use crate::copy::outcome::{Stop, Unmade};
use crate::copy::path::Place;
use crate::copy::plan::Plan;
use crate::copy::seen::CopyId;
use crate::copy::target::{Copied, Target};
use crate::copy::temporary::{in_private_directory, replace};
use crate::copy::worker::Worker;
use crate::report::{During, Failure, Message};
use crate::sys::{self, BorrowedFd, Errno, FileType, Mode, OwnedFd, Stat, until_nul};

/// The longest symlink target that Linux holds, and its NUL.
const TARGET_BYTES: usize = 4096;

/// What was just made.
#[derive(Debug, Clone, Copy)]
pub enum Made {
    /// A symlink like the source.
    Symlink,
    /// A symlink to the source, in place of a copy.
    SymlinkToSource,
    /// A FIFO, socket or device node like the source.
    Node {
        /// Permissions that it was made without.
        withheld: Mode,
    },
}

/// Makes a symlink with the source's target.
pub fn copy_symlink(
    worker: &mut Worker<'_>,
    name: &Name<'_>,
    plan: Plan,
    replaces: bool,
) -> Result<Option<CopyId>, Unmade> {
    let entry = name.entry;
    let target = read_target(worker, &entry.src).during(Message::ReadLink)?;
    make_symlink(target, &entry.dst, replaces)
        .map_err(|errno| Unmade::by_making(Message::CreateSymlink, errno))?;
    finish(worker, name, plan, Made::Symlink)
}

/// Reads a symlink's target into the data buffer, which is free now.
fn read_target<'w>(worker: &'w mut Worker<'_>, src: &Place<'_>) -> sys::Result<&'w CStr> {
    let buffer = worker.mover.buffer()?;
    let buffer = buffer.get_mut(..TARGET_BYTES).unwrap_or_default();
    buffer.fill(0);
    let room = buffer.get_mut(..TARGET_BYTES - 1).unwrap_or_default();
    sys::readlinkat(src.dir, src.name, room)?;
    Ok(until_nul(buffer))
}

/// Makes a symlink; where it `replaces`, in the place of what is there.
pub fn make_symlink(target: &CStr, dst: &Place<'_>, replaces: bool) -> sys::Result<()> {
    let make = |dir: BorrowedFd<'_>, name: &CStr| sys::symlinkat(target, dir, name);
    match make(dst.dir, dst.name) {
        Err(Errno::EEXIST) if replaces => replace(dst, &make),
        answer => answer,
    }
}

/// Makes a FIFO, socket or device node like the source.
pub fn copy_node(
    worker: &mut Worker<'_>,
    name: &Name<'_>,
    plan: Plan,
) -> Result<Option<CopyId>, Unmade> {
    let Stat {
        mode, kind, rdev, ..
    } = name.source.stat;
    let withheld = withheld(worker.options().preserve, kind, mode);
    let message = if kind == FileType::Fifo {
        Message::CreateFifo
    } else {
        Message::CreateSpecial
    };
    let dst = name.entry.dst;
    sys::mknodat(dst.dir, dst.name, kind, mode - withheld, rdev)
        .map_err(|errno| Unmade::by_making(message, errno))?;
    finish(worker, name, plan, Made::Node { withheld })
}

/// Gives what cannot be opened its metadata, now that it is made, as far as it needs any. Says which
/// file it is where that was looked at.
///
/// # Errors
/// Those of [`attributes::keep`]. What has taken its place meanwhile is not touched.
pub fn finish(
    worker: &mut Worker<'_>,
    name: &Name<'_>,
    plan: Plan,
    made: Made,
) -> Result<Option<CopyId>, Unmade> {
    let (entry, source, is_claimed) = (name.entry, &name.source.stat, plan.is_claimed);
    // Its name is all that it needs, as usual under -r.
    let is_plain = (worker.options().preserve - Preserve::LINKS).is_empty();
    if is_plain && !is_claimed {
        return Ok(None);
    }
    if !is_claimed && is_nobody_elses(worker, entry, made) {
        let target = Target::Named(&entry.dst);
        let finished = give_metadata(worker, entry, source, made, target);
        return finished.map(|()| None).map_err(replaced);
    }
    let access = |errno| replaced(Failure::new(Message::AccessDestination, errno).into());
    let (file, stat) = open_made(entry, source, made).map_err(access)?;
    let target = Target::Handle(file.as_fd());
    let mut finished = give_metadata(worker, entry, source, made, target);
    if let Err(Stop::Failed(failure)) = finished
        && failure.errno == Some(NO_WAY)
    {
        // By its name, which has to be nobody else's then.
        finished = in_private_directory(&entry.dst, &stat.id, |place| {
            give_metadata(worker, entry, source, made, Target::Named(place))
        })
        .map_err(access)?;
    }
    finished
        .map(|()| Some(CopyId::new(stat.id, None)))
        .map_err(replaced)
}

/// What is reached by name may be gone, or another file, because somebody else came first.
fn replaced(stop: Stop) -> Unmade {
    match stop {
        Stop::Failed(failure) if matches!(failure.errno, Some(Errno::ENOENT | Errno::ESTALE)) => {
            Unmade::Taken(failure)
        }
        stop => stop.into(),
    }
}

/// Whether a symlink's name is safe: in a directory that is ours, and others may not write to,
/// nobody puts another file in its place. That spares most of them three calls. The mode of
/// a node is set in no case by a name that might be a symlink.
fn is_nobody_elses(worker: &mut Worker<'_>, entry: &Entry<'_>, made: Made) -> bool {
    let euid = worker.euid();
    !matches!(made, Made::Node { .. })
        && entry.above.last().is_some_and(|level| {
            let is_safe = |dir: &Stat| dir.uid == euid && !dir.mode.intersects(Mode::WRITE_OTHERS);
            level.dir.dst_stat.as_ref().is_some_and(is_safe)
        })
}

/// Gives metadata to what was made and is to be reached as `target`.
fn give_metadata(
    worker: &mut Worker<'_>,
    entry: &Entry<'_>,
    source: &Stat,
    made: Made,
    target: Target<'_>,
) -> Result<(), Stop> {
    // A symlink that stands for a copy gets what its source has, but for the owner, as if it
    // had the right one, and access lists, which no symlink has.
    let stands = matches!(made, Made::SymlinkToSource);
    let copied = Copied {
        target,
        is_symlink: !matches!(made, Made::Node { .. }),
        before: stands.then_some(source),
        mode: None,
        source: Some(Target::Named(&entry.src)),
        shown: &entry.shown,
        lists: !stands,
        others: true,
    };
    attributes::keep(worker, source, &copied)?;
    if let Made::Node { withheld } = made {
        attributes::release_node(worker, target, source, withheld)?;
    }
    Ok(())
}

/// Opens the symlink or node that was just made at the destination. Somebody else may have put
/// another file there since: one of another kind, or one that has a further name elsewhere, is
/// not to be given away.
fn open_made(entry: &Entry<'_>, source: &Stat, made: Made) -> sys::Result<(OwnedFd, Stat)> {
    let (file, stat) = handle::open(&entry.dst, false)?;
    let is_it = match made {
        Made::Node { .. } => {
            let is_device = matches!(stat.kind, FileType::CharDevice | FileType::BlockDevice);
            stat.kind == source.kind && (!is_device || stat.rdev == source.rdev)
        }
        _ => stat.kind == FileType::Symlink,
    };
    if is_it && stat.nlink <= 1 {
        Ok((file, stat))
    } else {
        Err(Errno::ESTALE)
    }
}
