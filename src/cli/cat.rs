//! `cat`: usage, options, operands.

use super::Invocation;
use super::diagnostics::Diagnostics;
use super::options::{Given, OptionParser};
use super::quote::Quotes;
use crate::cat::{Cat, Numbered, Shown};
use crate::copy::options::Io;

const USAGE: &[u8] = b"\
Usage: cat [OPTION]... [FILE]...
Print FILEs one after the other to standard output. Without FILE, or where FILE
is -, print standard input.

  -A, --show-all          as -vET
  -b, --number-nonblank   number the lines that are not blank, whatever -n says
  -e                      as -vE
  -E, --show-ends         show $ at each line's end (and ^M$ for CR LF)
  -n, --number            number all lines
  -s, --squeeze-blank     print one blank line for several in a row
  -t                      as -vT
  -T, --show-tabs         show tabs as ^I
  -u                      (ignored: output is never held back)
  -v, --show-nonprinting  show other bytes without a form as ^X and M-X, but for
                            line feeds and tabs
      --io=auto|ring|sync which way unchanged data of files goes: through io_uring
                            to a file where the kernel allows it (auto, the
                            default), always (ring), never (sync)
      --help              display this help and exit
      --version           output version information and exit
";

/// See [`super::options`].
const TABLE: &[u8] = b"\
bb number-nonblank\n\
nn number\n\
ss squeeze-blank\n\
vv show-nonprinting\n\
EE show-ends\n\
TT show-tabs\n\
AA show-all\n\
ee \n\
tt \n\
uu \n\
i\0=io\n\
?\0 help\n\
!\0 version";

/// Runs `cat` and returns its exit status: 0, or 1 if anything was not printed.
pub(super) fn main(invocation: &Invocation) -> u8 {
    let mut diagnostics = Diagnostics::new(invocation.program, Quotes::WhereNeeded);
    let posix = invocation.has_env(b"POSIXLY_CORRECT");
    let mut parser = OptionParser::new(TABLE, invocation.args.clone(), posix);
    let mut shown = Shown::PLAINLY;
    let mut io = Io::Auto;
    loop {
        match parser.next_option() {
            Ok(None) => break,
            Ok(Some(Given { id: b'?', .. })) => {
                diagnostics.print(USAGE);
                return diagnostics.finish();
            }
            Ok(Some(Given { id: b'!', .. })) => {
                super::print_version(&mut diagnostics, b"cat");
                return diagnostics.finish();
            }
            Ok(Some(Given { id: b'i', value })) => match super::io_way(value, &mut diagnostics) {
                Some(way) => io = way,
                None => return diagnostics.finish(),
            },
            Ok(Some(given)) => show(&mut shown, given.id),
            Err(error) => {
                diagnostics.option_error(&error);
                return diagnostics.finish();
            }
        }
    }
    let operands = match &*parser.operands {
        [] => &[c"-"],
        operands => operands,
    };
    Cat::new(shown, io, &mut diagnostics).concatenate(operands);
    diagnostics.finish()
}

/// Applies an option that changes what is shown.
fn show(shown: &mut Shown, id: u8) {
    match id {
        b'b' => shown.numbered = Numbered::NonBlank,
        b'n' if shown.numbered == Numbered::None => shown.numbered = Numbered::All,
        b's' => shown.squeezed = true,
        _ => {
            shown.nonprinting |= matches!(id, b'v' | b'e' | b't' | b'A');
            shown.ends |= matches!(id, b'E' | b'e' | b'A');
            shown.tabs |= matches!(id, b'T' | b't' | b'A');
        }
    }
}
