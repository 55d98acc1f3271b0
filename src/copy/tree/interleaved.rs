//! A walk by several workers, under loom: the real one through real directories, by a real team, in
//! every order in which its threads can reach what they share.
//!
//! A name is a number that nothing protects: set by whoever comes to it, and read by whoever finishes
//! the directory that holds it, and by who ends the copy. Loom reports where nothing orders the two.
//! A lock whose `unlock` is relaxed is a failure here, and so are these of the pool: an `end` that
//! gives no signal, or is said without the lock; a `close` that gives none; a `leave` that takes a
//! directory for done while one below it is not; a first worker that ends while others are at work.
//! None is a signal left out where a task is added: who adds it does it in the end.
//!
//! (A directory may be finished before what was handed over of it has set its own times.)

use std::assert_eq;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::string::ToString;

use core::ffi::CStr;
use core::sync::atomic::Ordering;

use super::level::Directory;
use super::task::Task;
use super::walk::{DIRENT_BYTES, Visit, Walk};
use crate::copy::entry::Entry;
use crate::copy::options::Options;
use crate::copy::path::basename;
use crate::copy::shared::Shared;
use crate::data::plain::{self, NO_MODE};
use crate::report::{Failure, Nobody};
use crate::sys::modelled::{Bare, allow_threads, explore};
use crate::sys::{self, BorrowedFd, DirEntry, Mutex, OFlags, Team};

/// Each name with the directory that it is in: a letter each, directories' are capitals.
type Tree = &'static [(u8, u8)];

/// What the workers share.
struct Copy<'a> {
    shared: Shared<'a>,
    tree: Tree,
    /// How often a name was come to, and a directory finished: by their letters.
    met: BTreeMap<u8, Bare>,
    finished: BTreeMap<u8, Bare>,
}

fn add_one(number: &Bare) {
    number.set(number.get() + 1);
}

/// A worker.
struct Visitor<'w, 'a> {
    copy: &'w Copy<'a>,
    buffer: std::vec::Vec<u8>,
}

impl Visit for Visitor<'_, '_> {
    fn enter(&mut self, entry: &Entry<'_>) -> Option<Directory> {
        let letter = basename(entry.src.name.to_bytes())[0];
        add_one(&self.copy.met[&letter]);
        let open = |flags| plain::open(entry.src.dir, entry.src.name, flags, NO_MODE).unwrap();
        letter.is_ascii_uppercase().then(|| Directory {
            src: Some(open(OFlags::DIRECTORY)),
            dst: Some(open(OFlags::DIRECTORY | OFlags::PATH)),
            ..Directory::default()
        })
    }

    fn list(
        &mut self,
        dir: BorrowedFd<'_>,
        take: &mut dyn FnMut(&DirEntry<'_>, bool),
    ) -> sys::Result<()> {
        self.buffer.resize(DIRENT_BYTES, 0);
        sys::getdents64(dir, &mut self.buffer)?.for_each(|entry| take(&entry, true));
        Ok(())
    }

    fn leave(&mut self, _dir: &Directory, _name: &CStr, shown: &[&[u8]; 2]) {
        let letter = basename(shown[0])[0];
        for &(below, around) in self.copy.tree {
            if around == letter {
                assert_eq!(self.copy.met[&below].get(), 1);
            }
        }
        add_one(&self.copy.finished[&letter]);
    }

    fn fail(&mut self, failure: Failure, _shown: &[&[u8]; 2]) {
        std::panic!("{failure:?}");
    }

    fn may_share(&mut self, _task: &mut Task) -> bool {
        true
    }
}

fn work(copy: &Copy<'_>) {
    let mut visitor = Visitor {
        copy,
        buffer: std::vec::Vec::new(),
    };
    let mut walk = Walk {
        shared: &copy.shared,
        visit: &mut visitor,
        task: &mut Task::default(),
    };
    walk.take_tasks(true);
}

/// Walks through `root` by so many workers; with `in_parts`, directories are shared by their names.
fn walk(workers: u32, root: &CStr, tree: Tree, in_parts: bool) {
    let reporter = Mutex::new(Nobody);
    let letters = tree.iter().map(|&(letter, _)| letter).chain([b'R']);
    let numbers = || {
        letters
            .clone()
            .map(|letter| (letter, Bare::default()))
            .collect()
    };
    let copy = Copy {
        shared: Shared::new(Options::USUAL, &[], &reporter),
        tree,
        met: numbers(),
        finished: numbers(),
    };
    copy.shared.set_open_levels(false);
    copy.shared.found.waits.store(in_parts, Ordering::Relaxed);
    Team::with(&copy, work, workers - 1, |team| {
        team.start(workers - 1).unwrap();
        copy.shared.pool.set_workers(workers);
        let mut visitor = Visitor {
            copy: &copy,
            buffer: std::vec::Vec::new(),
        };
        let mut task = Task::default();
        task.begin_operand();
        task.src.start(b"", root.to_bytes());
        let mut walk = Walk {
            shared: &copy.shared,
            visit: &mut visitor,
            task: &mut task,
        };
        walk.visit_operand(false);
        for (letter, met) in &copy.met {
            assert_eq!(met.get(), 1);
            let times = u32::from(letter.is_ascii_uppercase());
            assert_eq!(copy.finished[letter].get(), times);
        }
        copy.shared.pool.close();
    });
}

/// Makes that tree below `R`, and walks through it in every order.
fn explore_tree(switches: usize, workers: u32, tree: Tree, in_parts: bool) {
    allow_threads();
    let dir = temp_dir::TempDir::new().unwrap();
    let mut paths = BTreeMap::from([(b'R', dir.child("R"))]);
    fs::create_dir(&paths[&b'R']).unwrap();
    for &(letter, around) in tree {
        let path = paths[&around].join(char::from(letter).to_string());
        if letter.is_ascii_uppercase() {
            fs::create_dir(&path).unwrap();
        } else {
            fs::write(&path, "").unwrap();
        }
        paths.insert(letter, path);
    }
    let root = CString::new(paths[&b'R'].to_str().unwrap()).unwrap();
    explore(switches, move || walk(workers, &root, tree, in_parts));
}

#[test]
fn directories_are_handed_over_between_two() {
    let tree = &[(b'A', b'R'), (b'a', b'A'), (b'B', b'R'), (b'b', b'B')];
    explore_tree(3, 2, tree, false);
}

#[test]
fn directories_are_handed_over_among_three() {
    explore_tree(2, 3, &[(b'A', b'R'), (b'B', b'R')], false);
}

#[test]
fn parts_of_directories_are_handed_over_among_three() {
    explore_tree(2, 3, &[(b'a', b'R'), (b'b', b'R'), (b'c', b'R')], true);
}
