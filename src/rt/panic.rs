//! The panic handler: a bug in the program ends it with its place and status 134.

use core::panic::PanicInfo;

use annulet::sys::{STDERR, decimal, exit, write};

/// As a process that `abort` ended looks to a shell: 128 + `SIGABRT`.
const ABORTED: u8 = 134;

/// Prints "annulet: panicked at src/FILE:LINE". What the message says stands in that line, and
/// `core::fmt`, which nothing else here needs, would be 5 KB to tell the numbers in it.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut room = [0; 20];
    let (file, line) = match info.location() {
        Some(place) => (place.file(), place.line()),
        None => ("", 0),
    };
    let line = decimal(line.into(), &mut room);
    for part in [b"annulet: panicked at ", file.as_bytes(), b":", line, b"\n"] {
        // What fails has nobody left to tell.
        let _ = write(STDERR, part);
    }
    exit(ABORTED)
}
