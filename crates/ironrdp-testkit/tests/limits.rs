//! Each limit exceeded in turn: the error names it and its value, and memory follows what was received, not what was promised.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

#[path = "limits/shells.rs"]
mod shells;

use std::sync::LazyLock;

use ironrdp_bulk::{CompressionType, Compressor};
use ironrdp_connector::{
    AcceptorConfig, ClientConnector, Config, Credentials, SecurityPolicy, Sequence, ServerAcceptor,
};
use ironrdp_core::{Limit, LimitExceeded, Limits, Liveness, MonotonicInstant};
use ironrdp_pdu::channel::{ChannelChunk, ChannelFlags, ChannelPduHeader};
use ironrdp_pdu::fastpath::{CompressionFlags, FastPathOutput, FastPathUpdate, Fragmentation, UpdateCode};
use ironrdp_pdu::mcs::{IO_CHANNEL_ID, SERVER_USER_ID};
use ironrdp_pdu::security::{BasicSecurity, SecurityFlags};
use ironrdp_pdu::share::{DataPduType, RawShareData, StreamId};
use ironrdp_pdu::x224::{NegotiationOutcome, ResponseFlags, SecurityProtocol};
use ironrdp_pdu::{Action, DesktopSize};
use ironrdp_session::{Channel, Event, NoPixels, ServerSupport, Session, SessionConfig, SessionError, Share};
use ironrdp_testkit::{Interject, Pair, Script, frames};

/// The most bytes alive at once while `run` ran, beyond those alive before.
fn peak(run: impl FnOnce()) -> usize {
    let bytes = allocation_counter::measure(run).bytes_max;
    assert!(bytes > 0, "nothing was counted");
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// What a connection and a session take beside what the limits bound: scratch buffers of a thread, a sequence's own state.
const BESIDE: usize = 96 * 1024;

const CLIPRDR: u16 = 1004;
const NOW: MonotonicInstant = MonotonicInstant::ORIGIN;

/// A way to exceed a limit, and what has to be wanted for it.
struct Case {
    name: &'static str,
    limit: Limit,
    max: usize,
    wanted: usize,
    exceed: fn(Limits) -> Option<LimitExceeded>,
}

const fn case(
    name: &'static str,
    limit: Limit,
    max: usize,
    wanted: usize,
    exceed: fn(Limits) -> Option<LimitExceeded>,
) -> Case {
    Case {
        name,
        limit,
        max,
        wanted,
        exceed,
    }
}

/// Numbers are chosen so that what is wanted would show in the memory, if it were taken.
const CASES: &[Case] = &[
    case("a TPKT header", Limit::Frame, 1_000, 0xffff, |limits| {
        client_error(limits, Script::new().expect().send([3, 0, 0xff, 0xff]))
    }),
    case(
        "a TPKT header of a client",
        Limit::Frame,
        1_000,
        0xffff,
        |limits| {
            server_error(
                limits,
                AcceptorConfig::new(),
                Script::new().send([3, 0, 0xff, 0xff]),
            )
        },
    ),
    case(
        "a CredSSP header",
        Limit::Credssp,
        3_000,
        64 * 1024 * 1024 + 6,
        |limits| {
            let script = Script::new().expect().send(frames::confirm(nla())).upgrade();
            client_error(limits, script.send([0x30, 0x84, 0x04, 0, 0, 0]))
        },
    ),
    case(
        "a CredSSP header of a client",
        Limit::Credssp,
        3_000,
        64 * 1024 * 1024 + 6,
        |limits| {
            let offer = [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0];
            let script = Script::new().send(offer).expect().upgrade();
            server_error(
                limits,
                AcceptorConfig::new().with_nla(),
                script.send([0x30, 0x84, 0x04, 0, 0, 0]),
            )
        },
    ),
    case("a licensing message", Limit::License, 2_000, 30_000, |limits| {
        let license = BasicSecurity {
            flags: SecurityFlags::LICENSE_PACKET,
            body: [0_u8; 30_000].as_slice(),
        };
        let frame = frames::from_server(IO_CHANNEL_ID, license);
        client_error(limits, Interject::new(server(), "SendLicense", frame))
    }),
    case(
        "pictures before the Font Map",
        Limit::Deferred,
        2_500,
        3 * 1_024,
        |limits| {
            let early = early_picture().repeat(20);
            client_error(limits, Interject::new(server(), "WaitConfirmActive", early))
        },
    ),
    case(
        "input before the Demand Active",
        Limit::Deferred,
        2_500,
        3 * 1_024,
        |limits| {
            let early = early_picture().repeat(20);
            server_error(
                limits,
                AcceptorConfig::new(),
                Interject::new(client(), "WaitDemandActive", early),
            )
        },
    ),
    case(
        "fragments of an update",
        Limit::Update,
        100_000,
        105_000,
        |limits| {
            let mut session = session(limits, 64, 48).unwrap();
            let error = (0..1_000).find_map(|round| {
                let how = if round == 0 {
                    Fragmentation::First
                } else {
                    Fragmentation::Next
                };
                feed(&mut session, &fragment(how, &[0; 15_000])).err()
            });
            error?.limit()
        },
    ),
    case("a whole update", Limit::Update, 1_000, 15_000, |limits| {
        let mut session = session(limits, 64, 48).unwrap();
        let frame = fragment(Fragmentation::Single, &[0; 15_000]);
        feed(&mut session, &frame).err()?.limit()
    }),
    // A few hundred bytes each, and within the limit until they are decompressed.
    case(
        "an update that grows, on the fast path",
        Limit::Update,
        1_000,
        SWOLLEN,
        |limits| {
            let mut session = decompressing(limits);
            feed(&mut session, &SMALL_FAST_PATH).err()?.limit()
        },
    ),
    case(
        "an update that grows, on the slow path",
        Limit::Update,
        1_000,
        SWOLLEN,
        |limits| {
            let mut session = decompressing(limits);
            feed(&mut session, &SMALL_SLOW_PATH).err()?.limit()
        },
    ),
    case(
        "chunks of a channel message",
        Limit::Channel,
        100_000,
        101_000,
        |limits| {
            let mut session = session(limits, 64, 48).unwrap();
            for round in 0..200 {
                let flags = if round == 0 {
                    ChannelFlags::FIRST
                } else {
                    ChannelFlags::empty()
                };
                feed(&mut session, &chunk(u32::MAX, flags, &[0; 1_000])).unwrap();
            }
            lost(&mut session)
        },
    ),
    case(
        "channel messages that nobody takes",
        Limit::Event,
        100_000,
        49 * 2_024 + 1_000,
        |limits| {
            let mut session = session(limits, 64, 48).unwrap();
            let whole = chunk(1_000, ChannelFlags::FIRST | ChannelFlags::LAST, &[0; 1_000]);
            for _ in 0..500 {
                feed(&mut session, &whole).unwrap();
            }
            lost(&mut session)
        },
    ),
    case(
        "answers that nobody takes",
        Limit::Output,
        4_000,
        4_032,
        |limits| {
            let mut session = session(limits, 64, 48).unwrap();
            let marker = fast_path(UpdateCode::SurfaceCommands, &[4, 0, 1, 0, 9, 0, 0, 0]);
            let error = (0..10_000).find_map(|_| feed(&mut session, &marker).err());
            error?.limit()
        },
    ),
    case(
        "a message larger than the output",
        Limit::Output,
        4_000,
        4_869,
        |limits| {
            let mut session = session(limits, 64, 48).unwrap();
            let refused = session.send_channel(CLIPRDR, &[0; 100_000]).err()?;
            assert!(session.is_active());
            refused.limit()
        },
    ),
    case(
        "a server's desktop",
        Limit::Desktop,
        800 * 600,
        8_000 * 8_000,
        |limits| {
            let config = AcceptorConfig::new().with_desktop_size(DesktopSize::new(8_000, 8_000).unwrap());
            client_error(limits, ServerAcceptor::new(config))
        },
    ),
    case(
        "a session's desktop",
        Limit::Desktop,
        800 * 600,
        8_000 * 8_000,
        |limits| session(limits, 8_000, 8_000).err()?.limit(),
    ),
    case(
        "the desktop of a reactivation",
        Limit::Desktop,
        800 * 600,
        8_000 * 8_000,
        |limits| {
            let mut session = session(limits, 640, 480).unwrap();
            feed(&mut session, &deactivate_all()).unwrap();
            session.reactivated(share(8_000, 8_000)).err()?.limit()
        },
    ),
];

fn client_with(limits: Limits) -> ClientConnector {
    let config = Config::new(Credentials::new("rdptest", "Lab-Pass-1"))
        .with_security(SecurityPolicy::Auto)
        .with_limits(limits);
    ClientConnector::new(config)
}

fn client() -> ClientConnector {
    client_with(Limits::default())
}

fn server() -> ServerAcceptor {
    ServerAcceptor::new(AcceptorConfig::new())
}

fn nla() -> NegotiationOutcome {
    NegotiationOutcome::Selected {
        protocol: SecurityProtocol::HYBRID_EX,
        flags: ResponseFlags::empty(),
    }
}

fn client_error(limits: Limits, server: impl Sequence) -> Option<LimitExceeded> {
    let error = Pair::new(client_with(limits), server).run().client.err()?;
    assert!(error.phase().is_some());
    error.limit()
}

fn server_error(limits: Limits, config: AcceptorConfig, client: impl Sequence) -> Option<LimitExceeded> {
    let server = ServerAcceptor::new(config.with_limits(limits));
    let outcome = Pair::new(client, server).run();
    outcome.server.err()?.limit()
}

/// A kibibyte that is for the session, whichever end it comes from.
fn early_picture() -> Vec<u8> {
    let mut frame = vec![0x04, 0x84, 0x00];
    frame.resize(1_024, 0);
    frame
}

fn share(width: u16, height: u16) -> Share {
    Share {
        share_id: 0x0001_03ea,
        desktop_size: DesktopSize::new(width, height).unwrap(),
        bits_per_pixel: 32,
        server: ServerSupport {
            frame_acknowledge: true,
            ..ServerSupport::default()
        },
    }
}

fn session(limits: Limits, width: u16, height: u16) -> Result<Session<NoPixels>, SessionError> {
    Session::new(session_config(limits, width, height), NoPixels)
}

/// A session that has offered compression.
fn decompressing(limits: Limits) -> Session<NoPixels> {
    let config = SessionConfig {
        compression: Some(ironrdp_pdu::client_info::CompressionType::Mppc64K),
        ..session_config(limits, 64, 48)
    };
    Session::new(config, NoPixels).unwrap()
}

fn session_config(limits: Limits, width: u16, height: u16) -> SessionConfig {
    SessionConfig {
        user_channel_id: 1007,
        io_channel_id: IO_CHANNEL_ID,
        message_channel_id: None,
        channels: vec![Channel {
            name: "cliprdr".to_owned(),
            id: CLIPRDR,
        }],
        compression: None,
        share: share(width, height),
        limits,
        liveness: Liveness::default(),
    }
}

fn feed(session: &mut Session<NoPixels>, frame: &[u8]) -> Result<(), SessionError> {
    session.handle_frame(NOW, Action::from_first_byte(frame[0]).unwrap(), frame)
}

fn fast_path(code: UpdateCode, data: &[u8]) -> Vec<u8> {
    frames::encode(&FastPathOutput {
        update: FastPathUpdate::single(code, data),
    })
}

fn fragment(fragmentation: Fragmentation, data: &[u8]) -> Vec<u8> {
    frames::encode(&FastPathOutput {
        update: FastPathUpdate {
            fragmentation,
            ..FastPathUpdate::single(UpdateCode::Bitmap, data)
        },
    })
}

/// Bytes of an update after decompression; nearly all that the history takes.
const SWOLLEN: usize = 60_000;

/// Such an update, compressed.
fn packed() -> (CompressionFlags, Vec<u8>) {
    let mut packed = Vec::new();
    let mut compressor = Compressor::new(CompressionType::K64).unwrap();
    let flags = compressor.compress(&[0; SWOLLEN], &mut packed).unwrap();
    assert!(packed.len() < 1_000, "{} bytes", packed.len());
    (CompressionFlags::from_bits_retain(flags.bits()), packed)
}

static SMALL_FAST_PATH: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let (flags, data) = packed();
    frames::encode(&FastPathOutput {
        update: FastPathUpdate {
            compression: Some(flags),
            ..FastPathUpdate::single(UpdateCode::Bitmap, &data)
        },
    })
});

static SMALL_SLOW_PATH: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let (compression, data) = packed();
    let pdu = RawShareData {
        source: SERVER_USER_ID,
        share_id: share(64, 48).share_id,
        stream_id: StreamId::MEDIUM,
        uncompressed_length: u16::try_from(SWOLLEN).unwrap(),
        pdu_type: DataPduType::UPDATE,
        compression,
        compressed_length: u16::try_from(data.len() + 18).unwrap(),
        payload: &data,
    };
    frames::from_server(IO_CHANNEL_ID, pdu)
});

fn chunk(length: u32, flags: ChannelFlags, data: &[u8]) -> Vec<u8> {
    let header = ChannelPduHeader { length, flags };
    frames::from_server(CLIPRDR, ChannelChunk { header, data })
}

fn deactivate_all() -> Vec<u8> {
    use ironrdp_pdu::share::{DeactivateAll, ShareControl};
    let pdu = ShareControl {
        source: 1002,
        pdu: DeactivateAll::new(0x0001_03ea),
    };
    frames::from_server(IO_CHANNEL_ID, pdu)
}

/// The limit that the session says messages were lost for.
fn lost(session: &mut Session<NoPixels>) -> Option<LimitExceeded> {
    std::iter::from_fn(|| session.poll_event()).find_map(|event| match event {
        Event::ChannelDataLost { exceeded, .. } => exceeded,
        _ => None,
    })
}

#[test]
fn each_limit_is_named_by_what_exceeds_it() {
    for case in CASES {
        let limits = Limits::default().with(case.limit, case.max);
        let expected = LimitExceeded {
            limit: case.limit,
            wanted: case.wanted,
            max: case.max,
        };
        assert_eq!((case.exceed)(limits), Some(expected), "{}", case.name);
        let text = expected.to_string();
        assert!(text.contains(case.limit.name()), "{text}");
        assert!(text.contains(&case.max.to_string()), "{text}");
    }
    for limit in Limit::ALL {
        assert!(
            CASES.iter().any(|case| case.limit == limit),
            "{limit} is not tried"
        );
    }
}

#[test]
fn what_is_within_the_limits_passes() {
    for case in CASES {
        // As large as what was wanted, or as the worst that is tried at all.
        let limits = Limits::default().with(case.limit, 512 * 1024 * 1024);
        let exceeded = (case.exceed)(limits);
        assert_eq!(exceeded, None, "{}", case.name);
    }
}

#[test]
fn memory_stays_within_the_limit_however_much_is_promised() {
    for case in CASES {
        let limits = Limits::default().with(case.limit, case.max);
        // Once to warm up what a thread keeps.
        (case.exceed)(limits);
        let bytes = peak(|| {
            (case.exceed)(limits);
        });
        // A buffer may be twice what is in it, and the bytes are on the way once more.
        let bound = match case.limit {
            // Nothing of them is kept; what comes is a few bytes.
            Limit::Desktop | Limit::Frame | Limit::Credssp => BESIDE,
            _ => BESIDE + 3 * case.max,
        };
        // What the peer of the test holds itself.
        let held = match case.limit {
            Limit::Deferred => 8 * 20 * 1_024,
            Limit::License => 5 * 30_000,
            Limit::Output => 100_000,
            _ => 0,
        };
        assert!(
            bytes <= bound + held,
            "{}: {bytes} bytes, {bound} + {held}",
            case.name
        );
    }
}
