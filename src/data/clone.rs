//! The copy shares its source's blocks (`FICLONE`), so that nothing is moved at all: what a refusal
//! tells.

use crate::sys::Errno;

/// Whether an error tells that no two files of these file systems can share blocks.
#[must_use]
pub const fn is_about_file_systems(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::EOPNOTSUPP | Errno::ENOTTY | Errno::EXDEV | Errno::ENOSYS
    )
}

/// Whether an error tells that these two files cannot share theirs.
#[must_use]
pub const fn is_about_files(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::EINVAL
            | Errno::EBADF
            | Errno::ETXTBSY
            | Errno::EPERM
            | Errno::EACCES
            | Errno::EFBIG
            | Errno::ENOENT
    )
}
