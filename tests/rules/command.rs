//! Command lines.

use std::ffi::{CStr, CString};

use annulet::copy::options::Options;

/// A command line.
#[derive(Debug, Clone)]
pub struct Command {
    pub options: Options,
    pub operands: Vec<String>,
    /// The last operand is no directory to copy into.
    pub is_no_target: bool,
    /// What the user answers.
    pub answer: Option<bool>,
    /// The user is not root.
    pub is_ordinary: bool,
}

impl Command {
    /// From words: options and operands, `<` and an answer behind them, `user:` before them.
    pub fn new(line: &str) -> Self {
        let ordinary = line.strip_prefix("user: ");
        let (line, answer) = match ordinary.unwrap_or(line).split_once(" < ") {
            Some((line, answer)) => (line, Some(answer == "y")),
            None => (ordinary.unwrap_or(line), None),
        };
        let mut args = line.split(' ').map(|word| -> &'static CStr {
            // For good, as those of a program are.
            Box::leak(CString::new(word).expect("no NUL").into_boxed_c_str())
        });
        let (options, operands) = annulet::cli::options_of(&mut || args.next()).expect(line);
        let operands = operands.iter().map(|name| name.to_str().expect("UTF-8"));
        Self {
            options,
            operands: operands.map(str::to_owned).collect(),
            is_no_target: line.split(' ').any(|word| word == "-T"),
            answer,
            is_ordinary: ordinary.is_some(),
        }
    }
}
