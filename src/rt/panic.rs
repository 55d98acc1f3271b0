//! The panic handler: a bug in the program ends it with message, place and status 134.

use core::fmt::{self, Write};
use core::panic::PanicInfo;

use annulet::sys::{STDERR, exit, write};

/// As a process that `abort` ended looks to a shell: 128 + `SIGABRT`.
const ABORTED: u8 = 134;

/// Prints "annulet: panicked at src/FILE:LINE:COLUMN:" and the message.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // What fails has nobody left to tell.
    let _ = writeln!(Stderr, "annulet: {info}");
    exit(ABORTED)
}

struct Stderr;

impl Write for Stderr {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(STDERR, text.as_bytes()).map_or(Err(fmt::Error), |_| Ok(()))
    }
}
