//! Bits of a byte stream, the highest of each byte first.

use alloc::vec::Vec;

/// Reads bits. Past the end it sees zeros, and [`take`](Self::take) refuses to take them.
pub(crate) struct BitReader<'a> {
    src: &'a [u8],
    next: usize,
    /// The next bits from the top down; those below `held` are zero or true bits that do not count yet.
    window: u64,
    held: u32,
}

impl<'a> BitReader<'a> {
    pub(crate) const fn new(src: &'a [u8]) -> Self {
        Self {
            src,
            next: 0,
            window: 0,
            held: 0,
        }
    }

    /// Holds at least 56 bits afterwards, or all there are.
    #[inline]
    pub(crate) fn refill(&mut self) {
        if let Some(bytes) = self.src.get(self.next..).and_then(<[u8]>::first_chunk::<8>) {
            self.window |= u64::from_be_bytes(*bytes) >> self.held;
            self.next += ((63 - self.held) >> 3) as usize;
            self.held |= 56;
        } else {
            while self.held <= 56
                && let Some(&byte) = self.src.get(self.next)
            {
                self.window |= u64::from(byte) << (56 - self.held);
                self.held += 8;
                self.next += 1;
            }
        }
    }

    /// Bits held: all that are left, if fewer than 56 right after a refill.
    #[inline]
    pub(crate) const fn held(&self) -> u32 {
        self.held
    }

    /// The bits ahead, from the top of the word down.
    #[inline]
    pub(crate) const fn window(&self) -> u64 {
        self.window
    }

    /// Drops `count` bits, at most 56; `None` when fewer are held.
    #[inline]
    pub(crate) fn take(&mut self, count: u32) -> Option<()> {
        self.held = self.held.checked_sub(count)?;
        self.window <<= count;
        Some(())
    }

    /// The byte that holds the next bit.
    pub(crate) const fn offset(&self) -> usize {
        self.next - (self.held as usize).div_ceil(8)
    }
}

/// Appends bits to bytes.
pub(crate) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    /// The low `held` bits are still to be written.
    window: u64,
    held: u32,
}

impl<'a> BitWriter<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            start: out.len(),
            out,
            window: 0,
            held: 0,
        }
    }

    /// Appends the low `count` bits of `bits`, at most 32, whose higher bits are zero.
    #[inline]
    pub(crate) fn put(&mut self, bits: u32, count: u32) {
        self.window = self.window << count | u64::from(bits);
        self.held += count;
        if self.held >= 32 {
            self.held -= 32;
            let [_, _, _, _, whole @ ..] = (self.window >> self.held).to_be_bytes();
            self.out.extend_from_slice(&whole);
        }
    }

    /// Bytes appended so far, the begun one included.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.out.len() - self.start + (self.held as usize).div_ceil(8)
    }

    /// Appends what is left, filled up with zeros.
    pub(crate) fn finish(self) {
        let last = (self.window << (64 - self.held).min(63)).to_be_bytes();
        let bytes = (self.held as usize).div_ceil(8);
        self.out.extend_from_slice(&last[..bytes]);
    }

    /// Takes back all that was appended.
    pub(crate) fn abandon(self) {
        self.out.truncate(self.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_at_every_width_and_alignment() {
        for shift in 0..32 {
            let mut out = vec![0xaa];
            let mut writer = BitWriter::new(&mut out);
            let values: Vec<(u32, u32)> = (0..200_u32)
                .map(|index| {
                    let count = 1 + (index + shift) % 32;
                    (index.wrapping_mul(0x9e37_79b1) >> (32 - count), count)
                })
                .collect();
            let mut total = 0;
            for &(bits, count) in &values {
                writer.put(bits, count);
                total += count as usize;
                assert_eq!(writer.len(), total.div_ceil(8));
            }
            writer.finish();
            assert_eq!(out.len(), 1 + total.div_ceil(8));
            let mut reader = BitReader::new(&out[1..]);
            for (bits, count) in values {
                reader.refill();
                assert_eq!(reader.window() >> (64 - count), u64::from(bits));
                reader.take(count).unwrap();
            }
            reader.refill();
            assert!(reader.held() < 8);
            assert!(reader.take(8).is_none());
        }
    }

    #[test]
    fn an_abandoned_stream_leaves_what_was_there_before() {
        let mut out = vec![1, 2];
        let mut writer = BitWriter::new(&mut out);
        writer.put(3, 32);
        writer.put(3, 5);
        writer.abandon();
        assert_eq!(out, [1, 2]);
    }
}
