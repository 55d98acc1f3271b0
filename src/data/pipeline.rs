//! Data in order by two: who copies reads, somebody else writes.
//!
//! So the two halves of a copy run on two processors, and still whoever looks at the destination,
//! meanwhile or after the copy was stopped, finds a prefix of the source. Who writes is either a
//! worker of the kernel's, fed through `io_uring` (`ring_writer.rs`), or a thread of ours
//! (`thread_writer.rs`): who reads does not know which.

use super::holes::{write_but_zeros, zeros};
use super::plain;
use super::transfer::Transfer;
use crate::report::{During, Message, Result};
use crate::sys::{self, Errno};

/// How many slots a writer has.
pub const SLOTS: u32 = 4;
/// A slot's length in bytes; in models, where only their number matters, next to nothing.
pub const SLOT_BYTES: usize = if cfg!(all(test, loom)) { 2 } else { 256 << 10 };

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
/// No more than `depth` writes are in flight. Says what is to be known of the writer as well.
///
/// # Errors
/// That of the read that failed, or of the first write.
pub fn copy(
    transfer: &mut Transfer<'_>,
    writer: &mut dyn Writer,
    depth: u32,
) -> (Result<()>, WriterState) {
    let mut pipeline = Pipeline {
        writer,
        depth,
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
    let mut read = Ok(0);
    while pipeline.handed_to < pipeline.transfer.end {
        pipeline.wait_until_fewer_than(SLOTS);
        if pipeline.stopped {
            break;
        }
        read = pipeline.read();
        let Ok(count @ 1..) = read else { break };
        pipeline.hand_over(count);
    }
    pipeline.wait_until_fewer_than(1);
    let written = pipeline.errno.map_or(Ok(()), Err).during(Message::Write);
    (
        written.and(read.during(Message::Read).map(drop)),
        pipeline.state,
    )
}

/// A range on its way.
struct Pipeline<'p, 'a> {
    writer: &'p mut dyn Writer,
    transfer: &'p mut Transfer<'a>,
    depth: u32,
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
    /// The first bytes of the next slot.
    fn next_slot(&mut self, len: usize) -> &mut [u8] {
        let slot = self.writer.slot_mut(self.next);
        slot.get_mut(..len).unwrap_or_default()
    }

    fn read(&mut self) -> sys::Result<usize> {
        let (from, at) = (self.transfer.files.from, self.handed_to);
        let left = usize::try_from(self.transfer.end - at).unwrap_or(SLOT_BYTES);
        let room = self.next_slot(left.min(SLOT_BYTES));
        if room.is_empty() {
            // It is being written, and nobody has said so.
            self.give_up(WriterState::Broken);
            return Ok(0);
        }
        plain::read_at(from, room, at)
    }

    /// Deals with the `len` bytes that were read into the next slot.
    fn hand_over(&mut self, len: usize) {
        let at = self.handed_to;
        if self.transfer.leaves_holes && zeros(self.next_slot(len)).any(|is_zero| is_zero) {
            return self.leave_out_zeros(len);
        }
        self.wait_until_fewer_than(self.depth);
        if self.stopped {
            return;
        }
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

    /// Leaves out the next slot's blocks of zeros. Where it holds others there are several pieces to
    /// be written, so whoever writes in turn is waited for.
    fn leave_out_zeros(&mut self, len: usize) {
        if !zeros(self.next_slot(len)).all(|is_zero| is_zero) {
            self.wait_until_fewer_than(1);
            if self.stopped {
                return;
            }
            let (to, at) = (self.transfer.files.to, self.handed_to);
            self.errno = write_but_zeros(to, self.next_slot(len), at).err();
            self.stopped = self.errno.is_some();
            if self.stopped {
                return;
            }
        }
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
