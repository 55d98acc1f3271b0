//! Copies that a signal ends at any moment: what is left is a prefix of the source.
//!
//! `ANNULET_STOPS` says how many copies are stopped in each setting, `ANNULET_SEED` gives the
//! first one's seed: with both, one that failed is made again.

use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::copies::{Verdict, Verdicts, WAYS, alone, is_prefix, is_whole, options};
use crate::cp::child;
use crate::file_systems::{self, Kind};
use crate::sources::{Source, has_holes, sources};
use crate::support::refused::{Refused, refuse};
use crate::support::{Random, annulet, from_env, skip};

/// How much is copied: where the ring is used, enough for that, and where it takes long, less.
fn size_mib(kind: Kind) -> usize {
    match kind {
        Kind::Ext4 | Kind::Xfs => 192,
        Kind::Tmpfs | Kind::Btrfs => 96,
    }
}

/// How many copies are stopped in the most usual settings; in the others it is a part of that.
const USUAL_CASES: u64 = 20;
/// Further ones are made, up to so many times as many, until a third was stopped in the middle.
const MOST_TIMES: usize = 12;

/// The latest moment at which a copy is stopped, as a part of the time that one takes: some take
/// longer than others.
const LATEST: f64 = 1.1;

/// How a copy is made that is to be stopped.
struct Setting<'a> {
    kind: Kind,
    dir: &'a Path,
    options: String,
    source: &'a Source,
    has_ring: bool,
}

impl Setting<'_> {
    /// Starts a copy, and says since when it runs.
    fn start(&self) -> (Child, Instant) {
        let line = format!("{} {} copy", self.options, self.source.name);
        let mut command = child::cp_command(&annulet(), &child::words(&line), self.dir);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if !self.has_ring {
            let setup = Refused::always(libc::SYS_io_uring_setup, libc::EPERM);
            refuse(&mut command, setup);
        }
        let child = command.spawn().expect("a process");
        // Not before: to fork takes as long as to copy.
        (child, Instant::now())
    }

    fn copy(&self) -> PathBuf {
        self.dir.join(self.source.copy)
    }

    fn remove_copy(&self) {
        let copy = self.dir.join("copy");
        if copy.is_dir() {
            fs::remove_dir_all(copy).expect("removal");
        } else if copy.exists() {
            fs::remove_file(copy).expect("removal");
        }
    }

    /// How long a whole copy takes: the second one, as the first one finds nothing ready.
    fn measure(&self) -> Verdict<Duration> {
        let mut took = Duration::ZERO;
        for _ in 0..2 {
            let (child, begun) = self.start();
            let ended = child.wait_with_output().expect("a status");
            took = begun.elapsed();
            if !ended.status.success() || !ended.stderr.is_empty() {
                return Err(String::from_utf8_lossy(&ended.stderr).into_owned());
            }
            is_whole(&self.copy(), &self.source.content)?;
            self.remove_copy();
        }
        Ok(took)
    }

    /// Stops a copy by a signal after a while, and judges what is left: whether that is something
    /// and not all. `takes` learns how long it took, or would have taken.
    fn stop(&self, random: &mut Random, takes: &mut Duration) -> Verdict<bool> {
        let signal = random.pick(&[libc::SIGTERM, libc::SIGINT, libc::SIGKILL]);
        let moment = takes.mul_f64(LATEST * fraction(random));
        let (child, begun) = self.start();
        if !ends_within(&child, moment.saturating_sub(begun.elapsed())) {
            let pid = libc::pid_t::try_from(child.id()).expect("a process number");
            // SAFETY: takes numbers; the child has not been waited for.
            unsafe { libc::kill(pid, signal) };
        }
        let ended = child.wait_with_output().expect("a status");
        let took = begun.elapsed();
        let when = |reason| format!("signal {signal} after {moment:?} of {takes:?}: {reason}");
        let (to, content) = (self.copy(), &self.source.content);
        if ended.status.signal() != Some(signal) {
            let said = String::from_utf8_lossy(&ended.stderr);
            if !ended.status.success() || !said.is_empty() {
                let said = said.lines().next().unwrap_or_default();
                return Err(when(format!("{}, {said}", ended.status)));
            }
            is_whole(&to, content).map_err(when)?;
            *takes = (*takes + took) / 2;
            return Ok(false);
        }
        let len = is_prefix(&to, content).map_err(when)?;
        // Of the room that xfs takes ahead it says that it is data.
        if self.source.name == "holes" && self.kind != Kind::Xfs {
            has_holes(&to).map_err(when)?;
        }
        // One that had just begun tells nothing.
        if len > content.len() / 4 {
            let mib = |bytes: usize| u32::try_from(bytes >> 20).expect("a small number").max(1);
            *takes = (*takes * 3 + took * mib(content.len()) / mib(len)) / 4;
        }
        Ok((1..content.len()).contains(&len))
    }

    /// Stops so many copies, which take about so long, and says where that was too rarely in
    /// their middle.
    fn check(&self, cases: usize, takes: Duration, verdicts: &mut Verdicts) -> Result<(), String> {
        let what = format!(
            "{}, io_uring {}: cp {} {}",
            self.kind.name(),
            if self.has_ring { "as it is" } else { "refused" },
            self.options,
            self.source.name
        );
        let first = from_env("ANNULET_SEED").unwrap_or(1);
        let (mut takes, bad) = (takes, verdicts.bad());
        let (mut in_the_middle, mut made) = (0, 0);
        while made < cases || (in_the_middle * 3 < cases && made < cases * MOST_TIMES) {
            let seed = first + made as u64;
            let verdict = self.stop(&mut Random(seed), &mut takes);
            in_the_middle += usize::from(!matches!(verdict, Ok(false)));
            let run = format!("ANNULET_SEED={seed} ANNULET_STOPS=1: {what}");
            verdicts.add(&run, verdict.map(|_| ()));
            self.remove_copy();
            made += 1;
        }
        let bad = verdicts.bad() - bad;
        println!(
            "{what}: {made} copies of {takes:?}, {in_the_middle} stopped in the middle, {bad} bad"
        );
        if in_the_middle * 3 < cases {
            return Err(format!(
                "{what}: only {in_the_middle} of {made} copies were stopped in the middle"
            ));
        }
        Ok(())
    }
}

/// Whether a program ends by itself within that time.
fn ends_within(child: &Child, time: Duration) -> bool {
    // SAFETY: takes numbers; the child has not been waited for.
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) };
    let pidfd = i32::try_from(pidfd).expect("a descriptor");
    assert!(
        pidfd >= 0,
        "pidfd_open: {}",
        std::io::Error::last_os_error()
    );
    // SAFETY: a descriptor that nobody else has.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let mut poll = libc::pollfd {
        fd: pidfd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let timeout = libc::timespec {
        tv_sec: i64::try_from(time.as_secs()).expect("a short time"),
        tv_nsec: time.subsec_nanos().into(),
    };
    // SAFETY: one writable pollfd; the time is read, and no set of signals.
    let ready = unsafe { libc::ppoll(&raw mut poll, 1, &raw const timeout, std::ptr::null()) };
    ready == 1
}

/// A number from 0 to 1.
fn fraction(random: &mut Random) -> f64 {
    f64::from(u32::try_from(random.below(1 << 20)).expect("a small number")) / f64::from(1 << 20)
}

/// The settings for a kind of file system, and of how many copies one is stopped in each.
fn settings(kind: Kind) -> Vec<(String, &'static str, bool, usize)> {
    let usual = options("--io=auto", kind).expect("options");
    let sparse = format!("{usual} --sparse=always");
    let folder = format!("{usual} -r");
    let mut settings = vec![
        (usual.clone(), "whole", true, 1),
        (usual.clone(), "whole", false, 1),
        (usual, "holes", true, 3),
        (sparse, "holes", true, 5),
        (folder, "folder", true, 3),
    ];
    // The first is the usual one.
    let ways = WAYS[1..].iter().filter_map(|way| options(way, kind));
    settings.extend(ways.map(|way| (way, "whole", true, 5)));
    settings
}

fn stop_on(test: &str, kind: Kind) {
    let _alone = alone();
    let cases = from_env("ANNULET_STOPS").unwrap_or(USUAL_CASES);
    let cases = usize::try_from(cases).expect("a number");
    let mut verdicts = Verdicts::default();
    let ran = file_systems::roomy(kind, 1024, |dir| {
        let sources = sources(size_mib(kind));
        for source in &sources {
            source.write(dir);
        }
        let (mut unjudged, mut takes) = (Vec::new(), None);
        for (options, name, has_ring, one_of) in settings(kind) {
            let source = sources.iter().find(|source| source.name == name);
            let setting = Setting {
                kind,
                dir,
                options,
                source: source.expect("a source"),
                has_ring,
            };
            let takes = *takes.get_or_insert_with(|| setting.measure().expect("a copy"));
            let judged = setting.check(cases.div_ceil(one_of), takes, &mut verdicts);
            unjudged.extend(judged.err());
        }
        unjudged
    });
    verdicts.all_good();
    match ran {
        Err(reason) => skip(test, &reason),
        Ok(unjudged) if !unjudged.is_empty() => skip(test, &unjudged.join("; ")),
        Ok(_) => (),
    }
}

#[test]
fn stopped_on_ext4() {
    stop_on("stopped_on_ext4", Kind::Ext4);
}

#[test]
fn stopped_on_tmpfs() {
    stop_on("stopped_on_tmpfs", Kind::Tmpfs);
}

#[test]
fn stopped_on_xfs() {
    stop_on("stopped_on_xfs", Kind::Xfs);
}

#[test]
fn stopped_on_btrfs() {
    stop_on("stopped_on_btrfs", Kind::Btrfs);
}
