//! A stand-in for the kernel, and the queues' tests against it.
//!
//! The queues lie on the heap here. A test moves the kernel's ends of them by hand, or lets
//! [`Scripted::take`] and [`Scripted::post`] do it, and answers each entering of the kernel as
//! it likes.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use std::boxed::Box;
use std::vec::Vec;
use std::{assert_eq, vec};

use super::completion::{Completion, CompletionQueue};
use super::queues::{Completions, Queues, Verdict};
use super::shared::{Counter, Entries};
use super::submission::SubmissionQueue;
use crate::sys::Errno;
use crate::sys::io_uring::{CqeFlags, EnterFlags, RawCqe, RawSqe, SqRingFlags, SqeFlags};

/// The kernel's side of two queues, whose memory goes with it.
struct Scripted {
    sq_head: NonNull<AtomicU32>,
    sq_tail: NonNull<AtomicU32>,
    flags: NonNull<AtomicU32>,
    cq_head: NonNull<AtomicU32>,
    cq_tail: NonNull<AtomicU32>,
    sqes: NonNull<RawSqe>,
    cqes: NonNull<RawCqe>,
    sq_entries: u32,
    cq_entries: u32,
    /// Completions that did not fit.
    backlog: Vec<RawCqe>,
}

fn number(value: u32) -> NonNull<AtomicU32> {
    NonNull::from(Box::leak(Box::new(AtomicU32::new(value))))
}

fn array<T: Copy + Default>(len: u32) -> NonNull<T> {
    let array = vec![T::default(); len as usize].into_boxed_slice();
    NonNull::from(Box::leak(array)).cast()
}

/// Frees what [`array`] has made, at the end of a test.
fn free<T>(array: NonNull<T>, len: u32) {
    let array = NonNull::slice_from_raw_parts(array, len as usize);
    // SAFETY: made by `array` with this length; nobody uses it any more.
    drop(unsafe { Box::from_raw(array.as_ptr()) });
}

fn at<'kernel>(field: NonNull<AtomicU32>) -> &'kernel AtomicU32 {
    // SAFETY: made by `number`, and each test keeps its `Scripted` to its end.
    unsafe { field.as_ref() }
}

impl Scripted {
    /// Queues whose every head and tail starts at `start`.
    fn new(sq_entries: u32, cq_entries: u32, start: u32, sqpoll: bool) -> (Self, Queues) {
        let kernel = Self {
            sq_head: number(start),
            sq_tail: number(start),
            flags: number(0),
            cq_head: number(start),
            cq_tail: number(start),
            sqes: array(sq_entries),
            cqes: array(cq_entries),
            sq_entries,
            cq_entries,
            backlog: Vec::new(),
        };
        // SAFETY: each test keeps the kernel to its end.
        let counter = |field| unsafe { Counter::new(field) };
        let (head, tail) = (counter(kernel.sq_head), counter(kernel.sq_tail));
        let flags = counter(kernel.flags);
        // SAFETY: as above; `sq_entries` long.
        let sqes = unsafe { Entries::new(kernel.sqes.cast(), sq_entries) };
        // SAFETY: `Scripted` keeps to the kernel's part.
        let sq = unsafe { SubmissionQueue::new(head, tail, flags, sqes) };
        let (head, tail) = (counter(kernel.cq_head), counter(kernel.cq_tail));
        // SAFETY: as above; `cq_entries` long.
        let cqes = unsafe { Entries::new(kernel.cqes.cast(), cq_entries) };
        // SAFETY: as above.
        let cq = unsafe { CompletionQueue::new(head, tail, cqes) };
        (kernel, Queues::new(sq, cq, sqpoll))
    }

    fn visible(&self) -> u32 {
        let tail = at(self.sq_tail).load(Ordering::Acquire);
        tail.wrapping_sub(at(self.sq_head).load(Ordering::Acquire))
    }

    /// Takes up to `count` published entries and gives their `user_data`.
    fn take(&mut self, count: u32) -> Vec<u64> {
        let head = at(self.sq_head).load(Ordering::Relaxed);
        let count = count.min(self.visible());
        let one = |i: u32| {
            let index = (head.wrapping_add(i) & (self.sq_entries - 1)) as usize;
            // SAFETY: the mask keeps it in the array.
            let slot = unsafe { self.sqes.add(index) };
            // SAFETY: published, so not being written.
            unsafe { slot.read() }.user_data
        };
        let taken = (0..count).map(one).collect();
        at(self.sq_head).store(head.wrapping_add(count), Ordering::Release);
        taken
    }

    /// Completes an operation, or keeps the completion back where the queue is full.
    fn post(&mut self, user_data: u64, res: i32) {
        self.backlog.push(RawCqe {
            user_data,
            res,
            flags: 0,
        });
        self.flush();
        let overflow = !self.backlog.is_empty();
        let bit = SqRingFlags::CQ_OVERFLOW.bits();
        at(self.flags).fetch_and(!bit, Ordering::Relaxed);
        at(self.flags).fetch_or(bit * u32::from(overflow), Ordering::Relaxed);
    }

    /// Moves what was kept back into the queue, as far as it fits.
    fn flush(&mut self) {
        while !self.backlog.is_empty() {
            let tail = at(self.cq_tail).load(Ordering::Relaxed);
            let head = at(self.cq_head).load(Ordering::Acquire);
            if tail.wrapping_sub(head) == self.cq_entries {
                return;
            }
            let index = (tail & (self.cq_entries - 1)) as usize;
            // SAFETY: the mask keeps it in the array.
            let slot = unsafe { self.cqes.add(index) };
            // SAFETY: the program has given the entry back.
            unsafe { slot.write(self.backlog.remove(0)) };
            at(self.cq_tail).store(tail.wrapping_add(1), Ordering::Release);
        }
        at(self.flags).fetch_and(!SqRingFlags::CQ_OVERFLOW.bits(), Ordering::Relaxed);
    }

    /// A kernel without surprises: takes all, completes all with 0.
    fn obey(&mut self, to_submit: u32) -> u32 {
        let taken = self.take(to_submit);
        self.flush();
        for &user_data in &taken {
            self.post(user_data, 0);
        }
        u32::try_from(taken.len()).unwrap()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        let counters = [self.sq_head, self.sq_tail, self.cq_head, self.cq_tail];
        for number in counters.into_iter().chain([self.flags]) {
            // SAFETY: made by `number`, and the test has ended.
            drop(unsafe { Box::from_raw(number.as_ptr()) });
        }
        free(self.sqes, self.sq_entries);
        free(self.cqes, self.cq_entries);
    }
}

fn push(queues: &mut Queues, user_data: u64) -> Result<(), Errno> {
    push_flags(queues, user_data, SqeFlags::empty())
}

fn push_flags(queues: &mut Queues, user_data: u64, flags: SqeFlags) -> Result<(), Errno> {
    let sqe = RawSqe {
        user_data,
        flags: flags.bits(),
        ..RawSqe::default()
    };
    // SAFETY: nobody carries the operation out.
    unsafe { queues.push(&sqe) }
}

const GET: EnterFlags = EnterFlags::GETEVENTS;

#[test]
fn order_is_kept_where_the_counters_wrap() {
    for start in [u32::MAX - 5, u32::MAX, 0] {
        let (mut kernel, mut queues) = Scripted::new(4, 8, start, false);
        let mut next = 0;
        for _ in 0..5 {
            for i in 0..3 {
                push(&mut queues, next + i).unwrap();
            }
            assert_eq!(queues.queued(), 3);
            let taken = queues.enter(3, GET, |n, _, _| Ok(kernel.obey(n)));
            assert_eq!(taken, Ok(3));
            for i in 0..3 {
                assert_eq!(queues.complete().unwrap().user_data, next + i);
            }
            assert_eq!(queues.complete(), None);
            next += 3;
        }
        assert_eq!(
            at(kernel.sq_head).load(Ordering::Relaxed),
            start.wrapping_add(15)
        );
    }
}

#[test]
fn a_full_submission_queue_says_again_and_loses_nothing() {
    for start in [0, u32::MAX - 1] {
        let (mut kernel, mut queues) = Scripted::new(4, 16, start, false);
        for i in 0..4 {
            push(&mut queues, i).unwrap();
        }
        assert_eq!(push(&mut queues, 4), Err(Errno::EAGAIN));
        assert_eq!(queues.in_flight(), Some(4));
        queues.publish();
        assert_eq!(push(&mut queues, 4), Err(Errno::EAGAIN));
        assert_eq!(kernel.take(1), [0]);
        push(&mut queues, 4).unwrap();
        assert_eq!(push(&mut queues, 5), Err(Errno::EAGAIN));
        queues.publish();
        assert_eq!(kernel.take(9), [1, 2, 3, 4]);
    }
}

#[test]
fn no_more_is_in_flight_than_the_completion_queue_holds() {
    let (mut kernel, mut queues) = Scripted::new(2, 2, 7, false);
    push(&mut queues, 0).unwrap();
    push(&mut queues, 1).unwrap();
    queues.enter(0, GET, |n, _, _| Ok(kernel.obey(n))).unwrap();
    // The submission queue is empty, but both completions are still there.
    assert_eq!(queues.queued(), 0);
    assert_eq!(push(&mut queues, 2), Err(Errno::EBUSY));
    queues.complete().unwrap();
    push(&mut queues, 2).unwrap();
    assert_eq!(push(&mut queues, 3), Err(Errno::EBUSY));
    queues.enter(0, GET, |n, _, _| Ok(kernel.obey(n))).unwrap();
    assert!(!queues.cq_overflow());
    assert!(kernel.backlog.is_empty());
}

#[test]
fn nothing_is_seen_before_it_is_published() {
    let (kernel, mut queues) = Scripted::new(4, 8, 0, false);
    push(&mut queues, 1).unwrap();
    assert_eq!(kernel.visible(), 0);
    assert_eq!(queues.queued(), 1);
    queues.publish();
    assert_eq!(kernel.visible(), 1);
}

#[test]
fn after_a_short_submission_the_rest_is_handed_over() {
    let (mut kernel, mut queues) = Scripted::new(8, 16, u32::MAX - 2, false);
    for i in 0..5 {
        push(&mut queues, i).unwrap();
    }
    let mut asked = Vec::new();
    let mut taken = Vec::new();
    for quota in [2, 0, 1, 9] {
        let count = queues.enter(0, EnterFlags::empty(), |n, _, _| {
            asked.push(n);
            let now = kernel.take(quota);
            taken.extend_from_slice(&now);
            Ok(u32::try_from(now.len()).unwrap())
        });
        assert!(count.is_ok());
    }
    assert_eq!(asked, [5, 3, 3, 2]);
    assert_eq!(taken, [0, 1, 2, 3, 4]);
    // With nothing left the kernel is not bothered.
    let none = queues.enter(0, EnterFlags::empty(), |_, _, _| Err(Errno::EIO));
    assert_eq!(none, Ok(0));
}

#[test]
fn an_error_of_entering_leaves_everything_queued() {
    let (mut kernel, mut queues) = Scripted::new(4, 8, 0, false);
    push(&mut queues, 1).unwrap();
    for errno in [Errno::EINTR, Errno::EAGAIN, Errno::EBUSY, Errno::EBADR] {
        assert_eq!(queues.enter(1, GET, |_, _, _| Err(errno)), Err(errno));
        assert_eq!(queues.queued(), 1);
    }
    assert_eq!(kernel.take(1), [1]);
}

#[test]
fn the_completion_head_is_published_before_the_kernel_is_entered() {
    let (mut kernel, mut queues) = Scripted::new(4, 8, 0, false);
    push(&mut queues, 1).unwrap();
    queues.enter(1, GET, |n, _, _| Ok(kernel.obey(n))).unwrap();
    queues.complete().unwrap();
    let head = kernel.cq_head;
    assert_eq!(at(head).load(Ordering::Relaxed), 0);
    let seen = queues.enter(1, GET, |_, _, _| Ok(at(head).load(Ordering::Acquire)));
    assert_eq!(seen, Ok(1));
}

#[test]
fn what_errors_of_entering_mean() {
    assert_eq!(Verdict::of(Errno::EINTR), Verdict::Again);
    assert_eq!(Verdict::of(Errno::EAGAIN), Verdict::ReapThenAgain);
    assert_eq!(Verdict::of(Errno::EBUSY), Verdict::ReapThenAgain);
    for fatal in [
        Errno::EBADR,
        Errno::EBADF,
        Errno::EBADFD,
        Errno::EEXIST,
        Errno::ENXIO,
    ] {
        assert_eq!(Verdict::of(fatal), Verdict::Fatal);
    }
}

/// Runs `next` against a list of answers, each a number of entries to take (all of which
/// complete) or an error; gives what it came to and what was asked of the kernel.
fn play(
    kernel: &mut Scripted,
    queues: &mut Queues,
    answers: &[Result<u32, Errno>],
) -> (Result<u64, Errno>, Vec<(u32, u32)>) {
    let mut asked = Vec::new();
    let mut answers = answers.iter();
    let end = queues.next(|to_submit, min_complete, flags| {
        assert!(flags.contains(GET));
        asked.push((to_submit, min_complete));
        let quota = (*answers.next().expect("the script is at its end"))?;
        kernel.flush();
        Ok(kernel.obey(to_submit.min(quota)))
    });
    (end.map(|completion| completion.user_data), asked)
}

#[test]
fn waiting_goes_on_after_a_signal() {
    let (mut kernel, mut queues) = Scripted::new(4, 8, 0, false);
    push(&mut queues, 9).unwrap();
    let script = [Err(Errno::EINTR), Err(Errno::EINTR), Ok(1)];
    let (end, asked) = play(&mut kernel, &mut queues, &script);
    assert_eq!(end, Ok(9));
    assert_eq!(asked, [(1, 1), (1, 1), (1, 1)]);
}

#[test]
fn a_refusal_with_something_running_waits_for_that_first() {
    for refusal in [Errno::EAGAIN, Errno::EBUSY] {
        let (mut kernel, mut queues) = Scripted::new(4, 8, 0, false);
        push(&mut queues, 1).unwrap();
        queues
            .enter(0, GET, |n, _, _| {
                Ok(u32::try_from(kernel.take(n).len()).unwrap())
            })
            .unwrap();
        push(&mut queues, 2).unwrap();
        let mut asked = Vec::new();
        let end = queues.next(|n, min, _| {
            asked.push((n, min));
            if asked.len() == 1 {
                return Err(refusal);
            }
            kernel.post(1, 0);
            Ok(0)
        });
        assert_eq!(end.unwrap().user_data, 1);
        assert_eq!(asked, [(1, 1), (0, 1)]);
        // And then the one that was refused.
        let (end, asked) = play(&mut kernel, &mut queues, &[Ok(1)]);
        assert_eq!((end, asked), (Ok(2), vec![(1, 1)]));
    }
}

#[test]
fn a_refusal_with_nothing_running_does_not_wait_for_ever() {
    let (mut kernel, mut queues) = Scripted::new(4, 8, 0, false);
    push(&mut queues, 1).unwrap();
    let script = [Err(Errno::EAGAIN); 1000];
    let (end, asked) = play(&mut kernel, &mut queues, &script);
    assert_eq!(end, Err(Errno::EAGAIN));
    assert!(asked.iter().all(|&ask| ask == (1, 1)));
    assert_eq!((queues.queued(), queues.running()), (1, 0));
    let (end, _) = play(&mut kernel, &mut queues, &[Ok(1)]);
    assert_eq!(end, Ok(1));
}

#[test]
fn waiting_hands_over_before_it_reaps() {
    let (mut kernel, mut queues) = Scripted::new(4, 8, 0, false);
    push(&mut queues, 1).unwrap();
    queues.enter(0, GET, |n, _, _| Ok(kernel.obey(n))).unwrap();
    push(&mut queues, 2).unwrap();
    let (end, asked) = play(&mut kernel, &mut queues, &[Ok(1)]);
    assert_eq!((end, asked), (Ok(1), vec![(1, 0)]));
    // Nothing queued and one finished: the kernel is not entered.
    let (end, asked) = play(&mut kernel, &mut queues, &[]);
    assert_eq!((end, asked), (Ok(2), vec![]));
}

#[test]
fn waiting_goes_on_after_a_short_submission() {
    let (mut kernel, mut queues) = Scripted::new(4, 8, 0, false);
    push(&mut queues, 1).unwrap();
    push(&mut queues, 2).unwrap();
    let (end, asked) = play(&mut kernel, &mut queues, &[Ok(0), Ok(1)]);
    assert_eq!((end, asked), (Ok(1), vec![(2, 1), (2, 1)]));
    let (end, _) = play(&mut kernel, &mut queues, &[Ok(1)]);
    assert_eq!(end, Ok(2));
    assert_eq!(
        queues.next(|_, _, _| Err(Errno::EIO)).map(drop),
        Err(Errno::ECHILD)
    );
}

#[test]
fn waiting_ends_at_a_fatal_error() {
    let (mut kernel, mut queues) = Scripted::new(4, 8, 0, false);
    push(&mut queues, 1).unwrap();
    let (end, _) = play(&mut kernel, &mut queues, &[Err(Errno::EBADR)]);
    assert_eq!(end, Err(Errno::EBADR));
}

#[test]
fn an_overflow_is_seen_flushed_and_loses_nothing() {
    let (mut kernel, mut queues) = Scripted::new(2, 2, u32::MAX, false);
    // From a silent operation on nothing is counted, and nothing bounded.
    push_flags(&mut queues, 99, SqeFlags::CQE_SKIP_SUCCESS).unwrap();
    assert_eq!(queues.in_flight(), None);
    queues.publish();
    assert_eq!(kernel.take(1), [99]);
    for i in 0..7 {
        push(&mut queues, i).unwrap();
        queues
            .enter(0, EnterFlags::empty(), |n, _, _| Ok(kernel.obey(n)))
            .unwrap();
    }
    assert!(queues.cq_overflow());
    assert_eq!(kernel.backlog.len(), 5);
    for i in 0..7 {
        let next = queues.next(|_, _, flags| {
            assert!(flags.contains(GET));
            kernel.flush();
            Ok(0)
        });
        assert_eq!(next.unwrap().user_data, i);
    }
    assert!(!queues.cq_overflow());
    assert_eq!(queues.complete(), None);
}

#[test]
fn an_operation_that_announces_more_stays_in_flight() {
    let (mut kernel, mut queues) = Scripted::new(2, 4, 0, false);
    push(&mut queues, 5).unwrap();
    queues.publish();
    kernel.take(1);
    kernel.post(5, 1);
    // SAFETY: the one completion lies in entry 0.
    unsafe { kernel.cqes.as_mut() }.flags = CqeFlags::MORE.bits();
    assert!(queues.complete().unwrap().flags.contains(CqeFlags::MORE));
    assert_eq!(queues.in_flight(), Some(1));
    kernel.post(5, 0);
    assert!(queues.complete().is_some());
    assert_eq!(queues.in_flight(), Some(0));
}

#[test]
fn the_size_hint_says_what_is_there() {
    let (mut kernel, mut queues) = Scripted::new(4, 8, u32::MAX - 1, false);
    for i in 0..3 {
        push(&mut queues, i).unwrap();
    }
    queues.enter(0, GET, |n, _, _| Ok(kernel.obey(n))).unwrap();
    let head = kernel.cq_head;
    let mut completions = Completions(&mut queues);
    assert_eq!(completions.size_hint(), (3, None));
    completions.next().unwrap();
    assert_eq!(completions.size_hint(), (2, None));
    assert_eq!(completions.by_ref().count(), 2);
    assert_eq!(completions.size_hint(), (0, None));
    drop(completions);
    // The end of the iteration has given the entries back.
    assert_eq!(at(head).load(Ordering::Relaxed), 1);
}

#[test]
fn a_sleeping_polling_thread_is_woken_and_a_running_one_left_alone() {
    let (mut kernel, mut queues) = Scripted::new(4, 8, 0, true);
    push(&mut queues, 1).unwrap();
    let none = EnterFlags::empty();
    assert_eq!(queues.enter(0, none, |_, _, _| Err(Errno::EIO)), Ok(1));
    assert_eq!(kernel.take(1), [1]);
    push(&mut queues, 2).unwrap();
    at(kernel.flags).store(SqRingFlags::NEED_WAKEUP.bits(), Ordering::Relaxed);
    assert!(queues.need_wakeup());
    let woken = queues.enter(0, none, |n, _, flags| {
        assert_eq!(flags, EnterFlags::SQ_WAKEUP);
        Ok(n)
    });
    assert_eq!(woken, Ok(1));
    at(kernel.flags).store(0, Ordering::Relaxed);
    let waited = queues.enter(1, GET, |_, min, flags| {
        assert_eq!((min, flags), (1, GET));
        Ok(0)
    });
    assert_eq!(waited, Ok(0));
}

#[test]
fn results_at_the_borders() {
    let with = |result| {
        let flags = CqeFlags::empty();
        Completion {
            user_data: 0,
            result,
            flags,
        }
    };
    assert_eq!(with(i32::MAX).into_result(), Ok(u32::MAX >> 1));
    assert_eq!(with(0).into_result(), Ok(0));
    assert!(!with(0).is_err());
    assert_eq!(with(-1).into_result(), Err(Errno::EPERM));
    assert_eq!(
        with(-4095).into_result(),
        Err(Errno::from_number(4095).unwrap())
    );
    assert_eq!(with(-4096).into_result(), Err(Errno::EIO));
    assert_eq!(with(-65536 - 2).into_result(), Err(Errno::EIO));
    assert_eq!(with(i32::MIN).into_result(), Err(Errno::EIO));
    assert!(with(i32::MIN).is_err());
}
