//! FIFOs that nobody waits for: with a reader held open a program that writes to one goes on,
//! and a writer that closes when all it wrote was read lets a program that reads from one end.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// What is in each FIFO to begin with.
const FED: &[u8] = b"through the fifo\n";

/// Both ends of one FIFO; the writer until the FIFO is empty.
struct Ends {
    reader: File,
    writer: Option<File>,
}

/// Closes each writer of which all is read, until it is told that all is done.
fn close_when_empty(ends: &mut [Ends], done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        for end in &mut *ends {
            if end.writer.is_some() && waiting(&end.reader) == 0 {
                end.writer = None;
            }
        }
        thread::sleep(Duration::from_micros(200));
    }
}

/// Runs `work` while the FIFOs can be read from, once each, and written to. Returns what was
/// left in them besides: all that was written there by somebody else, and all that was not read.
pub fn feed<T>(fifos: &[PathBuf], work: impl FnOnce() -> T) -> (T, Vec<Vec<u8>>) {
    let mut ends: Vec<_> = fifos
        .iter()
        .map(|path| {
            let open = |how: &mut OpenOptions| {
                how.custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
                    .open(path)
                    .unwrap_or_else(|e| panic!("cannot open {}: {e}", path.display()))
            };
            // In this order: there is no writing without a reader.
            let reader = open(OpenOptions::new().read(true));
            let mut writer = open(OpenOptions::new().write(true));
            writer.write_all(FED).expect("room in a FIFO");
            Ends {
                reader,
                writer: Some(writer),
            }
        })
        .collect();
    let done = AtomicBool::new(fifos.is_empty());
    let result = thread::scope(|scope| {
        if !fifos.is_empty() {
            scope.spawn(|| close_when_empty(&mut ends, &done));
        }
        let result = work();
        done.store(true, Ordering::Relaxed);
        result
    });
    let left = ends
        .into_iter()
        .map(|mut end| {
            drop(end.writer.take());
            let mut bytes = Vec::new();
            // A writer that was left behind leaves no end to be met.
            let _ = end.reader.read_to_end(&mut bytes);
            bytes
        })
        .collect();
    (result, left)
}

/// How many bytes there are to read.
#[allow(unsafe_code)]
fn waiting(reader: &File) -> i32 {
    let mut count = 0;
    // SAFETY: the kernel writes a number.
    unsafe { libc::ioctl(reader.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    count
}
