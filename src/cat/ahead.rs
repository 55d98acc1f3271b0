//! A regular file through the ring: reads run ahead, what they bring is written in order.
//!
//! The writes are the caller's, by plain calls. Of those the kernel locks the position that the
//! output's descriptor shares with other programs; of the ring's writes it does not, and two
//! such writers write over each other: of two files of 1 MB printed at once through one
//! descriptor, bytes were lost in half of all runs. For the same reason what is read is
//! claimed first.

use super::input::{claim, give_back};
use crate::data::pipeline::{SLOT_BYTES, SLOTS};
use crate::report::{During, Message, Result};
use crate::ring::{Session, SlotRing};
use crate::sys::{BorrowedFd, Errno};

/// What is read into a slot: `len` bytes of the file from `start` on, of which `filled` are there.
#[derive(Debug, Clone, Copy, Default)]
struct Piece {
    start: u64,
    len: usize,
    filled: usize,
}

/// Reads a file from where it stands up to `end` and has what is read written by `write`, in order.
/// The file is left standing behind that.
///
/// It ends early where the file does, and at the first read that fails: plain calls from there
/// on find out what is the matter.
///
/// # Errors
/// Those of `write`, after which the file stands anywhere, and as [`give_back`].
pub fn read_ahead(
    ring: &mut SlotRing,
    from: BorrowedFd<'_>,
    end: u64,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut ahead = Ahead {
        ring: ring.session(),
        from,
        end,
        is_at_end: false,
        claimed: 0,
        pieces: [Piece::default(); SLOTS as usize],
    };
    for slot in 0..SLOTS {
        ahead.begin(slot)?;
    }
    let mut turn = 0;
    loop {
        let count = ahead.complete(turn);
        let Some(data @ [_, ..]) = ahead.ring.slot(turn).get(..count) else {
            break;
        };
        write(data)?;
        ahead.claimed -= count as u64;
        if count < ahead.piece(turn).len {
            break;
        }
        ahead.begin(turn)?;
        turn = (turn + 1) % SLOTS;
    }
    // Reads that are still in flight are of no use to anybody: what they bring is dropped.
    ahead.ring.drain();
    give_back(from, ahead.claimed).during(Message::Operand)
}

struct Ahead<'a> {
    ring: Session<'a, 'a>,
    from: BorrowedFd<'a>,
    /// Where it ends at the latest.
    end: u64,
    /// All before that was claimed.
    is_at_end: bool,
    /// How many bytes were claimed and not written.
    claimed: u64,
    pieces: [Piece; SLOTS as usize],
}

impl Ahead<'_> {
    /// Has the file's next piece read into the slot, if there is one.
    fn begin(&mut self, slot: u32) -> Result<()> {
        *self.piece(slot) = Piece::default();
        if self.is_at_end {
            return Ok(());
        }
        let part = claim(self.from, SLOT_BYTES as u64, self.end).during(Message::Operand)?;
        #[allow(clippy::cast_possible_truncation)] // a slot's length at the most
        let len = (part.end - part.start) as usize;
        self.is_at_end = len < SLOT_BYTES;
        self.claimed += len as u64;
        let (start, filled) = (part.start, 0);
        *self.piece(slot) = Piece { start, len, filled };
        self.read_rest(slot);
        Ok(())
    }

    /// Has what the slot's piece lacks read.
    fn read_rest(&mut self, slot: u32) {
        let from = self.from;
        let piece = self.piece(slot);
        let lacking = piece.filled..piece.len;
        let offset = piece.start + piece.filled as u64;
        if !lacking.is_empty() {
            // Where that is refused, the piece stays as short as it is.
            let _ = self.ring.read(slot, from, lacking, Some(offset));
        }
    }

    /// Waits until the slot's piece is there as far as it can be read, and says how long it is.
    fn complete(&mut self, slot: u32) -> usize {
        while self.ring.is_busy(slot) {
            let Ok(finished) = self.ring.wait() else {
                // The ring broke: nothing more is known to have been read.
                return 0;
            };
            match finished.result {
                Ok(count @ 1..) => self.piece(finished.slot).filled += count as usize,
                Err(Errno::EINTR) => {}
                // The file's end, or an error: the piece is as long as it will be.
                _ => continue,
            }
            self.read_rest(finished.slot);
        }
        self.piece(slot).filled
    }

    fn piece(&mut self, slot: u32) -> &mut Piece {
        &mut self.pieces[(slot % SLOTS) as usize]
    }
}
