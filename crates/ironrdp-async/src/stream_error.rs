//! Why a running session failed, or refused a command.

use std::fmt;
use std::io;
use std::sync::Arc;

use ironrdp_connector::{ConnectorError, ConnectorErrorKind};
use ironrdp_core::LimitExceeded;
use ironrdp_session::{SessionError, SessionErrorKind};

use crate::exceeded_limit;

/// Why a session over a stream ended out of order; [`kind`](Self::kind) to match on. Cheap to clone: it comes again with every call.
#[derive(Clone)]
pub struct StreamError(Arc<StreamErrorKind>);

/// What went wrong, sorted by who has to act.
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamErrorKind {
    /// The network: the connection broke, or the server closed it without a word.
    Io(io::Error),
    /// The session failed, or a command was refused (then the session goes on).
    Session(SessionError),
    /// The server deactivated the share and did not activate it again as it should.
    Reactivation(ConnectorError),
    /// The server deactivated the share and did not activate it again in time.
    ReactivationTimeout,
}

impl StreamError {
    pub(crate) fn new(kind: StreamErrorKind) -> Self {
        Self(Arc::new(kind))
    }

    /// What to match on.
    pub fn kind(&self) -> &StreamErrorKind {
        &self.0
    }

    /// The limit that was exceeded, if one of the configured [`Limits`](ironrdp_core::Limits) is the cause.
    pub fn limit(&self) -> Option<LimitExceeded> {
        match self.kind() {
            StreamErrorKind::Io(error) => exceeded_limit(error),
            StreamErrorKind::Session(error) => error.limit(),
            StreamErrorKind::Reactivation(error) => error.limit(),
            _ => None,
        }
    }

    /// Whether a command was refused while the share is not active; it may be tried again later.
    pub fn is_not_active(&self) -> bool {
        matches!(self.kind(), StreamErrorKind::Session(error) if error.kind() == SessionErrorKind::NotActive)
    }
}

impl From<SessionError> for StreamErrorKind {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

/// A failed activation; what is the network's fault is sorted as such.
impl From<ConnectorError> for StreamErrorKind {
    fn from(error: ConnectorError) -> Self {
        match error.kind() {
            ConnectorErrorKind::Io(kind) => Self::Io(io::Error::new(*kind, error)),
            _ => Self::Reactivation(error),
        }
    }
}

/// Malformed framing is the server's fault, everything else the network's.
pub(crate) fn read_error(error: io::Error) -> StreamErrorKind {
    if let Some(exceeded) = exceeded_limit(&error) {
        return StreamErrorKind::Session(exceeded.into());
    }
    match error.downcast::<ironrdp_core::DecodeError>() {
        Ok(error) => StreamErrorKind::Session(error.into()),
        Err(error) => StreamErrorKind::Io(error),
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            StreamErrorKind::Io(error) => error.fmt(f),
            StreamErrorKind::Session(error) => error.fmt(f),
            StreamErrorKind::Reactivation(error) => write!(f, "reactivation: {error}"),
            StreamErrorKind::ReactivationTimeout => {
                f.write_str("the server deactivated the share and did not activate it again in time")
            }
        }
    }
}

impl fmt::Debug for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StreamError").field(self.kind()).finish()
    }
}

impl std::error::Error for StreamError {
    // The cause's own message is in ours, so the chain goes on behind it.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.kind() {
            StreamErrorKind::Io(error) => error.source(),
            StreamErrorKind::Session(error) => error.source(),
            StreamErrorKind::Reactivation(error) => error.source(),
            StreamErrorKind::ReactivationTimeout => None,
        }
    }
}
