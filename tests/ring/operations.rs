//! Every operation: its result, and its error where it is given a wrong descriptor or name.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;

use annulet::ring::{
    CURRENT_POSITION, FallocateMode, FileAdvice, FileSlot, FsyncFlags, IoUring, IoVec,
    MemoryAdvice, Opcode, OpenHow, PollEvents, RenameFlags, SpliceFlags, Sqe, StatxBuffer,
    StatxMask, TimeoutFlags, Timespec, XattrFlags,
};
use annulet::sys::{AtFlags, CWD, Errno, Mode, OFlags};

use super::support::{NO_FD, adopt, bad, c, file, lend, p, push, raw, reap, ring, run, skip};

pub fn has(ring: &IoUring, operation: Opcode, test: &str) -> bool {
    let has = ring.probe().unwrap().supports(operation);
    if !has {
        skip(test, "the kernel lacks the operation");
    }
    has
}

fn mode(bits: u32) -> Mode {
    Mode::from_bits_retain(bits)
}

#[test]
fn nop() {
    let Some(mut ring) = ring(4) else { return };
    assert_eq!(run(&mut ring, Sqe::nop()), Ok(0));
    ring.push_nop(12).unwrap();
    assert_eq!(ring.wait().unwrap().user_data, 12);
}

#[test]
fn read_and_write() {
    let (dir, file) = file(b"hello, world");
    let Some(mut ring) = ring(4) else { return };
    let mut buf = [0_u8; 32];
    let into = buf.as_mut_ptr();
    assert_eq!(run(&mut ring, Sqe::read(raw(&file), into, 5, 7)), Ok(5));
    assert_eq!(&buf[..6], b"world\0");
    assert_eq!(run(&mut ring, Sqe::read(raw(&file), into, 32, 12)), Ok(0));
    assert_eq!(run(&mut ring, Sqe::read(NO_FD, into, 1, 0)), bad());
    let from = b"HELLO".as_ptr();
    assert_eq!(run(&mut ring, Sqe::write(raw(&file), from, 5, 0)), Ok(5));
    assert_eq!(run(&mut ring, Sqe::write(NO_FD, from, 5, 0)), bad());
    assert_eq!(fs::read(dir.child("file")).unwrap(), b"HELLO, world");
}

#[test]
fn reading_at_the_current_position_moves_it() {
    let (_dir, file) = file(b"abcdef");
    let Some(mut ring) = ring(4) else { return };
    let mut buf = [0_u8; 2];
    for expected in [b"ab", b"cd", b"ef"] {
        let sqe = Sqe::read(raw(&file), buf.as_mut_ptr(), 2, CURRENT_POSITION);
        assert_eq!(run(&mut ring, sqe), Ok(2));
        assert_eq!(&buf, expected);
    }
}

#[test]
fn readv_and_writev() {
    let (dir, file) = file(b"0123456789");
    let Some(mut ring) = ring(4) else { return };
    let (mut a, mut b) = ([0_u8; 3], [0_u8; 4]);
    let piece = |piece: &mut [u8]| IoVec {
        base: piece.as_mut_ptr(),
        len_bytes: piece.len(),
    };
    let vectors = [piece(&mut a), piece(&mut b)];
    let sqe = Sqe::readv(raw(&file), vectors.as_ptr(), 2, 1);
    assert_eq!(run(&mut ring, sqe), Ok(7));
    assert_eq!((&a, &b), (b"123", b"4567"));
    let sqe = Sqe::readv(NO_FD, vectors.as_ptr(), 2, 1);
    assert_eq!(run(&mut ring, sqe), bad());
    let sqe = Sqe::writev(raw(&file), vectors.as_ptr(), 2, 0);
    assert_eq!(run(&mut ring, sqe), Ok(7));
    assert_eq!(fs::read(dir.child("file")).unwrap(), b"1234567789");
    let sqe = Sqe::writev(NO_FD, vectors.as_ptr(), 2, 0);
    assert_eq!(run(&mut ring, sqe), bad());
}

#[test]
fn read_fixed_and_write_fixed() {
    let (dir, file) = file(b"0123456789");
    let Some(mut ring) = ring(4) else { return };
    let mut memory = vec![0_u8; 8192];
    let base = memory.as_mut_ptr();
    let buffer = IoVec {
        base,
        len_bytes: 8192,
    };
    // Without a registered buffer the operation is refused.
    let sqe = Sqe::read_fixed(raw(&file), base, 4, 2, 0);
    assert_eq!(run(&mut ring, sqe), Err(Errno::EFAULT));
    ring.register_buffers(&[buffer]).unwrap();
    assert_eq!(run(&mut ring, sqe), Ok(4));
    let sqe = Sqe::write_fixed(raw(&file), base.wrapping_add(1), 3, 0, 0);
    assert_eq!(run(&mut ring, sqe), Ok(3));
    assert_eq!(fs::read(dir.child("file")).unwrap(), b"3453456789");
    for sqe in [
        Sqe::read_fixed(NO_FD, base, 4, 0, 0),
        Sqe::write_fixed(NO_FD, base, 4, 0, 0),
    ] {
        assert_eq!(run(&mut ring, sqe), bad());
    }
    // Beyond the buffer's end, and a buffer that is not there.
    let sqe = Sqe::read_fixed(raw(&file), base.wrapping_add(8190), 4, 0, 0);
    assert_eq!(run(&mut ring, sqe), Err(Errno::EFAULT));
    let sqe = Sqe::read_fixed(raw(&file), base, 4, 0, 1);
    assert_eq!(run(&mut ring, sqe), Err(Errno::EFAULT));
}

#[test]
fn openat_and_close() {
    let (dir, _file) = file(b"x");
    let Some(mut ring) = ring(4) else { return };
    let path = c(dir.child("file"));
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let open = |dir, path| Sqe::openat(dir, p(path), flags, Mode::empty());
    let fd = run(&mut ring, open(CWD.raw(), &path)).unwrap();
    let fd = i32::try_from(fd).unwrap();
    assert_eq!(run(&mut ring, Sqe::close(fd)), Ok(0));
    assert_eq!(run(&mut ring, Sqe::close(fd)), bad());
    let relative = c("file");
    assert_eq!(run(&mut ring, open(NO_FD, &relative)), bad());
    let missing = c(dir.child("missing"));
    assert_eq!(run(&mut ring, open(-100, &missing)), Err(Errno::ENOENT));

    let folder = File::open(dir.path()).unwrap();
    let new = c("new");
    let flags = OFlags::WRONLY | OFlags::CREAT | OFlags::EXCL | OFlags::CLOEXEC;
    let create = Sqe::openat(raw(&folder), p(&new), flags, mode(0o640));
    drop(adopt(run(&mut ring, create).unwrap()));
    let made = fs::metadata(dir.child("new")).unwrap();
    assert_eq!(made.mode() & 0o777, 0o640);
    assert_eq!(run(&mut ring, create), Err(Errno::EEXIST));
}

#[test]
fn openat2() {
    const RESOLVE_NO_SYMLINKS: u64 = 4;
    let (dir, _file) = file(b"x");
    let Some(mut ring) = ring(4) else { return };
    std::os::unix::fs::symlink("file", dir.child("link")).unwrap();
    let link = c(dir.child("link"));
    let mut how = OpenHow {
        flags: u64::from(OFlags::CLOEXEC.bits()),
        ..OpenHow::default()
    };
    let fd = run(&mut ring, Sqe::openat2(-100, p(&link), &raw const how)).unwrap();
    drop(adopt(fd));
    how.resolve = RESOLVE_NO_SYMLINKS;
    let refused = run(&mut ring, Sqe::openat2(-100, p(&link), &raw const how));
    assert_eq!(refused, Err(Errno::ELOOP));
    how.resolve = 0;
    let relative = c("file");
    let sqe = Sqe::openat2(NO_FD, p(&relative), &raw const how);
    assert_eq!(run(&mut ring, sqe), bad());
}

#[test]
fn direct_descriptors() {
    let (dir, _file) = file(b"direct");
    let Some(mut ring) = ring(4) else { return };
    if let Err(errno) = ring.register_files_sparse(3) {
        assert_eq!(errno, Errno::EINVAL);
        return skip("direct_descriptors", "no sparse tables before Linux 5.19");
    }
    let path = c(dir.child("file"));
    let open = Sqe::openat(-100, p(&path), OFlags::RDONLY, Mode::empty());
    assert_eq!(run(&mut ring, open.direct(1)), Ok(0));
    let mut buf = [0_u8; 6];
    let read = |slot, buf: &mut [u8; 6]| Sqe::read(slot, buf.as_mut_ptr(), 6, 0).fixed_file();
    assert_eq!(run(&mut ring, read(1, &mut buf)), Ok(6));
    assert_eq!(&buf, b"direct");
    assert_eq!(run(&mut ring, read(0, &mut buf)), bad());
    // The kernel picks what is free, until nothing is.
    let mut picked = [(); 2].map(|()| run(&mut ring, open.direct_alloc()).unwrap());
    picked.sort_unstable();
    assert_eq!(picked, [0, 2]);
    assert_eq!(run(&mut ring, open.direct_alloc()), Err(Errno::ENFILE));
    assert_eq!(run(&mut ring, Sqe::close_direct(1)), Ok(0));
    assert_eq!(run(&mut ring, Sqe::close_direct(1)), bad());
    assert_eq!(run(&mut ring, read(1, &mut buf)), bad());
    let how = OpenHow::default();
    let open2 = Sqe::openat2(-100, p(&path), &raw const how);
    assert_eq!(run(&mut ring, open2.direct(1)), Ok(0));
    assert_eq!(run(&mut ring, read(1, &mut buf)), Ok(6));
    assert_eq!(run(&mut ring, open.direct(3)), Err(Errno::EINVAL));
    let cloexec = Sqe::openat(-100, p(&path), OFlags::CLOEXEC, Mode::empty());
    assert_eq!(run(&mut ring, cloexec.direct(1)), Err(Errno::EINVAL));
}

#[test]
fn files_update() {
    let (_dir, file) = file(b"update");
    let Some(mut ring) = ring(4) else { return };
    ring.register_files(&[FileSlot::EMPTY; 2]).unwrap();
    let descriptors = [raw(&file)];
    let sqe = Sqe::files_update(descriptors.as_ptr(), 1, 1);
    assert_eq!(run(&mut ring, sqe), Ok(1));
    let mut buf = [0_u8; 6];
    let read = Sqe::read(1, buf.as_mut_ptr(), 6, 0).fixed_file();
    assert_eq!(run(&mut ring, read), Ok(6));
    let wrong = [NO_FD];
    let sqe = Sqe::files_update(wrong.as_ptr(), 1, 0);
    assert_eq!(run(&mut ring, sqe), bad());
    let sqe = Sqe::files_update(descriptors.as_ptr(), 1, 2);
    assert_eq!(run(&mut ring, sqe), Err(Errno::EINVAL));
}

#[test]
fn fsync_and_fdatasync() {
    let (_dir, file) = file(b"x");
    let Some(mut ring) = ring(4) else { return };
    let none = FsyncFlags::empty();
    assert_eq!(run(&mut ring, Sqe::fsync(raw(&file), none)), Ok(0));
    assert_eq!(run(&mut ring, Sqe::fdatasync(raw(&file))), Ok(0));
    assert_eq!(run(&mut ring, Sqe::fsync(NO_FD, none)), bad());
    assert_eq!(run(&mut ring, Sqe::fdatasync(NO_FD)), bad());
    let pipe = std::io::pipe().unwrap().0;
    let refused = run(&mut ring, Sqe::fsync(pipe.as_raw_fd(), none));
    assert_eq!(refused, Err(Errno::EINVAL));
}

#[test]
fn fallocate_and_ftruncate() {
    let (_dir, file) = file(b"0123456789");
    let Some(mut ring) = ring(4) else { return };
    let plain = FallocateMode::empty();
    let sqe = Sqe::fallocate(raw(&file), plain, 0, 100_000);
    assert_eq!(run(&mut ring, sqe), Ok(0));
    assert_eq!(file.metadata().unwrap().len(), 100_000);
    let punch = FallocateMode::PUNCH_HOLE | FallocateMode::KEEP_SIZE;
    let sqe = Sqe::fallocate(raw(&file), punch, 2, 4);
    assert_eq!(run(&mut ring, sqe), Ok(0));
    let mut start = [0_u8; 10];
    (&file).read_exact(&mut start).unwrap();
    assert_eq!(&start, b"01\0\0\0\x006789");
    let sqe = Sqe::fallocate(NO_FD, plain, 0, 1);
    assert_eq!(run(&mut ring, sqe), bad());

    if has(&ring, Opcode::Ftruncate, "ftruncate") {
        assert_eq!(run(&mut ring, Sqe::ftruncate(raw(&file), 7)), Ok(0));
        assert_eq!(file.metadata().unwrap().len(), 7);
        assert_eq!(run(&mut ring, Sqe::ftruncate(NO_FD, 7)), bad());
    }
}

#[test]
fn fadvise_and_madvise() {
    let (_dir, file) = file(b"x");
    let Some(mut ring) = ring(4) else { return };
    let sqe = Sqe::fadvise(raw(&file), 0, 0, FileAdvice::Sequential);
    // A hint has no result to tell it by.
    assert_eq!(sqe.raw().op_flags, 2);
    assert_eq!(run(&mut ring, sqe), Ok(0));
    let sqe = Sqe::fadvise(NO_FD, 0, 0, FileAdvice::Sequential);
    assert_eq!(run(&mut ring, sqe), bad());
    let memory = annulet::sys::Mapping::anonymous(4096).unwrap();
    // SAFETY: the mapping is ours, 4096 bytes.
    unsafe { memory.as_ptr().write(7) };
    let sqe = Sqe::madvise(memory.as_ptr(), 4096, MemoryAdvice::DontNeed);
    assert_eq!(run(&mut ring, sqe), Ok(0));
    // SAFETY: as above.
    assert_eq!(unsafe { memory.as_ptr().read() }, 0);
    let odd = memory.as_ptr().wrapping_add(1);
    let sqe = Sqe::madvise(odd, 4096, MemoryAdvice::DontNeed);
    assert_eq!(run(&mut ring, sqe), Err(Errno::EINVAL));
}

#[test]
fn statx() {
    let (dir, _file) = file(b"twelve bytes");
    let Some(mut ring) = ring(4) else { return };
    let path = c(dir.child("file"));
    let mut out = StatxBuffer([0; 256]);
    let mask = StatxMask::BASIC_STATS;
    let stat = |dir, path: &CString, out: *mut StatxBuffer| {
        Sqe::statx(dir, p(path), AtFlags::SYMLINK_NOFOLLOW, mask, out)
    };
    let sqe = stat(-100, &path, &raw mut out);
    assert_eq!(run(&mut ring, sqe), Ok(0));
    let number = |at: usize| u64::from_ne_bytes(out.0[at..at + 8].try_into().unwrap());
    let meta = fs::metadata(dir.child("file")).unwrap();
    assert_eq!((number(32), number(40)), (meta.ino(), 12));
    let relative = c("file");
    let sqe = stat(NO_FD, &relative, &raw mut out);
    assert_eq!(run(&mut ring, sqe), bad());
}

#[test]
fn names() {
    let (dir, _file) = file(b"x");
    let Some(mut ring) = ring(4) else { return };
    let folder = File::open(dir.path()).unwrap();
    let at = raw(&folder);
    let (a, b, link, sub) = (c("file"), c("b"), c("link"), c("sub"));
    let none = AtFlags::empty();

    assert_eq!(
        run(&mut ring, Sqe::linkat(at, p(&a), at, p(&b), none)),
        Ok(0)
    );
    assert_eq!(fs::metadata(dir.child("b")).unwrap().nlink(), 2);
    let sqe = Sqe::linkat(at, p(&a), NO_FD, p(&b), none);
    assert_eq!(run(&mut ring, sqe), bad());

    let stay = RenameFlags::NOREPLACE;
    let sqe = Sqe::renameat(at, p(&a), at, p(&b), stay);
    assert_eq!(run(&mut ring, sqe), Err(Errno::EEXIST));
    let new = c("new");
    let sqe = Sqe::renameat(at, p(&a), at, p(&new), stay);
    assert_eq!(run(&mut ring, sqe), Ok(0));
    assert!(dir.child("new").exists() && !dir.child("file").exists());
    let sqe = Sqe::renameat(NO_FD, p(&a), at, p(&new), RenameFlags::empty());
    assert_eq!(run(&mut ring, sqe), bad());

    let target = c("some where");
    let sqe = Sqe::symlinkat(p(&target), at, p(&link));
    assert_eq!(run(&mut ring, sqe), Ok(0));
    let seen = fs::read_link(dir.child("link")).unwrap();
    assert_eq!(seen.to_str(), Some("some where"));
    let sqe = Sqe::symlinkat(p(&target), NO_FD, p(&link));
    assert_eq!(run(&mut ring, sqe), bad());

    assert_eq!(
        run(&mut ring, Sqe::mkdirat(at, p(&sub), mode(0o750))),
        Ok(0)
    );
    let made = fs::metadata(dir.child("sub")).unwrap();
    assert_eq!(made.mode() & 0o777, 0o750);
    let sqe = Sqe::mkdirat(NO_FD, p(&sub), mode(0o750));
    assert_eq!(run(&mut ring, sqe), bad());

    let sqe = Sqe::unlinkat(at, p(&sub), none);
    assert_eq!(run(&mut ring, sqe), Err(Errno::EISDIR));
    let sqe = Sqe::unlinkat(at, p(&sub), AtFlags::REMOVEDIR);
    assert_eq!(run(&mut ring, sqe), Ok(0));
    assert_eq!(run(&mut ring, Sqe::unlinkat(at, p(&b), none)), Ok(0));
    assert!(!dir.child("sub").exists() && !dir.child("b").exists());
    assert_eq!(run(&mut ring, Sqe::unlinkat(NO_FD, p(&b), none)), bad());
}

#[test]
fn extended_attributes() {
    let (dir, file) = file(b"x");
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::Getxattr, "extended_attributes") {
        return;
    }
    let (path, name) = (c(dir.child("file")), c("user.annulet"));
    let (create, replace) = (XattrFlags::CREATE, XattrFlags::REPLACE);
    let set = |value: &[u8], flags| {
        let len = u32::try_from(value.len()).unwrap();
        Sqe::setxattr(p(&path), p(&name), value.as_ptr(), len, flags)
    };
    match run(&mut ring, set(b"one", create)) {
        Err(Errno::EOPNOTSUPP) => {
            return skip("extended_attributes", "this file system has none");
        }
        other => assert_eq!(other, Ok(0)),
    }
    assert_eq!(run(&mut ring, set(b"one", create)), Err(Errno::EEXIST));
    let mut buf = [0_u8; 16];
    let sqe = Sqe::fgetxattr(raw(&file), p(&name), buf.as_mut_ptr(), 16);
    assert_eq!(run(&mut ring, sqe), Ok(3));
    assert_eq!(&buf[..3], b"one");
    let sqe = Sqe::fsetxattr(raw(&file), p(&name), b"other".as_ptr(), 5, replace);
    assert_eq!(run(&mut ring, sqe), Ok(0));
    let sqe = Sqe::getxattr(p(&path), p(&name), buf.as_mut_ptr(), 16);
    assert_eq!(run(&mut ring, sqe), Ok(5));
    assert_eq!(&buf[..5], b"other");
    let sqe = Sqe::getxattr(p(&path), p(&name), buf.as_mut_ptr(), 0);
    assert_eq!(run(&mut ring, sqe), Ok(5));

    let absent = c("user.absent");
    let sqe = Sqe::getxattr(p(&path), p(&absent), buf.as_mut_ptr(), 16);
    assert_eq!(run(&mut ring, sqe), Err(Errno::ENODATA));
    let sqe = Sqe::fgetxattr(NO_FD, p(&name), buf.as_mut_ptr(), 16);
    assert_eq!(run(&mut ring, sqe), bad());
    let sqe = Sqe::fsetxattr(NO_FD, p(&name), b"x".as_ptr(), 1, XattrFlags::empty());
    assert_eq!(run(&mut ring, sqe), bad());
    let missing = c(dir.child("missing"));
    let sqe = Sqe::setxattr(p(&missing), p(&name), b"x".as_ptr(), 1, create);
    assert_eq!(run(&mut ring, sqe), Err(Errno::ENOENT));
}

#[test]
fn splice_and_tee() {
    let (_dir, file) = file(b"through a pipe");
    let Some(mut ring) = ring(4) else { return };
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (mut reader2, writer2) = std::io::pipe().unwrap();
    let none = SpliceFlags::empty();
    let to = writer.as_raw_fd();
    let sqe = Sqe::splice(raw(&file), 8, to, CURRENT_POSITION, 100, none);
    assert_eq!(run(&mut ring, sqe), Ok(6));
    let sqe = Sqe::tee(reader.as_raw_fd(), writer2.as_raw_fd(), 100, none);
    assert_eq!(run(&mut ring, sqe), Ok(6));
    let mut buf = [0_u8; 6];
    reader.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"a pipe");
    reader2.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"a pipe");
    let sqe = Sqe::splice(NO_FD, 0, to, CURRENT_POSITION, 1, none);
    assert_eq!(run(&mut ring, sqe), bad());
    let sqe = Sqe::tee(NO_FD, to, 1, none);
    assert_eq!(run(&mut ring, sqe), bad());
    // Neither is a pipe.
    let sqe = Sqe::splice(raw(&file), 0, raw(&file), 0, 1, none);
    assert_eq!(run(&mut ring, sqe), Err(Errno::EINVAL));
    // The source by its index.
    ring.register_files(&[lend(&file).into()]).unwrap();
    let fixed = SpliceFlags::FD_IN_FIXED;
    let sqe = Sqe::splice(0, 0, to, CURRENT_POSITION, 7, fixed);
    assert_eq!(run(&mut ring, sqe), Ok(7));
}

#[test]
fn poll_add_and_poll_remove() {
    let Some(mut ring) = ring(4) else { return };
    let (reader, mut writer) = std::io::pipe().unwrap();
    let fd = reader.as_raw_fd();
    push(&mut ring, Sqe::poll_add(fd, PollEvents::IN).user_data(1));
    ring.submit().unwrap();
    writer.write_all(b"x").unwrap();
    let seen = ring.wait().unwrap();
    assert_eq!(seen.user_data, 1);
    let events = PollEvents::from_bits_retain(seen.into_result().unwrap());
    assert!(events.contains(PollEvents::IN));

    let (idle, _keep) = std::io::pipe().unwrap();
    let fd = idle.as_raw_fd();
    push(&mut ring, Sqe::poll_add(fd, PollEvents::IN).user_data(1));
    push(&mut ring, Sqe::poll_remove(1).user_data(2));
    let seen = reap(&mut ring, 2);
    assert_eq!(seen[0].into_result(), Err(Errno::ECANCELED));
    assert_eq!(seen[1].into_result(), Ok(0));
    assert_eq!(run(&mut ring, Sqe::poll_remove(1)), Err(Errno::ENOENT));
    let sqe = Sqe::poll_add(NO_FD, PollEvents::IN);
    assert_eq!(run(&mut ring, sqe), bad());
}

#[test]
fn timeout_and_timeout_remove() {
    let Some(mut ring) = ring(4) else { return };
    let soon = Timespec {
        tv_sec: 0,
        tv_nsec: 2_000_000,
    };
    let long = Timespec {
        tv_sec: 1000,
        tv_nsec: 0,
    };
    let none = TimeoutFlags::empty();
    let start = std::time::Instant::now();
    let sqe = Sqe::timeout(&raw const soon, 0, none);
    assert_eq!(run(&mut ring, sqe), Err(Errno::ETIME));
    assert!(start.elapsed().as_micros() >= 2000);
    // Ended by another completion.
    let sqe = Sqe::timeout(&raw const long, 1, none).user_data(1);
    push(&mut ring, sqe);
    ring.push_nop(2).unwrap();
    let seen = reap(&mut ring, 2);
    assert_eq!(seen[0].into_result(), Ok(0));
    // Called off.
    push(
        &mut ring,
        Sqe::timeout(&raw const long, 0, none).user_data(1),
    );
    push(&mut ring, Sqe::timeout_remove(1).user_data(2));
    let seen = reap(&mut ring, 2);
    assert_eq!(seen[0].into_result(), Err(Errno::ECANCELED));
    assert_eq!(seen[1].into_result(), Ok(0));
    assert_eq!(run(&mut ring, Sqe::timeout_remove(1)), Err(Errno::ENOENT));
    let wrong = Timespec {
        tv_sec: -1,
        tv_nsec: 0,
    };
    let sqe = Sqe::timeout(&raw const wrong, 0, none);
    assert_eq!(run(&mut ring, sqe), Err(Errno::EINVAL));
}

#[test]
fn link_timeout() {
    let Some(mut ring) = ring(4) else { return };
    let (idle, mut writer) = std::io::pipe().unwrap();
    let mut buf = [0_u8; 4];
    let soon = Timespec {
        tv_sec: 0,
        tv_nsec: 2_000_000,
    };
    let none = TimeoutFlags::empty();
    let read = Sqe::read(idle.as_raw_fd(), buf.as_mut_ptr(), 4, CURRENT_POSITION);
    push(&mut ring, read.user_data(1).link());
    push(
        &mut ring,
        Sqe::link_timeout(&raw const soon, none).user_data(2),
    );
    let seen = reap(&mut ring, 2);
    assert_eq!(seen[0].into_result(), Err(Errno::ECANCELED));
    assert_eq!(seen[1].into_result(), Err(Errno::ETIME));
    // In time.
    writer.write_all(b"fast").unwrap();
    let long = Timespec {
        tv_sec: 1000,
        tv_nsec: 0,
    };
    push(&mut ring, read.user_data(1).link());
    push(
        &mut ring,
        Sqe::link_timeout(&raw const long, none).user_data(2),
    );
    let seen = reap(&mut ring, 2);
    assert_eq!(seen[0].into_result(), Ok(4));
    assert_eq!(seen[1].into_result(), Err(Errno::ECANCELED));
}

#[test]
fn cancel() {
    let Some(mut ring) = ring(4) else { return };
    let (idle, _writer) = std::io::pipe().unwrap();
    let mut buf = [0_u8; 4];
    let read = Sqe::read(idle.as_raw_fd(), buf.as_mut_ptr(), 4, CURRENT_POSITION);
    push(&mut ring, read.user_data(1));
    push(&mut ring, Sqe::cancel(1).user_data(2));
    let seen = reap(&mut ring, 2);
    let ended = seen[0].into_result();
    assert!(matches!(ended, Err(Errno::ECANCELED | Errno::EINTR)));
    assert_eq!(seen[1].into_result(), Ok(0));
    assert_eq!(run(&mut ring, Sqe::cancel(1)), Err(Errno::ENOENT));
}

#[test]
fn forced_async_gives_the_same() {
    let (_dir, file) = file(b"worker");
    let Some(mut ring) = ring(4) else { return };
    let mut buf = [0_u8; 6];
    let sqe = Sqe::read(raw(&file), buf.as_mut_ptr(), 6, 0).force_async();
    assert_eq!(run(&mut ring, sqe), Ok(6));
    assert_eq!(&buf, b"worker");
    let sqe = Sqe::read(NO_FD, buf.as_mut_ptr(), 6, 0).force_async();
    assert_eq!(run(&mut ring, sqe), bad());
}

#[test]
fn the_probe_knows_the_oldest_operations() {
    let Some(ring) = ring(1) else { return };
    let probe = ring.probe().unwrap();
    assert!(probe.last_op() > 0);
    // Those that every kernel with a probe has (5.6).
    for operation in [Opcode::Nop, Opcode::Read, Opcode::Write, Opcode::Statx] {
        assert!(probe.supports(operation));
    }
}
