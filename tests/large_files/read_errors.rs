//! Sources that cannot be read from some place on: it is said, and what was read is there.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Mutex;

use crate::copies::{
    Verdict, Verdicts, WAYS, alone, content, cp, ended, has_no_blocks_beyond, is_at_least,
    is_prefix, is_whole,
};
use crate::cp::child;
use crate::file_systems::{self, Image, Kind, on_each};
use crate::notified::{Answer, READING, notified};
use crate::support::{Ran, is_root, skip};

const SIZE_MIB: usize = 24;
const TEXT: &str = "cp: error reading 'whole': Input/output error\n";

/// Runs `cp` with `line` in `dir`; its reading calls fail from `from` to before `to`. Returns how
/// many there were.
fn failing(line: &str, dir: &Path, from: usize, to: usize) -> std::io::Result<(Ran, usize)> {
    let answer = |before| {
        if (from..to).contains(&before) {
            Answer::Refused(libc::EIO)
        } else {
            Answer::Made
        }
    };
    notified(&READING, answer, || cp(line, dir))
}

/// Whether a copy that met an error is a prefix, without blocks behind it; how long it is.
fn judge(ran: &Ran, text: &str, to: &Path, content: &[u8]) -> Verdict<usize> {
    ended(ran, 1, text)?;
    let len = is_prefix(to, content)?;
    has_no_blocks_beyond(to)?;
    Ok(len)
}

/// Has calls fail from a part of all on, and the one there alone.
fn fail_at(
    line: &str,
    dir: &Path,
    content: &[u8],
    (calls, (part, of)): (usize, (usize, usize)),
) -> [(String, Verdict<()>); 2] {
    let to = dir.join("copy");
    let call = calls * part / of;
    fs::remove_file(&to).ok();
    let (ran, _) = failing(line, dir, call, usize::MAX).expect("notified");
    let verdict = judge(&ran, TEXT, &to, content);
    // Of many one is by and large as good as another.
    let least = if calls < 16 {
        0
    } else {
        content.len() * part / of / 2
    };
    let from_it_on = verdict.and_then(|len| is_at_least(len, least));
    fs::remove_file(&to).ok();
    let (ran, _) = failing(line, dir, call, call + 1).expect("notified");
    let alone = if ran.status == 0 {
        ended(&ran, 0, "").and_then(|()| is_whole(&to, content))
    } else {
        judge(&ran, TEXT, &to, content).map(|_| ())
    };
    [
        (format!("from call {call} of {calls} on"), from_it_on),
        (format!("only call {call} of {calls}"), alone),
    ]
}

/// Each call that reads fails from one on, by whichever way; or only that one, and then the copy
/// may have got around it.
#[test]
fn calls_that_fail() {
    const TEST: &str = "calls_that_fail";
    let _alone = alone();
    let content = &content(SIZE_MIB);
    let verdicts = Mutex::new(Verdicts::default());
    on_each(TEST, &[Kind::Tmpfs, Kind::Ext4], 256, |kind, dir| {
        fs::write(dir.join("whole"), content).expect("a source");
        let to = dir.join("copy");
        for way in WAYS {
            let line = format!("{way} whole copy");
            let what = format!("{}: {line}", kind.name());
            let add = |what: &str, verdict| verdicts.lock().unwrap().add(what, verdict);
            let calls = match failing(&line, dir, 0, 0) {
                Ok((ran, calls)) => {
                    add(&what, ended(&ran, 0, ""));
                    calls
                }
                Err(error) => return skip(TEST, &format!("no notification of calls: {error}")),
            };
            let parts = [(1, 4), (1, 2), (9, 10)].into_iter();
            let told = parts.flat_map(|part| fail_at(&line, dir, content, (calls, part)));
            for (told, verdict) in told {
                println!("{what}, {told}: {verdict:?}");
                add(&format!("{what}, {told}"), verdict);
            }
            fs::remove_file(&to).ok();
        }
    });
    verdicts.into_inner().unwrap().all_good();
}

/// What lies behind a hole cannot be read: the copy is as long as the hole, and keeps no blocks.
#[test]
fn data_behind_a_hole_that_fails() {
    const TEST: &str = "data_behind_a_hole_that_fails";
    const HOLE_BYTES: usize = 30 << 20;
    let _alone = alone();
    let mut content = content(SIZE_MIB + (HOLE_BYTES >> 20));
    content[..HOLE_BYTES].fill(0);
    let verdicts = Mutex::new(Verdicts::default());
    on_each(TEST, &[Kind::Tmpfs, Kind::Ext4], 256, |kind, dir| {
        let source = File::create(dir.join("whole")).expect("a source");
        let data = &content[HOLE_BYTES..];
        source.write_all_at(data, HOLE_BYTES as u64).expect("data");
        let to = dir.join("copy");
        for way in WAYS {
            let line = format!("{way} whole copy");
            if let Err(error) = failing(&line, dir, 0, 0) {
                return skip(TEST, &format!("no notification of calls: {error}"));
            }
            fs::remove_file(&to).expect("a copy");
            // The first two look whether it is in memory.
            let (ran, _) = failing(&line, dir, 2, usize::MAX).expect("notified");
            let blocks = || fs::metadata(&to).map_or(0, |copy| copy.blocks());
            let verdict = match judge(&ran, TEXT, &to, &content) {
                Ok(HOLE_BYTES) if blocks() < 64 => Ok(()),
                Ok(len) => Err(format!("{len} bytes, {} blocks", blocks())),
                Err(why) => Err(why),
            };
            let what = format!("{}: {line}", kind.name());
            verdicts.lock().unwrap().add(&what, verdict);
            fs::remove_file(&to).ok();
        }
    });
    verdicts.into_inner().unwrap().all_good();
}

/// On which block of the file system the block of a file lies that holds byte `at`.
fn block_of(file: &File, at: usize, block_bytes: usize) -> usize {
    const FIBMAP: libc::Ioctl = 1;
    let mut block = libc::c_int::try_from(at / block_bytes).expect("a small number");
    // SAFETY: the number is read, and written.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), FIBMAP, &raw mut block) };
    assert_eq!(done, 0, "FIBMAP: {}", std::io::Error::last_os_error());
    usize::try_from(block).expect("a block's number")
}

/// A disk that ends before its file system does: the loop device's file is cut, after that the
/// device cannot be read from there on. Nothing may be written to it then, which would make it as
/// long as before.
fn lose_the_end(image: &Image, from_byte: usize) {
    let file = File::open(image.mounted_at.join("whole")).expect("a file");
    let found = child::statfs(&image.mounted_at);
    let block_bytes = usize::try_from(found.f_bsize).expect("a block's size");
    let block = block_of(&file, from_byte, block_bytes);
    file_systems::sync(&file).expect("synced");
    drop(file);
    let read_only = libc::MS_REMOUNT | libc::MS_RDONLY | libc::MS_NOATIME;
    let at = child::c_path(&image.mounted_at);
    let none = std::ptr::null();
    // SAFETY: a path that ends in NUL; no type or data.
    let done = unsafe { libc::mount(none, at.as_ptr(), none, read_only, none.cast()) };
    assert_eq!(done, 0, "remount: {}", std::io::Error::last_os_error());
    let device = OpenOptions::new().write(true).open(&image.file);
    let device = device.expect("the device's file");
    device
        .set_len((block * block_bytes) as u64)
        .expect("a length");
}

/// Leaves nothing of a file in memory that the disk has.
fn forget(file: &Path) {
    let file = File::open(file).expect("a file");
    // SAFETY: takes numbers.
    let done = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    assert_eq!(done, 0);
}

/// A disk that cannot be read from some place on, of which the kernel's log tells, too.
#[test]
fn a_disk_that_fails() {
    const TEST: &str = "a_disk_that_fails";
    // No multiple of what is read at a time.
    const GOOD: usize = (13 << 20) + 3 * 4096;
    /// As much may be lost of what lies before: the kernel reads blocks that lie together at
    /// once, and may fail for all of them.
    const LOST: usize = 2 << 20;
    let _alone = alone();
    if !is_root() {
        return skip(TEST, "mounts a file system, which takes root");
    }
    let content = &content(SIZE_MIB);
    let mut verdicts = Verdicts::default();
    let made = child::on_tmpfs(c"mode=755", |memory| {
        let image = Image::make(memory, Kind::Ext4, 128)?;
        let from = image.mounted_at.join("whole");
        fs::write(&from, content).expect("a source");
        file_systems::sync(&File::open(&from).expect("a file")).expect("synced");
        lose_the_end(&image, GOOD);
        let text = TEXT.replace("whole", &from.display().to_string());
        for way in WAYS {
            forget(&from);
            let line = format!("{way} {} copy", from.display());
            let verdict = judge(&cp(&line, memory), &text, &memory.join("copy"), content);
            println!("{line}: {verdict:?}");
            verdicts.add(&line, verdict.and_then(|len| is_at_least(len, GOOD - LOST)));
            fs::remove_file(memory.join("copy")).ok();
        }
        image.unmount();
        Ok(())
    });
    verdicts.all_good();
    if let Err(reason) = made.expect("a tmpfs") {
        let reason: String = reason;
        skip(TEST, &reason);
    }
}
