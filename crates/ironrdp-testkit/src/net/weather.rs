//! Networks drawn from a seed.

use std::time::Duration;

use super::{Path, Trouble};
use crate::{Direction, Rng};

/// What a connection has to live with, in both directions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Weather {
    /// From the client to the server.
    pub to_server: Path,
    /// From the server to the client.
    pub to_client: Path,
}

impl Weather {
    /// A network that is slow, uneven and narrow, but gets everything across: each direction has up to 200 ms latency and half as
    /// much jitter, 16 KB/s at least, segments from 20 bytes up, 2 KiB to 64 KiB of buffer, and every third one
    /// stalls for up to 3 s somewhere in its first 8 KiB.
    pub fn fair(rng: &mut Rng) -> Self {
        Self {
            to_server: path(rng),
            to_client: path(rng),
        }
    }

    /// The same with one thing more that goes wrong.
    #[must_use]
    pub fn with(mut self, direction: Direction, trouble: Trouble) -> Self {
        let path = match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        };
        path.troubles.push(trouble);
        self
    }
}

fn path(rng: &mut Rng) -> Path {
    let latency = millis(rng, 200);
    let mut path = Path {
        latency,
        jitter: if rng.below(2) == 0 {
            latency / 2
        } else {
            Duration::ZERO
        },
        rate: (rng.below(3) > 0).then(|| 16_000 << rng.below(7)),
        segment: match rng.below(8) {
            0 => 20 + rng.below(100),
            1..4 => 120 + rng.below(1_340),
            _ => 1_460,
        },
        ragged: rng.below(2) == 0,
        buffer: 2_048 << rng.below(6),
        troubles: Vec::new(),
    };
    if rng.below(3) == 0 {
        path.troubles.push(Trouble::Stall {
            at: rng.below(8_192) as u64,
            lasts: Some(millis(rng, 3_000)),
        });
    }
    path
}

fn millis(rng: &mut Rng, below: usize) -> Duration {
    Duration::from_millis(rng.below(below) as u64)
}
