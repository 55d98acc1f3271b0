//! Data by two: one reads, one writes, whoever that is; and which way data goes.
#![allow(missing_docs)]

mod support;

use std::ffi::CString;
use std::fs;

use annulet::data::pipeline::{self, SLOT_BYTES, SLOTS, Writer, WriterState, Written};
use annulet::data::plain;
use annulet::data::progress::Progress;
use annulet::data::route::file_systems::{
    CEPH, CIFS, EXT4, FUSE, NFS, OVERLAYFS, SMB2, TMPFS, XFS,
};
use annulet::data::route::{
    self, Devices, FileFacts, FileRoute, KERNEL_COPY_LEAST, LARGE_BYTES, LEAST_COMPARED,
    LEAST_FOR_TWO, LEAST_FOR_TWO_ELSEWHERE, Measured, Ranges, Route, SPLICE_LEAST, Unknown,
    route_file,
};
use annulet::data::transfer::{Files, Transfer};
use annulet::data::wish::Way::{self, CopyFileRange, ReadWrite, Ring, Splice, Thread};
use annulet::data::wish::{Io, Reflink, Sparse, Wish};
use annulet::report::{During, Message, Reporter, Result, Snapshot};
use annulet::sys::{self, CWD, Errno, FileType, Mode, Mutex, OFlags};

const LEN: u64 = SLOT_BYTES as u64;

/// How many bytes of the write at an offset are taken, and why no more.
type Answer = fn(u64, usize) -> sys::Result<(usize, Option<Errno>)>;

const ALL: Answer = |_, len| Ok((len, None));

/// Writes when it is waited for.
struct Scripted {
    slots: Vec<Vec<u8>>,
    queue: Vec<(u32, usize, u64)>,
    /// The newest of what is queued first.
    newest_first: bool,
    answer: Answer,
    written: Vec<u64>,
}

impl Writer for Scripted {
    fn slot_mut(&mut self, slot: u32) -> &mut [u8] {
        assert!(self.queue.iter().all(|queued| queued.0 != slot));
        &mut self.slots[slot as usize]
    }

    fn write(&mut self, slot: u32, len: usize, at: u64) -> sys::Result<()> {
        self.queue.push((slot, len, at));
        Ok(())
    }

    fn wait(&mut self) -> sys::Result<Written> {
        let turn = if self.newest_first {
            self.queue.len() - 1
        } else {
            0
        };
        let (slot, len, at) = self.queue.remove(turn);
        let (count, errno) = (self.answer)(at, len)?;
        self.written.push(at);
        Ok(Written { slot, count, errno })
    }
}

/// Nobody is to be told anything.
struct Nobody;

impl Reporter for Nobody {
    fn error(&mut self, message: Message, _: &[&[u8]], _: Option<Errno>) {
        panic!("{message:?}");
    }
    fn warn(&mut self, message: Message, _: &[&[u8]], _: Option<Errno>) {
        panic!("{message:?}");
    }
    fn ask(&mut self, message: Message, _: &[&[u8]]) -> bool {
        panic!("{message:?}");
    }
    fn show_progress(&mut self, _: &Snapshot) {}
    fn renews_progress(&self) -> bool {
        false
    }
    fn say(&mut self, message: Message, _: &[&[u8]], _: Option<Errno>) {
        panic!("{message:?}");
    }
}

/// Copies `content` with so many writes in flight; says what came of it, up to where it is
/// whole, and at which offsets slots were written.
fn copy(
    content: &[u8],
    depth: u32,
    newest_first: bool,
    answer: Answer,
) -> (Result<WriterState>, u64, Vec<u64>) {
    let dir = temp_dir::TempDir::new().unwrap();
    fs::write(dir.child("from"), content).unwrap();
    let [from, to] = ["from", "to"].map(|name| {
        let path = CString::new(dir.child(name).to_str().unwrap()).unwrap();
        let flags = OFlags::RDWR | OFlags::CREAT;
        plain::open(CWD, &path, flags, Mode::from_bits_retain(0o600)).unwrap()
    });
    let mut writer = Scripted {
        slots: (0..SLOTS).map(|_| vec![0; SLOT_BYTES]).collect(),
        queue: Vec::new(),
        newest_first,
        answer,
        written: Vec::new(),
    };
    let files = Files {
        from: from.as_fd(),
        to: to.as_fd(),
    };
    let reporter = Mutex::new(Nobody);
    let progress = Progress::new(&reporter, false);
    let mut transfer = Transfer::new(files, FILE, &progress);
    transfer.end = u64::MAX;
    transfer.leaves_holes = content.contains(&0);
    let (copied, state) = pipeline::copy(&mut transfer, &mut writer, depth);
    assert!(writer.queue.is_empty() || state == WriterState::Broken);
    let at = transfer.at;
    let data = fs::read(dir.child("to")).unwrap();
    assert!(data.iter().all(|byte| *byte < 2), "{at}");
    writer.written.sort_unstable();
    (copied.map(|()| state), at, writer.written)
}

#[test]
fn all_is_written_in_order() {
    for length in [0, 1, LEN, LEN + 1, 9 * LEN, 10 * LEN - 1] {
        for depth in 1..=SLOTS {
            let content = vec![1; usize::try_from(length).unwrap()];
            let (ended, at, written) = copy(&content, depth, false, ALL);
            let state = match length {
                0 => WriterState::Unused,
                _ => WriterState::Usable,
            };
            assert_eq!((ended, at), (Ok(state), length));
            let expected: Vec<_> = (0..length.div_ceil(LEN)).map(|nth| nth * LEN).collect();
            assert_eq!(written, expected);
        }
    }
}

#[test]
fn a_write_out_of_order_is_the_last() {
    let content = vec![1; 20 * SLOT_BYTES];
    let (ended, at, written) = copy(&content, SLOTS, true, ALL);
    // What was handed over by then counts: all of it is written.
    assert_eq!(
        (ended, at),
        (Ok(WriterState::OutOfOrder), u64::from(SLOTS) * LEN)
    );
    assert_eq!(written.len(), SLOTS as usize);
}

#[test]
fn the_first_write_that_fails_counts() {
    let content = vec![1; 20 * SLOT_BYTES];
    let answers: [(Answer, _); 3] = [
        (
            // Those behind it fail in another way.
            |at, len| match at / LEN {
                0..=4 => Ok((len, None)),
                5 => Ok((100, Some(Errno::ENOSPC))),
                _ => Ok((0, Some(Errno::EIO))),
            },
            Err(Errno::ENOSPC).during(Message::Write),
        ),
        // Or not at all.
        (
            |at, len| {
                Ok(if at == 5 * LEN {
                    (100, Some(Errno::EDQUOT))
                } else {
                    (len, None)
                })
            },
            Err(Errno::EDQUOT).during(Message::Write),
        ),
        // Plain calls find out why.
        (
            |at, len| Ok((if at == 5 * LEN { 100 } else { len }, None)),
            Ok(WriterState::Usable),
        ),
    ];
    for (answer, expected) in answers {
        for newest_first in [false, true] {
            let (ended, at, _) = copy(&content, SLOTS, newest_first, answer);
            if !newest_first {
                assert_eq!((ended, at), (expected, 5 * LEN + 100));
            }
            assert!(at <= 5 * LEN + 100);
        }
    }
}

#[test]
fn a_writer_that_breaks_leaves_what_is_known() {
    let content = vec![1; 20 * SLOT_BYTES];
    let broken: Answer = |at, len| {
        if at == 5 * LEN {
            Err(Errno::EBADF)
        } else {
            Ok((len, None))
        }
    };
    let (ended, at, _) = copy(&content, SLOTS, false, broken);
    assert_eq!((ended, at), (Ok(WriterState::Broken), 5 * LEN));
}

#[test]
fn blocks_of_zeros_are_left_out() {
    let mut content = vec![0; 6 * SLOT_BYTES];
    content[2 * SLOT_BYTES..3 * SLOT_BYTES].fill(1);
    content[4 * SLOT_BYTES..4 * SLOT_BYTES + 1000].fill(1);
    let (ended, at, written) = copy(&content, SLOTS, false, ALL);
    assert_eq!((ended, at), (Ok(WriterState::Usable), 6 * LEN));
    // What is neither this nor that is written by plain calls.
    assert_eq!(written, [2 * LEN]);
}

const AUTO: Wish = Wish {
    io: Io::Auto,
    reflink: Reflink::Auto,
    sparse: Sparse::Auto,
    is_alone: false,
};

const DEVICES: Devices = (1, Some(2));

/// All is known, and nothing is in the way; nothing was compared.
const KNOWN: Measured = Measured {
    workers: 1,
    unshareable: None,
    kernel_copies: Some(true),
    copies_in_pieces: None,
    processors: Some(2),
    ring: Some(true),
    splice_is_quicker: None,
};

const ALL_WAYS: [Way; 5] = [CopyFileRange, Ring, Thread, Splice, ReadWrite];

const REGULAR: (FileType, FileType) = (FileType::Regular, FileType::Regular);

/// A range of a file.
#[derive(Debug, Clone, Copy)]
struct Range {
    file: FileFacts,
    bytes: u64,
}

const fn range(destination: u64, bytes: u64) -> Range {
    let file = FileFacts {
        kinds: REGULAR,
        devices: DEVICES,
        size_bytes: bytes,
        blocks: bytes / 512,
        source: EXT4,
        destination,
        is_cached: Some(true),
    };
    Range { file, bytes }
}

/// As that, but it has to be waited for.
const fn cold(destination: u64, bytes: u64) -> Range {
    let mut range = range(destination, bytes);
    range.file.is_cached = Some(false);
    range
}

fn route(wish: Wish, range: &Range, measured: &Measured) -> std::result::Result<Route, Unknown> {
    route::route(wish, &range.file, range.bytes, measured)
}

/// The first way of a range, and whether it is to be compared with `splice`.
fn first(wish: Wish, range: &Range, measured: &Measured) -> (Way, bool) {
    match route(wish, range, measured) {
        Ok(route) => (route.ways[0], route.is_compared),
        Err(unknown) => panic!("{unknown:?} of {range:?}"),
    }
}

fn way(wish: Wish, range: &Range, measured: &Measured) -> Way {
    first(wish, range, measured).0
}

/// No way leads through a pipe that the kernel fills with more than there is.
#[test]
fn what_fuse_holds_goes_through_no_pipe() {
    for io in ALL_WAYS.map(Io::Only).into_iter().chain([Io::Auto]) {
        for mut range in [
            range(EXT4, 1 << 30),
            cold(EXT4, 1 << 20),
            range(TMPFS, 1 << 20),
        ] {
            range.file.source = FUSE;
            let route = route(Wish { io, ..AUTO }, &range, &KNOWN).unwrap();
            assert!(!route.ways.contains(&Splice), "{io:?} {range:?}");
            assert!(!route.is_compared);
        }
    }
}

#[test]
fn every_row_of_the_table() {
    for (kind, least, with_ring) in [
        (EXT4, LEAST_FOR_TWO, Ring),
        (TMPFS, LEAST_FOR_TWO_ELSEWHERE, Ring),
        (XFS, LEAST_FOR_TWO_ELSEWHERE, Thread),
        (OVERLAYFS, LEAST_FOR_TWO_ELSEWHERE, Thread),
    ] {
        for (bytes, expected) in [
            (KERNEL_COPY_LEAST - 1, ReadWrite),
            (KERNEL_COPY_LEAST, CopyFileRange),
            (LARGE_BYTES, CopyFileRange),
            (LARGE_BYTES + 1, Splice),
            (least - 1, Splice),
            (least, with_ring),
        ] {
            assert_eq!(way(AUTO, &range(kind, bytes), &KNOWN), expected);
        }
        let large = range(kind, least);
        let alone = Wish {
            is_alone: true,
            ..AUTO
        };
        let no_ring = Measured {
            ring: Some(false),
            ..KNOWN
        };
        let one_processor = Measured {
            processors: Some(1),
            ..KNOWN
        };
        for (workers, expected) in [(8, with_ring), (9, Splice), (64, Splice)] {
            let known = Measured { workers, ..KNOWN };
            assert_eq!(way(AUTO, &large, &known), expected);
        }
        let with_ring_alone = if with_ring == Ring { Ring } else { Splice };
        assert_eq!(way(AUTO, &large, &no_ring), Thread);
        assert_eq!(way(alone, &large, &KNOWN), with_ring_alone);
        assert_eq!(way(alone, &large, &no_ring), Splice);
        assert_eq!(way(AUTO, &large, &one_processor), Splice);
        assert_eq!(way(AUTO, &cold(kind, least), &KNOWN), Splice);
    }
    for kind in [NFS, FUSE, CIFS, SMB2, CEPH] {
        assert_eq!(
            first(AUTO, &range(kind, 1 << 40), &KNOWN),
            (CopyFileRange, false)
        );
        assert_eq!(way(AUTO, &range(kind, 1), &KNOWN), ReadWrite);
    }
}

#[test]
fn what_is_asked_for_goes_before() {
    let io = |io| Wish { io, ..AUTO };
    let large = range(EXT4, LEAST_FOR_TWO);
    let small = range(EXT4, LARGE_BYTES);
    // As it is quickest, but not by the ring.
    assert_eq!(way(io(Io::Sync), &large, &KNOWN), Thread);
    assert_eq!(way(io(Io::Sync), &small, &KNOWN), CopyFileRange);
    // Large files only, but the ring of all; never compared.
    let longest = range(EXT4, LEAST_COMPARED);
    for asked in ALL_WAYS {
        let wish = io(Io::Only(asked));
        let of_small = if asked == Ring { Ring } else { ReadWrite };
        assert_eq!(way(wish, &small, &KNOWN), of_small);
        assert_eq!(way(wish, &range(XFS, 1), &KNOWN), of_small);
        assert_eq!(way(wish, &range(NFS, LARGE_BYTES + 1), &KNOWN), asked);
        assert_eq!(first(wish, &longest, &KNOWN), (asked, false));
    }
    // A ring that was given up.
    let no_ring = Measured {
        ring: Some(false),
        ..KNOWN
    };
    for range in [large, small] {
        assert_eq!(way(io(Io::Only(Ring)), &range, &no_ring), Splice);
    }
}

#[test]
fn the_kernel_does_not_copy_what_is_not_to_be_shared() {
    let small = range(EXT4, LARGE_BYTES);
    let far = range(NFS, 1 << 40);
    let untrusted = Measured {
        kernel_copies: Some(false),
        ..KNOWN
    };
    let short = range(EXT4, SPLICE_LEAST - 1);
    for (range, otherwise) in [(short, ReadWrite), (small, Splice), (far, Splice)] {
        for (reflink, sparse, expected) in [
            (Reflink::Never, Sparse::Auto, otherwise),
            (Reflink::Auto, Sparse::Never, otherwise),
            (Reflink::Auto, Sparse::Always, ReadWrite),
        ] {
            let wish = Wish {
                reflink,
                sparse,
                ..AUTO
            };
            assert_eq!(way(wish, &range, &KNOWN), expected);
        }
        assert_eq!(way(AUTO, &range, &untrusted), otherwise);
        let only = Wish {
            io: Io::Only(CopyFileRange),
            ..AUTO
        };
        assert_eq!(way(only, &range, &untrusted), ReadWrite);
    }
}

#[test]
fn blocks_of_zeros_are_looked_for_by_reading() {
    for io in [Io::Auto, Io::Sync, Io::Only(Splice)] {
        let wish = Wish {
            io,
            sparse: Sparse::Always,
            ..AUTO
        };
        assert_eq!(way(wish, &range(EXT4, LARGE_BYTES + 1), &KNOWN), ReadWrite);
    }
    let always = Wish {
        sparse: Sparse::Always,
        ..AUTO
    };
    // Two do that as well, without a comparison and without blocks ahead.
    for (kind, expected) in [(EXT4, Ring), (OVERLAYFS, Thread)] {
        let found = route(always, &range(kind, LEAST_COMPARED), &KNOWN).unwrap();
        assert_eq!(found.ways, [expected, ReadWrite]);
        assert_eq!((found.is_compared, found.preallocates), (false, false));
    }
}

#[test]
fn each_way_hands_over_to_the_next() {
    let only = |way| Wish {
        io: Io::Only(way),
        ..AUTO
    };
    for kind in [EXT4, XFS] {
        let range = range(kind, LARGE_BYTES + 1);
        for (way, expected) in [
            (Ring, &[Ring, Splice, ReadWrite][..]),
            (Thread, &[Thread, Splice, ReadWrite]),
            (Splice, &[Splice, ReadWrite]),
            (CopyFileRange, &[CopyFileRange, ReadWrite]),
            (ReadWrite, &[ReadWrite]),
        ] {
            assert_eq!(route(only(way), &range, &KNOWN).unwrap().ways, expected);
        }
    }
}

#[test]
fn what_the_kernel_does_not_copy_is_spliced_unless_it_is_short() {
    for (range, expected) in [
        (
            range(EXT4, SPLICE_LEAST - 1),
            &[CopyFileRange, ReadWrite][..],
        ),
        (
            range(EXT4, SPLICE_LEAST),
            &[CopyFileRange, Splice, ReadWrite],
        ),
        (range(FUSE, 1 << 40), &[CopyFileRange, Splice, ReadWrite]),
    ] {
        assert_eq!(route(AUTO, &range, &KNOWN).unwrap().ways, expected);
    }
}

#[test]
fn what_the_kernel_copies_in_pieces_that_are_waited_for_goes_another_way() {
    let only = Wish {
        io: Io::Only(CopyFileRange),
        ..AUTO
    };
    let from_fuse = |bytes| {
        let mut range = range(FUSE, bytes);
        range.file.source = FUSE;
        range
    };
    for (devices, in_pieces, workers, range, expected) in [
        (DEVICES, true, 64, range(NFS, 1 << 40), Splice),
        (DEVICES, true, 64, range(NFS, SPLICE_LEAST), Splice),
        (
            DEVICES,
            true,
            1,
            range(NFS, SPLICE_LEAST - 1),
            CopyFileRange,
        ),
        (DEVICES, false, 1, range(NFS, 1 << 40), CopyFileRange),
        // Of others that says nothing.
        ((1, Some(3)), true, 1, range(NFS, 1 << 40), CopyFileRange),
        // Where there is a buffer for larger pieces.
        (DEVICES, true, 8, from_fuse(1 << 40), ReadWrite),
        (DEVICES, true, 9, from_fuse(1 << 40), CopyFileRange),
        (DEVICES, true, 1, from_fuse(LARGE_BYTES), CopyFileRange),
    ] {
        let known = Measured {
            copies_in_pieces: Some((devices, in_pieces)),
            workers,
            ..KNOWN
        };
        assert_eq!(way(AUTO, &range, &known), expected, "{range:?} {workers}");
        assert_eq!(way(only, &range, &known), way(only, &range, &KNOWN));
    }
}

#[test]
fn nothing_is_spliced_from_fuse() {
    for (io, bytes) in support::pairs(
        [
            Io::Auto,
            Io::Sync,
            Io::Only(Splice),
            Io::Only(Ring),
            Io::Only(Thread),
        ],
        [
            1,
            SPLICE_LEAST,
            LARGE_BYTES,
            LARGE_BYTES + 1,
            LEAST_COMPARED,
        ],
    ) {
        for (kind, cached) in support::pairs([EXT4, XFS, FUSE], [true, false]) {
            let mut range = range(kind, bytes);
            range.file.source = FUSE;
            range.file.is_cached = Some(cached);
            let found = route(Wish { io, ..AUTO }, &range, &KNOWN).unwrap();
            assert!(!found.ways.contains(&Splice), "{io:?} {range:?}");
            assert!(!found.is_compared);
        }
    }
}

#[test]
fn only_some_file_systems_get_blocks_ahead_or_several_writes() {
    for (kind, preallocates, queues) in [
        (EXT4, true, true),
        (OVERLAYFS, true, false),
        (TMPFS, false, true),
        (XFS, false, false),
        (0, false, false),
    ] {
        for way in ALL_WAYS {
            let wish = Wish {
                io: Io::Only(way),
                ..AUTO
            };
            let found = route(wish, &range(kind, LEAST_COMPARED), &KNOWN).unwrap();
            assert_eq!(found.queues, queues);
            assert_eq!(found.preallocates, preallocates);
            let is_by_pages = !matches!(way, CopyFileRange | ReadWrite);
            assert_eq!(way.allocates_ahead(), is_by_pages);
        }
    }
}

#[test]
fn the_longest_are_compared_with_splice() {
    for (kind, by) in [(EXT4, Ring), (XFS, Thread)] {
        let longest = range(kind, LEAST_COMPARED);
        assert_eq!(first(AUTO, &longest, &KNOWN), (by, true));
        let shorter = range(kind, LEAST_COMPARED - 1);
        assert_eq!(first(AUTO, &shorter, &KNOWN), (by, false));
        let found = |devices, is_quicker| Measured {
            splice_is_quicker: Some((devices, is_quicker)),
            ..KNOWN
        };
        for (devices, is_quicker, expected) in [
            (DEVICES, true, (Splice, false)),
            (DEVICES, false, (by, false)),
            // Of others that says nothing.
            ((1, Some(3)), true, (by, true)),
        ] {
            let measured = found(devices, is_quicker);
            assert_eq!(first(AUTO, &longest, &measured), expected);
            // Nor of shorter ones.
            assert_eq!(first(AUTO, &shorter, &measured), (by, false));
        }
    }
}

#[test]
fn nothing_is_found_out_in_vain() {
    let nothing = Measured::default();
    let never = Wish {
        reflink: Reflink::Never,
        ..AUTO
    };
    let only = |way| Wish {
        io: Io::Only(way),
        ..AUTO
    };
    let two = Measured {
        processors: Some(2),
        ..nothing
    };
    let large = range(EXT4, LEAST_FOR_TWO);
    for (wish, range, measured, unknown) in [
        (AUTO, range(EXT4, 1), nothing, None),
        (
            AUTO,
            range(EXT4, LARGE_BYTES),
            nothing,
            Some(Unknown::KernelCopies),
        ),
        (
            AUTO,
            range(NFS, 1 << 40),
            nothing,
            Some(Unknown::KernelCopies),
        ),
        (never, range(EXT4, LARGE_BYTES), nothing, None),
        (AUTO, range(EXT4, LEAST_FOR_TWO - 1), nothing, None),
        (AUTO, cold(EXT4, LEAST_COMPARED), nothing, None),
        (AUTO, large, nothing, Some(Unknown::Processors)),
        (AUTO, large, two, Some(Unknown::Ring)),
        (AUTO, range(XFS, LEAST_FOR_TWO_ELSEWHERE), two, None),
        (only(Thread), large, nothing, None),
        (only(Ring), range(XFS, 1), nothing, Some(Unknown::Ring)),
        (
            only(CopyFileRange),
            large,
            nothing,
            Some(Unknown::KernelCopies),
        ),
    ] {
        assert_eq!(route(wish, &range, &measured).err(), unknown, "{range:?}");
    }
}

fn ranges(wish: Wish, file: FileFacts) -> Ranges {
    match route_file(wish, &file, &KNOWN) {
        FileRoute::Ranges(ranges) => ranges,
        other => panic!("{other:?}"),
    }
}

const SIZE: u64 = 1 << 20;

const FILE: FileFacts = range(EXT4, SIZE).file;

const ALWAYS: Wish = Wish {
    sparse: Sparse::Always,
    ..AUTO
};

#[test]
fn what_is_no_file_with_a_size_is_a_stream() {
    let whole = |wish, file| route_file(wish, &file, &KNOWN);
    let cloned = Wish {
        reflink: Reflink::Always,
        ..AUTO
    };
    let regular = FileType::Regular;
    for (kinds, size_bytes, to_regular) in [
        (REGULAR, 0, true),
        ((FileType::Fifo, regular), SIZE, true),
        ((regular, FileType::CharDevice), SIZE, false),
    ] {
        let file = FileFacts {
            kinds,
            size_bytes,
            ..FILE
        };
        // A clone or nothing, whatever it is.
        assert_eq!(whole(cloned, file), FileRoute::Clone);
        assert_eq!(whole(AUTO, file), FileRoute::Stream);
        assert_eq!(whole(ALWAYS, file), FileRoute::Stream);
        assert!(!AUTO.leaves_holes(kinds.1));
        assert_eq!(ALWAYS.leaves_holes(kinds.1), to_regular);
    }
    assert_eq!(whole(cloned, FILE), FileRoute::Clone);
}

#[test]
fn blocks_are_shared_where_that_may_be() {
    for (reflink, sparse, io, shares_blocks) in [
        (Reflink::Auto, Sparse::Auto, Io::Auto, true),
        (Reflink::Auto, Sparse::Auto, Io::Sync, true),
        (Reflink::Never, Sparse::Auto, Io::Auto, false),
        (Reflink::Auto, Sparse::Never, Io::Auto, false),
        (Reflink::Auto, Sparse::Always, Io::Auto, false),
        (Reflink::Auto, Sparse::Auto, Io::Only(ReadWrite), false),
        (Reflink::Auto, Sparse::Auto, Io::Only(Ring), false),
    ] {
        let wish = Wish {
            io,
            reflink,
            sparse,
            ..AUTO
        };
        assert_eq!(ranges(wish, FILE).shares_blocks, shares_blocks);
    }
    for (unshareable, shares_blocks) in [(DEVICES, false), ((1, Some(3)), true)] {
        let measured = Measured {
            unshareable: Some(unshareable),
            ..KNOWN
        };
        let usual = ranges(AUTO, FILE);
        let found = route_file(AUTO, &FILE, &measured);
        assert_eq!(
            found,
            FileRoute::Ranges(Ranges {
                shares_blocks,
                ..usual
            })
        );
    }
}

#[test]
fn large_files_are_looked_at_and_all_for_the_ring() {
    let ring = Wish {
        io: Io::Only(Ring),
        ..AUTO
    };
    for (wish, size_bytes, is_looked_at) in [
        (AUTO, LARGE_BYTES, false),
        (AUTO, LARGE_BYTES + 1, true),
        (ring, 1, true),
        (ring, LARGE_BYTES + 1, true),
    ] {
        let found = ranges(wish, FileFacts { size_bytes, ..FILE });
        assert_eq!(found.is_looked_at, is_looked_at);
    }
}

#[test]
fn holes_are_skipped_where_there_are_any() {
    let never = Wish {
        sparse: Sparse::Never,
        ..AUTO
    };
    for (wish, size_bytes, blocks, skips_holes) in [
        (AUTO, SIZE, SIZE / 512 - 1, true),
        (ALWAYS, SIZE, SIZE / 512 - 1, true),
        (never, SIZE, SIZE / 512 - 1, false),
        (never, SIZE, 0, false),
        (AUTO, SIZE, SIZE / 512 + 1, false),
        // Half a block is none.
        (AUTO, SIZE + 511, SIZE / 512, false),
    ] {
        let file = FileFacts {
            size_bytes,
            blocks,
            ..FILE
        };
        assert_eq!(ranges(wish, file).skips_holes, skips_holes);
    }
}
