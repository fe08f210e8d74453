//! All blocks of a server.

use alloc::vec::Vec;

use bitflags::bitflags;
use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u16};

use super::block::{Slot, block_size, missing, optional_size, read_block, write_block, write_optional};
use super::{MultitransportFlags, RawBlock, RdpVersion, ServerSecurityData};
use crate::x224::SecurityProtocol;

const SC_CORE: u16 = 0x0c01;
const SC_SECURITY: u16 = 0x0c02;
const SC_NET: u16 = 0x0c03;
const SC_MCS_MSGCHANNEL: u16 = 0x0c04;
const SC_MULTITRANSPORT: u16 = 0x0c08;

/// A server's settings (MS-RDPBCGR 2.2.1.4). Read in any order, written in the order Windows uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerGccBlocks {
    /// Version and abilities.
    pub core: ServerCoreData,
    /// The I/O channel and the ids of the static channels.
    pub network: ServerNetworkData,
    /// The cipher of Standard RDP Security.
    pub security: ServerSecurityData,
    /// The message channel, if the client asked for one.
    pub message_channel: Option<ServerMessageChannelData>,
    /// UDP transports that the server can use.
    pub multitransport_channel: Option<ServerMultitransportChannelData>,
    /// Blocks of other types, in their order, and second ones of a type above.
    pub unknown: Vec<RawBlock>,
}

impl ServerGccBlocks {
    /// The least a server can say: `core`, its channels, and no cipher of Standard RDP Security.
    pub fn new(core: ServerCoreData, network: ServerNetworkData) -> Self {
        Self {
            core,
            network,
            security: ServerSecurityData::default(),
            message_channel: None,
            multitransport_channel: None,
            unknown: Vec::new(),
        }
    }
}

impl Decode<'_> for ServerGccBlocks {
    const NAME: &'static str = "ServerGccBlocks";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let mut core = None;
        let mut network = None;
        let mut security = None;
        let mut message_channel = None;
        let mut multitransport_channel = None;
        let mut unknown = Vec::new();
        while !src.is_empty() {
            let (kind, body) = read_block(src)?;
            let slot = Slot {
                kind,
                unknown: &mut unknown,
            };
            match kind {
                SC_CORE => slot.fill(&mut core, body)?,
                SC_SECURITY => slot.fill(&mut security, body)?,
                SC_NET => slot.fill(&mut network, body)?,
                SC_MCS_MSGCHANNEL => slot.fill(&mut message_channel, body)?,
                SC_MULTITRANSPORT => slot.fill(&mut multitransport_channel, body)?,
                _ => slot.keep(body)?,
            }
        }
        Ok(Self {
            core: core.ok_or_else(|| missing(src, "serverCoreData"))?,
            network: network.ok_or_else(|| missing(src, "serverNetworkData"))?,
            security: security.ok_or_else(|| missing(src, "serverSecurityData"))?,
            message_channel,
            multitransport_channel,
            unknown,
        })
    }
}

impl Encode for ServerGccBlocks {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        block_size(&self.core)
            + block_size(&self.network)
            + block_size(&self.security)
            + optional_size(self.message_channel.as_ref())
            + optional_size(self.multitransport_channel.as_ref())
            + self.unknown.iter().map(Encode::size).sum::<usize>()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        write_block(dst, SC_CORE, &self.core)?;
        write_block(dst, SC_NET, &self.network)?;
        write_block(dst, SC_SECURITY, &self.security)?;
        write_optional(dst, SC_MCS_MSGCHANNEL, self.message_channel.as_ref())?;
        write_optional(dst, SC_MULTITRANSPORT, self.multitransport_channel.as_ref())?;
        self.unknown.iter().try_for_each(|block| block.encode(dst))
    }
}

bitflags! {
    /// What a server can do before capabilities are exchanged (`earlyCapabilityFlags` of TS_UD_SC_CORE,
    /// MS-RDPBCGR 2.2.1.4.2).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct ServerEarlyCapabilityFlags: u32 {
        /// It takes the edge actions of a touch screen, version 1.
        const EDGE_ACTIONS_SUPPORTED_V1 = 0x0000_0001;
        /// It reads the dynamic time zone fields of the extended client info.
        const DYNAMIC_DST_SUPPORTED = 0x0000_0002;
        /// It takes the edge actions of a touch screen, version 2.
        const EDGE_ACTIONS_SUPPORTED_V2 = 0x0000_0004;
        /// It needs no channel joins if the client says the same.
        const SKIP_CHANNELJOIN_SUPPORTED = 0x0000_0008;
        const _ = !0;
    }
}

/// A server's version and abilities (TS_UD_SC_CORE, MS-RDPBCGR 2.2.1.4.2). The optional fields are ordered, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerCoreData {
    /// Version the server speaks.
    pub version: RdpVersion,
    /// The protocols the client offered, repeated so that an attacker's change of them is noticed.
    pub client_requested_protocols: Option<SecurityProtocol>,
    /// What the server can do. Encoding without the field before writes that as none.
    pub early_capability_flags: Option<ServerEarlyCapabilityFlags>,
}

impl ServerCoreData {
    /// A server of RDP 10.7 to which the client offered `requested`.
    pub const fn new(requested: SecurityProtocol) -> Self {
        Self {
            version: RdpVersion::V10_7,
            client_requested_protocols: Some(requested),
            early_capability_flags: None,
        }
    }
}

impl Decode<'_> for ServerCoreData {
    const NAME: &'static str = "ServerCoreData";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let mut data = Self {
            version: RdpVersion(src.u32_le("version")?),
            client_requested_protocols: None,
            early_capability_flags: None,
        };
        if !src.is_empty() {
            let protocols = src.u32_le("clientRequestedProtocols")?;
            data.client_requested_protocols = Some(SecurityProtocol::from_bits_retain(protocols));
        }
        if !src.is_empty() {
            let flags = src.u32_le("earlyCapabilityFlags")?;
            data.early_capability_flags = Some(ServerEarlyCapabilityFlags::from_bits_retain(flags));
        }
        Ok(data)
    }
}

impl Encode for ServerCoreData {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        match (self.client_requested_protocols, self.early_capability_flags) {
            (None, None) => 4,
            (Some(_), None) => 8,
            (_, Some(_)) => 12,
        }
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.version.0)?;
        match (self.client_requested_protocols, self.early_capability_flags) {
            (None, None) => Ok(()),
            (Some(protocols), None) => dst.u32_le(protocols.bits()),
            (protocols, Some(flags)) => {
                dst.u32_le(protocols.unwrap_or_default().bits())?;
                dst.u32_le(flags.bits())
            }
        }
    }
}

/// The channels a server made (TS_UD_SC_NET, MS-RDPBCGR 2.2.1.4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerNetworkData {
    /// The channel of the share, [`IO_CHANNEL_ID`](crate::mcs::IO_CHANNEL_ID) nearly everywhere.
    pub io_channel_id: u16,
    /// Ids of the client's static channels in the client's order; 0 for one that was not made.
    pub channel_ids: Vec<u16>,
}

impl Decode<'_> for ServerNetworkData {
    const NAME: &'static str = "ServerNetworkData";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let io_channel_id = src.u16_le("MCSChannelId")?;
        let count = usize::from(src.u16_le("channelCount")?);
        let mut ids = src.sub(count * 2, "channelCount")?;
        let channel_ids = (0..count)
            .map(|_| ids.u16_le("channelIdArray"))
            .collect::<DecodeResult<_>>()?;
        // An odd count is padded to four bytes. Nothing comes after it, so a server that forgets does no harm.
        if count % 2 == 1 && !src.is_empty() {
            src.skip(2, "pad")?;
        }
        Ok(Self {
            io_channel_id,
            channel_ids,
        })
    }
}

impl Encode for ServerNetworkData {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 /* MCSChannelId */ + 2 /* channelCount */ + self.channel_ids.len().next_multiple_of(2) * 2
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.io_channel_id)?;
        dst.u16_le(len_u16(self.channel_ids.len(), Self::NAME, "channelCount")?)?;
        self.channel_ids.iter().try_for_each(|id| dst.u16_le(*id))?;
        dst.zeros(self.channel_ids.len() % 2 * 2)
    }
}

/// The message channel a server made (TS_UD_SC_MCS_MSGCHANNEL, MS-RDPBCGR 2.2.1.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerMessageChannelData {
    /// Its id.
    pub channel_id: u16,
}

impl Decode<'_> for ServerMessageChannelData {
    const NAME: &'static str = "ServerMessageChannelData";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            channel_id: src.u16_le("MCSChannelID")?,
        })
    }
}

impl Encode for ServerMessageChannelData {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.channel_id)
    }
}

/// UDP transports that a server can use (TS_UD_SC_MULTITRANSPORT, MS-RDPBCGR 2.2.1.4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServerMultitransportChannelData {
    /// Which.
    pub flags: MultitransportFlags,
}

impl Decode<'_> for ServerMultitransportChannelData {
    const NAME: &'static str = "ServerMultitransportChannelData";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            flags: MultitransportFlags::from_bits_retain(src.u32_le("flags")?),
        })
    }
}

impl Encode for ServerMultitransportChannelData {
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
