//! Updates of every form become the right pixels and the right damage.
#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod common;

use common::*;
use ironrdp_bulk::{CompressionType, Compressor};
use ironrdp_core::encode_vec;
use ironrdp_graphics::{Framebuffer, Rect};
use ironrdp_pdu::InclusiveRect;
use ironrdp_pdu::fastpath::{CompressionFlags, FastPathFragments, FastPathUpdate, Fragmentation, UpdateCode};
use ironrdp_pdu::mcs::{SERVER_USER_ID, SendDataRequest};
use ironrdp_pdu::output::{
    BitmapData, BitmapFlags, BitmapList, OrderKind, OrdersUpdate, PaletteUpdate, Update,
};
use ironrdp_pdu::share::{DataPduType, FrameAcknowledge, RawShareData, ShareData, StreamId};
use ironrdp_pdu::surface::{FrameAction, FrameMarker, SurfaceCommand};
use ironrdp_pdu::x224::X224Data;
use ironrdp_session::{Event, NoPixels, PduKind, Session, SessionErrorKind, Unsupported};

const PLANAR: Form = Form {
    bits_per_pixel: 32,
    is_compressed: true,
    has_header: false,
};
const RAW_32: Form = Form {
    is_compressed: false,
    ..PLANAR
};

fn palette() -> Vec<u8> {
    encode_vec(&PaletteUpdate {
        colors: &palette_colors(),
    })
    .unwrap()
}

#[test]
fn every_form_of_bitmap_gives_the_same_picture_on_both_paths() {
    let picture = picture(36, 20);
    let image = picture.as_image();
    for form in forms() {
        let update = bitmap_update(&image, form, 8, 5);
        let frames = [
            (
                fast_path(UpdateCode::Palette, &palette()),
                fast_path(UpdateCode::Bitmap, &update),
            ),
            (slow_path(&palette()), slow_path(&update)),
        ];
        for (palette, bitmap) in frames {
            let mut session = session(64, 48);
            feed(&mut session, &palette).unwrap();
            assert_eq!(events(&mut session), []);
            feed(&mut session, &bitmap).unwrap();
            assert!(shows(session.pixels(), &image, 8, 5), "{form:?}");
            assert_eq!(session.pixels().pixel(7, 5), Some([0, 0, 0, 255]));
            assert_eq!(session.damage(), [Rect::new(8, 5, 36, 20)]);
            assert_eq!(events(&mut session), [Event::Painted]);
            assert_eq!(session.stats().bitmap_rectangles, 1);
        }
    }
}

#[test]
fn an_8_bit_bitmap_before_any_palette_is_grey() {
    let mut session = session(8, 8);
    let data = [0x10, 0x20, 0x30, 0x40];
    let rectangle = BitmapData {
        destination: InclusiveRect {
            left: 0,
            top: 0,
            right: 3,
            bottom: 0,
        },
        width: 4,
        height: 1,
        bits_per_pixel: 8,
        flags: BitmapFlags::empty(),
        header: None,
        data: &data,
    };
    let update = encode_vec(&BitmapList {
        rectangles: &[rectangle],
    })
    .unwrap();
    feed(&mut session, &slow_path(&update)).unwrap();
    assert_eq!(session.pixels().pixel(2, 0), Some([0x30, 0x30, 0x30, 0xff]));
}

#[test]
fn the_captured_update_is_placed_in_spite_of_the_sizes_in_its_header() {
    let frame = slow_path(&vector("output/bitmap_update_one_rect.bin"));
    let mut blind = Session::new(config(1920, 1080), NoPixels).unwrap();
    feed(&mut blind, &frame).unwrap();
    assert_eq!(blind.damage(), [Rect::new(1792, 1024, 64, 56)]);
    // Its pixels were cut short by whoever took it: the last order wants 46 of them and has 10. Not silently black.
    let mut seeing = session(1920, 1080);
    let error = feed(&mut seeing, &frame).unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Malformed);
    assert_eq!(error.decode_error().unwrap().pdu(), "InterleavedRle");
}

#[test]
fn a_padded_bitmap_is_cut_to_its_destination_and_the_desktop() {
    let picture = picture(40, 10);
    let image = picture.as_image();
    let data = pixels(&image, PLANAR);
    // The destination is narrower than the bitmap, as servers pad to a multiple of four.
    let mut rectangle = bitmap_data(&image, PLANAR, 0, 0, &data);
    rectangle.destination.right = 36;
    let mut session = session(64, 64);
    let update = encode_vec(&BitmapList {
        rectangles: &[rectangle],
    })
    .unwrap();
    feed(&mut session, &fast_path(UpdateCode::Bitmap, &update)).unwrap();
    assert_eq!(session.damage(), [Rect::new(0, 0, 37, 10)]);
    assert_eq!(session.pixels().pixel(37, 9), Some([0, 0, 0, 255]));
    session.clear_damage();

    // Over the right and the bottom edge, and wholly outside.
    for (left, top, damage) in [
        (50, 60, Some(Rect::new(50, 60, 14, 4))),
        (64, 0, None),
        (60_000, 60_000, None),
    ] {
        let update = bitmap_update(&image, PLANAR, left, top);
        feed(&mut session, &slow_path(&update)).unwrap();
        assert_eq!(session.damage().first().copied(), damage);
        session.clear_damage();
    }
    assert!(shows(session.pixels(), &image, 50, 60));
}

#[test]
fn what_was_good_before_a_bad_rectangle_stays_and_the_error_is_kept() {
    let picture = picture(8, 8);
    let image = picture.as_image();
    let data = pixels(&image, PLANAR);
    let good = bitmap_data(&image, PLANAR, 0, 0, &data);
    let mut bad = bitmap_data(&image, PLANAR, 20, 0, &data);
    bad.data = &data[..data.len() / 2];
    let update = encode_vec(&BitmapList {
        rectangles: &[good, bad],
    })
    .unwrap();
    let mut session = session(64, 64);
    let error = feed(&mut session, &slow_path(&update)).unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Malformed);
    assert!(error.decode_error().is_some(), "{error:?}");
    assert!(shows(session.pixels(), &image, 0, 0));
    assert_eq!(session.damage(), [Rect::new(0, 0, 8, 8)]);
    assert_eq!(events(&mut session), [Event::Painted]);
    let again = feed(&mut session, &slow_path(&palette())).unwrap_err();
    assert_eq!(again.to_string(), error.to_string());
    assert_eq!(again.location(), error.location());
}

#[test]
fn a_rectangle_that_ends_before_it_starts_and_a_depth_that_does_not_exist_are_errors() {
    let picture = picture(8, 8);
    let image = picture.as_image();
    let data = pixels(&image, RAW_32);
    let mut inverted = bitmap_data(&image, RAW_32, 9, 9, &data);
    inverted.destination.right = 7; // wrong: left is 9
    let mut odd_depth = bitmap_data(&image, RAW_32, 0, 0, &data);
    odd_depth.bits_per_pixel = 12; // wrong
    for (rectangle, kind) in [
        (inverted, SessionErrorKind::Malformed),
        (odd_depth, SessionErrorKind::Unsupported),
    ] {
        let update = encode_vec(&BitmapList {
            rectangles: &[rectangle],
        })
        .unwrap();
        let error = feed(&mut session(64, 64), &slow_path(&update)).unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
    }
}

#[test]
fn surface_bits_are_drawn_and_the_frame_is_acknowledged_once() {
    let picture = picture(30, 12);
    let image = picture.as_image();
    let marker = |action| {
        encode_vec(&SurfaceCommand::FrameMarker(FrameMarker {
            action,
            frame_id: Some(77),
        }))
        .unwrap()
    };
    let raw = pixels(&image, RAW_32);
    let stream = encode_vec(&SurfaceCommand::StreamBits(surface(&image, 33, 20, 0, &raw))).unwrap();
    let commands = [
        marker(FrameAction::Begin),
        surface_bits(&image, 3, 4),
        stream,
        marker(FrameAction::End),
    ]
    .concat();
    let mut session = session(64, 48);
    feed(&mut session, &fast_path(UpdateCode::SurfaceCommands, &commands)).unwrap();
    assert!(shows(session.pixels(), &image, 3, 4));
    assert!(shows(session.pixels(), &image, 33, 20));
    assert_eq!(session.damage().len(), 2);
    assert_eq!(session.stats().surface_bits, 2);
    assert_eq!(session.stats().frames, 1);
    let acknowledge = X224Data(SendDataRequest {
        initiator: USER,
        channel_id: IO,
        user_data: ShareData::new(USER, SHARE, FrameAcknowledge { frame_id: 77 }),
    });
    assert_eq!(sent(&mut session), encode_vec(&acknowledge).unwrap());
}

#[test]
fn a_server_that_does_not_count_frames_gets_no_acknowledgement() {
    let mut config = config(64, 48);
    config.share.server.frame_acknowledge = false;
    let mut session = Session::new(config, NoPixels).unwrap();
    let marker = FrameMarker {
        action: FrameAction::End,
        frame_id: Some(1),
    };
    let command = encode_vec(&SurfaceCommand::FrameMarker(marker)).unwrap();
    feed(&mut session, &fast_path(UpdateCode::SurfaceCommands, &command)).unwrap();
    assert_eq!(sent(&mut session), []);
    assert_eq!(session.stats().frames, 1);
}

#[test]
fn a_codec_nobody_announced_is_reported_and_the_rest_of_the_update_is_drawn() {
    let picture = picture(10, 10);
    let image = picture.as_image();
    let commands = [
        vector("output/surface_stream_bits_rfx.bin"),
        surface_bits(&image, 0, 0),
    ]
    .concat();
    let mut session = session(64, 64);
    feed(&mut session, &fast_path(UpdateCode::SurfaceCommands, &commands)).unwrap();
    feed(&mut session, &fast_path(UpdateCode::SurfaceCommands, &commands)).unwrap();
    assert!(shows(session.pixels(), &image, 0, 0));
    assert_eq!(
        events(&mut session),
        [
            Event::UnsupportedUpdate {
                what: Unsupported::SurfaceCodec(3),
                count: 2
            },
            Event::Painted,
        ]
    );
    // A command without a known length takes the rest of its update along, and no more.
    let commands = [surface_bits(&image, 20, 20), vec![0x99, 0x00, 1, 2, 3]].concat();
    feed(&mut session, &fast_path(UpdateCode::SurfaceCommands, &commands)).unwrap();
    assert!(shows(session.pixels(), &image, 20, 20));
    assert_eq!(session.stats().unsupported, 3);
}

#[test]
fn drawing_orders_are_counted_by_kind_and_never_an_error() {
    // Two OpaqueRect (0x0a): the second repeats the type and has no field at all. Then an order that is cut.
    let orders = [
        0x09, 0x0a, 0x7f, 1, 0, 2, 0, 3, 0, 4, 0, 5, 6, 7, 0x01, 0x00, 0x09,
    ];
    let mut session = session(64, 64);
    let update = encode_vec(&OrdersUpdate::new(3, &orders)).unwrap();
    feed(&mut session, &fast_path(UpdateCode::Orders, &update)).unwrap();
    let update = encode_vec(&Update::Orders(OrdersUpdate::new(3, &orders))).unwrap();
    feed(&mut session, &slow_path(&update)).unwrap();
    assert_eq!(session.stats().orders, 6);
    let counts = session.order_counts().unwrap();
    assert_eq!(counts.count(OrderKind::OpaqueRect), 4);
    assert_eq!(
        events(&mut session),
        [Event::UnsupportedUpdate {
            what: Unsupported::DrawingOrders,
            count: 6
        }]
    );
    assert!(session.damage().is_empty());
}

#[test]
fn updates_of_unknown_kinds_are_reported_by_their_numbers() {
    let mut session = session(64, 64);
    feed(&mut session, &fast_path(UpdateCode::Unknown(0x7), &[1, 2, 3])).unwrap();
    feed(&mut session, &slow_path(&[0x34, 0x12, 1])).unwrap();
    feed(&mut session, &fast_path(UpdateCode::Synchronize, &[])).unwrap();
    feed(&mut session, &slow_path(&[3, 0, 0, 0])).unwrap();
    assert_eq!(
        events(&mut session),
        [
            Event::UnsupportedUpdate {
                what: Unsupported::FastPathUpdate(7),
                count: 1
            },
            Event::UnsupportedUpdate {
                what: Unsupported::SlowPathUpdate(0x1234),
                count: 1
            },
        ]
    );
}

fn fragments(code: UpdateCode, data: &[u8], piece: usize) -> Vec<Vec<u8>> {
    FastPathFragments::new(code, data, piece)
        .map(fast_path_update)
        .collect()
}

#[test]
fn an_update_in_pieces_is_put_together_even_with_a_pointer_in_between() {
    let picture = picture(120, 90);
    let image = picture.as_image();
    let command = surface_bits(&image, 0, 0);
    for piece in [1000, 43_221, 43_222, 43_223] {
        let frames = fragments(UpdateCode::SurfaceCommands, &command, piece);
        let mut session = session(128, 100);
        for frame in &frames {
            feed(&mut session, frame).unwrap();
            feed(&mut session, &fast_path(UpdateCode::PointerHidden, &[])).unwrap();
        }
        assert!(shows(session.pixels(), &image, 0, 0));
        assert_eq!(session.stats().reassembled, u64::from(frames.len() > 1));
    }
}

#[test]
fn pieces_out_of_order_or_of_two_updates_are_an_error() {
    let piece = |code, fragmentation| {
        fast_path_update(FastPathUpdate {
            code,
            fragmentation,
            compression: None,
            data: &[0; 8],
        })
    };
    let bitmap = UpdateCode::Bitmap;
    let cases = [
        vec![piece(bitmap, Fragmentation::Next)],
        vec![piece(bitmap, Fragmentation::Last)],
        vec![
            piece(bitmap, Fragmentation::First),
            piece(bitmap, Fragmentation::First),
        ],
        vec![
            piece(bitmap, Fragmentation::First),
            piece(UpdateCode::SurfaceCommands, Fragmentation::Last),
        ],
    ];
    for frames in cases {
        let mut session = session(64, 64);
        let (last, before) = frames.split_last().unwrap();
        for frame in before {
            feed(&mut session, frame).unwrap();
        }
        assert_eq!(
            feed(&mut session, last).unwrap_err().kind(),
            SessionErrorKind::Unexpected
        );
    }
}

#[test]
fn an_update_larger_than_announced_is_refused_when_the_limit_is_reached() {
    let mut config = config(64, 64);
    config.limits.update_bytes = 10_000;
    let mut session = Session::new(config, NoPixels).unwrap();
    let piece = |fragmentation| FastPathUpdate {
        code: UpdateCode::Bitmap,
        fragmentation,
        compression: None,
        data: &[0; 4_000],
    };
    feed(&mut session, &fast_path_update(piece(Fragmentation::First))).unwrap();
    feed(&mut session, &fast_path_update(piece(Fragmentation::Next))).unwrap();
    let error = feed(&mut session, &fast_path_update(piece(Fragmentation::Next))).unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Limit);
}

/// A server's PDUs, compressed over one history.
struct Packer(Compressor);

impl Packer {
    fn new(kind: CompressionType) -> Self {
        Self(Compressor::new(kind).unwrap())
    }

    fn pack(&mut self, data: &[u8]) -> (CompressionFlags, Vec<u8>) {
        let mut packed = Vec::new();
        match self.0.compress(data, &mut packed) {
            Some(flags) => (CompressionFlags::from_bits_retain(flags.bits()), packed),
            None => (CompressionFlags::empty(), data.to_vec()),
        }
    }

    fn fast_path(&mut self, code: UpdateCode, fragmentation: Fragmentation, data: &[u8]) -> Vec<u8> {
        let (flags, data) = self.pack(data);
        fast_path_update(FastPathUpdate {
            code,
            fragmentation,
            compression: Some(flags),
            data: &data,
        })
    }

    fn slow_path(&mut self, update: &[u8]) -> Vec<u8> {
        let (compression, payload) = self.pack(update);
        on_channel(
            IO,
            RawShareData {
                source: SERVER_USER_ID,
                share_id: SHARE,
                stream_id: StreamId::MEDIUM,
                uncompressed_length: u16::try_from(update.len() + 18).unwrap(),
                pdu_type: DataPduType::UPDATE,
                compression,
                compressed_length: u16::try_from(payload.len() + 18).unwrap(),
                payload: &payload,
            },
        )
    }
}

#[test]
fn both_paths_and_fragments_share_one_compression_history() {
    for kind in [CompressionType::K8, CompressionType::K64] {
        let mut packer = Packer::new(kind);
        let mut session = session(128, 100);
        let picture = picture(30, 20);
        let image = picture.as_image();
        // The same picture again is nearly all history: wrong if either path had one of its own.
        for round in 0..6_u16 {
            let (left, top) = (round * 11, round * 13);
            let update = bitmap_update(&image, RAW_32, left, top);
            if round % 2 == 0 {
                feed(&mut session, &packer.slow_path(&update)).unwrap();
            } else {
                let frame = packer.fast_path(UpdateCode::Bitmap, Fragmentation::Single, &update);
                feed(&mut session, &frame).unwrap();
            }
            assert!(
                shows(session.pixels(), &image, left, top),
                "{kind:?} round {round}"
            );
        }
        let command = surface_bits(&image, 90, 70);
        let pieces: Vec<_> = FastPathFragments::new(UpdateCode::SurfaceCommands, &command, 900).collect();
        for piece in pieces {
            let frame = packer.fast_path(piece.code, piece.fragmentation, piece.data);
            feed(&mut session, &frame).unwrap();
        }
        assert!(shows(session.pixels(), &image, 90, 70));
        assert!(session.stats().compressed >= 6, "{:?}", session.stats());
    }
}

#[test]
fn compression_that_was_not_offered_is_refused() {
    let picture = picture(30, 20);
    let update = bitmap_update(&picture.as_image(), RAW_32, 0, 0);
    let frame = Packer::new(CompressionType::K64).slow_path(&update);
    for offered in [None, Some(ironrdp_pdu::client_info::CompressionType::Mppc8K)] {
        let mut config = config(64, 64);
        config.compression = offered;
        let mut session = Session::new(config, NoPixels).unwrap();
        let error = feed(&mut session, &frame).unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::Unexpected);
    }
}

#[test]
fn a_bad_compressed_packet_is_malformed_and_says_where() {
    let update = FastPathUpdate {
        code: UpdateCode::Bitmap,
        fragmentation: Fragmentation::Single,
        compression: Some(CompressionFlags::from_bits_retain(0x21)),
        data: &[0xff; 40],
    };
    let error = feed(&mut session(64, 64), &fast_path_update(update)).unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Malformed);
    assert_eq!(error.decode_error().unwrap().pdu(), "BulkData");
}

#[test]
fn without_pixels_damage_and_counters_are_the_same() {
    let picture = picture(36, 20);
    let image = picture.as_image();
    let mut blind = Session::new(config(64, 48), NoPixels).unwrap();
    let mut seeing = session(64, 48);
    for (at, form) in (0..).zip(forms()) {
        let frame = slow_path(&bitmap_update(&image, form, at * 3, at));
        feed(&mut blind, &frame).unwrap();
        feed(&mut seeing, &frame).unwrap();
    }
    assert_eq!(blind.damage(), seeing.damage());
    assert_eq!(blind.stats(), seeing.stats());
    assert_eq!(events(&mut blind), events(&mut seeing));
}

#[test]
fn a_store_chosen_at_run_time_is_drawn_into() {
    let picture = picture(10, 10);
    let store: Box<dyn ironrdp_session::PixelStore> = Box::new(Framebuffer::new(0, 0).unwrap());
    let mut session = Session::new(config(64, 48), store).unwrap();
    let frame = slow_path(&bitmap_update(&picture.as_image(), RAW_32, 1, 1));
    feed(&mut session, &frame).unwrap();
    assert_eq!(session.damage(), [Rect::new(1, 1, 10, 10)]);
}

#[test]
fn several_updates_in_a_fast_path_frame_are_done_in_order() {
    let (first, second) = (picture(16, 16), Framebuffer::new(4, 4).unwrap());
    let updates: Vec<u8> = [
        bitmap_update(&first.as_image(), RAW_32, 0, 0),
        bitmap_update(&second.as_image(), RAW_32, 4, 4),
    ]
    .iter()
    .flat_map(|data| encode_vec(&FastPathUpdate::single(UpdateCode::Bitmap, data)).unwrap())
    .collect();
    let length = u16::try_from(updates.len() + 3).unwrap();
    let mut frame = vec![0];
    frame.extend((0x8000 | length).to_be_bytes());
    frame.extend(updates);
    let mut session = session(16, 16);
    feed(&mut session, &frame).unwrap();
    assert!(shows(session.pixels(), &second.as_image(), 4, 4));
    assert_eq!(session.pixels().pixel(15, 15), first.pixel(15, 15));
    assert_eq!(session.stats().pdus(PduKind::Bitmap), 2);
}
