//! Where a client's monitors are and what they are like.

use alloc::vec::Vec;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u32};

use crate::MonitorDef;

/// Most monitors in one block (MS-RDPBCGR 2.2.1.3.6: `monitorCount` is 16 at most).
pub const MAX_MONITORS: usize = 16;

/// A client's monitors (TS_UD_CS_MONITOR, MS-RDPBCGR 2.2.1.3.6), [`MAX_MONITORS`] at most.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientMonitorData {
    /// Unused; 0.
    pub flags: u32,
    /// The monitors, one of them primary.
    pub monitors: Vec<MonitorDef>,
}

impl Decode<'_> for ClientMonitorData {
    const NAME: &'static str = "ClientMonitorData";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            flags: src.u32_le("flags")?,
            monitors: read_monitors(src, MonitorDef::SIZE)?,
        })
    }
}

impl Encode for ClientMonitorData {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 /* flags */ + 4 /* monitorCount */ + self.monitors.len() * MonitorDef::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.flags)?;
        dst.u32_le(len_u32(self.monitors.len(), Self::NAME, "monitorCount")?)?;
        self.monitors.iter().try_for_each(|monitor| monitor.encode(dst))
    }
}

/// Physical properties of a monitor (TS_MONITOR_ATTRIBUTES, MS-RDPBCGR 2.2.1.3.9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtendedMonitor {
    /// Width in millimetres.
    pub physical_width: u32,
    /// Height in millimetres.
    pub physical_height: u32,
    /// How it is turned: 0, 90, 180 or 270 degrees.
    pub orientation: u32,
    /// Scale of the desktop in per cent, 100 to 500.
    pub desktop_scale_factor: u32,
    /// Scale of modern applications in per cent: 100, 140 or 180.
    pub device_scale_factor: u32,
}

impl ExtendedMonitor {
    const SIZE: usize = 4 /* physicalWidth */ + 4 /* physicalHeight */ + 4 /* orientation */
        + 4 /* desktopScaleFactor */ + 4 /* deviceScaleFactor */;
}

impl Decode<'_> for ExtendedMonitor {
    const NAME: &'static str = "ExtendedMonitor";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            physical_width: src.u32_le("physicalWidth")?,
            physical_height: src.u32_le("physicalHeight")?,
            orientation: src.u32_le("orientation")?,
            desktop_scale_factor: src.u32_le("desktopScaleFactor")?,
            device_scale_factor: src.u32_le("deviceScaleFactor")?,
        })
    }
}

impl Encode for ExtendedMonitor {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        Self::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.physical_width)?;
        dst.u32_le(self.physical_height)?;
        dst.u32_le(self.orientation)?;
        dst.u32_le(self.desktop_scale_factor)?;
        dst.u32_le(self.device_scale_factor)
    }
}

/// Physical properties of the monitors in [`ClientMonitorData`], in the same order (TS_UD_CS_MONITOR_EX,
/// MS-RDPBCGR 2.2.1.3.9).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientMonitorExtendedData {
    /// Unused; 0.
    pub flags: u32,
    /// One entry a monitor.
    pub monitors: Vec<ExtendedMonitor>,
}

impl Decode<'_> for ClientMonitorExtendedData {
    const NAME: &'static str = "ClientMonitorExtendedData";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let flags = src.u32_le("flags")?;
        let attribute_size = src.u32_le("monitorAttributeSize")?;
        // 2.2.1.3.9: the size MUST be 20; another one would shift every entry after the first.
        if usize::try_from(attribute_size) != Ok(ExtendedMonitor::SIZE) {
            return Err(src.invalid("monitorAttributeSize", attribute_size));
        }
        Ok(Self {
            flags,
            monitors: read_monitors(src, ExtendedMonitor::SIZE)?,
        })
    }
}

impl Encode for ClientMonitorExtendedData {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 /* flags */ + 4 /* monitorAttributeSize */ + 4 /* monitorCount */
            + self.monitors.len() * ExtendedMonitor::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.flags)?;
        dst.u32_le(len_u32(
            ExtendedMonitor::SIZE,
            Self::NAME,
            "monitorAttributeSize",
        )?)?;
        dst.u32_le(len_u32(self.monitors.len(), Self::NAME, "monitorCount")?)?;
        self.monitors.iter().try_for_each(|monitor| monitor.encode(dst))
    }
}

/// Reads `monitorCount` and that many entries of `size` bytes.
fn read_monitors<'de, T: Decode<'de>>(src: &mut ReadCursor<'de>, size: usize) -> DecodeResult<Vec<T>> {
    let count = usize::try_from(src.u32_le("monitorCount")?).unwrap_or(usize::MAX);
    if count > MAX_MONITORS {
        return Err(src.limit("monitorCount", count, MAX_MONITORS));
    }
    let mut entries = src.sub(count * size, "monitorCount")?;
    (0..count).map(|_| T::decode(&mut entries)).collect()
}
