//! Large files that do not fit, or are more than may be had: what fits is a prefix, and nothing is
//! allocated behind it.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Mutex;

use crate::copies::{
    Verdict, Verdicts, WAYS, alone, content, cp, ended, has_no_blocks_beyond, is_at_least,
    is_prefix, options,
};
use crate::file_systems::{self, Kind};
use crate::support::{Ran, command, find_program, run, skip};

const SOURCE_MIB: usize = 40;
/// So much is left free.
const MOST_BYTES: usize = 24 << 20;
const ROOM_BYTES: u64 = MOST_BYTES as u64;

/// How large each is made: nearly as small as may be.
fn size_mib(kind: Kind) -> u64 {
    match kind {
        Kind::Ext4 => 96,
        Kind::Tmpfs => 72,
        Kind::Btrfs => 256,
        Kind::Xfs => 320,
    }
}

/// What a copy said and left that did not fit, for that reason; how long that is.
fn judge(ran: &Ran, reason: &str, to: &Path, content: &[u8]) -> Verdict<usize> {
    // A btrfs may be too full for that, too. In order there are no gaps.
    let uncut = format!("cp: cannot truncate 'copy': {reason}\n");
    let is_uncut = ran.stderr.ends_with(&uncut);
    let mut ran = ran.clone();
    if is_uncut {
        ran.stderr = ran.stderr.replace(&uncut, "");
    }
    ended(&ran, 1, &format!("cp: error writing 'copy': {reason}\n"))?;
    let len = is_prefix(to, content)?;
    if !is_uncut {
        has_no_blocks_beyond(to)?;
    }
    Ok(len)
}

/// Copies by each way to where `make_scarce` has left too little; it says where that cannot be.
fn fill(
    test: &str,
    kind: Kind,
    reason: &str,
    make_scarce: impl Fn(&Path) -> Result<(), String> + Sync,
) {
    let _alone = alone();
    let content = &content(SOURCE_MIB);
    let verdicts = Mutex::new(Verdicts::default());
    let ran = file_systems::on(kind, size_mib(kind), |dir| {
        fs::write(dir.join("whole"), content).expect("a source");
        make_scarce(dir)?;
        let sparse = "--io=auto --sparse=always";
        let ways = WAYS.iter().chain([&sparse]);
        for options in ways.filter_map(|way| options(way, kind)) {
            let line = format!("{options} whole copy");
            let verdict = judge(&cp(&line, dir), reason, &dir.join("copy"), content);
            let what = format!("{}: {line}", kind.name());
            println!("{what}: {verdict:?}");
            // As much as fits was written before it was found that more does not.
            let verdict = verdict.and_then(|len| is_at_least(len, MOST_BYTES / 2));
            verdicts.lock().unwrap().add(&what, verdict);
            if dir.join("copy").exists() {
                file_systems::remove(dir, "copy", ROOM_BYTES * 3 / 4);
            }
        }
        Ok(())
    });
    verdicts.into_inner().unwrap().all_good();
    if let Err(reason) = ran.and_then(|made| made) {
        skip(test, &reason);
    }
}

fn fill_up(test: &str, kind: Kind) {
    fill(test, kind, "No space left on device", |dir| {
        file_systems::take_room(dir, ROOM_BYTES);
        Ok(())
    });
}

#[test]
fn a_full_ext4() {
    fill_up("a_full_ext4", Kind::Ext4);
}

#[test]
fn a_full_tmpfs() {
    fill_up("a_full_tmpfs", Kind::Tmpfs);
}

#[test]
fn a_full_xfs() {
    fill_up("a_full_xfs", Kind::Xfs);
}

#[test]
fn a_full_btrfs() {
    fill_up("a_full_btrfs", Kind::Btrfs);
}

/// Of a btrfs a part may be limited, for root as well.
#[test]
fn a_quota() {
    fill("a_quota", Kind::Btrfs, "Disk quota exceeded", |dir| {
        let most = ((SOURCE_MIB as u64) << 20) + ROOM_BYTES;
        let btrfs = find_program("btrfs").ok_or("btrfs is not installed")?;
        file_systems::sync(&File::open(dir).expect("a folder")).expect("synced");
        for line in ["quota enable", &format!("qgroup limit {most} 0/5")] {
            let ran = run(command(&btrfs).args(line.split(' ')).arg(dir));
            if ran.status != 0 {
                return Err(format!("no quotas: {}", ran.stderr.trim_end()));
            }
        }
        Ok(())
    });
}
