//! File systems that are really far away, in one virtual machine: NFS and SMB from the machine's
//! own servers, over a loopback on which every packet takes 1 ms, and folders of the host by 9p
//! and virtiofs. What the program does there is what GNU's cp does.
//!
//! This program is also what runs in the machine, as the ignored test [`in_the_guest`]. The
//! machine is the one in `target/guest` (put one there with `scripts/guest.sh target/guest
//! target/vm-kernel-full`, after `scripts/kernel.sh --suite trixie target/vm-kernel-full
//! linux-image-amd64`).
//! `ANNULET_GUEST_TIMES=1` also has it say how long copies take; `ANNULET_GUEST_ONLY=copies`,
//! `waiting`, `faults` or the name of a file system leaves out the others.
//!
//! Each step prints `ok NAME` or `FAIL NAME: why` to its console.

#[path = "../support/mod.rs"]
mod support;

mod copies;
mod faults;
mod places;
mod report;
mod sources;
mod waiting;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use report::Report;
use support::{Ran, find_program, gnu, is_root, repository, run, script, skip, temp_dir};

/// How long the machine may take, in seconds. It needs about two minutes on an idle host.
const TIMEOUT_S: u64 = 580;

/// So many steps are taken where nothing is missing.
const STEPS: usize = 255;

/// Set in the machine alone.
const MARK: &str = "ANNULET_IN_GUEST";

#[test]
fn far_file_systems_in_a_guest() {
    let test = "far_file_systems_in_a_guest";
    let Some((kernel, guest)) = machine(test) else {
        return;
    };
    let Some((cp, _)) = gnu("cp", test) else {
        return;
    };
    let dir = temp_dir();
    let initramfs = dir.path().join("initramfs.cpio");
    pack(&guest, &cp, dir.path(), &initramfs);
    let disk = dir.path().join("disk.img");
    let image = fs::File::create(&disk).expect("the disk image");
    image.set_len(2 << 30).expect("a sparse disk image");
    let mkfs = find_program("mkfs.xfs").expect("looked for");
    run(Command::new(mkfs)
        .args(["-q", "-m", "reflink=1"])
        .arg(&disk))
    .expect_status(0);
    for share in ["9p", "virtiofs"] {
        fs::create_dir(dir.path().join(share)).expect("a folder to share");
    }

    let ran = boot(&kernel, &guest, &initramfs, dir.path());
    judge(test, &ran);
}

/// What runs in the machine, as its only test.
#[test]
#[ignore = "runs in the virtual machine that the other test boots"]
fn in_the_guest() {
    if std::env::var_os(MARK).is_none() {
        return skip("in_the_guest", "this is not the virtual machine");
    }
    let mut report = Report::default();
    copies::check(&mut report);
    assert_eq!(report.failed, 0, "steps failed");
}

/// The folders with the kernel and the root, unless something is missing.
fn machine(test: &str) -> Option<(PathBuf, PathBuf)> {
    let [kernel, guest] =
        ["vm-kernel-full", "guest"].map(|name| repository().join("target").join(name));
    if !kernel.join("vmlinuz").exists() || !guest.join("root.img").exists() {
        skip(
            test,
            "no machine in target/guest; run `scripts/kernel.sh --suite trixie \
             target/vm-kernel-full linux-image-amd64` and `scripts/guest.sh target/guest target/vm-kernel-full`",
        );
        return None;
    }
    if !is_root() {
        skip(
            test,
            "shares folders with all their owners, which takes root",
        );
        return None;
    }
    support::has_programs(test, &["qemu-system-x86_64", "cpio", "mkfs.xfs"])
        .then_some((kernel, guest))
}

/// Makes the initramfs: that of the machine, this program, the one under test and GNU's.
fn pack(guest: &Path, cp: &Path, dir: &Path, initramfs: &Path) {
    let put = dir.join("put");
    fs::create_dir(&put).expect("a folder");
    let this = std::env::current_exe().expect("this program");
    fs::copy(this, put.join("test")).expect("a copy of this program");
    fs::copy(support::annulet(), put.join("annulet")).expect("a copy of the program");
    // GNU's cp knows its libraries by an absolute path. Where it is the installed one, the machine
    // has that as well.
    let gnu = cp.parent().expect("an absolute path");
    if gnu.join("lib").is_dir() {
        run(Command::new("cp").arg("-a").arg(gnu).arg(put.join("gnu"))).expect_success();
    }
    let handed_on: String = ["ANNULET_GUEST_TIMES", "ANNULET_GUEST_ONLY"]
        .iter()
        .filter_map(|name| Some(format!("export {name}='{}'\n", std::env::var(name).ok()?)))
        .collect();
    let init = format!(
        "#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin {MARK}=1
{handed_on}export ANNULET_TEST_BINARY=/guest/annulet ANNULET_GUEST_GNU='{cp}'
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /tmp
if [ -d /guest/gnu ]; then
    mkdir -p '{above}'
    ln -s /guest/gnu '{gnu}'
fi
if /guest/test --exact in_the_guest --ignored --nocapture; then
    echo 'annulet-vm: PASS'
else
    echo 'annulet-vm: FAIL'
fi
/guest/busybox poweroff -f
",
        handed_on = handed_on,
        cp = cp.display(),
        above = gnu.parent().unwrap_or(gnu).display(),
        gnu = gnu.display(),
    );
    fs::write(put.join("init"), init).expect("the guest's init");
    fs::set_permissions(put.join("init"), fs::Permissions::from_mode(0o755)).expect("its mode");
    run(script("initramfs.sh")
        .args(["--bootable", "--binary"])
        .arg(support::annulet())
        .arg("--add")
        .arg(format!("{}=/", guest.join("initramfs").display()))
        .arg("--add")
        .arg(format!("{}=/guest", put.display()))
        .arg(initramfs))
    .expect_success();
}

/// Runs the machine until it switches itself off.
fn boot(kernel: &Path, guest: &Path, initramfs: &Path, dir: &Path) -> Ran {
    let accel = std::env::var("ANNULET_VM_ACCEL").unwrap_or_else(|_| "tcg".to_owned());
    let shared = |tag: &str| format!("{tag}={}", dir.join(tag).display());
    run(script("vm.sh")
        .args(["--timeout", &TIMEOUT_S.to_string()])
        .args(["--accel", &accel, "--memory", "1G", "--kernel"])
        .arg(kernel.join("vmlinuz"))
        .arg("--initramfs")
        .arg(initramfs)
        .arg("--read-only-disk")
        .arg(guest.join("root.img"))
        .arg("--disk")
        .arg(dir.join("disk.img"))
        .args(["--9p", &shared("9p"), "--virtiofs", &shared("virtiofs")]))
}

/// Looks at what the guest said. Its verdict is not taken on trust: a line that says FAIL is a
/// failure, and so are too few steps.
fn judge(test: &str, ran: &Ran) {
    let console = ran.stdout_text();
    let lines = |start| console.lines().filter(move |line| line.starts_with(start));
    for line in lines("# ") {
        eprintln!("{line}");
    }
    let failed: Vec<_> = lines("FAIL ").collect();
    assert!(failed.is_empty(), "{failed:#?}\n{console}");
    assert_eq!(ran.status, 0, "the console:\n{console}\n{}", ran.stderr);
    let passed = lines("ok ").count();
    let skipped: Vec<_> = lines("skip ").collect();
    for line in &skipped {
        skip(test, line);
    }
    assert!(
        passed >= STEPS || !skipped.is_empty() || std::env::var_os("ANNULET_GUEST_ONLY").is_some(),
        "only {passed} steps were taken:\n{console}"
    );
    eprintln!("{passed} steps passed");
}
