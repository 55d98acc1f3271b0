//! Links, drains and silent operations: the order of things.

use std::io::Write as _;
use std::os::fd::AsRawFd as _;

use std::ptr::null_mut;
use std::sync::atomic::AtomicU32;

use annulet::ring::{
    CURRENT_POSITION, Features, FixedFdFlags, FsyncFlags, FutexFlags, IoUring, Opcode, PollEvents,
    SpliceFlags, Sqe, SyncFileRangeFlags, TimeoutFlags, Timespec, WaitFor, WaitOptions,
};
use annulet::sys::{Errno, Mode, OFlags};

use super::support::{NO_FD, bad, c, file, p, push, raw, reap, results, ring, skip};

static LONG: Timespec = Timespec {
    tv_sec: 1000,
    tv_nsec: 0,
};

const CUT: Result<u32, Errno> = Err(Errno::ECANCELED);

#[test]
fn a_chain_runs_in_order() {
    let (dir, file) = file(b"");
    let Some(mut ring) = ring(8) else { return };
    for (i, letter) in (0..6).zip([b"a", b"b", b"c", b"d", b"e", b"f"]) {
        let sqe = Sqe::write(raw(&file), letter.as_ptr(), 1, CURRENT_POSITION);
        let sqe = sqe.user_data(i);
        push(&mut ring, if i < 5 { sqe.link() } else { sqe });
    }
    assert_eq!(results(&mut ring, 6), [Ok(1); 6]);
    assert_eq!(std::fs::read(dir.child("file")).unwrap(), b"abcdef");
}

#[test]
fn an_error_cuts_the_chain() {
    let Some(mut ring) = ring(8) else { return };
    push(&mut ring, Sqe::nop().user_data(0).link());
    let sqe = Sqe::fsync(NO_FD, FsyncFlags::empty());
    push(&mut ring, sqe.user_data(1).link());
    push(&mut ring, Sqe::nop().user_data(2).link());
    push(&mut ring, Sqe::nop().user_data(3));
    push(&mut ring, Sqe::nop().user_data(4));
    assert_eq!(results(&mut ring, 5), [Ok(0), bad(), CUT, CUT, Ok(0)]);
}

/// Whether the operation, which has to fail, cut the chain behind it.
fn cuts(ring: &mut IoUring, first: Sqe) -> bool {
    push(ring, first.user_data(0).link());
    push(ring, Sqe::nop().user_data(1));
    let seen = results(ring, 2);
    assert!(seen[0].is_err(), "{first:?}");
    assert!(matches!(seen[1], Ok(0) | CUT));
    seen[1] == CUT
}

/// Those whose failure cuts; [`Sqe::link`] names those whose failure does not.
#[test]
fn operations_that_fail_and_cut() {
    let Some(mut ring) = ring(2) else { return };
    let (dir, file) = file(b"");
    let missing = c(dir.child("no/where"));
    let read_only = std::fs::File::open(dir.child("file")).unwrap();
    let mut buf = [0_u8; 1];
    let none = Mode::empty();
    let how = annulet::ring::OpenHow::default();
    for first in [
        Sqe::openat(-100, p(&missing), OFlags::RDONLY, none),
        Sqe::openat2(-100, p(&missing), &raw const how),
        Sqe::close(NO_FD),
        Sqe::write(raw(&read_only), buf.as_ptr(), 1, 0),
        Sqe::read(NO_FD, buf.as_mut_ptr(), 1, 0),
        Sqe::splice(raw(&file), 0, raw(&file), 0, 1, SpliceFlags::empty()),
        Sqe::tee(raw(&file), raw(&file), 1, SpliceFlags::empty()),
        Sqe::fdatasync(NO_FD),
        Sqe::files_update([NO_FD].as_ptr(), 1, 0),
        Sqe::poll_remove(77),
        Sqe::timeout_remove(77),
        Sqe::cancel(77),
    ] {
        assert!(cuts(&mut ring, first), "{first:?}");
    }
}

/// As above, of operations that not every kernel has.
#[test]
fn newer_operations_that_fail_and_cut() {
    let Some(mut ring) = ring(2) else { return };
    let probe = ring.probe().unwrap();
    let word = AtomicU32::new(0);
    let (at, private) = (&raw const word, FutexFlags::PRIVATE);
    let (_dir, file) = file(b"");
    let this = i32::try_from(std::process::id()).unwrap();
    let itself = WaitFor::Pid(this);
    for (operation, first) in [
        (
            Opcode::Renameat,
            Sqe::timeout_update(77, &raw const LONG, TimeoutFlags::empty()),
        ),
        (Opcode::RemoveBuffers, Sqe::remove_buffers(1, 77)),
        (Opcode::MsgRing, Sqe::msg_ring(raw(&file), 0, 0)),
        (Opcode::ReadMultishot, Sqe::read_multishot(raw(&file), 77)),
        (
            Opcode::Waitid,
            Sqe::waitid(itself, null_mut(), WaitOptions::EXITED),
        ),
        (Opcode::FutexWait, Sqe::futex_wait(at, 1, 1, private)),
        (Opcode::FutexWake, Sqe::futex_wake(at, 1, 0, private)),
        (
            Opcode::FixedFdInstall,
            Sqe::fixed_fd_install(0, FixedFdFlags::empty()),
        ),
        (Opcode::Pipe, Sqe::pipe(null_mut(), OFlags::empty())),
    ] {
        if probe.supports(operation) {
            assert!(cuts(&mut ring, first), "{first:?}");
        } else {
            skip("newer_operations_that_fail_and_cut", "the kernel lacks one");
        }
    }
}

#[test]
fn a_sync_file_range_that_fails_does_not_cut() {
    let Some(mut ring) = ring(2) else { return };
    let (pipe, _writer) = std::io::pipe().unwrap();
    let all = SyncFileRangeFlags::all();
    assert!(!cuts(
        &mut ring,
        Sqe::sync_file_range(pipe.as_raw_fd(), 0, 0, all)
    ));
    assert!(cuts(&mut ring, Sqe::sync_file_range(NO_FD, 0, 0, all)));
}

#[test]
fn a_short_read_cuts_the_chain_and_a_full_one_does_not() {
    let (_dir, file) = file(b"12345");
    let Some(mut ring) = ring(4) else { return };
    let mut buf = [0_u8; 8];
    for (len, next) in [(5, Ok(0)), (8, CUT)] {
        let read = Sqe::read(raw(&file), buf.as_mut_ptr(), len, 0);
        push(&mut ring, read.user_data(0).link());
        push(&mut ring, Sqe::nop().user_data(1));
        assert_eq!(results(&mut ring, 2), [Ok(5), next]);
    }
}

#[test]
fn a_hard_link_holds_whatever_the_result() {
    let (_dir, file) = file(b"12345");
    let Some(mut ring) = ring(4) else { return };
    let mut buf = [0_u8; 8];
    let read = Sqe::read(raw(&file), buf.as_mut_ptr(), 8, 0);
    push(&mut ring, read.user_data(0).hardlink());
    push(&mut ring, Sqe::fdatasync(NO_FD).user_data(1).hardlink());
    push(&mut ring, Sqe::nop().user_data(2));
    assert_eq!(results(&mut ring, 3), [Ok(5), bad(), Ok(0)]);
}

#[test]
fn a_chain_does_not_span_submissions() {
    let Some(mut ring) = ring(4) else { return };
    push(&mut ring, Sqe::fdatasync(NO_FD).user_data(0).link());
    ring.submit().unwrap();
    push(&mut ring, Sqe::nop().user_data(1));
    assert_eq!(results(&mut ring, 2), [bad(), Ok(0)]);
}

#[test]
fn open_write_sync_close_in_one_chain() {
    let (dir, _file) = file(b"");
    let Some(mut ring) = ring(4) else { return };
    if ring.register_files_sparse(1).is_err() {
        return skip("open_write_sync_close_in_one_chain", "no sparse tables");
    }
    let path = c(dir.child("made"));
    let flags = OFlags::WRONLY | OFlags::CREAT;
    let open = Sqe::openat(-100, p(&path), flags, Mode::RWXU).direct(0);
    push(&mut ring, open.user_data(0).link());
    let write = Sqe::write(0, b"chained".as_ptr(), 7, 0).fixed_file();
    push(&mut ring, write.user_data(1).link());
    let sync = Sqe::fsync(0, FsyncFlags::empty()).fixed_file();
    push(&mut ring, sync.user_data(2).link());
    push(&mut ring, Sqe::close_direct(0).user_data(3));
    assert_eq!(results(&mut ring, 4), [Ok(0), Ok(7), Ok(0), Ok(0)]);
    assert_eq!(std::fs::read(dir.child("made")).unwrap(), b"chained");
}

#[test]
fn a_drain_waits_for_all_before_and_holds_back_all_after() {
    let Some(mut ring) = ring(8) else { return };
    let (idle, mut writer) = std::io::pipe().unwrap();
    let poll = Sqe::poll_add(idle.as_raw_fd(), PollEvents::IN);
    push(&mut ring, poll.user_data(0));
    push(&mut ring, Sqe::nop().user_data(1).drain());
    push(&mut ring, Sqe::nop().user_data(2));
    ring.submit_and_wait(0).unwrap();
    assert_eq!(ring.complete(), None);
    writer.write_all(b"x").unwrap();
    let order = [0, 1, 2].map(|_| ring.wait().unwrap().user_data);
    assert_eq!(order, [0, 1, 2]);
}

#[test]
fn a_silent_operation_reports_only_failure() {
    let Some(mut ring) = ring(8) else { return };
    if !ring.features().contains(Features::CQE_SKIP) {
        return skip(
            "a_silent_operation_reports_only_failure",
            "before Linux 5.17",
        );
    }
    assert_eq!(ring.in_flight(), Some(0));
    push(&mut ring, Sqe::nop().user_data(0).skip_success());
    push(&mut ring, Sqe::fdatasync(NO_FD).user_data(1).skip_success());
    push(&mut ring, Sqe::nop().user_data(2));
    assert_eq!(ring.in_flight(), None);
    let seen = reap(&mut ring, 2);
    assert_eq!((seen[0].user_data, seen[0].into_result()), (1, bad()));
    assert_eq!((seen[1].user_data, seen[1].into_result()), (2, Ok(0)));
    // One that fails silences the rest of its chain.
    push(
        &mut ring,
        Sqe::fdatasync(NO_FD).user_data(3).skip_success().link(),
    );
    push(&mut ring, Sqe::nop().user_data(4));
    push(&mut ring, Sqe::nop().user_data(5));
    let seen = reap(&mut ring, 2);
    assert_eq!([seen[0].user_data, seen[1].user_data], [3, 5]);
    ring.submit_and_wait(0).unwrap();
    assert_eq!(ring.complete(), None);
}
