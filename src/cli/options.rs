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
//! ```

use core::ffi::CStr;

use super::complaint::Complaint;
use crate::sys::{Vec, until_nul};

/// In a table: takes no value.
const NOTHING: u8 = b' ';
/// In a table: takes a value, in the same argument or the next.
const VALUE: u8 = b'=';

/// An option that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// The option's id.
    pub id: u8,
    /// Its value, if it came with one.
    pub value: Option<&'static CStr>,
}

/// What is wrong with an option.
#[derive(Debug, Clone, Copy)]
pub struct OptionError {
    /// The message, with `{=0}` for the name and `{=1}` for [`OptionParser::candidates`].
    pub complaint: Complaint,
    /// The option's letter or name.
    pub name: &'static [u8],
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
            operands: Vec::new(),
            candidates: Vec::new(),
        }
    }

    /// The next option, or `None` when all arguments have been read.
    ///
    /// # Errors
    /// [`OptionError`]; the arguments after it are not read.
    pub fn next_option(&mut self) -> Result<Option<Given>, OptionError> {
        while let [0] | [] = self.bundle {
            let Some(arg) = self.args.next() else {
                return Ok(None);
            };
            match arg.to_bytes_with_nul() {
                [b'-', rest @ ..] if !self.ended && rest != b"\0" => match rest {
                    b"-\0" => self.ended = true,
                    [b'-', text @ ..] => return self.long(text).map(Some),
                    bundle => self.bundle = bundle,
                },
                _ => {
                    self.operands.push(arg);
                    self.ended |= self.stops_at_operand;
                }
            }
        }
        self.short().map(Some)
    }

    /// The option whose letter is next in the bundle; its value is the rest of the bundle or
    /// the next argument.
    fn short(&mut self) -> Result<Given, OptionError> {
        let (letter, rest) = self.bundle.split_at_checked(1).unwrap_or_default();
        self.bundle = rest;
        let Some((row, _)) = rows(self.table).find(|(row, _)| letter == [row[1]]) else {
            return Err(OptionError {
                complaint: Complaint::WrongLetter,
                name: letter,
            });
        };
        let mut attached = None;
        if row[2] != NOTHING {
            self.bundle = b"";
            attached = Some(until_nul(rest)).filter(|value| !value.is_empty());
        }
        self.given(row, attached, Complaint::LetterWithoutValue, letter)
    }

    /// The option named by `text`, which is "name" or "name=value" with its NUL: the one of
    /// that name, or the only one (by id) whose name begins so.
    fn long(&mut self, text: &'static [u8]) -> Result<Given, OptionError> {
        let end = text.iter().position(|&b| b == b'=' || b == 0);
        let (name, rest) = text
            .split_at_checked(end.unwrap_or_default())
            .unwrap_or_default();
        let attached = match rest {
            [b'=', value @ ..] => Some(until_nul(value)),
            _ => None,
        };
        let mut wrong = OptionError {
            complaint: Complaint::WrongName,
            name: until_nul(text).to_bytes(),
        };
        let mut found: Option<Row> = None;
        let mut ambiguous = false;
        for row in rows(self.table) {
            let (&[id, ..], whole) = row;
            if whole.is_empty() || !whole.starts_with(name) {
                continue;
            }
            if whole.len() == name.len() {
                found = Some(row);
                ambiguous = false;
                break;
            }
            ambiguous |= found.is_some_and(|(&[other, ..], _)| other != id);
            found = found.or(Some(row));
            self.candidates.extend_from_slice(b" '--");
            self.candidates.extend_from_slice(whole);
            self.candidates.push(b'\'');
        }
        if ambiguous {
            wrong.complaint = Complaint::AmbiguousName;
            return Err(wrong);
        }
        let Some((row, name)) = found else {
            return Err(wrong);
        };
        if row[2] == NOTHING && attached.is_some() {
            return Err(OptionError {
                complaint: Complaint::NameWithValue,
                name,
            });
        }
        self.given(row, attached, Complaint::NameWithoutValue, name)
    }

    /// The option of that row, with the next argument for a value if it needs one. Where there is
    /// none, the error is `complaint` of `name`.
    #[allow(clippy::trivially_copy_pass_by_ref)] // part of a row
    fn given(
        &mut self,
        &[id, _, takes]: &[u8; 3],
        mut value: Option<&'static CStr>,
        complaint: Complaint,
        name: &'static [u8],
    ) -> Result<Given, OptionError> {
        if takes == VALUE && value.is_none() {
            value = self.args.next();
            if value.is_none() {
                return Err(OptionError { complaint, name });
            }
        }
        Ok(Given { id, value })
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
    use super::super::complaint;
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
                Ok(Some(Given { id, value })) => {
                    given.push((id, value.map(|v| v.to_str().unwrap())));
                }
                Ok(None) => break,
                Err(error) => return Err(message(error, &parser.candidates)),
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

    fn message(error: OptionError, candidates: &[u8]) -> String {
        let first = Complaint::WrongOption as usize;
        complaint::MESSAGES
            .split('\0')
            .nth(error.complaint as usize - first)
            .unwrap()
            .replace("{=0}", str::from_utf8(error.name).unwrap())
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
        let wrong = |arg| parse(&[c"-f", arg], false).unwrap_err();
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
