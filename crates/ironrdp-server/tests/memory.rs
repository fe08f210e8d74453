//! What clients leave behind when they have gone, counted by the allocator.

#![allow(clippy::unwrap_used, reason = "this is how a test fails")]

#[cfg(test)]
mod common;

use std::time::Duration;

use common::{TestServer, dial, eventually, exactly, size};
use ironrdp_core::encode_vec;
use ironrdp_pdu::x224::ConnectionRequest;
use tokio::io::AsyncWriteExt as _;

/// Clients of all kinds come and go: sessions, and those that never get so far.
async fn a_round(server: &TestServer) {
    let request = encode_vec(&ConnectionRequest::default()).unwrap();
    let mut strangers = Vec::new();
    for bytes in [
        &[0; 43][..],
        &[3, 0],
        &request,
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
    for _ in 0..5 {
        let mut session = server.connect().await;
        server.wait_for_picture(&mut session, exactly).await;
    }
    drop(strangers);
    eventually("all have gone", || server.handle.stats().clients == 0).await;
}

/// Server and clients run on the one thread of the test, whose counter therefore has everything.
#[test]
fn five_hundred_clients_that_have_gone_left_nothing_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let server = runtime.block_on(TestServer::start_with(size(128, 128), |config| {
        config.with_handshake_timeout(Duration::from_secs(20))
    }));
    let rounds = |count| {
        for _ in 0..count {
            runtime.block_on(a_round(&server));
        }
        server.clients.lock().unwrap().clear();
    };
    // The first ones fill what is kept for the next.
    rounds(2);
    let grown = allocation_counter::measure(|| rounds(11)).bytes_current;
    // A cookie to come back with is kept for each of the 55 sessions, some 100 bytes, and 4,096 at most.
    assert!(grown < 32 * 1024, "{grown} bytes more after 495 clients");
}
