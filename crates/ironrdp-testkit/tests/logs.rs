//! A whole login, logged at TRACE on both ends, shows neither password nor hash nor key.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use hmac::{Hmac, KeyInit as _, Mac as _};
use ironrdp_connector::{
    AcceptorConfig, ClientConnector, Config, Credentials, LogonName, ServerAcceptor, TsRequest, UserSecret,
};
use ironrdp_core::{Decode as _, ReadCursor};
use ironrdp_testkit::Pair;
use md4::Md4;
use md5::{Digest as _, Md5};
use rc4::{Rc4, StreamCipher as _};
use tracing_subscriber::fmt::MakeWriter;

const PASSWORD: &str = "Lab-Pass-1";

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Log {
    /// What is logged at any level while `work` runs, with everything that spans have to say.
    fn of(work: impl FnOnce()) -> String {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, work);
        let bytes = log.0.lock().unwrap();
        String::from_utf8(bytes.clone()).unwrap()
    }
}

/// Whether `log` has `secret` in it: as text, as a list of numbers, or in hexadecimal digits.
fn shows(log: &str, secret: &[u8]) -> bool {
    let list = |list: String| list[1..list.len() - 1].to_owned();
    let joined = |separator: &str| {
        let digits: Vec<_> = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.join(separator)
    };
    let forms = [
        list(format!("{secret:?}")),
        list(format!("{secret:x?}")),
        list(format!("{secret:02x?}")),
        list(format!("{secret:02X?}")),
        joined(""),
        joined("").to_uppercase(),
        joined(" "),
        joined(" ").to_uppercase(),
    ];
    core::str::from_utf8(secret).is_ok_and(|text| log.contains(text))
        || forms.iter().any(|form| log.contains(form))
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Md5>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// The field (length, length, offset) at `at` of an NTLM message.
fn field(message: &[u8], at: usize) -> &[u8] {
    let length = usize::from(u16::from_le_bytes([message[at], message[at + 1]]));
    let offset = usize::from(u16::from_le_bytes([message[at + 4], message[at + 5]]));
    &message[offset..offset + length]
}

/// What one end said in CredSSP: all of its messages that are neither before TLS nor of the conference.
fn ts_requests(said: &[u8]) -> Vec<TsRequest<'_>> {
    let negotiation = usize::from(u16::from_be_bytes([said[2], said[3]]));
    let mut rest = ReadCursor::new(&said[negotiation..]);
    let mut requests = Vec::new();
    while rest.peek_u8() == Some(0x30) {
        requests.push(TsRequest::decode(&mut rest).unwrap());
    }
    requests
}

/// The NTLM message of this kind among the tokens, in SPNEGO or not.
fn ntlm<'a>(requests: &[TsRequest<'a>], kind: u8) -> &'a [u8] {
    let signature = [b"NTLMSSP\0".as_slice(), &[kind, 0, 0, 0]].concat();
    let find = |token: &'a [u8]| {
        let at = token.windows(12).position(|window| window == signature)?;
        Some(&token[at..])
    };
    requests
        .iter()
        .filter_map(|request| find(request.nego_token?))
        .next()
        .unwrap()
}

/// All secrets of a login by NTLM (MS-NLMP 3.3.2, 3.4.5), worked out from the password and what went over the wire.
fn secrets(password: &str, client: &[TsRequest<'_>], server: &[TsRequest<'_>]) -> Vec<Vec<u8>> {
    let (challenge, authenticate) = (ntlm(server, 2), ntlm(client, 3));
    let nt_hash = Md4::digest(utf16(password)).to_vec();
    let (domain, user) = (field(authenticate, 28), field(authenticate, 36));
    // The user of these tests is of letters that need no table to be written in capitals.
    let user = user.to_ascii_uppercase();
    let ntowf = hmac_md5(&nt_hash, &[&user, domain]);
    let (_, client_part) = field(authenticate, 20).split_at(16);
    let proof = hmac_md5(&ntowf, &[&challenge[24..32], client_part]);
    let base_key = hmac_md5(&ntowf, &[&proof]);
    let mut session_key = field(authenticate, 52).to_vec();
    rc4::KeyInit::new_from_slice(&base_key)
        .map(|mut stream: Rc4| stream.apply_keystream(&mut session_key))
        .unwrap();
    let mut secrets = vec![utf16(password), nt_hash, ntowf, base_key, session_key.clone()];
    for direction in ["client-to-server", "server-to-client"] {
        for purpose in ["sealing", "signing"] {
            let magic = format!("session key to {direction} {purpose} key magic constant\0");
            let key = Md5::new().chain_update(&session_key).chain_update(magic);
            secrets.push(key.finalize().to_vec());
        }
    }
    secrets
}

/// Opens what the client delegated, which shows that `sealing_key` is the one of the login.
fn delegated(client: &[TsRequest<'_>], sealing_key: &[u8]) -> Option<Vec<u8>> {
    const SIGNATURE: usize = 16;
    let proof = client.iter().find_map(|request| request.pub_key_auth)?;
    let credentials = client.iter().find_map(|request| request.auth_info)?;
    let mut stream: Rc4 = rc4::KeyInit::new_from_slice(sealing_key).unwrap();
    // The stream goes on over the checksum of each message.
    let mut before = vec![0; proof.len() - SIGNATURE + 8];
    stream.apply_keystream(&mut before);
    let mut clear = credentials[SIGNATURE..].to_vec();
    stream.apply_keystream(&mut clear);
    Some(clear)
}

fn users(name: &LogonName) -> Option<UserSecret> {
    (name.user == "rdptest").then(|| UserSecret::Password(PASSWORD.into()))
}

#[test]
fn a_whole_connection_with_a_login_shows_no_secret() {
    for spnego in [false, true] {
        for (user, password) in [
            ("LAB\\rdptest", PASSWORD),
            ("LAB\\rdptest", "Lab-Pass-1x"),
            ("nobody", PASSWORD),
        ] {
            let mut config = Config::new(Credentials::new(user, password));
            if spnego {
                config = config.with_ntlm_in_spnego();
            }
            let mut said = None;
            let log = Log::of(|| {
                let acceptor = AcceptorConfig::new().require_nla();
                tracing::info!(?config, ?acceptor, "before");
                let pair = Pair::new(ClientConnector::new(config), ServerAcceptor::new(acceptor));
                let outcome = pair.with_users(users).run();
                let is_known = user != "nobody" && password == PASSWORD;
                assert_eq!(outcome.client.is_ok(), is_known, "{:?}", outcome.client);
                let client = outcome.client.and_then(ClientConnector::into_result);
                let server = outcome.server.and_then(ServerAcceptor::into_result);
                tracing::info!(?client, ?server, "after");
                said = Some((outcome.said_by_client, outcome.said_by_server));
            });
            // Both ends speak, at the lowest level too.
            for event in ["TRACE ironrdp_connector", "security negotiated", "rdptest"] {
                assert!(user == "nobody" || log.contains(event), "{event} in {log}");
            }
            let (client, server) = said.unwrap();
            let (client, server) = (ts_requests(&client), ts_requests(&server));
            let secrets = secrets(password, &client, &server);
            if let Some(credentials) = delegated(&client, &secrets[5]) {
                assert!(credentials.ends_with(&utf16(password)), "keys of another login");
            } else {
                assert!(user == "nobody" || password != PASSWORD);
            }
            for secret in secrets.iter().map(Vec::as_slice).chain([password.as_bytes()]) {
                assert!(!shows(&log, secret), "{secret:02x?} in {log}");
            }
            assert!(!log.contains("sspi"), "{log}");
        }
    }
}

#[test]
fn a_secret_is_found_in_whatever_form_it_is_logged() {
    let key = [0x00, 0x07, 0xff, 0xa0];
    let log = Log::of(|| {
        tracing::trace!(?key, "{}", "0007FFA0");
        tracing::trace_span!("login", password = PASSWORD).in_scope(|| {});
    });
    assert!(shows(&log, &key) && shows(&log, PASSWORD.as_bytes()), "{log}");
    for form in [
        format!("{key:x?}"),
        format!("{key:02X?}"),
        "0007ffa0".to_owned(),
        "00 07 FF A0".to_owned(),
    ] {
        assert!(shows(&form, &key), "{form}");
    }
    assert!(!shows(&log, &[0x00, 0x07, 0xff, 0xa1]));
}
