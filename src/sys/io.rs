//! Moving data through descriptors, and what concerns a file's extent.

use core::ops::Range;

use super::arch::{nr, syscall2, syscall3, syscall4, syscall5, syscall6};
use super::errno::Result;
use super::{BorrowedFd, Errno, OwnedFd, restarted};

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

/// As [`pread`], of what is in memory: up to where the rest would have to be waited for
/// (`RWF_NOWAIT`). Linux 4.14, and as file systems came to know it.
///
/// # Errors
/// `EAGAIN`: nothing of it is in memory. `EOPNOTSUPP`, `ENOSYS`: that cannot be told. Else as
/// [`pread`] (`man 2 preadv2`).
pub fn pread_cached(fd: BorrowedFd<'_>, buf: &mut [u8], offset: u64) -> Result<usize> {
    const NOWAIT: usize = 8;
    // `struct iovec`.
    let vector = [buf.as_mut_ptr() as usize, buf.len()];
    let (address, offset) = (vector.as_ptr() as usize, offset_arg(offset));
    // SAFETY: one vector, to which the kernel writes at most `buf.len()` bytes. On 64 bits the
    // offset is one number, and its upper half is not looked at.
    let r = unsafe { syscall6(nr::PREADV2, fd.arg(), address, 1, offset, 0, NOWAIT) };
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

/// Copies up to `len_bytes` within the kernel; 0 at the source's end, or where this pair of
/// files cannot be copied so. Offsets as for [`splice`]. Linux 4.5; on one file system
/// reliable from 5.3, across two from 5.19.
///
/// # Errors
/// `EXDEV`, `EINVAL`, `EOPNOTSUPP`, `ENOSYS`, `EPERM`, … (`man 2 copy_file_range`).
pub fn copy_file_range(
    from: BorrowedFd<'_>,
    from_offset: Option<&mut u64>,
    to: BorrowedFd<'_>,
    to_offset: Option<&mut u64>,
    len_bytes: usize,
) -> Result<usize> {
    // SAFETY: `copy_file_range` takes the same arguments as `splice`.
    unsafe {
        move_within_kernel(
            nr::COPY_FILE_RANGE,
            (from, from_offset),
            (to, to_offset),
            len_bytes,
        )
    }
}

/// Issues one of the two calls that move data within the kernel.
///
/// # Safety
/// The call takes descriptor and offset twice, a length and flags.
unsafe fn move_within_kernel(
    call: usize,
    (from, from_offset): (BorrowedFd<'_>, Option<&mut u64>),
    (to, to_offset): (BorrowedFd<'_>, Option<&mut u64>),
    len_bytes: usize,
) -> Result<usize> {
    let address =
        |offset: Option<&mut u64>| offset.map_or(0, |at| core::ptr::from_mut(at) as usize);
    let (read_at, write_at) = (address(from_offset), address(to_offset));
    // SAFETY: each offset is null or a number of ours to read and write.
    let r = unsafe { syscall6(call, from.arg(), read_at, to.arg(), write_at, len_bytes, 0) };
    Errno::check(r)
}

/// Moves up to `len_bytes` from `from` to `to` as references to pages where the kernel can; one
/// of the two is a pipe. 0 at the source's end. Waits only for the first byte and for the first
/// room. What has an offset is used there, and that moved; else at its current position.
/// Linux 2.6.17.
///
/// # Errors
/// `EINVAL` (no pipe among them, `O_APPEND`, what lies behind does not know how), `EAGAIN`,
/// `EPIPE`, and those of [`read`] and [`write()`] (`man 2 splice`).
pub fn splice(
    from: BorrowedFd<'_>,
    from_offset: Option<&mut u64>,
    to: BorrowedFd<'_>,
    to_offset: Option<&mut u64>,
    len_bytes: usize,
) -> Result<usize> {
    // SAFETY: `splice`'s arguments.
    unsafe { move_within_kernel(nr::SPLICE, (from, from_offset), (to, to_offset), len_bytes) }
}

/// Makes a pipe, close-on-exec, and returns its two ends: one to read, one to write.
///
/// # Errors
/// `EMFILE`, `ENFILE` (`man 2 pipe`).
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0_i32; 2];
    let flags = super::OFlags::CLOEXEC.bits() as usize;
    // SAFETY: the kernel writes two ints to `ends`.
    let r = unsafe { syscall2(nr::PIPE2, ends.as_mut_ptr() as usize, flags) };
    Errno::check_zero(r)?;
    let [read, write] = ends;
    // SAFETY: made by the call, and known to nobody else.
    let read = unsafe { OwnedFd::from_raw(read) };
    // SAFETY: as above.
    let write = unsafe { OwnedFd::from_raw(write) };
    Ok((read, write))
}

/// How many bytes a pipe holds at the most. Linux 2.6.35.
///
/// # Errors
/// `EBADF` where it is no pipe.
pub fn pipe_size(fd: BorrowedFd<'_>) -> Result<usize> {
    const F_GETPIPE_SZ: usize = 1032;
    // SAFETY: F_GETPIPE_SZ takes no address.
    let r = unsafe { syscall2(nr::FCNTL, fd.arg(), F_GETPIPE_SZ) };
    Errno::check(r)
}

/// Sets how many bytes a pipe holds, rounded up to a power of two of pages. Linux 2.6.35.
///
/// # Errors
/// `EPERM` above `/proc/sys/fs/pipe-max-size` or the user's share, `EBUSY` below what it holds
/// now, `EBADF` where it is no pipe.
pub fn set_pipe_size(fd: BorrowedFd<'_>, len_bytes: usize) -> Result<()> {
    const F_SETPIPE_SZ: usize = 1031;
    // SAFETY: F_SETPIPE_SZ takes no address.
    let r = unsafe { syscall3(nr::FCNTL, fd.arg(), F_SETPIPE_SZ, len_bytes) };
    Errno::check(r).map(drop)
}

/// How many bytes are in a pipe (`FIONREAD`), whichever end `fd` is.
///
/// # Errors
/// `EINVAL`, `ENOTTY` where it is none.
pub fn bytes_in_pipe(fd: BorrowedFd<'_>) -> Result<u64> {
    const FIONREAD: usize = 0x541b;
    let mut count = 0_i32;
    let address = core::ptr::from_mut(&mut count) as usize;
    // SAFETY: the kernel writes one int to `count`.
    let r = unsafe { syscall3(nr::IOCTL, fd.arg(), FIONREAD, address) };
    Errno::check_zero(r)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Makes `to` share all of `from`'s blocks (`FICLONE`, `man 2 ioctl_ficlone`). Linux 4.5.
///
/// # Errors
/// `EOPNOTSUPP`, `ENOTTY`, `EXDEV`, `EINVAL`, … where it cannot work.
pub fn ficlone(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
    /// `_IOW(0x94, 9, int)`.
    const FICLONE: usize = 0x4004_9409;
    // SAFETY: FICLONE takes a descriptor, no address.
    let r = unsafe { restarted::syscall3(nr::IOCTL, to.arg(), FICLONE, from.arg()) };
    Errno::check_zero(r)
}

/// How many columns the terminal `fd` has, 0 if it does not know; `None` if it is no terminal
/// (`TIOCGWINSZ`, `man 2 ioctl_tty`).
#[must_use]
pub fn terminal_columns(fd: BorrowedFd<'_>) -> Option<u16> {
    const TIOCGWINSZ: usize = 0x5413;
    // `struct winsize`: rows, columns, and two that nobody uses.
    let mut size = [0_u16; 4];
    let address = size.as_mut_ptr() as usize;
    // SAFETY: the kernel writes its structure to `size`.
    let r = unsafe { syscall3(nr::IOCTL, fd.arg(), TIOCGWINSZ, address) };
    Errno::check_zero(r).is_ok().then_some(size[1])
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
    let r =
        unsafe { restarted::syscall3(nr::LSEEK, fd.arg(), offset_arg(offset), whence as usize) };
    Errno::check(r).map(|at| at as u64)
}

/// Sets a file's length; what it gains is a hole.
///
/// # Errors
/// `EFBIG`, `EINVAL` (no regular file), `EPERM`, … (`man 2 ftruncate`).
pub fn ftruncate(fd: BorrowedFd<'_>, len_bytes: u64) -> Result<()> {
    // SAFETY: no addresses are passed.
    let r = unsafe { restarted::syscall2(nr::FTRUNCATE, fd.arg(), offset_arg(len_bytes)) };
    Errno::check_zero(r)
}

/// Allocates blocks for `len_bytes` of a file from `offset` on; its length stays (`fallocate`,
/// `KEEP_SIZE`). Linux 2.6.23.
///
/// # Errors
/// `EOPNOTSUPP`, `ENOSPC`, `EFBIG`, … (`man 2 fallocate`).
pub fn preallocate(fd: BorrowedFd<'_>, offset: u64, len_bytes: u64) -> Result<()> {
    const KEEP_SIZE: usize = 1;
    let (offset, len) = (offset_arg(offset), offset_arg(len_bytes));
    // SAFETY: no addresses are passed.
    let r = unsafe { restarted::syscall4(nr::FALLOCATE, fd.arg(), KEEP_SIZE, offset, len) };
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
    let r = unsafe { restarted::syscall2(nr::FSTATFS, fd.arg(), buffer.as_mut_ptr() as usize) };
    Errno::check_zero(r)?;
    // The generic ABI's type is signed: CIFS's number is negative there.
    Ok(buffer[0] & 0xffff_ffff)
}

/// Tells the kernel that the file will be read from start to end: twice the read-ahead.
///
/// # Errors
/// `ESPIPE` for a pipe (`man 2 posix_fadvise`).
pub fn fadvise_sequential(fd: BorrowedFd<'_>) -> Result<()> {
    const SEQUENTIAL: usize = 2;
    fadvise(fd, 0..0, SEQUENTIAL)
}

/// Has the kernel begin to read the bytes of `range`, or all from its start on if it ends at 0,
/// and does not wait for them. It begins with no more than a device takes at a time.
///
/// # Errors
/// As [`fadvise_sequential`].
pub fn fadvise_will_need(fd: BorrowedFd<'_>, range: Range<u64>) -> Result<()> {
    const WILLNEED: usize = 3;
    fadvise(fd, range, WILLNEED)
}

fn fadvise(fd: BorrowedFd<'_>, range: Range<u64>, advice: usize) -> Result<()> {
    let start = offset_arg(range.start);
    let len = offset_arg(range.end.saturating_sub(range.start));
    // SAFETY: no addresses are passed.
    let r = unsafe { syscall4(nr::FADVISE64, fd.arg(), start, len, advice) };
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
    poll(fd, ready as i16, None).map(drop)
}

/// As [`wait_ready`], for up to `timeout_ms`. Returns whether it is ready.
///
/// # Errors
/// As [`wait_ready`].
pub fn wait_ready_for(fd: BorrowedFd<'_>, ready: Ready, timeout_ms: u16) -> Result<bool> {
    poll(fd, ready as i16, Some(timeout_ms.into()))
}

/// Waits so many milliseconds, or less if `fd` is or comes to be in error or hung up, and says
/// whether it is: of a pipe's writing end, whether nobody has it open for reading.
///
/// # Errors
/// As [`wait_ready`].
pub fn wait_for_hangup(fd: BorrowedFd<'_>, timeout_ms: u32) -> Result<bool> {
    poll(fd, 0, Some(timeout_ms))
}

/// Whether `fd` is ready for one of `events`, in error or hung up, before the time is over, if any
/// is given. By `ppoll`, as not every architecture has `poll`.
fn poll(fd: BorrowedFd<'_>, events: i16, timeout_ms: Option<u32>) -> Result<bool> {
    let mut poll = PollFd {
        fd: fd.raw(),
        events,
        revents: 0,
    };
    let address = core::ptr::from_mut(&mut poll) as usize;
    let mut timeout = timeout_ms.map(|ms| [ms / 1000, ms % 1000 * 1_000_000].map(u64::from));
    let timeout = timeout
        .as_mut()
        .map_or(0, |time| time.as_mut_ptr() as usize);
    // SAFETY: `poll` is one struct pollfd to read and write, `timeout` seconds and nanoseconds
    // likewise, or nothing; the signals stay as they are.
    let r = unsafe { syscall5(nr::PPOLL, address, 1, timeout, 0, 0) };
    Errno::check(r).map(|ready| ready > 0)
}
