//! Calls that this kernel has and a container's profile refuses: `io_uring`, and threads.

use std::ffi::{c_int, c_ulong};
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::commands::{command, cp, succeeded};
use super::system::{checked, kernel};
use super::trees::{same_bytes, same_tree};
use super::{Report, Step, text};

unsafe extern "C" {
    fn prctl(option: c_int, ...) -> c_int;
}

/// Call numbers: of `io_uring` the same everywhere, of `clone` asm-generic's, but for x86-64.
const IO_URING_SETUP: u32 = 425;
const IO_URING_ENTER: u32 = 426;
const IO_URING_REGISTER: u32 = 427;
const CLONE: u32 = if cfg!(target_arch = "x86_64") {
    56
} else {
    220
};

const EPERM: u32 = 1;
const EAGAIN: u32 = 11;
const ENOMEM: u32 = 12;
const EACCES: u32 = 13;
const EINVAL: u32 = 22;
const ENOSYS: u32 = 38;
/// What `io_uring_setup` is refused with (`E2BIG`, `EFAULT`, `EBUSY`, `ENFILE`, `EMFILE` and
/// `EOPNOTSUPP` besides).
const REFUSALS: [u32; 12] = [
    EPERM, ENOSYS, EINVAL, EACCES, ENOMEM, EAGAIN, 7, 14, 16, 23, 24, 95,
];

/// `PR_SET_NO_NEW_PRIVS` and `PR_SET_SECCOMP` of `linux/prctl.h`.
const NO_NEW_PRIVILEGES: c_int = 38;
const SECCOMP: c_int = 22;
/// `SECCOMP_MODE_FILTER`, and a filter's answers, of `linux/seccomp.h`.
const FILTER: c_ulong = 2;
const ANSWER_WITH_ERRNO: u32 = 0x0005_0000;
const ALLOW: u32 = 0x7fff_0000;
/// `BPF_LD | BPF_W | BPF_ABS`, `BPF_JMP | BPF_JEQ | BPF_K` and `BPF_RET | BPF_K` of `linux/filter.h`.
const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

/// `struct sock_filter` of `linux/filter.h`.
#[repr(C)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    value: u32,
}

const _: () = assert!(size_of::<Instruction>() == 8);

/// `struct sock_fprog` of the same.
#[repr(C)]
struct Program {
    len: u16,
    instructions: *const Instruction,
}

const _: () = assert!(size_of::<Program>() == 16);

/// Tries it, with the file `/big` that holds `big`.
pub fn check(report: &mut Report, big: &[u8]) {
    for errno in REFUSALS {
        let error = std::io::Error::from_raw_os_error(errno.cast_signed());
        report.step(&format!("io_uring refused: {error}"), || {
            let refuse = |args: &[&str]| refusing(args, IO_URING_SETUP, errno);
            without_ring(refuse, big, "io_uring")
        });
    }
    for call in [IO_URING_ENTER, IO_URING_REGISTER] {
        report.step(&format!("of io_uring call {call} refused"), || {
            let errnos = [EPERM, ENOSYS, ENOMEM, EINVAL, EACCES];
            errnos
                .iter()
                .try_for_each(|&errno| half_a_ring(call, errno))
        });
    }
    // Linux 6.6.
    let switch = "/proc/sys/kernel/io_uring_disabled";
    if kernel() >= (6, 6) {
        report.step("kernel.io_uring_disabled=2", || {
            fs::write(switch, "2").map_err(text)?;
            let done = without_ring(
                |args| command("/bin/cp", args),
                big,
                "kernel.io_uring_disabled",
            );
            fs::write(switch, "0").map_err(text)?;
            done
        });
        report.step("kernel.io_uring_disabled=0 again", || {
            cp(&["--io=ring", "/big", "/tmp/refused"])?;
            fs::remove_file("/tmp/refused").map_err(text)
        });
    }
    for errno in [EPERM, ENOSYS, EINVAL, EAGAIN, ENOMEM] {
        let error = std::io::Error::from_raw_os_error(errno.cast_signed());
        report.step(&format!("clone refused: {error}"), || {
            one_worker(errno, big)
        });
    }
}

/// Whether it goes on where there is no `io_uring`, unless it is asked for by its name: then the
/// message has `why` in it.
fn without_ring(run: impl Fn(&[&str]) -> Command, big: &[u8], why: &str) -> Step {
    let copy = "/tmp/refused";
    let ok = |args: &[&str]| succeeded(&run(args).output().map_err(text)?);
    ok(&["-a", "-j2", "/src", copy])?;
    same_tree("/src", copy)?;
    fs::remove_dir_all(copy).map_err(text)?;
    ok(&["/big", copy])?;
    same_bytes(big, &fs::read(copy).map_err(text)?)?;
    fs::remove_file(copy).map_err(text)?;
    let output = run(&["--io=ring", "/big", copy]).output().map_err(text)?;
    let message = String::from_utf8_lossy(&output.stderr);
    let is_told = message.starts_with("cp: cannot set up io_uring") && message.contains(why);
    if output.status.code() != Some(1) || !is_told {
        return Err(format!("--io=ring: {}: {message}", output.status));
    }
    // It is made before there is anything to write to it.
    fs::remove_file(copy).map_err(text)
}

/// A ring that can be made and then not be used: either it can do without, or says why not.
fn half_a_ring(call: u32, errno: u32) -> Step {
    let copy = "/tmp/refused";
    succeeded(
        &refusing(&["-a", "/src", copy], call, errno)
            .output()
            .map_err(text)?,
    )?;
    same_tree("/src", copy)?;
    fs::remove_dir_all(copy).map_err(text)?;
    let output = refusing(&["-a", "--io=ring", "/src", copy], call, errno)
        .output()
        .map_err(text)?;
    if output.status.success() {
        same_tree("/src", copy)?;
    } else if output.status.code() != Some(1) || output.stderr.is_empty() {
        succeeded(&output).map_err(|why| format!("error {errno}, --io=ring: {why}"))?;
    }
    fs::remove_dir_all(copy).map_err(text)
}

/// Without threads there is one worker, which `--debug` says.
fn one_worker(errno: u32, big: &[u8]) -> Step {
    let copy = "/tmp/refused";
    let output = refusing(&["-a", "--debug", "-j4", "/many", copy], CLONE, errno)
        .output()
        .map_err(text)?;
    succeeded(&output)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let workers = said.lines().filter(|line| line.starts_with("workers: "));
    let workers: Vec<_> = workers.collect();
    let error = std::io::Error::from_raw_os_error(errno.cast_signed()).to_string();
    let (error, _) = error.split_once(" (").unwrap_or((&error, ""));
    if workers != [format!("workers: 1, as many as can be had: {error}")] {
        return Err(format!("--debug said {workers:?}"));
    }
    same_tree("/many", copy)?;
    fs::remove_dir_all(copy).map_err(text)?;
    // The other one of a large file.
    let output = refusing(&["--io=sync", "/big", copy], CLONE, errno).output();
    succeeded(&output.map_err(text)?)?;
    same_bytes(big, &fs::read(copy).map_err(text)?)?;
    fs::remove_file(copy).map_err(text)
}

/// `cp` with a call that is answered with an error instead of being made.
fn refusing(args: &[&str], call: u32, errno: u32) -> Command {
    let mut command = command("/bin/cp", args);
    let install = move || {
        let op = |code, if_false, value| Instruction {
            code,
            if_true: 0,
            if_false,
            value,
        };
        let filter = [
            // The number stands first in `struct seccomp_data`.
            op(LOAD, 0, 0),
            op(JUMP_IF_EQUAL, 1, call),
            op(RETURN, 0, ANSWER_WITH_ERRNO | errno),
            op(RETURN, 0, ALLOW),
        ];
        let program = Program {
            len: 4,
            instructions: filter.as_ptr(),
        };
        let none: c_ulong = 0;
        // SAFETY: takes numbers.
        checked(unsafe { prctl(NO_NEW_PRIVILEGES, 1 as c_ulong, none, none, none) })?;
        // SAFETY: `program` is a filter that the call only reads.
        checked(unsafe { prctl(SECCOMP, FILTER, &raw const program) })
    };
    // SAFETY: `install` makes two system calls, and allocates nothing.
    unsafe { command.pre_exec(install) };
    command
}
