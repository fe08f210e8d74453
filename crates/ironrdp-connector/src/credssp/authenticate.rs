//! The part of the client's connection sequence between TLS and the conference.

use std::io;

use ironrdp_core::{DecodeResult, ReadCursor, WriteBuf};
use ironrdp_pdu::client_info::Secret;
use ironrdp_pdu::{BerSequenceHint, PduHint};

use super::client::log_in;
use super::exchange::{Answer, Exchange, Question, Wait};
use super::ts_credentials::TsCredentials;
use super::{Login, Mechanism, TsRequest};
use crate::{
    AuthFailure, Config, ConnectorError, ConnectorErrorKind, ConnectorResult, KerberosConfig, NetworkRequest,
    Reply, Request, ServerIdentity,
};

/// Logs in by CredSSP, and waits for the server's word on it if that was negotiated (`PROTOCOL_HYBRID_EX`).
#[derive(Debug)]
pub(crate) struct Authenticate {
    early_result: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Needs to know who the server is.
    NeedIdentity,
    /// Needs the nonce for the proof of the certificate.
    NeedNonce(ServerIdentity),
    /// Everything is there to say the next message; with the KDC's answer, if it waited for that.
    Ready(Exchange<()>, Option<Answer>),
    /// Waiting for the server's message.
    WaitMessage(Exchange<()>),
    /// Waiting for a KDC.
    NeedNetwork(Exchange<()>, NetworkRequest),
    /// The credentials are sent; waiting for the server's word on them.
    WaitResult,
    Done,
}

impl Authenticate {
    pub(crate) const fn new(early_result: bool) -> Self {
        Self {
            early_result,
            stage: Stage::NeedIdentity,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    pub(crate) fn next_pdu_hint(&self) -> Option<&dyn PduHint> {
        match self.stage {
            Stage::WaitMessage(_) => Some(&MESSAGE_HINT),
            Stage::WaitResult => Some(&RESULT_HINT),
            _ => None,
        }
    }

    pub(crate) fn request(&self) -> Option<Request<'_>> {
        match &self.stage {
            Stage::NeedIdentity => Some(Request::ServerIdentity),
            Stage::NeedNonce(_) => Some(Request::Random(TsRequest::NONCE_SIZE)),
            Stage::NeedNetwork(_, request) => Some(Request::Network(request)),
            _ => None,
        }
    }

    pub(crate) fn answer(&mut self, config: &Config, reply: Reply) -> ConnectorResult<()> {
        let stage = core::mem::replace(&mut self.stage, Stage::Done);
        let (stage, result) = match (stage, reply) {
            (Stage::NeedIdentity, Reply::ServerIdentity(identity)) => (Stage::NeedNonce(identity), Ok(())),
            (Stage::NeedNonce(identity), Reply::Random(bytes)) => {
                match <[u8; TsRequest::NONCE_SIZE]>::try_from(bytes) {
                    Ok(nonce) => {
                        let login = Login::new(config, identity, nonce);
                        (
                            Stage::Ready(Exchange::new(|port| log_in(port, login)), None),
                            Ok(()),
                        )
                    }
                    Err(_) => (
                        Stage::NeedNonce(identity),
                        Err(ConnectorError::misuse(
                            "not as many random bytes as were asked for",
                        )),
                    ),
                }
            }
            (Stage::NeedNetwork(exchange, _), Reply::Network(answer)) => {
                (Stage::Ready(exchange, Some(Answer::Network(answer))), Ok(()))
            }
            (stage, _) => (
                stage,
                Err(ConnectorError::misuse(
                    "an answer to a question that was not asked",
                )),
            ),
        };
        self.stage = stage;
        result
    }

    /// What it means that the server ended the stream now.
    pub(crate) fn stream_ended(&self, error: io::Error) -> ConnectorError {
        let knows_us = match &self.stage {
            Stage::WaitMessage(exchange) => exchange.has_begun(),
            Stage::WaitResult => true,
            _ => false,
        };
        if knows_us {
            ConnectorError::with_source(
                ConnectorErrorKind::Auth(AuthFailure::Unexplained),
                "the server ended the connection during the login",
                error,
            )
        } else {
            ConnectorError::io("reading from the peer", error)
        }
    }

    pub(crate) fn step(mut self, input: &[u8], out: &mut WriteBuf) -> ConnectorResult<Self> {
        let (wait, exchange) = match self.stage {
            Stage::Ready(mut exchange, None) => (exchange.run(out)?, exchange),
            Stage::Ready(mut exchange, Some(answer)) => (exchange.answer(answer, out)?, exchange),
            Stage::WaitMessage(exchange) if input == [TPKT] && exchange.has_begun() => {
                return Err(ConnectorError::new(
                    ConnectorErrorKind::Auth(AuthFailure::Unexplained),
                    "the server ended the login",
                ));
            }
            Stage::WaitMessage(mut exchange) => (exchange.receive(input, out)?, exchange),
            Stage::WaitResult => {
                check_result(input)?;
                self.stage = Stage::Done;
                return Ok(self);
            }
            Stage::NeedIdentity | Stage::NeedNonce(_) | Stage::NeedNetwork(..) | Stage::Done => {
                return Err(ConnectorError::misuse("a step while a question is open"));
            }
        };
        self.stage = match wait {
            Wait::Message => Stage::WaitMessage(exchange),
            Wait::Answer(Question::Network(request)) => Stage::NeedNetwork(exchange, request),
            Wait::Answer(Question::Secret(_)) => {
                return Err(ConnectorError::misuse("a client that asks for its own password"));
            }
            Wait::Done(()) if self.early_result => Stage::WaitResult,
            Wait::Done(()) => Stage::Done,
        };
        Ok(self)
    }
}

impl Login {
    fn new(config: &Config, identity: ServerIdentity, nonce: [u8; TsRequest::NONCE_SIZE]) -> Self {
        let credentials = &config.credentials;
        // The server needs a domain to log the user on with the password that it is handed.
        let realm = identity.kerberos.as_ref().and_then(KerberosConfig::realm);
        let domain = match credentials.domain() {
            None if !credentials.username().contains('@') => realm,
            domain => domain,
        };
        Self {
            credentials: TsCredentials {
                domain: domain.unwrap_or_default().to_owned(),
                user: credentials.username().to_owned(),
                password: Secret::from(credentials.password().expose().as_str()),
            },
            server: identity.name,
            public_key: identity.public_key,
            nonce,
            mechanism: match identity.kerberos {
                Some(kerberos) => Mechanism::Kerberos(kerberos),
                None if config.ntlm_in_spnego => Mechanism::NtlmInSpnego,
                None => Mechanism::Ntlm,
            },
            client_name: config.client_name.clone(),
            restricted_admin: config.restricted_admin,
            allow_old: config.old_credssp_allowed,
        }
    }
}

const MESSAGE_HINT: MessageHint = MessageHint;
const RESULT_HINT: ResultHint = ResultHint;

/// Waits for a `TSRequest`, which is refused at the first byte that cannot be in one.
///
/// But for the first byte of a TPKT packet: FreeRDP 2 answers a wrong password with a Disconnect Provider Ultimatum, as if
/// the session ran already. The byte alone says all there is to know.
#[derive(Debug)]
struct MessageHint;

const TPKT: u8 = 3;

impl PduHint for MessageHint {
    fn find_size(&self, bytes: &[u8]) -> DecodeResult<Option<(bool, usize)>> {
        match bytes.first() {
            Some(&TPKT) => Ok(Some((true, 1))),
            // The limit is the sequence's: see `Sequence::next_pdu_limit`.
            _ => BerSequenceHint::with_max_size(usize::MAX).find_size(bytes),
        }
    }
}

/// Waits for the Early User Authorization Result (MS-RDPBCGR 2.2.10.2), four bytes without framing, or for a `TSRequest`
/// with an error code in its place.
#[derive(Debug)]
struct ResultHint;

const RESULT_SIZE: usize = 4;

impl PduHint for ResultHint {
    fn find_size(&self, bytes: &[u8]) -> DecodeResult<Option<(bool, usize)>> {
        match bytes.first() {
            None => Ok(None),
            Some(0x30) => MESSAGE_HINT.find_size(bytes),
            Some(_) => Ok(Some((true, RESULT_SIZE))),
        }
    }
}

fn check_result(input: &[u8]) -> ConnectorResult<()> {
    const SUCCESS: u32 = 0;
    const ACCESS_DENIED: u32 = 5;
    if input.len() != RESULT_SIZE {
        super::client::read(input, &mut None)?;
        return Err(ConnectorError::unexpected(
            "an authentication message after the login",
        ));
    }
    match ReadCursor::new(input).u32_le("authorizationResult")? {
        SUCCESS => Ok(()),
        ACCESS_DENIED => Err(ConnectorError::new(
            ConnectorErrorKind::Auth(AuthFailure::AccessDenied),
            "the server's word on the login",
        )),
        _ => Err(ConnectorError::unexpected(
            "a result of the login that the specification does not have",
        )),
    }
}
