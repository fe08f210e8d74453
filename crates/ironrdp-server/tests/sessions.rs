//! Logins, input, and how sessions end.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

#[cfg(test)]
mod common;

use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{PASSWORD, PATIENCE, TestServer, USER, closed, dial, eventually, exactly, size, wait_for_event};
use ironrdp_connector::{Config, ConnectorErrorKind, Credentials, Refusal};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::input::{InputEvent, KeyFlags, PointerFlags, ToggleFlags};
use ironrdp_server::{Capacity, Server, ServerErrorKind, ServerResult};
use ironrdp_session::Event;
use ironrdp_tokio::{Connect, ConnectErrorKind, StreamErrorKind};

#[tokio::test]
async fn what_the_user_does_arrives_in_order() {
    let server = TestServer::start(size(128, 128)).await;
    let mut client = server.connect().await;
    server.wait_for_picture(&mut client, exactly).await;
    client
        .send_input(&[
            InputEvent::Synchronize {
                toggles: ToggleFlags::CAPS_LOCK,
            },
            InputEvent::key_pressed(0x1e, false),
            InputEvent::key_released(0x1e, false),
            InputEvent::Unicode {
                flags: KeyFlags::empty(),
                unit: 0x20ac,
            },
            InputEvent::moved_to(7, 9),
            InputEvent::Mouse {
                flags: PointerFlags::BUTTON1 | PointerFlags::DOWN,
                x: 8,
                y: 9,
            },
            InputEvent::Mouse {
                flags: PointerFlags::wheel(-120),
                x: 0,
                y: 0,
            },
            InputEvent::Mouse {
                flags: PointerFlags::horizontal_wheel(60),
                x: 0,
                y: 0,
            },
        ])
        .await
        .unwrap();
    client.flush().await.unwrap();
    let expected = [
        "locks 0x4",
        "key 0x1e false true",
        "key 0x1e false false",
        "unicode 0x20ac true",
        "at 7,9",
        "at 8,9",
        "Left true",
        "Vertical -120",
        "Horizontal 60",
    ];
    eventually("the input arrives", || {
        server.log.lock().unwrap().len() == expected.len()
    })
    .await;
    assert_eq!(*server.log.lock().unwrap(), expected);
}

#[tokio::test]
async fn the_host_learns_who_came_and_the_client_that_it_is_logged_on() {
    let server = TestServer::start(size(128, 128)).await;
    let mut client = server
        .connect_as(|config| config.with_client_name("desk-7"))
        .await;
    let event = wait_for_event(&mut client, |event| matches!(event, Event::LoggedOn(_))).await;
    let Some(Event::LoggedOn(Some(info))) = event else {
        panic!("{event:?}");
    };
    assert_eq!(info.user_name, USER);
    let clients = server.clients.lock().unwrap();
    assert_eq!(
        (clients[0].name.as_str(), clients[0].user_name.as_str()),
        ("desk-7", USER)
    );
    assert!(clients[0].address.ip().is_loopback());
}

#[tokio::test]
async fn a_wrong_password_is_denied() {
    let server = TestServer::start(size(128, 128)).await;
    for (user, password) in [(USER, "wrong"), ("eve", PASSWORD), (USER, ""), (USER, "lovelac")] {
        let client = Config::new(Credentials::new(user, password));
        let error = Connect::new(server.address.clone(), server.config(client))
            .run()
            .await
            .unwrap_err();
        let ConnectErrorKind::Sequence(error) = error.kind() else {
            panic!("{error:?}");
        };
        let denied = Refusal::ErrorInfo(ErrorInfo::SERVER_DENIED_CONNECTION);
        assert_eq!(*error.kind(), ConnectorErrorKind::Refused(denied), "{error:?}");
    }
    eventually("nobody is left", || server.handle.stats().clients == 0).await;
    assert_eq!(server.handle.stats().accepted, 0);
}

#[tokio::test]
async fn shutdown_tells_every_client_why_and_leaves_nobody() {
    let server = TestServer::start(size(128, 128)).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(server.connect().await);
    }
    server.handle.shutdown();
    for client in &mut clients {
        let end = wait_for_event(client, |event| matches!(event, Event::Disconnected { .. })).await;
        let Some(Event::Disconnected { error_info, .. }) = end else {
            panic!("{end:?}");
        };
        assert_eq!(error_info, Some(ErrorInfo::RPC_INITIATED_DISCONNECT));
    }
    tokio::time::timeout(PATIENCE, server.running)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(server.handle.stats().clients, 0);
    assert!(
        tokio::net::TcpStream::connect(("127.0.0.1", server.port))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_client_that_disconnects_gives_its_room_back() {
    let server = TestServer::start_with(size(128, 128), |config| {
        config.with_capacity(Capacity {
            clients: 1,
            ..Capacity::default()
        })
    })
    .await;
    for _ in 0..3 {
        let mut client = server.connect().await;
        server.wait_for_picture(&mut client, exactly).await;
        let client_config = Config::new(Credentials::new(USER, PASSWORD));
        let second = Connect::new(server.address.clone(), server.config(client_config))
            .run()
            .await;
        assert!(second.is_err(), "there is room for one");
        client.disconnect().await.unwrap();
        client.flush().await.unwrap();
        drop(client);
        eventually("the room is free", || server.handle.stats().clients == 0).await;
    }
    assert_eq!(server.handle.stats().turned_away, 3);
}

#[tokio::test]
async fn a_client_without_tls_is_refused_unless_it_is_allowed_and_then_on_loopback_only() {
    let plain = |config: Config| config.dangerously_require_plain();
    let server = TestServer::start(size(128, 128)).await;
    let client = plain(Config::new(Credentials::new(USER, PASSWORD)));
    let error = Connect::new(server.address.clone(), server.config(client))
        .run()
        .await
        .unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Sequence(_)), "{error:?}");

    let server = TestServer::start_with(size(128, 128), |config| config.dangerously_allow_plain()).await;
    let mut client = server.connect_as(plain).await;
    assert!(!client.transport().is_tls());
    server.wait_for_picture(&mut client, exactly).await;

    let tls = ironrdp_server::self_signed(["localhost"]).unwrap();
    let config =
        ironrdp_server::ServerConfig::new(tls, ironrdp_server::DangerouslyAnyone).dangerously_allow_plain();
    let host = |_: &ironrdp_server::Client| None;
    let everywhere = ironrdp_server::Server::bind(([0, 0, 0, 0], 0).into(), config, host).await;
    assert_eq!(everywhere.unwrap_err().kind(), ServerErrorKind::Misuse);
}

#[tokio::test]
async fn a_client_without_a_seat_is_turned_away_with_a_reason() {
    let tls = ironrdp_server::self_signed(["localhost"]).unwrap();
    let pin = ironrdp_tls::Pin::Certificate(ironrdp_tls::Fingerprint::of(tls.certificate()));
    let config = ironrdp_server::ServerConfig::new(tls, ironrdp_server::DangerouslyAnyone);
    let host = |_: &ironrdp_server::Client| None;
    let server = ironrdp_server::Server::bind(([127, 0, 0, 1], 0).into(), config, host)
        .await
        .unwrap();
    let address: ironrdp_tokio::ServerAddr = server.local_addr().unwrap().to_string().parse().unwrap();
    let handle = server.handle();
    let running = tokio::spawn(server.run());
    let client = ironrdp_tokio::ConnectConfig::new(Config::new(Credentials::new("", "")))
        .with_certificate_policy(ironrdp_tls::CertificatePolicy::pins([pin]))
        .unwrap();
    let connected = Connect::new(address, client).run().await.unwrap();
    let mut session = connected.into_session(ironrdp_session::NoPixels).unwrap();
    let mut reason = None;
    let events = async {
        while let Ok(Some(event)) = session.next_event().await {
            if let Event::Disconnected { error_info, .. } = event {
                reason = error_info;
            }
        }
    };
    tokio::time::timeout(PATIENCE, events).await.unwrap();
    assert_eq!(reason, Some(ErrorInfo::SERVER_DENIED_CONNECTION));
    drop(session);
    handle.shutdown();
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_is_dropped_drops_its_clients_without_a_word_and_gives_its_port_back() {
    let server = TestServer::start(size(128, 128)).await;
    let mut client = server.connect().await;
    server.wait_for_picture(&mut client, exactly).await;
    let mut half = dial(&server).await;
    eventually("it is there", || server.handle.stats().clients == 2).await;
    server.running.abort();
    // No farewell, only the end of the stream.
    let end = tokio::time::timeout(PATIENCE, async {
        loop {
            match client.next_event().await {
                Ok(Some(Event::Disconnected { .. })) => panic!("a word"),
                Ok(Some(_)) => {}
                Ok(None) => panic!("an end in order"),
                Err(error) => return error,
            }
        }
    })
    .await
    .unwrap();
    assert!(matches!(end.kind(), StreamErrorKind::Io(_)), "{end:?}");
    closed(&mut half).await;
    eventually("nobody is left", || {
        server.handle.stats().clients == 0 && server.screen.viewers() == 0
    })
    .await;
    bind_again(([127, 0, 0, 1], server.port).into()).await;
}

/// A server that nobody comes to.
async fn bind(address: SocketAddr) -> ServerResult<Server> {
    let tls = ironrdp_server::self_signed(["localhost"]).unwrap();
    let config = ironrdp_server::ServerConfig::new(tls, ironrdp_server::DangerouslyAnyone);
    Server::bind(address, config, |_: &ironrdp_server::Client| None).await
}

/// Binds a port that was free a moment ago; meanwhile it may have become the near end of somebody's connection, for a while.
/// Takes one poll, whether it succeeds or not.
async fn bind_again(address: SocketAddr) -> Server {
    let start = tokio::time::Instant::now();
    loop {
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(bound) = pin!(bind(address)).poll(&mut cx) else {
            panic!("it waits");
        };
        match bound {
            Ok(server) => return server,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn binding_takes_one_poll_and_does_nothing_before_it() {
    let first = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = first.local_addr().unwrap();
    // Nobody else can have it while it lives.
    assert!(matches!(
        bind(address).await.unwrap_err().kind(),
        ServerErrorKind::Io(_)
    ));
    drop(first);
    // Made and dropped, it has bound nothing: the next one can.
    drop(bind(address));
    assert_eq!(bind_again(address).await.local_addr().unwrap(), address);
}

#[tokio::test]
async fn a_stream_of_the_application_is_a_client_like_any_other() {
    let server = TestServer::start_with(size(128, 128), |config| {
        config.with_capacity(Capacity {
            clients: 1,
            ..Capacity::default()
        })
    })
    .await;
    let mut client = server.connect_over(server.pipe(10_000)).await;
    server.wait_for_picture(&mut client, exactly).await;
    assert_eq!(server.handle.stats().clients, 1);
    // There is no room for another, and then one again.
    let (mut near, far) = tokio::io::duplex(1_000);
    server.handle.serve(far, ([127, 0, 0, 1], 2).into()).await;
    closed(&mut near).await;
    assert_eq!(server.handle.stats().turned_away, 1);
    drop(client);
    eventually("it has gone", || server.handle.stats().clients == 0).await;
    server.handle.shutdown();
    let (mut near, far) = tokio::io::duplex(1_000);
    server.handle.serve(far, ([127, 0, 0, 1], 2).into()).await;
    closed(&mut near).await;
    tokio::time::timeout(PATIENCE, server.running)
        .await
        .unwrap()
        .unwrap();
}
