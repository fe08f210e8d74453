//! What fits nowhere before a session runs: an error, kept for the session, or counted. Never silence.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use ironrdp_connector::{
    AcceptResult, AcceptorConfig, ClientConnector, Config, ConnectionResult, ConnectorErrorKind, Credentials,
    ServerAcceptor,
};
use ironrdp_core::{Limit, Limits};
use ironrdp_graphics::{ImageMut, Rect};
use ironrdp_pdu::Action;
use ironrdp_pdu::autodetect::Heartbeat;
use ironrdp_pdu::finalization::FontMap;
use ironrdp_pdu::mcs::{IO_CHANNEL_ID, SERVER_USER_ID};
use ironrdp_pdu::security::{BasicSecurity, SecurityFlags};
use ironrdp_pdu::share::{DataPduType, FrameAcknowledge, ShareData, ShareDataPdu};
use ironrdp_server::{Display, Input, Screen, ServerErrorKind, ServerSession};
use ironrdp_testkit::{Interject, Pair, frames};

/// The message channel and the client's own, when no other channels are asked for.
const MESSAGE: u16 = IO_CHANNEL_ID + 1;
const USER: u16 = IO_CHANNEL_ID + 2;
/// T.128 flow control: `FLOW_MARK`, then what nobody reads.
const FLOW: [u8; 8] = [0, 0x80, 0x41, 0, 0, 0, 0, 0];

fn client() -> ClientConnector {
    ClientConnector::new(Config::new(Credentials::new("rdptest", "Lab-Pass-1")))
}

fn server() -> ServerAcceptor {
    ServerAcceptor::new(AcceptorConfig::new())
}

/// What a client makes of a server that says `frame` at one point more than it should.
fn client_hears(at: &'static str, frame: Vec<u8>) -> Result<ConnectionResult, ConnectorErrorKind> {
    let outcome = Pair::new(client(), Interject::new(server(), at, frame)).run();
    let result = outcome.client.and_then(ClientConnector::into_result);
    result.map_err(|error| error.kind().clone())
}

/// What a server makes of a client that says `frame` at one point more than it should.
fn server_hears(at: &'static str, frame: Vec<u8>) -> Result<AcceptResult, ConnectorErrorKind> {
    let outcome = Pair::new(Interject::new(client(), at, frame), server()).run();
    let result = outcome.server.and_then(ServerAcceptor::into_result);
    result.map_err(|error| error.kind().clone())
}

fn message(flags: SecurityFlags, body: impl ironrdp_core::Encode) -> Vec<u8> {
    frames::from_server(MESSAGE, BasicSecurity { flags, body })
}

fn heartbeat() -> Vec<u8> {
    let heartbeat = Heartbeat {
        period_seconds: 10,
        warn_after: 2,
        reconnect_after: 3,
    };
    message(SecurityFlags::HEARTBEAT, heartbeat)
}

#[test]
fn nothing_is_counted_where_all_is_well() {
    let outcome = Pair::new(client(), server()).run();
    assert_eq!(outcome.client.unwrap().into_result().unwrap().ignored, 0);
    assert_eq!(outcome.server.unwrap().into_result().unwrap().ignored, 0);
}

#[test]
fn what_is_of_no_use_to_a_client_is_counted() {
    let unknown = || message(SecurityFlags::empty(), [1_u8, 2].as_slice());
    for (at, frame) in [
        ("SendLicense", heartbeat()),
        ("SendLicense", unknown()),
        ("WaitConfirmActive", heartbeat()),
        ("WaitConfirmActive", unknown()),
        (
            "WaitConfirmActive",
            frames::from_server(IO_CHANNEL_ID, FLOW.as_slice()),
        ),
    ] {
        let mut result = client_hears(at, frame).unwrap();
        assert_eq!(result.ignored, 1, "{at}");
        assert!(result.take_deferred().is_empty(), "{at}");
    }
}

#[test]
fn what_is_of_no_use_to_a_server_is_counted() {
    let flow = frames::from_client(USER, IO_CHANNEL_ID, FLOW.as_slice());
    // Pdu type 43, of a bitmap cache that the server did not offer, with a list of no keys.
    let keys = ShareDataPdu::Unknown {
        pdu_type: DataPduType(43),
        body: &[0; 24],
    };
    let keys = frames::from_client(USER, IO_CHANNEL_ID, ShareData::new(USER, 0x0001_03ea, keys));
    for frame in [flow, keys] {
        let mut result = server_hears("WaitDemandActive", frame).unwrap();
        assert_eq!(result.ignored, 1);
        assert!(result.take_deferred().is_empty());
    }
}

#[test]
fn what_is_for_the_session_is_kept_for_it_and_not_counted() {
    let stray = frames::from_server(1_030, [1_u8, 2, 3].as_slice());
    let mut result = client_hears("WaitConfirmActive", stray.clone()).unwrap();
    assert_eq!(result.ignored, 0, "the session will count it");
    assert_eq!(result.take_deferred(), [stray]);
    let stray = frames::from_client(USER, 1_030, [1_u8, 2, 3].as_slice());
    let mut result = server_hears("WaitDemandActive", stray.clone()).unwrap();
    assert_eq!(result.take_deferred(), [stray]);
}

#[test]
fn what_has_no_place_is_an_error() {
    let font_map = ShareData::new(SERVER_USER_ID, 0x0001_03ea, FontMap::default());
    for (at, frame) in [
        // A share PDU while the licence is waited for; a fast-path PDU in the conference; a Confirm Active from a server.
        ("SendLicense", frames::from_server(IO_CHANNEL_ID, font_map)),
        ("WaitAttachUser", vec![0x00, 0x04, 0x00, 0x00]),
        (
            "WaitConfirmActive",
            frames::from_server(IO_CHANNEL_ID, [6_u8, 0, 0x13, 0, 0xea, 3].as_slice()),
        ),
    ] {
        let error = client_hears(at, frame).unwrap_err();
        assert!(
            matches!(
                error,
                ConnectorErrorKind::Unexpected | ConnectorErrorKind::Malformed
            ),
            "{at}: {error:?}"
        );
    }
}

/// Nobody at the keyboard, and nothing to see.
struct Nothing;

impl Display for Nothing {
    fn paint(&self, _: Rect, _: &mut ImageMut<'_>) {}
}

impl Input for Nothing {}

fn server_session(limits: Limits) -> ServerSession {
    let server = ServerAcceptor::new(AcceptorConfig::new().with_limits(limits));
    let accepted = Pair::new(client(), server)
        .run()
        .server
        .unwrap()
        .into_result()
        .unwrap();
    let screen = Screen::new(accepted.activated.desktop_size, Nothing);
    ServerSession::new(&accepted, screen, false)
}

fn from_client(pdu: ShareDataPdu<'_>) -> Vec<u8> {
    frames::from_client(USER, IO_CHANNEL_ID, ShareData::new(USER, 0x0001_03ea, pdu))
}

#[test]
fn a_server_counts_what_it_passes_over() {
    let mut session = server_session(Limits::default());
    // Nobody was sent a frame, so that none can have been shown.
    let lie = ShareDataPdu::FrameAcknowledge(FrameAcknowledge { frame_id: 7 });
    for (count, frame) in (1..).zip([
        frames::from_client(USER, 1_030, [1_u8, 2, 3].as_slice()),
        frames::from_client(USER, IO_CHANNEL_ID, FLOW.as_slice()),
        from_client(lie),
        from_client(ShareDataPdu::Unknown {
            pdu_type: DataPduType(99),
            body: &[1, 2],
        }),
    ]) {
        session.handle_frame(Action::X224, &frame, &mut Nothing).unwrap();
        assert_eq!(session.ignored(), count);
    }
}

#[test]
fn a_server_answers_within_its_limit() {
    let limits = Limits {
        output_bytes: 1_000,
        ..Limits::default()
    };
    let mut session = server_session(limits);
    let ask = from_client(ShareDataPdu::ShutdownRequest);
    let error = (0..1_000)
        .find_map(|_| session.handle_frame(Action::X224, &ask, &mut Nothing).err())
        .unwrap();
    assert_eq!(error.kind(), ServerErrorKind::Limit);
    let exceeded = error.limit().unwrap();
    assert_eq!((exceeded.limit, exceeded.max), (Limit::Output, 1_000));
}
