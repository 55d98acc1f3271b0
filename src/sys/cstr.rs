//! C strings out of byte buffers, for paths that calls take.

use alloc::vec::Vec;
use core::ffi::CStr;

/// The bytes before the first NUL as a C string; empty where there is no NUL.
#[must_use]
pub fn until_nul(bytes: &[u8]) -> &CStr {
    CStr::from_bytes_until_nul(bytes).unwrap_or_default()
}

/// The text of that number, from 0, among texts that each end with a NUL; empty where there
/// are not as many.
#[must_use]
pub fn nth_text(texts: &[u8], number: usize) -> &CStr {
    let start = start_of_text(texts, number);
    until_nul(texts.get(start..).unwrap_or_default())
}

/// Where the text of that number begins, as for [`nth_text`]; the end where there are not as
/// many.
#[must_use]
pub fn start_of_text(texts: &[u8], mut number: usize) -> usize {
    let mut start = 0;
    for &byte in texts {
        if number == 0 {
            break;
        }
        start += 1;
        number -= usize::from(byte == 0);
    }
    start
}

/// Makes `room` the C string of two parts, one behind the other.
pub fn c_string<'r>(room: &'r mut Vec<u8>, start: &[u8], rest: &[u8]) -> &'r CStr {
    room.clear();
    room.extend_from_slice(start);
    room.extend_from_slice(rest);
    room.push(0);
    until_nul(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_the_first_nul() {
        assert_eq!(until_nul(b"a\xffb\0c\0"), c"a\xffb");
        assert_eq!(until_nul(b"\0"), c"");
        assert_eq!(until_nul(b"abc"), c"");
        assert_eq!(until_nul(b""), c"");
    }

    #[test]
    fn texts_by_number() {
        let texts = b"a\0\0bc\0";
        let found = [0, 1, 2, 3, 4].map(|number| nth_text(texts, number));
        assert_eq!(found, [c"a", c"", c"bc", c"", c""]);
    }
}
