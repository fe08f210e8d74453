//! What was said, in a form that can be compared.

use core::fmt;

use ironrdp_pdu::find_size;

use crate::Direction;

/// Every PDU of a connection in the order in which it was sent, before encryption.
///
/// Two runs of the same peers have equal transcripts however their bytes were chopped up on the way, as long as the order
/// of the two directions follows from the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transcript {
    entries: Vec<TranscriptEntry>,
}

/// One PDU of a [`Transcript`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TranscriptEntry {
    /// Who sent it.
    pub direction: Direction,
    /// Its bytes with framing.
    pub length: usize,
    /// FNV-1a of its bytes.
    pub hash: u64,
}

impl Transcript {
    /// Notes what one side sent: whole PDUs, each of which becomes an entry. What is not framed as RDP is one entry.
    pub fn record(&mut self, direction: Direction, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let length = match find_size(rest) {
                Ok(Some(pdu)) => pdu.length.clamp(1, rest.len()),
                _ => rest.len(),
            };
            let (pdu, after) = rest.split_at(length);
            self.entries.push(TranscriptEntry {
                direction,
                length,
                hash: fnv1a(FNV_OFFSET, pdu),
            });
            rest = after;
        }
    }

    /// The PDUs, oldest first.
    pub fn entries(&self) -> &[TranscriptEntry] {
        &self.entries
    }

    /// The PDUs of one direction.
    pub fn of(&self, direction: Direction) -> impl Iterator<Item = &TranscriptEntry> {
        self.entries
            .iter()
            .filter(move |entry| entry.direction == direction)
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.entries {
            let arrow = match entry.direction {
                Direction::ToServer => "->",
                Direction::ToClient => "<-",
            };
            writeln!(f, "{arrow} {:5} {:016x}", entry.length, entry.hash)?;
        }
        Ok(())
    }
}

/// The hash of no bytes.
pub(crate) const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, going on from the `hash` of what came before.
pub(crate) fn fnv1a(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
