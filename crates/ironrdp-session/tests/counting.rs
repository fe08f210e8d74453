//! No PDU goes by in silence: each counts as one kind, and what nothing is done with counts as ignored or unsupported too.
#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod common;
#[path = "common/recording.rs"]
mod recording;

use common::*;
use ironrdp_core::encode_vec;
use ironrdp_pdu::autodetect::{AutoDetectRequest, DetectPhase, DetectRequestKind, Heartbeat};
use ironrdp_pdu::capability::{Bitmap, CapabilitySet, DemandActive};
use ironrdp_pdu::channel::{ChannelChunk, ChannelFlags, ChannelPduHeader};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::fastpath::{FastPathUpdate, Fragmentation, UpdateCode};
use ironrdp_pdu::finalization::FontMap;
use ironrdp_pdu::mcs::SERVER_USER_ID;
use ironrdp_pdu::multitransport::{MultitransportRequest, TransportProtocol};
use ironrdp_pdu::output::{OrdersUpdate, PaletteUpdate};
use ironrdp_pdu::redirection::{EnhancedRedirection, ServerRedirection};
use ironrdp_pdu::security::{BasicSecurity, SecurityFlags};
use ironrdp_pdu::session_info::SaveSessionInfo;
use ironrdp_pdu::share::{DataPduType, DeactivateAll, ShareControl, ShareControlBody, ShareDataPdu};
use ironrdp_pdu::x224::{DisconnectRequest, X224Data};
use ironrdp_session::{Event, NoPixels, PduKind, Session, SessionStats, Unsupported};

/// Whether a PDU is used, passed over, or told as unsupported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Used,
    Ignored,
    Unsupported,
}
use Fate::{Ignored, Unsupported as Told, Used};

fn message(flags: SecurityFlags, body: impl ironrdp_core::Encode) -> Vec<u8> {
    on_channel(MESSAGE, BasicSecurity { flags, body })
}

fn control(pdu: impl ShareControlBody) -> Vec<u8> {
    on_channel(
        IO,
        ShareControl {
            source: SERVER_USER_ID,
            pdu,
        },
    )
}

fn chunk(flags: ChannelFlags, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap();
    let header = ChannelPduHeader { length, flags };
    on_channel(CLIPRDR, ChannelChunk { header, data })
}

fn orders() -> Vec<u8> {
    let order = [0x09, 0x0a, 0x7f, 1, 0, 2, 0, 3, 0, 4, 0, 5, 6, 7, 0x01, 0x00];
    encode_vec(&OrdersUpdate::new(2, &order)).unwrap()
}

fn demand_active() -> Vec<u8> {
    let sets: Vec<CapabilitySet> = vec![Bitmap::new(32, size(64, 48)).into()];
    control(DemandActive::new(0x0002_03ea, sets))
}

/// One PDU of every kind there is, in an order in which a session takes them.
fn everything() -> Vec<(Vec<u8>, PduKind, Fate)> {
    let picture = picture(8, 8);
    let bitmap = bitmap_update(&picture.as_image(), recording::RAW_32, 0, 0);
    let palette = encode_vec(&PaletteUpdate {
        colors: &palette_colors(),
    })
    .unwrap();
    let surface = surface_bits(&picture.as_image(), 0, 0);
    let round_trip = AutoDetectRequest {
        sequence_number: 1,
        kind: DetectRequestKind::RoundTrip(DetectPhase::Continuous),
    };
    let disconnect = DisconnectRequest {
        source_reference: 0,
        reason: 0,
    };
    let multitransport = MultitransportRequest {
        request_id: 1,
        protocol: TransportProtocol::UdpReliable,
        security_cookie: ironrdp_pdu::client_info::Secret::new([7; 16]),
    };
    let heartbeat = Heartbeat {
        period_seconds: 0,
        warn_after: 1,
        reconnect_after: 2,
    };
    let unknown_data = ShareDataPdu::Unknown {
        pdu_type: DataPduType(99),
        body: &[1, 2],
    };
    let whole = ChannelFlags::FIRST | ChannelFlags::LAST;
    vec![
        (fast_path(UpdateCode::Bitmap, &bitmap), PduKind::Bitmap, Used),
        (slow_path(&bitmap), PduKind::Bitmap, Used),
        (slow_path(&palette), PduKind::Palette, Used),
        (fast_path(UpdateCode::Orders, &orders()), PduKind::Orders, Used),
        (
            fast_path(UpdateCode::Synchronize, &[]),
            PduKind::Synchronize,
            Ignored,
        ),
        (
            fast_path(UpdateCode::SurfaceCommands, &surface),
            PduKind::Surface,
            Used,
        ),
        (fast_path(UpdateCode::PointerHidden, &[]), PduKind::Pointer, Used),
        (
            fast_path(UpdateCode::Unknown(14), &[1, 2]),
            PduKind::Unknown,
            Told,
        ),
        (slow_path(&[9, 0, 0, 0]), PduKind::Unknown, Told),
        (chunk(whole, &[1, 2, 3]), PduKind::Channel, Used),
        (chunk(ChannelFlags::SUSPEND, &[]), PduKind::Channel, Ignored),
        (
            message(SecurityFlags::AUTODETECT_REQUEST, round_trip),
            PduKind::AutoDetect,
            Used,
        ),
        (
            message(SecurityFlags::TRANSPORT_REQUEST, multitransport),
            PduKind::Multitransport,
            Used,
        ),
        (
            message(SecurityFlags::HEARTBEAT, heartbeat),
            PduKind::Heartbeat,
            Used,
        ),
        (
            message(SecurityFlags::empty(), [1_u8, 2].as_slice()),
            PduKind::Unknown,
            Ignored,
        ),
        (share_data(ErrorInfo::LOGOFF_BY_USER), PduKind::ErrorInfo, Used),
        (
            share_data(ShareDataPdu::SaveSessionInfo(SaveSessionInfo::PlainNotify)),
            PduKind::SessionInfo,
            Used,
        ),
        (share_data(ShareDataPdu::ShutdownDenied), PduKind::Notice, Used),
        (share_data(FontMap::default()), PduKind::Finalization, Ignored),
        (share_data(unknown_data), PduKind::Unknown, Told),
        (on_channel(1030, [1_u8, 2, 3].as_slice()), PduKind::Stray, Ignored),
        (
            on_channel(IO, [0, 0x80, 8, 0, 0, 0, 0, 0].as_slice()),
            PduKind::Flow,
            Ignored,
        ),
        (
            control(EnhancedRedirection(ServerRedirection::default())),
            PduKind::Redirect,
            Used,
        ),
        (control(DeactivateAll::new(SHARE)), PduKind::DeactivateAll, Used),
        (demand_active(), PduKind::DemandActive, Used),
        (encode_vec(&disconnect).unwrap(), PduKind::Disconnect, Used),
        (fast_path(UpdateCode::Bitmap, &bitmap), PduKind::Stray, Ignored),
    ]
}

fn total(stats: &SessionStats) -> u64 {
    stats.pdus_by_kind().map(|(_, count)| count).sum()
}

#[test]
fn each_pdu_counts_as_one_kind_and_its_fate_is_told() {
    let mut session = session(64, 48);
    for (frame, kind, fate) in everything() {
        let before = *session.stats();
        feed(&mut session, &frame).unwrap();
        let after = session.stats();
        assert_eq!(after.pdus(kind), before.pdus(kind) + 1, "{kind:?}");
        assert_eq!(
            total(after),
            total(&before) + 1,
            "{kind:?} counts as more than one"
        );
        let told = match (
            after.ignored - before.ignored,
            after.unsupported - before.unsupported,
        ) {
            (0, 0) => Used,
            (1, 0) => Ignored,
            (0, 1) => Told,
            other => panic!("{kind:?}: {other:?}"),
        };
        assert_eq!(told, fate, "{kind:?}");
    }
    for (kind, count) in session.stats().pdus_by_kind() {
        assert!(count > 0, "{kind:?} is not tried");
    }
}

#[test]
fn half_an_update_at_the_end_of_a_share_is_counted() {
    let mut session = session(64, 48);
    let piece = FastPathUpdate {
        fragmentation: Fragmentation::First,
        ..FastPathUpdate::single(UpdateCode::Bitmap, &[1, 0, 1, 0])
    };
    feed(&mut session, &fast_path_update(piece)).unwrap();
    assert_eq!(total(session.stats()), 0, "it is not a PDU yet");
    feed(&mut session, &control(DeactivateAll::new(SHARE))).unwrap();
    assert_eq!(session.stats().pdus(PduKind::Stray), 1);
    assert_eq!(session.stats().ignored, 1);
}

#[test]
fn a_client_that_leaves_counts_what_it_no_longer_answers() {
    let mut session = session(64, 48);
    session.disconnect().unwrap();
    feed(&mut session, &demand_active()).unwrap();
    assert_eq!(session.stats().pdus(PduKind::DemandActive), 1);
    assert_eq!(session.stats().ignored, 1);
    assert!(session.take_activation_frame().is_none());
}

#[test]
fn a_negotiation_message_in_a_session_is_an_error() {
    let mut session = Session::new(config(64, 48), NoPixels).unwrap();
    // An Attach-User Confirm, which has its place in the conference.
    let frame = encode_vec(&X224Data([0x2e_u8, 0, 0, 6].as_slice())).unwrap();
    assert!(feed(&mut session, &frame).is_err());
}

#[test]
fn orders_in_an_update_are_told_by_an_event_and_the_update_by_its_kind() {
    let mut session = session(64, 48);
    feed(&mut session, &fast_path(UpdateCode::Orders, &orders())).unwrap();
    assert_eq!(session.stats().pdus(PduKind::Orders), 1);
    let count = session.stats().orders;
    assert_eq!(
        events(&mut session),
        [Event::UnsupportedUpdate {
            what: Unsupported::DrawingOrders,
            count
        }]
    );
}
