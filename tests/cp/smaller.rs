//! What can be taken away from a case, or made plainer in it.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::case::{Case, How, Input, Opened, Output};
use super::scene::{Item, Node};
use super::shrink::{Step, pieces};

/// All the steps, for [`super::shrink::shrink`].
pub fn steps(case: &Case) -> Vec<Step<Case>> {
    let mut steps = Vec::new();
    of_arguments(case, &mut steps);
    of_surroundings(case, &mut steps);
    of_descriptors(case, &mut steps);
    // Backwards: what is taken away moves what comes after it.
    for at in (0..case.scene.items.len()).rev() {
        add(&mut steps, move |case| without(case, at));
    }
    for (at, item) in case.scene.items.iter().enumerate().rev() {
        of_item(item, at, &mut steps);
    }
    steps
}

fn add(steps: &mut Vec<Step<Case>>, step: impl FnOnce(&mut Case) + 'static) {
    steps.push(Box::new(step));
}

/// Arguments, options with their values, and letters of several options in one word.
fn of_arguments(case: &Case, steps: &mut Vec<Step<Case>>) {
    let count = case.args.len();
    for (from, to) in (0..count)
        .rev()
        .map(|at| (at, at + 1))
        .chain((1..count).rev().map(|at| (at - 1, at + 1)))
    {
        add(steps, move |case| {
            if to <= case.args.len() {
                case.args.drain(from..to);
            }
        });
    }
    for (at, word) in case.args.iter().enumerate() {
        let word = word.as_bytes();
        let is_short = word.len() > 2 && word[0] == b'-' && word[1] != b'-';
        for letter in (1..word.len()).rev().filter(|_| is_short) {
            add(steps, move |case| without_letter(case, at, letter));
        }
    }
}

fn without_letter(case: &mut Case, at: usize, letter: usize) {
    let Some(arg) = case.args.get_mut(at) else {
        return;
    };
    let mut word = std::mem::take(arg).into_vec();
    if letter < word.len() {
        word.remove(letter);
    }
    *arg = OsString::from_vec(word);
}

fn of_surroundings(case: &Case, steps: &mut Vec<Step<Case>>) {
    for at in (0..case.setting.env.len()).rev() {
        add(steps, move |case| {
            case.setting.env.remove(at);
        });
    }
    add(steps, |case| case.setting.user = None);
    add(steps, |case| case.setting.umask = 0o022);
}

/// Standard input and output.
fn of_descriptors(case: &Case, steps: &mut Vec<Step<Case>>) {
    add(steps, |case| case.input = Input::Nothing);
    add(steps, |case| match &mut case.input {
        Input::File(file) => file.at = 0,
        Input::Pipe(bytes, step) => *step = (*step).max(bytes.len()),
        _ => {}
    });
    let len = match &case.input {
        Input::Bytes(bytes) | Input::Pipe(bytes, _) => bytes.len(),
        _ => 0,
    };
    for (from, to) in pieces(len) {
        add(steps, move |case| match &mut case.input {
            Input::Bytes(bytes) | Input::Pipe(bytes, _) => cut(bytes, from, to),
            _ => {}
        });
    }
    add(steps, |case| case.output = Output::Kept);
    add(steps, |case| {
        if case.output != Output::Kept {
            case.output = Output::Pipe;
        }
    });
    for plainer in [How::Empty, How::Write] {
        add(steps, move |case| match &mut case.output {
            Output::File(file) if file.how != How::Empty => {
                *file = Opened::new(file.path.clone(), plainer, 0);
            }
            _ => {}
        });
    }
}

fn cut<T>(list: &mut Vec<T>, from: usize, to: usize) {
    let to = to.min(list.len());
    if from < to {
        list.drain(from..to);
    }
}

/// Takes a name away, with what is below it and its other names.
fn without(case: &mut Case, at: usize) {
    let items = &mut case.scene.items;
    if let Some(gone) = items.get(at).map(|item| item.path.clone()) {
        let is_below = |path: &Path| path.starts_with(&gone);
        items.retain(|item| {
            !is_below(&item.path) && !matches!(&item.node, Node::Hard(first) if is_below(first))
        });
    }
}

/// A change of one item, for the user that the case is run by.
type Change = Box<dyn FnOnce(&mut Item, Option<u32>)>;

/// Makes one name plainer.
fn of_item(item: &Item, at: usize, steps: &mut Vec<Step<Case>>) {
    let path = item.path.clone();
    // By its path: where it stands has changed with what was taken away before.
    let mut change = |change: Change| {
        let path = path.clone();
        add(steps, move |case| {
            let user = case.setting.user;
            let item = case.scene.items.iter_mut().find(|item| item.path == path);
            if let Some(item) = item {
                change(item, user);
            }
        });
    };
    for (from, to) in pieces(item.xattrs.len()) {
        change(Box::new(move |item, _| cut(&mut item.xattrs, from, to)));
    }
    change(Box::new(|item, user| item.owner = user.map(|id| (id, id))));
    change(Box::new(|item, _| item.mode = item.node.usual_mode()));
    let seconds = 1_000_000_000 + 1000 * i64::try_from(at).expect("a small number");
    change(Box::new(move |item, _| item.mtime = (seconds, 0)));
    let parts = match &item.node {
        Node::Bytes(bytes) => bytes.len(),
        Node::Parts(parts) => parts.len(),
        _ => 0,
    };
    for (from, to) in pieces(parts) {
        change(Box::new(move |item, _| match &mut item.node {
            Node::Bytes(bytes) => cut(bytes, from, to),
            Node::Parts(parts) => cut(parts, from, to),
            _ => {}
        }));
    }
    if matches!(item.node, Node::Dir | Node::Hard(_) | Node::Bytes(_)) {
        return;
    }
    change(Box::new(|item, _| item.node = Node::File(0, Vec::new())));
    change(Box::new(|item, _| {
        if !matches!(item.node, Node::File(..=10, _)) {
            item.node = Node::File(10, vec![(0, 10)]);
        }
    }));
}
