//! Sizes and rectangles of the desktop.

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

/// Width and height of a desktop in pixels, each from 1 to [`MAX`](Self::MAX).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DesktopSize {
    width: u16,
    height: u16,
}

impl DesktopSize {
    /// Longest side accepted. MS-RDPBCGR 2.2.7.1.2 caps the desktop at 8192 since RDP 10; fields are 16-bit.
    pub const MAX: u16 = 8_192;

    /// A size with both sides in range, else `None`.
    pub const fn new(width: u16, height: u16) -> Option<Self> {
        if width == 0 || height == 0 || width > Self::MAX || height > Self::MAX {
            return None;
        }
        Some(Self { width, height })
    }

    /// Pixels a row.
    pub const fn width(self) -> u16 {
        self.width
    }

    /// Rows.
    pub const fn height(self) -> u16 {
        self.height
    }

    /// Pixels in all.
    pub const fn pixels(self) -> usize {
        self.width as usize * self.height as usize
    }
}

bitflags::bitflags! {
    /// What a monitor is for (`flags` of `TS_MONITOR_DEF`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct MonitorFlags: u32 {
        /// `TS_MONITOR_PRIMARY`: its top left corner is the origin of the desktop's coordinates.
        const PRIMARY = 0x0000_0001;
        /// Bits this version does not know.
        const _ = !0;
    }
}

/// One monitor of the desktop (`TS_MONITOR_DEF`, MS-RDPBCGR 2.2.1.3.6.1); right and bottom edges belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MonitorDef {
    /// Leftmost column; negative left of the primary monitor.
    pub left: i32,
    /// Topmost row; negative above the primary monitor.
    pub top: i32,
    /// Rightmost column, inside.
    pub right: i32,
    /// Bottom row, inside.
    pub bottom: i32,
    /// Whether it is the primary one.
    pub flags: MonitorFlags,
}

impl MonitorDef {
    /// Bytes on the wire.
    pub const SIZE: usize = 4 * 4 /* edges */ + 4 /* flags */;

    /// The only monitor of a desktop of `size`.
    pub const fn only(size: DesktopSize) -> Self {
        Self {
            left: 0,
            top: 0,
            right: size.width as i32 - 1,
            bottom: size.height as i32 - 1,
            flags: MonitorFlags::PRIMARY,
        }
    }
}

impl Decode<'_> for MonitorDef {
    const NAME: &'static str = "MonitorDef";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            left: src.i32_le("left")?,
            top: src.i32_le("top")?,
            right: src.i32_le("right")?,
            bottom: src.i32_le("bottom")?,
            flags: MonitorFlags::from_bits_retain(src.u32_le("flags")?),
        })
    }
}

impl Encode for MonitorDef {
    fn name(&self) -> &'static str {
        "MonitorDef"
    }

    fn size(&self) -> usize {
        Self::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.i32_le(self.left)?;
        dst.i32_le(self.top)?;
        dst.i32_le(self.right)?;
        dst.i32_le(self.bottom)?;
        dst.u32_le(self.flags.bits())
    }
}

/// A rectangle whose right and bottom edges belong to it, as RDP sends them (`TS_RECTANGLE16`, MS-RDPBCGR 2.2.11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InclusiveRect {
    /// Leftmost column.
    pub left: u16,
    /// Topmost row.
    pub top: u16,
    /// Rightmost column, inside.
    pub right: u16,
    /// Bottom row, inside.
    pub bottom: u16,
}

impl InclusiveRect {
    /// Bytes on the wire.
    pub const SIZE: usize = 8;
}

impl Decode<'_> for InclusiveRect {
    const NAME: &'static str = "InclusiveRect";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let left = src.u16_le("left")?;
        let top = src.u16_le("top")?;
        Ok(Self {
            left,
            top,
            right: src.u16_le("right")?,
            bottom: src.u16_le("bottom")?,
        })
    }
}

impl Encode for InclusiveRect {
    fn name(&self) -> &'static str {
        "InclusiveRect"
    }

    fn size(&self) -> usize {
        Self::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.left)?;
        dst.u16_le(self.top)?;
        dst.u16_le(self.right)?;
        dst.u16_le(self.bottom)
    }
}
