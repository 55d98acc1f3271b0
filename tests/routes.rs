//! Data by two: one reads, one writes, whoever that is; and which way data goes.
#![allow(missing_docs)]

use std::ffi::CString;
use std::fs;

use annulet::data::pipeline::{Files, Fitness, Range, SLOT_BYTES, SLOTS, Writer, Written, carry};
use annulet::data::plain;
use annulet::data::route::file_systems::{
    CEPH, CIFS, EXT4, FUSE, NFS, OVERLAYFS, SMB2, TMPFS, XFS,
};
use annulet::data::route::{
    Facts, KERNEL_COPY_LEAST, LARGE_BYTES, LEAST_FOR_TWO, LEAST_FOR_TWO_ELSEWHERE, LEAST_TRIED,
    route,
};
use annulet::data::wish::Way::{self, CopyFileRange, ReadWrite, Ring, Splice, Thread};
use annulet::report::{During, Message, Result};
use annulet::sys::{self, CWD, Errno, Mode, OFlags};

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

/// Copies `content` with so many writes in flight; says what came of it, up to where it is
/// whole, and at which offsets slots were written.
fn copy(
    content: &[u8],
    depth: u32,
    newest_first: bool,
    answer: Answer,
) -> (Result<Fitness>, u64, Vec<u64>) {
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
    let leaves_holes = content.contains(&0);
    let range = Range {
        files,
        end: u64::MAX,
        depth,
        leaves_holes,
    };
    let (mut at, mut told) = (0, 0);
    let ended = carry(&mut writer, &range, &mut at, &mut |whole| {
        assert!(whole >= told, "less is whole than was");
        told = whole;
    });
    assert!(writer.queue.is_empty() || ended == Ok(Fitness::Broken));
    let data = fs::read(dir.child("to")).unwrap();
    assert!(data.iter().all(|byte| *byte < 2), "{told}");
    writer.written.sort_unstable();
    (ended, at, writer.written)
}

#[test]
fn all_is_written_in_order() {
    for length in [0, 1, LEN, LEN + 1, 9 * LEN, 10 * LEN - 1] {
        for depth in 1..=SLOTS {
            let content = vec![1; usize::try_from(length).unwrap()];
            let (ended, at, written) = copy(&content, depth, false, ALL);
            assert_eq!((ended, at), (Ok(Fitness::Fit), length));
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
        (Ok(Fitness::Disordered), u64::from(SLOTS) * LEN)
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
            Ok(Fitness::Fit),
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
    assert_eq!((ended, at), (Ok(Fitness::Broken), 5 * LEN));
}

#[test]
fn blocks_of_zeros_are_left_out() {
    let mut content = vec![0; 6 * SLOT_BYTES];
    content[2 * SLOT_BYTES..3 * SLOT_BYTES].fill(1);
    content[4 * SLOT_BYTES..4 * SLOT_BYTES + 1000].fill(1);
    let (ended, at, written) = copy(&content, SLOTS, false, ALL);
    assert_eq!((ended, at), (Ok(Fitness::Fit), 6 * LEN));
    // What is neither this nor that is written by plain calls.
    assert_eq!(written, [2 * LEN]);
}

fn way(facts: Facts) -> Way {
    route(&facts).way
}

#[test]
fn every_row_of_the_table() {
    let facts = |destination, bytes| Facts {
        destination,
        bytes,
        is_cached: true,
        processors: 2,
        is_alone: false,
        has_ring: true,
    };
    for (kind, least, with_ring) in [
        (EXT4, LEAST_FOR_TWO, Ring),
        (TMPFS, LEAST_FOR_TWO_ELSEWHERE, Ring),
        (XFS, LEAST_FOR_TWO_ELSEWHERE, Thread),
        (OVERLAYFS, LEAST_FOR_TWO_ELSEWHERE, Thread),
    ] {
        assert_eq!(way(facts(kind, KERNEL_COPY_LEAST - 1)), ReadWrite);
        assert_eq!(way(facts(kind, KERNEL_COPY_LEAST)), CopyFileRange);
        assert_eq!(way(facts(kind, LARGE_BYTES)), CopyFileRange);
        assert_eq!(way(facts(kind, LARGE_BYTES + 1)), Splice);
        assert_eq!(way(facts(kind, least - 1)), Splice);
        let large = facts(kind, least);
        assert_eq!(way(large), with_ring);
        let has_ring = false;
        assert_eq!(way(Facts { has_ring, ..large }), Thread);
        for facts in [
            Facts {
                is_cached: false,
                ..large
            },
            Facts {
                processors: 1,
                ..large
            },
            Facts {
                is_alone: true,
                has_ring,
                ..large
            },
        ] {
            assert_eq!(way(facts), Splice);
        }
        let alone = if with_ring == Ring { Ring } else { Splice };
        let is_alone = true;
        assert_eq!(way(Facts { is_alone, ..large }), alone);
    }
    for kind in [NFS, FUSE, CIFS, SMB2, CEPH] {
        assert_eq!(way(facts(kind, 1 << 40)), CopyFileRange);
        assert!(!route(&facts(kind, 1 << 40)).is_tried);
    }
    assert!(route(&facts(EXT4, LEAST_TRIED)).is_tried);
    assert!(!route(&facts(EXT4, LEAST_TRIED - 1)).is_tried);
}
