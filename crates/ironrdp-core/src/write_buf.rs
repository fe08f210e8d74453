//! Output of a state machine.

use alloc::vec::Vec;

use crate::EncodeResult;

/// A growable buffer that machines append their PDUs to and shells send from.
///
/// Keeps its allocation over [`clear`](Self::clear), so that a warm loop does not allocate; gives it back with
/// [`release`](Self::release), so that an idle session does not hold it.
#[derive(Debug, Default)]
pub struct WriteBuf {
    bytes: Vec<u8>,
}

impl WriteBuf {
    /// An empty buffer; allocates at the first write.
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// The bytes written so far.
    pub fn filled(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of bytes written so far.
    pub fn filled_len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets what was written and keeps the allocation.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Forgets what was written and gives the allocation back.
    pub fn release(&mut self) {
        self.bytes = Vec::new();
    }

    /// Appends bytes that are already encoded.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Drops everything written after the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// Takes the written bytes out, leaving the buffer empty.
    pub fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.bytes)
    }

    /// Appends `size` bytes that `fill` writes. On error nothing is appended.
    pub fn append_with(
        &mut self,
        size: usize,
        fill: impl FnOnce(&mut [u8]) -> EncodeResult<()>,
    ) -> EncodeResult<()> {
        let start = self.bytes.len();
        self.bytes.resize(start + size, 0);
        let result = fill(self.bytes.get_mut(start..).unwrap_or_default());
        if result.is_err() {
            self.bytes.truncate(start);
        }
        result
    }
}

impl AsRef<[u8]> for WriteBuf {
    fn as_ref(&self) -> &[u8] {
        self.filled()
    }
}
