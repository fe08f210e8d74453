//! The few forms of aligned PER that MCS domain PDUs and the GCC conference PDUs use (X.691).
//!
//! Choices, optional-field bits and enumerations are packed into bits that cross byte boundaries; the modules that
//! have them take them apart themselves. Here is what is aligned to bytes.

use ironrdp_core::{DecodeResult, EncodeError, EncodeErrorKind, EncodeResult, ReadCursor, WriteCursor};

/// Longest data that one length determinant of RDP can announce.
///
/// X.691 ends at 16,383 and then fragments. RDP peers write 15 bits instead and never fragment.
pub(crate) const MAX_LENGTH: usize = 0x7fff;

/// Reads a length determinant of one byte, or of two when bit 7 is set.
#[inline]
pub(crate) fn read_length(src: &mut ReadCursor<'_>, field: &'static str) -> DecodeResult<usize> {
    let first = src.u8(field)?;
    if first & 0x80 == 0 {
        return Ok(usize::from(first));
    }
    let low = src.u8(field)?;
    Ok(usize::from(u16::from_be_bytes([first & 0x7f, low])))
}

/// Reads a length determinant and gives that many bytes as a cursor of their own.
#[inline]
pub(crate) fn read_octets<'a>(src: &mut ReadCursor<'a>, field: &'static str) -> DecodeResult<ReadCursor<'a>> {
    let length = read_length(src, field)?;
    src.sub(length, field)
}

/// Bytes of the shortest length determinant for `length`.
#[inline]
pub(crate) const fn length_size(length: usize) -> usize {
    if length < 0x80 { 1 } else { 2 }
}

/// Writes the shortest length determinant.
#[inline]
pub(crate) fn write_length(
    dst: &mut WriteCursor<'_>,
    length: usize,
    pdu: &'static str,
    field: &'static str,
) -> EncodeResult<()> {
    match u16::try_from(length) {
        Ok(length @ 0..0x80) => dst.bytes(&length.to_be_bytes()[1..]),
        Ok(length @ 0x80..=0x7fff) => dst.u16_be(length | 0x8000),
        _ => Err(EncodeError::new(
            pdu,
            field,
            EncodeErrorKind::TooLarge {
                value: length,
                max: MAX_LENGTH,
            },
        )),
    }
}

/// Reads an unconstrained INTEGER of at most four bytes, unsigned. No bytes at all read as zero.
pub(crate) fn read_integer(src: &mut ReadCursor<'_>, field: &'static str) -> DecodeResult<u32> {
    let mut digits = read_octets(src, field)?;
    if digits.remaining() > 4 {
        return Err(digits.lies(field, digits.remaining(), 4));
    }
    Ok(digits
        .rest()
        .iter()
        .fold(0, |sum, digit| sum << 8 | u32::from(*digit)))
}

/// Bytes of an INTEGER with its length.
pub(crate) const fn integer_size(value: u32) -> usize {
    1 + match value {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        // Peers read 1, 2 and 4 bytes; three are not customary.
        _ => 4,
    }
}

pub(crate) fn write_integer(dst: &mut WriteCursor<'_>, value: u32) -> EncodeResult<()> {
    match value.to_be_bytes() {
        [0, 0, 0, low] => dst.bytes(&[1, low]),
        [0, 0, high, low] => dst.bytes(&[2, high, low]),
        digits => {
            dst.u8(4)?;
            dst.bytes(&digits)
        }
    }
}

/// Reads an INTEGER of two bytes whose zero stands for `min`.
#[inline]
pub(crate) fn read_u16_from(src: &mut ReadCursor<'_>, min: u16, field: &'static str) -> DecodeResult<u16> {
    let offset = src.u16_be(field)?;
    offset
        .checked_add(min)
        .ok_or_else(|| src.invalid(field, u64::from(offset) + u64::from(min)))
}

/// Writes an INTEGER of two bytes whose zero stands for `min`.
#[inline]
pub(crate) fn write_u16_from(
    dst: &mut WriteCursor<'_>,
    value: u16,
    min: u16,
    pdu: &'static str,
    field: &'static str,
) -> EncodeResult<()> {
    match value.checked_sub(min) {
        Some(offset) => dst.u16_be(offset),
        None => Err(EncodeError::new(pdu, field, EncodeErrorKind::Invalid)),
    }
}

/// Reads and drops a `NumericString (SIZE (1..255))`: its length less one, then two digits a byte.
pub(crate) fn skip_numeric_string(src: &mut ReadCursor<'_>, field: &'static str) -> DecodeResult<()> {
    let digits = usize::from(src.u8(field)?) + 1;
    src.sub(digits.div_ceil(2), field).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn lengths_take_one_byte_below_128_and_two_up_to_15_bits() {
        for (length, bytes) in [
            (0, &[0][..]),
            (0x7f, &[0x7f]),
            (0x80, &[0x80, 0x80]),
            (0x156, &[0x81, 0x56]),
            (0x7fff, &[0xff, 0xff]),
        ] {
            let mut out = vec![0; length_size(length)];
            write_length(&mut WriteCursor::new(&mut out), length, "P", "f").unwrap();
            assert_eq!(out, bytes);
            assert_eq!(read_length(&mut ReadCursor::new(bytes), "f").unwrap(), length);
        }
        let mut out = [0; 4];
        assert!(write_length(&mut WriteCursor::new(&mut out), 0x8000, "P", "f").is_err());
    }

    #[test]
    fn integers_come_back() {
        for value in [0, 1, 0xff, 0x100, 0xffff, 0x1_0000, u32::MAX] {
            let mut out = vec![0; integer_size(value)];
            write_integer(&mut WriteCursor::new(&mut out), value).unwrap();
            assert_eq!(read_integer(&mut ReadCursor::new(&out), "n").unwrap(), value);
        }
        assert!(read_integer(&mut ReadCursor::new(&[5, 0, 0, 0, 0, 1]), "n").is_err());
    }

    #[test]
    fn a_number_beyond_its_range_is_refused_both_ways() {
        assert_eq!(
            read_u16_from(&mut ReadCursor::new(&[0, 6]), 1001, "id").unwrap(),
            1007
        );
        assert!(read_u16_from(&mut ReadCursor::new(&[0xff, 0xff]), 1001, "id").is_err());
        let mut out = [0; 2];
        assert!(write_u16_from(&mut WriteCursor::new(&mut out), 1000, 1001, "P", "id").is_err());
    }

    #[test]
    fn a_numeric_string_longer_than_the_input_is_refused() {
        assert!(skip_numeric_string(&mut ReadCursor::new(&[0, 0x10]), "name").is_ok());
        assert!(skip_numeric_string(&mut ReadCursor::new(&[1, 0x12]), "name").is_ok());
        assert!(skip_numeric_string(&mut ReadCursor::new(&[2, 0x12]), "name").is_err());
    }
}
