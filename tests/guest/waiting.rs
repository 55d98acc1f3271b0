//! Where calls wait for a server, more workers are called in.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::copies::{Cp, ours, theirs};
use crate::places::Place;
use crate::report::Report;
use crate::support::{Agree, Ran, assert_same_tree, small_files, tree};

pub fn check(report: &mut Report, place: &Place) {
    report.step(&format!("{}: many small files", place.name), || {
        for folder in [&place.near, &place.far] {
            small_files(&place.past_the_mount(folder).join("many"), 10, 30);
        }
    });
    for (from, to) in [(&place.far, &place.near), (&place.near, &place.far)] {
        let direction = if to == &place.far { "to" } else { "from" };
        let job = |whose: &str| {
            let copy = to.join(format!("many-{direction}-{whose}"));
            (from.join("many"), copy)
        };
        report.step(&format!("{}: workers {direction}", place.name), || {
            let (source, copy) = job("debug");
            let (ran, _) = timed(|| copied(ours, &["-r", "--debug"], &source, &copy));
            let said = ran.stdout_text();
            let lines = said.lines().filter(|line| line.starts_with("workers: "));
            let lines: Vec<_> = lines.collect();
            // A disk that is read as well makes them more step by step.
            let are_more = |line: &&str| {
                let (number, why) = line["workers: ".len()..].split_once(", ").unwrap();
                why == "as each waits most of the time" && number.parse::<u32>().unwrap() > 2
            };
            assert!(lines.iter().any(are_more), "{lines:?}");
            println!("# {} {direction}: {}", place.name, lines.join("; "));
            assert_same_tree(
                &tree(&place.past_the_mount(&source)),
                &tree(&place.past_the_mount(&copy)),
                Agree::CONTENT,
            );
        });
        if std::env::var_os("ANNULET_GUEST_TIMES").is_none() {
            continue;
        }
        report.step(&format!("{}: timed {direction}", place.name), || {
            let jobs = [
                ("default", ours as Cp, &["-r"][..]),
                ("-j1", ours, &["-r", "-j1"]),
                ("GNU", theirs, &["-r"]),
            ];
            let line = jobs.map(|(name, cp, options)| {
                let (source, copy) = job(name);
                let (_, time) = timed(|| copied(cp, options, &source, &copy));
                format!(" {name} {} ms", time.as_millis())
            });
            println!(
                "# {} {direction}, 300 small files:{}",
                place.name,
                line.concat()
            );
        });
    }
}

fn copied(cp: Cp, options: &[&str], from: &Path, to: &Path) -> Ran {
    let operands = [from, to].map(|path| path.to_str().unwrap());
    cp(Path::new("/"), &[options, &operands].concat()).expect_success()
}

/// Does it with nothing in memory of what the client has seen; says how long it took.
fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    fs::write("/proc/sys/vm/drop_caches", "3").unwrap();
    let start = Instant::now();
    let made = work();
    (made, start.elapsed())
}
