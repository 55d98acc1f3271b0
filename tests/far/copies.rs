//! Copies from and to far file systems are what GNU's are.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::place::{Place, place, rich_tree, xattr};
use crate::standin::{Behaviour, Call};
use crate::support::{
    Agree, Ran, Random, Tree, annulet, assert_same_tree, command, gnu, noise, pairs, run, tree,
};

/// Long enough to be waiting most of the time.
const DELAY: Duration = Duration::from_micros(100);

/// How the program may be told to go about it.
const WAYS: [&[&str]; 5] = [&[], &["-j1"], &["-j16"], &["-j64"], &["--io=ring"]];

fn ours(options: &[&str], from: &Path, to: &Path) -> Ran {
    run(command(annulet()).arg("cp").args(options).args([from, to]))
}

fn theirs(cp: &Path, options: &[&str], from: &Path, to: &Path) -> Ran {
    // Messages begin with the name it is called by.
    run(command(cp).arg0("cp").args(options).args([from, to]))
}

/// A place on which every call waits, and GNU's cp.
fn far_place(test: &str) -> Option<(Place, PathBuf)> {
    let (cp, _) = gnu("cp", test)?;
    Some((place(test, Behaviour::waiting(DELAY))?, cp))
}

/// Lists a copy, behind the mount if it is there, which takes no time; and removes it.
fn taken(place: &Place, copy: &Path) -> Tree {
    let found = match copy.strip_prefix(&place.far) {
        Ok(name) => tree(&place.behind.join(name)),
        Err(_) => tree(copy),
    };
    fs::remove_dir_all(copy).unwrap();
    found
}

/// Copies a tree `from` to `to`, which may be far both, by GNU's cp and in all ways.
fn check_trees(place: &Place, cp: &Path, from: &Path, to: &Path) {
    let source = from.join("tree");
    for (kept, agree) in [("-r", Agree::CONTENT), ("-a", Agree::ALL)] {
        let expected = to.join(format!("theirs{kept}"));
        theirs(cp, &[kept], &source, &expected).expect_success();
        let attribute = xattr(&expected.join("small0"));
        let expected = taken(place, &expected);
        for (number, way) in WAYS.into_iter().enumerate() {
            let copy = to.join(format!("ours{number}{kept}"));
            ours(&[way, &[kept]].concat(), &source, &copy).expect_success();
            assert_eq!(xattr(&copy.join("small0")), attribute, "{way:?} {kept}");
            let found = taken(place, &copy);
            eprintln!("{way:?} {kept}: {}", place.mounted.counts());
            place.mounted.count_anew();
            assert_same_tree(&expected, &found, agree);
        }
    }
}

#[test]
fn trees_from_far() {
    let Some((place, cp)) = far_place("trees_from_far") else {
        return;
    };
    rich_tree(&place.behind.join("tree"));
    check_trees(&place, &cp, &place.far, &place.near);
}

#[test]
fn trees_to_far() {
    let Some((place, cp)) = far_place("trees_to_far") else {
        return;
    };
    rich_tree(&place.near.join("tree"));
    check_trees(&place, &cp, &place.near, &place.far);
}

#[test]
fn trees_from_far_to_far() {
    let Some((place, cp)) = far_place("trees_from_far_to_far") else {
        return;
    };
    rich_tree(&place.behind.join("tree"));
    check_trees(&place, &cp, &place.far, &place.far);
}

#[test]
fn large_files_both_ways() {
    const SIZE: usize = (24 << 20) + 12_345;
    let Some((place, cp)) = far_place("large_files_both_ways") else {
        return;
    };
    let content = noise(SIZE, 1);
    for folder in [&place.near, &place.behind] {
        fs::write(folder.join("large"), &content).unwrap();
    }
    for (number, (way, (from, to))) in
        pairs(WAYS, [(&place.far, &place.near), (&place.near, &place.far)]).enumerate()
    {
        let name = format!("copy{number}");
        place.mounted.count_anew();
        ours(way, &from.join("large"), &to.join(&name)).expect_success();
        eprintln!("{way:?}: {}", place.mounted.counts());
        // Not by the page cache of the mount.
        let behind = if to == &place.far { &place.behind } else { to };
        assert!(
            fs::read(behind.join(&name)).unwrap() == content,
            "{way:?} to {}",
            to.display()
        );
    }
    theirs(&cp, &[], &place.far.join("large"), &place.near.join("gnu")).expect_success();
    assert!(fs::read(place.near.join("gnu")).unwrap() == content);
}

#[test]
fn large_files_are_written_in_order() {
    const SIZE: usize = 8 << 20;
    let Some((place, _)) = far_place("large_files_are_written_in_order") else {
        return;
    };
    fs::write(place.near.join("large"), noise(SIZE, 1)).unwrap();
    for (number, way) in WAYS.into_iter().enumerate() {
        place.mounted.count_anew();
        let name = format!("copy{number}");
        ours(way, &place.near.join("large"), &place.far.join(&name)).expect_success();
        let counts = place.mounted.counts();
        assert_eq!(counts.of(Call::Write).at_once, 1, "{way:?} {counts}");
        let mut end = 0;
        for (start, len) in place.mounted.writes(name) {
            assert_eq!(start, end, "{way:?}");
            end += len as u64;
        }
        assert_eq!(end, SIZE as u64, "{way:?}");
    }
}

#[test]
fn short_reads() {
    let behaviour = Behaviour {
        most_read: Some(10_000),
        ..Behaviour::waiting(DELAY)
    };
    let Some(place) = place("short_reads", behaviour) else {
        return;
    };
    // Small and large.
    for len in [300_000, 2_000_000] {
        let content = noise(len, 1);
        let source = place.far.join("file");
        fs::write(place.behind.join("file"), &content).unwrap();
        // The pages that a pipe is filled with are one time more, one time fewer.
        for way in [WAYS.as_slice(), &[&["--io=splice"][..]; 8]].concat() {
            for (to, behind) in [(&place.near, &place.near), (&place.far, &place.behind)] {
                ours(way, &source, &to.join("copy")).expect_success();
                let copied = fs::read(behind.join("copy")).unwrap();
                assert!(copied == content, "{way:?} {len} to {}", to.display());
            }
            let ran = run(command(annulet()).arg("cat").arg(&source));
            assert!(ran.expect_success().stdout == content, "cat {len}");
        }
    }
}

#[test]
fn interrupted_calls() {
    let Some((cp, _)) = gnu("cp", "interrupted_calls") else {
        return;
    };
    // Each third call of these, after its wait, on a mount whose reads go past the page cache.
    let calls = AtomicU64::new(0);
    let behaviour = Behaviour {
        error: Box::new(move |call| match call {
            // Relaxed: nothing hangs on who is the third.
            Call::Read | Call::Write if calls.fetch_add(1, Ordering::Relaxed) % 3 == 2 => {
                libc::EINTR
            }
            _ => 0,
        }),
        most_read: Some(50_000),
        ..Behaviour::waiting(DELAY)
    };
    let Some(place) = place("interrupted_calls", behaviour) else {
        return;
    };
    let content = noise(1_000_000, 1);
    for folder in [&place.behind, &place.near] {
        fs::write(folder.join("file"), &content).unwrap();
    }
    for (from, to) in [(&place.far, &place.near), (&place.near, &place.far)] {
        let source = from.join("file");
        let behind = if to == &place.far { &place.behind } else { to };
        theirs(&cp, &[], &source, &to.join("theirs")).expect_success();
        assert!(fs::read(behind.join("theirs")).unwrap() == content);
        for (number, way) in WAYS.into_iter().enumerate() {
            let name = format!("copy{number}");
            ours(way, &source, &to.join(&name)).expect_success();
            assert!(fs::read(behind.join(name)).unwrap() == content, "{way:?}");
        }
    }
}

#[test]
fn random_delays() {
    let Some((cp, _)) = gnu("cp", "random_delays") else {
        return;
    };
    // What comes first may end last.
    let random = Mutex::new(Random(1));
    let behaviour = Behaviour {
        delay: Box::new(move |_| Duration::from_micros(random.lock().unwrap().below(1000) as u64)),
        ..Behaviour::default()
    };
    let Some(place) = place("random_delays", behaviour) else {
        return;
    };
    rich_tree(&place.behind.join("tree"));
    let source = place.far.join("tree");
    theirs(&cp, &["-a"], &source, &place.near.join("theirs")).expect_success();
    let expected = taken(&place, &place.near.join("theirs"));
    for folder in [&place.near, &place.far] {
        let copy = folder.join("ours");
        ours(&["-a", "-j16"], &source, &copy).expect_success();
        assert_same_tree(&expected, &taken(&place, &copy), Agree::ALL);
    }
}

#[test]
fn errors_are_told_as_by_gnu() {
    let test = "errors_are_told_as_by_gnu";
    let Some((cp, _)) = gnu("cp", test) else {
        return;
    };
    let cases = [
        (Call::Read, libc::EIO),
        (Call::Read, libc::ESTALE),
        (Call::Open, libc::EIO),
        (Call::Flush, libc::EIO),
    ];
    for (failing, errno) in cases {
        let behaviour = Behaviour {
            error: Box::new(move |call| if call == failing { errno } else { 0 }),
            ..Behaviour::waiting(DELAY)
        };
        let Some(place) = place(test, behaviour) else {
            return;
        };
        fs::create_dir(place.behind.join("tree")).unwrap();
        for number in 0..20 {
            let name = place.behind.join(format!("tree/file{number}"));
            fs::write(name, noise(5000, number)).unwrap();
        }
        let source = place.far.join("tree");
        let said = |ran: &Ran| {
            let mut lines: Vec<_> = ran.stderr.lines().map(str::to_owned).collect();
            // Workers are in no order.
            lines.sort();
            lines
        };
        let expected = theirs(&cp, &["-r"], &source, &place.near.join("copy"));
        fs::remove_dir_all(place.near.join("copy")).unwrap();
        for way in WAYS {
            let copy = place.near.join("copy");
            let found = ours(&[way, &["-r"]].concat(), &source, &copy);
            assert_eq!(
                found.status, expected.status,
                "{failing:?} {way:?} {found:?}"
            );
            assert_eq!(said(&found), said(&expected), "{failing:?} {way:?}");
            fs::remove_dir_all(copy).unwrap();
        }
    }
}
