//! What is built for a guest, and the initramfs with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::guests::{Arch, Guest};
use crate::modules;
use crate::support::{self, Ran, repository, run, script};

/// Tests that run in guests of other architectures than this machine's, as cargo names them.
const TESTS: [&str; 3] = ["--lib", "--test=ring", "--test=workers"];
/// Of one alone, as it takes as long as all the rest: what is GNU's is the same everywhere.
const LONG_TEST: (Arch, &str) = (Arch::Aarch64, "--test=cp_differential");

/// Makes an initramfs for a guest, in `dir`, with its own tests or without.
pub fn pack(guest: &Guest, kernel: &Path, dir: &Path, has_tests: bool) -> Result<PathBuf, String> {
    let initramfs = dir.join("initramfs.cpio");
    let init = dir.join("init");
    compile_init(guest.arch, &init)?;
    let modules = dir.join("modules");
    modules::collect(&kernel.join("modules"), &modules);
    let program = program(guest.arch, dir)?;
    let mut pack = script("initramfs.sh");
    let mut add = |from: &Path, to: &str| {
        let pair = format!("{}={to}", from.display());
        pack.args(["--add", &pair]);
    };
    add(&init, "/init");
    add(&modules, "/modules");
    if let Some(userland) = guest.arch.userland().filter(|_| has_tests) {
        if !userland.join("packages").exists() {
            return Err(format!("no {}", userland.display()));
        }
        let tests = dir.join("tests");
        build_tests(guest.arch, &tests)?;
        fs::copy(&program, tests.join("annulet")).expect("a copy of the program");
        add(&userland, "/userland");
        add(&tests, "/userland/tests");
    }
    run(pack
        .arg("--bootable")
        .arg("--binary")
        .arg(program)
        .arg(&initramfs))
    .expect_success();
    Ok(initramfs)
}

/// The program to try: this machine's is the one under test, of others what the image for
/// containers has, with the release build in it.
fn program(arch: Arch, dir: &Path) -> Result<PathBuf, String> {
    if arch.is_native() {
        return Ok(support::annulet());
    }
    let ran = cargo(arch, &["build", "--release", "--bin=annulet"])?;
    let built = executables(&ran).pop();
    let built = built.unwrap_or_else(|| panic!("cargo names no program\n{ran:?}"));
    let image = dir.join("image.tar");
    run(script("image.sh")
        .args(["--no-load", "--binary"])
        .arg(built)
        .arg("--output")
        .arg(&image))
    .expect_status(0);
    Ok(out_of(&image, dir))
}

/// Unpacks an image for one architecture, in `dir`: it is an archive of blobs, one of which is an
/// archive of files.
fn out_of(image: &Path, dir: &Path) -> PathBuf {
    let unpack = |archive: &Path, name: &str| {
        run(Command::new("tar")
            .arg("-C")
            .arg(dir)
            .arg("-xf")
            .arg(archive)
            .arg(name))
    };
    unpack(image, "blobs").expect_success();
    let blobs = fs::read_dir(dir.join("blobs/sha256")).expect("blobs");
    let mut blobs = blobs.map(|blob| blob.expect("a blob").path());
    assert!(
        blobs.any(|blob| unpack(&blob, "bin/annulet").status == 0),
        "no file in {}",
        image.display()
    );
    dir.join("bin/annulet")
}

/// Puts the tests' programs into `to`, stripped of half their size.
fn build_tests(arch: Arch, to: &Path) -> Result<(), String> {
    fs::create_dir(to).expect("a folder for tests");
    let mut args = [&["test", "--no-run"], &TESTS[..]].concat();
    args.extend((arch == LONG_TEST.0).then_some(LONG_TEST.1));
    let ran = cargo(arch, &args)?;
    for program in executables(&ran) {
        // Cargo puts a hash behind the name, and the library's is the package's.
        let name = program.file_name().expect("a name").to_string_lossy();
        let Some((name, _)) = name.rsplit_once('-') else {
            continue;
        };
        let name = if name == "annulet" { "lib" } else { name };
        run(Command::new(arch.tools() + "strip")
            .arg("-o")
            .args([&to.join(name), &program]))
        .expect_success();
    }
    Ok(())
}

/// Runs cargo for an architecture. What a machine may lack is an error, and the rest a failure.
fn cargo(arch: Arch, args: &[&str]) -> Result<Ran, String> {
    let target = arch.target();
    let ran = run(Command::new("rustc").args(["--print=target-libdir", "--target", target]));
    if !Path::new(ran.stdout_text().trim_end()).is_dir() {
        return Err(format!("no target {target} (rustup target add)"));
    }
    let linker = arch.tools() + "gcc";
    if support::find_program(&linker).is_none() {
        return Err(format!("{linker} is not installed"));
    }
    let variable = format!(
        "CARGO_TARGET_{}_LINKER",
        target.replace('-', "_").to_uppercase()
    );
    let ran = run(Command::new(env!("CARGO"))
        .current_dir(repository())
        .args(args)
        // What the tests were built from has been fetched; nothing else may be needed.
        .args([
            "--offline",
            "--message-format=json-render-diagnostics",
            "--target",
            target,
        ])
        .env(variable, linker));
    Ok(ran.expect_status(0))
}

/// The programs that cargo has built.
fn executables(ran: &Ran) -> Vec<PathBuf> {
    let messages = ran.stdout_text();
    let paths = messages.split(r#""executable":""#).skip(1);
    paths
        .filter_map(|rest| Some(PathBuf::from(rest.split_once('"')?.0)))
        .collect()
}

/// Compiles the guest's first process as a static program. It is not a target of the package,
/// because cargo cannot link one target statically against the C library and the others not.
fn compile_init(arch: Arch, to: &Path) -> Result<(), String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let linker = arch.tools() + "gcc";
    let ran = run(Command::new(rustc)
        .args(["--edition", "2024", "-D", "warnings", "-O"])
        .args(["--target", arch.target()])
        .args(["-C", &format!("linker={linker}")])
        .args(["-C", "target-feature=+crt-static", "-C", "strip=symbols"])
        .arg("-o")
        .arg(to)
        .arg(repository().join("tests/vm/init/main.rs")));
    // A fault in its source is not a lack of the machine's.
    let has_fault = ran.stderr.contains("error[E") && !ran.stderr.contains("error[E0463]");
    assert!(!has_fault, "tests/vm/init does not compile\n{ran:?}");
    if ran.status == 0 {
        Ok(())
    } else {
        Err(format!(
            "cannot link a static program for {} (are {linker} and its C library there?): {}",
            arch.name(),
            ran.stderr
        ))
    }
}
