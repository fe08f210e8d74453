//! Negotiates the security protocol: one request, one answer (MS-RDPBCGR 1.3.1.1, 2.2.1.1, 2.2.1.2).

use ironrdp_core::{WriteBuf, decode_exact, encode_into};
use ironrdp_pdu::x224::{
    ConnectionConfirm, ConnectionRequest, FailureCode, NegotiationOutcome, ResponseFlags, SecurityProtocol,
};

use super::ServerState;
use super::conference::WaitConnectInitial;
use super::result::Facts;
use crate::{ConnectorError, ConnectorErrorKind, ConnectorResult, Phase};

/// Waiting for the client to offer security protocols.
#[derive(Debug)]
pub(super) struct WaitRequest;

/// Waiting for the stream to become a TLS stream.
#[derive(Debug)]
pub(super) struct Upgrade;

impl WaitRequest {
    pub(super) fn handle(
        self,
        facts: &mut Facts,
        bytes: &[u8],
        out: &mut WriteBuf,
    ) -> ConnectorResult<ServerState> {
        let request: ConnectionRequest = decode_exact(bytes)?;
        let offered = request.offered_protocols();
        let negotiates = request.negotiation.is_some();
        facts.request = request;
        let Some(protocol) = facts.config.select(offered) else {
            return refuse(facts, out);
        };
        facts.protocol = protocol;
        tracing::debug!(?offered, ?protocol, "security negotiated");
        let outcome = if negotiates {
            NegotiationOutcome::Selected {
                flags: ResponseFlags::EXTENDED_CLIENT_DATA_SUPPORTED,
                protocol,
            }
        } else {
            // 2.2.1.2: no answer to a question that was not asked; clients older than 5.2 do not expect one.
            NegotiationOutcome::Legacy
        };
        encode_into(&ConnectionConfirm::new(outcome), out)?;
        Ok(if protocol.contains(SecurityProtocol::SSL) {
            ServerState::Upgrade(Upgrade)
        } else {
            ServerState::WaitConnectInitial(WaitConnectInitial)
        })
    }
}

/// Tells the client what it would have to offer.
fn refuse(facts: &Facts, out: &mut WriteBuf) -> ConnectorResult<ServerState> {
    let (code, context) = if facts.config.tls {
        (FailureCode::SslRequired, "a client that does not offer TLS")
    } else {
        (FailureCode::SslNotAllowed, "a client that insists on TLS")
    };
    encode_into(&ConnectionConfirm::new(NegotiationOutcome::Failed(code)), out)?;
    let error = ConnectorError::new(ConnectorErrorKind::Unsupported, context);
    Ok(ServerState::Farewell(error.in_phase(Phase::Negotiate)))
}
