//! Planar bitmaps against streams and pictures of other implementations, and against itself.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod common;

use common::{Random, draw, is_total, picture, vector};
use ironrdp_graphics::{GraphicsErrorKind, Image, Palette, Scratch, encode_planar};

/// Pixels of a 24-bit BMP in the order of the file, the last row of the stream first. By the rules of BMP that is upside
/// down: its authors decoded without regard to the row order, which bitmap updates have from the bottom.
fn bmp(name: &str) -> (u16, u16, Vec<[u8; 3]>) {
    let file = vector(name);
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!(&file[..2], b"BM");
    assert_eq!(word(28) & 0xffff, 24, "bits per pixel");
    let (start, width, height) = (
        usize::try_from(word(10)).unwrap(),
        u16::try_from(word(18)).unwrap(),
        u16::try_from(word(22)).unwrap(),
    );
    let stride = (usize::from(width) * 3).next_multiple_of(4);
    let mut pixels = Vec::new();
    for row in file[start..].chunks(stride).take(usize::from(height)) {
        pixels.extend_from_slice(&row.as_chunks().0[..usize::from(width)]);
    }
    (width, height, pixels)
}

#[test]
fn streams_with_alpha_chroma_and_subsampling_decode_exactly() {
    for name in ["64x24_argb_rle", "64x64_aycocg_rle", "64x35_ycocg_rle_ss"] {
        let (width, height, expected) = bmp(&format!("planar/{name}.bmp"));
        let data = vector(&format!("planar/{name}.bin"));
        let decoded = draw(width, height, 32, true, &data, &Palette::grey()).unwrap();
        for (index, (got, want)) in decoded
            .pixels()
            .as_chunks::<4>()
            .0
            .iter()
            .zip(&expected)
            .enumerate()
        {
            assert_eq!(got[..3], want[..], "{name}, pixel {index}");
            assert_eq!(got[3], 0xff, "framebuffers are opaque");
        }
        assert_eq!(decoded.pixels().len(), expected.len() * 4);
    }
}

#[test]
fn streams_of_another_encoder_decode_exactly() {
    for (name, side) in [
        ("freerdp-test_rle_bitmap_experimental_01", 64),
        ("freerdp-test_rle_uncompressed_bitmap_16bpp", 32),
    ] {
        let data = vector(&format!("planar/{name}.bin"));
        let decoded = draw(side, side, 32, true, &data, &Palette::grey()).unwrap();
        let expected = vector(&format!("planar/{name}.raw32"));
        // That project keeps the rows in the order of the stream.
        let row = usize::from(side) * 4;
        let flipped: Vec<u8> = expected.chunks(row).rev().flatten().copied().collect();
        for (index, (got, want)) in decoded.pixels().chunks(4).zip(flipped.chunks(4)).enumerate() {
            assert_eq!(got[..3], want[..3], "{name}, pixel {index}");
        }
    }
}

#[test]
fn plain_planes_decode_and_chroma_is_widened() {
    // Header: no alpha, no RLE; red, green, blue of 2x1 pixels, and the pad byte.
    let decoded = draw(2, 1, 32, true, &[0x20, 1, 2, 3, 4, 5, 6, 0], &Palette::grey()).unwrap();
    assert_eq!(decoded.pixels(), [5, 3, 1, 255, 6, 4, 2, 255]);
    // The pad byte may be missing, and an alpha plane is read over.
    let decoded = draw(1, 1, 32, true, &[0x00, 9, 1, 2, 3], &Palette::grey()).unwrap();
    assert_eq!(decoded.pixels(), [3, 2, 1, 255]);
    // Colour loss 3 without RLE or subsampling: chroma counts fourfold, with its sign, and channels are clamped.
    let decoded = draw(
        3,
        1,
        32,
        true,
        &[0x23, 100, 100, 250, 5, 0xff, 10, 1, 1, 0],
        &Palette::grey(),
    )
    .unwrap();
    assert_eq!(
        decoded.pixels(),
        [116, 104, 76, 255, 92, 104, 100, 255, 255, 250, 210, 255]
    );
    // Subsampled: one chroma value stands for two columns and two rows.
    let decoded = draw(
        3,
        3,
        32,
        true,
        &[&[0x29][..], &[100; 9], &[10, 20, 30, 40], &[0; 4]].concat(),
        &Palette::grey(),
    )
    .unwrap();
    let blues: Vec<u8> = decoded.pixels().chunks(4).map(|pixel| pixel[0]).collect();
    assert_eq!(blues, [130, 130, 140, 110, 110, 120, 110, 110, 120]);
}

#[test]
fn a_stream_cut_at_any_byte_is_malformed_and_draws_nothing() {
    for (name, width, height) in [
        ("64x24_argb_rle", 64, 24),
        ("64x64_aycocg_rle", 64, 64),
        ("64x35_ycocg_rle_ss", 64, 35),
    ] {
        let data = vector(&format!("planar/{name}.bin"));
        for end in 0..data.len() {
            let error = draw(width, height, 32, true, &data[..end], &Palette::grey()).unwrap_err();
            assert_eq!(
                error.kind(),
                GraphicsErrorKind::Malformed,
                "{name} cut at {end}: {error}"
            );
        }
    }
}

#[test]
fn a_run_past_the_end_of_its_row_is_named_with_its_place() {
    // Red: 15 values by run in a row of 4.
    let error = draw(4, 1, 32, true, &[0x30, 0x0f], &Palette::grey()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "malformed PlanarBitmap at byte 2: controlByte says 15, but there are 4"
    );
    // Subsampling of red, green and blue.
    let error = draw(4, 1, 32, true, &[0x38], &Palette::grey()).unwrap_err();
    assert_eq!(error.kind(), GraphicsErrorKind::Malformed);
}

#[test]
fn what_is_encoded_decodes_to_the_same_picture_at_every_size() {
    let mut scratch = Scratch::new();
    let sizes = [
        (1, 1),
        (2, 1),
        (1, 2),
        (3, 3),
        (15, 2),
        (16, 2),
        (17, 3),
        (64, 64),
        (65, 3),
        (1920, 4),
    ];
    for (width, height) in sizes {
        for seed in 0..40 {
            let mut random = Random::new(seed + 77 * u64::from(width));
            let source = picture(&mut random, width, height);
            let mut data = Vec::new();
            encode_planar(&source.as_image(), &mut scratch, &mut data);
            let decoded = draw(width, height, 32, true, &data, &Palette::grey())
                .unwrap_or_else(|error| panic!("{width}x{height} seed {seed}: {error}"));
            assert_eq!(decoded.pixels(), source.pixels(), "{width}x{height} seed {seed}");
            assert!(data.len() <= usize::from(width) * usize::from(height) * 3 + 2);
        }
    }
}

#[test]
fn runs_of_every_length_survive() {
    for length in 1..200_usize {
        // The run begins in the middle of raw values, at the start of a row, and repeats zero there.
        for lead in [0, 1, 14, 15, 16] {
            let row: Vec<u8> = (0..lead)
                .map(|value: u8| value * 3 + 1)
                .chain(std::iter::repeat_n(7, length))
                .chain([1])
                .collect();
            let width = u16::try_from(row.len()).unwrap();
            let pixels: Vec<u8> = row
                .iter()
                .flat_map(|&value| [value, 0, 255 - value, 255])
                .collect();
            let both = [pixels.clone(), pixels].concat();
            let image = Image::new(&both, row.len() * 4, width, 2).unwrap();
            let mut data = Vec::new();
            encode_planar(&image, &mut Scratch::new(), &mut data);
            let decoded = draw(width, 2, 32, true, &data, &Palette::grey()).unwrap();
            assert_eq!(decoded.pixels(), both, "{lead} values and a run of {length}");
        }
    }
}

#[test]
fn hostile_streams_give_a_picture_or_a_described_error() {
    let good = vector("planar/64x35_ycocg_rle_ss.bin");
    for seed in 0..4000 {
        let mut random = Random::new(seed);
        let length = random.below(200);
        let mut data = if seed % 2 == 0 {
            random.bytes(length)
        } else {
            good.clone()
        };
        for _ in 0..random.below(5) {
            let at = random.below(data.len().max(1));
            if let Some(byte) = data.get_mut(at) {
                *byte = random.byte();
            }
        }
        let (width, height) = (random.pick(&[0, 1, 5, 64, 1000]), random.pick(&[0, 1, 2, 35]));
        is_total(&draw(width, height, 32, true, &data, &Palette::grey()));
    }
}
