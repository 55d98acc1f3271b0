//! What being met before comes to, the directories of `--parents`, and whether source and
//! destination are one file.

use std::collections::{BTreeMap, BTreeSet};

use annulet::copy::plan::{Admission, Met, ParentDecision};
use annulet::sys::{self, Errno, FileType};

use super::command::Command;
use super::model::{Admitted, Parent, Run};
use super::rows::{ADMITTED, PARENTS, Row, SAME};
use super::scene::Scene;
use super::{assert_none, decided, run};

/// What a row is about and what that comes to, as rows have it.
type Told = (String, String);

fn admitted(run: &Run) -> Option<Told> {
    let Admitted {
        met,
        is_followed,
        admission,
    } = *run.admitted.last()?;
    let mut text = match met {
        Met::Never => "never",
        Met::File => "file",
        Met::FileHere => "file here",
        Met::Directory { .. } => "directory",
    }
    .to_owned();
    if let Met::Directory {
        is_made,
        is_cyclic,
        was_here,
        was_elsewhere,
    } = met
    {
        let all = [
            (is_made, " made"),
            (was_here, " here"),
            (was_elsewhere, " elsewhere"),
            (is_cyclic, " cyclic"),
        ];
        text.extend(all.iter().filter(|(is, _)| *is).map(|(_, word)| *word));
    }
    if is_followed {
        text.push_str(" followed");
    }
    let comes_to = match admission {
        Admission::Make => "make",
        Admission::LinkToCopy => "link to copy",
        Admission::Leave => "leave",
        Admission::Stop(_) | Admission::Refuse(_) => run.told.lines().last()?,
    };
    Some((text, comes_to.to_owned()))
}

fn parent(run: &Run) -> Option<Told> {
    let Parent {
        there,
        source,
        decision,
    } = *run.parents.first()?;
    let kind = |kind| match kind {
        FileType::Directory => "directory",
        _ => "other",
    };
    let looked = |looked: sys::Result<FileType>| match looked {
        Err(Errno::ENOENT) => "missing",
        Err(_) => "unreachable",
        Ok(found) => kind(found),
    };
    let there = there.map_or("nothing", kind);
    let source = source.map_or("unasked", looked);
    let comes_to = match decision {
        ParentDecision::Enter => "enter",
        ParentDecision::Make => "make",
        ParentDecision::Refuse(_) => run.told.lines().next()?,
    };
    Some((format!("{there}, source {source}"), comes_to.to_owned()))
}

/// Fails unless each row tells what comes of it.
fn assert_told(rows: &[Row], told: &dyn Fn(&Run) -> Option<Told>) {
    let mut wrong = Vec::new();
    for row in rows {
        let found = told(&run(row)).expect("an answer");
        if (&*found.0, &*found.1) != (row.2, row.3) {
            wrong.push(format!("{row:?}: {found:?}"));
        }
    }
    assert_none(&wrong);
}

/// Fails unless all that can come about stands in two rows.
fn assert_twice(rows: &[Row], come_about: &BTreeMap<String, String>) {
    let mut wrong = Vec::new();
    for (what, example) in come_about {
        let count = rows.iter().filter(|row| row.2 == what).count();
        if count < 2 {
            wrong.push(format!("{what}: {count} rows; {example}"));
        }
    }
    for row in rows {
        if !come_about.contains_key(row.2) {
            wrong.push(format!("{row:?} is not generated"));
        }
    }
    assert_none(&wrong);
}

/// All that comes about in any of the scenes with any of the lines, each with an example.
fn come_about(
    scenes: &[&str],
    lines: &BTreeSet<String>,
    told: &dyn Fn(&Run) -> Option<Told>,
) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in lines {
        let command = Command::new(line);
        for scene in scenes {
            let run = Run::new(Scene::new(scene), command.clone());
            if let Some((what, _)) = told(&run) {
                let example = || format!("{scene:?}, {line:?}");
                found.entry(what).or_insert_with(example);
            }
        }
    }
    found
}

/// Each of the options with one or two sources, and each destination.
fn lines(options: &[&str], sources: &[&str], destinations: &[&str]) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for option in options {
        for one in sources {
            for to in destinations {
                lines.insert(format!("{option} {one} {to}"));
                let is_directory = *to != "new";
                let pairs = sources.iter().filter(|_| is_directory);
                lines.extend(pairs.map(|other| format!("{option} {one} {other} {to}")));
            }
        }
    }
    lines
}

#[test]
fn being_met_before_comes_to_what_the_rows_say() {
    assert_told(ADMITTED, &admitted);
}

#[test]
fn all_that_a_source_can_be_met_as_stands_in_two_rows() {
    let scenes = [
        "d e; d a; d a/b; f a/f; h z a/f; l l -> a; l w -> .; l a/up -> ..",
        "d e; d a; d a/b; l a/b/c -> .; l a/c -> .; l l -> a; l w -> .",
        "d e; d a; d a/b; l a/b/c -> .",
        "d e; d e/a; d a; d a/a; d a/b; l l -> a; l w -> .",
        "d e; f a; h z a; l l -> a; l w -> .",
    ];
    let options = [
        "-r",
        "-rL",
        "-rH",
        "-rn",
        "-d",
        "-du --backup=numbered",
        "-L --preserve=links",
        "-Lu --preserve=links --backup=numbered",
    ];
    let sources = ["a", "w/a", "a/.", "l", "a/a", "a/b", "z", "e/a"];
    let lines = lines(&options, &sources, &["e", "a", "new"]);
    let lines = lines
        .into_iter()
        .filter(|line| !line.ends_with(" a") || !line.contains('z'));
    assert_twice(ADMITTED, &come_about(&scenes, &lines.collect(), &admitted));
}

#[test]
fn the_directories_of_parents_are_judged_as_the_rows_say() {
    assert_told(PARENTS, &parent);
}

#[test]
fn all_that_parents_can_be_stands_in_two_rows() {
    let mut scenes = Vec::new();
    for source in [
        "",
        "d x; f x/a",
        "d x; d x/y; f x/y/a",
        "f x",
        "l x -> nowhere",
        "l x -> f; f f",
    ] {
        for there in [
            "",
            "d e/x",
            "d e/x; d e/x/y",
            "f e/x",
            "l e/x -> ../g; d g",
            "l e/x -> nowhere",
        ] {
            scenes.push(format!("d e; {source}; {there}"));
        }
    }
    let scenes: Vec<_> = scenes.iter().map(|scene| &**scene).collect();
    let options = ["--parents", "--parents -p", "--parents --preserve=mode -r"];
    let mut lines = BTreeSet::new();
    for option in options {
        lines.extend(["x/a", "x/y/a"].map(|source| format!("{option} {source} e")));
    }
    assert_twice(PARENTS, &come_about(&scenes, &lines, &parent));
}

#[test]
fn one_file_is_told_from_two() {
    let mut wrong = Vec::new();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for row in SAME {
        let step = run(row).steps.pop().expect("a name");
        let same = format!("{:?}", step.same.expect("something there"));
        if same != decided(row) {
            wrong.push(format!("{row:?}: {same}"));
        }
        *counts.entry(row.2).or_default() += 1;
    }
    let few = counts.iter().filter(|(_, count)| **count < 2);
    wrong.extend(few.map(|(what, count)| format!("{what}: {count}")));
    assert_none(&wrong);
}
