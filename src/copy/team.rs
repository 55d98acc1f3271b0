//! How many workers there are, and when they are called in: found out by the first one.

use core::sync::atomic::Ordering;

use super::shared::{DESCRIPTORS_EACH, Shared};
use super::tree::task::Task;
use crate::data::plain::{self, NO_MODE};
use crate::data::processors::usual_count;
use crate::sys::{self, BorrowedFd, CWD, FileId, OFlags};

/// So many names are copied by one worker before others are called in: starting one takes as
/// long as copying three small files.
const ALONE_NAMES: u32 = 24;

/// So many workers wait for a disk together, once one has read more than [`COLD_BLOCKS`] of 512
/// bytes for [`COLD_NAMES`] names: they do not compete for processors.
pub const COLD_WORKERS: u32 = 16;
const COLD_NAMES: u32 = 64;
const COLD_BLOCKS: u64 = 640;

/// What a worker has measured, and how it calls others in.
pub struct Team<'a> {
    shared: &'a Shared<'a>,
    /// Starts so many other threads, and says how many there are: for the first worker.
    start_others: Option<&'a dyn Fn(u32) -> u32>,
    /// How many names it has met.
    names: u32,
    /// How much had been read from a disk when that was last looked at.
    blocks: u64,
}

impl<'a> Team<'a> {
    /// Nothing was measured yet.
    pub const fn new(shared: &'a Shared<'a>, start_others: Option<&'a dyn Fn(u32) -> u32>) -> Self {
        Self {
            shared,
            start_others,
            names: 0,
            blocks: 0,
        }
    }

    /// Counts a name. With that many the copy begins to take its time.
    pub fn count_name(&mut self) {
        self.names += 1;
        if self.names == ALONE_NAMES {
            self.shared.progress.begin();
        }
    }

    /// Whether others may take part in what a worker has to do; calls them in when it is time to.
    pub fn may_share(&self, task: &mut Task) -> bool {
        let options = &self.shared.options;
        if let Some(known) = task.may_share {
            return known;
        }
        if options.jobs == 0 && self.names < ALONE_NAMES {
            return false;
        }
        // Where one side lies in the other, what is read is what was written: only one
        // after the other comes out the same every time.
        let may = !options.depends_on_order() && self.call_in() && !overlaps(task);
        task.may_share = Some(may);
        may
    }

    /// Calls more workers in if files have to be waited for: looks now and then how much had to
    /// be read from a disk.
    pub fn notice_cold(&mut self) {
        let shared = self.shared;
        if self.start_others.is_none()
            || !self.names.is_multiple_of(COLD_NAMES)
            || shared.is_cold.load(Ordering::Relaxed)
        {
            return;
        }
        let blocks = sys::blocks_read();
        if blocks - self.blocks > COLD_BLOCKS {
            shared.is_cold.store(true, Ordering::Relaxed);
            if shared.options.jobs == 0 {
                self.start(COLD_WORKERS);
            }
        }
        self.blocks = blocks;
    }

    /// Starts the other workers if that was not done yet. Returns whether there are any.
    pub fn call_in(&self) -> bool {
        let shared = self.shared;
        if shared.pool.workers() == 0 {
            let mut wanted = shared.options.jobs;
            if wanted == 0 {
                wanted = usual_count();
            }
            self.start(wanted);
        }
        shared.pool.has_others()
    }

    /// Sees to it that `wanted` workers are there, as far as there may be that many.
    fn start(&self, wanted: u32) {
        let Some(start_others) = self.start_others else {
            return;
        };
        let shared = self.shared;
        let mut most = 0;
        if let Ok(probe) = plain::open(CWD, c"/", OFlags::PATH, NO_MODE) {
            most = plain::descriptors_left(probe.as_fd()) / DESCRIPTORS_EACH;
        }
        let counts = u32::from(shared.counting.is_wanted);
        if counts > 0 {
            // Whoever counts takes as many as one who copies.
            most = most.saturating_sub(1);
            shared.set_open_levels(most == 0);
        }
        let others = u64::from(wanted).min(most).saturating_sub(1);
        #[allow(clippy::cast_possible_truncation)] // no more than wanted
        let started = start_others(others as u32 + counts);
        shared.pool.set_workers(started.saturating_sub(counts) + 1);
    }
}

/// Whether the task's source lies in its destination, or the other way round; or cannot be told.
fn overlaps(task: &Task) -> bool {
    let operand = task.levels.get(task.parents).and_then(|level| {
        let dir = &level.dir;
        Some((dir.src_stat.as_ref()?.id, dir.dst_stat.as_ref()?.id))
    });
    // The outermost that is open: what lies around it, lies around the operand.
    let mut open = task.levels.iter().filter_map(|level| {
        let dir = &level.dir;
        Some((dir.src.as_ref()?.as_fd(), dir.dst.as_ref()?.as_fd()))
    });
    let (Some((src_id, dst_id)), Some((src, dst))) = (operand, open.next()) else {
        return true;
    };
    let lies_in = |dir, id| is_below(dir, &id).unwrap_or(true);
    lies_in(dst, src_id) || lies_in(src, dst_id)
}

/// Whether `dir` is directory `id` or lies below it.
fn is_below(dir: BorrowedFd<'_>, id: &FileId) -> sys::Result<bool> {
    let mut at = plain::open(dir, c".", OFlags::PATH, NO_MODE)?;
    let mut below = None;
    loop {
        let here = sys::stat_fd(at.as_fd())?.id;
        if here == *id {
            return Ok(true);
        }
        // The root is its own parent.
        if below == Some(here) {
            return Ok(false);
        }
        below = Some(here);
        at = plain::open(at.as_fd(), c"..", OFlags::PATH, NO_MODE)?;
    }
}
