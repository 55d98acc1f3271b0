//! The entry point: from the kernel's register state to `main`.

use annulet::cli::{self, Ended};
use annulet::sys::{Startup, allow_threads, close_stdout, exit};

annulet::entry_point!(start);

/// Takes over from `annulet_start` with the initial stack pointer.
unsafe extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: `annulet_start` passes the stack pointer that the kernel set; nothing wrote there.
    let startup = unsafe { Startup::from_stack(stack) };
    // SAFETY: no libc, no thread-local storage.
    unsafe { allow_threads() };
    let Ended {
        status,
        output_is_open,
    } = cli::run(&startup);
    if output_is_open {
        // SAFETY: every thread has ended, and what may still be said goes to standard error.
        let closed = unsafe { close_stdout() };
        if let Err(errno) = closed {
            exit(cli::tell_lost_output(errno));
        }
    }
    exit(status)
}
