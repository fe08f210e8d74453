//! The desktop as the server draws it.

use core::cell::Cell;

use ironrdp_graphics::{BitmapSource, Palette, Rect, Scratch};
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::fastpath::{FastPathBody, UpdateCode};
use ironrdp_pdu::output::{BitmapData, BitmapUpdate, OrderCounts, OrderWalker, OrdersUpdate, Update};
use ironrdp_pdu::pointer::{PointerShape, PointerUpdate};
use ironrdp_pdu::share::FrameAcknowledge;
use ironrdp_pdu::surface::{FrameAction, FrameMarker, SurfaceBits, SurfaceCommand, SurfaceCommands};

use ironrdp_core::{DecodeError, DecodeErrorKind};

use crate::damage::Damage;
use crate::outbox::Outbox;
use crate::pixel_store::PixelStore;
use crate::pointers::{PointerCache, checked_index};
use crate::queue::EventQueue;
use crate::{
    Event, Limit, Limits, PduKind, PointerState, SessionConfig, SessionResult, SessionStats, Unsupported,
};

/// Codec id of pixels that are as they are.
const CODEC_NONE: u8 = 0;

/// Working memory a thread keeps between two calls; a codec that needed more gives it back.
const MAX_KEPT_SCRATCH: usize = 1024 * 1024;

thread_local! {
    /// The codecs' working memory is never read across calls, so that all sessions of a thread share one, and a session
    /// that waits holds none. Taken out while in use: a pixel store may run another session inside.
    static SCRATCH: Cell<Scratch> = const { Cell::new(Scratch::new()) };
}

/// What the drawing of an update touches beside the screen.
pub(crate) struct Surroundings<'a> {
    pub(crate) config: &'a SessionConfig,
    pub(crate) events: &'a mut EventQueue,
    pub(crate) stats: &'a mut SessionStats,
    pub(crate) outbox: &'a mut Outbox,
    /// Whether the share is active, so that its frames are acknowledged.
    pub(crate) is_active: bool,
}

impl Surroundings<'_> {
    pub(crate) fn unsupported(&mut self, what: Unsupported) {
        tracing::debug!(?what, "the server sent what is not supported");
        self.stats.unsupported += 1;
        self.events.unsupported(what, 1);
    }
}

/// Pixels, and what the reading of updates keeps from one to the next.
#[derive(Debug)]
pub(crate) struct Screen<P> {
    pub(crate) pixels: P,
    pub(crate) damage: Damage,
    size: DesktopSize,
    pointers: PointerCache,
    /// Only sessions with 8 bits a pixel have one.
    palette: Option<Box<Palette>>,
    walker: OrderWalker,
    order_counts: Option<Box<OrderCounts>>,
}

impl<P: PixelStore> Screen<P> {
    pub(crate) fn new(mut pixels: P, size: DesktopSize, limits: &Limits) -> SessionResult<Self> {
        limits.check(Limit::Desktop, size.pixels())?;
        pixels.resize(size)?;
        Ok(Self {
            pixels,
            damage: Damage::default(),
            size,
            pointers: PointerCache::default(),
            palette: None,
            walker: OrderWalker::new(),
            order_counts: None,
        })
    }

    pub(crate) const fn size(&self) -> DesktopSize {
        self.size
    }

    pub(crate) const fn bounds(&self) -> Rect {
        Rect::new(0, 0, self.size.width(), self.size.height())
    }

    pub(crate) fn order_counts(&self) -> Option<&OrderCounts> {
        self.order_counts.as_deref()
    }

    /// A new share begins; true if its desktop has another size.
    pub(crate) fn restart(&mut self, size: DesktopSize, limits: &Limits) -> SessionResult<bool> {
        self.walker = OrderWalker::new();
        if size == self.size {
            return Ok(false);
        }
        limits.check(Limit::Desktop, size.pixels())?;
        self.pixels.resize(size)?;
        self.size = size;
        self.damage.clear();
        Ok(true)
    }

    /// Does a whole, decompressed fast-path update.
    pub(crate) fn fast_path(
        &mut self,
        code: UpdateCode,
        data: &[u8],
        around: &mut Surroundings<'_>,
    ) -> SessionResult<()> {
        match code.decode_body(data)? {
            FastPathBody::Graphics(update) => self.graphics(&update, around),
            FastPathBody::Surface(commands) => {
                around.stats.count(PduKind::Surface);
                self.surface(&commands, around)
            }
            FastPathBody::Pointer(pointer) => self.pointer(&pointer, around),
            FastPathBody::Unknown(code) => {
                around.stats.count(PduKind::Unknown);
                around.unsupported(Unsupported::FastPathUpdate(code));
                Ok(())
            }
        }
    }

    /// Does an update that both paths have.
    pub(crate) fn graphics(
        &mut self,
        update: &Update<'_>,
        around: &mut Surroundings<'_>,
    ) -> SessionResult<()> {
        match update {
            Update::Bitmap(bitmap) => self.bitmap(bitmap, around),
            Update::Palette(palette) => {
                around.stats.count(PduKind::Palette);
                **self.palette.get_or_insert_default() = Palette::from_rgb(palette.colors.iter().copied());
                Ok(())
            }
            Update::Orders(orders) => {
                around.stats.count(PduKind::Orders);
                self.orders(orders, around);
                Ok(())
            }
            Update::Synchronize => {
                around.stats.ignore(PduKind::Synchronize);
                Ok(())
            }
            Update::Unknown { update_type, .. } => {
                around.stats.count(PduKind::Unknown);
                around.unsupported(Unsupported::SlowPathUpdate(*update_type));
                Ok(())
            }
        }
    }

    fn bitmap(&mut self, update: &BitmapUpdate<'_>, around: &mut Surroundings<'_>) -> SessionResult<()> {
        around.stats.count(PduKind::Bitmap);
        with_scratch(|scratch| {
            for rectangle in update.rectangles() {
                self.rectangle(&rectangle?, scratch, around)?;
            }
            Ok(())
        })
    }

    fn rectangle(
        &mut self,
        data: &BitmapData<'_>,
        scratch: &mut Scratch,
        around: &mut Surroundings<'_>,
    ) -> SessionResult<()> {
        let to = data.destination;
        let Some(destination) = Rect::from_inclusive(to.left, to.top, to.right, to.bottom) else {
            return Err(misplaced("destRight", to.right));
        };
        let source = BitmapSource::new(
            data.width,
            data.height,
            data.bits_per_pixel,
            data.is_compressed(),
            data.data,
        )?;
        let part = visible(self.bounds(), &source, destination);
        if !part.is_empty() {
            let palette = self.palette.as_deref().unwrap_or(Palette::shared_default());
            self.pixels.draw_bitmap(&source, palette, scratch, part)?;
            self.damage.add(part);
            around.events.painted();
        }
        around.stats.bitmap_rectangles += 1;
        Ok(())
    }

    /// Orders are told apart and counted, not drawn: this client announces none, so that no server should send them.
    fn orders(&mut self, update: &OrdersUpdate<'_>, around: &mut Surroundings<'_>) {
        let counts = self.order_counts.get_or_insert_default();
        let before = counts.total();
        counts.extend(self.walker.walk(update).map(|order| order.kind));
        let count = counts.total() - before;
        around.stats.orders += count;
        around.events.unsupported(Unsupported::DrawingOrders, count);
    }

    fn surface(
        &mut self,
        commands: &SurfaceCommands<'_>,
        around: &mut Surroundings<'_>,
    ) -> SessionResult<()> {
        for command in commands {
            match command {
                Ok(SurfaceCommand::SetBits(bits) | SurfaceCommand::StreamBits(bits)) => {
                    self.surface_bits(&bits, around)?;
                }
                Ok(SurfaceCommand::FrameMarker(marker)) => frame_marker(marker, around)?,
                Err(error) if matches!(error.kind(), DecodeErrorKind::Unsupported { .. }) => {
                    around.unsupported(Unsupported::SurfaceCommand);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn surface_bits(&mut self, bits: &SurfaceBits<'_>, around: &mut Surroundings<'_>) -> SessionResult<()> {
        if bits.codec_id != CODEC_NONE {
            around.unsupported(Unsupported::SurfaceCodec(bits.codec_id));
            return Ok(());
        }
        let Some(width) = bits.right.checked_sub(bits.left) else {
            return Err(misplaced("destRight", bits.right));
        };
        let Some(height) = bits.bottom.checked_sub(bits.top) else {
            return Err(misplaced("destBottom", bits.bottom));
        };
        let destination = Rect::new(bits.left, bits.top, width, height);
        let depth = u16::from(bits.bits_per_pixel);
        let source = BitmapSource::new(bits.width, bits.height, depth, false, bits.data)?;
        let part = visible(self.bounds(), &source, destination);
        if !part.is_empty() {
            let palette = self.palette.as_deref().unwrap_or(Palette::shared_default());
            self.pixels.draw_surface_bits(&source, palette, part)?;
            self.damage.add(part);
            around.events.painted();
        }
        around.stats.surface_bits += 1;
        Ok(())
    }

    /// Does a pointer update of either path.
    pub(crate) fn pointer(
        &mut self,
        update: &PointerUpdate<'_>,
        around: &mut Surroundings<'_>,
    ) -> SessionResult<()> {
        around.stats.count(PduKind::Pointer);
        let state = match update {
            PointerUpdate::Hidden => PointerState::Hidden,
            PointerUpdate::Default => PointerState::Default,
            PointerUpdate::Position { x, y } => {
                around.events.push(Event::PointerMoved { x: *x, y: *y });
                return Ok(());
            }
            PointerUpdate::Color(shape) | PointerUpdate::New(shape) | PointerUpdate::Large(shape) => {
                match self.shape(shape)? {
                    Some(state) => state,
                    None => return Ok(()),
                }
            }
            PointerUpdate::Cached { index } => {
                if !self.pixels.wants_pointers() {
                    return Ok(());
                }
                match self.pointers.get(*index) {
                    Some(bitmap) => PointerState::Bitmap(bitmap),
                    // Seen after reconnects: the server believes that the cache outlived the connection. A pointer of
                    // the wrong shape is better than the end of the session.
                    None => {
                        tracing::debug!(index, "the server calls a pointer that is not in the cache");
                        around.stats.pointer_cache_misses += 1;
                        PointerState::Default
                    }
                }
            }
            PointerUpdate::Unknown { message_type, .. } => {
                around.unsupported(Unsupported::PointerMessage(*message_type));
                return Ok(());
            }
        };
        around.events.push(Event::PointerChanged(state));
        Ok(())
    }

    fn shape(&mut self, shape: &PointerShape<'_>) -> SessionResult<Option<PointerState>> {
        if !self.pixels.wants_pointers() {
            checked_index(shape)?;
            return Ok(None);
        }
        let palette = self.palette.as_deref().unwrap_or(Palette::shared_default());
        let bitmap = self.pointers.insert(shape, palette)?;
        Ok(Some(PointerState::Bitmap(bitmap)))
    }
}

fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    let mut scratch = SCRATCH.take();
    let result = work(&mut scratch);
    if scratch.held_bytes() <= MAX_KEPT_SCRATCH {
        SCRATCH.set(scratch);
    }
    result
}

/// What of `destination` is covered by the bitmap and lies on the desktop.
fn visible(bounds: Rect, source: &BitmapSource<'_>, destination: Rect) -> Rect {
    let covered = Rect {
        width: destination.width.min(source.width()),
        height: destination.height.min(source.height()),
        ..destination
    };
    covered.intersection(&bounds)
}

#[cold]
fn misplaced(field: &'static str, got: u16) -> crate::SessionError {
    let kind = DecodeErrorKind::Invalid { got: got.into() };
    DecodeError::new(field, 0, kind)
        .in_pdu("destination rectangle")
        .into()
}

fn frame_marker(marker: FrameMarker, around: &mut Surroundings<'_>) -> SessionResult<()> {
    if marker.action == FrameAction::Begin {
        return Ok(());
    }
    around.stats.frames += 1;
    // MS-RDPRFX 3.1.5.2.1: a server that has the capability stops after a few frames that are not acknowledged.
    if let Some(frame_id) = marker.frame_id
        && around.config.share.server.frame_acknowledge
        && around.is_active
    {
        around
            .outbox
            .share_data(around.config, FrameAcknowledge { frame_id })?;
    }
    Ok(())
}
