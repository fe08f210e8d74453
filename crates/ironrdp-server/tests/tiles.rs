//! How much memory the encoded tiles of a screen take, whoever comes to look at it, counted by the allocator.

#[cfg(test)]
mod common;

use common::{ClientSession, TestServer, eventually, exactly, size};
use ironrdp_connector::{ColorDepth, Compression};

/// Every way of talking to a screen that our client has: each wants other bytes.
fn ways() -> impl Iterator<Item = (ColorDepth, Compression)> {
    [
        ColorDepth::Bpp32,
        ColorDepth::Bpp24,
        ColorDepth::Bpp16,
        ColorDepth::Bpp15,
        ColorDepth::Bpp8,
    ]
    .into_iter()
    .flat_map(|depth| {
        [Compression::Off, Compression::Mppc8K, Compression::Mppc64K].map(|compression| (depth, compression))
    })
}

async fn come(server: &TestServer, (depth, compression): (ColorDepth, Compression)) -> ClientSession {
    let mut client = server
        .connect_as(|config| config.with_color_depth(depth).with_compression(compression))
        .await;
    // Whatever the depth shows of a colour, it shows something of all that is not black.
    server
        .wait_for_picture(&mut client, |drawn, seen| {
            seen[3] == 0xff && (seen[..3] != [0; 3] || drawn[..3].iter().all(|level| *level < 0x80))
        })
        .await;
    client
}

/// Server and clients run on the one thread of the test, whose counter therefore has everything.
#[test]
fn clients_that_come_back_as_others_fill_no_memory_though_nothing_changes() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (width, height) = (320, 256);
    // Somebody stays, so that there is a reason to keep what others are sent.
    let start = || {
        let server = runtime.block_on(TestServer::start(size(width, height)));
        let mut staying = runtime.block_on(server.connect());
        runtime.block_on(server.wait_for_picture(&mut staying, exactly));
        (server, staying)
    };
    let in_turn = |server: &TestServer| {
        for way in ways() {
            runtime.block_on(async {
                drop(come(server, way).await);
                eventually("it has gone", || server.handle.stats().clients == 1).await;
            });
        }
        server.clients.lock().unwrap().clear();
    };
    // What codecs and buffers of the thread keep, and the first turn fills; in front of another screen.
    let (other, _staying) = start();
    in_turn(&other);
    let (server, _staying) = start();
    let grown = allocation_counter::measure(|| {
        in_turn(&server);
        in_turn(&server);
    })
    .bytes_current;
    assert_eq!(server.screen.stats().bytes_kept, 0);
    assert!(grown < 200 * 1024, "{grown} bytes more after 30 clients");

    // Two of each at the same time.
    let pixels = usize::from(width) * usize::from(height);
    let left = allocation_counter::measure(|| {
        runtime.block_on(async {
            let mut all = Vec::new();
            for way in ways().chain(ways()) {
                all.push(come(&server, way).await);
            }
            let kept = server.screen.stats().bytes_kept;
            assert!(
                (1..=4 * 4 * pixels).contains(&kept),
                "{kept} bytes of tiles are kept"
            );
            drop(all);
            eventually("all have gone", || server.handle.stats().clients == 1).await;
        });
        server.clients.lock().unwrap().clear();
    })
    .bytes_current;
    assert_eq!(server.screen.stats().bytes_kept, 0);
    assert!(left < 64 * 1024, "{left} bytes more after 30 clients at once");
}
