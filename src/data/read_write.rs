//! Reads and writes of one buffer, which work everywhere.

use super::holes::write_but_zeros;
use super::plain;
use super::transfer::Transfer;
use crate::report::{During, Message, Result};
use crate::sys::{self, BorrowedFd, Errno, Ready};

/// How much is read at a time. It fits a processor's own cache.
pub const BUFFER_BYTES: usize = 256 << 10;

/// How long a signal may wait for its answer at the most where nothing else is to be done.
const ANSWER_MS: u16 = 250;

/// Copies from where the transfer is, as far as the source goes.
///
/// # Errors
/// The final word about what can be read and written.
pub fn copy(transfer: &mut Transfer<'_>, buffer: &mut [u8], leaves_holes: bool) -> Result<()> {
    let files = transfer.files;
    while transfer.at < transfer.end {
        let want = transfer.left(buffer.len());
        let room = buffer.get_mut(..want).unwrap_or_default();
        let count = plain::read_at(files.from, room, transfer.at).during(Message::Read)?;
        let Some(data @ [_, ..]) = room.get(..count) else {
            break;
        };
        let written = if leaves_holes {
            write_but_zeros(files.to, data, transfer.at)
        } else {
            plain::write_all_at(files.to, data, transfer.at)
        };
        written.during(Message::Write)?;
        transfer.advance_to(transfer.at + count as u64);
    }
    Ok(())
}

/// Moves all that comes from one file to the other, both at their current positions. Holes are
/// left in a regular file only.
///
/// # Errors
/// As [`copy`].
pub fn stream(
    transfer: &mut Transfer<'_>,
    buffer: &mut [u8],
    leaves_holes: bool,
    may_wait: bool,
) -> Result<()> {
    let files = transfer.files;
    loop {
        if may_wait {
            answer_until_ready(transfer, files.from);
        }
        let count = plain::read(files.from, buffer).during(Message::Read)?;
        let Some(data @ [_, ..]) = buffer.get(..count) else {
            break;
        };
        let written = if leaves_holes {
            write_but_zeros(files.to, data, transfer.at)
        } else {
            plain::write_all(files.to, data)
        };
        written.during(Message::Write)?;
        transfer.advance_to(transfer.at + count as u64);
    }
    if leaves_holes {
        // What it ends with may be a hole.
        transfer.cut().during(Message::Extend)?;
    }
    Ok(())
}

/// Who sends what a pipe holds may take any time: signals are answered meanwhile, those too that
/// come just before it waits.
fn answer_until_ready(transfer: &Transfer<'_>, from: BorrowedFd<'_>) {
    while let Ok(false) | Err(Errno::EINTR) = sys::wait_ready_for(from, Ready::Read, ANSWER_MS) {
        transfer.progress.answer();
    }
}
