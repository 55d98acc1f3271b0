//! Operations that wait for somebody else (sockets' too), and those that call operations off.

use super::operation::{Sqe, address};
use crate::sys::io_uring::{
    AddressFamily, MsgFlags, MsgHdr, Opcode, PollEvents, RecvSendFlags, Shutdown, SocketFlags,
    SocketType, SqeFlags, TimeoutFlags, Timespec,
};

/// Accept connections until it ends (`IORING_ACCEPT_MULTISHOT`).
const ACCEPT_MULTISHOT: u16 = 1 << 0;

/// Waiting and calling off.
impl Sqe {
    /// Waits once until `fd` is ready for one of `events`; result: the events that are
    /// (`man 2 poll`). Linux 5.1.
    pub fn poll_add(fd: i32, events: PollEvents) -> Self {
        let mut sqe = Self::new(Opcode::PollAdd, fd);
        sqe.0.op_flags = events.bits();
        sqe
    }

    /// Calls off the poll pushed with `target`, which completes with `ECANCELED`. Result: 0,
    /// `ENOENT` if there is none, `EALREADY` if it is just completing. Linux 5.1.
    pub fn poll_remove(target: u64) -> Self {
        Self::transfer(Opcode::PollRemove, -1, target, 0, 0)
    }

    /// Completes with `ETIME` after the time `timeout`, or with 0 when `count` other
    /// completions have come (0: none count). `timeout` is read at submission. Linux 5.4.
    pub fn timeout(timeout: *const Timespec, count: u32, flags: TimeoutFlags) -> Self {
        let (opcode, count) = (Opcode::Timeout, u64::from(count));
        let mut sqe = Self::transfer(opcode, -1, address(timeout), 1, count);
        sqe.0.op_flags = flags.bits();
        sqe
    }

    /// Calls off the timeout pushed with `target`, which completes with `ECANCELED`. Result:
    /// 0, `ENOENT` if there is none, `EBUSY` if it is just completing. Linux 5.5.
    pub fn timeout_remove(target: u64) -> Self {
        Self::transfer(Opcode::TimeoutRemove, -1, target, 0, 0)
    }

    /// Calls off the operation linked before it (which completes with `ECANCELED`) unless it
    /// is complete after the time `timeout`. Result: `ETIME` if it did, `ECANCELED` if the
    /// operation was complete in time. Linux 5.5.
    pub fn link_timeout(timeout: *const Timespec, flags: TimeoutFlags) -> Self {
        let mut sqe = Self::transfer(Opcode::LinkTimeout, -1, address(timeout), 1, 0);
        sqe.0.op_flags = flags.bits();
        sqe
    }

    /// Calls off the operation pushed with `target`, which if that succeeds completes with
    /// `ECANCELED` or `EINTR`. Result: 0, `ENOENT` if there is none, `EALREADY` if it is
    /// past calling off and will complete by itself. Linux 5.5.
    pub fn cancel(target: u64) -> Self {
        Self::transfer(Opcode::AsyncCancel, -1, target, 0, 0)
    }
}

/// Sockets.
///
/// All but [`Self::socket`] fail with `EBADF` where the descriptor is not open, and with
/// `ENOTSOCK` where it is no socket's. What would wait does so in the ring and holds up
/// nobody, also on a socket with [`SocketFlags::NONBLOCK`] (seen on 6.18); what sends or receives
/// with [`MsgFlags::DONTWAIT`] fails with `EAGAIN` instead.
///
/// What is "read at submission" may go once the kernel has taken the entry
/// ([`super::Features::SUBMIT_STABLE`], Linux 5.5); all other memory stays until the completion.
///
/// A short count cuts a chain ([`Self::link`]) only with [`MsgFlags::WAITALL`].
///
/// A multishot operation completes again and again, with [`super::CqeFlags::MORE`] each time
/// but the last, and counts as one in flight. It ends when it fails, when it is called off
/// ([`Self::cancel`]), and when the completion queue is full: then push it anew. The probe does
/// not say whether the kernel has it: 5.19 has [`Opcode::Socket`], 6.0 [`Opcode::SendZc`].
///
/// A server that sends back what it receives:
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::{Shutdown, TcpListener, TcpStream};
/// use std::os::fd::AsRawFd;
/// use std::ptr::null_mut;
/// use annulet::ring::{IoUring, MsgFlags, SocketFlags, Sqe};
///
/// # fn main() -> std::io::Result<()> {
/// # let Ok(mut ring) = IoUring::new(4) else { return Ok(()) };
/// # let Ok(listener) = TcpListener::bind("127.0.0.1:0") else { return Ok(()) };
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// client.write_all(b"hello")?;
/// client.shutdown(Shutdown::Write)?;
///
/// let mut buf = [0; 4];
/// let (start, none) = (buf.as_mut_ptr(), MsgFlags::empty());
/// let mut run = |sqe| {
///     // SAFETY: the listener and `buf` outlive the ring's waiting, the connection is closed by
///     // the last operation, and one operation at a time uses them.
///     unsafe { ring.push(&sqe) }.unwrap();
///     ring.wait().unwrap().into_result().unwrap()
/// };
/// let accept = Sqe::accept(listener.as_raw_fd(), null_mut(), null_mut(), SocketFlags::CLOEXEC);
/// let connection = run(accept) as i32;
/// loop {
///     let count = run(Sqe::recv(connection, start, 4, none));
///     if count == 0 {
///         break; // the client sends no more
///     }
///     run(Sqe::send(connection, start, count, MsgFlags::WAITALL));
/// }
/// run(Sqe::close(connection));
///
/// let mut answer = String::new();
/// client.read_to_string(&mut answer)?;
/// assert_eq!(answer, "hello");
/// # Ok(()) }
/// ```
impl Sqe {
    /// Makes a socket; result: the descriptor, or as [`Self::direct`] says (`man 2 socket`).
    /// `protocol` is 0 for the usual one. `EAFNOSUPPORT`, `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`:
    /// the kernel has no such; `EPERM`: not for us. Linux 5.19.
    pub fn socket(
        family: AddressFamily,
        kind: SocketType,
        flags: SocketFlags,
        protocol: u32,
    ) -> Self {
        // The kernel takes the family where other operations have a descriptor.
        let (family, kind) = (i32::from(family as u16), kind as u32 | flags.bits());
        Self::transfer(Opcode::Socket, family, 0, protocol, u64::from(kind))
    }

    /// Gives a socket the address `name`, read at submission; result: 0 (`man 2 bind`).
    /// `EADDRINUSE`; `EADDRNOTAVAIL`: not one of this machine; `EINVAL`: it has one. Linux 6.11.
    pub fn bind(fd: i32, name: *const u8, len_bytes: u32) -> Self {
        Self::transfer(Opcode::Bind, fd, address(name), 0, u64::from(len_bytes))
    }

    /// Has a socket take connections, of which up to `backlog` wait to be accepted; result: 0
    /// (`man 2 listen`). `EOPNOTSUPP`: its kind has none (datagrams). Linux 6.11.
    pub fn listen(fd: i32, backlog: u32) -> Self {
        Self::transfer(Opcode::Listen, fd, 0, backlog, 0)
    }

    /// Accepts a connection; result: its descriptor, or as [`Self::direct`] says
    /// (`man 2 accept4`). `EINVAL`: the socket does not listen.
    ///
    /// The other end's address is written to `name`, and its length, which may be more than
    /// there was room for, to `len_bytes`, where the room is read first; both may be null
    /// ([`super::SocketAddress::parts_mut`] gives them). Linux 5.5.
    pub fn accept(fd: i32, name: *mut u8, len_bytes: *mut u32, flags: SocketFlags) -> Self {
        let (name, len) = (address(name), address(len_bytes));
        let mut sqe = Self::transfer(Opcode::Accept, fd, name, 0, len);
        sqe.0.op_flags = flags.bits();
        sqe
    }

    /// Accepts connections one after the other; results as [`Self::accept`]. There is no
    /// room for addresses: all would be written to the same place. With
    /// [`Self::direct_alloc`] to direct descriptors, with [`Self::direct`] `EINVAL`.
    /// Linux 5.19.
    pub fn accept_multishot(fd: i32, flags: SocketFlags) -> Self {
        let mut sqe = Self::new(Opcode::Accept, fd);
        sqe.0.op_flags = flags.bits();
        sqe.0.ioprio = ACCEPT_MULTISHOT;
        sqe
    }

    /// Connects a socket to the address `name`, read at submission; result: 0
    /// (`man 2 connect`). `ECONNREFUSED`: nobody listens there; `EISCONN`; `ETIMEDOUT`.
    /// Linux 5.5.
    pub fn connect(fd: i32, name: *const u8, len_bytes: u32) -> Self {
        Self::transfer(Opcode::Connect, fd, address(name), 0, u64::from(len_bytes))
    }

    /// Shuts one way of a connection down or both; result: 0 (`man 2 shutdown`). `ENOTCONN`.
    /// Linux 5.11.
    pub fn shutdown(fd: i32, how: Shutdown) -> Self {
        Self::transfer(Opcode::Shutdown, fd, 0, how as u32, 0)
    }

    fn message<T>(opcode: Opcode, fd: i32, at: *const T, len: u32, flags: MsgFlags) -> Self {
        let mut sqe = Self::transfer(opcode, fd, address(at), len, 0);
        sqe.0.op_flags = flags.bits();
        sqe
    }

    /// Sends up to `len_bytes` from `buf`; result: the count (`man 2 send`). `EPIPE`: the
    /// connection is shut down; `ECONNRESET`; `ENOTCONN`, `EDESTADDRREQ`: it goes nowhere;
    /// `EMSGSIZE`: too long for one datagram. Linux 5.6.
    pub fn send(fd: i32, buf: *const u8, len_bytes: u32, flags: MsgFlags) -> Self {
        Self::message(Opcode::Send, fd, buf, len_bytes, flags)
    }

    /// As [`Self::send`], without copying where the network can: `buf` may be sent from
    /// after the completion. Result: the count; if that completion has
    /// [`super::CqeFlags::MORE`], a second, the notification, follows with
    /// [`super::CqeFlags::NOTIF`], and `buf` stays until then: so long the operation is in
    /// flight. One that failed may have a notification too. `EOPNOTSUPP`: not by this protocol
    /// (Unix sockets). Linux 6.0.
    pub fn send_zc(fd: i32, buf: *const u8, len_bytes: u32, flags: MsgFlags) -> Self {
        Self::message(Opcode::SendZc, fd, buf, len_bytes, flags)
    }

    /// As [`Self::send_zc`], from memory within registered buffer `index`; `EFAULT`: it is not.
    /// Linux 6.0.
    pub fn send_zc_fixed(
        fd: i32,
        buf: *const u8,
        len_bytes: u32,
        flags: MsgFlags,
        index: u16,
    ) -> Self {
        let mut sqe = Self::send_zc(fd, buf, len_bytes, flags);
        sqe.0.buf_index = index;
        sqe.recv_send(RecvSendFlags::FIXED_BUF)
    }

    /// Gives a [`Self::send`] or one of its zero-copy kin the address to send to, read at
    /// submission (`man 2 sendto`). Linux 6.1; of the latter 6.0.
    pub fn to(mut self, name: *const u8, len_bytes: u32) -> Self {
        self.0.off = address(name);
        // The kernel has 16 bits for it and knows no address of even 1000 bytes (`EINVAL`).
        let [low, high] = u16::try_from(len_bytes).unwrap_or(u16::MAX).to_ne_bytes();
        self.0.file_index = u32::from_ne_bytes([low, high, 0, 0]);
        self
    }

    /// Receives up to `len_bytes` into `buf`; result: the count, 0 if the other end sends no
    /// more (`man 2 recv`). `ENOTCONN`: a stream that is not connected; `ECONNRESET`;
    /// `ECONNREFUSED`: so was a datagram that was sent. Linux 5.6.
    pub fn recv(fd: i32, buf: *mut u8, len_bytes: u32, flags: MsgFlags) -> Self {
        Self::message(Opcode::Recv, fd, buf, len_bytes, flags)
    }

    /// Receives again and again, each time into a buffer that the kernel picks from group
    /// `group`; results as [`Self::recv`], 0 being the last, and `ENOBUFS` if the group has
    /// run empty. The upper 16 bits of a completion's flags name the buffer; the group's
    /// memory stays as long as they are provided. Linux 6.0.
    pub fn recv_multishot(fd: i32, group: u16, flags: MsgFlags) -> Self {
        let nowhere = core::ptr::null::<u8>();
        Self::message(Opcode::Recv, fd, nowhere, 0, flags).multishot_of(group)
    }

    /// Sends a message in pieces; results as [`Self::send`] (`man 2 sendmsg`). `header`, its
    /// vectors and its address are read at submission, the pieces and control data until the
    /// completion. Linux 5.3.
    pub fn sendmsg(fd: i32, header: *const MsgHdr, flags: MsgFlags) -> Self {
        Self::message(Opcode::Sendmsg, fd, header, 1, flags)
    }

    /// As [`Self::sendmsg`], without copying, as [`Self::send_zc`] says. Linux 6.1.
    pub fn sendmsg_zc(fd: i32, header: *const MsgHdr, flags: MsgFlags) -> Self {
        Self::message(Opcode::SendmsgZc, fd, header, 1, flags)
    }

    /// Receives a message in pieces; results as [`Self::recv`] (`man 2 recvmsg`). The vectors
    /// are read at submission; lengths and flags are written into `header` at the end.
    /// Linux 5.3.
    pub fn recvmsg(fd: i32, header: *mut MsgHdr, flags: MsgFlags) -> Self {
        Self::message(Opcode::Recvmsg, fd, header, 1, flags)
    }

    /// As [`Self::recv_multishot`], with addresses and control data, for which `header` gives
    /// the room and no place: [`super::ReceivedMessage`] takes apart what is put into each
    /// buffer. `header` is read at submission. `EFAULT`: a buffer is too small for its
    /// room. Linux 6.0.
    pub fn recvmsg_multishot(fd: i32, header: *const MsgHdr, group: u16, flags: MsgFlags) -> Self {
        Self::message(Opcode::Recvmsg, fd, header, 1, flags).multishot_of(group)
    }

    fn multishot_of(mut self, group: u16) -> Self {
        self.0.buf_index = group;
        self.flags(SqeFlags::BUFFER_SELECT)
            .recv_send(RecvSendFlags::RECV_MULTISHOT)
    }

    /// Adds flags to an operation that sends or receives; `EINVAL` for one that does not know
    /// them. [`RecvSendFlags`] has the first kernel of each.
    pub const fn recv_send(mut self, flags: RecvSendFlags) -> Self {
        self.0.ioprio |= flags.bits();
        self
    }
}
