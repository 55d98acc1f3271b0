//! Moving data through descriptors, and what concerns a file's extent.

use super::arch::{nr, syscall2, syscall3, syscall4, syscall6};
use super::errno::Result;
use super::{BorrowedFd, Errno};

#[allow(clippy::cast_possible_truncation)] // 64-bit targets only
const fn offset_arg(offset: u64) -> usize {
    offset as usize
}

/// Reads at the current position; 0 bytes at the end.
///
/// # Errors
/// `EISDIR`, `EIO`, `EAGAIN` (non-blocking), `EINTR`, … (`man 2 read`).
pub fn read(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most `buf.len()` bytes to `buf`.
    let r = unsafe { syscall3(nr::READ, fd.arg(), buf.as_mut_ptr() as usize, buf.len()) };
    Errno::check(r)
}

/// Writes at the current position; may write less than all.
///
/// # Errors
/// `ENOSPC`, `EDQUOT`, `EFBIG`, `EPIPE`, `EIO`, `EAGAIN`, `EINTR`, … (`man 2 write`).
pub fn write(fd: BorrowedFd<'_>, buf: &[u8]) -> Result<usize> {
    // SAFETY: the kernel reads at most `buf.len()` bytes of `buf`.
    let r = unsafe { syscall3(nr::WRITE, fd.arg(), buf.as_ptr() as usize, buf.len()) };
    Errno::check(r)
}

/// Reads at `offset` without moving the position.
///
/// # Errors
/// As [`read`]; `ESPIPE` where there is no position.
pub fn pread(fd: BorrowedFd<'_>, buf: &mut [u8], offset: u64) -> Result<usize> {
    let (address, offset) = (buf.as_mut_ptr() as usize, offset_arg(offset));
    // SAFETY: the kernel writes at most `buf.len()` bytes to `buf`.
    let r = unsafe { syscall4(nr::PREAD64, fd.arg(), address, buf.len(), offset) };
    Errno::check(r)
}

/// Writes at `offset` without moving the position.
///
/// # Errors
/// As [`write()`]; `ESPIPE` where there is no position.
pub fn pwrite(fd: BorrowedFd<'_>, buf: &[u8], offset: u64) -> Result<usize> {
    let (address, offset) = (buf.as_ptr() as usize, offset_arg(offset));
    // SAFETY: the kernel reads at most `buf.len()` bytes of `buf`.
    let r = unsafe { syscall4(nr::PWRITE64, fd.arg(), address, buf.len(), offset) };
    Errno::check(r)
}

/// Copies up to `len_bytes` within the kernel, both positions given; 0 at the source's end,
/// or where this pair of files cannot be copied so. Linux 4.5; on one file system reliable
/// from 5.3, across two from 5.19.
///
/// # Errors
/// `EXDEV`, `EINVAL`, `EOPNOTSUPP`, `ENOSYS`, `EPERM`, … (`man 2 copy_file_range`).
pub fn copy_file_range(
    from: BorrowedFd<'_>,
    from_offset: &mut u64,
    to: BorrowedFd<'_>,
    to_offset: &mut u64,
    len_bytes: usize,
) -> Result<usize> {
    let (from_at, to_at) = (
        core::ptr::from_mut(from_offset),
        core::ptr::from_mut(to_offset),
    );
    // SAFETY: the kernel reads and writes the two offsets, which are exclusively ours.
    let r = unsafe {
        syscall6(
            nr::COPY_FILE_RANGE,
            from.arg(),
            from_at as usize,
            to.arg(),
            to_at as usize,
            len_bytes,
            0,
        )
    };
    Errno::check(r)
}

/// Makes `to` share all of `from`'s blocks (`FICLONE`, `man 2 ioctl_ficlone`). Linux 4.5.
///
/// # Errors
/// `EOPNOTSUPP`, `ENOTTY`, `EXDEV`, `EINVAL`, … where it cannot work.
pub fn ficlone(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
    /// `_IOW(0x94, 9, int)`.
    const FICLONE: usize = 0x4004_9409;
    // SAFETY: FICLONE takes a descriptor, no address.
    let r = unsafe { syscall3(nr::IOCTL, to.arg(), FICLONE, from.arg()) };
    Errno::check_zero(r)
}

/// Where [`lseek`] goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whence {
    /// To the offset.
    Set = 0,
    /// By the offset from the current position.
    Current = 1,
    /// To the first data at or after the offset.
    Data = 3,
    /// To the first hole at or after the offset; a file's end counts as one.
    Hole = 4,
}

/// Moves the position and returns the new one. Offsets are the kernel's 64 bits: what `d_off` of
/// a directory holds goes through as it is.
///
/// # Errors
/// `ESPIPE` (no position), `ENXIO` (no data after the offset), `EINVAL` (`man 2 lseek`).
pub fn lseek(fd: BorrowedFd<'_>, offset: u64, whence: Whence) -> Result<u64> {
    // SAFETY: no addresses are passed.
    let r = unsafe { syscall3(nr::LSEEK, fd.arg(), offset_arg(offset), whence as usize) };
    Errno::check(r).map(|at| at as u64)
}

/// Sets a file's length; what it gains is a hole.
///
/// # Errors
/// `EFBIG`, `EINVAL` (no regular file), `EPERM`, … (`man 2 ftruncate`).
pub fn ftruncate(fd: BorrowedFd<'_>, len_bytes: u64) -> Result<()> {
    // SAFETY: no addresses are passed.
    let r = unsafe { syscall2(nr::FTRUNCATE, fd.arg(), offset_arg(len_bytes)) };
    Errno::check_zero(r)
}

/// The type of the file system that holds the file (`include/uapi/linux/magic.h`).
///
/// # Errors
/// `EBADF`, `EIO` (`man 2 fstatfs`).
pub fn file_system_type(fd: BorrowedFd<'_>) -> Result<u64> {
    // `struct statfs` is 120 bytes, the type first.
    let mut buffer = [0_u64; 16];
    // SAFETY: the kernel writes its structure to `buffer`, which is longer.
    let r = unsafe { syscall2(nr::FSTATFS, fd.arg(), buffer.as_mut_ptr() as usize) };
    Errno::check_zero(r)?;
    Ok(buffer[0])
}

/// Allocates blocks for the first `len_bytes` of a file, whose length stays (`fallocate`,
/// `KEEP_SIZE`). Linux 2.6.23.
///
/// # Errors
/// `EOPNOTSUPP`, `ENOSPC`, `EFBIG`, … (`man 2 fallocate`).
pub fn preallocate(fd: BorrowedFd<'_>, len_bytes: u64) -> Result<()> {
    const KEEP_SIZE: usize = 1;
    let len = offset_arg(len_bytes);
    // SAFETY: no addresses are passed.
    let r = unsafe { syscall4(nr::FALLOCATE, fd.arg(), KEEP_SIZE, 0, len) };
    Errno::check_zero(r)
}

/// Tells the kernel that the file will be read from start to end: twice the read-ahead.
///
/// # Errors
/// `ESPIPE` for a pipe (`man 2 posix_fadvise`).
pub fn fadvise_sequential(fd: BorrowedFd<'_>) -> Result<()> {
    const SEQUENTIAL: usize = 2;
    // SAFETY: no addresses are passed.
    let r = unsafe { syscall4(nr::FADVISE64, fd.arg(), 0, 0, SEQUENTIAL) };
    Errno::check_zero(r)
}

/// A descriptor's status flags: access mode, `O_APPEND`, `O_NONBLOCK`.
///
/// # Errors
/// `EBADF`.
pub fn status_flags(fd: BorrowedFd<'_>) -> Result<super::OFlags> {
    const F_GETFL: usize = 3;
    // SAFETY: F_GETFL takes no address.
    let r = unsafe { syscall2(nr::FCNTL, fd.arg(), F_GETFL) };
    #[allow(clippy::cast_possible_truncation)] // an int
    Errno::check(r).map(|bits| super::OFlags::from_bits_truncate(bits as u32))
}

/// Duplicates `fd` to the lowest free number from `least` on, close-on-exec.
///
/// # Errors
/// `EMFILE`.
pub fn duplicate_from(fd: BorrowedFd<'_>, least: u16) -> Result<super::OwnedFd> {
    const F_DUPFD_CLOEXEC: usize = 1030;
    // SAFETY: F_DUPFD_CLOEXEC takes no address.
    let r = unsafe { syscall3(nr::FCNTL, fd.arg(), F_DUPFD_CLOEXEC, usize::from(least)) };
    super::fd::from_register(r)
}

/// What [`wait_ready`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// Data or the end can be read (`POLLIN`).
    Read = 1,
    /// There is room to write (`POLLOUT`).
    Write = 4,
}

/// `struct pollfd`.
#[repr(C)]
struct PollFd {
    fd: i32,
    events: i16,
    revents: i16,
}

const _: () = assert!(size_of::<PollFd>() == 8);

/// Waits without end until `fd` is ready, in error or hung up.
///
/// # Errors
/// `EINTR` (`man 2 poll`).
pub fn wait_ready(fd: BorrowedFd<'_>, ready: Ready) -> Result<()> {
    let mut poll = PollFd {
        fd: fd.raw(),
        events: ready as i16,
        revents: 0,
    };
    // SAFETY: `poll` is one struct pollfd to read and write.
    let r = unsafe {
        syscall3(
            nr::POLL,
            core::ptr::from_mut(&mut poll) as usize,
            1,
            usize::MAX,
        )
    };
    Errno::check(r).map(drop)
}
