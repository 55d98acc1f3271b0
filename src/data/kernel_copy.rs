//! The kernel copies (`copy_file_range`): within one file system it may share blocks, and a
//! server copies where the data lies.

use super::transfer::Transfer;
use crate::sys::{self, KernelVersion};

/// The most that one call is asked for: no more than a server copies in a moment, so that it is
/// seen how far the copy has come.
const MOST_BYTES: usize = 64 << 20;

/// Whether it is to be used: kernels before 5.3 lose data with it, and between file systems those
/// before 5.19 (`man 2 copy_file_range`, BUGS).
#[must_use]
pub fn can_be_trusted() -> bool {
    sys::kernel_version().is_ok_and(|version| version >= KernelVersion(5, 19))
}

/// So much shows whether it copies itself, where that is not known.
const SHOWN_BYTES: usize = 1 << 20;

/// Whoever waits more than once for so many bytes, and more often than this in all, has them copied
/// in pieces: a server that copies is asked once or twice.
const PIECE_BYTES: u64 = 128 << 10;
const FEW_WAITS: u64 = 3;

/// Copies as far as the kernel will. Where a file system that has been asked to copy cannot, the
/// kernel reads and writes in its place, 64 KiB at a time: where each is waited for, that is slow.
/// Unless it is `known` how it does, it ends with what shows it, if that is so; and says it.
pub fn copy(transfer: &mut Transfer<'_>, mut known: Option<bool>) -> Option<bool> {
    let files = transfer.files;
    while transfer.at < transfer.end {
        let (mut read_at, mut write_at) = (transfer.at, transfer.at);
        let (read_at, write_at) = (Some(&mut read_at), Some(&mut write_at));
        let want = transfer.left(if known.is_some() {
            MOST_BYTES
        } else {
            SHOWN_BYTES
        });
        let before = known.is_none().then(sys::waits_of_thread);
        let copied = sys::copy_file_range(files.from, read_at, files.to, write_at, want);
        let Ok(count @ 1..) = copied else {
            break;
        };
        transfer.advance_to(transfer.at + count as u64);
        if let Some(before) = before {
            let waits = sys::waits_of_thread() - before;
            let in_pieces = waits > FEW_WAITS.max(count as u64 / PIECE_BYTES);
            known = Some(in_pieces);
            if in_pieces {
                break;
            }
        }
    }
    known
}
