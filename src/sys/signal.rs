//! SIGUSR1, by which a user asks how far a program has come: it is counted, and whoever has the
//! time looks at the count.
//!
//! A handler may do next to nothing: it interrupts the program anywhere, with locks held and the
//! allocator in the middle of its work. This one adds 1 to a number.

use core::sync::atomic::{AtomicU32, Ordering};

use super::arch::{SignalAction, nr, syscall4};
use super::errno::{Errno, Result};

const SIGUSR1: usize = 10;

/// How often it came.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Signals are a bit each in so many bytes.
const SET_BYTES: usize = 8;

extern "C" fn count(_signal: i32) {
    // Relaxed: it is a number, nothing follows from it.
    COUNT.fetch_add(1, Ordering::Relaxed);
}

/// Has SIGUSR1 counted from now on, instead of ending the program. Calls that it interrupts are
/// made again by the kernel (`SA_RESTART`), but for those that wait for a limited time.
///
/// # Errors
/// None that the kernel gives; a seccomp profile may.
pub fn count_usr1() -> Result<()> {
    const RESTART: usize = 0x1000_0000;
    let action = SignalAction::new(count, RESTART);
    let address = core::ptr::from_ref(&action) as usize;
    // SAFETY: `action` is the kernel's structure, to be read. The handler touches one atomic
    // number, so it may run at any instruction; the kernel passes the stack's red zone over, saves all
    // registers and takes them back.
    let r = unsafe { syscall4(nr::RT_SIGACTION, SIGUSR1, address, 0, SET_BYTES) };
    Errno::check_zero(r)
}

/// How often SIGUSR1 came.
#[must_use]
#[inline]
pub fn usr1_count() -> u32 {
    // Relaxed: as above.
    COUNT.load(Ordering::Relaxed)
}

/// Whether SIGUSR1 may interrupt this thread, and those that it starts from now on. What may
/// interrupt none waits.
pub fn let_usr1(interrupt: bool) {
    const BLOCK: usize = 0;
    const UNBLOCK: usize = 1;
    let how = if interrupt { UNBLOCK } else { BLOCK };
    let set = 1_u64 << (SIGUSR1 - 1);
    let address = core::ptr::from_ref(&set) as usize;
    // SAFETY: `set` is a set of signals to be read. It cannot fail.
    let _ = unsafe { syscall4(nr::RT_SIGPROCMASK, how, address, 0, SET_BYTES) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::scope;

    /// A loop that keeps values in every register there is.
    fn sum_in_all_registers(rounds: u64) -> ([u64; 13], u64) {
        let mut words = [1_u64, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
        let mut float = 1.5_f64;
        for round in 0..rounds {
            for at in 0..words.len() {
                words[at] = words[at]
                    .wrapping_mul(words[(at + 1) % 13])
                    .wrapping_add(round);
            }
            float = float * 1.000_000_1 + 0.000_000_1;
        }
        (words, float.to_bits())
    }

    /// All of it in one test: the count is the process's.
    #[test]
    #[cfg_attr(miri, ignore = "needs a kernel")]
    fn the_signal_is_counted() {
        count_usr1().unwrap();
        // SAFETY: takes nothing.
        let thread = unsafe { libc::pthread_self() };
        let raise = || {
            // SAFETY: the thread waits for this one.
            assert_eq!(unsafe { libc::pthread_kill(thread, libc::SIGUSR1) }, 0);
        };
        let before = usr1_count();
        for round in 1..100 {
            raise();
            assert_eq!(usr1_count(), before + round);
        }
        let expected = sum_in_all_registers(300_000);
        let raise_often = move || {
            for _ in 0..2000 {
                raise();
                std::thread::yield_now();
            }
        };
        scope(|scope| {
            let interrupts = scope.spawn(raise_often);
            while !interrupts.is_finished() {
                assert_eq!(sum_in_all_registers(300_000), expected);
            }
        });
        let before = usr1_count();
        let_usr1(false);
        raise();
        assert_eq!(usr1_count(), before, "blocked");
        let_usr1(true);
        assert_eq!(usr1_count(), before + 1, "it waited");
    }
}
