//! No test gets lost: each that there was before the redesign (commit b036dd4) is there, or one
//! that does its work.
//!
//! `tests/names.txt` has a line for each, `BINARY::MODULE::NAME`, as `cargo test -- --list` says
//! it; `BINARY` is `lib` for those in `src`. Where a test was renamed, moved or merged with
//! another, the new name stands behind an arrow in the same line:
//!
//! ```text
//! lib::copy::seen::tests::two_names -> lib::copy::seen::tests::two_names_of_one_file
//! ```
//!
//! The first name stays as it is for good; what is behind the arrow is changed when that is
//! renamed again. New tests need no line.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use support::repository;

#[test]
fn no_test_is_lost() {
    let present = all_tests();
    let text = fs::read_to_string(repository().join("tests/names.txt")).expect("the list");
    let mut lost = Vec::new();
    for line in text.lines() {
        let name = line
            .split_once(" -> ")
            .map_or(line, |(_, successor)| successor);
        if !present.contains(name) {
            lost.push(line);
        }
    }
    assert!(
        lost.is_empty(),
        "these are in tests/names.txt, and neither are they there nor what is behind the arrow:\n{}",
        lost.join("\n")
    );
    assert!(text.lines().is_sorted(), "tests/names.txt is not sorted");
}

/// What is left out where the program is emulated (`scripts/cross.sh`) is left out by its name.
#[test]
fn what_is_left_out_is_there() {
    let present = all_tests();
    let list = repository().join("tests/support/emulated.txt");
    let text = fs::read_to_string(list).expect("the list");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let [file, name] = [(); 2].map(|()| words.next().expect("a file and a name"));
        let full = format!("{file}::{}", name.trim_end_matches('*'));
        let is_there = match name {
            "*" => present.iter().any(|test| test.starts_with(&full)),
            _ => present.contains(&full),
        };
        assert!(is_there, "there is no test {full}");
        assert!(words.next().is_some(), "{full}: no reason");
    }
}

/// The names of all tests in the sources.
fn all_tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (root, is_lib) in [("src", true), ("tests", false)] {
        let root = repository().join(root);
        for file in sources(&root) {
            let mut modules = modules_of(file.strip_prefix(&root).expect("a file in there"));
            if is_lib {
                modules.insert(0, "lib".into());
            }
            let text = fs::read_to_string(&file).expect("a source");
            names.extend(tests_in(&text, modules));
        }
    }
    names
}

/// All files of Rust below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// The names of the modules that lead to a file's contents.
fn modules_of(file: &Path) -> Vec<String> {
    let names = file.with_extension("");
    let names = names.iter().map(|name| name.to_string_lossy().into_owned());
    names
        .filter(|name| !["mod", "main", "lib"].contains(&&name[..]))
        .collect()
}

/// The names of the tests in a source as rustfmt leaves it: what is in a module is indented, and
/// its end is not.
fn tests_in(text: &str, mut modules: Vec<String>) -> Vec<String> {
    let outer = modules.len();
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines() {
        let code = line.trim_start();
        let depth = (line.len() - code.len()) / 4;
        if code == "}" {
            modules.truncate(modules.len().min(outer + depth));
        } else if code == "#[test]" {
            is_test = true;
        } else if let Some(name) = named(code, "mod").filter(|_| code.ends_with('{')) {
            modules.push(name.into());
        } else if let Some(name) = named(code, "fn") {
            if is_test {
                names.push(format!("{}::{name}", modules.join("::")));
            }
            is_test = false;
        }
    }
    names
}

/// What an item of that kind that begins in this line is called.
fn named<'a>(code: &'a str, kind: &str) -> Option<&'a str> {
    let code = code.strip_prefix("pub ").unwrap_or(code);
    let rest = code.strip_prefix(kind)?.strip_prefix(' ')?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    Some(&rest[..end.unwrap_or(rest.len())])
}

#[test]
fn names_are_read_from_sources() {
    let text = "fn none() {\n}\n\n#[test]\nfn one() {\n    if x {\n    }\n}\n\nmod tests {\n    \
                mod in_there {\n        #[test]\n        #[ignore]\n        fn two() {}\n    }\n\n    \
                #[test]\n    fn three() {\n        {\n        }\n    }\n}\n\n#[test]\nfn four() {}\n";
    let found = tests_in(text, vec!["x".into()]);
    let expected = [
        "x::one",
        "x::tests::in_there::two",
        "x::tests::three",
        "x::four",
    ];
    assert_eq!(found, expected);
    assert_eq!(modules_of(Path::new("ring/main.rs")), ["ring"]);
    assert_eq!(modules_of(Path::new("copy/mod.rs")), ["copy"]);
    assert_eq!(modules_of(Path::new("copy/seen.rs")), ["copy", "seen"]);
}
