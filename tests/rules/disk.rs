//! A row on the disk: what GNU cp and annulet make of it.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use annulet::sys::FileType;

use super::model::Run;
use super::rows::{ADMITTED, NOT_YET_ALIKE, ON_PURPOSE, PARENTS, ROWS, Row, SAME};
use super::scene::Scene;
use super::{assert_none, run};
use crate::support::{self, Agree, Kind, Tree};

/// What a program has made of a scene.
#[derive(Debug)]
struct Outcome {
    /// Messages, without the program's name.
    told: String,
    status: i32,
    tree: Tree,
}

/// Runs a program on a scene, with one more option before the words of the line.
fn outcome(program: &Path, option: Option<&str>, scene: &str, line: &str) -> Outcome {
    let dir = support::temp_dir();
    let is_ordinary = line.starts_with("user: ");
    let user = (is_ordinary && support::is_root()).then(support::lonely_user);
    Scene::new(scene).lay(dir.path(), user);
    let (words, answer) = words(line);
    let mut command = support::command(program);
    // GNU's prompts begin with all of the program's name.
    command.arg0("cp");
    command.args(option).args(words).current_dir(dir.path());
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let ran = support::run_with_input(&mut command, answer.as_bytes());
    Outcome {
        told: ran.stderr.replace("cp: ", ""),
        status: ran.status,
        tree: support::tree(dir.path()),
    }
}

/// A line's words, and what is answered.
fn words(line: &str) -> (Vec<&str>, String) {
    let line = line.strip_prefix("user: ").unwrap_or(line);
    let (line, answer) = line.split_once(" < ").unwrap_or((line, ""));
    (line.split(' ').collect(), format!("{answer}\n"))
}

impl Outcome {
    /// What annulet makes of a row; with one worker, which takes names in one order.
    fn of_annulet(row: &Row) -> Self {
        outcome(&support::annulet(), Some("-j1"), row.0, row.1)
    }

    /// How another outcome differs from this one, a line each.
    fn differences(&self, other: &Self) -> Vec<String> {
        let agree = Agree {
            hard_links: true,
            ..Agree::CONTENT
        };
        let mut lines = support::differences(&self.tree, &other.tree, agree);
        if self.told != other.told {
            lines.push(format!("said {:?}, not {:?}", other.told, self.told));
        }
        if self.status != other.status {
            lines.push(format!("status {}, not {}", other.status, self.status));
        }
        lines
    }

    /// How it differs from what the model says. Of a call that fails `fails` is the message; only
    /// the kernel knows what is there then.
    fn differences_from(&self, run: &Run, fails: Option<&str>) -> Vec<String> {
        let mut told = run.told.clone();
        if let Some(message) = fails {
            told = format!("{told}{message}\n");
        }
        let mut lines = Vec::new();
        if self.told != told {
            lines.push(format!("said {:?}, the model {told:?}", self.told));
        }
        if self.status != i32::from(run.has_failed) {
            lines.push(format!(
                "status {}, the model {}",
                self.status, run.has_failed
            ));
        }
        if run.fails != fails.is_some() {
            lines.push(format!("the model fails: {}", run.fails));
        }
        if !run.fails {
            let (is, should_be) = (listed(&self.tree), planned(&run.scene));
            if is != should_be {
                lines.push(format!("{is:?}\nthe model: {should_be:?}"));
            }
        }
        lines
    }
}

/// What stands under a name: its type, where it leads to, and the first name of the same file.
type Listed = BTreeMap<PathBuf, (Kind, Option<String>, Option<PathBuf>)>;

fn listed(tree: &Tree) -> Listed {
    let mut listed = Listed::new();
    for (path, entry) in tree {
        if !path.as_os_str().is_empty() {
            let target = entry
                .target
                .as_ref()
                .map(|target| target.to_string_lossy().into());
            listed.insert(path.clone(), (entry.kind, target, entry.same_as.clone()));
        }
    }
    listed
}

fn planned(scene: &Scene) -> Listed {
    let mut listed = Listed::new();
    let mut first = BTreeMap::new();
    for (path, number) in scene.paths() {
        let file = scene.file(number);
        let kind = match file.kind {
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            _ => Kind::File,
        };
        let target = (kind == Kind::Link).then(|| file.target.clone());
        let path = PathBuf::from(path);
        let same_as = first.get(&number).cloned();
        first.entry(number).or_insert_with(|| path.clone());
        listed.insert(path, (kind, target, same_as));
    }
    listed
}

/// All rows that can be laid on a disk.
fn all_rows() -> impl Iterator<Item = Row> {
    let tables = [ROWS, ADMITTED, PARENTS, SAME];
    let rows = tables.into_iter().flatten().copied();
    rows.filter(|row| Scene::new(row.0).is_possible())
}

#[test]
fn the_program_does_what_the_rules_say() {
    let mut wrong = Vec::new();
    for row in all_rows() {
        let fails = row.3.split_once(", but ").map(|(_, message)| message);
        for line in Outcome::of_annulet(&row).differences_from(&run(&row), fails) {
            wrong.push(format!("{row:?}: {line}"));
        }
    }
    assert_none(&wrong);
}

/// But for what differs on purpose, which has to differ.
#[test]
fn gnu_cp_does_the_same() {
    let test = "gnu_cp_does_the_same";
    let Some((gnu, version)) = support::gnu("cp", test) else {
        return;
    };
    if version != (9, 7) {
        return support::skip(test, "another GNU coreutils than 9.7 (scripts/gnu.sh)");
    }
    let is_to_differ = |row: &Row| {
        let on_purpose = ON_PURPOSE.iter().map(|(scene, line, _)| (*scene, *line));
        let mut listed = on_purpose.chain(NOT_YET_ALIKE.iter().copied());
        listed.any(|listed| listed == (row.0, row.1))
    };
    let mut wrong = Vec::new();
    for row in all_rows() {
        let theirs = outcome(&gnu, None, row.0, row.1);
        let lines = theirs.differences(&Outcome::of_annulet(&row));
        if is_to_differ(&row) && lines.is_empty() {
            wrong.push(format!("{row:?}: is to differ"));
        } else if !is_to_differ(&row) {
            wrong.extend(lines.iter().map(|line| format!("{row:?}: {line}")));
        }
    }
    assert_none(&wrong);
}

#[test]
fn what_differs_on_purpose_stands_in_readme() {
    let readme = std::fs::read_to_string(support::repository().join("README.md"));
    let readme = readme.expect("README.md");
    for (scene, line, words) in ON_PURPOSE {
        assert!(readme.contains(words), "{words}");
        let is_it = |row: Row| (row.0, row.1) == (*scene, *line);
        assert!(all_rows().any(is_it), "no row {scene:?} {line:?}");
    }
}
