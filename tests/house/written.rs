//! What the source says to the compiler, and calls whose reason is often bytes.

use std::fs;

use crate::source::words::{Word, begin_with, places, words};
use crate::source::{Source, top};

/// What is there for another reason than bytes: file, words, reason.
const ALLOWED: &[(&str, &str, &str)] = &[
    (
        "ring/slots.rs",
        "ManuallyDrop",
        "memory that the kernel may still write to is never unmapped",
    ),
    (
        "sys/fd.rs",
        "forget",
        "closing by hand, to learn its error, takes the place of Drop",
    ),
    (
        "sys/mapping.rs",
        "forget",
        "memory that stays for good leaves its owner",
    ),
];

/// The places that `find` gives for each file, but for those that are allowed.
fn in_all(sources: &[Source], what: &str, find: impl Fn(&[Word]) -> Vec<usize>) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let is_allowed = ALLOWED
            .iter()
            .any(|(path, words, _)| *path == source.path && *words == what);
        if is_allowed {
            continue;
        }
        let words = words(&source.program);
        for at in find(&words) {
            found.push(format!("src/{}:{}", source.path, words[at].line));
        }
    }
    found
}

pub fn inline_never(sources: &[Source]) -> Vec<String> {
    in_all(sources, "inline(never)", |words| {
        places(words, &["inline", "(", "never", ")"])
    })
}

pub fn manually_drop(sources: &[Source]) -> Vec<String> {
    in_all(sources, "ManuallyDrop", |words| {
        places(words, &["ManuallyDrop", ":", ":", "new"])
    })
}

/// Calls of `core::mem::forget`, but not of a method of that name.
pub fn forget(sources: &[Source]) -> Vec<String> {
    in_all(sources, "forget", |words| {
        let mut calls = places(words, &["forget", "("]);
        calls.retain(|&at| at == 0 || ![".", "fn"].contains(&words[at - 1].text.as_str()));
        calls
    })
}

/// `#[repr(C)]` on what is not laid out by the kernel: of that the size is asserted beside it.
pub fn repr_c(sources: &[Source]) -> Vec<String> {
    in_all(sources, "repr(C)", |words| {
        let mut found = places(words, &["repr", "(", "C"]);
        found.retain(|&at| {
            let keyword = words[at..]
                .iter()
                .position(|word| matches!(word.text.as_str(), "struct" | "union" | "enum"));
            let name = keyword.and_then(|keyword| words.get(at + keyword + 1));
            name.is_none_or(|name| !has_asserted_size(words, &name.text))
        });
        found
    })
}

/// Whether the size of the type `name` is asserted: then it is the kernel that lays it out.
pub fn has_asserted_size(words: &[Word], name: &str) -> bool {
    !places(words, &["size_of", ":", ":", "<", name]).is_empty()
}

/// Exemptions from clippy's limits of a function's length and depth that do not say why.
pub fn exempt_without_reason(sources: &[Source]) -> Vec<String> {
    in_all(sources, "exempt", |words| {
        let limits = ["too_many_lines", "excessive_nesting"];
        let mut found: Vec<_> = limits
            .iter()
            .flat_map(|limit| places(words, &["clippy", ":", ":", limit]))
            .collect();
        // `allow(clippy::too_many_lines, reason = "…")`
        found.retain(|&at| !begin_with(&words[at + 4..], &[",", "reason", "="]));
        found
    })
}

/// What the compiler is told beside `Cargo.toml`'s profiles.
pub fn rustflags() -> Vec<String> {
    let Ok(config) = fs::read_to_string(top().join(".cargo/config.toml")) else {
        return Vec::new();
    };
    let lines = config
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let flags = lines.flat_map(|line| line.split('"').filter(|part| part.starts_with("-C")));
    flags
        .map(|flag| format!(".cargo/config.toml: {flag}"))
        .collect()
}

#[test]
fn what_is_written_is_seen() {
    let text = "#[inline(never)] fn f() { core::mem::forget(1); forget(2); table.forget(3) }\n\
                fn forget(x: u8) { let x = ManuallyDrop::new(x); }\n\
                #[derive(Clone)] #[repr(C)] struct A; #[repr(C, align(8))] pub struct B;\n\
                const _: () = assert!(size_of::<B>() == 8);\n\
                #[allow(clippy::too_many_lines)] fn g() {}\n\
                #[allow(clippy::too_many_lines, reason = \"rules\")] fn h() {}\n\
                #[cfg(test)] #[inline(never)] fn t() {} // inline(never)";
    let source = [Source::new("copy/a.rs", text)];
    assert_eq!(inline_never(&source), ["src/copy/a.rs:1"]);
    assert_eq!(forget(&source), ["src/copy/a.rs:1", "src/copy/a.rs:1"]);
    assert_eq!(manually_drop(&source), ["src/copy/a.rs:2"]);
    assert_eq!(repr_c(&source), ["src/copy/a.rs:3"]);
    assert_eq!(exempt_without_reason(&source), ["src/copy/a.rs:5"]);
}
