//! The first process of the test machine: runs annulet where there is nothing else.
//!
//! `tests/vm.rs` compiles this into a static program, puts it into an initramfs as
//! `/init` and boots it on an older kernel. It is a test, so it may use std and the C
//! library's functions; the program under test is `/bin/cp` and `/bin/cat` beside it.
//!
//! Each step prints `ok NAME` or `FAIL NAME: why` to the console, and the last line is
//! `annulet-vm: PASS` or `annulet-vm: FAIL`. Then the machine is switched off.

mod order;
#[path = "../support/random.rs"]
mod random;

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, c_char, c_int, c_long, c_ulong, c_void};
use std::fs::{self, File, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use order::Order;
use random::noise;

// rustc links std against the C library already; the few functions std does not offer
// are declared here, so that no package is needed to compile this one file.
unsafe extern "C" {
    fn mount(
        source: *const c_char,
        target: *const c_char,
        fstype: *const c_char,
        flags: c_ulong,
        data: *const c_void,
    ) -> c_int;
    fn umount(target: *const c_char) -> c_int;
    fn mknod(path: *const c_char, mode: u32, device: u64) -> c_int;
    fn chown(path: *const c_char, uid: u32, gid: u32) -> c_int;
    fn sync();
    fn reboot(how: c_int) -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
}

/// `finit_module`'s number: asm-generic's, but for x86-64.
const FINIT_MODULE: c_long = if cfg!(target_arch = "x86_64") {
    313
} else {
    273
};
/// `RB_POWER_OFF` of `linux/reboot.h`.
const POWER_OFF: c_int = 0x4321_fedc;

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
    // SAFETY: neither takes a pointer; the machine has nothing left to lose.
    unsafe {
        sync();
        reboot(POWER_OFF);
    }
}

fn run() -> u32 {
    let mut report = Report { failed: 0 };

    // Before /proc, /dev and /sys are there, as early in a boot as it gets.
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

    report.step("mount", || {
        mount_at("proc", "/proc", "proc", None)?;
        mount_at("sysfs", "/sys", "sysfs", None)?;
        mount_at("devtmpfs", "/dev", "devtmpfs", None)?;
        mount_at("tmpfs", "/tmp", "tmpfs", None)
    });
    if let Ok(version) = fs::read_to_string("/proc/version") {
        println!("kernel: {}", version.trim_end());
    }
    report.step("load modules", load_modules);
    let disk = report.step("mount the disk", || {
        wait_for("/dev/vda")?;
        mount_at("/dev/vda", "/mnt", "ext4", None)
    });

    let big = noise(20 << 20, 1);
    report.step("make the 20 MiB file", || {
        fs::write("/big", &big).map_err(text)
    });

    let places: &[&str] = if disk { &["/tmp", "/mnt"] } else { &["/tmp"] };
    for place in places {
        for io in ["auto", "ring", "sync"] {
            let option = format!("--io={io}");
            report.step(&format!("cp -a {option} to {place}"), || {
                let to = format!("{place}/tree-{io}");
                cp(&["-a", &option, "/src", &to])?;
                same_tree("/src", &to)
            });
            report.step(&format!("cp {option} 20 MiB to {place}"), || {
                let to = format!("{place}/big-{io}");
                cp(&[&option, "/big", &to])?;
                same_bytes(&big, &fs::read(&to).map_err(text)?)
            });
        }
        report.step(&format!("cp -a without options to {place}"), || {
            let to = format!("{place}/tree");
            cp(&["-a", "/src", &to])?;
            same_tree("/src", &to)
        });
        report.step(
            &format!("cp -r . into an existing folder of {place}"),
            || {
                let to = format!("{place}/into");
                fs::create_dir(&to).map_err(text)?;
                cp(&["-r", "/src/folder/.", &to])?;
                same_contents("/src/folder", &to)
            },
        );
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
        let expected = [&plain[..], &big[..], &plain[..]].concat();
        same_bytes(&expected, &cat(&["/src/plain", "/big", "/src/plain"])?)
    });
    report.step("cat into a file", || {
        let out = File::create("/tmp/cat").map_err(text)?;
        let output = command("/bin/cat", &["/big", "/proc/version"])
            .stdout(out)
            .output()
            .map_err(text)?;
        succeeded(&output)?;
        let expected = [&big[..], &fs::read("/proc/version").map_err(text)?[..]].concat();
        same_bytes(&expected, &fs::read("/tmp/cat").map_err(text)?)
    });
    report.step("cat of standard input", || {
        let output = command("/bin/cat", &["-"])
            .stdin(File::open("/big").map_err(text)?)
            .output()
            .map_err(text)?;
        succeeded(&output)?;
        same_bytes(&big, &output.stdout)
    });
    report.step("annulet cp, annulet cat", || {
        run_ok("/bin/annulet", &["cp", "/src/plain", "/tmp/by-name"])?;
        let out = run_ok("/bin/annulet", &["cat", "/tmp/by-name"])?;
        same_bytes(&fs::read("/src/plain").map_err(text)?, &out)
    });

    // Errors: a message and exit status 1, and the rest is still done.
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

    if disk {
        report.step("unmount the disk", || unmount("/mnt"));
    }
    report.failed
}

/// Fills `root` with one of everything `cp -a` has to keep.
fn make_tree(root: &Path) -> std::io::Result<()> {
    let folder = root.join("folder");
    fs::create_dir_all(folder.join("a/b/c/d"))?;
    fs::create_dir(root.join("empty-folder"))?;
    fs::write(
        root.join("plain"),
        b"a line\nanother line\nno newline at the end",
    )?;
    fs::write(root.join("empty"), b"")?;
    fs::write(folder.join("a/b/c/d/deep"), noise(70_000, 1))?;
    fs::write(folder.join("page"), noise(4096, 1))?;
    fs::write(folder.join("program"), b"#!/bin/false\n")?;
    fs::set_permissions(folder.join("program"), Permissions::from_mode(0o755))?;
    symlink("plain", root.join("link"))?;
    symlink("../nowhere", folder.join("dangling"))?;
    symlink("a/b", folder.join("folder-link"))?;
    fs::hard_link(root.join("plain"), folder.join("hard-link"))?;

    let names = folder.join("names");
    fs::create_dir(&names)?;
    for name in [
        &b"-r"[..],
        b"a b",
        b"new\nline",
        b"\xff\xfe",
        b"quote'\"\\",
        b"...",
    ] {
        fs::write(names.join(OsStr::from_bytes(name)), name)?;
    }
    fs::write(names.join("n".repeat(255)), b"long")?;
    for i in 0..150 {
        fs::write(folder.join(format!("file-{i}")), noise(i * 37, 1))?;
    }

    let sparse = File::create(root.join("sparse"))?;
    sparse.write_all_at(b"data after a hole", 3 << 20)?;
    sparse.set_len(5 << 20)?;

    fs::write(root.join("owned"), b"somebody else's")?;
    own(&root.join("owned"), 1000, 2000)?;
    fs::set_permissions(root.join("owned"), Permissions::from_mode(0o4751))?;
    node(&root.join("fifo"), 0o010_644, 0)?;
    // /dev/null's numbers: major 1, minor 3.
    node(&root.join("device"), 0o020_666, 0x103)?;
    fs::set_permissions(root.join("empty-folder"), Permissions::from_mode(0o500))?;

    // Times from long ago with odd nanoseconds, folders after what is in them.
    let mut paths = Vec::new();
    walk(root, &mut paths)?;
    for (i, path) in paths.iter().rev().enumerate() {
        let kind = path.symlink_metadata()?.file_type();
        if kind.is_file() || kind.is_dir() {
            let time =
                SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789 + i as u32);
            File::open(path)?.set_modified(time)?;
        }
    }
    Ok(())
}

/// Lists `root` and everything under it, a folder before its contents.
fn walk(root: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    paths.push(root.to_owned());
    if root.symlink_metadata()?.is_dir() {
        for entry in fs::read_dir(root)? {
            walk(&entry?.path(), paths)?;
        }
    }
    Ok(())
}

/// One entry in a form that two trees can be compared by. `exact` adds what only `-a` keeps.
fn describe(root: &Path, exact: bool) -> Result<BTreeMap<Vec<u8>, String>, String> {
    let mut paths = Vec::new();
    walk(root, &mut paths).map_err(text)?;
    // The first name of each inode, so that hard links compare as a relation.
    let mut first = BTreeMap::new();
    let mut entries = BTreeMap::new();
    paths.sort();
    for path in paths {
        let at = |e| format!("{}: {e}", path.display());
        let meta = path.symlink_metadata().map_err(at)?;
        let name = path
            .strip_prefix(root)
            .expect("walk starts there")
            .to_owned()
            .into_os_string();
        let mut line = format!("{:o}", meta.mode() & 0o170_000);
        if meta.is_file() {
            let content = fs::read(&path).map_err(at)?;
            line += &format!(" size {} sum {:x}", content.len(), sum(&content));
        }
        if meta.is_symlink() {
            line += &format!(" to {:?}", fs::read_link(&path).map_err(at)?);
        } else {
            line += &format!(" may be run {}", meta.mode() & 0o100 != 0);
        }
        if exact {
            line += &format!(
                " mode {:o} owner {}:{} device {:x}",
                meta.mode(),
                meta.uid(),
                meta.gid(),
                meta.rdev()
            );
            if meta.is_file() || meta.is_dir() {
                line += &format!(" time {}.{:09}", meta.mtime(), meta.mtime_nsec());
            }
            if meta.is_file() && meta.nlink() > 1 {
                let other = first.entry(meta.ino()).or_insert_with(|| name.clone());
                line += &format!(" same as {other:?}");
            }
        }
        entries.insert(name.into_vec(), line);
    }
    Ok(entries)
}

fn same_tree(a: &str, b: &str) -> Step {
    compare(
        &describe(Path::new(a), true)?,
        &describe(Path::new(b), true)?,
    )
}

fn same_contents(a: &str, b: &str) -> Step {
    compare(
        &describe(Path::new(a), false)?,
        &describe(Path::new(b), false)?,
    )
}

fn compare(a: &BTreeMap<Vec<u8>, String>, b: &BTreeMap<Vec<u8>, String>) -> Step {
    let mut wrong = Vec::new();
    for (name, line) in a {
        let name_text = String::from_utf8_lossy(name).into_owned();
        match b.get(name) {
            None => wrong.push(format!("{name_text:?} is missing")),
            Some(other) if other != line => {
                wrong.push(format!("{name_text:?} is [{other}], not [{line}]"));
            }
            Some(_) => {}
        }
    }
    for name in b.keys().filter(|name| !a.contains_key(*name)) {
        wrong.push(format!("{:?} is too much", String::from_utf8_lossy(name)));
    }
    match wrong.len() {
        0 => Ok(()),
        n => {
            wrong.truncate(3);
            Err(format!("{n} differences: {}", wrong.join("; ")))
        }
    }
}

fn same_bytes(expected: &[u8], found: &[u8]) -> Step {
    if expected == found {
        return Ok(());
    }
    let at = expected
        .iter()
        .zip(found)
        .take_while(|(a, b)| a == b)
        .count();
    Err(format!(
        "{} bytes, not {}; they part at {at}",
        found.len(),
        expected.len()
    ))
}

fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    // `Stdio::null` opens /dev/null, which the first steps do without.
    if Path::new("/dev/null").exists() {
        command.stdin(Stdio::null());
    } else {
        command.stdin(Stdio::inherit());
    }
    command
}

fn succeeded(output: &Output) -> Step {
    if output.status.success() && output.stderr.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}

fn run_ok(program: &str, args: &[&str]) -> Result<Vec<u8>, String> {
    let output = command(program, args).output().map_err(text)?;
    succeeded(&output)?;
    Ok(output.stdout)
}

fn cp(args: &[&str]) -> Step {
    run_ok("/bin/cp", args).map(drop)
}

fn cat(args: &[&str]) -> Result<Vec<u8>, String> {
    run_ok("/bin/cat", args)
}

/// Expects `cp` to end with status 1 and to name the trouble on standard error.
fn fails(args: &[&str], message: &str) -> Step {
    let output = command("/bin/cp", args).output().map_err(text)?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() == Some(1) && stderr.contains(message) {
        return Ok(());
    }
    Err(format!("{}: {stderr}", output.status))
}

/// FNV-1a, 64 bits.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Loads `/modules/*` in the order of their names. `tests/vm.rs` has put them there,
/// uncompressed, each after those it needs.
fn load_modules() -> Step {
    let Ok(entries) = fs::read_dir("/modules") else {
        return Ok(()); // all built in
    };
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    for path in paths {
        let file = File::open(&path).map_err(text)?;
        // SAFETY: the descriptor is open, the parameters are an empty C string.
        let result = unsafe { syscall(FINIT_MODULE, file.as_raw_fd(), c"".as_ptr(), 0 as c_int) };
        if result != 0 {
            return Err(format!(
                "{}: {}",
                path.display(),
                std::io::Error::last_os_error()
            ));
        }
    }
    Ok(())
}

/// Waits for the kernel to find a device; it does so in its own time.
fn wait_for(path: &str) -> Step {
    for _ in 0..200 {
        if Path::new(path).exists() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("{path} did not appear"))
}

fn mount_at(source: &str, target: &str, fstype: &str, data: Option<&str>) -> Step {
    fs::create_dir_all(target).map_err(text)?;
    let (source, fstype) = (c_path(Path::new(source)), c_path(Path::new(fstype)));
    let c_target = c_path(Path::new(target));
    let data = data.map(|data| c_path(Path::new(data)));
    let data = data
        .as_ref()
        .map_or(std::ptr::null(), |data| data.as_ptr().cast());
    // SAFETY: every pointer is a C string that lives until the end of this function, or null.
    let result = unsafe { mount(source.as_ptr(), c_target.as_ptr(), fstype.as_ptr(), 0, data) };
    checked(result).map_err(|e| format!("mount {target}: {e}"))
}

fn unmount(target: &str) -> Step {
    let c_target = c_path(Path::new(target));
    // SAFETY: a C string that outlives the call.
    checked(unsafe { umount(c_target.as_ptr()) }).map_err(|e| format!("unmount {target}: {e}"))
}

fn own(path: &Path, uid: u32, gid: u32) -> std::io::Result<()> {
    let path = c_path(path);
    // SAFETY: a C string that outlives the call.
    checked(unsafe { chown(path.as_ptr(), uid, gid) })
}

fn node(path: &Path, mode: u32, device: u64) -> std::io::Result<()> {
    let path = c_path(path);
    // SAFETY: a C string that outlives the call.
    checked(unsafe { mknod(path.as_ptr(), mode, device) })
}

fn checked(result: c_int) -> std::io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no NUL in these names")
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
