//! The part of the server's connection sequence between TLS and the conference.

use std::error::Error as _;

use ironrdp_core::WriteBuf;
use ironrdp_pdu::{BerSequenceHint, PduHint};

use super::Keytab;
use super::exchange::{Answer, Exchange, Question, Wait};
use super::server::{Host, accept};
use crate::{
    AuthFailure, ConnectorError, ConnectorErrorKind, ConnectorResult, Logon, LogonName, NetworkRequest,
    Reply, Request,
};

/// Lets a client log in by CredSSP, asks whether its user may have a session, and tells the client at once if that was
/// negotiated (`PROTOCOL_HYBRID_EX`).
#[derive(Debug)]
pub(crate) struct AuthenticateClient {
    early_result: bool,
    allow_old: bool,
    keytab: Option<Keytab>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Needs to know which certificate TLS presented.
    NeedIdentity,
    WaitMessage(Exchange<Logon>),
    NeedSecret(Exchange<Logon>, LogonName),
    NeedNetwork(Exchange<Logon>, NetworkRequest),
    /// The answer has come.
    Ready(Exchange<Logon>, Answer),
    /// The user is known; somebody outside has to decide about it.
    NeedDecision(Box<Logon>),
    /// Whether the user may have a session.
    Decided(Box<Logon>, bool),
    Done(Box<ProvedClient>),
    /// The client has been told.
    Failed(ConnectorError),
}

/// A client that has proved who its user is.
#[derive(Debug)]
pub(crate) struct ProvedClient {
    pub(crate) logon: Logon,
    /// Whether the user may have a session; if not, the client has not been told yet.
    pub(crate) is_admitted: bool,
}

impl AuthenticateClient {
    pub(crate) const fn new(early_result: bool, keytab: Option<Keytab>, allow_old: bool) -> Self {
        Self {
            early_result,
            allow_old,
            keytab,
            stage: Stage::NeedIdentity,
        }
    }

    /// How it ended, once it has; [`step`](Self::step) must not be called any more then.
    pub(crate) fn into_end(self) -> Result<ConnectorResult<ProvedClient>, Box<Self>> {
        match self.stage {
            Stage::Done(client) => Ok(Ok(*client)),
            Stage::Failed(error) => Ok(Err(error)),
            stage => Err(Box::new(Self { stage, ..self })),
        }
    }

    pub(crate) fn next_pdu_hint(&self) -> Option<&dyn PduHint> {
        // The limit is the sequence's: see `Sequence::next_pdu_limit`.
        const HINT: BerSequenceHint = BerSequenceHint::with_max_size(usize::MAX);
        matches!(self.stage, Stage::WaitMessage(_)).then_some(&HINT)
    }

    pub(crate) fn request(&self) -> Option<Request<'_>> {
        match &self.stage {
            Stage::NeedIdentity => Some(Request::ServerIdentity),
            Stage::NeedSecret(_, name) => Some(Request::UserSecret(name)),
            Stage::NeedNetwork(_, request) => Some(Request::Network(request)),
            Stage::NeedDecision(logon) => Some(Request::AuthorizeLogon(logon)),
            _ => None,
        }
    }

    pub(crate) fn answer(mut self, reply: Reply) -> (Self, ConnectorResult<()>) {
        let mut result = Ok(());
        self.stage = match (self.stage, reply) {
            (Stage::NeedIdentity, Reply::ServerIdentity(identity)) => {
                let host = Host {
                    public_key: identity.public_key,
                    keytab: self.keytab.take(),
                    allow_old: self.allow_old,
                };
                Stage::WaitMessage(Exchange::new(|port| accept(port, host)))
            }
            (Stage::NeedSecret(exchange, _), Reply::UserSecret(secret)) => {
                Stage::Ready(exchange, Answer::Secret(secret))
            }
            (Stage::NeedNetwork(exchange, _), Reply::Network(answer)) => {
                Stage::Ready(exchange, Answer::Network(answer))
            }
            (Stage::NeedDecision(logon), Reply::Authorized(may)) => Stage::Decided(logon, may),
            (stage, _) => {
                result = Err(ConnectorError::misuse(
                    "an answer to a question that was not asked",
                ));
                stage
            }
        };
        (self, result)
    }

    pub(crate) fn step(mut self, input: &[u8], out: &mut WriteBuf) -> ConnectorResult<Self> {
        let (wait, exchange) = match self.stage {
            Stage::Decided(logon, may) => {
                let stage = Stage::told(*logon, may, self.early_result.then_some(out));
                return Ok(Self { stage, ..self });
            }
            Stage::WaitMessage(mut exchange) => (exchange.receive(input, out), exchange),
            Stage::Ready(mut exchange, answer) => (exchange.answer(answer, out), exchange),
            _ => return Err(ConnectorError::misuse("a step while an answer is waited for")),
        };
        self.stage = match wait {
            Ok(Wait::Message) => Stage::WaitMessage(exchange),
            Ok(Wait::Answer(Question::Secret(name))) => Stage::NeedSecret(exchange, name),
            Ok(Wait::Answer(Question::Network(request))) => Stage::NeedNetwork(exchange, request),
            Ok(Wait::Done(logon)) => {
                tracing::debug!(user = logon.name.user, domain = logon.name.domain, method = ?logon.method, "logged in");
                Stage::NeedDecision(Box::new(logon))
            }
            Err(error) => {
                let reason = error.source().map(ToString::to_string);
                tracing::debug!(%error, reason, "a login was refused");
                Stage::Failed(error)
            }
        };
        Ok(self)
    }
}

impl Stage {
    /// Sends the Early User Authorization Result (MS-RDPBCGR 2.2.10.2) to a client that waits for it. Any other is told later,
    /// where it can be told at all.
    fn told(logon: Logon, is_admitted: bool, out: Option<&mut WriteBuf>) -> Self {
        const SUCCESS: u32 = 0;
        const ACCESS_DENIED: u32 = 5;
        if let Some(out) = out {
            let result = if is_admitted { SUCCESS } else { ACCESS_DENIED };
            out.extend_from_slice(&result.to_le_bytes());
            if !is_admitted {
                let (user, domain) = (logon.name.user, logon.name.domain);
                tracing::debug!(user, domain, "the user may not have a session");
                return Self::Failed(ConnectorError::new(
                    ConnectorErrorKind::Auth(AuthFailure::AccessDenied),
                    "the user was denied a session",
                ));
            }
        }
        Self::Done(Box::new(ProvedClient { logon, is_admitted }))
    }
}
