//! What clients leave behind when they have gone, counted by the allocator.

#![expect(
    unsafe_code,
    reason = "a global allocator that counts cannot be written without"
)]
#![allow(clippy::unwrap_used, reason = "this is how a test fails")]

#[cfg(test)]
mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use common::{TestServer, dial, eventually, exactly, size};
use ironrdp_core::encode_vec;
use ironrdp_pdu::x224::ConnectionRequest;
use tokio::io::AsyncWriteExt as _;

struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

fn note(bytes: usize, sign: isize) {
    LIVE.set(LIVE.get() + sign * isize::try_from(bytes).unwrap_or(isize::MAX));
}

// SAFETY: every call goes to the system's allocator unchanged; beside it only a counter of the own thread is touched,
// which is constant-initialised and so never allocates itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(layout.size(), -1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
#[tokio::test]
async fn five_hundred_clients_that_have_gone_left_nothing_behind() {
    let server = TestServer::start_with(size(128, 128), |config| {
        config.with_handshake_timeout(Duration::from_secs(20))
    })
    .await;
    // The first ones fill what is kept for the next.
    for _ in 0..2 {
        a_round(&server).await;
    }
    server.clients.lock().unwrap().clear();
    let before = LIVE.get();
    for _ in 0..11 {
        a_round(&server).await;
    }
    server.clients.lock().unwrap().clear();
    // A cookie to come back with is kept for each of the 55 sessions, some 100 bytes, and 4,096 at most.
    let grown = LIVE.get() - before;
    assert!(grown < 32 * 1024, "{grown} bytes more after 495 clients");
}
