//! The filters of `cat`: numbered lines, blank lines squeezed, bytes made visible.
//!
//! One state machine over all the bytes there are: a line may begin in one file and end in
//! the next, so nothing in it knows where a file, or a piece of one, begins.

/// Which lines get a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbered {
    /// None.
    None,
    /// All (`-n`).
    All,
    /// Those that hold anything (`-b`).
    NonBlank,
}

/// What is asked of the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // options are
pub struct Shown {
    /// Which lines get a number.
    pub numbered: Numbered,
    /// Of blank lines in a row, only the first is kept (`-s`).
    pub squeezed: bool,
    /// A `$` at each line's end, and `^M` for a carriage return before it (`-E`).
    pub ends: bool,
    /// `^I` for a tab (`-T`).
    pub tabs: bool,
    /// `^X` and `M-X` for bytes without a form, but for line feeds and tabs (`-v`).
    pub nonprinting: bool,
}

impl Shown {
    /// Everything as it is.
    pub const PLAINLY: Self = Self {
        numbered: Numbered::None,
        squeezed: false,
        ends: false,
        tabs: false,
        nonprinting: false,
    };
}

/// The most bytes that one byte of input can become: a carriage return held back, a line's
/// number and tab, and `M-^X`.
const MOST_FROM_ONE: usize = 1 + NUMBER_BYTES + MOST_VISIBLE;

/// The length of `M-^X`.
const MOST_VISIBLE: usize = 4;

/// Turns bytes into their shown form, in pieces of any size.
#[derive(Debug)]
pub struct Filter {
    shown: Shown,
    /// The bytes that do not simply stand for themselves; all others are copied in runs.
    special: [bool; 256],
    number: LineNumber,
    /// Nothing of the line has been seen.
    at_start: bool,
    /// The line before was blank.
    after_blank: bool,
    /// A carriage return was seen under `ends`: what follows decides how it is shown.
    held_return: bool,
}

impl Filter {
    /// A filter at the start of line 1.
    #[must_use]
    pub fn new(shown: Shown) -> Self {
        let mut special = [shown.nonprinting; 256];
        for byte in b' '..=b'~' {
            special[usize::from(byte)] = false;
        }
        special[usize::from(b'\n')] = true;
        special[usize::from(b'\t')] = shown.tabs;
        special[usize::from(b'\r')] |= shown.ends;
        Self {
            shown,
            special,
            number: LineNumber::ZERO,
            at_start: true,
            after_blank: false,
            held_return: false,
        }
    }

    /// Puts what becomes of `input` into `room`, as far as it fits. Returns how many bytes of
    /// `input` were taken and how many of `room` were filled.
    ///
    /// With room for a few dozen bytes, at least one byte of input is taken.
    pub fn feed(&mut self, input: &[u8], room: &mut [u8]) -> (usize, usize) {
        let mut out = Output { room, len: 0 };
        let mut rest = input;
        while let Some((&byte, behind)) = rest.split_first()
            && out.left() >= MOST_FROM_ONE
        {
            if byte == b'\n' {
                self.end_line(&mut out);
                rest = behind;
                continue;
            }
            self.begin(&mut out);
            if self.is_held(byte) {
                self.held_return = true;
                rest = behind;
            } else {
                rest = self.within_line(rest, &mut out);
            }
        }
        (input.len() - rest.len(), out.len)
    }

    /// What was held back at the end of all input.
    #[must_use]
    pub const fn finish(&self) -> &'static [u8] {
        if self.held_return { b"\r" } else { b"" }
    }

    /// Whether how `byte` is shown depends on what follows.
    const fn is_held(&self, byte: u8) -> bool {
        byte == b'\r' && self.shown.ends && !self.shown.nonprinting
    }

    /// Shows what stands before a byte that ends no line.
    fn begin(&mut self, out: &mut Output<'_>) {
        if self.held_return {
            self.held_return = false;
            out.push(b'\r');
        }
        if self.at_start {
            self.at_start = false;
            if self.shown.numbered != Numbered::None {
                out.append(self.number.next());
            }
        }
    }

    fn end_line(&mut self, out: &mut Output<'_>) {
        if self.at_start {
            if self.shown.squeezed && self.after_blank {
                return;
            }
            if self.shown.numbered == Numbered::All {
                out.append(self.number.next());
            }
        }
        self.after_blank = self.at_start;
        self.at_start = true;
        if self.held_return {
            self.held_return = false;
            out.append(b"^M");
        }
        if self.shown.ends {
            out.push(b'$');
        }
        out.push(b'\n');
    }

    /// Shows bytes up to the first that is held or ends the line; returns those from there
    /// on.
    fn within_line<'a>(&self, mut rest: &'a [u8], out: &mut Output<'_>) -> &'a [u8] {
        loop {
            rest = self.copy_run(rest, out);
            match rest.split_first() {
                Some((&byte, behind))
                    if byte != b'\n' && !self.is_held(byte) && out.left() >= MOST_VISIBLE =>
                {
                    make_visible(byte, out);
                    rest = behind;
                }
                _ => return rest,
            }
        }
    }

    /// Copies bytes up to the first special one; returns those from there on.
    fn copy_run<'a>(&self, input: &'a [u8], out: &mut Output<'_>) -> &'a [u8] {
        let mut len = 0;
        let room = out.room.get_mut(out.len..).unwrap_or_default();
        for (slot, &byte) in room.iter_mut().zip(input) {
            if self.special[usize::from(byte)] {
                break;
            }
            *slot = byte;
            len += 1;
        }
        out.len += len;
        input.get(len..).unwrap_or_default()
    }
}

/// Shows a byte in caret notation, behind `M-` if its highest bit is set.
fn make_visible(byte: u8, out: &mut Output<'_>) {
    if byte >= 0x80 {
        out.append(b"M-");
    }
    let low = byte & 0x7f;
    if matches!(low, b' '..=b'~') {
        out.push(low);
    } else {
        out.push(b'^');
        out.push(low ^ 0x40);
    }
}

/// The part of a buffer that is filled, and the rest of it.
struct Output<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl Output<'_> {
    const fn left(&self) -> usize {
        self.room.len() - self.len
    }

    fn push(&mut self, byte: u8) {
        // The room was seen to before.
        if let Some(slot) = self.room.get_mut(self.len) {
            *slot = byte;
            self.len += 1;
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.push(byte);
        }
    }
}

/// A line's number in digits, so that counting needs no division: right-aligned to six
/// places, then as wide as it gets, and a tab.
#[derive(Debug)]
struct LineNumber {
    text: [u8; NUMBER_BYTES],
    /// Where the shown part begins.
    start: usize,
}

/// As many digits as 2^64 has, and the tab.
const NUMBER_BYTES: usize = 21;

impl LineNumber {
    const ZERO: Self = {
        let mut text = [b' '; NUMBER_BYTES];
        text[NUMBER_BYTES - 1] = b'\t';
        Self {
            text,
            start: NUMBER_BYTES - 1 - 6,
        }
    };

    /// The next number's text.
    fn next(&mut self) -> &[u8] {
        for (at, digit) in self.text.iter_mut().enumerate().rev().skip(1) {
            if *digit == b'9' {
                *digit = b'0';
                continue;
            }
            *digit = if *digit == b' ' { b'1' } else { *digit + 1 };
            self.start = self.start.min(at);
            break;
        }
        self.text.get(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;
    use std::vec;
    use std::vec::Vec;

    const N: Shown = Shown {
        numbered: Numbered::All,
        ..Shown::PLAINLY
    };
    const B: Shown = Shown {
        numbered: Numbered::NonBlank,
        ..Shown::PLAINLY
    };
    const S: Shown = Shown {
        squeezed: true,
        ..Shown::PLAINLY
    };
    const E: Shown = Shown {
        ends: true,
        ..Shown::PLAINLY
    };
    const T: Shown = Shown {
        tabs: true,
        ..Shown::PLAINLY
    };
    const V: Shown = Shown {
        nonprinting: true,
        ..Shown::PLAINLY
    };
    const A: Shown = Shown {
        ends: true,
        tabs: true,
        nonprinting: true,
        ..Shown::PLAINLY
    };

    /// Filters `input` given in pieces, through rooms of `room` bytes.
    fn filtered<'a>(
        shown: Shown,
        pieces: impl IntoIterator<Item = &'a [u8]>,
        room: usize,
    ) -> Vec<u8> {
        let mut filter = Filter::new(shown);
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
        out.extend_from_slice(filter.finish());
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

    /// Every combination of options.
    fn all_shown() -> impl Iterator<Item = Shown> {
        (0..48_u8).map(|bits| Shown {
            numbered: match bits / 16 {
                0 => Numbered::None,
                1 => Numbered::All,
                _ => Numbered::NonBlank,
            },
            squeezed: bits & 1 != 0,
            ends: bits & 2 != 0,
            tabs: bits & 4 != 0,
            nonprinting: bits & 8 != 0,
        })
    }

    #[test]
    fn where_pieces_and_rooms_end_makes_no_difference() {
        let mut input = b"\n\n\na\r\r\n\r\n\n\n\tb\r\x80\xff\r\n\n\n".to_vec();
        for byte in 0..=255 {
            input.extend_from_slice(&[byte, b'a', b'\r']);
        }
        for shown in all_shown() {
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
        let mut number = LineNumber::ZERO;
        for expected in 1..=11_111_u32 {
            assert_eq!(number.next(), std::format!("{expected:6}\t").as_bytes());
        }
    }
}
