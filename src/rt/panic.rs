//! The panic handler: a bug in the program ends it with message, place and status 134.

use core::fmt::{self, Write};
use core::panic::PanicInfo;

use annulet::sys::{STDERR, exit, write};

/// As a process that `abort` ended looks to a shell: 128 + `SIGABRT`.
const ABORTED: u8 = 134;

struct Stderr;

impl Write for Stderr {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match write(STDERR, rest) {
                Ok(written @ 1..) => rest = rest.get(written..).unwrap_or_default(),
                _ => return Err(fmt::Error),
            }
        }
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // "annulet: panicked at src/…:line:column:" and the message on a line of its own.
    let _ = writeln!(Stderr, "annulet: {info}");
    exit(ABORTED)
}
