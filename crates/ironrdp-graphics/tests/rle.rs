//! Interleaved RLE against streams and pictures of other implementations, and against itself.

mod common;

use common::{Random, draw, is_total, picture, reduce, vector};
use ironrdp_graphics::{GraphicsErrorKind, Image, Palette, PixelFormat, Scratch, encode_rle};

const TILES: [(&str, u16); 6] = [
    ("tile-27019fd9", 64),
    ("tile-28c08e75", 64),
    ("tile-3fc8124a", 64),
    ("tile-8b8ccc77", 64),
    ("tile-9b06660a", 56),
    ("tile-aa326e7a", 64),
];

#[test]
fn tiles_of_a_windows_session_decode_exactly() {
    for (name, height) in TILES {
        let data = vector(&format!("interleaved-rle/{name}.rle"));
        let decoded = draw(64, height, 16, true, &data, &Palette::grey()).unwrap();
        // The expected file has the bottom row first, as raw bitmap data have.
        let raw = vector(&format!("interleaved-rle/{name}.rgb565"));
        let expected = draw(64, height, 16, false, &raw, &Palette::grey()).unwrap();
        assert_eq!(decoded.pixels(), expected.pixels(), "{name}");
        let first_of_bottom_row = u16::from_le_bytes([raw[0], raw[1]]);
        let [blue, green, red, _] = decoded.pixel(0, height - 1).unwrap().map(u16::from);
        assert_eq!(
            (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3,
            first_of_bottom_row
        );
    }
}

#[test]
fn noise_of_another_encoder_decodes_exactly() {
    for bits in [15, 16, 24] {
        for number in ["01", "02"] {
            let name = format!("interleaved-rle/freerdp-{bits}bpp-{number}");
            let data = vector(&format!("{name}.rle"));
            let decoded = draw(64, 64, bits, true, &data, &Palette::grey()).unwrap();
            let expected = vector(&format!("{name}.raw32"));
            for (index, (got, want)) in decoded.pixels().chunks(4).zip(expected.chunks(4)).enumerate() {
                let green = match bits {
                    // That project adds 3 bits below the 6, where there is room for 2.
                    16 => (got[1] & 0xfc).saturating_add(got[1] >> 5),
                    _ => got[1],
                };
                assert_eq!([got[0], green, got[2]], want[..3], "{name}, pixel {index}");
            }
        }
    }
}

#[test]
fn a_stream_cut_at_any_byte_is_malformed() {
    for (name, height) in TILES {
        let data = vector(&format!("interleaved-rle/{name}.rle"));
        for end in 0..data.len() {
            let error = draw(64, height, 16, true, &data[..end], &Palette::grey()).unwrap_err();
            assert_eq!(
                error.kind(),
                GraphicsErrorKind::Malformed,
                "{name} cut at {end}: {error}"
            );
            assert!(error.decode_error().unwrap().offset() <= end);
        }
    }
}

#[test]
fn a_run_past_the_last_pixel_is_named_with_its_place() {
    // A colour run of 31 where 16 pixels are to come.
    let error = draw(4, 4, 8, true, &[0x7f, 9], &Palette::grey()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "malformed InterleavedRle at byte 2: runLength says 31, but there are 16"
    );
    // An order that does not exist.
    let error = draw(4, 4, 8, true, &[0xa5], &Palette::grey()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "malformed InterleavedRle at byte 1: codeHeader is 165 (0xa5)"
    );
    // Its length says 65,535 pixels of 3 bytes: refused before they are looked for.
    let error = draw(4, 4, 24, true, &[0xf4, 0xff, 0xff], &Palette::grey()).unwrap_err();
    assert_eq!(error.kind(), GraphicsErrorKind::Malformed);
}

/// What each order of the specification does, one after another, as palette indices from the bottom row up.
#[test]
fn each_order_writes_what_the_specification_says() {
    let indices = |data: &[u8], width, height| -> Vec<u8> {
        let framebuffer = draw(width, height, 8, true, data, &Palette::grey()).unwrap();
        let image = framebuffer.as_image();
        let mut out = Vec::new();
        for row in image.rows().rev() {
            out.extend(row.chunks(4).map(|pixel| pixel[0]));
        }
        out
    };
    // First line: a background run is black, a foreground run the foreground colour, white until it is set.
    assert_eq!(indices(&[0x02, 0x22], 4, 1), [0, 0, 255, 255]);
    // Two background runs: the second begins with one foreground pixel.
    assert_eq!(indices(&[0x02, 0x02], 4, 1), [0, 0, 255, 0]);
    // Not across the end of the first line, where the insertion is forgotten.
    assert_eq!(indices(&[0x62, 7, 0x02], 2, 2), [7, 7, 7, 7]);
    assert_eq!(indices(&[0x02, 0x02], 2, 2), [0, 0, 0, 0]);
    // Second line: XOR with the row below.
    assert_eq!(indices(&[0x62, 0x0f, 0xc2, 0xf0], 2, 2), [15, 15, 0xff, 0xff]);
    assert_eq!(
        indices(&[0x63, 0x0f, 0x01, 0x02], 3, 2),
        [15, 15, 15, 15, 0xf0, 15]
    );
    // Masks, low bit first; the set form keeps its colour for later orders.
    assert_eq!(
        indices(&[0x68, 1, 0xd1, 6, 0b0000_0101, 0x28], 8, 3)[8..],
        [7, 1, 7, 1, 1, 1, 1, 1, 1, 7, 1, 7, 7, 7, 7, 7]
    );
    // A mask of 5 pixels takes one byte; the length byte holds one less.
    assert_eq!(indices(&[0x40, 4, 0b0001_0001], 5, 1), [255, 0, 0, 0, 255]);
    assert_eq!(indices(&[0xf9], 8, 1), [255, 255, 0, 0, 0, 0, 0, 0]);
    assert_eq!(indices(&[0xfa], 8, 1), [255, 0, 255, 0, 0, 0, 0, 0]);
    // Plain pixels, pairs, white and black.
    assert_eq!(indices(&[0x83, 1, 2, 3], 3, 1), [1, 2, 3]);
    assert_eq!(indices(&[0xe2, 5, 6], 4, 1), [5, 6, 5, 6]);
    assert_eq!(indices(&[0xfd, 0xfe], 2, 1), [255, 0]);
    // The longer forms of a length.
    assert_eq!(indices(&[0x60, 8, 3], 40, 1), [3; 40]);
    assert_eq!(indices(&[0xe0, 4, 5, 6], 40, 1), [5, 6].repeat(20));
    assert_eq!(indices(&[0xf3, 40, 0, 3], 40, 1), [3; 40]);
    assert_eq!(indices(&[0xf8, 20, 0, 5, 6], 40, 1), [5, 6].repeat(20));
    // An order that begins in the first line sees black below itself in the second line too.
    assert_eq!(indices(&[0x61, 9, 0x03], 2, 2), [9, 0, 0, 0]);
    // Bytes after the last pixel are not looked at.
    assert_eq!(indices(&[0x62, 3, 0xff, 0xff], 2, 1), [3, 3]);
}

#[test]
fn what_is_encoded_decodes_to_the_same_picture_at_every_depth_and_size() {
    let mut scratch = Scratch::new();
    let palette = Palette::from_rgb(
        (0..=255).map(|index: u8| [index & 0xe0, index.wrapping_mul(8) & 0xe0, index.wrapping_mul(64)]),
    );
    let sizes = [
        (1, 1),
        (2, 1),
        (1, 2),
        (3, 3),
        (4, 4),
        (7, 5),
        (64, 64),
        (65, 3),
        (300, 2),
        (1920, 4),
    ];
    for (size, &(width, height)) in sizes.iter().enumerate() {
        for seed in 0..24 {
            let mut random = Random::new(seed + 1000 * u64::try_from(size).unwrap());
            let source = picture(&mut random, width, height);
            for bits in [8, 15, 16, 24] {
                let format = PixelFormat::from_bits_per_pixel(bits).unwrap();
                let mut data = Vec::new();
                encode_rle(&source.as_image(), format, &palette, &mut scratch, &mut data).unwrap();
                let decoded = draw(width, height, bits, true, &data, &palette)
                    .unwrap_or_else(|error| panic!("{width}x{height} {bits} bpp seed {seed}: {error}"));
                let pairs = source
                    .pixels()
                    .as_chunks()
                    .0
                    .iter()
                    .zip(decoded.pixels().as_chunks().0);
                for (index, (&from, &to)) in pairs.enumerate() {
                    let expected = reduce(bits, &palette, from);
                    assert_eq!(
                        to, expected,
                        "{width}x{height} {bits} bpp seed {seed} pixel {index}"
                    );
                }
                let raw = usize::from(width) * usize::from(height) * format.bytes_per_pixel();
                assert!(
                    data.len() <= raw + 3 + raw / 255,
                    "{} bytes for {raw}",
                    data.len()
                );
            }
        }
    }
}

#[test]
fn runs_longer_than_a_length_field_are_split() {
    let (width, height) = (1024, 200);
    let pixels = [40_u8, 80, 120, 255].repeat(1024 * 200);
    let image = Image::new(&pixels, 4096, width, height).unwrap();
    let mut data = Vec::new();
    encode_rle(
        &image,
        PixelFormat::Bgr24,
        &Palette::grey(),
        &mut Scratch::new(),
        &mut data,
    )
    .unwrap();
    assert!(data.len() < 40, "{} bytes", data.len());
    let decoded = draw(width, height, 24, true, &data, &Palette::grey()).unwrap();
    assert_eq!(decoded.pixels(), pixels);
    // All of it repeats the row below: 65,535 is also the longest background run.
    let mut rows = pixels;
    for (x, pixel) in rows.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        pixel[0] = (x % 1024 % 251).to_le_bytes()[0];
    }
    let image = Image::new(&rows, 4096, width, height).unwrap();
    data.clear();
    encode_rle(
        &image,
        PixelFormat::Bgr24,
        &Palette::grey(),
        &mut Scratch::new(),
        &mut data,
    )
    .unwrap();
    assert!(data.len() < 1024 * 3 + 128, "{} bytes", data.len());
    let decoded = draw(width, height, 24, true, &data, &Palette::grey()).unwrap();
    assert_eq!(decoded.pixels(), rows);
}

#[test]
fn our_encoder_is_no_worse_than_the_one_of_the_session() {
    for (name, height) in TILES {
        let theirs = vector(&format!("interleaved-rle/{name}.rle"));
        let decoded = draw(64, height, 16, true, &theirs, &Palette::grey()).unwrap();
        let mut ours = Vec::new();
        encode_rle(
            &decoded.as_image(),
            PixelFormat::Rgb565,
            &Palette::grey(),
            &mut Scratch::new(),
            &mut ours,
        )
        .unwrap();
        let again = draw(64, height, 16, true, &ours, &Palette::grey()).unwrap();
        assert_eq!(again.pixels(), decoded.pixels(), "{name}");
        assert!(
            ours.len() * 20 <= theirs.len() * 21,
            "{name}: {} bytes, theirs {}",
            ours.len(),
            theirs.len()
        );
    }
}

#[test]
fn a_depth_without_this_codec_is_the_callers_fault() {
    let image = Image::new(&[0; 4], 4, 1, 1).unwrap();
    let error = encode_rle(
        &image,
        PixelFormat::Bgrx32,
        &Palette::grey(),
        &mut Scratch::new(),
        &mut Vec::new(),
    )
    .unwrap_err();
    assert_eq!(error.kind(), GraphicsErrorKind::Misuse);
    assert!(error.decode_error().is_none());
}

#[test]
fn hostile_streams_give_a_picture_or_a_described_error() {
    let tile = vector("interleaved-rle/tile-3fc8124a.rle");
    for seed in 0..4000 {
        let mut random = Random::new(seed);
        let bits = random.pick(&[8, 15, 16, 24]);
        let (width, height) = (random.pick(&[0, 1, 3, 64, 65535]), random.pick(&[0, 1, 2, 64]));
        let length = random.below(300);
        let mut data = if seed % 2 == 0 {
            random.bytes(length)
        } else {
            tile.clone()
        };
        for _ in 0..random.below(4) {
            let at = random.below(data.len().max(1));
            if let Some(byte) = data.get_mut(at) {
                *byte = random.byte();
            }
        }
        is_total(&draw(width, height, bits, true, &data, &Palette::grey()));
    }
}
