//! What happens to a session beside pictures: logins, reasons, deactivations, the end.

mod common;

use core::time::Duration;

use common::*;
use ironrdp_core::{MonotonicInstant, decode, encode_vec};
use ironrdp_graphics::{Framebuffer, Rect};
use ironrdp_pdu::autodetect::{AutoDetectRequest, DetectPhase, DetectRequestKind, Heartbeat};
use ironrdp_pdu::capability::{Bitmap, CapabilitySet, DemandActive};
use ironrdp_pdu::client_info::{Secret, ServerAutoReconnect};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::fastpath::UpdateCode;
use ironrdp_pdu::finalization::{Control, ControlAction, FontMap, Synchronize};
use ironrdp_pdu::input::InputEvent;
use ironrdp_pdu::mcs::{DisconnectProviderUltimatum, DisconnectReason, McsPdu, SERVER_USER_ID};
use ironrdp_pdu::message_channel::{MessageChannelPdu, MessageChannelResponder};
use ironrdp_pdu::multitransport::{MultitransportRequest, TransportProtocol};
use ironrdp_pdu::redirection::{EnhancedRedirection, ServerRedirection};
use ironrdp_pdu::security::{BasicSecurity, SecurityFlags};
use ironrdp_pdu::session_info::{
    LogonErrorData, LogonErrors, LogonExtended, LogonInfo, LogonNotification, SaveSessionInfo,
};
use ironrdp_pdu::share::{
    AutoReconnectStatus, DataPduType, DeactivateAll, KeyboardLeds, MonitorLayout, PlaySound,
    SetKeyboardImeStatus, SetKeyboardIndicators, ShareControl, ShareData, ShareDataPdu, StatusCode,
    StatusInfo,
};
use ironrdp_pdu::x224::{DisconnectRequest, X224Data};
use ironrdp_pdu::{Action, MonitorDef};
use ironrdp_session::{
    Event, LifeSign, NoPixels, PduKind, Session, SessionError, SessionErrorKind, Unsupported,
};

const RAW: Form = Form {
    bits_per_pixel: 32,
    is_compressed: false,
    has_header: false,
};

fn at(milliseconds: u64) -> MonotonicInstant {
    NOW + Duration::from_millis(milliseconds)
}

fn deactivate_all() -> Vec<u8> {
    on_channel(
        IO,
        ShareControl {
            source: SERVER_USER_ID,
            pdu: DeactivateAll::new(SHARE),
        },
    )
}

fn demand_active(width: u16, height: u16) -> ShareControl<DemandActive> {
    let sets: Vec<CapabilitySet> = vec![Bitmap::new(32, size(width, height)).into()];
    ShareControl {
        source: SERVER_USER_ID,
        pdu: DemandActive::new(0x0002_03ea, sets),
    }
}

#[test]
fn what_the_server_says_about_itself_becomes_events() {
    let who = LogonInfo {
        domain: "LAB".into(),
        user_name: "eltons".into(),
        session_id: 2,
    };
    let cookie = ServerAutoReconnect {
        logon_id: 2,
        random_bits: Secret::new([7; 16]),
    };
    let errors = LogonErrors {
        notification: LogonNotification::NO_PERMISSION,
        data: LogonErrorData::OTHER,
    };
    let extended = LogonExtended {
        auto_reconnect: Some(cookie.clone()),
        errors: Some(errors),
    };
    let ime = SetKeyboardImeStatus {
        unit_id: 0,
        state: 1,
        conversion_mode: 9,
    };
    let beep = PlaySound {
        duration_ms: 100,
        frequency_hz: 440,
    };
    let layout = MonitorLayout {
        monitors: vec![MonitorDef::only(size(64, 48))],
    };
    let cases = [
        (
            ShareDataPdu::SaveSessionInfo(SaveSessionInfo::LogonLong(who.clone())),
            vec![Event::LoggedOn(Some(Box::new(who)))],
        ),
        (
            ShareDataPdu::SaveSessionInfo(SaveSessionInfo::PlainNotify),
            vec![Event::LoggedOn(None)],
        ),
        (
            ShareDataPdu::SaveSessionInfo(SaveSessionInfo::Extended(extended)),
            vec![
                Event::AutoReconnectCookie(Box::new(cookie)),
                Event::LogonNotified(errors),
            ],
        ),
        (
            ShareDataPdu::SetKeyboardIndicators(SetKeyboardIndicators {
                unit_id: 0,
                leds: KeyboardLeds::NUM_LOCK,
            }),
            vec![Event::KeyboardIndicators(KeyboardLeds::NUM_LOCK)],
        ),
        (
            ShareDataPdu::SetKeyboardImeStatus(ime),
            vec![Event::InputMethodStatus(ime)],
        ),
        (ShareDataPdu::PlaySound(beep), vec![Event::Beep(beep)]),
        (
            ShareDataPdu::MonitorLayout(layout.clone()),
            vec![Event::MonitorLayout(layout)],
        ),
        (
            ShareDataPdu::StatusInfo(StatusInfo {
                code: StatusCode::VM_STARTING,
            }),
            vec![Event::StatusInfo(StatusCode::VM_STARTING)],
        ),
        (
            ShareDataPdu::AutoReconnectStatus(AutoReconnectStatus { status: 0 }),
            vec![Event::AutoReconnectRefused],
        ),
        (ShareDataPdu::ShutdownDenied, vec![Event::ShutdownDenied]),
        (
            ShareDataPdu::Unknown {
                pdu_type: DataPduType(99),
                body: &[1, 2],
            },
            vec![Event::UnsupportedUpdate {
                what: Unsupported::DataPdu(99),
                count: 1,
            }],
        ),
    ];
    let mut session = session(64, 48);
    for (pdu, expected) in cases {
        feed(&mut session, &share_data(&pdu)).unwrap();
        assert_eq!(events(&mut session), expected, "{pdu:?}");
    }
    assert_eq!(sent(&mut session), []);
}

#[test]
fn a_form_of_a_data_pdu_we_do_not_know_is_passed_over() {
    let mut session = session(64, 48);
    // Save Session Info with an infoType of the future.
    let pdu = ShareDataPdu::Unknown {
        pdu_type: DataPduType::SAVE_SESSION_INFO,
        body: &[9, 0, 0, 0],
    };
    feed(&mut session, &share_data(pdu)).unwrap();
    assert_eq!(
        events(&mut session),
        [Event::UnsupportedUpdate {
            what: Unsupported::DataPdu(38),
            count: 1
        }]
    );
}

#[test]
fn the_rest_of_a_finalisation_is_counted_and_ignored() {
    let mut session = session(64, 48);
    let frames = [
        share_data(Synchronize { target_user: USER }),
        share_data(Control::new(ControlAction::Cooperate)),
        share_data(Control::new(ControlAction::GrantedControl)),
        share_data(FontMap::default()),
        // Data on a channel that was never joined.
        on_channel(1030, [1_u8, 2, 3].as_slice()),
    ];
    for frame in &frames {
        feed(&mut session, frame).unwrap();
    }
    assert_eq!(events(&mut session), []);
    assert_eq!(session.stats().ignored, 5);
    assert!(session.is_active());
}

#[test]
fn several_pdus_in_one_frame_are_all_done() {
    let picture = picture(8, 8);
    let update = bitmap_update(&picture.as_image(), RAW, 0, 0);
    let pdus = [
        encode_vec(&ShareData::new(
            SERVER_USER_ID,
            SHARE,
            Synchronize { target_user: USER },
        ))
        .unwrap(),
        encode_vec(&ShareData::new(
            SERVER_USER_ID,
            SHARE,
            ShareDataPdu::Update(&update),
        ))
        .unwrap(),
        encode_vec(&ShareData::new(SERVER_USER_ID, SHARE, ErrorInfo::LOGOFF_BY_USER)).unwrap(),
    ]
    .concat();
    let mut session = session(64, 48);
    feed(&mut session, &on_channel(IO, pdus.as_slice())).unwrap();
    assert!(shows(session.pixels(), &picture.as_image(), 0, 0));
    assert_eq!(
        events(&mut session),
        [Event::Painted, Event::ErrorInfoSet(ErrorInfo::LOGOFF_BY_USER)]
    );
}

#[test]
fn a_disconnect_names_what_the_server_had_said() {
    let mut session = session(64, 48);
    feed(&mut session, &share_data(ErrorInfo::IDLE_TIMEOUT)).unwrap();
    feed(&mut session, &share_data(ErrorInfo::NONE)).unwrap();
    assert_eq!(session.error_info(), None);
    feed(
        &mut session,
        &share_data(ErrorInfo::DISCONNECTED_BY_OTHER_CONNECTION),
    )
    .unwrap();
    let reason = DisconnectReason::ProviderInitiated;
    let ultimatum = encode_vec(&X224Data(DisconnectProviderUltimatum { reason })).unwrap();
    feed(&mut session, &ultimatum).unwrap();
    let error_info = Some(ErrorInfo::DISCONNECTED_BY_OTHER_CONNECTION);
    assert_eq!(
        events(&mut session),
        [
            Event::ErrorInfoSet(ErrorInfo::DISCONNECTED_BY_OTHER_CONNECTION),
            Event::Disconnected {
                reason: Some(reason),
                error_info
            },
        ]
    );
    assert_eq!(session.error_info(), error_info);
    // Whatever comes after the end is not looked at, and nothing can be sent.
    session.handle_frame(NOW, Action::X224, &[3, 0, 0, 1]).unwrap();
    let error = session.send_input(&[InputEvent::moved_to(1, 1)]).unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::NotActive);
    session.disconnect().unwrap();
    assert_eq!(sent(&mut session), []);
}

#[test]
fn the_end_of_the_transport_is_a_disconnect_without_a_reason() {
    let mut session = session(64, 48);
    let request = DisconnectRequest {
        source_reference: 0,
        reason: 0,
    };
    feed(&mut session, &encode_vec(&request).unwrap()).unwrap();
    assert_eq!(
        events(&mut session),
        [Event::Disconnected {
            reason: None,
            error_info: None
        }]
    );
}

#[test]
fn a_redirection_is_handed_over_with_its_secret_unprinted() {
    let redirection = ServerRedirection {
        session_id: 3,
        target_net_address: Some("127.0.0.1".into()),
        password: Some(Secret::new(vec![b's', 0, b'3', 0, 0, 0])),
        ..ServerRedirection::default()
    };
    let frame = on_channel(
        IO,
        ShareControl {
            source: SERVER_USER_ID,
            pdu: EnhancedRedirection(redirection.clone()),
        },
    );
    let mut session = session(64, 48);
    feed(&mut session, &frame).unwrap();
    let events = events(&mut session);
    assert_eq!(events, [Event::Redirected(Box::new(redirection))]);
    assert!(!format!("{events:?}").contains("115"), "{events:?}");
}

#[test]
fn a_reactivation_with_a_new_size_starts_from_black() {
    let (small, large) = (picture(20, 10), picture(90, 70));
    let mut session = session(64, 48);
    feed(
        &mut session,
        &slow_path(&bitmap_update(&small.as_image(), RAW, 0, 0)),
    )
    .unwrap();
    feed(&mut session, &deactivate_all()).unwrap();
    assert!(!session.is_active());
    assert_eq!(events(&mut session), [Event::Painted, Event::Deactivated]);
    assert_eq!(session.take_activation_frame(), None);
    for refused in [
        session.send_input(&[InputEvent::moved_to(1, 1)]),
        session.refresh(&[Rect::new(0, 0, 1, 1)]),
        session.suppress_output(true),
        session.request_shutdown(),
        session.send_channel(CLIPRDR, &[1]),
    ] {
        assert_eq!(refused.unwrap_err().kind(), SessionErrorKind::NotActive);
    }
    assert_eq!(sent(&mut session), []);

    let mut next = share(100, 80);
    next.share_id = 0x0002_03ea;
    session.reactivated(next).unwrap();
    assert!(session.is_active());
    assert_eq!(events(&mut session), [Event::Resized(size(100, 80))]);
    assert_eq!(session.desktop_size(), size(100, 80));
    assert_eq!(session.damage(), []);
    assert_eq!((session.pixels().width(), session.pixels().height()), (100, 80));
    assert_eq!(session.pixels().pixel(0, 0), Some([0, 0, 0, 255]));
    feed(
        &mut session,
        &slow_path(&bitmap_update(&large.as_image(), RAW, 5, 5)),
    )
    .unwrap();
    assert!(shows(session.pixels(), &large.as_image(), 5, 5));
    // The new share is named from now on.
    session.request_shutdown().unwrap();
    let sent = sent(&mut session);
    assert!(
        sent.windows(4)
            .any(|bytes| bytes == 0x0002_03ea_u32.to_le_bytes()),
        "{sent:?}"
    );
    assert_eq!(session.stats().deactivations, 1);
}

#[test]
fn a_reactivation_with_the_same_size_keeps_the_picture() {
    let picture = picture(20, 10);
    let mut session = session(64, 48);
    feed(
        &mut session,
        &slow_path(&bitmap_update(&picture.as_image(), RAW, 0, 0)),
    )
    .unwrap();
    feed(&mut session, &deactivate_all()).unwrap();
    feed(&mut session, &deactivate_all()).unwrap();
    session.reactivated(share(64, 48)).unwrap();
    assert!(shows(session.pixels(), &picture.as_image(), 0, 0));
    assert_eq!(events(&mut session), [Event::Painted, Event::Deactivated]);
    let error = session.reactivated(share(64, 48)).unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Misuse);
}

#[test]
fn a_demand_active_right_behind_the_deactivation_is_kept_for_the_activation() {
    let demand = demand_active(100, 80);
    let deactivate = ShareControl {
        source: SERVER_USER_ID,
        pdu: DeactivateAll::new(SHARE),
    };
    let both = [encode_vec(&deactivate).unwrap(), encode_vec(&demand).unwrap()].concat();
    // In one frame, in two, and with the first left out.
    let cases = [
        vec![on_channel(IO, both.as_slice())],
        vec![deactivate_all(), on_channel(IO, &demand)],
        vec![on_channel(IO, &demand)],
    ];
    for frames in cases {
        let mut session = session(64, 48);
        for frame in &frames {
            feed(&mut session, frame).unwrap();
        }
        assert_eq!(events(&mut session), [Event::Deactivated]);
        let frame = session.take_activation_frame().unwrap();
        assert_eq!(*frame, *on_channel(IO, &demand));
        assert_eq!(session.take_activation_frame(), None);
    }
}

#[test]
fn a_desktop_too_large_for_the_store_fails_the_session() {
    struct Small;
    impl ironrdp_session::PixelStore for Small {
        fn resize(&mut self, size: ironrdp_pdu::DesktopSize) -> ironrdp_graphics::GraphicsResult<()> {
            let mut framebuffer = Framebuffer::new(0, 0)?;
            // The library's own limit is above every legal desktop; this one refuses earlier.
            let factor = if size.width() > 100 { 8 } else { 1 };
            framebuffer.resize(size.width() * factor, size.height() * factor)
        }
        fn draw_bitmap(
            &mut self,
            _: &ironrdp_graphics::BitmapSource<'_>,
            _: &ironrdp_graphics::Palette,
            _: &mut ironrdp_graphics::Scratch,
            _: Rect,
        ) -> ironrdp_graphics::GraphicsResult<()> {
            Ok(())
        }
        fn draw_surface_bits(
            &mut self,
            _: &ironrdp_graphics::BitmapSource<'_>,
            _: &ironrdp_graphics::Palette,
            _: Rect,
        ) -> ironrdp_graphics::GraphicsResult<()> {
            Ok(())
        }
    }
    let mut config = config(64, 48);
    config.limits.desktop_pixels = 8_000 * 8_000;
    let mut session = Session::new(config, Small).unwrap();
    feed(&mut session, &deactivate_all()).unwrap();
    let error = session.reactivated(share(8_000, 8_000)).unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Limit);
    assert_eq!(error.limit(), None, "the store's own, not the session's");
    assert_eq!(
        feed(&mut session, &deactivate_all()).unwrap_err().kind(),
        SessionErrorKind::Limit
    );
}

fn message(flags: SecurityFlags, body: impl ironrdp_core::Encode) -> Vec<u8> {
    on_channel(MESSAGE, BasicSecurity { flags, body })
}

fn detect(sequence_number: u16, kind: DetectRequestKind<'_>) -> Vec<u8> {
    message(
        SecurityFlags::AUTODETECT_REQUEST,
        AutoDetectRequest {
            sequence_number,
            kind,
        },
    )
}

#[test]
fn requests_on_the_message_channel_are_answered_with_the_times_of_arrival() {
    let mut session = session(64, 48);
    let round_trip = detect(7, DetectRequestKind::RoundTrip(DetectPhase::Continuous));
    session.handle_frame(at(10), Action::X224, &round_trip).unwrap();
    let start = detect(8, DetectRequestKind::BandwidthStart(DetectPhase::Continuous));
    session.handle_frame(at(20), Action::X224, &start).unwrap();
    let filler = fast_path(UpdateCode::PointerHidden, &[]);
    session.handle_frame(at(30), Action::FastPath, &filler).unwrap();
    let stop = detect(9, DetectRequestKind::BandwidthStop { lossy: false });
    session.handle_frame(at(60), Action::X224, &stop).unwrap();
    let offer = MultitransportRequest {
        request_id: 5,
        protocol: TransportProtocol::UdpReliable,
        security_cookie: Secret::new([1; 16]),
    };
    feed(&mut session, &message(SecurityFlags::TRANSPORT_REQUEST, &offer)).unwrap();

    // The same responder, asked by hand, says what the answers are.
    let mut responder = MessageChannelResponder::default();
    let mut expected = Vec::new();
    for (frame, when) in [
        (&round_trip, at(10)),
        (&start, at(20)),
        (&filler, at(30)),
        (&stop, at(60)),
    ] {
        responder.count(frame.len());
        if frame[0] != 3 {
            continue;
        }
        let X224Data(payload): X224Data<&[u8]> = decode(frame).unwrap();
        let McsPdu::SendDataIndication(indication) = decode(payload).unwrap() else {
            panic!("not data");
        };
        let pdu: MessageChannelPdu<'_> = decode(indication.user_data).unwrap();
        if let Some(reply) = responder.handle(&pdu, when) {
            expected.extend(encode_vec(&X224Data(request(reply))).unwrap());
        }
    }
    let pdu = MessageChannelPdu::Multitransport(offer);
    let reply = responder.handle(&pdu, NOW).unwrap();
    expected.extend(encode_vec(&X224Data(request(reply))).unwrap());
    assert_eq!(sent(&mut session), expected);
    assert_eq!(session.stats().requests_answered, 3);
}

fn request<T>(user_data: T) -> ironrdp_pdu::mcs::SendDataRequest<T> {
    ironrdp_pdu::mcs::SendDataRequest {
        initiator: USER,
        channel_id: MESSAGE,
        user_data,
    }
}

#[test]
fn heartbeats_that_stop_are_reported_once() {
    let mut session = session(64, 48);
    let heartbeat = Heartbeat {
        period_seconds: 10,
        warn_after: 2,
        reconnect_after: 3,
    };
    let frame = message(SecurityFlags::HEARTBEAT, heartbeat);
    session.handle_frame(at(1_000), Action::X224, &frame).unwrap();
    // Any frame is a sign of life.
    let other = fast_path(UpdateCode::Synchronize, &[]);
    session.handle_frame(at(9_000), Action::FastPath, &other).unwrap();
    assert_eq!(session.poll_timeout(), Some(at(39_000)));
    session.handle_timeout(at(38_999));
    assert_eq!(events(&mut session), []);
    session.handle_timeout(at(39_000));
    let silent = Event::PeerSilent {
        missed: LifeSign::Heartbeat,
        silent_for: Duration::from_secs(30),
    };
    assert_eq!(events(&mut session), [silent]);
    session.handle_timeout(at(99_000));
    assert_eq!(events(&mut session), []);
    assert_eq!(session.poll_timeout(), None);
    assert_eq!(session.stats().pdus(PduKind::Heartbeat), 1);
    // What comes now comes too late.
    let late = session
        .handle_frame(at(100_000), Action::X224, &frame)
        .unwrap_err();
    assert_eq!(late.kind(), SessionErrorKind::PeerSilent);
    assert_eq!(
        session.failure().map(SessionError::kind),
        Some(SessionErrorKind::PeerSilent)
    );
}

#[test]
fn a_heartbeat_with_a_period_of_nothing_promises_nothing() {
    let mut session = session(64, 48);
    for (time, period_seconds) in [(1_000, 10), (2_000, 0)] {
        let heartbeat = Heartbeat {
            period_seconds,
            warn_after: 2,
            reconnect_after: 3,
        };
        let frame = message(SecurityFlags::HEARTBEAT, heartbeat);
        session.handle_frame(at(time), Action::X224, &frame).unwrap();
    }
    // Then it is asked, as any silent server is.
    assert_eq!(session.poll_timeout(), Some(at(32_000)));
}

#[test]
fn a_timer_always_ends_even_if_nothing_is_ever_polled() {
    let picture = picture(8, 8);
    let mut session = session(64, 48);
    feed(
        &mut session,
        &slow_path(&bitmap_update(&picture.as_image(), RAW, 0, 0)),
    )
    .unwrap();
    session.request_shutdown().unwrap();
    for _ in 0..4 {
        if let Some(due) = session.poll_timeout() {
            session.handle_timeout(due);
        }
    }
    // A server that never answered is asked once. Otherwise a shell would wake up for ever without being able to do anything.
    assert_eq!(session.poll_timeout(), None);
    assert_eq!(session.damage().len(), 1);
    assert_eq!(events(&mut session), [Event::Painted]);
    assert!(!sent(&mut session).is_empty());
}

#[test]
fn a_message_of_another_stage_is_unexpected() {
    use ironrdp_pdu::mcs::AttachUserRequest;
    let frames = [
        encode_vec(&X224Data(AttachUserRequest)).unwrap(),
        encode_vec(&X224Data(ironrdp_pdu::mcs::SendDataRequest {
            initiator: USER,
            channel_id: IO,
            user_data: [1_u8].as_slice(),
        }))
        .unwrap(),
    ];
    for frame in frames {
        let mut session = Session::new(config(64, 48), NoPixels).unwrap();
        assert_eq!(
            feed(&mut session, &frame).unwrap_err().kind(),
            SessionErrorKind::Unexpected
        );
    }
}
