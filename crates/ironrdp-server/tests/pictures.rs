//! What a client shows is what the server drew, whatever form the bytes take.

#[cfg(test)]
mod common;

use common::{ClientSession, TestServer, eventually, exactly, paint_scene, size, wait_for_event};
use ironrdp_connector::{ColorDepth, Compression};
use ironrdp_graphics::Rect;
use ironrdp_pdu::input::InputEvent;
use ironrdp_server::Pointer;
use ironrdp_session::{Event, PointerState};

/// The widening of the decoders: high bits repeated in the low ones.
fn widened(value: u8, bits: u32) -> u8 {
    let high = value >> (8 - bits) << (8 - bits);
    high | high >> bits | high.checked_shr(2 * bits).unwrap_or(0)
}

fn narrowed(bits: [u32; 3]) -> impl Fn([u8; 4], [u8; 4]) -> bool {
    move |drawn, seen| {
        let [red, green, blue] = bits;
        seen == [
            widened(drawn[0], blue),
            widened(drawn[1], green),
            widened(drawn[2], red),
            0xff,
        ]
    }
}

/// The nearest colour of the palette of 3, 3 and 2 bits, looked for anew.
fn in_palette(drawn: [u8; 4], seen: [u8; 4]) -> bool {
    let level = |value: u32, max: u32| value * 255 / max;
    let distance = |colour: [u32; 3]| -> u32 {
        colour
            .iter()
            .zip([drawn[2], drawn[1], drawn[0]])
            .map(|(a, b)| a.abs_diff(u32::from(b)).pow(2))
            .sum()
    };
    let best = (0..256_u32)
        .map(|index| {
            distance([
                level(index >> 5, 7),
                level((index >> 2) & 7, 7),
                level(index & 3, 3),
            ])
        })
        .min();
    best == Some(distance([seen[2], seen[1], seen[0]].map(u32::from)))
}

async fn at_depth(depth: ColorDepth, same: impl Fn([u8; 4], [u8; 4]) -> bool) {
    // Odd sides: the last tiles are neither full nor a multiple of four wide.
    at_depth_and_size(depth, 333, 205, same).await;
}

async fn at_depth_and_size(
    depth: ColorDepth,
    width: u16,
    height: u16,
    same: impl Fn([u8; 4], [u8; 4]) -> bool,
) {
    for compression in [Compression::Off, Compression::Mppc8K, Compression::Mppc64K] {
        let server = TestServer::start(size(width, height)).await;
        let mut client = server
            .connect_as(|config| config.with_color_depth(depth).with_compression(compression))
            .await;
        server.wait_for_picture(&mut client, &same).await;
        paint_scene(&server.canvas, 2);
        server.screen.damage_all();
        server.wait_for_picture(&mut client, &same).await;
    }
}

#[tokio::test]
async fn thirty_two_bits_are_exact() {
    at_depth(ColorDepth::Bpp32, exactly).await;
}

#[tokio::test]
async fn twenty_four_bits_are_exact() {
    at_depth(ColorDepth::Bpp24, exactly).await;
}

#[tokio::test]
async fn sixteen_bits_lose_the_low_bits_and_nothing_else() {
    at_depth(ColorDepth::Bpp16, narrowed([5, 6, 5])).await;
}

#[tokio::test]
async fn fifteen_bits_lose_the_low_bits_and_nothing_else() {
    at_depth(ColorDepth::Bpp15, narrowed([5, 5, 5])).await;
}

#[tokio::test]
async fn eight_bits_show_the_nearest_colour_of_the_palette() {
    // Small, since the search through all colours is slow.
    at_depth_and_size(ColorDepth::Bpp8, 99, 71, in_palette).await;
}

#[tokio::test]
async fn only_damaged_tiles_are_sent_again() {
    let server = TestServer::start(size(640, 480)).await;
    let mut client = server.connect().await;
    server.wait_for_picture(&mut client, exactly).await;
    let before = server.screen.stats().tiles_encoded;
    assert_eq!(before, 80);
    let dot = Rect::new(100, 100, 20, 10);
    server.canvas.draw(|image| image.fill(dot, [1, 2, 3]));
    server.screen.damage(dot);
    server.wait_for_picture(&mut client, exactly).await;
    assert_eq!(server.screen.stats().tiles_encoded, before + 1);
}

#[tokio::test]
async fn clients_that_understand_the_same_bytes_share_them_and_others_do_not() {
    let server = TestServer::start(size(256, 256)).await;
    let mut equals: Vec<ClientSession> = Vec::new();
    for _ in 0..4 {
        equals.push(server.connect().await);
    }
    for client in &mut equals {
        server.wait_for_picture(client, exactly).await;
    }
    let before = server.screen.stats();
    paint_scene(&server.canvas, 3);
    server.screen.damage_all();
    for client in &mut equals {
        server.wait_for_picture(client, exactly).await;
    }
    let after = server.screen.stats();
    assert_eq!(
        after.tiles_encoded - before.tiles_encoded,
        16,
        "once for all four"
    );
    assert_eq!(after.tiles_shared - before.tiles_shared, 3 * 16);

    let mut other = server
        .connect_as(|config| config.with_color_depth(ColorDepth::Bpp16))
        .await;
    server.wait_for_picture(&mut other, narrowed([5, 6, 5])).await;
    assert_eq!(
        server.screen.stats().tiles_encoded - after.tiles_encoded,
        16,
        "in a form of its own"
    );
}

#[tokio::test]
async fn a_resized_screen_reactivates_its_clients() {
    let server = TestServer::start(size(320, 200)).await;
    let mut client = server.connect().await;
    server.wait_for_picture(&mut client, exactly).await;
    for (width, height) in [(500, 301), (64, 64), (1024, 768)] {
        server.canvas.resize(size(width, height)).unwrap();
        paint_scene(&server.canvas, width.into());
        server.screen.resize(size(width, height));
        server.wait_for_picture(&mut client, exactly).await;
        assert_eq!(client.session().desktop_size(), size(width, height));
    }
}

#[tokio::test]
async fn a_client_that_asks_for_another_size_gets_the_size_of_the_screen() {
    let server = TestServer::start(size(320, 200)).await;
    let mut client = server
        .connect_as(|config| config.with_desktop_size(size(800, 600)))
        .await;
    server.wait_for_picture(&mut client, exactly).await;
    assert_eq!(
        server.clients.lock().unwrap()[0].desktop_size,
        Some(size(800, 600))
    );
}

#[tokio::test]
async fn refresh_sends_the_part_again_and_suppression_sends_nothing_until_it_ends() {
    let server = TestServer::start(size(320, 200)).await;
    let mut client = server.connect().await;
    server.wait_for_picture(&mut client, exactly).await;

    // What the client lost it gets again.
    client
        .session_mut()
        .pixels_mut()
        .as_image_mut()
        .fill(Rect::new(0, 0, 320, 200), [0; 3]);
    client
        .session_mut()
        .refresh(&[Rect::new(0, 0, 320, 200)])
        .unwrap();
    server.wait_for_picture(&mut client, exactly).await;

    client.session_mut().suppress_output(true).unwrap();
    // The server takes what is behind it after it.
    client.send_input(&[InputEvent::moved_to(7, 9)]).await.unwrap();
    client.flush().await.unwrap();
    eventually("the suppression has arrived", || {
        !server.log.lock().unwrap().is_empty()
    })
    .await;
    let before = server.handle.stats().updates;
    paint_scene(&server.canvas, 9);
    server.screen.damage_all();
    let quiet = tokio::time::timeout(std::time::Duration::from_millis(300), client.next_event()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    assert_eq!(server.handle.stats().updates, before);

    client.session_mut().suppress_output(false).unwrap();
    server.wait_for_picture(&mut client, exactly).await;
}

#[tokio::test]
async fn the_pointer_has_the_shape_it_was_given() {
    let server = TestServer::start(size(64, 64)).await;
    let mut rgba = vec![0; 5 * 3 * 4];
    rgba[..4].copy_from_slice(&[10, 20, 30, 255]);
    rgba[56..].copy_from_slice(&[40, 50, 60, 255]);
    server
        .screen
        .set_pointer(Pointer::shape(5, 3, (1, 2), rgba.clone()).unwrap());
    let mut client = server.connect().await;
    let event = wait_for_event(&mut client, |event| matches!(event, Event::PointerChanged(_))).await;
    let Some(Event::PointerChanged(PointerState::Bitmap(shape))) = event else {
        panic!("{event:?}");
    };
    assert_eq!((shape.width, shape.height), (5, 3));
    assert_eq!((shape.hot_spot_x, shape.hot_spot_y), (1, 2));
    assert_eq!(shape.rgba, rgba);

    server.screen.set_pointer(Pointer::Hidden);
    let event = wait_for_event(&mut client, |event| matches!(event, Event::PointerChanged(_))).await;
    assert_eq!(event, Some(Event::PointerChanged(PointerState::Hidden)));
}
