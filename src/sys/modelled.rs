//! In place of the kernel under loom: sleeping on a number, and threads.
//!
//! No more is ordered here than by the kernel: a lock orders looking at the number and falling
//! asleep, and who looks for sleepers, and waking somebody orders what was done before. Sleep that
//! nobody ends is a deadlock, which loom reports; time does not pass.

use core::sync::atomic::Ordering;
use std::vec::Vec;

use loom::model::Builder;
use loom::sync::Mutex;
use loom::thread::{self, JoinHandle, Thread};

use super::atomic::{AtomicU32, UnsafeCell, fence};
use super::errno::{Errno, Result};

pub const PRIVATE: usize = 128;

loom::lazy_static! {
    /// Who sleeps on the number of which address, in the order in which they fell asleep.
    static ref ASLEEP: Mutex<Vec<(usize, Thread)>> = Mutex::new(Vec::new());
    /// Threads of teams, which end after the team has seen that they did.
    static ref CLONED: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());
}

/// Tries `model` in every order with at most `switches` between threads that no wait asks for.
pub fn explore(switches: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(switches);
    let model = std::sync::Arc::new(model);
    builder.check(move || {
        // Made before there are threads, which would be ordered by that.
        drop(ASLEEP.lock());
        let model = std::sync::Arc::clone(&model);
        spawn(move || model()).join().unwrap();
        for thread in CLONED.lock().unwrap().drain(..) {
            thread.join().unwrap();
        }
    });
}

/// A thread whose stack is enough for a walk that was not optimised.
fn spawn(run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let builder = thread::Builder::new().stack_size(128 << 10);
    builder.spawn(run).unwrap()
}

/// Lets teams have threads.
pub fn allow_threads() {
    // SAFETY: those of a model have stacks and storage of their own.
    unsafe { super::allow_threads() };
}

/// As the kernel's.
///
/// # Errors
/// `EAGAIN`.
pub fn futex_wait(
    word: &AtomicU32,
    expected: u32,
    _flags: usize,
    _timeout: Option<&[u64; 2]>,
) -> Result<()> {
    let mut asleep = ASLEEP.lock().unwrap();
    if word.load(Ordering::Relaxed) != expected {
        return Err(Errno::EAGAIN);
    }
    let address = core::ptr::from_ref(word).addr();
    asleep.push((address, thread::current()));
    drop(asleep);
    thread::park();
    Ok(())
}

/// As the kernel's.
pub fn futex_wake(word: &AtomicU32, count: u32) {
    let address = core::ptr::from_ref(word).addr();
    let mut left = count;
    let mut is_woken = |(sleeps_on, _): &mut (usize, Thread)| {
        let is_woken = *sleeps_on == address && left > 0;
        left -= u32::from(is_woken);
        is_woken
    };
    let mut asleep = ASLEEP.lock().unwrap();
    for (_, thread) in asleep.extract_if(.., &mut is_woken) {
        thread.unpark();
    }
}

/// Starts a thread that runs `begin` and then ends as the kernel has it.
///
/// # Safety
/// `running` and `argument` are valid until the thread has ended.
pub unsafe fn clone_thread(
    _flags: usize,
    _stack: *mut u8,
    running: *const AtomicU32,
    begin: unsafe fn(*const u8),
    argument: *const u8,
) -> usize {
    let (running, argument) = (running.expose_provenance(), argument.expose_provenance());
    let run = move || {
        // SAFETY: the caller's promise.
        unsafe { begin(core::ptr::with_exposed_provenance(argument)) };
        // SAFETY: the caller's promise.
        let running = unsafe { &*core::ptr::with_exposed_provenance::<AtomicU32>(running) };
        // `do_exit`, then `mm_release`.
        fence(Ordering::SeqCst);
        running.store(0, Ordering::Relaxed);
        futex_wake(running, 1);
    };
    CLONED.lock().unwrap().push(spawn(run));
    1
}

/// A number that nothing protects: loom reports whoever reads it while it may be written.
#[derive(Default)]
pub struct Bare(UnsafeCell<u32>);

// SAFETY: loom watches who reaches it.
unsafe impl Sync for Bare {}

impl Bare {
    pub fn set(&self, number: u32) {
        // SAFETY: as above.
        self.0.with_mut(|value| unsafe { *value = number });
    }

    pub fn get(&self) -> u32 {
        // SAFETY: as above.
        self.0.with(|value| unsafe { *value })
    }
}
