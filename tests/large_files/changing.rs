//! Sources that become shorter or longer while they are copied, just before one of the calls
//! that read them.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;

use crate::copies::{
    Verdict, Verdicts, WAYS, alone, content, cp, ended, has_no_blocks_beyond, is_prefix,
};
use crate::file_systems::{Kind, on_each};
use crate::notified::{Answer, READING, notified};
use crate::support::{Ran, pairs, skip};

const SIZE_MIB: usize = 16;
/// No multiple of a page or of anything else.
const ODD: usize = 100_001;
/// How far the copy has come when it happens, as a part of all its calls.
const MOMENTS: [(usize, usize); 3] = [(1, 4), (7, 8), (1, 1)];

/// What becomes of the source, whose size is given, with so much of it copied; the length it has
/// then.
type Change = fn(copied: usize, size: usize) -> usize;

const SHORTER: [(&str, Change); 4] = [
    ("emptied", |_, _| 0),
    ("cut where it was read", |copied, _| copied / 2 + 123),
    ("cut just ahead", |copied, size| size.min(copied + ODD)),
    ("cut far ahead", |copied, size| copied.midpoint(size)),
];
const LONGER: [(&str, Change); 2] = [
    ("a little longer", |_, size| size + 77),
    ("much longer", |_, size| size + (3 << 20) + ODD),
];

/// Runs `cp` with `line` in `dir`, and `change` before the reading call that has so many before
/// it. Returns how many there were.
fn change_before(
    line: &str,
    dir: &Path,
    call: usize,
    change: impl FnOnce(),
) -> io::Result<(Ran, usize)> {
    let mut change = Some(change);
    let answer = |before| {
        if before == call
            && let Some(change) = change.take()
        {
            change();
        }
        Answer::Made
    };
    notified(&READING, answer, || cp(line, dir))
}

/// One copy of the first `size` bytes of `content`, of which the file `whole` becomes what
/// `change` says.
fn copy_changing(
    line: &str,
    dir: &Path,
    (content, size): (&[u8], usize),
    (call, change): (usize, Change),
) -> Verdict<bool> {
    let (from, to) = (dir.join("whole"), dir.join("copy"));
    fs::write(&from, &content[..size]).expect("a source");
    let source = OpenOptions::new().write(true).open(&from).expect("a file");
    let mut left = None;
    let (ran, _) = change_before(line, dir, call, || {
        let copied = fs::metadata(&to).map_or(0, |found| found.len());
        let copied = usize::try_from(copied).expect("a length");
        let len = change(copied, size);
        if len < size {
            source.set_len(len as u64).expect("a length");
        } else {
            let more = &content[size..len];
            source.write_all_at(more, size as u64).expect("written");
        }
        left = Some(len);
    })
    .map_err(|e| e.to_string())?;
    ended(&ran, 0, "")?;
    // What was read before it was cut is right as well; so is what it gained too late.
    let len = is_prefix(&to, content)?;
    let least = left.unwrap_or(size).min(size);
    if len < least {
        return Err(format!("{len} bytes, and the source still has {least}"));
    }
    has_no_blocks_beyond(&to)?;
    Ok(left.is_some())
}

/// Copies by each way, with each of these changes at each moment.
fn change(test: &str, changes: &[(&str, Change)]) {
    let _alone = alone();
    let size = SIZE_MIB << 20;
    let content = &content(SIZE_MIB + 4);
    let verdicts = Mutex::new(Verdicts::default());
    on_each(test, &[Kind::Tmpfs, Kind::Ext4], 256, |kind, dir| {
        for way in WAYS {
            let line = format!("{way} whole copy");
            let what = format!("{}: {line}", kind.name());
            let add = |what: &str, verdict| verdicts.lock().unwrap().add(what, verdict);
            fs::write(dir.join("whole"), &content[..size]).expect("a source");
            let calls = match change_before(&line, dir, usize::MAX, || ()) {
                Ok((ran, calls)) => match ended(&ran, 0, "") {
                    Ok(()) => calls,
                    bad => {
                        add(&what, bad);
                        continue;
                    }
                },
                Err(error) => return skip(test, &format!("no notification of calls: {error}")),
            };
            let mut done = 0;
            for ((name, change), (part, of)) in pairs(changes, MOMENTS) {
                let call = (calls * part / of).saturating_sub(1);
                let what = format!("{what}, {name} before call {call} of {calls}");
                let source = (&content[..], size);
                let verdict = copy_changing(&line, dir, source, (call, *change));
                done += usize::from(verdict == Ok(true));
                add(&what, verdict.map(|_| ()));
                fs::remove_file(dir.join("copy")).ok();
            }
            println!("{what}: {done} times");
        }
    });
    verdicts.into_inner().unwrap().all_good();
}

/// It is copied to where it ends then, and what it had behind that only if it was read before.
#[test]
fn a_source_that_becomes_shorter() {
    change("a_source_that_becomes_shorter", &SHORTER);
}

/// What it had is copied, and of what it gains a prefix.
#[test]
fn a_source_that_becomes_longer() {
    change("a_source_that_becomes_longer", &LONGER);
}
