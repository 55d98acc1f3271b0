//! [`Cancel`]: which operations are to be called off.

use crate::sys::io_uring::{CancelFlags, Opcode};

/// Which operations [`Sqe::cancel_matching`](super::Sqe::cancel_matching) and
/// [`IoUring::cancel_and_wait`](super::IoUring::cancel_and_wait) call off: those that have every
/// property named, one of them ([`Self::one`]) or all ([`Self::all`]).
///
/// ```
/// use annulet::ring::{Cancel, IoUring, Opcode, PollEvents, Sqe};
/// use annulet::sys::Errno;
/// use std::os::fd::AsRawFd;
///
/// # let Ok(mut ring) = IoUring::new(4) else { return };
/// # if !ring.probe().is_ok_and(|probe| probe.supports(Opcode::ReadMultishot)) { return } // 6.7
/// let (reader, _writer) = std::io::pipe().unwrap();
/// let fd = reader.as_raw_fd();
/// let poll = Sqe::poll_add(fd, PollEvents::IN);
/// let polls = Cancel::all().on(fd).opcode(Opcode::PollAdd);
/// for sqe in [poll, poll, Sqe::cancel_matching(polls).user_data(1)] {
///     // SAFETY: the pipe outlives the completions.
///     unsafe { ring.push(&sqe) }.unwrap();
/// }
/// for _ in 0..3 {
///     let completion = ring.wait().unwrap();
///     let expected = if completion.user_data == 1 { Ok(2) } else { Err(Errno::ECANCELED) };
///     assert_eq!(completion.into_result(), expected);
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "it chooses operations, and does nothing by itself"]
pub struct Cancel {
    all: bool,
    user_data: Option<u64>,
    fd: Option<i32>,
    is_direct: bool,
    opcode: Option<Opcode>,
}

impl Cancel {
    const fn new(all: bool) -> Self {
        Self {
            all,
            user_data: None,
            fd: None,
            is_direct: false,
            opcode: None,
        }
    }

    /// One operation that has what is named next; all if nothing is. Linux 5.5 with
    /// [`Self::user_data`] alone, else as what is named.
    pub const fn one() -> Self {
        Self::new(false)
    }

    /// All operations of the ring that have what is named next, if anything is. Linux 5.19.
    pub const fn all() -> Self {
        Self::new(true)
    }

    /// Pushed with this `user_data`. Linux 5.5, and beside another property 6.6.
    pub const fn user_data(mut self, user_data: u64) -> Self {
        self.user_data = Some(user_data);
        self
    }

    /// On the file that descriptor `fd` stands for now. Linux 5.19.
    pub const fn on(mut self, fd: i32) -> Self {
        self.fd = Some(fd);
        self.is_direct = false;
        self
    }

    /// On the direct descriptor in slot `slot`. Linux 6.0.
    pub const fn on_direct(mut self, slot: u32) -> Self {
        self.fd = Some(slot.cast_signed());
        self.is_direct = true;
        self
    }

    /// Of this kind. Linux 6.6.
    pub const fn opcode(mut self, opcode: Opcode) -> Self {
        self.opcode = Some(opcode);
        self
    }

    /// Descriptor, `user_data`, operation and flags, as an entry holds them.
    pub(super) fn parts(self) -> (i32, u64, u8, CancelFlags) {
        let mut flags = CancelFlags::empty();
        flags.set(CancelFlags::ALL, self.all);
        flags.set(CancelFlags::FD, self.fd.is_some());
        flags.set(CancelFlags::FD_FIXED, self.is_direct);
        flags.set(CancelFlags::OP, self.opcode.is_some());
        let others = self.fd.is_some() || self.opcode.is_some();
        // Alone it has no flag, which older kernels would not know.
        flags.set(CancelFlags::USERDATA, self.user_data.is_some() && others);
        flags.set(CancelFlags::ANY, self.user_data.is_none() && !others);
        (
            self.fd.unwrap_or(-1),
            self.user_data.unwrap_or(0),
            self.opcode.map_or(0, |opcode| opcode as u8),
            flags,
        )
    }
}
