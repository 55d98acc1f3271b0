//! Operations that wait for somebody else, and those that call operations off.

use super::operation::{Sqe, address};
use crate::sys::io_uring::{Opcode, PollEvents, TimeoutFlags, Timespec};

/// Waiting and calling off.
impl Sqe {
    /// Waits once until `fd` is ready for one of `events`; result: the events that are
    /// (`man 2 poll`). Linux 5.1.
    pub fn poll_add(fd: i32, events: PollEvents) -> Self {
        let mut sqe = Self::new(Opcode::PollAdd, fd);
        sqe.0.op_flags = events.bits();
        sqe
    }

    /// Calls off the poll pushed with `target`, which completes with `ECANCELED`. Result: 0,
    /// `ENOENT` if there is none, `EALREADY` if it is just completing. Linux 5.1.
    pub fn poll_remove(target: u64) -> Self {
        Self::transfer(Opcode::PollRemove, -1, target, 0, 0)
    }

    /// Completes with `ETIME` after the time `timeout`, or with 0 when `count` other
    /// completions have come (0: none count). `timeout` is read at submission. Linux 5.4.
    pub fn timeout(timeout: *const Timespec, count: u32, flags: TimeoutFlags) -> Self {
        let (opcode, count) = (Opcode::Timeout, u64::from(count));
        let mut sqe = Self::transfer(opcode, -1, address(timeout), 1, count);
        sqe.0.op_flags = flags.bits();
        sqe
    }

    /// Calls off the timeout pushed with `target`, which completes with `ECANCELED`. Result:
    /// 0, `ENOENT` if there is none, `EBUSY` if it is just completing. Linux 5.5.
    pub fn timeout_remove(target: u64) -> Self {
        Self::transfer(Opcode::TimeoutRemove, -1, target, 0, 0)
    }

    /// Calls off the operation linked before it (which completes with `ECANCELED`) unless it
    /// is complete after the time `timeout`. Result: `ETIME` if it did, `ECANCELED` if the
    /// operation was complete in time. Linux 5.5.
    pub fn link_timeout(timeout: *const Timespec, flags: TimeoutFlags) -> Self {
        let mut sqe = Self::transfer(Opcode::LinkTimeout, -1, address(timeout), 1, 0);
        sqe.0.op_flags = flags.bits();
        sqe
    }

    /// Calls off the operation pushed with `target`, which if that succeeds completes with
    /// `ECANCELED` or `EINTR`. Result: 0, `ENOENT` if there is none, `EALREADY` if it is
    /// past calling off and will complete by itself. Linux 5.5.
    pub fn cancel(target: u64) -> Self {
        Self::transfer(Opcode::AsyncCancel, -1, target, 0, 0)
    }
}
