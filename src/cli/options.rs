//! Command-line options, read as `getopt_long` reads them: short ones bundle, long ones may be
//! cut short, options may stand after operands, `--` ends them.
//!
//! A command's options are a table of bytes, a line for each. Its columns: the option's id,
//! which the command knows it by; its letter, or NUL; what value it takes; its long name, if
//! it has one. Two lines with one id are two names of one option. Next to structures with
//! strings in them this saves 24 bytes an option.
//!
//! ```text
//! rr recursive           takes no value
//! rR                     another letter of the same option
//! tt=target-directory    takes a value, in the same argument or the next
//! l\0?reflink            takes one in the same argument only: --reflink=value
//! p\0.progress           as ' ', and its name is not to be cut short
//! j\0:jobs               as '=', likewise: GNU's options keep all that is short for them
//! ```

use core::ffi::CStr;

use crate::report::Message;
use crate::sys::{Vec, until_nul};

/// In a table: takes no value; likewise, with a name that is not to be cut short.
const NOTHING: u8 = b' ';
const NOTHING_WHOLE: u8 = b'.';
/// In a table: takes a value, in the same argument or the next; likewise.
const VALUE: u8 = b'=';
const VALUE_WHOLE: u8 = b':';

/// Whether an option of a row takes nothing.
const fn takes_nothing(takes: u8) -> bool {
    matches!(takes, NOTHING | NOTHING_WHOLE)
}

/// An option that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// The option's id.
    pub id: u8,
    /// Its value, if it came with one.
    pub value: Option<&'static CStr>,
}

/// A line of an option table: id, letter and what it takes, and the name.
type Row = (&'static [u8; 3], &'static [u8]);

/// The options of `table`.
fn rows(table: &'static [u8]) -> impl Iterator<Item = Row> {
    table
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split_first_chunk())
}

/// Reads a command's arguments; operands gather in [`Self::operands`].
#[derive(Debug)]
pub struct OptionParser<I> {
    table: &'static [u8],
    args: I,
    /// What is left of a bundle of short options; it keeps its final NUL.
    bundle: &'static [u8],
    /// Whether the first operand ends the options, as under `POSIXLY_CORRECT`.
    pub stops_at_operand: bool,
    ended: bool,
    /// The option that was read last.
    pub given: Given,
    /// Its letter or name; of one that is wrong, as messages name it.
    pub name: &'static [u8],
    /// The arguments that are not options, in order.
    pub operands: Vec<&'static CStr>,
    /// The long options that a name may be short for, as a message lists them.
    pub candidates: Vec<u8>,
}

impl<I: Iterator<Item = &'static CStr>> OptionParser<I> {
    /// A parser of `args`, which begin after the command's name.
    pub const fn new(table: &'static [u8], args: I, stops_at_operand: bool) -> Self {
        Self {
            table,
            args,
            bundle: b"",
            stops_at_operand,
            ended: false,
            given: Given { id: 0, value: None },
            name: b"",
            operands: Vec::new(),
            candidates: Vec::new(),
        }
    }

    /// Reads the next option, which is then [`Self::given`]; false when all arguments have been
    /// read.
    ///
    /// # Errors
    /// The message, with `{=0}` for [`Self::name`] and `{=1}` for [`Self::candidates`]; the
    /// arguments after it are not read.
    pub fn next_option(&mut self) -> Result<bool, Message> {
        while let [0] | [] = self.bundle {
            let Some(arg) = self.args.next() else {
                return Ok(false);
            };
            match arg.to_bytes_with_nul() {
                [b'-', rest @ ..] if !self.ended && rest != b"\0" => match rest {
                    b"-\0" => self.ended = true,
                    [b'-', text @ ..] => return self.long(text),
                    bundle => self.bundle = bundle,
                },
                _ => {
                    self.operands.push(arg);
                    self.ended |= self.stops_at_operand;
                }
            }
        }
        self.short()
    }

    /// The option whose letter is next in the bundle; its value is the rest of the bundle or
    /// the next argument.
    fn short(&mut self) -> Result<bool, Message> {
        (self.name, self.bundle) = self.bundle.split_at_checked(1).unwrap_or_default();
        let Some((row, _)) = rows(self.table).find(|(row, _)| self.name == [row[1]]) else {
            return Err(Message::WrongLetter);
        };
        let mut attached = None;
        if !takes_nothing(row[2]) {
            attached = Some(until_nul(self.bundle)).filter(|value| !value.is_empty());
            self.bundle = b"";
        }
        self.give(row, attached, Message::LetterWithoutValue)
    }

    /// The option named by `text`, which is "name" or "name=value" with its NUL: the one of
    /// that name, or the only one (by id) whose name begins so.
    fn long(&mut self, text: &'static [u8]) -> Result<bool, Message> {
        let end = text.iter().position(|&b| b == b'=' || b == 0);
        let (name, rest) = text
            .split_at_checked(end.unwrap_or_default())
            .unwrap_or_default();
        let attached = match rest {
            [b'=', value @ ..] => Some(until_nul(value)),
            _ => None,
        };
        let mut found: Option<&[u8; 3]> = None;
        let mut wrong = Message::WrongName;
        // Of this name alone, not of another before it that was short as well.
        self.candidates.clear();
        for (row, whole) in rows(self.table) {
            let is_whole = whole.len() == name.len();
            if whole.is_empty()
                || !whole.starts_with(name)
                || (!is_whole && matches!(row[2], NOTHING_WHOLE | VALUE_WHOLE))
            {
                continue;
            }
            if is_whole {
                found = None;
                wrong = Message::WrongName;
            }
            match found {
                None => (found, self.name) = (Some(row), whole),
                // Another name of the first.
                Some(other) if other[0] == row[0] => continue,
                Some(_) => wrong = Message::AmbiguousName,
            }
            if is_whole {
                break;
            }
            self.candidates.extend_from_slice(b" '--");
            self.candidates.extend_from_slice(whole);
            self.candidates.push(b'\'');
        }
        match found {
            Some(row) if wrong == Message::WrongName => {
                if takes_nothing(row[2]) && attached.is_some() {
                    return Err(Message::NameWithValue);
                }
                self.give(row, attached, Message::NameWithoutValue)
            }
            _ => {
                self.name = until_nul(text).to_bytes();
                Err(wrong)
            }
        }
    }

    /// Gives the option of that row, with the next argument for a value if it needs one. Where
    /// there is none, that is `wrong`.
    #[allow(clippy::trivially_copy_pass_by_ref)] // part of a row
    fn give(
        &mut self,
        &[id, _, takes]: &[u8; 3],
        mut value: Option<&'static CStr>,
        wrong: Message,
    ) -> Result<bool, Message> {
        if matches!(takes, VALUE | VALUE_WHOLE) && value.is_none() {
            value = self.args.next();
            if value.is_none() {
                return Err(wrong);
            }
        }
        self.given = Given { id, value };
        Ok(true)
    }
}

/// The id of the option with that letter.
#[cfg(test)]
pub(super) fn id_of(table: &'static [u8], letter: u8) -> u8 {
    let (row, _) = rows(table).find(|(row, _)| row[1] == letter).unwrap();
    row[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::string::String;
    use std::vec::Vec;

    const TABLE: &[u8] = b"\
rr recursive\n\
rR \n\
tt=target-directory\n\
ff force\n\
l\0?reflink\n\
m\0 remove-destination\n\
nn no-clobber\n\
s\0 show-nonprinting\n\
s\0 show-non";

    type All = (Vec<(u8, Option<&'static str>)>, Vec<&'static str>);

    /// Options and operands, or the message, its names in place.
    fn parse(args: &[&'static CStr], posix: bool) -> Result<All, String> {
        let mut parser = OptionParser::new(TABLE, args.iter().copied(), posix);
        let mut given = Vec::new();
        loop {
            match parser.next_option() {
                Ok(true) => {
                    let Given { id, value } = parser.given;
                    given.push((id, value.map(|v| v.to_str().unwrap())));
                }
                Ok(false) => break,
                Err(wrong) => return Err(message(wrong, parser.name, &parser.candidates)),
            }
        }
        Ok((
            given,
            parser
                .operands
                .iter()
                .map(|o| o.to_str().unwrap())
                .collect(),
        ))
    }

    fn message(wrong: Message, name: &[u8], candidates: &[u8]) -> String {
        wrong
            .text()
            .replace("{=0}", str::from_utf8(name).unwrap())
            .replace("{=1}", str::from_utf8(candidates).unwrap())
    }

    #[test]
    fn short_options_bundle_and_take_values() {
        let (given, operands) = parse(&[c"-rft", c"dir", c"a", c"-R", c"-tx"], false).unwrap();
        assert_eq!(
            given,
            [
                (b'r', None),
                (b'f', None),
                (b't', Some("dir")),
                (b'r', None),
                (b't', Some("x"))
            ]
        );
        assert_eq!(operands, ["a"]);
    }

    #[test]
    fn long_options_may_be_cut_short() {
        let args = [
            c"--rec",
            c"--target=x",
            c"--target-directory",
            c"y",
            c"--refl",
            c"--show-n",
        ];
        let (given, _) = parse(&args, false).unwrap();
        assert_eq!(
            given,
            [
                (b'r', None),
                (b't', Some("x")),
                (b't', Some("y")),
                (b'l', None),
                (b's', None)
            ]
        );
        assert_eq!(
            parse(&[c"--reflink=auto"], false).unwrap().0,
            [(b'l', Some("auto"))]
        );
        assert_eq!(
            parse(&[c"--reflink="], false).unwrap().0,
            [(b'l', Some(""))]
        );
    }

    #[test]
    fn operands_stand_anywhere_and_a_double_dash_ends_the_options() {
        let (given, operands) = parse(&[c"a", c"-", c"-f", c"--", c"-r", c"--"], false).unwrap();
        assert_eq!(given, [(b'f', None)]);
        assert_eq!(operands, ["a", "-", "-r", "--"]);
        let (given, operands) = parse(&[c"-f", c"a", c"-r"], true).unwrap();
        assert_eq!(given, [(b'f', None)]);
        assert_eq!(operands, ["a", "-r"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |arg| parse(&[c"-f", c"--forc", arg], false).unwrap_err();
        assert_eq!(wrong(c"-rq"), "invalid option -- 'q'");
        assert_eq!(wrong(c"-r-"), "invalid option -- '-'");
        assert_eq!(wrong(c"--nope=1"), "unrecognized option '--nope=1'");
        assert_eq!(
            wrong(c"--re=x"),
            "option '--re=x' is ambiguous; possibilities: '--recursive' '--reflink' \
             '--remove-destination'"
        );
        assert_eq!(wrong(c"-t"), "option requires an argument -- 't'");
        assert_eq!(
            wrong(c"--target"),
            "option '--target-directory' requires an argument"
        );
        assert_eq!(
            wrong(c"--fo=1"),
            "option '--force' doesn't allow an argument"
        );
    }
}
