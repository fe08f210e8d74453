//! The server's end of the connection sequence (MS-RDPBCGR 1.3.1.1), the mirror of [`client`](crate::client).

mod activation;
pub use activation::{ServerActivated, ServerActivation};

mod conference;

mod config;
pub use config::{AcceptorConfig, LicenseAuthority};

mod detect;
pub use detect::NetworkMeasurement;

mod license;
mod negotiation;

mod result;
pub use result::AcceptResult;

mod secure_settings;

use std::sync::Arc;

use ironrdp_core::{Limit, Limits, WriteBuf};
use ironrdp_pdu::{PduHint, X224_HINT};

use self::conference::{WaitAttachUser, WaitConnectInitial, WaitErectDomain};
use self::detect::DetectNetwork;
use self::license::{SendLicense, WaitLicense};
use self::negotiation::{Upgrade, WaitRequest};
use self::result::Facts;
use self::secure_settings::{Authorize, SendDenial, WaitClientInfo};
#[cfg(feature = "nla")]
use crate::credssp::AuthenticateClient;
use crate::stepping::Machine;
use crate::{
    ConnectorError, ConnectorResult, Logon, Phase, Reply, Request, Sequence, State, StepInput, Written,
};

/// The server's end of a connection, from the client's first byte to the running session.
///
/// Run it with [`Driver`](crate::Driver) or one of the shells; when its state is terminal, [`into_result`](Self::into_result)
/// says who the client is and what was agreed upon. It asks to [`Authorize`](Request::Authorize) every client, and before that to
/// [`AuthorizeLogon`](Request::AuthorizeLogon) a user who has logged in by network level authentication.
#[derive(Debug)]
pub struct ServerAcceptor {
    facts: Facts,
    state: ServerState,
}

/// Where a server stands; one struct a message, each with what only it needs.
#[derive(Debug)]
enum ServerState {
    WaitRequest(WaitRequest),
    Upgrade(Upgrade),
    #[cfg(feature = "nla")]
    Authenticate(Box<AuthenticateClient>),
    WaitConnectInitial(WaitConnectInitial),
    WaitErectDomain(WaitErectDomain),
    WaitAttachUser(WaitAttachUser),
    WaitClientInfo(WaitClientInfo),
    DetectNetwork(Box<DetectNetwork>),
    Authorize(Box<Authorize>),
    SendDenial(SendDenial),
    SendLicense(SendLicense),
    WaitLicense(Box<WaitLicense>),
    Activate(Box<ServerActivation>),
    Accepted(Box<ServerActivation>),
    /// The client has been told why; the next step is the error.
    Farewell(ConnectorError),
    Failed(ConnectorError, Phase),
}

impl ServerAcceptor {
    /// A server that has heard nothing yet.
    pub fn new(config: impl Into<Arc<AcceptorConfig>>) -> Self {
        Self {
            facts: Facts::new(config.into()),
            state: ServerState::WaitRequest(WaitRequest),
        }
    }

    /// What the server offers and allows.
    pub fn config(&self) -> &Arc<AcceptorConfig> {
        &self.facts.config
    }

    /// Who the client is and what was agreed upon; [`Misuse`](crate::ConnectorErrorKind::Misuse) while the sequence is
    /// not at its end, and the sequence's own error if it failed.
    pub fn into_result(self) -> ConnectorResult<AcceptResult> {
        match self.state {
            ServerState::Accepted(activation) => AcceptResult::new(self.facts, *activation),
            ServerState::Failed(error, _) => Err(error),
            _ => Err(ConnectorError::misuse(
                "the connection sequence is not at its end",
            )),
        }
    }

    /// Who has logged in by network level authentication; look at it when the acceptor asks to
    /// [`Authorize`](Request::Authorize), since the client information is only what the client says.
    pub fn logon(&self) -> Option<&Logon> {
        self.facts.logon.as_ref()
    }

    fn dispatch(
        &mut self,
        state: ServerState,
        input: StepInput<'_>,
        out: &mut WriteBuf,
    ) -> ConnectorResult<ServerState> {
        let facts = &mut self.facts;
        match state {
            ServerState::WaitRequest(state) => state.handle(facts, input.bytes, out),
            #[cfg(feature = "nla")]
            ServerState::Authenticate(state) => match state.step(input.bytes, out)?.into_end() {
                Ok(Ok(client)) => {
                    facts.logon = Some(client.logon);
                    facts.is_denied = !client.is_admitted;
                    Ok(ServerState::WaitConnectInitial(WaitConnectInitial))
                }
                Ok(Err(error)) => Ok(ServerState::Farewell(error.in_phase(Phase::Authenticate))),
                Err(state) => Ok(ServerState::Authenticate(state)),
            },
            ServerState::WaitConnectInitial(state) => state.handle(facts, input.bytes, out),
            ServerState::WaitErectDomain(state) => state.handle(input.bytes),
            ServerState::WaitAttachUser(state) => state.handle(facts, input.bytes, out),
            ServerState::WaitClientInfo(state) => state.handle(facts, input, out),
            ServerState::DetectNetwork(state) => state.handle(facts, input, out),
            ServerState::SendDenial(state) => state.send(facts, out),
            ServerState::SendLicense(state) => state.send(facts, out),
            ServerState::WaitLicense(state) => state.handle(facts, input, out),
            ServerState::Activate(mut activation) => {
                let _ = activation.step_input(input, out)?;
                Ok(if activation.state().is_terminal() {
                    ServerState::Accepted(activation)
                } else {
                    ServerState::Activate(activation)
                })
            }
            ServerState::Upgrade(_) | ServerState::Authorize(_) => {
                Err(ConnectorError::misuse("a step while an answer is waited for"))
            }
            ServerState::Accepted(_) => Err(ConnectorError::misuse("a step after the end of the sequence")),
            ServerState::Farewell(error) | ServerState::Failed(error, _) => Err(error),
        }
    }
}

impl Sequence for ServerAcceptor {
    fn next_pdu_hint(&self) -> Option<&dyn PduHint> {
        match &self.state {
            ServerState::WaitRequest(_)
            | ServerState::WaitConnectInitial(_)
            | ServerState::WaitErectDomain(_)
            | ServerState::WaitAttachUser(_)
            | ServerState::WaitClientInfo(_)
            | ServerState::DetectNetwork(_)
            | ServerState::WaitLicense(_) => Some(&X224_HINT),
            #[cfg(feature = "nla")]
            ServerState::Authenticate(state) => state.next_pdu_hint(),
            ServerState::Activate(activation) => activation.next_pdu_hint(),
            ServerState::Upgrade(_)
            | ServerState::Authorize(_)
            | ServerState::SendDenial(_)
            | ServerState::SendLicense(_)
            | ServerState::Accepted(_)
            | ServerState::Farewell(_)
            | ServerState::Failed(..) => None,
        }
    }

    fn state(&self) -> &dyn State {
        &self.state
    }

    fn step_input(&mut self, input: StepInput<'_>, output: &mut WriteBuf) -> ConnectorResult<Written> {
        let machine = Machine {
            state: |it: &mut Self| &mut it.state,
            failed: ServerState::Failed,
            dispatch: Self::dispatch,
        };
        machine.step(self, input, output)
    }

    fn request(&self) -> Option<Request<'_>> {
        match &self.state {
            ServerState::Upgrade(_) => Some(Request::UpgradeToTls),
            #[cfg(feature = "nla")]
            ServerState::Authenticate(state) => state.request(),
            ServerState::Authorize(state) => Some(Request::Authorize(&state.info)),
            ServerState::SendLicense(state) => state.request(&self.facts),
            _ => None,
        }
    }

    fn answer(&mut self, reply: Reply) -> ConnectorResult<()> {
        let placeholder = ServerState::WaitRequest(WaitRequest);
        match (core::mem::replace(&mut self.state, placeholder), reply) {
            (ServerState::Upgrade(state), Reply::Upgraded) => {
                self.state = state.next(&self.facts);
                Ok(())
            }
            #[cfg(feature = "nla")]
            (ServerState::Authenticate(state), reply) => {
                let (state, result) = state.answer(reply);
                self.state = ServerState::Authenticate(Box::new(state));
                result
            }
            (ServerState::Authorize(state), Reply::Authorized(may)) => {
                self.state = state.decided(&mut self.facts, may);
                Ok(())
            }
            (ServerState::SendLicense(mut state), Reply::Random(bytes)) => {
                let result = state.answer_random(&bytes);
                self.state = ServerState::SendLicense(state);
                result
            }
            (state, _) => {
                let error = match &state {
                    ServerState::Failed(error, _) => error.clone(),
                    _ => ConnectorError::misuse("an answer to a question that was not asked"),
                };
                self.state = state;
                Err(error)
            }
        }
    }

    fn phase(&self) -> Phase {
        match &self.state {
            ServerState::WaitRequest(_) => Phase::Negotiate,
            ServerState::Upgrade(_) => Phase::Tls,
            #[cfg(feature = "nla")]
            ServerState::Authenticate(_) => Phase::Authenticate,
            ServerState::Farewell(error) => error.phase().unwrap_or(Phase::Activate),
            ServerState::Failed(_, phase) => *phase,
            _ => Phase::Activate,
        }
    }

    fn limits(&self) -> &Limits {
        &self.facts.config.limits
    }

    fn next_pdu_limit(&self) -> Limit {
        match &self.state {
            #[cfg(feature = "nla")]
            ServerState::Authenticate(_) => Limit::Credssp,
            _ => Limit::Frame,
        }
    }
}

impl State for ServerState {
    fn name(&self) -> &'static str {
        match self {
            Self::WaitRequest(_) => "WaitRequest",
            Self::Upgrade(_) => "Upgrade",
            #[cfg(feature = "nla")]
            Self::Authenticate(_) => "Authenticate",
            Self::WaitConnectInitial(_) => "WaitConnectInitial",
            Self::WaitErectDomain(_) => "WaitErectDomain",
            Self::WaitAttachUser(_) => "WaitAttachUser",
            Self::WaitClientInfo(_) => "WaitClientInfo",
            Self::DetectNetwork(_) => "DetectNetwork",
            Self::Authorize(_) => "Authorize",
            Self::SendDenial(_) => "SendDenial",
            Self::SendLicense(_) => "SendLicense",
            Self::WaitLicense(_) => "WaitLicense",
            Self::Activate(activation) => activation.state().name(),
            Self::Accepted(_) => "Accepted",
            Self::Farewell(_) => "Farewell",
            Self::Failed(..) => "Failed",
        }
    }

    fn is_terminal(&self) -> bool {
        matches!(self, Self::Accepted(_))
    }
}
