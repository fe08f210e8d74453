//! Which drawing orders there are, and counting them.

macro_rules! order_kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A drawing order, by what it does (MS-RDPEGDI 2.2.2.2.1).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum OrderKind {
            $($(#[$doc])* $name,)*
        }

        impl OrderKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Name for a log or a report.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

order_kinds! {
    /// Raster operation on the destination alone.
    DstBlt = "DstBlt",
    /// Fill with a pattern.
    PatBlt = "PatBlt",
    /// Copy from another place of the screen.
    ScrBlt = "ScrBlt",
    /// Bitmap stretched around its nine parts.
    DrawNineGrid = "DrawNineGrid",
    /// The same, for several clips.
    MultiDrawNineGrid = "MultiDrawNineGrid",
    /// Line.
    LineTo = "LineTo",
    /// Fill with a colour.
    OpaqueRect = "OpaqueRect",
    /// Save or restore a part of the screen.
    SaveBitmap = "SaveBitmap",
    /// Copy from a cached bitmap.
    MemBlt = "MemBlt",
    /// Copy from a cached bitmap through a pattern.
    Mem3Blt = "Mem3Blt",
    /// Several [`DstBlt`](Self::DstBlt).
    MultiDstBlt = "MultiDstBlt",
    /// Several [`PatBlt`](Self::PatBlt).
    MultiPatBlt = "MultiPatBlt",
    /// Several [`ScrBlt`](Self::ScrBlt).
    MultiScrBlt = "MultiScrBlt",
    /// Several [`OpaqueRect`](Self::OpaqueRect).
    MultiOpaqueRect = "MultiOpaqueRect",
    /// Text from cached glyphs, short form.
    FastIndex = "FastIndex",
    /// Polygon of one colour.
    PolygonSc = "PolygonSC",
    /// Polygon filled with a brush.
    PolygonCb = "PolygonCB",
    /// Several connected lines.
    Polyline = "Polyline",
    /// One glyph, which comes with the order.
    FastGlyph = "FastGlyph",
    /// Ellipse of one colour.
    EllipseSc = "EllipseSC",
    /// Ellipse filled with a brush.
    EllipseCb = "EllipseCB",
    /// Text from cached glyphs.
    GlyphIndex = "GlyphIndex",
    /// Raw bitmap for the cache.
    CacheBitmap = "CacheBitmap",
    /// Palette for the cache.
    CacheColorTable = "CacheColorTable",
    /// Compressed bitmap for the cache.
    CacheBitmapCompressed = "CacheBitmapCompressed",
    /// Glyphs for the cache.
    CacheGlyph = "CacheGlyph",
    /// Raw bitmap for the cache, revision 2.
    CacheBitmapRev2 = "CacheBitmapRev2",
    /// Compressed bitmap for the cache, revision 2.
    CacheBitmapCompressedRev2 = "CacheBitmapCompressedRev2",
    /// Brush for the cache.
    CacheBrush = "CacheBrush",
    /// Bitmap of a codec for the cache, revision 3.
    CacheBitmapRev3 = "CacheBitmapRev3",
    /// Secondary order of a type that is not known; its length is.
    OtherSecondary = "OtherSecondary",
    /// Draw on an offscreen bitmap from here on, or on the screen again.
    SwitchSurface = "SwitchSurface",
    /// Make an offscreen bitmap.
    CreateOffscreenBitmap = "CreateOffscreenBitmap",
    /// First block of a large bitmap.
    StreamBitmapFirst = "StreamBitmapFirst",
    /// Further block of a large bitmap.
    StreamBitmapNext = "StreamBitmapNext",
    /// Put a streamed bitmap into the nine-grid cache.
    CreateNineGridBitmap = "CreateNineGridBitmap",
    /// GDI+ drawing, first part.
    GdiPlusFirst = "GdiPlusFirst",
    /// GDI+ drawing, further part.
    GdiPlusNext = "GdiPlusNext",
    /// GDI+ drawing, last part.
    GdiPlusEnd = "GdiPlusEnd",
    /// GDI+ object for the cache, first part.
    GdiPlusCacheFirst = "GdiPlusCacheFirst",
    /// GDI+ object for the cache, further part.
    GdiPlusCacheNext = "GdiPlusCacheNext",
    /// GDI+ object for the cache, last part.
    GdiPlusCacheEnd = "GdiPlusCacheEnd",
    /// Something about a window of a remote application (MS-RDPERP).
    Window = "Window",
    /// Something about a composed desktop (MS-RDPEDC).
    DesktopComposition = "DesktopComposition",
    /// A frame starts or ends.
    FrameMarker = "FrameMarker",
    /// An order that is not known or not whole; if its length is not known, all that follow it too.
    Unknown = "Unknown",
}

/// How many orders of each kind there were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderCounts {
    counts: [u32; OrderKind::ALL.len()],
}

impl OrderCounts {
    /// None of any kind.
    pub const fn new() -> Self {
        Self {
            counts: [0; OrderKind::ALL.len()],
        }
    }

    /// Counts one more.
    pub fn add(&mut self, kind: OrderKind) {
        if let Some(count) = self.counts.get_mut(kind as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// How many of one kind.
    pub fn count(&self, kind: OrderKind) -> u32 {
        self.counts.get(kind as usize).copied().unwrap_or(0)
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// The kinds there were, with how many.
    pub fn iter(&self) -> impl Iterator<Item = (OrderKind, u32)> + '_ {
        let pairs = OrderKind::ALL.iter().copied().zip(self.counts);
        pairs.filter(|(_, count)| *count != 0)
    }
}

impl Default for OrderCounts {
    fn default() -> Self {
        Self::new()
    }
}

impl Extend<OrderKind> for OrderCounts {
    fn extend<I: IntoIterator<Item = OrderKind>>(&mut self, kinds: I) {
        kinds.into_iter().for_each(|kind| self.add(kind));
    }
}
