//! One file's data: which way it goes, and what happens when a way is closed.
//!
//! Ways are tried from the cheapest on: sharing blocks (`FICLONE`), then for more than one
//! buffer the ring or, where there is none, `copy_file_range`, then plain reads and writes,
//! which work everywhere. A way that fails hands over at the offset it reached, so that the
//! plain calls give the final word: the rest of the data, or the error to report.

use super::failure::{During, Result, Step};
use super::lazy_ring::LazyRing;
use super::options::Io;
use super::plain;
use super::pump::{self, Place};
use super::ui::Ui;
use crate::sys::{self, BorrowedFd, Buffer, Errno, FileType, KernelVersion, Stat, Whence};

/// Size of the one buffer that plain copies use; more data than this goes through the ring.
pub const BUFFER_BYTES: usize = 256 << 10;

/// A file system where writes into blocks that were allocated beforehand cost half
/// (`include/uapi/linux/magic.h`).
const EXT4: u64 = 0xef53;

/// The most that one `copy_file_range` is asked for: a length that every file system takes.
const KERNEL_COPY_BYTES: usize = 1 << 30;

/// Copies files' data; keeps the buffer, the ring and what was learnt from file to file.
pub struct DataMover {
    io: Io,
    buffer: Option<Buffer>,
    ring: LazyRing,
    /// Source and destination devices between which blocks cannot be shared.
    unshareable: Option<(u64, u64)>,
    /// Whether `copy_file_range` can be trusted here; unknown before the first large file.
    kernel_copies: Option<bool>,
}

impl DataMover {
    /// A mover that goes the way `io` says. Takes nothing yet.
    #[must_use]
    pub const fn new(io: Io) -> Self {
        Self {
            io,
            buffer: None,
            ring: LazyRing::Untried,
            unshareable: None,
            kernel_copies: None,
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
    /// a message through `ui`.
    #[inline(never)]
    pub fn copy(
        &mut self,
        (from, stat): (BorrowedFd<'_>, &Stat),
        (to, to_stat): (BorrowedFd<'_>, &Stat),
        ui: &mut dyn Ui,
    ) -> Result<()> {
        let both_regular = stat.kind == FileType::Regular && to_stat.kind == FileType::Regular;
        // A size of 0 is no promise: files of /proc have it and hold data.
        if !both_regular || stat.size_bytes == 0 {
            return self.stream(from, to);
        }
        if self.io == Io::Ring && self.ring.is_missed(ui) {
            return Step::Told.into();
        }
        if self.io != Io::Ring && self.share(from, to, (stat.id.dev, to_stat.id.dev)) {
            return Ok(());
        }
        if stat.blocks.saturating_mul(512) < stat.size_bytes && self.copy_extents(from, stat, to)? {
            return Ok(());
        }
        if stat.size_bytes <= BUFFER_BYTES as u64 && self.io != Io::Ring {
            return self.stream(from, to);
        }
        // Advice only: read ahead further.
        let _ = sys::fadvise_sequential(from);
        // Advice as well: a disk that is full says so when it is written.
        if sys::file_system_type(to) == Ok(EXT4) {
            let _ = sys::preallocate(to, stat.size_bytes);
        }
        self.copy_to_end(from, to, stat.size_bytes)
    }

    /// Reads `from` to its end and writes all to `to`, both at their current positions.
    fn stream(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
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
        if self.unshareable == Some(devices) {
            return false;
        }
        let shared = sys::ficlone(from, to);
        if matches!(
            shared,
            Err(Errno::EOPNOTSUPP | Errno::ENOTTY | Errno::EXDEV | Errno::ENOSYS)
        ) {
            self.unshareable = Some(devices);
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
            at = self.copy_range(from, to, data, hole)?;
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
    fn copy_to_end(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, size: u64) -> Result<()> {
        let reached = self.copy_range(from, to, 0, size)?;
        // What the source has gained since; where it has lost, cut off what may lie behind.
        let end = self.copy_plainly(from, to, reached, u64::MAX)?;
        if end < size {
            return sys::ftruncate(to, end).during(Step::Extend);
        }
        Ok(())
    }

    /// Copies the bytes from `start` to `end`, less where the source ends before; returns
    /// where it stopped.
    fn copy_range(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        start: u64,
        end: u64,
    ) -> Result<u64> {
        let mut at = start;
        if end - start > BUFFER_BYTES as u64 || self.io == Io::Ring {
            if self.io != Io::Sync
                && let Some(ring) = self.ring.get()
            {
                let mut range = start..end;
                // Where the ring broke, all of it again.
                let _ = pump::pump(ring, from, to, &mut range, Place::Offsets);
                at = range.start;
            } else if self.kernel_copies() {
                at = kernel_copy(from, to, at, end);
            }
        }
        self.copy_plainly(from, to, at, end)
    }

    /// As [`Self::copy_range`], by reads and writes of one buffer.
    fn copy_plainly(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        start: u64,
        end: u64,
    ) -> Result<u64> {
        let buffer = self.buffer().during(Step::Read)?;
        let mut at = start;
        while at < end {
            let want = usize::try_from(end - at)
                .unwrap_or(BUFFER_BYTES)
                .min(BUFFER_BYTES);
            let room = buffer.get_mut(..want).unwrap_or_default();
            let count = plain::read_at(from, room, at).during(Step::Read)?;
            match room.get(..count) {
                Some(data @ [_, ..]) => {
                    plain::write_all_at(to, data, at).during(Step::Write)?;
                }
                _ => break,
            }
            at += count as u64;
        }
        Ok(at)
    }

    /// Whether `copy_file_range` is to be used: kernels before 5.3 lose data with it, and
    /// between file systems those before 5.19 (`man 2 copy_file_range`, BUGS).
    fn kernel_copies(&mut self) -> bool {
        *self.kernel_copies.get_or_insert_with(|| {
            sys::kernel_version().is_ok_and(|version| version >= KernelVersion(5, 19))
        })
    }
}

/// Copies within the kernel from `start` on, up to `end`; returns how far that went. Every
/// error and every early end means "another way from here on".
fn kernel_copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>, start: u64, end: u64) -> u64 {
    let (mut read_at, mut write_at) = (start, start);
    while read_at < end {
        let want = usize::try_from(end - read_at)
            .unwrap_or(usize::MAX)
            .min(KERNEL_COPY_BYTES);
        match sys::copy_file_range(from, &mut read_at, to, &mut write_at, want) {
            Ok(1..) | Err(Errno::EINTR) => {}
            Ok(0) | Err(_) => break,
        }
    }
    read_at
}
