//! Starting a program where things are not as they should be: as another user, with closed
//! descriptors, low limits, refused system calls, other mounts; and ending it when it hangs.
#![allow(unsafe_code, dead_code)]

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek};
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::{Ran, is_root, temp_dir, temp_dir_in};

/// The user that tests become who must not be root: `nobody`.
pub const NOBODY: u32 = 65534;

/// A system call that is answered with an errno instead of being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The call's number.
    pub call: libc::c_long,
    /// Only where the second argument's lower half is this (an ioctl's request).
    pub request: Option<u32>,
    /// The answer.
    pub errno: i32,
}

/// `fchmodat2`'s number, on every architecture; `libc` knows it of some only.
pub const SYS_FCHMODAT2: libc::c_long = 452;

/// Refuses `call`, whatever its arguments.
#[must_use]
pub const fn refuse(call: libc::c_long, errno: i32) -> Refused {
    Refused {
        call,
        request: None,
        errno,
    }
}

/// Where and as whom a program runs. The default is: as the test itself, all as usual.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The user and group to become.
    pub user: Option<u32>,
    /// The umask.
    pub umask: u32,
    /// Limits by `RLIMIT_` number, soft and hard.
    pub limits: Vec<(libc::__rlimit_resource_t, u64)>,
    /// Standard descriptors to start without.
    pub closed: Vec<i32>,
    /// Further descriptors to start with.
    pub taken: Range<i32>,
    /// Signals to start with ignored.
    pub ignored: Vec<i32>,
    /// Calls that are refused.
    pub refused: Vec<Refused>,
    /// Calls that are refused where an argument is so: call, number of the argument from 0, value
    /// of its lower half, answer.
    pub refused_with: Vec<(libc::c_long, u32, u32, i32)>,
    /// Calls that end the program at once, by SIGSYS.
    pub deadly: Vec<libc::c_long>,
    /// Environment besides `LC_ALL=C`.
    pub env: Vec<(&'static str, &'static str)>,
    /// What standard input reads; nothing if absent.
    pub stdin: Option<PathBuf>,
    /// Where standard output goes, instead of to the test.
    pub stdout: Option<PathBuf>,
    /// A folder to take for the root; the program's path is one in there.
    pub chroot: Option<PathBuf>,
    /// What to do about `/proc`: keep it, take it away, put an empty folder over it.
    pub proc: Proc,
    /// How long it may run before it is killed if it waits for something; if it is at work, as
    /// it may be on a busy machine, it has a few times as long.
    pub limit: Duration,
}

/// What becomes of `/proc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proc {
    /// It stays.
    Kept,
    /// It is unmounted.
    Gone,
    /// Something else is mounted there.
    Hidden,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            user: None,
            umask: 0o022,
            limits: Vec::new(),
            closed: Vec::new(),
            taken: 0..0,
            ignored: Vec::new(),
            refused: Vec::new(),
            refused_with: Vec::new(),
            deadly: Vec::new(),
            env: Vec::new(),
            stdin: None,
            stdout: None,
            chroot: None,
            proc: Proc::Kept,
            limit: Duration::from_secs(10),
        }
    }
}

/// A command that starts `program` under the name `cp`, in the C locale and nothing else.
#[must_use]
pub fn cp_command<S: AsRef<OsStr>>(program: &Path, args: &[S], dir: &Path) -> Command {
    command_named("cp", program, args, dir)
}

/// The same under another name.
#[must_use]
pub fn command_named<S: AsRef<OsStr>>(
    name: &str,
    program: &Path,
    args: &[S],
    dir: &Path,
) -> Command {
    let mut command = Command::new(program);
    command
        .arg0(name)
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("LC_ALL", "C");
    command
}

/// Runs `program` under the name `cp` with `args` in `dir`. One that is still running after
/// the limit is killed, which the end of `stderr` says.
///
/// # Panics
///
/// If it cannot be started.
#[must_use]
pub fn cp<S: AsRef<OsStr>>(program: &Path, args: &[S], dir: &Path, setting: &Setting) -> Ran {
    let mut command = cp_command(program, args, dir);
    command.envs(setting.env.iter().copied());
    run(&mut command, setting)
}

/// Runs a command in `setting`.
///
/// # Panics
///
/// If it cannot be started.
#[must_use]
pub fn run(command: &mut Command, setting: &Setting) -> Ran {
    let line = format!("{command:?}");
    let (mut stdout, mut stderr) = (memory_file(), memory_file());
    let pid = spawn(
        command,
        setting,
        usual(setting, &stdout, &stderr),
        false,
        &line,
    );
    let ended = wait(pid, setting.limit);
    ran(ended, &mut stdout, &mut stderr, line)
}

/// As [`run`], with a standard input and output of the caller's. Of them nothing is open any more
/// when it returns, but for what the caller has.
///
/// # Panics
///
/// If it cannot be started.
#[must_use]
pub fn run_between(command: &mut Command, setting: &Setting, ends: [Stdio; 2]) -> Ran {
    let line = format!("{command:?}");
    let (mut nothing, mut stderr) = (memory_file(), memory_file());
    let [stdin, stdout] = ends;
    let ends = [stdin, stdout, own(&stderr)];
    let pid = spawn(command, setting, ends, false, &line);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let ended = wait(pid, setting.limit);
    ran(ended, &mut nothing, &mut stderr, line)
}

/// What became of a child that has ended, or that hung and was killed.
fn ran(
    (status, hung): (ExitStatus, bool),
    stdout: &mut File,
    stderr: &mut File,
    command: String,
) -> Ran {
    let mut stderr = String::from_utf8_lossy(&contents(stderr)).into_owned();
    if hung {
        stderr.push_str("(killed, as it did not end)\n");
    }
    Ran {
        status: status
            .code()
            .unwrap_or_else(|| -status.signal().unwrap_or(0)),
        stdout: contents(stdout),
        stderr,
        command,
    }
}

/// As [`cp`]; also returns the largest resident set it had, in KiB. That is read when the
/// program is about to exit and not from `wait4`, whose figure includes what the process was
/// before exec: a copy of this test.
///
/// # Panics
///
/// If it cannot be started or traced.
#[must_use]
pub fn cp_measured(
    program: &Path,
    args: &[&OsStr],
    dir: &Path,
    setting: &Setting,
) -> (ExitStatus, u64) {
    let mut command = cp_command(program, args, dir);
    let line = format!("{command:?}");
    let (stdout, stderr) = (memory_file(), memory_file());
    let pid = spawn(
        &mut command,
        setting,
        usual(setting, &stdout, &stderr),
        true,
        &line,
    );
    assert!(stopped(pid), "{line}: not stopped at exec");
    ptrace(
        libc::PTRACE_SETOPTIONS,
        pid,
        libc::PTRACE_O_TRACEEXIT | libc::PTRACE_O_EXITKILL,
    );
    ptrace(libc::PTRACE_CONT, pid, 0);
    assert!(stopped(pid), "{line}: not stopped at exit");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    let peak = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .and_then(|l| l.trim().strip_suffix(" kB")?.parse().ok())
        .expect("a VmHWM line");
    ptrace(libc::PTRACE_CONT, pid, 0);
    (wait(pid, setting.limit).0, peak)
}

/// As [`cp`]; calls `watch` with the number of each system call that the program is about to make,
/// while it waits.
///
/// # Panics
///
/// If it cannot be started or traced.
#[must_use]
pub fn cp_watched<S: AsRef<OsStr>>(
    program: &Path,
    args: &[S],
    dir: &Path,
    setting: &Setting,
    mut watch: impl FnMut(libc::c_long),
) -> Ran {
    let mut command = cp_command(program, args, dir);
    let line = format!("{command:?}");
    let (mut stdout, mut stderr) = (memory_file(), memory_file());
    let pid = spawn(
        &mut command,
        setting,
        usual(setting, &stdout, &stderr),
        true,
        &line,
    );
    assert!(stopped(pid), "{line}: not stopped at exec");
    let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL;
    ptrace(libc::PTRACE_SETOPTIONS, pid, options);
    let (ended, end) = mpsc::channel::<()>();
    let limit = setting.limit * MOST_LIMITS;
    let (status, hung) = thread::scope(|scope| {
        let watchdog = scope.spawn(move || {
            let hung = end.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout);
            if hung {
                // SAFETY: takes two numbers; the child has not been waited for to its end.
                unsafe { libc::kill(pid, libc::SIGKILL) };
            }
            hung
        });
        let status = trace(pid, &mut watch);
        drop(ended);
        (status, watchdog.join().expect("a watchdog"))
    });
    ran((status, hung), &mut stdout, &mut stderr, line)
}

/// Lets a traced child, which is stopped, go on to its end, from system call to system call.
fn trace(pid: libc::pid_t, watch: &mut impl FnMut(libc::c_long)) -> ExitStatus {
    let (mut entering, mut signal) = (true, 0);
    loop {
        // SAFETY: the child is ours and traced; this request touches no memory of ours. One that
        // was killed meanwhile is no error: its end is next.
        unsafe {
            libc::ptrace(
                libc::PTRACE_SYSCALL,
                pid,
                0_usize,
                libc::c_long::from(signal),
            )
        };
        let mut status = 0;
        // SAFETY: waits for a child of ours; `status` is writable.
        let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        assert_eq!(waited, pid, "waitpid: {}", io::Error::last_os_error());
        if !libc::WIFSTOPPED(status) {
            return ExitStatus::from_raw(status);
        }
        signal = libc::WSTOPSIG(status);
        if signal == libc::SIGTRAP | 0x80 {
            signal = 0;
            if entering {
                watch(call_number(pid));
            }
            entering = !entering;
        }
    }
}

/// The system call that a stopped child is about to make.
fn call_number(pid: libc::pid_t) -> libc::c_long {
    // SAFETY: all zeros are a `ptrace_syscall_info`.
    let mut call: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
    let request = libc::PTRACE_GET_SYSCALL_INFO;
    // SAFETY: the child is ours, traced and stopped; so many bytes of `call` are written at most.
    unsafe { libc::ptrace(request, pid, size_of_val(&call), &raw mut call) };
    assert_eq!(call.op, libc::PTRACE_SYSCALL_INFO_ENTRY, "before a call");
    // SAFETY: of a call that begins the kernel writes `entry`; and any bytes are numbers.
    let entry = unsafe { call.u.entry };
    libc::c_long::try_from(entry.nr).expect("a call's number")
}

fn ptrace(request: libc::c_uint, pid: libc::pid_t, data: libc::c_int) {
    // SAFETY: the child is ours, traced and stopped; these requests touch no memory of ours.
    let done = unsafe { libc::ptrace(request, pid, 0_usize, libc::c_long::from(data)) };
    assert_eq!(done, 0, "ptrace: {}", io::Error::last_os_error());
}

fn stopped(pid: libc::pid_t) -> bool {
    let mut status = 0;
    // SAFETY: waits for a child of ours; `status` is writable.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    waited == pid && libc::WIFSTOPPED(status)
}

/// The standard descriptors as `setting` has them; what is said goes to `stdout` and `stderr`.
fn usual(setting: &Setting, stdout: &File, stderr: &File) -> [Stdio; 3] {
    let open = |path: &Path, how: &OpenOptions| Stdio::from(how.open(path).expect("a file"));
    let (read, write) = (&mut OpenOptions::new(), &mut OpenOptions::new());
    let (read, write) = (read.read(true), write.write(true));
    let stdin = setting.stdin.as_ref().map(|path| open(path, read));
    let to = setting.stdout.as_ref().map(|path| open(path, write));
    [
        stdin.unwrap_or_else(Stdio::null),
        to.unwrap_or_else(|| own(stdout)),
        own(stderr),
    ]
}

fn own(file: &File) -> Stdio {
    file.try_clone().expect("a descriptor").into()
}

fn spawn(
    command: &mut Command,
    setting: &Setting,
    [stdin, stdout, stderr]: [Stdio; 3],
    traced: bool,
    line: &str,
) -> libc::pid_t {
    command.stdin(stdin).stdout(stdout).stderr(stderr);
    let mut prepare = Prepare::new(setting, traced);
    // SAFETY: between fork and exec only system calls are made; nothing is allocated.
    unsafe {
        command.pre_exec(move || prepare.run());
    }
    #[allow(clippy::zombie_processes)] // the caller waits, by number
    let child = loop {
        match command.spawn() {
            // A program that was written a moment ago: what another test has just forked still
            // holds the descriptor it was written by, until its own exec.
            Err(e) if e.kind() == io::ErrorKind::ExecutableFileBusy => {
                thread::sleep(Duration::from_millis(1));
            }
            started => break started.unwrap_or_else(|e| panic!("cannot start {line}: {e}")),
        }
    };
    libc::pid_t::try_from(child.id()).expect("a process number")
}

/// Everything that has to be done in the child, with its memory already taken.
struct Prepare {
    setting: Setting,
    chroot: Option<CString>,
    filter: Vec<libc::sock_filter>,
    traced: bool,
}

/// A system call's answer as a result.
fn check(answer: impl Into<i64>) -> io::Result<()> {
    if answer.into() < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

impl Prepare {
    fn new(setting: &Setting, traced: bool) -> Self {
        Self {
            chroot: setting.chroot.as_ref().map(|path| c_path(path)),
            filter: filter(setting),
            setting: setting.clone(),
            traced,
        }
    }

    fn run(&mut self) -> io::Result<()> {
        let setting = &self.setting;
        if setting.proc != Proc::Kept {
            own_mounts()?;
            unmount(c"/proc")?;
        }
        if setting.proc == Proc::Hidden {
            mount_tmpfs(c"/proc", c"size=64k")?;
        }
        if let Some(root) = &self.chroot {
            // SAFETY: a path that ends in NUL.
            check(unsafe { libc::chroot(root.as_ptr()) })?;
            // SAFETY: as above.
            check(unsafe { libc::chdir(c"/".as_ptr()) })?;
        }
        if let Some(id) = setting.user {
            // SAFETY: an empty list is not read.
            check(unsafe { libc::setgroups(0, std::ptr::null()) })?;
            // SAFETY: takes numbers only.
            check(unsafe { libc::setresgid(id, id, id) })?;
            // SAFETY: takes numbers only.
            check(unsafe { libc::setresuid(id, id, id) })?;
        }
        // SAFETY: takes a number and cannot fail.
        unsafe { libc::umask(setting.umask) };
        for &signal in &setting.ignored {
            // SAFETY: no handler of ours is involved.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
        if self.traced {
            // SAFETY: lets the parent trace this process; the other arguments are not used.
            check(unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0_usize, 0_usize) })?;
        }
        for &(resource, value) in &setting.limits {
            let limit = libc::rlimit {
                rlim_cur: value,
                rlim_max: value,
            };
            // SAFETY: `limit` is readable.
            check(unsafe { libc::setrlimit(resource, &raw const limit) })?;
        }
        for fd in setting.taken.clone() {
            // SAFETY: takes numbers; nothing that this process still needs has such a one.
            check(unsafe { libc::dup2(0, fd) })?;
        }
        for &fd in &setting.closed {
            // SAFETY: a standard descriptor of a process that is about to exec.
            unsafe { libc::close(fd) };
        }
        if self.filter.len() > 1 {
            self.refuse_calls()?;
        }
        Ok(())
    }

    fn refuse_calls(&mut self) -> io::Result<()> {
        let program = libc::sock_fprog {
            len: u16::try_from(self.filter.len()).unwrap_or(0),
            filter: self.filter.as_mut_ptr(),
        };
        // SAFETY: takes numbers only.
        check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
        // SAFETY: `program` describes the filter, which outlives the call.
        check(unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                0,
                &raw const program,
            )
        })
    }
}

/// A seccomp program (`man 2 seccomp`): the call's number is compared with one after the
/// other; whatever is not refused is allowed.
fn filter(setting: &Setting) -> Vec<libc::sock_filter> {
    const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    // Offsets in struct seccomp_data.
    const NUMBER: u32 = 0;
    const ARGUMENTS: u32 = 16;
    let step = |code, k, jt, jf| libc::sock_filter { code, jt, jf, k };
    let mut steps = Vec::new();
    let number = |call: libc::c_long| u32::try_from(call).expect("a call number");
    for &call in &setting.deadly {
        steps.push(step(LOAD, NUMBER, 0, 0));
        steps.push(step(EQUAL, number(call), 0, 1));
        steps.push(step(RETURN, libc::SECCOMP_RET_KILL_PROCESS, 0, 0));
    }
    let plain = setting.refused.iter().map(|refused| {
        let when = refused.request.map(|request| (1, request));
        (refused.call, when, refused.errno)
    });
    let with = setting.refused_with.iter();
    let with = with.map(|&(call, number, value, errno)| (call, Some((number, value)), errno));
    for (call, when, errno) in plain.chain(with) {
        let call = number(call);
        steps.push(step(LOAD, NUMBER, 0, 0));
        if let Some((number, value)) = when {
            steps.push(step(EQUAL, call, 0, 3));
            steps.push(step(LOAD, ARGUMENTS + 8 * number, 0, 0));
            steps.push(step(EQUAL, value, 0, 1));
        } else {
            steps.push(step(EQUAL, call, 0, 1));
        }
        let answer = libc::SECCOMP_RET_ERRNO | errno.unsigned_abs();
        steps.push(step(RETURN, answer, 0, 0));
    }
    steps.push(step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0));
    steps
}

/// How many times its limit a program may run that is at work.
const MOST_LIMITS: u32 = 5;
/// How long a program is watched before it is said to be waiting.
const WATCHED: Duration = Duration::from_millis(300);

/// What the threads of a process do, by number: how long each has run and waited to run, or
/// nothing of one that could run now, or waits for a disk.
fn activity(pid: libc::pid_t) -> BTreeMap<OsString, Option<String>> {
    let mut threads = BTreeMap::new();
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    for task in tasks.into_iter().flatten().flatten() {
        let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        // Behind the name, which ends in the last parenthesis.
        let stat = read("stat");
        let state = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next());
        let waits = state == Some('S');
        threads.insert(task.file_name(), waits.then(|| read("schedstat")));
    }
    threads
}

/// Waits for a child, and kills it when it runs for longer than `limit` ([`Setting::limit`]).
fn wait(pid: libc::pid_t, limit: Duration) -> (ExitStatus, bool) {
    // SAFETY: takes two numbers; the child has not been waited for, so the number is its own.
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let pidfd = i32::try_from(pidfd).expect("a descriptor");
    assert!(pidfd >= 0, "pidfd_open: {}", io::Error::last_os_error());
    // SAFETY: a descriptor that nobody else has.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let mut poll = libc::pollfd {
        fd: pidfd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let mut runs_for = |time: Duration| {
        let timeout = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: one writable pollfd.
        let ready = unsafe { libc::poll(&raw mut poll, 1, timeout) };
        ready == 0
    };
    let mut hung = runs_for(limit);
    for _ in 1..MOST_LIMITS {
        if !hung {
            break;
        }
        let before = activity(pid);
        hung = runs_for(WATCHED);
        let waits = before.values().all(Option::is_some) && before == activity(pid);
        if !hung || waits {
            break;
        }
        hung = runs_for(limit);
    }
    if hung {
        // SAFETY: takes two numbers; the child has not been waited for.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
    let mut status = 0;
    // SAFETY: waits for a child of ours; `status` is writable.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(waited, pid, "waitpid: {}", io::Error::last_os_error());
    (ExitStatus::from_raw(status), hung)
}

/// A file without a name, in memory: takes what a program says however much it is.
pub fn memory_file() -> File {
    // SAFETY: a name that ends in NUL.
    let fd = unsafe { libc::memfd_create(c"output".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(fd >= 0, "memfd_create: {}", io::Error::last_os_error());
    // SAFETY: a descriptor that nobody else has.
    unsafe { File::from_raw_fd(fd) }
}

pub fn contents(file: &mut File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.rewind().expect("rewind");
    file.read_to_end(&mut bytes).expect("what was written");
    bytes
}

/// What is known of the file system that holds `path`.
pub fn statfs(path: &Path) -> libc::statfs {
    let path = c_path(path);
    // SAFETY: all zeros are a `struct statfs`.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: a C string, and a structure to write.
    assert_eq!(unsafe { libc::statfs(path.as_ptr(), &raw mut found) }, 0);
    found
}

/// A path for a system call.
#[must_use]
pub fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("a path without NUL")
}

/// Gives the calling thread mounts of its own, which go when it and its children have ended,
/// however they end. Takes root.
///
/// The names in `/dev` are read-only there, if that is a mount: a program that is wrong removes
/// or replaces no device that others use.
///
/// # Errors
///
/// As `unshare(2)`.
pub fn own_mounts() -> io::Result<()> {
    // SAFETY: concerns the calling thread only.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    let change = |at: &std::ffi::CStr, flags| {
        // SAFETY: paths that end in NUL; no type or data.
        check(unsafe {
            libc::mount(
                c"none".as_ptr(),
                at.as_ptr(),
                std::ptr::null(),
                flags,
                std::ptr::null(),
            )
        })
    };
    change(c"/", libc::MS_REC | libc::MS_PRIVATE)?;
    let read_only = libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY;
    // On a plain machine it is one.
    let _ = change(c"/dev", read_only);
    Ok(())
}

/// Mounts an empty file system in memory at `path`.
///
/// # Errors
///
/// As `mount(2)`.
pub fn mount_tmpfs(path: &std::ffi::CStr, options: &std::ffi::CStr) -> io::Result<()> {
    mount(c"tmpfs", path, options)
}

/// Mounts a file system that needs no device at `path`.
///
/// # Errors
///
/// As `mount(2)`.
pub fn mount(
    kind: &std::ffi::CStr,
    path: &std::ffi::CStr,
    options: &std::ffi::CStr,
) -> io::Result<()> {
    // SAFETY: texts that end in NUL.
    check(unsafe {
        libc::mount(
            c"none".as_ptr(),
            path.as_ptr(),
            kind.as_ptr(),
            0,
            options.as_ptr().cast(),
        )
    })
}

/// Shows directory `from` at `to` as well.
///
/// # Errors
///
/// As `mount(2)`.
pub fn bind(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to, none) = (c_path(from), c_path(to), std::ptr::null());
    // SAFETY: texts that end in NUL, and no type or data, which a bind mount has not.
    check(unsafe { libc::mount(from.as_ptr(), to.as_ptr(), none, libc::MS_BIND, none.cast()) })
}

/// Leaves the calling thread and its children nothing to write to but what is below `path`, of
/// the file system that the root is on: random commands by root are to harm nobody. Where that
/// cannot be had it is as it was. Takes mounts of one's own.
pub fn write_below_only(path: &Path) {
    let path = c_path(path);
    let mount = |at: &CString, flags| {
        let none = c"none".as_ptr();
        let data = std::ptr::null();
        // SAFETY: paths that end in NUL; no data.
        check(unsafe { libc::mount(at.as_ptr(), at.as_ptr(), none, flags, data) })
    };
    // A mount of its own first, which the root's does not concern.
    if mount(&path, libc::MS_BIND).is_ok() {
        let read_only = libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY;
        let _ = mount(&CString::from(c"/"), read_only);
    }
}

/// Takes the file system at `path` away, from whoever still uses it later.
///
/// # Errors
///
/// As `umount2(2)`.
pub fn unmount(path: &std::ffi::CStr) -> io::Result<()> {
    // SAFETY: a text that ends in NUL.
    check(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) })
}

/// Runs `work` in a thread that has mounts of its own, with an empty file system in memory on
/// the folder it is given.
///
/// # Errors
///
/// Where that cannot be mounted.
///
/// # Panics
///
/// If `work` does.
pub fn on_tmpfs<T: Send>(
    options: &std::ffi::CStr,
    work: impl FnOnce(&Path) -> T + Send,
) -> io::Result<T> {
    let folder = temp_dir();
    with_own_mounts(|| {
        mount_tmpfs(&c_path(folder.path()), options)?;
        Ok(work(folder.path()))
    })
}

/// Runs `work` with a folder in memory, if that can be had, which for an ordinary user is one
/// that all share: with room for the tests there, and for others.
///
/// # Panics
///
/// If `work` does, or root may not mount.
pub fn in_memory<T: Send>(work: impl FnOnce(&Path) -> T + Send) -> T {
    if is_root() {
        return on_tmpfs(c"mode=755", work).expect("a tmpfs");
    }
    let shared = Path::new("/dev/shm");
    let has_room = || {
        let found = statfs(shared);
        found.f_type == libc::TMPFS_MAGIC && found.f_bavail > (1 << 30) / 4096
    };
    let dir = if shared.is_dir() && has_room() {
        temp_dir_in(shared).ok()
    } else {
        None
    };
    let dir = dir.unwrap_or_else(temp_dir);
    work(dir.path())
}

/// Runs `work` in a thread that has mounts of its own.
///
/// # Errors
///
/// As `unshare(2)`, and those of `work`.
///
/// # Panics
///
/// If `work` does.
pub fn with_own_mounts<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            own_mounts()?;
            work()
        });
        match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// A call that takes a path and a mode or the like, for the tests' own preparations.
///
/// # Errors
///
/// As `mknod(2)`.
pub fn mknod(path: &Path, mode: u32, device: u64) -> io::Result<()> {
    let path = c_path(path);
    // SAFETY: a path that ends in NUL.
    check(unsafe { libc::mknod(path.as_ptr(), mode, device) })
}

/// Sets a file's time of last access and change, of a symbolic link itself.
///
/// # Errors
///
/// As `utimensat(2)`.
pub fn set_times(path: &Path, atime: (i64, i64), mtime: (i64, i64)) -> io::Result<()> {
    let path = c_path(path);
    let times = [atime, mtime].map(|(tv_sec, tv_nsec)| libc::timespec { tv_sec, tv_nsec });
    // SAFETY: a path that ends in NUL and two timestamps.
    check(unsafe {
        libc::utimensat(
            libc::AT_FDCWD,
            path.as_ptr(),
            times.as_ptr(),
            libc::AT_SYMLINK_NOFOLLOW,
        )
    })
}

/// Gives a file an extended attribute, a symbolic link itself.
///
/// # Errors
///
/// As `setxattr(2)`.
pub fn set_xattr(path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    let path = c_path(path);
    let name = CString::new(name)?;
    // SAFETY: texts that end in NUL, and a value of the length given.
    check(unsafe {
        libc::lsetxattr(
            path.as_ptr(),
            name.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    })
}

/// A file's extended attributes, a symbolic link's own.
///
/// # Errors
///
/// As `listxattr(2)` and `getxattr(2)`; nothing is more than 64 KiB.
pub fn xattrs(path: &Path) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let path = c_path(path);
    // SAFETY: a text that ends in NUL, and no room: only how much there is is told.
    let len = unsafe { libc::llistxattr(path.as_ptr(), std::ptr::null_mut(), 0) };
    if len == 0 {
        return Ok(BTreeMap::new());
    }
    let mut names = vec![0_u8; 64 << 10];
    let room = names.len();
    // SAFETY: a text that ends in NUL, and room of the length given.
    let len = unsafe { libc::llistxattr(path.as_ptr(), names.as_mut_ptr().cast(), room) };
    names.truncate(usize::try_from(len).map_err(|_| io::Error::last_os_error())?);
    let mut found = BTreeMap::new();
    for name in names.split(|&b| b == 0).filter(|name| !name.is_empty()) {
        let c_name = CString::new(name)?;
        let mut value = vec![0_u8; 64 << 10];
        let at = value.as_mut_ptr().cast();
        // SAFETY: texts that end in NUL, and room of the length given.
        let len = unsafe { libc::lgetxattr(path.as_ptr(), c_name.as_ptr(), at, value.len()) };
        value.truncate(usize::try_from(len).map_err(|_| io::Error::last_os_error())?);
        found.insert(name.to_vec(), value);
    }
    Ok(found)
}

/// Where a regular file has data, as offsets of its beginning and end.
///
/// # Errors
///
/// As `lseek(2)`.
pub fn data_regions(file: &File) -> io::Result<Vec<(i64, i64)>> {
    let seek = |at: i64, whence: i32| {
        // SAFETY: takes numbers only.
        let found = unsafe { libc::lseek(file.as_raw_fd(), at, whence) };
        check(found).map(|()| found)
    };
    let (mut regions, mut at) = (Vec::new(), 0);
    loop {
        let start = match seek(at, libc::SEEK_DATA) {
            // No more data before the end.
            Err(e) if e.raw_os_error() == Some(libc::ENXIO) => return Ok(regions),
            found => found?,
        };
        at = seek(start, libc::SEEK_HOLE)?;
        regions.push((start, at));
    }
}

/// Arguments from words.
#[must_use]
pub fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(Into::into).collect()
}
