//! What a session has to know of the connection it runs on.

use ironrdp_core::{Limits, Liveness};
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::channel::CHANNEL_CHUNK_LENGTH;
use ironrdp_pdu::client_info::CompressionType;

/// What the connection sequence learned and agreed upon, as plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionConfig {
    /// This client's own MCS channel, the source of all it sends.
    pub user_channel_id: u16,
    /// The MCS channel of graphics and input.
    pub io_channel_id: u16,
    /// The MCS channel of auto-detect and heartbeat messages, if the server has one.
    pub message_channel_id: Option<u16>,
    /// The static virtual channels that were joined.
    pub channels: Vec<Channel>,
    /// The highest bulk compression offered to the server. Data compressed in another way is refused.
    pub compression: Option<CompressionType>,
    /// What the last activation agreed upon.
    pub share: Share,
    /// Bounds of what a peer, or a caller who never polls, can make this session hold.
    pub limits: Limits,
    /// When a silent server is taken for dead.
    pub liveness: Liveness,
}

/// What an activation of the share agreed upon; a reactivation brings another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Identifies the share in every data PDU.
    pub share_id: u32,
    /// The desktop's size.
    pub desktop_size: DesktopSize,
    /// The desktop's colour depth in bits a pixel. Each bitmap says its own depth, so this is for information only.
    pub bits_per_pixel: u16,
    /// What the server can do.
    pub server: ServerSupport,
}

/// What a server can do, by its capability sets (MS-RDPBCGR 2.2.7). The default is a server that can do nothing optional.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerSupport {
    /// It takes input in fast-path PDUs.
    pub fast_path_input: bool,
    /// It takes characters by their Unicode code.
    pub unicode_input: bool,
    /// It takes buttons four and five of a mouse.
    pub extended_mouse: bool,
    /// It takes a wheel that goes left and right.
    pub horizontal_wheel: bool,
    /// It takes relative mouse movement.
    pub relative_mouse: bool,
    /// It sends parts of the desktop again when asked.
    pub refresh_rect: bool,
    /// It stops sending graphics when asked.
    pub suppress_output: bool,
    /// It counts frames and waits until they are acknowledged.
    pub frame_acknowledge: bool,
    /// The largest channel chunk it takes, in bytes without its header.
    pub channel_chunk_size: u32,
}

impl Default for ServerSupport {
    fn default() -> Self {
        Self {
            fast_path_input: false,
            unicode_input: false,
            extended_mouse: false,
            horizontal_wheel: false,
            relative_mouse: false,
            refresh_rect: false,
            suppress_output: false,
            frame_acknowledge: false,
            channel_chunk_size: u32::try_from(CHANNEL_CHUNK_LENGTH).unwrap_or(u32::MAX),
        }
    }
}

/// A static virtual channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its name, at most seven characters.
    pub name: String,
    /// Its MCS channel; 0 when the server does not offer the channel.
    pub id: u16,
}
