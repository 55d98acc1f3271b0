//! Data on its way to the thread that writes it, under loom: the real one, from a real file to a
//! real file, in every order in which the two threads can reach what they share.
//!
//! Each of these is a failure: a lock whose `unlock` is relaxed, a signal that is given before what
//! it says was put there, an end that is not signalled.

use std::ffi::CString;
use std::{assert_eq, fs};

use super::pipeline::{SLOT_BYTES, SLOTS};
use super::plain;
use super::progress::Progress;
use super::route::FileFacts;
use super::thread_writer;
use super::transfer::{Files, Transfer};
use crate::report::{self, Failure, Message, Nobody};
use crate::sys::modelled::{allow_threads, explore};
use crate::sys::{CWD, Errno, FileType, Mode, Mutex, OFlags, OwnedFd};

/// All slots, and the first of them once more.
const BYTES: usize = SLOTS as usize * SLOT_BYTES + 1;
const CONTENT: &[u8; BYTES] = b"interleav";

const FILE: FileFacts = FileFacts {
    kinds: (FileType::Regular, FileType::Regular),
    devices: (0, Some(0)),
    size_bytes: BYTES as u64,
    blocks: 1,
    source: 0,
    destination: 0,
    is_cached: Some(true),
};

/// Copies to `to`, and says what came of it and up to where it is whole.
fn copy(from: &OwnedFd, to: &OwnedFd) -> (report::Result<()>, u64) {
    let reporter = Mutex::new(Nobody);
    let progress = Progress::new(&reporter, true);
    let files = Files {
        from: from.as_fd(),
        to: to.as_fd(),
    };
    let mut transfer = Transfer::new(files, FILE, &progress);
    transfer.end = BYTES as u64;
    let copied = thread_writer::copy(&mut transfer, &mut None);
    (copied, transfer.at)
}

fn open(path: &std::path::Path) -> OwnedFd {
    let path = CString::new(path.to_str().unwrap()).unwrap();
    let flags = OFlags::RDWR | OFlags::CREAT;
    plain::open(CWD, &path, flags, Mode::from_bits_retain(0o600)).unwrap()
}

#[test]
fn all_slots_are_written_and_come_back() {
    allow_threads();
    let dir = temp_dir::TempDir::new().unwrap();
    let (from, to) = (dir.child("from"), dir.child("to"));
    fs::write(&from, CONTENT).unwrap();
    explore(2, move || {
        fs::write(&to, "").unwrap();
        assert_eq!(copy(&open(&from), &open(&to)), (Ok(()), BYTES as u64));
        assert_eq!(fs::read(&to).unwrap(), CONTENT);
    });
}

#[test]
fn a_write_that_fails_is_reported_and_ends_it() {
    allow_threads();
    let dir = temp_dir::TempDir::new().unwrap();
    let from = dir.child("from");
    fs::write(&from, CONTENT).unwrap();
    explore(2, move || {
        let failure = Failure::new(Message::Write, Errno::ENOSPC);
        let copied = copy(&open(&from), &open("/dev/full".as_ref()));
        assert_eq!(copied, (Err(failure), 0));
    });
}
