//! Whether this kernel has large files written in order, whole ones and such as are stopped.
//!
//! `io_uring` promises no order. What the program relies on is what kernels do, so it is tried on
//! several of them. `ANNULET_VM_CASES` says how often, `ANNULET_SEED` at which moments copies are
//! stopped.

use std::ffi::c_int;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::str::FromStr;
use std::time::Duration;

use super::commands::{command, succeeded};
use super::random::Random;
use super::trees::same_bytes;
use super::{Report, Step, text};

unsafe extern "C" {
    fn kill(pid: c_int, signal: c_int) -> c_int;
}

const SIGKILL: c_int = 9;
const SIGTERM: c_int = 15;

/// How many copies are stopped in each setting, and how often one or two whole ones are made.
const CASES: u32 = 24;

/// A stopped copy is looked at so often until it is as long as it is to become.
const LOOKED_AT_EVERY: Duration = Duration::from_micros(50);

/// It goes on after that for 2^0 to 2^10 microseconds.
const LONGEST_DELAY_LOG2: usize = 10;

/// What is copied, where to, and how often.
pub struct Order<'a> {
    source: &'a str,
    content: &'a [u8],
    place: &'a str,
    cases: u32,
}

impl<'a> Order<'a> {
    /// Copies of the file `source`, which holds `content`, to the folder `place`.
    pub fn new(source: &'a str, content: &'a [u8], place: &'a str) -> Self {
        Self {
            source,
            content,
            place,
            cases: from_env("ANNULET_VM_CASES").unwrap_or(CASES),
        }
    }

    /// Tries it.
    pub fn check(&self, report: &mut Report) {
        let Self { place, cases, .. } = self;
        report.step(
            &format!("{cases} times copies by the ring to {place}"),
            || {
                // One alone, and so that two rings have something to write to one file system.
                (0..*cases).try_for_each(|case| self.make(1 + case as usize % 2))
            },
        );
        for io in ["ring", "thread"] {
            report.step(&format!("{cases} stopped --io={io} to {place}"), || {
                self.stop_some(io)
            });
        }
    }

    /// Makes some copies at a time by the ring, which has to keep the order of its writes.
    fn make(&self, count: usize) -> Step {
        let start = |number| self.start("ring", number);
        let children: Vec<_> = (0..count).map(start).collect::<Result<_, _>>()?;
        for (number, child) in children.into_iter().enumerate() {
            let output = child.wait_with_output().map_err(text)?;
            succeeded(&output)?;
            let said = String::from_utf8_lossy(&output.stdout);
            if !is_all_by_ring(&said) || said.contains("did not keep the order") {
                return Err(format!("--debug said {said}"));
            }
            let copy = self.copy(number);
            same_bytes(self.content, &fs::read(&copy).map_err(text)?)?;
            fs::remove_file(copy).map_err(text)?;
        }
        Ok(())
    }

    /// Stops copies one after the other. Half of them have to be stopped in their middle, or
    /// nothing was tried.
    fn stop_some(&self, io: &str) -> Step {
        let mut random = Random(from_env("ANNULET_SEED").unwrap_or(1));
        let (mut in_the_middle, mut bad) = (0, Vec::new());
        for case in 0..self.cases {
            let copy = self.copy(0);
            match self.stop(io, &mut random) {
                Ok(len) => in_the_middle += u32::from(0 < len && len < self.content.len()),
                Err(why) => bad.push(format!("copy {case}: {why}")),
            }
            fs::remove_file(copy).ok();
        }
        if !bad.is_empty() {
            let count = bad.len();
            bad.truncate(5);
            return Err(format!(
                "{count} of {} are bad: {}",
                self.cases,
                bad.join("; ")
            ));
        }
        if in_the_middle * 2 < self.cases {
            return Err(format!(
                "only {in_the_middle} of {} were stopped in their middle",
                self.cases
            ));
        }
        Ok(())
    }

    /// Stops a copy by a signal and says how long it is. It has to be a prefix of the source, or
    /// whole if it ended before.
    fn stop(&self, io: &str, random: &mut Random) -> Result<usize, String> {
        let signal = random.pick(&[SIGTERM, SIGKILL]);
        let least = random.below(self.content.len());
        let delay = Duration::from_micros(1 << random.below(LONGEST_DELAY_LOG2 + 1));
        let mut child = self.start(io, 0)?;
        let copy = self.copy(0);
        let len = || fs::metadata(&copy).map_or(0, |meta| meta.len() as usize);
        while len() < least && child.try_wait().map_err(text)?.is_none() {
            std::thread::sleep(LOOKED_AT_EVERY);
        }
        std::thread::sleep(delay);
        let ended = match child.try_wait().map_err(text)? {
            Some(ended) => ended,
            None => {
                // SAFETY: takes numbers; the child has not been waited for.
                unsafe { kill(child.id() as c_int, signal) };
                child.wait().map_err(text)?
            }
        };
        let found = fs::read(&copy).unwrap_or_default();
        let when = |why| {
            format!("signal {signal}, {delay:?} after {least} bytes were there: {why}, {ended}")
        };
        let expected = self.content.get(..found.len()).unwrap_or(self.content);
        same_bytes(expected, &found).map_err(when)?;
        if ended.success() && found.len() < self.content.len() {
            return Err(when(format!("only {} bytes", found.len())));
        }
        if !ended.success() && ended.signal() != Some(signal) {
            return Err(when("failed".to_owned()));
        }
        Ok(found.len())
    }

    fn start(&self, io: &str, number: usize) -> Result<Child, String> {
        let io = format!("--io={io}");
        command(
            "/bin/cp",
            &["--debug", &io, self.source, &self.copy(number)],
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(text)
    }

    fn copy(&self, number: usize) -> String {
        format!("{}/order-{number}", self.place)
    }
}

/// Whether `cp --debug` says that all data went through the ring.
fn is_all_by_ring(said: &str) -> bool {
    said.lines().any(|line| {
        line.strip_prefix("data: io_uring (")
            .and_then(|ring| ring.strip_suffix(')'))
            .is_some_and(|ring| !ring.contains(')'))
    })
}

/// A number from the kernel's command line.
pub fn from_env<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}
