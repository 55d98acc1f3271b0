//! How much of the machine there is for a copy.

use core::ffi::CStr;
use core::num::NonZeroU32;

use super::plain::{self, NO_MODE};
use crate::sys::{self, CWD, OFlags, two_numbers, until_nul};

/// More workers than this are started only if asked for, or where each waits.
pub const USUAL_MOST: u32 = 8;

/// A limit that control groups have: where it is seen. Version 2 has all limits in one tree, version 1
/// a tree for each kind.
struct Limit {
    /// What version 1 calls the kind.
    controller: &'static [u8],
    /// The tree of version 1.
    tree: &'static [u8],
    /// The file with the limit in a group's folder: of version 2, and of 1.
    files: [&'static [u8]; 2],
}

/// The tree of version 2.
const TREE: &[u8] = b"/sys/fs/cgroup";

/// How much processor time in how long, both in microseconds, or "max"; with version 1 only how much,
/// or -1 (`Documentation/admin-guide/cgroup-v2.rst`, `Documentation/scheduler/sched-bwc.rst`).
const PROCESSORS: Limit = Limit {
    controller: b"cpu",
    tree: b"/sys/fs/cgroup/cpu",
    files: [b"/cpu.max\0", b"/cpu.cfs_quota_us\0"],
};
/// How many bytes, or "max"; with version 1 a number that is greater than there is
/// (`Documentation/admin-guide/cgroup-v1/memory.rst`).
const MEMORY: Limit = Limit {
    controller: b"memory",
    tree: b"/sys/fs/cgroup/memory",
    files: [b"/memory.max\0", b"/memory.limit_in_bytes\0"],
};

/// A process is in no more than a dozen groups, whose paths are short.
const GROUPS_BYTES: usize = 4 << 10;
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
    PROCESSORS.least(count, &processors_in)
}

/// How many workers the memory is enough for: that of the control groups is, where there are any.
#[must_use]
pub fn most_by_memory() -> u32 {
    let bytes_in = |path: &CStr| numbers_in(path).map(|[bytes, _]| bytes);
    MEMORY.least(u32::MAX, &|path| bytes_in(path).filter(|&bytes| bytes > 0)) / BYTES_EACH
}

impl Limit {
    /// The least of `most` and of what `find` finds in the files of the process's group and of all
    /// those around it, each of which counts. A container sees its own group as the root, by its
    /// namespace or by what is mounted there, and none of those around it.
    fn least(&self, most: u32, find: &dyn Fn(&CStr) -> Option<u32>) -> u32 {
        let [file, file_of_1] = self.files;
        let mut least = most;
        let mut look = |parts: [&[u8]; 3]| {
            let path = parts.concat();
            let found = find(until_nul(&path));
            least = found.map_or(least, |found| least.min(found));
        };
        look([TREE, b"", file]);
        look([self.tree, b"", file_of_1]);
        let mut text = [0; GROUPS_BYTES];
        for line in text_in(c"/proc/self/cgroup", &mut text).split(|&byte| byte == b'\n') {
            // As in "4:cpu,cpuacct:/a/b", and of version 2 "0::/a/b".
            let mut parts = line.splitn(3, |&byte| byte == b':').skip(1);
            let (Some(controllers), Some(mut group)) = (parts.next(), parts.next()) else {
                continue;
            };
            let is_ours = |name: &[u8]| name == self.controller;
            let (tree, file) = match controllers {
                b"" => (TREE, file),
                several if several.split(|&byte| byte == b',').any(is_ours) => {
                    (self.tree, file_of_1)
                }
                _ => continue,
            };
            while let Some(end) = group.iter().rposition(|&byte| byte == b'/')
                && group.len() > 1
            {
                look([tree, group, file]);
                group = group.get(..end).unwrap_or_default();
            }
        }
        least
    }
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
    match text_in(path, &mut text) {
        [] => None,
        text => Some(two_numbers(text, b' ')),
    }
}

/// What a file begins with; nothing where it cannot be read.
fn text_in<'t>(path: &CStr, text: &'t mut [u8]) -> &'t [u8] {
    // In a root of somebody's own making it may be a FIFO.
    let file = plain::open(CWD, path, OFlags::NONBLOCK, NO_MODE);
    let read = file.and_then(|file| sys::read(file.as_fd(), text));
    text.get(..read.unwrap_or(0)).unwrap_or_default()
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
