//! `cat`: options, operands.

use super::args::{Invocation, Opt, Stop, choose, help, read, version};
use super::diagnostics::Diagnostics;
use super::quote::Quotes;
use crate::cat::{Shown, concatenate};
use crate::data::wish::{Io, Way};
use crate::sys::Mutex;

const HEAD: &str = "\
Usage: cat [OPTION]... [FILE]...
Print each FILE, or standard input for - or without FILE.

";

// In GNU's order, by which a message lists them.
#[rustfmt::skip]
const OPTIONS: &[Opt<Settings>] = &[
    Opt::flag("-b --number-nonblank", "number lines that are not blank, whatever -n says",
        |s| s.shown |= Shown::NON_BLANK),
    Opt::flag("-n --number", "number all lines", |s| s.shown |= Shown::NUMBERED),
    Opt::flag("-s --squeeze-blank", "print one of several blank lines",
        |s| s.shown |= Shown::SQUEEZED),
    Opt::flag("-v --show-nonprinting", "^X and M-X for other bytes, not LF and tab",
        |s| s.shown |= NONPRINTING),
    Opt::flag("-E --show-ends", "$ at line ends, ^M$ for CR LF", |s| s.shown |= ENDS),
    Opt::flag("-T --show-tabs", "^I for tabs", |s| s.shown |= TABS),
    Opt::flag("-A --show-all", "as -vET", |s| s.shown |= NONPRINTING | ENDS | TABS),
    Opt::flag("-e", "as -vE", |s| s.shown |= NONPRINTING | ENDS),
    Opt::flag("-t", "as -vT", |s| s.shown |= NONPRINTING | TABS),
    Opt::flag("-u", "ignored", |_| ()),
    Opt::ours(Opt::value("--io=WAY",
        "move data as is best (auto), by io_uring (ring),\nor by read and write (sync)",
        |s, way| choose("--io", WAYS, way.to_bytes()).map(|way| s.io = way))),
    Opt::print("--help", "display this help and exit", || help(HEAD, OPTIONS, "")),
    Opt::print("--version", "output version information and exit", || version("cat")),
];

const NONPRINTING: Shown = Shown::NONPRINTING;
const ENDS: Shown = Shown::ENDS;
const TABS: Shown = Shown::TABS;

const WAYS: &[(&str, Io)] = &[
    ("auto", Io::Auto),
    ("ring", Io::Only(Way::Ring)),
    ("sync", Io::Sync),
];

/// What the options ask for.
struct Settings {
    shown: Shown,
    io: Io,
}

/// Runs `cat`.
pub fn main(invocation: &Invocation, reporter: &Mutex<Diagnostics>) -> Result<(), Stop> {
    let diagnostics = &mut *reporter.lock();
    diagnostics.quotes = Quotes::WhereNeeded;
    let mut settings = Settings {
        shown: Shown::empty(),
        io: Io::Auto,
    };
    let mut operands = read(OPTIONS, &mut settings, invocation)?;
    if operands.is_empty() {
        operands.push(c"-");
    }
    diagnostics.output_used |= concatenate(&operands, settings.shown, settings.io, diagnostics);
    Ok(())
}
