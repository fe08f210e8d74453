//! What a direction of the network is like.

use std::time::Duration;

/// One direction of a connection: how it delays and cuts up bytes, and what goes wrong with them.
///
/// The default is a perfect one: no delay, segments of 1,460 bytes, 64 KiB of buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// How long every byte travels.
    pub latency: Duration,
    /// Up to this much longer for each segment. Segments do not overtake each other.
    pub jitter: Duration,
    /// Bytes a second; none for no limit.
    pub rate: Option<u32>,
    /// Bytes a segment has at most, 1 at least.
    pub segment: usize,
    /// Whether segments have random sizes, and a call that reads or writes moves one of them at most.
    pub ragged: bool,
    /// Bytes that are on their way or wait to be read, 1 at least. Whoever writes more waits for room.
    pub buffer: usize,
    /// What goes wrong, each at a byte counted from the start of the direction.
    pub troubles: Vec<Trouble>,
}

/// Something that goes wrong with the bytes of a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// From this byte on nothing moves for a time; for good if none is given, and nobody is told.
    Stall {
        /// The byte.
        at: u64,
        /// For how long.
        lasts: Option<Duration>,
    },
    /// This direction ends in order before this byte, and the other one goes on. What is written later gets lost.
    HalfClose {
        /// The byte.
        at: u64,
    },
    /// The connection breaks, in both directions, when this byte is written: what was not read by then is lost.
    Reset {
        /// The byte.
        at: u64,
    },
    /// Bytes arrive combined with the mask by exclusive or.
    Corrupt {
        /// The first byte.
        at: u64,
        /// How many bytes.
        length: u64,
        /// The bits that are flipped in each of them.
        mask: u8,
    },
}

impl Trouble {
    /// The byte it happens at.
    pub const fn at(&self) -> u64 {
        match *self {
            Self::Stall { at, .. }
            | Self::HalfClose { at }
            | Self::Reset { at }
            | Self::Corrupt { at, .. } => at,
        }
    }

    /// Whether the peers should get over it: a stall that ends. Whether they do depends on their patience.
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Stall { lasts: Some(_), .. })
    }
}

impl Default for Path {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            rate: None,
            segment: 1_460,
            ragged: false,
            buffer: 64 * 1024,
            troubles: Vec::new(),
        }
    }
}
