//! The `io_uring` ring: setup, queues, operations, registration, probe.
//!
//! A ring is two queues in memory shared with the kernel. The program writes *submission
//! entries* ([`Sqe`]) and moves the submission queue's tail; the kernel takes them, moves its
//! head, carries the operations out, and writes *completions* ([`Completion`]) into the other
//! queue, whose head the program moves. One call, `io_uring_enter`, hands over and waits.
//!
//! Below: how [another crate](#in-another-crate) has it, [three examples](#three-examples), and
//! [all operations](#operations).
//!
//! | file | subject |
//! | --- | --- |
//! | `builder.rs` | what may be asked of the kernel, and the levels of the ladder of [`IoUring::new`] |
//! | `setup.rs` | mapping a ring the kernel has made |
//! | `submission.rs`, `completion.rs` | the two queues, over plain pointers |
//! | `shared.rs` | the numbers and entries that both sides look at, which loom has its own of |
//! | `queues.rs` | both together: what is in flight, and entering the kernel |
//! | `instance.rs` | [`IoUring`], which owns the memory under the queues |
//! | `operation.rs` | [`Sqe`]: modifiers, and operations on files |
//! | `waiting.rs` | operations that wait for somebody else, sockets', and calling operations off |
//! | `cancel.rs` | [`Cancel`]: which operations to call off |
//! | `buffers.rs` | [`BufferRing`]: buffers that the kernel picks from |
//! | `register.rs`, `probe.rs` | registered resources; what the kernel can do |
//! | `slots.rs` | [`SlotRing`]: reads and writes without `unsafe` |
//!
//! Tests have the queues beside a kernel that does what a script says (`scripted.rs`, also under
//! Miri), and beside one that runs at the same time, in every order of their accesses to memory
//! (`interleaved.rs`, under loom).
//!
//! # What `io_uring_enter` answers
//!
//! Each error has one meaning here ([`Verdict`]):
//!
//! | errno | meaning | verdict |
//! | --- | --- | --- |
//! | `EINTR` | a signal came before anything was done | again |
//! | `EAGAIN` | no memory for the request just now | reap, then again |
//! | `EBUSY` | completions wait that do not fit: the queue must be emptied first | reap, then again |
//! | `EBADR` | the kernel dropped a completion for want of memory: an operation will never report | fatal |
//! | `EBADF`, `EOPNOTSUPP` | the descriptor is not a ring's: somebody closed it | fatal |
//! | `EBADFD` | the ring was made disabled and has not been enabled | fatal |
//! | `EEXIST` | single-issuer ring entered by another task | fatal |
//! | `ENXIO` | the ring is being torn down | fatal |
//! | `EOWNERDEAD` | the polling thread has died | fatal |
//! | `EINVAL`, `EFAULT` | arguments that this module never passes | fatal |
//!
//! Where a time to wait was given, `ETIME` says that it is up; nothing is wrong then.
//!
//! # Threads
//!
//! A ring is neither `Send` nor `Sync`: its head and tail have one writer each, and kernels
//! from 6.1 on are told so of rings that [`IoUring::new`] makes (`SINGLE_ISSUER`). One ring per
//! worker.
#![doc = include_str!("examples.md")]
#![doc = include_str!("operations.md")]
#![allow(unsafe_code)]

mod buffers;
mod builder;
mod cancel;
mod completion;
mod instance;
mod operation;
mod probe;
mod queues;
mod register;
mod setup;
mod shared;
mod slots;
mod submission;
mod waiting;

#[cfg(test)]
#[cfg(loom)]
mod interleaved;
#[cfg(test)]
#[cfg(not(loom))]
mod scripted;

pub use buffers::BufferRing;
pub use builder::{IoUringBuilder, SetupLevel};
pub use cancel::Cancel;
pub use completion::Completion;
pub use instance::IoUring;
pub use operation::{CURRENT_POSITION, Sqe};
pub use probe::Probe;
pub use queues::{Completions, Verdict};
pub use register::{FileSlot, WorkerLimits};
pub use slots::{Finished, MAX_LEN_BYTES, MAX_SLOTS, Session, SetupError, SlotRing, Step};
pub use waiting::PollChange;

pub use crate::sys::io_uring::{
    AddressFamily, MsgFlags, MsgHdr, NOTIF_USAGE_ZC_COPIED, ReceivedMessage, RecvSendFlags,
    Shutdown, SocketAddress, SocketFlags, SocketType,
};
pub use crate::sys::io_uring::{
    ChildInfo, CqeFlags, FallocateMode, Features, FileAdvice, FixedFdFlags, FsyncFlags, FutexFlags,
    FutexWaitv, IoVec, MemoryAdvice, MsgRingFlags, Opcode, OpenHow, PollEvents, RawSqe,
    RenameFlags, SetupFlags, SpliceFlags, SqeFlags, StatxBuffer, StatxMask, SyncFileRangeFlags,
    TimeoutFlags, Timespec, WaitFor, WaitOptions, XattrFlags,
};
