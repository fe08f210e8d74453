//! What clients cost while they are there, and what they leave behind when they have gone, counted by the allocator.
//!
//! Server and clients run on the one thread of each test, whose counter therefore has everything.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

#[cfg(test)]
mod common;

use std::time::Duration;

use common::{ClientSession, TestServer, dial, eventually, exactly, first_words, paint_scene, size};
use ironrdp_pdu::input::InputEvent;
use ironrdp_server::IgnoreInput;
use tokio::io::{AsyncWriteExt as _, DuplexStream};
use tokio::runtime::Runtime;

/// A runtime whose time goes on when there is nothing else to do, if it is virtual.
fn runtime(virtual_time: bool) -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(virtual_time)
        .build()
        .unwrap()
}

async fn start(width: u16, height: u16) -> TestServer {
    let deadline = Duration::from_secs(600);
    TestServer::start_for(
        size(width, height),
        |config| config.with_handshake_timeout(deadline),
        || Box::new(IgnoreInput),
    )
    .await
}

async fn connect(server: &TestServer) -> ClientSession<DuplexStream> {
    let mut client = server.connect_over(server.pipe(10_000)).await;
    server.wait_for_picture(&mut client, exactly).await;
    client
}

/// Sends 250 events, some times over.
async fn flood(client: &mut ClientSession<DuplexStream>, times: u32) {
    let events: Vec<_> = (0..250).map(|x| InputEvent::moved_to(x, 1)).collect();
    for _ in 0..times {
        client.send_input(&events).await.unwrap();
        client.flush().await.unwrap();
    }
}

/// Clients of all kinds come and go: sessions, those that never get so far, and those that make no good use of them.
async fn a_round(server: &TestServer) {
    let mut strangers = Vec::new();
    for bytes in [
        &[0; 43][..],
        &[3, 0],
        &first_words(),
        &[0xff; 2_000],
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        for _ in 0..8 {
            let mut stream = dial(server).await;
            // It may be closed already.
            drop(stream.write_all(bytes).await);
            strangers.push(stream);
        }
    }
    for _ in 0..3 {
        let mut session = server.connect().await;
        server.wait_for_picture(&mut session, exactly).await;
    }
    let deaf = connect(server).await;
    let mut flooding = connect(server).await;
    for seed in 0..3 {
        paint_scene(&server.canvas, seed);
        server.screen.damage_all();
        flood(&mut flooding, 20).await;
    }
    drop((strangers, deaf, flooding));
    eventually("all have gone", || server.handle.stats().clients == 0).await;
}

#[test]
fn five_hundred_clients_take_their_share_while_they_are_there_and_left_nothing_behind() {
    let runtime = runtime(false);
    let server = runtime.block_on(start(128, 128));
    let rounds = |count| {
        for _ in 0..count {
            runtime.block_on(a_round(&server));
        }
        server.clients.lock().unwrap().clear();
    };
    // The first ones fill what is kept for the next.
    rounds(2);
    let used = allocation_counter::measure(|| rounds(11));
    // A cookie to come back with is kept for each of the 55 sessions, some 100 bytes, and 4,096 at most.
    let grown = used.bytes_current;
    assert!(grown < 32 * 1024, "{grown} bytes more after 495 clients");
    // 45 clients at a time, each with its end and ours: a server that kept what they send, or what they do not read, had more.
    let most = used.bytes_max;
    assert!(most < 2 * 1024 * 1024, "{most} bytes at a time");
}

#[test]
fn a_client_that_never_reads_costs_what_may_wait_and_no_more() {
    let runtime = runtime(true);
    let server = runtime.block_on(start(640, 480));
    let deaf = runtime.block_on(connect(&server));
    let most = allocation_counter::measure(|| {
        runtime.block_on(async {
            // Before its time is over.
            for seed in 0..50 {
                paint_scene(&server.canvas, seed);
                server.screen.damage_all();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    })
    .bytes_max;
    assert_eq!(server.handle.stats().clients, 1);
    // An update of 256 KiB and a tile, and what TLS has made of it; of 15 MB of noise.
    assert!(most < 1024 * 1024, "{most} bytes");
    drop(deaf);
}

#[test]
fn a_flood_of_input_costs_what_is_read_at_a_time() {
    let runtime = runtime(true);
    let server = runtime.block_on(start(64, 64));
    let mut client = runtime.block_on(connect(&server));
    let most = allocation_counter::measure(|| {
        // 500,000 events in 3.5 MB.
        runtime.block_on(flood(&mut client, 2_000));
    })
    .bytes_max;
    assert_eq!(server.handle.stats().clients, 1);
    assert!(most < 300 * 1024, "{most} bytes");
}

#[test]
fn a_client_that_asks_and_never_listens_costs_the_answers_that_may_wait() {
    let runtime = runtime(true);
    let server = runtime.block_on(start(64, 64));
    let mut client = runtime.block_on(connect(&server));
    let most = allocation_counter::measure(|| {
        runtime.block_on(async {
            // Until the server has had enough.
            while client.session_mut().request_shutdown().is_ok() && client.flush().await.is_ok() {}
        });
    })
    .bytes_max;
    assert_eq!(server.handle.stats().clients, 0);
    // 1 MiB, in a buffer that has grown to it.
    assert!((512 * 1024..3 * 1024 * 1024).contains(&most), "{most} bytes");
}
