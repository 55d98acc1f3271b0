//! Waiting with a limit of time.

use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use annulet::ring::{Features, IoUring, Sqe};
use annulet::sys::Errno;

use super::support::{push, ring, skip};

const MS: Duration = Duration::from_millis(1);

/// A ring on a kernel that has `feature`, or none: `test` is skipped aloud.
fn ring_with(feature: Features, test: &str, since: &str) -> Option<IoUring> {
    let ring = ring(8)?;
    let has_it = ring.features().contains(feature);
    if !has_it {
        skip(test, &format!("before Linux {since}"));
    }
    has_it.then_some(ring)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}

#[test]
fn waiting_ends_with_the_time() {
    let test = "waiting_ends_with_the_time";
    let Some(mut ring) = ring_with(Features::EXT_ARG, test, "5.11") else {
        return;
    };
    assert_eq!(ring.wait_timeout(MS), Err(Errno::ECHILD));
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut memory = [0_u8; 8];
    let read = Sqe::read(reader.as_raw_fd(), memory.as_mut_ptr(), 8, u64::MAX);
    push(&mut ring, read.user_data(1));
    // It hands over, which hides that the time is up.
    let (taken, time) = timed(|| ring.submit_and_wait_timeout(1, 20 * MS));
    assert_eq!((taken, ring.complete()), (Ok(1), None));
    assert!(time >= 20 * MS, "{time:?}");
    let (waited, time) = timed(|| ring.submit_and_wait_timeout(1, 20 * MS));
    assert_eq!(waited, Err(Errno::ETIME));
    assert!(time >= 20 * MS, "{time:?}");
    let (waited, time) = timed(|| ring.wait_timeout(20 * MS));
    assert_eq!(waited, Err(Errno::ETIME));
    assert!(time >= 20 * MS, "{time:?}");
    assert_eq!(ring.wait_timeout(Duration::ZERO), Err(Errno::ETIME));
    // What is queued is handed over before the time is looked at.
    ring.push_nop(2).unwrap();
    assert_eq!(ring.wait_timeout(Duration::ZERO).unwrap().user_data, 2);
    ring.push_nop(3).unwrap();
    assert_eq!(ring.submit_and_wait_timeout(1, Duration::MAX), Ok(1));
    assert_eq!(ring.complete().unwrap().user_data, 3);
    writer.write_all(b"x").unwrap();
    let read = ring.wait_timeout(Duration::MAX).unwrap();
    assert_eq!((read.user_data, read.into_result()), (1, Ok(1)));
}

#[test]
fn no_span_is_too_long_to_be_waited_for() {
    let test = "no_span_is_too_long_to_be_waited_for";
    let Some(mut ring) = ring_with(Features::EXT_ARG, test, "5.11") else {
        return;
    };
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut memory = [0_u8; 8];
    let read = Sqe::read(reader.as_raw_fd(), memory.as_mut_ptr(), 8, u64::MAX);
    push(&mut ring, read);
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(50 * MS);
            writer.write_all(b"x").unwrap();
            // Closed only when it has been read.
            thread::sleep(50 * MS);
        });
        let read = ring.wait_timeout(Duration::MAX).unwrap();
        assert_eq!(read.into_result(), Ok(1));
    });
}

extern "C" fn nothing(_: i32) {}

/// Signals end a call, but not the wait for a completion.
#[test]
fn signals_do_not_end_a_wait_with_a_limit() {
    let test = "signals_do_not_end_a_wait_with_a_limit";
    let Some(mut ring) = ring_with(Features::EXT_ARG, test, "5.11") else {
        return;
    };
    let handler: extern "C" fn(i32) = nothing;
    // SAFETY: a handler that does nothing.
    unsafe { libc::signal(libc::SIGUSR2, handler as libc::sighandler_t) };
    let (reader, writer) = std::io::pipe().unwrap();
    let mut memory = [0_u8; 8];
    push(
        &mut ring,
        Sqe::read(reader.as_raw_fd(), memory.as_mut_ptr(), 8, u64::MAX),
    );
    assert_eq!(ring.submit(), Ok(1));
    // SAFETY: it only tells who calls.
    let waiting = unsafe { libc::pthread_self() };
    let has_ended = AtomicBool::new(false);
    let signals = |times: u32| {
        for _ in (0..times).take_while(|_| !has_ended.load(Ordering::Relaxed)) {
            thread::sleep(10 * MS);
            // SAFETY: the thread waits until this one has ended.
            unsafe { libc::pthread_kill(waiting, libc::SIGUSR2) };
        }
    };
    thread::scope(|scope| {
        let sending = scope.spawn(|| signals(1));
        let waited = ring.submit_and_wait_timeout(1, 60_000 * MS);
        assert_eq!(waited, Err(Errno::EINTR));
        sending.join().unwrap();
        scope.spawn(|| signals(1000));
        let (waited, time) = timed(|| ring.wait_timeout(200 * MS));
        has_ended.store(true, Ordering::Relaxed);
        assert_eq!(waited, Err(Errno::ETIME));
        assert!((200 * MS..5000 * MS).contains(&time), "{time:?}");
    });
    drop(writer);
    assert_eq!(ring.wait().unwrap().into_result(), Ok(0));
}

#[test]
fn after_a_while_one_completion_is_enough() {
    let Some(mut ring) = ring(8) else { return };
    if !ring.features().contains(Features::MIN_TIMEOUT) {
        let refused = ring.submit_and_wait_min_timeout(1, MS, MS);
        assert_eq!(refused, Err(Errno::EINVAL));
        return skip(
            "after_a_while_one_completion_is_enough",
            "before Linux 6.12",
        );
    }
    let none = ring.submit_and_wait_min_timeout(2, MS, 20 * MS);
    assert_eq!(none, Err(Errno::ETIME));
    ring.push_nop(1).unwrap();
    let (taken, time) = timed(|| ring.submit_and_wait_min_timeout(2, 20 * MS, 60_000 * MS));
    assert_eq!(taken, Ok(1));
    assert!((20 * MS..10_000 * MS).contains(&time), "{time:?}");
    assert_eq!(ring.complete().unwrap().user_data, 1);
    // The limit is one for the while as well.
    let endless = Duration::MAX;
    let (none, time) = timed(|| ring.submit_and_wait_min_timeout(1, endless, 20 * MS));
    assert_eq!(none, Err(Errno::ETIME));
    assert!((20 * MS..10_000 * MS).contains(&time), "{time:?}");
}
