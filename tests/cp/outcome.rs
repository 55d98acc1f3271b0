//! What came of one run of a case, and how two differ: in status, messages, output, where
//! standard input and output stand, and in the tree with its extended attributes, access lists,
//! holes, times and links.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::child;
use super::exceptions::normal;
use super::scene::{Node, Scene, hex};
use super::trees::snapshot;
use crate::support::{Agree, Kind, Ran, Tree, differences};

/// What came of one run.
#[derive(Clone)]
pub struct Outcome {
    pub ran: Ran,
    /// `None` if it could not be listed.
    pub tree: Option<Tree>,
    pub details: BTreeMap<PathBuf, Detail>,
    /// What was left in the FIFOs.
    pub fifos: Vec<Vec<u8>>,
    /// Where standard input and output stand, as far as that is the program's to say.
    pub positions: [Option<u64>; 2],
    /// When the run began: what is newer was changed by it.
    pub started: i64,
    /// The scene's paths in the order of their inodes.
    pub order: Vec<PathBuf>,
    /// What the inodes' numbers are at the end.
    pub inodes: Inodes,
    /// The inodes that were there before.
    pub old: BTreeSet<u64>,
    /// The folder the command was run in.
    pub dir: PathBuf,
}

/// What is left of a run below a folder.
pub struct Left {
    pub tree: Option<Tree>,
    pub details: BTreeMap<PathBuf, Detail>,
    pub inodes: Inodes,
}

impl Left {
    /// Looks at all there is.
    pub fn below(top: &Path) -> Self {
        // Times of access first: listing changes them.
        let (times, inodes) = access_times(top);
        let mut details = BTreeMap::new();
        let tree = snapshot(top);
        for (path, entry) in tree.iter().flatten() {
            let atime = times.get(path).copied().unwrap_or_default();
            details.insert(path.clone(), Detail::of(&top.join(path), entry.kind, atime));
        }
        Self {
            tree,
            details,
            inodes,
        }
    }

    /// What a program that was killed has left is not looked at: it may be without end.
    pub const fn unknown() -> Self {
        Self {
            tree: None,
            details: BTreeMap::new(),
            inodes: Inodes::new(),
        }
    }
}

impl Outcome {
    /// Whether the numbers of the inodes, before and after, are in the same order, as far as both
    /// have the same names.
    pub fn same_order(&self, other: &Self) -> bool {
        let no_names = BTreeMap::new();
        self.order == other.order
            && self.inodes.iter().all(|(folder, names)| {
                let others = other.inodes.get(folder).unwrap_or(&no_names);
                let common =
                    |name: &&OsString| names.contains_key(*name) && others.contains_key(*name);
                let by = |inodes: &BTreeMap<OsString, u64>| {
                    let mut names: Vec<_> = names.keys().filter(common).cloned().collect();
                    names.sort_by_key(|name| inodes[name]);
                    names
                };
                by(names) == by(others)
            })
    }

    /// Whether a regular file that was there below the scene's folder `top` was written to.
    pub fn changed(&self, scene: &Scene, top: &str) -> bool {
        let tree = self.tree.iter().flatten();
        let found: BTreeMap<_, _> = tree.map(|(path, entry)| (path, entry.mtime)).collect();
        scene.items.iter().any(|item| {
            let found = found.get(&Path::new("1/2/3").join(&item.path));
            let is_file = matches!(item.node, Node::File(..) | Node::Parts(_) | Node::Bytes(_));
            item.path.starts_with(top) && is_file && found != Some(&item.mtime)
        })
    }

    /// A time, or `None` if it is of this run.
    fn time(&self, (seconds, nanos): (i64, i64)) -> Option<(i64, i64)> {
        let now = self.started - 60..self.started + 3600;
        (!now.contains(&seconds)).then_some((seconds, nanos))
    }

    /// Whether what has this path now was there before, under this name or another.
    fn is_old(&self, path: &Path) -> bool {
        let inode = path.parent().zip(path.file_name());
        let inode = inode.and_then(|(folder, name)| self.inodes.get(folder)?.get(name));
        inode.is_none_or(|inode| self.old.contains(inode))
    }

    /// Whether `path` is a copy that `--parents` made of a folder around the scene, of which
    /// other programs may change the times.
    fn is_around(&self, path: &Path) -> bool {
        let place = self.dir.components().count() - 1;
        let around = |name| {
            self.dir
                .components()
                .take(place - 3)
                .any(|c| c.as_os_str() == name)
        };
        path.file_name().is_some_and(around)
    }

    /// The outcome less what GNU cp before 9.5 does not do on every file system: it sets modes as
    /// POSIX access lists where it can, which cannot take away special bits. So folders keep the
    /// setgid bit of the folder around them, folders and nodes the bits they were made with, and
    /// files that were there before the bits they had, whether or not the source has them.
    pub fn with_modes_of(&self, other: &Self) -> Self {
        let mut excused = self.clone();
        for (path, entry) in excused.tree.iter_mut().flatten() {
            if entry.kind != Kind::Link
                && let Some(found) = other.tree.as_ref().and_then(|tree| tree.get(path))
                && found.mode | (entry.mode & 0o7000) == entry.mode
            {
                entry.mode = found.mode;
            }
        }
        excused
    }

    /// Everything that differs from this in `other`, a line each. Where both are not `ordered`,
    /// lines of output may come in another order.
    pub fn differences(&self, other: &Self, ordered: bool) -> Vec<String> {
        let (a, b) = (&self.ran, &other.ran);
        let mut lines = Vec::new();
        if a.status != b.status {
            lines.push(format!("status {} should be {}", b.status, a.status));
        }
        let same = |a: &[u8], b: &[u8]| a == b || (!ordered && sorted(a) == sorted(b));
        let normal = |ran: &Ran| normal(&ran.stderr, &a.stderr);
        if !same(&normal(a), &normal(b)) {
            lines.push("other messages".into());
        }
        if !same(&a.stdout, &b.stdout) {
            lines.push(format!("other output{}", where_other(&a.stdout, &b.stdout)));
        }
        let (Some(tree), Some(others)) = (&self.tree, &other.tree) else {
            if self.tree.is_some() != other.tree.is_some() {
                lines.push("one of the trees cannot be listed".into());
            }
            return lines;
        };
        if self.fifos != other.fifos {
            lines.push("something else was left in a FIFO".into());
        }
        if self.positions != other.positions {
            let (found, expected) = (other.positions, self.positions);
            lines.push(format!(
                "standard input and output stand at {found:?}, not {expected:?}"
            ));
        }
        lines.extend(self.of_trees(tree, others, other, ordered));
        lines
    }

    #[allow(clippy::unnecessary_debug_formatting)] // names with newlines must not break lines
    fn of_trees(&self, tree: &Tree, others: &Tree, other: &Self, ordered: bool) -> Vec<String> {
        let agree = Agree {
            times: false,
            link_times: false,
            ..Agree::ALL
        };
        let mut lines = differences(tree, others, agree);
        for (path, a) in tree {
            let Some(b) = others.get(path) else {
                continue;
            };
            let mut check = |what: &str, a: &dyn Debug, b: &dyn Debug| {
                let (a, b) = (format!("{a:?}"), format!("{b:?}"));
                let line = format!("{path:?}: {what} {b}, should be {a}");
                lines.extend((a != b).then_some(line));
            };
            let (x, y) = (&self.details[path], &other.details[path]);
            check("attributes", &x.xattrs, &y.xattrs);
            check("data at", &x.data, &y.data);
            // How much room a folder takes is its file system's affair, and how much it gives ahead
            // (xfs) to what is written piece by piece to an output.
            if a.kind != Kind::Folder {
                check("links", &a.nlink, &b.nlink);
            }
            if a.kind != Kind::Folder && self.positions == [None; 2] {
                check("blocks", &a.blocks, &b.blocks);
            }
            if self.is_around(path) {
                continue;
            }
            let (of_a, of_b) = (self.time(a.mtime), other.time(b.mtime));
            check("modification time", &of_a, &of_b);
            // What is read, and when, is open: one that GNU's run changed says nothing, and one
            // that was there before is not GNU's doing. One worker may look at the time when
            // another has read, or gone through a symbolic link.
            if !ordered {
                continue;
            }
            if let Some(kept) = self.time(x.atime).filter(|_| !self.is_old(path)) {
                check("access time", &Some(kept), &other.time(y.atime));
            }
        }
        lines
    }
}

/// Where two texts begin to differ.
fn where_other(expected: &[u8], found: &[u8]) -> String {
    let pairs = expected.iter().zip(found);
    let at = pairs.take_while(|(a, b)| a == b).count();
    let part = |bytes: &[u8]| {
        let end = bytes.len().min(at + 40);
        bytes[at..end].escape_ascii().to_string()
    };
    format!(
        ": {} bytes, not {}; from {at} on \"{}\", not \"{}\"",
        found.len(),
        expected.len(),
        part(found),
        part(expected)
    )
}

/// The lines of a text, whatever their order.
fn sorted(text: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<_> = text.split(|&b| b == b'\n').collect();
    lines.sort_unstable();
    lines
}

/// What a [`Tree`] does not hold of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// Names, and values in hexadecimal.
    xattrs: BTreeMap<String, String>,
    /// Where a regular file has data.
    data: Vec<(i64, i64)>,
    atime: (i64, i64),
}

impl Detail {
    fn of(path: &Path, kind: Kind, atime: (i64, i64)) -> Self {
        let xattrs = child::xattrs(path).unwrap_or_default();
        let data = if kind == Kind::File {
            File::open(path).and_then(|file| child::data_regions(&file))
        } else {
            Ok(Vec::new())
        };
        Self {
            xattrs: xattrs
                .into_iter()
                .map(|(name, value)| (String::from_utf8_lossy(&name).into_owned(), hex(&value)))
                .collect(),
            data: data.unwrap_or_default(),
            atime,
        }
    }
}

/// Numbers of inodes by folder and name.
pub type Inodes = BTreeMap<PathBuf, BTreeMap<OsString, u64>>;

fn access_times(top: &Path) -> (BTreeMap<PathBuf, (i64, i64)>, Inodes) {
    let (mut times, mut inodes) = (BTreeMap::new(), Inodes::new());
    let mut pending = vec![PathBuf::new()];
    while let Some(path) = pending.pop() {
        let full = top.join(&path);
        let Ok(meta) = fs::symlink_metadata(&full) else {
            continue;
        };
        times.insert(path.clone(), (meta.atime(), meta.atime_nsec()));
        if let (Some(parent), Some(name)) = (path.parent(), path.file_name()) {
            let names = inodes.entry(parent.to_owned()).or_default();
            names.insert(name.to_owned(), meta.ino());
        }
        if meta.is_dir()
            && path.components().count() < 100
            && let Ok(entries) = fs::read_dir(&full)
        {
            pending.extend(entries.flatten().map(|entry| path.join(entry.file_name())));
        }
    }
    (times, inodes)
}
