//! Blocks of bytes that are looked at all at once, by `memory::positions` of each architecture.

/// How many bytes are looked at.
pub const BLOCK_BYTES: usize = 64;

/// The bytes from one to another, perhaps by way of 255 and 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    pub(super) first: u8,
    /// How many there are besides the first.
    pub(super) span: u8,
}

impl ByteRange {
    /// From `first` to `last`, both included.
    #[must_use]
    pub const fn new(first: u8, last: u8) -> Self {
        let span = last.wrapping_sub(first);
        Self { first, span }
    }
}
