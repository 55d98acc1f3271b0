//! Whether source and destination are one file, and whether that does any harm: `same_file_ok`
//! of GNU's `copy.c`.

use super::case::{Case, Same, Side};
use super::options::Flags;
use crate::sys::{FileType, Stat};

/// Compares a source with what is `there`.
#[must_use]
pub fn same(case: &Case<'_>, there: &Stat) -> Same {
    let options = case.options;
    let source = &case.source.stat;
    let one_file = there.id == source.id;
    if one_file && options.has(Flags::LINK) {
        return Same::Done;
    }
    if case.source.is_followed {
        if !one_file {
            return Same::Harmless;
        }
        // Both sides as they are, symlinks too.
        let sides = [Side::Source, Side::Destination].map(|side| case.facts.itself(side));
        return match sides {
            [Ok(src), Ok(dst)] => compare(case, &src, &dst),
            _ => Same::Harmless,
        };
    }
    if is_link(source) && is_link(there) {
        return compare_links(case, source.id == there.id);
    }
    compare(case, source, there)
}

fn is_link(stat: &Stat) -> bool {
    stat.kind == FileType::Symlink
}

/// Of two symlinks that are copied as such. For two names of one GNU cp takes one name as well
/// that is given by way of a symlink to its directory.
fn compare_links(case: &Case<'_>, one_inode: bool) -> Same {
    let is_left = one_inode && !case.options.backs_up();
    match (case.facts.same_entry(), is_left) {
        (true, true) if case.facts.are_held_apart() => Same::Done,
        (true, _) => Same::Lost,
        (_, true) => Same::Done,
        _ => Same::Harmless,
    }
}

fn compare(case: &Case<'_>, src: &Stat, dst: &Stat) -> Same {
    let (options, facts) = (case.options, case.facts);
    let one_inode = src.id == dst.id;
    let any_link = is_link(src) || is_link(dst);
    let removes = options.removes();
    if is_link(src) && is_link(dst) && removes {
        return Same::Harmless;
    }
    if options.backs_up() {
        // Moved away, what the source leads to could not be opened any more.
        let is_harmless = if one_inode {
            !facts.same_entry()
        } else {
            !case.source.is_followed || !is_link(src) || is_link(dst)
        };
        return if is_harmless {
            Same::Harmless
        } else {
            Same::Lost
        };
    }
    // Of a file with another name, this one can be removed.
    if removes && (is_link(dst) || (one_inode && dst.nlink > 1 && !facts.same_entry())) {
        return Same::Harmless;
    }
    // A symlink that is to be made is in the way of nothing but a symlink.
    if options.has(Flags::SYMLINK) && is_link(dst) {
        return Same::Harmless;
    }
    if !any_link {
        return if one_inode {
            Same::Lost
        } else {
            Same::Harmless
        };
    }
    if case.source.is_followed {
        return Same::Lost;
    }
    // A symlink and, perhaps, what it leads to.
    match (facts.led_to(Side::Source), facts.led_to(Side::Destination)) {
        (Ok(src), Ok(dst)) if src.id == dst.id => {}
        _ => return Same::Harmless,
    }
    match (options.has(Flags::LINK), is_link(dst)) {
        (true, true) => Same::Harmless,
        (true, false) => Same::Done,
        _ => Same::Lost,
    }
}
