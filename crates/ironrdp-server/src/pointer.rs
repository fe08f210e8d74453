//! What the pointer looks like.

use ironrdp_core::{EncodeResult, WriteBuf, encode_vec};
use ironrdp_pdu::pointer::{FastPathPointer, PointerShape, PointerUpdate};

use crate::support::ClientSupport;

/// A pointer's shape, for [`Screen::set_pointer`](crate::Screen::set_pointer).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Pointer {
    /// The client's own arrow.
    #[default]
    Default,
    /// None.
    Hidden,
    /// This picture.
    Shape {
        /// Columns, 1 to 32: what every client takes.
        width: u16,
        /// Rows, 1 to 32.
        height: u16,
        /// The pixel that points.
        hot_spot: (u16, u16),
        /// Rows from the top without gaps; red, green, blue and straight alpha.
        rgba: Vec<u8>,
    },
}

impl Pointer {
    /// Longest side that every client takes (MS-RDPBCGR 2.2.9.1.1.4.4).
    pub const MAX_SIDE: u16 = 32;

    /// A picture, or `None` if a side is not 1 to [`MAX_SIDE`](Self::MAX_SIDE), the spot is outside, or bytes are missing.
    pub fn shape(width: u16, height: u16, hot_spot: (u16, u16), rgba: Vec<u8>) -> Option<Self> {
        let sides = 1..=Self::MAX_SIDE;
        let fits = sides.contains(&width)
            && sides.contains(&height)
            && hot_spot.0 < width
            && hot_spot.1 < height
            && rgba.len() == usize::from(width) * usize::from(height) * 4;
        fits.then_some(Self::Shape {
            width,
            height,
            hot_spot,
            rgba,
        })
    }

    /// Appends the update that shows it.
    pub(crate) fn encode(
        &self,
        support: &ClientSupport,
        share_id: u32,
        out: &mut WriteBuf,
    ) -> EncodeResult<()> {
        match self {
            Self::Default => send(PointerUpdate::Default, support, share_id, out),
            Self::Hidden => send(PointerUpdate::Hidden, support, share_id, out),
            Self::Shape {
                width,
                height,
                hot_spot,
                rgba,
            } => {
                let masks = Masks::new(*width, *height, rgba, support.alpha_pointers);
                let shape = PointerShape {
                    cache_index: 0,
                    hot_spot_x: hot_spot.0,
                    hot_spot_y: hot_spot.1,
                    width: *width,
                    height: *height,
                    xor_bits_per_pixel: if support.alpha_pointers { 32 } else { 24 },
                    xor_mask: &masks.xor,
                    and_mask: &masks.and,
                };
                let update = if support.alpha_pointers {
                    PointerUpdate::New(shape)
                } else {
                    PointerUpdate::Color(shape)
                };
                send(update, support, share_id, out)
            }
        }
    }
}

fn send(
    update: PointerUpdate<'_>,
    support: &ClientSupport,
    share_id: u32,
    out: &mut WriteBuf,
) -> EncodeResult<()> {
    match update.update_code() {
        Some(code) if support.fast_path => {
            support.fast_path_update(code, &encode_vec(&FastPathPointer(update))?, out)
        }
        _ => support.slow_path_pointer(share_id, &encode_vec(&update)?, out),
    }
}

/// A picture as the wire has it: rows from the bottom, each padded to two bytes.
struct Masks {
    xor: Vec<u8>,
    and: Vec<u8>,
}

impl Masks {
    fn new(width: u16, height: u16, rgba: &[u8], alpha: bool) -> Self {
        let (mut xor, mut and) = (Vec::new(), Vec::new());
        let row = usize::from(width) * 4;
        for pixels in rgba.chunks_exact(row).rev().take(usize::from(height)) {
            let start = and.len();
            and.resize(start + usize::from(width).div_ceil(16) * 2, 0);
            for (x, &[red, green, blue, opacity]) in pixels.as_chunks::<4>().0.iter().enumerate() {
                // Where the AND mask keeps the background, the colour must be black, or old clients invert with it.
                let visible = if alpha { opacity > 0 } else { opacity >= 0x80 };
                if visible {
                    xor.extend_from_slice(&[blue, green, red]);
                } else {
                    xor.extend_from_slice(&[0; 3]);
                    if let Some(byte) = and.get_mut(start + x / 8) {
                        *byte |= 0x80 >> (x % 8);
                    }
                }
                if alpha {
                    xor.push(opacity);
                }
            }
            if !alpha && (usize::from(width) * 3) % 2 == 1 {
                xor.push(0);
            }
        }
        Self { xor, and }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_must_have_all_its_bytes_and_its_spot_inside() {
        assert!(Pointer::shape(2, 1, (1, 0), vec![0; 8]).is_some());
        assert!(Pointer::shape(2, 1, (2, 0), vec![0; 8]).is_none());
        assert!(Pointer::shape(2, 1, (0, 0), vec![0; 7]).is_none());
        assert!(Pointer::shape(33, 1, (0, 0), vec![0; 33 * 4]).is_none());
        assert!(Pointer::shape(0, 1, (0, 0), Vec::new()).is_none());
    }

    #[test]
    fn see_through_pixels_are_black_in_one_mask_and_set_in_the_other() {
        let rgba = [
            1, 2, 3, 255, 9, 9, 9, 0, 4, 5, 6, 255, 7, 8, 9, 255, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        let masks = Masks::new(3, 2, &rgba, false);
        // The lower row comes first.
        assert_eq!(
            masks.xor,
            [9, 8, 7, 0, 0, 0, 0, 0, 0, 0, 3, 2, 1, 0, 0, 0, 6, 5, 4, 0]
        );
        assert_eq!(masks.and, [0x60, 0, 0x40, 0]);
    }
}
