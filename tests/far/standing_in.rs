//! The stand-in itself: complete enough for GNU's cp both ways, answering many calls at once,
//! counting right, and gone when its test is.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crate::place::{first_data, place, rich_tree, xattr};
use crate::standin::{Behaviour, Call};
use crate::support::{Agree, assert_same_tree, command, gnu, run, tree};

#[test]
fn gnu_cp_keeps_all_both_ways() {
    let test = "gnu_cp_keeps_all_both_ways";
    let Some((cp, _)) = gnu("cp", test) else {
        return;
    };
    let Some(place) = place(test, Behaviour::default()) else {
        return;
    };
    let source = place.near.join("tree");
    rich_tree(&source);
    for (number, options) in [&["-r", "-p"][..], &["-a"]].into_iter().enumerate() {
        let far = place.far.join(format!("copy{number}"));
        let back = place.near.join(format!("back{number}"));
        for (from, to) in [(&source, &far), (&far, &back)] {
            run(command(&cp).args(options).args([from, to])).expect_success();
        }
        let mut agree = Agree::ALL;
        agree.hard_links = options.contains(&"-a");
        let expected = tree(&source);
        let behind = place.behind.join(format!("copy{number}"));
        for copy in [&far, &back, &behind] {
            assert_same_tree(&expected, &tree(copy), agree);
        }
    }
    // Attributes are what -a keeps.
    for top in [&source, &place.far.join("copy1"), &place.near.join("back1")] {
        let value = xattr(&top.join("small0"));
        let wanted = xattr(&source.join("small0"));
        assert_eq!(value, wanted, "{}", top.display());
    }
    run(command("rm").arg("-r").arg(place.far.join("copy0"))).expect_success();
    assert!(!place.behind.join("copy0").exists());
}

#[test]
fn names_change() {
    let Some(place) = place("names_change", Behaviour::default()) else {
        return;
    };
    let far = |name: &str| place.far.join(name);
    fs::create_dir_all(far("one/deep")).unwrap();
    fs::write(far("one/deep/file"), "content").unwrap();
    fs::rename(far("one"), far("two")).unwrap();
    assert_eq!(fs::read(far("two/deep/file")).unwrap(), b"content");
    fs::hard_link(far("two/deep/file"), far("other")).unwrap();
    fs::rename(far("two/deep/file"), far("two/file")).unwrap();
    let [one, other] = ["two/file", "other"].map(|name| fs::metadata(far(name)).unwrap());
    assert_eq!((one.ino(), one.nlink()), (other.ino(), 2));
    // One takes another's place, and what is open stays.
    fs::write(far("replaced"), "old").unwrap();
    let mut old = File::open(far("replaced")).unwrap();
    fs::rename(far("other"), far("replaced")).unwrap();
    assert_eq!(fs::read(far("replaced")).unwrap(), b"content");
    let mut text = String::new();
    old.read_to_string(&mut text).unwrap();
    assert_eq!((&text[..], old.metadata().unwrap().len()), ("old", 3));
    // Its number below may come again for the next file.
    drop(old);
    fs::write(far("next"), "new").unwrap();
    assert_eq!(fs::read(far("next")).unwrap(), b"new");
    fs::remove_file(far("replaced")).unwrap();
    assert_eq!(fs::metadata(far("two/file")).unwrap().nlink(), 1);
    let mut names: Vec<_> = tree(&place.far).into_keys().collect();
    names.sort();
    assert_eq!(
        names,
        ["", "next", "two", "two/deep", "two/file"].map(Path::new)
    );
}

#[test]
fn sizes_holes_and_bits() {
    let Some(place) = place("sizes_holes_and_bits", Behaviour::default()) else {
        return;
    };
    let name = place.far.join("file");
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&name)
        .unwrap();
    file.set_len(1 << 20).unwrap();
    file.write_all_at(b"data", 512 << 10).unwrap();
    assert_eq!(first_data(&file), 512 << 10);
    file.sync_all().unwrap();
    fs::set_permissions(&name, Permissions::from_mode(0o4711)).unwrap();
    assert_eq!(fs::metadata(&name).unwrap().mode() & 0o7777, 0o4711);
    OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&name)
        .unwrap();
    let meta = fs::metadata(place.behind.join("file")).unwrap();
    assert_eq!((meta.len(), meta.mode() & 0o777), (0, 0o711));
    OpenOptions::new()
        .append(true)
        .open(&name)
        .unwrap()
        .write_all(b"one")
        .unwrap();
    OpenOptions::new()
        .append(true)
        .open(&name)
        .unwrap()
        .write_all(b"two")
        .unwrap();
    assert_eq!(fs::read(&name).unwrap(), b"onetwo");
}

/// Holds who comes until so many are there. Not for ever, as a `Barrier` would.
fn gather(wanted: u64) -> impl Fn() + Send + Sync {
    let (count, all_there) = (Mutex::new(0), Condvar::new());
    move || {
        let mut count = count.lock().unwrap();
        *count += 1;
        all_there.notify_all();
        let limit = Duration::from_secs(30);
        let gathered = all_there.wait_timeout_while(count, limit, |count| *count < wanted);
        drop(gathered.unwrap());
    }
}

#[test]
fn calls_overlap_and_are_counted() {
    const FILES: u64 = 64;
    let gathered = gather(FILES);
    let behaviour = Behaviour {
        delay: Box::new(move |call| {
            if call == Call::Open {
                gathered();
            }
            Duration::ZERO
        }),
        ..Behaviour::default()
    };
    let Some(place) = place("calls_overlap_and_are_counted", behaviour) else {
        return;
    };
    for number in 0..FILES {
        fs::write(place.far.join(format!("file{number}")), "content").unwrap();
    }
    let counts = place.mounted.counts();
    for call in [Call::Create, Call::Write, Call::Flush] {
        let count = counts.of(call);
        assert_eq!((count.made, count.at_once), (FILES, 1), "{counts}");
    }
    assert_eq!(counts.of(Call::Open).made, 0, "{counts}");
    place.mounted.count_anew();
    thread::scope(|scope| {
        for number in 0..FILES {
            let name = place.far.join(format!("file{number}"));
            scope.spawn(move || assert_eq!(fs::read(name).unwrap(), b"content"));
        }
    });
    let counts = place.mounted.counts();
    let open = counts.of(Call::Open);
    assert_eq!((open.made, open.at_once), (FILES, FILES), "{counts}");
    assert!(counts.of(Call::Read).made >= FILES, "{counts}");
    assert!(counts.all.made >= 2 * FILES, "{counts}");
    assert!(counts.all.at_once >= FILES, "{counts}");
    assert_eq!(counts.of(Call::Create).made, 0, "{counts}");
}

#[test]
fn the_order_of_writes_is_noted() {
    let Some(place) = place("the_order_of_writes_is_noted", Behaviour::default()) else {
        return;
    };
    let mut file = File::create(place.far.join("first name")).unwrap();
    file.write_all_at(&[1; 1000], 4096).unwrap();
    file.write_all(&[2; 10]).unwrap();
    file.write_all(&[3; 20]).unwrap();
    drop(file);
    fs::rename(place.far.join("first name"), place.far.join("name")).unwrap();
    assert_eq!(
        place.mounted.writes("name"),
        [(4096, 1000), (0, 10), (10, 20)]
    );
    assert_eq!(place.mounted.writes("first name"), []);
}

#[test]
fn errors_and_short_reads() {
    let behaviour = Behaviour {
        error: Box::new(|call| match call {
            Call::Write => libc::ESTALE,
            _ => 0,
        }),
        most_read: Some(3),
        ..Behaviour::default()
    };
    let Some(place) = place("errors_and_short_reads", behaviour) else {
        return;
    };
    fs::write(place.behind.join("file"), "content").unwrap();
    let mut file = File::open(place.far.join("file")).unwrap();
    let mut room = [0; 10];
    assert_eq!(file.read(&mut room).unwrap(), 3);
    let mut rest = Vec::new();
    file.read_to_end(&mut rest).unwrap();
    assert_eq!((&room[..3], &rest[..]), (&b"con"[..], &b"tent"[..]));
    let error = fs::write(place.far.join("new"), "content").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ESTALE));
}

#[test]
fn it_goes_with_its_test() {
    let test = "it_goes_with_its_test";
    let mounts = |at: &Path| {
        let listed = fs::read("/proc/self/mountinfo").unwrap();
        let at = at.as_os_str().as_bytes();
        let mut words = listed.split(u8::is_ascii_whitespace);
        words.any(|word| word == at)
    };
    let (mut left, mut open) = (None, None);
    let failed = catch_unwind(AssertUnwindSafe(|| {
        let Some(place) = place(test, Behaviour::default()) else {
            return;
        };
        assert!(mounts(&place.far));
        left = Some(place.far.clone());
        // Open beyond the end, so that it must go lazily.
        open = Some(File::create(place.far.join("open")).unwrap());
        panic!("as a failing test does");
    }));
    let Some(far) = left else {
        return;
    };
    assert!(failed.is_err());
    assert!(!mounts(&far));
    assert!(!far.exists(), "its folder stays");
    // Who has it open can go on, and the file system ends with them.
    open.unwrap().write_all(b"still there").unwrap();
}
