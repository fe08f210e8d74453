//! From the bytes of an update to framebuffer pixels, for each form of bitmap, and back: `cargo bench -p ironrdp-graphics`.
//!
//! The bar: raw 32 bpp within twice the time of a plain copy (`copy_plain`) of as many bytes.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use ironrdp_graphics::{
    BitmapSource, Framebuffer, Palette, PixelFormat, Rect, Scratch, draw_bitmap, encode_planar, encode_raw,
    encode_rle,
};

const SIZES: [(u16, u16); 2] = [(64, 64), (1024, 768)];

fn main() {
    divan::main();
}

/// Windows with text on a gradient, roughly: runs, repeated rows, and places where nothing repeats.
fn desktop(width: u16, height: u16) -> Framebuffer {
    let mut framebuffer = Framebuffer::new(width, height).unwrap();
    let mut image = framebuffer.as_image_mut();
    let mut noise = 0x2545_f491_u32;
    for y in 0..height {
        let row = image.row_mut(y).unwrap().as_chunks_mut::<4>().0;
        for (x, pixel) in row.iter_mut().enumerate() {
            let level = (usize::from(y) / 2).to_le_bytes()[0];
            *pixel = match (x / 16 % 8, y / 16 % 8) {
                (0 | 1, _) => [level, 0x6e, 0x2e, 0xff],
                (_, 0) => [0xb0, 0x70, 0x30, 0xff],
                (2..6, 1..5) => {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    if noise >> 29 == 0 {
                        [0, 0, 0, 0xff]
                    } else {
                        [0xff; 4]
                    }
                }
                (6, 1) => {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    noise.to_le_bytes()
                }
                _ => [0xf0, 0xf0, 0xf0, 0xff],
            };
            pixel[3] = 0xff;
        }
    }
    framebuffer
}

fn draw(bencher: Bencher<'_, '_>, (width, height): (u16, u16), bits: u16, compressed: bool, data: &[u8]) {
    let mut framebuffer = Framebuffer::new(width, height).unwrap();
    let mut scratch = Scratch::new();
    let palette = Palette::grey();
    let source = BitmapSource::new(width, height, bits, compressed, data).unwrap();
    bencher
        .counter(BytesCount::new(framebuffer.pixels().len()))
        .bench_local(|| {
            draw_bitmap(
                black_box(&source),
                &palette,
                &mut scratch,
                &mut framebuffer.as_image_mut(),
                Rect::new(0, 0, width, height),
            )
            .unwrap()
        });
}

#[divan::bench(args = SIZES)]
fn copy_plain(bencher: Bencher<'_, '_>, (width, height): (u16, u16)) {
    let source = desktop(width, height);
    let mut target = Framebuffer::new(width, height).unwrap();
    bencher
        .counter(BytesCount::new(source.pixels().len()))
        .bench_local(|| {
            // Row by row from the bottom, as a bitmap is drawn.
            let mut image = target.as_image_mut();
            for (y, row) in (0..height).rev().zip(black_box(&source).as_image().rows()) {
                image.row_mut(y).unwrap().copy_from_slice(row);
            }
        });
}

#[divan::bench(args = SIZES, consts = [8, 15, 16, 24, 32])]
fn draw_raw<const BITS: u16>(bencher: Bencher<'_, '_>, size: (u16, u16)) {
    let mut data = Vec::new();
    let format = PixelFormat::from_bits_per_pixel(BITS).unwrap();
    encode_raw(
        &desktop(size.0, size.1).as_image(),
        format,
        &Palette::grey(),
        &mut data,
    );
    draw(bencher, size, BITS, false, &data);
}

#[divan::bench(args = SIZES, consts = [8, 15, 16, 24])]
fn draw_rle<const BITS: u16>(bencher: Bencher<'_, '_>, size: (u16, u16)) {
    let mut data = Vec::new();
    let format = PixelFormat::from_bits_per_pixel(BITS).unwrap();
    encode_rle(
        &desktop(size.0, size.1).as_image(),
        format,
        &Palette::grey(),
        &mut Scratch::new(),
        &mut data,
    )
    .unwrap();
    draw(bencher, size, BITS, true, &data);
}

#[divan::bench(args = SIZES)]
fn draw_planar(bencher: Bencher<'_, '_>, size: (u16, u16)) {
    let mut data = Vec::new();
    encode_planar(
        &desktop(size.0, size.1).as_image(),
        &mut Scratch::new(),
        &mut data,
    );
    draw(bencher, size, 32, true, &data);
}

/// Planes without runs.
#[divan::bench(args = SIZES)]
fn draw_planar_raw(bencher: Bencher<'_, '_>, size: (u16, u16)) {
    let plane = usize::from(size.0) * usize::from(size.1);
    let mut data = vec![0x20];
    data.extend((0..plane * 3).map(|index| index.to_le_bytes()[0]));
    draw(bencher, size, 32, true, &data);
}

/// What a server is asked to encode: a desktop, and what is easiest and hardest.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Desktop,
    Flat,
    Noise,
}

/// Tiles of a server, and a whole desktop.
const SOURCES: [(Kind, u16, u16); 4] = [
    (Kind::Desktop, 64, 64),
    (Kind::Flat, 64, 64),
    (Kind::Noise, 64, 64),
    (Kind::Desktop, 1024, 768),
];

fn source((kind, width, height): (Kind, u16, u16)) -> Framebuffer {
    let mut framebuffer = Framebuffer::new(width, height).unwrap();
    let mut noise = 0x2545_f491_u32;
    match kind {
        Kind::Desktop => return desktop(width, height),
        Kind::Flat => framebuffer
            .as_image_mut()
            .fill(Rect::new(0, 0, width, height), [0x30, 0x70, 0xb0]),
        Kind::Noise => {
            for y in 0..height {
                for pixel in framebuffer
                    .as_image_mut()
                    .row_mut(y)
                    .unwrap()
                    .as_chunks_mut::<4>()
                    .0
                {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let [_, blue, green, red] = noise.to_le_bytes();
                    *pixel = [blue, green, red, 0xff];
                }
            }
        }
    }
    framebuffer
}

fn encode(
    bencher: Bencher<'_, '_>,
    which: (Kind, u16, u16),
    mut encode: impl FnMut(&Framebuffer, &mut Scratch, &mut Vec<u8>),
) {
    let source = source(which);
    let (mut scratch, mut out) = (Scratch::new(), Vec::new());
    bencher
        .counter(BytesCount::new(source.pixels().len()))
        .bench_local(|| {
            out.clear();
            encode(black_box(&source), &mut scratch, &mut out);
        });
}

#[divan::bench(args = SOURCES, consts = [15, 16, 24])]
fn encode_rle_at<const BITS: u16>(bencher: Bencher<'_, '_>, which: (Kind, u16, u16)) {
    let format = PixelFormat::from_bits_per_pixel(BITS).unwrap();
    let palette = Palette::grey();
    encode(bencher, which, |source, scratch, out| {
        encode_rle(&source.as_image(), format, &palette, scratch, out).unwrap();
    });
}

#[divan::bench(args = SOURCES)]
fn encode_planar_at(bencher: Bencher<'_, '_>, which: (Kind, u16, u16)) {
    encode(bencher, which, |source, scratch, out| {
        encode_planar(&source.as_image(), scratch, out);
    });
}

#[divan::bench(args = SOURCES, consts = [16, 24, 32])]
fn encode_raw_at<const BITS: u16>(bencher: Bencher<'_, '_>, which: (Kind, u16, u16)) {
    let format = PixelFormat::from_bits_per_pixel(BITS).unwrap();
    let palette = Palette::grey();
    encode(bencher, which, |source, _, out| {
        encode_raw(&source.as_image(), format, &palette, out);
    });
}
