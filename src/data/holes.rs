//! Blocks of zeros, which `--sparse=always` leaves out.

use super::plain;
use crate::sys::{BorrowedFd, Result};

/// The least hole that is made: a block of the file systems there are.
const HOLE_BYTES: usize = 4 << 10;

/// Of each block of `data` whether it is zeros.
pub fn zeros(data: &[u8]) -> impl Iterator<Item = bool> {
    data.chunks(HOLE_BYTES).map(is_zero)
}

/// Writes data from offset `at` on, but no blocks of zeros, which leaves holes in a new file.
///
/// # Errors
/// As [`plain::write_all_at`].
pub fn write_but_zeros(to: BorrowedFd<'_>, data: &[u8], mut at: u64) -> Result<()> {
    for block in data.chunks(HOLE_BYTES) {
        if !is_zero(block) {
            plain::write_all_at(to, block, at)?;
        }
        at += block.len() as u64;
    }
    Ok(())
}

fn is_zero(block: &[u8]) -> bool {
    block.iter().all(|&byte| byte == 0)
}
