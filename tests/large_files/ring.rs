//! When a large file goes through `io_uring`, and what becomes of it where that fails in its
//! middle.

use std::cmp::Ordering;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use crate::copies::{Verdicts, alone, content, cp, ended, has_no_blocks_beyond, is_whole};
use crate::file_systems::{self, Kind, on_each};
use crate::notified::{Answer, notified};
use crate::support::{Ran, pairs, skip};

const SIZE_MIB: usize = 16;
/// A file of this size goes through the ring where that is quicker.
const USED_FROM_MIB: usize = 64;

/// What `io_uring_enter` may fail with, and what it may not.
const ERRORS: [i32; 19] = [
    libc::EAGAIN,
    libc::EBADF,
    libc::EBADFD,
    libc::EBADR,
    libc::EBUSY,
    libc::EEXIST,
    libc::EFAULT,
    libc::EINTR,
    libc::EINVAL,
    libc::EIO,
    libc::ENOMEM,
    libc::ENOSPC,
    libc::ENOSYS,
    libc::ENXIO,
    libc::EOPNOTSUPP,
    libc::EOWNERDEAD,
    libc::EPERM,
    libc::ETIME,
    libc::EACCES,
];
/// Those of them that say to try again: they do not last.
const MOMENTARY: [i32; 4] = [libc::EAGAIN, libc::EBUSY, libc::EINTR, libc::ETIME];

/// Runs `cp` with `line` in `dir`; `answer` decides on its calls of `io_uring_enter`. Returns how
/// many there were.
fn entering(
    line: &str,
    dir: &Path,
    answer: impl FnMut(usize) -> Answer,
) -> std::io::Result<(Ran, usize)> {
    notified(&[libc::SYS_io_uring_enter], answer, || cp(line, dir))
}

/// Nothing that the ring fails with spoils a copy.
#[test]
fn a_ring_that_fails() {
    const TEST: &str = "a_ring_that_fails";
    let _alone = alone();
    let content = &content(SIZE_MIB);
    let verdicts = Mutex::new(Verdicts::default());
    // On the first, reads and writes are done at once; on the second writes are done meanwhile.
    on_each(TEST, &[Kind::Tmpfs, Kind::Ext4], 256, |kind, dir| {
        fs::write(dir.join("whole"), content).expect("a source");
        let line = "--io=ring whole copy";
        let (ran, calls) = match entering(line, dir, |_| Answer::Made) {
            Ok(counted) => counted,
            Err(error) => return skip(TEST, &format!("no notification of calls: {error}")),
        };
        if ran.status != 0 {
            return skip(TEST, &format!("no io_uring: {}", ran.stderr.trim_end()));
        }
        assert!(calls > 0, "--io=ring, and io_uring_enter was not called");
        let moments = pairs([0, calls / 2, calls - 1], [false, true]);
        for (errno, (call, lasts)) in pairs(ERRORS, moments.collect::<Vec<_>>()) {
            if lasts && MOMENTARY.contains(&errno) {
                continue;
            }
            let error = std::io::Error::from_raw_os_error(errno);
            let times = if lasts { "from it on" } else { "once" };
            let kind = kind.name();
            let what = format!("{kind}: call {call} of {calls}, {times}: {error}");
            let answer = |before: usize| match before.cmp(&call) {
                Ordering::Equal => Answer::Refused(errno),
                Ordering::Greater if lasts => Answer::Refused(errno),
                _ => Answer::Made,
            };
            let (ran, _) = entering(line, dir, answer).expect("notified");
            let to = dir.join("copy");
            let verdict = ended(&ran, 0, "")
                .and_then(|()| is_whole(&to, content))
                .and_then(|()| has_no_blocks_beyond(&to));
            verdicts.lock().unwrap().add(&what, verdict);
            fs::remove_file(to).ok();
        }
    });
    verdicts.into_inner().unwrap().all_good();
}

/// On ext4 a large file goes through the ring without being asked to, where there is a second
/// processor for what the kernel does meanwhile.
#[test]
fn the_ring_is_used() {
    const TEST: &str = "the_ring_is_used";
    let _alone = alone();
    if std::thread::available_parallelism().is_ok_and(|count| count.get() == 1) {
        return skip(TEST, "one processor only");
    }
    let content = content(USED_FROM_MIB);
    let mib = USED_FROM_MIB as u64 * 3;
    let copied = file_systems::on(Kind::Ext4, mib, |dir| {
        fs::write(dir.join("whole"), &content).expect("a source");
        fs::write(dir.join("small"), &content[..2 << 20]).expect("a source");
        let counted = entering("--io=ring small copy", dir, |_| Answer::Made);
        let (ran, calls) = counted.map_err(|e| format!("no notification of calls: {e}"))?;
        if ran.status != 0 {
            return Err(format!("no io_uring: {}", ran.stderr.trim_end()));
        }
        assert!(calls > 0, "--io=ring, and io_uring_enter was not called");
        let counted = entering("whole copy", dir, |_| Answer::Made);
        let (ran, calls) = counted.expect("notified");
        ran.expect_success();
        is_whole(&dir.join("copy"), &content).expect("a copy");
        Ok(calls)
    });
    match copied.and_then(|calls| calls) {
        Ok(calls) => assert!(calls > 0, "io_uring_enter was not called"),
        Err(reason) => skip(TEST, &reason),
    }
}
