//! `cp` against GNU cp: the same command in two copies of the same scene must exit with the
//! same status, say the same and leave the same tree behind.

mod cp;
mod support;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use cp::child::{self, Setting, words};
use cp::compare::{Case, NOBODY};
use cp::scene::{Node, Scene, bytes_path};
use cp::table::{WAYS, check_all, check_on_disk, commands, each, open_dir};
use support::{Random, from_env, is_root, odd_names};

#[test]
fn usage() {
    let scene = "file a; file b; dir d; file d/x; link ld d; link dangling no";
    check_all(
        "usage",
        commands(
            scene,
            "a; --; -t d; -t; -r; -T a; -T a b d; -T a d; -t d -T a; -t d -t d a; -t no a; \
             -t a b; -t dangling a; a b no; a b a; a b dangling; -q a b; --no-such a b; \
             --ver a b; --no-clobber=1 a b; --target-directory; --target-directory=d a; \
             --target-dir d a b; --recursive d e; --rec d e; --arch d e; --verb a c; \
             --deref dangling c; --no-deref dangling c; -vt d a b; -vtd a b; -t d a -v b; \
             a -v c; -- a c; -- -v c; a -- c; - c; a -; -rR d e; -t ld a b; a b ld; a b ld/; \
             a b d/.",
        ),
        WAYS,
    );
}

#[test]
fn empty_operands() {
    let cases = [
        &["", "c"][..],
        &["a", ""],
        &["-r", "", "d"],
        &["-t", "", "a"],
    ]
    .map(|args| Case {
        name: format!("{args:?}"),
        scene: Scene::parse("file a; dir d"),
        args: args.iter().map(Into::into).collect(),
        setting: Setting::default(),
    });
    check_all("empty_operands", cases, WAYS);
}

#[test]
fn one_file() {
    let scene = "file a 5000; file b 70; file x 9 755; file suid 9 6755; file ro 5 444; \
                 file none 5 000; dir d; file d/a 3; file d/suid 3 666; link l a; link up ../a; \
                 hard h a; fifo p; sock s; null n; blk k; link loop loop; dir d/b; link in d/a";
    check_all(
        "one_file",
        commands(
            scene,
            "a c; a b; a d; a d/; a d/.; a d/new; a new/; a b/; a/ c; a/. c; ./a c; \
             d/../a c; a d/../c; -v a c; -v a d; -v a d/; -v a d//; -v ./a ./d/./; -p a c; \
             -p a b; -p suid c; -p suid b; -p suid d; suid c; suid b; x c; x b; -p x b; \
             -a suid c; ro c; a ro; -f a ro; -fv a ro; -n a ro; -nf a ro; -fn a ro; \
             -nv a ro; -nv a c; none c; a none; -f a none; -p none c; -a ro c; -T a c; \
             -T a d; -T a d/b; b d; no c; no/ c; a no/c; a b/c; b/a c; -r a c; -r a d; \
             -P a c; -d a c; -L a c; -H a c; l c; l b; -P l c; -d l c; -a l c; -H l c; \
             -L l c; -P l b; -P l d; -P l d/b; -P l ro; -fP l ro; -nP l b; loop c; \
             -P loop c; -a loop d; b l; -P b l; -f b l; -a b l; b loop; -f b loop; \
             -P b loop; -a b loop; -n b loop; -P up b; -P l up; b in; -T b in; l/ c; -r p c; \
             -a p c; -a p b; -a p d; -a p d/b; -r s c; -a s c; -rv s b; -a n c; -a k c; \
             -r n c; -a k b; -a k d; s c; n c; k c; -p n c; n b; a n; -a a n; -a a s; a s; \
             -f a s; a k; -f a k; -P a p -n; -a p s",
        ),
        WAYS,
    );
}

#[test]
fn one_and_the_same_file() {
    let scene = "file a 5000; link l a; link ll l; hard h a; dir d; link d/up ../a; hard d/h a; \
                 link dl d; link self .; file o 3; hard oh o; link ro-l ro; file ro 9 400; \
                 link l2 a; dir d/sub; link d/sub/a ../../a";
    let list = each(
        "; -f; -P; -a; -d; -n; -p; -r; -L; -H; -T; -fP; -rL",
        "a a; a ./a; a .; a d/../a; a l; l a; a ll; ll a; l ll; ll l; l l; l ./l; l l2; \
         l2 l; a h; h a; a d/h; a d/up; d/up a; d/up .; d/h .; a self/a; l self; dl/h a; \
         dl/h d; d/h dl; d/sub/a .; a d/sub; ro ro-l; ro-l ro; a h o oh d; l ll d; \
         dl/up d; d/up dl; dl/up dl; dl/up d/up; d/up dl/up; dl/up dl/up; self/l .; self/l self; \
         self/self/l self; l self",
    );
    check_all("one_and_the_same_file", commands(scene, &list), WAYS);
}

#[test]
fn several_operands() {
    let scene = "file a 5000; file b 70; dir d; dir e; file e/a 30; link e/b ../a; dir f; \
                 file f/a 6; dir g; dir g/a; file g/a/x; dir h; link h/a ../b; link h/b nowhere; \
                 link l a; dir e/sub; file e/sub/one; dir f/sub; file f/sub/two; dir ro 555; \
                 dir i; link i/a ../d";
    let linked = "file a 100; hard b a; dir d; dir e; hard e/c a; file e/x; link e/l x; hard e/ll e/l; \
                 dir s; hard s/1 a; hard s/2 a; file s/3; dir s/sub; hard s/sub/4 s/3; dir o; \
                 file o/1; hard o/2 o/1; file o/3; dir m; file m/x 6; link m/1 x";
    let list = "a b d; -v a b d; a no b d; no a also-no d; a e d; -r a e d; -r a e/. d; \
                 a e/a d; a e/a f/a d; -v a e/a d; -n a e/a d; -f a e/a d; -a a e/a d; \
                 a a d; a ./a d; a a/ d; -v a a b d; e/b a d; -P e/b a d; -P h/a a d; \
                 -P h/a h/b b d; -P i/a a d; -P a h/a d; -d h/b b d; -r g/a a d; -r a g/a d; -r e e d; \
                 -r e e/ d; -r e ./e d; -r e/sub f/sub d; -a e/sub f/sub d; -r e/. f/. d; \
                 -rv e f g h d; -rL e f g d; -rL e f g h d; -a . d; -a e f d no; a b ro; \
                 -r e a ro; a b no; a b l; a b .; a e/a .; -t d a no b; -T a b; \
                 -t d e/a f/a a; -r -t d e/sub f/sub; -at d l a; -dt d l l; -Pt d h/b h/b; \
                 -a e/a e/a d";
    let linked_list = "a b d; -d a b d; -a a b d; -p a b d; -a a e d; -a a b e s d; -av a b e s d; \
                 -r a b e s d; -dr a b e s d; -aL a b e s d; -dL e/x e/l e/ll d; -rLd e d; \
                 -aH e/l e/ll d; -a s/. o; -av s/. o; -an s/. o; -af s/. o; -r s/. o; \
                 -a o/. s; -av o/. s; -a s o; -aT s o; -rT o s; -a s/1 s/2 o; -d o/1 s/1; \
                 -a e/ll e/l d; -aL s/1 s/2 m; -aH s/1 s/2 m; -aP s/1 s/2 m; -dp s/1 s/2 m; \
                 -pL s/1 s/2 m; -aLf s/1 s/2 m; -aL s/. m; -aH s/1 s m";
    let mut cases = commands(scene, list);
    cases.extend(commands(linked, linked_list));
    check_all("several_operands", cases, WAYS);
}

#[test]
fn trees() {
    let scene = "dir s; file s/a 5000; file s/x 1 711; link s/l a; link s/dangling nowhere; \
                 link s/loop loop; fifo s/p 600; sock s/s; null s/n 666; blk s/k; hard s/h s/a; \
                 dir s/sub 700; hard s/sub/h s/a; link s/sub/up ..; link s/sub/abs /dev/null; \
                 dir s/sub/deep 1777; file s/sub/deep/suid 4 4711; file s/sub/deep/sgid 4 2755; \
                 dir s/sgid 2775; file s/sgid/f; dir s/empty; dir s/ro 555; file s/ro/f 3 444; \
                 dir s/ro/d 500; dir s/none 000; file s/none/f; file s/unreadable 4 000; \
                 dir s/wx 300; file s/wx/f; link sl s; link file a; dir t; file f";
    check_all(
        "trees",
        commands(
            scene,
            "s new; s t; -r s new; -R s new; -a s new; -p s new; -rp s new; -dr s new; \
             -rP s new; -rH s new; -rL s new; -rv s new; -av s new; -aL s new; -r s t; \
             -a s t/; -r s/ t; -r s/. t; -a s/. t; -a s/. new; -a s/ new/; -aT s t; \
             -aT s/ t/; -r s/.. t; -r s/sub/.. t; -rt t s; -r s f; -rf s f; -rn s f; \
             -aT s f; -r s no/new; -r sl new; -r sl t; -rP sl new; -rH sl new; -rH sl t; \
             -rL sl new; -a sl new; -aH sl new; -r sl/ new; -a sl/ new; -a sl/. new; \
             -r s sl; -aT s sl; -r s/sub sl; -r s/sub/deep s/sub/deep/suid t; -a s/none new; \
             -a s/unreadable new; -rn s t; -rv s// t; -r s t/../new; -r s new/; -r s new/.; \
             -r f new/",
        ),
        WAYS,
    );
}

#[test]
fn into_itself() {
    let scene = "dir s; file s/a; dir s/b; file s/b/c; link sl s; link s/up ..";
    check_all(
        "into_itself",
        commands(
            scene,
            "-r s s; -r s s/; -r s s/.; -r s s/new; -r s s/b; -r s s/b/new; -a s s/new; \
             -rv s s/new; -rT s s; -rT s s/new; -rT s/. s; -r s .; -r s ./; -r s/. s; \
             -r s/b s; -r s/b s/b; -r s/b/. s; -r s sl; \
             -r . s/new; -r . new; -r . .; -r ../3 new; \
             -rf s s/new; -rn s s; -r s s s/new; -r s s/a s/b",
        ),
        WAYS,
    );
}

#[test]
fn onto_what_is_there() {
    let scene = "dir s; file s/file 500; dir s/dir; file s/dir/in 5; link s/link file; \
                 link s/dlink dir; fifo s/fifo; sock s/sock; null s/null; dir s/full; file s/full/x; \
                 dir t; dir t/s; file t/s/file 9 600; dir t/s/dir 700; file t/s/dir/in 50 666; \
                 file t/s/dir/other 5; link t/s/link ../../victim; link t/s/dlink elsewhere; \
                 file victim 77; dir elsewhere; file elsewhere/kept; \
                 dir u; dir u/s; dir u/s/file; link u/s/dir ../../elsewhere; dir u/s/link; \
                 file u/s/fifo; dir u/s/sock; link u/s/null /dev/null; link u/s/full nowhere; \
                 file u/s/dlink; \
                 dir v; dir v/s; link v/s/file ../../victim; file v/s/dir; sock v/s/link; \
                 file v/s/dlink 3 444; link v/s/fifo ../../victim; null v/s/sock; \
                 dir w; dir w/s; link w/s/file nowhere; dir w/s/dir; link w/s/dir/in in; \
                 file w/s/link 5; hard w/s/more w/s/link; dir w/s/dlink; fifo w/s/fifo; \
                 dir x; dir x/s 555; file x/s/file 5 444; dir x/s/dir 555; file x/s/dir/in 5 444; \
                 dir y; link y/s ../elsewhere; dir z; file z/s";
    let list = each(
        "-r; -a; -rf; -rn; -rv; -rp; -rL; -dr; -afv; -rH; -rLp",
        "s t; s u; s v; s w; s x; s y; s z; s/. t/s; -T s y/s; \
         s/file s/dir s/link t/s u/s; s/file s/link s/fifo s/null s/dir w/s",
    );
    check_all("onto_what_is_there", commands(scene, &list), WAYS);
}

#[test]
fn umasks() {
    let scene = "dir s 777; file s/a 5 666; file s/x 5 4777; dir s/d 2777; file s/d/f 5 600; \
                 fifo s/p 666; dir s/t 1777; dir s/none 000; dir s/r 444; dir s/n 070; \
                 dir t 777; dir g 2777; file old 5 640";
    let list = "-r s new; -a s new; -p s/x new; s/x new; -r s t; -rp s t; -r s g; -a s g; s/a g; \
                -p s/a g; s/x old; -p s/x old; -dr s new; -r s/p new";
    let umasks = [0, 0o022, 0o077, 0o002, 0o777, 0o700];
    let cases = umasks.into_iter().flat_map(|umask| {
        commands(scene, list).into_iter().map(move |mut case| {
            case.setting.umask = umask;
            case
        })
    });
    check_all("umasks", cases, &["", "--io=ring"]);
}

#[test]
fn owners() {
    if !is_root() {
        return support::skip("owners", "gives files away, which takes root");
    }
    let text = "dir s; file s/a 5 4755; file s/mine 5 6711; file s/unreadable 5 600; link s/l a; \
                dir s/d 3775; file s/d/x 5 640; fifo s/p; dir t; file t/a 50 6777; \
                file t/mine 5 4777; dir u 777; file sticky 3";
    let list = "-r s u; -a s u; -rp s u; -p s/a u; -p s/mine u; -p s/a t; -p s/mine t; \
                -a s/. t; -f s/a t; s/a s/mine t; -a s/l u; -a s/p u; -pf s/a s/mine t; \
                -a s/d u/new; -p s/unreadable u; -dr s u";
    let mut cases = commands(text, list);
    for item in cases.iter_mut().flat_map(|case| &mut case.scene.items) {
        item.owner = Some(match item.path.to_str().expect("a plain name") {
            "s/a" | "s/d" | "s/unreadable" | "sticky" => (1234, 4321),
            "s/d/x" => (0, 4321),
            "t/a" => (NOBODY, 0),
            "t/mine" => (4321, NOBODY),
            _ => (NOBODY, NOBODY),
        });
    }
    check_all("owners", cases, WAYS);
}

#[test]
fn posixly_correct() {
    let text = "file a; file b; link l nowhere; link in d/no; dir d; link d/a ../nowhere; dir s; \
                file s/a; link loop loop";
    let cases = [
        "a l", "a in", "-a a l", "-f a l", "-P a l", "a d", "-r s/. d", "a -v b", "a loop",
    ]
    .into_iter()
    .flat_map(|command| {
        [vec![], vec![("POSIXLY_CORRECT", "1")]].map(move |env| Case {
            name: format!("{env:?} cp {command}"),
            scene: Scene::parse(text),
            args: words(command),
            setting: Setting {
                env,
                ..Setting::default()
            },
        })
    });
    check_all("posixly_correct", cases, &[""]);
}

#[test]
fn odd_names_everywhere() {
    let mut names = odd_names();
    names.extend(
        [
            &b"'"[..],
            b"it's",
            b"\x01\x7f",
            b"a\\b",
            b"$(x)",
            b"~",
            b"#",
            b"-",
            b"x'\ny",
            b" ",
        ]
        .map(|name| bytes_path(name).into_os_string()),
    );
    let cases = names.iter().flat_map(|name| {
        let inside = |folder: &str| Path::new(folder).join(name);
        let mut scene = Scene::parse("dir s; dir t; dir u; dir v; file w");
        scene.add(inside("s"), Node::File(10, vec![(0, 10)]));
        scene.add(inside("t"), Node::Dir);
        scene.add(inside("t").join(name), Node::Link(name.clone()));
        scene.add(inside("t").join("x"), Node::File(3, vec![(0, 3)]));
        scene.add(inside("u"), Node::Link("/nowhere".into()));
        let word = |s: &str| OsString::from(s);
        let operand = |folder: &str| inside(folder).into_os_string();
        // Ok, and each message that holds the name.
        [
            vec![word("-v"), operand("s"), word("v")],
            vec![word("-rv"), operand("t"), word("v")],
            vec![word("-av"), word("s/."), word("t/."), word("u/.")],
            vec![word("--"), name.clone(), word("v")],
            vec![operand("t"), word("v")],
            vec![operand("s"), operand("t")],
            vec![operand("s"), operand("u")],
            vec![operand("s"), operand("s")],
            vec![word("-r"), operand("t"), operand("s")],
            vec![word("-T"), word("w"), word("v"), name.clone()],
            vec![operand("s"), operand("s"), word("v")],
            vec![word("-t"), operand("s"), word("w")],
            vec![word("-rT"), operand("t"), operand("t").also("/in")],
        ]
        .map(|args| Case {
            name: format!("{args:?}"),
            scene: scene.clone(),
            args,
            setting: Setting::default(),
        })
    });
    check_all("odd_names_everywhere", cases, &["", "--io=sync"]);
}

/// A word with something behind it.
trait Also {
    fn also(self, more: &str) -> Self;
}

impl Also for OsString {
    fn also(mut self, more: &str) -> Self {
        self.push(more);
        self
    }
}

/// Sizes on both sides of every buffer's border.
const SIZES: &[u64] = &[
    0,
    1,
    511,
    512,
    513,
    4095,
    4096,
    4097,
    (128 << 10) - 1,
    128 << 10,
    (128 << 10) + 1,
    (256 << 10) - 1,
    256 << 10,
    (256 << 10) + 1,
    (512 << 10) - 1,
    (512 << 10) + 1,
    (1 << 20) - 1,
    1 << 20,
    (1 << 20) + 1,
    (5 << 18) - 1,
    5 << 18,
    (5 << 18) + 1,
    (8 << 20) + 12345,
];

#[test]
fn sizes() {
    let mut scene = Scene::parse("dir s; dir t");
    for &size in SIZES {
        let data = vec![(0, usize::try_from(size).unwrap())];
        scene.add(format!("s/{size}"), Node::File(size, data.clone()));
        // What is there may be longer or shorter.
        let other = usize::try_from((4 << 20) - size.min(4 << 20)).unwrap();
        scene.add(
            format!("t/{size}"),
            Node::File(other as u64, vec![(0, other)]),
        );
    }
    let cases = ["-r s new", "-a s/. t"].map(|command| Case {
        name: format!("sizes: cp {command}"),
        scene: scene.clone(),
        args: words(command),
        setting: Setting::default(),
    });
    check_on_disk("sizes", cases, WAYS);
}

#[test]
fn large_files() {
    let mut scene = Scene::parse("dir s");
    for size in [64 << 20, (64 << 20) + 1, (32 << 20) - 1] {
        let data = vec![(0, usize::try_from(size).unwrap())];
        scene.add(format!("s/{size}"), Node::File(size, data));
    }
    let case = Case {
        name: "large files".into(),
        scene,
        args: words("-a s new"),
        setting: Setting::default(),
    };
    check_on_disk("large_files", std::iter::once(case), WAYS);
}

#[test]
fn holes() {
    let scene = "dir s; hole s/all 10000000; hole s/all-odd 4194305; hole s/small 5000 4000+1000; \
                 hole s/start 3000000 2999000+1000; hole s/end 3000000 0+1000; \
                 hole s/end-aligned 2097152 0+1048576; hole s/middle 9000000 0+4096 8000000+1000000; \
                 hole s/many 4000000 0+5000 100000+5000 300000+300000 1000000+700000 3900000+1; \
                 hole s/tail 8388609 8388608+1; hole s/big 4294967296 4294967290+6 2147483647+2; \
                 hole s/one 1; hole s/block 4096; hole s/buffer 262144 0+1; \
                 hole s/after 262145 262144+1; dir t; file t/all 5000; file t/start 3000001; \
                 file t/middle 12; file t/end 5000000";
    let cases = ["-r s new", "-a s/. t", "s/all new", "-L s/many new"]
        .into_iter()
        .map(|command| Case {
            name: format!("holes: cp {command}"),
            scene: Scene::parse(scene),
            args: words(command),
            setting: Setting::default(),
        });
    // The 4 GiB file is hashed as any other, holes and all: in one way only.
    let short = |case: Case| {
        let mut case = case;
        case.scene
            .items
            .retain(|item| item.path != Path::new("s/big"));
        case
    };
    check_on_disk("holes", cases.clone().map(short), WAYS);
}

#[test]
fn offsets_beyond_32_bits() {
    let dir = open_dir();
    let scene = Scene::parse("hole big 6442450944 4294967290+6 2147483647+2 6442450943+1");
    for way in [None, Some("--io=ring"), Some("--io=sync")] {
        scene.build(dir.path());
        let mut args = words("-p big new");
        args.extend(way.map(OsString::from));
        let program = support::annulet();
        child::cp(&program, &args, dir.path(), &Setting::default()).expect_success();
        // Looked at where there is data; hashing all of it would take its time.
        let (a, b) = ["big", "new"]
            .map(|n| fs::File::open(dir.path().join(n)).unwrap())
            .into();
        let (sizes, blocks) = (
            [&a, &b].map(|f| f.metadata().unwrap().len()),
            b.metadata().unwrap().blocks(),
        );
        assert_eq!(sizes[0], sizes[1], "{way:?}");
        assert!(blocks < 1024, "{way:?}: {blocks} blocks");
        for at in [4_294_967_280, 2_147_483_640, 6_442_450_930] {
            let (mut x, mut y) = ([0; 14], [0; 14]);
            a.read_exact_at(&mut x, at).unwrap();
            b.read_exact_at(&mut y, at).unwrap();
            assert_eq!(x, y, "{way:?} at {at}");
            assert_ne!(x, [0; 14], "no data was prepared at {at}");
        }
        for name in ["big", "new"] {
            fs::remove_file(dir.path().join(name)).unwrap();
        }
    }
}

/// Few names, so that they meet.
const NAMES: &[&str] = &[
    "a",
    "b",
    "c",
    "dir",
    "l",
    "x y",
    "new\nline",
    "-r",
    "q'uote",
];

const MODES: &[u32] = &[
    0o644, 0o644, 0o755, 0o755, 0o777, 0o600, 0o444, 0o555, 0o000, 0o4755, 0o2755, 0o1777, 0o200,
    0o711, 0o400, 0o6777, 0o500, 0o300,
];

fn random_size(random: &mut Random) -> u64 {
    match random.below(12) {
        0 => random.pick(SIZES).min(2 << 20),
        1 => random.next() % 700_000,
        2 => 0,
        _ => random.next() % 6000,
    }
}

fn random_node(random: &mut Random, before: &[(PathBuf, bool)], path: &Path) -> Node {
    match random.below(20) {
        0..=6 => {
            let size = random_size(random);
            if random.one_in(6) && size > 5000 {
                let at = random.next() % size;
                let len = usize::try_from((size - at).min(9000)).unwrap();
                return Node::File(size, vec![(at, len)]);
            }
            Node::File(size, vec![(0, usize::try_from(size).unwrap())])
        }
        7..=9 => {
            let name = random.pick(NAMES);
            let up = "../".repeat(path.components().count() - 1);
            Node::Link(match random.below(6) {
                0 => name.into(),
                1 => format!("../{name}").into(),
                2 => ".".into(),
                3 => "nowhere".into(),
                _ => match before {
                    [] => "nowhere".into(),
                    before => Path::new(&up).join(random.pick(before).0).into_os_string(),
                },
            })
        }
        10..=11 => {
            let files: Vec<_> = before.iter().filter(|(_, dir)| !dir).collect();
            if files.is_empty() {
                return Node::Link("nowhere".into());
            }
            Node::Hard(random.pick(&files).0.clone())
        }
        // A FIFO makes whoever opens it wait: only under s, where it is only copied.
        12 if path.starts_with("s") => Node::Fifo,
        13 => Node::Socket,
        14 if is_root() => random.pick(&[Node::Char(1, 3), Node::Block(240, 77)]),
        _ => Node::Dir,
    }
}

fn random_scene(random: &mut Random, id: Option<u32>) -> (Scene, Vec<PathBuf>) {
    let mut scene = Scene::default();
    let mut paths: Vec<(PathBuf, bool)> = Vec::new();
    let mut dirs: Vec<PathBuf> = Vec::new();
    let tops: &[&str] = match random.below(4) {
        0 => &["s"],
        1 => &["s", "d", "o"],
        _ => &["s", "d"],
    };
    for top in tops {
        dirs.push(top.into());
        paths.push((top.into(), true));
        scene.add(*top, Node::Dir);
        let mut own = vec![PathBuf::from(top)];
        // What is copied meets what is there: s/x in d or in d/s.
        if *top == "d" && random.one_in(2) {
            scene.add("d/s", Node::Dir);
            paths.push(("d/s".into(), true));
            own.push("d/s".into());
            own.push("d/s".into());
        }
        for _ in 0..random.below(9) {
            let path = random.pick(&own).join(random.pick(NAMES));
            if paths.iter().any(|(p, _)| *p == path) {
                continue;
            }
            let node = random_node(random, &paths, &path);
            let is_dir = matches!(node, Node::Dir);
            if is_dir && path.components().count() < 5 {
                own.push(path.clone());
            }
            paths.push((path.clone(), is_dir));
            let item = scene.add(path, node);
            if random.one_in(3) {
                item.mode = random.pick(MODES);
            }
            if id.is_some() && random.one_in(8) {
                item.owner = Some((1234, 4321));
            }
        }
    }
    for _ in 0..random.below(3) {
        let path = PathBuf::from(random.pick(NAMES));
        if !paths.iter().any(|(p, _)| *p == path) {
            let node = random_node(random, &paths, &path);
            paths.push((path.clone(), matches!(node, Node::Dir)));
            scene.add(path, node);
        }
    }
    if let Some(id) = id {
        scene.own(id);
    }
    (scene, paths.into_iter().map(|(path, _)| path).collect())
}

/// A path with what changes nothing, or little, about what it means.
fn dressed(random: &mut Random, path: &Path) -> OsString {
    let mut word = match random.below(12) {
        0 => OsString::from("./"),
        1 => OsString::from("s/../"),
        _ => OsString::new(),
    };
    word.push(path);
    if random.one_in(10) {
        word.push(random.pick(&["/", "//", "/.", "/..", "/./"]));
    }
    // A name like an option goes behind --, or shows that it is an option.
    word
}

fn random_case(seed: u64, user: Option<u32>) -> Case {
    let mut random = Random(seed);
    let (scene, paths) = random_scene(&mut random, user);
    let has_fifo = scene
        .items
        .iter()
        .any(|item| matches!(item.node, Node::Fifo));
    let mut args: Vec<OsString> = Vec::new();
    let mut flags = vec![
        "-r", "-a", "-R", "-p", "-d", "-P", "-L", "-H", "-f", "-n", "-v",
    ];
    let base = random.pick(&["-r", "-a", "-r", "-a", "-rp", "-rL", ""]);
    // Without -r a FIFO is read from.
    let base = if has_fifo && base.is_empty() {
        "-r"
    } else {
        base
    };
    if !base.is_empty() {
        args.push(base.into());
    }
    for _ in 0..random.below(4) {
        let at = random.below(flags.len());
        args.push(flags.swap_remove(at).into());
    }
    let mut sources = Vec::new();
    for _ in 0..random.pick(&[1, 1, 1, 2, 2, 3]) {
        let source = if random.one_in(25) {
            PathBuf::from("no")
        } else if random.one_in(2) {
            random.pick(&paths)
        } else {
            PathBuf::from("s")
        };
        sources.push(dressed(&mut random, &source));
    }
    let target = match random.below(8) {
        0 => PathBuf::from("new"),
        1 => random.pick(&paths),
        2 => random.pick(&paths).join("new"),
        _ => PathBuf::from("d"),
    };
    let target = dressed(&mut random, &target);
    match random.below(6) {
        0 => {
            args.push("-t".into());
            args.push(target);
            args.push("--".into());
            args.extend(sources);
        }
        1 => {
            args.extend(["-T".into(), "--".into()]);
            args.extend(sources);
            args.push(target);
        }
        _ => {
            args.push("--".into());
            args.extend(sources);
            args.push(target);
        }
    }
    Case {
        name: format!("ANNULET_SEED={seed} ANNULET_CASES=1"),
        scene,
        args,
        setting: Setting {
            user,
            umask: random.pick(&[0o022, 0o022, 0o077, 0o002, 0]),
            // FIFOs in the way: both wait for ever.
            limit: std::time::Duration::from_secs(3),
            ..Setting::default()
        },
    }
}

const MET_AGAIN: &str = "files met again under the names they were copied to, by another path: \
                        GNU removes them to link them to themselves";

/// Seeds whose cases end differently for a reason that is nobody's fault.
const EXCUSED: &[(u64, &str)] = &[
    (
        72,
        "two hard links in one folder: which is copied first, and lost where it cannot be \
         linked any more, is each program's own order",
    ),
    (110, MET_AGAIN),
    (114, MET_AGAIN),
    (
        473,
        "-L into itself through symlinks: GNU goes down until names are too long, annulet \
         notices and stops",
    ),
    (723, MET_AGAIN),
];

/// Generated scenes and commands. `ANNULET_SEED` gives the first case's seed, `ANNULET_CASES`
/// how many there are; the seed of a case that failed gives just that case again. Without
/// them it is the same cases every time: a change is judged by what it changes. To explore,
/// give another seed.
fn generated(test: &str, user: Option<u32>) {
    let seed = from_env("ANNULET_SEED").unwrap_or(1);
    let count = from_env("ANNULET_CASES").unwrap_or(1000);
    println!("{test}: ANNULET_SEED={seed} ANNULET_CASES={count}");
    let ways: &[&[&str]] = &[
        &["", "--io=ring"],
        &["--io=sync"],
        &["--io=ring"],
        &["--io=auto"],
    ];
    let count = usize::try_from(count).expect("a count");
    // Other ways for each seed, the same whenever it is run.
    for (number, ways) in ways.iter().enumerate() {
        let excused = |seed: &u64| EXCUSED.iter().any(|(number, _)| number == seed);
        let cases = (seed..).take(count).filter(|seed| !excused(seed));
        let cases = cases.filter(|seed| *seed % 4 == number as u64);
        check_all(test, cases.map(|seed| random_case(seed, user)), ways);
    }
}

#[test]
fn generated_cases() {
    generated("generated_cases", None);
}

#[test]
fn generated_cases_as_an_ordinary_user() {
    if !is_root() {
        // Then the other test is run by one.
        return;
    }
    generated("generated_cases_as_an_ordinary_user", Some(NOBODY));
}
