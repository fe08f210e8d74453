//! Pixels to updates: one tile, in the form a client wants.

use std::cell::Cell;

use ironrdp_bulk::{CompressionType, Compressor};
use ironrdp_connector::ColorDepth;
use ironrdp_core::{WriteBuf, encode_vec};
use ironrdp_graphics::{
    Image, ImageMut, Palette, PixelFormat, Rect, Scratch, encode_planar, encode_raw, encode_rle,
};
use ironrdp_pdu::InclusiveRect;
use ironrdp_pdu::fastpath::UpdateCode;
use ironrdp_pdu::output::{BitmapData, BitmapFlags, BitmapList, CompressedDataHeader};

use crate::support::{ClientSupport, fast_path};
use crate::{Display, ServerError, ServerResult};

/// The colours of clients with 8 bits a pixel: 3 bits of red and green each, 2 of blue.
pub(crate) static PALETTE: std::sync::LazyLock<Palette> = std::sync::LazyLock::new(|| {
    Palette::from_rgb((0..=u8::MAX).map(|index| {
        let spread =
            |value: u8, max: u8| u8::try_from(u16::from(value) * 255 / u16::from(max)).unwrap_or(u8::MAX);
        [
            spread(index >> 5, 7),
            spread((index >> 2) & 7, 7),
            spread(index & 3, 3),
        ]
    }))
});

/// Everything that makes one client's bytes differ from another's: what one of a form is sent, all others of that form understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    format: PixelFormat,
    compressed: bool,
    /// Whether planar bitmaps need an alpha plane.
    alpha: bool,
    header: bool,
    /// Whether a tile of raw 32 bpp pixels can be sent as one update.
    large_updates: bool,
    carriage: Carriage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Carriage {
    /// Whole fast-path PDUs.
    FastPath { bulk: Option<CompressionType> },
    /// Bodies of Update PDUs, each behind its length: the headers around them name the client's share.
    SlowPath,
}

impl Form {
    /// Largest update of a tile: 64x64 raw pixels of 32 bits and headers.
    const LARGEST: usize = 64 * 64 * 4 + 64;

    pub(crate) fn new(depth: ColorDepth, support: &ClientSupport) -> Self {
        Self {
            format: match depth {
                ColorDepth::Bpp8 => PixelFormat::Palette8,
                ColorDepth::Bpp15 => PixelFormat::Rgb555,
                ColorDepth::Bpp16 => PixelFormat::Rgb565,
                ColorDepth::Bpp24 => PixelFormat::Bgr24,
                ColorDepth::Bpp32 => PixelFormat::Bgrx32,
            },
            compressed: support.bitmap_compression,
            alpha: depth == ColorDepth::Bpp32 && support.alpha_plane,
            header: support.bitmap_header,
            large_updates: support.takes_update_of(Self::LARGEST),
            carriage: if support.fast_path {
                Carriage::FastPath { bulk: support.bulk }
            } else {
                Carriage::SlowPath
            },
        }
    }

    /// Whether the bytes are bodies for [`bodies`] and not whole PDUs.
    pub(crate) const fn is_slow_path(&self) -> bool {
        matches!(self.carriage, Carriage::SlowPath)
    }

    pub(crate) const fn is_palette(&self) -> bool {
        matches!(self.format, PixelFormat::Palette8)
    }
}

/// The bodies in what [`tile`] gave for the slow path.
pub(crate) fn bodies(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (body, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some(body)
    })
}

/// Working memory, one a thread.
#[derive(Default)]
struct Workshop {
    scratch: Scratch,
    pixels: Vec<u8>,
    data: Vec<u8>,
    raw: Vec<u8>,
    k8: Option<Compressor>,
    k64: Option<Compressor>,
}

thread_local! {
    static WORKSHOP: Cell<Option<Box<Workshop>>> = const { Cell::new(None) };
}

/// Draws and encodes `part` of `display`, which is at most 64x64 pixels.
pub(crate) fn tile(display: &dyn Display, part: Rect, form: &Form) -> ServerResult<Vec<u8>> {
    let mut workshop = WORKSHOP.take().unwrap_or_default();
    let mut out = WriteBuf::new();
    let result = workshop.tile(display, part, form, &mut out);
    WORKSHOP.set(Some(workshop));
    result.map(|()| out.take())
}

impl Workshop {
    fn tile(
        &mut self,
        display: &dyn Display,
        part: Rect,
        form: &Form,
        out: &mut WriteBuf,
    ) -> ServerResult<()> {
        // 2.2.9.1.1.3.1.2.2: the width of a bitmap is a multiple of four; the rectangle says what of it counts.
        let width = part.width.next_multiple_of(4);
        let stride = usize::from(width) * 4;
        self.pixels.clear();
        self.pixels.resize(stride * usize::from(part.height), 0);
        display.paint(
            part,
            &mut ImageMut::new(&mut self.pixels, stride, part.width, part.height)?,
        );
        if width != part.width {
            pad(&mut self.pixels, stride, usize::from(part.width) * 4);
        }
        // Everything but raw 32 bpp pixels fits a single piece.
        let bands =
            if form.large_updates || (form.compressed && !form.alpha) || form.format != PixelFormat::Bgrx32 {
                1
            } else {
                2
            };
        let rows = part.height.div_ceil(bands).max(1);
        let pixels = std::mem::take(&mut self.pixels);
        let result = (0..part.height).step_by(rows.into()).try_for_each(|top| {
            let height = rows.min(part.height - top);
            let band =
                Image::new(&pixels, stride, width, part.height)?.part(Rect::new(0, top, width, height));
            let destination = Rect::new(part.left, part.top + top, part.width, height);
            self.band(&band, destination, form, out)
        });
        self.pixels = pixels;
        result
    }

    fn band(&mut self, image: &Image<'_>, part: Rect, form: &Form, out: &mut WriteBuf) -> ServerResult<()> {
        self.raw.clear();
        self.data.clear();
        let raw_size =
            usize::from(image.width()) * usize::from(image.height()) * form.format.bytes_per_pixel();
        if form.compressed {
            match form.format {
                PixelFormat::Bgrx32 => encode_planar(image, &mut self.scratch, &mut self.data),
                format => encode_rle(image, format, &PALETTE, &mut self.scratch, &mut self.data)?,
            }
        }
        let readable = !form.alpha || add_alpha(&mut self.data, image.width(), image.height());
        let compressed = form.compressed && readable && self.data.len() < raw_size;
        if !compressed {
            encode_raw(image, form.format, &PALETTE, &mut self.raw);
        }
        let mut flags = BitmapFlags::empty();
        if compressed {
            flags |= BitmapFlags::COMPRESSED;
            if !form.header {
                flags |= BitmapFlags::NO_COMPRESSED_DATA_HEADER;
            }
        }
        let data = if compressed { &self.data } else { &self.raw };
        let too_large = |_| ServerError::misuse("a tile is larger than its fields can say");
        let header = CompressedDataHeader {
            first_row_size: 0,
            main_body_size: u16::try_from(data.len()).map_err(too_large)?,
            scan_width: image.width(),
            uncompressed_size: u16::try_from(raw_size).map_err(too_large)?,
        };
        let rectangle = BitmapData {
            destination: inclusive(part),
            width: image.width(),
            height: image.height(),
            bits_per_pixel: form.format.bits_per_pixel(),
            flags,
            header: (compressed && form.header).then_some(header),
            data,
        };
        let update = encode_vec(&BitmapList {
            rectangles: &[rectangle],
        })?;
        match form.carriage {
            Carriage::FastPath { bulk } => {
                let compressor = match bulk {
                    None => None,
                    Some(CompressionType::K8) => Some(compressor(&mut self.k8, CompressionType::K8)?),
                    Some(_) => Some(compressor(&mut self.k64, CompressionType::K64)?),
                };
                fast_path(UpdateCode::Bitmap, &update, compressor, out)?;
            }
            Carriage::SlowPath => {
                let length = u32::try_from(update.len()).map_err(too_large)?;
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(&update);
            }
        }
        Ok(())
    }
}

/// Puts an opaque alpha plane before the others (MS-RDPEGDI 2.2.2.5.1); false if the planes are plain, which those who
/// need one do not read either.
fn add_alpha(data: &mut Vec<u8>, width: u16, height: u16) -> bool {
    const NO_ALPHA: u8 = 0x20;
    const RLE: u8 = 0x10;
    match data.first_mut() {
        Some(header) if *header & RLE != 0 => *header &= !NO_ALPHA,
        _ => return false,
    }
    let mut plane = vec![0x10, 0xff];
    alpha_run(width.saturating_sub(1), 0xff, &mut plane);
    // Rows above hold what differs from the one below: nothing.
    for _ in 1..height {
        alpha_run(width, 0, &mut plane);
    }
    data.splice(1..1, plane);
    true
}

/// `count` times what stands before; `value` for those that no run is short enough for.
fn alpha_run(mut count: u16, value: u8, out: &mut Vec<u8>) {
    while count > 0 {
        let run = match count {
            // A control byte with 1 or 2 in its low bits is a run of 16 or 32 more than its high bits say.
            32.. => count.min(47),
            3..32 => count,
            _ => {
                out.push(0x10);
                out.push(value);
                count -= 1;
                continue;
            }
        };
        let [low, _] = run.to_le_bytes();
        out.push(match run {
            32.. => (low - 32) << 4 | 2,
            16..32 => (low - 16) << 4 | 1,
            _ => low,
        });
        count -= run;
    }
}

fn compressor(slot: &mut Option<Compressor>, kind: CompressionType) -> ServerResult<&mut Compressor> {
    if slot.is_none() {
        *slot = Some(Compressor::new(kind)?);
    }
    slot.as_mut()
        .ok_or_else(|| ServerError::misuse("a compressor that was just made is gone"))
}

/// Repeats the last pixel of each row up to the row's end, which costs the least once compressed.
fn pad(pixels: &mut [u8], stride: usize, row: usize) {
    for line in pixels.chunks_exact_mut(stride) {
        let (used, rest) = line.split_at_mut(row);
        if let Some(last) = used.last_chunk::<4>() {
            for pixel in rest.as_chunks_mut::<4>().0 {
                *pixel = *last;
            }
        }
    }
}

/// A rectangle with its last row and column inside, as the wire has it. Not for empty ones.
pub(crate) fn inclusive(part: Rect) -> InclusiveRect {
    let last = |side: u32| u16::try_from(side.saturating_sub(1)).unwrap_or(u16::MAX);
    InclusiveRect {
        left: part.left,
        top: part.top,
        right: last(part.right()),
        bottom: last(part.bottom()),
    }
}

#[cfg(test)]
mod tests {
    use ironrdp_graphics::{BitmapSource, Framebuffer, draw_bitmap};

    use super::*;

    #[test]
    fn an_added_alpha_plane_changes_no_colour() {
        for width in [4, 8, 16, 20, 36, 48, 52, 64] {
            let mut drawn = Framebuffer::new(width, 5).unwrap();
            for x in 0..width {
                let shade = x.to_le_bytes()[0] / 3;
                drawn
                    .as_image_mut()
                    .fill(Rect::new(x, 0, 1, 5), [shade, 7, 255 - shade]);
            }
            let (mut scratch, mut data) = (Scratch::new(), Vec::new());
            encode_planar(&drawn.as_image(), &mut scratch, &mut data);
            assert!(add_alpha(&mut data, width, 5));
            assert_eq!(data[0], 0x10, "the only form that rdesktop reads");
            let mut seen = Framebuffer::new(width, 5).unwrap();
            let source = BitmapSource::new(width, 5, 32, true, &data).unwrap();
            let all = Rect::new(0, 0, width, 5);
            draw_bitmap(&source, &PALETTE, &mut scratch, &mut seen.as_image_mut(), all).unwrap();
            assert_eq!(seen.pixels(), drawn.pixels(), "{width}");
        }
    }

    #[test]
    fn planes_that_are_plain_are_left_alone() {
        let mut data = vec![0x20, 1, 2, 3, 0];
        assert!(!add_alpha(&mut data, 1, 1));
        assert_eq!(data, [0x20, 1, 2, 3, 0]);
    }

    #[test]
    fn bodies_end_where_their_lengths_say_and_a_lie_ends_them() {
        let bytes = [1, 0, 0, 0, 7, 2, 0, 0, 0, 8, 9, 5, 0, 0, 0, 1];
        let found: Vec<_> = bodies(&bytes).collect();
        assert_eq!(found, [&[7][..], &[8, 9]]);
    }
}
