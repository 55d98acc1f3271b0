//! The process itself and the kernel it runs on.

use super::arch::{nr, syscall0, syscall1, syscall2, syscall3};
use super::errno::Result;
use super::{Errno, two_numbers};

/// Ends the process, all its threads included, with the low eight bits of `status`.
pub fn exit(status: u8) -> ! {
    loop {
        // SAFETY: no addresses are passed; it does not return.
        let _ = unsafe { syscall1(nr::EXIT_GROUP, usize::from(status)) };
    }
}

/// The effective user id.
#[must_use]
pub fn geteuid() -> u32 {
    // SAFETY: no arguments; geteuid cannot fail.
    let r = unsafe { syscall0(nr::GETEUID) };
    #[allow(clippy::cast_possible_truncation)] // a uid is 32 bits
    let uid = r as u32;
    uid
}

/// What the process has used of the machine (`man 2 getrusage`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time on processors, in microseconds.
    pub processor_us: u64,
    /// Blocks of 512 bytes that had to be read from disks.
    pub blocks_read: u64,
    /// How often a thread gave its processor up because it had to wait.
    pub waits: u64,
    /// How often a thread's processor was taken from it.
    pub preemptions: u64,
}

impl Usage {
    /// By all threads of the process; nothing where that cannot be told. Linux 2.6.
    #[must_use]
    pub fn now() -> Self {
        const ALL_THREADS: usize = 0;
        Self::of(ALL_THREADS)
    }

    fn of(whom: usize) -> Self {
        // `struct rusage`: two times of two numbers each, and 14 numbers more.
        let mut usage = [0_u64; 18];
        // SAFETY: the kernel writes its structure to `usage`.
        let _ = unsafe { syscall2(nr::GETRUSAGE, whom, usage.as_mut_ptr() as usize) };
        let us = |time: &[u64]| time.iter().fold(0, |s, us| s * 1_000_000 + us);
        let [user, system] = [0..2, 2..4].map(|time| us(&usage[time]));
        Self {
            processor_us: user + system,
            blocks_read: usage[11],
            waits: usage[16],
            preemptions: usage[17],
        }
    }

    /// What was used since `before`.
    #[must_use]
    pub const fn since(&self, before: &Self) -> Self {
        Self {
            processor_us: self.processor_us.saturating_sub(before.processor_us),
            blocks_read: self.blocks_read.saturating_sub(before.blocks_read),
            waits: self.waits.saturating_sub(before.waits),
            preemptions: self.preemptions.saturating_sub(before.preemptions),
        }
    }
}

/// How often this thread gave its processor up because it had to wait ([`Usage::waits`]); 0 where
/// that cannot be told. Linux 2.6.26.
#[must_use]
pub fn waits_of_thread() -> u64 {
    const THIS_THREAD: usize = 1;
    Usage::of(THIS_THREAD).waits
}

/// Nanoseconds on a clock that only goes forward (`CLOCK_MONOTONIC`).
#[must_use]
pub fn monotonic_ns() -> u64 {
    const MONOTONIC: usize = 1;
    let mut time = [0_u64; 2];
    let address = time.as_mut_ptr() as usize;
    // SAFETY: the kernel writes seconds and nanoseconds to `time`; it cannot fail.
    let _ = unsafe { syscall2(nr::CLOCK_GETTIME, MONOTONIC, address) };
    time[0] * 1_000_000_000 + time[1]
}

/// Milliseconds on the same clock.
#[must_use]
pub fn monotonic_ms() -> u64 {
    monotonic_ns() / 1_000_000
}

/// A number that nobody else has (`man 2 getrandom`), or where the kernel gives none, as early
/// in its life and before Linux 3.17, the time.
#[must_use]
pub fn random_number() -> u32 {
    const NONBLOCK: usize = 1;
    let mut number = [0_u8; 4];
    // SAFETY: the kernel writes at most four bytes to `number`.
    let r = unsafe {
        syscall3(
            nr::GETRANDOM,
            number.as_mut_ptr() as usize,
            number.len(),
            NONBLOCK,
        )
    };
    if Errno::check(r) == Ok(number.len()) {
        return u32::from_ne_bytes(number);
    }
    #[allow(clippy::cast_possible_truncation)] // any number will do
    let time = monotonic_ms() as u32;
    time
}

/// A version of the kernel: major and minor number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion(pub u32, pub u32);

/// `struct new_utsname` (`include/uapi/linux/utsname.h`): six NUL-padded strings of 65 bytes.
#[repr(C)]
struct Utsname([[u8; 65]; 6]);

const _: () = assert!(size_of::<Utsname>() == 390);

/// The running kernel's version.
///
/// # Errors
/// None that the kernel gives; a seccomp profile may.
pub fn kernel_version() -> Result<KernelVersion> {
    let mut name = Utsname([[0; 65]; 6]);
    // SAFETY: `name` is the 390 writable bytes of struct new_utsname.
    let r = unsafe { syscall1(nr::UNAME, core::ptr::from_mut(&mut name) as usize) };
    Errno::check_zero(r)?;
    // As in "6.1.0-49-cloud".
    let [major, minor] = two_numbers(&name.0[2], b'.');
    Ok(KernelVersion(major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "needs a kernel")]
    fn what_is_used_is_counted() {
        let before = Usage::now();
        let start_ns = monotonic_ns();
        while monotonic_ns() - start_ns < 20_000_000 {}
        std::thread::sleep(std::time::Duration::from_millis(5));
        let used = Usage::now().since(&before);
        // Other tests run meanwhile, and other programs.
        assert!(used.processor_us >= 1000, "{used:?}");
        assert!(used.waits >= 1, "{used:?}");
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs a kernel")]
    fn what_a_thread_waits_is_counted_apart() {
        // Where the machine is busy some are over before they are waited for.
        let sleep_until_counted = |waits| {
            let before = waits_of_thread();
            (0..1000).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(2));
                waits_of_thread() - before >= waits
            })
        };
        let of_another = std::thread::spawn(move || sleep_until_counted(20));
        let before = waits_of_thread();
        assert!(sleep_until_counted(1));
        let waits = waits_of_thread() - before;
        assert!((1..20).contains(&waits), "{waits}");
        assert!(of_another.join().unwrap());
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs a kernel")]
    fn the_kernel_has_a_version() {
        assert!(kernel_version().unwrap() > KernelVersion(4, 0));
    }
}
