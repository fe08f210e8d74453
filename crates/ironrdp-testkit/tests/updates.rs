//! A server's updates for clients of every ability: what they may hold, and that they show what was drawn.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::sync::Arc;

use ironrdp_async::session_config;
use ironrdp_connector::{
    AcceptResult, AcceptorConfig, ClientConnector, ColorDepth, Compression, Config, ConnectionResult,
    Credentials, ServerAcceptor,
};
use ironrdp_core::{MonotonicInstant, WriteBuf, decode_exact};
use ironrdp_graphics::Framebuffer;
use ironrdp_pdu::capability::{BitmapDrawingFlags, CapabilitySet, GeneralExtraFlags, Pointer as PointerSet};
use ironrdp_pdu::fastpath::{FastPathOutputPdu, Fragmentation, UpdateCode};
use ironrdp_pdu::{Action, DesktopSize, find_size};
use ironrdp_server::{Canvas, Pointer, Screen, ServerSession};
use ironrdp_session::{Event, PointerState, Session};
use ironrdp_testkit::{Pair, Rng};

/// One tile, raw with 32 bits a pixel just more than a piece of an update holds.
const TILE: DesktopSize = match DesktopSize::new(64, 64) {
    Some(size) => size,
    None => unreachable!(),
};

/// Raw pixels of a tile, and all headers that an update of them may have.
const WHOLE_TILE: usize = 64 * 64 * 4 + 64;

/// What a client is able to do, beside what ours always is.
#[derive(Debug, Clone, Copy)]
struct Ability {
    depth: ColorDepth,
    bulk: Compression,
    slow_path: bool,
    compressed: bool,
    /// Planar bitmaps may come without the plane.
    skips_alpha: bool,
    /// `MaxRequestSize`; none without the capability.
    fragmented: Option<u32>,
    alpha_pointers: bool,
}

impl Ability {
    const OURS: Self = Self {
        depth: ColorDepth::Bpp32,
        bulk: Compression::Off,
        slow_path: false,
        compressed: true,
        skips_alpha: true,
        fragmented: Some(4 * 1024 * 1024),
        alpha_pointers: true,
    };

    fn connect(self) -> (AcceptResult, ConnectionResult) {
        let config = Config::new(Credentials::new("user", "password"))
            .with_desktop_size(TILE)
            .with_color_depth(self.depth)
            .with_compression(self.bulk);
        let outcome = Pair::new(
            ClientConnector::new(config),
            ServerAcceptor::new(AcceptorConfig::new()),
        )
        .run();
        let mut accepted = outcome.server.unwrap().into_result().unwrap();
        let sets = &mut accepted.activated.capabilities.sets;
        sets.retain(|set| !matches!(set, CapabilitySet::MultifragmentUpdate(_)) || self.fragmented.is_some());
        for set in sets {
            match set {
                CapabilitySet::General(general) if self.slow_path => {
                    general.extra_flags.remove(GeneralExtraFlags::FASTPATH_OUTPUT);
                }
                CapabilitySet::Bitmap(bitmap) => {
                    bitmap.compression = self.compressed;
                    bitmap
                        .drawing_flags
                        .set(BitmapDrawingFlags::SKIP_ALPHA, self.skips_alpha);
                }
                CapabilitySet::MultifragmentUpdate(set) => {
                    set.max_request_size = self.fragmented.unwrap_or_default();
                }
                CapabilitySet::Pointer(pointer) if !self.alpha_pointers => {
                    *pointer = PointerSet {
                        cache_size: None,
                        ..*pointer
                    };
                }
                _ => {}
            }
        }
        (accepted, outcome.client.unwrap().into_result().unwrap())
    }
}

/// A client of some ability in front of a tile, and what it was sent.
struct Stage {
    canvas: Arc<Canvas>,
    screen: Screen,
    session: ServerSession,
    viewer: Session<Framebuffer>,
    events: Vec<Event>,
    /// Bytes of the last frames.
    sent: usize,
    /// The pieces of bitmap updates on the fast path: what each is, and how long, as sent.
    pieces: Vec<(Fragmentation, usize)>,
    slow_frames: usize,
}

impl Stage {
    fn new(ability: Ability) -> Self {
        let (accepted, connected) = ability.connect();
        let canvas = Arc::new(Canvas::new(TILE).unwrap());
        let screen = Screen::new(TILE, Arc::clone(&canvas));
        let pixels = Framebuffer::new(1, 1).unwrap();
        Self {
            session: ServerSession::new(&accepted, screen.clone(), true),
            viewer: Session::new(session_config(&connected), pixels).unwrap(),
            canvas,
            screen,
            events: Vec::new(),
            sent: 0,
            pieces: Vec::new(),
            slow_frames: 0,
        }
    }

    fn fill(&mut self, mut colour: impl FnMut(u16, u16) -> [u8; 3]) {
        self.canvas.draw(|image| {
            for y in 0..TILE.height() {
                for x in 0..TILE.width() {
                    image.fill(ironrdp_graphics::Rect::new(x, y, 1, 1), colour(x, y));
                }
            }
        });
        self.screen.damage_all();
    }

    fn fill_with_noise(&mut self, seed: u64) {
        let mut random = Rng::new(seed);
        self.fill(|_, _| {
            let [a, b, c, ..] = random.next_u64().to_le_bytes();
            [a, b, c]
        });
    }

    /// Sends the client everything there is, and hands it to the client.
    fn speak(&mut self) {
        let mut all = Vec::new();
        for turn in 0.. {
            assert!(turn < 64, "updates without end");
            let mut out = WriteBuf::new();
            if !self.session.poll_update(&mut out, 64 * 1024).unwrap() {
                break;
            }
            all.extend_from_slice(out.filled());
        }
        self.sent = all.len();
        self.pieces.clear();
        self.slow_frames = 0;
        let mut bytes = &all[..];
        while !bytes.is_empty() {
            let pdu = find_size(bytes).unwrap().unwrap();
            let (frame, rest) = bytes.split_at(pdu.length);
            bytes = rest;
            self.look_at(pdu.action, frame);
            self.viewer
                .handle_frame(MonotonicInstant::ORIGIN, pdu.action, frame)
                .unwrap();
            self.events
                .extend(std::iter::from_fn(|| self.viewer.poll_event()));
            self.viewer.clear_damage();
        }
    }

    fn look_at(&mut self, action: Action, frame: &[u8]) {
        assert!(frame.len() < 1 << 14, "more than a length of 14 bits says");
        if action == Action::X224 {
            self.slow_frames += 1;
            return;
        }
        let pdu: FastPathOutputPdu<'_> = decode_exact(frame).unwrap();
        for update in pdu.updates().map(Result::unwrap) {
            if update.code == UpdateCode::Bitmap {
                self.pieces.push((update.fragmentation, update.data.len()));
            } else {
                assert_eq!(update.fragmentation, Fragmentation::Single, "{:?}", update.code);
            }
        }
    }

    fn assert_shown(&self, context: &dyn std::fmt::Debug) {
        let same = self.viewer.pixels().pixels() == self.canvas.snapshot().pixels();
        assert!(same, "the client shows something else: {context:?}");
    }

    /// Bytes of each update, put together.
    fn updates(&self) -> Vec<usize> {
        let mut updates = Vec::new();
        let mut whole = 0;
        for (fragmentation, length) in &self.pieces {
            let starts = matches!(fragmentation, Fragmentation::Single | Fragmentation::First);
            assert_eq!(starts, whole == 0, "{:?}", self.pieces);
            whole += length;
            if matches!(fragmentation, Fragmentation::Single | Fragmentation::Last) {
                updates.push(std::mem::take(&mut whole));
            }
        }
        assert_eq!(whole, 0, "an update without an end: {:?}", self.pieces);
        updates
    }
}

#[test]
fn a_tile_of_noise_comes_in_updates_that_the_client_has_room_for() {
    // Below the first of the sizes in pieces there is no such update; from the last on a whole tile is one.
    let whole = u32::try_from(WHOLE_TILE).unwrap();
    for fragmented in [
        None,
        Some(0),
        Some(15_000),
        Some(16_000),
        Some(whole - 1),
        Some(whole),
        Some(4 << 20),
    ] {
        for (compressed, skips_alpha) in [(false, false), (false, true), (true, false), (true, true)] {
            for bulk in [Compression::Off, Compression::Mppc8K, Compression::Mppc64K] {
                let ability = Ability {
                    compressed,
                    skips_alpha,
                    fragmented,
                    bulk,
                    ..Ability::OURS
                };
                let mut stage = Stage::new(ability);
                stage.fill_with_noise(7);
                stage.speak();
                stage.assert_shown(&ability);
                let updates = stage.updates();
                let room = usize::try_from(fragmented.unwrap_or_default()).unwrap();
                let raw = !compressed || !skips_alpha;
                let in_one = !raw || room >= WHOLE_TILE;
                assert_eq!(updates.len(), if in_one { 1 } else { 2 }, "{ability:?}");
                let in_pieces = stage
                    .pieces
                    .iter()
                    .any(|(fragmentation, _)| *fragmentation != Fragmentation::Single);
                assert_eq!(in_pieces, raw && in_one, "{ability:?}: {:?}", stage.pieces);
                for update in updates {
                    assert!(!in_pieces || update <= room, "{update} bytes for {ability:?}");
                }
            }
        }
    }
}

#[test]
fn a_tile_of_noise_fits_the_slow_path() {
    for fragmented in [None, Some(16_000), Some(4 << 20)] {
        for compressed in [false, true] {
            let ability = Ability {
                slow_path: true,
                compressed,
                skips_alpha: compressed,
                fragmented,
                ..Ability::OURS
            };
            let mut stage = Stage::new(ability);
            stage.fill_with_noise(8);
            stage.speak();
            stage.assert_shown(&ability);
            assert_eq!(stage.pieces, []);
            assert!(stage.slow_frames > usize::from(!compressed), "{ability:?}");
        }
    }
}

/// At each depth: noise is sent raw, since its codec would only add to it, and what is flat in next to nothing.
#[test]
fn what_is_sent_is_the_shorter_of_raw_and_compressed() {
    // With 32 bits a pixel a quarter is left out even of noise: the plane nobody looks at.
    for (depth, raw) in [
        (ColorDepth::Bpp32, 64 * 64 * 3),
        (ColorDepth::Bpp24, 64 * 64 * 3),
        (ColorDepth::Bpp16, 64 * 64 * 2),
        (ColorDepth::Bpp15, 64 * 64 * 2),
        (ColorDepth::Bpp8, 64 * 64),
    ] {
        for slow_path in [false, true] {
            let ability = Ability {
                depth,
                slow_path,
                ..Ability::OURS
            };
            let mut stage = Stage::new(ability);
            // Sent once, with the palette and the pointer.
            stage.speak();
            stage.fill_with_noise(9);
            stage.speak();
            let headers = 120;
            assert!(
                (raw..raw + headers).contains(&stage.sent),
                "{} bytes of noise: {ability:?}",
                stage.sent
            );
            stage.fill(|_, _| [0x20, 0x60, 0xa0]);
            stage.speak();
            assert!(stage.sent < 800, "{} flat bytes: {ability:?}", stage.sent);
            // Not compressed, it is always as long as noise.
            let mut plain = Stage::new(Ability {
                compressed: false,
                ..ability
            });
            plain.speak();
            plain.fill(|_, _| [0x20, 0x60, 0xa0]);
            plain.speak();
            assert!(plain.sent >= raw, "{} bytes, plain: {ability:?}", plain.sent);
        }
    }
}

#[test]
fn a_pointer_without_alpha_has_the_pixels_that_are_more_seen_than_not() {
    let (width, height) = (5_u16, 4);
    let rgba: Vec<u8> = (0..width * height)
        .flat_map(|pixel| {
            let [shade, _] = (pixel * 9).to_le_bytes();
            let alpha = [0, 0x7f, 0x80, 0xff][usize::from(pixel) % 4];
            [shade, 255 - shade, 77, alpha]
        })
        .collect();
    let visible = |alpha: u8| alpha >= 0x80;
    let expected: Vec<u8> = rgba
        .as_chunks::<4>()
        .0
        .iter()
        .flat_map(|&[red, green, blue, alpha]| {
            if visible(alpha) {
                [red, green, blue, 0xff]
            } else {
                [0; 4]
            }
        })
        .collect();
    for slow_path in [false, true] {
        for alpha_pointers in [false, true] {
            let mut stage = Stage::new(Ability {
                slow_path,
                alpha_pointers,
                ..Ability::OURS
            });
            let shape = Pointer::shape(width, height, (3, 2), rgba.clone()).unwrap();
            stage.screen.set_pointer(shape);
            stage.speak();
            let seen = stage.events.iter().find_map(|event| match event {
                Event::PointerChanged(PointerState::Bitmap(shape)) => Some(shape),
                _ => None,
            });
            let seen = seen.unwrap_or_else(|| panic!("no pointer in {:?}", stage.events));
            assert_eq!((seen.width, seen.height), (width, height));
            assert_eq!((seen.hot_spot_x, seen.hot_spot_y), (3, 2));
            if alpha_pointers {
                let alphas = |bytes: &[u8]| bytes.iter().skip(3).step_by(4).copied().collect::<Vec<_>>();
                assert_eq!(alphas(&seen.rgba), alphas(&rgba));
            } else {
                assert_eq!(seen.rgba, expected, "slow path: {slow_path}");
            }
        }
    }
}
