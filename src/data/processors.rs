//! How many processors there are for a copy.

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
/// The period that nobody changes.
const USUAL_PERIOD: NonZeroU32 = NonZeroU32::new(100_000).unwrap();

/// As many workers as there are processors for them: those that the process may run on, or
/// fewer where its control group's time on them is limited, and at most [`USUAL_MOST`].
#[must_use]
pub fn usual_count() -> u32 {
    let count = sys::processor_count().min(USUAL_MOST);
    if count < 2 {
        return count;
    }
    let limits = CPU_LIMITS.into_iter().filter_map(limit_in);
    limits.fold(count, u32::min)
}

/// How many processors' time a control group has, by the file that says so.
fn limit_in(path: &CStr) -> Option<u32> {
    let mut text = [0; 32];
    // In a root of somebody's own making it may be a FIFO.
    let file = plain::open(CWD, path, OFlags::NONBLOCK, NO_MODE).ok()?;
    sys::read(file.as_fd(), &mut text).ok()?;
    let [quota, period] = two_numbers(&text, b' ');
    let period = NonZeroU32::new(period).unwrap_or(USUAL_PERIOD);
    (quota > 0).then(|| (quota - 1) / period + 1)
}
