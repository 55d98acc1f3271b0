//! Which files read which option of a copy.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};

use crate::source::words::{Word, begin_with, words};
use crate::source::{Source, is_ident};

/// Where options are defined: these are not counted as readers.
const HOME: &str = "copy/options.rs";
const WISH_HOME: &str = "data/wish.rs";

/// What values that hold the options are called.
const HOLDERS: &[&str] = &["options", "o", "wish"];

/// One option.
struct Row {
    /// As the table shows it.
    shown: String,
    /// What holds it.
    holders: Vec<String>,
    /// Its field there; one among others in a set of flags has none.
    field: Option<String>,
    /// What its values are written as: `Backup`, or of a flag `Flags` and `FORCE`.
    value: Option<(String, Option<String>)>,
}

/// The files of copy and data that read each option.
fn readers(sources: &[Source]) -> Vec<(String, Vec<&str>)> {
    let files: Vec<_> = sources
        .iter()
        .filter(|source| ["copy", "data"].contains(&source.layer()))
        .filter(|source| ![HOME, WISH_HOME].contains(&source.path.as_str()))
        .map(|source| (source.path.as_str(), words(&source.program)))
        .collect();
    let rows = rows(sources);
    let found = rows.into_iter().map(|row| {
        let readers = files
            .iter()
            .filter(|(_, words)| (0..words.len()).any(|at| row.is_read_at(words, at)));
        let paths = readers.map(|(path, _)| path.strip_prefix("copy/").unwrap_or(path));
        let paths = paths.collect();
        (row.shown, paths)
    });
    found.collect()
}

impl Row {
    fn is_read_at(&self, words: &[Word], at: usize) -> bool {
        let here = &words[at..];
        let by_field = self.field.as_ref().is_some_and(|field| {
            self.holders
                .iter()
                .any(|holder| begin_with(here, &[holder, ".", field]))
                && here.get(3).is_none_or(|next| next.text != "(")
        });
        let by_value = self.value.as_ref().is_some_and(|(kind, member)| {
            begin_with(here, &[kind, ":", ":"])
                && member
                    .as_ref()
                    .is_none_or(|member| begin_with(&here[3..], &[member]))
        });
        by_field || by_value
    }
}

/// All options: the fields of `Options`, and of a field that is a set of flags, or a structure
/// defined beside it, each member.
fn rows(sources: &[Source]) -> Vec<Row> {
    let homes: Vec<_> = [HOME, WISH_HOME]
        .iter()
        .filter_map(|home| sources.iter().find(|source| source.path == *home))
        .collect();
    let options = fields_of(&homes, "Options");
    assert!(!options.is_empty(), "no Options in src/{HOME}");
    let rows = options.into_iter().flat_map(|(name, kind)| {
        let members = fields_of(&homes, &kind);
        let members = members.into_iter().map(|(member, member_kind)| Row {
            shown: format!("{name}.{member}"),
            holders: vec![name.clone()],
            field: Some(member),
            value: is_enum(&homes, &member_kind).then_some((member_kind, None)),
        });
        let flags = homes.iter().flat_map(|home| flags(home, &kind));
        let flags = flags.map(|flag| Row {
            shown: format!("{kind}::{flag}"),
            holders: Vec::new(),
            field: None,
            value: Some((kind.clone(), Some(flag))),
        });
        let mut rows: Vec<_> = members.chain(flags).collect();
        if rows.is_empty() {
            rows.push(Row {
                shown: name.clone(),
                holders: HOLDERS.iter().map(ToString::to_string).collect(),
                field: Some(name),
                value: is_enum(&homes, &kind).then_some((kind, None)),
            });
        }
        rows
    });
    rows.collect()
}

/// The fields of the structure `name` and their types, if one of `homes` defines it.
fn fields_of(homes: &[&Source], name: &str) -> Vec<(String, String)> {
    let items = homes.iter().flat_map(|home| &home.tree.items);
    let mut structs = items.filter_map(|item| match item {
        syn::Item::Struct(item) if item.ident == name => Some(item),
        _ => None,
    });
    let fields = structs.next().into_iter().flat_map(|item| &item.fields);
    let named = fields.filter_map(|field| {
        let kind = match &field.ty {
            syn::Type::Path(path) => path.path.segments.last(),
            _ => None,
        };
        let kind = kind.map(|segment| segment.ident.to_string());
        Some((field.ident.as_ref()?.to_string(), kind.unwrap_or_default()))
    });
    named.collect()
}

fn is_enum(homes: &[&Source], name: &str) -> bool {
    let mut items = homes.iter().flat_map(|home| &home.tree.items);
    items.any(|item| matches!(item, syn::Item::Enum(item) if item.ident == name))
}

/// The members of the set of flags `kind` that `home` defines by `bitflags!`.
fn flags(home: &Source, kind: &str) -> Vec<String> {
    let macros = home.tree.items.iter().filter_map(|item| match item {
        syn::Item::Macro(item) => Some(&item.mac.tokens),
        _ => None,
    });
    macros.flat_map(|tokens| members(tokens, kind)).collect()
}

/// The constants in the braces behind `struct kind` in `tokens`.
fn members(tokens: &TokenStream, kind: &str) -> Vec<String> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let declared = tokens
        .windows(2)
        .position(|pair| is_ident(&pair[0], "struct") && is_ident(&pair[1], kind));
    let body = declared.and_then(|at| {
        tokens[at..].iter().find_map(|token| match token {
            TokenTree::Group(group) => Some(words(&group.stream())),
            _ => None,
        })
    });
    let body = body.unwrap_or_default();
    let pairs = body.windows(2).filter(|pair| pair[0].text == "const");
    pairs.map(|pair| pair[1].text.clone()).collect()
}

/// The lines of the table.
pub fn table(sources: &[Source]) -> Vec<String> {
    let mut lines = vec![
        "| option | read in |".to_owned(),
        "| --- | --- |".to_owned(),
    ];
    for (option, files) in readers(sources) {
        let files: Vec<_> = files.iter().map(|file| format!("`{file}`")).collect();
        lines.push(format!("| `{option}` | {} |", files.join(", ")));
    }
    lines
}

/// The largest number of files that read one option, and all options that more than `many` read.
pub fn read_in_many(sources: &[Source], many: usize) -> (usize, Vec<String>) {
    let readers = readers(sources);
    let most = readers.iter().map(|(_, files)| files.len()).max();
    let spread: BTreeSet<_> = readers
        .iter()
        .filter(|(_, files)| files.len() > many)
        .map(|(option, files)| format!("{option}, {} files: {}", files.len(), files.join(", ")))
        .collect();
    (most.unwrap_or_default(), spread.into_iter().collect())
}

#[test]
fn readers_of_options_are_found() {
    let made_up = [
        Source::new(
            HOME,
            "pub enum Update { All } bitflags! { pub struct Flags: u32 { const FORCE = 1; const LINK = 2; } }\n\
             pub struct Options { pub flags: Flags, pub update: Update, pub jobs: u32, pub keep: Keep }\n\
             pub struct Keep { mode: bool }\n\
             impl Options { fn a(&self) { self.jobs; Update::All; Flags::LINK } }",
        ),
        Source::new(
            "copy/a.rs",
            "fn f(o: &Options) { o.jobs; Update::All; o.keep.mode; o.has(Flags::FORCE) }",
        ),
        Source::new(
            "data/b.rs",
            "fn f() { self.options.update; other.jobs; x.options.jobs() }",
        ),
        Source::new("cli/c.rs", "fn f() { options.jobs; Flags::LINK }"),
    ];
    assert_eq!(
        table(&made_up)[2..],
        [
            "| `Flags::FORCE` | `a.rs` |",
            "| `Flags::LINK` |  |",
            "| `update` | `a.rs`, `data/b.rs` |",
            "| `jobs` | `a.rs` |",
            "| `keep.mode` | `a.rs` |",
        ]
    );
    assert_eq!(
        read_in_many(&made_up, 1),
        (2, vec!["update, 2 files: a.rs, data/b.rs".to_owned()])
    );
}
