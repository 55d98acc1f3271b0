//! File systems made afresh for a test, in memory, which are gone when it has ended.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cp::child;
use crate::support::{command, find_program, is_root, run, skip};

/// What is copied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ext4,
    Tmpfs,
    Xfs,
    Btrfs,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Ext4, Self::Tmpfs, Self::Xfs, Self::Btrfs];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Tmpfs => "tmpfs",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    /// Whether two files may have blocks in common: then copying need not move any data.
    pub fn shares_blocks(self) -> bool {
        matches!(self, Self::Xfs | Self::Btrfs)
    }
}

/// Runs `work` with a folder on an empty file system of that kind and size.
///
/// # Errors
///
/// Why that cannot be had here.
pub fn on<T: Send>(
    kind: Kind,
    mib: u64,
    work: impl FnOnce(&Path) -> T + Send,
) -> Result<T, String> {
    if !is_root() {
        return Err("mounts a file system, which takes root".to_owned());
    }
    if kind == Kind::Tmpfs {
        let options = child::c_path(Path::new(&format!("size={mib}m,mode=755")));
        return child::on_tmpfs(&options, work).map_err(|e| format!("no tmpfs: {e}"));
    }
    let mounted = child::on_tmpfs(c"mode=755", |memory| {
        let image = Image::make(memory, kind, mib)?;
        let done = work(&image.mounted_at);
        image.unmount();
        Ok(done)
    });
    mounted.map_err(|e| format!("no tmpfs: {e}"))?
}

/// As [`on`], for as much as fits into memory: an ordinary user has one there, too.
///
/// # Errors
///
/// As [`on`].
pub fn roomy<T: Send>(
    kind: Kind,
    mib: u64,
    work: impl FnOnce(&Path) -> T + Send,
) -> Result<T, String> {
    if kind == Kind::Tmpfs && !is_root() {
        return Ok(child::in_memory(work));
    }
    on(kind, mib, work)
}

/// Runs `work` on each of `kinds`, and says which cannot be had.
pub fn on_each(test: &str, kinds: &[Kind], mib: u64, work: impl Fn(Kind, &Path) + Sync) {
    for &kind in kinds {
        if let Err(reason) = roomy(kind, mib, |dir| work(kind, dir)) {
            skip(test, &format!("{}: {reason}", kind.name()));
        }
    }
}

/// A file system in a file, mounted by way of a loop device. The mounts are those of the calling
/// thread and go with it, whatever happens.
pub struct Image {
    pub file: PathBuf,
    pub mounted_at: PathBuf,
}

impl Image {
    /// Makes and mounts one of `kind`, which is not tmpfs, in the folder `memory`.
    ///
    /// # Errors
    ///
    /// Why that cannot be had here.
    pub fn make(memory: &Path, kind: Kind, mib: u64) -> Result<Self, String> {
        let (file, mounted_at) = (memory.join("image"), memory.join("mounted"));
        let name = format!("mkfs.{}", kind.name());
        let Some(program) = find_program(&name) else {
            return Err(format!("{name} is not installed"));
        };
        let image = File::create(&file).expect("a file");
        image.set_len(mib << 20).expect("a length");
        drop(image);
        fs::create_dir(&mounted_at).expect("a folder");
        let mut mkfs = command(program);
        mkfs.arg("-q");
        if kind == Kind::Ext4 {
            // A small one would get blocks of 1 KiB, as those have not that hold large files.
            mkfs.args(["-b", "4096"]);
        }
        let made = run(mkfs.arg(&file));
        assert_eq!(made.status, 0, "{made:?}");
        let mounted = run(command("mount")
            .args(["-t", kind.name(), "-o", "loop,noatime"])
            .args([&file, &mounted_at]));
        if mounted.status != 0 {
            return Err(format!("cannot mount: {}", mounted.stderr));
        }
        Ok(Self { file, mounted_at })
    }

    pub fn unmount(self) {
        child::unmount(&child::c_path(&self.mounted_at)).expect("unmounted");
    }
}

/// How many bytes anybody may still write to the file system of `path`.
pub fn free_bytes(path: &Path) -> u64 {
    let found = child::statfs(path);
    found.f_bavail * u64::try_from(found.f_bsize).expect("a block's size")
}

/// Takes room on the file system of `dir` until no more than `left` bytes are free.
pub fn take_room(dir: &Path, left: u64) {
    const STEP: u64 = 4 << 20;
    let ballast = File::create(dir.join("ballast")).expect("a file");
    let mut len = 0;
    while let more @ 1.. = free_bytes(dir).saturating_sub(left) {
        let more = more.min(STEP);
        let [from, by] = [len, more].map(|n| i64::try_from(n).expect("a length"));
        // SAFETY: takes numbers.
        if unsafe { libc::fallocate(ballast.as_raw_fd(), 0, from, by) } != 0 {
            // It has less than it says.
            break;
        }
        len += more;
        sync(&ballast).expect("synced");
    }
}

/// Removes a file, and waits until its room is free, as far as that comes: a file system may keep
/// it for a moment, or for good.
pub fn remove(dir: &Path, name: &str, until_free: u64) {
    fs::remove_file(dir.join(name)).expect("removal");
    for _ in 0..100 {
        sync(&File::open(dir).expect("a folder")).expect("synced");
        if free_bytes(dir) >= until_free {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Writes out all of the file system that a file is on.
pub fn sync(file: &File) -> io::Result<()> {
    // SAFETY: takes a number.
    if unsafe { libc::syncfs(file.as_raw_fd()) } == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}
