//! The few BER forms that the MCS connect PDUs use (X.690; T.125 section 7, part 1).

use ironrdp_core::{DecodeResult, EncodeResult, ReadCursor, WriteCursor, len_u16};

pub(crate) const TAG_BOOLEAN: u8 = 0x01;
pub(crate) const TAG_INTEGER: u8 = 0x02;
pub(crate) const TAG_OCTET_STRING: u8 = 0x04;
pub(crate) const TAG_ENUMERATED: u8 = 0x0a;
pub(crate) const TAG_SEQUENCE: u8 = 0x30;

/// How an INTEGER whose highest bit is set is written.
///
/// BER numbers are signed, so 65,535 takes a leading zero byte. Windows clients leave it out in Connect Initial
/// (MS-RDPBCGR 4.1.3) and Windows servers write it in Connect Response (4.1.4); reading, all are taken as unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    LeadingZero,
    Omitted,
}

/// Reads `tag` and a length, and gives the contents.
pub(crate) fn read_contents<'a>(
    src: &mut ReadCursor<'a>,
    tag: u8,
    field: &'static str,
) -> DecodeResult<ReadCursor<'a>> {
    let got = src.u8(field)?;
    if got != tag {
        return Err(src.invalid(field, got));
    }
    let length = read_length(src, field)?;
    src.sub(length, field)
}

/// Reads the application tag `number` (above 30, so in the two-byte form) and a length, and gives the contents.
pub(crate) fn read_application<'a>(
    src: &mut ReadCursor<'a>,
    number: u8,
    field: &'static str,
) -> DecodeResult<ReadCursor<'a>> {
    let got = src.u16_be(field)?;
    if got != application_tag(number) {
        return Err(src.invalid(field, got));
    }
    let length = read_length(src, field)?;
    src.sub(length, field)
}

fn read_length(src: &mut ReadCursor<'_>, field: &'static str) -> DecodeResult<usize> {
    match src.u8(field)? {
        short @ 0..=0x7f => Ok(usize::from(short)),
        0x81 => src.u8(field).map(usize::from),
        0x82 => src.u16_be(field).map(usize::from),
        // Longer than a TPKT packet can be, or indefinite (0x80).
        other => Err(src.unsupported(field, other)),
    }
}

/// Reads an INTEGER as an unsigned number.
pub(crate) fn read_integer(src: &mut ReadCursor<'_>, field: &'static str) -> DecodeResult<u32> {
    let mut contents = read_contents(src, TAG_INTEGER, field)?;
    let size = contents.remaining();
    let value = contents.rest().iter().try_fold(0u32, |sum, byte| {
        let shifted = sum.checked_mul(256)?;
        Some(shifted | u32::from(*byte))
    });
    match value {
        Some(value) if size > 0 => Ok(value),
        _ => Err(src.lies(field, size, 4)),
    }
}

pub(crate) fn read_enumerated(src: &mut ReadCursor<'_>, field: &'static str) -> DecodeResult<u8> {
    read_one_byte(src, TAG_ENUMERATED, field)
}

pub(crate) fn read_boolean(src: &mut ReadCursor<'_>, field: &'static str) -> DecodeResult<bool> {
    read_one_byte(src, TAG_BOOLEAN, field).map(|byte| byte != 0)
}

fn read_one_byte(src: &mut ReadCursor<'_>, tag: u8, field: &'static str) -> DecodeResult<u8> {
    let mut contents = read_contents(src, tag, field)?;
    let size = contents.remaining();
    let byte = contents.u8(field)?;
    if !contents.is_empty() {
        return Err(src.lies(field, size, 1));
    }
    Ok(byte)
}

/// Bytes of tag, length and contents.
pub(crate) const fn size_with_header(contents: usize) -> usize {
    1 /* tag */ + length_size(contents) + contents
}

/// Bytes of an application tag above 30, length and contents.
pub(crate) const fn size_with_application_header(contents: usize) -> usize {
    2 /* tag */ + length_size(contents) + contents
}

const fn length_size(length: usize) -> usize {
    match length {
        0..0x80 => 1,
        0x80..0x100 => 2,
        _ => 3,
    }
}

pub(crate) fn write_header(
    dst: &mut WriteCursor<'_>,
    tag: u8,
    length: usize,
    pdu: &'static str,
) -> EncodeResult<()> {
    dst.u8(tag)?;
    write_length(dst, length, pdu)
}

pub(crate) fn write_application_header(
    dst: &mut WriteCursor<'_>,
    number: u8,
    length: usize,
    pdu: &'static str,
) -> EncodeResult<()> {
    dst.u16_be(application_tag(number))?;
    write_length(dst, length, pdu)
}

const fn application_tag(number: u8) -> u16 {
    const APPLICATION_CONSTRUCTED: u8 = 0x60;
    const NUMBER_FOLLOWS: u8 = 0x1f;
    u16::from_be_bytes([APPLICATION_CONSTRUCTED | NUMBER_FOLLOWS, number])
}

fn write_length(dst: &mut WriteCursor<'_>, length: usize, pdu: &'static str) -> EncodeResult<()> {
    match len_u16(length, pdu, "length")?.to_be_bytes() {
        [0, low @ 0..0x80] => dst.u8(low),
        [0, low] => dst.bytes(&[0x81, low]),
        [high, low] => dst.bytes(&[0x82, high, low]),
    }
}

/// Bytes of an INTEGER with its header.
pub(crate) const fn integer_size(value: u32, sign: Sign) -> usize {
    let bits = 32 - value.leading_zeros() + matches!(sign, Sign::LeadingZero) as u32;
    let contents = match bits {
        0..=8 => 1,
        9..=16 => 2,
        17..=24 => 3,
        25..=32 => 4,
        _ => 5,
    };
    size_with_header(contents)
}

pub(crate) fn write_integer(
    dst: &mut WriteCursor<'_>,
    value: u32,
    sign: Sign,
    pdu: &'static str,
) -> EncodeResult<()> {
    let contents = integer_size(value, sign) - 2 /* tag, length */;
    write_header(dst, TAG_INTEGER, contents, pdu)?;
    let digits = u64::from(value).to_be_bytes();
    dst.bytes(digits.get(digits.len() - contents..).unwrap_or_default())
}

pub(crate) fn write_boolean(dst: &mut WriteCursor<'_>, value: bool) -> EncodeResult<()> {
    dst.bytes(&[TAG_BOOLEAN, 1, if value { 0xff } else { 0 }])
}

pub(crate) fn write_enumerated(dst: &mut WriteCursor<'_>, value: u8) -> EncodeResult<()> {
    dst.bytes(&[TAG_ENUMERATED, 1, value])
}

pub(crate) fn write_octet_string(
    dst: &mut WriteCursor<'_>,
    bytes: &[u8],
    pdu: &'static str,
) -> EncodeResult<()> {
    write_header(dst, TAG_OCTET_STRING, bytes.len(), pdu)?;
    dst.bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn integer(value: u32, sign: Sign) -> Vec<u8> {
        let mut out = vec![0; integer_size(value, sign)];
        let mut dst = WriteCursor::new(&mut out);
        write_integer(&mut dst, value, sign, "P").unwrap();
        assert_eq!(dst.remaining(), 0);
        out
    }

    #[test]
    fn integers_are_written_shortest_and_read_unsigned() {
        for (value, signed, bare) in [
            (0, vec![2, 1, 0], vec![2, 1, 0]),
            (0x7f, vec![2, 1, 0x7f], vec![2, 1, 0x7f]),
            (0x80, vec![2, 2, 0, 0x80], vec![2, 1, 0x80]),
            (0xffff, vec![2, 3, 0, 0xff, 0xff], vec![2, 2, 0xff, 0xff]),
            (
                u32::MAX,
                vec![2, 5, 0, 0xff, 0xff, 0xff, 0xff],
                vec![2, 4, 0xff, 0xff, 0xff, 0xff],
            ),
        ] {
            assert_eq!(integer(value, Sign::LeadingZero), signed);
            assert_eq!(integer(value, Sign::Omitted), bare);
            for bytes in [signed, bare] {
                assert_eq!(read_integer(&mut ReadCursor::new(&bytes), "n").unwrap(), value);
            }
        }
    }

    #[test]
    fn integers_of_no_bytes_or_more_than_32_bits_are_refused() {
        for bytes in [&[2u8, 0][..], &[2, 5, 1, 0, 0, 0, 0], &[2, 6, 0, 1, 2, 3, 4, 5]] {
            assert!(read_integer(&mut ReadCursor::new(bytes), "n").is_err());
        }
    }

    #[test]
    fn lengths_are_taken_in_every_definite_form_and_never_believed() {
        for bytes in [&[4u8, 1, 9][..], &[4, 0x81, 1, 9], &[4, 0x82, 0, 1, 9]] {
            let mut contents = read_contents(&mut ReadCursor::new(bytes), TAG_OCTET_STRING, "s").unwrap();
            assert_eq!(contents.rest(), [9]);
        }
        for bytes in [
            &[4u8, 2, 9][..],
            &[4, 0x80, 9],
            &[4, 0x83, 0, 0, 1, 9],
            &[4, 0x82, 0],
        ] {
            assert!(read_contents(&mut ReadCursor::new(bytes), TAG_OCTET_STRING, "s").is_err());
        }
    }
}
