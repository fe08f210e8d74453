//! The codecs of bytes and pixels.

use ironrdp_bulk::{CompressionFlags, CompressionType, Compressor, Decompressor};
use ironrdp_graphics::{
    BitmapSource, Framebuffer, Image, Palette, PixelFormat, PointerSource, Rect, Scratch, decode_pointer,
    draw_bitmap, draw_surface_bits, encode_planar, encode_raw, encode_rle,
};

/// The longest history there is.
const MAX_HISTORY: usize = 64 * 1024;

/// Bulk compression: packets of a hostile peer, and everything compressed gives itself back.
///
/// The bytes are packets: flags, length, data.
pub fn bulk(data: &[u8]) {
    let mut receiver = Decompressor::new();
    let mut rest = data;
    while let [flags, length, after @ ..] = rest {
        let (packet, next) = after.split_at(usize::from(*length).min(after.len()));
        if let Ok(plain) = receiver.decompress(CompressionFlags::from_bits(*flags), packet) {
            assert!(plain.len() <= MAX_HISTORY.max(packet.len()));
        }
        rest = next;
    }
    assert!(receiver.held_bytes() <= MAX_HISTORY);
    for kind in [CompressionType::K8, CompressionType::K64] {
        let Ok(mut sender) = Compressor::new(kind) else {
            continue;
        };
        let mut receiver = Decompressor::new();
        // Twice, so that the second time refers to the first.
        for part in [data, data] {
            let mut packet = Vec::new();
            let Some(flags) = sender.compress(part, &mut packet) else {
                continue;
            };
            assert!(packet.len() < part.len(), "compressed to more than before");
            let plain = receiver.decompress(flags, &packet);
            assert_eq!(plain.ok(), Some(part), "{kind:?}");
        }
    }
}

/// A picture's size is made of one byte a side, so that a run takes microseconds.
const SCREEN: u16 = 64;

/// Every bitmap form and pointer shapes: hostile data, and everything encoded gives itself back.
///
/// The bytes are depth and form, width, height, left, top, data.
pub fn graphics(data: &[u8]) {
    let [form, width, height, left, top, bytes @ ..] = data else {
        return;
    };
    let depth = [8, 15, 16, 24, 32, 1, 4, 0][usize::from(form & 7)];
    let (width, height) = (u16::from(*width), u16::from(*height));
    draw(depth, form & 8 != 0, (width, height), (*left, *top), bytes);
    let shape = PointerSource {
        width,
        height,
        xor_bits_per_pixel: depth,
        xor_mask: bytes,
        and_mask: bytes,
    };
    let mut rgba = Vec::new();
    if decode_pointer(&shape, Palette::shared_default(), &mut rgba).is_ok() {
        assert_eq!(rgba.len(), usize::from(width) * usize::from(height) * 4);
    }
    if form & 16 != 0 {
        codecs_round_trip(bytes);
    }
}

fn draw(depth: u16, compressed: bool, (width, height): (u16, u16), (left, top): (u8, u8), bytes: &[u8]) {
    let Ok(source) = BitmapSource::new(width, height, depth, compressed, bytes) else {
        return;
    };
    let Ok(mut screen) = Framebuffer::new(SCREEN, SCREEN) else {
        return;
    };
    let blank = screen.pixel(0, 0);
    let destination = Rect::new(left.into(), top.into(), width, height);
    let mut scratch = Scratch::new();
    let palette = Palette::shared_default();
    let drawn = draw_bitmap(
        &source,
        palette,
        &mut scratch,
        &mut screen.as_image_mut(),
        destination,
    );
    let bounds = Rect::new(0, 0, SCREEN, SCREEN);
    if let Ok(drawn) = drawn {
        assert!(drawn.is_empty() || bounds.contains(&drawn) && destination.contains(&drawn));
    }
    for y in 0..SCREEN {
        for x in 0..SCREEN {
            let inside = destination.contains(&Rect::new(x, y, 1, 1));
            assert!(inside || screen.pixel(x, y) == blank, "drew outside at {x}, {y}");
        }
    }
    let _ = draw_surface_bits(&source, palette, &mut screen.as_image_mut(), destination);
}

/// A picture of the bytes themselves, 16 pixels a row.
fn codecs_round_trip(bytes: &[u8]) {
    const WIDTH: u16 = 16;
    let rows = (bytes.len() / (usize::from(WIDTH) * 4)).min(usize::from(SCREEN));
    let Ok(height) = u16::try_from(rows) else { return };
    let mut pixels = bytes.to_vec();
    // The fourth byte of a pixel is no colour.
    pixels
        .as_chunks_mut::<4>()
        .0
        .iter_mut()
        .for_each(|pixel| pixel[3] = 0xff);
    let Ok(image) = Image::new(&pixels, usize::from(WIDTH) * 4, WIDTH, height) else {
        return;
    };
    let mut scratch = Scratch::new();
    let palette = Palette::shared_default();
    for format in [
        PixelFormat::Palette8,
        PixelFormat::Rgb555,
        PixelFormat::Rgb565,
        PixelFormat::Bgr24,
        PixelFormat::Bgrx32,
    ] {
        let mut raw = Vec::new();
        encode_raw(&image, format, palette, &mut raw);
        let mut packed = Vec::new();
        if format == PixelFormat::Bgrx32 {
            encode_planar(&image, &mut scratch, &mut packed);
        } else if encode_rle(&image, format, palette, &mut scratch, &mut packed).is_err() {
            continue;
        }
        let shown = |compressed, data: &[u8]| {
            let source = BitmapSource::new(WIDTH, height, format.bits_per_pixel(), compressed, data).ok()?;
            let mut screen = Framebuffer::new(WIDTH, height.max(1)).ok()?;
            let all = Rect::new(0, 0, WIDTH, height);
            draw_bitmap(
                &source,
                palette,
                &mut Scratch::new(),
                &mut screen.as_image_mut(),
                all,
            )
            .ok()?;
            Some(screen.pixels().to_vec())
        };
        assert_eq!(shown(false, &raw), shown(true, &packed), "{format:?}");
    }
}
