//! Many workers take little memory, whatever they copy.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::child::{Setting, cp_measured, in_memory};
use crate::place::{Place, place};
use crate::standin::Behaviour;
use crate::support::{Agree, annulet, assert_same_tree, noise, temp_dir, tree};

/// The most that may be resident, in KiB: 4 MiB.
const MOST_KIB: u64 = 4 << 10;

/// Trees: names, and how many files of which sizes.
const TREES: &[(&str, usize, &[usize])] = &[
    ("small", 400, &[6000]),
    ("medium", 120, &[300_000]),
    ("large", 8, &[5_000_000]),
    (
        "mixed",
        240,
        &[0, 31_000, 33_000, 150_000, 600_000, 2_000_000],
    ),
];

fn make_trees(top: &Path) {
    for (name, count, sizes) in TREES {
        for number in 0..*count {
            let folder = top.join(format!("{name}/{}", number % 12));
            fs::create_dir_all(&folder).unwrap();
            let content = noise(sizes[number % sizes.len()], number as u64);
            fs::write(folder.join(number.to_string()), content).unwrap();
        }
    }
}

/// Copies each tree `from` one folder to another, of which `seen` gives what is not far away.
fn check(from: &Path, to: &Path, seen: impl Fn(&Path) -> std::path::PathBuf) {
    let setting = Setting {
        limit: Duration::from_secs(60),
        ..Setting::default()
    };
    for (name, ..) in TREES {
        let (source, copy) = (from.join(name), to.join("copy"));
        // The last ones go through buffers.
        for options in [&["-r"][..], &["-rj64"], &["-r", "--sparse=always"]] {
            let paths = [source.as_os_str(), copy.as_os_str()];
            let words: Vec<_> = options.iter().map(OsStr::new).chain(paths).collect();
            let (status, peak_kib) = cp_measured(&annulet(), &words, Path::new("/"), &setting);
            let what = format!("{options:?}, {name} from {}", from.display());
            eprintln!("{what}: {peak_kib} KiB");
            assert!(status.success(), "{what}: {status}");
            let trees = [&source, &copy].map(|path| tree(&seen(path)));
            assert_same_tree(&trees[0], &trees[1], Agree::CONTENT);
            assert!(peak_kib < MOST_KIB, "{what}: {peak_kib} KiB");
            // Through the mount, which remembers what is there.
            fs::remove_dir_all(&copy).unwrap();
        }
    }
}

fn far_place(test: &str) -> Option<Place> {
    let place = place(test, Behaviour::waiting(Duration::from_millis(1)))?;
    for folder in [&place.behind, &place.near] {
        make_trees(folder);
    }
    Some(place)
}

#[test]
fn many_workers_that_wait_take_little_memory() {
    let Some(place) = far_place("many_workers_that_wait_take_little_memory") else {
        return;
    };
    let seen = |path: &Path| match path.strip_prefix(&place.far) {
        Ok(name) => place.behind.join(name),
        Err(_) => path.to_owned(),
    };
    check(&place.far, &place.near, seen);
    check(&place.near, &place.far, seen);
}

#[test]
fn many_workers_that_do_not_wait_take_little_memory() {
    let disk = temp_dir();
    in_memory(|memory| {
        for folder in [disk.path(), memory] {
            make_trees(folder);
        }
        for (from, to) in [
            (disk.path(), memory),
            (memory, disk.path()),
            (memory, memory),
        ] {
            check(from, to, Path::to_owned);
        }
    });
}
