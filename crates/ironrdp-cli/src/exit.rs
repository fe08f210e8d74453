//! How the command ends: exit codes, and errors with what to do about them.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use anstyle::AnsiColor;
use ironrdp_connector::{AuthFailure, ConnectorError, ConnectorErrorKind, Phase, Refusal};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_session::SessionErrorKind;
use ironrdp_tls::{TlsError, TlsErrorKind};
use ironrdp_tokio::{ConnectError, ConnectErrorKind, ServerAddr, StreamError, StreamErrorKind};

use crate::output;

mod hints;
use hints::{auth_hint, certificate_hints, refusal_hints};

/// Result of a command.
pub(crate) type Outcome = Result<Exit, Failure>;

/// The exit codes, as `--help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Local,
    Usage,
    Network,
    Timeout,
    Certificate,
    Authentication,
    Refused,
    Malformed,
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Local => 1,
            Self::Usage => 2,
            Self::Network => 3,
            Self::Timeout => 4,
            Self::Certificate => 5,
            Self::Authentication => 6,
            Self::Refused => 7,
            Self::Malformed => 8,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command failed: the exit code, a sentence, and what can be done.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    hints: Vec<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hints: Vec::new(),
        }
    }

    /// Something of this machine's that should not go wrong.
    pub(crate) fn local(error: impl std::fmt::Display) -> Self {
        Self::new(Exit::Local, error.to_string())
    }

    /// Adds something the user can do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn hints(&self) -> &[String] {
        &self.hints
    }

    /// Says it on standard error.
    pub(crate) fn print(&self) {
        output::line("error: ", AnsiColor::Red.on_default().bold(), &self.message);
        for hint in &self.hints {
            output::line("hint: ", AnsiColor::Cyan.on_default().bold(), hint);
        }
    }

    /// A connection that did not come about within `timeout`.
    pub(crate) fn from_connect(error: &ConnectError, server: &ServerAddr, timeout: Duration) -> Self {
        let (phase, at) = (
            error.phase(),
            Where {
                server,
                phase: error.phase(),
            },
        );
        match error.kind() {
            ConnectErrorKind::Address(address) => Self::new(Exit::Usage, address.to_string()),
            ConnectErrorKind::Io(io) => at.network(io),
            ConnectErrorKind::Timeout | ConnectErrorKind::OverallTimeout => at.timeout(timeout),
            ConnectErrorKind::Tls(tls) => at.tls(tls),
            ConnectErrorKind::Sequence(sequence) => {
                let at = Where {
                    server,
                    phase: sequence.phase().unwrap_or(phase),
                };
                at.sequence(sequence, timeout)
            }
            _ => Self::new(Exit::Local, chain(error)),
        }
    }
}

/// A server, and how far the connection to it has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Where<'a> {
    pub(crate) server: &'a ServerAddr,
    pub(crate) phase: Phase,
}

impl Where<'_> {
    fn failure(&self, exit: Exit, message: &str) -> Failure {
        Failure::new(exit, format!("{}: {}: {message}", self.server, self.phase))
    }

    /// The network's fault.
    pub(crate) fn network(&self, error: &std::io::Error) -> Failure {
        // What comes from the sequence names the phase itself.
        let failure = if error.get_ref().is_some_and(|cause| cause.is::<ConnectorError>()) {
            Failure::new(Exit::Network, format!("{}: {}", self.server, chain(error)))
        } else {
            self.failure(Exit::Network, &chain(error))
        };
        match error.kind() {
            std::io::ErrorKind::ConnectionRefused => failure.hint(format!(
                "nothing listens on port {} there; is the RDP server running, and is this its port?",
                self.server.port()
            )),
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset
                if self.phase == Phase::Negotiate =>
            {
                failure.hint("the server hung up at the first message; it may be no RDP server, or keep this client out")
            }
            _ => failure,
        }
    }

    /// Time is up.
    pub(crate) fn timeout(&self, after: Duration) -> Failure {
        let failure = self.failure(
            Exit::Timeout,
            &format!(
                "timed out while {}, {} after the start",
                doing(self.phase),
                seconds(after)
            ),
        );
        match self.phase {
            Phase::Dial => failure.hint("the host may be down, or a firewall swallows the packets"),
            Phase::Negotiate => failure.hint(format!(
                "port {} accepts connections but does not answer RDP; is it an RDP server?",
                self.server.port()
            )),
            _ => failure.hint("a slow server may need a larger --timeout"),
        }
    }

    /// TLS failed, perhaps on the certificate.
    pub(crate) fn tls(&self, error: &TlsError) -> Failure {
        if let Some(rejection) = error.rejection() {
            return certificate_hints(
                self.failure(Exit::Certificate, &chain(error)),
                rejection,
                self.server,
            );
        }
        let exit = match error.kind() {
            TlsErrorKind::Alert(_) | TlsErrorKind::Incompatible => Exit::Refused,
            TlsErrorKind::Malformed => Exit::Malformed,
            TlsErrorKind::Io(kind) => io_exit(*kind),
            TlsErrorKind::InvalidName => Exit::Usage,
            _ => Exit::Local,
        };
        self.failure(exit, &chain(error))
    }

    /// The sequence failed.
    pub(crate) fn sequence(&self, error: &ConnectorError, timeout: Duration) -> Failure {
        let exit = match error.kind() {
            ConnectorErrorKind::Malformed | ConnectorErrorKind::Unexpected | ConnectorErrorKind::Limit => {
                Exit::Malformed
            }
            ConnectorErrorKind::Refused(refusal) => refused(*refusal),
            ConnectorErrorKind::Unsupported | ConnectorErrorKind::Redirected(_) => Exit::Refused,
            ConnectorErrorKind::Auth(failure) => auth_exit(*failure),
            ConnectorErrorKind::Timeout(phase) | ConnectorErrorKind::OverallTimeout(phase) => {
                return Where {
                    server: self.server,
                    phase: *phase,
                }
                .timeout(timeout);
            }
            ConnectorErrorKind::Io(kind) => io_exit(*kind),
            _ => Exit::Local,
        };
        // The error names the phase itself.
        let failure = Failure::new(exit, format!("{}: {}", self.server, chain(error)));
        match error.kind() {
            ConnectorErrorKind::Malformed | ConnectorErrorKind::Unexpected
                if self.phase == Phase::Negotiate =>
            {
                failure.hint(format!(
                    "what listens on port {} may be no RDP server",
                    self.server.port()
                ))
            }
            ConnectorErrorKind::Refused(refusal) => refusal_hints(failure, *refusal),
            ConnectorErrorKind::Auth(reason) => failure.hint(auth_hint(*reason)),
            ConnectorErrorKind::Redirected(_) => {
                failure.hint("redirections are not followed yet; connect to the target itself")
            }
            _ => failure,
        }
    }
}

/// What a failed read or write is. Data that is no good reaches us as one, too: a TLS record that does not decrypt.
const fn io_exit(kind: std::io::ErrorKind) -> Exit {
    match kind {
        std::io::ErrorKind::InvalidData => Exit::Malformed,
        _ => Exit::Network,
    }
}

/// A running session broke.
pub(crate) fn in_session(server: &ServerAddr, error: &StreamError) -> Failure {
    let exit = match error.kind() {
        StreamErrorKind::Io(io) => io_exit(io.kind()),
        StreamErrorKind::Session(session) => session_exit(session.kind()),
        StreamErrorKind::Reactivation(sequence) => {
            let at = Where {
                server,
                phase: Phase::Activate,
            };
            return at.sequence(sequence, Duration::ZERO);
        }
        StreamErrorKind::ReactivationTimeout => Exit::Timeout,
        _ => Exit::Local,
    };
    Failure::new(exit, format!("{server}: session: {}", chain(error)))
}

/// The exit code of a failed session.
pub(crate) const fn session_exit(kind: SessionErrorKind) -> Exit {
    match kind {
        SessionErrorKind::Malformed | SessionErrorKind::Unexpected | SessionErrorKind::Limit => {
            Exit::Malformed
        }
        SessionErrorKind::Unsupported | SessionErrorKind::NotActive => Exit::Refused,
        SessionErrorKind::PeerSilent => Exit::Network,
        _ => Exit::Local,
    }
}

/// The server ended a running session, with a reason or without.
pub(crate) fn refused_in_session(server: &ServerAddr, refusal: Option<Refusal>) -> Failure {
    match refusal {
        Some(refusal) => {
            let message = format!("{server}: session: the server ended it: {refusal}");
            refusal_hints(Failure::new(refused(refusal), message), refusal)
        }
        None => Failure::new(Exit::Refused, format!("{server}: session: the server ended it")),
    }
}

/// The exit code of a failed login. Two of its reasons are not about the user.
const fn auth_exit(failure: AuthFailure) -> Exit {
    match failure {
        AuthFailure::PublicKeyMismatch => Exit::Certificate,
        AuthFailure::NlaUnavailable => Exit::Refused,
        _ => Exit::Authentication,
    }
}

/// The exit code of a server's refusal: some are about the user.
pub(crate) fn refused(refusal: Refusal) -> Exit {
    match refusal {
        Refusal::ErrorInfo(
            ErrorInfo::SERVER_DENIED_CONNECTION
            | ErrorInfo::SERVER_INSUFFICIENT_PRIVILEGES
            | ErrorInfo::SERVER_FRESH_CREDENTIALS_REQUIRED,
        ) => Exit::Authentication,
        _ => Exit::Refused,
    }
}

/// What a client does in a phase.
const fn doing(phase: Phase) -> &'static str {
    match phase {
        Phase::Dial => "opening the TCP connection",
        Phase::Negotiate => "waiting for the answer to the first RDP message",
        Phase::Tls => "doing the TLS handshake",
        Phase::Authenticate => "authenticating",
        Phase::Activate => "setting up the session",
    }
}

/// A duration as people say it.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// The message of an error and of its causes. A cause whose text is in the line already adds nothing.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        next = cause.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use ironrdp_pdu::x224::FailureCode;

    use super::*;

    fn at(server: &ServerAddr) -> Where<'_> {
        Where {
            server,
            phase: Phase::Negotiate,
        }
    }

    fn sequence(kind: ConnectorErrorKind) -> Failure {
        let server = ServerAddr::new("rdp.example", 3390);
        let error = ConnectorError::new(kind, "context").in_phase(Phase::Negotiate);
        at(&server).sequence(&error, Duration::from_secs(1))
    }

    #[test]
    fn each_kind_of_failure_has_its_exit_code_and_names_host_and_phase() {
        let cases = [
            (ConnectorErrorKind::Malformed, Exit::Malformed),
            (ConnectorErrorKind::Unexpected, Exit::Malformed),
            (ConnectorErrorKind::Limit, Exit::Malformed),
            (ConnectorErrorKind::Unsupported, Exit::Refused),
            (
                ConnectorErrorKind::Refused(Refusal::Negotiation(FailureCode::SslNotAllowed)),
                Exit::Refused,
            ),
            (
                ConnectorErrorKind::Refused(Refusal::ErrorInfo(ErrorInfo::SERVER_INSUFFICIENT_PRIVILEGES)),
                Exit::Authentication,
            ),
            (
                ConnectorErrorKind::Refused(Refusal::ErrorInfo(ErrorInfo::LOGOFF_BY_USER)),
                Exit::Refused,
            ),
            (ConnectorErrorKind::Timeout(Phase::Activate), Exit::Timeout),
            (
                ConnectorErrorKind::Io(std::io::ErrorKind::ConnectionReset),
                Exit::Network,
            ),
            (
                ConnectorErrorKind::Io(std::io::ErrorKind::InvalidData),
                Exit::Malformed,
            ),
            (ConnectorErrorKind::Misuse, Exit::Local),
        ];
        for (kind, exit) in cases {
            let name = format!("{kind:?}");
            let failure = sequence(kind);
            assert_eq!(failure.exit(), exit, "{name}");
            assert!(
                failure.message().starts_with("rdp.example:3390: "),
                "{name}: {}",
                failure.message()
            );
            let phase = if exit == Exit::Timeout {
                "activate: "
            } else {
                "negotiate: "
            };
            assert!(failure.message().contains(phase), "{name}: {}", failure.message());
        }
    }

    #[test]
    fn a_cause_that_repeats_its_effect_is_said_once() {
        let inner = std::io::Error::other("inner");
        let outer = std::io::Error::other(inner);
        assert_eq!(chain(&outer), "inner");
    }

    #[test]
    fn the_codes_are_those_that_help_documents() {
        let all = [
            Exit::Done,
            Exit::Local,
            Exit::Usage,
            Exit::Network,
            Exit::Timeout,
            Exit::Certificate,
            Exit::Authentication,
            Exit::Refused,
            Exit::Malformed,
        ];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
