//! A 32-bit number that this program and the kernel both look at.

use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

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
