//! Rectangles of pixels, raw or compressed.

use bitflags::bitflags;
use ironrdp_core::{
    Decode, DecodeResult, Encode, EncodeError, EncodeErrorKind, EncodeResult, ReadCursor, WriteCursor,
    len_u16,
};

use super::update_type;
use crate::InclusiveRect;
use crate::span::Span;

/// A bitmap update as received (`TS_UPDATE_BITMAP_DATA`, MS-RDPBCGR 2.2.9.1.1.3.1.2.1), the same on both paths; the
/// rectangles are read while iterating. [`BitmapList`] is its counterpart for sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitmapUpdate<'a> {
    count: u16,
    rectangles: Span<'a>,
}

impl<'a> BitmapUpdate<'a> {
    /// Number of rectangles the sender announces.
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// The rectangles; ends after the announced number, or after the first error.
    pub const fn rectangles(&self) -> BitmapRectangles<'a> {
        BitmapRectangles {
            left: self.count,
            src: self.rectangles.cursor(),
        }
    }
}

impl<'de> Decode<'de> for BitmapUpdate<'de> {
    const NAME: &'static str = "BitmapUpdate";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let update_type = src.u16_le("updateType")?;
        if update_type != update_type::BITMAP {
            return Err(src.invalid("updateType", update_type));
        }
        Ok(Self {
            count: src.u16_le("numberRectangles")?,
            rectangles: Span::rest(src),
        })
    }
}

impl Encode for BitmapUpdate<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 /* updateType */ + 2 /* numberRectangles */ + self.rectangles.bytes().len()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(update_type::BITMAP)?;
        dst.u16_le(self.count)?;
        dst.bytes(self.rectangles.bytes())
    }
}

/// Iterator over the rectangles of a received bitmap update.
#[derive(Debug, Clone)]
pub struct BitmapRectangles<'a> {
    left: u16,
    src: ReadCursor<'a>,
}

impl<'a> Iterator for BitmapRectangles<'a> {
    type Item = DecodeResult<BitmapData<'a>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let rectangle = BitmapData::decode(&mut self.src);
        if rectangle.is_err() {
            self.left = 0;
        }
        Some(rectangle)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(usize::from(self.left)))
    }
}

impl core::iter::FusedIterator for BitmapRectangles<'_> {}

/// A bitmap update to be sent (`TS_UPDATE_BITMAP_DATA`, MS-RDPBCGR 2.2.9.1.1.3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitmapList<'a> {
    /// The rectangles, in the order they are to be drawn in.
    pub rectangles: &'a [BitmapData<'a>],
}

impl Encode for BitmapList<'_> {
    fn name(&self) -> &'static str {
        "BitmapList"
    }

    fn size(&self) -> usize {
        2 /* updateType */ + 2 /* numberRectangles */ + self.rectangles.iter().map(Encode::size).sum::<usize>()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(update_type::BITMAP)?;
        dst.u16_le(len_u16(self.rectangles.len(), "BitmapList", "numberRectangles")?)?;
        self.rectangles
            .iter()
            .try_for_each(|rectangle| rectangle.encode(dst))
    }
}

/// One rectangle of pixels (`TS_BITMAP_DATA`, MS-RDPBCGR 2.2.9.1.1.3.1.2.2).
///
/// Neither rectangle, size nor depth are checked here; whoever draws knows the desktop and the session's depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitmapData<'a> {
    /// Where on the desktop. May be smaller than the bitmap, whose width is padded to a multiple of four.
    pub destination: InclusiveRect,
    /// Pixels a row of the bitmap.
    pub width: u16,
    /// Rows of the bitmap.
    pub height: u16,
    /// Depth: 8, 15, 16, 24 or 32.
    pub bits_per_pixel: u16,
    /// Whether the pixels are compressed, and whether a header says how long they are.
    pub flags: BitmapFlags,
    /// There if and only if the flags say compressed and do not say that it is left out.
    pub header: Option<CompressedDataHeader>,
    /// The pixels, bottom row first: raw, interleaved RLE, or planar at 32 bits.
    pub data: &'a [u8],
}

impl BitmapData<'_> {
    /// Whether the pixels are compressed.
    pub const fn is_compressed(&self) -> bool {
        self.flags.contains(BitmapFlags::COMPRESSED)
    }

    const fn has_header(flags: BitmapFlags) -> bool {
        flags.contains(BitmapFlags::COMPRESSED) && !flags.contains(BitmapFlags::NO_COMPRESSED_DATA_HEADER)
    }
}

impl<'de> Decode<'de> for BitmapData<'de> {
    const NAME: &'static str = "BitmapData";

    #[inline]
    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let destination = InclusiveRect {
            left: src.u16_le("destLeft")?,
            top: src.u16_le("destTop")?,
            right: src.u16_le("destRight")?,
            bottom: src.u16_le("destBottom")?,
        };
        let width = src.u16_le("width")?;
        let height = src.u16_le("height")?;
        let bits_per_pixel = src.u16_le("bitsPerPixel")?;
        let flags = BitmapFlags::from_bits_retain(src.u16_le("flags")?);
        let length = src.u16_le("bitmapLength")?;
        let mut body = src.sub(length.into(), "bitmapLength")?;
        let header = if Self::has_header(flags) {
            Some(CompressedDataHeader::decode(&mut body)?)
        } else {
            None
        };
        Ok(Self {
            destination,
            width,
            height,
            bits_per_pixel,
            flags,
            header,
            data: body.rest(),
        })
    }
}

impl Encode for BitmapData<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        const FIXED: usize = InclusiveRect::SIZE
            + 2 /* width */ + 2 /* height */ + 2 /* bitsPerPixel */ + 2 /* flags */ + 2 /* bitmapLength */;
        FIXED + self.header.map_or(0, |header| header.size()) + self.data.len()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        if self.header.is_some() != Self::has_header(self.flags) {
            return Err(EncodeError::new(Self::NAME, "flags", EncodeErrorKind::Invalid));
        }
        self.destination.encode(dst)?;
        dst.u16_le(self.width)?;
        dst.u16_le(self.height)?;
        dst.u16_le(self.bits_per_pixel)?;
        dst.u16_le(self.flags.bits())?;
        let length = self.data.len() + self.header.map_or(0, |header| header.size());
        dst.u16_le(len_u16(length, Self::NAME, "bitmapLength")?)?;
        if let Some(header) = &self.header {
            header.encode(dst)?;
        }
        dst.bytes(self.data)
    }
}

bitflags! {
    /// How the pixels of a rectangle travel (`flags`, MS-RDPBCGR 2.2.9.1.1.3.1.2.2).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct BitmapFlags: u16 {
        /// They are compressed.
        const COMPRESSED = 0x0001;
        /// They are compressed and no header stands before them.
        const NO_COMPRESSED_DATA_HEADER = 0x0400;
    }
}

/// Sizes of compressed pixels (`TS_CD_HEADER`, MS-RDPBCGR 2.2.9.1.1.3.1.2.3).
///
/// Nothing should be decided by it: captures of real servers hold sizes that are not those of the bitmap, and
/// [`BitmapData`] says all that is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressedDataHeader {
    /// 0 by the specification.
    pub first_row_size: u16,
    /// Bytes of compressed pixels.
    pub main_body_size: u16,
    /// Pixels a row, a multiple of four.
    pub scan_width: u16,
    /// Bytes of uncompressed pixels.
    pub uncompressed_size: u16,
}

impl Decode<'_> for CompressedDataHeader {
    const NAME: &'static str = "CompressedDataHeader";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let first_row_size = src.u16_le("cbCompFirstRowSize")?;
        let main_body_size = src.u16_le("cbCompMainBodySize")?;
        Ok(Self {
            first_row_size,
            main_body_size,
            scan_width: src.u16_le("cbScanWidth")?,
            uncompressed_size: src.u16_le("cbUncompressedSize")?,
        })
    }
}

impl Encode for CompressedDataHeader {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 * 2
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.first_row_size)?;
        dst.u16_le(self.main_body_size)?;
        dst.u16_le(self.scan_width)?;
        dst.u16_le(self.uncompressed_size)
    }
}
