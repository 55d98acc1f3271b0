//! RISC-V, 64 bits.
//!
//! Calling convention of the kernel (`man 2 syscall`, `arch/riscv/kernel/entry.S`): number in
//! `a7`, arguments in `a0` to `a5`, result in `a0`; of the other registers those of vectors are
//! overwritten (`riscv_v_vstate_discard`, Linux 6.5), memory may be read and written.

use core::arch::asm;
use core::sync::atomic::AtomicU32;

pub use super::generic::{StatBuffer, nr};

/// `asm!` with a system call in it: the registers of vectors, which it overwrites, are named besides.
macro_rules! asm_losing_vectors {
    ($($operands:tt)*) => {
        asm!($($operands)*
            out("v0") _, out("v1") _, out("v2") _, out("v3") _,
            out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v12") _, out("v13") _, out("v14") _, out("v15") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _,
            out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _,
            out("v28") _, out("v29") _, out("v30") _, out("v31") _)
    };
}
pub(super) use asm_losing_vectors;

/// One system call: its number and up to six arguments.
macro_rules! system_call {
    ($n:expr) => {
        $crate::sys::arch::native::system_call!($n, 0_usize)
    };
    ($n:expr, $a:expr $(, $b:expr $(, $c:expr $(, $d:expr $(, $e:expr $(, $f:expr)?)?)?)?)?) => {{
        let result: usize;
        $crate::sys::arch::native::asm_losing_vectors!(
            "ecall", in("a7") $n, inlateout("a0") $a => result,
            $(in("a1") $b, $(in("a2") $c, $(in("a3") $d,
            $(in("a4") $e, $(in("a5") $f,)?)?)?)?)?
            options(nostack),
        );
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
        asm_losing_vectors!(
            "ecall",
            "bnez a0, 2f",
            "li s0, 0",
            "mv a0, a5",
            "jalr a6",
            "unimp",
            "2:",
            in("a7") nr::CLONE,
            inlateout("a0") flags => result,
            in("a1") stack_top,
            in("a2") 0_usize,
            in("a3") 0_usize,
            in("a4") tid,
            in("a6") entry,
            in("a5") arg,
        );
    }
    result
}

/// `struct sigaction` (`include/uapi/asm-generic/signal.h`). A handler returns to what the kernel
/// keeps for that, in every program.
#[repr(C)]
#[derive(Debug)]
pub struct SignalAction {
    handler: extern "C" fn(i32),
    flags: usize,
    mask: u64,
}

const _: () = assert!(size_of::<SignalAction>() == 24);

impl SignalAction {
    /// Has `handler` called, by these flags (`SA_*`).
    pub const fn new(handler: extern "C" fn(i32), flags: usize) -> Self {
        Self {
            handler,
            flags,
            mask: 0,
        }
    }
}

/// Bits of `open` that are not the same everywhere (`include/uapi/asm-generic/fcntl.h`).
pub mod open {
    /// `O_DIRECTORY`.
    pub const DIRECTORY: u32 = 0o200_000;
    /// `O_NOFOLLOW`.
    pub const NOFOLLOW: u32 = 0o400_000;
}

/// The memory primitives. Words that are not aligned may trap and take a thousand times as long, so
/// that what is not aligned alike is copied and compared by bytes.
///
/// Instructions for 4 KiB, counted by `qemu-riscv64`: copying about 2,060 (by bytes 28,680), filling 1,290,
/// comparing 4,110 (by bytes 36,870), measuring 12,290; a block's positions 430.
pub mod memory {
    use core::arch::asm;

    pub use crate::sys::arch::block::{BLOCK_BYTES, ByteRange};

    /// Copies `len_bytes` from `src` to `dst`, lowest address first.
    ///
    /// # Safety
    /// `src` is readable and `dst` writable for `len_bytes`; where they overlap, `dst` must
    /// not lie above `src`.
    pub unsafe fn copy_forward(dst: *mut u8, src: *const u8, len_bytes: usize) {
        // SAFETY: both addresses move up from byte to byte or word to word, until `len_bytes` were
        // copied. What is written lies below what is still to be read, as each step reads all of
        // its words before it writes them.
        unsafe {
            asm!(
                "xor {t}, {d}, {s}",
                "andi {t}, {t}, 7",
                "bnez {t}, 6f",
                // Bytes up to a word's start.
                "2:",
                "andi {t}, {d}, 7",
                "beqz {t}, 3f",
                "beqz {n}, 7f",
                "lb {t}, 0({s})",
                "sb {t}, 0({d})",
                "addi {s}, {s}, 1",
                "addi {d}, {d}, 1",
                "addi {n}, {n}, -1",
                "j 2b",
                // Two words at a time.
                "3:",
                "li {m}, 16",
                "bltu {n}, {m}, 6f",
                "4:",
                "ld {t}, 0({s})",
                "ld {u}, 8({s})",
                "sd {t}, 0({d})",
                "sd {u}, 8({d})",
                "addi {s}, {s}, 16",
                "addi {d}, {d}, 16",
                "addi {n}, {n}, -16",
                "bgeu {n}, {m}, 4b",
                "6:",
                "beqz {n}, 7f",
                "lb {t}, 0({s})",
                "sb {t}, 0({d})",
                "addi {s}, {s}, 1",
                "addi {d}, {d}, 1",
                "addi {n}, {n}, -1",
                "j 6b",
                "7:",
                t = out(reg) _,
                u = out(reg) _,
                m = out(reg) _,
                n = inout(reg) len_bytes => _,
                s = inout(reg) src => _,
                d = inout(reg) dst => _,
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
        // SAFETY: both addresses start one past the end and move down until `len_bytes` were
        // copied. What is written lies above what is still to be read.
        unsafe {
            asm!(
                "add {s}, {s}, {n}",
                "add {d}, {d}, {n}",
                "xor {t}, {d}, {s}",
                "andi {t}, {t}, 7",
                "bnez {t}, 6f",
                // Bytes down to a word's end.
                "2:",
                "andi {t}, {d}, 7",
                "beqz {t}, 3f",
                "beqz {n}, 7f",
                "addi {s}, {s}, -1",
                "addi {d}, {d}, -1",
                "lb {t}, 0({s})",
                "sb {t}, 0({d})",
                "addi {n}, {n}, -1",
                "j 2b",
                // Two words at a time.
                "3:",
                "li {m}, 16",
                "bltu {n}, {m}, 6f",
                "4:",
                "ld {t}, -8({s})",
                "ld {u}, -16({s})",
                "sd {t}, -8({d})",
                "sd {u}, -16({d})",
                "addi {s}, {s}, -16",
                "addi {d}, {d}, -16",
                "addi {n}, {n}, -16",
                "bgeu {n}, {m}, 4b",
                "6:",
                "beqz {n}, 7f",
                "addi {s}, {s}, -1",
                "addi {d}, {d}, -1",
                "lb {t}, 0({s})",
                "sb {t}, 0({d})",
                "addi {n}, {n}, -1",
                "j 6b",
                "7:",
                t = out(reg) _,
                u = out(reg) _,
                m = out(reg) _,
                n = inout(reg) len_bytes => _,
                s = inout(reg) src => _,
                d = inout(reg) dst => _,
                options(nostack),
            );
        }
    }

    /// Sets `len_bytes` from `dst` on to `byte`.
    ///
    /// # Safety
    /// `dst` is writable for `len_bytes`.
    pub unsafe fn fill(dst: *mut u8, byte: u8, len_bytes: usize) {
        // SAFETY: the address moves up from byte to byte or word to word, until `len_bytes` were
        // written.
        unsafe {
            asm!(
                "2:",
                "andi {t}, {d}, 7",
                "beqz {t}, 3f",
                "beqz {n}, 7f",
                "sb {b}, 0({d})",
                "addi {d}, {d}, 1",
                "addi {n}, {n}, -1",
                "j 2b",
                "3:",
                "li {m}, 16",
                "bltu {n}, {m}, 6f",
                "4:",
                "sd {b}, 0({d})",
                "sd {b}, 8({d})",
                "addi {d}, {d}, 16",
                "addi {n}, {n}, -16",
                "bgeu {n}, {m}, 4b",
                "6:",
                "beqz {n}, 7f",
                "sb {b}, 0({d})",
                "addi {d}, {d}, 1",
                "addi {n}, {n}, -1",
                "j 6b",
                "7:",
                b = in(reg) every_byte(byte),
                t = out(reg) _,
                m = out(reg) _,
                n = inout(reg) len_bytes => _,
                d = inout(reg) dst => _,
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
                "lbu {byte}, 0({at})",
                "addi {at}, {at}, 1",
                "bnez {byte}, 2b",
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
        // SAFETY: reads `[a, a + len_bytes)` and `[b, b + len_bytes)` only: where both begin with a
        // word, words as long as there are eight bytes that are the same, then bytes, up to the
        // first that differs.
        unsafe {
            asm!(
                "or {x}, {a}, {b}",
                "andi {x}, {x}, 7",
                "bnez {x}, 3f",
                "li {m}, 8",
                "2:",
                "bltu {n}, {m}, 3f",
                "ld {x}, 0({a})",
                "ld {y}, 0({b})",
                "bne {x}, {y}, 3f",
                "addi {a}, {a}, 8",
                "addi {b}, {b}, 8",
                "addi {n}, {n}, -8",
                "j 2b",
                "3:",
                "li {x}, 0",
                "4:",
                "beqz {n}, 5f",
                "lbu {x}, 0({a})",
                "lbu {y}, 0({b})",
                "sub {x}, {x}, {y}",
                "bnez {x}, 5f",
                "addi {a}, {a}, 1",
                "addi {b}, {b}, 1",
                "addi {n}, {n}, -1",
                "j 4b",
                "5:",
                x = out(reg) diff,
                y = out(reg) _,
                m = out(reg) _,
                n = inout(reg) len_bytes => _,
                a = inout(reg) a => _,
                b = inout(reg) b => _,
                options(nostack, readonly),
            );
        }
        diff
    }

    /// A word whose every byte is that.
    const fn every_byte(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }

    /// Which of the first [`BLOCK_BYTES`] of `bytes` are within `range`: bit 0 for the first.
    #[inline]
    #[must_use]
    pub fn positions(bytes: &[u8; 2 * BLOCK_BYTES], range: ByteRange) -> u64 {
        let (words, _) = bytes.as_chunks::<8>();
        words[..BLOCK_BYTES / 8]
            .iter()
            .rev()
            .fold(0, |found, word| {
                found << 8 | positions_in_word(u64::from_le_bytes(*word), range)
            })
    }

    /// The same of eight bytes, the lowest first: eight sums and comparisons in one word, whose
    /// bytes' highest bits are kept out of the sums, so that nothing is carried from byte to byte.
    #[inline]
    const fn positions_in_word(word: u64, range: ByteRange) -> u64 {
        const HIGH: u64 = every_byte(0x80);
        let first = every_byte(range.first);
        let span = every_byte(range.span);
        let beyond = ((word | HIGH) - (first & !HIGH)) ^ ((word ^ !first) & HIGH);
        // Where the highest bits are the same, the lower seven decide.
        let low = (span | HIGH) - (beyond & !HIGH);
        let within = ((span & !beyond) | (!(span ^ beyond) & low)) & HIGH;
        // The product has each byte's bit in its highest byte, in their order.
        (within >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    }
}

/// What [`entry_point`](crate::entry_point) begins with: `sp`, aligned to 16, points at `argc`. `gp` is
/// not set: the linker rests on it only where a script defines `__global_pointer$`.
#[macro_export]
#[doc(hidden)]
macro_rules! entry_instructions {
    () => {
        "li s0, 0\nmv a0, sp\ncall {main}\nunimp"
    };
}
