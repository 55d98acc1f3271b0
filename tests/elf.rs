//! Audits the file that is shipped, for each architecture: what the kernel is asked to map, and what
//! is not in it.
//!
//! The release program is built anew in a target folder of its own, so that a build going on
//! elsewhere and the tests' own debug build stay out of it.

#[path = "support/elf_file.rs"]
mod elf_file;
mod support;

use elf_file::{Symbol, header, symbols};
use object::LittleEndian;
use object::elf::{
    EF_RISCV_FLOAT_ABI_DOUBLE, EF_RISCV_RVC, EM_AARCH64, EM_RISCV, EM_X86_64, ET_EXEC, FileFlags,
    Machine, PF_R, PF_W, PF_X, PT_DYNAMIC, PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_TLS, ProgramType,
    SHT_DYNAMIC, SHT_NOBITS, SHT_NOTE, SHT_REL, SHT_RELA, SHT_RISCV_ATTRIBUTES,
};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use std::fs;
use std::ops::Range;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use support::{TempDir, find_program, run, skip, temp_dir};

/// The most the shipped file may weigh: a sixteenth of what a static busybox does. What it grew by
/// since it was 56 KiB is files reached by descriptor, progress, two ways to copy in order, as many
/// workers as wait, limits of control groups, operands copied in any order, and code
/// that is written for its reader: plain texts, rows of options, core's sort, rules apart from calls.
const SIZE_LIMIT_BYTES: usize = 124 << 10;

/// What is expected of the file for an architecture.
struct Architecture {
    /// As Rust has it (`target_arch`), and qemu-user.
    name: &'static str,
    /// As README has it.
    title: &'static str,
    target: &'static str,
    machine: Machine,
    /// What it asks of a processor beside its instructions (`e_flags`).
    flags: FileFlags,
    /// The largest page of a kernel for it.
    page_bytes: u64,
    /// The first instructions at the entry point, three of them, behind which is a call of what is
    /// written in Rust.
    entry: &'static [u8],
    /// Whether an instruction is a call.
    is_call: fn(&[u8]) -> bool,
    /// A C compiler for it where it is not the machine's own.
    cross_compiler: &'static str,
}

const ARCHITECTURES: [Architecture; 3] = [
    Architecture {
        name: "x86_64",
        title: "x86-64",
        target: "x86_64-unknown-linux-gnu",
        machine: EM_X86_64,
        flags: FileFlags(0),
        page_bytes: 4 << 10,
        // xor ebp, ebp; mov rdi, rsp; and rsp, -16
        entry: b"\x31\xed\x48\x89\xe7\x48\x83\xe4\xf0",
        is_call: |code| code[0] == 0xe8,
        cross_compiler: "x86_64-linux-gnu-gcc",
    },
    Architecture {
        name: "aarch64",
        title: "aarch64",
        target: "aarch64-unknown-linux-gnu",
        machine: EM_AARCH64,
        flags: FileFlags(0),
        page_bytes: 64 << 10,
        // mov x29, xzr; mov x0, sp
        entry: b"\xfd\x03\x1f\xaa\xe0\x03\x00\x91",
        is_call: |code| code[3] >> 2 == 0x25,
        cross_compiler: "aarch64-linux-gnu-gcc",
    },
    Architecture {
        name: "riscv64",
        title: "riscv64",
        target: "riscv64gc-unknown-linux-gnu",
        machine: EM_RISCV,
        // Short instructions, and floating-point numbers of 64 bits in registers.
        flags: FileFlags(EF_RISCV_RVC.0 | EF_RISCV_FLOAT_ABI_DOUBLE.0),
        page_bytes: 4 << 10,
        // li s0, 0; mv a0, sp
        entry: b"\x01\x44\x0a\x85",
        // jal ra; or auipc ra, where it is far
        is_call: |code| [0xef, 0x97].contains(&code[0]),
        cross_compiler: "riscv64-linux-gnu-gcc",
    },
];

/// This machine's.
fn own() -> &'static Architecture {
    let own = ARCHITECTURES
        .iter()
        .find(|known| known.name == std::env::consts::ARCH);
    own.expect("an architecture of the table")
}

/// The target for which rustc links a C library's start files, whatever it is told.
fn musl_target() -> String {
    own().target.replace("-gnu", "-musl")
}

/// A program that was built.
struct Build {
    architecture: &'static Architecture,
    /// How it was built, for messages.
    how: String,
    file: Vec<u8>,
    has_symbols: bool,
}

impl Build {
    fn own(how: &str, file: &[u8], has_symbols: bool) -> Self {
        Self {
            architecture: own(),
            how: how.to_owned(),
            file: file.to_owned(),
            has_symbols,
        }
    }
}

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

/// The program for [`musl_target`], with its symbol table. `None`, aloud, without that target.
fn musl(test: &str) -> Option<&'static [u8]> {
    static MUSL_PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
    let target = musl_target();
    if !has_target(&target) {
        skip(test, &format!("no target {target} (rustup target add)"));
        return None;
    }
    Some(MUSL_PROGRAM.get_or_init(|| {
        built(
            cargo("build", "release")
                .arg(target_dir().join("musl"))
                .args(["--target", &target])
                .env("CARGO_PROFILE_RELEASE_STRIP", "false"),
        )
    }))
}

/// The programs for architectures that are not this machine's, linked by what Rust brings along and
/// by a cross compiler, as they are shipped and unoptimised. Those that cannot be built are left
/// out, aloud.
fn foreign(test: &str) -> &'static [Build] {
    static FOREIGN: OnceLock<Vec<Build>> = OnceLock::new();
    FOREIGN.get_or_init(|| {
        let mut builds = Vec::new();
        for architecture in &ARCHITECTURES {
            let target = architecture.target;
            if architecture.name == own().name {
                continue;
            }
            if !has_target(target) {
                skip(test, &format!("no target {target} (rustup target add)"));
                continue;
            }
            let compiler = architecture.cross_compiler;
            let is_there = find_program(compiler).is_some();
            if !is_there {
                skip(test, &format!("{compiler} is not installed"));
            }
            for linker in ["rust-lld", compiler]
                .into_iter()
                .take(1 + usize::from(is_there))
            {
                let build = |profile| foreign_build(architecture, linker, profile);
                builds.extend(["release", "dev"].map(build));
            }
        }
        builds
    })
}

fn foreign_build(architecture: &'static Architecture, linker: &str, profile: &str) -> Build {
    let target = architecture.target;
    let setting = |name: &str| {
        let target = target.to_uppercase().replace('-', "_");
        format!("CARGO_TARGET_{target}_{name}")
    };
    let mut cargo = cargo("build", profile);
    cargo
        .arg(target_dir().join(linker))
        .args(["--target", target]);
    let tools = temp_dir();
    if linker == architecture.cross_compiler {
        // GNU's, and not the one that Rust would have it take.
        cargo
            .env(setting("LINKER"), linker)
            .env(setting("RUSTFLAGS"), "-Clink-arg=-fuse-ld=bfd");
    } else {
        // No other compiler's linker can be found there.
        only_rust_and_cc(&tools);
        cargo
            .env_remove(setting("LINKER"))
            .env("PATH", tools.path());
    }
    Build {
        architecture,
        how: format!("{target}, {linker}, {profile}"),
        file: built(&mut cargo),
        has_symbols: profile == "dev",
    }
}

/// Puts links to the compilers of Rust and of C into a folder.
fn only_rust_and_cc(tools: &TempDir) {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = run(Command::new(rustc).args(["--print", "sysroot"])).expect_success();
    let rustc = Path::new(sysroot.stdout_text().trim_end()).join("bin/rustc");
    symlink(rustc, tools.child("rustc")).expect("a link");
    symlink(find_program("cc").expect("cc"), tools.child("cc")).expect("a link");
}

/// All that is built here.
fn builds(test: &str) -> Vec<Build> {
    let mut builds = vec![
        Build::own("release", shipped(), false),
        Build::own("release with symbols", &unstripped().0, true),
    ];
    builds.extend(musl(test).map(|file| Build::own("musl", file, true)));
    for build in foreign(test) {
        builds.push(Build {
            how: build.how.clone(),
            file: build.file.clone(),
            ..*build
        });
    }
    builds
}

/// Those that are shipped.
fn shipped_builds(test: &str) -> Vec<(&'static Architecture, &'static [u8])> {
    let foreign = foreign(test).iter();
    let foreign = foreign.filter(|build| build.how.ends_with("rust-lld, release"));
    let foreign = foreign.map(|build| (build.architecture, &build.file[..]));
    std::iter::once((own(), shipped())).chain(foreign).collect()
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
    /// What its place in memory and that in the file are equal modulo.
    align: u64,
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
            align: header.p_align(LittleEndian),
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
fn it_is_a_static_program_for_its_machine() {
    for build in builds("it_is_a_static_program_for_its_machine") {
        let Build {
            architecture,
            how,
            file,
            ..
        } = build;
        let header = header(&file);
        assert_eq!(
            header.e_type(LittleEndian),
            ET_EXEC,
            "{how}: position-dependent and executable"
        );
        let machine = (header.e_machine(LittleEndian), header.e_flags(LittleEndian));
        assert_eq!(machine, (architecture.machine, architecture.flags), "{how}");
    }
}

/// A kernel maps whole pages of the file, whose size was chosen when it was built: one with larger
/// pages than the file was made for cannot map it, or maps it with one protection for two segments.
#[test]
fn it_can_be_mapped_by_pages_of_every_size() {
    for build in builds("it_can_be_mapped_by_pages_of_every_size") {
        let (how, page) = (&build.how, build.architecture.page_bytes);
        for segment in loaded(&build.file) {
            let (at, file) = (segment.memory.start, segment.file as u64);
            assert!(
                segment.align >= page,
                "{how}: {at:#x} by {:#x}",
                segment.align
            );
            assert_eq!(at % segment.align, file % segment.align, "{how}: {at:#x}");
        }
    }
}

#[test]
fn it_needs_no_loader() {
    for build in builds("it_needs_no_loader") {
        let file = &build.file[..];
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
    for build in builds("no_memory_is_both_writable_and_executable") {
        check_protection(&build.file, build.architecture.page_bytes);
    }
}

fn check_protection(file: &[u8], page: u64) {
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
            end.div_ceil(page) <= next / page,
            "{end:#x} and {next:#x} are on one page"
        );
    }
}

#[test]
fn the_stack_is_not_executable() {
    for Build { file, .. } in &builds("the_stack_is_not_executable") {
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
    for build in builds("four_instructions_after_the_entry_point_it_is_rust") {
        let Architecture { entry, is_call, .. } = build.architecture;
        check_entry(&build.file, entry, *is_call);
    }
}

fn check_entry(file: &[u8], expected: &[u8], is_call: fn(&[u8]) -> bool) {
    let entry = header(file).e_entry(LittleEndian);
    let code = segments(file)
        .into_iter()
        .find(|s| s.executable && s.memory.contains(&entry))
        .unwrap_or_else(|| panic!("the program starts at {entry:#x}, where no code is"));
    let at = usize::try_from(entry - code.memory.start).expect("a place in the file");
    let (first, rest) = file[code.file..][at..].split_at(expected.len());
    assert!(first == expected, "the program starts with {first:02x?}");
    assert!(is_call(rest), "then it goes on with {:02x?}", &rest[..4]);
}

#[test]
fn every_symbol_is_defined() {
    for build in builds("every_symbol_is_defined") {
        if build.has_symbols {
            check_symbols(&build.file);
        }
    }
}

/// Each way of building it makes a program that runs; by qemu-user, where that is needed.
#[test]
fn what_is_built_for_other_architectures_runs() {
    let test = "what_is_built_for_other_architectures_runs";
    for build in foreign(test) {
        let emulator = format!("qemu-{}", build.architecture.name);
        if support::has_programs(test, &[&emulator]) {
            check_runs(Some(&emulator), &build.file, &build.how);
        }
    }
}

/// Has a program copy itself, and show the copy.
fn check_runs(emulator: Option<&str>, file: &[u8], how: &str) {
    let dir = temp_dir();
    let (program, copy) = (dir.child("program"), dir.child("copy"));
    fs::write(&program, file).expect("the program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("its mode");
    let start = || match emulator {
        None => Command::new(&program),
        Some(emulator) => {
            let mut command = Command::new(emulator);
            command.arg(&program);
            command
        }
    };
    run(start().arg("cp").arg(&program).arg(&copy)).expect_success();
    let shown = run(start().arg("cat").arg(&copy)).expect_success();
    assert!(shown.stdout == file, "{how}: the copy differs");
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
    // Unoptimised it is linked otherwise: from several objects, and core as it comes.
    let unoptimised = built(
        cargo("build", "dev")
            .arg(target_dir().join("musl"))
            .args(["--target", &musl_target()]),
    );
    check_symbols(&unoptimised);
    for (name, file) in [("release", file), ("dev", &unoptimised)] {
        check_runs(None, file, name);
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

/// README says how large the files are that one compiler makes; others may make others.
#[test]
fn readme_tells_the_sizes() {
    let readme = fs::read_to_string(support::repository().join("README.md")).expect("README.md");
    let (_, rest) = readme.split_once("what rustc ").expect("a compiler");
    let (version, _) = rest.split_once(' ').expect("its version");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let ran = run(Command::new(rustc).arg("--version")).expect_success();
    if !ran.stdout_text().starts_with(&format!("rustc {version}.")) {
        return println!("README's sizes are of rustc {version}: {ran:?}");
    }
    let (_, rest) = readme.split_once("Linux binary of ").expect("a size");
    let (first, _) = rest.split_once(" bytes").expect("a size in bytes");
    assert!(
        readme.contains(&format!("\n| x86-64 | {first} |\n")),
        "{first}"
    );
    for (architecture, file) in shipped_builds("readme_tells_the_sizes") {
        let title = architecture.title;
        let (_, rest) = readme.split_once(&format!("\n| {title} | ")).expect(title);
        let (size, _) = rest.split_once(" |").expect("a cell");
        // Where the toolchain has its library's source, messages of panics name it: its path counts.
        let said: usize = size.replace(',', "").parse().expect("a number");
        let is = file.len();
        assert!(
            said.abs_diff(is) < 1 << 10,
            "README says {said} for {title}, it is {is}"
        );
    }
}

#[test]
fn the_shipped_file_is_small() {
    for (architecture, file) in shipped_builds("the_shipped_file_is_small") {
        let (title, size) = (architecture.title, file.len());
        eprintln!("the release program for {title}: {size} bytes of {SIZE_LIMIT_BYTES}");
        assert!(
            size <= SIZE_LIMIT_BYTES,
            "{title}: {size} bytes, {} too many",
            size - SIZE_LIMIT_BYTES
        );
    }
}

#[test]
fn the_shipped_file_holds_nothing_to_spare() {
    for (_, file) in shipped_builds("the_shipped_file_holds_nothing_to_spare") {
        check_sections(file);
    }
}

fn check_sections(file: &[u8]) {
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
        assert_ne!(kind, SHT_RISCV_ATTRIBUTES, "{name}: a list of instructions");
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
