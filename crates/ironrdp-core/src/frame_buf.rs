//! Input of a state machine.

use bytes::{Buf, BytesMut};

use crate::MonotonicInstant;

/// Received bytes that are not yet a whole frame, and when they arrived.
///
/// Holds no allocation while it is empty after [`release`](Self::release). A frame larger than the
/// [`Limits`](crate::Limits) allow must be refused by whoever finds its length, before its bytes are waited for.
#[derive(Debug)]
pub struct FrameBuf {
    bytes: BytesMut,
    received_at: MonotonicInstant,
}

impl FrameBuf {
    /// An empty buffer without allocation.
    pub fn new() -> Self {
        Self {
            bytes: BytesMut::new(),
            received_at: MonotonicInstant::ORIGIN,
        }
    }

    /// The bytes received and not yet taken.
    #[inline]
    pub fn filled(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of bytes received and not yet taken.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether no byte is waiting.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// When the newest bytes arrived.
    pub fn received_at(&self) -> MonotonicInstant {
        self.received_at
    }

    /// Notes when the bytes just added arrived.
    #[inline]
    pub fn set_received_at(&mut self, at: MonotonicInstant) {
        self.received_at = at;
    }

    /// Appends received bytes.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes the first `count` bytes without copying them; fewer if fewer are there.
    #[inline]
    pub fn take(&mut self, count: usize) -> BytesMut {
        self.bytes.split_to(count.min(self.bytes.len()))
    }

    /// Drops the first `count` bytes; fewer if fewer are there.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        self.bytes.advance(count.min(self.bytes.len()));
    }

    /// Gives back the allocation if no byte is waiting.
    pub fn release(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
    }

    /// The underlying buffer, to read into. Bytes may be appended only.
    pub fn bytes_mut(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// The underlying buffer.
    pub fn bytes(&self) -> &BytesMut {
        &self.bytes
    }

    /// The bytes received and not yet taken, as an owned buffer.
    pub fn into_bytes(self) -> BytesMut {
        self.bytes
    }
}

impl Default for FrameBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl From<BytesMut> for FrameBuf {
    fn from(bytes: BytesMut) -> Self {
        Self { bytes, ..Self::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_more_than_is_there_takes_what_is_there() {
        let mut rx = FrameBuf::new();
        rx.extend_from_slice(&[1, 2, 3]);
        assert_eq!(&rx.take(2)[..], [1, 2]);
        assert_eq!(&rx.take(9)[..], [3]);
        rx.consume(5);
        assert!(rx.is_empty());
    }
}
