//! Why a connection did not come about.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use ironrdp_connector::{ConnectorError, ConnectorErrorKind, Phase};
use ironrdp_session::SessionError;
use ironrdp_tls::{CertificateRejection, TlsError, TlsErrorKind};

use crate::{ParseAddrError, ServerAddr};

/// Result of making a connection.
pub type ConnectResult<T> = Result<T, ConnectError>;

/// Why a connection did not come about: [`kind`](Self::kind) to match on, the server, and the phase it was in.
///
/// Cheap to clone; a connection that failed gives the same error again.
#[derive(Clone)]
pub struct ConnectError(Arc<Inner>);

struct Inner {
    server: Option<ServerAddr>,
    phase: Phase,
    kind: ConnectErrorKind,
}

/// What went wrong, sorted by who has to act.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The address is none.
    Address(ParseAddrError),
    /// The network: the name does not resolve, nobody listens, the connection broke.
    Io(io::Error),
    /// The deadline of [this phase](ConnectError::phase) passed.
    Timeout,
    /// The deadline of the whole connection passed, in [this phase](ConnectError::phase).
    OverallTimeout,
    /// TLS failed; [`ConnectError::rejection`] if the certificate was not accepted.
    Tls(TlsError),
    /// The connection sequence failed: refused, not authenticated, malformed and so on.
    Sequence(ConnectorError),
    /// The session could not be started: the desktop is too large for the pixel store.
    Session(SessionError),
}

impl ConnectError {
    /// An error of `kind` in `phase`.
    pub fn new(server: Option<ServerAddr>, phase: Phase, kind: ConnectErrorKind) -> Self {
        Self(Arc::new(Inner { server, phase, kind }))
    }

    /// What to match on.
    pub fn kind(&self) -> &ConnectErrorKind {
        &self.0.kind
    }

    /// The phase of the connection it happened in.
    pub fn phase(&self) -> Phase {
        self.0.phase
    }

    /// The server, if its address was understood.
    pub fn server(&self) -> Option<&ServerAddr> {
        self.0.server.as_ref()
    }

    /// The phase whose time, or in which the time of the whole, was up; none for other errors.
    pub fn timed_out(&self) -> Option<Phase> {
        matches!(
            self.kind(),
            ConnectErrorKind::Timeout | ConnectErrorKind::OverallTimeout
        )
        .then(|| self.phase())
    }

    /// The certificate that was not accepted, with the fingerprints to pin, if that is what it is about.
    pub fn rejection(&self) -> Option<&CertificateRejection> {
        match self.kind() {
            ConnectErrorKind::Tls(error) => error.rejection(),
            _ => None,
        }
    }
}

/// What was to be an address is none.
impl From<ParseAddrError> for ConnectError {
    fn from(error: ParseAddrError) -> Self {
        Self::new(None, Phase::Dial, ConnectErrorKind::Address(error))
    }
}

/// A failed sequence; what is the network's fault or the clock's is sorted as such.
impl From<ConnectorError> for ConnectErrorKind {
    fn from(error: ConnectorError) -> Self {
        match error.kind() {
            ConnectorErrorKind::Io(kind) => Self::Io(io::Error::new(*kind, error)),
            ConnectorErrorKind::Timeout(_) => Self::Timeout,
            ConnectorErrorKind::OverallTimeout(_) => Self::OverallTimeout,
            _ => Self::Sequence(error),
        }
    }
}

/// A failed handshake; what is the network's fault is sorted as such.
impl From<TlsError> for ConnectErrorKind {
    fn from(error: TlsError) -> Self {
        match error.kind() {
            TlsErrorKind::Io(kind) => Self::Io(io::Error::new(*kind, error)),
            _ => Self::Tls(error),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(server) = self.server() {
            write!(f, "{server}: ")?;
        }
        let names_phase = match self.kind() {
            ConnectErrorKind::Sequence(_) => true,
            ConnectErrorKind::Io(error) => error.get_ref().is_some_and(|cause| cause.is::<ConnectorError>()),
            // Nothing has begun yet.
            ConnectErrorKind::Address(_) => true,
            _ => false,
        };
        if !names_phase {
            write!(f, "{}: ", self.phase())?;
        }
        match self.kind() {
            ConnectErrorKind::Address(error) => error.fmt(f),
            ConnectErrorKind::Io(error) => error.fmt(f),
            ConnectErrorKind::Timeout => f.write_str("the deadline passed"),
            ConnectErrorKind::OverallTimeout => f.write_str("the deadline of the whole connection passed"),
            ConnectErrorKind::Tls(error) => error.fmt(f),
            ConnectErrorKind::Sequence(error) => error.fmt(f),
            ConnectErrorKind::Session(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectError")
            .field("server", &self.0.server)
            .field("phase", &self.0.phase)
            .field("kind", &self.0.kind)
            .finish()
    }
}

impl Error for ConnectError {
    // The cause's own message is in ours, so the chain goes on behind it.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.kind() {
            ConnectErrorKind::Address(_) | ConnectErrorKind::Timeout | ConnectErrorKind::OverallTimeout => {
                None
            }
            ConnectErrorKind::Io(error) => error.source(),
            ConnectErrorKind::Tls(error) => error.source(),
            ConnectErrorKind::Sequence(error) => error.source(),
            ConnectErrorKind::Session(error) => error.source(),
        }
    }
}
