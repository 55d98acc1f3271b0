//! How much of the machine there is for a copy.

use core::ffi::CStr;
use core::num::NonZeroU32;

use super::plain::{self, NO_MODE};
use crate::sys::{self, CWD, OFlags, two_numbers};

/// More workers than this are started only if asked for.
pub const USUAL_MOST: u32 = 8;

/// Where a container sees its limit on processor time: how much in how long, both in
/// microseconds, or "max"; with version 1 of control groups only how much, or -1
/// (`Documentation/admin-guide/cgroup-v2.rst`, `Documentation/scheduler/sched-bwc.rst`).
const CPU_LIMITS: [&CStr; 2] = [
    c"/sys/fs/cgroup/cpu.max",
    c"/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
];
/// Where it sees its limit on memory, in bytes, or "max"; with version 1 a number that is greater
/// than there is (`Documentation/admin-guide/cgroup-v1/memory.rst`).
const MEMORY_LIMITS: [&CStr; 2] = [
    c"/sys/fs/cgroup/memory.max",
    c"/sys/fs/cgroup/memory/memory.limit_in_bytes",
];
/// So much memory a worker needs, with what the kernel keeps for its files.
const BYTES_EACH: u32 = 1 << 20;
/// The period that nobody changes.
const USUAL_PERIOD: NonZeroU32 = NonZeroU32::new(100_000).unwrap();

/// So much all workers' buffers take together, or a little more where workers are called in later.
pub const BUFFERS_BYTES: usize = 1 << 20;
/// And so much of its own each uses at least: with 64 workers 2 MiB.
const LEAST_BUFFER_BYTES: usize = 32 << 10;

/// How much of its buffer a worker uses, where there are so many.
#[must_use]
pub fn buffer_share(workers: u32) -> usize {
    LEAST_BUFFER_BYTES.max(BUFFERS_BYTES / workers.max(1) as usize)
}

/// As many workers as there are processors for them: those that the process may run on, or
/// fewer where its control group's time on them is limited, and at most [`USUAL_MOST`].
#[must_use]
pub fn usual_count() -> u32 {
    let count = sys::processor_count().min(USUAL_MOST);
    if count < 2 {
        return count;
    }
    let limits = CPU_LIMITS.into_iter().filter_map(processors_in);
    limits.fold(count, u32::min)
}

/// How many workers the memory is enough for: that of the control group is, where there is one.
#[must_use]
pub fn most_by_memory() -> u32 {
    let limits = MEMORY_LIMITS.into_iter().filter_map(numbers_in);
    let bytes = limits.map(|[bytes, _]| bytes).filter(|&bytes| bytes > 0);
    bytes.fold(u32::MAX, u32::min) / BYTES_EACH
}

/// How many processors' time a control group has, by the file that says so.
fn processors_in(path: &CStr) -> Option<u32> {
    let [quota, period] = numbers_in(path)?;
    let period = NonZeroU32::new(period).unwrap_or(USUAL_PERIOD);
    (quota > 0).then(|| (quota - 1) / period + 1)
}

/// The numbers in a control group's file.
fn numbers_in(path: &CStr) -> Option<[u32; 2]> {
    let mut text = [0; 32];
    // In a root of somebody's own making it may be a FIFO.
    let file = plain::open(CWD, path, OFlags::NONBLOCK, NO_MODE).ok()?;
    sys::read(file.as_fd(), &mut text).ok()?;
    Some(two_numbers(&text, b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_buffers_together_are_small() {
        for (workers, share_kib) in [
            (0, 1024),
            (1, 1024),
            (4, 256),
            (5, 204),
            (8, 128),
            (16, 64),
            (64, 32),
            (4096, 32),
        ] {
            assert_eq!(buffer_share(workers) >> 10, share_kib, "{workers}");
        }
    }
}
