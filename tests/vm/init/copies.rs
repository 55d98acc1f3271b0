//! Copies by every way, and by several workers.

use std::fs;

use super::commands::{cp, run_ok};
use super::system::kernel;
use super::trees::{same_bytes, same_contents, same_tree};
use super::{Report, Step, text};

/// `cp`'s ways, and what `--debug` says of a large file that was copied so within one file system;
/// nothing where that is open.
const WAYS: [(&str, &str); 7] = [
    ("auto", ""),
    ("sync", ""),
    ("ring", "io_uring ("),
    ("thread", "reads, and writes by another thread"),
    ("splice", "splice"),
    ("copy_file_range", "copy_file_range"),
    ("read_write", "reads and writes"),
];

/// Copies to `place`, where the file `/big` holds `big`.
pub fn check(report: &mut Report, place: &str, big: &[u8]) {
    report.step(&format!("cp 20 MiB to {place}"), || {
        let to = format!("{place}/big");
        cp(&["/big", &to])?;
        same_bytes(big, &fs::read(&to).map_err(text)?)
    });
    for (io, said) in WAYS {
        // Before, it is left alone: it said that all was copied which was not.
        let is_open = io == "copy_file_range" && kernel() < (5, 19);
        let said = if is_open { "" } else { said };
        let option = format!("--io={io}");
        report.step(&format!("cp -a {option} to {place}"), || {
            let to = format!("{place}/tree-{io}");
            cp(&["-a", &option, "/src", &to])?;
            same_tree("/src", &to)?;
            fs::remove_dir_all(to).map_err(text)
        });
        report.step(&format!("cp {option} 20 MiB within {place}"), || {
            by_one_way(place, &option, said, big)?;
            let copy = |name: &str| format!("{place}/{name}");
            // The disk's is looked at once more later.
            fs::rename(copy("copy"), copy("big-auto")).map_err(text)
        });
    }
    report.step(&format!("cp -a without options to {place}"), || {
        let to = format!("{place}/tree");
        cp(&["-a", "/src", &to])?;
        same_tree("/src", &to)
    });
    report.step(
        &format!("cp -r . into an existing folder of {place}"),
        || {
            let to = format!("{place}/into");
            fs::create_dir(&to).map_err(text)?;
            cp(&["-r", "/src/folder/.", &to])?;
            same_contents("/src/folder", &to)
        },
    );
    for (jobs, io) in [("2", "ring"), ("4", "auto"), ("8", "ring"), ("8", "sync")] {
        report.step(&format!("cp -a -j{jobs} --io={io} to {place}"), || {
            by_workers(place, jobs, io)
        });
    }
}

/// Copies a large file within `place`, and looks at what `--debug` says of the way.
fn by_one_way(place: &str, option: &str, said: &str, big: &[u8]) -> Step {
    let copy = format!("{place}/copy");
    let from = format!("{place}/big");
    let output = run_ok("/bin/cp", &["--debug", option, &from, &copy])?;
    let output = String::from_utf8_lossy(&output);
    let data = output.lines().find_map(|line| line.strip_prefix("data: "));
    if !data.is_some_and(|data| data.starts_with(said)) {
        return Err(format!("--debug said {output}"));
    }
    same_bytes(big, &fs::read(&copy).map_err(text)?)
}

/// Copies a few hundred files by so many workers, and looks whether there were as many.
fn by_workers(place: &str, workers: &str, io: &str) -> Step {
    let to = format!("{place}/many");
    let options = [&format!("-j{workers}"), &format!("--io={io}")];
    let said = run_ok(
        "/bin/cp",
        &["-a", "--debug", options[0], options[1], "/many", &to],
    )?;
    let said = String::from_utf8_lossy(&said);
    let expected = format!("workers: {workers}, as asked for");
    if !said.lines().any(|line| line == expected) {
        let found = said.lines().find(|line| line.starts_with("workers: "));
        return Err(format!("--debug said {found:?}"));
    }
    same_tree("/many", &to)?;
    fs::remove_dir_all(to).map_err(text)
}
