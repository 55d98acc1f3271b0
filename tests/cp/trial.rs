//! One command under GNU cp and under annulet, each in a scene of its own at the same place,
//! compared in all that can be seen: status, messages, output, and of the tree also extended
//! attributes, access lists, holes and access times.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt::{Debug, Write as _};
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::child::{self, Setting};
use super::compare::{as_whom, remove, snapshot, sorted};
use super::exceptions::{Found, normal};
use super::feeder::feed;
use super::scene::{Node, Scene, give, shell};
use crate::support::{Agree, Kind, Ran, Tree, differences};

/// In an argument: the folder of the scene, as a path from the root.
pub const HERE: &str = "/HERE/";

/// The times of the folders around a scene.
const AROUND: (i64, i64) = (1_000_000, 0);

/// A command in a scene.
#[derive(Clone, Debug)]
pub struct Trial {
    pub name: String,
    pub scene: Scene,
    pub args: Vec<OsString>,
    /// What standard input holds.
    pub answers: Vec<u8>,
    pub setting: Setting,
}

impl PartialEq for Trial {
    fn eq(&self, other: &Self) -> bool {
        self.script() == other.script()
    }
}

/// What came of a trial.
pub enum Verdict {
    Same,
    /// One line for each thing that differs, and what both said.
    Differs(Vec<String>, String),
    /// Not to be compared, and why.
    Void(&'static str),
}

impl Trial {
    /// The trial as commands to type.
    pub fn script(&self) -> String {
        let mut script = self.scene.script();
        let _ = write!(script, "umask {:03o}; ", self.setting.umask);
        if !self.answers.is_empty() {
            let answers = shell(OsStr::from_bytes(&self.answers));
            let _ = write!(script, "printf %s {answers} | ");
        }
        if !self.setting.env.is_empty() {
            script.push_str("env ");
        }
        for (name, value) in &self.setting.env {
            let _ = write!(script, "{name}={} ", shell(OsStr::new(value)));
        }
        script.push_str(&as_whom(&self.setting));
        script.push_str("cp");
        for arg in &self.args {
            let _ = write!(script, " {}", shell(arg).replace(HERE, "$PWD/"));
        }
        script
    }

    /// Runs the trial under both programs in `folder`; the second gets the arguments `way`.
    /// Where `ordered` is not set, lines of output may come in another order.
    pub fn judge(
        &self,
        gnu: &Path,
        program: &Path,
        folder: &Path,
        way: &[&str],
        ordered: bool,
    ) -> Verdict {
        if !can_be_made(&self.scene) {
            return Verdict::Void("a scene that cannot be made");
        }
        // By what is taken away to make a case small, a value may become an operand.
        let leads_out = |arg: &OsString| {
            let bytes = arg.as_bytes();
            bytes.starts_with(b"/") && !bytes.starts_with(HERE.as_bytes())
        };
        if self.args.iter().any(leads_out) {
            return Verdict::Void("an operand outside the scene");
        }
        // In memory inodes are numbered in the order in which they are made.
        let is_ordered = child::statfs(folder).f_type == libc::TMPFS_MAGIC;
        for _ in 0..10 {
            let expected = self.outcome(gnu, folder, &[], None);
            let found = self.outcome(program, folder, way, Some(&expected.order));
            let mut lines = expected.differences(&found, ordered);
            if way.contains(&"--io=ring") {
                // It reads what GNU cp shares the blocks of.
                lines.retain(|line| !line.contains(": access time "));
            }
            if lines.is_empty() {
                return Verdict::Same;
            }
            if expected.tree.is_none() {
                return Verdict::Void("GNU cp did not end, or went down for ever");
            }
            if self.args.iter().any(|arg| is_parents(arg)) && expected.lost_its_way() {
                return Verdict::Void("GNU cp --parents looked for what it had made in `.`");
            }
            if !ordered && expected.changed(&self.scene, "s") {
                return Verdict::Void("what was written led to what was read: an open order");
            }
            let found_here = Found {
                scene: &self.scene,
                args: &self.args,
                ordinary: self.setting.user.is_some(),
                ordered,
                gnu: &expected.ran.stderr,
                ours: &found.ran.stderr,
                lines: &lines,
            };
            if let Some(why) = found_here.exception() {
                return Verdict::Void(why);
            }
            if is_ordered || expected.same_order(&found) {
                let said = format!(
                    "GNU: {}\nannulet: {}",
                    expected.ran.said(),
                    found.ran.said()
                );
                return Verdict::Differs(lines, said);
            }
        }
        Verdict::Void("the file system numbered inodes in another order each time")
    }

    /// Runs the trial once, in a scene whose inodes follow each other in the order given: both
    /// programs go through folders in the order of inodes, and order matters to what is seen.
    fn outcome(
        &self,
        program: &Path,
        folder: &Path,
        way: &[&str],
        order: Option<&[PathBuf]>,
    ) -> Outcome {
        let top = folder.join("copy");
        // Some way down, so that a `..` too many does not lead out.
        let dir = top.join("1/2/3");
        for attempt in 1.. {
            fs::create_dir_all(&dir).expect("a folder");
            self.scene.build(&dir);
            if attempt == 10 || order.is_none_or(|order| order == inode_order(&dir, &self.scene)) {
                break;
            }
            remove(&top);
        }
        for path in dir.ancestors().take(4) {
            // Not the prepared ones inside: the folders around them.
            fs::set_permissions(path, Permissions::from_mode(0o755)).expect("chmod");
            if let Some(user) = self.setting.user {
                give(path, user);
            }
            child::set_times(path, AROUND, AROUND).expect("times");
        }
        let order = inode_order(&dir, &self.scene);
        let mut old: BTreeSet<u64> = order.iter().map(|path| inode(&dir.join(path))).collect();
        old.extend(dir.ancestors().take(4).map(inode));
        let mut setting = self.setting.clone();
        if !self.answers.is_empty() {
            let path = folder.join("answers");
            fs::write(&path, &self.answers).expect("a file");
            setting.stdin = Some(path);
        }
        let mut args: Vec<OsString> = way.iter().map(Into::into).collect();
        args.extend(self.args.iter().map(|arg| placed(arg, &dir)));
        let fifos: Vec<_> = self
            .scene
            .items
            .iter()
            .filter(|item| matches!(item.node, Node::Fifo))
            .map(|item| dir.join(&item.path))
            .collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let started = i64::try_from(now.expect("a clock").as_secs()).expect("a time");
        let (ran, fifos) = feed(&fifos, || child::cp(program, &args, &dir, &setting));
        // One that did not end, or went too deep, has left what cannot be listed.
        let (mut details, mut inodes) = (BTreeMap::new(), Inodes::new());
        let tree = if ran.status == -libc::SIGKILL {
            None
        } else {
            // Times of access first: listing changes them.
            let times;
            (times, inodes) = access_times(&top);
            snapshot(&top).inspect(|tree| {
                for (path, entry) in tree {
                    let atime = times.get(path).copied().unwrap_or_default();
                    details.insert(path.clone(), Detail::of(&top.join(path), entry.kind, atime));
                }
            })
        };
        remove(&top);
        Outcome {
            ran,
            tree,
            details,
            fifos,
            started,
            order,
            place: dir.components().count() - 1,
            dir,
            inodes,
            old,
        }
    }
}

/// Whether an option is --parents, or short for it.
fn is_parents(arg: &OsStr) -> bool {
    arg.as_bytes().starts_with(b"--pa")
}

/// Whether each name has its folder, and each other name its first. A scene that is being made
/// smaller may not.
fn can_be_made(scene: &Scene) -> bool {
    let is_there = |at: usize, path: &Path| {
        let before = scene.items[..at].iter().find(|item| item.path == path);
        before.map(|item| matches!(item.node, Node::Dir))
    };
    scene.items.iter().enumerate().all(|(at, item)| {
        let parent = item.path.parent().unwrap_or(Path::new(""));
        let has_folder = parent.as_os_str().is_empty() || is_there(at, parent) == Some(true);
        let has_first = match &item.node {
            Node::Hard(first) => is_there(at, first) == Some(false),
            _ => true,
        };
        has_folder && has_first
    })
}

/// An argument with the scene's folder in it.
fn placed(arg: &OsStr, dir: &Path) -> OsString {
    let mut bytes = arg.as_bytes().to_vec();
    let here = HERE.as_bytes();
    if let Some(at) = bytes.windows(here.len()).position(|part| part == here) {
        let mut path = dir.as_os_str().as_bytes().to_vec();
        path.push(b'/');
        bytes.splice(at..at + here.len(), path);
    }
    OsString::from_vec(bytes)
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

/// What a [`Tree`] does not hold of a file.
#[derive(Debug, PartialEq, Eq)]
struct Detail {
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Numbers of inodes by folder and name.
type Inodes = BTreeMap<PathBuf, BTreeMap<OsString, u64>>;

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

/// What came of one run.
struct Outcome {
    ran: Ran,
    /// `None` if it could not be listed.
    tree: Option<Tree>,
    details: BTreeMap<PathBuf, Detail>,
    /// What was left in the FIFOs.
    fifos: Vec<Vec<u8>>,
    /// When the run began: what is newer was changed by it.
    started: i64,
    order: Vec<PathBuf>,
    /// What the inodes' numbers are at the end.
    inodes: Inodes,
    /// The inodes that were there before.
    old: BTreeSet<u64>,
    /// The folder the command was run in, and how deep it is.
    dir: PathBuf,
    place: usize,
}

impl Outcome {
    /// Whether the numbers of the inodes, before and after, are in the same order, as far as both
    /// have the same names.
    fn same_order(&self, other: &Self) -> bool {
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

    /// Whether GNU cp ended as it compared a name below the destination with one it had made
    /// before, and took both for names below the current folder: the path alone, unquoted.
    fn lost_its_way(&self) -> bool {
        let last = self.ran.stderr.lines().last().unwrap_or_default();
        let path = last
            .strip_prefix("cp: ")
            .and_then(|line| line.split_once(": "));
        path.is_some_and(|(path, why)| {
            let alone = path.starts_with(['\'', '"']) || !path.contains(' ');
            matches!(why, "No such file or directory" | "Permission denied") && alone
        })
    }

    /// Whether a regular file that was there below the scene's folder `top` was written to.
    fn changed(&self, scene: &Scene, top: &str) -> bool {
        let tree = self.tree.iter().flatten();
        let found: BTreeMap<_, _> = tree.map(|(path, entry)| (path, entry.mtime)).collect();
        scene.items.iter().any(|item| {
            let found = found.get(&Path::new("1/2/3").join(&item.path));
            let is_file = matches!(item.node, Node::File(..) | Node::Parts(_));
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
        let around = |name| {
            self.dir
                .components()
                .take(self.place - 3)
                .any(|c| c.as_os_str() == name)
        };
        path.file_name().is_some_and(around)
    }

    #[allow(clippy::unnecessary_debug_formatting)] // names with newlines must not break lines
    fn differences(&self, other: &Self, ordered: bool) -> Vec<String> {
        let (a, b) = (&self.ran, &other.ran);
        let mut lines = Vec::new();
        if a.status != b.status {
            lines.push(format!("status {} should be {}", b.status, a.status));
        }
        let same = |a: &[u8], b: &[u8]| a == b || (!ordered && sorted(a) == sorted(b));
        if !same(&normal(a.stderr.as_bytes()), &normal(b.stderr.as_bytes())) {
            lines.push("other messages".into());
        }
        if !same(&a.stdout, &b.stdout) {
            lines.push("other output".into());
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
        lines.extend(self.of_trees(tree, others, other, ordered));
        lines
    }

    #[allow(clippy::unnecessary_debug_formatting)] // as above
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
                if a != b {
                    lines.push(format!("{path:?}: {what} {b}, should be {a}"));
                }
            };
            let (x, y) = (&self.details[path], &other.details[path]);
            check("attributes", &x.xattrs, &y.xattrs);
            check("data at", &x.data, &y.data);
            // How much room a folder takes is its file system's affair.
            if a.kind != Kind::Folder {
                check("blocks", &a.blocks, &b.blocks);
                check("links", &a.nlink, &b.nlink);
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
