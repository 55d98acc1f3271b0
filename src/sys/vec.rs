//! A growing array: what the program needs of `alloc`'s `Vec`, in a third of the code.
//!
//! `alloc`'s reports a failed allocation by a formatted message, which alone brings 1.1 KB of
//! `core::fmt` into the program, and has a copy of its growing for every type.

use alloc::alloc::{alloc, dealloc, realloc};
use core::alloc::Layout;
use core::ffi::CStr;
use core::fmt;
use core::marker::PhantomData;
use core::mem::needs_drop;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use super::until_nul;

/// A growing array, used as `alloc`'s `Vec` is.
pub struct Vec<T> {
    /// Memory for elements of this type, of which the first `len` are in use.
    block: Block,
    owned: PhantomData<T>,
}

/// What an array is whatever its elements are: growing it is the same code for all.
struct Block {
    /// Memory for `capacity` elements; dangling while that is 0.
    start: NonNull<u8>,
    capacity: usize,
    len: usize,
}

/// The capacity that an array begins with, in bytes, and one element more.
const FIRST_BYTES: usize = 256;

/// The largest block that there may be: whole pages, so that rounding up does not exceed
/// `isize::MAX`.
const LARGEST: usize = isize::MAX as usize & !0xfff;

impl<T> Vec<T> {
    const NOT_EMPTY: () = assert!(size_of::<T>() != 0, "elements take room");

    /// An empty array; takes no memory yet.
    #[must_use]
    pub const fn new() -> Self {
        let () = Self::NOT_EMPTY;
        Self {
            block: Block {
                start: NonNull::<T>::dangling().cast(),
                capacity: 0,
                len: 0,
            },
            owned: PhantomData,
        }
    }

    /// How many elements there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.block.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.block.len == 0
    }

    const fn start(&self) -> NonNull<T> {
        self.block.start.cast()
    }

    /// Makes room for `more` further elements, and gives where they begin.
    fn reserve(&mut self, more: usize) -> NonNull<T> {
        // SAFETY: the block's memory is of such elements.
        unsafe { self.block.reserve(Layout::new::<T>(), more) };
        // SAFETY: `len` is not above the capacity.
        unsafe { self.start().add(self.block.len) }
    }

    /// Appends `element`.
    pub fn push(&mut self, element: T) {
        let end = self.reserve(1);
        // SAFETY: there is room; nothing is there yet.
        unsafe { end.write(element) };
        self.block.len += 1;
    }

    /// Takes the last element off.
    pub fn pop(&mut self) -> Option<T> {
        self.block.len = self.block.len.checked_sub(1)?;
        // SAFETY: the element was in use until now.
        let last = unsafe { self.start().add(self.block.len) };
        // SAFETY: as above; it is not used again.
        Some(unsafe { last.read() })
    }

    /// Drops all elements but the first `len`.
    pub fn truncate(&mut self, len: usize) {
        if !needs_drop::<T>() {
            self.block.len = self.block.len.min(len);
        }
        while self.block.len > len {
            drop(self.pop());
        }
    }

    /// Drops all elements; the memory stays.
    pub fn clear(&mut self) {
        self.truncate(0);
    }
}

impl<T: Copy> Vec<T> {
    /// Appends `elements`.
    pub fn extend_from_slice(&mut self, elements: &[T]) {
        let end = self.reserve(elements.len());
        // SAFETY: there is room for as many; what the array holds is borrowed by nobody else.
        unsafe { end.copy_from_nonoverlapping(NonNull::from(elements).cast(), elements.len()) };
        self.block.len += elements.len();
    }
}

impl Vec<u8> {
    /// Makes this the C string of two parts, one behind the other.
    #[inline(never)]
    pub fn c_string(&mut self, start: &[u8], rest: &[u8]) -> &CStr {
        self.clear();
        self.extend_from_slice(start);
        self.extend_from_slice(rest);
        self.push(0);
        until_nul(self)
    }
}

impl Block {
    /// Makes room for `more` further elements, if there is none.
    ///
    /// # Safety
    /// The memory is of elements that are laid out as `one`.
    #[inline(never)]
    unsafe fn reserve(&mut self, one: Layout, more: usize) {
        let needed = self.len + more;
        if needed > self.capacity {
            let capacity = needed
                .max(2 * self.capacity)
                .max(FIRST_BYTES / one.size() + 1);
            // SAFETY: the memory is of this capacity.
            self.start = unsafe { resized(self.start, one, self.capacity, capacity) };
            self.capacity = capacity;
        }
    }
}

/// The memory of an array, enlarged from `old` to `new` elements that are laid out as `one`.
///
/// # Safety
/// The memory at `start` is of `old` elements; it is not used again.
unsafe fn resized(start: NonNull<u8>, one: Layout, old: usize, new: usize) -> NonNull<u8> {
    // More than memory can hold becomes a size that no allocator has; the check for it was the
    // program's last panic, and half a kilobyte.
    let bytes = |count: usize| count.saturating_mul(one.size()).min(LARGEST);
    let align = one.align();
    let (old_bytes, new_bytes) = (bytes(old), bytes(new));
    let block = if old == 0 {
        // SAFETY: not above `isize::MAX`, the alignment is a type's.
        let layout = unsafe { Layout::from_size_align_unchecked(new_bytes, align) };
        // SAFETY: not of size zero: elements take room, and `new` is above `old`.
        unsafe { alloc(layout) }
    } else {
        // SAFETY: the layout that it was allocated by.
        let layout = unsafe { Layout::from_size_align_unchecked(old_bytes, align) };
        // SAFETY: the caller's promise; the size is as above.
        unsafe { realloc(start.as_ptr(), layout, new_bytes) }
    };
    // The program's allocator never returns null, and so costs no check here.
    NonNull::new(block).expect("memory")
}

// SAFETY: the array owns its elements, and nobody else reaches its memory.
unsafe impl<T: Send> Send for Vec<T> {}

impl<T> Drop for Vec<T> {
    fn drop(&mut self) {
        if self.block.capacity != 0 {
            self.clear();
            let size = self.block.capacity * size_of::<T>();
            // SAFETY: the layout that it was allocated by.
            let layout = unsafe { Layout::from_size_align_unchecked(size, align_of::<T>()) };
            // SAFETY: as above; nobody has it any more.
            unsafe { dealloc(self.block.start.as_ptr(), layout) };
        }
    }
}

impl<T> Deref for Vec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the first `len` elements are in use.
        unsafe { core::slice::from_raw_parts(self.start().as_ptr(), self.block.len) }
    }
}

impl<T> DerefMut for Vec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: the first `len` elements are in use, and borrowed by nobody else.
        unsafe { core::slice::from_raw_parts_mut(self.start().as_ptr(), self.block.len) }
    }
}

impl<T> Default for Vec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for Vec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn an_array_grows_and_shrinks() {
        let mut bytes = Vec::new();
        let mut expected = std::vec::Vec::new();
        assert!(bytes.is_empty());
        for n in 0..1000_u64 {
            bytes.push(n);
            bytes.extend_from_slice(&[n, n + 1, n + 2]);
            expected.extend([n, n, n + 1, n + 2]);
            assert_eq!(bytes[..], expected);
        }
        bytes.extend_from_slice(&[]);
        assert_eq!(bytes.pop(), Some(1001));
        bytes.truncate(9999);
        assert_eq!(bytes.len(), 3999);
        bytes.truncate(2);
        bytes[1] = 7;
        assert_eq!(bytes[..], [0, 7]);
        bytes.clear();
        assert_eq!(bytes.pop(), None);
    }

    #[test]
    fn every_element_is_dropped_once() {
        let counted = Rc::new(());
        let mut array = Vec::default();
        for _ in 0..100 {
            array.push(Rc::clone(&counted));
        }
        array.truncate(40);
        assert_eq!(Rc::strong_count(&counted), 41);
        let kept = array.pop();
        drop(array);
        assert_eq!(Rc::strong_count(&counted), 2);
        drop(kept);
    }
}
