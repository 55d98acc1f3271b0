//! A range of a file through the ring: read ahead at its offsets, written in order at the
//! output's current position.
//!
//! One write is in flight at a time, so that `O_APPEND` and a position shared with other
//! programs mean what they mean to `write`. Meanwhile the next slots are read: where the
//! kernel hands buffered writes to a worker (ext4), the two run on two processors.
//!
//! A write at the current position that comes out short (full disk, `RLIMIT_FSIZE`) leaves
//! the position where it was (seen on Linux 6.18: `kiocb_done` moves it only if the last try
//! went well): going on from there would write over what was written and call it success.
//! So the first short write ends the relay, and the position is put right.

use core::ops::Range;

use crate::ring::SlotRing;
use crate::sys::{self, BorrowedFd, Errno, Result, Whence};

/// How many slots are read ahead, the one being written included.
pub const SLOTS: u32 = 4;
/// A slot's length in bytes.
pub const SLOT_BYTES: usize = 256 << 10;

/// What a slot is doing with its piece of the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Idle,
    Reading,
    /// All that can be read of it has been.
    Full,
    Writing,
}

/// The file's bytes from `start` on, `filled` of which have been read, `drained` written.
#[derive(Debug, Clone, Copy, Default)]
struct Piece {
    stage: Stage,
    start: u64,
    len: usize,
    filled: usize,
    drained: usize,
}

/// Writes the bytes of `range` of `from` to `to`; returns the offset up to which that went.
///
/// It ends early where the source does, and at the first operation that fails: plain calls
/// from there on find out what is the matter.
///
/// # Errors
/// The ring itself broke in the middle of a write, so how far it went is not known.
pub fn relay(
    ring: &mut SlotRing,
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    range: Range<u64>,
) -> Result<u64> {
    let before = position(to);
    let mut relay = Relay {
        ring,
        from,
        to,
        pieces: [Piece::default(); SLOTS as usize],
        reader: 0,
        writer: 0,
        next: range.start,
        end: range.end,
        reached: range.start,
        resumable: before.is_err(),
    };
    relay.run()?;
    let reached = relay.reached;
    if let Ok(before) = before {
        let after = before + (reached - range.start);
        if position(to)? < after {
            seek(to, after)?;
        }
    }
    Ok(reached)
}

/// The descriptor's current position.
///
/// # Errors
/// `ESPIPE` where it has none.
pub fn position(fd: BorrowedFd<'_>) -> Result<u64> {
    sys::lseek(fd, 0, Whence::Current)
}

/// Moves the descriptor's position to `offset`.
///
/// # Errors
/// As `lseek`.
pub fn seek(fd: BorrowedFd<'_>, offset: u64) -> Result<u64> {
    sys::lseek(fd, offset, Whence::Set)
}

struct Relay<'a> {
    ring: &'a mut SlotRing,
    from: BorrowedFd<'a>,
    to: BorrowedFd<'a>,
    /// Used in turn, so that their order is the file's.
    pieces: [Piece; SLOTS as usize],
    /// The slot that the next piece is read into.
    reader: u32,
    /// The slot whose turn it is to be written.
    writer: u32,
    /// Where the next piece starts.
    next: u64,
    /// Where the range or, once a read has found it, the source ends; 0 to stop at once.
    end: u64,
    reached: u64,
    /// Whether a write that came out short can be gone on with: the output has no position.
    resumable: bool,
}

const fn following(slot: u32) -> u32 {
    (slot + 1) % SLOTS
}

impl Relay<'_> {
    fn run(&mut self) -> Result<()> {
        loop {
            // The write first: the worker is at it while the reads are done inline.
            self.write_next();
            self.read_ahead();
            if self.ring.in_flight() == 0 {
                return Ok(());
            }
            match self.ring.wait() {
                Ok(finished) => self.finished(finished.slot, finished.result),
                Err(_) if self.pieces.iter().all(|p| p.stage != Stage::Writing) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Starts writing the piece whose turn it is, if it has been read.
    fn write_next(&mut self) {
        let end = self.end;
        if let Some(piece) = self.pieces.get_mut(self.writer as usize)
            && piece.stage == Stage::Full
            && piece.start < end
        {
            piece.stage = Stage::Writing;
            self.go_on(self.writer);
        }
    }

    /// Starts reading the pieces for which there are idle slots.
    fn read_ahead(&mut self) {
        while self.next < self.end
            && let Some(piece) = self.pieces.get_mut(self.reader as usize)
            && piece.stage == Stage::Idle
        {
            let left = self.end - self.next;
            let len = usize::try_from(left).unwrap_or(SLOT_BYTES).min(SLOT_BYTES);
            *piece = Piece {
                stage: Stage::Reading,
                start: self.next,
                len,
                ..Piece::default()
            };
            self.next += len as u64;
            self.go_on(self.reader);
            self.reader = following(self.reader);
        }
    }

    /// Queues what the slot's piece needs next: the rest of its read or of its write.
    fn go_on(&mut self, slot: u32) {
        let Some(piece) = self.pieces.get_mut(slot as usize) else {
            return;
        };
        let queued = if piece.stage == Stage::Writing {
            self.ring
                .write(slot, self.to, piece.drained..piece.filled, None)
        } else {
            let offset = piece.start + piece.filled as u64;
            self.ring
                .read(slot, self.from, piece.filled..piece.len, Some(offset))
        };
        if queued.is_err() {
            piece.stage = Stage::Full;
            self.end = 0;
        }
    }

    /// Takes the result of the slot's operation.
    fn finished(&mut self, slot: u32, result: Result<usize>) {
        let Some(piece) = self.pieces.get_mut(slot as usize) else {
            return;
        };
        match (piece.stage, result) {
            (_, Err(Errno::EINTR)) => {}
            (Stage::Writing, Err(_) | Ok(0)) => {
                piece.stage = Stage::Full;
                self.end = 0;
            }
            (Stage::Writing, Ok(count)) => {
                piece.drained += count;
                self.reached += count as u64;
                if piece.drained >= piece.filled {
                    piece.stage = Stage::Idle;
                    self.writer = following(slot);
                } else if !self.resumable {
                    piece.stage = Stage::Full;
                    self.end = 0;
                }
            }
            (_, Err(_) | Ok(0)) => {
                // What lies behind is never written; what lies before still is.
                piece.stage = Stage::Full;
                self.end = self.end.min(piece.start + piece.filled as u64);
            }
            (_, Ok(count)) => {
                piece.filled += count;
                if piece.filled >= piece.len {
                    piece.stage = Stage::Full;
                }
            }
        }
        if matches!(piece.stage, Stage::Reading | Stage::Writing) {
            self.go_on(slot);
        }
    }
}
