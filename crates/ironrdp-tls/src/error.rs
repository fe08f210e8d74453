//! The one error type of the crate.

use core::error::Error;
use core::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError, Error as RustlsError};

use crate::known_hosts::KnownHostsError;
use crate::rejection::CertificateRejection;

/// Result with [`TlsError`].
pub type TlsResult<T> = Result<T, TlsError>;

/// Why TLS could not be set up or was ended; match on [`kind`](Self::kind).
pub struct TlsError(Box<Repr>);

struct Repr {
    kind: TlsErrorKind,
    /// Which thing of ours it is about: a name, a file.
    subject: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What went wrong, sorted by whose fault it is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TlsErrorKind {
    /// The policy does not accept the server's certificate; says why, and carries the fingerprints to pin.
    CertificateRejected(Box<CertificateRejection>),
    /// The peer ended the connection with a TLS alert.
    Alert(AlertDescription),
    /// No TLS version, cipher suite or extension in common; TLS 1.0 and 1.1 are not spoken here.
    Incompatible,
    /// What the peer sent is not TLS, or breaks its rules.
    Malformed,
    /// The stream underneath failed, or the peer closed it in the middle.
    Io(io::ErrorKind),
    /// The host is neither a DNS name nor an IP address.
    InvalidName,
    /// The known-hosts file cannot be read, parsed or written; the source says where.
    KnownHosts,
    /// The trusted root certificates cannot be loaded, or there are none.
    Roots,
    /// A server's own certificate or key cannot be used.
    Credentials,
    /// A call out of order.
    Misuse,
    /// A failure on this side that is nobody's data: no randomness, no clock.
    Internal,
}

impl TlsError {
    pub(crate) fn new(kind: TlsErrorKind, subject: impl Into<String>) -> Self {
        Self(Box::new(Repr {
            kind,
            subject: subject.into(),
            source: None,
        }))
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong, to match on.
    pub fn kind(&self) -> &TlsErrorKind {
        &self.0.kind
    }

    /// The rejected certificate, if that is what it is about.
    pub fn rejection(&self) -> Option<&CertificateRejection> {
        match &self.0.kind {
            TlsErrorKind::CertificateRejected(rejection) => Some(rejection),
            _ => None,
        }
    }

    /// Sorts the error of a TLS stream.
    ///
    /// Such streams (`rustls::Stream`, `tokio_rustls::TlsStream`) hide the TLS error inside an
    /// `io::Error`; it is taken out again. An error without one inside is the transport's own:
    /// [`TlsErrorKind::Io`].
    pub fn from_io(error: io::Error) -> Self {
        let error = match error.downcast::<RustlsError>() {
            Ok(tls) => return Self::from(tls),
            Err(error) => error,
        };
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) => Self::new(TlsErrorKind::Io(error.kind()), "").with_source(error),
        }
    }
}

impl From<RustlsError> for TlsError {
    fn from(error: RustlsError) -> Self {
        let kind = match &error {
            RustlsError::InvalidCertificate(CertificateError::Other(other)) => {
                // Our verifier sends its whole verdict through rustls in this wrapper.
                let rejection = match other.0.downcast_ref::<CertificateRejection>() {
                    Some(ours) => ours.clone(),
                    None => CertificateRejection::foreign(CertificateError::Other(other.clone())),
                };
                return Self::new(TlsErrorKind::CertificateRejected(Box::new(rejection)), "");
            }
            RustlsError::InvalidCertificate(reason) => {
                let rejection = CertificateRejection::foreign(reason.clone());
                return Self::new(TlsErrorKind::CertificateRejected(Box::new(rejection)), "");
            }
            RustlsError::Other(other) => match other.0.downcast_ref::<KnownHostsError>() {
                Some(ours) => return Self::from(ours.clone()),
                None => TlsErrorKind::Internal,
            },
            RustlsError::AlertReceived(alert) => return Self::new(TlsErrorKind::Alert(*alert), ""),
            RustlsError::PeerIncompatible(_) | RustlsError::NoApplicationProtocol => {
                TlsErrorKind::Incompatible
            }
            RustlsError::UnsupportedNameType => TlsErrorKind::InvalidName,
            RustlsError::HandshakeNotComplete => TlsErrorKind::Misuse,
            RustlsError::InappropriateMessage { .. }
            | RustlsError::InappropriateHandshakeMessage { .. }
            | RustlsError::InvalidMessage(_)
            | RustlsError::NoCertificatesPresented
            | RustlsError::DecryptError
            | RustlsError::PeerMisbehaved(_)
            | RustlsError::PeerSentOversizedRecord => TlsErrorKind::Malformed,
            RustlsError::InconsistentKeys(_) => TlsErrorKind::Credentials,
            _ => TlsErrorKind::Internal,
        };
        Self::new(kind, "").with_source(error)
    }
}

impl From<CertificateRejection> for TlsError {
    fn from(rejection: CertificateRejection) -> Self {
        Self::new(TlsErrorKind::CertificateRejected(Box::new(rejection)), "")
    }
}

impl From<KnownHostsError> for TlsError {
    fn from(error: KnownHostsError) -> Self {
        Self::new(TlsErrorKind::KnownHosts, "").with_source(error)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Repr { kind, subject, .. } = &*self.0;
        match kind {
            TlsErrorKind::CertificateRejected(rejection) => write!(f, "certificate rejected: {rejection}")?,
            TlsErrorKind::Alert(alert) => write!(f, "peer ended tls with the alert {alert:?}")?,
            TlsErrorKind::Incompatible => f.write_str("no tls version or cipher in common with the peer")?,
            TlsErrorKind::Malformed => f.write_str("peer sent malformed tls messages")?,
            TlsErrorKind::Io(io::ErrorKind::UnexpectedEof) => {
                f.write_str("peer closed the connection in the middle of tls")?;
            }
            TlsErrorKind::Io(_) => f.write_str("connection lost during tls")?,
            TlsErrorKind::InvalidName => f.write_str("neither a dns name nor an ip address")?,
            TlsErrorKind::KnownHosts => f.write_str("known hosts unusable")?,
            TlsErrorKind::Roots => f.write_str("no trusted root certificates")?,
            TlsErrorKind::Credentials => f.write_str("unusable server certificate or key")?,
            TlsErrorKind::Misuse => f.write_str("tls used out of order")?,
            TlsErrorKind::Internal => f.write_str("tls failed on this side")?,
        }
        if subject.is_empty() {
            Ok(())
        } else {
            write!(f, ": {subject}")
        }
    }
}

impl fmt::Debug for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsError")
            .field("kind", &self.0.kind)
            .field("subject", &self.0.subject)
            .field("source", &self.0.source)
            .finish()
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| {
            let source: &(dyn Error + 'static) = source;
            source
        })
    }
}
