//! Surface commands: encoded pixels for a part of the desktop, and where a frame starts and ends (MS-RDPBCGR 2.2.9.2).

use bitflags::bitflags;
use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u32};

use crate::span::Span;

/// The surface commands of one update (`TS_FP_SURFCMDS`, MS-RDPBCGR 2.2.9.1.2.1.10), read while iterating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SurfaceCommands<'a> {
    bytes: Span<'a>,
}

impl<'a> SurfaceCommands<'a> {
    /// The commands in the data of a whole update.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: Span::new(bytes),
        }
    }

    /// The commands in order; ends after the first error.
    pub const fn iter(&self) -> SurfaceCommandsIter<'a> {
        SurfaceCommandsIter {
            src: self.bytes.cursor(),
        }
    }
}

impl<'a> IntoIterator for SurfaceCommands<'a> {
    type Item = DecodeResult<SurfaceCommand<'a>>;
    type IntoIter = SurfaceCommandsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &SurfaceCommands<'a> {
    type Item = DecodeResult<SurfaceCommand<'a>>;
    type IntoIter = SurfaceCommandsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over the surface commands of an update.
#[derive(Debug, Clone)]
pub struct SurfaceCommandsIter<'a> {
    src: ReadCursor<'a>,
}

impl<'a> Iterator for SurfaceCommandsIter<'a> {
    type Item = DecodeResult<SurfaceCommand<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.src.is_empty() {
            return None;
        }
        let command = SurfaceCommand::decode(&mut self.src);
        if command.is_err() {
            self.src.rest();
        }
        Some(command)
    }
}

impl core::iter::FusedIterator for SurfaceCommandsIter<'_> {}

/// One surface command (`TS_SURFCMD`, MS-RDPBCGR 2.2.9.1.2.1.10.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SurfaceCommand<'a> {
    /// Pixels in a codec that keeps nothing from one command to the next (`TS_SURFCMD_SET_SURF_BITS`, 2.2.9.2.1).
    SetBits(SurfaceBits<'a>),
    /// Pixels in a codec with a context (`TS_SURFCMD_STREAM_SURF_BITS`, 2.2.9.2.2); receivers treat both alike.
    StreamBits(SurfaceBits<'a>),
    /// A frame starts or ends (`TS_FRAME_MARKER`, 2.2.9.2.3).
    FrameMarker(FrameMarker),
}

mod command {
    pub(super) const SET_BITS: u16 = 0x0001;
    pub(super) const FRAME_MARKER: u16 = 0x0004;
    pub(super) const STREAM_BITS: u16 = 0x0006;
}

impl<'de> Decode<'de> for SurfaceCommand<'de> {
    const NAME: &'static str = "SurfaceCommand";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        match src.u16_le("cmdType")? {
            command::SET_BITS => SurfaceBits::decode(src).map(Self::SetBits),
            command::STREAM_BITS => SurfaceBits::decode(src).map(Self::StreamBits),
            command::FRAME_MARKER => FrameMarker::decode(src).map(Self::FrameMarker),
            // Commands carry no length of their own, so that nothing after this one can be read.
            other => Err(src.unsupported("cmdType", other)),
        }
    }
}

impl Encode for SurfaceCommand<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        let body = match self {
            Self::SetBits(bits) | Self::StreamBits(bits) => bits.size(),
            Self::FrameMarker(marker) => marker.size(),
        };
        2 /* cmdType */ + body
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        match self {
            Self::SetBits(bits) => {
                dst.u16_le(command::SET_BITS)?;
                bits.encode(dst)
            }
            Self::StreamBits(bits) => {
                dst.u16_le(command::STREAM_BITS)?;
                bits.encode(dst)
            }
            Self::FrameMarker(marker) => {
                dst.u16_le(command::FRAME_MARKER)?;
                marker.encode(dst)
            }
        }
    }
}

/// A rectangle and the encoded pixels to fill it with (`TS_BITMAP_DATA_EX` and the four fields before it,
/// MS-RDPBCGR 2.2.9.2.1.1).
///
/// The rectangle is as the peer wrote it, not checked: its right and bottom edges are outside by the specification,
/// `width` and `height` are the size of the encoded picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SurfaceBits<'a> {
    /// Leftmost column.
    pub left: u16,
    /// Topmost row.
    pub top: u16,
    /// First column to the right of it.
    pub right: u16,
    /// First row below it.
    pub bottom: u16,
    /// Bits a pixel of the picture.
    pub bits_per_pixel: u8,
    /// Codec as the capability exchange numbered it; 0 is none, pixels as they are.
    pub codec_id: u8,
    /// Pixels a row.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Identity and time of the picture, if the server gives them.
    pub header: Option<BitmapHeaderEx>,
    /// The encoded picture.
    pub data: &'a [u8],
}

bitflags! {
    #[derive(Clone, Copy)]
    struct BitmapFlagsEx: u8 {
        const HEADER_PRESENT = 0x01;
    }
}

impl<'de> Decode<'de> for SurfaceBits<'de> {
    const NAME: &'static str = "SurfaceBits";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let left = src.u16_le("destLeft")?;
        let top = src.u16_le("destTop")?;
        let right = src.u16_le("destRight")?;
        let bottom = src.u16_le("destBottom")?;
        let bits_per_pixel = src.u8("bpp")?;
        let flags = BitmapFlagsEx::from_bits_retain(src.u8("flags")?);
        src.skip(1, "reserved")?;
        let codec_id = src.u8("codecID")?;
        let width = src.u16_le("width")?;
        let height = src.u16_le("height")?;
        let length = src.u32_le("bitmapDataLength")?;
        let header = if flags.contains(BitmapFlagsEx::HEADER_PRESENT) {
            Some(BitmapHeaderEx::decode(src)?)
        } else {
            None
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(Self {
            left,
            top,
            right,
            bottom,
            bits_per_pixel,
            codec_id,
            width,
            height,
            header,
            data: src.sub(length, "bitmapDataLength")?.rest(),
        })
    }
}

impl Encode for SurfaceBits<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        const FIXED: usize = 4 * 2 /* dest */
            + 4 /* bpp, flags, reserved, codecID */
            + 2 /* width */ + 2 /* height */ + 4 /* bitmapDataLength */;
        FIXED + self.header.map_or(0, |header| header.size()) + self.data.len()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.left)?;
        dst.u16_le(self.top)?;
        dst.u16_le(self.right)?;
        dst.u16_le(self.bottom)?;
        dst.u8(self.bits_per_pixel)?;
        let mut flags = BitmapFlagsEx::empty();
        flags.set(BitmapFlagsEx::HEADER_PRESENT, self.header.is_some());
        dst.u8(flags.bits())?;
        dst.zeros(1)?;
        dst.u8(self.codec_id)?;
        dst.u16_le(self.width)?;
        dst.u16_le(self.height)?;
        dst.u32_le(len_u32(self.data.len(), Self::NAME, "bitmapDataLength")?)?;
        if let Some(header) = &self.header {
            header.encode(dst)?;
        }
        dst.bytes(self.data)
    }
}

/// Identity and time of a picture (`TS_COMPRESSED_BITMAP_HEADER_EX`, MS-RDPBCGR 2.2.9.2.1.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitmapHeaderEx {
    /// Identity, high half.
    pub high_unique_id: u32,
    /// Identity, low half.
    pub low_unique_id: u32,
    /// Milliseconds after `seconds` when it was made.
    pub milliseconds: u64,
    /// Seconds since 1970 when it was made.
    pub seconds: u64,
}

impl Decode<'_> for BitmapHeaderEx {
    const NAME: &'static str = "BitmapHeaderEx";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let high_unique_id = src.u32_le("highUniqueId")?;
        let low_unique_id = src.u32_le("lowUniqueId")?;
        Ok(Self {
            high_unique_id,
            low_unique_id,
            milliseconds: src.u64_le("tmMilliseconds")?,
            seconds: src.u64_le("tmSeconds")?,
        })
    }
}

impl Encode for BitmapHeaderEx {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 /* highUniqueId */ + 4 /* lowUniqueId */ + 8 /* tmMilliseconds */ + 8 /* tmSeconds */
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.high_unique_id)?;
        dst.u32_le(self.low_unique_id)?;
        dst.u64_le(self.milliseconds)?;
        dst.u64_le(self.seconds)
    }
}

/// Where a frame starts or ends (`TS_FRAME_MARKER`, MS-RDPBCGR 2.2.9.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameMarker {
    /// Start or end.
    pub action: FrameAction,
    /// The frame, to be named in the Frame Acknowledge PDU. Some servers end the update without it.
    pub frame_id: Option<u32>,
}

/// What a frame marker marks (`frameAction`, MS-RDPBCGR 2.2.9.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameAction {
    /// The commands that follow are one frame.
    Begin,
    /// The frame is complete and may be shown.
    End,
}

impl Decode<'_> for FrameMarker {
    const NAME: &'static str = "FrameMarker";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let action = match src.u16_le("frameAction")? {
            0 => FrameAction::Begin,
            1 => FrameAction::End,
            other => return Err(src.invalid("frameAction", other)),
        };
        let frame_id = if src.is_empty() {
            None
        } else {
            Some(src.u32_le("frameId")?)
        };
        Ok(Self { action, frame_id })
    }
}

impl Encode for FrameMarker {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 /* frameAction */ + self.frame_id.map_or(0, |_| 4)
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(match self.action {
            FrameAction::Begin => 0,
            FrameAction::End => 1,
        })?;
        self.frame_id.map_or(Ok(()), |id| dst.u32_le(id))
    }
}
