//! System calls that `std` does not have.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use fuser::TimeOrNow;

const NANOSECONDS: i64 = 1_000_000_000;

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

fn check(result: i32) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A length, or an error.
fn length(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

pub fn unmount(at: &CStr, flags: i32) -> io::Result<()> {
    // SAFETY: a text that ends in NUL.
    check(unsafe { libc::umount2(at.as_ptr(), flags) })
}

/// Has memory for large buffers come from the kernel, zeroed when it is touched. glibc would zero
/// it all itself once such a buffer was given back, which takes longer than a mount.
pub fn map_large_buffers() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes numbers.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 4 << 20)
    };
}

/// Has this thread wait as long as it says: by default 50 µs are added.
pub fn wait_exactly() {
    // SAFETY: takes numbers.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}

/// As open(2), and never by a symbolic link: std cannot create what it only reads.
pub fn open(path: &Path, flags: i32, mode: u32) -> io::Result<File> {
    let path = c_path(path)?;
    let flags = flags | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: a text that ends in NUL.
    let fd = unsafe { libc::open(path.as_ptr(), flags, mode) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else has it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

pub fn mknod(path: &Path, mode: u32, device: u32) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: a text that ends in NUL.
    check(unsafe { libc::mknod(path.as_ptr(), mode, device.into()) })
}

pub fn rename(from: &Path, to: &Path, flags: u32) -> io::Result<()> {
    let (from, to) = (c_path(from)?, c_path(to)?);
    let here = libc::AT_FDCWD;
    // SAFETY: texts that end in NUL.
    check(unsafe { libc::renameat2(here, from.as_ptr(), here, to.as_ptr(), flags) })
}

/// Sets what is given of access and modification time.
pub fn set_times(path: &Path, times: [Option<TimeOrNow>; 2]) -> io::Result<()> {
    let times = times.map(|time| match time {
        None => timespec(0, libc::UTIME_OMIT),
        Some(TimeOrNow::Now) => timespec(0, libc::UTIME_NOW),
        Some(TimeOrNow::SpecificTime(time)) => since_1970(time),
    });
    let path = c_path(path)?;
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: a text that ends in NUL, and two times.
    check(unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), times.as_ptr(), flags) })
}

fn timespec(seconds: i64, nanoseconds: i64) -> libc::timespec {
    libc::timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
    }
}

/// Parts of a second count forwards, before 1970 as well.
fn since_1970(time: SystemTime) -> libc::timespec {
    let (since, sign) = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => (since, 1),
        Err(error) => (error.duration(), -1),
    };
    let seconds = sign * since.as_secs().cast_signed();
    let nanoseconds = sign * i64::from(since.subsec_nanos());
    timespec(
        seconds + nanoseconds.div_euclid(NANOSECONDS),
        nanoseconds.rem_euclid(NANOSECONDS),
    )
}

pub fn seek(file: &File, offset: i64, whence: i32) -> io::Result<i64> {
    // SAFETY: takes numbers.
    let at = unsafe { libc::lseek(file.as_raw_fd(), offset, whence) };
    if at < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(at)
}

pub fn statvfs(path: &Path) -> io::Result<libc::statvfs> {
    let path = c_path(path)?;
    let mut room = MaybeUninit::uninit();
    // SAFETY: a text that ends in NUL, and room for the answer.
    check(unsafe { libc::statvfs(path.as_ptr(), room.as_mut_ptr()) })?;
    // SAFETY: the call succeeded and has filled it in.
    Ok(unsafe { room.assume_init() })
}

/// At most as many bytes as an attribute, or the list of their names, can have.
const ATTRIBUTE_BYTES: usize = 64 << 10;

pub fn get_xattr(path: &Path, name: &OsStr) -> io::Result<Vec<u8>> {
    let (path, name) = (c_path(path)?, CString::new(name.as_bytes())?);
    let mut room = vec![0_u8; ATTRIBUTE_BYTES];
    let start = room.as_mut_ptr().cast();
    // SAFETY: texts that end in NUL, and room of that length.
    let len = unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), start, room.len()) };
    room.truncate(length(len)?);
    Ok(room)
}

pub fn list_xattrs(path: &Path) -> io::Result<Vec<u8>> {
    let path = c_path(path)?;
    let mut room = vec![0_u8; ATTRIBUTE_BYTES];
    // SAFETY: a text that ends in NUL, and room of that length.
    let len = unsafe { libc::llistxattr(path.as_ptr(), room.as_mut_ptr().cast(), room.len()) };
    room.truncate(length(len)?);
    Ok(room)
}

pub fn set_xattr(path: &Path, name: &OsStr, value: &[u8], flags: i32) -> io::Result<()> {
    let (path, name) = (c_path(path)?, CString::new(name.as_bytes())?);
    let start = value.as_ptr().cast();
    // SAFETY: texts that end in NUL, and bytes of that length.
    check(unsafe { libc::lsetxattr(path.as_ptr(), name.as_ptr(), start, value.len(), flags) })
}

pub fn remove_xattr(path: &Path, name: &OsStr) -> io::Result<()> {
    let (path, name) = (c_path(path)?, CString::new(name.as_bytes())?);
    // SAFETY: texts that end in NUL.
    check(unsafe { libc::lremovexattr(path.as_ptr(), name.as_ptr()) })
}
