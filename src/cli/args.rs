//! Command-line options: a row for each, the parser that goes by the rows, and the help that is
//! printed from them.
//!
//! Arguments are read as `getopt_long` reads them: short options bundle, long ones may be cut
//! short, options may stand after operands, `--` ends them.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::CStr;

use crate::report::Message;
use crate::sys::{CStrings, Errno, until_nul};

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
    /// What help says of it, in one line or more.
    help: Text,
    takes: Takes,
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
            help,
            takes,
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
            Effect::Print(text) => return Err(Stop::Print(text)),
        }
        Ok(())
    }
}

impl Usage {
    fn row(&self) -> Row {
        Row {
            text: self.spellings,
            is_whole: self.is_whole,
        }
    }

    /// Appends the lines about this option.
    fn append_help(&self, text: &mut Vec<u8>) {
        let start = text.len();
        let mut before = match self.spellings.as_bytes() {
            [_, b'-', ..] => "      ",
            _ => "  ",
        };
        for spelling in split(self.spellings.as_bytes(), b' ') {
            text.extend_from_slice(before.as_bytes());
            text.extend_from_slice(spelling);
            before = ", ";
        }
        let mut column = text.len() - start;
        for line in split(self.help.as_bytes(), b'\n') {
            if column + 2 > HELP_COLUMN {
                text.push(b'\n');
                column = 0;
            }
            while column < HELP_COLUMN {
                text.push(b' ');
                column += 1;
            }
            text.extend_from_slice(line);
        }
        text.push(b'\n');
    }
}

/// Where the text about an option begins in help.
const HELP_COLUMN: usize = 31;

/// What `--help` prints: a line for each option, and what stands around them.
pub fn help<S>(head: &str, options: &'static [Opt<S>], tail: &str) -> Vec<u8> {
    help_of(head, &usages(options), tail)
}

fn help_of(head: &str, usages: Usages<'_>, tail: &str) -> Vec<u8> {
    let mut text = Vec::from(head);
    for usage in (0..).map_while(usages) {
        usage.append_help(&mut text);
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

/// How options are used, by their number: whatever they change, one parser reads them.
type Usages<'a> = &'a dyn Fn(usize) -> Option<&'static Usage>;

fn usages<S>(options: &'static [Opt<S>]) -> impl Fn(usize) -> Option<&'static Usage> {
    |number| options.get(number).map(|option| &option.usage)
}

/// Applies the options among a command's arguments and returns the operands. Under
/// `POSIXLY_CORRECT` the first operand ends the options.
///
/// # Errors
/// The first option that is wrong or has something printed; what follows it is not read.
pub fn read<S>(
    options: &'static [Opt<S>],
    settings: &mut S,
    invocation: &Invocation,
) -> Result<Vec<&'static CStr>, Stop> {
    let mut args = invocation.args.clone();
    read_args(
        options,
        settings,
        &mut || args.next(),
        invocation.is_posix(),
    )
}

/// As [`read`], of the arguments that `next_arg` gives; with `stops_at_operand` the first operand
/// ends the options.
///
/// # Errors
/// As [`read`].
pub fn read_args<S>(
    options: &'static [Opt<S>],
    settings: &mut S,
    next_arg: &mut dyn FnMut() -> Option<&'static CStr>,
    stops_at_operand: bool,
) -> Result<Vec<&'static CStr>, Stop> {
    let mut parser = Parser {
        usages: &usages(options),
        next_arg,
        apply: &mut |number, value| options[number].apply(settings, value),
    };
    parser.read(stops_at_operand)
}

/// Reads arguments.
struct Parser<'a> {
    usages: Usages<'a>,
    next_arg: &'a mut dyn FnMut() -> Option<&'static CStr>,
    /// Has the option of that number do what it does.
    apply: &'a mut dyn FnMut(usize, Option<&'static CStr>) -> Result<(), Stop>,
}

impl Parser<'_> {
    /// Applies all options and returns the operands.
    fn read(&mut self, stops_at_operand: bool) -> Result<Vec<&'static CStr>, Stop> {
        let mut operands = Vec::new();
        let mut is_over = false;
        while let Some(arg) = (self.next_arg)() {
            match arg.to_bytes() {
                _ if is_over => operands.push(arg),
                b"--" => is_over = true,
                [b'-', b'-', ..] => self.long(arg)?,
                [b'-', _, ..] => self.short(after(arg, 1))?,
                _ => {
                    operands.push(arg);
                    is_over = stops_at_operand;
                }
            }
        }
        Ok(operands)
    }

    /// Applies short options, of which each is a letter. What follows one that takes a value is
    /// that value; one that may come without has none: it is for the long spelling.
    fn short(&mut self, mut letters: &'static CStr) -> Result<(), Stop> {
        while let Some((letter, _)) = letters.to_bytes().split_at_checked(1) {
            let spellings = |number| {
                let text = (self.usages)(number)?.spellings;
                let is_whole = true;
                Some(Row { text, is_whole })
            };
            let Ok((number, _)) = find(&spellings, &[b'-', letter[0]]) else {
                return Err(Misuse::new(Kind::Option, Message::WrongLetter, letter).into());
            };
            letters = after(letters, 1);
            let mut attached = None;
            if self.takes(number) == Takes::Value && !letters.is_empty() {
                (attached, letters) = (Some(letters), c"");
            }
            self.give(number, attached, Message::LetterWithoutValue, letter)?;
        }
        Ok(())
    }

    /// Applies a long option: `--name` or `--name=value`.
    fn long(&mut self, arg: &'static CStr) -> Result<(), Stop> {
        let whole = arg.to_bytes();
        let given = until(whole, b'=');
        let spellings = |number| (self.usages)(number).map(Usage::row);
        let (number, name) = match find(&spellings, given) {
            Ok(found) => found,
            Err(Unclear::Nothing) => {
                return Err(Misuse::new(Kind::Option, Message::WrongName, whole).into());
            }
            Err(Unclear::Several) => {
                let mut wrong = Misuse::new(Kind::Option, Message::AmbiguousName, whole);
                let rows = (0..).map_while(spellings);
                for name in rows.filter_map(|row| row.word(given)) {
                    wrong.add_choice(" '", name);
                }
                return Err(wrong.into());
            }
        };
        let attached = (given.len() < whole.len()).then(|| after(arg, given.len() + 1));
        if attached.is_some() && self.takes(number) == Takes::Nothing {
            return Err(Misuse::new(Kind::Option, Message::NameWithValue, name).into());
        }
        self.give(number, attached, Message::NameWithoutValue, name)
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
        if value.is_none() && self.takes(number) == Takes::Value {
            value = (self.next_arg)();
            if value.is_none() {
                return Err(Misuse::new(Kind::Option, message, name).into());
            }
        }
        (self.apply)(number, value)
    }

    fn takes(&self, number: usize) -> Takes {
        (self.usages)(number).map_or(Takes::Nothing, |usage| usage.takes)
    }
}

/// The parts of `text` between which stands `byte`.
pub fn split(text: &[u8], byte: u8) -> impl Iterator<Item = &[u8]> {
    text.split(move |&found| found == byte)
}

/// What of `text` stands before the first `byte`.
fn until(text: &[u8], byte: u8) -> &[u8] {
    split(text, byte).next().unwrap_or_default()
}

/// What of `arg` stands from `at` on.
fn after(arg: &'static CStr, at: usize) -> &'static CStr {
    until_nul(arg.to_bytes_with_nul().get(at..).unwrap_or_default())
}

/// Words that mean the same, with spaces between: the spellings of an option, or of a value.
struct Row {
    text: Text,
    /// Whether they are not to be cut short.
    is_whole: bool,
}

impl Row {
    /// The words, without what spellings say of a value.
    fn words(&self) -> impl Iterator<Item = &'static [u8]> {
        split(self.text.as_bytes(), b' ').map(|word| until(until(word, b'='), b'['))
    }

    /// The word that `given` is short for.
    fn word(&self, given: &[u8]) -> Option<&'static [u8]> {
        let mut words = self.words();
        words.find(|word| !self.is_whole && word.starts_with(given))
    }
}

/// Why a word has no meaning: it is short for none that there is, or for several.
enum Unclear {
    Nothing,
    Several,
}

/// The number of the row that has the word `given`, or else of the only one with a word that it is
/// short for; and that word.
fn find(
    rows: &dyn Fn(usize) -> Option<Row>,
    given: &[u8],
) -> Result<(usize, &'static [u8]), Unclear> {
    let mut found = Err(Unclear::Nothing);
    for (number, row) in (0..).map_while(rows).enumerate() {
        if let Some(word) = row.words().find(|word| *word == given) {
            return Ok((number, word));
        }
        if let Some(word) = row.word(given) {
            found = match found {
                Err(Unclear::Nothing) => Ok((number, word)),
                _ => Err(Unclear::Several),
            };
        }
    }
    found
}

/// The meaning of `value`, which is one of `words` or short for one; the words of a row mean the
/// same. `what` is what they are for.
///
/// # Errors
/// `value` is none of them, or short for words of several rows.
pub fn choose<T: Copy>(what: Text, words: &[(Text, T)], value: &'static [u8]) -> Result<T, Wrong> {
    let row = |number| {
        let &(text, _) = words.get(number)?;
        let is_whole = false;
        Some(Row { text, is_whole })
    };
    Ok(words[choose_row(what, &row, value)?].1)
}

/// The number of the row that `value` means.
fn choose_row(
    what: Text,
    rows: &dyn Fn(usize) -> Option<Row>,
    value: &'static [u8],
) -> Result<usize, Wrong> {
    let message = match find(rows, value) {
        Ok((number, _)) => return Ok(number),
        Err(Unclear::Nothing) => Message::WrongChoice,
        Err(Unclear::Several) => Message::AmbiguousChoice,
    };
    let mut wrong = Misuse::usage(message, value);
    wrong.names[1] = what.as_bytes();
    for row in (0..).map_while(rows) {
        let mut between = "\n  - '";
        for word in row.words() {
            wrong.add_choice(between, word);
            between = ", '";
        }
    }
    Err(wrong)
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

    /// Appends what may have been meant.
    fn add_choice(&mut self, before: Text, word: &[u8]) {
        self.choices.extend_from_slice(before.as_bytes());
        self.choices.extend_from_slice(word);
        self.choices.push(b'\'');
    }
}

/// Why a command does not do its work.
pub enum Stop {
    Wrong(Wrong),
    /// What this gives is to be printed instead.
    Print(fn() -> Vec<u8>),
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
        Opt::optional("-z --reflink[=WHEN]", "share", |g, value| {
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
        let mut args = args.iter().copied();
        let mut parser = Parser {
            usages: &usages(OPTIONS),
            next_arg: &mut || args.next(),
            apply: &mut |number, value| OPTIONS[number].apply(&mut given, value),
        };
        match parser.read(stops_at_operand) {
            Ok(operands) => {
                let operands = operands.iter().map(|operand| operand.to_str().unwrap());
                Ok((given, operands.collect()))
            }
            Err(Stop::Wrong(wrong)) => Err(message(&wrong)),
            Err(Stop::Print(text)) => Err(String::from_utf8(text()).unwrap()),
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
        // A value that may be left out is for the long spelling.
        let (given, _) = parse(&[c"-zf"], false).unwrap();
        assert_eq!(given, [("l", None), ("f", None)]);
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
  -z, --reflink[=WHEN]         share
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
