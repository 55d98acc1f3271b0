//! Calls about names and files, made again where a signal has interrupted them.
//!
//! After a handler of ours the kernel itself does that (`SA_RESTART`). But a file system in user
//! space is told of the signal (`FUSE_INTERRUPT`), and may answer that the call was interrupted:
//! any call, also one that waits for nothing.

// As in `arch`.
#![allow(clippy::many_single_char_names)]

use super::arch;
use super::errno::Errno;

/// Makes a call until it was not interrupted.
fn until_done(mut call: impl FnMut() -> usize) -> usize {
    loop {
        let r = call();
        if Errno::check(r) != Err(Errno::EINTR) {
            return r;
        }
    }
}

/// As [`arch::syscall2`].
///
/// # Safety
/// As there.
pub unsafe fn syscall2(n: usize, a: usize, b: usize) -> usize {
    // SAFETY: the caller's promise.
    until_done(|| unsafe { arch::syscall2(n, a, b) })
}

/// As [`arch::syscall3`].
///
/// # Safety
/// As there.
pub unsafe fn syscall3(n: usize, a: usize, b: usize, c: usize) -> usize {
    // SAFETY: the caller's promise.
    until_done(|| unsafe { arch::syscall3(n, a, b, c) })
}

/// As [`arch::syscall4`].
///
/// # Safety
/// As there.
pub unsafe fn syscall4(n: usize, a: usize, b: usize, c: usize, d: usize) -> usize {
    // SAFETY: the caller's promise.
    until_done(|| unsafe { arch::syscall4(n, a, b, c, d) })
}

/// As [`arch::syscall5`].
///
/// # Safety
/// As there.
pub unsafe fn syscall5(n: usize, a: usize, b: usize, c: usize, d: usize, e: usize) -> usize {
    // SAFETY: the caller's promise.
    until_done(|| unsafe { arch::syscall5(n, a, b, c, d, e) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_made_until_it_was_not_interrupted() {
        for (answers, last) in [(&[7][..], 7), (&[-4, -4, -2, 1], -2), (&[-4, 0], 0)] {
            let mut left = answers.iter();
            let r = until_done(|| {
                left.next()
                    .map_or(0, |answer: &isize| answer.cast_unsigned())
            });
            assert_eq!(r.cast_signed(), last);
        }
    }
}
