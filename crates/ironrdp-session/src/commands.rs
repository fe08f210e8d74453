//! What the caller tells the server.

use ironrdp_core::{Encode, EncodeResult, WriteCursor};
use ironrdp_graphics::Rect;
use ironrdp_pdu::InclusiveRect;
use ironrdp_pdu::channel::{ChannelFlags, chunks};
use ironrdp_pdu::input::{FastPathInput, InputEvent, PointerFlags, SlowPathInput};
use ironrdp_pdu::mcs::{DisconnectProviderUltimatum, DisconnectReason};
use ironrdp_pdu::share::{DataPdu, DataPduType, RefreshRect, ShareDataPdu, SuppressOutput};
use ironrdp_pdu::x224::X224Data;

use crate::pixel_store::PixelStore;
use crate::session::{Session, State};
use crate::{ServerSupport, SessionError, SessionErrorKind, SessionResult};

/// Most rectangles in a Refresh Rect PDU: `numberOfAreas` is a byte.
const MAX_AREAS: usize = 255;

impl<P: PixelStore> Session<P> {
    /// Sends what the user did, oldest first; on the fast path if the server takes that.
    ///
    /// An event of a kind that the server did not announce is [`Unsupported`](SessionErrorKind::Unsupported), and then none
    /// of them is sent.
    pub fn send_input(&mut self, events: &[InputEvent]) -> SessionResult<()> {
        self.check_active()?;
        let server = self.config.share.server;
        events.iter().try_for_each(|event| check_input(event, &server))?;
        self.all_or_nothing(|session| {
            for events in events.chunks(FastPathInput::MAX_EVENTS) {
                if server.fast_path_input {
                    session
                        .outbox
                        .frame(&session.config, FastPathInput::new(events))?;
                } else {
                    let pdu = InputPdu(SlowPathInput::new(events));
                    session.outbox.share_data(&session.config, pdu)?;
                }
            }
            Ok(())
        })
    }

    /// Asks the server to send these parts of the desktop again.
    pub fn refresh(&mut self, parts: &[Rect]) -> SessionResult<()> {
        self.check_active()?;
        if !self.config.share.server.refresh_rect {
            return Err(unsupported("the server does not refresh on request"));
        }
        let bounds = self.screen.bounds();
        let areas: Vec<_> = parts
            .iter()
            .filter_map(|part| inclusive(part.intersection(&bounds)))
            .collect();
        self.all_or_nothing(|session| {
            for areas in areas.chunks(MAX_AREAS) {
                let pdu = RefreshRect {
                    areas: areas.to_vec(),
                };
                session.outbox.share_data(&session.config, pdu)?;
            }
            Ok(())
        })
    }

    /// Asks the server to stop sending graphics (while nobody looks, say), or to go on with the whole desktop.
    pub fn suppress_output(&mut self, suppress: bool) -> SessionResult<()> {
        self.check_active()?;
        if !self.config.share.server.suppress_output {
            return Err(unsupported("the server does not suppress its output"));
        }
        let pdu = match inclusive(self.screen.bounds()) {
            Some(desktop) if !suppress => SuppressOutput::Allow(desktop),
            _ => SuppressOutput::Suppress,
        };
        self.outbox.share_data(&self.config, pdu)?;
        self.suppressed = suppress;
        self.watch.excuse();
        Ok(())
    }

    /// Asks whether the session may end. The server disconnects, or says [`ShutdownDenied`](crate::Event::ShutdownDenied).
    pub fn request_shutdown(&mut self) -> SessionResult<()> {
        self.check_active()?;
        self.outbox
            .share_data(&self.config, ShareDataPdu::ShutdownRequest)
    }

    /// Sends a message on a static channel, in chunks of the size the server takes.
    pub fn send_channel(&mut self, channel_id: u16, message: &[u8]) -> SessionResult<()> {
        self.check_active()?;
        if !self.channels.contains(channel_id) {
            return Err(SessionError::new(
                SessionErrorKind::Misuse,
                "a message for a channel that was not joined",
            ));
        }
        let chunk_size = usize::try_from(self.config.share.server.channel_chunk_size).unwrap_or(usize::MAX);
        let chunks = chunks(message, ChannelFlags::empty(), chunk_size)?;
        self.all_or_nothing(|session| {
            for chunk in chunks {
                session.outbox.channel(&session.config, channel_id, chunk)?;
            }
            Ok(())
        })
    }

    /// Tells the server that the client leaves; close the stream once this is sent. No command is taken afterwards.
    ///
    /// The session on the server goes on and can be come back to. Says nothing if the connection has ended already.
    pub fn disconnect(&mut self) -> SessionResult<()> {
        match self.state {
            State::Active | State::Deactivated => {
                let reason = DisconnectReason::UserRequested;
                self.outbox
                    .frame(&self.config, X224Data(DisconnectProviderUltimatum { reason }))?;
                self.state = State::Disconnecting;
                Ok(())
            }
            State::Disconnecting | State::Disconnected | State::Failed(_) => Ok(()),
        }
    }

    fn check_active(&self) -> SessionResult<()> {
        let context = match &self.state {
            State::Active => return Ok(()),
            State::Deactivated => "the server has deactivated the share",
            State::Disconnecting => "the client has left",
            State::Disconnected => "the server has ended the connection",
            State::Failed(error) => return Err(error.clone()),
        };
        Err(SessionError::new(SessionErrorKind::NotActive, context))
    }

    /// Takes back what was queued when a later part cannot be.
    fn all_or_nothing(&mut self, queue: impl FnOnce(&mut Self) -> SessionResult<()>) -> SessionResult<()> {
        let mark = self.outbox.mark();
        let result = queue(self);
        if result.is_err() {
            self.outbox.take_back(mark);
        }
        result
    }
}

/// 2.2.7.1.6: a client must not send what the server's Input capability set does not have.
fn check_input(event: &InputEvent, server: &ServerSupport) -> SessionResult<()> {
    let (supported, context) = match event {
        InputEvent::Unicode { .. } => (server.unicode_input, "the server takes no Unicode input"),
        InputEvent::ExtendedMouse { .. } => (
            server.extended_mouse,
            "the server takes no extended mouse buttons",
        ),
        InputEvent::RelativeMouse { .. } => (server.relative_mouse, "the server takes no relative mouse"),
        InputEvent::Mouse { flags, .. } if flags.contains(PointerFlags::HORIZONTAL_WHEEL) => {
            (server.horizontal_wheel, "the server takes no horizontal wheel")
        }
        _ => return Ok(()),
    };
    if supported {
        Ok(())
    } else {
        Err(unsupported(context))
    }
}

#[cold]
fn unsupported(context: &'static str) -> SessionError {
    SessionError::new(SessionErrorKind::Unsupported, context)
}

/// A rectangle as RDP sends it; `None` if it is empty.
fn inclusive(rect: Rect) -> Option<InclusiveRect> {
    Some(InclusiveRect {
        left: rect.left,
        top: rect.top,
        right: rect.left.checked_add(rect.width.checked_sub(1)?)?,
        bottom: rect.top.checked_add(rect.height.checked_sub(1)?)?,
    })
}

/// Slow-path input as a share data PDU.
struct InputPdu<'a>(SlowPathInput<'a>);

impl DataPdu for InputPdu<'_> {
    fn data_pdu_type(&self) -> DataPduType {
        DataPduType::INPUT
    }
}

impl Encode for InputPdu<'_> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        self.0.encode(dst)
    }
}
