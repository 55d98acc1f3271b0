//! How much there is to copy, as far as that is known: for `--progress`.
//!
//! Names are counted first, directory after directory, and the sizes of some are looked at: to look at
//! each would take a tenth of the copy's own time. What the others hold is estimated from these.
//! Then all sizes are looked at, slowly, beside the copy: in the end the total is what it is.
//! Meanwhile the files that workers have come to count with their true sizes.
//!
//! Sizes are skewed: most trees have most of their bytes in a few files. So the largest file that
//! was looked at stands for itself alone: else one of 400 MiB, among 600 that were looked at
//! of 2,000 small ones, would be taken for three.

use crate::data::progress::Opened;
use crate::report::{Known, Total};
use crate::sys::FileType;

/// Of the first files all are looked at, and of more one in so many.
const ALL_OF: u64 = 512;
const ONE_IN: u64 = 16;

/// Files and the bytes in them.
#[derive(Debug, Clone, Copy, Default)]
struct Looked {
    files: u64,
    bytes: u64,
}

impl Looked {
    const fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Census {
    /// Symlinks are followed: what they are only looking at them tells.
    follows: bool,
    /// No data is copied, so that sizes do not matter.
    only_names: bool,
    /// Regular files, by name, and what else is no directory.
    regular: u64,
    others: u64,
    /// Those that were looked at the first time.
    sample: Looked,
    /// The largest of them.
    largest: u64,
    /// Those that were looked at the second time, when all are.
    all: Looked,
    /// Whether the largest is among these.
    largest_met: bool,
    known: Known,
}

impl Census {
    /// Nothing was found yet. It matters whether symlinks are followed, and whether no data is
    /// copied.
    pub fn new(follows: bool, only_names: bool) -> Self {
        Self {
            follows,
            only_names,
            ..Self::default()
        }
    }

    /// Counts a directory's name of that type, and says whether there is nothing to look at.
    pub fn passes_over(&mut self, kind: FileType) -> bool {
        let is_regular = kind == FileType::Regular;
        match kind {
            FileType::Directory | FileType::Unknown => return false,
            FileType::Symlink if self.follows => return false,
            // The second time all was counted.
            _ if self.known != Known::Growing => return !is_regular,
            FileType::Regular => self.regular += 1,
            _ => self.others += 1,
        }
        let passes = self.regular > ALL_OF && !self.regular.is_multiple_of(ONE_IN);
        !is_regular || passes || self.only_names
    }

    /// Takes down a regular file's size, `None` if it cannot be looked at; one that
    /// [`Self::passes_over`] has not counted already is counted, if it is `uncounted`.
    pub fn look(&mut self, size: Option<u64>, uncounted: bool) {
        let bytes = if self.only_names {
            0
        } else {
            size.unwrap_or(0)
        };
        if self.known != Known::Growing {
            self.all.add(bytes);
            self.largest_met |= bytes == self.largest;
            return;
        }
        self.regular += u64::from(uncounted);
        self.sample.add(bytes);
        self.largest = self.largest.max(bytes);
    }

    /// Counts what is neither a regular file nor a directory, where only looking at it told so.
    pub fn look_at_other(&mut self) {
        if self.known == Known::Growing {
            self.others += 1;
        }
    }

    /// All names were found. Returns whether sizes are left to be looked at.
    pub fn end_of_names(&mut self) -> bool {
        let is_exact = self.sample.files >= self.regular || self.only_names;
        if is_exact {
            self.all = self.sample;
            self.known = Known::Exact;
        } else {
            self.known = Known::Estimated;
        }
        !is_exact
    }

    /// All sizes were looked at.
    pub const fn end_of_sizes(&mut self) {
        self.known = Known::Exact;
    }

    /// How many files there are to copy, their bytes, and how well that is known.
    pub fn total(&self, opened: Opened) -> Total {
        let files = self.regular + self.others;
        let bytes = match self.known {
            Known::Exact => self.all.bytes.saturating_sub(opened.left_out),
            _ => self.estimate(opened),
        };
        Total {
            files,
            bytes,
            known: self.known,
        }
    }

    fn estimate(&self, opened: Opened) -> u64 {
        let usual = self
            .sample
            .bytes
            .saturating_sub(self.largest)
            .checked_div(self.sample.files.saturating_sub(1))
            .unwrap_or_default();
        let rest = |seen: u64| usual.saturating_mul(self.regular.saturating_sub(seen));
        // By what was looked at.
        let mut looked = self.sample;
        if self.known == Known::Estimated {
            looked = self.all;
            if !self.largest_met {
                looked.add(self.largest);
            }
        }
        let by_looks = looked
            .bytes
            .saturating_add(rest(looked.files))
            .saturating_sub(opened.left_out);
        // By what was opened: it may hold large files that nobody has looked at.
        let by_copy = opened.bytes.saturating_add(rest(opened.files));
        by_looks.max(by_copy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// Counts a directory of files with these sizes, as the first time.
    fn named(sizes: &[u64]) -> Census {
        let mut census = Census::default();
        for &size in sizes {
            if !census.passes_over(FileType::Regular) {
                census.look(Some(size), false);
            }
        }
        census.end_of_names();
        census
    }

    /// Looks at the first `count` of them, as the second time.
    fn look_again(census: &mut Census, sizes: &[u64], count: usize) {
        for &size in &sizes[..count] {
            assert!(!census.passes_over(FileType::Regular));
            census.look(Some(size), false);
        }
    }

    /// As if workers had come to the first `count`, of which they copy all.
    fn opened(sizes: &[u64], count: usize) -> Opened {
        Opened {
            files: count as u64,
            bytes: sizes[..count].iter().sum(),
            left_out: 0,
        }
    }

    fn all(census: &Census) -> (u64, u64, Known) {
        let Total {
            files,
            bytes,
            known,
        } = census.total(Opened::default());
        (files, bytes, known)
    }

    /// 2,000 tiny files, and a large one at `place`.
    fn skewed(place: usize) -> (Vec<u64>, u64) {
        let mut sizes = std::vec![4_u64; 2000];
        sizes.insert(place, 400 << 20);
        let sum = sizes.iter().sum();
        (sizes, sum)
    }

    /// Whether an estimate is off by less than a tenth.
    fn is_near(estimate: u64, truth: u64) -> bool {
        estimate.abs_diff(truth) < truth / 10
    }

    #[test]
    fn few_files_are_known_at_once() {
        let sizes: Vec<u64> = (0..500).map(|n| n * n).collect();
        let Total { bytes, known, .. } = named(&sizes).total(Opened::default());
        assert_eq!((bytes, known), (sizes.iter().sum(), Known::Exact));
    }

    #[test]
    #[cfg_attr(miri, ignore = "slow, and safe code only")]
    fn even_trees_are_estimated_well() {
        // From 0 to 20,000 bytes, in no order.
        let sizes: Vec<u64> = (0..50_000).map(|n| n * 7919 % 20_011).collect();
        let truth: u64 = sizes.iter().sum();
        let mut census = named(&sizes);
        for count in [0, 1, 600, 25_000, 49_999, 50_000] {
            let Total {
                files,
                bytes,
                known,
            } = census.total(opened(&sizes, count));
            assert_eq!((files, known), (50_000, Known::Estimated));
            assert!(is_near(bytes, truth), "{count}: {bytes}, {truth}");
        }
        look_again(&mut census, &sizes, 25_000);
        let Total { bytes, .. } = census.total(Opened::default());
        assert!(is_near(bytes, truth), "{bytes}, {truth}");
    }

    /// Wherever the large file is met, it counts once: as soon as it was looked at or opened.
    #[test]
    #[cfg_attr(miri, ignore = "slow, and safe code only")]
    fn skewed_trees_are_estimated_well_once_the_large_file_was_met() {
        let mut unseen = 0;
        for place in (0..=2000).step_by(37) {
            let (sizes, truth) = skewed(place);
            let mut census = named(&sizes);
            let seen = place < 512 || (place + 1) % 16 == 0;
            for count in (0..=2001).step_by(87) {
                let Total { bytes, .. } = census.total(opened(&sizes, count));
                let is_met = seen || count > place;
                let expected = [2001 * 4, truth][usize::from(is_met)];
                assert!(
                    is_near(bytes, expected),
                    "at {place}, {count} opened: {bytes}"
                );
                unseen += u32::from(!is_met);
            }
            // The second look finds it, whatever was opened.
            for (looked, count) in [place + 1, 2001]
                .into_iter()
                .flat_map(|looked| [0, place, 2001].map(|count| (looked, count)))
            {
                let mut census = named(&sizes);
                look_again(&mut census, &sizes, looked);
                let Total { bytes, .. } = census.total(opened(&sizes, count));
                assert!(is_near(bytes, truth), "at {place}, {count} opened: {bytes}");
            }
            look_again(&mut census, &sizes, 2001);
            census.end_of_sizes();
            let Total {
                files,
                bytes,
                known,
            } = census.total(Opened::default());
            assert_eq!((files, bytes, known), (2001, truth, Known::Exact));
        }
        assert!(unseen > 0, "some are passed over at first");
    }

    /// Many large files among more small ones: nothing is left out but the largest.
    #[test]
    #[cfg_attr(miri, ignore = "slow, and safe code only")]
    fn large_files_that_are_many_are_estimated() {
        let sizes: Vec<u64> = (0..20_000)
            .map(|n| if n % 19 == 0 { 5 << 20 } else { 100 })
            .collect();
        let truth: u64 = sizes.iter().sum();
        let Total { bytes, .. } = named(&sizes).total(Opened::default());
        assert!(is_near(bytes, truth), "{bytes}, {truth}");
    }

    /// What is skipped is no more to be done.
    #[test]
    fn what_is_left_out_is_not_counted() {
        let sizes = std::vec![1000_u64; 3000];
        let mut census = named(&sizes);
        let half = Opened {
            files: 1500,
            bytes: 0,
            left_out: 1_500_000,
        };
        assert_eq!(census.total(half).bytes, 1_500_000);
        look_again(&mut census, &sizes, 3000);
        census.end_of_sizes();
        assert_eq!(census.total(half).bytes, 1_500_000);
    }

    #[test]
    fn names_that_are_no_files() {
        let mut census = Census::new(false, false);
        assert!(!census.passes_over(FileType::Directory));
        assert!(!census.passes_over(FileType::Unknown));
        census.look(Some(7), true);
        assert!(!census.passes_over(FileType::Unknown));
        census.look_at_other();
        assert!(census.passes_over(FileType::Symlink));
        assert!(census.passes_over(FileType::Fifo));
        assert!(!census.passes_over(FileType::Regular));
        // It could not be looked at.
        census.look(None, false);
        assert_eq!(all(&census), (5, 7, Known::Growing));
        assert!(!census.end_of_names());
        assert_eq!(all(&census), (5, 7, Known::Exact));
        let mut followed = Census::new(true, false);
        assert!(!followed.passes_over(FileType::Symlink));
        let mut links = Census::new(false, true);
        assert!(links.passes_over(FileType::Regular));
        links.look(Some(99), true);
        assert!(!links.end_of_names());
        assert_eq!(all(&links), (2, 0, Known::Exact));
    }
}
