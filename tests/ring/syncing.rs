//! Writing back a part of a file.

use std::os::fd::AsRawFd as _;

use annulet::ring::{FsyncFlags, Sqe, SyncFileRangeFlags};
use annulet::sys::Errno;

use super::support::{NO_FD, bad, file, raw, ring, run};

#[test]
fn fsync_of_a_range() {
    let (_dir, file) = file(&[1; 10_000]);
    let Some(mut ring) = ring(4) else { return };
    for flags in [FsyncFlags::empty(), FsyncFlags::DATASYNC] {
        let sqe = Sqe::fsync_range(raw(&file), 4096, 100, flags);
        // There is no result to tell it by.
        assert_eq!((sqe.raw().off, sqe.raw().len), (4096, 100));
        assert_eq!(run(&mut ring, sqe), Ok(0));
        let sqe = Sqe::fsync_range(NO_FD, 4096, 100, flags);
        assert_eq!(run(&mut ring, sqe), bad());
    }
    let unknown = FsyncFlags::from_bits_retain(2);
    let sqe = Sqe::fsync_range(raw(&file), 0, 0, unknown);
    assert_eq!(run(&mut ring, sqe), Err(Errno::EINVAL));
}

#[test]
fn sync_file_range() {
    let (_dir, file) = file(&[1; 10_000]);
    let Some(mut ring) = ring(4) else { return };
    let all = SyncFileRangeFlags::all();
    let sqe = Sqe::sync_file_range(raw(&file), 4096, 4096, all);
    assert_eq!((sqe.raw().off, sqe.raw().len), (4096, 4096));
    assert_eq!(run(&mut ring, sqe), Ok(0));
    let sqe = Sqe::sync_file_range(raw(&file), 0, 0, SyncFileRangeFlags::WRITE);
    assert_eq!(run(&mut ring, sqe), Ok(0));
    assert_eq!(
        run(&mut ring, Sqe::sync_file_range(NO_FD, 0, 0, all)),
        bad()
    );
    let unknown = SyncFileRangeFlags::from_bits_retain(8);
    let sqe = Sqe::sync_file_range(raw(&file), 0, 0, unknown);
    assert_eq!(run(&mut ring, sqe), Err(Errno::EINVAL));
    let (pipe, _writer) = std::io::pipe().unwrap();
    let sqe = Sqe::sync_file_range(pipe.as_raw_fd(), 0, 0, all);
    assert_eq!(run(&mut ring, sqe), Err(Errno::ESPIPE));
}
