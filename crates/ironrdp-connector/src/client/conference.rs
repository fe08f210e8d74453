//! Builds the conference: settings both ways, a user, the channels (MS-RDPBCGR 1.3.1.1, 2.2.1.3 to 2.2.1.9).

use ironrdp_core::{WriteBuf, decode_exact, encode_into};
use ironrdp_pdu::gcc::{
    ClientCoreData, ClientEarlyCapabilityFlags, ClientGccBlocks, ClientMessageChannelData, ClientNetworkData,
    ColorDepth as CoreColorDepth, ConnectionType, HighColorDepth, ServerEarlyCapabilityFlags,
    ServerGccBlocks,
};
use ironrdp_pdu::mcs::{
    AttachUserRequest, ChannelJoinRequest, ConnectInitial, ConnectResponse, ErectDomainRequest, McsPdu,
};
use ironrdp_pdu::x224::X224Data;

use super::ClientState;
use super::secure_settings::{SendClientInfo, WaitLicense};
use crate::channel_io::{not_channel_data, read_mcs};
use crate::result::{Facts, StaticChannel};
use crate::{ColorDepth, Config, ConnectorError, ConnectorErrorKind, ConnectorResult, Refusal};

/// The stream is ready for the conference.
#[derive(Debug)]
pub(super) struct SendConnectInitial;

/// Waiting for the server's settings: its channel ids and what it can do.
#[derive(Debug)]
pub(super) struct WaitConnectResponse;

/// Waiting for the Attach-User Confirm; its initiator is the source of all our later sends.
#[derive(Debug)]
pub(super) struct WaitAttachUserConfirm;

/// Waiting until every channel that was asked for is joined.
#[derive(Debug)]
pub(super) struct WaitChannelJoinConfirms {
    waiting: Vec<u16>,
    /// Where to go from here: the licence, or the client's information if that was held back.
    next: Next,
}

/// What follows the channels.
#[derive(Debug)]
enum Next {
    ClientInfo,
    License(Box<WaitLicense>),
}

impl SendConnectInitial {
    pub(super) fn send(self, facts: &mut Facts, out: &mut WriteBuf) -> ConnectorResult<ClientState> {
        encode_into(&X224Data(ConnectInitial::new(client_blocks(facts))), out)?;
        Ok(ClientState::WaitConnectResponse(WaitConnectResponse))
    }
}

fn client_blocks(facts: &Facts) -> ClientGccBlocks {
    let config = &*facts.config;
    // 2.2.1.3.3: with TLS no cipher of RDP's own is offered; without TLS none either, since RC4 protects nobody.
    let mut blocks = ClientGccBlocks::new(core_data(config, facts));
    if !config.channels.is_empty() {
        blocks.network = Some(ClientNetworkData {
            channels: config.channels.clone(),
        });
    }
    blocks.message_channel = Some(ClientMessageChannelData::default());
    blocks
}

fn core_data(config: &Config, facts: &Facts) -> ClientCoreData {
    let mut core = ClientCoreData::new(config.desktop_size);
    core.set_client_name(&config.client_name);
    core.keyboard_layout = config.keyboard_layout;
    let mut early = ClientEarlyCapabilityFlags::SUPPORT_ERRINFO_PDU
        | ClientEarlyCapabilityFlags::SUPPORT_STATUSINFO_PDU
        | ClientEarlyCapabilityFlags::STRONG_ASYMMETRIC_KEYS
        | ClientEarlyCapabilityFlags::VALID_CONNECTION_TYPE
        | ClientEarlyCapabilityFlags::SUPPORT_MONITOR_LAYOUT_PDU
        | ClientEarlyCapabilityFlags::SUPPORT_NETCHAR_AUTODETECT
        | ClientEarlyCapabilityFlags::SUPPORT_HEARTBEAT_PDU
        | ClientEarlyCapabilityFlags::SUPPORT_SKIP_CHANNELJOIN;
    if config.color_depth == ColorDepth::Bpp32 {
        early |= ClientEarlyCapabilityFlags::WANT_32BPP_SESSION;
    }
    core.post_beta2_color_depth = Some(CoreColorDepth::Bpp8);
    core.high_color_depth = Some(match config.color_depth {
        ColorDepth::Bpp8 => HighColorDepth::Bpp8,
        ColorDepth::Bpp15 => HighColorDepth::Bpp15,
        ColorDepth::Bpp16 => HighColorDepth::Bpp16,
        ColorDepth::Bpp24 | ColorDepth::Bpp32 => HighColorDepth::Bpp24,
    });
    core.early_capability_flags = Some(early);
    core.connection_type = Some(ConnectionType::Lan);
    core.server_selected_protocol = Some(facts.protocol);
    core
}

impl WaitConnectResponse {
    pub(super) fn handle(
        self,
        facts: &mut Facts,
        bytes: &[u8],
        out: &mut WriteBuf,
    ) -> ConnectorResult<ClientState> {
        let X224Data(payload) = decode_exact::<X224Data<&[u8]>>(bytes)?;
        let response: ConnectResponse = decode_exact(payload)?;
        let blocks = response.into_accepted().map_err(|refusal| {
            ConnectorError::refused(Refusal::Conference(refusal), "the server refused the conference")
        })?;
        learn(facts, blocks)?;
        encode_into(&X224Data(ErectDomainRequest::default()), out)?;
        encode_into(&X224Data(AttachUserRequest), out)?;
        Ok(ClientState::WaitAttachUserConfirm(WaitAttachUserConfirm))
    }
}

fn learn(facts: &mut Facts, blocks: ServerGccBlocks) -> ConnectorResult<()> {
    if !blocks.security.encryption_method.is_empty() {
        return Err(ConnectorError::new(
            ConnectorErrorKind::Unsupported,
            "the server wants RDP's own encryption (RC4 or 3DES)",
        ));
    }
    let asked = &facts.config.channels;
    let given = &blocks.network.channel_ids;
    if given.len() > asked.len() {
        return Err(ConnectorError::unexpected(
            "more static channels than were asked for",
        ));
    }
    facts.io_channel_id = blocks.network.io_channel_id;
    // 2.2.1.4.4: the ids come in the order of the names. A server that gives fewer does not offer the rest.
    facts.channels = asked
        .iter()
        .zip(given.iter().copied().chain(core::iter::repeat(0)))
        .map(|(channel, id)| StaticChannel {
            name: channel.name.to_string(),
            id,
        })
        .collect();
    facts.message_channel_id = blocks.message_channel.map(|data| data.channel_id);
    facts.joins_skipped = blocks
        .core
        .early_capability_flags
        .is_some_and(|flags| flags.contains(ServerEarlyCapabilityFlags::SKIP_CHANNELJOIN_SUPPORTED));
    Ok(())
}

impl WaitAttachUserConfirm {
    pub(super) fn handle(
        self,
        facts: &mut Facts,
        bytes: &[u8],
        out: &mut WriteBuf,
    ) -> ConnectorResult<ClientState> {
        let confirm = match read_mcs(bytes)? {
            McsPdu::AttachUserConfirm(confirm) => confirm,
            other => return Err(not_channel_data(&other)),
        };
        facts.user_channel_id = match confirm.initiator {
            Some(initiator) if confirm.result.is_success() => initiator,
            _ => {
                return Err(ConnectorError::refused(
                    Refusal::AttachUser(confirm.result),
                    "the server did not attach the user",
                ));
            }
        };
        if facts.joins_skipped {
            return Ok(ClientState::SendClientInfo(SendClientInfo));
        }
        // 1.3.1.1 allows all requests in one batch; they cost one round trip then, not one each.
        let waiting: Vec<u16> = facts.channels_to_join().filter(|id| *id != 0).collect();
        for channel_id in &waiting {
            let request = ChannelJoinRequest {
                initiator: facts.user_channel_id,
                channel_id: *channel_id,
            };
            encode_into(&X224Data(request), out)?;
        }
        // 2.2.1.11 sends the client's information when the channels are confirmed. Nothing in it depends on that, and a server that
        // handles its input in order has joined them by then: another round trip less.
        let next = if facts.config.confirmed_joins {
            Next::ClientInfo
        } else {
            Next::License(SendClientInfo.send(facts, out)?)
        };
        Ok(ClientState::WaitChannelJoinConfirms(WaitChannelJoinConfirms {
            waiting,
            next,
        }))
    }
}

impl WaitChannelJoinConfirms {
    pub(super) fn handle(mut self, facts: &mut Facts, bytes: &[u8]) -> ConnectorResult<ClientState> {
        let confirm = match read_mcs(bytes)? {
            McsPdu::ChannelJoinConfirm(confirm) => confirm,
            McsPdu::SendDataIndication(data) => {
                // What is said there now answers the client's information, and would be missed where it is waited for.
                let answers = data.channel_id == facts.io_channel_id
                    || facts.message_channel_id == Some(data.channel_id);
                if answers && matches!(self.next, Next::License(_)) {
                    return Err(ConnectorError::unexpected(
                        "the server goes on before it has confirmed all channels; with confirmed joins it has nothing to go on with",
                    ));
                }
                facts.deferred.push(bytes)?;
                return Ok(ClientState::WaitChannelJoinConfirms(self));
            }
            other => return Err(not_channel_data(&other)),
        };
        let Some(index) = self.waiting.iter().position(|id| *id == confirm.requested) else {
            return Err(ConnectorError::unexpected(
                "a join confirm for a channel that was not asked for",
            ));
        };
        let channel_id = self.waiting.remove(index);
        if !confirm.result.is_success() || confirm.channel_id.is_some_and(|joined| joined != channel_id) {
            return Err(ConnectorError::refused(
                Refusal::ChannelJoin {
                    channel_id,
                    result: confirm.result,
                },
                "the server did not join a channel",
            ));
        }
        if !self.waiting.is_empty() {
            return Ok(ClientState::WaitChannelJoinConfirms(self));
        }
        Ok(match self.next {
            Next::ClientInfo => ClientState::SendClientInfo(SendClientInfo),
            Next::License(state) => ClientState::WaitLicense(state),
        })
    }
}
