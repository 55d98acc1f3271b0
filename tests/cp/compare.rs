//! One command under GNU cp and under annulet, each in a copy of one scene, and everything
//! that must come out the same: exit status, messages, output, and the whole tree.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use super::child::{self, Setting};
use super::scene::{Scene, give, shell};
use crate::support::{self, Agree, Kind, Ran, Tree, annulet, differences, is_root};

/// The user that tests become who must not be root: `nobody`.
pub const NOBODY: u32 = 65534;

/// What to type before a command that is run as another user.
pub fn as_whom(setting: &Setting) -> String {
    let as_user = |user| format!("setpriv --reuid={user} --regid={user} --clear-groups ");
    setting.user.map(as_user).unwrap_or_default()
}

/// A command in a scene.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub scene: Scene,
    pub args: Vec<OsString>,
    pub setting: Setting,
}

impl Case {
    /// The case as commands to type.
    pub fn script(&self) -> String {
        let mut script = self.scene.script();
        let _ = write!(script, "umask {:03o}; ", self.setting.umask);
        script.push_str(&as_whom(&self.setting));
        script.push_str("cp");
        for arg in &self.args {
            let _ = write!(script, " {}", shell(arg));
        }
        script
    }

    /// Runs the case under GNU cp, and once under annulet for each way of moving data; tells
    /// everything that differs.
    pub fn check(&self, gnu: &Path, folder: &Path, ways: &[&str]) -> Result<(), String> {
        let expected = Outcome::of(self, gnu, None, &folder.join("gnu"));
        let mut found: Vec<(String, String)> = Vec::new();
        for (number, way) in ways.iter().enumerate() {
            let top = folder.join(format!("annulet{number}"));
            let outcome = Outcome::of(self, &annulet(), Some(way), &top);
            let lines = expected.differences(&outcome);
            remove(&top);
            if lines.is_empty() {
                continue;
            }
            let what = format!("  {}\nannulet: {}", lines.join("\n  "), outcome.ran.said());
            // Mostly it is the same whichever way the data went.
            match found.iter_mut().find(|(_, other)| *other == what) {
                Some((others, _)) => {
                    let _ = write!(others, " and {way:?}");
                }
                None => found.push((format!("{way:?}"), what)),
            }
        }
        remove(&folder.join("gnu"));
        if found.is_empty() {
            return Ok(());
        }
        let mut report = format!(
            "{}\n{}\nGNU: {}",
            self.name,
            self.script(),
            expected.ran.said()
        );
        for (ways, what) in found {
            let _ = writeln!(report, "with {ways}:\n{what}");
        }
        Err(report)
    }
}

/// What came of one run.
struct Outcome {
    ran: Ran,
    /// `None` if it could not be listed.
    tree: Option<Tree>,
    /// When the run began: what is newer was changed by it.
    started: i64,
}

impl Outcome {
    fn of(case: &Case, program: &Path, way: Option<&str>, top: &Path) -> Self {
        // Some way down, so that a `..` too many does not reach the other copies.
        let dir = top.join("1/2/3");
        fs::create_dir_all(&dir).expect("a folder");
        case.scene.build(&dir);
        for path in dir.ancestors().take(4) {
            // Not the prepared ones inside: the folders around them.
            fs::set_permissions(path, Permissions::from_mode(0o755)).expect("chmod");
            if let Some(user) = case.setting.user {
                give(path, user);
            }
            child::set_times(path, (1_000_000, 0), (1_000_000, 0)).expect("times");
        }
        let mut args = case.args.clone();
        if let Some(way) = way.filter(|way| !way.is_empty()) {
            args.insert(0, way.into());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let started = i64::try_from(now.expect("a clock").as_secs()).expect("a time");
        let ran = child::cp(program, &args, &dir, &case.setting);
        // One that did not end, or went too deep, has left what cannot be listed.
        let tree = if ran.status == -libc::SIGKILL {
            None
        } else {
            snapshot(top)
        };
        Self { ran, tree, started }
    }

    /// A time, or `None` if it is of this run.
    fn time(&self, (seconds, nanos): (i64, i64)) -> Option<(i64, i64)> {
        (seconds < self.started - 60).then_some((seconds, nanos))
    }

    #[allow(clippy::unnecessary_debug_formatting)] // names with newlines must not break lines
    fn differences(&self, other: &Self) -> Vec<String> {
        let (a, b) = (&self.ran, &other.ran);
        let mut lines = Vec::new();
        if a.status != b.status {
            lines.push(format!("status {} should be {}", b.status, a.status));
        }
        // Within a directory the order is each program's own.
        if sorted(&messages(a)) != sorted(&messages(b)) {
            lines.push("other messages".into());
        }
        if sorted(&a.stdout) != sorted(&b.stdout) {
            lines.push("other output".into());
        }
        let agree = Agree {
            times: false,
            link_times: false,
            ..Agree::ALL
        };
        let (Some(tree), Some(others)) = (&self.tree, &other.tree) else {
            if self.tree.is_some() != other.tree.is_some() {
                lines.push("one of the trees cannot be listed".into());
            }
            return lines;
        };
        lines.extend(differences(&excused(tree, others), others, agree));
        for (path, a) in tree {
            let Some(b) = others.get(path) else {
                continue;
            };
            let times = (self.time(a.mtime), other.time(b.mtime));
            if times.0 != times.1 {
                lines.push(format!(
                    "{path:?}: modification time {:?} should be {:?}",
                    times.1, times.0
                ));
            }
            if a.kind != Kind::Folder && a.nlink != b.nlink {
                lines.push(format!("{path:?}: {} links, not {}", b.nlink, a.nlink));
            }
            // Holes: no more than GNU allocates, but for what a file system rounds up.
            if b.blocks > a.blocks + 128 + a.blocks / 64 {
                lines.push(format!("{path:?}: {} blocks, not {}", b.blocks, a.blocks));
            }
        }
        lines
    }
}

/// GNU's tree, less what it does not do on every file system: it sets modes as POSIX access
/// lists where it can, which cannot take away special bits. So folders keep the setgid bit of
/// the folder around them, folders and nodes the bits they were made with, and files that
/// were there before the bits they had, whether or not the source has them.
fn excused(gnu: &Tree, other: &Tree) -> Tree {
    let mut tree = gnu.clone();
    for (path, entry) in &mut tree {
        if entry.kind != Kind::Link
            && let Some(found) = other.get(path)
            && found.mode | (entry.mode & 0o7000) == entry.mode
        {
            entry.mode = found.mode;
        }
    }
    tree
}

/// A run's messages. For a folder that is copied into itself GNU has two, and which one it
/// takes depends on the spelling of the path that leads there. Of a folder that a file would
/// overwrite, 9.1 does not name the file.
fn messages(ran: &Ran) -> Vec<u8> {
    let mut text = String::new();
    for line in ran.stderr.lines() {
        let into_itself = line.starts_with("cp: cannot copy a directory, ")
            || (line.starts_with("cp: will not create hard link ")
                && line.contains(" to directory "));
        let (start, end) = ("cp: cannot overwrite directory ", " with non-directory");
        let shown = match line.find(end) {
            _ if into_itself => "cp: into itself",
            Some(at) if line.starts_with(start) => &line[..at + end.len()],
            _ => line,
        };
        text.push_str(shown);
        text.push('\n');
    }
    text.into_bytes()
}

/// The lines of a text, whatever their order.
pub fn sorted(text: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<_> = text.split(|&b| b == b'\n').collect();
    lines.sort_unstable();
    lines
}

/// Lists a tree, also one that its owner may not read. `None` if it is so deep that paths do
/// not reach its bottom, as a copy into itself may have made it.
pub fn snapshot(top: &Path) -> Option<Tree> {
    if is_deep(top, 100) {
        return None;
    }
    let modes = if is_root() {
        BTreeMap::new()
    } else {
        open_up(top)
    };
    let mut tree = support::tree(top);
    for (path, mode) in modes {
        if let Some(entry) = tree.get_mut(&path) {
            entry.mode = mode;
        }
    }
    Some(tree)
}

/// Makes everything in a tree readable for its owner; returns the modes that there were.
fn open_up(top: &Path) -> BTreeMap<PathBuf, u32> {
    let mut modes = BTreeMap::new();
    let mut pending = vec![top.to_owned()];
    while let Some(path) = pending.pop() {
        let meta = fs::symlink_metadata(&path).expect("metadata");
        let mode = meta.mode() & 0o7777;
        let (dir, file) = (meta.is_dir(), meta.is_file());
        let wanted = mode | if dir { 0o700 } else { 0o400 };
        if (dir || file) && mode != wanted {
            let below = path.strip_prefix(top).expect("a path below the top");
            modes.insert(below.to_owned(), mode);
            fs::set_permissions(&path, Permissions::from_mode(wanted)).expect("chmod");
        }
        if dir {
            let entries = fs::read_dir(&path).expect("a folder");
            pending.extend(entries.map(|entry| entry.expect("an entry").path()));
        }
    }
    modes
}

/// Whether a tree has more than so many levels.
fn is_deep(top: &Path, levels: usize) -> bool {
    let Ok(entries) = fs::read_dir(top) else {
        return false;
    };
    levels == 0
        || entries
            .map(|entry| entry.expect("an entry"))
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .any(|entry| is_deep(&entry.path(), levels - 1))
}

/// Removes a tree, also one that its owner may not write to.
pub fn remove(top: &Path) {
    if is_deep(top, 100) {
        // What is below would need stack, or a path, for each level.
        let removed = Command::new("rm").arg("-rf").arg(top).status();
        assert!(removed.is_ok_and(|status| status.success()), "rm failed");
        return;
    }
    if !is_root() {
        open_up(top);
    }
    fs::remove_dir_all(top).expect("removal");
}

/// The GNU cp to compare with.
pub fn gnu_cp(test: &str) -> Option<PathBuf> {
    support::gnu("cp", test).map(|(program, _)| program)
}
