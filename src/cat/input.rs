//! Inputs: what one is, and how a part of it is taken from a position that others may share.

use core::ops::Range;

use crate::sys::{self, BorrowedFd, Errno, FileType, Result, Stat, Whence};

/// Looks at a file; nothing where that is not allowed, which `cat` can do without.
///
/// # Errors
/// As [`sys::stat_fd`], but not where a container's profile refuses the call.
pub fn look(fd: BorrowedFd<'_>) -> Result<Option<Stat>> {
    match sys::stat_fd(fd) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::EPERM | Errno::ENOSYS) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// How long a regular file is; nothing if it is none, or nobody may look.
pub fn length(fd: BorrowedFd<'_>) -> Option<u64> {
    let stat = look(fd).ok()??;
    (stat.kind == FileType::Regular).then_some(stat.size_bytes)
}

/// Takes the next `len` bytes of a regular file, or what there is of them before `end`, for this
/// program alone, and says which they are: none where its position cannot be moved.
///
/// Others may read through the same descriptor: `read` locks its position, and whatever reads at
/// offsets does not. So the position is moved behind the bytes before they are read.
///
/// # Errors
/// As [`give_back`].
pub fn claim(from: BorrowedFd<'_>, len: u64, end: u64) -> Result<Range<u64>> {
    let Ok(behind) = sys::lseek(from, len, Whence::Current) else {
        return Ok(0..0);
    };
    let start = behind.saturating_sub(len);
    let end = behind.min(end.max(start));
    give_back(from, behind - end)?;
    Ok(start..end)
}

/// Moves the position back by `len` bytes that were claimed and not read.
///
/// # Errors
/// None that is known, as it was moved forward before: to go on would be to leave them out.
pub fn give_back(from: BorrowedFd<'_>, len: u64) -> Result<()> {
    if len == 0 {
        return Ok(());
    }
    sys::lseek(from, len.wrapping_neg(), Whence::Current).map(drop)
}
