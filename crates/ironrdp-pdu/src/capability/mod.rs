//! Capabilities: what both sides can do, exchanged in Demand Active and Confirm Active (MS-RDPBCGR 2.2.7).
//!
//! A [`CapabilitySet`] is one of many kinds; those this implementation does not know are kept as bytes. The kinds'
//! `Default` is what a modern client sends; `server()` constructors, where the two differ, what a server sends.
//! Order and repetitions are kept; [`DemandActive::find`] gives the first set of a kind.

mod active;
pub use active::{ConfirmActive, DemandActive};

mod cache;
pub use cache::{
    BitmapCacheHostSupport, BitmapCacheRev1, BitmapCacheRev2, BitmapCacheRev2Flags, Brush, BrushSupport,
    CacheDefinition, CellInfo, ColorCache, DrawGdiPlus, DrawNineGrid, GlyphCache, GlyphSupport,
    OffscreenCache,
};

mod codecs;
pub use codecs::{
    BitmapCodec, BitmapCodecs, CodecProperties, Guid, NsCodecCapabilities, RfxCaptureFlags,
    RfxClientCapabilities, RfxCodec, RfxCodecFlags, RfxEntropy,
};

mod display;
pub use display::{
    Bitmap, BitmapDrawingFlags, DesktopComposition, FrameAcknowledge, LargePointer, LargePointerFlags,
    MultifragmentUpdate, Order, OrderExtraFlags, OrderFlags, OrderSupport, Pointer, SurfaceCommandFlags,
    SurfaceCommands,
};

mod general;
pub use general::{
    Control, Font, General, GeneralExtraFlags, Input, InputFlags, InputKeyboard, OsMajorType, OsMinorType,
    Rail, RailSupport, Share, Sound, SoundFlags, VirtualChannel, VirtualChannelFlags, Window,
    WindowActivation, WindowSupport,
};

mod set;
pub use set::{Capability, CapabilitySet, CapabilitySetType};
