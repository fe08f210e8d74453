//! Network level authentication between the client's connector and the server's acceptor.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

use std::cell::RefCell;
use std::rc::Rc;

use ironrdp_connector::{
    AcceptorConfig, AuthFailure, ClientConnector, Config, ConnectorError, ConnectorErrorKind, Credentials,
    LogonMethod, LogonName, Phase, Refusal, SecurityPolicy, ServerAcceptor, TsRequest, UserSecret,
};
use ironrdp_core::{Decode as _, ReadCursor};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::x224::{FailureCode, RequestFlags, SecurityProtocol};
use ironrdp_testkit::{Chunks, Direction, Fault, Pair, PairOutcome, Script};

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
        let said = outcome.said_by_client;
        let client = outcome.client.unwrap().into_result().unwrap();
        let server = outcome.server.unwrap().into_result().unwrap();
        // What stands for TLS here lets everything be read: only CredSSP seals, so this is what a server would be handed.
        let utf16: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let is_said = said.windows(utf16.len()).any(|window| window == utf16);
        assert_eq!(is_said, !delegated.is_empty());
        assert_eq!(client.protocol, SecurityProtocol::HYBRID_EX);
        assert_eq!(server.protocol, SecurityProtocol::HYBRID_EX);
        let is_restricted = server
            .request
            .negotiation
            .unwrap()
            .flags
            .contains(RequestFlags::RESTRICTED_ADMIN_MODE_REQUIRED);
        assert_eq!(is_restricted, delegated.is_empty());
        let logon = server.logon.unwrap();
        assert_eq!(logon.method, LogonMethod::Ntlm);
        assert_eq!(
            (logon.name.user.as_str(), logon.name.domain.as_str()),
            ("rdptest", "LAB")
        );
        assert_eq!(logon.delegated.password.expose(), delegated);
    }
}

/// The first frame of a connection, before TLS.
fn negotiation(said: &[u8]) -> &[u8] {
    &said[..usize::from(u16::from_be_bytes([said[2], said[3]]))]
}

#[test]
fn restricted_admin_is_asked_for_and_nothing_is_said_to_a_server_without_it() {
    // RDP_NEG_REQ and RDP_NEG_RSP end the first frames: type, flags, length, protocols.
    let request = |client: Config| {
        let said = pair(client, server()).run().said_by_client;
        negotiation(&said).last_chunk::<8>().unwrap().to_owned()
    };
    assert_eq!(request(client()), [1, 0, 8, 0, 11, 0, 0, 0]);
    let restricted = || client().with_restricted_admin();
    // Where there is no NLA there is nothing to restrict, so TLS alone is not offered.
    assert_eq!(request(restricted()), [1, 1, 8, 0, 10, 0, 0, 0]);

    let answer = |flags: u8, protocol: u8| {
        let mut confirm = CONFIRM;
        confirm[12] = flags;
        confirm[15] = protocol;
        let script = Script::new().expect().send(confirm).upgrade().hang_up();
        let outcome = Pair::new(ClientConnector::new(restricted()), script).run();
        let more = outcome.said_by_client.len() - negotiation(&outcome.said_by_client).len();
        (outcome.client.unwrap_err(), more)
    };
    for flags in [0, 1, 2, 4, 0x10, 0xf7] {
        for protocol in [2, 8] {
            let (error, more) = answer(flags, protocol);
            assert_eq!(*error.kind(), ConnectorErrorKind::Unsupported, "{flags:#x}");
            assert_eq!(error.phase(), Some(Phase::Negotiate));
            assert_eq!(more, 0, "{flags:#x}");
        }
    }
    // With the flag, the login begins.
    let (error, more) = answer(8, 8);
    assert_eq!(error.phase(), Some(Phase::Authenticate));
    assert!(more > 0);
    // An acceptor says that it has the mode where it has a login that makes sense of it.
    let confirm = |client: Config, server: AcceptorConfig| {
        let said = pair(client, server).run().said_by_server;
        negotiation(&said).last_chunk::<8>().unwrap()[1] & 8
    };
    assert_eq!(confirm(restricted(), server()), 8);
    assert_eq!(confirm(client(), AcceptorConfig::new()), 0);
    let outcome = pair(restricted(), AcceptorConfig::new()).run();
    let error = outcome.client.unwrap_err();
    assert_eq!(
        *error.kind(),
        ConnectorErrorKind::Auth(AuthFailure::NlaUnavailable)
    );
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
fn a_user_who_may_not_have_a_session_is_told_so_as_early_as_the_client_can_hear_it() {
    // Both with the early result and, from a client that does not offer it, without.
    for (request, protocol) in [(11, SecurityProtocol::HYBRID_EX), (3, SecurityProtocol::HYBRID)] {
        let decisions = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&decisions);
        // The byte of the request that says which protocols are offered.
        let offers = u64::try_from(request_size() - 4).unwrap();
        let outcome = pair(client(), server())
            .with_fault(Fault::Corrupt(Direction::ToServer, offers, 11 ^ request))
            .with_admission(move |logon| {
                seen.borrow_mut().push((logon.name.user.clone(), logon.method));
                false
            })
            .with_decision(|_| panic!("asked about a user who was denied"))
            .run();
        assert_eq!(
            *decisions.borrow(),
            [("rdptest".to_owned(), LogonMethod::Ntlm)],
            "{protocol:?}"
        );
        let (phase, told) = if protocol == SecurityProtocol::HYBRID_EX {
            let denied = ConnectorErrorKind::Auth(AuthFailure::AccessDenied);
            (Phase::Authenticate, denied)
        } else {
            let denied = Refusal::ErrorInfo(ErrorInfo::SERVER_DENIED_CONNECTION);
            (Phase::Activate, ConnectorErrorKind::Refused(denied))
        };
        let (client, server) = (outcome.client.unwrap_err(), outcome.server.unwrap_err());
        assert_eq!((client.kind(), client.phase()), (&told, Some(phase)));
        assert_eq!(
            *server.kind(),
            ConnectorErrorKind::Auth(AuthFailure::AccessDenied)
        );
        assert_eq!(server.phase(), Some(phase));
        let told_at_once = outcome.said_by_server.ends_with(&[5, 0, 0, 0]);
        assert_eq!(told_at_once, protocol == SecurityProtocol::HYBRID_EX);
    }
}

fn request_size() -> usize {
    let said = pair(client(), server()).run().said_by_client;
    negotiation(&said).len()
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

/// Where the sealed parts of a login are in each direction: nobody may take one of them with a byte changed.
fn sealed_parts(outcome: &Outcome) -> Vec<(Direction, core::ops::Range<u64>)> {
    const TLS_MARKER: usize = 6;
    let mut parts = Vec::new();
    for (direction, said) in [
        (Direction::ToServer, &outcome.said_by_client),
        (Direction::ToClient, &outcome.said_by_server),
    ] {
        let start = negotiation(said).len();
        let mut rest = ReadCursor::new(&said[start..]);
        while rest.peek_u8() == Some(0x30) {
            let request = TsRequest::decode(&mut rest).unwrap();
            for part in [request.pub_key_auth, request.auth_info].into_iter().flatten() {
                let at = part.as_ptr().addr() - said.as_ptr().addr() + TLS_MARKER;
                let place = |at: usize| u64::try_from(at).unwrap();
                parts.push((direction, place(at)..place(at + part.len())));
            }
        }
    }
    parts
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
        let sealed = sealed_parts(&pair(client(), server()).run());
        assert_eq!(sealed.len(), 3);
        for (direction, end) in login_ends(spnego) {
            assert!(end > 150, "{direction:?} {end}");
            let sealed: Vec<_> = sealed.iter().filter(|(of, _)| *of == direction).collect();
            assert!(sealed.iter().all(|(_, part)| part.end <= end), "{sealed:?}");
            for at in 0..end {
                let is_sealed = sealed.iter().any(|(_, part)| part.contains(&at));
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
                    // Elsewhere some bytes mean nothing, such as the reserved ones of NTLM.
                    if is_sealed || !matches!(fault, Fault::Corrupt(..)) {
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

/// A Connection Confirm that selects CredSSP with the early result, and a Connection Request that asks for it.
const CONFIRM: [u8; 19] = [3, 0, 0, 19, 14, 0xd0, 0, 0, 0, 0, 0, 2, 0, 8, 0, 8, 0, 0, 0];
const REQUEST: [u8; 19] = [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 11, 0, 0, 0];

/// What a client makes of a server that says this once TLS is there.
fn client_hears(said: &[u8]) -> (ConnectorError, core::time::Duration, usize) {
    let script = Script::new().expect().send(CONFIRM).upgrade().send(said);
    let outcome = Pair::new(ClientConnector::new(client()), script).run();
    (
        outcome.client.unwrap_err(),
        outcome.elapsed,
        outcome.peak_buffered,
    )
}

/// What a server makes of a client that says this once TLS is there.
fn server_hears(said: &[u8]) -> (ConnectorError, core::time::Duration, usize) {
    let script = Script::new().send(REQUEST).expect().upgrade().send(said);
    let outcome = Pair::new(script, ServerAcceptor::new(server()))
        .with_users(users)
        .run();
    (
        outcome.server.unwrap_err(),
        outcome.elapsed,
        outcome.peak_buffered,
    )
}

#[test]
fn garbage_after_tls_is_refused_at_once_and_silence_at_the_deadline() {
    type Hears = fn(&[u8]) -> (ConnectorError, core::time::Duration, usize);
    for hears in [client_hears as Hears, server_hears] {
        for first in (0..=u8::MAX).filter(|first| *first != 0x30) {
            let (error, elapsed, _) = hears(&[first]);
            assert_eq!(*error.kind(), ConnectorErrorKind::Malformed, "{first:#x}");
            assert_eq!(error.phase(), Some(Phase::Authenticate));
            assert!(elapsed.as_secs() < 1, "{first:#x}: {elapsed:?}");
        }
        for (said, is_the_end) in [
            // A length that lies, and one that never ends.
            (&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], true),
            (&[0x30, 0x80], true),
            // A message without anything in it, many times.
            (&[0x30, 5, 0xa0, 3, 2, 1, 6].repeat(5_000), true),
            (&[], false),
            (&[0x30], false),
            (&[0x30, 0x82, 0xff, 0xf0, 0xa0, 3, 2, 1, 6], false),
        ] {
            let (error, elapsed, peak) = hears(said);
            assert_eq!(error.phase(), Some(Phase::Authenticate), "{error:?}");
            assert!(peak < 80_000, "{peak} bytes");
            let is_timeout = matches!(error.kind(), ConnectorErrorKind::Timeout(Phase::Authenticate));
            assert_eq!(is_timeout, !is_the_end, "{said:?}: {error:?}");
            assert!(elapsed < core::time::Duration::from_secs(61), "{elapsed:?}");
        }
    }
}
