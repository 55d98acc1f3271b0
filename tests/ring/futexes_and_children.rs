//! Waiting for other threads and processes.

use std::process::{Child, Command, Stdio};
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use annulet::ring::{
    Cancel, ChildInfo, FutexFlags, FutexWaitv, IoUring, Opcode, Sqe, WaitFor, WaitOptions,
};
use annulet::sys::Errno;

use super::operations::has;
use super::support::{NO_FD, adopt, push, raw, reap, results, ring, run};

const ANY: u32 = u32::MAX;
const OURS: FutexFlags = FutexFlags::PRIVATE;

/// Wakes as a thread without a ring does.
fn wake(word: &AtomicU32, count: u32) -> i64 {
    const FUTEX_WAKE_PRIVATE: libc::c_int = 1 | 128;
    // SAFETY: the word is borrowed for the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), FUTEX_WAKE_PRIVATE, count) }
}

#[test]
fn futex_wait_is_woken_by_a_thread() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::FutexWait, "futex_wait") {
        return;
    }
    let word = Arc::new(AtomicU32::new(5));
    let wait = Sqe::futex_wait(Arc::as_ptr(&word), 5, ANY, OURS);
    push(&mut ring, wait.user_data(1));
    ring.submit().unwrap();
    let other = Arc::clone(&word);
    let thread = std::thread::spawn(move || {
        other.store(6, Ordering::Release);
        wake(&other, 1)
    });
    assert_eq!(thread.join().unwrap(), 1);
    assert_eq!(ring.wait().unwrap().into_result(), Ok(0));
    // The word is not what is expected any more.
    assert_eq!(run(&mut ring, wait), Err(Errno::EAGAIN));
}

#[test]
fn futex_wake_by_masks() {
    let Some(mut ring) = ring(8) else { return };
    if !has(&ring, Opcode::FutexWait, "futex_wake_by_masks") {
        return;
    }
    for flags in [OURS, FutexFlags::empty()] {
        let word = AtomicU32::new(0);
        let at = &raw const word;
        for (user_data, mask) in [(1, 1), (2, 2), (3, 3)] {
            let wait = Sqe::futex_wait(at, 0, mask, flags);
            push(&mut ring, wait.user_data(user_data));
        }
        ring.submit().unwrap();
        let mut woken = |count, mask| {
            push(&mut ring, Sqe::futex_wake(at, count, mask, flags));
            let woken = ring.wait().unwrap();
            // The one who wakes completes first.
            assert_eq!(woken.user_data, 0);
            let woken = woken.into_result().unwrap();
            let mut who = (0..woken)
                .map(|_| ring.wait().unwrap().user_data)
                .collect::<Vec<_>>();
            who.sort_unstable();
            who
        };
        assert_eq!(woken(9, 4), []);
        assert_eq!(woken(0, ANY), []);
        assert_eq!(woken(9, 2), [2, 3]);
        assert_eq!(woken(9, ANY), [1]);
    }
    let word = AtomicU32::new(0);
    let at = &raw const word;
    for sqe in [
        Sqe::futex_wait(at, 0, 0, OURS),
        Sqe::futex_wake(at, 1, 0, OURS),
        Sqe::futex_wait(at.wrapping_byte_add(1), 0, ANY, OURS),
    ] {
        assert_eq!(run(&mut ring, sqe), Err(Errno::EINVAL), "{sqe:?}");
    }
    let nowhere = Sqe::futex_wait(std::ptr::null(), 0, ANY, OURS);
    assert_eq!(run(&mut ring, nowhere), Err(Errno::EFAULT));
}

#[test]
fn futex_waitv() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::FutexWaitv, "futex_waitv") {
        return;
    }
    let words = [const { AtomicU32::new(3) }; 4];
    let futexes = [0, 1, 2, 3].map(|i: usize| FutexWaitv::new(&raw const words[i], 3, OURS));
    let wait = Sqe::futex_waitv(futexes.as_ptr(), 4);
    push(&mut ring, wait);
    ring.submit().unwrap();
    words[2].store(4, Ordering::Release);
    assert_eq!(wake(&words[2], 1), 1);
    assert_eq!(ring.wait().unwrap().into_result(), Ok(2));
    assert_eq!(run(&mut ring, wait), Err(Errno::EAGAIN));
    let none = Sqe::futex_waitv(futexes.as_ptr(), 0);
    assert_eq!(run(&mut ring, none), Err(Errno::EINVAL));
    let many = Sqe::futex_waitv(futexes.as_ptr(), 129);
    assert_eq!(run(&mut ring, many), Err(Errno::EINVAL));
    // Called off.
    let wait = Sqe::futex_waitv(futexes.as_ptr(), 2).user_data(1);
    push(&mut ring, wait);
    push(&mut ring, Sqe::cancel(1).user_data(2));
    let seen = reap(&mut ring, 2);
    assert_eq!(seen[0].into_result(), Err(Errno::ECANCELED));
    assert_eq!(seen[1].into_result(), Ok(1));
}

/// All that wait for futexes count as one.
#[test]
fn futexes_called_off_together() {
    let Some(mut ring) = ring(8) else { return };
    if !has(&ring, Opcode::FutexWait, "futexes_called_off_together") {
        return;
    }
    let word = AtomicU32::new(0);
    let wait = Sqe::futex_wait(&raw const word, 0, ANY, OURS);
    for user_data in 0..3 {
        push(&mut ring, wait.user_data(user_data));
    }
    let all = Sqe::cancel_matching(Cancel::all());
    push(&mut ring, all.user_data(9));
    let seen = results(&mut ring, 4);
    assert_eq!(seen[..3], [Err(Errno::ECANCELED); 3]);
    assert_eq!(seen[3], Ok(1));
}

/// A child that lives until its standard input is closed, and then exits with 3.
fn child() -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "read line; exit 3"]);
    command.stdin(Stdio::piped()).spawn().unwrap()
}

fn pid(child: &Child) -> i32 {
    child.id().cast_signed()
}

/// Waits for the change of a child, which it is told to make once somebody waits.
fn waited(ring: &mut IoUring, wait: Sqe, change: impl FnOnce()) -> Result<u32, Errno> {
    push(ring, wait.user_data(4));
    ring.submit_and_wait(0).unwrap();
    assert_eq!(ring.complete(), None);
    change();
    ring.wait().unwrap().into_result()
}

#[test]
#[allow(clippy::zombie_processes)] // the ring waits for it
fn waitid() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::Waitid, "waitid") {
        return;
    }
    let mut child = child();
    let number = pid(&child);
    let which = WaitFor::Pid(number);
    let exited = WaitOptions::EXITED;
    let mut info = ChildInfo::default();
    let at = &raw mut info;

    // It has not ended.
    let look = Sqe::waitid(which, at, exited | WaitOptions::NOHANG);
    assert_eq!(run(&mut ring, look), Ok(0));
    assert_eq!(info, ChildInfo::default());
    // Stopped, and going on.
    // SAFETY: a signal to a child of ours that nobody has waited for.
    let send = |signal| assert_eq!(unsafe { libc::kill(number, signal) }, 0);
    let stopped = Sqe::waitid(which, at, WaitOptions::STOPPED);
    let seen = waited(&mut ring, stopped, || send(libc::SIGSTOP));
    assert_eq!(seen, Ok(0));
    assert_eq!(
        (info.code, info.status),
        (ChildInfo::STOPPED, libc::SIGSTOP)
    );
    let goes_on = Sqe::waitid(which, at, WaitOptions::CONTINUED);
    let seen = waited(&mut ring, goes_on, || send(libc::SIGCONT));
    assert_eq!((seen, info.code), (Ok(0), ChildInfo::CONTINUED));
    // Ended, and kept, by its descriptor.
    // SAFETY: the call takes numbers.
    let open = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) };
    let pidfd = adopt(u32::try_from(open).unwrap());
    let by_fd = WaitFor::PidFd(raw(&pidfd));
    let keep = Sqe::waitid(by_fd, at, exited | WaitOptions::NOWAIT);
    let stdin = child.stdin.take();
    let seen = waited(&mut ring, keep, move || drop(stdin));
    assert_eq!(seen, Ok(0));
    let expected = (libc::SIGCHLD, ChildInfo::EXITED, 3, number);
    assert_eq!((info.signo, info.code, info.status, info.pid), expected);
    // For good, with nothing written.
    assert_eq!(
        run(&mut ring, Sqe::waitid(which, null_mut(), exited)),
        Ok(0)
    );
    let gone = Sqe::waitid(which, at, exited);
    assert_eq!(run(&mut ring, gone), Err(Errno::ECHILD));
    assert_eq!(info, ChildInfo::default());
    let wrong = Sqe::waitid(which, at, WaitOptions::empty());
    assert_eq!(run(&mut ring, wrong), Err(Errno::EINVAL));
    let by_fd = WaitFor::PidFd(NO_FD);
    let wrong = Sqe::waitid(by_fd, at, exited);
    assert_eq!(run(&mut ring, wrong), Err(Errno::EBADF));
}

/// Any child of a group that holds but one.
#[test]
#[allow(clippy::zombie_processes)] // as above
fn waitid_of_a_group_and_called_off() {
    use std::os::unix::process::CommandExt as _;
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::Waitid, "waitid_of_a_group") {
        return;
    }
    let mut command = Command::new("sh");
    command.args(["-c", "read line; exit 3"]).process_group(0);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let group = WaitFor::Group(pid(&child));
    let mut info = ChildInfo::default();
    let wait = Sqe::waitid(group, &raw mut info, WaitOptions::EXITED);
    push(&mut ring, wait.user_data(1));
    push(&mut ring, Sqe::cancel(1).user_data(2));
    let seen = reap(&mut ring, 2);
    assert_eq!(seen[0].into_result(), Err(Errno::ECANCELED));
    assert_eq!(seen[1].into_result(), Ok(1));
    let stdin = child.stdin.take();
    assert_eq!(waited(&mut ring, wait, move || drop(stdin)), Ok(0));
    assert_eq!((info.pid, info.status), (pid(&child), 3));
}
