//! What operations the running kernel has.

use core::ptr::from_mut;

use crate::sys::io_uring::{Opcode, PROBE_OPS, ProbeOp, RawProbe, RegisterOp, io_uring_register};
use crate::sys::{BorrowedFd, Result};

/// The kernel's answer to [`super::IoUring::probe`].
///
/// ```
/// use annulet::ring::{IoUring, Opcode};
///
/// # fn main() -> annulet::sys::Result<()> {
/// # let Ok(ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
/// let probe = ring.probe()?;
/// assert!(probe.supports(Opcode::Read));
/// if probe.supports(Opcode::Ftruncate) {
///     println!("files can be cut through the ring: Linux 6.9 or later");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Probe(RawProbe);

impl Probe {
    /// Asks about the kernel of the ring `ring`.
    pub(super) fn of(ring: BorrowedFd<'_>) -> Result<Self> {
        let mut probe = RawProbe {
            last_op: 0,
            ops_len: 0,
            resv: 0,
            resv2: [0; 3],
            ops: [ProbeOp::default(); PROBE_OPS],
        };
        let arg = from_mut(&mut probe).expose_provenance();
        #[allow(clippy::cast_possible_truncation)] // 128
        let (op, len) = (RegisterOp::RegisterProbe, PROBE_OPS as u32);
        // SAFETY: the kernel writes one header and at most `PROBE_OPS` entries after it, which
        // is what `probe`, borrowed mutably above, has room for.
        unsafe { io_uring_register(ring, op, arg, len) }?;
        Ok(Self(probe))
    }

    /// Whether the kernel has the operation.
    #[must_use]
    pub fn supports(&self, operation: Opcode) -> bool {
        const SUPPORTED: u16 = 1 << 0;
        let known = &self.0.ops[..PROBE_OPS.min(self.0.ops_len as usize)];
        known
            .get(operation as usize)
            .is_some_and(|op| op.flags & SUPPORTED != 0)
    }

    /// The number of the last operation the kernel knows.
    #[must_use]
    pub const fn last_op(&self) -> u8 {
        self.0.last_op
    }
}
