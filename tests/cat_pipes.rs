//! What `cat` has printed into a pipe stays as it is once it has ended, whatever becomes of the
//! files; and how much all its pipes hold.
//!
//! `splice` puts a file's own pages into a pipe. Each test lets `cat` end while the pipe is as
//! full as it may be, changes the files, and then reads the rest.
#![allow(missing_docs, unsafe_code)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, PipeReader, PipeWriter, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use support::refused::{Refused, refuse};
use support::{TempDir, annulet, is_root, noise, pairs, skip, temp_dir, ways};

const PAGE: usize = 4096;

/// How long anything is waited for that has to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much all pipes of one `cat` may hold.
const PIPES_BYTES: usize = 256 << 10;

fn fcntl(fd: &impl AsRawFd, command: i32, argument: usize) -> usize {
    // SAFETY: both commands that are used here take numbers.
    let answer = unsafe { libc::fcntl(fd.as_raw_fd(), command, argument) };
    usize::try_from(answer).unwrap_or_else(|_| panic!("{}", io::Error::last_os_error()))
}

fn size_of_pipe(fd: &impl AsRawFd) -> usize {
    fcntl(fd, libc::F_GETPIPE_SZ, 0)
}

/// A pipe that holds so many bytes.
fn pipe(bytes: usize) -> (PipeReader, PipeWriter) {
    let (reader, writer) = io::pipe().unwrap();
    assert_eq!(fcntl(&reader, libc::F_SETPIPE_SZ, bytes), bytes);
    (reader, writer)
}

/// How many bytes are to be read.
fn queued(fd: &impl AsRawFd) -> usize {
    let mut count = 0_i32;
    // SAFETY: FIONREAD writes one int.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    assert_eq!(done, 0, "{}", io::Error::last_os_error());
    usize::try_from(count).unwrap()
}

/// Files of which one fits into every pipe and two into none.
struct Files {
    dir: TempDir,
    contents: BTreeMap<&'static str, Vec<u8>>,
}

impl Files {
    fn new() -> Self {
        let dir = temp_dir();
        let contents = BTreeMap::from([
            ("small", b"a few bytes\n".to_vec()),
            ("big", noise(1_500_007, 1)),
            ("other", noise(1_400_000, 2)),
        ]);
        for (name, bytes) in &contents {
            fs::write(dir.child(name), bytes).unwrap();
        }
        Self { dir, contents }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.child(name)
    }

    /// What these operands print; of those that are no files here, nothing.
    fn expected(&self, operands: &[&str]) -> Vec<u8> {
        let contents = operands.iter().filter_map(|name| self.contents.get(name));
        contents.flatten().copied().collect()
    }

    fn change(&self, change: Change) {
        for name in self.contents.keys() {
            change.make(&self.path(name));
        }
    }
}

/// What becomes of a file.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// All of it is written over, in place.
    Overwritten,
    /// It is cut to nothing, and made as long as before.
    Cut,
}

impl Change {
    fn make(self, path: &Path) {
        let mut file = OpenOptions::new().write(true).open(path).unwrap();
        let len = file.metadata().unwrap().len();
        match self {
            Self::Overwritten => {
                let zeros = vec![0; usize::try_from(len).unwrap()];
                file.write_all(&zeros).unwrap();
            }
            Self::Cut => {
                file.set_len(0).unwrap();
                file.set_len(len).unwrap();
            }
        }
    }
}

fn cat(files: &Files, operands: &[&str]) -> Command {
    let mut command = Command::new(annulet());
    command
        .arg("cat")
        .args(operands)
        .current_dir(files.dir.path())
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Starts it; its ends of pipes are its own.
fn spawn(mut command: Command, output: impl Into<Stdio>) -> Child {
    command.stdout(output.into()).spawn().unwrap()
}

fn has_ended(child: &mut Child) -> bool {
    child.try_wait().unwrap().is_some()
}

#[track_caller]
fn wait(child: &mut Child) -> i32 {
    let start = Instant::now();
    while !has_ended(child) {
        assert!(start.elapsed() < PATIENCE, "cat does not end");
        thread::sleep(Duration::from_millis(1));
    }
    child.wait().unwrap().code().unwrap()
}

/// The number of the system call that a process waits in, unless it runs or may not be asked.
fn waits_in(child: &Child) -> Option<i64> {
    call_of(child.id())
}

fn call_of(process: u32) -> Option<i64> {
    let call = fs::read_to_string(format!("/proc/{process}/syscall")).ok()?;
    call.split(' ').next()?.parse().ok()
}

/// Whether it can be seen here what a child waits in.
fn sees_calls(test: &str) -> bool {
    let (input, feed) = io::pipe().unwrap();
    let mut child = Command::new(annulet());
    child.arg("cat").stdin(input).stdout(Stdio::null());
    let mut child = child.spawn().unwrap();
    let seen = fs::read_to_string(format!("/proc/{}/syscall", child.id()));
    drop(feed);
    wait(&mut child);
    if let Err(error) = &seen {
        skip(test, &format!("what a child waits in: {error}"));
    }
    seen.is_ok()
}

/// Waits until the child waits in `call`.
#[track_caller]
fn until_in(child: &mut Child, call: i64) {
    let start = Instant::now();
    while waits_in(child) != Some(call) {
        assert!(start.elapsed() < PATIENCE, "it is in {:?}", waits_in(child));
        assert!(!has_ended(child), "it has ended");
        thread::sleep(Duration::from_micros(200));
    }
}

/// Reads until the child has ended, `step` bytes at a time, each time when the pipe is full again
/// or some time has passed: so that as much as may be is left in it then.
fn read_until_it_ends(child: &mut Child, reader: &PipeReader, step: usize) -> Vec<u8> {
    let mut read = Vec::new();
    let mut buffer = vec![0; step];
    loop {
        let start = Instant::now();
        let is_full = || queued(reader) + PAGE > size_of_pipe(reader);
        while step >= PAGE && !is_full() && start.elapsed() < Duration::from_millis(10) {
            if has_ended(child) {
                return read;
            }
            thread::sleep(Duration::from_micros(100));
        }
        if has_ended(child) {
            return read;
        }
        let count = { reader }.read(&mut buffer).unwrap();
        read.extend(&buffer[..count]);
        if count == 0 {
            wait(child);
            return read;
        }
    }
}

/// Lets `command` print into a pipe, changes the files once it has ended, and returns what came
/// out of the pipe and how much of it came afterwards.
fn printed(
    files: &Files,
    command: Command,
    pipe_bytes: usize,
    step: usize,
    change: Change,
) -> (Vec<u8>, usize) {
    let (mut reader, writer) = pipe(pipe_bytes);
    let mut child = spawn(command, writer);
    let mut bytes = read_until_it_ends(&mut child, &reader, step);
    files.change(change);
    let before = bytes.len();
    reader.read_to_end(&mut bytes).unwrap();
    let left = bytes.len() - before;
    (bytes, left)
}

/// Fails unless `found` is `expected`, without printing a megabyte.
#[track_caller]
fn assert_same(found: &[u8], expected: &[u8], context: &str) {
    let same = found.iter().zip(expected).take_while(|(a, b)| a == b);
    let at = same.count();
    assert!(
        found == expected,
        "{context}: {} bytes, not {}; they differ from {at} on",
        found.len(),
        expected.len()
    );
}

const CHANGES: [Change; 2] = [Change::Overwritten, Change::Cut];

const OPERANDS: [&[&str]; 6] = [
    &["big"],
    &["big", "other"],
    &["big", "/dev/null"],
    &["small", "big", "small"],
    &["big", "nope"],
    &["other", "big", "small", "/dev/null", "nope"],
];

#[test]
fn what_is_printed_stays() {
    let mut left_in_all = 0;
    for pipe_bytes in [8 << 10, 64 << 10, 1 << 20] {
        for operands in OPERANDS {
            for (change, step) in pairs(CHANGES, [5000, 64 << 10, 1 << 20]) {
                let context = format!("{pipe_bytes} {operands:?} {change:?} {step}");
                let files = Files::new();
                let command = cat(&files, operands);
                let (bytes, left) = printed(&files, command, pipe_bytes, step, change);
                assert_same(&bytes, &files.expected(operands), &context);
                left_in_all += left;
            }
        }
        let files = Files::new();
        let command = cat(&files, &["big"]);
        let (bytes, left) = printed(&files, command, pipe_bytes, 1, Change::Overwritten);
        assert_same(&bytes, &files.expected(&["big"]), "a byte at a time");
        left_in_all += left;
    }
    assert!(left_in_all > 10 << 20, "hardly anything was left to change");
}

/// As where pipes are small because others have made many: `cat` cannot make them larger.
#[test]
fn what_is_printed_stays_in_small_pipes() {
    let refused = Refused {
        argument: Some((1, libc::F_SETPIPE_SZ.unsigned_abs())),
        ..Refused::always(libc::SYS_fcntl, libc::EPERM)
    };
    for pipe_bytes in [PAGE, 8 << 10, 64 << 10] {
        for operands in OPERANDS {
            for (change, step) in CHANGES.into_iter().zip([PAGE, 64 << 10]) {
                let files = Files::new();
                let mut command = cat(&files, operands);
                refuse(&mut command, refused);
                let (bytes, _) = printed(&files, command, pipe_bytes, step, change);
                let context = format!("{pipe_bytes} {operands:?} {change:?} {step}");
                assert_same(&bytes, &files.expected(operands), &context);
            }
        }
    }
}

#[test]
fn what_is_printed_stays_whatever_it_comes_from() {
    for change in CHANGES {
        // Standard input, from the middle of a page on.
        let files = Files::new();
        let mut input = File::open(files.path("big")).unwrap();
        input.seek(SeekFrom::Start(5)).unwrap();
        let mut command = cat(&files, &["-"]);
        command.stdin(input);
        let (bytes, _) = printed(&files, command, 64 << 10, 5000, change);
        assert_same(&bytes, &files.expected(&["big"])[5..], "standard input");

        // A pipe in which somebody has put a file's own pages.
        for options in [&["-"][..], &["big", "-"], &["-", "small"]] {
            let files = Files::new();
            let (input, feed) = pipe(64 << 10);
            let mut command = cat(&files, options);
            command.stdin(input);
            let source = File::open(files.path("other")).unwrap();
            let feeder = thread::spawn(move || lend(&source, &feed));
            let (bytes, _) = printed(&files, command, 64 << 10, 5000, change);
            feeder.join().unwrap();
            let names = options.iter().map(|name| match *name {
                "-" => "other",
                name => name,
            });
            let names: Vec<_> = names.collect();
            assert_same(&bytes, &files.expected(&names), "a pipe");
        }
    }
}

/// Splices all of a file into a pipe.
fn lend(source: &File, pipe: &PipeWriter) {
    loop {
        let (from, to) = (source.as_raw_fd(), pipe.as_raw_fd());
        let null = std::ptr::null_mut();
        // SAFETY: no offsets are given.
        let moved = unsafe { libc::splice(from, null, to, null, 1 << 20, 0) };
        assert!(moved >= 0, "{}", io::Error::last_os_error());
        if moved == 0 {
            return;
        }
    }
}

#[test]
fn what_is_printed_stays_whichever_way() {
    for way in ways(&["--io=auto", "--io=ring", "--io=sync", "-u", "-v"]) {
        let files = Files::new();
        // As many letters as there are, so that -v changes none.
        let text: Vec<u8> = files.contents["big"]
            .iter()
            .map(|b| b'a' + b % 26)
            .collect();
        fs::write(files.path("big"), &text).unwrap();
        let (mut reader, writer) = pipe(64 << 10);
        let mut command = cat(&files, &[way, "big"]);
        command.stderr(Stdio::piped());
        let mut child = spawn(command, writer);
        let mut bytes = read_until_it_ends(&mut child, &reader, 64 << 10);
        let mut complaint = String::new();
        let stderr = child.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut complaint).unwrap();
        if complaint.contains("io_uring") {
            skip("what_is_printed_stays_whichever_way", &complaint);
            continue;
        }
        files.change(Change::Overwritten);
        reader.read_to_end(&mut bytes).unwrap();
        assert_same(&bytes, &text, way);
    }
}

/// While it runs the file's own pages are in the pipe, which is why it is quick; but not where that
/// is not wanted.
#[test]
fn what_is_printed_changes_while_it_runs() {
    if !sees_calls("what_is_printed_changes_while_it_runs") {
        return;
    }
    for (way, call) in [
        ("--io=auto", libc::SYS_splice),
        ("--io=sync", libc::SYS_write),
    ] {
        let files = Files::new();
        let (mut reader, writer) = pipe(64 << 10);
        let mut child = spawn(cat(&files, &[way, "big"]), writer);
        let mut bytes = vec![0; 400_000];
        reader.read_exact(&mut bytes).unwrap();
        until_in(&mut child, call);
        let in_pipe = queued(&reader);
        files.change(Change::Overwritten);
        reader.read_exact(&mut bytes[..in_pipe]).unwrap();
        let expected = &files.expected(&["big"])[400_000..][..in_pipe];
        let is_as_it_was = &bytes[..in_pipe] == expected;
        assert_eq!(is_as_it_was, way == "--io=sync", "{way}");
        drop(reader);
        let _ = child.wait().unwrap();
    }
}

/// A file that has grown since is printed to its end, and stays.
#[test]
fn a_file_that_grows() {
    for change in CHANGES {
        let files = Files::new();
        let (mut reader, writer) = pipe(64 << 10);
        let mut child = spawn(cat(&files, &["big"]), writer);
        let mut bytes = vec![0; 300_000];
        reader.read_exact(&mut bytes).unwrap();
        let mut expected = files.expected(&["big"]);
        let big = OpenOptions::new().append(true).open(files.path("big"));
        let mut big = big.unwrap();
        for seed in 10..15 {
            let more = noise(300_001, seed);
            big.write_all(&more).unwrap();
            expected.extend(more);
            let mut part = vec![0; 100_000];
            reader.read_exact(&mut part).unwrap();
            bytes.extend(part);
        }
        bytes.extend(read_until_it_ends(&mut child, &reader, 64 << 10));
        files.change(change);
        reader.read_to_end(&mut bytes).unwrap();
        assert_same(&bytes, &expected, "a file that has grown");
    }
}

/// Starts `cat big`, and cuts the file to nothing when it is being printed.
fn cut_meanwhile(files: &Files) -> (Child, PipeReader) {
    let (mut reader, writer) = pipe(64 << 10);
    let mut child = spawn(cat(files, &["big"]), writer);
    let mut start = vec![0; 400_000];
    reader.read_exact(&mut start).unwrap();
    until_in(&mut child, libc::SYS_splice);
    let big = OpenOptions::new().write(true).open(files.path("big"));
    big.unwrap().set_len(0).unwrap();
    (child, reader)
}

/// There is nothing left to be copied behind the pages that were lent: it waits for the reader.
#[test]
fn a_file_that_is_cut() {
    if !sees_calls("a_file_that_is_cut") {
        return;
    }
    for step in [PAGE, 10_000, 64 << 10] {
        let files = Files::new();
        let (mut child, reader) = cut_meanwhile(&files);
        let read = read_until_it_ends(&mut child, &reader, step);
        assert!(!read.is_empty());
        assert_eq!(queued(&reader), 0, "the file's own pages are left");
        assert_eq!(wait(&mut child), 0);
    }
}

/// Until there is none.
#[test]
fn a_file_that_is_cut_and_a_reader_that_leaves() {
    let test = "a_file_that_is_cut_and_a_reader_that_leaves";
    if !sees_calls(test) {
        return;
    }
    let files = Files::new();
    let (mut child, mut reader) = cut_meanwhile(&files);
    // As much is read as lets it put all it has into the pipe.
    let mut page = [0; PAGE];
    let start = Instant::now();
    while waits_in(&child) != Some(libc::SYS_ppoll) {
        assert!(start.elapsed() < PATIENCE && !has_ended(&mut child));
        if waits_in(&child) == Some(libc::SYS_splice) {
            reader.read_exact(&mut page).unwrap();
        }
        thread::sleep(Duration::from_micros(100));
    }
    assert!(queued(&reader) > 0, "{test}: it waits for nothing");
    thread::sleep(Duration::from_millis(100));
    assert!(!has_ended(&mut child), "{test}: it has not waited");
    drop(reader);
    assert_eq!(wait(&mut child), 0);
}

/// What is copied last fills the pipe no more if that is made larger meanwhile.
#[test]
fn a_pipe_that_is_made_larger() {
    if !sees_calls("a_pipe_that_is_made_larger") {
        return;
    }
    for change in CHANGES {
        let files = Files::new();
        let (mut reader, writer) = pipe(64 << 10);
        let mut child = spawn(cat(&files, &["big"]), writer);
        let mut bytes = vec![0; 400_000];
        reader.read_exact(&mut bytes).unwrap();
        // To where it copies.
        let mut part = [0; 10_000];
        let start = Instant::now();
        while waits_in(&child) != Some(libc::SYS_write) {
            assert!(start.elapsed() < PATIENCE && !has_ended(&mut child));
            if waits_in(&child) == Some(libc::SYS_splice) {
                reader.read_exact(&mut part).unwrap();
                bytes.extend(part);
            }
            thread::sleep(Duration::from_micros(100));
        }
        fcntl(&reader, libc::F_SETPIPE_SZ, 1 << 20);
        bytes.extend(read_until_it_ends(&mut child, &reader, 10_000));
        files.change(change);
        reader.read_to_end(&mut bytes).unwrap();
        assert_same(&bytes, &files.expected(&["big"]), "a larger pipe");
    }
}

/// A reader that makes the pipe larger while `cat` still has much to print, and reads on only once
/// it has ended: what is copied at the end is as much as the pipe holds by then.
#[test]
fn a_pipe_that_is_made_larger_by_a_reader_that_waits() {
    let files = Files::new();
    let (mut reader, writer) = pipe(64 << 10);
    let expected = files.expected(&["big"]);
    let mut child = spawn(cat(&files, &["big"]), writer);
    let mut found = vec![0; 200_000];
    reader.read_exact(&mut found).unwrap();
    fcntl(&reader, libc::F_SETPIPE_SZ, 1 << 20);
    // All but what the pipe holds now.
    let mut more = vec![0; expected.len() - found.len() - (1 << 20) + PAGE];
    reader.read_exact(&mut more).unwrap();
    found.extend_from_slice(&more);
    assert_eq!(wait(&mut child), 0);
    files.change(Change::Overwritten);
    reader.read_to_end(&mut found).unwrap();
    assert_same(&found, &expected, "made larger");
}

#[test]
fn several_that_write_to_one_pipe() {
    for change in CHANGES {
        let files = Files::new();
        for (name, letter) in [("big", b'a'), ("other", b'b')] {
            fs::write(files.path(name), vec![letter; 1_500_000]).unwrap();
        }
        let (mut reader, writer) = pipe(64 << 10);
        let mut first = spawn(cat(&files, &["big"]), writer.try_clone().unwrap());
        let mut second = spawn(cat(&files, &["other"]), writer);
        let mut bytes = read_until_it_ends(&mut first, &reader, 20_000);
        bytes.extend(read_until_it_ends(&mut second, &reader, 20_000));
        files.change(change);
        reader.read_to_end(&mut bytes).unwrap();
        let mut letters = bytes;
        letters.sort_unstable();
        let expected = [vec![b'a'; 1_500_000], vec![b'b'; 1_500_000]].concat();
        assert_same(&letters, &expected, "two of them");
    }
}

/// A socket keeps what was put into it until the other side has it.
#[test]
fn what_is_printed_into_a_socket_stays() {
    let tcp = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").ok()?;
        let writer = std::net::TcpStream::connect(listener.local_addr().ok()?).ok()?;
        let (reader, _) = listener.accept().ok()?;
        Some((OwnedFd::from(reader), OwnedFd::from(writer)))
    };
    let unix = UnixStream::pair().unwrap();
    let mut pairs = vec![(OwnedFd::from(unix.0), OwnedFd::from(unix.1))];
    pairs.extend(tcp());
    for (reader, writer) in pairs {
        let files = Files::new();
        let mut reader = File::from(reader);
        let mut child = spawn(cat(&files, &["big"]), writer);
        let mut bytes = Vec::new();
        let mut part = [0; 5000];
        while !has_ended(&mut child) {
            let count = reader.read(&mut part).unwrap();
            bytes.extend(&part[..count]);
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(1) && !has_ended(&mut child) {
                thread::yield_now();
            }
        }
        files.change(Change::Overwritten);
        reader.read_to_end(&mut bytes).unwrap();
        assert_same(&bytes, &files.expected(&["big"]), "a socket");
    }
}

/// The pipes that every child gets from whoever started the tests.
fn inherited_pipes() -> BTreeSet<String> {
    let mut pipes = BTreeSet::new();
    for fd in 3..1024 {
        // SAFETY: takes numbers.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
        if flags >= 0 && flags & libc::FD_CLOEXEC == 0 {
            let name = fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
            pipes.insert(name.to_string_lossy().into_owned());
        }
    }
    pipes
}

/// The pipes that a child has open of its own, by inode, and how many bytes each holds.
fn pipes_of(child: u32) -> BTreeMap<String, usize> {
    let inherited = inherited_pipes();
    let mut pipes = BTreeMap::new();
    let Ok(folder) = fs::read_dir(format!("/proc/{child}/fd")) else {
        return pipes;
    };
    for entry in folder.flatten() {
        let name = fs::read_link(entry.path()).unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("pipe:")
            && !inherited.contains(&name)
            && let Ok(end) = File::options()
                .read(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(entry.path())
        {
            pipes.insert(name, size_of_pipe(&end));
        }
    }
    pipes
}

#[test]
fn all_pipes_together_are_small() {
    let files = Files::new();
    // What it is started with, and what it then waits in.
    for (operands, from_pipe) in [
        (&["big"][..], false),
        (&["big"], true),
        (&["-"], true),
        (&["-", "big"], true),
        (&["big", "-"], true),
    ] {
        let (mut reader, writer) = pipe(64 << 10);
        let mut command = cat(&files, operands);
        let mut feeder = None;
        if from_pipe {
            let (input, mut feed) = pipe(64 << 10);
            command.stdin(input);
            let content = files.expected(&["other"]);
            feeder = Some(thread::spawn(move || {
                // It may end before all is read.
                let _ = feed.write_all(&content);
            }));
        }
        let mut child = spawn(command, writer);
        let mut most = 0;
        let mut bytes = vec![0; 50_000];
        while !has_ended(&mut child) {
            most = most.max(pipes_of(child.id()).values().sum());
            if reader.read(&mut bytes).unwrap() == 0 {
                wait(&mut child);
            }
        }
        if let Some(feeder) = feeder {
            feeder.join().unwrap();
        }
        assert!(most >= 64 << 10, "no pipe was found");
        assert!(most <= PIPES_BYTES, "{operands:?} {from_pipe}: {most}");
    }
}

/// Somebody whom nobody else is, for one test of one process.
fn lonely_user() -> u32 {
    100_000 + std::process::id() % 100_000
}

/// Has the command run as an ordinary user.
fn run_as(command: &mut Command, user: u32) {
    command.uid(user).gid(user);
}

/// How much a new pipe of this user holds.
fn new_pipe_of(user: u32) -> usize {
    let mut command = Command::new("true");
    run_as(&mut command, user);
    let look = || {
        let mut ends = [0; 2];
        // SAFETY: the call writes two ints.
        let made = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
        // SAFETY: takes numbers.
        let size = unsafe { libc::fcntl(ends[0], libc::F_GETPIPE_SZ) };
        let pages = if made == 0 { size.max(0) >> 12 } else { 0 };
        // SAFETY: no conditions.
        unsafe { libc::_exit(pages) }
    };
    // SAFETY: the closure makes system calls only.
    unsafe { command.pre_exec(look) };
    let pages = command.status().unwrap().code().unwrap();
    usize::try_from(pages).unwrap() * PAGE
}

/// A folder with the files that everybody may come to, and the program in it as `cat`.
fn for_everybody() -> Files {
    let files = Files::new();
    fs::set_permissions(files.dir.path(), Permissions::from_mode(0o755)).unwrap();
    fs::copy(annulet(), files.path("cat")).unwrap();
    files
}

/// A shell and all it has started, ended with the test.
struct Group(Child);

impl Group {
    fn start(mut shell: Command) -> Self {
        shell.process_group(0);
        Self(shell.spawn().unwrap())
    }

    /// Its processes that are called so.
    fn processes(&self, name: &str) -> Vec<u32> {
        let group = self.0.id().to_string();
        let name = format!("({name}");
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            // Number, name in brackets, state, parent, group.
            let Some((head, rest)) = stat.split_once(") ") else {
                continue;
            };
            if head.ends_with(&name) && rest.split(' ').nth(2) == Some(&group) {
                let number = head.split(' ').next().unwrap_or_default();
                found.push(number.parse().unwrap());
            }
        }
        found
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let group = i32::try_from(self.0.id()).unwrap();
        // SAFETY: takes numbers; the group is the child's own, which was not waited for yet.
        unsafe { libc::kill(-group, libc::SIGKILL) };
        let _ = self.0.wait();
    }
}

#[test]
fn many_slow_ones_leave_other_pipes_as_they_are() {
    const COUNT: usize = 128;
    let test = "many_slow_ones_leave_other_pipes_as_they_are";
    if !is_root() {
        skip(test, "only root can be somebody else");
        return;
    }
    let user = lonely_user();
    let usual = new_pipe_of(user);
    if usual != 64 << 10 {
        skip(test, &format!("a new pipe holds {usual} bytes here"));
        return;
    }
    let files = for_everybody();
    // The pipes are that user's, as it is the shell that makes them. The readers take a part, so
    // that it shows that there is more, and then nothing.
    let line = format!(
        "i=0; while [ $i -lt {COUNT} ]; do
            ./cat big | {{ dd bs=1000 count=400 of=/dev/null; sleep 600; }} &
            i=$((i + 1))
        done
        wait"
    );
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &line])
        .current_dir(files.dir.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    run_as(&mut shell, user);
    let group = Group::start(shell);
    // Until no reader reads any more, and each `cat` waits.
    let start = Instant::now();
    let are_waiting = || {
        let cats = group.processes("cat");
        let waiting = cats.iter().map(|cat| call_of(*cat));
        let calls = [libc::SYS_splice, libc::SYS_write].map(Some);
        group.processes("sleep").len() == COUNT
            && waiting.filter(|call| calls.contains(call)).count() == COUNT
    };
    while !are_waiting() {
        assert!(start.elapsed() < PATIENCE, "they do not get so far");
        thread::sleep(Duration::from_millis(20));
    }
    for cat in group.processes("cat") {
        let pipes = pipes_of(cat);
        let sum: usize = pipes.values().sum();
        assert!(!pipes.is_empty() && sum <= PIPES_BYTES, "{pipes:?}");
    }
    assert_eq!(new_pipe_of(user), usual);
}

/// Where its user has no pipes left that hold anything to speak of, `cat` works all the same.
#[test]
fn a_user_who_has_too_many_pipes() {
    let test = "a_user_who_has_too_many_pipes";
    if !is_root() {
        skip(test, "only root can be somebody else");
        return;
    }
    let user = lonely_user() + 100_000;
    let files = for_everybody();
    let line = "for way in auto ring sync; do
        ./cat --io=$way big - other <small | ./cat | ./cat - small >out.$way
        ./cat --io=$way <big >>out.$way
    done";
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(files.dir.path());
    fs::set_permissions(files.dir.path(), Permissions::from_mode(0o777)).unwrap();
    run_as(&mut shell, user);
    // Pipes that stay open in the shell, until a new one is as small as they come.
    let take = || {
        for _ in 0..200 {
            let mut ends = [0; 2];
            // SAFETY: the call writes two ints.
            if unsafe { libc::pipe(ends.as_mut_ptr()) } != 0 {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: takes numbers.
            let size = unsafe { libc::fcntl(ends[0], libc::F_GETPIPE_SZ) };
            if size <= 8 << 10 {
                return Ok(());
            }
            // SAFETY: as above; one that is refused is tried no more than the others.
            unsafe { libc::fcntl(ends[0], libc::F_SETPIPE_SZ, 1 << 20) };
        }
        Err(io::Error::from_raw_os_error(libc::EDQUOT))
    };
    // SAFETY: the closure makes system calls only.
    unsafe { shell.pre_exec(take) };
    let ran = match shell.output() {
        Err(error) if error.raw_os_error() == Some(libc::EDQUOT) => {
            skip(test, "pipes are not counted here");
            return;
        }
        ran => ran.unwrap(),
    };
    let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
    let expected = files.expected(&["big", "small", "other", "small", "big"]);
    for way in ["auto", "ring", "sync"] {
        if way == "ring" && stderr.contains("io_uring") {
            skip(test, &stderr);
            continue;
        }
        let out = fs::read(files.path(&format!("out.{way}"))).unwrap();
        assert_same(&out, &expected, &format!("{way}: {stderr}"));
    }
}
