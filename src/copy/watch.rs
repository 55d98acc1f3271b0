//! When the first worker looks at what the copy takes, and what it saw.

use core::mem::take;
use core::sync::atomic::Ordering;

use super::path::Place;
use super::shared::Shared;
use super::workers::{Change, Choice, Few, Known, MOST_WORKERS, Measured, choose};
use crate::data::limits::{most_by_memory, usual_count};
use crate::data::plain::{self, NO_MODE};
use crate::data::route::file_systems::SQUASHFS;
use crate::data::route::is_far;
use crate::sys::{self, OFlags, Usage};

/// After so many names it looks, after twice as many again, and so on, up to so many.
const FIRST_NAMES: u32 = 2;
const MOST_NAMES: u32 = 16;

/// In less time than this, in microseconds, nothing is seen of how quick workers are.
const LEAST_LOOKED_US: u64 = 4000;
/// And this is enough, whatever was copied in it.
const MOST_LOOKED_US: u64 = 500_000;

/// More workers that did not help are tried again after so many looks, and twice as many each
/// time.
const LEAST_PATIENCE: u32 = 16;

/// Where so many bytes were read from a disk for each file, files are read ahead.
const COLD_BYTES: u64 = 5 << 10;

/// The looks of the first worker.
#[derive(Debug, Default)]
pub struct Watch {
    /// The next one is after that name, and the one after it so many later.
    next: u32,
    step: u32,
    /// Whoever was called in last is only beginning.
    is_settling: bool,
    /// Where what is measured begins.
    from: Option<Seen>,
    /// The workers before the last change, and their rate.
    before: Option<(u32, u64)>,
    /// How no more workers than processors did.
    few: Option<Few>,
    /// More than so many did not help, and are not tried again in so many looks; of so many.
    enough: u32,
    untried: u32,
    patience: u32,
    /// How many processors there are, and how many workers there may be.
    limits: Option<(u32, u32)>,
}

/// What was done and used up to some time.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at_us: u64,
    usage: Usage,
    files: u64,
    bytes: u64,
}

impl Watch {
    /// Looks, if it is time to at that name, which is `src`, whether there are to be more workers,
    /// or fewer.
    pub fn look(&mut self, names: u32, src: &Place<'_>, shared: &Shared<'_>) -> Option<Choice> {
        if names < self.next {
            return None;
        }
        let measured = self.measure(src, shared);
        let is_packed = shared.found.is_packed.load(Ordering::Relaxed);
        let choice = measured.and_then(|measured| self.choose(&measured, is_packed));
        self.is_settling |= choice.is_some();
        // Soon, as long as it is not known whether the last change was for the better.
        let step = if self.before.is_some() {
            0
        } else {
            self.step * 2
        };
        self.step = step.clamp(FIRST_NAMES, MOST_NAMES);
        self.next = names + self.step;
        choice
    }

    /// What was measured since the last time, if that is enough to tell anything, and the number of
    /// workers is to be chosen.
    fn measure(&mut self, src: &Place<'_>, shared: &Shared<'_>) -> Option<Measured> {
        let now = Seen::now(shared);
        let from = *self.from.get_or_insert(now);
        let elapsed_us = now.at_us - from.at_us;
        if elapsed_us < LEAST_LOOKED_US {
            return None;
        }
        if take(&mut self.is_settling) {
            self.from = Some(now);
            return None;
        }
        let workers = shared.pool.workers().max(1);
        let files = now.files - from.files;
        // Whether more of them are better is not seen before each has copied some.
        if self.before.is_some() && files < u64::from(workers) && elapsed_us < MOST_LOOKED_US {
            return None;
        }
        self.from = Some(now);
        let usage = now.usage.since(&from.usage);
        let reads_disk = see_source(src, files, usage.blocks_read * 512, shared);
        if !shared.options.chooses_workers() || !shared.may_hand_out() {
            return None;
        }
        let (processors, _) = self.limits();
        Some(Measured {
            workers,
            processors,
            elapsed_us,
            used_us: usage.processor_us,
            waits: usage.waits,
            preemptions: usage.preemptions,
            files,
            bytes: now.bytes - from.bytes,
            reads_disk,
        })
    }

    /// How many workers there are to be by that, if not as many as there are.
    fn choose(&mut self, measured: &Measured, is_packed: bool) -> Option<Choice> {
        let (processors, most) = self.limits();
        let mut most = MOST_WORKERS.min(most);
        if is_packed {
            most = most.min(processors);
        }
        self.untried = self.untried.saturating_sub(1);
        if self.untried > 0 {
            most = most.min(self.enough);
        }
        let known = Known {
            before: self.before.take(),
            few: self.few,
            most,
        };
        if measured.workers <= processors {
            self.few = Some(measured.added_to(self.few));
        }
        let choice = choose(measured, &known)?;
        if choice.change == Change::Waiting {
            self.before = Some((measured.workers, measured.rate()));
        } else {
            self.enough = choice.workers;
            self.patience = (self.patience * 2).max(LEAST_PATIENCE);
            self.untried = self.patience;
        }
        Some(choice)
    }

    /// No more workers than that can be had.
    pub fn limit(&mut self, workers: u32) {
        let (processors, most) = self.limits();
        self.limits = Some((processors, most.min(workers)));
    }

    /// How many processors there are, and how many workers there may be: to begin with, as many as
    /// the memory is enough for.
    fn limits(&mut self) -> (u32, u32) {
        let find = || (usual_count(), most_by_memory());
        *self.limits.get_or_insert_with(find)
    }
}

/// Sees what the source is like, by file `src` of it and how many bytes had to be read for so many
/// files; and whether they come from a disk.
fn see_source(src: &Place<'_>, files: u64, read_bytes: u64, shared: &Shared<'_>) -> bool {
    if read_bytes == 0 {
        return false;
    }
    // Not by its directory: an operand is relative to none that is open.
    let file = plain::open(src.dir, src.name, OFlags::PATH | OFlags::NOFOLLOW, NO_MODE);
    let kind = file.and_then(|file| sys::file_system_type(file.as_fd()));
    let is_packed = kind == Ok(SQUASHFS);
    let is_cold = !is_packed && read_bytes > files * COLD_BYTES;
    let found = &shared.found;
    found.is_packed.fetch_or(is_packed, Ordering::Relaxed);
    found.is_cold.fetch_or(is_cold, Ordering::Relaxed);
    // NFS counts what it reads as a disk does.
    !kind.is_ok_and(is_far)
}

impl Seen {
    fn now(shared: &Shared<'_>) -> Self {
        let (files, bytes) = shared.progress.done();
        Self {
            at_us: sys::monotonic_ns() / 1000,
            usage: Usage::now(),
            files,
            bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESSORS: u32 = 2;

    /// A watch that knows how much of the machine there is.
    fn watch(most: u32) -> Watch {
        Watch {
            limits: Some((PROCESSORS, most)),
            ..Watch::default()
        }
    }

    /// So many workers, each of which waits nearly all the time, copied so many files in a tenth of a
    /// second.
    fn waiting(workers: u32, files: u64) -> Measured {
        Measured {
            workers,
            processors: PROCESSORS,
            elapsed_us: 100_000,
            used_us: 1000,
            waits: 100 * u64::from(workers),
            files,
            ..Measured::default()
        }
    }

    fn chosen(watch: &mut Watch, measured: &Measured) -> Option<(u32, Change)> {
        let choice = watch.choose(measured, false);
        choice.map(|choice| (choice.workers, choice.change))
    }

    #[test]
    fn more_that_did_not_help_are_tried_again_after_a_while_and_then_after_twice_as_long() {
        let mut watch = watch(64);
        let mut patience = LEAST_PATIENCE;
        for _ in 0..3 {
            let more = Some((32, Change::Waiting));
            assert_eq!(chosen(&mut watch, &waiting(2, 100)), more);
            let fewer = Some((2, Change::NoGain));
            assert_eq!(chosen(&mut watch, &waiting(32, 105)), fewer);
            for look in 1..patience {
                let none = chosen(&mut watch, &waiting(2, 100));
                assert_eq!(none, None, "look {look} of {patience}");
            }
            patience *= 2;
        }
    }

    #[test]
    fn more_that_helped_stay_and_may_become_more() {
        let mut watch = watch(64);
        assert_eq!(
            chosen(&mut watch, &waiting(1, 10)),
            Some((16, Change::Waiting))
        );
        assert_eq!(
            chosen(&mut watch, &waiting(16, 100)),
            Some((64, Change::Waiting))
        );
        // Nothing is known of fewer any more once that was for the better.
        assert_eq!(chosen(&mut watch, &waiting(64, 200)), None);
        assert_eq!(chosen(&mut watch, &waiting(64, 1)), None);
    }

    #[test]
    fn there_are_no_more_than_can_be_had_or_are_worth_it() {
        let mut limited = watch(64);
        limited.limit(5);
        limited.limit(9);
        let five = Some((5, Change::Waiting));
        assert_eq!(chosen(&mut limited, &waiting(1, 10)), five);
        // Where many files share a block.
        let choice = watch(64).choose(&waiting(1, 10), true);
        assert_eq!(choice.map(|choice| choice.workers), Some(PROCESSORS));
    }
}
