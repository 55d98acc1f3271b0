//! Numbers in messages, and in what the kernel says in words.

/// `number` in decimal digits, at the end of `room`.
pub fn decimal(mut number: u64, room: &mut [u8; 20]) -> &[u8] {
    let mut first = room.len();
    for (at, digit) in room.iter_mut().enumerate().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        first = at;
        if number == 0 {
            break;
        }
    }
    room.get(first..).unwrap_or_default()
}

/// The two numbers that `text` begins with, `between` them: 0 for one that is not there, the
/// greatest there is for one that is too large.
#[must_use]
pub fn two_numbers(text: &[u8], between: u8) -> [u32; 2] {
    let mut numbers = [0_u32; 2];
    let mut at = 0;
    for &byte in text {
        let Some(number) = numbers.get_mut(at) else {
            break;
        };
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            *number = number.saturating_mul(10).saturating_add(u32::from(digit));
        } else if byte == between {
            at += 1;
        } else {
            break;
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::{decimal, two_numbers};

    #[test]
    fn two_numbers_are_read() {
        assert_eq!(two_numbers(b"6.1.0-49-cloud\0\0", b'.'), [6, 1]);
        assert_eq!(two_numbers(b"5.19\0", b'.'), [5, 19]);
        assert_eq!(two_numbers(b"7-rc1", b'.'), [7, 0]);
        assert_eq!(two_numbers(b"150000 100000\n", b' '), [150_000, 100_000]);
        assert_eq!(two_numbers(b"max 100000\n", b' '), [0, 0]);
        assert_eq!(two_numbers(b"-1\n", b' '), [0, 0]);
        assert_eq!(two_numbers(b"99999999999 1", b' '), [u32::MAX, 1]);
    }

    #[test]
    fn numbers_of_every_length() {
        assert_eq!(decimal(0, &mut [0; 20]), b"0");
        assert_eq!(decimal(10, &mut [0; 20]), b"10");
        assert_eq!(decimal(4095, &mut [0; 20]), b"4095");
        assert_eq!(decimal(u64::MAX, &mut [0; 20]), b"18446744073709551615");
    }
}
