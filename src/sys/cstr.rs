//! C strings out of byte buffers, for paths that calls take.

use alloc::vec::Vec;
use core::ffi::CStr;

/// The bytes before the first NUL as a C string; empty where there is no NUL.
#[must_use]
pub fn until_nul(bytes: &[u8]) -> &CStr {
    CStr::from_bytes_until_nul(bytes).unwrap_or_default()
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
}
