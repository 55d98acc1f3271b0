//! Numbers and cells that several threads, or the program and the kernel, reach at a time.
//!
//! Under loom, which tries every order in which they can be reached (the files `interleaved.rs`),
//! they are its own.

#[cfg(not(all(test, loom)))]
pub use core::sync::atomic::{AtomicU32, fence};
#[cfg(all(test, loom))]
pub use loom::cell::UnsafeCell;
#[cfg(all(test, loom))]
pub use loom::sync::atomic::{AtomicU32, fence};

/// The standard library's cell, with the methods of loom's.
#[cfg(not(all(test, loom)))]
#[derive(Debug)]
#[repr(transparent)]
pub struct UnsafeCell<T: ?Sized>(core::cell::UnsafeCell<T>);

#[cfg(not(all(test, loom)))]
impl<T> UnsafeCell<T> {
    pub const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }
}

#[cfg(not(all(test, loom)))]
impl<T: ?Sized> UnsafeCell<T> {
    #[inline]
    pub fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    #[inline]
    pub fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}
