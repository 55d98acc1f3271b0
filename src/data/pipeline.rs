//! Data in order by two: who copies reads, somebody else writes.
//!
//! So the two halves of a copy run on two processors, and still whoever looks at the destination,
//! meanwhile or after the copy was stopped, finds a prefix of the source. Who writes is either a
//! worker of the kernel's, fed through `io_uring` (`ring_writer.rs`), or a thread of ours
//! (`thread_writer.rs`): who reads does not know which.

use super::holes::{Zeros, write_but_zeros, zeros};
use super::plain;
use super::transfer::Transfer;
use crate::report::{During, Message, Result};
use crate::sys::{self, Errno};

/// How many slots a writer has.
pub const SLOTS: u32 = 4;
/// A slot's length in bytes.
pub const SLOT_BYTES: usize = 256 << 10;

/// Somebody who writes what slots hold, one after the other as they are handed over.
pub trait Writer {
    /// The memory of a slot; empty while it is being written.
    fn slot_mut(&mut self, slot: u32) -> &mut [u8];

    /// Has the first `len` bytes of a slot written at offset `at`.
    ///
    /// # Errors
    /// The writer is of no more use.
    fn write(&mut self, slot: u32, len: usize, at: u64) -> sys::Result<()>;

    /// Waits until a slot was written.
    ///
    /// # Errors
    /// The writer is of no more use; what became of what it was given is not known.
    fn wait(&mut self) -> sys::Result<Written>;
}

/// What became of a slot that was handed over.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// Which one it is.
    pub slot: u32,
    /// How many of its bytes are in the file.
    pub count: usize,
    /// Why those are not all, where that is final.
    pub errno: Option<Errno>,
}

/// The errors that are about the file: not those that another way may not have, or has to repeat
/// (`EFBIG` comes with a signal, which a worker of the kernel's does not pass on).
#[must_use]
pub const fn if_final(errno: Errno) -> Option<Errno> {
    match errno {
        Errno::EAGAIN | Errno::EFBIG | Errno::EINTR | Errno::EINVAL | Errno::EOPNOTSUPP => None,
        errno => Some(errno),
    }
}

/// How a range was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The error of the read that failed, or of the first write.
    pub copied: Result<()>,
    /// What is to be known of the writer.
    pub writer: WriterState,
}

/// Whether a writer may be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriterState {
    /// It was given nothing.
    Unused,
    /// It may.
    Usable,
    /// It did not keep the order.
    OutOfOrder,
    /// It broke.
    Broken,
}

/// Copies from where the transfer is. It ends early where the source does, and where plain calls
/// have to find out what is the matter. If a write failed, something may lie behind what is whole.
///
/// No more than `depth` writes are in flight. Blocks of zeros may be left out.
pub fn copy(
    transfer: &mut Transfer<'_>,
    writer: &mut dyn Writer,
    depth: u32,
    leaves_holes: bool,
) -> Ended {
    let mut pipeline = Pipeline {
        writer,
        depth,
        leaves_holes,
        handed_to: transfer.at,
        transfer,
        pieces: [Piece::default(); SLOTS as usize],
        next: 0,
        in_flight: 0,
        stopped: false,
        cut: None,
        errno: None,
        state: WriterState::Unused,
    };
    let mut read = Ok(());
    while pipeline.handed_to < pipeline.transfer.end && read.is_ok() {
        pipeline.wait_until_fewer_than(SLOTS);
        if pipeline.stopped {
            break;
        }
        match pipeline.read() {
            Ok(0) => break,
            Ok(count) => pipeline.hand_over(count),
            Err(errno) => read = Err(errno).during(Message::Read),
        }
    }
    pipeline.wait_until_fewer_than(1);
    Ended {
        copied: pipeline
            .errno
            .map_or(read, |errno| Err(errno).during(Message::Write)),
        writer: pipeline.state,
    }
}

/// A range on its way.
struct Pipeline<'p, 'a> {
    writer: &'p mut dyn Writer,
    transfer: &'p mut Transfer<'a>,
    depth: u32,
    leaves_holes: bool,
    pieces: [Piece; SLOTS as usize],
    /// The slot whose turn is next; those before it are being written.
    next: u32,
    in_flight: u32,
    /// Up to where all was handed over, or left out.
    handed_to: u64,
    /// Nothing more is handed over.
    stopped: bool,
    /// Where a write did not take all; what lies behind it does not count.
    cut: Option<u64>,
    errno: Option<Errno>,
    state: WriterState,
}

/// What is being written from a slot.
#[derive(Debug, Clone, Copy, Default)]
struct Piece {
    at: u64,
    len: usize,
    written: Option<Written>,
}

impl Pipeline<'_, '_> {
    fn read(&mut self) -> sys::Result<usize> {
        let left = self.transfer.end - self.handed_to;
        let want = usize::try_from(left).unwrap_or(SLOT_BYTES);
        let room = self.writer.slot_mut(self.next);
        let room = room.get_mut(..want.min(SLOT_BYTES)).unwrap_or_default();
        if room.is_empty() {
            // It is being written, and nobody has said so.
            self.give_up(WriterState::Broken);
            return Ok(0);
        }
        plain::read_at(self.transfer.files.from, room, self.handed_to)
    }

    /// Deals with the `len` bytes that were read into the next slot.
    fn hand_over(&mut self, len: usize) {
        if self.leaves_holes {
            let data = self.writer.slot_mut(self.next).get(..len);
            match zeros(data.unwrap_or_default()) {
                Zeros::None => {}
                Zeros::All => return self.skip(len),
                Zeros::Some => return self.write_data(len),
            }
        }
        self.wait_until_fewer_than(self.depth);
        if self.stopped {
            return;
        }
        let at = self.handed_to;
        if self.writer.write(self.next, len, at).is_err() {
            return self.give_up(WriterState::Broken);
        }
        self.state = WriterState::Usable;
        let written = None;
        *self.piece(self.next) = Piece { at, len, written };
        self.next = (self.next + 1) % SLOTS;
        self.in_flight += 1;
        self.handed_to += len as u64;
    }

    /// Writes what is no zeros of the next slot: there are several pieces, so whoever writes in
    /// turn is waited for.
    fn write_data(&mut self, len: usize) {
        self.wait_until_fewer_than(1);
        if self.stopped {
            return;
        }
        let data = self.writer.slot_mut(self.next).get(..len);
        match write_but_zeros(
            self.transfer.files.to,
            data.unwrap_or_default(),
            self.handed_to,
        ) {
            Ok(()) => self.skip(len),
            Err(errno) => {
                self.stopped = true;
                self.errno = Some(errno);
            }
        }
    }

    /// The next `len` bytes are written or left out.
    fn skip(&mut self, len: usize) {
        self.handed_to += len as u64;
        self.transfer.advance_to(self.whole());
    }

    /// Up to where all is whole.
    fn whole(&self) -> u64 {
        let in_order = if self.in_flight == 0 {
            self.handed_to
        } else {
            self.pieces[(self.oldest() % SLOTS) as usize].at
        };
        self.cut.unwrap_or(in_order)
    }

    const fn piece(&mut self, slot: u32) -> &mut Piece {
        &mut self.pieces[(slot % SLOTS) as usize]
    }

    const fn oldest(&self) -> u32 {
        (self.next + SLOTS - self.in_flight) % SLOTS
    }

    fn wait_until_fewer_than(&mut self, count: u32) {
        while self.in_flight >= count {
            if let Ok(written) = self.writer.wait() {
                self.completed(written);
            } else {
                self.handed_to = self.whole();
                self.in_flight = 0;
                self.give_up(WriterState::Broken);
            }
        }
    }

    /// The writer is not to be used any more.
    const fn give_up(&mut self, state: WriterState) {
        self.stopped = true;
        self.state = state;
    }

    /// Takes down what was written.
    fn completed(&mut self, written: Written) {
        if written.slot != self.oldest() {
            self.give_up(WriterState::OutOfOrder);
        }
        self.piece(written.slot).written = Some(written);
        while self.in_flight > 0 {
            let piece = *self.piece(self.oldest());
            let Some(written) = piece.written else { break };
            self.in_flight -= 1;
            if written.count < piece.len && self.cut.is_none() {
                self.stopped = true;
                self.cut = Some(piece.at + written.count as u64);
                self.errno = written.errno;
            }
        }
        self.transfer.advance_to(self.whole());
    }
}
