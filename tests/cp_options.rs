//! `cp`'s options beside GNU cp's, one subject after the other, and by itself what GNU cp cannot
//! show. Random lines of all options together are in `cp_differential.rs`.
#![allow(unsafe_code)]

mod cp;
mod support;

use std::ffi::CString;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cp::case::{Case, Input};
use cp::child::{self, NOBODY, Setting, cp as run_cp, set_xattr};
use cp::scene::Scene;
use cp::table::{as_user, check_all, check_on_disk, commands, each, open_dir};
use support::{Agree, Kind, Ran, annulet, assert_same_tree, is_root, noise, skip, temp_dir, tree};

/// Options change what is done and not which way data goes, so few ways are enough.
const WAYS: &[&str] = &["", "-j2", "--io=ring"];

/// The cases, if the GNU cp at hand has all the options.
fn check(test: &str, cases: Vec<Case>) {
    match support::gnu("cp", test) {
        Some((_, version)) if version < (9, 5) => {
            skip(test, "GNU cp is older than 9.5 (scripts/gnu.sh)");
        }
        _ => check_all(test, cases, WAYS),
    }
}

fn cp(line: &str, dir: &Path, setting: &Setting) -> Ran {
    run_cp(&annulet(), &child::words(line), dir, setting)
}

fn as_usual(line: &str, dir: &Path) -> Ran {
    cp(line, dir, &Setting::default())
}

fn with(change: impl FnOnce(&mut Setting)) -> Setting {
    let mut setting = Setting::default();
    change(&mut setting);
    setting
}

const FILES: &str = "file a 5000; file b 70; file old 9; file ro 5 444; link l a; link ll l; \
    hard h a; link nowhere no; fifo p; null n; dir d; file d/a 3; dir d/b; file d/c 3; link d/l ../a; \
    dir s; file s/x 7; dir s/sub; file s/sub/y 8; link s/l x; hard s/h s/x; link s/dl sub; \
    dir t; dir t/s; file t/s/x 2; file t/s/sub 1; dir t/s/l; link t/s/h ../../a; dir e; link e/s ../d; \
    file a~ 3; file b.~1~ 2; file b.~9~ 2; file b.~09~; file d/a.~3~ 1; file new 4";

/// [`FILES`] without hard links in a folder: where one of them is left alone by `-u`, GNU cp makes
/// the destinations of the others links to it, newer ones too, whether or not links are to be
/// kept.
fn files_without_links() -> String {
    FILES.replace("hard s/h s/x;", "")
}

#[test]
fn usage() {
    check(
        "usage",
        commands(
            FILES,
            "--sparse=x a c; --sparse= a c; --sparse a; --reflink=a a c; --reflink=al --sparse=never a c; \
             --reflink --sparse=always a c; --backup=x a c; --backup=n a c; --update=n a c; --update= a c; \
             --preserve= a c; --preserve=mode, a c; --preserve=m,q a c; --no-preserve a c; \
             --no-preserve=x,y a c; -ls a c; -bn a b; -nb a b; -b --update=none a b; \
             -b --update=none-fail a b; --parents a b; -T --parents a b; --parents a; --p a c; --pr a c; \
             --no a c; --s a c; --re a c; --c a c; --back a b; --up a b; --link a; --context=x a c; \
             -Z a c; --preserve=context a c; -Z --preserve=context a c; --preserve=c a c; \
             --i a c; --j a c; --prog a c; -t d --update=none; -S; --suffix; -b --suffix= a b; \
             --path a d; --update=old a b; --update=none-f a b; --preserve=al,ti a c; \
             --preserve=context --no-preserve=all a c; \
             --sparse=\\' a c; --backup='x\\y\u{e9}' a c",
        ),
    );
}

#[test]
fn backups() {
    let list = each(
        "-b; -bv; --backup=t -v; --backup=existing; --backup=simple -v; --backup=none; -S.bak -v; \
         -bf; -b --remove-destination -v; -bi; -ab; -bl; -bs; -b --update; -b --attributes-only",
        "a b; a a; a ./a; a d; d/a .; a~ a; a a~; a h; h a; a l; l a; ll l; nowhere l; -P l b; -P l ll; \
         -P l l; a nowhere; -r s d; -r s/. t/s; -r s t; -r s b; -rT s b; -rT b s; a new d; \
         a d/a d; no b; ro b; b ro; p b -R; b p -R; s/. d -r; a d/b; a b/",
    );
    let mut cases = commands(&files_without_links(), &list);
    for (name, value) in [
        ("VERSION_CONTROL", "t"),
        ("VERSION_CONTROL", "never"),
        ("VERSION_CONTROL", "x"),
        ("VERSION_CONTROL", ""),
        ("SIMPLE_BACKUP_SUFFIX", ".x"),
        ("SIMPLE_BACKUP_SUFFIX", "x/y"),
        ("SIMPLE_BACKUP_SUFFIX", ""),
    ] {
        for mut case in commands(FILES, "-b a b; --backup=simple a b; -S.y a b; -bv a d; a b") {
            case.setting.env.push((name, value));
            case.name = format!("{name}={value} {}", case.name);
            cases.push(case);
        }
    }
    check("backups", cases);
}

/// Numbers are counted on from however large a one: by the date, or by what is no number any more.
#[test]
fn large_numbers() {
    let scene = "file a; file b 2; file c 3; file c.~429496729~; file c.~429496730~; file d 4; \
        file d.~20240101120000~; file e 5; file e.~1844674407370955169~";
    let list = each("--backup=t; -b", "a b; a c; a d; a e");
    check("large_numbers", commands(scene, &list));
    let dir = temp_dir();
    let path = dir.path();
    Scene::parse("file a; file b 2").build(path);
    // The next number is too long to be read, and there.
    for number in ["1844674407370955169", "1844674407370955170"] {
        fs::write(path.join(format!("b.~{number}~")), number).expect("a file");
    }
    for next in ["1844674407370955171", "1844674407370955172"] {
        as_usual("-b a b", path).expect_success();
        assert!(path.join(format!("b.~{next}~")).exists(), "{next}");
    }
}

#[test]
fn names_too_long_for_a_suffix() {
    let long = "n".repeat(255);
    let scene = format!(
        "file a; file {long} 3; file {} 4; file {} 5",
        "m".repeat(253),
        "o".repeat(251)
    );
    let list = format!(
        "-b a {long}; --backup=simple a {long}; --backup=t a {long}; -bS.bak a {m}; \
         --backup=simple -S.bak a {m}; -bv a {m}; -bS.lo a {o}; -bS.l a {o}; -bS.long a {o}; \
         --backup=t a {o}; --backup=simple -S.long a {o}",
        m = "m".repeat(253),
        o = "o".repeat(251)
    );
    check("names_too_long_for_a_suffix", commands(&scene, &list));
}

#[test]
fn which_are_overwritten() {
    let list = each(
        "-u; -uv; -fu; --update; --update=all; --update=none; --update=none-fail; --update=older; -n; -un; \
         -nu; --update=none --update=all; -u -p; -u -a; -u --attributes-only; -n --update=all; -uf; \
         -u --remove-destination; -us",
        "a new; new a; a b; old a; a old; a no/x; a d; d/a .; -r s t/s; -r s/. t/s; a b new d; \
         -P l ll; -P ll b; -d a h; h a; a l; a d/b; -T a d; -dR s t; a a; a loop; -R e e .",
    );
    let scene = files_without_links() + "; link loop loop";
    check("which_are_overwritten", commands(&scene, &list));
}

/// A folder that is copied into itself: found out at the first of those that the copy has made in
/// what was there, which is where GNU cp ends.
#[test]
fn into_itself() {
    let scene = "dir s; dir s/c; dir s/l; dir s/l/n; dir d; dir d/s; dir d/s/l; dir e; link e/up ..; \
        file e/f; dir o; dir o/p; dir o/p/q";
    let list = "-r s/.. d; -r . d; -r s s/l; -r s/. s/c; -rT s s/c; -r s d . d/s; -r o o/p; -r o/. o/p/q; \
        -rL e e; -rL e o; -r e e/up/e; -a --parents s d; -a --parents d/s d; -rn s s .; -rn . .; \
        -rb s s/l; -rl s s/l; -rs s s/l; -rv s s/l";
    match support::gnu("cp", "into_itself") {
        Some((_, version)) if version < (9, 5) => {}
        // One worker: how much others have made by then is open.
        _ => check_all("into_itself", commands(scene, list), &["-j1"]),
    }
}

/// Questions are asked in GNU's words and order, and a line each answers them.
#[test]
fn questions() {
    let mut cases = Vec::new();
    let lines = each(
        "-i; -iv; -if; -in; -ni; -i --remove-destination; -iu; -il; -is; -ib",
        "a b; b ro; a b ro d; -r s t/s; -r s/. t/s; a l; -P l ll; a d/b; -T a d; a new; a a; -a s/. t/s; \
         p b -R",
    );
    for answers in [
        "",
        "y\n",
        "n\n",
        "Yes\nno\nyippee\n",
        "y",
        " y\n\ny\n",
        "n\ny\ny\nn\ny\n",
    ] {
        for mut case in commands(FILES, &lines) {
            case.name = format!("{answers:?} {}", case.name);
            case.input = Input::Bytes(answers.into());
            cases.push(case);
        }
    }
    // All of them would take a minute.
    let cases = cases.into_iter().step_by(3).collect();
    check("questions", cases);
}

#[test]
fn links_instead_of_copies() {
    let list = each(
        "-l; -s; -lf; -sf; -lv; -sv; -lr; -sr; -la; -sa; -lP; -sP; -lL; -lrH; -l --remove-destination; \
         -s --remove-destination; -lu; -lp; -lx -r; -ls; -lsr; -lr --preserve=links",
        "a c; a b; a d; l c; l d; nowhere c; a a; a h; h a; a l; l a; ll l; s c; s/. t/s; s t; p c; a d/no/c; \
         a ./c; d/a c; d/a d/new; a b d; a s/x d; no c; -T a d; a b/; s/sub/../x c; nowhere b; a nowhere",
    );
    check("links_instead_of_copies", commands(FILES, &list));
}

#[test]
fn parents() {
    let scene = "dir a; dir a/b 750; dir a/b/c 2711; file a/b/c/f 9; file a/b/g 4; link a/l b; dir a/ro 555; \
        file a/ro/f 3; dir d; dir d/a 700; file f; dir e; file e/a 1; dir x; dir x/a; link x/a/b ../../e; \
        dir sticky 1777; file sticky/f";
    let list = each(
        "--parents; --parents -v; --parents -p; --parents -a; --parents -r; --parents -rv --no-preserve=mode; \
         --parents -l; --parents -rb; --parents --preserve=timestamps; --parents --preserve=mode; \
         --parents -t e; --parents -u",
        "a/b/c/f d; a/b/c d; a//b/./c/f d; a/b/c/ d; ./a/b/g d; a/l/c/f d; a/no d; no/a d; a/b/g/h d; f d; \
         a/b/c/f e; a/b/c/f x; a/b/g x; a/ro/f d; a/b/../b/g d; sticky/f d; a/b/c/f no; a/b d; a d; . d",
    );
    let several = "--parents a/b/c/f a/b/g d; --parents -a a/b/g a/ro/f f d; --parents -r a/b a/ro d -v; \
        --parents --strip-trailing-slashes a/b/g// d; --parents -r a/b/c/. d";
    let mut cases = commands(scene, &list);
    cases.extend(commands(scene, several));
    check("parents", cases);
}

#[test]
fn slashes_at_the_end() {
    let list = each(
        "--strip-trailing-slashes; --strip-trailing-slashes -r; --strip-trailing-slashes -P; ",
        "a/ c; a/ d; s/ d; s// c; l/ d; l/ c; s/. d; -t d a/ b/; s/dl/ d; -a s/dl/ d; no/ d; / d/a",
    );
    check("slashes_at_the_end", commands(FILES, &list));
}

/// What is kept, by every list of it, with a umask that would take things away.
#[test]
fn what_is_kept() {
    let scene = "file a 30 4751; file w 30 666; file ro 3 400; dir s 2751; file s/f 3 640; dir s/d 1777; \
        link s/l f; hard s/h s/f; file b 4 606; dir d; dir d/s 700; file d/s/f 9 600; fifo s/p 622; \
        dir empty 311; dir gid 2775";
    let mut cases = Vec::new();
    for umask in [0o022, 0o077, 0] {
        let list = each(
            "--preserve; --preserve=mode; --preserve=ownership; --preserve=timestamps; --preserve=links; \
             --preserve=xattr; --preserve=all; --preserve=mode,links; -p --no-preserve=mode; \
             -a --no-preserve=all; --no-preserve=mode; -a --no-preserve=ownership,timestamps; \
             --no-preserve=mode -p; -a --no-preserve=links; -p --no-preserve=timestamps --preserve=links; \
             --attributes-only; --attributes-only -p; --attributes-only -a",
            "a c; a b; w c; w b; ro c; -R s c; -R s d; -R s gid; s/p c -R; a w ro d; -R empty c",
        );
        for mut case in commands(scene, &list) {
            case.setting.umask = umask;
            cases.push(case);
        }
    }
    check("what_is_kept", cases.into_iter().step_by(2).collect());
}

/// Blocks of zeros and holes: in the middle, at the ends, everywhere; and where they end within a
/// block.
#[test]
fn sparse() {
    let scene = "hole h 1000000 4096+70000 500000+3; hole end 300001 0+4097; hole all 200000; \
        hole start 70000 65536+4464; file full 300000; file one 1; file none 0; file b 900000; dir d; \
        hole big 30000000 9000000+9000000; file long 9000001; zeros z 1000000; zeros z1 4096; zeros z2 4097; zeros z3 1";
    let list = each(
        "--sparse=always; --sparse=never; --sparse=auto; --sparse=always -a; \
         --reflink=never; --reflink=auto; --reflink=never --sparse=always",
        "h c; end c; all c; start c; full c; one c; none c; h b; all b; big c; long c; z c; z1 c; z2 c; z3 c; \
         h z full one d; z b",
    );
    let cases = commands(scene, &list);
    check("sparse", cases.clone());
    if support::gnu("cp", "sparse").is_some_and(|(_, version)| version >= (9, 5)) {
        check_on_disk("sparse", cases.into_iter().step_by(2), WAYS);
    }
}

#[test]
fn contents_of_special_files() {
    let list = each(
        "--copy-contents; --copy-contents -R; --copy-contents -a; -R",
        "n c; s c; n d; l c; a n",
    );
    check("contents_of_special_files", commands(FILES, &list));
    let dir = temp_dir();
    Scene::parse("dir s; fifo s/p").build(dir.path());
    let writer = {
        let path = dir.path().join("s/p");
        std::thread::spawn(move || fs::write(path, b"from the other end"))
    };
    as_usual("-R --copy-contents s t", dir.path()).expect_success();
    writer.join().expect("the writer").expect("written");
    let copy = fs::read(dir.path().join("t/p")).expect("a copy");
    assert_eq!(copy, b"from the other end");
}

// What GNU cp cannot show, or shows only by chance.

/// A file under two names of which one lies on a mount of the same directory elsewhere.
#[test]
fn one_file_by_way_of_a_bind_mount() {
    if !is_root() {
        return skip("one_file_by_way_of_a_bind_mount", "mounting takes root");
    }
    let dir = temp_dir();
    let path = dir.path();
    Scene::parse("dir s; file s/a 5000; dir m").build(path);
    child::with_own_mounts(|| {
        child::bind(&path.join("s"), &path.join("m"))?;
        for flags in [
            "",
            "-f",
            "-a",
            "--remove-destination",
            "-u --remove-destination",
        ] {
            let ran = as_usual(&format!("{flags} s/a m/a"), path).expect_status(1);
            assert_eq!(
                ran.stderr, "cp: 's/a' and 'm/a' are the same file\n",
                "{flags}"
            );
            assert_eq!(fs::read(path.join("s/a"))?.len(), 5000, "{flags}");
        }
        Ok(())
    })
    .expect("mounts");
}

/// The source is never lost to a backup of the destination, or to its removal.
#[test]
fn the_source_outlives_its_names() {
    for line in [
        "--backup=simple a~ a",
        "-b --backup=simple a~ ./a",
        "-f a h",
        "--remove-destination a h",
        "--remove-destination a l",
        "--remove-destination l a",
        "-b a h",
        "-b a l",
        "-bf a a",
        "-f a a",
        "-l --remove-destination a h",
        "-lf a a",
        "-sf a h",
    ] {
        let dir = temp_dir();
        Scene::parse("file a 5000; hard h a; link l a; file a~ 40").build(dir.path());
        let before = fs::read(dir.path().join("a")).expect("a file");
        let kept = fs::read(dir.path().join("a~")).expect("a file");
        let _ = as_usual(line, dir.path());
        let left: Vec<Vec<u8>> = fs::read_dir(dir.path())
            .expect("a folder")
            .filter_map(|entry| fs::read(entry.expect("an entry").path()).ok())
            .collect();
        assert!(left.contains(&before), "{line}: a is lost");
        assert!(
            !line.contains("a~") || left.contains(&kept),
            "{line}: a~ is lost"
        );
    }
}

/// A directory that has no name of its own puts no file or symlink away, and does not remove it
/// either.
#[test]
fn a_file_in_the_way_of_a_directory_without_a_name() {
    for line in [
        "-br s/. f",
        "-b -a s/. f",
        "-bR --backup=t s/./ f",
        "-brl s/. f",
    ] {
        for in_the_way in ["file f 40", "link f s/x", "link f nowhere", "link f f"] {
            let dir = temp_dir();
            Scene::parse(&format!("dir s; file s/x; {in_the_way}")).build(dir.path());
            let before = tree(dir.path());
            let ran = as_usual(line, dir.path()).expect_status(1);
            assert_eq!(
                ran.stderr, "cp: cannot create directory 'f': File exists\n",
                "{line}: {in_the_way}"
            );
            assert_same_tree(&before, &tree(dir.path()), Agree::ALL);
        }
    }
}

/// A failed copy gives the file that was kept its name back.
#[test]
fn a_backup_is_put_back() {
    let dir = temp_dir();
    Scene::parse("file a 10; file b 70000").build(dir.path());
    let limited = with(|s| {
        s.limits = vec![(libc::RLIMIT_FSIZE, 4096)];
        s.ignored = vec![libc::SIGXFSZ];
    });
    let before = fs::read(dir.path().join("a")).expect("a file");
    let ran = cp("-bv b a", dir.path(), &limited).expect_status(1);
    assert_eq!(ran.stderr, "cp: error writing 'a': File too large\n");
    assert_eq!(
        ran.stdout_text(),
        "'b' -> 'a' (backup: 'a~')\n'a~' -> 'a' (unbackup)\n"
    );
    assert_eq!(fs::read(dir.path().join("a")).expect("a file"), before);
    assert!(!dir.path().join("a~").exists());
}

/// `-l` and links that are kept replace a file at once: what is in the way is there until the link
/// is.
#[test]
fn a_link_that_fails_leaves_what_was_there() {
    if !is_root() {
        return skip(
            "a_link_that_fails_leaves_what_was_there",
            "mounting takes root",
        );
    }
    child::on_tmpfs(c"mode=755", |other| {
        let dir = temp_dir();
        Scene::parse("file a 10").build(dir.path());
        fs::write(other.join("a"), b"here before").expect("a file");
        let line = format!("-lf a {}", other.display());
        let ran = as_usual(&line, dir.path()).expect_status(1);
        assert!(
            ran.stderr.ends_with("Invalid cross-device link\n"),
            "{ran:?}"
        );
        assert_eq!(fs::read(other.join("a")).expect("a file"), b"here before");
        assert_eq!(
            fs::read_dir(other).expect("a folder").count(),
            1,
            "nothing else is left"
        );
    })
    .expect("a tmpfs");
}

/// A file with two names that is met again under the names it was copied to, by way of another
/// path, is not removed to be linked to itself.
#[test]
fn copies_that_are_met_again() {
    for line in [
        "-a s/. s/a d",
        "-ab s/. s/a d",
        "-a --remove-destination s/. s/a d",
    ] {
        let dir = temp_dir();
        Scene::parse("dir s; dir s/a; file s/a/x 50; hard s/a/y s/a/x; dir d").build(dir.path());
        as_usual(line, dir.path()).expect_success();
        let (from, to) = (tree(&dir.path().join("s/a")), tree(&dir.path().join("d/a")));
        assert_same_tree(&from, &to, Agree::ALL);
    }
}

/// A value of `security.capability`: `cap_net_bind_service`, permitted and effective.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Attributes of every kind of file go along, and those of folders after their contents.
#[test]
fn attributes_of_every_kind_of_file() {
    if !is_root() {
        return skip(
            "attributes_of_every_kind_of_file",
            "trusted.* attributes take root",
        );
    }
    let dir = open_dir();
    let path = dir.path();
    Scene::parse(
        "dir s; file s/a 10 444; link s/l a; fifo s/p; null s/n; dir s/d 555; file s/d/x; file s/cap 9 755",
    )
    .build(path);
    let access = [
        2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 210, 4, 0, 0, 4, 0, 4, 0, 255, 255,
        255, 255, 16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
    ];
    chown(path.join("s/cap"), Some(1234), Some(4321)).expect("chown");
    for (name, attribute, value) in [
        ("a", "user.one", &b"1"[..]),
        ("a", "user.empty", b""),
        ("a", "system.posix_acl_access", &access),
        ("p", "system.posix_acl_access", &access),
        ("l", "trusted.link", b"of a link"),
        ("n", "trusted.node", b"of a node"),
        ("d", "user.d", &[7; 3000]),
        ("d", "system.posix_acl_default", &access),
        ("cap", "security.capability", &CAPABILITY),
    ] {
        set_xattr(&path.join("s").join(name), attribute, value).expect("an attribute");
    }
    let label = b"system_u:object_r:etc_t:s0\0";
    set_xattr(&path.join("s/a"), "security.selinux", label).expect("an attribute");
    for line in ["-a s t", "-dR --preserve=all s u", "-j2 -a s v", "-a s/. w"] {
        as_usual(line, path).expect_success();
        let to = line.rsplit(' ').next().expect("a name");
        assert_same_tree(&tree(&path.join("s")), &tree(&path.join(to)), Agree::ALL);
        for name in ["a", "l", "p", "n", "d", "cap"] {
            let of = |top: &str| child::xattrs(&path.join(top).join(name)).expect("attributes");
            assert_eq!(of("s"), of(to), "{line}: {name}");
        }
    }
    // By mode, the lists alone; by attributes, all but the lists.
    as_usual("-dR --preserve=mode s x", path).expect_success();
    as_usual("-dR --preserve=xattr s y", path).expect_success();
    let names = |top: &str, name: &str| -> Vec<String> {
        let all = child::xattrs(&path.join(top).join(name)).expect("attributes");
        all.into_keys()
            .map(|name| String::from_utf8(name).expect("a name"))
            .collect()
    };
    as_usual("-Rp s z", path).expect_success();
    assert_eq!(names("x", "a"), ["system.posix_acl_access"]);
    assert_eq!(names("z", "a"), ["system.posix_acl_access"]);
    assert_eq!(names("x", "d"), ["system.posix_acl_default"]);
    assert_eq!(
        names("y", "a"),
        ["security.selinux", "user.empty", "user.one"]
    );
    assert_eq!(names("y", "d"), ["user.d"]);
    assert!(names("x", "cap").is_empty());
}

/// An ordinary user may not set some attributes: told if they were asked for by name, and only
/// then a failure.
#[test]
fn attributes_that_cannot_be_kept() {
    if !is_root() {
        return skip(
            "attributes_that_cannot_be_kept",
            "a capability takes root to set",
        );
    }
    let dir = open_dir();
    let path = dir.path();
    Scene::parse("file a 10 755; dir d 777").build(path);
    set_xattr(&path.join("a"), "security.capability", &CAPABILITY).expect("a capability");
    set_xattr(&path.join("a"), "user.x", b"1").expect("an attribute");
    let told = "cp: setting attribute 'security.capability' for 'd/a': Operation not permitted\n";
    for (line, status, message) in [
        ("-a a d", 0, ""),
        ("--preserve=all a d", 0, told),
        ("--preserve=xattr a d", 1, told),
        ("--attributes-only --preserve=xattr a d", 1, told),
    ] {
        let ran = cp(line, path, &as_user(Some(NOBODY)));
        assert_eq!(
            (ran.status, ran.stderr.as_str()),
            (status, message),
            "{line}"
        );
        let copy = path.join("d/a");
        assert!(
            child::xattrs(&copy)
                .expect("attributes")
                .contains_key(&b"user.x"[..]),
            "{line}"
        );
        fs::remove_file(copy).expect("a copy");
    }
    // Where there are none at all, one is enough to find out; and a mode that can be set neither
    // with a list nor alone is said once.
    set_xattr(&path.join("a"), "user.y", b"2").expect("an attribute");
    fs::create_dir(path.join("m")).expect("a folder");
    child::with_own_mounts(|| {
        let at = CString::new(path.join("m").as_os_str().as_bytes())?;
        child::mount(c"ramfs", &at, c"mode=755")?;
        let ran = as_usual("--preserve=xattr a m", path);
        let told = "cp: setting attributes for 'm/a': Operation not supported\n";
        assert_eq!((ran.status, ran.stderr.as_str()), (1, told));
        Ok(())
    })
    .expect("a mount");
    let list = [
        2, 0, 0, 0, 1, 0, 4, 0, 255, 255, 255, 255, 4, 0, 4, 0, 255, 255, 255, 255, 32, 0, 4, 0,
        255, 255, 255, 255,
    ];
    let old = path.join("d/a");
    fs::write(&old, b"").expect("a file");
    fs::set_permissions(&old, Permissions::from_mode(0o666)).expect("chmod");
    set_xattr(&path.join("a"), "system.posix_acl_access", &list).expect("a list");
    let ran = cp("--preserve=mode a d", path, &as_user(Some(NOBODY)));
    let told = "cp: preserving permissions for 'd/a': Operation not permitted\n";
    assert_eq!((ran.status, ran.stderr.as_str()), (1, told));
    // Of a folder that leads to an operand GNU cp says it in other words.
    fs::create_dir(path.join("d/d")).expect("a folder");
    fs::set_permissions(path.join("d/d"), Permissions::from_mode(0o777)).expect("chmod");
    fs::create_dir(path.join("d/e")).expect("a folder");
    fs::write(path.join("d/e/a"), b"").expect("a file");
    let ran = cp(
        "--parents --preserve=timestamps d/e/a d",
        path,
        &as_user(Some(NOBODY)),
    );
    let told = "cp: failed to preserve times for 'd/d': Operation not permitted\n";
    assert_eq!((ran.status, ran.stderr.as_str()), (1, told));
}

/// A setuid file never is one of the wrong owner's, and nobody gets at it before its owner is set.
#[test]
fn privileges_go_with_their_owner() {
    if !is_root() {
        return skip(
            "privileges_go_with_their_owner",
            "giving files away takes root",
        );
    }
    let dir = open_dir();
    let path = dir.path();
    Scene::parse("file suid 9; dir d 777").build(path);
    chown(path.join("suid"), Some(1234), Some(4321)).expect("chown");
    fs::set_permissions(path.join("suid"), fs::Permissions::from_mode(0o6755)).expect("chmod");
    for (line, mode) in [
        ("-p suid d/p", 0o755),
        ("-a suid d/a", 0o755),
        ("--preserve=mode suid d/m", 0o6755),
        ("suid d/n", 0o755),
    ] {
        cp(line, path, &as_user(Some(NOBODY))).expect_success();
        let copy = fs::metadata(path.join(line.rsplit(' ').next().unwrap())).expect("a copy");
        assert_eq!((copy.uid(), copy.mode() & 0o7777), (NOBODY, mode), "{line}");
    }
    as_usual("-p suid kept", path).expect_success();
    let kept = fs::metadata(path.join("kept")).expect("a copy");
    assert_eq!(
        (kept.uid(), kept.gid(), kept.mode() & 0o7777),
        (1234, 4321, 0o6755)
    );
}

/// `-x` makes a mount point and copies nothing in it, but an operand that is one whole.
#[test]
fn one_file_system() {
    if !is_root() {
        return skip("one_file_system", "mounting takes root");
    }
    let dir = temp_dir();
    let path = dir.path();
    Scene::parse("dir s; dir s/m 700; file s/x; dir s/e; file s/e/f").build(path);
    child::with_own_mounts(|| {
        let mount_point =
            std::ffi::CString::new(path.join("s/m").to_str().expect("a path")).expect("a path");
        child::mount_tmpfs(&mount_point, c"mode=751")?;
        fs::write(path.join("s/m/on-it"), b"x")?;
        for line in ["-rx s t", "-ax -j2 s u", "-ax s/. w"] {
            as_usual(line, path).expect_success();
            let top = path.join(line.rsplit(' ').next().unwrap());
            assert!(
                top.join("m").is_dir() && top.join("e/f").is_file(),
                "{line}"
            );
            assert_eq!(fs::read_dir(top.join("m"))?.count(), 0, "{line}");
        }
        let mode = fs::metadata(path.join("u/m"))?.mode();
        assert_eq!(mode & 0o777, 0o751);
        as_usual("-rx s/m v", path).expect_success();
        assert!(path.join("v/on-it").is_file());
        child::unmount(&mount_point)
    })
    .expect("mounts");
}

/// Where a file system shares blocks, `--reflink=always` does; where it does not, the message is
/// GNU's and nothing is left behind, nor lost.
#[test]
fn blocks_that_are_shared() {
    let dir = temp_dir();
    let path = dir.path();
    Scene::parse("file a 70000; file b 10").build(path);
    if as_usual("--reflink=always a probe", path).status == 0 {
        println!("this file system shares blocks");
    } else {
        let ran = as_usual("--reflink a new", path).expect_status(1);
        assert!(
            ran.stderr
                .starts_with("cp: failed to clone 'new' from 'a': "),
            "{ran:?}"
        );
        assert!(!path.join("new").exists());
        let before = fs::read(path.join("b")).expect("a file");
        as_usual("--reflink=always a b", path).expect_status(1);
        assert_eq!(
            fs::read(path.join("b")).expect("a file"),
            before,
            "not lost"
        );
        for never in ["--reflink=never", "--reflink=auto", ""] {
            as_usual(&format!("{never} a c"), path).expect_success();
        }
    }
    if !is_root() || support::find_program("mkfs.xfs").is_none() {
        return skip("blocks_that_are_shared", "xfs takes root and mkfs.xfs");
    }
    let image = path.join("image");
    File::create(&image)
        .and_then(|file| file.set_len(400 << 20))
        .expect("an image");
    let run = |command: &mut Command| {
        assert!(
            command.output().expect("a program").status.success(),
            "{command:?}"
        );
    };
    run(Command::new("mkfs.xfs")
        .args(["-q", "-m", "reflink=1"])
        .arg(&image));
    let at = path.join("xfs");
    fs::create_dir(&at).expect("a folder");
    run(Command::new("mount")
        .args(["-o", "loop"])
        .arg(&image)
        .arg(&at));
    let tried = std::panic::catch_unwind(|| check_shared_blocks(&at));
    run(Command::new("umount").arg(&at));
    if let Err(panic) = tried {
        std::panic::resume_unwind(panic);
    }
}

/// What shares blocks, and what does not, in a folder on a file system that can.
fn check_shared_blocks(at: &Path) {
    fs::write(at.join("a"), noise(3 << 20, 1)).expect("a file");
    fs::write(at.join("long"), noise(4 << 20, 2)).expect("a file");
    for line in [
        "--reflink=always a b",
        "--reflink a long",
        "--reflink=always -a a c",
    ] {
        as_usual(line, at).expect_success();
        let copy = at.join(line.rsplit(' ').next().unwrap());
        assert_eq!(
            fs::read(&copy).unwrap(),
            fs::read(at.join("a")).unwrap(),
            "{line}"
        );
        assert!(shares_blocks(&copy), "{line}");
    }
    for line in [
        "--reflink=never a n",
        "--sparse=never a s",
        "--sparse=always a h",
    ] {
        as_usual(line, at).expect_success();
        assert!(
            !shares_blocks(&at.join(line.rsplit(' ').next().unwrap())),
            "{line}"
        );
    }
    as_usual("a auto", at).expect_success();
    assert!(shares_blocks(&at.join("auto")));
}

/// Whether a file's first extent is shared (`FIEMAP_EXTENT_SHARED` of the ioctl `FIEMAP`).
fn shares_blocks(path: &Path) -> bool {
    const FS_IOC_FIEMAP: u64 = 0xc020_660b;
    const SHARED: u32 = 0x2000;
    let file = File::open(path).expect("a file");
    file.sync_all().expect("sync");
    // struct fiemap: start, length, flags, mapped, count, reserved; then one struct fiemap_extent
    // of 56 bytes, whose flags stand at 40.
    let mut map = [0_u32; 8 + 14];
    map[2..4].fill(u32::MAX);
    map[6] = 1;
    // SAFETY: `map` has room for the structure and the one extent that its count allows.
    let done = unsafe {
        libc::ioctl(
            std::os::fd::AsRawFd::as_raw_fd(&file),
            FS_IOC_FIEMAP,
            map.as_mut_ptr(),
        )
    };
    assert_eq!(done, 0, "FIEMAP: {}", io::Error::last_os_error());
    map[5] == 1 && map[8 + 10] & SHARED != 0
}

/// Whoever ends the copy by a signal finds what was done, and the signal as the cause.
#[test]
fn interrupted() {
    let dir = temp_dir();
    let path = dir.path();
    fs::create_dir(path.join("s")).expect("a folder");
    for number in 0..3000 {
        fs::write(path.join(format!("s/{number}")), noise(20_000, number)).expect("a file");
    }
    for signal in [libc::SIGINT, libc::SIGTERM] {
        for jobs in ["-j1", "-j4"] {
            let mut child = support::command(annulet())
                .args(["cp", jobs, "-r", "s", "t"])
                .current_dir(path)
                .spawn()
                .expect("a process");
            while fs::read_dir(path.join("t")).map_or(0, Iterator::count) < 20 {
                std::thread::sleep(Duration::from_micros(200));
            }
            let pid = libc::pid_t::try_from(child.id()).expect("a pid");
            // SAFETY: takes numbers; the process is ours and not waited for yet.
            unsafe { libc::kill(pid, signal) };
            let status = child.wait().expect("a status");
            let by = std::os::unix::process::ExitStatusExt::signal(&status);
            assert!(by == Some(signal) || status.success(), "{status}");
            for entry in fs::read_dir(path.join("t")).expect("a folder") {
                let name = entry.expect("an entry").file_name();
                let copy = fs::read(path.join("t").join(&name)).expect("a copy");
                let whole = fs::read(path.join("s").join(&name)).expect("a source");
                assert!(whole.starts_with(&copy), "{name:?}");
            }
            fs::remove_dir_all(path.join("t")).expect("removal");
        }
    }
}

/// Whatever symlinks appear in the destination while the copy runs, nothing is written through
/// them.
#[test]
fn symlinks_that_appear_while_it_runs() {
    for flags in [
        "-r",
        "-a",
        "-r --parents",
        "-rb",
        "-rf",
        "-r --remove-destination",
    ] {
        let dir = temp_dir();
        let path = dir.path();
        for folder in 0..30 {
            fs::create_dir_all(path.join(format!("s/{folder}/in"))).expect("a folder");
            for number in 0..10 {
                fs::write(path.join(format!("s/{folder}/in/{number}")), b"copied").expect("a file");
            }
        }
        fs::create_dir_all(path.join("outside/in")).expect("a folder");
        fs::create_dir(path.join("t")).expect("a folder");
        let mut child = support::command(annulet())
            .arg("cp")
            .args(flags.split(' '))
            .args(["s", "t"])
            .current_dir(path)
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("a process");
        let mut round = 0;
        while child.try_wait().expect("a status").is_none() {
            let folder = path.join(format!("t/s/{}", round % 30));
            if fs::rename(&folder, path.join(format!("away{round}"))).is_ok() {
                let _ = symlink(path.join("outside"), &folder);
            }
            let _ = symlink(
                path.join("outside/file"),
                path.join(format!("t/s/{}/in/3", (round + 7) % 30)),
            );
            round += 1;
        }
        // The symlinks may have come there by way of others.
        let written: Vec<_> = tree(&path.join("outside"))
            .into_iter()
            .filter(|(_, entry)| entry.kind == Kind::File)
            .collect();
        assert!(written.is_empty(), "{flags}: written outside: {written:?}");
    }
}

/// Files of `/proc` and `/sys`, whose size says nothing, whatever is asked of holes and blocks.
#[test]
fn files_whose_size_is_none() {
    let dir = temp_dir();
    for flags in [
        "",
        "--sparse=always",
        "--sparse=never",
        "--reflink=never",
        "-p",
    ] {
        as_usual(
            &format!("{flags} /proc/cpuinfo /proc/version c"),
            dir.path(),
        )
        .expect_status(1);
        as_usual(&format!("{flags} /proc/version c"), dir.path()).expect_success();
        let (copy, source) = (fs::read(dir.path().join("c")), fs::read("/proc/version"));
        assert_eq!(copy.expect("a copy"), source.expect("a source"), "{flags}");
        fs::remove_file(dir.path().join("c")).expect("a copy");
    }
}

/// Questions wait for their answers one after the other, and what is not read of standard input
/// is there for the next reader.
#[test]
fn answers_are_read_line_by_line() {
    let dir = temp_dir();
    Scene::parse("file a 3; file b 4; file c 5").build(dir.path());
    let (mut reader, mut writer) = io::pipe().expect("a pipe");
    writer.write_all(b"yes\nthe rest").expect("written");
    drop(writer);
    let status = support::command(annulet())
        .args(["cp", "-i", "a", "b"])
        .current_dir(dir.path())
        .stdin(reader.try_clone().expect("a descriptor"))
        .stderr(std::process::Stdio::null())
        .status()
        .expect("a status");
    assert!(status.success());
    let mut rest = String::new();
    reader.read_to_string(&mut rest).expect("the rest");
    assert_eq!(rest, "the rest");
    assert_eq!(fs::metadata(dir.path().join("b")).expect("a copy").len(), 3);
}
