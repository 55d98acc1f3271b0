//! The program's sources, read and parsed, for the tests that watch over them.

#![allow(dead_code)] // each test file takes what it needs

pub mod arrows;
pub mod marked;
pub mod modules;
pub mod words;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A source file.
pub struct Source {
    /// Below `src`, such as `ring/queues.rs`.
    pub path: String,
    pub text: String,
    /// All tokens, without comments.
    pub tokens: TokenStream,
    /// As `tokens`, without what is there for tests only.
    pub program: TokenStream,
    /// `program`, parsed.
    pub tree: syn::File,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let tokens: TokenStream = text
            .parse()
            .unwrap_or_else(|error| panic!("src/{path}: {error}"));
        let tokens = without_docs(tokens, text);
        let program = without_tests(tokens.clone());
        let tree =
            syn::parse2(program.clone()).unwrap_or_else(|error| panic!("src/{path}: {error}"));
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens,
            program,
            tree,
        }
    }

    /// The folder it is in, or its own name for a file directly in `src`.
    pub fn layer(&self) -> &str {
        layer_of(&self.path)
    }

    /// How many lines have code of the program on them: none that are blank, comments or tests.
    pub fn code_lines(&self) -> usize {
        let mut lines = BTreeSet::new();
        visit_tokens(&self.program, &mut |token| {
            // Of a group the lines of its brackets: what is within is visited by itself.
            let (first, last) = match token {
                TokenTree::Group(group) => (group.span_open(), group.span_close()),
                _ => (token.span(), token.span()),
            };
            lines.extend(first.start().line..=first.end().line);
            lines.extend(last.start().line..=last.end().line);
        });
        lines.len()
    }
}

/// The first part of a path below `src`.
pub fn layer_of(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

/// The tree to be looked at: this one, or what `ANNULET_TREE` says, to count in an older one.
pub fn top() -> PathBuf {
    std::env::var_os("ANNULET_TREE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).to_owned(),
        PathBuf::from,
    )
}

/// All files of `src`, by path.
pub fn sources() -> Vec<Source> {
    let src = top().join("src");
    let mut files = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                let path = path.strip_prefix(&src).expect("below src");
                files.push(Source::new(path.to_str().expect("a name in UTF-8"), &text));
            }
        }
    }
    assert!(files.len() > 20, "the sources are not where they were");
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// All files of `src` but those that only tests have.
pub fn program_sources() -> Vec<Source> {
    let all = sources();
    let of_file = modules::Modules::new(&all, false).of_file;
    let kept = all.into_iter().zip(of_file);
    kept.filter_map(|(source, module)| module.map(|_| source))
        .collect()
}

/// Calls `visit` with every token, those in brackets after the brackets themselves.
pub fn visit_tokens(tokens: &TokenStream, visit: &mut dyn FnMut(&TokenTree)) {
    for token in tokens.clone() {
        visit(&token);
        if let TokenTree::Group(group) = &token {
            visit_tokens(&group.stream(), visit);
        }
    }
}

pub fn is_punct(token: &TokenTree, c: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == c)
}

pub fn is_ident(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == name)
}

/// What is in the square brackets of an attribute.
fn attribute(token: &TokenTree) -> Option<TokenStream> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => Some(group.stream()),
        _ => None,
    }
}

/// `tokens` with each group's content made anew by `change`.
fn map_groups(
    tokens: Vec<TokenTree>,
    change: &dyn Fn(TokenStream) -> TokenStream,
) -> Vec<TokenTree> {
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) => {
                let mut anew = proc_macro2::Group::new(group.delimiter(), change(group.stream()));
                anew.set_span(group.span());
                TokenTree::Group(anew)
            }
            other => other,
        })
        .collect()
}

/// Takes out comments that are documentation, which the parser makes attributes of.
fn without_docs(tokens: TokenStream, text: &str) -> TokenStream {
    let lines: Vec<&str> = text.lines().collect();
    let is_comment = |token: &TokenTree| {
        let start = token.span().start();
        let line = lines.get(start.line - 1).copied().unwrap_or_default();
        line.chars().nth(start.column) == Some('/')
    };
    let mut kept = Vec::new();
    for token in tokens {
        // `#`, perhaps `!`, and the brackets: each has the span of the comment.
        if !is_comment(&token) || is_punct(&token, '/') {
            kept.push(token);
        }
    }
    map_groups(kept, &|stream| without_docs(stream, text))
        .into_iter()
        .collect()
}

/// Takes out what stands behind `#[cfg(test)]`.
fn without_tests(tokens: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_for_tests = is_punct(&tokens[at], '#')
            && tokens
                .get(at + 1)
                .and_then(attribute)
                .is_some_and(|inside| inside.to_string().replace(' ', "") == "cfg(test)");
        if is_for_tests {
            at = end_of_item(&tokens, at + 2);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    map_groups(kept, &without_tests).into_iter().collect()
}

/// Where the item ends that starts at `at`: behind its body or its semicolon.
fn end_of_item(tokens: &[TokenTree], mut at: usize) -> usize {
    let ends_by_semicolon = tokens[at..].iter().find_map(|token| match token {
        TokenTree::Ident(ident) => match ident.to_string().as_str() {
            "pub" => None,
            word => Some(matches!(word, "use" | "const" | "static" | "type")),
        },
        _ => None,
    }) == Some(true);
    while at < tokens.len() {
        let is_body = matches!(&tokens[at], TokenTree::Group(group)
            if group.delimiter() == Delimiter::Brace);
        let is_end = is_punct(&tokens[at], ';') || (is_body && !ends_by_semicolon);
        at += 1;
        if is_end {
            break;
        }
    }
    at
}
