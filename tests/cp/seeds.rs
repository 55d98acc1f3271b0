//! Random cases, one for each seed, run by GNU's program and by annulet; those that differ are
//! made as small as they can be, and told.
//!
//! | variable | |
//! | --- | --- |
//! | `ANNULET_SEED` | the first case's seed, instead of 1 |
//! | `ANNULET_CASES` | how many there are |
//! | `ANNULET_SHRUNK` | how many of those that differ are made small; of the others there is the seed |
//! | `ANNULET_TEST_DIR` | a folder on the file system to work in |
//!
//! Without them it is the same cases every time: a change is judged by what it changes. To
//! explore, give another seed. The seed of a case that differs gives just that case again.

use std::fs::{self, Permissions};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::case::Case;
use super::child::{self, Setting};
use super::oracle::{Difference, Oracle};
use super::shrink::shrink;
use super::smaller::steps;
use crate::support::{annulet, from_env, is_root, temp_dir_in, temp_parent};

/// Cases that are made small.
const SHRUNK: u64 = 25;

/// Attempts to make a case smaller.
const ATTEMPTS: usize = 1000;

/// Where cases are run unless `ANNULET_TEST_DIR` says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    InMemory,
    OnDisk,
}

/// Runs `make(seed)` for each of `count` seeds: a case, and the arguments with which annulet runs it, each of
/// which must change nothing.
pub fn check_seeds(
    test: &str,
    gnu: &Path,
    place: Place,
    count: u64,
    make: impl Fn(u64) -> (Case, Vec<&'static str>) + Sync,
) {
    let seed = from_env("ANNULET_SEED").unwrap_or(1);
    let count = from_env("ANNULET_CASES").unwrap_or(count);
    println!("{test}: ANNULET_SEED={seed} ANNULET_CASES={count}");
    // Before there is nothing to write to any more: it is copied.
    let program = annulet();
    let run = |dir: &Path| {
        if is_root() {
            child::write_below_only(dir);
        }
        let oracle = Oracle {
            gnu,
            annulet: &program,
            folder: dir,
            is_alone: true,
            is_old: false,
        };
        check(test, seed..seed + count, &oracle, &make);
    };
    let parent = std::env::var_os("ANNULET_TEST_DIR").map(Into::into);
    let parent = match (parent, place) {
        (None, Place::InMemory) => return child::in_memory(run),
        (None, Place::OnDisk) => temp_parent().to_owned(),
        (Some(parent), _) => parent,
    };
    let dir = temp_dir_in(parent).expect("a folder");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("chmod");
    if is_root() {
        let alone = child::with_own_mounts(|| {
            run(dir.path());
            Ok(())
        });
        alone.expect("own mounts");
    } else {
        run(dir.path());
    }
}

fn check(
    test: &str,
    seeds: Range<u64>,
    oracle: &Oracle,
    make: &dyn Fn(u64) -> (Case, Vec<&'static str>),
) {
    // A peer as the program under test has none of annulet's own options.
    let version = child::cp(
        oracle.annulet,
        &["--version"],
        oracle.folder,
        &Setting::default(),
    );
    let is_peer = version.stdout_text().contains("GNU coreutils");
    let shrunk = from_env("ANNULET_SHRUNK").unwrap_or(SHRUNK);
    let (mut failed, mut reports) = (Vec::new(), Vec::new());
    for seed in seeds.clone() {
        let (mut case, ways) = make(seed);
        case.name = format!("ANNULET_SEED={seed} ANNULET_CASES=1");
        let ways = if is_peer { vec![""] } else { ways };
        match first_difference(oracle, &case, &ways) {
            Ok(()) => {}
            Err(Found::Void(why)) => println!("{test}: not compared: {seed}: {why}"),
            Err(Found::Differs(way, difference)) => {
                failed.push(seed);
                if failed.len() as u64 <= shrunk {
                    reports.push(report(oracle, &case, way, &difference));
                }
            }
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {} cases differ: {failed:?}\n\n{}",
        failed.len(),
        seeds.end - seeds.start,
        reports.join("\n")
    );
}

/// What is found of a case that does not come out the same.
enum Found {
    /// With these arguments.
    Differs(&'static str, Difference),
    /// Not to be compared, and why.
    Void(&'static str),
}

fn first_difference(oracle: &Oracle, case: &Case, ways: &[&'static str]) -> Result<(), Found> {
    case.can_be_run().map_err(Found::Void)?;
    let mut answer = oracle.ask(case);
    let mut void = Ok(());
    for way in ways {
        match answer.differs(way) {
            None => {}
            Some(Difference {
                excuse: Some(why), ..
            }) => void = Err(Found::Void(why)),
            Some(difference) => return Err(Found::Differs(way, difference)),
        }
    }
    void
}

/// The case as small as it can be, as commands to type, and how it differs.
fn report(oracle: &Oracle, case: &Case, way: &'static str, first: &Difference) -> String {
    let differs = |case: &Case| match first_difference(oracle, case, &[way]) {
        Err(Found::Differs(_, difference)) => Some(difference),
        _ => None,
    };
    let mut small = case.clone();
    // Where one of both does not end, it is not waited for a thousand times.
    small.setting.limit = Duration::from_secs(1);
    let small = shrink(&small, ATTEMPTS, steps, |case| differs(case).is_some());
    let told = match differs(&small) {
        Some(difference) => difference.to_string(),
        // Something that is not the same in each run.
        None => format!("differs no more; differed in\n{first}"),
    };
    format!("{} {way:?}\n{}\n{told}\n", case.name, small.script(way))
}
