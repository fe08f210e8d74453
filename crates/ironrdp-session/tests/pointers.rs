//! Pointers of every kind, on both paths, and their cache.
#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod common;

use common::*;
use ironrdp_core::{decode, encode_vec};
use ironrdp_pdu::fastpath::{FastPathBody, FastPathFragments, UpdateCode};
use ironrdp_pdu::pointer::{FastPathPointer, PointerShape, PointerUpdate};
use ironrdp_pdu::share::ShareDataPdu;
use ironrdp_session::{Event, NoPixels, PduKind, PointerState, Session, SessionErrorKind, Unsupported};

fn on_fast_path(update: &PointerUpdate<'_>) -> Vec<u8> {
    let data = encode_vec(&FastPathPointer(*update)).unwrap();
    fast_path(update.update_code().unwrap(), &data)
}

fn on_slow_path(update: &PointerUpdate<'_>) -> Vec<u8> {
    share_data(ShareDataPdu::Pointer(&encode_vec(update).unwrap()))
}

fn shape(cache_index: u16, side: u16, masks: &[u8]) -> PointerShape<'_> {
    let (width, xor) = (usize::from(side), usize::from(side) * usize::from(side) * 4);
    let and = width.div_ceil(8).next_multiple_of(2) * width;
    PointerShape {
        cache_index,
        hot_spot_x: 1,
        hot_spot_y: 2,
        width: side,
        height: side,
        xor_bits_per_pixel: 32,
        xor_mask: &masks[..xor],
        and_mask: &masks[..and],
    }
}

#[test]
fn pointers_of_a_session_have_their_pictures_and_hot_spots() {
    for (name, code, hot_spot) in [
        ("color_pointer_24bpp", UpdateCode::ColorPointer, (3, 11)),
        ("new_pointer_32bpp", UpdateCode::NewPointer, (3, 3)),
    ] {
        let body = vector(&format!("pointers/{name}.bin"));
        let expected = vector(&format!("pointers/{name}.rgba"));
        let FastPathBody::Pointer(update) = code.decode_body(&body).unwrap() else {
            panic!("{name} is no pointer");
        };
        for frame in [fast_path(code, &body), on_slow_path(&update)] {
            let mut session = session(64, 64);
            feed(&mut session, &frame).unwrap();
            let [Event::PointerChanged(PointerState::Bitmap(bitmap))] = &events(&mut session)[..] else {
                panic!("{name} gave another event");
            };
            assert_eq!((bitmap.width, bitmap.height), (41, 39));
            assert_eq!((bitmap.hot_spot_x, bitmap.hot_spot_y), hot_spot);
            assert_eq!(bitmap.rgba.len(), expected.len());
            for (got, want) in bitmap.rgba.chunks(4).zip(expected.chunks(4)) {
                assert_eq!(got[3], want[3]);
                // The expected pictures have every channel squared (PROVENANCE.md).
                for channel in 0..3 {
                    assert_eq!(u16::from(got[channel]).pow(2) >> 8, u16::from(want[channel]));
                }
            }
        }
    }
}

#[test]
fn system_pointers_and_positions_are_told_on_both_paths() {
    for encode in [on_fast_path, on_slow_path] {
        let mut session = session(64, 64);
        for (update, event) in [
            (PointerUpdate::Hidden, Event::PointerChanged(PointerState::Hidden)),
            (
                PointerUpdate::Default,
                Event::PointerChanged(PointerState::Default),
            ),
            (
                PointerUpdate::Position { x: 7, y: 9 },
                Event::PointerMoved { x: 7, y: 9 },
            ),
        ] {
            feed(&mut session, &encode(&update)).unwrap();
            assert_eq!(events(&mut session), [event]);
        }
        assert_eq!(session.stats().pdus(PduKind::Pointer), 3);
    }
}

#[test]
fn a_cached_pointer_is_the_one_kept_without_another_decode() {
    let masks: Vec<u8> = (0..=255).cycle().take(96 * 96 * 4).collect();
    let mut session = session(64, 64);
    feed(
        &mut session,
        &on_fast_path(&PointerUpdate::New(shape(4, 32, &masks))),
    )
    .unwrap();
    let first = events(&mut session);
    feed(
        &mut session,
        &on_slow_path(&PointerUpdate::Large(shape(5, 80, &masks))),
    )
    .unwrap();
    let second = events(&mut session);
    for (index, expected) in [(4, &first), (5, &second), (4, &first)] {
        feed(&mut session, &on_fast_path(&PointerUpdate::Cached { index })).unwrap();
        assert_eq!(&events(&mut session), expected);
    }
    assert_ne!(first, second);
    // A new shape takes the place of the old.
    feed(
        &mut session,
        &on_fast_path(&PointerUpdate::New(shape(4, 8, &masks))),
    )
    .unwrap();
    let third = events(&mut session);
    feed(&mut session, &on_fast_path(&PointerUpdate::Cached { index: 4 })).unwrap();
    assert_eq!(events(&mut session), third);
}

#[test]
fn a_pointer_that_is_not_in_the_cache_is_the_default_and_counted() {
    let mut session = session(64, 64);
    for index in [0, 24, u16::MAX] {
        feed(&mut session, &on_slow_path(&PointerUpdate::Cached { index })).unwrap();
        assert_eq!(
            events(&mut session),
            [Event::PointerChanged(PointerState::Default)]
        );
    }
    assert_eq!(session.stats().pointer_cache_misses, 3);
}

#[test]
fn a_pointer_for_a_place_beyond_every_cache_is_refused() {
    let masks = [0; 64];
    let update = on_fast_path(&PointerUpdate::New(shape(60_000, 4, &masks)));
    let error = feed(&mut session(64, 64), &update).unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Limit);
    let mut blind = Session::new(config(64, 64), NoPixels).unwrap();
    assert_eq!(
        feed(&mut blind, &update).unwrap_err().kind(),
        SessionErrorKind::Limit
    );
}

#[test]
fn the_cache_is_bounded_in_bytes_and_a_shape_without_room_is_still_shown() {
    let mut session = session(64, 64);
    // One bit a pixel is 18 KiB on the wire and 576 KiB decoded: a hostile server's best.
    let rows = vec![0x55; 384 / 8 * 384];
    let mut shown = 0;
    for cache_index in 0..128 {
        let shape = PointerShape {
            cache_index,
            hot_spot_x: 0,
            hot_spot_y: 0,
            width: 384,
            height: 384,
            xor_bits_per_pixel: 1,
            xor_mask: &rows,
            and_mask: &rows,
        };
        // Longer than a frame.
        let data = encode_vec(&FastPathPointer(PointerUpdate::Large(shape))).unwrap();
        for piece in FastPathFragments::new(UpdateCode::LargePointer, &data, 20_000) {
            feed(&mut session, &fast_path_update(piece)).unwrap();
        }
        shown += usize::from(matches!(
            events(&mut session)[..],
            [Event::PointerChanged(PointerState::Bitmap(_))]
        ));
    }
    assert_eq!(shown, 128);
    let mut kept = 0;
    for index in 0..128 {
        feed(&mut session, &on_fast_path(&PointerUpdate::Cached { index })).unwrap();
        kept += usize::from(matches!(
            events(&mut session)[..],
            [Event::PointerChanged(PointerState::Bitmap(_))]
        ));
    }
    assert_eq!(kept, 8 * 1024 * 1024 / (384 * 384 * 4));
}

#[test]
fn without_pixels_shapes_are_checked_and_forgotten() {
    let mut session = Session::new(config(64, 64), NoPixels).unwrap();
    let masks = [0; 4096];
    feed(
        &mut session,
        &on_fast_path(&PointerUpdate::New(shape(0, 8, &masks))),
    )
    .unwrap();
    feed(&mut session, &on_fast_path(&PointerUpdate::Cached { index: 0 })).unwrap();
    assert_eq!(events(&mut session), []);
    feed(&mut session, &on_fast_path(&PointerUpdate::Hidden)).unwrap();
    assert_eq!(
        events(&mut session),
        [Event::PointerChanged(PointerState::Hidden)]
    );
    let lie = [0; 20]; // wrong: sides of 0
    let error = feed(&mut session, &fast_path(UpdateCode::NewPointer, &lie)).unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Malformed);
}

#[test]
fn an_unknown_pointer_message_is_reported() {
    let update = PointerUpdate::Unknown {
        message_type: 0x22,
        data: &[1],
    };
    let bytes = encode_vec(&update).unwrap();
    assert_eq!(decode::<PointerUpdate<'_>>(&bytes).unwrap(), update);
    let mut session = session(64, 64);
    feed(&mut session, &share_data(ShareDataPdu::Pointer(&bytes))).unwrap();
    assert_eq!(
        events(&mut session),
        [Event::UnsupportedUpdate {
            what: Unsupported::PointerMessage(0x22),
            count: 1
        }]
    );
}
