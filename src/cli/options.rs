//! Command-line options, read as `getopt_long` reads them: short ones bundle, long ones may be
//! cut short, options may stand after operands, `--` ends them.

use alloc::vec::Vec;
use core::ffi::CStr;

/// Whether an option takes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// No value.
    Nothing,
    /// A value, in the same argument or the next.
    Value,
    /// A value only in the same argument: `--name=value`, `-nvalue`. For options to come
    /// (`--reflink`, `--backup`).
    #[cfg_attr(not(test), expect(dead_code))]
    OptionalValue,
}

/// One option of a command, a row of its table. Two rows with one `id` are two names of one
/// option.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// What the command knows the option by.
    pub id: u8,
    /// Its letter, or 0.
    pub short: u8,
    /// Its long name, or "".
    pub long: &'static str,
    /// Whether it takes a value.
    pub takes: Takes,
}

/// A row of an option table.
#[must_use]
pub const fn option(id: u8, short: u8, long: &'static str, takes: Takes) -> OptionSpec {
    OptionSpec {
        id,
        short,
        long,
        takes,
    }
}

/// An option that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// The `id` of its row.
    pub id: u8,
    /// Its value, if it came with one.
    pub value: Option<&'static CStr>,
}

/// What is wrong with an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionError {
    /// No option has this letter.
    UnknownShort(u8),
    /// No option has this name; as written, without the dashes.
    UnknownLong(&'static [u8]),
    /// Several options begin so; as written, and their names.
    Ambiguous(&'static [u8], Vec<&'static str>),
    /// The option with this letter takes a value and has none.
    ShortNeedsValue(u8),
    /// The option of this name takes a value and has none.
    LongNeedsValue(&'static str),
    /// The option of this name takes no value and has one.
    UnwantedValue(&'static str),
}

/// Reads a command's arguments; operands gather in [`Self::operands`].
#[derive(Debug)]
pub struct OptionParser<I> {
    table: &'static [OptionSpec],
    args: I,
    /// What is left of a bundle of short options; it keeps its final NUL.
    bundle: &'static [u8],
    /// Whether the first operand ends the options, as under `POSIXLY_CORRECT`.
    stops_at_operand: bool,
    ended: bool,
    /// The arguments that are not options, in order.
    pub operands: Vec<&'static CStr>,
}

impl<I: Iterator<Item = &'static CStr>> OptionParser<I> {
    /// A parser of `args`, which begin after the command's name.
    pub const fn new(table: &'static [OptionSpec], args: I, stops_at_operand: bool) -> Self {
        Self {
            table,
            args,
            bundle: b"\0",
            stops_at_operand,
            ended: false,
            operands: Vec::new(),
        }
    }

    /// The next option, or `None` when all arguments have been read.
    ///
    /// # Errors
    /// [`OptionError`]; the arguments after it are not read.
    pub fn next_option(&mut self) -> Result<Option<Given>, OptionError> {
        if let &[letter, ref rest @ ..] = self.bundle
            && letter != 0
        {
            self.bundle = rest;
            return self.short(letter).map(Some);
        }
        while let Some(arg) = self.args.next() {
            match arg.to_bytes_with_nul() {
                [b'-', 0, ..] => self.operands.push(arg),
                _ if self.ended => self.operands.push(arg),
                b"--\0" => self.ended = true,
                [b'-', b'-', name @ ..] => return self.long(name).map(Some),
                &[b'-', letter, ref rest @ ..] => {
                    self.bundle = rest;
                    return self.short(letter).map(Some);
                }
                _ => {
                    self.operands.push(arg);
                    self.ended = self.stops_at_operand;
                }
            }
        }
        Ok(None)
    }

    /// The option with `letter`; its value is the rest of the bundle or the next argument.
    fn short(&mut self, letter: u8) -> Result<Given, OptionError> {
        let spec = self
            .table
            .iter()
            .find(|spec| spec.short == letter)
            .ok_or(OptionError::UnknownShort(letter))?;
        if spec.takes == Takes::Nothing {
            return Ok(Given {
                id: spec.id,
                value: None,
            });
        }
        let rest = core::mem::replace(&mut self.bundle, b"\0");
        let mut value = if rest == b"\0" {
            None
        } else {
            CStr::from_bytes_with_nul(rest).ok()
        };
        if value.is_none() && spec.takes == Takes::Value {
            value = Some(
                self.args
                    .next()
                    .ok_or(OptionError::ShortNeedsValue(letter))?,
            );
        }
        Ok(Given { id: spec.id, value })
    }

    /// The option named by `text`, which is "name" or "name=value" with its NUL.
    fn long(&mut self, text: &'static [u8]) -> Result<Given, OptionError> {
        let end = text.iter().position(|&b| b == b'=' || b == 0).unwrap_or(0);
        let (name, rest) = text.split_at_checked(end).unwrap_or_default();
        let attached = match rest {
            [b'=', value @ ..] => CStr::from_bytes_with_nul(value).ok(),
            _ => None,
        };
        let written = text.strip_suffix(b"\0").unwrap_or(text);
        let spec = find_long(self.table, name, written)?;
        let value = match (spec.takes, attached) {
            (Takes::Nothing, Some(_)) => return Err(OptionError::UnwantedValue(spec.long)),
            (Takes::Value, None) => Some(
                self.args
                    .next()
                    .ok_or(OptionError::LongNeedsValue(spec.long))?,
            ),
            (_, attached) => attached,
        };
        Ok(Given { id: spec.id, value })
    }
}

/// The option called `name`, or the only one (by id) whose name begins so.
fn find_long(
    table: &'static [OptionSpec],
    name: &[u8],
    written: &'static [u8],
) -> Result<&'static OptionSpec, OptionError> {
    let candidates = || {
        table
            .iter()
            .filter(|s| !s.long.is_empty() && s.long.as_bytes().starts_with(name))
    };
    if let Some(exact) = candidates().find(|spec| spec.long.len() == name.len()) {
        return Ok(exact);
    }
    let first = candidates()
        .next()
        .ok_or(OptionError::UnknownLong(written))?;
    if candidates().any(|spec| spec.id != first.id) {
        let names = candidates().map(|spec| spec.long).collect();
        return Err(OptionError::Ambiguous(written, names));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[OptionSpec] = &[
        option(b'r', b'r', "recursive", Takes::Nothing),
        option(b'r', b'R', "", Takes::Nothing),
        option(b't', b't', "target-directory", Takes::Value),
        option(b'f', b'f', "force", Takes::Nothing),
        option(200, 0, "reflink", Takes::OptionalValue),
        option(201, 0, "remove-destination", Takes::Nothing),
        option(b'n', b'n', "no-clobber", Takes::Nothing),
        option(202, 0, "show-nonprinting", Takes::Nothing),
        option(202, 0, "show-non", Takes::Nothing),
    ];

    type All = (Vec<(u8, Option<&'static str>)>, Vec<&'static str>);

    fn parse(args: &[&'static CStr], posix: bool) -> Result<All, OptionError> {
        let mut parser = OptionParser::new(TABLE, args.iter().copied(), posix);
        let mut given = Vec::new();
        while let Some(Given { id, value }) = parser.next_option()? {
            given.push((id, value.map(|v| v.to_str().unwrap())));
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
                (200, None),
                (202, None)
            ]
        );
        assert_eq!(
            parse(&[c"--reflink=auto"], false).unwrap().0,
            [(200, Some("auto"))]
        );
        assert_eq!(parse(&[c"--reflink="], false).unwrap().0, [(200, Some(""))]);
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
        use OptionError::*;
        assert_eq!(parse(&[c"-rq"], false), Err(UnknownShort(b'q')));
        assert_eq!(parse(&[c"--nope=1"], false), Err(UnknownLong(b"nope=1")));
        assert_eq!(
            parse(&[c"--re"], false),
            Err(Ambiguous(
                b"re",
                ["recursive", "reflink", "remove-destination"].into()
            ))
        );
        assert_eq!(parse(&[c"-t"], false), Err(ShortNeedsValue(b't')));
        assert_eq!(
            parse(&[c"--target"], false),
            Err(LongNeedsValue("target-directory"))
        );
        assert_eq!(parse(&[c"--force=1"], false), Err(UnwantedValue("force")));
    }
}
