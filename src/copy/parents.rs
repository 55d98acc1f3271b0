//! The directories that lead to an operand (`--parents`).
//!
//! They are levels of the walk like others: made, gone down into by descriptor, and given their
//! metadata on the way back. But each holds one name only, so that of the source nothing is
//! read, and its path is used as it was given.

use core::ffi::CStr;

use super::engine::{Engine, Job};
use super::metadata;
use super::options::{Flags, Preserve};
use super::path::{last_part, trim_slashes};
use super::walk::Walk;
use crate::report::{During, Message, Result};
use crate::sys::{self, AtFlags, CWD, Errno, FileType, Mode, Stat};

impl Engine<'_> {
    /// Copies `src`, relative to the working directory, to the same path below the engine's root.
    pub fn copy_with_parents(&mut self, walk: &mut Walk, src: &CStr) {
        let path = trim_slashes(src.to_bytes());
        let above = path.len() - last_part(path).len();
        self.begin_operand(walk);
        // Where all of them are there, they are left as they are.
        let untouched = above > 0 && self.are_there(path.get(..above).unwrap_or_default());
        let mut entered = Ok(());
        let mut before = b'/';
        for (end, &byte) in path.iter().enumerate().take(above) {
            if byte == b'/' && before != b'/' && entered.is_ok() {
                let prefix = path.get(..end).unwrap_or_default();
                self.go_to(walk, prefix, prefix);
                entered = self.enter_parent(walk, untouched);
                walk.parents = walk.levels.len();
            }
            before = byte;
        }
        if entered.is_ok() {
            self.go_to(walk, src.to_bytes(), path);
            self.copy_operand_here(walk, false);
        } else {
            self.settle(&walk.shown(), entered);
            for level in &mut *walk.levels {
                level.untouched = true;
            }
            self.lead(walk);
        }
    }

    /// Goes to `src`, and to `path` below the engine's root.
    fn go_to(&self, walk: &mut Walk, src: &[u8], path: &[u8]) {
        walk.src.start(b"", src);
        walk.dst.start_below(self.shared.root_path, path);
    }

    /// Whether a directory is at `path`, relative to the root.
    fn are_there(&mut self, path: &[u8]) -> bool {
        let mut stat = Stat::default();
        let path = sys::c_string(&mut self.earlier, b"./", path);
        sys::stat_at(self.shared.root, path, AtFlags::empty(), &mut stat).is_ok()
            && stat.kind == FileType::Directory
    }

    /// Makes one of them, where the paths stand, or takes the one that is there.
    fn enter_parent(&mut self, walk: &mut Walk, untouched: bool) -> Result<()> {
        let mut job = Job::new(walk, self.shared.root, FileType::Unknown);
        let kept = Preserve::MODE | Preserve::OWNERSHIP | Preserve::TIMESTAMPS;
        // Through symlinks, which the user knows of; what is made here is none.
        let found = job.dst.stat(AtFlags::empty(), &mut job.before);
        job.exists = found.is_ok();
        job.through_link = job.exists;
        if job.exists && job.before.kind != FileType::Directory {
            return Message::ParentNoDirectory.into();
        }
        if !untouched && (!job.exists || self.options.preserve.intersects(kept)) {
            let mut answer = sys::stat_at(CWD, job.src.name, AtFlags::empty(), &mut job.stat);
            if answer.is_ok() && job.stat.kind != FileType::Directory {
                answer = Err(Errno::ENOTDIR);
            }
            answer.during(Message::ParentAttributes)?;
        }
        let preserve = self.options.preserve;
        let mut withheld = Mode::empty();
        if preserve.intersects(Preserve::MODE | Preserve::OWNERSHIP) {
            withheld = metadata::withheld(preserve, FileType::Directory, job.stat.mode);
        }
        if preserve.contains(Preserve::NO_MODE) && !preserve.contains(Preserve::MODE) {
            job.stat.mode = Mode::PERMISSIONS;
        }
        self.make_directory(&mut job, withheld, Message::MakeParent)?;
        if !job.exists && self.options.has(Flags::VERBOSE) {
            self.shared
                .reporter()
                .say(Message::MadeParent, &job.shown, None);
        }
        let mut level = job.into_level(walk);
        level.is_parent = true;
        level.untouched = untouched;
        level.exhausted = true;
        walk.levels.push(level);
        self.save_descriptors(walk);
        Ok(())
    }
}
