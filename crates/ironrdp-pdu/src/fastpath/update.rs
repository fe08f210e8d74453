//! The PDU and the updates in it.

use bitflags::bitflags;
use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u16};

use super::header;
use crate::client_info::CompressionType;
use crate::span::Span;

/// A fast-path output PDU as received (`TS_FP_UPDATE_PDU`, MS-RDPBCGR 2.2.9.1.2); updates are read while iterating.
///
/// Encrypted ones are refused as unsupported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FastPathOutputPdu<'a> {
    updates: Span<'a>,
}

impl<'a> FastPathOutputPdu<'a> {
    /// The updates, in the order they have to be done in; ends after the first error.
    pub const fn updates(&self) -> FastPathUpdates<'a> {
        FastPathUpdates {
            src: self.updates.cursor(),
        }
    }
}

impl<'de> Decode<'de> for FastPathOutputPdu<'de> {
    const NAME: &'static str = "FastPathOutputPdu";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let (_reserved, mut body) = header::read(src)?;
        Ok(Self {
            updates: Span::rest(&mut body),
        })
    }
}

impl Encode for FastPathOutputPdu<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        header::frame_size(self.updates.bytes().len())
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        header::write(dst, 0, self.updates.bytes().len())?;
        dst.bytes(self.updates.bytes())
    }
}

/// A fast-path output PDU to be sent, with one update in it (`TS_FP_UPDATE_PDU`, MS-RDPBCGR 2.2.9.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FastPathOutput<'a> {
    /// The update; what does not fit is cut by [`FastPathFragments`](super::FastPathFragments) first.
    pub update: FastPathUpdate<'a>,
}

impl FastPathOutput<'_> {
    /// Most bytes of update data a PDU has room for.
    pub const MAX_DATA: usize = header::MAX_FRAME_SIZE
        - 1 /* fpOutputHeader */ - 2 /* length1, length2 */
        - 1 /* updateHeader */ - 1 /* compressionFlags */ - 2 /* size */;
}

impl Encode for FastPathOutput<'_> {
    fn name(&self) -> &'static str {
        "FastPathOutput"
    }

    fn size(&self) -> usize {
        header::frame_size(self.update.size())
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        header::write(dst, 0, self.update.size())?;
        self.update.encode(dst)
    }
}

/// Iterator over the updates of a received fast-path PDU.
#[derive(Debug, Clone)]
pub struct FastPathUpdates<'a> {
    src: ReadCursor<'a>,
}

impl<'a> Iterator for FastPathUpdates<'a> {
    type Item = DecodeResult<FastPathUpdate<'a>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.src.is_empty() {
            return None;
        }
        let update = FastPathUpdate::decode(&mut self.src);
        if update.is_err() {
            self.src.rest();
        }
        Some(update)
    }
}

impl core::iter::FusedIterator for FastPathUpdates<'_> {}

/// One update or a piece of one (`TS_FP_UPDATE`, MS-RDPBCGR 2.2.9.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FastPathUpdate<'a> {
    /// What the data is, once put together and decompressed.
    pub code: UpdateCode,
    /// Which piece this is. Each piece is compressed on its own.
    pub fragmentation: Fragmentation,
    /// How the data is compressed; without it, it is as it is.
    pub compression: Option<CompressionFlags>,
    /// The piece; [`UpdateCode::decode_body`] reads the whole.
    pub data: &'a [u8],
}

impl<'a> FastPathUpdate<'a> {
    const COMPRESSION_USED: u8 = 0b10 << 6;

    /// A whole update, not compressed.
    pub const fn single(code: UpdateCode, data: &'a [u8]) -> Self {
        Self {
            code,
            fragmentation: Fragmentation::Single,
            compression: None,
            data,
        }
    }
}

impl<'de> Decode<'de> for FastPathUpdate<'de> {
    const NAME: &'static str = "FastPathUpdate";

    #[inline]
    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let header = src.u8("updateHeader")?;
        let compression = if header & Self::COMPRESSION_USED != 0 {
            Some(CompressionFlags::from_bits_retain(src.u8("compressionFlags")?))
        } else {
            None
        };
        let size = src.u16_le("size")?;
        Ok(Self {
            code: UpdateCode::from_bits(header & 0x0f),
            fragmentation: Fragmentation::from_bits(header >> 4),
            compression,
            data: src.sub(size.into(), "size")?.rest(),
        })
    }
}

impl Encode for FastPathUpdate<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        1 /* updateHeader */ + usize::from(self.compression.is_some()) + 2 /* size */ + self.data.len()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let header = self.code.bits() | self.fragmentation.bits() << 4;
        match self.compression {
            Some(flags) => {
                dst.u8(header | Self::COMPRESSION_USED)?;
                dst.u8(flags.bits())?;
            }
            None => dst.u8(header)?,
        }
        dst.u16_le(len_u16(self.data.len(), Self::NAME, "size")?)?;
        dst.bytes(self.data)
    }
}

macro_rules! update_codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal,)*) => {
        /// What a fast-path update is (`updateCode`, MS-RDPBCGR 2.2.9.1.2.1).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum UpdateCode {
            $($(#[$doc])* $name,)*
            /// Another of the sixteen values; the update can be passed over, since its length is known.
            Unknown(u8),
        }

        impl UpdateCode {
            const fn from_bits(bits: u8) -> Self {
                match bits {
                    $($value => Self::$name,)*
                    other => Self::Unknown(other),
                }
            }

            pub(super) const fn bits(self) -> u8 {
                match self {
                    $(Self::$name => $value,)*
                    Self::Unknown(bits) => bits & 0x0f,
                }
            }
        }
    };
}

update_codes! {
    /// Drawing orders.
    Orders = 0x0,
    /// Rectangles of pixels.
    Bitmap = 0x1,
    /// Colours of an 8-bit session.
    Palette = 0x2,
    /// A leftover of T.128; nothing to do.
    Synchronize = 0x3,
    /// Surface commands.
    SurfaceCommands = 0x4,
    /// The pointer is hidden.
    PointerHidden = 0x5,
    /// The pointer has the system's default shape.
    PointerDefault = 0x6,
    /// The server moved the pointer.
    PointerPosition = 0x8,
    /// A pointer of 24 bits a pixel.
    ColorPointer = 0x9,
    /// A pointer sent before.
    CachedPointer = 0xa,
    /// A pointer of any depth.
    NewPointer = 0xb,
    /// A pointer of any depth and up to 384 pixels a side.
    LargePointer = 0xc,
}

/// Which piece of an update this is (`fragmentation`, MS-RDPBCGR 2.2.9.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fragmentation {
    /// The whole update.
    Single,
    /// The last piece.
    Last,
    /// The first piece.
    First,
    /// A piece in between.
    Next,
}

impl Fragmentation {
    const fn from_bits(bits: u8) -> Self {
        match bits & 0b11 {
            0 => Self::Single,
            1 => Self::Last,
            2 => Self::First,
            _ => Self::Next,
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Single => 0,
            Self::Last => 1,
            Self::First => 2,
            Self::Next => 3,
        }
    }
}

bitflags! {
    /// How data is compressed (`compressionFlags`, MS-RDPBCGR 2.2.9.1.2.1): flags and, in the low four bits, the
    /// [algorithm](Self::compression_type). The slow path has the same byte in its Share Data header.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct CompressionFlags: u8 {
        /// The data is compressed; without it, it only travels under these flags.
        const COMPRESSED = 0x20;
        /// The receiver's history starts over at its front.
        const AT_FRONT = 0x40;
        /// The receiver's history is to be emptied first.
        const FLUSHED = 0x80;
    }
}

impl CompressionFlags {
    const TYPE_MASK: u8 = 0x0f;

    /// These flags with an algorithm.
    #[must_use]
    pub fn with_type(self, compression_type: CompressionType) -> Self {
        let [bits, ..] = u32::from(compression_type).to_le_bytes();
        Self::from_bits_retain(self.bits() & !Self::TYPE_MASK | bits & Self::TYPE_MASK)
    }

    /// The algorithm whose history this data belongs to.
    pub fn compression_type(self) -> CompressionType {
        CompressionType::from(u32::from(self.bits() & Self::TYPE_MASK))
    }
}
