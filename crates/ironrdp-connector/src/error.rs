//! What can end a connection sequence, sorted by who has to act.

use core::fmt;
use std::error::Error;
use std::io;
use std::panic::Location;

use ironrdp_core::{DecodeError, EncodeError, LimitExceeded};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::license::LicenseErrorCode;
use ironrdp_pdu::mcs::{ConnectRefusal, DisconnectReason, McsResult};
use ironrdp_pdu::redirection::ServerRedirection;
use ironrdp_pdu::x224::FailureCode;

use crate::license::LicenseError;
use crate::{NtStatus, Phase};

/// Result of a step of a connection sequence.
pub type ConnectorResult<T> = Result<T, ConnectorError>;

/// Why a connection sequence ended: [`kind`](Self::kind) to match on, the phase it was in, and the source chain.
///
/// Cheap to clone, because a failed machine keeps its error and returns it again.
#[derive(Clone)]
pub struct ConnectorError(std::sync::Arc<Inner>);

struct Inner {
    kind: ConnectorErrorKind,
    phase: Option<Phase>,
    context: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
    location: &'static Location<'static>,
}

/// The kinds of [`ConnectorError`], by blame.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectorErrorKind {
    /// The peer sent bytes that are no PDU; the source is a [`DecodeError`].
    Malformed,
    /// The peer sent a well-formed PDU that has no place here.
    Unexpected,
    /// The peer refused, and said why.
    Refused(Refusal),
    /// The peer asked for something legal that this implementation does not do.
    Unsupported,
    /// The credentials were not accepted, or the peer did not prove who it is.
    Auth(AuthFailure),
    /// The server sends the client elsewhere.
    Redirected(Box<ServerRedirection>),
    /// A limit was exceeded; [`ConnectorError::limit`] says which, unless it is one of the protocol's own.
    Limit,
    /// The deadline of this phase passed.
    Timeout(Phase),
    /// The deadline of the whole connection passed, in this phase.
    OverallTimeout(Phase),
    /// The caller broke the contract of the type.
    Misuse,
    /// The byte stream failed; the source is an [`io::Error`].
    Io(io::ErrorKind),
}

/// Which refusal a peer gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The negotiation failed (MS-RDPBCGR 2.2.1.2.2): the security asked for is not to be had.
    Negotiation(FailureCode),
    /// The conference was not created.
    Conference(ConnectRefusal),
    /// The user could not be attached.
    AttachUser(McsResult),
    /// A channel could not be joined.
    ChannelJoin {
        /// The channel asked for.
        channel_id: u16,
        /// Why not.
        result: McsResult,
    },
    /// Licensing ended with this error code (MS-RDPELE, `LICENSE_ERROR_MESSAGE`).
    License(LicenseErrorCode),
    /// The server set this error before it ended the connection.
    ErrorInfo(ErrorInfo),
    /// The peer disconnected.
    Disconnected(DisconnectReason),
}

/// What went wrong in authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthFailure {
    /// The user name or the password is wrong, or the server does not say which.
    BadCredentials,
    /// There is no user of that name.
    UnknownUser,
    /// The server denied this user a session.
    AccessDenied,
    /// The account is locked, mostly after too many wrong passwords.
    AccountLocked,
    /// The account is disabled.
    AccountDisabled,
    /// The account has expired.
    AccountExpired,
    /// A rule forbids this account to log on so: at this hour, from this computer, without a smart card, with an empty password.
    AccountRestricted,
    /// The password has expired.
    PasswordExpired,
    /// The password must be changed before the first logon.
    PasswordMustChange,
    /// The user lacks the right to log on by Remote Desktop.
    LogonTypeNotGranted,
    /// The clocks of client, server and domain controller differ too much.
    ClockSkew,
    /// The Kerberos KDC cannot be reached.
    NoKdc,
    /// The server has nobody to check the logon with.
    NoLogonServer,
    /// The KDC knows no such server.
    UnknownServer,
    /// The server that checked the password is not the one whose certificate was presented: there may be an attacker in between.
    PublicKeyMismatch,
    /// The configuration asks for network level authentication, and the server has none.
    NlaUnavailable,
    /// The server ended the login without a reason, as some do over a wrong password.
    Unexplained,
    /// Anything else that the server reports.
    Status(NtStatus),
}

impl ConnectorError {
    /// An error of `kind`; `context` says what was being done, in lower case without a full stop.
    #[track_caller]
    pub fn new(kind: ConnectorErrorKind, context: &'static str) -> Self {
        Self(std::sync::Arc::new(Inner {
            kind,
            phase: None,
            context,
            source: None,
            location: Location::caller(),
        }))
    }

    /// An error of `kind` caused by `source`.
    #[track_caller]
    pub fn with_source(
        kind: ConnectorErrorKind,
        context: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self(std::sync::Arc::new(Inner {
            kind,
            phase: None,
            context,
            source: Some(source.into()),
            location: Location::caller(),
        }))
    }

    /// The peer sent a well-formed PDU that has no place here; `context` says what was waited for.
    #[track_caller]
    pub fn unexpected(context: &'static str) -> Self {
        Self::new(ConnectorErrorKind::Unexpected, context)
    }

    /// The peer refused.
    #[track_caller]
    pub fn refused(refusal: Refusal, context: &'static str) -> Self {
        Self::new(ConnectorErrorKind::Refused(refusal), context)
    }

    /// The caller broke the contract.
    #[track_caller]
    pub fn misuse(context: &'static str) -> Self {
        Self::new(ConnectorErrorKind::Misuse, context)
    }

    /// The deadline of `phase` passed.
    #[track_caller]
    pub fn timeout(phase: Phase) -> Self {
        Self::new(ConnectorErrorKind::Timeout(phase), "the deadline passed").in_phase(phase)
    }

    /// The deadline of the whole connection passed, in `phase`.
    #[track_caller]
    pub fn overall_timeout(phase: Phase) -> Self {
        let kind = ConnectorErrorKind::OverallTimeout(phase);
        Self::new(kind, "the deadline of the whole connection passed").in_phase(phase)
    }

    /// The byte stream failed.
    #[track_caller]
    pub fn io(context: &'static str, source: io::Error) -> Self {
        Self::with_source(ConnectorErrorKind::Io(source.kind()), context, source)
    }

    /// Notes the phase, unless it is known already.
    #[must_use]
    pub fn in_phase(mut self, phase: Phase) -> Self {
        // A fresh error is not shared yet; one that is shared has been through here.
        if let Some(inner) = std::sync::Arc::get_mut(&mut self.0) {
            inner.phase.get_or_insert(phase);
        }
        self
    }

    /// What to match on.
    pub fn kind(&self) -> &ConnectorErrorKind {
        &self.0.kind
    }

    /// The phase of the connection it happened in, once known.
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }

    /// Where in this library's source the error was made, for bug reports.
    pub fn location(&self) -> &'static Location<'static> {
        self.0.location
    }

    /// The status code with which the peer ended the authentication, if it gave one.
    pub fn nt_status(&self) -> Option<NtStatus> {
        let source = self.0.source.as_deref()?;
        source.downcast_ref().copied()
    }

    /// The limit that was exceeded, if one of the configured [`Limits`](ironrdp_core::Limits) is the cause.
    pub fn limit(&self) -> Option<LimitExceeded> {
        let source = self.0.source.as_deref()?;
        source.downcast_ref().copied()
    }

    /// The malformed field, if that is what ended the sequence.
    pub fn decode_error(&self) -> Option<&DecodeError> {
        self.0.source.as_deref().and_then(|source| source.downcast_ref())
    }
}

impl fmt::Display for ConnectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if let Some(phase) = inner.phase {
            write!(f, "{phase}: ")?;
        }
        match &inner.kind {
            ConnectorErrorKind::Malformed => {
                write!(f, "malformed data from the peer while {}", inner.context)
            }
            ConnectorErrorKind::Unexpected => write!(f, "unexpected PDU from the peer: {}", inner.context),
            ConnectorErrorKind::Refused(refusal) => write!(f, "{}: {refusal}", inner.context),
            ConnectorErrorKind::Unsupported => write!(f, "not supported: {}", inner.context),
            ConnectorErrorKind::Auth(failure) => write!(f, "{}: {failure}", inner.context),
            ConnectorErrorKind::Redirected(_) => write!(f, "the server redirects to another host or session"),
            ConnectorErrorKind::Limit => write!(f, "limit exceeded: {}", inner.context),
            ConnectorErrorKind::Timeout(_) | ConnectorErrorKind::OverallTimeout(_) => {
                write!(f, "timed out: {}", inner.context)
            }
            ConnectorErrorKind::Misuse => write!(f, "misuse: {}", inner.context),
            ConnectorErrorKind::Io(_) => write!(f, "{}", inner.context),
        }
    }
}

impl fmt::Debug for ConnectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorError")
            .field("kind", &self.0.kind)
            .field("phase", &self.0.phase)
            .field("context", &self.0.context)
            .field("source", &self.0.source)
            .field("location", &format_args!("{}", self.0.location))
            .finish()
    }
}

impl Error for ConnectorError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Negotiation(code) => write!(f, "{code}"),
            Self::Conference(refusal) => write!(f, "the conference was not created: {refusal}"),
            Self::AttachUser(result) => write!(f, "the user was not attached: {result}"),
            Self::ChannelJoin { channel_id, result } => {
                write!(f, "channel {channel_id} was not joined: {result}")
            }
            Self::License(code) => write!(f, "licensing was refused: {code}"),
            Self::ErrorInfo(info) => write!(f, "{info}"),
            Self::Disconnected(reason) => f.write_str(reason.meaning()),
        }
    }
}

impl fmt::Display for AuthFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadCredentials => "the user name or the password is wrong",
            Self::UnknownUser => "there is no user of that name",
            Self::AccessDenied => "the server denies this user a session",
            Self::AccountLocked => "the account is locked",
            Self::AccountDisabled => "the account is disabled",
            Self::AccountExpired => "the account has expired",
            Self::AccountRestricted => "a rule forbids this account to log on so",
            Self::PasswordExpired => "the password has expired",
            Self::PasswordMustChange => "the password must be changed first",
            Self::LogonTypeNotGranted => "the user may not log on by remote desktop",
            Self::ClockSkew => "the clocks differ too much",
            Self::NoKdc => "the kerberos KDC cannot be reached",
            Self::NoLogonServer => "the server has nobody to check the logon with",
            Self::UnknownServer => "the KDC knows no such server",
            Self::PublicKeyMismatch => {
                "the certificate is not that of the server that checked the password; there may be an attacker in between"
            }
            Self::Unexplained => "no reason was given; some servers do so over a wrong password",
            Self::NlaUnavailable => "the server has no network level authentication",
            Self::Status(status) => return write!(f, "the server reports {status}"),
        })
    }
}

impl From<DecodeError> for ConnectorError {
    #[track_caller]
    fn from(error: DecodeError) -> Self {
        let (kind, context) = match error.kind() {
            ironrdp_core::DecodeErrorKind::Limit { .. } => {
                (ConnectorErrorKind::Limit, "the peer sent too much")
            }
            ironrdp_core::DecodeErrorKind::Unsupported { .. } => {
                (ConnectorErrorKind::Unsupported, "a value the peer sent")
            }
            _ => (ConnectorErrorKind::Malformed, "reading a PDU"),
        };
        Self::with_source(kind, context, error)
    }
}

impl From<LimitExceeded> for ConnectorError {
    #[track_caller]
    fn from(exceeded: LimitExceeded) -> Self {
        Self::with_source(ConnectorErrorKind::Limit, exceeded.limit.subject(), exceeded)
    }
}

impl From<LicenseError> for ConnectorError {
    #[track_caller]
    fn from(error: LicenseError) -> Self {
        let kind = match &error {
            LicenseError::Alert(alert) => ConnectorErrorKind::Refused(Refusal::License(alert.code)),
            LicenseError::Unexpected { .. } => ConnectorErrorKind::Unexpected,
            LicenseError::UnsupportedKeyExchange | LicenseError::UnusableKey(_) => {
                ConnectorErrorKind::Unsupported
            }
            // An answer that cannot be written repeats what the peer sent.
            LicenseError::Malformed(_)
            | LicenseError::NoCertificate
            | LicenseError::WrongMac(_)
            | LicenseError::WrongChallenge
            | LicenseError::Encode(_) => ConnectorErrorKind::Malformed,
        };
        Self::with_source(kind, "licensing", error)
    }
}

/// What cannot be encoded came from the configuration.
impl From<EncodeError> for ConnectorError {
    #[track_caller]
    fn from(error: EncodeError) -> Self {
        Self::with_source(
            ConnectorErrorKind::Misuse,
            "a configured value does not fit the wire",
            error,
        )
    }
}
