//! The line of `--progress` and of SIGUSR1: percent, bar, bytes, files, rate, time left.

use crate::report::{Known, Occasion, Snapshot, Total};
use crate::sys::decimal;
use alloc::vec::Vec;

/// How wide the bar is where nothing limits the line, and the least that it is made before other
/// things are left out.
const USUAL_BAR: usize = 24;
const LEAST_BAR: usize = 10;

/// Percent, and what encloses the bar: ` 28% [` and `]`.
const AROUND_BAR: usize = 7;

/// Appends the line for `now`, of at most `columns` characters, such as
/// ` 28% [######                  ]  1.2 GiB of 4.3 GiB  812 of 51906 files  640.0 MiB/s  0:00:05 left`,
/// or without the first two where it is not known how much there is. A total that is still growing
/// has a `+` behind it, one that is an estimate a `~` before it.
pub fn push_line(out: &mut Vec<u8>, now: &Snapshot, columns: Option<usize>) {
    let mut parts = [const { Vec::new() }; 4];
    let [bytes, files, rate, time] = &mut parts;
    push_bytes(bytes, now);
    push_files(files, now);
    push_rate(rate, now);
    push_time(time, now);
    let mut length = bytes.len() + files.len() + rate.len() + time.len();
    let mut bar = USUAL_BAR;
    if let Some(columns) = columns {
        let (around, least) = match now.total {
            Some(_) => (AROUND_BAR, LEAST_BAR),
            None => (0, 0),
        };
        // What is left out first where there is little room comes first.
        for part in [files, rate, bytes, time] {
            if around + length + least > columns {
                length -= part.len();
                part.clear();
            }
        }
        bar = columns.saturating_sub(around + length);
    }
    let start = out.len();
    if let Some(total) = &now.total {
        push_bar(out, now, total, bar);
    }
    for part in &parts {
        // Nothing stands before the first part of a line without a bar.
        let is_first = out.len() == start;
        let part = if is_first {
            part.trim_ascii_start()
        } else {
            part
        };
        out.extend_from_slice(part);
    }
    if let Some(columns) = columns {
        out.truncate(start + columns);
    }
}

/// Appends percent and bar.
fn push_bar(out: &mut Vec<u8>, now: &Snapshot, total: &Total, bar: usize) {
    let (part, whole) = work(now, total);
    let percent = part_of(part, whole, 100);
    for least in [100, 10] {
        if percent < least {
            out.push(b' ');
        }
    }
    push_number(out, percent);
    out.push(b'%');
    if bar == 0 {
        return;
    }
    out.extend_from_slice(b" [");
    let filled = part_of(part, whole, bar as u64);
    for at in 0..bar as u64 {
        out.push(if at < filled { b'#' } else { b' ' });
    }
    out.push(b']');
}

/// How many bytes were copied, of how many.
fn push_bytes(text: &mut Vec<u8>, now: &Snapshot) {
    text.extend_from_slice(b"  ");
    push_size(text, now.bytes);
    if let Some(total) = &now.total {
        text.extend_from_slice(b" of ");
        if total.known == Known::Estimated {
            text.push(b'~');
        }
        push_size(text, total.bytes);
        push_plus(text, total);
    }
}

/// How many files were copied, of how many.
fn push_files(text: &mut Vec<u8>, now: &Snapshot) {
    text.extend_from_slice(b"  ");
    push_number(text, now.files);
    if let Some(total) = &now.total {
        text.extend_from_slice(b" of ");
        push_number(text, total.files);
        push_plus(text, total);
    }
    text.extend_from_slice(b" files");
}

fn push_plus(text: &mut Vec<u8>, total: &Total) {
    if total.known == Known::Growing {
        text.push(b'+');
    }
}

/// How many bytes a second; nothing while no time has passed.
fn push_rate(text: &mut Vec<u8>, now: &Snapshot) {
    if now.elapsed_ms != 0 {
        text.extend_from_slice(b"  ");
        push_size(text, part_of(now.timed_bytes, now.elapsed_ms, 1000));
        text.extend_from_slice(b"/s");
    }
}

/// How much time is left; or how much it took, where it has ended or the total is not known.
/// Nothing before anything was done.
fn push_time(text: &mut Vec<u8>, now: &Snapshot) {
    let total = now.total.filter(|_| now.occasion != Occasion::End);
    let mut ms = now.elapsed_ms;
    if let Some(total) = &total {
        let (part, whole) = work(now, total);
        if part == 0 {
            return;
        }
        ms = part_of(whole - part, part, ms);
    }
    text.extend_from_slice(b"  ");
    let seconds = ms / 1000;
    push_number(text, seconds / 3600);
    for number in [seconds / 60 % 60, seconds % 60] {
        text.push(b':');
        push_number(text, number / 10);
        push_number(text, number % 10);
    }
    if total.is_some() {
        text.extend_from_slice(b" left");
    }
}

/// What was done and what there is to do, in bytes: a file takes as long as so many, whatever it
/// holds.
fn work(now: &Snapshot, total: &Total) -> (u64, u64) {
    let work = |files: u64, bytes: u64| bytes.saturating_add(files << 16);
    let part = work(now.files, now.bytes);
    (part, work(total.files, total.bytes).max(part))
}

/// `part / whole * scale`, for a scale and numbers of any size.
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
    let (mut tenths, mut unit) = (bytes.saturating_mul(10), 0);
    while tenths >= 10_240 && unit < 4 {
        tenths >>= 10;
        unit += 1;
    }
    push_number(out, tenths / 10);
    if unit > 0 {
        out.push(b'.');
        push_number(out, tenths % 10);
    }
    let unit = [" B", " KiB", " MiB", " GiB", " TiB"][unit];
    out.extend_from_slice(unit.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::string::String;

    const NOW: Snapshot = Snapshot {
        files: 812,
        bytes: 1 << 30,
        timed_bytes: 1 << 30,
        elapsed_ms: 2000,
        total: Some(Total {
            files: 51_906,
            bytes: 4 << 30,
            known: Known::Exact,
        }),
        occasion: Occasion::Renewal,
    };

    fn shown(now: &Snapshot, columns: Option<usize>) -> String {
        let mut out = Vec::new();
        // What stands before it is nobody's business.
        out.extend_from_slice(b"\r");
        push_line(&mut out, now, columns);
        String::from_utf8(out[1..].to_vec()).unwrap()
    }

    #[test]
    fn lines() {
        let with = |change: fn(&mut Snapshot)| {
            let mut now = NOW;
            change(&mut now);
            shown(&now, None)
        };
        assert_eq!(
            with(|_| ()),
            " 14% [###                     ]  1.0 GiB of 4.0 GiB  812 of 51906 files  \
             512.0 MiB/s  0:00:11 left"
        );
        assert_eq!(
            with(|now| now.total.as_mut().unwrap().known = Known::Growing),
            " 14% [###                     ]  1.0 GiB of 4.0 GiB+  812 of 51906+ files  \
             512.0 MiB/s  0:00:11 left"
        );
        assert_eq!(
            with(|now| now.total.as_mut().unwrap().known = Known::Estimated),
            " 14% [###                     ]  1.0 GiB of ~4.0 GiB  812 of 51906 files  \
             512.0 MiB/s  0:00:11 left"
        );
        assert_eq!(
            with(|now| now.total = None),
            "1.0 GiB  812 files  512.0 MiB/s  0:00:02"
        );
        // Nothing was done yet.
        let total = Total {
            files: 0,
            bytes: 0,
            known: Known::Growing,
        };
        let mut now = Snapshot {
            files: 0,
            bytes: 0,
            timed_bytes: 0,
            elapsed_ms: 0,
            total: Some(total),
            occasion: Occasion::Renewal,
        };
        assert_eq!(
            shown(&now, None),
            "  0% [                        ]  0 B of 0 B+  0 of 0+ files"
        );
        // Only names.
        now.files = 3;
        now.elapsed_ms = 1000;
        now.total = Some(Total { files: 4, ..total });
        assert_eq!(
            shown(&now, None),
            " 75% [##################      ]  0 B of 0 B+  3 of 4+ files  0 B/s  0:00:00 left"
        );
        // Numbers of any size; and the end.
        now.bytes = 1_099_511_627_776 * 5000;
        now.timed_bytes = 1023;
        now.elapsed_ms = 123_456_789;
        now.occasion = Occasion::End;
        now.total = Some(Total {
            files: 3,
            bytes: now.bytes,
            known: Known::Exact,
        });
        assert_eq!(
            shown(&now, None),
            "100% [########################]  5000.0 TiB of 5000.0 TiB  3 of 3 files  0 B/s  \
             34:17:36"
        );
    }

    /// The bar takes what room there is; where there is little, other things go first.
    #[test]
    #[cfg_attr(miri, ignore = "slow, and safe code only")]
    fn widths() {
        for columns in 0..300 {
            for total in [NOW.total, None] {
                let text = shown(&Snapshot { total, ..NOW }, Some(columns));
                assert!(text.len() <= columns, "{columns}: {text}");
            }
        }
        for columns in 8..300 {
            let text = shown(&NOW, Some(columns));
            assert_eq!(text.len(), columns, "{text}");
            assert!(text.starts_with(" 14% ["), "{columns}: {text}");
        }
        for (columns, expected) in [
            (3, " 14"),
            (7, " 14%"),
            (19, " 14% [#           ]"),
            (31, " 14% [#         ]  0:00:11 left"),
            (52, " 14% [#          ]  1.0 GiB of 4.0 GiB  0:00:11 left"),
            (
                79,
                " 14% [###                      ]  1.0 GiB of 4.0 GiB  512.0 MiB/s  0:00:11 left",
            ),
            (
                100,
                " 14% [###                       ]  1.0 GiB of 4.0 GiB  812 of 51906 files  \
                 512.0 MiB/s  0:00:11 left",
            ),
        ] {
            assert_eq!(shown(&NOW, Some(columns)), expected);
        }
        let unknown = Snapshot { total: None, ..NOW };
        assert_eq!(shown(&unknown, Some(19)), "1.0 GiB  0:00:02");
    }
}
