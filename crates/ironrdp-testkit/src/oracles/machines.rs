//! The machines against peers that say anything.

use core::time::Duration;

use ironrdp_connector::{
    AcceptorConfig, ClientConnector, Config, ConnectorError, ConnectorErrorKind, Credentials, Driver, Keytab,
    Need, NtlmChallenge, Phase, Reply, Request, Sequence, ServerAcceptor, ServerIdentity, TsRequest,
    UserSecret,
};
use ironrdp_core::{FrameBuf, MonotonicInstant, WriteBuf, decode, encode_vec};
use ironrdp_graphics::Framebuffer;
use ironrdp_pdu::client_info::CompressionType;
use ironrdp_pdu::gcc::{ChannelDefinition, ChannelName, ChannelOptions};
use ironrdp_pdu::x224::{
    ConnectionConfirm, ConnectionRequest, NegotiationOutcome, ResponseFlags, SecurityProtocol,
};
use ironrdp_pdu::{DesktopSize, find_size};
use ironrdp_session::{
    Channel, Event, Limits, Liveness, NoPixels, PixelStore, ServerSupport, Session, SessionConfig,
    SessionErrorKind, Share,
};

use crate::{Rng, license};

/// Bytes that a machine may answer for each it received; the finalisation is some 20 for each of a short Demand Active.
const MAX_ANSWER: usize = 64;

/// The settings that the machine oracles run with, picked by the first byte of their input.
#[derive(Debug, Clone, Copy)]
pub struct Settings(u8);

impl Settings {
    /// The settings of an input's first byte.
    pub const fn new(first: u8) -> Self {
        Self(first)
    }

    const fn is(self, bit: u32) -> bool {
        self.0 >> bit & 1 == 1
    }

    /// The client: bit 0 without TLS, bit 1 with two channels.
    pub fn client(self) -> Config {
        let mut config = Config::new(Credentials::new("user", "password"));
        if self.is(0) {
            config = config.dangerously_require_plain();
        }
        if self.is(1) {
            config = config.with_channels(
                ["cliprdr", "drdynvc"]
                    .into_iter()
                    .filter_map(ChannelName::new)
                    .map(|name| ChannelDefinition {
                        name,
                        options: ChannelOptions::INITIALIZED,
                    })
                    .collect(),
            );
        }
        config
    }

    /// The server: bit 0 without TLS, bit 2 joins channels, bit 3 issues licences, bit 4 measures, bit 5 has a size of
    /// its own.
    pub fn server(self) -> AcceptorConfig {
        let mut config = AcceptorConfig::new()
            .with_skip_channel_join(!self.is(2))
            .with_auto_detect(self.is(4));
        if self.is(0) {
            config = config.dangerously_allow_plain();
        }
        if self.is(3) {
            config = config.with_licenses_of(license::authority());
        }
        match DesktopSize::new(640, 480) {
            Some(size) if self.is(5) => config.with_desktop_size(size),
            _ => config,
        }
    }

    /// Bit 6: the server denies the client.
    const fn denies(self) -> bool {
        self.is(6)
    }

    /// Bit 7: bytes come one at a time.
    const fn trickles(self) -> bool {
        self.is(7)
    }
}

/// A client whose server says these bytes; the first picks the [`Settings`].
pub fn client(data: &[u8]) {
    connects(data);
}

/// Whether the client of [`client`] came to a session.
pub fn connects(data: &[u8]) -> bool {
    let Some((first, bytes)) = data.split_first() else {
        return false;
    };
    let settings = Settings::new(*first);
    let client = ClientConnector::new(settings.client());
    let end = drive(client, settings, crate::CLIENT_SEED, bytes);
    end.is_some_and(|client| client.into_result().is_ok())
}

/// A server whose client says these bytes; the first picks the [`Settings`].
pub fn acceptor(data: &[u8]) {
    accepts(data);
}

/// Whether the server of [`acceptor`] came to a session.
pub fn accepts(data: &[u8]) -> bool {
    let Some((first, bytes)) = data.split_first() else {
        return false;
    };
    let settings = Settings::new(*first);
    let server = ServerAcceptor::new(settings.server());
    let end = drive(server, settings, crate::SERVER_SEED, bytes);
    end.is_some_and(|server| server.into_result().is_ok())
}

/// A server that requires network level authentication and whose client says these bytes; the first picks the [`Settings`].
pub fn nla(data: &[u8]) {
    if let Some((first, bytes)) = data.split_first() {
        let settings = Settings::new(*first);
        let server = ServerAcceptor::new(settings.server().require_nla());
        if let Some(server) = drive(server, settings, crate::SERVER_SEED, bytes) {
            assert!(server.logon().is_some(), "a session without a login");
        }
    }
    if let Ok(request) = decode::<TsRequest<'_>>(data) {
        let bytes = encode_vec(&request).unwrap_or_default();
        assert_eq!(decode::<TsRequest<'_>>(&bytes).ok(), Some(request));
    }
}

/// Authentication tokens, NTLM and SPNEGO, as we pass them to the security package: each behind its length in two bytes. The
/// first byte picks who receives them: bit 0 a client, bit 1 a server with Kerberos keys, bit 2 wrapped in SPNEGO by a client.
pub fn tokens(data: &[u8]) {
    let Some((first, mut rest)) = data.split_first() else {
        return;
    };
    let settings = Settings::new(*first);
    let is_client = settings.is(0);
    let mut stream = if is_client {
        encode_vec(&ConnectionConfirm::new(NegotiationOutcome::Selected {
            flags: ResponseFlags::empty(),
            protocol: SecurityProtocol::HYBRID,
        }))
    } else {
        encode_vec(&ConnectionRequest::new(SecurityProtocol::HYBRID))
    }
    .unwrap_or_default();
    while let Some((length, tail)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(tail.len());
        let (token, tail) = tail.split_at(length);
        rest = tail;
        drop(decode::<NtlmChallenge>(token));
        drop(Keytab::from_bytes(token));
        let request = TsRequest {
            nego_token: Some(token),
            // Long enough to be looked at, and sealed with no key of ours.
            pub_key_auth: tail.is_empty().then_some([0x5a; 48].as_slice()),
            client_nonce: Some([7; TsRequest::NONCE_SIZE]),
            ..TsRequest::new()
        };
        stream.extend(encode_vec(&request).unwrap_or_default());
    }
    let settings = Settings::new(0);
    if is_client {
        let mut config = Config::new(Credentials::new("user", "password"));
        if Settings::new(*first).is(2) {
            config = config.with_ntlm_in_spnego();
        }
        let end = drive(
            ClientConnector::new(config),
            settings,
            crate::CLIENT_SEED,
            &stream,
        );
        assert!(end.is_none(), "a login without a password");
    } else {
        let mut config = AcceptorConfig::new().require_nla();
        if Settings::new(*first).is(1)
            && let Ok(keytab) = Keytab::from_bytes(KEYTAB)
        {
            config = config.with_keytab(keytab);
        }
        let end = drive(ServerAcceptor::new(config), settings, crate::SERVER_SEED, &stream);
        assert!(end.is_none(), "a login without a password");
    }
}

const KEYTAB: &[u8] = include_bytes!("../../../ironrdp-connector/tests/vectors/credssp/service.keytab");

/// What [`Pair`](crate::Pair) says about its server, too.
fn identity() -> ServerIdentity {
    ServerIdentity {
        name: "pair".into(),
        public_key: b"the server's public key".to_vec(),
        kerberos: None,
    }
}

/// Feeds a sequence until it ends, fails or wants more than there is; gives it back if it came to its end.
fn drive<S: Sequence>(sequence: S, settings: Settings, seed: u64, bytes: &[u8]) -> Option<S> {
    drive_on(sequence, settings, seed, bytes).map(|(sequence, _)| sequence)
}

/// The same, with the bytes that came after the end.
pub(super) fn drive_on<S: Sequence>(
    sequence: S,
    settings: Settings,
    seed: u64,
    bytes: &[u8],
) -> Option<(S, Vec<u8>)> {
    let mut driver = Driver::new(sequence);
    let mut rx = FrameBuf::new();
    let mut rng = Rng::new(seed);
    let (mut fed, mut answered, mut turns) = (0, 0, 0);
    loop {
        turns += 1;
        assert!(turns <= 64 + 4 * bytes.len(), "going round in circles");
        let need = match driver.poll(&mut rx) {
            Ok(need) => need,
            Err(error) => {
                fails_well(&mut driver, &mut rx, &error);
                return None;
            }
        };
        match need {
            Need::Send(out) => {
                answered += out.len();
                assert!(
                    answered <= 64 * 1024 + MAX_ANSWER * bytes.len(),
                    "{answered} bytes of answer"
                );
            }
            Need::Receive => {
                let count = if settings.trickles() { 1 } else { bytes.len() };
                let chunk = bytes.get(fed..bytes.len().min(fed + count)).unwrap_or_default();
                if chunk.is_empty() {
                    return None;
                }
                rx.extend_from_slice(chunk);
                fed += chunk.len();
                rx.set_received_at(rx.received_at() + Duration::from_millis(1));
            }
            Need::Ask(Request::UpgradeToTls) => answer(&mut driver, Reply::Upgraded),
            Need::Ask(Request::AuthorizeLogon(_) | Request::Authorize(_)) => {
                answer(&mut driver, Reply::Authorized(!settings.denies()));
            }
            Need::Ask(Request::Random(count)) => answer(&mut driver, Reply::Random(rng.bytes(count))),
            Need::Ask(Request::ServerIdentity) => answer(&mut driver, Reply::ServerIdentity(identity())),
            Need::Ask(Request::UserSecret(_)) => {
                answer(
                    &mut driver,
                    Reply::UserSecret(Some(UserSecret::Password("password".into()))),
                );
            }
            Need::Ask(_) => return None,
            Need::Done => {
                let later = bytes.get(fed..).unwrap_or_default();
                return Some((driver.into_sequence(), [rx.filled(), later].concat()));
            }
        }
    }
}

fn answer<S: Sequence>(driver: &mut Driver<S>, reply: Reply) {
    let result = driver.answer(reply);
    assert!(
        result.is_ok(),
        "an answer to the question asked was refused: {result:?}"
    );
}

/// A peer is never the cause of a misuse, every error has its phase, and a failed machine stays failed with the same error.
fn fails_well<S: Sequence>(driver: &mut Driver<S>, rx: &mut FrameBuf, error: &ConnectorError) {
    assert!(*error.kind() != ConnectorErrorKind::Misuse, "{error:?}");
    assert!(
        error.phase().is_some_and(|phase| phase != Phase::Dial),
        "{error:?}"
    );
    assert!(!error.to_string().is_empty());
    let again = driver.poll(rx).err();
    assert!(again.is_some_and(|again| again.location() == error.location()));
}

/// A running session whose server sends these bytes, once drawing and once not; the first byte says what is compressed.
pub fn session(data: &[u8]) {
    if let Some((first, bytes)) = data.split_first() {
        if let Ok(pixels) = Framebuffer::new(64, 48) {
            run_session(pixels, *first, bytes);
        }
        run_session(NoPixels, *first, bytes);
    }
}

/// Channels and limits of the session oracle: the seeds of its corpus are made for them.
pub fn session_config(first: u8) -> Option<SessionConfig> {
    Some(SessionConfig {
        user_channel_id: 1007,
        io_channel_id: 1003,
        message_channel_id: Some(1006),
        channels: vec![
            Channel {
                name: "cliprdr".to_owned(),
                id: 1004,
            },
            Channel {
                name: "drdynvc".to_owned(),
                id: 1005,
            },
        ],
        compression: match first & 3 {
            0 => None,
            1 => Some(CompressionType::Mppc8K),
            _ => Some(CompressionType::Mppc64K),
        },
        share: share(64, 48)?,
        limits: Limits {
            update_bytes: 256 * 1024,
            channel_bytes: 256 * 1024,
            event_bytes: 256 * 1024,
            output_bytes: 256 * 1024,
            ..Limits::default()
        },
        liveness: Liveness::default(),
    })
}

fn share(width: u16, height: u16) -> Option<Share> {
    Some(Share {
        share_id: 0x0001_03ea,
        desktop_size: DesktopSize::new(width, height)?,
        bits_per_pixel: 32,
        server: ServerSupport {
            frame_acknowledge: true,
            ..ServerSupport::default()
        },
    })
}

fn run_session<P: PixelStore>(pixels: P, first: u8, bytes: &[u8]) {
    let Some(config) = session_config(first) else {
        return;
    };
    let Ok(mut session) = Session::new(config, pixels) else {
        return;
    };
    let lazy = first & 4 != 0;
    let mut now = MonotonicInstant::ORIGIN;
    let mut rest = bytes;
    while let Ok(Some(pdu)) = find_size(rest)
        && pdu.length <= rest.len()
    {
        let (frame, after) = rest.split_at(pdu.length);
        rest = after;
        now += Duration::from_millis(10);
        if let Err(error) = session.handle_frame(now, pdu.action, frame) {
            assert!(error.kind() != SessionErrorKind::Misuse, "{error:?}");
            assert!(
                session.handle_frame(now, pdu.action, frame).is_err(),
                "a failed session goes on"
            );
            break;
        }
        assert!(session.damage().len() <= 32);
        if !lazy {
            poll(&mut session);
        }
    }
    poll(&mut session);
    if let Some(due) = session.poll_timeout() {
        session.handle_timeout(due);
        assert!(
            session.poll_timeout().is_none_or(|next| next > due),
            "a timer that never stops"
        );
    }
}

fn poll<P: PixelStore>(session: &mut Session<P>) {
    let mut out = WriteBuf::new();
    session.poll_transmit(&mut out);
    assert!(out.filled_len() <= 256 * 1024 + 64 * 1024);
    while let Some(event) = session.poll_event() {
        if matches!(event, Event::Deactivated)
            && let Some(share) = share(48, 64)
        {
            let _ = session.reactivated(share);
        }
    }
    session.clear_damage();
}
