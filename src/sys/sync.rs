//! What threads need to share things: a lock, a signal, and something that happens once.
//!
//! All of it on `futex` (`man 2 futex`; Drepper, "Futexes are tricky", 2011), so that a lock
//! nobody else wants costs one atomic exchange and no call. There is no poisoning: a panic ends the
//! program. In a crate that unwinds, what was half changed under a lock stays so.

use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::Ordering;

use super::atomic::{AtomicU32, UnsafeCell};
use super::futex::{PRIVATE, futex_wait, futex_wake};

/// Makes a `const fn` one that is none under loom, whose numbers and cells know the run that they
/// belong to.
macro_rules! const_but_in_models {
    ($(#[$attribute:meta])* pub const fn $($rest:tt)*) => {
        #[cfg(not(all(test, loom)))]
        $(#[$attribute])*
        pub const fn $($rest)*

        #[cfg(all(test, loom))]
        $(#[$attribute])*
        pub fn $($rest)*
    };
}

const FREE: u32 = 0;
const LOCKED: u32 = 1;
/// Locked, and somebody may be asleep on it.
const WANTED: u32 = 2;

/// The lock of a [`Mutex`], whatever that holds: one copy of the code for all.
#[derive(Debug)]
struct Lock(AtomicU32);

impl Lock {
    fn lock(&self) {
        // Acquire: pairs with the Release of `unlock`, so that what was done under the lock is
        // seen. Relaxed where it failed: nothing is read on that account.
        if self
            .0
            .compare_exchange(FREE, LOCKED, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            // Who has slept does not know whether others still do, and says that they may.
            while self.0.swap(WANTED, Ordering::Acquire) != FREE {
                let _ = futex_wait(&self.0, WANTED, PRIVATE, None);
            }
        }
    }

    fn unlock(&self) {
        // Release: pairs with the Acquire of `lock`. Exchanges of one number have one order: who
        // frees the lock sees whether somebody wants it, however weak their ordering.
        if self.0.swap(FREE, Ordering::Release) == WANTED {
            futex_wake(&self.0, 1);
        }
    }
}

/// A value that one thread at a time gets at.
#[derive(Debug)]
pub struct Mutex<T: ?Sized> {
    lock: Lock,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands the value to one thread at a time.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

/// The value of a locked [`Mutex`], unlocked when dropped.
///
/// Threads may share it where they may share the value, which a lock on the value does not ask
/// for:
///
/// ```compile_fail,E0277
/// let lock = annulet::sys::Mutex::new(std::cell::Cell::new(0));
/// let guard = lock.lock();
/// std::thread::scope(|scope| {
///     scope.spawn(|| guard.set(1));
///     guard.set(2);
/// });
/// ```
#[derive(Debug)]
pub struct Guard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    /// What it dereferences to: without this it would be `Sync` wherever the lock is.
    value: PhantomData<&'a mut T>,
}

impl<T> Mutex<T> {
    const_but_in_models! {
        /// A lock on `value`.
        pub const fn new(value: T) -> Self {
            Self {
                lock: Lock(AtomicU32::new(FREE)),
                value: UnsafeCell::new(value),
            }
        }
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until nobody else has the value, and gives it.
    pub fn lock(&self) -> Guard<'_, T> {
        self.lock.lock();
        Guard {
            mutex: self,
            value: PhantomData,
        }
    }
}

impl<T: ?Sized> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard is the only one while the lock is held.
        self.mutex.value.with(|value| unsafe { &*value })
    }
}

impl<T: ?Sized> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and borrowed mutably.
        self.mutex.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T: ?Sized> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.mutex.lock.unlock();
    }
}

/// Wakes those who wait for something under a lock to change.
#[derive(Debug, Default)]
pub struct Signal {
    /// How often it was given.
    count: AtomicU32,
    /// How many wait, so that giving it to nobody costs no call.
    waiting: AtomicU32,
}

impl Signal {
    const_but_in_models! {
        /// Never given yet.
        #[must_use]
        pub const fn new() -> Self {
            Self {
                count: AtomicU32::new(0),
                waiting: AtomicU32::new(0),
            }
        }
    }

    /// Gives the lock up until the signal is given, and takes it again. May also return
    /// without one: look again at what was waited for.
    pub fn wait<'a, T>(&self, guard: Guard<'a, T>) -> Guard<'a, T> {
        let lock = guard.mutex;
        // Relaxed: whoever gives the signal holds the lock, or had it after this, so that the lock
        // orders this before what it adds. Where this is older than another signal, that one wakes.
        let seen = self.count.load(Ordering::Relaxed);
        // Relaxed likewise: under the lock, or read after it was held.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        drop(guard);
        let _ = futex_wait(&self.count, seen, PRIVATE, None);
        // Relaxed: too late a look at it costs a call.
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        lock.lock()
    }

    /// How many wait: a hint.
    pub fn awaited(&self) -> u32 {
        // Relaxed: who has had the lock after somebody who waits, sees that one.
        self.waiting.load(Ordering::Relaxed)
    }

    /// Wakes everyone who waits. To be called with the lock held, or after what is waited for
    /// was changed under it.
    pub fn give(&self) {
        self.give_to(i32::MAX.cast_unsigned());
    }

    /// As [`Self::give`], where any `most` of those who wait are enough: to wake all of many
    /// for what one of them can have costs more than it is worth.
    pub fn give_to(&self, most: u32) {
        if self.awaited() > 0 {
            // Relaxed: the kernel orders it before its look for who sleeps.
            self.count.fetch_add(1, Ordering::Relaxed);
            futex_wake(&self.count, most);
        }
    }
}

/// Something that happens once, and may be waited for.
#[derive(Debug, Default)]
pub struct Latch(AtomicU32);

impl Latch {
    const_but_in_models! {
        /// It has not happened.
        #[must_use]
        pub const fn new() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    /// It has happened.
    pub fn open(&self) {
        // Release: pairs with the Acquire of `wait`.
        self.0.store(1, Ordering::Release);
        futex_wake(&self.0, i32::MAX.cast_unsigned());
    }

    /// Waits until it has happened, for up to `timeout_ms`, or until a signal comes. Returns
    /// whether it has.
    pub fn wait(&self, timeout_ms: u64) -> bool {
        // Acquire: pairs with the Release of `open`; so below.
        if timeout_ms > 0 && self.0.load(Ordering::Acquire) == 0 {
            let timeout = [timeout_ms / 1000, timeout_ms % 1000 * 1_000_000];
            let _ = futex_wait(&self.0, 0, PRIVATE, Some(&timeout));
        }
        self.0.load(Ordering::Acquire) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::UnsafeCell;
    use std::thread;

    #[test]
    fn a_lock_lets_one_in_at_a_time() {
        let times = if cfg!(miri) { 50 } else { 50_000 };
        let counter = Mutex::new(0_u64);
        let count = || {
            for _ in 0..times {
                let mut guard = counter.lock();
                let seen = *guard;
                core::hint::spin_loop();
                *guard = seen + 1;
            }
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(count);
            }
        });
        assert_eq!(*counter.lock(), 4 * times);
    }

    fn wait_for<'a>(turn: u32, mut guard: Guard<'a, u32>, signal: &Signal) -> Guard<'a, u32> {
        while *guard != turn {
            guard = signal.wait(guard);
        }
        guard
    }

    #[test]
    fn a_signal_wakes_whoever_waits() {
        let turns = if cfg!(miri) { 30 } else { 3000 };
        let (turn, signal) = (Mutex::new(0_u32), Signal::new());
        let take_turns = |me: u32| {
            for mine in (me..turns).step_by(3) {
                let mut guard = wait_for(mine, turn.lock(), &signal);
                *guard += 1;
                signal.give();
            }
        };
        thread::scope(|scope| {
            for me in 0..3 {
                scope.spawn(move || take_turns(me));
            }
        });
        assert_eq!(*turn.lock(), turns);
    }

    #[test]
    fn what_was_done_before_a_latch_opened_is_seen() {
        struct Shared(Latch, UnsafeCell<u32>);
        // SAFETY: the value is written before the latch opens, and only read after that.
        unsafe impl Sync for Shared {}

        fn write_and_open(shared: &Shared) {
            // SAFETY: nobody else reaches it yet.
            unsafe { *shared.1.get() = 7 };
            shared.0.open();
        }

        let shared = Shared(Latch::new(), UnsafeCell::new(0));
        thread::scope(|scope| {
            let shared = &shared;
            scope.spawn(move || write_and_open(shared));
            // Without sleeping: whom the kernel wakes, Miri has see everything before.
            while !shared.0.wait(0) {
                thread::yield_now();
            }
            // SAFETY: nobody writes it any more.
            assert_eq!(unsafe { *shared.1.get() }, 7);
        });
    }
}
