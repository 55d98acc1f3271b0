//! The symbols that the compiler expects to find: `memcpy` and its relatives, which it calls
//! for moves of structures and slices. The prebuilt `compiler_builtins` leaves them to the C
//! library.

use annulet::sys::arch::memory;

/// Whether the processor has single instructions for atomic operations (`LSE`, Armv8.1): the
/// compiler's functions for these look here, and go by loops where it is 0, as it stays. The
/// `compiler_builtins` have a variable of that name, too, which a static constructor sets by a
/// function of the C library; with this one neither is linked.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
static __aarch64_have_lse_atomics: u8 = 0;

/// `memcpy(3)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(dst: *mut u8, src: *const u8, len_bytes: usize) -> *mut u8 {
    // SAFETY: the caller's contract, that of C: valid for `len_bytes`, no overlap.
    unsafe { memory::copy_forward(dst, src, len_bytes) };
    dst
}

/// `memmove(3)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(dst: *mut u8, src: *const u8, len_bytes: usize) -> *mut u8 {
    // Unsigned distance: `dst` below `src` wraps to a huge number, so that one comparison
    // tells the only case that must run backwards, `src < dst < src + len_bytes`.
    if (dst as usize).wrapping_sub(src as usize) < len_bytes {
        // SAFETY: the caller's contract; `dst` is not below `src`.
        unsafe { memory::copy_backward(dst, src, len_bytes) };
    } else {
        // SAFETY: the caller's contract; `dst` lies below `src` or apart from it.
        unsafe { memory::copy_forward(dst, src, len_bytes) };
    }
    dst
}

/// `memset(3)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(dst: *mut u8, byte: i32, len_bytes: usize) -> *mut u8 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // C converts it so
    let byte = byte as u8;
    // SAFETY: the caller's contract.
    unsafe { memory::fill(dst, byte, len_bytes) };
    dst
}

/// `memcmp(3)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len_bytes: usize) -> i32 {
    // SAFETY: the caller's contract.
    unsafe { memory::compare(a, b, len_bytes) }
}

/// `bcmp(3)`: zero where equal; LLVM calls it where the order does not matter.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len_bytes: usize) -> i32 {
    // SAFETY: the caller's contract.
    unsafe { memory::compare(a, b, len_bytes) }
}

/// `strlen(3)`; `CStr::from_ptr` calls it.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(string: *const u8) -> usize {
    // SAFETY: the caller's contract.
    unsafe { memory::length(string) }
}
