//! Updates: bitmaps, palettes, drawing orders.

mod common;

use common::{
    assert_length_lies, decode_error, encode_round_trip, hex, round_trip, round_trip_strict, vector,
};
use ironrdp_core::{DecodeErrorKind, DecodeResult, EncodeErrorKind, decode, encode_vec};
use ironrdp_pdu::InclusiveRect;
use ironrdp_pdu::output::{
    BitmapData, BitmapFlags, BitmapList, BitmapUpdate, CompressedDataHeader, OrderBounds, OrderCounts,
    OrderKind, OrderWalker, OrdersUpdate, PaletteUpdate, Update,
};

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn rectangles<'a>(update: &BitmapUpdate<'a>) -> Vec<BitmapData<'a>> {
    update.rectangles().collect::<DecodeResult<_>>().unwrap()
}

#[test]
fn a_captured_bitmap_update_is_read_although_its_header_is_wrong() {
    let bytes = vector("output/bitmap_update_one_rect.bin");
    let update: BitmapUpdate<'_> = round_trip(bytes);
    assert_eq!(update.count(), 1);
    let rectangles = rectangles(&update);
    let expected = BitmapData {
        destination: InclusiveRect {
            left: 1_792,
            top: 1_024,
            right: 1_855,
            bottom: 1_079,
        },
        width: 64,
        height: 56,
        bits_per_pixel: 16,
        flags: BitmapFlags::COMPRESSED,
        // Neither 28 pixels a row nor 4 bytes in all are right.
        header: Some(CompressedDataHeader {
            first_row_size: 0,
            main_body_size: 80,
            scan_width: 28,
            uncompressed_size: 4,
        }),
        data: &bytes[30..],
    };
    assert_eq!(rectangles, [expected]);
    assert!(expected.is_compressed());
    let list = BitmapList {
        rectangles: &rectangles,
    };
    assert_eq!(encode_vec(&list).unwrap(), bytes);
    let slow: Update<'_> = round_trip(bytes);
    assert_eq!(slow, Update::Bitmap(update));
    let rectangle: BitmapData<'_> = round_trip_strict(&bytes[4..]);
    assert_eq!(rectangle, expected);
}

#[test]
fn rectangles_follow_each_other_and_what_follows_them_is_ignored() {
    let one = "0000 0000 0100 0000 0200 0100 1000 0000 0400 11223344";
    let bare = "0500 0600 0700 0800 0300 0300 2000 0104 0300 aabbcc";
    let bytes = hex(&format!("0100 0200 {one} {bare} ffff"));
    let update: BitmapUpdate<'_> = decode(bytes).unwrap();
    let rectangles = rectangles(&update);
    assert_eq!(rectangles.len(), 2);
    assert_eq!(
        (rectangles[0].data, rectangles[0].header),
        (&[0x11, 0x22, 0x33, 0x44][..], None)
    );
    assert!(!rectangles[0].is_compressed());
    // Compressed, and no header before the data: RDP 5 and later.
    assert_eq!(
        (rectangles[1].data, rectangles[1].header),
        (&[0xaa, 0xbb, 0xcc][..], None)
    );
    assert!(rectangles[1].is_compressed());
    for rectangle in &rectangles {
        encode_round_trip(rectangle);
    }
    let list = BitmapList {
        rectangles: &rectangles,
    };
    assert_eq!(encode_vec(&list).unwrap(), bytes[..bytes.len() - 2]);
}

#[test]
fn a_bitmap_length_that_lies_is_one_error_and_the_end() {
    let bytes = hex("0100 0300 0000 0000 0100 0000 0200 0100 1000 0000 0500 11223344");
    let update: BitmapUpdate<'_> = decode(bytes).unwrap();
    let results: Vec<_> = update.rectangles().collect();
    assert_eq!(results.len(), 1);
    let error = results[0].unwrap_err();
    assert_eq!(
        (error.pdu(), error.field(), error.offset()),
        ("BitmapData", "bitmapLength", 22)
    );
    assert_length_lies::<BitmapData<'_>>(&bytes[4..], "BitmapData", "bitmapLength");
    // A header is announced, and the length leaves no room for it.
    let short = hex("0000 0000 0100 0000 0200 0100 1000 0100 0400 11223344");
    let error = decode_error::<BitmapData<'_>>(short);
    assert_eq!(error.pdu(), "CompressedDataHeader");
}

#[test]
fn a_bitmap_count_that_lies_costs_nothing() {
    let update: BitmapUpdate<'_> = decode(hex("0100 ffff")).unwrap();
    let results: Vec<_> = update.rectangles().collect();
    assert_eq!(results.len(), 1);
    assert!(results[0].is_err());
}

#[test]
fn flags_and_header_must_agree_to_be_sent() {
    let mut bitmap = BitmapData {
        destination: InclusiveRect {
            left: 0,
            top: 0,
            right: 3,
            bottom: 0,
        },
        width: 4,
        height: 1,
        bits_per_pixel: 8,
        flags: BitmapFlags::COMPRESSED,
        header: None,
        data: &[0; 4],
    };
    assert_eq!(encode_vec(&bitmap).unwrap_err().kind(), EncodeErrorKind::Invalid);
    bitmap.flags |= BitmapFlags::NO_COMPRESSED_DATA_HEADER;
    encode_round_trip(&bitmap);
    bitmap.data = vec![0; 65_536].leak();
    assert_eq!(encode_vec(&bitmap).unwrap_err().field(), "bitmapLength");
}

#[test]
fn a_palette_has_up_to_256_colours() {
    let mut colors = [[0u8; 3]; 257];
    for (index, color) in (0..=255).zip(&mut colors) {
        *color = [index, 255 - index, 1];
    }
    let palette = PaletteUpdate {
        colors: &colors[..256],
    };
    let bytes = encode_vec(&palette).unwrap();
    assert_eq!((bytes.len(), &bytes[..8]), (8 + 768, hex("0200 0000 00010000")));
    assert_eq!(decode::<PaletteUpdate<'_>>(&bytes).unwrap(), palette);
    let few: PaletteUpdate<'_> = round_trip_strict(hex("0200 0000 02000000 010203 040506"));
    assert_eq!(few.colors, [[1, 2, 3], [4, 5, 6]]);
    let update: Update<'_> = round_trip(hex("0200 0000 02000000 010203 040506"));
    assert_eq!(update, Update::Palette(few));
    assert!(encode_vec(&PaletteUpdate { colors: &colors }).is_err());
}

#[test]
fn a_palette_count_that_lies_or_is_too_high_is_refused() {
    assert_length_lies::<PaletteUpdate<'_>>(
        hex("0200 0000 03000000 010203 040506"),
        "PaletteUpdate",
        "numberColors",
    );
    for count in ["01010000", "ffffffff"] {
        let bytes = [hex("0200 0000"), hex(count), &[0; 2_000]].concat();
        let error = decode_error::<PaletteUpdate<'_>>(&bytes);
        assert!(
            matches!(error.kind(), DecodeErrorKind::Limit { max: 256, .. }),
            "{error}"
        );
    }
}

#[test]
fn an_update_of_the_wrong_type_is_not_read_as_another() {
    assert_eq!(
        decode_error::<BitmapUpdate<'_>>(hex("0200 0000")).field(),
        "updateType"
    );
    assert_eq!(
        decode_error::<PaletteUpdate<'_>>(hex("0100 0000 00000000")).field(),
        "updateType"
    );
}

#[test]
fn the_other_slow_path_updates_survive() {
    let orders: Update<'_> = round_trip(hex("0000 0000 0200 0000 aabbcc"));
    assert_eq!(orders, Update::Orders(OrdersUpdate::new(2, &[0xaa, 0xbb, 0xcc])));
    let synchronize: Update<'_> = round_trip(hex("0300 0000"));
    assert_eq!(synchronize, Update::Synchronize);
    let unknown: Update<'_> = round_trip(hex("0900 1122"));
    assert_eq!(
        unknown,
        Update::Unknown {
            update_type: 9,
            data: &[0x11, 0x22]
        }
    );
    // An "unknown" update may not pose as a known one.
    let posing = Update::Unknown {
        update_type: 1,
        data: &[],
    };
    assert!(encode_vec(&posing).is_err());
}

fn kinds(walker: &mut OrderWalker, count: u16, text: &str) -> Vec<OrderKind> {
    let update = OrdersUpdate::new(count, hex(text));
    walker.walk(&update).map(|order| order.kind).collect()
}

#[test]
fn a_captured_batch_of_orders_is_walked_to_its_last_byte() {
    let bytes = vector("output/orders.bin");
    let update: OrdersUpdate<'_> = decode(bytes).unwrap();
    assert_eq!(encode_vec(&update).unwrap(), bytes);
    let mut walker = OrderWalker::new();
    let mut counts = OrderCounts::new();
    let mut length = 0;
    for order in walker.walk(&update) {
        counts.add(order.kind);
        length += order.bytes.len();
    }
    assert_eq!((length, counts.total()), (bytes.len() - 2, 548));
    let by_kind: Vec<_> = counts.iter().collect();
    assert_eq!(
        by_kind,
        [
            (OrderKind::DstBlt, 4),
            (OrderKind::PatBlt, 1),
            (OrderKind::OpaqueRect, 368),
            (OrderKind::MemBlt, 14),
            (OrderKind::FastGlyph, 144),
            (OrderKind::CacheBitmapCompressedRev2, 6),
            (OrderKind::CacheBrush, 1),
            (OrderKind::SwitchSurface, 6),
            (OrderKind::CreateOffscreenBitmap, 4),
        ]
    );
    assert_eq!(counts.count(OrderKind::Unknown), 0);
}

#[test]
fn orders_cut_anywhere_end_in_one_unknown_and_never_walk_past_the_end() {
    let bytes = vector("output/orders.bin");
    let whole: OrdersUpdate<'_> = decode(bytes).unwrap();
    for cut in (0..whole.data().len()).step_by(7) {
        let update = OrdersUpdate::new(whole.count(), &whole.data()[..cut]);
        let mut walker = OrderWalker::new();
        let orders: Vec<_> = walker.walk(&update).collect();
        let length: usize = orders.iter().map(|order| order.bytes.len()).sum();
        assert_eq!(length, cut);
        let unknown = orders.iter().filter(|order| order.kind == OrderKind::Unknown);
        assert_eq!(unknown.count(), 1);
        assert_eq!(orders.last().unwrap().kind, OrderKind::Unknown);
    }
}

#[test]
fn damaged_orders_never_panic_and_never_take_more_than_there_is() {
    let bytes = vector("output/orders.bin");
    for at in 2..bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 0xff;
        let update: OrdersUpdate<'_> = decode(&damaged).unwrap();
        let mut walker = OrderWalker::new();
        let length: usize = walker.walk(&update).map(|order| order.bytes.len()).sum();
        assert!(length <= update.data().len());
    }
}

#[test]
fn the_specifications_own_dumps_are_walked() {
    let mut walker = OrderWalker::new();
    // MS-RDPEGDI 4.1.12: SaveBitmap with delta coordinates.
    let save = "19 0b 1b 74450000 79 70 10";
    // MS-RDPEDC 4.3.2: creation of a redirection surface.
    let surface = "32 03 1600 09000000 20 00 8401050700000000 40000000 40000000";
    assert_eq!(kinds(&mut walker, 1, save), [OrderKind::SaveBitmap]);
    assert_eq!(kinds(&mut walker, 1, surface), [OrderKind::DesktopComposition]);
    let both = format!("{save}{surface}{save}");
    assert_eq!(
        kinds(&mut walker, 3, &both),
        [
            OrderKind::SaveBitmap,
            OrderKind::DesktopComposition,
            OrderKind::SaveBitmap
        ]
    );
}

#[test]
fn type_and_bounds_last_from_one_update_to_the_next() {
    let mut walker = OrderWalker::new();
    // The first type is PatBlt without being named; both bytes of its field flags are left out.
    assert_eq!(kinds(&mut walker, 1, "81"), [OrderKind::PatBlt]);
    // OpaqueRect, bounds set: left, top, right, bottom.
    let set = OrdersUpdate::new(1, hex("4d 0a 0f 0100 0200 ff03 ff02"));
    let mut bounds = OrderBounds {
        left: 1,
        top: 2,
        right: 0x03ff,
        bottom: 0x02ff,
    };
    let order = walker.walk(&set).next().unwrap();
    assert_eq!((order.kind, order.bounds), (OrderKind::OpaqueRect, Some(bounds)));
    // Same type; left moved by -3, right set.
    let moved = OrdersUpdate::new(1, hex("45 14 fd 0001"));
    bounds.left = -2;
    bounds.right = 256;
    let order = walker.walk(&moved).next().unwrap();
    assert_eq!((order.kind, order.bounds), (OrderKind::OpaqueRect, Some(bounds)));
    // Same bounds again, then none.
    let again = OrdersUpdate::new(2, hex("65 41"));
    let orders: Vec<_> = walker.walk(&again).map(|order| order.bounds).collect();
    assert_eq!(orders, [Some(bounds), None]);
    assert_ne!(walker, OrderWalker::default());
}

#[test]
fn lists_in_orders_are_skipped_by_their_length() {
    let mut walker = OrderWalker::new();
    // MultiOpaqueRect (16-bit list length), Polyline and GlyphIndex (8-bit), each with its list alone.
    let orders = "09 12 0001 0300 aabbcc  09 16 40 02 aabb  09 1b 000020 01 aa  01 000000";
    assert_eq!(
        kinds(&mut walker, 4, orders),
        [
            OrderKind::MultiOpaqueRect,
            OrderKind::Polyline,
            OrderKind::GlyphIndex,
            OrderKind::GlyphIndex
        ]
    );
}

#[test]
fn every_alternate_secondary_order_is_skipped_by_its_own_rule() {
    let mut walker = OrderWalker::new();
    for (text, kind) in [
        ("02 0100", OrderKind::SwitchSurface),
        ("06 0100 4000 4000", OrderKind::CreateOffscreenBitmap),
        (
            "06 0180 4000 4000 0200 0100 0200",
            OrderKind::CreateOffscreenBitmap,
        ),
        (
            "0a 00 20 0100 4000 4000 0040 0200 aabb",
            OrderKind::StreamBitmapFirst,
        ),
        (
            "0a 04 20 0100 4000 4000 00400000 0200 aabb",
            OrderKind::StreamBitmapFirst,
        ),
        ("0e 01 0100 0200 aabb", OrderKind::StreamBitmapNext),
        (
            "12 20 0100 1000 1000 01000000 0100 0100 0100 0100 00000000",
            OrderKind::CreateNineGridBitmap,
        ),
        ("16 00 0200 04000000 04000000 aabb", OrderKind::GdiPlusFirst),
        ("1a 00 0200 aabb", OrderKind::GdiPlusNext),
        ("1e 00 0200 04000000 04000000 aabb", OrderKind::GdiPlusEnd),
        ("22 00 0100 0000 0200 04000000 aabb", OrderKind::GdiPlusCacheFirst),
        ("26 00 0100 0000 0200 aabb", OrderKind::GdiPlusCacheNext),
        ("2a 00 0100 0000 0200 04000000 aabb", OrderKind::GdiPlusCacheEnd),
        ("2e 0700 00000004", OrderKind::Window),
        ("36 00000000", OrderKind::FrameMarker),
    ] {
        // A switch behind it is only found if the length was right.
        let found = kinds(&mut walker, 2, &format!("{text} 02 ffff"));
        assert_eq!(found, [kind, OrderKind::SwitchSurface], "{text}");
        let update = OrdersUpdate::new(1, hex(text));
        for cut in 0..update.data().len() {
            let update = OrdersUpdate::new(1, &update.data()[..cut]);
            let order = walker.walk(&update).next().unwrap();
            assert_eq!(order.kind, OrderKind::Unknown, "{text} cut at {cut}");
        }
    }
}

#[test]
fn secondary_orders_are_skipped_by_their_length_even_if_not_known() {
    let mut walker = OrderWalker::new();
    let types = [
        ("00", OrderKind::CacheBitmap),
        ("01", OrderKind::CacheColorTable),
        ("02", OrderKind::CacheBitmapCompressed),
        ("03", OrderKind::CacheGlyph),
        ("04", OrderKind::CacheBitmapRev2),
        ("05", OrderKind::CacheBitmapCompressedRev2),
        ("06", OrderKind::OtherSecondary),
        ("07", OrderKind::CacheBrush),
        ("08", OrderKind::CacheBitmapRev3),
    ];
    for (order_type, kind) in types {
        // Ten bytes in all: orderLength is -3.
        let orders = format!("03 fdff 0000 {order_type} 11223344 02 ffff");
        assert_eq!(kinds(&mut walker, 2, &orders), [kind, OrderKind::SwitchSurface]);
    }
    // A length that would end inside the header, and one beyond the end.
    for length in ["f8ff", "0080", "ff7f"] {
        let orders = format!("03 {length} 0000 00 11223344 02 ffff");
        assert_eq!(kinds(&mut walker, 2, &orders), [OrderKind::Unknown]);
    }
}

#[test]
fn what_has_no_known_length_is_the_last_and_counted_once() {
    let mut walker = OrderWalker::new();
    // A primary type there is none of, a class there is none of, an alternate secondary type there is none of.
    for text in ["09 03 00 02 0000", "00 02 0000", "fe 02 0000", "2e 0200", "02"] {
        assert_eq!(kinds(&mut walker, 9, text), [OrderKind::Unknown], "{text}");
    }
    // A count above what is there.
    assert_eq!(
        kinds(&mut OrderWalker::new(), 9, "02 0000"),
        [OrderKind::SwitchSurface, OrderKind::Unknown]
    );
    assert_eq!(kinds(&mut walker, 0, "02 0000"), []);
}

#[test]
fn counts_have_a_name_for_every_kind() {
    let mut counts = OrderCounts::default();
    counts.extend(OrderKind::ALL.iter().copied());
    counts.extend([OrderKind::Unknown]);
    assert_eq!(counts.total(), u64::try_from(OrderKind::ALL.len()).unwrap() + 1);
    assert_eq!(counts.count(OrderKind::Unknown), 2);
    assert!(
        counts
            .iter()
            .all(|(kind, _)| format!("{kind:?}").eq_ignore_ascii_case(kind.name()))
    );
}
