//! Negotiates the security protocol: one request, one answer (MS-RDPBCGR 1.3.1.1, 2.2.1.1, 2.2.1.2).

use ironrdp_core::{WriteBuf, decode_exact, encode_into};
use ironrdp_pdu::x224::{
    ConnectionConfirm, ConnectionRequest, FailureCode, NegotiationOutcome, ResponseFlags, SecurityProtocol,
};

use super::ServerState;
use super::conference::WaitConnectInitial;
use super::result::Facts;
#[cfg(feature = "nla")]
use crate::credssp::AuthenticateClient;
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
            let mut flags = ResponseFlags::EXTENDED_CLIENT_DATA_SUPPORTED;
            // Whoever has logged in by CredSSP need not hand its password over.
            flags.set(ResponseFlags::RESTRICTED_ADMIN_MODE_SUPPORTED, is_nla(protocol));
            NegotiationOutcome::Selected { flags, protocol }
        } else {
            // 2.2.1.2: no answer to a question that was not asked; clients older than 5.2 do not expect one.
            NegotiationOutcome::Legacy
        };
        encode_into(&ConnectionConfirm::new(outcome), out)?;
        Ok(if protocol == SecurityProtocol::SSL || is_nla(protocol) {
            ServerState::Upgrade(Upgrade)
        } else {
            ServerState::WaitConnectInitial(WaitConnectInitial)
        })
    }
}

fn is_nla(protocol: SecurityProtocol) -> bool {
    protocol == SecurityProtocol::HYBRID || protocol == SecurityProtocol::HYBRID_EX
}

impl Upgrade {
    /// What follows once the stream is a TLS stream.
    pub(super) fn next(&self, facts: &Facts) -> ServerState {
        #[cfg(feature = "nla")]
        if is_nla(facts.protocol) {
            let nla = &facts.config.nla;
            let early_result = facts.protocol == SecurityProtocol::HYBRID_EX;
            let login = AuthenticateClient::new(early_result, nla.keytab.clone(), nla.old_allowed);
            return ServerState::Authenticate(Box::new(login));
        }
        let _ = facts;
        ServerState::WaitConnectInitial(WaitConnectInitial)
    }
}

/// Tells the client what it would have to offer.
fn refuse(facts: &Facts, out: &mut WriteBuf) -> ConnectorResult<ServerState> {
    #[cfg(feature = "nla")]
    let needs_nla = facts.config.nla.required;
    #[cfg(not(feature = "nla"))]
    let needs_nla = false;
    let (code, context) = if needs_nla {
        (
            FailureCode::HybridRequired,
            "a client that does not offer network level authentication",
        )
    } else if facts.config.tls {
        (FailureCode::SslRequired, "a client that does not offer TLS")
    } else {
        (FailureCode::SslNotAllowed, "a client that insists on TLS")
    };
    encode_into(&ConnectionConfirm::new(NegotiationOutcome::Failed(code)), out)?;
    let error = ConnectorError::new(ConnectorErrorKind::Unsupported, context);
    Ok(ServerState::Farewell(error.in_phase(Phase::Negotiate)))
}
