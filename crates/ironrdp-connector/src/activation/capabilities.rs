//! What both sides can do, and what follows from it.

use ironrdp_core::{Limit, Limits};
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::capability::{
    Bitmap, BitmapCacheRev2, BitmapCodecs, Brush, CapabilitySet, ConfirmActive, DemandActive, Font,
    FrameAcknowledge, General, GeneralExtraFlags, GlyphCache, Input, InputFlags, InputKeyboard, LargePointer,
    LargePointerFlags, MultifragmentUpdate, OffscreenCache, Order, Pointer, Share, Sound, SurfaceCommands,
    VirtualChannel,
};

use super::Activated;
use crate::{ColorDepth, Config, ConnectorError, ConnectorErrorKind, ConnectorResult};

/// Which input a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InputSupport {
    /// Input in fast-path PDUs.
    pub fast_path: bool,
    /// Characters by their Unicode code.
    pub unicode: bool,
    /// Buttons four and five of a mouse.
    pub extended_mouse: bool,
    /// A wheel that goes left and right.
    pub horizontal_wheel: bool,
    /// Relative mouse movement.
    pub relative_mouse: bool,
}

/// What a server can do, as its Demand Active says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServerFeatures {
    /// The input it takes.
    pub input: InputSupport,
    /// It sends parts of the desktop again when asked.
    pub refresh_rect: bool,
    /// It stops sending graphics when asked.
    pub suppress_output: bool,
    /// It counts frames and wants to hear which were shown.
    pub frame_acknowledge: bool,
    /// It sends surface commands.
    pub surface_commands: bool,
    /// It gives cookies to reconnect with.
    pub auto_reconnect: bool,
    /// The largest channel chunk it takes, in bytes, without its header.
    pub channel_chunk_size: u32,
}

/// What a Demand Active says of the desktop and the server.
pub(super) fn read_demand(demand: &DemandActive, limits: &Limits) -> ConnectorResult<Activated> {
    // 2.2.7.1.2: the Bitmap set is mandatory; without it there is no desktop to speak of.
    let Some(bitmap) = demand.find::<Bitmap>() else {
        return Err(ConnectorError::unexpected(
            "a Demand Active without a Bitmap capability set",
        ));
    };
    let Some(desktop_size) = bitmap.desktop_size() else {
        return Err(ConnectorError::new(
            ConnectorErrorKind::Limit,
            "the server's desktop has no usable size",
        ));
    };
    limits.check(Limit::Desktop, desktop_size.pixels())?;
    let Some(color_depth) = ColorDepth::from_bits(bitmap.bits_per_pixel) else {
        return Err(ConnectorError::new(
            ConnectorErrorKind::Unsupported,
            "the server's colour depth",
        ));
    };
    Ok(Activated {
        share_id: demand.share_id,
        desktop_size,
        color_depth,
        server: features(demand),
    })
}

fn features(demand: &DemandActive) -> ServerFeatures {
    let general = demand.find::<General>();
    let flags = demand
        .find::<Input>()
        .map_or(InputFlags::empty(), |input| input.flags);
    let chunk_size = demand.find::<VirtualChannel>().and_then(|set| set.chunk_size);
    ServerFeatures {
        input: InputSupport {
            fast_path: flags.intersects(InputFlags::FASTPATH_INPUT | InputFlags::FASTPATH_INPUT2),
            unicode: flags.contains(InputFlags::UNICODE),
            extended_mouse: flags.contains(InputFlags::MOUSE_X),
            horizontal_wheel: flags.contains(InputFlags::MOUSE_H_WHEEL),
            relative_mouse: flags.contains(InputFlags::MOUSE_RELATIVE),
        },
        refresh_rect: general.is_some_and(|set| set.refresh_rect_support),
        suppress_output: general.is_some_and(|set| set.suppress_output_support),
        frame_acknowledge: demand.find::<FrameAcknowledge>().is_some(),
        surface_commands: demand.find::<SurfaceCommands>().is_some(),
        auto_reconnect: general
            .is_some_and(|set| set.extra_flags.contains(GeneralExtraFlags::AUTO_RECONNECT)),
        // 2.2.7.1.10: a client must not send larger chunks than the default, whatever the server says it takes.
        channel_chunk_size: chunk_size.map_or(VirtualChannel::DEFAULT_CHUNK_SIZE, |size| {
            size.clamp(1, VirtualChannel::DEFAULT_CHUNK_SIZE)
        }),
    }
}

/// The client's answer: bitmaps of every kind, surface commands, pointers; no drawing orders and no caches.
pub(super) fn confirm(config: &Config, activated: &Activated) -> ConfirmActive {
    // 2.2.7.1.2: the client repeats the size and depth that the server has settled on.
    let mut sets: Vec<CapabilitySet> = vec![
        general().into(),
        Bitmap::new(activated.color_depth.bits(), activated.desktop_size).into(),
        Order::default().into(),
        BitmapCacheRev2::default().into(),
        Pointer::default().into(),
        input(config).into(),
        Brush::default().into(),
        GlyphCache::default().into(),
        OffscreenCache::default().into(),
        VirtualChannel::default().into(),
        Sound::default().into(),
        Share::default().into(),
        Font::default().into(),
        MultifragmentUpdate {
            max_request_size: u32::try_from(config.limits.update_bytes).unwrap_or(u32::MAX),
        }
        .into(),
        LargePointer {
            flags: LargePointerFlags::UP_TO_96X96 | LargePointerFlags::UP_TO_384X384,
        }
        .into(),
        SurfaceCommands::default().into(),
        BitmapCodecs::default().into(),
    ];
    if activated.server.frame_acknowledge {
        sets.push(FrameAcknowledge::default().into());
    }
    ConfirmActive::new(activated.share_id, sets)
}

fn general() -> General {
    let mut general = General::default();
    general.extra_flags |= GeneralExtraFlags::AUTO_RECONNECT;
    general
}

fn input(config: &Config) -> Input {
    let keyboard = InputKeyboard {
        layout: config.keyboard_layout,
        ..InputKeyboard::default()
    };
    Input {
        keyboard: Some(keyboard),
        ..Input::default()
    }
}

impl Activated {
    /// The desktop's size.
    pub const fn desktop_size(&self) -> DesktopSize {
        self.desktop_size
    }
}
