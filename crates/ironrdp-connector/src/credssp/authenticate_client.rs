//! The part of the server's connection sequence between TLS and the conference.

use std::error::Error as _;

use ironrdp_core::WriteBuf;
use ironrdp_pdu::{BerSequenceHint, PduHint};

use super::Keytab;
use super::exchange::{Answer, Exchange, Question, Wait};
use super::server::{Host, accept};
use crate::{ConnectorError, ConnectorResult, Logon, LogonName, NetworkRequest, Reply, Request};

/// Lets a client log in by CredSSP, and gives its word on it if that was negotiated (`PROTOCOL_HYBRID_EX`).
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
    Done(Box<Logon>),
    /// The client has been told.
    Failed(ConnectorError),
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
    pub(crate) fn into_end(self) -> Result<ConnectorResult<Logon>, Box<Self>> {
        match self.stage {
            Stage::Done(logon) => Ok(Ok(*logon)),
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
        const SUCCESS: u32 = 0;
        let (wait, exchange) = match self.stage {
            Stage::WaitMessage(mut exchange) => (exchange.receive(input, out), exchange),
            Stage::Ready(mut exchange, answer) => (exchange.answer(answer, out), exchange),
            _ => return Err(ConnectorError::misuse("a step while an answer is waited for")),
        };
        self.stage = match wait {
            Ok(Wait::Message) => Stage::WaitMessage(exchange),
            Ok(Wait::Answer(Question::Secret(name))) => Stage::NeedSecret(exchange, name),
            Ok(Wait::Answer(Question::Network(request))) => Stage::NeedNetwork(exchange, request),
            Ok(Wait::Done(logon)) => {
                if self.early_result {
                    out.extend_from_slice(&SUCCESS.to_le_bytes());
                }
                tracing::debug!(user = logon.name.user, domain = logon.name.domain, method = ?logon.method, "logged in");
                Stage::Done(Box::new(logon))
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
