//! Reads and writes of one buffer, which work everywhere.

use super::holes::write_but_zeros;
use super::plain;
use super::transfer::{Files, Transfer};
use crate::report::{During, Message, Result};
use crate::sys::{self, Errno, Ready};

/// How much is read at a time. It fits a processor's own cache.
pub const BUFFER_BYTES: usize = 256 << 10;

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
    while transfer.at < transfer.end {
        if position == Position::Awaited {
            answer_until_ready(transfer);
        }
        let want = transfer.left(buffer.len());
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
        let written = if transfer.leaves_holes {
            write_but_zeros(to, data, transfer.at)
        } else if is_given {
            plain::write_all_at(to, data, transfer.at)
        } else {
            plain::write_all(to, data)
        };
        written.during(Message::Write)?;
        transfer.advance_to(transfer.at + count as u64);
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
