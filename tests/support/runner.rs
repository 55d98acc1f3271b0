//! Stands where a test starts the program, and has an emulator run that: the program is another
//! architecture's. `tests/support/programs.rs` compiles this, and tells it where both are.
//!
//! A script would not know by which name it was started, and that is the command's. Nor is there
//! any of std's beginning here: it would open closed descriptors and change how signals are met.
#![no_main]

use std::ffi::{CString, c_char, c_int};

const EMULATOR: &str = env!("RUNNER_EMULATOR");
const PROGRAM: &str = env!("RUNNER_PROGRAM");

unsafe extern "C" {
    fn execv(path: *const c_char, arguments: *const *const c_char) -> c_int;
}

/// # Safety
///
/// `argv` holds `argc` strings, as a C program's `main` gets them.
#[unsafe(no_mangle)]
unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let [emulator, option, program] =
        [EMULATOR, "-0", PROGRAM].map(|word| CString::new(word).expect("no null byte"));
    let argc = usize::try_from(argc).expect("a number of arguments");
    // SAFETY: there are so many.
    let given = unsafe { std::slice::from_raw_parts(argv, argc) };
    let mut arguments = vec![emulator.as_ptr(), option.as_ptr()];
    arguments.extend(given.first());
    arguments.push(program.as_ptr());
    arguments.extend(given.iter().skip(1));
    arguments.push(std::ptr::null());
    // SAFETY: all are strings, and the list ends with a null pointer.
    unsafe { execv(emulator.as_ptr(), arguments.as_ptr()) };
    eprintln!(
        "cannot start {EMULATOR}: {}",
        std::io::Error::last_os_error()
    );
    125
}
