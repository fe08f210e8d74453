//! Drawing: clipping, row order, padding, and that warm calls allocate nothing.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod common;

use common::{Random, draw, picture, reduce};
use ironrdp_graphics::{
    BitmapSource, Framebuffer, GraphicsErrorKind, ImageMut, MAX_BITMAP_PIXELS, Palette, PixelFormat, Rect,
    Scratch, draw_bitmap, draw_surface_bits, encode_planar, encode_raw, encode_rle,
};

const DEPTHS: [u16; 5] = [8, 15, 16, 24, 32];

/// A picture in every form of a depth: raw, and compressed.
fn forms(source: &Framebuffer, bits: u16) -> [(bool, Vec<u8>); 2] {
    let format = PixelFormat::from_bits_per_pixel(bits).unwrap();
    let (mut raw, mut compressed) = (Vec::new(), Vec::new());
    let image = source.as_image();
    encode_raw(&image, format, &Palette::grey(), &mut raw);
    if bits == 32 {
        encode_planar(&image, &mut Scratch::new(), &mut compressed);
    } else {
        encode_rle(
            &image,
            format,
            &Palette::grey(),
            &mut Scratch::new(),
            &mut compressed,
        )
        .unwrap();
    }
    [(false, raw), (true, compressed)]
}

#[test]
fn every_form_shows_the_same_picture() {
    for seed in 0..30 {
        let mut random = Random::new(seed);
        let (width, height) = (random.pick(&[1, 2, 3, 5, 64, 67]), random.pick(&[1, 2, 9, 64]));
        let source = picture(&mut random, width, height);
        for bits in DEPTHS {
            for (compressed, data) in forms(&source, bits) {
                let decoded = draw(width, height, bits, compressed, &data, &Palette::grey()).unwrap();
                for (&from, &to) in source
                    .pixels()
                    .as_chunks()
                    .0
                    .iter()
                    .zip(decoded.pixels().as_chunks().0)
                {
                    assert_eq!(
                        to,
                        reduce(bits, &Palette::grey(), from),
                        "seed {seed}, {bits} bpp, compressed {compressed}"
                    );
                }
            }
        }
    }
}

#[test]
fn drawing_is_clipped_to_the_destination_and_to_the_image() {
    const MARK: u8 = 0xcd;
    let source = picture(&mut Random::new(5), 16, 12);
    let destinations = [
        Rect::new(3, 2, 16, 12),
        Rect::new(0, 0, 5, 4),
        Rect::new(20, 20, 16, 12),
        Rect::new(0, 0, 100, 100),
        Rect::new(40, 0, 16, 12),
        Rect::new(0, 40, 16, 12),
        Rect::new(u16::MAX, u16::MAX, 16, 12),
        Rect::new(1, 1, 0, 12),
    ];
    for bits in DEPTHS {
        for (compressed, data) in forms(&source, bits) {
            for destination in destinations {
                // A stride with room at the end shows a write past a row.
                let (width, height, stride) = (25_u16, 24_u16, 25 * 4 + 8);
                let mut bytes = vec![MARK; stride * usize::from(height)];
                let mut image = ImageMut::new(&mut bytes, stride, width, height).unwrap();
                let bitmap = BitmapSource::new(16, 12, bits, compressed, &data).unwrap();
                let drawn = draw_bitmap(
                    &bitmap,
                    &Palette::grey(),
                    &mut Scratch::new(),
                    &mut image,
                    destination,
                )
                .unwrap();
                let wanted = Rect {
                    width: destination.width.min(16),
                    height: destination.height.min(12),
                    ..destination
                }
                .intersection(&Rect::new(0, 0, width, height));
                assert_eq!(drawn, wanted);
                for y in 0..height {
                    for x in 0..usize::from(stride.to_le_bytes()[0] / 4) {
                        let pixel: [u8; 4] =
                            bytes[usize::from(y) * stride + x * 4..][..4].try_into().unwrap();
                        let x = u16::try_from(x).unwrap();
                        let expected = if drawn.contains(&Rect::new(x, y, 1, 1)) {
                            let from = source.pixel(x - drawn.left, y - drawn.top).unwrap();
                            reduce(bits, &Palette::grey(), from)
                        } else {
                            [MARK; 4]
                        };
                        assert_eq!(
                            pixel, expected,
                            "{bits} bpp, compressed {compressed}, {destination:?} at {x},{y}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn raw_rows_are_padded_to_four_bytes_and_run_from_the_bottom() {
    // Two rows of one 24 bpp pixel; the padding of the last row may be missing.
    let data = [1, 2, 3, 0xee, 4, 5, 6, 0xee];
    for end in [7, 8] {
        let decoded = draw(1, 2, 24, false, &data[..end], &Palette::grey()).unwrap();
        assert_eq!(decoded.pixels(), [4, 5, 6, 255, 1, 2, 3, 255]);
    }
    let error = draw(1, 2, 24, false, &data[..6], &Palette::grey()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "malformed Bitmap at byte 0: bitmapDataStream needs 7 bytes, 6 left"
    );
}

#[test]
fn surface_bits_have_no_padding_and_run_from_the_bottom_too() {
    let mut framebuffer = Framebuffer::new(4, 4).unwrap();
    let data = [1, 2, 3, 4, 5, 6];
    let source = BitmapSource::new(1, 2, 24, false, &data).unwrap();
    let drawn = draw_surface_bits(
        &source,
        &Palette::grey(),
        &mut framebuffer.as_image_mut(),
        Rect::new(1, 1, 1, 2),
    )
    .unwrap();
    assert_eq!(drawn, Rect::new(1, 1, 1, 2));
    assert_eq!(framebuffer.pixel(1, 1), Some([4, 5, 6, 255]));
    assert_eq!(framebuffer.pixel(1, 2), Some([1, 2, 3, 255]));
    for end in 0..data.len() {
        let source = BitmapSource::new(1, 2, 24, false, &data[..end]).unwrap();
        let error = draw_surface_bits(
            &source,
            &Palette::grey(),
            &mut framebuffer.as_image_mut(),
            Rect::new(0, 0, 1, 2),
        )
        .unwrap_err();
        assert_eq!(error.kind(), GraphicsErrorKind::Malformed);
    }
    let compressed = BitmapSource::new(1, 2, 24, true, &data).unwrap();
    let error = draw_surface_bits(
        &compressed,
        &Palette::grey(),
        &mut framebuffer.as_image_mut(),
        Rect::new(0, 0, 1, 2),
    )
    .unwrap_err();
    assert_eq!(error.kind(), GraphicsErrorKind::Misuse);
}

#[test]
fn odd_depths_and_sizes_beyond_a_desktop_are_refused() {
    let error = BitmapSource::new(1, 1, 4, false, &[]).unwrap_err();
    assert_eq!(error.kind(), GraphicsErrorKind::Unsupported);
    assert_eq!(
        error.to_string(),
        "unsupported Bitmap at byte 0: bitsPerPixel is 4"
    );
    let error = BitmapSource::new(u16::MAX, u16::MAX, 8, true, &[]).unwrap_err();
    assert_eq!(error.kind(), GraphicsErrorKind::Limit);
    assert!(u64::from(MAX_BITMAP_PIXELS) >= 7680 * 4320);
}

#[test]
fn palette_colours_are_drawn_at_8_bits() {
    let palette = Palette::from_rgb([[10, 20, 30], [40, 50, 60]]);
    let raw = draw(2, 1, 8, false, &[1, 0, 0, 0], &palette).unwrap();
    assert_eq!(raw.pixels(), [60, 50, 40, 255, 30, 20, 10, 255]);
    let rle = draw(2, 1, 8, true, &[0x82, 1, 0], &palette).unwrap();
    assert_eq!(rle.pixels(), raw.pixels());
}

#[test]
fn a_warm_scratch_stays_as_it_is_and_small() {
    let source = picture(&mut Random::new(9), 1024, 64);
    let mut framebuffer = Framebuffer::new(1024, 64).unwrap();
    let mut scratch = Scratch::new();
    let encoded: Vec<_> = DEPTHS.iter().map(|&bits| (bits, forms(&source, bits))).collect();
    let mut held = None;
    for _ in 0..3 {
        for (bits, forms) in &encoded {
            for (compressed, data) in forms {
                let bitmap = BitmapSource::new(1024, 64, *bits, *compressed, data).unwrap();
                draw_bitmap(
                    &bitmap,
                    &Palette::grey(),
                    &mut scratch,
                    &mut framebuffer.as_image_mut(),
                    Rect::new(0, 0, 1024, 64),
                )
                .unwrap();
            }
        }
        let now = scratch.held_bytes();
        assert_eq!(*held.get_or_insert(now), now);
    }
    // A few rows, not a picture.
    assert!(scratch.held_bytes() <= 1024 * 24, "{}", scratch.held_bytes());
    scratch.release();
    assert_eq!(scratch.held_bytes(), 0);
}
