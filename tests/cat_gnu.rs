//! `cat` against GNU cat over random bytes, options and descriptors: both must print the same,
//! say the same, exit with the same status and leave the same files and positions behind.
//!
//! `ANNULET_SEED` gives the first case's seed and `ANNULET_CASES` how many there are; the seed
//! of a case that failed gives just that case again. `ANNULET_TEST_DIR` is a folder on the file
//! system to work in.

mod support;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::{Random, annulet, from_env, gnu, is_root, temp_dir, temp_dir_in};

/// Who reads what only its owner may: `nobody`.
const NOBODY: u32 = 65534;

/// The files there are, in the order of a case's contents; `OUT` is what output goes to.
const NAMES: [&str; 4] = ["a", "b c", "d\ne", "locked"];
const OUT: &str = "out";
const FOLDER: &str = "folder";

/// How long a case that failed is made smaller.
const SHRINKING: Duration = Duration::from_secs(20);

const LONG: [&str; 8] = [
    "number-nonblank",
    "number",
    "show-all",
    "show-ends",
    "show-nonprinting",
    "show-tabs",
    "squeeze-blank",
    "no-such",
];

/// Where standard input comes from.
#[derive(Clone, Debug, PartialEq)]
enum Input {
    Null,
    /// A file, by its number, from this place on.
    File(usize, u64),
    /// A pipe that gets these bytes, so many at a time.
    Pipe(Vec<u8>, usize),
    Closed,
    /// `OUT`, open for writing only.
    WriteOnly,
    Folder,
    /// `OUT`, from this place on.
    Out(u64),
}

/// Where standard output goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Output {
    Pipe,
    /// `OUT`, emptied.
    File,
    /// `OUT`, behind what is there.
    Append,
    /// `OUT`, over what is there from this place on.
    Over(u64),
    /// A file by this name, read only.
    ReadOnly(&'static str),
    Closed,
    Full,
    Null,
}

#[derive(Clone, Debug, PartialEq)]
struct Case {
    contents: [Vec<u8>; NAMES.len()],
    /// What is in `OUT` before.
    before: Vec<u8>,
    args: Vec<OsString>,
    input: Input,
    output: Output,
    user: Option<u32>,
    posix: bool,
}

/// A few bytes of one kind, of which files are made.
fn segment(random: &mut Random, bytes: &mut Vec<u8>) {
    // Around what programs read at a time, and short ones that give lines of all kinds.
    let len = match random.below(16) {
        0 => (4096 << random.below(7)) - 2 + random.below(5),
        1 => random.below(10_000),
        2..=6 => random.below(4),
        _ => random.below(90),
    };
    let kind = random.below(9);
    let word = random.pick(&[
        &b"\n"[..],
        b"\r\n",
        b"\t",
        b"\r",
        b"\n\n\n",
        b"\n\t\n",
        b"\n\r\n",
    ]);
    bytes.extend((0..len).map(|at| match kind {
        0 => b'\n',
        1 => u8::try_from(random.next() & 0xff).expect("a byte"),
        2 => u8::try_from(at & 0xff).expect("a byte"),
        3 => word[at % word.len()],
        4 => random.pick(b"\n\r\tx"),
        5 if random.one_in(20) => b'\n',
        6 if random.one_in(3) => random.pick(b"\r\n\t\x7f\x80\xff"),
        7 => random.pick(b"\n\n\n\n\n\n \r"),
        _ => b'a' + u8::try_from(at % 26).expect("a letter"),
    }));
}

fn content(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.pick(&[0, 1, 1, 2, 3, 5, 20]) {
        segment(random, &mut bytes);
    }
    // So much that the kernel is asked to move it.
    if random.one_in(25) {
        let piece = bytes.clone();
        while !piece.is_empty() && bytes.len() < 400_000 {
            bytes.extend(&piece);
            bytes.push(u8::try_from(bytes.len() & 0xff).expect("a byte"));
        }
    }
    bytes
}

fn options(random: &mut Random) -> Vec<OsString> {
    let mut args = Vec::new();
    for _ in 0..random.pick(&[0, 0, 1, 1, 1, 2, 3]) {
        if random.one_in(3) {
            // The last one is rare.
            let kinds = LONG.len() - usize::from(!random.one_in(15));
            let name = random.pick(&LONG[..kinds]);
            // Cut short, which is wrong if it may then be two of them.
            let len = if random.one_in(2) {
                name.len()
            } else {
                2 + random.below(name.len() - 2)
            };
            let mut word = format!("--{}", &name[..len]);
            if random.one_in(60) {
                word.push_str("=x");
            }
            args.push(word.into());
        } else {
            let mut word = String::from("-");
            for _ in 0..=random.below(3) {
                word.push(char::from(random.pick(b"AbeEnstTuv")));
            }
            if random.one_in(60) {
                word.push('z');
            }
            args.push(word.into());
        }
    }
    args
}

fn random_case(seed: u64, in_place: bool) -> Case {
    let mut random = Random(seed);
    let random = &mut random;
    let contents = [(); NAMES.len()].map(|()| content(random));
    let mut args = options(random);
    for _ in 0..random.below(5) {
        let operand = match random.below(30) {
            0 => "no",
            1 => FOLDER,
            2 => "b c/",
            3 => "",
            4..=6 if in_place => OUT,
            5..=9 => "-",
            10 => "/dev/null",
            _ => random.pick(&NAMES),
        };
        // Options may stand between operands.
        let at = if random.one_in(8) {
            random.below(args.len() + 1)
        } else {
            args.len()
        };
        args.insert(at, operand.into());
    }
    if random.one_in(12) {
        args.insert(random.below(args.len() + 1), "--".into());
    }
    let before = match random.below(3) {
        0 => Vec::new(),
        1 => b"there before\n".to_vec(),
        _ => content(random),
    };
    let place = |random: &mut Random, len: usize| match random.below(3) {
        0 => random.below(len + 2) as u64,
        1 => len as u64,
        _ => 0,
    };
    let mut input = match random.below(20) {
        0 => Input::Closed,
        1 => Input::WriteOnly,
        2 => Input::Folder,
        3..=4 if in_place => Input::Out(place(random, before.len())),
        5..=10 => {
            let number = random.below(NAMES.len());
            Input::File(number, place(random, contents[number].len()))
        }
        11..=16 => {
            let at_a_time = random.pick(&[1 << 20, 1 << 20, 4096, 1000, 1]);
            let mut bytes = content(random);
            if at_a_time == 1 {
                bytes.truncate(100);
            }
            Input::Pipe(bytes, at_a_time)
        }
        _ => Input::Null,
    };
    let output = match random.below(40) {
        0 => Output::Closed,
        1 => Output::Full,
        2 => Output::Null,
        3 if in_place => Output::ReadOnly(NAMES[0]),
        3 => Output::ReadOnly(OUT),
        4..=7 => Output::Over(place(random, before.len())),
        8..=17 => Output::Append,
        18..=27 => Output::File,
        _ => Output::Pipe,
    };
    let is_out = matches!(
        output,
        Output::File | Output::Append | Output::Over(_) | Output::ReadOnly(OUT)
    );
    if !in_place && is_out && input == Input::WriteOnly {
        input = Input::Null;
    }
    Case {
        contents,
        before,
        args,
        input,
        output,
        user: (is_root() && random.one_in(4)).then_some(NOBODY),
        posix: random.one_in(10),
    }
}

/// What came of one run.
struct Outcome {
    status: i32,
    stderr: String,
    stdout: Vec<u8>,
    /// The files, `OUT` last.
    files: Vec<Vec<u8>>,
    /// Where standard input and output stand, unless output failed.
    positions: [Option<u64>; 2],
}

/// A file that is no descriptor of the child's yet, to be looked at afterwards.
fn both(file: File) -> (Stdio, Option<File>) {
    let own = file.try_clone().expect("a descriptor");
    (file.into(), Some(own))
}

impl Case {
    /// Makes the files in `dir`, which is removed first; `OUT` is made for each run.
    fn prepare(&self, dir: &Path) {
        if dir.exists() {
            fs::remove_dir_all(dir).expect("removal");
        }
        fs::create_dir_all(dir.join(FOLDER)).expect("a folder");
        for (name, content) in NAMES.iter().zip(&self.contents) {
            fs::write(dir.join(name), content).expect("a file");
        }
        let locked = Permissions::from_mode(0o000);
        fs::set_permissions(dir.join(NAMES[NAMES.len() - 1]), locked).expect("chmod");
    }

    fn run(&self, program: &Path, way: Option<&str>, dir: &Path) -> Outcome {
        fs::write(dir.join(OUT), &self.before).expect("a file");
        let mut feed = None;
        let (stdin, in_file) = match &self.input {
            Input::Null | Input::Closed => (Stdio::null(), None),
            Input::File(number, at) => {
                // As the ordinary user of the tests may not open it any more than `cat`.
                let name = if is_root() { NAMES[*number] } else { NAMES[0] };
                let mut file = File::open(dir.join(name)).expect("a file");
                file.seek(SeekFrom::Start(*at)).expect("a place");
                both(file)
            }
            Input::Out(at) => {
                let mut file = File::open(dir.join(OUT)).expect("a file");
                file.seek(SeekFrom::Start(*at)).expect("a place");
                both(file)
            }
            Input::Pipe(..) => {
                let (reader, writer) = io::pipe().expect("a pipe");
                feed = Some(writer);
                (reader.into(), None)
            }
            Input::WriteOnly => {
                let file = OpenOptions::new().write(true).open(dir.join(OUT));
                (file.expect("a file").into(), None)
            }
            Input::Folder => (File::open(dir.join(FOLDER)).expect("a folder").into(), None),
        };
        let mut write = OpenOptions::new();
        let out = dir.join(OUT);
        let (stdout, out_file) = match self.output {
            Output::Pipe => (Stdio::piped(), None),
            Output::Closed | Output::Null => (Stdio::null(), None),
            Output::File => both(File::create(out).expect("a file")),
            Output::Append => both(write.append(true).open(out).expect("a file")),
            Output::Over(at) => {
                let mut file = write.write(true).open(out).expect("a file");
                file.seek(SeekFrom::Start(at)).expect("a place");
                both(file)
            }
            Output::ReadOnly(name) => both(File::open(dir.join(name)).expect("a file")),
            Output::Full => {
                let full = write.write(true).open("/dev/full");
                (full.expect("/dev/full").into(), None)
            }
        };
        let mut command = Command::new(program);
        command
            .arg0("cat")
            .args(way)
            .args(&self.args)
            .current_dir(dir)
            .env_clear()
            .env("LC_ALL", "C")
            .envs(self.posix.then_some(("POSIXLY_CORRECT", "1")))
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped());
        self.change(&mut command);
        let child = command.spawn().expect("a child");
        // Its ends of the pipes are the child's alone.
        drop(command);
        let output = thread::scope(|scope| {
            if let (Some(mut feed), Input::Pipe(bytes, at_a_time)) = (feed, &self.input) {
                scope.spawn(move || {
                    // One that ends before it has read all of it is no error.
                    let _ = bytes
                        .chunks(*at_a_time)
                        .try_for_each(|piece| feed.write_all(piece));
                });
            }
            child.wait_with_output().expect("an output")
        });
        let failed = matches!(
            self.output,
            Output::Closed | Output::Full | Output::ReadOnly(_)
        );
        let position = |file: Option<File>| {
            file.filter(|_| !failed)
                .map(|mut file| file.stream_position().expect("a position"))
        };
        // Appending goes to the end wherever it stands; GNU moves it there to find the end.
        let out_file = out_file.filter(|_| self.output != Output::Append);
        let mut files: Vec<_> = NAMES.iter().map(|name| read_all(&dir.join(name))).collect();
        files.push(read_all(&dir.join(OUT)));
        Outcome {
            status: output
                .status
                .code()
                .unwrap_or_else(|| -output.status.signal().unwrap_or(0)),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            stdout: output.stdout,
            files,
            positions: [position(in_file), position(out_file)],
        }
    }

    /// What is done in the child: descriptors closed, another user, and limits, so that one that
    /// prints what it prints does not go on for ever.
    #[allow(unsafe_code)]
    fn change(&self, command: &mut Command) {
        let closed = [
            (self.input == Input::Closed, 0),
            (self.output == Output::Closed, 1),
        ];
        let user = self.user;
        let prepare = move || {
            let check = |answer: i32| {
                if answer == 0 {
                    Ok(())
                } else {
                    Err(io::Error::last_os_error())
                }
            };
            for (resource, most) in [
                (libc::RLIMIT_FSIZE, 64 << 20),
                (libc::RLIMIT_CPU, 3),
                (libc::RLIMIT_CORE, 0),
            ] {
                let limit = libc::rlimit {
                    rlim_cur: most,
                    rlim_max: most,
                };
                // SAFETY: `limit` is readable.
                check(unsafe { libc::setrlimit(resource, &raw const limit) })?;
            }
            for (is_closed, fd) in closed {
                if is_closed {
                    // SAFETY: a standard descriptor of a process that is about to exec.
                    check(unsafe { libc::close(fd) })?;
                }
            }
            if let Some(id) = user {
                // SAFETY: an empty list is not read.
                check(unsafe { libc::setgroups(0, std::ptr::null()) })?;
                // SAFETY: takes numbers only.
                check(unsafe { libc::setresgid(id, id, id) })?;
                // SAFETY: takes numbers only.
                check(unsafe { libc::setresuid(id, id, id) })?;
            }
            Ok(())
        };
        // SAFETY: between fork and exec only system calls are made; nothing is allocated.
        unsafe { command.pre_exec(prepare) };
    }
}

fn read_all(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}

/// What differs between two runs, a line each.
fn differences(expected: &Outcome, found: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    // A file printed over itself that grows faster than it is read, without end: what limit
    // it runs into first is not the same.
    if expected.status < 0 && found.status < 0 {
        return lines;
    }
    if found.status != expected.status {
        lines.push(format!("status {}, not {}", found.status, expected.status));
    }
    if found.stderr != expected.stderr {
        lines.push(format!(
            "says {:?}, not {:?}",
            found.stderr, expected.stderr
        ));
    }
    let mut bytes = |what: &str, a: &[u8], b: &[u8]| {
        if a != b {
            let at = a.iter().zip(b).take_while(|(a, b)| a == b).count();
            let part = |bytes: &[u8]| {
                let end = bytes.len().min(at + 40);
                bytes[at..end].escape_ascii().to_string()
            };
            lines.push(format!(
                "{what}: {} bytes, not {}; from {at} on {:?}, not {:?}",
                b.len(),
                a.len(),
                part(b),
                part(a)
            ));
        }
    };
    bytes("standard output", &expected.stdout, &found.stdout);
    for (name, (a, b)) in (NAMES.iter().chain([&OUT])).zip(expected.files.iter().zip(&found.files))
    {
        bytes(name, a, b);
    }
    if found.positions != expected.positions {
        lines.push(format!(
            "standard input and output stand at {:?}, not {:?}",
            found.positions, expected.positions
        ));
    }
    lines
}

/// What a case is run with.
struct Programs<'a> {
    gnu: &'a Path,
    annulet: &'a Path,
    dir: &'a Path,
}

impl Programs<'_> {
    /// What annulet does otherwise than GNU, with this way of moving data.
    fn differ(&self, case: &Case, way: Option<&str>) -> Vec<String> {
        case.prepare(self.dir);
        let expected = case.run(self.gnu, None, self.dir);
        differences(&expected, &case.run(self.annulet, way, self.dir))
    }

    /// The smallest case found that still differs, and how.
    fn shrink(&self, case: &Case, way: Option<&str>) -> (Case, Vec<String>) {
        let mut smallest = case.clone();
        let mut lines = self.differ(case, way);
        let started = Instant::now();
        let mut better = |smaller: Case, smallest: &mut Case| {
            if started.elapsed() > SHRINKING || smaller == *smallest {
                return false;
            }
            let found = self.differ(&smaller, way);
            let differs = !found.is_empty();
            if differs {
                *smallest = smaller;
                lines = found;
            }
            differs
        };
        loop {
            let before = smallest.clone();
            for smaller in simpler(&before) {
                // One after the other: each may still go where the one before did not.
                if better(smaller.clone(), &mut smallest) {
                    break;
                }
            }
            if smallest != before {
                continue;
            }
            for which in 0..NAMES.len() + 2 {
                let mut len = bytes_of(&mut smallest.clone(), which).map_or(0, |bytes| bytes.len());
                while len > 0 {
                    let mut at = 0;
                    while at < bytes_of(&mut smallest.clone(), which).map_or(0, |b| b.len()) {
                        let mut smaller = smallest.clone();
                        if let Some(bytes) = bytes_of(&mut smaller, which) {
                            let end = bytes.len().min(at + len);
                            bytes.drain(at..end);
                        }
                        if !better(smaller, &mut smallest) {
                            at += len;
                        }
                    }
                    len /= 2;
                }
            }
            if smallest == before {
                break;
            }
        }
        (smallest, lines)
    }
}

/// The bytes of a case that can be fewer: its files', then `OUT`'s, then its pipe's.
fn bytes_of(case: &mut Case, which: usize) -> Option<&mut Vec<u8>> {
    if which < NAMES.len() {
        return Some(&mut case.contents[which]);
    }
    match (which - NAMES.len(), &mut case.input) {
        (0, _) => Some(&mut case.before),
        (_, Input::Pipe(bytes, _)) => Some(bytes),
        _ => None,
    }
}

/// Cases with one thing less.
fn simpler(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    let mut add = |change: &dyn Fn(&mut Case)| {
        let mut smaller = case.clone();
        change(&mut smaller);
        all.push(smaller);
    };
    for at in 0..case.args.len() {
        add(&|case| drop(case.args.remove(at)));
        let word = case.args[at].as_bytes();
        for letter in 1..word.len() {
            if word.len() > 2 && word[0] == b'-' && word[1] != b'-' {
                let mut word = word.to_vec();
                word.remove(letter);
                let word = String::from_utf8_lossy(&word).into_owned();
                add(&|case| case.args[at] = word.clone().into());
            }
        }
    }
    add(&|case| case.user = None);
    add(&|case| case.posix = false);
    add(&|case| case.input = Input::Null);
    match case.input.clone() {
        Input::File(number, at) if at > 0 => add(&|case| case.input = Input::File(number, 0)),
        Input::Out(at) if at > 0 => add(&|case| case.input = Input::Out(0)),
        Input::Pipe(bytes, at_a_time) if at_a_time < bytes.len() => {
            add(&|case| case.input = Input::Pipe(bytes.clone(), bytes.len()));
        }
        _ => {}
    }
    match case.output {
        Output::Pipe => {}
        Output::File => add(&|case| case.output = Output::Pipe),
        _ => {
            for output in [Output::Pipe, Output::File, Output::Over(0)] {
                if output != case.output {
                    add(&|case| case.output = output);
                }
            }
        }
    }
    all
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Commands that print bytes, long runs of one byte in short.
fn printed(bytes: &[u8]) -> String {
    let mut parts = Vec::new();
    let mut text = String::new();
    for run in bytes.chunk_by(|a, b| a == b) {
        if run.len() > 40 {
            if !text.is_empty() {
                parts.push(format!("printf '{text}'"));
                text.clear();
            }
            let count = run.len();
            parts.push(format!(
                "head -c {count} /dev/zero | tr '\\0' '\\{:03o}'",
                run[0]
            ));
            continue;
        }
        for &byte in run {
            let _ = match byte {
                b'\n' => text.write_str("\\n"),
                b'\r' => text.write_str("\\r"),
                b'\t' => text.write_str("\\t"),
                b' '..=b'~' if !b"'\\%".contains(&byte) => write!(text, "{}", char::from(byte)),
                _ => write!(text, "\\{byte:03o}"),
            };
        }
    }
    if !text.is_empty() || parts.is_empty() {
        parts.push(format!("printf '{text}'"));
    }
    if parts.len() == 1 {
        return parts.remove(0);
    }
    format!("{{ {}; }}", parts.join("; "))
}

impl Case {
    /// The case as commands to type.
    fn script(&self, way: Option<&str>) -> String {
        let mut script = format!("mkdir {FOLDER}\n");
        for (name, content) in NAMES.iter().zip(&self.contents) {
            let _ = writeln!(script, "{} >{}", printed(content), quoted(name));
        }
        let _ = writeln!(script, "chmod 0 {}", NAMES[NAMES.len() - 1]);
        let _ = writeln!(script, "{} >{OUT}", printed(&self.before));
        let mut command = String::new();
        if let Some(user) = self.user {
            let _ = write!(
                command,
                "setpriv --reuid={user} --regid={user} --clear-groups "
            );
        }
        if self.posix {
            command.push_str("env POSIXLY_CORRECT=1 ");
        }
        command.push_str("cat");
        for word in way.into_iter().map(str::to_owned).chain(
            self.args
                .iter()
                .map(|arg| arg.to_string_lossy().into_owned()),
        ) {
            let _ = write!(command, " {}", quoted(&word));
        }
        // Places in files need a shell that has read them that far.
        let mut skipped = String::new();
        let mut skip = |fd: &str, at: u64| {
            if at > 0 {
                let _ = write!(skipped, "head -c {at} {fd} >/dev/null; ");
            }
        };
        let input = match &self.input {
            Input::Null => " </dev/null".into(),
            Input::File(number, at) => {
                skip("<&0", *at);
                format!(" <{}", quoted(NAMES[*number]))
            }
            Input::Out(at) => {
                skip("<&0", *at);
                format!(" <{OUT}")
            }
            Input::Pipe(bytes, at_a_time) => {
                let _ = writeln!(script, "# {at_a_time} bytes at a time");
                script.push_str(&printed(bytes));
                script.push_str(" | ");
                String::new()
            }
            Input::Closed => " <&-".into(),
            Input::WriteOnly => format!(" 0>>{OUT}"),
            Input::Folder => format!(" <{FOLDER}"),
        };
        let output = match self.output {
            Output::Pipe => " | od -c".into(),
            Output::File => format!(" >{OUT}"),
            Output::Append => format!(" >>{OUT}"),
            Output::Over(at) => {
                skip("<&1", at);
                format!(" 1<>{OUT}")
            }
            Output::ReadOnly(name) => format!(" 1<{}", quoted(name)),
            Output::Closed => " >&-".into(),
            Output::Full => " >/dev/full".into(),
            Output::Null => " >/dev/null".into(),
        };
        let _ = if skipped.is_empty() {
            write!(script, "{command}{input}{output}")
        } else {
            write!(script, "({skipped}{command}){input}{output}")
        };
        script
    }
}

/// Ways to move data, beside none given; each seed has one of them.
const WAYS: [&str; 3] = ["--io=auto", "--io=ring", "--io=sync"];

#[test]
fn generated_cases() {
    let test = "generated_cases";
    let Some((gnu, version)) = gnu("cat", test) else {
        return;
    };
    // Older ones refuse each file that is its own output, but at its end: before they find out
    // that it cannot be read, or that nothing can be written to it.
    let in_place = version >= (9, 7);
    let first = from_env("ANNULET_SEED").unwrap_or(1);
    let count = from_env("ANNULET_CASES").unwrap_or(2000);
    println!(
        "{test}: ANNULET_SEED={first} ANNULET_CASES={count}, beside {} {}.{}",
        gnu.display(),
        version.0,
        version.1
    );
    let program = annulet();
    let next = AtomicU64::new(first);
    let failed = Mutex::new(Vec::new());
    let folder = match std::env::var("ANNULET_TEST_DIR") {
        Ok(parent) => temp_dir_in(parent).expect("a folder"),
        Err(_) => temp_dir(),
    };
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("chmod");
    thread::scope(|scope| {
        for worker in 0..thread::available_parallelism().map_or(1, usize::from) {
            let dir = folder.child(format!("{worker}"));
            let (gnu, program, next, failed) = (&gnu, &program, &next, &failed);
            scope.spawn(move || {
                let programs = Programs {
                    gnu,
                    annulet: program,
                    dir: &dir,
                };
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed - first >= count {
                        break;
                    }
                    if let Err(report) = check(&programs, seed, in_place) {
                        failed.lock().expect("the list").push((seed, report));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().expect("the list");
    failed.sort();
    let reports: Vec<_> = failed.iter().map(|(_, report)| &report[..]).collect();
    assert!(
        failed.is_empty(),
        "{} of {count} cases differ:\n\n{}",
        failed.len(),
        reports.join("\n")
    );
}

fn check(programs: &Programs<'_>, seed: u64, in_place: bool) -> Result<(), String> {
    let case = random_case(seed, in_place);
    case.prepare(programs.dir);
    let expected = case.run(programs.gnu, None, programs.dir);
    let way = WAYS[usize::try_from(seed % 3).expect("a small number")];
    for way in [None, Some(way)] {
        let found = case.run(programs.annulet, way, programs.dir);
        let once = differences(&expected, &found);
        if once.is_empty() {
            continue;
        }
        let (case, lines) = programs.shrink(&case, way);
        if lines.is_empty() {
            return Err(format!(
                "ANNULET_SEED={seed} ANNULET_CASES=1: not again:\n  {}\n",
                once.join("\n  ")
            ));
        }
        return Err(format!(
            "ANNULET_SEED={seed} ANNULET_CASES=1\n{}\n  {}\n",
            case.script(way),
            lines.join("\n  ")
        ));
    }
    Ok(())
}
