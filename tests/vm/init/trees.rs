//! The tree that is copied, and whether a copy of it is the same.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::random::noise;
use super::system::{node, own};
use super::{Step, text};

/// Fills `root` with one of everything `cp -a` has to keep.
pub fn make_tree(root: &Path) -> std::io::Result<()> {
    let folder = root.join("folder");
    fs::create_dir_all(folder.join("a/b/c/d"))?;
    fs::create_dir(root.join("empty-folder"))?;
    fs::write(
        root.join("plain"),
        b"a line\nanother line\nno newline at the end",
    )?;
    fs::write(root.join("empty"), b"")?;
    fs::write(folder.join("a/b/c/d/deep"), noise(70_000, 1))?;
    fs::write(folder.join("page"), noise(4096, 1))?;
    fs::write(folder.join("program"), b"#!/bin/false\n")?;
    fs::set_permissions(folder.join("program"), Permissions::from_mode(0o755))?;
    symlink("plain", root.join("link"))?;
    symlink("../nowhere", folder.join("dangling"))?;
    symlink("a/b", folder.join("folder-link"))?;
    fs::hard_link(root.join("plain"), folder.join("hard-link"))?;

    let names = folder.join("names");
    fs::create_dir(&names)?;
    for name in [
        &b"-r"[..],
        b"a b",
        b"new\nline",
        b"\xff\xfe",
        b"quote'\"\\",
        b"...",
    ] {
        fs::write(names.join(OsStr::from_bytes(name)), name)?;
    }
    fs::write(names.join("n".repeat(255)), b"long")?;
    for i in 0..150 {
        fs::write(folder.join(format!("file-{i}")), noise(i * 37, 1))?;
    }

    let sparse = File::create(root.join("sparse"))?;
    sparse.write_all_at(b"data after a hole", 3 << 20)?;
    sparse.set_len(5 << 20)?;

    fs::write(root.join("owned"), b"somebody else's")?;
    own(&root.join("owned"), 1000, 2000)?;
    fs::set_permissions(root.join("owned"), Permissions::from_mode(0o4751))?;
    node(&root.join("fifo"), 0o010_644, 0)?;
    // /dev/null's numbers: major 1, minor 3.
    node(&root.join("device"), 0o020_666, 0x103)?;
    fs::set_permissions(root.join("empty-folder"), Permissions::from_mode(0o500))?;

    // Times from long ago with odd nanoseconds, folders after what is in them.
    let mut paths = Vec::new();
    walk(root, &mut paths)?;
    for (i, path) in paths.iter().rev().enumerate() {
        let kind = path.symlink_metadata()?.file_type();
        if kind.is_file() || kind.is_dir() {
            let time =
                SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789 + i as u32);
            File::open(path)?.set_modified(time)?;
        }
    }
    Ok(())
}

/// Makes so many small files in each of so many folders.
pub fn small_files(root: &Path, folders: usize, files: usize) -> std::io::Result<()> {
    for folder in (0..folders).map(|number| root.join(number.to_string())) {
        fs::create_dir_all(&folder)?;
        for number in 0..files {
            fs::write(folder.join(number.to_string()), noise(number * 317, 1))?;
        }
    }
    Ok(())
}

/// Lists `root` and everything under it, a folder before its contents.
fn walk(root: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    paths.push(root.to_owned());
    if root.symlink_metadata()?.is_dir() {
        for entry in fs::read_dir(root)? {
            walk(&entry?.path(), paths)?;
        }
    }
    Ok(())
}

/// One entry in a form that two trees can be compared by. `exact` adds what only `-a` keeps.
fn describe(root: &Path, exact: bool) -> Result<BTreeMap<Vec<u8>, String>, String> {
    let mut paths = Vec::new();
    walk(root, &mut paths).map_err(text)?;
    // The first name of each inode, so that hard links compare as a relation.
    let mut first = BTreeMap::new();
    let mut entries = BTreeMap::new();
    paths.sort();
    for path in paths {
        let at = |e| format!("{}: {e}", path.display());
        let meta = path.symlink_metadata().map_err(at)?;
        let name = path
            .strip_prefix(root)
            .expect("walk starts there")
            .to_owned()
            .into_os_string();
        let mut line = format!("{:o}", meta.mode() & 0o170_000);
        if meta.is_file() {
            let content = fs::read(&path).map_err(at)?;
            line += &format!(" size {} sum {:x}", content.len(), sum(&content));
        }
        if meta.is_symlink() {
            line += &format!(" to {:?}", fs::read_link(&path).map_err(at)?);
        } else {
            line += &format!(" may be run {}", meta.mode() & 0o100 != 0);
        }
        if exact {
            line += &format!(
                " mode {:o} owner {}:{} device {:x}",
                meta.mode(),
                meta.uid(),
                meta.gid(),
                meta.rdev()
            );
            if meta.is_file() || meta.is_dir() {
                line += &format!(" time {}.{:09}", meta.mtime(), meta.mtime_nsec());
            }
            if meta.is_file() && meta.nlink() > 1 {
                let other = first.entry(meta.ino()).or_insert_with(|| name.clone());
                line += &format!(" same as {other:?}");
            }
        }
        entries.insert(name.into_vec(), line);
    }
    Ok(entries)
}

pub fn same_tree(a: &str, b: &str) -> Step {
    compare(
        &describe(Path::new(a), true)?,
        &describe(Path::new(b), true)?,
    )
}

pub fn same_contents(a: &str, b: &str) -> Step {
    compare(
        &describe(Path::new(a), false)?,
        &describe(Path::new(b), false)?,
    )
}

fn compare(a: &BTreeMap<Vec<u8>, String>, b: &BTreeMap<Vec<u8>, String>) -> Step {
    let mut wrong = Vec::new();
    for (name, line) in a {
        let name_text = String::from_utf8_lossy(name).into_owned();
        match b.get(name) {
            None => wrong.push(format!("{name_text:?} is missing")),
            Some(other) if other != line => {
                wrong.push(format!("{name_text:?} is [{other}], not [{line}]"));
            }
            Some(_) => {}
        }
    }
    for name in b.keys().filter(|name| !a.contains_key(*name)) {
        wrong.push(format!("{:?} is too much", String::from_utf8_lossy(name)));
    }
    match wrong.len() {
        0 => Ok(()),
        n => {
            wrong.truncate(3);
            Err(format!("{n} differences: {}", wrong.join("; ")))
        }
    }
}

pub fn same_bytes(expected: &[u8], found: &[u8]) -> Step {
    if expected == found {
        return Ok(());
    }
    let at = expected
        .iter()
        .zip(found)
        .take_while(|(a, b)| a == b)
        .count();
    Err(format!(
        "{} bytes, not {}; they part at {at}",
        found.len(),
        expected.len()
    ))
}

/// FNV-1a, 64 bits.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
