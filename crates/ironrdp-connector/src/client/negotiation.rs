//! Negotiates the security protocol: one request, one answer (MS-RDPBCGR 1.3.1.1, 2.2.1.1, 2.2.1.2).

use ironrdp_core::{WriteBuf, decode_exact, encode_into};
use ironrdp_pdu::x224::{
    ConnectionConfirm, ConnectionRequest, FailureCode, NegotiationOutcome, NegotiationToken, RequestFlags,
    ResponseFlags, SecurityProtocol,
};

use super::ClientState;
use super::conference::SendConnectInitial;
#[cfg(feature = "nla")]
use crate::credssp::Authenticate;
use crate::result::Facts;
use crate::{AuthFailure, ConnectorError, ConnectorErrorKind, ConnectorResult, Refusal, SecurityPolicy};

/// Nothing has been said yet.
#[derive(Debug)]
pub(super) struct SendRequest;

/// Waiting for the server's choice.
#[derive(Debug)]
pub(super) struct WaitConfirm;

/// Waiting for the stream to become a TLS stream.
#[derive(Debug)]
pub(super) struct Upgrade;

impl Upgrade {
    /// What follows once the stream is a TLS stream.
    pub(super) fn next(&self, facts: &Facts) -> ClientState {
        match facts.protocol {
            #[cfg(feature = "nla")]
            SecurityProtocol::HYBRID => ClientState::Authenticate(Box::new(Authenticate::new(false))),
            #[cfg(feature = "nla")]
            SecurityProtocol::HYBRID_EX => ClientState::Authenticate(Box::new(Authenticate::new(true))),
            _ => ClientState::SendConnectInitial(SendConnectInitial),
        }
    }
}

impl SendRequest {
    pub(super) fn send(self, facts: &mut Facts, out: &mut WriteBuf) -> ConnectorResult<ClientState> {
        let config = &facts.config;
        let token = match &config.routing_token {
            Some(token) => NegotiationToken::routing(token),
            None => NegotiationToken::cookie(config.credentials.username()),
        };
        if config.security == SecurityPolicy::Nla && !cfg!(feature = "nla") {
            return Err(ConnectorError::new(
                ConnectorErrorKind::Unsupported,
                "network level authentication in a build without the feature `nla`",
            ));
        }
        let mut request = ConnectionRequest::new(config.offered_protocols()).with_token(token);
        if config.restricted_admin
            && let Some(negotiation) = &mut request.negotiation
        {
            negotiation.flags |= RequestFlags::RESTRICTED_ADMIN_MODE_REQUIRED;
        }
        encode_into(&request, out)?;
        Ok(ClientState::WaitConfirm(WaitConfirm))
    }
}

impl WaitConfirm {
    pub(super) fn handle(self, facts: &mut Facts, bytes: &[u8]) -> ConnectorResult<ClientState> {
        let confirm: ConnectionConfirm = decode_exact(bytes)?;
        let (protocol, flags) = match confirm.outcome {
            NegotiationOutcome::Selected { protocol, flags } => (protocol, flags),
            // 2.2.1.2: servers older than 5.2 answer without negotiation data, which means RDP security.
            NegotiationOutcome::Legacy => (SecurityProtocol::empty(), ResponseFlags::empty()),
            // Only a server that has no CredSSP can refuse an offer of it alone.
            NegotiationOutcome::Failed(
                code @ (FailureCode::SslRequired
                | FailureCode::SslNotAllowed
                | FailureCode::SslCertificateMissing
                | FailureCode::InconsistentFlags),
            ) if facts.config.security == SecurityPolicy::Nla => {
                return Err(ConnectorError::with_source(
                    ConnectorErrorKind::Auth(AuthFailure::NlaUnavailable),
                    "the server refused the security protocols offered",
                    code.meaning(),
                ));
            }
            NegotiationOutcome::Failed(code) => {
                return Err(ConnectorError::refused(
                    Refusal::Negotiation(code),
                    "the server refused the security protocols offered",
                ));
            }
        };
        // A server may only pick what was offered: accepting more would let an on-path attacker talk us down to
        // plain RDP before TLS starts.
        if !facts.config.offered_protocols().contains(protocol) {
            return Err(ConnectorError::unexpected(
                "the server selected a security protocol that was not offered",
            ));
        }
        facts.protocol = protocol;
        tracing::debug!(?protocol, "security negotiated");
        if facts.config.restricted_admin && !flags.contains(ResponseFlags::RESTRICTED_ADMIN_MODE_SUPPORTED) {
            return Err(ConnectorError::new(
                ConnectorErrorKind::Unsupported,
                "a server without restricted admin mode",
            ));
        }
        if protocol == SecurityProtocol::SSL
            || protocol == SecurityProtocol::HYBRID
            || protocol == SecurityProtocol::HYBRID_EX
        {
            Ok(ClientState::Upgrade(Upgrade))
        } else if !protocol.is_empty() {
            Err(ConnectorError::unexpected(
                "the server selected more than one security protocol",
            ))
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
