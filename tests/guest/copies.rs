//! Copies from, to and within each file system are what GNU's are.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::places::{Place, mounted};
use crate::report::Report;
use crate::sources::{rich_tree, xattr};
use crate::support::{Agree, Ran, Tree, annulet, command, differences, run, tree};
use crate::{faults, waiting};

/// How the program may be told to go about it.
const WAYS: [&[&str]; 4] = [&[], &["--io=ring"], &["-j1"], &["-j16"]];

/// A file may take so many blocks of 512 bytes more or less: the sparse one has holes of 2 MiB.
const BLOCKS: u64 = 2048;

/// One of both programs, with the folder that it is started in.
pub type Cp = fn(&Path, &[&str]) -> Ran;

/// The program under test, started in `folder`.
pub fn ours(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = command(annulet());
    run(command.arg("cp").args(arguments).current_dir(folder))
}

/// GNU's, which begins its messages with the name it is called by.
pub fn theirs(folder: &Path, arguments: &[&str]) -> Ran {
    let cp = std::env::var_os("ANNULET_GUEST_GNU").expect("given by the first process");
    let mut command = command(cp);
    run(command.arg0("cp").args(arguments).current_dir(folder))
}

/// What is said on standard error, in the order of the alphabet: workers are in none.
pub fn complaints(ran: &Ran) -> Vec<&str> {
    let mut lines: Vec<_> = ran.stderr.lines().collect();
    lines.sort_unstable();
    lines
}

/// One command: what is copied, relative to the folder with the source, and how.
struct Job {
    options: &'static [&'static str],
    operands: &'static [&'static str],
    /// What has to be there before.
    before: fn(&Path),
    /// Whether times are kept.
    times: bool,
}

const JOBS: [Job; 9] = [
    Job::of(&["-a"], &["tree"]).keeping_times(),
    Job::of(&["-r"], &["tree"]),
    Job::of(&["-rl"], &["tree"]),
    Job::of(&["-r", "--sparse=always"], &["tree"]),
    Job::of(&["--sparse=auto"], &["tree/sparse"]),
    Job::of(&["--reflink=auto"], &["tree/sparse"]),
    Job::of(&["--reflink=always"], &["tree/small3"]),
    Job {
        before: older_and_newer,
        ..Job::of(&["-au"], &["tree/."]).keeping_times()
    },
    Job {
        before: empty_folder,
        ..Job::of(
            &["-rp"],
            &[
                "tree/small1",
                "tree/small2",
                "tree/missing",
                "tree/folder1",
                "tree/sparse",
                "tree/small1",
            ],
        )
    },
];

impl Job {
    const fn of(options: &'static [&'static str], operands: &'static [&'static str]) -> Self {
        Self {
            options,
            operands,
            before: |_| (),
            times: false,
        }
    }

    const fn keeping_times(self) -> Self {
        Self {
            times: true,
            ..self
        }
    }
}

fn empty_folder(copy: &Path) {
    fs::create_dir(copy).unwrap();
}

/// A copy with a file that is older than the source's, and one that is newer.
fn older_and_newer(copy: &Path) {
    fs::create_dir(copy).unwrap();
    for (name, seconds) in [("small1", 1_000_000), ("small4", 4_000_000_000)] {
        fs::write(copy.join(name), "from before").unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let file = File::options().write(true).open(copy.join(name)).unwrap();
        file.set_modified(time).unwrap();
    }
}

/// Tries everything on every file system.
pub fn check(report: &mut Report) {
    for place in mounted(report) {
        let made = report.step(&format!("{}: the source", place.name), || {
            assert_eq!(
                rich_tree(&place.near.join("tree")),
                [],
                "the disk of the guest"
            );
            let lacks = rich_tree(&place.far.join("tree"));
            assert_eq!(lacks, place.lacks, "what it cannot keep");
            // Clients remember times for a second that are not the server's.
            thread::sleep(Duration::from_millis(1200));
            fs::write("/proc/sys/vm/drop_caches", "3").unwrap();
        });
        if made.is_none() {
            continue;
        }
        // The third version is beside the fourth for what differs: no holes, no copies made by
        // the server.
        let jobs = if place.name == "NFS 3" {
            &JOBS[..2]
        } else {
            &JOBS
        };
        if is_wanted(&place, "copies") {
            for (number, job) in jobs.iter().enumerate() {
                check_job(report, &place, number, job);
            }
        }
        if place.name == "NFS 4.2" && is_wanted(&place, "waiting") {
            waiting::check(report, &place);
        }
        if place.name == "NFS 4.2" && is_wanted(&place, "faults") {
            faults::check(report, &place);
        }
    }
}

/// Whether a part is not left out there.
fn is_wanted(place: &Place, part: &str) -> bool {
    std::env::var("ANNULET_GUEST_ONLY").map_or(true, |only| [part, place.name].contains(&&*only))
}

/// Makes the copies of a job from the file system, to it and within it.
fn check_job(report: &mut Report, place: &Place, number: usize, job: &Job) {
    let Place { far, near, .. } = place;
    for (from, to, direction) in [(far, near, "from"), (near, far, "to"), (far, far, "within")] {
        // In folders of their own, under the same names, so that the same is said of them.
        let folder = |whose: &str| {
            let folder = to.join(format!("{whose}-{direction}-{number}"));
            fs::create_dir(&folder).unwrap();
            (job.before)(&folder.join("copy"));
            folder
        };
        let command = |way: &[&'static str]| -> Vec<String> {
            let operands = job
                .operands
                .iter()
                .map(|name| from.join(name).display().to_string());
            let options = way.iter().chain(job.options).map(ToString::to_string);
            options.chain(operands).chain(["copy".to_owned()]).collect()
        };
        let name = format!("{}: {} {direction}", place.name, job.options.join(" "));
        let expected = report.step(&format!("{name}, GNU's"), || {
            let folder = folder("theirs");
            let ran = theirs(&folder, &texts(&command(&[])));
            (ran, listed(place, &folder))
        });
        let Some(expected) = expected else { continue };
        let ways = match (job.options, place.name, direction) {
            (["-a"], "NFS 4.2", "within") => &WAYS[..],
            (["-a"], _, "to") => &WAYS[..2],
            _ => &WAYS[..1],
        };
        for (number, way) in ways.iter().enumerate() {
            report.step(&format!("{name} {}", way.join(" ")), || {
                let folder = folder(&format!("ours{number}"));
                let ran = ours(&folder, &texts(&command(way)));
                assert_eq!(complaints(&ran), complaints(&expected.0));
                assert_eq!(ran.status, expected.0.status);
                same(place, &expected.1, &listed(place, &folder), job.times);
            });
        }
    }
}

fn texts(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// A copy, and its attribute.
type Listed = (Tree, Option<Vec<u8>>);

/// Lists what was made in a folder, as it is behind the mount where that is in reach: in memory
/// that is not the client's.
fn listed(place: &Place, folder: &Path) -> Listed {
    let folder = place.past_the_mount(folder);
    until_gone(&folder);
    (tree(&folder), xattr(&folder.join("copy/small0")))
}

/// Waits until nothing is left of what was removed while somebody had it open: NFS's client gives
/// it another name, and removes that some time after it was closed.
pub fn until_gone(folder: &Path) {
    let start = Instant::now();
    while has_renamed(folder) {
        assert!(start.elapsed() < Duration::from_secs(20), "still there");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether there is such a file. It may go away any time.
fn has_renamed(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        entry.file_name().as_encoded_bytes().starts_with(b".nfs")
            || (is_folder && has_renamed(&entry.path()))
    })
}

fn same(place: &Place, expected: &Listed, found: &Listed, times: bool) {
    // SMB's client was seen to say of a file that was just opened that it has one name: then two are
    // made of it.
    let hard_links = place.name != "SMB";
    let agree = Agree {
        mode: true,
        owner: true,
        times,
        link_times: times,
        hard_links,
    };
    // The folder around the copy was made by the test.
    let without_top = |tree: &Tree| -> Tree {
        let inner = tree
            .iter()
            .filter(|(path, _)| path.components().next().is_some());
        inner
            .map(|(path, entry)| (path.clone(), entry.clone()))
            .collect()
    };
    let lines = differences(&without_top(&expected.0), &without_top(&found.0), agree);
    assert!(
        lines.is_empty(),
        "{} differences: {}",
        lines.len(),
        lines.join("; ")
    );
    assert_eq!(found.1, expected.1, "the attribute");
    for (path, entry) in &expected.0 {
        let blocks = found.0[path].blocks;
        assert!(
            entry.blocks.abs_diff(blocks) <= BLOCKS,
            "{}: {blocks} blocks, GNU's {}",
            path.display(),
            entry.blocks
        );
    }
}
