//! The filters of `cat`: numbered lines, blank lines squeezed, bytes made visible.
//!
//! One state machine over all the bytes there are: a line may begin in one file and end in
//! the next, so nothing in it knows where a file, or a piece of one, begins.

use bitflags::bitflags;

use crate::sys::{BLOCK_BYTES, ByteRange, positions};

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

/// In place of a form: what follows decides.
const HELD: u32 = u32::MAX;

const NUMBERED: u32 = Shown::NUMBERED.bits() as u32;
/// Beside `NUMBERED`: blank lines have no number.
const UNLESS_BLANK: u32 = 2;
const SQUEEZED: u32 = Shown::SQUEEZED.bits() as u32;
const ENDS: u32 = Shown::ENDS.bits() as u32;
const TABS: u32 = Shown::TABS.bits() as u32;
const NONPRINTING: u32 = Shown::NONPRINTING.bits() as u32;

/// How much room is asked for before a block of input is looked at. Each byte of it becomes at
/// most a carriage return held back, a line's number and tab, and `M-^X`; what is put is longer
/// than what counts of it, as whole blocks and words are put faster than bytes.
const ROOM_BYTES: usize = BLOCK_BYTES * (1 + NUMBER_BYTES + 4) + BLOCK_BYTES;

/// As many digits as 2^64 has, and a tab.
const NUMBER_BYTES: usize = 21;
/// As many as are put, in whole words.
const NUMBER_WORDS_BYTES: usize = 24;
/// Where the shown part of the number begins at first: six places before the tab.
const NUMBER_START: usize = NUMBER_BYTES - 1 - 6;

/// Turns bytes into their shown form, in pieces of any size.
#[derive(Debug)]
pub struct Filter {
    /// The bits of [`Shown`], and those below.
    state: u32,
    /// The bytes that may stand for something else than themselves; all others are copied in
    /// runs.
    special: ByteRange,
    /// Where the shown part of the number begins.
    number_start: usize,
    /// The line's number in digits, so that counting needs no division: right-aligned to six
    /// places, then as wide as it gets, and a tab.
    number: [u8; NUMBER_START + NUMBER_WORDS_BYTES],
    /// What each byte is shown as, its first byte lowest.
    forms: [u32; 256],
}

impl Filter {
    /// A filter at the start of line 1.
    #[must_use]
    pub const fn new(shown: Shown) -> Self {
        let first = if shown.contains(Shown::NONPRINTING) {
            0x7f
        } else if shown.contains(Shown::TABS) {
            b'\t'
        } else {
            b'\n'
        };
        let last = if shown.contains(Shown::NONPRINTING) {
            0x1f
        } else if shown.contains(Shown::ENDS) {
            b'\r'
        } else {
            b'\n'
        };
        Self {
            state: shown.bits() as u32 | AT_START,
            special: ByteRange::new(first, last),
            number_start: NUMBER_START,
            number: *b"                    \t                 ",
            forms: [0; 256],
        }
    }

    /// To be called once before any data. In place: a move would copy the whole table.
    pub fn prepare(&mut self) {
        for (byte, form) in (0..=u8::MAX).zip(&mut self.forms) {
            *form = form_of(byte, self.state);
        }
    }

    /// Puts what becomes of `input` into `room`, as far as it fits. Returns how many bytes of
    /// `input` were taken and how many of `room` were filled; what is behind them is
    /// overwritten as well.
    ///
    /// With room for 2 KiB, at least one byte of input is taken.
    pub fn feed(&mut self, input: &[u8], room: &mut [u8]) -> (usize, usize) {
        let mut out = Output { room, len: 0 };
        let mut rest = input;
        let mut last = [0; 2 * BLOCK_BYTES];
        while !rest.is_empty() && out.next::<ROOM_BYTES>().is_some() {
            let len = BLOCK_BYTES.min(rest.len());
            let block = rest.first_chunk().unwrap_or_else(|| {
                last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                &last
            });
            self.put_block(block, len, &mut out);
            rest = rest.get(len..).unwrap_or_default();
        }
        (input.len() - rest.len(), out.len)
    }

    /// Puts what becomes of the first `len` bytes of a block, in which those that may stand for
    /// something else are found all at once. What follows each of them is copied to the block's
    /// end, however soon the next one comes: how long a run is, a processor guesses wrong.
    fn put_block(&mut self, block: &[u8; 2 * BLOCK_BYTES], len: usize, out: &mut Output<'_>) {
        let mut specials = positions(block, self.special);
        let mut at = 0;
        let mut state = self.state;
        while at < len {
            let begins = state & (AT_START | HELD_RETURN) != 0;
            if begins && self.begin_run(&mut state, block.get(at) == Some(&b'\n'), out) {
                at += 1;
                specials &= specials - 1;
                continue;
            }
            let end = len.min(specials.trailing_zeros() as usize);
            if let Some(run) = block.get(at..).and_then(<[u8]>::first_chunk::<BLOCK_BYTES>)
                && let Some(room) = out.next()
            {
                *room = *run;
                out.len += end - at;
            }
            at = end + 1;
            if end == len {
                break;
            }
            specials &= specials - 1;
            let Some(&special) = block.get(end) else {
                break;
            };
            self.put_special(&mut state, special, out);
        }
        self.state = state;
    }

    /// Puts what stands before a run of bytes at a line's start or behind a carriage return; it may
    /// be a line's end. Returns whether that is left out, as a blank line among others.
    #[inline]
    fn begin_run(&mut self, state: &mut u32, is_end: bool, out: &mut Output<'_>) -> bool {
        if *state & HELD_RETURN != 0 && !is_end {
            out.put(*b"\r", 1);
            *state &= !HELD_RETURN;
        }
        if *state & AT_START == 0 {
            return false;
        }
        if is_end && *state & (AFTER_BLANK | SQUEEZED) == AFTER_BLANK | SQUEEZED {
            return true;
        }
        let unless = if is_end { UNLESS_BLANK } else { 0 };
        if *state & (NUMBERED | unless) == NUMBERED {
            self.put_number(out);
        }
        if is_end {
            *state |= AFTER_BLANK;
        } else {
            *state &= !(AT_START | AFTER_BLANK);
        }
        false
    }

    /// Puts the form of a byte that may stand for something else.
    #[inline]
    fn put_special(&self, state: &mut u32, byte: u8, out: &mut Output<'_>) {
        let mut form = self.forms[usize::from(byte)];
        // The mask first: for most filters it says that nothing more need be known of the byte,
        // and which bytes there are is what a processor guesses wrong.
        if *state & (NUMBERED | SQUEEZED | HELD_RETURN) != 0 && byte == b'\n' {
            *state |= AT_START;
            if *state & HELD_RETURN != 0 {
                *state &= !HELD_RETURN;
                form = form << 16 | u32::from(u16::from_le_bytes(*b"^M"));
            }
        } else if form == HELD {
            *state |= HELD_RETURN;
            return;
        }
        // Of no form is the highest byte 0.
        let is_longer = |most| usize::from(form > most);
        let count = 1 + is_longer(0xff) + is_longer(0xffff) + is_longer(0xff_ffff);
        out.put(form.to_le_bytes(), count);
    }

    /// Whether a carriage return is held back, which is shown as it is if nothing follows.
    #[must_use]
    pub const fn holds_return(&self) -> bool {
        self.state & HELD_RETURN != 0
    }

    /// Shows the next line's number.
    #[inline]
    fn put_number(&mut self, out: &mut Output<'_>) {
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
        if let Some(words) = self.number.get(self.number_start..)
            && let Some(words) = words.first_chunk::<NUMBER_WORDS_BYTES>()
            && let Some(room) = out.next()
        {
            *room = *words;
            out.len += NUMBER_BYTES - self.number_start;
        }
    }
}

/// What a byte is shown as, its first byte lowest, by the bits of [`Shown`] in `state`.
fn form_of(byte: u8, state: u32) -> u32 {
    let shown_by = match byte {
        b'\n' => ENDS,
        b'\t' => TABS,
        _ => NONPRINTING,
    };
    let itself = u32::from(byte);
    match byte {
        b'\r' if state & (ENDS | NONPRINTING) == ENDS => HELD,
        _ if state & shown_by == 0 => itself,
        b'\n' => itself << 8 | u32::from(b'$'),
        0x80.. => caret(byte & 0x7f) << 16 | u32::from(u16::from_le_bytes(*b"M-")),
        _ => caret(byte),
    }
}

/// A byte below 128 in caret notation if it needs that.
fn caret(byte: u8) -> u32 {
    match byte {
        b' '..=b'~' => byte.into(),
        _ => u32::from(byte ^ 0x40) << 8 | u32::from(b'^'),
    }
}

/// A buffer of which `len` bytes are filled.
struct Output<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl Output<'_> {
    /// The next `N` bytes to be filled; always there behind the check of `ROOM_BYTES`.
    #[inline]
    fn next<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.room.get_mut(self.len..)?.first_chunk_mut()
    }

    /// Puts `bytes`, of which the first `count` count.
    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N], count: usize) {
        if let Some(room) = self.next() {
            *room = bytes;
            self.len += count;
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

    /// Of many cases Miri, which is slow, tries one in so many.
    const STEP: usize = if cfg!(miri) { 13 } else { 1 };

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
        for byte in (0..=255_u8).step_by(STEP) {
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
            assert_eq!(filtered(A, [&[byte][..]], ROOM_BYTES), form, "byte {byte}");
            let plain = match byte {
                b'\n' | b'\t' => vec![byte],
                _ => form,
            };
            assert_eq!(filtered(V, [&[byte][..]], ROOM_BYTES), plain, "byte {byte}");
        }
        for byte in (0..=u8::MAX).step_by(STEP).filter(|byte| *byte != b'\t') {
            for shown in [S, T] {
                assert_eq!(filtered(shown, [&[byte][..]], ROOM_BYTES), [byte]);
            }
        }
    }

    #[test]
    fn where_pieces_and_rooms_end_makes_no_difference() {
        let mut input = b"\n\n\na\r\r\n\r\n\n\n\tb\r\x80\xff\r\n\n\n".to_vec();
        for byte in (0..=255).step_by(STEP) {
            input.extend_from_slice(&[byte, b'a', b'\r']);
        }
        for shown in (0..64).step_by(STEP).map(Shown::from_bits_truncate) {
            let whole = filtered(shown, [&input[..]], 1 << 16);
            for size in (1..40).step_by(STEP) {
                assert_eq!(filtered(shown, input.chunks(size), 1 << 16), whole);
                let room = ROOM_BYTES + size - 1;
                assert_eq!(filtered(shown, [&input[..]], room), whole);
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "slow: a million lines")]
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
    fn the_room_asked_for_is_enough_for_any_block() {
        let mut filter = Filter::new(N | E);
        filter.prepare();
        // The longest numbers, for the shortest lines.
        filter.number[..NUMBER_BYTES - 1].fill(b'1');
        filter.number_start = 0;
        let mut room = [0; ROOM_BYTES];
        let (taken, filled) = filter.feed(&[b'\n'; BLOCK_BYTES], &mut room);
        assert_eq!(
            (taken, filled),
            (BLOCK_BYTES, BLOCK_BYTES * (NUMBER_BYTES + 2))
        );
        assert!(room[..filled].ends_with(b"11111111111111111175\t$\n"));
        // And a line feed between returns, which is what else it may become.
        let mut filter = Filter::new(N | A);
        filter.prepare();
        let (taken, filled) = filter.feed(&[0x80; BLOCK_BYTES], &mut room);
        assert_eq!((taken, filled), (BLOCK_BYTES, 7 + 4 * BLOCK_BYTES));
    }

    #[test]
    fn numbers_count_up_to_the_last_digit() {
        let mut filter = Filter::new(N);
        filter.prepare();
        let mut room = [0; ROOM_BYTES];
        let last = if cfg!(miri) { 111 } else { 11_111_u32 };
        for expected in 1..=last {
            let (taken, filled) = filter.feed(b"\n", &mut room);
            assert_eq!(taken, 1);
            let expected = std::format!("{expected:6}\t\n");
            assert_eq!(&room[..filled], expected.as_bytes());
        }
    }
}
