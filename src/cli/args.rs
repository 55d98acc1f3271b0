//! Command-line options: a row for each, the parser that goes by the rows, and the help that is
//! printed from them.
//!
//! Arguments are read as `getopt_long` reads them: short options bundle, long ones may be cut
//! short, options may stand after operands, `--` ends them.

use alloc::boxed::Box;
use core::ffi::CStr;

use crate::report::Message;
use crate::sys::{CStrings, Errno, Vec, until_nul};

/// An option of a command whose options change an `S`.
pub struct Opt<S> {
    usage: Usage,
    effect: Effect<S>,
}

/// How an option is used.
struct Usage {
    /// As help shows them, but with spaces between, short ones first: `-t
    /// --target-directory=DIRECTORY`.
    spellings: Text,
    takes: Takes,
    /// What help says of it, in one line or more.
    help: Text,
    /// Whether long spellings are not to be cut short.
    is_whole: bool,
}

/// What value an option takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    /// One in the same argument or the next.
    Value,
    /// One in the same argument, or none: `--reflink=always` or `--reflink`.
    Optional,
}

/// What an option does.
enum Effect<S> {
    Set(fn(&mut S)),
    Value(Take<S, &'static CStr>),
    Optional(Take<S, Option<&'static CStr>>),
    /// It has this printed, and nothing else is done.
    Print(fn() -> Vec<u8>),
}

/// Takes a value into an `S`.
type Take<S, V> = fn(&mut S, V) -> Result<(), Wrong>;

type Text = &'static str;

impl<S> Opt<S> {
    const fn new(spellings: Text, help: Text, takes: Takes, effect: Effect<S>) -> Self {
        let usage = Usage {
            spellings,
            takes,
            help,
            is_whole: false,
        };
        Self { usage, effect }
    }

    /// One that takes no value.
    pub const fn flag(spellings: Text, help: Text, set: fn(&mut S)) -> Self {
        Self::new(spellings, help, Takes::Nothing, Effect::Set(set))
    }

    /// One that takes a value: `--sparse=WHEN`.
    pub const fn value(spellings: Text, help: Text, take: Take<S, &'static CStr>) -> Self {
        Self::new(spellings, help, Takes::Value, Effect::Value(take))
    }

    /// One that may take a value: `--reflink[=WHEN]`.
    pub const fn optional(
        spellings: Text,
        help: Text,
        take: Take<S, Option<&'static CStr>>,
    ) -> Self {
        Self::new(spellings, help, Takes::Optional, Effect::Optional(take))
    }

    /// One that has something printed instead of anything done.
    pub const fn print(spellings: Text, help: Text, text: fn() -> Vec<u8>) -> Self {
        Self::new(spellings, help, Takes::Nothing, Effect::Print(text))
    }

    /// The same as one that GNU has not. It is not to be cut short: what is short for an option
    /// of GNU's stays so.
    pub const fn ours(mut opt: Self) -> Self {
        opt.usage.is_whole = true;
        opt
    }

    /// Has the option do what it does. One that must have a value comes with one.
    fn apply(&self, settings: &mut S, value: Option<&'static CStr>) -> Result<(), Stop> {
        match self.effect {
            Effect::Set(set) => set(settings),
            Effect::Value(set) => set(settings, value.unwrap_or_default())?,
            Effect::Optional(set) => set(settings, value)?,
            Effect::Print(text) => return Err(Stop::Print(text())),
        }
        Ok(())
    }
}

impl Usage {
    /// Its spellings, without what they say of the value.
    fn spellings(&self) -> impl Iterator<Item = &'static [u8]> {
        words_of(self.spellings).map(|spelling| {
            let mut parts = spelling.split(|byte| matches!(byte, b'=' | b'['));
            parts.next().unwrap_or_default()
        })
    }

    /// The spelling that `given` is short for.
    fn spelling(&self, given: &[u8]) -> Option<&'static [u8]> {
        self.spellings()
            .find(|spelling| spelling.starts_with(given))
            .filter(|_| !self.is_whole)
    }

    /// Appends the lines about this option.
    fn append_help(&self, text: &mut Vec<u8>) {
        let start = text.len();
        let is_long = self.spellings.starts_with("--");
        let mut before = if is_long { "      " } else { "  " };
        for spelling in words_of(self.spellings) {
            text.extend_from_slice(before.as_bytes());
            text.extend_from_slice(spelling);
            before = ", ";
        }
        let mut column = text.len() - start;
        for line in self.help.as_bytes().split(|&byte| byte == b'\n') {
            if column + 2 > HELP_COLUMN {
                text.push(b'\n');
                column = 0;
            }
            text.resize(text.len() + HELP_COLUMN - column, b' ');
            text.extend_from_slice(line);
            column = HELP_COLUMN;
        }
        text.push(b'\n');
    }
}

/// Where the text about an option begins in help.
const HELP_COLUMN: usize = 31;

/// What `--help` prints: a line for each option, and what stands around them.
pub fn help<S>(head: &str, options: &[Opt<S>], tail: &str) -> Vec<u8> {
    let mut text = Vec::from(head);
    for option in options {
        option.usage.append_help(&mut text);
    }
    text.extend_from_slice(tail.as_bytes());
    text
}

/// What `--version` prints of a command.
pub fn version(name: &str) -> Vec<u8> {
    let mut text = Vec::from(name);
    text.extend_from_slice(concat!(" (annulet) ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());
    text
}

/// Applies the options among a command's arguments and returns the operands. Under
/// `POSIXLY_CORRECT` the first operand ends the options.
///
/// # Errors
/// The first option that is wrong or has something printed; what follows it is not read.
pub fn read<S>(
    options: &[Opt<S>],
    settings: &mut S,
    invocation: &Invocation,
) -> Result<Vec<&'static CStr>, Stop> {
    let mut args = invocation.args.clone();
    read_args(options, settings, &mut args, invocation.is_posix())
}

fn read_args<S>(
    options: &[Opt<S>],
    settings: &mut S,
    args: &mut dyn Iterator<Item = &'static CStr>,
    stops_at_operand: bool,
) -> Result<Vec<&'static CStr>, Stop> {
    let usages: Vec<&Usage> = options.iter().map(|option| &option.usage).collect();
    let mut parser = Parser {
        usages: &usages,
        args,
        apply: &mut |number, value| options[number].apply(settings, value),
    };
    parser.read(stops_at_operand)
}

/// Reads arguments, whatever their options change: one parser for all commands.
struct Parser<'a> {
    usages: &'a [&'a Usage],
    args: &'a mut dyn Iterator<Item = &'static CStr>,
    /// Has the option of that number, among `usages`, do what it does.
    apply: &'a mut dyn FnMut(usize, Option<&'static CStr>) -> Result<(), Stop>,
}

impl Parser<'_> {
    /// Applies all options and returns the operands.
    fn read(&mut self, stops_at_operand: bool) -> Result<Vec<&'static CStr>, Stop> {
        let mut operands = Vec::new();
        while let Some(arg) = self.args.next() {
            match arg.to_bytes() {
                b"--" => break,
                [b'-', b'-', ..] => self.long(arg)?,
                [b'-', _, ..] => self.short(after(arg, 1))?,
                _ if stops_at_operand => {
                    operands.push(arg);
                    break;
                }
                _ => operands.push(arg),
            }
        }
        operands.extend(&mut *self.args);
        Ok(operands)
    }

    /// Applies short options, of which each is a letter. What follows one that takes a value is
    /// that value.
    fn short(&mut self, mut letters: &'static CStr) -> Result<(), Stop> {
        while let Some((letter, _)) = letters.to_bytes().split_at_checked(1) {
            let is_meant = |usage: &&Usage| {
                let mut spellings = usage.spellings();
                spellings.any(|spelling| spelling.strip_prefix(b"-") == Some(letter))
            };
            let Some(number) = self.usages.iter().position(is_meant) else {
                return Err(Misuse::new(Kind::Option, Message::WrongLetter, letter).into());
            };
            letters = after(letters, 1);
            let mut attached = None;
            if self.usages[number].takes != Takes::Nothing && !letters.is_empty() {
                (attached, letters) = (Some(letters), c"");
            }
            self.give(number, attached, Message::LetterWithoutValue, letter)?;
        }
        Ok(())
    }

    /// Applies a long option: `--name` or `--name=value`.
    fn long(&mut self, arg: &'static CStr) -> Result<(), Stop> {
        let whole = arg.to_bytes();
        let equals = whole.iter().position(|&byte| byte == b'=');
        let given = &whole[..equals.unwrap_or(whole.len())];
        let attached = equals.map(|at| after(arg, at + 1));
        let found = self.meant_by(given);
        let &[(number, name)] = &found[..] else {
            let message = match found[..] {
                [] => Message::WrongName,
                _ => Message::AmbiguousName,
            };
            let mut wrong = Misuse::new(Kind::Option, message, whole);
            for (_, name) in found {
                wrong.choices.extend_from_slice(b" '");
                wrong.choices.extend_from_slice(name);
                wrong.choices.push(b'\'');
            }
            return Err(wrong.into());
        };
        if attached.is_some() && self.usages[number].takes == Takes::Nothing {
            return Err(Misuse::new(Kind::Option, Message::NameWithValue, name).into());
        }
        self.give(number, attached, Message::NameWithoutValue, name)
    }

    /// The one option with the long spelling `given`, or else all that it may be short for; each
    /// with the spelling that was meant.
    fn meant_by(&self, given: &[u8]) -> Vec<(usize, &'static [u8])> {
        let mut found = Vec::new();
        for (number, usage) in self.usages.iter().enumerate() {
            if let Some(spelling) = usage.spellings().find(|spelling| *spelling == given) {
                return Vec::from([(number, spelling)]);
            }
            if let Some(spelling) = usage.spelling(given) {
                found.push((number, spelling));
            }
        }
        found
    }

    /// Applies the option of that number. Where it has no value and must have one, that is told
    /// by `message`, with the option's `name`.
    fn give(
        &mut self,
        number: usize,
        mut value: Option<&'static CStr>,
        message: Message,
        name: &'static [u8],
    ) -> Result<(), Stop> {
        if value.is_none() && self.usages[number].takes == Takes::Value {
            value = self.args.next();
            if value.is_none() {
                return Err(Misuse::new(Kind::Option, message, name).into());
            }
        }
        (self.apply)(number, value)
    }
}

/// What of `arg` stands from `at` on.
fn after(arg: &'static CStr, at: usize) -> &'static CStr {
    until_nul(arg.to_bytes_with_nul().get(at..).unwrap_or_default())
}

/// The meaning of `value`, which is one of `words` or short for one; the words of a row mean the
/// same. `what` is what they are for.
///
/// # Errors
/// `value` is none of them, or short for words of several rows.
pub fn choose<T: Copy>(
    what: &'static str,
    words: &[(&'static str, T)],
    value: &'static [u8],
) -> Result<T, Wrong> {
    let number = row_of(what, &mut words.iter().map(|(row, _)| *row), value)?;
    Ok(words[number].1)
}

/// The number of the row that `value` means.
fn row_of(
    what: &'static str,
    rows: &mut dyn Iterator<Item = &'static str>,
    value: &'static [u8],
) -> Result<usize, Wrong> {
    let mut chosen = None;
    let mut wrong = Misuse::usage(Message::WrongChoice, value);
    wrong.names[1] = what.as_bytes();
    for (number, row) in rows.enumerate() {
        if words_of(row).any(|word| word == value) {
            return Ok(number);
        }
        if words_of(row).any(|word| word.starts_with(value)) {
            if chosen.is_some() {
                wrong.message = Message::AmbiguousChoice;
            }
            chosen = Some(number);
        }
        wrong.list_choices(row);
    }
    match chosen {
        Some(number) if wrong.message == Message::WrongChoice => Ok(number),
        _ => Err(wrong),
    }
}

/// The words of a row, between which stand spaces.
fn words_of(row: &'static str) -> impl Iterator<Item = &'static [u8]> {
    row.as_bytes().split(|&byte| byte == b' ')
}

/// What is wrong with the use of a command. Boxed, so that what may go wrong returns no more than
/// an address.
pub type Wrong = Box<Misuse>;

/// A wrong use of a command.
pub struct Misuse {
    pub kind: Kind,
    pub message: Message,
    /// `{0}` and `{1}` in the message.
    pub names: [&'static [u8]; 2],
    /// `{2}` in the message: what there is to choose from.
    pub choices: Vec<u8>,
    pub errno: Option<Errno>,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An option, which `getopt_long` would not know.
    Option,
    /// What options and operands come to.
    Usage,
    /// What they name.
    Named,
}

#[allow(clippy::unnecessary_box_returns)] // as it is returned everywhere
impl Misuse {
    pub fn new(kind: Kind, message: Message, name: &'static [u8]) -> Wrong {
        Box::new(Self {
            kind,
            message,
            names: [name, b""],
            choices: Vec::new(),
            errno: None,
        })
    }

    pub fn usage(message: Message, name: &'static [u8]) -> Wrong {
        Self::new(Kind::Usage, message, name)
    }

    /// The same, with what the kernel answered.
    pub fn because(mut self: Box<Self>, errno: Errno) -> Wrong {
        self.errno = Some(errno);
        self
    }

    /// Appends words of one meaning to the choices.
    fn list_choices(&mut self, row: &'static str) {
        let mut between = "\n  - '";
        for word in words_of(row) {
            self.choices.extend_from_slice(between.as_bytes());
            self.choices.extend_from_slice(word);
            self.choices.push(b'\'');
            between = ", '";
        }
    }
}

/// Why a command does not do its work.
pub enum Stop {
    Wrong(Wrong),
    /// This is to be printed instead.
    Print(Vec<u8>),
}

impl From<Wrong> for Stop {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

/// What a command is started with.
pub struct Invocation {
    /// What follows the command's name.
    pub args: CStrings,
    pub env: CStrings,
}

impl Invocation {
    /// The value of the first entry of the environment that begins with `start`: a name and `=`.
    pub fn env(&self, start: &[u8]) -> Option<&'static [u8]> {
        self.env
            .clone()
            .find_map(|entry| entry.to_bytes().strip_prefix(start))
    }

    /// Whether what POSIX demands goes before what is convenient.
    pub fn is_posix(&self) -> bool {
        self.env(b"POSIXLY_CORRECT=").is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::string::{String, ToString};
    use std::vec::Vec;

    type Given = Vec<(&'static str, Option<&'static str>)>;

    fn give(given: &mut Given, name: &'static str, value: Option<&'static CStr>) {
        given.push((name, value.map(|value| value.to_str().unwrap())));
    }

    #[rustfmt::skip]
    const OPTIONS: &[Opt<Given>] = &[
        Opt::flag("-r -R --recursive", "go down", |g| give(g, "r", None)),
        Opt::value("-t --target-directory=DIRECTORY", "go\nthere", |g, value| {
            give(g, "t", Some(value));
            Ok(())
        }),
        Opt::flag("-f --force", "go on", |g| give(g, "f", None)),
        Opt::optional("--reflink[=WHEN]", "share", |g, value| {
            give(g, "l", value);
            Ok(())
        }),
        Opt::flag("--remove-destination", "remove", |g| give(g, "m", None)),
        Opt::flag("--show-nonprinting --show-non", "show", |g| give(g, "s", None)),
        Opt::ours(Opt::flag("--remote", "ours", |g| give(g, "o", None))),
        Opt::print("--help", "help", || help("HEAD\n", OPTIONS, "TAIL\n")),
    ];

    type All = (Given, Vec<&'static str>);

    /// Options and operands, or the message, its names in place, or what is printed.
    fn parse(args: &[&'static CStr], stops_at_operand: bool) -> Result<All, String> {
        let mut given = Vec::new();
        let read = read_args(
            OPTIONS,
            &mut given,
            &mut args.iter().copied(),
            stops_at_operand,
        );
        match read {
            Ok(operands) => {
                let operands = operands.iter().map(|operand| operand.to_str().unwrap());
                Ok((given, operands.collect()))
            }
            Err(Stop::Wrong(wrong)) => Err(message(&wrong)),
            Err(Stop::Print(text)) => Err(String::from_utf8(text).unwrap()),
        }
    }

    fn message(wrong: &Misuse) -> String {
        let [first, second] = wrong.names.map(|name| str::from_utf8(name).unwrap());
        let text = wrong.message.text();
        let text = text.replace("{=0}", first).replace("{\\0}", first);
        text.replace("{1}", second)
            .replace("{=2}", str::from_utf8(&wrong.choices).unwrap())
    }

    #[test]
    fn short_options_bundle_and_take_values() {
        let (given, operands) = parse(&[c"-rft", c"dir", c"a", c"-R", c"-tx"], false).unwrap();
        let expected = [
            ("r", None),
            ("f", None),
            ("t", Some("dir")),
            ("r", None),
            ("t", Some("x")),
        ];
        assert_eq!(given, expected);
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
            c"--remo",
        ];
        let (given, _) = parse(&args, false).unwrap();
        let expected = [
            ("r", None),
            ("t", Some("x")),
            ("t", Some("y")),
            ("l", None),
            ("s", None),
            ("m", None),
        ];
        assert_eq!(given, expected);
        let given = |arg| parse(&[arg], false).unwrap().0;
        assert_eq!(given(c"--reflink=auto"), [("l", Some("auto"))]);
        assert_eq!(given(c"--reflink="), [("l", Some(""))]);
        assert_eq!(given(c"--remote"), [("o", None)]);
    }

    #[test]
    fn operands_stand_anywhere_and_a_double_dash_ends_the_options() {
        let (given, operands) = parse(&[c"a", c"-", c"-f", c"--", c"-r", c"--"], false).unwrap();
        assert_eq!(given, [("f", None)]);
        assert_eq!(operands, ["a", "-", "-r", "--"]);
        let (given, operands) = parse(&[c"-f", c"a", c"-r", c"--"], true).unwrap();
        assert_eq!(given, [("f", None)]);
        assert_eq!(operands, ["a", "-r", "--"]);
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

    #[test]
    fn help_is_printed_from_the_rows() {
        let expected = "\
HEAD
  -r, -R, --recursive          go down
  -t, --target-directory=DIRECTORY
                               go
                               there
  -f, --force                  go on
      --reflink[=WHEN]         share
      --remove-destination     remove
      --show-nonprinting, --show-non
                               show
      --remote                 ours
      --help                   help
TAIL
";
        assert_eq!(
            parse(&[c"--help", c"--nope"], false),
            Err(expected.to_string())
        );
    }

    #[test]
    fn words_may_be_cut_short_where_their_meaning_is_clear() {
        let words = [
            ("none off", 0),
            ("simple never", 1),
            ("existing nil", 2),
            ("numbered t", 3),
        ];
        let chosen = |value: &'static str| {
            choose("backup type", &words, value.as_bytes()).map_err(|wrong| message(&wrong))
        };
        for (value, meaning) in [
            ("none", 0),
            ("of", 0),
            ("s", 1),
            ("ne", 1),
            ("ni", 2),
            ("t", 3),
            ("nu", 3),
        ] {
            assert_eq!(chosen(value), Ok(meaning), "{value}");
        }
        let all = "\
            Valid arguments are:\n  - 'none', 'off'\n  - 'simple', 'never'\n  \
            - 'existing', 'nil'\n  - 'numbered', 't'";
        for (value, wrong) in [
            ("", "ambiguous"),
            ("n", "ambiguous"),
            ("x", "invalid"),
            ("nones", "invalid"),
        ] {
            let expected = [wrong, " argument ", value, " for backup type\n", all].concat();
            assert_eq!(chosen(value), Err(expected));
        }
        let longer = [("none-fail", 0), ("none", 1)];
        assert_eq!(choose("", &longer, b"none").ok(), Some(1));
    }
}
