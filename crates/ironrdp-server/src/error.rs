//! What can go wrong in a server.

use std::error::Error;
use std::fmt;
use std::io;

use ironrdp_async::exceeded_limit;
use ironrdp_bulk::BulkError;
use ironrdp_connector::ConnectorError;
use ironrdp_core::{DecodeError, EncodeError, LimitExceeded};
use ironrdp_graphics::GraphicsError;

/// Result of what a server does.
pub type ServerResult<T> = Result<T, ServerError>;

/// Why a server did not start, or why the session of one client ended: [`kind`](Self::kind) to match on.
#[derive(Debug)]
pub struct ServerError {
    kind: ServerErrorKind,
    context: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The kinds of [`ServerError`], by blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerErrorKind {
    /// The client sent bytes that are no PDU.
    Malformed,
    /// The client sent a well-formed PDU that has no place there.
    Unexpected,
    /// The connection sequence failed; the source is a [`ConnectorError`].
    Handshake,
    /// The client costs more than it may; [`ServerError::limit`] says of what.
    Limit,
    /// The client let a deadline pass.
    Timeout,
    /// The caller broke the contract of a type.
    Misuse,
    /// No certificate could be made.
    Certificate,
    /// The network failed; the source is an [`io::Error`].
    Io(io::ErrorKind),
}

impl ServerError {
    pub(crate) fn new(kind: ServerErrorKind, context: &'static str) -> Self {
        Self {
            kind,
            context,
            source: None,
        }
    }

    pub(crate) fn with_source(
        kind: ServerErrorKind,
        context: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            context,
            source: Some(source.into()),
        }
    }

    pub(crate) fn misuse(context: &'static str) -> Self {
        Self::new(ServerErrorKind::Misuse, context)
    }

    pub(crate) fn io(context: &'static str, error: io::Error) -> Self {
        if exceeded_limit(&error).is_some() {
            return Self::with_source(ServerErrorKind::Limit, context, error);
        }
        if error.kind() == io::ErrorKind::InvalidData {
            return Self::with_source(ServerErrorKind::Malformed, context, error);
        }
        Self::with_source(ServerErrorKind::Io(error.kind()), context, error)
    }

    /// The limit that was exceeded, if one of the configured [`Limits`](crate::Limits) is the cause.
    pub fn limit(&self) -> Option<LimitExceeded> {
        let source = self.source.as_deref()?;
        let of_io = || exceeded_limit(source.downcast_ref()?);
        let of_handshake = || source.downcast_ref::<ConnectorError>()?.limit();
        source
            .downcast_ref()
            .copied()
            .or_else(of_io)
            .or_else(of_handshake)
    }

    /// What to match on.
    pub const fn kind(&self) -> ServerErrorKind {
        self.kind
    }
}

impl From<DecodeError> for ServerError {
    fn from(error: DecodeError) -> Self {
        Self::with_source(ServerErrorKind::Malformed, "reading what the client sent", error)
    }
}

impl From<LimitExceeded> for ServerError {
    fn from(exceeded: LimitExceeded) -> Self {
        Self::with_source(ServerErrorKind::Limit, "limit exceeded", exceeded)
    }
}

impl From<EncodeError> for ServerError {
    fn from(error: EncodeError) -> Self {
        Self::with_source(ServerErrorKind::Misuse, "writing to the client", error)
    }
}

impl From<GraphicsError> for ServerError {
    fn from(error: GraphicsError) -> Self {
        Self::with_source(ServerErrorKind::Misuse, "encoding a picture", error)
    }
}

impl From<BulkError> for ServerError {
    fn from(error: BulkError) -> Self {
        Self::with_source(ServerErrorKind::Misuse, "compressing", error)
    }
}

impl From<ConnectorError> for ServerError {
    fn from(error: ConnectorError) -> Self {
        Self::with_source(ServerErrorKind::Handshake, "connection sequence", error)
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.context)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl Error for ServerError {
    // The cause's own message is in ours, so the chain goes on behind it.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().and_then(|source| source.source())
    }
}
