//! What GNU's program does is right: it and annulet run the same command, each in a scene of its
//! own at the same place, and all that can be seen must be the same.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{self, PipeReader, PipeWriter, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use super::case::{Case, Command, How, Input, Output};
use super::child;
use super::exceptions::Found;
use super::feeder::feed;
use super::outcome::{Left, Outcome};
use super::scene::{Scene, give};
use super::trees::remove;
use crate::support::{self, Ran};

/// The times of the folders around a scene.
const AROUND: (i64, i64) = (1_000_000, 0);

/// How often a scene is made anew where the file system numbers inodes in another order.
const ATTEMPTS: u32 = 10;

/// Both programs, and a folder for them to work in.
pub struct Oracle<'a> {
    pub gnu: &'a Path,
    pub annulet: &'a Path,
    pub folder: &'a Path,
    /// Whether scenes are so small that annulet works alone unless it is told otherwise: then it
    /// has to keep GNU's order.
    pub is_alone: bool,
    /// Whether GNU's program is older than 9.5, and may leave special bits of modes.
    pub is_old: bool,
}

/// A case and what GNU's program makes of it.
pub struct Answer<'a> {
    oracle: &'a Oracle<'a>,
    case: &'a Case,
    expected: Outcome,
}

/// How annulet's run differs from GNU's.
pub struct Difference {
    /// One line for each thing that differs.
    pub lines: Vec<String>,
    /// What both said.
    pub gnu: String,
    pub annulet: String,
    /// Why that is right, if it is.
    pub excuse: Option<&'static str>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines.join("\n  ");
        write!(f, "  {lines}\nGNU: {}\nannulet: {}", self.gnu, self.annulet)
    }
}

impl Oracle<'_> {
    /// Asks GNU's program.
    pub fn ask<'a>(&'a self, case: &'a Case) -> Answer<'a> {
        Answer {
            oracle: self,
            case,
            expected: run(case, self.gnu, self.folder, "", None),
        }
    }

    /// Whether annulet does one thing after the other if it is given the arguments `way`.
    fn is_ordered(&self, way: &str) -> bool {
        let jobs = way.split(' ').find_map(|word| word.strip_prefix("-j"));
        jobs.map_or(self.is_alone, |jobs| jobs == "1")
    }

    /// Runs a case by annulet with each of the arguments `ways`, and tells all that differs, with
    /// an excuse or without.
    pub fn check(&self, case: &Case, ways: &[&str]) -> Result<(), String> {
        let mut answer = self.ask(case);
        let mut found: Vec<(String, String)> = Vec::new();
        for way in ways {
            let Some(difference) = answer.differs(way) else {
                continue;
            };
            // Mostly it is the same whichever way the data went.
            let what = difference.to_string();
            match found.iter_mut().find(|(_, other)| *other == what) {
                Some((others, _)) => others.extend([" and ", &format!("{way:?}")]),
                None => found.push((format!("{way:?}"), what)),
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        let told = found
            .iter()
            .map(|(ways, what)| format!("with {ways}:\n{what}"));
        let told: Vec<_> = told.collect();
        Err(format!(
            "{}\n{}\n{}\n",
            case.name,
            case.script(""),
            told.join("\n")
        ))
    }
}

impl Answer<'_> {
    /// Runs the case by annulet, with the arguments `way` before its own, and tells what differs.
    pub fn differs(&mut self, way: &str) -> Option<Difference> {
        let (case, folder) = (self.case, self.oracle.folder);
        let ordered = self.oracle.is_ordered(way);
        // In memory inodes are numbered in the order in which they are made.
        let in_memory = child::statfs(folder).f_type == libc::TMPFS_MAGIC;
        let has_order = ordered || self.oracle.is_alone;
        let by_inode = has_order && case.command == Command::Cp && !in_memory;
        for attempt in 1.. {
            let order = by_inode.then_some(&self.expected.order[..]);
            let found = run(case, self.oracle.annulet, folder, way, order);
            if self.compare(&found, way, ordered).is_empty() {
                return None;
            }
            let is_same_order = !by_inode || self.expected.same_order(&found);
            if is_same_order || self.expected.tree.is_none() {
                return self.difference(&found, way, ordered, None);
            }
            if attempt == ATTEMPTS {
                // Then at least all that does not depend on the order.
                let why = "the file system numbered inodes in another order each time";
                return self.difference(&found, way, false, Some(why));
            }
            self.expected = run(case, self.oracle.gnu, folder, "", None);
        }
        None
    }

    fn compare(&self, found: &Outcome, way: &str, ordered: bool) -> Vec<String> {
        let mut lines = if self.oracle.is_old {
            let excused = self.expected.with_modes_of(found);
            excused.differences(found, ordered)
        } else {
            self.expected.differences(found, ordered)
        };
        if way.contains("--io=ring") {
            // It reads what GNU cp shares the blocks of.
            lines.retain(|line| !line.contains(": access time "));
        }
        lines
    }

    fn difference(
        &self,
        found: &Outcome,
        way: &str,
        ordered: bool,
        excuse: Option<&'static str>,
    ) -> Option<Difference> {
        let lines = self.compare(found, way, ordered);
        if lines.is_empty() {
            return None;
        }
        Some(Difference {
            gnu: self.expected.ran.said(),
            annulet: found.ran.said(),
            excuse: self.excuse(found, &lines, ordered).or(excuse),
            lines,
        })
    }

    /// Why a difference is none that annulet has to mend.
    fn excuse(&self, found: &Outcome, lines: &[String], ordered: bool) -> Option<&'static str> {
        let (case, expected) = (self.case, &self.expected);
        if expected.tree.is_none() {
            return Some("GNU's program did not end, or went down for ever");
        }
        if case.command == Command::Cat {
            let both_ended = expected.ran.status < 0 && found.ran.status < 0;
            return both_ended.then_some("both were ended by a limit, which of them is chance");
        }
        Found {
            scene: &case.scene,
            args: &case.args,
            ordinary: case.setting.user.is_some(),
            ordered,
            changed: expected.changed(&case.scene, "s"),
            gnu: &expected.ran.stderr,
            ours: &found.ran.stderr,
            lines,
        }
        .exception()
    }
}

/// Runs the case once, in a scene whose inodes follow each other in the order given: both
/// programs go through folders in the order of inodes, and order matters to what is seen.
fn run(
    case: &Case,
    program: &Path,
    folder: &Path,
    way: &str,
    order: Option<&[PathBuf]>,
) -> Outcome {
    let top = folder.join("copy");
    // Some way down, so that a `..` too many does not lead out.
    let dir = top.join("1/2/3");
    for attempt in 1.. {
        fs::create_dir_all(&dir).expect("a folder");
        case.scene.build(&dir);
        let is_so = order.is_none_or(|order| order == inode_order(&dir, &case.scene));
        if is_so || attempt == ATTEMPTS {
            break;
        }
        remove(&top);
    }
    for path in dir.ancestors().take(4) {
        // Not the prepared ones inside: the folders around them.
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("chmod");
        if let Some(user) = case.setting.user {
            give(path, user);
        }
        child::set_times(path, AROUND, AROUND).expect("times");
    }
    let order = inode_order(&dir, &case.scene);
    let mut old: BTreeSet<u64> = order.iter().map(|path| inode(&dir.join(path))).collect();
    old.extend(dir.ancestors().take(4).map(inode));
    let fifos: Vec<_> = case.fifos().map(|path| dir.join(path)).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let started = i64::try_from(now.expect("a clock").as_secs()).expect("a time");
    let ((ran, positions), fifos) = feed(&fifos, || start(case, program, way, &dir));
    // One that did not end, or went too deep, has left what cannot be listed.
    let left = if ran.status == -libc::SIGKILL {
        Left::unknown()
    } else {
        Left::below(&top)
    };
    remove(&top);
    Outcome {
        ran,
        tree: left.tree,
        details: left.details,
        fifos,
        positions,
        started,
        order,
        inodes: left.inodes,
        old,
        dir,
    }
}

/// The scene's paths in the order of their inodes.
fn inode_order(dir: &Path, scene: &Scene) -> Vec<PathBuf> {
    let mut paths: Vec<_> = scene.items.iter().map(|item| item.path.clone()).collect();
    paths.sort_by_cached_key(|path| inode(&dir.join(path)));
    paths
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |meta| meta.ino())
}

/// Starts the program in `dir` and waits for its end. Returns where its standard input and output
/// stand then, too.
fn start(case: &Case, program: &Path, way: &str, dir: &Path) -> (Ran, [Option<u64>; 2]) {
    let args = case.args_in(way, dir);
    let mut command = child::command_named(case.command.name(), program, &args, dir);
    command.envs(case.setting.env.iter().copied());
    let mut setting = case.setting.clone();
    let closed = [
        (case.input == Input::Closed, 0),
        (case.output == Output::Closed, 1),
    ];
    setting.closed.extend(
        closed
            .iter()
            .filter_map(|&(closed, fd)| closed.then_some(fd)),
    );
    let (input, output) = (Source::of(&case.input, dir), Sink::of(&case.output, dir));
    let ends = [input.end, output.end];
    let (mut ran, drained) = thread::scope(|scope| {
        if let (Some(mut pipe), Input::Pipe(bytes, step)) = (input.feed, &case.input) {
            // One that ends before it has read all of it is no error.
            let mut pieces = bytes.chunks(*step);
            scope.spawn(move || pieces.try_for_each(|piece| pipe.write_all(piece)));
        }
        let drain = output.drain.map(|mut pipe| {
            scope.spawn(move || {
                let mut bytes = Vec::new();
                pipe.read_to_end(&mut bytes).expect("what was written");
                bytes
            })
        });
        let ran = child::run_between(&mut command, &setting, ends);
        (ran, drain.map(|drain| drain.join().expect("a reader")))
    });
    ran.stdout = match (drained, output.kept) {
        (Some(bytes), _) => bytes,
        (None, Some(mut file)) => child::contents(&mut file),
        (None, None) => Vec::new(),
    };
    let is_refused = match &case.output {
        Output::File(opened) => opened.is_refused(),
        output => *output == Output::Closed,
    };
    let mut positions = [position(input.file), position(output.file)];
    if is_refused {
        // How much is read before that is found out is open.
        positions = [None, None];
    }
    (ran, positions)
}

/// Where a file stands, if it is one that has places.
fn position(file: Option<File>) -> Option<u64> {
    let is_file = |file: &File| file.metadata().is_ok_and(|meta| meta.is_file());
    let mut file = file.filter(is_file)?;
    Some(file.stream_position().expect("a position"))
}

/// Standard input as the program gets it, and what of it is the test's.
struct Source {
    end: Stdio,
    /// The pipe that the program reads from.
    feed: Option<PipeWriter>,
    /// The file that the program reads from, to be asked where it stands.
    file: Option<File>,
}

impl Source {
    fn of(input: &Input, dir: &Path) -> Self {
        let (mut feed, mut file) = (None, None);
        let end = match input {
            Input::Nothing | Input::Closed => Stdio::null(),
            Input::Bytes(bytes) => {
                let mut file = child::memory_file();
                file.write_all(bytes).expect("room");
                file.rewind().expect("rewind");
                file.into()
            }
            Input::Pipe(..) => {
                let (reader, writer) = io::pipe().expect("a pipe");
                feed = Some(writer);
                reader.into()
            }
            Input::File(opened) => {
                let source = opened.open(dir);
                let own = source.try_clone().expect("a descriptor");
                file = (opened.how == How::Read).then_some(own);
                source.into()
            }
        };
        Self { end, feed, file }
    }
}

/// Standard output as the program gets it, and what of it is the test's.
struct Sink {
    end: Stdio,
    /// The pipe that the program writes to.
    drain: Option<PipeReader>,
    /// The file in memory that the program writes to.
    kept: Option<File>,
    /// The file of the scene that the program writes to, to be asked where it stands.
    file: Option<File>,
}

impl Sink {
    fn of(output: &Output, dir: &Path) -> Self {
        let (mut drain, mut kept, mut file) = (None, None, None);
        let own = |file: &File| file.try_clone().expect("a descriptor");
        let end = match output {
            Output::Closed => Stdio::null(),
            Output::Kept => {
                let memory = child::memory_file();
                kept = Some(own(&memory));
                memory.into()
            }
            Output::Pipe => {
                let (reader, writer) = io::pipe().expect("a pipe");
                drain = Some(reader);
                writer.into()
            }
            Output::File(opened) => {
                let sink = opened.open(dir);
                // Appending goes to the end wherever it stands; GNU moves it there to find the
                // end.
                file = (opened.how != How::Append).then(|| own(&sink));
                sink.into()
            }
        };
        Self {
            end,
            drain,
            kept,
            file,
        }
    }
}

/// The GNU `cp` to compare with.
pub fn gnu_cp(test: &str) -> Option<PathBuf> {
    support::gnu("cp", test).map(|(program, _)| program)
}
