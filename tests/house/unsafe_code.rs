//! The page on unsafe code, `src/sys/unsafe.md`: that it names every file that has any, and how
//! much of it. The reasons are written by hand.

use std::collections::BTreeMap;
use std::fs;

use crate::source::words::{places, words};
use crate::source::{Source, marked, top};

const PAGE: &str = "src/sys/unsafe.md";

/// How much unsafe code there is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Count {
    blocks: usize,
    /// Functions, and types of such.
    functions: usize,
    /// Implementations of unsafe traits, and unsafe attributes.
    others: usize,
}

/// The unsafe code of the program, by file.
fn counts(sources: &[Source]) -> BTreeMap<&str, Count> {
    let mut counts = BTreeMap::new();
    for source in sources {
        let words = words(&source.program);
        let mut count = Count::default();
        for at in places(&words, &["unsafe"]) {
            match words.get(at + 1).map(|next| next.text.as_str()) {
                Some("{") => count.blocks += 1,
                Some("fn" | "extern") => count.functions += 1,
                _ => count.others += 1,
            }
        }
        if count != Count::default() {
            counts.insert(source.path.as_str(), count);
        }
    }
    counts
}

impl Count {
    fn cells(self) -> String {
        let Self {
            blocks,
            functions,
            others,
        } = self;
        format!("{blocks} | {functions} | {others}")
    }
}

fn sum<'a>(counts: impl Iterator<Item = &'a Count>) -> Count {
    counts.fold(Count::default(), |sum, count| Count {
        blocks: sum.blocks + count.blocks,
        functions: sum.functions + count.functions,
        others: sum.others + count.others,
    })
}

pub fn print_sum(sources: &[Source]) {
    let counts = counts(sources);
    let Count {
        blocks,
        functions,
        others,
    } = sum(counts.values());
    println!(
        "unsafe: {blocks} blocks, {functions} functions, {others} implementations and attributes \
         in {} files ({PAGE})",
        counts.len()
    );
}

/// Compares the page's numbers with the source, or writes them (`ANNULET_WRITE=1`).
pub fn check_page(sources: &[Source]) -> Result<(), String> {
    let page = fs::read_to_string(top().join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    let reasons = reasons(&page);
    let counts = counts(sources);
    let missing: Vec<_> = counts
        .keys()
        .filter(|path| !reasons.contains_key(**path))
        .collect();
    if !missing.is_empty() {
        return Err(format!(
            "{PAGE}: a row with a reason is missing for {missing:?}"
        ));
    }
    let mut lines = vec![
        "| file | blocks | functions | impls, attributes | why, and what keeps it sound |".into(),
        "| --- | --: | --: | --: | --- |".into(),
    ];
    for (path, count) in &counts {
        let reason = reasons[*path];
        lines.push(format!("| `{path}` | {} | {reason} |", count.cells()));
    }
    lines.push(format!("| all | {} | |", sum(counts.values()).cells()));
    marked::check(PAGE, "unsafe", "", &lines)
}

/// The reasons that the page gives, by file.
fn reasons(page: &str) -> BTreeMap<&str, &str> {
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<_> = line.split(" | ").collect();
        let [first, .., last] = cells.as_slice() else {
            return None;
        };
        let path = first.strip_prefix("| `")?.strip_suffix('`')?;
        let reason = last.strip_suffix(" |")?;
        (!reason.is_empty()).then_some((path, reason))
    });
    rows.collect()
}

#[test]
fn unsafe_code_is_counted() {
    let text = "unsafe fn f(g: unsafe fn()) { unsafe { g() } } unsafe impl Sync for A {}\n\
                #[unsafe(no_mangle)] unsafe extern \"C\" fn h() { let x = || unsafe { 1 }; }\n\
                #[cfg(test)] mod tests { fn f() { unsafe {} } } // unsafe {}";
    let made_up = [Source::new("sys/a.rs", text), Source::new("cli/b.rs", "")];
    let expected = Count {
        blocks: 2,
        functions: 3,
        others: 2,
    };
    assert_eq!(counts(&made_up), BTreeMap::from([("sys/a.rs", expected)]));
    let page = "| `sys/a.rs` | 1 | 2 | 3 | because |\n| `sys/b.rs` | 1 | 2 | 3 |  |\n| all | 1 | 2 | 3 | |";
    assert_eq!(reasons(page), BTreeMap::from([("sys/a.rs", "because")]));
}
