//! Buffers that the kernel picks from, and pieces of registered ones.

use std::io::Write as _;
use std::os::fd::AsRawFd as _;

use annulet::ring::{CqeFlags, IoUring, IoVec, Opcode, Sqe};
use annulet::sys::Errno;

use super::operations::has;
use super::support::{NO_FD, bad, file, push, raw, ring, run, skip};

const LEN: u32 = 16;

/// Provides as many buffers as there are in `memory`, numbered from `first` on.
fn provide(ring: &mut IoUring, memory: &mut [[u8; 16]], group: u16, first: u16) {
    let count = u16::try_from(memory.len()).unwrap();
    let sqe = Sqe::provide_buffers(memory.as_mut_ptr().cast(), LEN, count, group, first);
    assert_eq!(run(ring, sqe), Ok(0));
}

#[test]
fn a_read_takes_a_provided_buffer_and_says_which() {
    let (_dir, file) = file(b"from the file");
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::ProvideBuffers, "a_read_takes_a_buffer") {
        return;
    }
    let mut memory = [[0_u8; 16]; 2];
    provide(&mut ring, &mut memory, 3, 40);
    let nowhere = std::ptr::null_mut();
    let read = Sqe::read(raw(&file), nowhere, LEN, 5).buffer_group(3);
    for buffer in [40, 41] {
        push(&mut ring, read.user_data(9));
        let seen = ring.wait().unwrap();
        assert_eq!((seen.user_data, seen.result), (9, 8));
        assert_eq!((seen.buffer(), seen.has_more()), (Some(buffer), false));
    }
    assert_eq!(memory, [*b"the file\0\0\0\0\0\0\0\0"; 2]);
    push(&mut ring, read);
    let empty = ring.wait().unwrap();
    assert_eq!(empty.into_result(), Err(Errno::ENOBUFS));
    assert_eq!(empty.buffer(), None);
    // Given again, one is there again; at most the operation's own length is read.
    provide(&mut ring, &mut memory[1..], 3, 7);
    let short = Sqe::read(raw(&file), nowhere, 2, 0).buffer_group(3);
    push(&mut ring, short);
    let seen = ring.wait().unwrap();
    assert_eq!((seen.result, seen.buffer()), (2, Some(7)));
    assert_eq!(&memory[1][..4], b"fre ");
    let wrong = Sqe::read(NO_FD, nowhere, LEN, 0).buffer_group(3);
    assert_eq!(run(&mut ring, wrong), bad());
}

#[test]
fn provide_buffers_and_remove_buffers() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::ProvideBuffers, "provide_buffers") {
        return;
    }
    let mut memory = [[0_u8; 16]; 5];
    provide(&mut ring, &mut memory, 1, 0);
    assert_eq!(run(&mut ring, Sqe::remove_buffers(2, 1)), Ok(2));
    assert_eq!(run(&mut ring, Sqe::remove_buffers(9, 1)), Ok(3));
    assert_eq!(run(&mut ring, Sqe::remove_buffers(9, 1)), Ok(0));
    let none = Err(Errno::ENOENT);
    assert_eq!(run(&mut ring, Sqe::remove_buffers(9, 2)), none);
    let count = Sqe::remove_buffers(0, 1);
    assert_eq!(run(&mut ring, count), Err(Errno::EINVAL));

    let start = memory.as_mut_ptr().cast();
    let count = Sqe::provide_buffers(start, LEN, 0, 1, 0);
    assert_eq!(run(&mut ring, count), Err(Errno::E2BIG));
    for wrong in [
        Sqe::provide_buffers(start, LEN, 2, 1, u16::MAX),
        Sqe::provide_buffers(start, 0, 2, 1, 0),
    ] {
        assert_eq!(run(&mut ring, wrong), Err(Errno::EINVAL));
    }
    let far = std::ptr::without_provenance_mut(usize::MAX - 4095);
    let address = Sqe::provide_buffers(far, LEN, 1, 1, 0);
    assert_eq!(run(&mut ring, address), Err(Errno::EFAULT));
}

/// A group that is a ring of buffers is neither given more nor taken any by operations.
#[test]
fn a_ring_of_buffers_is_no_group_for_these() {
    const REGISTER_PBUF_RING: u32 = 22;
    const PBUF_RING_MMAP: u64 = 1;
    let Some(mut ring) = ring(4) else { return };
    // `struct io_uring_buf_reg`: no address, then 8 entries, group 6 and the flag.
    let request = [0_u64, 8 | 6 << 32 | PBUF_RING_MMAP << 48, 0, 0, 0];
    let (fd, at) = (ring.as_fd().raw(), request.as_ptr());
    // SAFETY: the request is borrowed for the call, and names no memory.
    let made = unsafe { libc::syscall(libc::SYS_io_uring_register, fd, REGISTER_PBUF_RING, at, 1) };
    if made != 0 {
        return skip("a_ring_of_buffers", "before Linux 6.4");
    }
    let mut buf = [0_u8; 16];
    for sqe in [
        Sqe::provide_buffers(buf.as_mut_ptr(), LEN, 1, 6, 0),
        Sqe::remove_buffers(1, 6),
    ] {
        assert_eq!(run(&mut ring, sqe), Err(Errno::EINVAL));
    }
}

#[test]
fn read_multishot() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::ReadMultishot, "read_multishot") {
        return;
    }
    let mut memory = [[0_u8; 16]; 3];
    let (reader, mut writer) = std::io::pipe().unwrap();
    let read = Sqe::read_multishot(reader.as_raw_fd(), 5).user_data(1);
    provide(&mut ring, &mut memory, 5, 0);
    push(&mut ring, read);
    ring.submit().unwrap();
    for (i, text) in (0..).zip([b"one", b"two"]) {
        writer.write_all(text).unwrap();
        let seen = ring.wait().unwrap();
        assert_eq!((seen.user_data, seen.result), (1, 3));
        assert_eq!((seen.buffer(), seen.has_more()), (Some(i), true));
        assert_eq!(&memory[usize::from(i)][..3], text);
        // It is one operation, however often it reports.
        assert_eq!(ring.in_flight(), Some(1));
    }
    // Two buffers' worth, and there is one left.
    writer.write_all(&[7; 32]).unwrap();
    let seen = ring.wait().unwrap();
    assert_eq!((seen.result, seen.has_more()), (16, true));
    let last = ring.wait().unwrap();
    assert_eq!(last.into_result(), Err(Errno::ENOBUFS));
    assert_eq!((last.flags, ring.in_flight()), (CqeFlags::empty(), Some(0)));

    provide(&mut ring, &mut memory, 5, 0);
    push(&mut ring, read);
    let rest = ring.wait().unwrap();
    assert_eq!((rest.result, rest.has_more()), (16, true));
    drop(writer);
    let end = ring.wait().unwrap();
    assert_eq!((end.into_result(), end.has_more()), (Ok(0), false));

    let sqe = Sqe::read_multishot(NO_FD, 5);
    assert_eq!(run(&mut ring, sqe), bad());
    let (_dir, file) = file(b"a file is always ready");
    let sqe = Sqe::read_multishot(raw(&file), 5);
    assert_eq!(run(&mut ring, sqe), Err(Errno::EBADFD));
}

#[test]
fn readv_fixed_and_writev_fixed() {
    let (dir, file) = file(b"0123456789");
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::ReadvFixed, "readv_fixed_and_writev_fixed") {
        return;
    }
    let mut memory = vec![0_u8; 8192];
    let base = memory.as_mut_ptr();
    let piece = |at: usize, len_bytes| IoVec {
        base: base.wrapping_add(at),
        len_bytes,
    };
    let pieces = [piece(100, 3), piece(0, 4)];
    let read = |fd, index| Sqe::readv_fixed(fd, pieces.as_ptr(), 2, 1, index);
    let write = |fd, index| Sqe::writev_fixed(fd, pieces.as_ptr(), 2, 0, index);
    assert_eq!(run(&mut ring, read(raw(&file), 0)), Err(Errno::EFAULT));
    ring.register_buffers(&[piece(0, 4096), piece(4096, 4096)])
        .unwrap();
    assert_eq!(run(&mut ring, read(raw(&file), 0)), Ok(7));
    assert_eq!(
        (&memory[100..103], &memory[..4]),
        (&b"123"[..], &b"4567"[..])
    );
    assert_eq!(run(&mut ring, write(raw(&file), 0)), Ok(7));
    assert_eq!(
        std::fs::read(dir.child("file")).unwrap(),
        b"1234567789".as_slice()
    );
    for sqe in [read(NO_FD, 0), write(NO_FD, 0)] {
        assert_eq!(run(&mut ring, sqe), bad());
    }
    // In another buffer, and one that is not there.
    for index in [1, 2] {
        for sqe in [read(raw(&file), index), write(raw(&file), index)] {
            assert_eq!(run(&mut ring, sqe), Err(Errno::EFAULT));
        }
    }
}
