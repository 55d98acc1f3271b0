//! Which way a range of a file goes: the one place where that is chosen, with the figures it
//! rests on.
//!
//! | | to ext4, tmpfs | elsewhere | to a network file system, or FUSE |
//! | --- | --- | --- | --- |
//! | less than 4 KiB | reads and writes | the same | the same |
//! | up to 512 KiB | `copy_file_range` | the same | the same |
//! | up to 64 MiB (ext4), 128 MiB (others) | `splice` | the same | `copy_file_range` |
//! | more | the ring writes | a thread writes | `copy_file_range` |
//! | more, `io_uring` refused | a thread writes | the same | `copy_file_range` |
//! | more, `-j1` | the ring writes, or `splice` | `splice` | `copy_file_range` |
//! | more, cold, or one processor | `splice` | `splice` | `copy_file_range` |
//!
//! Of 1 GiB, cached, to a file system made for it on a loop device in memory (milliseconds,
//! medians of 15 in one run, in turn; two processors, AMD EPYC, Linux 6.18; blocks never
//! shared; `scripts/bench.sh --job ways`):
//!
//! | | ext4 | tmpfs | xfs | btrfs | overlayfs over ext4 |
//! | --- | --- | --- | --- | --- | --- |
//! | the ring writes | 146 | 389 | 139 | 1001 | 290 |
//! | a thread writes | 149 | 391 | 103 | 855 | 133 |
//! | `splice` | 168 | 412 | 101 | 848 | 158 |
//! | reads and writes | 292 | 487 | 160 | 908 | 283 |
//! | `copy_file_range` | 263 | 423 |  |  | 248 |
//! | as is chosen | 150 | 379 | 105 | 842 | 140 |
//!
//! Of smaller files on ext4: 16 MiB take 2.9 by the ring, 2.8 by a thread, 2.5 by `splice`; 32
//! MiB 4.9, 4.9, 5.0; 64 MiB 8.8, 8.7, 9.8. On tmpfs 64 MiB take 30, 31, 29; 128 MiB 52, 53, 57.
//! Of 512 MiB that had to be read from a disk first 243, 247, 227.
//!
//! Which way is quickest differs from host to host, and on one host from time to time: where two
//! virtual processors share one core, or two threads come to run on one processor, `splice` by
//! one thread is quicker. So some of a long file is copied that way as well, and the rest on the
//! quicker one.

use super::wish::Way;
use file_systems::{CEPH, CIFS, EXT4, FUSE, NFS, OVERLAYFS, SMB2, TMPFS};

/// File systems by `statfs` (`include/uapi/linux/magic.h`).
#[allow(missing_docs)] // as they are called there
pub mod file_systems {
    pub const CEPH: u64 = 0x00c3_6400;
    pub const CIFS: u64 = 0xff53_4d42;
    pub const EXT4: u64 = 0xef53;
    pub const FUSE: u64 = 0x6573_5546;
    pub const NFS: u64 = 0x6969;
    pub const OVERLAYFS: u64 = 0x794c_7630;
    pub const SMB2: u64 = 0xfe53_4d42;
    pub const TMPFS: u64 = 0x0102_1994;
    pub const XFS: u64 = 0x5846_5342;
}

/// From this size on `copy_file_range` is quicker than one read and one write: by a tenth from
/// 16 KiB on, on tmpfs; below by little, because it is one call instead of two. Of a sparse file's
/// extents those of 4 KiB take as long either way, those of 64 KiB 0.9 on ext4 and tmpfs.
pub const KERNEL_COPY_LEAST: u64 = 4 << 10;

/// What is longer than this is large.
pub const LARGE_BYTES: u64 = 512 << 10;

/// From this size on two are quicker than one on ext4: below, beginning takes longer than it saves.
pub const LEAST_FOR_TWO: u64 = 64 << 20;

/// And from this size on elsewhere.
pub const LEAST_FOR_TWO_ELSEWHERE: u64 = 128 << 20;

/// From this size on it pays to try `splice` as well.
pub const LEAST_TRIED: u64 = 512 << 20;

/// What decides which way data goes.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The file system it goes to.
    pub destination: u64,
    /// How much there is.
    pub bytes: u64,
    /// It need not be waited for, by all signs.
    pub is_cached: bool,
    /// How many processors there are for the copy.
    pub processors: u32,
    /// The user wants no second thread.
    pub is_alone: bool,
    /// `io_uring` may be used, and is not refused.
    pub has_ring: bool,
}

/// Which way data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The one that is best as a rule.
    pub way: Way,
    /// There is so much of it that it pays to find out whether [`Way::Splice`] is better here.
    pub is_tried: bool,
}

/// Which way data goes, by [the table](self).
#[must_use]
pub const fn route(facts: &Facts) -> Route {
    let least_for_two = match facts.destination {
        EXT4 => LEAST_FOR_TWO,
        _ => LEAST_FOR_TWO_ELSEWHERE,
    };
    let way = match facts.destination {
        _ if facts.bytes < KERNEL_COPY_LEAST => Way::ReadWrite,
        _ if is_far(facts.destination) || facts.bytes <= LARGE_BYTES => Way::CopyFileRange,
        _ if facts.bytes < least_for_two => Way::Splice,
        _ if facts.processors < 2 || !facts.is_cached => Way::Splice,
        EXT4 | TMPFS if facts.has_ring => Way::Ring,
        _ if facts.is_alone => Way::Splice,
        _ => Way::Thread,
    };
    Route {
        way,
        is_tried: facts.bytes >= LEAST_TRIED && matches!(way, Way::Ring | Way::Thread),
    }
}

/// Whether a file system lies on another machine or with another program, which copies data where
/// it lies, or is to be asked little.
#[must_use]
pub const fn is_far(kind: u64) -> bool {
    matches!(kind, CEPH | CIFS | FUSE | NFS | SMB2)
}

/// Whether blocks are allocated ahead of what is written. On ext4 12 MiB take 1.2 times as long
/// without; elsewhere it gains nothing, or costs.
#[must_use]
pub const fn allocates_ahead(kind: u64) -> bool {
    matches!(kind, EXT4 | OVERLAYFS)
}

/// Whether writes that are queued through the ring are carried out in their order: where the file
/// system refuses buffered writes that may not wait.
#[must_use]
pub const fn queues_in_order(kind: u64) -> bool {
    matches!(kind, EXT4 | TMPFS)
}

/// Whether a file system gives less than it is asked for only where the file ends. There, a piece
/// as long as the file was is the last one: that saves a call for each small file. Others may
/// have a size that is no promise, and give what a server sends.
#[must_use]
pub const fn is_exact(kind: u64) -> bool {
    matches!(kind, EXT4 | TMPFS)
}
