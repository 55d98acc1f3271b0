//! The queues beside a kernel that runs at the same time, under loom: every order in which the
//! accesses of the two can happen, and every value that a load may then see.
//!
//! Each test is a model of one pairing between the program and the kernel. An entry that one side
//! reads while the other may write it, an order that is lost, and a wait that nothing ends are
//! failures in it; weakening one ordering in `submission.rs` or `completion.rs` is one.

use core::ptr::NonNull;
use core::sync::atomic::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;
use std::vec::Vec;
use std::{assert, assert_eq};

use loom::model::Builder;
use loom::sync::Mutex;
use loom::thread::{self, yield_now};

use super::completion::CompletionQueue;
use super::queues::Queues;
use super::shared::{AtomicU32, Counter, Entries, Slot, fence};
use super::submission::SubmissionQueue;
use crate::sys::Errno;
use crate::sys::io_uring::{EnterFlags, RawCqe, RawSqe, SqRingFlags};

const GET: EnterFlags = EnterFlags::GETEVENTS;
const NONE: EnterFlags = EnterFlags::empty();

/// The memory of both queues, and what the kernel does to it.
struct Kernel {
    sq_head: AtomicU32,
    sq_tail: AtomicU32,
    flags: AtomicU32,
    cq_head: AtomicU32,
    cq_tail: AtomicU32,
    sqes: Vec<Slot<RawSqe>>,
    cqes: Vec<Slot<RawCqe>>,
    /// Completions that did not fit, under the kernel's `completion_lock`.
    backlog: Mutex<VecDeque<u64>>,
    /// Operations that a worker carries out.
    work: Mutex<VecDeque<u64>>,
}

// SAFETY: loom watches who reaches the entries.
unsafe impl Sync for Kernel {}
// SAFETY: as above.
unsafe impl Send for Kernel {}

fn entries_of<T: Copy>(slots: &[Slot<T>]) -> Entries<T> {
    let count = u32::try_from(slots.len()).unwrap();
    // SAFETY: part of a `Kernel`, which each model keeps to its end.
    unsafe { Entries::new(NonNull::from(slots).cast(), count) }
}

impl Kernel {
    /// Queues whose every head and tail wraps at the second entry.
    fn new(sq_entries: u32, cq_entries: u32, sqpoll: bool) -> (Arc<Self>, Queues) {
        let number = || AtomicU32::new(u32::MAX);
        let kernel = Arc::new(Self {
            sq_head: number(),
            sq_tail: number(),
            flags: AtomicU32::new(0),
            cq_head: number(),
            cq_tail: number(),
            sqes: (0..sq_entries)
                .map(|_| Slot::new(RawSqe::default()))
                .collect(),
            cqes: (0..cq_entries)
                .map(|_| Slot::new(RawCqe::default()))
                .collect(),
            backlog: Mutex::default(),
            work: Mutex::default(),
        });
        // SAFETY: each model keeps the kernel to its end.
        let counter = |field: &AtomicU32| unsafe { Counter::new(NonNull::from(field)) };
        let (head, tail) = (counter(&kernel.sq_head), counter(&kernel.sq_tail));
        let (flags, sqes) = (counter(&kernel.flags), entries_of(&kernel.sqes));
        // SAFETY: the methods below keep to the kernel's part.
        let sq = unsafe { SubmissionQueue::new(head, tail, flags, sqes) };
        let (head, tail) = (counter(&kernel.cq_head), counter(&kernel.cq_tail));
        // SAFETY: as above.
        let cq = unsafe { CompletionQueue::new(head, tail, entries_of(&kernel.cqes)) };
        let queues = Queues::new(sq, cq, sqpoll);
        (kernel, queues)
    }

    /// Takes the oldest entry (`io_get_sqe`, `io_commit_sqring`).
    fn take(&self) -> Option<u64> {
        let head = self.sq_head.load(Ordering::Relaxed);
        if self.sq_tail.load(Ordering::Acquire) == head {
            return None;
        }
        // SAFETY: published, so not being written: loom sees to that.
        let sqe = unsafe { entries_of(&self.sqes).read(head) };
        self.sq_head.store(head.wrapping_add(1), Ordering::Release);
        Some(sqe.user_data)
    }

    /// Writes a completion, if there is room (`io_get_cqe`, `io_commit_cqring`).
    fn post(&self, user_data: u64) -> bool {
        let tail = self.cq_tail.load(Ordering::Relaxed);
        // Acquire in place of the kernel's control dependency, which Rust does not have.
        let head = self.cq_head.load(Ordering::Acquire);
        if tail.wrapping_sub(head) as usize == self.cqes.len() {
            return false;
        }
        let cqe = RawCqe {
            user_data,
            ..RawCqe::default()
        };
        // SAFETY: given back by the program: loom sees to that.
        unsafe { entries_of(&self.cqes).write(tail, &cqe) };
        self.cq_tail.store(tail.wrapping_add(1), Ordering::Release);
        true
    }

    /// Completes an operation, or keeps the completion back where the queue is full
    /// (`io_cqring_event_overflow`).
    fn complete(&self, user_data: u64) {
        let mut backlog = self.backlog.lock().unwrap();
        if !backlog.is_empty() || !self.post(user_data) {
            backlog.push_back(user_data);
            let bit = SqRingFlags::CQ_OVERFLOW.bits();
            self.flags.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Moves what was kept back into the queue, as far as it fits
    /// (`__io_cqring_overflow_flush`).
    fn flush(&self) {
        let mut backlog = self.backlog.lock().unwrap();
        while let Some(&user_data) = backlog.front() {
            if !self.post(user_data) {
                return;
            }
            backlog.pop_front();
        }
        let bit = SqRingFlags::CQ_OVERFLOW.bits();
        self.flags.fetch_and(!bit, Ordering::Relaxed);
    }

    /// `io_uring_enter`: hands `to_submit` entries to the worker, and waits for a completion if
    /// one is asked for.
    fn enter(&self, to_submit: u32, min_complete: u32) -> u32 {
        for _ in 0..to_submit {
            let user_data = self.take().expect("as many as the program says");
            self.work.lock().unwrap().push_back(user_data);
        }
        // Relaxed: it is the program that reads the entries.
        let is_empty = || {
            let tail = self.cq_tail.load(Ordering::Relaxed);
            tail == self.cq_head.load(Ordering::Relaxed)
        };
        while min_complete > 0 && is_empty() {
            self.flush();
            yield_now();
        }
        to_submit
    }
}

/// Tries `model` in every order with at most three switches that no wait asks for.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Pushes an operation, once there is room.
fn push(queues: &mut Queues, user_data: u64) {
    let sqe = RawSqe {
        user_data,
        ..RawSqe::default()
    };
    // SAFETY: nobody carries the operation out.
    while let Err(errno) = unsafe { queues.push(&sqe) } {
        assert_eq!(errno, Errno::EAGAIN);
        yield_now();
    }
}

/// Calls `attempt` until it gives something.
fn wait_for<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        yield_now();
    }
}

#[test]
fn entries_are_taken_whole_and_in_order() {
    explore(|| {
        let (kernel, mut queues) = Kernel::new(2, 4, true);
        let poller = thread::spawn({
            let kernel = Arc::clone(&kernel);
            move || (0..3).for_each(|i| assert_eq!(wait_for(|| kernel.take()), i))
        });
        for i in 0..3 {
            push(&mut queues, i);
            queues.publish();
        }
        poller.join().unwrap();
        assert_eq!(queues.queued(), 0);
    });
}

#[test]
fn completions_arrive_whole_and_in_order() {
    explore(|| {
        let (kernel, mut queues) = Kernel::new(2, 2, false);
        let worker = thread::spawn({
            let kernel = Arc::clone(&kernel);
            move || (0..3).for_each(|i| wait_for(|| kernel.post(i).then_some(())))
        });
        for i in 0..3 {
            assert_eq!(wait_for(|| queues.complete()).user_data, i);
            queues.sync_cq();
        }
        worker.join().unwrap();
        assert_eq!(queues.complete(), None);
    });
}

/// Who sees a new entry sees the room that reaping has made, too: what is in flight always fits.
#[test]
fn the_polling_thread_finds_room_for_each_completion() {
    explore(|| {
        let (kernel, mut queues) = Kernel::new(1, 1, true);
        let poller = thread::spawn({
            let kernel = Arc::clone(&kernel);
            move || (0..2).for_each(|_| assert!(kernel.post(wait_for(|| kernel.take()))))
        });
        for i in 0..2 {
            push(&mut queues, i);
            queues.publish();
            assert_eq!(wait_for(|| queues.complete()).user_data, i);
        }
        poller.join().unwrap();
        assert_eq!(queues.in_flight(), Some(0));
    });
}

/// `io_sq_thread` and the program: each stores, then looks at what the other has stored.
#[test]
fn the_polling_thread_does_not_sleep_through_a_submission() {
    explore(|| {
        let (kernel, mut queues) = Kernel::new(1, 1, true);
        let poller = thread::spawn({
            let kernel = Arc::clone(&kernel);
            move || {
                let bit = SqRingFlags::NEED_WAKEUP.bits();
                kernel.flags.fetch_or(bit, Ordering::Relaxed);
                // `smp_mb__after_atomic`.
                fence(Ordering::SeqCst);
                kernel.take()
            }
        });
        push(&mut queues, 7);
        let mut is_woken = false;
        let wake = |_, _, flags| {
            assert_eq!(flags, EnterFlags::SQ_WAKEUP);
            is_woken = true;
            Ok(1)
        };
        assert_eq!(queues.enter(0, NONE, wake), Ok(1));
        let taken = poller.join().unwrap();
        assert!(is_woken || taken == Some(7), "the entry lies there");
    });
}

/// As `IoUring::cq_overflow` says: reap, and the next entering brings the rest in.
#[test]
fn what_overflows_is_seen_and_brought_in() {
    explore(|| {
        let (kernel, mut queues) = Kernel::new(1, 1, false);
        let worker = thread::spawn({
            let kernel = Arc::clone(&kernel);
            move || (0..3).for_each(|i| kernel.complete(i))
        });
        for i in 0..3 {
            let completion = wait_for(|| {
                if queues.cq_overflow() {
                    let flush = |_, _, _| {
                        kernel.flush();
                        Ok(0)
                    };
                    queues.enter(0, GET, flush).unwrap();
                }
                queues.complete()
            });
            assert_eq!(completion.user_data, i);
        }
        worker.join().unwrap();
        assert!(!queues.cq_overflow());
    });
}

#[test]
fn each_operation_is_reported_once() {
    explore(|| {
        let (kernel, mut queues) = Kernel::new(1, 2, false);
        let worker = thread::spawn({
            let kernel = Arc::clone(&kernel);
            move || {
                for _ in 0..2 {
                    let next = || kernel.work.lock().unwrap().pop_front();
                    kernel.complete(wait_for(next));
                }
            }
        });
        let enter = |n, min, _| Ok(kernel.enter(n, min));
        push(&mut queues, 0);
        assert_eq!(queues.enter(0, NONE, enter), Ok(1));
        push(&mut queues, 1);
        for i in 0..2 {
            assert_eq!(queues.next(enter).unwrap().user_data, i);
        }
        assert_eq!(queues.next(enter), Err(Errno::ECHILD));
        worker.join().unwrap();
    });
}
