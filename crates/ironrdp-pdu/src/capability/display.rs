//! Capabilities of graphics: the desktop, drawing orders, surfaces, pointers.

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use crate::DesktopSize;
use crate::fields::{Field, flags, rows};

flags! {
    /// How 32 bpp bitmaps may be packed (`drawingFlags`).
    pub struct BitmapDrawingFlags: u8 {
        /// With colours made coarser.
        const DYNAMIC_COLOR_FIDELITY = 0x02;
        /// With chroma at a quarter of the size.
        const COLOR_SUBSAMPLING = 0x04;
        /// Without alpha.
        const SKIP_ALPHA = 0x08;
        /// Sent by Windows, without meaning.
        const UNUSED = 0x10;
    }

    /// How drawing orders are sent (`orderFlags`).
    pub struct OrderFlags: u16 {
        /// What is supported stands in the list of orders; always set.
        const NEGOTIATE_ORDER_SUPPORT = 0x0002;
        /// Bounds may be left out if they are the same; always set.
        const ZERO_BOUNDS_DELTAS = 0x0008;
        /// Colours may be indices.
        const COLOR_INDEX = 0x0020;
        /// Only solid and pattern brushes.
        const SOLID_PATTERN_BRUSH_ONLY = 0x0040;
        /// The extra flags say something.
        const EXTRA_FLAGS = 0x0080;
    }

    /// More about drawing orders (`orderSupportExFlags`).
    pub struct OrderExtraFlags: u16 {
        /// Third version of the bitmap cache.
        const CACHE_BITMAP_REV3 = 0x0002;
        /// Frame markers.
        const ALTSEC_FRAME_MARKER = 0x0004;
    }

    /// Which surface commands are supported (`cmdFlags`).
    pub struct SurfaceCommandFlags: u32 {
        /// Set Surface Bits.
        const SET_SURFACE_BITS = 0x0000_0002;
        /// Frame Marker.
        const FRAME_MARKER = 0x0000_0010;
        /// Stream Surface Bits.
        const STREAM_SURFACE_BITS = 0x0000_0040;
    }

    /// Which large pointers are supported (`largePointerSupportFlags`).
    pub struct LargePointerFlags: u16 {
        /// Up to 96x96.
        const UP_TO_96X96 = 0x0001;
        /// Up to 384x384.
        const UP_TO_384X384 = 0x0002;
    }
}

/// The desktop and its bitmaps (`TS_BITMAP_CAPABILITYSET`, MS-RDPBCGR 2.2.7.1.2).
///
/// In a Demand Active it is what the session will really have, whatever the client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bitmap {
    /// Colour depth of the session.
    pub bits_per_pixel: u16,
    /// Width of the desktop in pixels.
    pub width: u16,
    /// Height of the desktop in pixels.
    pub height: u16,
    /// The desktop may change its size while the session runs.
    pub desktop_resize: bool,
    /// Bitmaps may be compressed; always true.
    pub compression: bool,
    /// 0.
    pub high_color_flags: u8,
    /// How 32 bpp bitmaps may be packed.
    pub drawing_flags: BitmapDrawingFlags,
    /// An update may hold more than one bitmap; always true.
    pub multiple_rectangles: bool,
}

impl Bitmap {
    /// A desktop that may be resized, with every packing of bitmaps.
    pub const fn new(bits_per_pixel: u16, size: DesktopSize) -> Self {
        Self {
            bits_per_pixel,
            width: size.width(),
            height: size.height(),
            desktop_resize: true,
            compression: true,
            high_color_flags: 0,
            drawing_flags: BitmapDrawingFlags::DYNAMIC_COLOR_FIDELITY
                .union(BitmapDrawingFlags::COLOR_SUBSAMPLING)
                .union(BitmapDrawingFlags::SKIP_ALPHA),
            multiple_rectangles: true,
        }
    }

    /// The desktop, unless a side is out of range.
    pub const fn desktop_size(&self) -> Option<DesktopSize> {
        DesktopSize::new(self.width, self.height)
    }
}

impl Decode<'_> for Bitmap {
    const NAME: &'static str = "Bitmap";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let bits_per_pixel = src.u16_le("preferredBitsPerPixel")?;
        src.skip(3 * 2, "receiveBitsPerPixel")?; // for 1, 4 and 8 bpp; ignored by the rule of the specification
        let width = src.u16_le("desktopWidth")?;
        let height = src.u16_le("desktopHeight")?;
        src.skip(2, "pad2octets")?;
        let value = Self {
            bits_per_pixel,
            width,
            height,
            desktop_resize: Field::read(src, "desktopResizeFlag")?,
            compression: Field::read(src, "bitmapCompressionFlag")?,
            high_color_flags: src.u8("highColorFlags")?,
            drawing_flags: Field::read(src, "drawingFlags")?,
            multiple_rectangles: Field::read(src, "multipleRectangleSupport")?,
        };
        src.skip(src.remaining().min(2), "pad2octetsB")?;
        Ok(value)
    }
}

impl Encode for Bitmap {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 * 9 /* up to bitmapCompressionFlag */ + 1 + 1 + 2 /* multipleRectangleSupport */ + 2 /* pad */
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.bits_per_pixel)?;
        [true; 3].write(dst)?; // receive1BitPerPixel, receive4BitsPerPixel, receive8BitsPerPixel
        dst.u16_le(self.width)?;
        dst.u16_le(self.height)?;
        dst.zeros(2)?;
        self.desktop_resize.write(dst)?;
        self.compression.write(dst)?;
        dst.u8(self.high_color_flags)?;
        self.drawing_flags.write(dst)?;
        self.multiple_rectangles.write(dst)?;
        dst.zeros(2)
    }
}

/// Which drawing orders are supported: a byte for each (`orderSupport`, MS-RDPBCGR 2.2.7.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct OrderSupport(pub [u8; 32]);

impl OrderSupport {
    /// `DstBlt`.
    pub const DST_BLT: usize = 0x00;
    /// `PatBlt` and `OpaqueRect`.
    pub const PAT_BLT: usize = 0x01;
    /// `ScrBlt`.
    pub const SCR_BLT: usize = 0x02;
    /// `MemBlt`.
    pub const MEM_BLT: usize = 0x03;
    /// `Mem3Blt`.
    pub const MEM3_BLT: usize = 0x04;
    /// `DrawNineGrid`.
    pub const DRAW_NINE_GRID: usize = 0x07;
    /// `LineTo`.
    pub const LINE_TO: usize = 0x08;
    /// `MultiDrawNineGrid`.
    pub const MULTI_DRAW_NINE_GRID: usize = 0x09;
    /// `SaveBitmap`.
    pub const SAVE_BITMAP: usize = 0x0b;
    /// `MultiDstBlt`.
    pub const MULTI_DST_BLT: usize = 0x0f;
    /// `MultiPatBlt`.
    pub const MULTI_PAT_BLT: usize = 0x10;
    /// `MultiScrBlt`.
    pub const MULTI_SCR_BLT: usize = 0x11;
    /// `MultiOpaqueRect`.
    pub const MULTI_OPAQUE_RECT: usize = 0x12;
    /// `FastIndex`.
    pub const FAST_INDEX: usize = 0x13;
    /// `PolygonSC`.
    pub const POLYGON_SC: usize = 0x14;
    /// `PolygonCB`.
    pub const POLYGON_CB: usize = 0x15;
    /// `Polyline`.
    pub const POLYLINE: usize = 0x16;
    /// `FastGlyph`.
    pub const FAST_GLYPH: usize = 0x18;
    /// `EllipseSC`.
    pub const ELLIPSE_SC: usize = 0x19;
    /// `EllipseCB`.
    pub const ELLIPSE_CB: usize = 0x1a;
    /// `GlyphIndex`.
    pub const GLYPH_INDEX: usize = 0x1b;

    /// Whether the order at `index` is supported.
    pub fn has(&self, index: usize) -> bool {
        self.0.get(index).is_some_and(|support| *support != 0)
    }

    /// The same with the order at `index` supported; an index that does not exist changes nothing.
    #[must_use]
    pub fn with(mut self, index: usize) -> Self {
        if let Some(support) = self.0.get_mut(index) {
            *support = 1;
        }
        self
    }
}

impl Field for OrderSupport {
    const SIZE: usize = 32;

    fn read(src: &mut ReadCursor<'_>, name: &'static str) -> DecodeResult<Self> {
        src.array(name).map(Self)
    }

    fn write(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.bytes(&self.0)
    }
}

/// Which drawing orders are supported (`TS_ORDER_CAPABILITYSET`, MS-RDPBCGR 2.2.7.1.3). By default none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Order {
    /// Name of the terminal, ignored by everyone.
    pub terminal_descriptor: [u8; 16],
    /// Number of fonts: 0.
    pub fonts: u16,
    /// How orders are sent.
    pub flags: OrderFlags,
    /// Which orders.
    pub support: OrderSupport,
    /// Ignored by everyone.
    pub text_flags: u16,
    /// More about orders.
    pub extra_flags: OrderExtraFlags,
    /// Room for saved parts of the desktop in pixels.
    pub desktop_save_size: u32,
    /// Windows code page of text.
    pub text_ansi_code_page: u16,
}

impl Order {
    const X_GRANULARITY: u16 = 1;
    const Y_GRANULARITY: u16 = 20;
    const MAXIMUM_LEVEL: u16 = 1;
}

impl Default for Order {
    fn default() -> Self {
        Self {
            terminal_descriptor: [0; 16],
            fonts: 0,
            flags: OrderFlags::NEGOTIATE_ORDER_SUPPORT
                | OrderFlags::ZERO_BOUNDS_DELTAS
                | OrderFlags::COLOR_INDEX,
            support: OrderSupport::default(),
            text_flags: 0,
            extra_flags: OrderExtraFlags::empty(),
            desktop_save_size: 480 * 480,
            text_ansi_code_page: 0,
        }
    }
}

impl Decode<'_> for Order {
    const NAME: &'static str = "Order";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let terminal_descriptor = src.array("terminalDescriptor")?;
        // Three numbers that never vary and that receivers ignore.
        src.skip(4 + 2 + 2 + 2 + 2, "desktopSaveGranularity")?;
        let fonts = src.u16_le("numberFonts")?;
        let flags = Field::read(src, "orderFlags")?;
        let support = Field::read(src, "orderSupport")?;
        let text_flags = src.u16_le("textFlags")?;
        let extra_flags = Field::read(src, "orderSupportExFlags")?;
        src.skip(4, "pad4octetsB")?;
        let desktop_save_size = src.u32_le("desktopSaveSize")?;
        src.skip(2 + 2, "pad2octetsC")?;
        let text_ansi_code_page = src.u16_le("textANSICodePage")?;
        src.skip(src.remaining().min(2), "pad2octetsE")?;
        Ok(Self {
            terminal_descriptor,
            fonts,
            flags,
            support,
            text_flags,
            extra_flags,
            desktop_save_size,
            text_ansi_code_page,
        })
    }
}

impl Encode for Order {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        16 /* terminalDescriptor */ + 4 /* pad */ + 2 + 2 /* granularity */ + 2 /* pad */ + 2 /* level */
            + 2 /* numberFonts */ + 2 /* orderFlags */ + 32 /* orderSupport */ + 2 /* textFlags */
            + 2 /* orderSupportExFlags */ + 4 /* pad */ + 4 /* desktopSaveSize */ + 4 /* pads */
            + 2 /* textANSICodePage */ + 2 /* pad */
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.bytes(&self.terminal_descriptor)?;
        dst.zeros(4)?;
        dst.u16_le(Self::X_GRANULARITY)?;
        dst.u16_le(Self::Y_GRANULARITY)?;
        dst.zeros(2)?;
        dst.u16_le(Self::MAXIMUM_LEVEL)?;
        dst.u16_le(self.fonts)?;
        self.flags.write(dst)?;
        self.support.write(dst)?;
        dst.u16_le(self.text_flags)?;
        self.extra_flags.write(dst)?;
        dst.zeros(4)?;
        dst.u32_le(self.desktop_save_size)?;
        dst.zeros(4)?;
        dst.u16_le(self.text_ansi_code_page)?;
        dst.zeros(2)
    }
}

/// Which pointers are supported (`TS_POINTER_CAPABILITYSET`, MS-RDPBCGR 2.2.7.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pointer {
    /// Colour pointers; always true.
    pub color: bool,
    /// Number of colour pointers cached.
    pub color_cache_size: u16,
    /// Number of pointers of any depth cached; left out by peers that know only colour pointers.
    pub cache_size: Option<u16>,
}

impl Default for Pointer {
    fn default() -> Self {
        Self {
            color: true,
            color_cache_size: 25,
            cache_size: Some(25),
        }
    }
}

impl Decode<'_> for Pointer {
    const NAME: &'static str = "Pointer";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let color = Field::read(src, "colorPointerFlag")?;
        let color_cache_size = src.u16_le("colorPointerCacheSize")?;
        let cache_size = if src.is_empty() {
            None
        } else {
            Some(src.u16_le("pointerCacheSize")?)
        };
        Ok(Self {
            color,
            color_cache_size,
            cache_size,
        })
    }
}

impl Encode for Pointer {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 /* colorPointerFlag */ + 2 /* colorPointerCacheSize */ + self.cache_size.map_or(0, |_| 2)
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        self.color.write(dst)?;
        dst.u16_le(self.color_cache_size)?;
        self.cache_size.map_or(Ok(()), |size| dst.u16_le(size))
    }
}

rows! {
    /// The session may have a composed desktop (`TS_COMPDESK_CAPABILITYSET`, MS-RDPBCGR 2.2.7.2.8).
    #[derive(Default)]
    pub struct DesktopComposition {
        /// Whether it may.
        pub support: bool = "CompDeskSupportLevel",
    }

    /// How long an update in several fast-path fragments may be
    /// (`TS_MULTIFRAGMENTUPDATE_CAPABILITYSET`, MS-RDPBCGR 2.2.7.2.6).
    pub struct MultifragmentUpdate {
        /// In bytes, put together: what the sender of this set takes.
        pub max_request_size: u32 = "MaxRequestSize",
    }

    /// Which large pointers are supported (`TS_LARGE_POINTER_CAPABILITYSET`, MS-RDPBCGR 2.2.7.2.7).
    pub struct LargePointer {
        /// The sizes.
        pub flags: LargePointerFlags = "largePointerSupportFlags",
    }

    /// Which surface commands are supported (`TS_SURFCMDS_CAPABILITYSET`, MS-RDPBCGR 2.2.7.2.9).
    pub struct SurfaceCommands {
        /// The commands.
        pub flags: SurfaceCommandFlags = "cmdFlags",
    }
    pad 4;

    /// How many frames may be on their way (`TS_FRAME_ACKNOWLEDGE_CAPABILITYSET`, MS-RDPRFX 2.2.1.3).
    pub struct FrameAcknowledge {
        /// Frames sent and not yet acknowledged; 0 from a server says only that it takes acknowledgements.
        pub max_unacknowledged_frames: u32 = "maxUnacknowledgedFrameCount",
    }
}

impl Default for MultifragmentUpdate {
    fn default() -> Self {
        // Holds a raw update of 1920x1080 pixels at 16 bpp; xrdp and FreeRDP offer 3 MiB themselves.
        Self {
            max_request_size: 0x0040_0000,
        }
    }
}

impl Default for LargePointer {
    fn default() -> Self {
        Self {
            flags: LargePointerFlags::UP_TO_96X96 | LargePointerFlags::UP_TO_384X384,
        }
    }
}

impl Default for SurfaceCommands {
    fn default() -> Self {
        Self {
            flags: SurfaceCommandFlags::SET_SURFACE_BITS
                | SurfaceCommandFlags::FRAME_MARKER
                | SurfaceCommandFlags::STREAM_SURFACE_BITS,
        }
    }
}

impl Default for FrameAcknowledge {
    fn default() -> Self {
        Self {
            max_unacknowledged_frames: 2,
        }
    }
}
