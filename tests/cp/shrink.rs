//! Making a case that fails smaller for as long as it fails.

use std::path::Path;

use super::scene::Node;
use super::trial::Trial;

/// Takes away from `trial` what can be taken away while `fails` says that it still fails. Ends
/// where nothing more can go, or after `most` attempts.
pub fn shrink(trial: &Trial, most: usize, mut fails: impl FnMut(&Trial) -> bool) -> Trial {
    let mut best = trial.clone();
    let mut left = most;
    loop {
        let before = best.clone();
        // Backwards: what is taken away moves what comes after it.
        for at in (0..best.args.len()).rev() {
            attempt(&mut best, &mut left, &mut fails, |trial| {
                trial.args.remove(at);
            });
        }
        for at in (1..best.args.len()).rev() {
            // An option and its value.
            attempt(&mut best, &mut left, &mut fails, |trial| {
                if at < trial.args.len() {
                    trial.args.drain(at - 1..=at);
                }
            });
        }
        for at in (0..best.setting.env.len()).rev() {
            attempt(&mut best, &mut left, &mut fails, |trial| {
                trial.setting.env.remove(at);
            });
        }
        attempt(&mut best, &mut left, &mut fails, |trial| {
            trial.setting.user = None;
        });
        attempt(&mut best, &mut left, &mut fails, |trial| {
            trial.setting.umask = 0o022;
        });
        attempt(&mut best, &mut left, &mut fails, |trial| {
            trial.answers.clear();
        });
        for at in (0..best.scene.items.len()).rev() {
            attempt(&mut best, &mut left, &mut fails, |trial| without(trial, at));
        }
        for at in (0..best.scene.items.len()).rev() {
            simplify(&mut best, &mut left, &mut fails, at);
        }
        if best == before || left == 0 {
            return best;
        }
    }
}

/// Keeps a change if the case still fails with it.
fn attempt(
    best: &mut Trial,
    left: &mut usize,
    fails: &mut impl FnMut(&Trial) -> bool,
    change: impl FnOnce(&mut Trial),
) {
    let mut changed = best.clone();
    change(&mut changed);
    if *left > 0 && changed != *best {
        *left -= 1;
        if fails(&changed) {
            *best = changed;
        }
    }
}

/// Takes a name away, with what is below it and its other names.
fn without(trial: &mut Trial, at: usize) {
    if let Some(gone) = trial.scene.items.get(at).map(|item| item.path.clone()) {
        let is_below = |path: &Path| path.starts_with(&gone);
        trial.scene.items.retain(|item| {
            !is_below(&item.path) && !matches!(&item.node, Node::Hard(first) if is_below(first))
        });
    }
}

/// Makes one name plainer.
fn simplify(best: &mut Trial, left: &mut usize, fails: &mut impl FnMut(&Trial) -> bool, at: usize) {
    let user = best.setting.user;
    let Some(item) = best.scene.items.get(at).cloned() else {
        return;
    };
    for number in (0..item.xattrs.len()).rev() {
        attempt(best, left, fails, |trial| {
            trial.scene.items[at].xattrs.remove(number);
        });
    }
    attempt(best, left, fails, |trial| {
        trial.scene.items[at].owner = user.map(|id| (id, id));
    });
    attempt(best, left, fails, |trial| {
        let is_dir = matches!(item.node, Node::Dir);
        trial.scene.items[at].mode = if is_dir { 0o755 } else { 0o644 };
    });
    attempt(best, left, fails, |trial| {
        trial.scene.items[at].mtime = (1_000_000_000 + 1000 * at.cast_signed() as i64, 0);
    });
    if matches!(item.node, Node::File(1.., _) | Node::Parts(_)) {
        attempt(best, left, fails, |trial| {
            trial.scene.items[at].node = Node::File(0, Vec::new());
        });
        attempt(best, left, fails, |trial| {
            trial.scene.items[at].node = Node::File(10, vec![(0, 10)]);
        });
    }
    if let Node::Parts(parts) = &item.node {
        for number in (0..parts.len()).rev() {
            attempt(best, left, fails, |trial| {
                if let Node::Parts(parts) = &mut trial.scene.items[at].node
                    && number < parts.len()
                {
                    parts.remove(number);
                }
            });
        }
    }
    if !matches!(item.node, Node::Dir | Node::File(..) | Node::Hard(_)) {
        attempt(best, left, fails, |trial| {
            trial.scene.items[at].node = Node::File(10, vec![(0, 10)]);
        });
    }
}
