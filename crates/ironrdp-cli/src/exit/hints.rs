//! What can be done about a failure, as the `hint:` lines say it.

use ironrdp_connector::{AuthFailure, Refusal};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::x224::FailureCode;
use ironrdp_tls::{CertificateRejection, RejectionReason};
use ironrdp_tokio::ServerAddr;

use super::Failure;

const NEEDS_RIGHT: &str = "the user needs the right to log on through remote desktop";

/// What can be done about a failed login.
pub(super) const fn auth_hint(failure: AuthFailure) -> &'static str {
    match failure {
        AuthFailure::BadCredentials | AuthFailure::UnknownUser | AuthFailure::Unexplained => {
            "check user name, password and domain (-d)"
        }
        AuthFailure::AccessDenied | AuthFailure::LogonTypeNotGranted => NEEDS_RIGHT,
        AuthFailure::AccountLocked => "wait until the lock is over, or have it lifted",
        AuthFailure::AccountDisabled => "have the account enabled, or log in as another user",
        AuthFailure::AccountExpired => "have the account's expiry date moved, or log in as another user",
        AuthFailure::AccountRestricted => {
            "look at the account's logon hours and computers, and whether it may go without a smart card; an empty \
             password is only good at the machine itself"
        }
        AuthFailure::PasswordExpired | AuthFailure::PasswordMustChange => {
            "change the password first; network level authentication cannot do it"
        }
        AuthFailure::ClockSkew => {
            "set the clocks of this machine, of the server and of the KDC; five minutes are the most"
        }
        AuthFailure::NoKdc => {
            "check --kdc or --kdc-proxy, and whether a firewall lets port 88 (443 for a proxy) through"
        }
        AuthFailure::NoLogonServer => {
            "the server cannot reach its domain controller: its administrator can mend that; a local account of the server \
             needs none"
        }
        AuthFailure::UnknownServer => {
            "connect by the name that the server has in its domain, not by an address or an alias, and check --realm"
        }
        AuthFailure::PublicKeyMismatch => {
            "someone may be in between; ask who runs the server before you go on"
        }
        AuthFailure::NlaUnavailable => "--security auto also logs in over TLS",
        // `Status`, and what the connector learns to tell apart later.
        _ => "the server's own log says more: the security log of a Windows machine, by this status",
    }
}

/// Adds what can be done about a server's refusal.
pub(super) fn refusal_hints(failure: Failure, refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Negotiation(code) => match negotiation_hint(code) {
            Some(hint) => failure.hint(hint),
            None => failure,
        },
        Refusal::ErrorInfo(ErrorInfo::SERVER_INSUFFICIENT_PRIVILEGES) => failure.hint(NEEDS_RIGHT),
        Refusal::ErrorInfo(ErrorInfo::DISCONNECTED_BY_OTHER_CONNECTION) => {
            failure.hint("another client took the session over; log in as another user, or try again")
        }
        _ => failure,
    }
}

/// What can be done about a failed negotiation.
fn negotiation_hint(code: FailureCode) -> Option<&'static str> {
    match code {
        FailureCode::HybridRequired => {
            Some("the server requires network level authentication; use --security auto, or nla")
        }
        FailureCode::SslNotAllowed | FailureCode::SslCertificateMissing => Some(
            "the server has no TLS; --security dangerously-plain connects all the same, readable by anyone on the way",
        ),
        FailureCode::SslRequired => Some("the server insists on TLS; use --security auto"),
        _ => None,
    }
}

/// Adds what can be done about a certificate that is not accepted.
pub(super) fn certificate_hints(
    failure: Failure,
    rejection: &CertificateRejection,
    server: &ServerAddr,
) -> Failure {
    let pin = rejection.public_key_sha256().or(rejection.sha256());
    match rejection.reason() {
        RejectionReason::KnownHostChanged { known, file, .. } => {
            let place = match (file, known.first().and_then(|key| key.line())) {
                (Some(file), Some(line)) => format!("line {line} of {}", file.display()),
                (Some(file), None) => format!("its line in {}", file.display()),
                _ => "its record".to_owned(),
            };
            failure
                .hint("someone may be in between, or the server was set up anew; ask who runs it before you go on")
                .hint(format!("if the change is right, remove {place} and connect again"))
        }
        RejectionReason::PinMismatch { .. } => match pin {
            Some(pin) => failure
                .hint("someone may be in between, or the server has a new certificate; ask who runs it before you go on")
                .hint(format!("if the change is right, the new pin is --cert pin:{pin}")),
            None => failure,
        },
        RejectionReason::NameMismatch { presented, .. } if !presented.is_empty() => failure.hint(format!(
            "connect by one of the names in the certificate, or accept it by --cert known-hosts: {}",
            presented.join(", ")
        )),
        RejectionReason::BadSignature | RejectionReason::Revoked | RejectionReason::Malformed(_) => failure,
        _ => {
            let failure = failure.hint(format!(
                "--cert known-hosts trusts {server} from the first connection on, and notices a change"
            ));
            match pin {
                Some(pin) => failure.hint(format!("if this is the server's fingerprint, --cert pin:{pin} accepts it")),
                None => failure,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ironrdp_connector::{ConnectorError, ConnectorErrorKind, NtStatus, Phase};

    use super::super::{Exit, Where};
    use super::*;

    fn failure(kind: ConnectorErrorKind) -> Failure {
        let server = ServerAddr::new("rdp.example", 3390);
        let error = ConnectorError::new(kind, "context").in_phase(Phase::Authenticate);
        let at = Where {
            server: &server,
            phase: Phase::Authenticate,
        };
        at.sequence(&error, Duration::from_secs(1))
    }

    #[test]
    fn each_failed_login_has_an_exit_code_and_says_what_to_do() {
        use Exit::{Authentication, Certificate, Refused};

        for (reason, exit, hint) in [
            (AuthFailure::BadCredentials, Authentication, "check user name"),
            (AuthFailure::UnknownUser, Authentication, "domain (-d)"),
            (AuthFailure::AccessDenied, Authentication, "needs the right"),
            (AuthFailure::AccountLocked, Authentication, "have it lifted"),
            (AuthFailure::AccountDisabled, Authentication, "enabled"),
            (AuthFailure::AccountExpired, Authentication, "expiry date"),
            (AuthFailure::AccountRestricted, Authentication, "logon hours"),
            (
                AuthFailure::PasswordExpired,
                Authentication,
                "change the password",
            ),
            (
                AuthFailure::PasswordMustChange,
                Authentication,
                "change the password",
            ),
            (
                AuthFailure::LogonTypeNotGranted,
                Authentication,
                "needs the right",
            ),
            (AuthFailure::ClockSkew, Authentication, "clocks"),
            (AuthFailure::NoKdc, Authentication, "--kdc"),
            (AuthFailure::NoLogonServer, Authentication, "domain controller"),
            (AuthFailure::UnknownServer, Authentication, "--realm"),
            (AuthFailure::PublicKeyMismatch, Certificate, "in between"),
            (AuthFailure::NlaUnavailable, Refused, "--security auto"),
            (AuthFailure::Unexplained, Authentication, "check user name"),
            (
                AuthFailure::Status(NtStatus(0xc000_0001)),
                Authentication,
                "the server's own log",
            ),
        ] {
            let failure = failure(ConnectorErrorKind::Auth(reason));
            assert_eq!(failure.exit(), exit, "{reason:?}");
            let [said] = failure.hints() else {
                panic!("{reason:?}: {failure:?}")
            };
            assert!(said.contains(hint), "{reason:?}: {said}");
            assert!(
                failure.message().starts_with("rdp.example:3390: authenticate: "),
                "{failure:?}"
            );
        }
    }

    #[test]
    fn a_server_that_requires_nla_gets_a_hint() {
        let refusal = Refusal::Negotiation(FailureCode::HybridRequired);
        let failure = failure(ConnectorErrorKind::Refused(refusal));
        assert_eq!(failure.exit(), Exit::Refused);
        let [said] = failure.hints() else {
            panic!("{failure:?}")
        };
        assert!(said.contains("network level authentication"), "{said}");
    }
}
