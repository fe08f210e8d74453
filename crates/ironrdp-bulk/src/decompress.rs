//! MPPC to bytes (MS-RDPBCGR 3.1.8.3 and 3.1.8.4).

use alloc::vec;
use alloc::vec::Vec;

use ironrdp_core::DecodeErrorKind;

use crate::bits::BitReader;
use crate::{BulkError, BulkResult, CompressionFlags, CompressionType};

/// Decompresses all packets of one direction of a connection, in the order they were sent.
///
/// Holds nothing but itself until the first compressed packet, then 8 or 64 KiB, of which the pages that no packet
/// reached are not touched either. Time and output of a packet are bounded by the size of the history.
#[derive(Debug, Default)]
pub struct Decompressor {
    /// Empty until it is needed; its length tells the type.
    history: Vec<u8>,
    /// Where the next packet goes.
    at: usize,
    /// All bytes from here on are zero.
    written: usize,
}

impl Decompressor {
    /// A decompressor at the start of a connection.
    pub const fn new() -> Self {
        Self {
            history: Vec::new(),
            at: 0,
            written: 0,
        }
    }

    /// Gives the bytes that a packet stands for: `input` itself if it is not compressed, else a part of the history,
    /// which is valid until the next call.
    ///
    /// `flags` are those that came with the packet, type included. An uncompressed packet leaves the history alone,
    /// unless its flags say that it is flushed. A peer that changes the type starts with an empty history of the other size.
    ///
    /// After an error of kind [`Malformed`](crate::BulkErrorKind::Malformed) the two histories differ, and nothing that
    /// the peer sends compressed can be trusted any more.
    pub fn decompress<'a>(&'a mut self, flags: CompressionFlags, input: &'a [u8]) -> BulkResult<&'a [u8]> {
        if flags.contains(CompressionFlags::FLUSHED) {
            self.history[..self.written].fill(0);
            self.written = 0;
            self.at = 0;
        }
        if flags.contains(CompressionFlags::AT_FRONT) {
            self.at = 0;
        }
        if !flags.contains(CompressionFlags::COMPRESSED) {
            return Ok(input);
        }
        let size = match flags.compression_type() {
            Some(CompressionType::K8) => K8::HISTORY,
            Some(CompressionType::K64) => K64::HISTORY,
            Some(CompressionType::Rdp6 | CompressionType::Rdp61) | None => {
                let got = u64::from(flags.bits());
                return Err(BulkError::new(
                    "compressionFlags",
                    0,
                    DecodeErrorKind::Unsupported { got },
                ));
            }
        };
        if self.history.len() != size {
            // Zeroed by the allocator: pages that are never written cost nothing.
            self.history = vec![0; size];
            self.at = 0;
            self.written = 0;
        }
        let start = self.at;
        let decoded = if size == K8::HISTORY {
            expand::<K8>(&mut self.history, start, input)
        } else {
            expand::<K64>(&mut self.history, start, input)
        };
        // On error too: whatever was written has to be zeroed by the next flush.
        self.at = match decoded {
            Ok(end) => end,
            Err(_) => size,
        };
        self.written = self.written.max(self.at);
        decoded.map(|end| &self.history[start..end])
    }

    /// Bytes of memory held beside the struct itself.
    pub const fn held_bytes(&self) -> usize {
        self.history.capacity()
    }
}

/// What differs between the two types.
pub(crate) trait Variant {
    /// Bytes of history, a power of two.
    const HISTORY: usize;
    /// Most ones before the zero in the code of a length.
    const MAX_LENGTH_ONES: u32;

    /// The distance of a copy whose code begins at the top of `window`, and the bits of that code.
    fn distance(window: u64) -> (u64, u32);
}

pub(crate) struct K8;
pub(crate) struct K64;

/// `count` bits of `window` after the first `skip`.
#[inline(always)]
const fn field(window: u64, skip: u32, count: u32) -> u64 {
    window << skip >> (64 - count)
}

impl Variant for K8 {
    const HISTORY: usize = 8192;
    const MAX_LENGTH_ONES: u32 = 11;

    #[inline]
    fn distance(window: u64) -> (u64, u32) {
        match window >> 60 {
            0b1111 => (field(window, 4, 6), 4 + 6),
            0b1110 => (field(window, 4, 8) + 64, 4 + 8),
            _ => (field(window, 3, 13) + 320, 3 + 13),
        }
    }
}

impl Variant for K64 {
    const HISTORY: usize = 65_536;
    const MAX_LENGTH_ONES: u32 = 14;

    #[inline]
    fn distance(window: u64) -> (u64, u32) {
        match window >> 59 {
            0b11111 => (field(window, 5, 6), 5 + 6),
            0b11110 => (field(window, 5, 8) + 64, 5 + 8),
            0b11100 | 0b11101 => (field(window, 4, 11) + 320, 4 + 11),
            _ => (field(window, 3, 16) + 2368, 3 + 16),
        }
    }
}

/// Decodes `input` into `history` from `at` on, and gives the place after the last byte.
fn expand<V: Variant>(history: &mut [u8], mut at: usize, input: &[u8]) -> BulkResult<usize> {
    let mut bits = BitReader::new(input);
    loop {
        bits.refill();
        // The shortest code has 8 bits, so fewer are what fills up the last byte.
        if bits.held() < 8 {
            return Ok(at);
        }
        // Literals first, as many as the bits at hand are good for: 0 and 7 bits, or 10 and the 7 low bits of a byte
        // that has its high bit set.
        while bits.window() >> 62 != 0b11 && bits.held() >= 9 {
            let window = bits.window();
            let high = window >> 63;
            let low = field(window, 1 + u32::from(high == 1), 7);
            put(history, &mut at, high << 7 | low, &bits)?;
            take(&mut bits, if high == 1 { 9 } else { 8 })?;
        }
        if bits.window() >> 62 != 0b11 {
            bits.refill();
            if bits.held() != 8 {
                continue;
            }
            // The last 8 bits of the packet, so no more than a literal of the short kind.
            let window = bits.window();
            if window >> 63 == 1 {
                return Err(cut(&bits));
            }
            put(history, &mut at, window >> 56, &bits)?;
            return Ok(at);
        }
        // Literals may have used the bits up; a copy has at most 49 of them.
        bits.refill();
        if bits.held() < 8 {
            return Ok(at);
        }
        let (distance, count) = V::distance(bits.window());
        take(&mut bits, count)?;
        let ones = bits.window().leading_ones();
        let length = if ones == 0 {
            take(&mut bits, 1)?;
            3
        } else if ones <= V::MAX_LENGTH_ONES {
            let low = field(bits.window(), ones + 1, ones + 1);
            take(&mut bits, 2 * (ones + 1))?;
            1 << (ones + 1) | low
        } else {
            let got = u64::from(ones);
            return Err(BulkError::new(
                "lengthOfMatch",
                bits.offset(),
                DecodeErrorKind::Invalid { got },
            ));
        };
        at = copy::<V>(history, at, distance, length, &bits)?;
    }
}

#[cold]
fn cut(bits: &BitReader<'_>) -> BulkError {
    let kind = DecodeErrorKind::NotEnough { needed: 1, left: 0 };
    BulkError::new("compressedData", bits.offset(), kind)
}

#[inline]
fn take(bits: &mut BitReader<'_>, count: u32) -> BulkResult<()> {
    bits.take(count).ok_or_else(|| cut(bits))
}

#[cold]
fn full(bits: &BitReader<'_>, length: usize, left: usize) -> BulkError {
    // 3.1.8.2.1: a sender whose data does not fit starts at the front again.
    let kind = DecodeErrorKind::LengthLies {
        declared: length,
        available: left,
    };
    BulkError::new("history", bits.offset(), kind)
}

#[inline]
fn put(history: &mut [u8], at: &mut usize, byte: u64, bits: &BitReader<'_>) -> BulkResult<()> {
    let Some(to) = history.get_mut(*at) else {
        return Err(full(bits, 1, 0));
    };
    *to = byte.to_le_bytes()[0];
    *at += 1;
    Ok(())
}

#[inline]
fn copy<V: Variant>(
    history: &mut [u8],
    at: usize,
    distance: u64,
    length: u64,
    bits: &BitReader<'_>,
) -> BulkResult<usize> {
    let (Ok(distance_bytes), Ok(length)) = (usize::try_from(distance), usize::try_from(length)) else {
        return Err(cut(bits));
    };
    if distance_bytes == 0 || distance_bytes >= V::HISTORY {
        let kind = DecodeErrorKind::Invalid { got: distance };
        return Err(BulkError::new("copyOffset", bits.offset(), kind));
    }
    if length > V::HISTORY - at {
        return Err(full(bits, length, V::HISTORY - at));
    }
    let end = at + length;
    if let Some(from) = at.checked_sub(distance_bytes) {
        // What is copied may be written by the copy itself: then it repeats, and each round has twice as much to give.
        let mut at = at;
        while at < end {
            let part = (end - at).min(at - from);
            history.copy_within(from..from + part, at);
            at += part;
        }
    } else {
        // All of the history counts as valid from the start, so a copy may reach back over its beginning to what an
        // earlier round left at its end, or to zeros.
        for at in at..end {
            history[at] = history[at.wrapping_sub(distance_bytes) % V::HISTORY];
        }
    }
    Ok(end)
}
