//! `cat`: usage, options, operands.

use super::diagnostics::Diagnostics;
use super::quote::Quotes;
use super::{Command, Invocation, USUAL_WAYS, read_arguments};
use crate::cat::{Shown, concatenate};
use crate::sys::Mutex;

const USAGE: &str = "\
Usage: cat [OPTION]... [FILE]...
Print each FILE, or standard input for - or without FILE.

  -A, --show-all          as -vET
  -b, --number-nonblank   number lines that are not blank, whatever -n says
  -e                      as -vE
  -E, --show-ends         $ at line ends, ^M$ for CR LF
  -n, --number            number all lines
  -s, --squeeze-blank     print one of several blank lines
  -t                      as -vT
  -T, --show-tabs         ^I for tabs
  -u                      ignored
  -v, --show-nonprinting  ^X and M-X for other bytes, not LF and tab
      --io=auto|ring|sync move data as is best, by io_uring, by read and write
      --help
      --version
";

/// See [`super::options`]. An id is what the option shows, as the bits of [`Shown`], in a
/// letter of the rows from `@` on.
const COMMAND: Command = Command {
    name: b"cat",
    usage: USAGE,
    table: b"\
Cb number-nonblank\n\
An number\n\
Ds squeeze-blank\n\
`v show-nonprinting\n\
HE show-ends\n\
PT show-tabs\n\
xA show-all\n\
he \n\
pt \n\
@u \n\
i\0:io\n\
?\0 help\n\
!\0 version",
    ways: USUAL_WAYS,
};

/// Runs `cat`.
pub(super) fn main(invocation: &Invocation, reporter: &Mutex<Diagnostics>) {
    let diagnostics = &mut *reporter.lock();
    diagnostics.quotes = Quotes::WhereNeeded;
    let mut shown = Shown::empty();
    let mut parser = invocation.parser(COMMAND.table);
    let io = read_arguments(&COMMAND, &mut parser, diagnostics, &mut |given, _| {
        shown |= Shown::from_bits_truncate(given.id);
        true
    });
    if let Some(io) = io {
        let operands = match &*parser.operands {
            [] => &[c"-"],
            operands => operands,
        };
        concatenate(operands, shown, io, diagnostics);
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::id_of;
    use super::*;

    #[test]
    fn ids_are_what_options_show() {
        let shown = |letter| Shown::from_bits_truncate(id_of(COMMAND.table, letter));
        let (v, e, t) = (Shown::NONPRINTING, Shown::ENDS, Shown::TABS);
        assert_eq!([b'v', b'E', b'T'].map(shown), [v, e, t]);
        assert_eq!([b'A', b'e', b't'].map(shown), [v | e | t, v | e, v | t]);
        assert_eq!(shown(b'b'), Shown::NON_BLANK);
        assert_eq!(shown(b'n'), Shown::NUMBERED);
        assert_eq!(shown(b's'), Shown::SQUEEZED);
        assert_eq!(shown(b'u'), Shown::empty());
    }
}
