//! The panic handler: a bug in the program ends it with message, place and status 134.
//!
//! It does not use `core::fmt`, and nor does anything else in a release: formatting would be
//! 4 KB of a program that has one number to print.

use core::panic::PanicInfo;

use annulet::sys::{STDERR, decimal, exit, write};

/// As a process that `abort` ended looks to a shell: 128 + `SIGABRT`.
const ABORTED: u8 = 134;

/// Prints "annulet: panicked at src/FILE:LINE:COLUMN: MESSAGE".
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say(b"annulet: panicked at ");
    if let Some(place) = info.location() {
        say(place.file().as_bytes());
        say_number(place.line());
        say_number(place.column());
    }
    say(b": ");
    say_message(info);
    say(b"\n");
    exit(ABORTED)
}

/// Prints the message. One that is made at run time (with numbers in it) shows in a debug
/// build only.
#[cfg(not(debug_assertions))]
fn say_message(info: &PanicInfo<'_>) {
    say(info.message().as_str().unwrap_or("a bug").as_bytes());
}

#[cfg(debug_assertions)]
fn say_message(info: &PanicInfo<'_>) {
    struct Stderr;

    impl core::fmt::Write for Stderr {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            say(text.as_bytes());
            Ok(())
        }
    }

    let _ = core::fmt::Write::write_fmt(&mut Stderr, format_args!("{}", info.message()));
}

/// Prints a colon and `number`.
fn say_number(number: u32) {
    say(b":");
    say(decimal(number.into(), &mut [0; 20]));
}

/// Writes `text` to standard error; what fails or comes short there has nobody left to tell.
fn say(text: &[u8]) {
    let _ = write(STDERR, text);
}
