//! Negotiates the security protocol: one request, one answer (MS-RDPBCGR 1.3.1.1, 2.2.1.1, 2.2.1.2).

use ironrdp_core::{WriteBuf, decode_exact, encode_into};
use ironrdp_pdu::x224::{
    ConnectionConfirm, ConnectionRequest, NegotiationOutcome, NegotiationToken, SecurityProtocol,
};

use super::ClientState;
use super::conference::SendConnectInitial;
use crate::result::Facts;
use crate::{ConnectorError, ConnectorErrorKind, ConnectorResult, Refusal};

/// Nothing has been said yet.
#[derive(Debug)]
pub(super) struct SendRequest;

/// Waiting for the server's choice.
#[derive(Debug)]
pub(super) struct WaitConfirm;

/// Waiting for the stream to become a TLS stream.
#[derive(Debug)]
pub(super) struct Upgrade;

impl SendRequest {
    pub(super) fn send(self, facts: &mut Facts, out: &mut WriteBuf) -> ConnectorResult<ClientState> {
        let config = &facts.config;
        let token = match &config.routing_token {
            Some(token) => NegotiationToken::routing(token),
            None => NegotiationToken::cookie(config.credentials.username()),
        };
        encode_into(&ConnectionRequest::new(config.security).with_token(token), out)?;
        Ok(ClientState::WaitConfirm(WaitConfirm))
    }
}

impl WaitConfirm {
    pub(super) fn handle(self, facts: &mut Facts, bytes: &[u8]) -> ConnectorResult<ClientState> {
        let confirm: ConnectionConfirm = decode_exact(bytes)?;
        let protocol = match confirm.outcome {
            NegotiationOutcome::Selected { protocol, .. } => protocol,
            // 2.2.1.2: servers older than 5.2 answer without negotiation data, which means RDP security.
            NegotiationOutcome::Legacy => SecurityProtocol::empty(),
            NegotiationOutcome::Failed(code) => {
                return Err(ConnectorError::refused(
                    Refusal::Negotiation(code),
                    "the server refused the security protocols offered",
                ));
            }
        };
        // A server may only pick what was offered: accepting more would let an on-path attacker talk us down to
        // plain RDP before TLS starts.
        if !facts.config.security.contains(protocol) {
            return Err(ConnectorError::unexpected(
                "the server selected a security protocol that was not offered",
            ));
        }
        facts.protocol = protocol;
        tracing::debug!(?protocol, "security negotiated");
        if protocol.contains(SecurityProtocol::SSL) {
            Ok(ClientState::Upgrade(Upgrade))
        } else if facts.config.plain_allowed {
            Ok(ClientState::SendConnectInitial(SendConnectInitial))
        } else {
            Err(ConnectorError::new(
                ConnectorErrorKind::Unsupported,
                "the server wants a connection without TLS, which the configuration does not allow",
            ))
        }
    }
}
