//! A client and a server against each other, in memory and in virtual time.

mod side;

mod wire;
pub use wire::{Direction, Fault};

use core::fmt;
use core::time::Duration;

use ironrdp_connector::{
    ConnectorError, ConnectorResult, Deadlines, Logon, LogonName, NetworkRequest, Sequence, UserSecret,
};
use ironrdp_core::MonotonicInstant;
use ironrdp_pdu::client_info::ClientInfo;

use self::side::{Admit, CERTIFICATE, Decide, Kdc, Side, Turn, Users, World};
use self::wire::Lane;
use crate::{Rng, Transcript};

/// With seed 0, a client's random bytes are those of a generator with this seed: whoever replays what its server said to
/// another client gives it the same.
pub const CLIENT_SEED: u64 = 0x00c1_1e27;

/// The same for a server's.
pub const SERVER_SEED: u64 = 0x5e2e_0000;

/// How bytes arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunks {
    /// All that is on the way at once.
    Whole,
    /// One at a time.
    Single,
    /// One up to this many at a time.
    Random(usize),
}

impl Chunks {
    fn next(self, available: usize, rng: &mut Rng) -> usize {
        match self {
            Self::Whole => available,
            Self::Single => available.min(1),
            Self::Random(most) => available.min(1 + rng.below(most)),
        }
    }
}

/// A client's sequence and a server's with a wire between them: no socket, no thread, no clock.
///
/// TLS is a marker that both ends send and wait for; after it, bytes cross the wire changed, so that an end that did not
/// switch is noticed. Time passes only on the wire and while everybody waits: then the end with the nearest deadline times
/// out.
pub struct Pair<C, S> {
    client: C,
    server: S,
    seed: u64,
    chunks: Chunks,
    latency: Duration,
    fault: Option<Fault>,
    deadlines: Deadlines,
    decide: Decide,
    admit: Admit,
    users: Users,
    kdc: Kdc,
    certificate_seen: Vec<u8>,
    max_turns: u64,
}

/// How a run ended.
#[derive(Debug)]
pub struct PairOutcome<C, S> {
    /// The client's sequence at its end, or its error.
    pub client: ConnectorResult<C>,
    /// The server's sequence at its end, or its error.
    pub server: ConnectorResult<S>,
    /// What was said.
    pub transcript: Transcript,
    /// All bytes the client sent, before encryption and without TLS marker.
    pub said_by_client: Vec<u8>,
    /// All bytes the server sent, before encryption and without TLS marker.
    pub said_by_server: Vec<u8>,
    /// Bytes the client sent, TLS marker included.
    pub bytes_to_server: u64,
    /// Bytes the server sent, TLS marker included.
    pub bytes_to_client: u64,
    /// The most bytes that either end held in its receive buffer or wanted to send at once.
    pub peak_buffered: usize,
    /// Virtual time that passed.
    pub elapsed: Duration,
}

impl<C: Sequence, S: Sequence> Pair<C, S> {
    /// A faultless wire that delivers everything at once, one millisecond a delivery; every client is authorised.
    pub fn new(client: C, server: S) -> Self {
        Self {
            client,
            server,
            seed: 0,
            chunks: Chunks::Whole,
            latency: Duration::from_millis(1),
            fault: None,
            deadlines: Deadlines::default(),
            decide: Box::new(|_| true),
            admit: Box::new(|_| true),
            users: Box::new(|_| None),
            kdc: Box::new(|_| Err(ConnectorError::misuse("a pair without a KDC"))),
            certificate_seen: CERTIFICATE.to_vec(),
            max_turns: 1_000_000,
        }
    }

    /// The seed of everything random: chunk sizes and the random bytes that the ends ask for.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How bytes arrive.
    #[must_use]
    pub fn with_chunks(mut self, chunks: Chunks) -> Self {
        self.chunks = chunks;
        self
    }

    /// How long each delivery takes.
    #[must_use]
    pub fn with_latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// What goes wrong on the wire.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// How long each end waits.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// Who may have a session.
    #[must_use]
    pub fn with_decision(mut self, decide: impl FnMut(&ClientInfo) -> bool + 'static) -> Self {
        self.decide = Box::new(decide);
        self
    }

    /// Who may have a session of those who have logged in by network level authentication.
    #[must_use]
    pub fn with_admission(mut self, admit: impl FnMut(&Logon) -> bool + 'static) -> Self {
        self.admit = Box::new(admit);
        self
    }

    /// What is known about users' passwords, for network level authentication; nothing without it.
    #[must_use]
    pub fn with_users(mut self, users: impl FnMut(&LogonName) -> Option<UserSecret> + 'static) -> Self {
        self.users = Box::new(users);
        self
    }

    /// What the Kerberos KDC says; there is none without it.
    #[must_use]
    pub fn with_kdc(
        mut self,
        kdc: impl FnMut(&NetworkRequest) -> ConnectorResult<Vec<u8>> + 'static,
    ) -> Self {
        self.kdc = Box::new(kdc);
        self
    }

    /// Shows the client another certificate than the server's, as an attacker in the middle would.
    #[must_use]
    pub fn with_attacker_in_the_middle(mut self) -> Self {
        self.certificate_seen = b"the attacker's public key".to_vec();
        self
    }

    /// Runs both ends until each has come to its end or to an error.
    ///
    /// # Panics
    ///
    /// After a million turns without an end: one of them is going round in circles.
    pub fn run(self) -> PairOutcome<C, S> {
        let shown = format!("{self:?}");
        let mut client = Side::new(
            self.client,
            Direction::ToServer,
            Rng::new(self.seed ^ CLIENT_SEED),
        );
        let mut server = Side::new(
            self.server,
            Direction::ToClient,
            Rng::new(self.seed ^ SERVER_SEED),
        );
        let mut up = Lane::new(Direction::ToServer, self.fault);
        let mut down = Lane::new(Direction::ToClient, self.fault);
        let mut world = World {
            now: MonotonicInstant::ORIGIN,
            latency: self.latency,
            rng: Rng::new(self.seed),
            chunks: self.chunks,
            decide: self.decide,
            admit: self.admit,
            users: self.users,
            kdc: self.kdc,
            certificate_seen: self.certificate_seen,
            transcript: Transcript::default(),
        };
        let mut turns = 0;
        loop {
            let turn_of_client = client.turn(&mut up, &mut down, &mut world);
            let turn_of_server = server.turn(&mut down, &mut up, &mut world);
            if turn_of_client == Turn::Broke || turn_of_server == Turn::Broke {
                up.close();
                down.close();
            }
            if matches!(client.end, Some(Err(_))) {
                up.close();
            }
            if matches!(server.end, Some(Err(_))) {
                down.close();
            }
            let waits = |turn| matches!(turn, Turn::Blocked | Turn::Ended);
            if waits(turn_of_client) && waits(turn_of_server) {
                if client.end.is_some() && server.end.is_some() {
                    break;
                }
                let nearest = next_deadline(&client, &server, &self.deadlines);
                world.now = world.now.max(nearest);
                if client.end.is_none() && client.deadline(&self.deadlines) <= nearest {
                    client.time_out();
                } else {
                    server.time_out();
                }
            }
            turns += 1;
            assert!(turns < self.max_turns, "going round in circles: {shown}");
        }
        PairOutcome {
            said_by_client: core::mem::take(&mut client.said),
            said_by_server: core::mem::take(&mut server.said),
            peak_buffered: client.peak_buffered.max(server.peak_buffered),
            client: client.into_end(),
            server: server.into_end(),
            transcript: world.transcript,
            bytes_to_server: up.sent(),
            bytes_to_client: down.sent(),
            elapsed: world.now - MonotonicInstant::ORIGIN,
        }
    }
}

fn next_deadline<C: Sequence, S: Sequence>(
    client: &Side<C>,
    server: &Side<S>,
    deadlines: &Deadlines,
) -> MonotonicInstant {
    let client = client.end.is_none().then(|| client.deadline(deadlines));
    let server = server.end.is_none().then(|| server.deadline(deadlines));
    client.into_iter().chain(server).min().unwrap_or_default()
}

impl<C, S> fmt::Debug for Pair<C, S> {
    // What is needed to repeat a run.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("seed", &self.seed)
            .field("chunks", &self.chunks)
            .field("latency", &self.latency)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}
