//! What threads share, under loom: every order in which they can reach it, and every value that a
//! load may then see, on a processor as weakly ordered as the language allows.
//!
//! Each of these is a failure in one of the models: one ordering relaxed in `lock`, `unlock`, `open`,
//! the second look of the latch's `wait`, or the end of a team; a lock that who has slept takes without
//! saying that others may want it; a lock or a latch that wakes nobody; a signal that counts who
//! waits, or looks at its count, only after the lock was given up, or does not count itself.

use core::sync::atomic::Ordering;
use std::assert_eq;
use std::sync::Arc;

use loom::thread;

use super::atomic::AtomicU32;
use super::modelled::{Bare, allow_threads, explore};
use super::sync::{Latch, Mutex, Signal};
use super::thread::Team;

/// Runs `work` in so many threads, and waits for them.
fn run<T: Send + Sync + 'static>(threads: u32, shared: &Arc<T>, work: fn(&T, u32)) {
    let spawn = |number| {
        let shared = Arc::clone(shared);
        thread::spawn(move || work(&shared, number))
    };
    let threads: std::vec::Vec<_> = (1..threads).map(spawn).collect();
    work(shared, 0);
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_lock_lets_one_of_three_in_at_a_time() {
    explore(3, || {
        let counter = Arc::new(Mutex::new(0));
        run(3, &counter, |counter, _| *counter.lock() += 1);
        assert_eq!(*counter.lock(), 3);
    });
}

/// Who was woken says that others may be asleep.
#[test]
fn a_lock_that_is_taken_twice_wakes_all() {
    explore(3, || {
        let counter = Arc::new(Mutex::new(0));
        run(2, &counter, |counter, _| {
            for _ in 0..2 {
                *counter.lock() += 1;
            }
        });
        assert_eq!(*counter.lock(), 4);
    });
}

/// What changes under a lock, and the signal that it has.
struct Turns {
    turn: Mutex<u32>,
    changed: Signal,
    /// The signal is given after the lock was given up.
    gives_late: bool,
}

fn take_turn(turns: &Turns, mine: u32) {
    let mut turn = turns.turn.lock();
    while *turn != mine {
        turn = turns.changed.wait(turn);
    }
    *turn += 1;
    if turns.gives_late {
        drop(turn);
    }
    turns.changed.give();
}

fn turns_are_taken(gives_late: bool) {
    explore(2, move || {
        let turns = Arc::new(Turns {
            turn: Mutex::new(0),
            changed: Signal::new(),
            gives_late,
        });
        run(3, &turns, take_turn);
        assert_eq!(*turns.turn.lock(), 3);
    });
}

#[test]
fn a_signal_under_the_lock_is_not_slept_through() {
    turns_are_taken(false);
}

#[test]
fn a_signal_behind_the_lock_is_not_slept_through() {
    turns_are_taken(true);
}

#[test]
fn what_was_done_before_a_latch_opened_is_seen() {
    explore(3, || {
        let shared = Arc::new((Latch::new(), Bare::default()));
        run(3, &shared, |(latch, value), number| {
            if number == 0 {
                value.set(7);
                latch.open();
            } else {
                // One of them looks before it sleeps.
                let timeout_ms = number - 1;
                while !latch.wait(timeout_ms.into()) && !latch.wait(1) {}
                assert_eq!(value.get(), 7);
            }
        });
    });
}

#[test]
fn what_a_team_has_done_is_seen() {
    #[derive(Default)]
    struct Shared {
        values: [Bare; 2],
        begun: AtomicU32,
    }

    fn work(shared: &Shared) {
        let number = shared.begun.fetch_add(1, Ordering::Relaxed);
        shared.values[number as usize].set(7);
    }

    allow_threads();
    explore(3, || {
        let shared = Shared::default();
        Team::with(&shared, work, 2, |team| team.start(2)).unwrap();
        assert_eq!(shared.values.each_ref().map(Bare::get), [7, 7]);
    });
}
