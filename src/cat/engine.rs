//! Operands one after the other, and which way each one's data goes to standard output.

use core::ffi::CStr;

use super::filter::{Filter, Shown};
use super::relay::{self, position, relay, seek};
use crate::copy::options::Io;
use crate::copy::plain::{self, NO_MODE};
use crate::copy::refusal;
use crate::copy::ui::Ui;
use crate::ring::{SetupError, SlotRing};
use crate::sys::{
    self, BorrowedFd, Buffer, CWD, Errno, FileId, FileType, OFlags, Result, STDIN, STDOUT, Stat,
};

/// How much is read at a time; a file with more goes through the ring where that can help.
/// In one mapping with as much again for filtered output, if there is any. Pages that a small
/// file does not reach are never touched.
const BUFFER_BYTES: usize = 128 << 10;

const WRITE_ERROR: &str = "write error";

/// Why an operand was not printed to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It cannot be opened or read.
    Read(Errno),
    /// It is what is being written, which would never end.
    InputIsOutput,
    /// Standard output takes no more.
    Write(Errno),
    /// `--io=ring` was asked for and there is no ring; this was said already.
    NoRing,
}

/// Prints operands to standard output.
pub struct Cat<'a> {
    ui: &'a mut dyn Ui,
    io: Io,
    filter: Option<Filter>,
    /// Made when first used.
    buffer: Option<Buffer>,
    /// Tried when first used.
    ring: Option<core::result::Result<SlotRing, SetupError>>,
    /// Standard output, if it is a regular file.
    output: Option<FileId>,
    /// Standard input was found to be closed.
    stdin_closed: bool,
    /// It was an operand.
    stdin_wanted: bool,
}

impl<'a> Cat<'a> {
    /// A printer that shows bytes as `shown` says. Takes nothing yet.
    pub fn new(shown: Shown, io: Io, ui: &'a mut dyn Ui) -> Self {
        Self {
            ui,
            io,
            filter: (shown != Shown::PLAINLY).then(|| Filter::new(shown)),
            buffer: None,
            ring: None,
            output: None,
            stdin_closed: false,
            stdin_wanted: false,
        }
    }

    /// Prints the operands, `-` being standard input. What fails is told to the `Ui`.
    ///
    /// Standard output is closed at the end.
    pub fn concatenate(&mut self, operands: &[&CStr]) {
        let mut stat = Stat::default();
        if let Err(errno) = sys::stat_fd(STDOUT, &mut stat) {
            return self.ui.error("standard output", &[], Some(errno));
        }
        self.output = (stat.kind == FileType::Regular).then_some(stat.id);
        let mut done = Ok(());
        for operand in operands {
            done = self.operand(operand);
            if let Err(failure) = done
                && !self.goes_on_after(failure, operand)
            {
                break;
            }
        }
        if !matches!(done, Err(Failure::Write(_))) {
            self.finish();
        }
    }

    /// Says what failed, and whether the other operands can still be printed.
    fn goes_on_after(&mut self, failure: Failure, operand: &CStr) -> bool {
        let (template, errno, goes_on) = match failure {
            Failure::Read(errno) => ("{0}", Some(errno), true),
            Failure::InputIsOutput => ("{0}: input file is output file", None, true),
            Failure::Write(errno) => (WRITE_ERROR, Some(errno), false),
            Failure::NoRing => return false,
        };
        self.ui.error(template, &[operand.to_bytes()], errno);
        goes_on
    }

    /// Writes what the filter held back, and finds out what only closing tells.
    fn finish(&mut self) {
        if self.stdin_closed && self.stdin_wanted {
            self.ui
                .error("closing standard input", &[], Some(Errno::EBADF));
        }
        let held = self.filter.as_ref().map_or(&b""[..], Filter::finish);
        let mut written = plain::write_all(STDOUT, held);
        if written.is_ok() && self.output.is_some() {
            written = sys::close_stdout();
        }
        if let Err(errno) = written {
            self.ui.error(WRITE_ERROR, &[], Some(errno));
        }
    }

    fn operand(&mut self, operand: &CStr) -> core::result::Result<(), Failure> {
        if operand.to_bytes() == b"-" {
            return self.standard_input();
        }
        let fd = plain::open(CWD, operand, OFlags::empty(), NO_MODE).map_err(Failure::Read)?;
        self.print(fd.as_fd(), false)
    }

    fn standard_input(&mut self) -> core::result::Result<(), Failure> {
        self.stdin_wanted = true;
        if self.stdin_closed {
            return Err(Failure::Read(Errno::EBADF));
        }
        let done = self.print(STDIN, true);
        if done == Err(Failure::Read(Errno::EBADF)) {
            // Or open, and for writing only.
            self.stdin_closed = stdin_is_closed();
        }
        done
    }

    /// Prints what `from` still holds; only standard input can have been read from before.
    fn print(&mut self, from: BorrowedFd<'_>, is_stdin: bool) -> core::result::Result<(), Failure> {
        // Anything else than a regular file as output takes data as it is read, from
        // whatever it is read: nothing need be known of the input.
        if self.output.is_some() || self.io == Io::Ring {
            let mut stat = Stat::default();
            sys::stat_fd(from, &mut stat).map_err(Failure::Read)?;
            if stat.kind == FileType::Regular {
                self.check_is_not_output(from, &stat)?;
                self.print_by_ring(from, is_stdin, &stat)?;
            }
        }
        self.print_plainly(from)
    }

    /// Refuses a file that is its own output and would grow as fast as it is read: because
    /// writes go to its end, or to a place that is still to be read.
    fn check_is_not_output(
        &self,
        from: BorrowedFd<'_>,
        stat: &Stat,
    ) -> core::result::Result<(), Failure> {
        if self.output != Some(stat.id) {
            return Ok(());
        }
        let appending = sys::status_flags(STDOUT).is_ok_and(|f| f.contains(OFlags::APPEND));
        let written_at = if appending {
            stat.size_bytes
        } else {
            position(STDOUT).map_err(Failure::Write)?
        };
        if position(from).map_err(Failure::Read)? < written_at {
            return Err(Failure::InputIsOutput);
        }
        Ok(())
    }

    /// Prints a regular file through the ring if that is wanted, can help and can be had, and
    /// leaves its position where that ended.
    fn print_by_ring(
        &mut self,
        from: BorrowedFd<'_>,
        is_stdin: bool,
        stat: &Stat,
    ) -> core::result::Result<(), Failure> {
        // A file printed over itself: reading ahead of the writes is not what is asked for.
        if self.io == Io::Sync || self.filter.is_some() || self.output == Some(stat.id) {
            return Ok(());
        }
        let begin = if is_stdin {
            position(from).map_err(Failure::Read)?
        } else {
            0
        };
        let left = stat.size_bytes.saturating_sub(begin);
        let enough = if self.io == Io::Ring {
            0
        } else {
            BUFFER_BYTES as u64
        };
        if left <= enough {
            return Ok(());
        }
        let Some(ring) = self.ring()? else {
            return Ok(());
        };
        // Advice only: read ahead further.
        let _ = sys::fadvise_sequential(from);
        let reached = relay(ring, from, STDOUT, begin..stat.size_bytes).map_err(Failure::Write)?;
        seek(from, reached).map_err(Failure::Read)?;
        Ok(())
    }

    /// The ring, made when first used; `None` where it is not to be had and need not be.
    fn ring(&mut self) -> core::result::Result<Option<&mut SlotRing>, Failure> {
        let closed = &mut self.stdin_closed;
        let ring = self.ring.get_or_insert_with(|| {
            // The ring's own descriptor would be the next to have its number.
            *closed = stdin_is_closed();
            SlotRing::new(relay::SLOTS, relay::SLOT_BYTES)
        });
        match ring {
            Ok(ring) => Ok(Some(ring)),
            Err(error) if self.io == Io::Ring => {
                refusal::report(self.ui, error);
                Err(Failure::NoRing)
            }
            Err(_) => Ok(None),
        }
    }

    /// Prints by plain calls: each read's data is written before the next.
    fn print_plainly(&mut self, from: BorrowedFd<'_>) -> core::result::Result<(), Failure> {
        if self.buffer.is_none() {
            let halves = if self.filter.is_some() { 2 } else { 1 };
            self.buffer = Some(Buffer::new(halves * BUFFER_BYTES).map_err(Failure::Read)?);
        }
        let buffer = self.buffer.as_deref_mut().unwrap_or_default();
        let (input, room) = buffer
            .split_at_mut_checked(BUFFER_BYTES)
            .unwrap_or_default();
        loop {
            let count = plain::read(from, input).map_err(Failure::Read)?;
            let data = input.get(..count).unwrap_or_default();
            if data.is_empty() {
                return Ok(());
            }
            match &mut self.filter {
                None => plain::write_all(STDOUT, data),
                Some(filter) => write_filtered(filter, data, room),
            }
            .map_err(Failure::Write)?;
        }
    }
}

/// Writes all that becomes of `data`, by way of `room`.
fn write_filtered(filter: &mut Filter, mut data: &[u8], room: &mut [u8]) -> Result<()> {
    while !data.is_empty() {
        let (taken, filled) = filter.feed(data, room);
        plain::write_all(STDOUT, room.get(..filled).unwrap_or_default())?;
        data = data.get(taken..).unwrap_or_default();
    }
    Ok(())
}

fn stdin_is_closed() -> bool {
    sys::status_flags(STDIN).is_err()
}
