//! One file's data: shared with the source, streamed, or copied range by range.
//!
//! Which way it goes is chosen in [`super::route`]; here it goes that way, and where one ends early
//! the next one begins at the offset it reached. Ranges are written in order: whatever stops a
//! copy, what is left of it is a prefix of the source, and whoever reads it meanwhile sees no byte
//! that is not the source's.

use super::clone;
use super::facts::{FileSystem, is_cached};
use super::kernel_copy;
use super::lazy_ring::LazyRing;
use super::pipe::{self, Pipe};
use super::pipeline::{SLOTS, WriterState};
use super::processors::usual_count;
use super::progress::Progress;
use super::read_write::{self, BUFFER_BYTES, Position};
use super::ring_writer;
use super::route::{
    Devices, FileFacts, FileRoute, LARGE_BYTES, Measured, Ranges, Route, TryClone, Unknown,
    is_exact, route, route_file,
};
use super::thread_writer;
use super::trace::{Blocks, Trace};
use super::transfer::{Files, Transfer};
use super::wish::{Reflink, Way, Wish};
use crate::report::{During, Failure, Message, Result};
use crate::sys::{self, BorrowedFd, Buffer, Errno, FileType, Stat, Whence};

/// How much is timed where two ways are compared.
const TIMED_BYTES: u64 = 24 << 20;

/// How much is copied before that by `splice`: beginning takes its time once.
const WARM_UP_BYTES: u64 = 8 << 20;

/// And by two: threads that come to run on one processor are parted only after some 70 ms (Linux
/// 6.18, two processors).
const WARM_UP_OF_TWO_BYTES: u64 = 256 << 20;

/// `splice` has to take less than this part of the time: two may still come to their speed.
const BETTER_BY: (u64, u64) = (3, 4);

/// What became of a copy that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incomplete {
    /// What there is of it is whole.
    Prefix(Failure),
    /// It could not be cut to what is whole of it.
    Uncut {
        /// Why it failed; nothing if the source has become shorter.
        why: Option<Failure>,
        /// What the kernel answered.
        errno: Errno,
        /// There may be gaps behind what is whole.
        has_gaps: bool,
    },
}

/// What a copy gives.
pub type Copied = core::result::Result<(), Incomplete>;

impl From<Failure> for Incomplete {
    fn from(failure: Failure) -> Self {
        Self::Prefix(failure)
    }
}

/// Copies files' data; keeps buffers, the ring and what was learnt from file to file.
pub struct DataMover<'a> {
    wish: Wish,
    progress: &'a Progress<'a>,
    /// Which way the last file went.
    pub trace: Trace,
    measured: Measured,
    /// Where the last file with data came from.
    source: FileSystem,
    /// Where the last large file went to.
    destination: FileSystem,
    buffer: Option<Buffer>,
    /// What is read into where another thread writes.
    slots: Option<Buffer>,
    pipe: Option<Pipe>,
    ring: LazyRing,
}

impl<'a> DataMover<'a> {
    /// A mover that goes the way that is asked for. Takes nothing yet.
    #[must_use]
    pub fn new(wish: Wish, progress: &'a Progress<'a>) -> Self {
        Self {
            wish,
            progress,
            trace: Trace::default(),
            measured: Measured::default(),
            source: FileSystem::default(),
            destination: FileSystem::default(),
            buffer: None,
            slots: None,
            pipe: None,
            ring: LazyRing::default(),
        }
    }

    /// The buffer, made when first used.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn buffer(&mut self) -> sys::Result<&mut [u8]> {
        buffer(&mut self.buffer)
    }

    /// Copies all of a file to another, empty one; each comes with its metadata.
    ///
    /// # Errors
    /// The first error that no way could get around, and what there is of the copy; why there is
    /// no ring that `--io=ring` asks for.
    pub fn copy(
        &mut self,
        (from, stat): (BorrowedFd<'_>, &Stat),
        (to, to_stat): (BorrowedFd<'_>, &Stat),
    ) -> Copied {
        let file = FileFacts {
            kinds: (stat.kind, to_stat.kind),
            devices: (stat.id.dev, to_stat.id.dev),
            size_bytes: stat.size_bytes,
            blocks: stat.blocks,
            source: 0,
            destination: 0,
            is_cached: false,
        };
        if stat.kind != FileType::Regular || stat.size_bytes > LARGE_BYTES {
            self.progress.begin();
        }
        self.trace.kernel_avoided = !self.wish.shares_blocks();
        self.trace.blocks = Blocks::Own;
        let mut transfer = Transfer::new(Files { from, to }, self.progress);
        match route_file(self.wish, &file, &self.measured) {
            FileRoute::Clone => {
                self.share(transfer.files, file.devices)?;
                if to_stat.size_bytes > stat.size_bytes {
                    sys::ftruncate(to, stat.size_bytes).during(Message::Truncate)?;
                }
                Ok(())
            }
            FileRoute::Stream { leaves_holes } => {
                self.trace.begin(leaves_holes);
                transfer.end = u64::MAX;
                let awaits = stat.kind != FileType::Regular;
                self.read_and_write(&mut transfer, Position::Own { awaits }, leaves_holes)?;
                if leaves_holes {
                    // What it ends with may be a hole.
                    transfer.cut().during(Message::Extend)?;
                }
                Ok(())
            }
            FileRoute::Ranges(ranges) => self.copy_ranges(&mut transfer, file, ranges),
        }
    }

    fn copy_ranges(
        &mut self,
        transfer: &mut Transfer<'_>,
        mut file: FileFacts,
        ranges: Ranges,
    ) -> Copied {
        let (files, size) = (transfer.files, file.size_bytes);
        if ranges.requires_ring {
            self.ring.require()?;
        }
        match ranges.clone {
            TryClone::Yes if self.share(files, file.devices)? => {
                self.progress.moved(size);
                return Ok(());
            }
            TryClone::InVain => self.trace.blocks = Blocks::Unshareable,
            TryClone::Yes | TryClone::Forbidden => {}
        }
        self.trace.begin(self.wish.leaves_holes());
        // A ring that did not keep the order is given up for one file only.
        self.measured.ring = None;
        file.source = self.source.kind_of(files.from, file.devices.0);
        if ranges.is_looked_at {
            file.destination = self.destination.kind_of(files.to, file.devices.1);
            // Advice only: read ahead further.
            let _ = sys::fadvise_sequential(files.from);
            file.is_cached = is_cached(files.from, size);
        }
        if ranges.skips_holes {
            let moved = self.copy_extents(transfer, &file);
            // What it ends with may be a hole.
            return self.end(transfer, moved);
        }
        let moved = self.copy_whole(transfer, &file);
        // Where the source has lost, or something failed, there may be blocks behind what is whole,
        // or what was written while an earlier write failed; before its end, a hole.
        if transfer.at < size || moved.is_err() || self.wish.leaves_holes() {
            return self.end(transfer, moved);
        }
        Ok(())
    }

    /// Tries to have `to` share `from`'s blocks. A refusal that is about the two file systems
    /// is remembered, so that a tree asks once.
    fn share(&mut self, files: Files<'_>, devices: Devices) -> Result<bool> {
        self.trace.blocks = Blocks::Unshareable;
        let Err(errno) = clone::share_blocks(files) else {
            self.trace.blocks = Blocks::Shared;
            return Ok(true);
        };
        let is_for_all = clone::is_about_file_systems(errno);
        if is_for_all {
            self.measured.unshareable = Some(devices);
        }
        if self.wish.reflink != Reflink::Always && (is_for_all || clone::is_about_files(errno)) {
            return Ok(false);
        }
        Err(errno).during(Message::Clone)
    }

    /// Copies from offset 0 to wherever the source ends, which is expected at its size.
    fn copy_whole(&mut self, transfer: &mut Transfer<'_>, file: &FileFacts) -> Result<()> {
        let size = file.size_bytes;
        self.copy_range(transfer, file, size)?;
        if transfer.at == size && size <= LARGE_BYTES && is_exact(file.source) {
            return Ok(());
        }
        // What the source has gained since.
        transfer.end = u64::MAX;
        transfer.begin_way(false);
        self.read_and_write(transfer, Position::Given, self.wish.leaves_holes())
    }

    /// Copies to wherever the source ends, leaving out its holes.
    fn copy_extents(&mut self, transfer: &mut Transfer<'_>, file: &FileFacts) -> Result<()> {
        let from = transfer.files.from;
        loop {
            // Both move forward, whatever a file system answers: no answer makes this loop.
            let data = sys::lseek(from, transfer.at, Whence::Data);
            self.trace.seek_hole |= matches!(data, Ok(_) | Err(Errno::ENXIO));
            if data == Err(Errno::ENXIO) {
                // A hole up to the source's end, which may be another by now.
                let mut now = Stat::default();
                sys::stat_fd(from, &mut now).during(Message::Read)?;
                transfer.skip_to(now.size_bytes.max(transfer.at));
                return Ok(());
            }
            // Another error was told before: what cannot be read says why.
            transfer.skip_to(data.map_or(transfer.at, |data| data.max(transfer.at)));
            // Where no hole can be found, all of it is copied as data.
            let hole = sys::lseek(from, transfer.at, Whence::Hole)
                .unwrap_or(file.size_bytes.max(transfer.at + LARGE_BYTES))
                .max(transfer.at + 1);
            self.copy_range(transfer, file, hole)?;
            if transfer.at < hole {
                // The source ends inside the extent.
                return Ok(());
            }
        }
    }

    /// Makes a copy that was `moved` so far as long as what is whole of it.
    fn end(&self, transfer: &mut Transfer<'_>, moved: Result<()>) -> Copied {
        let Err(errno) = transfer.cut() else {
            return Ok(moved?);
        };
        let mut now = Stat::default();
        // Of one that cannot be looked at the worst is believed.
        let length =
            sys::stat_fd(transfer.files.to, &mut now).map_or(u64::MAX, |()| now.size_bytes);
        let is_longer = length > transfer.at;
        if moved.is_ok() && !is_longer {
            // Where no length can be set, it may be the right one all the same.
            if length < transfer.at {
                return Ok(Err(errno).during(Message::Extend)?);
            }
            return Ok(());
        }
        Err(Incomplete::Uncut {
            why: moved.err(),
            errno,
            // What was queued behind the write that failed may have been written.
            has_gaps: self.trace.has_gone(Way::Ring) && is_longer,
        })
    }

    /// Copies up to `end`, less where the source ends before, on one way after the other.
    ///
    /// # Errors
    /// The first that no way could get around.
    fn copy_range(
        &mut self,
        transfer: &mut Transfer<'_>,
        file: &FileFacts,
        end: u64,
    ) -> Result<()> {
        let mut route = Some(self.choose(transfer, file, end)?);
        transfer.end = end;
        while let Some(way) = route
            && transfer.at < end
        {
            self.run(way, transfer)?;
            if way.by == Way::Ring && transfer.at < end {
                // There is no ring any more, or a write did not take all: something may lie behind
                // a gap. If it cannot be cut off, what comes next writes over it.
                let _ = transfer.cut();
            }
            route = way.next();
        }
        Ok(())
    }

    /// Chooses which way a range goes, and finds out what has to be known for that.
    fn choose(&mut self, transfer: &mut Transfer<'_>, file: &FileFacts, end: u64) -> Result<Route> {
        let bytes = end - transfer.at;
        loop {
            match route(self.wish, file, bytes, &self.measured) {
                Ok(route) if route.is_compared => {
                    return self.compare(route, transfer, file.devices);
                }
                Ok(route) => return Ok(route),
                Err(Unknown::KernelCopies) => {
                    self.measured.kernel_copies = Some(kernel_copy::can_be_trusted());
                }
                Err(Unknown::Processors) => self.measured.processors = Some(usual_count()),
                Err(Unknown::Ring) => {
                    self.measured.ring = Some(self.ring.get().is_some());
                    self.trace.ring_refused = self.ring.refused();
                }
            }
        }
    }

    /// Copies the first of a range by two and by `splice`, and says which way the rest goes.
    fn compare(
        &mut self,
        by_two: Route,
        transfer: &mut Transfer<'_>,
        devices: Devices,
    ) -> Result<Route> {
        let splice = Route {
            by: Way::Splice,
            ..by_two
        };
        let by_two_ns = self.time(by_two, WARM_UP_OF_TWO_BYTES, transfer)?;
        let splice_ns = self.time(splice, WARM_UP_BYTES, transfer)?;
        let (Some(by_two_ns), Some(splice_ns)) = (by_two_ns, splice_ns) else {
            return Ok(by_two);
        };
        let is_quicker = splice_ns * BETTER_BY.1 < by_two_ns * BETTER_BY.0;
        self.measured.splice_is_quicker = Some((devices, is_quicker));
        Ok(if is_quicker { splice } else { by_two })
    }

    /// Copies some of a range on one way, and says how many nanoseconds [`TIMED_BYTES`] took that
    /// lie behind `warm_up` bytes; `None` where it ended before.
    fn time(
        &mut self,
        route: Route,
        warm_up: u64,
        transfer: &mut Transfer<'_>,
    ) -> Result<Option<u64>> {
        transfer.end = transfer.at + warm_up + TIMED_BYTES;
        transfer.start_lap_at(transfer.at + warm_up);
        self.run(route, transfer)?;
        let took_ns = transfer.end_lap();
        Ok((transfer.at == transfer.end).then_some(took_ns))
    }

    /// Copies on one way, as far as that goes.
    fn run(&mut self, route: Route, transfer: &mut Transfer<'_>) -> Result<()> {
        let start = transfer.at;
        transfer.begin_way(route.preallocates);
        match route.by {
            Way::CopyFileRange => kernel_copy::copy(transfer),
            Way::Splice => pipe::copy(transfer, &mut self.pipe),
            Way::Ring => return self.run_ring(route, transfer),
            Way::Thread => {
                let ended = thread_writer::copy(transfer, &mut self.slots, route.leaves_holes);
                let Some(ended) = ended else { return Ok(()) };
                self.trace.add(Way::Thread);
                return ended.copied;
            }
            Way::ReadWrite => {
                return self.read_and_write(transfer, Position::Given, route.leaves_holes);
            }
        }
        if transfer.at > start {
            self.trace.add(route.by);
        } else {
            self.trace.kernel_refused = true;
        }
        Ok(())
    }

    /// Copies by reads and writes, which give the final word.
    fn read_and_write(
        &mut self,
        transfer: &mut Transfer<'_>,
        position: Position,
        leaves_holes: bool,
    ) -> Result<()> {
        let start = transfer.at;
        let buffer = buffer(&mut self.buffer).during(Message::Read)?;
        let copied = read_write::copy(transfer, buffer, position, leaves_holes);
        if transfer.at > start {
            self.trace.add(Way::ReadWrite);
        }
        copied
    }

    /// Reads data and has it written through the ring.
    fn run_ring(&mut self, route: Route, transfer: &mut Transfer<'_>) -> Result<()> {
        let ring = self.ring.get().filter(|_| self.measured.ring == Some(true));
        let Some(ring) = ring else { return Ok(()) };
        self.trace.ring = Some(ring.rung());
        let depth = if route.queues { SLOTS } else { 1 };
        let ended = ring_writer::copy(transfer, ring, depth, route.leaves_holes);
        if ended.writer != WriterState::Unused {
            self.trace.add(Way::Ring);
        }
        match ended.writer {
            WriterState::Unused | WriterState::Usable => {}
            WriterState::OutOfOrder => {
                self.trace.disordered = true;
                self.measured.ring = Some(false);
            }
            WriterState::Broken => {
                self.ring.give_up();
                self.measured.ring = Some(false);
            }
        }
        ended.copied
    }
}

fn buffer(buffer: &mut Option<Buffer>) -> sys::Result<&mut [u8]> {
    if buffer.is_none() {
        *buffer = Some(Buffer::new(BUFFER_BYTES)?);
    }
    buffer.as_deref_mut().ok_or(Errno::ENOMEM)
}
