//! `cat` against GNU cat over random bytes, options and descriptors: both must print the same,
//! say the same, exit with the same status and leave the same files and positions behind.

mod cp;
mod support;

use std::ffi::OsString;

use cp::case::{Case, Command, How, Input, Opened, Output};
use cp::child::{NOBODY, Setting};
use cp::scene::{Node, Scene};
use cp::seeds::{Place, check_seeds};
use support::{Random, gnu, is_root};

/// The files there are. Only its owner may read the last one. `OUT` is what output goes to.
const NAMES: [&str; 4] = ["a", "b c", "d\ne", "locked"];
const OUT: &str = "out";
const FOLDER: &str = "folder";

const LONG: [&str; 8] = [
    "number-nonblank",
    "number",
    "show-all",
    "show-ends",
    "show-nonprinting",
    "show-tabs",
    "squeeze-blank",
    "no-such",
];

/// Ways to move data, beside none given; each seed has one of them.
const WAYS: [&str; 3] = ["--io=auto", "--io=ring", "--io=sync"];

/// A few bytes of one kind, of which files are made.
fn segment(random: &mut Random, bytes: &mut Vec<u8>) {
    // Around what programs read at a time, and short ones that give lines of all kinds.
    let len = match random.below(16) {
        0 => (4096 << random.below(7)) - 2 + random.below(5),
        1 => random.below(10_000),
        2..=6 => random.below(4),
        _ => random.below(90),
    };
    let kind = random.below(9);
    let word = random.pick(&[
        &b"\n"[..],
        b"\r\n",
        b"\t",
        b"\r",
        b"\n\n\n",
        b"\n\t\n",
        b"\n\r\n",
    ]);
    bytes.extend((0..len).map(|at| match kind {
        0 => b'\n',
        1 => u8::try_from(random.next() & 0xff).expect("a byte"),
        2 => u8::try_from(at & 0xff).expect("a byte"),
        3 => word[at % word.len()],
        4 => random.pick(b"\n\r\tx"),
        5 if random.one_in(20) => b'\n',
        6 if random.one_in(3) => random.pick(b"\r\n\t\x7f\x80\xff"),
        7 => random.pick(b"\n\n\n\n\n\n \r"),
        _ => b'a' + u8::try_from(at % 26).expect("a letter"),
    }));
}

fn content(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.pick(&[0, 1, 1, 2, 3, 5, 20]) {
        segment(random, &mut bytes);
    }
    // So much that the kernel is asked to move it.
    if random.one_in(25) {
        let piece = bytes.clone();
        let len = random.pick(&[400_000, 400_000, 1_200_000]);
        while !piece.is_empty() && bytes.len() < len {
            bytes.extend(&piece);
            bytes.push(u8::try_from(bytes.len() & 0xff).expect("a byte"));
        }
    }
    bytes
}

fn options(random: &mut Random) -> Vec<OsString> {
    let mut args = Vec::new();
    for _ in 0..random.pick(&[0, 0, 1, 1, 1, 2, 3]) {
        if random.one_in(3) {
            // The last one is rare.
            let kinds = LONG.len() - usize::from(!random.one_in(15));
            let name = random.pick(&LONG[..kinds]);
            // Cut short, which is wrong if it may then be two of them.
            let len = if random.one_in(2) {
                name.len()
            } else {
                2 + random.below(name.len() - 2)
            };
            let mut word = format!("--{}", &name[..len]);
            if random.one_in(60) {
                word.push_str("=x");
            }
            args.push(word.into());
        } else {
            let mut word = String::from("-");
            for _ in 0..=random.below(3) {
                word.push(char::from(random.pick(b"AbeEnstTuv")));
            }
            if random.one_in(60) {
                word.push('z');
            }
            args.push(word.into());
        }
    }
    args
}

/// Names of files, `-` and what is none, with `--` among them or not.
fn operands(random: &mut Random, args: &mut Vec<OsString>, in_place: bool) {
    for _ in 0..random.below(5) {
        let operand = match random.below(30) {
            0 => "no",
            1 => FOLDER,
            2 => "b c/",
            3 => "",
            4..=6 if in_place => OUT,
            5..=9 => "-",
            10 => "/dev/null",
            _ => random.pick(&NAMES),
        };
        // Options may stand between operands.
        let at = if random.one_in(8) {
            random.below(args.len() + 1)
        } else {
            args.len()
        };
        args.insert(at, operand.into());
    }
    if random.one_in(12) {
        args.insert(random.below(args.len() + 1), "--".into());
    }
}

/// A place in a file of that length, or behind it.
fn place(random: &mut Random, len: usize) -> u64 {
    match random.below(3) {
        0 => random.below(len + 2) as u64,
        1 => len as u64,
        _ => 0,
    }
}

/// Where standard input comes from, where files have so many bytes.
fn input(random: &mut Random, lens: &[usize], before: usize, in_place: bool) -> Input {
    let open = |path, how, at| Input::File(Opened::new(path, how, at));
    match random.below(20) {
        0 => Input::Closed,
        1 => open(OUT, How::Write, 0),
        2 => open(FOLDER, How::Read, 0),
        3..=4 if in_place => open(OUT, How::Read, place(random, before)),
        5..=10 => {
            let number = random.below(NAMES.len());
            let at = place(random, lens[number]);
            // An ordinary user who runs the tests may not open the last one, either.
            let name = if is_root() { NAMES[number] } else { NAMES[0] };
            open(name, How::Read, at)
        }
        11..=16 => {
            let at_a_time = random.pick(&[1 << 20, 1 << 20, 4096, 1000, 1]);
            let mut bytes = content(random);
            if at_a_time == 1 {
                bytes.truncate(100);
            }
            Input::Pipe(bytes, at_a_time)
        }
        _ => Input::Nothing,
    }
}

/// Where standard output goes, where `OUT` has so many bytes.
fn output(random: &mut Random, before: usize, in_place: bool) -> Output {
    let open = |path, how, at| Output::File(Opened::new(path, how, at));
    match random.below(40) {
        0 => Output::Closed,
        1 => open("/dev/full", How::Write, 0),
        2 => open("/dev/null", How::Write, 0),
        3 => open(if in_place { NAMES[0] } else { OUT }, How::Read, 0),
        4..=7 => open(OUT, How::Write, place(random, before)),
        8..=17 => open(OUT, How::Append, 0),
        18..=27 => open(OUT, How::Empty, 0),
        _ => Output::Pipe,
    }
}

fn random_case(seed: u64, in_place: bool) -> (Case, Vec<&'static str>) {
    let random = &mut Random(seed);
    let mut scene = Scene::default();
    scene.add(FOLDER, Node::Dir);
    let lens = NAMES.map(|name| {
        let bytes = content(random);
        let len = bytes.len();
        scene.add(name, Node::Bytes(bytes));
        len
    });
    scene.items.last_mut().expect("the locked file").mode = 0o000;
    let mut args = options(random);
    operands(random, &mut args, in_place);
    let before = match random.below(3) {
        0 => Vec::new(),
        1 => b"there before\n".to_vec(),
        _ => content(random),
    };
    let len = before.len();
    scene.add(OUT, Node::Bytes(before));
    let mut input = input(random, &lens, len, in_place);
    let output = output(random, len, in_place);
    let is_out = |opened: &Opened| opened.path == std::path::Path::new(OUT);
    if let (Input::File(from), Output::File(to)) = (&input, &output)
        && !in_place
        && is_out(from)
        && is_out(to)
    {
        input = Input::Nothing;
    }
    let setting = Setting {
        user: (is_root() && random.one_in(4)).then_some(NOBODY),
        env: if random.one_in(10) {
            vec![("POSIXLY_CORRECT", "1")]
        } else {
            Vec::new()
        },
        // So that one that prints what it prints does not go on for ever.
        limits: vec![
            (libc::RLIMIT_FSIZE, 64 << 20),
            (libc::RLIMIT_CPU, 3),
            (libc::RLIMIT_CORE, 0),
        ],
        ..Setting::default()
    };
    let case = Case {
        command: Command::Cat,
        input,
        output,
        setting,
        ..Case::cp_with(scene, args)
    };
    let ways = support::ways(&WAYS);
    let way = usize::try_from(seed).expect("a seed") % ways.len();
    (case, vec!["", ways[way]])
}

fn generated(test: &str, place: Place, count: u64) {
    let Some((gnu, version)) = gnu("cat", test) else {
        return;
    };
    // Older ones refuse each file that is its own output, but at its end: before they find out
    // that it cannot be read, or that nothing can be written to it.
    let in_place = version >= (9, 7);
    check_seeds(test, &gnu, place, count, |seed| random_case(seed, in_place));
}

#[test]
fn generated_cases() {
    generated("generated_cases", Place::InMemory, 2000);
}

/// There the kernel has other ways to move data, and takes longer to make and remove files.
#[test]
fn generated_cases_on_disk() {
    generated("generated_cases_on_disk", Place::OnDisk, 200);
}
