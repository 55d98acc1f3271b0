//! Operands that are copied in any order, by all workers.
//!
//! What one worker does with such an operand, none can see in another. The source is a regular file,
//! not reached by a symlink of its own, and has one name; its copy goes to where nothing is, or
//! another regular file with one name. No other operand has its name in the directory that they go
//! to. So no file is on both sides of two of them, or on one side of two: it would have the same
//! name there, unless its file system says of all files that they have one name, as some FUSE ones
//! do. And GNU's two warnings about operands that meet (one given twice, one that would overwrite what
//! an earlier one has brought) have no occasion.
//!
//! All others (directories, symlinks, files with several names, what cannot be looked at, …) are in
//! doubt ([`super::line`]). A symlink in the destination may lead to what another operand is copied
//! to (`libfoo.so` to `libfoo.so.1`), a directory may be copied over a file that comes next: what is
//! there in the end depends on what was copied last, and is what it is with GNU's cp.
//!
//! The destination's names are listed once. What it did not have is made without a look: if there is
//! something all the same, it is somebody else's, or another operand's whose name is the same to the
//! file system, and the operand is put off until all that was begun is done.

use super::entry::{Entry, Grip, Look, Name, Occupant, Source};
use super::execute::copy_looked_at;
use super::outcome::Stop;
use super::path::basename;
use super::tree::task::Task;
use super::tree::walk::DIRENT_BYTES;
use super::worker::Worker;
use crate::data::plain::{self, NO_MODE};
use crate::sys::{self, FileType, OFlags, Stat};

/// The destination's names are listed if they are not many more than there are operands: for
/// each so many of these so often some of them are read.
const OPERANDS_A_READ: usize = 64;

/// Takes operands and copies them, until there are no more or one is in doubt.
pub fn copy_in_any_order(worker: &mut Worker<'_>, task: &mut Task) {
    let shared = worker.shared;
    while !worker.team.is_superfluous()
        && let Some(number) = shared.line.take()
    {
        let source = shared
            .line
            .operands
            .get(number)
            .copied()
            .unwrap_or_default();
        task.begin_operand();
        task.src.start(b"", source.to_bytes());
        let name = basename(source.to_bytes());
        task.dst.start(shared.target.root_path, name);
        let entry = task.entry(shared.target.root, FileType::Regular);
        let looked = look(worker, &entry);
        if shared.line.admit(number, looked.is_none())
            && let Some(name) = looked
        {
            worker.team.count_name(&entry.src);
            match copy_looked_at(worker, name) {
                Ok(_) => {}
                Err(Stop::PutOff) => shared.line.put_off(number),
                Err(stop) => drop(worker.tell_stop(stop, &task.shown())),
            }
        }
        while shared.pool.is_idle() && shared.line.has_more() {
            shared.pool.call_to_line();
        }
    }
}

/// Looks at both ends of an operand; `None` where it is in doubt.
fn look<'a>(worker: &Worker<'_>, entry: &'a Entry<'a>) -> Option<Name<'a>> {
    let (options, names) = (worker.options(), &worker.shared.line.names);
    let name = entry.dst.name.to_bytes();
    if names.is_repeated(name) {
        return None;
    }
    // Where files are opened to be held, a FIFO or a device must not be.
    if worker.opener.is_missing() && !entry.src.stat(false).is_ok_and(|stat| is_apart(&stat)) {
        return None;
    }
    let source = Source::look(options, &worker.opener, entry).ok()?;
    if matches!(source.grip, Grip::Name) || !is_apart(&source.stat) {
        return None;
    }
    let mut occupant = Occupant::NotListed;
    if names.is_taken(name) {
        match Occupant::look(options, entry, &source, Look::Again) {
            Occupant::Nothing => {}
            // Where it was not listed, it may be what another operand was copied to.
            Occupant::There(stat) if is_apart(&stat) && names.are_listed() => {
                occupant = Occupant::There(stat);
            }
            _ => return None,
        }
    }
    Some(Name {
        entry,
        source,
        occupant,
        is_begun: false,
    })
}

/// Whether a file is a regular one that has no other name.
fn is_apart(stat: &Stat) -> bool {
    stat.kind == FileType::Regular && stat.nlink == 1
}

/// Lists the names that the destination has, unless they are too many for `count` operands. What goes
/// wrong does not matter: then each is looked at.
pub fn list_destination(worker: &mut Worker<'_>, count: usize) {
    let shared = worker.shared;
    if shared.line.names.are_listed() {
        return;
    }
    let open = |flags| plain::open(shared.target.root, c".", flags, NO_MODE);
    // Nobody is to see it: a directory may be copied that holds this one.
    let opened = open(OFlags::DIRECTORY | OFlags::NOATIME).or_else(|_| open(OFlags::DIRECTORY));
    if let Ok(dir) = opened
        && let Ok(buffer) = worker.mover.buffer()
        && let Some(buffer) = buffer.get_mut(..DIRENT_BYTES)
    {
        for _ in 0..=count.div_ceil(OPERANDS_A_READ) {
            let Ok(entries) = sys::getdents64(dir.as_fd(), buffer) else {
                return;
            };
            let mut is_end = true;
            for entry in entries {
                is_end = false;
                shared.line.names.list(entry.name.to_bytes());
            }
            if is_end {
                return shared.line.names.end_of_list();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_with_one_name_has_to_do_with_no_other() {
        for (kind, nlink, expected) in [
            (FileType::Regular, 1, true),
            (FileType::Regular, 2, false),
            // Some file systems do not count.
            (FileType::Regular, 0, false),
            (FileType::Fifo, 1, false),
            (FileType::Symlink, 1, false),
            (FileType::Directory, 1, false),
        ] {
            let stat = Stat {
                kind,
                nlink,
                ..Stat::default()
            };
            assert_eq!(is_apart(&stat), expected, "{kind:?} {nlink}");
        }
    }
}
