//! What the integration tests share: skipping aloud, running programs, listing trees.
//!
//! Each test file compiles this module for itself and uses a part of it.
#![allow(dead_code)]

mod programs;
mod random;
pub mod refused;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use annulet::sys::{BorrowedFd, Errno};

#[allow(unused_imports)] // each test file takes what it needs
pub use programs::{annulet, command, gnu, lonely_user, temp_parent, ways};
#[allow(unused_imports)]
pub use random::{Random, noise};
pub use temp_dir::TempDir;

/// Says that a test cannot run here, and why. Fails instead where nothing may be missing:
/// continuous integration sets `ANNULET_REQUIRE_ALL=1`.
///
/// # Panics
///
/// If `ANNULET_REQUIRE_ALL` is `1`.
pub fn skip(test: &str, reason: &str) {
    assert!(
        std::env::var_os("ANNULET_REQUIRE_ALL").is_none_or(|value| value != "1"),
        "{test} cannot run here: {reason}"
    );
    // Not by a macro, whose output of tests that pass is kept back.
    let _ = writeln!(io::stderr(), "skipped: {test}: {reason}");
}

/// What was made, unless `io_uring` is refused to the process or it may lock too little memory:
/// then that is said with the test's name, which its thread has.
///
/// # Panics
///
/// If it cannot be made for another reason.
#[must_use]
pub fn made<R>(made: annulet::sys::Result<R>) -> Option<R> {
    let reason = match made {
        Err(errno @ (Errno::EPERM | Errno::ENOSYS)) => format!("io_uring is refused: {errno}"),
        _ if lockable_bytes() < LOCKED_BYTES => {
            format!("RLIMIT_MEMLOCK is less than {LOCKED_BYTES} bytes")
        }
        made => return Some(made.expect("a ring")),
    };
    skip(thread::current().name().unwrap_or("a test"), &reason);
    None
}

/// What a program of tests may have locked in rings at a time, as an ordinary user on Linux up to
/// 5.11 and from 6.14 on: their largest ring takes 3 MiB.
const LOCKED_BYTES: u64 = 8 << 20;

/// How much memory this process may lock.
#[allow(unsafe_code)]
fn lockable_bytes() -> u64 {
    // SAFETY: takes nothing and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        return u64::MAX;
    }
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: one rlimit to write.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) };
    assert_eq!(got, 0);
    limit.rlim_cur
}

/// A ring, or whatever else takes locked memory, made as soon as the kernel has given back that
/// of rings that were dropped: it does so a little later, and counts it to the user until then.
///
/// # Errors
///
/// As `set_up`; `ENOMEM` only if it goes on for ten seconds.
pub fn made_in_time<R>(set_up: impl Fn() -> annulet::sys::Result<R>) -> annulet::sys::Result<R> {
    let start = Instant::now();
    loop {
        let made = set_up();
        let is_short_of_memory = made.as_ref().is_err_and(|errno| *errno == Errno::ENOMEM);
        if !is_short_of_memory || start.elapsed() > Duration::from_secs(10) {
            return made;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// The top folder of the repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Lends what a type of `std` holds open.
#[allow(unsafe_code)]
#[must_use]
pub fn lend(fd: &impl AsFd) -> BorrowedFd<'_> {
    // SAFETY: `fd` is borrowed, and so is open, for as long.
    unsafe { BorrowedFd::borrow_raw(fd.as_fd().as_raw_fd()) }
}

/// A folder of its own for one test, removed when dropped.
#[must_use]
pub fn temp_dir() -> TempDir {
    temp_dir_in(programs::temp_parent()).expect("a temporary folder")
}

/// The same, below `parent`.
///
/// # Errors
///
/// Where no folder can be made there.
pub fn temp_dir_in(parent: impl AsRef<Path>) -> io::Result<TempDir> {
    programs::prepare();
    let prefix = parent.as_ref().join("annulet-test-");
    TempDir::with_prefix(prefix.to_str().expect("a path in UTF-8"))
}

/// Makes so many small files in each of so many folders.
///
/// # Panics
///
/// If it cannot.
pub fn small_files(top: &Path, folders: u64, files: u64) {
    for folder in 0..folders {
        let folder_path = top.join(format!("folder{folder}"));
        fs::create_dir_all(&folder_path).unwrap();
        for file in 0..files {
            let content = noise(6000, folder * files + file);
            fs::write(folder_path.join(format!("file{file}")), content).unwrap();
        }
    }
}

/// Looks a program up in `PATH` and in the places root's programs stand in.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The folder with the kernel that virtual machines boot (`scripts/kernel.sh`), if the machines'
/// emulator and what packs their first file system are there as well.
#[must_use]
pub fn vm_kernel(test: &str) -> Option<PathBuf> {
    let kernel = std::env::var_os("ANNULET_VM_KERNEL_DIR")
        .map_or_else(|| repository().join("target/vm-kernel"), PathBuf::from);
    if !kernel.join("vmlinuz").exists() {
        let place = kernel.display();
        skip(
            test,
            &format!("no kernel in {place}; run scripts/kernel.sh {place}"),
        );
        return None;
    }
    let qemu = format!("qemu-system-{}", std::env::consts::ARCH);
    has_programs(test, &[&qemu, "cpio"]).then_some(kernel)
}

/// Whether all of these programs are installed; says which is not.
#[must_use]
pub fn has_programs(test: &str, programs: &[&str]) -> bool {
    for program in programs {
        if find_program(program).is_none() {
            skip(test, &format!("{program} is not installed"));
            return false;
        }
    }
    true
}

/// The script of that name in `scripts`.
#[must_use]
pub fn script(name: &str) -> Command {
    Command::new(repository().join("scripts").join(name))
}

/// Whether the tests run as root, who alone may mount, make device nodes and give files away.
#[must_use]
pub fn is_root() -> bool {
    // SAFETY: takes nothing and cannot fail.
    #[allow(unsafe_code)]
    let uid = unsafe { libc::geteuid() };
    uid == 0
}

/// How a program ended and what it said.
#[derive(Clone)]
pub struct Ran {
    /// The exit status, or minus the number of the signal that ended it.
    pub status: i32,
    /// Everything from standard output.
    pub stdout: Vec<u8>,
    /// Everything from standard error, as text.
    pub stderr: String,
    /// The command line, for messages.
    pub command: String,
}

impl Ran {
    /// How the program ended and what it said.
    #[must_use]
    pub fn said(&self) -> String {
        format!(
            "status {}\n{}{}",
            self.status,
            self.stdout_text(),
            self.stderr
        )
    }

    /// Standard output as text.
    #[must_use]
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Fails the test unless the program ended with `status`.
    ///
    /// # Panics
    ///
    /// If it ended otherwise; the message has all it said.
    #[track_caller]
    pub fn expect_status(self, status: i32) -> Self {
        assert_eq!(
            self.status, status,
            "exit status (right: expected)\n{self:?}"
        );
        self
    }

    /// Fails the test unless the program succeeded and had nothing to complain about.
    ///
    /// # Panics
    ///
    /// If it failed or wrote to standard error.
    #[track_caller]
    pub fn expect_success(self) -> Self {
        assert!(
            self.status == 0 && self.stderr.is_empty(),
            "should have succeeded\n{self:?}"
        );
        self
    }
}

impl fmt::Debug for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}", self.command)?;
        writeln!(f, "status {}", self.status)?;
        // A copied file on standard output would bury the message.
        let shown = &self.stdout[..self.stdout.len().min(4096)];
        writeln!(
            f,
            "stdout ({} bytes): {}",
            self.stdout.len(),
            String::from_utf8_lossy(shown)
        )?;
        write!(f, "stderr: {}", self.stderr)
    }
}

/// How long a program may run before it is killed, so that one that hangs fails its test and
/// does not hold up the others. Builds and virtual machines are run this way too.
const RUN_LIMIT: Duration = Duration::from_secs(600);

/// Runs a command with nothing on standard input.
///
/// # Panics
///
/// If it cannot be started.
pub fn run(command: &mut Command) -> Ran {
    run_with_input(command, b"")
}

/// The same, of a command that takes longer than others.
///
/// # Panics
///
/// If it cannot be started.
pub fn run_within(command: &mut Command, limit: Duration) -> Ran {
    run_with(command, b"", limit)
}

/// Runs a command that reads `input` from a pipe (or, if empty, finds its end at once).
///
/// # Panics
///
/// If it cannot be started.
pub fn run_with_input(command: &mut Command, input: &[u8]) -> Ran {
    run_with(command, input, RUN_LIMIT)
}

fn run_with(command: &mut Command, input: &[u8], limit: Duration) -> Ran {
    use std::os::unix::process::ExitStatusExt;

    let line = format!("{command:?}");
    let stdin = if input.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    };
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("cannot start {line}: {e}"));
    let stdin = child.stdin.take();
    let pid = i32::try_from(child.id()).expect("a process number");
    let (ended, end) = mpsc::channel::<()>();
    let output = thread::scope(|scope| {
        scope.spawn(move || {
            if end.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
                // SAFETY: takes two numbers; the child has not been waited for yet, so its
                // number is still its own.
                #[allow(unsafe_code)]
                unsafe {
                    libc::kill(pid, libc::SIGKILL);
                }
            }
        });
        // In a thread of its own: both sides may wait for the other to read.
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // A program that stops reading early is for the test to judge.
                let _ = stdin.write_all(input);
            }
        });
        let output = child.wait_with_output();
        // Calls the watchdog off.
        drop(ended);
        output.unwrap_or_else(|e| panic!("cannot wait for {line}: {e}"))
    });
    let status = output.status;
    Ran {
        status: status
            .code()
            .unwrap_or_else(|| -status.signal().unwrap_or(0)),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        command: line,
    }
}

/// What kind of thing a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

/// All that is compared of one entry of a tree.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky; no type.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes; 0 for what is not a regular file.
    pub size: u64,
    /// A hash of a regular file's content, comparable within one run of the tests.
    pub content: u64,
    /// Where a symbolic link points.
    pub target: Option<OsString>,
    /// Modification time: seconds and nanoseconds.
    pub mtime: (i64, i64),
    /// Number of names the inode has, in this tree or elsewhere.
    pub nlink: u64,
    /// For an inode met before in this tree: the first path it was met under.
    pub same_as: Option<PathBuf>,
    /// Device number of a device node.
    pub rdev: u64,
    /// Allocated 512-byte blocks.
    pub blocks: u64,
}

/// A tree: each entry under its path relative to the top, which itself is the empty path.
pub type Tree = BTreeMap<PathBuf, Entry>;

/// Lists `top` and everything below it, without following symbolic links.
///
/// # Panics
///
/// If anything there cannot be read.
#[must_use]
#[track_caller]
pub fn tree(top: &Path) -> Tree {
    let mut entries = Tree::new();
    let mut inodes = BTreeMap::new();
    // Depth first by a list, not by recursion: some tests make very deep trees.
    let mut pending = vec![PathBuf::new()];
    while let Some(path) = pending.pop() {
        let full = if path.as_os_str().is_empty() {
            top.to_owned()
        } else {
            top.join(&path)
        };
        let mut entry =
            list_one(&full).unwrap_or_else(|e| panic!("cannot look at {}: {e}", full.display()));
        if entry.0.kind == Kind::Folder {
            let mut names: Vec<_> = fs::read_dir(&full)
                .unwrap_or_else(|e| panic!("cannot list {}: {e}", full.display()))
                .map(|entry| entry.expect("a folder entry").file_name())
                .collect();
            // Popped from the end, so sorted backwards: the same first path in every tree.
            names.sort_by(|a, b| b.cmp(a));
            pending.extend(names.into_iter().map(|name| path.join(name)));
        } else {
            match inodes.entry(entry.1) {
                std::collections::btree_map::Entry::Vacant(slot) => {
                    slot.insert(path.clone());
                }
                std::collections::btree_map::Entry::Occupied(slot) => {
                    entry.0.same_as = Some(slot.get().clone());
                }
            }
        }
        entries.insert(path, entry.0);
    }
    entries
}

/// One entry, and its device and inode number.
fn list_one(path: &Path) -> io::Result<(Entry, (u64, u64))> {
    let meta = fs::symlink_metadata(path)?;
    let file_type = meta.file_type();
    let kind = if file_type.is_file() {
        Kind::File
    } else if file_type.is_dir() {
        Kind::Folder
    } else if file_type.is_symlink() {
        Kind::Link
    } else if file_type.is_fifo() {
        Kind::Fifo
    } else if file_type.is_socket() {
        Kind::Socket
    } else if file_type.is_char_device() {
        Kind::CharDevice
    } else {
        Kind::BlockDevice
    };
    let is_file = kind == Kind::File;
    let entry = Entry {
        kind,
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        size: if is_file { meta.len() } else { 0 },
        content: if is_file { hash_file(path)? } else { 0 },
        target: (kind == Kind::Link)
            .then(|| fs::read_link(path))
            .transpose()?
            .map(PathBuf::into_os_string),
        mtime: (meta.mtime(), meta.mtime_nsec()),
        nlink: meta.nlink(),
        same_as: None,
        rdev: meta.rdev(),
        blocks: meta.blocks(),
    };
    Ok((entry, (meta.dev(), meta.ino())))
}

fn hash_file(path: &Path) -> io::Result<u64> {
    let mut file = fs::File::open(path)?;
    let mut hasher = DefaultHasher::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        // `write` hashes a stream: the same bytes in other pieces give the same hash.
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            n => hasher.write(&buffer[..n]),
        }
    }
}

/// What two trees must agree in besides names, types, content and link targets.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools)] // five switches that have nothing to do with each other
pub struct Agree {
    /// All permission bits; otherwise only a file's owner-execute bit counts.
    pub mode: bool,
    /// Owner and group.
    pub owner: bool,
    /// Modification times of everything but symbolic links.
    pub times: bool,
    /// Modification times of symbolic links.
    pub link_times: bool,
    /// Which names are the same inode.
    pub hard_links: bool,
}

impl Agree {
    /// What `cp -r` keeps.
    pub const CONTENT: Self = Self {
        mode: false,
        owner: false,
        times: false,
        link_times: false,
        hard_links: false,
    };
    /// What `cp -a` keeps for root.
    pub const ALL: Self = Self {
        mode: true,
        owner: true,
        times: true,
        link_times: true,
        hard_links: true,
    };
}

/// Where two trees differ, one line each; empty if they agree.
#[must_use]
#[allow(clippy::unnecessary_debug_formatting)] // names with newlines must not break the lines
pub fn differences(expected: &Tree, found: &Tree, agree: Agree) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, a) in expected {
        let Some(b) = found.get(path) else {
            lines.push(format!("{path:?} is missing"));
            continue;
        };
        let mut check = |same: bool, what: &str, a: &dyn fmt::Debug, b: &dyn fmt::Debug| {
            if !same {
                lines.push(format!("{path:?}: {what} is {b:x?}, should be {a:x?}"));
            }
        };
        check(a.kind == b.kind, "type", &a.kind, &b.kind);
        check(a.size == b.size, "size", &a.size, &b.size);
        check(
            a.content == b.content,
            "content's hash",
            &a.content,
            &b.content,
        );
        check(a.target == b.target, "link target", &a.target, &b.target);
        if matches!(a.kind, Kind::CharDevice | Kind::BlockDevice) {
            check(a.rdev == b.rdev, "device number", &a.rdev, &b.rdev);
        }
        if a.kind != Kind::Link {
            let mask = match (agree.mode, a.kind) {
                (true, _) => 0o7777,
                (false, Kind::File) => 0o100,
                (false, _) => 0,
            };
            check(
                a.mode & mask == b.mode & mask,
                "mode (hexadecimal)",
                &a.mode,
                &b.mode,
            );
        }
        if agree.owner {
            check(
                (a.uid, a.gid) == (b.uid, b.gid),
                "owner",
                &(a.uid, a.gid),
                &(b.uid, b.gid),
            );
        }
        if if a.kind == Kind::Link {
            agree.link_times
        } else {
            agree.times
        } {
            check(a.mtime == b.mtime, "modification time", &a.mtime, &b.mtime);
        }
        if agree.hard_links {
            check(
                a.same_as == b.same_as,
                "hard link to",
                &a.same_as,
                &b.same_as,
            );
        }
    }
    for path in found.keys().filter(|path| !expected.contains_key(*path)) {
        lines.push(format!("{path:?} should not be there"));
    }
    lines
}

/// Fails the test unless the two trees agree.
///
/// # Panics
///
/// With every difference, if there is one.
#[track_caller]
pub fn assert_same_tree(expected: &Tree, found: &Tree, agree: Agree) {
    let lines = differences(expected, found, agree);
    assert!(
        lines.is_empty(),
        "{} differences:\n{}",
        lines.len(),
        lines.join("\n")
    );
}

/// Names that upset programs: leading dash, space, newline, bytes that are no UTF-8, quotes,
/// the longest there is.
#[must_use]
pub fn odd_names() -> Vec<OsString> {
    let mut names: Vec<OsString> = [
        &b"-r"[..],
        b"--",
        b"a b",
        b" leading and trailing ",
        b"new\nline",
        b"tab\there",
        b"\xff\xfe not UTF-8",
        b"quote'\"`$\\",
        b"...",
        b"*?[x]",
        "umlaut ä".as_bytes(),
    ]
    .map(|name| OsStr::from_bytes(name).to_owned())
    .into();
    names.push("n".repeat(255).into());
    names
}

/// Each of one list with each of another.
pub fn pairs<A: Clone, B>(
    one: impl IntoIterator<Item = A>,
    other: impl IntoIterator<Item = B> + Clone,
) -> impl Iterator<Item = (A, B)> {
    one.into_iter().flat_map(move |a| {
        let other = other.clone().into_iter();
        other.map(move |b| (a.clone(), b))
    })
}

/// The number in the environment under that name.
///
/// # Panics
///
/// If it is none.
#[must_use]
pub fn from_env(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number")),
    )
}
