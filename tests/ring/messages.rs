//! Messages between rings, and what the count of operations in flight makes of them.

use std::io::Write as _;
use std::os::fd::AsRawFd as _;

use annulet::ring::{
    CqeFlags, FileSlot, IoUring, MsgRingFlags, Opcode, PollEvents, SetupFlags, SetupLevel, Sqe,
};
use annulet::sys::Errno;

use super::operations::has;
use super::support::{NO_FD, bad, file, lend, push, raw, ring, run, skip};

fn fd(ring: &IoUring) -> i32 {
    ring.as_fd().raw()
}

#[test]
fn msg_ring() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::MsgRing, "msg_ring") {
        return;
    }
    // A plain ring is written to at once, one with deferred work when it is next entered.
    for level in [SetupLevel::NoArray, SetupLevel::Plain] {
        let Ok(mut other) = IoUring::builder(4).setup_flags(level.flags()).build() else {
            continue;
        };
        other.expect_messages();
        assert_eq!(other.in_flight(), None);
        for result in [0, 42, -1, i32::MIN] {
            let send = Sqe::msg_ring(fd(&other), u64::MAX, result);
            assert_eq!(run(&mut ring, send), Ok(0));
            let message = other.wait().unwrap();
            assert_eq!((message.user_data, message.result), (u64::MAX, result));
            assert_eq!(message.flags, CqeFlags::empty());
        }
        let flags = CqeFlags::from_bits_retain(0x70001);
        let send = Sqe::msg_ring_flags(fd(&other), 1, 2, flags);
        match run(&mut ring, send) {
            // Before Linux 6.3.
            Err(Errno::EINVAL) => skip("msg_ring: flags", "the kernel lacks them"),
            answer => {
                assert_eq!(answer, Ok(0));
                let message = other.wait().unwrap();
                assert_eq!((message.flags, message.buffer()), (flags, Some(7)));
            }
        }
        // The sender counts on, the other one's own operations go on.
        assert_eq!(ring.in_flight(), Some(0));
        assert_eq!(run(&mut other, Sqe::nop()), Ok(0));
    }
    let (_dir, file) = file(b"");
    assert_eq!(run(&mut ring, Sqe::msg_ring(NO_FD, 0, 0)), bad());
    let sqe = Sqe::msg_ring(raw(&file), 0, 0);
    assert_eq!(run(&mut ring, sqe), Err(Errno::EBADFD));
}

#[test]
fn msg_ring_fd() {
    let (_dir, file) = file(b"shared");
    let Some(mut ring) = ring(4) else { return };
    // What came with 6.0 too.
    if !has(&ring, Opcode::SendZc, "msg_ring_fd") {
        return;
    }
    ring.register_files(&[FileSlot::EMPTY, lend(&file).into()])
        .unwrap();
    let none = MsgRingFlags::empty();
    for level in [SetupLevel::NoArray, SetupLevel::Plain] {
        let Ok(mut other) = IoUring::builder(4).setup_flags(level.flags()).build() else {
            continue;
        };
        other.expect_messages();
        let to = fd(&other);
        let send = |slot, flags| Sqe::msg_ring_fd(to, slot, 7, flags);
        assert_eq!(run(&mut ring, send(1, none)), Err(Errno::ENFILE));
        let no_table = send(1, none).direct(0);
        assert_eq!(run(&mut ring, no_table), Err(Errno::ENXIO));
        other.register_files_sparse(3).unwrap();
        assert_eq!(run(&mut ring, send(1, none).direct(0)), Ok(0));
        let message = other.wait().unwrap();
        assert_eq!((message.user_data, message.result), (7, 0));
        let picked = run(&mut ring, send(1, none));
        assert_eq!(picked, Ok(1));
        assert_eq!(other.wait().unwrap().into_result(), picked);
        let silent = send(1, MsgRingFlags::CQE_SKIP).direct(2);
        assert_eq!(run(&mut ring, silent), Ok(0));
        other.submit_and_wait(0).unwrap();
        assert_eq!(other.complete(), None);
        for slot in 0..3 {
            let mut text = [0; 6];
            let read = Sqe::read(slot, text.as_mut_ptr(), 6, 0).fixed_file();
            assert_eq!(run(&mut other, read), Ok(6));
            assert_eq!(&text, b"shared");
        }
        assert_eq!(run(&mut ring, send(1, none)), Err(Errno::ENFILE));
        assert_eq!(run(&mut ring, send(0, none)), bad());
        assert_eq!(run(&mut ring, send(2, none)), bad());
        let beyond = send(1, none).direct(3);
        assert_eq!(run(&mut ring, beyond), Err(Errno::EINVAL));
    }
    let itself = Sqe::msg_ring_fd(fd(&ring), 1, 0, none);
    assert_eq!(run(&mut ring, itself), Err(Errno::EINVAL));
    let no_ring = Sqe::msg_ring_fd(raw(&file), 1, 0, none);
    assert_eq!(run(&mut ring, no_ring), Err(Errno::EBADFD));
    assert_eq!(run(&mut ring, Sqe::msg_ring_fd(NO_FD, 1, 0, none)), bad());
}

#[test]
fn a_disabled_ring_takes_no_message() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::MsgRing, "a_disabled_ring_takes_no_message") {
        return;
    }
    let flags = SetupFlags::R_DISABLED;
    let other = IoUring::builder(4).setup_flags(flags).build().unwrap();
    let send = Sqe::msg_ring(fd(&other), 0, 0);
    assert_eq!(run(&mut ring, send), Err(Errno::EBADFD));
}

/// A completion of somebody else's while nothing is in flight: the count, which would become less
/// than nothing, becomes unknown, and everything goes on.
#[test]
fn an_unexpected_message_does_not_make_the_count_wrong() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::MsgRing, "an_unexpected_message") {
        return;
    }
    for level in [SetupLevel::NoArray, SetupLevel::Plain] {
        let Ok(mut other) = IoUring::builder(4).setup_flags(level.flags()).build() else {
            continue;
        };
        assert_eq!(run(&mut other, Sqe::nop()), Ok(0));
        assert_eq!(other.in_flight(), Some(0));
        assert_eq!(run(&mut ring, Sqe::msg_ring(fd(&other), 1, 2)), Ok(0));
        other.submit_and_wait(1).unwrap();
        assert_eq!(other.complete().unwrap().result, 2);
        assert_eq!(other.in_flight(), None);
        for i in 0..100 {
            other.push_nop(i).unwrap();
            assert_eq!(other.wait().unwrap().user_data, i);
        }
        assert_eq!(other.in_flight(), None);
    }
}

/// A message to oneself, while an operation is in flight that must not be taken for complete.
#[test]
fn a_ring_that_expects_messages_waits_for_its_own_operations() {
    let Some(mut ring) = ring(4) else { return };
    let test = "a_ring_that_expects_messages_waits_for_its_own_operations";
    if !has(&ring, Opcode::MsgRing, test) {
        return;
    }
    ring.expect_messages();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let poll = Sqe::poll_add(reader.as_raw_fd(), PollEvents::IN);
    push(&mut ring, poll.user_data(3));
    let itself = Sqe::msg_ring(fd(&ring), 1, 0).user_data(2);
    push(&mut ring, itself);
    let mut seen = [0; 2].map(|_| ring.wait().unwrap().user_data);
    seen.sort_unstable();
    assert_eq!(seen, [1, 2]);
    writer.write_all(b"x").unwrap();
    assert_eq!(ring.wait().unwrap().user_data, 3);
}

/// More messages than the queue has room for wait outside it.
#[test]
fn messages_that_do_not_fit_wait() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::MsgRing, "messages_that_do_not_fit_wait") {
        return;
    }
    for level in [SetupLevel::NoArray, SetupLevel::Plain] {
        let builder = IoUring::builder(1).cq_entries(2).setup_flags(level.flags());
        let Ok(mut other) = builder.build() else {
            continue;
        };
        other.expect_messages();
        for i in 0..9 {
            assert_eq!(run(&mut ring, Sqe::msg_ring(fd(&other), i, 0)), Ok(0));
        }
        let seen = [0; 9].map(|_| other.wait().unwrap().user_data);
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
