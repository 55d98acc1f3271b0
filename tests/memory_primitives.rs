//! The assembly behind `memcpy` and its relatives against a reference: all short lengths, all
//! alignments of both sides, all overlaps.
//!
//! The unmangled symbols are the program's own (`src/rt/symbols.rs`) and must not come near
//! the test harness, which would use them from then on. So the choice that `memmove` makes is
//! made here once more, and a test compares the two by their text.
#![allow(unsafe_code)]

use annulet::sys::arch::memory;

/// Bytes on both sides of what is written, to show a write beyond.
const MARGIN: usize = 64;

fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i * 131 + i / 256 * 7 + 1).to_le_bytes()[0])
        .collect()
}

fn lengths() -> impl Iterator<Item = usize> + Clone {
    (0..300).chain([511, 512, 513, 1000, 4095, 4096, 4097, 65_537, (1 << 20) + 3])
}

/// Few offsets for what is long: there they cost time and tell no more.
fn offsets(len: usize) -> impl Iterator<Item = usize> + Clone {
    (0..=16).step_by(if len < 300 { 1 } else { 5 })
}

/// `memmove` as `src/rt/symbols.rs` has it.
fn memmove(bytes: &mut [u8], to: usize, from: usize, len: usize) {
    assert!(to + len <= bytes.len() && from + len <= bytes.len());
    let start = bytes.as_mut_ptr();
    // SAFETY: within `bytes`, as checked.
    let dst = unsafe { start.add(to) };
    // SAFETY: within `bytes`, as checked.
    let src = unsafe { start.add(from) }.cast_const();
    if (dst as usize).wrapping_sub(src as usize) < len {
        // SAFETY: both ranges are within `bytes`; `dst` is not below `src`.
        unsafe { memory::copy_backward(dst, src, len) };
    } else {
        // SAFETY: both ranges are within `bytes`; `dst` lies below `src` or apart from it.
        unsafe { memory::copy_forward(dst, src, len) };
    }
}

#[test]
fn the_program_chooses_as_this_test_does() {
    let symbols = include_str!("../src/rt/symbols.rs");
    let body = symbols
        .split_once("fn memmove(")
        .and_then(|(_, rest)| rest.split_once("\n}"))
        .expect("memmove in src/rt/symbols.rs")
        .0;
    let code: String = body
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
        .collect();
    let expected = "if (dst as usize).wrapping_sub(src as usize) < len_bytes {\
                    unsafe { memory::copy_backward(dst, src, len_bytes) };\
                    } else {\
                    unsafe { memory::copy_forward(dst, src, len_bytes) };\
                    }dst";
    assert!(code.ends_with(expected), "memmove is now {code}");
}

/// Copies with either function, between buffers of their own.
fn copies_apart(copy: unsafe fn(*mut u8, *const u8, usize)) {
    let source = pattern((1 << 20) + 200);
    for len in lengths() {
        for from in offsets(len) {
            for to in offsets(len) {
                let mut copied = vec![0xee; MARGIN + 16 + len + MARGIN];
                let at = MARGIN + to;
                let room = &mut copied[at..at + len];
                let given = &source[from..from + len];
                // SAFETY: two slices of `len` bytes in different buffers.
                unsafe { copy(room.as_mut_ptr(), given.as_ptr(), len) };
                assert!(room == given, "{len} bytes from {from} to {to}");
                assert!(
                    copied[..at]
                        .iter()
                        .chain(&copied[at + len..])
                        .all(|&b| b == 0xee),
                    "{len} bytes from {from} to {to}: written beyond"
                );
            }
        }
    }
}

#[test]
fn copying_forward() {
    copies_apart(memory::copy_forward);
}

#[test]
fn copying_backward() {
    copies_apart(memory::copy_backward);
}

#[test]
fn moving_with_every_overlap() {
    for len in (0..130).chain([299, 512, 4097]) {
        let step = if len < 130 { 1 } else { 97 };
        let original = pattern(MARGIN + 3 * len + 16 + MARGIN);
        let from = MARGIN + len + 8;
        // From just below the source to just above it, apart on both sides.
        for to in (MARGIN..=MARGIN + 2 * len + 16).step_by(step) {
            let mut moved = original.clone();
            memmove(&mut moved, to, from, len);
            let mut expected = original.clone();
            expected.copy_within(from..from + len, to);
            assert!(moved == expected, "{len} bytes from {from} to {to}");
        }
    }
}

#[test]
fn moving_by_little_at_every_alignment() {
    let original = pattern(4096 + 100);
    for len in [1, 7, 8, 9, 63, 64, 65, 1000, 4096] {
        for from in 16..33 {
            for to in from - 16..=from + 16 {
                let mut moved = original.clone();
                memmove(&mut moved, to, from, len);
                let mut expected = original.clone();
                expected.copy_within(from..from + len, to);
                assert!(moved == expected, "{len} bytes from {from} to {to}");
            }
        }
    }
}

#[test]
fn filling() {
    for len in lengths() {
        for at in offsets(len) {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut filled = vec![0xee; MARGIN + 16 + len + MARGIN];
                let start = MARGIN + at;
                let room = &mut filled[start..start + len];
                // SAFETY: a slice of `len` bytes.
                unsafe { memory::fill(room.as_mut_ptr(), byte, len) };
                assert!(room.iter().all(|&b| b == byte), "{len} at {at}");
                assert!(
                    filled[..start]
                        .iter()
                        .chain(&filled[start + len..])
                        .all(|&b| b == 0xee),
                    "{len} at {at}: written beyond"
                );
            }
        }
    }
}

fn compare(a: &[u8], b: &[u8]) -> i32 {
    assert_eq!(a.len(), b.len());
    // SAFETY: two slices of that length.
    unsafe { memory::compare(a.as_ptr(), b.as_ptr(), a.len()) }.signum()
}

/// As unsigned bytes, whatever follows: of two slices that are the same.
fn assert_first_difference_decides(a: &[u8], b: &mut [u8]) {
    let Some(last) = a.len().checked_sub(1) else {
        return;
    };
    for differs in [0, a.len() / 2, last] {
        for other in [0, 0x7f, 0x80, 0xff] {
            let kept = b[differs];
            b[differs] = other;
            let expected = a.cmp(b) as i32;
            assert_eq!(
                compare(a, b),
                expected,
                "{} bytes, {differs} differs",
                a.len()
            );
            b[differs] = kept;
        }
    }
}

#[test]
fn comparing() {
    let bytes = pattern((1 << 20) + 100);
    for len in lengths() {
        for a_at in offsets(len) {
            for b_at in offsets(len).step_by(3) {
                let a = &bytes[a_at..a_at + len];
                let mut room = vec![0; b_at + len + 1];
                let b = &mut room[b_at..b_at + len];
                b.copy_from_slice(a);
                assert_eq!(compare(a, b), 0, "{len} bytes at {a_at} and {b_at}");
                assert_first_difference_decides(a, b);
            }
        }
    }
    let mut later = bytes.clone();
    let (a, b) = (&mut later[..40], &mut bytes.clone()[..40]);
    (a[10], b[10]) = (1, 2);
    (a[20], b[20]) = (2, 1);
    assert_eq!(compare(a, b), -1);
}

#[test]
fn measuring() {
    for len in lengths() {
        for at in offsets(len) {
            let mut bytes = vec![0; at];
            bytes.resize(at + len, 0xff);
            bytes.extend([0, 0xff, 0]);
            // SAFETY: there is a NUL behind `len` bytes.
            let found = unsafe { memory::length(bytes[at..].as_ptr()) };
            assert_eq!(found, len, "at {at}");
        }
    }
}

#[test]
fn positions_of_bytes_within_a_range() {
    // Of one byte, at either end, by way of 255 and 0, and of all bytes.
    let ranges = [
        (10, 10),
        (9, 13),
        (0, 31),
        (127, 31),
        (128, 255),
        (255, 255),
        (0, 0),
        (5, 4),
    ];
    for (first, last) in ranges {
        let range = memory::ByteRange::new(first, last);
        let within = |byte: u8| byte.wrapping_sub(first) <= last.wrapping_sub(first);
        // Every byte at every place.
        for shift in 0..=255_u8 {
            let mut bytes = [0; 2 * memory::BLOCK_BYTES];
            for (byte, value) in bytes.iter_mut().zip(0..) {
                *byte = shift.wrapping_add(value);
            }
            let found = memory::positions(&bytes, range);
            for (at, &byte) in bytes[..memory::BLOCK_BYTES].iter().enumerate() {
                let expected = within(byte);
                assert_eq!(
                    found >> at & 1 == 1,
                    expected,
                    "{first}..={last}: {byte} at {at}"
                );
            }
        }
    }
}
