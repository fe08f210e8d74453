//! The client against a KDC, and with what that grants against our own server.

use ironrdp_core::{WriteBuf, decode_exact, encode_vec};

use super::authenticate::Authenticate;
use super::authenticate_client::AuthenticateClient;
use super::client_tests::{KEY, PASSWORD, auth_failure, identity};
use super::spnego::{NTLM, NegTokenInit};
use super::test_kdc::{
    self, PREAUTH_REQUIRED, REALM, SESSION_KEYS, USER, field, granting_ticket, integer, refusal, text, tlv,
    user_key, wanted_key,
};
use super::{Keytab, TsRequest, log_tests, server_tests};
use crate::{
    AuthFailure, Config, ConnectorError, ConnectorErrorKind, ConnectorResult, Credentials, KerberosConfig,
    LogonMethod, NetworkProtocol, NetworkRequest, NtStatus, Reply, Request, ServerIdentity,
};

/// Keys of the service `TERMSRV/server.lab.example`, among others.
const KEYTAB: &[u8] = include_bytes!("../../tests/vectors/credssp/service.keytab");
const SERVICE: [&str; 2] = ["TERMSRV", "server.lab.example"];

fn keytab() -> Keytab {
    Keytab::from_bytes(KEYTAB).unwrap()
}

/// The key by which the service opens tickets.
fn service_key() -> Vec<u8> {
    keytab().best()[0].key().to_vec()
}

fn server() -> server_tests::Server {
    server_tests::Server::of(AuthenticateClient::new(false, Some(keytab()), false))
}

fn config() -> Config {
    Config::new(Credentials::new(USER, PASSWORD))
}

const PROTOCOLS: [(NetworkProtocol, &str, u16); 4] = [
    (NetworkProtocol::Tcp, "tcp://kdc.lab.example:88", 88),
    (NetworkProtocol::Udp, "udp://kdc.lab.example:88", 88),
    (NetworkProtocol::Https, "https://kdc.lab.example/KdcProxy", 443),
    (NetworkProtocol::Http, "http://kdc.lab.example/KdcProxy", 80),
];

fn by_tcp() -> KerberosConfig {
    KerberosConfig::new(PROTOCOLS[0].1).with_realm(REALM)
}

fn client_of(config: &Config, identity: ServerIdentity) -> Authenticate {
    let mut client = Authenticate::new(false);
    client.answer(config, Reply::ServerIdentity(identity)).unwrap();
    client.answer(config, Reply::Random(vec![7; 32])).unwrap();
    client
}

fn kerberos_client(config: &Config, kerberos: KerberosConfig) -> Authenticate {
    client_of(
        config,
        ServerIdentity {
            kerberos: Some(kerberos),
            ..identity()
        },
    )
}

/// Runs `client` to its end between a KDC and a server.
fn log_in(
    mut client: Authenticate,
    mut kdc: impl FnMut(&NetworkRequest) -> Vec<u8>,
    mut server: impl FnMut(&[u8]) -> Vec<u8>,
) -> ConnectorResult<()> {
    let mut heard = Vec::new();
    loop {
        let mut out = WriteBuf::new();
        client = client.step(&heard, &mut out)?;
        heard.clear();
        if !out.is_empty() {
            heard = server(out.filled());
        }
        if client.is_done() {
            return Ok(());
        }
        if let Some(request) = client.request() {
            let Request::Network(asked) = request else {
                panic!("{request:?}");
            };
            let asked = asked.clone();
            // A login may rest here for any time, and whoever asks again is told the same.
            assert!(matches!(client.request(), Some(Request::Network(again)) if *again == asked));
            assert!(client.next_pdu_hint().is_none());
            let misuse = client.answer(&config(), Reply::Random(Vec::new())).unwrap_err();
            assert_eq!(*misuse.kind(), ConnectorErrorKind::Misuse);
            client.answer(&config(), Reply::Network(kdc(&asked))).unwrap();
        } else {
            let size = client.next_pdu_hint().unwrap().find_size(&heard)?;
            assert_eq!(size, Some((true, heard.len())));
        }
    }
}

/// A KDC that gives `answers` one after the other.
fn answering(answers: Vec<Vec<u8>>) -> impl FnMut(&NetworkRequest) -> Vec<u8> {
    let mut answers = answers.into_iter();
    move |request| {
        let answer = answers
            .next()
            .unwrap_or_else(|| panic!("one question too many: {request:?}"));
        test_kdc::by(request.protocol, &answer)
    }
}

/// Runs a login whose KDC gives these answers by `protocol` until it ends, which it does before the server is asked; says how
/// many questions there were.
fn ask_kdc_by(
    (protocol, url, port): (NetworkProtocol, &str, u16),
    answers: &[Vec<u8>],
) -> (ConnectorError, usize) {
    let kerberos = KerberosConfig::new(url).with_realm(REALM);
    let mut kdc = answering(answers.to_vec());
    let mut questions = 0;
    let error = log_in(
        kerberos_client(&config(), kerberos),
        |request| {
            assert_eq!(request.protocol, protocol);
            assert_eq!(request.host_and_port(), Some(("kdc.lab.example", port)));
            questions += 1;
            kdc(request)
        },
        |_| panic!("the server is asked"),
    )
    .unwrap_err();
    (error, questions)
}

fn ask_kdc(answers: &[Vec<u8>]) -> (ConnectorError, usize) {
    ask_kdc_by(PROTOCOLS[0], answers)
}

#[test]
fn a_kdcs_refusal_is_told_by_what_is_to_be_done_about_it_however_it_comes() {
    for protocol in PROTOCOLS {
        for (code, failure) in [
            (1, AuthFailure::AccountExpired),
            (6, AuthFailure::UnknownUser),
            (7, AuthFailure::UnknownServer),
            (12, AuthFailure::AccountRestricted),
            (18, AuthFailure::AccountDisabled),
            (23, AuthFailure::PasswordExpired),
            (37, AuthFailure::ClockSkew),
            (68, AuthFailure::UnknownUser),
        ] {
            let (error, questions) = ask_kdc_by(protocol, &[refusal(code, &[])]);
            assert_eq!(
                (auth_failure(&error), questions),
                (failure, 1),
                "{protocol:?} {error:?}"
            );
        }
        // The password is proved in the second message only.
        let wrong_password = [refusal(PREAUTH_REQUIRED, &wanted_key()), refusal(24, &[])];
        let (error, questions) = ask_kdc_by(protocol, &wrong_password);
        assert_eq!(auth_failure(&error), AuthFailure::BadCredentials, "{protocol:?}");
        assert_eq!(questions, 2);
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("KDC_ERR_PREAUTH_FAILED"), "{protocol:?} {source}");
    }
}

#[test]
fn a_domain_controllers_status_keeps_its_name_however_it_comes() {
    for protocol in PROTOCOLS {
        for (status, failure) in [
            (NtStatus::ACCOUNT_LOCKED_OUT, AuthFailure::AccountLocked),
            (NtStatus::PASSWORD_MUST_CHANGE, AuthFailure::PasswordMustChange),
            (NtStatus::ACCOUNT_EXPIRED, AuthFailure::AccountExpired),
        ] {
            // KERB-ERROR-DATA with a KERB_EXT_ERROR (MS-KILE 2.2.1, 2.2.2).
            let extended = [status.0.to_le_bytes(), [0; 4], 1_u32.to_le_bytes()].concat();
            let data = tlv(
                0x30,
                &[field(1, &integer(3)), field(2, &tlv(4, &extended))].concat(),
            );
            let (error, _) = ask_kdc_by(protocol, &[refusal(18, &data)]);
            assert_eq!(auth_failure(&error), failure, "{protocol:?} {error:?}");
            assert_eq!(error.nt_status(), Some(status));
        }
    }
}

#[test]
fn a_ticket_logs_in_whichever_way_it_came() {
    for (_, url, _) in PROTOCOLS {
        let mut server = server();
        let client = kerberos_client(&config(), KerberosConfig::new(url).with_realm(REALM));
        let kdc = answering(test_kdc::login(PASSWORD, &SERVICE, &service_key()));
        log_in(client, kdc, |message| server.handle(message)).unwrap();
        let logon = server.logon();
        assert_eq!(logon.method, LogonMethod::Kerberos);
        assert_eq!(
            (logon.name.user.as_str(), logon.name.domain.as_str()),
            (USER, REALM)
        );
        assert_eq!(logon.delegated.password.expose(), PASSWORD);
    }
}

#[test]
fn a_ticket_that_is_not_for_the_server_or_a_clock_that_is_wrong_is_refused_on_both_ends() {
    let log_in = |answers: Vec<Vec<u8>>| {
        let mut server = server();
        let client = kerberos_client(&config(), by_tcp());
        let error = log_in(client, answering(answers), |message| server.handle(message)).unwrap_err();
        (auth_failure(&error), server.error())
    };
    // Somebody else's key, and somebody else's name.
    let mut key = service_key();
    key[0] ^= 1;
    let refused = AuthFailure::Status(NtStatus::SEC_E_INVALID_TOKEN);
    let (client, server) = log_in(test_kdc::login(PASSWORD, &SERVICE, &key));
    assert_eq!(client, refused);
    assert_eq!(*server.kind(), ConnectorErrorKind::Malformed);
    let other = ["TERMSRV", "other.lab.example"];
    let (client, server) = log_in(test_kdc::login(PASSWORD, &other, &service_key()));
    assert_eq!(client, refused);
    assert_eq!(*server.kind(), ConnectorErrorKind::Malformed);
    let reason = std::error::Error::source(&server).unwrap().to_string();
    assert!(reason.contains("no matching service key"), "{reason}");
    // The client sets its clock by the KDC's, which is years behind.
    let mut answers = test_kdc::login(PASSWORD, &SERVICE, &service_key());
    answers.insert(1, refusal(37, &[]));
    let (client, server) = log_in(answers);
    assert_eq!(client, AuthFailure::ClockSkew);
    assert_eq!(*server.kind(), ConnectorErrorKind::Auth(AuthFailure::ClockSkew));
}

#[test]
fn a_server_with_another_certificate_gets_no_credentials_by_kerberos_either() {
    let mut server = server();
    let attacked = ServerIdentity {
        public_key: b"another key".to_vec(),
        kerberos: Some(by_tcp()),
        ..identity()
    };
    assert_ne!(attacked.public_key, KEY);
    let kdc = answering(test_kdc::login(PASSWORD, &SERVICE, &service_key()));
    let error = log_in(client_of(&config(), attacked), kdc, |message| {
        server.handle(message)
    })
    .unwrap_err();
    assert_eq!(auth_failure(&error), AuthFailure::PublicKeyMismatch);
    assert_eq!(auth_failure(&server.error()), AuthFailure::PublicKeyMismatch);
}

#[test]
fn ntlm_takes_the_place_of_kerberos_only_if_that_was_allowed() {
    let preauth = || refusal(PREAUTH_REQUIRED, &wanted_key());
    for (name, answers, failure) in [
        // A server that the KDC does not know, by either of the questions that may tell.
        (
            "server.lab.example",
            vec![refusal(7, &[])],
            AuthFailure::UnknownServer,
        ),
        (
            "server.lab.example",
            vec![preauth(), granting_ticket(PASSWORD), refusal(7, &[])],
            AuthFailure::UnknownServer,
        ),
        // Clocks that differ: the first time the client sets its own by the KDC's.
        (
            "server.lab.example",
            vec![preauth(), refusal(37, &[]), refusal(37, &[])],
            AuthFailure::ClockSkew,
        ),
        (
            "server.lab.example",
            vec![refusal(68, &[])],
            AuthFailure::UnknownUser,
        ),
        // Where NTLM is allowed, the KDC is not even asked for a server without a name.
        ("192.0.2.7", vec![refusal(7, &[])], AuthFailure::UnknownServer),
        ("2001:db8::7", vec![refusal(7, &[])], AuthFailure::UnknownServer),
    ] {
        let client = |kerberos| {
            client_of(
                &config(),
                ServerIdentity {
                    name: name.into(),
                    kerberos: Some(kerberos),
                    ..identity()
                },
            )
        };
        let error = log_in(client(by_tcp()), answering(answers.clone()), |_| {
            panic!("the server is asked")
        })
        .unwrap_err();
        assert_eq!(auth_failure(&error), failure, "{name}");

        let mut server = server();
        let mut questions = 0;
        let mut kdc = answering(answers.clone());
        log_in(
            client(by_tcp().allow_ntlm()),
            |request| {
                questions += 1;
                kdc(request)
            },
            |message| server.handle(message),
        )
        .unwrap();
        assert_eq!(server.logon().method, LogonMethod::Ntlm);
        let is_asked = name == "server.lab.example";
        assert_eq!(questions, if is_asked { answers.len() } else { 0 }, "{name}");
    }
    // A wrong password is no reason.
    let refused = [refusal(PREAUTH_REQUIRED, &wanted_key()), refusal(24, &[])];
    let client = kerberos_client(&config(), by_tcp().allow_ntlm());
    let error = log_in(client, answering(refused.to_vec()), |_| {
        panic!("the server is asked")
    })
    .unwrap_err();
    assert_eq!(auth_failure(&error), AuthFailure::BadCredentials);
}

#[test]
fn the_server_may_choose_ntlm_only_if_that_was_allowed() {
    for is_allowed in [false, true] {
        let kerberos = if is_allowed {
            by_tcp().allow_ntlm()
        } else {
            by_tcp()
        };
        let mut first = Vec::new();
        // A server without a keytab has NTLM only.
        let mut server = server_tests::Server::new(false);
        let result = log_in(
            kerberos_client(&config(), kerberos),
            answering(test_kdc::login(PASSWORD, &SERVICE, &service_key())),
            |message| {
                if first.is_empty() {
                    first = message.to_vec();
                }
                server.handle(message)
            },
        );
        let first: TsRequest<'_> = decode_exact(&first).unwrap();
        let offer: NegTokenInit<'_> = decode_exact(first.nego_token.unwrap()).unwrap();
        assert!(offer.first_is_kerberos().is_some());
        assert_eq!(offer.place_of_ntlm().is_some(), is_allowed);
        assert_eq!(result.is_ok(), is_allowed, "{result:?}");
    }
}

#[test]
fn a_server_that_chooses_ntlm_unasked_is_refused() {
    let mut said = 0;
    let choice = encode_vec(&super::spnego::NegTokenResp {
        state: Some(super::spnego::NegState::Incomplete),
        mechanism: Some(NTLM),
        token: None,
        mechanisms_checksum: None,
    })
    .unwrap();
    let error = log_in(
        kerberos_client(&config(), by_tcp()),
        answering(test_kdc::login(PASSWORD, &SERVICE, &service_key())),
        |_| {
            said += 1;
            encode_vec(&TsRequest {
                nego_token: Some(&choice),
                ..TsRequest::new()
            })
            .unwrap()
        },
    )
    .unwrap_err();
    assert_eq!(*error.kind(), ConnectorErrorKind::Malformed, "{error:?}");
    assert_eq!(said, 1);
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// The first question that a login asks a KDC.
fn first_question(config: &Config, kerberos: KerberosConfig) -> Vec<u8> {
    let client = kerberos_client(config, kerberos);
    let client = client.step(&[], &mut WriteBuf::new()).unwrap();
    match client.request() {
        Some(Request::Network(request)) => request.data.clone(),
        request => panic!("{request:?}"),
    }
}

#[test]
fn a_kdc_is_asked_for_the_user_in_the_realm_that_was_meant() {
    for (user, realm, name, asked_realm) in [
        ("rdptest", Some("LAB.TEST"), "rdptest", "LAB.TEST"),
        ("rdptest@corp.example", Some("LAB.TEST"), "rdptest", "LAB.TEST"),
        ("LAB.TEST\\rdptest", None, "rdptest", "LAB.TEST"),
        ("rdptest@lab.test", None, "rdptest@lab.test", "LAB.TEST"),
    ] {
        let config = Config::new(Credentials::new(user, PASSWORD));
        let mut kerberos = KerberosConfig::new(PROTOCOLS[0].1);
        if let Some(realm) = realm {
            kerberos = kerberos.with_realm(realm);
        }
        let question = first_question(&config, kerberos);
        // Names in KDC-REQ-BODY: cname [1], realm [2].
        let cname = field(1, &tlv(0x30, &text(name)));
        let realm = field(2, &text(asked_realm));
        for wanted in [&cname, &realm] {
            assert!(
                contains(&question, wanted),
                "{user}: {} in {}",
                String::from_utf8_lossy(wanted),
                String::from_utf8_lossy(&question)
            );
        }
    }
}

#[test]
fn a_kdc_is_told_the_clients_host_name() {
    let config = config().with_client_name("my-laptop");
    let question = first_question(&config, by_tcp());
    assert!(contains(&question, b"my-laptop"));
    let question = first_question(&config, by_tcp().with_hostname("ws7.lab.example"));
    assert!(contains(&question, b"ws7.lab.example") && !contains(&question, b"my-laptop"));
}

#[test]
fn a_kdcs_answer_cut_or_changed_at_any_byte_is_an_error_and_no_panic() {
    let sweep = |protocol, good: &[u8], range: core::ops::Range<usize>, changes: &[u8]| {
        let ask = |bad: Vec<u8>| {
            let mut answers = vec![refusal(24, &[]); 2].into_iter();
            let mut first = Some(bad);
            let (_, url, _) = protocol;
            let kerberos = KerberosConfig::new(url).with_realm(REALM);
            log_in(
                kerberos_client(&config(), kerberos),
                // The bad one goes as it is.
                |request| match first.take() {
                    Some(bad) => bad,
                    None => test_kdc::by(request.protocol, &answers.next().unwrap()),
                },
                |_| panic!("the server is asked"),
            )
            .unwrap_err()
        };
        for at in range {
            for change in changes {
                let mut changed = good.to_vec();
                changed[at] ^= change;
                let error = ask(changed);
                assert!(!error.to_string().contains("panic"), "{at}: {error}");
            }
            let error = ask(good[..at].to_vec());
            assert!(!error.to_string().contains("panic"), "{at}: {error}");
        }
    };
    for protocol in PROTOCOLS {
        let refused = test_kdc::by(protocol.0, &refusal(24, &[]));
        sweep(protocol, &refused, 0..refused.len(), &[0x01, 0x41, 0x80]);
    }
    // Deriving a key takes its time, so what is the same is not swept again.
    let wanted = wanted_key();
    let asks_for_a_key = refusal(PREAUTH_REQUIRED, &wanted);
    let end = asks_for_a_key.len();
    sweep(PROTOCOLS[0], &asks_for_a_key, end - wanted.len()..end, &[0x41]);
}

#[test]
fn a_kerberos_login_logged_at_trace_on_both_ends_shows_no_secret() {
    let log = log_tests::record(|| {
        let mut server = server();
        let answers = test_kdc::login(PASSWORD, &SERVICE, &service_key());
        let config = config();
        let client = kerberos_client(&config, by_tcp());
        tracing::info!(?client, ?config, server = ?server.machine, "before");
        log_in(client, answering(answers), |message| server.handle(message)).unwrap();
        tracing::info!(end = ?server.end, "after");

        let (error, _) = ask_kdc(&[refusal(PREAUTH_REQUIRED, &wanted_key()), refusal(24, &[])]);
        tracing::error!(?error, %error, "login");
        let mut foreign = service_key();
        foreign[0] ^= 1;
        let mut server = self::server();
        let answers = test_kdc::login(PASSWORD, &SERVICE, &foreign);
        let client = kerberos_client(&self::config(), by_tcp());
        let error = log_in(client, answering(answers), |message| server.handle(message)).unwrap_err();
        tracing::error!(?error, %error, end = ?server.end, "login");
    });
    let keys = [
        user_key(PASSWORD),
        service_key(),
        SESSION_KEYS[0].to_vec(),
        SESSION_KEYS[1].to_vec(),
    ];
    log_tests::assert_no_secret(&log, PASSWORD, &keys);
    assert!(
        log.contains("logged in") && log.contains("KrbError { code: 24"),
        "{log}"
    );
}
