//! A range of a file's data, moved on the way that is best, or the one that is asked for.
//!
//! A way that fails hands over at the offset it reached, so that plain reads and writes, which
//! work everywhere, give the final word: the rest of the data, or the error to report.

use super::holes::write_but_zeros;
use super::lazy_ring::LazyRing;
use super::pipe::{FILE_TO_FILE_BYTES, PIPE_BYTES, Pipe};
use super::pipeline::{self, Files, Fitness, Range, SLOT_BYTES, SLOTS, Writer};
use super::plain;
use super::processors::usual_count;
use super::progress::Progress;
use super::route::{self, Facts, LARGE_BYTES, Route};
use super::trace::{Trace, Ways};
use super::wish::{Io, Way, Wish};
use super::writers::{Handover, RingWriter, ThreadWriter};
use crate::report::{During, Message, Result};
use crate::sys::{self, BorrowedFd, Buffer, Errno, KernelVersion, Stat, Team};

/// How much of the buffer plain copies use. It fits a processor's own cache.
const BUFFER_BYTES: usize = 256 << 10;

/// How much goes through a pipe before it is said how far the copy has come.
const PART_BYTES: u64 = 4 << 20;

/// The most that one `copy_file_range` is asked for: no more than a server copies in a moment, so
/// that it is seen how far the copy has come.
const KERNEL_COPY_BYTES: usize = 64 << 20;

/// How much is timed where two ways are compared.
const TIMED_BYTES: u64 = 24 << 20;

/// How much is copied before that by `splice`: beginning takes its time once.
const WARM_UP_BYTES: u64 = 8 << 20;

/// And by two: threads that come to run on one processor are parted only after some 70 ms (Linux
/// 6.18, two processors).
const WARM_UP_OF_TWO_BYTES: u64 = 256 << 20;

/// `splice` has to take less than this part of the time: two may still come to their speed.
const BETTER_BY: (u64, u64) = (3, 4);

/// How far ahead of what is written blocks are allocated at the most.
const AHEAD_BYTES: u64 = 64 << 20;

/// The file system that a file is on, asked for once for all files of a device.
#[derive(Debug)]
pub struct FileSystem {
    dev: u64,
    /// See [`super::route`]; of the unknown 0.
    pub kind: u64,
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
}

/// What is done each time more of a file is whole.
struct Advance<'a> {
    /// Is told how far the copy has come.
    progress: &'a Progress<'a>,
    /// Blocks are allocated ahead of what is written. What is left of them `ftruncate` gives back.
    allocates: bool,
    /// Up to where they are.
    allocated_to: u64,
    /// Where the clock is to be looked at, and what it said.
    lap_at: u64,
    lap_ns: u64,
}

impl Advance<'_> {
    /// All up to `at` is whole, where it was up to `from`; no blocks are needed behind `end`.
    fn to(&mut self, files: Files<'_>, from: u64, at: u64, end: u64) {
        self.progress.moved(at - from);
        // Behind a hole not before the file reaches there: cutting it gives back what lies behind its
        // end, making it longer does not.
        let reaches = at > from || at == 0;
        if self.allocates && reaches && self.allocated_to < end.min(at + AHEAD_BYTES / 2) {
            let start = self.allocated_to.max(at);
            self.allocated_to = end.min(at + AHEAD_BYTES);
            // A disk that is full says so when it is written.
            let len_bytes = self.allocated_to - start;
            self.allocates = sys::preallocate(files.to, start, len_bytes).is_ok();
        }
        if at >= self.lap_at {
            self.lap_at = u64::MAX;
            self.lap_ns = sys::monotonic_ns();
        }
    }
}

/// Copies ranges; keeps the buffer, the ring and what was learnt from file to file.
pub struct RangeMover<'a> {
    wish: Wish,
    /// Which way the last file went.
    pub trace: Trace,
    buffer: Option<Buffer>,
    /// What is read into where another thread writes.
    slots: Option<Buffer>,
    pipe: Option<Pipe>,
    pub ring: LazyRing,
    /// Whether `copy_file_range` can be trusted, once that was of interest.
    kernel_copies: Option<bool>,
    processors: Option<u32>,
    /// Between which two devices it was found whether `splice` is better.
    found: Option<((u64, u64), bool)>,
    /// Where the last file with data came from.
    pub source: FileSystem,
    /// Where the last large file went to.
    pub destination: FileSystem,
    /// The last large file was in memory, by all signs.
    is_cached: bool,
    /// The last file is on the file systems above, and it was looked at whether it is in memory.
    is_looked_at: bool,
    /// Whether the ring may be used for the last file. One that broke is not used again.
    ring_fitness: Fitness,
    advance: Advance<'a>,
}

impl<'a> RangeMover<'a> {
    pub const fn new(wish: Wish, progress: &'a Progress<'a>) -> Self {
        Self {
            wish,
            trace: Trace::NEW,
            buffer: None,
            slots: None,
            pipe: None,
            ring: LazyRing::UNTRIED,
            kernel_copies: None,
            processors: None,
            found: None,
            source: FileSystem::UNKNOWN,
            destination: FileSystem::UNKNOWN,
            is_cached: true,
            is_looked_at: false,
            ring_fitness: Fitness::Fit,
            advance: Advance {
                progress,
                allocates: false,
                allocated_to: 0,
                lap_at: u64::MAX,
                lap_ns: 0,
            },
        }
    }

    /// Who is told how far the copy has come.
    pub const fn progress(&self) -> &'a Progress<'a> {
        self.advance.progress
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

    /// Takes down what is to be known of two files of which `size` bytes are to be copied.
    pub fn look_at(&mut self, files: Files<'_>, devices: (u64, u64), size: u64) {
        self.source.look_at(files.from, devices.0);
        if self.ring_fitness == Fitness::Disordered {
            self.ring_fitness = Fitness::Fit;
        }
        self.advance.allocated_to = 0;
        self.is_looked_at = size > LARGE_BYTES || self.wish.io == Io::Only(Way::Ring);
        if !self.is_looked_at {
            return;
        }
        self.destination.look_at(files.to, devices.1);
        // Advice only: read ahead further.
        let _ = sys::fadvise_sequential(files.from);
        self.advance.allocates =
            route::allocates_ahead(self.destination.kind) && !self.wish.leaves_holes();
        self.is_cached = [0, size / 2].iter().all(|&at| is_cached(files.from, at));
    }

    /// Whether `copy_file_range` may be asked to copy: it may share blocks, and leave holes.
    fn may_copy_within_kernel(&mut self) -> bool {
        self.wish.shares_blocks()
            && matches!(
                self.wish.io,
                Io::Auto | Io::Sync | Io::Only(Way::CopyFileRange)
            )
            && *self.kernel_copies.get_or_insert_with(kernel_copies)
    }

    /// Copies the bytes from `at` to `end`, less where the source ends before. `at` says up to where
    /// all is whole, whatever happens.
    ///
    /// # Errors
    /// The first that no way could get around.
    pub fn copy(&mut self, files: Files<'_>, at: &mut u64, end: u64) -> Result<()> {
        let way = match self.wish.io {
            Io::Only(way) if end - *at > LARGE_BYTES || way == Way::Ring => way,
            Io::Only(_) => Way::ReadWrite,
            Io::Auto | Io::Sync => self.choose(files, at, end)?,
        };
        self.copy_by(way, files, at, end)?;
        if *at < end && matches!(way, Way::Ring | Way::Thread) {
            // There is no such writer, or not any more; or a write did not take all. Then something
            // may lie behind a gap.
            if way == Way::Ring && sys::ftruncate(files.to, *at).is_ok() {
                self.advance.allocated_to = *at;
            }
            self.copy_by(Way::Splice, files, at, end)?;
        }
        self.copy_plainly(files, at, end)
    }

    /// Chooses which way a range goes; where that has to be found out, by copying the first of it.
    fn choose(&mut self, files: Files<'_>, at: &mut u64, end: u64) -> Result<Way> {
        let Route { way, is_tried } = self.route(end - *at);
        if !is_tried || self.wish.leaves_holes() {
            return Ok(way);
        }
        let devices = (self.source.dev, self.destination.dev);
        if self.found.is_none_or(|(pair, _)| pair != devices) {
            let by_two_ns = self.time(way, WARM_UP_OF_TWO_BYTES, files, at)?;
            let alone_ns = self.time(Way::Splice, WARM_UP_BYTES, files, at)?;
            let (Some(by_two_ns), Some(alone_ns)) = (by_two_ns, alone_ns) else {
                return Ok(way);
            };
            let is_better = alone_ns * BETTER_BY.1 < by_two_ns * BETTER_BY.0;
            self.found = Some((devices, is_better));
        }
        let is_better = self.found.is_some_and(|(_, is_better)| is_better);
        Ok(if is_better { Way::Splice } else { way })
    }

    /// Which way so many bytes go, once it is known whether there is a ring.
    fn route(&mut self, bytes: u64) -> Route {
        let mut facts = Facts {
            destination: self.destination.kind,
            bytes,
            is_cached: self.is_cached,
            processors: 1,
            is_alone: self.wish.is_alone,
            has_ring: self.wish.io == Io::Auto
                && self.is_looked_at
                && self.ring_fitness == Fitness::Fit,
        };
        if bytes >= route::LEAST_FOR_TWO {
            facts.processors = *self.processors.get_or_insert_with(usual_count);
        }
        let route = route::route(&facts);
        if route.way == Way::Ring && self.ring.get().is_none() {
            self.trace.ring_refused = self.ring.refused();
            facts.has_ring = false;
            return route::route(&facts);
        }
        route
    }

    /// Copies some of a range on one way, and says how many nanoseconds [`TIMED_BYTES`] took that lie
    /// behind `warm_up` bytes; `None` where it ended before.
    fn time(
        &mut self,
        way: Way,
        warm_up: u64,
        files: Files<'_>,
        at: &mut u64,
    ) -> Result<Option<u64>> {
        let end = *at + warm_up + TIMED_BYTES;
        self.advance.lap_at = *at + warm_up;
        self.copy_by(way, files, at, end)?;
        self.advance.lap_at = u64::MAX;
        let took_ns = sys::monotonic_ns() - self.advance.lap_ns;
        Ok((*at == end).then_some(took_ns))
    }

    /// Copies the bytes from `at` to `end` on one way, as far as that goes; reads and writes of one
    /// thread are what comes after it, and do it where blocks of zeros have to be looked for.
    fn copy_by(&mut self, way: Way, files: Files<'_>, at: &mut u64, end: u64) -> Result<()> {
        match way {
            Way::CopyFileRange => self.copy_within_kernel(files, at, end),
            Way::Splice if !self.wish.leaves_holes() => self.splice(files, at, end),
            Way::Splice | Way::ReadWrite => {}
            Way::Ring => return self.copy_by_ring(files, at, end),
            Way::Thread => return self.copy_by_thread(files, at, end),
        }
        Ok(())
    }

    /// Reads data and has it written through the ring.
    fn copy_by_ring(&mut self, files: Files<'_>, at: &mut u64, end: u64) -> Result<()> {
        let in_order = route::queues_in_order(self.destination.kind);
        let range = self.range(files, end, if in_order { SLOTS } else { 1 });
        let ring = self
            .ring
            .get()
            .filter(|_| self.ring_fitness == Fitness::Fit);
        let Some(ring) = ring else {
            return Ok(());
        };
        self.trace.ring = Some(ring.rung());
        let mut writer = RingWriter {
            ring,
            to: files.to,
            newest: None,
        };
        let carried = carry_by(&mut writer, &range, at, &mut self.advance);
        if writer.newest.is_some() {
            self.trace.ways |= Ways::RING;
        }
        self.ring_fitness = carried?;
        self.trace.disordered |= self.ring_fitness == Fitness::Disordered;
        Ok(())
    }

    /// Reads data and has it written by another thread.
    fn copy_by_thread(&mut self, files: Files<'_>, at: &mut u64, end: u64) -> Result<()> {
        let range = self.range(files, end, SLOTS);
        if self.slots.is_none() {
            self.slots = Buffer::new(SLOTS as usize * SLOT_BYTES).ok();
        }
        let Some(slots) = self.slots.as_deref_mut() else {
            return Ok(());
        };
        let handover = Handover::new(files.to);
        let (advance, trace) = (&mut self.advance, &mut self.trace);
        Team::with(&handover, Handover::write_all, 1, |team| {
            if team.start(1) == 0 {
                return Ok(());
            }
            trace.ways |= Ways::THREAD;
            let mut writer = ThreadWriter::new(&handover, slots.chunks_exact_mut(SLOT_BYTES));
            let carried = carry_by(&mut writer, &range, at, advance);
            handover.end();
            carried.map(drop)
        })
    }

    fn range<'f>(&self, files: Files<'f>, end: u64, depth: u32) -> Range<'f> {
        let leaves_holes = self.wish.leaves_holes();
        Range {
            files,
            end,
            depth,
            leaves_holes,
        }
    }

    /// Lets the kernel copy, if it is to and will.
    fn copy_within_kernel(&mut self, files: Files<'_>, at: &mut u64, end: u64) {
        if !self.may_copy_within_kernel() {
            return;
        }
        let start = *at;
        while *at < end {
            let (mut read_at, mut write_at) = (*at, *at);
            let want = usize::try_from(end - *at).unwrap_or(KERNEL_COPY_BYTES);
            let want = want.min(KERNEL_COPY_BYTES);
            let (read_at, write_at) = (Some(&mut read_at), Some(&mut write_at));
            let copied = sys::copy_file_range(files.from, read_at, files.to, write_at, want);
            let Ok(count @ 1..) = copied else {
                break;
            };
            *at += count as u64;
            self.trace.ways |= Ways::COPY_FILE_RANGE;
            self.advance.progress.moved(count as u64);
        }
        self.trace.kernel_refused |= *at == start;
    }

    /// Lets the kernel move data through a pipe. What goes through it are the source's own pages: where
    /// that was cut meanwhile, they end in zeros that no read would have given.
    fn splice(&mut self, files: Files<'_>, at: &mut u64, end: u64) {
        if self.pipe.is_none() {
            // Without a pipe plain calls do it.
            self.pipe = Pipe::new(FILE_TO_FILE_BYTES, PIPE_BYTES).ok();
        }
        let start = *at;
        self.advance.to(files, start, start, end);
        while let Some(pipe) = &self.pipe
            && *at < end
        {
            let (part_start, part_end) = (*at, end.min(*at + PART_BYTES));
            if !pipe.carry(files.from, files.to, at, part_end) {
                self.pipe = None;
            }
            let mut now = Stat::default();
            if sys::stat_fd(files.from, &mut now).is_ok() && now.size_bytes < *at {
                *at = now.size_bytes.max(part_start);
            }
            self.advance.to(files, part_start, *at, end);
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

    /// Copies by reads and writes of one buffer.
    ///
    /// # Errors
    /// The final word about what can be read and written.
    pub fn copy_plainly(&mut self, files: Files<'_>, at: &mut u64, end: u64) -> Result<()> {
        let leaves_holes = self.wish.leaves_holes();
        while *at < end {
            let buffer = self.buffer().during(Message::Read)?;
            let want = usize::try_from(end - *at).unwrap_or(BUFFER_BYTES);
            let room = buffer.get_mut(..want.min(BUFFER_BYTES)).unwrap_or_default();
            let count = plain::read_at(files.from, room, *at).during(Message::Read)?;
            match room.get(..count) {
                Some(data @ [_, ..]) if leaves_holes => {
                    write_but_zeros(files.to, data, *at).during(Message::Write)?;
                }
                Some(data @ [_, ..]) => {
                    plain::write_all_at(files.to, data, *at).during(Message::Write)?;
                }
                _ => break,
            }
            *at += count as u64;
            self.trace.ways |= Ways::PLAIN;
            self.advance.progress.moved(count as u64);
        }
        Ok(())
    }
}

/// Copies a range by way of a writer.
fn carry_by(
    writer: &mut dyn Writer,
    range: &Range<'_>,
    at: &mut u64,
    advance: &mut Advance<'_>,
) -> Result<Fitness> {
    let (files, mut whole) = (range.files, *at);
    advance.to(files, whole, whole, range.end);
    pipeline::carry(writer, range, at, &mut |now| {
        advance.to(files, whole, now, range.end);
        whole = now;
    })
}

/// Whether `copy_file_range` is to be used: kernels before 5.3 lose data with it, and between
/// file systems those before 5.19 (`man 2 copy_file_range`, BUGS).
fn kernel_copies() -> bool {
    sys::kernel_version().is_ok_and(|version| version >= KernelVersion(5, 19))
}

/// Whether what a file holds at an offset can be read without waiting.
fn is_cached(file: BorrowedFd<'_>, at: u64) -> bool {
    match sys::pread_cached(file, &mut [0], at) {
        Ok(_) => true,
        Err(Errno::EAGAIN) => false,
        // Not every file system can tell (overlayfs): whether a disk has to be asked does.
        Err(_) => {
            let before = sys::blocks_read();
            // Advice only.
            let _ = sys::fadvise_will_need(file, at..at + BUFFER_BYTES as u64);
            sys::blocks_read() == before
        }
    }
}
