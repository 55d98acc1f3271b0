//! Operands one after the other, and which way each one's data goes to standard output.

use core::ffi::CStr;

use super::ahead::read_ahead;
use super::filter::{Filter, Shown};
use super::input::{claim, give_back, length, look};
use super::output::{Kind, Output};
use crate::data::lazy_ring::LazyRing;
use crate::data::pipe::{Pipe, widen};
use crate::data::plain::{self, NO_MODE};
use crate::data::route::may_be_spliced;
use crate::data::wish::{Io, Way};
use crate::report::{During, Failure, Message, Reporter, Result};
use crate::sys::{self, BorrowedFd, Buffer, CWD, Errno, FileType, OFlags, STDIN, STDOUT, Whence};

/// How much is read at a time at first; whether there is more, and a better way, is looked into
/// only then.
const SHORT_BYTES: usize = 128 << 10;

/// How much is read at a time of what goes into a file and holds more than [`LARGE_BYTES`]: 1 GiB
/// takes 0.9 of the time then. For less, more memory costs more than that gains.
const LONG_BYTES: usize = 512 << 10;
const LARGE_BYTES: usize = 4 << 20;

/// How much all pipes of one `cat` shall hold together. Pipes count against their user, who has
/// 16,384 pages as a rule (`pipe-user-pages-soft`); beyond that each new one has two.
const PIPES_BYTES: usize = 256 << 10;

/// Prints operands to standard output.
struct Cat<'a> {
    /// The filter changes something.
    filtered: bool,
    io: Io,
    reporter: &'a mut dyn Reporter,
    output: Output,
    /// What is read. What is not reached of it is never touched.
    buffer: sys::Result<Buffer>,
    ring: LazyRing,
    filter: Filter,
}

/// Prints the operands, `-` being standard input, with their bytes as `shown` says. What fails is
/// told to the reporter. Returns whether something is left that closing standard output would
/// tell: it is a file, and nothing has failed there.
///
/// To be called once: memory and descriptors stay taken until the program exits.
pub fn concatenate(operands: &[&CStr], shown: Shown, io: Io, reporter: &mut dyn Reporter) -> bool {
    let output = match Output::look() {
        Ok(output) => output,
        Err(errno) => {
            reporter.error(Message::StandardOutput, &[], Some(errno));
            return false;
        }
    };
    let mut cat = Cat {
        filtered: !shown.is_empty(),
        io,
        reporter,
        output,
        // For what is made visible as much again.
        buffer: Buffer::new(SHORT_BYTES << u32::from(!shown.is_empty())),
        ring: LazyRing::default(),
        filter: Filter::new(shown),
    };
    if cat.filtered {
        cat.filter.prepare();
    }
    let printed = cat.print_all(operands);
    let is_written = printed.is_ok() && matches!(cat.output.kind, Kind::File(_));
    if let Err(failure) = printed {
        cat.report(b"", failure);
    }
    cat.output.wait_for_reader();
    // The program ends now: to give the buffer back would be one system call more.
    core::mem::forget(cat);
    is_written
}

impl Cat<'_> {
    fn print_all(&mut self, operands: &[&CStr]) -> Result<()> {
        // Standard input was wanted and found to be closed.
        let mut is_closed = false;
        for operand in operands {
            let Err(failure) = self.print_operand(operand) else {
                continue;
            };
            if failure.message == Message::WriteError {
                return Err(failure);
            }
            self.report(operand.to_bytes(), failure);
            if failure.errno == Some(Errno::EBADF) {
                // Standard input, or it is open for writing only.
                is_closed = stdin_is_closed();
            }
            if !matches!(failure.message, Message::Operand | Message::InputIsOutput) {
                // There is no ring, for this operand or another.
                break;
            }
        }
        if is_closed {
            let errno = Some(Errno::EBADF);
            self.reporter.error(Message::CloseInput, &[], errno);
        }
        // What the filter held back.
        if self.filter.holds_return() {
            self.output.write(b"\r")?;
        }
        Ok(())
    }

    fn report(&mut self, name: &[u8], failure: Failure) {
        let Failure { message, errno } = failure;
        self.reporter.error(message, &[name], errno);
    }

    fn print_operand(&mut self, operand: &CStr) -> Result<()> {
        if operand.to_bytes() == b"-" {
            return self.print(STDIN);
        }
        let file = plain::open(CWD, operand, OFlags::empty(), NO_MODE);
        self.print(file.during(Message::Operand)?.as_fd())
    }

    /// Prints what `from` still holds; only standard input can have been read from before.
    fn print(&mut self, from: BorrowedFd<'_>) -> Result<()> {
        self.begin(from)?;
        if self.filtered {
            return self.print_filtered(from);
        }
        loop {
            if self.copy(from, SHORT_BYTES)? {
                return Ok(());
            }
            if !self.move_by_kernel(from)? {
                break;
            }
        }
        if self.copy(from, LARGE_BYTES)? {
            return Ok(());
        }
        if let Ok(longer) = Buffer::new(LONG_BYTES) {
            self.buffer = Ok(longer);
        }
        self.copy(from, usize::MAX).map(drop)
    }

    /// Makes sure that an input is not the output. Has a regular file read through the ring, if that
    /// is asked for, and leaves it standing where plain calls would.
    fn begin(&mut self, from: BorrowedFd<'_>) -> Result<()> {
        // Only where it is asked for: without it is as quick.
        let by_ring = self.io == Io::Only(Way::Ring) && !self.filtered;
        if !by_ring && !matches!(self.output.kind, Kind::File(_)) {
            return Ok(());
        }
        let stat = look(from).during(Message::Operand)?;
        let Some(stat) = stat.filter(|stat| stat.kind == FileType::Regular) else {
            return Ok(());
        };
        if self.output.kind == Kind::File(stat.id) {
            // Printed over itself: reading ahead of the writes is not asked for.
            return check_order(from);
        }
        // Where standard input is closed, the ring's own descriptor would have its number.
        if !by_ring || stdin_is_closed() {
            return Ok(());
        }
        let ring = self.ring.require()?;
        if position(from) >= stat.size_bytes {
            return Ok(());
        }
        // Advice only: read ahead further.
        let _ = sys::fadvise_sequential(from);
        read_ahead(ring, from, stat.size_bytes, |data| self.output.write(data))
    }

    /// Lets the kernel move what `from` holds, as far as it will and may, and says whether it moved
    /// any; plain calls do the rest and find out why it went no further.
    ///
    /// Into a pipe `splice` puts a regular file's own pages, but for those at its end
    /// ([`Output::moved_end`]). What comes from elsewhere is copied: the pages in a pipe may be
    /// anybody's, and nobody knows which are the last.
    ///
    /// Nothing is moved into a file. `write` alone locks the position that a descriptor may share
    /// with other programs: of two files of 1 MB printed at once through one descriptor by
    /// `splice`, bytes were lost in 38 of 40 runs.
    fn move_by_kernel(&mut self, from: BorrowedFd<'_>) -> Result<bool> {
        let share = self.share_of_pipes(from);
        widen(from, share);
        widen(STDOUT, share);
        // Advice only: read ahead further.
        let _ = sys::fadvise_sequential(from);
        if self.io != Io::Auto || !self.output.may_be_spliced_to() {
            return Ok(false);
        }
        let end = length(from);
        // Of a pipe's or a device's data nobody knows which is the last.
        let is_worth_it = end.map_or(self.output.kind == Kind::Null, |end| {
            let end = self.output.moved_end(end);
            end.saturating_sub(position(from)) >= SHORT_BYTES as u64
        });
        let may_be_spliced = || sys::file_system_type(from).is_ok_and(may_be_spliced);
        if !is_worth_it || !may_be_spliced() {
            return Ok(false);
        }
        let Some(pipe) = own_pipe(from) else {
            return Ok(false);
        };
        let most = pipe.at_a_time as u64;
        let (mut next, mut moved, mut is_refused) = (0..0, false, false);
        loop {
            next = match end {
                _ if is_refused || !next.is_empty() => next,
                // Whatever comes out of it.
                None => 0..most,
                Some(end) => {
                    claim(from, most, self.output.moved_end(end)).during(Message::Operand)?
                }
            };
            if next.is_empty() {
                return Ok(moved);
            }
            let left = next.end - next.start;
            let offset = &mut end.map(|_| next.start);
            let held = pipe.fill(from, offset.as_mut(), left);
            if held == 0 {
                let claimed = end.map_or(0, |_| left);
                give_back(from, claimed).during(Message::Operand)?;
                return Ok(moved);
            }
            next.start += held as u64;
            let left = pipe.drain(STDOUT, None, held);
            if left < held {
                moved = true;
                self.output.was_spliced_to();
            }
            if left > 0 {
                // It has been read from the input, so that nobody else will print it.
                is_refused = true;
                self.copy(pipe.outlet.as_fd(), left)?;
            }
        }
    }

    /// How much each pipe may hold that standard input, `from` and standard output are, read or not;
    /// beside one of our own unless all data is written.
    fn share_of_pipes(&self, from: BorrowedFd<'_>) -> usize {
        let is_pipe = |fd| sys::pipe_size(fd).is_ok();
        let inputs = usize::from(is_pipe(STDIN)) + usize::from(from != STDIN && is_pipe(from));
        let count = inputs + usize::from(self.output.kind == Kind::Pipe);
        match (count, self.output.kind) {
            (0 | 1, Kind::File(_) | Kind::Other) => PIPES_BYTES,
            (0..=2, _) => PIPES_BYTES / 2,
            _ => PIPES_BYTES / 4,
        }
    }

    /// Prints by plain calls, each read's data before the next, until `most_bytes` or more are
    /// printed or nothing is left, and says whether it is the latter.
    fn copy(&mut self, from: BorrowedFd<'_>, most_bytes: usize) -> Result<bool> {
        let buffer = self.buffer.as_deref_mut().map_err(|errno| *errno);
        let buffer = buffer.during(Message::Operand)?;
        let mut printed = 0;
        while printed < most_bytes {
            let count = plain::read(from, buffer).during(Message::Operand)?;
            let Some(data @ [_, ..]) = buffer.get(..count) else {
                return Ok(true);
            };
            self.output.write(data)?;
            printed = printed.saturating_add(count);
        }
        Ok(false)
    }

    /// As [`Self::copy`], to the end, with bytes made visible.
    fn print_filtered(&mut self, from: BorrowedFd<'_>) -> Result<()> {
        let buffer = self.buffer.as_deref_mut().map_err(|errno| *errno);
        let (input, room) = buffer.during(Message::Operand)?.split_at_mut(SHORT_BYTES);
        loop {
            let count = plain::read(from, input).during(Message::Operand)?;
            let Some(mut data @ [_, ..]) = input.get(..count) else {
                return Ok(());
            };
            while !data.is_empty() {
                let (taken, filled) = self.filter.feed(data, room);
                self.output.write(room.get(..filled).unwrap_or_default())?;
                data = data.get(taken..).unwrap_or_default();
            }
        }
    }
}

/// A pipe of our own that holds what the others leave to it, if that is worth the while. What
/// somebody else has made larger than we would is not on our account.
///
/// Data goes through it even where output is a pipe: a pipe is locked while it is filled from
/// a file, and a reader that takes little at a time waits for that often. 256 MiB to `wc -c`,
/// which takes 16 KiB at a time: 49 ms so, and 62 straight.
fn own_pipe(from: BorrowedFd<'_>) -> Option<Pipe> {
    let size = |fd| sys::pipe_size(fd).map_or(0, |bytes| bytes.min(PIPES_BYTES / 2));
    let other = if from == STDIN { 0 } else { size(from) };
    let taken = size(STDIN) + size(STDOUT) + other;
    let left = PIPES_BYTES.checked_sub(taken)?;
    let holds = 1 << left.checked_ilog2()?;
    if holds < PIPES_BYTES / 4 {
        return None;
    }
    Pipe::new(holds, holds).ok()
}

/// Refuses a file that is its own output and would grow as fast as it is read: because writes go
/// to its end, or to a place that is still to be read.
fn check_order(from: BorrowedFd<'_>) -> Result<()> {
    let appends = sys::status_flags(STDOUT).is_ok_and(|flags| flags.contains(OFlags::APPEND));
    let end = if appends {
        sys::size_fd(STDOUT).ok()
    } else {
        None
    };
    if position(from) < end.unwrap_or_else(|| position(STDOUT)) {
        return Message::InputIsOutput.into();
    }
    Ok(())
}

/// The descriptor's current position, the last there can be where it has none.
fn position(fd: BorrowedFd<'_>) -> u64 {
    sys::lseek(fd, 0, Whence::Current).unwrap_or(u64::MAX)
}

fn stdin_is_closed() -> bool {
    sys::status_flags(STDIN).is_err()
}
