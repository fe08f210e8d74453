//! One call for every form a bitmap comes in.

use alloc::vec::Vec;

use ironrdp_core::{DecodeErrorKind, ReadCursor};

use crate::pixels::{self, Narrow};
use crate::planar::Channels;
use crate::rle::Depth;
use crate::{
    GraphicsError, GraphicsResult, Image, ImageMut, Palette, PixelFormat, Rect, Scratch, planar, rle,
};

/// Most pixels a bitmap may have: as many as the largest desktop. Three bytes of RLE can stand for 65,535 pixels, so
/// without a limit 64 KiB from a hostile peer would keep a core busy for a second.
pub const MAX_BITMAP_PIXELS: u32 = 8192 * 8192;

const NAME: &str = "Bitmap";

/// A picture as the wire has it (`TS_BITMAP_DATA`, MS-RDPBCGR 2.2.9.1.1.3.1.2.2, without its compression header).
#[derive(Debug, Clone, Copy)]
pub struct BitmapSource<'a> {
    width: u16,
    height: u16,
    format: PixelFormat,
    compressed: bool,
    data: &'a [u8],
}

impl<'a> BitmapSource<'a> {
    /// `data` is raw pixels, or compressed: planar at 32 bpp, interleaved RLE below.
    ///
    /// The width is that of the data, which is often padded to a multiple of 4 and so wider than what is to be drawn.
    /// An odd `bits_per_pixel` is an error of kind [`Unsupported`](crate::GraphicsErrorKind::Unsupported), a size above
    /// [`MAX_BITMAP_PIXELS`] of kind [`Limit`](crate::GraphicsErrorKind::Limit).
    pub fn new(
        width: u16,
        height: u16,
        bits_per_pixel: u16,
        compressed: bool,
        data: &'a [u8],
    ) -> GraphicsResult<Self> {
        let Some(format) = PixelFormat::from_bits_per_pixel(bits_per_pixel) else {
            let kind = DecodeErrorKind::Unsupported {
                got: u64::from(bits_per_pixel),
            };
            return Err(GraphicsError::wire(NAME, "bitsPerPixel", kind));
        };
        let area = u32::from(width) * u32::from(height);
        if area > MAX_BITMAP_PIXELS {
            let kind = DecodeErrorKind::Limit {
                got: area as usize,
                max: MAX_BITMAP_PIXELS as usize,
            };
            return Err(GraphicsError::wire(NAME, "width * height", kind));
        }
        Ok(Self {
            width,
            height,
            format,
            compressed,
            data,
        })
    }

    /// Columns of the data.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Rows of the data.
    pub const fn height(&self) -> u16 {
        self.height
    }

    /// How a decompressed pixel lies in the data.
    pub const fn format(&self) -> PixelFormat {
        self.format
    }
}

/// Draws the top left of `source` into `destination`, clipped to the image, and says which pixels were written.
///
/// What the destination has beyond the bitmap stays as it is. `palette` matters at 8 bpp only. When the data turn out to
/// be malformed, rows before the bad place may have been drawn.
pub fn draw_bitmap(
    source: &BitmapSource<'_>,
    palette: &Palette,
    scratch: &mut Scratch,
    image: &mut ImageMut<'_>,
    destination: Rect,
) -> GraphicsResult<Rect> {
    let part = visible(source, image, destination);
    if part.is_empty() {
        return Ok(part);
    }
    if !source.compressed {
        draw_raw(source, palette, image, part)?;
        return Ok(part);
    }
    match source.format {
        PixelFormat::Palette8 => draw_rle::<rle::Palette8>(source, palette, scratch, image, part)?,
        PixelFormat::Rgb555 => draw_rle::<rle::Rgb555>(source, palette, scratch, image, part)?,
        PixelFormat::Rgb565 => draw_rle::<rle::Rgb565>(source, palette, scratch, image, part)?,
        PixelFormat::Bgr24 => draw_rle::<rle::Bgr24>(source, palette, scratch, image, part)?,
        PixelFormat::Bgrx32 => draw_planar(source, scratch, image, part)?,
    }
    Ok(part)
}

/// Draws uncompressed surface bits (`TS_BITMAP_DATA_EX` with codec id 0, MS-RDPBCGR 2.2.9.2.1.1).
///
/// Their rows run from the bottom like those of any bitmap, which the specification leaves open: Weston sends and
/// FreeRDP expects them so. Their rows are not padded. Everything else is as in [`draw_bitmap`].
pub fn draw_surface_bits(
    source: &BitmapSource<'_>,
    palette: &Palette,
    image: &mut ImageMut<'_>,
    destination: Rect,
) -> GraphicsResult<Rect> {
    if source.compressed {
        return Err(GraphicsError::misuse(
            "surface bits with a codec were passed to the call for those without",
        ));
    }
    let part = visible(source, image, destination);
    if part.is_empty() {
        return Ok(part);
    }
    let row_bytes = usize::from(source.width) * source.format.bytes_per_pixel();
    draw_rows(source, row_bytes, palette, image, part)?;
    Ok(part)
}

/// Appends `image` as raw pixels of `format`: rows from the bottom, each padded to 4 bytes.
pub fn encode_raw(image: &Image<'_>, format: PixelFormat, palette: &Palette, out: &mut Vec<u8>) {
    if format == PixelFormat::Bgrx32 {
        for row in image.rows().rev() {
            out.extend_from_slice(row);
        }
        return;
    }
    let stride_bytes = padded(usize::from(image.width()) * format.bytes_per_pixel());
    if stride_bytes == 0 {
        return;
    }
    let start = out.len();
    out.resize(start + stride_bytes * usize::from(image.height()), 0);
    let mut narrow = Narrow::to(format, palette);
    for (from, to) in image
        .rows()
        .rev()
        .zip(out[start..].chunks_exact_mut(stride_bytes))
    {
        narrow.row_to_bytes(from, to);
    }
}

/// What of the destination is covered by the bitmap and lies inside the image.
fn visible(source: &BitmapSource<'_>, image: &ImageMut<'_>, destination: Rect) -> Rect {
    let covered = Rect {
        width: destination.width.min(source.width),
        height: destination.height.min(source.height),
        ..destination
    };
    covered.intersection(&image.bounds())
}

const fn padded(row_bytes: usize) -> usize {
    row_bytes.next_multiple_of(4)
}

fn draw_raw(
    source: &BitmapSource<'_>,
    palette: &Palette,
    image: &mut ImageMut<'_>,
    part: Rect,
) -> GraphicsResult<()> {
    let row_bytes = usize::from(source.width) * source.format.bytes_per_pixel();
    draw_rows(source, padded(row_bytes), palette, image, part)
}

fn draw_rows(
    source: &BitmapSource<'_>,
    stride_bytes: usize,
    palette: &Palette,
    image: &mut ImageMut<'_>,
    part: Rect,
) -> GraphicsResult<()> {
    let row_bytes = usize::from(source.width) * source.format.bytes_per_pixel();
    // The padding of the last row is of no use to anyone, so a peer that leaves it out is understood.
    let needed = stride_bytes * (usize::from(source.height) - 1) + row_bytes;
    let data = ReadCursor::new(source.data)
        .bytes(needed, "bitmapDataStream")
        .map_err(|error| error.in_pdu(NAME))?;
    let last = usize::from(source.height) - 1;
    for y in 0..usize::from(part.height) {
        let row = &data[(last - y) * stride_bytes..][..row_bytes];
        source.format.widen_row(palette, row, image.part_mut(part, y));
    }
    Ok(())
}

fn draw_rle<D: Depth>(
    source: &BitmapSource<'_>,
    palette: &Palette,
    scratch: &mut Scratch,
    image: &mut ImageMut<'_>,
    part: Rect,
) -> GraphicsResult<()> {
    let last = usize::from(source.height) - 1;
    rle::decode::<D>(
        source.data,
        source.width,
        source.height,
        scratch,
        |row, pixels| {
            let y = last - row;
            if y < usize::from(part.height) {
                D::draw(pixels, palette, image.part_mut(part, y));
            }
        },
    )?;
    Ok(())
}

fn draw_planar(
    source: &BitmapSource<'_>,
    scratch: &mut Scratch,
    image: &mut ImageMut<'_>,
    part: Rect,
) -> GraphicsResult<()> {
    let last = usize::from(source.height) - 1;
    planar::decode(
        source.data,
        source.width,
        source.height,
        scratch,
        |row, channels| {
            let y = last - row;
            if y < usize::from(part.height) {
                let Channels { red, green, blue } = channels;
                pixels::planes_row(blue, green, red, image.part_mut(part, y));
            }
        },
    )?;
    Ok(())
}
