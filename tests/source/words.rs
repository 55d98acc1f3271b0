//! A source as a flat row of words, for what is found by how it is written: attributes, calls,
//! what macros are given.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A name, a sign, a bracket or a literal, and its line.
pub struct Word {
    pub text: String,
    pub line: usize,
}

pub fn words(tokens: &TokenStream) -> Vec<Word> {
    let mut found = Vec::new();
    add(tokens, &mut found);
    found
}

fn add(tokens: &TokenStream, found: &mut Vec<Word>) {
    for token in tokens.clone() {
        let line = token.span().start().line;
        let TokenTree::Group(group) = &token else {
            found.push(Word {
                text: token.to_string(),
                line,
            });
            continue;
        };
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        found.push(Word {
            text: open.to_owned(),
            line,
        });
        add(&group.stream(), found);
        found.push(Word {
            text: close.to_owned(),
            line: group.span_close().start().line,
        });
    }
}

/// Whether `words` begin with `these`.
pub fn begin_with(words: &[Word], these: &[&str]) -> bool {
    words.len() >= these.len()
        && words
            .iter()
            .zip(these)
            .all(|(word, this)| word.text == *this)
}

/// Where `these` stand one behind the other.
pub fn places(words: &[Word], these: &[&str]) -> Vec<usize> {
    (0..words.len())
        .filter(|&at| begin_with(&words[at..], these))
        .collect()
}
