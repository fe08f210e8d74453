//! The client against the package's own server, written by others.

use ironrdp_core::{WriteBuf, decode_exact, encode_vec};
use sspi::credssp::{CredSspServer, CredentialsProxy, ServerMode, ServerState, TsRequest as TheirRequest};
use sspi::ntlm::NtlmConfig;
use sspi::{AuthIdentity, NegotiateConfig, Username};

use super::authenticate::Authenticate;
use super::quiet::quietly;
use super::{TsRequest, log_tests};
use crate::{
    AuthFailure, Config, ConnectorError, ConnectorErrorKind, ConnectorResult, Credentials, NtStatus, Reply,
    Request, ServerIdentity,
};

const KEY: &[u8] = b"the contents of a subjectPublicKey bit string";
const PASSWORD: &str = "Lab-Pass-1";

/// Knows one user, by any domain.
struct OneUser;

impl CredentialsProxy for OneUser {
    type AuthenticationData = AuthIdentity;

    fn auth_data_by_user(&mut self, username: &Username) -> std::io::Result<AuthIdentity> {
        Ok(AuthIdentity {
            username: username.clone(),
            password: PASSWORD.to_owned().into(),
        })
    }

    fn auth_data(&mut self) -> std::io::Result<Vec<AuthIdentity>> {
        ["rdptest", "LAB\\rdptest", "rdptest@lab.example"]
            .into_iter()
            .map(|name| self.auth_data_by_user(&Username::parse(name).unwrap()))
            .collect()
    }
}

/// The server, and what it learned.
struct Server {
    machine: CredSspServer<OneUser>,
    delegated: Option<AuthIdentity>,
}

impl Server {
    fn new(key: &[u8]) -> Self {
        Self::with_version(key, 6, ServerMode::Ntlm(NtlmConfig::default()))
    }

    fn with_spnego() -> Self {
        let config = NegotiateConfig::new(
            Box::new(NtlmConfig::default()),
            Some("ntlm".into()),
            "server".into(),
        );
        Self::with_version(KEY, 6, ServerMode::Negotiate(config))
    }

    fn with_version(key: &[u8], version: u32, mode: ServerMode) -> Self {
        Self {
            machine: CredSspServer::new_with_version(key.to_vec(), OneUser, version, mode).unwrap(),
            delegated: None,
        }
    }

    /// Its answer, if it has one.
    fn handle(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let request = TheirRequest::from_buffer(message).unwrap();
        let answer = match quietly(|| self.machine.process(request).resolve_to_result()).unwrap() {
            Ok(ServerState::ReplyNeeded(answer)) => answer,
            Ok(ServerState::Finished(identity)) => {
                self.delegated = Some(identity);
                return None;
            }
            Err(error) => *error.ts_request.unwrap(),
        };
        let mut bytes = Vec::new();
        answer.encode_ts_request(&mut bytes).unwrap();
        Some(bytes)
    }
}

fn config() -> Config {
    Config::new(Credentials::new("LAB\\rdptest", PASSWORD))
}

fn identity() -> ServerIdentity {
    ServerIdentity {
        name: "server.lab.example".into(),
        public_key: KEY.to_vec(),
        kerberos: None,
    }
}

/// A client with all questions answered.
fn client(config: &Config, early_result: bool) -> Authenticate {
    let mut client = Authenticate::new(early_result);
    assert!(matches!(client.request(), Some(Request::ServerIdentity)));
    client.answer(config, Reply::ServerIdentity(identity())).unwrap();
    assert!(matches!(client.request(), Some(Request::Random(32))));
    client.answer(config, Reply::Random(vec![7; 32])).unwrap();
    assert!(client.request().is_none());
    client
}

/// Runs `client` against what `peer` answers; gives the messages the client sent.
fn run(
    mut client: Authenticate,
    mut peer: impl FnMut(&[u8]) -> Option<Vec<u8>>,
) -> ConnectorResult<Vec<Vec<u8>>> {
    let mut said = Vec::new();
    let mut heard = Vec::new();
    loop {
        let mut out = WriteBuf::new();
        client = client.step(&heard, &mut out)?;
        if out.is_empty() {
            return Ok(said);
        }
        said.push(out.take());
        match peer(said.last().unwrap()) {
            Some(answer) => heard = answer,
            None => return Ok(said),
        }
        let hint = client.next_pdu_hint().unwrap();
        assert_eq!(hint.find_size(&heard).unwrap(), Some((true, heard.len())));
    }
}

fn auth_failure(error: &ConnectorError) -> AuthFailure {
    match error.kind() {
        ConnectorErrorKind::Auth(failure) => *failure,
        _ => panic!("{error:?}"),
    }
}

#[test]
fn ntlm_logs_in_with_three_messages_and_delegates_the_credentials() {
    let mut server = Server::new(KEY);
    let said = run(client(&config(), false), |message| server.handle(message)).unwrap();
    assert_eq!(said.len(), 3);
    let delegated = server.delegated.unwrap();
    assert_eq!(delegated.username.inner(), "LAB\\rdptest");
    assert_eq!(delegated.password.as_ref(), PASSWORD);
}

#[test]
fn ntlm_in_spnego_logs_in_too() {
    let mut server = Server::with_spnego();
    let config = config().with_ntlm_in_spnego();
    let said = run(client(&config, false), |message| server.handle(message)).unwrap();
    assert_eq!(server.delegated.unwrap().password.as_ref(), PASSWORD);
    // NegTokenInit is a GSS-API token, and those after it are NegTokenResp.
    let tags = said
        .iter()
        .filter_map(|message| decode_exact::<TsRequest<'_>>(message).unwrap().nego_token)
        .map(|token| token[0])
        .collect::<Vec<_>>();
    assert_eq!(tags, [0x60, 0xa1]);
    assert_eq!(said.len(), 4);
}

#[test]
fn every_way_to_write_a_user_name_arrives_as_it_was_meant() {
    for (given, seen) in [
        ("rdptest", "rdptest"),
        ("LAB\\rdptest", "LAB\\rdptest"),
        ("rdptest@lab.example", "rdptest@lab.example"),
    ] {
        for spnego in [false, true] {
            let mut config = Config::new(Credentials::new(given, PASSWORD));
            let mut server = Server::new(KEY);
            if spnego {
                config = config.with_ntlm_in_spnego();
                server = Server::with_spnego();
            }
            run(client(&config, false), |message| server.handle(message)).unwrap();
            assert_eq!(server.delegated.unwrap().username.inner(), seen);
        }
    }
}

#[test]
fn a_wrong_password_is_told_apart_from_a_wrong_certificate() {
    let mut server = Server::new(KEY);
    let config = Config::new(Credentials::new("rdptest", "Lab-Pass-2"));
    let error = run(client(&config, false), |message| server.handle(message)).unwrap_err();
    assert_eq!(auth_failure(&error), AuthFailure::BadCredentials);
    assert_eq!(error.nt_status(), Some(NtStatus(0xc007_030c)));

    let mut server = Server::new(b"another key");
    let error = run(client(&self::config(), false), |message| server.handle(message)).unwrap_err();
    assert_eq!(auth_failure(&error), AuthFailure::PublicKeyMismatch);
}

#[test]
fn a_server_that_does_not_prove_the_certificate_gets_no_credentials() {
    // The proof changed on the way, the client's own proof sent back, and no proof at all.
    type Change = fn(&mut TsRequest<'_>);
    let changes: [Change; 3] = [
        |answer| answer.pub_key_auth = Some(&[0x5a; 48]),
        |answer| answer.pub_key_auth = Some(&[0x5a; 15]),
        |answer| answer.pub_key_auth = None,
    ];
    for change in changes {
        let mut server = Server::new(KEY);
        let mut messages = 0;
        let result = run(client(&config(), false), |message| {
            let answer = server.handle(message)?;
            messages += 1;
            if messages < 2 {
                return Some(answer);
            }
            let mut answer: TsRequest<'_> = decode_exact(&answer).unwrap();
            change(&mut answer);
            Some(encode_vec(&answer).unwrap())
        });
        assert!(matches!(
            result.unwrap_err().kind(),
            ConnectorErrorKind::Auth(AuthFailure::PublicKeyMismatch) | ConnectorErrorKind::Unexpected
        ));
        assert!(server.delegated.is_none());
    }
    let mut server = Server::new(KEY);
    let error = run(client(&config(), false), |message| {
        let request: TsRequest<'_> = decode_exact(message).unwrap();
        // Sent back as it came.
        if request.pub_key_auth.is_some() {
            return Some(message.to_vec());
        }
        server.handle(message)
    })
    .unwrap_err();
    assert_eq!(auth_failure(&error), AuthFailure::PublicKeyMismatch);
}

#[test]
fn old_versions_are_spoken_only_if_that_was_allowed() {
    for version in 2..=4 {
        let server = || Server::with_version(KEY, version, ServerMode::Ntlm(NtlmConfig::default()));
        let mut refused = server();
        let error = run(client(&config(), false), |message| refused.handle(message)).unwrap_err();
        assert_eq!(*error.kind(), ConnectorErrorKind::Unsupported);

        let config = config().dangerously_allow_old_credssp();
        let mut allowed = server();
        run(client(&config, false), |message| {
            // Their server takes its own version for the client's.
            let request: TsRequest<'_> = decode_exact(message).unwrap();
            assert!(request.client_nonce.is_none());
            let request = TsRequest { version, ..request };
            allowed.handle(&encode_vec(&request).unwrap())
        })
        .unwrap();
        assert_eq!(allowed.delegated.unwrap().password.as_ref(), PASSWORD);
    }
    for version in [5, 6, 7] {
        let mut server = Server::with_version(KEY, version, ServerMode::Ntlm(NtlmConfig::default()));
        run(client(&config(), false), |message| server.handle(message)).unwrap();
        assert!(server.delegated.is_some());
    }
}

#[test]
fn a_server_that_changes_its_version_or_has_none_we_know_is_refused() {
    for versions in [[6, 5], [1, 1], [0, 0]] {
        let mut server = Server::new(KEY);
        let mut next = versions.into_iter();
        let error = run(client(&config(), false), |message| {
            let answer = server.handle(message)?;
            let answer: TsRequest<'_> = decode_exact(&answer).unwrap();
            let version = next.next().unwrap();
            Some(encode_vec(&TsRequest { version, ..answer }).unwrap())
        })
        .unwrap_err();
        assert!(matches!(
            error.kind(),
            ConnectorErrorKind::Unexpected | ConnectorErrorKind::Unsupported
        ));
        assert!(server.delegated.is_none());
    }
}

#[test]
fn restricted_admin_delegates_nobody() {
    let config = config().with_restricted_admin();
    let mut server = Server::new(KEY);
    run(client(&config, false), |message| server.handle(message)).unwrap();
    let delegated = server.delegated.unwrap();
    assert_eq!(
        (delegated.username.inner(), delegated.password.as_ref().as_str()),
        ("", "")
    );
}

#[test]
fn a_status_code_from_the_server_keeps_its_name() {
    for (code, failure) in [
        (NtStatus::ACCOUNT_LOCKED_OUT, AuthFailure::AccountLocked),
        (NtStatus::ACCOUNT_DISABLED, AuthFailure::AccountDisabled),
        (NtStatus::ACCOUNT_EXPIRED, AuthFailure::AccountExpired),
        (NtStatus::ACCOUNT_RESTRICTION, AuthFailure::AccountRestricted),
        (NtStatus::PASSWORD_EXPIRED, AuthFailure::PasswordExpired),
        (NtStatus::PASSWORD_MUST_CHANGE, AuthFailure::PasswordMustChange),
        (NtStatus::LOGON_TYPE_NOT_GRANTED, AuthFailure::LogonTypeNotGranted),
        (NtStatus::NO_SUCH_USER, AuthFailure::UnknownUser),
        (NtStatus::LOGON_FAILURE, AuthFailure::BadCredentials),
        (NtStatus::NO_LOGON_SERVERS, AuthFailure::NoLogonServer),
        (NtStatus::TIME_DIFFERENCE_AT_DC, AuthFailure::ClockSkew),
        (NtStatus(0xc000_9999), AuthFailure::Status(NtStatus(0xc000_9999))),
    ] {
        let answer = TsRequest {
            error_code: Some(code),
            ..TsRequest::new()
        };
        let error = run(client(&config(), false), |_| Some(encode_vec(&answer).unwrap())).unwrap_err();
        assert_eq!(auth_failure(&error), failure);
        assert_eq!(error.nt_status(), Some(code));
    }
}

#[test]
fn the_early_result_is_waited_for_where_it_was_agreed_upon() {
    let outcome = |result: &[u8]| {
        let mut server = Server::new(KEY);
        let outcome = run(client(&config(), true), |message| {
            Some(server.handle(message).unwrap_or_else(|| result.to_vec()))
        });
        assert!(server.delegated.is_some());
        outcome
    };
    assert_eq!(outcome(&[0, 0, 0, 0]).unwrap().len(), 3);
    let denied = outcome(&[5, 0, 0, 0]).unwrap_err();
    assert_eq!(auth_failure(&denied), AuthFailure::AccessDenied);
    let unknown = outcome(&[7, 0, 0, 0]).unwrap_err();
    assert_eq!(*unknown.kind(), ConnectorErrorKind::Unexpected);
    let locked = TsRequest {
        error_code: Some(NtStatus::ACCOUNT_LOCKED_OUT),
        ..TsRequest::new()
    };
    let locked = outcome(&encode_vec(&locked).unwrap()).unwrap_err();
    assert_eq!(auth_failure(&locked), AuthFailure::AccountLocked);
}

#[test]
fn any_byte_of_the_server_changed_or_cut_is_an_error_and_no_panic() {
    let run_with = |spnego: bool, damage: &mut dyn FnMut(usize, &mut Vec<u8>)| {
        let mut config = config();
        let mut server = Server::new(KEY);
        if spnego {
            config = config.with_ntlm_in_spnego();
            server = Server::with_spnego();
        }
        let mut number = 0;
        let mut client = client(&config, false);
        let mut heard = Vec::new();
        loop {
            let mut out = WriteBuf::new();
            client = match client.step(&heard, &mut out) {
                Ok(client) => client,
                Err(error) => {
                    assert!(!error.to_string().contains("panic"), "{error}");
                    return false;
                }
            };
            if client.is_done() {
                return server.handle(out.filled()).is_none() && server.delegated.is_some();
            }
            match server.handle(out.filled()) {
                Some(answer) => heard = answer,
                None => return server.delegated.is_some(),
            }
            damage(number, &mut heard);
            number += 1;
        }
    };
    for spnego in [false, true] {
        let mut lengths = Vec::new();
        let mut proof_at = 0..0;
        assert!(run_with(spnego, &mut |_, answer| {
            lengths.push(answer.len());
            let request: TsRequest<'_> = decode_exact(answer).unwrap();
            if let Some(proof) = request.pub_key_auth {
                let start = proof.as_ptr().addr() - answer.as_ptr().addr();
                proof_at = start..start + proof.len();
            }
        }));
        assert_eq!(proof_at.len(), 48);
        for (number, length) in lengths.iter().copied().enumerate() {
            for at in 0..length {
                let cut = run_with(spnego, &mut |this, answer| {
                    if this == number {
                        answer.truncate(at);
                    }
                });
                assert!(!cut, "message {number} cut at {at}");
                // Some bytes mean nothing, such as those of a version; what counts is that nothing panics, and that the
                // proof of the certificate is never taken with a byte changed.
                let sealed = number + 1 == lengths.len() && proof_at.contains(&at);
                let changed = run_with(spnego, &mut |this, answer| {
                    if this == number {
                        answer[at] ^= 0x41;
                    }
                });
                assert!(!(sealed && changed), "message {number} changed at {at}");
            }
        }
    }
}

#[test]
fn a_login_logged_at_trace_shows_no_secret() {
    let log = log_tests::record(|| {
        let mut server = Server::new(KEY);
        run(client(&config(), false), |message| server.handle(message)).unwrap();
        let config = config().with_ntlm_in_spnego();
        let mut server = Server::with_spnego();
        run(client(&config, false), |message| server.handle(message)).unwrap();
        let config = Config::new(Credentials::new("rdptest", "Lab-Pass-1x"));
        let mut server = Server::new(KEY);
        let error = run(client(&config, false), |message| server.handle(message)).unwrap_err();
        tracing::error!(?error, %error, ?config, "login");
    });
    log_tests::assert_no_secret(&log, PASSWORD);
    assert!(log.contains("LogonDenied") || log.contains("C007030C"), "{log}");
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(content.len()).unwrap() {
        length @ 0..=0x7f => bytes.push(length),
        length => bytes.extend([0x81, length]),
    }
    bytes.extend_from_slice(content);
    bytes
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    tlv(0xa0 | number, content)
}

fn integer(value: u8) -> Vec<u8> {
    tlv(2, &[value])
}

/// What a KDC says over TCP when it refuses (`KRB-ERROR`, RFC 4120 5.9.1).
fn refusal(code: u8, data: &[u8]) -> Vec<u8> {
    let realm = tlv(0x1b, b"LAB.TEST");
    let names = tlv(0x30, &[tlv(0x1b, b"krbtgt"), realm.clone()].concat());
    let service = tlv(0x30, &[field(0, &integer(2)), field(1, &names)].concat());
    let mut fields = [
        field(0, &integer(5)),
        field(1, &integer(30)),
        field(4, &tlv(0x18, b"20261122120000Z")),
        field(5, &integer(0)),
        field(6, &integer(code)),
        field(9, &realm),
        field(10, &service),
    ]
    .concat();
    if !data.is_empty() {
        fields.extend(field(12, &tlv(4, data)));
    }
    let message = tlv(0x7e, &tlv(0x30, &fields));
    let length = u32::try_from(message.len()).unwrap();
    [&length.to_be_bytes(), message.as_slice()].concat()
}

const PREAUTH_REQUIRED: u8 = 25;

/// Which key the KDC wants a proof of: AES-256 with this salt (`ETYPE-INFO2`).
fn wanted_key() -> Vec<u8> {
    let entry = [field(0, &integer(18)), field(1, &tlv(0x1b, b"LAB.TESTrdptest"))].concat();
    let info = tlv(0x30, &tlv(0x30, &entry));
    let method = tlv(0x30, &[field(1, &integer(19)), field(2, &tlv(4, &info))].concat());
    tlv(0x30, &method)
}

fn kerberos_client(config: &Config, kerberos: crate::KerberosConfig) -> Authenticate {
    let mut client = Authenticate::new(false);
    let identity = ServerIdentity {
        kerberos: Some(kerberos),
        ..identity()
    };
    client.answer(config, Reply::ServerIdentity(identity)).unwrap();
    client.answer(config, Reply::Random(vec![7; 32])).unwrap();
    client
}

/// Runs a Kerberos login whose KDC gives these answers until it ends, which it does before the server is asked; says how many
/// questions there were.
fn ask_kdc(answers: &[Vec<u8>]) -> (ConnectorError, usize) {
    let config = Config::new(Credentials::new("rdptest", PASSWORD));
    let kerberos = crate::KerberosConfig::new("tcp://kdc.lab.example:88").with_realm("LAB.TEST");
    let mut client = kerberos_client(&config, kerberos);
    let mut answers = answers.iter();
    let mut questions = 0;
    loop {
        let mut out = WriteBuf::new();
        client = match client.step(&[], &mut out) {
            Ok(client) => client,
            Err(error) => return (error, questions),
        };
        assert!(out.is_empty(), "the server is asked");
        let asked = match client.request() {
            Some(Request::Network(request)) => request.clone(),
            request => panic!("{request:?}"),
        };
        questions += 1;
        assert_eq!(asked.host_and_port(), Some(("kdc.lab.example", 88)));
        // A login may rest here for any time, and whoever asks again is told the same.
        assert!(matches!(client.request(), Some(Request::Network(again)) if *again == asked));
        assert!(client.next_pdu_hint().is_none());
        let misuse = client.answer(&config, Reply::Random(Vec::new())).unwrap_err();
        assert_eq!(*misuse.kind(), ConnectorErrorKind::Misuse);
        let answer = answers
            .next()
            .unwrap_or_else(|| panic!("question {questions}"))
            .clone();
        client.answer(&config, Reply::Network(answer)).unwrap();
    }
}

#[test]
fn a_kdcs_refusal_is_told_by_what_is_to_be_done_about_it() {
    for (code, failure) in [
        (1, AuthFailure::AccountExpired),
        (6, AuthFailure::UnknownUser),
        (7, AuthFailure::UnknownServer),
        (12, AuthFailure::AccountRestricted),
        (18, AuthFailure::AccountDisabled),
        (23, AuthFailure::PasswordExpired),
        (37, AuthFailure::ClockSkew),
    ] {
        let (error, questions) = ask_kdc(&[refusal(code, &[])]);
        assert_eq!((auth_failure(&error), questions), (failure, 1), "{error:?}");
    }
    // The password is proved in the second message only.
    let (error, questions) = ask_kdc(&[refusal(PREAUTH_REQUIRED, &wanted_key()), refusal(24, &[])]);
    assert_eq!(auth_failure(&error), AuthFailure::BadCredentials);
    assert_eq!(questions, 2);
    assert!(
        std::error::Error::source(&error)
            .unwrap()
            .to_string()
            .contains("KDC_ERR_PREAUTH_FAILED")
    );
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
        let mut kerberos = crate::KerberosConfig::new("tcp://kdc.lab.example:88");
        if let Some(realm) = realm {
            kerberos = kerberos.with_realm(realm);
        }
        let client = kerberos_client(&config, kerberos);
        let client = client.step(&[], &mut WriteBuf::new()).unwrap();
        let Some(Request::Network(request)) = client.request() else {
            panic!("{user}: no question");
        };
        // Names in KDC-REQ-BODY: cname [1], realm [2].
        let cname = field(1, &tlv(0x30, &tlv(0x1b, name.as_bytes())));
        let realm = field(2, &tlv(0x1b, asked_realm.as_bytes()));
        for wanted in [&cname, &realm] {
            let is_there = request
                .data
                .windows(wanted.len())
                .any(|window| window == wanted.as_slice());
            assert!(
                is_there,
                "{user}: {} in {:x?}",
                String::from_utf8_lossy(wanted),
                String::from_utf8_lossy(&request.data)
            );
        }
    }
}

#[test]
fn a_domain_controllers_status_keeps_its_name() {
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
        let (error, _) = ask_kdc(&[refusal(18, &data)]);
        assert_eq!(auth_failure(&error), failure, "{error:?}");
        assert_eq!(error.nt_status(), Some(status));
    }
}

#[test]
fn a_kdcs_answer_cut_or_changed_at_any_byte_is_an_error_and_no_panic() {
    let sweep = |good: &[u8], range: core::ops::Range<usize>, changes: &[u8]| {
        for at in range {
            for change in changes {
                let mut changed = good.to_vec();
                changed[at] ^= change;
                let (error, _) = ask_kdc(&[changed, refusal(24, &[]), refusal(24, &[])]);
                assert!(!error.to_string().contains("panic"), "{at}: {error}");
            }
            let (error, _) = ask_kdc(&[good[..at].to_vec(), refusal(24, &[])]);
            assert!(!error.to_string().contains("panic"), "{at}: {error}");
        }
    };
    let refused = refusal(24, &[]);
    sweep(&refused, 0..refused.len(), &[0x01, 0x41, 0x80]);
    // Deriving a key takes its time, so what is the same is not swept again.
    let wanted = wanted_key();
    let asks_for_a_key = refusal(PREAUTH_REQUIRED, &wanted);
    let end = asks_for_a_key.len();
    sweep(&asks_for_a_key, end - wanted.len()..end, &[0x41]);
}

#[test]
fn a_kerberos_login_logged_at_trace_shows_no_secret() {
    let log = log_tests::record(|| {
        let (error, _) = ask_kdc(&[refusal(PREAUTH_REQUIRED, &wanted_key()), refusal(24, &[])]);
        tracing::error!(?error, %error, "login");
    });
    log_tests::assert_no_secret(&log, PASSWORD);
    assert!(log.contains("KrbError { code: 24"), "{log}");
}

#[test]
fn what_cannot_begin_a_message_is_refused_at_its_first_byte() {
    let mut client = client(&config(), false);
    let mut out = WriteBuf::new();
    client = client.step(&[], &mut out).unwrap();
    let hint = client.next_pdu_hint().unwrap();
    for first in 0..=u8::MAX {
        let found = hint.find_size(&[first]);
        match first {
            0x30 => assert_eq!(found.unwrap(), None),
            // FreeRDP's way to end a login, which is good only once it has begun.
            0x03 => assert_eq!(found.unwrap(), Some((true, 1))),
            _ => assert!(found.is_err(), "{first:#x}"),
        }
    }
    let error = client.step(&[3], &mut out).unwrap_err();
    assert_eq!(*error.kind(), ConnectorErrorKind::Malformed);
}
