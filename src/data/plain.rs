//! Plain calls with their retries: what every data path falls back to.

use core::ffi::CStr;

use crate::sys::{self, BorrowedFd, Buffer, Errno, Mode, OFlags, OwnedFd, Ready, Result};

/// Repeats `call` while a signal interrupts it.
fn uninterrupted<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            answer => return answer,
        }
    }
}

/// As that; also waits where a non-blocking descriptor is not ready.
fn waiting<T>(fd: BorrowedFd<'_>, till: Ready, mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match uninterrupted(&mut call) {
            Err(Errno::EAGAIN) => uninterrupted(|| sys::wait_ready(fd, till))?,
            answer => return answer,
        }
    }
}

/// Reads at the current position; waits where a non-blocking descriptor has nothing yet.
///
/// # Errors
/// As [`sys::read`], but for `EINTR` and `EAGAIN`.
pub fn read(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize> {
    waiting(fd, Ready::Read, || sys::read(fd, buf))
}

/// Writes at the current position; waits where a non-blocking descriptor has no room.
///
/// # Errors
/// As [`sys::write`], but for `EINTR` and `EAGAIN`.
pub fn write(fd: BorrowedFd<'_>, buf: &[u8]) -> Result<usize> {
    waiting(fd, Ready::Write, || sys::write(fd, buf))
}

/// Writes all of `bytes` at the current position.
///
/// # Errors
/// As [`write()`]; what was written before the error stays written.
pub fn write_all(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<()> {
    all(bytes, &mut 0, |rest, _| write(fd, rest))
}

/// Reads at `offset`.
///
/// # Errors
/// As [`sys::pread`], but for `EINTR`.
pub fn read_at(fd: BorrowedFd<'_>, buf: &mut [u8], offset: u64) -> Result<usize> {
    uninterrupted(|| sys::pread(fd, buf, offset))
}

/// Writes all of `bytes` at `offset`.
///
/// # Errors
/// As [`sys::pwrite`], but for `EINTR`.
pub fn write_all_at(fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> Result<()> {
    write_counted_at(fd, bytes, offset).1
}

/// As [`write_all_at`]; says how many bytes are written as well, whatever happens.
pub fn write_counted_at(fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> (usize, Result<()>) {
    let mut count = 0;
    let result = all(bytes, &mut count, |rest, done| {
        uninterrupted(|| sys::pwrite(fd, rest, offset + done))
    });
    (count, result)
}

/// The memory that is kept, of `len_bytes`, mapped if there is none.
///
/// # Errors
/// `ENOMEM`.
pub fn buffer(kept: &mut Option<Buffer>, len_bytes: usize) -> Result<&mut [u8]> {
    if kept.is_none() {
        *kept = Some(Buffer::new(len_bytes)?);
    }
    kept.as_deref_mut().ok_or(Errno::ENOMEM)
}

/// Calls `write` with what is left of `bytes` and how much is `done` until nothing is left.
fn all(
    bytes: &[u8],
    done: &mut usize,
    mut write: impl FnMut(&[u8], u64) -> Result<usize>,
) -> Result<()> {
    while let Some(rest) = bytes.get(*done..)
        && !rest.is_empty()
    {
        match write(rest, *done as u64)? {
            // Only an odd device takes nothing and says no error; asking for ever is no answer.
            0 => return Err(Errno::ENOSPC),
            written => *done += written,
        }
    }
    Ok(())
}

/// Opens a file, never as one of the three standard descriptors (see
/// [`OwnedFd::above_standard`]).
///
/// # Errors
/// As [`sys::openat`], but for `EINTR`.
pub fn open(dir: BorrowedFd<'_>, path: &CStr, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    uninterrupted(|| sys::openat(dir, path, flags, mode))?.above_standard()
}

/// Fits every open file that was not made by us.
pub const NO_MODE: Mode = Mode::empty();

/// Where there may be no more descriptors than this, those that are free are counted.
const COUNTED_DESCRIPTORS: u64 = 256;

/// How many descriptors there may be besides those that are open, of which this is the `newest`.
#[must_use]
pub fn descriptors_left(newest: BorrowedFd<'_>) -> u64 {
    let Ok(limit) = sys::descriptor_limit() else {
        return u64::MAX;
    };
    if let (0..=COUNTED_DESCRIPTORS, Ok(end)) = (limit, i32::try_from(limit)) {
        // The three standard ones are not for us, even if they are closed.
        return (3..end).map(|raw| u64::from(!sys::is_open(raw))).sum();
    }
    // It got the lowest number that was free: so many are in use, inherited ones among them.
    limit.saturating_sub(newest.raw().unsigned_abs().into())
}
