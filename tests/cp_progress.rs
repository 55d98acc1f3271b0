//! How far a copy has come: the line of `-g`, and SIGUSR1, which asks for it with and without.
#![allow(unsafe_code)]

mod cp;
mod support;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use cp::child;
use cp::scene::Scene;
use support::{
    Agree, TempDir, annulet, assert_same_tree, find_program, is_root, noise, pairs, skip, temp_dir,
    tree,
};

/// How long anything may take here.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs `work` with a folder in memory, if that can be had.
fn in_memory(work: impl FnOnce(&Path) + Send) {
    if is_root() {
        child::on_tmpfs(c"mode=755", work).expect("a tmpfs");
    } else if let Ok(dir) = TempDir::with_prefix("/dev/shm/annulet-test-") {
        work(dir.path());
    } else {
        work(temp_dir().path());
    }
}

/// What standard error is.
#[derive(Clone, Copy)]
enum Shown {
    /// A pipe.
    Pipe,
    /// A terminal with so many columns, and what `TERM` says of it.
    Terminal(u16, &'static str),
}

/// A command that runs, and its standard error, piece by piece as it comes.
struct Running {
    child: Child,
    pieces: Receiver<Vec<u8>>,
    /// All that came so far.
    text: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that is still there was left behind by a test that failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Hands on what comes out of a program until it ends, or nobody wants it.
fn send_pieces(output: &mut dyn Read, sender: &mpsc::Sender<Vec<u8>>) {
    let mut buffer = [0; 4096];
    // A terminal that nobody has open any more gives EIO.
    while let Ok(count @ 1..) = output.read(&mut buffer) {
        if sender.send(buffer[..count].to_vec()).is_err() {
            break;
        }
    }
}

impl Running {
    /// Starts `cp` with the words of `line` in `dir`.
    fn start(line: &str, dir: &Path, shown: Shown) -> Self {
        Self::start_as("cp", line, dir, shown, |_| ())
    }

    fn start_as(
        name: &str,
        line: &str,
        dir: &Path,
        shown: Shown,
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let mut command = Command::new(annulet());
        command
            .arg0(name)
            .args(child::words(line))
            .current_dir(dir)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let mut output: Box<dyn Read + Send> = match shown {
            Shown::Pipe => {
                let (reader, writer) = std::io::pipe().expect("a pipe");
                command.stderr(writer);
                Box::new(reader)
            }
            Shown::Terminal(columns, term) => {
                let (ours, theirs) = terminal(columns);
                command.stderr(theirs).env("TERM", term);
                Box::new(File::from(ours))
            }
        };
        prepare(&mut command);
        let child = command.spawn().expect("a process");
        // It holds the other end of what is read below.
        drop(command);
        let (sender, pieces) = mpsc::channel();
        thread::spawn(move || send_pieces(&mut output, &sender));
        Self {
            child,
            pieces,
            text: String::new(),
        }
    }

    fn signal(&self) {
        let pid = libc::pid_t::try_from(self.child.id()).expect("a pid");
        // SAFETY: takes numbers; the process is ours and not waited for yet.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGUSR1) }, 0);
    }

    /// How many threads it has.
    fn threads(&self) -> usize {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        tasks.map_or(0, Iterator::count)
    }

    /// What it writes within `time`, or until it ends.
    fn read_for(&mut self, time: Duration) -> String {
        let (begun, start) = (Instant::now(), self.text.len());
        while let Ok(piece) = self
            .pieces
            .recv_timeout(time.saturating_sub(begun.elapsed()))
        {
            self.text.push_str(&String::from_utf8_lossy(&piece));
        }
        self.text[start..].to_owned()
    }

    /// What it writes until that satisfies `enough`, from the last line break on.
    fn read_until(&mut self, enough: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        let start = self.text.len();
        while !enough(&self.text[start..]) {
            let left = LIMIT.saturating_sub(begun.elapsed());
            let piece = self.pieces.recv_timeout(left);
            let piece = piece.unwrap_or_else(|_| panic!("it said no more than {:?}", self.text));
            self.text.push_str(&String::from_utf8_lossy(&piece));
        }
        self.text[start..].to_owned()
    }

    /// Asks by a signal, and returns the line that comes.
    fn ask(&mut self) -> String {
        self.signal();
        self.read_until(|text| text.ends_with('\n'))
    }

    /// Asks until the answer satisfies `enough`, and returns that.
    fn ask_until(&mut self, enough: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let line = self.ask();
            if enough(&line) {
                return line;
            }
            assert!(begun.elapsed() < LIMIT, "it says {line:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until it ends, and returns all it said.
    fn end(mut self) -> (ExitStatus, String) {
        self.read_for(LIMIT);
        let status = self.child.wait().expect("a status");
        (status, std::mem::take(&mut self.text))
    }
}

/// Both ends of a terminal with so many columns, which changes nothing in what is written.
fn terminal(columns: u16) -> (OwnedFd, OwnedFd) {
    let (mut ours, mut theirs) = (0, 0);
    let size = libc::winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: a structure of numbers.
    let mut attributes: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: changes the structure.
    unsafe { libc::cfmakeraw(&raw mut attributes) };
    // SAFETY: two descriptors are written; no name is asked for; the others are read.
    let opened = unsafe {
        libc::openpty(
            &raw mut ours,
            &raw mut theirs,
            std::ptr::null_mut(),
            &raw const attributes,
            &raw const size,
        )
    };
    assert_eq!(opened, 0, "a terminal");
    for fd in [ours, theirs] {
        // SAFETY: takes numbers; other tests' children are not to hold it open.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    // SAFETY: made by the call, and known to nobody else.
    let ours = unsafe { OwnedFd::from_raw_fd(ours) };
    // SAFETY: as above.
    (ours, unsafe { OwnedFd::from_raw_fd(theirs) })
}

/// Opens a FIFO for writing, which is to let a copy that reads it stand where it is until the
/// result is dropped.
fn hold(fifo: &Path) -> File {
    let begun = Instant::now();
    loop {
        // As soon as somebody has it open for reading.
        let mut options = OpenOptions::new();
        options.write(true);
        options.custom_flags(libc::O_NONBLOCK);
        match options.open(fifo) {
            Ok(file) => return file,
            Err(_) if begun.elapsed() < LIMIT => thread::sleep(Duration::from_millis(1)),
            Err(error) => panic!("nobody reads the FIFO: {error}"),
        }
    }
}

/// Whether a line says that nothing of the total is an estimate.
fn is_exact(line: &str) -> bool {
    !line.contains(['+', '~'])
}

// Totals.

/// 2,000 tiny files and a large one of which nothing is in memory, in this order or the other,
/// and a FIFO between them.
fn skewed(dir: &Path) {
    fs::create_dir(dir.join("tiny")).expect("a folder");
    for number in 0..2000 {
        fs::write(dir.join(format!("tiny/{number}")), b"1234").expect("a file");
    }
    fs::create_dir(dir.join("large")).expect("a folder");
    // Among files that are passed over, most likely.
    for number in 0..700 {
        let file = File::create(dir.join(format!("large/{number}"))).expect("a file");
        if number == 600 {
            file.set_len(400 << 20).expect("a length");
        }
    }
    Scene::parse("fifo p").build(dir);
}

/// The total is right in every order, while the copy stands where nothing of the large file was
/// copied, and where all of it was.
#[test]
fn totals_of_skewed_trees() {
    in_memory(|dir| {
        skewed(dir);
        // 400 MiB and 8,000 bytes, in 2,701 files with the FIFO.
        for (order, files, bytes) in [
            ("tiny p large", "2000 of 2701 files", "7.8 KiB of 400.0 MiB"),
            (
                "large p tiny",
                "700 of 2701 files",
                "400.0 MiB of 400.0 MiB",
            ),
            ("p large tiny", "0 of 2701 files", "0 B of 400.0 MiB"),
        ] {
            for jobs in ["-j1", "-j2"] {
                fs::create_dir(dir.join("t")).expect("a folder");
                let line = format!("-r -g {jobs} --copy-contents {order} t");
                let mut running = Running::start(&line, dir, Shown::Pipe);
                let held = hold(&dir.join("p"));
                let said = running.ask_until(is_exact);
                assert!(said.contains(files), "{line}: {said}");
                assert!(said.contains(bytes), "{line}: {said}");
                drop(held);
                let (status, text) = running.end();
                assert!(status.success(), "{line}: {text}");
                let last = text.lines().last().unwrap_or_default();
                assert!(last.starts_with("100% [####"), "{line}: {text}");
                assert!(
                    last.contains("  400.0 MiB of 400.0 MiB  2701 of 2701 files  "),
                    "{text}"
                );
                cp::trees::remove(&dir.join("t"));
            }
        }
    });
}

/// What is not copied, because it is there already or a link is enough, is no part of the total.
#[test]
fn totals_of_what_is_left_out() {
    in_memory(|dir| {
        skewed(dir);
        fs::create_dir(dir.join("t")).expect("a folder");
        fs::create_dir(dir.join("t/large")).expect("a folder");
        fs::write(dir.join("t/large/600"), b"here before").expect("a file");
        for (flags, total) in [
            ("-n", " of 7.8 KiB "),
            ("-u", " of 7.8 KiB "),
            ("-l", " of 0 B "),
        ] {
            let line = format!("-r -g -j1 {flags} --copy-contents large p tiny t");
            let mut running = Running::start(&line, dir, Shown::Pipe);
            // A link to a FIFO needs no reading.
            if flags != "-l" {
                let held = hold(&dir.join("p"));
                let said = running.ask_until(is_exact);
                assert!(said.contains(total), "{line}: {said}");
                drop(held);
            }
            let (_, text) = running.end();
            let last = text.lines().last().unwrap_or_default();
            assert!(last.starts_with("100% [####"), "{line}: {text}");
            for name in ["tiny", "large/599", "p"] {
                cp::trees::remove_any(&dir.join("t").join(name));
            }
        }
    });
}

// The line.

/// A line as wide as the terminal lets it be; a late one has all that there is room for.
fn assert_fits(line: &str, columns: u16, is_late: bool) {
    let line = line.trim_end_matches('\n');
    assert!(!line.contains(['\r', '\n', '\x1b']), "{line:?}");
    assert!(line.len() < usize::from(columns), "{columns}: {line:?}");
    assert_eq!(line.find("% ["), Some(3), "{columns}: {line:?}");
    // The bar takes all the room there is.
    assert_eq!(line.len(), usize::from(columns) - 1, "{line:?}");
    let has = |word: &str| line.contains(word);
    if is_late {
        assert!(
            has("100%") || has(" left") == (columns >= 40),
            "{columns}: {line:?}"
        );
        assert_eq!(has(" files"), columns >= 200, "{columns}: {line:?}");
    }
}

/// On a terminal the line is renewed in its place, begins with the percentage, and is never longer
/// than the terminal is wide.
#[test]
fn the_line_on_a_terminal() {
    in_memory(|dir| {
        skewed(dir);
        for columns in [20, 40, 80, 200] {
            fs::create_dir(dir.join("t")).expect("a folder");
            let line = "-r -g -j1 --copy-contents tiny p large t";
            let mut running = Running::start(line, dir, Shown::Terminal(columns, "xterm"));
            let held = hold(&dir.join("p"));
            // From here on all tiny files are copied. Each line takes the place of the one before.
            let held_at = running.text.len();
            running.read_until(|text| text.matches('%').count() >= 3);
            drop(held);
            let (status, text) = running.end();
            assert!(status.success(), "{text}");
            let mut at = 0;
            for line in text.split("\r\x1b[K") {
                let is_late = at > held_at;
                at += line.len();
                assert_fits(line, columns, is_late);
            }
            assert!(
                text.ends_with('\n') && text.matches('\n').count() == 1,
                "{text:?}"
            );
            cp::trees::remove(&dir.join("t"));
        }
    });
}

/// A terminal that understands nothing but lines gets nothing else, and a file neither.
#[test]
fn nothing_but_lines() {
    in_memory(|dir| {
        skewed(dir);
        for shown in [
            Shown::Terminal(60, "dumb"),
            Shown::Terminal(60, ""),
            Shown::Pipe,
        ] {
            fs::create_dir(dir.join("t")).expect("a folder");
            let line = "-r -g --copy-contents p tiny large no t";
            let mut running = Running::start(line, dir, shown);
            let held = hold(&dir.join("p"));
            // Long enough for a line that is renewed.
            let before = running.read_for(Duration::from_millis(500));
            assert_eq!(before, "", "not so soon");
            running.ask();
            drop(held);
            let (status, text) = running.end();
            assert_eq!(status.code(), Some(1), "{text}");
            assert!(!text.contains(['\r', '\x1b']), "{text:?}");
            let lines: Vec<_> = text.lines().collect();
            assert_eq!(lines.len(), 3, "{text}");
            assert_eq!(lines[1], "cp: cannot stat 'no': No such file or directory");
            assert!(lines[2].starts_with("100% ["), "{text}");
            if let Shown::Terminal(columns, _) = shown {
                let columns = usize::from(columns);
                assert!(
                    lines[0].len() < columns && lines[2].len() < columns,
                    "{text}"
                );
            }
            cp::trees::remove(&dir.join("t"));
        }
    });
}

// Signals.

/// Sends signals while the command runs, and returns how it ended and what it said.
fn signalled(line: &str, dir: &Path) -> (ExitStatus, String) {
    let mut running = Running::start(line, dir, Shown::Pipe);
    let begun = Instant::now();
    // It may not even have begun: then the signal would end it.
    while !ready(&running) && begun.elapsed() < LIMIT {
        thread::sleep(Duration::from_micros(100));
    }
    let mut pause = Duration::from_micros(200);
    while running.child.try_wait().expect("a status").is_none() {
        running.signal();
        // Ever less often: a copy gets on however long it takes.
        thread::sleep(pause);
        pause = (pause * 11 / 10).min(Duration::from_millis(20));
        assert!(begun.elapsed() < LIMIT, "{line} does not end");
    }
    running.end()
}

/// Whether the command counts the signal by now, or has ended.
fn ready(running: &Running) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{}/status", running.child.id())) else {
        return true;
    };
    let caught = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    status.contains("State:\tZ") || caught.is_some_and(|mask| mask >> (libc::SIGUSR1 - 1) & 1 == 1)
}

/// Whether a line tells how far a copy has come: all of it, and nothing else.
fn is_progress(line: &str, with_total: bool) -> bool {
    let mut parts = line.trim_start().split("  ");
    let is_bar = |part: &str| {
        part.split_once("% [").is_some_and(|(percent, bar)| {
            percent.parse::<u8>().is_ok_and(|percent| percent <= 100)
                && bar
                    .trim_end_matches(']')
                    .trim_end()
                    .bytes()
                    .all(|byte| byte == b'#')
        })
    };
    let bar: String = match line.split_once(']') {
        Some((bar, rest)) => {
            parts = rest.trim_start().split("  ");
            format!("{}]", bar.trim_start())
        }
        None => String::new(),
    };
    if with_total != is_bar(&bar) {
        return false;
    }
    let parts: Vec<_> = parts.collect();
    let is_time = |part: &str| {
        let time = part.trim_end_matches(" left");
        time.split(':').count() == 3 && time.bytes().all(|b| b == b':' || b.is_ascii_digit())
    };
    let is_rate = |part: &str| part.ends_with("B/s");
    let rest = parts.get(2..).unwrap_or_default();
    parts.len() >= 2
        && parts[0].contains('B')
        && parts[1].ends_with(" files")
        && rest.len() <= 2
        && rest.iter().all(|part| is_time(part) || is_rate(part))
}

/// However data goes, signals neither end nor spoil a copy, and each line is whole.
#[test]
fn signals_during_a_large_copy() {
    let check = |dir: &Path| {
        let source = noise(40 << 20, 1);
        fs::write(dir.join("large"), &source).expect("a file");
        let holes = File::create(dir.join("holes")).expect("a file");
        for part in 0..100 {
            let at = part << 20;
            holes.write_all_at(&source[..200_000], at).expect("data");
        }
        let mut answers = 0;
        let flags = [
            "-j1",
            "-j2",
            "-j1 -g",
            "-j2 -g",
            "--io=ring",
            "--io=ring -g",
            "-j1 --sparse=always",
            "-j2 --sparse=always",
            "-j1 --reflink=never",
        ];
        for (from, flags) in pairs(["large", "holes"], flags) {
            let line = format!("{flags} {from} c");
            let (status, text) = signalled(&line, dir);
            assert!(status.success(), "{line}: {status} {text}");
            for said in text.lines() {
                assert!(is_progress(said, flags.contains("-g")), "{line}: {said:?}");
                answers += 1;
            }
            let copy = fs::read(dir.join("c")).expect("a copy");
            assert!(
                copy == fs::read(dir.join(from)).expect("a source"),
                "{line}"
            );
            fs::remove_file(dir.join("c")).expect("a copy");
        }
        assert!(answers > 20, "{answers} answers");
    };
    in_memory(check);
    // Where the file system is another, too.
    check(temp_dir().path());
}

/// As it does for a tree, whoever copies it.
#[test]
fn signals_during_a_tree() {
    in_memory(|dir| {
        for folder in 0..60 {
            let path = dir.join(format!("s/{folder}/in"));
            fs::create_dir_all(&path).expect("a folder");
        }
        for (folder, number) in pairs(0..60, 0..100) {
            let path = dir.join(format!("s/{folder}/in/{number}"));
            let len = if number % 10 == 0 { 100_000 } else { 900 };
            fs::write(path, noise(len, number)).expect("a file");
        }
        let expected = tree(&dir.join("s"));
        let mut answers = 0;
        for flags in [
            "-a -j1",
            "-a -j2",
            "-a -j8",
            "-a -g -j1",
            "-a -g -j4",
            "-al",
            "-as -j1",
        ] {
            let line = format!("{flags} {} t", dir.join("s").display());
            let (status, text) = signalled(&line, dir);
            assert!(status.success(), "{line}: {status} {text}");
            for said in text.lines() {
                assert!(is_progress(said, flags.contains("-g")), "{line}: {said:?}");
                answers += 1;
            }
            if !flags.contains("-as") {
                assert_same_tree(&expected, &tree(&dir.join("t")), Agree::ALL);
            }
            cp::trees::remove(&dir.join("t"));
        }
        assert!(answers > 7, "{answers} answers");
    });
}

/// Without `-g` a signal starts no thread, and each gets a line, while data has to be waited for.
#[test]
fn each_signal_gets_a_line() {
    in_memory(|dir| {
        Scene::parse("fifo p; file a 5000; dir t").build(dir);
        for flags in ["", "-g"] {
            let line = format!("{flags} -j1 --copy-contents a p t");
            let mut running = Running::start(&line, dir, Shown::Pipe);
            let mut held = hold(&dir.join("p"));
            for _ in 0..5 {
                let said = running.ask();
                assert!(
                    said.starts_with("4.8 KiB") || said.contains('%'),
                    "{line}: {said}"
                );
                assert!(
                    said.contains("1 files") || said.contains("1 of 2 files"),
                    "{said}"
                );
                assert_eq!(said.matches('\n').count(), 1, "{line}: {said}");
            }
            let threads = if flags.is_empty() { 1 } else { 2 };
            assert_eq!(running.threads(), threads, "{line}");
            held.write_all(&[7; 3000]).expect("written");
            running.ask_until(|said| said.contains("7.8 KiB"));
            drop(held);
            let (status, _) = running.end();
            assert!(status.success(), "{line}");
            assert_eq!(fs::read(dir.join("t/p")).expect("a copy"), [7; 3000]);
        }
    });
}

/// As with GNU dd: also where it was ignored before, and not under `POSIXLY_CORRECT`. `cat` leaves
/// the signal alone.
#[test]
fn whom_a_signal_ends() {
    let dir = temp_dir();
    Scene::parse("fifo p").build(dir.path());
    let ignored = |command: &mut Command| {
        let ignore = || {
            // SAFETY: a system call, and no handler of ours.
            unsafe { libc::signal(libc::SIGUSR1, libc::SIG_IGN) };
            Ok(())
        };
        // SAFETY: between fork and exec only that call is made.
        unsafe { command.pre_exec(ignore) };
    };
    let posix = |command: &mut Command| {
        command.env("POSIXLY_CORRECT", "1");
    };
    let start = |name, line, prepare: &dyn Fn(&mut Command)| {
        let running = Running::start_as(name, line, dir.path(), Shown::Pipe, prepare);
        let held = hold(&dir.path().join("p"));
        (running, held)
    };
    let (mut running, held) = start("cp", "p c", &ignored);
    assert_eq!(running.ask().matches('\n').count(), 1);
    drop(held);
    assert!(running.end().0.success());
    for (name, line, prepare) in [
        ("cp", "p c", &posix as &dyn Fn(&mut _)),
        ("cat", "p", &|_| ()),
    ] {
        let (running, _held) = start(name, line, prepare);
        running.signal();
        let (status, text) = running.end();
        assert_eq!(
            (status.signal(), text.as_str()),
            (Some(libc::SIGUSR1), ""),
            "{name}"
        );
    }
}

/// A file system in user space may answer any call that it was interrupted: it is made again.
#[test]
fn interrupted_calls_are_made_again() {
    let test = "interrupted_calls_are_made_again";
    let Some(strace) = find_program("strace") else {
        return skip(test, "strace is not installed");
    };
    in_memory(|dir| {
        Scene::parse(
            "dir s; dir s/d 711; file s/a 5000 640; file s/long 2000000; hard s/h s/a; link s/l a; \
             fifo s/p 604; hole s/holes 3000000 1000000+9000; file s/d/b 7 755",
        )
        .build(dir);
        child::set_xattr(&dir.join("s/a"), "user.x", b"1").expect("an attribute");
        let expected = tree(&dir.join("s"));
        let mut interrupted = 0;
        for call in [
            "openat",
            "statx",
            "getdents64",
            "mkdirat",
            "mknodat",
            "symlinkat",
            "readlinkat",
            "linkat",
            "unlinkat",
            "renameat2",
            "fchmod",
            "fchmodat2",
            "fchown",
            "fchownat",
            "utimensat",
            "ftruncate",
            "lseek",
            "ioctl",
            "read",
            "write",
            "pread64",
            "pwrite64",
            "copy_file_range",
            "splice",
            "llistxattr",
            "flistxattr",
            "lgetxattr",
            "fgetxattr",
            "lsetxattr",
            "fsetxattr",
        ] {
            let mut command = Command::new(&strace);
            command
                .args(["-f", "-o", "trace", "-e"])
                .arg(format!("trace=?{call}"))
                .arg("-e")
                .arg(format!("inject=?{call}:error=EINTR:when=1"))
                .arg(annulet())
                .args(["cp", "-a", "s", "t"])
                .current_dir(dir);
            let ran = support::run(&mut command);
            let trace = fs::read_to_string(dir.join("trace")).unwrap_or_default();
            if ran.status != 0 && !trace.contains("(INJECTED)") {
                return skip(test, &format!("strace does not work here: {ran:?}"));
            }
            interrupted += usize::from(trace.contains("(INJECTED)"));
            let ran = ran.expect_success();
            assert_eq!(ran.stdout_text(), "", "{call}");
            assert_same_tree(&expected, &tree(&dir.join("t")), Agree::ALL);
            cp::trees::remove(&dir.join("t"));
        }
        assert!(interrupted > 15, "{interrupted} calls were interrupted");
    });
}
