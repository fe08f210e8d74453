//! Walking drawing orders: far enough to tell and count them, not to draw them.

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use super::OrderKind;
use super::order_layout::{self, Field};
use crate::span::Span;

/// Drawing orders as received. Decodes and encodes as the fast path has them (`TS_FP_UPDATE_ORDERS`, MS-RDPEGDI
/// 2.2.2.2); [`Update`](super::Update) does the slow path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrdersUpdate<'a> {
    count: u16,
    data: Span<'a>,
}

impl<'a> OrdersUpdate<'a> {
    /// An update of `count` encoded orders.
    pub const fn new(count: u16, data: &'a [u8]) -> Self {
        Self {
            count,
            data: Span::new(data),
        }
    }

    pub(super) fn with_rest(count: u16, src: &mut ReadCursor<'a>) -> Self {
        Self {
            count,
            data: Span::rest(src),
        }
    }

    /// Number of orders the sender announces.
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// The encoded orders, to be walked by an [`OrderWalker`].
    pub const fn data(&self) -> &'a [u8] {
        self.data.bytes()
    }
}

impl<'de> Decode<'de> for OrdersUpdate<'de> {
    const NAME: &'static str = "OrdersUpdate";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let count = src.u16_le("numberOrders")?;
        Ok(Self::with_rest(count, src))
    }
}

impl Encode for OrdersUpdate<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 /* numberOrders */ + self.data().len()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.count)?;
        dst.bytes(self.data())
    }
}

/// What orders refer to from one update to the next: the last type and the last bounds (MS-RDPEGDI 3.2.1.1).
///
/// Keep one for a session, and make a new one after a reactivation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderWalker {
    last_type: u8,
    bounds: OrderBounds,
}

impl OrderWalker {
    /// Type of the "last order" before the first one.
    const PAT_BLT: u8 = 0x01;

    /// The state before the first order.
    pub const fn new() -> Self {
        Self {
            last_type: Self::PAT_BLT,
            bounds: OrderBounds {
                left: 0,
                top: 0,
                right: 0,
                bottom: 0,
            },
        }
    }

    /// Walks the orders of an update. Iterate to the end: what is left is not seen by the state.
    ///
    /// Never fails. An order that is cut or whose length cannot be known is one [`OrderKind::Unknown`], and the last.
    pub const fn walk<'w, 'a>(&'w mut self, update: &OrdersUpdate<'a>) -> WalkedOrders<'w, 'a> {
        WalkedOrders {
            left: update.count,
            src: update.data.cursor(),
            walker: self,
        }
    }
}

impl Default for OrderWalker {
    fn default() -> Self {
        Self::new()
    }
}

/// Part of the screen that an order may draw on, all edges inside (MS-RDPEGDI 2.2.2.2.1.1.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderBounds {
    /// Leftmost column.
    pub left: i16,
    /// Topmost row.
    pub top: i16,
    /// Rightmost column.
    pub right: i16,
    /// Bottom row.
    pub bottom: i16,
}

/// An order that was walked over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkedOrder<'a> {
    /// What it is.
    pub kind: OrderKind,
    /// What it may draw on, if it says so.
    pub bounds: Option<OrderBounds>,
    /// All its bytes; for [`OrderKind::Unknown`] all that is left.
    pub bytes: &'a [u8],
}

/// Iterator over the orders of an update.
#[derive(Debug)]
pub struct WalkedOrders<'w, 'a> {
    left: u16,
    src: ReadCursor<'a>,
    walker: &'w mut OrderWalker,
}

impl<'a> Iterator for WalkedOrders<'_, 'a> {
    type Item = WalkedOrder<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let all = self.src.peek();
        match self.walker.order(&mut self.src) {
            Ok((kind, bounds)) if kind != OrderKind::Unknown => {
                let length = all.len() - self.src.remaining();
                let bytes = all.get(..length).unwrap_or_default();
                Some(WalkedOrder { kind, bounds, bytes })
            }
            _ => {
                self.left = 0;
                Some(WalkedOrder {
                    kind: OrderKind::Unknown,
                    bounds: None,
                    bytes: all,
                })
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(usize::from(self.left)))
    }
}

impl core::iter::FusedIterator for WalkedOrders<'_, '_> {}

/// `controlFlags` (MS-RDPEGDI 2.2.2.2.1, 2.2.2.2.1.1.2).
mod control {
    pub(super) const CLASS_MASK: u8 = 0x03;
    pub(super) const PRIMARY: u8 = 0x01;
    pub(super) const ALTERNATE_SECONDARY: u8 = 0x02;
    pub(super) const SECONDARY: u8 = 0x03;
    pub(super) const BOUNDS: u8 = 0x04;
    pub(super) const TYPE_CHANGE: u8 = 0x08;
    pub(super) const DELTA_COORDINATES: u8 = 0x10;
    pub(super) const ZERO_BOUNDS_DELTAS: u8 = 0x20;
    /// Two bits: how many bytes of field flags are zero and left out, from the last.
    pub(super) const ZERO_FIELD_BYTES_SHIFT: u8 = 6;
}

impl OrderWalker {
    fn order(&mut self, src: &mut ReadCursor<'_>) -> DecodeResult<(OrderKind, Option<OrderBounds>)> {
        let flags = src.u8("controlFlags")?;
        match flags & control::CLASS_MASK {
            control::PRIMARY => self.primary(src, flags),
            control::SECONDARY => secondary(src).map(|kind| (kind, None)),
            control::ALTERNATE_SECONDARY => alternate_secondary(src, flags >> 2).map(|kind| (kind, None)),
            _ => Ok((OrderKind::Unknown, None)),
        }
    }

    fn primary(
        &mut self,
        src: &mut ReadCursor<'_>,
        flags: u8,
    ) -> DecodeResult<(OrderKind, Option<OrderBounds>)> {
        if flags & control::TYPE_CHANGE != 0 {
            self.last_type = src.u8("orderType")?;
        }
        let Some(layout) = order_layout::primary(self.last_type) else {
            return Ok((OrderKind::Unknown, None));
        };
        let zero_bytes = usize::from(flags >> control::ZERO_FIELD_BYTES_SHIFT);
        let mut field_flags = 0u32;
        for at in 0..layout.flag_bytes().saturating_sub(zero_bytes) {
            field_flags |= u32::from(src.u8("fieldFlags")?) << (8 * at);
        }
        let bounds = if flags & control::BOUNDS == 0 {
            None
        } else {
            if flags & control::ZERO_BOUNDS_DELTAS == 0 {
                self.bounds.update(src)?;
            }
            Some(self.bounds)
        };
        let deltas = flags & control::DELTA_COORDINATES != 0;
        for (bit, field) in layout.fields.iter().enumerate() {
            if field_flags >> bit & 1 != 0 {
                skip_field(src, *field, deltas)?;
            }
        }
        Ok((layout.kind, bounds))
    }
}

impl OrderBounds {
    /// Each edge is left as it is, moved by a signed byte, or set, as two flags say (MS-RDPEGDI 2.2.2.2.1.1.1.2).
    fn update(&mut self, src: &mut ReadCursor<'_>) -> DecodeResult<()> {
        let flags = src.u8("bounds")?;
        let edges = [&mut self.left, &mut self.top, &mut self.right, &mut self.bottom];
        for (bit, edge) in edges.into_iter().enumerate() {
            if flags >> bit & 1 != 0 {
                *edge = src.i16_le("bounds")?;
            } else if flags >> (bit + 4) & 1 != 0 {
                let delta = src.u8("bounds")?.cast_signed();
                *edge = edge.wrapping_add(delta.into());
            }
        }
        Ok(())
    }
}

fn skip_field(src: &mut ReadCursor<'_>, field: Field, deltas: bool) -> DecodeResult<()> {
    let count = match field {
        Field::Bytes(count) => count.into(),
        Field::Coord if deltas => 1,
        Field::Coord => 2,
        Field::Counted8 => src.u8("cbData")?.into(),
        Field::Counted16 => src.u16_le("cbData")?.into(),
    };
    src.skip(count, "primaryOrderData")
}

/// The flags have been read; the length leads over types that are not known (MS-RDPEGDI 2.2.2.2.1.2.1.1).
fn secondary(src: &mut ReadCursor<'_>) -> DecodeResult<OrderKind> {
    // orderLength is 13 less than the bytes of the whole order, of which six are this header.
    const AFTER_HEADER: i32 = 13 - 6;
    let length = i32::from(src.i16_le("orderLength")?) + AFTER_HEADER;
    src.skip(2, "extraFlags")?;
    let kind = match src.u8("orderType")? {
        0x00 => OrderKind::CacheBitmap,
        0x01 => OrderKind::CacheColorTable,
        0x02 => OrderKind::CacheBitmapCompressed,
        0x03 => OrderKind::CacheGlyph,
        0x04 => OrderKind::CacheBitmapRev2,
        0x05 => OrderKind::CacheBitmapCompressedRev2,
        0x07 => OrderKind::CacheBrush,
        0x08 => OrderKind::CacheBitmapRev3,
        _ => OrderKind::OtherSecondary,
    };
    match usize::try_from(length) {
        Ok(length) => src.skip(length, "orderLength").map(|()| kind),
        Err(_) => Ok(OrderKind::Unknown),
    }
}

/// Each type has a length of its own making (MS-RDPEGDI 2.2.2.2.1.3, MS-RDPERP 2.2.1.3, MS-RDPEDC 2.2).
fn alternate_secondary(src: &mut ReadCursor<'_>, order_type: u8) -> DecodeResult<OrderKind> {
    let (kind, length) = match order_type {
        0x00 => (OrderKind::SwitchSurface, 2 /* bitmapId */),
        0x01 => (OrderKind::CreateOffscreenBitmap, offscreen_deletions(src)?),
        0x02 => {
            const REVISION_2: u8 = 0x04;
            let flags = src.u8("BitmapFlags")?;
            src.skip(
                1 /* BitmapBpp */ + 2 /* BitmapType */ + 2 /* BitmapWidth */ + 2,
                "BitmapHeight",
            )?;
            src.skip(if flags & REVISION_2 == 0 { 2 } else { 4 }, "BitmapSize")?;
            (
                OrderKind::StreamBitmapFirst,
                src.u16_le("BitmapBlockSize")?.into(),
            )
        }
        0x03 => {
            src.skip(1 /* BitmapFlags */ + 2, "BitmapType")?;
            (OrderKind::StreamBitmapNext, src.u16_le("BitmapBlockSize")?.into())
        }
        0x04 => (
            OrderKind::CreateNineGridBitmap,
            1 /* BitmapBpp */ + 2 /* BitmapId */ + 2 /* cx */ + 2 /* cy */ + 16, /* nineGridInfo */
        ),
        // Two more sizes stand before the records in the first and the last part.
        0x05 => (OrderKind::GdiPlusFirst, gdi_plus(src, 1, 8)?),
        0x06 => (OrderKind::GdiPlusNext, gdi_plus(src, 1, 0)?),
        0x07 => (OrderKind::GdiPlusEnd, gdi_plus(src, 1, 8)?),
        0x08 => (OrderKind::GdiPlusCacheFirst, gdi_plus(src, 5, 4)?),
        0x09 => (OrderKind::GdiPlusCacheNext, gdi_plus(src, 5, 0)?),
        0x0a => (OrderKind::GdiPlusCacheEnd, gdi_plus(src, 5, 4)?),
        0x0b => {
            // orderSize counts from the control byte.
            let size = usize::from(src.u16_le("orderSize")?);
            match size.checked_sub(1 + 2) {
                Some(length) => (OrderKind::Window, length),
                None => return Ok(OrderKind::Unknown),
            }
        }
        0x0c => {
            src.skip(1, "operation")?;
            (OrderKind::DesktopComposition, src.u16_le("size")?.into())
        }
        0x0d => (OrderKind::FrameMarker, 4 /* action */),
        _ => return Ok(OrderKind::Unknown),
    };
    src.skip(length, "orderSpecificData").map(|()| kind)
}

/// Reads up to the list of bitmaps to forget and gives its length (MS-RDPEGDI 2.2.2.2.1.3.2).
fn offscreen_deletions(src: &mut ReadCursor<'_>) -> DecodeResult<usize> {
    const DELETE_LIST_PRESENT: u16 = 0x8000;
    let flags = src.u16_le("flags")?;
    src.skip(2 /* cx */ + 2, "cy")?;
    if flags & DELETE_LIST_PRESENT == 0 {
        return Ok(0);
    }
    Ok(usize::from(src.u16_le("cIndices")?) * 2)
}

/// `before` bytes, the size of the records, `between` bytes: gives what is left to skip (MS-RDPEGDI 2.2.2.2.1.3.6).
fn gdi_plus(src: &mut ReadCursor<'_>, before: usize, between: usize) -> DecodeResult<usize> {
    src.skip(before, "cbSize")?;
    Ok(between + usize::from(src.u16_le("cbSize")?))
}
