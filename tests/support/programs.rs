//! The programs that tests start, where every user can reach them, and started in the same way
//! whatever shell the tests were started from.
//!
//! Tests start them as somebody else, too, and the clone, or the target folder, may lie below a
//! folder that is its owner's alone, as root's home is on Debian. So they are copied.
#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Once, OnceLock};

use super::{is_root, repository, run, skip};

/// What Linux gives user numbers to whom nobody has given one: above people's and services',
/// below those that systemd hands out.
const UNUSED_USERS: std::ops::Range<u32> = 50_000..60_000;

/// The program under test, copied. `ANNULET_TEST_BINARY` names another file to copy, such as a
/// release build or a peer with the same commands. For one of another architecture, something that
/// has it run by qemu-user (`runner.rs`).
///
/// # Panics
///
/// If it cannot be copied, or not be run.
#[must_use]
pub fn annulet() -> PathBuf {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    let copy = COPY.get_or_init(|| {
        let program = program_under_test();
        let name = program.file_name().expect("the program's name");
        let copy = place().join(name);
        match emulator(&program) {
            None => install(&program, &copy),
            Some(emulator) => {
                let foreign = copy.with_extension("foreign");
                install(&program, &foreign);
                make_runner(&copy, &emulator, &foreign);
            }
        }
        copy
    });
    copy.clone()
}

fn program_under_test() -> PathBuf {
    let built = || env!("CARGO_BIN_EXE_annulet").into();
    std::env::var_os("ANNULET_TEST_BINARY").map_or_else(built, PathBuf::from)
}

/// Those of the ways to copy that can be tried: all but the ring where the program is another
/// architecture's, as qemu-user, which runs it, has no `io_uring`.
#[must_use]
pub fn ways<'a>(all: &[&'a str]) -> Vec<&'a str> {
    static HAS_RING: OnceLock<bool> = OnceLock::new();
    let has_ring = *HAS_RING.get_or_init(|| emulator(&program_under_test()).is_none());
    let mut ways = all.to_owned();
    ways.retain(|way| has_ring || !way.contains("ring"));
    ways
}

/// What runs a program of another architecture, by the ELF header's `e_machine`; `None` for one of
/// this.
fn emulator(program: &Path) -> Option<PathBuf> {
    let file = fs::read(program).expect("the program");
    let arch = match file.get(18..20)? {
        [62, 0] => "x86_64",
        [183, 0] => "aarch64",
        [243, 0] => "riscv64",
        other => panic!("e_machine {other:?} of {}", program.display()),
    };
    (arch != std::env::consts::ARCH).then(|| {
        let name = format!("qemu-{arch}");
        super::find_program(&name).unwrap_or_else(|| panic!("{name} is not installed (qemu-user)"))
    })
}

/// Compiles what has `emulator` run `program` under the name it was started by.
fn make_runner(runner: &Path, emulator: &Path, program: &Path) {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    run(Command::new(rustc)
        .args(["--edition=2024", "-Cpanic=abort", "-Cstrip=symbols", "-o"])
        .arg(runner)
        .arg(repository().join("tests/support/runner.rs"))
        .env("RUNNER_EMULATOR", emulator)
        .env("RUNNER_PROGRAM", program))
    .expect_success();
}

/// A command that starts in the C locale and with nothing else in its environment but the search
/// path.
#[must_use]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("LC_ALL", "C").env("PATH", path);
    command
}

/// GNU's `command` (`cp` or `cat`) and its version, to compare with: what `scripts/gnu.sh` put
/// into `target/gnu`, else the installed one if it is GNU's and not older than 9.1.
#[must_use]
pub fn gnu(command: &str, test: &str) -> Option<(PathBuf, (u32, u32))> {
    prepare();
    for program in [fetched(command), super::find_program(command)]
        .into_iter()
        .flatten()
    {
        let version = gnu_version(&program, command);
        if let Some(version) = version.filter(|version| *version >= (9, 1)) {
            return Some((program, version));
        }
    }
    skip(test, "no GNU coreutils 9.1 or later (scripts/gnu.sh)");
    None
}

fn gnu_version(program: &Path, command: &str) -> Option<(u32, u32)> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let prefix = format!("{command} (GNU coreutils) ");
    let version = text.lines().next()?.strip_prefix(&prefix)?;
    let mut numbers = version.split(['.', '-']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// GNU's `command` in `target/gnu`, or where others cannot reach that a copy.
fn fetched(command: &str) -> Option<PathBuf> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let from = fs::canonicalize(repository().join("target/gnu")).ok()?;
        if !is_root() || is_open_to_all(&from) {
            return Some(from);
        }
        let to = place().join("gnu");
        let lib = to.join("lib");
        for command in ["cp", "cat"] {
            install(&from.join(command), &to.join(command));
        }
        for entry in fs::read_dir(from.join("lib")).ok()? {
            let library = entry.ok()?.path();
            if library.is_file() {
                install(&library, &lib.join(library.file_name()?));
            }
        }
        // They know their libraries, the loader among them, by absolute paths.
        let loader = run(Command::new("patchelf")
            .arg("--print-interpreter")
            .arg(to.join("cp")));
        let loader = loader.stdout_text();
        let patched = run(Command::new("patchelf")
            .arg("--set-interpreter")
            .arg(lib.join(Path::new(loader.trim_end()).file_name()?))
            .args(["--force-rpath", "--set-rpath"])
            .arg(&lib)
            .args(["cp", "cat"].map(|command| to.join(command))));
        (patched.status == 0).then_some(to)
    });
    Some(folder.as_ref()?.join(command))
}

/// A user that nothing else runs as, another test run on the same machine included: what is
/// limited by user is limited for this process alone.
#[must_use]
pub fn lonely_user() -> u32 {
    UNUSED_USERS.start + std::process::id() % (UNUSED_USERS.end - UNUSED_USERS.start)
}

/// Copies a program so that everybody may start it. By a process of its own: while this one has
/// it open for writing, what another thread starts has it too, and then it cannot be started.
fn install(from: &Path, to: &Path) {
    let ran = run(Command::new("install")
        .args(["-D", "-m", "755", "--"])
        .args([from, to]));
    assert_eq!(ran.status, 0, "{ran:?}");
}

/// The folder of this process's copies.
fn place() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    extern "C" fn remove() {
        if let Some(place) = PLACE.get() {
            let _ = fs::remove_dir_all(place);
        }
    }
    PLACE.get_or_init(|| {
        let dir = super::temp_dir();
        let path = dir.path().to_owned();
        // A static value is never dropped.
        dir.leak();
        // SAFETY: the function takes nothing and does not unwind.
        let registered = unsafe { libc::atexit(remove) };
        assert_eq!(registered, 0);
        path
    })
}

/// Makes this process what its children are to find, whatever it was started with: no further
/// descriptors are handed on, and the umask is the usual one.
pub fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for entry in fs::read_dir("/proc/self/fd").expect("/proc/self/fd") {
            let name = entry.expect("an entry").file_name();
            let number: i32 = name
                .to_str()
                .and_then(|n| n.parse().ok())
                .expect("a number");
            if number > 2 {
                // SAFETY: takes numbers; a descriptor that is closed by now is an error only.
                unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
            }
        }
        // SAFETY: takes a number and cannot fail.
        unsafe { libc::umask(0o022) };
    });
}

/// The folder for temporary files; where that is its owner's alone, one that everybody can reach.
pub fn temp_parent() -> &'static Path {
    static PARENT: OnceLock<PathBuf> = OnceLock::new();
    PARENT.get_or_init(|| {
        let wanted = std::env::temp_dir();
        // What is started in another folder is told the same one.
        let wanted = fs::canonicalize(&wanted).unwrap_or(wanted);
        if !is_root() || is_open_to_all(&wanted) {
            return wanted;
        }
        let others = ["/tmp", "/var/tmp"].map(PathBuf::from);
        let open = others.into_iter().find(|folder| is_open_to_all(folder));
        open.unwrap_or(wanted)
    })
}

/// Whether everybody may pass through a folder and all that lead to it.
fn is_open_to_all(folder: &Path) -> bool {
    let Ok(folder) = fs::canonicalize(folder) else {
        return false;
    };
    folder
        .ancestors()
        .all(|folder| fs::metadata(folder).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0))
}
