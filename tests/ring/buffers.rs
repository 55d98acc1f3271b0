//! Buffers that the kernel picks from.

use std::io::{PipeReader, PipeWriter, Write as _};
use std::ops::Range;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use annulet::ring::{BufferRing, Cancel, Completion, IoUring, Opcode, Sqe};
use annulet::sys::{Errno, Result};

use super::support::{NO_FD, bad, push, ring, skip};

const MS: Duration = Duration::from_millis(1);

/// Buffers of the ring, or none: `test` is skipped aloud.
fn buffers<'ring>(
    test: &str,
    ring: &'ring mut IoUring,
    count: u16,
    len_bytes: u32,
) -> Option<BufferRing<'ring>> {
    match BufferRing::new(ring, count, len_bytes) {
        Err(Errno::EINVAL) => {
            skip(test, "before Linux 5.19");
            None
        }
        made => Some(made.unwrap()),
    }
}

/// A read that picks a buffer.
fn read(reader: &PipeReader, buffers: &BufferRing) -> Sqe {
    read_fd(reader.as_raw_fd(), buffers)
}

fn read_fd(fd: i32, buffers: &BufferRing) -> Sqe {
    // As much as the buffer holds: before Linux 6.0 a length of 0 was none.
    let most = 1 << 30;
    Sqe::read(fd, std::ptr::null_mut(), most, u64::MAX).buffer_group(buffers.group())
}

pub fn push_to(buffers: &mut BufferRing, sqe: Sqe) {
    // SAFETY: every test here waits for its completions before what they name goes, and names
    // this group.
    unsafe { buffers.push(&sqe) }.unwrap();
}

pub fn run_on(buffers: &mut BufferRing, sqe: Sqe) -> Completion {
    push_to(buffers, sqe);
    buffers.wait().unwrap()
}

fn pipe() -> (PipeReader, PipeWriter) {
    std::io::pipe().unwrap()
}

#[test]
fn buffers_are_picked_read_and_given_back() {
    let test = "buffers_are_picked_read_and_given_back";
    let Some(mut ring) = ring(4) else { return };
    let Some(mut buffers) = buffers(test, &mut ring, 2, 8) else {
        return;
    };
    let (reader, mut writer) = pipe();
    assert_eq!(buffers.bytes(0), b"");
    for number in [0, 1, 2, u16::MAX] {
        assert_eq!(buffers.give_back(number), Err(Errno::EINVAL));
    }
    writer.write_all(b"0123456789").unwrap();
    let read = read(&reader, &buffers);
    let first = run_on(&mut buffers, read);
    assert_eq!((first.into_result(), first.buffer()), (Ok(8), Some(0)));
    let second = run_on(&mut buffers, read);
    assert_eq!((second.into_result(), second.buffer()), (Ok(2), Some(1)));
    assert_eq!(buffers.bytes(0), b"01234567");
    assert_eq!(buffers.bytes(1), b"89");
    assert_eq!(buffers.bytes(2), b"");
    // None is left, and what is the program's stays as it is.
    writer.write_all(b"abc").unwrap();
    let none = run_on(&mut buffers, read);
    assert_eq!(none.into_result(), Err(Errno::ENOBUFS));
    assert_eq!(none.buffer(), None);
    buffers.give_back(1).unwrap();
    assert_eq!(buffers.give_back(1), Err(Errno::EINVAL));
    assert_eq!(buffers.bytes(1), b"");
    let third = run_on(&mut buffers, read);
    assert_eq!((third.into_result(), third.buffer()), (Ok(3), Some(1)));
    assert_eq!(buffers.bytes(0), b"01234567");
    assert_eq!(buffers.bytes(1), b"abc");
}

/// The queue's numbers have 16 bits.
#[test]
fn buffers_go_round_beyond_every_number() {
    let Some(mut ring) = ring(4) else { return };
    let test = "buffers_go_round_beyond_every_number";
    let Some(mut buffers) = buffers(test, &mut ring, 4, 16) else {
        return;
    };
    let (reader, mut writer) = pipe();
    let read = read(&reader, &buffers);
    for nth in 0..70_000_u64 {
        writer.write_all(&nth.to_ne_bytes()).unwrap();
        let number = run_on(&mut buffers, read).buffer().unwrap();
        assert_eq!(buffers.bytes(number), nth.to_ne_bytes());
        buffers.give_back(number).unwrap();
    }
}

#[test]
fn reads_that_fail_lose_no_buffer() {
    let Some(mut ring) = ring(4) else { return };
    let test = "reads_that_fail_lose_no_buffer";
    let Some(mut buffers) = buffers(test, &mut ring, 1, 16) else {
        return;
    };
    let folder = std::fs::File::open("/").unwrap();
    for _ in 0..3 {
        let wrong = read_fd(NO_FD, &buffers);
        assert_eq!(run_on(&mut buffers, wrong).into_result(), bad());
        let wrong = read_fd(folder.as_raw_fd(), &buffers);
        let failed = run_on(&mut buffers, wrong);
        assert_eq!(failed.into_result(), Err(Errno::EISDIR));
        if let Some(number) = failed.buffer() {
            assert_eq!(buffers.bytes(number), b"");
            buffers.give_back(number).unwrap();
        }
    }
    let (reader, mut writer) = pipe();
    writer.write_all(b"x").unwrap();
    let read = read(&reader, &buffers);
    let number = run_on(&mut buffers, read).buffer().unwrap();
    assert_eq!(buffers.bytes(number), b"x");
}

#[test]
fn a_multishot_read_ends_without_buffers_and_goes_on_with_them() {
    let test = "a_multishot_read_ends_without_buffers_and_goes_on_with_them";
    let Some(mut ring) = ring(4) else { return };
    let probe = ring.probe();
    if !probe.is_ok_and(|probe| probe.supports(Opcode::ReadMultishot)) {
        return skip(test, "before Linux 6.7");
    }
    let mut buffers = BufferRing::new(&mut ring, 2, 64).unwrap();
    let (reader, mut writer) = pipe();
    let read = Sqe::read_multishot(reader.as_raw_fd(), buffers.group());
    push_to(&mut buffers, read);
    assert_eq!(buffers.wait_timeout(MS), Err(Errno::ETIME));
    for text in [b"one", b"two"] {
        writer.write_all(text).unwrap();
        let completion = buffers.wait().unwrap();
        assert!(completion.has_more());
        assert_eq!(buffers.bytes(completion.buffer().unwrap()), text);
    }
    writer.write_all(b"three").unwrap();
    let none = buffers.wait().unwrap();
    assert_eq!(none.into_result(), Err(Errno::ENOBUFS));
    assert!(!none.has_more());
    assert_eq!(buffers.in_flight(), Some(0));
    buffers.give_back(0).unwrap();
    push_to(&mut buffers, read);
    assert_eq!(buffers.submit_and_wait(1), Ok(1));
    let third = buffers.complete().unwrap();
    assert_eq!((third.buffer(), buffers.bytes(0)), (Some(0), &b"three"[..]));
    // The end is not seen without a buffer either.
    buffers.give_back(0).unwrap();
    drop(writer);
    let end = buffers.wait().unwrap();
    assert_eq!((end.into_result(), end.has_more()), (Ok(0), false));
}

#[test]
fn buffers_are_refused() {
    let Some(mut ring) = ring(4) else { return };
    for (count, len_bytes) in [(0, 8), (3, 8), (4, 0)] {
        let refused = BufferRing::new(&mut ring, count, len_bytes);
        assert_eq!(refused.err(), Some(Errno::EINVAL));
    }
    // What runs could report a buffer of another group.
    ring.push_nop(1).unwrap();
    let refused = BufferRing::new(&mut ring, 4, 8);
    assert_eq!(refused.err(), Some(Errno::EBUSY));
    assert_eq!(ring.wait().unwrap().user_data, 1);
    // Silence could be anything.
    push(&mut ring, Sqe::nop().skip_success());
    let refused = BufferRing::new(&mut ring, 4, 8);
    assert_eq!(refused.err(), Some(Errno::EBUSY));
}

/// How much of `range` is mapped.
fn mapped(range: &Range<usize>) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let parts = maps.lines().map(|line| {
        let (start, rest) = line.split_once('-').unwrap();
        let (end, _) = rest.split_once(' ').unwrap();
        let number = |text| usize::from_str_radix(text, 16).unwrap();
        number(end)
            .min(range.end)
            .saturating_sub(number(start).max(range.start))
    });
    parts.sum()
}

/// Too long for others' mappings to fill it when it is free.
const LONG: u32 = 64 << 20;

/// Reads a byte, and gives where its buffer lies.
fn place(buffers: &mut BufferRing) -> Range<usize> {
    let (reader, mut writer) = pipe();
    writer.write_all(b"x").unwrap();
    let read = read(&reader, buffers);
    let number = run_on(buffers, read).buffer().unwrap();
    let start = buffers.bytes(number).as_ptr().addr();
    start..start + LONG as usize
}

#[test]
fn memory_stays_as_long_as_anything_may_write_to_it() {
    let test = "memory_stays_as_long_as_anything_may_write_to_it";
    let Some(mut ring) = ring(4) else { return };
    // Nothing runs.
    let Some(mut first) = buffers(test, &mut ring, 1, LONG) else {
        return;
    };
    let place_of_first = place(&mut first);
    assert_eq!(mapped(&place_of_first), LONG as usize);
    drop(first);
    assert!(
        mapped(&place_of_first) < LONG as usize,
        "it is still mapped"
    );

    // A read runs, that finds the group gone once there is something.
    let (reader, mut writer) = pipe();
    let mut second = BufferRing::new(&mut ring, 1, LONG).unwrap();
    let place_of_second = place(&mut second);
    let waiting = read(&reader, &second);
    push_to(&mut second, waiting);
    assert_eq!(second.submit(), Ok(1));
    drop(second);
    assert_eq!(mapped(&place_of_second), LONG as usize);
    let busy = BufferRing::new(&mut ring, 1, LONG).err();
    assert_eq!(busy, Some(Errno::EBUSY));
    writer.write_all(b"x").unwrap();
    assert_eq!(ring.wait().unwrap().into_result(), Err(Errno::ENOBUFS));

    // It is forgotten: the group stays, and what reads to it goes on.
    let mut third = BufferRing::new(&mut ring, 2, LONG).unwrap();
    let place_of_third = place(&mut third);
    let group = third.group();
    std::mem::forget(third);
    assert_eq!(mapped(&place_of_third), LONG as usize);
    let twice = BufferRing::new(&mut ring, 1, LONG).err();
    assert_eq!(twice, Some(Errno::EEXIST));
    push(&mut ring, waiting.buffer_group(group));
    assert_eq!(ring.wait().unwrap().into_result(), Ok(1));
}

#[test]
fn what_runs_is_called_off() {
    let test = "what_runs_is_called_off";
    let Some(mut ring) = ring(4) else { return };
    let Some(mut buffers) = buffers(test, &mut ring, 1, LONG) else {
        return;
    };
    let place = place(&mut buffers);
    buffers.give_back(0).unwrap();
    let (reader, _writer) = pipe();
    let read = read(&reader, &buffers);
    push_to(&mut buffers, read);
    assert_eq!(buffers.submit(), Ok(1));
    let cancelled: Result<u32> = buffers.cancel_and_wait(Cancel::all(), MS);
    if cancelled == Err(Errno::EINVAL) {
        return skip(test, "before Linux 6.0");
    }
    assert_eq!(cancelled, Ok(1));
    let end = buffers.wait().unwrap();
    assert_eq!(end.into_result(), Err(Errno::ECANCELED));
    drop(buffers);
    assert!(mapped(&place) < LONG as usize, "it is still mapped");
}
