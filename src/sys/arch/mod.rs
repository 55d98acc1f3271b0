//! What differs between processor architectures: one file each, with everything that has to be
//! written in assembly.
//!
//! | each file has | |
//! | --- | --- |
//! | `system_call!` | a system call: where its number, its arguments and its result stand |
//! | `nr` | the calls' numbers: architectures since 2008 share those of `generic.rs` |
//! | `StatBuffer`, `SignalAction`, `open` | structures and flags that are not the same everywhere |
//! | `clone_thread` | issues `clone` for a thread that begins on the stack that ends at `stack_top`, a multiple of 16, by calling `entry` with `arg`; returns the raw register: the thread's id, or an error. Written out because the two sides of the call return on different stacks: the new one has none of the caller's variables, only what stands in registers that are named. Safe where `flags` share memory and ask for nothing that the caller does not answer for, the stack is the thread's alone, `tid`, cleared at the thread's end (`CLONE_CHILD_CLEARTID`), is valid until then, and `entry` may be called with `arg` by a thread that shares this one's register of thread-local storage |
//! | `memory` | what compiled Rust calls by the names `memcpy`, `memset` and so on. A loop in Rust would be recognised by the compiler and turned into a call to the very function that holds it, so these are assembly |
//! | `entry_instructions!` | the program's first instructions, which call `{main}` |
//!
//! # Another architecture
//!
//! For one of 64 bits, least significant byte first:
//!
//! 1. Copy the file that is most like it: `riscv64.rs`, if its calls have the generic numbers.
//! 2. Write its instructions. `man 2 syscall` has the registers of a system call, the
//!    architecture's ABI those of a function, `arch/*/kernel/process.c` the order of `clone`'s
//!    arguments, `arch/*/include/uapi/asm` what differs of structures and flags.
//! 3. Name it below, and in `linker/build.rs` with its largest page and its linker's emulation.
//! 4. Build it. `linker/program.ld` needs the names of sections of its own, `rt/symbols.rs` the
//!    functions that the compiler expects, `tests/elf.rs` what is to be expected of the file.
//! 5. Run the tests: `scripts/cross.sh` by qemu-user, and threads and the ring in a virtual machine
//!    (`tests/vm/guests.rs`). `scripts/image.sh` puts it into the image.

pub mod block;
#[cfg(not(target_arch = "x86_64"))]
mod generic;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "riscv64")]
mod riscv64;
#[cfg(target_arch = "x86_64")]
#[cfg_attr(miri, allow(dead_code))] // its system calls
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64 as native;
#[cfg(target_arch = "riscv64")]
use riscv64 as native;
#[cfg(target_arch = "x86_64")]
use x86_64 as native;

pub use native::{SignalAction, StatBuffer, clone_thread, memory, nr, open};

/// Defines the calls, by how many arguments they have.
#[cfg(not(all(test, miri)))]
macro_rules! calls {
    ($($name:ident: $($argument:ident)*;)*) => {$(
        /// Issues system call `n` with so many arguments and returns the raw register.
        ///
        /// # Safety
        /// The caller answers for what the call does to memory, descriptors and the process;
        /// every argument that it takes as an address must suit it.
        #[inline]
        #[must_use]
        pub unsafe fn $name(n: usize, $($argument: usize),*) -> usize {
            use core::arch::asm;
            // SAFETY: what it overwrites is named in the architecture's file; the caller answers
            // for the call's effect.
            unsafe { native::system_call!(n $(, $argument)*) }
        }
    )*};
}

#[cfg(not(all(test, miri)))]
calls! {
    syscall0: ;
    syscall1: a;
    syscall2: a b;
    syscall3: a b c;
    syscall4: a b c d;
    syscall5: a b c d e;
    syscall6: a b c d e f;
}

/// Defines `annulet_start`, where the kernel enters the program, as a call of `$main`.
///
/// It is not called `_start`, because start files of a C library, which some targets put on
/// the link line whatever they are asked (`linker/program.ld`), have a `_start` of their own.
///
/// The kernel leaves the argument block on the stack (`fs/binfmt_elf.c`, `create_elf_tables`). The
/// frame pointer is cleared to mark the outermost frame, and the block's address becomes the first
/// argument. `$main` never returns:
///
/// ```compile_fail,E0308
/// fn start(stack: &[usize]) {} // another type, which it would be called by all the same
/// annulet::entry_point!(start);
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! entry_point {
    ($main:path) => {
        const _: unsafe extern "C" fn(*const usize) -> ! = $main;
        /// The program's first instruction.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn annulet_start() -> ! {
            core::arch::naked_asm!($crate::entry_instructions!(), main = sym $main)
        }
    };
}

// Miri runs no assembly.
#[cfg(test)]
#[cfg(miri)]
mod miri;
#[cfg(test)]
#[cfg(miri)]
pub use miri::{syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6};
