//! Random command lines from the whole table of GNU cp's options.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::case::HERE;
use super::child::words;
use super::random_tree::{RandomTree, name};
use crate::support::Random;

/// Options, how often each is taken beside the others, and how it may be written: `{}` stands
/// for one of the values that come after.
pub const OPTIONS: &[(usize, &[&str], &[&str])] = &[
    (5, &["-f", "--force"], &[]),
    (4, &["-i", "--interactive"], &[]),
    (3, &["-n", "--no-clobber"], &[]),
    (5, &["-u", "--update", "--update={}"], UPDATES),
    (4, &["--remove-destination"], &[]),
    (
        8,
        &["-b", "--backup", "--backup={}", "--backup={}"],
        CONTROLS,
    ),
    (
        4,
        &["-S {}", "-S{}", "--suffix={}", "--suffix {}"],
        SUFFIXES,
    ),
    (4, &["-l", "--link"], &[]),
    (4, &["-s", "--symbolic-link"], &[]),
    (1, &["-x", "--one-file-system"], &[]),
    (3, &["-L", "--dereference"], &[]),
    (3, &["-P", "--no-dereference"], &[]),
    (3, &["-H"], &[]),
    (3, &["-d"], &[]),
    (4, &["-p", "--preserve"], &[]),
    (6, &["--preserve={*}"], KEPT),
    (5, &["--no-preserve={*}"], KEPT),
    (
        1,
        &["-Z", "--context", "--context={}"],
        &["x", "", "a:b:c:d"],
    ),
    (3, &["--copy-contents"], &[]),
    (3, &["--attributes-only"], &[]),
    (5, &["--parents"], &[]),
    (3, &["--strip-trailing-slashes"], &[]),
    (4, &["--keep-directory-symlink"], &[]),
    (3, &["--reflink", "--reflink={}", "--reflink={}"], CLONES),
    (4, &["--sparse={}", "--sparse {}"], SPARSE),
    (6, &["-v", "--verbose"], &[]),
    (3, &["-r", "-R", "--recursive", "-a", "--archive"], &[]),
    (1, &["{}"], WRONG),
];

const UPDATES: &[&str] = &[
    "all",
    "none",
    "none-fail",
    "older",
    "older",
    "none",
    "none-f",
    "al",
    "o",
    "non",
    "x",
    "",
];
const CONTROLS: &[&str] = &[
    "none", "off", "numbered", "t", "existing", "nil", "simple", "never", "numbered", "existing",
    "simple", "nu", "num", "ex", "e", "s", "ni", "ne", "no", "n", "o", "x", "",
];
const SUFFIXES: &[&str] = &[".bak", "~", ".x", "", "a/b", "/", "x/", ".~1~", "--", " "];
const KEPT: &[&str] = &[
    "mode",
    "ownership",
    "timestamps",
    "links",
    "xattr",
    "all",
    "mode",
    "ownership",
    "timestamps",
    "links",
    "xattr",
    "m",
    "own",
    "time",
    "li",
    "x",
    "context",
    "nothing",
    "",
];
const CLONES: &[&str] = &["auto", "always", "never", "never", "au", "a", "n", "x"];
const SPARSE: &[&str] = &[
    "auto", "always", "never", "always", "never", "al", "n", "a", "x",
];
const WRONG: &[&str] = &[
    "--no-such",
    "-q",
    "--pre",
    "--no",
    "--no-p=mode",
    "--re",
    "--s",
    "--force=1",
    "--back=numbered",
    "--copy=1",
    "--par",
    "--att",
    "--sym",
    "--up=none",
    "--verb",
    "--preserve=mode,,links",
    "--strip",
    "--keep",
    "--li",
    "--path",
    "--i",
    "--de",
    "--rec",
    "--one",
    "--sp=never",
    "--ref=auto",
    "--sparse",
    "-S",
    "--suffix",
    "-tno",
];

/// A command line, and what goes with it.
pub struct RandomCommand {
    pub args: Vec<OsString>,
    pub env: Vec<(&'static str, &'static str)>,
    /// What is answered to questions.
    pub answers: Vec<u8>,
}

/// A random command in a scene.
pub fn random_command(random: &mut Random, tree: &RandomTree) -> RandomCommand {
    let mut options = options(random);
    let recursive = random.pick(&["-r", "-a", "-R", "-a", "-r", "-rp", "-dR", "-a", "", ""]);
    if !recursive.is_empty() {
        options.push(words(recursive));
    }
    let said = Said::of(&options);
    let (mut sources, target) = operands(random, tree, &said);
    match random.below(8) {
        0 => options.push(with_value(random, "-t", "--target-directory", &target)),
        1 if sources.len() == 1 && (!said.parents || random.one_in(8)) => {
            options.push(vec![
                random.pick(&["-T", "-T", "--no-target-directory"]).into(),
            ]);
            sources.push(target);
        }
        _ => sources.push(target),
    }
    let mut args = Vec::new();
    let mut behind = Vec::new();
    while !options.is_empty() {
        let option = options.swap_remove(random.below(options.len()));
        if random.one_in(8) {
            behind.push(option);
        } else {
            args.extend(option);
        }
    }
    bundle(random, &mut args);
    if random.one_in(3) {
        args.extend(behind.into_iter().flatten());
        args.push("--".into());
        args.extend(sources);
    } else {
        for source in sources {
            let dash = source.as_bytes().starts_with(b"-");
            // Seldom an option by its name.
            if dash && random.below(8) > 0 {
                args.push([b"./", source.as_bytes()].concat().into_os_string());
            } else {
                args.push(source);
            }
            if random.one_in(3) {
                args.extend(behind.pop().unwrap_or_default());
            }
        }
        args.extend(behind.into_iter().flatten());
    }
    RandomCommand {
        args,
        env: environment(random),
        answers: answers(random),
    }
}

trait IntoOsString {
    fn into_os_string(self) -> OsString;
}

impl IntoOsString for Vec<u8> {
    fn into_os_string(self) -> OsString {
        OsString::from_vec(self)
    }
}

/// Some options, each as one or two arguments.
fn options(random: &mut Random) -> Vec<Vec<OsString>> {
    let total: usize = OPTIONS.iter().map(|(weight, ..)| weight).sum();
    let count = random.pick(&[0, 1, 1, 2, 2, 2, 3, 3, 4, 5]);
    (0..count)
        .map(|_| {
            let mut at = random.below(total);
            let found = OPTIONS.iter().find(|(weight, ..)| {
                let here = at < *weight;
                at = at.saturating_sub(*weight);
                here
            });
            let (_, spellings, values) = found.expect("less than all");
            spelled(random, spellings, values)
        })
        .collect()
}

fn spelled(random: &mut Random, spellings: &[&str], values: &[&str]) -> Vec<OsString> {
    let spelling = random.pick(spellings);
    // The last ones are wrong, ambiguous, or need a kernel that has it: seldom.
    let usual = values.len().saturating_sub(4).max(1);
    let value = |random: &mut Random| {
        if values.is_empty() {
            ""
        } else if random.one_in(6) {
            random.pick(values)
        } else {
            random.pick(&values[..usual.min(values.len())])
        }
    };
    let text = if spelling.contains("{*}") {
        let list: Vec<_> = (0..=random.below(3)).map(|_| value(random)).collect();
        spelling.replace("{*}", &list.join(","))
    } else {
        // A value may be empty, or a space: not to be taken for a word's end.
        let value = value(random);
        if let Some(option) = spelling.strip_suffix(" {}")
            && !value.starts_with('/')
        {
            return vec![option.into(), value.into()];
        }
        spelling.replace(" {}", "={}").replace("{}", value)
    };
    vec![shortened(random, text).into()]
}

/// A long option by less than its name, seldom.
fn shortened(random: &mut Random, text: String) -> String {
    let name = text.split('=').next().unwrap_or(&text);
    if name.len() < 7 || !name.starts_with("--") || random.below(10) > 0 {
        return text;
    }
    let most = if random.one_in(2) { 3 } else { name.len() / 2 };
    let len = name.len() - 1 - random.below(most);
    format!("{}{}", &name[..len], &text[name.len()..])
}

/// An option with a value, in one of the four ways there are.
fn with_value(random: &mut Random, short: &str, long: &str, value: &OsString) -> Vec<OsString> {
    let joined = |option: &str| {
        let mut word = OsString::from(option);
        word.push(value);
        word
    };
    match random.below(6) {
        0 => vec![joined(short)],
        1 => vec![joined(&format!("{long}="))],
        2 => vec![long.into(), value.clone()],
        3 => vec![joined(&format!("{}=", &long[..8]))],
        _ => vec![short.into(), value.clone()],
    }
}

/// Joins short options without values, at times.
fn bundle(random: &mut Random, args: &mut Vec<OsString>) {
    let is_short = |arg: &OsString| {
        let bytes = arg.as_bytes();
        bytes.len() > 1 && bytes[0] == b'-' && bytes[1..].iter().all(u8::is_ascii_alphabetic)
    };
    let mut at = 1;
    while at < args.len() {
        // Not a value that follows, nor a word that takes one.
        let takes = |arg: &OsString| arg.as_bytes().iter().any(|byte| b"StT".contains(byte));
        if is_short(&args[at - 1])
            && is_short(&args[at])
            && !takes(&args[at - 1])
            && random.one_in(3)
        {
            let more = args.remove(at);
            let letters = OsString::from_vec(more.as_bytes()[1..].to_vec());
            args[at - 1].push(letters);
        } else {
            at += 1;
        }
    }
}

/// What the options ask of the operands, if there is to be something to compare.
struct Said {
    recursive: bool,
    parents: bool,
    symbolic: bool,
}

impl Said {
    fn of(options: &[Vec<OsString>]) -> Self {
        let any = |wanted: &[&str]| {
            let mut words = options.iter().flatten();
            words.any(|word| wanted.iter().any(|wanted| word == *wanted))
        };
        let recursive = &["-r", "-a", "-R", "-rp", "-dR", "--recursive", "--archive"];
        Self {
            recursive: any(recursive),
            parents: any(&["--parents"]),
            symbolic: any(&["-s", "--symbolic-link"]),
        }
    }
}

fn operands(random: &mut Random, tree: &RandomTree, said: &Said) -> (Vec<OsString>, OsString) {
    let count = random.pick(&[1, 1, 1, 1, 1, 2, 2, 3, 4]);
    let dirs = said.recursive || random.one_in(10);
    let one = |random: &mut Random| {
        let dir = dirs && random.one_in(2);
        let top = random.pick(&["s", "s", "s", "d", "o", ""]);
        tree.below(random, top, dir)
    };
    let into = |random: &mut Random| {
        let top = random.pick(&["d", "d", "d/s", "", "s"]);
        tree.below(random, top, true)
    };
    let (sources, target): (Vec<PathBuf>, PathBuf) = match random.below(16) {
        // All of s, onto what is there.
        0..=4 if dirs => (vec!["s".into()], "d".into()),
        5..=6 if dirs => (vec!["s/.".into()], random.pick(&["d", "d/s"]).into()),
        // Folders into each other, and what is not there.
        7 if dirs => (
            (0..count)
                .map(|_| {
                    random
                        .pick(&["s", "o", "d/s", "no", ".", "s/a", "d"])
                        .into()
                })
                .collect(),
            random
                .pick(&[
                    "d", "d", "d", "s", "new", "new/new", "s/new", ".", "d/s", "",
                ])
                .into(),
        ),
        // Into a folder.
        0..=6 => ((0..count).map(|_| one(random)).collect(), into(random)),
        // One onto its counterpart, onto a new name, or onto anything.
        _ if !said.parents => {
            let source = one(random);
            let below = source.strip_prefix("s").unwrap_or(&source).to_owned();
            let target = match random.below(8) {
                0..=2 => Path::new("d/s").join(below),
                3 => Path::new("d").join(below),
                4 => into(random).join(name(random)),
                5 => name(random),
                _ => tree.any(random),
            };
            (vec![source], target)
        }
        _ => ((0..count).map(|_| one(random)).collect(), into(random)),
    };
    let sources = sources
        .iter()
        .map(|path| {
            let word = dressed(random, path, tree.is_dir(path));
            // A symbolic link to what is not in the folder it is in must be to a full path.
            if said.symbolic && random.below(3) > 0 && !word.as_bytes().starts_with(b"/") {
                let mut full = OsString::from(HERE);
                full.push(word);
                full
            } else {
                word
            }
        })
        .collect();
    (sources, dressed(random, &target, tree.is_dir(&target)))
}

/// A path with what changes nothing, or little, about what it means.
fn dressed(random: &mut Random, path: &Path, dir: bool) -> OsString {
    let mut word = OsString::from(match random.below(24) {
        0 => "./",
        1 => ".//",
        2 => "../3/s/../",
        3 => HERE,
        _ => "",
    });
    for (number, byte) in path.as_os_str().as_bytes().iter().enumerate() {
        let byte = OsString::from_vec(vec![*byte]);
        if number > 0 && byte == "/" && random.one_in(16) {
            word.push(random.pick(&["/", "/.", "///"]));
        }
        word.push(byte);
    }
    // No slash behind nothing: that is the root of the machine.
    if !word.is_empty() && random.below(if dir { 6 } else { 24 }) == 0 {
        word.push(random.pick(&["/", "/", "//", "/.", "/..", "/./", "/.//"]));
    }
    word
}

fn environment(random: &mut Random) -> Vec<(&'static str, &'static str)> {
    let mut env = Vec::new();
    if random.one_in(10) {
        env.push(("POSIXLY_CORRECT", random.pick(&["1", ""])));
    }
    if random.one_in(8) {
        env.push(("VERSION_CONTROL", random.pick(CONTROLS)));
    }
    if random.one_in(12) {
        env.push(("SIMPLE_BACKUP_SUFFIX", random.pick(SUFFIXES)));
    }
    env
}

fn answers(random: &mut Random) -> Vec<u8> {
    let mut text: Vec<u8> = (0..random.below(8))
        .flat_map(|_| {
            let line: &[u8] = random.pick(&[
                &b"y\n"[..],
                b"y\n",
                b"n\n",
                b"n\n",
                b"yes\n",
                b"Y\n",
                b"N\n",
                b"\n",
                b" y\n",
                b"ynot\n",
                b"x\n",
            ]);
            line.to_vec()
        })
        .collect();
    // The last line may have no end.
    if random.one_in(6) {
        text.pop();
    }
    text
}
