//! Joins channels, learns who logs in, and decides about it (MS-RDPBCGR 1.3.1.1, 2.2.1.8 to 2.2.1.11).

use ironrdp_core::{WriteBuf, decode, decode_exact, encode_into};
use ironrdp_pdu::client_info::{ClientInfo, Secret};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::gcc::ClientEarlyCapabilityFlags;
use ironrdp_pdu::license::{LicenseErrorAlert, LicenseMessage, LicensePdu, PreambleFlags};
use ironrdp_pdu::mcs::{
    ChannelJoinConfirm, ChannelJoinRequest, DisconnectProviderUltimatum, DisconnectReason, McsPdu, McsResult,
    SERVER_USER_ID,
};
use ironrdp_pdu::security::{BasicSecurity, SecurityFlags};
use ironrdp_pdu::share::ShareData;
use ironrdp_pdu::x224::X224Data;

use super::ServerState;
use super::detect::DetectNetwork;
use super::license::SendLicense;
use super::result::Facts;
use crate::channel_io::{not_client_data, read_mcs, send_to_client};
use crate::{AuthFailure, ConnectorError, ConnectorErrorKind, ConnectorResult, StepInput};

/// Waiting for the client to join its channels, in any order, and to say who it is, which ends the joins.
#[derive(Debug, Default)]
pub(super) struct WaitClientInfo {
    user_joined: bool,
    io_joined: bool,
}

/// Waiting for somebody outside to decide whether the client may have a session.
#[derive(Debug)]
pub(super) struct Authorize {
    pub(super) info: ClientInfo,
}

/// The client may not have a session and has not been told yet.
#[derive(Debug)]
pub(super) struct SendDenial;

impl WaitClientInfo {
    pub(super) fn handle(
        self,
        facts: &mut Facts,
        input: StepInput<'_>,
        out: &mut WriteBuf,
    ) -> ConnectorResult<ServerState> {
        match read_mcs(input.bytes)? {
            McsPdu::ChannelJoinRequest(request) => self.join(facts, request, out),
            McsPdu::SendDataRequest(data) if data.channel_id == facts.io_channel_id => {
                // 2.2.1.8: servers insist on these two; clients leave out channels that they do not use.
                if !(facts.joins_skipped || self.user_joined && self.io_joined) {
                    return Err(ConnectorError::unexpected(
                        "client info before the I/O channel was joined",
                    ));
                }
                handle_info(facts, data.user_data, input, out)
            }
            McsPdu::SendDataRequest(_) => Err(ConnectorError::unexpected(
                "channel data before the client said who it is",
            )),
            other => Err(not_client_data(&other)),
        }
    }

    fn join(
        mut self,
        facts: &Facts,
        request: ChannelJoinRequest,
        out: &mut WriteBuf,
    ) -> ConnectorResult<ServerState> {
        let id = request.channel_id;
        self.user_joined |= id == facts.user_channel_id;
        self.io_joined |= id == facts.io_channel_id;
        let known = facts.has_channel(id);
        let confirm = ChannelJoinConfirm {
            result: if known {
                McsResult::Successful
            } else {
                McsResult::NoSuchChannel
            },
            initiator: facts.user_channel_id,
            requested: id,
            channel_id: known.then_some(id),
        };
        encode_into(&X224Data(confirm), out)?;
        Ok(ServerState::WaitClientInfo(self))
    }
}

fn handle_info(
    facts: &mut Facts,
    data: &[u8],
    input: StepInput<'_>,
    out: &mut WriteBuf,
) -> ConnectorResult<ServerState> {
    let secured: BasicSecurity<&[u8]> = decode_exact(data)?;
    // A Security Exchange would come here if RDP's own encryption had been offered; it never is.
    if !secured.flags.contains(SecurityFlags::INFO_PACKET) {
        return Err(ConnectorError::unexpected("another PDU in place of client info"));
    }
    let info: ClientInfo = decode(secured.body)?;
    let early = facts.core.early_capability_flags.unwrap_or_default();
    match facts.message_channel_id {
        Some(channel_id)
            if facts.config.auto_detect
                && early.contains(ClientEarlyCapabilityFlags::SUPPORT_NETCHAR_AUTODETECT) =>
        {
            let detect = DetectNetwork::start(info, channel_id, input.received_at, out)?;
            Ok(ServerState::DetectNetwork(Box::new(detect)))
        }
        _ => Ok(Authorize::next(info, facts)),
    }
}

impl Authorize {
    /// Asks outside, unless the decision fell when the user logged in.
    pub(super) fn next(info: ClientInfo, facts: &mut Facts) -> ServerState {
        let question = Box::new(Self { info });
        if facts.is_denied {
            question.decided(facts, false)
        } else {
            ServerState::Authorize(question)
        }
    }

    /// The password has done its work here and is not kept.
    pub(super) fn decided(self: Box<Self>, facts: &mut Facts, may: bool) -> ServerState {
        facts.info = ClientInfo {
            password: Secret::default(),
            ..self.info
        };
        tracing::debug!(authorized = may, "the client said who it is");
        if may {
            ServerState::SendLicense(SendLicense::default())
        } else {
            ServerState::SendDenial(SendDenial)
        }
    }
}

impl SendDenial {
    /// Says why, then disconnects. Clients look for error info only once licensing is over, so it is ended first.
    pub(super) fn send(self, facts: &Facts, out: &mut WriteBuf) -> ConnectorResult<ServerState> {
        let licensed = BasicSecurity {
            flags: SecurityFlags::LICENSE_PACKET,
            body: LicensePdu {
                flags: PreambleFlags::VERSION_3,
                message: LicenseMessage::ErrorAlert(LicenseErrorAlert::valid_client()),
            },
        };
        send_to_client(facts.io_channel_id, licensed, out)?;
        let early = facts.core.early_capability_flags.unwrap_or_default();
        if early.contains(ClientEarlyCapabilityFlags::SUPPORT_ERRINFO_PDU) {
            // There is no share yet, so none is named.
            let reason = ShareData::new(SERVER_USER_ID, 0, ErrorInfo::SERVER_DENIED_CONNECTION);
            send_to_client(facts.io_channel_id, reason, out)?;
        }
        let ultimatum = DisconnectProviderUltimatum {
            reason: DisconnectReason::ProviderInitiated,
        };
        encode_into(&X224Data(ultimatum), out)?;
        Ok(ServerState::Farewell(ConnectorError::new(
            ConnectorErrorKind::Auth(AuthFailure::AccessDenied),
            "the client was denied a session",
        )))
    }
}
