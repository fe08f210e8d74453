//! Pointer shapes.

use alloc::vec::Vec;

use ironrdp_core::{DecodeErrorKind, ReadCursor};

use crate::pixels;
use crate::{GraphicsError, GraphicsResult, Palette};

/// Longest side of a pointer: that of the large pointer capability (MS-RDPBCGR 2.2.7.2.7).
pub const MAX_POINTER_SIDE: u16 = 384;

const NAME: &str = "Pointer";

/// A pointer's two masks (`TS_COLORPOINTERATTRIBUTE` and `TS_POINTERATTRIBUTE`, MS-RDPBCGR 2.2.9.1.1.4.4 and 2.2.9.1.1.4.5).
#[derive(Debug, Clone, Copy)]
pub struct PointerSource<'a> {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Depth of the XOR mask: 1, 4, 8, 16, 24 or 32. A colour pointer update without a depth has 24.
    pub xor_bits_per_pixel: u16,
    /// Colours; rows padded to 2 bytes.
    pub xor_mask: &'a [u8],
    /// One bit a pixel; rows padded to 2 bytes. May be empty at 32 bpp, where the colours have alpha.
    pub and_mask: &'a [u8],
}

/// Replaces `rgba` by the picture of a pointer: rows from the top, bytes red, green, blue and straight alpha.
///
/// Where the AND bit is 1, a black pixel is transparent, and a white one means "invert the screen". Few window systems
/// can invert, so such pixels become a pattern of black and white that is seen on every ground. Any other colour is drawn.
/// At 32 bpp the alpha of the pixels is used, unless all of it is 0: then the pointer is of the old kind, and opaque where
/// the AND bit is 0.
///
/// The kind of the error is [`Limit`](crate::GraphicsErrorKind::Limit) above [`MAX_POINTER_SIDE`],
/// [`Unsupported`](crate::GraphicsErrorKind::Unsupported) for another depth, and
/// [`Malformed`](crate::GraphicsErrorKind::Malformed) when a mask is too short.
pub fn decode_pointer(
    source: &PointerSource<'_>,
    palette: &Palette,
    rgba: &mut Vec<u8>,
) -> GraphicsResult<()> {
    rgba.clear();
    let side = source.width.max(source.height);
    if side > MAX_POINTER_SIDE {
        let kind = DecodeErrorKind::Limit {
            got: usize::from(side),
            max: usize::from(MAX_POINTER_SIDE),
        };
        return Err(GraphicsError::wire(NAME, "width or height", kind));
    }
    let bits = source.xor_bits_per_pixel;
    if !matches!(bits, 1 | 4 | 8 | 16 | 24 | 32) {
        let kind = DecodeErrorKind::Unsupported { got: u64::from(bits) };
        return Err(GraphicsError::wire(NAME, "xorBpp", kind));
    }
    if source.width == 0 || source.height == 0 {
        return Ok(());
    }
    let xor = Mask::read(source, source.xor_mask, bits, "xorMaskData")?;
    let and = if bits == 32 && source.and_mask.is_empty() {
        None
    } else {
        Some(Mask::read(source, source.and_mask, 1, "andMaskData")?)
    };
    let has_alpha =
        bits == 32 && (0..source.height).any(|y| xor.row(y).as_chunks::<4>().0.iter().any(|p| p[3] != 0));

    let width = usize::from(source.width);
    rgba.resize(width * usize::from(source.height) * 4, 0);
    for (y, row) in (0..source.height).zip(rgba.chunks_exact_mut(width * 4)) {
        // 2.2.9.1.1.4.4 has the masks bottom-up. Monochrome ones are top-down all the same: the specification does not
        // say so, but FreeRDP draws them so.
        let line = if bits == 1 { y } else { source.height - 1 - y };
        let row = row.as_chunks_mut::<4>().0;
        colours(bits, has_alpha, xor.row(line), palette, row);
        let and = and.as_ref().map(|and| and.row(line));
        // Most rows have bits only where the pointer ends, and whole bytes are passed over at once.
        for (bits, (pixels, x)) in and
            .into_iter()
            .flatten()
            .zip(row.chunks_mut(8).zip((0..).step_by(8)))
        {
            if *bits == 0 {
                continue;
            }
            for (pixel, at) in pixels.iter_mut().zip(0..) {
                match *pixel {
                    _ if bits >> (7 - at) & 1 == 0 => {}
                    [0, 0, 0, 0xff] => *pixel = [0; 4],
                    [0xff, 0xff, 0xff, 0xff] => *pixel = inverted(x + at, y),
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

struct Mask<'a> {
    rows: &'a [u8],
    stride_bytes: usize,
}

impl<'a> Mask<'a> {
    fn read(
        source: &PointerSource<'_>,
        bytes: &'a [u8],
        bits: u16,
        field: &'static str,
    ) -> GraphicsResult<Self> {
        let stride_bytes = (usize::from(source.width) * usize::from(bits))
            .div_ceil(8)
            .next_multiple_of(2);
        let rows = ReadCursor::new(bytes)
            .bytes(stride_bytes * usize::from(source.height), field)
            .map_err(|error| error.in_pdu(NAME))?;
        Ok(Self { rows, stride_bytes })
    }

    fn row(&self, line: u16) -> &'a [u8] {
        &self.rows[usize::from(line) * self.stride_bytes..][..self.stride_bytes]
    }
}

/// The colours of a row of the XOR mask, opaque unless the mask has an alpha of its own.
fn colours(bits: u16, has_alpha: bool, row: &[u8], palette: &Palette, out: &mut [[u8; 4]]) {
    let opaque = |[red, green, blue]: [u8; 3]| [red, green, blue, 0xff];
    match bits {
        1 => {
            for (at, pixel) in out.iter_mut().enumerate() {
                *pixel = opaque([0_u8.wrapping_sub(row[at / 8] >> (7 - at % 8) & 1); 3]);
            }
        }
        4 => {
            for (at, pixel) in out.iter_mut().enumerate() {
                *pixel = opaque(palette.rgb(row[at / 2] >> (4 - at % 2 * 4) & 0x0f));
            }
        }
        8 => {
            for (pixel, index) in out.iter_mut().zip(row) {
                *pixel = opaque(palette.rgb(*index));
            }
        }
        16 => {
            // Not 5, 6, 5 as 16 bpp bitmaps are: the specification is silent, and FreeRDP takes them for 5, 5, 5.
            for (pixel, word) in out.iter_mut().zip(row.as_chunks().0) {
                let [blue, green, red, alpha] = pixels::rgb555(u16::from_le_bytes(*word)).to_le_bytes();
                *pixel = [red, green, blue, alpha];
            }
        }
        24 => {
            for (pixel, &[blue, green, red]) in out.iter_mut().zip(row.as_chunks().0) {
                *pixel = [red, green, blue, 0xff];
            }
        }
        _ => {
            let least = if has_alpha { 0 } else { 0xff };
            for (pixel, &[blue, green, red, alpha]) in out.iter_mut().zip(row.as_chunks().0) {
                *pixel = [red, green, blue, alpha | least];
            }
        }
    }
}

fn inverted(x: u16, y: u16) -> [u8; 4] {
    if (x ^ y) & 1 == 0 {
        [0, 0, 0, 0xff]
    } else {
        [0xff, 0xff, 0xff, 0xff]
    }
}
