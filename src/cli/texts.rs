//! The texts of errors.

use crate::sys::{Errno, errno, nth_text};

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
}
