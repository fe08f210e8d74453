//! What can go wrong between compressed bytes and pixels.

use core::fmt;

use ironrdp_core::{DecodeError, DecodeErrorKind};

/// Result of decoding or encoding pixels.
pub type GraphicsResult<T> = Result<T, GraphicsError>;

/// Pixels that could not be decoded, encoded or placed; [`kind`](Self::kind) says who is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraphicsError {
    cause: Cause,
}

/// Who is to blame for a [`GraphicsError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphicsErrorKind {
    /// The peer sent bytes that do not form a picture.
    Malformed,
    /// The peer sent a legal form that this crate does not do.
    Unsupported,
    /// The peer asked for more pixels than a limit of ours allows.
    Limit,
    /// The caller passed arguments that do not fit together.
    Misuse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Wire(DecodeError),
    Misuse(&'static str),
}

impl GraphicsError {
    #[cold]
    pub(crate) const fn misuse(what: &'static str) -> Self {
        Self {
            cause: Cause::Misuse(what),
        }
    }

    #[cold]
    pub(crate) const fn wire(pdu: &'static str, field: &'static str, kind: DecodeErrorKind) -> Self {
        Self {
            cause: Cause::Wire(DecodeError::new(field, 0, kind).in_pdu(pdu)),
        }
    }

    /// Who is to blame, for programs that react to it.
    pub const fn kind(&self) -> GraphicsErrorKind {
        match &self.cause {
            Cause::Wire(error) => match error.kind() {
                DecodeErrorKind::Unsupported { .. } => GraphicsErrorKind::Unsupported,
                DecodeErrorKind::Limit { .. } => GraphicsErrorKind::Limit,
                _ => GraphicsErrorKind::Malformed,
            },
            Cause::Misuse(_) => GraphicsErrorKind::Misuse,
        }
    }

    /// Codec, field and offset of what the peer got wrong; `None` when the caller is to blame.
    pub const fn decode_error(&self) -> Option<&DecodeError> {
        match &self.cause {
            Cause::Wire(error) => Some(error),
            Cause::Misuse(_) => None,
        }
    }
}

impl From<DecodeError> for GraphicsError {
    fn from(error: DecodeError) -> Self {
        Self {
            cause: Cause::Wire(error),
        }
    }
}

impl fmt::Display for GraphicsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Wire(error) => error.fmt(f),
            Cause::Misuse(what) => f.write_str(what),
        }
    }
}

impl core::error::Error for GraphicsError {}
