//! What a reader meets that is no failure of the stream itself.

use std::fmt;
use std::io;

use ironrdp_core::{DecodeError, Limit, LimitExceeded};

use crate::QueueFull;

/// The peer ended the stream; inside an [`io::Error`] of kind [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
#[derive(Debug)]
pub struct EndOfStream {
    buffered: usize,
    source: Option<io::Error>,
}

impl EndOfStream {
    /// The end that `error` tells of, if it does.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// Bytes of the next frame that had arrived; 0 if the stream ended between two frames.
    pub const fn buffered(&self) -> usize {
        self.buffered
    }

    /// Whether the stream ended between two frames.
    pub const fn is_between_frames(&self) -> bool {
        self.buffered == 0
    }

    pub(crate) fn error(buffered: usize, source: Option<io::Error>) -> io::Error {
        io::Error::new(io::ErrorKind::UnexpectedEof, Self { buffered, source })
    }
}

impl fmt::Display for EndOfStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.buffered {
            0 => f.write_str("the peer ended the stream"),
            1 => f.write_str("the peer ended the stream after 1 byte of a frame"),
            count => write!(f, "the peer ended the stream after {count} bytes of a frame"),
        }
    }
}

impl std::error::Error for EndOfStream {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_ref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// A PDU of another framing than the one waited for; inside an [`io::Error`] of kind
/// [`InvalidData`](io::ErrorKind::InvalidData). It stays in the buffer and can be read with another hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnexpectedFrame {
    pub(crate) size: usize,
}

impl UnexpectedFrame {
    /// Bytes of the PDU, as its header says.
    pub const fn size(&self) -> usize {
        self.size
    }
}

impl fmt::Display for UnexpectedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a PDU of {} bytes has another framing than the one waited for",
            self.size
        )
    }
}

impl std::error::Error for UnexpectedFrame {}

/// Bytes that are no frame; the [`DecodeError`] can be had back with [`io::Error::get_ref`] and `downcast_ref`.
#[cold]
pub(crate) fn malformed(error: DecodeError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cold]
pub(crate) fn unexpected(size: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, UnexpectedFrame { size })
}

/// A frame that will not be waited for; the [`LimitExceeded`] can be had back with [`exceeded_limit`].
#[cold]
pub(crate) fn too_large(exceeded: LimitExceeded) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, exceeded)
}

#[cold]
pub(crate) const fn frame_limit(wanted: usize, max: usize) -> LimitExceeded {
    LimitExceeded {
        limit: Limit::Frame,
        wanted,
        max,
    }
}

/// The limit that was exceeded, if that is what `error` is about.
pub fn exceeded_limit(error: &io::Error) -> Option<LimitExceeded> {
    let inner = error.get_ref()?;
    let queue_full = || inner.downcast_ref().map(QueueFull::exceeded);
    inner.downcast_ref().copied().or_else(queue_full)
}
