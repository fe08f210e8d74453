//! What the caller tells the server, byte by byte, and what is refused.
#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod common;

use common::*;
use ironrdp_core::{Encode, decode, encode_vec};
use ironrdp_graphics::Rect;
use ironrdp_pdu::InclusiveRect;
use ironrdp_pdu::channel::{ChannelChunk, ChannelFlags};
use ironrdp_pdu::fastpath::UpdateCode;
use ironrdp_pdu::input::{
    ExtendedPointerFlags, FastPathInput, FastPathInputPdu, InputEvent, KeyFlags, PointerFlags,
    RelativePointerFlags, SlowPathInputPdu,
};
use ironrdp_pdu::mcs::{DisconnectProviderUltimatum, DisconnectReason, McsPdu, SendDataRequest};
use ironrdp_pdu::share::{
    DataPdu, RefreshRect, ShareData, ShareDataPdu, SharePdu, SharePdus, SuppressOutput,
};
use ironrdp_pdu::x224::X224Data;
use ironrdp_pdu::{Action, find_size};
use ironrdp_session::{Event, NoPixels, Session, SessionErrorKind};

fn to_channel(channel_id: u16, user_data: impl Encode) -> Vec<u8> {
    encode_vec(&X224Data(SendDataRequest {
        initiator: USER,
        channel_id,
        user_data,
    }))
    .unwrap()
}

fn to_share(pdu: impl DataPdu) -> Vec<u8> {
    to_channel(IO, ShareData::new(USER, SHARE, pdu))
}

/// Cuts what was sent into frames.
fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some(info) = find_size(bytes).unwrap() {
        let (frame, rest) = bytes.split_at(info.length);
        frames.push(frame);
        bytes = rest;
    }
    frames
}

/// The data of a frame on a channel.
fn user_data(frame: &[u8]) -> (u16, &[u8]) {
    let X224Data(payload): X224Data<&[u8]> = decode(frame).unwrap();
    let McsPdu::SendDataRequest(request) = decode(payload).unwrap() else {
        panic!("not data");
    };
    assert_eq!(request.initiator, USER);
    (request.channel_id, request.user_data)
}

#[test]
fn input_goes_out_on_the_fast_path_in_as_many_frames_as_it_takes() {
    let events: Vec<InputEvent> = (0..600).map(|at| InputEvent::moved_to(at, at + 1)).collect();
    let mut session = session(64, 48);
    session
        .send_input(&[InputEvent::key_pressed(0x1e, false)])
        .unwrap();
    session.send_input(&events).unwrap();
    session.send_input(&[]).unwrap();
    let sent = sent(&mut session);
    let frames = frames(&sent);
    assert_eq!(frames.len(), 1 + 3);
    let first = encode_vec(&FastPathInput::new(&[InputEvent::key_pressed(0x1e, false)])).unwrap();
    assert_eq!(frames[0], first);
    let mut received = Vec::new();
    for frame in &frames[1..] {
        assert_eq!(Action::from_first_byte(frame[0]), Ok(Action::FastPath));
        let pdu: FastPathInputPdu<'_> = decode(frame).unwrap();
        received.extend(pdu.events().map(Result::unwrap));
    }
    assert_eq!(received, events);
    assert_eq!(session.stats().bytes_out, sent.len() as u64);
}

#[test]
fn input_goes_out_on_the_slow_path_if_the_server_takes_no_other() {
    let mut config = config(64, 48);
    config.share.server.fast_path_input = false;
    let mut session = Session::new(config, NoPixels).unwrap();
    let events: Vec<InputEvent> = (0..300).map(|at| InputEvent::moved_to(at, 9)).collect();
    session.send_input(&events).unwrap();
    let sent = sent(&mut session);
    let mut received = Vec::new();
    for frame in frames(&sent) {
        let (channel_id, data) = user_data(frame);
        assert_eq!(channel_id, IO);
        let Some(Ok(SharePdu::Data(data))) = SharePdus::new(data).next() else {
            panic!("not a data PDU");
        };
        assert_eq!((data.source, data.share_id), (USER, SHARE));
        let ShareDataPdu::Input(body) = data.decode_uncompressed().unwrap() else {
            panic!("not input");
        };
        let pdu: SlowPathInputPdu<'_> = decode(body).unwrap();
        received.extend(pdu.events().map(|timed| timed.event));
    }
    assert_eq!(received, events);
}

#[test]
fn input_the_server_did_not_announce_is_refused_as_a_whole() {
    let key = InputEvent::key_pressed(0x1e, false);
    let cases = [
        InputEvent::Unicode {
            flags: KeyFlags::empty(),
            unit: 0x20ac,
        },
        InputEvent::ExtendedMouse {
            flags: ExtendedPointerFlags::BUTTON1,
            x: 0,
            y: 0,
        },
        InputEvent::RelativeMouse {
            flags: RelativePointerFlags::MOVE,
            dx: 1,
            dy: 1,
        },
        InputEvent::Mouse {
            flags: PointerFlags::horizontal_wheel(120),
            x: 0,
            y: 0,
        },
    ];
    for event in cases {
        let mut all = session(64, 48);
        all.send_input(&[key, event]).unwrap();
        assert!(!sent(&mut all).is_empty());

        let mut config = config(64, 48);
        config.share.server = ironrdp_session::ServerSupport::default();
        let mut none = Session::new(config, NoPixels).unwrap();
        let error = none.send_input(&[key, event]).unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::Unsupported, "{event:?}");
        assert_eq!(sent(&mut none), []);
        none.send_input(&[key]).unwrap();
    }
}

#[test]
fn an_event_only_the_other_path_has_is_misuse_and_sends_nothing() {
    let timestamp = InputEvent::QoeTimestamp { milliseconds: 1 };
    let other = InputEvent::Other {
        message_type: 0x9999,
        data: [0; 6],
    };
    // Three frames' worth, so that two are queued before the bad one is met.
    let many = |last| {
        let mut events = vec![InputEvent::moved_to(1, 1); 600];
        events.push(last);
        events
    };
    for (fast_path_input, event) in [(false, timestamp), (true, other)] {
        let mut config = config(64, 48);
        config.share.server.fast_path_input = fast_path_input;
        let mut session = Session::new(config, NoPixels).unwrap();
        session.request_shutdown().unwrap();
        let error = session.send_input(&many(event)).unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::Misuse);
        assert_eq!(sent(&mut session), to_share(ShareDataPdu::ShutdownRequest));
        assert!(session.is_active());
    }
}

#[test]
fn refresh_asks_for_what_lies_on_the_desktop() {
    let mut session = session(64, 48);
    let parts = [
        Rect::new(60, 40, 100, 100),
        Rect::new(64, 0, 5, 5),
        Rect::new(1, 2, 3, 4),
    ];
    session.refresh(&parts).unwrap();
    let areas = vec![
        InclusiveRect {
            left: 60,
            top: 40,
            right: 63,
            bottom: 47,
        },
        InclusiveRect {
            left: 1,
            top: 2,
            right: 3,
            bottom: 5,
        },
    ];
    assert_eq!(sent(&mut session), to_share(RefreshRect { areas }));
    session.refresh(&[Rect::new(64, 48, 1, 1)]).unwrap();
    assert_eq!(sent(&mut session), []);
    session.refresh(&vec![Rect::new(0, 0, 1, 1); 256]).unwrap();
    assert_eq!(frames(&sent(&mut session)).len(), 2);
}

#[test]
fn suppressed_output_goes_on_with_the_whole_desktop() {
    let mut session = session(64, 48);
    session.suppress_output(true).unwrap();
    session.suppress_output(false).unwrap();
    let desktop = InclusiveRect {
        left: 0,
        top: 0,
        right: 63,
        bottom: 47,
    };
    let expected = [
        to_share(SuppressOutput::Suppress),
        to_share(SuppressOutput::Allow(desktop)),
    ];
    assert_eq!(sent(&mut session), expected.concat());
}

#[test]
fn what_a_server_cannot_do_is_not_asked_of_it() {
    let mut config = config(64, 48);
    config.share.server = ironrdp_session::ServerSupport::default();
    let mut session = Session::new(config, NoPixels).unwrap();
    for refused in [
        session.refresh(&[Rect::new(0, 0, 1, 1)]),
        session.suppress_output(true),
    ] {
        assert_eq!(refused.unwrap_err().kind(), SessionErrorKind::Unsupported);
    }
    assert_eq!(sent(&mut session), []);
}

#[test]
fn a_channel_message_is_cut_into_chunks_the_server_takes() {
    let message: Vec<u8> = (0..=255).cycle().take(4_000).collect();
    let mut session = session(64, 48);
    assert_eq!(session.channel_id("cliprdr"), Some(CLIPRDR));
    assert_eq!(session.channel_id("rdpdr"), None, "the server did not offer it");
    session.send_channel(CLIPRDR, &message).unwrap();
    let sent_bytes = sent(&mut session);
    let mut received = Vec::new();
    let mut flags = Vec::new();
    for frame in frames(&sent_bytes) {
        let (channel_id, data) = user_data(frame);
        assert_eq!(channel_id, CLIPRDR);
        let chunk: ChannelChunk<'_> = decode(data).unwrap();
        assert_eq!(chunk.header.length, 4_000);
        assert!(chunk.data.len() <= 1_600);
        flags.push(chunk.header.flags);
        received.extend_from_slice(chunk.data);
    }
    assert_eq!(received, message);
    assert_eq!(
        flags,
        [ChannelFlags::FIRST, ChannelFlags::empty(), ChannelFlags::LAST]
    );
    for unknown in [0, 999, IO] {
        let error = session.send_channel(unknown, &[1]).unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::Misuse);
    }
}

#[test]
fn after_a_disconnect_nothing_more_is_sent() {
    let mut session = session(64, 48);
    session.disconnect().unwrap();
    session.disconnect().unwrap();
    let reason = DisconnectReason::UserRequested;
    let ultimatum = encode_vec(&X224Data(DisconnectProviderUltimatum { reason })).unwrap();
    assert_eq!(sent(&mut session), ultimatum);
    let error = session.send_input(&[InputEvent::moved_to(1, 1)]).unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::NotActive);
    // The server may not know yet: its frames are handled, but not answered.
    let picture = picture(8, 8);
    let marker = [4, 0, 1, 0, 9, 0, 0, 0];
    let commands = [surface_bits(&picture.as_image(), 0, 0), marker.to_vec()].concat();
    feed(&mut session, &fast_path(UpdateCode::SurfaceCommands, &commands)).unwrap();
    assert_eq!(events(&mut session), [Event::Painted]);
    assert_eq!(session.stats().frames, 1);
    assert_eq!(sent(&mut session), []);
}

#[test]
fn output_that_nobody_takes_is_bounded() {
    let mut config = config(64, 48);
    config.limits.output_bytes = 10_000;
    let mut session = Session::new(config, NoPixels).unwrap();
    let error = session.send_channel(CLIPRDR, &[0; 20_000]).unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Limit);
    assert_eq!(sent(&mut session), [], "a part of a message is of no use");
    session.send_channel(CLIPRDR, &[0; 9_000]).unwrap();
    let error = session.send_channel(CLIPRDR, &[0; 1_000]).unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Limit);
    // A caller who goes on handling frames and never sends the answers is told so, not left to grow.
    let marker = fast_path(UpdateCode::SurfaceCommands, &[4, 0, 1, 0, 9, 0, 0, 0]);
    let failed = (0..1_000)
        .find_map(|_| feed(&mut session, &marker).err())
        .unwrap();
    assert_eq!(failed.kind(), SessionErrorKind::Limit);
    assert!(sent(&mut session).len() <= 10_000);
}

#[test]
fn what_is_typed_is_not_in_debug_output() {
    let mut session = session(64, 48);
    let unit = 0xabcd;
    session
        .send_input(&[InputEvent::Unicode {
            flags: KeyFlags::empty(),
            unit,
        }])
        .unwrap();
    let text = format!("{session:?}");
    assert!(text.contains("Active") && text.len() < 2_000, "{text}");
    assert!(!text.contains("205, 171"), "{text}");
}
