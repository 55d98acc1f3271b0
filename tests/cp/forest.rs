//! Random trees: wide and deep folders, files of all sizes, links, odd modes and names. The
//! same seed gives the same tree.
#![allow(dead_code)]

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::scene::{Node, Scene};
use crate::support::odd_names;

/// Numbers that look random; the same seed gives the same ones.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Begins with `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    /// One of `choices`.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// A tree with the top `s`.
#[must_use]
pub fn forest(seed: u64) -> Scene {
    let mut random = Random::new(seed);
    let mut scene = Scene::default();
    scene.add("s", Node::Dir);
    let mut dirs = vec![PathBuf::from("s")];
    let mut files: Vec<PathBuf> = Vec::new();
    let mut large = random.below(4);
    let count = 60 + random.below(400);
    // Seldom or often a folder, seldom or often in the newest one: wide or deep.
    let (folders, depth) = (2 + random.below(12), random.below(10));
    for number in 0..count {
        let parent = if random.below(10) < depth {
            dirs.last().expect("the top").clone()
        } else {
            dirs[random.below(dirs.len())].clone()
        };
        let path = parent.join(name(&mut random, number));
        let node = match random.below(30) {
            0..=1 => Node::Link(random.pick(&["../a", "no such", "/etc", "."]).into()),
            2..=5 if !files.is_empty() => Node::Hard(files[random.below(files.len())].clone()),
            6 => Node::Fifo,
            7 => Node::File(3_000_000, vec![(1_000_000, 5000), (2_990_000, 10_000)]),
            8 if large > 0 => {
                large -= 1;
                let size = (9 << 20) + random.below(11 << 20);
                Node::File(size as u64, vec![(0, size)])
            }
            9..=11 => file(random.below(300 << 10)),
            other if other > 29 - folders => Node::Dir,
            12..=14 => file(0),
            _ => file(random.below(5000)),
        };
        let (is_dir, is_file) = (matches!(node, Node::Dir), matches!(node, Node::File(..)));
        let item = scene.add(&path, node);
        item.owner = Some(random.pick(&[(0, 0), (0, 0), (1000, 1000), (65534, 4)]));
        if is_dir {
            item.mode = random.pick(&[
                0o755, 0o755, 0o755, 0o755, 0o755, 0o700, 0o2775, 0o2755, 0o1777, 0o555, 0o500,
                0o444, 0o600, 0o311, 0o000,
            ]);
            dirs.push(path);
        } else if is_file {
            item.mode = random.pick(&[
                0o644, 0o644, 0o644, 0o600, 0o640, 0o4755, 0o2711, 0o755, 0o444, 0o400, 0o000,
            ]);
            files.push(path);
        }
    }
    scene
}

fn file(size: usize) -> Node {
    Node::File(size as u64, vec![(0, size)])
}

fn name(random: &mut Random, number: usize) -> OsString {
    let mut name = OsString::new();
    if random.below(8) == 0 {
        let odd = odd_names();
        // Without the longest: there is something to come behind it.
        name.clone_from(&odd[random.below(odd.len() - 1)]);
    }
    name.push(format!("n{number}"));
    name
}

/// Destinations `t` that are partly there, for the same tree: older contents, other types in
/// the way, folders that cannot be written to. Nothing in it has two names: where the order
/// decides what comes out, no two runs need agree.
#[must_use]
pub fn undergrowth(of: &Scene, seed: u64) -> Scene {
    let mut random = Random::new(seed ^ 0x5555);
    let mut scene = Scene::default();
    let mut made: HashSet<PathBuf> = HashSet::new();
    let linked: HashSet<&PathBuf> = of
        .items
        .iter()
        .flat_map(|item| match &item.node {
            Node::Hard(first) => vec![first, &item.path],
            _ => Vec::new(),
        })
        .collect();
    scene.add("t", Node::Dir);
    scene.add("elsewhere", Node::Dir);
    made.insert(PathBuf::from("t"));
    for (number, item) in of.items.iter().enumerate() {
        let Ok(below) = item.path.strip_prefix("s") else {
            continue;
        };
        let path = Path::new("t").join(below);
        let there = path.parent().is_some_and(|parent| made.contains(parent));
        if below.as_os_str().is_empty() || !there || random.below(3) > 0 {
            continue;
        }
        let odd = random.below(12) == 0;
        let linked = linked.contains(&item.path);
        if linked && !odd {
            continue;
        }
        let node = match (&item.node, odd) {
            (Node::Dir, false) => {
                made.insert(path.clone());
                Node::Dir
            }
            (_, false) => file(random.below(9000)),
            (Node::Dir, true) => file(7),
            (Node::File(..), true) if !linked && random.below(2) == 0 => {
                // Written through; to a file that nothing else leads to.
                let target = format!("elsewhere/{number}");
                scene.add(&target, file(20));
                let up = "../".repeat(path.components().count() - 1);
                Node::Link(format!("{up}{target}").into())
            }
            (_, true) => Node::Dir,
        };
        let is_dir = matches!(node, Node::Dir);
        let item = scene.add(&path, node);
        item.mode = if is_dir {
            random.pick(&[0o755, 0o755, 0o755, 0o2775, 0o555, 0o300, 0o700])
        } else {
            random.pick(&[0o644, 0o600, 0o444, 0o777])
        };
    }
    scene
}
