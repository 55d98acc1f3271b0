//! The first process of the test machine: runs annulet where there is nothing else.
//!
//! `tests/vm` compiles this into a static program, puts it into an initramfs as `/init` and boots
//! it on one kernel after the other. It is a test, so it may use std and the C library's functions;
//! the program under test is `/bin/cp` and `/bin/cat` beside it.
//!
//! Each step prints `ok NAME` or `FAIL NAME: why` to the console, and the last line is
//! `annulet-vm: PASS` or `annulet-vm: FAIL`. Then the machine is switched off.

mod commands;
mod copies;
mod order;
mod process_1;
#[path = "../../support/random.rs"]
mod random;
mod refused;
mod system;
mod system_tests;
mod trees;

use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

use commands::{cat, command, cp, fails, run_ok, succeeded};
use order::Order;
use random::noise;
use system::{load_modules, mount_at, page_size, power_off, unmount, wait_for};
use trees::{make_tree, same_bytes, same_tree};

/// What a step answers: nothing, or why it failed.
type Step = Result<(), String>;

/// Keeps the verdict while the steps go by.
struct Report {
    failed: u32,
}

impl Report {
    fn step(&mut self, name: &str, work: impl FnOnce() -> Step) -> bool {
        let start = Instant::now();
        let result = work();
        match &result {
            Ok(()) => println!("ok {name} ({} ms)", start.elapsed().as_millis()),
            Err(why) => {
                self.failed += 1;
                // One line a step, whatever a message holds.
                println!("FAIL {name}: {}", why.replace('\n', " | "));
            }
        }
        result.is_ok()
    }
}

fn main() {
    // A panic must not end process 1: the kernel would panic too, and say less.
    let verdict = std::panic::catch_unwind(run);
    let passed = matches!(verdict, Ok(0));
    println!("annulet-vm: {}", if passed { "PASS" } else { "FAIL" });
    power_off();
}

/// Takes all steps, and gives the number of those that failed. The last one is taken in another
/// process.
fn run() -> u32 {
    let mut report = Report { failed: 0 };
    before_anything_is_mounted(&mut report);
    let places = mounted(&mut report);
    let disk = places.contains(&"/mnt");

    let big = noise(20 << 20, 1);
    report.step("make the 20 MiB file and many small ones", || {
        fs::write("/big", &big).map_err(text)?;
        trees::small_files(Path::new("/many"), 30, 20).map_err(text)
    });
    for place in places {
        copies::check(&mut report, place, &big);
    }
    for place in places {
        Order::new("/big", &big, place).check(&mut report);
    }
    if disk {
        report.step("cp from the disk back to /tmp", || {
            cp(&["-a", "/mnt/tree", "/tmp/back"])?;
            same_tree("/src", "/tmp/back")
        });
        report.step("what is on the disk, read anew", || {
            // Unmounting writes everything back and drops every cached page.
            unmount("/mnt")?;
            mount_at("/dev/vda", "/mnt", "ext4", None)?;
            same_tree("/src", "/mnt/tree")?;
            same_bytes(&big, &fs::read("/mnt/big-auto").map_err(text)?)
        });
    }
    reading(&mut report, &big);
    errors(&mut report);
    refused::check(&mut report, &big);
    if disk {
        report.step("unmount the disk", || unmount("/mnt"));
    }
    system_tests::check(&mut report);
    process_1::of_a_namespace(&mut report);
    process_1::of_the_machine(&mut report);
    report.failed
}

/// As early in a boot as it gets: no /proc, /dev and /sys.
fn before_anything_is_mounted(report: &mut Report) {
    report.step("make the source tree", || {
        make_tree(Path::new("/src")).map_err(text)
    });
    report.step("cp -a with nothing mounted", || {
        cp(&["-a", "/src", "/early"])?;
        same_tree("/src", "/early")
    });
    report.step("cat with nothing mounted", || {
        let expected = fs::read("/src/plain").map_err(text)?;
        same_bytes(&expected, &cat(&["/src/plain"])?)
    });
}

/// Mounts what there is, says what machine this is, and gives the places to copy to.
fn mounted(report: &mut Report) -> &'static [&'static str] {
    report.step("mount", || {
        mount_at("proc", "/proc", "proc", None)?;
        mount_at("sysfs", "/sys", "sysfs", None)?;
        mount_at("devtmpfs", "/dev", "devtmpfs", None)?;
        mount_at("tmpfs", "/tmp", "tmpfs", None)
    });
    if let Ok(version) = fs::read_to_string("/proc/version") {
        println!("kernel: {}", version.trim_end());
    }
    println!("pages: {} bytes", page_size());
    report.step("load modules", load_modules);
    let disk = report.step("mount the disk", || {
        wait_for("/dev/vda")?;
        mount_at("/dev/vda", "/mnt", "ext4", None)
    });
    if disk { &["/tmp", "/mnt"] } else { &["/tmp"] }
}

fn reading(report: &mut Report, big: &[u8]) {
    // Files that say their size is 0 and are not empty.
    for file in ["/proc/version", "/proc/cpuinfo", "/proc/mounts"] {
        report.step(&format!("cat {file}"), || {
            let expected = fs::read(file).map_err(text)?;
            if expected.is_empty() {
                return Err("empty to begin with".to_owned());
            }
            same_bytes(&expected, &cat(&[file])?)
        });
    }
    report.step("cp /proc/cpuinfo", || {
        cp(&["/proc/cpuinfo", "/tmp/x"])?;
        same_bytes(
            &fs::read("/proc/cpuinfo").map_err(text)?,
            &fs::read("/tmp/x").map_err(text)?,
        )
    });
    report.step("cat of several files into a pipe", || {
        let plain = fs::read("/src/plain").map_err(text)?;
        let expected = [&plain[..], big, &plain[..]].concat();
        same_bytes(&expected, &cat(&["/src/plain", "/big", "/src/plain"])?)
    });
    report.step("cat into a file", || {
        let out = File::create("/tmp/cat").map_err(text)?;
        let output = command("/bin/cat", &["/big", "/proc/version"])
            .stdout(out)
            .output()
            .map_err(text)?;
        succeeded(&output)?;
        let expected = [big, &fs::read("/proc/version").map_err(text)?[..]].concat();
        same_bytes(&expected, &fs::read("/tmp/cat").map_err(text)?)
    });
    report.step("cat of standard input", || {
        let output = command("/bin/cat", &["-"])
            .stdin(File::open("/big").map_err(text)?)
            .output()
            .map_err(text)?;
        succeeded(&output)?;
        same_bytes(big, &output.stdout)
    });
    report.step("annulet cp, annulet cat", || {
        run_ok("/bin/annulet", &["cp", "/src/plain", "/tmp/by-name"])?;
        let out = run_ok("/bin/annulet", &["cat", "/tmp/by-name"])?;
        same_bytes(&fs::read("/src/plain").map_err(text)?, &out)
    });
}

/// A message and exit status 1, and the rest is still done.
fn errors(report: &mut Report) {
    report.step("a missing source", || {
        fs::create_dir("/tmp/partial").map_err(text)?;
        fails(&["/nowhere", "/src/plain", "/tmp/partial"], "nowhere")?;
        same_bytes(
            &fs::read("/src/plain").map_err(text)?,
            &fs::read("/tmp/partial/plain").map_err(text)?,
        )
    });
    report.step("a full file system", || {
        fs::create_dir("/tmp/small").map_err(text)?;
        mount_at("tmpfs", "/tmp/small", "tmpfs", Some("size=1m"))?;
        fails(&["/big", "/tmp/small/big"], "No space left on device")
    });
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
