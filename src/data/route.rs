//! Which way a file's data goes: the one place where that is chosen, with the figures it rests
//! on. Nothing here asks the kernel: what a choice lacks, it says ([`Unknown`]).
//!
//! First a whole file ([`route_file`]): its blocks are shared, or it is read as a stream, or by
//! ranges. Then each range ([`route`]):
//!
//! | | to ext4, tmpfs | elsewhere | to a network file system, or FUSE |
//! | --- | --- | --- | --- |
//! | less than 4 KiB | reads and writes | the same | the same |
//! | up to 512 KiB | `copy_file_range` | the same | the same |
//! | up to 64 MiB (ext4), 128 MiB (others) | `splice` | the same | `copy_file_range` |
//! | more | the ring writes | a thread writes | `copy_file_range` |
//! | more, `io_uring` refused | a thread writes | the same | `copy_file_range` |
//! | more, `-j1` | the ring writes, or `splice` | `splice` | `copy_file_range` |
//! | more, cold, one processor, or more than 8 workers | `splice` | `splice` | `copy_file_range` |
//!
//! Where the kernel does not copy (`copy_file_range` between two file systems, or with
//! `--reflink=never`), it is `splice` from 32 KiB on: that needs no buffer for each of many workers.
//! 400 files from ext4 to tmpfs took (milliseconds, medians of 9 in turn, as above) 8.2 of 33 KB, as
//! reads and writes did, 11.9 instead of 12.4 of 64 KB, 17.0 instead of 18.3 of 128 KB, 34.5 instead
//! of 38.2 of 300 KB; the other way round 25.4, 47.9, 68.2 and 138 instead of 25.8, 49.1, 69.2 and
//! 140.
//!
//! Within one far file system too, where that cannot copy by itself: then `copy_file_range` moves 64
//! KiB at a time, and waits for each. That is seen by the first MiB, or file, that it copies so.
//!
//! From FUSE nothing is spliced ([`may_be_spliced`]): where it says `splice` above, there are reads
//! and writes.
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

use super::limits::USUAL_MOST;
use super::wish::{Io, Reflink, Sparse, Way, Wish};
use crate::sys::FileType;
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
    pub const SQUASHFS: u64 = 0x7371_7368;
    pub const TMPFS: u64 = 0x0102_1994;
    pub const XFS: u64 = 0x5846_5342;
}

/// From this size on `copy_file_range` is quicker than one read and one write: by a tenth from
/// 16 KiB on, on tmpfs; below by little, because it is one call instead of two. Of a sparse file's
/// extents those of 4 KiB take as long either way, those of 64 KiB 0.9 on ext4 and tmpfs.
pub const KERNEL_COPY_LEAST: u64 = 4 << 10;

/// From this size on `splice` takes no longer than reads and writes.
pub const SPLICE_LEAST: u64 = 32 << 10;

/// What is longer than this is large.
pub const LARGE_BYTES: u64 = 512 << 10;

/// From this size on two are quicker than one on ext4: below, beginning takes longer than it saves.
pub const LEAST_FOR_TWO: u64 = 64 << 20;

/// And from this size on elsewhere.
pub const LEAST_FOR_TWO_ELSEWHERE: u64 = 128 << 20;

/// From this size on it pays to find out whether `splice` is quicker.
pub const LEAST_COMPARED: u64 = 512 << 20;

/// The devices of a copy's source and destination, where that is known.
pub type Devices = (u64, Option<u64>);

/// What was learnt of the machine and its file systems, from file to file; `None` is not known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Measured {
    /// How many files are copied at the same time.
    pub workers: u32,
    /// Between these no blocks can be shared.
    pub unshareable: Option<Devices>,
    /// `copy_file_range` can be trusted.
    pub kernel_copies: Option<bool>,
    /// Between these the kernel copies, in many pieces each of which is waited for, or not.
    pub copies_in_pieces: Option<(Devices, bool)>,
    /// How many processors there are for the copy.
    pub processors: Option<u32>,
    /// The ring may be used.
    pub ring: Option<bool>,
    /// Between these `splice` was found to be quicker than two, or not.
    pub splice_is_quicker: Option<(Devices, bool)>,
}

/// What decides how a file is copied. The last two are known only if it was looked at.
#[derive(Debug, Clone, Copy)]
pub struct FileFacts {
    /// What is read, and what is written.
    pub kinds: (FileType, FileType),
    /// Where they are.
    pub devices: Devices,
    /// The source's size.
    pub size_bytes: u64,
    /// How much of it is kept, in blocks of 512 bytes.
    pub blocks: u64,
    /// The file system it is on; 0 where that is not known.
    pub source: u64,
    /// The file system it goes to; 0 where that is not known.
    pub destination: u64,
    /// Whether it need not be waited for, by all signs.
    pub is_cached: Option<bool>,
}

/// How a file is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileRoute {
    /// The copy shares its source's blocks, or it is an error.
    Clone,
    /// What comes from the source's position on, until nothing more does.
    Stream,
    /// Range by range, each on a way of its own.
    Ranges(Ranges),
}

/// How a file is copied range by range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranges {
    /// It is tried to share blocks instead.
    pub shares_blocks: bool,
    /// It pays to look closer before a way is chosen for a range.
    pub is_looked_at: bool,
    /// The ranges are what lies between the source's holes.
    pub skips_holes: bool,
}

/// How a file is copied.
#[must_use]
pub fn route_file(wish: Wish, file: &FileFacts, measured: &Measured) -> FileRoute {
    if wish.reflink == Reflink::Always {
        return FileRoute::Clone;
    }
    // A size of 0 is no promise: files of /proc have it and hold data.
    if file.kinds != (FileType::Regular, FileType::Regular) || file.size_bytes == 0 {
        return FileRoute::Stream;
    }
    let is_refused = measured.unshareable == Some(file.devices);
    FileRoute::Ranges(Ranges {
        shares_blocks: wish.shares_blocks() && !matches!(wish.io, Io::Only(_)) && !is_refused,
        is_looked_at: wish.io == Io::Only(Way::Ring) || file.size_bytes > LARGE_BYTES,
        // Half a block less than it needs is none less: that may be kept elsewhere.
        skips_holes: wish.sparse != Sparse::Never && file.blocks < file.size_bytes / 512,
    })
}

/// Which way a range goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The ways: where one goes no further, the next one. Reads and writes work everywhere: they
    /// give the final word, the rest of the data or the error to report.
    pub ways: &'static [Way],
    /// Blocks are allocated ahead of what is written, on the ways that [`Way::allocates_ahead`].
    pub preallocates: bool,
    /// Several writes may be queued with the ring at a time.
    pub queues: bool,
    /// Whether the second way is quicker is to be found out by copying the first of the range both
    /// ways. Where it is too short for that, it goes the first.
    pub is_compared: bool,
}

/// What has to be found out before a way can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// [`Measured::kernel_copies`].
    KernelCopies,
    /// [`Measured::processors`].
    Processors,
    /// [`Measured::ring`].
    Ring,
}

/// Which way a range of so many bytes goes, by [the table](self).
///
/// # Errors
/// What has to be known for that.
pub fn route(wish: Wish, file: &FileFacts, bytes: u64, known: &Measured) -> Result<Route, Unknown> {
    let leaves_holes = wish.leaves_holes(file.kinds.1);
    let chosen = match wish.io {
        Io::Only(way) if way == Way::Ring || bytes > LARGE_BYTES => way,
        Io::Only(_) => Way::ReadWrite,
        Io::Auto | Io::Sync => quickest(wish, file, bytes, known)?,
    };
    let may_splice = !leaves_holes && may_be_spliced(file.source);
    let is_free = !matches!(wish.io, Io::Only(_));
    // Where the kernel does not copy by itself.
    let splices = may_splice && bytes >= SPLICE_LEAST && is_free;
    let has_large_buffer = bytes > LARGE_BYTES && known.workers <= USUAL_MOST;
    let is_slow = known.copies_in_pieces == Some((file.devices, true))
        && (splices || has_large_buffer)
        && is_free;
    let first = match chosen {
        // It may share blocks, and leave holes where the source has them.
        Way::CopyFileRange
            if !wish.shares_blocks()
                || !known.kernel_copies.ok_or(Unknown::KernelCopies)?
                || is_slow =>
        {
            if splices {
                Way::Splice
            } else {
                Way::ReadWrite
            }
        }
        Way::Ring if !known.ring.ok_or(Unknown::Ring)? => Way::Splice,
        way => way,
    };
    let ways: &[Way] = match (first, may_splice) {
        (Way::Ring, true) => &[Way::Ring, Way::Splice, Way::ReadWrite],
        (Way::Thread, true) => &[Way::Thread, Way::Splice, Way::ReadWrite],
        (Way::Splice, true) => &[Way::Splice, Way::ReadWrite],
        (Way::Ring, false) => &[Way::Ring, Way::ReadWrite],
        (Way::Thread, false) => &[Way::Thread, Way::ReadWrite],
        (Way::CopyFileRange, _) if splices => &[Way::CopyFileRange, Way::Splice, Way::ReadWrite],
        (Way::CopyFileRange, _) => &[Way::CopyFileRange, Way::ReadWrite],
        (Way::Splice, false) | (Way::ReadWrite, _) => &[Way::ReadWrite],
    };
    let mut route = Route {
        ways,
        preallocates: allocates_ahead(file.destination) && !leaves_holes,
        queues: keeps_order(file.destination),
        is_compared: false,
    };
    if is_free
        && bytes >= LEAST_COMPARED
        && let [Way::Ring | Way::Thread, others @ ..] = ways
        && may_splice
    {
        match known.splice_is_quicker {
            Some((devices, true)) if devices == file.devices => route.ways = others,
            Some((devices, false)) if devices == file.devices => {}
            _ => route.is_compared = true,
        }
    }
    Ok(route)
}

/// The way that is quickest as a rule.
fn quickest(wish: Wish, file: &FileFacts, bytes: u64, known: &Measured) -> Result<Way, Unknown> {
    let least_for_two = match file.destination {
        EXT4 => LEAST_FOR_TWO,
        _ => LEAST_FOR_TWO_ELSEWHERE,
    };
    if bytes < KERNEL_COPY_LEAST {
        return Ok(Way::ReadWrite);
    }
    if is_far(file.destination) || bytes <= LARGE_BYTES {
        return Ok(Way::CopyFileRange);
    }
    // Each two have a buffer of 1 MiB; and more workers than usual are enough by themselves.
    let is_for_two =
        bytes >= least_for_two && file.is_cached == Some(true) && known.workers <= USUAL_MOST;
    if !is_for_two || known.processors.ok_or(Unknown::Processors)? < 2 {
        return Ok(Way::Splice);
    }
    if wish.io == Io::Auto && keeps_order(file.destination) && known.ring.ok_or(Unknown::Ring)? {
        return Ok(Way::Ring);
    }
    Ok(if wish.is_alone {
        Way::Splice
    } else {
        Way::Thread
    })
}

/// Whether a file system lies on another machine or with another program, which copies data where
/// it lies, or is to be asked little.
#[must_use]
pub const fn is_far(kind: u64) -> bool {
    matches!(kind, CEPH | CIFS | FUSE | NFS | SMB2)
}

/// Whether what comes out of a pipe is what a file on that file system holds. FUSE fills one by way
/// of the page cache (`fuse_splice_read`, the kernel's `fs/fuse/file.c`), also where the file is to be
/// read past it: there, what its server gives less than it is asked for is zeros. `read` is told how
/// much it was.
#[must_use]
pub const fn may_be_spliced(kind: u64) -> bool {
    kind != FUSE
}

/// Whether blocks are allocated ahead of what is written. On ext4 12 MiB take 1.2 times as long
/// without; elsewhere it gains nothing, or costs.
const fn allocates_ahead(kind: u64) -> bool {
    matches!(kind, EXT4 | OVERLAYFS)
}

/// Whether writes that are queued through the ring are carried out in their order: where the file
/// system refuses buffered writes that may not wait.
const fn keeps_order(kind: u64) -> bool {
    matches!(kind, EXT4 | TMPFS)
}

/// Whether a file system gives less than it is asked for only where the file ends. There, a piece
/// as long as the file was is the last one: that saves a call for each small file. Others may
/// have a size that is no promise, and give what a server sends.
#[must_use]
pub const fn is_exact(kind: u64) -> bool {
    matches!(kind, EXT4 | TMPFS)
}
