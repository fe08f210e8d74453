//! One capability set of any kind.

use alloc::vec::Vec;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u16};

use super::{
    Bitmap, BitmapCacheHostSupport, BitmapCacheRev1, BitmapCacheRev2, BitmapCodecs, Brush, ColorCache,
    Control, DesktopComposition, DrawGdiPlus, DrawNineGrid, Font, FrameAcknowledge, General, GlyphCache,
    Input, LargePointer, MultifragmentUpdate, OffscreenCache, Order, Pointer, Rail, Share, Sound,
    SurfaceCommands, VirtualChannel, Window, WindowActivation,
};

/// Kind of a capability set (`capabilitySetType`, MS-RDPBCGR 2.2.1.13.1.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CapabilitySetType(pub u16);

/// A capability set of a known kind; gives [`DemandActive::find`](super::DemandActive::find) its types.
pub trait Capability: Encode + Sized {
    /// The kind.
    const TYPE: CapabilitySetType;

    /// This kind's contents, if `set` is of this kind.
    fn from_set(set: &CapabilitySet) -> Option<&Self>;
}

macro_rules! sets {
    ($( $(#[$doc:meta])* $name:ident = $constant:ident $code:literal, )*) => {
        impl CapabilitySetType {
            $(
                #[doc = concat!("[`", stringify!($name), "`].")]
                pub const $constant: Self = Self($code);
            )*
        }

        /// A capability set (`TS_CAPS_SET`, MS-RDPBCGR 2.2.1.13.1.1.1).
        ///
        /// Bytes after the fields known here are skipped, since the set says where it ends. Kinds not known here,
        /// xrdp's type 6 among them, are kept as bytes.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum CapabilitySet {
            $( $(#[$doc])* $name($name), )*
            /// A kind this implementation does not know.
            Unknown {
                /// The kind.
                kind: CapabilitySetType,
                /// What follows type and length.
                body: Vec<u8>,
            },
        }

        impl CapabilitySet {
            /// The kind.
            pub const fn kind(&self) -> CapabilitySetType {
                match self {
                    $( Self::$name(_) => CapabilitySetType::$constant, )*
                    Self::Unknown { kind, .. } => *kind,
                }
            }

            fn read(kind: CapabilitySetType, mut src: ReadCursor<'_>) -> DecodeResult<Self> {
                Ok(match kind {
                    $( CapabilitySetType::$constant => Self::$name($name::decode(&mut src)?), )*
                    _ => Self::Unknown { kind, body: src.rest().to_vec() },
                })
            }

            fn body_size(&self) -> usize {
                match self {
                    $( Self::$name(set) => set.size(), )*
                    Self::Unknown { body, .. } => body.len(),
                }
            }

            fn encode_body(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
                match self {
                    $( Self::$name(set) => set.encode(dst), )*
                    Self::Unknown { body, .. } => dst.bytes(body),
                }
            }
        }

        $(
            impl Capability for $name {
                const TYPE: CapabilitySetType = CapabilitySetType::$constant;

                fn from_set(set: &CapabilitySet) -> Option<&Self> {
                    match set {
                        CapabilitySet::$name(set) => Some(set),
                        _ => None,
                    }
                }
            }

            impl From<$name> for CapabilitySet {
                fn from(set: $name) -> Self {
                    Self::$name(set)
                }
            }
        )*
    };
}

sets! {
    /// Platform and general abilities.
    General = GENERAL 0x0001,
    /// The desktop and its bitmaps.
    Bitmap = BITMAP 0x0002,
    /// Which drawing orders are supported.
    Order = ORDER 0x0003,
    /// Bitmap caches of the first version.
    BitmapCacheRev1 = BITMAP_CACHE_REV1 0x0004,
    /// Control of the session.
    Control = CONTROL 0x0005,
    /// Window activation.
    WindowActivation = WINDOW_ACTIVATION 0x0007,
    /// Which pointers are supported.
    Pointer = POINTER 0x0008,
    /// The sender's channel.
    Share = SHARE 0x0009,
    /// Colour tables cached.
    ColorCache = COLOR_CACHE 0x000a,
    /// What sounds the client makes.
    Sound = SOUND 0x000c,
    /// What kinds of input are taken.
    Input = INPUT 0x000d,
    /// Font abilities.
    Font = FONT 0x000e,
    /// Which brushes are supported.
    Brush = BRUSH 0x000f,
    /// Which glyphs are cached.
    GlyphCache = GLYPH_CACHE 0x0010,
    /// Bitmaps the server may draw into.
    OffscreenCache = OFFSCREEN_CACHE 0x0011,
    /// The server can keep bitmaps on the client.
    BitmapCacheHostSupport = BITMAP_CACHE_HOST_SUPPORT 0x0012,
    /// Bitmap caches of the second version.
    BitmapCacheRev2 = BITMAP_CACHE_REV2 0x0013,
    /// Compression and chunk size of static channels.
    VirtualChannel = VIRTUAL_CHANNEL 0x0014,
    /// Bitmaps stretched by nine parts.
    DrawNineGrid = DRAW_NINE_GRID 0x0015,
    /// Drawing by GDI+.
    DrawGdiPlus = DRAW_GDI_PLUS 0x0016,
    /// Which remote-program features are supported.
    Rail = RAIL 0x0017,
    /// Which window orders are supported.
    Window = WINDOW 0x0018,
    /// The session may have a composed desktop.
    DesktopComposition = DESKTOP_COMPOSITION 0x0019,
    /// How long an update in several fragments may be.
    MultifragmentUpdate = MULTIFRAGMENT_UPDATE 0x001a,
    /// Which large pointers are supported.
    LargePointer = LARGE_POINTER 0x001b,
    /// Which surface commands are supported.
    SurfaceCommands = SURFACE_COMMANDS 0x001c,
    /// The bitmap codecs a side knows.
    BitmapCodecs = BITMAP_CODECS 0x001d,
    /// How many frames may be on their way.
    FrameAcknowledge = FRAME_ACKNOWLEDGE 0x001e,
}

impl CapabilitySet {
    const HEADER: usize = 2 /* capabilitySetType */ + 2 /* lengthCapability */;
}

impl Decode<'_> for CapabilitySet {
    const NAME: &'static str = "CapabilitySet";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let kind = CapabilitySetType(src.u16_le("capabilitySetType")?);
        let length = usize::from(src.u16_le("lengthCapability")?);
        let available = src.remaining();
        match length.checked_sub(Self::HEADER) {
            Some(body) if body <= available => Self::read(kind, src.sub(body, "lengthCapability")?),
            _ => Err(src.lies("lengthCapability", length, available + Self::HEADER)),
        }
    }
}

impl Encode for CapabilitySet {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        Self::HEADER + self.body_size()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.kind().0)?;
        dst.u16_le(len_u16(self.size(), Self::NAME, "lengthCapability")?)?;
        self.encode_body(dst)
    }
}
