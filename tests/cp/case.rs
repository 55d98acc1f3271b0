//! A command in a scene, with what its standard input and output are: what is run by GNU's
//! program and by annulet, and printed as commands to type where they differ.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::child::{Setting, words};
use super::scene::{Node, Scene, printed, shell};

/// In an argument: the folder of the scene, as a path from the root.
pub const HERE: &str = "/HERE/";

/// A command in a scene.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    pub name: String,
    pub scene: Scene,
    pub command: Command,
    pub args: Vec<OsString>,
    pub input: Input,
    pub output: Output,
    pub setting: Setting,
}

/// Which of annulet's commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Cp,
    Cat,
}

impl Command {
    /// The name it is started by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cp => "cp",
            Self::Cat => "cat",
        }
    }
}

/// Where standard input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// `/dev/null`.
    Nothing,
    Closed,
    /// A file that holds these bytes.
    Bytes(Vec<u8>),
    /// A pipe that gets these bytes, so many at a time.
    Pipe(Vec<u8>, usize),
    File(Opened),
}

/// Where standard output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A file in memory.
    Kept,
    Closed,
    Pipe,
    File(Opened),
}

/// A file that is open before the program starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its path in the scene, or from the root.
    pub path: PathBuf,
    pub how: How,
    /// Where it stands.
    pub at: u64,
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Read,
    Write,
    Append,
    /// For writing, emptied.
    Empty,
}

impl Opened {
    pub fn new(path: impl Into<PathBuf>, how: How, at: u64) -> Self {
        let path = path.into();
        Self { path, how, at }
    }

    /// Opens it where the scene is in `dir`.
    pub fn open(&self, dir: &Path) -> File {
        let mut options = OpenOptions::new();
        match self.how {
            How::Read => options.read(true),
            How::Write => options.write(true),
            How::Append => options.append(true),
            How::Empty => options.write(true).truncate(true),
        };
        let opened = options.open(dir.join(&self.path));
        let mut file = opened.unwrap_or_else(|e| panic!("{self:?}: {e}"));
        if self.at > 0 {
            file.seek(SeekFrom::Start(self.at)).expect("a place");
        }
        file
    }

    /// Whether nothing can be written to it.
    pub fn is_refused(&self) -> bool {
        self.how == How::Read || self.path == Path::new("/dev/full")
    }

    /// As a shell opens it as descriptor `fd`; and, as a shell has no other way to a place in a
    /// file, what reads up to there.
    fn script(&self, fd: u32) -> (String, String) {
        let sign = match self.how {
            How::Read => "<",
            How::Write => "<>",
            How::Append => ">>",
            How::Empty => ">",
        };
        let skip = match self.at {
            0 => String::new(),
            at => format!("head -c {at} <&{fd} >/dev/null; "),
        };
        (format!(" {fd}{sign}{}", shell(self.path.as_os_str())), skip)
    }
}

impl Case {
    /// `cp` with the arguments in `line`, as usual.
    pub fn cp(scene: Scene, line: &str) -> Self {
        Self {
            name: format!("cp {line}"),
            scene,
            command: Command::Cp,
            args: words(line),
            input: Input::Nothing,
            output: Output::Kept,
            setting: Setting::default(),
        }
    }

    /// `cp` with arguments that are more than words.
    pub fn cp_with(scene: Scene, args: Vec<OsString>) -> Self {
        Self {
            name: format!("{args:?}"),
            args,
            ..Self::cp(scene, "")
        }
    }

    /// Whether the scene can be made, and no operand leads out of it. One that is being made
    /// smaller may lack a name's folder or first name, and a value may have become an operand.
    pub fn can_be_run(&self) -> Result<(), &'static str> {
        if !self.scene.can_be_made() {
            return Err("a scene that cannot be made");
        }
        let leads_out = |arg: &OsString| {
            let bytes = arg.as_bytes();
            self.command == Command::Cp
                && bytes.starts_with(b"/")
                && !bytes.starts_with(HERE.as_bytes())
        };
        if self.args.iter().any(leads_out) {
            return Err("an operand outside the scene");
        }
        let is_there = |opened: &Opened| {
            opened.path.is_absolute()
                || self.scene.items.iter().any(|item| item.path == opened.path)
        };
        let input = matches!(&self.input, Input::File(opened) if !is_there(opened));
        let output = matches!(&self.output, Output::File(opened) if !is_there(opened));
        if input || output {
            return Err("a standard descriptor without its file");
        }
        Ok(())
    }

    /// The arguments, where the scene is in `dir`; the words of `way` before them.
    pub fn args_in(&self, way: &str, dir: &Path) -> Vec<OsString> {
        let own = self.args.iter().map(|arg| placed(arg, dir));
        words(way).into_iter().chain(own).collect()
    }

    /// The FIFOs that there are in the scene.
    pub fn fifos(&self) -> impl Iterator<Item = &Path> {
        let items = self.scene.items.iter();
        items
            .filter(|item| matches!(item.node, Node::Fifo))
            .map(|item| item.path.as_path())
    }

    /// The case as commands to type.
    pub fn script(&self, way: &str) -> String {
        let mut script = self.scene.script();
        let _ = write!(script, "umask {:03o}; ", self.setting.umask);
        let (mut before, mut behind, mut skipped) = (String::new(), String::new(), String::new());
        let mut opened = |opened: &Opened, fd| {
            let (redirection, skip) = opened.script(fd);
            behind.push_str(&redirection);
            skipped.push_str(&skip);
        };
        match &self.input {
            Input::File(file) => opened(file, 0),
            Input::Bytes(bytes) | Input::Pipe(bytes, _) => {
                let _ = write!(before, "{} | ", printed(bytes));
            }
            Input::Nothing | Input::Closed => {}
        }
        match &self.output {
            Output::File(file) => opened(file, 1),
            Output::Pipe => behind.push_str(" | od -c"),
            Output::Kept | Output::Closed => {}
        }
        if let Input::Pipe(_, step) = self.input {
            let _ = write!(script, ": {step} bytes at a time; ");
        }
        match self.input {
            Input::Closed => behind.insert_str(0, " <&-"),
            Input::Nothing if self.command == Command::Cat => behind.insert_str(0, " </dev/null"),
            _ => {}
        }
        if self.output == Output::Closed {
            behind.push_str(" >&-");
        }
        let command = self.command_line(way);
        let _ = if skipped.is_empty() {
            write!(script, "{before}{command}{behind}")
        } else {
            write!(script, "{before}({skipped}{command}){behind}")
        };
        script
    }

    /// The command with its arguments, environment and user.
    fn command_line(&self, way: &str) -> String {
        let mut line = String::new();
        if !self.setting.env.is_empty() {
            line.push_str("env ");
        }
        for (name, value) in &self.setting.env {
            let _ = write!(line, "{name}={} ", shell(OsStr::new(value)));
        }
        if let Some(user) = self.setting.user {
            let _ = write!(
                line,
                "setpriv --reuid={user} --regid={user} --clear-groups "
            );
        }
        line.push_str(self.command.name());
        for arg in words(way).iter().chain(&self.args) {
            let _ = write!(line, " {}", shell(arg).replace(HERE, "$PWD/"));
        }
        line
    }
}

/// An argument with the scene's folder in it.
fn placed(arg: &OsStr, dir: &Path) -> OsString {
    let mut bytes = arg.as_bytes().to_vec();
    let here = HERE.as_bytes();
    if let Some(at) = bytes.windows(here.len()).position(|part| part == here) {
        let mut path = dir.as_os_str().as_bytes().to_vec();
        path.push(b'/');
        bytes.splice(at..at + here.len(), path);
    }
    OsString::from_vec(bytes)
}
