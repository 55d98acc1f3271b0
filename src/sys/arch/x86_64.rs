//! x86-64.
//!
//! Calling convention of the kernel (`man 2 syscall`, `arch/x86/entry/entry_64.S`): number in
//! `rax`, arguments in `rdi rsi rdx r10 r8 r9`, result in `rax`; `rcx` and `r11` are
//! overwritten, memory may be read and written.

use core::arch::asm;
use core::sync::atomic::AtomicU32;

use crate::sys::Timestamp;

/// One system call: its number and up to six arguments.
macro_rules! system_call {
    ($n:expr $(, $a:expr $(, $b:expr $(, $c:expr $(, $d:expr $(, $e:expr $(, $f:expr)?)?)?)?)?)?) => {{
        let result: usize;
        asm!("syscall", inlateout("rax") $n => result,
            $(in("rdi") $a, $(in("rsi") $b, $(in("rdx") $c,
            $(in("r10") $d, $(in("r8") $e, $(in("r9") $f,)?)?)?)?)?)?
            out("rcx") _, out("r11") _, options(nostack));
        result
    }};
}
pub(super) use system_call;

/// As [`super`] has it. `clone` takes flags, stack, the parent's and the child's word, and the
/// register of thread-local storage.
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
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") nr::CLONE => result,
            in("rdi") flags,
            in("rsi") stack_top,
            in("rdx") 0_usize,
            in("r10") tid,
            in("r8") 0_usize,
            in("r12") arg,
            in("r13") entry,
            out("rcx") _,
            out("r11") _,
        );
    }
    result
}

/// `struct sigaction` (`arch/x86/include/uapi/asm/signal.h`).
#[repr(C)]
#[derive(Debug)]
pub struct SignalAction {
    handler: extern "C" fn(i32),
    flags: usize,
    restorer: unsafe extern "C" fn() -> !,
    mask: u64,
}

const _: () = assert!(size_of::<SignalAction>() == 32);

impl SignalAction {
    /// Has `handler` called, by these flags (`SA_*`).
    pub const fn new(handler: extern "C" fn(i32), flags: usize) -> Self {
        /// `SA_RESTORER`: the kernel has no way back of its own here.
        const RESTORER: usize = 0x0400_0000;
        Self {
            handler,
            flags: flags | RESTORER,
            restorer: return_from_signal,
            mask: 0,
        }
    }
}

/// Where a signal's handler returns to: gives the kernel the interrupted registers back, which lie
/// on the stack, and with them goes on where they were (`man 2 sigreturn`).
///
/// # Safety
/// For the kernel alone to return to.
#[unsafe(naked)]
unsafe extern "C" fn return_from_signal() -> ! {
    core::arch::naked_asm!("mov eax, {number}", "syscall", "ud2", number = const nr::RT_SIGRETURN)
}

/// Bits of `open` that are not the same everywhere (`include/uapi/asm-generic/fcntl.h`).
pub mod open {
    /// `O_DIRECTORY`.
    pub const DIRECTORY: u32 = 0o200_000;
    /// `O_NOFOLLOW`.
    pub const NOFOLLOW: u32 = 0o400_000;
}

/// `struct stat` (`arch/x86/include/uapi/asm/stat.h`), as `newfstatat` writes it.
#[repr(C)]
#[allow(missing_docs)] // as there
pub struct StatBuffer {
    pub dev: u64,
    pub ino: u64,
    nlink: u64,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pad0: u32,
    pub rdev: u64,
    pub size: u64,
    blksize: u64,
    pub blocks: u64,
    pub atime: Timestamp,
    pub mtime: Timestamp,
    ctime: Timestamp,
    unused: [u64; 3],
}

impl StatBuffer {
    /// How many names the file has.
    #[allow(clippy::cast_possible_truncation)] // as many as statx has bits for
    #[must_use]
    pub const fn nlink(&self) -> u32 {
        self.nlink as u32
    }
}

const _: () = assert!(size_of::<StatBuffer>() == 144);
const _: () = assert!(core::mem::offset_of!(StatBuffer, rdev) == 40);
const _: () = assert!(core::mem::offset_of!(StatBuffer, atime) == 72);

/// System call numbers (`arch/x86/entry/syscalls/syscall_64.tbl`), by the kernel's names.
#[allow(missing_docs)]
pub mod nr {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const LSEEK: usize = 8;
    pub const MMAP: usize = 9;
    pub const MPROTECT: usize = 10;
    pub const MUNMAP: usize = 11;
    pub const MREMAP: usize = 25;
    pub const RT_SIGACTION: usize = 13;
    pub const RT_SIGPROCMASK: usize = 14;
    pub const RT_SIGRETURN: usize = 15;
    pub const IOCTL: usize = 16;
    pub const PREAD64: usize = 17;
    pub const PWRITE64: usize = 18;
    pub const PREADV2: usize = 327;
    pub const PPOLL: usize = 271;
    pub const FCNTL: usize = 72;
    pub const FTRUNCATE: usize = 77;
    pub const CLONE: usize = 56;
    pub const EXIT: usize = 60;
    pub const GETEUID: usize = 107;
    pub const SETXATTR: usize = 188;
    pub const LSETXATTR: usize = 189;
    pub const FSETXATTR: usize = 190;
    pub const GETXATTR: usize = 191;
    pub const LGETXATTR: usize = 192;
    pub const FGETXATTR: usize = 193;
    pub const LISTXATTR: usize = 194;
    pub const LLISTXATTR: usize = 195;
    pub const FLISTXATTR: usize = 196;
    pub const REMOVEXATTR: usize = 197;
    pub const LREMOVEXATTR: usize = 198;
    pub const FREMOVEXATTR: usize = 199;
    pub const FUTEX: usize = 202;
    pub const SCHED_GETAFFINITY: usize = 204;
    pub const PRLIMIT64: usize = 302;
    pub const FCHMOD: usize = 91;
    pub const FCHOWN: usize = 93;
    pub const FCHDIR: usize = 81;
    pub const UMASK: usize = 95;
    pub const UNAME: usize = 63;
    pub const GETRUSAGE: usize = 98;
    pub const FSTATFS: usize = 138;
    pub const FALLOCATE: usize = 285;
    pub const GETDENTS64: usize = 217;
    pub const FADVISE64: usize = 221;
    pub const CLOCK_GETTIME: usize = 228;
    pub const GETRANDOM: usize = 318;
    pub const EXIT_GROUP: usize = 231;
    pub const OPENAT: usize = 257;
    pub const MKDIRAT: usize = 258;
    pub const MKNODAT: usize = 259;
    pub const FCHOWNAT: usize = 260;
    pub const NEWFSTATAT: usize = 262;
    pub const UNLINKAT: usize = 263;
    pub const LINKAT: usize = 265;
    pub const SYMLINKAT: usize = 266;
    pub const READLINKAT: usize = 267;
    pub const FCHMODAT: usize = 268;
    pub const FACCESSAT: usize = 269;
    pub const SPLICE: usize = 275;
    pub const UTIMENSAT: usize = 280;
    pub const PIPE2: usize = 293;
    pub const COPY_FILE_RANGE: usize = 326;
    pub const STATX: usize = 332;
    pub const RENAMEAT2: usize = 316;
    pub const IO_URING_SETUP: usize = 425;
    pub const IO_URING_ENTER: usize = 426;
    pub const IO_URING_REGISTER: usize = 427;
    pub const FCHMODAT2: usize = 452;
}

/// The memory primitives. `rep movsb`/`rep stosb` are microcoded to copy whole cache lines on
/// every x86-64 of the last decade (ERMS), and are two bytes long.
pub mod memory {
    use core::arch::asm;
    use core::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_set1_epi8,
        _mm_sub_epi8,
    };

    pub use crate::sys::arch::block::{BLOCK_BYTES, ByteRange};

    /// Copies `len_bytes` from `src` to `dst`, lowest address first.
    ///
    /// # Safety
    /// `src` is readable and `dst` writable for `len_bytes`; where they overlap, `dst` must
    /// not lie above `src`.
    #[inline]
    pub unsafe fn copy_forward(dst: *mut u8, src: *const u8, len_bytes: usize) {
        // SAFETY: the direction flag is clear on entry to every function (System V ABI); the
        // caller answers for the ranges.
        unsafe {
            asm!("rep movsb", inout("rcx") len_bytes => _, inout("rdi") dst => _,
                inout("rsi") src => _, options(nostack, preserves_flags));
        }
    }

    /// Copies `len_bytes` from `src` to `dst`, highest address first.
    ///
    /// # Safety
    /// `src` is readable and `dst` writable for `len_bytes`; where they overlap, `dst` must
    /// not lie below `src`.
    pub unsafe fn copy_backward(dst: *mut u8, src: *const u8, len_bytes: usize) {
        // Eight bytes at a time from the end: `std` + `rep movsb` runs a byte per cycle or
        // slower, as the microcode's fast path only goes upwards.
        // SAFETY: rdi/rsi stay inside the ranges the caller answers for: they start one past
        // the end and move down by exactly `len_bytes` in steps of eight, then of one.
        unsafe {
            asm!(
                "2:",
                "cmp {n}, 8",
                "jb 3f",
                "sub {n}, 8",
                "mov {t}, qword ptr [{s} + {n}]",
                "mov qword ptr [{d} + {n}], {t}",
                "jmp 2b",
                "3:",
                "test {n}, {n}",
                "jz 4f",
                "dec {n}",
                "mov {t:l}, byte ptr [{s} + {n}]",
                "mov byte ptr [{d} + {n}], {t:l}",
                "jmp 3b",
                "4:",
                n = inout(reg) len_bytes => _,
                t = out(reg) _,
                s = in(reg) src,
                d = in(reg) dst,
                options(nostack),
            );
        }
    }

    /// Sets `len_bytes` from `dst` on to `byte`.
    ///
    /// # Safety
    /// `dst` is writable for `len_bytes`.
    #[inline]
    pub unsafe fn fill(dst: *mut u8, byte: u8, len_bytes: usize) {
        // SAFETY: as in `copy_forward`.
        unsafe {
            asm!("rep stosb", inout("rcx") len_bytes => _, inout("rdi") dst => _,
                in("al") byte, options(nostack, preserves_flags));
        }
    }

    /// How many bytes stand before the first NUL from `string` on.
    ///
    /// # Safety
    /// `string` is readable up to and including a NUL.
    #[inline]
    #[must_use]
    pub unsafe fn length(string: *const u8) -> usize {
        let left: usize;
        // SAFETY: reads up to the NUL, which the caller answers for; `rcx` counts down from
        // its largest value, once for the NUL as well.
        unsafe {
            asm!("repne scasb", inout("rcx") usize::MAX => left, inout("rdi") string => _,
                in("al") 0_u8, options(nostack, readonly));
        }
        usize::MAX - 1 - left
    }

    /// Compares `len_bytes` as unsigned bytes: below, at or above zero as `a` sorts before,
    /// with or after `b`.
    ///
    /// # Safety
    /// `a` and `b` are readable for `len_bytes`.
    #[must_use]
    pub unsafe fn compare(a: *const u8, b: *const u8, len_bytes: usize) -> i32 {
        let diff: i32;
        // SAFETY: reads `[a, a + len_bytes)` and `[b, b + len_bytes)` only: the index runs
        // from 0 and stops at `len_bytes` or at the first byte that differs.
        unsafe {
            asm!(
                "xor {i:e}, {i:e}",
                "xor {x:e}, {x:e}",
                "2:",
                "cmp {i}, {n}",
                "je 3f",
                "movzx {x:e}, byte ptr [{a} + {i}]",
                "movzx {y:e}, byte ptr [{b} + {i}]",
                "inc {i}",
                "sub {x:e}, {y:e}",
                "je 2b",
                "3:",
                i = out(reg) _,
                x = out(reg) diff,
                y = out(reg) _,
                n = in(reg) len_bytes,
                a = in(reg) a,
                b = in(reg) b,
                options(nostack, readonly),
            );
        }
        diff
    }

    /// Which of the first [`BLOCK_BYTES`] of `bytes` are within `range`: bit 0 for the first.
    #[inline]
    #[must_use]
    pub fn positions(bytes: &[u8; 2 * BLOCK_BYTES], range: ByteRange) -> u64 {
        // SAFETY: every x86-64 has SSE2.
        unsafe { positions_sse2(bytes, range) }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn positions_sse2(bytes: &[u8; 2 * BLOCK_BYTES], range: ByteRange) -> u64 {
        let first = _mm_set1_epi8(range.first.cast_signed());
        let span = _mm_set1_epi8(range.span.cast_signed());
        // Not in a loop: small code is asked of the compiler, and it would keep one.
        let within = |at: usize| {
            // SAFETY: `at` is 48 at most: 16 bytes within `bytes` are read.
            let word = unsafe { _mm_loadu_si128(bytes.as_ptr().wrapping_add(at).cast()) };
            let beyond = _mm_sub_epi8(word, first);
            let within = _mm_cmpeq_epi8(_mm_min_epu8(beyond, span), beyond);
            u64::from(_mm_movemask_epi8(within).cast_unsigned())
        };
        within(0) | within(16) << 16 | (within(32) | within(48) << 16) << 32
    }
}

/// What [`entry_point`](crate::entry_point) begins with: `rsp` points at `argc`, and is aligned to 16
/// as every `extern "C"` function expects (System V ABI §3.4.1).
#[macro_export]
#[doc(hidden)]
macro_rules! entry_instructions {
    () => {
        "xor ebp, ebp\nmov rdi, rsp\nand rsp, -16\ncall {main}\nud2"
    };
}
