//! The texts of all commands, packed together: the more text, the better it packs.

use super::packed::{Packed, unpack};
use super::{complaint, cp};
use crate::cat;
use crate::copy::failure;
use crate::copy::ui::Message;
use crate::sys::{Errno, Vec, errno, start_of_text, until_nul};

/// First what is wanted most: unpacking goes from the beginning to what is wanted.
#[allow(long_running_const_eval)] // some seconds, and it ends
const PACKED: Packed<16384> = Packed::new(&[
    failure::MESSAGES,
    cat::MESSAGES,
    complaint::MESSAGES,
    errno::TEXTS,
    super::USAGE,
    "\0",
    cp::USAGE,
    "\0",
    super::cat::USAGE,
    "\0",
]);

static BYTES: [u8; PACKED.len()] = PACKED.trimmed();

/// The number of the text that errno 0 would have.
const ERRNO_0: usize = complaint::MESSAGE_COUNT as usize - 1;

/// The number of the first text that is no errno's.
const FIRST_USAGE: usize = ERRNO_0 + 1 + errno::TEXT_COUNT as usize;

/// So many texts are unpacked at least: all messages, and the errnos that are met with files.
const AT_LEAST: usize = ERRNO_0 + 1 + Errno::ELOOP.number() as usize;

/// A usage text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Of annulet itself.
    Annulet,
    /// Of `cp`.
    Cp,
    /// Of `cat`.
    Cat,
}

/// The texts, as far as they were wanted.
#[derive(Debug, Default)]
pub struct Texts {
    /// The first ones, each with its NUL.
    unpacked: Vec<u8>,
    /// How many they are.
    count: usize,
    /// The last message and the last other text, and where they begin: failures come in many
    /// of a kind.
    last: [(usize, usize); 2],
}

impl Texts {
    pub const fn new() -> Self {
        Self {
            unpacked: Vec::new(),
            count: 0,
            last: [(0, 0); 2],
        }
    }

    /// A message's text; empty where memory is short.
    pub fn message(&mut self, message: Message) -> &[u8] {
        self.text(message.number().into())
    }

    /// What GNU tools print for `errno`; nothing for a number that has no text, and where
    /// memory is short.
    pub fn errno(&mut self, errno: Errno) -> &[u8] {
        if errno.number() > errno::TEXT_COUNT {
            return b"";
        }
        let text = self.text(ERRNO_0 + usize::from(errno.number()));
        // There may be none to unpack it.
        if text.is_empty() && errno == Errno::ENOMEM {
            return b"Cannot allocate memory";
        }
        text
    }

    /// A usage text.
    pub fn usage(&mut self, usage: Usage) -> &[u8] {
        self.text(FIRST_USAGE + usage as usize)
    }

    #[inline(never)]
    fn text(&mut self, number: usize) -> &[u8] {
        if number >= self.count {
            let count = (number + 1).max(AT_LEAST);
            if !unpack(&BYTES, count, &mut self.unpacked) {
                return b"";
            }
            self.count = count;
        }
        let last = &mut self.last[usize::from(number > ERRNO_0)];
        if last.0 != number {
            *last = (number, start_of_text(&self.unpacked, number));
        }
        until_nul(self.unpacked.get(last.1..).unwrap_or_default()).to_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::format;
    use std::io;

    #[test]
    fn texts_of_errors_are_those_of_the_c_library_in_the_c_locale() {
        let mut texts = Texts::new();
        for number in 1..=140_u16 {
            let theirs = format!("{}", io::Error::from_raw_os_error(number.into()));
            let theirs = theirs
                .strip_suffix(&format!(" (os error {number})"))
                .unwrap();
            let ours = texts.errno(Errno::from_number(number).unwrap());
            if ours.is_empty() {
                assert!(theirs.starts_with("Unknown error"), "{number}");
            } else {
                assert_eq!(ours, theirs.as_bytes(), "{number}");
            }
        }
    }

    #[test]
    fn usage_texts_come_out_as_they_went_in() {
        let sources = [super::super::USAGE, cp::USAGE, super::super::cat::USAGE];
        let mut texts = Texts::new();
        for (usage, text) in [Usage::Annulet, Usage::Cp, Usage::Cat]
            .into_iter()
            .zip(sources)
        {
            assert_eq!(*texts.usage(usage), *text.as_bytes());
        }
    }

    #[test]
    fn messages_come_out_as_they_went_in() {
        let lists = [failure::MESSAGES, cat::MESSAGES, complaint::MESSAGES];
        let all = lists.concat();
        let mut texts = Texts::new();
        let mut count = 0;
        for message in all.split_terminator('\0') {
            assert_eq!(*texts.message(Message::new(count)), *message.as_bytes());
            count += 1;
        }
        assert_eq!(count, complaint::MESSAGE_COUNT);
        let last = texts.message(complaint::Complaint::Target.into());
        assert_eq!(last, b"target {0}");
        assert_eq!(texts.message(cat::WRITE_ERROR), b"write error");
    }
}
