//! What lies in memory that the program and the kernel share: the queues' numbers and entries.

use core::ops::Deref;
use core::ptr::NonNull;

use crate::sys::atomic::UnsafeCell;
pub(super) use crate::sys::atomic::{AtomicU32, fence};

/// Room for an entry of a queue.
pub(super) type Slot<T> = UnsafeCell<T>;

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
