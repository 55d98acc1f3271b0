//! In place of the assembly under Miri, which runs none: the few system calls that tests rest on
//! which run there.
//!
//! Miri plays the C functions below itself, on memory that it watches: mappings are aligned to
//! pages and zero, one that was unmapped may not be reached any more, and threads that all wait
//! on a futex are reported as a deadlock. Every other call fails with `ENOSYS`, as on a kernel
//! that lacks it; tests that rest on one are left out under Miri.

use core::ffi::{c_int, c_long, c_void};

use super::nr;
use crate::sys::Errno;

type Address = *mut c_void;

// SAFETY: as the man pages have them.
unsafe extern "C" {
    fn mmap(start: Address, len: usize, prot: c_int, flags: c_int, fd: c_int, from: i64)
    -> Address;
    fn mremap(start: Address, old_len: usize, len: usize, flags: c_int, ...) -> Address;
    fn munmap(start: Address, len: usize) -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
    fn clock_gettime(clock: c_int, time: Address) -> c_int;
    fn __errno_location() -> *mut c_int;
}

/// Issues system call `n` with up to six arguments and returns the raw register.
///
/// # Safety
/// As for the processors' `syscall6`.
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // as the kernel does
#[must_use]
pub unsafe fn syscall6(
    n: usize,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> usize {
    let at = core::ptr::with_exposed_provenance_mut;
    let int = |register: usize| register as c_int;
    // Of mappings Miri knows whole pages, and takes no other length for one.
    let pages = |len_bytes: usize| len_bytes.next_multiple_of(4096);
    let refused = |errno: Errno| (errno.number() as usize).wrapping_neg();
    let r = match n {
        // More than a process can have; Miri itself would end at it.
        nr::MMAP if b > 1 << 40 => return refused(Errno::ENOMEM),
        nr::MMAP => {
            // SAFETY: the caller answers for the call; so below.
            let start = unsafe { mmap(at(a), pages(b), int(c), int(d), int(e), f as i64) };
            start.expose_provenance().cast_signed()
        }
        nr::MREMAP => {
            // SAFETY: as above.
            let start = unsafe { mremap(at(a), pages(b), pages(c), int(d)) };
            start.expose_provenance().cast_signed()
        }
        // SAFETY: as above.
        nr::MUNMAP => unsafe { munmap(at(a), pages(b)) as isize },
        // SAFETY: as above.
        nr::FUTEX => unsafe { syscall(n as c_long, at(a), int(b), int(c), at(d)) as isize },
        // SAFETY: as above.
        nr::CLOCK_GETTIME => unsafe { clock_gettime(int(a), at(b)) as isize },
        _ => return refused(Errno::ENOSYS),
    };
    if r != -1 {
        return r.cast_unsigned();
    }
    // SAFETY: always there.
    let errno = unsafe { __errno_location() };
    // SAFETY: this thread's own.
    let errno = unsafe { *errno };
    (-errno as isize).cast_unsigned()
}

/// Defines the calls with fewer arguments.
macro_rules! fewer {
    ($($name:ident: $($used:ident)*, $($zero:literal)*;)*) => {$(
        /// [`syscall6`] with fewer arguments.
        ///
        /// # Safety
        /// As there.
        #[must_use]
        pub unsafe fn $name(n: usize, $($used: usize),*) -> usize {
            // SAFETY: the caller's promise.
            unsafe { syscall6(n, $($used,)* $($zero),*) }
        }
    )*};
}

fewer! {
    syscall0: , 0 0 0 0 0 0;
    syscall1: a, 0 0 0 0 0;
    syscall2: a b, 0 0 0 0;
    syscall3: a b c, 0 0 0;
    syscall4: a b c d, 0 0;
    syscall5: a b c d e, 0;
}
