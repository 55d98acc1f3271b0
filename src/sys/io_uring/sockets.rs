//! What sockets' operations take and give: flags, addresses, and messages in pieces.

use core::mem::offset_of;
use core::net::{IpAddr, SocketAddr};

use bitflags::bitflags;

use super::layout::IoVec;
use crate::sys::{Errno, Result};

bitflags! {
    /// How a new socket's descriptor is (`SOCK_*`, `man 2 socket`, `man 2 accept4`).
    ///
    /// ```
    /// use annulet::ring::{AddressFamily, IoUring, Opcode, SocketFlags, SocketType, Sqe};
    ///
    /// # let Ok(mut ring) = IoUring::new(1) else { return };
    /// # if !ring.probe().is_ok_and(|probe| probe.supports(Opcode::Socket)) { return }
    /// let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    /// let sqe = Sqe::socket(AddressFamily::Unix, SocketType::Stream, flags, 0);
    /// // SAFETY: the operation names no memory and no descriptor.
    /// unsafe { ring.push(&sqe) }.unwrap();
    /// assert!(ring.wait().unwrap().into_result().is_ok());
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct SocketFlags: u32 {
        /// Calls that would wait fail with `EAGAIN`. Operations in the ring wait nevertheless.
        const NONBLOCK = 0x800;
        /// Closed when another program is executed; not for direct descriptors.
        const CLOEXEC = 0x8_0000;
    }

    /// How to send or receive, and what is said of a received message (`MSG_*`,
    /// `man 2 send`, `man 2 recv`).
    ///
    /// ```
    /// use std::{io::Write, os::fd::AsRawFd, os::unix::net::UnixStream};
    /// use annulet::ring::{IoUring, MsgFlags, Sqe};
    ///
    /// # let Ok(mut ring) = IoUring::new(1) else { return };
    /// let (mut ours, theirs) = UnixStream::pair().unwrap();
    /// ours.write_all(b"again").unwrap();
    /// let mut buf = [0; 5];
    /// for flags in [MsgFlags::PEEK, MsgFlags::WAITALL] {
    ///     let sqe = Sqe::recv(theirs.as_raw_fd(), buf.as_mut_ptr(), 5, flags);
    ///     // SAFETY: `buf` and `theirs` are there until the completion is reaped below.
    ///     unsafe { ring.push(&sqe) }.unwrap();
    ///     assert_eq!(ring.wait().unwrap().into_result(), Ok(5));
    ///     assert_eq!(&buf, b"again");
    /// }
    /// ```
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    #[repr(transparent)]
    pub struct MsgFlags: u32 {
        /// Urgent data.
        const OOB = 0x1;
        /// Leave in the socket what is received.
        const PEEK = 0x2;
        /// To hosts on directly connected networks only.
        const DONTROUTE = 0x4;
        /// Received: control data did not fit.
        const CTRUNC = 0x8;
        /// Received: the datagram did not fit. Asked for: its whole length is the result.
        const TRUNC = 0x20;
        /// Fail with `EAGAIN` instead of waiting.
        const DONTWAIT = 0x40;
        /// The end of a record.
        const EOR = 0x80;
        /// Go on until all is received, and for a stream until all is sent (5.19).
        const WAITALL = 0x100;
        /// Take from the queue of errors.
        const ERRQUEUE = 0x2000;
        /// No `SIGPIPE`, only `EPIPE`. Newer kernels always do so in the ring.
        const NOSIGNAL = 0x4000;
        /// More will follow.
        const MORE = 0x8000;
        /// Received descriptors are closed when another program is executed.
        const CMSG_CLOEXEC = 0x4000_0000;
    }

    /// What `io_uring` does when it sends and receives (`IORING_RECVSEND_*`,
    /// `IORING_RECV_*`, `IORING_SEND_*`), for [`Sqe::recv_send`](crate::ring::Sqe::recv_send).
    ///
    /// ```
    /// use std::{io::Write, os::fd::AsRawFd, os::unix::net::UnixStream};
    /// use annulet::ring::{IoUring, MsgFlags, Opcode, RecvSendFlags, Sqe};
    ///
    /// # let Ok(mut ring) = IoUring::new(1) else { return };
    /// # if !ring.probe().is_ok_and(|probe| probe.supports(Opcode::Socket)) { return }
    /// let (mut ours, theirs) = UnixStream::pair().unwrap();
    /// let mut buf = [0; 8];
    /// let recv = Sqe::recv(theirs.as_raw_fd(), buf.as_mut_ptr(), 8, MsgFlags::empty());
    /// let recv = recv.recv_send(RecvSendFlags::POLL_FIRST);
    /// // SAFETY: `buf` and `theirs` are there until the completion is reaped below.
    /// unsafe { ring.push(&recv) }.unwrap();
    /// ring.submit().unwrap();
    /// ours.write_all(b"later").unwrap();
    /// assert_eq!(ring.wait().unwrap().into_result(), Ok(5));
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RecvSendFlags: u16 {
        /// Wait until the socket is ready before the first attempt (5.19).
        const POLL_FIRST = 1 << 0;
        /// Receive again and again (6.0); what `recv_multishot` sets.
        const RECV_MULTISHOT = 1 << 1;
        /// Send from a registered buffer without copying (6.0); what `send_zc_fixed` sets.
        const FIXED_BUF = 1 << 2;
        /// The notification of a zero-copy send says whether the kernel copied (6.2).
        const SEND_ZC_REPORT_USAGE = 1 << 3;
        /// Several provided buffers in one go (6.10): the completion names the first, and those
        /// that follow it in the group are used as far as the number of bytes reaches.
        const BUNDLE = 1 << 4;
    }
}

/// The result of a notification that was asked for with
/// [`RecvSendFlags::SEND_ZC_REPORT_USAGE`] if the kernel copied after all
/// (`IORING_NOTIF_USAGE_ZC_COPIED`); else it is 0. It is no error.
pub const NOTIF_USAGE_ZC_COPIED: i32 = i32::MIN;

/// Which addresses a socket has (`AF_*`, `man 7 address_families`).
///
/// ```
/// # use annulet::ring::{AddressFamily, SocketAddress};
/// let address: core::net::SocketAddr = "[::1]:80".parse().unwrap();
/// assert_eq!(SocketAddress::from(address).family(), AddressFamily::Inet6 as u16);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum AddressFamily {
    /// Paths, within one machine (`man 7 unix`).
    Unix = 1,
    /// IPv4 (`man 7 ip`).
    Inet = 2,
    /// IPv6 (`man 7 ipv6`).
    Inet6 = 10,
    /// The kernel's own services (`man 7 netlink`).
    Netlink = 16,
    /// Frames of a network device (`man 7 packet`).
    Packet = 17,
    /// Between a virtual machine and its host (`man 7 vsock`).
    Vsock = 40,
}

/// What a socket transfers (`SOCK_*`, `man 2 socket`).
///
/// ```
/// use annulet::ring::{AddressFamily, IoUring, Opcode, SocketFlags, SocketType, Sqe};
///
/// # let Ok(mut ring) = IoUring::new(1) else { return };
/// # if !ring.probe().is_ok_and(|probe| probe.supports(Opcode::Socket)) { return }
/// let flags = SocketFlags::CLOEXEC;
/// let sqe = Sqe::socket(AddressFamily::Unix, SocketType::SeqPacket, flags, 0);
/// // SAFETY: the operation names no memory and no descriptor.
/// unsafe { ring.push(&sqe) }.unwrap();
/// assert!(ring.wait().unwrap().into_result().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum SocketType {
    /// Bytes in order, over a connection.
    Stream = 1,
    /// Datagrams: messages that may be lost or change places.
    Dgram = 2,
    /// Packets with the network protocol's own headers.
    Raw = 3,
    /// Messages in order, over a connection.
    SeqPacket = 5,
}

/// Which ways of a connection to shut down (`SHUT_*`, `man 2 shutdown`).
///
/// ```
/// use std::{io::Read, os::fd::AsRawFd, os::unix::net::UnixStream};
/// use annulet::ring::{IoUring, Opcode, Shutdown, Sqe};
///
/// # let Ok(mut ring) = IoUring::new(1) else { return };
/// # if !ring.probe().is_ok_and(|probe| probe.supports(Opcode::Shutdown)) { return }
/// let (ours, mut theirs) = UnixStream::pair().unwrap();
/// // SAFETY: `ours` is open until the completion is reaped below.
/// unsafe { ring.push(&Sqe::shutdown(ours.as_raw_fd(), Shutdown::Write)) }.unwrap();
/// assert_eq!(ring.wait().unwrap().into_result(), Ok(0));
/// assert_eq!(theirs.read(&mut [0; 8]).unwrap(), 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Shutdown {
    /// Nothing more is received.
    Read = 0,
    /// Nothing more is sent: the other end reads its end.
    Write = 1,
    /// Neither.
    Both = 2,
}

/// Room for the address of any socket (`struct sockaddr_storage`).
const ADDRESS_LEN: u32 = 128;
/// Room for a path (`struct sockaddr_un`).
const PATH_LEN: usize = 108;
/// Where a path starts, after the family.
const PATH: usize = 2;

/// An address of a socket, as the kernel reads and writes it (`struct sockaddr_storage`).
///
/// ```
/// use core::net::SocketAddr;
/// use annulet::ring::SocketAddress;
///
/// let web: SocketAddr = "127.0.0.1:80".parse().unwrap();
/// assert_eq!(SocketAddress::from(web).ip(), Some(web));
/// let unix = SocketAddress::unix(b"/run/service").unwrap();
/// assert_eq!(unix.path(), Some(&b"/run/service"[..]));
/// ```
#[derive(Debug, Clone, Copy)]
#[repr(C, align(8))]
pub struct SocketAddress {
    bytes: [u8; ADDRESS_LEN as usize],
    len_bytes: u32,
}

const _: () = assert!(size_of::<SocketAddress>() == 136);

impl SocketAddress {
    /// Room for an address that the kernel fills in.
    #[must_use]
    pub const fn room() -> Self {
        Self {
            bytes: [0; ADDRESS_LEN as usize],
            len_bytes: ADDRESS_LEN,
        }
    }

    /// The address that these bytes hold, or as much of it as there is room for.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut address = Self::room();
        let len = bytes.len().min(ADDRESS_LEN as usize);
        address.bytes[..len].copy_from_slice(&bytes[..len]);
        #[allow(clippy::cast_possible_truncation)] // at most 128
        let len = len as u32;
        address.len_bytes = len;
        address
    }

    /// The address of a Unix socket: a path, or with a zero in front an abstract name, which
    /// no file stands for (`man 7 unix`).
    ///
    /// # Errors
    /// `EINVAL`: empty, longer than 107 bytes, or a zero within a path.
    pub fn unix(path: &[u8]) -> Result<Self> {
        let is_abstract = path.starts_with(b"\0");
        let is_wrong = path.is_empty() || (!is_abstract && path.contains(&0));
        if is_wrong || path.len() >= PATH_LEN {
            return Err(Errno::EINVAL);
        }
        let mut bytes = [0; PATH + PATH_LEN];
        bytes[..PATH].copy_from_slice(&(AddressFamily::Unix as u16).to_ne_bytes());
        bytes[PATH..PATH + path.len()].copy_from_slice(path);
        // A path ends with a zero, an abstract name with the address.
        let len = PATH + path.len() + usize::from(!is_abstract);
        Ok(Self::from_bytes(&bytes[..len]))
    }

    /// Its first byte.
    #[must_use]
    pub const fn as_ptr(&self) -> *const u8 {
        self.bytes.as_ptr()
    }

    /// Its length; of [`Self::room`], how much there is. Never more than there are bytes: the
    /// kernel says how long the address is even where it had no room for all of it.
    #[must_use]
    pub const fn len_bytes(&self) -> u32 {
        if self.len_bytes < ADDRESS_LEN {
            self.len_bytes
        } else {
            ADDRESS_LEN
        }
    }

    /// Where the kernel writes an address and its length.
    pub const fn parts_mut(&mut self) -> (*mut u8, *mut u32) {
        (self.bytes.as_mut_ptr(), &raw mut self.len_bytes)
    }

    /// An [`AddressFamily`], or another number that the kernel has given.
    #[must_use]
    pub fn family(&self) -> u16 {
        u16::from_ne_bytes(self.array(0))
    }

    /// The address and port, if it is one of IPv4 or IPv6.
    #[must_use]
    pub fn ip(&self) -> Option<SocketAddr> {
        let port = u16::from_be_bytes(self.array(2));
        let len = self.len_bytes as usize;
        let ip = if self.family() == AddressFamily::Inet as u16 && len >= 16 {
            IpAddr::from(self.array::<4>(4))
        } else if self.family() == AddressFamily::Inet6 as u16 && len >= 28 {
            IpAddr::from(self.array::<16>(8))
        } else {
            return None;
        };
        let mut address = SocketAddr::new(ip, port);
        if let SocketAddr::V6(v6) = &mut address {
            v6.set_flowinfo(u32::from_be_bytes(self.array(4)));
            v6.set_scope_id(u32::from_ne_bytes(self.array(24)));
        }
        Some(address)
    }

    /// The path or abstract name, if it is that of a Unix socket; empty if that has none.
    #[must_use]
    pub fn path(&self) -> Option<&[u8]> {
        let end = (self.len_bytes as usize).min(PATH + PATH_LEN);
        if self.family() != AddressFamily::Unix as u16 {
            return None;
        }
        let name = self.bytes.get(PATH..end)?;
        match name.first() {
            None | Some(0) => Some(name),
            Some(_) => name.split(|&byte| byte == 0).next(),
        }
    }

    /// `N` bytes at a place within the address.
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[at..at + N]);
        array
    }
}

/// IPv4 (`struct sockaddr_in`) or IPv6 (`struct sockaddr_in6`).
impl From<SocketAddr> for SocketAddress {
    fn from(address: SocketAddr) -> Self {
        let mut bytes = [0; 28];
        bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
        let (family, len) = match address {
            SocketAddr::V4(v4) => {
                bytes[4..8].copy_from_slice(&v4.ip().octets());
                (AddressFamily::Inet, 16)
            }
            SocketAddr::V6(v6) => {
                bytes[4..8].copy_from_slice(&v6.flowinfo().to_be_bytes());
                bytes[8..24].copy_from_slice(&v6.ip().octets());
                bytes[24..].copy_from_slice(&v6.scope_id().to_ne_bytes());
                (AddressFamily::Inet6, 28)
            }
        };
        bytes[..2].copy_from_slice(&(family as u16).to_ne_bytes());
        Self::from_bytes(&bytes[..len])
    }
}

/// A message in pieces, with an address and control data (`struct msghdr`, `man 2 sendmsg`).
///
/// ```
/// use std::os::{fd::AsRawFd, unix::net::UnixDatagram};
/// use annulet::ring::{IoUring, IoVec, MsgFlags, MsgHdr, Sqe};
///
/// # let Ok(mut ring) = IoUring::new(1) else { return };
/// let (ours, theirs) = UnixDatagram::pair().unwrap();
/// let (mut hello, mut world) = (*b"hello, ", *b"world");
/// let piece = |bytes: &mut [u8]| IoVec { base: bytes.as_mut_ptr(), len_bytes: bytes.len() };
/// let mut vectors = [piece(&mut hello), piece(&mut world)];
/// let header = MsgHdr {
///     vectors: vectors.as_mut_ptr(),
///     vector_count: 2,
///     ..MsgHdr::default()
/// };
/// let sqe = Sqe::sendmsg(ours.as_raw_fd(), &raw const header, MsgFlags::empty());
/// // SAFETY: header, vectors and pieces are there until the completion is reaped below.
/// unsafe { ring.push(&sqe) }.unwrap();
/// assert_eq!(ring.wait().unwrap().into_result(), Ok(12));
/// let mut buf = [0; 16];
/// assert_eq!(theirs.recv(&mut buf).unwrap(), 12);
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct MsgHdr {
    /// Where to, or room for where from; null for neither.
    pub name: *mut u8,
    /// Its length; after a receive the address's, which may be more than fitted.
    pub name_len_bytes: u32,
    /// The pieces.
    pub vectors: *mut IoVec,
    /// How many there are.
    pub vector_count: usize,
    /// Control data (`man 3 cmsg`), or room for it; null for none.
    pub control: *mut u8,
    /// Its length; after a receive as much as came.
    pub control_len_bytes: usize,
    /// After a receive: what is said of it. Not read by a send.
    pub flags: MsgFlags,
}

const _: () = {
    assert!(size_of::<MsgHdr>() == 56 && offset_of!(MsgHdr, vectors) == 16);
    assert!(offset_of!(MsgHdr, control) == 32 && offset_of!(MsgHdr, flags) == 48);
};

/// A message that a multishot receive has put into a provided buffer: a header
/// (`struct io_uring_recvmsg_out`), the address, control data, and the data.
///
/// ```
/// # use annulet::ring::{MsgHdr, ReceivedMessage};
/// let asked = MsgHdr { name_len_bytes: 4, ..MsgHdr::default() };
/// // Lengths of the address, of control data and of the data; flags.
/// let mut buffer: Vec<u8> = [2_u32, 0, 5, 0].map(u32::to_ne_bytes).concat();
/// buffer.extend(b"\x01\x00..hello");
/// let message = ReceivedMessage::new(&buffer, &asked).unwrap();
/// assert_eq!((message.name.path(), message.data), (Some(&b""[..]), &b"hello"[..]));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ReceivedMessage<'buffer> {
    /// Where from; of length 0 where that is not known or was not asked for.
    pub name: SocketAddress,
    /// Control data (`man 3 cmsg`).
    pub control: &'buffer [u8],
    /// The data, cut if [`MsgFlags::TRUNC`] is among the flags.
    pub data: &'buffer [u8],
    /// What is said of it.
    pub flags: MsgFlags,
}

impl<'buffer> ReceivedMessage<'buffer> {
    /// Takes apart what was put into a buffer: as many bytes of it as the completion's
    /// result says. `asked` is the header that the operation was pushed with. `None` if
    /// `buffer` is too short to be its message.
    #[must_use]
    pub fn new(buffer: &'buffer [u8], asked: &MsgHdr) -> Option<Self> {
        let (header, rest) = buffer.split_at_checked(16)?;
        let (name, rest) = rest.split_at_checked(asked.name_len_bytes as usize)?;
        let (control, data) = rest.split_at_checked(asked.control_len_bytes)?;
        let (numbers, _) = header.as_chunks::<4>();
        let number = |at: usize| u32::from_ne_bytes(numbers[at]);
        let used = |room: &'buffer [u8], len: u32| &room[..room.len().min(len as usize)];
        Some(Self {
            name: SocketAddress::from_bytes(used(name, number(0))),
            control: used(control, number(1)),
            data: used(data, number(2)),
            flags: MsgFlags::from_bits_retain(number(3)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_says_more_than_there_is() {
        let mut address = SocketAddress::room();
        let (_, len) = address.parts_mut();
        // SAFETY: a number of the address, as the kernel writes it.
        unsafe { len.write(4096) };
        assert_eq!(address.len_bytes(), 128);
        assert_eq!(address.path(), None);
    }

    #[test]
    fn addresses_of_the_internet() {
        for text in ["127.0.0.1:80", "[::1]:443", "[fe80::1%7]:65535"] {
            let address: SocketAddr = text.parse().unwrap();
            let ours = SocketAddress::from(address);
            assert_eq!(ours.ip(), Some(address));
            assert_eq!(ours.path(), None);
            let cut = &ours.bytes[..ours.len_bytes as usize - 1];
            assert_eq!(SocketAddress::from_bytes(cut).ip(), None);
        }
        let v4 = SocketAddress::from(SocketAddr::from(([1, 2, 3, 4], 0x0506)));
        assert_eq!(&v4.bytes[..8], [2, 0, 5, 6, 1, 2, 3, 4]);
        assert_eq!(v4.len_bytes(), 16);
        assert_eq!(SocketAddress::room().ip(), None);
    }

    #[test]
    fn addresses_of_unix_sockets() {
        let len = |path: &[u8]| SocketAddress::unix(path).map(|address| address.len_bytes());
        assert_eq!(len(b"/a"), Ok(5));
        assert_eq!(len(b"\0a\0"), Ok(5));
        assert_eq!(len(&[b'a'; 107]), Ok(110));
        for wrong in [&b""[..], b"a\0b", &[b'a'; 108], &[0; 108]] {
            assert_eq!(len(wrong), Err(Errno::EINVAL));
        }
        for path in [&b"/a"[..], b"\0a\0", &[b'a'; 107]] {
            let address = SocketAddress::unix(path).unwrap();
            assert_eq!((address.path(), address.ip()), (Some(path), None));
        }
        // A socket without a name has a family only, and a length may be more than there is.
        let mut address = SocketAddress::from_bytes(&[1, 0]);
        assert_eq!(address.path(), Some(&b""[..]));
        address.len_bytes = u32::MAX;
        assert_eq!(address.path(), Some(&[0; PATH_LEN][..]));
        assert_eq!(SocketAddress::from_bytes(&[]).path(), None);
    }

    #[test]
    fn a_received_message_that_is_too_short() {
        let asked = MsgHdr {
            name_len_bytes: 3,
            control_len_bytes: 4,
            ..MsgHdr::default()
        };
        let buffer = [u8::MAX; 24];
        let len = |end| ReceivedMessage::new(&buffer[..end], &asked).map(|it| it.data.len());
        assert_eq!([0, 15, 22].map(len), [None; 3]);
        assert_eq!((len(23), len(24)), (Some(0), Some(1)));
    }
}
