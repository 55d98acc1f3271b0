//! Where each message's text is found: with the layer that says it.

use super::complaint;
use crate::cat;
use crate::copy::failure;
use crate::copy::ui::Message;
use crate::sys::{Errno, errno, nth_text};

/// The texts of messages, each list with the number of the first message that is not in it.
const LISTS: [(&str, u8); 3] = [
    (failure::MESSAGES, failure::MESSAGE_COUNT),
    (cat::MESSAGES, cat::MESSAGE_COUNT),
    (complaint::MESSAGES, complaint::MESSAGE_COUNT),
];

/// A message's text.
pub fn of_message(message: Message) -> &'static [u8] {
    let mut first = 0;
    for (texts, end) in LISTS {
        if message.number() < end {
            return nth_text(texts.as_bytes(), usize::from(message.number() - first)).to_bytes();
        }
        first = end;
    }
    b""
}

/// What GNU tools print for `errno`; nothing for a number that has no text.
pub fn of_errno(errno: Errno) -> &'static [u8] {
    nth_text(errno::TEXTS.as_bytes(), usize::from(errno.number()) - 1).to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::format;
    use std::io;

    #[test]
    fn texts_of_errors_are_those_of_the_c_library_in_the_c_locale() {
        for number in 1..=140_u16 {
            let theirs = format!("{}", io::Error::from_raw_os_error(number.into()));
            let theirs = theirs
                .strip_suffix(&format!(" (os error {number})"))
                .unwrap();
            let ours = of_errno(Errno::from_number(number).unwrap());
            if ours.is_empty() {
                assert!(theirs.starts_with("Unknown error"), "{number}");
            } else {
                assert_eq!(ours, theirs.as_bytes(), "{number}");
            }
        }
    }

    #[test]
    fn every_message_has_its_text() {
        let all = LISTS.map(|(texts, _)| texts).concat();
        let mut count = 0;
        for text in all.split_terminator('\0') {
            assert_eq!(of_message(Message::new(count)), text.as_bytes());
            count += 1;
        }
        assert_eq!(count, complaint::MESSAGE_COUNT);
        let last = of_message(complaint::Complaint::Target.into());
        assert_eq!(last, b"target {0}");
        assert_eq!(of_message(cat::WRITE_ERROR), b"write error");
    }
}
