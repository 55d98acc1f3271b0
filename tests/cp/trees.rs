//! Listing and removing trees that may shut out those they belong to, or be too deep for paths.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{self, Tree, is_root};

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

/// Removes whatever is there, if anything is.
pub fn remove_any(path: &Path) {
    if path.is_dir() {
        remove(path);
    } else {
        let _ = fs::remove_file(path);
    }
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
