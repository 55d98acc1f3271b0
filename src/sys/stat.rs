//! A file's metadata, and the two calls that tell it.
//!
//! `statx` (Linux 4.11) is asked first. Profiles written before it existed answer it with
//! `EPERM` or `ENOSYS` on any kernel (Docker before 18.04, Cloud Foundry until 2025);
//! `newfstatat` tells the same, and is refused nowhere.

use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering};

use super::arch::{StatBuffer, nr};
use super::errno::Result;
use super::fs::path_arg;
use super::restarted::{syscall4, syscall5};
use super::{AtFlags, BorrowedFd, DeviceNumbers, Errno, FileId, FileType, Mode, Timestamp};

/// What the kernel fills in (`struct statx`, `include/uapi/linux/stat.h`).
#[repr(C)]
struct Statx {
    mask: u32,
    blksize: u32,
    attributes: u64,
    nlink: u32,
    uid: u32,
    gid: u32,
    mode: u16,
    spare0: u16,
    ino: u64,
    size: u64,
    blocks: u64,
    attributes_mask: u64,
    atime: Timestamp,
    btime: Timestamp,
    ctime: Timestamp,
    mtime: Timestamp,
    rdev: DeviceNumbers,
    dev: DeviceNumbers,
    mnt_id: u64,
    spare: [u64; 13],
}

const _: () = assert!(size_of::<Statx>() == 256);
const _: () = assert!(core::mem::offset_of!(Statx, ino) == 32);
const _: () = assert!(core::mem::offset_of!(Statx, atime) == 64);
const _: () = assert!(core::mem::offset_of!(Statx, rdev) == 128);
const _: () = assert!(core::mem::offset_of!(Statx, mnt_id) == 144);

/// A file's metadata: of `struct statx` what a copier needs, in a third of the room.
#[derive(Debug, Clone, Copy)]
pub struct Stat {
    /// Type.
    pub kind: FileType,
    /// Permission bits.
    pub mode: Mode,
    /// Device and inode number.
    pub id: FileId,
    /// Size in bytes; a hint only: `/proc` and `/sys` say 0 or a page for files that hold more.
    pub size_bytes: u64,
    /// Allocated 512-byte blocks.
    pub blocks: u64,
    /// The device that a device node stands for.
    pub rdev: DeviceNumbers,
    /// Last access and last change of the content, as [`super::futimens`] takes them.
    pub times: [Timestamp; 2],
    /// Number of hard links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Default for Stat {
    /// Nothing known yet.
    fn default() -> Self {
        Self {
            id: FileId::default(),
            size_bytes: 0,
            blocks: 0,
            rdev: DeviceNumbers { major: 0, minor: 0 },
            times: [Timestamp::default(); 2],
            nlink: 0,
            uid: 0,
            gid: 0,
            mode: Mode::empty(),
            kind: FileType::Unknown,
        }
    }
}

/// The fields that `statx` is asked for: all of [`Stat`], or the size alone (`man 2 statx`).
const BASIC_STATS: usize = 0x7ff;
const SIZE: usize = 0x200;

/// `statx` was refused, and `newfstatat` answered in its place.
static STATX_REFUSED: AtomicBool = AtomicBool::new(false);

/// The metadata of `path` relative to `dir`, of a symlink itself with `SYMLINK_NOFOLLOW`.
///
/// # Errors
/// `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP`, … (`man 2 statx`).
pub fn stat_at(dir: BorrowedFd<'_>, path: &CStr, flags: AtFlags) -> Result<Stat> {
    stat_fields(dir, path, flags, BASIC_STATS)
}

/// The metadata of an open file.
///
/// # Errors
/// `EBADF` (`man 2 statx`).
pub fn stat_fd(fd: BorrowedFd<'_>) -> Result<Stat> {
    stat_at(fd, c"", AtFlags::EMPTY_PATH)
}

/// How long an open file is. A file system on another machine, or of another program, is asked for
/// no more than that, which is known after a read: the time of last access is not.
///
/// # Errors
/// `EBADF` (`man 2 statx`).
pub fn size_fd(fd: BorrowedFd<'_>) -> Result<u64> {
    stat_fields(fd, c"", AtFlags::EMPTY_PATH, SIZE).map(|stat| stat.size_bytes)
}

fn stat_fields(dir: BorrowedFd<'_>, path: &CStr, flags: AtFlags, fields: usize) -> Result<Stat> {
    // Relaxed: whoever does not see it yet asks once more in vain.
    if !STATX_REFUSED.load(Ordering::Relaxed) {
        match statx(dir, path, flags, fields) {
            Err(Errno::EPERM | Errno::ENOSYS) => {}
            answer => return answer,
        }
    }
    let answer = newfstatat(dir, path, flags);
    if !matches!(answer, Err(Errno::EPERM | Errno::ENOSYS)) {
        STATX_REFUSED.store(true, Ordering::Relaxed);
    }
    answer
}

fn statx(dir: BorrowedFd<'_>, path: &CStr, flags: AtFlags, fields: usize) -> Result<Stat> {
    let mut raw = MaybeUninit::<Statx>::uninit();
    // SAFETY: `path` is a C string; `raw` is 256 writable bytes, the size of struct statx.
    let r = unsafe {
        syscall5(
            nr::STATX,
            dir.arg(),
            path_arg(path),
            flags.bits() as usize,
            fields,
            raw.as_mut_ptr() as usize,
        )
    };
    Errno::check_zero(r)?;
    // SAFETY: on success the kernel has written the whole structure (`cp_statx`, fs/stat.c).
    let raw = unsafe { raw.assume_init_ref() };
    Ok(Stat {
        kind: FileType::from_mode(u32::from(raw.mode)),
        mode: Mode::from_bits_truncate(u32::from(raw.mode)),
        id: FileId {
            dev: raw.dev.number(),
            ino: raw.ino,
        },
        size_bytes: raw.size,
        blocks: raw.blocks,
        rdev: raw.rdev,
        times: [raw.atime, raw.mtime],
        nlink: raw.nlink,
        uid: raw.uid,
        gid: raw.gid,
    })
}

fn newfstatat(dir: BorrowedFd<'_>, path: &CStr, flags: AtFlags) -> Result<Stat> {
    let mut raw = MaybeUninit::<StatBuffer>::uninit();
    // SAFETY: `path` is a C string; `raw` has the size of the kernel's struct stat.
    let r = unsafe {
        syscall4(
            nr::NEWFSTATAT,
            dir.arg(),
            path_arg(path),
            raw.as_mut_ptr() as usize,
            flags.bits() as usize,
        )
    };
    Errno::check_zero(r)?;
    // SAFETY: on success the kernel has written the whole structure (`cp_new_stat`, fs/stat.c).
    let raw = unsafe { raw.assume_init_ref() };
    Ok(Stat {
        kind: FileType::from_mode(raw.mode),
        mode: Mode::from_bits_truncate(raw.mode),
        id: FileId {
            dev: DeviceNumbers::decode(raw.dev).number(),
            ino: raw.ino,
        },
        size_bytes: raw.size,
        blocks: raw.blocks,
        rdev: DeviceNumbers::decode(raw.rdev),
        times: [raw.atime, raw.mtime],
        nlink: raw.nlink(),
        uid: raw.uid,
        gid: raw.gid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{CWD, OFlags};

    use std::ffi::CString;

    /// Both calls, of all that has metadata, by name and by descriptor.
    #[test]
    #[cfg_attr(miri, ignore = "needs a kernel")]
    fn both_calls_tell_the_same() {
        let dir = temp_dir::TempDir::new().unwrap();
        let link = dir.child("link");
        std::os::unix::fs::symlink("elsewhere", &link).unwrap();
        let file = dir.child("file");
        std::fs::write(&file, [1; 5000]).unwrap();
        std::fs::hard_link(&file, dir.child("hard")).unwrap();
        let paths = [link.as_path(), &file, dir.path(), "/dev/full".as_ref()];
        for path in paths {
            let path = CString::new(path.to_str().unwrap()).unwrap();
            let one = statx(CWD, &path, AtFlags::SYMLINK_NOFOLLOW, BASIC_STATS).unwrap();
            let other = newfstatat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW).unwrap();
            assert_eq!(std::format!("{one:?}"), std::format!("{other:?}"));
            assert_ne!(one.kind, FileType::Unknown);
        }
        let missing = newfstatat(CWD, c"no such file", AtFlags::empty());
        assert_eq!(missing.err(), Some(Errno::ENOENT));
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs a kernel")]
    fn the_size_alone() {
        let dir = temp_dir::TempDir::new().unwrap();
        std::fs::write(dir.child("file"), [1; 5000]).unwrap();
        let path = CString::new(dir.child("file").to_str().unwrap()).unwrap();
        let file = crate::sys::openat(CWD, &path, OFlags::RDONLY, Mode::empty()).unwrap();
        assert_eq!(size_fd(file.as_fd()), Ok(5000));
    }
}
