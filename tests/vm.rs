//! Boots older kernels with an initramfs that holds annulet and little else, and lets
//! `tests/vm/init.rs` try it there: before anything is mounted, on the initramfs's own file
//! system, on tmpfs and on an ext4 disk. `tests/vm/order.rs` looks at what the kernel's `io_uring`
//! makes of large files.
//!
//! The kernels are the one in `$ANNULET_VM_KERNEL_DIR` or `target/vm-kernel` (put one there with
//! `scripts/kernel.sh target/vm-kernel`), and one of each of [`SERIES`], in
//! `target/vm-kernel-SERIES` or that folder. `ANNULET_VM_ACCEL=kvm` makes it faster where that
//! exists; `ANNULET_VM_CASES` and `ANNULET_SEED` are for `tests/vm/order.rs`.

mod support;

use object::LittleEndian;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader, SectionHeader};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use support::{Ran, find_program, run, script, skip, temp_dir};

/// How long a machine may take, in seconds. It needs about a minute on an idle host; emulation on a
/// busy one has been seen to take ten times as long.
const TIMEOUT_S: u64 = 600;
/// And for each of the cases that `ANNULET_VM_CASES` asks for.
const TIMEOUT_OF_CASE_S: u64 = 25;

/// What the guest needs that a kernel may have as modules: the disk's bus, the disk, its file
/// system.
const MODULES: [&str; 3] = ["virtio_pci", "virtio_blk", "ext4"];

/// Series of kernels that are all to be tried, each with the release of Debian that has it. Linux
/// 6.1 is the first whose `io_uring` has `DEFER_TASKRUN`.
const SERIES: [(&str, &str); 3] = [
    ("5.10", "bullseye"),
    ("6.1", "bookworm"),
    ("6.12", "trixie"),
];

#[test]
fn an_initramfs_of_an_older_kernel() {
    let test = "an_initramfs_of_an_older_kernel";
    if let Some(kernel) = support::vm_kernel(test) {
        try_on(test, &kernel, "");
    }
}

#[test]
fn an_initramfs_of_each_series() {
    let test = "an_initramfs_of_each_series";
    let Some(usual) = support::vm_kernel(test) else {
        return;
    };
    // The test above tries that one.
    let is_usual = |series| package(&usual).starts_with(&format!("linux-image-{series}."));
    for (series, suite) in SERIES.iter().filter(|(series, _)| !is_usual(series)) {
        let place = format!("target/vm-kernel-{series}");
        let kernel = support::repository().join(&place);
        if kernel.join("vmlinuz").exists() {
            try_on(test, &kernel, &format!("{series}."));
        } else {
            let fetch = format!("scripts/kernel.sh --suite {suite} {place}");
            skip(test, &format!("no kernel in {place}; run {fetch}"));
        }
    }
}

/// The name of the package that a kernel is from.
fn package(kernel: &Path) -> String {
    fs::read_to_string(kernel.join("package")).unwrap_or_default()
}

/// Boots a kernel, whose version has to begin like that, and lets the guest try everything on it.
fn try_on(test: &str, kernel: &Path, version: &str) {
    // One machine at a time: each has as many processors as many a host.
    static ALONE: Mutex<()> = Mutex::new(());

    if !support::has_programs(test, &["mkfs.ext4", "e2fsck"]) {
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = temp_dir();
    let initramfs = dir.path().join("initramfs.cpio.gz");
    if let Err(why) = pack(kernel, dir.path(), &initramfs) {
        return skip(test, &why);
    }
    let disk = dir.path().join("disk.img");
    let image = fs::File::create(&disk).expect("the disk image");
    image.set_len(512 << 20).expect("a sparse disk image");
    run(
        Command::new(find_program("mkfs.ext4").expect("looked for above"))
            .arg("-q")
            .arg(&disk),
    )
    .expect_status(0);

    let ran = boot(kernel, &initramfs, &disk);
    let console = ran.stdout_text();
    assert_eq!(ran.status, 0, "the console:\n{console}\n{}", ran.stderr);
    judge(&console, version);

    // What the guest has unmounted must be a sound file system.
    run(
        Command::new(find_program("e2fsck").expect("looked for above"))
            .args(["-f", "-n"])
            .arg(&disk),
    )
    .expect_status(0);
}

/// Makes an initramfs for a kernel, in `dir`.
fn pack(kernel: &Path, dir: &Path, initramfs: &Path) -> Result<(), String> {
    let init = dir.join("init");
    compile_init(&init)?;
    let modules = dir.join("modules");
    collect_modules(&kernel.join("modules"), &modules);
    run(script("initramfs.sh")
        .arg("--bootable")
        .arg("--binary")
        .arg(support::annulet())
        .arg("--add")
        .arg(format!("{}=/init", init.display()))
        .arg("--add")
        .arg(format!("{}=/modules", modules.display()))
        .arg(initramfs))
    .expect_success();
    Ok(())
}

/// Runs the machine until it switches itself off.
fn boot(kernel: &Path, initramfs: &Path, disk: &Path) -> Ran {
    let accel = std::env::var("ANNULET_VM_ACCEL").unwrap_or_else(|_| "tcg".to_owned());
    let cases = support::from_env("ANNULET_VM_CASES").unwrap_or_default();
    let timeout_s = TIMEOUT_S.max(TIMEOUT_OF_CASE_S * cases);
    let mut machine = script("vm.sh");
    machine
        .args(["--timeout", &timeout_s.to_string()])
        .args(["--arch", std::env::consts::ARCH])
        .args(["--accel", &accel, "--kernel"])
        .arg(kernel.join("vmlinuz"))
        .arg("--initramfs")
        .arg(initramfs)
        .arg("--disk")
        .arg(disk);
    for name in ["ANNULET_VM_CASES", "ANNULET_SEED"] {
        if let Ok(value) = std::env::var(name) {
            machine.args(["--append", &format!("{name}={value}")]);
        }
    }
    run(&mut machine)
}

/// Looks at what the guest said. The script's verdict is not taken on trust: a line that says FAIL
/// is a failure.
fn judge(console: &str, version: &str) {
    let failed: Vec<_> = console
        .lines()
        .filter(|line| line.starts_with("FAIL "))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let passed = console
        .lines()
        .filter(|line| line.starts_with("ok "))
        .count();
    assert!(passed >= 40, "only {passed} steps were taken:\n{console}");
    let kernel = console
        .lines()
        .find_map(|line| line.strip_prefix("kernel: Linux version "))
        .unwrap_or_else(|| panic!("which kernel?\n{console}"));
    assert!(kernel.starts_with(version), "not Linux {version}: {kernel}");
    eprintln!("{passed} steps passed on Linux {kernel}");
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

/// Compiles the guest's first process as a static program. It is not a target of the package,
/// because cargo cannot link one target statically against the C library and the others not.
fn compile_init(to: &Path) -> Result<(), String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let ran = run(Command::new(rustc)
        .args(["--edition", "2024", "-D", "warnings", "-O"])
        .args([
            "-C",
            "target-feature=+crt-static",
            "-C",
            "strip=symbols",
            "-o",
        ])
        .arg(to)
        .arg(support::repository().join("tests/vm/init.rs")));
    // A fault in its source is not a lack of the machine's.
    assert!(
        !ran.stderr.contains("error[E"),
        "tests/vm/init.rs does not compile\n{ran:?}"
    );
    if ran.status == 0 {
        Ok(())
    } else {
        Err(format!(
            "cannot link a static program (is libc6-dev there?): {}",
            ran.stderr
        ))
    }
}

/// Puts the modules the guest needs into `to`, named so that their order is that of loading.
fn collect_modules(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder for modules");
    let builtin = fs::read_to_string(from.join("modules.builtin")).unwrap_or_default();
    let builtin: BTreeSet<_> = builtin.lines().map(module_name).collect();
    let files = find_modules(from);
    let mut loaded = BTreeSet::new();
    for name in MODULES {
        collect_module(name, &files, &builtin, &mut loaded, to);
    }
}

/// Copies one module, after those it depends on.
fn collect_module(
    name: &str,
    files: &[PathBuf],
    builtin: &BTreeSet<String>,
    loaded: &mut BTreeSet<String>,
    to: &Path,
) {
    if builtin.contains(name) || loaded.contains(name) {
        return;
    }
    let file = files
        .iter()
        .find(|file| module_name(&file.to_string_lossy()) == name)
        .unwrap_or_else(|| panic!("the kernel has no module {name}"));
    let image = uncompressed(file);
    for dependency in dependencies(&image) {
        collect_module(&dependency, files, builtin, loaded, to);
    }
    let place = to.join(format!("{:02}-{name}.ko", loaded.len()));
    fs::write(place, image).expect("write the module");
    loaded.insert(name.to_owned());
}

/// `kernel/fs/ext4/ext4.ko.xz` is the module `ext4`. A dash and an underscore are the same.
fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split_once(".ko")
        .map_or(file, |(name, _)| name)
        .replace('-', "_")
}

fn find_modules(from: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut pending = vec![from.to_owned()];
    while let Some(folder) = pending.pop() {
        let entries = fs::read_dir(&folder)
            .unwrap_or_else(|e| panic!("cannot list {}: {e}", folder.display()));
        for entry in entries {
            let entry = entry.expect("a folder entry");
            // A link here leads to the kernel's source or build folder.
            if entry.file_type().expect("its type").is_dir() {
                pending.push(entry.path());
            } else if entry.file_name().to_string_lossy().contains(".ko") {
                files.push(entry.path());
            }
        }
    }
    files
}

/// Debian 12 stores modules as they are, later releases compress them, and the guest's /init
/// has nothing to undo that with.
fn uncompressed(file: &Path) -> Vec<u8> {
    let program = match file.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => return fs::read(file).expect("read the module"),
    };
    run(Command::new(program).arg("-dc").arg(file))
        .expect_success()
        .stdout
}

/// The modules a module needs, which it says itself: `depends=a,b` in its section `.modinfo`.
fn dependencies(module: &[u8]) -> Vec<String> {
    let header = FileHeader64::<LittleEndian>::parse(module).expect("a module is an ELF file");
    let sections = header.sections(LittleEndian, module).expect("sections");
    let (_, info) = sections
        .section_by_name(LittleEndian, b".modinfo")
        .expect(".modinfo");
    let info = info.data(LittleEndian, module).expect("its data");
    info.split(|&byte| byte == 0)
        .filter_map(|field| field.strip_prefix(b"depends="))
        .flat_map(|list| list.split(|&byte| byte == b','))
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).replace('-', "_"))
        .collect()
}
