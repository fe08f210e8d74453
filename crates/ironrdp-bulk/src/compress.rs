//! Bytes to MPPC (MS-RDPBCGR 3.1.8.2 and 3.1.8.4).

use alloc::vec;
use alloc::vec::Vec;
use core::marker::PhantomData;

use ironrdp_core::DecodeErrorKind;

use crate::bits::BitWriter;
use crate::decompress::{K8, K64, Variant};
use crate::{BulkError, BulkResult, CompressionFlags, CompressionType};

/// Candidates looked at for a match. More find a little more and cost much.
const MAX_TRIES: u32 = 3;

/// A match this long is taken without looking for a longer one.
const GOOD_LENGTH: usize = 64;

/// Shortest copy that has a code.
const MIN_LENGTH: usize = 3;

/// After so many places in a row at which nothing was found, one more is passed over at each: where nothing repeats, looking is
/// what costs.
const PATIENCE: usize = 32;

/// Most places passed over, the one looked at included.
const MAX_SKIP: usize = 8;

/// Places in a match that are remembered for later ones, at each of its ends; all, if it is no longer than both.
const REMEMBERED: usize = 4;

/// Compresses all packets of one direction of a connection, in the order they are sent.
///
/// Holds nothing but itself until the first packet; then the history and the places in it by what stands there: 28 KiB for
/// 8 KiB of history, 112 KiB for 64 KiB.
#[derive(Debug)]
pub struct Compressor {
    compression_type: CompressionType,
    history: Vec<u8>,
    /// The latest place of each hash of 3 bytes. A place here or in `earlier` may be stale or never set: it counts only
    /// if it is before the one that asks, and if the bytes there are equal.
    latest: Vec<u16>,
    /// For the most recent places, the one before with the same hash.
    earlier: Vec<u16>,
    /// Where the next packet goes. Sender and receiver agree on all bytes before it, and on nothing after it.
    at: usize,
    /// What the next compressed packet has to tell the receiver beside its type.
    pending: CompressionFlags,
}

impl Compressor {
    /// A compressor at the start of a connection, or an error of kind [`Unsupported`](crate::BulkErrorKind::Unsupported)
    /// for the types that are not MPPC.
    pub const fn new(compression_type: CompressionType) -> BulkResult<Self> {
        match compression_type {
            CompressionType::K8 | CompressionType::K64 => {}
            CompressionType::Rdp6 | CompressionType::Rdp61 => {
                let kind = DecodeErrorKind::Unsupported {
                    got: compression_type.code() as u64,
                };
                return Err(BulkError::new("compressionType", 0, kind));
            }
        }
        Ok(Self {
            compression_type,
            history: Vec::new(),
            latest: Vec::new(),
            earlier: Vec::new(),
            at: 0,
            pending: CompressionFlags::AT_FRONT,
        })
    }

    /// Appends `input` compressed to `out` and gives the flags to send with it, or appends nothing and gives `None` when
    /// it would not get shorter: then send `input` as it is, with [`CompressionFlags::NONE`].
    ///
    /// Every packet that was given flags has to be sent, and in this order: the receiver's history follows from them.
    pub fn compress(&mut self, input: &[u8], out: &mut Vec<u8>) -> Option<CompressionFlags> {
        match self.compression_type {
            CompressionType::K8 => self.compress_as::<K8>(input, out),
            _ => self.compress_as::<K64>(input, out),
        }
    }

    fn compress_as<V: Matching>(&mut self, input: &[u8], out: &mut Vec<u8>) -> Option<CompressionFlags> {
        // The last byte of the history is never used: it costs nothing, and a receiver whose check of the end is off by
        // one is not put to the test.
        if input.is_empty() || input.len() >= V::HISTORY {
            return None;
        }
        if self.history.is_empty() {
            self.history = vec![0; V::HISTORY];
            self.latest = vec![0; 1 << V::HASH_BITS];
            self.earlier = vec![0; V::EARLIER];
        }
        if self.at + input.len() >= V::HISTORY {
            self.at = 0;
            self.pending = self.pending | CompressionFlags::AT_FRONT;
        }
        let end = self.at + input.len();
        self.history[self.at..end].copy_from_slice(input);
        let mut places = Places::<V> {
            history: &self.history[..end],
            latest: &mut self.latest,
            earlier: &mut self.earlier,
            variant: PhantomData,
        };
        let mut writer = BitWriter::new(out);
        if !places.encode(self.at, input.len(), &mut writer) {
            // The receiver's history stays as it is, so ours goes back to the same place.
            writer.abandon();
            places.forget(self.at);
            return None;
        }
        writer.finish();
        self.at = end;
        let flags = (CompressionFlags::COMPRESSED | self.pending).with_type(self.compression_type);
        self.pending = CompressionFlags::NONE;
        Some(flags)
    }

    /// Starts over with an empty history, and has the next compressed packet tell the receiver to do the same.
    pub fn flush(&mut self) {
        self.at = 0;
        self.pending = CompressionFlags::FLUSHED | CompressionFlags::AT_FRONT;
    }

    /// Bytes of memory held beside the struct itself.
    pub const fn held_bytes(&self) -> usize {
        self.history.capacity() + 2 * (self.latest.capacity() + self.earlier.capacity())
    }
}

/// The history up to the end of a packet, and what stands where in it.
struct Places<'a, V> {
    history: &'a [u8],
    latest: &'a mut [u16],
    earlier: &'a mut [u16],
    variant: PhantomData<V>,
}

impl<V: Matching> Places<'_, V> {
    /// Writes the codes for the history from `at` on; false as soon as they need `limit` bytes.
    fn encode(&mut self, mut at: usize, limit: usize, writer: &mut BitWriter<'_>) -> bool {
        let end = self.history.len();
        // Places in a row at which nothing was found.
        let mut misses = 0;
        while at < end {
            if writer.len() >= limit {
                return false;
            }
            let Some((distance, length)) = self.find(at) else {
                let literals = (1 + misses / PATIENCE).min(MAX_SKIP).min(end - at);
                for &byte in &self.history[at..at + literals] {
                    let byte = u32::from(byte);
                    // 0 and 7 bits, or 10 and the 7 low bits of a byte that has its high bit set.
                    writer.put(byte + (byte & 0x80), 8 + (byte >> 7));
                }
                at += literals;
                misses += 1;
                continue;
            };
            misses = 0;
            let (code, bits) = V::distance_code(distance);
            writer.put(code, bits);
            let (code, bits) = length_code(length);
            writer.put(code, bits);
            // `find` has remembered the first place of the match.
            let next = at + length;
            for place in (at + 1..next.min(at + REMEMBERED))
                .chain((at + REMEMBERED).max(next.saturating_sub(REMEMBERED))..next)
            {
                self.remember(place);
            }
            at = next;
        }
        writer.len() < limit
    }

    /// The longest match for what stands at `at`: how far back, and how long. Remembers the place.
    #[inline]
    fn find(&mut self, at: usize) -> Option<(u32, usize)> {
        let mut candidate = usize::from(self.remember(at)?);
        let wanted = &self.history[at..];
        let (mut best, mut longest, mut last) = (at, MIN_LENGTH - 1, at);
        for _ in 0..MAX_TRIES {
            // Links lead back; one that does not is stale.
            if candidate >= last {
                break;
            }
            last = candidate;
            let there = &self.history[candidate..];
            // A candidate that differs where the best one ends cannot be longer.
            if there.get(longest) == wanted.get(longest) {
                let length = common(there, wanted);
                if length > longest {
                    (best, longest) = (candidate, length);
                    if length >= GOOD_LENGTH || length == wanted.len() {
                        break;
                    }
                }
            }
            candidate = usize::from(self.earlier[candidate % V::EARLIER]);
        }
        let distance = u32::try_from(at - best).ok().filter(|distance| *distance > 0)?;
        Some((distance, longest))
    }

    /// Makes `at` the latest place of its hash, and gives the one before; `None` where fewer than 3 bytes stand.
    #[inline]
    fn remember(&mut self, at: usize) -> Option<u16> {
        let hash = self.hash(at)?;
        let place = u16::try_from(at).ok()?;
        let before = core::mem::replace(&mut self.latest[hash], place);
        self.earlier[at % V::EARLIER] = before;
        Some(before)
    }

    /// Takes back what was remembered from `start` on: places that nobody will ever reach would hide those before.
    fn forget(&mut self, start: usize) {
        for at in (start..self.history.len()).rev() {
            if let Some(hash) = self.hash(at)
                && usize::from(self.latest[hash]) == at
            {
                // Of more than `EARLIER` places, the first ones' links are overwritten by the last ones'.
                let is_known = self.history.len() - at <= V::EARLIER;
                self.latest[hash] = if is_known {
                    self.earlier[at % V::EARLIER]
                } else {
                    0
                };
            }
        }
    }

    #[inline]
    fn hash(&self, at: usize) -> Option<usize> {
        let bytes = self.history[at..].first_chunk::<MIN_LENGTH>()?;
        let [a, b, c] = bytes.map(u32::from);
        let hash = (a << 16 | b << 8 | c).wrapping_mul(0x9e37_79b1) >> (32 - V::HASH_BITS);
        Some(hash as usize)
    }
}

/// What differs between the two types for who compresses.
trait Matching: Variant {
    const HASH_BITS: u32;
    /// A power of two. Older places are found only while they are the latest of their hash.
    const EARLIER: usize;

    /// The code of a distance, which no history reaches 65,536 of, and its bits.
    fn distance_code(distance: u32) -> (u32, u32);
}

impl Matching for K8 {
    const HASH_BITS: u32 = 11;
    const EARLIER: usize = 8192;

    #[inline]
    fn distance_code(distance: u32) -> (u32, u32) {
        match distance {
            ..64 => (0b1111 << 6 | distance, 4 + 6),
            64..320 => (0b1110 << 8 | (distance - 64), 4 + 8),
            _ => (0b110 << 13 | (distance - 320), 3 + 13),
        }
    }
}

impl Matching for K64 {
    const HASH_BITS: u32 = 13;
    const EARLIER: usize = 16_384;

    #[inline]
    fn distance_code(distance: u32) -> (u32, u32) {
        match distance {
            ..64 => (0b11111 << 6 | distance, 5 + 6),
            64..320 => (0b11110 << 8 | (distance - 64), 5 + 8),
            320..2368 => (0b1110 << 11 | (distance - 320), 4 + 11),
            _ => (0b110 << 16 | (distance - 2368), 3 + 16),
        }
    }
}

/// The code of a length, at least 3, and its bits: as many ones as its power of two says, a zero, and the bits below.
#[inline]
fn length_code(length: usize) -> (u32, u32) {
    let length = u32::try_from(length).unwrap_or(u32::MAX) & 0xffff;
    if length <= 3 {
        return (0, 1);
    }
    let power = length.ilog2();
    let ones = (1 << (power - 1)) - 1;
    (ones << (power + 1) | length & ((1 << power) - 1), 2 * power)
}

/// How many bytes at the start of both are equal.
#[inline]
fn common(a: &[u8], b: &[u8]) -> usize {
    let mut length = 0;
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        let different = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if different != 0 {
            return length + (different.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    length
        + a[length..]
            .iter()
            .zip(&b[length..])
            .take_while(|(a, b)| a == b)
            .count()
}
