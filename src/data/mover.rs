//! One file's data: shared with the source, streamed, or copied range by range.
//!
//! Which way it goes is chosen in [`super::route`]; here it goes that way, and where one ends early
//! the next one begins at the offset it reached. Ranges are written in order: whatever stops a
//! copy, what is left of it is a prefix of the source, and whoever reads it meanwhile sees no byte
//! that is not the source's.

use super::clone;
use super::facts::{self, FileSystem, is_cached};
use super::kernel_copy;
use super::lazy_ring::LazyRing;
use super::limits::{BUFFERS_BYTES, buffer_share, usual_count};
use super::pipe::{self, Pipe};
use super::pipeline::{self, SLOTS, WriterState};
use super::plain;
use super::progress::Progress;
use super::read_write::{self, Position};
use super::ring_writer::RingWriter;
use super::route::file_systems::FUSE;
use super::route::{FileFacts, FileRoute, LARGE_BYTES, Measured, Ranges, Route, Unknown};
use super::route::{is_exact, is_far, route, route_file};
use super::thread_writer;
use super::trace::{Blocks, Trace};
use super::transfer::{Files, READ_AT_ONCE_BYTES, Transfer};
use super::wish::{Io, Reflink, Way, Wish};
use crate::report::{During, Failure, Message, Result};
use crate::sys::{self, BorrowedFd, Buffer, Errno, FileType, Stat, Whence};

/// So much is read on the stack as long as no buffer is needed: for one small file alone that is a
/// system call less.
const SHORT_BYTES: usize = 4 << 10;

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

/// What is known of a file that data goes to.
#[derive(Debug, Clone, Copy)]
pub struct Destination {
    /// Its type.
    pub kind: FileType,
    /// The device that it is on, where that is known.
    pub device: Option<u64>,
    /// How long it is.
    pub size_bytes: u64,
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
    /// What is read from a device stays in the page cache, or does not.
    keeps_pages: Option<(u64, bool)>,
    buffer: Option<Buffer>,
    /// How much of it was used for the last file.
    share: usize,
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
            keeps_pages: None,
            buffer: None,
            share: 0,
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
        plain::buffer(&mut self.buffer, BUFFERS_BYTES)
    }

    /// So many copy at the same time: the more, the less memory each takes.
    pub const fn set_workers(&mut self, workers: u32) {
        self.measured.workers = workers;
    }

    /// Copies all of a file to another, empty one.
    ///
    /// # Errors
    /// The first error that no way could get around, and what there is of the copy; why there is
    /// no ring that `--io=ring` asks for.
    pub fn copy(&mut self, files: Files<'_>, stat: &Stat, destination: Destination) -> Copied {
        let size = stat.size_bytes;
        let facts = FileFacts {
            kinds: (stat.kind, destination.kind),
            devices: (stat.id.dev, destination.device),
            size_bytes: size,
            blocks: stat.blocks,
            source: 0,
            destination: 0,
            is_cached: None,
        };
        if stat.kind != FileType::Regular || size > LARGE_BYTES {
            self.progress.begin();
        }
        self.trace.kernel_avoided = !self.wish.shares_blocks();
        self.trace.blocks = Blocks::Own;
        let transfer = &mut Transfer::new(files, facts, self.progress);
        transfer.leaves_holes = self.wish.leaves_holes(destination.kind);
        match route_file(self.wish, &transfer.file, &self.measured) {
            FileRoute::Clone => {
                let mut shared = self.share(transfer).map(drop);
                if shared.is_ok() && destination.size_bytes > size {
                    shared = sys::ftruncate(files.to, size).during(Message::Truncate);
                }
                Ok(shared?)
            }
            FileRoute::Stream => Ok(self.copy_stream(transfer)?),
            FileRoute::Ranges(ranges) => self.copy_ranges(transfer, ranges),
        }
    }

    /// Copies what comes from the source's position on, until nothing more does.
    fn copy_stream(&mut self, transfer: &mut Transfer<'_>) -> Result<()> {
        self.trace.begin(transfer.leaves_holes);
        transfer.end = u64::MAX;
        let position = match transfer.file.kinds.0 {
            FileType::Regular => Position::Own,
            _ => Position::Awaited,
        };
        self.read_and_write(transfer, position)?;
        if transfer.leaves_holes {
            // What it ends with may be a hole.
            transfer.cut().during(Message::Extend)?;
        }
        Ok(())
    }

    fn copy_ranges(&mut self, transfer: &mut Transfer<'_>, ranges: Ranges) -> Copied {
        let (Files { from, to }, size) = (transfer.files, transfer.file.size_bytes);
        let (source_device, destination_device) = transfer.file.devices;
        if self.wish.io == Io::Only(Way::Ring) {
            self.ring.require()?;
        }
        if ranges.shares_blocks && self.share(transfer)? {
            self.progress.moved(size);
            return Ok(());
        }
        if self.measured.unshareable == Some(transfer.file.devices) {
            self.trace.blocks = Blocks::Unshareable;
        }
        self.trace.begin(transfer.leaves_holes);
        // A ring that did not keep the order is given up for one file only.
        self.measured.ring = None;
        let source = self.source.kind_of(from, Some(source_device));
        transfer.file.source = source;
        if ranges.is_looked_at {
            transfer.file.destination = self.destination.kind_of(to, destination_device);
            read_further_ahead(from);
            transfer.file.is_cached = Some(is_cached(from, size));
            self.learn_of_cache(transfer);
        } else if is_far(source) && size > READ_AT_ONCE_BYTES {
            read_further_ahead(from);
            // To look would take as long as to read.
            transfer.file.is_cached = Some(false);
        }
        let moved = if ranges.skips_holes {
            self.copy_extents(transfer)
        } else {
            self.copy_whole(transfer, is_exact(source))
        };
        if transfer.file.is_cached == Some(false) {
            self.learn_of_cache(transfer);
        }
        // Where the source has lost, or something failed, there may be blocks behind what is whole,
        // or what was written while an earlier write failed; before its end, a hole.
        let may_end_in_hole = ranges.skips_holes || transfer.leaves_holes;
        if may_end_in_hole || transfer.at < size || moved.is_err() {
            return self.end(transfer, moved);
        }
        Ok(())
    }

    /// Tries to have the copy share its source's blocks. A refusal that is about the two file
    /// systems is remembered, so that a tree asks once.
    fn share(&mut self, transfer: &Transfer<'_>) -> Result<bool> {
        self.trace.blocks = Blocks::Unshareable;
        let Files { from, to } = transfer.files;
        let Err(errno) = sys::ficlone(from, to) else {
            self.trace.blocks = Blocks::Shared;
            return Ok(true);
        };
        let is_for_all = clone::is_about_file_systems(errno);
        if is_for_all {
            self.measured.unshareable = Some(transfer.file.devices);
        }
        if self.wish.reflink != Reflink::Always && (is_for_all || clone::is_about_files(errno)) {
            return Ok(false);
        }
        Err(errno).during(Message::Clone)
    }

    /// Copies from offset 0 to wherever the source ends, which is expected at its size.
    fn copy_whole(&mut self, transfer: &mut Transfer<'_>, is_exact: bool) -> Result<()> {
        let size = transfer.file.size_bytes;
        self.copy_range(transfer, size)?;
        if transfer.at == size && size <= LARGE_BYTES && is_exact {
            return Ok(());
        }
        // What the source has gained since.
        transfer.end = u64::MAX;
        transfer.begin_way(false, false);
        self.read_and_write(transfer, Position::Given)
    }

    /// Copies to wherever the source ends, leaving out its holes.
    fn copy_extents(&mut self, transfer: &mut Transfer<'_>) -> Result<()> {
        let from = transfer.files.from;
        loop {
            // Both move forward, whatever a file system answers: no answer makes this loop.
            let data = sys::lseek(from, transfer.at, Whence::Data);
            self.trace.seek_hole |= matches!(data, Ok(_) | Err(Errno::ENXIO));
            if data == Err(Errno::ENXIO) {
                // A hole up to the source's end, which may be another by now.
                let end = sys::size_fd(from).during(Message::Read)?;
                transfer.skip_to(end.max(transfer.at));
                return Ok(());
            }
            // Another error was told before: what cannot be read says why.
            transfer.skip_to(data.unwrap_or(0).max(transfer.at));
            // Where no hole can be found, all of it is copied as data.
            let hole = sys::lseek(from, transfer.at, Whence::Hole)
                .unwrap_or(transfer.file.size_bytes.max(transfer.at + LARGE_BYTES))
                .max(transfer.at + 1);
            self.copy_range(transfer, hole)?;
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
        // Of one that cannot be looked at the worst is believed.
        let length = sys::size_fd(transfer.files.to).unwrap_or(u64::MAX);
        match moved {
            // Where no length can be set, it may be the right one all the same.
            Ok(()) if length == transfer.at => Ok(()),
            Ok(()) if length < transfer.at => Err(Failure::new(Message::Extend, errno).into()),
            _ => Err(Incomplete::Uncut {
                why: moved.err(),
                errno,
                // What was queued behind the write that failed may have been written.
                has_gaps: self.trace.ring.is_some() && length > transfer.at,
            }),
        }
    }

    /// Copies up to `end`, less where the source ends before, on one way after the other.
    ///
    /// # Errors
    /// The first that no way could get around.
    fn copy_range(&mut self, transfer: &mut Transfer<'_>, end: u64) -> Result<()> {
        let route = self.choose(transfer, end)?;
        transfer.end = end;
        for &way in route.ways {
            if transfer.at >= end {
                break;
            }
            self.run(way, route, transfer)?;
            if way == Way::Ring && transfer.at < end {
                // There is no ring any more, or a write did not take all: something may lie behind
                // a gap. If it cannot be cut off, what comes next writes over it.
                let _ = transfer.cut();
            }
        }
        Ok(())
    }

    /// Chooses which way a range goes, and finds out what has to be known for that.
    fn choose(&mut self, transfer: &mut Transfer<'_>, end: u64) -> Result<Route> {
        loop {
            match route(self.wish, &transfer.file, end - transfer.at, &self.measured) {
                Ok(route) if route.is_compared => return self.compare(route, transfer),
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

    /// Copies the first of a range on each of the route's first two ways, and says which way the
    /// rest goes: what is timed is [`TIMED_BYTES`] that lie behind those that warm it up.
    fn compare(&mut self, mut route: Route, transfer: &mut Transfer<'_>) -> Result<Route> {
        let [by_two, others @ ..] = route.ways else {
            return Ok(route);
        };
        let (mut by_two_ns, mut splice_ns) = (0, 0);
        for (way, warm_up_bytes, ns) in &mut [
            (*by_two, WARM_UP_OF_TWO_BYTES, &mut by_two_ns),
            (Way::Splice, WARM_UP_BYTES, &mut splice_ns),
        ] {
            transfer.lap_at = transfer.at + *warm_up_bytes;
            transfer.end = transfer.lap_at + TIMED_BYTES;
            self.run(*way, route, transfer)?;
            **ns = transfer.end_lap();
            if transfer.at < transfer.end {
                return Ok(route);
            }
        }
        let is_quicker = splice_ns * BETTER_BY.1 < by_two_ns * BETTER_BY.0;
        self.measured.splice_is_quicker = Some((transfer.file.devices, is_quicker));
        if is_quicker {
            route.ways = others;
        }
        Ok(route)
    }

    /// Copies on one way, as far as that goes.
    fn run(&mut self, way: Way, route: Route, transfer: &mut Transfer<'_>) -> Result<()> {
        let start = transfer.at;
        let mut copied = Ok(());
        // Where the kernel copies, a server may do it where the data lies.
        let is_awaited = transfer.file.is_cached == Some(false) && way != Way::CopyFileRange;
        // Else all would be sent twice.
        let keeps_pages = self.keeps_pages != Some((transfer.file.devices.0, false));
        let reads_ahead = is_awaited && keeps_pages;
        transfer.begin_way(route.preallocates && way.allocates_ahead(), reads_ahead);
        match way {
            Way::CopyFileRange => self.copy_by_kernel(transfer),
            Way::Splice => pipe::copy(transfer, &mut self.pipe),
            Way::Ring => copied = self.run_ring(transfer, route.queues),
            Way::Thread => copied = thread_writer::copy(transfer, &mut self.slots),
            Way::ReadWrite => return self.read_and_write(transfer, Position::Given),
        }
        if transfer.at > start {
            self.trace.add(way);
        } else if matches!(way, Way::CopyFileRange | Way::Splice) {
            self.trace.kernel_refused = true;
        }
        copied
    }

    /// Learns, of a file of which something was read, whether it pays to read ahead from its device.
    fn learn_of_cache(&mut self, transfer: &Transfer<'_>) {
        let (device, _) = transfer.file.devices;
        if self.keeps_pages.is_none_or(|known| known.0 != device) {
            let keeps = transfer.file.source != FUSE || facts::has_stayed(transfer.files.from);
            self.keeps_pages = Some((device, keeps));
        }
    }

    /// Has the kernel copy, and learns how it does.
    fn copy_by_kernel(&mut self, transfer: &mut Transfer<'_>) {
        let devices = transfer.file.devices;
        let known = self
            .measured
            .copies_in_pieces
            .filter(|known| known.0 == devices);
        let known = kernel_copy::copy(transfer, known.map(|known| known.1));
        self.measured.copies_in_pieces = known.map(|known| (devices, known));
    }

    /// Copies by reads and writes, which give the final word.
    fn read_and_write(&mut self, transfer: &mut Transfer<'_>, position: Position) -> Result<()> {
        let start = transfer.at;
        let is_short = transfer.end - start <= SHORT_BYTES as u64;
        let copied = if is_short && self.buffer.is_none() {
            read_write::copy(transfer, &mut [0; SHORT_BYTES], position)
        } else {
            let share = buffer_share(self.measured.workers);
            if share < self.share {
                // What was used beyond it is given back.
                self.buffer = None;
            }
            self.share = share;
            let buffer = plain::buffer(&mut self.buffer, BUFFERS_BYTES).during(Message::Read)?;
            let buffer = buffer.get_mut(..share).unwrap_or_default();
            read_write::copy(transfer, buffer, position)
        };
        if transfer.at > start {
            self.trace.add(Way::ReadWrite);
        }
        copied
    }

    /// Reads data and has it written through the ring.
    fn run_ring(&mut self, transfer: &mut Transfer<'_>, queues: bool) -> Result<()> {
        let ring = self.ring.get().filter(|_| self.measured.ring == Some(true));
        let Some(ring) = ring else { return Ok(()) };
        let (to, newest) = (transfer.files.to, 0);
        let level = ring.setup_level();
        let ring = ring.session();
        let mut writer = RingWriter { ring, to, newest };
        let depth = if queues { SLOTS } else { 1 };
        let (copied, state) = pipeline::copy(transfer, &mut writer, depth);
        drop(writer);
        if state != WriterState::Unused {
            self.trace.ring = Some(level);
        }
        if matches!(state, WriterState::OutOfOrder | WriterState::Broken) {
            self.measured.ring = Some(false);
        }
        self.trace.disordered |= state == WriterState::OutOfOrder;
        if state == WriterState::Broken {
            self.ring.give_up();
        }
        copied
    }
}

/// Says that a file is read in order.
fn read_further_ahead(file: BorrowedFd<'_>) {
    // Advice only.
    let _ = sys::fadvise_sequential(file);
}
