//! Fast-path output: the PDU, the updates in it and how one is cut.

mod common;

use common::{assert_length_lies, decode_error, encode_round_trip, hex, round_trip, vector};
use ironrdp_core::{DecodeErrorKind, DecodeResult, Encode, decode, encode_vec};
use ironrdp_pdu::client_info::CompressionType;
use ironrdp_pdu::fastpath::{
    CompressionFlags, FastPathBody, FastPathFragments, FastPathOutput, FastPathOutputPdu, FastPathUpdate,
    Fragmentation, UpdateCode,
};
use ironrdp_pdu::input::FastPathInputPdu;
use ironrdp_pdu::output::Update;
use ironrdp_pdu::pointer::PointerUpdate;

const ALL_CODES: [UpdateCode; 16] = [
    UpdateCode::Orders,
    UpdateCode::Bitmap,
    UpdateCode::Palette,
    UpdateCode::Synchronize,
    UpdateCode::SurfaceCommands,
    UpdateCode::PointerHidden,
    UpdateCode::PointerDefault,
    UpdateCode::Unknown(7),
    UpdateCode::PointerPosition,
    UpdateCode::ColorPointer,
    UpdateCode::CachedPointer,
    UpdateCode::NewPointer,
    UpdateCode::LargePointer,
    UpdateCode::Unknown(13),
    UpdateCode::Unknown(14),
    UpdateCode::Unknown(15),
];

#[test]
fn a_pdu_gives_its_updates_in_order() {
    // Synchronize; two pieces of a compressed bitmap; a pointer position.
    let bytes = hex("00 17 03 0000  a1 61 0200 aabb  91 21 0100 cc  08 0400 1000 2000");
    let pdu: FastPathOutputPdu<'_> = round_trip(bytes);
    let updates: Vec<FastPathUpdate<'_>> = pdu.updates().collect::<DecodeResult<_>>().unwrap();
    let mppc = CompressionFlags::COMPRESSED.with_type(CompressionType::Mppc64K);
    let piece = |fragmentation, compression, data| FastPathUpdate {
        code: UpdateCode::Bitmap,
        fragmentation,
        compression: Some(compression),
        data,
    };
    assert_eq!(
        updates,
        [
            FastPathUpdate::single(UpdateCode::Synchronize, &[]),
            piece(
                Fragmentation::First,
                mppc | CompressionFlags::AT_FRONT,
                &[0xaa, 0xbb]
            ),
            piece(Fragmentation::Last, mppc, &[0xcc]),
            FastPathUpdate::single(UpdateCode::PointerPosition, &[16, 0, 32, 0]),
        ]
    );
    assert_eq!(
        updates[1].compression.unwrap().compression_type(),
        CompressionType::Mppc64K
    );
}

#[test]
fn every_code_place_and_compression_survives() {
    for code in ALL_CODES {
        for fragmentation in [
            Fragmentation::Single,
            Fragmentation::First,
            Fragmentation::Next,
            Fragmentation::Last,
        ] {
            for bits in [None, Some(0), Some(0x23), Some(0xef)] {
                let update = FastPathUpdate {
                    code,
                    fragmentation,
                    compression: bits.map(CompressionFlags::from_bits_retain),
                    data: &[1, 2, 3],
                };
                encode_round_trip(&update);
                let bytes = encode_vec(&FastPathOutput { update }).unwrap();
                let pdu: FastPathOutputPdu<'_> = round_trip(&bytes);
                assert!(pdu.updates().eq([Ok(update)]));
            }
        }
    }
}

#[test]
fn compression_types_keep_the_flags_beside_them() {
    for (bits, expected) in [
        (0x60, CompressionType::Mppc8K),
        (0x61, CompressionType::Mppc64K),
        (0x62, CompressionType::Ncrush),
        (0x63, CompressionType::Xcrush),
        (0x69, CompressionType::Other(9)),
    ] {
        let flags = CompressionFlags::from_bits_retain(bits);
        assert_eq!(flags.compression_type(), expected);
        assert_eq!(
            CompressionFlags::from_bits_retain(0x6f).with_type(expected),
            flags
        );
        assert!(flags.contains(CompressionFlags::COMPRESSED | CompressionFlags::AT_FRONT));
    }
}

#[test]
fn a_size_that_lies_is_one_error_and_the_end() {
    let pdu: FastPathOutputPdu<'_> = decode(hex("00 0c 03 0000 08 0500 1000 2000")).unwrap();
    let updates: Vec<_> = pdu.updates().collect();
    assert_eq!(updates.len(), 2);
    let error = updates[1].unwrap_err();
    assert_eq!(
        (error.pdu(), error.field(), error.offset()),
        ("FastPathUpdate", "size", 8)
    );
    assert_eq!(
        error.kind(),
        DecodeErrorKind::LengthLies {
            declared: 5,
            available: 4
        }
    );
}

#[test]
fn a_header_that_is_not_fast_path_encrypted_or_lying_is_refused() {
    assert_eq!(
        decode_error::<FastPathOutputPdu<'_>>(hex("03 05 03 0000")).kind(),
        DecodeErrorKind::Invalid { got: 3 }
    );
    assert_eq!(
        decode_error::<FastPathOutputPdu<'_>>(hex("80 05 03 0000")).kind(),
        DecodeErrorKind::Unsupported { got: 2 }
    );
    for bytes in [
        "00 06 03 0000",
        "00 01 03 0000",
        "00 8002 03 0000",
        "00 8007 03 0000",
    ] {
        assert_length_lies::<FastPathOutputPdu<'_>>(hex(bytes), "FastPathHeader", "length");
    }
}

#[test]
fn a_pdu_stops_where_its_length_says() {
    let bytes = hex("00 05 03 0000 ffff");
    let pdu: FastPathOutputPdu<'_> = decode(bytes).unwrap();
    assert_eq!(pdu.updates().count(), 1);
    assert_eq!(encode_vec(&pdu).unwrap(), bytes[..5]);
}

#[test]
fn lengths_have_one_byte_up_to_127_and_two_beyond() {
    // 127 bytes in all: header 2, update header 3, data 122.
    for (data, size, second) in [(122, 127, 0x7f), (123, 129, 0x80), (300, 306, 0x81)] {
        let data = vec![7; data];
        let output = FastPathOutput {
            update: FastPathUpdate::single(UpdateCode::Orders, &data),
        };
        let bytes = encode_vec(&output).unwrap();
        assert_eq!((bytes.len(), bytes[1]), (size, second));
        let pdu: FastPathOutputPdu<'_> = decode(&bytes).unwrap();
        assert!(pdu.updates().eq([Ok(output.update)]));
    }
}

#[test]
fn the_largest_pdu_holds_max_data_and_no_byte_more() {
    let data = vec![7; FastPathOutput::MAX_DATA + 1];
    let mut update = FastPathUpdate::single(UpdateCode::Bitmap, &data[1..]);
    update.compression = Some(CompressionFlags::COMPRESSED);
    let output = FastPathOutput { update };
    assert_eq!(output.size(), 0x7fff);
    let bytes = encode_vec(&output).unwrap();
    let pdu: FastPathOutputPdu<'_> = decode(&bytes).unwrap();
    assert!(pdu.updates().eq([Ok(update)]));
    update.data = &data;
    assert_eq!(
        encode_vec(&FastPathOutput { update }).unwrap_err().field(),
        "length"
    );
}

#[test]
fn pieces_are_marked_and_put_together_give_the_whole() {
    let data: Vec<u8> = (0..=255).collect();
    for max in [0, 1, 2, 85, 127, 128, 255, 256, 257, usize::MAX] {
        let pieces: Vec<_> = FastPathFragments::new(UpdateCode::Bitmap, &data, max).collect();
        let whole: Vec<u8> = pieces.iter().flat_map(|piece| piece.data.to_vec()).collect();
        assert_eq!(whole, data);
        assert!(pieces.iter().all(|piece| piece.data.len() <= max.max(1)));
        let marks: Vec<_> = pieces.iter().map(|piece| piece.fragmentation).collect();
        match marks.as_slice() {
            [only] => assert_eq!(*only, Fragmentation::Single),
            [first, middle @ .., last] => {
                assert_eq!((*first, *last), (Fragmentation::First, Fragmentation::Last));
                assert!(middle.iter().all(|mark| *mark == Fragmentation::Next));
            }
            [] => panic!("no piece"),
        }
        assert_eq!(marks.len(), data.len().div_ceil(max.clamp(1, data.len())));
    }
    let empty: Vec<_> = FastPathFragments::new(UpdateCode::Synchronize, &[], 9).collect();
    assert_eq!(empty, [FastPathUpdate::single(UpdateCode::Synchronize, &[])]);
}

#[test]
fn each_code_reads_its_body() {
    let body = |code: UpdateCode, text| code.decode_body(hex(text)).unwrap();
    assert_eq!(
        body(UpdateCode::Synchronize, ""),
        FastPathBody::Graphics(Update::Synchronize)
    );
    assert_eq!(
        body(UpdateCode::PointerHidden, ""),
        FastPathBody::Pointer(PointerUpdate::Hidden)
    );
    assert_eq!(
        body(UpdateCode::PointerDefault, ""),
        FastPathBody::Pointer(PointerUpdate::Default)
    );
    assert_eq!(
        body(UpdateCode::PointerPosition, "0100 0200"),
        FastPathBody::Pointer(PointerUpdate::Position { x: 1, y: 2 })
    );
    assert_eq!(
        body(UpdateCode::CachedPointer, "0300"),
        FastPathBody::Pointer(PointerUpdate::Cached { index: 3 })
    );
    assert_eq!(body(UpdateCode::Unknown(14), "0300"), FastPathBody::Unknown(14));
    assert!(matches!(
        body(UpdateCode::Orders, "0100 ff"),
        FastPathBody::Graphics(Update::Orders(orders)) if orders.count() == 1 && orders.data() == [0xff]
    ));
    assert!(matches!(
        body(UpdateCode::Bitmap, "0100 0000"),
        FastPathBody::Graphics(Update::Bitmap(bitmap)) if bitmap.count() == 0
    ));
    assert!(matches!(
        body(UpdateCode::Palette, "0200 0000 01000000 010203"),
        FastPathBody::Graphics(Update::Palette(palette)) if palette.colors == [[1, 2, 3]]
    ));
    assert!(matches!(
        body(UpdateCode::SurfaceCommands, "0400 0000 05000000"),
        FastPathBody::Surface(commands) if commands.iter().count() == 1
    ));
}

#[test]
fn no_body_panics_on_noise_and_errors_name_what_was_read() {
    let mut noise = 0x1234_5678_u32;
    for length in 0..200 {
        let data: Vec<u8> = (0..length)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Small numbers reach further than large ones.
                let [.., byte] = noise.to_le_bytes();
                if noise & 0x8000 == 0 { byte & 0x0f } else { byte }
            })
            .collect();
        for code in ALL_CODES {
            if let Err(error) = code.decode_body(&data) {
                assert!(!error.pdu().is_empty(), "{error}");
            }
        }
        if let Ok(pdu) = decode::<FastPathOutputPdu<'_>>(&data) {
            assert!(pdu.updates().count() <= data.len());
        }
    }
}

#[test]
fn bytes_that_broke_another_decoder_do_no_harm() {
    let bytes = vector("fastpath/pdu_decode-crash-801238c3074172.bin");
    let output: FastPathOutputPdu<'_> = decode(bytes).unwrap();
    assert_eq!(output.updates().filter(Result::is_ok).count(), 3);
    let input: FastPathInputPdu<'_> = decode(bytes).unwrap();
    assert_eq!(input.events().filter(Result::is_ok).count(), 1);
}
