//! The numbers that the kernel knows files by, and the names they have.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

/// The number of the mounted folder.
pub const ROOT: u64 = 1;

/// A name in a folder.
type Name = (u64, OsString);

struct Node {
    /// The file's number below, none for what is gone.
    inode: Option<u64>,
    /// Those seen so far.
    names: Vec<Name>,
}

/// All files seen so far. None is forgotten, as a mount does not live long, and no number is
/// given twice: that of a file which is gone may come again below.
pub struct Nodes {
    all: Vec<Node>,
    by_inode: HashMap<u64, u64>,
    by_name: HashMap<Name, u64>,
}

fn index(number: u64) -> usize {
    usize::try_from(number - ROOT).unwrap()
}

impl Nodes {
    /// With a root that has this number below.
    pub fn new(inode: u64) -> Self {
        let root = Node {
            inode: Some(inode),
            names: Vec::new(),
        };
        Self {
            all: vec![root],
            by_inode: HashMap::from([(inode, ROOT)]),
            by_name: HashMap::new(),
        }
    }

    /// The number of a file found under this name.
    pub fn see(&mut self, parent: u64, name: &OsStr, inode: u64) -> u64 {
        let next = ROOT + self.all.len() as u64;
        let number = *self.by_inode.entry(inode).or_insert(next);
        if number == next {
            self.all.push(Node {
                inode: Some(inode),
                names: Vec::new(),
            });
        }
        let name = (parent, name.to_owned());
        if self.by_name.get(&name) != Some(&number) {
            self.lose(&name, false);
            self.all[index(number)].names.push(name.clone());
            self.by_name.insert(name, number);
        }
        number
    }

    /// A name is gone, and if it was the `last` the file with it.
    pub fn lose(&mut self, name: &Name, last: bool) {
        let Some(number) = self.by_name.remove(name) else {
            return;
        };
        let node = &mut self.all[index(number)];
        node.names.retain(|other| other != name);
        if last && let Some(inode) = node.inode.take() {
            self.by_inode.remove(&inode);
        }
    }

    /// The first name that a file has, relative to the root.
    pub fn path(&self, number: u64) -> Option<PathBuf> {
        let mut names = Vec::new();
        let mut number = number;
        while number != ROOT {
            let (parent, name) = self.all.get(index(number))?.names.first()?;
            names.push(name);
            number = *parent;
        }
        Some(names.iter().rev().collect())
    }

    /// The number of the file of that name, relative to the root.
    pub fn number(&self, path: &Path) -> Option<u64> {
        path.components().try_fold(ROOT, |parent, part| match part {
            Component::Normal(name) => self.by_name.get(&(parent, name.to_owned())).copied(),
            _ => None,
        })
    }
}
