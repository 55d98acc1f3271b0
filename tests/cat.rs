//! `cat` as its users meet it, beside GNU `cat`: output, messages, exit status, and what is
//! on the disk afterwards.
//!
//! Most cases are lines of shell in which `$CAT` is the command. Each is run in a folder of
//! its own, once with GNU `cat` and once with the program under test for each `--io`.
#![allow(missing_docs)]

mod support;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use support::refused::{Refused, refuse};
use support::{
    Agree, Ran, Random, annulet, find_program, noise, pairs, run, skip, temp_dir, tree, ways,
};

/// Makes descriptor 4 a pipe's end to write to that nobody reads from any more.
const UNREAD: &str = "mkfifo unread; exec 3<>unread 4>unread 3<&-";

const WAYS: [&str; 3] = ["auto", "ring", "sync"];

/// GNU `cat`, if there is one to compare with.
fn gnu(test: &str) -> Option<PathBuf> {
    Some(support::gnu("cat", test)?.0)
}

/// Runs a line of shell in `dir`, where `$CAT` is `program` under the name of `cat`.
fn shell(program: &Path, options: &str, dir: &Path, line: &str) -> Ran {
    let bin = temp_dir();
    symlink(program, bin.child("cat")).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    // A cat that does not end must not hold the test up: `timeout` ends the whole group.
    run(support::command("timeout")
        .args(["-s", "KILL", "60", "sh", "-c", line])
        .current_dir(dir)
        .env("PATH", format!("{}:{path}", bin.path().display()))
        .env("CAT", format!("cat{options}")))
}

/// Runs `line` with both programs, each in a folder prepared by `prepare`, and fails the test
/// unless everything agrees.
fn compare(gnu: &Path, ways: &[&str], line: &str, prepare: &dyn Fn(&Path)) {
    let theirs = temp_dir();
    prepare(theirs.path());
    let expected = shell(gnu, "", theirs.path(), line);
    let expected_tree = tree(theirs.path());
    for way in ways {
        let ours = temp_dir();
        prepare(ours.path());
        let found = shell(&annulet(), &format!(" --io={way}"), ours.path(), line);
        let context = format!("--io={way}: {line}\nGNU: {expected:?}\nours: {found:?}");
        assert_eq!(found.status, expected.status, "status; {context}");
        assert_eq!(found.stderr, expected.stderr, "stderr; {context}");
        assert!(found.stdout == expected.stdout, "stdout; {context}");
        let lines = support::differences(&expected_tree, &tree(ours.path()), Agree::CONTENT);
        assert!(lines.is_empty(), "{}\n{context}", lines.join("\n"));
    }
}

/// A few small files, a large one, a folder, and names that need quotes.
fn furnish(dir: &Path) {
    fs::write(dir.join("a"), "AAA\n").unwrap();
    fs::write(dir.join("b"), "BBB\n").unwrap();
    fs::write(dir.join("empty"), "").unwrap();
    fs::write(dir.join("cr"), "x\r").unwrap();
    fs::write(dir.join("lf"), "\ny\r\n\n\n\tz").unwrap();
    fs::write(dir.join("nl"), "\nw\n\n\n").unwrap();
    fs::write(dir.join("a b"), "C\n").unwrap();
    fs::write(dir.join("a.end"), "end\n").unwrap();
    fs::write(dir.join("big"), noise(1_500_007, 7)).unwrap();
    fs::create_dir(dir.join("d")).unwrap();
}

fn compare_all(test: &str, lines: &[&str]) {
    let Some(gnu) = gnu(test) else { return };
    for line in lines {
        compare(&gnu, &ways(&WAYS), line, &furnish);
    }
}

#[test]
fn operands_and_messages() {
    compare_all(
        "operands_and_messages",
        &[
            "$CAT a b empty a",
            "$CAT <a",
            "$CAT - <a",
            "$CAT b - a - b <a",
            "printf x | $CAT - a -",
            "$CAT nope",
            "$CAT a nope 'a b' 'no pe' d b",
            "$CAT a/",
            "$CAT ''",
            "$CAT -- -n",
            "$CAT <d",
            "$CAT -n d a",
            "$CAT a -n -- -b",
            "$CAT -u a",
            "$CAT -z",
            "$CAT --foo",
            "$CAT --s",
            "$CAT --n",
            "$CAT --show-e a",
            "$CAT --number=3",
            "$CAT --number-n --squeeze --show-a --show-t a lf",
            "POSIXLY_CORRECT=1 $CAT a -n",
            "$CAT -E cr lf",
            "$CAT -E cr cr",
            "$CAT -s nl lf nl",
            "$CAT -ns nl empty - lf <nl",
            "$CAT -b cr nl lf nl cr",
            "$CAT -E cr nope lf",
            "$CAT /proc/version /proc/cmdline a",
            "$CAT <$(printf /proc/version)",
            "$CAT big a big >out",
            "$CAT big big | wc -c",
            "$CAT big >out; $CAT big a >>out",
            "$CAT -A big",
            "$CAT -vn <big",
        ],
    );
}

#[test]
fn positions_of_shared_descriptors() {
    compare_all(
        "positions_of_shared_descriptors",
        &[
            // Standard input is read from where it stands, and left at its end.
            "(dd bs=5 count=1 of=/dev/null 2>/dev/null; $CAT; $CAT; wc -c) <big >out",
            "(dd bs=5 count=1 of=/dev/null 2>/dev/null; $CAT - a - b) <big >out",
            // Output goes on from where it stands, and others go on behind it.
            "(echo before; $CAT big; echo between; $CAT -n a; $CAT big; echo after) >out",
            "(echo before; $CAT big; echo after) >>big2; $CAT big >>big2",
            "cp big out; (echo before; $CAT big; echo after) 1<>out",
            // Appending goes to the end, wherever that is by now.
            "(echo one; echo two >>out; $CAT big; echo three >>out; $CAT big) >>out",
        ],
    );
}

/// Each pair of input and output that the kernel moves data between, and what the positions of
/// both are afterwards.
#[test]
fn large_data_from_anything_to_anything() {
    compare_all(
        "large_data_from_anything_to_anything",
        &[
            "$CAT big a big",
            "$CAT <big",
            "$CAT big | $CAT",
            "$CAT big | $CAT | $CAT | $CAT",
            "$CAT big >out; $CAT big | $CAT >>out; $CAT big | $CAT - a - >>out",
            "$CAT big | $CAT - big >out",
            "$CAT big a big | $CAT >/dev/null",
            "$CAT big big >/dev/null",
            "$CAT big | (dd bs=3 count=1 of=/dev/null 2>/dev/null; $CAT) >out",
            "($CAT >/dev/null; $CAT; wc -c) <big >out",
            "($CAT | wc -c; $CAT; wc -c) <big >out",
            "(dd bs=131073 count=1 of=/dev/null 2>/dev/null; $CAT | $CAT) <big >out",
            "(printf x; $CAT big; printf y; $CAT big | $CAT; printf z) >out",
            "cp big out; (printf x; $CAT lf big; printf y) 1<>out",
            "(printf x; $CAT big; printf y; $CAT big | $CAT; printf z) | $CAT",
            "(printf x; $CAT big; printf y) >>out; $CAT out out >out2",
            "$CAT big - big <&- >out",
            "$CAT big nope big 2>&-",
            "mkfifo p q; ($CAT big >p; $CAT big >q) & $CAT p a q >out; wait",
            "$CAT big | $CAT >/dev/full",
            &format!("{UNREAD}; trap '' PIPE; $CAT big | ($CAT >&4; echo $? >&2)"),
            // Their sizes are said to be 0.
            "b=$($CAT big | tr -cd a-k); sh -c '$CAT /proc/$$/cmdline | cksum' $b $b $b $b $b $b",
            "b=$($CAT big | tr -cd a-k); sh -c '$CAT /proc/$$/cmdline a >out; :' $b $b $b $b $b $b",
            "$CAT </dev/zero | head -c 1500000",
        ],
    );
}

#[test]
fn input_that_is_output() {
    let test = "input_that_is_output";
    compare_all(
        test,
        &[
            "$CAT a a.end >a",
            "$CAT a b >a",
            "$CAT a a b >a",
            "$CAT b a >a",
            "$CAT a >>a",
            "$CAT b a b >>a",
            "$CAT -n a >>a",
            "$CAT <a >a",
            "$CAT <a >>a",
            "$CAT empty >>empty",
            "$CAT empty >empty",
            "$CAT big >>big",
            "(cat >/dev/null; $CAT) <a >>a",
            "exec 3<>a; cat <&3 >/dev/null; $CAT <&3 >&3",
            "(printf xx; $CAT a) 1<>a",
        ],
    );
    // GNU cat 9.1 refuses every input that is its own output and not at its end; versions
    // known to be newer look whether the writes go before what is read, as we do: a file
    // printed over itself ends, and appending to it in place is of use.
    let in_place = |line: &str, expected: &str| {
        for way in ways(&WAYS) {
            let dir = temp_dir();
            furnish(dir.path());
            shell(&annulet(), &format!(" --io={way}"), dir.path(), line).expect_success();
            assert_eq!(fs::read_to_string(dir.child("a")).unwrap(), expected);
        }
    };
    in_place("$CAT a b 1<>a", "AAA\nBBB\n");
    in_place("$CAT <a 1<>a", "AAA\n");
    in_place(
        "(dd bs=1 count=2 of=/dev/null 2>/dev/null; $CAT - b) <a 1<>a",
        "A\nBBB\n",
    );
}

#[test]
fn bad_places() {
    compare_all(
        "bad_places",
        &[
            "$CAT <&-",
            "$CAT a - b <&-",
            "$CAT a - - b <&-",
            "$CAT a b <&-",
            "$CAT 0>empty",
            "$CAT a >&-",
            "$CAT nope >&-",
            "$CAT <&- >&-",
            "$CAT --help >&-",
            "$CAT --version >/dev/full",
            "$CAT a nope 2>&-",
            "$CAT a nope b >out 2>&-",
            "$CAT a b <&- 2>&- >out",
            "$CAT <&- >&- 2>&-",
            "$CAT a b >/dev/full",
            "$CAT nope a nope >/dev/full",
            "$CAT -n a b >/dev/full",
            "$CAT big >/dev/full",
            "$CAT -E cr >/dev/full",
            "$CAT empty >/dev/full",
            "$CAT /proc/self/mem a",
            "$CAT -n /proc/self/mem a",
            "$CAT b 1<a",
            "trap '' XFSZ; ulimit -f 1; $CAT -v big >out",
            "(ulimit -f 1; $CAT big) >out 2>/dev/null; echo $?",
            &format!("{UNREAD}; trap '' PIPE; $CAT big >&4; echo $?"),
            &format!("{UNREAD}; trap '' PIPE; $CAT -n a >&4; echo $?"),
            &format!("{UNREAD}; $CAT big >&4; echo $?"),
            &format!("{UNREAD}; $CAT -n a >&4; echo $?"),
            "$CAT big | head -c 10",
            "mkfifo p; $CAT a >p & $CAT p a; wait",
        ],
    );
}

/// Writes to a file that is cut short by a limit fail in the middle of one write. GNU `cat`
/// blames the input then, as it leaves the writing to `copy_file_range`.
#[test]
fn an_output_that_takes_no_more() {
    let big = noise(1_500_007, 7);
    for blocks in [1, 100, 600, 1024, 2000] {
        for redirection in [">out", ">>out", "1<>out"] {
            for way in ways(&WAYS) {
                let dir = temp_dir();
                furnish(dir.path());
                let line = format!("trap '' XFSZ; ulimit -f {blocks}; $CAT big a {redirection}");
                let ran = shell(&annulet(), &format!(" --io={way}"), dir.path(), &line);
                let ran = ran.expect_status(1);
                assert_eq!(ran.stderr, "cat: write error: File too large\n", "{ran:?}");
                let out = fs::read(dir.child("out")).unwrap();
                assert_eq!(out.len(), blocks * 512, "{ran:?}");
                assert!(out == big[..out.len()], "{ran:?}");
            }
        }
    }
}

#[test]
fn few_descriptors_and_little_memory() {
    let dir = temp_dir();
    furnish(dir.path());
    let expected = [fs::read(dir.child("a")).unwrap(), noise(1_500_007, 7)].concat();
    // Room for one file, none for a ring beside it; and too little memory for its slots.
    for limit in ["ulimit -n 4", "ulimit -l 0", "ulimit -v 700"] {
        for options in ["", " --io=sync"] {
            let line = format!("exec >out; {limit}; exec $CAT a big");
            shell(&annulet(), options, dir.path(), &line).expect_success();
            assert!(fs::read(dir.child("out")).unwrap() == expected, "{line}");
        }
    }
    let ran = shell(
        &annulet(),
        " --io=ring",
        dir.path(),
        "ulimit -n 4; exec $CAT a big",
    );
    let ran = ran.expect_status(1);
    assert!(ran.stderr.contains("cannot set up io_uring"), "{ran:?}");
    let ran = shell(&annulet(), "", dir.path(), "ulimit -n 3; exec $CAT a a b");
    let ran = ran.expect_status(1);
    assert_eq!(
        ran.stderr,
        "cat: a: Too many open files\ncat: a: Too many open files\ncat: b: Too many open files\n"
    );
}

#[test]
fn every_combination_of_filters() {
    let test = "every_combination_of_filters";
    let Some(gnu) = gnu(test) else { return };
    let mut random = Random(4);
    let files = [
        // Many of the bytes that filters look at.
        (0..300_000).map(|_| random.pick(b"\n\r\txxx")).collect(),
        // All bytes, as often; then text with lines of all lengths.
        noise(300_001, 11),
        (0..700_usize)
            .flat_map(|len| {
                let mut line = vec![b'a'; len % 260];
                if len % 3 == 0 {
                    line.insert(0, b'\t');
                }
                if len % 7 == 0 {
                    line.extend("\u{e9}\r".as_bytes());
                }
                line.push(b'\n');
                line
            })
            .collect(),
    ];
    for combination in 0..64_u32 {
        let mut options = String::new();
        for (bit, option) in "nbsETv".chars().enumerate() {
            if combination >> bit & 1 == 1 {
                options.extend([' ', '-', option]);
            }
        }
        let line = format!("$CAT{options} 0 1 2 0 >out; $CAT 2 | $CAT{options} - 1");
        compare(&gnu, &["auto"], &line, &|dir| {
            for (name, bytes) in ["0", "1", "2"].iter().zip(&files) {
                fs::write(dir.join(name), bytes).unwrap();
            }
        });
    }
}

#[test]
fn line_numbers_beyond_the_column() {
    let test = "line_numbers_beyond_the_column";
    let Some(gnu) = gnu(test) else { return };
    compare(
        &gnu,
        &["auto"],
        "$CAT -n lines lines | tail -c 99",
        &|dir| {
            fs::write(dir.join("lines"), vec![b'\n'; 600_000]).unwrap();
        },
    );
}

#[test]
fn usage_and_version_name_the_command() {
    for args in [&["cat", "--help"][..], &["cat", "--version"]] {
        let ran = run(support::command(annulet()).args(args)).expect_success();
        assert!(ran.stdout_text().contains("cat"), "{ran:?}");
    }
    // As GNU's since 9.6: its path is where `getopt_long` speaks, and where help is.
    let by_path = |arg| run(support::command(annulet()).arg0("/some/where/cat").arg(arg));
    let ran = by_path("nope").expect_status(1);
    assert_eq!(ran.stderr, "cat: nope: No such file or directory\n");
    let ran = by_path("--nope").expect_status(1);
    assert_eq!(
        ran.stderr,
        "/some/where/cat: unrecognized option '--nope'\n\
         Try '/some/where/cat --help' for more information.\n"
    );
    let ran = run(support::command(annulet()).args(["cat", "--io=nope"])).expect_status(1);
    assert!(ran.stderr.starts_with("cat: invalid argument"), "{ran:?}");
}

/// What comes from a reader until `expected` bytes are there or ten seconds have passed.
fn read_in_time(mut from: impl Read + Send + 'static, expected: usize) -> Vec<u8> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = [0; 256];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if sender.send(bytes[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut all = Vec::new();
    while all.len() < expected
        && let Ok(bytes) = receiver.recv_timeout(Duration::from_secs(10))
    {
        all.extend(bytes);
    }
    all
}

#[test]
fn data_appears_as_it_arrives() {
    for (options, input, expected) in [
        ("-u", "hello", "hello"),
        ("--io=ring", "hello", "hello"),
        ("-n", "hello", "     1\thello"),
        // Only a carriage return waits for what is behind it.
        ("-E", "hello\r", "hello"),
    ] {
        let mut child = support::command(annulet())
            .args(["cat", options])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        let found = read_in_time(child.stdout.take().unwrap(), expected.len());
        drop(stdin);
        assert!(child.wait().unwrap().success());
        assert_eq!(String::from_utf8_lossy(&found), expected, "{options}");
    }
}

/// Also when so much has gone by that the kernel moves the rest.
#[test]
fn data_appears_as_it_arrives_in_the_kernel() {
    let dir = temp_dir();
    let first = noise(300_000, 5);
    for way in ways(&WAYS) {
        let start = |output: Stdio| {
            support::command(annulet())
                .args(["cat", &format!("--io={way}")])
                .stdin(Stdio::piped())
                .stdout(output)
                .spawn()
                .unwrap()
        };
        let mut child = start(Stdio::piped());
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let sent = first.clone();
        let feeder = thread::spawn(move || {
            stdin.write_all(&sent).unwrap();
            stdin
        });
        let mut found = vec![0; first.len()];
        stdout.read_exact(&mut found).unwrap();
        assert!(found == first, "--io={way}");
        let mut stdin = feeder.join().unwrap();
        for word in ["hello", " ", "there"] {
            stdin.write_all(word.as_bytes()).unwrap();
            let mut found = vec![0; word.len()];
            stdout.read_exact(&mut found).unwrap();
            assert_eq!(found, word.as_bytes(), "--io={way}");
        }
        drop(stdin);
        assert!(child.wait().unwrap().success());

        let out = dir.child("out");
        let mut child = start(File::create(&out).unwrap().into());
        let mut stdin = child.stdin.take().unwrap();
        let mut expected = first.clone();
        stdin.write_all(&expected).unwrap();
        for word in ["hello", "there"] {
            stdin.write_all(word.as_bytes()).unwrap();
            expected.extend(word.as_bytes());
            let mut tries = 0;
            while fs::read(&out).unwrap() != expected {
                thread::sleep(Duration::from_millis(10));
                tries += 1;
                assert!(tries < 1000, "--io={way}: {word} does not appear");
            }
        }
        drop(stdin);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn pipes_written_and_read_in_small_pieces() {
    let dir = temp_dir();
    let content = noise(700_001, 9);
    for (seed, way) in (1..).zip(ways(&WAYS)) {
        for append in [false, true] {
            let out = dir.child("out");
            let _ = fs::remove_file(&out);
            let file = File::options()
                .create(true)
                .append(append)
                .write(true)
                .open(&out);
            let start = |input: Stdio, output: Stdio| {
                support::command(annulet())
                    .args(["cat", &format!("--io={way}")])
                    .stdin(input)
                    .stdout(output)
                    .spawn()
                    .unwrap()
            };
            let mut first = start(Stdio::piped(), Stdio::piped());
            let between = first.stdout.take().unwrap();
            let mut second = start(between.into(), file.unwrap().into());
            let mut stdin = first.stdin.take().unwrap();
            let mut random = Random(seed);
            let mut rest = &content[..];
            while !rest.is_empty() {
                let most = random.pick(&[1, 100, 5000, 70_000]);
                let (piece, behind) = rest.split_at(rest.len().min(1 + random.below(most)));
                stdin.write_all(piece).unwrap();
                rest = behind;
            }
            drop(stdin);
            assert!(first.wait().unwrap().success() && second.wait().unwrap().success());
            assert!(
                fs::read(&out).unwrap() == content,
                "--io={way} append={append}"
            );
        }
    }
}

#[allow(unsafe_code)]
fn set_nonblocking(fd: &impl AsRawFd) {
    // SAFETY: takes three numbers.
    let done = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(done, 0);
}

#[test]
fn descriptors_that_do_not_wait() {
    let dir = temp_dir();
    let big = noise(1_000_003, 3);
    fs::write(dir.child("big"), &big).unwrap();
    for way in ways(&WAYS) {
        let (input, mut feed) = std::io::pipe().unwrap();
        let (mut found, output) = std::io::pipe().unwrap();
        set_nonblocking(&input);
        set_nonblocking(&output);
        let mut child = support::command(annulet())
            .args(["cat", &format!("--io={way}"), "-"])
            .arg(dir.child("big"))
            .stdin(input)
            .stdout(output)
            .spawn()
            .unwrap();
        // Both ends find nothing to do at first.
        thread::sleep(Duration::from_millis(50));
        feed.write_all(b"first ").unwrap();
        // Written by somebody who may wait: the flag is one of the pipe's end.
        let sent = big.clone();
        let feeder = thread::spawn(move || {
            for piece in sent.chunks(50_021) {
                feed.write_all(piece).unwrap();
                thread::sleep(Duration::from_millis(2));
            }
        });
        thread::sleep(Duration::from_millis(50));
        let mut all = Vec::new();
        found.read_to_end(&mut all).unwrap();
        feeder.join().unwrap();
        assert!(child.wait().unwrap().success());
        assert!(all == [&b"first "[..], &big, &big].concat(), "--io={way}");
    }
}

/// The system calls of the `cat` that a line of shell in `dir` starts, or the first of them, or the
/// one in `$CAT`; `None` where nobody may trace.
fn calls(test: &str, dir: &Path, line: &str) -> Option<Vec<String>> {
    let Some(strace) = find_program("strace") else {
        skip(test, "strace is not installed");
        return None;
    };
    let bin = temp_dir();
    symlink(annulet(), bin.child("cat")).unwrap();
    let trace = bin.child("trace");
    let traced = format!(
        "{} -o {} {}/cat",
        strace.display(),
        trace.display(),
        bin.path().display()
    );
    let line = match line.strip_prefix("cat ") {
        Some(rest) => format!("exec {traced} {rest}"),
        None => line.replace("$CAT", &traced),
    };
    let ran = run(Command::new("sh").args(["-c", &line]).current_dir(dir));
    if ran.status != 0 {
        skip(test, &format!("strace does not work here: {ran:?}"));
        return None;
    }
    let trace = String::from_utf8_lossy(&fs::read(trace).unwrap()).into_owned();
    let lines = trace.lines().filter(|line| line.contains('('));
    Some(lines.map(str::to_owned).collect())
}

/// How many calls there are of that name.
fn count(calls: &[String], name: &str) -> usize {
    let call = format!("{name}(");
    calls.iter().filter(|line| line.starts_with(&call)).count()
}

/// How many bytes so many calls have moved; the program's own, not its loader's.
fn transferred(calls: &[String], name: &str) -> usize {
    let call = format!("{name}(");
    let lines = calls.iter().filter(|line| line.starts_with(&call));
    let results = lines.filter_map(|line| line.rsplit_once(" = ")?.1.parse::<usize>().ok());
    results.sum()
}

#[test]
fn a_small_file_takes_few_calls() {
    let test = "a_small_file_takes_few_calls";
    let dir = temp_dir();
    furnish(dir.path());
    let calls = |line: &str| calls(test, dir.path(), line);
    let Some(small) = calls("cat a | cat") else {
        return;
    };
    assert!(small.len() <= 10, "{}", small.join("\n"));
    assert_eq!(count(&small, "io_uring_setup"), 0);
    let Some(closed) = calls("cat a <&-") else {
        return;
    };
    assert_eq!(count(&closed, "read(0, "), 0, "{}", closed.join("\n"));
    for small in ["cat a", "cat a >out", "cat a b | cat", "cat a a a >>out"] {
        let calls = calls(small).unwrap();
        for name in ["splice", "fcntl", "pipe2", "fadvise64"] {
            assert_eq!(count(&calls, name), 0, "{small}: {}", calls.join("\n"));
        }
    }
    let small = calls("cat --io=ring a >out").unwrap();
    assert_eq!(count(&small, "io_uring_setup"), 1);
}

#[test]
fn a_large_file_is_moved_by_the_kernel() {
    let test = "a_large_file_is_moved_by_the_kernel";
    let dir = temp_dir();
    furnish(dir.path());
    let calls = |line: &str| calls(test, dir.path(), line);
    // Into a pipe and to nowhere the kernel moves what is large. A buffer's worth is read before
    // that, and what fills the pipe afterwards.
    for (line, read) in [
        ("cat big | wc -c", 128 << 10..512 << 10),
        ("cat - <big | wc -c", 128 << 10..512 << 10),
        ("cat big >/dev/null", 128 << 10..256 << 10),
        ("cat big a big >/dev/null", 256 << 10..512 << 10),
    ] {
        let Some(calls) = calls(line) else {
            return;
        };
        let trace = calls.join("\n");
        assert!(
            read.contains(&transferred(&calls, "read")),
            "{line}: {trace}"
        );
        assert!(
            read.contains(&transferred(&calls, "write")),
            "{line}: {trace}"
        );
        assert!(count(&calls, "splice") >= 4, "{line}: {trace}");
        assert_eq!(count(&calls, "io_uring_setup"), 0, "{line}: {trace}");
    }
}

#[test]
fn what_is_not_moved_is_written() {
    let test = "what_is_not_moved_is_written";
    let dir = temp_dir();
    furnish(dir.path());
    let calls = |line: &str| calls(test, dir.path(), line);
    // All else is written: nothing but `write` keeps others' places in a file, and nothing else
    // is done to a file.
    for line in [
        "cat big >out",
        "cat big a >>out",
        "cat - <big >out",
        "<big cat | $CAT >out",
        "<big cat | $CAT >>out",
        "<big cat | $CAT | wc -c",
        "cat --io=sync big | wc -c",
        "cat --io=sync big >/dev/null",
        "cat -n big | wc -c",
        "cat -n big >out",
        "cat --io=ring big >out",
        "cat --io=ring big a >>out",
        "cat --io=ring big | wc -c",
    ] {
        let Some(calls) = calls(line) else {
            return;
        };
        let trace = calls.join("\n");
        assert!(transferred(&calls, "write") >= 1_500_007, "{line}: {trace}");
        for name in [
            "splice",
            "sendfile",
            "copy_file_range",
            "pwrite64",
            "fallocate",
            "ftruncate",
        ] {
            assert_eq!(count(&calls, name), 0, "{line}: {trace}");
        }
        let by_ring = usize::from(line.contains("ring"));
        assert_eq!(count(&calls, "io_uring_setup"), by_ring, "{line}: {trace}");
        if by_ring == 1 {
            assert!(transferred(&calls, "read") < 100, "{line}: {trace}");
        }
    }
}

/// Every way data can be moved, refused at its start or when part of it has been done.
#[test]
fn refused_calls_make_no_difference() {
    let dir = temp_dir();
    furnish(dir.path());
    let big = noise(1_500_007, 7);
    let mut cases = Vec::new();
    for errno in [
        libc::EPERM,
        libc::ENOSYS,
        libc::EINVAL,
        libc::EBADF,
        libc::ESPIPE,
        libc::EAGAIN,
        libc::EIO,
        libc::EINTR,
        0,
    ] {
        cases.push(Refused::always(libc::SYS_splice, errno));
        // Input is read, output is not written: what is held in between must come out.
        cases.push(Refused {
            argument: Some((2, 1)),
            ..Refused::always(libc::SYS_splice, errno)
        });
    }
    for call in [libc::SYS_pipe2, libc::SYS_fcntl, libc::SYS_fadvise64] {
        cases.push(Refused::always(call, libc::EPERM));
    }
    cases.push(Refused::always(libc::SYS_pipe2, libc::EMFILE));
    // Nothing need be known of what is read and written.
    for errno in [libc::EPERM, libc::ENOSYS] {
        cases.push(Refused::always(libc::SYS_statx, errno));
    }
    // Nobody could find out whether a reader has taken a file's own pages.
    cases.push(Refused {
        argument: Some((1, u32::try_from(libc::FIONREAD).unwrap())),
        ..Refused::always(libc::SYS_ioctl, libc::EPERM)
    });
    let out = dir.child("out");
    let ways = pairs([false, true], [false, true]).collect::<Vec<_>>();
    for (refused, (append, from_pipe)) in pairs(cases, ways) {
        let context = format!("{refused:?} append={append} from_pipe={from_pipe}");
        let start = |output: Stdio| {
            let mut command = support::command(annulet());
            command
                .args(["cat", "-"])
                .arg(dir.child("big"))
                .stdout(output);
            refuse(&mut command, refused);
            if from_pipe {
                let (input, mut feed) = std::io::pipe().unwrap();
                let sent = big.clone();
                thread::spawn(move || feed.write_all(&sent).unwrap());
                command.stdin(input);
            } else {
                command.stdin(File::open(dir.child("big")).unwrap());
            }
            command.spawn().unwrap().wait_with_output().unwrap()
        };
        fs::write(&out, if append { "before" } else { "" }).unwrap();
        let before = fs::read(&out).unwrap();
        let file = File::options().append(append).write(true).open(&out);
        let ran = start(file.unwrap().into());
        assert!(ran.status.success(), "{context}");
        let expected = [&before[..], &big, &big].concat();
        assert!(fs::read(&out).unwrap() == expected, "{context}");
        if !append {
            let ran = start(Stdio::piped());
            assert!(ran.status.success(), "{context}");
            assert!(ran.stdout == expected, "{context}");
            assert!(start(Stdio::null()).status.success(), "{context}");
        }
    }
}

/// What has been printed is not printed again where a file's position cannot be moved behind it.
#[test]
fn a_position_that_cannot_be_moved() {
    let dir = temp_dir();
    furnish(dir.path());
    let big = noise(1_500_007, 7);
    for whence in [libc::SEEK_SET, libc::SEEK_CUR] {
        let refused = Refused {
            argument: Some((2, whence.unsigned_abs())),
            ..Refused::always(libc::SYS_lseek, libc::EPERM)
        };
        for (way, operand) in ways(&WAYS)
            .into_iter()
            .flat_map(|way| [(way, "big"), (way, "-")])
        {
            let mut command = Command::new(annulet());
            command
                .args(["cat", &format!("--io={way}"), operand, "a"])
                .current_dir(dir.path())
                .stdin(File::open(dir.child("big")).unwrap())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            refuse(&mut command, refused);
            let ran = command.spawn().unwrap().wait_with_output().unwrap();
            let context = format!("--io={way} {operand} {whence}");
            let message = String::from_utf8_lossy(&ran.stderr).into_owned();
            if way == "ring" && message.contains("io_uring") {
                skip(&context, &message);
                continue;
            }
            assert!(ran.status.success(), "{context}: {message}");
            let expected = [&big, &b"AAA\n"[..]].concat();
            assert!(
                ran.stdout == expected,
                "{context}: {} bytes, not {}",
                ran.stdout.len(),
                expected.len()
            );
        }
    }
}

/// A disk elsewhere may say only then that it is full.
#[test]
fn an_error_at_the_end_is_told() {
    let dir = temp_dir();
    furnish(dir.path());
    let refused = Refused {
        argument: Some((0, 1)),
        ..Refused::always(libc::SYS_close, libc::EDQUOT)
    };
    for line in ways(&["a", "-n a", "big", "--io=ring big"]) {
        let mut command = support::command(annulet());
        command
            .arg("cat")
            .args(line.split(' '))
            .current_dir(dir.path())
            .stdout(File::create(dir.child("out")).unwrap())
            .stderr(Stdio::piped());
        refuse(&mut command, refused);
        let ran = command.spawn().unwrap().wait_with_output().unwrap();
        assert_eq!(ran.status.code(), Some(1), "{line}");
        let message = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(message, "cat: write error: Disk quota exceeded\n");
    }
}

#[test]
fn a_ring_that_is_refused_makes_no_difference() {
    let dir = temp_dir();
    furnish(dir.path());
    let expected = noise(1_500_007, 7);
    for errno in [
        libc::EPERM,
        libc::ENOSYS,
        libc::EINVAL,
        libc::EOPNOTSUPP,
        libc::ENOMEM,
        libc::EACCES,
    ] {
        let start = |way: &str, output: Stdio| {
            let mut command = support::command(annulet());
            command
                .args(["cat", way])
                .arg(dir.child("big"))
                .stdout(output)
                .stderr(Stdio::piped());
            refuse(
                &mut command,
                Refused::always(libc::SYS_io_uring_setup, errno),
            );
            command.spawn().unwrap().wait_with_output().unwrap()
        };
        let output = File::create(dir.child("out")).unwrap();
        let ran = start("--io=auto", output.into());
        assert!(ran.status.success() && ran.stderr.is_empty(), "{ran:?}");
        assert!(fs::read(dir.child("out")).unwrap() == expected);
        let ran = start("--io=ring", Stdio::piped());
        assert_eq!(ran.status.code(), Some(1));
        let message = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(
            message.starts_with("cat: cannot set up io_uring (") && ran.stdout.is_empty(),
            "{errno}: {message}"
        );
    }
}
