//! Bytes kept for a later, lazy read.

use core::fmt;

use ironrdp_core::ReadCursor;

/// A borrowed slice that remembers where it stood, so that an error found while iterating points at the same byte
/// as one found while decoding. Two spans of equal bytes are equal wherever they stood.
#[derive(Clone, Copy)]
pub(crate) struct Span<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Span<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Takes all that `src` has left.
    pub(crate) fn rest(src: &mut ReadCursor<'a>) -> Self {
        let offset = src.offset();
        Self {
            bytes: src.rest(),
            offset,
        }
    }

    pub(crate) const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) const fn cursor(self) -> ReadCursor<'a> {
        ReadCursor::with_offset(self.bytes, self.offset)
    }
}

impl PartialEq for Span<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Span<'_> {}

/// The length only: these are pictures, kilobytes of them.
impl fmt::Debug for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.bytes.len())
    }
}
