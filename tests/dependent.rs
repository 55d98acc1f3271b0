//! The ring in somebody else's program: what comes along with it when that is linked, and what
//! does not. `src/ring/examples.md` says it.

#[path = "support/elf_file.rs"]
mod elf_file;
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use elf_file::{Symbol, header, symbols};
use object::LittleEndian;
use object::elf::PT_INTERP;
use object::read::elf::{FileHeader, ProgramHeader};
use support::{TempDir, repository, run, temp_dir};

/// What only annulet's own program has (`src/rt`), by the names it has there.
const OF_THE_PROGRAM: &[&str] = &[
    "annulet_start",
    "memcpy",
    "memmove",
    "memset",
    "memcmp",
    "bcmp",
    "strlen",
];

/// What the linker is told for annulet's own program (`linker/build.rs`).
const FLAGS_OF_THE_PROGRAM: &[&str] = &["-nostartfiles", "-nostdlib", "program.ld", "norelro"];

/// A program with std.
const WITH_STD: &str = r#"
use annulet::ring::IoUring;

fn main() {
    match IoUring::new(8) {
        Ok(mut ring) => {
            ring.push_nop(7).unwrap();
            println!("completion {}", ring.wait().unwrap().user_data);
        }
        Err(errno) => println!("refused: {errno:?}"),
    }
    let caught = std::panic::catch_unwind(|| panic!("on purpose"));
    println!("caught: {}", caught.is_err());
}
"#;

/// A program that has neither std nor a libc, and brings all that annulet's own program does: were
/// any of it in the library as well, it could not be linked.
const WITHOUT_LIBC: &str = r#"
#![no_std]
#![no_main]

use annulet::ring::IoUring;
use annulet::sys::{STDOUT, exit, write};
use core::alloc::{GlobalAlloc, Layout};

// The kernel aligns the stack as a function expects it, but on x86-64.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(".globl _start", "_start: call {main}", main = sym start);

#[cfg_attr(not(target_arch = "x86_64"), unsafe(export_name = "_start"))]
extern "C" fn start() -> ! {
    let said: &[u8] = match IoUring::new(8) {
        Ok(mut ring) => match ring.push_nop(7).and_then(|()| ring.wait()) {
            Ok(completion) if completion.user_data == 7 => b"completion 7\n",
            _ => b"no completion\n",
        },
        Err(_) => b"refused\n",
    };
    let written = write(STDOUT, said);
    exit(u8::from(written != Ok(said.len())))
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(101)
}

struct Nothing;

unsafe impl GlobalAlloc for Nothing {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static NOTHING: Nothing = Nothing;

// Where this is not there, a constructor is linked that calls the C library's `getauxval`.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
static __aarch64_have_lse_atomics: u8 = 0;

// Volatile accesses, as the compiler would make calls of these very functions of others.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    for i in 0..len {
        unsafe { to.add(i).write_volatile(from.add(i).read_volatile()) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= len {
        return unsafe { memcpy(to, from, len) };
    }
    for i in (0..len).rev() {
        unsafe { to.add(i).write_volatile(from.add(i).read_volatile()) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    for i in 0..len {
        unsafe { to.add(i).write_volatile(byte as u8) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    for i in 0..len {
        let (a, b) = unsafe { (a.add(i).read_volatile(), b.add(i).read_volatile()) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    unsafe { memcmp(a, b, len) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut len = 0;
    while unsafe { text.add(len).read_volatile() } != 0 {
        len += 1;
    }
    len
}
"#;

/// What links it.
const WITHOUT_LIBC_BUILD: &str = r#"
fn main() {
    for arg in ["-nostartfiles", "-nostdlib", "-static", "-no-pie"] {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
    // An unoptimised build refers to the unwinder, which nothing calls.
    println!("cargo::rustc-link-arg-bins=-Wl,--defsym=rust_eh_personality=0");
}
"#;

/// A crate that depends on annulet by its path.
fn depend(name: &str, main: &str) -> TempDir {
    let dir = temp_dir();
    let annulet = repository().display();
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nannulet = {{ path = \"{annulet}\", version = \"0.1\" }}\n\n[workspace]\n"
    );
    fs::create_dir(dir.child("src")).unwrap();
    fs::write(dir.child("Cargo.toml"), manifest).unwrap();
    fs::write(dir.child("src/main.rs"), main).unwrap();
    // The same bitflags, which has been fetched.
    fs::copy(repository().join("Cargo.lock"), dir.child("Cargo.lock")).unwrap();
    dir
}

/// The program that a crate makes, and the line it was linked with.
struct Built {
    elf: Vec<u8>,
    link_line: String,
    output: support::Ran,
}

/// Builds the crate `name` in `dir`, and runs the program there.
fn build(dir: &TempDir, name: &str, profile: &str, panic: &str) -> Built {
    let target = dir.child(format!("target-{panic}"));
    let link_line = dir.child(format!("link-{profile}-{panic}"));
    run(Command::new(env!("CARGO"))
        .current_dir(dir.path())
        .args(["rustc", "--offline", "--profile", profile, "--config"])
        .arg(format!("profile.{profile}.panic=\"{panic}\""))
        .arg("--target-dir")
        .arg(&target)
        .args(["--", "--print"])
        .arg(format!("link-args={}", link_line.display())))
    .expect_status(0);
    let folder = if profile == "dev" { "debug" } else { profile };
    let program = target.join(folder).join(name);
    Built {
        elf: fs::read(&program).unwrap(),
        link_line: fs::read_to_string(link_line).unwrap(),
        output: run(Command::new(&program).current_dir(dir.path())),
    }
}

/// The names a program has in its table of symbols: those that it defines, and those that it
/// leaves to a shared library.
fn names(elf: &[u8]) -> (Vec<String>, Vec<String>) {
    let (defined, undefined): (Vec<_>, Vec<_>) = symbols(elf)
        .into_iter()
        .partition(|symbol| symbol.is_defined);
    let names = |symbols: Vec<Symbol>| symbols.into_iter().map(|symbol| symbol.name).collect();
    (names(defined), names(undefined))
}

/// Whether a program names a loader, which brings its shared libraries in.
fn has_loader(elf: &[u8]) -> bool {
    header(elf)
        .program_headers(LittleEndian, elf)
        .expect("segments")
        .iter()
        .any(|segment| segment.p_type(LittleEndian) == PT_INTERP)
}

/// Fails where a symbol is annulet's, and not of the library.
fn check_origin(defined: &[String], what: &str) {
    let is_of = |module: &str| defined.iter().any(|name| name.contains(module));
    assert!(is_of("7annulet4ring"), "{what}: this is the right table");
    // As Rust mangles `annulet::rt::…`.
    assert!(!is_of("7annulet2rt"), "{what}: part of the runtime");
}

#[test]
fn nothing_of_the_program_is_linked_into_another() {
    let dir = depend("dependent", WITH_STD);
    for (profile, panic) in [
        ("dev", "unwind"),
        ("dev", "abort"),
        ("release", "unwind"),
        ("release", "abort"),
    ] {
        let what = format!("{profile}, {panic}");
        let built = build(&dir, "dependent", profile, panic);
        for flag in FLAGS_OF_THE_PROGRAM {
            assert!(!built.link_line.contains(flag), "{what}: linked by {flag}");
        }

        // The C library starts it, and has what the compiler calls.
        let (defined, undefined) = names(&built.elf);
        check_origin(&defined, &what);
        for name in OF_THE_PROGRAM {
            let is_defined = defined.iter().any(|other| other == name);
            assert!(!is_defined, "{what}: {name} is in the program");
        }
        let is_started = |name: &String| name.starts_with("__libc_start_main");
        assert!(undefined.iter().any(is_started), "{what}: started by libc");
        assert!(has_loader(&built.elf), "{what}: linked as any other");

        // Panics are std's, too.
        let output = built.output;
        let (status, end) = match panic {
            "unwind" => (0, "caught: true\n"),
            _ => (-libc::SIGABRT, "\n"),
        };
        let said = output.stdout_text();
        let has_run = said.starts_with("completion 7\n") || said.starts_with("refused: ");
        assert!(has_run && said.ends_with(end), "{what}: {output:?}");
        assert_eq!(output.status, status, "{what}: {output:?}");
        assert!(output.stderr.contains("on purpose"), "{what}: {output:?}");
    }
}

#[test]
fn a_program_without_a_libc_brings_its_own_runtime() {
    let dir = depend("freestanding", WITHOUT_LIBC);
    fs::write(dir.child("build.rs"), WITHOUT_LIBC_BUILD).unwrap();
    for profile in ["dev", "release"] {
        let built = build(&dir, "freestanding", profile, "abort");
        let (defined, _) = names(&built.elf);
        check_origin(&defined, profile);
        let has = |name: &str| defined.iter().any(|other| other == name);
        assert!(has("_start"), "{profile}: its own entry point");
        assert!(!has("annulet_start"), "{profile}: annulet's entry point");
        assert!(!has_loader(&built.elf), "{profile}: linked without a libc");
        let said = built.output.expect_success().stdout_text();
        assert!(
            ["completion 7\n", "refused\n"].contains(&&*said),
            "{profile}: {said}"
        );
    }
}

/// The documentation says what another crate writes.
#[test]
fn the_version_that_is_documented_is_this_one() {
    let version = env!("CARGO_PKG_VERSION");
    let (version, _) = version.rsplit_once('.').expect("three numbers");
    for page in ["README.md", "src/ring/examples.md"] {
        let text = fs::read_to_string(Path::new(repository()).join(page)).unwrap();
        let dependency = format!("annulet = {{ path = \"../annulet\", version = \"{version}\" }}");
        assert!(text.contains(&dependency), "{page}: {dependency}");
    }
}
