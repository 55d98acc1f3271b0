//! `cp` with several workers: what is on the disk afterwards, and what was said, must not
//! depend on how many there were or who was faster.
#![allow(unsafe_code)]

mod cp;
mod support;

use std::collections::HashSet;
use std::ffi::{CString, OsStr};
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cp::case::Case;
use cp::child::{self, NOBODY, Setting, c_path, cp as run_cp, in_memory, refuse};
use cp::random_tree::{Knobs, RandomTree};
use cp::scene::{Node, Scene, give};
use cp::table::check_all;
use cp::trees::{remove, remove_any, snapshot};
use support::{
    Agree, Ran, Random, annulet, assert_same_tree, command, differences, find_program, is_root,
    noise, pairs, skip, temp_dir, tree,
};

/// Numbers of workers.
const JOBS: &[&str] = &["-j1", "-j2", "-j8"];

fn with(change: impl FnOnce(&mut Setting)) -> Setting {
    let mut setting = Setting {
        limit: Duration::from_secs(60),
        ..Setting::default()
    };
    change(&mut setting);
    setting
}

fn cp(line: &str, dir: &Path, setting: &Setting) -> Ran {
    run_cp(&annulet(), &child::words(line), dir, setting)
}

/// Lets anybody work in a folder.
fn open_to_all(dir: &Path) {
    fs::set_permissions(dir, Permissions::from_mode(0o777)).expect("chmod");
}

/// Who a test that must not run as root runs as.
fn ordinary() -> Option<u32> {
    is_root().then_some(NOBODY)
}

/// A program's messages, or lines of output, in an order of their own.
fn sorted(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let mut lines: Vec<_> = text.split('\n').map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// A run's messages. What is said of a file with several names that cannot be made depends on
/// whether it is the first one.
fn messages(ran: &Ran) -> Vec<String> {
    let mut text = String::new();
    for line in ran.stderr.split_inclusive('\n') {
        match line.strip_prefix("cp: cannot create hard link ") {
            Some(rest) => {
                let (name, _) = rest.split_once("' to ").expect("two names");
                let (_, errno) = rest.rsplit_once("': ").expect("a reason");
                text.extend(["cp: cannot create regular file ", name, "': ", errno]);
            }
            None => text.push_str(line),
        }
    }
    sorted(text.as_bytes())
}

#[track_caller]
fn assert_same_lines(said: &[Vec<String>; 2], what: &str) {
    let [expected, found] = said;
    if expected != found {
        let missing: Vec<_> = expected.iter().filter(|l| !found.contains(l)).collect();
        let more: Vec<_> = found.iter().filter(|l| !expected.contains(l)).collect();
        panic!("{what}: not said: {missing:#?}, but: {more:#?}");
    }
}

// Trees.

/// What one run left and said.
struct Outcome {
    ran: Ran,
    trees: Vec<support::Tree>,
}

/// Copies `s` to `d` with `flags`, where `d` may be partly there.
fn copied(dir: &Path, scenes: &[&Scene], flags: &str, setting: &Setting) -> Outcome {
    fs::create_dir(dir).expect("a folder");
    open_to_all(dir);
    for scene in scenes {
        scene.build(dir);
    }
    let ran = cp(&format!("{flags} -T s d"), dir, setting);
    let trees = ["s", "d", "elsewhere"]
        .iter()
        .map(|name| dir.join(name))
        .filter(|path| path.exists())
        .map(|path| snapshot(&path).expect("a tree"))
        .collect();
    remove(dir);
    Outcome { ran, trees }
}

/// One seed's tree, copied by 1, 2 and 8 workers: all the same, and under `-a` for root the
/// same as the source.
fn check_random_tree(dir: &Path, seed: u64, user: Option<u32>) {
    let id = if is_root() { user } else { None };
    let tree = RandomTree::new(&mut Random(seed), Knobs::large(id));
    let (from, there) = tree.scene.parted(|path| path.starts_with("s"));
    for flags in ["-a", "-r", "-av"] {
        check_copies(dir, &[&from], flags, (seed, id));
        // Which of several links to a file gives way is chance there.
        if flags != "-av" {
            check_copies(dir, &[&from, &there], flags, (seed, id));
        }
    }
}

fn check_copies(dir: &Path, scenes: &[&Scene], flags: &str, (seed, user): (u64, Option<u32>)) {
    let setting = with(|s| s.user = user);
    let run = |jobs: &str| {
        let flags = format!("{jobs} {flags}");
        copied(&dir.join("place"), scenes, &flags, &setting)
    };
    let is_new = scenes.len() == 1;
    let what = format!("seed {seed}, user {user:?}, {flags}, new: {is_new}");
    let first = run("-j1");
    if user.is_none() && is_root() && is_new {
        assert!(first.ran.stderr.is_empty(), "{what}: {:?}", first.ran);
        if flags != "-r" {
            let lines = differences(&first.trees[0], &first.trees[1], Agree::ALL);
            assert!(lines.is_empty(), "{what} -j1: {}", lines.join("\n"));
        }
    }
    let agree = Agree {
        // Not kept, so those of the runs.
        times: flags != "-r" && is_new && first.ran.status == 0,
        link_times: flags != "-r" && first.ran.status == 0,
        ..Agree::ALL
    };
    for jobs in ["-j2", "-j8", "-j3 --io=sync", "-j8 --io=ring"] {
        first.assert_same(&run(jobs), agree, &format!("{what}, {jobs}"));
    }
}

impl Outcome {
    #[track_caller]
    fn assert_same(&self, other: &Self, agree: Agree, what: &str) {
        let status = other.ran.status;
        assert_eq!(status, self.ran.status, "{what}: {:?}", other.ran);
        assert_same_lines(&[self, other].map(|o| messages(&o.ran)), what);
        assert_same_lines(&[self, other].map(|o| sorted(&o.ran.stdout)), what);
        assert_eq!(self.trees.len(), other.trees.len(), "{what}");
        for (a, b) in self.trees.iter().zip(&other.trees) {
            let lines = differences(a, b, agree);
            assert!(lines.is_empty(), "{what}:\n{}", lines.join("\n"));
        }
    }
}

/// `ANNULET_SEEDS=FIRST-LAST` tries others than the usual ones.
fn seeds() -> std::ops::RangeInclusive<u64> {
    let Some(range) = std::env::var_os("ANNULET_SEEDS") else {
        return 1..=2;
    };
    let range = range.into_string().expect("two numbers");
    let (first, last) = range.split_once('-').expect("FIRST-LAST");
    first.parse().expect("a number")..=last.parse().expect("a number")
}

#[test]
fn random_trees() {
    in_memory(|dir| {
        for seed in seeds() {
            check_random_tree(dir, seed, None);
        }
    });
}

#[test]
fn random_trees_as_an_ordinary_user() {
    if !is_root() {
        return skip("random_trees_as_an_ordinary_user", "as `random_trees` here");
    }
    in_memory(|dir| {
        for seed in seeds() {
            check_random_tree(dir, seed + 1000, Some(NOBODY));
        }
    });
}

#[test]
fn a_random_tree_on_disk() {
    let dir = temp_dir();
    open_to_all(dir.path());
    check_random_tree(dir.path(), *seeds().start(), None);
}

// Hard links.

/// Copies two folders, and two files besides, with names of the same files.
fn check_two_folders_and_files(dir: &Path, jobs: &str) {
    fs::create_dir(dir.join("t")).expect("a folder");
    fs::hard_link(dir.join("s/a/7"), dir.join("x")).expect("a link");
    fs::hard_link(dir.join("s/a/7"), dir.join("y")).expect("a link");
    cp(&format!("{jobs} -a x s o y t"), dir, &with(|_| ())).expect_success();
    let copied = tree(&dir.join("t"));
    let groups: HashSet<_> = copied
        .iter()
        .filter(|(_, entry)| entry.size > 0)
        .map(|(path, entry)| {
            let with_files = ["7", "x", "y"].iter().any(|name| path.ends_with(name));
            let expected = if with_files { 7 } else { 5 };
            assert_eq!(entry.nlink, expected, "{jobs}: {}", path.display());
            entry.same_as.clone().unwrap_or_else(|| path.clone())
        })
        .collect();
    assert_eq!(groups.len(), 59, "{jobs}");
    for name in ["x", "y"] {
        fs::remove_file(dir.join(name)).expect("removal");
    }
    fs::remove_dir_all(dir.join("t")).expect("removal");
}

#[test]
fn links_to_one_file_met_at_the_same_time() {
    in_memory(|dir| {
        let mut scene = Scene::default();
        for top in ["s", "s/a", "s/b", "s/c", "o", "o/a"] {
            scene.add(top, Node::Dir);
        }
        for number in 0..60 {
            let size = if number % 20 == 7 {
                9 << 20
            } else {
                number * 37
            };
            let first = format!("s/a/{number}");
            scene.add(&first, Node::File(size as u64, vec![(0, size)]));
            for other in ["s/b", "s/c", "o/a", "o"] {
                scene.add(format!("{other}/{number}"), Node::Hard((&first).into()));
            }
        }
        scene.build(dir);
        for (round, jobs) in pairs(0..12, JOBS) {
            cp(&format!("{jobs} -a s t"), dir, &with(|_| ())).expect_success();
            assert_same_tree(&tree(&dir.join("s")), &tree(&dir.join("t")), Agree::ALL);
            fs::remove_dir_all(dir.join("t")).expect("removal");
            if round % 5 == 0 {
                check_two_folders_and_files(dir, jobs);
            }
        }
    });
}

/// Makes files that anybody may write to.
fn fill(folder: &Path) {
    for path in (0..5).map(|number| folder.join(number.to_string())) {
        fs::write(&path, b"").expect("a file");
        open_to_all(&path);
    }
}

/// Gives a whole tree to somebody who is not root, if the tests are root's.
fn give_all(top: &Path) {
    if is_root() {
        for path in tree(top).into_keys() {
            give(&top.join(path), NOBODY);
        }
    }
}

/// Where one of a file's names cannot be copied, the others are.
#[test]
fn links_one_of_which_fails() {
    in_memory(|dir| {
        open_to_all(dir);
        let mut scene = Scene::parse("dir s; dir s/a; dir s/b; file s/a/f 5000; hard s/b/f s/a/f");
        for number in 0..5 {
            scene.add(format!("s/a/{number}"), Node::File(9, vec![(0, 9)]));
        }
        if is_root() {
            scene.own(NOBODY);
        }
        scene.build(dir);
        let setting = with(|s| s.user = ordinary());
        let obstacles: &[(&str, &str, &str, u32)] = &[
            // What stands in the way, its mode, and what is said.
            (
                "t/a/f",
                "cp: cannot overwrite directory 't/a/f' with non-directory 's/a/f'\n",
                "t/a",
                0o755,
            ),
            (
                "t/a",
                "cp: cannot create regular file 't/a/f': Permission denied\n",
                "t/a",
                0o555,
            ),
        ];
        for (round, jobs) in pairs(0..20, JOBS) {
            for &(way, message, folder, mode) in obstacles {
                fs::create_dir_all(dir.join(way)).expect("a folder");
                fill(&dir.join("t/a"));
                give_all(&dir.join("t"));
                let permissions = Permissions::from_mode(mode);
                fs::set_permissions(dir.join(folder), permissions).expect("chmod");
                let line = format!("{jobs} -a -T s t");
                let ran = cp(&line, dir, &setting).expect_status(1);
                // Whichever name comes first: the other is a link to its copy, or would be.
                let linking = "cp: cannot create hard link 't/a/f' to 't/b/f': \
                                   Permission denied\n";
                assert!(
                    ran.stderr == message || (mode == 0o555 && ran.stderr == linking),
                    "{jobs}, round {round}: {ran:?}"
                );
                let copied = fs::read(dir.join("t/b/f")).expect("the other name");
                assert!(copied == fs::read(dir.join("s/b/f")).unwrap(), "{jobs}");
                open_to_all(&dir.join("t/a"));
                remove(&dir.join("t"));
            }
            // Not to be looked at under one name, which its folder does not let through.
            let mode = |mode| Permissions::from_mode(mode);
            fs::set_permissions(dir.join("s/a"), mode(0o400)).expect("chmod");
            let ran = cp(&format!("{jobs} -a s t"), dir, &setting).expect_status(1);
            let message = "cp: cannot stat 's/a/f': Permission denied";
            let count = ran.stderr.lines().filter(|line| *line == message).count();
            assert_eq!((count, ran.stderr.lines().count()), (1, 6), "{ran:?}");
            assert!(dir.join("t/b/f").is_file(), "{jobs}");
            fs::set_permissions(dir.join("s/a"), mode(0o755)).expect("chmod");
            remove(&dir.join("t"));
            // Nor to be read under any.
            fs::set_permissions(dir.join("s/a/f"), mode(0)).expect("chmod");
            let ran = cp(&format!("{jobs} -a s t"), dir, &setting).expect_status(1);
            let expected = [
                "cp: cannot open 's/a/f' for reading: Permission denied",
                "cp: cannot open 's/b/f' for reading: Permission denied",
            ];
            assert_eq!(sorted(ran.stderr.as_bytes())[1..], expected, "{jobs}");
            fs::set_permissions(dir.join("s/a/f"), mode(0o644)).expect("chmod");
            remove(&dir.join("t"));
        }
    });
}

/// Exchanges each two files by their names, again and again, until it is told that all is done.
fn exchange(paths: &[CString], done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        for pair in paths.chunks(2) {
            let (a, b) = (pair[0].as_ptr(), pair[1].as_ptr());
            let here = libc::AT_FDCWD;
            // SAFETY: two paths that end in NUL.
            unsafe { libc::renameat2(here, a, here, b, libc::RENAME_EXCHANGE) };
        }
    }
}

/// Copies files while they are replaced. How many were told of, and how many copied; or what was
/// said that is wrong.
fn copy_replaced(dir: &Path, line: &str) -> Result<(usize, usize), String> {
    let to = dir.join(line.rsplit(' ').next().expect("a word"));
    fs::create_dir(&to).expect("a folder");
    let ran = cp(line, dir, &with(|s| s.limit = Duration::from_secs(5)));
    let told = |line: &str| line.ends_with("as it was replaced while being copied");
    let count = ran.stderr.lines().count();
    if ran.status != i32::from(count > 0) || !ran.stderr.lines().all(told) {
        return Err(ran.stderr);
    }
    Ok((count, fs::read_dir(&to).expect("a folder").count()))
}

/// A file that is replaced just before it is opened is not copied; its other names are, and
/// nobody waits for ever for what became of it.
#[test]
fn linked_files_that_are_replaced() {
    /// So many files, with so many names each.
    const FILES: usize = 100;
    const NAMES: usize = 4;
    in_memory(|dir| {
        let name = |file: usize, number: usize| format!("n{number}-{file}");
        for file in 0..FILES {
            let first = dir.join(name(file, 0));
            fs::write(&first, noise(100, 3)).expect("a file");
            for number in 1..NAMES {
                fs::hard_link(&first, dir.join(name(file, number))).expect("a link");
            }
        }
        let mut line = String::from("-dp");
        for number in 0..NAMES {
            for file in 0..FILES {
                line.extend([" ", &name(file, number)]);
            }
        }
        let paths: Vec<_> = (0..FILES).map(|f| c_path(&dir.join(name(f, 0)))).collect();
        let done = AtomicBool::new(false);
        let (mut replaced, mut is_all) = (0, true);
        let mut ended: Result<(), String> = Ok(());
        std::thread::scope(|scope| {
            scope.spawn(|| exchange(&paths, &done));
            let mut rounds = 0..40;
            ended = rounds.try_for_each(|round| {
                let (told, copied) = copy_replaced(dir, &format!("{line} t{round}"))?;
                replaced += told;
                is_all &= told + copied == FILES * NAMES;
                Ok(())
            });
            done.store(true, Ordering::Relaxed);
        });
        println!("linked_files_that_are_replaced: {replaced}");
        assert_eq!(ended, Ok(()));
        assert!(is_all, "some names were neither copied nor told of");
    });
}

// Depth.

fn open_at(dir: &OwnedFd, name: &str) -> std::io::Result<OwnedFd> {
    let name = CString::new(name).expect("a name");
    let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: a name that ends in NUL.
    let fd = unsafe { libc::openat(dir.as_raw_fd(), name.as_ptr(), flags) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: a descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A short path to an open folder.
fn path_of(dir: &OwnedFd) -> std::path::PathBuf {
    format!("/proc/self/fd/{}", dir.as_raw_fd()).into()
}

/// What there is beside the way down.
const BESIDE: [&str; 8] = ["a", "a/c", "a/d", "a/d/e", "b", "b/c", "b/d", "b/d/e"];

fn make_beside(here: &Path, level: usize, names: &[&str]) {
    for below in names {
        let side = here.join(below);
        fs::create_dir(&side).expect("a folder");
        fs::write(side.join("f"), format!("{level}{below}")).expect("a file");
    }
}

fn assert_beside(here: &Path, level: usize, what: &str) {
    for below in BESIDE {
        let content = fs::read_to_string(here.join(below).join("f"));
        let content = content.unwrap_or_else(|e| panic!("{what}, {below}: {e}"));
        assert_eq!(content, format!("{level}{below}"), "{what}");
    }
}

#[test]
fn deep_trees_with_something_beside_every_level() {
    const DEPTH: usize = 400;
    const NAME: &str = "down-we-go-by-a-long-name";
    in_memory(|dir| {
        fs::create_dir(dir.join("s")).expect("a folder");
        let mut at: OwnedFd = File::open(dir.join("s")).expect("a folder").into();
        for level in 0..DEPTH {
            let here = path_of(&at);
            // Some before the way down and some after it, by inode number.
            make_beside(&here, level, &BESIDE[..4]);
            fs::create_dir(here.join(NAME)).expect("a folder");
            make_beside(&here, level, &BESIDE[4..]);
            at = open_at(&at, NAME).expect("a folder");
        }
        let limits = [("-a", 16), ("-r", 64), ("-a", 256), ("-r", 1024)];
        for ((flags, files), jobs) in pairs(limits, ["-j2", "-j8"]) {
            let setting = with(|s| s.limits = vec![(libc::RLIMIT_NOFILE, files)]);
            cp(&format!("{jobs} {flags} s t"), dir, &setting).expect_success();
            let mut at: OwnedFd = File::open(dir.join("t")).expect("a folder").into();
            for level in 0..DEPTH {
                let what = format!("{jobs} {files}: level {level}");
                assert_beside(&path_of(&at), level, &what);
                at = open_at(&at, NAME).unwrap_or_else(|e| panic!("{what}: {e}"));
            }
            remove(&dir.join("t"));
        }
        remove(&dir.join("s"));
    });
}

// Threads.

/// More names than one worker copies alone, in folders.
fn grove() -> Scene {
    let mut scene = Scene::parse("dir s; file s/large 9000000");
    for number in 0..30 {
        scene.add(format!("s/{number}"), Node::Dir);
        for file in 0..3 {
            let path = format!("s/{number}/{file}");
            scene.add(path, Node::File(3000, vec![(0, 3000)]));
        }
    }
    scene
}

/// All by which a thread or a process begins.
const CLONES: &[libc::c_long] = &[
    libc::SYS_clone,
    libc::SYS_clone3,
    // Newer architectures have neither.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
];

#[test]
fn threads_refused() {
    let dir = temp_dir();
    grove().build(dir.path());
    let check = |line: &str, setting: &Setting| {
        let ran = cp(line, dir.path(), setting).expect_success();
        let (from, to) = (dir.path().join("s"), dir.path().join("t"));
        assert_same_tree(&tree(&from), &tree(&to), Agree::ALL);
        remove(&to);
        ran
    };
    let refusals = [
        (libc::EPERM, "Operation not permitted"),
        (libc::ENOSYS, "Function not implemented"),
        // qemu-user's: it knows no threads with a working directory of their own.
        (libc::EINVAL, "Invalid argument"),
        (libc::EAGAIN, "Resource temporarily unavailable"),
        (libc::ENOMEM, "Cannot allocate memory"),
    ];
    for (errno, why) in refusals {
        let setting = with(|s| s.refused = vec![refuse(libc::SYS_clone, errno)]);
        let said = check("-j4 --debug -a s t", &setting).stdout_text();
        let workers = said.lines().filter(|line| line.starts_with("workers: "));
        let alone = format!("workers: 1, as many as can be had: {why}");
        assert_eq!(workers.collect::<Vec<_>>(), [alone], "{said}");
        for line in [
            "-a s t",
            "-j2 -a s t",
            "-j256 -a s t",
            "-j8 --io=sync -a s t",
        ] {
            check(line, &setting);
        }
    }
    for call in [libc::SYS_mprotect, libc::SYS_sched_getaffinity] {
        check(
            "-a s t",
            &with(|s| s.refused = vec![refuse(call, libc::EPERM)]),
        );
    }
    // As many as there may be.
    check("-j256 -a s t", &with(|_| ()));
}

/// None at all, or some and no more.
#[test]
fn few_processes() {
    let nobody_else = support::lonely_user();
    let dir = temp_dir();
    open_to_all(dir.path());
    let mut scene = grove();
    let user = is_root().then_some(nobody_else);
    if is_root() {
        scene.own(nobody_else);
    }
    scene.build(dir.path());
    for most in 1..4 {
        let setting = with(|s| {
            s.user = user;
            s.limits = vec![(libc::RLIMIT_NPROC, most)];
        });
        cp("-j8 -a s t", dir.path(), &setting).expect_success();
        let (from, to) = (dir.path().join("s"), dir.path().join("t"));
        assert_same_tree(&tree(&from), &tree(&to), Agree::ALL);
        remove(&to);
    }
}

/// Where one worker is enough, or all that is wanted, no thread is even tried for. In memory: where a
/// busy disk is waited for, more are wanted.
#[test]
fn no_needless_threads() {
    child::in_memory(start_no_threads);
}

fn start_no_threads(dir: &Path) {
    grove().build(dir);
    let mut small = Scene::parse("dir few; dir few/a; dir few/b; file one 5000");
    for number in 0..9 {
        for folder in ["a", "b"] {
            let path = format!("few/{folder}/{number}");
            small.add(path, Node::File(9, vec![(0, 9)]));
        }
    }
    small.build(dir);
    let setting = with(|s| s.deadly = CLONES.into());
    for line in [
        "-j1 -a s t1",
        "-j1 --io=sync -r s t2",
        "-j1 s/large t3",
        "one t4",
        "-a few t5",
        "-r few t6",
        "-j8 one t7",
        "-j8 one few/a/1 t6",
    ] {
        cp(line, dir, &setting).expect_success();
    }
    // The filter is one: with two workers the program dies of it.
    let ran = cp("-j2 -a s t", dir, &setting);
    assert_eq!(ran.status, -libc::SIGSYS, "{ran:?}");
}

/// A root of its own stands for a container that sees its control group's limit.
#[test]
fn no_more_workers_than_a_control_group_allows() {
    const TEST: &str = "no_more_workers_than_a_control_group_allows";
    if !is_root() {
        return skip(TEST, "changes root, which takes root");
    }
    if std::thread::available_parallelism().unwrap().get() < 2 {
        return skip(TEST, "one processor, so there is one worker anyway");
    }
    // A busy disk would be waited for, which calls more in.
    child::in_memory(copy_in_control_groups);
}

fn copy_in_control_groups(dir: &Path) {
    grove().build(dir);
    fs::copy(annulet(), dir.join("cp")).expect("the program");
    let group = dir.join("sys/fs/cgroup");
    fs::create_dir_all(group.join("cpu")).expect("a folder");
    let setting = with(|s| {
        s.chroot = Some(dir.to_owned());
        // With two workers the program dies of it.
        s.deadly = CLONES.into();
    });
    let (max, quota) = ("cpu.max", "cpu/cpu.cfs_quota_us");
    for (file, limit, jobs, is_alone) in [
        (max, "max 100000\n", "", false),
        (max, "100000 100000\n", "", true),
        (max, "10000 100000\n", "", true),
        (max, "100001 100000\n", "", false),
        (max, "400000 400000\n", "", true),
        (max, "100000 100000\n", "-j2", false),
        (max, "", "", false),
        (max, "\0\u{7f} what", "", false),
        (quota, "-1\n", "", false),
        (quota, "50000\n", "", true),
        (quota, "200000\n", "", false),
    ] {
        fs::write(group.join(file), limit).expect("a limit");
        let args = child::words(&format!("{jobs} -r /s /t"));
        let ran = run_cp(Path::new("/cp"), &args, dir, &setting);
        let expected = if is_alone { 0 } else { -libc::SIGSYS };
        assert_eq!(ran.status, expected, "{file} {limit:?}: {ran:?}");
        fs::remove_file(group.join(file)).expect("a limit");
        remove(&dir.join("t"));
    }
}

// Large files.

const WAYS: &[&str] = &[
    "--io=auto",
    "--io=sync",
    "--io=ring",
    "--io=thread",
    "--io=splice",
    "--io=copy_file_range",
    "--io=read_write",
];

#[test]
fn large_files() {
    let check = |dir: &Path| {
        for size in [
            (1 << 20) - 1,
            1 << 20,
            (1 << 20) + 1,
            (12 << 20) + 4095,
            (64 << 20) + 3,
        ] {
            let content = noise(size, size as u64);
            fs::write(dir.join("from"), &content).expect("a file");
            for (way, jobs) in pairs(WAYS, ["", "-j1", "-j8"]) {
                cp(&format!("{way} {jobs} -p from to"), dir, &with(|_| ())).expect_success();
                let copied = fs::read(dir.join("to")).expect("a copy");
                assert!(copied == content, "{way} {jobs} {size}");
            }
        }
    };
    in_memory(check);
    check(temp_dir().path());
}

/// What has to come from a disk first is copied by one thread, which has the time to.
#[test]
fn a_large_file_that_is_not_in_memory() {
    const TEST: &str = "a_large_file_that_is_not_in_memory";
    let dir = temp_dir();
    if child::statfs(dir.path()).f_type != libc::EXT4_SUPER_MAGIC {
        return println!("the folder for temporary files is not on ext4: nothing to see");
    }
    let path = dir.path().join("large");
    let file = File::create_new(&path).unwrap();
    file.write_all_at(&noise(64 << 20, 1), 0).unwrap();
    file.sync_all().unwrap();
    // SAFETY: advice on a descriptor that is open.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    if in_memory_pages(&file) > 0 {
        return skip(TEST, "what was written is not forgotten here");
    }
    let setting = with(|s| s.deadly = CLONES.into());
    cp("-j2 --io=sync large cold", dir.path(), &setting).expect_success();
    assert!(in_memory_pages(&file) > 0);
    if std::thread::available_parallelism().unwrap().get() < 2 {
        return println!("one processor: nothing more to see");
    }
    let ran = cp("-j2 --io=sync large cached", dir.path(), &setting);
    assert_eq!(ran.status, -libc::SIGSYS, "{ran:?}");
}

/// How many pages of a file's first MiB are in memory.
fn in_memory_pages(file: &File) -> usize {
    const LENGTH: usize = 1 << 20;
    let (prot, fd) = (libc::PROT_READ, file.as_raw_fd());
    // SAFETY: a new mapping.
    let map = unsafe { libc::mmap(null_mut(), LENGTH, prot, libc::MAP_SHARED, fd, 0) };
    assert_ne!(map, libc::MAP_FAILED);
    let mut pages = [0_u8; LENGTH / 4096];
    // SAFETY: a byte is written for each page of the mapping.
    let looked = unsafe { libc::mincore(map, LENGTH, pages.as_mut_ptr()) };
    assert_eq!(looked, 0);
    // SAFETY: made above, and used no more.
    unsafe { libc::munmap(map, LENGTH) };
    pages.iter().filter(|&page| page & 1 == 1).count()
}

#[test]
fn files_with_holes() {
    const MIB: u64 = 1 << 20;
    let check = |dir: &Path| {
        let from = dir.join("from");
        // Where data lies, and how long the file is.
        let layouts: &[(&[(u64, u64)], u64)] = &[
            (&[(0, 9 * MIB)], 100 * MIB),
            (&[(91 * MIB, 9 * MIB)], 100 * MIB),
            (
                &[(3 * MIB + 1, 5 * MIB), (50 * MIB - 7, 5 * MIB)],
                64 * MIB + 1,
            ),
        ];
        let many: Vec<_> = (0..150).map(|at| (at * 3 * MIB, 70_000)).collect();
        for (data, length) in layouts.iter().copied().chain([(&*many, 500 * MIB)]) {
            let file = File::create(&from).expect("a file");
            for &(at, len) in data {
                let content = noise(len.try_into().unwrap(), at);
                file.write_all_at(&content, at).expect("data");
            }
            file.set_len(length).expect("a length");
            for (way, jobs) in [
                ("auto", ""),
                ("sync", ""),
                ("ring", ""),
                ("thread", ""),
                ("splice", "-j1"),
            ] {
                let to = dir.join("to");
                let line = format!("--io={way} {jobs} from to");
                cp(&line, dir, &with(|_| ())).expect_success();
                let copy = fs::metadata(&to).unwrap();
                assert_eq!(copy.len(), length, "{line}");
                assert_eq!(first_difference(&from, &to), None, "{line}");
                let blocks = file.metadata().unwrap().blocks();
                assert!(copy.blocks() <= blocks + 128, "{line}: {}", copy.blocks());
                fs::remove_file(&to).unwrap();
            }
        }
    };
    in_memory(check);
    check(temp_dir().path());
}

/// Where two files differ first.
fn first_difference(a: &Path, b: &Path) -> Option<u64> {
    let [a, b] = [a, b].map(|path| File::open(path).expect("a file"));
    let (mut of_a, mut of_b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut at = 0;
    loop {
        let read = |file: &File, buffer: &mut [u8]| file.read_at(buffer, at).expect("data");
        let count = read(&a, &mut of_a);
        if read(&b, &mut of_b) != count || of_a[..count] != of_b[..count] {
            return Some(at);
        }
        if count == 0 {
            return None;
        }
        at += count as u64;
    }
}

/// Only one of them can be worked on by all at a time.
#[test]
fn several_large_files_at_a_time() {
    in_memory(|dir| {
        let mut scene = Scene::default();
        scene.add("s", Node::Dir);
        for folder in 0..8 {
            scene.add(format!("s/{folder}"), Node::Dir);
            for file in 0..2 {
                let size = (8 << 20) + (folder * 2 + file) * 300_001;
                let path = format!("s/{folder}/{file}");
                scene.add(path, Node::File(size as u64, vec![(0, size)]));
            }
        }
        scene.build(dir);
        let from = tree(&dir.join("s"));
        for way in WAYS {
            for jobs in ["-j2", "-j3", "-j8"] {
                cp(&format!("{way} {jobs} -a s t"), dir, &with(|_| ())).expect_success();
                assert_same_tree(&from, &tree(&dir.join("t")), Agree::ALL);
                remove(&dir.join("t"));
            }
        }
    });
}

/// Changes the sizes of files until it is told that all is done.
fn change_sizes(dir: &Path, size: u64, holes: &File, done: &AtomicBool) {
    let open = |name: &str| OpenOptions::new().write(true).open(dir.join(name));
    let files = ["shrinking", "growing", "both"].map(|name| open(name).unwrap());
    let mut round = 0;
    while !done.load(Ordering::Relaxed) {
        round += 1;
        files[0].set_len(size - (round % 200) * 100_003).unwrap();
        let end = size + (round % 512) * 32_768;
        files[1].write_all_at(&[7; 4096], end).unwrap();
        files[2].set_len((round % 9) * 3_000_000).unwrap();
        holes.set_len((round % 9) * 4_500_000).unwrap();
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// What a copy has of what does not change.
fn assert_unchanged(name: &str, copied: &[u8], content: &[u8], is_done: bool, what: &str) {
    let alike = |a: &[u8], b: &[u8]| a.iter().zip(b).all(|(a, b)| a == b);
    match name {
        "growing" => assert!(copied[..content.len()] == *content, "{what}"),
        "shrinking" if is_done => {
            // Never shorter than this, and what lies before never changes.
            let least = content.len() - 200 * 100_003;
            assert!(copied.len() >= least, "{what}: {}", copied.len());
            assert!(alike(&copied[..least], content), "{what}");
        }
        _ => {}
    }
}

#[test]
fn large_files_that_change() {
    const SIZE: u64 = 24 << 20;
    in_memory(|dir| {
        let size = usize::try_from(SIZE).unwrap();
        let content = noise(size, 1);
        for name in ["shrinking", "growing", "both"] {
            fs::write(dir.join(name), &content).expect("a file");
        }
        // As "both", with a hole in it.
        let holes = File::create(dir.join("holes")).expect("a file");
        holes.write_all_at(&content, 9 << 20).expect("data");
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| change_sizes(dir, SIZE, &holes, &done));
            let setting = with(|s| s.limit = Duration::from_secs(20));
            let files = [
                ("-j2", "shrinking"),
                ("-j8", "growing"),
                ("-j8", "both"),
                ("-j2", "holes"),
            ];
            for ((round, way), (jobs, name)) in pairs(pairs(0..4, WAYS), files) {
                let what = format!("{way} {jobs} {name}, round {round}");
                let ran = cp(&format!("{way} {jobs} {name} to"), dir, &setting);
                assert!((0..=1).contains(&ran.status), "{what}: {ran:?}");
                assert_eq!(ran.status == 0, ran.stderr.is_empty(), "{what}: {ran:?}");
                let copied = fs::read(dir.join("to")).expect("a copy");
                assert!(copied.len() <= 64 << 20, "{what}: {}", copied.len());
                assert_unchanged(name, &copied, &content, ran.status == 0, &what);
            }
            done.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn large_files_that_do_not_fit() {
    let dir = temp_dir();
    let path = dir.path();
    fs::write(path.join("large"), noise(30 << 20, 1)).expect("a file");
    fs::write(path.join("small"), noise(5000, 2)).expect("a file");
    fs::write(path.join("none"), b"").expect("a file");
    // Holes of both kinds, some data in between, more than is worked on together.
    let holes = File::create(path.join("holes")).expect("a file");
    for (at, len) in [(5 << 20, 70_000), (13 << 20, 3 << 20)] {
        holes.write_all_at(&noise(len, at), at).expect("data");
    }
    holes.set_len(40 << 20).expect("a length");
    let small = fs::read(path.join("small")).unwrap();
    for way in WAYS {
        for jobs in JOBS {
            // A limit on the size.
            for limit in [1 << 20, 12 << 20, (30 << 20) - 1] {
                fs::create_dir(path.join("t")).expect("a folder");
                let mut setting = with(|s| s.ignored = vec![libc::SIGXFSZ]);
                setting.limits = vec![(libc::RLIMIT_FSIZE, limit)];
                let line = format!("{way} {jobs} small large none t");
                let ran = cp(&line, path, &setting).expect_status(1);
                let message = "cp: error writing 't/large': File too large\n";
                assert_eq!(ran.stderr, message, "{way} {jobs} {limit}");
                assert!(fs::read(path.join("t/small")).unwrap() == small);
                assert!(path.join("t/none").exists());
                let length = fs::metadata(path.join("t/large")).unwrap().len();
                assert!(length <= limit, "{way} {jobs} {limit}: {length}");
                remove(&path.join("t"));
            }
            cp(&format!("{way} {jobs} holes to"), path, &with(|_| ())).expect_success();
            let (a, b) = (path.join("holes"), path.join("to"));
            assert!(
                fs::read(&a).unwrap() == fs::read(&b).unwrap(),
                "{way} {jobs}"
            );
            let blocks = [a, b].map(|path| fs::metadata(path).unwrap().blocks());
            assert!(blocks[1] <= blocks[0] + 128, "{way} {jobs}: {blocks:?}");
        }
    }
    if !is_root() {
        return skip("large_files_that_do_not_fit", "mounts, which takes root");
    }
    for way in WAYS {
        for jobs in JOBS {
            child::on_tmpfs(c"size=20m,mode=755", |full| {
                let to = full.display();
                let line = format!("{way} {jobs} small large none {to}");
                let ran = cp(&line, path, &with(|_| ())).expect_status(1);
                let message = format!("cp: error writing '{to}/large': No space left on device\n");
                assert_eq!(ran.stderr, message, "{way} {jobs}");
                assert!(fs::read(full.join("small")).unwrap() == small);
                assert!(full.join("none").exists());
                // What is there is whole: parts behind the first that failed are cut off.
                let left = fs::read(full.join("large")).unwrap();
                let whole = fs::read(path.join("large")).unwrap();
                assert!(whole.starts_with(&left), "{way} {jobs}: {}", left.len());
            })
            .expect("a tmpfs");
        }
    }
}

// Messages.

#[test]
fn debug_says_which_way_the_data_went() {
    in_memory(|dir| {
        fs::write(dir.join("small"), b"x").unwrap();
        fs::write(dir.join("large"), vec![7; 9 << 20]).unwrap();
        File::create(dir.join("hole"))
            .unwrap()
            .set_len(1 << 20)
            .unwrap();
        let said = |line: &str| {
            let ran = cp(&format!("--debug {line}"), dir, &with(|_| ())).expect_success();
            ran.stdout_text()
        };
        assert_eq!(
            said("small to"),
            "'small' -> 'to'\ncopy offload: avoided, reflink: unsupported, sparse detection: no\n\
             data: reads and writes\n"
        );
        assert_eq!(
            said("--io=sync -j1 large to2"),
            "'large' -> 'to2'\ncopy offload: yes, reflink: unsupported, sparse detection: no\n\
             data: splice\n"
        );
        assert!(said("--io=ring large to3").contains("data: io_uring ("));
        assert!(said("hole to4").contains("sparse detection: SEEK_HOLE\n"));
    });
}

/// On ext4 large files that are in memory go through the ring where there is a second processor,
/// whether other workers are wanted or not; else another thread writes, if there may be one.
#[test]
fn large_files_on_ext4_go_through_the_ring() {
    let dir = temp_dir();
    if child::statfs(dir.path()).f_type != libc::EXT4_SUPER_MAGIC {
        return println!("the folder for temporary files is not on ext4: nothing to see");
    }
    fs::write(dir.path().join("large"), vec![7; 64 << 20]).expect("a file");
    fs::write(dir.path().join("smaller"), vec![7; (64 << 20) - 1]).expect("a file");
    let check = |line: &str, way: &str, refused: &[libc::c_long]| {
        let setting =
            with(|s| s.refused = refused.iter().map(|c| refuse(*c, libc::EPERM)).collect());
        let ran = cp(&format!("--debug {line} to"), dir.path(), &setting).expect_success();
        let said = ran.stdout_text();
        assert!(said.contains(&format!("data: {way}")), "{line}: {said}");
        assert!(!said.contains("order"), "{line}: {said}");
        fs::remove_file(dir.path().join("to")).expect("the copy");
        said
    };
    check("smaller", "splice\n", &[]);
    check("large", "splice\n", &[libc::SYS_sched_getaffinity]);
    if std::thread::available_parallelism().unwrap().get() < 2 {
        return println!("one processor: nothing more to see");
    }
    let by_thread = "reads, and writes by another thread\n";
    check("large", "io_uring (", &[]);
    check("-j1 large", "io_uring (", &[]);
    check("--io=sync large", by_thread, &[]);
    check("--io=sync -j1 large", "splice\n", &[]);
    for (jobs, way) in [("", by_thread), ("-j1", "splice\n")] {
        let said = check(&format!("{jobs} large"), way, &[libc::SYS_io_uring_setup]);
        assert!(said.contains("Operation not permitted"), "{said}");
    }
    // Where no thread can be started either.
    let calls = [libc::SYS_io_uring_setup, libc::SYS_clone];
    check("large", "splice\n", &calls);
}

#[test]
fn progress_is_shown_when_asked_for() {
    in_memory(|dir| {
        fs::create_dir(dir.join("s")).unwrap();
        for name in 0..100 {
            fs::write(dir.join(format!("s/{name}")), vec![7; 1000]).unwrap();
        }
        for jobs in JOBS {
            let ran = cp(&format!("-r {jobs} -g s to{jobs}"), dir, &with(|_| ())).expect_status(0);
            let shown = &ran.stderr;
            assert!(shown.starts_with("100% [####"), "{shown}");
            assert!(shown.contains("]  97.6 KiB of 97.6 KiB  "), "{shown}");
            assert!(shown.contains("  100 of 100 files  "), "{shown}");
            assert_eq!(
                shown.matches('\n').count(),
                1,
                "no terminal, one line: {shown}"
            );
            let ran = cp(&format!("-r {jobs} s quiet{jobs}"), dir, &with(|_| ())).expect_success();
            assert_eq!(ran.stderr, "");
        }
    });
}

#[test]
fn messages_are_whole_lines() {
    in_memory(|dir| {
        open_to_all(dir);
        let mut scene = Scene::default();
        scene.add("s", Node::Dir);
        for folder in 0..30 {
            scene.add(format!("s/{folder}"), Node::Dir);
        }
        for (folder, file) in pairs(0..30, 0..20) {
            let path = format!("s/{folder}/{file}-{}", "long".repeat(file));
            let item = scene.add(path, Node::File(9, vec![(0, 9)]));
            item.mode = if file % 2 == 0 { 0 } else { 0o644 };
        }
        if is_root() {
            scene.own(NOBODY);
        }
        scene.build(dir);
        let (mut errors, mut lines) = (vec![String::new()], vec![String::new()]);
        for item in &scene.items {
            let from = item.path.display().to_string();
            let text = format!("cp: cannot open '{from}' for reading: Permission denied");
            errors.extend((item.mode == 0).then_some(text));
            lines.push(format!("'{from}' -> 't{}'", &from[1..]));
        }
        errors.sort_unstable();
        lines.sort_unstable();
        for (round, jobs) in pairs(0..10, ["-j2", "-j8"]) {
            let setting = with(|s| s.user = ordinary());
            let ran = cp(&format!("{jobs} -rv s t"), dir, &setting).expect_status(1);
            let what = format!("{jobs}, round {round}");
            assert_eq!(sorted(ran.stderr.as_bytes()), errors, "{what}");
            assert_eq!(sorted(&ran.stdout), lines, "{what}");
            let mut met = HashSet::from([Path::new("")]);
            let text = ran.stdout_text();
            for line in text.lines() {
                let name = line[1..].split('\'').next().unwrap_or_default();
                let path = Path::new(name);
                let parent = path.parent().expect("a parent");
                assert!(met.contains(parent), "{what}: {name} before its folder");
                met.insert(path);
            }
            remove(&dir.join("t"));
        }
    });
}

#[test]
fn numbers_of_jobs() {
    let dir = temp_dir();
    fs::write(dir.path().join("a"), b"a").expect("a file");
    let long = "9".repeat(40);
    for wrong in [
        "0",
        "257",
        "x",
        "",
        "-1",
        "+1",
        " 1",
        "1x",
        "4294967297",
        &long,
    ] {
        for args in [vec!["-j", wrong], vec!["--jobs", wrong]] {
            let args = [&args[..], &["a", "b"]].concat();
            let ran = run_cp(&annulet(), &args, dir.path(), &with(|_| ())).expect_status(1);
            let text = format!(
                "cp: invalid number of jobs: '{wrong}' (1 to 256)\n\
                 Try 'cp --help' for more information.\n"
            );
            assert_eq!(ran.stderr, text);
            assert!(!dir.path().join("b").exists());
        }
    }
    for line in ["-j0 a b", "-j257 a b", "-jx a b", "--jobs= a b", "-rj0 a b"] {
        let ran = cp(line, dir.path(), &with(|_| ())).expect_status(1);
        let told = ran.stderr.lines().next().unwrap_or_default();
        assert!(
            told.starts_with("cp: invalid number of jobs: '") && told.ends_with("' (1 to 256)"),
            "{ran:?}"
        );
    }
    for line in [
        "--jobs=2 a b",
        "--jobs 2 a b",
        "--jobs=3 a b",
        "-j2 a b",
        "-j 2 a b",
        "-rj256 a b",
        "-j001 a b",
        "-j8 -j1 a b",
        "a -j2 b",
    ] {
        cp(line, dir.path(), &with(|_| ())).expect_success();
        fs::remove_file(dir.path().join("b")).expect("a copy");
    }
    for line in ["a b -j", "a b --jobs"] {
        let ran = cp(line, dir.path(), &with(|_| ())).expect_status(1);
        assert!(ran.stderr.contains("requires an argument"), "{ran:?}");
    }
}

// Into itself.

#[test]
fn into_itself() {
    let mut scene = Scene::parse("dir a; dir a/b; file a/b/f; dir a/c; dir e");
    for number in 0..40 {
        scene.add(format!("a/c/{number}"), Node::Dir);
        scene.add(format!("a/c/{number}/f"), Node::File(9, vec![(0, 9)]));
    }
    let cases = [
        "-r a a/b",
        "-r a a/new",
        "-rT a a/b",
        "-r a/b/. a",
        "-r a/. a/b",
        "-a a/c/. a/b",
        "-r a/c a/c/7",
        "-r a e a/c/3",
        "-r . a/b",
        "-a ./a a/b/../c",
        "-r a/b a/c a/b",
    ]
    .map(|command| Case {
        setting: with(|_| ()),
        ..Case::cp(scene.clone(), command)
    });
    check_all("into_itself", cases, &["", "-j1", "-j2", "-j8"]);
}

// Memory and time.

fn peak(dir: &Path, jobs: &str, from: &str) -> u64 {
    let args = [jobs, "-a", from, "to"].map(OsStr::new);
    let (status, peak) = child::cp_measured(&annulet(), &args, dir, &with(|_| ()));
    assert!(status.success(), "{jobs} {from}: {status:?}");
    remove(&dir.join("to"));
    peak
}

#[test]
fn memory_does_not_grow_with_the_tree() {
    in_memory(|dir| {
        let make = |name: &str, folders: usize, files: usize| {
            for folder in 0..folders {
                let folder = dir.join(format!("{name}/{folder}"));
                fs::create_dir_all(&folder).expect("a folder");
            }
            for (folder, file) in pairs(0..folders, 0..files) {
                let file = dir.join(format!("{name}/{folder}/file-{file}"));
                fs::write(file, b"some bytes").expect("a file");
            }
        };
        make("few", 20, 100);
        make("many", 200, 100);
        make("flat", 1, 50_000);
        make("folders", 20_000, 0);
        for jobs in ["-j2", "-j8"] {
            let peaks = ["few", "many", "flat", "folders"].map(|from| peak(dir, jobs, from));
            println!("peak resident set, {jobs}: {peaks:?} KiB");
            let (few, many) = (peaks[0], peaks[1]);
            assert!(many <= few + 2048, "{jobs}: {peaks:?} KiB");
            assert!(
                peaks.iter().all(|&peak| peak < 16 << 10),
                "{jobs}: {peaks:?} KiB"
            );
        }
    });
}

/// How much processor time a copy takes, in all of its threads.
fn processor_time(dir: &Path, line: &str) -> Duration {
    #[allow(clippy::zombie_processes)] // waited for by number
    let child = support::command(annulet())
        .arg("cp")
        .args(child::words(line))
        .current_dir(dir)
        .stdin(Stdio::null())
        .spawn()
        .expect("a program");
    let pid = libc::pid_t::try_from(child.id()).expect("a process number");
    let mut status = 0;
    // SAFETY: a structure of numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: waits for a child of ours; both are writable.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    assert_eq!((waited, status), (pid, 0), "{line}");
    let time = |time: libc::timeval| {
        let micros = time.tv_sec * 1_000_000 + time.tv_usec;
        Duration::from_micros(micros.try_into().expect("a time"))
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// How much processor time a copy takes, which is removed.
fn time_of_copy(dir: &Path, jobs: &str, from: &str) -> Duration {
    let time = processor_time(dir, &format!("{jobs} -r {from} to"));
    remove_any(&dir.join("to"));
    time
}

/// Expects many workers to take hardly more time than one.
fn assert_idle(from: &str, run: &dyn Fn(&str) -> Duration) {
    // The least of a few runs: on a busy machine one may take twice its time.
    let mut least = [Duration::MAX; 3];
    for round in 1.. {
        for (least, jobs) in least.iter_mut().zip(["-j1", "-j8", "-j48"]) {
            *least = run(jobs).min(*least);
        }
        let [one, eight, many] = least;
        let times = format!("{from}: {one:?} by one worker, {eight:?} by 8, {many:?} by 48");
        println!("{times}");
        let most = 2 * one + Duration::from_millis(40);
        if eight <= most && many <= most {
            break;
        }
        assert!(round < 10, "{times}");
    }
}

/// Workers that have nothing to do cost nothing.
#[test]
fn idle_workers_sleep() {
    in_memory(|dir| {
        let mut at = dir.join("chain");
        fs::create_dir(&at).expect("a folder");
        for _ in 0..500 {
            fs::write(at.join("f"), b"x").expect("a file");
            at.push("d");
            fs::create_dir(&at).expect("a folder");
        }
        fs::write(dir.join("large"), noise(64 << 20, 1)).expect("a file");
        // One with holes.
        let sparse = File::create(dir.join("sparse")).expect("a file");
        sparse
            .write_all_at(&noise(48 << 20, 1), 1 << 20)
            .expect("data");
        sparse.set_len(90 << 20).expect("a length");
        for number in 0..4000 {
            let folder = dir.join(format!("wide/{number}"));
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join("f"), b"x").expect("a file");
        }
        for from in ["chain", "large", "sparse", "wide"] {
            assert_idle(from, &|jobs| time_of_copy(dir, jobs, from));
        }
    });
}

/// What is packed in blocks that many files share is unpacked again and again for workers that are
/// many, or far from each other.
#[test]
fn few_workers_read_from_squashfs() {
    const TEST: &str = "few_workers_read_from_squashfs";
    if !is_root() {
        return skip(TEST, "mounting takes root");
    }
    let Some(mksquashfs) = find_program("mksquashfs") else {
        return skip(TEST, "mksquashfs is not installed");
    };
    let mounted = child::on_tmpfs(c"mode=755", |memory| {
        for folder in 0..60 {
            let folder = memory.join(format!("tree/folder{folder}"));
            fs::create_dir_all(&folder).expect("a folder");
            for file in 0..60 {
                // Half of it can be packed.
                let mut content = noise(3000, file);
                content.resize(6000, 0);
                fs::write(folder.join(format!("file{file}")), content).expect("a file");
            }
        }
        let (image, at) = (memory.join("image"), memory.join("mounted"));
        let mut made = command(mksquashfs);
        made.arg(memory.join("tree")).arg(&image);
        support::run(made.args(["-quiet", "-no-progress"])).expect_status(0);
        fs::create_dir(&at).expect("a folder");
        let mut mount = command("mount");
        let ran = support::run(mount.args(["-o", "loop,ro"]).args([&image, &at]));
        if ran.status != 0 {
            return Err(ran.stderr);
        }
        let trees = cp("-r --debug mounted copy", memory, &Setting::default());
        fs::create_dir(memory.join("files")).expect("a folder");
        let names: Vec<_> = (0..60)
            .map(|file| format!("mounted/folder1/file{file}"))
            .collect();
        let line = format!("--debug {} files", names.join(" "));
        let operands = cp(&line, memory, &Setting::default());
        child::unmount(&c_path(&at)).expect("unmounted");
        few_workers(trees);
        few_workers(operands);
        for (from, to) in [("tree", "copy"), ("tree/folder1", "files")] {
            let [from, to] = [from, to].map(|name| tree(&memory.join(name)));
            assert_same_tree(&from, &to, Agree::CONTENT);
        }
        Ok(())
    });
    if let Err(reason) = mounted.expect("a tmpfs") {
        skip(TEST, &format!("no squashfs: {reason}"));
    }
}

/// There were never more workers than processors.
fn few_workers(ran: Ran) {
    let processors = std::thread::available_parallelism().expect("processors");
    let said = ran.expect_success().stdout_text();
    for line in said
        .lines()
        .filter_map(|line| line.strip_prefix("workers: "))
    {
        let (count, why) = line.split_once(',').expect("a reason");
        let count: usize = count.parse().expect("a number");
        assert!(count <= processors.get(), "{count} workers,{why}");
    }
}
