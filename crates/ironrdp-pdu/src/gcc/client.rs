//! All blocks of a client.

use alloc::vec::Vec;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use super::block::{Slot, block_size, missing, optional_size, read_block, write_block, write_optional};
use super::{
    ClientClusterData, ClientCoreData, ClientMessageChannelData, ClientMonitorData,
    ClientMonitorExtendedData, ClientMultitransportChannelData, ClientNetworkData, ClientSecurityData,
    RawBlock,
};

const CS_CORE: u16 = 0xc001;
const CS_SECURITY: u16 = 0xc002;
const CS_NET: u16 = 0xc003;
const CS_CLUSTER: u16 = 0xc004;
const CS_MONITOR: u16 = 0xc005;
const CS_MCS_MSGCHANNEL: u16 = 0xc006;
const CS_MONITOR_EX: u16 = 0xc008;
const CS_MULTITRANSPORT: u16 = 0xc00a;

/// A client's settings (MS-RDPBCGR 2.2.1.3). Read in any order, written in the order Windows uses.
///
/// Send the last four only to a server that announced
/// [`EXTENDED_CLIENT_DATA_SUPPORTED`](crate::x224::ResponseFlags::EXTENDED_CLIENT_DATA_SUPPORTED).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientGccBlocks {
    /// Desktop, keyboard, name and abilities.
    pub core: ClientCoreData,
    /// Redirection and the session to reconnect to.
    pub cluster: Option<ClientClusterData>,
    /// Ciphers of Standard RDP Security.
    pub security: ClientSecurityData,
    /// Static channels wanted.
    pub network: Option<ClientNetworkData>,
    /// Where the client's monitors are.
    pub monitor: Option<ClientMonitorData>,
    /// How large they are in the world.
    pub monitor_extended: Option<ClientMonitorExtendedData>,
    /// The client wants a message channel (auto-detect, heartbeat, multitransport).
    pub message_channel: Option<ClientMessageChannelData>,
    /// UDP transports that the client can use.
    pub multitransport_channel: Option<ClientMultitransportChannelData>,
    /// Blocks of other types, in their order, and second ones of a type above.
    pub unknown: Vec<RawBlock>,
}

impl ClientGccBlocks {
    /// The least a client can say: `core`, and no cipher of Standard RDP Security.
    pub fn new(core: ClientCoreData) -> Self {
        Self {
            core,
            cluster: None,
            security: ClientSecurityData::default(),
            network: None,
            monitor: None,
            monitor_extended: None,
            message_channel: None,
            multitransport_channel: None,
            unknown: Vec::new(),
        }
    }
}

impl Decode<'_> for ClientGccBlocks {
    const NAME: &'static str = "ClientGccBlocks";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let mut core = None;
        let mut cluster = None;
        let mut security = None;
        let mut network = None;
        let mut monitor = None;
        let mut monitor_extended = None;
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
                CS_CORE => slot.fill(&mut core, body)?,
                CS_SECURITY => slot.fill(&mut security, body)?,
                CS_NET => slot.fill(&mut network, body)?,
                CS_CLUSTER => slot.fill(&mut cluster, body)?,
                CS_MONITOR => slot.fill(&mut monitor, body)?,
                CS_MCS_MSGCHANNEL => slot.fill(&mut message_channel, body)?,
                CS_MONITOR_EX => slot.fill(&mut monitor_extended, body)?,
                CS_MULTITRANSPORT => slot.fill(&mut multitransport_channel, body)?,
                _ => slot.keep(body)?,
            }
        }
        Ok(Self {
            core: core.ok_or_else(|| missing(src, "clientCoreData"))?,
            cluster,
            security: security.ok_or_else(|| missing(src, "clientSecurityData"))?,
            network,
            monitor,
            monitor_extended,
            message_channel,
            multitransport_channel,
            unknown,
        })
    }
}

impl Encode for ClientGccBlocks {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        block_size(&self.core)
            + optional_size(self.cluster.as_ref())
            + block_size(&self.security)
            + optional_size(self.network.as_ref())
            + optional_size(self.monitor.as_ref())
            + optional_size(self.monitor_extended.as_ref())
            + optional_size(self.message_channel.as_ref())
            + optional_size(self.multitransport_channel.as_ref())
            + self.unknown.iter().map(Encode::size).sum::<usize>()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        write_block(dst, CS_CORE, &self.core)?;
        write_optional(dst, CS_CLUSTER, self.cluster.as_ref())?;
        write_block(dst, CS_SECURITY, &self.security)?;
        write_optional(dst, CS_NET, self.network.as_ref())?;
        write_optional(dst, CS_MONITOR, self.monitor.as_ref())?;
        write_optional(dst, CS_MONITOR_EX, self.monitor_extended.as_ref())?;
        write_optional(dst, CS_MCS_MSGCHANNEL, self.message_channel.as_ref())?;
        write_optional(dst, CS_MULTITRANSPORT, self.multitransport_channel.as_ref())?;
        self.unknown.iter().try_for_each(|block| block.encode(dst))
    }
}
