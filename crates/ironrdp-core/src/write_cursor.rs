//! Writing into a byte slice.

use crate::{EncodeError, EncodeErrorKind, EncodeResult};

/// A position in an output slice; every write is bounds-checked.
#[derive(Debug)]
pub struct WriteCursor<'a> {
    bytes: &'a mut [u8],
    written: usize,
}

macro_rules! write_number {
    ($($(#[$doc:meta])* $name:ident: $ty:ty = $to:ident;)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name(&mut self, value: $ty) -> EncodeResult<()> {
            self.bytes(&value.$to())
        }
    )*};
}

impl<'a> WriteCursor<'a> {
    /// A cursor at the start of `bytes`.
    #[inline]
    pub const fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, written: 0 }
    }

    /// Bytes written so far.
    #[inline]
    pub const fn written(&self) -> usize {
        self.written
    }

    /// Bytes there is still room for.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Writes `src`.
    #[inline]
    pub fn bytes(&mut self, src: &[u8]) -> EncodeResult<()> {
        self.room(src.len())?.copy_from_slice(src);
        Ok(())
    }

    /// Writes `count` zero bytes.
    #[inline]
    pub fn zeros(&mut self, count: usize) -> EncodeResult<()> {
        self.room(count)?.fill(0);
        Ok(())
    }

    write_number! {
        /// Writes a byte.
        u8: u8 = to_le_bytes;
        /// Writes a little-endian 16-bit number.
        u16_le: u16 = to_le_bytes;
        /// Writes a big-endian 16-bit number.
        u16_be: u16 = to_be_bytes;
        /// Writes a little-endian signed 16-bit number.
        i16_le: i16 = to_le_bytes;
        /// Writes a little-endian 32-bit number.
        u32_le: u32 = to_le_bytes;
        /// Writes a big-endian 32-bit number.
        u32_be: u32 = to_be_bytes;
        /// Writes a little-endian signed 32-bit number.
        i32_le: i32 = to_le_bytes;
        /// Writes a little-endian 64-bit number.
        u64_le: u64 = to_le_bytes;
    }

    #[inline]
    fn room(&mut self, count: usize) -> EncodeResult<&mut [u8]> {
        let left = self.remaining();
        match self
            .bytes
            .get_mut(self.written..)
            .and_then(|rest| rest.get_mut(..count))
        {
            Some(room) => {
                self.written += count;
                Ok(room)
            }
            None => Err(EncodeError::new(
                "",
                "",
                EncodeErrorKind::NoRoom { needed: count, left },
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_without_room_writes_nothing() {
        let mut out = [0u8; 3];
        let mut dst = WriteCursor::new(&mut out);
        dst.u16_be(0x0102).unwrap();
        let error = dst.u32_le(7).unwrap_err();
        assert_eq!(error.kind(), EncodeErrorKind::NoRoom { needed: 4, left: 1 });
        dst.u8(9).unwrap();
        assert_eq!(dst.written(), 3);
        assert_eq!(out, [1, 2, 9]);
    }
}
