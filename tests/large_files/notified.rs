//! System calls that somebody else is asked about before they are made (`man 2 seccomp_unotify`):
//! unlike a tracer he hears of all threads, and only of the calls that he asked for.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::mpsc;
use std::thread;

/// What becomes of a call.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// It is made.
    Made,
    /// It fails with this error.
    Refused(i32),
}

/// The calls that move data out of a file or out of a pipe, or have a ring do so.
pub const READING: [libc::c_long; 9] = [
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_splice,
    libc::SYS_sendfile,
    libc::SYS_copy_file_range,
    libc::SYS_io_uring_enter,
];

/// Answers the next call, if there is one by now. Says whether it was one of the program's: the
/// thread `own` waits for what it started, and reads what that said.
fn answer_next(listener: &File, own: libc::pid_t, answer: impl FnOnce() -> Answer) -> bool {
    let Some(mut call) = next_call(listener) else {
        return false;
    };
    let is_own = call.pid.cast_signed() == own;
    let decided = if is_own { Answer::Made } else { answer() };
    reply(listener, &mut call, decided);
    !is_own
}

/// Runs `work` in a thread of its own, and has `answer` decide on each of `calls` that processes
/// started by it make: it is given how many there were before. Returns what `work` gives, and how
/// many calls there were.
///
/// # Errors
///
/// Where there is no such notification.
///
/// # Panics
///
/// If `work` or `answer` does.
pub fn notified<T: Send>(
    calls: &[libc::c_long],
    mut answer: impl FnMut(usize) -> Answer,
    work: impl FnOnce() -> T + Send,
) -> io::Result<(T, usize)> {
    let (sender, receiver) = mpsc::channel();
    let mut before = 0;
    thread::scope(|scope| {
        let worker = scope.spawn(move || {
            // SAFETY: takes nothing and cannot fail.
            let own = unsafe { libc::gettid() };
            let listener = listen(calls)?;
            sender.send((own, listener)).expect("a receiver");
            Ok(work())
        });
        if let Ok((own, listener)) = receiver.recv() {
            while !worker.is_finished() {
                let is_counted = answer_next(&listener, own, || answer(before));
                before += usize::from(is_counted);
            }
        }
        match worker.join() {
            Ok(done) => done.map(|done| (done, before)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Has the calling thread and all that it starts wait for an answer before each of these calls.
fn listen(calls: &[libc::c_long]) -> io::Result<File> {
    let step = |code: u32, k, jt, jf| libc::sock_filter {
        code: u16::try_from(code).expect("a code"),
        jt,
        jf,
        k,
    };
    let answer = libc::BPF_RET | libc::BPF_K;
    // The call's number is what `struct seccomp_data` begins with.
    let mut filter = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    for &call in calls {
        let number = u32::try_from(call).expect("a call number");
        let is_it = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        filter.push(step(is_it, number, 0, 1));
        filter.push(step(answer, libc::SECCOMP_RET_USER_NOTIF, 0, 0));
    }
    filter.push(step(answer, libc::SECCOMP_RET_ALLOW, 0, 0));
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).expect("a short filter"),
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: takes numbers; concerns the calling thread and what it starts.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `program` is a filter that the call only reads.
    let listener = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    if listener < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that nobody else has.
    Ok(unsafe { File::from_raw_fd(i32::try_from(listener).expect("a descriptor")) })
}

/// The next call that waits for an answer, if one comes soon.
fn next_call(listener: &File) -> Option<libc::seccomp_notif> {
    let mut poll = libc::pollfd {
        fd: listener.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one writable pollfd.
    if unsafe { libc::poll(&raw mut poll, 1, 10) } != 1 || poll.revents & libc::POLLIN == 0 {
        return None;
    }
    // SAFETY: all zeros are a `struct seccomp_notif`, and what the kernel wants.
    let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    let request = libc::SECCOMP_IOCTL_NOTIF_RECV;
    // SAFETY: writes the structure. It fails where who made the call was killed.
    let received = unsafe { libc::ioctl(listener.as_raw_fd(), request, &raw mut call) };
    (received == 0).then_some(call)
}

/// Answers a call.
fn reply(listener: &File, call: &mut libc::seccomp_notif, answer: Answer) {
    let go_on = u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).expect("a flag");
    let (error, flags) = match answer {
        Answer::Made => (0, go_on),
        Answer::Refused(errno) => (-errno, 0),
    };
    let mut response = libc::seccomp_notif_resp {
        id: call.id,
        val: 0,
        error,
        flags,
    };
    let request = libc::SECCOMP_IOCTL_NOTIF_SEND;
    // SAFETY: reads the structure. It fails where who made the call was killed.
    unsafe { libc::ioctl(listener.as_raw_fd(), request, &raw mut response) };
}
