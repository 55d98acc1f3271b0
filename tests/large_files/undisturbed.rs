//! Copies that go on to their end, while somebody reads the destination or asks how far they
//! have come.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::copies::{
    Verdict, Verdicts, WAYS, alone, content, cp, ended, is_same, is_whole, length, options,
};
use crate::cp::child;
use crate::file_systems::{Kind, on_each};
use crate::sources::{Source, sources};
use crate::support::{annulet, skip};

const SIZE_MIB: usize = 64;

/// Reads what is there of a copy again and again until `done`. Every byte is looked at once the
/// length says that it is there, and first those before the end: a gap does not last. Returns how
/// often that was some and not all.
fn read_beside(path: &Path, content: &[u8], done: &AtomicBool) -> Verdict<usize> {
    const FIRST: usize = 4 << 20;
    let (mut seen, mut in_the_middle) = (0, 0);
    while !done.load(Ordering::Relaxed) {
        let Ok(file) = File::open(path) else {
            continue;
        };
        let len = length(&file);
        if len > content.len() {
            return Err(format!("{len} bytes, too many"));
        }
        is_same(&file, content, len.saturating_sub(FIRST), len)?;
        is_same(&file, content, seen, len)?;
        in_the_middle += usize::from(len > seen && len < content.len());
        seen = len;
    }
    Ok(in_the_middle)
}

/// Whoever reads the destination finds a prefix of the source, at any time.
#[test]
fn a_reader_beside() {
    const TEST: &str = "a_reader_beside";
    let _alone = alone();
    let sources = sources(SIZE_MIB);
    let [whole, holes, _] = &sources;
    let verdicts = Mutex::new(Verdicts::default());
    on_each(TEST, &Kind::ALL, 512, |kind, dir| {
        whole.write(dir);
        holes.write(dir);
        let settings = WAYS
            .map(|way| (way, whole))
            .into_iter()
            .chain(["--io=auto", "--io=auto --sparse=always"].map(|way| (way, holes)));
        for (way, source) in settings {
            let Some(options) = options(way, kind) else {
                continue;
            };
            let what = format!("{}: {options} {}", kind.name(), source.name);
            let verdict = looks_at_copies(&options, dir, source);
            if verdict == Ok(0) {
                skip(TEST, &format!("{what}: nothing was seen meanwhile"));
            }
            println!("{what}: {verdict:?} looks in the middle");
            verdicts.lock().unwrap().add(&what, verdict.map(|_| ()));
        }
    });
    verdicts.into_inner().unwrap().all_good();
}

/// How often copies were seen that were not whole.
fn looks_at_copies(options: &str, dir: &Path, source: &Source) -> Verdict<usize> {
    const MOST_COPIES: usize = 10;
    const ENOUGH_LOOKS: usize = 30;
    let mut seen = 0;
    // As a busy machine may let nobody look meanwhile.
    for _ in 0..MOST_COPIES {
        let looks = copy_beside_a_reader(options, dir, source);
        fs::remove_file(dir.join("copy")).ok();
        seen += looks?;
        if seen >= ENOUGH_LOOKS {
            break;
        }
    }
    Ok(seen)
}

/// How often a copy was seen that was not whole.
fn copy_beside_a_reader(options: &str, dir: &Path, source: &Source) -> Verdict<usize> {
    let (to, done) = (dir.join("copy"), AtomicBool::new(false));
    let (ran, seen) = thread::scope(|scope| {
        let reader = scope.spawn(|| read_beside(&to, &source.content, &done));
        let ran = cp(&format!("{options} {} copy", source.name), dir);
        done.store(true, Ordering::Relaxed);
        (ran, reader.join().expect("a reader"))
    });
    ended(&ran, 0, "")?;
    let seen = seen?;
    is_whole(&to, &source.content)?;
    Ok(seen)
}

/// Asks a copy by SIGUSR1 how far it has come, as often as that can be asked.
fn asked_all_the_time(line: &str, dir: &Path) -> (ExitStatus, String) {
    let mut command = child::cp_command(&annulet(), &child::words(line), dir);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(dir.join("said")).expect("a file"));
    // Until it counts the signal it is not to be ended by it.
    let ignore = || {
        // SAFETY: a system call, and no handler of ours.
        unsafe { libc::signal(libc::SIGUSR1, libc::SIG_IGN) };
        Ok(())
    };
    // SAFETY: between fork and exec only that call is made.
    unsafe { command.pre_exec(ignore) };
    let mut running: Child = command.spawn().expect("a process");
    let pid = libc::pid_t::try_from(running.id()).expect("a process number");
    // Ever less often, as a copy has to get on.
    let mut pause = Duration::from_micros(50);
    let status = loop {
        if let Some(status) = running.try_wait().expect("a status") {
            break status;
        }
        // SAFETY: takes numbers; the process is ours and not waited for yet.
        unsafe { libc::kill(pid, libc::SIGUSR1) };
        thread::sleep(pause);
        pause = (pause * 101 / 100).min(Duration::from_millis(20));
    };
    let said = fs::read_to_string(dir.join("said")).expect("what it said");
    (status, said)
}

/// Signals that are no order to end are none.
#[test]
fn many_signals() {
    let _alone = alone();
    let content = &content(SIZE_MIB);
    let verdicts = Mutex::new(Verdicts::default());
    on_each(
        "many_signals",
        &[Kind::Tmpfs, Kind::Ext4],
        512,
        |kind, dir| {
            fs::write(dir.join("whole"), content).expect("a source");
            for way in WAYS {
                let line = format!("{way} whole copy");
                let (status, said) = asked_all_the_time(&line, dir);
                let answers = said.lines().filter(|line| line.contains("files")).count();
                let what = format!("{}: {line}, {answers} answers", kind.name());
                println!("{what}");
                let verdict = if !status.success() {
                    Err(format!("{status}, {:?}", said.lines().next()))
                } else if answers == 0 {
                    Err("no answer to many signals".to_owned())
                } else {
                    is_whole(&dir.join("copy"), content)
                };
                verdicts.lock().unwrap().add(&what, verdict);
                fs::remove_file(dir.join("copy")).ok();
            }
        },
    );
    verdicts.into_inner().unwrap().all_good();
}
