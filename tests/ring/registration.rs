//! Registered buffers and files, eventfds, the ring's own descriptor, worker limits.

use std::io::{self, PipeReader};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::thread;
use std::time::Duration;

use annulet::ring::{
    Cancel, FileSlot, IoUring, IoVec, Opcode, PollEvents, SetupFlags, Sqe, WorkerLimits,
};
use annulet::sys::{CWD, Errno, Result};

use super::support::{NO_FD, bad, file, lend, made, push, raw, reap, ring, run, skip};

fn vector(memory: &mut [u8]) -> IoVec {
    IoVec {
        base: memory.as_mut_ptr(),
        len_bytes: memory.len(),
    }
}

const EMPTY: IoVec = IoVec {
    base: std::ptr::null_mut(),
    len_bytes: 0,
};

#[test]
fn buffers() {
    let mut memory = vec![0_u8; 4096];
    let Some(mut ring) = ring(2) else { return };
    assert_eq!(ring.unregister_buffers(), Err(Errno::ENXIO));
    assert_eq!(ring.register_buffers(&[]), Err(Errno::EINVAL));
    let nowhere = IoVec {
        base: std::ptr::without_provenance_mut(4096),
        len_bytes: 4096,
    };
    assert_eq!(ring.register_buffers(&[nowhere]), Err(Errno::EFAULT));
    let buffers = [vector(&mut memory)];
    ring.register_buffers(&buffers).unwrap();
    assert_eq!(ring.register_buffers(&buffers), Err(Errno::EBUSY));
    ring.unregister_buffers().unwrap();
    ring.register_buffers(&buffers).unwrap();
}

#[test]
fn buffers_sparse_and_updated() {
    let (_dir, file) = file(b"buffer");
    let mut memory = vec![0_u8; 4096];
    let buffer = vector(&mut memory);
    let Some(mut ring) = ring(2) else { return };
    assert_eq!(ring.update_buffers(0, &[buffer]), Err(Errno::ENXIO));
    match ring.register_buffers_sparse(3) {
        Err(Errno::EINVAL) => return skip("buffers_sparse_and_updated", "before Linux 5.19"),
        other => other.unwrap(),
    }
    let read = |index| Sqe::read_fixed(raw(&file), buffer.base, 6, 0, index);
    assert_eq!(run(&mut ring, read(2)), Err(Errno::EFAULT));
    assert_eq!(ring.update_buffers(2, &[buffer]), Ok(1));
    assert_eq!(run(&mut ring, read(2)), Ok(6));
    assert_eq!(run(&mut ring, read(1)), Err(Errno::EFAULT));
    assert_eq!(ring.update_buffers(1, &[buffer, EMPTY]), Ok(2));
    assert_eq!(run(&mut ring, read(1)), Ok(6));
    assert_eq!(run(&mut ring, read(2)), Err(Errno::EFAULT));
    assert_eq!(ring.update_buffers(3, &[buffer]), Err(Errno::EINVAL));
}

#[test]
fn files() {
    let (_dir, file) = file(b"file");
    let mut buf = [0_u8; 4];
    let Some(mut ring) = ring(2) else { return };
    assert_eq!(ring.unregister_files(), Err(Errno::ENXIO));
    assert_eq!(ring.register_files(&[CWD.into()]), bad());
    assert_eq!(ring.register_files(&[]), Err(Errno::EINVAL));
    let null = std::fs::File::open("/dev/null").unwrap();
    ring.register_files(&[lend(&null).into(), lend(&file).into()])
        .unwrap();
    assert_eq!(
        ring.register_files(&[lend(&file).into()]),
        Err(Errno::EBUSY)
    );
    let mut read = |ring: &mut IoUring, slot| {
        let sqe = Sqe::read(slot, buf.as_mut_ptr(), 4, 0).fixed_file();
        run(ring, sqe)
    };
    assert_eq!(read(&mut ring, 0), Ok(0));
    assert_eq!(read(&mut ring, 1), Ok(4));
    assert_eq!(read(&mut ring, 2), bad());
    ring.unregister_files().unwrap();
    assert_eq!(read(&mut ring, 1), bad());
}

#[test]
fn files_stay_open_in_the_table() {
    let (reader, writer) = std::io::pipe().unwrap();
    let Some(mut ring) = ring(2) else { return };
    ring.register_files(&[lend(&writer).into()]).unwrap();
    drop(writer);
    let sqe = Sqe::write(0, b"x".as_ptr(), 1, u64::MAX).fixed_file();
    assert_eq!(run(&mut ring, sqe), Ok(1));
    ring.unregister_files().unwrap();
    drop(reader);
}

#[test]
fn files_sparse_and_updated() {
    let (_dir, file) = file(b"file");
    let mut buf = [0_u8; 4];
    let Some(mut ring) = ring(2) else { return };
    let fd = FileSlot::from(lend(&file));
    assert_eq!(ring.update_files(0, &[fd]), Err(Errno::ENXIO));
    match ring.register_files_sparse(3) {
        Err(Errno::EINVAL) => return skip("files_sparse_and_updated", "before Linux 5.19"),
        other => other.unwrap(),
    }
    let mut read = |ring: &mut IoUring, slot| {
        let sqe = Sqe::read(slot, buf.as_mut_ptr(), 4, 0).fixed_file();
        run(ring, sqe)
    };
    assert_eq!(read(&mut ring, 1), bad());
    assert_eq!(ring.update_files(1, &[fd, fd]), Ok(2));
    assert_eq!(read(&mut ring, 1), Ok(4));
    assert_eq!(
        ring.update_files(1, &[FileSlot::SKIP, FileSlot::EMPTY]),
        Ok(2)
    );
    assert_eq!(read(&mut ring, 1), Ok(4));
    assert_eq!(read(&mut ring, 2), bad());
    assert_eq!(ring.update_files(0, &[CWD.into()]), bad());
    assert_eq!(ring.update_files(3, &[fd]), Err(Errno::EINVAL));
}

#[test]
fn the_rings_own_descriptor() {
    let Some(mut ring) = ring(2) else { return };
    assert_eq!(ring.unregister_ring_fd(), Err(Errno::ENXIO));
    if ring.register_ring_fd().is_err() {
        return skip("the_rings_own_descriptor", "before Linux 5.18");
    }
    assert_eq!(ring.register_ring_fd(), Err(Errno::EEXIST));
    assert_eq!(run(&mut ring, Sqe::nop()), Ok(0));
    ring.push_nop(1).unwrap();
    assert_eq!(ring.submit_and_wait(1), Ok(1));
    assert_eq!(ring.complete().unwrap().user_data, 1);
    ring.unregister_ring_fd().unwrap();
    assert_eq!(run(&mut ring, Sqe::nop()), Ok(0));
    // A thread has 16 places: what is dropped must give its own back.
    for _ in 0..40 {
        let mut ring = IoUring::new(1).unwrap();
        ring.register_ring_fd().unwrap();
        assert_eq!(run(&mut ring, Sqe::nop()), Ok(0));
    }
}

#[test]
fn worker_limits() {
    let Some(mut ring) = ring(2) else { return };
    let limits = |bounded, unbounded| WorkerLimits { bounded, unbounded };
    if ring.limit_workers(limits(0, 0)).is_err() {
        return skip("worker_limits", "before Linux 5.15");
    }
    ring.limit_workers(limits(3, 5)).unwrap();
    assert_eq!(ring.limit_workers(limits(0, 0)), Ok(limits(3, 5)));
    assert_eq!(run(&mut ring, Sqe::nop().force_async()), Ok(0));
}

/// Two reads of each of two pipes that nobody writes to, pushed with 1 to 4, and handed over.
fn reads(ring: &mut IoUring, pipes: [&PipeReader; 2], memory: &mut [u8; 8]) {
    for (user_data, reader) in (1..).zip([pipes[0], pipes[0], pipes[1], pipes[1]]) {
        let read = Sqe::read(reader.as_raw_fd(), memory.as_mut_ptr(), 8, u64::MAX);
        push(ring, read.user_data(user_data));
    }
    assert_eq!(ring.submit(), Ok(4));
}

/// Waits for operations that were cancelled, and gives their numbers.
fn cancelled(ring: &mut IoUring, count: usize) -> Vec<u64> {
    let all = reap(ring, count);
    assert!(
        all.iter()
            .all(|one| one.into_result() == Err(Errno::ECANCELED))
    );
    all.iter().map(|one| one.user_data).collect()
}

#[test]
fn an_operation_is_cancelled() {
    let Some(mut ring) = ring(8) else { return };
    let second = Duration::from_secs(1);
    match ring.cancel_and_wait(Cancel::one().user_data(1), second) {
        Err(Errno::EINVAL) => return skip("an_operation_is_cancelled", "before Linux 6.0"),
        nothing => assert_eq!(nothing, Err(Errno::ENOENT)),
    }
    assert_eq!(ring.cancel_and_wait(Cancel::all(), second), Ok(0));
    let nowhere = ring.cancel_and_wait(Cancel::one().on(NO_FD), second);
    assert_eq!(nowhere, bad());

    let ((first, _one), (other, _two)) = (io::pipe().unwrap(), io::pipe().unwrap());
    let mut memory = [0_u8; 8];
    reads(&mut ring, [&first, &other], &mut memory);
    let by_number = Cancel::one().user_data(3);
    assert_eq!(ring.cancel_and_wait(by_number, second), Ok(0));
    assert_eq!(cancelled(&mut ring, 1), [3]);
    assert_eq!(ring.cancel_and_wait(by_number, second), Err(Errno::ENOENT));
    let by_descriptor = Cancel::all().on(first.as_raw_fd());
    assert_eq!(ring.cancel_and_wait(by_descriptor, second), Ok(2));
    assert_eq!(cancelled(&mut ring, 2), [1, 2]);
    let by_descriptor = Cancel::one().on(other.as_raw_fd());
    assert_eq!(ring.cancel_and_wait(by_descriptor, second), Ok(0));
    assert_eq!(cancelled(&mut ring, 1), [4]);
    reads(&mut ring, [&first, &other], &mut memory);
    assert_eq!(ring.cancel_and_wait(Cancel::all(), second), Ok(4));
    assert_eq!(cancelled(&mut ring, 4), [1, 2, 3, 4]);
}

#[test]
fn operations_of_one_kind_are_cancelled() {
    let test = "operations_of_one_kind_are_cancelled";
    let Some(mut ring) = ring(8) else { return };
    let ((first, one), (other, two)) = (io::pipe().unwrap(), io::pipe().unwrap());
    let mut memory = [0_u8; 8];
    reads(&mut ring, [&first, &other], &mut memory);
    push(
        &mut ring,
        Sqe::poll_add(first.as_raw_fd(), PollEvents::IN).user_data(5),
    );
    assert_eq!(ring.submit(), Ok(1));
    let polls = Cancel::all().opcode(Opcode::PollAdd);
    match ring.cancel_and_wait(polls, Duration::ZERO) {
        Err(Errno::EINVAL) => {
            drop((one, two));
            reap(&mut ring, 5);
            return skip(test, "before Linux 6.6");
        }
        cancelled => assert_eq!(cancelled, Ok(1)),
    }
    assert_eq!(cancelled(&mut ring, 1), [5]);
    let one_read = Cancel::one().on(other.as_raw_fd()).user_data(4);
    assert_eq!(ring.cancel_and_wait(one_read, Duration::ZERO), Ok(0));
    assert_eq!(cancelled(&mut ring, 1), [4]);
    assert_eq!(ring.cancel_and_wait(Cancel::all(), Duration::ZERO), Ok(3));
    assert_eq!(cancelled(&mut ring, 3), [1, 2, 3]);
}

/// What runs and cannot be interrupted is waited for: the file does not change any more.
#[test]
fn what_runs_is_waited_for() {
    const LENGTH: u32 = 16 << 20;
    if cfg!(target_arch = "riscv64") {
        let reason = "the kernel's worker was seen not to end such a write there (6.12 under QEMU)";
        return skip("what_runs_is_waited_for", reason);
    }
    let (_dir, file) = file(b"");
    let memory = vec![7_u8; LENGTH as usize];
    for _ in 0..20 {
        let Some(mut ring) = ring(8) else { return };
        for nth in 0..4 {
            let at = u64::from(LENGTH) * nth;
            let write = Sqe::write(raw(&file), memory.as_ptr(), LENGTH, at);
            push(&mut ring, write.user_data(nth));
        }
        ring.submit().unwrap();
        for nth in 0..4 {
            let (which, limit) = (Cancel::one().user_data(nth), Duration::from_millis(10));
            let mut cancelled = Err(Errno::ETIME);
            while cancelled == Err(Errno::ETIME) {
                cancelled = ring.cancel_and_wait(which, limit);
            }
            if cancelled == Err(Errno::EINVAL) {
                reap(&mut ring, 4);
                return skip("what_runs_is_waited_for", "before Linux 6.0");
            }
        }
        file.set_len(0).unwrap();
        thread::sleep(Duration::from_millis(2));
        assert_eq!(file.metadata().unwrap().len(), 0, "it was written to");
        reap(&mut ring, 4);
        assert_eq!(file.metadata().unwrap().len(), 0, "it was written to");
    }
}

#[test]
fn a_disabled_ring_is_enabled() {
    let flags = SetupFlags::R_DISABLED;
    let Some(mut ring) = made(IoUring::builder(2).setup_flags(flags).build()) else {
        return;
    };
    ring.push_nop(3).unwrap();
    assert_eq!(ring.submit(), Err(Errno::EBADFD));
    assert_eq!(ring.queued(), 1);
    ring.enable().unwrap();
    assert_eq!(ring.enable(), Err(Errno::EBADFD));
    assert_eq!(ring.wait().unwrap().user_data, 3);
}

fn eventfd() -> OwnedFd {
    // SAFETY: no address is passed.
    let raw = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    assert!(raw >= 0);
    // SAFETY: the kernel has just made it for us.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

/// What was added to the eventfd since it was last asked.
fn signalled(eventfd: &OwnedFd) -> u64 {
    let mut count = 0_u64;
    // SAFETY: the kernel writes eight bytes to a number.
    let read = unsafe { libc::read(eventfd.as_raw_fd(), (&raw mut count).cast(), 8) };
    assert_eq!(read == 8, count > 0);
    count
}

#[test]
fn an_eventfd_is_told_of_completions() {
    let Some(mut ring) = ring(4) else { return };
    let eventfd = eventfd();
    assert_eq!(ring.unregister_eventfd(), Err(Errno::ENXIO));
    assert_eq!(ring.register_eventfd(CWD), bad());
    let (_dir, plain) = file(b"");
    assert_eq!(ring.register_eventfd(lend(&plain)), Err(Errno::EINVAL));
    ring.register_eventfd(lend(&eventfd)).unwrap();
    let again = ring.register_eventfd(lend(&eventfd));
    assert_eq!(again, Err(Errno::EBUSY));
    assert_eq!(signalled(&eventfd), 0);
    assert_eq!(run(&mut ring, Sqe::nop()), Ok(0));
    assert!(signalled(&eventfd) > 0);
    ring.unregister_eventfd().unwrap();
    assert_eq!(run(&mut ring, Sqe::nop()), Ok(0));
    assert_eq!(signalled(&eventfd), 0);
}

#[test]
fn an_eventfd_is_told_of_later_completions_only() {
    // Completion work that is not deferred: what completes at once does so in the call.
    let Some(mut ring) = made(IoUring::builder(4).build()) else {
        return;
    };
    let eventfd = eventfd();
    assert_eq!(ring.register_eventfd_async(CWD), bad());
    if ring.register_eventfd_async(lend(&eventfd)) == Err(Errno::EINVAL) {
        let test = "an_eventfd_is_told_of_later_completions_only";
        return skip(test, "before Linux 5.6");
    }
    assert_eq!(ring.register_eventfd(lend(&eventfd)), Err(Errno::EBUSY));
    assert_eq!(run(&mut ring, Sqe::nop()), Ok(0));
    assert_eq!(signalled(&eventfd), 0);
    assert_eq!(run(&mut ring, Sqe::nop().force_async()), Ok(0));
    assert!(signalled(&eventfd) > 0);
    ring.unregister_eventfd().unwrap();
}

const LIMITS_AS_THEY_ARE: WorkerLimits = WorkerLimits {
    bounded: 0,
    unbounded: 0,
};

fn limits(ring: &mut IoUring) -> Result<WorkerLimits> {
    ring.limit_workers(LIMITS_AS_THEY_ARE)
}

fn bounded(ring: &mut IoUring) -> u32 {
    limits(ring).unwrap().bounded
}

fn in_a_thread(work: fn() -> Vec<u32>) -> Vec<u32> {
    thread::spawn(work).join().unwrap()
}

/// Each in a thread of its own, which has workers of its own.
#[test]
fn worker_limits_are_a_threads_and_its_first_rings() {
    let Some(mut first) = ring(1) else { return };
    if limits(&mut first).is_err() {
        let test = "worker_limits_are_a_threads_and_its_first_rings";
        return skip(test, "before Linux 5.15");
    }
    // SAFETY: a plain question.
    let processors = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    let most = 4 * u32::try_from(processors).unwrap();

    let small_first = in_a_thread(|| {
        let mut rings = [2, 4096].map(|entries| IoUring::new(entries).unwrap());
        rings.iter_mut().map(bounded).collect()
    });
    assert_eq!(small_first, [2, 2]);
    let large_first = in_a_thread(|| {
        let mut rings = [4096, 2].map(|entries| IoUring::new(entries).unwrap());
        rings.iter_mut().map(bounded).collect()
    });
    assert_eq!(large_first, [most.min(4096); 2]);
    // What one ring is told holds for the thread's other one, and for no other thread.
    let limited = in_a_thread(|| {
        let mut rings = [2, 2].map(|entries| IoUring::new(entries).unwrap());
        let three = WorkerLimits {
            bounded: 3,
            unbounded: 5,
        };
        rings[0].limit_workers(three).unwrap();
        assert_eq!(limits(&mut rings[1]), Ok(three));
        let other = thread::spawn(|| bounded(&mut IoUring::new(2).unwrap()));
        vec![bounded(&mut rings[1]), other.join().unwrap()]
    });
    assert_eq!(limited, [3, 2]);
}
