//! One file's data: which way it goes, and what happens when a way is closed.
//!
//! Ways are tried from the cheapest on: sharing blocks (`FICLONE`); what the kernel can do by
//! itself; the ring or several workers for large files; then plain reads and writes, which
//! work everywhere. A way that fails hands over at the offset it reached, so that the plain
//! calls give the final word: the rest of the data, or the error to report.
//!
//! Measured with 1 GiB, cached, on two processors (seconds; Linux 6.18):
//!
//! | | ext4 | tmpfs | xfs | btrfs |
//! | --- | --- | --- | --- | --- |
//! | GNU cp | 0.25 | 0.51 | 0.18 | 0.91 |
//! | the ring | 0.14 | 0.53 | 0.12 | 0.80 |
//! | two workers, reads and writes of 512 KiB | 0.12 | 0.35 | 0.08 | 0.80 |
//! | one worker, `splice` through 1 MiB | 0.14 | 0.44 | 0.09 | 0.82 |
//! | one worker, reads and writes of 512 KiB | 0.19 | 0.51 | 0.13 | 0.90 |
//!
//! The first column with blocks allocated before (0.19 to 0.21 without, and 0.64 with the
//! file made durable instead of 0.69); elsewhere that gains nothing or costs.

use core::sync::atomic::{AtomicU64, Ordering};

use super::conduit::Conduit;
use super::failure::{During, Result, Step};
use super::lazy_ring::LazyRing;
use super::options::Io;
use super::plain;
use super::progress::Amount;
use super::pump::{self, Place};
use super::trace::{Trace, Word};
use super::workers::Shared;
use crate::sys::{self, BorrowedFd, Buffer, Errno, FileType, KernelVersion, OwnedFd, Stat, Whence};

/// Size of the one buffer that plain copies use: it fits a processor's own cache. A file of more
/// is worth another way.
pub const BUFFER_BYTES: usize = 512 << 10;

/// A file of this size is copied by several workers, if there are any or can be.
pub const SHARED_BYTES: u64 = 8 << 20;

/// How much of it one of them takes at a time.
const PART_BYTES: u64 = 4 << 20;

/// From this size on `copy_file_range` is quicker than one read and one write: by a tenth, on
/// tmpfs.
const KERNEL_COPY_LEAST: u64 = 16 << 10;

/// The most that one `copy_file_range` is asked for: a length that every file system takes.
const KERNEL_COPY_BYTES: usize = 1 << 30;

/// A large file that several workers copy parts of.
#[derive(Debug)]
pub struct Transfer {
    from: OwnedFd,
    to: OwnedFd,
    /// Where the next part begins that nobody has taken.
    next: AtomicU64,
    /// Where the copy ends: where it is to end, or the first offset that could not be read or
    /// written.
    end: AtomicU64,
}

/// File systems by `statfs` (`include/uapi/linux/magic.h`).
const EXT4: u64 = 0xef53;
const CEPH: u64 = 0x00c3_6400;
const CIFS: u64 = 0xff53_4d42;
const FUSE: u64 = 0x6573_5546;
const NFS: u64 = 0x6969;
const SMB2: u64 = 0xfe53_4d42;

impl Transfer {
    /// How many parts it has, at most.
    pub(super) fn parts(&self) -> u32 {
        let parts = self.end.load(Ordering::Relaxed) / PART_BYTES;
        u32::try_from(parts).unwrap_or(u32::MAX >> 1)
    }
}

/// Copies files' data; keeps the buffer, the ring and what was learnt from file to file.
pub struct DataMover {
    io: Io,
    buffer: Option<Buffer>,
    ring: LazyRing,
    conduit: Option<Conduit>,
    /// Source and destination devices between which blocks cannot be shared.
    unshareable: (u64, u64),
    /// Whether `copy_file_range` can be trusted, once that was of interest.
    kernel_copies: Option<bool>,
    /// The device that the last large file went to, and its file system's type.
    destination: (u64, u64),
    /// Which way the last file went.
    pub(super) trace: Trace,
}

impl DataMover {
    /// A mover that goes the way `io` says. Takes nothing yet.
    #[must_use]
    pub const fn new(io: Io) -> Self {
        Self {
            io,
            buffer: None,
            ring: LazyRing::Untried,
            conduit: None,
            unshareable: (0, 0),
            kernel_copies: None,
            destination: (0, 0),
            trace: Trace::NEW,
        }
    }

    /// The buffer, made when first used.
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
        others: &Shared<'_>,
    ) -> Result<()> {
        self.trace = Trace::NEW;
        let both_regular = stat.kind == FileType::Regular && to_stat.kind == FileType::Regular;
        // A size of 0 is no promise: files of /proc have it and hold data.
        if !both_regular || stat.size_bytes == 0 {
            return self.stream(from, to, 0);
        }
        let size = stat.size_bytes;
        if self.io == Io::Ring && self.ring.is_missed(&mut **others.ui()) {
            return Step::Told.into();
        }
        if self.io != Io::Ring && self.share(from, to, (stat.id.dev, to_stat.id.dev)) {
            others.done.add(0, size);
            return Ok(());
        }
        self.trace.sparse = Word::No;
        if stat.blocks.saturating_mul(512) < size && self.copy_extents(from, stat, to)? {
            others.done.add(0, size);
            return Ok(());
        }
        // An operand's device is 0: it is not known.
        let dev = to_stat.id.dev;
        if size > BUFFER_BYTES as u64 && (dev == 0 || self.destination.0 != dev) {
            // Unknown is as good as any other.
            let kind = sys::file_system_type(to).unwrap_or_default();
            self.destination = (dev, kind);
        }
        // On a network file system the data is copied where it lies.
        let is_far = matches!(self.destination.1, CEPH | CIFS | FUSE | NFS | SMB2);
        if self.io != Io::Ring && (size <= BUFFER_BYTES as u64 || is_far) {
            others.done.add(0, size);
            return self.stream(from, to, size);
        }
        // Advice only: read ahead further.
        let _ = sys::fadvise_sequential(from);
        // Advice as well: a disk that is full says so when it is written.
        if self.destination.1 == EXT4 {
            let _ = sys::preallocate(to, size);
        }
        self.copy_to_end(from, to, size, others)
    }

    /// Moves all of `from` to `to`, both at their current positions; a regular file if it has a
    /// `size`.
    fn stream(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, size: u64) -> Result<()> {
        self.trace.offload = Word::Avoided;
        self.trace.way = Word::Plain;
        if size >= KERNEL_COPY_LEAST && *self.kernel_copies.get_or_insert_with(kernel_copies) {
            // On any answer but data, reads go on from there.
            while let Ok(1..) = sys::copy_file_range(from, None, to, None, KERNEL_COPY_BYTES) {
                self.trace.kernel(Word::CopyFileRange);
            }
        }
        let buffer = self.buffer().during(Step::Read)?;
        loop {
            let count = plain::read(from, buffer).during(Step::Read)?;
            match buffer.get(..count) {
                Some(data @ [_, ..]) => plain::write_all(to, data).during(Step::Write)?,
                _ => return Ok(()),
            }
        }
    }

    /// Tries to let `to` share `from`'s blocks. A refusal that is about the two file systems
    /// is remembered, so that a tree asks once.
    #[inline(never)]
    fn share(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, devices: (u64, u64)) -> bool {
        self.trace.reflink = Word::Unsupported;
        if self.unshareable == devices {
            return false;
        }
        let shared = sys::ficlone(from, to);
        if shared.is_ok() {
            self.trace.reflink = Word::Yes;
            self.trace.way = Word::Cloned;
        }
        if matches!(
            shared,
            Err(Errno::EOPNOTSUPP | Errno::ENOTTY | Errno::EXDEV | Errno::ENOSYS)
        ) {
            self.unshareable = devices;
        }
        shared.is_ok()
    }

    /// Copies the source's data extents and leaves holes where it has holes. False where the
    /// file system cannot tell them apart; nothing was written then.
    fn copy_extents(
        &mut self,
        from: BorrowedFd<'_>,
        stat: &Stat,
        to: BorrowedFd<'_>,
    ) -> Result<bool> {
        self.trace.sparse = Word::SeekHole;
        let mut at = 0;
        let mut end = stat.size_bytes;
        loop {
            let data = sys::lseek(from, at, Whence::Data);
            let hole = data.and_then(|data| sys::lseek(from, data, Whence::Hole));
            let (data, hole) = match (data, hole) {
                (Ok(data), Ok(hole)) => (data, hole),
                // A hole up to the end, or cut short since.
                (_, Err(Errno::ENXIO)) => break,
                _ if at == 0 => return Ok(false),
                (_, error) => return error.during(Step::Read).map(|_| false),
            };
            // Both move forward, whatever a file system answers: no answer makes this loop.
            let data = data.max(at);
            let hole = hole.max(data + 1);
            at = data;
            self.go_on(from, to, &mut at, hole, false)?;
            if at < hole {
                // The source ends inside the extent.
                end = 0;
                break;
            }
        }
        // The source's length now: it may have been cut or have grown a hole.
        let mut now = Stat::default();
        if end != 0 && sys::stat_fd(from, &mut now).is_ok() {
            end = now.size_bytes;
        }
        sys::ftruncate(to, end.max(at))
            .during(Step::Extend)
            .map(|()| true)
    }

    /// Copies from offset 0 to wherever the source ends; `size` is where that is expected.
    fn copy_to_end(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        size: u64,
        others: &Shared<'_>,
    ) -> Result<()> {
        let mut at = 0;
        // The ring keeps two processors busy by itself.
        let alone = self.by_ring() && self.ring.get().is_some();
        let helped = !alone && others.are_there() && !others.large.is_open();
        if size >= SHARED_BYTES && (helped || others.options.progress) {
            at = self.copy_together(from, to, size, others)?;
        } else {
            others.done.add(0, size);
        }
        let mut moved = self.go_on(from, to, &mut at, size, false);
        if moved.is_ok() {
            // What the source has gained since.
            moved = self.copy_plainly(from, to, &mut at, u64::MAX);
        }
        // Where it has lost, or something failed, parts may lie behind what is whole, and blocks
        // that were allocated.
        if at < size {
            let cut = sys::ftruncate(to, at).during(Step::Extend);
            return moved.and(cut);
        }
        moved
    }

    /// Copies the first `size` bytes in parts, which whoever has nothing else to do takes as
    /// well; returns up to where all went well: nowhere, where another file is shared already.
    #[inline(never)]
    fn copy_together(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        size: u64,
        others: &Shared<'_>,
    ) -> Result<u64> {
        // Descriptors of their own: nothing that is lent may end before its loan.
        let duplicate = |fd| sys::duplicate_from(fd, 3);
        let (Ok(from), Ok(to)) = (duplicate(from), duplicate(to)) else {
            return Ok(0);
        };
        let transfer = Transfer {
            from,
            to,
            next: AtomicU64::new(0),
            end: AtomicU64::new(size),
        };
        if !others.share_large(&transfer, || self.take_part(&transfer, &others.done)) {
            return Ok(0);
        }
        let Transfer { to, end, .. } = transfer;
        // May be the one that learns of a failed write.
        to.close().during(Step::Close)?;
        Ok(end.into_inner())
    }

    /// Copies parts of a large file until none is left.
    pub(super) fn take_part(&mut self, transfer: &Transfer, done: &Amount) {
        loop {
            // Relaxed: the numbers stand for themselves; what was written is the kernel's.
            let start = transfer.next.fetch_add(PART_BYTES, Ordering::Relaxed);
            let end = transfer.end.load(Ordering::Relaxed);
            if start >= end {
                break;
            }
            let end = end.min(start + PART_BYTES);
            let mut at = start;
            let (from, to) = (transfer.from.as_fd(), transfer.to.as_fd());
            // An error shows again to whoever goes on from there.
            let _ = self.go_on(from, to, &mut at, end, true);
            done.add(0, at - start);
            if at < end {
                transfer.end.fetch_min(at, Ordering::Relaxed);
            }
        }
    }

    /// Copies the bytes from `at` to `end`, less where the source ends before; `at` says how far
    /// it came whatever happens. In a file that others copy parts of at the same time if it is
    /// `shared`.
    fn go_on(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        at: &mut u64,
        end: u64,
        shared: bool,
    ) -> Result<()> {
        self.trace.way = Word::Plain;
        if end - *at > BUFFER_BYTES as u64 || self.io == Io::Ring {
            if self.by_ring()
                && let Some(ring) = self.ring.get()
            {
                let mut range = *at..end;
                // Where the ring broke, all of it again.
                let _ = pump::pump(ring, from, to, &mut range, Place::Offsets);
                *at = range.start;
                self.trace.by_ring(ring.rung());
            } else if !shared {
                self.trace.kernel(Word::Splice);
                self.carry(from, to, at, end);
            }
            self.trace.refused = self.ring.refused();
        }
        self.copy_plainly(from, to, at, end)
    }

    /// Whether the ring, if there is one, is to move the data.
    fn by_ring(&self) -> bool {
        match self.io {
            // There the ring pays: cached reads are done inline and writes by a kernel worker,
            // on two processors.
            Io::Auto => self.destination.1 == EXT4,
            Io::Ring => true,
            Io::Sync => false,
        }
    }

    /// Lets the kernel move data through a pipe.
    fn carry(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, at: &mut u64, end: u64) {
        if self.conduit.is_none() {
            self.conduit = Conduit::new().ok();
        }
        if let Some(conduit) = &self.conduit
            && !conduit.carry(from, to, at, end)
        {
            self.conduit = None;
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
        let buffer = self.buffer().during(Step::Read)?;
        while *at < end {
            let want = usize::try_from(end - *at)
                .unwrap_or(BUFFER_BYTES)
                .min(BUFFER_BYTES);
            let room = buffer.get_mut(..want).unwrap_or_default();
            let count = plain::read_at(from, room, *at).during(Step::Read)?;
            match room.get(..count) {
                Some(data @ [_, ..]) => {
                    plain::write_all_at(to, data, *at).during(Step::Write)?;
                }
                _ => break,
            }
            *at += count as u64;
        }
        Ok(())
    }
}

/// Whether `copy_file_range` is to be used: kernels before 5.3 lose data with it, and between
/// file systems those before 5.19 (`man 2 copy_file_range`, BUGS).
fn kernel_copies() -> bool {
    sys::kernel_version().is_ok_and(|version| version >= KernelVersion(5, 19))
}
