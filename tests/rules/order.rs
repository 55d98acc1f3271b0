//! Which rule counts: the order of `RULES`.

use std::collections::{BTreeMap, BTreeSet};

use annulet::copy::plan::RULES;

use super::command::Command;
use super::model::{Run, Step};
use super::rows::{ROWS, Row};
use super::scene::Scene;
use super::{assert_none, decided, generated, run};

/// A rule that counts, and another that would say something else.
type Pair = (&'static str, &'static str);

/// The rules that would say something else than the one that counts.
fn others(step: &Step) -> impl Iterator<Item = &'static str> {
    let (_, says) = &step.said[0];
    let others = step.said.iter().filter(move |(_, other)| other != says);
    others.map(|(rule, _)| *rule)
}

/// The rule that counts and the others, as a row has them.
fn counting(step: &Step) -> String {
    let mut text = step.said[0].0.to_owned();
    let mut before = " over ";
    for rule in others(step) {
        text = text + before + rule;
        before = " ";
    }
    text
}

/// What a row's rules say of its name.
fn last_step(row: &Row) -> Step {
    run(row).steps.pop().expect("a name")
}

/// Whether a row holds with the rules in that order.
fn holds(row: &Row, step: &Step, order: &[&str]) -> bool {
    let place = |rule: &str| order.iter().position(|other| *other == rule);
    let placed = step.said.iter().filter(|(rule, _)| place(rule).is_some());
    let first = placed.min_by_key(|(rule, _)| place(rule));
    first.is_some_and(|(_, says)| *says == decided(row))
}

fn names() -> Vec<&'static str> {
    RULES.iter().map(|(name, _)| *name).collect()
}

/// All pairs that there are, each with a row for it.
fn pairs() -> BTreeMap<Pair, String> {
    let mut pairs = BTreeMap::new();
    generated::all(&mut |scene, line, command| {
        for step in &Run::new(Scene::new(scene), command).steps {
            for other in others(step) {
                let row = || draft(scene, line, step);
                pairs.entry((step.said[0].0, other)).or_insert_with(row);
            }
        }
    });
    pairs
}

/// A row for what a generated command line comes to, simpler if it can be.
fn draft(scene: &str, line: &str, wanted: &Step) -> String {
    let mut line = line.to_owned();
    for needless in [" < y", "user: "] {
        let shorter = line.replace(needless, "");
        let run = Run::new(Scene::new(scene), Command::new(&shorter));
        if run
            .steps
            .last()
            .is_some_and(|step| step.said == wanted.said)
        {
            line = shorter;
        }
    }
    let (_, says) = &wanted.said[0];
    format!("({scene:?}, {line:?}, {:?}, {says:?}),", counting(wanted))
}

#[test]
fn in_each_row_its_rule_counts() {
    let mut wrong = Vec::new();
    for row in ROWS {
        let step = last_step(row);
        let (counts, says) = (counting(&step), &step.said[0].1);
        if counts != row.2 || says != decided(row) {
            wrong.push(format!("{row:?}: {counts}: {says}"));
        }
    }
    assert_none(&wrong);
}

#[test]
fn no_row_stands_twice() {
    let lines: BTreeSet<_> = ROWS.iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(lines.len(), ROWS.len());
}

#[test]
fn each_rule_counts_in_two_rows() {
    let mut wrong = Vec::new();
    for rule in names() {
        let rows = ROWS
            .iter()
            .filter(|row| row.2.split(' ').next() == Some(rule));
        let count = rows.count();
        if count < 2 {
            wrong.push(format!("{rule}: {count}"));
        }
    }
    assert_none(&wrong);
}

/// Pairs that say the same wherever both speak are none: their order is nobody's business. Nor are
/// those of which an earlier rule always counts.
#[test]
fn each_pair_of_rules_that_contradict_stands_in_a_row() {
    let mut stands = BTreeSet::new();
    for row in ROWS {
        let step = last_step(row);
        stands.extend(others(&step).map(|other| (step.said[0].0, other)));
    }
    let pairs = pairs();
    let missing = pairs.iter().filter(|(pair, _)| !stands.contains(*pair));
    let missing: Vec<_> = missing
        .map(|(pair, row)| format!("{pair:?}: {row}"))
        .collect();
    assert_none(&missing);
    println!("{} rows, {} pairs", ROWS.len(), stands.len());
}

/// The table sees it where a rule stands before one that is to count, or is left out.
#[test]
fn another_order_is_noticed() {
    let steps: Vec<_> = ROWS.iter().map(last_step).collect();
    let notices = |order: &[&str]| {
        let mut rows = ROWS.iter().zip(&steps);
        rows.any(|(row, step)| !holds(row, step, order))
    };
    assert!(!notices(&names()), "the order as it is");
    let mut unnoticed = Vec::new();
    for (counts, other) in pairs().into_keys() {
        let mut order = names();
        order.retain(|rule| *rule != other);
        let place = order.iter().position(|rule| *rule == counts);
        order.insert(place.expect("a rule"), other);
        if !notices(&order) {
            unnoticed.push(format!("{other} before {counts}"));
        }
    }
    for rule in names() {
        let mut order = names();
        order.retain(|other| *other != rule);
        if !notices(&order) {
            unnoticed.push(format!("without {rule}"));
        }
    }
    assert_none(&unnoticed);
}
