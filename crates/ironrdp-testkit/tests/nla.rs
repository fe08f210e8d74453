//! Network level authentication between the client's connector and the server's acceptor.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

use ironrdp_connector::{
    AcceptorConfig, AuthFailure, ClientConnector, Config, ConnectorError, ConnectorErrorKind, Credentials,
    LogonMethod, LogonName, Phase, Refusal, SecurityPolicy, ServerAcceptor, UserSecret,
};
use ironrdp_pdu::x224::{FailureCode, SecurityProtocol};
use ironrdp_testkit::{Chunks, Direction, Fault, Pair, PairOutcome};

type Outcome = PairOutcome<ClientConnector, ServerAcceptor>;

const PASSWORD: &str = "Lab-Pass-1";

fn client() -> Config {
    Config::new(Credentials::new("LAB\\rdptest", PASSWORD))
}

fn server() -> AcceptorConfig {
    AcceptorConfig::new().require_nla()
}

fn users(name: &LogonName) -> Option<UserSecret> {
    (name.user == "rdptest").then(|| UserSecret::Password(PASSWORD.into()))
}

fn pair(client: Config, server: AcceptorConfig) -> Pair<ClientConnector, ServerAcceptor> {
    Pair::new(ClientConnector::new(client), ServerAcceptor::new(server)).with_users(users)
}

fn failures(outcome: Outcome) -> (AuthFailure, AuthFailure) {
    let failure = |error: ConnectorError| {
        assert_eq!(error.phase(), Some(Phase::Authenticate), "{error:?}");
        match error.kind() {
            ConnectorErrorKind::Auth(failure) => *failure,
            _ => panic!("{error:?}"),
        }
    };
    (
        failure(outcome.client.unwrap_err()),
        failure(outcome.server.unwrap_err()),
    )
}

#[test]
fn a_client_logs_in_raw_in_spnego_and_without_delegating() {
    let plain = (client(), PASSWORD);
    let spnego = (client().with_ntlm_in_spnego(), PASSWORD);
    let restricted = (client().with_restricted_admin(), "");
    for (client, delegated) in [plain, spnego, restricted] {
        let outcome = pair(client, server()).run();
        let client = outcome.client.unwrap().into_result().unwrap();
        let server = outcome.server.unwrap().into_result().unwrap();
        assert_eq!(client.protocol, SecurityProtocol::HYBRID_EX);
        assert_eq!(server.protocol, SecurityProtocol::HYBRID_EX);
        let logon = server.logon.unwrap();
        assert_eq!(logon.method, LogonMethod::Ntlm);
        assert_eq!(
            (logon.name.user.as_str(), logon.name.domain.as_str()),
            ("rdptest", "LAB")
        );
        assert_eq!(logon.delegated.password.expose(), delegated);
    }
}

#[test]
fn both_ends_take_the_best_that_the_other_has() {
    let protocol = |client, server| {
        let outcome = pair(client, server).run();
        outcome
            .client
            .map(|client| client.into_result().unwrap().protocol)
            .map_err(|error| error.kind().clone())
    };
    let tls_only = || AcceptorConfig::new();
    let either = || AcceptorConfig::new().with_nla();
    let wants_tls = || client().with_security(SecurityPolicy::Tls);
    let wants_nla = || client().with_security(SecurityPolicy::Nla);
    assert_eq!(protocol(client(), tls_only()), Ok(SecurityProtocol::SSL));
    assert_eq!(protocol(client(), either()), Ok(SecurityProtocol::HYBRID_EX));
    assert_eq!(protocol(wants_tls(), either()), Ok(SecurityProtocol::SSL));
    assert_eq!(protocol(wants_nla(), either()), Ok(SecurityProtocol::HYBRID_EX));
    assert_eq!(
        protocol(wants_nla(), tls_only()),
        Err(ConnectorErrorKind::Auth(AuthFailure::NlaUnavailable))
    );
    assert_eq!(
        protocol(wants_tls(), server()),
        Err(ConnectorErrorKind::Refused(Refusal::Negotiation(
            FailureCode::HybridRequired
        )))
    );
    // Nobody to log in as: the login window is what is left.
    let nobody = Config::new(Credentials::new("", ""));
    assert_eq!(protocol(nobody, either()), Ok(SecurityProtocol::SSL));
}

#[test]
fn a_wrong_password_and_an_attacker_in_the_middle_are_told_apart_on_both_ends() {
    for spnego in [false, true] {
        let with = |config: Config| {
            if spnego {
                config.with_ntlm_in_spnego()
            } else {
                config
            }
        };
        let wrong = with(Config::new(Credentials::new("rdptest", "Lab-Pass-2")));
        assert_eq!(
            failures(pair(wrong, server()).run()),
            (AuthFailure::BadCredentials, AuthFailure::BadCredentials)
        );
        // The client is not told that there is no such user.
        let nobody = with(Config::new(Credentials::new("nobody", PASSWORD)));
        assert_eq!(
            failures(pair(nobody, server()).run()),
            (AuthFailure::BadCredentials, AuthFailure::UnknownUser)
        );
        let attacked = pair(with(client()), server()).with_attacker_in_the_middle();
        assert_eq!(
            failures(attacked.run()),
            (AuthFailure::PublicKeyMismatch, AuthFailure::PublicKeyMismatch)
        );
    }
}

#[test]
fn one_byte_at_a_time_makes_no_difference() {
    for spnego in [false, true] {
        let client = if spnego {
            client().with_ntlm_in_spnego()
        } else {
            client()
        };
        for chunks in [Chunks::Single, Chunks::Random(5)] {
            let outcome = pair(client.clone(), server()).with_chunks(chunks).run();
            assert!(outcome.client.is_ok(), "{:?}", outcome.client);
            assert!(outcome.server.is_ok(), "{:?}", outcome.server);
        }
    }
}

/// The bytes of the login in both directions, TLS marker and negotiation before it included.
fn login_ends(spnego: bool) -> [(Direction, u64); 2] {
    let client = if spnego {
        client().with_ntlm_in_spnego()
    } else {
        client()
    };
    let tls = pair(
        client.clone().with_security(SecurityPolicy::Tls),
        AcceptorConfig::new(),
    )
    .run();
    let nla = pair(client, server()).run();
    // What NLA adds comes before everything that TLS has as well; the negotiation is of the same size.
    [
        (
            Direction::ToServer,
            nla.bytes_to_server - tls.bytes_to_server + 100,
        ),
        (
            Direction::ToClient,
            nla.bytes_to_client - tls.bytes_to_client + 40,
        ),
    ]
}

#[test]
fn a_login_cut_stalled_or_changed_at_any_byte_ends_in_time_with_an_error_that_says_why() {
    for spnego in [false, true] {
        let client = || {
            if spnego {
                client().with_ntlm_in_spnego()
            } else {
                client()
            }
        };
        for (direction, end) in login_ends(spnego) {
            assert!(end > 150, "{direction:?} {end}");
            // In SPNEGO most bytes are the same as without.
            for at in (0..end).step_by(if spnego { 3 } else { 1 }) {
                for fault in [
                    Fault::Cut(direction, at),
                    Fault::Stall(direction, at),
                    Fault::Corrupt(direction, at, 0x41),
                    Fault::Corrupt(direction, at, 0x80),
                ] {
                    let outcome = pair(client(), server()).with_fault(fault).run();
                    assert!(outcome.peak_buffered < 80_000, "{fault:?}");
                    assert!(
                        outcome.elapsed < core::time::Duration::from_secs(61),
                        "{fault:?}: {:?}",
                        outcome.elapsed
                    );
                    let ends = [outcome.client.err(), outcome.server.err()];
                    if !matches!(fault, Fault::Corrupt(..)) {
                        assert!(ends.iter().any(Option::is_some), "{fault:?} unnoticed");
                    }
                    for error in ends.into_iter().flatten() {
                        assert!(
                            !matches!(error.kind(), ConnectorErrorKind::Misuse)
                                && !error.to_string().contains("panic"),
                            "{fault:?}: {error:?}"
                        );
                    }
                }
            }
        }
    }
}
