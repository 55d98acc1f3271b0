//! Sleeping until another thread changes a number (`man 2 futex`).
//!
//! Who changes the number and then wakes, either finds the sleeper, or has the sleeper find the
//! change: both calls have a full barrier between what the thread did before and its look at the
//! other side (`kernel/futex/waitwake.c`, at its head). So the change may be relaxed. But a call that
//! did not sleep has synchronised with nobody: who needs to see what another thread did, loads
//! again, with Acquire.

use super::Errno;
use super::arch::{nr, syscall4};
use super::atomic::AtomicU32;
use super::errno::Result;

/// `FUTEX_PRIVATE_FLAG`: all who wait are threads of this process.
pub const PRIVATE: usize = 128;

/// Sleeps while `word` is `expected`, until woken or interrupted, or for `timeout`, seconds and
/// nanoseconds: to be called in a loop.
///
/// # Errors
/// `EAGAIN`: it is not `expected`. `EINTR`, `ETIMEDOUT`.
pub fn futex_wait(
    word: &AtomicU32,
    expected: u32,
    flags: usize,
    timeout: Option<&[u64; 2]>,
) -> Result<()> {
    const WAIT: usize = 0;
    let (address, operation, expected) = (word.as_ptr() as usize, WAIT | flags, expected as usize);
    let timeout = timeout.map_or(0, |timeout| timeout.as_ptr() as usize);
    // SAFETY: `word` is an aligned word that outlives the call, which only reads it, and the two
    // numbers of the time limit, if there is one.
    let r = unsafe { syscall4(nr::FUTEX, address, operation, expected, timeout) };
    Errno::check_zero(r)
}

/// Wakes up to `count` threads of this process that sleep on `word`.
pub fn futex_wake(word: &AtomicU32, count: u32) {
    const WAKE: usize = 1;
    let address = word.as_ptr() as usize;
    // SAFETY: only the word's address is used.
    let _ = unsafe { syscall4(nr::FUTEX, address, WAKE | PRIVATE, count as usize, 0) };
}
