//! Sockets, over the loopback and between two ends of a Unix socket.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{self, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd as _};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::ptr::null_mut;

use annulet::ring::{
    AddressFamily, BufferRing, Completion, CqeFlags, IoUring, IoVec, MsgFlags, MsgHdr,
    NOTIF_USAGE_ZC_COPIED, Opcode, ReceivedMessage, RecvSendFlags, Shutdown, SocketAddress,
    SocketFlags, SocketType, Sqe,
};
use annulet::sys::{Errno, Result};

use super::buffers::{push_to, run_on};
use super::operations::has;
use super::support::{NO_FD, adopt, bad, push, results, ring, run, skip};

const NONE: MsgFlags = MsgFlags::empty();
const CLOEXEC: SocketFlags = SocketFlags::CLOEXEC;
const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

fn not_a_socket<T>() -> Result<T> {
    Err(Errno::ENOTSOCK)
}

/// A listener on the loopback, if the machine has one.
fn listener(test: &str) -> Option<(TcpListener, SocketAddr)> {
    let found = TcpListener::bind(LOOPBACK).and_then(|it| it.local_addr().map(|at| (it, at)));
    if found.is_err() {
        skip(test, "there is no loopback");
    }
    found.ok()
}

/// Two connected ends over the loopback.
fn connected(test: &str) -> Option<(TcpStream, TcpStream)> {
    let (listener, at) = listener(test)?;
    let ours = TcpStream::connect(at).unwrap();
    Some((ours, listener.accept().unwrap().0))
}

/// Two connected sockets for datagrams, and the first one's address.
fn datagrams(test: &str) -> Option<(UdpSocket, UdpSocket, SocketAddr)> {
    let Ok(ours) = UdpSocket::bind(LOOPBACK) else {
        skip(test, "there is no loopback");
        return None;
    };
    let theirs = UdpSocket::bind(LOOPBACK).unwrap();
    ours.connect(theirs.local_addr().unwrap()).unwrap();
    let at = ours.local_addr().unwrap();
    Some((ours, theirs, at))
}

/// A socket of its own, not bound and not connected.
fn fresh(family: i32, kind: i32) -> File {
    // SAFETY: the call takes numbers only.
    let raw = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) };
    assert!(raw >= 0);
    // SAFETY: the kernel has just opened it for us.
    unsafe { File::from_raw_fd(raw) }
}

fn tcp() -> File {
    fresh(libc::AF_INET, libc::SOCK_STREAM)
}

fn is_cloexec(fd: &File) -> bool {
    // SAFETY: the call takes numbers only.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) == libc::FD_CLOEXEC }
}

fn null_device() -> File {
    File::options().write(true).open("/dev/null").unwrap()
}

/// What each operation answers to a descriptor that is not open, and to one of a file.
fn refused(ring: &mut IoUring, operation: impl Fn(i32) -> Sqe) {
    let file = null_device();
    assert_eq!(run(ring, operation(NO_FD)), bad());
    assert_eq!(run(ring, operation(file.as_raw_fd())), not_a_socket());
}

fn send_to(fd: &impl AsRawFd, data: &'static [u8]) -> Sqe {
    let len = u32::try_from(data.len()).unwrap();
    Sqe::send(fd.as_raw_fd(), data.as_ptr(), len, NONE)
}

fn piece(memory: &mut [u8]) -> IoVec {
    IoVec {
        base: memory.as_mut_ptr(),
        len_bytes: memory.len(),
    }
}

#[test]
fn socket() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::Socket, "socket") {
        return;
    }
    let flags = CLOEXEC | SocketFlags::NONBLOCK;
    let sqe = Sqe::socket(AddressFamily::Unix, SocketType::Dgram, flags, 0);
    let made = adopt(run(&mut ring, sqe).unwrap());
    assert!(is_cloexec(&made));
    // SAFETY: the call takes numbers only.
    let status = unsafe { libc::fcntl(made.as_raw_fd(), libc::F_GETFL) };
    assert_eq!(status & libc::O_NONBLOCK, libc::O_NONBLOCK);

    let wrong = |family, kind, protocol| Sqe::socket(family, kind, CLOEXEC, protocol);
    let protocol = wrong(AddressFamily::Unix, SocketType::Stream, 7);
    let expected = Err(Errno::EPROTONOSUPPORT);
    assert_eq!(run(&mut ring, protocol), expected);
    let kind = wrong(AddressFamily::Netlink, SocketType::Stream, 0);
    assert_eq!(run(&mut ring, kind), Err(Errno::ESOCKTNOSUPPORT));

    ring.register_files_sparse(2).unwrap();
    let with = |flags| Sqe::socket(AddressFamily::Unix, SocketType::Stream, flags, 0);
    let plain = with(SocketFlags::empty());
    assert_eq!(run(&mut ring, plain.direct(1)), Ok(0));
    assert_eq!(run(&mut ring, plain.direct_alloc()), Ok(0));
    assert_eq!(run(&mut ring, plain.direct_alloc()), Err(Errno::ENFILE));
    assert_eq!(run(&mut ring, with(CLOEXEC).direct(1)), Err(Errno::EINVAL));
    let unconnected = Sqe::send(1, b"x".as_ptr(), 1, NONE).fixed_file();
    assert_eq!(run(&mut ring, unconnected), Err(Errno::ENOTCONN));
}

#[test]
fn bind_and_listen() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::Bind, "bind_and_listen") || listener("bind_and_listen").is_none() {
        return;
    }
    let bind = |fd, at: &SocketAddress| Sqe::bind(fd, at.as_ptr(), at.len_bytes());
    let any_port = SocketAddress::from(SocketAddr::from(LOOPBACK));
    let first = tcp();
    assert_eq!(run(&mut ring, bind(first.as_raw_fd(), &any_port)), Ok(0));
    assert_eq!(run(&mut ring, Sqe::listen(first.as_raw_fd(), 8)), Ok(0));
    let again = bind(first.as_raw_fd(), &any_port);
    assert_eq!(run(&mut ring, again), Err(Errno::EINVAL));

    let listener = TcpListener::from(std::os::fd::OwnedFd::from(first));
    let at = listener.local_addr().unwrap();
    let client = TcpStream::connect(at).unwrap();
    assert_eq!(listener.accept().unwrap().1, client.local_addr().unwrap());

    let second = tcp();
    let taken = bind(second.as_raw_fd(), &at.into());
    assert_eq!(run(&mut ring, taken), Err(Errno::EADDRINUSE));
    // A network for documentation (RFC 5737): no machine's own.
    let elsewhere = SocketAddr::from(([192, 0, 2, 1], 0)).into();
    let elsewhere = bind(second.as_raw_fd(), &elsewhere);
    assert_eq!(run(&mut ring, elsewhere), Err(Errno::EADDRNOTAVAIL));
    let udp = fresh(libc::AF_INET, libc::SOCK_DGRAM);
    let listen = Sqe::listen(udp.as_raw_fd(), 8);
    assert_eq!(run(&mut ring, listen), Err(Errno::EOPNOTSUPP));
    refused(&mut ring, |fd| bind(fd, &any_port));
    refused(&mut ring, |fd| Sqe::listen(fd, 8));
}

#[test]
fn accept() {
    let Some(mut ring) = ring(4) else { return };
    let Some((listener, at)) = listener("accept") else {
        return;
    };
    let fd = listener.as_raw_fd();
    let mut name = SocketAddress::room();
    let (place, len) = name.parts_mut();
    // Nobody is there yet: it waits.
    push(&mut ring, Sqe::accept(fd, place, len, CLOEXEC));
    ring.submit().unwrap();
    let client = TcpStream::connect(at).unwrap();
    let accepted = ring.wait().unwrap().into_result().unwrap();
    assert_eq!(name.ip(), client.local_addr().ok());
    drop(client);
    let mut accepted = adopt(accepted);
    assert!(is_cloexec(&accepted));
    assert_eq!(accepted.read(&mut [0; 4]).unwrap(), 0);

    let without_name = |fd, flags| Sqe::accept(fd, null_mut(), null_mut(), flags);
    let _client = TcpStream::connect(at).unwrap();
    drop(adopt(run(&mut ring, without_name(fd, CLOEXEC)).unwrap()));
    // In its place the flag would mean a multishot one.
    let sqe = without_name(fd, CLOEXEC);
    assert_eq!(sqe.recv_send(RecvSendFlags::POLL_FIRST), sqe);
    let deaf = tcp();
    let sqe = without_name(deaf.as_raw_fd(), CLOEXEC);
    assert_eq!(run(&mut ring, sqe), Err(Errno::EINVAL));
    refused(&mut ring, |fd| without_name(fd, CLOEXEC));
}

#[test]
fn accept_into_slots() {
    let Some(mut ring) = ring(4) else { return };
    let Some((listener, at)) = listener("accept_into_slots") else {
        return;
    };
    if ring.register_files_sparse(3).is_err() {
        return skip("accept_into_slots", "before Linux 5.19");
    }
    let fd = listener.as_raw_fd();
    let accept = |flags| Sqe::accept(fd, null_mut(), null_mut(), flags);
    let mut client = TcpStream::connect(at).unwrap();
    let into_slot = accept(SocketFlags::empty()).direct(2);
    assert_eq!(run(&mut ring, into_slot), Ok(0));
    client.write_all(b"slot").unwrap();
    let mut buf = [0; 4];
    let recv = Sqe::recv(2, buf.as_mut_ptr(), 4, NONE).fixed_file();
    assert_eq!((run(&mut ring, recv), &buf), (Ok(4), b"slot"));
    let no_exec = accept(CLOEXEC).direct(2);
    assert_eq!(run(&mut ring, no_exec), Err(Errno::EINVAL));

    // Slots 0 and 1 are free; who comes third ends it.
    let accept = Sqe::accept_multishot(fd, SocketFlags::empty()).direct_alloc();
    push(&mut ring, accept);
    ring.submit().unwrap();
    let clients = [(); 3].map(|()| TcpStream::connect(at).unwrap());
    for slot in [0, 1] {
        let accepted = ring.wait().unwrap();
        assert_eq!(accepted.into_result(), Ok(slot));
        assert!(accepted.flags.contains(CqeFlags::MORE));
    }
    let last = ring.wait().unwrap();
    assert_eq!(last.into_result(), Err(Errno::ENFILE));
    assert!(!last.flags.contains(CqeFlags::MORE));
    drop(clients);
    // It cannot put all into one slot.
    let one = Sqe::accept_multishot(fd, SocketFlags::empty()).direct(2);
    assert_eq!(run(&mut ring, one), Err(Errno::EINVAL));
}

#[test]
fn accept_multishot() {
    let Some(mut ring) = ring(4) else { return };
    let Some((listener, at)) = listener("accept_multishot") else {
        return;
    };
    // Came with the kernel that has this operation.
    if !has(&ring, Opcode::Socket, "accept_multishot") {
        return;
    }
    let accept = |fd| Sqe::accept_multishot(fd, CLOEXEC).user_data(1);
    push(&mut ring, accept(listener.as_raw_fd()));
    for _ in 0..3 {
        ring.submit().unwrap();
        let mut client = TcpStream::connect(at).unwrap();
        let accepted = ring.wait().unwrap();
        assert!(accepted.flags.contains(CqeFlags::MORE));
        assert_eq!(ring.in_flight(), Some(1));
        let mut accepted = adopt(accepted.into_result().unwrap());
        assert!(is_cloexec(&accepted));
        client.write_all(b"you").unwrap();
        let mut buf = [0; 3];
        accepted.read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"you");
    }
    push(&mut ring, Sqe::cancel(1).user_data(2));
    let expected = [Err(Errno::ECANCELED), Ok(0)];
    assert_eq!(results(&mut ring, 2), expected);
    assert_eq!(ring.in_flight(), Some(0));
    refused(&mut ring, |fd| accept(fd).user_data(4711));
}

#[test]
fn connect() {
    let Some(mut ring) = ring(4) else { return };
    let Some((listener, at)) = listener("connect") else {
        return;
    };
    let connect = |fd, at: &SocketAddress| Sqe::connect(fd, at.as_ptr(), at.len_bytes());
    let name = SocketAddress::from(at);
    let client = tcp();
    assert_eq!(run(&mut ring, connect(client.as_raw_fd(), &name)), Ok(0));
    let again = connect(client.as_raw_fd(), &name);
    assert_eq!(run(&mut ring, again), Err(Errno::EISCONN));
    let client = TcpStream::from(std::os::fd::OwnedFd::from(client));
    assert_eq!(listener.accept().unwrap().1, client.local_addr().unwrap());

    drop(listener);
    let nobody = tcp();
    let refusal = connect(nobody.as_raw_fd(), &name);
    assert_eq!(run(&mut ring, refusal), Err(Errno::ECONNREFUSED));
    refused(&mut ring, |fd| connect(fd, &name));
}

#[test]
fn connect_to_a_path() {
    let Some(mut ring) = ring(4) else { return };
    let dir = super::support::temp_dir();
    let path = dir.child("socket");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let name = SocketAddress::unix(path.as_os_str().as_encoded_bytes()).unwrap();
    let connect = |fd: &File| Sqe::connect(fd.as_raw_fd(), name.as_ptr(), name.len_bytes());
    let unix = || fresh(libc::AF_UNIX, libc::SOCK_STREAM);
    let client = unix();
    assert_eq!(run(&mut ring, connect(&client)), Ok(0));

    let mut theirs = SocketAddress::room();
    let (place, len) = theirs.parts_mut();
    let accept = Sqe::accept(listener.as_raw_fd(), place, len, CLOEXEC);
    drop(adopt(run(&mut ring, accept).unwrap()));
    assert_eq!(theirs.path(), Some(&b""[..]), "a client has no name");

    drop(listener);
    assert_eq!(run(&mut ring, connect(&unix())), Err(Errno::ECONNREFUSED));
    std::fs::remove_file(path).unwrap();
    assert_eq!(run(&mut ring, connect(&unix())), Err(Errno::ENOENT));
}

#[test]
fn send_and_recv() {
    let Some(mut ring) = ring(4) else { return };
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut buf = [0; 8];
    let place = buf.as_mut_ptr();
    let recv = |fd, flags| Sqe::recv(fd, place, 8, flags);
    let from = theirs.as_raw_fd();
    assert_eq!(run(&mut ring, send_to(&ours, b"hello")), Ok(5));
    assert_eq!(run(&mut ring, recv(from, MsgFlags::PEEK)), Ok(5));
    assert_eq!(run(&mut ring, recv(from, NONE)), Ok(5));
    assert_eq!(&buf, b"hello\0\0\0");
    assert_eq!(
        run(&mut ring, recv(from, MsgFlags::DONTWAIT)),
        Err(Errno::EAGAIN)
    );
    // Waits until there is something, whatever its own calls would do.
    theirs.set_nonblocking(true).unwrap();
    push(&mut ring, recv(from, NONE).user_data(1));
    ring.submit().unwrap();
    push(&mut ring, send_to(&ours, b"late").user_data(2));
    assert_eq!(results(&mut ring, 2), [Ok(4); 2]);

    drop(ours);
    assert_eq!(run(&mut ring, recv(from, NONE)), Ok(0));
    assert_eq!(run(&mut ring, send_to(&theirs, b"gone")), Err(Errno::EPIPE));
    let alone = tcp();
    let sqe = recv(alone.as_raw_fd(), NONE);
    assert_eq!(run(&mut ring, sqe), Err(Errno::ENOTCONN));
    refused(&mut ring, |fd| recv(fd, NONE));
    refused(&mut ring, |fd| Sqe::send(fd, place, 1, NONE));
    let wrong = recv(from, NONE).recv_send(RecvSendFlags::from_bits_retain(1 << 15));
    assert_eq!(run(&mut ring, wrong), Err(Errno::EINVAL));
}

#[test]
fn a_short_count_cuts_a_chain_only_if_all_was_wanted() {
    for (flags, next) in [(NONE, Ok(0)), (MsgFlags::WAITALL, Err(Errno::ECANCELED))] {
        let Some(mut ring) = ring(4) else { return };
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(b"short").unwrap();
        ours.shutdown(net::Shutdown::Write).unwrap();
        let mut buf = [0; 8];
        let recv = Sqe::recv(theirs.as_raw_fd(), buf.as_mut_ptr(), 8, flags);
        push(&mut ring, recv.link().user_data(1));
        ring.push_nop(2).unwrap();
        assert_eq!(results(&mut ring, 2), [Ok(5), next]);
    }
}

#[test]
fn send_to_an_address() {
    let Some(mut ring) = ring(4) else { return };
    let Some((_, theirs, _)) = datagrams("send_to_an_address") else {
        return;
    };
    // Came with the kernel that has this operation.
    if !has(&ring, Opcode::SendmsgZc, "send_to_an_address") {
        return;
    }
    let ours = fresh(libc::AF_INET, libc::SOCK_DGRAM);
    let nowhere = send_to(&ours, b"post");
    assert_eq!(run(&mut ring, nowhere), Err(Errno::EDESTADDRREQ));
    let name = SocketAddress::from(theirs.local_addr().unwrap());
    let sqe = nowhere.to(name.as_ptr(), name.len_bytes());
    assert_eq!(run(&mut ring, sqe), Ok(4));
    let mut buf = [0; 8];
    assert_eq!(theirs.recv(&mut buf).unwrap(), 4);
    assert_eq!(&buf[..4], b"post");
    // As long as none is, and one of which the kernel would keep the lower half.
    for len_bytes in [129, 0x1_0000 + name.len_bytes()] {
        let sqe = nowhere.to(name.as_ptr(), len_bytes);
        assert_eq!(run(&mut ring, sqe), Err(Errno::EINVAL));
    }
}

#[test]
fn shutdown() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::Shutdown, "shutdown") {
        return;
    }
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    let down = |fd: &UnixStream, how| Sqe::shutdown(fd.as_raw_fd(), how);
    assert_eq!(run(&mut ring, down(&ours, Shutdown::Write)), Ok(0));
    assert_eq!(theirs.read(&mut [0; 4]).unwrap(), 0);
    theirs.write_all(b"back").unwrap();
    let mut buf = [0; 4];
    ours.read_exact(&mut buf).unwrap();
    assert_eq!(run(&mut ring, down(&ours, Shutdown::Read)), Ok(0));
    assert_eq!(run(&mut ring, send_to(&theirs, b"x")), Err(Errno::EPIPE));
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    assert_eq!(run(&mut ring, down(&ours, Shutdown::Both)), Ok(0));
    assert_eq!(run(&mut ring, send_to(&ours, b"x")), Err(Errno::EPIPE));
    assert_eq!(theirs.read(&mut [0; 4]).unwrap(), 0);
    assert_eq!(run(&mut ring, send_to(&theirs, b"x")), Err(Errno::EPIPE));
    let alone = tcp();
    let sqe = Sqe::shutdown(alone.as_raw_fd(), Shutdown::Both);
    assert_eq!(run(&mut ring, sqe), Err(Errno::ENOTCONN));
    refused(&mut ring, |fd| Sqe::shutdown(fd, Shutdown::Both));
}

/// Both completions of a zero-copy send, and what the second says.
fn send_zc_twice(ring: &mut IoUring, sqe: Sqe) -> (Result<u32>, i32) {
    push(ring, sqe.user_data(3));
    let sent = ring.wait().unwrap();
    assert!(sent.flags.contains(CqeFlags::MORE) && !sent.flags.contains(CqeFlags::NOTIF));
    assert_eq!(ring.in_flight(), Some(1));
    let notified = ring.wait().unwrap();
    assert!(notified.flags.contains(CqeFlags::NOTIF) && !notified.flags.contains(CqeFlags::MORE));
    assert_eq!((sent.user_data, notified.user_data), (3, 3));
    assert_eq!(ring.in_flight(), Some(0));
    (sent.into_result(), notified.result)
}

/// The first completion's result of a zero-copy send that fails, with or without a notification.
fn send_zc_fails(ring: &mut IoUring, sqe: Sqe) -> Result<u32> {
    push(ring, sqe);
    let failed = ring.wait().unwrap();
    if failed.flags.contains(CqeFlags::MORE) {
        assert!(ring.wait().unwrap().flags.contains(CqeFlags::NOTIF));
    }
    failed.into_result()
}

#[test]
fn send_zc() {
    let Some(mut ring) = ring(4) else { return };
    if !has(&ring, Opcode::SendZc, "send_zc") {
        return;
    }
    let Some((ours, mut theirs)) = connected("send_zc") else {
        return;
    };
    let mut memory = vec![7; 8192];
    let start = memory.as_mut_ptr();
    let fd = ours.as_raw_fd();
    let mut got = vec![0; 8192];
    // What is received frees the memory, here by another thread while this one waits.
    std::thread::scope(|scope| {
        scope.spawn(|| theirs.read_exact(&mut got).unwrap());
        let sqe = Sqe::send_zc(fd, start, 8192, MsgFlags::WAITALL);
        assert_eq!(send_zc_twice(&mut ring, sqe), (Ok(8192), 0));
    });
    assert_eq!(got, [7; 8192]);

    ring.register_buffers(&[piece(&mut memory)]).unwrap();
    let fixed = |start| Sqe::send_zc_fixed(fd, start, 4096, MsgFlags::WAITALL, 0);
    assert_eq!(send_zc_twice(&mut ring, fixed(start)), (Ok(4096), 0));
    let beyond = fixed(start.wrapping_add(4097));
    assert_eq!(send_zc_fails(&mut ring, beyond), Err(Errno::EFAULT));
    // Between two ends on one machine it is copied. That this is told (6.2) the probe does not
    // say; an operation that came later (6.7) does.
    if has(&ring, Opcode::ReadMultishot, "send_zc: what was copied") {
        let report = fixed(start).recv_send(RecvSendFlags::SEND_ZC_REPORT_USAGE);
        let copied = (Ok(4096), NOTIF_USAGE_ZC_COPIED);
        assert_eq!(send_zc_twice(&mut ring, report), copied);
    }
    let (unix, _other) = UnixStream::pair().unwrap();
    let send = |fd| Sqe::send_zc(fd, start, 1, NONE);
    let sqe = send(unix.as_raw_fd());
    assert_eq!(send_zc_fails(&mut ring, sqe), Err(Errno::EOPNOTSUPP));
    assert_eq!(send_zc_fails(&mut ring, send(NO_FD)), bad());
    let file = null_device();
    let sqe = send(file.as_raw_fd());
    assert_eq!(send_zc_fails(&mut ring, sqe), not_a_socket());
}

#[test]
fn sendmsg_zc() {
    let Some(mut ring) = ring(4) else { return };
    let Some((ours, theirs, _)) = datagrams("sendmsg_zc") else {
        return;
    };
    if !has(&ring, Opcode::SendmsgZc, "sendmsg_zc") {
        return;
    }
    let (mut a, mut b) = (*b"zero", *b"copy");
    let mut vectors = [piece(&mut a), piece(&mut b)];
    let header = MsgHdr {
        vectors: vectors.as_mut_ptr(),
        vector_count: 2,
        ..MsgHdr::default()
    };
    let send = |fd| Sqe::sendmsg_zc(fd, &raw const header, NONE);
    let mut buf = [0; 16];
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(theirs.recv(&mut buf).unwrap(), 8));
        assert_eq!(send_zc_twice(&mut ring, send(ours.as_raw_fd())).0, Ok(8));
    });
    assert_eq!(&buf[..8], b"zerocopy");
    assert_eq!(send_zc_fails(&mut ring, send(NO_FD)), bad());
    let file = null_device();
    let sqe = send(file.as_raw_fd());
    assert_eq!(send_zc_fails(&mut ring, sqe), not_a_socket());
}

#[test]
fn sendmsg_and_recvmsg() {
    let Some(mut ring) = ring(4) else { return };
    let Some((ours, theirs, at)) = datagrams("sendmsg_and_recvmsg") else {
        return;
    };
    let mut to = SocketAddress::from(theirs.local_addr().unwrap());
    let (mut a, mut b) = (*b"in ", *b"pieces");
    let mut vectors = [piece(&mut a), piece(&mut b)];
    let header = MsgHdr {
        name: to.parts_mut().0,
        name_len_bytes: to.len_bytes(),
        vectors: vectors.as_mut_ptr(),
        vector_count: 2,
        ..MsgHdr::default()
    };
    let send = |fd| Sqe::sendmsg(fd, &raw const header, NONE);
    assert_eq!(run(&mut ring, send(ours.as_raw_fd())), Ok(9));

    let mut name = [0; 32];
    let (mut c, mut d) = ([0; 5], [0; 2]);
    let mut vectors = [piece(&mut c), piece(&mut d)];
    let mut header = MsgHdr {
        name: name.as_mut_ptr(),
        name_len_bytes: 32,
        vectors: vectors.as_mut_ptr(),
        vector_count: 2,
        ..MsgHdr::default()
    };
    let place = &raw mut header;
    let recv = |fd| Sqe::recvmsg(fd, place, NONE);
    assert_eq!(run(&mut ring, recv(theirs.as_raw_fd())), Ok(7));
    assert_eq!((&c, &d), (b"in pi", b"ec"));
    let from = &name[..header.name_len_bytes as usize];
    assert_eq!(SocketAddress::from_bytes(from).ip(), Some(at));
    assert!(header.flags.contains(MsgFlags::TRUNC));
    refused(&mut ring, send);
    refused(&mut ring, recv);
}

/// A descriptor goes from one end to the other, as control data.
#[test]
fn a_descriptor_is_sent() {
    let Some(mut ring) = ring(4) else { return };
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    // The length in two halves, level, kind, one descriptor, and what fills the last eight bytes
    // up (`man 3 cmsg`).
    let (level, kind) = (libc::SOL_SOCKET, libc::SCM_RIGHTS);
    let mut control = [20, 0, level, kind, writer.as_raw_fd(), 0];
    let mut byte = [b'!'];
    let mut vector = piece(&mut byte);
    let mut header = MsgHdr {
        vectors: &raw mut vector,
        vector_count: 1,
        control: control.as_mut_ptr().cast(),
        control_len_bytes: 24,
        ..MsgHdr::default()
    };
    let place = &raw mut header;
    let send = Sqe::sendmsg(ours.as_raw_fd(), place, NONE);
    assert_eq!(run(&mut ring, send), Ok(1));
    drop(writer);
    let recv = Sqe::recvmsg(theirs.as_raw_fd(), place, MsgFlags::CMSG_CLOEXEC);
    assert_eq!(run(&mut ring, recv), Ok(1));
    assert!(header.control_len_bytes >= 20 && header.flags.contains(MsgFlags::CMSG_CLOEXEC));
    let raw = control[4].try_into().unwrap();
    adopt(raw).write_all(b"through").unwrap();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "through");
}

/// What the kernel has put into the buffer of a completion.
fn filled<'b>(buffers: &'b BufferRing<'_>, completion: Completion) -> &'b [u8] {
    buffers.bytes(completion.buffer().expect("a buffer"))
}

/// As [`refused`], of what picks from a group.
fn refused_with(buffers: &mut BufferRing<'_>, operation: impl Fn(i32) -> Sqe) {
    let file = null_device();
    let run = |buffers: &mut _, sqe| run_on(buffers, sqe).into_result();
    assert_eq!(run(buffers, operation(NO_FD)), bad());
    assert_eq!(run(buffers, operation(file.as_raw_fd())), not_a_socket());
}

#[test]
fn recv_multishot() {
    let Some(mut ring) = ring(4) else { return };
    // Came with the kernel that has this operation.
    if !has(&ring, Opcode::SendZc, "recv_multishot") {
        return;
    }
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut buffers = BufferRing::new(&mut ring, 2, 8).unwrap();
    let group = buffers.group();
    let recv = |fd| Sqe::recv_multishot(fd, group, NONE);
    push_to(&mut buffers, recv(theirs.as_raw_fd()));
    for text in [b"one", b"two"] {
        buffers.submit().unwrap();
        ours.write_all(text).unwrap();
        let received = buffers.wait().unwrap();
        assert_eq!(filled(&buffers, received), text);
        assert!(received.flags.contains(CqeFlags::MORE));
        assert_eq!(buffers.in_flight(), Some(1));
    }
    // Both buffers are used.
    ours.write_all(b"three").unwrap();
    let ended = buffers.wait().unwrap();
    assert_eq!(ended.into_result(), Err(Errno::ENOBUFS));
    assert!(!ended.flags.contains(CqeFlags::MORE));
    // One more than is filled, as kernels before 6.17 look for the next one at once.
    buffers.give_back(0).unwrap();
    buffers.give_back(1).unwrap();
    let received = run_on(&mut buffers, recv(theirs.as_raw_fd()));
    assert_eq!(filled(&buffers, received), b"three");
    drop(ours);
    let ended = buffers.wait().unwrap();
    assert_eq!(ended.into_result(), Ok(0));
    assert!(!ended.flags.contains(CqeFlags::MORE));
    assert_eq!(buffers.in_flight(), Some(0));
    refused_with(&mut buffers, recv);
    drop(buffers);
    let without_group = Sqe::recv_multishot(theirs.as_raw_fd(), group + 1, NONE);
    assert_eq!(run(&mut ring, without_group), Err(Errno::ENOBUFS));
}

#[test]
fn recvmsg_multishot() {
    let Some(mut ring) = ring(4) else { return };
    let Some((ours, theirs, at)) = datagrams("recvmsg_multishot") else {
        return;
    };
    // Came with the kernel that has this operation.
    if !has(&ring, Opcode::SendZc, "recvmsg_multishot") {
        return;
    }
    // Room for the header, an address, and eight bytes.
    let mut buffers = BufferRing::new(&mut ring, 2, 16 + 28 + 8).unwrap();
    let group = buffers.group();
    let asked = MsgHdr {
        name_len_bytes: 28,
        ..MsgHdr::default()
    };
    let recv = |fd| Sqe::recvmsg_multishot(fd, &raw const asked, group, NONE);
    push_to(&mut buffers, recv(theirs.as_raw_fd()));
    buffers.submit().unwrap();
    for (sent, data) in [
        (&b"one"[..], &b"one"[..]),
        (b"more than eight", b"more tha"),
    ] {
        ours.send(sent).unwrap();
        let received = buffers.wait().unwrap();
        assert!(received.flags.contains(CqeFlags::MORE));
        let message = ReceivedMessage::new(filled(&buffers, received), &asked).unwrap();
        assert_eq!((message.name.ip(), message.data), (Some(at), data));
        let is_cut = message.flags.contains(MsgFlags::TRUNC);
        assert_eq!((is_cut, message.control), (sent != data, &b""[..]));
    }
    ours.send(b"no buffer is left").unwrap();
    let ended = buffers.wait().unwrap();
    assert_eq!(ended.into_result(), Err(Errno::ENOBUFS));
    buffers.give_back(0).unwrap();
    let large = MsgHdr {
        name_len_bytes: 100,
        ..MsgHdr::default()
    };
    let large = Sqe::recvmsg_multishot(theirs.as_raw_fd(), &raw const large, group, NONE);
    let large = run_on(&mut buffers, large);
    assert_eq!(large.into_result(), Err(Errno::EFAULT));
    refused_with(&mut buffers, recv);
}
