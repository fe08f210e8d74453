//! What the mouse pointer looks like and where it is (MS-RDPBCGR 2.2.9.1.1.4 and 2.2.9.1.2.1.5 to 2.2.9.1.2.1.11).

use ironrdp_core::{
    Decode, DecodeResult, Encode, EncodeError, EncodeErrorKind, EncodeResult, ReadCursor, WriteCursor,
    len_u16, len_u32,
};

use crate::fastpath::UpdateCode;

/// A change of the pointer. Decodes and encodes as the slow path has it (`TS_POINTER_PDU`, MS-RDPBCGR 2.2.9.1.1.4), the
/// body of a Share Data PDU; see [`UpdateCode::decode_body`] and [`FastPathPointer`] for the fast path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointerUpdate<'a> {
    /// No pointer is shown (`SYSPTR_NULL`).
    Hidden,
    /// The system's default shape is shown (`SYSPTR_DEFAULT`).
    Default,
    /// The server moved the pointer (`TS_POINTERPOSATTRIBUTE`).
    Position {
        /// Column on the desktop.
        x: u16,
        /// Row on the desktop.
        y: u16,
    },
    /// A shape of 24 bits a pixel to show and to keep (`TS_COLORPOINTERATTRIBUTE`).
    Color(PointerShape<'a>),
    /// A shape of any depth to show and to keep (`TS_POINTERATTRIBUTE`).
    New(PointerShape<'a>),
    /// A shape of up to 384 pixels a side to show and to keep (`TS_FP_LARGEPOINTERATTRIBUTE`).
    Large(PointerShape<'a>),
    /// A shape kept before is shown again (`TS_CACHEDPOINTERATTRIBUTE`).
    Cached {
        /// Where it was kept.
        index: u16,
    },
    /// A slow-path message of another kind, or a system pointer that is neither hidden nor the default.
    Unknown {
        /// Kind on the wire.
        message_type: u16,
        /// Its data.
        data: &'a [u8],
    },
}

mod message_type {
    pub(super) const SYSTEM: u16 = 0x0001;
    pub(super) const POSITION: u16 = 0x0003;
    pub(super) const COLOR: u16 = 0x0006;
    pub(super) const CACHED: u16 = 0x0007;
    pub(super) const NEW: u16 = 0x0008;
    pub(super) const LARGE: u16 = 0x0009;
}

const SYSPTR_NULL: u32 = 0x0000_0000;
const SYSPTR_DEFAULT: u32 = 0x0000_7f00;

impl<'a> PointerUpdate<'a> {
    /// The code of the fast-path update that says the same; `None` where there is none.
    pub const fn update_code(&self) -> Option<UpdateCode> {
        Some(match self {
            Self::Hidden => UpdateCode::PointerHidden,
            Self::Default => UpdateCode::PointerDefault,
            Self::Position { .. } => UpdateCode::PointerPosition,
            Self::Color(_) => UpdateCode::ColorPointer,
            Self::New(_) => UpdateCode::NewPointer,
            Self::Large(_) => UpdateCode::LargePointer,
            Self::Cached { .. } => UpdateCode::CachedPointer,
            Self::Unknown { .. } => return None,
        })
    }

    pub(crate) fn read_position(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let read = |src: &mut ReadCursor<'_>| {
            let x = src.u16_le("xPos")?;
            Ok(Self::Position {
                x,
                y: src.u16_le("yPos")?,
            })
        };
        read(src).map_err(|error: ironrdp_core::DecodeError| error.in_pdu(Self::NAME))
    }

    pub(crate) fn read_cached(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        match src.u16_le("cacheIndex") {
            Ok(index) => Ok(Self::Cached { index }),
            Err(error) => Err(error.in_pdu(Self::NAME)),
        }
    }

    fn read_system(src: &mut ReadCursor<'a>) -> DecodeResult<Self> {
        let data = src.bytes(4, "systemPointerType")?;
        Ok(match ReadCursor::new(data).u32_le("systemPointerType")? {
            SYSPTR_NULL => Self::Hidden,
            SYSPTR_DEFAULT => Self::Default,
            _ => Self::Unknown {
                message_type: message_type::SYSTEM,
                data,
            },
        })
    }

    const fn message_type(&self) -> u16 {
        match self {
            Self::Hidden | Self::Default => message_type::SYSTEM,
            Self::Position { .. } => message_type::POSITION,
            Self::Color(_) => message_type::COLOR,
            Self::New(_) => message_type::NEW,
            Self::Large(_) => message_type::LARGE,
            Self::Cached { .. } => message_type::CACHED,
            Self::Unknown { message_type, .. } => *message_type,
        }
    }
}

impl<'de> Decode<'de> for PointerUpdate<'de> {
    const NAME: &'static str = "PointerUpdate";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let message_type = src.u16_le("messageType")?;
        src.skip(2, "pad2Octets")?;
        Ok(match message_type {
            message_type::SYSTEM => Self::read_system(src)?,
            message_type::POSITION => Self::read_position(src)?,
            message_type::COLOR => Self::Color(PointerShape::read_color(src)?),
            message_type::CACHED => Self::read_cached(src)?,
            message_type::NEW => Self::New(PointerShape::read_new(src)?),
            message_type::LARGE => Self::Large(PointerShape::read_large(src)?),
            _ => Self::Unknown {
                message_type,
                data: src.rest(),
            },
        })
    }
}

impl Encode for PointerUpdate<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        let data = match self {
            Self::Hidden | Self::Default => 4,
            other => attribute_size(other),
        };
        2 /* messageType */ + 2 /* pad2Octets */ + data
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.message_type())?;
        dst.zeros(2)?;
        match self {
            Self::Hidden => dst.u32_le(SYSPTR_NULL),
            Self::Default => dst.u32_le(SYSPTR_DEFAULT),
            other => write_attribute(other, dst),
        }
    }
}

/// Encodes a pointer as the data of a fast-path update with the code [`PointerUpdate::update_code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FastPathPointer<'a>(pub PointerUpdate<'a>);

impl Encode for FastPathPointer<'_> {
    fn name(&self) -> &'static str {
        "FastPathPointer"
    }

    fn size(&self) -> usize {
        attribute_size(&self.0)
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        if self.0.update_code().is_none() {
            return Err(EncodeError::new(
                "FastPathPointer",
                "updateCode",
                EncodeErrorKind::Invalid,
            ));
        }
        write_attribute(&self.0, dst)
    }
}

const fn attribute_size(update: &PointerUpdate<'_>) -> usize {
    match update {
        PointerUpdate::Hidden | PointerUpdate::Default => 0,
        PointerUpdate::Position { .. } => 4,
        PointerUpdate::Color(shape) => shape.wire_size(14),
        PointerUpdate::New(shape) => shape.wire_size(16),
        PointerUpdate::Large(shape) => shape.wire_size(20),
        PointerUpdate::Cached { .. } => 2,
        PointerUpdate::Unknown { data, .. } => data.len(),
    }
}

fn write_attribute(update: &PointerUpdate<'_>, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
    match update {
        PointerUpdate::Hidden | PointerUpdate::Default => Ok(()),
        PointerUpdate::Position { x, y } => {
            dst.u16_le(*x)?;
            dst.u16_le(*y)
        }
        PointerUpdate::Color(shape) => shape.write_color(dst),
        PointerUpdate::New(shape) => shape.write_new(dst),
        PointerUpdate::Large(shape) => shape.write_large(dst),
        PointerUpdate::Cached { index } => dst.u16_le(*index),
        PointerUpdate::Unknown { data, .. } => dst.bytes(data),
    }
}

/// A pointer's picture: rows from the bottom up, each padded to two bytes, in two masks.
///
/// Decoding checks size, depth and that each mask has exactly the bytes its rows take; [`xor_stride`](Self::xor_stride)
/// and [`and_stride`](Self::and_stride) are the bytes of a row. The AND mask may be absent, as servers of 32-bit
/// pointers leave it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointerShape<'a> {
    /// Where to keep the shape.
    pub cache_index: u16,
    /// Column of the pixel that points.
    pub hot_spot_x: u16,
    /// Row of the pixel that points, from the top.
    pub hot_spot_y: u16,
    /// Pixels a row, at least 1.
    pub width: u16,
    /// Rows, at least 1.
    pub height: u16,
    /// Bits a pixel of the XOR mask: 1, 4, 8, 16, 24 or 32; always 24 in [`PointerUpdate::Color`].
    pub xor_bits_per_pixel: u16,
    /// Colours.
    pub xor_mask: &'a [u8],
    /// One bit a pixel, or empty.
    pub and_mask: &'a [u8],
}

impl<'a> PointerShape<'a> {
    /// Longest side of a colour or new pointer: 32, or 96 for a client with `LARGE_POINTER_FLAG_96x96` (MS-RDPBCGR 2.2.7.2.7).
    pub const MAX_SIDE: u16 = 96;

    /// Longest side of a large pointer (MS-RDPBCGR 2.2.9.1.2.1.11).
    pub const MAX_LARGE_SIDE: u16 = 384;

    const NAME: &'static str = "PointerShape";

    /// Bytes of a row of the XOR mask.
    pub const fn xor_stride(&self) -> usize {
        stride(self.width, self.xor_bits_per_pixel)
    }

    /// Bytes of a row of the AND mask.
    pub const fn and_stride(&self) -> usize {
        stride(self.width, 1)
    }

    pub(crate) fn read_color(src: &mut ReadCursor<'a>) -> DecodeResult<Self> {
        Self::read(src, 24, Self::MAX_SIDE, read_u16_lengths).map_err(|error| error.in_pdu(Self::NAME))
    }

    pub(crate) fn read_new(src: &mut ReadCursor<'a>) -> DecodeResult<Self> {
        read_depth(src)
            .and_then(|depth| Self::read(src, depth, Self::MAX_SIDE, read_u16_lengths))
            .map_err(|error| error.in_pdu(Self::NAME))
    }

    pub(crate) fn read_large(src: &mut ReadCursor<'a>) -> DecodeResult<Self> {
        read_depth(src)
            .and_then(|depth| Self::read(src, depth, Self::MAX_LARGE_SIDE, read_u32_lengths))
            .map_err(|error| error.in_pdu(Self::NAME))
    }

    fn read(
        src: &mut ReadCursor<'a>,
        xor_bits_per_pixel: u16,
        max_side: u16,
        read_lengths: fn(&mut ReadCursor<'a>) -> DecodeResult<(usize, usize)>,
    ) -> DecodeResult<Self> {
        let cache_index = src.u16_le("cacheIndex")?;
        let hot_spot_x = src.u16_le("hotSpot.xPos")?;
        let hot_spot_y = src.u16_le("hotSpot.yPos")?;
        let width = read_side(src, max_side, "width")?;
        let height = read_side(src, max_side, "height")?;
        let (and_length, xor_length) = read_lengths(src)?;
        let rows = usize::from(height);
        let xor_needed = stride(width, xor_bits_per_pixel) * rows;
        if xor_length != xor_needed {
            return Err(src.lies("lengthXorMask", xor_length, xor_needed));
        }
        let and_needed = stride(width, 1) * rows;
        if and_length != and_needed && and_length != 0 {
            return Err(src.lies("lengthAndMask", and_length, and_needed));
        }
        Ok(Self {
            cache_index,
            hot_spot_x,
            hot_spot_y,
            width,
            height,
            xor_bits_per_pixel,
            xor_mask: src.sub(xor_length, "lengthXorMask")?.rest(),
            and_mask: src.sub(and_length, "lengthAndMask")?.rest(),
        })
    }

    const fn wire_size(&self, header: usize) -> usize {
        header + self.xor_mask.len() + self.and_mask.len()
    }

    fn write_color(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        if self.xor_bits_per_pixel != 24 {
            return Err(EncodeError::new(Self::NAME, "xorBpp", EncodeErrorKind::Invalid));
        }
        self.write_geometry(dst)?;
        dst.u16_le(len_u16(self.and_mask.len(), Self::NAME, "lengthAndMask")?)?;
        dst.u16_le(len_u16(self.xor_mask.len(), Self::NAME, "lengthXorMask")?)?;
        self.write_masks(dst)
    }

    fn write_new(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.xor_bits_per_pixel)?;
        self.write_geometry(dst)?;
        dst.u16_le(len_u16(self.and_mask.len(), Self::NAME, "lengthAndMask")?)?;
        dst.u16_le(len_u16(self.xor_mask.len(), Self::NAME, "lengthXorMask")?)?;
        self.write_masks(dst)
    }

    fn write_large(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.xor_bits_per_pixel)?;
        self.write_geometry(dst)?;
        dst.u32_le(len_u32(self.and_mask.len(), Self::NAME, "lengthAndMask")?)?;
        dst.u32_le(len_u32(self.xor_mask.len(), Self::NAME, "lengthXorMask")?)?;
        self.write_masks(dst)
    }

    fn write_geometry(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.cache_index)?;
        dst.u16_le(self.hot_spot_x)?;
        dst.u16_le(self.hot_spot_y)?;
        dst.u16_le(self.width)?;
        dst.u16_le(self.height)
    }

    fn write_masks(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.bytes(self.xor_mask)?;
        dst.bytes(self.and_mask)
    }
}

fn read_depth(src: &mut ReadCursor<'_>) -> DecodeResult<u16> {
    match src.u16_le("xorBpp")? {
        depth @ (1 | 4 | 8 | 16 | 24 | 32) => Ok(depth),
        other => Err(src.invalid("xorBpp", other)),
    }
}

fn read_side(src: &mut ReadCursor<'_>, max: u16, field: &'static str) -> DecodeResult<u16> {
    match src.u16_le(field)? {
        0 => Err(src.invalid(field, 0u16)),
        side if side > max => Err(src.limit(field, side.into(), max.into())),
        side => Ok(side),
    }
}

fn read_u16_lengths(src: &mut ReadCursor<'_>) -> DecodeResult<(usize, usize)> {
    let and_length = src.u16_le("lengthAndMask")?;
    Ok((and_length.into(), src.u16_le("lengthXorMask")?.into()))
}

fn read_u32_lengths(src: &mut ReadCursor<'_>) -> DecodeResult<(usize, usize)> {
    let and_length = src.u32_le("lengthAndMask")?;
    let xor_length = src.u32_le("lengthXorMask")?;
    // usize has at least 32 bits wherever this can hold a session.
    let size = |value| usize::try_from(value).unwrap_or(usize::MAX);
    Ok((size(and_length), size(xor_length)))
}

/// Rows are padded to two bytes, not four as elsewhere.
const fn stride(width: u16, bits_per_pixel: u16) -> usize {
    (width as usize * bits_per_pixel as usize)
        .div_ceil(8)
        .next_multiple_of(2)
}
