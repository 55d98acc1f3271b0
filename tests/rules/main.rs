//! GNU's rules for one name (`src/copy/plan.rs`, `src/copy/same.rs`), as tables: which rule counts
//! where several have something to say.
//!
//! A row is a scene, a command line, and what the rules say of it. It is tried in memory, without
//! a process, and once on the disk, with annulet and with GNU cp.
//!
//! | file | subject |
//! | --- | --- |
//! | `rows.rs` | the tables |
//! | `scene.rs`, `command.rs` | a few files, in memory and on the disk; command lines |
//! | `model.rs`, `making.rs`, `facts.rs` | carrying them out in memory, by the program's own rules |
//! | `words.rs` | what rules say, in words |
//! | `order.rs` | which rule counts; each pair of rules stands in a row |
//! | `admitted.rs` | what being met before comes to, the directories of `--parents`, one file twice |
//! | `generated.rs` | all that scenes and command lines can come to, in memory |
//! | `disk.rs` | what the programs do |

#[path = "../support/mod.rs"]
mod support;

mod admitted;
mod command;
mod disk;
mod facts;
mod generated;
mod making;
mod model;
mod order;
mod rows;
mod scene;
mod words;

use command::Command;
use model::Run;
use rows::Row;
use scene::Scene;

/// Carries a row out in memory.
fn run(row: &Row) -> Run {
    Run::new(Scene::new(row.0), Command::new(row.1))
}

/// What a row's rule says, without the message of a call that fails behind it.
fn decided(row: &Row) -> &'static str {
    row.3.split(", but ").next().expect("a text")
}

/// Fails with all that is wrong, if anything is.
fn assert_none(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
