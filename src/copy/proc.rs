//! Names of descriptors (`man 5 proc`): what the kernel does not do by a descriptor itself, it does
//! by such a name, which leads to the open file, whatever has become of the file's own name.

use core::ffi::CStr;

use crate::data::plain::{self, NO_MODE};
use crate::sys::{self, BorrowedFd, CWD, Errno, OFlags, OwnedFd, Result, decimal};

/// Where this process's descriptors are names.
pub(super) const DIRECTORY: &CStr = c"/proc/self/fd";

/// The type of the file system that this is on (`PROC_SUPER_MAGIC`).
const PROC: u64 = 0x9fa0;

/// The longest path of a descriptor: the directory's, a slash, ten digits, a NUL.
pub(super) const PATH_BYTES: usize = DIRECTORY.count_bytes() + 12;

/// Opens [`DIRECTORY`] (`O_PATH`).
///
/// # Errors
/// As [`plain::open`]; `ENOENT` where something else is there: in a root of somebody's own making
/// anything may be under that name.
pub(super) fn open_directory() -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let directory = plain::open(CWD, DIRECTORY, flags, NO_MODE)?;
    if sys::file_system_type(directory.as_fd())? == PROC {
        Ok(directory)
    } else {
        Err(Errno::ENOENT)
    }
}

/// The path of a descriptor, with its NUL.
pub(super) fn path_of(fd: BorrowedFd<'_>) -> [u8; PATH_BYTES] {
    let digits = &mut [0; 20];
    let digits = decimal(fd.raw().unsigned_abs().into(), digits);
    let parts = DIRECTORY.to_bytes().iter().chain(b"/").chain(digits);
    let mut path = [0; PATH_BYTES];
    for (byte, &part) in path.iter_mut().zip(parts) {
        *byte = part;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::until_nul;

    #[test]
    #[cfg_attr(miri, ignore = "needs a kernel")]
    fn paths_of_descriptors() {
        let fd = plain::open(CWD, c"/", OFlags::PATH, NO_MODE).unwrap();
        let path = std::format!("/proc/self/fd/{}\0", fd.raw());
        assert_eq!(until_nul(&path_of(fd.as_fd())), until_nul(path.as_bytes()));
    }
}
