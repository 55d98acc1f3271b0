//! The ring next to the `io-uring` crate: the same work, the same setup flags, in turn in one
//! run. `cargo bench --bench ring`.
//!
//! Each line is the median over rounds of our time divided by theirs, and between what the middle
//! half of the rounds lay; within a round the two alternate in short turns, so that whatever else
//! the machine does meets both alike, and of their turns the medians count. Wanted is 1.05 at the
//! most.
//!
//! Reads are of a file on a disk that is in memory by now, and are done as they are handed over.
//! A file on tmpfs would not do: the kernel gives each read of one to a worker, and how long that
//! takes would be all there is to see. The folder is `ANNULET_BENCH_DIR`, or below `target`.
#![allow(missing_docs, unsafe_code)]

use std::ffi::CString;
use std::fs::File;
use std::hint::black_box;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use annulet::ring::{FsyncFlags, IoUring, SetupFlags, Sqe};
use annulet::sys::{Mode, OFlags};
use io_uring::{opcode, squeue, types};

const ENTRIES: u32 = 64;
const BATCH: u32 = 32;
const BLOCK: u32 = 4096;
const ROUNDS: usize = 25;
/// How long each side works per round.
const TURN: Duration = Duration::from_millis(25);
/// Turns are cut in so many pieces, taken by turns: short ones, so that few are interrupted.
const PIECES: u32 = 100;

/// What both sides do their work on.
struct Ground {
    file: File,
    path: CString,
    memory: Vec<u8>,
    dir: PathBuf,
}

impl Ground {
    fn new(parent: &Path) -> Self {
        let dir = parent.join(format!("annulet-bench-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let len = BATCH * BLOCK;
        std::fs::write(dir.join("data"), vec![7; len as usize]).unwrap();
        let path = dir.join("chain").into_os_string().into_encoded_bytes();
        Self {
            file: File::open(dir.join("data")).unwrap(),
            path: CString::new(path).unwrap(),
            memory: vec![0; len as usize],
            dir,
        }
    }

    fn buffer(&mut self, i: u32) -> *mut u8 {
        let start = self.memory.as_mut_ptr();
        start.wrapping_add((i * BLOCK) as usize)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// File systems that have no disk.
const WITHOUT_DISK: [&str; 4] = ["tmpfs", "ramfs", "devtmpfs", "hugetlbfs"];

/// What kind of file system a folder is on, and on what device.
fn file_system(folder: &Path) -> (String, String) {
    let folder = folder.canonicalize().unwrap();
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let lines = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (device, place, kind) = (words.next()?, words.next()?, words.next()?);
        folder.starts_with(place).then_some((place, kind, device))
    });
    // The last of those that are mounted deepest hides the others.
    let (_, kind, device) = lines.max_by_key(|(place, ..)| place.len()).expect("a root");
    (kind.to_owned(), device.to_owned())
}

/// One side of the comparison.
trait Side {
    fn nops(&mut self, count: u32);
    fn reads(&mut self, ground: &mut Ground, count: u32);
    fn chain(&mut self, ground: &Ground);
}

struct Ours(IoUring);

impl Ours {
    fn finish(&mut self, count: u32) {
        self.0.submit_and_wait(count).unwrap();
        let mut seen = 0;
        for completion in self.0.completions() {
            assert!(!completion.is_err());
            black_box(completion.user_data);
            seen += 1;
        }
        assert_eq!(seen, count);
    }
}

impl Side for Ours {
    fn nops(&mut self, count: u32) {
        for i in 0..count {
            let nop = Sqe::nop().user_data(u64::from(i));
            // SAFETY: no addresses.
            unsafe { self.0.push(&nop) }.unwrap();
        }
        self.finish(count);
    }

    fn reads(&mut self, ground: &mut Ground, count: u32) {
        let fd = ground.file.as_raw_fd();
        for i in 0..count {
            let at = u64::from(i * BLOCK);
            let read = Sqe::read(fd, ground.buffer(i), BLOCK, at).user_data(u64::from(i));
            // SAFETY: the buffer lives on, and `finish` waits for the reads.
            unsafe { self.0.push(&read) }.unwrap();
        }
        self.finish(count);
    }

    fn chain(&mut self, ground: &Ground) {
        let flags = OFlags::WRONLY | OFlags::CREAT;
        let mode = Mode::from_bits_retain(0o600);
        for sqe in [
            Sqe::openat(-100, ground.path.as_ptr(), flags, mode)
                .direct(0)
                .link(),
            Sqe::write(0, ground.memory.as_ptr(), BLOCK, 0)
                .fixed_file()
                .link(),
            Sqe::fsync(0, FsyncFlags::empty()).fixed_file().link(),
            Sqe::close_direct(0),
        ] {
            // SAFETY: path and memory live on, and `finish` waits for the chain.
            unsafe { self.0.push(&sqe) }.unwrap();
        }
        self.finish(4);
    }
}

struct Theirs(io_uring::IoUring);

impl Theirs {
    fn finish(&mut self, count: u32) {
        self.0.submit_and_wait(count as usize).unwrap();
        let mut seen = 0;
        for completion in self.0.completion() {
            assert!(completion.result() >= 0);
            black_box(completion.user_data());
            seen += 1;
        }
        assert_eq!(seen, count);
    }
}

impl Side for Theirs {
    fn nops(&mut self, count: u32) {
        let mut queue = self.0.submission();
        for i in 0..count {
            let nop = opcode::Nop::new().build().user_data(u64::from(i));
            // SAFETY: no addresses.
            unsafe { queue.push(&nop) }.unwrap();
        }
        drop(queue);
        self.finish(count);
    }

    fn reads(&mut self, ground: &mut Ground, count: u32) {
        let fd = types::Fd(ground.file.as_raw_fd());
        let mut queue = self.0.submission();
        for i in 0..count {
            let at = u64::from(i * BLOCK);
            let read = opcode::Read::new(fd, ground.buffer(i), BLOCK).offset(at);
            let read = read.build().user_data(u64::from(i));
            // SAFETY: as for ours.
            unsafe { queue.push(&read) }.unwrap();
        }
        drop(queue);
        self.finish(count);
    }

    fn chain(&mut self, ground: &Ground) {
        let link = squeue::Flags::IO_LINK;
        let slot = types::DestinationSlot::try_from_slot_target(0).unwrap();
        let open = opcode::OpenAt::new(types::Fd(-100), ground.path.as_ptr())
            .flags(libc::O_WRONLY | libc::O_CREAT)
            .mode(0o600)
            .file_index(Some(slot));
        let file = types::Fixed(0);
        let write = opcode::Write::new(file, ground.memory.as_ptr(), BLOCK);
        let chain = [
            open.build().flags(link),
            write.build().flags(link),
            opcode::Fsync::new(file).build().flags(link),
            opcode::Close::new(file).build(),
        ];
        let mut queue = self.0.submission();
        for sqe in &chain {
            // SAFETY: as for ours.
            unsafe { queue.push(sqe) }.unwrap();
        }
        drop(queue);
        self.finish(4);
    }
}

fn ours(flags: SetupFlags) -> Option<Ours> {
    let mut ring = IoUring::builder(ENTRIES).setup_flags(flags).build().ok()?;
    ring.register_files_sparse(1).ok()?;
    Some(Ours(ring))
}

fn theirs(flags: SetupFlags) -> Option<Theirs> {
    let mut builder = io_uring::IoUring::builder();
    if flags.contains(SetupFlags::SINGLE_ISSUER) {
        builder.setup_single_issuer();
    }
    if flags.contains(SetupFlags::DEFER_TASKRUN) {
        builder.setup_defer_taskrun();
    }
    if flags.contains(SetupFlags::NO_SQARRAY) {
        builder.setup_no_sqarray();
    }
    let ring = builder.build(ENTRIES).ok()?;
    ring.submitter().register_files_sparse(1).ok()?;
    Some(Theirs(ring))
}

/// Time of `count` runs, in seconds.
fn time<S: Side>(side: &mut S, ground: &mut Ground, work: &Work, count: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        match work.kind {
            Kind::Nops(n) => side.nops(n),
            Kind::Reads(n) => side.reads(ground, n),
            Kind::Chain => side.chain(ground),
        }
    }
    start.elapsed().as_secs_f64()
}

enum Kind {
    Nops(u32),
    Reads(u32),
    Chain,
}

struct Work {
    name: &'static str,
    kind: Kind,
}

const WORKS: [Work; 5] = [
    Work {
        name: "nop, one at a time",
        kind: Kind::Nops(1),
    },
    Work {
        name: "nop, 32 at a time",
        kind: Kind::Nops(BATCH),
    },
    Work {
        name: "read 4 KiB, one at a time",
        kind: Kind::Reads(1),
    },
    Work {
        name: "read 4 KiB, 32 in flight",
        kind: Kind::Reads(BATCH),
    },
    Work {
        name: "open, write, fsync, close",
        kind: Kind::Chain,
    },
];

/// A quarter, half and three quarters are not above these.
fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[values.len() * quarter / 4])
}

/// Compares on one kind of work, prints a line.
fn compare(work: &Work, flags: SetupFlags, ground: &mut Ground) {
    let (Some(mut ours), Some(mut theirs)) = (ours(flags), theirs(flags)) else {
        println!("{:<28} this kernel has no such ring", work.name);
        return;
    };
    let warm = time(&mut ours, ground, work, 100) + time(&mut theirs, ground, work, 100);
    let piece = TURN.as_secs_f64() / f64::from(PIECES);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // some thousands
    let count = (piece / (warm / 200.0)).max(1.0) as u32;
    let (mut ratios, mut times) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (mut us, mut them) = (Vec::new(), Vec::new());
        for piece in 0..PIECES {
            // Who comes first changes, in case the second finds something warmed up.
            if (round % 2 == 0) == piece.is_multiple_of(2) {
                us.push(time(&mut ours, ground, work, count));
                them.push(time(&mut theirs, ground, work, count));
            } else {
                them.push(time(&mut theirs, ground, work, count));
                us.push(time(&mut ours, ground, work, count));
            }
        }
        let [[_, us, _], [_, them, _]] = [us, them].map(quartiles);
        ratios.push(us / them);
        times.push(us * 1e9 / f64::from(count));
    }
    let ([first, ratio, third], [_, time, _]) = (quartiles(ratios), quartiles(times));
    println!(
        "{:<28} {time:>10.0} ns {ratio:>8.3} {first:>8.3} to {third:.3}",
        work.name
    );
}

fn main() {
    let parent = std::env::var_os("ANNULET_BENCH_DIR");
    let parent = PathBuf::from(parent.unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into()));
    let (kind, device) = file_system(&parent);
    println!("in {}: {kind} on {device}\n", parent.display());
    if WITHOUT_DISK.contains(&&*kind) {
        eprintln!("that is no disk: name a folder on one by ANNULET_BENCH_DIR");
        std::process::exit(1);
    }
    let mut ground = Ground::new(&parent);
    let deferred = SetupFlags::SINGLE_ISSUER | SetupFlags::DEFER_TASKRUN;
    let bare = deferred | SetupFlags::NO_SQARRAY;
    for (name, flags) in [
        ("one issuer, deferred work, no array", bare),
        ("no setup flags", SetupFlags::empty()),
    ] {
        println!(
            "{name:<28}\n{:<28} {:>13} {:>8} {:>17}",
            "", "annulet", "ratio", "middle half"
        );
        for work in &WORKS {
            compare(work, flags, &mut ground);
        }
    }
}
