//! Capabilities of drawing orders: caches and brushes.

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use crate::fields::{Field, codes, flags, rows};

flags! {
    /// How the bitmap caches are used (`CacheFlags`).
    pub struct BitmapCacheRev2Flags: u16 {
        /// The client will send its kept keys in a Persistent Key List.
        const PERSISTENT_KEYS_EXPECTED = 0x0001;
        /// Bitmaps may wait until they are used again before they are cached.
        const ALLOW_CACHE_WAITING_LIST = 0x0002;
    }
}

codes! {
    /// Which brushes are supported (`brushSupportLevel`, MS-RDPBCGR 2.2.7.1.7).
    pub struct BrushSupport(u32) {
        /// Solid and monochrome pattern brushes.
        DEFAULT = 0;
        /// Also 8x8 colour brushes.
        COLOR_8X8 = 1;
        /// Every brush.
        COLOR_FULL = 2;
    }

    /// How glyphs are cached (`GlyphSupportLevel`, MS-RDPBCGR 2.2.7.1.8).
    pub struct GlyphSupport(u16) {
        /// Not at all.
        NONE = 0;
        /// By the first version of the order.
        PARTIAL = 1;
        /// By the first version of the order, and fragments.
        FULL = 2;
        /// By the second version of the order, and fragments.
        ENCODE = 3;
    }

    /// Size of one bitmap cache (`TS_BITMAPCACHE_CELL_CACHE_INFO`, MS-RDPBCGR 2.2.7.1.4.2.1).
    pub struct CellInfo(u32) {
        /// No cache.
        NONE = 0;
    }
}

impl CellInfo {
    const PERSISTENT: u32 = 0x8000_0000;

    /// A cache of `entries` bitmaps (31 bits), kept from session to session if `persistent`.
    pub const fn new(entries: u32, persistent: bool) -> Self {
        let flag = if persistent { Self::PERSISTENT } else { 0 };
        Self(entries & !Self::PERSISTENT | flag)
    }

    /// Number of bitmaps.
    pub const fn entries(self) -> u32 {
        self.0 & !Self::PERSISTENT
    }

    /// Whether bitmaps are kept from session to session.
    pub const fn is_persistent(self) -> bool {
        self.0 & Self::PERSISTENT != 0
    }
}

/// Size of one cache of glyphs (`TS_CACHE_DEFINITION`, MS-RDPBCGR 2.2.7.1.8.1), or of one first-version cache of bitmaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CacheDefinition {
    /// Number of glyphs or bitmaps.
    pub entries: u16,
    /// The longest one in bytes.
    pub max_cell_size: u16,
}

impl Field for CacheDefinition {
    const SIZE: usize = 4;

    fn read(src: &mut ReadCursor<'_>, _: &'static str) -> DecodeResult<Self> {
        Ok(Self {
            entries: src.u16_le("CacheEntries")?,
            max_cell_size: src.u16_le("CacheMaximumCellSize")?,
        })
    }

    fn write(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.entries)?;
        dst.u16_le(self.max_cell_size)
    }
}

/// Bitmap caches of the first version (`TS_BITMAPCACHE_CAPABILITYSET`, MS-RDPBCGR 2.2.7.1.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BitmapCacheRev1 {
    /// The three caches.
    pub caches: [CacheDefinition; 3],
}

impl BitmapCacheRev1 {
    const PAD: usize = 6 * 4;
}

impl Decode<'_> for BitmapCacheRev1 {
    const NAME: &'static str = "BitmapCacheRev1";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        src.skip(Self::PAD, "pad")?;
        Ok(Self {
            caches: Field::read(src, "Cache")?,
        })
    }
}

impl Encode for BitmapCacheRev1 {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        Self::PAD + 3 * CacheDefinition::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.zeros(Self::PAD)?;
        self.caches.write(dst)
    }
}

/// Bitmap caches of the second version (`TS_BITMAPCACHE_CAPABILITYSET_REV2`, MS-RDPBCGR 2.2.7.1.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BitmapCacheRev2 {
    /// How the caches are used.
    pub flags: BitmapCacheRev2Flags,
    /// How many of `caches` there are, at most 5.
    pub count: u8,
    /// The caches; those beyond `count` say nothing.
    pub caches: [CellInfo; 5],
}

impl Default for CellInfo {
    fn default() -> Self {
        Self::NONE
    }
}

impl Default for BitmapCacheRev2 {
    fn default() -> Self {
        let [small, large] = [120, 2_555].map(|entries| CellInfo::new(entries, false));
        Self {
            flags: BitmapCacheRev2Flags::ALLOW_CACHE_WAITING_LIST,
            count: 3,
            caches: [small, small, large, CellInfo::NONE, CellInfo::NONE],
        }
    }
}

impl Decode<'_> for BitmapCacheRev2 {
    const NAME: &'static str = "BitmapCacheRev2";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let flags = Field::read(src, "CacheFlags")?;
        src.skip(1, "Pad2")?;
        let value = Self {
            flags,
            count: src.u8("NumCellCaches")?,
            caches: Field::read(src, "BitmapCacheCellInfo")?,
        };
        src.skip(src.remaining().min(12), "Pad3")?;
        Ok(value)
    }
}

impl Encode for BitmapCacheRev2 {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 /* CacheFlags */ + 1 /* Pad2 */ + 1 /* NumCellCaches */ + 5 * 4 + 12 /* Pad3 */
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        self.flags.write(dst)?;
        dst.u8(0)?;
        dst.u8(self.count)?;
        self.caches.write(dst)?;
        dst.zeros(12)
    }
}

rows! {
    /// The server can keep bitmaps on the client (`TS_BITMAPCACHE_HOSTSUPPORT_CAPABILITYSET`, MS-RDPBCGR 2.2.7.2.1).
    pub struct BitmapCacheHostSupport {
        /// 1: the second version of the bitmap cache.
        pub cache_version: u8 = "cacheVersion",
    }
    pad 3;

    /// Colour tables cached (`TS_COLORTABLE_CAPABILITYSET`, MS-RDPEGDI 2.2.1.1).
    pub struct ColorCache {
        /// Number of tables: 6.
        pub cache_size: u16 = "colorTableCacheSize",
    }
    pad 2;

    /// Which brushes are supported (`TS_BRUSH_CAPABILITYSET`, MS-RDPBCGR 2.2.7.1.7).
    pub struct Brush {
        /// The brushes.
        pub support: BrushSupport = "brushSupportLevel",
    }

    /// Which glyphs are cached (`TS_GLYPHCACHE_CAPABILITYSET`, MS-RDPBCGR 2.2.7.1.8).
    pub struct GlyphCache {
        /// The ten caches.
        pub caches: [CacheDefinition; 10] = "GlyphCache",
        /// The cache of fragments.
        pub fragments: CacheDefinition = "FragCache",
        /// How they are used.
        pub support: GlyphSupport = "GlyphSupportLevel",
    }
    pad 2;

    /// Bitmaps the server may draw into that are not on the screen (`TS_OFFSCREEN_CAPABILITYSET`, MS-RDPBCGR 2.2.7.1.9).
    #[derive(Default)]
    pub struct OffscreenCache {
        /// 1 if supported.
        pub support: u32 = "offscreenSupportLevel",
        /// In KiB, at most 7680.
        pub cache_size_kib: u16 = "offscreenCacheSize",
        /// Number of bitmaps, at most 500.
        pub entries: u16 = "offscreenCacheEntries",
    }

    /// Bitmaps stretched by nine parts (`TS_DRAW_NINEGRID_CAPABILITYSET`, MS-RDPEGDI 2.2.1.2).
    #[derive(Default)]
    pub struct DrawNineGrid {
        /// 0 none, 1 the first version, 2 the second.
        pub support: u32 = "drawNineGridSupportLevel",
        /// In KiB, at most 2560.
        pub cache_size_kib: u16 = "drawNineGridCacheSize",
        /// Number of bitmaps, at most 256.
        pub entries: u16 = "drawNineGridCacheEntries",
    }

    /// Drawing by GDI+ (`TS_DRAW_GDIPLUS_CAPABILITYSET`, MS-RDPEGDI 2.2.1.3).
    #[derive(Default)]
    pub struct DrawGdiPlus {
        /// 1 if supported.
        pub support: u32 = "drawGDIPlusSupportLevel",
        /// Version of GDI+.
        pub version: u32 = "GdipVersion",
        /// 1 if its caches are supported.
        pub cache_level: u32 = "drawGdiplusCacheLevel",
        /// Entries of the caches for graphics, brushes, pens, images and image attributes.
        pub cache_entries: [u16; 5] = "GdipCacheEntries",
        /// Chunk sizes of the caches for graphics, brushes, pens and image attributes.
        pub cache_chunk_size: [u16; 4] = "GdipCacheChunkSize",
        /// Chunk size, total and longest entry of the image cache.
        pub image_cache: [u16; 3] = "GdipImageCacheProperties",
    }
}

impl Default for BitmapCacheHostSupport {
    fn default() -> Self {
        Self { cache_version: 1 }
    }
}

impl Default for ColorCache {
    fn default() -> Self {
        Self { cache_size: 6 }
    }
}

impl Default for Brush {
    fn default() -> Self {
        Self {
            support: BrushSupport::DEFAULT,
        }
    }
}

impl Default for GlyphCache {
    fn default() -> Self {
        // The sizes Windows clients send, with the use switched off.
        let sizes = [4, 4, 8, 8, 16, 32, 64, 128, 256];
        let mut caches = [CacheDefinition {
            entries: 64,
            max_cell_size: 2_048,
        }; 10];
        for (cache, max_cell_size) in caches.iter_mut().zip(sizes) {
            *cache = CacheDefinition {
                entries: 254,
                max_cell_size,
            };
        }
        Self {
            caches,
            fragments: CacheDefinition {
                entries: 256,
                max_cell_size: 256,
            },
            support: GlyphSupport::NONE,
        }
    }
}
