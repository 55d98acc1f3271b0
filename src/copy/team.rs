//! Who takes part in a copy, and when others are called in: seen to by the first worker.

use core::sync::atomic::Ordering;

use super::options::Flags;
use super::path::Place;
use super::shared::{DESCRIPTORS_EACH, Shared};
use super::tree::task::Task;
use super::watch::Watch;
use super::workers::{Change, Choice};
use crate::data::limits::{most_by_memory, usual_count};
use crate::data::plain::{self, NO_MODE};
use crate::report::Message;
use crate::sys::{self, BorrowedFd, CWD, Errno, FileId, OFlags, decimal};

/// So many names are copied by one worker before others are called in, unless it has to wait:
/// starting one takes as long as copying three small files.
const ALONE_NAMES: u32 = 24;

/// So many operands are worth a look at what is in the destination, and at others' work; and so many
/// where each is waited for, or more workers are asked for.
pub const LEAST_OPERANDS: usize = 16;
const LEAST_AWAITED_OPERANDS: usize = 4;

/// Starts so many other threads, and says how many there are, and why no more.
pub type StartOthers<'a> = dyn Fn(u32) -> (u32, sys::Result<()>) + 'a;

/// How a worker calls others in.
pub struct Team<'a> {
    shared: &'a Shared<'a>,
    /// For the first worker.
    start_others: Option<&'a StartOthers<'a>>,
    /// How many names it has met.
    names: u32,
    watch: Watch,
}

impl<'a> Team<'a> {
    /// Nobody else was called in yet.
    pub fn new(shared: &'a Shared<'a>, start_others: Option<&'a StartOthers<'a>>) -> Self {
        Self {
            shared,
            start_others,
            names: 0,
            watch: Watch::default(),
        }
    }

    /// Counts a name, `src`. With that many the copy begins to take its time.
    pub fn count_name(&mut self, src: &Place<'_>) {
        self.names += 1;
        if self.names == ALONE_NAMES {
            self.shared.progress.begin();
        }
        // One alone is not watched: for a small file it would be two calls more.
        if self.names > 1
            && self.start_others.is_some()
            && let Some(choice) = self.watch.look(self.names, src, self.shared)
        {
            self.change(choice);
        }
    }

    /// Whether others may take part in what a worker has to do; calls them in when it is time to.
    pub fn may_share(&self, task: &mut Task) -> bool {
        let options = &self.shared.options;
        if let Some(known) = task.may_share {
            return known;
        }
        let is_early = self.names < ALONE_NAMES && self.shared.pool.workers() == 0;
        if options.chooses_workers() && is_early {
            return false;
        }
        if options.depends_on_order() || !self.call_in() {
            return false;
        }
        // Where one side lies in the other, what is read is what was written: only one
        // after the other comes out the same every time.
        let may = !overlaps(task);
        task.may_share = Some(may);
        may
    }

    /// Whether operands, of which so many are left, are to be copied in any order by all workers,
    /// whom it calls in.
    pub fn may_share_operands(&self, left: usize) -> bool {
        let shared = self.shared;
        let jobs = shared.options.jobs;
        let is_early = self.names < ALONE_NAMES && shared.pool.workers() == 0;
        let waits = shared.found.waits.load(Ordering::Relaxed);
        let least = if jobs > 1 || waits {
            LEAST_AWAITED_OPERANDS
        } else {
            LEAST_OPERANDS
        };
        if !shared.hands_out_operands() || left < least || (jobs < 2 && is_early) {
            return false;
        }
        if jobs != 1 {
            self.call_in();
        }
        true
    }

    /// Whether there are more workers than there are to be, and this one may go.
    pub fn is_superfluous(&self) -> bool {
        self.start_others.is_none() && self.shared.pool.is_crowded()
    }

    /// Starts the other workers if that was not done yet. Returns whether there are any.
    pub fn call_in(&self) -> bool {
        let shared = self.shared;
        if shared.pool.workers() == 0 {
            match shared.options.jobs {
                0 => {
                    let wanted = usual_count().min(most_by_memory());
                    self.start(wanted, b"as many as processors")
                }
                asked => self.start(asked, b"as asked for"),
            };
        }
        shared.pool.has_others()
    }

    /// Has it done by more workers, or by fewer.
    fn change(&mut self, Choice { workers, change }: Choice) {
        let why = change.name().as_bytes();
        if change == Change::Waiting {
            self.shared.found.waits.store(true, Ordering::Relaxed);
            let started = self.start(workers, why);
            if started < workers {
                self.watch.limit(started);
            }
        } else {
            if change == Change::Undoing {
                self.shared.found.is_packed.store(true, Ordering::Relaxed);
            }
            // Two at least: who is alone has nobody to hand anything to.
            self.set_workers(workers.max(2), why, None);
        }
    }

    /// Sees to it that `wanted` workers are there, as far as there may be that many. Returns how
    /// many are.
    fn start(&self, wanted: u32, why: &[u8]) -> u32 {
        let Some(start_others) = self.start_others else {
            return self.shared.pool.workers();
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
        let (started, refused) = start_others(others as u32 + counts);
        // More may have been started before.
        let workers = (started.saturating_sub(counts) + 1).min(wanted.max(1));
        if workers < wanted {
            self.set_workers(workers, b"as many as can be had", refused.err());
        } else {
            self.set_workers(workers, why, None);
        }
        workers
    }

    /// Sets how many may work at a time, and says so if that is asked for: why, and why not more.
    fn set_workers(&self, workers: u32, why: &[u8], refused: Option<Errno>) {
        self.shared.pool.set_workers(workers);
        if self.shared.options.has(Flags::DEBUG) {
            let mut number = [0; 20];
            let names = [decimal(workers.into(), &mut number), why];
            self.shared
                .reporter()
                .say(Message::TraceWorkers, &names, refused);
        }
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
