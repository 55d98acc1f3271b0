//! Where annulet is not to be like GNU cp 9.7: what GNU does there is a slip, or loses something.
//! Each is in the README's list, and has a line here that tells a case of it from others.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::scene::{Node, Scene};

/// A command, what both programs said, and how the outcomes differ.
pub struct Found<'a> {
    pub scene: &'a Scene,
    pub args: &'a [OsString],
    pub ordinary: bool,
    /// annulet had one worker.
    pub ordered: bool,
    /// What was there to be copied was written to.
    pub changed: bool,
    pub gnu: &'a str,
    pub ours: &'a str,
    /// As `Outcome::differences` has them.
    pub lines: &'a [String],
}

impl Found<'_> {
    /// Why it need not be alike, if it is one of the exceptions.
    pub fn exception(&self) -> Option<&'static str> {
        if self.has("--pa") && self.gnu_lost_its_way() {
            return Some("GNU cp --parents looked for what it had made in `.`");
        }
        if !self.ordered && self.changed {
            return Some("what was written led to what was read: an open order");
        }
        self.of_everybody()
            .or_else(|| self.of_links())
            .or_else(|| self.of_an_ordinary_user())
            .or_else(|| self.of_copies_into_themselves())
    }

    fn of_everybody(&self) -> Option<&'static str> {
        if self.gnu.contains("cp: failed to clone ") && self.same_words() {
            return Some("--reflink=always fails: GNU cp has emptied the file before");
        }
        if self.has("--sp") && self.same_words() && self.all(&[": data at ", ": blocks "]) {
            return Some("--sparse=always: GNU cp shares blocks of zeros all the same");
        }
        if self.has("--keep") {
            let refused = "cp: cannot overwrite non-directory ";
            let differs = self.gnu_alone(refused) || self.ours_alone(refused);
            let moves = self.gnu_alone("cp: cannot backup ")
                || self.any(&[": type is Link, should be Folder"])
                || self.all(&[": access time "]);
            if differs || (self.backs_up() && moves) {
                return Some("GNU cp follows symlinks so only with --copy-contents");
            }
        }
        let in_the_way = |text: &str| {
            text.contains("cp: cannot create directory ") && text.contains(": File exists")
        };
        if in_the_way(self.ours) && !in_the_way(self.gnu) && self.backs_up() {
            return Some("a file in the way of `SOURCE/.` is not kept: GNU cp removes it");
        }
        let unmade = "cp: cannot make directory ";
        let shut = self.gnu.contains(unmade) && self.ours_alone("cp: cannot stat ");
        let stale = self.gnu_alone(": File exists") || self.gnu_alone(unmade);
        if self.has("--pa") && (shut || stale) {
            return Some("GNU cp --parents takes what is there for new, once it has made parents");
        }
        if self.args.iter().any(|arg| arg.is_empty()) && self.ours_alone("''") {
            return Some("GNU cp takes '' for the working directory, now and then");
        }
        if self.all(&[": attributes "]) && self.same_words() && self.follows() {
            return Some("attributes of a folder behind a symlink: GNU cp asks the symlink");
        }
        let denied = "cp: preserving permissions for ";
        let gone = "cp: cannot create symbolic link ";
        if (self.gnu.contains(denied) && !self.ours.contains(denied))
            || (self.gnu.contains(": No such file or directory") && self.gnu_alone(gone))
            || self.gnu_alone(": can make relative symbolic links only ")
            || self.ours_alone(": Stale file handle")
            || (self.has("--rem") && self.gnu_alone(" for reading: No such file or directory"))
        {
            return Some("GNU cp goes by a name that is shut or another by now");
        }
        None
    }

    /// Names of one file, by hard links or symlinks.
    fn of_links(&self) -> Option<&'static str> {
        let has_symlinks = self.has_node(|node| matches!(node, Node::Link(_)));
        let has_hard_links = self.has_node(|node| matches!(node, Node::Hard(_)));
        let moves = self.backs_up() || self.has("--rem");
        if has_symlinks && moves && self.ours_alone(" are the same file") {
            return Some("the folder's own name tells GNU cp whether two names are one");
        }
        let unlinked = "cp: cannot create hard link ";
        let last_part = |name: &str| {
            let name = name.trim_matches(|quote| "'\"".contains(quote));
            Path::new(name).file_name().map(OsString::from)
        };
        let to_itself = |line: &str| {
            let names = line.split_once(unlinked).map(|(_, names)| names);
            let names = names.and_then(|names| names.strip_suffix(": No such file or directory"));
            names
                .and_then(|names| names.split_once(" to "))
                .is_some_and(|(one, other)| last_part(one) == last_part(other))
        };
        let touches = self.same_words() && self.all(&[": modification time "]);
        let tries = self.has("--pa") && has_hard_links;
        if self.gnu.lines().any(to_itself)
            || (tries && (touches || self.gnu_alone("cp: cannot remove ")))
        {
            return Some("GNU cp removes a file to link its name to itself");
        }
        if self.has_short(b'u', "--up")
            && (has_hard_links || has_symlinks)
            && (self.same_words() || self.gnu_alone(unlinked))
            && self.any(&[": links ", ": hard link to ", "other messages"])
        {
            return Some("-u makes what is left alone the first of its source's names");
        }
        let again = self.has_twice() && self.all(&[": modification time ", "other output"]);
        if self.has_short(b'u', "--up") && again {
            return Some("-u links a name to itself, by way of another");
        }
        if !self.ordered && has_hard_links {
            return Some("with several workers any name of a file may be the first");
        }
        if self.has_short(b's', "--sy")
            && (self.follows() || has_hard_links)
            && self.any(&[": type is Link", ": link target ", ": hard link to "])
        {
            return Some("-s with links kept: GNU cp links to what the symlink leads to");
        }
        None
    }

    fn of_an_ordinary_user(&self) -> Option<&'static str> {
        if !self.ordinary {
            return None;
        }
        let clearing = "cp: clearing permissions for ";
        if self.ours.contains(clearing) && !self.gnu.contains(clearing) {
            return Some("GNU cp fails without a word");
        }
        let attribute = ["cp: getting attribute ", "cp: setting attribute "];
        if attribute.iter().any(|text| self.gnu.contains(text)) {
            return Some("a folder's attribute that is refused: GNU cp leaves the mode as well");
        }
        if self.gnu.contains(" for reading: Permission denied")
            && self.same_words()
            && self.all(&["modification time", "access time"])
        {
            return Some("GNU cp makes room for what it then cannot open");
        }
        if (self.has("--pa") || self.has_setgid())
            && self.same_words()
            && self.all(&[": mode ", ": group ", ": owner "])
        {
            return Some("chmod by an ordinary user drops setgid: GNU cp calls it needlessly");
        }
        if !self.ordered
            && self.gnu_alone("cp: preserving times for ")
            && self.ours_alone("cp: cannot access ")
        {
            return Some("a folder that may be neither read nor searched, left by its worker");
        }
        None
    }

    /// A folder that is copied into itself.
    fn of_copies_into_themselves(&self) -> Option<&'static str> {
        let told = |text: &str| text.contains("into itself");
        let (of_gnu, of_ours) = (told(self.gnu), told(self.ours));
        let of_order = [
            " is missing",
            " should not be there",
            ": modification time ",
            ": links ",
        ];
        if !self.ordered && of_gnu && of_ours && self.all(&of_order) {
            return Some("into itself with several workers: how much is made before is open");
        }
        let met = "cp: will not create hard link ";
        let differs = self.gnu.contains(met) != self.ours.contains(met);
        if differs && (of_gnu || of_ours) {
            return Some("into itself by way of a symlink: GNU cp skips that name, annulet stops");
        }
        if self.has("--pa") && self.has("--no-p") && of_gnu && self.all(&[": mode "]) {
            return Some("--parents into itself without modes: GNU cp leaves what it withheld");
        }
        None
    }

    /// Whether GNU cp ended as it compared a name below the destination with one it had made
    /// before, and took both for names below the current folder: the path alone, unquoted.
    fn gnu_lost_its_way(&self) -> bool {
        let last = self.gnu.lines().last().unwrap_or_default();
        let path = last
            .strip_prefix("cp: ")
            .and_then(|line| line.split_once(": "));
        path.is_some_and(|(path, why)| {
            let alone = path.starts_with(['\'', '"']) || !path.contains(' ');
            matches!(why, "No such file or directory" | "Permission denied") && alone
        })
    }

    /// Whether both said the same, in whatever order.
    fn same_words(&self) -> bool {
        let [gnu, ours] = [self.gnu, self.ours].map(|text| normal(text, self.gnu));
        let [gnu, ours] = [&gnu, &ours].map(|text| String::from_utf8_lossy(text));
        sorted(&gnu) == sorted(&ours)
    }

    /// Whether each difference is one of those.
    fn all(&self, of: &[&str]) -> bool {
        self.lines.iter().all(|line| contains_one(line, of))
    }

    /// Whether there is such a difference.
    fn any(&self, of: &[&str]) -> bool {
        self.lines.iter().any(|line| contains_one(line, of))
    }

    /// Whether GNU cp alone has said something with that in it.
    fn gnu_alone(&self, what: &str) -> bool {
        only_in(self.gnu, self.ours, what)
    }

    fn ours_alone(&self, what: &str) -> bool {
        only_in(self.ours, self.gnu, what)
    }

    fn has_node(&self, is: impl Fn(&Node) -> bool) -> bool {
        self.scene.items.iter().any(|item| is(&item.node))
    }

    /// Whether two arguments end in one name.
    fn has_twice(&self) -> bool {
        let name = |arg: &OsString| Path::new(arg).file_name().map(OsString::from);
        let mut names: Vec<_> = self.args.iter().filter_map(name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        names.len() < all
    }

    /// Whether new files of a folder get its group.
    fn has_setgid(&self) -> bool {
        let mut items = self.scene.items.iter();
        items.any(|item| matches!(item.node, Node::Dir) && item.mode & 0o2000 != 0)
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
}

fn contains_one(line: &str, of: &[&str]) -> bool {
    of.iter().any(|what| line.contains(what))
}

fn only_in(one: &str, other: &str, what: &str) -> bool {
    let mut lines = one.lines().filter(|line| line.contains(what));
    lines.any(|line| other.lines().all(|other| other != line))
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// Messages, less what is not compared in them: of an attribute, GNU cp gives its name for the
/// file's as well; of several slashes at an operand's end annulet shows one where it comes back to
/// the operand; of a folder that is copied into itself it has two messages, and which one it
/// takes depends on the spelling of the path that leads there. Where the messages `of_gnu` show
/// that it is older than 9.5, a folder that a file would overwrite stands there without the file.
pub fn normal(messages: &str, of_gnu: &str) -> Vec<u8> {
    const OVERWRITE: &str = "cp: cannot overwrite directory ";
    const WITH: &str = " with non-directory";
    let is_old = of_gnu
        .lines()
        .any(|line| line.starts_with(OVERWRITE) && line.ends_with(WITH));
    let mut normal = String::new();
    for line in messages.split_inclusive('\n') {
        let begins = |starts: &[&str]| starts.iter().any(|start| line.starts_with(start));
        let of_attribute = begins(&["cp: setting attribute ", "cp: getting attribute "]);
        let into_itself = begins(&["cp: cannot copy a directory, "])
            || (begins(&["cp: will not create hard link "]) && line.contains(" to directory "));
        match (line.find("' "), line.rfind(": "), line.find(WITH)) {
            (Some(from), Some(to), _) if of_attribute => {
                normal.push_str(&line[..=from]);
                normal.push_str(&line[to..]);
            }
            (.., Some(at)) if is_old && begins(&[OVERWRITE]) => {
                normal.push_str(&line[..at + WITH.len()]);
                normal.push('\n');
            }
            _ if into_itself => normal.push_str("cp: into itself\n"),
            _ => normal.push_str(line),
        }
    }
    while normal.contains("//'") {
        normal = normal.replace("//'", "/'");
    }
    normal.into_bytes()
}
