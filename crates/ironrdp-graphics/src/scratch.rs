//! Working memory that outlives a call.

use alloc::vec::Vec;

/// Working memory of the codecs: grows to what the widest bitmap needs, and is never read across calls.
///
/// Decoders need a few rows (64 KiB for 4,096 columns), encoders one picture. Nothing in it belongs to a session, so one
/// per thread serves any number of them.
#[derive(Debug, Default)]
pub struct Scratch {
    words: Vec<u32>,
    bytes: Vec<u8>,
}

impl Scratch {
    /// No memory yet.
    pub const fn new() -> Self {
        Self {
            words: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Bytes it holds at the moment.
    pub fn held_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u32>() + self.bytes.capacity()
    }

    /// Gives all memory back.
    pub fn release(&mut self) {
        *self = Self::new();
    }

    /// `count` pixels with any content.
    pub(crate) fn words(&mut self, count: usize) -> &mut [u32] {
        if self.words.len() < count {
            self.words.resize(count, 0);
        }
        &mut self.words[..count]
    }

    /// `N` rows of `width` bytes with any content.
    pub(crate) fn byte_rows<const N: usize>(&mut self, width: usize) -> [&mut [u8]; N] {
        let mut rest = self.bytes(width * N);
        core::array::from_fn(|_| {
            let (row, others) = core::mem::take(&mut rest).split_at_mut(width);
            rest = others;
            row
        })
    }

    /// `count` bytes with any content.
    fn bytes(&mut self, count: usize) -> &mut [u8] {
        if self.bytes.len() < count {
            self.bytes.resize(count, 0);
        }
        &mut self.bytes[..count]
    }
}
