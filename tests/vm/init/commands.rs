//! Running the program under test.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::{Step, text};

pub fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    // `Stdio::null` opens /dev/null, which the first steps do without.
    if Path::new("/dev/null").exists() {
        command.stdin(Stdio::null());
    } else {
        command.stdin(Stdio::inherit());
    }
    command
}

pub fn succeeded(output: &Output) -> Step {
    if output.status.success() && output.stderr.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}

pub fn run_ok(program: &str, args: &[&str]) -> Result<Vec<u8>, String> {
    let output = command(program, args).output().map_err(text)?;
    succeeded(&output)?;
    Ok(output.stdout)
}

pub fn cp(args: &[&str]) -> Step {
    run_ok("/bin/cp", args).map(drop)
}

pub fn cat(args: &[&str]) -> Result<Vec<u8>, String> {
    run_ok("/bin/cat", args)
}

/// Expects `cp` to end with status 1 and to name the trouble on standard error.
pub fn fails(args: &[&str], message: &str) -> Step {
    let output = command("/bin/cp", args).output().map_err(text)?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() == Some(1) && stderr.contains(message) {
        return Ok(());
    }
    Err(format!("{}: {stderr}", output.status))
}
