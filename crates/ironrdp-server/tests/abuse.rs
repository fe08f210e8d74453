//! What hostile, broken and slow clients do, and that the others do not notice.

#[cfg(test)]
mod common;

use std::time::{Duration, Instant};

use common::{ClientSession, TestServer, dial, eventually, exactly, paint_scene, size};
use ironrdp_core::encode_vec;
use ironrdp_graphics::Rect;
use ironrdp_pdu::input::InputEvent;
use ironrdp_pdu::x224::ConnectionRequest;
use ironrdp_server::Capacity;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Changes a corner of the picture and waits until a client shows it, some times over; the longest wait.
async fn frame_times(server: &TestServer, client: &mut ClientSession, frames: u8) -> Duration {
    let mut longest = Duration::ZERO;
    for frame in 0..frames {
        let start = Instant::now();
        let dot = Rect::new(u16::from(frame) % 64, 0, 8, 8);
        server
            .canvas
            .draw(|image| image.fill(dot, [frame, 255 - frame, 1]));
        server.screen.damage(dot);
        server.wait_for_picture(client, exactly).await;
        longest = longest.max(start.elapsed());
    }
    longest
}

/// Generous, since the machine that runs the tests has other things to do; a client that is starved waits for ever.
const SOON: Duration = Duration::from_secs(3);

async fn closed(stream: &mut TcpStream) -> bool {
    let mut rest = [0; 4096];
    loop {
        match stream.read(&mut rest).await {
            Ok(0) | Err(_) => return true,
            Ok(_) => {}
        }
    }
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
        let ended = tokio::time::timeout(Duration::from_secs(5), closed(&mut stream)).await;
        assert!(ended.is_ok(), "{} bytes", bytes.len());
    }
    assert!(frame_times(&server, &mut good, 5).await < SOON);
    eventually("only the good one is left", || server.handle.stats().clients == 1).await;
}

#[tokio::test]
async fn half_a_handshake_is_ended_by_its_deadline() {
    let server = TestServer::start_with(size(128, 128), |config| {
        config.with_handshake_timeout(Duration::from_millis(700))
    })
    .await;
    let request = encode_vec(&ConnectionRequest::default()).unwrap();
    let mut halves = Vec::new();
    for bytes in [&[][..], &[3], &request[..5], &request] {
        let mut stream = dial(&server).await;
        stream.write_all(bytes).await.unwrap();
        halves.push(stream);
    }
    for mut stream in halves {
        let ended = tokio::time::timeout(Duration::from_secs(5), closed(&mut stream)).await;
        assert!(ended.is_ok());
    }
    eventually("nobody is left", || server.handle.stats().clients == 0).await;
}

#[tokio::test]
async fn a_thousand_that_stop_after_their_first_words_leave_the_others_alone_and_nothing_behind() {
    let server = TestServer::start_with(size(128, 128), |config| {
        config
            .with_handshake_timeout(Duration::from_secs(2))
            .with_capacity(Capacity {
                in_handshake: 100,
                ..Capacity::default()
            })
    })
    .await;
    let mut good = server.connect().await;
    server.wait_for_picture(&mut good, exactly).await;
    let request = encode_vec(&ConnectionRequest::default()).unwrap();
    let mut stuck = Vec::new();
    let mut longest = Duration::ZERO;
    for count in 0..1_000 {
        let mut stream = dial(&server).await;
        // The server may have closed it already.
        drop(stream.write_all(&request).await);
        stuck.push(stream);
        // More would only need more descriptors than a shell allows.
        if stuck.len() == 200 {
            stuck.clear();
        }
        if count % 100 == 0 {
            longest = longest.max(frame_times(&server, &mut good, 1).await);
            assert!(server.handle.stats().in_handshake <= 100);
        }
    }
    assert!(longest < SOON, "{longest:?}");
    drop(stuck);
    eventually("only the good one is left", || server.handle.stats().clients == 1).await;
    assert!(server.handle.stats().in_handshake == 0);
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
    let start = Instant::now();
    server.wait_for_picture(&mut slow, exactly).await;
    // What waited in queues and in the kernel, and one frame more.
    let frame = 640 * 480 * 3;
    let read = slow.session().stats().bytes_in - received;
    assert!(
        read < 4 * frame + 2 * 1024 * 1024,
        "{read} bytes after {:?}",
        start.elapsed()
    );
    assert!(server.handle.stats().updates > before.updates);
}

#[tokio::test]
async fn a_client_that_never_reads_is_dropped_in_the_end() {
    let server = TestServer::start_with(size(640, 480), |config| {
        config.with_stall_timeout(Duration::from_millis(500))
    })
    .await;
    let deaf = server.connect().await;
    let mut good = server.connect().await;
    server.wait_for_picture(&mut good, exactly).await;
    let start = Instant::now();
    let mut seed = 2;
    while server.handle.stats().clients == 2 {
        assert!(start.elapsed() < Duration::from_secs(30), "it is still there");
        paint_scene(&server.canvas, seed);
        server.screen.damage_all();
        server.wait_for_picture(&mut good, exactly).await;
        seed += 1;
    }
    drop(deaf);
    assert!(frame_times(&server, &mut good, 3).await < SOON);
}

#[tokio::test]
async fn a_flood_of_input_keeps_nobody_from_their_frames() {
    let server = TestServer::start(size(128, 128)).await;
    let mut good = server.connect().await;
    let mut flood = server.connect().await;
    server.wait_for_picture(&mut good, exactly).await;
    server.wait_for_picture(&mut flood, exactly).await;
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
    let longest = frame_times(&server, &mut good, 10).await;
    flooding.abort();
    assert!(longest < SOON, "{longest:?}");
}
