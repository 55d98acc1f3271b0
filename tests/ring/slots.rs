//! [`SlotRing`] against the running kernel.

use std::fs::File;
use std::io::Write as _;

use annulet::ring::{MAX_SLOTS, SlotRing, Step};
use annulet::sys::{Errno, OwnedFd};

use super::support::{lend, own, slots, temp_dir};

#[allow(clippy::cast_possible_truncation)]
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + i / 251) as u8).collect()
}

/// Copies through the ring as the copy engine would.
fn copy(ring: &mut SlotRing, from: &OwnedFd, to: &OwnedFd) -> usize {
    #[derive(Clone, Copy)]
    struct Job {
        offset: u64,
        done: usize,
        len: usize,
        writing: bool,
    }
    let len = ring.slot_len_bytes();
    let mut jobs = vec![
        Job {
            offset: 0,
            done: 0,
            len: 0,
            writing: false
        };
        ring.slot_count() as usize
    ];
    let mut next = 0_u64;
    let mut total = 0;
    let mut ring = ring.session();
    for slot in 0..ring.slot_count() {
        jobs[slot as usize].offset = next;
        ring.read(slot, from.as_fd(), 0..len, Some(next)).unwrap();
        next += len as u64;
    }
    while ring.in_flight() > 0 {
        let finished = ring.wait().unwrap();
        let count = finished.result.unwrap() as usize;
        let job = &mut jobs[finished.slot as usize];
        if job.writing {
            job.done += count;
            total += count;
            if job.done == job.len {
                job.writing = false;
                job.offset = next;
                next += len as u64;
                ring.read(finished.slot, from.as_fd(), 0..len, Some(job.offset))
                    .unwrap();
                continue;
            }
        } else if count == 0 {
            continue;
        } else {
            job.len = count;
            job.done = 0;
            job.writing = true;
        }
        let at = job.offset + job.done as u64;
        ring.write(finished.slot, to.as_fd(), job.done..job.len, Some(at))
            .unwrap();
    }
    total
}

fn copies(len: usize, registered: bool) {
    let dir = temp_dir();
    let data = pattern(len);
    std::fs::write(dir.child("a"), &data).unwrap();
    let Some(mut ring) = slots(4, 64 << 10) else {
        return;
    };
    let from = own(File::open(dir.child("a")).unwrap());
    let to = own(File::create(dir.child("b")).unwrap());
    assert_eq!(copy(&mut ring, &from, &to), data.len());
    assert!(std::fs::read(dir.child("b")).unwrap() == data);
    assert_eq!(ring.is_registered(), registered);
}

#[test]
fn a_short_file_is_copied() {
    copies(500_003, false);
}

#[test]
fn a_long_file_is_copied_and_the_slots_are_registered_on_the_way() {
    copies(3_000_003, true);
}

#[test]
fn a_busy_slot_is_neither_shown_nor_used_twice() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let Some(mut ring) = slots(2, 4096) else {
        return;
    };
    let fd = own(File::from(std::os::fd::OwnedFd::from(reader)));
    let mut ring = ring.session();
    assert_eq!(ring.slot(0).len(), 4096);
    ring.read(0, fd.as_fd(), 0..10, None).unwrap();
    assert!(ring.slot(0).is_empty());
    assert!(ring.slot_mut(0).is_empty());
    assert_eq!(ring.read(0, fd.as_fd(), 0..10, None), Err(Errno::EBUSY));
    assert_eq!(ring.write(0, fd.as_fd(), 0..10, None), Err(Errno::EBUSY));
    assert_eq!(ring.slot(1).len(), 4096);
    ring.submit().unwrap();
    writer.write_all(b"hello").unwrap();
    let finished = ring.wait().unwrap();
    assert_eq!((finished.slot, finished.result), (0, Ok(5)));
    assert_eq!(&ring.slot(0)[..6], b"hello\0");
    assert_eq!(ring.wait(), Err(Errno::ECHILD));
}

#[test]
fn ranges_and_slots_that_are_not_there() {
    let null = own(File::open("/dev/zero").unwrap());
    let Some(mut ring) = slots(3, 100) else {
        return;
    };
    let mut ring = ring.session();
    let fd = null.as_fd();
    assert_eq!(ring.read(3, fd, 0..1, None), Err(Errno::EINVAL));
    assert_eq!(ring.read(u32::MAX, fd, 0..1, None), Err(Errno::EINVAL));
    assert_eq!(ring.read(0, fd, 0..101, None), Err(Errno::EINVAL));
    assert_eq!(ring.read(0, fd, 101..101, None), Err(Errno::EINVAL));
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = 5..4;
    assert_eq!(ring.read(0, fd, reversed, None), Err(Errno::EINVAL));
    assert!(ring.slot(3).is_empty());
    assert!(ring.slot(64).is_empty());
    assert_eq!(ring.in_flight(), 0);
    ring.read(2, fd, 100..100, None).unwrap();
    assert_eq!(ring.wait().unwrap().result, Ok(0));
}

#[test]
fn sizes_that_cannot_be() {
    let refused = |slots, len| SlotRing::new(slots, len).map(drop).unwrap_err();
    for (slots, len) in [(0, 4096), (4, 0), (MAX_SLOTS + 1, 4096), (4, usize::MAX)] {
        let error = refused(slots, len);
        assert_eq!((error.step, error.errno), (Step::Arguments, Errno::EINVAL));
    }
}

#[test]
fn the_most_slots_all_in_flight() {
    let zero = own(File::open("/dev/zero").unwrap());
    let Some(mut ring) = slots(MAX_SLOTS, 512) else {
        return;
    };
    let mut ring = ring.session();
    for slot in 0..MAX_SLOTS {
        ring.slot_mut(slot).fill(0xff);
        ring.read(slot, zero.as_fd(), 1..512, None).unwrap();
    }
    assert_eq!(ring.in_flight(), MAX_SLOTS);
    for _ in 0..MAX_SLOTS {
        let finished = ring.wait().unwrap();
        assert_eq!(finished.result, Ok(511));
        let slot = ring.slot(finished.slot);
        assert_eq!(slot[0], 0xff);
        assert!(slot[1..].iter().all(|&byte| byte == 0));
    }
}

#[test]
fn a_wrong_descriptor_is_that_operations_error() {
    let file = File::open("/dev/null").unwrap();
    let Some(mut ring) = slots(1, 512) else {
        return;
    };
    let fd = own(file);
    let mut ring = ring.session();
    ring.write(0, fd.as_fd(), 0..512, None).unwrap();
    assert_eq!(ring.wait().unwrap().result, Err(Errno::EBADF));
}

#[test]
fn dropped_with_operations_running_it_waits_for_them() {
    let dir = temp_dir();
    let to = own(File::create(dir.child("a")).unwrap());
    let Some(mut ring) = slots(4, 1 << 20) else {
        return;
    };
    let mut session = ring.session();
    for slot in 0..4 {
        session.slot_mut(slot).fill(b'x');
        let at = Some(u64::from(slot) << 20);
        session.write(slot, to.as_fd(), 0..1 << 20, at).unwrap();
    }
    session.submit().unwrap();
    std::mem::forget(session);
    drop(ring);
    let written = std::fs::read(dir.child("a")).unwrap();
    assert_eq!(written.len(), 4 << 20);
    assert!(written.iter().all(|&byte| byte == b'x'));
}

#[test]
fn a_session_dropped_with_operations_queued_carries_them_out() {
    let dir = temp_dir();
    let to = own(File::create(dir.child("a")).unwrap());
    let Some(mut ring) = slots(1, 8) else {
        return;
    };
    let mut session = ring.session();
    session.write(0, to.as_fd(), 0..8, Some(0)).unwrap();
    drop(session);
    assert_eq!(ring.in_flight(), 0);
    assert_eq!(std::fs::read(dir.child("a")).unwrap(), [0; 8]);
}

#[test]
fn draining_frees_every_slot() {
    let zero = own(File::open("/dev/zero").unwrap());
    let Some(mut ring) = slots(8, 4096) else {
        return;
    };
    let mut ring = ring.session();
    for slot in 0..8 {
        ring.read(slot, zero.as_fd(), 0..4096, None).unwrap();
    }
    ring.drain();
    assert_eq!(ring.in_flight(), 0);
    assert!((0..8).all(|slot| !ring.slot(slot).is_empty()));
}

#[test]
fn calling_off_begins_with_any_number() {
    let Some(mut ring) = slots(3, 8) else {
        return;
    };
    for newest in [0, 2, 3, u32::MAX] {
        assert!(ring.session().cancel_all(newest), "{newest}");
    }
}

/// What has completed, what waits, and what was not handed over.
#[test]
fn what_is_called_off_frees_its_slots() {
    let zero = File::open("/dev/zero").unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let Some(mut ring) = slots(3, 8) else {
        return;
    };
    let mut session = ring.session();
    session.read(0, lend(&zero), 0..8, None).unwrap();
    session.read(1, lend(&reader), 0..8, None).unwrap();
    session.submit().unwrap();
    session.read(2, lend(&reader), 0..8, None).unwrap();
    assert!(session.cancel_all(2));
    assert_eq!(session.in_flight(), 0);
    assert_eq!(session.wait().unwrap_err(), Errno::ECHILD);
    // Nobody has taken it, and the ring goes on.
    writer.write_all(b"hello").unwrap();
    session.read(2, lend(&reader), 0..8, None).unwrap();
    let finished = session.wait().unwrap();
    assert_eq!((finished.slot, finished.result), (2, Ok(5)));
    assert_eq!(&session.slot(2)[..5], b"hello");
}
