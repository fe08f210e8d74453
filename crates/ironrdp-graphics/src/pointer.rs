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

    rgba.reserve(usize::from(source.width) * usize::from(source.height) * 4);
    for y in 0..source.height {
        // 2.2.9.1.1.4.4 has the masks bottom-up. Monochrome ones are top-down all the same: the specification does not
        // say so, but FreeRDP draws them so.
        let line = if bits == 1 { y } else { source.height - 1 - y };
        let (colours, and) = (xor.row(line), and.as_ref().map(|and| and.row(line)));
        for x in 0..source.width {
            let at = usize::from(x);
            let opaque_below = and.is_none_or(|and| bit(and, at) == 0);
            let [red, green, blue, alpha] = match colour(bits, colours, at, palette) {
                [red, green, blue, alpha] if has_alpha => [red, green, blue, alpha],
                [red, green, blue, _] => [red, green, blue, 0xff],
            };
            rgba.extend(match [red, green, blue, alpha] {
                [0, 0, 0, 0xff] if !opaque_below => [0, 0, 0, 0],
                [0xff, 0xff, 0xff, 0xff] if !opaque_below => inverted(x, y),
                pixel => pixel,
            });
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

fn bit(row: &[u8], at: usize) -> u8 {
    row[at / 8] >> (7 - at % 8) & 1
}

/// Red, green, blue and alpha; the last matters at 32 bpp only.
fn colour(bits: u16, row: &[u8], at: usize, palette: &Palette) -> [u8; 4] {
    let opaque = |[red, green, blue]: [u8; 3]| [red, green, blue, 0xff];
    let from_word = |word: u32| {
        let [blue, green, red, _] = word.to_le_bytes();
        [red, green, blue, 0xff]
    };
    match bits {
        1 => opaque([0_u8.wrapping_sub(bit(row, at)); 3]),
        4 => opaque(palette.rgb(row[at / 2] >> (4 - at % 2 * 4) & 0x0f)),
        8 => opaque(palette.rgb(row[at])),
        // Not 5, 6, 5 as 16 bpp bitmaps are: the specification is silent, and FreeRDP takes them for 5, 5, 5.
        16 => from_word(pixels::rgb555(u16::from_le_bytes([row[at * 2], row[at * 2 + 1]]))),
        24 => opaque([row[at * 3 + 2], row[at * 3 + 1], row[at * 3]]),
        _ => [row[at * 4 + 2], row[at * 4 + 1], row[at * 4], row[at * 4 + 3]],
    }
}

fn inverted(x: u16, y: u16) -> [u8; 4] {
    if (x ^ y) & 1 == 0 {
        [0, 0, 0, 0xff]
    } else {
        [0xff, 0xff, 0xff, 0xff]
    }
}
