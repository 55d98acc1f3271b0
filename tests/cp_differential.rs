//! `cp` against GNU cp by random command lines from the whole table of its options, in random
//! scenes: status, messages, output and all that is left behind must be the same.
//!
//! What is not compared:
//!
//! - times of this very run, which no two runs share, and times of access that are not copied
//!   ones: what is read, and when, is open;
//! - where annulet has several workers, whose order is theirs: the order of lines, times of
//!   access, and cases in which what is written changes what is read, through a link;
//! - cases in which GNU cp does not end within its time, or goes down until paths are too long
//!   (`-L` into itself by way of a symbolic link): what it leaves cannot be listed;
//! - cases in which GNU `cp --parents` ends at once, with a path and "No such file or directory"
//!   for its last words, as it compares a name below the destination with one it has made
//!   before and takes both for names below the current folder;
//! - what `cp::exceptions` lists, where GNU cp is not to be followed;
//! - on disk, cases for which the file system numbers inodes in another order in ten attempts:
//!   both programs go through a folder in that order.

mod cp;
mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cp::child::{self, Setting};
use cp::command::{Command, command};
use cp::compare::NOBODY;
use cp::forest::Random;
use cp::shrink::shrink;
use cp::thicket::thicket;
use cp::trial::{Trial, Verdict};
use support::{annulet, from_env, is_root, temp_dir_in};

/// annulet's own options, which must change nothing. Where there are several workers, lines
/// come in any order.
const WAYS: &[(&[&str], bool)] = &[
    (&[], true),
    (&["--io=ring"], true),
    (&["--io=sync"], true),
    (&["-j1"], true),
    (&["-j2"], false),
    (&["-j8"], false),
    (&["-j8", "--io=ring"], false),
    (&["-j1", "--io=sync"], true),
];

/// Failing cases that are made small, where `ANNULET_SHRUNK` does not say how many; of all others
/// there is the seed.
const SHRUNK: u64 = 25;

fn trial(seed: u64, user: Option<u32>) -> Trial {
    let mut random = Random::new(seed);
    let thicket = thicket(&mut random, user);
    let Command { args, env, answers } = command(&mut random, &thicket);
    Trial {
        name: format!("ANNULET_SEED={seed} ANNULET_CASES=1"),
        scene: thicket.scene,
        args,
        answers,
        setting: Setting {
            user,
            umask: random.pick(&[0o022, 0o022, 0o077, 0o002, 0, 0o027]),
            env,
            limit: Duration::from_secs(5),
            ..Setting::default()
        },
    }
}

/// The GNU cp to be like. What is older than 9.5 has not all the options.
fn reference(test: &str) -> Option<PathBuf> {
    let (program, version) = support::gnu("cp", test)?;
    if version < (9, 5) {
        support::skip(test, "GNU cp is older than 9.5 (scripts/gnu.sh)");
        return None;
    }
    Some(program)
}

/// Generated scenes and commands. `ANNULET_SEED` gives the first case's seed, `ANNULET_CASES`
/// how many there are, `ANNULET_TEST_DIR` a folder on the file system to work in, instead of
/// one in memory. Without them it is the same cases every time: a change is judged by what it
/// changes. To explore, give another seed.
fn differential(test: &str, user: Option<u32>) {
    let Some(gnu) = reference(test) else {
        return;
    };
    let seed = from_env("ANNULET_SEED").unwrap_or(1);
    let count = from_env("ANNULET_CASES").unwrap_or(2000);
    println!("{test}: ANNULET_SEED={seed} ANNULET_CASES={count}");
    // Before there is nothing to write to any more: it is copied.
    let program = annulet();
    let run = |dir: &Path| {
        if is_root() {
            child::write_below_only(dir);
        }
        let (ours, seeds) = (program.as_path(), seed..seed + count);
        check(test, seeds, user, [&gnu, ours], dir);
    };
    let own = |parent: &str| {
        let dir = temp_dir_in(parent).expect("a folder");
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("chmod");
        dir
    };
    match (std::env::var("ANNULET_TEST_DIR"), is_root()) {
        (Ok(parent), true) => {
            let dir = own(&parent);
            child::with_own_mounts(|| {
                run(dir.path());
                Ok(())
            })
            .expect("own mounts");
        }
        (Ok(parent), false) => run(own(&parent).path()),
        (Err(_), _) => child::in_memory(run),
    }
}

fn check(
    test: &str,
    seeds: std::ops::Range<u64>,
    user: Option<u32>,
    [gnu, program]: [&Path; 2],
    dir: &Path,
) {
    // A peer as the program under test has none of annulet's own options.
    let version = child::cp(program, &["--version"], dir, &Setting::default());
    let is_peer = version.stdout_text().contains("GNU coreutils");
    let shrunk = from_env("ANNULET_SHRUNK").unwrap_or(SHRUNK);
    let (mut failed, mut reports, mut void) = (Vec::new(), Vec::new(), Vec::new());
    for seed in seeds.clone() {
        let (way, ordered) = WAYS[usize::try_from(seed).expect("a seed") % WAYS.len()];
        let way = if is_peer { &[] } else { way };
        let judge = |trial: &Trial| trial.judge(gnu, program, dir, way, ordered);
        let whole = trial(seed, user);
        let first = match judge(&whole) {
            Verdict::Same => continue,
            Verdict::Void(why) => {
                void.push(format!("{seed}: {why}"));
                continue;
            }
            Verdict::Differs(lines, said) => format!("{}\n{said}", lines.join("\n  ")),
        };
        failed.push(seed);
        if failed.len() as u64 > shrunk {
            continue;
        }
        let mut small = whole.clone();
        // Where one of both does not end, it is not waited for a thousand times.
        small.setting.limit = Duration::from_secs(1);
        let small = shrink(&small, 1000, |trial| {
            matches!(judge(trial), Verdict::Differs(..))
        });
        let report = match judge(&small) {
            Verdict::Differs(lines, said) => format!("{}\n{said}", lines.join("\n  ")),
            // Something that is not the same in each run.
            _ => format!("differs no more; differed in\n  {first}"),
        };
        reports.push(format!(
            "{} {way:?}\n{}\n  {report}\n",
            small.name,
            small.script()
        ));
    }
    for line in void {
        println!("{test}: not compared: {line}");
    }
    assert!(
        failed.is_empty(),
        "{} of {} cases differ: {failed:?}\n\n{}",
        failed.len(),
        seeds.end - seeds.start,
        reports.join("\n")
    );
}

#[test]
fn as_root() {
    differential("as_root", None);
}

#[test]
fn as_an_ordinary_user() {
    if !is_root() {
        // Then the other test is run by one.
        return;
    }
    differential("as_an_ordinary_user", Some(NOBODY));
}
