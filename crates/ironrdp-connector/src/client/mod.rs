//! The client's end of the connection sequence (MS-RDPBCGR 1.3.1.1).

mod auto_reconnect;
mod conference;
mod negotiation;
mod secure_settings;

use std::io;
use std::sync::Arc;

use ironrdp_core::{Limit, Limits, WriteBuf};
use ironrdp_pdu::{PduHint, X224_HINT};

use self::conference::{
    SendConnectInitial, WaitAttachUserConfirm, WaitChannelJoinConfirms, WaitConnectResponse,
};
use self::negotiation::{SendRequest, Upgrade, WaitConfirm};
use self::secure_settings::{SendClientInfo, WaitLicense};
use crate::activation::Activation;
#[cfg(feature = "nla")]
use crate::credssp::Authenticate;
use crate::result::{ConnectionResult, Facts};
use crate::stepping::Machine;
use crate::{
    Config, ConnectorError, ConnectorResult, Phase, Reply, Request, Sequence, State, StepInput, Written,
};

/// The client's end of a connection, from the first byte to the running session.
///
/// Run it with [`Driver`](crate::Driver) or one of the shells; when its state is terminal, [`into_result`](Self::into_result)
/// says what was agreed upon. It costs no more than the facts learned so far; the configuration is shared.
#[derive(Debug)]
pub struct ClientConnector {
    facts: Facts,
    state: ClientState,
}

/// Where a client stands; one struct a message, each with what only it needs.
#[derive(Debug)]
enum ClientState {
    SendRequest(SendRequest),
    WaitConfirm(WaitConfirm),
    Upgrade(Upgrade),
    #[cfg(feature = "nla")]
    Authenticate(Box<Authenticate>),
    SendConnectInitial(SendConnectInitial),
    WaitConnectResponse(WaitConnectResponse),
    WaitAttachUserConfirm(WaitAttachUserConfirm),
    WaitChannelJoinConfirms(WaitChannelJoinConfirms),
    SendClientInfo(SendClientInfo),
    WaitLicense(Box<WaitLicense>),
    Activate(Box<Activation>),
    Connected(Box<Activation>),
    Failed(ConnectorError, Phase),
}

impl ClientConnector {
    /// A client that will ask for what `config` says.
    pub fn new(config: impl Into<Arc<Config>>) -> Self {
        Self {
            facts: Facts::new(config.into()),
            state: ClientState::SendRequest(SendRequest),
        }
    }

    /// What the client asks for.
    pub fn config(&self) -> &Arc<Config> {
        &self.facts.config
    }

    /// Whether the sequence waits for the stream to become a TLS stream.
    pub fn should_upgrade(&self) -> bool {
        matches!(self.state, ClientState::Upgrade(_))
    }

    /// What was agreed upon; [`Misuse`](crate::ConnectorErrorKind::Misuse) while the sequence is not at its end, and the
    /// sequence's own error if it failed.
    pub fn into_result(self) -> ConnectorResult<ConnectionResult> {
        match self.state {
            ClientState::Connected(activation) => ConnectionResult::new(self.facts, *activation),
            ClientState::Failed(error, _) => Err(error),
            _ => Err(ConnectorError::misuse(
                "the connection sequence is not at its end",
            )),
        }
    }

    fn dispatch(
        &mut self,
        state: ClientState,
        input: StepInput<'_>,
        out: &mut WriteBuf,
    ) -> ConnectorResult<ClientState> {
        let facts = &mut self.facts;
        match state {
            ClientState::SendRequest(state) => state.send(facts, out),
            ClientState::WaitConfirm(state) => state.handle(facts, input.bytes),
            ClientState::Upgrade(_) => Err(ConnectorError::misuse("a step while an answer is waited for")),
            #[cfg(feature = "nla")]
            ClientState::Authenticate(state) => {
                let state = state.step(input.bytes, out)?;
                Ok(if state.is_done() {
                    ClientState::SendConnectInitial(SendConnectInitial)
                } else {
                    ClientState::Authenticate(Box::new(state))
                })
            }
            ClientState::SendConnectInitial(state) => state.send(facts, out),
            ClientState::WaitConnectResponse(state) => state.handle(facts, input.bytes, out),
            ClientState::WaitAttachUserConfirm(state) => state.handle(facts, input.bytes, out),
            ClientState::WaitChannelJoinConfirms(state) => state.handle(facts, input.bytes),
            ClientState::SendClientInfo(state) => Ok(ClientState::WaitLicense(state.send(facts, out)?)),
            ClientState::WaitLicense(state) => state.handle(facts, input, out),
            ClientState::Activate(mut activation) => {
                let _ = activation.step_input(input, out)?;
                Ok(if activation.state().is_terminal() {
                    ClientState::Connected(activation)
                } else {
                    ClientState::Activate(activation)
                })
            }
            ClientState::Connected(_) => Err(ConnectorError::misuse("a step after the end of the sequence")),
            ClientState::Failed(error, _) => Err(error),
        }
    }
}

impl Sequence for ClientConnector {
    fn next_pdu_hint(&self) -> Option<&dyn PduHint> {
        match &self.state {
            ClientState::WaitConfirm(_)
            | ClientState::WaitConnectResponse(_)
            | ClientState::WaitAttachUserConfirm(_)
            | ClientState::WaitChannelJoinConfirms(_) => Some(&X224_HINT),
            #[cfg(feature = "nla")]
            ClientState::Authenticate(state) => state.next_pdu_hint(),
            ClientState::WaitLicense(state) if state.needs_input() => Some(&X224_HINT),
            ClientState::Activate(activation) => activation.next_pdu_hint(),
            ClientState::SendRequest(_)
            | ClientState::Upgrade(_)
            | ClientState::SendConnectInitial(_)
            | ClientState::SendClientInfo(_)
            | ClientState::WaitLicense(_)
            | ClientState::Connected(_)
            | ClientState::Failed(..) => None,
        }
    }

    fn state(&self) -> &dyn State {
        &self.state
    }

    fn step_input(&mut self, input: StepInput<'_>, output: &mut WriteBuf) -> ConnectorResult<Written> {
        let machine = Machine {
            state: |it: &mut Self| &mut it.state,
            failed: ClientState::Failed,
            dispatch: Self::dispatch,
        };
        machine.step(self, input, output)
    }

    fn request(&self) -> Option<Request<'_>> {
        match &self.state {
            ClientState::Upgrade(_) => Some(Request::UpgradeToTls),
            #[cfg(feature = "nla")]
            ClientState::Authenticate(state) => state.request(),
            ClientState::WaitLicense(state) => state.request(),
            _ => None,
        }
    }

    fn answer(&mut self, reply: Reply) -> ConnectorResult<()> {
        match (&mut self.state, reply) {
            (ClientState::Upgrade(state), Reply::Upgraded) => {
                self.state = state.next(&self.facts);
                Ok(())
            }
            #[cfg(feature = "nla")]
            (ClientState::Authenticate(state), reply) => state.answer(&self.facts.config, reply),
            (ClientState::WaitLicense(state), Reply::Random(bytes)) => state.answer_random(&bytes),
            (ClientState::Failed(error, _), _) => Err(error.clone()),
            _ => Err(ConnectorError::misuse(
                "an answer to a question that was not asked",
            )),
        }
    }

    fn stream_ended(&self, error: io::Error) -> ConnectorError {
        let error = match &self.state {
            #[cfg(feature = "nla")]
            ClientState::Authenticate(state) => state.stream_ended(error),
            _ => ConnectorError::io("reading from the peer", error),
        };
        error.in_phase(self.phase())
    }

    fn phase(&self) -> Phase {
        match &self.state {
            ClientState::SendRequest(_) | ClientState::WaitConfirm(_) => Phase::Negotiate,
            ClientState::Upgrade(_) => Phase::Tls,
            #[cfg(feature = "nla")]
            ClientState::Authenticate(_) => Phase::Authenticate,
            ClientState::Failed(_, phase) => *phase,
            _ => Phase::Activate,
        }
    }

    fn limits(&self) -> &Limits {
        &self.facts.config.limits
    }

    fn next_pdu_limit(&self) -> Limit {
        match &self.state {
            #[cfg(feature = "nla")]
            ClientState::Authenticate(_) => Limit::Credssp,
            _ => Limit::Frame,
        }
    }
}

impl State for ClientState {
    fn name(&self) -> &'static str {
        match self {
            Self::SendRequest(_) => "SendRequest",
            Self::WaitConfirm(_) => "WaitConfirm",
            Self::Upgrade(_) => "Upgrade",
            #[cfg(feature = "nla")]
            Self::Authenticate(_) => "Authenticate",
            Self::SendConnectInitial(_) => "SendConnectInitial",
            Self::WaitConnectResponse(_) => "WaitConnectResponse",
            Self::WaitAttachUserConfirm(_) => "WaitAttachUserConfirm",
            Self::WaitChannelJoinConfirms(_) => "WaitChannelJoinConfirms",
            Self::SendClientInfo(_) => "SendClientInfo",
            Self::WaitLicense(_) => "WaitLicense",
            Self::Activate(activation) => activation.state().name(),
            Self::Connected(_) => "Connected",
            Self::Failed(..) => "Failed",
        }
    }

    fn is_terminal(&self) -> bool {
        matches!(self, Self::Connected(_))
    }
}
