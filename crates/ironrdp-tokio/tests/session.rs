//! Whole sessions against this workspace's own acceptor, over sockets, pipes and TLS.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod common;

use std::future::Future;
use std::io::ErrorKind;
use std::time::Duration;

use common::{Hospitable, Host, client, config, size};
use ironrdp_connector::Driver;
use ironrdp_core::encode_vec;
use ironrdp_graphics::Framebuffer;
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::fastpath::{FastPathOutput, FastPathUpdate, UpdateCode};
use ironrdp_pdu::input::InputEvent;
use ironrdp_pdu::share::ShareDataPdu;
use ironrdp_session::{Event, LifeSign, NoPixels, SessionErrorKind};
use ironrdp_tokio::{Connect, Driven, Limit, ServerAddr, Session, StreamErrorKind, connect, drive_while};
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// A session and its server over a pipe of `room` bytes each way, without TLS.
async fn over_a_pipe<F>(
    room: usize,
    serve: impl FnOnce(Host<DuplexStream>) -> F + Send + 'static,
) -> Session<NoPixels, DuplexStream>
where
    F: Future<Output = ()> + Send,
{
    let (left, right) = tokio::io::duplex(room);
    tokio::spawn(async move { serve(Host::accept_plain(right).await).await });
    let mut connect = Connect::over(
        left,
        ServerAddr::new("localhost", 3389),
        client().dangerously_require_plain(),
    );
    connect.run().await.unwrap().into_session(NoPixels).unwrap()
}

async fn silence<T>(_held: T) {
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn one_call_connects_over_tcp_and_tls_and_the_session_paints_types_and_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut host = Host::accept(listener.accept().await.unwrap().0).await;
        assert_eq!(host.accepted.info.user_name, "rdptest");
        host.paint(0xab).await;
        let (_, input) = host.framed.read_pdu().await.unwrap();
        host.goodbye().await;
        input.to_vec()
    });
    let mut session = connect(addr, config()).await.unwrap();
    assert!(session.timings().tls > Duration::ZERO && session.timings().total() < Duration::from_secs(20));
    assert_eq!(session.session().desktop_size(), size(640, 480));
    let certificate = session.transport().peer_certificate().unwrap().unwrap();
    assert_eq!(certificate.subject(), "CN=localhost");
    assert_eq!(session.transport().stream().peer_addr().unwrap(), addr);

    assert_eq!(session.next_event().await.unwrap(), Some(Event::Painted));
    assert_eq!(session.session().damage().len(), 1);
    let screen: &Framebuffer = session.session().pixels();
    assert!(screen.pixels().contains(&0xab));

    let keys = [
        InputEvent::key_pressed(0x1e, false),
        InputEvent::key_released(0x1e, false),
    ];
    session.send_input(&keys).await.unwrap();
    assert_eq!(
        session.next_event().await.unwrap(),
        Some(Event::ErrorInfoSet(ErrorInfo::LOGOFF_BY_USER))
    );
    let Some(Event::Disconnected { error_info, .. }) = session.next_event().await.unwrap() else {
        panic!()
    };
    assert_eq!(error_info, Some(ErrorInfo::LOGOFF_BY_USER));
    for _ in 0..2 {
        assert_eq!(session.next_event().await.unwrap(), None);
    }
    // Fast path (2.2.8.1.2): header with two events, length 6; key down and up of scan code 0x1e.
    assert_eq!(server.await.unwrap(), [0x08, 6, 0x00, 0x1e, 0x01, 0x1e]);
}

#[tokio::test]
async fn a_server_that_changes_the_size_is_followed() {
    let mut session = over_a_pipe(64 * 1024, async |mut host| {
        host.paint(1).await;
        host.resize(size(800, 600)).await;
        host.paint(2).await;
        host.resize(size(1024, 768)).await;
        host.goodbye().await;
        silence(host).await;
    })
    .await;
    let mut events = Vec::new();
    while let Some(event) = session.next_event().await.unwrap() {
        events.push(event);
    }
    let sizes: Vec<_> = events
        .iter()
        .filter(|event| matches!(event, Event::Resized(_)))
        .cloned()
        .collect();
    assert_eq!(
        sizes,
        [Event::Resized(size(800, 600)), Event::Resized(size(1024, 768))]
    );
    assert_eq!(
        events
            .iter()
            .filter(|event| **event == Event::Deactivated)
            .count(),
        2
    );
    assert!(events.contains(&Event::Painted));
    assert_eq!(session.session().desktop_size(), size(1024, 768));
}

/// What a client sees of a session with everything in it, through pipes so narrow that nothing passes in one go;
/// and what the server gets typed.
async fn lifetime<F>(events: impl FnOnce(Session<NoPixels, DuplexStream>) -> F) -> (Vec<Event>, Vec<u8>)
where
    F: Future<Output = Vec<Event>>,
{
    let (typed, mut typed_all) = tokio::sync::mpsc::unbounded_channel();
    let session = over_a_pipe(23, async move |mut host| {
        for round in 1..5_u8 {
            host.fast_path(UpdateCode::PointerPosition, &[round, 0, round, 0])
                .await;
            typed
                .send(host.framed.read_pdu().await.unwrap().1.to_vec())
                .unwrap();
            host.resize(size(600 + u16::from(round), 400)).await;
        }
        host.goodbye().await;
        silence(host).await;
    })
    .await;
    let events = events(session).await;
    let mut typed = Vec::new();
    while let Some(bytes) = typed_all.recv().await {
        typed.extend(bytes);
        if typed.len() >= 4 * 6 {
            break;
        }
    }
    (events, typed)
}

async fn answer(session: &mut Session<NoPixels, DuplexStream>, event: &Event) {
    if let Event::PointerMoved { .. } = event {
        let keys = [
            InputEvent::key_pressed(0x1e, false),
            InputEvent::key_released(0x1e, false),
        ];
        session.send_input(&keys).await.unwrap();
    }
}

#[tokio::test]
async fn a_session_dropped_after_every_poll_sees_and_says_the_same() {
    let undisturbed = lifetime(async |mut session| {
        let mut events = Vec::new();
        while let Some(event) = session.next_event().await.unwrap() {
            answer(&mut session, &event).await;
            events.push(event);
        }
        events
    })
    .await;
    let mut drops = 0;
    let dropped = lifetime(async |mut session| {
        let mut events = Vec::new();
        loop {
            tokio::select! {
                biased;
                event = session.next_event() => match event.unwrap() {
                    Some(event) => {
                        answer(&mut session, &event).await;
                        events.push(event);
                    }
                    None => break events,
                },
                () = std::future::ready(()) => drops += 1,
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(undisturbed, dropped);
    assert_eq!(
        undisturbed
            .0
            .iter()
            .filter(|event| matches!(event, Event::PointerMoved { .. }))
            .count(),
        4
    );
    assert!(drops > 100, "{drops}");
}

#[tokio::test]
async fn a_reactivation_that_does_not_end_is_an_error_in_time() {
    let mut session = over_a_pipe(64 * 1024, async |mut host| {
        let mut driver = Driver::new(host.accepted.reactivation(size(800, 600)));
        let paused = drive_while(&mut host.framed, &mut driver, &mut Hospitable, |_| false)
            .await
            .unwrap();
        assert_eq!(paused, Driven::Paused);
        host.framed.flush().await.unwrap();
        silence(host).await;
    })
    .await;
    session.set_reactivation_timeout(Duration::from_millis(60));
    assert_eq!(session.next_event().await.unwrap(), Some(Event::Deactivated));
    assert!(session.is_reactivating());
    let refused = session
        .send_input(&[InputEvent::key_pressed(1, false)])
        .await
        .unwrap_err();
    assert!(refused.is_not_active());
    for _ in 0..2 {
        let error = session.next_event().await.unwrap_err();
        assert!(
            matches!(error.kind(), StreamErrorKind::ReactivationTimeout),
            "{error:?}"
        );
    }
}

/// The loop of `docs/cancel-safety.md`.
#[tokio::test]
async fn keys_refused_during_a_reactivation_or_by_a_full_queue_end_no_loop() {
    let (typed_in_vain, go_on) = oneshot::channel();
    let (heard, hears) = oneshot::channel();
    let mut session = over_a_pipe(64 * 1024, async |mut host| {
        let mut driver = Driver::new(host.accepted.reactivation(size(800, 600)));
        let deactivated = drive_while(&mut host.framed, &mut driver, &mut Hospitable, |_| false).await;
        assert_eq!(deactivated.unwrap(), Driven::Paused);
        host.framed.flush().await.unwrap();
        go_on.await.unwrap();
        let done = drive_while(&mut host.framed, &mut driver, &mut Hospitable, |_| true).await;
        assert_eq!(done.unwrap(), Driven::Done);
        heard
            .send(host.framed.read_pdu().await.unwrap().1.to_vec())
            .unwrap();
        host.goodbye().await;
        silence(host).await;
    })
    .await;
    let (keyboard, mut keys) = mpsc::unbounded_channel::<Vec<InputEvent>>();
    let mut typed_in_vain = Some(typed_in_vain);
    let (mut refusals, mut ended) = (Vec::new(), false);
    while !ended {
        tokio::select! {
            event = session.next_event() => match event.unwrap() {
                Some(Event::Deactivated) => keyboard.send(vec![InputEvent::key_pressed(1, false)]).unwrap(),
                Some(Event::Resized(_)) => {
                    // More than may wait, and then what fits.
                    keyboard.send(vec![InputEvent::key_pressed(2, false); 3_000_000]).unwrap();
                    keyboard.send(vec![InputEvent::key_pressed(3, false)]).unwrap();
                }
                Some(_) => {}
                None => ended = true,
            },
            Some(keys) = keys.recv() => {
                if let Err(refused) = session.send_input(&keys).await {
                    refusals.push((refused.is_not_active(), refused.limit().map(|exceeded| exceeded.limit)));
                    if let Some(typed_in_vain) = typed_in_vain.take() {
                        typed_in_vain.send(()).unwrap();
                    }
                }
            }
        }
    }
    assert_eq!(refusals, [(true, None), (false, Some(Limit::Output))]);
    // Fast path (2.2.8.1.2): one event, length 4; key down of scan code 3. Of the refused ones nothing.
    assert_eq!(hears.await.unwrap(), [0x04, 4, 0x00, 0x03]);
}

#[tokio::test(start_paused = true)]
async fn missing_heartbeats_are_noticed_without_any_traffic() {
    let mut session = over_a_pipe(64 * 1024, async |mut host| {
        let message_channel = host.accepted.message_channel_id.unwrap();
        // Heartbeat PDU (2.2.16.1): SEC_HEARTBEAT; period 1 s, warning and reconnection after 1.
        host.on_channel(message_channel, &[0x00, 0x40, 0, 0, 0, 1, 1, 1][..])
            .await;
        silence(host).await;
    })
    .await;
    let Some(Event::PeerSilent { missed, silent_for }) = session.next_event().await.unwrap() else {
        panic!("another event")
    };
    assert_eq!(missed, LifeSign::Heartbeat);
    assert!(silent_for >= Duration::from_secs(1), "{silent_for:?}");
    assert_dead(&mut session).await;
}

/// The ending of a session whose server is taken for dead: typed, and the same with every call.
async fn assert_dead(session: &mut Session<NoPixels, DuplexStream>) {
    for _ in 0..2 {
        let error = session.next_event().await.unwrap_err();
        let StreamErrorKind::Session(cause) = error.kind() else {
            panic!("{error:?}")
        };
        assert_eq!(cause.kind(), SessionErrorKind::PeerSilent);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answered_once_and_then_falls_silent_is_told_once_and_ends_the_session() {
    let (asked, mut questions) = tokio::sync::mpsc::unbounded_channel();
    let mut session = over_a_pipe(64 * 1024, async move |mut host| {
        for number in 0.. {
            let (_, question) = host.framed.read_pdu().await.unwrap();
            let _ = asked.send((tokio::time::Instant::now(), question.len()));
            if number == 0 {
                // Two seconds to paint a corner.
                tokio::time::sleep(Duration::from_secs(2)).await;
                host.paint(1).await;
            }
        }
    })
    .await;
    let start = tokio::time::Instant::now();
    assert_eq!(session.next_event().await.unwrap(), Some(Event::Painted));
    let Some(Event::PeerSilent { missed, silent_for }) = session.next_event().await.unwrap() else {
        panic!("another event")
    };
    let took = start.elapsed();
    assert_eq!(missed, LifeSign::Answer);
    // 30 s, 2 s for the answer, and then 30 s and twice 20 s of silence; the pauses of a virtual clock are a millisecond off.
    assert_eq!((took.as_secs(), silent_for.as_secs()), (102, 70));
    assert_dead(&mut session).await;
    let mut asked_at = Vec::new();
    while let Ok((at, size)) = questions.try_recv() {
        asked_at.push((at - start).as_secs());
        assert!(size < 64, "{size}");
    }
    assert_eq!(asked_at, [30, 62, 82]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_promises_nothing_and_never_answers_may_be_silent_for_a_day() {
    let mut session = over_a_pipe(64 * 1024, async |mut host| {
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        host.paint(1).await;
        silence(host).await;
    })
    .await;
    let start = tokio::time::Instant::now();
    assert_eq!(session.next_event().await.unwrap(), Some(Event::Painted));
    assert_eq!(start.elapsed().as_secs(), 86_400);
}

#[tokio::test]
async fn an_end_is_told_apart_by_what_was_said_before() {
    // Without a word.
    let mut session = over_a_pipe(64 * 1024, async |_host| {}).await;
    for _ in 0..2 {
        let error = session.next_event().await.unwrap_err();
        assert!(matches!(error.kind(), StreamErrorKind::Io(io) if io.kind() == ErrorKind::UnexpectedEof));
    }
    // With a reason and no more.
    let mut session = over_a_pipe(64 * 1024, async |mut host| {
        host.share_data(ShareDataPdu::SetErrorInfo(ErrorInfo::LOGOFF_BY_USER))
            .await;
    })
    .await;
    assert_eq!(
        session.next_event().await.unwrap(),
        Some(Event::ErrorInfoSet(ErrorInfo::LOGOFF_BY_USER))
    );
    let ended = Event::Disconnected {
        reason: None,
        error_info: Some(ErrorInfo::LOGOFF_BY_USER),
    };
    assert_eq!(session.next_event().await.unwrap(), Some(ended));
    assert_eq!(session.next_event().await.unwrap(), None);
    // Because the client left.
    let mut session = over_a_pipe(64 * 1024, async |mut host| {
        let (_, ultimatum) = host.framed.read_pdu().await.unwrap();
        assert_eq!(&ultimatum[..], [3, 0, 0, 9, 2, 0xf0, 0x80, 0x21, 0x80]);
    })
    .await;
    session.disconnect().await.unwrap();
    assert_eq!(session.next_event().await.unwrap(), None);
}

#[tokio::test]
async fn what_was_good_before_malformed_data_is_told_first() {
    let mut session = over_a_pipe(64 * 1024, async |mut host| {
        host.framed
            .write_all(
                &[
                    encode_vec(&FastPathOutput {
                        update: FastPathUpdate::single(UpdateCode::PointerPosition, &[7, 0, 8, 0]),
                    })
                    .unwrap(),
                    b"\x01garbage".to_vec(),
                ]
                .concat(),
            )
            .await
            .unwrap();
        silence(host).await;
    })
    .await;
    assert_eq!(
        session.next_event().await.unwrap(),
        Some(Event::PointerMoved { x: 7, y: 8 })
    );
    for _ in 0..2 {
        let error = session.next_event().await.unwrap_err();
        let StreamErrorKind::Session(cause) = error.kind() else {
            panic!("{error:?}")
        };
        assert_eq!(cause.kind(), SessionErrorKind::Malformed);
    }
}

#[tokio::test]
async fn input_for_a_server_that_does_not_read_is_bounded_and_does_not_wait() {
    let mut session = over_a_pipe(100, silence).await;
    let keys = vec![InputEvent::key_pressed(0x1e, false); 10_000];
    let mut sent = 0;
    let error = loop {
        match session.send_input(&keys).await {
            Ok(()) => sent += keys.len() * 2,
            Err(error) => break error,
        }
        assert!(sent < 100_000_000);
    };
    let StreamErrorKind::Session(cause) = error.kind() else {
        panic!("{error:?}")
    };
    assert_eq!(cause.kind(), SessionErrorKind::Limit);
    assert!(session.framed().queued() < 1024 * 1024);
}

#[tokio::test]
async fn a_silent_session_holds_no_buffers() {
    let mut session = over_a_pipe(64 * 1024, async |mut host| {
        host.paint(3).await;
        silence(host).await;
    })
    .await;
    assert_eq!(session.next_event().await.unwrap(), Some(Event::Painted));
    assert!(
        tokio::time::timeout(Duration::from_millis(30), session.next_event())
            .await
            .is_err()
    );
    assert_eq!(session.framed().get_inner().1.capacity(), 0);
    assert!(session.framed().is_flushed());
}

#[test]
fn a_session_can_be_spawned() {
    fn spawnable<T: Send + 'static>(_: T) {}
    spawnable(async {
        let mut session = connect("desk.example", client()).await.unwrap();
        while let Some(event) = session.next_event().await.unwrap() {
            drop(event);
            session.send_input(&[]).await.unwrap();
        }
        session.flush().await.unwrap();
    });
}
