//! What the ring's tests share.

use std::ffi::{CString, c_char};
use std::fs::File;
use std::os::fd::{AsRawFd as _, IntoRawFd as _};
use std::path::Path;

pub use super::all_tests::{TempDir, lend, made, made_in_time, skip, temp_dir};
use annulet::ring::{Completion, IoUring, SlotRing, Sqe};
use annulet::sys::{Errno, OwnedFd, Result};

/// More than anybody may open (`fs.nr_open`).
pub const NO_FD: i32 = i32::MAX;

/// A ring, unless `io_uring` is refused to the process.
pub fn ring(entries: u32) -> Option<IoUring> {
    made(made_in_time(|| IoUring::new(entries)))
}

/// As [`ring`], of slots.
pub fn slots(count: u32, len_bytes: usize) -> Option<SlotRing> {
    made(made_in_time(|| {
        SlotRing::new(count, len_bytes).map_err(|error| error.errno)
    }))
}

pub fn push(ring: &mut IoUring, sqe: Sqe) {
    try_push(ring, sqe).unwrap();
}

pub fn try_push(ring: &mut IoUring, sqe: Sqe) -> Result<()> {
    // SAFETY: every test here waits for its completions before what they name goes.
    unsafe { ring.push(&sqe) }
}

/// Carries out one operation.
pub fn run(ring: &mut IoUring, sqe: Sqe) -> Result<u32> {
    push(ring, sqe.user_data(4711));
    let completion = ring.wait().unwrap();
    assert_eq!(completion.user_data, 4711);
    completion.into_result()
}

/// Waits for `count` completions and gives them in the order of their `user_data`.
pub fn reap(ring: &mut IoUring, count: usize) -> Vec<Completion> {
    let mut all: Vec<_> = (0..count).map(|_| ring.wait().unwrap()).collect();
    all.sort_by_key(|completion| completion.user_data);
    all
}

/// Results in the order of `user_data`.
pub fn results(ring: &mut IoUring, count: usize) -> Vec<Result<u32>> {
    let all = reap(ring, count);
    all.into_iter().map(Completion::into_result).collect()
}

/// A folder with a file of `content`, open for reading and writing.
pub fn file(content: &[u8]) -> (TempDir, File) {
    let dir = temp_dir();
    let path = dir.child("file");
    std::fs::write(&path, content).unwrap();
    let file = File::options().read(true).write(true).open(path).unwrap();
    (dir, file)
}

/// A path as the kernel takes it, and the string it lies in.
pub fn c(path: impl AsRef<Path>) -> CString {
    CString::new(path.as_ref().as_os_str().as_encoded_bytes()).unwrap()
}

pub fn p(path: &CString) -> *const c_char {
    path.as_ptr()
}

pub fn own(file: File) -> OwnedFd {
    // SAFETY: the number comes from a file that has just given it up.
    unsafe { OwnedFd::from_raw(file.into_raw_fd()) }
}

/// Closes descriptor `raw` that an operation has opened, by way of a `File`.
pub fn adopt(raw: u32) -> File {
    use std::os::fd::FromRawFd as _;
    let raw = i32::try_from(raw).unwrap();
    // SAFETY: the kernel has just opened it for us.
    unsafe { File::from_raw_fd(raw) }
}

pub fn raw(file: &File) -> i32 {
    file.as_raw_fd()
}

pub fn bad<T>() -> Result<T> {
    Err(Errno::EBADF)
}
