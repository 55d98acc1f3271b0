//! Build script: turns the `annulet` program into a freestanding static executable.
//!
//! Everything here is passed with `cargo::rustc-link-arg-bins`, so it reaches the program
//! only. The library, the tests and the benches link against std as usual, which is why
//! `cargo test` needs no flags and no special target.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the linker has to know of an architecture.
struct Architecture {
    name: &'static str,
    /// The largest page of a kernel for it, to which segments are aligned in memory.
    max_page_bytes: u32,
    /// What linkers call it (`ld -m`).
    emulation: &'static str,
}

const ARCHITECTURES: [Architecture; 3] = [
    Architecture {
        name: "x86_64",
        max_page_bytes: 4 << 10,
        emulation: "elf_x86_64",
    },
    Architecture {
        name: "aarch64",
        max_page_bytes: 64 << 10,
        emulation: "aarch64linux",
    },
    Architecture {
        name: "riscv64",
        max_page_bytes: 4 << 10,
        emulation: "elf64lriscv",
    },
];

fn main() {
    println!("cargo::rerun-if-changed=linker");
    println!("cargo::rustc-check-cfg=cfg(supported)");

    let target = |name: &str| variable(&format!("CARGO_CFG_TARGET_{name}"));
    let [os, width, endian] = ["OS", "POINTER_WIDTH", "ENDIAN"].map(target);
    let name = target("ARCH");
    let architecture = ARCHITECTURES.iter().find(|known| known.name == name);
    let (Some(architecture), "linux", "64", "little") = (architecture, &*os, &*width, &*endian)
    else {
        // `src/lib.rs` says so in a sentence, which reads better than a failed build script.
        return;
    };
    println!("cargo::rustc-cfg=supported");

    let script = Path::new(&variable("CARGO_MANIFEST_DIR")).join("linker/program.ld");
    for arg in [
        // No crt1.o/crti.o: the entry point is ours (src/rt/start.rs). What a musl target links
        // all the same, the script below throws away.
        "-nostartfiles".to_owned(),
        // No libc, no libgcc, no -lanything.
        "-nostdlib".to_owned(),
        // Neither a dynamic loader nor relocations: the kernel maps the file and jumps.
        "-static".to_owned(),
        "-no-pie".to_owned(),
        // Our memory layout, by absolute path because the linker runs elsewhere.
        format!("-Wl,-T,{}", script.display()),
        // No note with a build hash: same source, same bytes, and 36 bytes saved.
        "-Wl,--build-id=none".to_owned(),
        // No unwind tables: nothing here unwinds.
        "-Wl,--no-eh-frame-hdr".to_owned(),
        // RELRO asks a dynamic loader to reprotect pages; there is none.
        "-Wl,-z,norelro".to_owned(),
        // The default of 2 MiB on some linkers would only scatter a small program.
        format!("-Wl,-z,max-page-size={}", architecture.max_page_bytes),
        // An unoptimised build keeps a reference to the unwinder's personality routine
        // from the prebuilt core library. Nothing ever calls it.
        "-Wl,--defsym=rust_eh_personality=0".to_owned(),
    ] {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
    for arg in cross_linker(architecture).into_iter().flatten() {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}

/// What has this machine's C compiler link for another architecture with the linker that Rust brings
/// along: it only calls that, as there is nothing of C in the program. `None` where no other
/// architecture is meant, another linker was configured (before the first build, or by a variable),
/// or Rust has none.
fn cross_linker(architecture: &Architecture) -> Option<[String; 3]> {
    // One that is configured later is not to be told this: cargo has it in RUSTC_LINKER, from here.
    let target = variable("TARGET").to_uppercase().replace('-', "_");
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_{target}_LINKER");
    let host = variable("HOST");
    if host.starts_with(architecture.name) || env::var_os("RUSTC_LINKER").is_some() {
        return None;
    }
    let rustc = Command::new(variable("RUSTC"))
        .args(["--print", "sysroot"])
        .output();
    let sysroot = String::from_utf8(rustc.ok()?.stdout).ok()?;
    let mut folder = PathBuf::from(sysroot.trim_end());
    folder.extend(["lib", "rustlib", &host, "bin", "gcc-ld"]);
    folder.is_dir().then(|| {
        [
            format!("-B{}", folder.display()),
            "-fuse-ld=lld".to_owned(),
            // The last one counts; the first is the compiler's own.
            format!("-Wl,-m,{}", architecture.emulation),
        ]
    })
}

/// An environment variable that cargo sets.
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets no {name}"))
}
