//! How long each field of a primary drawing order is (MS-RDPEGDI 2.2.2.2.1.1.2.1 to 2.2.2.2.1.1.2.22).
//!
//! An order sends the fields its flags name, in this order. Only their lengths are needed to find the next order.

use super::OrderKind;

/// Length of a field on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// Always these many bytes.
    Bytes(u8),
    /// Two bytes, or one if the order's coordinates are deltas (2.2.2.2.1.1.1.1).
    Coord,
    /// A byte that counts the bytes after it (2.2.2.2.1.1.1.2, .4).
    Counted8,
    /// Two bytes that count the bytes after them (2.2.2.2.1.1.1.3, .5).
    Counted16,
}

/// What a primary order of one type consists of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) kind: OrderKind,
    pub(super) fields: &'static [Field],
}

impl Layout {
    /// Bytes of field flags: a bit a field, and one bit is never used.
    pub(super) const fn flag_bytes(self) -> usize {
        (self.fields.len() + 1).div_ceil(8)
    }
}

const C: Field = Field::Coord;
const B1: Field = Field::Bytes(1);
const B2: Field = Field::Bytes(2);
const B4: Field = Field::Bytes(4);
const COLOR: Field = Field::Bytes(3);
/// BrushExtra: the rows of an 8x8 pattern but the first.
const EXTRA: Field = Field::Bytes(7);
const TEXT: Field = Field::Counted8;
const POINTS: Field = Field::Counted8;
const RECTS: Field = Field::Counted16;

/// The layout of an order type; `None` if there is no such order.
pub(super) const fn primary(order_type: u8) -> Option<Layout> {
    let (kind, fields): (OrderKind, &'static [Field]) = match order_type {
        0x00 => (OrderKind::DstBlt, &[C, C, C, C, B1]),
        0x01 => (
            OrderKind::PatBlt,
            &[C, C, C, C, B1, COLOR, COLOR, B1, B1, B1, B1, EXTRA],
        ),
        0x02 => (OrderKind::ScrBlt, &[C, C, C, C, B1, C, C]),
        0x07 => (OrderKind::DrawNineGrid, &[C, C, C, C, B2]),
        0x08 => (OrderKind::MultiDrawNineGrid, &[C, C, C, C, B2, B1, RECTS]),
        0x09 => (OrderKind::LineTo, &[B2, C, C, C, C, COLOR, B1, B1, B1, COLOR]),
        0x0a => (OrderKind::OpaqueRect, &[C, C, C, C, B1, B1, B1]),
        0x0b => (OrderKind::SaveBitmap, &[B4, C, C, C, C, B1]),
        0x0d => (OrderKind::MemBlt, &[B2, C, C, C, C, B1, C, C, B2]),
        0x0e => (
            OrderKind::Mem3Blt,
            &[B2, C, C, C, C, B1, C, C, COLOR, COLOR, B1, B1, B1, B1, EXTRA, B2],
        ),
        0x0f => (OrderKind::MultiDstBlt, &[C, C, C, C, B1, B1, RECTS]),
        0x10 => (
            OrderKind::MultiPatBlt,
            &[C, C, C, C, B1, COLOR, COLOR, B1, B1, B1, B1, EXTRA, B1, RECTS],
        ),
        0x11 => (OrderKind::MultiScrBlt, &[C, C, C, C, B1, C, C, B1, RECTS]),
        0x12 => (OrderKind::MultiOpaqueRect, &[C, C, C, C, B1, B1, B1, B1, RECTS]),
        0x13 => (
            OrderKind::FastIndex,
            &[B1, B2, COLOR, COLOR, C, C, C, C, C, C, C, C, C, C, TEXT],
        ),
        0x14 => (OrderKind::PolygonSc, &[C, C, B1, B1, COLOR, B1, POINTS]),
        0x15 => (
            OrderKind::PolygonCb,
            &[C, C, B1, B1, COLOR, COLOR, B1, B1, B1, B1, EXTRA, B1, POINTS],
        ),
        0x16 => (OrderKind::Polyline, &[C, C, B1, B2, COLOR, B1, POINTS]),
        0x18 => (
            OrderKind::FastGlyph,
            &[B1, B2, COLOR, COLOR, C, C, C, C, C, C, C, C, C, C, TEXT],
        ),
        0x19 => (OrderKind::EllipseSc, &[C, C, C, C, B1, B1, COLOR]),
        0x1a => (
            OrderKind::EllipseCb,
            &[C, C, C, C, B1, B1, COLOR, COLOR, B1, B1, B1, B1, EXTRA],
        ),
        // Its rectangles and position are plain 16-bit fields, which never become deltas.
        0x1b => (
            OrderKind::GlyphIndex,
            &[
                B1, B1, B1, B1, COLOR, COLOR, B2, B2, B2, B2, B2, B2, B2, B2, B1, B1, B1, B1, EXTRA, B2, B2,
                TEXT,
            ],
        ),
        _ => return None,
    };
    Some(Layout { kind, fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields, flag bytes and the longest encoding, as MS-RDPEGDI states them at the head of each order's section.
    #[test]
    fn layouts_have_the_sizes_the_specification_states() {
        /// What the specification counts for a list, which is less than its length field could say.
        const RECTS_STATED: usize = 385;
        const TEXT_STATED: usize = 256;
        const POLYGON_STATED: usize = 239;
        const POLYLINE_STATED: usize = 137;
        let stated: &[(u8, usize, usize, usize)] = &[
            (0x00, 5, 1, 9),
            (0x01, 12, 2, 26),
            (0x02, 7, 1, 13),
            (0x07, 5, 1, 10),
            (0x08, 7, 1, 396),
            (0x09, 10, 2, 19),
            (0x0a, 7, 1, 11),
            (0x0b, 6, 1, 13),
            (0x0d, 9, 2, 17),
            (0x0e, 16, 3, 34),
            (0x0f, 7, 1, 395),
            (0x10, 14, 2, 412),
            (0x11, 9, 2, 399),
            (0x12, 9, 2, 397),
            (0x13, 15, 2, 285),
            (0x14, 7, 1, 249),
            (0x15, 13, 2, 263),
            (0x16, 7, 1, 148),
            (0x18, 15, 2, 285),
            (0x19, 7, 1, 13),
            (0x1a, 13, 2, 27),
            (0x1b, 22, 3, 297),
        ];
        for &(order_type, fields, flag_bytes, longest) in stated {
            let layout = primary(order_type).unwrap();
            let list = match layout.kind {
                OrderKind::PolygonSc | OrderKind::PolygonCb => POLYGON_STATED,
                OrderKind::Polyline => POLYLINE_STATED,
                _ => TEXT_STATED,
            };
            let sizes = layout.fields.iter().map(|field| match field {
                Field::Bytes(count) => usize::from(*count),
                Field::Coord => 2,
                Field::Counted8 => list,
                Field::Counted16 => RECTS_STATED,
            });
            let got = (layout.fields.len(), layout.flag_bytes(), sizes.sum());
            assert_eq!(got, (fields, flag_bytes, longest), "{:?}", layout.kind);
        }
        let known = (0..=u8::MAX).filter(|order_type| primary(*order_type).is_some());
        assert_eq!(known.count(), stated.len());
    }
}
