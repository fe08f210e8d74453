//! The client against the package's own server, written by others.

use ironrdp_core::{WriteBuf, decode_exact, encode_vec};
use sspi::credssp::{CredSspServer, CredentialsProxy, ServerMode, ServerState, TsRequest as TheirRequest};
use sspi::ntlm::NtlmConfig;
use sspi::{AuthIdentity, NegotiateConfig, Username};

use super::authenticate::Authenticate;
use super::quiet::quietly;
use super::vector_tests::LoginKeys;
use super::{TsRequest, log_tests};
use crate::{
    AuthFailure, Config, ConnectorError, ConnectorErrorKind, ConnectorResult, Credentials, NtStatus, Reply,
    Request, ServerIdentity,
};

pub(super) const KEY: &[u8] = b"the contents of a subjectPublicKey bit string";
pub(super) const PASSWORD: &str = "Lab-Pass-1";

/// Knows one user, by any domain.
pub(super) struct OneUser;

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
pub(super) struct Server {
    machine: CredSspServer<OneUser>,
    pub(super) delegated: Option<AuthIdentity>,
}

impl Server {
    pub(super) fn new(key: &[u8]) -> Self {
        Self::with_version(key, 6, raw())
    }

    pub(super) fn with_spnego() -> Self {
        Self::with_version(KEY, 6, in_spnego())
    }

    pub(super) fn with_version(key: &[u8], version: u32, mode: ServerMode) -> Self {
        Self {
            machine: CredSspServer::new_with_version(key.to_vec(), OneUser, version, mode).unwrap(),
            delegated: None,
        }
    }

    /// Its answer, if it has one.
    pub(super) fn handle(&mut self, message: &[u8]) -> Option<Vec<u8>> {
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

pub(super) fn raw() -> ServerMode {
    ServerMode::Ntlm(NtlmConfig::default())
}

fn in_spnego() -> ServerMode {
    ServerMode::Negotiate(NegotiateConfig::new(
        Box::new(NtlmConfig::default()),
        Some("ntlm".into()),
        "server".into(),
    ))
}

pub(super) fn config() -> Config {
    Config::new(Credentials::new("LAB\\rdptest", PASSWORD))
}

pub(super) fn identity() -> ServerIdentity {
    ServerIdentity {
        name: "server.lab.example".into(),
        public_key: KEY.to_vec(),
        kerberos: None,
    }
}

/// A client with all questions answered.
pub(super) fn client(config: &Config, early_result: bool) -> Authenticate {
    let mut client = Authenticate::new(early_result);
    assert!(matches!(client.request(), Some(Request::ServerIdentity)));
    client.answer(config, Reply::ServerIdentity(identity())).unwrap();
    assert!(matches!(client.request(), Some(Request::Random(32))));
    client.answer(config, Reply::Random(vec![7; 32])).unwrap();
    assert!(client.request().is_none());
    client
}

/// Runs `client` against what `peer` answers; gives the messages the client sent.
pub(super) fn run(
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

pub(super) fn auth_failure(error: &ConnectorError) -> AuthFailure {
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
fn old_versions_are_spoken_only_if_that_was_allowed() {
    for (mode, config) in forms() {
        for version in 2..=4 {
            let mut refused = Server::with_version(KEY, version, mode());
            let error = run(client(&config, false), |message| refused.handle(message)).unwrap_err();
            assert_eq!(*error.kind(), ConnectorErrorKind::Unsupported);
            assert!(refused.delegated.is_none());

            let config = config.clone().dangerously_allow_old_credssp();
            let mut allowed = Server::with_version(KEY, version, mode());
            let result = run(client(&config, false), |message| {
                // Their server takes its own version for the client's.
                let request: TsRequest<'_> = decode_exact(message).unwrap();
                assert!(request.client_nonce.is_none());
                let request = TsRequest { version, ..request };
                allowed.handle(&encode_vec(&request).unwrap())
            });
            if config.ntlm_in_spnego {
                // In SPNEGO, their server sends the key back as it came, as anybody could who knows no password.
                assert_eq!(auth_failure(&result.unwrap_err()), AuthFailure::PublicKeyMismatch);
                assert!(allowed.delegated.is_none());
            } else {
                result.unwrap();
                assert_eq!(allowed.delegated.unwrap().password.as_ref(), PASSWORD);
            }
        }
        for version in [5, 6, 7] {
            let mut server = Server::with_version(KEY, version, mode());
            run(client(&config, false), |message| server.handle(message)).unwrap();
            assert_eq!(server.delegated.unwrap().password.as_ref(), PASSWORD);
        }
    }
}

/// Both forms of NTLM: what the server speaks, and what makes the client speak it.
fn forms() -> [(fn() -> ServerMode, Config); 2] {
    [(raw, config()), (in_spnego, config().with_ntlm_in_spnego())]
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
fn a_login_logged_at_trace_shows_no_secret() {
    let mut keys = Vec::new();
    let log = log_tests::record(|| {
        for (mode, config) in forms() {
            for password in [PASSWORD, "Lab-Pass-1x"] {
                let config = Config {
                    credentials: Credentials::new("rdptest", password),
                    ..config.clone()
                };
                let mut server = Server::with_version(KEY, 6, mode());
                let mut messages = Vec::new();
                let result = run(client(&config, false), |message| {
                    let answer = server.handle(message);
                    messages.push(message.to_vec());
                    messages.extend(answer.clone());
                    answer
                });
                tracing::error!(error = ?result.as_ref().err(), ?config, "login");
                assert_eq!(result.is_ok(), password == PASSWORD);
                keys.extend(LoginKeys::of_messages(password, &messages).secrets());
            }
        }
    });
    log_tests::assert_no_secret(&log, PASSWORD, &keys);
    assert!(log.contains("LogonDenied") || log.contains("C007030C"), "{log}");
}
