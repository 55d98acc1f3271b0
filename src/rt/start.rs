//! The entry point: from the kernel's register state to `main`.

use annulet::cli;
use annulet::sys::{Startup, exit};

annulet::entry_point!(start);

/// Takes over from `annulet_start` with the initial stack pointer.
unsafe extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: `annulet_start` passes the stack pointer that the kernel set; nothing wrote there.
    let startup = unsafe { Startup::from_stack(stack) };
    exit(cli::run(&startup))
}
