//! Reading directories (`man 2 getdents64`).

use core::ffi::CStr;

use super::FileType;
use super::arch::nr;
use super::errno::Result;
use super::restarted::syscall3;
use super::{BorrowedFd, Errno, until_nul};

/// One entry of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirEntry<'buf> {
    /// Inode number; of the mount point's own directory where something is mounted on it.
    pub ino: u64,
    /// Where the next entry begins: what `lseek` takes to go on after this one.
    pub next_offset: u64,
    /// Type, [`FileType::Unknown`] where the file system does not say.
    pub kind: FileType,
    /// Name, `.` and `..` included.
    pub name: &'buf CStr,
}

/// The entries in a buffer that [`getdents64`] filled.
#[derive(Debug, Clone)]
pub struct DirEntries<'buf> {
    rest: &'buf [u8],
}

/// Reads as many entries as fit into `buf`; none at the end of the directory. `buf` wants at
/// least 280 bytes, room for one entry with the longest name.
///
/// # Errors
/// `ENOTDIR`, `ENOENT` (the directory was removed), `EINVAL` (`buf` too small), `EIO`.
pub fn getdents64<'buf>(fd: BorrowedFd<'_>, buf: &'buf mut [u8]) -> Result<DirEntries<'buf>> {
    // SAFETY: the kernel writes at most `buf.len()` bytes to `buf`.
    let r = unsafe {
        syscall3(
            nr::GETDENTS64,
            fd.arg(),
            buf.as_mut_ptr() as usize,
            buf.len(),
        )
    };
    let filled = Errno::check(r)?;
    Ok(DirEntries {
        rest: buf.get(..filled).unwrap_or(&[]),
    })
}

impl<'buf> Iterator for DirEntries<'buf> {
    type Item = DirEntry<'buf>;

    /// Takes `struct linux_dirent64` apart: inode (8 bytes), offset (8), record length (2),
    /// type (1), name with NUL, padding.
    fn next(&mut self) -> Option<DirEntry<'buf>> {
        let ino = u64::from_ne_bytes(*self.rest.first_chunk()?);
        let next_offset = u64::from_ne_bytes(*self.rest.get(8..)?.first_chunk()?);
        let length = u16::from_ne_bytes(*self.rest.get(16..)?.first_chunk()?);
        let kind = *self.rest.get(18)?;
        let (record, rest) = self.rest.split_at_checked(usize::from(length))?;
        self.rest = rest;
        let name = until_nul(record.get(19..)?);
        // d_type is the upper four bits of the mode.
        let kind = FileType::from_mode(u32::from(kind) << 12);
        Some(DirEntry {
            ino,
            next_offset,
            kind,
            name,
        })
    }
}
