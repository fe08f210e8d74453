//! One end of a connection: its driver and what a shell would hold around it.

use core::time::Duration;
use std::io;

use ironrdp_connector::{
    ConnectorError, ConnectorResult, Deadlines, Driver, Logon, LogonName, Need, NetworkRequest, Phase, Reply,
    Request, Sequence, ServerIdentity, UserSecret,
};
use ironrdp_core::{FrameBuf, MonotonicInstant};
use ironrdp_pdu::client_info::ClientInfo;

use super::wire::{Direction, KeyStream, Lane, Passed};
use crate::{Chunks, Rng, Transcript};

/// What each end sends in place of its TLS hello; nobody reads past the other's.
const MARKER: [u8; 6] = [0x16, 0x03, 0x03, 0x00, 0x01, 0x01];

/// Decides who may have a session.
pub(super) type Decide = Box<dyn FnMut(&ClientInfo) -> bool>;

/// Decides whether a user who has logged in may have a session.
pub(super) type Admit = Box<dyn FnMut(&Logon) -> bool>;

/// Looks up what is known about a user's password.
pub(super) type Users = Box<dyn FnMut(&LogonName) -> Option<UserSecret>>;

/// Stands in for the Kerberos KDC.
pub(super) type Kdc = Box<dyn FnMut(&NetworkRequest) -> ConnectorResult<Vec<u8>>>;

/// The public key of the server's certificate.
pub(super) const CERTIFICATE: &[u8] = b"the server's public key";

#[derive(Debug)]
pub(super) struct Side<S> {
    driver: Driver<S>,
    /// What this end is given when it asks for random bytes.
    random: Rng,
    /// All it said, before encryption.
    pub(super) said: Vec<u8>,
    rx: FrameBuf,
    out: Direction,
    tls: Tls,
    phase: Phase,
    phase_started: MonotonicInstant,
    pub(super) end: Option<Result<(), ConnectorError>>,
    pub(super) peak_buffered: usize,
}

#[derive(Debug)]
enum Tls {
    Plain,
    /// Waiting for the rest of the other end's marker.
    Shaking(Vec<u8>),
    On {
        sends: KeyStream,
        receives: KeyStream,
    },
}

/// What both ends share while they run.
pub(super) struct World {
    pub(super) now: MonotonicInstant,
    pub(super) latency: Duration,
    /// Sizes of chunks.
    pub(super) rng: Rng,
    pub(super) chunks: Chunks,
    pub(super) decide: Decide,
    pub(super) admit: Admit,
    pub(super) users: Users,
    pub(super) kdc: Kdc,
    /// The public key of the certificate that the client sees.
    pub(super) certificate_seen: Vec<u8>,
    pub(super) transcript: Transcript,
}

/// What one turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Progress,
    Blocked,
    Ended,
    /// What was sent broke the connection.
    Broke,
}

impl From<Passed> for Turn {
    fn from(passed: Passed) -> Self {
        match passed {
            Passed::Whole => Self::Progress,
            Passed::Broken => Self::Broke,
        }
    }
}

impl<S: Sequence> Side<S> {
    pub(super) fn new(sequence: S, out: Direction, random: Rng) -> Self {
        let phase = sequence.phase();
        Self {
            driver: Driver::new(sequence),
            random,
            said: Vec::new(),
            rx: FrameBuf::new(),
            out,
            tls: Tls::Plain,
            phase,
            phase_started: MonotonicInstant::ORIGIN,
            end: None,
            peak_buffered: 0,
        }
    }

    /// The sequence, if it came to its end.
    pub(super) fn into_end(self) -> ConnectorResult<S> {
        match self.end {
            Some(Err(error)) => Err(error),
            _ => Ok(self.driver.into_sequence()),
        }
    }

    /// When this end gives up waiting.
    pub(super) fn deadline(&self, deadlines: &Deadlines) -> MonotonicInstant {
        let phase = self.phase_started + deadlines.of(self.phase);
        phase.min(MonotonicInstant::ORIGIN + deadlines.overall)
    }

    pub(super) fn time_out(&mut self) {
        self.end = Some(Err(ConnectorError::timeout(self.phase)));
    }

    /// Does one thing: sends, answers, or takes a chunk of what has arrived.
    pub(super) fn turn(&mut self, outgoing: &mut Lane, incoming: &mut Lane, world: &mut World) -> Turn {
        if self.end.is_some() {
            return Turn::Ended;
        }
        match self.act(outgoing, incoming, world) {
            Ok(turn) => {
                let phase = self.driver.sequence().phase();
                if phase != self.phase {
                    self.phase = phase;
                    self.phase_started = world.now;
                }
                turn
            }
            Err(error) => {
                self.end = Some(Err(error));
                Turn::Progress
            }
        }
    }

    fn act(&mut self, outgoing: &mut Lane, incoming: &mut Lane, world: &mut World) -> ConnectorResult<Turn> {
        if let Tls::Shaking(_) = self.tls {
            return self.shake(outgoing, incoming, world);
        }
        let reply = match self.driver.poll(&mut self.rx)? {
            Need::Send(bytes) => {
                self.peak_buffered = self.peak_buffered.max(bytes.len());
                world.transcript.record(self.out, bytes);
                self.said.extend_from_slice(bytes);
                let passed = match &mut self.tls {
                    Tls::On { sends, .. } => outgoing.push(bytes.iter().map(|byte| sends.apply(*byte))),
                    _ => outgoing.push(bytes.iter().copied()),
                };
                return Ok(passed.into());
            }
            Need::Receive => return self.receive(incoming, world),
            Need::Done => {
                self.end = Some(Ok(()));
                return Ok(Turn::Progress);
            }
            Need::Ask(Request::UpgradeToTls) => {
                if !self.rx.is_empty() {
                    return Err(ConnectorError::unexpected("bytes that came before TLS"));
                }
                self.tls = Tls::Shaking(Vec::new());
                // A TLS server says nothing before it has read the client's hello.
                return Ok(match self.out {
                    Direction::ToServer => outgoing.push(MARKER).into(),
                    Direction::ToClient => Turn::Progress,
                });
            }
            Need::Ask(Request::Random(count)) => Reply::Random(self.random.bytes(count)),
            Need::Ask(Request::AuthorizeLogon(logon)) => Reply::Authorized((world.admit)(logon)),
            Need::Ask(Request::Authorize(info)) => Reply::Authorized((world.decide)(info)),
            Need::Ask(Request::ServerIdentity) => Reply::ServerIdentity(ServerIdentity {
                name: "pair".into(),
                public_key: match self.out {
                    Direction::ToServer => world.certificate_seen.clone(),
                    Direction::ToClient => CERTIFICATE.to_vec(),
                },
                kerberos: None,
            }),
            Need::Ask(Request::UserSecret(name)) => Reply::UserSecret((world.users)(name)),
            Need::Ask(Request::Network(request)) => Reply::Network((world.kdc)(request)?),
            Need::Ask(_) => return Err(ConnectorError::misuse("a question that a pair cannot answer")),
        };
        self.driver.answer(reply)?;
        Ok(Turn::Progress)
    }

    fn receive(&mut self, incoming: &mut Lane, world: &mut World) -> ConnectorResult<Turn> {
        if incoming.is_closed() {
            let end = io::ErrorKind::UnexpectedEof.into();
            return Err(self.driver.sequence().stream_ended(end));
        }
        let count = world.chunks.next(incoming.len(), &mut world.rng);
        let bytes = incoming.pull(count);
        if bytes.is_empty() {
            return Ok(Turn::Blocked);
        }
        world.now += world.latency;
        match &mut self.tls {
            Tls::On { receives, .. } => {
                let plain: Vec<u8> = bytes.iter().map(|byte| receives.apply(*byte)).collect();
                self.rx.extend_from_slice(&plain);
            }
            _ => self.rx.extend_from_slice(&bytes),
        }
        self.rx.set_received_at(world.now);
        self.peak_buffered = self.peak_buffered.max(self.rx.len());
        Ok(Turn::Progress)
    }

    fn shake(
        &mut self,
        outgoing: &mut Lane,
        incoming: &mut Lane,
        world: &mut World,
    ) -> ConnectorResult<Turn> {
        let Tls::Shaking(seen) = &mut self.tls else {
            return Ok(Turn::Progress);
        };
        let bytes = incoming.pull(MARKER.len() - seen.len());
        if bytes.is_empty() {
            if !incoming.is_closed() {
                return Ok(Turn::Blocked);
            }
            let end = io::ErrorKind::UnexpectedEof.into();
            return Err(ConnectorError::io("the TLS handshake", end).in_phase(self.phase));
        }
        world.now += world.latency;
        seen.extend(bytes);
        if !MARKER.starts_with(seen) {
            let invalid = io::ErrorKind::InvalidData.into();
            return Err(ConnectorError::io("the TLS handshake", invalid).in_phase(self.phase));
        }
        if seen.len() < MARKER.len() {
            return Ok(Turn::Progress);
        }
        self.tls = Tls::On {
            sends: KeyStream::default(),
            receives: KeyStream::default(),
        };
        self.driver.answer(Reply::Upgraded)?;
        Ok(match self.out {
            Direction::ToServer => Turn::Progress,
            Direction::ToClient => outgoing.push(MARKER).into(),
        })
    }
}
