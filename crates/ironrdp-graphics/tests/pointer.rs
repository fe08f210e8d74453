//! Pointer shapes: pictures of another implementation, and the rules of the masks.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod common;

use common::{Random, vector};
use ironrdp_graphics::{GraphicsErrorKind, Palette, PointerSource, decode_pointer};

/// Takes a pointer update apart: cacheIndex, hot spot, sides, and the lengths of the masks, then the XOR mask first.
fn parts(body: &[u8], xor_bits_per_pixel: u16) -> PointerSource<'_> {
    let word = |at: usize| u16::from_le_bytes([body[at], body[at + 1]]);
    let (and, xor) = (usize::from(word(10)), usize::from(word(12)));
    PointerSource {
        width: word(6),
        height: word(8),
        xor_bits_per_pixel,
        xor_mask: &body[14..14 + xor],
        and_mask: &body[14 + xor..14 + xor + and],
    }
}

fn decode(source: &PointerSource<'_>) -> Vec<u8> {
    let mut rgba = vec![1, 2, 3];
    decode_pointer(source, &Palette::grey(), &mut rgba).unwrap();
    rgba
}

#[test]
fn pointers_of_a_session_become_the_expected_pictures() {
    let color = vector("pointers/color_pointer_24bpp.bin");
    let new = vector("pointers/new_pointer_32bpp.bin");
    for (name, source) in [
        ("color_pointer_24bpp", parts(&color, 24)),
        ("new_pointer_32bpp", parts(&new[2..], 32)),
    ] {
        let picture = decode(&source);
        let expected = vector(&format!("pointers/{name}.rgba"));
        assert_eq!(picture.len(), expected.len());
        for (index, (got, want)) in picture.chunks(4).zip(expected.chunks(4)).enumerate() {
            assert_eq!(got[3], want[3], "{name}: alpha of pixel {index}");
            // The expected pictures were saved with every channel squared (PROVENANCE.md).
            for channel in 0..3 {
                let squared = u16::from(got[channel]).pow(2) >> 8;
                assert_eq!(
                    squared,
                    u16::from(want[channel]),
                    "{name}: pixel {index}, {got:?}"
                );
            }
        }
    }
}

#[test]
fn the_two_bits_of_a_monochrome_pointer_mean_black_white_transparent_and_inverted() {
    // Two rows, the top one first; bits are padded to 16 a row.
    let source = PointerSource {
        width: 4,
        height: 2,
        xor_bits_per_pixel: 1,
        xor_mask: &[0b0101_0000, 0, 0b1111_0000, 0],
        and_mask: &[0b0011_0000, 0, 0b1111_0000, 0],
    };
    let picture = decode(&source);
    let pixels = picture.as_chunks::<4>().0;
    assert_eq!(pixels[0], [0, 0, 0, 255]);
    assert_eq!(pixels[1], [255, 255, 255, 255]);
    assert_eq!(pixels[2], [0, 0, 0, 0]);
    // Inverted pixels alternate, along the row and down the column.
    assert_eq!(pixels[3], [255, 255, 255, 255]);
    assert_eq!(
        pixels[4..].iter().map(|pixel| pixel[0]).collect::<Vec<_>>(),
        [255, 0, 255, 0]
    );
    assert!(pixels[4..].iter().all(|pixel| pixel[3] == 255));
}

#[test]
fn coloured_pointers_are_read_at_every_depth_bottom_row_first() {
    // One column, two rows: red at the bottom, which comes first, and transparent black above it.
    let palette = Palette::from_rgb([[0, 0, 0], [255, 0, 0]]);
    let masks: [(u16, &[u8]); 5] = [
        (4, &[0x10, 0, 0x00, 0]),
        (8, &[1, 0, 0, 0]),
        (16, &[0x00, 0x7c, 0, 0]),
        (24, &[0, 0, 255, 0, 0, 0, 0, 0]),
        (32, &[0, 0, 255, 255, 0, 0, 0, 0]),
    ];
    for (xor_bits_per_pixel, xor_mask) in masks {
        let source = PointerSource {
            width: 1,
            height: 2,
            xor_bits_per_pixel,
            xor_mask,
            and_mask: &[0, 0, 0x80, 0],
        };
        let mut rgba = Vec::new();
        decode_pointer(&source, &palette, &mut rgba).unwrap();
        assert_eq!(rgba, [0, 0, 0, 0, 255, 0, 0, 255], "{xor_bits_per_pixel} bpp");
    }
}

#[test]
fn pixels_of_32_bits_keep_their_alpha_unless_there_is_none_at_all() {
    let source = PointerSource {
        width: 2,
        height: 1,
        xor_bits_per_pixel: 32,
        xor_mask: &[1, 2, 3, 0x40, 4, 5, 6, 0],
        and_mask: &[0xc0, 0],
    };
    assert_eq!(decode(&source), [3, 2, 1, 0x40, 6, 5, 4, 0]);
    let without_mask = PointerSource {
        and_mask: &[],
        ..source
    };
    assert_eq!(decode(&without_mask), [3, 2, 1, 0x40, 6, 5, 4, 0]);
    // The old kind: the mask alone says what is seen.
    let old = PointerSource {
        xor_mask: &[1, 2, 3, 0, 0, 0, 0, 0],
        and_mask: &[0x40, 0],
        ..source
    };
    assert_eq!(decode(&old), [3, 2, 1, 255, 0, 0, 0, 0]);
}

#[test]
fn masks_that_are_too_short_and_sides_that_are_too_long_are_refused() {
    let body = vector("pointers/color_pointer_24bpp.bin");
    let good = parts(&body, 24);
    let mut rgba = Vec::new();
    for end in 0..good.xor_mask.len() {
        let source = PointerSource {
            xor_mask: &good.xor_mask[..end],
            ..good
        };
        let error = decode_pointer(&source, &Palette::grey(), &mut rgba).unwrap_err();
        assert_eq!(error.kind(), GraphicsErrorKind::Malformed);
    }
    for end in 0..good.and_mask.len() {
        let source = PointerSource {
            and_mask: &good.and_mask[..end],
            ..good
        };
        assert!(decode_pointer(&source, &Palette::grey(), &mut rgba).is_err());
    }
    let large = PointerSource { width: 385, ..good };
    let error = decode_pointer(&large, &Palette::grey(), &mut rgba).unwrap_err();
    assert_eq!(error.kind(), GraphicsErrorKind::Limit);
    let odd = PointerSource {
        xor_bits_per_pixel: 15,
        ..good
    };
    let error = decode_pointer(&odd, &Palette::grey(), &mut rgba).unwrap_err();
    assert_eq!(
        error.to_string(),
        "unsupported Pointer at byte 0: xorBpp is 15 (0xf)"
    );
    assert!(rgba.is_empty());
}

#[test]
fn hostile_pointers_give_a_picture_or_an_error() {
    for seed in 0..3000 {
        let mut random = Random::new(seed);
        let (xor, and) = (random.below(700), random.below(200));
        let (xor_mask, and_mask) = (random.bytes(xor), random.bytes(and));
        let source = PointerSource {
            width: random.pick(&[0, 1, 7, 16, 384, 65535]),
            height: random.pick(&[0, 1, 7, 16, 384, 65535]),
            xor_bits_per_pixel: random.pick(&[0, 1, 4, 8, 15, 16, 24, 32, 65535]),
            xor_mask: &xor_mask,
            and_mask: &and_mask,
        };
        let mut rgba = Vec::new();
        if decode_pointer(&source, &Palette::grey(), &mut rgba).is_ok() {
            assert_eq!(
                rgba.len(),
                usize::from(source.width) * usize::from(source.height) * 4
            );
        }
    }
}
