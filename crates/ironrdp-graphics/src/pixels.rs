//! One pixel, one row: from every depth of the wire to 32 bits and back.

use crate::Palette;

/// How a pixel lies on the wire (MS-RDPBCGR 2.2.9.1.1.3.1.2.2, `bitsPerPixel`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// 8 bpp: an index into the palette.
    Palette8,
    /// 15 bpp: little-endian 16 bits, 5 each of red, green, blue from the high end; the top bit is ignored.
    Rgb555,
    /// 16 bpp: little-endian 16 bits, red 5, green 6, blue 5 from the high end.
    Rgb565,
    /// 24 bpp: bytes blue, green, red.
    Bgr24,
    /// 32 bpp: bytes blue, green, red and one that is ignored.
    Bgrx32,
}

/// The fourth byte of every pixel that is drawn.
pub(crate) const OPAQUE: u32 = 0xff00_0000;

impl PixelFormat {
    /// The format of a colour depth, or `None` when RDP has none such.
    pub const fn from_bits_per_pixel(bits: u16) -> Option<Self> {
        match bits {
            8 => Some(Self::Palette8),
            15 => Some(Self::Rgb555),
            16 => Some(Self::Rgb565),
            24 => Some(Self::Bgr24),
            32 => Some(Self::Bgrx32),
            _ => None,
        }
    }

    /// The colour depth as the wire counts it.
    pub const fn bits_per_pixel(self) -> u16 {
        match self {
            Self::Palette8 => 8,
            Self::Rgb555 => 15,
            Self::Rgb565 => 16,
            Self::Bgr24 => 24,
            Self::Bgrx32 => 32,
        }
    }

    /// Whole bytes that a pixel takes.
    pub const fn bytes_per_pixel(self) -> usize {
        match self {
            Self::Palette8 => 1,
            Self::Rgb555 | Self::Rgb565 => 2,
            Self::Bgr24 => 3,
            Self::Bgrx32 => 4,
        }
    }

    /// Converts a row of the wire to 32-bit pixels; the shorter of the two decides how many.
    pub(crate) fn widen_row<T: Store>(self, palette: &Palette, src: &[u8], dst: &mut [T]) {
        match self {
            Self::Palette8 => {
                for (to, &from) in dst.iter_mut().zip(src) {
                    to.store(palette.word(from));
                }
            }
            Self::Rgb555 => rgb555_row(src, dst),
            Self::Rgb565 => rgb565_row(src, dst),
            Self::Bgr24 => bgr24_row(src, dst),
            Self::Bgrx32 => bgrx32_row(src, dst),
        }
    }
}

/// Framebuffer pixels to a format of the wire. Channels lose their low bits; at 8 bpp the nearest colour of a palette is taken.
pub(crate) struct Narrow<'a> {
    format: PixelFormat,
    palette: &'a Palette,
    /// Colours of late and their indices, by a hash of the colour: the search is slow, and pictures repeat their colours.
    recent: [(u32, u8); 256],
}

impl<'a> Narrow<'a> {
    pub(crate) fn to(format: PixelFormat, palette: &'a Palette) -> Self {
        // No pixel of three bytes is this one.
        let recent = [(u32::MAX, 0); 256];
        Self {
            format,
            palette,
            recent,
        }
    }

    /// Converts a row to values of the wire, one a word.
    pub(crate) fn row_to_words(&mut self, src: &[u8], dst: &mut [u32]) {
        let pairs = dst.iter_mut().zip(src.as_chunks::<4>().0);
        match self.format {
            PixelFormat::Palette8 => pairs.for_each(|(to, from)| *to = self.nearest(*from).into()),
            PixelFormat::Rgb555 => pairs.for_each(|(to, from)| *to = to_rgb555(*from).into()),
            PixelFormat::Rgb565 => pairs.for_each(|(to, from)| *to = to_rgb565(*from).into()),
            PixelFormat::Bgr24 | PixelFormat::Bgrx32 => {
                pairs.for_each(|(to, from)| *to = u32::from_le_bytes(*from) & !OPAQUE);
            }
        }
    }

    /// Converts a row to bytes of the wire.
    pub(crate) fn row_to_bytes(&mut self, src: &[u8], dst: &mut [u8]) {
        let pixels = src.as_chunks::<4>().0;
        let words = |dst| <[u8]>::as_chunks_mut::<2>(dst).0.iter_mut().zip(pixels);
        match self.format {
            PixelFormat::Palette8 => {
                for (to, from) in dst.iter_mut().zip(pixels) {
                    *to = self.nearest(*from);
                }
            }
            PixelFormat::Rgb555 => words(dst).for_each(|(to, from)| *to = to_rgb555(*from).to_le_bytes()),
            PixelFormat::Rgb565 => words(dst).for_each(|(to, from)| *to = to_rgb565(*from).to_le_bytes()),
            PixelFormat::Bgr24 => {
                for (to, &[blue, green, red, _]) in dst.as_chunks_mut::<3>().0.iter_mut().zip(pixels) {
                    *to = [blue, green, red];
                }
            }
            PixelFormat::Bgrx32 => {
                for (to, from) in dst.as_chunks_mut::<4>().0.iter_mut().zip(pixels) {
                    *to = *from;
                }
            }
        }
    }

    fn nearest(&mut self, pixel: [u8; 4]) -> u8 {
        let colour = u32::from_le_bytes(pixel) & !OPAQUE;
        let [.., slot] = colour.wrapping_mul(0x9e37_79b1).to_le_bytes();
        let slot = &mut self.recent[usize::from(slot)];
        if slot.0 != colour {
            let [blue, green, red, _] = pixel;
            *slot = (colour, self.palette.nearest([red, green, blue]));
        }
        slot.1
    }
}

#[inline(always)]
fn to_rgb555([blue, green, red, _]: [u8; 4]) -> u16 {
    u16::from(red >> 3) << 10 | u16::from(green >> 3) << 5 | u16::from(blue >> 3)
}

#[inline(always)]
fn to_rgb565([blue, green, red, _]: [u8; 4]) -> u16 {
    u16::from(red >> 3) << 11 | u16::from(green >> 2) << 5 | u16::from(blue >> 3)
}

/// A place for a 32-bit pixel: a word of working memory, or four bytes of a framebuffer.
pub(crate) trait Store {
    fn store(&mut self, pixel: u32);
}

impl Store for u32 {
    #[inline(always)]
    fn store(&mut self, pixel: u32) {
        *self = pixel;
    }
}

impl Store for [u8; 4] {
    #[inline(always)]
    fn store(&mut self, pixel: u32) {
        *self = pixel.to_le_bytes();
    }
}

// The high bits of a channel are repeated in the low ones, so that 0 stays 0 and full stays 255. The repetition also
// distributes over XOR, which lets the RLE decoder work on widened pixels.

#[inline(always)]
pub(crate) fn rgb555(pixel: u16) -> u32 {
    let pixel = u32::from(pixel);
    let spread = (pixel & 0x7c00) << 9 | (pixel & 0x03e0) << 6 | (pixel & 0x001f) << 3;
    OPAQUE | spread | (spread >> 5) & 0x0007_0707
}

#[inline(always)]
pub(crate) fn rgb565(pixel: u16) -> u32 {
    let pixel = u32::from(pixel);
    let red_blue = (pixel & 0xf800) << 8 | (pixel & 0x001f) << 3;
    let green = (pixel & 0x07e0) << 5;
    OPAQUE | red_blue | (red_blue >> 5) & 0x0007_0007 | green | (green >> 6) & 0x0000_0300
}

pub(crate) fn rgb555_row<T: Store>(src: &[u8], dst: &mut [T]) {
    for (to, &from) in dst.iter_mut().zip(src.as_chunks().0) {
        to.store(rgb555(u16::from_le_bytes(from)));
    }
}

pub(crate) fn rgb565_row<T: Store>(src: &[u8], dst: &mut [T]) {
    for (to, &from) in dst.iter_mut().zip(src.as_chunks().0) {
        to.store(rgb565(u16::from_le_bytes(from)));
    }
}

pub(crate) fn bgr24_row<T: Store>(src: &[u8], dst: &mut [T]) {
    let count = dst.len().min(src.len() / 3);
    let (groups, rest) = src[..count * 3].as_chunks::<12>();
    let (quads, tail) = dst[..count].as_chunks_mut::<4>();
    for (to, from) in quads.iter_mut().zip(groups) {
        // A word per pixel: its fourth byte, the blue of the next, is what becomes opaque. The last has no next.
        let word = |at: usize| u32::from_le_bytes([from[at], from[at + 1], from[at + 2], from[at + 3]]);
        to[0].store(OPAQUE | word(0));
        to[1].store(OPAQUE | word(3));
        to[2].store(OPAQUE | word(6));
        to[3].store(OPAQUE | word(8) >> 8);
    }
    for (to, &[blue, green, red]) in tail.iter_mut().zip(rest.as_chunks().0) {
        to.store(u32::from_le_bytes([blue, green, red, 0xff]));
    }
}

pub(crate) fn bgrx32_row<T: Store>(src: &[u8], dst: &mut [T]) {
    let count = dst.len().min(src.len() / 4);
    let (blocks, rest) = src.as_chunks::<4>().0[..count].as_chunks::<16>();
    let (to_blocks, to_rest) = dst[..count].as_chunks_mut::<16>();
    // Blocks of a fixed size become vector code without a prologue, which narrow bitmaps would pay for on every row.
    for (to, from) in to_blocks.iter_mut().zip(blocks) {
        for (to, &from) in to.iter_mut().zip(from) {
            to.store(OPAQUE | u32::from_le_bytes(from));
        }
    }
    for (to, &from) in to_rest.iter_mut().zip(rest) {
        to.store(OPAQUE | u32::from_le_bytes(from));
    }
}

/// Puts the channels of a row together; the shortest decides how many.
pub(crate) fn planes_row(blue: &[u8], green: &[u8], red: &[u8], dst: &mut [[u8; 4]]) {
    let count = dst.len().min(blue.len()).min(green.len()).min(red.len());
    let (dst, blue, green, red) = (&mut dst[..count], &blue[..count], &green[..count], &red[..count]);
    for at in 0..count {
        let [blue, green, red] = [blue[at], green[at], red[at]].map(u32::from);
        dst[at] = (OPAQUE | red << 16 | green << 8 | blue).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn channels_repeat_their_high_bits() {
        assert_eq!(rgb555(0xffff), 0xffff_ffff);
        assert_eq!(rgb555(0x8000), 0xff00_0000);
        assert_eq!(rgb565(0xffff), 0xffff_ffff);
        assert_eq!(rgb565(0), 0xff00_0000);
        for value in 0..=u16::MAX {
            let (five, six) = (|v: u32| v << 3 | v >> 2, |v: u32| v << 2 | v >> 4);
            let v = u32::from(value);
            let (r, g, b) = (v >> 10 & 31, v >> 5 & 31, v & 31);
            assert_eq!(rgb555(value), OPAQUE | five(r) << 16 | five(g) << 8 | five(b));
            let (r, g, b) = (v >> 11, v >> 5 & 63, v & 31);
            assert_eq!(rgb565(value), OPAQUE | five(r) << 16 | six(g) << 8 | five(b));
        }
    }

    #[test]
    fn widening_distributes_over_xor() {
        for a in (0..=u16::MAX).step_by(251) {
            for b in (0..=u16::MAX).step_by(509) {
                assert_eq!(rgb565(a) ^ rgb565(b), rgb565(a ^ b) & !OPAQUE);
                assert_eq!(rgb555(a) ^ rgb555(b), rgb555(a ^ b) & !OPAQUE);
            }
        }
    }

    #[test]
    fn narrowing_undoes_widening() {
        for value in 0..=u16::MAX {
            assert_eq!(to_rgb565(rgb565(value).to_le_bytes()), value);
            assert_eq!(to_rgb555(rgb555(value).to_le_bytes()), value & 0x7fff);
        }
    }

    #[test]
    fn words_and_bytes_of_the_wire_are_the_same_values() {
        let palette =
            Palette::from_rgb((0..=255).map(|index: u8| [index, index ^ 0x55, index.reverse_bits()]));
        let pixels: Vec<u8> = (0..4 * 977_u32)
            .map(|at| at.wrapping_mul(0x9e37_79b1).to_be_bytes()[0])
            .collect();
        for bits in [8, 15, 16, 24, 32] {
            let format = PixelFormat::from_bits_per_pixel(bits).unwrap();
            let size = format.bytes_per_pixel();
            let (mut words, mut bytes) = (vec![0; 977], vec![0; 977 * size]);
            Narrow::to(format, &palette).row_to_words(&pixels, &mut words);
            Narrow::to(format, &palette).row_to_bytes(&pixels, &mut bytes);
            for (index, (word, bytes)) in words.iter().zip(bytes.chunks(size)).enumerate() {
                // At 32 bpp the fourth byte means nothing and is left as it is.
                assert_eq!(
                    word.to_le_bytes()[..size.min(3)],
                    bytes[..size.min(3)],
                    "{bits} bpp"
                );
                if bits == 8 {
                    let [blue, green, red, _] = pixels.as_chunks::<4>().0[index];
                    assert_eq!(bytes[0], palette.nearest([red, green, blue]), "pixel {index}");
                }
            }
        }
    }

    #[test]
    fn rows_of_24_bits_are_right_at_every_length_of_both_sides() {
        let src: Vec<u8> = (0..=254).collect();
        for pixels in 0..30 {
            for room in 0..30 {
                let mut dst = vec![[0; 4]; room];
                bgr24_row(&src[..pixels * 3], &mut dst);
                for (index, pixel) in dst.iter().enumerate() {
                    let at = u8::try_from(index * 3).unwrap();
                    let wanted = if index < pixels {
                        [at, at + 1, at + 2, 0xff]
                    } else {
                        [0; 4]
                    };
                    assert_eq!(*pixel, wanted, "pixel {index} of {pixels} into {room}");
                }
            }
        }
    }

    #[test]
    fn rows_of_32_bits_and_of_planes_are_right_at_every_length_of_both_sides() {
        let src: Vec<u8> = (0..=239).collect();
        for pixels in 0..60 {
            for room in 0..60 {
                let (mut dst, mut from_planes) = (vec![[0; 4]; room], vec![[0; 4]; room]);
                bgrx32_row(&src[..pixels * 4], &mut dst);
                planes_row(&src[..pixels], &src[60..], &src[120..], &mut from_planes);
                for (index, (pixel, planar)) in dst.iter().zip(&from_planes).enumerate() {
                    let at = u8::try_from(index).unwrap();
                    let wanted = if index < pixels {
                        (
                            [at * 4, at * 4 + 1, at * 4 + 2, 0xff],
                            [at, at + 60, at + 120, 0xff],
                        )
                    } else {
                        ([0; 4], [0; 4])
                    };
                    assert_eq!((*pixel, *planar), wanted, "pixel {index} of {pixels} into {room}");
                }
            }
        }
    }

    #[test]
    fn depths_and_formats_name_each_other() {
        for bits in [8, 15, 16, 24, 32] {
            let format = PixelFormat::from_bits_per_pixel(bits).unwrap();
            assert_eq!(format.bits_per_pixel(), bits);
            assert_eq!(format.bytes_per_pixel(), usize::from(bits).div_ceil(8));
        }
        assert_eq!(PixelFormat::from_bits_per_pixel(4), None);
    }
}
