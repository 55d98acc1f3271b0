//! Operands that wait for workers, each of which takes the next: who is at which, and how far they
//! may go.
//!
//! Most operands are files that have nothing to do with each other: these are copied in any order.
//! Whatever may have to do with others is in doubt, and is copied in its place: after all before
//! it, and before all behind it. Which ones are in doubt only looking at them tells. So nothing is
//! made of an operand before all those before it were looked at; what was taken behind one that is in
//! doubt is given back, and looked at again once that one is copied.

use alloc::vec::Vec;
use core::ffi::CStr;
use core::ops::Range;

use super::names::Names;
use crate::sys::{Mutex, Signal};

/// The operands.
#[derive(Debug)]
pub struct Line<'a> {
    /// All of them, but for the last where that is where they go.
    pub operands: &'a [&'static CStr],
    /// The names that they get there.
    pub names: Names,
    state: Mutex<State>,
    /// One was looked at.
    looked: Signal,
}

#[derive(Debug, Default)]
struct State {
    /// The next to be taken.
    next: usize,
    /// From here on none is copied: this one is in doubt, or there are no more.
    end: usize,
    /// Those that are being looked at.
    looking: Vec<usize>,
    /// Those that were found to be in doubt too late.
    put_off: Vec<usize>,
}

impl<'a> Line<'a> {
    /// Nobody is to take any, and of names nothing is known.
    pub fn new(operands: &'a [&'static CStr]) -> Self {
        Self {
            operands,
            names: Names::default(),
            state: Mutex::new(State::default()),
            looked: Signal::new(),
        }
    }

    /// Lets workers take these operands.
    pub fn open(&self, numbers: Range<usize>) {
        let state = &mut *self.state.lock();
        (state.next, state.end) = (numbers.start, numbers.end);
    }

    /// Takes the next one, to look at it.
    pub fn take(&self) -> Option<usize> {
        let state = &mut *self.state.lock();
        let taken = state.next;
        if taken >= state.end {
            return None;
        }
        state.next += 1;
        state.looking.push(taken);
        Some(taken)
    }

    /// Whether any are left.
    pub fn has_more(&self) -> bool {
        let state = self.state.lock();
        state.next < state.end
    }

    /// Says that an operand that was taken was looked at, and whether it is in doubt. Returns whether
    /// it is to be copied now, once that is known.
    pub fn admit(&self, taken: usize, is_in_doubt: bool) -> bool {
        let mut state = self.state.lock();
        state.looking.retain(|&operand| operand != taken);
        if is_in_doubt {
            state.end = state.end.min(taken);
        }
        self.looked.give();
        while taken < state.end && state.looking.iter().any(|&operand| operand < taken) {
            state = self.looked.wait(state);
        }
        taken < state.end
    }

    /// Has an operand that was admitted copied after all the others, and no more of them taken.
    pub fn put_off(&self, operand: usize) {
        let state = &mut *self.state.lock();
        state.put_off.push(operand);
        state.end = state.end.min(state.next);
    }

    /// How far they came, once nobody is at any; and which one was put off, one after the other.
    pub fn end(&self) -> (usize, Option<usize>) {
        let state = &mut *self.state.lock();
        let first = state.put_off.iter().copied().min();
        state.put_off.retain(|&operand| Some(operand) != first);
        (state.end, first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_are_taken_in_order_until_there_are_no_more() {
        let line = Line::new(&[]);
        assert_eq!(line.take(), None);
        line.open(3..5);
        assert!(line.has_more());
        assert_eq!([line.take(), line.take()], [Some(3), Some(4)]);
        assert!(!line.has_more());
        assert_eq!(line.take(), None);
        assert!(line.admit(3, false) && line.admit(4, false));
        assert_eq!(line.end(), (5, None));
    }

    #[test]
    fn what_stands_behind_one_in_doubt_is_given_back() {
        let line = Line::new(&[]);
        line.open(0..9);
        for _ in 0..4 {
            line.take();
        }
        assert!(line.admit(0, false));
        assert!(!line.admit(2, true));
        assert!(!line.admit(3, false));
        // It was before that one.
        assert!(line.admit(1, false));
        assert_eq!((line.take(), line.end()), (None, (2, None)));
        line.open(3..9);
        assert_eq!(line.take(), Some(3));
        // Another one before it.
        assert!(!line.admit(3, true));
        assert_eq!(line.end(), (3, None));
    }

    #[test]
    fn nothing_is_admitted_before_all_before_it_were_looked_at() {
        let line = Line::new(&[]);
        for is_in_doubt in [false, true] {
            line.open(0..9);
            for _ in 0..3 {
                line.take();
            }
            std::thread::scope(|scope| {
                let later = scope.spawn(|| [line.admit(2, false), line.admit(1, false)]);
                std::thread::sleep(std::time::Duration::from_millis(20));
                assert!(!later.is_finished());
                line.admit(0, is_in_doubt);
                // The second of them was waited for by the first.
                let is_admitted = !is_in_doubt && line.admit(1, false);
                let later = later.join().unwrap();
                assert_eq!((is_admitted, later), (!is_in_doubt, [!is_in_doubt; 2]));
            });
        }
    }

    #[test]
    fn what_is_put_off_comes_last_in_its_order() {
        let line = Line::new(&[]);
        line.open(0..9);
        for number in 0..4 {
            line.take();
            assert!(line.admit(number, false));
        }
        line.put_off(2);
        line.put_off(1);
        assert_eq!(line.take(), None);
        assert_eq!([line.end(), line.end()], [(4, Some(1)), (4, Some(2))]);
        assert_eq!(line.end(), (4, None));
    }
}
