//! What can go wrong with compressed bytes.

use core::fmt;

use ironrdp_core::{DecodeError, DecodeErrorKind};

/// Result of setting up or running a (de)compressor.
pub type BulkResult<T> = Result<T, BulkError>;

/// Bytes that could not be decompressed: which rule they break, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkError {
    source: DecodeError,
}

/// What a [`BulkError`] means for the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BulkErrorKind {
    /// The bytes are not what a compressor writes, or the two histories differ. The connection cannot go on.
    Malformed,
    /// A compression type that this crate does not do.
    Unsupported,
}

impl BulkError {
    #[cold]
    pub(crate) const fn new(field: &'static str, offset: usize, kind: DecodeErrorKind) -> Self {
        Self {
            source: DecodeError::new(field, offset, kind).in_pdu("BulkData"),
        }
    }

    /// What it means for the connection.
    pub const fn kind(&self) -> BulkErrorKind {
        match self.source.kind() {
            DecodeErrorKind::Unsupported { .. } => BulkErrorKind::Unsupported,
            _ => BulkErrorKind::Malformed,
        }
    }

    /// Field and byte offset in the compressed data.
    pub const fn decode_error(&self) -> &DecodeError {
        &self.source
    }
}

impl fmt::Display for BulkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl core::error::Error for BulkError {}
