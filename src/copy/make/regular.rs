//! Regular files, and what is copied as one.

use core::mem::replace;

use super::remove::{remove, remove_made};
use crate::copy::attributes::{self, released, withheld};
use crate::copy::entry::{Entry, Grip, Name, Occupant};
use crate::copy::held::{self, Held};
use crate::copy::options::Flags;
use crate::copy::outcome::{Stop, Unmade};
use crate::copy::plan::{Clear, Make, Plan};
use crate::copy::seen::CopyId;
use crate::copy::target::{Copied, Target};
use crate::copy::worker::Worker;
use crate::data::mover::{self as data, Incomplete};
use crate::data::plain;
use crate::data::transfer::Files;
use crate::report::{self, During, Failure, Message};
use crate::sys::{self, BorrowedFd, Errno, FileType, Mode, OFlags, OwnedFd, Stat};

/// A destination that is open.
struct Destination {
    file: OwnedFd,
    /// What it was before, if it was there.
    before: Option<Stat>,
}

/// Why what is there cannot be written to.
enum Unusable {
    /// It cannot be opened.
    Refused(Errno),
    /// It is the source.
    IsSource,
}

impl From<Errno> for Unusable {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno)
    }
}

/// Copies data and metadata of one file. Says which file the copy is where somebody wants to know.
///
/// # Errors
/// The first that ends it.
pub fn copy(
    worker: &mut Worker<'_>,
    name: &mut Name<'_>,
    plan: Plan,
) -> Result<Option<CopyId>, Unmade> {
    let source = open_source(worker, name, plan)?;
    worker.mover.trace.has_data = worker.options().copies_data();
    let copied = copy_from(worker, name, plan, source.as_fd());
    close(worker, name.entry, source, Message::CloseSource, copied)
}

fn copy_from(
    worker: &mut Worker<'_>,
    name: &mut Name<'_>,
    plan: Plan,
    source: BorrowedFd<'_>,
) -> Result<Option<CopyId>, Unmade> {
    let mode = name.source.stat.mode & Mode::PERMISSIONS;
    let missing = withheld(worker.options().preserve, FileType::Regular, mode);
    let to = open_destination(worker, name, plan, mode - missing)?;
    let filled = fill(worker, name, plan, source, &to, missing);
    let filled = filled.map_err(Unmade::from);
    close(worker, name.entry, to.file, Message::Close, filled)
}

/// Closes a file with which all went as `so_far`, and says it where both fail: some file
/// systems tell only now that a write was lost.
fn close<T>(
    worker: &Worker<'_>,
    entry: &Entry<'_>,
    file: OwnedFd,
    message: Message,
    so_far: Result<T, Unmade>,
) -> Result<T, Unmade> {
    match file.close().during(message) {
        Ok(()) => so_far,
        Err(failure) => {
            if let Err(unmade) = so_far {
                worker.tell_stop(unmade.into(), &entry.shown);
            }
            Err(failure.into())
        }
    }
}

/// Opens the source, and makes sure that it is the file that was looked at.
fn open_source(
    worker: &mut Worker<'_>,
    name: &mut Name<'_>,
    plan: Plan,
) -> report::Result<OwnedFd> {
    match replace(&mut name.source.grip, Grip::Name) {
        Grip::Open(open) => return Ok(open),
        Grip::Held(mut held) => {
            // Much may have happened since: an answer was awaited, or what was there moved away.
            if plan.clear == Clear::BackUp || worker.options().has(Flags::INTERACTIVE) {
                // Descriptors may be few.
                drop(held);
                held = hold_again(name)?;
            }
            match worker.opener.open(&held, OFlags::RDONLY) {
                // ESTALE: a server has another file in its place, which is found by the name only.
                Err(Errno::EMFILE | Errno::ESTALE) => {}
                opened => return opened.during(Message::OpenSource),
            }
        }
        Grip::Name => {}
    }
    let source = &mut name.source;
    let place = &name.entry.src;
    let open = held::open_named(place, source.is_followed, &source.stat, OFlags::RDONLY)
        .during(Message::OpenSource)?;
    let now = sys::stat_fd(open.as_fd()).during(Message::FstatSource)?;
    if now.id != source.stat.id {
        return Err(Failure::without_errno(Message::Replaced));
    }
    source.stat = now;
    Ok(open)
}

/// Looks once more whether the source's name leads to what was held: as GNU cp nothing is to be
/// found where the way to it led by what has just been moved out of the way.
fn hold_again(name: &mut Name<'_>) -> report::Result<Held> {
    let source = &mut name.source;
    let held = held::hold(&name.entry.src, source.is_followed);
    let (held, now) = held.during(Message::OpenSource)?;
    if now.id != source.stat.id {
        return Err(Failure::without_errno(Message::Replaced));
    }
    source.stat = now;
    Ok(held)
}

/// Opens the file that is there, or a new one with that `mode`.
fn open_destination(
    worker: &mut Worker<'_>,
    name: &Name<'_>,
    plan: Plan,
    mode: Mode,
) -> Result<Destination, Unmade> {
    if let Make::Data {
        empties,
        removes_unopenable,
    } = plan.make
        && let Some(there) = plan.reused(&name.occupant)
    {
        let refused = match reuse(worker, name, there, empties) {
            Ok(destination) => return Ok(destination),
            Err(Unusable::IsSource) => {
                return Err(Failure::without_errno(Message::SameFile).into());
            }
            Err(Unusable::Refused(errno)) => errno,
        };
        let failure = Failure::new(Message::CreateRegular, refused);
        match refused {
            Errno::ENOENT => return Err(Unmade::Gone(failure)),
            // About this process: a new file could not be opened either.
            Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM => return Err(failure.into()),
            _ if removes_unopenable => remove(worker, name.entry)?,
            _ => return Err(failure.into()),
        }
    }
    create(worker, name, mode)
}

/// Opens the file that is `there`, and empties it where its data is to be replaced.
fn reuse(
    worker: &mut Worker<'_>,
    name: &Name<'_>,
    there: &Stat,
    empties: bool,
) -> Result<Destination, Unusable> {
    // Found to be no symlink before: one that it is now was put there meanwhile.
    let (held, before) = held::hold(&name.entry.dst, name.occupant.through().is_some())?;
    // Not emptied by opening: only now it is certain that this is not the source.
    if before.id == name.source.stat.id {
        return Err(Unusable::IsSource);
    }
    let is_regular = before.kind == FileType::Regular;
    // Another file may have taken its name. A FIFO or a device was not there before.
    if !is_regular && before.id != there.id {
        return Err(Errno::ESTALE.into());
    }
    let mut opened = worker.opener.open(&held, OFlags::WRONLY);
    let mut held = Some(held);
    if opened == Err(Errno::EMFILE) {
        held = None;
        opened = open_named(name, &before, OFlags::WRONLY);
    }
    if is_regular && empties {
        opened = opened
            .and_then(|file| sys::ftruncate(file.as_fd(), 0).map(|()| file))
            .or_else(|refused| open_emptied(worker, name, &before, held, refused));
    }
    Ok(Destination {
        file: opened?,
        before: Some(before),
    })
}

/// Empties the destination by opening it, where another way was `refused`: some file systems
/// (S3 buckets) know no other way to write to a file that is there.
fn open_emptied(
    worker: &mut Worker<'_>,
    name: &Name<'_>,
    before: &Stat,
    held: Option<Held>,
    refused: Errno,
) -> sys::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::TRUNC;
    if let Some(held) = held {
        match worker.opener.open(&held, flags) {
            Err(Errno::EMFILE) => {}
            opened => return opened,
        }
    }
    // By name only where no name can be the source's: on another device than that.
    let is_elsewhere = before.id.dev != name.source.stat.id.dev;
    if is_elsewhere && name.occupant.through().is_none() && refused != Errno::ESTALE {
        open_named(name, before, flags)
    } else {
        Err(refused)
    }
}

/// Opens the destination by its name, if it is the file that was there `before`.
fn open_named(name: &Name<'_>, before: &Stat, flags: OFlags) -> sys::Result<OwnedFd> {
    let follow = name.occupant.through().is_some();
    let open = held::open_named(&name.entry.dst, follow, before, flags)?;
    if sys::stat_fd(open.as_fd())?.id == before.id {
        Ok(open)
    } else {
        Err(Errno::ESTALE)
    }
}

/// Makes a new file; whatever appears in its place meanwhile is not touched.
fn create(worker: &Worker<'_>, name: &Name<'_>, mode: Mode) -> Result<Destination, Unmade> {
    let entry = name.entry;
    let open = |flags| plain::open(entry.dst.dir, entry.dst.name, flags, mode);
    let flags = OFlags::WRONLY | OFlags::CREAT;
    let mut opened = open(flags | OFlags::EXCL);
    let is_link = |found: Stat| found.kind == FileType::Symlink;
    let is_looked_for = !matches!(name.occupant, Occupant::NotListed);
    if opened == Err(Errno::EEXIST) && is_looked_for && entry.dst.stat(false).is_ok_and(is_link) {
        // Where all was made by this copy, it is somebody's who is not to be served.
        if entry.is_in_new_directory() || !worker.options().has(Flags::THROUGH_DANGLING) {
            return Err(Failure::without_errno(Message::Dangling).into());
        }
        // What it leads to was not there when it was looked at.
        opened = open(flags | OFlags::NONBLOCK | OFlags::NOCTTY).and_then(if_regular);
    }
    // A name that ends in a slash can only be a directory's.
    if opened == Err(Errno::EISDIR) && entry.dst_shown().ends_with(b"/") {
        opened = Err(Errno::ENOTDIR);
    }
    match opened {
        Ok(file) => Ok(Destination { file, before: None }),
        Err(errno) => Err(Unmade::by_making(Message::CreateRegular, errno)),
    }
}

/// A file that was opened, if it is a regular one.
fn if_regular(file: OwnedFd) -> sys::Result<OwnedFd> {
    if sys::stat_fd(file.as_fd())?.kind == FileType::Regular {
        Ok(file)
    } else {
        Err(Errno::ESTALE)
    }
}

/// Gives an open destination the source's data and metadata. It was made without the
/// `missing` permissions, if this copy made it.
fn fill(
    worker: &mut Worker<'_>,
    name: &mut Name<'_>,
    plan: Plan,
    source: BorrowedFd<'_>,
    to: &Destination,
    missing: Mode,
) -> Result<Option<CopyId>, Stop> {
    let (fd, before) = (to.file.as_fd(), to.before.as_ref());
    let mode = name.source.stat.mode & Mode::PERMISSIONS;
    let copy = match before {
        // Where operands meet, it is asked what was made.
        _ if !plan.is_claimed && !worker.may_meet(name.entry) => None,
        Some(before) => Some(CopyId::new(before.id, name.occupant.through())),
        None => {
            let now = sys::stat_fd(fd).during(Message::FstatDestination)?;
            Some(CopyId::new(now.id, None))
        }
    };
    let mut later_mode = None;
    if before.is_none() {
        later_mode = attributes::let_owner_write(worker, fd, mode, missing);
    }
    // On failure GNU stops here: metadata would make a broken copy look whole.
    if worker.options().copies_data() {
        copy_data(worker, name, source, to)?;
    }
    if before.is_none() {
        later_mode = released(worker, FileType::Regular, mode, missing).or(later_mode);
    }
    let copied = Copied {
        target: Target::Open(fd),
        is_symlink: false,
        before,
        mode: later_mode,
        source: Some(Target::Open(source)),
        shown: &name.entry.shown,
        lists: true,
        others: true,
    };
    attributes::keep(worker, &name.source.stat, &copied)?;
    Ok(copy)
}

/// Copies the data, and deals with what is left of data that was not copied as a whole.
fn copy_data(
    worker: &mut Worker<'_>,
    name: &mut Name<'_>,
    source: BorrowedFd<'_>,
    to: &Destination,
) -> Result<(), Stop> {
    let (entry, from) = (name.entry, &name.source.stat);
    if from.kind == FileType::Regular {
        worker.shared.progress.open(from.size_bytes, true);
        name.is_begun = true;
    }
    let new = data::Destination {
        kind: FileType::Regular,
        device: entry.dst_device(),
        size_bytes: 0,
    };
    let destination = to.before.map_or(new, |before| data::Destination {
        kind: before.kind,
        device: Some(before.id.dev),
        size_bytes: before.size_bytes,
    });
    let files = Files {
        from: source,
        to: to.file.as_fd(),
    };
    let is_new = to.before.is_none();
    worker.mover.set_workers(worker.shared.pool.most_workers());
    match worker.mover.copy(files, from, destination) {
        Ok(()) => Ok(()),
        // It was made for nothing.
        Err(Incomplete::Prefix(failure)) if failure.message == Message::Clone && is_new => {
            let told = worker.tell(failure, &entry.shown);
            remove_made(entry, files.to)?;
            Err(told.into())
        }
        Err(Incomplete::Prefix(failure)) => Err(failure.into()),
        Err(Incomplete::Uncut {
            why,
            errno,
            has_gaps,
        }) => {
            if let Some(why) = why {
                worker.tell(why, &entry.shown);
            }
            // Nothing is better than what looks like the file and is not.
            let removed = if has_gaps && is_new {
                remove_made(entry, files.to)
            } else {
                Ok(false)
            };
            let message = match removed {
                Ok(true) => Message::RemoveGaps,
                _ if has_gaps => Message::LeaveGaps,
                _ => Message::Truncate,
            };
            if let Err(failure) = removed {
                worker.tell(failure, &entry.shown);
            }
            Err(Failure::new(message, errno).into())
        }
    }
}
