//! One direction of the connection between two peers, with what can happen to bytes on the way.

use std::collections::VecDeque;

/// Who a byte is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client.
    ToServer,
    /// From the server.
    ToClient,
}

/// What happens on the wire, once, at a byte counted from the start of its direction, TLS markers included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks before this byte: both ends read what came before, then the end.
    Cut(Direction, u64),
    /// This byte is combined with the mask by exclusive or.
    Corrupt(Direction, u64, u8),
    /// Neither this byte nor any after it arrives, and nobody is told.
    Stall(Direction, u64),
}

/// The bytes on their way in one direction.
#[derive(Debug)]
pub(super) struct Lane {
    direction: Direction,
    fault: Option<Fault>,
    bytes: VecDeque<u8>,
    sent: u64,
    /// Nothing more will come.
    closed: bool,
    /// What is sent from now on gets lost.
    lost: bool,
}

/// What became of bytes that were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passed {
    Whole,
    Broken,
}

impl Lane {
    pub(super) const fn new(direction: Direction, fault: Option<Fault>) -> Self {
        Self {
            direction,
            fault,
            bytes: VecDeque::new(),
            sent: 0,
            closed: false,
            lost: false,
        }
    }

    pub(super) fn push(&mut self, bytes: impl IntoIterator<Item = u8>) -> Passed {
        for byte in bytes {
            let at = self.sent;
            self.sent += 1;
            let mut byte = byte;
            match self.fault {
                Some(Fault::Corrupt(direction, position, mask))
                    if direction == self.direction && position == at =>
                {
                    byte ^= mask;
                }
                Some(Fault::Stall(direction, position)) if direction == self.direction && position == at => {
                    self.lost = true;
                }
                Some(Fault::Cut(direction, position)) if direction == self.direction && position == at => {
                    self.lost = true;
                    return Passed::Broken;
                }
                _ => {}
            }
            if !self.lost && !self.closed {
                self.bytes.push_back(byte);
            }
        }
        Passed::Whole
    }

    /// Nothing more will come once the bytes on their way have arrived.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed && self.bytes.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Takes up to `count` bytes.
    pub(super) fn pull(&mut self, count: usize) -> Vec<u8> {
        self.bytes.drain(..count.min(self.bytes.len())).collect()
    }
}

/// Stands in for TLS: whoever forgets to switch reads noise. Both ends count the bytes of their direction.
#[derive(Debug, Default)]
pub(super) struct KeyStream(u64);

impl KeyStream {
    pub(super) fn apply(&mut self, byte: u8) -> u8 {
        let [low, high, ..] = self.0.to_le_bytes();
        self.0 += 1;
        byte ^ 0xa5 ^ low.wrapping_mul(29) ^ high
    }
}
