//! Reading from a byte slice, one named field at a time.

use crate::{DecodeError, DecodeErrorKind, DecodeResult};

/// A position in a byte slice; every read is bounds-checked and names the field it is for.
///
/// A cursor made by [`sub`](Self::sub) counts [`offset`](Self::offset) from the start of the outermost
/// buffer, so that an error in a nested structure still points at the right byte of what arrived.
#[derive(Debug, Clone)]
pub struct ReadCursor<'a> {
    rest: &'a [u8],
    offset: usize,
}

macro_rules! read_number {
    ($($(#[$doc:meta])* $name:ident: $ty:ty = $from:ident;)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name(&mut self, field: &'static str) -> DecodeResult<$ty> {
            Ok(<$ty>::$from(self.array(field)?))
        }
    )*};
}

impl<'a> ReadCursor<'a> {
    /// A cursor at the start of `bytes`.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            offset: 0,
        }
    }

    /// A cursor at the start of `bytes`, which begin `offset` bytes into what arrived.
    #[inline]
    pub const fn with_offset(bytes: &'a [u8], offset: usize) -> Self {
        Self { rest: bytes, offset }
    }

    /// Bytes not read yet.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether everything has been read.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes from the start of the outermost buffer to the next byte read.
    #[inline]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The bytes not read yet, without reading them.
    #[inline]
    pub const fn peek(&self) -> &'a [u8] {
        self.rest
    }

    /// The next byte, without reading it.
    #[inline]
    pub fn peek_u8(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Reads all that is left.
    #[inline]
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = self.rest;
        self.rest = &[];
        self.offset += rest.len();
        rest
    }

    /// Reads the next `count` bytes.
    #[inline]
    pub fn bytes(&mut self, count: usize, field: &'static str) -> DecodeResult<&'a [u8]> {
        match self.rest.split_at_checked(count) {
            Some((bytes, rest)) => {
                self.rest = rest;
                self.offset += count;
                Ok(bytes)
            }
            None => Err(self.not_enough(count, field)),
        }
    }

    /// Reads the next `N` bytes into an array.
    #[inline]
    pub fn array<const N: usize>(&mut self, field: &'static str) -> DecodeResult<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((bytes, rest)) => {
                self.rest = rest;
                self.offset += N;
                Ok(*bytes)
            }
            None => Err(self.not_enough(N, field)),
        }
    }

    /// Reads and drops the next `count` bytes.
    #[inline]
    pub fn skip(&mut self, count: usize, field: &'static str) -> DecodeResult<()> {
        self.bytes(count, field).map(|_| ())
    }

    /// Reads the next `count` bytes as a cursor of their own, which cannot read past them.
    ///
    /// A `count` beyond the end is reported as a length that lies.
    #[inline]
    pub fn sub(&mut self, count: usize, field: &'static str) -> DecodeResult<ReadCursor<'a>> {
        let offset = self.offset;
        if count > self.rest.len() {
            return Err(self.lies(field, count, self.rest.len()));
        }
        Ok(ReadCursor {
            rest: self.bytes(count, field)?,
            offset,
        })
    }

    read_number! {
        /// Reads a byte.
        u8: u8 = from_le_bytes;
        /// Reads a little-endian 16-bit number.
        u16_le: u16 = from_le_bytes;
        /// Reads a big-endian 16-bit number.
        u16_be: u16 = from_be_bytes;
        /// Reads a little-endian signed 16-bit number.
        i16_le: i16 = from_le_bytes;
        /// Reads a little-endian 32-bit number.
        u32_le: u32 = from_le_bytes;
        /// Reads a big-endian 32-bit number.
        u32_be: u32 = from_be_bytes;
        /// Reads a little-endian signed 32-bit number.
        i32_le: i32 = from_le_bytes;
        /// Reads a little-endian 64-bit number.
        u64_le: u64 = from_le_bytes;
    }

    #[cold]
    fn not_enough(&self, needed: usize, field: &'static str) -> DecodeError {
        DecodeError::new(
            field,
            self.offset,
            DecodeErrorKind::NotEnough {
                needed,
                left: self.rest.len(),
            },
        )
    }

    /// An error for a `field` just read whose value is not allowed. Its offset is the byte after it.
    #[cold]
    pub fn invalid(&self, field: &'static str, got: impl Into<u64>) -> DecodeError {
        DecodeError::new(field, self.offset, DecodeErrorKind::Invalid { got: got.into() })
    }

    /// An error for a legal value that this implementation does not do.
    #[cold]
    pub fn unsupported(&self, field: &'static str, got: impl Into<u64>) -> DecodeError {
        DecodeError::new(
            field,
            self.offset,
            DecodeErrorKind::Unsupported { got: got.into() },
        )
    }

    /// An error for a length or count that promises something else than is there.
    #[cold]
    pub fn lies(&self, field: &'static str, declared: usize, available: usize) -> DecodeError {
        DecodeError::new(
            field,
            self.offset,
            DecodeErrorKind::LengthLies { declared, available },
        )
    }

    /// An error for a value above a limit of ours.
    #[cold]
    pub fn limit(&self, field: &'static str, got: usize, max: usize) -> DecodeError {
        DecodeError::new(field, self.offset, DecodeErrorKind::Limit { got, max })
    }

    /// An error for text that is not valid in its encoding.
    #[cold]
    pub fn text(&self, field: &'static str) -> DecodeError {
        DecodeError::new(field, self.offset, DecodeErrorKind::Text)
    }

    /// An error for bytes left over where the structure should have ended.
    #[cold]
    pub fn trailing(&self) -> DecodeError {
        DecodeError::new(
            "end",
            self.offset,
            DecodeErrorKind::Trailing {
                left: self.rest.len(),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_their_byte_order() {
        let mut src = ReadCursor::new(&[1, 2, 1, 2, 1, 0, 0, 0, 0xff, 0xff]);
        assert_eq!(src.u16_le("a").unwrap(), 0x0201);
        assert_eq!(src.u16_be("b").unwrap(), 0x0102);
        assert_eq!(src.u32_le("c").unwrap(), 1);
        assert_eq!(src.i16_le("d").unwrap(), -1);
        assert!(src.is_empty());
    }

    #[test]
    fn a_short_read_takes_nothing_and_says_what_was_missing() {
        let mut src = ReadCursor::new(&[1, 2, 3]);
        src.u8("first").unwrap();
        let error = src.u32_le("second").unwrap_err();
        assert_eq!((error.offset(), error.field()), (1, "second"));
        assert_eq!(error.kind(), DecodeErrorKind::NotEnough { needed: 4, left: 2 });
        assert_eq!(src.remaining(), 2);
    }

    #[test]
    fn a_sub_cursor_keeps_absolute_offsets_and_cannot_read_past_its_end() {
        let mut src = ReadCursor::new(&[9, 1, 2, 3]);
        src.u8("tag").unwrap();
        let mut inner = src.sub(2, "length").unwrap();
        assert_eq!(inner.offset(), 1);
        inner.u16_le("x").unwrap();
        assert_eq!(inner.u8("y").unwrap_err().offset(), 3);
        assert_eq!(src.u8("after").unwrap(), 3);
        let error = src.sub(10, "length").unwrap_err();
        assert_eq!(
            error.kind(),
            DecodeErrorKind::LengthLies {
                declared: 10,
                available: 0
            }
        );
    }
}
