//! Handing over and reaping: batches, refusals, overflow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use annulet::ring::{Completion, Features, IoUring, SetupFlags, SetupLevel, Sqe};
use annulet::sys::Errno;

use super::support::{push, reap, ring, try_push};

/// An operation that the kernel refuses when it is handed over: no such flag.
fn invalid() -> Sqe {
    Sqe::nop().flags(annulet::ring::SqeFlags::from_bits_retain(0x80))
}

fn every_rung(entries: u32) -> Vec<IoUring> {
    if ring(1).is_none() {
        return Vec::new();
    }
    let flags =
        [SetupLevel::NoArray, SetupLevel::Deferred, SetupLevel::Plain].map(SetupLevel::flags);
    let build = |flags| IoUring::builder(entries).setup_flags(flags).build();
    let rings: Vec<_> = flags.into_iter().filter_map(|f| build(f).ok()).collect();
    assert!(!rings.is_empty());
    rings
}

#[test]
fn many_rounds_on_every_rung() {
    for mut ring in every_rung(8) {
        let mut next = 0;
        for round in 0..1000 {
            let batch = round % 8 + 1;
            for i in 0..batch {
                ring.push_nop(next + i).unwrap();
            }
            let batch32 = u32::try_from(batch).unwrap();
            assert_eq!(ring.submit_and_wait(batch32), Ok(batch32));
            let seen: Vec<_> = ring.completions().map(|c| c.user_data).collect();
            assert_eq!(seen, (next..next + batch).collect::<Vec<_>>());
            next += batch;
        }
    }
}

#[test]
fn a_full_queue_is_an_error_and_nothing_is_lost() {
    for mut ring in every_rung(4) {
        for i in 0..4 {
            ring.push_nop(i).unwrap();
        }
        assert_eq!(ring.push_nop(4), Err(Errno::EAGAIN));
        assert_eq!(ring.queued(), 4);
        assert_eq!(ring.submit(), Ok(4));
        assert_eq!(ring.queued(), 0);
        for i in 4..8 {
            ring.push_nop(i).unwrap();
        }
        ring.submit().unwrap();
        // As much is in flight as the completion queue holds.
        assert_eq!(ring.in_flight(), Some(ring.cq_entries()));
        assert_eq!(ring.push_nop(8), Err(Errno::EBUSY));
        let seen: Vec<_> = reap(&mut ring, 8).iter().map(|c| c.user_data).collect();
        assert_eq!(seen, (0..8).collect::<Vec<_>>());
        assert!(!ring.cq_overflow());
        assert_eq!(ring.wait(), Err(Errno::ECHILD));
    }
}

#[test]
fn an_invalid_operation_in_mid_batch_loses_nothing() {
    for mut ring in every_rung(8) {
        for i in 0..7 {
            let sqe = if i == 3 { invalid() } else { Sqe::nop() };
            push(&mut ring, sqe.user_data(i));
        }
        // The kernel stops behind the invalid one.
        assert_eq!(ring.submit(), Ok(4));
        assert_eq!(ring.queued(), 3);
        let seen = reap(&mut ring, 7);
        assert_eq!(ring.queued(), 0);
        check_mid_batch(&seen);
    }
}

fn check_mid_batch(seen: &[Completion]) {
    for (i, completion) in (0..).zip(seen) {
        assert_eq!(completion.user_data, i);
        let expected = if i == 3 { Err(Errno::EINVAL) } else { Ok(0) };
        assert_eq!(completion.into_result(), expected);
    }
}

#[test]
fn submit_all_does_not_stop_at_an_invalid_operation() {
    let flags = SetupFlags::SUBMIT_ALL;
    let Ok(mut ring) = IoUring::builder(8).setup_flags(flags).build() else {
        return super::support::skip("submit_all", "before Linux 5.18");
    };
    for i in 0..7 {
        let sqe = if i == 3 { invalid() } else { Sqe::nop() };
        push(&mut ring, sqe.user_data(i));
    }
    assert_eq!(ring.submit(), Ok(7));
    check_mid_batch(&reap(&mut ring, 7));
}

#[test]
fn an_overflow_of_a_two_entry_queue_loses_nothing() {
    for flags in [SetupLevel::NoArray, SetupLevel::Plain].map(SetupLevel::flags) {
        let builder = IoUring::builder(1).cq_entries(2).setup_flags(flags);
        let Ok(mut ring) = builder.build() else {
            continue;
        };
        assert_eq!(ring.cq_entries(), 2);
        if !ring.features().contains(Features::CQE_SKIP) {
            return super::support::skip("overflow", "before Linux 5.17");
        }
        // From a silent operation on the ring counts, and bounds, nothing.
        push(&mut ring, Sqe::nop().skip_success());
        ring.submit().unwrap();
        for i in 0..9 {
            push(&mut ring, Sqe::nop().user_data(i));
            ring.submit().unwrap();
        }
        ring.submit_and_wait(0).unwrap();
        assert!(ring.cq_overflow());
        let seen: Vec<_> = (0..9).map(|_| ring.wait().unwrap().user_data).collect();
        assert_eq!(seen, (0..9).collect::<Vec<_>>());
        assert!(!ring.cq_overflow());
        assert_eq!(ring.complete(), None);
    }
}

#[test]
fn completions_are_seen_while_iterating() {
    let Some(mut ring) = ring(8) else { return };
    for i in 0..5 {
        ring.push_nop(i).unwrap();
    }
    ring.submit_and_wait(5).unwrap();
    let mut completions = ring.completions();
    assert_eq!(completions.size_hint(), (5, None));
    assert_eq!(completions.next().unwrap().user_data, 0);
    assert_eq!(completions.size_hint(), (4, None));
    drop(completions);
    assert_eq!(ring.completions().count(), 4);
}

#[test]
fn what_is_never_handed_over_never_happens() {
    let (dir, file) = super::support::file(b"before");
    let Some(mut ring) = ring(2) else { return };
    let write = Sqe::write(super::support::raw(&file), b"after!".as_ptr(), 6, 0);
    try_push(&mut ring, write).unwrap();
    drop(ring);
    assert_eq!(std::fs::read(dir.child("file")).unwrap(), b"before");
}

/// With deferred work a plain submission brings no completions of workers in.
#[test]
fn waiting_for_zero_brings_in_what_has_completed() {
    let Some(mut ring) = ring(2) else { return };
    push(&mut ring, Sqe::nop().force_async());
    ring.submit().unwrap();
    let start = std::time::Instant::now();
    while ring.complete().is_none() {
        ring.submit_and_wait(0).unwrap();
        assert!(start.elapsed().as_secs() < 10);
    }
}

#[test]
fn a_signal_does_not_end_the_wait() {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: an all-zero sigaction is valid: no flags, so no SA_RESTART.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as *const () as usize;
    // SAFETY: the handler does nothing; nobody else here uses SIGUSR1.
    let set = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    assert_eq!(set, 0);
    // SAFETY: no conditions.
    let waiter = unsafe { libc::pthread_self() };
    let (reader, mut writer) = std::io::pipe().unwrap();
    let Some(mut ring) = ring(2) else { return };
    let mut buf = [0_u8; 1];
    let interrupted = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&interrupted);
    let helper = std::thread::spawn(move || {
        // However late the other comes to its wait, and a few times more.
        let mut more = 5;
        while more > 0 {
            std::thread::sleep(std::time::Duration::from_millis(5));
            // SAFETY: the thread waits until this one has been joined.
            unsafe { libc::pthread_kill(waiter, libc::SIGUSR1) };
            more -= u32::from(seen.load(Ordering::Relaxed));
        }
        writer.write_all(b"x").unwrap();
    });
    let read = Sqe::read(reader.as_raw_fd(), buf.as_mut_ptr(), 1, u64::MAX);
    push(&mut ring, read);
    // The bare call is interrupted, ...
    ring.submit().unwrap();
    let bare = ring.submit_and_wait(1);
    interrupted.store(true, Ordering::Relaxed);
    assert_eq!(bare, Err(Errno::EINTR));
    // ... and this goes on.
    assert_eq!(ring.wait().unwrap().into_result(), Ok(1));
    helper.join().unwrap();
}

#[test]
fn another_thread_is_refused_by_a_single_issuer_ring() {
    // In another task: a child that shares nothing but the descriptor.
    let Some(mut ring) = ring(2) else { return };
    if !ring.setup_flags().contains(SetupFlags::SINGLE_ISSUER) {
        return super::support::skip("single issuer", "before Linux 6.0");
    }
    // SAFETY: the child calls nothing but the ring and _exit.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let refused = ring.push_nop(0).and_then(|()| ring.submit());
        let status = i32::from(refused != Err(Errno::EEXIST));
        // SAFETY: no conditions.
        unsafe { libc::_exit(status) };
    }
    let mut status = 0;
    // SAFETY: `status` is one int.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0);
    ring.push_nop(1).unwrap();
    assert_eq!(ring.wait().unwrap().user_data, 1);
}
