//! A bump allocator: memory handed out by moving a pointer through mapped chunks.
//!
//! Made for a program that lives for one job: freeing gives memory back only for the newest
//! block and for large blocks, which get mappings of their own. In exchange it is a few hundred
//! bytes of code.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::Mapping;

/// Size of the first chunk that is mapped; each further one doubles, up to [`LARGEST_CHUNK`].
const FIRST_CHUNK: usize = 64 << 10;
/// Size at which chunks stop growing.
const LARGEST_CHUNK: usize = 1 << 20;
/// Blocks of this size and above get a mapping of their own, given back when they are freed.
const LARGE: usize = 128 << 10;
/// What mappings are aligned to, at the least: the smallest size of a page.
const PAGE: usize = 4096;

/// A bump allocator over memory from the kernel.
///
/// Not synchronised: one thread at a time.
#[derive(Debug)]
pub struct Arena {
    /// First free byte of the chunk in use.
    next: *mut u8,
    /// One past the last byte of the chunk in use.
    end: *mut u8,
    /// How long the newest mapped chunk is; 0 while only the initial memory was used.
    chunk_bytes: usize,
}

// SAFETY: its memory is its own, whichever thread uses it.
unsafe impl Send for Arena {}

impl Arena {
    /// An arena that starts on `len_bytes` of memory at `start` before it maps any.
    ///
    /// # Safety
    /// The memory is writable, used by nobody else, and outlives every block.
    #[must_use]
    pub const unsafe fn over(start: *mut u8, len_bytes: usize) -> Self {
        // SAFETY: one past the end of the memory that the caller answers for.
        let end = unsafe { start.add(len_bytes) };
        Self {
            next: start,
            end,
            chunk_bytes: 0,
        }
    }

    /// Hands out memory for `layout`, or `None` when the kernel has no more. A request for
    /// zero bytes gets an aligned, dangling address.
    pub fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        if layout.size() == 0 {
            return NonNull::new(core::ptr::without_provenance_mut(layout.align()));
        }
        if is_large(layout) {
            return Some(Mapping::anonymous(layout.size()).ok()?.leak().0);
        }
        if let Some(block) = self.bump(layout) {
            return Some(block);
        }
        self.add_chunk(layout)?;
        self.bump(layout)
    }

    /// Takes `layout` from the chunk in use, if it fits.
    fn bump(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        // Not `align_offset`: it brings a check of what `Layout` has checked, and a panic.
        let padding = (self.next as usize).wrapping_neg() & (layout.align() - 1);
        let room = self.end as usize - self.next as usize;
        if padding + layout.size() > room {
            return None;
        }
        // SAFETY: `padding + size <= room`: both steps stay inside the chunk.
        let block = unsafe { self.next.add(padding) };
        // SAFETY: as above.
        self.next = unsafe { block.add(layout.size()) };
        NonNull::new(block)
    }

    /// Maps a chunk that `layout` fits into and makes it the one in use.
    fn add_chunk(&mut self, layout: Layout) -> Option<()> {
        let usual = (self.chunk_bytes * 2).clamp(FIRST_CHUNK, LARGEST_CHUNK);
        // Both are at most `isize::MAX`, as is their sum rounded up (`Layout`).
        let needed = layout.size() + layout.align();
        let (start, len_bytes) = Mapping::anonymous(usual.max(needed)).ok()?.leak();
        self.chunk_bytes = len_bytes;
        self.next = start.as_ptr();
        // SAFETY: one past the mapping's end.
        self.end = unsafe { start.as_ptr().add(len_bytes) };
        Some(())
    }

    /// Gives `block` back: the newest block and large ones; others stay where they are.
    ///
    /// # Safety
    /// `block` was handed out by this arena for `layout` and is not used again.
    pub unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        if is_large(layout) {
            // SAFETY: large blocks are whole mappings of that size; the caller is done with it.
            drop(unsafe { Mapping::from_raw(block, layout.size()) });
        } else if self.is_newest(block, layout.size()) {
            self.next = block.as_ptr();
        }
    }

    /// Makes `block` `new_size` bytes long: in place where it is the newest block, by moving
    /// pages where it is large, otherwise by copying it.
    ///
    /// # Safety
    /// As [`Self::free`] if it succeeds, else the block stays as it is; `new_size` is not 0 and,
    /// rounded up to the alignment, does not exceed `isize::MAX`.
    pub unsafe fn resize(
        &mut self,
        block: NonNull<u8>,
        layout: Layout,
        new_size: usize,
    ) -> Option<NonNull<u8>> {
        // SAFETY: the caller answers for the size; the alignment comes from a valid layout.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        if is_large(layout) && is_large(new) {
            // SAFETY: a large block is a whole mapping of that size.
            let mapping = unsafe { Mapping::from_raw(block, layout.size()) };
            return Some(mapping.resize(new_size).ok()?.leak().0);
        }
        if !is_large(new) && self.is_newest(block, layout.size()) {
            let room = self.end as usize - block.as_ptr() as usize;
            if new_size <= room {
                // SAFETY: `new_size` is within the chunk.
                self.next = unsafe { block.as_ptr().add(new_size) };
                return Some(block);
            }
        }
        if new_size <= layout.size() && !is_large(layout) {
            return Some(block);
        }
        let moved = self.allocate(new)?;
        // SAFETY: both blocks are valid for the smaller size and distinct.
        unsafe {
            moved
                .as_ptr()
                .copy_from_nonoverlapping(block.as_ptr(), new_size.min(layout.size()));
        }
        // SAFETY: the caller's promise.
        unsafe { self.free(block, layout) };
        Some(moved)
    }

    fn is_newest(&self, block: NonNull<u8>, size: usize) -> bool {
        size != 0 && block.as_ptr() as usize + size == self.next as usize
    }
}

/// Whether a block gets a mapping of its own. Depends on nothing but the layout, so that it is
/// answered alike when the block is made and when it is freed.
const fn is_large(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= PAGE
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::ptr::null_mut;
    use std::vec::Vec;

    fn without_memory() -> Arena {
        // SAFETY: no memory is writable, and outlives everything.
        unsafe { Arena::over(null_mut(), 0) }
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    /// Fills a block, so that a block that overlaps it or is not mapped shows.
    fn fill(block: NonNull<u8>, size: usize, byte: u8) {
        // SAFETY: the block was handed out for `size` bytes.
        unsafe { block.as_ptr().write_bytes(byte, size) };
    }

    fn holds(block: NonNull<u8>, size: usize, byte: u8) -> bool {
        // SAFETY: the block was handed out for `size` bytes and filled.
        let bytes = unsafe { core::slice::from_raw_parts(block.as_ptr(), size) };
        bytes == std::vec![byte; size]
    }

    #[test]
    fn blocks_are_aligned_and_apart() {
        let mut arena = without_memory();
        let count = if cfg!(miri) { 100 } else { 2000 };
        let mut blocks = Vec::new();
        for i in 0_usize..count {
            let byte = u8::try_from(i % 251).unwrap();
            let size = (i * 37) % 999 + 1;
            let align = 1 << (i % 14); // up to 8 KiB: beyond a page
            let block = arena.allocate(layout(size, align)).unwrap();
            assert_eq!(block.as_ptr() as usize % align, 0);
            fill(block, size, byte);
            blocks.push((block, size, byte));
        }
        for (block, size, byte) in blocks {
            assert!(holds(block, size, byte));
        }
    }

    #[test]
    fn zero_bytes_are_aligned_and_take_nothing() {
        let mut arena = without_memory();
        for align in [1, 8, 64, 4096, 1 << 20] {
            let block = arena.allocate(layout(0, align)).unwrap();
            assert_eq!(block.as_ptr() as usize % align, 0);
        }
        assert!(arena.next.is_null());
    }

    #[test]
    fn the_newest_block_grows_shrinks_and_is_given_back_in_place() {
        let mut arena = without_memory();
        let first = arena.allocate(layout(100, 8)).unwrap();
        let block = arena.allocate(layout(16, 8)).unwrap();
        fill(block, 16, 7);
        // SAFETY: blocks of this arena with their layouts, old addresses dropped; likewise below.
        let grown = unsafe { arena.resize(block, layout(16, 8), 4000) }.unwrap();
        assert_eq!(grown, block);
        assert!(holds(block, 16, 7));
        // SAFETY: as above.
        let shrunk = unsafe { arena.resize(grown, layout(4000, 8), 8) }.unwrap();
        assert_eq!(shrunk, block);
        // SAFETY: as above.
        unsafe { arena.free(shrunk, layout(8, 8)) };
        assert_eq!(arena.allocate(layout(32, 8)).unwrap(), block);
        // An older block moves when it grows and stays when it shrinks.
        fill(first, 100, 9);
        // SAFETY: as above.
        let same = unsafe { arena.resize(first, layout(100, 8), 50) }.unwrap();
        assert_eq!(same, first);
        // SAFETY: as above.
        let moved = unsafe { arena.resize(first, layout(50, 8), 200) }.unwrap();
        assert_ne!(moved, first);
        assert!(holds(moved, 50, 9));
    }

    #[test]
    fn blocks_move_to_the_next_chunk_and_to_mappings_of_their_own() {
        let mut arena = without_memory();
        let mut size = 1000;
        let mut block = arena.allocate(layout(size, 16)).unwrap();
        fill(block, size, 3);
        let first = block;
        while size < 8 << 20 {
            let new_size = size * 3 / 2;
            // SAFETY: the block of this arena with its layout; the old address is dropped.
            block = unsafe { arena.resize(block, layout(size, 16), new_size) }.unwrap();
            assert!(holds(block, size, 3), "{size}");
            fill(block, new_size, 3);
            size = new_size;
        }
        // SAFETY: as above.
        let small = unsafe { arena.resize(block, layout(size, 16), 64) }.unwrap();
        assert!(holds(small, 64, 3));
        assert_ne!(small, first);
    }

    #[test]
    fn more_than_there_is_is_refused() {
        let mut arena = without_memory();
        let half = isize::MAX as usize / 2;
        assert!(arena.allocate(layout(half, 8)).is_none());
        assert!(arena.allocate(layout(half, 1 << 20)).is_none());
        assert!(arena.allocate(layout(8, 8)).is_some());
    }

    #[test]
    fn the_initial_memory_is_used_first() {
        let mut memory = [0_u8; 256];
        let range = memory.as_mut_ptr_range();
        // SAFETY: `memory` outlives the arena's blocks here.
        let mut arena = unsafe { Arena::over(memory.as_mut_ptr(), 256) };
        let inside = arena.allocate(layout(200, 1)).unwrap();
        assert!(range.contains(&inside.as_ptr()));
        let outside = arena.allocate(layout(200, 1)).unwrap();
        assert!(!range.contains(&outside.as_ptr()));
    }
}
