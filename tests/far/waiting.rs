//! Where every call waits, many are under way at once.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::place::{Place, place};
use crate::standin::{Behaviour, Call};
use crate::support::{Agree, annulet, assert_same_tree, command, noise, run, small_files, tree};

/// Long beside what a processor has to do for a call, also on a busy machine.
const DELAY: Duration = Duration::from_millis(10);

fn waiting_place(test: &str) -> Option<Place> {
    place(test, Behaviour::waiting(DELAY))
}

/// Copies a tree that lies in `from` and also in `source` to `to`, behind which is `behind`. Gives
/// how many calls there were at once, and the lines about workers.
fn copied(place: &Place, options: &[&str], from: &Path, to: &Path) -> (u64, Vec<String>) {
    let copy = to.join("copy");
    place.mounted.count_anew();
    let ran = run(command(annulet())
        .args(["cp", "-r", "--debug"])
        .args(options)
        .args([&from.join("tree"), &copy]));
    let counts = place.mounted.counts();
    let said = ran.expect_success().stdout_text();
    eprintln!("{options:?}: {counts}");
    let near = |path: &Path| match path.strip_prefix(&place.far) {
        Ok(name) => place.behind.join(name),
        Err(_) => path.to_owned(),
    };
    let trees = [from.join("tree"), copy].map(|path| near(&path));
    assert_same_tree(&tree(&trees[0]), &tree(&trees[1]), Agree::CONTENT);
    fs::remove_dir_all(&trees[1]).unwrap();
    let lines = said.lines().filter(|line| line.starts_with("workers: "));
    (counts.all.at_once, lines.map(str::to_owned).collect())
}

#[test]
fn more_workers_are_called_in_where_they_wait() {
    // Many folders, and one.
    for (folders, files) in [(15, 20), (1, 300)] {
        let Some(place) = waiting_place("more_workers_are_called_in_where_they_wait") else {
            return;
        };
        for folder in [&place.behind, &place.near] {
            small_files(&folder.join("tree"), folders, files);
        }
        for (from, to) in [(&place.far, &place.near), (&place.near, &place.far)] {
            // A folder takes one new name at a time.
            let least = if folders == 1 && to == &place.far {
                3
            } else {
                12
            };
            // What a copy sees of its processors is others' work as well: one of three will do.
            let is_seen = (0..3).any(|_| {
                let (at_once, lines) = copied(&place, &[], from, to);
                eprintln!("{folders} folders: {at_once} at once, {lines:?}");
                let waits = |line: &String| line.ends_with(", as each waits most of the time");
                at_once >= least && lines.iter().any(waits)
            });
            assert!(is_seen, "{folders} folders to {}", to.display());
        }
    }
}

#[test]
fn there_are_as_many_workers_as_asked_for() {
    let Some(place) = waiting_place("there_are_as_many_workers_as_asked_for") else {
        return;
    };
    small_files(&place.behind.join("tree"), 4, 15);
    for (jobs, said) in [
        ("-j1", "workers: 1, as asked for"),
        ("-j3", "workers: 3, as asked for"),
    ] {
        let (_, lines) = copied(&place, &[jobs], &place.far, &place.near);
        assert_eq!(lines, [said]);
    }
}

#[test]
fn a_large_file_is_read_ahead() {
    const SIZE: usize = (16 << 20) + 4321;
    let Some(place) = waiting_place("a_large_file_is_read_ahead") else {
        return;
    };
    let content = noise(SIZE, 1);
    fs::write(place.behind.join("large"), &content).unwrap();
    for way in ["auto", "sync", "ring", "splice", "thread", "read_write"] {
        let copy = place.near.join(way);
        place.mounted.count_anew();
        let io = format!("--io={way}");
        let ran = run(command(annulet())
            .args(["cp", &io])
            .args([&place.far.join("large"), &copy]));
        ran.expect_success();
        let counts = place.mounted.counts();
        assert!(fs::read(&copy).unwrap() == content, "{way}");
        assert!(counts.of(Call::Read).at_once >= 4, "{way}: {counts}");
    }
}

/// Where reads go past the page cache, what was read ahead would be sent once more.
#[test]
fn nothing_is_sent_twice() {
    let behaviour = Behaviour {
        most_read: Some(usize::MAX),
        ..Behaviour::waiting(DELAY)
    };
    let Some(place) = place("nothing_is_sent_twice", behaviour) else {
        return;
    };
    // One large file; and some of which the first one shows it. As many reads as there are pieces,
    // and some that look.
    for (name, files, len, most) in [("large", 1, 8 << 20, 40), ("small", 20, 300_000, 75)] {
        let folder = place.behind.join(name);
        fs::create_dir(&folder).unwrap();
        for file in 0..files {
            fs::write(folder.join(file.to_string()), noise(len, file)).unwrap();
        }
        place.mounted.count_anew();
        let [source, copy] = [place.far.join(name), place.near.join(name)];
        let ran = run(command(annulet())
            .args(["cp", "-r", "-j1"])
            .args([&source, &copy]));
        ran.expect_success();
        let counts = place.mounted.counts();
        assert_same_tree(&tree(&folder), &tree(&copy), Agree::CONTENT);
        assert!(counts.of(Call::Read).made <= most, "{name}: {counts}");
    }
}

#[test]
fn a_file_of_several_reads_is_read_by_all_at_once() {
    const SIZE: usize = 512 << 10;
    let Some(place) = waiting_place("a_file_of_several_reads_is_read_by_all_at_once") else {
        return;
    };
    let content = noise(SIZE, 1);
    fs::write(place.behind.join("file"), &content).unwrap();
    place.mounted.count_anew();
    let copy = place.near.join("copy");
    let ran = run(command(annulet())
        .arg("cp")
        .args([&place.far.join("file"), &copy]));
    ran.expect_success();
    let counts = place.mounted.counts();
    assert!(fs::read(&copy).unwrap() == content);
    let reads = counts.of(Call::Read);
    assert_eq!((reads.made, reads.at_once), (2, 2), "{counts}");
}

#[test]
fn few_large_pieces_are_written() {
    const PIECES: usize = 16;
    let Some(place) = waiting_place("few_large_pieces_are_written") else {
        return;
    };
    let content = noise(PIECES << 20, 1);
    fs::write(place.near.join("large"), &content).unwrap();
    for way in ["auto", "sync", "splice"] {
        place.mounted.count_anew();
        let ran = run(command(annulet())
            .args(["cp", "--io", way])
            .args([&place.near.join("large"), &place.far.join(way)]));
        ran.expect_success();
        let counts = place.mounted.counts();
        assert!(
            fs::read(place.behind.join(way)).unwrap() == content,
            "{way}"
        );
        let writes = counts.of(Call::Write);
        // That each is waited for is seen by the first ones.
        assert!(writes.made <= PIECES as u64 + 4, "{way}: {counts}");
        assert_eq!(writes.at_once, 1, "{way}: {counts}");
    }
}
