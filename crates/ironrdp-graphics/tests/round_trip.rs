//! Properties of the bitmap encoders over sizes, depths and kinds of pictures: what was encoded decodes to the same, and
//! is never longer than promised. Every case names its seed.
#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod common;

use common::{Random, draw, picture, reduce};
use ironrdp_graphics::{
    Framebuffer, Image, Palette, PixelFormat, Scratch, encode_planar, encode_raw, encode_rle,
};

const DEPTHS: [u16; 5] = [8, 15, 16, 24, 32];

/// Colours of few bits, so that the search for the nearest of them stays fast.
fn palette() -> Palette {
    Palette::from_rgb((0..=255).map(|index: u8| [index & 0xe0, index << 3 & 0xe0, index << 6]))
}

/// The most bytes that an encoder may give for so many pixels.
fn bound(bits: u16, compressed: bool, width: usize, height: usize) -> usize {
    let pixels = width * height;
    let bytes = PixelFormat::from_bits_per_pixel(bits).unwrap().bytes_per_pixel();
    match (compressed, bits) {
        (false, _) => (width * bytes).next_multiple_of(4) * height,
        (true, 32) => 3 * pixels + 2,
        (true, _) => bytes * pixels + 3 + pixels / 288,
    }
}

/// Encodes in every form of every depth, decodes, and compares; a failure names `context`.
fn survives(source: &Framebuffer, depths: &[u16], palette: &Palette, scratch: &mut Scratch, context: &str) {
    let (width, height) = (source.width(), source.height());
    let image = source.as_image();
    for &bits in depths {
        let format = PixelFormat::from_bits_per_pixel(bits).unwrap();
        let expected: Vec<u8> = source
            .pixels()
            .as_chunks()
            .0
            .iter()
            .flat_map(|&pixel| reduce(bits, palette, pixel))
            .collect();
        for compressed in [false, true] {
            // What stands in the buffer already stays.
            let mut data = vec![0xee; 3];
            match (compressed, bits) {
                (false, _) => encode_raw(&image, format, palette, &mut data),
                (true, 32) => encode_planar(&image, scratch, &mut data),
                (true, _) => encode_rle(&image, format, palette, scratch, &mut data).unwrap(),
            }
            assert_eq!(data[..3], [0xee; 3]);
            let data = &data[3..];
            let form = format!("{width}x{height} at {bits} bpp, compressed {compressed}, {context}");
            let most = bound(bits, compressed, width.into(), height.into());
            assert!(
                data.len() <= most,
                "{} bytes where {most} are promised: {form}",
                data.len()
            );
            let decoded = draw(width, height, bits, compressed, data, palette)
                .unwrap_or_else(|error| panic!("{error}: {form}"));
            if decoded.pixels() != expected {
                let at = decoded
                    .pixels()
                    .iter()
                    .zip(&expected)
                    .position(|(got, want)| got != want);
                panic!("byte {at:?} of the pixels differs: {form}");
            }
        }
    }
}

/// A picture of one kind everywhere, or of several side by side.
fn mixed(random: &mut Random, width: u16, height: u16) -> Framebuffer {
    let mut whole = picture(random, width, height);
    for _ in 0..random.below(3) {
        let other = picture(random, width, height);
        let side =
            |random: &mut Random, most: u16| u16::try_from(random.below(usize::from(most) + 1)).unwrap();
        let part = ironrdp_graphics::Rect::new(
            side(random, width),
            side(random, height),
            side(random, width),
            side(random, height),
        );
        whole.as_image_mut().copy(&other.as_image(), part);
    }
    whole
}

#[test]
fn every_small_size_survives_at_every_depth() {
    let (mut scratch, palette) = (Scratch::new(), palette());
    for width in 1..=20 {
        for height in 1..=6 {
            for seed in 0..6 {
                let seed = seed + 100 * u64::from(width) + 10_000 * u64::from(height);
                let source = mixed(&mut Random::new(seed), width, height);
                survives(&source, &DEPTHS, &palette, &mut scratch, &format!("seed {seed}"));
            }
        }
    }
}

#[test]
fn odd_and_large_sizes_survive_at_every_depth() {
    let (mut scratch, palette) = (Scratch::new(), palette());
    for seed in 0..220 {
        let mut random = Random::new(seed);
        // Around the lengths where a field or a segment ends, and anything between.
        let width = match random.below(3) {
            0 => random.pick(&[31, 33, 63, 65, 127, 129, 255, 257, 287, 289, 511, 513]),
            _ => u16::try_from(1 + random.below(400)).unwrap(),
        };
        let height = u16::try_from(1 + random.below(24)).unwrap();
        let source = mixed(&mut random, width, height);
        survives(&source, &DEPTHS, &palette, &mut scratch, &format!("seed {seed}"));
    }
}

#[test]
fn the_widest_and_the_highest_desktops_survive_at_every_depth() {
    let (mut scratch, palette) = (Scratch::new(), palette());
    for (width, height) in [
        (8192, 1),
        (8192, 9),
        (8191, 3),
        (1, 8192),
        (3, 8191),
        (4097, 5),
        (5, 4097),
    ] {
        for seed in 0..7 {
            let source = mixed(&mut Random::new(seed), width, height);
            survives(&source, &DEPTHS, &palette, &mut scratch, &format!("seed {seed}"));
        }
    }
}

#[test]
fn a_whole_desktop_of_text_and_gradients_survives_and_shrinks() {
    let (mut scratch, palette) = (Scratch::new(), palette());
    let mut source = Framebuffer::new(1023, 767).unwrap();
    let mut random = Random::new(9);
    for y in 0..767 {
        for (x, pixel) in source
            .as_image_mut()
            .row_mut(y)
            .unwrap()
            .as_chunks_mut::<4>()
            .0
            .iter_mut()
            .enumerate()
        {
            let ink = x % 9 < 6 && y % 16 > 3 && random.below(3) == 0;
            let level = (usize::from(y) / 3).to_le_bytes()[0];
            *pixel = match (x < 600, ink) {
                (true, true) => [0x20, 0x10, 0, 0xff],
                (true, false) => [0xff; 4],
                (false, _) => [level, level / 2, 0x80, 0xff],
            };
        }
    }
    survives(&source, &DEPTHS, &palette, &mut scratch, "a desktop");
    let mut data = Vec::new();
    for bits in [15, 16, 24] {
        data.clear();
        let format = PixelFormat::from_bits_per_pixel(bits).unwrap();
        encode_rle(&source.as_image(), format, &palette, &mut scratch, &mut data).unwrap();
        assert!(
            data.len() < 1023 * 767 * format.bytes_per_pixel() / 4,
            "{} bytes at {bits} bpp",
            data.len()
        );
    }
    data.clear();
    encode_planar(&source.as_image(), &mut scratch, &mut data);
    assert!(data.len() < 1023 * 767 * 3 / 3, "{} bytes of planes", data.len());
}

/// Palette indices as a picture of greys, which the grey palette gives back.
fn greys(indices: &[u8], width: u16) -> Framebuffer {
    let height = u16::try_from(indices.len() / usize::from(width)).unwrap();
    let pixels: Vec<u8> = indices
        .iter()
        .flat_map(|&index| [index, index, index, 0xff])
        .collect();
    let image = Image::new(&pixels, usize::from(width) * 4, width, height).unwrap();
    let mut framebuffer = Framebuffer::new(width, height).unwrap();
    framebuffer.as_image_mut().copy(&image, image.bounds());
    framebuffer
}

/// Noise costs a header a segment, and the least run that pays ends each: no stream can be longer.
#[test]
fn pictures_made_to_cost_headers_stay_within_the_bound() {
    let mut scratch = Scratch::new();
    let mut longest = 0;
    for (noise, run) in [
        (1, 2),
        (1, 3),
        (31, 3),
        (32, 4),
        (287, 4),
        (288, 4),
        (289, 5),
        (400, 3),
        (1000, 4),
    ] {
        for seed in 0..8 {
            let mut random = Random::new(seed + 31 * noise);
            let mut indices = Vec::new();
            let (mut last, mut before) = (0, 0);
            while indices.len() < 8192 * 4 {
                for _ in 0..noise {
                    // Not what a run, a pair or a repetition of the row below would stand for.
                    let below = indices.len().checked_sub(8192).map_or(0, |at| indices[at]);
                    let value = loop {
                        let value = random.byte();
                        if ![0, 255, last, before, below].contains(&value) {
                            break value;
                        }
                    };
                    (before, last) = (last, value);
                    indices.push(value);
                }
                indices.extend(std::iter::repeat_n(last, run));
            }
            indices.truncate(8192 * 4);
            let source = greys(&indices, 8192);
            let mut data = Vec::new();
            let (image, grey) = (source.as_image(), Palette::grey());
            encode_rle(&image, PixelFormat::Palette8, &grey, &mut scratch, &mut data).unwrap();
            longest = longest.max(data.len());
            let context = format!("noise of {noise}, runs of {run}, seed {seed}");
            survives(&source, &[8, 32], &Palette::grey(), &mut scratch, &context);
        }
    }
    // Some of them come close, or the bound would not have been tried.
    assert!(longest > 8192 * 4 + 8192 * 4 / 450, "{longest} bytes");
}
