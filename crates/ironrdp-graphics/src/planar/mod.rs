//! RDP 6.0 planar bitmaps (`RDP6_BITMAP_STREAM`, MS-RDPEGDI 2.2.2.5.1): one plane a channel, each row of a plane as the
//! difference to the row below, with runs.

mod decode;
pub(crate) use decode::{Channels, decode};

mod encode;
pub use encode::encode_planar;

/// `FormatHeader`.
mod header {
    /// Colour loss level; above 0 the planes are luma, orange and green chroma instead of red, green, blue.
    pub(super) const COLOUR_LOSS: u8 = 0x07;
    /// The chroma planes have half the sides.
    pub(super) const CHROMA_SUBSAMPLING: u8 = 0x08;
    pub(super) const RLE: u8 = 0x10;
    pub(super) const NO_ALPHA: u8 = 0x20;
}
