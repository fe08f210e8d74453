//! The server against the package's own client, written by others, and against ours.

use ironrdp_core::{WriteBuf, decode_exact, encode_vec};
use ironrdp_pdu::client_info::Secret;
use md4::{Digest as _, Md4};
use sspi::credssp::{ClientMode, ClientState, CredSspClient, CredSspMode, TsRequest as TheirRequest};
use sspi::ntlm::NtlmConfig;
use sspi::{AuthIdentity, Credentials as TheirCredentials, NegotiateConfig, Username};

use super::authenticate::Authenticate;
use super::authenticate_client::{AuthenticateClient, ProvedClient};
use super::ntlm_seal::NtlmSeal;
use super::quiet::quietly;
use super::spnego::{NTLM, NegState, NegTokenInit, NegTokenResp};
use super::vector_tests::LoginKeys;
use super::{NtlmChallenge, TsRequest, der, log_tests};
use crate::{
    AuthFailure, Config, ConnectorError, ConnectorErrorKind, ConnectorResult, Credentials, Logon,
    LogonMethod, LogonName, NtStatus, Reply, Request, ServerIdentity, UserSecret,
};

const KEY: &[u8] = b"the contents of a subjectPublicKey bit string";
const PASSWORD: &str = "Lab-Pass-1";

pub(super) fn identity(key: &[u8]) -> ServerIdentity {
    ServerIdentity {
        name: "server.lab.example".into(),
        public_key: key.to_vec(),
        kerberos: None,
    }
}

pub(super) fn password(name: &LogonName) -> Option<UserSecret> {
    let user = name.user.to_lowercase();
    (user == "rdptest" || user == "rdptest@lab.example").then(|| UserSecret::Password(PASSWORD.into()))
}

pub(super) type Lookup = fn(&LogonName) -> Option<UserSecret>;

/// Our server, with its questions answered.
pub(super) struct Server {
    pub(super) machine: Option<Box<AuthenticateClient>>,
    pub(super) lookup: Lookup,
    /// Whether those who log in may have a session.
    pub(super) admits: bool,
    pub(super) end: Option<ConnectorResult<ProvedClient>>,
}

impl Server {
    pub(super) fn new(early_result: bool) -> Self {
        Self::of(AuthenticateClient::new(early_result, None, false))
    }

    pub(super) fn of(machine: AuthenticateClient) -> Self {
        assert!(matches!(machine.request(), Some(Request::ServerIdentity)));
        let (machine, result) = machine.answer(Reply::ServerIdentity(identity(KEY)));
        result.unwrap();
        Self {
            machine: Some(Box::new(machine)),
            lookup: password,
            admits: true,
            end: None,
        }
    }

    /// Takes a client's message; gives what is sent in return.
    pub(super) fn handle(&mut self, message: &[u8]) -> Vec<u8> {
        let mut machine = self.machine.take().unwrap();
        let hint = machine.next_pdu_hint().expect("a server that waits");
        let mut input = match hint.find_size(message) {
            Ok(Some((true, size))) if size <= message.len() => &message[..size],
            _ => {
                self.end = Some(Err(ConnectorError::unexpected("no message")));
                return Vec::new();
            }
        };
        let mut out = WriteBuf::new();
        loop {
            machine = match machine.step(input, &mut out).unwrap().into_end() {
                Ok(end) => {
                    self.end = Some(end);
                    break;
                }
                Err(machine) => machine,
            };
            input = &[];
            let reply = match machine.request() {
                Some(Request::UserSecret(name)) => Reply::UserSecret((self.lookup)(name)),
                Some(Request::AuthorizeLogon(logon)) => {
                    assert_eq!(logon.name.user.to_lowercase().split('@').next(), Some("rdptest"));
                    Reply::Authorized(self.admits)
                }
                Some(request) => panic!("{request:?}"),
                None => {
                    self.machine = Some(machine);
                    break;
                }
            };
            let (answered, result) = machine.answer(reply);
            result.unwrap();
            machine = Box::new(answered);
        }
        out.take()
    }

    pub(super) fn logon(self) -> Logon {
        self.end.expect("an end").expect("a login").logon
    }

    pub(super) fn error(self) -> ConnectorError {
        self.end.expect("an end").expect_err("no login")
    }
}

/// The package's client against our server; gives how it ended on the client.
pub(super) fn run_theirs(
    mut client: CredSspClient,
    mut server: impl FnMut(&[u8]) -> Vec<u8>,
) -> sspi::Result<()> {
    let mut request = TheirRequest::default();
    loop {
        let (message, is_last) = match quietly(|| client.process(request).resolve_to_result()).unwrap()? {
            ClientState::ReplyNeeded(message) => (message, false),
            ClientState::FinalMessage(message) => (message, true),
        };
        let mut bytes = Vec::new();
        message.encode_ts_request(&mut bytes).unwrap();
        let answer = server(&bytes);
        // Clients of version 2 are refused without a word, since they know none for it.
        if is_last || answer.is_empty() {
            return Ok(());
        }
        request = TheirRequest::from_buffer(&answer).unwrap();
    }
}

fn their_client(user: &str, password: &str, mode: ClientMode) -> CredSspClient {
    their_client_of_version(user, password, mode, 6)
}

pub(super) fn their_client_of_version(
    user: &str,
    password: &str,
    mode: ClientMode,
    version: u32,
) -> CredSspClient {
    let credentials = TheirCredentials::AuthIdentity(AuthIdentity {
        username: Username::parse(user).unwrap(),
        password: password.to_owned().into(),
    });
    let target = "TERMSRV/server".to_owned();
    CredSspClient::new_with_version(
        KEY.to_vec(),
        credentials,
        CredSspMode::WithCredentials,
        version,
        mode,
        target,
    )
    .unwrap()
}

pub(super) fn raw() -> ClientMode {
    ClientMode::Ntlm(NtlmConfig::default())
}

pub(super) fn in_spnego() -> ClientMode {
    let config = Box::new(NtlmConfig::default());
    ClientMode::Negotiate(NegotiateConfig::new(config, Some("ntlm".into()), "client".into()))
}

#[test]
fn another_client_logs_in_with_ntlm_raw_and_in_spnego() {
    for mode in [raw, in_spnego] {
        for (given, user, domain) in [
            ("rdptest", "rdptest", ""),
            ("LAB\\RdpTest", "RdpTest", "LAB"),
            ("rdptest@lab.example", "rdptest@lab.example", ""),
        ] {
            let mut server = Server::new(false);
            run_theirs(their_client(given, PASSWORD, mode()), |message| {
                server.handle(message)
            })
            .unwrap();
            let logon = server.logon();
            assert_eq!(logon.method, LogonMethod::Ntlm);
            assert_eq!(
                (logon.name.user.as_str(), logon.name.domain.as_str()),
                (user, domain)
            );
            assert_eq!(logon.delegated.user, user);
            assert_eq!(logon.delegated.password.expose(), PASSWORD);
        }
    }
}

#[test]
fn another_client_with_a_wrong_password_is_told_so_and_not_whether_the_user_exists() {
    for mode in [raw, in_spnego] {
        for (user, failure) in [
            ("rdptest", AuthFailure::BadCredentials),
            ("nobody", AuthFailure::UnknownUser),
        ] {
            let mut server = Server::new(false);
            let error = run_theirs(their_client(user, "Lab-Pass-2", mode()), |message| {
                server.handle(message)
            })
            .unwrap_err();
            assert_eq!(error.nstatus.unwrap().0, NtStatus::LOGON_FAILURE.0);
            assert_eq!(*server.error().kind(), ConnectorErrorKind::Auth(failure));
        }
    }
}

#[test]
fn a_hash_in_place_of_the_password_is_enough_for_the_server() {
    let mut server = Server::new(false);
    server.lookup = |_| {
        let utf16: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_le_bytes).collect();
        Some(UserSecret::NtHash(Secret::new(Md4::digest(utf16).into())))
    };
    run_theirs(their_client("rdptest", PASSWORD, raw()), |message| {
        server.handle(message)
    })
    .unwrap();
    assert_eq!(server.logon().name.user, "rdptest");
}

pub(super) fn config(user: &str, password: &str) -> Config {
    Config::new(Credentials::new(user, password))
}

/// Our client, with its questions answered.
pub(super) fn client(config: &Config, early_result: bool) -> Authenticate {
    let mut client = Authenticate::new(early_result);
    client
        .answer(config, Reply::ServerIdentity(identity(KEY)))
        .unwrap();
    client.answer(config, Reply::Random(vec![7; 32])).unwrap();
    client
}

pub(super) fn run_ours(
    mut client: Authenticate,
    mut peer: impl FnMut(&[u8]) -> Vec<u8>,
) -> ConnectorResult<()> {
    let mut heard = Vec::new();
    loop {
        let mut out = WriteBuf::new();
        client = client.step(&heard, &mut out)?;
        if !out.is_empty() {
            heard = peer(out.filled());
        }
        if client.is_done() {
            return Ok(());
        }
        let end = std::io::ErrorKind::UnexpectedEof;
        let size = client.next_pdu_hint().unwrap().find_size(&heard)?;
        match size {
            Some((true, size)) if size <= heard.len() => heard.truncate(size),
            _ => return Err(client.stream_ended(end.into())),
        }
    }
}

#[test]
fn our_client_logs_in_to_our_server_with_and_without_the_early_result() {
    for early_result in [false, true] {
        for spnego in [false, true] {
            let mut config = config("LAB\\rdptest", PASSWORD);
            if spnego {
                config = config.with_ntlm_in_spnego();
            }
            let mut server = Server::new(early_result);
            run_ours(client(&config, early_result), |message| server.handle(message)).unwrap();
            let logon = server.logon();
            assert_eq!(
                (logon.name.user.as_str(), logon.name.domain.as_str()),
                ("rdptest", "LAB")
            );
        }
    }
}

#[test]
fn a_user_who_may_not_have_a_session_is_told_at_once_if_the_client_waits_for_it() {
    for early_result in [false, true] {
        let mut server = Server {
            admits: false,
            ..Server::new(early_result)
        };
        let mut last = Vec::new();
        let result = run_ours(client(&config("rdptest", PASSWORD), early_result), |message| {
            last = server.handle(message);
            last.clone()
        });
        if early_result {
            // AUTHZ_ACCESS_DENIED
            assert_eq!(last, [5, 0, 0, 0]);
            let denied = ConnectorErrorKind::Auth(AuthFailure::AccessDenied);
            assert_eq!(*result.unwrap_err().kind(), denied);
            assert_eq!(*server.error().kind(), denied);
        } else {
            // Without the early result there is no word for it yet.
            assert!(last.is_empty());
            result.unwrap();
            assert!(!server.end.unwrap().unwrap().is_admitted);
        }
    }
}

#[test]
fn both_ends_tell_a_wrong_password_from_a_wrong_certificate() {
    let kinds = |config: &Config, key: &[u8]| {
        let machine = AuthenticateClient::new(false, None, false);
        let (machine, _) = machine.answer(Reply::ServerIdentity(identity(key)));
        let mut server = Server {
            machine: Some(Box::new(machine)),
            lookup: password,
            admits: true,
            end: None,
        };
        let error = run_ours(client(config, false), |message| server.handle(message)).unwrap_err();
        (error.kind().clone(), server.error().kind().clone())
    };
    let both = |failure| {
        (
            ConnectorErrorKind::Auth(failure),
            ConnectorErrorKind::Auth(failure),
        )
    };
    let wrong = config("rdptest", "Lab-Pass-2");
    let right = config("rdptest", PASSWORD);
    assert_eq!(kinds(&wrong, KEY), both(AuthFailure::BadCredentials));
    assert_eq!(
        kinds(&right, b"another key"),
        both(AuthFailure::PublicKeyMismatch)
    );
    assert_eq!(
        kinds(&right.with_restricted_admin(), b""),
        both(AuthFailure::PublicKeyMismatch)
    );
}

#[test]
fn a_client_that_does_not_offer_a_protocol_we_have_is_refused() {
    let kerberos_only = [
        0x60, 0x1e, 0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02, 0xa0, 0x14, 0x30, 0x12, 0xa0, 0x0d, 0x30,
        0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 0xa2, 0x01, 0x00,
    ];
    let init: Result<NegTokenInit<'_>, _> = decode_exact(&kerberos_only);
    assert!(init.is_err(), "a token that is no octet string");
    let mut kerberos_only = kerberos_only[..29].to_vec();
    for at in [1, 11, 13] {
        kerberos_only[at] -= 3;
    }
    let init: NegTokenInit<'_> = decode_exact(&kerberos_only).unwrap();
    assert!(init.first_is_kerberos().is_some() && init.place_of_ntlm().is_none());
    let mut server = Server::new(false);
    let request = TsRequest {
        nego_token: Some(&kerberos_only),
        ..TsRequest::new()
    };
    let answer = server.handle(&encode_vec(&request).unwrap());
    let answer: TsRequest<'_> = decode_exact(&answer).unwrap();
    assert_eq!(answer.error_code, Some(NtStatus::SEC_E_INVALID_TOKEN));
    assert_eq!(*server.error().kind(), ConnectorErrorKind::Unsupported);
}

#[test]
fn a_client_whose_first_wish_is_another_protocol_logs_in_with_ntlm() {
    // Kerberos first, NTLM second, and a guess at Kerberos that nobody here reads.
    let oid = |id: &[u8]| [&[0x06, u8::try_from(id.len()).unwrap()], id].concat();
    let kerberos = [0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02];
    let list = [oid(&kerberos), oid(NTLM)].concat();
    let wrap = |tag: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).unwrap();
        [&[tag, length], content].concat()
    };
    let mechanisms = wrap(der::SEQUENCE, &list);
    let fields = [
        wrap(der::field(0), &mechanisms),
        wrap(der::field(2), &wrap(der::OCTET_STRING, b"guess")),
    ]
    .concat();
    let init = [
        oid(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02]),
        wrap(der::field(0), &wrap(der::SEQUENCE, &fields)),
    ]
    .concat();
    let init = wrap(0x60, &init);

    let mut server = Server::new(false);
    let mut say = |token: &[u8]| {
        let request = TsRequest {
            nego_token: Some(token),
            ..TsRequest::new()
        };
        let answer = server.handle(&encode_vec(&request).unwrap());
        let answer: TsRequest<'_> = decode_exact(&answer).unwrap();
        answer.nego_token.map(<[u8]>::to_vec)
    };
    let answer = say(&init).unwrap();
    let chosen: NegTokenResp<'_> = decode_exact(&answer).unwrap();
    assert_eq!(chosen.state, Some(NegState::RequestChecksum));
    assert_eq!((chosen.mechanism, chosen.token), (Some(NTLM), None));

    let mut ntlm = sspi::Ntlm::new();
    let mut step = |token: &[u8]| {
        use sspi::{Sspi as _, SspiImpl as _};
        let user = sspi::AuthIdentityBuffers::from_utf8("rdptest", "", PASSWORD);
        let mut credentials = Some(user);
        let mut input = [sspi::SecurityBuffer::new(token.to_vec(), sspi::BufferType::Token)];
        let mut output = [sspi::SecurityBuffer::new(Vec::new(), sspi::BufferType::Token)];
        let mut builder = ntlm
            .initialize_security_context()
            .with_credentials_handle(&mut credentials)
            .with_context_requirements(sspi::ClientRequestFlags::CONFIDENTIALITY)
            .with_target_data_representation(sspi::DataRepresentation::Native)
            .with_input(&mut input)
            .with_output(&mut output);
        ntlm.initialize_security_context_impl(&mut builder)
            .unwrap()
            .resolve_to_result()
            .unwrap();
        core::mem::take(&mut output[0].buffer)
    };
    let respond = |token: &[u8], checksum: Option<&[u8]>| {
        encode_vec(&NegTokenResp {
            state: None,
            mechanism: None,
            token: (!token.is_empty()).then_some(token),
            mechanisms_checksum: checksum,
        })
        .unwrap()
    };
    let answer = say(&respond(&step(&[]), None)).unwrap();
    let challenge: NegTokenResp<'_> = decode_exact(&answer).unwrap();
    let authenticate = step(challenge.token.unwrap());
    // Without the checksum first: the server asks for it.
    let answer = say(&respond(&authenticate, None)).unwrap();
    let wants_more: NegTokenResp<'_> = decode_exact(&answer).unwrap();
    assert_eq!(wants_more.state, Some(NegState::Incomplete));
    // A wrong one is refused.
    assert_eq!(say(&respond(&[], Some(&[7; 16]))), None);
    let error = server.error();
    assert_eq!(
        *error.kind(),
        ConnectorErrorKind::Auth(AuthFailure::BadCredentials)
    );
}

#[test]
fn any_byte_of_the_client_changed_or_cut_is_an_error_and_no_panic() {
    let run_with = |spnego: bool, damage: &mut dyn FnMut(usize, &mut Vec<u8>)| {
        let mut config = config("rdptest", PASSWORD);
        if spnego {
            config = config.with_ntlm_in_spnego();
        }
        let mut server = Server::new(false);
        let mut number = 0;
        let _ = run_ours(client(&config, false), |message| {
            let mut message = message.to_vec();
            damage(number, &mut message);
            number += 1;
            match server.machine {
                Some(_) => server.handle(&message),
                None => Vec::new(),
            }
        });
        match server.end {
            Some(Err(error)) => {
                assert!(!error.to_string().contains("panic"), "{error}");
                false
            }
            Some(Ok(_)) => true,
            None => false,
        }
    };
    for spnego in [false, true] {
        let mut lengths = Vec::new();
        let mut sealed = Vec::new();
        assert!(run_with(spnego, &mut |number, message| {
            lengths.push(message.len());
            let request: TsRequest<'_> = decode_exact(message).unwrap();
            for part in [request.pub_key_auth, request.auth_info].into_iter().flatten() {
                let start = part.as_ptr().addr() - message.as_ptr().addr();
                sealed.push((number, start..start + part.len()));
            }
        }));
        assert_eq!(sealed.len(), 2);
        for (number, length) in lengths.iter().copied().enumerate() {
            for at in 0..length {
                let cut = run_with(spnego, &mut |this, message| {
                    if this == number {
                        message.truncate(at);
                    }
                });
                assert!(!cut, "message {number} cut at {at}");
                let changed = run_with(spnego, &mut |this, message| {
                    if this == number {
                        message[at] ^= 0x41;
                    }
                });
                let is_sealed = sealed
                    .iter()
                    .any(|(this, range)| *this == number && range.contains(&at));
                assert!(!(changed && is_sealed), "message {number} changed at {at}");
            }
        }
    }
}

#[test]
fn a_login_logged_at_trace_on_both_ends_shows_no_secret() {
    let mut keys = Vec::new();
    let log = log_tests::record(|| {
        for spnego in [false, true] {
            for (user, password) in [
                ("rdptest", PASSWORD),
                ("rdptest", "Lab-Pass-1x"),
                ("nobody", PASSWORD),
            ] {
                let mut config = config(user, password);
                if spnego {
                    config = config.with_ntlm_in_spnego();
                }
                let mut server = Server::new(true);
                let mut messages = Vec::new();
                let result = run_ours(client(&config, true), |message| {
                    let answer = server.handle(message);
                    messages.push(message.to_vec());
                    messages.push(answer.clone());
                    answer
                });
                tracing::error!(?result, end = ?server.end, machine = ?server.machine, "login");
                let login = LoginKeys::of_messages(password, &messages);
                let mut sealed = messages
                    .iter()
                    .filter_map(|message| decode_exact::<TsRequest<'_>>(message).ok()?.pub_key_auth);
                if let Some(sealed) = sealed.next() {
                    login.open(sealed, spnego);
                }
                keys.extend(login.secrets());
            }
        }
    });
    log_tests::assert_no_secret(&log, PASSWORD, &keys);
    assert!(log.contains("logged in") && log.contains("rdptest"), "{log}");
}

#[test]
fn a_seal_is_the_one_of_the_known_login() {
    let keys: serde_json::Value =
        serde_json::from_slice(include_bytes!("../../tests/vectors/credssp/exchange_keys.json")).unwrap();
    let hex = |name: &str| -> Vec<u8> {
        let text = keys[name].as_str().unwrap();
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    };
    let mut seal = NtlmSeal::new(&hex("exported_session_key"), true).unwrap();
    let request = |bytes: &'static [u8]| decode_exact::<TsRequest<'_>>(bytes).unwrap();
    let three = request(include_bytes!("../../tests/vectors/credssp/exchange_3.der"));
    let four = request(include_bytes!("../../tests/vectors/credssp/exchange_4.der"));
    let five = request(include_bytes!("../../tests/vectors/credssp/exchange_5.der"));
    assert_eq!(
        *seal.unseal(three.pub_key_auth.unwrap()).unwrap().expose(),
        hex("client_pub_key_hash")
    );
    assert_eq!(
        seal.seal(&hex("server_pub_key_hash")).unwrap(),
        four.pub_key_auth.unwrap()
    );
    assert_eq!(
        *seal.unseal(five.auth_info.unwrap()).unwrap().expose(),
        hex("ts_credentials")
    );
    // Each message has its own number, so the same one does not open twice.
    assert!(seal.unseal(five.auth_info.unwrap()).is_err());
    assert!(seal.unseal(&[0; 15]).is_err());
}

#[test]
fn a_challenge_tells_who_the_server_is() {
    let two = include_bytes!("../../tests/vectors/credssp/exchange_2.der");
    let token = decode_exact::<TsRequest<'_>>(two).unwrap().nego_token.unwrap();
    let challenge: NtlmChallenge = decode_exact(token).unwrap();
    assert_eq!(challenge.netbios_computer.as_deref(), Some("VGPC"));
    assert_eq!(challenge.netbios_domain.as_deref(), Some("VGPC"));
    assert_eq!(challenge.dns_computer.as_deref(), Some("VGPC"));
    assert_eq!(challenge.dns_domain.as_deref(), Some("VGPC"));
    assert_eq!(challenge.dns_forest, None);
    assert_eq!(challenge.version, Some((6, 1, 7601)));
    // 2019-02-28 09:49:21 UTC
    assert_eq!(challenge.unix_time().unwrap().as_secs(), 1_551_347_361);
    for cut in 0..token.len() {
        let _ = decode_exact::<NtlmChallenge>(&token[..cut]);
    }
    assert!(decode_exact::<NtlmChallenge>(&token[..55]).is_err());
}
