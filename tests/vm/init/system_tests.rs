//! Tests of the package that run here as they run on a host: they are in `/userland/tests`, with a
//! system around them that has GNU's programs (`scripts/userland.sh`).

use std::ffi::CStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::system::{enter, mount_at, start_loopback};
use super::{Report, text};

const USERLAND: &CStr = c"/userland";

/// Random cases of `cp` as root that are compared with GNU's.
const CASES: usize = 500;

/// Tests with several workers that are not too long here: the others take a quarter of an hour, or
/// look at how long something takes.
const WORKERS: [&str; 4] = [
    "few_processes",
    "into_itself",
    "messages_are_whole_lines",
    "threads_refused",
];

/// Runs those that are there.
pub fn check(report: &mut Report) {
    let userland = USERLAND.to_str().expect("ASCII");
    let tests = Path::new(userland).join("tests");
    if !tests.exists() {
        return;
    }
    report.step("mount in the userland", || {
        for (fstype, folder) in [("proc", "proc"), ("sysfs", "sys"), ("devtmpfs", "dev")] {
            mount_at(fstype, &format!("{userland}/{folder}"), fstype, None)?;
        }
        mount_at("tmpfs", &format!("{userland}/tmp"), "tmpfs", None)
    });
    report.step("start the loopback interface", start_loopback);
    let is_there = |name: &str| tests.join(name).exists();
    for (name, filters) in [("lib", &[][..]), ("ring", &[]), ("workers", &WORKERS)] {
        if is_there(name) {
            report.step(&format!("tests: {name}"), || {
                judge(name, &test(name).args(filters).output().map_err(text)?)
            });
        }
    }
    let name = "cp_differential";
    if is_there(name) {
        report.step(&format!("tests: {CASES} cases of {name}"), || {
            // One case is run after the other, so both processors have half of them.
            let half = |first: usize| {
                test(name)
                    .args(["--exact", "as_root"])
                    .env("ANNULET_SEED", first.to_string())
                    .env("ANNULET_CASES", (CASES / 2).to_string())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
            };
            let halves = [half(1), half(1 + CASES / 2)].map(|half| half.map_err(text));
            // Both are waited for.
            let ended = halves.map(|half| half?.wait_with_output().map_err(text));
            ended.into_iter().try_for_each(|half| judge(name, &half?))
        });
    }
}

/// A program of tests, in its surroundings.
fn test(name: &str) -> Command {
    let mut command = Command::new(format!("/tests/{name}"));
    command
        .env("PATH", "/usr/sbin:/usr/bin")
        .env("ANNULET_TEST_BINARY", "/tests/annulet");
    // SAFETY: `enter` makes system calls, and allocates nothing.
    unsafe { command.pre_exec(|| enter(USERLAND)) };
    command
}

/// Says how many tests passed, and which were skipped; if one failed, all that was said.
fn judge(name: &str, output: &Output) -> Result<(), String> {
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
    let lines = || stdout.lines().chain(stderr.lines());
    for line in
        lines().filter(|line| line.starts_with("test result: ") || line.starts_with("skipped: "))
    {
        println!("# {name}: {line}");
    }
    if output.status.success() && stdout.contains("test result: ok. ") {
        return Ok(());
    }
    for line in lines() {
        println!("| {line}");
    }
    Err(output.status.to_string())
}
