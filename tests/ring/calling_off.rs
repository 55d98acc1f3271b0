//! Timeouts that are changed, and operations that are called off, in time and too late.

use std::io::PipeReader;
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use annulet::ring::{
    CURRENT_POSITION, Cancel, IoUring, Opcode, PollEvents, SpliceFlags, Sqe, TimeoutFlags, Timespec,
};
use annulet::sys::Errno;

use super::operations::has;
use super::support::{NO_FD, bad, file, lend, push, raw, reap, results, ring, run, skip};

const CALLED_OFF: Result<u32, Errno> = Err(Errno::ECANCELED);
const NONE: TimeoutFlags = TimeoutFlags::empty();

const fn span(ms: i64) -> Timespec {
    Timespec {
        tv_sec: ms / 1000,
        tv_nsec: ms % 1000 * 1_000_000,
    }
}

static SOON: Timespec = span(5);
static LONG: Timespec = span(1_000_000);

#[test]
fn timeout_multishot() {
    let Some(mut ring) = ring(4) else { return };
    // What came with 6.6 or later.
    if !has(&ring, Opcode::ReadMultishot, "timeout_multishot") {
        return;
    }
    let start = Instant::now();
    push(&mut ring, Sqe::timeout_multishot(&raw const SOON, 3, NONE));
    for more in [true, true, false] {
        let seen = ring.wait().unwrap();
        assert_eq!(seen.into_result(), Err(Errno::ETIME));
        assert_eq!(seen.has_more(), more);
    }
    assert!(start.elapsed() >= Duration::from_millis(15));
    assert_eq!(ring.in_flight(), Some(0));
    // For ever, until it is called off.
    let for_ever = Sqe::timeout_multishot(&raw const SOON, 0, NONE).user_data(1);
    push(&mut ring, for_ever);
    for _ in 0..5 {
        assert!(ring.wait().unwrap().has_more());
    }
    push(&mut ring, Sqe::timeout_remove(1).user_data(2));
    let mut last = ring.wait().unwrap();
    while ring.in_flight() != Some(0) {
        let next = ring.wait().unwrap();
        last = if next.user_data == 1 { next } else { last };
    }
    assert_eq!((last.into_result(), last.has_more()), (CALLED_OFF, false));
    let wrong = Sqe::timeout_multishot(&raw const SOON, 0, TimeoutFlags::ABS);
    assert_eq!(run(&mut ring, wrong), Err(Errno::EINVAL));
}

#[test]
fn timeout_update() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::Renameat, "timeout_update") {
        return;
    }
    let start = Instant::now();
    // A count goes with the old time.
    push(
        &mut ring,
        Sqe::timeout(&raw const LONG, 1, NONE).user_data(1),
    );
    let update = Sqe::timeout_update(1, &raw const SOON, NONE).user_data(2);
    push(&mut ring, update);
    assert_eq!(results(&mut ring, 2), [Err(Errno::ETIME), Ok(0)]);
    assert!(start.elapsed() >= Duration::from_millis(5));
    // To a point of time that is past.
    push(
        &mut ring,
        Sqe::timeout(&raw const LONG, 0, NONE).user_data(1),
    );
    let update = Sqe::timeout_update(1, &raw const SOON, TimeoutFlags::ABS);
    push(&mut ring, update.user_data(2));
    assert_eq!(results(&mut ring, 2), [Err(Errno::ETIME), Ok(0)]);
    assert_eq!(run(&mut ring, update.user_data(4711)), Err(Errno::ENOENT));
    let wrong = Sqe::timeout_update(1, &raw const LONG, TimeoutFlags::BOOTTIME);
    assert_eq!(run(&mut ring, wrong), Err(Errno::EINVAL));
    let negative = span(-1000);
    let wrong = Sqe::timeout_update(1, &raw const negative, NONE);
    assert_eq!(run(&mut ring, wrong), Err(Errno::EINVAL));
}

#[test]
fn link_timeout_update() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::Mkdirat, "link_timeout_update") {
        return;
    }
    let (idle, _writer) = std::io::pipe().unwrap();
    let poll = Sqe::poll_add(idle.as_raw_fd(), PollEvents::IN);
    push(&mut ring, poll.user_data(1).link());
    push(
        &mut ring,
        Sqe::link_timeout(&raw const LONG, NONE).user_data(2),
    );
    // It is no timeout of its own, ...
    let update = Sqe::timeout_update(2, &raw const SOON, NONE).user_data(3);
    push(&mut ring, update);
    let missing = ring.wait().unwrap();
    assert_eq!(missing.into_result(), Err(Errno::ENOENT));
    // ... but this one's.
    let update = Sqe::link_timeout_update(2, &raw const SOON, NONE).user_data(3);
    push(&mut ring, update);
    let seen = results(&mut ring, 3);
    assert_eq!(seen, [CALLED_OFF, Err(Errno::ETIME), Ok(0)]);
    assert_eq!(run(&mut ring, update.user_data(4711)), Err(Errno::ENOENT));
}

/// Once its time has come a timeout is not found, also while its completion has not been brought in.
#[test]
fn a_timeout_whose_time_has_come_is_not_called_off() {
    let Some(mut ring) = ring(4) else { return };
    let now = Timespec::default();
    push(
        &mut ring,
        Sqe::timeout(&raw const now, 0, NONE).user_data(1),
    );
    ring.submit().unwrap();
    std::thread::sleep(Duration::from_millis(20));
    push(&mut ring, Sqe::timeout_remove(1).user_data(2));
    ring.submit().unwrap();
    let seen = results(&mut ring, 2);
    assert_eq!(seen, [Err(Errno::ETIME), Err(Errno::ENOENT)]);
}

/// The processors that this thread may run on.
fn processors() -> Vec<usize> {
    // SAFETY: all-zero bits are a set without processors.
    let mut allowed: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is borrowed for the call, with its length.
    unsafe { libc::sched_getaffinity(0, size_of_val(&allowed), &raw mut allowed) };
    // SAFETY: the set is borrowed, and holds this many.
    let is_allowed = |cpu: &usize| unsafe { libc::CPU_ISSET(*cpu, &allowed) };
    (0..1024).filter(is_allowed).collect()
}

/// Keeps this thread on one processor.
fn stay_on(processor: usize) {
    // SAFETY: as above.
    let mut one: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the number is below the set's size.
    unsafe { libc::CPU_SET(processor, &mut one) };
    // SAFETY: as above.
    let set = unsafe { libc::sched_setaffinity(0, size_of_val(&one), &raw const one) };
    assert_eq!(set, 0);
}

/// A timeout's time comes on the processor that it was pushed on. While another one looks for it
/// among many, which takes a while, it is neither there nor gone.
#[test]
fn a_timeout_whose_time_is_just_coming_is_not_called_off() {
    const MANY: u32 = 4000;
    let test = "a_timeout_whose_time_is_just_coming_is_not_called_off";
    let [here, there, ..] = processors()[..] else {
        return skip(test, "there is one processor");
    };
    let Some(mut ring) = ring(4096) else { return };
    for _ in 0..MANY {
        let far = Sqe::timeout(&raw const LONG, 0, NONE);
        push(&mut ring, far.user_data(7));
    }
    ring.submit().unwrap();
    let soon = Timespec {
        tv_sec: 0,
        tv_nsec: 100_000,
    };
    let start = Instant::now();
    for wait_ns in (0..100_000).step_by(1000).cycle() {
        assert!(start.elapsed() < Duration::from_secs(60), "it never was");
        stay_on(here);
        push(
            &mut ring,
            Sqe::timeout(&raw const soon, 0, NONE).user_data(1),
        );
        ring.submit().unwrap();
        let pushed = Instant::now();
        stay_on(there);
        while pushed.elapsed() < Duration::from_nanos(wait_ns) {}
        push(&mut ring, Sqe::timeout_remove(1).user_data(2));
        match results(&mut ring, 2)[..] {
            [Err(Errno::ETIME), Err(Errno::EALREADY)] => break,
            [CALLED_OFF, Ok(0)] | [Err(Errno::ETIME), Err(Errno::ENOENT)] => {}
            ref other => panic!("{other:?}"),
        }
    }
    let all = Sqe::cancel_matching(Cancel::all().user_data(7));
    push(&mut ring, all.user_data(8));
    let seen = reap(&mut ring, MANY as usize + 1);
    assert_eq!(seen.last().unwrap().into_result(), Ok(MANY));
}

/// Reads of nothing, in the order of their `user_data` from 1 on.
fn idle_reads(ring: &mut IoUring, pipes: &[&PipeReader], buf: &mut [u8; 8]) {
    for (user_data, pipe) in (1..).zip(pipes) {
        let fd = pipe.as_raw_fd();
        let read = Sqe::read(fd, buf.as_mut_ptr(), 1, CURRENT_POSITION);
        push(ring, read.user_data(user_data));
    }
}

#[test]
fn cancel_by_descriptor() {
    let Some(mut ring) = ring(8) else { return };
    if !has(&ring, Opcode::Socket, "cancel_by_descriptor") {
        return;
    }
    let mut buf = [0; 8];
    let (a, _keep_a) = std::io::pipe().unwrap();
    let (b, _keep_b) = std::io::pipe().unwrap();
    idle_reads(&mut ring, &[&a, &b, &a, &a], &mut buf);
    let one = Sqe::cancel_matching(Cancel::one().on(b.as_raw_fd()));
    push(&mut ring, one.user_data(9));
    assert_eq!(results(&mut ring, 2), [CALLED_OFF, Ok(0)]);
    assert_eq!(run(&mut ring, one), Err(Errno::ENOENT));
    let all = Sqe::cancel_matching(Cancel::all().on(a.as_raw_fd()));
    push(&mut ring, all.user_data(9));
    let seen = results(&mut ring, 4);
    assert_eq!(seen, [CALLED_OFF, CALLED_OFF, CALLED_OFF, Ok(3)]);
    assert_eq!(run(&mut ring, all), Ok(0));
    let wrong = Sqe::cancel_matching(Cancel::all().on(NO_FD));
    assert_eq!(run(&mut ring, wrong), bad());
}

#[test]
fn cancel_by_direct_descriptor() {
    let Some(mut ring) = ring(8) else { return };
    if !has(&ring, Opcode::SendZc, "cancel_by_direct_descriptor") {
        return;
    }
    let (a, _keep) = std::io::pipe().unwrap();
    ring.register_files_sparse(2).unwrap();
    ring.update_files(1, &[lend(&a).into()]).unwrap();
    let poll = Sqe::poll_add(1, PollEvents::IN).fixed_file();
    push(&mut ring, poll.user_data(1));
    let cancel = Sqe::cancel_matching(Cancel::one().on_direct(1));
    push(&mut ring, cancel.user_data(2));
    assert_eq!(results(&mut ring, 2), [CALLED_OFF, Ok(0)]);
    let wrong = Sqe::cancel_matching(Cancel::one().on_direct(0));
    assert_eq!(run(&mut ring, wrong), bad());
}

#[test]
fn cancel_all() {
    let Some(mut ring) = ring(8) else { return };
    if !has(&ring, Opcode::Socket, "cancel_all") {
        return;
    }
    let mut buf = [0; 8];
    let (a, _keep_a) = std::io::pipe().unwrap();
    let (b, _keep_b) = std::io::pipe().unwrap();
    let all = Sqe::cancel_matching(Cancel::all());
    assert_eq!(run(&mut ring, all), Ok(0));
    idle_reads(&mut ring, &[&a, &b], &mut buf);
    push(
        &mut ring,
        Sqe::timeout(&raw const LONG, 0, NONE).user_data(3),
    );
    push(&mut ring, all.user_data(9));
    let seen = results(&mut ring, 4);
    assert_eq!(seen, [CALLED_OFF, CALLED_OFF, CALLED_OFF, Ok(3)]);
    // Those with one number.
    for _ in 0..3 {
        push(
            &mut ring,
            Sqe::poll_add(a.as_raw_fd(), PollEvents::IN).user_data(5),
        );
    }
    push(
        &mut ring,
        Sqe::poll_add(a.as_raw_fd(), PollEvents::IN).user_data(6),
    );
    let five = Sqe::cancel_matching(Cancel::all().user_data(5));
    push(&mut ring, five.user_data(9));
    let seen = results(&mut ring, 4);
    assert_eq!(seen, [CALLED_OFF, CALLED_OFF, CALLED_OFF, Ok(3)]);
    let six = Sqe::cancel_matching(Cancel::one().user_data(6));
    // As kernels before the flags take it.
    assert_eq!(six, Sqe::cancel(6));
    push(&mut ring, six.user_data(9));
    assert_eq!(results(&mut ring, 2), [CALLED_OFF, Ok(0)]);
    assert_eq!(run(&mut ring, six), Err(Errno::ENOENT));
}

#[test]
fn cancel_by_operation() {
    let Some(mut ring) = ring(8) else { return };
    // 6.6, and what the probe knows came with 6.7.
    if !has(&ring, Opcode::ReadMultishot, "cancel_by_operation") {
        return;
    }
    let mut buf = [0; 8];
    let (a, _keep_a) = std::io::pipe().unwrap();
    let (b, _keep_b) = std::io::pipe().unwrap();
    let mut cancel = |which: Cancel| {
        // Two reads, two polls; the second of each on the other pipe.
        idle_reads(&mut ring, &[&a, &b], &mut buf);
        for (user_data, pipe) in [(3, &a), (4, &b)] {
            let poll = Sqe::poll_add(pipe.as_raw_fd(), PollEvents::IN);
            push(&mut ring, poll.user_data(user_data));
        }
        push(&mut ring, Sqe::cancel_matching(which).user_data(9));
        ring.submit_and_wait(1).unwrap();
        let mut seen = Vec::new();
        while let Some(completion) = ring.complete() {
            seen.push((completion.user_data, completion.into_result()));
        }
        seen.sort_by_key(|seen| seen.0);
        let found = seen.pop().map(|last| (last.0, last.1.unwrap()));
        assert!(seen.iter().all(|seen| seen.1 == CALLED_OFF));
        let mut gone: Vec<_> = seen.iter().map(|seen| seen.0).collect();
        push(&mut ring, Sqe::cancel_matching(Cancel::all()).user_data(9));
        let rest = reap(&mut ring, 5 - gone.len());
        assert_eq!(rest.len(), 5 - gone.len());
        gone.push(u64::from(found.unwrap().1));
        gone
    };
    let (polls, all) = (Opcode::PollAdd, Cancel::all);
    assert_eq!(cancel(all().opcode(polls)), [3, 4, 2]);
    assert_eq!(cancel(all().opcode(polls).on(b.as_raw_fd())), [4, 1]);
    assert_eq!(cancel(all().opcode(polls).user_data(3)), [3, 1]);
    assert_eq!(cancel(all().opcode(polls).user_data(2)), [0]);
    assert_eq!(cancel(all().on(a.as_raw_fd()).user_data(1)), [1, 1]);
    assert_eq!(cancel(all().on(a.as_raw_fd())), [1, 3, 2]);
    assert_eq!(
        cancel(Cancel::one().opcode(Opcode::Read).user_data(2)),
        [2, 0]
    );
    assert_eq!(cancel(Cancel::one()), [1, 2, 3, 4, 4]);
}

/// What runs in a worker is interrupted, and completes by itself.
#[test]
fn an_operation_in_a_worker_is_interrupted() {
    let Some(mut ring) = ring(4) else { return };
    let (_dir, file) = file(b"");
    let (idle, _writer) = std::io::pipe().unwrap();
    let (from, to, none) = (idle.as_raw_fd(), raw(&file), SpliceFlags::empty());
    // `ERESTARTSYS`, which does not leave the kernel otherwise.
    let restart = Errno::from_number(512).unwrap();
    let start = Instant::now();
    loop {
        let splice = Sqe::splice(from, CURRENT_POSITION, to, 0, 1, none);
        push(&mut ring, splice.user_data(1));
        ring.submit().unwrap();
        std::thread::sleep(Duration::from_millis(10));
        push(&mut ring, Sqe::cancel(1).user_data(2));
        match results(&mut ring, 2)[..] {
            [Err(errno), Err(Errno::EALREADY)] => {
                assert!(errno == Errno::EINTR || errno == restart, "{errno:?}");
                break;
            }
            // No worker has it yet.
            [CALLED_OFF, Ok(0)] => assert!(start.elapsed() < Duration::from_secs(60)),
            ref other => panic!("{other:?}"),
        }
    }
}
