//! Boots kernels of each architecture with an initramfs that holds annulet and little else, and
//! lets `tests/vm/init` try it there: before anything is mounted, on the initramfs's own file
//! system, on tmpfs and on an ext4 disk, by every way, refused what can be refused, and as
//! process 1. `tests/vm/init/order.rs` looks at what the kernel's `io_uring` makes of large files.
//! In guests of another architecture than this machine's also tests run that need its own GNU cp,
//! or threads, which qemu's user mode has none of.
//!
//! `scripts/guests.sh` fetches the kernels, runs these tests and shows what came out as a table. One
//! guest of each architecture is always booted, and the others if `ANNULET_VM_ALL` is set.
//! `ANNULET_VM_ACCEL=kvm` makes this machine's own faster where that exists; `ANNULET_VM_CASES` and
//! `ANNULET_SEED` are for `order.rs`.

#[path = "../support/mod.rs"]
mod support;

mod guests;
mod modules;
mod programs;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use guests::{Arch, GUESTS, Guest};
use support::{Ran, find_program, run, script, skip, temp_dir};

/// How long a machine may take, in seconds. It needs about a minute on an idle host, and a few with
/// tests of its own; emulation on a busy one has been seen to take ten times as long.
const TIMEOUT_S: u64 = 1800;
/// And for each of the cases that `ANNULET_VM_CASES` asks for.
const TIMEOUT_OF_CASE_S: u64 = 25;

/// How many cases of `order.rs` there are in guests of another architecture than this machine's: what
/// they are about is the kernel's, and the same there.
const CASES: u64 = 8;

/// So many steps are taken in every guest.
const STEPS: usize = 94;

#[test]
fn an_x86_64_guest() {
    try_all("an_x86_64_guest", |guest| {
        guest.is_usual && guest.arch == Arch::X86_64
    });
}

#[test]
fn an_aarch64_guest() {
    try_all("an_aarch64_guest", |guest| {
        guest.is_usual && guest.arch == Arch::Aarch64
    });
}

#[test]
fn a_riscv64_guest() {
    try_all("a_riscv64_guest", |guest| {
        guest.is_usual && guest.arch == Arch::Riscv64
    });
}

#[test]
fn further_guests() {
    if std::env::var_os("ANNULET_VM_ALL").is_some() {
        try_all("further_guests", |guest| !guest.is_usual);
    }
}

/// Tries some guests, all of them even if one fails.
fn try_all(test: &str, is_wanted: fn(&Guest) -> bool) {
    // One machine at a time: each has as many processors as many a host.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);

    let mut wrong = Vec::new();
    for guest in GUESTS.iter().filter(|guest| is_wanted(guest)) {
        let arch = guest.arch.name();
        let qemu = format!("qemu-system-{arch}");
        let programs = [&qemu, "cpio", "mkfs.ext4", "e2fsck", "tar", "python3"];
        if !support::has_programs(test, &programs) {
            continue;
        }
        let Some(kernel) = guest.kernel() else {
            let series = guest.series;
            let page_kib = guest.page_kib;
            let what = format!("no Linux {series}x of {arch} with pages of {page_kib} KiB");
            skip(test, &format!("{what}; run scripts/guests.sh"));
            continue;
        };
        let dir = temp_dir();
        match programs::pack(guest, &kernel, dir.path(), guest.is_usual) {
            Ok(initramfs) => wrong.extend(try_on(guest, &kernel, &initramfs, dir.path()).err()),
            Err(why) => skip(test, &why),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Boots a guest and lets it try everything. What is wrong comes with all that its console showed.
fn try_on(guest: &Guest, kernel: &Path, initramfs: &Path, dir: &Path) -> Result<(), String> {
    let disk = dir.join("disk.img");
    let image = fs::File::create(&disk).expect("the disk image");
    image.set_len(512 << 20).expect("a sparse disk image");
    run(
        Command::new(find_program("mkfs.ext4").expect("looked for above"))
            .arg("-q")
            .arg(&disk),
    )
    .expect_status(0);

    let start = Instant::now();
    let ran = boot(guest, kernel, initramfs, &disk);
    let seconds = start.elapsed().as_secs();
    let console = ran.stdout_text();
    let said = |prefix: &str| {
        let line = console.lines().find_map(|line| line.strip_prefix(prefix));
        let word = line.and_then(|line| line.split(' ').next());
        word.unwrap_or("unknown").to_owned()
    };
    let (version, page) = (said("kernel: Linux version "), said("pages: "));
    let passed = console
        .lines()
        .filter(|line| line.starts_with("ok "))
        .count();
    let verdict = judge(guest, &ran, &version, &page, passed).and_then(|()| is_sound(&disk));
    // Not by a macro, whose output of tests that pass is kept back. `scripts/guests.sh` reads it.
    let _ = writeln!(
        std::io::stderr(),
        "guest | {} | {version} | {page} | {passed} | {seconds} s | {}",
        guest.arch.name(),
        if verdict.is_ok() { "PASS" } else { "FAIL" },
    );
    for line in console.lines().filter(|line| line.starts_with("# ")) {
        eprintln!("{line}");
    }
    verdict.map_err(|why| format!("{why}\nThe console:\n{console}\n{}", ran.stderr))
}

/// Looks at what the guest said. The script's verdict is not taken on trust: a line that says FAIL
/// is a failure, and so are too few steps.
fn judge(guest: &Guest, ran: &Ran, version: &str, page: &str, passed: usize) -> Result<(), String> {
    let console = ran.stdout_text();
    let failed: Vec<_> = console
        .lines()
        .filter(|line| line.starts_with("FAIL "))
        .collect();
    if !failed.is_empty() {
        return Err(format!("{failed:#?}"));
    }
    if ran.status != 0 {
        return Err(format!("the machine ended with status {}", ran.status));
    }
    if !version.starts_with(guest.series) || page != (guest.page_kib * 1024).to_string() {
        return Err(format!("Linux {version} with pages of {page} bytes"));
    }
    if passed < STEPS {
        return Err(format!("only {passed} steps were taken"));
    }
    Ok(())
}

/// What the guest has unmounted must be a sound file system.
fn is_sound(disk: &Path) -> Result<(), String> {
    let e2fsck = find_program("e2fsck").expect("looked for above");
    let ran = run(Command::new(e2fsck).args(["-f", "-n"]).arg(disk));
    if ran.status == 0 {
        Ok(())
    } else {
        Err(format!("{ran:?}"))
    }
}

/// Runs the machine until it switches itself off.
fn boot(guest: &Guest, kernel: &Path, initramfs: &Path, disk: &Path) -> Ran {
    let accel = std::env::var("ANNULET_VM_ACCEL").ok();
    let accel = accel.filter(|_| guest.arch.is_native());
    let cases = support::from_env("ANNULET_VM_CASES");
    let cases = cases.or((!guest.arch.is_native()).then_some(CASES));
    let timeout_s = TIMEOUT_S.max(TIMEOUT_OF_CASE_S * cases.unwrap_or_default());
    let mut machine = script("vm.sh");
    machine
        .args(["--timeout", &timeout_s.to_string()])
        .args(["--arch", guest.arch.name(), "--memory", "1G"])
        .args(["--accel", accel.as_deref().unwrap_or("tcg"), "--kernel"])
        .arg(kernel.join("vmlinuz"))
        .arg("--initramfs")
        .arg(initramfs)
        .arg("--disk")
        .arg(disk);
    let seed = support::from_env("ANNULET_SEED");
    for (name, value) in [("ANNULET_VM_CASES", cases), ("ANNULET_SEED", seed)] {
        if let Some(value) = value {
            machine.args(["--append", &format!("{name}={value}")]);
        }
    }
    support::run_within(&mut machine, Duration::from_secs(timeout_s + 60))
}

#[test]
fn the_script_tells_success_from_failure() {
    // An /init that is no program: the kernel panics, and the script must not call it a success.
    let test = "the_script_tells_success_from_failure";
    let Some(kernel) = support::vm_kernel(test) else {
        return;
    };
    let dir = temp_dir();
    let init = dir.path().join("init");
    fs::write(&init, "no program\n").expect("a file");
    let initramfs = dir.path().join("initramfs.cpio");
    run(script("initramfs.sh")
        .arg("--bootable")
        .arg("--binary")
        .arg(support::annulet())
        .arg("--add")
        .arg(format!("{}=/init", init.display()))
        .arg(&initramfs))
    .expect_success();
    let ran = run(script("vm.sh")
        .args(["--timeout", &TIMEOUT_S.to_string()])
        .args(["--arch", std::env::consts::ARCH, "--kernel"])
        .arg(kernel.join("vmlinuz"))
        .arg("--initramfs")
        .arg(&initramfs));
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.stdout_text().contains("Kernel panic"), "{ran:?}");
}
