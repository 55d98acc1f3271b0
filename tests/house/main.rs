//! What the source is held to, in numbers: prints how it stands, and fails where a limit is passed.
//!
//!     cargo test --test house targets -- --exact --nocapture
//!     ANNULET_WRITE=1 cargo test --test house    # writes the tables that it makes anew
//!
//! `ANNULET_TREE=DIR` looks at another tree of annulet than this one.

mod documented;
mod operations;
mod options;
#[path = "../source/mod.rs"]
mod source;
mod structure;
mod unsafe_code;
mod written;

use source::arrows::Arrows;
use source::{Source, layer_of, marked, program_sources};

/// How something is to be, and how it may be. Where a limit is not the target yet, it is what
/// there was last.
struct Limit {
    what: &'static str,
    most: usize,
    target: usize,
}

/// What was one function that looked, decided and did is three with names of their own: that takes
/// lines. The target is of a program without --progress, --debug and copies in order by two.
const LINES: Limit = Limit {
    what: "lines of code of copy, data, cat, cli and report.rs",
    most: 9_700,
    target: 5_300,
};
const CIRCLES: Limit = Limit {
    what: "circles of files",
    most: 0,
    target: 0,
};
const SPREAD: Limit = Limit {
    what: "types whose methods stand in more than two files",
    most: 0,
    target: 0,
};
/// But for what [`structure::MAY_HAVE_MANY_FIELDS`] names, and what the kernel lays out.
const FIELDS: Limit = Limit {
    what: "fields of the largest struct",
    most: 12,
    target: 12,
};
const INLINE_NEVER: Limit = Limit {
    what: "#[inline(never)]",
    most: 0,
    target: 0,
};
const REPR_C: Limit = Limit {
    what: "#[repr(C)] without an assertion of its size beside it",
    most: 0,
    target: 0,
};
/// Those that are left keep from unmapping what the end of the program unmaps: a system call less.
const MANUALLY_DROP: Limit = Limit {
    what: "ManuallyDrop",
    most: 2,
    target: 2,
};
/// As [`MANUALLY_DROP`].
const FORGET: Limit = Limit {
    what: "mem::forget",
    most: 1,
    target: 1,
};
const RUSTFLAGS: Limit = Limit {
    what: "rustflags",
    most: 0,
    target: 0,
};
const NAMES: Limit = Limit {
    what: "names that say nothing",
    most: 0,
    target: 0,
};
const ORDERED: Limit = Limit {
    what: "enums above sys whose variants are compared by their order",
    most: 0,
    target: 0,
};
const UNREASONED: Limit = Limit {
    what: "functions exempt from clippy's length or depth without a reason",
    most: 0,
    target: 0,
};
/// But for those that define the option.
const OPTION_FILES: Limit = Limit {
    what: "files that read one option",
    most: 2,
    target: 2,
};

impl Limit {
    /// Prints how it stands, and the cases in point. Whether the limit is kept.
    fn check(&self, now: usize, cases: &[String]) -> bool {
        let Self { what, most, target } = self;
        let state = if now > *most {
            format!(", NOT KEPT: at most {most}")
        } else if now > *target {
            ", not there yet".to_owned()
        } else if most > target {
            format!(", and the limit can be tightened from {most}")
        } else {
            String::new()
        };
        println!("{what}: {now}, target {target}{state}");
        for case in cases {
            println!("    {case}");
        }
        now <= *most
    }

    /// As [`Self::check`], for as many as there are cases.
    fn check_cases(&self, cases: &[String]) -> bool {
        self.check(cases.len(), cases)
    }
}

#[test]
fn targets() {
    let sources = program_sources();
    println!();
    let (largest, structs) = structure::largest_structs(&sources, FIELDS.target);
    let (most, options) = options::read_in_many(&sources, OPTION_FILES.target);
    let kept = [
        check_lines(&sources),
        check_circles(&sources),
        SPREAD.check_cases(&structure::spread_types(&sources)),
        FIELDS.check(largest, &structs),
        INLINE_NEVER.check_cases(&written::inline_never(&sources)),
        REPR_C.check_cases(&written::repr_c(&sources)),
        MANUALLY_DROP.check_cases(&written::manually_drop(&sources)),
        FORGET.check_cases(&written::forget(&sources)),
        RUSTFLAGS.check_cases(&written::rustflags()),
        NAMES.check_cases(&structure::names_that_say_nothing(&sources)),
        ORDERED.check_cases(&structure::ordered_enums(&sources)),
        UNREASONED.check_cases(&written::exempt_without_reason(&sources)),
        OPTION_FILES.check(most, &options),
    ];
    unsafe_code::print_sum(&sources);
    assert!(!kept.contains(&false), "a limit is not kept: see above");
}

fn check_lines(sources: &[Source]) -> bool {
    let layers = ["copy", "data", "cat", "cli", "report.rs"];
    let lines_of = |layer: &str| -> usize {
        let files = sources.iter().filter(|source| source.layer() == layer);
        files.map(Source::code_lines).sum()
    };
    let counted: Vec<_> = layers.map(|layer| (layer, lines_of(layer))).into();
    let text = counted
        .iter()
        .map(|(layer, lines)| format!("{layer} {lines}"))
        .collect::<Vec<_>>()
        .join(", ");
    let all: usize = sources.iter().map(Source::code_lines).sum();
    let sum = counted.iter().map(|(_, lines)| lines).sum();
    LINES.check(sum, &[text, format!("all of src: {all}")])
}

fn check_circles(sources: &[Source]) -> bool {
    let arrows = Arrows::new(sources, false);
    let circles = arrows.circles();
    let names = circles.iter().map(|circle| {
        let names: Vec<_> = arrows.names(circle).collect();
        let layer = layer_of(names[0]);
        format!("{layer}: {} files: {}", names.len(), names.join(", "))
    });
    CIRCLES.check_cases(&names.collect::<Vec<_>>())
}

#[test]
fn the_table_of_options_is_right() {
    let table = options::table(&program_sources());
    marked::check("src/copy/options.rs", "options", "//! ", &table)
        .unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn the_page_on_unsafe_code_is_right() {
    unsafe_code::check_page(&program_sources()).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn the_table_of_operations_is_right() {
    operations::check_page(&program_sources()).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn every_public_type_of_the_ring_has_an_example() {
    let without = documented::types_without_example(&program_sources());
    assert!(
        without.is_empty(),
        "their documentation has no example that is run:\n    {}",
        without.join("\n    ")
    );
}
