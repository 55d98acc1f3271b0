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

use std::time::Duration;

use cp::case::{Case, Input};
use cp::child::{NOBODY, Setting};
use cp::random_command::{RandomCommand, random_command};
use cp::random_tree::{Knobs, RandomTree};
use cp::seeds::{Place, check_seeds};
use support::{Random, is_root, skip};

/// annulet's own options, which must change nothing.
const WAYS: &[&str] = &[
    "",
    "--io=ring",
    "--io=sync",
    "--io=auto",
    "-j1",
    "-j2",
    "-j8",
    "-j8 --io=ring",
    "-j1 --io=sync",
];

/// The case of a seed, and annulet's own options with which it is run.
fn random_case(seed: u64, user: Option<u32>) -> (Case, Vec<&'static str>) {
    let random = &mut Random(seed);
    let tree = RandomTree::new(random, Knobs::small(user));
    let RandomCommand { args, env, answers } = random_command(random, &tree);
    let setting = Setting {
        user,
        umask: random.pick(&[0o022, 0o022, 0o077, 0o002, 0, 0o027]),
        env,
        limit: Duration::from_secs(5),
        ..Setting::default()
    };
    let case = Case {
        input: Input::Bytes(answers),
        setting,
        ..Case::cp_with(tree.scene, args)
    };
    let ways = support::ways(WAYS);
    let way = usize::try_from(seed).expect("a seed") % ways.len();
    (case, vec![ways[way]])
}

fn differential(test: &str, user: Option<u32>) {
    match support::gnu("cp", test) {
        Some((_, version)) if version < (9, 5) => {
            skip(test, "GNU cp is older than 9.5 (scripts/gnu.sh)");
        }
        Some((gnu, _)) => {
            check_seeds(test, &gnu, Place::InMemory, 2000, |seed| {
                random_case(seed, user)
            });
        }
        None => {}
    }
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
