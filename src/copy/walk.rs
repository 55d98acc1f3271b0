//! Trees: directory after directory, without recursion and with bounded memory.
//!
//! A directory's names are read in batches, sorted by inode number (on many file systems the
//! order on disk), and kept on one stack for all open levels. Only the innermost levels keep
//! their descriptors; an outer one is opened again through `..` when the walk comes back, and
//! checked to be the directory that it was. So neither path length nor the number of
//! descriptors limits the depth.

use core::cell::Cell;
use core::ffi::CStr;
use core::sync::atomic::Ordering;

use super::engine::{Engine, Job};
use super::held;
use super::path::{End, Path, Place, open_parent};
use super::workers::{ALONE_NAMES, NO_NODE};
use crate::data::plain::{self, NO_MODE};
use crate::report::{During, Message, Result};
use crate::sys::{
    self, BorrowedFd, CWD, Errno, FileId, FileType, Mode, OFlags, OwnedFd, Stat, Vec, Whence,
    until_nul,
};

/// How many bytes of names one batch gathers before it is copied.
const BATCH_BYTES: usize = 256 << 10;
/// How much is asked of `getdents64` at a time.
pub(super) const DIRENT_BYTES: usize = 32 << 10;
/// So many files are read ahead where the source comes from a disk.
const AHEAD: usize = 32;
/// Levels that keep their two descriptors, where there are enough. Few directories have something
/// this far below them, so that opening one again is rare.
pub(super) const OPEN_LEVELS: u32 = 4;

/// A name of a directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    ino: u64,
    /// Where the name begins in [`Walk::names`]; it ends before the next NUL.
    name_at: usize,
    kind: FileType,
}

/// One level of the walk: a directory that the engine has made or found, being filled.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // it has many properties
pub(super) struct Level {
    /// The source, open for reading; `None` while it is closed to save descriptors, and where
    /// it could not be opened.
    pub src: Option<OwnedFd>,
    /// The destination, open for passing through; `None` while it is closed.
    pub dst: Option<OwnedFd>,
    /// It is open for reading.
    pub is_readable: bool,
    /// The directory's own paths.
    pub src_end: End,
    pub dst_end: End,
    /// Where this level's items and names begin on their stacks.
    pub items_at: usize,
    pub names_at: usize,
    /// It is a part of a directory that others finish.
    pub is_part: bool,
    /// It leads to an operand, which is all that it holds; the source is not open.
    pub is_parent: bool,
    /// It is not to be given any metadata.
    pub untouched: bool,
    /// Its node, if something below it was handed over ([`super::workers`]).
    pub node: usize,
    /// The first of its items on the stack that was read ahead.
    pub ahead: usize,
    /// Where the directory is to be read on from.
    pub position: u64,
    pub exhausted: bool,
    /// Whether the destination was there before.
    pub existed: bool,
    /// The destination's mode where modes are not kept, if it is to change.
    pub otherwise: Option<Mode>,
    /// The source's metadata.
    pub stat: Stat,
    /// The destination's, from when it was entered.
    pub before: Stat,
}

/// A tree, or a part of one, being copied by one worker. Kept for its memory.
#[derive(Debug)]
pub struct Walk {
    pub(super) levels: Vec<Level>,
    /// What is still to be copied, the next last.
    pub(super) items: Vec<Item>,
    pub(super) names: Vec<u8>,
    /// The node of the directory around the first level, or [`NO_NODE`].
    pub(super) base: usize,
    /// It was found out whether anything of the operand may be handed over.
    pub(super) checked: bool,
    /// Nothing may.
    pub(super) alone: bool,
    pub(super) src: Path,
    pub(super) dst: Path,
    /// How long the operand's paths are.
    pub(super) operand: (usize, usize),
    /// How many levels lead to the operand.
    pub(super) parents: usize,
}

impl Engine<'_> {
    /// Copies `src`, relative to the working directory, to `dst`, relative to the engine's
    /// root, with all it holds. `absent` says that nothing was found at `dst`.
    pub fn copy_operand(&mut self, walk: &mut Walk, src: &CStr, dst: &CStr, absent: bool) {
        self.begin_operand(walk);
        walk.src.start(b"", src.to_bytes());
        walk.dst.start(self.shared.root_path, dst.to_bytes());
        self.copy_operand_here(walk, absent);
    }

    /// Forgets the operand before.
    pub(super) fn begin_operand(&self, walk: &mut Walk) {
        walk.base = NO_NODE;
        walk.parents = 0;
        walk.checked = false;
        walk.alone = false;
        // Relaxed: whatever other workers do for this operand, they take over under a lock.
        self.shared.into_itself.store(false, Ordering::Relaxed);
    }

    /// Copies the operand that the paths stand at, with all it holds.
    pub(super) fn copy_operand_here(&mut self, walk: &mut Walk, absent: bool) {
        walk.operand = (walk.src.end().len, walk.dst.end().len);
        self.copy_here(walk, FileType::Unknown, absent);
        if !walk.levels.is_empty() {
            self.lead(walk);
        }
    }

    /// Walks on until nothing is left that this worker has to do.
    pub(super) fn go_on(&mut self, walk: &mut Walk) {
        while let Some(level) = walk.levels.last() {
            let into_itself = self.shared.into_itself.load(Ordering::Relaxed);
            if !into_itself
                && walk.items.len() > level.items_at
                && let Some(item) = walk.items.pop()
            {
                if self.shared.cold.load(Ordering::Relaxed) && self.watch.is_none() {
                    self.read_ahead(walk);
                }
                let Some(level) = walk.levels.last() else {
                    return;
                };
                let name = until_nul(walk.names.get(item.name_at..).unwrap_or_default());
                walk.src.push(level.src_end, name.to_bytes());
                walk.dst.push(level.dst_end, name.to_bytes());
                self.copy_here(walk, item.kind, false);
                self.notice_cold();
                if self.may_share(walk) && self.shared.is_idle() {
                    self.share_items(walk);
                }
            } else if level.exhausted || into_itself {
                self.go_up(walk);
            } else {
                let read = self.read_batch(walk).during(Message::AccessSource);
                self.settle(&walk.shown(), read);
            }
        }
    }

    /// Copies the name that the paths stand at, of the innermost level or an operand, or goes
    /// down into it.
    pub(super) fn copy_here(&mut self, walk: &mut Walk, kind: FileType, absent: bool) {
        self.names += 1;
        if self.names == ALONE_NAMES {
            self.shared.progress.begin();
        }
        let mut job = Job::new(walk, self.shared.root, kind);
        job.absent = absent;
        // Opened again, and in vain.
        if let Some(level) = walk.levels.last()
            && (level.dst.is_none() || (level.src.is_none() && !level.is_parent))
        {
            return;
        }
        if self.watch.is_some() {
            self.count(&mut job);
        } else {
            self.data_opened = false;
            self.copy_name(&mut job);
            if job.stat.kind == FileType::Regular && !self.data_opened {
                self.shared.progress.open(job.stat.size_bytes, false);
            }
            if job.stat.kind != FileType::Directory {
                self.shared.progress.finished();
            }
        }
        if job.made.is_some() {
            let level = job.into_level(walk);
            walk.levels.push(level);
            if self.may_hand_over(walk) && self.shared.hand_over(walk, 0) {
                return;
            }
            self.save_descriptors(walk);
        }
    }

    /// Closes the innermost of the levels that are to be closed, once the walk has gone down into
    /// one more. All those around it are closed already.
    pub(super) fn save_descriptors(&self, walk: &mut Walk) {
        let depth = walk.levels.len();
        let newest = walk.levels.last().and_then(|level| level.dst.as_ref());
        if depth > 1
            && let Some(newest) = newest
            && let open = self.shared.open_levels(newest.as_fd()) as usize
            && let Some(at) = depth.checked_sub(open + 1)
            && let Some(level) = walk.levels.get_mut(at)
        {
            level.close();
        }
    }

    /// Has the kernel begin to read the innermost level's next files, so that a disk has more than
    /// one thing to do at a time.
    fn read_ahead(&mut self, walk: &mut Walk) {
        let Some(level) = walk.levels.last_mut() else {
            return;
        };
        let next = walk.items.len();
        let least = next.saturating_sub(AHEAD).max(level.items_at);
        level.ahead = level.ahead.min(next);
        while level.ahead > least {
            level.ahead -= 1;
            if let Some(item) = walk.items.get(level.ahead)
                && item.kind == FileType::Regular
                && let Some(dir) = &level.src
            {
                let name = until_nul(walk.names.get(item.name_at..).unwrap_or_default());
                let dir = dir.as_fd();
                // Advice only: whatever goes wrong, goes wrong again when it matters.
                if let Ok(file) = self.open_listed(&Place { dir, name }) {
                    let _ = sys::fadvise_will_need(file.as_fd(), 0..0);
                }
            }
        }
    }

    /// Opens what its directory lists as a regular file, if it is one.
    fn open_listed(&mut self, place: &Place<'_>) -> sys::Result<OwnedFd> {
        if self.opener.is_missing() {
            return held::open_listed(place);
        }
        let mut stat = Stat::default();
        let held = held::hold(place, false, &mut stat)?;
        if stat.kind == FileType::Regular {
            self.opener.open(&held, OFlags::RDONLY)
        } else {
            Err(Errno::ESTALE)
        }
    }

    /// Finishes the innermost level, or leaves it to others who are still below it, and returns
    /// to the one around it.
    fn go_up(&mut self, walk: &mut Walk) {
        let Some(level) = walk.levels.last() else {
            return;
        };
        walk.items.truncate(level.items_at);
        walk.names.truncate(level.names_at);
        walk.src.cut(level.src_end);
        walk.dst.cut(level.dst_end);
        let mut finished = Ok(());
        if level.node != NO_NODE {
            // By way of the one that is closed if it is left.
            finished = self.open_outer(walk);
            if self.shared.leave(walk) {
                return self.settle(&walk.shown(), finished);
            }
        }
        if self.watch.is_none()
            && let Some(level) = walk.levels.last_mut()
        {
            level.open_to_finish();
        }
        // Before the finished directory's permissions may shut us out of it.
        if finished.is_ok() {
            finished = self.open_outer(walk);
        }
        if walk.levels.len() == 1 && walk.base != NO_NODE {
            let is_part = walk.levels.last().is_some_and(|level| level.is_part);
            self.shared.surface(walk);
            if is_part {
                return;
            }
            finished = self.open_outer(walk);
        }
        let Some((level, outer)) = walk.levels.split_last() else {
            return;
        };
        if finished.is_ok()
            && self.watch.is_none()
            && !level.untouched
            && let Some(dir) = &level.dst
        {
            finished = self.finish_directory(walk, level, dir.as_fd());
        }
        self.settle(&walk.shown(), finished);
        let depth = outer.len();
        walk.levels.truncate(depth);
    }

    /// Opens the level around the innermost one again, if it was closed.
    fn open_outer(&self, walk: &mut Walk) -> Result<()> {
        let shared = self.shared;
        let [.., outer, level] = &mut *walk.levels else {
            return Ok(());
        };
        let dst = walk.dst.shown().get(shared.dst_root..).unwrap_or_default();
        outer
            .reopen(level, walk.src.shown(), (shared.root, dst))
            .during(Message::Return)
    }

    /// Puts the innermost level's next items on the stack, once it has none there any more.
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
        names.truncate(level.names_at);
        // Whatever goes wrong here, this directory is not tried again.
        level.exhausted = true;
        let Some(src) = &level.src else {
            return Ok(());
        };
        level.ahead = usize::MAX;
        let buffer = self.data.buffer()?;
        let buffer = buffer.get_mut(..DIRENT_BYTES).unwrap_or_default();
        let mut read = Ok(());
        while names.len() - level.names_at < BATCH_BYTES {
            level.exhausted = true;
            match sys::getdents64(src.as_fd(), buffer) {
                Ok(entries) => {
                    for entry in entries {
                        level.exhausted = false;
                        level.position = entry.next_offset;
                        let name = entry.name.to_bytes_with_nul();
                        if let Some(watch) = &mut self.watch
                            && watch.passes_over(entry.kind)
                        {
                            continue;
                        }
                        if !matches!(name, b".\0" | b"..\0") {
                            items.push(Item {
                                ino: entry.ino,
                                name_at: names.len(),
                                kind: entry.kind,
                            });
                            names.extend_from_slice(name);
                        }
                    }
                }
                // Removed while it was read: it holds nothing any more.
                Err(Errno::ENOENT) => {}
                Err(errno) => read = Err(errno),
            }
            if level.exhausted {
                break;
            }
        }
        sort(items.get_mut(level.items_at..).unwrap_or_default());
        read
    }
}

/// Orders names by inode number, the smallest last, and those that share one as they were read,
/// as GNU does, by Shell's sort with Knuth's gaps (TAOCP
/// 5.2.1): in place, n^1.5 at worst, and a tenth of the code of the standard library's.
fn sort(items: &mut [Item]) {
    let items = Cell::from_mut(items).as_slice_of_cells();
    let mut gap = 1;
    while gap < items.len() {
        gap = 3 * gap + 1;
    }
    while gap > 0 {
        for start in gap..items.len() {
            let mut at = start;
            while let Some(a) = items.get(at.wrapping_sub(gap))
                && let Some(b) = items.get(at)
                && (a.get().ino, a.get().name_at) < (b.get().ino, b.get().name_at)
            {
                let held = a.get();
                a.set(b.get());
                b.set(held);
                at -= gap;
            }
        }
        gap /= 3;
    }
}

impl Walk {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self {
            src: Path::default(),
            dst: Path::default(),
            levels: Vec::new(),
            items: Vec::new(),
            names: Vec::new(),
            operand: (0, 0),
            parents: 0,
            base: NO_NODE,
            checked: false,
            alone: false,
        }
    }

    /// Both paths, as messages show them.
    pub(super) fn shown(&self) -> [&[u8]; 2] {
        [self.src.shown(), self.dst.shown()]
    }

    /// Moves the next `count` items of the level around the innermost one to `part`, with the
    /// level's names; the innermost one is to go with them.
    pub(super) fn give_items(&mut self, count: usize, part: &mut Self) {
        part.items.clear();
        part.names.clear();
        let [.., level, of_part] = &mut *self.levels else {
            return;
        };
        (of_part.items_at, of_part.names_at) = (0, 0);
        if count == 0 {
            return;
        }
        let left = self.items.len() - count;
        let given = self.items.get(left..).unwrap_or_default();
        part.items.extend_from_slice(given);
        for item in &mut *part.items {
            item.name_at -= level.names_at;
        }
        let names = self.names.get(level.names_at..).unwrap_or_default();
        part.names.extend_from_slice(names);
        self.items.truncate(left);
    }
}

impl Job<'_> {
    /// The name that the walk's paths stand at; an operand is relative to the working directory
    /// and to `root`, or the directory that leads to it.
    pub(super) fn new<'a>(walk: &'a Walk, root: BorrowedFd<'a>, kind: FileType) -> Job<'a> {
        let (mut src_dir, mut dst_dir) = (CWD, root);
        let (mut fresh, mut dst_dev) = (false, 0);
        if let Some(level) = walk.levels.last() {
            src_dir = level.src.as_ref().map_or(CWD, OwnedFd::as_fd);
            dst_dir = level.dst.as_ref().map_or(root, OwnedFd::as_fd);
            (fresh, dst_dev) = (!level.existed, level.before.id.dev);
        }
        let mut job = Job {
            operand: walk.levels.len() == walk.parents && walk.base == NO_NODE,
            fresh,
            absent: false,
            follow: false,
            exists: false,
            through_link: false,
            backed_up: false,
            shallow: false,
            held: None,
            open: None,
            made: None,
            src: walk.src.place(src_dir),
            dst: walk.dst.place(dst_dir),
            shown: walk.shown(),
            dst_dev,
            otherwise: None,
            link: FileId::default(),
            copy: None,
            outer: &walk.levels,
            operand_ends: walk.operand,
            stat: Stat::default(),
            before: Stat::default(),
        };
        job.stat.kind = kind;
        job
    }

    /// The level of a directory whose copy is open.
    pub(super) fn into_level(self, walk: &Walk) -> Level {
        Level {
            src: self.open,
            dst: self.made,
            is_readable: false,
            src_end: walk.src.end(),
            dst_end: walk.dst.end(),
            items_at: walk.items.len(),
            names_at: walk.names.len(),
            is_part: false,
            is_parent: false,
            untouched: false,
            node: NO_NODE,
            ahead: usize::MAX,
            position: 0,
            exhausted: self.shallow,
            existed: self.exists,
            otherwise: self.otherwise,
            stat: self.stat,
            before: self.before,
        }
    }
}

impl Level {
    /// A part of this directory, for items of it; `None` where descriptors are short.
    pub(super) fn part(&self) -> Option<Self> {
        let (Some(src), Some(dst)) = (&self.src, &self.dst) else {
            return None;
        };
        Some(Self {
            src: Some(sys::duplicate_from(src.as_fd(), 3).ok()?),
            dst: Some(sys::duplicate_from(dst.as_fd(), 3).ok()?),
            is_part: true,
            node: NO_NODE,
            ahead: usize::MAX,
            exhausted: true,
            ..*self
        })
    }

    /// Saves two descriptors for a while.
    pub(super) fn close(&mut self) {
        self.src = None;
        self.dst = None;
        self.is_readable = false;
    }

    /// Opens the destination for all that finishing it takes, if it may be read: in place of what
    /// was open of it, so that it takes no descriptor more.
    fn open_to_finish(&mut self) {
        if !self.untouched
            && !self.is_part
            && let Some(dst) = &self.dst
            && let Ok(open) = plain::open(dst.as_fd(), c".", OFlags::DIRECTORY, NO_MODE)
        {
            self.dst = Some(open);
            self.is_readable = true;
        }
    }

    /// Opens both sides again, if they were closed, from the level below, which is just
    /// finished and whose paths are given.
    fn reopen(
        &mut self,
        below: &Self,
        src: &[u8],
        (root, dst): (BorrowedFd<'_>, &[u8]),
    ) -> sys::Result<()> {
        if self.dst.is_some() {
            return Ok(());
        }
        let mut opened = Ok(());
        if !self.is_parent {
            // First, as it is this one that may take more descriptors: where a source's directory
            // may not be passed through.
            opened = self.reopen_source(below.src.as_ref(), src);
        }
        let id = &self.before.id;
        self.dst = Some(reopen(below.dst.as_ref(), root, dst, OFlags::PATH, id)?);
        opened
    }

    /// As [`Self::reopen`], of the source alone.
    fn reopen_source(&mut self, below: Option<&OwnedFd>, path: &[u8]) -> sys::Result<()> {
        let src = reopen(below, CWD, path, OFlags::empty(), &self.stat.id)?;
        sys::lseek(src.as_fd(), self.position, Whence::Set)?;
        self.src = Some(src);
        Ok(())
    }
}

/// Opens directory `id` again: as the parent of `below`, or by the `path` of a name in it from
/// `base`. Only the very directory that it was will do, so that it does not matter which way
/// it was found.
fn reopen(
    below: Option<&OwnedFd>,
    base: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    id: &FileId,
) -> sys::Result<OwnedFd> {
    if let Some(below) = below
        && let Ok(dir) = open_same(below.as_fd(), c"..", flags, id)
    {
        return Ok(dir);
    }
    open_same(open_parent(base, path)?.as_fd(), c".", flags, id)
}

/// Opens a directory if it is `id`.
pub(super) fn open_same(
    dir: BorrowedFd<'_>,
    name: &CStr,
    flags: OFlags,
    id: &FileId,
) -> sys::Result<OwnedFd> {
    let dir = plain::open(dir, name, flags | OFlags::DIRECTORY, NO_MODE)?;
    let mut found = Stat::default();
    sys::stat_fd(dir.as_fd(), &mut found)?;
    if found.id == *id {
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
                expected.sort_unstable_by(|a, b| b.cmp(a));
                sort(&mut items);
                assert!(items.iter().map(|item| item.ino).eq(expected));
            }
        }
    }
}
