//! How `cp` opens, empties and closes files: names that lead to something else from one system
//! call to the next, leases, files that can be written to only once they are emptied, and what
//! only closing tells.
#![allow(unsafe_code)]

mod cp;
mod support;

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use cp::child::{self, Proc, Setting, c_path, mknod, refuse};
use cp::fuse::{self, Rules};
use cp::oracle::gnu_cp;
use support::{Ran, TempDir, annulet, is_root, noise, pairs, skip, temp_dir};

fn with(change: impl FnOnce(&mut Setting)) -> Setting {
    let mut setting = Setting::default();
    change(&mut setting);
    setting
}

/// Which signal tells what happens to a descriptor (`F_SETSIG`).
const F_SETSIG: i32 = 10;

/// Where there is a `/proc`, and, for root, where there is none.
fn procs(test: &str) -> &'static [Proc] {
    if is_root() {
        &[Proc::Kept, Proc::Gone]
    } else {
        skip(test, "unmounts /proc, which takes root");
        &[Proc::Kept]
    }
}

// Names that lead elsewhere all of a sudden.

/// Tells when somebody opens a file (`man 7 inotify`); holding it by `O_PATH` is not that.
struct Opens(OwnedFd);

impl Opens {
    fn of(path: &Path) -> io::Result<Self> {
        // SAFETY: takes a number only.
        let fd = unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) };
        assert!(fd >= 0, "inotify: {}", io::Error::last_os_error());
        // SAFETY: a descriptor that nobody else has.
        let watcher = unsafe { OwnedFd::from_raw_fd(fd) };
        let path = c_path(path);
        // SAFETY: a text that ends in NUL.
        let number = unsafe { libc::inotify_add_watch(fd, path.as_ptr(), libc::IN_OPEN) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(watcher))
    }

    /// Whether it was opened.
    fn happened(&self) -> bool {
        let mut room = [0_u32; 64];
        let bytes = size_of_val(&room);
        // SAFETY: room of the length given.
        let len = unsafe { libc::read(self.0.as_raw_fd(), room.as_mut_ptr().cast(), bytes) };
        let words = usize::try_from(len).unwrap_or(0) / size_of::<u32>();
        // Watch, mask, cookie and length of the name, which a watched file has not. Its removal is
        // told of as well.
        room[..words]
            .chunks(4)
            .any(|event| event[1] & libc::IN_OPEN != 0)
    }
}

/// A command line, the name in it that leads elsewhere all of a sudden, and how many looks
/// (`statx`) come first: what those find is what is opened. Of a tree all is looked at, and FIFOs
/// and devices are never opened.
type Swap = (&'static str, &'static str, usize);

const SWAPS: &[Swap] = &[
    ("s/a new", "s/a", 1),
    ("-p s/a new", "s/a", 1),
    ("-L s/a new", "s/a", 1),
    ("-f s/a old", "s/a", 1),
    ("--attributes-only s/a old", "s/a", 1),
    ("--io=ring s/a new", "s/a", 1),
    ("-b s/a old", "s/a", 1),
    ("s/a old", "old", 2),
    ("-f s/a old", "old", 2),
    ("--attributes-only s/a old", "old", 2),
    ("-u s/a link", "old", 3),
    ("-r s new", "s/a", 0),
    ("-a s new", "s/a", 0),
    ("-rL s new", "s/a", 0),
    ("-ru s/. t", "s/a", 0),
];

/// Lines during which other things than FIFOs are put there as well.
const OTHERS_TOO: &[&str] = &["s/a new", "-f s/a old", "-rL s new"];

/// What is put under the name.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Put {
    Fifo,
    /// Of the null device.
    Device,
    LinkToFifo,
}

/// A folder with a file `s/a`, and older ones that it may be copied to.
fn scene() -> TempDir {
    let dir = temp_dir();
    let path = dir.path();
    for folder in ["s", "t"] {
        fs::create_dir(path.join(folder)).expect("a folder");
    }
    fs::write(path.join("s/a"), noise(5000, 1)).expect("a file");
    for (old, seed) in [("old", 2), ("t/a", 3)] {
        fs::write(path.join(old), noise(70_000, seed)).expect("a file");
        child::set_times(&path.join(old), (1, 0), (1, 0)).expect("times");
    }
    symlink("old", path.join("link")).expect("a link");
    dir
}

/// Runs a line, and calls `change` when system call number `at` behind the looks is about to be
/// made; tells whether it came so far.
fn run_swapped(
    (line, _, looks): Swap,
    at: usize,
    dir: &Path,
    setting: &Setting,
    change: impl Fn(),
) -> (Ran, bool) {
    let (looked, calls) = (Cell::new(0), Cell::new(0));
    let args = child::words(&format!("-j1 {line}"));
    let ran = child::cp_watched(&annulet(), &args, dir, setting, |call| {
        if looked.get() >= looks {
            if calls.get() == at {
                change();
            }
            calls.set(calls.get() + 1);
        }
        looked.set(looked.get() + usize::from(call == libc::SYS_statx));
    });
    (ran, calls.get() > at)
}

/// Calls `at_point` with one number after the other until it tells that there was no such point.
fn points_of(mut at_point: impl FnMut(usize) -> bool) -> usize {
    let mut at = 0;
    while at_point(at) {
        at += 1;
    }
    at
}

/// As the name says, at one point; returns whether there was one.
fn put_at(swap: Swap, put: Put, proc: Proc, at: usize) -> bool {
    let (line, name, _) = swap;
    let dir = scene();
    let path = dir.path();
    let (other, to_other) = (path.join("other"), path.join("to-other"));
    let kind = if put == Put::Device {
        libc::S_IFCHR
    } else {
        libc::S_IFIFO
    };
    mknod(&other, kind | 0o666, libc::makedev(1, 3)).expect("a node");
    symlink(&other, &to_other).expect("a link");
    let opens = Opens::of(&other).expect("a watch");
    let from = if put == Put::LinkToFifo {
        &to_other
    } else {
        &other
    };
    let setting = with(|s| s.proc = proc);
    let (ran, is_point) = run_swapped(swap, at, path, &setting, || {
        fs::rename(from, path.join(name)).expect("a new name");
    });
    let what = format!("{line}: {put:?} at {at}, {proc:?}");
    assert!((0..=1).contains(&ran.status), "{what}: {ran:?}");
    assert_eq!(ran.status == 0, ran.stderr.is_empty(), "{what}: {ran:?}");
    if proc == Proc::Kept {
        assert!(!opens.happened(), "{what}: {ran:?}");
    }
    // What was looked at is what was copied.
    let to = path.join(line.rsplit(' ').next().unwrap_or_default());
    if ran.status == 0 && to.is_file() && name == "s/a" && !line.contains("only") {
        assert!(fs::read(to).unwrap() == noise(5000, 1), "{what}: {ran:?}");
    }
    assert!(is_point || at > 3, "{what}: watched nothing: {ran:?}");
    is_point
}

/// Whatever takes a regular file's name from any system call to the next: it is not waited for,
/// and with /proc it is not even opened, if it was not there when the name was looked at.
#[test]
fn what_takes_a_files_name_is_not_opened() {
    let mut points = 0;
    for &proc in procs("what_takes_a_files_name_is_not_opened") {
        for &swap in SWAPS {
            let mut try_each = |put: Put| points += points_of(|at| put_at(swap, put, proc, at));
            try_each(Put::Fifo);
            // Of these a few will do.
            let others_too = proc == Proc::Kept && OTHERS_TOO.contains(&swap.0);
            if others_too {
                try_each(Put::LinkToFifo);
            }
            if others_too && is_root() {
                try_each(Put::Device);
            }
        }
    }
    println!("at {points} points");
}

/// As many descriptors as by name are enough: those of both files, beside the standard ones and a
/// tree's.
#[test]
fn few_descriptors() {
    for (line, enough) in [
        ("s/a new", 5),
        ("s/a old", 5),
        ("s/a link", 5),
        ("-r s new", 7),
        ("-r s/. t", 8),
    ] {
        for limit in enough..12 {
            let dir = scene();
            for name in ["s/b", "s/c", "s/d"] {
                fs::write(dir.path().join(name), noise(100, 5)).expect("a file");
            }
            let setting = with(|s| s.limits = vec![(libc::RLIMIT_NOFILE, limit)]);
            let args = child::words(&format!("-j1 {line}"));
            child::cp(&annulet(), &args, dir.path(), &setting).expect_success();
        }
    }
}

/// Who has a lease on a file (`man 2 fcntl`) is asked for it and waited for, by either side.
#[test]
fn a_lease_is_waited_for() {
    let copies = [
        ("s/a new", "s/a"),
        ("-r s new", "s/a"),
        ("-rp s/. t", "s/a"),
        ("s/a old", "old"),
        ("-r s/. t", "t/a"),
    ];
    for (&proc, (line, leased)) in pairs(procs("a_lease_is_waited_for"), copies) {
        let dir = scene();
        let path = dir.path();
        let file = File::open(path.join(leased)).expect("a file");
        let lease = |kind: i32| {
            // SAFETY: takes numbers only.
            unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, kind) }
        };
        // What tells that it is wanted is a signal that nobody minds.
        // SAFETY: takes numbers only.
        let signal = unsafe { libc::fcntl(file.as_raw_fd(), F_SETSIG, libc::SIGURG) };
        assert_eq!(signal, 0, "{}", io::Error::last_os_error());
        // What another test starts has the file open as well, until it becomes another program.
        let start = Instant::now();
        while lease(libc::F_WRLCK) < 0 {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::EAGAIN) || start.elapsed().as_secs() > 10 {
                return skip("a_lease_is_waited_for", &format!("no leases here: {error}"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        let ran = thread::scope(|scope| {
            let setting = with(|s| s.proc = proc);
            let args = child::words(line);
            let copy = scope.spawn(move || child::cp(&annulet(), &args, path, &setting));
            let held = || {
                // SAFETY: takes numbers only.
                unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLEASE) == libc::F_WRLCK }
            };
            while held() && !copy.is_finished() {
                thread::sleep(Duration::from_millis(1));
            }
            assert!(
                !copy.is_finished(),
                "{line} {proc:?}: it was not waited for"
            );
            lease(libc::F_UNLCK);
            copy.join().expect("a copy")
        });
        ran.expect_success();
        let [from, to] = [
            path.join("s/a"),
            path.join(match line.rsplit(' ').next() {
                Some("t") => "t/a",
                Some("old") => "old",
                _ if line.starts_with('-') => "new/a",
                _ => "new",
            }),
        ];
        assert!(
            fs::read(from).unwrap() == fs::read(to).unwrap(),
            "{line} {proc:?}"
        );
    }
}

// Files that can be written to only once they are emptied.

/// Runs `test` in a folder with a small tree `s`, beside a store that follows `rules` at `store`.
fn with_store(name: &str, rules: Rules, test: impl FnOnce(&Path)) {
    if !is_root() {
        return skip(name, "mounts a file system, which takes root");
    }
    let dir = temp_dir();
    fs::create_dir_all(dir.path().join("s/sub")).expect("a folder");
    for (name, len) in CONTENTS {
        fs::write(dir.path().join("s").join(name), noise(*len, 3)).expect("a file");
    }
    let store = dir.path().join("store");
    fs::create_dir(&store).expect("a folder");
    match fuse::mount_store(&store, rules) {
        Ok(_mounted) => test(dir.path()),
        Err(error) => skip(name, &format!("no FUSE: {error}")),
    }
}

const CONTENTS: &[(&str, usize)] = &[("a", 5000), ("none", 0), ("sub/large", 900_000)];

/// What annulet says and what GNU cp says; new files are removed.
fn both_say(gnu: &Path, line: &str, dir: &Path, setting: &Setting) -> [String; 2] {
    [&annulet(), gnu].map(|program| {
        let ran = child::cp(program, &child::words(line), dir, setting);
        for name in ["new", "new2"] {
            let _ = fs::remove_file(dir.join(name));
        }
        ran.said()
    })
}

fn run(line: &str, dir: &Path) -> Ran {
    child::cp(&annulet(), &child::words(line), dir, &Setting::default())
}

/// Gives the files in `s` other contents, shorter ones each time, and copies them over the others.
fn copy_others_over(dir: &Path, round: usize, line: &str) {
    for (name, len) in CONTENTS {
        let content = noise(len.saturating_sub(round * 100), round as u64);
        fs::write(dir.join("s").join(name), content).expect("a file");
    }
    run(&format!("{line} s/. store"), dir).expect_success();
    for (name, _) in CONTENTS {
        let copy = fs::read(dir.join("store").join(name)).expect("a copy");
        let source = fs::read(dir.join("s").join(name)).expect("a file");
        assert!(copy == source, "{line} {name}: {}", copy.len());
    }
}

/// As with a bucket behind it: what is there can only be replaced as a whole.
#[test]
fn a_second_run_where_only_opening_empties() {
    let test = "a_second_run_where_only_opening_empties";
    let (opening, cutting) = (libc::EPERM, libc::EPERM);
    for rules in [
        Rules {
            opening,
            cutting,
            ..Rules::default()
        },
        Rules {
            cutting,
            ..Rules::default()
        },
        Rules {
            opening,
            ..Rules::default()
        },
    ] {
        with_store(test, rules, |dir| {
            for (round, line) in ["-r", "-r", "-rj1", "-p -r", "-f -r"].iter().enumerate() {
                copy_others_over(dir, round, line);
            }
            // What is not to be lost is not emptied.
            for line in ["--reflink=always s/a store", "--attributes-only s/a store"] {
                run(line, dir);
                let kept = fs::read(dir.join("store/a")).expect("a copy");
                assert!(kept == fs::read(dir.join("s/a")).unwrap(), "{line}");
            }
        });
    }
}

/// Without /proc, by name: but only where the name cannot be that of the source.
#[test]
fn a_second_run_without_proc() {
    let rules = Rules {
        opening: libc::EPERM,
        cutting: libc::EPERM,
        ..Rules::default()
    };
    let gone = with(|s| s.proc = Proc::Gone);
    let cp = |line: &str, dir: &Path| child::cp(&annulet(), &child::words(line), dir, &gone);
    with_store("a_second_run_without_proc", rules, |dir| {
        for _ in 0..2 {
            cp("-r s/. store", dir).expect_success();
        }
        // The store's own files may have each other's names.
        cp("s/a store/b", dir).expect_success();
        let ran = cp("store/a store/b", dir).expect_status(1);
        let said = "cp: cannot create regular file 'store/b': Operation not permitted\n";
        assert_eq!(ran.stderr, said);
        // By way of a symlink it may be anything.
        symlink("store/b", dir.join("l")).expect("a link");
        let ran = cp("s/a l", dir).expect_status(1);
        assert!(ran.stderr.contains("Operation not permitted"), "{ran:?}");
        assert_eq!(fs::read(dir.join("store/b")).unwrap().len(), 5000);
    });
}

/// Where neither is allowed, it is said as by GNU, and `-f` makes another file.
#[test]
fn what_cannot_be_emptied_at_all() {
    let test = "what_cannot_be_emptied_at_all";
    let Some(gnu) = gnu_cp(test) else { return };
    for (opening, emptying, cutting) in [
        (libc::EPERM, libc::EPERM, libc::EPERM),
        (0, libc::ETXTBSY, libc::ETXTBSY),
        (libc::EACCES, libc::EROFS, 0),
    ] {
        let rules = Rules {
            opening,
            emptying,
            cutting,
            ..Rules::default()
        };
        with_store(test, rules, |dir| {
            run("s/a store", dir).expect_success();
            fs::write(dir.join("s/a"), noise(3000, 9)).expect("a file");
            fs::write(dir.join("yes"), "y\n").expect("a file");
            for line in ["s/a store", "-i s/a store/a"] {
                let setting = with(|s| s.stdin = Some(dir.join("yes")));
                let [ours, theirs] = both_say(&gnu, line, dir, &setting);
                assert_eq!(ours, theirs, "{rules:?} {line}");
                assert!(ours.starts_with("status 1\n"), "{ours}");
                assert_eq!(fs::read(dir.join("store/a")).unwrap(), noise(5000, 3));
            }
            run("-f s/a store", dir).expect_success();
            assert_eq!(fs::read(dir.join("store/a")).unwrap(), noise(3000, 9));
        });
    }
}

/// Where no length can be set, what has the right one is whole, as by GNU.
#[test]
fn a_length_that_cannot_be_set() {
    let test = "a_length_that_cannot_be_set";
    let Some(gnu) = gnu_cp(test) else { return };
    let rules = Rules {
        cutting: libc::EPERM,
        ..Rules::default()
    };
    with_store(test, rules, |dir| {
        for (name, end) in [("data", 0), ("hole", 1 << 20)] {
            let file = File::create(dir.join("s").join(name)).expect("a file");
            file.write_all_at(&noise(9000, 1), 2 << 20).expect("data");
            file.set_len((2 << 20) + 9000 + end).expect("a length");
        }
        for (name, sparse) in pairs(["data", "hole"], ["auto", "always", "never"]) {
            let said = [&annulet(), &gnu].map(|program| {
                let to = format!("{name}-{sparse}");
                let line = format!("--sparse={sparse} s/{name} store/{to}");
                let args = child::words(&line);
                let ran = child::cp(program, &args, dir, &Setting::default());
                let len = fs::metadata(dir.join("store").join(&to)).map(|m| m.len());
                fs::remove_file(dir.join("store").join(&to)).expect("removal");
                (ran.said(), len.expect("a copy"))
            });
            assert_eq!(said[0], said[1], "{name} {sparse}");
        }
    });
}

/// A file in memory that is sealed against writing: to open it is allowed.
#[test]
fn a_sealed_file() {
    let Some(gnu) = gnu_cp("a_sealed_file") else {
        return;
    };
    // SAFETY: a name that ends in NUL.
    let fd = unsafe { libc::memfd_create(c"sealed".as_ptr(), libc::MFD_ALLOW_SEALING) };
    assert!(fd >= 0, "memfd_create: {}", io::Error::last_os_error());
    // SAFETY: a descriptor that nobody else has.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.write_all(b"as it was").expect("content");
    let seals = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW;
    // SAFETY: takes numbers only.
    assert_eq!(unsafe { libc::fcntl(fd, libc::F_ADD_SEALS, seals) }, 0);
    let dir = temp_dir();
    fs::write(dir.path().join("a"), "content").expect("a file");
    let to = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    for options in ["", "-f", "--remove-destination"] {
        let line = format!("{options} a {to}");
        let [ours, theirs] = [&annulet(), &gnu].map(|program| {
            child::cp(
                program,
                &child::words(&line),
                dir.path(),
                &Setting::default(),
            )
            .said()
        });
        assert_eq!(ours, theirs, "{line}");
        assert!(ours.starts_with("status 1"), "{line}: {ours}");
        assert_eq!(fs::read(&to).expect("content"), b"as it was");
    }
    let link = dir.path().join("link");
    symlink(&to, &link).expect("a link");
    run("-f a link", dir.path()).expect_success();
    assert!(fs::symlink_metadata(&link).expect("metadata").is_file());
    assert_eq!(fs::read(&link).expect("content"), b"content");
}

/// Whatever the destination's name leads to from any system call to the next, the source is
/// not emptied, though files are emptied by opening them.
#[test]
fn the_source_is_not_emptied_under_a_swapped_name() {
    for &proc in procs("the_source_is_not_emptied_under_a_swapped_name") {
        for swap in [
            ("s/a old", "old", 0),
            ("-f s/a old", "old", 0),
            ("-p s/a old", "old", 0),
            ("s/a link", "old", 0),
            ("-r s/. t", "t/a", 0),
        ] {
            for by_symlink in [false, true] {
                let points = points_of(|at| source_put_at(swap, by_symlink, proc, at));
                assert!(points > 8, "{swap:?}: watched nothing");
            }
        }
    }
}

/// At one point; returns whether there was one.
fn source_put_at(swap: Swap, by_symlink: bool, proc: Proc, at: usize) -> bool {
    let (line, name, _) = swap;
    let dir = scene();
    let path = dir.path();
    let (source, name) = (path.join("s/a"), path.join(name));
    let setting = with(|s| {
        s.proc = proc;
        s.refused = vec![refuse(libc::SYS_ftruncate, libc::EPERM)];
    });
    let (ran, is_point) = run_swapped(swap, at, path, &setting, || {
        // With -f it may be gone.
        let _ = fs::remove_file(&name);
        if by_symlink {
            symlink(&source, &name).expect("a link");
        } else {
            fs::hard_link(&source, &name).expect("a link");
        }
    });
    let left = fs::read(&source).expect("the source");
    let what = format!("{line} at {at}, {proc:?}, by symlink: {by_symlink}");
    assert!(
        left == noise(5000, 1),
        "{what}: {} bytes left, {ran:?}",
        left.len()
    );
    assert!((0..=1).contains(&ran.status), "{what}: {ran:?}");
    is_point
}

// What only closing tells.

/// Each side's error is told, beside any other, as by GNU.
#[test]
fn closing_fails() {
    let test = "closing_fails";
    let Some(gnu) = gnu_cp(test) else { return };
    let (eio, edquot) = (libc::EIO, libc::EDQUOT);
    for (closing, writing) in [
        ([eio, 0], (0, 0)),
        ([0, eio], (0, 0)),
        ([edquot, eio], (0, 0)),
        ([eio, 0], (2000, libc::ENOSPC)),
        ([eio, eio], (2000, libc::ENOSPC)),
    ] {
        let rules = Rules {
            writing,
            closing,
            ..Rules::default()
        };
        with_store(test, rules, |dir| {
            fs::write(dir.join("s/b"), "x").expect("a file");
            // To it, from it, and both; the metadata may fail as well.
            let alone = [
                "s/a store/a",
                "s/b store/b",
                "store/b new",
                "store/b store/c",
                "-r store/b new2",
                "--preserve=mode s/b store/d",
            ]
            .map(|line| (line, vec![]));
            let refused = vec![refuse(libc::SYS_fchmod, libc::EROFS)];
            let both = ("--preserve=mode s/b store/d", refused);
            for (line, refused) in alone.into_iter().chain([both]) {
                let setting = with(|s| s.refused.clone_from(&refused));
                let [ours, theirs] = both_say(&gnu, line, dir, &setting);
                assert_eq!(ours, theirs, "{rules:?} {line} {refused:?}");
            }
        });
    }
}

/// As by GNU, what `-v` has written is not lost without a word.
#[test]
fn closing_standard_output_fails() {
    let test = "closing_standard_output_fails";
    let Some(gnu) = gnu_cp(test) else { return };
    let rules = Rules {
        closing: [libc::EDQUOT, 0],
        ..Rules::default()
    };
    with_store(test, rules, |dir| {
        let output = dir.join("store/output");
        fs::write(&output, "").expect("a file");
        let setting = with(|s| s.stdout = Some(output.clone()));
        let [ours, theirs] = [&annulet(), &gnu].map(|program| {
            let ran = child::cp(program, &child::words("-v s/a new"), dir, &setting);
            let _ = fs::remove_file(dir.join("new"));
            ran.said()
        });
        assert_eq!(ours, theirs);
        assert!(ours.contains("write error"), "{ours}");
        // Where nothing was written nothing can be lost.
        child::cp(&annulet(), &child::words("s/a new"), dir, &setting).expect_success();
    });
}
