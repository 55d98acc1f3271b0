//! Who may know whom: each folder of `src` uses only those before it in [`LAYERS`]; unsafe
//! code stands where it is meant to; no module is named after nothing.

use std::fs;
use std::path::{Path, PathBuf};

/// From the lowest layer to the highest.
const LAYERS: &[&str] = &["sys", "ring", "data", "copy", "cat", "cli"];

/// The binary's own part, which the library must not know and which speaks to the library
/// under its name.
const RUNTIME: &str = "rt";

/// Where unsafe code is allowed.
const UNSAFE: &[&str] = &["sys", "ring", RUNTIME];

/// Names that say nothing about what is in there.
const NAMELESS: &[&str] = &["util", "utils", "common", "misc", "helpers", "helper"];

struct Source {
    /// Below `src`.
    path: PathBuf,
    /// The text, less its comments and what stands in quotation marks.
    code: String,
}

impl Source {
    /// The top folder, or nothing for a file directly in `src`.
    fn layer(&self) -> Option<&str> {
        let mut parts = self.path.components();
        let first = parts.next()?.as_os_str().to_str()?;
        parts.next().map(|_| first)
    }

    fn line(&self, at: usize) -> String {
        let number = self.code[..at].matches('\n').count() + 1;
        format!("src/{}:{number}", self.path.display())
    }
}

fn sources() -> Vec<Source> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![top.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                files.push(Source {
                    path: path.strip_prefix(&top).expect("below src").to_owned(),
                    code: code_of(&text),
                });
            }
        }
    }
    assert!(files.len() > 20, "the sources are not where they were");
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// A source without comments and texts; lines stay where they are.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '/' if rest.peek() == Some(&'/') => {
                while rest.peek().is_some_and(|&c| c != '\n') {
                    rest.next();
                }
            }
            '"' => {
                code.push(c);
                while let Some(c) = rest.next() {
                    match c {
                        '\\' => code.extend(rest.next().filter(|&c| c == '\n')),
                        '"' => break,
                        '\n' => code.push('\n'),
                        _ => {}
                    }
                }
                code.push('"');
            }
            '\'' => {
                // A character, '"' above all, or a lifetime.
                code.push(c);
                let mut ahead = rest.clone();
                let first = ahead.next();
                if first == Some('\\') || ahead.next() == Some('\'') {
                    let mut escaped = false;
                    for c in rest.by_ref() {
                        if c == '\'' && !escaped {
                            break;
                        }
                        escaped = c == '\\' && !escaped;
                    }
                    code.push('\'');
                }
            }
            _ => code.push(c),
        }
    }
    code
}

/// Where `code` names a layer as `start` + layer, such as `crate::sys`.
fn mentions<'a>(code: &'a str, start: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    code.match_indices(start).flat_map(move |(at, _)| {
        let rest = &code[at + start.len()..];
        // `use crate::{a, b::c}` names several at once.
        let names: Vec<&str> = match rest.strip_prefix('{') {
            None => vec![rest],
            Some(group) => {
                let mut depth = 0;
                let mut from = 0;
                let mut names = Vec::new();
                for (i, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => {
                            names.push(&group[from..i]);
                            break;
                        }
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            names.push(&group[from..i]);
                            from = i + 1;
                        }
                        _ => {}
                    }
                }
                names
            }
        };
        names
            .into_iter()
            .map(move |name| (at, word(name.trim_start())))
    })
}

/// The identifier that `text` starts with.
fn word(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    &text[..end]
}

fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|name| *name == layer)
}

/// What is wrong with what `source` uses.
fn wrong_arrows(source: &Source) -> Vec<String> {
    let Some(own) = source.layer() else {
        return Vec::new();
    };
    let mut wrong = Vec::new();
    let starts: &[&str] = if own == RUNTIME {
        &["annulet::", "crate::"]
    } else {
        &["crate::"]
    };
    for start in starts {
        for (at, used) in mentions(&source.code, start) {
            let allowed = match (rank(own), rank(used)) {
                // The runtime uses the library from outside.
                (None, _) => *start == "annulet::" || used == RUNTIME,
                (Some(own), Some(used)) => used <= own,
                (Some(_), None) => used != RUNTIME,
            };
            if !allowed {
                wrong.push(format!("{}: {own} knows {used}", source.line(at)));
            }
        }
    }
    wrong
}

#[test]
fn layers_know_only_those_below() {
    let sources = sources();
    let known = |layer: &str| layer == RUNTIME || rank(layer).is_some();
    let mut wrong: Vec<_> = sources.iter().flat_map(wrong_arrows).collect();
    for source in &sources {
        if let Some(layer) = source.layer()
            && !known(layer)
        {
            wrong.push(format!("{layer} has no place among the layers"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_runtime_is_known_to_main_alone() {
    for source in sources() {
        let declares = source.code.contains("mod rt;");
        let is_main = source.path == Path::new("main.rs");
        assert_eq!(declares, is_main, "src/{}", source.path.display());
    }
}

#[test]
fn unsafe_code_stays_where_it_is_allowed() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for source in sources() {
        for (at, _) in source.code.match_indices("unsafe") {
            let before = source.code[..at].chars().next_back();
            let is_word = word(&source.code[at..]) == "unsafe"
                && !before.is_some_and(|c| c.is_alphanumeric() || c == '_');
            if !is_word {
                continue;
            }
            seen += 1;
            if !source.layer().is_some_and(|layer| UNSAFE.contains(&layer)) {
                wrong.push(source.line(at));
            }
        }
        if source.code.contains("allow(unsafe_code)")
            && !source
                .path
                .components()
                .next()
                .is_some_and(|first| UNSAFE.iter().any(|layer| first.as_os_str() == *layer))
        {
            wrong.push(format!("src/{}: allows unsafe code", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "unsafe code:\n{}", wrong.join("\n"));
    assert!(
        seen > 50,
        "only {seen} times unsafe: this test does not see it"
    );
}

#[test]
fn modules_are_named_after_something() {
    for source in sources() {
        for part in &source.path {
            let name = Path::new(part).file_stem().expect("a name");
            let nameless = NAMELESS.iter().any(|bad| name == *bad);
            assert!(!nameless, "src/{}", source.path.display());
        }
    }
}

#[test]
fn this_test_sees_wrong_arrows() {
    let source = |path: &str, text: &str| Source {
        path: path.into(),
        code: code_of(text),
    };
    let wrong = |path: &str, text: &str| wrong_arrows(&source(path, text)).len();
    assert_eq!(wrong("sys/a.rs", "use crate::ring::X;"), 1);
    assert_eq!(
        wrong("ring/a.rs", "use crate::{sys::{self, A}, copy::B, cli};"),
        2
    );
    assert_eq!(wrong("copy/a.rs", "fn f() { crate::cli::run() }"), 1);
    assert_eq!(
        wrong("copy/a.rs", "// use crate::cli\nlet a = \"crate::cli\";"),
        0
    );
    assert_eq!(
        wrong(
            "copy/a.rs",
            "let a = '\"'; use crate::cat::x; let b = '\\'';"
        ),
        1
    );
    assert_eq!(
        wrong("cli/a.rs", "use crate::{cat, copy::B, ring, sys};"),
        0
    );
    assert_eq!(wrong("cli/a.rs", "use crate::rt;"), 1);
    assert_eq!(
        wrong("rt/a.rs", "use annulet::sys::X; use crate::rt::Y;"),
        0
    );
    assert_eq!(wrong("rt/a.rs", "use crate::sys::X;"), 1);
}
