//! Threads by bare `clone`, each with a stack of its own.
//!
//! `clone` and not `clone3`, which container profiles answer with `ENOSYS`. A thread shares
//! memory and descriptors, but not the umask and the working directory (no `CLONE_FS`): so
//! reading the umask, which can only be done by changing it, disturbs nobody. They share the
//! register that thread-local storage is reached by, too: it must not be used ([`allow_threads`]).

use core::cell::Cell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};

#[cfg(not(all(test, loom)))]
use super::arch::{clone_thread, syscall1};
use super::arch::{nr, syscall3, syscall4};
use super::atomic::AtomicU32;
use super::errno::Result;
use super::futex::futex_wait;
#[cfg(all(test, loom))]
use super::modelled::clone_thread;
use super::{Errno, Mapping};

/// A stack with what stands at its top. The deepest call chain takes a tenth of it.
const STACK_BYTES: usize = 128 << 10;

/// The lowest page of a stack, which nobody may touch: running over it ends the program
/// instead of writing into the neighbour's. Where pages are larger, up to 64 KiB, the kernel takes
/// a whole one.
const GUARD_BYTES: usize = 4 << 10;

/// What stands at the top of a thread's stack.
#[repr(align(16))]
struct Top {
    /// Not 0 while the thread runs; the kernel clears and wakes it at its end.
    running: AtomicU32,
    work: unsafe fn(*const u8),
    shared: *const u8,
}

/// The most threads that a team takes.
pub const MAX_THREADS: u32 = 256;

/// So much memory is there for each thread when it is started: where a limit leaves less, what is
/// done by one alone would fail halfway when done by several.
const SPARE_BYTES: usize = 1 << 20;

/// [`allow_threads`] was called.
static ARE_ALLOWED: AtomicBool = AtomicBool::new(false);

/// Lets [`Team`]s have threads; until then they have none, as if the kernel refused them.
///
/// # Safety
/// Nothing that a team's threads run uses thread-local storage, since they would all use that of
/// the thread that started them. In a program without a libc nothing does. Where there is one, its
/// allocator does, and much else.
pub unsafe fn allow_threads() {
    // Relaxed: threads that are started see what was stored before.
    ARE_ALLOWED.store(true, Ordering::Relaxed);
}

/// Threads that all run one function on one shared value.
#[derive(Debug)]
pub struct Team<'a, T> {
    shared: &'a T,
    work: fn(&T),
    /// How many threads there can be.
    most: u32,
    /// What is mapped for their stacks, once the first was started.
    stacks: Cell<Option<NonNull<u8>>>,
    running: Cell<u32>,
}

impl<'a, T: Sync> Team<'a, T> {
    /// Runs `body` with a team that has no threads yet and can have `most`, each of which will run
    /// `work` on `shared`; returns once they have all returned.
    pub fn with<R>(shared: &'a T, work: fn(&T), most: u32, body: impl FnOnce(&Self) -> R) -> R {
        // Owned here and only lent to `body`: nobody can move it away from under its threads,
        // or forget to wait for them.
        let team = Self {
            shared,
            work,
            most: most.min(MAX_THREADS),
            stacks: Cell::new(None),
            running: Cell::new(0),
        };
        body(&team)
    }

    /// Starts threads until `count` run, or as many as there can be.
    ///
    /// # Errors
    /// Why fewer do: `ENOMEM`; `EAGAIN`, no more by `RLIMIT_NPROC` or a control group; whatever a
    /// seccomp profile has for `clone`, or a kernel that is none of Linux (`EINVAL` of qemu-user);
    /// `EPERM` before [`allow_threads`].
    pub fn start(&self, count: u32) -> Result<()> {
        let count = count.min(self.most);
        if self.running.get() >= count {
            return Ok(());
        }
        // Relaxed: as in `allow_threads`.
        if !ARE_ALLOWED.load(Ordering::Relaxed) {
            return Err(Errno::EPERM);
        }
        let stacks = self.stacks(count)?;
        while self.running.get() < count {
            self.start_one(stacks)?;
            self.running.set(self.running.get() + 1);
        }
        Ok(())
    }

    /// How many threads were started.
    pub const fn running(&self) -> u32 {
        self.running.get()
    }

    /// Where the stacks lie, if there is memory besides for `count` threads in all; mapped for the
    /// first of them. Pages that no thread reaches cost nothing.
    fn stacks(&self, count: u32) -> Result<NonNull<u8>> {
        let spare_bytes = count as usize * SPARE_BYTES;
        if let Some(stacks) = self.stacks.get() {
            drop(Mapping::anonymous(spare_bytes)?);
            return Ok(stacks);
        }
        let stacks_bytes = self.most as usize * STACK_BYTES;
        let (stacks, _) = Mapping::anonymous(stacks_bytes + spare_bytes)?.leak();
        // SAFETY: within what was just mapped.
        let spare = unsafe { stacks.add(stacks_bytes) };
        // SAFETY: the mapping's second part, which nobody else has.
        drop(unsafe { Mapping::from_raw(spare, spare_bytes) });
        self.stacks.set(Some(stacks));
        Ok(stacks)
    }

    /// Starts one more thread on one of the `stacks`.
    fn start_one(&self, stacks: NonNull<u8>) -> Result<()> {
        /// Memory, descriptors and signal handlers are shared, as `THREAD` demands; the kernel
        /// clears `running` at the end (`CHILD_CLEARTID`).
        const FLAGS: usize = 0x100 | 0x400 | 0x800 | 0x1_0000 | 0x4_0000 | 0x20_0000;
        const PROT_NONE: usize = 0;
        let top = top_of(stacks, self.running.get());
        let guard = top.addr() + size_of::<Top>() - STACK_BYTES;
        // SAFETY: the stack's lowest page, in which nothing is yet.
        let r = unsafe { syscall3(nr::MPROTECT, guard, GUARD_BYTES, PROT_NONE) };
        Errno::check_zero(r)?;
        let header = Top {
            running: AtomicU32::new(1),
            work: run::<T>,
            shared: core::ptr::from_ref(self).cast(),
        };
        // SAFETY: within the mapping, aligned as stacks are, and used by nobody yet.
        unsafe { top.write(header) };
        // SAFETY: `top` was just written.
        let running = unsafe { &raw const (*top).running };
        // SAFETY: the stack below `top` is the thread's alone until it ends, which `drop` waits
        // for before the mapping goes; so does the team itself, to which `shared` points.
        let r = unsafe { clone_thread(FLAGS, top.cast(), running, begin, top.cast()) };
        if let Err(errno) = Errno::check(r) {
            // Relaxed: nobody else has seen it.
            // SAFETY: as above; there is no thread.
            unsafe { (*top).running.store(0, Ordering::Relaxed) };
            return Err(errno);
        }
        Ok(())
    }
}

/// Where the header of that one of the `stacks` stands: as high as its size and alignment allow.
#[allow(clippy::cast_ptr_alignment)] // stacks are aligned to pages, and the header to 16
const fn top_of(stacks: NonNull<u8>, number: u32) -> *mut Top {
    const { assert!(align_of::<Top>() == 16 && size_of::<Top>().is_multiple_of(16)) };
    let end = (number as usize + 1) * STACK_BYTES;
    // SAFETY: the mapping has a stack of that number.
    unsafe { stacks.as_ptr().add(end - size_of::<Top>()) }.cast()
}

/// Where a thread begins.
///
/// # Safety
/// `top` is the thread's own [`Top`].
#[cfg(not(all(test, loom)))]
unsafe extern "C" fn begin(top: *const u8) -> ! {
    // SAFETY: the caller's promise.
    unsafe { do_work(top) };
    loop {
        // SAFETY: ends this thread; its stack is not touched again.
        let _ = unsafe { syscall1(nr::EXIT, 0) };
    }
}

/// In a model a thread ends by returning.
#[cfg(all(test, loom))]
use do_work as begin;

/// Runs the work of a thread.
///
/// # Safety
/// As [`begin`].
#[allow(clippy::cast_ptr_alignment)] // a `Top` from the beginning
unsafe fn do_work(top: *const u8) {
    let top = top.cast::<Top>();
    // SAFETY: the caller's promise; nobody changes these fields any more.
    let work = unsafe { (*top).work };
    // SAFETY: as above.
    let shared = unsafe { (*top).shared };
    // SAFETY: the two belong together (`start_one`).
    unsafe { work(shared) };
}

/// Runs a team's work.
///
/// # Safety
/// `team` is a `Team<T>` that outlives the thread.
#[allow(clippy::cast_ptr_alignment)] // a `Team` from the beginning
unsafe fn run<T>(team: *const u8) {
    let team = team.cast::<Team<'_, T>>();
    // SAFETY: the caller's promise; these two fields never change.
    let shared = unsafe { (*team).shared };
    // SAFETY: as above.
    let work = unsafe { (*team).work };
    work(shared);
}

impl<T> Drop for Team<'_, T> {
    /// Waits for all threads.
    fn drop(&mut self) {
        let Some(stacks) = self.stacks.get() else {
            return;
        };
        for number in 0..self.running.get() {
            let top = top_of(stacks, number);
            // SAFETY: written when the thread was started.
            let running = unsafe { &(*top).running };
            // Acquire: what the thread has done is seen from here on. It pairs with the kernel's
            // store of 0 (`mm_release`), which is a plain one, but comes after a full barrier: an
            // `atomic_dec_and_test` in `do_exit`. C libraries' joins rest on that, too. The kernel
            // wakes all processes' waiters, so this wait is not a private one.
            while running.load(Ordering::Acquire) != 0 {
                let _ = futex_wait(running, 1, 0, None);
            }
        }
        let stacks_bytes = self.most as usize * STACK_BYTES;
        // SAFETY: mapped by `stacks`, and every thread has ended.
        drop(unsafe { Mapping::from_raw(stacks, stacks_bytes) });
    }
}

/// How many processors this process may run on; 1 where that cannot be told.
#[must_use]
pub fn processor_count() -> u32 {
    /// For up to 8,192 processors, as many as Linux can have.
    const MASK_BYTES: usize = 1024;
    let mut mask = [0_u64; MASK_BYTES / 8];
    // SAFETY: 0 is the calling thread; the kernel writes at most `MASK_BYTES` to `mask`.
    let r = unsafe {
        syscall3(
            nr::SCHED_GETAFFINITY,
            0,
            MASK_BYTES,
            mask.as_mut_ptr() as usize,
        )
    };
    if Errno::check(r).is_err() {
        return 1;
    }
    mask.iter().map(|word| word.count_ones()).sum()
}

/// How many descriptors the process may have open (`RLIMIT_NOFILE`, the soft limit).
///
/// # Errors
/// None that the kernel gives; a seccomp profile may.
pub fn descriptor_limit() -> Result<u64> {
    const NOFILE: usize = 7;
    let mut limits = [0_u64; 2];
    // SAFETY: no new limits are given; the old ones are two numbers to write.
    let r = unsafe { syscall4(nr::PRLIMIT64, 0, NOFILE, 0, limits.as_mut_ptr() as usize) };
    Errno::check_zero(r)?;
    Ok(limits[0])
}

#[cfg(test)]
mod tests {
    use super::super::Mutex;
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "threads begin in assembly")]
    fn a_team_works_and_is_waited_for() {
        struct Shared {
            sum: Mutex<u64>,
            works: AtomicU32,
        }

        fn work(shared: &Shared) {
            for n in 0..10_000 {
                *shared.sum.lock() += n;
            }
            let mut deep = [1_u8; 16 << 10];
            core::hint::black_box(&mut deep);
            shared.works.fetch_add(1, Ordering::Relaxed);
        }

        // SAFETY: no team of the library's unit tests allocates, prints or panics in its threads,
        // all of which need the harness's thread-local storage.
        unsafe { allow_threads() };
        for count in [0, 1, 5] {
            let shared = Shared {
                sum: Mutex::new(0),
                works: AtomicU32::new(0),
            };
            let started = Team::with(&shared, work, 6, |team| {
                assert_eq!(team.start(count), Ok(()));
                assert_eq!(team.running(), count);
                assert_eq!(team.start(count + 2), Ok(()));
                team.running()
            });
            assert_eq!(started, 6.min(count + 2), "no more than there can be");
            assert_eq!(*shared.sum.lock(), 49_995_000 * u64::from(started));
            assert_eq!(shared.works.into_inner(), started);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs a kernel")]
    fn processors_and_limits() {
        let expected = std::thread::available_parallelism().unwrap().get();
        assert!(processor_count() as usize >= expected);
        assert!(descriptor_limit().unwrap() > 2);
    }
}
