//! Small random scenes in which everything meets: what is copied and what is there already, of
//! every kind, with modes, owners, times, extended attributes and access lists of all sorts.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::forest::Random;
use super::scene::{Fill, Item, Node, Scene};
use crate::support::is_root;

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

/// A scene, and the paths of what is in it.
pub struct Thicket {
    pub scene: Scene,
    pub paths: Vec<PathBuf>,
    /// The owner of most of it, where it is not the test's own user.
    user: Option<u32>,
}

/// A scene with what is copied in `s` and what is there already in `d`.
pub fn thicket(random: &mut Random, user: Option<u32>) -> Thicket {
    let mut thicket = Thicket {
        scene: Scene::default(),
        paths: Vec::new(),
        user,
    };
    thicket.add(random, "s".into(), Node::Dir);
    thicket.fill(random, "s", 12);
    match random.below(12) {
        0 => {}
        1 => thicket.add_any(random, "d".into()),
        _ => thicket.add(random, "d".into(), Node::Dir),
    }
    if random.below(5) > 0 {
        let meets = random.pick(&["d", "d/s", "d/s"]);
        thicket.mirror(random, meets);
    }
    thicket.fill(random, "d", 4);
    if random.below(4) == 0 {
        thicket.add(random, "o".into(), Node::Dir);
        thicket.fill(random, "o", 5);
    }
    for _ in 0..random.below(4) {
        let name = name(random);
        thicket.add_any(random, name);
    }
    if let Some(id) = user {
        thicket.scene.own(id);
    }
    thicket
}

impl Thicket {
    fn has(&self, path: &Path) -> bool {
        self.paths.iter().any(|other| other == path)
    }

    pub fn is_dir(&self, path: &Path) -> bool {
        let item = self.scene.items.iter().find(|item| item.path == path);
        item.is_some_and(|item| matches!(item.node, Node::Dir))
    }

    /// Adds up to `most` names below the folder `top`.
    fn fill(&mut self, random: &mut Random, top: &str, most: usize) {
        if !self.is_dir(Path::new(top)) {
            return;
        }
        let mut dirs = vec![PathBuf::from(top)];
        for _ in 0..random.below(most) {
            let path = dirs[random.below(dirs.len())].join(name(random));
            self.add_any(random, path.clone());
            if self.is_dir(&path) && path.components().count() < 5 {
                dirs.push(path);
            }
        }
    }

    /// Puts below `meets` some of what copying `s` there meets.
    fn mirror(&mut self, random: &mut Random, meets: &str) {
        if !self.is_dir(Path::new("d")) {
            return;
        }
        if meets != "d" {
            self.add(random, meets.into(), Node::Dir);
        }
        let sources: Vec<Item> = self.scene.items.clone();
        for source in sources {
            let Ok(below) = source.path.strip_prefix("s") else {
                continue;
            };
            let path = Path::new(meets).join(below);
            let parent = path.parent().expect("a folder").to_owned();
            if below.as_os_str().is_empty() || random.below(2) == 0 || !self.is_dir(&parent) {
                continue;
            }
            if random.below(3) > 0 && !matches!(source.node, Node::Hard(_) | Node::Link(_)) {
                self.add(random, path.clone(), source.node.clone());
            } else {
                self.add_any(random, path.clone());
            }
            if let Some(item) = self.scene.items.iter_mut().find(|item| item.path == path) {
                let (seconds, nanos) = source.mtime;
                item.mtime = match random.below(6) {
                    0 | 1 => (seconds, nanos),
                    2 => (seconds, nanos - 1),
                    3 => (seconds, nanos + 1),
                    4 => (seconds - 5000, nanos),
                    _ => (seconds + 5000, nanos),
                };
            }
            while random.below(4) == 0 {
                let mut backup = path.clone().into_os_string();
                backup.push(random.pick(BACKUPS));
                self.add_any(random, backup.into());
            }
        }
    }

    fn add_any(&mut self, random: &mut Random, path: PathBuf) {
        let node = self.node(random, &path);
        self.add(random, path, node);
    }

    fn add(&mut self, random: &mut Random, path: PathBuf, node: Node) {
        if self.has(&path) {
            return;
        }
        self.paths.push(path.clone());
        let user = self.user;
        let is_top = path.components().count() == 1;
        let item = self.scene.add(path, node);
        // A folder that shuts everybody out leaves nothing to compare.
        item.mode = match (&item.node, random.below(24)) {
            (Node::Dir, 0) if !is_top => random.pick(MODES),
            (Node::Dir, 0..=5) => random.pick(OPEN_MODES),
            (Node::Dir, _) => 0o755,
            (_, 0..=6) => random.pick(MODES),
            _ => 0o644,
        };
        if is_root() && random.below(if is_top { 40 } else { 10 }) == 0 {
            item.owner = Some(random.pick(&[(1234, 4321), (0, 4321), (1234, 0), (0, 0)]));
        }
        if random.below(12) == 0 {
            // Before and after all others, and not of today.
            item.mtime = random.pick(&[(0, 1), (-5, 7), (4_000_000_000, 999_999_998)]);
        }
        if matches!(item.node, Node::File(..) | Node::Parts(_) | Node::Dir) {
            attributes(random, item, user);
        }
    }

    fn node(&self, random: &mut Random, path: &Path) -> Node {
        let to = |up: &str, path: &Path| Node::Link(Path::new(up).join(path).into_os_string());
        match random.below(24) {
            9..=12 => {
                let up = "../".repeat(path.components().count() - 1);
                let name = name(random);
                match random.below(8) {
                    0 => Node::Link(name.into_os_string()),
                    1 => to("..", &name),
                    2 => Node::Link(".".into()),
                    3 => Node::Link("nowhere".into()),
                    4 => to(&up, Path::new(random.pick(&["s", "d", "d/s", "o"]))),
                    _ => to(&up, &self.any(random)),
                }
            }
            13..=15 => {
                let other = self.any(random);
                if self.is_dir(&other) {
                    file(random)
                } else {
                    // Another name of the first, so that nothing depends on their order.
                    let first = self.scene.items.iter().find(|item| item.path == other);
                    match first.map(|item| &item.node) {
                        Some(Node::Hard(first)) => Node::Hard(first.clone()),
                        _ => Node::Hard(other),
                    }
                }
            }
            16 if random.below(2) == 0 => Node::Fifo,
            17 if random.below(2) == 0 => Node::Socket,
            18 if is_root() && random.below(2) == 0 => {
                [Node::Char(1, 3), Node::Block(240, 77)][random.below(2)].clone()
            }
            19..=23 => Node::Dir,
            _ => file(random),
        }
    }

    /// The path of something in the folder `top`, or of the folder, that is a folder or is none.
    pub fn below(&self, random: &mut Random, top: &str, dir: bool) -> PathBuf {
        let found: Vec<_> = self
            .paths
            .iter()
            .filter(|path| path.starts_with(top))
            .collect();
        let found: Vec<_> = found
            .into_iter()
            .filter(|path| self.is_dir(path) == dir)
            .collect();
        match found.len() {
            0 => self.any(random),
            len => found[random.below(len)].clone(),
        }
    }

    /// The path of something that is there.
    pub fn any(&self, random: &mut Random) -> PathBuf {
        self.paths[random.below(self.paths.len())].clone()
    }
}

pub fn name(random: &mut Random) -> PathBuf {
    OsStr::from_bytes(random.pick(NAMES)).into()
}

fn file(random: &mut Random) -> Node {
    if random.below(3) > 0 {
        let size = match random.below(10) {
            0..=1 => 0,
            2 => random.pick(&[4096, 8192, 65_536, 131_072, 262_144, 131_073, 300_000]),
            _ => random.below(6000),
        };
        return Node::File(size as u64, vec![(0, size)]);
    }
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
    if random.below(6) == 0 {
        item.xattrs.push(("user.first", b"one".to_vec()));
        if random.below(2) == 0 {
            item.xattrs.push(("user.empty", Vec::new()));
        }
        if random.below(3) == 0 {
            item.xattrs.push(("user.long \u{1}", vec![b'v'; 300]));
        }
    }
    if is_root() && random.below(20) == 0 {
        item.xattrs
            .push(("trusted.annulet", b"root's own".to_vec()));
    }
    if is_root() && !is_dir && random.below(15) == 0 {
        // VFS_CAP_REVISION_2, effective: net_bind_service.
        let words = [0x0200_0001_u32, 1 << 10, 0, 0, 0];
        let value = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        item.xattrs.push(("security.capability", value));
    }
    if random.below(if is_dir { 16 } else { 6 }) == 0 {
        item.xattrs
            .push(("system.posix_acl_access", list(random, user)));
    }
    if is_dir && random.below(6) == 0 {
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
