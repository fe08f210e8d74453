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

/// Everything that makes one client's bytes differ from another's: clients of equal form get equal bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    format: PixelFormat,
    compressed: bool,
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
        let bands = if form.large_updates || form.compressed || form.format != PixelFormat::Bgrx32 {
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
        let compressed = form.compressed && self.data.len() < raw_size;
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
