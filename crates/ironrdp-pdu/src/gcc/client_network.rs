//! Static virtual channels that a client wants.

use alloc::vec::Vec;
use core::fmt;

use bitflags::bitflags;
use ironrdp_core::{
    Decode, DecodeResult, Encode, EncodeError, EncodeErrorKind, EncodeResult, ReadCursor, WriteCursor,
    len_u32,
};

/// Most static channels a connection can have (MS-RDPBCGR 2.2.1.3.4: `channelCount` is 31 at most).
pub const MAX_CHANNELS: usize = 31;

/// Name of a static channel: up to seven ANSI characters and a NUL (`name` of CHANNEL_DEF, MS-RDPBCGR 2.2.1.3.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName([u8; 8]);

impl ChannelName {
    /// The name of `text`; `None` if it is empty, longer than seven characters or not plain printable ASCII.
    pub const fn new(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.is_empty() || text.len() > 7 {
            return None;
        }
        let mut name = [0; 8];
        let mut at = 0;
        while at < text.len() {
            if !text[at].is_ascii_graphic() {
                return None;
            }
            name[at] = text[at];
            at += 1;
        }
        Some(Self(name))
    }

    /// The field as it came, with NULs and what may stand behind the first one.
    pub const fn from_wire(field: [u8; 8]) -> Self {
        Self(field)
    }

    /// The characters before the first NUL.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// The name as text; `None` if a peer sent what is not UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(self.as_bytes()).ok()
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_bytes().escape_ascii())
    }
}

bitflags! {
    /// Properties of a static channel (`options` of CHANNEL_DEF, MS-RDPBCGR 2.2.1.3.4.1).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct ChannelOptions: u32 {
        /// The channel is in use. Unused by servers; clients set it.
        const INITIALIZED = 0x8000_0000;
        /// Encrypt as the rest of RDP.
        const ENCRYPT_RDP = 0x4000_0000;
        /// Encrypt what the server sends.
        const ENCRYPT_SC = 0x2000_0000;
        /// Encrypt what the client sends.
        const ENCRYPT_CS = 0x1000_0000;
        /// High priority.
        const PRIORITY_HIGH = 0x0800_0000;
        /// Medium priority.
        const PRIORITY_MEDIUM = 0x0400_0000;
        /// Low priority.
        const PRIORITY_LOW = 0x0200_0000;
        /// Compress if RDP data is compressed.
        const COMPRESS_RDP = 0x0080_0000;
        /// Compress in any case.
        const COMPRESS = 0x0040_0000;
        /// Show the chunk headers to the channel's endpoints.
        const SHOW_PROTOCOL = 0x0020_0000;
        /// Keep the channel over a shadowing of the session.
        const REMOTE_CONTROL_PERSISTENT = 0x0010_0000;
        const _ = !0;
    }
}

/// A static channel that a client wants (CHANNEL_DEF, MS-RDPBCGR 2.2.1.3.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelDefinition {
    /// Its name.
    pub name: ChannelName,
    /// Its properties.
    pub options: ChannelOptions,
}

impl ChannelDefinition {
    const SIZE: usize = 8 /* name */ + 4 /* options */;
}

/// Static channels that a client wants, [`MAX_CHANNELS`] at most (TS_UD_CS_NET, MS-RDPBCGR 2.2.1.3.4).
///
/// The server answers with their ids in the same order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientNetworkData {
    /// The channels.
    pub channels: Vec<ChannelDefinition>,
}

impl Decode<'_> for ClientNetworkData {
    const NAME: &'static str = "ClientNetworkData";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let count = usize::try_from(src.u32_le("channelCount")?).unwrap_or(usize::MAX);
        if count > MAX_CHANNELS {
            return Err(src.limit("channelCount", count, MAX_CHANNELS));
        }
        let mut entries = src.sub(count * ChannelDefinition::SIZE, "channelCount")?;
        let channels = (0..count).map(|_| {
            Ok(ChannelDefinition {
                name: ChannelName::from_wire(entries.array("name")?),
                options: ChannelOptions::from_bits_retain(entries.u32_le("options")?),
            })
        });
        Ok(Self {
            channels: channels.collect::<DecodeResult<_>>()?,
        })
    }
}

impl Encode for ClientNetworkData {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 /* channelCount */ + self.channels.len() * ChannelDefinition::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let value = self.channels.len();
        if value > MAX_CHANNELS {
            let max = MAX_CHANNELS;
            let kind = EncodeErrorKind::TooLarge { value, max };
            return Err(EncodeError::new(Self::NAME, "channelCount", kind));
        }
        dst.u32_le(len_u32(value, Self::NAME, "channelCount")?)?;
        for channel in &self.channels {
            dst.bytes(&channel.name.0)?;
            dst.u32_le(channel.options.bits())?;
        }
        Ok(())
    }
}
