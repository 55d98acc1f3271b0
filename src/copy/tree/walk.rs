//! Going through a tree, directory after directory, without recursion and with bounded memory.
//!
//! A directory's names are read in batches and sorted by inode number (on many file systems the
//! order on disk). What is done with each name is a [`Visit`]'s business, and what is done by
//! whom the [`Pool`](super::pool::Pool)'s.

use alloc::vec::Vec;
use core::cmp::Reverse;
use core::ffi::CStr;
use core::sync::atomic::Ordering;

use super::level::{Directory, Level};
use super::task::{Item, Task};
use crate::copy::entry::Entry;
use crate::copy::path::Place;
use crate::copy::shared::Shared;
use crate::report::{During, Failure, Message, Result};
use crate::sys::{self, BorrowedFd, DirEntry, Errno, FileType};

/// How many bytes of names one batch gathers before it is copied.
const BATCH_BYTES: usize = 256 << 10;
/// How much is asked of `getdents64` at a time.
pub const DIRENT_BYTES: usize = 32 << 10;
/// So many files are read ahead where the source comes from a disk.
const AHEAD: usize = 32;
/// A directory with fewer items left than twice this is not worth sharing.
const LEAST_ITEMS: usize = 16;
/// And this where each of them is waited for.
const LEAST_AWAITED_ITEMS: usize = 1;
/// So many items are handed over where workers are to stay near each other.
const NEAR_ITEMS: usize = 4;

/// What is done with the names that a walk comes to.
pub trait Visit {
    /// Deals with one name; of a directory to go down into, gives what it has open of it.
    fn enter(&mut self, entry: &Entry<'_>) -> Option<Directory>;

    /// Reads some more of a directory's names, and gives each to `take` with whether it is to be
    /// visited.
    ///
    /// # Errors
    /// As [`sys::getdents64`]; `ENOMEM`.
    fn list(
        &mut self,
        dir: BorrowedFd<'_>,
        take: &mut dyn FnMut(&DirEntry<'_>, bool),
    ) -> sys::Result<()>;

    /// Finishes a directory: all below it is done, by whomever. Both paths are given, and as
    /// `name` the source's as calls get it.
    fn leave(&mut self, _dir: &Directory, _name: &CStr, _shown: &[&[u8]; 2]) {}

    /// Says what went wrong, of which messages show both paths so.
    fn fail(&mut self, _failure: Failure, _shown: &[&[u8]; 2]) {}

    /// Whether nothing more needs a visit.
    fn is_over(&self) -> bool {
        false
    }

    /// Whether others may take a part of the task.
    fn may_share(&mut self, _task: &mut Task) -> bool {
        false
    }

    /// Takes operands as long as there are any.
    fn take_operands(&mut self, _task: &mut Task) {}

    /// Has the kernel begin to read a regular file that will be visited soon, from a disk.
    fn read_ahead(&mut self, _file: &Place<'_>) {}
}

/// A worker on its way through its task.
pub struct Walk<'w, 'a> {
    pub shared: &'w Shared<'a>,
    pub visit: &'w mut dyn Visit,
    pub task: &'w mut Task,
}

impl Walk<'_, '_> {
    /// Visits the operand that the paths stand at, with all it holds, and lets nobody else take a
    /// part.
    pub fn visit_operand_alone(&mut self) {
        self.visit_name(FileType::Unknown, false);
        self.run();
    }

    /// Visits the operand that the paths stand at, with all it holds. `is_absent` says that
    /// nothing was found at the destination.
    pub fn visit_operand(&mut self, is_absent: bool) {
        self.task.operand_ends = (self.task.src.end().len, self.task.dst.end().len);
        self.visit_name(FileType::Unknown, is_absent);
        if !self.task.levels.is_empty() {
            self.visit_tree();
        }
    }

    /// Visits all below the levels that there are, and returns once it is done, by whomever.
    pub fn visit_tree(&mut self) {
        self.shared.pool.begin();
        self.run();
        self.shared.pool.end();
        if self.shared.pool.has_others() {
            self.take_tasks(false);
        }
    }

    /// Takes one task after the other, until none is left; whoever was started for that, until
    /// the copy ends.
    pub fn take_tasks(&mut self, is_started: bool) {
        while self.shared.pool.next(self.task, is_started) {
            if self.task.is_in_line {
                self.visit.take_operands(self.task);
            } else {
                self.run();
            }
            self.shared.pool.end();
        }
    }

    /// Walks until nothing is left of the task that this worker has to do.
    fn run(&mut self) {
        while let Some(level) = self.task.levels.last() {
            let (items_at, is_exhausted) = (level.items_at, level.dir.is_exhausted);
            let is_over = self.visit.is_over() || self.shared.is_stopped.load(Ordering::Relaxed);
            if !is_over
                && self.task.items.len() > items_at
                && let Some(item) = self.task.items.pop()
            {
                self.read_ahead();
                self.task.go_to(&item);
                self.visit_name(item.kind, false);
                self.share_items();
            } else if is_exhausted || is_over {
                self.go_up();
            } else {
                let read = self.read_names().during(Message::AccessSource);
                self.report(read);
            }
        }
    }

    /// Visits the name that the paths stand at, of the innermost level or an operand, and goes
    /// down into it.
    fn visit_name(&mut self, hint: FileType, is_absent: bool) {
        let mut entry = self.task.entry(self.shared.target.root, hint);
        entry.is_absent = is_absent;
        if let Some(dir) = self.visit.enter(&entry) {
            self.go_down(dir);
        }
    }

    /// Goes down into a directory that the paths stand at, or hands it over.
    pub fn go_down(&mut self, dir: Directory) {
        self.task.add_level(dir);
        if !self.hand_over() {
            self.close_outer();
        }
    }

    /// Hands the innermost directory, which is new, to others if they have nothing to do.
    fn hand_over(&mut self) -> bool {
        // Not the last thing to be done here: then this worker would look for work instead.
        let has_more = match &*self.task.levels {
            [.., outer, _] => !outer.dir.is_exhausted || !self.task.items.is_empty(),
            _ => false,
        };
        has_more
            && self.visit.may_share(self.task)
            && !self.is_packed()
            && self.shared.pool.has_room()
            && self.shared.pool.hand_over(self.task, 0..0)
    }

    /// Hands items to others as long as they have nothing to do: half of what is left of the
    /// outermost directory that has enough, or a few of the innermost one's.
    fn share_items(&mut self) {
        if !self.visit.may_share(self.task) {
            return;
        }
        let waits = self.shared.found.waits.load(Ordering::Relaxed);
        let least = if waits {
            LEAST_AWAITED_ITEMS
        } else {
            LEAST_ITEMS
        };
        while self.shared.pool.is_idle()
            && let Some((level, count)) = if self.is_packed() {
                self.near_part()
            } else {
                self.part(least)
            }
            && self.hand_over_part(level, count)
        {}
    }

    /// The outermost level of which at least so many items can be handed over, and how many can.
    fn part(&self, least: usize) -> Option<(usize, usize)> {
        let innermost = self.task.levels.len().checked_sub(1)?;
        let mut counts = (0..=innermost).map(|level| {
            let left = self.task.items_of(level).len();
            // Where it stands further down, it has something else to do.
            let is_outer = level < innermost;
            (level, if is_outer { left.div_ceil(2) } else { left / 2 })
        });
        counts.find(|&(_, count)| count >= least)
    }

    /// The innermost level, if it has items to be handed over, and how many of them.
    fn near_part(&self) -> Option<(usize, usize)> {
        let innermost = self.task.levels.len().checked_sub(1)?;
        let count = NEAR_ITEMS.min(self.task.items_of(innermost).len() / 2);
        (count > 0).then_some((innermost, count))
    }

    fn is_packed(&self) -> bool {
        self.shared.found.is_packed.load(Ordering::Relaxed)
    }

    /// Hands the next `count` items of a level over.
    fn hand_over_part(&mut self, level: usize, count: usize) -> bool {
        let task = &mut *self.task;
        let end = task.items_of(level).end;
        let Some(part) = task.levels.get(level).and_then(Level::part) else {
            return false;
        };
        let mut inner = task.levels.split_off(level + 1);
        task.levels.push(part);
        let is_given = self.shared.pool.hand_over(task, end - count..end);
        if is_given {
            for level in &mut inner {
                level.items_at -= count;
                level.ahead = level.ahead.saturating_sub(count);
            }
        } else {
            task.levels.pop();
        }
        task.levels.append(&mut inner);
        is_given
    }

    /// Closes the innermost of the levels that are to be closed, once the walk has gone down into
    /// one more. All those around it are closed already.
    fn close_outer(&mut self) {
        let levels = &mut *self.task.levels;
        if let [_, .., newest] = levels
            && let Some(newest) = newest.dir.any_fd()
            && let open = self.shared.open_levels(newest) as usize
            && let Some(at) = levels.len().checked_sub(open + 1)
            && let Some(level) = levels.get_mut(at)
        {
            level.dir.close();
        }
    }

    /// Has the kernel begin to read the innermost level's next files where they come from a disk, so
    /// that it has more than one thing to do at a time.
    fn read_ahead(&mut self) {
        let Task {
            levels,
            items,
            names,
            ..
        } = &mut *self.task;
        let found = &self.shared.found;
        if found.is_cold.load(Ordering::Relaxed)
            && !found.is_packed.load(Ordering::Relaxed)
            && let Some(level) = levels.last_mut()
            && let Some(src) = &level.dir.src
        {
            let least = items.len().saturating_sub(AHEAD).max(level.items_at);
            let begun = level.ahead.min(items.len());
            level.ahead = begun.min(least);
            let files = items.get(least..begun).unwrap_or_default().iter().rev();
            for item in files.filter(|item| item.kind == FileType::Regular) {
                let (dir, name) = (src.as_fd(), item.name(names));
                self.visit.read_ahead(&Place { dir, name });
            }
        }
    }

    /// Finishes the innermost level, or leaves it to others who are still below it, and returns
    /// to the one around it.
    fn go_up(&mut self) {
        let Some(level) = self.task.levels.last() else {
            return;
        };
        let is_part = level.is_part;
        self.task.items.truncate(level.items_at);
        self.task.names.truncate(level.names_at);
        self.task.src.cut(level.src_end);
        self.task.dst.cut(level.dst_end);
        let mut finished = Ok(());
        if level.node.is_some() {
            // By way of the one that is closed if it is left.
            finished = self.reopen_outer();
            if self.shared.pool.leave(self.task) {
                return self.report(finished);
            }
        }
        if let Some(level) = self.task.levels.last_mut()
            && !is_part
        {
            level.dir.open_to_finish();
        }
        // Before the finished directory's permissions may shut us out of it.
        if finished.is_ok() {
            finished = self.reopen_outer();
        }
        if self.task.levels.len() == 1 && self.task.base.is_some() {
            self.shared.pool.finish_outermost(self.task);
            if is_part {
                return;
            }
            finished = self.reopen_outer();
        }
        if let Some(level) = self.task.levels.last()
            && finished.is_ok()
        {
            let name = self.task.src.name();
            self.visit.leave(&level.dir, name, &self.task.shown());
        }
        self.report(finished);
        self.task.levels.pop();
    }

    /// Opens the level around the innermost one again, if it was closed.
    fn reopen_outer(&mut self) -> Result<()> {
        let Task {
            levels,
            items,
            src,
            dst,
            ..
        } = &mut *self.task;
        let [.., outer, level] = &mut **levels else {
            return Ok(());
        };
        let target = &self.shared.target;
        let dst = dst.shown().get(target.dst_root..).unwrap_or_default();
        let opened = outer.reopen(&level.dir, src.shown(), (target.root, dst));
        if opened.is_err() {
            // None of its names can be reached.
            outer.dir.is_exhausted = true;
            items.truncate(outer.items_at);
        }
        opened.during(Message::Return)
    }

    /// Puts the innermost level's next items on the stack, once it has none there any more.
    fn read_names(&mut self) -> sys::Result<()> {
        let Task {
            levels,
            items,
            names,
            ..
        } = &mut *self.task;
        let Some(level) = levels.last_mut() else {
            return Ok(());
        };
        names.truncate(level.names_at);
        level.ahead = usize::MAX;
        let mut listed = Ok(());
        // Whatever goes wrong, this directory is not tried again.
        level.dir.is_exhausted = true;
        while let Some(src) = &level.dir.src
            && names.len() - level.names_at < BATCH_BYTES
        {
            level.dir.is_exhausted = true;
            listed = self.visit.list(src.as_fd(), &mut |entry, is_visited| {
                level.dir.is_exhausted = false;
                level.position = entry.next_offset;
                add_name(entry, is_visited, items, names);
            });
            if level.dir.is_exhausted {
                break;
            }
        }
        sort(items.get_mut(level.items_at..).unwrap_or_default());
        match listed {
            // Removed while it was read: it holds nothing any more.
            Err(Errno::ENOENT) => Ok(()),
            listed => listed,
        }
    }

    /// Says what went wrong at the place where the paths stand.
    fn report(&mut self, result: Result<()>) {
        if let Err(failure) = result {
            self.visit.fail(failure, &self.task.shown());
        }
    }
}

/// Adds a name that a directory lists, if it is to be visited, and not its own or its parent's.
fn add_name(entry: &DirEntry<'_>, is_visited: bool, items: &mut Vec<Item>, names: &mut Vec<u8>) {
    let name = entry.name.to_bytes_with_nul();
    if is_visited && !matches!(name, b".\0" | b"..\0") {
        items.push(Item {
            ino: entry.ino,
            name_at: names.len(),
            kind: entry.kind,
        });
        names.extend_from_slice(name);
    }
}

/// Orders names by inode number, the smallest last, and those that share one as they were read,
/// as GNU does.
fn sort(items: &mut [Item]) {
    items.sort_unstable_by_key(|item| Reverse((item.ino, item.name_at)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_by_inode_number() {
        let seeds = if cfg!(miri) { 2 } else { 20 };
        for seed in 0..seeds {
            let mut items: std::vec::Vec<Item> = (0..70)
                .map(|at: usize| Item {
                    ino: (at as u64 + 1).wrapping_mul(seed * 2 + 1) % 37,
                    name_at: at,
                    kind: FileType::Regular,
                })
                .collect();
            sort(&mut items);
            // From the last one on, as they are taken.
            let taken: std::vec::Vec<_> = items.iter().rev().map(|i| (i.ino, i.name_at)).collect();
            assert!(taken.is_sorted());
        }
    }
}
