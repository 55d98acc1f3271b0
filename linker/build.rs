//! Build script: turns the `annulet` program into a freestanding static executable.
//!
//! Everything here is passed with `cargo::rustc-link-arg-bins`, so it reaches the program
//! only. The library, the tests and the benches link against std as usual, which is why
//! `cargo test` needs no flags and no special target.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=linker/build.rs");
    println!("cargo::rustc-check-cfg=cfg(supported)");

    let target = |name: &str| {
        env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_else(|_| panic!("no {name}"))
    };
    let arch = target("ARCH");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let script = root.join("linker").join(format!("{arch}.ld"));
    println!("cargo::rerun-if-changed={}", script.display());
    if !script.exists() || target("OS") != "linux" || target("POINTER_WIDTH") != "64" {
        // `src/lib.rs` says so in a sentence, which reads better than a failed build script.
        return;
    }
    println!("cargo::rustc-cfg=supported");

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
        // Segments start on 4 KiB pages in memory; the default of 2 MiB on some linkers
        // would only scatter a small program.
        "-Wl,-z,max-page-size=4096".to_owned(),
        // An unoptimised build keeps a reference to the unwinder's personality routine
        // from the prebuilt core library. Nothing ever calls it.
        "-Wl,--defsym=rust_eh_personality=0".to_owned(),
    ] {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}
