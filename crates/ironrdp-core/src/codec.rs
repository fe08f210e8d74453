//! The two traits of a wire structure and the functions around them.

use alloc::vec;
use alloc::vec::Vec;

use crate::{DecodeResult, EncodeError, EncodeErrorKind, EncodeResult, ReadCursor, WriteBuf, WriteCursor};

/// A structure that can be read from the wire, borrowing from the input where it can.
pub trait Decode<'de>: Sized {
    /// The structure's name, as errors give it.
    const NAME: &'static str;

    /// Reads the fields. Implementations write this; callers use [`decode`](Self::decode), which names the structure in errors.
    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self>;

    /// Reads the structure and leaves the cursor after it.
    #[inline]
    fn decode(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        Self::decode_body(src).map_err(|error| error.in_pdu(Self::NAME))
    }
}

/// A structure that can be written to the wire.
pub trait Encode {
    /// The structure's name, as errors give it.
    fn name(&self) -> &'static str;

    /// Bytes that [`encode`](Self::encode) will write, exactly.
    fn size(&self) -> usize;

    /// Writes the structure.
    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()>;
}

impl<T: Encode + ?Sized> Encode for &T {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn size(&self) -> usize {
        (**self).size()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        (**self).encode(dst)
    }
}

/// Bytes that are already encoded.
impl Encode for [u8] {
    fn name(&self) -> &'static str {
        "bytes"
    }

    fn size(&self) -> usize {
        self.len()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.bytes(self)
    }
}

/// Reads a `T` from the start of `bytes`; bytes after it are not looked at.
pub fn decode<'de, T: Decode<'de>>(bytes: &'de [u8]) -> DecodeResult<T> {
    T::decode(&mut ReadCursor::new(bytes))
}

/// Reads a `T` that takes all of `bytes`; bytes after it are an error.
pub fn decode_exact<'de, T: Decode<'de>>(bytes: &'de [u8]) -> DecodeResult<T> {
    let mut src = ReadCursor::new(bytes);
    let value = T::decode(&mut src)?;
    if src.is_empty() {
        Ok(value)
    } else {
        Err(src.trailing().in_pdu(T::NAME))
    }
}

/// Writes `value` into a new vector of exactly its size.
pub fn encode_vec<T: Encode + ?Sized>(value: &T) -> EncodeResult<Vec<u8>> {
    let mut bytes = vec![0; value.size()];
    encode_slice(value, &mut bytes)?;
    Ok(bytes)
}

/// Appends `value` to `out` and returns the bytes written. On error `out` is as it was.
pub fn encode_into<T: Encode + ?Sized>(value: &T, out: &mut WriteBuf) -> EncodeResult<usize> {
    let size = value.size();
    out.append_with(size, |room| encode_slice(value, room))?;
    Ok(size)
}

fn encode_slice<T: Encode + ?Sized>(value: &T, room: &mut [u8]) -> EncodeResult<()> {
    let mut dst = WriteCursor::new(room);
    value
        .encode(&mut dst)
        .map_err(|error| error.in_pdu(value.name()))?;
    // size() promised more than encode() wrote: the peer would read the zeros as the next PDU.
    match dst.remaining() {
        0 => Ok(()),
        left => Err(EncodeError::new(
            value.name(),
            "size",
            EncodeErrorKind::NoRoom { needed: 0, left },
        )),
    }
}

macro_rules! checked_length {
    ($($(#[$doc:meta])* $name:ident: $ty:ty;)*) => {$(
        $(#[$doc])*
        pub fn $name(value: usize, pdu: &'static str, field: &'static str) -> EncodeResult<$ty> {
            const MAX: usize = <$ty>::MAX as usize;
            <$ty>::try_from(value)
                .map_err(|_| EncodeError::new(pdu, field, EncodeErrorKind::TooLarge { value, max: MAX }))
        }
    )*};
}

checked_length! {
    /// `value` as an 8-bit wire field, or an error naming `pdu` and `field`.
    len_u8: u8;
    /// `value` as a 16-bit wire field, or an error naming `pdu` and `field`.
    len_u16: u16;
    /// `value` as a 32-bit wire field, or an error naming `pdu` and `field`.
    len_u32: u32;
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    struct Liar;

    impl Encode for Liar {
        fn name(&self) -> &'static str {
            "Liar"
        }

        fn size(&self) -> usize {
            4
        }

        fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
            dst.u16_le(1)
        }
    }

    #[test]
    fn a_size_that_disagrees_with_encode_is_an_error_and_writes_nothing() {
        let mut out = WriteBuf::new();
        encode_into(&[1u8, 2][..], &mut out).unwrap();
        assert!(encode_into(&Liar, &mut out).is_err());
        assert_eq!(out.filled(), [1, 2]);
    }

    #[test]
    fn a_length_too_large_for_its_field_is_refused() {
        assert_eq!(len_u16(65_535, "P", "f").unwrap(), 65_535);
        assert_eq!(
            len_u16(65_536, "P", "f").unwrap_err().to_string(),
            "f of P is 65536, the wire holds at most 65535"
        );
    }
}
