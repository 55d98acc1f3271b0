//! Random scenes: what is copied in `s` and what is there already in `d`, of every kind, with
//! modes, owners, times, extended attributes and access lists of all sorts. Knobs say how much of
//! it there is. The same seed gives the same scene.

use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::scene::{Fill, Item, Node, Scene};
use crate::support::{Random, is_root, odd_names};

/// Few names, so that they meet.
const NAMES: &[&[u8]] = &[
    b"a",
    b"a",
    b"b",
    b"b",
    b"c",
    b"dir",
    b"l",
    b"x y",
    b"new\nline",
    b"-r",
    b"q'uote",
    b"\xff\x01",
];

/// What backups are called, behind a name.
const BACKUPS: &[&str] = &[
    "~", "~", ".~1~", ".~1~", ".~2~", ".~9~", ".~10~", ".~99~", ".~x~", ".~01~", ".bak",
];

const MODES: &[u32] = &[
    0o755, 0o777, 0o600, 0o444, 0o555, 0o000, 0o4755, 0o2755, 0o1777, 0o200, 0o711, 0o400, 0o6777,
    0o500, 0o300, 0o2775, 0o2711, 0o070, 0o007, 0o640,
];

/// Modes of folders that can be worked in by their owner.
const OPEN_MODES: &[u32] = &[
    0o700, 0o777, 0o2755, 0o2777, 0o1777, 0o711, 0o6775, 0o3770, 0o750, 0o555, 0o500,
];

/// Sizes on both sides of every buffer's border.
pub const SIZES: &[u64] = &[
    0,
    1,
    511,
    512,
    513,
    4095,
    4096,
    4097,
    (128 << 10) - 1,
    128 << 10,
    (128 << 10) + 1,
    (256 << 10) - 1,
    256 << 10,
    (256 << 10) + 1,
    (512 << 10) - 1,
    (512 << 10) + 1,
    (1 << 20) - 1,
    1 << 20,
    (1 << 20) + 1,
    (5 << 18) - 1,
    5 << 18,
    (5 << 18) + 1,
    (8 << 20) + 12345,
];

/// How much a scene has of what.
#[derive(Clone, Debug)]
pub struct Knobs {
    /// Names below `s`.
    names: Range<usize>,
    /// Folders in each other.
    levels: usize,
    /// How many of 30 names are folders.
    folders: Range<usize>,
    /// Files of 9 MiB and more.
    large_files: Range<usize>,
    /// Whether names meet: there are few of them, links lead from everywhere to everywhere, and
    /// each file in `d` may be another name of one in `s`. Without it, what comes of a copy does
    /// not depend on which name is copied first.
    names_meet: bool,
    /// Whether there are extended attributes and access lists, which not every file system has.
    attributes: bool,
    /// The owner of what has no other, where it is not the test's own user.
    user: Option<u32>,
}

impl Knobs {
    /// A few names that meet in every way, for thousands of cases beside GNU cp.
    #[must_use]
    pub const fn small(user: Option<u32>) -> Self {
        Self {
            names: 0..12,
            levels: 5,
            folders: 6..7,
            large_files: 0..1,
            names_meet: true,
            attributes: true,
            user,
        }
    }

    /// Hundreds of names in a wide or a deep tree, for several workers.
    #[must_use]
    pub const fn large(user: Option<u32>) -> Self {
        Self {
            names: 60..460,
            levels: 60,
            folders: 2..14,
            large_files: 0..4,
            names_meet: false,
            attributes: false,
            user,
        }
    }
}

/// A scene, and the paths of what is in it.
pub struct RandomTree {
    pub scene: Scene,
    pub paths: Vec<PathBuf>,
    knobs: Knobs,
    /// Of 30 names, how many are folders.
    folders: usize,
    /// Of 10 names, how many are in the newest folder, and not in any.
    deep: usize,
    /// How many large files there may still be.
    large_files: usize,
}

impl RandomTree {
    /// Makes one up.
    #[must_use]
    pub fn new(random: &mut Random, knobs: Knobs) -> Self {
        let mut tree = Self {
            scene: Scene::default(),
            paths: Vec::new(),
            folders: within(random, &knobs.folders),
            deep: if knobs.names_meet {
                0
            } else {
                random.below(10)
            },
            large_files: within(random, &knobs.large_files),
            knobs,
        };
        tree.add(random, "s".into(), Node::Dir);
        let names = within(random, &tree.knobs.names);
        tree.fill(random, "s", names);
        if tree.knobs.names_meet {
            tree.surround(random);
        } else {
            tree.add(random, "d".into(), Node::Dir);
            tree.add(random, "elsewhere".into(), Node::Dir);
            tree.mirror(random, "d");
        }
        if let Some(id) = tree.knobs.user {
            tree.scene.own(id);
        }
        tree
    }

    /// Adds what is there already, and what links may lead to.
    fn surround(&mut self, random: &mut Random) {
        match random.below(12) {
            0 => {}
            1 => self.add_any(random, "d".into()),
            _ => self.add(random, "d".into(), Node::Dir),
        }
        if random.below(5) > 0 && self.is_dir(Path::new("d")) {
            let meets = random.pick(&["d", "d/s", "d/s"]);
            if meets != "d" {
                self.add(random, meets.into(), Node::Dir);
            }
            self.mirror(random, meets);
        }
        let names = random.below(4);
        self.fill(random, "d", names);
        if random.one_in(4) {
            self.add(random, "o".into(), Node::Dir);
            let names = random.below(5);
            self.fill(random, "o", names);
        }
        for _ in 0..random.below(4) {
            let name = name(random);
            self.add_any(random, name);
        }
    }

    fn has(&self, path: &Path) -> bool {
        self.paths.iter().any(|other| other == path)
    }

    fn item(&self, path: &Path) -> Option<&Item> {
        self.scene.items.iter().find(|item| item.path == path)
    }

    /// Whether that is a folder's path.
    #[must_use]
    pub fn is_dir(&self, path: &Path) -> bool {
        let item = self.item(path);
        item.is_some_and(|item| matches!(item.node, Node::Dir))
    }

    /// Adds so many names below the folder `top`, if there are not such already.
    fn fill(&mut self, random: &mut Random, top: &str, names: usize) {
        if !self.is_dir(Path::new(top)) {
            return;
        }
        let mut dirs = vec![PathBuf::from(top)];
        for number in 0..names {
            let dir = if random.below(10) < self.deep {
                dirs.len() - 1
            } else {
                random.below(dirs.len())
            };
            let name = if self.knobs.names_meet {
                name(random)
            } else {
                name_of_its_own(random, number)
            };
            let path = dirs[dir].join(name);
            self.add_any(random, path.clone());
            if self.is_dir(&path) && path.components().count() < self.knobs.levels {
                dirs.push(path);
            }
        }
    }

    /// Puts below `meets` some of what copying `s` there meets.
    fn mirror(&mut self, random: &mut Random, meets: &str) {
        for source in self.scene.items.clone() {
            let Ok(below) = source.path.strip_prefix("s") else {
                continue;
            };
            let path = Path::new(meets).join(below);
            let parent = path.parent().expect("a folder").to_owned();
            let is_there = random.one_in(if self.knobs.names_meet { 2 } else { 3 });
            if below.as_os_str().is_empty() || !is_there || !self.is_dir(&parent) {
                continue;
            }
            let node = if self.knobs.names_meet {
                Some(self.any_beside(random, &source, &path))
            } else {
                self.apart_beside(random, &source, &path)
            };
            let Some(node) = node else { continue };
            self.add(random, path.clone(), node);
            self.date(random, &path, source.mtime);
            while self.knobs.names_meet && random.one_in(4) {
                let mut backup = path.clone().into_os_string();
                backup.push(random.pick(BACKUPS));
                self.add_any(random, backup.into());
            }
        }
    }

    /// What may be where `source` is copied to: mostly the same.
    fn any_beside(&self, random: &mut Random, source: &Item, path: &Path) -> Node {
        if random.below(3) > 0 && !matches!(source.node, Node::Hard(_) | Node::Link(_)) {
            source.node.clone()
        } else {
            self.node(random, path)
        }
    }

    /// What may be where `source` is copied to, without another name and without a way to what
    /// is copied: then it makes no difference when it is replaced.
    fn apart_beside(&mut self, random: &mut Random, source: &Item, path: &Path) -> Option<Node> {
        let is_odd = random.one_in(12);
        let has_two_names = self.scene.items.iter().any(|item| match &item.node {
            Node::Hard(first) => *first == source.path || item.path == source.path,
            _ => false,
        });
        let is_file = matches!(source.node, Node::File(..) | Node::Parts(_));
        let small = |size: usize| Node::File(size as u64, vec![(0, size)]);
        Some(match (&source.node, is_odd) {
            (Node::Dir, false) => Node::Dir,
            (Node::Dir, true) => small(7),
            (_, false) if has_two_names => return None,
            (_, false) => small(random.below(9000)),
            (_, true) if is_file && !has_two_names && random.one_in(2) => {
                // Written through; to a file that nothing else leads to.
                let target = format!("elsewhere/{}", self.paths.len());
                self.add(random, target.clone().into(), small(20));
                Node::Link(up_from(path).join(target).into_os_string())
            }
            (_, true) => Node::Dir,
        })
    }

    /// Gives what is at `path` a time near that of what is copied there.
    fn date(&mut self, random: &mut Random, path: &Path, (seconds, nanos): (i64, i64)) {
        let item = self.scene.items.iter_mut().find(|item| item.path == path);
        if let Some(item) = item {
            item.mtime = match random.below(6) {
                0 | 1 => (seconds, nanos),
                2 => (seconds, nanos - 1),
                3 => (seconds, nanos + 1),
                4 => (seconds - 5000, nanos),
                _ => (seconds + 5000, nanos),
            };
        }
    }

    fn add_any(&mut self, random: &mut Random, path: PathBuf) {
        let node = self.node(random, &path);
        if matches!(node, Node::File(LARGE.., _)) {
            self.large_files -= 1;
        }
        self.add(random, path, node);
    }

    fn add(&mut self, random: &mut Random, path: PathBuf, node: Node) {
        if self.has(&path) {
            return;
        }
        self.paths.push(path.clone());
        let is_top = path.components().count() == 1;
        let item = self.scene.add(path, node);
        // A folder that shuts everybody out leaves nothing to compare.
        item.mode = match (&item.node, random.below(24)) {
            (Node::Dir, _) if is_top && !self.knobs.names_meet => 0o755,
            (Node::Dir, 0) if !is_top => random.pick(MODES),
            (Node::Dir, 0..=5) => random.pick(OPEN_MODES),
            (Node::Dir, _) => 0o755,
            (_, 0..=6) => random.pick(MODES),
            _ => 0o644,
        };
        if is_root() && random.one_in(if is_top { 40 } else { 10 }) {
            item.owner = Some(random.pick(&[(1234, 4321), (0, 4321), (1234, 0), (0, 0)]));
        }
        if random.one_in(12) {
            // Before and after all others, and not of today.
            item.mtime = random.pick(&[(0, 1), (-5, 7), (4_000_000_000, 999_999_998)]);
        }
        let takes_any = matches!(item.node, Node::File(..) | Node::Parts(_) | Node::Dir);
        if takes_any && self.knobs.attributes {
            attributes(random, item, self.knobs.user);
        }
    }

    fn node(&self, random: &mut Random, path: &Path) -> Node {
        if random.below(30) < self.folders {
            return Node::Dir;
        }
        match random.below(19) {
            0..=3 => Node::Link(self.target(random, path)),
            4..=6 => {
                let other = self.any(random);
                if self.is_dir(&other) {
                    return self.file(random);
                }
                // Another name of the first, so that nothing depends on their order.
                match self.item(&other).map(|item| &item.node) {
                    Some(Node::Hard(first)) => Node::Hard(first.clone()),
                    _ => Node::Hard(other),
                }
            }
            7 if random.one_in(2) => Node::Fifo,
            8 if random.one_in(2) => Node::Socket,
            9 if is_root() && random.one_in(2) => {
                random.pick(&[Node::Char(1, 3), Node::Block(240, 77)])
            }
            _ => self.file(random),
        }
    }

    /// What a symlink at `path` holds.
    fn target(&self, random: &mut Random, path: &Path) -> OsString {
        if !self.knobs.names_meet {
            return random.pick(&["../a", "no such", "/etc", "."]).into();
        }
        let name = name(random);
        let up = up_from(path);
        match random.below(8) {
            0 => name,
            1 => Path::new("..").join(name),
            2 => ".".into(),
            3 => "nowhere".into(),
            4 => up.join(random.pick(&["s", "d", "d/s", "o"])),
            _ => up.join(self.any(random)),
        }
        .into_os_string()
    }

    fn file(&self, random: &mut Random) -> Node {
        if self.large_files > 0 && random.one_in(15) {
            let size = random.below(11 << 20);
            return Node::File(LARGE + size as u64, vec![(0, (9 << 20) + size)]);
        }
        if random.one_in(3) {
            return parts(random);
        }
        let size = match random.below(40) {
            0 => random.pick(SIZES).min(2 << 20),
            1 => random.next() % 700_000,
            2..=5 => random.pick(&[4096, 8192, 65_536, 131_072, 262_144, 131_073, 300_000]),
            6..=13 => 0,
            _ => random.next() % 6000,
        };
        let whole = usize::try_from(size).expect("a small size");
        if random.one_in(8) && size > 5000 {
            let at = random.below(whole);
            return Node::File(size, vec![(at as u64, (whole - at).min(9000))]);
        }
        Node::File(size, vec![(0, whole)])
    }

    /// The path of something in the folder `top`, or of the folder, that is a folder or is none.
    pub fn below(&self, random: &mut Random, top: &str, dir: bool) -> PathBuf {
        let below_top = self.paths.iter().filter(|path| path.starts_with(top));
        let found: Vec<_> = below_top.filter(|path| self.is_dir(path) == dir).collect();
        match found.len() {
            0 => self.any(random),
            len => found[random.below(len)].clone(),
        }
    }

    /// The path of something that is there.
    pub fn any(&self, random: &mut Random) -> PathBuf {
        random.pick(&self.paths)
    }
}

/// The size from which on a file is large.
const LARGE: u64 = 9 << 20;

/// A number within a range.
fn within(random: &mut Random, range: &Range<usize>) -> usize {
    range.start + random.below(range.len())
}

/// From the folder of `path` up to where the scene is.
fn up_from(path: &Path) -> PathBuf {
    "../".repeat(path.components().count() - 1).into()
}

/// One of the few names.
pub fn name(random: &mut Random) -> PathBuf {
    OsStr::from_bytes(random.pick(NAMES)).into()
}

/// A name that no other has, at times an odd one.
fn name_of_its_own(random: &mut Random, number: usize) -> PathBuf {
    let mut name = OsString::new();
    if random.one_in(8) {
        let mut odd = odd_names();
        // The longest, to which nothing can be added.
        odd.pop();
        name = random.pick(&odd);
    }
    name.push(format!("n{number}"));
    name.into()
}

/// A file of parts that are filled in several ways.
fn parts(random: &mut Random) -> Node {
    let parts = (0..=random.below(5))
        .map(|_| {
            let fill = random.pick(&[Fill::Noise, Fill::Zeros, Fill::Hole]);
            let len = match random.below(8) {
                0 => random.pick(&[1, 511, 512, 4095, 4097, 32_767, 32_768, 32_769]),
                1 => random.pick(&[131_072, 262_144, 131_071, 262_145]),
                2 => random.below(20_000),
                _ => 4096 * (1 + random.below(9)),
            };
            (fill, len)
        })
        .collect();
    Node::Parts(parts)
}

/// Extended attributes and access lists, seldom.
fn attributes(random: &mut Random, item: &mut Item, user: Option<u32>) {
    let is_dir = matches!(item.node, Node::Dir);
    if random.one_in(6) {
        item.xattrs.push(("user.first", b"one".to_vec()));
        if random.one_in(2) {
            item.xattrs.push(("user.empty", Vec::new()));
        }
        if random.one_in(3) {
            item.xattrs.push(("user.long \u{1}", vec![b'v'; 300]));
        }
    }
    if is_root() && random.one_in(20) {
        item.xattrs
            .push(("trusted.annulet", b"root's own".to_vec()));
    }
    if is_root() && !is_dir && random.one_in(15) {
        // VFS_CAP_REVISION_2, effective: net_bind_service.
        let words = [0x0200_0001_u32, 1 << 10, 0, 0, 0];
        let value = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        item.xattrs.push(("security.capability", value));
    }
    if random.one_in(if is_dir { 16 } else { 6 }) {
        item.xattrs
            .push(("system.posix_acl_access", list(random, user)));
    }
    if is_dir && random.one_in(6) {
        item.xattrs
            .push(("system.posix_acl_default", list(random, user)));
    }
}

/// An access list as it stands in the attribute (`include/uapi/linux/posix_acl_xattr.h`).
fn list(random: &mut Random, user: Option<u32>) -> Vec<u8> {
    const NONE: u32 = u32::MAX;
    let mut bits = || random.pick(&[7_u16, 7, 6, 5, 4, 0, 1, 2]);
    let mut entries = vec![(1, bits(), NONE)];
    let extended = bits() != 7;
    if extended {
        entries.push((2, bits(), user.unwrap_or(1234)));
    }
    entries.push((4, bits(), NONE));
    if extended {
        if bits() == 7 {
            entries.push((8, bits(), 4321));
        }
        entries.push((16, bits(), NONE));
    }
    entries.push((32, bits(), NONE));
    let mut value = 2_u32.to_le_bytes().to_vec();
    for (tag, bits, id) in entries {
        value.extend(u16::to_le_bytes(tag));
        value.extend(bits.to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    value
}
