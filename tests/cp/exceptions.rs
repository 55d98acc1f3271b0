//! Where annulet is not to be like GNU cp 9.7: what GNU does there is a slip, or loses something.
//! Each is in the README's list, and has a line here that tells a case of it from others.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::scene::{Node, Scene};

/// A command, what both programs said, and how the outcomes differ.
pub struct Found<'a> {
    pub scene: &'a Scene,
    pub args: &'a [OsString],
    pub ordinary: bool,
    /// annulet had one worker.
    pub ordered: bool,
    pub gnu: &'a str,
    pub ours: &'a str,
    /// As `Outcome::differences` has them.
    pub lines: &'a [String],
}

impl Found<'_> {
    /// Why it need not be alike, if it is one of the exceptions.
    pub fn exception(&self) -> Option<&'static str> {
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort_unstable();
            lines
        };
        let same_words = sorted(self.gnu) == sorted(self.ours);
        let all = |of: &[&str]| {
            let is_of = |line: &String| of.iter().any(|what| line.contains(what));
            self.lines.iter().all(is_of)
        };
        // In the order of the README's list.
        if self.gnu.contains("cp: failed to clone ") && same_words {
            return Some("--reflink=always fails: GNU cp has emptied the file before");
        }
        if self.has("--keep") && self.gnu.contains("cp: cannot overwrite non-directory ") {
            return Some("GNU cp follows symlinks so only with --copy-contents");
        }
        let in_the_way = |text: &str| {
            text.contains("cp: cannot create directory ") && text.contains(": File exists")
        };
        if in_the_way(self.ours) && !in_the_way(self.gnu) && self.backs_up() {
            return Some("a file in the way of `SOURCE/.` is not kept: GNU cp removes it");
        }
        let stale = [": File exists", "cp: cannot make directory "];
        if self.has("--pa") && stale.iter().any(|text| self.gnu.contains(text)) {
            return Some("GNU cp --parents takes what is there for new, once it has made parents");
        }
        if self.args.iter().any(|arg| arg.is_empty()) {
            return Some("GNU cp takes '' for the working directory, now and then");
        }
        let mut items = self.scene.items.iter();
        let has_names = items.any(|item| matches!(item.node, Node::Hard(_) | Node::Link(_)));
        if self.has_short(b'u', "--up") && has_names {
            return Some("-u makes what is left alone the first of its source's names");
        }
        if all(&[": attributes ", ": blocks "]) && same_words {
            if self.follows() {
                return Some("attributes of a folder behind a symlink: GNU cp asks the symlink");
            }
            if self.ordinary && self.has_list("system.posix_acl_default") {
                return Some("an ordinary user's attributes where a default list forbids writing");
            }
        }
        let denied = |text: &str| text.contains("cp: preserving permissions for ");
        if denied(self.gnu) && !denied(self.ours) {
            return Some("GNU cp goes by a name that is shut or another by now");
        }
        let mut items = self.scene.items.iter();
        if !self.ordered && items.any(|item| matches!(item.node, Node::Hard(_))) {
            return Some("with several workers any name of a file may be the first");
        }
        if self.ordinary {
            let clearing = "cp: clearing permissions for ";
            if self.ours.contains(clearing) && !self.gnu.contains(clearing) {
                return Some("GNU cp fails without a word");
            }
            let attribute = ["cp: getting attribute ", "cp: setting attribute "];
            if attribute.iter().any(|text| self.gnu.contains(text)) {
                return Some(
                    "a folder's attribute that is refused: GNU cp leaves the mode as well",
                );
            }
            if self.gnu.contains(" for reading: Permission denied")
                && same_words
                && all(&["modification time", "access time"])
            {
                return Some("GNU cp makes room for what it then cannot open");
            }
            if self.has("--pa") && same_words && all(&[": mode ", ": group "]) {
                return Some("chmod by an ordinary user drops setgid: GNU cp calls it needlessly");
            }
        }
        let into_itself = self.gnu.contains("into itself");
        let met = "cp: will not create hard link ";
        let differs = self.gnu.contains(met) != self.ours.contains(met);
        if differs && (into_itself || self.ours.contains("into itself")) {
            return Some("into itself by way of a symlink: GNU cp skips that name, annulet stops");
        }
        if self.has("--pa") && self.has("--no-p") && into_itself && all(&[": mode "]) {
            return Some("--parents into itself without modes: GNU cp leaves what it withheld");
        }
        if self.has_short(b's', "--sy") && self.follows() {
            return Some("-s with links kept: GNU cp links to what the symlink leads to");
        }
        None
    }

    /// Whether a long option is given, by what it begins with.
    fn has(&self, start: &str) -> bool {
        let is = |arg: &OsString| arg.as_bytes().starts_with(start.as_bytes());
        self.args.iter().any(is)
    }

    /// Whether an option is given, by its letter or by what its name begins with.
    fn has_short(&self, letter: u8, start: &str) -> bool {
        let is = |arg: &OsString| {
            let bytes = arg.as_bytes();
            bytes.starts_with(b"-") && !bytes.starts_with(b"--") && bytes.contains(&letter)
        };
        self.has(start) || self.args.iter().any(is)
    }

    fn backs_up(&self) -> bool {
        self.has_short(b'b', "--ba") || self.has_short(b'S', "--su")
    }

    /// Whether symlinks are followed.
    fn follows(&self) -> bool {
        [(b'L', "--der"), (b'H', "-H"), (b'l', "--li")]
            .iter()
            .any(|&(letter, start)| self.has_short(letter, start))
    }

    fn has_list(&self, name: &str) -> bool {
        let has = |xattrs: &[(&str, Vec<u8>)]| xattrs.iter().any(|(other, _)| *other == name);
        let mut items = self.scene.items.iter();
        items.any(|item| matches!(item.node, Node::Dir) && has(&item.xattrs))
    }
}

/// Messages, less what is not compared in them: of an attribute, GNU cp gives its name for the
/// file's as well; of a folder that is copied into itself it has two messages, and which one it
/// takes depends on the spelling of the path that leads there.
pub fn normal(messages: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(messages);
    let mut normal = String::new();
    for line in text.split_inclusive('\n') {
        let begins = |starts: &[&str]| starts.iter().any(|start| line.starts_with(start));
        let of_attribute = begins(&["cp: setting attribute ", "cp: getting attribute "]);
        let into_itself = begins(&["cp: cannot copy a directory, "])
            || (begins(&["cp: will not create hard link "]) && line.contains(" to directory "));
        match (line.find("' "), line.rfind(": ")) {
            (Some(from), Some(to)) if of_attribute => {
                normal.push_str(&line[..=from]);
                normal.push_str(&line[to..]);
            }
            _ => normal.push_str(if into_itself {
                "cp: into itself\n"
            } else {
                line
            }),
        }
    }
    normal.into_bytes()
}
