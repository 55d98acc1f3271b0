//! Making what fails smaller for as long as it fails: whatever it is, by a list of steps each of
//! which takes something away.

/// Takes something away, if it is still there.
pub type Step<C> = Box<dyn FnOnce(&mut C)>;

/// Applies to `whole` each of the steps that there are for it with which `fails` says that it
/// still fails. Ends where no step is left that does, or after `most` attempts.
///
/// Steps are made for what there is before the first of them, and each may come when others have
/// changed that: what takes away the last of several things comes first.
pub fn shrink<C: Clone + PartialEq>(
    whole: &C,
    most: usize,
    steps: impl Fn(&C) -> Vec<Step<C>>,
    mut fails: impl FnMut(&C) -> bool,
) -> C {
    let mut best = whole.clone();
    let mut left = most;
    loop {
        let before = best.clone();
        for step in steps(&before) {
            let mut smaller = best.clone();
            step(&mut smaller);
            if left == 0 || smaller == best {
                continue;
            }
            left -= 1;
            if fails(&smaller) {
                best = smaller;
            }
        }
        if best == before || left == 0 {
            return best;
        }
    }
}

/// The pieces that can be taken out of `len` things, as beginning and end: large ones first, and
/// the last one first. Of a long list not the smallest pieces: they come when it is shorter.
pub fn pieces(len: usize) -> Vec<(usize, usize)> {
    let sizes = std::iter::successors(Some(len), |size| Some(size / 2));
    sizes
        .take_while(|size| *size > 0 && len / size <= 256)
        .flat_map(|size| {
            let starts = (0..len).step_by(size).collect::<Vec<_>>().into_iter().rev();
            starts.map(move |start| (start, (start + size).min(len)))
        })
        .collect()
}
