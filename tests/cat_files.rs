//! `cat` into files that others write to at the same time: nobody's bytes are lost, and nothing
//! is done to a file but to write to it.
#![allow(missing_docs)]

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::{annulet, find_program, gnu, noise, run, skip, temp_dir, ways};

const WAYS: [&str; 3] = ["--io=auto", "--io=ring", "--io=sync"];

/// `cat` with this way of moving data, in `dir`.
fn cat(dir: &Path, way: &str) -> Command {
    let mut command = Command::new(annulet());
    command
        .args(["cat", way])
        .current_dir(dir)
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    command
}

/// As `cat`, but each cut of a file takes effect long after what led to it was looked up: what
/// happens meanwhile shows for certain, where it may be traced.
fn cat_that_cuts_late(dir: &Path, way: &str) -> Command {
    static STRACE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let options = [
        "-o/dev/null",
        "-etrace=ftruncate",
        "-einject=ftruncate:delay_enter=300000",
    ];
    let strace = STRACE.get_or_init(|| {
        let strace = find_program("strace")?;
        let ran = run(Command::new(&strace).args(options).arg("true"));
        (ran.status == 0).then_some(strace)
    });
    let plain = cat(dir, way);
    let Some(strace) = strace else {
        skip("cuts that come late", "strace does not work here");
        return plain;
    };
    let mut command = Command::new(strace);
    command
        .args(options)
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(dir)
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    command
}

fn appending(path: &Path) -> File {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.unwrap()
}

/// Whether `cat` can go this way here.
fn goes(dir: &Path, way: &str) -> bool {
    fs::write(dir.join("one"), "1").unwrap();
    let ran = run(cat(dir, way).arg("one"));
    if ran.status != 0 {
        skip(way, &ran.said());
    }
    ran.status == 0
}

/// Appends lines until it is told to end, and says how many.
fn append_lines(log: &Path, ended: &AtomicBool) -> usize {
    let mut file = appending(log);
    let mut lines = 0;
    while !ended.load(Ordering::Relaxed) {
        file.write_all(b"a line\n").unwrap();
        lines += 1;
        thread::yield_now();
    }
    lines
}

/// How many lines there are, each of which must be whole, and how many letters around them.
fn lines_and_letters(mut rest: &[u8]) -> (usize, usize) {
    let (mut lines, mut letters) = (0, 0);
    while let Some(first) = rest.first() {
        if *first == b'x' {
            letters += 1;
            rest = &rest[1..];
        } else {
            rest = rest.strip_prefix(b"a line\n").expect("a whole line");
            lines += 1;
        }
    }
    (lines, letters)
}

#[test]
fn lines_that_another_program_appends() {
    let dir = temp_dir();
    let len = 30_000_000;
    fs::write(dir.child("big"), vec![b'x'; len]).unwrap();
    for way in ways(&WAYS).into_iter().filter(|way| goes(dir.path(), way)) {
        for round in 0..10 {
            let log = dir.child("log");
            let _ = fs::remove_file(&log);
            let ended = AtomicBool::new(false);
            let lines = thread::scope(|scope| {
                let writer = scope.spawn(|| append_lines(&log, &ended));
                let mut command = cat_that_cuts_late(dir.path(), way);
                command.arg("big").stdout(appending(&log));
                let status = command.status();
                ended.store(true, Ordering::Relaxed);
                assert!(status.unwrap().success());
                writer.join().unwrap()
            });
            let found = lines_and_letters(&fs::read(&log).unwrap());
            assert_eq!(found, (lines, len), "{way}, round {round}: missing");
        }
    }
}

#[test]
fn two_that_append() {
    let dir = temp_dir();
    let len = 10_000_000;
    for (name, letter) in [("a", b'a'), ("b", b'b')] {
        fs::write(dir.child(name), vec![letter; len]).unwrap();
    }
    for way in ways(&WAYS).into_iter().filter(|way| goes(dir.path(), way)) {
        for round in 0..10 {
            let log = dir.child("log");
            let _ = fs::remove_file(&log);
            let start = |name| {
                let mut command = cat_that_cuts_late(dir.path(), way);
                command.arg(name).stdout(appending(&log));
                command.spawn().unwrap()
            };
            let mut both = ["a", "b"].map(start);
            for child in &mut both {
                assert!(child.wait().unwrap().success());
            }
            assert_eq!(counted(&log), [len, len], "{way}, round {round}");
        }
    }
}

/// How many times the file has a and b.
fn counted(path: &Path) -> [usize; 2] {
    let mut counts = [0; 2];
    for byte in fs::read(path).unwrap() {
        match byte {
            b'a' => counts[0] += 1,
            b'b' => counts[1] += 1,
            _ => {}
        }
    }
    counts
}

/// A log that is cut while it is appended to is as long as what was written since.
#[test]
fn a_log_that_is_cut_meanwhile() {
    let dir = temp_dir();
    let (len, before) = (30_000_000, 1_000_000);
    fs::write(dir.child("big"), vec![b'x'; len]).unwrap();
    for way in ways(&WAYS).into_iter().filter(|way| goes(dir.path(), way)) {
        for round in 0..5 {
            let log = dir.child("log");
            let _ = fs::remove_file(&log);
            let mut file = appending(&log);
            file.write_all(&vec![b'x'; before]).unwrap();
            let mut command = cat_that_cuts_late(dir.path(), way);
            command.arg("big").stdout(appending(&log));
            let mut child = command.spawn().unwrap();
            // Once: when it has begun to write, or to do something else.
            let start = Instant::now();
            let has_grown = || file.metadata().unwrap().len() > before as u64;
            while !has_grown() && start.elapsed() < Duration::from_millis(100) {
                thread::yield_now();
            }
            file.set_len(0).unwrap();
            assert!(child.wait().unwrap().success());
            let left = fs::read(&log).unwrap();
            let others = left.iter().filter(|&&byte| byte != b'x').count();
            assert_eq!(others, 0, "{way}, round {round}: bytes that nobody wrote");
            assert!(left.len() <= len, "{way}: {} bytes", left.len());
        }
    }
}

/// How many of `runs` end with fewer bytes than both `cat` have printed through one descriptor.
fn losses(program: &Path, options: &str, dir: &Path, runs: u32) -> u32 {
    let bin = temp_dir();
    let cat = bin.child("cat");
    symlink(program, &cat).unwrap();
    let cat = format!("{} {options}", cat.display());
    let line = format!("({cat} a & {cat} b; wait) >out");
    let expected = ["a", "b"].map(|name| fs::read(dir.join(name)).unwrap().len());
    let mut lost = 0;
    for _ in 0..runs {
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).current_dir(dir);
        run(&mut shell).expect_success();
        lost += u32::from(counted(&dir.join("out")) != expected);
    }
    lost
}

/// `write` is made for that; GNU cat's `copy_file_range` writes over what the other has written.
#[test]
fn two_that_share_a_position() {
    let test = "two_that_share_a_position";
    let dir = temp_dir();
    let gnu = gnu("cat", test);
    for (len, runs) in [(200_000, 100), (1_000_000, 100), (10_000_000, 20)] {
        for (name, letter) in [("a", b'a'), ("b", b'b')] {
            fs::write(dir.child(name), vec![letter; len]).unwrap();
        }
        if let Some((program, _)) = &gnu {
            let lost = losses(program, "", dir.path(), 20);
            println!("GNU cat lost bytes in {lost} of 20 runs of {len} bytes each");
        }
        for way in ways(&WAYS).into_iter().filter(|way| goes(dir.path(), way)) {
            let lost = losses(&annulet(), way, dir.path(), runs);
            println!("annulet {way} lost bytes in {lost} of {runs} runs of {len} bytes each");
            assert_eq!(lost, 0, "{way}, {len} bytes each");
        }
    }
}

/// The same where what is printed comes from pipes.
#[test]
fn two_that_share_a_position_and_read_from_pipes() {
    let dir = temp_dir();
    let len = 3_000_000;
    for (name, letter) in [("a", b'a'), ("b", b'b')] {
        fs::write(dir.child(name), vec![letter; len]).unwrap();
    }
    let bin = temp_dir();
    symlink(annulet(), bin.child("cat")).unwrap();
    for way in ways(&WAYS).into_iter().filter(|way| goes(dir.path(), way)) {
        let cat = format!("{} {way}", bin.child("cat").display());
        let line = format!("({cat} a | {cat} & {cat} b | {cat}; wait) >out");
        for round in 0..30 {
            let mut shell = Command::new("sh");
            shell.args(["-c", &line]).current_dir(dir.path());
            run(&mut shell).expect_success();
            assert_eq!(counted(&dir.child("out")), [len; 2], "{way}, round {round}");
        }
    }
}

/// Through one descriptor for reading, too: each byte is printed once.
#[test]
fn two_that_read_from_a_shared_position() {
    let test = "two_that_read_from_a_shared_position";
    let dir = temp_dir();
    let len = 20_000_000;
    let bin = temp_dir();
    // Whatever is printed twice, or not at all, changes the sum of its letters.
    let content = noise(len, 3);
    fs::write(dir.child("big"), &content).unwrap();
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    let run_all = |cat: &str, rounds: u32| {
        let mut wrong = 0;
        for output in ["| cat >out", ">out"] {
            for _ in 0..rounds {
                let line = format!("exec 3<big; ({cat} <&3 & {cat} <&3; wait) {output}");
                let mut shell = Command::new("sh");
                shell.args(["-c", &line]).current_dir(dir.path());
                run(&mut shell).expect_success();
                let out = fs::read(dir.child("out")).unwrap();
                wrong += u32::from((out.len(), sum(&out)) != (len, sum(&content)));
            }
        }
        wrong
    };
    if let Some((program, _)) = gnu("cat", test) {
        let wrong = run_all(&program.display().to_string(), 5);
        println!("GNU cat printed too much or too little in {wrong} of 10 runs");
    }
    symlink(annulet(), bin.child("cat")).unwrap();
    for way in ways(&WAYS).into_iter().filter(|way| goes(dir.path(), way)) {
        let wrong = run_all(&format!("{} {way}", bin.child("cat").display()), 20);
        assert_eq!(wrong, 0, "{way}: of 40 runs");
    }
}
