//! What a session tells its caller.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ironrdp_core::LimitExceeded;
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::client_info::ServerAutoReconnect;
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::mcs::DisconnectReason;
use ironrdp_pdu::redirection::ServerRedirection;
use ironrdp_pdu::session_info::{LogonErrors, LogonInfo};
use ironrdp_pdu::share::{KeyboardLeds, MonitorLayout, PlaySound, SetKeyboardImeStatus, StatusCode};

/// Something that happened in a session; see [`Session::poll_event`](crate::Session::poll_event).
///
/// Each kind waits at most once: what happens again before it is polled replaces or joins the event that waits. Channel
/// messages alone wait one by one, within [`Limits::event_bytes`](crate::Limits::event_bytes).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Pixels changed: [`Session::damage`](crate::Session::damage) says where.
    Painted,
    /// The desktop has another size and is black until it is painted.
    Resized(DesktopSize),
    /// The pointer looks different.
    PointerChanged(PointerState),
    /// The server moved the pointer.
    PointerMoved {
        /// Column on the desktop.
        x: u16,
        /// Row on the desktop.
        y: u16,
    },
    /// Somebody is logged on; who, if the server says so.
    LoggedOn(Option<Box<LogonInfo>>),
    /// The login waits for something or has failed.
    LogonNotified(LogonErrors),
    /// The server gave a cookie to come back to this session with.
    AutoReconnectCookie(Box<ServerAutoReconnect>),
    /// The server did not accept the cookie this client came with; a login follows.
    AutoReconnectRefused,
    /// The server said why it is about to disconnect; [`ErrorInfo::NONE`] takes that back.
    ErrorInfoSet(ErrorInfo),
    /// The server ended the share. Run an activation, then call [`Session::reactivated`](crate::Session::reactivated);
    /// [`Session::take_activation_frame`](crate::Session::take_activation_frame) says whether it has begun already.
    Deactivated,
    /// The server sends the client elsewhere.
    Redirected(Box<ServerRedirection>),
    /// The server refuses to end the session, since somebody is logged on: disconnect instead.
    ShutdownDenied,
    /// The server ended the connection.
    Disconnected {
        /// The reason as the transport has it, if it has one.
        reason: Option<DisconnectReason>,
        /// What the server had said before, which is the better reason.
        error_info: Option<ErrorInfo>,
    },
    /// A whole message arrived on a static channel.
    ChannelData(ChannelMessage),
    /// Messages of static channels were dropped, whole: of a message that is lost no part is told.
    ChannelDataLost {
        /// How many.
        messages: u64,
        /// The limit that was exceeded first; `None` if none was, and the server began messages it did not end, or the other
        /// way round.
        exceeded: Option<LimitExceeded>,
    },
    /// The server wants a beep.
    Beep(PlaySound),
    /// The server sets the lights of the keyboard.
    KeyboardIndicators(KeyboardLeds),
    /// The server sets the state of the input method.
    InputMethodStatus(SetKeyboardImeStatus),
    /// The server told how its monitors lie.
    MonitorLayout(MonitorLayout),
    /// A broker told how far it is.
    StatusInfo(StatusCode),
    /// The server is taken for dead, by the rules of [`Liveness`](crate::Liveness). The session has failed: whatever is done next is
    /// [`SessionErrorKind::PeerSilent`](crate::SessionErrorKind::PeerSilent).
    PeerSilent {
        /// The sign of life that did not come.
        missed: LifeSign,
        /// How long nothing at all has arrived.
        silent_for: Duration,
    },
    /// The server sent what this version does not do.
    UnsupportedUpdate {
        /// What it is.
        what: Unsupported,
        /// How often since the event was last polled.
        count: u64,
    },
}

/// What shows that a server is alive, besides everything else that it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LifeSign {
    /// A heartbeat that it has promised (MS-RDPBCGR 2.2.16.1).
    Heartbeat,
    /// The answer to a question that it used to answer: a few pixels, asked for by a Refresh Rect PDU (2.2.11.2).
    Answer,
}

/// A whole message of a static channel.
#[derive(Clone, PartialEq, Eq)]
pub struct ChannelMessage {
    /// The channel.
    pub channel_id: u16,
    /// The message.
    pub data: Vec<u8>,
}

// What a channel carries, a clipboard say, has no place in a log.
impl fmt::Debug for ChannelMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ChannelMessage({} bytes on channel {})",
            self.data.len(),
            self.channel_id
        )
    }
}

/// What the pointer looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PointerState {
    /// It is not shown.
    Hidden,
    /// It has the system's default shape.
    Default,
    /// It has this shape.
    Bitmap(Arc<PointerBitmap>),
}

/// A pointer's shape.
#[derive(Clone, PartialEq, Eq)]
pub struct PointerBitmap {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Column of the pixel that points.
    pub hot_spot_x: u16,
    /// Row of the pixel that points.
    pub hot_spot_y: u16,
    /// Rows from the top without gaps; red, green, blue and straight alpha.
    pub rgba: Vec<u8>,
}

// Kilobytes of pixels would bury the log line they stand in.
impl fmt::Debug for PointerBitmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PointerBitmap({}x{}, hot spot {}, {})",
            self.width, self.height, self.hot_spot_x, self.hot_spot_y
        )
    }
}

/// What a server can send that this version does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unsupported {
    /// Drawing orders; [`Session::order_counts`](crate::Session::order_counts) says which.
    DrawingOrders,
    /// Surface bits in the codec with this id.
    SurfaceCodec(u8),
    /// A surface command of an unknown type, with what follows it in its update.
    SurfaceCommand,
    /// A fast-path update with this code.
    FastPathUpdate(u8),
    /// A slow-path update of this type.
    SlowPathUpdate(u16),
    /// A pointer message of this type.
    PointerMessage(u16),
    /// A share control PDU of this type.
    SharePdu(u16),
    /// A share data PDU of this type, or one of its forms.
    DataPdu(u8),
    /// Anything else, and what is too varied to be told apart.
    Other,
}
