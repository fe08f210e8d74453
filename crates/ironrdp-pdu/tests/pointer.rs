//! Pointers of every kind, in both forms.

mod common;

use common::{
    assert_length_lies, decode_error, encode_round_trip, hex, round_trip, round_trip_strict, vector,
};
use ironrdp_core::{DecodeErrorKind, decode, encode_vec};
use ironrdp_pdu::fastpath::{FastPathBody, UpdateCode};
use ironrdp_pdu::pointer::{FastPathPointer, PointerShape, PointerUpdate};

#[expect(clippy::panic, reason = "a helper of tests")]
fn fast_path(code: UpdateCode, data: &[u8]) -> PointerUpdate<'_> {
    match code.decode_body(data) {
        Ok(FastPathBody::Pointer(pointer)) => pointer,
        other => panic!("{other:?}"),
    }
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn captured(code: UpdateCode, message_type: &str, file: &str) -> PointerUpdate<'static> {
    let bytes = vector(file);
    let pointer = fast_path(code, bytes);
    assert_eq!(pointer.update_code(), Some(code));
    assert_eq!(encode_vec(&FastPathPointer(pointer)).unwrap(), bytes);
    let slow = [hex(message_type), hex("0000"), bytes].concat();
    assert_eq!(decode::<PointerUpdate<'_>>(&slow).unwrap(), pointer);
    assert_eq!(encode_vec(&pointer).unwrap(), slow);
    for cut in 0..bytes.len() {
        let error = code.decode_body(&bytes[..cut]).unwrap_err();
        assert!(error.offset() <= cut, "{error}");
    }
    // Beyond the header is picture only.
    for at in 0..16 {
        for mask in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= mask;
            if let Err(error) = code.decode_body(&damaged) {
                assert_eq!(error.pdu(), "PointerShape", "{error}");
            }
        }
    }
    pointer
}

#[test]
fn a_captured_color_pointer_is_read_in_both_forms() {
    let pointer = captured(
        UpdateCode::ColorPointer,
        "0600",
        "pointer/color_pointer_24bpp.bin",
    );
    let PointerUpdate::Color(shape) = pointer else {
        panic!("{pointer:?}")
    };
    assert_eq!((shape.cache_index, shape.xor_bits_per_pixel), (0, 24));
    assert_eq!((shape.hot_spot_x, shape.hot_spot_y), (3, 11));
    assert_eq!((shape.width, shape.height), (41, 39));
    // 123 bytes and one of padding; 6 bytes for 41 bits.
    assert_eq!((shape.xor_stride(), shape.and_stride()), (124, 6));
    assert_eq!((shape.xor_mask.len(), shape.and_mask.len()), (124 * 39, 6 * 39));
}

#[test]
fn a_captured_new_pointer_is_read_in_both_forms() {
    let pointer = captured(UpdateCode::NewPointer, "0800", "pointer/new_pointer_32bpp.bin");
    let PointerUpdate::New(shape) = pointer else {
        panic!("{pointer:?}")
    };
    assert_eq!((shape.cache_index, shape.xor_bits_per_pixel), (0, 32));
    assert_eq!((shape.hot_spot_x, shape.hot_spot_y), (3, 3));
    assert_eq!((shape.width, shape.height), (41, 39));
    assert_eq!((shape.xor_stride(), shape.and_stride()), (164, 6));
    assert_eq!((shape.xor_mask.len(), shape.and_mask.len()), (164 * 39, 6 * 39));
}

const fn shape<'a>(width: u16, depth: u16, xor_mask: &'a [u8], and_mask: &'a [u8]) -> PointerShape<'a> {
    PointerShape {
        cache_index: 7,
        hot_spot_x: 1,
        hot_spot_y: 0,
        width,
        height: 1,
        xor_bits_per_pixel: depth,
        xor_mask,
        and_mask,
    }
}

#[test]
fn every_slow_path_message_survives() {
    let messages = [
        (hex("0100 0000 00000000"), PointerUpdate::Hidden),
        (hex("0100 0000 007f0000"), PointerUpdate::Default),
        (
            hex("0300 0000 1000 2000"),
            PointerUpdate::Position { x: 16, y: 32 },
        ),
        (hex("0700 0000 0500"), PointerUpdate::Cached { index: 5 }),
        (
            hex("0600 0000 0700 0100 0000 0100 0100 0200 0400 11223300 8000"),
            PointerUpdate::Color(shape(1, 24, &[0x11, 0x22, 0x33, 0], &[0x80, 0])),
        ),
        (
            hex("0800 0000 2000 0700 0100 0000 0100 0100 0200 0400 11223344 8000"),
            PointerUpdate::New(shape(1, 32, &[0x11, 0x22, 0x33, 0x44], &[0x80, 0])),
        ),
        // Without an AND mask, and one bit a pixel: a row of two bytes.
        (
            hex("0800 0000 0100 0700 0100 0000 0900 0100 0000 0200 aa80"),
            PointerUpdate::New(shape(9, 1, &[0xaa, 0x80], &[])),
        ),
        (
            hex("0900 0000 2000 0700 0100 0000 0100 0100 02000000 04000000 11223344 8000"),
            PointerUpdate::Large(shape(1, 32, &[0x11, 0x22, 0x33, 0x44], &[0x80, 0])),
        ),
        // A system pointer that is none.
        (
            hex("0100 0000 01000000"),
            PointerUpdate::Unknown {
                message_type: 1,
                data: &[1, 0, 0, 0],
            },
        ),
    ];
    for (bytes, expected) in messages {
        let pointer: PointerUpdate<'_> = round_trip_strict(bytes);
        assert_eq!(pointer, expected);
        encode_round_trip(&pointer);
        if let Some(code) = pointer.update_code() {
            let data = encode_vec(&FastPathPointer(pointer)).unwrap();
            assert_eq!(fast_path(code, &data), pointer);
        } else {
            assert!(encode_vec(&FastPathPointer(pointer)).is_err());
        }
    }
    let unknown: PointerUpdate<'_> = round_trip(hex("2300 0000 aabb"));
    assert_eq!(
        unknown,
        PointerUpdate::Unknown {
            message_type: 0x23,
            data: &[0xaa, 0xbb]
        }
    );
}

#[test]
fn masks_that_do_not_fit_the_size_are_lies() {
    for (field, bytes) in [
        // One pixel of 32 bits takes 4 bytes, not 2 and not 6.
        (
            "lengthXorMask",
            "2000 0700 0100 0000 0100 0100 0200 0200 1122 8000",
        ),
        (
            "lengthXorMask",
            "2000 0700 0100 0000 0100 0100 0200 0600 112233445566 8000",
        ),
        // One pixel of the AND mask takes 2.
        (
            "lengthAndMask",
            "2000 0700 0100 0000 0100 0100 0100 0400 11223344 80",
        ),
        // The lengths are right, the bytes are missing.
        ("lengthXorMask", "2000 0700 0100 0000 0100 0100 0200 0400 1122"),
        (
            "lengthAndMask",
            "2000 0700 0100 0000 0100 0100 0200 0400 11223344 80",
        ),
    ] {
        let error = UpdateCode::NewPointer.decode_body(hex(bytes)).unwrap_err();
        assert!(
            matches!(error.kind(), DecodeErrorKind::LengthLies { .. }),
            "{error}"
        );
        assert_eq!((error.pdu(), error.field()), ("PointerShape", field));
    }
    assert_length_lies::<PointerUpdate<'_>>(
        hex("0900 0000 2000 0700 0100 0000 0100 0100 ffffffff ffffffff"),
        "PointerShape",
        "lengthXorMask",
    );
}

#[test]
fn sizes_and_depths_beyond_the_limits_are_refused() {
    let new = |width: &str, depth: &str| {
        let text = format!("0800 0000 {depth} 0000 0000 0000 {width} 0100 0000 0000");
        decode_error::<PointerUpdate<'_>>(hex(&text))
    };
    assert_eq!(
        new("6100", "2000").kind(),
        DecodeErrorKind::Limit { got: 97, max: 96 }
    );
    assert_eq!(new("0000", "2000").kind(), DecodeErrorKind::Invalid { got: 0 });
    assert_eq!(new("0100", "0f00").field(), "xorBpp");
    let large = hex("0900 0000 2000 0000 0000 0000 8101 0100 00000000 00000000");
    assert_eq!(
        decode_error::<PointerUpdate<'_>>(large).kind(),
        DecodeErrorKind::Limit { got: 385, max: 384 }
    );
}

#[test]
fn a_large_pointer_of_full_size_survives_the_fast_path_alone() {
    let side = PointerShape::MAX_LARGE_SIDE;
    let pixels = usize::from(side) * usize::from(side);
    let xor_mask = vec![0x5a; pixels * 4];
    let and_mask = vec![0xa5; pixels / 8];
    let mut shape = shape(side, 32, &xor_mask, &and_mask);
    shape.height = side;
    let pointer = PointerUpdate::Large(shape);
    let data = encode_vec(&FastPathPointer(pointer)).unwrap();
    assert_eq!(fast_path(UpdateCode::LargePointer, &data), pointer);
    // Its masks are too long for the 16-bit lengths of a new pointer.
    assert!(encode_vec(&FastPathPointer(PointerUpdate::New(shape))).is_err());
}

#[test]
fn a_color_pointer_of_another_depth_is_not_sent() {
    let pointer = PointerUpdate::Color(shape(1, 32, &[0; 4], &[0; 2]));
    assert_eq!(encode_vec(&pointer).unwrap_err().field(), "xorBpp");
}
