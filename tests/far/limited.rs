//! In a control group with little memory, where what the kernel keeps for each open file counts: as
//! many workers as that is enough for.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::place::place;
use crate::standin::Behaviour;
use crate::support::{
    Agree, Ran, annulet, assert_same_tree, command, is_root, noise, run, skip, temp_dir, tree,
};

/// Enough for two workers.
const LIMIT_BYTES: u64 = 2 << 20;

/// A control group, removed when this is dropped.
struct Group {
    folder: PathBuf,
}

impl Group {
    /// A group with a limit, of either version, below or beside that of the tests. `None`, aloud,
    /// where none can be made.
    fn limited(test: &str) -> Option<Self> {
        if !is_root() {
            skip(test, "makes a control group, which takes root");
            return None;
        }
        let name = format!("annulet-test-{}-{test}", std::process::id());
        // With version 2 a group that has processes has no limited ones below it.
        let outer = own_groups();
        let mut outer = outer.iter().flat_map(|own| own.ancestors().take(2));
        if let Some(group) = outer.find_map(|outer| Self::in_group(outer, &name)) {
            return Some(group);
        }
        skip(test, "no control group with a limit on memory can be made");
        None
    }

    /// A limited one in another.
    fn in_group(outer: &Path, name: &str) -> Option<Self> {
        let group = Self::new(outer.join(name)).ok()?;
        let limits = ["memory.max", "memory.limit_in_bytes"];
        let limit = limits.map(|file| group.folder.join(file));
        let limit = limit.iter().find(|file| file.exists())?;
        fs::write(limit, LIMIT_BYTES.to_string()).ok()?;
        // Where there is swap, nobody would be short of memory.
        let _ = fs::write(group.folder.join("memory.swap.max"), "0");
        Some(group)
    }

    fn new(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir(&folder)?;
        Ok(Self { folder })
    }

    /// Copies a tree by default, and gives how many workers there were at the most.
    ///
    /// While others keep the disk busy, what is written may fill the group before it is on the disk,
    /// and whoever is in it is killed: that is tried again.
    fn copy(&self, from: &Path, to: &Path) -> u64 {
        const KILLED: i32 = -libc::SIGKILL;
        for _ in 0..3 {
            let ran = self.try_to_copy(from, to);
            if ran.status != KILLED {
                return most_workers(ran);
            }
            eprintln!("killed: the disk is busy");
            let _ = fs::remove_dir_all(to);
            thread::sleep(Duration::from_secs(2));
        }
        panic!("killed each time");
    }

    fn try_to_copy(&self, from: &Path, to: &Path) -> Ran {
        let members = File::options()
            .write(true)
            .open(self.folder.join("cgroup.procs"))
            .unwrap();
        let mut command = command(annulet());
        command.args(["cp", "-r", "--debug"]).args([from, to]);
        let join = move || {
            // SAFETY: one byte that is there.
            let written = unsafe { libc::write(members.as_raw_fd(), b"0".as_ptr().cast(), 1) };
            if written == 1 {
                Ok(())
            } else {
                Err(io::Error::last_os_error())
            }
        };
        // SAFETY: it makes one system call.
        unsafe { command.pre_exec(join) };
        run(&mut command)
    }
}

/// How many workers there were at the most.
fn most_workers(ran: Ran) -> u64 {
    let said = ran.expect_success().stdout_text();
    let count = |line: &str| {
        eprintln!("{line}");
        line.split(", as ").next().unwrap().parse::<u64>().unwrap()
    };
    let lines = said
        .lines()
        .filter_map(|line| line.strip_prefix("workers: "));
    lines.map(count).max().expect("how many workers there were")
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its last process may be on its way out.
        for _ in 0..100 {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        eprintln!("{} is left", self.folder.display());
    }
}

/// The folders of the groups that the tests are in: of memory with version 1, the only one with 2.
fn own_groups() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let tree = match parts.next()? {
            "" => "/sys/fs/cgroup",
            "memory" => "/sys/fs/cgroup/memory",
            _ => return None,
        };
        let path = parts.next()?.trim_start_matches('/');
        Some(Path::new(tree).join(path)).filter(|folder| folder.is_dir())
    };
    text.lines().filter_map(group).collect()
}

/// Whether files there are in memory for good, where they count as well.
fn is_in_memory(folder: &Path) -> bool {
    let path = CString::new(folder.as_os_str().as_bytes()).unwrap();
    // SAFETY: a structure of numbers, for all of which 0 is valid.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: a text that ends in NUL, and a structure to write to.
    let answer = unsafe { libc::statfs(path.as_ptr(), &raw mut found) };
    answer == 0 && found.f_type == libc::TMPFS_MAGIC
}

/// Makes so many small files, and some that are larger.
fn make_tree(top: &Path, small: u64) {
    for number in 0..small {
        let folder = top.join(format!("folder{}", number % 20));
        fs::create_dir_all(&folder).unwrap();
        let size = usize::try_from(number % 8 * 1000).unwrap();
        fs::write(folder.join(format!("file{number}")), noise(size, number)).unwrap();
    }
    for (number, size) in (0..).zip([300_000, 300_000, 40_000, 5_000_000, 700_000]) {
        fs::write(top.join(format!("larger{number}")), noise(size, number)).unwrap();
    }
}

#[test]
fn the_default_survives_in_two_mebibytes() {
    let test = "the_default_survives_in_two_mebibytes";
    let (Some(group), dir) = (Group::limited(test), temp_dir()) else {
        return;
    };
    if is_in_memory(dir.path()) {
        return skip(test, "the temporary folder is in memory");
    }
    // The limit of the group around it counts as much.
    let inner = Group::new(group.folder.join("inner")).unwrap();
    let [source, copy] = ["tree", "copy"].map(|name| dir.path().join(name));
    make_tree(&source, 2000);
    for group in [&group, &inner] {
        assert!(group.copy(&source, &copy) <= 2);
        assert_same_tree(&tree(&source), &tree(&copy), Agree::CONTENT);
        fs::remove_dir_all(&copy).unwrap();
    }
}

#[test]
fn workers_that_wait_heed_the_limit() {
    let test = "workers_that_wait_heed_the_limit";
    let Some(group) = Group::limited(test) else {
        return;
    };
    let Some(place) = place(test, Behaviour::waiting(Duration::from_millis(1))) else {
        return;
    };
    if is_in_memory(&place.near) {
        return skip(test, "the temporary folder is in memory");
    }
    for folder in [&place.near, &place.behind] {
        make_tree(&folder.join("tree"), 400);
    }
    let source = tree(&place.near.join("tree"));
    for (from, to, seen) in [
        (&place.far, &place.near, &place.near),
        (&place.near, &place.far, &place.behind),
    ] {
        assert!(group.copy(&from.join("tree"), &to.join("copy")) <= 2);
        assert_same_tree(&source, &tree(&seen.join("copy")), Agree::CONTENT);
    }
}
