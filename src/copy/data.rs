//! One file's data: which way it goes, and what happens when a way is closed.
//!
//! Ways are tried from the cheapest on: sharing blocks (`FICLONE`); what the kernel can do by
//! itself; several workers for large files, or by one alone `splice` or the ring; then plain
//! reads and writes, which work everywhere. A way that fails hands over at the offset it
//! reached, so that the plain calls give the final word: the rest of the data, or the error to
//! report.
//!
//! Measured with 1 GiB, cached, on two processors (seconds, medians of five, each column in one
//! run; Linux 6.18; blocks never shared; xfs and btrfs on loop devices):
//!
//! | | ext4 | tmpfs | xfs | btrfs |
//! | --- | --- | --- | --- | --- |
//! | GNU cp | 0.40 | 0.48 | 0.29 | 0.59 |
//! | the ring | 0.27 | 0.59 | 0.25 | 0.53 |
//! | two workers, reads and writes | 0.22 | 0.33 | 0.15 | 0.47 |
//! | one worker, `splice` | 0.31 | 0.42 | 0.21 | 0.51 |
//! | one worker, reads and writes | 0.38 | 0.47 | 0.28 | 0.60 |
//!
//! Smaller files on ext4 (milliseconds):
//!
//! | | 1 MiB | 4 MiB | 8 MiB | 64 MiB | 256 MiB | 512 MiB |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | GNU cp | 1.5 | 2.2 | 3.4 | 21 | 76 | 143 |
//! | the ring | 0.97 | 1.6 | 2.4 | 18 | 64 | 120 |
//! | two workers | | | 1.7 | 14 | 47 | 92 |
//! | one worker, `splice` | 0.46 | 0.95 | 1.5 | 18 | 64 | 124 |
//!
//! On ext4 blocks are allocated before: without, 12 MiB take 1.2 times as long, and elsewhere it
//! gains nothing or costs.

use core::sync::atomic::{AtomicU64, Ordering};

use super::conduit::{Conduit, FILE_TO_FILE_BYTES, PIPE_BYTES};
use super::failure::{During, Result, Step};
use super::lazy_ring::LazyRing;
use super::options::{Io, Reflink, Sparse};
use super::plain;
use super::pump;
use super::trace::{Blocks, Trace, Ways};
use super::workers::{Others, Shared, usual_count};
use crate::sys::{
    self, BorrowedFd, Buffer, Errno, FileType, KernelVersion, Lendable, Ready, Stat, Whence,
};

/// Size of the one buffer that plain copies use. It fits a processor's own cache.
const BUFFER_BYTES: usize = 256 << 10;

/// A file of more than this is worth another way.
const LARGE_BYTES: u64 = 512 << 10;

/// A file with so much data is copied by several workers, if there are any or can be, unless it
/// has to be read from a disk first.
const SHARED_BYTES: u64 = 8 << 20;

/// From this size on the ring is quicker than `splice` by one worker, by 3 to 10 %.
const RING_BYTES: u64 = 512 << 20;

/// How much of a shared file a worker takes at a time.
const PART_BYTES: u64 = 4 << 20;

/// How much of a file goes through the ring at a time. The ring runs empty at its end, which
/// costs as much as 256 KiB.
const RING_PART_BYTES: u64 = 64 << 20;

/// From this size on `copy_file_range` is quicker than one read and one write: by a tenth from
/// 16 KiB on, on tmpfs; below by little, because it is one call instead of two. Of a sparse file's
/// extents those of 4 KiB take as long either way, those of 64 KiB 0.9 on ext4 and tmpfs.
const KERNEL_COPY_LEAST: u64 = 4 << 10;

/// How long a signal may wait for its answer at the most where nothing else is to be done.
const ANSWER_MS: u16 = 250;

/// The least hole that `--sparse=always` makes: a block of the file systems there are.
const HOLE_BYTES: usize = 4 << 10;

/// The most that one `copy_file_range` is asked for: no more than a server copies in a moment, so
/// that it is seen how far the copy has come.
const KERNEL_COPY_BYTES: usize = 64 << 20;

/// A large file that several workers copy parts of.
#[derive(Debug)]
pub struct Transfer<'a> {
    from: BorrowedFd<'a>,
    to: BorrowedFd<'a>,
    /// It has holes, which are left out.
    sparse: bool,
    /// How long a part is.
    part_bytes: u64,
    /// Where the next part begins that nobody has taken.
    next: AtomicU64,
    /// Where the copy ends: where it is to end, or the first offset that could not be read or
    /// written.
    end: AtomicU64,
}

/// File systems by `statfs` (`include/uapi/linux/magic.h`).
pub const EXT4: u64 = 0xef53;
const TMPFS: u64 = 0x0102_1994;
const CEPH: u64 = 0x00c3_6400;
const CIFS: u64 = 0xff53_4d42;
const FUSE: u64 = 0x6573_5546;
const NFS: u64 = 0x6969;
const SMB2: u64 = 0xfe53_4d42;

/// The file system that a file is on, asked for once for all files of a device.
#[derive(Debug)]
struct FileSystem {
    dev: u64,
    /// One of the above, or another's; of the unknown 0.
    kind: u64,
}

impl FileSystem {
    const UNKNOWN: Self = Self { dev: 0, kind: 0 };

    /// Makes this the one of `file`, which is on device `dev`; 0 where that is not known.
    fn look_at(&mut self, file: BorrowedFd<'_>, dev: u64) {
        if dev == 0 || self.dev != dev {
            // Unknown is as good as any other.
            let kind = sys::file_system_type(file).unwrap_or_default();
            *self = Self { dev, kind };
        }
    }

    /// Whether it gives less than it is asked for only where the file ends. There, a piece as
    /// long as the file was is the last one: that saves a call for each small file. Others may
    /// have a size that is no promise, and give what a server sends.
    const fn is_local(&self) -> bool {
        matches!(self.kind, EXT4 | TMPFS)
    }
}

/// A [`Transfer`], to be lent.
#[derive(Debug)]
pub struct Transfers;

impl Lendable for Transfers {
    type For<'a> = Transfer<'a>;
}

impl Transfer<'_> {
    /// How many parts it has, at most.
    pub(super) fn parts(&self) -> u32 {
        let parts = self
            .end
            .load(Ordering::Relaxed)
            .checked_div(self.part_bytes);
        u32::try_from(parts.unwrap_or(1)).unwrap_or(u32::MAX >> 1)
    }
}

/// Which way a large file goes, or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Reads and writes.
    Plain,
    /// Through a pipe of our own.
    Splice,
    /// Through the ring, if there is one.
    Ring,
}

/// What cutting a copy to what is whole of it failed with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Uncut {
    pub errno: Errno,
    /// Behind what is whole there may be more, and gaps before that.
    pub gaps: bool,
}

/// Copies files' data; keeps the buffer, the ring and what was learnt from file to file.
///
/// In this order: what lies within 128 bytes of the start takes three bytes less to address.
#[repr(C)]
pub struct DataMover<'a, 'ui> {
    io: Io,
    reflink: Reflink,
    sparse: Sparse,
    /// Which way data goes of which there is much.
    way: Way,
    /// The last file's data is to be copied.
    pub(super) is_opened: bool,
    /// Which way the last file went.
    pub(super) trace: Trace,
    shared: &'a Shared<'ui>,
    /// The last file was not whole, and is longer than what is.
    pub(super) uncut: Option<Uncut>,
    buffer: Option<Buffer>,
    /// Source and destination devices between which blocks cannot be shared.
    unshareable: (u64, u64),
    /// Where the last large file went to.
    destination: FileSystem,
    /// Where the last file with data came from.
    source: FileSystem,
    conduit: Option<Conduit>,
    /// Whether `copy_file_range` can be trusted, once that was of interest.
    kernel_copies: Option<bool>,
    ring: LazyRing,
}

impl<'a, 'ui> DataMover<'a, 'ui> {
    /// A mover that goes the way that is asked for. Takes nothing yet.
    #[must_use]
    #[inline(never)]
    pub(super) const fn new(shared: &'a Shared<'ui>) -> Self {
        let options = &shared.options;
        Self {
            shared,
            io: options.io,
            reflink: options.reflink,
            sparse: options.sparse,
            buffer: None,
            ring: LazyRing::Untried,
            conduit: None,
            unshareable: (0, 0),
            kernel_copies: None,
            destination: FileSystem::UNKNOWN,
            source: FileSystem::UNKNOWN,
            way: Way::Plain,
            is_opened: false,
            trace: Trace::NEW,
            uncut: None,
        }
    }

    /// The buffer, made when first used, of at least 192 KiB.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn buffer(&mut self) -> sys::Result<&mut [u8]> {
        if self.buffer.is_none() {
            self.buffer = Some(Buffer::new(BUFFER_BYTES)?);
        }
        self.buffer.as_deref_mut().ok_or(Errno::ENOMEM)
    }

    /// Copies all of a file to another, empty one; each comes with its metadata.
    ///
    /// # Errors
    /// The first error that no way could get around; without a ring that `--io=ring` asks for,
    /// a message through the others' way to the user.
    #[inline(never)]
    pub fn copy(
        &mut self,
        (from, stat): (BorrowedFd<'_>, &Stat),
        (to, to_stat): (BorrowedFd<'_>, &Stat),
        others: Others<'_, '_>,
    ) -> Result<()> {
        let is_file = stat.kind == FileType::Regular;
        if is_file {
            self.is_opened = true;
            self.shared.progress.open(stat.size_bytes, true);
        }
        if !is_file || stat.size_bytes > LARGE_BYTES {
            self.shared.progress.begin();
        }
        self.trace.kernel_avoided = !self.shares_blocks();
        self.trace.blocks = Blocks::Own;
        self.uncut = None;
        if self.reflink == Reflink::Always {
            self.unshareable = (0, 0);
            self.share(from, to, (stat.id.dev, to_stat.id.dev))?;
            if to_stat.size_bytes > stat.size_bytes {
                return sys::ftruncate(to, stat.size_bytes).during(Step::Truncate);
            }
            return Ok(());
        }
        let both_regular = is_file && to_stat.kind == FileType::Regular;
        // A size of 0 is no promise: files of /proc have it and hold data.
        if !both_regular || stat.size_bytes == 0 {
            return self.stream((from, stat.kind), (to, to_stat.kind), 0);
        }
        let size = stat.size_bytes;
        if self.io == Io::Ring && self.ring.is_missed(&mut **others.shared.ui()) {
            return Step::Told.into();
        }
        if self.shares_blocks()
            && self.io != Io::Ring
            && self.share(from, to, (stat.id.dev, to_stat.id.dev))?
        {
            self.shared.moved(size);
            return Ok(());
        }
        self.trace.began = true;
        self.source.look_at(from, stat.id.dev);
        if size > LARGE_BYTES {
            self.destination.look_at(to, to_stat.id.dev);
        }
        // Half a block less than it needs is none less: that may be kept elsewhere.
        let has_holes = stat.blocks < size / 512 && self.sparse != Sparse::Never;
        if has_holes || self.sparse == Sparse::Always {
            let data = stat.blocks.saturating_mul(512).max(1);
            return self.copy_to_end(from, to, size, data, others);
        }
        if self.io != Io::Ring && (size <= LARGE_BYTES || self.is_far()) {
            return self.stream((from, stat.kind), (to, to_stat.kind), size);
        }
        // Advice only: read ahead further.
        let _ = sys::fadvise_sequential(from);
        // Advice as well: a disk that is full says so when it is written.
        if self.destination.kind == EXT4 {
            let _ = sys::preallocate(to, 0, size);
        }
        self.copy_to_end(from, to, size, size, others)
    }

    /// Moves all of `from` to `to`, both at their current positions; a regular file if it has a
    /// `size`. Holes are made only in a regular file.
    fn stream(
        &mut self,
        (from, from_kind): (BorrowedFd<'_>, FileType),
        (to, to_kind): (BorrowedFd<'_>, FileType),
        size: u64,
    ) -> Result<()> {
        let leaves_holes = self.sparse == Sparse::Always && to_kind == FileType::Regular;
        self.trace.began = true;
        self.trace.zeros = leaves_holes;
        let is_local = self.source.is_local();
        let mut at = 0;
        if size >= KERNEL_COPY_LEAST && self.may_copy_within_kernel() {
            // On any answer but data, reads go on from there.
            while let Ok(count @ 1..) =
                sys::copy_file_range(from, None, to, None, KERNEL_COPY_BYTES)
            {
                self.trace.ways |= Ways::COPY_FILE_RANGE;
                self.shared.moved(count as u64);
                if is_local && count as u64 == size {
                    return Ok(());
                }
                at += count as u64;
            }
            self.trace.kernel_refused = at == 0;
        }
        loop {
            if from_kind != FileType::Regular {
                // Who sends what a pipe holds may take any time: signals are answered meanwhile,
                // those too that come just before it waits.
                while let Ok(false) | Err(Errno::EINTR) =
                    sys::wait_ready_for(from, Ready::Read, ANSWER_MS)
                {
                    self.shared.answer();
                }
            }
            let buffer = self.buffer().during(Step::Read)?;
            let count = plain::read(from, buffer).during(Step::Read)?;
            match buffer.get(..count) {
                Some(data @ [_, ..]) if leaves_holes => {
                    write_but_zeros(to, data, at).during(Step::Write)?;
                }
                Some(data @ [_, ..]) => plain::write_all(to, data).during(Step::Write)?,
                _ => break,
            }
            at += count as u64;
            self.trace.ways |= Ways::PLAIN;
            self.shared.moved(count as u64);
            if is_local && count as u64 == size && count < BUFFER_BYTES {
                break;
            }
        }
        if leaves_holes {
            // What it ends with may be a hole.
            return sys::ftruncate(to, at).during(Step::Extend);
        }
        Ok(())
    }

    /// Whether the last large file went to a network file system, which copies data where it
    /// lies.
    const fn is_far(&self) -> bool {
        matches!(self.destination.kind, CEPH | CIFS | FUSE | NFS | SMB2)
    }

    /// Whether `copy_file_range` may be asked to copy: it may share blocks, and leave holes.
    fn may_copy_within_kernel(&mut self) -> bool {
        self.shares_blocks()
            && self.io != Io::Ring
            && *self.kernel_copies.get_or_insert_with(kernel_copies)
    }

    /// Whether a copy may have blocks in common with its source, and holes where that has them.
    fn shares_blocks(&self) -> bool {
        self.reflink != Reflink::Never && self.sparse == Sparse::Auto
    }

    /// Tries to let `to` share `from`'s blocks. A refusal that is about the two file systems
    /// is remembered, so that a tree asks once.
    #[inline(never)]
    fn share(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        devices: (u64, u64),
    ) -> Result<bool> {
        self.trace.blocks = Blocks::Unshareable;
        if self.unshareable == devices {
            return Ok(false);
        }
        let shared = sys::ficlone(from, to);
        if shared.is_ok() {
            self.trace.blocks = Blocks::Shared;
            self.trace.ways |= Ways::CLONE;
        }
        if matches!(
            shared,
            Err(Errno::EOPNOTSUPP | Errno::ENOTTY | Errno::EXDEV | Errno::ENOSYS)
        ) {
            self.unshareable = devices;
        }
        match shared {
            // An answer about the two files: there is another way.
            Err(
                Errno::EOPNOTSUPP
                | Errno::ENOTTY
                | Errno::EXDEV
                | Errno::ENOSYS
                | Errno::EINVAL
                | Errno::EBADF
                | Errno::ETXTBSY
                | Errno::EPERM
                | Errno::EACCES
                | Errno::EFBIG
                | Errno::ENOENT,
            ) if self.reflink != Reflink::Always => Ok(false),
            shared => shared.during(Step::Clone).map(|()| true),
        }
    }

    /// Which way data goes by one worker: where blocks of zeros are looked for, it has to read.
    fn alone(&self) -> Way {
        match self.sparse {
            Sparse::Always => Way::Plain,
            _ => Way::Splice,
        }
    }

    /// Copies from offset 0 to wherever the source ends. That is expected at `size`, and before
    /// it `data` bytes of data: less where there are holes, which are left out.
    fn copy_to_end(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        size: u64,
        data: u64,
        others: Others<'_, '_>,
    ) -> Result<()> {
        let sparse = data < size;
        self.trace.zeros = self.sparse == Sparse::Always;
        let mut at = 0;
        let large = data >= SHARED_BYTES;
        // A disk is read slower for two who ask for different places. And one alone has the time
        // to copy while the disk reads, by itself quicker than by the ring: 1 GiB in 0.53 s and
        // 0.55, where the kernel reads 8 MiB ahead; 0.63 and 0.74, where 128 KiB.
        let is_cold = large && !sparse && is_cold(from);
        self.way = self.alone();
        let Others { shared, .. } = others;
        let mut in_parts = false;
        if self.way == Way::Splice
            && (self.io == Io::Ring || (!is_cold && self.ring_pays(data, shared)))
        {
            self.way = Way::Ring;
        } else if large && !is_cold && others.call_in() && !shared.large.is_open() {
            self.way = Way::Plain;
            in_parts = true;
            at = self.copy_parts(from, to, size, data);
        }
        let mut moved;
        if sparse {
            moved = self.copy_extents(from, to, &mut at, u64::MAX);
        } else {
            moved = self.go_on(from, to, &mut at, size);
            if moved.is_ok() {
                // What the source has gained since.
                moved = self.copy_plainly(from, to, &mut at, u64::MAX);
            }
        }
        // Where the source has lost, or something failed, parts may lie behind what is whole, and
        // blocks that were allocated; before its end, a hole.
        if sparse || at < size || self.sparse == Sparse::Always {
            let gaps = in_parts || self.way == Way::Ring;
            return self.end_at(to, at, moved, gaps);
        }
        moved
    }

    /// Makes a copy that was `moved` so far as long as what is whole of it; behind that there may
    /// be `gaps`.
    fn end_at(&mut self, to: BorrowedFd<'_>, at: u64, moved: Result<()>, gaps: bool) -> Result<()> {
        let Err(errno) = sys::ftruncate(to, at) else {
            return moved;
        };
        let mut now = Stat::default();
        // Of one that cannot be looked at the worst is believed.
        let length = sys::stat_fd(to, &mut now).map_or(u64::MAX, |()| now.size_bytes);
        if moved.is_ok() && length <= at {
            // Where no length can be set, it may be the right one all the same.
            let extended = if length == at { Ok(()) } else { Err(errno) };
            return extended.during(Step::Extend);
        }
        self.uncut = Some(Uncut {
            errno,
            gaps: gaps && length > at,
        });
        moved
    }

    /// As [`Self::go_on`], leaving out holes.
    fn copy_extents(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        at: &mut u64,
        end: u64,
    ) -> Result<()> {
        while *at < end {
            // Both move forward, whatever a file system answers: no answer makes this loop.
            let data = sys::lseek(from, *at, Whence::Data);
            self.trace.seek_hole |= matches!(data, Ok(_) | Err(Errno::ENXIO));
            let data = match data {
                Ok(data) => data.max(*at),
                // A hole up to the source's end, which may be another by now.
                Err(Errno::ENXIO) => {
                    let mut now = Stat::default();
                    sys::stat_fd(from, &mut now).during(Step::Read)?;
                    let hole_end = now.size_bytes.max(*at).min(end);
                    self.shared.moved(hole_end - *at);
                    *at = hole_end;
                    break;
                }
                // It was told before: what cannot be read says why.
                Err(_) => *at,
            };
            self.shared.moved(data.min(end) - *at);
            if data >= end {
                *at = end;
                break;
            }
            // Where none can be found, all of it is copied as data.
            let hole = sys::lseek(from, data, Whence::Hole).unwrap_or(end);
            let hole = hole.max(data + 1).min(end);
            *at = data;
            if self.is_far() || hole - data <= LARGE_BYTES {
                self.copy_within_kernel(from, to, at, hole);
            }
            self.go_on(from, to, at, hole)?;
            if *at < hole {
                // The source ends inside the extent.
                break;
            }
        }
        Ok(())
    }

    /// Copies the first `size` bytes in parts, which on the plain way whoever has nothing else to
    /// do takes as well; returns up to where all went well: nowhere, where that was not
    /// possible, because another file is shared already.
    fn copy_parts(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        size: u64,
        data: u64,
    ) -> u64 {
        let transfer = Transfer {
            from,
            to,
            sparse: data < size,
            // More may be allocated than it is long. Where all data lies in one place, several
            // still find a part.
            part_bytes: PART_BYTES * size.checked_div(data).unwrap_or(1).clamp(1, 64),
            next: AtomicU64::new(0),
            end: AtomicU64::new(size),
        };
        if !self
            .shared
            .share_large(&transfer, || self.take_part(&transfer))
        {
            // Alone after all.
            self.way = self.alone();
            return 0;
        }
        transfer.end.into_inner()
    }

    /// Copies parts of another worker's large file until none is left.
    pub(super) fn help(&mut self, transfer: &Transfer<'_>) {
        self.way = Way::Plain;
        self.take_part(transfer);
    }

    /// Copies parts of a large file until none is left.
    fn take_part(&mut self, transfer: &Transfer<'_>) {
        loop {
            // Relaxed: the numbers stand for themselves; what was written is the kernel's.
            let start = transfer
                .next
                .fetch_add(transfer.part_bytes, Ordering::Relaxed);
            let end = transfer.end.load(Ordering::Relaxed);
            if start >= end {
                break;
            }
            let part_end = end.min(start + transfer.part_bytes);
            let mut at = start;
            let (from, to) = (transfer.from, transfer.to);
            // An error shows again to whoever goes on from there.
            let _ = if transfer.sparse {
                self.copy_extents(from, to, &mut at, part_end)
            } else {
                self.go_on(from, to, &mut at, part_end)
            };
            if at < part_end {
                transfer.end.fetch_min(at, Ordering::Relaxed);
            }
        }
    }

    /// Copies the bytes from `at` to `end`, less where the source ends before; `at` says how far
    /// it came whatever happens.
    fn go_on(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        at: &mut u64,
        end: u64,
    ) -> Result<()> {
        if *at < end && (end - *at > LARGE_BYTES || self.io == Io::Ring) && self.way != Way::Plain {
            let start = *at;
            if self.way == Way::Ring {
                self.carry_by_ring(from, to, at, end);
            }
            if *at == start {
                self.carry(from, to, at, end);
            }
        }
        self.copy_plainly(from, to, at, end)
    }

    /// Whether the ring is to move so much `data`, if there is one: where the kernel does cached
    /// reads inline and has writes done by a worker of its own, and has a processor for that
    /// one, because the user wants no other worker of ours there. On one processor it takes 1.3
    /// times as long as `splice`. And from FUSE, where replies may be short, Linux 6.18's ring was
    /// seen to read the start again and again.
    fn ring_pays(&self, data: u64, shared: &Shared<'_>) -> bool {
        data >= RING_BYTES
            && self.io == Io::Auto
            && self.destination.kind == EXT4
            && shared.options.jobs == 1
            && usual_count() > 1
            && self.source.is_local()
    }

    /// Lets the ring move data, in parts that let it be seen how far it came.
    fn carry_by_ring(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, at: &mut u64, end: u64) {
        if let Some(ring) = self.ring.get() {
            loop {
                let part_end = end.min(*at + RING_PART_BYTES);
                let mut range = *at..part_end;
                // Where the ring broke, all of the part again.
                let _ = pump::pump(ring, from, to, &mut range);
                if range.start > *at {
                    self.trace.ways |= Ways::RING;
                    self.trace.ring = Some(ring.rung());
                    self.shared.moved(range.start - *at);
                    *at = range.start;
                }
                if *at < part_end || *at == end {
                    break;
                }
            }
        }
        self.trace.ring_refused = self.ring.refused();
    }

    /// Lets the kernel copy the bytes from `at` to `end`, if it is to and will.
    fn copy_within_kernel(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        at: &mut u64,
        end: u64,
    ) {
        if end - *at < KERNEL_COPY_LEAST || !self.may_copy_within_kernel() {
            return;
        }
        let start = *at;
        while *at < end {
            let (mut read_at, mut write_at) = (*at, *at);
            let want = usize::try_from(end - *at).unwrap_or(KERNEL_COPY_BYTES);
            let want = want.min(KERNEL_COPY_BYTES);
            let copied =
                sys::copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), want);
            let Ok(count @ 1..) = copied else {
                break;
            };
            *at += count as u64;
            self.trace.ways |= Ways::COPY_FILE_RANGE;
            self.shared.moved(count as u64);
        }
        self.trace.kernel_refused |= *at == start;
    }

    /// Lets the kernel move data through a pipe, in parts likewise.
    fn carry(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, at: &mut u64, end: u64) {
        if self.conduit.is_none() {
            // Without a pipe plain calls do it.
            self.conduit = Conduit::new(FILE_TO_FILE_BYTES, PIPE_BYTES).ok();
        }
        let start = *at;
        while let Some(conduit) = &self.conduit
            && *at < end
        {
            let (part_start, part_end) = (*at, end.min(*at + PART_BYTES));
            if !conduit.carry(from, to, at, part_end) {
                self.conduit = None;
            }
            self.shared.moved(*at - part_start);
            if *at < part_end {
                break;
            }
        }
        if *at > start {
            self.trace.ways |= Ways::SPLICE;
        } else {
            self.trace.kernel_refused = true;
        }
    }

    /// As [`Self::go_on`], by reads and writes of one buffer.
    fn copy_plainly(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        at: &mut u64,
        end: u64,
    ) -> Result<()> {
        while *at < end {
            let want = usize::try_from(end - *at)
                .unwrap_or(BUFFER_BYTES)
                .min(BUFFER_BYTES);
            let leaves_holes = self.sparse == Sparse::Always;
            let buffer = self.buffer().during(Step::Read)?;
            let room = buffer.get_mut(..want).unwrap_or_default();
            let count = plain::read_at(from, room, *at).during(Step::Read)?;
            match room.get(..count) {
                Some(data @ [_, ..]) if leaves_holes => {
                    write_but_zeros(to, data, *at).during(Step::Write)?;
                }
                Some(data @ [_, ..]) => {
                    plain::write_all_at(to, data, *at).during(Step::Write)?;
                }
                _ => break,
            }
            *at += count as u64;
            self.trace.ways |= Ways::PLAIN;
            self.shared.moved(count as u64);
        }
        Ok(())
    }
}

/// Writes data from offset `at` on, but no blocks of zeros, which leaves holes in a new file.
fn write_but_zeros(to: BorrowedFd<'_>, data: &[u8], mut at: u64) -> sys::Result<()> {
    for block in data.chunks(HOLE_BYTES) {
        if block.iter().any(|&byte| byte != 0) {
            plain::write_all_at(to, block, at)?;
        }
        at += block.len() as u64;
    }
    Ok(())
}

/// Whether `copy_file_range` is to be used: kernels before 5.3 lose data with it, and between
/// file systems those before 5.19 (`man 2 copy_file_range`, BUGS).
fn kernel_copies() -> bool {
    sys::kernel_version().is_ok_and(|version| version >= KernelVersion(5, 19))
}

/// Whether a file's data has to be read from a disk, by all signs: whether its start has to be.
fn is_cold(file: BorrowedFd<'_>) -> bool {
    let before = sys::blocks_read();
    // Advice only.
    let _ = sys::fadvise_will_need(file, 0..BUFFER_BYTES as u64);
    sys::blocks_read() != before
}
