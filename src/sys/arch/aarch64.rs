//! `AArch64`.
//!
//! Calling convention of the kernel (`man 2 syscall`, `arch/arm64/kernel/entry.S`): number in `x8`,
//! arguments in `x0` to `x5`, result in `x0`; no other register is overwritten but those of SVE,
//! memory may be read and written.

use core::arch::asm;
use core::sync::atomic::AtomicU32;

pub use super::generic::{StatBuffer, nr};

// The assembly cannot say that of the registers v8 to v15 the halves that only SVE reaches are lost.
#[cfg(target_feature = "sve")]
compile_error!(
    "annulet does not save SVE's registers, which system calls overwrite: -C target-feature=-sve"
);

/// One system call: its number and up to six arguments.
macro_rules! system_call {
    ($n:expr) => {{
        let result: usize;
        asm!("svc 0", in("x8") $n, lateout("x0") result, options(nostack));
        result
    }};
    ($n:expr, $a:expr $(, $b:expr $(, $c:expr $(, $d:expr $(, $e:expr $(, $f:expr)?)?)?)?)?) => {{
        let result: usize;
        asm!("svc 0", in("x8") $n, inlateout("x0") $a => result,
            $(in("x1") $b, $(in("x2") $c, $(in("x3") $d,
            $(in("x4") $e, $(in("x5") $f,)?)?)?)?)?
            options(nostack));
        result
    }};
}
pub(super) use system_call;

/// As [`super`] has it. `clone` takes flags, stack, the parent's word, the register of
/// thread-local storage, and the child's word.
///
/// # Safety
/// As there.
pub unsafe fn clone_thread(
    flags: usize,
    stack_top: *mut u8,
    tid: *const AtomicU32,
    entry: unsafe extern "C" fn(*const u8) -> !,
    arg: *const u8,
) -> usize {
    let result;
    // SAFETY: the caller answers for the thread's memory; on its side nothing runs but the
    // call of `entry`, which does not return; on ours it is an ordinary system call.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x10",
            "blr x9",
            "brk #1",
            "2:",
            in("x8") nr::CLONE,
            inlateout("x0") flags => result,
            in("x1") stack_top,
            in("x2") 0_usize,
            in("x3") 0_usize,
            in("x4") tid,
            in("x9") entry,
            in("x10") arg,
        );
    }
    result
}

/// `struct sigaction` (`arch/arm64/include/uapi/asm/signal.h`). Without `SA_RESTORER` a handler
/// returns to what the kernel keeps for that, in every program.
#[repr(C)]
#[derive(Debug)]
pub struct SignalAction {
    handler: extern "C" fn(i32),
    flags: usize,
    restorer: usize,
    mask: u64,
}

const _: () = assert!(size_of::<SignalAction>() == 32);

impl SignalAction {
    /// Has `handler` called, by these flags (`SA_*`).
    pub const fn new(handler: extern "C" fn(i32), flags: usize) -> Self {
        Self {
            handler,
            flags,
            restorer: 0,
            mask: 0,
        }
    }
}

/// Bits of `open` that are not the same everywhere (`arch/arm64/include/uapi/asm/fcntl.h`).
pub mod open {
    /// `O_DIRECTORY`.
    pub const DIRECTORY: u32 = 0o40_000;
    /// `O_NOFOLLOW`.
    pub const NOFOLLOW: u32 = 0o100_000;
}

/// The memory primitives, 32 bytes at a time, then as the length's five lowest bits say. `NEON` is
/// part of the architecture, and words need not be aligned.
///
/// Instructions for 4 KiB, counted by `qemu-aarch64`: copying about 650, filling 520,
/// comparing 5,130, measuring 8,200; a block's positions 32.
pub mod memory {
    use core::arch::aarch64::{
        vandq_u8, vcleq_u8, vdupq_n_u8, vgetq_lane_u64, vld1q_u8, vpaddq_u8, vreinterpretq_u64_u8,
        vsubq_u8,
    };
    use core::arch::asm;

    pub use crate::sys::arch::block::{BLOCK_BYTES, ByteRange};

    /// Copies `len_bytes` from `src` to `dst`, lowest address first.
    ///
    /// # Safety
    /// `src` is readable and `dst` writable for `len_bytes`; where they overlap, `dst` must
    /// not lie above `src`.
    pub unsafe fn copy_forward(dst: *mut u8, src: *const u8, len_bytes: usize) {
        // SAFETY: both addresses move up by exactly `len_bytes`. What is written lies below what is
        // still to be read, as each step reads all of its bytes before it writes them.
        unsafe {
            asm!(
                "2:",
                "subs {n}, {n}, #32",
                "b.lo 3f",
                "ldp q0, q1, [{s}], #32",
                "stp q0, q1, [{d}], #32",
                "b 2b",
                // 32 less has the same lowest bits.
                "3:",
                "tbz {n}, #4, 4f",
                "ldr q0, [{s}], #16",
                "str q0, [{d}], #16",
                "4:",
                "tbz {n}, #3, 5f",
                "ldr d0, [{s}], #8",
                "str d0, [{d}], #8",
                "5:",
                "tbz {n}, #2, 6f",
                "ldr s0, [{s}], #4",
                "str s0, [{d}], #4",
                "6:",
                "tbz {n}, #1, 7f",
                "ldr h0, [{s}], #2",
                "str h0, [{d}], #2",
                "7:",
                "tbz {n}, #0, 8f",
                "ldr b0, [{s}]",
                "str b0, [{d}]",
                "8:",
                n = inout(reg) len_bytes => _,
                s = inout(reg) src => _,
                d = inout(reg) dst => _,
                out("v0") _,
                out("v1") _,
                options(nostack),
            );
        }
    }

    /// Copies `len_bytes` from `src` to `dst`, highest address first.
    ///
    /// # Safety
    /// `src` is readable and `dst` writable for `len_bytes`; where they overlap, `dst` must
    /// not lie below `src`.
    pub unsafe fn copy_backward(dst: *mut u8, src: *const u8, len_bytes: usize) {
        // SAFETY: both addresses start one past the end and move down by exactly `len_bytes`. What
        // is written lies above what is still to be read.
        unsafe {
            asm!(
                "add {s}, {s}, {n}",
                "add {d}, {d}, {n}",
                "2:",
                "subs {n}, {n}, #32",
                "b.lo 3f",
                "ldp q0, q1, [{s}, #-32]!",
                "stp q0, q1, [{d}, #-32]!",
                "b 2b",
                "3:",
                "tbz {n}, #4, 4f",
                "ldr q0, [{s}, #-16]!",
                "str q0, [{d}, #-16]!",
                "4:",
                "tbz {n}, #3, 5f",
                "ldr d0, [{s}, #-8]!",
                "str d0, [{d}, #-8]!",
                "5:",
                "tbz {n}, #2, 6f",
                "ldr s0, [{s}, #-4]!",
                "str s0, [{d}, #-4]!",
                "6:",
                "tbz {n}, #1, 7f",
                "ldr h0, [{s}, #-2]!",
                "str h0, [{d}, #-2]!",
                "7:",
                "tbz {n}, #0, 8f",
                "ldr b0, [{s}, #-1]",
                "str b0, [{d}, #-1]",
                "8:",
                n = inout(reg) len_bytes => _,
                s = inout(reg) src => _,
                d = inout(reg) dst => _,
                out("v0") _,
                out("v1") _,
                options(nostack),
            );
        }
    }

    /// Sets `len_bytes` from `dst` on to `byte`.
    ///
    /// # Safety
    /// `dst` is writable for `len_bytes`.
    pub unsafe fn fill(dst: *mut u8, byte: u8, len_bytes: usize) {
        // SAFETY: the address moves up by exactly `len_bytes`.
        unsafe {
            asm!(
                "dup v0.16b, {b:w}",
                "2:",
                "subs {n}, {n}, #32",
                "b.lo 3f",
                "stp q0, q0, [{d}], #32",
                "b 2b",
                "3:",
                "tbz {n}, #4, 4f",
                "str q0, [{d}], #16",
                "4:",
                "tbz {n}, #3, 5f",
                "str d0, [{d}], #8",
                "5:",
                "tbz {n}, #2, 6f",
                "str s0, [{d}], #4",
                "6:",
                "tbz {n}, #1, 7f",
                "str h0, [{d}], #2",
                "7:",
                "tbz {n}, #0, 8f",
                "str b0, [{d}]",
                "8:",
                b = in(reg) u32::from(byte),
                n = inout(reg) len_bytes => _,
                d = inout(reg) dst => _,
                out("v0") _,
                options(nostack),
            );
        }
    }

    /// How many bytes stand before the first NUL from `string` on.
    ///
    /// # Safety
    /// `string` is readable up to and including a NUL.
    #[must_use]
    pub unsafe fn length(string: *const u8) -> usize {
        let end: usize;
        // SAFETY: reads up to the NUL, which the caller answers for.
        unsafe {
            asm!(
                "2:",
                "ldrb {byte:w}, [{at}], #1",
                "cbnz {byte:w}, 2b",
                byte = out(reg) _,
                at = inout(reg) string => end,
                options(nostack, readonly),
            );
        }
        end - 1 - string as usize
    }

    /// Compares `len_bytes` as unsigned bytes: below, at or above zero as `a` sorts before,
    /// with or after `b`.
    ///
    /// # Safety
    /// `a` and `b` are readable for `len_bytes`.
    #[must_use]
    pub unsafe fn compare(a: *const u8, b: *const u8, len_bytes: usize) -> i32 {
        let diff: i32;
        // SAFETY: reads `[a, a + len_bytes)` and `[b, b + len_bytes)` only: words as long as there
        // are eight bytes that are the same, then bytes, up to the first that differs.
        unsafe {
            asm!(
                "2:",
                "cmp {n}, #8",
                "b.lo 3f",
                "ldr {x:x}, [{a}]",
                "ldr {y:x}, [{b}]",
                "cmp {x:x}, {y:x}",
                "b.ne 3f",
                "add {a}, {a}, #8",
                "add {b}, {b}, #8",
                "sub {n}, {n}, #8",
                "b 2b",
                "3:",
                "mov {x:w}, wzr",
                "cbz {n}, 5f",
                "4:",
                "ldrb {x:w}, [{a}], #1",
                "ldrb {y:w}, [{b}], #1",
                "subs {x:w}, {x:w}, {y:w}",
                "b.ne 5f",
                "subs {n}, {n}, #1",
                "b.ne 4b",
                "5:",
                x = out(reg) diff,
                y = out(reg) _,
                n = inout(reg) len_bytes => _,
                a = inout(reg) a => _,
                b = inout(reg) b => _,
                options(nostack, readonly),
            );
        }
        diff
    }

    /// Which of the first [`BLOCK_BYTES`] of `bytes` are within `range`: bit 0 for the first.
    #[inline]
    #[must_use]
    pub fn positions(bytes: &[u8; 2 * BLOCK_BYTES], range: ByteRange) -> u64 {
        // SAFETY: every processor of this architecture that Linux runs on has NEON.
        unsafe { positions_neon(bytes, range) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn positions_neon(bytes: &[u8; 2 * BLOCK_BYTES], range: ByteRange) -> u64 {
        /// Of each eight bytes one bit each.
        const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
        // SAFETY: 16 bytes are read.
        let bits = unsafe { vld1q_u8(BITS.as_ptr()) };
        let first = vdupq_n_u8(range.first);
        let span = vdupq_n_u8(range.span);
        let within = |at: usize| {
            // SAFETY: `at` is 48 at most: 16 bytes within `bytes` are read.
            let word = unsafe { vld1q_u8(bytes.as_ptr().wrapping_add(at)) };
            vandq_u8(vcleq_u8(vsubq_u8(word, first), span), bits)
        };
        // Neighbours are added up three times, until of each eight bytes one is left.
        let low = vpaddq_u8(within(0), within(16));
        let high = vpaddq_u8(within(32), within(48));
        let fourths = vpaddq_u8(low, high);
        vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(fourths, fourths)))
    }
}

/// What [`entry_point`](crate::entry_point) begins with: `sp`, aligned to 16, points at `argc`.
#[macro_export]
#[doc(hidden)]
macro_rules! entry_instructions {
    () => {
        "mov x29, xzr\nmov x0, sp\nbl {main}\nbrk #1"
    };
}
