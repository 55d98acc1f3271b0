//! The global allocator: one arena for all threads, begun on memory of the program file.
//!
//! Threads seldom meet at its lock, since nothing is allocated for each name that is copied.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;

use annulet::sys::{Arena, Mutex, STDERR, exit, program_name, write};

/// What small jobs need: with it, copying one small file maps no memory at all. It lies in
/// `.bss`, so it takes no room in the file and no page before it is touched.
const INITIAL_BYTES: usize = 16 << 10;

// Behind all variables (`linker/program.ld`): a page fault less for each run.
#[unsafe(link_section = ".bss.initial")]
static mut INITIAL: [u8; INITIAL_BYTES] = [0; INITIAL_BYTES];

/// The arena, for one thread at a time.
struct ProgramArena(Mutex<Arena>);

#[global_allocator]
static ARENA: ProgramArena = {
    let start = (&raw mut INITIAL).cast();
    // SAFETY: `INITIAL` is used through the arena only.
    ProgramArena(Mutex::new(unsafe { Arena::over(start, INITIAL_BYTES) }))
};

// SAFETY: blocks are aligned, apart and valid until freed (see `Arena` and its tests).
unsafe impl GlobalAlloc for ProgramArena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        or_exit(self.0.lock().allocate(layout))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller frees a block that it was given, and none is null.
        let block = unsafe { NonNull::new_unchecked(block) };
        // SAFETY: the caller frees a block of this allocator by its layout.
        unsafe { self.0.lock().free(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller resizes a block that it was given, and none is null.
        let block = unsafe { NonNull::new_unchecked(block) };
        // SAFETY: the caller resizes a block of this allocator by its layout.
        or_exit(unsafe { self.0.lock().resize(block, layout, new_size) })
    }
}

/// The block's address, or the end of the program: a copy that ran out of memory for its own
/// bookkeeping cannot go on, and says so.
fn or_exit(block: Option<NonNull<u8>>) -> *mut u8 {
    let Some(block) = block else {
        // By one call: another thread may have come to the same end.
        let mut line = [0; 300];
        let mut len = 0;
        let text = program_name().iter().chain(b": memory exhausted\n");
        for (slot, &byte) in line.iter_mut().zip(text) {
            *slot = byte;
            len += 1;
        }
        // Nobody is left to tell when this fails.
        let _ = write(STDERR, line.get(..len).unwrap_or_default());
        exit(1)
    };
    block.as_ptr()
}
