//! The filters of `cat`: numbered lines, blank lines squeezed, bytes made visible.
//!
//! One state machine over all the bytes there are: a line may begin in one file and end in
//! the next, so nothing in it knows where a file, or a piece of one, begins.

use bitflags::bitflags;

bitflags! {
    /// What is asked of the filter; with nothing, all is as it is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Shown: u8 {
        /// All lines get a number (`-n`).
        const NUMBERED = 1;
        /// Only those that hold anything do (`-b`).
        const NON_BLANK = 3;
        /// Of blank lines in a row, only the first is kept (`-s`).
        const SQUEEZED = 4;
        /// A `$` at each line's end, and `^M` for a carriage return before it (`-E`).
        const ENDS = 8;
        /// `^I` for a tab (`-T`).
        const TABS = 16;
        /// `^X` and `M-X` for bytes without a form, but for line feeds and tabs (`-v`).
        const NONPRINTING = 32;
    }
}

/// Nothing of the line has been seen.
const AT_START: u32 = 0x40;
/// The line before was blank, and nothing of this one has been seen.
const AFTER_BLANK: u32 = 0x80;
/// A carriage return was seen under `ENDS`: what follows decides how it is shown.
const HELD_RETURN: u32 = 0x100;

const NUMBERED: u32 = Shown::NUMBERED.bits() as u32;
/// Beside `NUMBERED`: blank lines have no number.
const UNLESS_BLANK: u32 = 2;
const SQUEEZED: u32 = Shown::SQUEEZED.bits() as u32;
const ENDS: u32 = Shown::ENDS.bits() as u32;
const TABS: u32 = Shown::TABS.bits() as u32;
const NONPRINTING: u32 = Shown::NONPRINTING.bits() as u32;

/// The most bytes that one byte of input can become: a carriage return held back, a line's
/// number and tab, and `M-^X`.
const MOST_FROM_ONE: usize = 1 + NUMBER_BYTES + 4;

/// As many digits as 2^64 has, and a tab.
const NUMBER_BYTES: usize = 21;

/// Turns bytes into their shown form, in pieces of any size.
#[derive(Debug)]
#[repr(C)] // small fields first: they are reached by shorter instructions
pub struct Filter {
    /// The bits of [`Shown`], and those below.
    state: u32,
    /// Where the shown part of the number begins.
    number_start: usize,
    /// The line's number in digits, so that counting needs no division: right-aligned to six
    /// places, then as wide as it gets, and a tab.
    number: [u8; NUMBER_BYTES],
    /// The bytes that do not simply stand for themselves; all others are copied in runs.
    special: [bool; 256],
}

impl Filter {
    /// A filter at the start of line 1, to be prepared.
    #[must_use]
    pub const fn new(shown: Shown) -> Self {
        Self {
            state: shown.bits() as u32 | AT_START,
            number_start: NUMBER_BYTES - 1 - 6,
            number: *b"                    \t",
            special: [false; 256],
        }
    }

    /// To be called once before any data. In place: a move would copy the whole table.
    #[inline(never)]
    pub fn prepare(&mut self) {
        for (byte, special) in self.special.iter_mut().enumerate() {
            let is_plain = byte.wrapping_sub(0x20) < 0x5f;
            *special = self.state & NONPRINTING != 0 && !is_plain;
        }
        self.special[usize::from(b'\n')] = true;
        self.special[usize::from(b'\t')] = self.state & TABS != 0;
        self.special[usize::from(b'\r')] |= self.state & ENDS != 0;
    }

    /// Puts what becomes of `input` into `room`, as far as it fits. Returns how many bytes of
    /// `input` were taken and how many of `room` were filled.
    ///
    /// With room for a few dozen bytes, at least one byte of input is taken.
    #[inline(never)]
    pub fn feed(&mut self, input: &[u8], room: &mut [u8]) -> (usize, usize) {
        let mut out = Output { room, len: 0 };
        let mut taken = 0;
        let mut state = self.state;
        while let Some(&byte) = input.get(taken)
            && out.room.len() - out.len >= MOST_FROM_ONE
        {
            taken += 1;
            let is_end = byte == b'\n';
            if state & AT_START != 0 {
                if is_end && state & (AFTER_BLANK | SQUEEZED) == AFTER_BLANK | SQUEEZED {
                    continue;
                }
                let unless = if is_end { UNLESS_BLANK } else { 0 };
                if state & (NUMBERED | unless) == NUMBERED {
                    self.push_number(&mut out);
                }
                state |= AFTER_BLANK;
            }
            // The byte's form, its first byte lowest.
            let mut form = u32::from(byte);
            if is_end {
                state |= AT_START;
                if state & ENDS != 0 {
                    form = form << 8 | u32::from(b'$');
                }
                if state & HELD_RETURN != 0 {
                    state &= !HELD_RETURN;
                    form = form << 16 | u32::from(u16::from_le_bytes(*b"^M"));
                }
            } else {
                if state & HELD_RETURN != 0 {
                    out.push(b'\r');
                }
                state &= !(AT_START | AFTER_BLANK | HELD_RETURN);
                if !self.special[usize::from(byte)] {
                    // A run of them is the usual case.
                    taken -= 1;
                    while let Some(&byte) = input.get(taken)
                        && !self.special[usize::from(byte)]
                        && let Some(slot) = out.room.get_mut(out.len)
                    {
                        *slot = byte;
                        out.len += 1;
                        taken += 1;
                    }
                    continue;
                }
                if byte == b'\r' && state & NONPRINTING == 0 {
                    state |= HELD_RETURN;
                    continue;
                }
                // Caret notation, behind `M-` if the highest bit is set.
                form &= 0x7f;
                if form.wrapping_sub(0x20) >= 0x5f {
                    form = (form ^ 0x40) << 8 | u32::from(b'^');
                }
                if byte >= 0x80 {
                    form = form << 16 | u32::from(u16::from_le_bytes(*b"M-"));
                }
            }
            while form != 0 {
                #[allow(clippy::cast_possible_truncation)] // the lowest byte
                out.push(form as u8);
                form >>= 8;
            }
        }
        self.state = state;
        (taken, out.len)
    }

    /// Whether a carriage return is held back, which is shown as it is if nothing follows.
    #[must_use]
    pub const fn holds_return(&self) -> bool {
        self.state & HELD_RETURN != 0
    }

    /// Shows the next line's number.
    fn push_number(&mut self, out: &mut Output<'_>) {
        let mut at = NUMBER_BYTES - 2;
        while let Some(digit) = self.number.get_mut(at) {
            if *digit != b'9' {
                // A blank becomes 0 first.
                *digit = (*digit | b'0') + 1;
                break;
            }
            *digit = b'0';
            at -= 1;
        }
        if at < self.number_start {
            self.number_start = at;
        }
        let mut at = self.number_start;
        while let Some(&byte) = self.number.get(at) {
            out.push(byte);
            at += 1;
        }
    }
}

/// The part of a buffer that is filled, and the rest of it.
struct Output<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl Output<'_> {
    fn push(&mut self, byte: u8) {
        // The room was seen to before.
        if let Some(slot) = self.room.get_mut(self.len) {
            *slot = byte;
            self.len += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;
    use std::vec;
    use std::vec::Vec;

    const N: Shown = Shown::NUMBERED;
    const B: Shown = Shown::NON_BLANK;
    const S: Shown = Shown::SQUEEZED;
    const E: Shown = Shown::ENDS;
    const T: Shown = Shown::TABS;
    const V: Shown = Shown::NONPRINTING;
    const A: Shown = V.union(E).union(T);

    /// Filters `input` given in pieces, through rooms of `room` bytes.
    fn filtered<'a>(
        shown: Shown,
        pieces: impl IntoIterator<Item = &'a [u8]>,
        room: usize,
    ) -> Vec<u8> {
        let mut filter = Filter::new(shown);
        filter.prepare();
        let mut room = vec![0; room];
        let mut out = Vec::new();
        for mut piece in pieces {
            while !piece.is_empty() {
                let (taken, filled) = filter.feed(piece, &mut room);
                assert!(taken > 0, "no progress");
                out.extend_from_slice(&room[..filled]);
                piece = &piece[taken..];
            }
        }
        if filter.holds_return() {
            out.push(b'\r');
        }
        out
    }

    #[test]
    fn each_filter_does_its_own() {
        let cases: &[(Shown, &[u8], &[u8])] = &[
            (N, b"", b""),
            (N, b"a", b"     1\ta"),
            (N, b"a\n\nb\n", b"     1\ta\n     2\t\n     3\tb\n"),
            (B, b"a\n\n\r\nb", b"     1\ta\n\n     2\t\r\n     3\tb"),
            (S, b"\n\n\na\n\n\n\nb\n\n", b"\na\n\nb\n\n"),
            (S, b"\n\r\n\n\n", b"\n\r\n\n"),
            (E, b"a\n\nb", b"a$\n$\nb"),
            (E, b"a\r\n\r\n\r", b"a^M$\n^M$\n\r"),
            (E, b"\r\r\n\rx\r\r", b"\r^M$\n\rx\r\r"),
            (T, b"\ta\t\x89\n", b"^Ia^I\x89\n"),
            (V, b"a\t\r\n\0\x1b\x7f~", b"a\t^M\n^@^[^?~"),
            (V, b"\x80\x89\x8a\xa0\xfe\xff", b"M-^@M-^IM-^JM- M-~M-^?"),
            (A, b"\t\r\n\x89", b"^I^M$\nM-^I"),
        ];
        for &(shown, input, expected) in cases {
            let found = filtered(shown, [input], 4096);
            assert_eq!(
                found.escape_ascii().to_string(),
                expected.escape_ascii().to_string(),
                "{shown:?} of {}",
                input.escape_ascii()
            );
        }
    }

    #[test]
    fn every_byte_has_its_form() {
        for byte in 0..=255_u8 {
            let low = byte & 0x7f;
            let mut form = Vec::new();
            if byte >= 128 {
                form.extend_from_slice(b"M-");
            }
            match low {
                _ if byte == b'\n' => form.extend_from_slice(b"$\n"),
                0..32 => form.extend_from_slice(&[b'^', b'@' + low]),
                127 => form.extend_from_slice(b"^?"),
                _ => form.push(low),
            }
            assert_eq!(filtered(A, [&[byte][..]], 64), form, "byte {byte}");
            let plain = match byte {
                b'\n' | b'\t' => vec![byte],
                _ => form,
            };
            assert_eq!(filtered(V, [&[byte][..]], 64), plain, "byte {byte}");
            for shown in [S, T] {
                if byte != b'\t' {
                    assert_eq!(filtered(shown, [&[byte][..]], 64), [byte]);
                }
            }
        }
    }

    #[test]
    fn where_pieces_and_rooms_end_makes_no_difference() {
        let mut input = b"\n\n\na\r\r\n\r\n\n\n\tb\r\x80\xff\r\n\n\n".to_vec();
        for byte in 0..=255 {
            input.extend_from_slice(&[byte, b'a', b'\r']);
        }
        for shown in (0..64).map(Shown::from_bits_truncate) {
            let whole = filtered(shown, [&input[..]], 1 << 16);
            for size in 1..40 {
                assert_eq!(filtered(shown, input.chunks(size), 1 << 16), whole);
                let room = MOST_FROM_ONE + size - 1;
                assert_eq!(filtered(shown, [&input[..]], room), whole);
            }
        }
    }

    #[test]
    fn numbers_grow_wider_than_their_column() {
        let mut filter = Filter::new(N);
        filter.prepare();
        let newlines = [b'\n'; 9999];
        let mut room = vec![0; 1 << 18];
        for _ in 0..100 {
            let (taken, _) = filter.feed(&newlines, &mut room);
            assert_eq!(taken, newlines.len());
        }
        let (_, filled) = filter.feed(&[b'\n'; 99], &mut room);
        assert!(room[..filled].ends_with(b"999998\t\n999999\t\n"));
        let (_, filled) = filter.feed(b"\na\n", &mut room);
        assert_eq!(&room[..filled], b"1000000\t\n1000001\ta\n");
    }

    #[test]
    fn numbers_count_up_to_the_last_digit() {
        let mut filter = Filter::new(N);
        filter.prepare();
        let mut room = [0; 64];
        for expected in 1..=11_111_u32 {
            let (taken, filled) = filter.feed(b"\n", &mut room);
            assert_eq!(taken, 1);
            let expected = std::format!("{expected:6}\t\n");
            assert_eq!(&room[..filled], expected.as_bytes());
        }
    }
}
