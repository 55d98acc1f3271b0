//! Audits the file that is shipped: what the kernel is asked to map, and what is not in it.
//!
//! The release program is built anew in a target folder of its own, so that a build going on
//! elsewhere and the tests' own debug build stay out of it.

#[path = "support/elf_file.rs"]
mod elf_file;
mod support;

use elf_file::{Symbol, header, symbols};
use object::LittleEndian;
use object::elf::{
    EM_AARCH64, EM_RISCV, EM_X86_64, ET_EXEC, PF_R, PF_W, PF_X, PT_DYNAMIC, PT_GNU_STACK,
    PT_INTERP, PT_LOAD, PT_TLS, ProgramType, SHT_DYNAMIC, SHT_NOBITS, SHT_NOTE, SHT_REL, SHT_RELA,
};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use std::fs;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use support::{run, skip, temp_dir};

/// The most the shipped file may weigh: a fourteenth of what a static busybox does. What it grew by
/// since it was 56 KiB is files reached by descriptor, progress, two ways to copy in order, as many
/// workers as wait, limits of control groups, operands copied in any order, and code
/// that is written for its reader: plain texts, rows of options, core's sort, rules apart from calls.
const SIZE_LIMIT_BYTES: usize = 136 << 10;

/// The target for which rustc links a C library's start files, whatever it is told.
const MUSL: &str = "x86_64-unknown-linux-musl";

/// The first bytes at the entry point: four instructions (`xor ebp, ebp`, `mov rdi, rsp`,
/// `and rsp, -16`, `call`), the last of which goes to what is written in Rust.
const ENTRY: &[u8] = b"\x31\xed\x48\x89\xe7\x48\x83\xe4\xf0\xe8";

/// Where this file keeps its builds.
fn target_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("elf-audit")
}

fn cargo(subcommand: &str, profile: &str) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(support::repository())
        .args([
            subcommand,
            "--profile",
            profile,
            "--bin",
            "annulet",
            "--message-format=json",
        ])
        // What the tests were built from has been fetched; nothing else may be needed.
        .arg("--offline")
        .arg("--target-dir");
    cargo
}

/// Runs cargo and reads the finished program.
fn built(cargo: &mut Command) -> Vec<u8> {
    let ran = run(cargo).expect_status(0);
    // cargo says where the program is, which a configured target would move.
    let messages = ran.stdout_text();
    let path = messages
        .split_once(r#""executable":""#)
        .and_then(|(_, rest)| rest.split_once('"'))
        .unwrap_or_else(|| panic!("cargo names no executable\n{ran:?}"))
        .0;
    fs::read(path).unwrap_or_else(|e| panic!("cannot read {path}: {e}"))
}

/// The program as `cargo build --release` makes it.
fn shipped() -> &'static [u8] {
    static SHIPPED: OnceLock<Vec<u8>> = OnceLock::new();
    SHIPPED.get_or_init(|| built(cargo("build", "release").arg(target_dir().join("shipped"))))
}

/// The same with its symbol table, and the command line it was linked with.
fn unstripped() -> &'static (Vec<u8>, String) {
    static UNSTRIPPED: OnceLock<(Vec<u8>, String)> = OnceLock::new();
    UNSTRIPPED.get_or_init(|| {
        let target = target_dir().join("unstripped");
        let link_args = target.join("link-args");
        if !link_args.exists() {
            // rustc writes it while linking, which cargo leaves out if nothing has changed.
            let _ = fs::remove_dir_all(&target);
            fs::create_dir_all(&target).expect("a target folder");
        }
        let file = built(
            cargo("rustc", "release")
                .arg(&target)
                .env("CARGO_PROFILE_RELEASE_STRIP", "false")
                .args(["--", "--print"])
                .arg(format!("link-args={}", link_args.display())),
        );
        let link_args = fs::read_to_string(&link_args).expect("rustc printed the link line");
        (file, link_args)
    })
}

/// Whether rustc has what a program for `target` is built from (`rustup target add`).
fn has_target(target: &str) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let ran = run(Command::new(rustc).args(["--print", "target-libdir", "--target", target]));
    ran.status == 0 && Path::new(ran.stdout_text().trim_end()).is_dir()
}

/// The program for [`MUSL`], with its symbol table. `None`, aloud, without that target.
fn musl(test: &str) -> Option<&'static [u8]> {
    static MUSL_PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
    if !has_target(MUSL) {
        skip(test, &format!("no target {MUSL} (rustup target add)"));
        return None;
    }
    Some(MUSL_PROGRAM.get_or_init(|| {
        built(
            cargo("build", "release")
                .arg(target_dir().join("musl"))
                .args(["--target", MUSL])
                .env("CARGO_PROFILE_RELEASE_STRIP", "false"),
        )
    }))
}

/// All that is built here.
fn builds(test: &str) -> Vec<&'static [u8]> {
    let mut builds = vec![shipped(), &unstripped().0[..]];
    builds.extend(musl(test));
    builds
}

/// What matters of one program header.
struct Segment {
    kind: ProgramType,
    readable: bool,
    writable: bool,
    executable: bool,
    /// Where it lies in memory.
    memory: Range<u64>,
    /// Where it begins in the file.
    file: usize,
}

fn segments(file: &[u8]) -> Vec<Segment> {
    let headers = header(file)
        .program_headers(LittleEndian, file)
        .expect("program headers");
    let mut segments = Vec::new();
    for header in headers {
        let flags = header.p_flags(LittleEndian);
        let start = header.p_vaddr(LittleEndian);
        segments.push(Segment {
            kind: header.p_type(LittleEndian),
            readable: flags.contains(PF_R),
            writable: flags.contains(PF_W),
            executable: flags.contains(PF_X),
            memory: start..start + header.p_memsz(LittleEndian),
            file: usize::try_from(header.p_offset(LittleEndian)).expect("a place in the file"),
        });
    }
    segments
}

/// The segments the kernel maps. One without memory, as an early program with no variables
/// has, is nowhere.
fn loaded(file: &[u8]) -> Vec<Segment> {
    let mut segments = segments(file);
    segments.retain(|segment| segment.kind == PT_LOAD && !segment.memory.is_empty());
    segments
}

#[test]
fn it_is_a_static_program_for_this_machine() {
    for file in builds("it_is_a_static_program_for_this_machine") {
        let header = header(file);
        assert_eq!(
            header.e_type(LittleEndian),
            ET_EXEC,
            "position-dependent and executable"
        );
        let machine = match std::env::consts::ARCH {
            "x86_64" => EM_X86_64,
            "aarch64" => EM_AARCH64,
            "riscv64" => EM_RISCV,
            other => panic!("which e_machine has {other}?"),
        };
        assert_eq!(header.e_machine(LittleEndian), machine);
    }
}

#[test]
fn it_needs_no_loader() {
    for file in builds("it_needs_no_loader") {
        for segment in segments(file) {
            assert_ne!(segment.kind, PT_INTERP, "asks for a dynamic loader");
            assert_ne!(
                segment.kind, PT_DYNAMIC,
                "has a dynamic section, so needs relocation"
            );
            assert_ne!(
                segment.kind, PT_TLS,
                "has thread-local storage, which nobody sets up"
            );
        }
        let sections = header(file).sections(LittleEndian, file).expect("sections");
        for section in sections.iter() {
            let kind = section.sh_type(LittleEndian);
            assert!(
                ![SHT_DYNAMIC, SHT_REL, SHT_RELA].contains(&kind),
                "a section of {kind:?} waits for a loader"
            );
        }
    }
}

#[test]
fn no_memory_is_both_writable_and_executable() {
    for file in builds("no_memory_is_both_writable_and_executable") {
        check_protection(file);
    }
}

fn check_protection(file: &[u8]) {
    let mut loaded = loaded(file);
    for segment in &loaded {
        let at = segment.memory.start;
        assert!(segment.readable, "{at:#x} cannot be read");
        assert!(
            !(segment.writable && segment.executable),
            "{at:#x} is writable and executable"
        );
    }
    assert!(
        loaded.iter().any(|segment| segment.executable),
        "there is code"
    );

    // Protection is given by the page, so two segments on one page would share it.
    loaded.sort_by_key(|segment| segment.memory.start);
    for pair in loaded.windows(2) {
        let (end, next) = (pair[0].memory.end, pair[1].memory.start);
        assert!(
            end.div_ceil(4096) <= next / 4096,
            "{end:#x} and {next:#x} are on one page"
        );
    }
}

#[test]
fn the_stack_is_not_executable() {
    for file in builds("the_stack_is_not_executable") {
        let segments = segments(file);
        let stacks: Vec<_> = segments.iter().filter(|s| s.kind == PT_GNU_STACK).collect();
        // Without the header the kernel takes the architecture's default, which may be
        // executable.
        assert_eq!(stacks.len(), 1, "PT_GNU_STACK headers");
        assert!(stacks[0].readable && stacks[0].writable);
        assert!(!stacks[0].executable, "the stack is executable");
    }
}

#[test]
fn four_instructions_after_the_entry_point_it_is_rust() {
    for file in builds("four_instructions_after_the_entry_point_it_is_rust") {
        let entry = header(file).e_entry(LittleEndian);
        let code = segments(file)
            .into_iter()
            .find(|s| s.executable && s.memory.contains(&entry))
            .unwrap_or_else(|| panic!("the program starts at {entry:#x}, where no code is"));
        let at = usize::try_from(entry - code.memory.start).expect("a place in the file");
        let first = &file[code.file..][at..][..ENTRY.len()];
        assert!(first == ENTRY, "the program starts with {first:02x?}");
    }
}

#[test]
fn every_symbol_is_defined() {
    check_symbols(&unstripped().0);
}

/// Checks that nothing is left undefined, and that nothing of a C library is there.
fn check_symbols(file: &[u8]) {
    let mut names = Vec::new();
    for Symbol { name, is_defined } in symbols(file) {
        assert!(is_defined, "{name} is left for somebody else to define");
        names.push(name);
    }
    assert!(
        names.iter().any(|name| name == "annulet_start"),
        "this is the right table"
    );
    // Signs of a C library that was linked in whole, so that nothing is undefined.
    for stranger in [
        "_start",
        "_start_c",
        "_init",
        "_fini",
        "main",
        "__do_init",
        "__libc_start_main",
        "__libc_csu_init",
        "__errno_location",
        "malloc",
    ] {
        assert!(
            !names.iter().any(|name| name == stranger),
            "{stranger} was linked in"
        );
    }
}

#[test]
fn the_musl_target_links_and_its_start_files_are_left_out() {
    let Some(file) = musl("the_musl_target_links_and_its_start_files_are_left_out") else {
        return;
    };
    check_symbols(file);
    let dir = temp_dir();
    // Unoptimised it is linked otherwise: from several objects, and core as it comes.
    let unoptimised = built(
        cargo("build", "dev")
            .arg(target_dir().join("musl"))
            .args(["--target", MUSL]),
    );
    check_symbols(&unoptimised);
    for (name, file) in [("release", file), ("dev", &unoptimised)] {
        let program = dir.path().join(name);
        fs::write(&program, file).expect("the program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("its mode");
        let copy = dir.path().join("copy");
        run(Command::new(&program).arg("cp").arg(&program).arg(&copy)).expect_success();
        let shown = run(Command::new(&program).arg("cat").arg(&copy)).expect_success();
        assert!(shown.stdout == file, "{name}: the copy differs");
        fs::remove_file(&copy).expect("remove the copy");
    }
}

#[test]
fn what_is_not_supported_gets_one_sentence() {
    for target in ["x86_64-unknown-none"] {
        if !has_target(target) {
            let reason = format!("no target {target} (rustup target add)");
            skip("what_is_not_supported_gets_one_sentence", &reason);
            continue;
        }
        let ran = run(Command::new(env!("CARGO"))
            .current_dir(support::repository())
            .args(["check", "--offline", "--color=never", "--target", target])
            .arg("--target-dir")
            .arg(target_dir().join("unsupported")));
        let ran = ran.expect_status(101);
        let errors: Vec<_> = ran
            .stderr
            .lines()
            .filter(|line| line.starts_with("error"))
            .collect();
        assert_eq!(errors.len(), 2, "{ran:?}");
        assert!(
            errors[0].starts_with(
                "error: annulet runs on Linux only, on the architectures of src/sys/arch: "
            ),
            "{ran:?}"
        );
        // cargo's own summary of the one above.
        let last = "error: could not compile `annulet` (lib) due to 1 previous error";
        assert_eq!(errors[1], last, "{ran:?}");
    }
}

#[test]
fn the_program_is_not_built_with_std() {
    let ran = run(Command::new(env!("CARGO"))
        .current_dir(support::repository())
        .args(["check", "--offline", "--color=never", "--bins"])
        .args(["--features", "std", "--target-dir"])
        .arg(target_dir().join("unsupported")));
    let ran = ran.expect_status(101);
    let mut errors = ran.stderr.lines().filter(|line| line.starts_with("error"));
    let first = errors.next().expect("an error");
    assert!(first.starts_with("error: the feature `std` is for other"));
    // cargo's own summary of the one above.
    assert_eq!(errors.count(), 1, "{ran:?}");
}

#[test]
fn no_library_was_linked_in() {
    let (_, link_args) = unstripped();
    // rustc quotes each word: "cc" "-m64" "/path/to/x.o" ...
    let words: Vec<_> = link_args
        .split_whitespace()
        .map(|word| word.trim_matches('"'))
        .collect();
    for wanted in ["-nostdlib", "-nostartfiles", "-static"] {
        assert!(
            words.contains(&wanted),
            "{wanted} is missing in {link_args}"
        );
    }
    for word in words {
        let file = word.rsplit('/').next().unwrap_or_default();
        let foreign = word.starts_with("-l")
            || matches!(
                file,
                "crt1.o" | "crti.o" | "crtbegin.o" | "crtbeginT.o" | "rcrt1.o"
            )
            || file.starts_with("libc.")
            || file.starts_with("liblibc-")
            || file.starts_with("libstd-")
            || file.starts_with("libunwind")
            || file.starts_with("libgcc");
        assert!(!foreign, "{word} is on the link line: {link_args}");
    }
}

/// README says how large the file is that one compiler makes; others may make another.
#[test]
fn readme_tells_the_size() {
    let readme = fs::read_to_string(support::repository().join("README.md")).expect("README.md");
    let (_, rest) = readme
        .split_once("static Linux binary of ")
        .expect("a size");
    let (size, _) = rest.split_once(" bytes").expect("a size in bytes");
    let (_, rest) = readme.split_once("what rustc ").expect("a compiler");
    let (version, _) = rest.split_once(' ').expect("its version");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let ran = run(Command::new(rustc).arg("--version")).expect_success();
    if !ran.stdout_text().starts_with(&format!("rustc {version}.")) {
        return println!("README's size is of rustc {version}: {ran:?}");
    }
    // Where the toolchain has its library's source, messages of panics name it: its path counts.
    let said: usize = size.replace(',', "").parse().expect("a number");
    let is = shipped().len();
    assert!(
        said.abs_diff(is) < 1 << 10,
        "README says {said}, it is {is}"
    );
}

#[test]
fn the_shipped_file_is_small() {
    let size = shipped().len();
    eprintln!("the release program: {size} bytes of {SIZE_LIMIT_BYTES}");
    assert!(
        size <= SIZE_LIMIT_BYTES,
        "{size} bytes, {} too many",
        size - SIZE_LIMIT_BYTES
    );
}

#[test]
fn the_shipped_file_holds_nothing_to_spare() {
    let file = shipped();
    let sections = header(file).sections(LittleEndian, file).expect("sections");
    let strings = sections
        .iter()
        .map(|section| sections.section_name(LittleEndian, section));
    for (section, name) in sections.iter().zip(strings) {
        let name = String::from_utf8_lossy(name.expect("a section name"));
        let kind = section.sh_type(LittleEndian);
        assert_ne!(
            kind,
            object::elf::SHT_SYMTAB,
            "{name}: the file is not stripped"
        );
        assert_ne!(kind, SHT_NOTE, "{name}: a note");
        assert!(!name.starts_with(".debug"), "{name}: debug information");
        assert!(
            !name.starts_with(".eh_frame"),
            "{name}: unwind tables, and nothing unwinds"
        );
        // Zeros in the file are paid for; .bss costs nothing.
        if name.starts_with(".bss") {
            assert_eq!(kind, SHT_NOBITS, "{name} takes room in the file");
        }
    }
}
