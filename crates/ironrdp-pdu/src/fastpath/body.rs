//! What the data of a whole, decompressed update says.

use ironrdp_core::{Decode, DecodeResult, ReadCursor};

use super::UpdateCode;
use crate::output::{BitmapUpdate, OrdersUpdate, PaletteUpdate, Update};
use crate::pointer::{PointerShape, PointerUpdate};
use crate::surface::SurfaceCommands;

/// A fast-path update, read as far as its first level (`TS_FP_UPDATE`, MS-RDPBCGR 2.2.9.1.2.1.1 to 2.2.9.1.2.1.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FastPathBody<'a> {
    /// What the slow path has too: orders, bitmap, palette, synchronize.
    Graphics(Update<'a>),
    /// Surface commands.
    Surface(SurfaceCommands<'a>),
    /// Where the pointer is or what it looks like.
    Pointer(PointerUpdate<'a>),
    /// An update with a code this version does not know.
    Unknown(u8),
}

impl UpdateCode {
    /// Reads the data of an update with this code, after it was put together and decompressed.
    ///
    /// Bytes after what is known are ignored. Offsets in errors count from the start of `data`.
    pub fn decode_body(self, data: &[u8]) -> DecodeResult<FastPathBody<'_>> {
        let mut src = ReadCursor::new(data);
        let src = &mut src;
        Ok(match self {
            Self::Orders => FastPathBody::Graphics(Update::Orders(OrdersUpdate::decode(src)?)),
            Self::Bitmap => FastPathBody::Graphics(Update::Bitmap(BitmapUpdate::decode(src)?)),
            Self::Palette => FastPathBody::Graphics(Update::Palette(PaletteUpdate::decode(src)?)),
            Self::Synchronize => FastPathBody::Graphics(Update::Synchronize),
            Self::SurfaceCommands => FastPathBody::Surface(SurfaceCommands::new(data)),
            Self::Unknown(code) => FastPathBody::Unknown(code),
            Self::PointerHidden => FastPathBody::Pointer(PointerUpdate::Hidden),
            Self::PointerDefault => FastPathBody::Pointer(PointerUpdate::Default),
            Self::PointerPosition => FastPathBody::Pointer(PointerUpdate::read_position(src)?),
            Self::CachedPointer => FastPathBody::Pointer(PointerUpdate::read_cached(src)?),
            Self::ColorPointer => FastPathBody::Pointer(PointerUpdate::Color(PointerShape::read_color(src)?)),
            Self::NewPointer => FastPathBody::Pointer(PointerUpdate::New(PointerShape::read_new(src)?)),
            Self::LargePointer => FastPathBody::Pointer(PointerUpdate::Large(PointerShape::read_large(src)?)),
        })
    }
}
