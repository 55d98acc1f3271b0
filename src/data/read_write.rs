//! Reads and writes of one buffer, which work everywhere.

use super::holes::write_but_zeros;
use super::plain;
use super::transfer::{Files, Transfer};
use crate::report::{During, Message, Result};
use crate::sys::{self, Errno, Ready};

/// How much of a buffer is used at a time: that fits a processor's own cache. Where each write is
/// waited for, they are best few: with all of it.
const USUAL_BYTES: usize = 256 << 10;

/// So much is written until it is looked at again whether that is waited for.
const PART_BYTES: u64 = 4 << 20;

/// How long a signal may wait for its answer at the most where nothing else is to be done.
const ANSWER_MS: u16 = 250;

/// Where files are read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Where the transfer is.
    Given,
    /// Where each of them stands.
    Own,
    /// There, and what is read may be long in coming.
    Awaited,
}

/// Copies as far as the source goes. Blocks of zeros may be left out, of a regular file.
///
/// # Errors
/// The final word about what can be read and written.
pub fn copy(transfer: &mut Transfer<'_>, buffer: &mut [u8], position: Position) -> Result<()> {
    let Files { from, to } = transfer.files;
    let is_given = position == Position::Given;
    let mut at_a_time = buffer.len().min(USUAL_BYTES);
    let mut look_at = transfer.at;
    while transfer.at < transfer.end {
        if position == Position::Awaited {
            answer_until_ready(transfer);
        }
        let want = transfer.left(at_a_time);
        let room = buffer.get_mut(..want).unwrap_or_default();
        let read = if is_given {
            plain::read_at(from, room, transfer.at)
        } else {
            plain::read(from, room)
        };
        let count = read.during(Message::Read)?;
        let Some(data @ [_, ..]) = room.get(..count) else {
            break;
        };
        // Nothing follows from it where this is all, or the buffer is short.
        let is_shown = transfer.at >= look_at && count == at_a_time && count >= USUAL_BYTES;
        let before = is_shown.then(sys::waits_of_thread);
        let written = if transfer.leaves_holes {
            write_but_zeros(to, data, transfer.at)
        } else if is_given {
            plain::write_all_at(to, data, transfer.at)
        } else {
            plain::write_all(to, data)
        };
        written.during(Message::Write)?;
        transfer.advance_to(transfer.at + count as u64);
        if let Some(before) = before {
            look_at = transfer.at + PART_BYTES;
            at_a_time = match sys::waits_of_thread() - before {
                0 => USUAL_BYTES,
                _ => buffer.len(),
            };
        }
    }
    Ok(())
}

/// Who sends what a pipe holds may take any time: signals are answered meanwhile, those too that
/// come just before it waits.
fn answer_until_ready(transfer: &Transfer<'_>) {
    let from = transfer.files.from;
    while let Ok(false) | Err(Errno::EINTR) = sys::wait_ready_for(from, Ready::Read, ANSWER_MS) {
        transfer.progress.answer();
    }
}
