//! Polls that go on, and how they are changed.

use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;

use annulet::ring::{Completion, IoUring, Opcode, PollChange, PollEvents, SetupLevel, Sqe};
use annulet::sys::Errno;

use super::operations;
use super::support::{NO_FD, bad, push, reap, ring, run, skip};

const IN: PollEvents = PollEvents::IN;
const OUT: PollEvents = PollEvents::OUT;

/// Whether the kernel has polls that go on: 5.13, and what the probe knows came with 5.15.
fn has(ring: &IoUring, test: &str) -> bool {
    operations::has(ring, Opcode::Mkdirat, test)
}

fn events(completion: Completion) -> PollEvents {
    PollEvents::from_bits_retain(completion.into_result().unwrap())
}

#[test]
fn poll_multishot() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, "poll_multishot") {
        return;
    }
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let poll = Sqe::poll_multishot(reader.as_raw_fd(), IN).user_data(1);
    push(&mut ring, poll);
    ring.submit().unwrap();
    for _ in 0..3 {
        writer.write_all(b"x").unwrap();
        let seen = ring.wait().unwrap();
        assert_eq!((seen.user_data, seen.has_more()), (1, true));
        assert!(events(seen).contains(IN));
        assert_eq!(ring.in_flight(), Some(1));
        reader.read_exact(&mut [0]).unwrap();
    }
    push(&mut ring, Sqe::poll_remove(1).user_data(2));
    let seen = reap(&mut ring, 2);
    assert_eq!(seen[0].into_result(), Err(Errno::ECANCELED));
    assert!(!seen[0].has_more());
    assert_eq!(seen[1].into_result(), Ok(0));
    assert_eq!(ring.in_flight(), Some(0));
    let wrong = Sqe::poll_multishot(NO_FD, IN);
    assert_eq!(run(&mut ring, wrong), bad());
    // Last, as nothing is known of what is in flight after it.
    assert_eq!(
        run(&mut ring, poll.skip_success().user_data(4711)),
        Err(Errno::EINVAL)
    );
}

#[test]
fn poll_update() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, "poll_update") {
        return;
    }
    let (reader, mut writer) = std::io::pipe().unwrap();
    // What will not happen becomes what is so already.
    push(
        &mut ring,
        Sqe::poll_add(writer.as_raw_fd(), IN).user_data(1),
    );
    let change = PollChange::Events(OUT);
    push(&mut ring, Sqe::poll_update(1, change).user_data(2));
    let seen = reap(&mut ring, 2);
    assert_eq!((events(seen[0]), seen[1].into_result()), (OUT, Ok(0)));

    // Another number, and both, of one that goes on.
    let poll = Sqe::poll_multishot(reader.as_raw_fd(), PollEvents::PRI);
    push(&mut ring, poll.user_data(1));
    let change = PollChange::UserData(u64::MAX);
    assert_eq!(run(&mut ring, Sqe::poll_update(1, change)), Ok(0));
    let change = PollChange::Both(IN, 0);
    assert_eq!(run(&mut ring, Sqe::poll_update(u64::MAX, change)), Ok(0));
    for _ in 0..2 {
        writer.write_all(b"x").unwrap();
        let seen = ring.wait().unwrap();
        assert_eq!((seen.user_data, events(seen)), (0, IN));
        assert!(seen.has_more());
    }
    let sqe = Sqe::poll_update(1, change);
    assert_eq!(run(&mut ring, sqe), Err(Errno::ENOENT));
    push(&mut ring, Sqe::poll_remove(0).user_data(2));
    let seen = reap(&mut ring, 2);
    assert_eq!(seen[0].into_result(), Err(Errno::ECANCELED));
    assert_eq!(seen[1].into_result(), Ok(0));
}

/// With deferred work a poll that has what it waits for is just completing until the ring is
/// entered for completions.
#[test]
fn a_poll_that_is_just_completing_is_not_called_off() {
    let Some(mut ring) = ring(4) else { return };
    if ring.setup_level() == SetupLevel::Plain {
        return skip("a_poll_that_is_just_completing", "before Linux 6.1");
    }
    let change = PollChange::Events(OUT);
    for calling_off in [Sqe::poll_remove(1), Sqe::poll_update(1, change)] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        push(
            &mut ring,
            Sqe::poll_add(reader.as_raw_fd(), IN).user_data(1),
        );
        ring.submit().unwrap();
        writer.write_all(b"x").unwrap();
        push(&mut ring, calling_off.user_data(2));
        ring.submit().unwrap();
        let seen = reap(&mut ring, 2);
        assert_eq!(events(seen[0]), IN);
        assert_eq!(seen[1].into_result(), Err(Errno::EALREADY));
    }
}
