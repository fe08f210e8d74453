//! The contract between a connection sequence and whoever moves its bytes.

use core::fmt;
use std::io;

use ironrdp_core::{Limit, Limits, MonotonicInstant, WriteBuf};
use ironrdp_pdu::PduHint;

use crate::{ConnectorError, ConnectorResult, Logon, LogonName, NetworkRequest, ServerIdentity, UserSecret};

/// One end of a connection sequence as a state machine without I/O.
///
/// The order of calls: while [`request`](Self::request) gives something, do it and [`answer`](Self::answer); else, while
/// [`next_pdu_hint`](Self::next_pdu_hint) gives a hint, collect one whole PDU and [`step`](Self::step) with it; else
/// [`step_no_input`](Self::step_no_input), until the [`state`](Self::state) is terminal. [`Driver`](crate::Driver) does
/// exactly that. After an error every further call returns the same error.
pub trait Sequence: Send {
    /// What the next PDU looks like; `None` when the next step takes no input.
    fn next_pdu_hint(&self) -> Option<&dyn PduHint>;

    /// Where the sequence stands.
    fn state(&self) -> &dyn State;

    /// Takes one whole PDU (or nothing) with its time of arrival and appends what is to be sent to `output`.
    fn step_input(&mut self, input: StepInput<'_>, output: &mut WriteBuf) -> ConnectorResult<Written>;

    /// [`step_input`](Self::step_input) for callers who do not measure time; bandwidth answers are then 0.
    fn step(&mut self, input: &[u8], output: &mut WriteBuf) -> ConnectorResult<Written> {
        self.step_input(
            StepInput {
                bytes: input,
                received_at: MonotonicInstant::ORIGIN,
            },
            output,
        )
    }

    /// [`step_input`](Self::step_input) without a PDU.
    fn step_no_input(&mut self, output: &mut WriteBuf) -> ConnectorResult<Written> {
        self.step(&[], output)
    }

    /// What the sequence needs from outside the byte stream before it can go on.
    ///
    /// Stays the same until it is answered, so a caller that was interrupted simply asks again.
    fn request(&self) -> Option<Request<'_>> {
        None
    }

    /// Gives what [`request`](Self::request) asked for; a reply of another kind is [`Misuse`](crate::ConnectorErrorKind::Misuse).
    fn answer(&mut self, reply: Reply) -> ConnectorResult<()> {
        let _ = reply;
        Err(ConnectorError::misuse(
            "an answer to a question that was not asked",
        ))
    }

    /// What it means that the peer ended the stream now, as `error` says, where a PDU is waited for.
    ///
    /// Some servers say "wrong password" in no other way.
    fn stream_ended(&self, error: io::Error) -> ConnectorError {
        ConnectorError::io("reading from the peer", error).in_phase(self.phase())
    }

    /// The phase of the connection, for deadlines and errors.
    fn phase(&self) -> Phase;

    /// What the connection may cost. They rule the stream that the sequence is driven over, too.
    fn limits(&self) -> &Limits;

    /// Which of the [`limits`](Self::limits) bounds the PDU of [`next_pdu_hint`](Self::next_pdu_hint).
    fn next_pdu_limit(&self) -> Limit {
        Limit::Frame
    }
}

impl<S: Sequence + ?Sized> Sequence for &mut S {
    fn next_pdu_hint(&self) -> Option<&dyn PduHint> {
        (**self).next_pdu_hint()
    }

    fn state(&self) -> &dyn State {
        (**self).state()
    }

    fn step_input(&mut self, input: StepInput<'_>, output: &mut WriteBuf) -> ConnectorResult<Written> {
        (**self).step_input(input, output)
    }

    fn request(&self) -> Option<Request<'_>> {
        (**self).request()
    }

    fn answer(&mut self, reply: Reply) -> ConnectorResult<()> {
        (**self).answer(reply)
    }

    fn stream_ended(&self, error: io::Error) -> ConnectorError {
        (**self).stream_ended(error)
    }

    fn phase(&self) -> Phase {
        (**self).phase()
    }

    fn limits(&self) -> &Limits {
        (**self).limits()
    }

    fn next_pdu_limit(&self) -> Limit {
        (**self).next_pdu_limit()
    }
}

/// Where a sequence stands.
pub trait State: Send + fmt::Debug {
    /// The state's name, verb and message: `WaitConnectResponse`.
    fn name(&self) -> &'static str;

    /// Whether the sequence has reached its end.
    fn is_terminal(&self) -> bool;
}

/// One whole PDU as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct StepInput<'a> {
    /// The PDU with its framing header; empty when the step takes no input.
    pub bytes: &'a [u8],
    /// When its last byte arrived; connect-time bandwidth measurement counts with it.
    pub received_at: MonotonicInstant,
}

/// How much a step appended to the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// Nothing is to be sent.
    Nothing,
    /// This many bytes are to be sent.
    Size(core::num::NonZeroUsize),
}

impl Written {
    /// `Nothing` for zero.
    pub fn from_size(size: usize) -> Self {
        core::num::NonZeroUsize::new(size).map_or(Self::Nothing, Self::Size)
    }

    /// Bytes to be sent.
    pub fn size(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Size(size) => size.get(),
        }
    }
}

/// The phases of a connection; each has a deadline of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Opening the TCP connection.
    Dial,
    /// Agreeing on a security protocol (X.224).
    Negotiate,
    /// The TLS handshake.
    Tls,
    /// CredSSP.
    Authenticate,
    /// Everything from the MCS conference to the first picture: channels, client info, licence, capabilities.
    Activate,
}

impl Phase {
    /// The phase's name in lower case, as errors and `--json` give it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dial => "dial",
            Self::Negotiate => "negotiate",
            Self::Tls => "tls",
            Self::Authenticate => "authenticate",
            Self::Activate => "activate",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a sequence needs from outside the byte stream.
#[derive(Debug)]
#[non_exhaustive]
pub enum Request<'a> {
    /// Everything sent so far must be flushed, then the stream becomes a TLS stream. Answer: [`Reply::Upgraded`].
    ///
    /// Bytes that are already buffered at this point did not come through TLS and must be treated as an error.
    UpgradeToTls,
    /// Who the server is, for CredSSP; asked by both sides, each about the same server. Answer: [`Reply::ServerIdentity`].
    ServerIdentity,
    /// A message for a Kerberos KDC. Answer: [`Reply::Network`]. May be sent again after an interruption.
    Network(&'a NetworkRequest),
    /// What is known about the password of a user who logs in (server side). Answer: [`Reply::UserSecret`].
    UserSecret(&'a LogonName),
    /// This many bytes from a cryptographic random source. Answer: [`Reply::Random`].
    Random(usize),
    /// Whether this user, who has proved to be it by network level authentication, may have a session (server side). Most
    /// clients then wait for the answer and are told at once, the others before they would have a session. Answer:
    /// [`Reply::Authorized`]; if it is yes, [`Authorize`](Self::Authorize) is asked later all the same.
    AuthorizeLogon(&'a Logon),
    /// Whether a client with these credentials may have a session (server side). Answer: [`Reply::Authorized`].
    Authorize(&'a ironrdp_pdu::client_info::ClientInfo),
}

/// The answer to a [`Request`].
#[non_exhaustive]
pub enum Reply {
    /// The stream is a TLS stream now.
    Upgraded,
    /// Who the server is.
    ServerIdentity(ServerIdentity),
    /// What the KDC answered.
    Network(Vec<u8>),
    /// What is known about the user's password; `None` if there is no such user.
    UserSecret(Option<UserSecret>),
    /// Random bytes, as many as were asked for.
    Random(Vec<u8>),
    /// Whether the client may have a session.
    Authorized(bool),
}

impl fmt::Debug for Reply {
    // Random bytes and KDC answers feed keys: only the kind is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upgraded => "Upgraded",
            Self::ServerIdentity(_) => "ServerIdentity",
            Self::Network(_) => "Network",
            Self::UserSecret(_) => "UserSecret",
            Self::Random(_) => "Random",
            Self::Authorized(_) => "Authorized",
        })
    }
}
