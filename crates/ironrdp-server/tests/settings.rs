//! Settings of a server that change what it sends, seen in its own counters.

#[cfg(test)]
mod common;

use std::time::{Duration, Instant};

use common::{TestServer, exactly, paint_scene, size};
use ironrdp_connector::{ColorDepth, Compression};
use ironrdp_server::{ServerConfig, ServerStats};

/// The counters once a client shows the first picture and a second one.
async fn after_two_pictures(
    compression: Compression,
    change: impl FnOnce(ServerConfig) -> ServerConfig,
) -> ServerStats {
    let server = TestServer::start_with(size(320, 256), change).await;
    let mut client = server
        .connect_as(|config| config.with_compression(compression))
        .await;
    server.wait_for_picture(&mut client, exactly).await;
    paint_scene(&server.canvas, 2);
    server.screen.damage_all();
    server.wait_for_picture(&mut client, exactly).await;
    server.handle.stats()
}

#[tokio::test]
async fn bulk_compression_that_is_off_sends_everybody_what_those_without_it_get() {
    let with = after_two_pictures(Compression::Mppc64K, |config| config).await;
    let without =
        after_two_pictures(Compression::Mppc64K, |config| config.with_bulk_compression(false)).await;
    let not_offered = after_two_pictures(Compression::Off, |config| config).await;
    assert!(with.update_bytes < without.update_bytes, "{with:?} {without:?}");
    assert_eq!(without.update_bytes, not_offered.update_bytes);
}

#[tokio::test]
async fn an_update_holds_the_graphics_it_may_and_a_tile_more() {
    // Twenty tiles each time: one by one, or all at once.
    let single = after_two_pictures(Compression::Off, |config| config.with_graphics_bytes(1)).await;
    let whole = after_two_pictures(Compression::Off, |config| config).await;
    assert_eq!(single.updates, 40, "{single:?}");
    assert_eq!(whole.updates, 2, "{whole:?}");
}

#[tokio::test]
async fn a_client_gets_no_more_frames_a_second_than_it_may() {
    let server = TestServer::start_with(size(64, 64), |config| config.with_max_frame_rate(2)).await;
    let mut client = server.connect().await;
    let start = Instant::now();
    let mut seed = 2;
    while start.elapsed() < Duration::from_secs(2) {
        paint_scene(&server.canvas, seed);
        server.screen.damage_all();
        seed += 1;
        // The client goes on reading meanwhile.
        let pause = tokio::time::timeout(Duration::from_millis(5), client.next_event()).await;
        if let Ok(event) = pause {
            event.unwrap();
        }
    }
    // The last of them is shown all the same.
    server.wait_for_picture(&mut client, exactly).await;
    let frames = server.handle.stats().updates;
    let seconds = start.elapsed().as_secs() + 1;
    // A slow machine has more time for fewer frames; without the rate there would be sixty a second.
    assert!(frames <= 2 * seconds + 1, "{frames} frames in {seconds} s");
}

#[tokio::test]
async fn no_client_gets_more_colours_than_the_server_has_for_it() {
    let most = ColorDepth::Bpp16;
    let server = TestServer::start_with(size(320, 256), |config| config.with_max_color_depth(most)).await;
    for (wanted, granted) in [
        (ColorDepth::Bpp32, most),
        (ColorDepth::Bpp24, most),
        (ColorDepth::Bpp16, most),
        (ColorDepth::Bpp15, ColorDepth::Bpp15),
        (ColorDepth::Bpp8, ColorDepth::Bpp8),
    ] {
        let client = server.connect_as(|config| config.with_color_depth(wanted)).await;
        assert_eq!(
            client.session().share().bits_per_pixel,
            granted.bits(),
            "{wanted:?}"
        );
        let seen = server.clients.lock().unwrap().pop().unwrap();
        assert_eq!(seen.color_depth, granted, "{wanted:?}");
    }
}
