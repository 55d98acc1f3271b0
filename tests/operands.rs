//! Many operands that go to one directory: by several workers and by one, they leave the same and say
//! the same as GNU cp.
//!
//! What may have to do with others keeps its place. The folder that is copied from is not called
//! `s`, as elsewhere: what is written there changes what is read, and has to come out the same.
#![allow(unsafe_code)]

mod cp;
mod support;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cp::case::{Case, Input};
use cp::child::{NOBODY, Setting, cp_watched, in_memory};
use cp::scene::{Node, Scene};
use cp::seeds::{Place, check_seeds};
use cp::table::check_all;
use support::{Random, annulet, is_root, noise, pairs, skip};

/// Numbers of workers.
const JOBS: &[&str] = &["-j1", "-j2", "-j8"];

fn setting(user: Option<u32>) -> Setting {
    Setting {
        user,
        limit: Duration::from_secs(60),
        ..Setting::default()
    }
}

// What keeps its place.

/// Each of these `count` times, with `#` for a number: a scene, and its operands.
const PAIRS: &[(&str, &str, &str)] = &[
    (
        "a symlink to what the next one is copied to",
        "file in/a# 20000; file in/b# 70; link to/a# b#; file to/b# 9",
        "in/a# in/b#",
    ),
    (
        "the same the other way round",
        "file in/a# 70; file in/b# 20000; link to/b# a#; file to/a# 9",
        "in/a# in/b#",
    ),
    (
        "a symlink to what comes next",
        "file in/a# 20000; file in/b# 70; link to/a# ../in/b#",
        "in/a# in/b#",
    ),
    (
        "a source by way of a symlink to what is then overwritten",
        "link in/a# ../to/b#; file to/b# 3000000; file in/b# 70",
        "in/a# in/b#",
    ),
    (
        "two names of one file in the destination",
        "file in/a# 20000; file in/b# 70; file to/a# 9; hard to/b# to/a#",
        "in/a# in/b#",
    ),
    (
        "a source that is another name of what is then overwritten",
        "file in/a# 20000; hard to/b# in/a#; file in/b# 70",
        "in/a# in/b#",
    ),
    (
        "a source that is another name of what was overwritten",
        "file in/a# 70; file to/a# 9; file in/b# 20000; hard to/b# in/b#; file in/c# 5000",
        "in/b# in/a# in/c#",
    ),
    (
        "a file that a folder brings",
        "dir in/d#; file in/d#/f# 20000; file in/b# 70",
        "in/d# to/d#/f# in/b#",
    ),
    (
        "a file that a folder overwrites",
        "dir in/d#; file in/d#/f# 20000; dir to/d#; file to/d#/f# 70; file in/b# 30",
        "in/b# in/d# to/d#/f#",
    ),
    (
        "one name in two folders",
        "file in/a# 20000; file other/a# 70; file in/b# 50",
        "in/a# in/b# other/a#",
    ),
    (
        "one file twice",
        "file in/a# 5000; file in/b# 50",
        "in/a# in/b# in/a# in/../in/b#",
    ),
    (
        "one name in two folders, over a symlink",
        "file in/a# 5000; file other/a# 50; link to/a# ../in/b#; file in/b# 70",
        "in/a# in/b# other/a#",
    ),
    (
        "two names of one file, and what is newer than it",
        "file in/a# 5000; hard in/b# in/a#; file to/a# 9",
        "in/a# in/b#",
    ),
    (
        "a name under which another one is kept",
        "file in/a# 5000; file in/a#~ 70; file to/a# 20000",
        "in/a# in/a#~",
    ),
    (
        "a name with a slash, nothing, and a folder where a file goes",
        "file in/a# 5000; file in/b# 50; dir to/b#; file in/c# 60",
        "in/a#/ in/b# in/none# in/c#",
    ),
];

const FLAGS: &[&str] = &[
    "-r",
    "-a",
    "-rf",
    "-rL",
    "-rn",
    "-ru",
    "-rb",
    "-au",
    "-r --remove-destination",
    "-rv",
    "-rl",
    "-r --update=none-fail",
    "-r --attributes-only",
    "-rp --strip-trailing-slashes",
];

/// A line for each number, with that in the place of `#`.
fn repeated(line: &str, numbers: std::ops::Range<usize>, between: &str) -> String {
    let lines = numbers.map(|number| line.replace('#', &format!("{number:03}")));
    lines.collect::<Vec<_>>().join(between)
}

/// Every other question is answered with yes.
fn answered() -> Case {
    let mut scene = Scene::parse("dir in; dir to");
    let files = repeated("file in/f# 70; file to/f# 30", 0..60, ";");
    scene.items.extend(Scene::parse(&files).items);
    let line = repeated("in/f#", 0..60, " ");
    Case {
        input: Input::Bytes("y\nn\n".repeat(30).into_bytes()),
        ..Case::cp(scene, &format!("-i {line} to"))
    }
}

/// What a folder's contents bring is not replaced, nor is it tried to read what would be.
fn brought() -> Case {
    let mut scene = Scene::parse("dir in; dir to; dir more");
    let files = repeated("file in/f# 70", 0..90, ";");
    scene.items.extend(Scene::parse(&files).items);
    scene.add("more/f080", Node::Bytes(b"more".to_vec()));
    let shut = scene
        .items
        .iter_mut()
        .find(|item| item.path.ends_with("in/f080"));
    shut.expect("a file").mode = 0;
    let user = is_root().then_some(NOBODY);
    if let Some(id) = user {
        scene.own(id);
    }
    let [before, behind] = [0..40, 40..90].map(|numbers| repeated("in/f#", numbers, " "));
    Case {
        setting: setting(user),
        ..Case::cp(scene, &format!("-rn {before} more/. {behind} to"))
    }
}

#[test]
fn what_may_have_to_do_with_others_keeps_its_place() {
    let test = "what_may_have_to_do_with_others_keeps_its_place";
    if gnu(test).is_none() {
        return;
    }
    let mut cases = Vec::new();
    for ((what, scene, operands), flags) in pairs(PAIRS.iter().copied(), FLAGS) {
        let mut all = Scene::parse("dir in; dir to; dir other");
        all.items
            .extend(Scene::parse(&repeated(scene, 0..12, ";")).items);
        let count = all.items.len();
        all.items
            .extend(Scene::parse(&repeated("file in/f# 3000", 0..60, ";")).items);
        for (number, item) in all.items.iter_mut().enumerate().skip(count) {
            item.mtime.0 += i64::try_from(number).expect("a number");
        }
        // Others before them, so that all are at work, between them, and behind them.
        let mut line = repeated("in/f#", 0..30, " ");
        for number in 0..12 {
            line.push(' ');
            line.push_str(&repeated(operands, number..number + 1, " "));
            if number % 3 == 2 {
                line.push(' ');
                line.push_str(&repeated("in/f#", 30 + number..33 + number, " "));
            }
        }
        line.push(' ');
        line.push_str(&repeated("in/f#", 50..60, " "));
        let mut case = Case::cp(all, &format!("{flags} {line} to"));
        case.name = format!("{what}: {flags}");
        cases.push(case);
    }
    cases.extend([answered(), brought()]);
    check_all(test, cases, JOBS);
}

// At random.

const OPTIONS: &[&str] = &[
    "",
    "-r",
    "-a",
    "-p",
    "-f",
    "-rf",
    "-u",
    "-n",
    "-rn",
    "--update=none-fail",
    "-b",
    "-l",
    "-s",
    "--remove-destination",
    "--attributes-only",
    "-d",
    "-P",
    "-Lr",
    "-Hr",
    "-v",
    "-av",
    "-ru",
    "-i",
    "--backup=numbered",
    "--preserve=links",
    "-dp --remove-destination",
    "-rx --preserve=all",
    "--strip-trailing-slashes -r",
    "--parents -r",
    "-rLp",
    "-t to",
    "-T",
];

/// A name of the scene; few of them have an odd one.
fn name(random: &mut Random, number: usize) -> String {
    match random.below(40) {
        0 => format!("F{number:03}"),
        1 => format!("f{number:03}."),
        2 => format!("\u{e9}{number:03}"),
        _ => format!("f{number:03}"),
    }
}

/// What is at `path`, of so many names; `others` are regular files beside it.
fn node(random: &mut Random, count: usize, others: &[String], is_source: bool) -> Node {
    let size = random.pick(&[0, 1, 50, 4096, 8192, 70_000]);
    let file = Node::File(size as u64, vec![(0, size)]);
    match random.below(if is_source { 40 } else { 12 }) {
        0 if !others.is_empty() => Node::Hard(random.pick(others).into()),
        1 => {
            let number = random.below(count);
            let to = [
                format!("f{number:03}"),
                format!("../to/f{number:03}"),
                format!("../in/f{number:03}"),
                "nowhere".to_owned(),
            ];
            Node::Link(random.pick(&to).into())
        }
        2 => Node::Dir,
        _ => file,
    }
}

/// Hundreds of operands, and what is in their way.
fn random_case(seed: u64, user: Option<u32>) -> (Case, Vec<&'static str>) {
    let random = &mut Random(seed);
    let count = random.pick(&[10, 40, 120, 300]);
    let taken = random.pick(&[0, 0, 2, 10, 50]);
    let options = random.pick(OPTIONS);
    let mut scene = Scene::parse("dir in; dir to; dir other");
    let (mut sources, mut there) = (Vec::new(), Vec::new());
    let mut operands = Vec::new();
    for number in 0..count {
        let name = name(random, number);
        let path = format!("in/{name}");
        let made = node(random, count, &sources, true);
        let (is_file, is_dir) = (matches!(made, Node::File(..)), made == Node::Dir);
        if !random.one_in(50) {
            let item = scene.add(&path, made);
            if is_file && random.one_in(30) {
                item.mode = random.pick(&[0, 0o400, 0o4711, 0o666]);
            }
            if is_dir {
                scene.add(format!("{path}/{name}"), Node::Bytes(b"below".to_vec()));
            } else if is_file {
                sources.push(path.clone());
            }
        }
        let slash = if random.one_in(60) { "/" } else { "" };
        operands.push(format!("{path}{slash}"));
        if random.one_in(40) {
            operands.push(path);
        }
        if random.one_in(40) {
            let other = format!("other/{name}");
            scene.add(&other, Node::Bytes(other.clone().into_bytes()));
            operands.insert(random.below(operands.len()), other);
        }
        if random.below(100) < taken {
            let path = format!("to/{name}");
            let made = node(random, count, &there, false);
            if matches!(made, Node::File(..)) {
                there.push(path.clone());
            }
            scene.add(&path, made);
        }
    }
    if random.one_in(5) {
        let odd = random.pick(&["in/.", "to/f001", "to", "other/..", "other"]);
        operands.insert(random.below(operands.len()), odd.to_owned());
    }
    if random.one_in(6) {
        let mode = random.pick(&[0o300, 0o500, 0o1777]);
        scene.items[1].mode = mode;
    }
    if let Some(id) = user {
        scene.own(id);
    }
    let mut args: Vec<OsString> = options.split_whitespace().map(Into::into).collect();
    args.extend(operands.into_iter().map(Into::into));
    if options != "-t to" {
        args.push("to".into());
    }
    let case = Case {
        setting: setting(user),
        ..Case::cp_with(scene, args)
    };
    (case, JOBS.to_vec())
}

fn random_operands(test: &str, user: Option<u32>) {
    if let Some(gnu) = gnu(test) {
        let case = |seed| random_case(seed, user);
        check_seeds(test, &gnu, Place::InMemory, 100, case);
    }
}

/// GNU's cp, unless it is too old to be compared with.
fn gnu(test: &str) -> Option<PathBuf> {
    let (gnu, version) = support::gnu("cp", test)?;
    if version < (9, 5) {
        skip(test, "GNU cp is older than 9.5 (scripts/gnu.sh)");
        return None;
    }
    Some(gnu)
}

#[test]
fn at_random() {
    random_operands("at_random", None);
}

#[test]
fn at_random_as_an_ordinary_user() {
    if is_root() {
        random_operands("at_random_as_an_ordinary_user", Some(NOBODY));
    }
}

// What it takes.

const FILES: usize = 200;

/// Flags, operands, and where they go.
fn arguments<'a>(flags: &[&'a str], names: &'a [String]) -> Vec<&'a str> {
    let names = names.iter().map(|name| &**name);
    flags.iter().copied().chain(names).chain(["to"]).collect()
}

/// A file takes eight calls: two that hold its source, one each that opens source and destination,
/// one that copies, three that close. A look more where something is there.
#[test]
fn calls_for_each_file() {
    in_memory(|dir| {
        fs::create_dir(dir.join("in")).expect("a folder");
        fs::create_dir(dir.join("to")).expect("a folder");
        let names: Vec<_> = (0..FILES).map(|number| format!("in/f{number}")).collect();
        for name in &names {
            fs::write(dir.join(name), noise(8192, 1)).expect("a file");
        }
        let args = arguments(&["-j1"], &names);
        // Then they are held and looked at as well, and emptied.
        for each in [8, 13] {
            let mut calls = 0;
            let ran = cp_watched(&annulet(), &args, dir, &setting(None), |_| calls += 1);
            ran.expect_success();
            println!("{calls} calls for {FILES} files");
            // Some for the first of them, which are looked at, and for all together.
            assert!(calls <= each * FILES + 150, "{calls}");
        }
    });
}

/// What appears under a name that the destination did not have is overwritten, once all that was begun
/// is done; it is told of once, and `-n` and a symlink are heeded.
#[test]
fn what_appears_in_the_way() {
    in_memory(|dir| {
        fs::create_dir(dir.join("in")).expect("a folder");
        let names: Vec<_> = (0..FILES)
            .map(|number| format!("in/f{number:03}"))
            .collect();
        for name in &names {
            fs::write(dir.join(name), name).expect("a file");
        }
        for (flags, appears, expected) in [
            ("-v", Node::Bytes(b"other".to_vec()), "in/f150"),
            ("-vn", Node::Bytes(b"other".to_vec()), "other"),
            ("-vf", Node::Bytes(b"other".to_vec()), "in/f150"),
            ("-v", Node::Link("../there".into()), "in/f150"),
        ] {
            copy_while_one_appears(dir, &names, flags, appears, expected);
            cp::trees::remove(&dir.join("to"));
        }
    });
}

/// Copies the files `names` to `to`, where something `appears` meanwhile in the place of the 151st,
/// which is to be `expected` in the end.
fn copy_while_one_appears(
    dir: &Path,
    names: &[String],
    flags: &str,
    appears: Node,
    expected: &str,
) {
    fs::write(dir.join("there"), "there").expect("a file");
    fs::create_dir(dir.join("to")).expect("a folder");
    let args = arguments(&["-j1", flags], names);
    let mut scene = Scene::default();
    scene.add("to/f150", appears);
    let is_there = |name: &str| dir.join(name).exists();
    let mut done = false;
    let ran = cp_watched(&annulet(), &args, dir, &setting(None), |_| {
        if !done && is_there("to/f100") {
            scene.build(dir);
            done = true;
        }
    });
    let ran = ran.expect_success();
    assert!(done, "{flags}");
    let content = fs::read_to_string(dir.join("to/f150")).expect("a file");
    assert_eq!(content, expected, "{flags}");
    let text = ran.stdout_text();
    let lines = text.lines().filter(|line| line.contains("f150")).count();
    assert_eq!(lines, usize::from(expected != "other"), "{flags}: {text}");
    let copied = names.len() - usize::from(expected == "other");
    assert_eq!(text.lines().count(), copied, "{flags}");
}
