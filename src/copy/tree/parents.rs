//! The directories that lead to an operand (`--parents`).
//!
//! They are levels of the walk like others: made, gone down into by descriptor, and given their
//! metadata on the way back. But each holds one name only, so that of the source nothing is
//! read, and its path is used as it was given.

use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use super::copier::Copier;
use super::level::Directory;
use super::task::Task;
use crate::copy::attributes;
use crate::copy::entry::Entry;
use crate::copy::make::directory::{self, Wanted};
use crate::copy::outcome::Stop;
use crate::copy::path::{Place, last_part, trim_slashes};
use crate::copy::plan::{ParentDecision, decide_parent};
use crate::copy::shared::Shared;
use crate::copy::worker::Worker;
use crate::data::plain::NO_MODE;
use crate::report::Message;
use crate::sys::{self, FileType, Stat};

/// Copies `src`, relative to the working directory, to the same path below the copy's root.
pub fn copy_with_parents(worker: &mut Worker<'_>, task: &mut Task, src: &[u8]) {
    let shared = worker.shared;
    let path = trim_slashes(src);
    let above = path.len() - last_part(path).len();
    shared.is_stopped.store(false, Ordering::Relaxed);
    task.begin_operand();
    // Where all of them are there, they are left as they are, and nobody asks for their sources.
    let is_untouched = above > 0 && is_there(worker, path.get(..above).unwrap_or_default());
    let mut entered = Ok(());
    let mut before = b'/';
    for (end, &byte) in path.iter().enumerate().take(above) {
        if byte == b'/' && before != b'/' && entered.is_ok() {
            let prefix = path.get(..end).unwrap_or_default();
            go_to(shared, task, prefix, prefix);
            entered = enter_parent(worker, task, is_untouched);
        }
        before = byte;
    }
    if let Err(stop) = entered {
        worker.tell_stop(stop, &task.shown());
        for level in &mut *task.levels {
            level.dir.src_stat = None;
        }
        Copier { worker }.walk(task).visit_tree();
    } else {
        go_to(shared, task, src, path);
        Copier { worker }.walk(task).visit_operand(false);
    }
}

/// Goes to `src`, and to `path` below the copy's root.
fn go_to(shared: &Shared<'_>, task: &mut Task, src: &[u8], path: &[u8]) {
    task.src.start(b"", src);
    task.dst.start_below(shared.target.root_path, path);
}

/// Whether anything is at `path`, relative to the root.
fn is_there(worker: &Worker<'_>, path: &[u8]) -> bool {
    let mut room = Vec::new();
    let place = Place {
        dir: worker.shared.target.root,
        // Without the slash at its end, so that a file is found as well.
        name: sys::c_string(&mut room, b"./", trim_slashes(path)),
    };
    place.stat(true).is_ok()
}

/// Makes one of them, where the paths stand, or takes the one that is there, and goes down into it.
fn enter_parent(worker: &mut Worker<'_>, task: &mut Task, is_untouched: bool) -> Result<(), Stop> {
    let entry = task.entry(worker.shared.target.root, FileType::Unknown);
    let dir = make_parent(worker, &entry, is_untouched)?;
    Copier { worker }.walk(task).go_down(dir);
    task.parents = task.levels.len();
    Ok(())
}

fn make_parent(
    worker: &mut Worker<'_>,
    entry: &Entry<'_>,
    is_untouched: bool,
) -> Result<Directory, Stop> {
    let preserve = worker.options().preserve;
    // Through symlinks, which the user knows of; what is made here is none.
    let there = entry.dst.stat(true).ok();
    let is_wanted = !is_untouched && (there.is_none() || attributes::changes_parents(preserve));
    let source = is_wanted.then(|| entry.src.stat(true));
    let kind_of = |stat: Stat| stat.kind;
    let decision = decide_parent(there.map(kind_of), source.map(|looked| looked.map(kind_of)));
    if let ParentDecision::Refuse(failure) = decision {
        return Err(failure.into());
    }
    let src_stat = source.and_then(Result::ok);
    let mode = src_stat.map_or(NO_MODE, |stat| stat.mode);
    let (mode, withheld) = attributes::of_parent(preserve, mode);
    let exists = decision == ParentDecision::Enter;
    let wanted = Wanted {
        exists,
        is_followed: exists,
        mode,
        withheld,
        is_parent: true,
    };
    let opened = directory::make(worker, &entry.dst, &wanted)?;
    if !exists {
        worker.say_verbosely(Message::MadeParent, &entry.shown);
    }
    Ok(Directory {
        dst: Some(opened.dst),
        src_stat,
        dst_stat: Some(opened.dst_stat),
        existed: exists,
        later_mode: opened.later_mode,
        is_parent: true,
        is_exhausted: true,
        ..Directory::default()
    })
}
