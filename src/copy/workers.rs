//! What the workers of one copy share: folders handed round, files met, the way to the user.
//!
//! Each worker walks on its own ([`Walk`]). A directory that it meets while others have nothing
//! to do, it hands over instead of going down into it. A directory is finished (times, owner,
//! mode) after everything below it: by the worker that fills it or, if what was handed over
//! takes longer, by whoever is the last one below. For that a directory with anything handed
//! over below it has a [`Node`], which counts, and to which its worker leaves it.
//!
//! What is handed over waits in a few places that are used again and again, and nodes are as
//! many as there are directories between a worker and where its work came from: memory does
//! not grow with the tree.

use core::ffi::CStr;
use core::mem::{ManuallyDrop, swap};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::engine::Engine;
use super::options::{Backup, Flags, Follow, Options};
use super::path::trim_slashes;
use super::table::{FileTable, Role};
use super::walk::{Level, OPEN_LEVELS, Walk};
use crate::data::plain::{self, NO_MODE};
use crate::data::processors::usual_count;
use crate::data::progress::Progress;
use crate::report::Reporter;
use crate::sys::{self, BorrowedFd, CWD, FileId, Guard, Latch, Mutex, OFlags, Signal, Team, Vec};

/// So many names are copied by one worker before others are called in: starting one takes as
/// long as copying three small files.
pub(super) const ALONE_NAMES: u32 = 24;

/// So many workers wait for a disk together, once one has read more than [`COLD_BLOCKS`] of 512
/// bytes for [`COLD_NAMES`] names: they do not compete for processors.
const COLD_WORKERS: u32 = 16;
const COLD_NAMES: u32 = 64;
const COLD_BLOCKS: u64 = 640;

/// With these one worker copies alone: what is asked, what a symlink in the destination leads to,
/// and which of a file's names symlinks point to depends on what came before.
const ONE_AFTER_THE_OTHER: Flags = Flags::INTERACTIVE
    .union(Flags::SYMLINK)
    .union(Flags::KEEP_DIRECTORY_SYMLINK);

/// A directory with fewer items left than twice this is not worth sharing.
const LEAST_ITEMS: usize = 16;

/// Descriptors that a worker may need at once: those of its walk, of the file it copies, of its
/// pipe and its ring, and of what it has handed over. With fewer than that one works alone, and
/// of its walk one level is open at a time; then five do.
const DESCRIPTORS_EACH: u64 = 20;

/// No node.
pub const NO_NODE: usize = usize::MAX;

/// What lasts from operand to operand, for all workers.
pub struct Shared<'a> {
    pub(super) options: Options,
    /// Whether several operands go to one directory, so that they may meet there.
    pub(super) many: bool,
    /// A directory was about to be copied into itself: nothing more of the operand is.
    pub(super) into_itself: AtomicBool,
    /// The source comes from a disk, and is to be read ahead.
    pub(super) cold: AtomicBool,
    /// Somebody watches how far the copy has come.
    watched: AtomicBool,
    /// How many workers there are; 0 before that was settled.
    count: AtomicU32,
    /// How many levels of a walk keep their descriptors; 0 before that was settled.
    open_levels: AtomicU32,
    /// How many folders wait, for a look without the lock.
    waiting: AtomicU32,
    /// The directory that operands' destinations are relative to, and its path as messages
    /// show it, empty for the working directory.
    pub(super) root: BorrowedFd<'a>,
    pool_changed: Signal,
    /// A file that a worker had set about copying is copied, or is not.
    pub(super) met_settled: Signal,
    /// The copy has ended.
    ended: Latch,
    /// Where in a destination's shown path begins what is relative to the root.
    pub(super) dst_root: usize,
    /// Who shows messages.
    reporter: &'a Mutex<dyn Reporter + Send>,
    pub(super) progress: Progress<'a>,
    pool: Mutex<Pool>,
    /// The files that are remembered.
    met: Mutex<FileTable>,
    pub(super) root_path: &'a [u8],
    /// The operands, to be counted.
    pub(super) sources: &'a [&'static CStr],
}

/// Folders on their way from one worker to another.
#[derive(Debug, Default)]
struct Pool {
    /// Walks that are to begin: the first `waiting`, of which the last one comes first. Each
    /// place keeps its memory for the next.
    places: Vec<Walk>,
    waiting: usize,
    nodes: Vec<Node>,
    /// The first node that is not in use.
    free: usize,
    /// Walks that are not at their end, those that wait included.
    active: u32,
    closed: bool,
}

/// A directory below which something was handed over.
#[derive(Debug, Default)]
struct Node {
    /// How many folders directly below it others have to finish.
    pending: u32,
    /// The node of the directory around it, once it is left; of a free one, the next that is
    /// free.
    outer: usize,
    /// The directory, once its worker has done what it had to do in it.
    levels: Vec<Level>,
}

impl<'a> Shared<'a> {
    /// For a copy that works by `options` and speaks through `reporter`.
    pub fn new(
        options: Options,
        sources: &'a [&'static CStr],
        reporter: &'a Mutex<dyn Reporter + Send>,
    ) -> Self {
        Self {
            options,
            sources,
            reporter,
            progress: Progress::new(reporter, options.has(Flags::PROGRESS)),
            watched: AtomicBool::new(!options.has(Flags::PROGRESS)),
            ended: Latch::new(),
            many: false,
            root: CWD,
            root_path: b"",
            dst_root: 0,
            met: Mutex::new(FileTable::default()),
            met_settled: Signal::new(),
            into_itself: AtomicBool::new(false),
            count: AtomicU32::new(0),
            open_levels: AtomicU32::new(0),
            cold: AtomicBool::new(false),
            pool: Mutex::new(Pool::default()),
            pool_changed: Signal::new(),
            waiting: AtomicU32::new(0),
        }
    }

    /// Makes destinations relative to `dir`, which messages show as `path`. With `many`, so
    /// many operands go there that they may meet.
    pub fn into_directory(&mut self, dir: BorrowedFd<'a>, path: &'a [u8], many: bool) {
        self.root = dir;
        self.root_path = trim_slashes(path);
        // Names in it stand behind a slash.
        self.dst_root = self.root_path.len() + usize::from(!self.root_path.ends_with(b"/"));
        self.many = many;
    }

    /// Runs `body` with the engine that operands are given to.
    pub fn run(&self, body: impl FnOnce(&mut Engine<'_>, &mut Walk)) {
        // One more may count.
        let most = self.options.jobs.max(COLD_WORKERS) + 1;
        Team::with(self, Self::work, most, |team| {
            let start_others = |count| team.start(count);
            // The program ends after it: no time or code for giving things back.
            let mut engine = ManuallyDrop::new(Engine::new(self, Some(&start_others)));
            let mut walk = ManuallyDrop::new(Walk::new());
            if self.options.has(Flags::PROGRESS) {
                // The thread that counts answers signals.
                sys::let_usr1(false);
                engine.call_in();
                if team.is_empty() {
                    self.progress.give_up_watching();
                    sys::let_usr1(true);
                }
            }
            body(&mut engine, &mut walk);
            if self.count.load(Ordering::Relaxed) > 0 {
                self.ended.open();
                self.pool.lock().closed = true;
                self.pool_changed.give();
            }
        });
    }

    /// What a worker does from its beginning to its end.
    fn work(&self) {
        let mut engine = ManuallyDrop::new(Engine::new(self, None));
        let mut walk = ManuallyDrop::new(Walk::new());
        if self.watched.swap(true, Ordering::Relaxed) {
            engine.help(&mut walk, true);
        } else {
            engine.watch(&mut walk);
        }
    }

    /// Waits until the copy has ended, or `timeout_ms` have passed. Returns whether it has.
    pub(super) fn wait_for_end(&self, timeout_ms: u64) -> bool {
        self.ended.wait(timeout_ms)
    }

    /// The way to the user.
    pub(super) fn reporter(&self) -> Guard<'_, dyn Reporter + Send> {
        self.reporter.lock()
    }

    /// The files that are remembered.
    pub(super) fn met(&self) -> Guard<'_, FileTable> {
        self.met.lock()
    }

    /// Remembers one more, with its path.
    pub(super) fn remember(&self, role: Role, id: &FileId, path: &[u8]) {
        self.met().insert(role, id, path);
    }

    /// Whether there is anybody to hand a folder to, and fewer wait than there are workers.
    pub(super) fn has_room(&self) -> bool {
        // Relaxed: only a hint.
        self.waiting.load(Ordering::Relaxed) < self.count.load(Ordering::Relaxed)
    }

    /// Whether others have nothing to do, and nothing waits for them.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0 && self.pool_changed.is_awaited()
    }

    /// How many levels of a walk keep their descriptors: one alone where there are few. The
    /// `newest` descriptor tells where that was not settled.
    pub(super) fn open_levels(&self, newest: BorrowedFd<'_>) -> u32 {
        // Relaxed: the number stands for itself.
        match self.open_levels.load(Ordering::Relaxed) {
            0 => self.settle_open_levels(plain::descriptors_left(newest) < DESCRIPTORS_EACH),
            known => known,
        }
    }

    fn settle_open_levels(&self, is_short: bool) -> u32 {
        let levels = if is_short { 1 } else { OPEN_LEVELS };
        self.open_levels.store(levels, Ordering::Relaxed);
        levels
    }

    /// Whether what there is may be counted besides: not where descriptors are few.
    pub(super) fn may_count(&self) -> bool {
        self.open_levels.load(Ordering::Relaxed) > 1
    }

    /// Whether there are other workers.
    pub(super) fn are_there(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 1
    }

    /// Hands the innermost level, which the walk's paths stand at, to whoever comes first; a part
    /// of a directory with the `part` items on the stack whose turn is last. Returns false where
    /// too many wait.
    pub(super) fn hand_over(&self, walk: &mut Walk, part: usize) -> bool {
        let mut pool = self.pool.lock();
        let pool = &mut *pool;
        let count = self.count.load(Ordering::Relaxed) as usize;
        let Some((_, outer)) = walk.levels.split_last_mut() else {
            return false;
        };
        if pool.waiting >= count {
            return false;
        }
        if pool.waiting == pool.places.len() {
            pool.places.push(Walk::new());
        }
        let base = pool.wait_below(walk.base, outer);
        if let Some(place) = pool.places.get_mut(pool.waiting) {
            place.src.copy_from(&walk.src);
            place.dst.copy_from(&walk.dst);
            place.operand = walk.operand;
            place.base = base;
            place.alone = false;
            walk.give_items(part, place);
            move_last(&mut walk.levels, &mut place.levels);
        }
        pool.waiting += 1;
        pool.active += 1;
        self.note(pool);
        // Anyone will do, the main thread too. All of 256 for each folder took fifty times as
        // long as one worker alone.
        self.pool_changed.give_to(1);
        true
    }

    /// Takes down how many folders wait.
    fn note(&self, pool: &Pool) {
        #[allow(clippy::cast_possible_truncation)] // no more than there are workers
        self.waiting.store(pool.waiting as u32, Ordering::Relaxed);
    }

    /// Leaves the innermost directory to whoever finishes the last one below it, if others are
    /// still at work there. Returns whether it did.
    pub(super) fn leave(&self, walk: &mut Walk) -> bool {
        let mut pool = self.pool.lock();
        let Some(at) = walk.levels.last().map(|level| level.node) else {
            return false;
        };
        let pending = pool.nodes.get(at).map_or(0, |node| node.pending);
        if pending == 0 {
            pool.release(at);
            return false;
        }
        let Some((level, levels)) = walk.levels.split_last_mut() else {
            return false;
        };
        // Opened again by whoever takes it: many may be left at a time.
        level.close();
        (level.items_at, level.names_at, level.node) = (0, 0, NO_NODE);
        let outer = pool.wait_below(walk.base, levels);
        if let Some(node) = pool.nodes.get_mut(at) {
            node.outer = outer;
            move_last(&mut walk.levels, &mut node.levels);
        }
        true
    }

    /// Says that the walk's outermost directory is about to be finished; takes over the one
    /// around it if that was left, and this is the last one below it.
    pub(super) fn surface(&self, walk: &mut Walk) {
        let mut pool = self.pool.lock();
        let at = walk.base;
        let Some(node) = pool.nodes.get_mut(at) else {
            return;
        };
        node.pending -= 1;
        walk.base = NO_NODE;
        if node.pending == 0 && !node.levels.is_empty() {
            walk.base = node.outer;
            // What was left, below what is about to be finished.
            swap(&mut walk.levels, &mut node.levels);
            move_last(&mut node.levels, &mut walk.levels);
            pool.release(at);
        }
        // A part is no directory of its own: the whole has its descriptors, if it is here.
        if let Some((part, outer)) = walk.levels.split_last_mut()
            && part.is_part
        {
            if let Some(whole) = outer.last_mut() {
                swap(&mut whole.src, &mut part.src);
                swap(&mut whole.dst, &mut part.dst);
            }
            let depth = outer.len();
            walk.levels.truncate(depth);
        }
    }

    /// Waits for a folder to go on with, and returns whether there is one. None is left for the main
    /// thread once no walk is active, and for others once the pool is closed.
    fn next(&self, walk: &mut Walk, is_helper: bool) -> bool {
        let mut pool = self.pool.lock();
        loop {
            if pool.waiting > 0 {
                pool.waiting -= 1;
                let at = pool.waiting;
                if let Some(place) = pool.places.get_mut(at) {
                    swap(walk, place);
                }
                self.note(&pool);
                return true;
            }
            let is_done = if is_helper {
                pool.closed
            } else {
                pool.active == 0
            };
            if is_done {
                return false;
            }
            pool = self.pool_changed.wait(pool);
        }
    }

    /// Says that a walk has come to its end.
    fn walk_ended(&self) {
        let mut pool = self.pool.lock();
        pool.active -= 1;
        if pool.active == 0 {
            self.pool_changed.give();
        }
    }
}

impl Pool {
    /// The node of the innermost of `levels`, with one folder more to wait for; the `base` where
    /// there are no levels, which waits for the walk already.
    fn wait_below(&mut self, base: usize, levels: &mut [Level]) -> usize {
        let Some(level) = levels.last_mut() else {
            return base;
        };
        if level.node == NO_NODE {
            level.node = self.free;
            if let Some(node) = self.nodes.get(level.node) {
                self.free = node.outer;
            } else {
                self.nodes.push(Node::default());
                self.free = self.nodes.len();
            }
        }
        if let Some(node) = self.nodes.get_mut(level.node) {
            node.pending += 1;
        }
        level.node
    }

    /// Puts a node away for the next that is wanted.
    fn release(&mut self, at: usize) {
        let free = self.free;
        if let Some(node) = self.nodes.get_mut(at) {
            node.outer = free;
            self.free = at;
        }
    }
}

impl Engine<'_> {
    /// Does what is to be done by anyone, until nothing is left.
    pub(super) fn help(&mut self, walk: &mut Walk, is_helper: bool) {
        while self.shared.next(walk, is_helper) {
            self.go_on(walk);
            self.shared.walk_ended();
        }
    }

    /// Walks from an operand on, and returns once all below it is copied, by whomever.
    pub(super) fn lead(&mut self, walk: &mut Walk) {
        self.shared.pool.lock().active += 1;
        self.go_on(walk);
        self.shared.walk_ended();
        if self.shared.are_there() {
            self.help(walk, false);
        }
    }

    /// Whether the innermost directory, which is new, may be handed over.
    pub(super) fn may_hand_over(&mut self, walk: &mut Walk) -> bool {
        // Not the last thing to be done here: then this worker would look for work instead.
        let has_more = match &*walk.levels {
            [.., outer, _] => !outer.exhausted || !walk.items.is_empty(),
            _ => false,
        };
        has_more && self.may_share(walk) && self.shared.has_room()
    }

    /// Hands half of the innermost directory's items over, if others have nothing to do.
    pub(super) fn share_items(&mut self, walk: &mut Walk) {
        let Some(level) = walk.levels.last() else {
            return;
        };
        let count = (walk.items.len() - level.items_at) / 2;
        if count >= LEAST_ITEMS
            && let Some(part) = level.part()
        {
            let depth = walk.levels.len();
            walk.levels.push(part);
            if !self.shared.hand_over(walk, count) {
                walk.levels.truncate(depth);
            }
        }
    }

    /// Whether others may help with the walk; calls them in when it is time to.
    pub(super) fn may_share(&mut self, walk: &mut Walk) -> bool {
        if walk.alone {
            return false;
        }
        if self.start_others.is_some() && walk.base == NO_NODE && !walk.checked {
            if self.shared.options.jobs == 0 && self.names < ALONE_NAMES {
                return false;
            }
            walk.checked = true;
            // Where one side lies in the other, what is read is what was written: only one
            // after the other comes out the same every time.
            // Through symlinks one may come to either, and round in circles. What is kept under
            // which name depends on what came before.
            walk.alone = self.options.follow == Follow::Always
                || self.options.has(ONE_AFTER_THE_OTHER)
                || self.options.backup != Backup::None
                || !self.call_in()
                || overlaps(walk);
        }
        !walk.alone
    }

    /// Calls more workers in if files have to be waited for: looks now and then how much had to
    /// be read from a disk.
    pub(super) fn notice_cold(&mut self) {
        if self.start_others.is_none()
            || !self.names.is_multiple_of(COLD_NAMES)
            || self.shared.cold.load(Ordering::Relaxed)
        {
            return;
        }
        let blocks = sys::blocks_read();
        if blocks - self.blocks > COLD_BLOCKS {
            self.shared.cold.store(true, Ordering::Relaxed);
            if self.options.jobs == 0 {
                self.start(COLD_WORKERS);
            }
        }
        self.blocks = blocks;
    }

    /// Starts the other workers if that was not done yet. Returns whether there are any.
    pub(super) fn call_in(&self) -> bool {
        if self.shared.count.load(Ordering::Relaxed) == 0 {
            let mut wanted = self.shared.options.jobs;
            if wanted == 0 {
                wanted = usual_count();
            }
            self.start(wanted);
        }
        self.shared.are_there()
    }

    /// Sees to it that `wanted` workers are there, as far as there may be that many.
    fn start(&self, wanted: u32) {
        let Some(start_others) = self.start_others else {
            return;
        };
        let mut most = 0;
        if let Ok(probe) = plain::open(CWD, c"/", OFlags::PATH, NO_MODE) {
            most = plain::descriptors_left(probe.as_fd()) / DESCRIPTORS_EACH;
        }
        let watches = u32::from(self.shared.options.has(Flags::PROGRESS));
        if watches > 0 {
            // Whoever counts takes as many as one who copies.
            most = most.saturating_sub(1);
            self.shared.settle_open_levels(most == 0);
        }
        let others = u64::from(wanted).min(most).saturating_sub(1);
        #[allow(clippy::cast_possible_truncation)] // no more than wanted
        let started = start_others(others as u32 + watches);
        // Relaxed: whoever is started reads it under the lock, or as a hint.
        let count = started.saturating_sub(watches) + 1;
        self.shared.count.store(count, Ordering::Relaxed);
    }
}

/// Moves a level from one stack to another. It is what those who have it do not share.
fn move_last(from: &mut Vec<Level>, to: &mut Vec<Level>) {
    if let Some(level) = from.pop() {
        to.push(level);
    }
}

/// Whether the walk's source lies in its destination, or the other way round; or cannot be told.
fn overlaps(walk: &Walk) -> bool {
    let Some(operand) = walk.levels.get(walk.parents) else {
        return true;
    };
    // The outermost that is open: what lies around it, lies around the operand.
    for level in &*walk.levels {
        if let (Some(src), Some(dst)) = (&level.src, &level.dst) {
            return is_below(dst.as_fd(), &operand.stat.id).unwrap_or(true)
                || is_below(src.as_fd(), &operand.before.id).unwrap_or(true);
        }
    }
    true
}

/// Whether `dir` is directory `id` or lies below it.
fn is_below(dir: BorrowedFd<'_>, id: &FileId) -> sys::Result<bool> {
    let mut at = plain::open(dir, c".", OFlags::PATH, NO_MODE)?;
    let mut stat = sys::Stat::default();
    loop {
        let before = stat.id;
        sys::stat_fd(at.as_fd(), &mut stat)?;
        if stat.id == *id {
            return Ok(true);
        }
        if stat.id == before {
            return Ok(false);
        }
        at = plain::open(at.as_fd(), c"..", OFlags::PATH, NO_MODE)?;
    }
}
