//! The line of `--progress`: bar, bytes, files, rate, time left.

use crate::copy::Snapshot;
use crate::sys::{Vec, decimal};

/// How wide the bar is.
const BAR: u64 = 24;

/// Appends the line for `now`, such as
/// `[######                  ] 28%  1.2 GiB of 4.3 GiB  812 of 51906 files  640.0 MiB/s  5s left`.
pub fn line(out: &mut Vec<u8>, now: &Snapshot) {
    let [done, found] = now.bytes;
    // A file takes as long as so many bytes, whatever it holds.
    let work = |files: u64, bytes: u64| bytes.wrapping_add(files << 16);
    let part = work(now.files[0], done);
    let whole = work(now.files[1], found).max(1);
    let filled = part_of(part, whole, BAR);
    out.push(b'[');
    for at in 0..BAR {
        out.push(if at < filled { b'#' } else { b' ' });
    }
    let ms = now.elapsed_ms.max(1);
    let mut left_ms = part_of(whole - part, part.max(1), ms);
    if now.ended {
        left_ms = ms;
    }
    let percent = part_of(part, whole, 100);
    let rate = part_of(done, ms, 1000);
    let [files, all_files] = now.files;
    let values = [percent, done, found, files, all_files, rate, left_ms / 1000];
    let mut values = values.iter();
    for &byte in TEMPLATE {
        if let b'N' | b'S' = byte {
            let value = values.next().copied().unwrap_or_default();
            if byte == b'N' {
                push_number(out, value);
            } else {
                push_size(out, value);
            }
        } else if byte != b'+' || !now.counted {
            out.push(byte);
        }
    }
    if !now.ended {
        out.extend_from_slice(b" left");
    }
}

/// What follows the bar: N for a number, S for a size, + only while not all is counted.
const TEMPLATE: &[u8] = b"] N%  S of S+  N of N files  S/s  Ns";

/// `part / whole * scale`, for a scale and numbers of any size.
#[inline(never)]
fn part_of(mut part: u64, mut whole: u64, scale: u64) -> u64 {
    loop {
        if let Some(product) = part.checked_mul(scale) {
            return product / whole.max(1);
        }
        // Nobody sees what it loses.
        part >>= 1;
        whole >>= 1;
    }
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    out.extend_from_slice(decimal(number.into(), &mut [0; 20]));
}

/// A size with the unit that leaves one to four digits before the point.
fn push_size(out: &mut Vec<u8>, bytes: u64) {
    let (mut tenths, mut unit) = (bytes.wrapping_mul(10), 0);
    while tenths >= 10_240 && unit < 4 {
        tenths >>= 10;
        unit += 1;
    }
    push_number(out, tenths / 10);
    if unit > 0 {
        out.push(b'.');
        push_number(out, tenths % 10);
    }
    out.push(b' ');
    let prefix = b"\0KMGT".get(unit).copied().unwrap_or_default();
    if prefix != 0 {
        out.push(prefix);
        out.push(b'i');
    }
    out.push(b'B');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(
        files: [u64; 2],
        bytes: [u64; 2],
        elapsed_ms: u64,
        counted: bool,
    ) -> std::string::String {
        let mut out = Vec::new();
        let now = Snapshot {
            files,
            bytes,
            counted,
            elapsed_ms,
            ended: false,
        };
        line(&mut out, &now);
        std::string::String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn lines() {
        assert_eq!(
            shown([812, 51906], [1 << 30, 4 << 30], 2000, true),
            "[###                     ] 14%  1.0 GiB of 4.0 GiB  812 of 51906 files  512.0 MiB/s  11s left"
        );
        assert_eq!(
            shown([0, 0], [0, 0], 0, false),
            "[                        ] 0%  0 B of 0 B+  0 of 0 files  0 B/s  0s left"
        );
        assert_eq!(
            shown([3, 4], [0, 0], 1000, true),
            "[##################      ] 75%  0 B of 0 B  3 of 4 files  0 B/s  0s left"
        );
        assert_eq!(
            shown([1, 1], [1023, 1_099_511_627_776 * 5000], 10, true),
            "[                        ] 0%  1023 B of 5000.0 TiB  1 of 1 files  99.9 KiB/s  825967658s left"
        );
    }
}
