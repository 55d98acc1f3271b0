//! Lists of commands, each run beside GNU cp in a scene of its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::case::Case;
use super::child::{self, NOBODY, Setting};
use super::oracle::Oracle;
use super::scene::{Node, Scene};
use crate::support::{TempDir, annulet, gnu, is_root, temp_dir};

/// Every way to move data and several numbers of workers, and nothing given. With a number
/// given, workers are called in for the smallest tree.
pub const WAYS: &[&str] = &["", "--io=ring", "--io=sync", "-j1", "-j2", "-j8"];

/// A folder that an ordinary user can work below.
pub fn open_dir() -> TempDir {
    let dir = temp_dir();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("chmod");
    dir
}

/// Users to run as: root and nobody, or whoever runs the tests.
pub fn users() -> Vec<Option<u32>> {
    if is_root() {
        vec![None, Some(NOBODY)]
    } else {
        vec![None]
    }
}

pub fn as_user(user: Option<u32>) -> Setting {
    Setting {
        user,
        ..Setting::default()
    }
}

/// Runs cases one after the other and fails with all that differ.
pub fn check_all(test: &str, cases: impl IntoIterator<Item = Case> + Send, ways: &[&str]) {
    // In memory if that can be had: these are thousands of small trees, and there the inode
    // numbers, by which both programs order what they copy, are the same in every one.
    child::in_memory(|dir| check_in(dir, test, cases, ways));
}

/// As [`check_all`], in the folder for temporary files, whatever file system that is on.
pub fn check_on_disk(test: &str, cases: impl IntoIterator<Item = Case>, ways: &[&str]) {
    check_in(open_dir().path(), test, cases, ways);
}

pub fn check_in(dir: &Path, test: &str, cases: impl IntoIterator<Item = Case>, ways: &[&str]) {
    let Some((gnu, version)) = gnu("cp", test) else {
        return;
    };
    let program = annulet();
    let oracle = Oracle {
        gnu: &gnu,
        annulet: &program,
        folder: dir,
        is_alone: false,
        is_old: version < (9, 5),
    };
    let ways = &crate::support::ways(ways);
    let mut count = 0;
    let failed: Vec<_> = cases
        .into_iter()
        .inspect(|_| count += 1)
        .filter_map(|case| oracle.check(&case, ways).err())
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {count} cases differ:\n\n{}",
        failed.len(),
        failed.join("\n")
    );
    println!("{test}: {count} cases");
}

/// Commands from a list with semicolons between them, each to be run in a copy of the scene of
/// its own, as root and as an ordinary user who owns everything there.
pub fn commands(scene: &str, list: &str) -> Vec<Case> {
    let mut scene = Scene::parse(scene);
    if !is_root() {
        // Device nodes are root's to make.
        let device = |node: &Node| matches!(node, Node::Char(..) | Node::Block(..));
        scene.items.retain(|item| !device(&item.node));
    }
    let mut cases = Vec::new();
    for command in list.split(';').map(str::trim) {
        for user in users() {
            let mut scene = scene.clone();
            if let Some(id) = user {
                scene.own(id);
            }
            cases.push(Case {
                setting: as_user(user),
                ..Case::cp(scene, command)
            });
        }
    }
    cases
}

/// Every one of `flags` with every one of `operands`, as a list for [`commands`].
pub fn each(flags: &str, operands: &str) -> String {
    let flags: Vec<_> = flags.split(';').map(str::trim).collect();
    let lines = operands.split(';').map(str::trim);
    lines
        .flat_map(|line| flags.iter().map(move |flag| format!("{flag} {line}")))
        .collect::<Vec<_>>()
        .join(";")
}
