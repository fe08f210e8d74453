//! The small client blocks: redirection, message channel, multitransport.

use bitflags::bitflags;
use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

bitflags! {
    /// How a client takes part in redirection (`Flags` of TS_UD_CS_CLUSTER, MS-RDPBCGR 2.2.1.3.5).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct ClusterFlags: u32 {
        /// It follows a server redirection; of the version in [`redirection_version`](Self::redirection_version).
        const REDIRECTION_SUPPORTED = 0x0000_0001;
        /// `redirected_session_id` holds the session to connect to.
        const REDIRECTED_SESSION_ID_VALID = 0x0000_0002;
        /// It logs on with a smart card.
        const REDIRECTED_SMARTCARD = 0x0000_0040;
        const _ = !0;
    }
}

impl ClusterFlags {
    const VERSION_MASK: u32 = 0x0000_003c;
    const VERSION_SHIFT: u32 = 2;

    /// The newest Server Redirection PDU that the client reads: 0 for version 1, up to 5 for version 6.
    pub const fn redirection_version(self) -> u32 {
        (self.bits() & Self::VERSION_MASK) >> Self::VERSION_SHIFT
    }

    /// The same flags with another redirection version, counted from 0; only its low four bits count.
    #[must_use]
    pub const fn with_redirection_version(self, version: u32) -> Self {
        let rest = self.bits() & !Self::VERSION_MASK;
        Self::from_bits_retain(rest | (version << Self::VERSION_SHIFT) & Self::VERSION_MASK)
    }
}

/// Redirection, and the session to connect to (TS_UD_CS_CLUSTER, MS-RDPBCGR 2.2.1.3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientClusterData {
    /// What the client does.
    pub flags: ClusterFlags,
    /// The session to connect to, where the flags say so.
    pub redirected_session_id: u32,
}

impl ClientClusterData {
    /// A client that follows redirections of version 4, as all current ones do.
    pub const fn new() -> Self {
        Self {
            flags: ClusterFlags::REDIRECTION_SUPPORTED.with_redirection_version(3),
            redirected_session_id: 0,
        }
    }
}

impl Default for ClientClusterData {
    fn default() -> Self {
        Self::new()
    }
}

impl Decode<'_> for ClientClusterData {
    const NAME: &'static str = "ClientClusterData";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            flags: ClusterFlags::from_bits_retain(src.u32_le("Flags")?),
            redirected_session_id: src.u32_le("RedirectedSessionID")?,
        })
    }
}

impl Encode for ClientClusterData {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        8
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.flags.bits())?;
        dst.u32_le(self.redirected_session_id)
    }
}

/// The client wants a message channel (TS_UD_CS_MCS_MSGCHANNEL, MS-RDPBCGR 2.2.1.3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientMessageChannelData {
    /// Unused; 0.
    pub flags: u32,
}

impl Decode<'_> for ClientMessageChannelData {
    const NAME: &'static str = "ClientMessageChannelData";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            flags: src.u32_le("flags")?,
        })
    }
}

impl Encode for ClientMessageChannelData {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.flags)
    }
}

bitflags! {
    /// Transports beside the main connection (`flags` of TS_UD_CS_MULTITRANSPORT, MS-RDPBCGR 2.2.1.3.8, and of
    /// TS_UD_SC_MULTITRANSPORT, 2.2.1.4.6).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct MultitransportFlags: u32 {
        /// Reliable UDP.
        const UDP_FEC_RELIABLE = 0x0000_0001;
        /// Lossy UDP.
        const UDP_FEC_LOSSY = 0x0000_0004;
        /// Data prefers UDP where both work.
        const UDP_PREFERRED = 0x0000_0100;
        /// Dynamic channels may move from TCP to UDP.
        const SOFT_SYNC_TCP_TO_UDP = 0x0000_0200;
        const _ = !0;
    }
}

/// UDP transports that the client can use (TS_UD_CS_MULTITRANSPORT, MS-RDPBCGR 2.2.1.3.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientMultitransportChannelData {
    /// Which.
    pub flags: MultitransportFlags,
}

impl Decode<'_> for ClientMultitransportChannelData {
    const NAME: &'static str = "ClientMultitransportChannelData";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            flags: MultitransportFlags::from_bits_retain(src.u32_le("flags")?),
        })
    }
}

impl Encode for ClientMultitransportChannelData {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.flags.bits())
    }
}
