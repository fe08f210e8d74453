//! Pictures of the slow path, which the fast path wraps differently: bitmaps, palettes, drawing orders
//! (MS-RDPBCGR 2.2.9.1.1.3, MS-RDPEGDI 2.2.2).

mod bitmap;
mod order_kind;
mod order_layout;
mod orders;
mod palette;

use ironrdp_core::{
    Decode, DecodeResult, Encode, EncodeError, EncodeErrorKind, EncodeResult, ReadCursor, WriteCursor,
};

pub use bitmap::{BitmapData, BitmapFlags, BitmapList, BitmapRectangles, BitmapUpdate, CompressedDataHeader};
pub use order_kind::{OrderCounts, OrderKind};
pub use orders::{OrderBounds, OrderWalker, OrdersUpdate, WalkedOrder, WalkedOrders};
pub use palette::PaletteUpdate;

/// A graphics update of the slow path, the body of a Share Data PDU (`TS_GRAPHICS_UPDATE`, MS-RDPBCGR 2.2.9.1.1.3).
///
/// Reads no further than the first level: rectangles and orders are read while iterating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update<'a> {
    /// Drawing orders.
    Orders(OrdersUpdate<'a>),
    /// Rectangles of pixels.
    Bitmap(BitmapUpdate<'a>),
    /// Colours of an 8-bit session.
    Palette(PaletteUpdate<'a>),
    /// A leftover of T.128; nothing to do.
    Synchronize,
    /// An update of another type, with all that follows the type.
    Unknown {
        /// Type on the wire.
        update_type: u16,
        /// The rest of the PDU.
        data: &'a [u8],
    },
}

mod update_type {
    pub(super) const ORDERS: u16 = 0x0000;
    pub(super) const BITMAP: u16 = 0x0001;
    pub(super) const PALETTE: u16 = 0x0002;
    pub(super) const SYNCHRONIZE: u16 = 0x0003;
}

impl<'de> Decode<'de> for Update<'de> {
    const NAME: &'static str = "Update";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        // Bitmap and palette own their type, since they keep it on the fast path.
        let update_type = src.clone().u16_le("updateType")?;
        match update_type {
            update_type::BITMAP => return BitmapUpdate::decode(src).map(Self::Bitmap),
            update_type::PALETTE => return PaletteUpdate::decode(src).map(Self::Palette),
            _ => src.skip(2, "updateType")?,
        }
        match update_type {
            update_type::ORDERS => {
                src.skip(2, "pad2OctetsA")?;
                let count = src.u16_le("numberOrders")?;
                src.skip(2, "pad2OctetsB")?;
                Ok(Self::Orders(OrdersUpdate::with_rest(count, src)))
            }
            update_type::SYNCHRONIZE => {
                // Two bytes of padding, which nobody would miss.
                src.rest();
                Ok(Self::Synchronize)
            }
            _ => Ok(Self::Unknown {
                update_type,
                data: src.rest(),
            }),
        }
    }
}

impl Encode for Update<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        match self {
            Self::Orders(orders) => 2 + 2 + 2 + 2 + orders.data().len(),
            Self::Bitmap(bitmap) => bitmap.size(),
            Self::Palette(palette) => palette.size(),
            Self::Synchronize => 2 + 2,
            Self::Unknown { data, .. } => 2 + data.len(),
        }
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        match self {
            Self::Orders(orders) => {
                dst.u16_le(update_type::ORDERS)?;
                dst.zeros(2)?;
                dst.u16_le(orders.count())?;
                dst.zeros(2)?;
                dst.bytes(orders.data())
            }
            Self::Bitmap(bitmap) => bitmap.encode(dst),
            Self::Palette(palette) => palette.encode(dst),
            Self::Synchronize => {
                dst.u16_le(update_type::SYNCHRONIZE)?;
                dst.zeros(2)
            }
            Self::Unknown { update_type, data } => {
                if *update_type <= update_type::SYNCHRONIZE {
                    return Err(EncodeError::new(
                        Self::NAME,
                        "updateType",
                        EncodeErrorKind::Invalid,
                    ));
                }
                dst.u16_le(*update_type)?;
                dst.bytes(data)
            }
        }
    }
}
