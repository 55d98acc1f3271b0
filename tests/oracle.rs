//! Whether the comparison with GNU's programs sees what differs, whether cases are made up of all
//! that they are to be made of, and whether those that fail are made small.

mod cp;
mod support;

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cp::case::{Case, Command, How, Input, Opened, Output};
use cp::child::in_memory;
use cp::oracle::Oracle;
use cp::random_command::{OPTIONS, random_command};
use cp::random_tree::{Knobs, RandomTree};
use cp::scene::{Node, Scene};
use cp::shrink::shrink;
use cp::smaller::steps;
use cp::table::open_dir;
use support::{Random, TempDir, gnu, is_root};

/// A program that does as GNU's does, and then something else: a line of shell.
fn wrong(dir: &TempDir, gnu: &Path, then: &str) -> PathBuf {
    let program = dir.child("wrong");
    let gnu = gnu.display();
    fs::write(
        &program,
        format!("#!/bin/sh\n{gnu} \"$@\"\nstatus=$?\n{then}\nexit $status\n"),
    )
    .expect("a script");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("chmod");
    program
}

/// What the oracle finds where annulet's place is taken by a program that is wrong in that way.
fn found(test: &str, case: &Case, then: &str) -> Option<Vec<String>> {
    let (gnu, _) = gnu(case.command.name(), test)?;
    let scripts = open_dir();
    let program = wrong(&scripts, &gnu, then);
    in_memory(|folder| {
        let oracle = Oracle {
            gnu: &gnu,
            annulet: &program,
            folder,
            is_alone: true,
            is_old: false,
        };
        let difference = oracle.ask(case).differs("");
        Some(difference.map_or_else(Vec::new, |difference| {
            assert_eq!(difference.excuse, None, "{then}");
            difference.lines
        }))
    })
}

/// Expects just such a difference.
fn expect(test: &str, case: &Case, then: &str, expected: &str) {
    let Some(lines) = found(test, case, then) else {
        return;
    };
    let is_seen = lines.iter().any(|line| line.contains(expected));
    assert!(is_seen, "{then}: {lines:?}, without {expected:?}");
}

fn copy() -> Case {
    let scene = "dir s; file s/a 5000; hole s/h 100000 50000+10; link s/l a; hard s/b s/a; dir d; \
                 fifo p";
    Case::cp(Scene::parse(scene), "-av s d")
}

#[test]
fn cp_that_does_the_same() {
    if let Some(lines) = found("cp_that_does_the_same", &copy(), "") {
        assert!(lines.is_empty(), "{lines:?}");
    }
}

#[test]
fn cp_that_does_something_else() {
    for (then, expected) in [
        ("status=1", "status 1 should be 0"),
        ("echo 'cp: something' >&2", "other messages"),
        ("echo something", "other output"),
        ("rm d/s/l", "is missing"),
        ("touch d/more", "should not be there"),
        ("rm d/s/l; mkdir d/s/l", ": type is "),
        ("ln -sfn b d/s/l", ": link target is "),
        ("chmod 600 d/s/a", ": mode "),
        ("touch d/s/a", ": modification time "),
        ("touch -h d/s/l", ": modification time "),
        ("touch -d @7 s", ": modification time "),
        ("touch -ad @7 d/s/a", ": access time "),
        ("cp -p d/s/b x; mv x d/s/b", ": links "),
        (
            "printf x | dd of=d/s/a conv=notrunc status=none; touch -r s/a d/s/a",
            "content's hash",
        ),
        ("printf x >>d/s/a; touch -r s/a d/s/a", ": size is "),
        (
            "cp --sparse=never d/s/h x; cat x >d/s/h; rm x; touch -r s/h d/s/h",
            ": blocks ",
        ),
        (
            "cp --sparse=never d/s/h x; cat x >d/s/h; rm x; touch -r s/h d/s/h",
            ": data at ",
        ),
        ("echo something 1<>p", "left in a FIFO"),
    ] {
        expect("cp_that_does_something_else", &copy(), then, expected);
    }
    if is_root() {
        expect(
            "cp_that_does_something_else",
            &copy(),
            "chown 7:7 d/s/a",
            ": owner ",
        );
    }
}

#[test]
fn cat_that_does_something_else() {
    let scene = Scene {
        items: ["a", "out"]
            .map(|name| {
                let mut scene = Scene::default();
                scene
                    .add(name, Node::Bytes(b"some\nlines\n".into()))
                    .clone()
            })
            .into(),
    };
    let case = Case {
        command: Command::Cat,
        input: Input::File(Opened::new("a", How::Read, 0)),
        output: Output::Pipe,
        ..Case::cp(scene, "-n -")
    };
    let test = "cat_that_does_something_else";
    if let Some(lines) = found(test, &case, "") {
        assert!(lines.is_empty(), "{lines:?}");
    }
    expect(test, &case, "printf x", "other output: ");
    expect(test, &case, "exec 0<&-; printf x >&2", "other messages");
    let to_a_file = Case {
        output: Output::File(Opened::new("out", How::Write, 3)),
        input: Input::Pipe(b"more\n".into(), 2),
        ..case.clone()
    };
    expect(test, &to_a_file, "printf x", "\"1/2/3/out\": ");
    expect(
        test,
        &to_a_file,
        "printf x",
        "standard input and output stand at ",
    );
    let reads_less = Case {
        args: vec!["--help".into()],
        ..case
    };
    expect(
        test,
        &reads_less,
        "read line",
        "standard input and output stand at ",
    );
}

/// All options with all their spellings and values, all kinds of names, and what goes with them.
#[test]
fn all_there_is_is_made_up() {
    let (mut words, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    for seed in 0..1500 {
        let random = &mut Random(seed);
        let tree = RandomTree::new(random, Knobs::small(None));
        for _ in 0..50 {
            let command = random_command(random, &tree);
            words.extend(
                command
                    .args
                    .iter()
                    .map(|arg| arg.to_string_lossy().into_owned()),
            );
            words.extend(command.env.iter().map(|(name, _)| (*name).to_owned()));
        }
        for item in &tree.scene.items {
            kinds.insert(kind(&item.node));
            kinds.extend(item.xattrs.iter().map(|(name, _)| *name));
        }
    }
    for kind in [
        "dir",
        "file",
        "holes",
        "parts",
        "link",
        "hard",
        "fifo",
        "socket",
        "user.first",
        "system.posix_acl_access",
        "system.posix_acl_default",
    ] {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }
    for kind in ["char", "block", "trusted.annulet", "security.capability"] {
        assert!(kinds.contains(kind) || !is_root(), "{kind}: {kinds:?}");
    }
    for name in [
        "POSIXLY_CORRECT",
        "VERSION_CONTROL",
        "SIMPLE_BACKUP_SUFFIX",
        "-T",
        "-t",
        "--",
    ] {
        assert!(words.contains(name), "{name}");
    }
    for (_, spellings, values) in OPTIONS {
        for spelling in *spellings {
            assert_spelled(&words, spelling, values);
        }
    }
}

/// Expects an option in one of its spellings with each of its values among the words.
fn assert_spelled(words: &BTreeSet<String>, spelling: &str, values: &[&str]) {
    let Some(at) = spelling.find('{') else {
        let letter = spelling.strip_prefix('-').filter(|name| name.len() == 1);
        let in_a_bundle = |letter| {
            let mut bundles = words.iter().filter(|word| !word.starts_with("--"));
            bundles.any(|word| word.starts_with('-') && word.contains(letter))
        };
        let is_seen = words.contains(spelling) || letter.is_some_and(in_a_bundle);
        assert!(is_seen, "{spelling}");
        return;
    };
    for value in values {
        let is_seen = match spelling[..at].strip_suffix(' ') {
            // It would be an operand outside the scene where it stands alone.
            Some(option) if value.starts_with('/') => words.contains(&format!("{option}={value}")),
            Some(option) => words.contains(option) && words.contains(*value),
            None => words.contains(&format!("{}{value}", &spelling[..at])),
        };
        assert!(is_seen, "{spelling} with {value:?}");
    }
}

fn kind(node: &Node) -> &'static str {
    match node {
        Node::Dir => "dir",
        Node::File(size, data) if data.iter().map(|(_, len)| *len as u64).sum::<u64>() < *size => {
            "holes"
        }
        Node::File(..) => "file",
        Node::Parts(_) => "parts",
        Node::Bytes(_) => "bytes",
        Node::Link(_) => "link",
        Node::Hard(_) => "hard",
        Node::Fifo => "fifo",
        Node::Socket => "socket",
        Node::Char(..) => "char",
        Node::Block(..) => "block",
    }
}

/// Trees for several workers: wide or deep, with large files, and with something in the way.
#[test]
fn large_trees() {
    let (mut large, mut deep, mut meets) = (0, 0, 0);
    for seed in 0..20 {
        let tree = RandomTree::new(&mut Random(seed), Knobs::large(None));
        assert!(tree.scene.can_be_made(), "{seed}");
        let items = &tree.scene.items;
        assert!(items.len() > 60, "{seed}");
        large += items
            .iter()
            .filter(|item| matches!(item.node, Node::File(size, _) if size >= 9 << 20))
            .count();
        deep = deep.max(
            items
                .iter()
                .map(|item| item.path.components().count())
                .max()
                .unwrap_or(0),
        );
        meets += items
            .iter()
            .filter(|item| item.path.starts_with("d"))
            .count();
    }
    assert!(
        large > 5 && deep > 20 && meets > 100,
        "{large} {deep} {meets}"
    );
}

#[test]
fn what_fails_is_made_small() {
    let mut random = Random(7);
    let tree = RandomTree::new(&mut random, Knobs::small(Some(1)));
    let mut scene = tree.scene;
    scene.add(
        "long",
        Node::Bytes([&[b'x'; 700][..], b"!", &[b'y'; 300]].concat()),
    );
    let mut case = Case {
        input: Input::Bytes(b"y\nn\n".into()),
        ..Case::cp(scene, "-vab --backup=t -S x s d")
    };
    case.setting.user = Some(1);
    case.setting.env.push(("POSIXLY_CORRECT", "1"));
    let small = shrink(&case, 2000, steps, |case| {
        let any = |is: fn(&str) -> bool| case.args.iter().any(|arg| is(&arg.to_string_lossy()));
        let has_option = any(|arg| arg.starts_with('-') && arg.contains('a'));
        let has_mark = |node: &Node| matches!(node, Node::Bytes(bytes) if bytes.contains(&b'!'));
        let has_file = case.scene.items.iter().any(|item| has_mark(&item.node));
        has_option && has_file && any(|arg| arg == "s") && case.scene.can_be_made()
    });
    assert_eq!(small.args, ["-a", "s"]);
    assert_eq!(small.scene.items.len(), 1);
    assert_eq!(small.scene.items[0].node, Node::Bytes(b"!".into()));
    assert_eq!((small.input, small.setting.user), (Input::Nothing, None));
    assert!(small.setting.env.is_empty());
}
