//! The machine: what it holds, what it is asked.

use core::fmt;
use core::time::Duration;

use ironrdp_bulk::Decompressor;
use ironrdp_core::{MonotonicInstant, WriteBuf};
use ironrdp_graphics::Rect;
use ironrdp_pdu::client_info::CompressionType;
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::fastpath::CompressionFlags;
use ironrdp_pdu::mcs::DisconnectReason;
use ironrdp_pdu::message_channel::MessageChannelResponder;
use ironrdp_pdu::output::OrderCounts;
use ironrdp_pdu::{Action, DesktopSize};

use crate::channels::Channels;
use crate::fast_path::Fragments;
use crate::liveness::Watch;
use crate::outbox::Outbox;
use crate::pixel_store::PixelStore;
use crate::queue::EventQueue;
use crate::screen::{Screen, Surroundings};
use crate::{
    Event, PduKind, SessionConfig, SessionError, SessionErrorKind, SessionResult, SessionStats, Share,
};

/// How long buffers are kept warm after the last frame; then the session gives them back.
const IDLE_AFTER: Duration = Duration::from_secs(5);

/// The client's side of a running RDP session, without I/O.
///
/// # Order of calls
///
/// Whole frames go in by [`handle_frame`](Self::handle_frame), in the order they arrived, and those that the connection
/// sequence kept back come first. After each frame, command or timeout: send what [`poll_transmit`](Self::poll_transmit)
/// gives, take [`poll_event`](Self::poll_event) until it has no more, and arm one timer with
/// [`poll_timeout`](Self::poll_timeout), whose end is reported by [`handle_timeout`](Self::handle_timeout). All three may be
/// left for later: frames are handled right all the same, events coalesce, and what is held stays within
/// [`Limits`](crate::Limits). Only the server gets no answers meanwhile.
///
/// # Errors
///
/// An error of `handle_frame` is the end: the session keeps it and returns it again. What was good in the same frame before
/// it has been done: pixels drawn, events queued, answers waiting. An error of a command changes nothing.
///
/// # Memory
///
/// A session that waits holds its pixels and a few hundred bytes: codecs and the reassembly of fragments share one working
/// memory a thread; the bulk history, the palette and the pointers are made on first use; small buffers are given back after
/// five seconds of silence.
pub struct Session<P> {
    pub(crate) config: Box<SessionConfig>,
    pub(crate) state: State,
    pub(crate) screen: Screen<P>,
    pub(crate) inflater: Inflater,
    pub(crate) fragments: Fragments,
    pub(crate) channels: Channels,
    pub(crate) outbox: Outbox,
    pub(crate) events: EventQueue,
    pub(crate) stats: SessionStats,
    pub(crate) responder: MessageChannelResponder,
    pub(crate) error_info: Option<ErrorInfo>,
    pub(crate) watch: Watch,
    /// Whether the server was told to send no graphics.
    pub(crate) suppressed: bool,
    pub(crate) last_frame_at: MonotonicInstant,
    /// A Demand Active that came before the caller could know that the share had ended.
    pub(crate) activation_frame: Option<Box<[u8]>>,
}

// What waits to be sent may be a password being typed, and pixels and channel data are no business of a log either.
impl<P> fmt::Debug for Session<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("state", &self.state)
            .field("share", &self.config.share)
            .field("error_info", &self.error_info)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

/// Whether the session runs.
#[derive(Debug)]
pub(crate) enum State {
    Active,
    /// Between a Deactivate All and the next activation.
    Deactivated,
    /// The caller said that it is over; the server may still have something to say.
    Disconnecting,
    /// The server said that it is over.
    Disconnected,
    Failed(SessionError),
}

/// Bulk decompression, one history for all that the server sends (MS-RDPBCGR 3.1.8).
#[derive(Debug, Default)]
pub(crate) struct Inflater(Decompressor);

impl Inflater {
    #[inline]
    pub(crate) fn inflate<'a>(
        &'a mut self,
        flags: CompressionFlags,
        data: &'a [u8],
        offered: Option<CompressionType>,
        stats: &mut SessionStats,
    ) -> SessionResult<&'a [u8]> {
        if flags.contains(CompressionFlags::COMPRESSED) {
            if offered.is_none_or(|offered| flags.compression_type() > offered) {
                return Err(SessionError::new(
                    SessionErrorKind::Unexpected,
                    "bulk compression of a kind that was not offered",
                ));
            }
            stats.compressed += 1;
        }
        Ok(self
            .0
            .decompress(ironrdp_bulk::CompressionFlags::from_bits(flags.bits()), data)?)
    }
}

impl<P: PixelStore> Session<P> {
    /// A session on a connection whose sequence has ended, which draws into `pixels`.
    ///
    /// Fails only if the limits or the pixel store do not allow the size of the desktop.
    pub fn new(config: SessionConfig, pixels: P) -> SessionResult<Self> {
        let screen = Screen::new(pixels, config.share.desktop_size, &config.limits)?;
        Ok(Self {
            state: State::Active,
            screen,
            inflater: Inflater::default(),
            fragments: Fragments::default(),
            channels: Channels::new(&config.channels),
            outbox: Outbox::default(),
            events: EventQueue::default(),
            stats: SessionStats::default(),
            responder: MessageChannelResponder::default(),
            error_info: None,
            watch: Watch::default(),
            suppressed: false,
            last_frame_at: MonotonicInstant::ORIGIN,
            activation_frame: None,
            config: Box::new(config),
        })
    }

    /// Handles one whole frame of the server that arrived at `now`; `action` is its framing.
    pub fn handle_frame(&mut self, now: MonotonicInstant, action: Action, bytes: &[u8]) -> SessionResult<()> {
        match &self.state {
            State::Active | State::Deactivated | State::Disconnecting => {}
            State::Disconnected => {
                self.stats.ignore(PduKind::Stray);
                return Ok(());
            }
            State::Failed(error) => return Err(error.clone()),
        }
        self.stats.bytes_in += bytes.len() as u64;
        self.last_frame_at = now;
        self.watch.saw(now);
        self.responder.count(bytes.len());
        let result = match action {
            Action::FastPath => {
                self.stats.fast_path_frames += 1;
                self.handle_fast_path(bytes)
            }
            Action::X224 => {
                self.stats.slow_path_frames += 1;
                self.handle_slow_path(now, bytes)
            }
        };
        if let Err(error) = &result {
            tracing::debug!(%error, "the session ends");
            self.state = State::Failed(error.clone());
        }
        result
    }

    /// Handles the passing of time up to `now`; call it when the time of [`poll_timeout`](Self::poll_timeout) has come, and
    /// once at the start, from when on silence counts.
    pub fn handle_timeout(&mut self, now: MonotonicInstant) {
        if now >= self.last_frame_at + IDLE_AFTER {
            self.outbox.release();
            self.events.release();
            self.screen.damage.release();
        }
        self.check_liveness(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, if at all.
    pub fn poll_timeout(&self) -> Option<MonotonicInstant> {
        let idle = self.is_releasable().then(|| self.last_frame_at + IDLE_AFTER);
        idle.into_iter().chain(self.liveness_due_at()).min()
    }

    /// Appends everything that is to be sent to `out`; false if there was nothing.
    pub fn poll_transmit(&mut self, out: &mut WriteBuf) -> bool {
        let length = self.outbox.drain_into(out);
        self.stats.bytes_out += length as u64;
        length > 0
    }

    /// Bytes that wait for [`poll_transmit`](Self::poll_transmit).
    pub fn queued_bytes(&self) -> usize {
        self.outbox.mark()
    }

    /// The next event, if something has happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// The rectangles that cover everything drawn since [`clear_damage`](Self::clear_damage); at most 32.
    pub fn damage(&self) -> &[Rect] {
        self.screen.damage.rects()
    }

    /// Forgets the damage, once its pixels are taken.
    pub fn clear_damage(&mut self) {
        self.screen.damage.clear();
    }

    /// What the session draws into.
    pub const fn pixels(&self) -> &P {
        &self.screen.pixels
    }

    /// What the session draws into, to be changed.
    pub const fn pixels_mut(&mut self) -> &mut P {
        &mut self.screen.pixels
    }

    /// Ends the session and gives what it has drawn into.
    pub fn into_pixels(self) -> P {
        self.screen.pixels
    }

    /// The desktop's size.
    pub const fn desktop_size(&self) -> DesktopSize {
        self.screen.size()
    }

    /// What the last activation agreed upon.
    pub fn share(&self) -> &Share {
        &self.config.share
    }

    /// The static channel of that name, if the server offers it.
    pub fn channel_id(&self, name: &str) -> Option<u16> {
        let named = |channel: &&crate::Channel| channel.name == name && channel.id != 0;
        Some(self.config.channels.iter().find(named)?.id)
    }

    /// Whether commands are taken: not between [`Event::Deactivated`] and [`reactivated`](Self::reactivated), and not after the end.
    pub const fn is_active(&self) -> bool {
        matches!(self.state, State::Active)
    }

    /// Why the session has failed, if it has.
    pub const fn failure(&self) -> Option<&SessionError> {
        match &self.state {
            State::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Why the server is about to disconnect or has disconnected, as it has said; ask when the stream ends without a word.
    pub const fn error_info(&self) -> Option<ErrorInfo> {
        self.error_info
    }

    /// What has been counted.
    pub const fn stats(&self) -> &SessionStats {
        &self.stats
    }

    /// How many drawing orders of which kind came; `None` if there were none.
    pub fn order_counts(&self) -> Option<&OrderCounts> {
        self.screen.order_counts()
    }

    /// Takes a frame that belongs to the next activation and came before the caller could know of it; ask after
    /// [`Event::Deactivated`], and give the frame to the activation before any other.
    pub fn take_activation_frame(&mut self) -> Option<Box<[u8]>> {
        self.activation_frame.take()
    }

    /// A new share is active: takes commands again. Another size is announced by [`Event::Resized`].
    ///
    /// Frames that the activation kept back have to be handled next. Fails if the limits or the pixel store do not allow
    /// its size; then the session has failed.
    pub fn reactivated(&mut self, share: Share) -> SessionResult<()> {
        match &self.state {
            State::Deactivated => {}
            State::Failed(error) => return Err(error.clone()),
            State::Active | State::Disconnecting | State::Disconnected => {
                return Err(SessionError::new(
                    SessionErrorKind::Misuse,
                    "a reactivation of a share that was not deactivated",
                ));
            }
        }
        self.activation_frame = None;
        match self.screen.restart(share.desktop_size, &self.config.limits) {
            Ok(resized) => {
                if resized {
                    self.events.unpaint();
                    self.events.push(Event::Resized(share.desktop_size));
                }
                self.config.share = share;
                self.state = State::Active;
                self.watch.restart();
                Ok(())
            }
            Err(error) => {
                self.state = State::Failed(error.clone());
                Err(error)
            }
        }
    }

    /// Whether there are buffers that hold nothing. Only they set the timer: it would never stop for the others.
    fn is_releasable(&self) -> bool {
        self.outbox.is_releasable() || self.events.is_releasable() || self.screen.damage.is_releasable()
    }

    /// The screen, and what its drawing touches.
    pub(crate) fn split(&mut self) -> (&mut Screen<P>, Surroundings<'_>) {
        let is_active = self.is_active();
        (
            &mut self.screen,
            Surroundings {
                config: &self.config,
                events: &mut self.events,
                stats: &mut self.stats,
                outbox: &mut self.outbox,
                is_active,
            },
        )
    }

    /// The server ended the connection.
    pub(crate) fn disconnected(&mut self, reason: Option<DisconnectReason>) {
        self.stats.count(PduKind::Disconnect);
        tracing::info!(?reason, error_info = ?self.error_info, "the server ended the connection");
        self.state = State::Disconnected;
        self.events.push(Event::Disconnected {
            reason,
            error_info: self.error_info,
        });
    }
}
