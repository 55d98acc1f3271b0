//! Mounts a stand-in for a far file system until its standard input ends, for `scripts/bench.sh`.
//!
//!     far FOLDER AT MICROSECONDS
//!
//! Every call waits for so long. Says `mounted` once it is there, and at the end which calls there
//! were.

#[path = "../standin/mod.rs"]
mod standin;

use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use standin::{Behaviour, mount};

fn arguments() -> Option<(PathBuf, PathBuf, Duration)> {
    let mut given = std::env::args_os().skip(1);
    let [folder, at] = [given.next()?, given.next()?].map(PathBuf::from);
    let delay = given.next()?.to_str()?.parse().ok()?;
    Some((folder, at, Duration::from_micros(delay)))
}

fn main() -> ExitCode {
    let Some((folder, at, delay)) = arguments() else {
        eprintln!("usage: far FOLDER AT MICROSECONDS");
        return ExitCode::from(2);
    };
    let mounted = match mount(&folder, &at, Behaviour::waiting(delay)) {
        Ok(mounted) => mounted,
        Err(error) => {
            eprintln!("far: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("mounted");
    // An error is an end as well.
    let _ = io::stdin().read_to_end(&mut Vec::new());
    println!("{}", mounted.counts());
    ExitCode::SUCCESS
}
