//! Operations that wait for somebody else (sockets' too), and those that call operations off.

use core::ptr::null_mut;
use core::sync::atomic::AtomicU32;

use super::cancel::Cancel;
use super::operation::{Sqe, address};
use crate::sys::io_uring::{
    AddressFamily, ChildInfo, CqeFlags, FutexFlags, FutexWaitv, MsgFlags, MsgHdr, MsgRingFlags,
    Opcode, PollEvents, PollFlags, RecvSendFlags, Shutdown, SocketFlags, SocketType, TimeoutFlags,
    Timespec, WaitFor, WaitOptions,
};

/// Messages to other rings: a completion, or a descriptor (`IORING_MSG_*`).
const MSG_DATA: u64 = 0;
const MSG_SEND_FD: u64 = 1;

/// Accept connections until it ends (`IORING_ACCEPT_MULTISHOT`).
const ACCEPT_MULTISHOT: u16 = 1 << 0;

/// Waiting and calling off.
impl Sqe {
    /// Waits once until `fd` is ready for one of `events`; result: the events that are
    /// (`man 2 poll`). Linux 5.1.
    pub fn poll_add(fd: i32, events: PollEvents) -> Self {
        Self::new(Opcode::PollAdd, fd).op_flags(events.bits())
    }

    /// As [`Self::poll_add`], again and again: each time that `fd` becomes ready, not as long as it
    /// is. A completion without [`super::CqeFlags::MORE`] is the last: an error, or the completion
    /// queue was full. Not with [`Self::skip_success`] (`EINVAL`). Linux 5.13.
    pub fn poll_multishot(fd: i32, events: PollEvents) -> Self {
        let mut sqe = Self::poll_add(fd, events);
        sqe.0.len = PollFlags::MULTISHOT.bits();
        sqe
    }

    /// Changes the poll pushed with `target`, once or multishot, which goes on. Result: 0,
    /// `ENOENT` if there is none, `EALREADY` if it is just completing. Linux 5.13.
    pub fn poll_update(target: u64, change: PollChange) -> Self {
        let (events, user_data) = match change {
            PollChange::Events(events) => (Some(events), None),
            PollChange::UserData(user_data) => (None, Some(user_data)),
            PollChange::Both(events, user_data) => (Some(events), Some(user_data)),
        };
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::UPDATE_EVENTS, events.is_some());
        flags.set(PollFlags::UPDATE_USER_DATA, user_data.is_some());
        let (opcode, user_data) = (Opcode::PollRemove, user_data.unwrap_or(0));
        Self::transfer(opcode, -1, target, flags.bits(), user_data)
            .op_flags(events.map_or(0, |events| events.bits()))
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
        Self::transfer(opcode, -1, address(timeout), 1, count).op_flags(flags.bits())
    }

    /// Completes with `ETIME` each time that `timeout`, a span, has gone by: `count` times, the
    /// last without [`super::CqeFlags::MORE`], or for ever (0). A full completion queue ends it.
    /// `timeout` is read at submission. `EINVAL` with [`TimeoutFlags::ABS`]. Linux 6.4.
    pub fn timeout_multishot(timeout: *const Timespec, count: u32, flags: TimeoutFlags) -> Self {
        Self::timeout(timeout, count, flags | TimeoutFlags::MULTISHOT)
    }

    /// Gives the timeout pushed with `target` a new time, from now on or with
    /// [`TimeoutFlags::ABS`] a point of time by the clock that it has, and no count. `timeout` is
    /// read at submission. Result: 0; `ENOENT`, `EALREADY` as [`Self::timeout_remove`]; `EINVAL`
    /// for other flags. Linux 5.11.
    pub fn timeout_update(target: u64, timeout: *const Timespec, flags: TimeoutFlags) -> Self {
        Self::transfer(Opcode::TimeoutRemove, -1, target, 0, address(timeout))
            .op_flags((flags | TimeoutFlags::UPDATE).bits())
    }

    /// As [`Self::timeout_update`], of a [`Self::link_timeout`] whose operation has begun.
    /// Linux 5.15.
    pub fn link_timeout_update(target: u64, timeout: *const Timespec, flags: TimeoutFlags) -> Self {
        Self::timeout_update(target, timeout, flags | TimeoutFlags::LINK_UPDATE)
    }

    /// Calls off the timeout pushed with `target`, which completes with `ECANCELED`. Result:
    /// 0, `ENOENT` if there is none or its time has come, `EALREADY` if it is just coming (the
    /// man page has `EBUSY` for it). Linux 5.5.
    pub fn timeout_remove(target: u64) -> Self {
        Self::transfer(Opcode::TimeoutRemove, -1, target, 0, 0)
    }

    /// Calls off the operation linked before it (which completes with `ECANCELED`) unless it
    /// is complete after the time `timeout`. Result: `ETIME` if it did, `ECANCELED` if the
    /// operation was complete in time. Linux 5.5.
    pub fn link_timeout(timeout: *const Timespec, flags: TimeoutFlags) -> Self {
        Self::transfer(Opcode::LinkTimeout, -1, address(timeout), 1, 0).op_flags(flags.bits())
    }

    /// Calls off the operation pushed with `target`, which if that succeeds completes with
    /// `ECANCELED`. Result: 0 (1 where it waits for a futex or a child), `ENOENT` if there is
    /// none, `EALREADY` if it is running in a worker: if it can be interrupted it completes with
    /// `EINTR` (a splice with 512, which is `ERESTARTSYS`; seen on 6.18), else by itself.
    /// Linux 5.5.
    pub fn cancel(target: u64) -> Self {
        Self::transfer(Opcode::AsyncCancel, -1, target, 0, 0)
    }

    /// Calls off the operations that `which` chooses, as [`Self::cancel`]. Result with
    /// [`Cancel::all`]: how many were found, which may be none; all that wait for futexes count as
    /// one, and so do all for children. `EBADF`: the descriptor is not open. `EINVAL`: the kernel
    /// is older than a property that was named. Linux 5.5; [`Cancel`] has the first kernel of each
    /// property.
    pub fn cancel_matching(which: Cancel) -> Self {
        let (fd, user_data, opcode, flags) = which.parts();
        Self::transfer(Opcode::AsyncCancel, fd, user_data, opcode.into(), 0).op_flags(flags.bits())
    }
}

/// Other threads, processes and rings.
impl Sqe {
    fn futex(opcode: Opcode, word: *const AtomicU32, value: u32, mask: u32, flags: u32) -> Self {
        // The kernel takes the flags where other operations have a descriptor.
        let mut sqe = Self::transfer(
            opcode,
            flags.cast_signed(),
            address(word),
            0,
            u64::from(value),
        );
        sqe.0.addr3 = u64::from(mask);
        sqe
    }

    /// Waits until `word` is woken with a mask that has a bit of `mask` (`u32::MAX`: whichever),
    /// if it is `expected` (`man 2 futex`). Result: 0; `EAGAIN`: it is not; `EINVAL`: no bit.
    /// Linux 6.7.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use annulet::ring::{FutexFlags, IoUring, Opcode, Sqe};
    ///
    /// # let Ok(mut ring) = IoUring::new(2) else { return };
    /// # if !ring.probe().is_ok_and(|probe| probe.supports(Opcode::FutexWait)) { return }
    /// let (word, threads) = (AtomicU32::new(0), FutexFlags::PRIVATE);
    /// let wait = Sqe::futex_wait(&raw const word, 0, u32::MAX, threads);
    /// // SAFETY: `word` outlives the completions.
    /// unsafe { ring.push(&wait) }.unwrap();
    /// ring.submit().unwrap();
    /// // Another thread would do this.
    /// word.store(1, Ordering::Release);
    /// let wake = Sqe::futex_wake(&raw const word, 1, u32::MAX, threads).user_data(1);
    /// // SAFETY: as above.
    /// unsafe { ring.push(&wake) }.unwrap();
    /// for _ in 0..2 {
    ///     let completion = ring.wait().unwrap();
    ///     let woken = completion.user_data as u32;
    ///     assert_eq!(completion.into_result(), Ok(woken));
    /// }
    /// ```
    pub fn futex_wait(word: *const AtomicU32, expected: u32, mask: u32, flags: FutexFlags) -> Self {
        Self::futex(Opcode::FutexWait, word, expected, mask, flags.with_size())
    }

    /// Wakes up to `count` who wait for `word` with a mask that has a bit of `mask`; result: how
    /// many. `EINVAL`: no bit. Linux 6.7.
    pub fn futex_wake(word: *const AtomicU32, count: u32, mask: u32, flags: FutexFlags) -> Self {
        Self::futex(Opcode::FutexWake, word, count, mask, flags.with_size())
    }

    /// Waits until one of `count` words (at most 128) is woken, if each is what is expected
    /// (`man 2 futex_waitv`). `futexes` is read at submission. Result: the place of one that was
    /// woken, from 0 on; `EAGAIN`: one is not as expected. Linux 6.7.
    pub fn futex_waitv(futexes: *const FutexWaitv, count: u32) -> Self {
        Self::transfer(Opcode::FutexWaitv, 0, address(futexes), count, 0)
    }

    /// Waits until a child that `which` names has done one of `options`, and writes what into
    /// `info` unless that is null, also where it fails (`man 2 waitid`). Result: 0, with
    /// [`WaitOptions::NOHANG`] also for nothing; `ECHILD`: no such child; `EINVAL`: no change
    /// among the options. Linux 6.7.
    pub fn waitid(which: WaitFor, info: *mut ChildInfo, options: WaitOptions) -> Self {
        // `P_*` of `include/uapi/linux/wait.h`.
        let (kind, id) = match which {
            WaitFor::All => (0, 0),
            WaitFor::Pid(id) => (1, id),
            WaitFor::Group(id) => (2, id),
            WaitFor::PidFd(fd) => (3, fd),
        };
        let mut sqe = Self::transfer(Opcode::Waitid, id, 0, kind, address(info));
        sqe.0.file_index = options.bits();
        sqe
    }

    /// Posts a completion with this `user_data` and `result` to the ring of descriptor `ring`,
    /// which has to expect it ([`super::IoUring::expect_messages`]). Result: 0; `EBADFD`: no ring,
    /// or one that is disabled; `EOVERFLOW`, `ENOMEM`: no memory for it. Linux 5.18.
    ///
    /// ```
    /// use annulet::ring::{IoUring, Opcode, Sqe};
    ///
    /// # let Ok(mut ring) = IoUring::new(1) else { return };
    /// # if !ring.probe().is_ok_and(|probe| probe.supports(Opcode::MsgRing)) { return }
    /// let mut other = IoUring::new(1).unwrap();
    /// other.expect_messages();
    /// // SAFETY: `other` expects messages and lives as long.
    /// unsafe { ring.push(&Sqe::msg_ring(other.as_fd().raw(), 7, 42)) }.unwrap();
    /// assert_eq!(ring.wait().unwrap().into_result(), Ok(0));
    /// let message = other.wait().unwrap();
    /// assert_eq!((message.user_data, message.result), (7, 42));
    /// ```
    pub fn msg_ring(ring: i32, user_data: u64, result: i32) -> Self {
        let len = result.cast_unsigned();
        Self::transfer(Opcode::MsgRing, ring, MSG_DATA, len, user_data)
    }

    /// As [`Self::msg_ring`], with flags. Linux 6.3.
    pub fn msg_ring_flags(ring: i32, user_data: u64, result: i32, flags: CqeFlags) -> Self {
        let mut sqe = Self::msg_ring(ring, user_data, result);
        sqe.0.op_flags = MsgRingFlags::FLAGS_PASS.bits();
        sqe.0.file_index = flags.bits();
        sqe
    }

    /// Gives the direct descriptor in slot `slot` to the ring of descriptor `ring` too: in a free
    /// slot there, or in the one that [`Self::direct`] names. Result: the slot, or 0 if it was
    /// named; a completion there, which it has to expect ([`super::IoUring::expect_messages`]),
    /// has the same with this `user_data`, if `flags` do not say otherwise. `EBADF`: `slot` is
    /// empty; `EBADFD`: no ring; `ENFILE`: no slot is free there; `ENXIO`: it has none; `EINVAL`:
    /// it is the same ring, or there is no such slot. Linux 6.0.
    pub fn msg_ring_fd(ring: i32, slot: u32, user_data: u64, flags: MsgRingFlags) -> Self {
        let mut sqe = Self::transfer(Opcode::MsgRing, ring, MSG_SEND_FD, 0, user_data);
        sqe.0.addr3 = u64::from(slot);
        sqe.0.op_flags = flags.bits();
        sqe.direct_alloc()
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
        Self::transfer(Opcode::Accept, fd, name, 0, len).op_flags(flags.bits())
    }

    /// Accepts connections one after the other; results as [`Self::accept`]. There is no
    /// room for addresses: all would be written to the same place. With
    /// [`Self::direct_alloc`] to direct descriptors, with [`Self::direct`] `EINVAL`.
    /// Linux 5.19.
    pub fn accept_multishot(fd: i32, flags: SocketFlags) -> Self {
        let mut sqe = Self::accept(fd, null_mut(), null_mut(), flags);
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
        Self::transfer(opcode, fd, address(at), len, 0).op_flags(flags.bits())
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
        Self::send_zc(fd, buf, len_bytes, flags)
            .buf_index(index)
            .recv_send(RecvSendFlags::FIXED_BUF)
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
    /// run empty. A completion names the buffer ([`super::Completion::buffer`]); the group's
    /// memory stays as long as they are provided. Linux 6.0.
    pub fn recv_multishot(fd: i32, group: u16, flags: MsgFlags) -> Self {
        Self::recv(fd, null_mut(), 0, flags).multishot_of(group)
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

    fn multishot_of(self, group: u16) -> Self {
        self.buffer_group(group)
            .recv_send(RecvSendFlags::RECV_MULTISHOT)
    }

    /// Adds flags to an operation that sends or receives; to another it adds nothing, as they would
    /// mean something else there. `EINVAL` where the kernel does not know them for this operation:
    /// [`RecvSendFlags`] has the first kernel of each.
    pub fn recv_send(mut self, flags: RecvSendFlags) -> Self {
        const SENDING: [Opcode; 4] = [
            Opcode::Send,
            Opcode::Sendmsg,
            Opcode::SendZc,
            Opcode::SendmsgZc,
        ];
        const RECEIVING: [Opcode; 2] = [Opcode::Recv, Opcode::Recvmsg];
        let is = |opcode: &Opcode| *opcode as u8 == self.0.opcode;
        if SENDING.iter().chain(&RECEIVING).any(is) {
            self.0.ioprio |= flags.bits();
        }
        self
    }
}

/// What [`Sqe::poll_update`] changes.
///
/// ```
/// use annulet::ring::{IoUring, Opcode, PollChange, PollEvents, Sqe};
/// use std::os::fd::AsRawFd;
///
/// # let Ok(mut ring) = IoUring::new(2) else { return };
/// # if !ring.probe().is_ok_and(|probe| probe.supports(Opcode::Mkdirat)) { return } // 5.15
/// let (_reader, writer) = std::io::pipe().unwrap();
/// let poll = Sqe::poll_add(writer.as_raw_fd(), PollEvents::empty()).user_data(1);
/// let update = Sqe::poll_update(1, PollChange::Events(PollEvents::OUT));
/// for sqe in [poll, update] {
///     // SAFETY: `writer` outlives the completions.
///     unsafe { ring.push(&sqe) }.unwrap();
/// }
/// for _ in 0..2 {
///     let completion = ring.wait().unwrap();
///     let polled = completion.user_data == 1;
///     let expected = if polled { PollEvents::OUT.bits() } else { 0 };
///     assert_eq!(completion.into_result(), Ok(expected));
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollChange {
    /// What is waited for.
    Events(PollEvents),
    /// The number that its completions carry.
    UserData(u64),
    /// Both.
    Both(PollEvents, u64),
}
