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

/// Copies as far as the kernel will.
pub fn copy(transfer: &mut Transfer<'_>) {
    let files = transfer.files;
    while transfer.at < transfer.end {
        let (mut read_at, mut write_at) = (transfer.at, transfer.at);
        let (read_at, write_at) = (Some(&mut read_at), Some(&mut write_at));
        let want = transfer.left(MOST_BYTES);
        let copied = sys::copy_file_range(files.from, read_at, files.to, write_at, want);
        let Ok(count @ 1..) = copied else {
            break;
        };
        transfer.advance_to(transfer.at + count as u64);
    }
}
