//! Descriptors that are made of nothing, or of others.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;

use annulet::ring::{FixedFdFlags, Opcode, Sqe};
use annulet::sys::{Errno, OFlags};

use super::operations::has;
use super::support::{adopt, bad, file, lend, ring, run};

fn is_close_on_exec(file: &File) -> bool {
    // SAFETY: F_GETFD takes no address and changes nothing.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFD) };
    flags & libc::FD_CLOEXEC != 0
}

#[test]
fn pipe() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::Pipe, "pipe") {
        return;
    }
    let mut ends = [-1; 2];
    let flags = OFlags::CLOEXEC | OFlags::NONBLOCK;
    assert_eq!(run(&mut ring, Sqe::pipe(&raw mut ends, flags)), Ok(0));
    let [mut reader, mut writer] = ends.map(|fd| adopt(u32::try_from(fd).unwrap()));
    assert!(is_close_on_exec(&reader) && is_close_on_exec(&writer));
    let mut buf = [0; 4];
    let empty = reader.read(&mut buf).unwrap_err();
    assert_eq!(empty.kind(), std::io::ErrorKind::WouldBlock);
    writer.write_all(b"thru").unwrap();
    reader.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"thru");

    let wrong = Sqe::pipe(&raw mut ends, OFlags::APPEND);
    assert_eq!(run(&mut ring, wrong), Err(Errno::EINVAL));
    let nowhere = Sqe::pipe(std::ptr::null_mut(), flags);
    assert_eq!(run(&mut ring, nowhere), Err(Errno::EFAULT));
}

#[test]
fn a_pipe_of_direct_descriptors() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::Pipe, "a_pipe_of_direct_descriptors") {
        return;
    }
    ring.register_files_sparse(5).unwrap();
    let mut ends = [[-1; 2]; 2];
    let pipe = |ends: &mut [i32; 2], flags| Sqe::pipe(ends, flags);
    let none = OFlags::empty();
    let [named, picked] = &mut ends;
    assert_eq!(run(&mut ring, pipe(named, none).direct(1)), Ok(0));
    assert_eq!(run(&mut ring, pipe(picked, none).direct_alloc()), Ok(0));
    assert_eq!(*named, [1, 2]);
    picked.sort_unstable();
    assert_eq!(*picked, [3, 4]);
    for [from, to] in [[1, 2], [3, 4]] {
        let write = Sqe::write(to, b"x".as_ptr(), 1, u64::MAX).fixed_file();
        assert_eq!(run(&mut ring, write), Ok(1));
        let mut byte = 0;
        let read = Sqe::read(from, &raw mut byte, 1, u64::MAX).fixed_file();
        assert_eq!(run(&mut ring, read), Ok(1));
        assert_eq!(byte, b'x');
    }
    // There is one slot left, and one of two is not there.
    let full = pipe(named, none).direct_alloc();
    assert_eq!(run(&mut ring, full), Err(Errno::ENFILE));
    let beyond = pipe(named, none).direct(4);
    assert_eq!(run(&mut ring, beyond), Err(Errno::EINVAL));
    let cloexec = pipe(named, OFlags::CLOEXEC).direct(1);
    assert_eq!(run(&mut ring, cloexec), Err(Errno::EINVAL));
}

#[test]
fn fixed_fd_install() {
    let (_dir, file) = file(b"twice");
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::FixedFdInstall, "fixed_fd_install") {
        return;
    }
    ring.register_files_sparse(2).unwrap();
    ring.update_files(1, &[lend(&file).into()]).unwrap();
    for (flags, closed) in [
        (FixedFdFlags::empty(), true),
        (FixedFdFlags::NO_CLOEXEC, false),
    ] {
        let install = Sqe::fixed_fd_install(1, flags);
        let mut made = adopt(run(&mut ring, install).unwrap());
        assert_eq!(is_close_on_exec(&made), closed);
        let mut text = [0; 5];
        made.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"twice");
        std::io::Seek::rewind(&mut made).unwrap();
    }
    let none = FixedFdFlags::empty();
    for empty in [0, 2, u32::MAX] {
        assert_eq!(run(&mut ring, Sqe::fixed_fd_install(empty, none)), bad());
    }
    let unknown = FixedFdFlags::from_bits_retain(2);
    let sqe = Sqe::fixed_fd_install(1, unknown);
    assert_eq!(run(&mut ring, sqe), Err(Errno::EINVAL));
}
