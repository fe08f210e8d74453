//! Both directions of a connection, without I/O.

use std::io;

use ironrdp_core::MonotonicInstant;

use super::lane::{Lane, Pull};
use super::{Path, Trouble};
use crate::{Direction, Rng};

/// One of the two ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// The one that dialled.
    Client,
    /// The one that listened.
    Server,
}

impl Peer {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A connection through a simulated network, told the time with every call, which must not go back.
///
/// The same calls give the same results: all that is random comes from the seed.
#[derive(Debug)]
pub struct Wire {
    to_server: Lane,
    to_client: Lane,
    /// When the connection breaks, or broke.
    reset_at: Option<MonotonicInstant>,
    client_gone: bool,
    server_gone: bool,
}

/// What happened in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneReport {
    /// Bytes that the network took.
    pub written: u64,
    /// Bytes that were read at the other end.
    pub read: u64,
    /// FNV-1a of the bytes that the network took.
    pub hash: u64,
    /// The troubles that have happened; corruption only once the bytes were read.
    pub struck: Vec<Trouble>,
}

impl Wire {
    /// A connection that exists already; `seed` decides about jitter and the sizes of segments.
    pub fn new(seed: u64, to_server: Path, to_client: Path) -> Self {
        let mut seeds = Rng::new(seed);
        let mut lane = |path| Lane::new(path, Rng::new(seeds.next_u64()));
        Self {
            to_server: lane(to_server),
            to_client: lane(to_client),
            reset_at: None,
            client_gone: false,
            server_gone: false,
        }
    }

    /// Takes as many of `bytes` from `peer` as there is room for; none if it has to wait for room.
    pub fn write(&mut self, peer: Peer, now: MonotonicInstant, bytes: &[u8]) -> io::Result<Option<usize>> {
        self.check(now)?;
        if self.is_gone(peer.other()) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let lane = self.outgoing(peer);
        let pushed = lane.push(now, bytes);
        if pushed.resets {
            let reset_at = now + lane.latency();
            self.reset_at = Some(self.reset_at.map_or(reset_at, |earlier| earlier.min(reset_at)));
            if pushed.taken == 0 {
                self.check(now)?;
            }
        }
        Ok((pushed.taken > 0 || bytes.is_empty()).then_some(pushed.taken))
    }

    /// Gives `peer` what has arrived; 0 at the end of the stream, none if it has to wait.
    pub fn read(&mut self, peer: Peer, now: MonotonicInstant, buf: &mut [u8]) -> io::Result<Option<usize>> {
        self.check(now)?;
        Ok(match self.incoming(peer).pull(now, buf) {
            Pull::Bytes(count) => Some(count),
            Pull::End => Some(0),
            Pull::Nothing => buf.is_empty().then_some(0),
        })
    }

    /// Ends what `peer` writes, behind what it has written.
    pub fn close(&mut self, peer: Peer, now: MonotonicInstant) {
        self.outgoing(peer).close(now);
    }

    /// `peer` has gone: what it has written arrives and then the end; what is written to it is a broken pipe.
    pub fn abandon(&mut self, peer: Peer, now: MonotonicInstant) {
        self.close(peer, now);
        self.incoming(peer).abandon();
        match peer {
            Peer::Client => self.client_gone = true,
            Peer::Server => self.server_gone = true,
        }
    }

    /// When `peer` should look again, although nobody writes and nobody reads meanwhile.
    pub fn next_change(&self, peer: Peer) -> Option<MonotonicInstant> {
        let arrival = match peer {
            Peer::Client => self.to_client.next_arrival(),
            Peer::Server => self.to_server.next_arrival(),
        };
        arrival.into_iter().chain(self.reset_at).min()
    }

    /// Bytes that `peer` could read now.
    pub fn arrived(&self, peer: Peer, now: MonotonicInstant) -> usize {
        match peer {
            Peer::Client => self.to_client.arrived(now),
            Peer::Server => self.to_server.arrived(now),
        }
    }

    /// When the connection breaks or broke, if it is known to.
    pub(super) fn breaks_at(&self) -> Option<MonotonicInstant> {
        self.reset_at
    }

    /// What has happened in one direction.
    pub fn report(&self, direction: Direction) -> LaneReport {
        match direction {
            Direction::ToServer => self.to_server.report(),
            Direction::ToClient => self.to_client.report(),
        }
    }

    fn check(&self, now: MonotonicInstant) -> io::Result<()> {
        match self.reset_at {
            Some(reset_at) if reset_at <= now => Err(io::ErrorKind::ConnectionReset.into()),
            _ => Ok(()),
        }
    }

    fn is_gone(&self, peer: Peer) -> bool {
        match peer {
            Peer::Client => self.client_gone,
            Peer::Server => self.server_gone,
        }
    }

    fn outgoing(&mut self, peer: Peer) -> &mut Lane {
        match peer {
            Peer::Client => &mut self.to_server,
            Peer::Server => &mut self.to_client,
        }
    }

    fn incoming(&mut self, peer: Peer) -> &mut Lane {
        self.outgoing(peer.other())
    }
}
