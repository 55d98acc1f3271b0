//! What servers and other programs do in the middle of a copy.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::copies::{Cp, complaints, ours, theirs, until_gone};
use crate::places::{Place, sh};
use crate::report::Report;
use crate::support::{Agree, Tree, assert_same_tree, noise, small_files, tree};

pub fn check(report: &mut Report, place: &Place) {
    let name = place.name;
    report.step(&format!("{name}: removed files in the source"), || {
        removed_in_the_source(place);
    });
    report.step(&format!("{name}: removed files in the destination"), || {
        removed_in_the_destination(place);
    });
    for (whose, cp) in [("ours", ours as Cp), ("GNU's", theirs)] {
        report.step(
            &format!("{name}: copies removed while they are made, {whose}"),
            || {
                removed_while_made(place, cp, whose);
            },
        );
    }
    report.step(&format!("{name}: replaced on the server"), || {
        mount_remembering();
        replaced_on_the_server(place);
    });
    report.step(&format!("{name}: removed while it is read"), || {
        removed_while_read(place);
    });
    for folder in [&place.near, &place.far] {
        small_files(&place.past_the_mount(folder).join("some"), 12, 6);
    }
    for (from, to) in [(&place.far, &place.near), (&place.near, &place.far)] {
        let direction = if to == &place.far { "to" } else { "from" };
        for way in [&[][..], &["--io=ring"]] {
            let name = format!(
                "{name}: {direction} a server that goes away {}",
                way.join(" ")
            );
            report.step(&name, || away(place, from, to, way));
        }
    }
}

/// The names in a folder, as it is on the server.
fn names(place: &Place, folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(place.past_the_mount(folder)).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What somebody still has open the client keeps under another name, which is a file like others.
fn removed_in_the_source(place: &Place) {
    let source = place.far.join("silly");
    small_files(&source, 1, 5);
    let path = source.join("folder0/file1");
    let held = File::open(&path).unwrap();
    fs::remove_file(path).unwrap();
    let names = names(place, &source.join("folder0"));
    let silly = names.iter().filter(|name| name.starts_with(".nfs")).count();
    assert_eq!((silly, names.len()), (1, 5), "{names:?}");
    let source = source.to_str().unwrap();
    for cp in [theirs as Cp, ours] {
        for options in ["-a", "-al"] {
            let to = if options == "-a" {
                &place.near
            } else {
                &place.far
            };
            cp(to, &[options, source, "silly-copy"]).expect_success();
            let copy = tree(&place.past_the_mount(&to.join("silly-copy")));
            assert_same_tree(
                &tree(&place.past_the_mount(Path::new(source))),
                &copy,
                Agree::ALL,
            );
            fs::remove_dir_all(to.join("silly-copy")).unwrap();
        }
    }
    drop(held);
    until_gone(&place.past_the_mount(Path::new(source)));
}

/// What a copy takes the place of is read by somebody, who goes on reading what it was.
fn removed_in_the_destination(place: &Place) {
    let source = place.near.join("new");
    small_files(&source, 1, 5);
    for (whose, cp) in [("theirs", theirs as Cp), ("ours", ours)] {
        let to = place.far.join(format!("held-{whose}"));
        small_files(&to, 1, 5);
        let folder = to.join("folder0");
        fs::write(folder.join("file1"), "as it was").unwrap();
        let mut held = File::open(folder.join("file1")).unwrap();
        let operand = source.join(".");
        let arguments = ["-a", "--remove-destination", operand.to_str().unwrap(), "."];
        cp(&to, &arguments).expect_success();
        let names = names(place, &folder);
        let silly = names.iter().filter(|name| name.starts_with(".nfs")).count();
        assert_eq!((silly, names.len()), (1, 6), "{whose}: {names:?}");
        let mut text = String::new();
        held.rewind().unwrap();
        held.read_to_string(&mut text).unwrap();
        assert_eq!(text, "as it was", "{whose}");
        drop(held);
        until_gone(&place.past_the_mount(&folder));
        // The folder has been written to once more by that.
        let agree = Agree {
            times: false,
            ..Agree::ALL
        };
        assert_same_tree(&tree(&source), &tree(&place.past_the_mount(&to)), agree);
    }
}

/// Removes the files that the client has not renamed already; says how many.
fn remove_all(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().flatten();
    entries
        .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b".nfs"))
        .filter(|entry| fs::remove_file(entry.path()).is_ok())
        .count()
}

/// Copies that somebody removes as soon as they are there.
fn removed_while_made(place: &Place, cp: Cp, whose: &str) {
    let source = place.near.join(format!("short-lived-{whose}"));
    small_files(&source, 1, 60);
    let to = place.far.join(format!("short-lived-{whose}"));
    fs::create_dir_all(to.join("folder0")).unwrap();
    let ended = AtomicBool::new(false);
    let (ran, removed) = thread::scope(|scope| {
        let remover = scope.spawn(|| {
            let mut removed = 0;
            // Relaxed: nothing else is handed on by it.
            while !ended.load(Ordering::Relaxed) {
                removed += remove_all(&to.join("folder0"));
            }
            removed
        });
        let operand = source.join(".");
        let ran = cp(&to, &["-a", operand.to_str().unwrap(), "."]);
        ended.store(true, Ordering::Relaxed);
        (ran, remover.join().unwrap())
    });
    println!(
        "# {} {whose}: {removed} of 60 copies removed: {:?}",
        place.name,
        complaints(&ran)
    );
    assert!(removed > 0);
    ran.expect_success();
}

/// The third version's client, which can be made to believe for a minute what it has seen; that of
/// the fourth is told by the server of what others do.
const REMEMBERING: &str = "/mnt/remembering";

fn mount_remembering() {
    let options = "vers=3,nolock,proto=tcp,port=2049,mountproto=tcp,mountport=20048";
    sh(&format!(
        "mkdir {REMEMBERING} && \
         mount -t nfs -o {options},nosharecache,nocto,actimeo=60 127.0.0.1:/srv/nfs {REMEMBERING}"
    ));
}

/// What others put in the place of files and folders that the client knows. Which of it is an error
/// hangs on what the client asks about anew, and that on how it is asked: GNU's cp goes by whole
/// paths, which the kernel follows once more where one is stale, and so says other things.
fn replaced_on_the_server(place: &Place) {
    let top = Path::new(REMEMBERING).join(place.far.file_name().unwrap());
    for (whose, cp) in [("theirs", theirs as Cp), ("ours", ours)] {
        let behind = place.past_the_mount(&place.far).join(whose);
        small_files(&behind.join("stale"), 4, 4);
        remember(&top.join(whose));
        let stale = behind.join("stale");
        let before = tree(&stale);
        fs::write(stale.join("other"), noise(9000, 7)).unwrap();
        fs::rename(stale.join("other"), stale.join("folder0/file1")).unwrap();
        fs::remove_file(stale.join("folder0/file2")).unwrap();
        fs::remove_dir_all(stale.join("folder1")).unwrap();
        fs::create_dir(stale.join("folder1")).unwrap();
        fs::write(stale.join("folder1/other"), noise(100, 8)).unwrap();
        fs::remove_dir_all(stale.join("folder2")).unwrap();
        let after = tree(&stale);
        let copy = place.near.join(format!("stale-{whose}"));
        let ran = cp(&top.join(whose), &["-a", "stale", copy.to_str().unwrap()]);
        println!("# stale, {whose}: {} {:?}", ran.status, complaints(&ran));
        assert_eq!(ran.status, 1, "nothing was remembered");
        for line in complaints(&ran) {
            let changed = ["folder0/file1", "folder0/file2", "folder1", "folder2"];
            let mut about = changed.iter().map(|name| format!("'stale/{name}"));
            assert!(about.any(|start| line.contains(&start)), "{line}");
            let reasons = [
                "Stale file handle",
                "No such file or directory",
                "as it was replaced while being copied",
            ];
            assert!(
                reasons.iter().any(|reason| line.ends_with(reason)),
                "{line}"
            );
        }
        judge_stale(&before, &after, &tree(&copy));
    }
}

/// A file is whole, as it was before or as it is now, or not there at all; and it is there if it
/// was left alone.
fn judge_stale(before: &Tree, after: &Tree, copy: &Tree) {
    let content = |tree: &Tree, path: &Path| tree.get(path).map(|it| (it.size, it.content));
    for path in copy.keys() {
        let found = content(copy, path);
        let is_whole = [before, after]
            .iter()
            .any(|tree| content(tree, path) == found);
        assert!(is_whole, "{}", path.display());
    }
    for path in before
        .keys()
        .filter(|path| content(before, path) == content(after, path))
    {
        assert!(copy.contains_key(path), "{} is missing", path.display());
    }
}

/// A file that is removed on the server while it is read: ESTALE.
fn removed_while_read(place: &Place) {
    const SIZE: usize = 48 << 20;
    let source = Path::new(REMEMBERING)
        .join(place.far.file_name().unwrap())
        .join("large");
    let fifo = place.near.join("pipe");
    sh(&format!("mkfifo '{}'", fifo.display()));
    let mut said = Vec::new();
    for cp in [theirs as Cp, ours] {
        let behind = place.past_the_mount(&place.far).join("large");
        fs::write(&behind, noise(SIZE, 3)).unwrap();
        let operands = [&source, &fifo].map(|path| path.to_str().unwrap());
        let ran = thread::scope(|scope| {
            let copying = scope.spawn(|| cp(Path::new("/"), &operands));
            let mut pipe = File::open(&fifo).unwrap();
            let mut start = [0; 4096];
            pipe.read_exact(&mut start).unwrap();
            fs::remove_file(&behind).unwrap();
            let rest = io::copy(&mut pipe, &mut io::sink()).unwrap();
            assert!(
                usize::try_from(rest).unwrap() < SIZE / 2,
                "{rest} bytes more"
            );
            copying.join().unwrap()
        });
        println!(
            "# removed while it is read: {} {}",
            ran.status,
            ran.stderr.trim_end()
        );
        said.push((ran.status, ran.stderr));
    }
    assert!(said[0].1.contains("Stale file handle"), "{said:?}");
    assert_eq!(said[1], said[0]);
}

/// Looks at everything but what is in the files.
fn remember(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            remember(&path);
        }
    }
}

/// The network as it is otherwise, again when this is dropped.
struct Network;

impl Network {
    fn change(to: &str) {
        sh(&format!("tc qdisc change dev lo root netem {to}"));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        Self::change("delay 1ms loss 0%");
    }
}

/// The server is not heard of for two seconds in the middle of a copy.
fn away(place: &Place, from: &Path, to: &Path, way: &[&str]) {
    const AWAY: Duration = Duration::from_secs(2);

    let source = from.join("some");
    let copy = to.join(format!("away{}", way.concat()));
    let copied = place.past_the_mount(&copy);
    fs::write("/proc/sys/vm/drop_caches", "3").unwrap();
    let start = Instant::now();
    let ran = thread::scope(|scope| {
        // Slow, so that it does not end before the network does.
        let network = Network;
        Network::change("delay 50ms");
        let copying = scope.spawn(|| {
            let operands = [&source, &copy].map(|path| path.to_str().unwrap());
            ours(Path::new("/"), &[way, &["-a"], &operands].concat())
        });
        while fs::read_dir(&copied).map_or(0, Iterator::count) < 2 {
            assert!(!copying.is_finished(), "it ended before");
            thread::sleep(Duration::from_millis(1));
        }
        Network::change("loss 100%");
        thread::sleep(AWAY);
        assert!(!copying.is_finished(), "it did not need the server");
        drop(network);
        copying.join().unwrap()
    });
    println!(
        "# {} away, {way:?}: {} ms",
        place.name,
        start.elapsed().as_millis()
    );
    ran.expect_success();
    let source = place.past_the_mount(&source);
    assert_same_tree(&tree(&source), &tree(&copied), Agree::ALL);
}
