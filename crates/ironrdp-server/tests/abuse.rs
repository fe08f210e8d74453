//! What hostile, broken and slow clients do, and that the others do not notice.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

#[cfg(test)]
mod common;

use std::time::{Duration, Instant};

use common::{
    ClientSession, PATIENCE, TestServer, closed, dial, eventually, exactly, first_words, paint_scene, size,
    wait_for_event,
};
use ironrdp_graphics::Rect;
use ironrdp_pdu::input::InputEvent;
use ironrdp_server::Capacity;
use ironrdp_session::Event;
use tokio::io::AsyncWriteExt as _;
#[cfg(target_os = "linux")]
use tokio::net::TcpSocket;
use tokio::net::TcpStream;

/// Frames to measure by.
const FRAMES: u8 = 20;

/// Changes a corner of the picture and waits until the client shows it, some times over: not one frame may be missing. How long
/// it took.
async fn frames_come(server: &TestServer, client: &mut ClientSession, frames: u8) -> Duration {
    let start = Instant::now();
    for frame in 0..frames {
        let dot = Rect::new(u16::from(frame) % 64, 0, 8, 8);
        server
            .canvas
            .draw(|image| image.fill(dot, [frame, 255 - frame, 1]));
        server.screen.damage(dot);
        server.wait_for_picture(client, exactly).await;
    }
    start.elapsed()
}

/// The frames of a client beside hostile ones come, if not at the rate at which they come when it is alone: on sockets and in real
/// time a busy machine takes some of it. The tests in `frames.rs` know that rate to the frame.
fn is_not_starved(alone: Duration, beside: Duration) {
    let most = alone * 10 + Duration::from_secs(20);
    assert!(beside < most, "{beside:?} in place of {alone:?}");
}

#[tokio::test]
async fn bytes_that_are_no_rdp_end_the_connection_at_once() {
    let server = TestServer::start(size(128, 128)).await;
    let mut good = server.connect().await;
    server.wait_for_picture(&mut good, exactly).await;
    let http = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
    let long = [&[3, 0, 0xff, 0xff][..], &[0xee; 70_000]].concat();
    for bytes in [vec![0; 43], http, long, vec![3, 0, 0, 4], vec![0xff; 9]] {
        let mut stream = dial(&server).await;
        // It may be closed before all is written.
        drop(stream.write_all(&bytes).await);
        closed(&mut stream).await;
    }
    // They keep coming while the good one gets its frames.
    let alone = frames_come(&server, &mut good, FRAMES).await;
    let port = server.port;
    let strangers = tokio::spawn(async move {
        loop {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            drop(stream.write_all(&[0; 43]).await);
            closed(&mut stream).await;
        }
    });
    let beside = frames_come(&server, &mut good, FRAMES).await;
    is_not_starved(alone, beside);
    assert!(!strangers.is_finished());
    strangers.abort();
    eventually("only the good one is left", || server.handle.stats().clients == 1).await;
}

#[tokio::test]
async fn half_a_handshake_is_ended_by_its_deadline_and_keeps_nobody_from_their_frames() {
    let server = TestServer::start_with(size(128, 128), |config| {
        config.with_handshake_timeout(Duration::from_secs(10))
    })
    .await;
    let mut good = server.connect().await;
    server.wait_for_picture(&mut good, exactly).await;
    let alone = frames_come(&server, &mut good, FRAMES).await;
    let request = first_words();
    let mut halves = Vec::new();
    for bytes in [&[][..], &[3], &request[..5], &request] {
        for _ in 0..10 {
            let mut stream = dial(&server).await;
            stream.write_all(bytes).await.unwrap();
            halves.push(stream);
        }
    }
    let beside = frames_come(&server, &mut good, FRAMES).await;
    is_not_starved(alone, beside);
    for stream in &mut halves {
        closed(stream).await;
    }
    eventually("only the good one is left", || server.handle.stats().clients == 1).await;
}

#[tokio::test]
async fn a_thousand_that_stop_after_their_first_words_leave_the_others_alone_and_nothing_behind() {
    let server = TestServer::start_with(size(128, 128), |config| {
        config
            .with_handshake_timeout(Duration::from_secs(10))
            .with_capacity(Capacity {
                in_handshake: 100,
                in_handshake_per_address: 100,
                ..Capacity::default()
            })
    })
    .await;
    let mut good = server.connect().await;
    server.wait_for_picture(&mut good, exactly).await;
    let alone = frames_come(&server, &mut good, FRAMES).await;
    let mut beside = Duration::ZERO;
    let request = first_words();
    let mut stuck = Vec::new();
    for count in 0..1_000 {
        let mut stream = dial(&server).await;
        // The server may have closed it already.
        drop(stream.write_all(&request).await);
        stuck.push(stream);
        // More would only need more descriptors than a shell allows.
        if stuck.len() == 200 {
            stuck.clear();
        }
        if count % 100 == 99 {
            assert!(server.handle.stats().in_handshake <= 100);
            beside += frames_come(&server, &mut good, FRAMES / 10).await;
        }
    }
    is_not_starved(alone, beside);
    drop(stuck);
    eventually("only the good one is left", || server.handle.stats().clients == 1).await;
    assert_eq!(server.handle.stats().in_handshake, 0);
    // There is room for the next one.
    let mut next = server.connect().await;
    server.wait_for_picture(&mut next, exactly).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_gets_the_newest_frame_when_it_does() {
    let server = TestServer::start(size(640, 480)).await;
    let mut slow = server.connect().await;
    let mut good = server.connect().await;
    server.wait_for_picture(&mut slow, exactly).await;
    server.wait_for_picture(&mut good, exactly).await;
    let before = server.handle.stats();
    let received = slow.session().stats().bytes_in;
    // A hundred frames of noise are 60 MB; the slow one reads nothing of them.
    for frame in 2..102 {
        paint_scene(&server.canvas, frame);
        server.screen.damage_all();
        if frame % 20 == 0 {
            server.wait_for_picture(&mut good, exactly).await;
        }
        tokio::task::yield_now().await;
    }
    server.wait_for_picture(&mut slow, exactly).await;
    // What waited in queues and in the kernel, and one frame more.
    let frame = 640 * 480 * 3;
    let read = slow.session().stats().bytes_in - received;
    assert!(read < 4 * frame + 2 * 1024 * 1024, "{read} bytes");
    assert!(server.handle.stats().updates > before.updates);
}

#[tokio::test]
async fn a_client_that_never_reads_is_dropped_in_the_end_and_costs_nobody_their_frames() {
    let server = TestServer::start_with(size(640, 480), |config| {
        config.with_stall_timeout(Duration::from_secs(10))
    })
    .await;
    let mut good = server.connect().await;
    server.wait_for_picture(&mut good, exactly).await;
    let alone = frames_come(&server, &mut good, FRAMES).await;
    let deaf = server.connect().await;
    let start = Instant::now();
    let (mut seed, mut beside) = (2, Duration::ZERO);
    while server.handle.stats().clients == 2 {
        assert!(start.elapsed() < 3 * PATIENCE, "it is still there");
        // Half a megabyte at least: a few fill what the kernel keeps.
        paint_scene(&server.canvas, seed);
        server.screen.damage_all();
        server.wait_for_picture(&mut good, exactly).await;
        if seed < 2 + u32::from(FRAMES) {
            beside += frames_come(&server, &mut good, 1).await;
        }
        seed += 1;
    }
    is_not_starved(alone, beside);
    drop(deaf);
    is_not_starved(alone, frames_come(&server, &mut good, FRAMES).await);
}

#[tokio::test]
async fn a_flood_of_input_keeps_nobody_from_their_frames() {
    let server = TestServer::start(size(128, 128)).await;
    let mut good = server.connect().await;
    let mut flood = server.connect().await;
    server.wait_for_picture(&mut good, exactly).await;
    server.wait_for_picture(&mut flood, exactly).await;
    let alone = frames_come(&server, &mut good, FRAMES).await;
    let flooding = tokio::spawn(async move {
        let events: Vec<_> = (0..250).map(|x| InputEvent::moved_to(x, 1)).collect();
        let mut sent = 0_u32;
        // Until the task is aborted, or the connection refuses.
        while flood.send_input(&events).await.is_ok() && flood.flush().await.is_ok() {
            sent += 1;
            if sent.is_multiple_of(64) {
                tokio::task::yield_now().await;
            }
        }
    });
    eventually("the flood has begun", || {
        server.log.lock().unwrap().len() > 10_000
    })
    .await;
    let before = server.log.lock().unwrap().len();
    let beside = frames_come(&server, &mut good, FRAMES).await;
    is_not_starved(alone, beside);
    eventually("the server takes its input too", || {
        server.log.lock().unwrap().len() > before
    })
    .await;
    assert!(!flooding.is_finished());
    flooding.abort();
}

/// A connection from an address of this machine, which has all of 127.0.0.0/8.
#[cfg(target_os = "linux")]
async fn dial_from(server: &TestServer, last: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, last], 0).into()).unwrap();
    socket
        .connect(([127, 0, 0, 1], server.port).into())
        .await
        .unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn each_limit_turns_away_whoever_is_too_many_and_nobody_else() {
    let server = TestServer::start_with(size(128, 128), |config| {
        config.with_capacity(Capacity {
            clients: 6,
            per_address: 3,
            in_handshake: 2,
            in_handshake_per_address: 2,
        })
    })
    .await;
    let from = async |last: u8| dial_from(&server, last).await;
    let turned_away = async |count: u64| {
        eventually("one is turned away", || {
            server.handle.stats().turned_away == count
        })
        .await;
    };
    let stats = || server.handle.stats();
    // Two in the handshake: there is no room for a third, wherever it comes from.
    let (first, second) = (from(1).await, from(2).await);
    eventually("both are there", || stats().in_handshake == 2).await;
    closed(&mut from(3).await).await;
    turned_away(1).await;
    drop((first, second));
    eventually("both have gone", || stats().clients == 0).await;
    // Three sessions from here: no fourth from here, but one from elsewhere.
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(server.connect().await);
    }
    closed(&mut from(1).await).await;
    turned_away(2).await;
    let mut elsewhere = from(2).await;
    eventually("it is let in", || stats().in_handshake == 1).await;
    assert_eq!(stats().turned_away, 2);
    // Whoever is in goes on.
    for session in &mut sessions {
        server.wait_for_picture(session, exactly).await;
    }
    elsewhere.shutdown().await.unwrap();
    eventually("it has gone", || stats().clients == 3).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_begins_handshakes_without_end_keeps_nobody_out_but_its_own_address() {
    let server = TestServer::start_with(size(128, 128), |config| {
        config.with_handshake_timeout(PATIENCE * 10)
    })
    .await;
    let request = first_words();
    let mut attack = Vec::new();
    for _ in 0..Capacity::default().in_handshake {
        let mut stream = dial_from(&server, 1).await;
        drop(stream.write_all(&request).await);
        attack.push(stream);
    }
    eventually("the attack has all it can get", || {
        let stats = server.handle.stats();
        stats.in_handshake == 64 && stats.turned_away == 256 - 64
    })
    .await;
    closed(&mut dial_from(&server, 1).await).await;
    let mut client = server.connect_over(dial_from(&server, 2).await).await;
    server.wait_for_picture(&mut client, exactly).await;
    assert_eq!(server.handle.stats().in_handshake, 64);
    drop(attack);
}

/// Each request has an answer, and nobody reads them.
#[tokio::test]
async fn a_client_that_asks_and_never_listens_is_dropped() {
    let server = TestServer::start(size(128, 128)).await;
    let mut good = server.connect().await;
    let mut asking = server.connect().await;
    server.wait_for_picture(&mut good, exactly).await;
    server.wait_for_picture(&mut asking, exactly).await;
    let asking = tokio::spawn(async move {
        while asking.session_mut().request_shutdown().is_ok() && asking.flush().await.is_ok() {}
        // It does not go away of its own accord.
        std::future::pending::<()>().await;
    });
    frames_come(&server, &mut good, 5).await;
    eventually("it is gone", || server.handle.stats().clients == 1).await;
    assert!(!asking.is_finished());
    frames_come(&server, &mut good, 3).await;
    asking.abort();
}

#[tokio::test]
async fn shutdown_waits_for_nobody_who_does_not_listen() {
    let server = TestServer::start(size(640, 480)).await;
    let mut good = server.connect().await;
    let deaf = server.connect().await;
    let mut half = dial(&server).await;
    half.write_all(&[3, 0]).await.unwrap();
    for seed in 2..12 {
        paint_scene(&server.canvas, seed);
        server.screen.damage_all();
        server.wait_for_picture(&mut good, exactly).await;
    }
    assert_eq!(server.handle.stats().clients, 3);
    server.handle.shutdown();
    let end = wait_for_event(&mut good, |event| matches!(event, Event::Disconnected { .. })).await;
    assert!(end.is_some());
    drop(good);
    let ended = tokio::time::timeout(PATIENCE, server.running).await;
    assert!(
        ended.is_ok_and(|ended| ended.is_ok()),
        "the server is still there"
    );
    assert_eq!(server.handle.stats().clients, 0);
    closed(&mut half).await;
    drop(deaf);
}
