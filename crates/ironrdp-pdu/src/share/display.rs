//! What client and server say to each other about the picture as a whole.

use alloc::vec::Vec;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u8, len_u32};

use crate::fields::rows;
use crate::{InclusiveRect, MonitorDef};

/// Asks the server to send parts of the desktop again (`TS_REFRESH_RECT_PDU`, MS-RDPBCGR 2.2.11.2.1).
///
/// Only for servers whose general capabilities have `refresh_rect_support`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RefreshRect {
    /// The parts, at most 255.
    pub areas: Vec<InclusiveRect>,
}

impl Decode<'_> for RefreshRect {
    const NAME: &'static str = "RefreshRect";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let count = usize::from(src.u8("numberOfAreas")?);
        src.skip(3, "pad3Octets")?;
        let areas = read_list(src, count, InclusiveRect::SIZE, "numberOfAreas")?;
        Ok(Self { areas })
    }
}

impl Encode for RefreshRect {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 + self.areas.len() * InclusiveRect::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u8(len_u8(self.areas.len(), Self::NAME, "numberOfAreas")?)?;
        dst.zeros(3)?;
        self.areas.iter().try_for_each(|area| area.encode(dst))
    }
}

/// Asks the server to stop sending graphics, or to go on (`TS_SUPPRESS_OUTPUT_PDU`, MS-RDPBCGR 2.2.11.3.1).
///
/// Only for servers whose general capabilities have `suppress_output_support`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SuppressOutput {
    /// Send nothing, for instance while the window is minimised.
    Suppress,
    /// Go on, starting with this part of the desktop.
    Allow(InclusiveRect),
}

impl Decode<'_> for SuppressOutput {
    const NAME: &'static str = "SuppressOutput";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let allow = src.u8("allowDisplayUpdates")?;
        if allow > 1 {
            return Err(src.invalid("allowDisplayUpdates", allow));
        }
        src.skip(3, "pad3Octets")?;
        if allow == 1 {
            InclusiveRect::decode(src).map(Self::Allow)
        } else {
            Ok(Self::Suppress)
        }
    }
}

impl Encode for SuppressOutput {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        match self {
            Self::Suppress => 4,
            Self::Allow(_) => 4 + InclusiveRect::SIZE,
        }
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        match self {
            Self::Suppress => dst.zeros(4),
            Self::Allow(rect) => {
                dst.u8(1)?;
                dst.zeros(3)?;
                rect.encode(dst)
            }
        }
    }
}

/// How the server has laid out the monitors (`TS_MONITOR_LAYOUT_PDU`, MS-RDPBCGR 2.2.12.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MonitorLayout {
    /// Each monitor; the specification allows at most 16, which is not enforced.
    pub monitors: Vec<MonitorDef>,
}

impl Decode<'_> for MonitorLayout {
    const NAME: &'static str = "MonitorLayout";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let count = src.u32_le("monitorCount")?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let monitors = read_list(src, count, MonitorDef::SIZE, "monitorCount")?;
        Ok(Self { monitors })
    }
}

impl Encode for MonitorLayout {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 + self.monitors.len() * MonitorDef::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(len_u32(self.monitors.len(), Self::NAME, "monitorCount")?)?;
        self.monitors.iter().try_for_each(|monitor| monitor.encode(dst))
    }
}

rows! {
    /// Tells the server that a frame was shown (`TS_FRAME_ACKNOWLEDGE_PDU`, MS-RDPRFX 2.2.3.1).
    pub struct FrameAcknowledge {
        /// `frameId` of the marker that ended the frame; 0xFFFFFFFF asks the server not to wait any more.
        pub frame_id: u32 = "frameID",
    }
}

/// Reads `count` items of `size` bytes, and refuses a count that the bytes cannot hold before anything is allocated.
fn read_list<'de, T: Decode<'de>>(
    src: &mut ReadCursor<'de>,
    count: usize,
    size: usize,
    field: &'static str,
) -> DecodeResult<Vec<T>> {
    let available = src.remaining() / size;
    if count > available {
        return Err(src.lies(field, count, available));
    }
    (0..count).map(|_| T::decode(src)).collect()
}
