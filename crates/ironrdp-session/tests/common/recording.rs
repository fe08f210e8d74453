//! Frames of every kind a server sends, for tests that send them all.
#![allow(dead_code, reason = "each test binary uses its own part")]

use ironrdp_bulk::{CompressionType, Compressor};
use ironrdp_core::encode_vec;
use ironrdp_pdu::autodetect::{AutoDetectRequest, DetectPhase, DetectRequestKind, Heartbeat};
use ironrdp_pdu::channel::{ChannelFlags, chunks};
use ironrdp_pdu::client_info::{Secret, ServerAutoReconnect};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::fastpath::{CompressionFlags, FastPathFragments, FastPathUpdate, UpdateCode};
use ironrdp_pdu::mcs::{DisconnectProviderUltimatum, DisconnectReason, SERVER_USER_ID};
use ironrdp_pdu::multitransport::{MultitransportRequest, TransportProtocol};
use ironrdp_pdu::output::{OrdersUpdate, PaletteUpdate};
use ironrdp_pdu::pointer::PointerUpdate;
use ironrdp_pdu::redirection::{EnhancedRedirection, ServerRedirection};
use ironrdp_pdu::security::{BasicSecurity, SecurityFlags};
use ironrdp_pdu::session_info::{LogonExtended, LogonInfo, SaveSessionInfo};
use ironrdp_pdu::share::{DataPduType, DeactivateAll, RawShareData, ShareControl, ShareDataPdu, StreamId};
use ironrdp_pdu::x224::X224Data;

use super::*;

pub(crate) const RAW_32: Form = Form {
    bits_per_pixel: 32,
    is_compressed: false,
    has_header: false,
};

/// An update on both paths, compressed over one history.
pub(crate) fn compressed(packer: &mut Compressor, code: UpdateCode, update: &[u8]) -> [Vec<u8>; 2] {
    let mut pack = |update: &[u8]| {
        let mut packed = Vec::new();
        let flags = packer.compress(update, &mut packed).unwrap();
        (CompressionFlags::from_bits_retain(flags.bits()), packed)
    };
    let (flags, data) = pack(update);
    let mut piece = FastPathUpdate::single(code, &data);
    piece.compression = Some(flags);
    let on_fast_path = fast_path_update(piece);
    let (compression, payload) = pack(update);
    let data = RawShareData {
        source: SERVER_USER_ID,
        share_id: SHARE,
        stream_id: StreamId::MEDIUM,
        uncompressed_length: 0,
        pdu_type: DataPduType::UPDATE,
        compression,
        compressed_length: 0,
        payload: &payload,
    };
    [on_fast_path, on_channel(IO, data)]
}

/// What a session sees again and again, each with an answer if it wants one.
pub(crate) fn steady_frames() -> Vec<Vec<u8>> {
    let picture = picture(24, 12);
    let image = picture.as_image();
    let colors = palette_colors();
    let palette = encode_vec(&PaletteUpdate { colors: &colors }).unwrap();
    let mut frames = vec![slow_path(&palette)];
    for (at, form) in (0..).zip(forms()) {
        let update = bitmap_update(&image, form, at * 2, at * 2);
        frames.push(fast_path(UpdateCode::Bitmap, &update));
        frames.push(slow_path(&update));
    }
    let end_of_frame = [4, 0, 1, 0, 9, 0, 0, 0];
    let commands = [surface_bits(&image, 0, 0), end_of_frame.to_vec()].concat();
    frames.push(fast_path(UpdateCode::SurfaceCommands, &commands));
    let pieces = FastPathFragments::new(UpdateCode::SurfaceCommands, &commands, 400);
    frames.extend(pieces.map(fast_path_update));
    let orders = [0x09, 0x0a, 0x7f, 1, 0, 2, 0, 3, 0, 4, 0, 5, 6, 7, 0x01, 0x00];
    let orders = encode_vec(&OrdersUpdate::new(2, &orders)).unwrap();
    frames.push(fast_path(UpdateCode::Orders, &orders));
    frames.push(fast_path(UpdateCode::PointerHidden, &[]));
    frames.push(fast_path(UpdateCode::CachedPointer, &[1, 0]));
    frames.push(fast_path(UpdateCode::PointerPosition, &[1, 0, 2, 0]));
    let kind = DetectRequestKind::RoundTrip(DetectPhase::Continuous);
    frames.push(on_channel(
        MESSAGE,
        BasicSecurity {
            flags: SecurityFlags::AUTODETECT_REQUEST,
            body: AutoDetectRequest {
                sequence_number: 1,
                kind,
            },
        },
    ));
    frames
}

/// The steady ones and those that come once.
pub(crate) fn all_frames() -> Vec<Vec<u8>> {
    let mut frames = steady_frames();
    let picture = picture(24, 12);
    let image = picture.as_image();
    let mut packer = Compressor::new(CompressionType::K64).unwrap();
    let update = bitmap_update(&image, RAW_32, 3, 3);
    for _ in 0..2 {
        frames.extend(compressed(&mut packer, UpdateCode::Bitmap, &update));
    }
    frames.push(fast_path(
        UpdateCode::NewPointer,
        &vector("pointers/new_pointer_32bpp.bin")[..],
    ));
    let pointer = encode_vec(&PointerUpdate::Default).unwrap();
    frames.push(share_data(ShareDataPdu::Pointer(&pointer)));
    frames.push(fast_path(
        UpdateCode::SurfaceCommands,
        &vector("output/surface_stream_bits_rfx.bin"),
    ));
    let text: Vec<u8> = (0..100).collect();
    for chunk in chunks(&text, ChannelFlags::empty(), 40).unwrap() {
        frames.push(on_channel(CLIPRDR, chunk));
    }
    let message = |flags, body: Vec<u8>| {
        on_channel(
            MESSAGE,
            BasicSecurity {
                flags,
                body: &body[..],
            },
        )
    };
    let heartbeat = Heartbeat {
        period_seconds: 9,
        warn_after: 1,
        reconnect_after: 2,
    };
    frames.push(message(SecurityFlags::HEARTBEAT, encode_vec(&heartbeat).unwrap()));
    let offer = MultitransportRequest {
        request_id: 5,
        protocol: TransportProtocol::UdpReliable,
        security_cookie: Secret::new([1; 16]),
    };
    frames.push(message(
        SecurityFlags::TRANSPORT_REQUEST,
        encode_vec(&offer).unwrap(),
    ));
    let cookie = ServerAutoReconnect {
        logon_id: 2,
        random_bits: Secret::new([7; 16]),
    };
    let extended = LogonExtended {
        auto_reconnect: Some(cookie),
        errors: None,
    };
    for info in [
        SaveSessionInfo::Logon(LogonInfo::default()),
        SaveSessionInfo::Extended(extended),
        SaveSessionInfo::PlainNotify,
    ] {
        frames.push(share_data(ShareDataPdu::SaveSessionInfo(info)));
    }
    frames.push(share_data(ErrorInfo::IDLE_TIMEOUT));
    let redirection = ServerRedirection {
        target_fqdn: Some("host.test".into()),
        ..ServerRedirection::default()
    };
    frames.push(on_channel(
        IO,
        ShareControl {
            source: SERVER_USER_ID,
            pdu: EnhancedRedirection(redirection),
        },
    ));
    frames.push(on_channel(
        IO,
        ShareControl {
            source: SERVER_USER_ID,
            pdu: DeactivateAll::new(SHARE),
        },
    ));
    let reason = DisconnectReason::UserRequested;
    frames.push(encode_vec(&X224Data(DisconnectProviderUltimatum { reason })).unwrap());
    frames
}
