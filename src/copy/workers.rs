//! How many workers a copy is worth, by what those that there are have measured.
//!
//! A worker either uses a processor or waits in a call: for a disk, or for a file system that lies
//! far away. If it uses one for a tenth of its time, ten of them keep one busy. How long a wait is
//! and what for does not matter, so that no kind of file system is a case of its own.
//!
//! Others compete for processors as well, and who waits for a processor waits in no call. And what
//! is waited for may have a limit of its own (one disk's head, one lock): then more workers copy no
//! more, which is found out by having them for a while. Or they undo each other's work: where many
//! small files are packed in one block (squashfs), workers far from each other have the same blocks
//! unpacked again and again. By the time that takes it is hard to tell, as no two parts of a tree
//! are alike; but they use the processors for much longer for each file than few did.

/// The most that are called in without being asked for.
pub const MOST_WORKERS: u32 = 64;

/// At most so many times as many as there are: whether that helps is seen before there are more.
const MOST_TIMES: u32 = 16;
/// And so many where a disk is read: its first blocks are waited for longest, and bring what others
/// ask for.
const MOST_TIMES_DISK: u32 = 2;

/// Processors that are in use for more than this share of the time are busy.
const BUSY_PERCENT: u64 = 60;

/// So long was waited at least, in microseconds, for more workers to be worth their beginning.
const LEAST_WAITED_US: u64 = 1000;

/// A wait that is shorter on the average, in microseconds, is one for a lock.
const LEAST_WAIT_US: u64 = 40;

/// Who loses its processor once in so many waits competes for it.
const WAITS_FOR_A_PREEMPTION: u64 = 4;

/// Who uses processors for so many times as long as few workers did, for the same, undoes others' work.
const MOST_USED_TIMES: u64 = 2;
/// If processors are in use for this share of the time: else nobody can copy (a server is away).
const USED_PERCENT: u64 = 30;

/// More workers have to copy so much more, in percent, to stay.
const LEAST_GAIN_PERCENT: u64 = 10;

/// What all workers together have measured for a while.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measured {
    /// How many workers there are.
    pub workers: u32,
    /// How many processors there are for them.
    pub processors: u32,
    /// How long it took, in microseconds.
    pub elapsed_us: u64,
    /// How long they used processors, in microseconds: the sum of all.
    pub used_us: u64,
    /// How often they had to wait.
    pub waits: u64,
    /// How often they lost their processors.
    pub preemptions: u64,
    /// How many files they copied.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blocks had to be read from a disk.
    pub reads_disk: bool,
}

/// What was found out before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// There were fewer workers, so many, and this was their [`Measured::rate`].
    pub before: Option<(u32, u64)>,
    /// How no more workers than processors did.
    pub few: Option<Few>,
    /// There may be no more than so many.
    pub most: u32,
}

/// How few workers did, on the average.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Few {
    /// See [`Measured::used_each_ns`].
    pub used_each_ns: u64,
    /// See [`Measured::rate`].
    pub rate: u64,
}

/// Why there are to be more workers, or fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// More: they wait.
    Waiting,
    /// Fewer: more did not help.
    NoGain,
    /// Fewer: more undo each other's work.
    Undoing,
}

/// How many workers there are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// So many.
    pub workers: u32,
    /// Why.
    pub change: Change,
}

impl Change {
    /// What `--debug` says of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "as each waits most of the time",
            Self::NoGain => "as more were not quicker",
            Self::Undoing => "as more used processors for longer",
        }
    }
}

impl Measured {
    /// How much was copied: files, and their bytes as so many files as take as long.
    const fn amount(&self) -> u64 {
        self.files + (self.bytes >> 16)
    }

    /// How much was copied in a second.
    #[must_use]
    pub fn rate(&self) -> u64 {
        self.amount() * 1_000_000 / self.elapsed_us.max(1)
    }

    /// For how long processors were used for each file, in nanoseconds.
    #[must_use]
    pub fn used_each_ns(&self) -> u64 {
        self.used_us * 1000 / self.amount().max(1)
    }

    /// Whether processors are in use for so much of the time.
    const fn uses(&self, percent: u64) -> bool {
        self.used_us * 100 >= self.processors_us() * percent
    }

    /// Whether more is copied than at that rate, by as much as more workers have to copy.
    fn is_quicker_than(&self, rate: u64) -> bool {
        self.rate() * 100 >= rate * (100 + LEAST_GAIN_PERCENT)
    }

    /// What it is together with what `few` did before: no two parts of a tree are alike, so all
    /// count, the last ones most.
    #[must_use]
    pub fn added_to(&self, few: Option<Few>) -> Few {
        let (used_each_ns, rate) = (self.used_each_ns(), self.rate());
        few.map_or(Few { used_each_ns, rate }, |few| Few {
            used_each_ns: few.used_each_ns.midpoint(used_each_ns),
            rate: few.rate.midpoint(rate),
        })
    }

    /// Whether workers wait in calls, for long enough, and processors have time for more.
    fn waits_long(&self) -> bool {
        let waited_us = (self.elapsed_us * u64::from(self.workers)).saturating_sub(self.used_us);
        let competes = self.preemptions * WAITS_FOR_A_PREEMPTION > self.waits;
        let is_long = waited_us >= LEAST_WAITED_US.max(self.waits * LEAST_WAIT_US);
        is_long && !self.uses(BUSY_PERCENT) && !competes
    }

    /// How much time the processors had, in microseconds.
    const fn processors_us(&self) -> u64 {
        self.elapsed_us * self.processors as u64
    }
}

/// Chooses, once enough was measured to tell. `None` is as many as there are.
#[must_use]
pub fn choose(measured: &Measured, known: &Known) -> Option<Choice> {
    let (now, processors) = (measured.workers, measured.processors);
    let to = |workers, change| Some(Choice { workers, change });
    if let Some(few) = known.few
        && now > processors
        && measured.uses(USED_PERCENT)
        && !measured.is_quicker_than(few.rate)
        && measured.used_each_ns() > few.used_each_ns * MOST_USED_TIMES
    {
        return to(processors, Change::Undoing);
    }
    if let Some((fewer, rate)) = known.before
        && fewer < now
        && !measured.is_quicker_than(rate)
    {
        return to(fewer, Change::NoGain);
    }
    let most_times = if measured.reads_disk {
        MOST_TIMES_DISK
    } else {
        MOST_TIMES
    };
    let most = known.most.min(now.saturating_mul(most_times));
    let enough = u64::from(now) * measured.processors_us() / measured.used_us.max(1);
    let enough = u32::try_from(enough).map_or(most, |enough| enough.min(most));
    // A little more is not worth the change.
    if measured.waits_long() && enough * 2 > now * 3 {
        return to(enough, Change::Waiting);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two processors; 100 ms, in which so many workers copied 100 small files, used processors for
    /// so many milliseconds, waited and lost their processors so often.
    const fn measured(workers: u32, used_ms: u64, waits: u64, preemptions: u64) -> Measured {
        Measured {
            workers,
            processors: 2,
            elapsed_us: 100_000,
            used_us: used_ms * 1000,
            waits,
            preemptions,
            files: 100,
            bytes: 100 * 6000,
            reads_disk: false,
        }
    }

    /// What is chosen where nothing was found out before.
    fn first(measured: &Measured) -> Option<(u32, Change)> {
        after(None, 64, measured)
    }

    fn after(before: Option<(u32, u64)>, most: u32, measured: &Measured) -> Option<(u32, Change)> {
        let known = Known {
            before,
            most,
            few: None,
        };
        let chosen = choose(measured, &known);
        chosen.map(|choice| (choice.workers, choice.change))
    }

    #[test]
    fn workers_that_wait_are_joined_by_so_many_that_processors_are_in_use() {
        for (workers, used_ms, waits, expected) in [
            // One that has a processor all the time, or most of it.
            (1, 100, 0, None),
            (1, 100, 100, None),
            (2, 150, 100, None),
            (2, 120, 400, None),
            // Half of the time: three more would have no more than the two processors.
            (1, 50, 100, Some(4)),
            (2, 100, 100, Some(4)),
            // A tenth.
            (1, 10, 200, Some(16)),
            (16, 10, 2000, Some(64)),
            (2, 20, 200, Some(20)),
            (20, 110, 2000, Some(36)),
            // Next to nothing, nothing at all: no more than 16 times as many, and 64 in all.
            (1, 1, 100, Some(16)),
            (1, 0, 100, Some(16)),
            (3, 0, 100, Some(48)),
            (16, 1, 1000, Some(64)),
            (64, 1, 4000, None),
            (200, 1, 4000, None),
            // A few more are not worth it.
            (12, 110, 2000, Some(21)),
            (16, 135, 2000, None),
            // Waits of less than 40 us are for locks.
            (1, 50, 1249, Some(4)),
            (1, 50, 1251, None),
        ] {
            let found = first(&measured(workers, used_ms, waits, 0));
            let expected = expected.map(|count| (count, Change::Waiting));
            assert_eq!(found, expected, "{workers} {used_ms} {waits}");
        }
    }

    #[test]
    fn who_competes_for_processors_does_not_wait() {
        let waits = 100;
        for (preemptions, expected) in [(0, Some(4)), (25, Some(4)), (26, None), (200, None)] {
            let found = first(&measured(1, 50, waits, preemptions));
            assert_eq!(found.map(|(count, _)| count), expected, "{preemptions}");
        }
    }

    #[test]
    fn a_short_wait_is_none() {
        let short = |elapsed_us, used_us| Measured {
            elapsed_us,
            used_us,
            ..measured(1, 0, 4, 0)
        };
        assert_eq!(first(&short(2000, 1001)), None);
        assert_eq!(first(&short(2000, 900)), Some((4, Change::Waiting)));
    }

    #[test]
    fn where_a_disk_is_read_they_become_more_step_by_step() {
        for (workers, expected) in [(1, Some(2)), (2, Some(4)), (40, Some(64)), (64, None)] {
            let measured = Measured {
                reads_disk: true,
                ..measured(workers, 1, 100 * u64::from(workers), 0)
            };
            let found = first(&measured).map(|(count, _)| count);
            assert_eq!(found, expected, "{workers}");
        }
    }

    #[test]
    fn there_are_no_more_than_may_be() {
        let waiting = measured(1, 1, 100, 0);
        for (most, expected) in [
            (64, Some(16)),
            (10, Some(10)),
            (2, Some(2)),
            (1, None),
            (0, None),
        ] {
            let found = after(None, most, &waiting);
            assert_eq!(found.map(|(count, _)| count), expected, "{most}");
        }
    }

    #[test]
    fn more_workers_have_to_be_quicker_to_stay() {
        // A hundred files and 9 pieces of 64 KiB in a tenth of a second.
        let now = measured(16, 10, 2000, 0);
        assert_eq!(now.rate(), 1090);
        for (fewer, rate, expected) in [
            (1, 500, Some((64, Change::Waiting))),
            (1, 990, Some((64, Change::Waiting))),
            (1, 991, Some((1, Change::NoGain))),
            (4, 2000, Some((4, Change::NoGain))),
            // It was more workers that were quicker: those have gone since.
            (16, 2000, Some((64, Change::Waiting))),
        ] {
            let found = after(Some((fewer, rate)), 64, &now);
            assert_eq!(found, expected, "{fewer} {rate}");
        }
    }

    #[test]
    fn a_large_file_counts_like_many_small_ones() {
        let large = Measured {
            files: 1,
            bytes: 64 << 20,
            elapsed_us: 2_000_000,
            ..measured(1, 0, 0, 0)
        };
        assert_eq!(large.rate(), 1025 / 2);
    }

    #[test]
    fn who_uses_processors_for_much_longer_than_few_did_goes() {
        // 109 files and pieces of 64 KiB in a tenth of a second, in 160 ms of processors.
        let many = |workers| measured(workers, 160, 2000, 0);
        assert_eq!(many(4).used_each_ns(), 1_467_889);
        let idle = measured(64, 59, 2000, 0);
        for (measured, used_each_ns, rate, expected) in [
            (many(4), 700_000, 1000, Some((2, Change::Undoing))),
            (many(64), 700_000, 1000, Some((2, Change::Undoing))),
            // For twice as long, or less.
            (many(4), 734_000, 1000, None),
            // They are quicker all the same.
            (many(4), 700_000, 990, None),
            // No more than processors.
            (many(2), 700_000, 1000, None),
            // Next to nothing of them is used: they are no quicker, as a server is away.
            (idle, 1, 1000, None),
        ] {
            let few = Some(Few { used_each_ns, rate });
            let known = Known {
                before: None,
                few,
                most: 64,
            };
            let chosen = choose(&measured, &known);
            let found = chosen.map(|choice| (choice.workers, choice.change));
            assert_eq!(found, expected, "{measured:?} {few:?}");
        }
    }

    #[test]
    fn what_few_did_is_an_average_of_which_the_last_counts_most() {
        let [first, second] = [100, 50].map(|used_ms| measured(1, used_ms, 100, 0));
        let few = first.added_to(None);
        assert_eq!((few.used_each_ns, few.rate), (917_431, 1090));
        let few = second.added_to(Some(few));
        assert_eq!((few.used_each_ns, few.rate), (688_073, 1090));
    }
}
