//! `cp` where something is missing, refused, too small or changes under it.
#![allow(unsafe_code)]

mod cp;
mod support;

use std::ffi::{CString, OsStr};
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cp::child::{
    self, NOBODY, Proc, Refused, SYS_FCHMODAT2, Setting, cp as run_cp, mknod, refuse, set_times,
};
use cp::fuse;
use cp::oracle::gnu_cp;
use cp::scene::{Node, Scene, give};
use support::{
    Agree, Ran, TempDir, annulet, assert_same_tree, differences, is_root, noise, pairs, skip,
    temp_dir, tree,
};

/// More than one buffer: goes through the ring where there is one.
const LARGE: usize = 3 << 20;

/// Every way to move data, and none given.
const WAYS: &[&str] = &["--io=auto", "--io=ring", "--io=sync"];

/// What a test works with: a folder with a small tree `s` in it.
fn place() -> TempDir {
    let dir = temp_dir();
    scene().build(dir.path());
    dir
}

fn scene() -> Scene {
    Scene::parse(&format!(
        "dir s; file s/large {LARGE}; file s/one 1; file s/none 0; file s/x 70000 755; \
         dir s/sub; file s/sub/in 5000 640; link s/sub/l ../one; hard s/sub/h s/one; \
         hole s/hole 4000000 1000000+500000"
    ))
}

fn cp(line: &str, dir: &Path, setting: &Setting) -> Ran {
    run_cp(&annulet(), &child::words(line), dir, setting)
}

fn with(change: impl FnOnce(&mut Setting)) -> Setting {
    let mut setting = Setting::default();
    change(&mut setting);
    setting
}

/// Whether `s` was copied to `to` whole, with everything that `-a` keeps.
#[track_caller]
fn assert_copied(dir: &Path, to: &str) {
    assert_same_tree(&tree(&dir.join("s")), &tree(&dir.join(to)), Agree::ALL);
}

// Standard descriptors.

#[test]
fn closed_descriptors() {
    for closed in [&[0][..], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]] {
        for way in WAYS {
            let dir = place();
            let setting = with(|s| s.closed = closed.into());
            let what = format!("{closed:?} closed, {way}");
            // With a message among the copies: it must not land in one of them.
            fs::create_dir(dir.path().join("t")).expect("a folder");
            let ran = cp(&format!("{way} -a no s also-no t"), dir.path(), &setting);
            assert_eq!(ran.status, 1, "{what}: {ran:?}");
            let messages = "cp: cannot stat 'no': No such file or directory\n\
                            cp: cannot stat 'also-no': No such file or directory\n";
            let expected = if closed.contains(&2) { "" } else { messages };
            assert_eq!(ran.stderr, expected, "{what}");
            assert_copied(dir.path(), "t/s");
            let ran = cp(&format!("{way} -a s u"), dir.path(), &setting);
            assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{what}");
            assert_copied(dir.path(), "u");
        }
    }
}

#[test]
fn verbose_output_that_goes_nowhere() {
    let dir = place();
    let full = with(|s| s.stdout = Some("/dev/full".into()));
    let ran = cp("-av s t", dir.path(), &full);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert_eq!(ran.stderr, "cp: write error: No space left on device\n");
    assert_copied(dir.path(), "t");
    let ran = cp("-av s u", dir.path(), &with(|s| s.closed = vec![1]));
    assert_eq!(ran.status, 1, "{ran:?}");
    assert_eq!(ran.stderr, "cp: write error: Bad file descriptor\n");
    assert_copied(dir.path(), "u");
    // Nothing to say, nothing to fail.
    cp("-a s v", dir.path(), &full).expect_success();
    for help in ["--help", "--version"] {
        let ran = cp(help, dir.path(), &full);
        assert_eq!(ran.status, 1, "{ran:?}");
        assert_eq!(ran.stderr, "cp: write error: No space left on device\n");
    }
}

#[test]
fn full_device_as_destination() {
    if !is_root() {
        return skip(
            "full_device_as_destination",
            "makes device nodes, which takes root",
        );
    }
    // Devices of its own, so that the machine's are not at risk.
    child::on_tmpfs(c"mode=755", |dir| {
        for (name, minor) in [("null", 3), ("full", 7)] {
            let device = libc::makedev(1, minor);
            mknod(&dir.join(name), libc::S_IFCHR | 0o666, device).expect("a device");
        }
        for (number, way) in WAYS.iter().enumerate() {
            let path = dir.join(number.to_string());
            fs::create_dir(&path).expect("a folder");
            scene().build(&path);
            check_full_device(way, &path);
        }
    })
    .expect("a tmpfs");
}

/// Copies to the devices in the folder around `path`.
fn check_full_device(way: &str, path: &Path) {
    for source in ["s/one", "s/x", "s/large", "s/hole"] {
        let ran = cp(&format!("{way} {source} ../full"), path, &with(|_| ()));
        assert_eq!(ran.status, 1, "{way} {ran:?}");
        let message = "cp: error writing '../full': No space left on device\n";
        assert_eq!(ran.stderr, message, "{way} {source}");
    }
    for (source, device) in [("s/none", "../full"), ("s/large", "../null")] {
        let ran = cp(&format!("{way} {source} {device}"), path, &with(|_| ()));
        ran.expect_success();
    }
    fs::create_dir(path.join("t")).expect("a folder");
    symlink("../../full", path.join("t/large")).expect("a link");
    let ran = cp(&format!("{way} s/one s/large s/x t"), path, &with(|_| ()));
    assert_eq!(ran.status, 1, "{way} {ran:?}");
    assert_eq!(
        ran.stderr, "cp: error writing 't/large': No space left on device\n",
        "{way}"
    );
    assert_eq!(
        fs::read(path.join("t/x")).unwrap(),
        fs::read(path.join("s/x")).unwrap()
    );
    assert!(path.join("t/one").is_file());
    let is_device = |name: &str| {
        let found = fs::symlink_metadata(path.join(name)).expect("a device");
        found.file_type().is_char_device()
    };
    assert!(is_device("../full") && is_device("../null"), "{way}");
}

// Limits.

/// Deeper than there are descriptors, wide, and with a large file at the bottom; with `shut`,
/// also folders that their owner may not list, or not pass through.
fn deep_and_wide(shut: bool) -> Scene {
    let mut scene = Scene::parse("dir s");
    let mut at = String::from("s");
    for level in 0..45 {
        at = format!("{at}/level{level}");
        scene.add(&at, Node::Dir);
        let first = format!("{at}/a");
        scene.add(&first, Node::File(level, vec![(0, 1)]));
        scene.add(format!("{at}/h"), Node::Hard(first.into()));
        scene.add(format!("{at}/l"), Node::Link("a".into()));
        scene.add(format!("{at}/p"), Node::Fifo);
        if shut && level % 5 == 0 {
            let mode = [0o400, 0o300, 0][usize::try_from(level / 5).unwrap() % 3];
            let name = format!("{at}/shut");
            scene.add(&name, Node::Dir).mode = mode;
            scene.add(format!("{name}/in"), Node::Dir);
            scene.add(format!("{name}/in/f"), Node::File(5, vec![(0, 5)]));
        }
    }
    scene.add(
        format!("{at}/big"),
        Node::File(LARGE as u64, vec![(0, LARGE)]),
    );
    for number in 0..40 {
        let wide = format!("s/wide{number}");
        scene.add(&wide, Node::Dir);
        scene.add(format!("{wide}/f"), Node::File(100, vec![(0, 100)]));
    }
    scene
}

/// How many descriptors there may be, and which are taken.
type Descriptors = (u64, std::ops::Range<i32>);

/// Copies with so many descriptors, and takes away what came of it.
fn copy_with(dir: &Path, line: &str, limit: Option<&Descriptors>) -> Vec<support::Tree> {
    fs::create_dir(dir.join("d")).expect("a folder");
    if line.ends_with("there") {
        cp("-a s d/s", dir, &with(|_| ())).expect_success();
        fs::rename(dir.join("d"), dir.join("there")).expect("a name");
    }
    let mut setting = with(|_| ());
    if let Some((most, taken)) = limit {
        setting.limits = vec![(libc::RLIMIT_NOFILE, *most)];
        setting.taken = taken.clone();
    }
    let ran = cp(line, dir, &setting).expect_status(0);
    if !line.contains("-g") {
        assert_eq!(ran.stderr, "", "{line}, {limit:?}");
    }
    taken_away(dir)
}

/// Removes the destinations, and tells what they were.
fn taken_away(dir: &Path) -> Vec<support::Tree> {
    let places = ["t", "d", "there"].map(|name| dir.join(name));
    let there = places.iter().filter(|to| to.exists());
    there
        .map(|to| {
            let mut tree = tree(to);
            // Its times are of this run.
            tree.remove(Path::new(""));
            cp::trees::remove(to);
            tree
        })
        .collect()
}

/// The same comes out whether there are many descriptors or few: eight are enough.
#[test]
fn few_descriptors() {
    child::in_memory(|dir| {
        deep_and_wide(false).build(dir);
        let deep: String = (0..45).fold("s".into(), |at, level| format!("{at}/level{level}"));
        let deepest = format!("--parents -a {deep} d");
        for line in [
            "-a s t",
            "-a s d",
            "-r s d",
            "-rL s/wide1 s/level0/level1 d",
            "-ab s there",
            "--backup=t -r s there",
            "-rf s there",
            "-a --remove-destination s there",
            "-r --preserve=links s d",
            "-rl s d",
            "-a -j8 s d",
            "-a --io=sync s d",
            "-a --io=ring s d",
            "-a -g s d",
            "--parents -r s d",
            &deepest,
        ] {
            let run = |limit: Option<&Descriptors>| copy_with(dir, line, limit);
            let expected = run(None);
            // The ring takes one more, and says so.
            let least = if line.contains("ring") { 9 } else { 8 };
            for limit in [least, 10, 12, 16, 24, 40] {
                let found = run(Some(&(limit, 0..0)));
                assert_eq!(expected.len(), found.len());
                let agree = Agree {
                    times: line.contains("-a "),
                    link_times: line.contains("-a "),
                    ..Agree::ALL
                };
                let pairs = expected.iter().zip(&found);
                let lines: Vec<_> = pairs.flat_map(|(a, b)| differences(a, b, agree)).collect();
                assert!(lines.is_empty(), "{line}, {limit}: {}", lines.join("\n"));
            }
            // As many are left where others are taken, the highest, the lowest, or some between.
            let left = i32::try_from(least).expect("a few");
            for taken in [left..100, 3..103 - left, 6..106 - left] {
                run(Some(&(100, taken)));
            }
        }
    });
}

/// Also where the way back from a folder does not lead through it.
#[test]
fn few_descriptors_and_folders_that_are_shut() {
    let user = is_root().then_some(NOBODY);
    child::in_memory(|dir| {
        let mut scene = deep_and_wide(true);
        if is_root() {
            scene.own(NOBODY);
        }
        scene.build(dir);
        fs::set_permissions(dir, Permissions::from_mode(0o777)).expect("chmod");
        for flags in ["-a", "-r"] {
            let run = |limits: Vec<_>| {
                let mut setting = with(|s| s.user = user);
                setting.limits = limits;
                let ran = cp(&format!("-j1 {flags} s t"), dir, &setting).expect_status(1);
                let to = dir.join("t");
                let found = cp::trees::snapshot(&to).expect("a tree");
                cp::trees::remove(&to);
                (ran.stderr, found)
            };
            let (told, expected) = run(Vec::new());
            assert!(told.contains("shut"), "{told}");
            for limit in [8, 9, 10, 12, 16, 24] {
                let (also_told, found) = run(vec![(libc::RLIMIT_NOFILE, limit)]);
                assert_eq!(told, also_told, "{flags}, {limit}");
                let agree = Agree {
                    times: flags == "-a",
                    link_times: flags == "-a",
                    ..Agree::ALL
                };
                let lines = differences(&expected, &found, agree);
                assert!(lines.is_empty(), "{flags}, {limit}: {}", lines.join("\n"));
            }
        }
    });
}

#[test]
fn no_locked_memory() {
    let dir = temp_dir();
    let mut scene = scene();
    let setting = with(|s| {
        s.limits = vec![(libc::RLIMIT_MEMLOCK, 0)];
        // Root may lock what it wants.
        if is_root() {
            s.user = Some(NOBODY);
            scene.own(NOBODY);
        }
    });
    scene.build(dir.path());
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).expect("chmod");
    for way in ["--io=auto", "--io=sync", "--io=ring"] {
        let to = format!("to{way}");
        let ran = cp(&format!("{way} -a s {to}"), dir.path(), &setting);
        if way == "--io=ring" && ran.status != 0 {
            // An older kernel charges the ring itself.
            assert_eq!(ran.status, 1, "{ran:?}");
            assert!(ran.stderr.contains("io_uring"), "{ran:?}");
            continue;
        }
        ran.expect_success();
        assert_copied(dir.path(), &to);
    }
}

#[test]
fn limited_file_size() {
    for way in WAYS {
        let dir = place();
        let path = dir.path();
        fs::create_dir(path.join("t")).expect("a folder");
        let limited = |ignored: Vec<i32>| {
            with(|s| {
                s.limits = vec![(libc::RLIMIT_FSIZE, 1 << 20)];
                s.ignored = ignored;
            })
        };
        let setting = limited(vec![libc::SIGXFSZ]);
        let ran = cp(&format!("{way} s/one s/large s/x t"), path, &setting);
        assert_eq!(ran.status, 1, "{way} {ran:?}");
        assert_eq!(
            ran.stderr, "cp: error writing 't/large': File too large\n",
            "{way}"
        );
        assert_eq!(
            fs::read(path.join("t/x")).unwrap(),
            fs::read(path.join("s/x")).unwrap()
        );
        assert!(path.join("t/one").is_file());
        let ran = cp(&format!("{way} s/hole t"), path, &setting);
        assert_eq!(ran.status, 1, "{way} {ran:?}");
        assert!(
            ran.stderr.ends_with("'t/hole': File too large\n"),
            "{way} {ran:?}"
        );
        let ran = cp(&format!("{way} s/large t"), path, &limited(Vec::new()));
        assert_eq!(ran.status, -libc::SIGXFSZ, "{way} {ran:?}");
    }
}

/// Whether all that was said is whole lines, each about something, with the reason.
fn is_told(ran: &Ran, reason: &str) -> bool {
    let is_whole = |line: &str| {
        let about = line.split_once(": ").map_or("", |(_, about)| about);
        let names = about.ends_with(&format!(": {reason}")) && about.len() > reason.len() + 2;
        !line.contains("''") && (names || about == "memory exhausted")
    };
    ran.stderr.ends_with('\n') && ran.stderr.lines().all(is_whole)
}

/// Expects a command to do with little memory what it does with any.
fn assert_same_with_memory(
    line: &str,
    dir: &Path,
    limit: Option<(libc::__rlimit_resource_t, u64)>,
) {
    let [usual, ran] = [None, limit].map(|limit| with_memory(line, dir, limit));
    assert_eq!(ran.status, usual.status, "{limit:?}: {ran:?}");
    assert_eq!(ran.stderr, usual.stderr, "{limit:?}: {ran:?}");
    assert_eq!(ran.stdout, usual.stdout, "{limit:?}: {ran:?}");
}

/// Runs a line with the memory that `limit` leaves, unless that is too little even to start,
/// about which the program can do nothing.
fn with_memory(line: &str, dir: &Path, limit: Option<(libc::__rlimit_resource_t, u64)>) -> Ran {
    let mut command = support::command(annulet());
    command.args(child::words(line)).current_dir(dir);
    child::run(
        &mut command,
        &with(|s| s.limits = limit.into_iter().collect()),
    )
}

/// With too little memory the program ends with status 1 and whole messages, and does not crash
/// or hang; with enough of it all is as usual.
#[test]
fn little_memory() {
    let copies = [
        "cp -a s t",
        "cp -r -v -j8 s t",
        "cp -a -j8 s t",
        "cp -ab s there",
        "cp --parents -a s/sub there",
        "cp --io=ring -a s t",
        "cp --sparse=always s/large t",
        "cp -p s/one t",
        "cp -j1 -r many t",
        "cp --preserve=links -rv s/sub s/x there",
        "cat s/large",
        "cat -A s/large",
        "cat s/one",
        "cat --io=ring s/large",
    ];
    // What is wrong is said with little memory as with much.
    let mistakes = [
        "cp none t",
        "cp none/none t",
        "cp --no-such t",
        "cp --backup=x t",
        "cp --update=n t",
        "cp -j0 t",
        "cp a t -S",
        "cp --help",
        "cat none",
        "cat --no-such",
    ];
    child::in_memory(|dir| {
        scene().build(dir);
        let many = dir.join("many");
        fs::create_dir(&many).expect("a folder");
        for number in 0..3000 {
            let name = format!("{number}-{}", "long".repeat(50));
            fs::write(many.join(name), "").expect("a file");
        }
        for number in 0..40 {
            let folder = dir.join(format!("s/folders/{number}"));
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join("f"), "x").expect("a file");
        }
        let (mut short, mut exhausted) = (0, 0);
        let sizes = (0..32).map(|n| n * 16).chain((8..48).map(|n| n * 64));
        for (resource, kib) in pairs([libc::RLIMIT_AS, libc::RLIMIT_DATA], sizes) {
            let limit = Some((resource, kib << 10));
            if with_memory("cp --version", dir, limit).status < 0 {
                continue;
            }
            for line in mistakes {
                assert_same_with_memory(line, dir, limit);
            }
            for line in copies {
                fs::create_dir(dir.join("there")).expect("a folder");
                let ran = with_memory(line, dir, limit);
                cp::trees::remove_any(&dir.join("t"));
                cp::trees::remove_any(&dir.join("there"));
                let is_short = ran.status == 1 && is_told(&ran, "Cannot allocate memory");
                let is_done = ran.status == 0 && ran.stderr.is_empty();
                assert!(is_short || is_done, "{line}, {kib} KiB: {ran:?}");
                short += i32::from(is_short);
                exhausted += i32::from(ran.stderr.contains("cp: memory exhausted\n"));
            }
        }
        println!("little_memory: {short} times too little, {exhausted} times in the middle");
        assert!(short > 0 && exhausted > 0, "memory was enough everywhere");
    });
}

/// No memory at all, whatever the kernel says to that.
#[test]
fn memory_refused() {
    for (errno, text) in [
        (libc::ENOMEM, "Cannot allocate memory"),
        (libc::EPERM, "Operation not permitted"),
        (libc::EAGAIN, "Resource temporarily unavailable"),
    ] {
        for line in [
            "cp -a s t",
            "cp -j8 -r s t",
            "cp --sparse=always s/x t",
            "cat s/x",
            "cat -n s/x s/none s/one",
            "cp --io=ring s/large t",
            "cat --io=ring s/large",
        ] {
            let dir = place();
            let mut command = support::command(annulet());
            command.args(child::words(line)).current_dir(dir.path());
            let refused = vec![refuse(libc::SYS_mmap, errno)];
            let ran = child::run(&mut command, &with(|s| s.refused = refused));
            assert_eq!(ran.status, 1, "{line}: {ran:?}");
            assert!(is_told(&ran, text), "{line}: {ran:?}");
        }
    }
}

/// Peak memory must not grow with the number of files.
#[test]
fn memory_does_not_grow_with_files() {
    let measure = |dir: &Path, count: usize| {
        let from = dir.join(count.to_string());
        for folder in 0..count / 100 {
            let folder = from.join(folder.to_string());
            fs::create_dir_all(&folder).expect("a folder");
            for file in 0..100 {
                fs::write(folder.join(format!("file-{file}")), b"some bytes").expect("a file");
            }
        }
        let (from, to) = (from.into_os_string(), dir.join("to").into_os_string());
        // As many workers each time: how many there are hangs on how busy the disk is.
        let args = ["-aj2".as_ref(), from.as_os_str(), to.as_os_str()];
        let (status, peak) = child::cp_measured(&annulet(), &args, dir, &Setting::default());
        assert!(status.success(), "{status:?}");
        fs::remove_dir_all(&to).expect("removal");
        peak
    };
    let both = |dir: &Path| (measure(dir, 2000), measure(dir, 20_000));
    let (few, many) = child::in_memory(both);
    println!("peak resident set: {few} KiB for 2,000 files, {many} KiB for 20,000");
    assert!(
        many <= few + 512,
        "{few} KiB for 2,000 files, {many} KiB for 20,000"
    );
}

// Sizes that are no promise.

/// As much is copied as there is to read, not as the size says, however little comes at a time.
#[test]
fn a_file_that_holds_more_than_its_size() {
    const TEST: &str = "a_file_that_holds_more_than_its_size";
    if !is_root() {
        return skip(TEST, "mounts a file system, which takes root");
    }
    for (size, real) in [(4096, 10_000), (1000, 1001), (65536, 200_000)] {
        let dir = temp_dir();
        let at = dir.path().join("fuse");
        fs::create_dir(&at).expect("a folder");
        fs::create_dir(dir.path().join("to")).expect("a folder");
        let content = noise(real, 7);
        let _mounted = match fuse::mount(&at, size, content.clone(), size.min(4096)) {
            Ok(mounted) => mounted,
            Err(error) => return skip(TEST, &format!("no FUSE: {error}")),
        };
        for options in ["", "--io=sync", "-p"] {
            // Two files: what was learnt of the first one's device holds for the second.
            let line = format!("{options} fuse/a fuse/b to");
            cp(&line, dir.path(), &with(|_| ())).expect_success();
            for name in ["to/a", "to/b"] {
                let copied = fs::read(dir.path().join(name)).expect("the copy");
                assert!(copied == content, "{size}: {line}: {} bytes", copied.len());
            }
        }
    }
}

// Refused calls.

/// What `io_uring_setup` is refused with, from findings of the field and beyond.
const REFUSALS: &[(i32, &str)] = &[
    (libc::EPERM, "Operation not permitted"),
    (libc::ENOSYS, "Function not implemented"),
    (libc::EINVAL, "Invalid argument"),
    (libc::EOPNOTSUPP, "Operation not supported"),
    (libc::ENOMEM, "Cannot allocate memory"),
    (libc::EACCES, "Permission denied"),
    (libc::EMFILE, "Too many open files"),
    (libc::ENFILE, "Too many open files in system"),
    (libc::EFAULT, "Bad address"),
    (libc::EAGAIN, "Resource temporarily unavailable"),
    (libc::EBUSY, "Device or resource busy"),
    (libc::E2BIG, "Argument list too long"),
];

#[test]
fn io_uring_refused() {
    for &(errno, text) in REFUSALS {
        let dir = place();
        let path = dir.path();
        let setting = with(|s| s.refused = vec![refuse(libc::SYS_io_uring_setup, errno)]);
        cp("--io=auto -a s t", path, &setting).expect_success();
        assert_copied(path, "t");
        cp("-a s u", path, &setting).expect_success();
        assert_copied(path, "u");
        cp("--io=sync -a s v", path, &setting).expect_success();
        assert_copied(path, "v");
        let ran = cp("--io=ring s/large w", path, &setting);
        assert_eq!(ran.status, 1, "{ran:?}");
        assert!(
            ran.stderr.starts_with("cp: cannot set up io_uring"),
            "{ran:?}"
        );
        assert!(ran.stderr.ends_with(&format!(": {text}\n")), "{ran:?}");
        if [libc::EPERM, libc::ENOSYS].contains(&errno) {
            assert!(ran.stderr.contains("seccomp"), "{ran:?}");
        }
        if errno == libc::EPERM {
            assert!(ran.stderr.contains("kernel.io_uring_disabled"), "{ran:?}");
        }
        if errno == libc::ENOSYS {
            assert!(ran.stderr.contains("older"), "{ran:?}");
        }
    }
}

/// Setup that works is no promise for what comes after.
#[test]
fn io_uring_half_refused() {
    for call in [libc::SYS_io_uring_enter, libc::SYS_io_uring_register] {
        for errno in [
            libc::EPERM,
            libc::ENOSYS,
            libc::ENOMEM,
            libc::EINVAL,
            libc::EACCES,
        ] {
            let dir = place();
            let path = dir.path();
            let setting = with(|s| s.refused = vec![refuse(call, errno)]);
            cp("-a s t", path, &setting).expect_success();
            assert_copied(path, "t");
            // Either it can do without that call, or it says why not.
            let ran = cp("--io=ring -a s u", path, &setting);
            if ran.status == 0 {
                ran.expect_success();
                assert_copied(path, "u");
            } else {
                assert_eq!(ran.status, 1, "{ran:?}");
                assert!(
                    ran.stderr.contains("io_uring") || ran.stderr.contains("error "),
                    "{ran:?}"
                );
            }
        }
    }
}

/// `FICLONE`, refused.
const fn refuse_clone(errno: i32) -> Refused {
    Refused {
        call: libc::SYS_ioctl,
        request: Some(0x4004_9409),
        errno,
    }
}

/// A disk that fails or is full while blocks are to be shared has not said that they cannot be.
#[test]
fn sharing_blocks_fails() {
    for (errno, text) in [
        (libc::EIO, "Input/output error"),
        (libc::ENOSPC, "No space left on device"),
        (libc::EDQUOT, "Disk quota exceeded"),
        (libc::ENOMEM, "Cannot allocate memory"),
    ] {
        let dir = place();
        let setting = with(|s| s.refused = vec![refuse_clone(errno)]);
        let ran = cp("s/x new", dir.path(), &setting).expect_status(1);
        assert_eq!(
            ran.stderr,
            format!("cp: failed to clone 'new' from 's/x': {text}\n")
        );
        assert!(!dir.path().join("new").exists(), "{ran:?}");
    }
}

/// Profiles from before `statx` answer it with one of these on any kernel: all that is looked at
/// can be looked at by the older call.
#[test]
fn statx_refused() {
    for errno in [libc::EPERM, libc::ENOSYS] {
        let setting = with(|s| s.refused = vec![refuse(libc::SYS_statx, errno)]);
        for way in WAYS {
            let dir = place();
            let path = dir.path();
            cp(&format!("{way} -a s t"), path, &setting).expect_success();
            assert_copied(path, "t");
            // Over what is there: looked at, compared, kept.
            cp(&format!("{way} -aT --backup=t s t"), path, &setting).expect_success();
            assert!(path.join("t/one.~1~").exists());
            let ran = cp(&format!("{way} -auvT s t"), path, &setting).expect_status(0);
            assert!(!ran.stdout_text().contains("t/large"), "{ran:?}");
            let ran = cp(&format!("{way} s/one s/sub/h"), path, &setting).expect_status(1);
            let message = "cp: 's/one' and 's/sub/h' are the same file\n";
            assert_eq!(ran.stderr, message);
            cp(&format!("{way} -r --parents s/sub t"), path, &setting).expect_success();
            let ran = cp(&format!("{way} -r s s/sub"), path, &setting).expect_status(1);
            let message = "cp: cannot copy a directory, 's', into itself, 's/sub/s'\n";
            assert_eq!(ran.stderr, message);
            let ran = cp(&format!("{way} no t"), path, &setting).expect_status(1);
            let message = "cp: cannot stat 'no': No such file or directory\n";
            assert_eq!(ran.stderr, message);
        }
    }
}

/// What was made for nothing and cannot be removed is told of as well.
#[test]
fn what_was_made_for_nothing_stays() {
    let dir = place();
    let setting = with(|s| {
        s.refused = vec![
            refuse_clone(libc::EOPNOTSUPP),
            refuse(libc::SYS_unlinkat, libc::EROFS),
        ];
    });
    let ran = cp("--reflink=always s/x new", dir.path(), &setting).expect_status(1);
    assert_eq!(
        ran.stderr,
        "cp: failed to clone 'new' from 's/x': Operation not supported\n\
         cp: cannot remove 'new': Read-only file system\n"
    );
}

/// Checks what a copy of `large` to a place that is too small left at `to`, where cutting it was
/// refused with `text`: a prefix, or nothing, or it is said that it may not be one.
fn check_uncut(ran: &Ran, whole: &[u8], to: &Path, existed: bool, what: &str) {
    assert_eq!(ran.status, 1, "{what}: {ran:?}");
    let name = to.display();
    let full = "No space left on device";
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(
        lines[0],
        format!("cp: error writing '{name}': {full}"),
        "{what}"
    );
    assert_eq!(lines.len(), 2, "{what}: {ran:?}");
    let uncut = format!("cp: cannot truncate '{name}'");
    if lines[1] == format!("{uncut}, removed as it may have gaps: {full}") {
        assert!(!existed && !to.exists(), "{what}: {ran:?}");
        return;
    }
    let left = fs::read(to).expect("what was left");
    if lines[1] == format!("{uncut}, which may have gaps: {full}") {
        assert!(existed, "{what}: {ran:?}");
    } else {
        assert_eq!(lines[1], format!("{uncut}: {full}"), "{what}");
        assert!(whole.starts_with(&left), "{what}: {} bytes", left.len());
    }
}

#[test]
fn what_is_not_whole_cannot_be_cut() {
    if !is_root() {
        return skip(
            "what_is_not_whole_cannot_be_cut",
            "mounts, which takes root",
        );
    }
    let dir = temp_dir();
    let whole = noise(40 << 20, 1);
    fs::write(dir.path().join("large"), &whole).expect("a file");
    let cut = refuse(libc::SYS_ftruncate, libc::ENOSPC);
    for way in WAYS {
        for jobs in ["-j1", "-j4"] {
            child::on_tmpfs(c"size=24m,mode=755", |full| {
                let to = full.join("large");
                let line = format!("{way} {jobs} large {}", full.display());
                let what = format!("{way} {jobs}");
                let setting = with(|s| s.refused = vec![cut]);
                check_uncut(&cp(&line, dir.path(), &setting), &whole, &to, false, &what);
                // A file that was there keeps its name.
                fs::write(&to, "old").expect("a file");
                check_uncut(&cp(&line, dir.path(), &setting), &whole, &to, true, &what);
                // One that was kept gets its name back.
                fs::write(&to, "old").expect("a file");
                let ran = cp(&format!("-b {line}"), dir.path(), &setting).expect_status(1);
                assert_eq!(
                    fs::read(&to).expect("the old file"),
                    b"old",
                    "{what}: {ran:?}"
                );
                make_room(full, &["large"]);
                // Nor can it be removed.
                let kept = with(|s| s.refused = vec![cut, refuse(libc::SYS_unlinkat, libc::EIO)]);
                let ran = cp(&line, dir.path(), &kept).expect_status(1);
                let removing =
                    format!("cp: cannot remove '{}': Input/output error\n", to.display());
                let has = |text: &str| ran.stderr.contains(text);
                let is_told = has(&removing) && has("which may have gaps");
                assert!(is_told || !has("gaps"), "{what}: {ran:?}");
                assert!(to.exists(), "{what}: {ran:?}");
            })
            .expect("a tmpfs");
        }
    }
}

/// A btrfs that is full refuses to cut a file.
#[test]
fn a_btrfs_that_is_full() {
    const TEST: &str = "a_btrfs_that_is_full";
    if !is_root() {
        return skip(TEST, "mounts, which takes root");
    }
    let Some(mkfs) = support::find_program("mkfs.btrfs") else {
        return skip(TEST, "mkfs.btrfs is not installed");
    };
    let dir = temp_dir();
    let path = dir.path();
    let whole = noise(150 << 20, 1);
    fs::write(path.join("large"), &whole).expect("a file");
    let image = File::create(path.join("image")).expect("a file");
    image.set_len(128 << 20).expect("a length");
    // Data and metadata in one pool: when that is full, nothing can be changed.
    let made = support::run(Command::new(mkfs).arg("-qM").arg(path.join("image")));
    assert_eq!(made.status, 0, "{made:?}");
    fs::create_dir(path.join("full")).expect("a folder");
    let mounted = child::with_own_mounts(|| {
        let mount = support::run(
            support::command("mount")
                .args(["-o", "loop"])
                .args([path.join("image"), path.join("full")]),
        );
        if mount.status != 0 {
            return Ok(false);
        }
        let mut refused = 0;
        for jobs in ["-j1", "-j4", "-j4", "-j4"] {
            let to = path.join("full/large");
            let line = format!("{jobs} large full");
            let ran = cp(&line, path, &with(|s| s.limit = Duration::from_secs(60)));
            assert_eq!(ran.status, 1, "{ran:?}");
            if ran.stderr.contains("cannot truncate") {
                refused += 1;
            }
            if let Ok(left) = fs::read(&to) {
                assert!(whole.starts_with(&left), "{jobs}: {} {ran:?}", left.len());
                fs::remove_file(&to).expect("removal");
            } else {
                // Or it could not even be made: what was removed before is not free at once.
                let said = ["removed", "cannot create"].map(|word| ran.stderr.contains(word));
                assert!(said.contains(&true), "{ran:?}");
            }
        }
        println!("cutting was refused {refused} times");
        // Lazily: what other tests start may hold it for a moment, between fork and exec.
        let mut umount = Command::new("umount");
        support::run(umount.arg("--lazy").arg(path.join("full"))).expect_status(0);
        Ok(true)
    });
    if !mounted.expect("mounts of its own") {
        skip(TEST, "no loop device, or the kernel has no btrfs");
    }
}

/// What a copy can do without, it does without.
#[test]
fn other_calls_refused() {
    let clone = refuse_clone;
    let no_ring = refuse(libc::SYS_io_uring_setup, libc::EPERM);
    let copy = libc::SYS_copy_file_range;
    let settings: Vec<Vec<Refused>> = [
        libc::EPERM,
        libc::ENOSYS,
        libc::EOPNOTSUPP,
        libc::EINVAL,
        libc::EXDEV,
        libc::EBADF,
        libc::ETXTBSY,
        libc::EACCES,
        libc::EFBIG,
        libc::ENOENT,
    ]
    .iter()
    .map(|&errno| vec![no_ring, refuse(copy, errno), clone(errno)])
    .chain([
        vec![no_ring, refuse(copy, libc::EIO)],
        vec![clone(libc::EPERM)],
        vec![no_ring, refuse(libc::SYS_fadvise64, libc::ENOSYS)],
        vec![refuse(SYS_FCHMODAT2, libc::ENOSYS)],
        vec![refuse(libc::SYS_prlimit64, libc::EPERM)],
        vec![refuse(libc::SYS_uname, libc::EPERM), no_ring],
        vec![refuse(libc::SYS_mremap, libc::ENOSYS)],
        vec![refuse(libc::SYS_geteuid, libc::EPERM)],
        vec![refuse(libc::SYS_munmap, libc::EPERM)],
        vec![refuse(libc::SYS_madvise, libc::EPERM)],
    ])
    .collect();
    for refused in settings {
        let dir = place();
        let setting = with(|s| s.refused.clone_from(&refused));
        let ran = cp("-a s t", dir.path(), &setting);
        assert!(
            ran.status == 0 && ran.stderr.is_empty(),
            "{refused:?} {ran:?}"
        );
        assert_copied(dir.path(), "t");
    }
}

/// The mode of what cannot be opened, where the call for it is missing or refused with whatever a
/// sandbox says, and where `/proc` is missing too; whatever the umask, and a folder's default
/// access list, have made of it before.
#[test]
fn modes_of_nodes_without_fchmodat2() {
    const TEST: &str = "modes_of_nodes_without_fchmodat2";
    /// Everything for the owner and user 1234, nothing for others.
    const DEFAULT_LIST: [u8; 44] = [
        2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 7, 0, 210, 4, 0, 0, 4, 0, 0, 0, 255, 255,
        255, 255, 16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
    ];
    let users = if is_root() {
        vec![None, Some(NOBODY)]
    } else {
        skip(TEST, "without /proc, and as another user, it takes root");
        vec![None]
    };
    let mut errnos = vec![None];
    for errno in [
        libc::ENOSYS,
        libc::EPERM,
        libc::EACCES,
        libc::EINVAL,
        libc::EOPNOTSUPP,
    ] {
        errnos.push(Some(errno));
    }
    for user in users {
        let devices = if is_root() && user.is_none() {
            "null s/n 606; blk s/b 660"
        } else {
            ""
        };
        let mut scene = Scene::parse(&format!(
            "dir s; fifo s/p 666; fifo s/q 7171; sock s/s 640; link s/l nowhere; {devices}"
        ));
        if let Some(user) = user {
            scene.own(user);
        } else if is_root() {
            for item in &mut scene.items {
                item.owner = Some((1234, 4321));
            }
        }
        for proc in [Proc::Kept, Proc::Gone, Proc::Hidden] {
            if proc != Proc::Kept && !is_root() {
                continue;
            }
            for (number, &errno) in errnos.iter().enumerate() {
                let dir = temp_dir();
                let path = dir.path();
                fs::set_permissions(path, Permissions::from_mode(0o777)).expect("chmod");
                scene.build(path);
                fs::create_dir(path.join("t")).expect("a folder");
                fs::set_permissions(path.join("t"), Permissions::from_mode(0o777)).expect("chmod");
                // Not on every file system.
                let list = (number % 2 == 1).then_some("system.posix_acl_default");
                let _ = list.map(|list| child::set_xattr(&path.join("t"), list, &DEFAULT_LIST));
                let refused = errno.map(|errno| refuse(SYS_FCHMODAT2, errno));
                let setting = Setting {
                    user,
                    proc,
                    umask: [0o022, 0o777, 0][number % 3],
                    refused: refused.into_iter().collect(),
                    ..with(|_| ())
                };
                let names = ["p", "q", "s", "l", "n", "b"].map(|name| format!("s/{name}"));
                let there = names
                    .iter()
                    .filter(|name| path.join(name).symlink_metadata().is_ok());
                let there: Vec<_> = there.map(String::as_str).collect();
                let line = format!("-a {} t", there.join(" "));
                let what = format!("{user:?} {proc:?} {errno:?}");
                let ran = cp(&line, path, &setting);
                assert!(ran.status == 0 && ran.stderr.is_empty(), "{what}: {ran:?}");
                let (mut from, mut to) = (tree(&path.join("s")), tree(&path.join("t")));
                // The folders themselves apart.
                from.remove(Path::new(""));
                to.remove(Path::new(""));
                assert_eq!(to.len(), there.len(), "{what}");
                assert_same_tree(&from, &to, Agree::ALL);
            }
        }
    }
}

/// Folders that may not be read, or that a umask shuts at once, have their modes set by whatever
/// way there is.
#[test]
fn modes_of_folders_without_fchmodat2() {
    const TEST: &str = "modes_of_folders_without_fchmodat2";
    if !is_root() {
        return skip(TEST, "without /proc, and as another user, it takes root");
    }
    for (refused, proc) in [
        (None, Proc::Kept),
        (Some(libc::ENOSYS), Proc::Kept),
        (Some(libc::EPERM), Proc::Kept),
        (Some(libc::ENOSYS), Proc::Gone),
        (Some(libc::EPERM), Proc::Gone),
    ] {
        let what = format!("{refused:?} {proc:?}");
        let dir = temp_dir();
        let path = dir.path();
        fs::set_permissions(path, Permissions::from_mode(0o777)).expect("chmod");
        let mut scene = Scene::parse(
            "dir s; dir s/d 751; file s/d/f; dir s/e 705; dir t; dir t/d 300; dir t/e 300",
        );
        scene.own(NOBODY);
        scene.build(path);
        let mut setting = with(|s| {
            s.user = Some(NOBODY);
            s.proc = proc;
            if let Some(errno) = refused {
                s.refused = vec![refuse(SYS_FCHMODAT2, errno)];
            }
        });
        let ran = cp("-a s/. t", path, &setting);
        assert!(ran.status == 0 && ran.stderr.is_empty(), "{what}: {ran:?}");
        assert_copied(path, "t");
        if proc == Proc::Kept {
            setting.umask = 0o777;
            let ran = cp("-r s u", path, &setting);
            assert!(ran.status == 0 && ran.stderr.is_empty(), "{what}: {ran:?}");
            let made = tree(&path.join("u"));
            assert_eq!(made.len(), tree(&path.join("s")).len(), "{what}");
            assert!(
                made.values().all(|entry| entry.mode == 0),
                "{what}: {made:?}"
            );
        }
    }
}

/// Where every change of owner is refused, whoever the owner is, it is none that the owner which
/// is right already cannot be set; GNU cp looks first as well, if only for files.
#[test]
fn owners_that_are_right_and_cannot_be_set() {
    let calls = [libc::SYS_fchown, libc::SYS_fchownat];
    for errno in [libc::EPERM, libc::EINVAL, libc::ENOSYS, libc::EOPNOTSUPP] {
        let dir = place();
        let path = dir.path();
        mknod(&path.join("s/p"), libc::S_IFIFO | 0o600, 0).expect("a FIFO");
        fs::set_permissions(path.join("s/x"), Permissions::from_mode(0o4755)).expect("chmod");
        let setting = with(|s| s.refused = calls.map(|call| refuse(call, errno)).to_vec());
        for line in ["-a s t", "-a s/. t"] {
            cp(line, path, &setting).expect_success();
            assert_copied(path, "t");
        }
        if is_root() {
            // One that is not right is missed, and its privileges are not somebody else's.
            std::os::unix::fs::chown(path.join("s/x"), Some(1234), None).expect("chown");
            fs::set_permissions(path.join("s/x"), Permissions::from_mode(0o4755)).expect("chmod");
            let ran = cp("-p s/x u", path, &setting).expect_status(1);
            let text = std::io::Error::from_raw_os_error(errno).to_string();
            let text = text.split(" (os").next().unwrap();
            assert_eq!(
                ran.stderr,
                format!("cp: failed to preserve ownership for 'u': {text}\n")
            );
            let mode = fs::metadata(path.join("u")).expect("a copy").mode();
            assert_eq!(mode & 0o7000, 0);
        }
    }
}

/// An attribute that is there already, as from the folder around it, need not be set.
#[test]
fn attributes_that_are_right_and_cannot_be_set() {
    let dir = temp_dir();
    let path = dir.path();
    for name in ["a", "b"] {
        fs::write(path.join(name), name).expect("a file");
        if child::set_xattr(&path.join(name), "user.x", b"1").is_err() {
            return println!("no attributes for users here");
        }
    }
    let setting = with(|s| s.refused = vec![refuse(libc::SYS_fsetxattr, libc::EPERM)]);
    cp("--preserve=xattr a b", path, &setting).expect_success();
    child::set_xattr(&path.join("b"), "user.x", b"2").expect("an attribute");
    let ran = cp("--preserve=xattr a b", path, &setting).expect_status(1);
    let told = "cp: setting attribute 'user.x' for 'b': Operation not permitted\n";
    assert_eq!(ran.stderr, told);
}

/// Modes that cannot be set, in GNU cp's words: one for a mode that is kept, one for the usual
/// one, and one for bits that were withheld.
#[test]
fn modes_that_cannot_be_set() {
    let calls = [
        libc::SYS_fchmod,
        // Newer architectures have `fchmodat` only.
        #[cfg(target_arch = "x86_64")]
        libc::SYS_chmod,
        libc::SYS_fchmodat,
        SYS_FCHMODAT2,
        // GNU cp sets modes as access lists where it can.
        libc::SYS_fsetxattr,
        libc::SYS_setxattr,
        libc::SYS_lsetxattr,
    ];
    let setting = with(|s| s.refused = calls.map(|call| refuse(call, libc::EPERM)).to_vec());
    let lines = [
        "-p f t'x",
        "-a d t'x",
        "-a p t'x",
        "--no-preserve=mode f t'x",
        "-r --no-preserve=mode d t'x",
        "-r --no-preserve=mode p t'x",
        "--preserve=ownership f t'x",
        "-r --preserve=ownership d t'x",
        "-r --preserve=ownership p t'x",
    ];
    let Some(gnu) = gnu_cp("modes_that_cannot_be_set") else {
        return;
    };
    for line in lines {
        let said = [&gnu, &annulet()].map(|program| {
            let dir = temp_dir();
            Scene::parse("file f 9 640; dir d 751; file d/in 4 604; fifo p 640").build(dir.path());
            let ran = run_cp(program, &child::words(line), dir.path(), &setting);
            let ran = ran.expect_status(1);
            assert!(ran.stderr.contains("permissions for "), "{line}: {ran:?}");
            ran.stderr
        });
        assert_eq!(said[0], said[1], "{line}");
    }
}

/// An errno from a call that cannot be done without is a message.
#[test]
fn errors_are_reported() {
    let cases: &[(libc::c_long, i32, &str, &str)] = &[
        (
            libc::SYS_fchmod,
            libc::EIO,
            "-p s/one t",
            "preserving permissions for 't': Input/output error",
        ),
        (
            libc::SYS_utimensat,
            libc::EIO,
            "-p s/one t",
            "preserving times for 't': Input/output error",
        ),
        (
            libc::SYS_fchown,
            libc::EIO,
            "-p s/one t",
            "failed to preserve ownership for 't': Input/output error",
        ),
        (
            libc::SYS_mkdirat,
            libc::EDQUOT,
            "-r s/sub t",
            "cannot create directory 't': Disk quota exceeded",
        ),
        (
            libc::SYS_symlinkat,
            libc::EROFS,
            "-P s/sub/l t",
            "cannot create symbolic link 't': Read-only file system",
        ),
        (
            libc::SYS_readlinkat,
            libc::EIO,
            "-P s/sub/l t",
            "cannot read symbolic link 's/sub/l': Input/output error",
        ),
        (
            libc::SYS_linkat,
            libc::EMLINK,
            "-a s t",
            "cannot create hard link",
        ),
        (
            libc::SYS_getdents64,
            libc::EIO,
            "-r s/sub t",
            "s/sub': Input/output error",
        ),
        (
            libc::SYS_mknodat,
            libc::EPERM,
            "-r f t",
            "cannot create fifo 't': Operation not permitted",
        ),
        (
            libc::SYS_unlinkat,
            libc::EPERM,
            "-a f old",
            "cannot remove 'old': Operation not permitted",
        ),
    ];
    for &(call, errno, line, message) in cases {
        let dir = place();
        let path = dir.path();
        mknod(&path.join("f"), libc::S_IFIFO | 0o600, 0).expect("a FIFO");
        fs::write(path.join("old"), "old").expect("a file");
        let setting = with(|s| s.refused = vec![refuse(call, errno)]);
        let ran = cp(line, path, &setting);
        if call == libc::SYS_fchown && ran.status == 0 {
            // The owner was right already.
            continue;
        }
        assert_eq!(ran.status, 1, "{ran:?}");
        assert!(
            ran.stderr.contains(message),
            "should say {message}: {ran:?}"
        );
    }
}

// Mounts.

#[test]
fn no_proc() {
    if !is_root() {
        return skip("no_proc", "unmounts /proc, which takes root");
    }
    for proc in [Proc::Gone, Proc::Hidden] {
        for way in WAYS {
            let dir = place();
            let setting = with(|s| s.proc = proc);
            cp(&format!("{way} -a s t"), dir.path(), &setting).expect_success();
            assert_copied(dir.path(), "t");
            cp(&format!("{way} -r s u"), dir.path(), &setting).expect_success();
        }
    }
}

#[test]
fn alone_in_a_root_of_its_own() {
    if !is_root() {
        return skip(
            "alone_in_a_root_of_its_own",
            "changes root, which takes root",
        );
    }
    for way in WAYS {
        let dir = place();
        fs::copy(annulet(), dir.path().join("cp")).expect("the program");
        let setting = with(|s| s.chroot = Some(dir.path().to_owned()));
        let args = child::words(&format!("{way} -a /s /t"));
        run_cp(Path::new("/cp"), &args, dir.path(), &setting).expect_success();
        assert_copied(dir.path(), "t");
        // The system's root is where `..` ends.
        let args = child::words(&format!("{way} -a s/../../../s /u"));
        run_cp(Path::new("/cp"), &args, dir.path(), &setting).expect_success();
        assert_copied(dir.path(), "u");
    }
}

/// Removes files and waits until their room is free: the kernel's workers of a ring that has
/// ended may hold a file a moment longer.
fn make_room(small: &Path, names: &[&str]) {
    for name in names {
        fs::remove_file(small.join(name)).expect("removal");
    }
    for _ in 0..400 {
        let found = child::statfs(small);
        if found.f_bfree * 10 > found.f_blocks * 8 {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("no room again after two seconds");
}

/// How many small files did not fit, each of which must be told of; the others must be whole.
fn count_told(from: &Path, small: &Path, size: usize, ran: &Ran) -> usize {
    let mut told = 0;
    for entry in fs::read_dir(from).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        let name = format!("{size}/{}", name.display());
        let copy = fs::read(small.join(&name));
        let is_whole = copy.is_ok_and(|copy| copy == noise(size, 5));
        let expected = format!("'{}/{name}': No space left on device\n", small.display());
        let is_told = ran.stderr.contains(&expected);
        assert!(is_whole || is_told, "{name} not in {ran:?}");
        told += usize::from(!is_whole);
    }
    told
}

#[test]
fn full_disk() {
    if !is_root() {
        return skip("full_disk", "mounts a small file system, which takes root");
    }
    for way in WAYS {
        let dir = place();
        let path = dir.path();
        for size in [5, 200_000] {
            // Many of the same size, so that it is one of these that finds the disk full.
            let folder = path.join(size.to_string());
            fs::create_dir(&folder).expect("a folder");
            for number in 0..(2 << 20) / size.max(4096) {
                fs::write(folder.join(number.to_string()), noise(size, 5)).expect("a file");
            }
        }
        child::on_tmpfs(c"size=1m", |small| {
            let to = small.display();
            let message = |name: &str, ran: &Ran| {
                let expected =
                    format!("cp: error writing '{to}/{name}': No space left on device\n");
                assert_eq!(ran.stderr, expected, "{way}");
                assert_eq!(ran.status, 1, "{ran:?}");
            };
            // A large one; what comes after still has room once that is gone.
            let ran = cp(&format!("{way} s/large {to}"), path, &Setting::default());
            message("large", &ran);
            make_room(small, &["large"]);
            let ran = cp(
                &format!("{way} s/x s/large s/none {to}"),
                path,
                &Setting::default(),
            );
            message("large", &ran);
            assert_eq!(
                fs::read(small.join("x")).unwrap(),
                fs::read(path.join("s/x")).unwrap()
            );
            assert_eq!(fs::read(small.join("none")).unwrap(), b"");
            // Sparse.
            make_room(small, &["large"]);
            fs::write(small.join("ballast"), noise(700_000, 1)).expect("a file");
            let ran = cp(&format!("{way} -a s/hole {to}"), path, &Setting::default());
            message("hole", &ran);
            make_room(small, &["hole", "ballast", "x", "none"]);
            // Small ones: each that did not fit is told of, each that did is whole.
            for size in [5_usize, 200_000] {
                let ran = cp(&format!("{way} -r {size} {to}"), path, &Setting::default());
                assert_eq!(ran.status, 1, "{ran:?}");
                let told = count_told(&path.join(size.to_string()), small, size, &ran);
                assert_eq!(ran.stderr.lines().count(), told, "{ran:?}");
                assert!(told > 0, "there was room for all");
                fs::remove_dir_all(small.join(size.to_string())).expect("removal");
            }
        })
        .expect("a tmpfs");
    }
}

#[test]
fn read_only_file_system() {
    if !is_root() {
        return skip("read_only_file_system", "mounts, which takes root");
    }
    let dir = place();
    child::on_tmpfs(c"size=1m,ro", |small| {
        let to = small.display();
        let ran = cp(&format!("-a s {to}/t"), dir.path(), &Setting::default());
        let text = format!("cp: cannot create directory '{to}/t': Read-only file system\n");
        assert_eq!((ran.status, ran.stderr), (1, text));
        let ran = cp(
            &format!("s/one s/large {to}"),
            dir.path(),
            &Setting::default(),
        );
        assert_eq!(ran.stderr.lines().count(), 2, "{ran:?}");
    })
    .expect("a tmpfs");
}

/// Between file systems: what the kernel can share within one it cannot between two.
#[test]
fn from_one_file_system_to_another() {
    if !is_root() {
        return skip(
            "from_one_file_system_to_another",
            "mounts, which takes root",
        );
    }
    for way in WAYS {
        for refused in [vec![], vec![refuse(libc::SYS_io_uring_setup, libc::EPERM)]] {
            if *way == "--io=ring" && !refused.is_empty() {
                continue;
            }
            let dir = place();
            let setting = with(|s| s.refused = refused);
            child::on_tmpfs(c"mode=755", |other| {
                let to = other.join("t");
                let line = format!("{way} -a s {}", to.display());
                cp(&line, dir.path(), &setting).expect_success();
                assert_same_tree(&tree(&dir.path().join("s")), &tree(&to), Agree::ALL);
                let line = format!("{way} -a {} back", to.display());
                cp(&line, dir.path(), &setting).expect_success();
                assert_copied(dir.path(), "back");
            })
            .expect("a tmpfs");
        }
    }
}

// Others at the same time.

/// Several copies at once into one place: each that comes first makes way, and none fails.
/// GNU cp's do, a tenth of the time ("File exists").
#[test]
fn several_copies_at_once_into_one_place() {
    const ROUNDS: usize = 200;
    let user = is_root().then_some(NOBODY);
    child::in_memory(|dir| {
        // Read-only, so that `-f` has to remove each.
        let mut scene = Scene::parse("dir s; dir s/sub; file s/sub/f 9; link s/l 1; fifo s/p");
        for number in 0..8_u64 {
            let path = format!("s/{number}");
            let size = usize::try_from(number * 100).expect("a size");
            scene
                .add(path, Node::File(number * 100, vec![(0, size)]))
                .mode = 0o444;
        }
        if is_root() {
            scene.own(NOBODY);
        }
        scene.build(dir);
        fs::set_permissions(dir, Permissions::from_mode(0o777)).expect("chmod");
        let expected = tree(&dir.join("s"));
        let whole = dir.join("s/1");
        let whole = whole.display();
        for line in [
            "-f s/0 s/1 s/2 s/3 s/4 s/5 s/6 s/7 d",
            "--remove-destination s/0 s/1 s/2 s/3 s/4 s/5 s/6 s/7 d",
            "-rfT s d",
            "-aT --remove-destination s d",
            "-j8 -afT s d",
            // A new place each time, so that folders are made at the same time.
            "-rfT s d/$i",
            "-aT --remove-destination s d/$i",
            "-lf s/0 s/1 s/2 d",
            &format!("-sf {whole} d"),
            &format!("-s --remove-destination {whole} d"),
        ] {
            let to = dir.join("d");
            fs::create_dir(&to).expect("a folder");
            if is_root() {
                give(&to, NOBODY);
            }
            let loop_ =
                format!("i=0; while [ $i -lt {ROUNDS} ]; do \"$0\" cp {line}; i=$((i+1)); done");
            let mut setting = with(|s| s.user = user);
            setting.limit = Duration::from_secs(60);
            let run = || {
                let mut shell = support::command("sh");
                shell.args(["-c", &loop_]).arg(annulet()).current_dir(dir);
                child::run(&mut shell, &setting)
            };
            let said = std::thread::scope(|scope| {
                let running: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
                let ended = running.into_iter().map(|one| one.join().expect("an end"));
                ended.map(|ran| ran.stderr).collect::<String>()
            });
            assert_eq!(said, "", "{line}");
            let found = tree(&to);
            for (path, entry) in &found {
                let name = path.to_string_lossy();
                assert!(!name.contains("annulet"), "{line}: left behind: {name}");
                // As it is in the source, wherever it was copied to.
                let deeper = usize::from(line.contains("$i"));
                let below: PathBuf = path.iter().skip(deeper).collect();
                let source = expected
                    .get(&below)
                    .filter(|source| source.kind == entry.kind);
                match source {
                    Some(source) => assert_eq!(entry.content, source.content, "{line}: {name}"),
                    None => assert_eq!(entry.kind, support::Kind::Link, "{line}: {name}"),
                }
            }
            assert!(found.len() > 1, "{line}");
            cp::trees::remove(&to);
        }
    });
}

// Depth.

/// Opens what lies `path` below `dir`, a step at a time.
fn open_at(dir: &OwnedFd, name: &OsStr) -> std::io::Result<OwnedFd> {
    use std::os::unix::ffi::OsStrExt;
    let name = CString::new(name.as_bytes()).expect("a name");
    // SAFETY: a name that ends in NUL.
    let fd = unsafe {
        libc::openat(
            dir.as_raw_fd(),
            name.as_ptr(),
            libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_CLOEXEC,
        )
    };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: a descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn open_dir(path: &Path) -> OwnedFd {
    File::open(path).expect("a folder").into()
}

/// Goes down the single chain of folders named `name`, and calls `at` with each; returns how
/// many there are.
fn descend(top: &Path, name: &str, mut at: impl FnMut(usize, &OwnedFd)) -> usize {
    let mut dir = open_dir(top);
    let mut depth = 0;
    loop {
        at(depth, &dir);
        match open_at(&dir, OsStr::new(name)) {
            Ok(next) => dir = next,
            Err(_) => return depth,
        }
        depth += 1;
    }
}

fn read_at(dir: &OwnedFd, name: &str) -> Vec<u8> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let file = open_at(dir, OsStr::new(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    File::from(file).read_to_end(&mut bytes).expect("content");
    bytes
}

fn inode_of(dir: &OwnedFd, name: &str) -> u64 {
    let file = open_at(dir, OsStr::new(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    File::from(file).metadata().expect("metadata").ino()
}

#[test]
fn deeper_than_any_path() {
    const DEPTH: usize = 3000;
    const NAME: &str = "a-name-of-some-length";
    let deep = |dir: &Path| {
        let top = dir.join("s");
        fs::create_dir(&top).expect("a folder");
        let mut at = open_dir(&top);
        let name = CString::new(NAME).expect("a name");
        for level in 0..DEPTH {
            // SAFETY: a name that ends in NUL.
            let made = unsafe { libc::mkdirat(at.as_raw_fd(), name.as_ptr(), 0o755) };
            assert_eq!(made, 0, "level {level}");
            at = open_at(&at, OsStr::new(NAME)).expect("a folder");
        }
        // A file with three names: at the top, in the middle, at the bottom.
        fs::write(top.join("top"), noise(LARGE, 9)).expect("a file");
        let first = open_dir(&top);
        descend(&top, NAME, |level, dir| {
            if level == DEPTH / 2 || level == DEPTH {
                // SAFETY: names that end in NUL.
                let linked = unsafe {
                    libc::linkat(
                        first.as_raw_fd(),
                        c"top".as_ptr(),
                        dir.as_raw_fd(),
                        c"linked".as_ptr(),
                        0,
                    )
                };
                assert_eq!(linked, 0, "level {level}");
            }
        });
        let lines = [
            ("-a s t", true),
            ("-r s u", false),
            ("--io=sync -a s v", true),
        ];
        let limits = [vec![], vec![(libc::RLIMIT_NOFILE, 16)]];
        for ((line, links), limits) in pairs(lines, limits) {
            let setting = with(|s| s.limits = limits);
            cp(line, dir, &setting).expect_success();
            let to = dir.join(line.rsplit(' ').next().expect("a word"));
            let inode = fs::metadata(to.join("top")).expect("metadata").ino();
            let content = noise(LARGE, 9);
            let depth = descend(&to, NAME, |level, dir| {
                let is_linked = level == DEPTH / 2 || level == DEPTH;
                let is_same = || read_at(dir, "linked") == content;
                assert!(!is_linked || is_same(), "{line}: content at {level}");
                let is_link = || inode_of(dir, "linked") == inode;
                assert!(!is_linked || is_link() == links, "{line} at {level}");
            });
            assert_eq!(depth, DEPTH, "{line}");
            cp::trees::remove(&to);
        }
        cp::trees::remove(&top);
    };
    child::in_memory(deep);
}

// Files that are not what they seem.

/// Changes the sizes of files until it is told that all is done.
fn change_sizes(path: &Path, done: &AtomicBool) {
    let open = |name: &str| OpenOptions::new().write(true).open(path.join(name));
    let files = ["shrinking", "growing", "both"].map(|name| open(name).unwrap());
    let mut round = 0_u64;
    while !done.load(Ordering::Relaxed) {
        round += 1;
        files[0]
            .set_len((8 << 20) - (round % 64) * 100_003)
            .unwrap();
        // Up to 24 MiB, then small again: a copy that never ends would show.
        let end = (8 << 20) + (round % 512) * 32_768;
        files[1].write_all_at(&[7; 4096], end).unwrap();
        files[2].set_len((round % 7) * 3_000_000).unwrap();
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// What was there at the start of a file that grows does not change.
fn has_same_start(path: &Path) -> bool {
    let (mut a, mut b) = (vec![0; 8 << 20], vec![0; 8 << 20]);
    let open = |name| File::open(path.join(name)).unwrap();
    open("growing").read_exact_at(&mut a, 0).unwrap();
    open("to").read_exact_at(&mut b, 0).unwrap();
    a == b
}

#[test]
fn a_file_that_changes_its_size() {
    for way in WAYS {
        let dir = temp_dir();
        let path = dir.path();
        for name in ["shrinking", "growing", "both", "punched"] {
            fs::write(path.join(name), noise(8 << 20, 1)).expect("a file");
        }
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| change_sizes(path, &done));
            let setting = with(|s| s.limit = Duration::from_secs(20));
            for (_, name) in pairs(0..12, ["shrinking", "growing", "both"]) {
                let ran = cp(&format!("{way} -p {name} to"), path, &setting);
                assert!((0..=1).contains(&ran.status), "{way} {name}: {ran:?}");
                assert_eq!(
                    ran.status == 0,
                    ran.stderr.is_empty(),
                    "{way} {name}: {ran:?}"
                );
                let copied = fs::metadata(path.join("to")).expect("a copy").len();
                assert!(copied <= 40 << 20, "{way} {name}: {copied} bytes");
                let is_same = name != "growing" || has_same_start(path);
                assert!(is_same, "{way}: what did not change is not the same");
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn files_whose_size_is_a_lie() {
    for way in WAYS {
        let dir = temp_dir();
        for file in [
            "/proc/cpuinfo",
            "/proc/version",
            "/proc/cmdline",
            "/sys/kernel/mm/transparent_hugepage/enabled",
            "/proc/self/limits",
        ] {
            let Ok(expected) = fs::read(file) else {
                continue;
            };
            cp(&format!("{way} {file} to"), dir.path(), &Setting::default()).expect_success();
            let copied = fs::read(dir.path().join("to")).expect("a copy");
            // Read-only, as the source is.
            fs::remove_file(dir.path().join("to")).expect("removal");
            if file.contains("cpuinfo") {
                // Its clock rates change from one look to the next.
                assert_eq!(
                    copied.split(|&b| b == b'\n').count(),
                    expected.split(|&b| b == b'\n').count()
                );
            } else if !file.contains("limits") {
                assert_eq!(copied, expected, "{way} {file}");
            }
            assert!(!copied.is_empty(), "{way} {file}");
        }
        let mut sizes = Vec::new();
        if Path::new("/proc/sys/kernel").is_dir() {
            cp(
                &format!("{way} -r /proc/sys/kernel/random tree"),
                dir.path(),
                &Setting::default(),
            );
            for entry in fs::read_dir(dir.path().join("tree")).expect("a copied folder") {
                sizes.push(entry.expect("an entry").metadata().expect("metadata").len());
            }
            // A folder that its owner may not write to, as the source is.
            cp::trees::remove(&dir.path().join("tree"));
        }
        assert!(sizes.iter().any(|&size| size > 0), "{way}: {sizes:?}");
    }
}

#[test]
fn a_fifo_as_operand_is_read() {
    for way in WAYS {
        let dir = temp_dir();
        let fifo = dir.path().join("fifo");
        mknod(&fifo, libc::S_IFIFO | 0o600, 0).expect("a FIFO");
        let content = noise(1 << 20, 4);
        std::thread::scope(|scope| {
            scope.spawn(|| fs::write(&fifo, &content).expect("a reader"));
            cp(&format!("{way} fifo to"), dir.path(), &Setting::default()).expect_success();
        });
        assert!(fs::read(dir.path().join("to")).unwrap() == content, "{way}");
        cp(
            &format!("{way} -r fifo fifo2"),
            dir.path(),
            &Setting::default(),
        )
        .expect_success();
        let made = fs::symlink_metadata(dir.path().join("fifo2")).unwrap();
        assert!(made.file_type().is_fifo());
        // And written to, where it is the destination.
        fs::remove_file(&fifo).unwrap();
        mknod(&fifo, libc::S_IFIFO | 0o600, 0).expect("a FIFO");
        let read = std::thread::scope(|scope| {
            let reader = scope.spawn(|| fs::read(&fifo).expect("a writer"));
            cp(&format!("{way} to fifo"), dir.path(), &Setting::default()).expect_success();
            reader.join().expect("what was read")
        });
        assert!(read == content, "{way}");
    }
}

#[test]
fn standard_input_as_a_file() {
    let dir = place();
    let setting = with(|s| s.stdin = Some(dir.path().join("s/large")));
    for way in WAYS {
        cp(&format!("{way} /dev/stdin to"), dir.path(), &setting).expect_success();
        let (a, b) = (
            fs::read(dir.path().join("s/large")),
            fs::read(dir.path().join("to")),
        );
        assert!(a.unwrap() == b.unwrap(), "{way}");
    }
}

/// Access times are kept as they were before the copy read the files.
#[test]
fn access_times() {
    let Some(gnu) = gnu_cp("access_times") else {
        return;
    };
    for (program, way) in [
        (gnu, ""),
        (annulet(), "--io=ring"),
        (annulet(), "--io=sync"),
    ] {
        let dir = place();
        let times = |name: &str| {
            let meta = fs::symlink_metadata(dir.path().join(name)).expect("metadata");
            (meta.atime(), meta.atime_nsec())
        };
        for name in ["s/large", "s/one", "s/sub/l", "s/sub"] {
            set_times(
                &dir.path().join(name),
                (1_500_000_000, 5),
                (1_400_000_000, 6),
            )
            .unwrap();
        }
        let args = child::words(&format!("{way} -a s t"));
        run_cp(&program, &args, dir.path(), &Setting::default()).expect_success();
        for name in ["t/large", "t/sub/l"] {
            assert_eq!(times(name), (1_500_000_000, 5), "{way} {name}");
        }
    }
}
