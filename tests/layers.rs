//! Who may know whom: each layer uses only those below it, and no files go round in a circle;
//! unsafe code stands where it is meant to; no module is named after nothing. Makes the picture
//! of the layers in README.md.
//!
//!     cargo test --test layers
//!     ANNULET_WRITE=1 cargo test --test layers    # writes the picture anew

mod source;

use std::path::Path;

use proc_macro2::TokenTree;
use source::arrows::Arrows;
use source::{Source, is_ident, layer_of, marked, sources, visit_tokens};

/// From the lowest to the highest: folders of `src`, or files in it. Those that stand side by side
/// do not know each other.
const LAYERS: &[&[&str]] = &[
    &["sys"],
    &["ring"],
    &["report.rs"],
    &["data"],
    &["copy", "cat"],
    &["cli"],
];

/// The binary's own part, which the library cannot know and which speaks to the library
/// under its name.
const RUNTIME: &str = "rt";

/// Where unsafe code is allowed.
const UNSAFE: &[&str] = &["sys", "ring", RUNTIME];

/// Names that say nothing about what is in there.
const NAMELESS: &[&str] = &[
    "util", "utils", "common", "misc", "helpers", "helper", "ui", "thing", "things",
];

/// Where a layer stands, from the lowest.
fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&layer))
}

/// Whether a file of the layer `own` may use one of `used`.
fn may_know(own: &str, used: &str) -> bool {
    match (rank(own), rank(used)) {
        (Some(mine), Some(theirs)) => own == used || theirs < mine,
        // The runtime uses the library from outside, and nobody uses it but main.rs.
        (None, Some(_)) => own == RUNTIME,
        (_, None) => used == RUNTIME && (own == RUNTIME || own == "main.rs"),
    }
}

/// The arrows that go the wrong way.
fn wrong_arrows(sources: &[Source]) -> Vec<String> {
    let arrows = Arrows::new(sources, true);
    let wrong = arrows.all.iter().filter_map(|(&(from, to), (line, path))| {
        let (own, used) = (sources[from].layer(), sources[to].layer());
        (!may_know(own, used)).then(|| {
            let from = &sources[from].path;
            format!("src/{from}:{line}: {own} knows {used} ({path})")
        })
    });
    wrong.collect()
}

/// What circles there are.
fn wrong_circles(sources: &[Source]) -> Vec<String> {
    let arrows = Arrows::new(sources, false);
    let circles = arrows.circles();
    circles
        .iter()
        .map(|circle| arrows.describe(circle))
        .collect()
}

#[test]
fn layers_know_only_those_below() {
    let sources = sources();
    let mut wrong = wrong_arrows(&sources);
    for source in &sources {
        let layer = source.layer();
        if rank(layer).is_none() && !["lib.rs", "main.rs", RUNTIME].contains(&layer) {
            wrong.push(format!("{layer} has no place among the layers"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_do_not_go_round_in_circles() {
    let wrong = wrong_circles(&sources());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_picture_of_the_layers_is_right() {
    let picture = picture(&sources());
    marked::check("README.md", "layers", "", &picture).unwrap_or_else(|wrong| panic!("{wrong}"));
}

/// The layers from the highest to the lowest, with the number of files in each.
fn picture(sources: &[Source]) -> Vec<String> {
    const MIDDLE: usize = 14;
    let centred = |text: &str| {
        let indent = MIDDLE.saturating_sub(text.chars().count() / 2);
        format!("{:indent$}{text}", "")
    };
    let files = |layer: &str| {
        let count = sources.iter().filter(|s| s.layer() == layer).count();
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} file{plural}")
    };
    let mut lines = vec!["```text".to_owned()];
    let mut above = 1;
    for (index, row) in LAYERS.iter().rev().enumerate() {
        if index > 0 {
            let arrows = match (above, row.len()) {
                (1, 1) => "↓",
                (1, _) => "↙     ↘",
                _ => "↘     ↙",
            };
            lines.push(centred(arrows));
        }
        above = row.len();
        let counts: Vec<_> = row.iter().map(|layer| files(layer)).collect();
        let names = centred(&row.join("       "));
        lines.push(format!("{names:32}{}", counts.join(", ")));
    }
    // The program without a libc uses the library as anybody could.
    let arrows = Arrows::new(sources, false);
    let used = LAYERS.iter().copied().flatten().filter(|layer| {
        let mut arrows = arrows.all.keys();
        arrows.any(|&(from, to)| sources[from].layer() == RUNTIME && sources[to].layer() == **layer)
    });
    let used: Vec<_> = used.copied().collect();
    lines.push(String::new());
    let runtime = format!("main.rs → {RUNTIME} → {}", used.join(", "));
    lines.push(format!("{runtime:32}{}", files(RUNTIME)));
    lines.push("```".to_owned());
    lines
}

#[test]
fn the_runtime_is_known_to_main_alone() {
    for source in sources() {
        let declares = source.tree.items.iter().any(|item| match item {
            syn::Item::Mod(module) => module.ident == RUNTIME,
            _ => false,
        });
        assert_eq!(declares, source.path == "main.rs", "src/{}", source.path);
    }
}

#[test]
fn unsafe_code_stays_where_it_is_allowed() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for source in sources() {
        let is_allowed = UNSAFE.contains(&source.layer());
        let mut look = |token: &TokenTree| {
            let names_it = is_ident(token, "unsafe") || is_ident(token, "unsafe_code");
            seen += u32::from(names_it);
            if names_it && !is_allowed {
                let line = token.span().start().line;
                wrong.push(format!("src/{}:{line}", source.path));
            }
        };
        visit_tokens(&source.tokens, &mut look);
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
        for part in Path::new(&source.path) {
            let name = Path::new(part).file_stem().expect("a name");
            let nameless = NAMELESS.iter().any(|bad| name == *bad);
            assert!(!nameless, "src/{}", source.path);
        }
    }
}

/// Lines of `sources` that name a processor architecture, comments included, where all are to be
/// alike.
fn named_architectures(sources: &[Source]) -> Vec<String> {
    const NAMES: &[&str] = &["x86", "amd64", "sse2", "aarch64", "arm64", "neon", "riscv"];
    let is_meant_to =
        |path: &str| path.starts_with("sys/arch/") || path.starts_with("rt/symbols.rs");
    let mut named = Vec::new();
    for source in sources.iter().filter(|source| !is_meant_to(&source.path)) {
        for (line, text) in (1..).zip(source.text.lines()) {
            let text = text.to_lowercase();
            if NAMES.iter().any(|name| text.contains(name)) {
                named.push(format!("src/{}:{line}: {text}", source.path));
            }
        }
    }
    named
}

#[test]
fn architectures_are_named_in_one_place() {
    let named = named_architectures(&sources());
    assert!(named.is_empty(), "{}", named.join("\n"));
    let files = made_up(&[
        ("sys/arch/mod.rs", "// x86_64"),
        ("sys/fs.rs", "\n// as on AArch64\n"),
        (
            "data/route.rs",
            "#[cfg(target_arch = \"riscv64\")]\nfn route() {}",
        ),
    ]);
    assert_eq!(named_architectures(&files).len(), 2);
}

/// Made-up sources: paths and texts.
fn made_up(files: &[(&str, &str)]) -> Vec<Source> {
    let files = files.iter().map(|(path, text)| Source::new(path, text));
    files.collect()
}

const LIBRARY: &str = "pub mod sys; pub mod ring; pub mod report; pub mod data; pub mod copy; \
                       pub mod cat; pub mod cli;";

#[test]
fn this_test_sees_wrong_arrows() {
    let wrong = |layer: &str, text: &str| {
        let text = format!("pub struct X; {text}");
        let plain = "pub struct X; pub fn run() {} pub mod deep { pub const Y: u8 = 1; }";
        let mut files = vec![("lib.rs", LIBRARY), ("main.rs", "mod rt;")];
        for path in [
            "sys/mod.rs",
            "ring/mod.rs",
            "report.rs",
            "data/mod.rs",
            "copy/mod.rs",
            "cat/mod.rs",
            "cli/mod.rs",
            "rt/mod.rs",
        ] {
            let is_it = layer_of(path) == layer;
            files.push((path, if is_it { &text } else { plain }));
        }
        wrong_arrows(&made_up(&files)).len()
    };
    assert_eq!(wrong("sys", "use crate::ring::X as Y;"), 1);
    assert_eq!(
        wrong(
            "ring",
            "use crate::{sys::{self, run}, copy::deep, cli}; use deep::Y; fn f() { cli::run() }"
        ),
        2
    );
    assert_eq!(wrong("copy", "fn f() { super::cli::run() }"), 1);
    assert_eq!(wrong("copy", "fn f() { crate::cat::run() }"), 1);
    assert_eq!(wrong("cat", "use crate::copy::*; fn f() { run() }"), 1);
    assert_eq!(wrong("report.rs", "fn f() { crate::data::run() }"), 1);
    assert_eq!(wrong("report.rs", "fn f() { crate::ring::run() }"), 0);
    assert_eq!(
        wrong("data", "#[cfg(test)] mod tests { use crate::cli::X; }"),
        1
    );
    assert_eq!(
        wrong(
            "copy",
            "// use crate::cli\nfn f() { let a = \"crate::cli::run\"; }"
        ),
        0
    );
    assert_eq!(
        wrong(
            "copy",
            "/// [`crate::cli::run`]\nfn f() { bitflags! { const X = crate::cat::deep::Y; } }"
        ),
        1
    );
    assert_eq!(
        wrong(
            "cli",
            "use crate::{cat, copy::deep, ring, sys}; fn f() { cat::run(); sys::run() }"
        ),
        0
    );
    assert_eq!(wrong("rt", "use annulet::sys::X as Y;"), 0);
}

#[test]
fn this_test_sees_circles() {
    let circles = |files: &[(&str, &str)]| {
        let mut all = vec![("lib.rs", LIBRARY)];
        all.extend_from_slice(files);
        wrong_circles(&made_up(&all))
    };
    // By a path and a `use`; a third that only uses them is no part of it.
    let mut found = circles(&[
        (
            "ring/mod.rs",
            "mod a; mod b; mod c; pub use a::A; pub use b::B;",
        ),
        ("ring/a.rs", "use super::b::B; pub struct A(B);"),
        (
            "ring/b.rs",
            "pub struct B; impl B {\nfn a(&self) -> crate::ring::a::A { todo!() } }",
        ),
        ("ring/c.rs", "use super::a::A; use super::B;"),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found.remove(0),
        "a circle of 2: ring/a.rs, ring/b.rs\n    \
         src/ring/a.rs:1 knows ring/b.rs: super::b::B\n    \
         src/ring/b.rs:2 knows ring/a.rs: crate::ring::a::A"
    );
    // By what a mod.rs hands on, and through two layers.
    let found = circles(&[
        ("sys/mod.rs", "mod stat; pub use stat::*;"),
        (
            "sys/stat.rs",
            "pub struct Stat; fn f() { crate::ring::go() }",
        ),
        ("ring/mod.rs", "mod go; pub use self::go::go as go;"),
        (
            "ring/go.rs",
            "use crate::sys; pub fn go() -> sys::Stat { sys::Stat }",
        ),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    // A mod.rs that defines what its files use, and uses them.
    let found = circles(&[
        (
            "cli/mod.rs",
            "mod cp; pub struct Command; fn f() { cp::main() }",
        ),
        ("cli/cp.rs", "use super::*; pub fn main() { Command; }"),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    // By a macro, whose call is not parsed.
    let found = circles(&[
        ("cat/mod.rs", "mod a; mod b;"),
        (
            "cat/a.rs",
            "flags! { pub struct Flags: u8 { const A = super::b::B; } }",
        ),
        (
            "cat/b.rs",
            "pub const B: u8 = 1; fn f(a: super::a::Flags) {}",
        ),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn this_test_sees_no_circles_where_there_are_none() {
    let files = made_up(&[
        ("lib.rs", LIBRARY),
        ("ring/mod.rs", "mod a; mod b; mod stand_in; pub use a::A;"),
        (
            "ring/a.rs",
            "use super::b; pub struct A(b::B); #[cfg(test)] mod tests { use super::A; }",
        ),
        // Comments, texts, tests, fields and local names lead nowhere.
        (
            "ring/b.rs",
            "/// [`super::a::A`]\npub struct B; fn f(b: B) { let x = \"super::a::A\"; b.a }\n\
             #[cfg(test)] mod tests { use super::super::a::A; }\n#[cfg(test)] use super::a::A;",
        ),
    ]);
    assert_eq!(wrong_circles(&files), Vec::<String>::new());
}

#[test]
fn text_between_markers_is_replaced() {
    let text = "a\n//! <!-- x -->\n//! old\n//! <!-- /x -->\nb\n";
    let made = marked::replaced(text, "x", "//! ", &["new".into(), String::new()]);
    let wanted = "a\n//! <!-- x -->\n//! new\n//!\n//! <!-- /x -->\nb\n";
    assert_eq!(made.as_deref(), Some(wanted));
    assert_eq!(marked::replaced(text, "y", "//! ", &[]), None);
}
