//! Operands one after the other, and which way each one's data goes to standard output.

use core::ffi::CStr;

use super::filter::{Filter, Shown};
use crate::copy::conduit::{Conduit, FILE_TO_FILE_BYTES, PIPE_BYTES, widen};
use crate::copy::data::EXT4;
use crate::copy::failure;
use crate::copy::lazy_ring::LazyRing;
use crate::copy::options::Io;
use crate::copy::plain::{self, NO_MODE};
use crate::copy::pump::{Place, pump};
use crate::copy::ui::{Message, Ui};
use crate::sys::{
    self, BorrowedFd, Buffer, CWD, Errno, FileId, FileType, OFlags, Result, STDIN, STDOUT, Stat,
    Whence,
};

/// How much is read at a time; what holds more is moved by the kernel where it can.
/// In one mapping with as much again for filtered output. Pages that are not reached are
/// never touched.
const BUFFER_BYTES: usize = 128 << 10;

/// What is being done: which message an error gets. Beside a `Result` of one register this
/// costs less than an error that tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Step {
    /// An operand is opened or read.
    Read = failure::MESSAGE_COUNT,
    /// An operand is what is being written, which would never end.
    SameFile,
    /// Standard output is written or closed.
    Write,
    /// Standard output is looked at.
    Look,
    /// Standard input is closed.
    CloseInput,
    /// A message was given, and it goes no further.
    Told,
}

/// The messages of `Step`.
pub const MESSAGES: &str = "\
{0}\0\
{0}: input file is output file\0\
write error\0\
standard output\0\
closing standard input\0";

/// How many messages there are, `copy`'s and these.
pub const MESSAGE_COUNT: u8 = Step::Told as u8;

/// That standard output failed.
pub const WRITE_ERROR: Message = Message::new(Step::Write as u8);

/// Prints operands to standard output.
#[repr(C)] // small fields first: they are reached by shorter instructions
struct Cat<'a> {
    step: Step,
    /// Standard output is a regular file.
    to_file: bool,
    /// Standard input was wanted and found to be closed.
    stdin_closed: bool,
    /// The filter changes something.
    filtered: bool,
    /// Regular files go through the ring.
    by_ring: bool,
    /// Of what was looked at last.
    stat: Stat,
    /// How much of each operand is read and written before the kernel is asked to move the
    /// rest: to find out how costs a small file more than it gains.
    copied_bytes: usize,
    ui: &'a mut dyn Ui,
    /// Standard output, if it is a regular file.
    output: FileId,
    buffer: Result<Buffer>,
    ring: LazyRing,
    filter: Filter,
}

/// Prints the operands, `-` being standard input, with their bytes as `shown` says, and closes
/// standard output. What fails is told to the `Ui`.
///
/// To be called once: memory and descriptors stay taken until the program exits.
pub fn concatenate(operands: &[&CStr], shown: Shown, io: Io, ui: &mut dyn Ui) {
    let mut cat = Cat {
        step: Step::Look,
        to_file: false,
        stdin_closed: false,
        filtered: !shown.is_empty(),
        // Only where it is asked for. Moving a file within the kernel takes 0.6 to 0.8 of the
        // ring's time, as writes in order gain nothing from it.
        by_ring: io == Io::Ring && shown.is_empty(),
        copied_bytes: if io == Io::Ring || !shown.is_empty() {
            usize::MAX
        } else {
            BUFFER_BYTES
        },
        ui,
        output: FileId::default(),
        stat: Stat::default(),
        buffer: Buffer::new(2 * BUFFER_BYTES),
        ring: LazyRing::Untried,
        filter: Filter::new(shown),
    };
    if cat.filtered {
        cat.filter.prepare();
    }
    let done = cat.print_all(operands);
    if let Err(errno) = done {
        cat.report(b"", errno);
    }
    core::mem::forget(cat);
}

impl Cat<'_> {
    #[inline(never)]
    fn print_all(&mut self, operands: &[&CStr]) -> Result<()> {
        sys::stat_fd(STDOUT, &mut self.stat)?;
        if self.stat.kind == FileType::Regular {
            self.to_file = true;
            self.output = self.stat.id;
        }
        for operand in operands {
            self.step = Step::Read;
            if let Err(errno) = self.operand(operand) {
                if self.step == Step::Write {
                    return Err(errno);
                }
                self.report(operand.to_bytes(), errno);
                if errno == Errno::EBADF {
                    // Standard input, or it is open for writing only.
                    self.stdin_closed = stdin_is_closed();
                }
                if self.step == Step::Told {
                    break;
                }
            }
        }
        if self.stdin_closed {
            self.step = Step::CloseInput;
            self.report(b"", Errno::EBADF);
        }
        self.step = Step::Write;
        // What the filter held back, and what only closing tells.
        if self.filter.holds_return() {
            plain::write_all(STDOUT, b"\r")?;
        }
        if self.to_file {
            sys::close_stdout()
        } else {
            Ok(())
        }
    }

    #[inline(never)]
    fn report(&mut self, name: &[u8], errno: Errno) {
        if self.step == Step::Told {
            return;
        }
        let errno = (self.step != Step::SameFile).then_some(errno);
        self.ui.tell(Message::new(self.step as u8), &[name], errno);
    }

    fn operand(&mut self, operand: &CStr) -> Result<()> {
        if operand.to_bytes() != b"-" {
            let fd = plain::open(CWD, operand, OFlags::empty(), NO_MODE)?;
            return self.print(fd.as_fd());
        }
        self.print(STDIN)
    }

    /// Prints what `from` still holds; only standard input can have been read from before.
    #[inline(never)]
    fn print(&mut self, from: BorrowedFd<'_>) -> Result<()> {
        // Anything else than a regular file as output takes data as it is read, from
        // whatever it is read: nothing need be known of the input.
        let mut copied_bytes = self.copied_bytes;
        if self.to_file || self.by_ring {
            sys::stat_fd(from, &mut self.stat)?;
            let stat = &self.stat;
            if stat.kind == FileType::Regular {
                if self.output == stat.id {
                    // Printed over itself: reading ahead of the writes is not asked for.
                    self.check_order(from)?;
                    copied_bytes = usize::MAX;
                } else if self.by_ring {
                    self.print_by_ring(from)?;
                } else if stat.size_bytes > copied_bytes as u64 {
                    copied_bytes = 0;
                }
            }
        }
        while !self.print_plainly(from, copied_bytes)? {
            self.print_by_kernel(from)?;
            copied_bytes = usize::MAX;
        }
        Ok(())
    }

    /// Lets the kernel move what `from` holds, as far as it will; plain calls find out why it
    /// went no further.
    ///
    /// One of two descriptors must be a pipe for that. It goes through one of our own even if
    /// input or output is one: a pipe is locked while it is written to a file, or while a file
    /// waits for room in it, and this one's lock holds nobody up. 1 GiB into a pipe takes 29 ms
    /// so, and 39 straight.
    ///
    /// What goes into a pipe so are the file's own pages: who changes them before they are
    /// read at the other end changes what is read.
    #[inline(never)]
    fn print_by_kernel(&mut self, from: BorrowedFd<'_>) -> Result<()> {
        widen(from);
        // Advice only: read ahead further.
        let _ = sys::fadvise_sequential(from);
        let mut at_a_time = PIPE_BYTES;
        let mut at = position(from);
        if at == NONE {
            at = 0;
        } else if self.to_file {
            at_a_time = FILE_TO_FILE_BYTES;
        }
        widen(STDOUT);
        let Ok(conduit) = Conduit::new(at_a_time) else {
            return Ok(());
        };
        let mut place = Place::Stream;
        let mut allocated = at;
        if self.to_file {
            place = Place::Position;
            // As a file is copied: what is written into allocated blocks there costs half. No more
            // than the input has blocks for: there are files whose size is no promise.
            let data = self.stat.blocks.saturating_mul(512);
            let end = data.min(self.stat.size_bytes);
            if end > at && sys::file_system_type(STDOUT) == Ok(EXT4) {
                allocated = end;
                let _ = sys::preallocate(STDOUT, self.written_at(), end - at);
            }
        }
        let carried = conduit.carry(from, STDOUT, &mut at, NONE, place);
        if at < allocated && sys::stat_fd(STDOUT, &mut self.stat).is_ok() {
            // What was not needed is given back.
            let _ = sys::ftruncate(STDOUT, self.stat.size_bytes);
        }
        if carried {
            return Ok(());
        }
        // What is in the pipe has been read from the input: it comes first.
        let Conduit { outlet, inlet, .. } = conduit;
        drop(inlet);
        self.print_plainly(outlet.as_fd(), usize::MAX).map(drop)
    }

    /// Where the next byte goes in the file that standard output is.
    #[inline(never)]
    fn written_at(&mut self) -> u64 {
        if sys::status_flags(STDOUT).is_ok_and(|flags| flags.contains(OFlags::APPEND))
            && sys::stat_fd(STDOUT, &mut self.stat).is_ok()
        {
            self.stat.size_bytes
        } else {
            position(STDOUT)
        }
    }

    /// Refuses a file that is its own output and would grow as fast as it is read: because
    /// writes go to its end, or to a place that is still to be read.
    fn check_order(&mut self, from: BorrowedFd<'_>) -> Result<()> {
        if position(from) < self.written_at() {
            self.step = Step::SameFile;
            return Err(Errno::EINVAL);
        }
        Ok(())
    }

    /// Prints a regular file through the ring if that can be had, and leaves both positions
    /// where plain calls would.
    fn print_by_ring(&mut self, from: BorrowedFd<'_>) -> Result<()> {
        // Else the ring's own descriptor would have its number.
        if stdin_is_closed() {
            return Ok(());
        }
        if self.ring.is_missed(self.ui) {
            self.step = Step::Told;
            return Err(Errno::ENOSYS);
        }
        let Some(ring) = self.ring.get() else {
            return Ok(());
        };
        // Advice only: read ahead further.
        let _ = sys::fadvise_sequential(from);
        let begin = position(from);
        let mut left = begin..self.stat.size_bytes;
        if begin >= left.end {
            return Ok(());
        }
        self.step = Step::Write;
        let before = position(STDOUT);
        let place = if before == NONE {
            Place::Stream
        } else {
            Place::Position
        };
        pump(ring, from, STDOUT, &mut left, place)?;
        // Without a position there is nothing that this could move.
        advance(STDOUT, before.wrapping_add(left.start - begin));
        self.step = Step::Read;
        advance(from, left.start);
        Ok(())
    }

    /// Prints by plain calls, each read's data before the next, until `most_bytes` or more are
    /// printed or nothing is left, and says whether it is the latter.
    #[inline(never)]
    fn print_plainly(&mut self, from: BorrowedFd<'_>, mut most_bytes: usize) -> Result<bool> {
        let buffer = self.buffer.as_deref_mut().map_err(|errno| *errno)?;
        let Some((input, room)) = buffer.split_at_mut_checked(BUFFER_BYTES) else {
            return Err(Errno::ENOMEM);
        };
        while most_bytes > 0 {
            self.step = Step::Read;
            let count = plain::read(from, input)?;
            let Some(mut data @ [_, ..]) = input.get(..count) else {
                return Ok(true);
            };
            most_bytes = most_bytes.saturating_sub(count);
            self.step = Step::Write;
            if !self.filtered {
                plain::write_all(STDOUT, data)?;
                continue;
            }
            loop {
                let (taken, filled) = self.filter.feed(data, room);
                if let Some(shown) = room.get(..filled) {
                    plain::write_all(STDOUT, shown)?;
                }
                match data.get(taken..) {
                    Some(rest @ [_, ..]) => data = rest,
                    _ => break,
                }
            }
        }
        Ok(false)
    }
}

/// The descriptor's current position.
#[inline(never)]
fn position(fd: BorrowedFd<'_>) -> u64 {
    sys::lseek(fd, 0, Whence::Current).unwrap_or(NONE)
}

/// The position of what has none.
const NONE: u64 = u64::MAX;

/// Moves the descriptor's position to `offset` if it is not that far: a place that was read or
/// written, which no file refuses.
#[inline(never)]
fn advance(fd: BorrowedFd<'_>, offset: u64) {
    if position(fd) < offset {
        let _ = sys::lseek(fd, offset, Whence::Set);
    }
}

fn stdin_is_closed() -> bool {
    sys::status_flags(STDIN).is_err()
}
