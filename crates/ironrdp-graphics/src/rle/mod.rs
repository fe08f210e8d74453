//! Interleaved run-length encoding (`RLE_BITMAP_STREAM`, MS-RDPBCGR 2.2.9.1.1.3.1.2.4).
//!
//! A picture is one line of pixels, the bottom row first, described by orders: runs of the pixel in the row below,
//! runs of that XOR a foreground colour, bit masks that choose between the two, runs of a colour, and plain pixels.

mod decode;
pub(crate) use decode::{Bgr24, Depth, Palette8, Rgb555, Rgb565, decode};

mod encode;
pub use encode::encode_rle;

/// First bytes of the orders. The regular and lite ones hold a length in their low bits.
mod code {
    pub(super) const BACKGROUND_RUN: u8 = 0x00;
    pub(super) const FOREGROUND_RUN: u8 = 0x20;
    pub(super) const FGBG_IMAGE: u8 = 0x40;
    pub(super) const COLOUR_RUN: u8 = 0x60;
    pub(super) const COLOUR_IMAGE: u8 = 0x80;
    pub(super) const LITE_SET_FOREGROUND_RUN: u8 = 0xc0;
    pub(super) const LITE_SET_FGBG_IMAGE: u8 = 0xd0;
    pub(super) const LITE_DITHERED_RUN: u8 = 0xe0;
    pub(super) const MEGA_BACKGROUND_RUN: u8 = 0xf0;
    pub(super) const MEGA_FOREGROUND_RUN: u8 = 0xf1;
    pub(super) const MEGA_FGBG_IMAGE: u8 = 0xf2;
    pub(super) const MEGA_COLOUR_RUN: u8 = 0xf3;
    pub(super) const MEGA_COLOUR_IMAGE: u8 = 0xf4;
    pub(super) const MEGA_SET_FOREGROUND_RUN: u8 = 0xf6;
    pub(super) const MEGA_SET_FGBG_IMAGE: u8 = 0xf7;
    pub(super) const MEGA_DITHERED_RUN: u8 = 0xf8;
    pub(super) const SPECIAL_FGBG_1: u8 = 0xf9;
    pub(super) const SPECIAL_FGBG_2: u8 = 0xfa;
    pub(super) const WHITE: u8 = 0xfd;
    pub(super) const BLACK: u8 = 0xfe;
}
