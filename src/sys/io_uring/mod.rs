//! `io_uring`: the three system calls and the structures they share with the kernel.
//!
//! Source of every layout, number and flag: `include/uapi/linux/io_uring.h`; of the calls'
//! behaviour: `man 2 io_uring_setup`, `io_uring_enter`, `io_uring_register`, and
//! `io_uring/io_uring.c`. Names drop the `IORING_`/`IOSQE_` prefix and keep the kernel's
//! spelling otherwise. How the rings are used is the business of `crate::ring`.
//!
//! | file | subject |
//! | --- | --- |
//! | `flags.rs` | flags of the calls, of entries, of completions and of the queues |
//! | `opcode.rs` | numbers of operations and of registrations |
//! | `arguments.rs` | what single operations take beside descriptors, addresses and lengths |
//! | `layout.rs` | structures that the kernel reads and writes |
//! | `waiting.rs` | what operations that wait for somebody else take and give |
//! | `sockets.rs` | what sockets' operations take and give |

mod arguments;
mod flags;
mod layout;
mod opcode;
mod sockets;
mod waiting;

pub use arguments::*;
pub use flags::*;
pub use layout::*;
pub use opcode::*;
pub use sockets::*;
pub use waiting::*;

use super::arch::{nr, syscall2, syscall4, syscall6};
use super::errno::Result;
use super::fd::from_register;
use super::{BorrowedFd, Errno, OwnedFd};

/// Where `mmap` finds the submission ring.
pub const OFF_SQ_RING: u64 = 0;
/// Where `mmap` finds the completion ring when it is mapped apart.
pub const OFF_CQ_RING: u64 = 0x0800_0000;
/// Where `mmap` finds the array of submission entries.
pub const OFF_SQES: u64 = 0x1000_0000;

/// `Sqe::file_index` value that lets the kernel pick a free direct descriptor (5.19).
pub const FILE_INDEX_ALLOC: u32 = u32::MAX;

/// Makes a ring of at least `entries` submission entries; the kernel rounds up to a power of
/// two and fills `params` in. Linux 5.1.
///
/// # Safety
/// - The flags name no memory (`NO_MMAP`), or what `params` then names is at least as long as
///   the rings, and nobody else reaches it while the ring lives.
/// - They ask for a descriptor: with `REGISTERED_FD_ONLY` the result is an index, and dropping
///   it would close the descriptor that has this number.
/// - With `ATTACH_WQ`, `wq_fd` is a descriptor that somebody keeps open and means.
///
/// # Errors
/// `ENOSYS` without `io_uring`, `EPERM` where it is forbidden (seccomp,
/// `kernel.io_uring_disabled`), `EINVAL` for a flag the kernel does not know or a size out of
/// range, `ENOMEM`, `EMFILE`, `ENFILE` (`man 2 io_uring_setup`).
pub unsafe fn io_uring_setup(entries: u32, params: &mut Params) -> Result<OwnedFd> {
    let params: *mut Params = params;
    // SAFETY: the kernel reads and writes one `Params`, which is borrowed for the call; for
    // memory that it names the caller answers.
    let r = unsafe { syscall2(nr::IO_URING_SETUP, entries as usize, params as usize) };
    from_register(r)
}

/// Submits up to `to_submit` entries and, with [`EnterFlags::GETEVENTS`], waits for
/// `min_complete` completions. Gives how many entries were consumed. Linux 5.1.
///
/// `fd` is a number and no descriptor, as it may be a registered ring's index. `limit` says how
/// long to wait, by [`EnterFlags::EXT_ARG`] (5.11).
///
/// # Safety
/// `fd` is a ring, or with `REGISTERED_RING` the index of one, that the caller may enter. The
/// kernel starts the entries that stand in it: for each, somebody keeps the promise of
/// `crate::ring::IoUring::push`. The time that `limit` names is there.
///
/// # Errors
/// `crate::ring` has the list with what each means.
pub unsafe fn io_uring_enter(
    fd: i32,
    to_submit: u32,
    min_complete: u32,
    flags: EnterFlags,
    limit: Option<&GeteventsArg>,
) -> Result<u32> {
    // Without a limit these would be a signal mask, and there is none.
    let (flags, arg, arg_len) = limit.map_or((flags, 0, 0), |limit| {
        let arg: *const GeteventsArg = limit;
        let len = size_of::<GeteventsArg>();
        (flags | EnterFlags::EXT_ARG, arg.expose_provenance(), len)
    });
    // SAFETY: the limit is borrowed for the call; the caller answers for the entries.
    let r = unsafe {
        syscall6(
            nr::IO_URING_ENTER,
            register(fd),
            to_submit as usize,
            min_complete as usize,
            flags.bits() as usize,
            arg,
            arg_len,
        )
    };
    #[allow(clippy::cast_possible_truncation)] // at most `to_submit`
    Errno::check(r).map(|consumed| consumed as u32)
}

/// Registers resources with a ring, or asks about it. Linux 5.1.
///
/// # Safety
/// `arg` and `nr_args` are what `op` takes (`man 2 io_uring_register`), valid for the call; what
/// the kernel goes on using after it (a ring of provided buffers, for one) as long as that. The
/// descriptors they name are kept open by somebody during the call, but for one that operations
/// are only compared with, to be called off.
///
/// # Errors
/// As `op` answers; the methods of `crate::ring::IoUring` say it.
pub unsafe fn io_uring_register(
    fd: BorrowedFd<'_>,
    op: RegisterOp,
    arg: usize,
    nr_args: u32,
) -> Result<u32> {
    // SAFETY: the caller answers for `arg` and `nr_args`.
    let r = unsafe {
        syscall4(
            nr::IO_URING_REGISTER,
            fd.arg(),
            op as usize,
            arg,
            nr_args as usize,
        )
    };
    #[allow(clippy::cast_possible_truncation)] // counts and descriptors
    Errno::check(r).map(|value| value as u32)
}

/// A C `int` as a register holds it.
#[allow(clippy::cast_sign_loss)] // sign-extended on purpose
const fn register(int: i32) -> usize {
    int as isize as usize
}
