//! A server's session against clients that say anything: alone, and behind the connection sequence.

use core::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use ironrdp_async::session_config;
use ironrdp_connector::{
    AcceptResult, AcceptorConfig, ClientConnector, ColorDepth, Config, ConnectionResult, Credentials,
    ServerAcceptor,
};
use ironrdp_core::{MonotonicInstant, WriteBuf};
use ironrdp_graphics::{Framebuffer, Rect};
use ironrdp_pdu::capability::{CapabilitySet, GeneralExtraFlags};
use ironrdp_pdu::input::InputEvent;
use ironrdp_pdu::{Action, DesktopSize, find_size};
use ironrdp_server::{Canvas, Input, Screen, ServerErrorKind, ServerSession};
use ironrdp_session::Session;

use super::Settings;
use super::machines::drive_on;
use crate::Pair;

/// The desktop of these oracles: four tiles, one of them whole, which raw is longer than a piece of an update, and two
/// narrow and not a multiple of four wide.
pub const DESKTOP: DesktopSize = match DesktopSize::new(75, 70) {
    Some(size) => size,
    None => unreachable!(),
};

/// What it is resized to.
pub const RESIZED: DesktopSize = match DesktopSize::new(64, 30) {
    Some(size) => size,
    None => unreachable!(),
};

/// Bytes of graphics asked for at a time, less than there are: frames are cut.
const MAX_UPDATE: usize = 2 * 1024;

/// What an update may be longer by: a tile of raw pixels with its headers, a palette, a pointer.
const ROOM: usize = 32 * 1024;

/// Bytes that may be answered for each received.
const MAX_ANSWER: usize = 4;

/// A server whose client says these bytes, from its first words to its last; the first byte picks the [`Settings`].
pub fn server(data: &[u8]) {
    serves(data);
}

/// Whether the client of [`server`] came to a session and was understood to its last frame.
pub fn serves(data: &[u8]) -> bool {
    let Some((first, bytes)) = data.split_first() else {
        return false;
    };
    let settings = Settings::new(*first);
    let acceptor = ServerAcceptor::new(settings.server());
    let Some((acceptor, rest)) = drive_on(acceptor, settings, crate::SERVER_SEED, bytes) else {
        return false;
    };
    let Ok(mut result) = acceptor.into_result() else {
        return false;
    };
    let deferred = result.take_deferred();
    let stage = Stage::new(Play(Play::DAMAGED), &result, None);
    stage.is_some_and(|mut stage| stage.run(&[deferred.concat(), rest].concat()))
}

/// A session whose client sends these frames; the first byte picks what the client can do and what happens meanwhile.
pub fn server_session(data: &[u8]) {
    plays(data);
}

/// Whether the client of [`server_session`] was understood to its last frame.
pub fn plays(data: &[u8]) -> bool {
    let Some((first, bytes)) = data.split_first() else {
        return false;
    };
    let Some(guest) = guest(*first) else {
        return false;
    };
    let viewer = Framebuffer::new(1, 1)
        .ok()
        .and_then(|pixels| Session::new(session_config(&guest.1), pixels).ok());
    let stage = Stage::new(Play(*first), &guest.0, viewer);
    stage.is_some_and(|mut stage| stage.run(bytes))
}

/// Both ends of the connection that [`server_session`] begins with, for an input's first byte.
pub fn guest(first: u8) -> Option<Rc<(AcceptResult, ConnectionResult)>> {
    thread_local! {
        // Their connection sequence would take longer than all the rest.
        static GUESTS: RefCell<BTreeMap<u8, Rc<(AcceptResult, ConnectionResult)>>> = const { RefCell::new(BTreeMap::new()) };
    }
    let play = Play(first);
    let kind = first & Play::OF_THE_CLIENT;
    let known = GUESTS.with_borrow(|guests| guests.get(&kind).cloned());
    if known.is_some() {
        return known;
    }
    let config = Config::new(Credentials::new("user", "password"))
        .with_desktop_size(DESKTOP)
        .with_color_depth(play.color_depth());
    let outcome = Pair::new(
        ClientConnector::new(config),
        ServerAcceptor::new(AcceptorConfig::new()),
    )
    .run();
    let mut accepted = outcome.server.ok()?.into_result().ok()?;
    for set in &mut accepted.activated.capabilities.sets {
        match set {
            CapabilitySet::General(general) if play.has(Play::SLOW_PATH) => {
                general.extra_flags.remove(GeneralExtraFlags::FASTPATH_OUTPUT);
            }
            CapabilitySet::Bitmap(bitmap) if play.has(Play::UNCOMPRESSED) => bitmap.compression = false,
            _ => {}
        }
    }
    let guest = Rc::new((accepted, outcome.client.ok()?.into_result().ok()?));
    GUESTS.with_borrow_mut(|guests| guests.insert(kind, Rc::clone(&guest)));
    Some(guest)
}

/// What a client can do, and what happens while it speaks.
#[derive(Debug, Clone, Copy)]
struct Play(u8);

impl Play {
    const DEPTH: u8 = 0x03;
    const SLOW_PATH: u8 = 0x04;
    const UNCOMPRESSED: u8 = 0x08;
    /// Something is drawn after each frame of the client.
    const DAMAGED: u8 = 0x10;
    /// The screen gets another size after the first of them.
    const RESIZED: u8 = 0x20;
    /// The server says nothing before the client has said all.
    const LATE: u8 = 0x40;
    const WITHOUT_BULK: u8 = 0x80;

    const OF_THE_CLIENT: u8 = Self::DEPTH | Self::SLOW_PATH | Self::UNCOMPRESSED;

    const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    const fn color_depth(self) -> ColorDepth {
        match self.0 & Self::DEPTH {
            0 => ColorDepth::Bpp32,
            1 => ColorDepth::Bpp24,
            2 => ColorDepth::Bpp16,
            _ => ColorDepth::Bpp8,
        }
    }
}

/// Counts what users do.
#[derive(Default)]
struct Count(usize);

impl Input for Count {
    fn event(&mut self, _: InputEvent) {
        self.0 += 1;
    }
}

/// A session, the screen before it, and a client of ours that looks at all it sends.
struct Stage<'a> {
    play: Play,
    result: &'a AcceptResult,
    session: ServerSession,
    canvas: Arc<Canvas>,
    screen: Screen,
    viewer: Option<Session<Framebuffer>>,
    input: Count,
    heard: usize,
    frames: u8,
}

impl<'a> Stage<'a> {
    fn new(play: Play, result: &'a AcceptResult, viewer: Option<Session<Framebuffer>>) -> Option<Self> {
        let canvas = Arc::new(Canvas::new(DESKTOP).ok()?);
        let screen = Screen::new(DESKTOP, Arc::clone(&canvas));
        let bulk = !play.has(Play::WITHOUT_BULK);
        Some(Self {
            play,
            result,
            session: ServerSession::new(result, screen.clone(), bulk),
            canvas,
            screen,
            viewer,
            input: Count::default(),
            heard: 0,
            frames: 0,
        })
    }

    /// Whether all of it was understood.
    fn run(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        loop {
            if self.session.wanted_size().is_some() {
                // At most twice: at the start, and when the screen is resized.
                return self.reactivate(rest).is_some_and(|rest| self.run(&rest));
            }
            let Ok(Some(pdu)) = find_size(rest) else { break };
            let Some((frame, after)) = rest.split_at_checked(pdu.length) else {
                break;
            };
            rest = after;
            if !self.frame(pdu.action, frame) {
                return false;
            }
            if self.session.is_ended() {
                return true;
            }
        }
        self.speak();
        rest.is_empty()
    }

    /// One frame of the client, and what comes of it; false if it was not understood.
    fn frame(&mut self, action: Action, frame: &[u8]) -> bool {
        self.heard += frame.len();
        if let Err(error) = self.session.handle_frame(action, frame, &mut self.input) {
            let blamed = matches!(
                error.kind(),
                ServerErrorKind::Malformed | ServerErrorKind::Unexpected
            );
            assert!(blamed && !error.to_string().is_empty(), "{error:?}");
            return false;
        }
        assert!(self.input.0 <= self.heard, "more events than bytes");
        if self.session.is_ended() {
            assert!(!self.session.may_update());
            return true;
        }
        self.frames = self.frames.wrapping_add(1);
        if self.play.has(Play::DAMAGED) {
            let part = Rect::new(u16::from(self.frames) % 70, 3, 9, 9);
            let colour = [self.frames, 255 - self.frames, 7];
            self.canvas.draw(|image| image.fill(part, colour));
            self.screen.damage(part);
        }
        if self.play.has(Play::RESIZED) && self.frames == 1 && self.canvas.resize(RESIZED).is_ok() {
            self.screen.resize(RESIZED);
        }
        if !self.play.has(Play::LATE) {
            self.speak();
        }
        true
    }

    /// Everything the server has to say now, which is bounded and which our client understands.
    fn speak(&mut self) {
        let mut out = WriteBuf::new();
        self.session.poll_transmit(&mut out);
        let answers = out.filled_len();
        assert!(answers <= MAX_ANSWER * self.heard, "{answers} bytes of answer");
        self.show(out.filled());
        for turn in 0.. {
            assert!(turn < 64, "updates without end");
            out.release();
            let result = self.session.poll_update(&mut out, MAX_UPDATE);
            assert!(result.is_ok(), "{result:?}");
            let length = out.filled_len();
            assert!(length <= MAX_UPDATE + ROOM, "{length} bytes of update");
            assert!(matches!(result, Ok(true)) == (length > 0));
            if length == 0 {
                break;
            }
            self.show(out.filled());
        }
        // Whoever may be sent everything has everything.
        let exact = matches!(self.play.color_depth(), ColorDepth::Bpp32 | ColorDepth::Bpp24);
        if let Some(viewer) = &self.viewer
            && exact
            && self.session.may_update()
        {
            let seen = viewer.pixels().pixels() == self.canvas.snapshot().pixels();
            assert!(seen, "the client shows something else");
        }
    }

    fn show(&mut self, mut bytes: &[u8]) {
        let Some(viewer) = &mut self.viewer else {
            return;
        };
        while !bytes.is_empty() {
            let found = find_size(bytes);
            assert!(matches!(found, Ok(Some(_))), "no frame of the server: {found:?}");
            let Ok(Some(pdu)) = found else { return };
            let (frame, rest) = bytes.split_at(pdu.length);
            bytes = rest;
            let result = viewer.handle_frame(MonotonicInstant::ORIGIN, pdu.action, frame);
            assert!(result.is_ok(), "{result:?}");
            while viewer.poll_event().is_some() {}
            viewer.poll_transmit(&mut WriteBuf::new());
            viewer.clear_damage();
        }
    }

    /// Activates the share again with the client's next words; gives those that are left if that works.
    fn reactivate(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let size = self.session.wanted_size()?;
        let sequence = self.result.reactivation(size);
        let (sequence, rest) = drive_on(sequence, Settings::new(0), crate::SERVER_SEED, bytes)?;
        let (activated, deferred) = sequence.into_result().ok()?;
        self.session.reactivated(&activated);
        // It would have to be activated, too.
        self.viewer = None;
        Some([deferred.concat(), rest].concat())
    }
}
