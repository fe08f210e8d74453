//! What can go wrong in a session, sorted by who has to act.

use core::fmt;
use std::error::Error;
use std::panic::Location;
use std::sync::Arc;

use ironrdp_bulk::{BulkError, BulkErrorKind};
use ironrdp_core::{DecodeError, DecodeErrorKind, EncodeError, LimitExceeded};
use ironrdp_graphics::{GraphicsError, GraphicsErrorKind};

/// Result of a call on a session.
pub type SessionResult<T> = Result<T, SessionError>;

/// Why a call on a session did not do its work: [`kind`](Self::kind) to match on, and the source chain.
///
/// Cheap to clone, because a session that has failed keeps its error and returns it again.
#[derive(Clone)]
pub struct SessionError(Arc<Inner>);

struct Inner {
    kind: SessionErrorKind,
    context: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
    location: &'static Location<'static>,
}

/// The kinds of [`SessionError`], by blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionErrorKind {
    /// The server sent bytes that are no PDU, or pixels that are no picture.
    Malformed,
    /// The server sent a well-formed PDU that has no place in a session.
    Unexpected,
    /// The server used something legal that this implementation does not do, or a command needs what the server cannot do.
    Unsupported,
    /// A limit was exceeded; [`SessionError::limit`] says which, unless it is one of the protocol's own.
    Limit,
    /// The share is not active: it was deactivated and not activated again, or the connection has ended.
    NotActive,
    /// The server gave no sign of life in time; [`PeerSilent`](crate::Event::PeerSilent) told which.
    PeerSilent,
    /// The caller broke the contract of a method.
    Misuse,
}

impl SessionError {
    /// An error of `kind`; `context` says what was wrong, in lower case without a full stop.
    #[cold]
    #[track_caller]
    pub(crate) fn new(kind: SessionErrorKind, context: &'static str) -> Self {
        Self::build(kind, context, None)
    }

    #[cold]
    #[track_caller]
    fn with_source(
        kind: SessionErrorKind,
        context: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::build(kind, context, Some(source.into()))
    }

    #[track_caller]
    fn build(
        kind: SessionErrorKind,
        context: &'static str,
        source: Option<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self(Arc::new(Inner {
            kind,
            context,
            source,
            location: Location::caller(),
        }))
    }

    /// What to match on.
    pub fn kind(&self) -> SessionErrorKind {
        self.0.kind
    }

    /// Where in this library's source the error was made, for bug reports.
    pub fn location(&self) -> &'static Location<'static> {
        self.0.location
    }

    /// The limit that was exceeded, if one of the configured [`Limits`](crate::Limits) is the cause.
    pub fn limit(&self) -> Option<LimitExceeded> {
        let source = self.0.source.as_deref()?;
        source.downcast_ref().copied()
    }

    /// The field that was wrong, if bytes of the server are the cause.
    pub fn decode_error(&self) -> Option<&DecodeError> {
        let source = self.0.source.as_deref()?;
        source
            .downcast_ref::<DecodeError>()
            .or_else(|| source.downcast_ref::<GraphicsError>()?.decode_error())
            .or_else(|| source.downcast_ref::<BulkError>().map(BulkError::decode_error))
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let context = self.0.context;
        match self.0.kind {
            SessionErrorKind::Malformed => write!(f, "malformed data from the server: {context}"),
            SessionErrorKind::Unexpected => write!(f, "unexpected PDU from the server: {context}"),
            SessionErrorKind::Unsupported => write!(f, "not supported: {context}"),
            SessionErrorKind::Limit => write!(f, "limit exceeded: {context}"),
            SessionErrorKind::NotActive => write!(f, "the session is not active: {context}"),
            SessionErrorKind::PeerSilent => write!(f, "the server is silent: {context}"),
            SessionErrorKind::Misuse => write!(f, "misuse: {context}"),
        }
    }
}

impl fmt::Debug for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionError")
            .field("kind", &self.0.kind)
            .field("context", &self.0.context)
            .field("source", &self.0.source)
            .field("location", &format_args!("{}", self.0.location))
            .finish()
    }
}

impl Error for SessionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

impl From<DecodeError> for SessionError {
    #[cold]
    #[track_caller]
    fn from(error: DecodeError) -> Self {
        let (kind, context) = match error.kind() {
            DecodeErrorKind::Limit { .. } => (SessionErrorKind::Limit, "the server sent too much"),
            DecodeErrorKind::Unsupported { .. } => (SessionErrorKind::Unsupported, "a value the server sent"),
            _ => (SessionErrorKind::Malformed, "reading a PDU"),
        };
        Self::with_source(kind, context, error)
    }
}

impl From<LimitExceeded> for SessionError {
    #[cold]
    #[track_caller]
    fn from(exceeded: LimitExceeded) -> Self {
        Self::with_source(SessionErrorKind::Limit, exceeded.limit.subject(), exceeded)
    }
}

impl From<GraphicsError> for SessionError {
    #[cold]
    #[track_caller]
    fn from(error: GraphicsError) -> Self {
        let (kind, context) = match error.kind() {
            GraphicsErrorKind::Limit => (SessionErrorKind::Limit, "a picture too large"),
            GraphicsErrorKind::Unsupported => (SessionErrorKind::Unsupported, "the form of a picture"),
            GraphicsErrorKind::Misuse => (SessionErrorKind::Misuse, "the pixel store"),
            _ => (SessionErrorKind::Malformed, "decoding a picture"),
        };
        Self::with_source(kind, context, error)
    }
}

impl From<BulkError> for SessionError {
    #[cold]
    #[track_caller]
    fn from(error: BulkError) -> Self {
        let (kind, context) = match error.kind() {
            BulkErrorKind::Unsupported => (SessionErrorKind::Unsupported, "the kind of bulk compression"),
            _ => (SessionErrorKind::Malformed, "decompressing a PDU"),
        };
        Self::with_source(kind, context, error)
    }
}

/// What cannot be encoded came from the caller.
impl From<EncodeError> for SessionError {
    #[cold]
    #[track_caller]
    fn from(error: EncodeError) -> Self {
        Self::with_source(SessionErrorKind::Misuse, "a command does not fit the wire", error)
    }
}
