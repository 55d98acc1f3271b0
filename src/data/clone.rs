//! The copy shares its source's blocks (`FICLONE`): nothing is moved at all.

use super::transfer::Files;
use crate::sys::{self, Errno, Result};

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloned {
    /// They are shared.
    Yes,
    /// These two files cannot share theirs.
    NotThese(Errno),
    /// No two files of these file systems can.
    NotHere(Errno),
}

/// Has `to` share all blocks of `from`.
///
/// # Errors
/// Those that tell of no other way.
pub fn share_blocks(Files { from, to }: Files<'_>) -> Result<Cloned> {
    match sys::ficlone(from, to) {
        Ok(()) => Ok(Cloned::Yes),
        Err(errno @ (Errno::EOPNOTSUPP | Errno::ENOTTY | Errno::EXDEV | Errno::ENOSYS)) => {
            Ok(Cloned::NotHere(errno))
        }
        Err(
            errno @ (Errno::EINVAL
            | Errno::EBADF
            | Errno::ETXTBSY
            | Errno::EPERM
            | Errno::EACCES
            | Errno::EFBIG
            | Errno::ENOENT),
        ) => Ok(Cloned::NotThese(errno)),
        Err(errno) => Err(errno),
    }
}
