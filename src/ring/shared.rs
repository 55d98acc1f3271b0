//! What lies in memory that the program and the kernel share: the queues' numbers and entries.
//!
//! Loom, which tries the queues beside a kernel that runs at the same time (`interleaved.rs`), has
//! atomics and cells of its own in their place.

use core::ops::Deref;
use core::ptr::NonNull;

#[cfg(not(all(test, loom)))]
pub(super) use core::sync::atomic::{AtomicU32, fence};
#[cfg(all(test, loom))]
pub(super) use loom::cell::UnsafeCell as Slot;
#[cfg(all(test, loom))]
pub(super) use loom::sync::atomic::{AtomicU32, fence};

/// Room for an entry of a queue, with the two methods of loom's.
#[cfg(not(all(test, loom)))]
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Slot<T>(core::cell::UnsafeCell<T>);

#[cfg(not(all(test, loom)))]
impl<T> Slot<T> {
    #[inline]
    fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    #[inline]
    fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}

/// A number in memory shared with the kernel: a queue's head, tail or flags.
#[derive(Debug)]
pub(super) struct Counter(NonNull<AtomicU32>);

impl Counter {
    /// # Safety
    /// `number` is aligned and valid for reads and writes as long as the counter is used,
    /// and whoever else reaches it does so atomically.
    pub(super) const unsafe fn new(number: NonNull<AtomicU32>) -> Self {
        Self(number)
    }
}

impl Deref for Counter {
    type Target = AtomicU32;

    #[inline]
    fn deref(&self) -> &AtomicU32 {
        // SAFETY: `new`'s contract.
        unsafe { self.0.as_ref() }
    }
}

/// The entries of a queue, in memory shared with the kernel.
#[derive(Debug)]
pub(super) struct Entries<T> {
    start: NonNull<Slot<T>>,
    count: u32,
}

impl<T: Copy> Entries<T> {
    /// # Safety
    /// `start` is aligned and valid for reads and writes of `count` entries as long as they are
    /// used, and `count` is a power of two.
    pub(super) const unsafe fn new(start: NonNull<Slot<T>>, count: u32) -> Self {
        debug_assert!(count.is_power_of_two());
        Self { start, count }
    }

    /// Number of entries, a power of two.
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    /// The entry that `counter` is at.
    #[inline]
    fn slot(&self, counter: u32) -> &Slot<T> {
        let index = (counter & (self.count - 1)) as usize;
        // SAFETY: `index` is below `count`, and there are that many entries.
        let slot = unsafe { self.start.add(index) };
        // SAFETY: `new`'s contract.
        unsafe { slot.as_ref() }
    }

    /// Reads the entry that `counter` is at.
    ///
    /// # Safety
    /// Nobody writes it meanwhile.
    #[inline]
    pub(super) unsafe fn read(&self, counter: u32) -> T {
        // SAFETY: valid by `new`'s contract; the caller's promise.
        self.slot(counter).with(|entry| unsafe { entry.read() })
    }

    /// Writes the entry that `counter` is at.
    ///
    /// # Safety
    /// Nobody reads or writes it meanwhile.
    #[inline]
    pub(super) unsafe fn write(&self, counter: u32, entry: &T) {
        // SAFETY: as in `read`.
        self.slot(counter)
            .with_mut(|room| unsafe { room.write(*entry) });
    }
}
