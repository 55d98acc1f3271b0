//! Calls on names and inodes: opening, making, removing, linking, and setting metadata.

use core::ffi::CStr;

use bitflags::bitflags;

use super::arch::{nr, open};
use super::errno::Result;
use super::restarted::{syscall2, syscall3, syscall4, syscall5};
use super::{BorrowedFd, DeviceNumbers, Errno, FileType, Mode, OwnedFd, Timestamp};

bitflags! {
    /// How to open (`man 2 open`); values that all architectures share, but where named.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct OFlags: u32 {
        /// Read only: the absence of the other two.
        const RDONLY = 0;
        /// Write only.
        const WRONLY = 0o1;
        /// Read and write.
        const RDWR = 0o2;
        /// Make the file if it is not there.
        const CREAT = 0o100;
        /// With `CREAT`: fail where the name exists, a symlink included.
        const EXCL = 0o200;
        /// Never make a terminal the controlling one.
        const NOCTTY = 0o400;
        /// Cut the file to length 0.
        const TRUNC = 0o1000;
        /// Every write goes to the end.
        const APPEND = 0o2000;
        /// Do not wait for the other end of a FIFO.
        const NONBLOCK = 0o4000;
        /// Fail unless it is a directory.
        const DIRECTORY = open::DIRECTORY;
        /// Fail if the last component is a symlink.
        const NOFOLLOW = open::NOFOLLOW;
        /// Reading does not set the time of access: for the owner, as others get `EPERM`.
        const NOATIME = 0o1_000_000;
        /// Close on exec.
        const CLOEXEC = 0o2_000_000;
        /// A handle on the name only: no reading, no side effects.
        const PATH = 0o10_000_000;
    }

    /// How a path is looked up (`man 2 openat`, `AT_*`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct AtFlags: u32 {
        /// Look at a symlink itself.
        const SYMLINK_NOFOLLOW = 0x100;
        /// `unlinkat` removes a directory.
        const REMOVEDIR = 0x200;
        /// `linkat` links what a symlink points to.
        const SYMLINK_FOLLOW = 0x400;
        /// An empty path means the descriptor itself.
        const EMPTY_PATH = 0x1000;
    }
}

pub(super) fn path_arg(path: &CStr) -> usize {
    path.as_ptr() as usize
}

/// Opens `path` relative to `dir`; always close-on-exec.
///
/// # Errors
/// `ENOENT`, `EACCES`, `ELOOP` (a symlink under `NOFOLLOW`), `EEXIST`, `EMFILE`, …
/// (`man 2 openat`).
pub fn openat(dir: BorrowedFd<'_>, path: &CStr, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let flags = (flags | OFlags::CLOEXEC).bits() as usize;
    // SAFETY: `path` is a C string that lives through the call; openat only reads it.
    let r = unsafe {
        syscall4(
            nr::OPENAT,
            dir.arg(),
            path_arg(path),
            flags,
            mode.bits() as usize,
        )
    };
    super::fd::from_register(r)
}

/// Makes a directory.
///
/// # Errors
/// `EEXIST`, `ENOENT`, `ENOSPC`, … (`man 2 mkdir`).
pub fn mkdirat(dir: BorrowedFd<'_>, path: &CStr, mode: Mode) -> Result<()> {
    // SAFETY: `path` is a C string that the call only reads.
    let r = unsafe { syscall3(nr::MKDIRAT, dir.arg(), path_arg(path), mode.bits() as usize) };
    Errno::check_zero(r)
}

/// Makes a FIFO, socket or device node.
///
/// # Errors
/// `EPERM` for a device without `CAP_MKNOD`, `EEXIST`, … (`man 2 mknod`).
pub fn mknodat(
    dir: BorrowedFd<'_>,
    path: &CStr,
    kind: FileType,
    mode: Mode,
    rdev: DeviceNumbers,
) -> Result<()> {
    let mode = (kind.mode_bits() | mode.bits()) as usize;
    let rdev = rdev.encode() as usize;
    // SAFETY: `path` is a C string that the call only reads.
    let r = unsafe { syscall4(nr::MKNODAT, dir.arg(), path_arg(path), mode, rdev) };
    Errno::check_zero(r)
}

/// Makes symlink `path` that holds `target`.
///
/// # Errors
/// `EEXIST`, `ENOSPC`, … (`man 2 symlink`).
pub fn symlinkat(target: &CStr, dir: BorrowedFd<'_>, path: &CStr) -> Result<()> {
    // SAFETY: both are C strings that the call only reads.
    let r = unsafe { syscall3(nr::SYMLINKAT, path_arg(target), dir.arg(), path_arg(path)) };
    Errno::check_zero(r)
}

/// Gives file `old` the further name `new`; with `EMPTY_PATH` and no name what the descriptor
/// stands for, an `O_PATH` one too.
///
/// # Errors
/// `EEXIST`, `EXDEV`, `EMLINK`, `EPERM`, … (`man 2 link`); under `EMPTY_PATH` also `ENOENT`
/// without `CAP_DAC_READ_SEARCH`, before Linux 6.10.
pub fn linkat(
    old_dir: BorrowedFd<'_>,
    old: &CStr,
    new_dir: BorrowedFd<'_>,
    new: &CStr,
    flags: AtFlags,
) -> Result<()> {
    let flags = flags.bits() as usize;
    // SAFETY: both paths are C strings that the call only reads.
    let r = unsafe {
        syscall5(
            nr::LINKAT,
            old_dir.arg(),
            path_arg(old),
            new_dir.arg(),
            path_arg(new),
            flags,
        )
    };
    Errno::check_zero(r)
}

/// Removes a name: a directory's with `REMOVEDIR`.
///
/// # Errors
/// `ENOENT`, `EISDIR`, `ENOTEMPTY`, `EPERM`, … (`man 2 unlink`).
pub fn unlinkat(dir: BorrowedFd<'_>, path: &CStr, flags: AtFlags) -> Result<()> {
    // SAFETY: `path` is a C string that the call only reads.
    let r = unsafe {
        syscall3(
            nr::UNLINKAT,
            dir.arg(),
            path_arg(path),
            flags.bits() as usize,
        )
    };
    Errno::check_zero(r)
}

/// Gives what is named `old` the name `new` in its place; with `keep` only where nothing has
/// that name.
///
/// # Errors
/// `EEXIST` under `keep`, `EINVAL` where the file system cannot keep, `EXDEV`, …
/// (`man 2 rename`).
pub fn renameat2(
    old_dir: BorrowedFd<'_>,
    old: &CStr,
    new_dir: BorrowedFd<'_>,
    new: &CStr,
    keep: bool,
) -> Result<()> {
    // RENAME_NOREPLACE is 1.
    let flags = usize::from(keep);
    // SAFETY: both paths are C strings that the call only reads.
    let r = unsafe {
        syscall5(
            nr::RENAMEAT2,
            old_dir.arg(),
            path_arg(old),
            new_dir.arg(),
            path_arg(new),
            flags,
        )
    };
    Errno::check_zero(r)
}

/// Whether the process's real user may write to a name.
#[must_use]
pub fn may_write(dir: BorrowedFd<'_>, path: &CStr) -> bool {
    const W_OK: usize = 2;
    // SAFETY: `path` is a C string that the call only reads.
    let r = unsafe { syscall3(nr::FACCESSAT, dir.arg(), path_arg(path), W_OK) };
    Errno::check_zero(r).is_ok()
}

/// Makes an open directory the thread's working directory; an `O_PATH` descriptor will do.
///
/// # Errors
/// `EACCES`, `ENOTDIR`, … (`man 2 fchdir`).
pub fn fchdir(fd: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: no addresses are passed.
    let r = unsafe { super::arch::syscall1(nr::FCHDIR, fd.arg()) };
    Errno::check_zero(r)
}

/// Reads a symlink's target into `buf` and returns its length; a target that fills `buf`
/// may have been cut. No NUL is added.
///
/// # Errors
/// `EINVAL` if it is no symlink, … (`man 2 readlink`).
pub fn readlinkat(dir: BorrowedFd<'_>, path: &CStr, buf: &mut [u8]) -> Result<usize> {
    // SAFETY: `path` is a C string; the kernel writes at most `buf.len()` bytes to `buf`.
    let r = unsafe {
        syscall4(
            nr::READLINKAT,
            dir.arg(),
            path_arg(path),
            buf.as_mut_ptr() as usize,
            buf.len(),
        )
    };
    Errno::check(r)
}

/// Sets an open file's permission bits.
///
/// # Errors
/// `EPERM`, `EROFS`, … (`man 2 fchmod`).
pub fn fchmod(fd: BorrowedFd<'_>, mode: Mode) -> Result<()> {
    // SAFETY: no addresses are passed.
    let r = unsafe { syscall2(nr::FCHMOD, fd.arg(), mode.bits() as usize) };
    Errno::check_zero(r)
}

/// Sets the permission bits of a name, not through a symlink with `SYMLINK_NOFOLLOW`, or those
/// of what a descriptor stands for, with `EMPTY_PATH`. Linux 6.6.
///
/// # Errors
/// `ENOSYS` before Linux 6.6, or what a seccomp profile says of a call that it does not know;
/// `EOPNOTSUPP` for a symlink; … (`man 2 fchmodat`).
pub fn fchmodat2(dir: BorrowedFd<'_>, path: &CStr, mode: Mode, flags: AtFlags) -> Result<()> {
    // SAFETY: `path` is a C string that the call only reads.
    let r = unsafe {
        syscall4(
            nr::FCHMODAT2,
            dir.arg(),
            path_arg(path),
            mode.bits() as usize,
            flags.bits() as usize,
        )
    };
    Errno::check_zero(r)
}

/// Sets the permission bits of a name, through a symlink if it is one.
///
/// # Errors
/// `EPERM`, `ENOENT`, `EROFS`, … (`man 2 fchmodat`).
pub fn fchmodat(dir: BorrowedFd<'_>, path: &CStr, mode: Mode) -> Result<()> {
    // SAFETY: `path` is a C string that the call only reads.
    let r = unsafe {
        syscall3(
            nr::FCHMODAT,
            dir.arg(),
            path_arg(path),
            mode.bits() as usize,
        )
    };
    Errno::check_zero(r)
}

/// An owner that leaves the present one as it is.
pub const KEEP_ID: u32 = u32::MAX;

/// Sets an open file's owner and group ([`KEEP_ID`] leaves one alone).
///
/// # Errors
/// `EPERM`, `EINVAL` (an id that the user namespace does not map), … (`man 2 fchown`).
pub fn fchown(fd: BorrowedFd<'_>, uid: u32, gid: u32) -> Result<()> {
    // SAFETY: no addresses are passed.
    let r = unsafe { syscall3(nr::FCHOWN, fd.arg(), uid as usize, gid as usize) };
    Errno::check_zero(r)
}

/// Sets a name's owner and group, a symlink's own with `SYMLINK_NOFOLLOW`; those of what a
/// descriptor stands for with `EMPTY_PATH` (Linux 2.6.39).
///
/// # Errors
/// As [`fchown`].
pub fn fchownat(
    dir: BorrowedFd<'_>,
    path: &CStr,
    uid: u32,
    gid: u32,
    flags: AtFlags,
) -> Result<()> {
    let (uid, gid, flags) = (uid as usize, gid as usize, flags.bits() as usize);
    // SAFETY: `path` is a C string that the call only reads.
    let r = unsafe { syscall5(nr::FCHOWNAT, dir.arg(), path_arg(path), uid, gid, flags) };
    Errno::check_zero(r)
}

/// Sets an open file's times of last access and change.
///
/// # Errors
/// `EPERM`, `EROFS`, … (`man 2 utimensat`).
pub fn futimens(fd: BorrowedFd<'_>, times: &[Timestamp; 2]) -> Result<()> {
    // SAFETY: a null path means the descriptor itself; `times` is two times to read.
    let r = unsafe { syscall4(nr::UTIMENSAT, fd.arg(), 0, times.as_ptr() as usize, 0) };
    Errno::check_zero(r)
}

/// Sets a name's times of last access and change, a symlink's own with `SYMLINK_NOFOLLOW`;
/// those of what a descriptor stands for with `EMPTY_PATH`.
///
/// # Errors
/// As [`futimens`]; `EINVAL` for `EMPTY_PATH` before Linux 5.8.
pub fn utimensat(
    dir: BorrowedFd<'_>,
    path: &CStr,
    times: &[Timestamp; 2],
    flags: AtFlags,
) -> Result<()> {
    let (times, flags) = (times.as_ptr() as usize, flags.bits() as usize);
    // SAFETY: `path` is a C string and `times` two times; the call only reads them.
    let r = unsafe { syscall4(nr::UTIMENSAT, dir.arg(), path_arg(path), times, flags) };
    Errno::check_zero(r)
}

/// Sets the process's file mode creation mask and returns the former one.
#[allow(clippy::must_use_candidate)] // called for its effect as often as for its value
pub fn umask(mask: Mode) -> Mode {
    // SAFETY: no addresses are passed; umask cannot fail.
    let r = unsafe { super::arch::syscall1(nr::UMASK, mask.bits() as usize) };
    #[allow(clippy::cast_possible_truncation)] // a mode
    Mode::from_bits_truncate(r as u32)
}
