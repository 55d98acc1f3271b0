//! What is copied, by which ways, and what a copy that was not finished has to be.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::cp::child::{self, Setting};
use crate::file_systems::Kind;
use crate::support::{Ran, annulet, noise};

/// The ways that a large file's data may go, as options.
pub const WAYS: [&str; 9] = [
    "--io=auto",
    "-j1",
    "-j4",
    "--io=ring",
    "--io=thread",
    "--io=splice",
    "--io=copy_file_range",
    "--io=read_write",
    "--io=sync",
];

/// What may be allocated for a file besides what it holds: blocks that say where its blocks are.
const OWN_BLOCKS_BYTES: u64 = 64 << 10;

/// How much is shown of what a program said that should have said something else.
const SHOWN_CHARS: usize = 300;

/// The options to have data moved that way on a file system of that kind; nothing where that way
/// moves none.
pub fn options(way: &str, kind: Kind) -> Option<String> {
    match (kind.shares_blocks(), way) {
        (false, _) => Some(way.to_owned()),
        // It shares blocks, in no time.
        (true, "--io=copy_file_range") => None,
        (true, _) => Some(format!("{way} --reflink=never")),
    }
}

/// Has the tests run one at a time: they take much memory, and measure times.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `cp` with the words of `line` in `dir`.
pub fn cp(line: &str, dir: &Path) -> Ran {
    let setting = Setting {
        limit: Duration::from_secs(30),
        ..Setting::default()
    };
    child::cp(&annulet(), &child::words(line), dir, &setting)
}

/// Bytes of which none repeats those before, so that a gap or a wrong place shows.
pub fn content(mib: usize) -> Vec<u8> {
    noise(mib << 20, 1)
}

/// What a copy has to be, and why it is not.
pub type Verdict<T = ()> = Result<T, String>;

/// Whether the file at `path` is a prefix of `content`, and how long it is; 0 where it is not
/// there.
pub fn is_prefix(path: &Path, content: &[u8]) -> Verdict<usize> {
    let Ok(file) = File::open(path) else {
        return Ok(0);
    };
    let len = length(&file);
    if len > content.len() {
        return Err(format!(
            "{len} bytes, of a source that has {}",
            content.len()
        ));
    }
    is_same(&file, content, 0, len)?;
    Ok(len)
}

/// Whether a file's bytes from `start` to `end` are those of `content`.
pub fn is_same(file: &File, content: &[u8], start: usize, end: usize) -> Verdict {
    let mut room = vec![0; 1 << 20];
    let mut at = start;
    while at < end {
        let want = room.len().min(end - at);
        let read = &mut room[..want];
        file.read_exact_at(read, at as u64)
            .map_err(|e| format!("cannot read at {at} of {end} bytes: {e}"))?;
        let expected = &content[at..at + want];
        if read != expected {
            let wrong = read.iter().zip(expected).position(|(a, b)| a != b);
            let first = at + wrong.expect("a byte that differs");
            let zero = if read[first - at] == 0 { " (zero)" } else { "" };
            let len = length(file);
            return Err(format!("not the source's byte{zero} at {first}, of {len}"));
        }
        at += want;
    }
    Ok(())
}

/// How long an open file is.
pub fn length(file: &File) -> usize {
    let len = file.metadata().expect("metadata").len();
    usize::try_from(len).expect("a length")
}

/// Whether a file has all of `content`.
pub fn is_whole(path: &Path, content: &[u8]) -> Verdict {
    match is_prefix(path, content)? {
        len if len == content.len() => Ok(()),
        len => Err(format!("only {len} bytes of {}", content.len())),
    }
}

/// Whether of a copy that could go no further so much was kept.
pub fn is_at_least(len: usize, least: usize) -> Verdict {
    if len < least {
        return Err(format!("{len} bytes, of at least {least}"));
    }
    Ok(())
}

/// Whether no blocks are allocated behind a file's end.
pub fn has_no_blocks_beyond(path: &Path) -> Verdict {
    let Ok(found) = fs::metadata(path) else {
        return Ok(());
    };
    let (len, blocks) = (found.len(), found.blocks() * 512);
    if blocks > len.next_multiple_of(4096) + OWN_BLOCKS_BYTES {
        return Err(format!("{blocks} bytes are allocated for {len}"));
    }
    Ok(())
}

/// Whether a program ended with `status`, and said `text` and no more.
pub fn ended(ran: &Ran, status: i32, text: &str) -> Verdict {
    if ran.status == status && ran.stderr == text {
        return Ok(());
    }
    let said: String = ran.stderr.chars().take(SHOWN_CHARS).collect();
    Err(format!(
        "ended with {}, saying {said:?}, instead of {status}, {text:?}",
        ran.status
    ))
}

/// Verdicts on many runs, of which the first that is bad does not hide the others.
#[derive(Default)]
pub struct Verdicts {
    all: usize,
    bad: Vec<String>,
}

impl Verdicts {
    /// Counts the verdict on `what`.
    pub fn add(&mut self, what: &str, verdict: Verdict) {
        self.all += 1;
        if let Err(reason) = verdict {
            self.bad.push(format!("{what}: {reason}"));
        }
    }

    /// How many were bad.
    pub fn bad(&self) -> usize {
        self.bad.len()
    }

    /// Fails the test if one was bad, and says which, and of how many.
    #[track_caller]
    pub fn all_good(&self) {
        const SHOWN: usize = 30;
        let mut text = String::new();
        for line in self.bad.iter().take(SHOWN) {
            let _ = write!(text, "\n  {}", line.trim_end());
        }
        let bad = self.bad.len();
        assert!(bad == 0, "{bad} of {} runs are bad:{text}", self.all);
    }
}
