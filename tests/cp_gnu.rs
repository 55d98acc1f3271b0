//! `cp` against GNU cp: the same command in two copies of the same scene must exit with the
//! same status, say the same and leave the same tree behind.

mod cp;
mod support;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use cp::case::Case;
use cp::child::{self, NOBODY, Setting, words};
use cp::random_tree::SIZES;
use cp::scene::{Node, Scene, bytes_path};
use cp::table::{WAYS, check_all, check_on_disk, commands, each, open_dir};
use support::{is_root, odd_names};

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
    .map(|args| {
        let args = args.iter().map(Into::into).collect();
        Case::cp_with(Scene::parse("file a; dir d"), args)
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
            setting: Setting {
                env,
                ..Setting::default()
            },
            ..Case::cp(Scene::parse(text), command)
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
        .map(|args| Case::cp_with(scene.clone(), args))
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
    let cases = ["-r s new", "-a s/. t"].map(|command| Case::cp(scene.clone(), command));
    check_on_disk("sizes", cases, WAYS);
}

#[test]
fn large_files() {
    let mut scene = Scene::parse("dir s");
    for size in [64 << 20, (64 << 20) + 1, (32 << 20) - 1] {
        let data = vec![(0, usize::try_from(size).unwrap())];
        scene.add(format!("s/{size}"), Node::File(size, data));
    }
    let case = Case::cp(scene, "-a s new");
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
        .map(|command| Case::cp(Scene::parse(scene), command));
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
    for way in support::ways(&["--io=auto", "--io=ring", "--io=sync"]) {
        scene.build(dir.path());
        let mut args = words("-p big new");
        args.push(way.into());
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
