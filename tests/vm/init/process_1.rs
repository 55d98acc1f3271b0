//! annulet as process 1, of a container and of the machine.

use std::ffi::{c_int, c_long, c_uint, c_ulong};
use std::fs::{self, File};
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use super::commands::{command, succeeded};
use super::system::checked;
use super::trees::{same_bytes, same_tree};
use super::{Report, text};

unsafe extern "C" {
    fn fork() -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn _exit(status: c_int) -> !;
    fn unshare(flags: c_int) -> c_int;
    fn ptrace(request: c_uint, ...) -> c_long;
}

const PROCESS_1: c_int = 1;
/// `CLONE_NEWPID` of `linux/sched.h`.
const NEW_PROCESSES: c_int = 0x2000_0000;
/// `__WALL` of `linux/wait.h`: of any thread that is traced.
const ALL: c_int = 0x4000_0000;
/// Requests and events of `linux/ptrace.h`.
const SEIZE: c_uint = 0x4206;
const CONTINUE: c_uint = 7;
const EVENT_MESSAGE: c_uint = 0x4201;
const TRACE_EXIT: c_ulong = 0x40;
const EVENT_EXIT: c_int = 6;

/// As a container's first process.
pub fn of_a_namespace(report: &mut Report) {
    let copy = "/tmp/process-1";
    for args in [
        "-a",
        "-a --io=ring",
        "-a --io=sync",
        "-a -j4",
        "-a -j4 --io=ring",
    ] {
        report.step(&format!("cp {args} as process 1 of a namespace"), || {
            let mut args: Vec<_> = args.split(' ').collect();
            args.extend(["/src", copy]);
            let mut command = command("/bin/cp", &args);
            // SAFETY: `become_process_1` makes system calls only.
            unsafe { command.pre_exec(become_process_1) };
            succeeded(&command.output().map_err(text)?)?;
            same_tree("/src", copy)?;
            fs::remove_dir_all(copy).map_err(text)
        });
    }
    report.step("cat as process 1 of a namespace", || {
        let mut command = command("/bin/cat", &["/big"]);
        // SAFETY: as above.
        unsafe { command.pre_exec(become_process_1) };
        // Not to a pipe, which nobody reads before both processes have ended.
        command.stdout(File::create(copy).map_err(text)?);
        succeeded(&command.output().map_err(text)?)?;
        same_bytes(
            &fs::read("/big").map_err(text)?,
            &fs::read(copy).map_err(text)?,
        )?;
        fs::remove_file(copy).map_err(text)
    });
}

/// Goes on in a child that is the first process of a new namespace; this process ends as that one
/// does.
fn become_process_1() -> std::io::Result<()> {
    // SAFETY: takes a number.
    checked(unsafe { unshare(NEW_PROCESSES) })?;
    // SAFETY: what is between `fork` and `execve` anyway goes on in the child.
    let child = unsafe { fork() };
    if child == 0 {
        return Ok(());
    }
    let mut status = 0;
    // SAFETY: one number to write.
    unsafe { waitpid(child, &raw mut status, 0) };
    // A status that a program ended with, or one that says that it was a signal.
    let code = if status & 0x7f == 0 { status >> 8 } else { 255 };
    // SAFETY: nothing of this process is needed any more.
    unsafe { _exit(code) }
}

/// As the machine's first process, in place of this one. The kernel panics once that has ended, so
/// a child traces it and has it stopped before. The child goes on with what is left to do here.
pub fn of_the_machine(report: &mut Report) {
    let (copy, said) = ("/tmp/process-1", "/tmp/process-1-said");
    report.step("cp -a -j4 as process 1", || {
        let out = File::create(said).map_err(text)?;
        let (ready, traced) = std::io::pipe().map_err(text)?;
        // SAFETY: this process has one thread.
        let child = unsafe { fork() };
        checked(child.min(0)).map_err(text)?;
        if child > 0 {
            drop(traced);
            become_cp(
                ready,
                command("/bin/cp", &["-a", "--debug", "-j4", "/src", copy]).stdout(out),
            );
        }
        drop(ready);
        let status = end_of_process_1(traced).map_err(text)?;
        let said = fs::read_to_string(said).map_err(text)?;
        if status != 0 || !said.contains("workers: 4, as asked for\n") {
            return Err(format!("status {status:#x}, said {said}"));
        }
        same_tree("/src", copy)
    });
}

/// Becomes `cp` as soon as it is traced.
fn become_cp(mut ready: PipeReader, cp: &mut Command) -> ! {
    // If it cannot be, the child says why, and switches the machine off.
    while ready.read_exact(&mut [0]).is_err() {
        std::thread::sleep(Duration::from_secs(1));
    }
    println!("cannot become cp: {}", cp.exec());
    std::process::exit(127);
}

/// Traces process 1 until it is about to end, and gives the status that it will end with, as
/// `wait(2)` has it.
fn end_of_process_1(mut traced: PipeWriter) -> std::io::Result<c_ulong> {
    let none: c_ulong = 0;
    // SAFETY: takes numbers.
    checked(unsafe { ptrace(SEIZE, PROCESS_1, none, TRACE_EXIT) } as c_int)?;
    traced.write_all(&[1])?;
    loop {
        let mut status = 0;
        // SAFETY: one number to write.
        checked(unsafe { waitpid(PROCESS_1, &raw mut status, ALL) }.min(0))?;
        if status >> 16 == EVENT_EXIT {
            let mut message: c_ulong = 0;
            // SAFETY: one number to write.
            let told = unsafe { ptrace(EVENT_MESSAGE, PROCESS_1, none, &raw mut message) };
            return checked(told as c_int).map(|()| message);
        }
        // A signal, which it gets.
        let signal = c_ulong::from(if status >> 16 == 0 {
            (status >> 8).cast_unsigned()
        } else {
            0
        });
        // SAFETY: takes numbers.
        checked(unsafe { ptrace(CONTINUE, PROCESS_1, none, signal) } as c_int)?;
    }
}
