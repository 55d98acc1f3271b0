//! What `cp --debug` says: GNU cp's lines word by word wherever they are true of annulet, and
//! the line about its own ways, which has to agree with them.
#![allow(unsafe_code)]

mod cp;
mod support;

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use cp::child::{self, NOBODY, Setting, cp as run_cp, in_memory, refuse};
use cp::scene::Scene;
use cp::table::{as_user, each};
use cp::trees::remove;
use support::{Ran, annulet, is_root, noise, skip, temp_dir};

fn cp(line: &str, dir: &Path, setting: &Setting) -> Ran {
    run_cp(&annulet(), &child::words(line), dir, setting)
}

/// What annulet says of a copy that goes well.
fn said(line: &str, dir: &Path) -> String {
    cp(&format!("--debug {line}"), dir, &Setting::default())
        .expect_success()
        .stdout_text()
}

/// The words of a line `copy offload: A, reflink: B, sparse detection: C`.
fn words_of(line: &str) -> Option<[&str; 3]> {
    let rest = line.strip_prefix("copy offload: ")?;
    let (offload, rest) = rest.split_once(", reflink: ")?;
    let (reflink, detection) = rest.split_once(", sparse detection: ")?;
    Some([offload, reflink, detection])
}

/// GNU's lines, and of each that has one the line about annulet's own ways.
fn lines(text: &str) -> Vec<(&str, &str)> {
    let mut lines: Vec<(&str, &str)> = Vec::new();
    for line in text.lines() {
        if let Some(ways) = line.strip_prefix("data: ") {
            let (of, place) = lines.last_mut().expect("a line before");
            assert!(words_of(of).is_some() && place.is_empty(), "{text}");
            *place = ways;
        } else if !line.starts_with("io_uring: ") && !line.starts_with("workers: ") {
            lines.push((line, ""));
        }
    }
    lines
}

/// Why a line of annulet's need not be GNU's, if it need not: GNU's words would not be true.
fn excuse(gnu: &str, ours: &str, ways: &str, command: &str) -> Option<()> {
    let (gnu, ours) = (words_of(gnu)?, words_of(ours)?);
    let sparse_always = command.contains("--sparse=always");
    let moves_in_program = ways.contains("reads and writes") || ways.contains("io_uring");
    let moves_in_kernel = ways.contains("splice") || ways.contains("copy_file_range");
    let offload = match (gnu[0], ours[0]) {
        (gnu, ours) if gnu == ours => true,
        // GNU asks the kernel for a single byte as well, and what cannot be copied so.
        ("yes" | "unsupported", "avoided") => moves_in_program && !moves_in_kernel,
        // Through a pipe the kernel copies and shares no blocks; and holes are not found.
        ("avoided" | "unknown", "yes") => moves_in_kernel,
        ("unknown", "avoided") => moves_in_program,
        _ => false,
    };
    let reflink = match (gnu[1], ours[1]) {
        (gnu, ours) if gnu == ours => true,
        // Nothing to share, or nothing that is to be shared.
        ("unsupported", "no") => ways == "none" || sparse_always || command.contains("/proc/"),
        _ => false,
    };
    let detection = match (gnu[2], ours[2]) {
        (gnu, ours) if gnu == ours => true,
        // GNU finds holes, to fill them.
        ("SEEK_HOLE", "no") => command.contains("--sparse=never"),
        _ => false,
    };
    (offload && reflink && detection).then_some(())
}

const DATA: &str = "file one 1; file none 0; file m 100000; file long 2000000; \
    hole h 1000000; hole mix 4000000 3000000+900000; zeros z 300000; file a 9; dir d";
const NAMES: &str = "file one 1; file a 9; file b 8; file old 7; link l a; link dang nowhere; \
    dir d; file d/f 6; dir t; dir t/d; file t/d/f 5; fifo p; \
    dir k; file k/f 3; hard k/g k/f; dir u; dir u/k; file u/k/g 4";

/// Every situation, beside GNU cp.
#[test]
fn as_gnu() {
    let gnu: PathBuf = match support::gnu("cp", "as_gnu") {
        Some((_, version)) if version < (9, 7) => {
            return skip("as_gnu", "GNU cp is older than 9.7 (scripts/gnu.sh)");
        }
        Some((gnu, _)) => gnu,
        None => return,
    };
    let of_data = each(
        "; --reflink=always; --reflink=never; --reflink=auto; --sparse=always; --sparse=never; \
         --sparse=always --reflink=never; --attributes-only; -l; -s; -f; -p; -j1; -j2",
        "one c; none c; m c; long c; h c; mix c; z c; one a; /proc/version c; one m d",
    );
    let of_names = each(
        "; -n; -u; --update=none; --update=none-fail; -i; -f; -b; --remove-destination; -l; -lf; \
         -s; -sf; -a; -an; -au; -nv; -ub; -il; -P; -x; -j2",
        "one a; a one; old a; a old; a a; l a; a l; a dang; no a; d a; -r d t; -r d/. t/d; \
         -rT d t/d; -r p b; -r d b; a b t; -r k c; -r k u; -r k d t",
    );
    let mut failed = Vec::new();
    let mut compared = 0;
    in_memory(|dir| {
        let (data, names) = (Scene::parse(DATA), Scene::parse(NAMES));
        let of_data = of_data.split(';').map(|command| (&data, command));
        let of_names = of_names.split(';').map(|command| (&names, command));
        for (scene, command) in of_data.chain(of_names) {
            // Whether the others of a file's names are left alone then, README tells.
            if command.contains("-u") && command.contains(" k ") && !command.contains("-au") {
                continue;
            }
            let run = |program: &Path, args: &str| {
                let top = dir.join("top");
                fs::create_dir(&top).expect("a folder");
                scene.build(&top);
                let ran = run_cp(program, &child::words(args), &top, &Setting::default());
                remove(&top);
                ran
            };
            let theirs = command.replace("-j1", "").replace("-j2", "");
            let (theirs, ours) = (
                run(&gnu, &format!("--debug {theirs}")),
                run(&annulet(), &format!("--debug {command}")),
            );
            let (gnu_text, text) = (theirs.stdout_text(), ours.stdout_text());
            let ours_lines = lines(&text);
            let alike = gnu_text.lines().count() == ours_lines.len()
                && gnu_text
                    .lines()
                    .zip(&ours_lines)
                    .all(|(gnu, (ours, ways))| {
                        gnu == *ours || excuse(gnu, ours, ways, command).is_some()
                    });
            if !alike || (theirs.status, &theirs.stderr) != (ours.status, &ours.stderr) {
                failed.push(format!("{command}\n{}{}", theirs.said(), ours.said()));
            }
            compared += ours_lines.len();
        }
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(compared > 300, "only {compared} lines were compared");
}

/// A command line without `--debug`, calls that are refused, and what is said of the file.
type Told = (&'static str, &'static [libc::c_long], &'static str);

/// What is said of files of 1,000, 100,000 and 1,048,576 bytes and of one with holes.
const TOLD: &[Told] = &[
    ("small", &[], "avoided; unsupported; no; reads and writes"),
    ("m", &[], "yes; unsupported; no; copy_file_range"),
    ("m", &[COPY_RANGE], "yes; unsupported; no; splice"),
    (
        "m",
        &[COPY_RANGE, SPLICE],
        "unsupported; unsupported; no; reads and writes",
    ),
    ("long", &[], "yes; unsupported; no; splice"),
    (
        "long",
        &[SPLICE],
        "unsupported; unsupported; no; reads and writes",
    ),
    ("holes", &[], "yes; unsupported; SEEK_HOLE; copy_file_range"),
    (
        "holes",
        &[COPY_RANGE],
        "unsupported; unsupported; SEEK_HOLE; reads and writes",
    ),
    ("holes", &[SEEK], "yes; unsupported; no; splice"),
    ("--reflink=never m", &[], "yes; no; no; splice"),
    (
        "--reflink=never small",
        &[],
        "avoided; no; no; reads and writes",
    ),
    ("--reflink=never long", &[], "yes; no; no; splice"),
    (
        "--sparse=always holes",
        &[],
        "avoided; no; SEEK_HOLE + zeros; reads and writes",
    ),
    (
        "--sparse=always holes",
        &[SEEK],
        "avoided; no; zeros; reads and writes",
    ),
    ("--sparse=never holes", &[], "yes; no; no; splice"),
];

const COPY_RANGE: libc::c_long = libc::SYS_copy_file_range;
const SPLICE: libc::c_long = libc::SYS_splice;
const SEEK: libc::c_long = libc::SYS_lseek;

/// What is said is so, whichever way is closed: the calls that are refused name it.
#[test]
fn words_are_true() {
    in_memory(|dir| {
        fs::write(dir.join("small"), noise(1000, 1)).expect("a file");
        fs::write(dir.join("m"), noise(100_000, 1)).expect("a file");
        fs::write(dir.join("long"), noise(1 << 20, 2)).expect("a file");
        let holes = File::create(dir.join("holes")).expect("a file");
        holes.write_all_at(&noise(5000, 3), 1 << 20).expect("data");
        holes.set_len(3 << 20).expect("a length");
        for (line, calls, words) in TOLD {
            let refused = calls.iter().map(|call| refuse(*call, libc::EINVAL));
            let setting = Setting {
                refused: refused.collect(),
                ..Setting::default()
            };
            let from = line.rsplit(' ').next().expect("a name");
            let words: Vec<_> = words.split("; ").collect();
            for jobs in ["", "-j1"] {
                let what = format!("--debug {jobs} {line} c, {calls:?}");
                let ran = cp(&format!("--debug {jobs} {line} c"), dir, &setting);
                let expected = format!(
                    "'{from}' -> 'c'\ncopy offload: {}, reflink: {}, sparse detection: {}\n\
                     data: {}\n",
                    words[0], words[1], words[2], words[3]
                );
                assert_eq!(ran.expect_success().stdout_text(), expected, "{what}");
                let copy = fs::read(dir.join("c")).expect("a copy");
                assert!(
                    copy == fs::read(dir.join(from)).expect("a source"),
                    "{what}"
                );
                let blocks = fs::metadata(dir.join("c")).expect("a copy").blocks();
                let has_holes = blocks < copy.len() as u64 / 512;
                assert_eq!(has_holes, words[2] != "no", "{what}");
                fs::remove_file(dir.join("c")).expect("a copy");
            }
        }
    });
}

#[test]
fn words_about_the_ring() {
    in_memory(|dir| {
        fs::write(dir.join("m"), noise(100_000, 1)).expect("a file");
        let text = said("--io=ring m c", dir);
        let line = "copy offload: avoided, reflink: no, sparse detection: no\ndata: io_uring (";
        assert!(text.contains(line), "{text}");
        fs::remove_file(dir.join("c")).expect("a copy");
        let setting = Setting {
            refused: vec![refuse(libc::SYS_io_uring_setup, libc::EPERM)],
            ..Setting::default()
        };
        let ran = cp("--debug --io=ring m c", dir, &setting).expect_status(1);
        let nothing = "copy offload: unknown, reflink: no, sparse detection: unknown\ndata: none\n";
        assert_eq!(ran.stdout_text(), format!("'m' -> 'c'\n{nothing}"));
    });
}

/// Of a FIFO and of devices, too, blocks of zeros become holes where that is asked for.
#[test]
fn holes_from_a_stream() {
    in_memory(|dir| {
        Scene::parse("fifo p").build(dir);
        let content = [vec![0; 1 << 20], noise(9000, 1), vec![0; 1 << 20]].concat();
        for (flags, detection) in [("--sparse=always", "zeros"), ("", "no")] {
            let ran = std::thread::scope(|scope| {
                let writer = scope.spawn(|| fs::write(dir.join("p"), &content));
                let text = said(&format!("{flags} --copy-contents p c"), dir);
                writer.join().expect("the writer").expect("written");
                text
            });
            assert!(
                ran.contains(&format!(
                    "copy offload: avoided, reflink: no, sparse detection: {detection}\n"
                )),
                "{ran}"
            );
            assert!(
                fs::read(dir.join("c")).expect("a copy") == content,
                "{flags}"
            );
            let blocks = fs::metadata(dir.join("c")).expect("a copy").blocks();
            assert_eq!(
                blocks < 200,
                detection == "zeros",
                "{flags}: {blocks} blocks"
            );
            fs::remove_file(dir.join("c")).expect("a copy");
        }
    });
}

/// A copy that fails is told of as far as it came.
#[test]
fn failures() {
    let dir = temp_dir();
    Scene::parse("file shut 9 0; file a 9; dir ro 555; link dang nowhere").build(dir.path());
    let user = is_root().then_some(NOBODY);
    let unknown =
        "copy offload: unknown, reflink: unknown, sparse detection: unknown\ndata: none\n";
    fs::set_permissions(
        dir.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .expect("chmod");
    for (line, expected) in [
        ("shut c", "'shut' -> 'c'\n".to_owned()),
        ("a ro/c", format!("'a' -> 'ro/c'\n{unknown}")),
        ("a dang", format!("'a' -> 'dang'\n{unknown}")),
        ("no c", String::new()),
    ] {
        let ran = cp(&format!("--debug {line}"), dir.path(), &as_user(user)).expect_status(1);
        assert_eq!(ran.stdout_text(), expected, "{line}");
    }
}

/// Where several workers speak, the lines about one file stay together.
#[test]
fn lines_of_one_file_stay_together() {
    in_memory(|dir| {
        let mut names = HashSet::new();
        for folder in 0..20 {
            let path = dir.join(format!("s/{folder}"));
            fs::create_dir_all(&path).expect("a folder");
            for file in 0..40 {
                fs::write(path.join(file.to_string()), noise(5000, file)).expect("a file");
                names.insert(format!("'s/{folder}/{file}' -> 't/{folder}/{file}'"));
            }
        }
        let text = said("-r -j4 s t", dir);
        let lines: Vec<_> = text.lines().collect();
        let mut at = 0;
        while at < lines.len() {
            if names.remove(lines[at]) {
                assert!(lines[at + 1].starts_with("copy offload: "), "{text}");
                assert!(lines[at + 2].starts_with("data: "), "{text}");
                at += 3;
            } else {
                // A folder, or how many workers there are.
                let is_other = lines[at].starts_with("'s") || lines[at].starts_with("workers: ");
                assert!(is_other, "{}", lines[at]);
                at += 1;
            }
        }
        assert!(names.is_empty(), "not told of: {names:?}");
    });
}
