//! Trees: directory after directory, without recursion and with bounded memory.
//!
//! A directory's names are read in batches, sorted by inode number (on many file systems the
//! order on disk), and kept on one stack for all open levels. Only the innermost levels keep
//! their descriptors; an outer one is opened again through `..` when the walk comes back, and
//! checked to be the directory that it was. So neither path length nor the number of
//! descriptors limits the depth.

use core::ffi::CStr;

use super::directory::OpenDirectory;
use super::engine::{Engine, Job};
use super::failure::{During, Step};
use super::metadata::Before;
use super::path::{Cut, Path, Place, open_parts};
use crate::sys::{
    self, BorrowedFd, CWD, Errno, FileId, FileType, Mode, OFlags, OwnedFd, Stat, Vec, Whence,
    until_nul,
};

/// How many bytes of names one batch gathers before it is copied.
const BATCH_BYTES: usize = 256 << 10;
/// How much is asked of `getdents64` at a time.
const DIRENT_BYTES: usize = 32 << 10;
/// Levels that keep their two descriptors open where descriptors are scarce, and where not.
const OPEN_LEVELS_SCARCE: usize = 4;
const OPEN_LEVELS: usize = 32;
/// Fewer descriptors than this are scarce.
const SCARCE: u64 = 256;

/// A directory that the engine has made or found, to be filled.
#[derive(Debug)]
pub(super) struct Descent {
    /// The source's metadata.
    pub stat: Stat,
    /// The destination.
    pub made: FileId,
    /// What the destination was before the copy, if it existed.
    pub before: Option<Before>,
    /// The destination's mode where modes are not kept, if it is to change.
    pub otherwise: Option<Mode>,
    /// The source, open for reading; `None` while it is closed to save descriptors.
    pub src: Option<OwnedFd>,
    /// The destination, open; `None` as above.
    pub dst: Option<OpenDirectory>,
}

/// A name of a directory.
#[derive(Debug, Clone, Copy)]
struct Item {
    ino: u64,
    /// Where the name begins in [`Walk::names`]; it ends before the next NUL.
    name_at: usize,
    kind: FileType,
}

/// One level of the walk.
#[derive(Debug)]
struct Level {
    dir: Descent,
    /// How to go back to the parent's paths.
    cuts: (Cut, Cut),
    /// Where this level's items and names begin on their stacks.
    items_at: usize,
    names_at: usize,
    /// The next item.
    next: usize,
    /// Where the directory is to be read on from.
    position: u64,
    exhausted: bool,
}

/// A tree being copied. Kept between operands for its memory.
#[derive(Debug, Default)]
pub(super) struct Walk {
    src: Path,
    dst: Path,
    levels: Vec<Level>,
    items: Vec<Item>,
    names: Vec<u8>,
    /// How many levels may keep their descriptors; 0 before that was asked for.
    open_levels: usize,
}

impl Engine<'_> {
    /// Copies `src`, relative to the working directory, to `dst`, relative to the engine's
    /// root, with all it holds. `absent` says that nothing was found at `dst`. Returns whether
    /// all went well.
    pub fn copy_operand(&mut self, src: &CStr, dst: &CStr, absent: bool) -> bool {
        let mut walk = core::mem::take(&mut self.walk);
        walk.src.start(b"", src);
        self.dst_root = walk.dst.start(self.root_path, dst);
        self.operand_len = (walk.src.shown().len(), walk.dst.shown().len());
        self.first_made = None;
        self.into_itself = false;
        let cuts = (walk.src.here(), walk.dst.here());
        let mut job = new_job(walk.src.place(CWD), walk.dst.place(self.root));
        job.operand = true;
        job.absent = absent;
        let mut done = self.copy_name(&mut job);
        if let Some(dir) = job.entered {
            self.go_down(&mut walk, dir, cuts);
            done &= self.copy_tree(&mut walk);
        }
        self.walk = walk;
        done
    }

    /// Fills the innermost level's directory and everything below it.
    fn copy_tree(&mut self, walk: &mut Walk) -> bool {
        let mut done = true;
        while let Some(level) = walk.levels.last_mut() {
            if self.into_itself {
                level.exhausted = true;
                level.next = usize::MAX;
            }
            if let Some(item) = walk.items.get(level.next).copied() {
                level.next += 1;
                done &= self.copy_item(walk, item);
            } else if level.exhausted {
                done &= self.go_up(walk);
            } else {
                let read = self.read_batch(walk).during(Step::AccessSource);
                done &= self.settle(walk.src.place(CWD), walk.dst.place(CWD), read);
            }
        }
        done
    }

    /// Copies one name of the innermost level, or goes down into it.
    fn copy_item(&mut self, walk: &mut Walk, item: Item) -> bool {
        let Walk {
            src,
            dst,
            levels,
            names,
            ..
        } = walk;
        let Some(Level { dir, .. }) = levels.last() else {
            return true;
        };
        let (Some(src_dir), Some(dst_dir)) = (&dir.src, &dir.dst) else {
            return false;
        };
        let name = until_nul(names.get(item.name_at..).unwrap_or_default()).to_bytes();
        let cuts = (src.push(name), dst.push(name));
        let mut job = new_job(src.place(src_dir.as_fd()), dst.place(dst_dir.fd.as_fd()));
        job.stat.kind = item.kind;
        job.fresh = dir.before.is_none();
        job.dst_dev = dir.made.dev;
        let done = self.copy_name(&mut job);
        if let Some(dir) = job.entered {
            self.go_down(walk, dir, cuts);
        } else {
            src.pop(cuts.0);
            dst.pop(cuts.1);
        }
        done
    }

    /// Makes `dir` the innermost level, and closes the one that is now too far out.
    fn go_down(&mut self, walk: &mut Walk, dir: Descent, cuts: (Cut, Cut)) {
        self.ancestors.push(dir.stat.id);
        walk.levels.push(Level {
            dir,
            cuts,
            items_at: walk.items.len(),
            names_at: walk.names.len(),
            next: walk.items.len(),
            position: 0,
            exhausted: false,
        });
        let depth = walk.levels.len();
        if depth > OPEN_LEVELS_SCARCE
            && let Some(outer) = depth.checked_sub(1 + walk.open_levels())
            && let Some(level) = walk.levels.get_mut(outer)
        {
            level.dir.src = None;
            level.dir.dst = None;
        }
    }

    /// Finishes the innermost level and returns to the one around it.
    fn go_up(&mut self, walk: &mut Walk) -> bool {
        let Some(level) = walk.levels.pop() else {
            return true;
        };
        self.ancestors.pop();
        walk.items.truncate(level.items_at);
        walk.names.truncate(level.names_at);
        // Before the finished directory's permissions may shut us out of it.
        let back = walk
            .reopen_parent(&level, (self.root, self.dst_root))
            .during(Step::Return);
        let mut done = self.settle(walk.src.place(CWD), walk.dst.place(CWD), back);
        if level.dir.dst.is_some() {
            let parent = walk.levels.last().and_then(|l| l.dir.dst.as_ref());
            let parent = parent.map_or(self.root, |dir| dir.fd.as_fd());
            let dst = walk.dst.place(parent);
            let finished = self.finish_directory(&level.dir, dst);
            done &= self.settle(walk.src.place(CWD), dst, finished);
        }
        walk.src.pop(level.cuts.0);
        walk.dst.pop(level.cuts.1);
        done
    }

    /// Replaces the innermost level's items by the directory's next ones.
    fn read_batch(&mut self, walk: &mut Walk) -> sys::Result<()> {
        let Walk {
            levels,
            items,
            names,
            ..
        } = walk;
        let Some(level) = levels.last_mut() else {
            return Ok(());
        };
        items.truncate(level.items_at);
        names.truncate(level.names_at);
        level.next = level.items_at;
        // Whatever goes wrong here, this directory is not tried again.
        level.exhausted = true;
        let Some(src) = &level.dir.src else {
            return Ok(());
        };
        let buffer = self.data.buffer()?;
        let buffer = buffer.get_mut(..DIRENT_BYTES).unwrap_or_default();
        while names.len() - level.names_at < BATCH_BYTES {
            let entries = match sys::getdents64(src.as_fd(), buffer) {
                // Removed while it was read: it holds nothing any more.
                Err(Errno::ENOENT) => return Ok(()),
                entries => entries?,
            };
            let before = level.position;
            for entry in entries {
                level.position = entry.next_offset;
                let name = entry.name.to_bytes_with_nul();
                if !matches!(name, b".\0" | b"..\0") {
                    let name_at = names.len();
                    names.extend_from_slice(name);
                    items.push(Item {
                        ino: entry.ino,
                        name_at,
                        kind: entry.kind,
                    });
                }
            }
            if before == level.position {
                sort(items.get_mut(level.items_at..).unwrap_or_default());
                return Ok(());
            }
        }
        level.exhausted = false;
        sort(items.get_mut(level.items_at..).unwrap_or_default());
        Ok(())
    }
}

/// A job of which no more is known than its places.
fn new_job<'a>(src: Place<'a>, dst: Place<'a>) -> Job<'a> {
    Job {
        operand: false,
        fresh: false,
        absent: false,
        follow: false,
        exists: false,
        through_link: false,
        open: None,
        src,
        dst,
        dst_dev: 0,
        stat: Stat::default(),
        before: Stat::default(),
        entered: None,
    }
}

/// Orders names by inode number, by heap sort (Williams 1964): in place, n log n whatever the
/// order, and 150 bytes of code where the standard library's sorts take 2.7 KB.
fn sort(items: &mut [Item]) {
    for start in (0..items.len() / 2).rev() {
        sift_down(items, start);
    }
    for end in (1..items.len()).rev() {
        swap_ends(items.get_mut(..=end).unwrap_or_default());
        if let Some(heap) = items.get_mut(..end) {
            sift_down(heap, 0);
        }
    }
}

/// Lets the item at `at` sink below those with larger inode numbers.
fn sift_down(heap: &mut [Item], mut at: usize) {
    let ino = |heap: &[Item], at: usize| heap.get(at).map_or(0, |item| item.ino);
    loop {
        let left = 2 * at + 1;
        let larger = if ino(heap, left + 1) > ino(heap, left) {
            left + 1
        } else {
            left
        };
        if ino(heap, larger) <= ino(heap, at) {
            return;
        }
        swap_ends(heap.get_mut(at..=larger).unwrap_or_default());
        at = larger;
    }
}

/// Swaps the first item with the last. (`swap` checks its indices, and panics with text.)
fn swap_ends(items: &mut [Item]) {
    if let [first, .., last] = items {
        core::mem::swap(first, last);
    }
}

impl Walk {
    /// How many levels may keep their descriptors.
    fn open_levels(&mut self) -> usize {
        if self.open_levels == 0 {
            let scarce = sys::descriptor_limit().is_ok_and(|limit| limit < SCARCE);
            self.open_levels = if scarce {
                OPEN_LEVELS_SCARCE
            } else {
                OPEN_LEVELS
            };
        }
        self.open_levels
    }

    /// Opens the innermost level again, if it was closed, from its child that was just
    /// finished.
    fn reopen_parent(&mut self, child: &Level, root: (BorrowedFd<'_>, usize)) -> sys::Result<()> {
        let Some(parent) = self.levels.last_mut() else {
            return Ok(());
        };
        if parent.dir.dst.is_none() {
            let below = child.dir.dst.as_ref().map(|dir| &dir.fd);
            let path = self
                .dst
                .shown_at(child.cuts.1)
                .get(root.1..)
                .unwrap_or_default();
            parent.dir.dst = Some(reopen(below, root.0, path, parent.dir.made)?);
        }
        if parent.dir.src.is_none() {
            let path = self.src.shown_at(child.cuts.0);
            let src = reopen(child.dir.src.as_ref(), CWD, path, parent.dir.stat.id)?.fd;
            if !parent.exhausted {
                sys::lseek(src.as_fd(), parent.position, Whence::Set)?;
            }
            parent.dir.src = Some(src);
        }
        Ok(())
    }
}

/// Opens directory `id` again: as the parent of `child`, or by `path` from `base`. Only the
/// very directory that it was will do, so that it does not matter which way it was found.
fn reopen(
    child: Option<&OwnedFd>,
    base: BorrowedFd<'_>,
    path: &[u8],
    id: FileId,
) -> sys::Result<OpenDirectory> {
    let mut found = Stat::default();
    let mut is_it =
        |dir: &OpenDirectory| sys::stat_fd(dir.fd.as_fd(), &mut found).is_ok() && found.id == id;
    if let Some(child) = child
        && let Ok(dir) = OpenDirectory::open(child.as_fd(), c"..")
        && is_it(&dir)
    {
        return Ok(dir);
    }
    let outer = open_parts(base, path, OFlags::DIRECTORY)?;
    let dir = OpenDirectory::open(outer.as_fd(), c".")?;
    if is_it(&dir) {
        Ok(dir)
    } else {
        Err(Errno::ESTALE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_by_inode_number() {
        for len in 0..70_u64 {
            for seed in 0..20 {
                let ino = |i: u64| (i + 1).wrapping_mul(seed * 2 + 1) % 37;
                let mut items: std::vec::Vec<Item> = (0..len)
                    .map(|i| Item {
                        ino: ino(i),
                        name_at: 0,
                        kind: FileType::Regular,
                    })
                    .collect();
                let mut expected: std::vec::Vec<u64> = items.iter().map(|item| item.ino).collect();
                expected.sort_unstable();
                sort(&mut items);
                assert!(items.iter().map(|item| item.ino).eq(expected));
            }
        }
    }
}
