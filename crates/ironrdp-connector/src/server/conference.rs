//! Builds the conference: settings both ways, a user (MS-RDPBCGR 1.3.1.1, 2.2.1.3 to 2.2.1.7).

use ironrdp_core::{WriteBuf, decode_exact, encode_into};
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::gcc::{
    ClientEarlyCapabilityFlags, ClientGccBlocks, ServerCoreData, ServerEarlyCapabilityFlags, ServerGccBlocks,
    ServerMessageChannelData, ServerNetworkData,
};
use ironrdp_pdu::mcs::{
    AttachUserConfirm, ConnectInitial, ConnectResponse, IO_CHANNEL_ID, McsPdu, McsResult,
};
use ironrdp_pdu::x224::X224Data;

use super::ServerState;
use super::result::Facts;
use super::secure_settings::WaitClientInfo;
use crate::channel_io::{not_client_data, read_mcs};
use crate::result::StaticChannel;
use crate::{ColorDepth, ConnectorError, ConnectorResult};

/// Waiting for the client's settings: its desktop, its channels and what it can do.
#[derive(Debug)]
pub(super) struct WaitConnectInitial;

/// Waiting for the client to make its domain, of which nothing else follows.
#[derive(Debug)]
pub(super) struct WaitErectDomain;

/// Waiting for the client to ask for its user id.
#[derive(Debug)]
pub(super) struct WaitAttachUser;

impl WaitConnectInitial {
    pub(super) fn handle(
        self,
        facts: &mut Facts,
        bytes: &[u8],
        out: &mut WriteBuf,
    ) -> ConnectorResult<ServerState> {
        let X224Data(payload) = decode_exact::<X224Data<&[u8]>>(bytes)?;
        let initial: ConnectInitial = decode_exact(payload)?;
        learn(facts, initial.conference.blocks)?;
        encode_into(&X224Data(ConnectResponse::new(server_blocks(facts))), out)?;
        Ok(ServerState::WaitErectDomain(WaitErectDomain))
    }
}

fn learn(facts: &mut Facts, blocks: ClientGccBlocks) -> ConnectorResult<()> {
    let core = blocks.core;
    // 3.3.5.3.3: the client repeats what was selected. Another value means that somebody changed the negotiation,
    // which crossed the network unprotected.
    if core
        .server_selected_protocol
        .is_some_and(|repeated| repeated != facts.protocol)
    {
        return Err(ConnectorError::unexpected(
            "the client took another security protocol than was selected",
        ));
    }
    let early = core.early_capability_flags.unwrap_or_default();
    facts.joins_skipped = facts.config.skip_channel_join
        && early.contains(ClientEarlyCapabilityFlags::SUPPORT_SKIP_CHANNELJOIN);
    facts.desktop_size = facts
        .config
        .desktop_size
        .or(core
            .desktop_size()
            .filter(|size| size.pixels() <= facts.config.limits.desktop_pixels))
        .unwrap_or(FALLBACK_SIZE);
    facts.color_depth = agreed_depth(core.wanted_bits_per_pixel(), facts.config.max_color_depth);
    let wanted = blocks.network.unwrap_or_default().channels;
    facts.io_channel_id = IO_CHANNEL_ID;
    facts.channels = (IO_CHANNEL_ID + 1..)
        .zip(&wanted)
        .map(|(id, channel)| StaticChannel {
            name: channel.name.to_string(),
            id,
        })
        .collect();
    let last = facts.channels.last().map_or(IO_CHANNEL_ID, |channel| channel.id);
    // The numbers are the server's to choose; these are the next free ones.
    facts.message_channel_id =
        (facts.config.message_channel && blocks.message_channel.is_some()).then_some(last + 1);
    facts.user_channel_id = last + 2;
    facts.core = core;
    Ok(())
}

/// What a client gets whose own wish cannot be a desktop.
const FALLBACK_SIZE: DesktopSize = match DesktopSize::new(1024, 768) {
    Some(size) => size,
    None => unreachable!(),
};

/// What the client wants, or the most there is. Four bits a pixel are not drawn any more, and other numbers mean nothing:
/// such clients get eight, which every client can show.
fn agreed_depth(wanted: u16, max: ColorDepth) -> ColorDepth {
    match ColorDepth::from_bits(wanted) {
        Some(depth) if depth.bits() <= max.bits() => depth,
        Some(_) => max,
        None => ColorDepth::Bpp8,
    }
}

fn server_blocks(facts: &Facts) -> ServerGccBlocks {
    let mut core = ServerCoreData::new(facts.request.offered_protocols());
    let mut early = ServerEarlyCapabilityFlags::DYNAMIC_DST_SUPPORTED;
    early.set(
        ServerEarlyCapabilityFlags::SKIP_CHANNELJOIN_SUPPORTED,
        facts.joins_skipped,
    );
    core.early_capability_flags = Some(early);
    let network = ServerNetworkData {
        io_channel_id: facts.io_channel_id,
        channel_ids: facts.channels.iter().map(|channel| channel.id).collect(),
    };
    let mut blocks = ServerGccBlocks::new(core, network);
    blocks.message_channel = facts
        .message_channel_id
        .map(|channel_id| ServerMessageChannelData { channel_id });
    blocks
}

impl WaitErectDomain {
    pub(super) fn handle(self, bytes: &[u8]) -> ConnectorResult<ServerState> {
        match read_mcs(bytes)? {
            McsPdu::ErectDomainRequest(_) => Ok(ServerState::WaitAttachUser(WaitAttachUser)),
            other => Err(not_client_data(&other)),
        }
    }
}

impl WaitAttachUser {
    pub(super) fn handle(
        self,
        facts: &mut Facts,
        bytes: &[u8],
        out: &mut WriteBuf,
    ) -> ConnectorResult<ServerState> {
        match read_mcs(bytes)? {
            McsPdu::AttachUserRequest(_) => {}
            other => return Err(not_client_data(&other)),
        }
        let confirm = AttachUserConfirm {
            result: McsResult::Successful,
            initiator: Some(facts.user_channel_id),
        };
        encode_into(&X224Data(confirm), out)?;
        Ok(ServerState::WaitClientInfo(WaitClientInfo::default()))
    }
}
