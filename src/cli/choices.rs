//! Options whose value is one of a few words, or short for one.

use super::diagnostics::Diagnostics;
use crate::report::Message;
use crate::sys::{Vec, until_nul};

/// What is chosen from: what the words are for, as messages name it, and the words, each with a
/// NUL and behind the digit of its meaning.
pub type Choices = (&'static str, &'static [u8]);

/// The number of the meaning of `value`. Without one, tells what there is to choose from.
pub fn choose((what, words): Choices, value: &[u8], ui: &mut Diagnostics) -> Option<u8> {
    // Digits; 0 for none.
    let (mut chosen, mut before) = (0, 0);
    let mut wrong = Some(Message::WrongChoice);
    let mut all = Vec::new();
    let mut left = words;
    while let [digit, rest @ ..] = left {
        let word = until_nul(rest).to_bytes();
        left = rest.get(word.len() + 1..).unwrap_or_default();
        if word.starts_with(value) {
            let is_whole = word.len() == value.len();
            if chosen == 0 || is_whole {
                chosen = *digit;
                wrong = None;
            } else if chosen != *digit {
                wrong = Some(Message::AmbiguousChoice);
            }
            if is_whole {
                break;
            }
        }
        let between: &[u8] = if *digit == before { b", '" } else { b"\n  - '" };
        all.extend_from_slice(between);
        all.extend_from_slice(word);
        all.push(b'\'');
        before = *digit;
    }
    if let Some(complaint) = wrong {
        ui.usage_error(complaint, &[value, what.as_bytes(), &all]);
        return None;
    }
    Some(chosen - b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_may_be_cut_short_where_their_meaning_is_clear() {
        let choices = (
            "backup type",
            &b"0none\x000off\x001simple\x001never\x002existing\x002nil\x003numbered\x003t\0"[..],
        );
        let mut diagnostics = Diagnostics::new(b"test");
        let mut chosen = |value: &str| choose(choices, value.as_bytes(), &mut diagnostics);
        for (value, meaning) in [
            ("none", 0),
            ("of", 0),
            ("s", 1),
            ("ne", 1),
            ("ni", 2),
            ("t", 3),
            ("nu", 3),
        ] {
            assert_eq!(chosen(value), Some(meaning), "{value}");
        }
        for value in ["", "n", "x", "nones"] {
            assert_eq!(chosen(value), None, "{value}");
        }
        let longer = ("", &b"0none-fail\x001none\0"[..]);
        assert_eq!(choose(longer, b"none", &mut diagnostics), Some(1));
    }
}
