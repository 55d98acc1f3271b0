//! One file's data: shared with the source, streamed, or copied range by range.
//!
//! What goes by ranges ([`super::ranges`]) is written in order: whatever stops a copy, what is
//! left of it is a prefix of the source, and whoever reads it meanwhile sees no byte that is not
//! the source's.

use super::holes::write_but_zeros;
use super::pipeline::Files;
use super::plain;
use super::progress::Progress;
use super::ranges::RangeMover;
use super::route::{LARGE_BYTES, is_exact};
use super::trace::{Blocks, Ways};
use super::wish::{Io, Reflink, Sparse, Way, Wish};
use crate::report::{During, Message, Result};
use crate::sys::{self, BorrowedFd, Errno, FileType, Ready, Stat, Whence};

/// How long a signal may wait for its answer at the most where nothing else is to be done.
const ANSWER_MS: u16 = 250;

/// Why a copy could not be cut to what is whole of it.
#[derive(Debug, Clone, Copy)]
pub struct Uncut {
    /// What the kernel answered.
    pub errno: Errno,
    /// It is longer, and there may be gaps behind what is whole.
    pub gaps: bool,
}

/// Copies files' data; keeps what was learnt from file to file.
pub struct DataMover<'a> {
    wish: Wish,
    /// The last file's data is to be copied.
    pub is_opened: bool,
    /// Of the last file, if it was to be cut and could not be.
    pub uncut: Option<Uncut>,
    /// Source and destination devices between which blocks cannot be shared.
    unshareable: (u64, u64),
    /// Moves ranges.
    pub ranges: RangeMover<'a>,
}

impl<'a> DataMover<'a> {
    /// A mover that goes the way that is asked for. Takes nothing yet.
    #[must_use]
    pub const fn new(wish: Wish, progress: &'a Progress<'a>) -> Self {
        Self {
            wish,
            is_opened: false,
            uncut: None,
            unshareable: (0, 0),
            ranges: RangeMover::new(wish, progress),
        }
    }

    /// Copies all of a file to another, empty one; each comes with its metadata.
    ///
    /// # Errors
    /// The first error that no way could get around; without a ring that `--io=ring` asks for,
    /// a message through the others' way to the user.
    pub fn copy(
        &mut self,
        (from, stat): (BorrowedFd<'_>, &Stat),
        (to, to_stat): (BorrowedFd<'_>, &Stat),
    ) -> Result<()> {
        let progress = self.ranges.progress();
        let files = Files { from, to };
        let devices = (stat.id.dev, to_stat.id.dev);
        let is_file = stat.kind == FileType::Regular;
        if is_file {
            self.is_opened = true;
            progress.open(stat.size_bytes, true);
        }
        if !is_file || stat.size_bytes > LARGE_BYTES {
            progress.begin();
        }
        self.ranges.trace.kernel_avoided = !self.wish.shares_blocks();
        self.ranges.trace.blocks = Blocks::Own;
        self.uncut = None;
        if self.wish.reflink == Reflink::Always {
            self.unshareable = (0, 0);
            self.share(files, devices)?;
            if to_stat.size_bytes > stat.size_bytes {
                return sys::ftruncate(to, stat.size_bytes).during(Message::Truncate);
            }
            return Ok(());
        }
        let both_regular = is_file && to_stat.kind == FileType::Regular;
        // A size of 0 is no promise: files of /proc have it and hold data.
        if !both_regular || stat.size_bytes == 0 {
            return self.stream(files, (stat.kind, to_stat.kind));
        }
        let size = stat.size_bytes;
        if self.wish.io == Io::Only(Way::Ring) {
            self.ranges.ring.require()?;
        }
        if self.wish.shares_blocks()
            && !matches!(self.wish.io, Io::Only(_))
            && self.share(files, devices)?
        {
            progress.moved(size);
            return Ok(());
        }
        self.ranges.trace.began = true;
        self.ranges.look_at(files, devices, size);
        // Half a block less than it needs is none less: that may be kept elsewhere.
        let has_holes = stat.blocks < size / 512 && self.wish.sparse != Sparse::Never;
        self.ranges.trace.zeros = self.wish.sparse == Sparse::Always;
        if has_holes {
            self.copy_sparse(files, size)
        } else {
            self.copy_whole(files, size)
        }
    }

    /// Moves all of one file to the other, both at their current positions. Holes are made only in
    /// a regular file.
    fn stream(
        &mut self,
        Files { from, to }: Files<'_>,
        (from_kind, to_kind): (FileType, FileType),
    ) -> Result<()> {
        let leaves_holes = self.wish.sparse == Sparse::Always && to_kind == FileType::Regular;
        self.ranges.trace.began = true;
        self.ranges.trace.zeros = leaves_holes;
        let mut at = 0;
        loop {
            if from_kind != FileType::Regular {
                // Who sends what a pipe holds may take any time: signals are answered meanwhile,
                // those too that come just before it waits.
                while let Ok(false) | Err(Errno::EINTR) =
                    sys::wait_ready_for(from, Ready::Read, ANSWER_MS)
                {
                    self.ranges.progress().answer();
                }
            }
            let buffer = self.ranges.buffer().during(Message::Read)?;
            let count = plain::read(from, buffer).during(Message::Read)?;
            match buffer.get(..count) {
                Some(data @ [_, ..]) if leaves_holes => {
                    write_but_zeros(to, data, at).during(Message::Write)?;
                }
                Some(data @ [_, ..]) => plain::write_all(to, data).during(Message::Write)?,
                _ => break,
            }
            at += count as u64;
            self.ranges.trace.ways |= Ways::PLAIN;
            self.ranges.progress().moved(count as u64);
        }
        if leaves_holes {
            // What it ends with may be a hole.
            return sys::ftruncate(to, at).during(Message::Extend);
        }
        Ok(())
    }

    /// Tries to let `to` share `from`'s blocks. A refusal that is about the two file systems
    /// is remembered, so that a tree asks once.
    fn share(&mut self, Files { from, to }: Files<'_>, devices: (u64, u64)) -> Result<bool> {
        let trace = &mut self.ranges.trace;
        trace.blocks = Blocks::Unshareable;
        if self.unshareable == devices {
            return Ok(false);
        }
        let shared = sys::ficlone(from, to);
        if shared.is_ok() {
            trace.blocks = Blocks::Shared;
            trace.ways |= Ways::CLONE;
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
            ) if self.wish.reflink != Reflink::Always => Ok(false),
            shared => shared.during(Message::Clone).map(|()| true),
        }
    }

    /// Copies from offset 0 to wherever the source ends, which is expected at `size`.
    fn copy_whole(&mut self, files: Files<'_>, size: u64) -> Result<()> {
        let mut at = 0;
        let mut moved = self.ranges.copy(files, &mut at, size);
        let is_all = at == size && size <= LARGE_BYTES && is_exact(self.ranges.source.kind);
        if moved.is_ok() && !is_all {
            // What the source has gained since.
            moved = self.ranges.copy_plainly(files, &mut at, u64::MAX);
        }
        // Where the source has lost, or something failed, there may be blocks behind what is whole,
        // or what was written while an earlier write failed; before its end, a hole.
        if at < size || moved.is_err() || self.wish.sparse == Sparse::Always {
            return self.end_at(files.to, at, moved);
        }
        moved
    }

    /// As [`Self::copy_whole`], leaving out holes.
    fn copy_sparse(&mut self, files: Files<'_>, size: u64) -> Result<()> {
        let mut at = 0;
        let moved = self.copy_extents(files, &mut at, size);
        // What it ends with may be a hole.
        self.end_at(files.to, at, moved)
    }

    /// Makes a copy that was `moved` so far as long as what is whole of it.
    fn end_at(&mut self, to: BorrowedFd<'_>, at: u64, moved: Result<()>) -> Result<()> {
        let Err(errno) = sys::ftruncate(to, at) else {
            return moved;
        };
        let mut now = Stat::default();
        // Of one that cannot be looked at the worst is believed.
        let length = sys::stat_fd(to, &mut now).map_or(u64::MAX, |()| now.size_bytes);
        if moved.is_ok() && length <= at {
            // Where no length can be set, it may be the right one all the same.
            let extended = if length == at { Ok(()) } else { Err(errno) };
            return extended.during(Message::Extend);
        }
        self.uncut = Some(Uncut {
            errno,
            // What was queued behind the write that failed may have been written.
            gaps: self.ranges.trace.ways.contains(Ways::RING) && length > at,
        });
        moved
    }

    /// Copies all data from `at` on, leaving out holes; the source is expected to end at `size`.
    fn copy_extents(&mut self, files: Files<'_>, at: &mut u64, size: u64) -> Result<()> {
        let progress = self.ranges.progress();
        loop {
            // Both move forward, whatever a file system answers: no answer makes this loop.
            let data = sys::lseek(files.from, *at, Whence::Data);
            self.ranges.trace.seek_hole |= matches!(data, Ok(_) | Err(Errno::ENXIO));
            let data = match data {
                Ok(data) => data.max(*at),
                // A hole up to the source's end, which may be another by now.
                Err(Errno::ENXIO) => {
                    let mut now = Stat::default();
                    sys::stat_fd(files.from, &mut now).during(Message::Read)?;
                    let hole_end = now.size_bytes.max(*at);
                    progress.moved(hole_end - *at);
                    *at = hole_end;
                    return Ok(());
                }
                // It was told before: what cannot be read says why.
                Err(_) => *at,
            };
            progress.moved(data - *at);
            *at = data;
            // Where none can be found, all of it is copied as data.
            let hole =
                sys::lseek(files.from, data, Whence::Hole).unwrap_or(size.max(data + LARGE_BYTES));
            let hole = hole.max(data + 1);
            self.ranges.copy(files, at, hole)?;
            if *at < hole {
                // The source ends inside the extent.
                return Ok(());
            }
        }
    }
}
