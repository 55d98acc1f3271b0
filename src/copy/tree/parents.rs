//! The directories that lead to an operand (`--parents`).
//!
//! They are levels of the walk like others: made, gone down into by descriptor, and given their
//! metadata on the way back. But each holds one name only, so that of the source nothing is
//! read, and its path is used as it was given.

use core::ffi::CStr;

use super::copier::Copier;
use super::level::{Directory, Sides};
use super::task::Task;
use super::walk::Walk;
use crate::copy::directory;
use crate::copy::engine::{Engine, Job};
use crate::copy::metadata;
use crate::copy::options::{Flags, Preserve};
use crate::copy::path::{last_part, trim_slashes};
use crate::copy::shared::Shared;
use crate::report::{During, Message, Result};
use crate::sys::{self, AtFlags, CWD, Errno, FileType, Mode, Stat};

/// Copies `src`, relative to the working directory, to the same path below the copy's root.
pub fn copy_with_parents(engine: &mut Engine<'_>, task: &mut Task, src: &CStr) {
    let shared = engine.shared;
    let path = trim_slashes(src.to_bytes());
    let above = path.len() - last_part(path).len();
    shared.begin_operand();
    task.begin_operand();
    // Where all of them are there, they are left as they are.
    let is_untouched = above > 0 && are_there(engine, path.get(..above).unwrap_or_default());
    let mut entered = Ok(());
    let mut before = b'/';
    for (end, &byte) in path.iter().enumerate().take(above) {
        if byte == b'/' && before != b'/' && entered.is_ok() {
            let prefix = path.get(..end).unwrap_or_default();
            go_to(shared, task, prefix, prefix);
            entered = enter_parent(engine, task, is_untouched);
        }
        before = byte;
    }
    if entered.is_ok() {
        go_to(shared, task, src.to_bytes(), path);
        Walk::new(shared, &mut Copier { engine }, task).visit_operand(false);
    } else {
        engine.settle(&task.shown(), entered);
        for level in &mut *task.levels {
            level.dir.is_untouched = true;
        }
        Walk::new(shared, &mut Copier { engine }, task).visit_tree();
    }
}

/// Goes to `src`, and to `path` below the copy's root.
fn go_to(shared: &Shared<'_>, task: &mut Task, src: &[u8], path: &[u8]) {
    task.src.start(b"", src);
    task.dst.start_below(shared.target.root_path, path);
}

/// Whether a directory is at `path`, relative to the root.
fn are_there(engine: &mut Engine<'_>, path: &[u8]) -> bool {
    let mut stat = Stat::default();
    let path = sys::c_string(&mut engine.earlier, b"./", path);
    let root = engine.shared.target.root;
    sys::stat_at(root, path, AtFlags::empty(), &mut stat).is_ok()
        && stat.kind == FileType::Directory
}

/// Makes one of them, where the paths stand, or takes the one that is there, and goes down into it.
fn enter_parent(engine: &mut Engine<'_>, task: &mut Task, is_untouched: bool) -> Result<()> {
    let entry = task.entry(engine.shared.target.root, FileType::Unknown);
    let job = Job::new(&entry, &engine.options);
    if let Some(made) = make_parent(engine, job, is_untouched)? {
        let dir = Directory {
            sides: Sides::Destination,
            is_untouched,
            ..made
        };
        Walk::new(engine.shared, &mut Copier { engine }, task).enter_parent(dir);
        task.parents = task.levels.len();
    }
    Ok(())
}

fn make_parent(
    engine: &mut Engine<'_>,
    mut job: Job<'_>,
    is_untouched: bool,
) -> Result<Option<Directory>> {
    let preserve = engine.options.preserve;
    let kept = Preserve::MODE | Preserve::OWNERSHIP | Preserve::TIMESTAMPS;
    // Through symlinks, which the user knows of; what is made here is none.
    let found = job.dst.stat(AtFlags::empty(), &mut job.before);
    job.exists = found.is_ok();
    job.through_link = job.exists;
    if job.exists && job.before.kind != FileType::Directory {
        return Message::ParentNoDirectory.into();
    }
    if !is_untouched && (!job.exists || preserve.intersects(kept)) {
        let mut answer = sys::stat_at(CWD, job.src.name, AtFlags::empty(), &mut job.stat);
        if answer.is_ok() && job.stat.kind != FileType::Directory {
            answer = Err(Errno::ENOTDIR);
        }
        answer.during(Message::ParentAttributes)?;
    }
    let mut withheld = Mode::empty();
    if preserve.intersects(Preserve::MODE | Preserve::OWNERSHIP) {
        withheld = metadata::withheld(preserve, FileType::Directory, job.stat.mode);
    }
    if preserve.contains(Preserve::NO_MODE) && !preserve.contains(Preserve::MODE) {
        job.stat.mode = Mode::PERMISSIONS;
    }
    directory::make(engine, &mut job, withheld, Message::MakeParent)?;
    if !job.exists && engine.options.has(Flags::VERBOSE) {
        engine
            .shared
            .reporter()
            .say(Message::MadeParent, &job.shown, None);
    }
    Ok(job.into_directory())
}
