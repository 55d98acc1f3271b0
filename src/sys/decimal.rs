//! Numbers in messages.

/// `number` in decimal digits, at the end of `room`.
pub fn decimal(mut number: u32, room: &mut [u8; 10]) -> &[u8] {
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

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers_of_every_length() {
        assert_eq!(decimal(0, &mut [0; 10]), b"0");
        assert_eq!(decimal(10, &mut [0; 10]), b"10");
        assert_eq!(decimal(4095, &mut [0; 10]), b"4095");
        assert_eq!(decimal(u32::MAX, &mut [0; 10]), b"4294967295");
    }
}
