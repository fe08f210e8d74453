//! Just enough DER for CredSSP: elements with one-byte tags and definite lengths (X.690).

use ironrdp_core::{DecodeResult, EncodeResult, ReadCursor, WriteCursor};

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;

/// The tag of the explicitly tagged field `[number]`.
pub(super) const fn field(number: u8) -> u8 {
    0xa0 | number
}

/// Takes the next element, whatever its tag.
pub(super) fn take_any<'a>(
    src: &mut ReadCursor<'a>,
    name: &'static str,
) -> DecodeResult<(u8, ReadCursor<'a>)> {
    let tag = src.u8(name)?;
    let at_length = src.clone();
    let first = src.u8(name)?;
    let length = match first {
        0..=0x7f => usize::from(first),
        // Nothing here is longer than a message may be (64 KiB), but some peers write longer lengths than they need.
        0x81..=0x84 => {
            let digits = src.bytes(usize::from(first & 0x7f), name)?;
            let length = digits
                .iter()
                .fold(0_u64, |length, digit| length << 8 | u64::from(*digit));
            usize::try_from(length).unwrap_or(usize::MAX)
        }
        _ => return Err(at_length.unsupported(name, first)),
    };
    Ok((tag, src.sub(length, name)?))
}

/// Takes the next element, which must be tagged `tag`.
pub(super) fn take<'a>(
    src: &mut ReadCursor<'a>,
    tag: u8,
    name: &'static str,
) -> DecodeResult<ReadCursor<'a>> {
    let start = src.clone();
    let (got, content) = take_any(src, name)?;
    if got == tag {
        Ok(content)
    } else {
        Err(start.invalid(name, got))
    }
}

/// Takes the element of tag `tag` that must be all that `src` holds.
pub(super) fn only<'a>(mut src: ReadCursor<'a>, tag: u8, name: &'static str) -> DecodeResult<ReadCursor<'a>> {
    let content = take(&mut src, tag, name)?;
    end(&src)?;
    Ok(content)
}

/// An error unless `src` is used up.
pub(super) fn end(src: &ReadCursor<'_>) -> DecodeResult<()> {
    if src.is_empty() {
        Ok(())
    } else {
        Err(src.trailing())
    }
}

/// The INTEGER that must be all that `src` holds, as 32 bits. `0xC000006D` may come as four bytes (a negative number, as
/// Windows writes status codes) or as five.
pub(super) fn only_u32(src: ReadCursor<'_>, name: &'static str) -> DecodeResult<u32> {
    let mut content = only(src, INTEGER, name)?;
    let start = content.clone();
    match content.rest() {
        [] => Err(start.invalid(name, 0_u8)),
        [0, digits @ ..] | digits if digits.len() <= 4 => Ok(digits
            .iter()
            .fold(0, |value, digit| value << 8 | u32::from(*digit))),
        [first, ..] => Err(start.unsupported(name, *first)),
    }
}

/// Bytes that an element with `content` bytes in it takes.
pub(super) const fn size(content: usize) -> usize {
    1 /* tag */ + content + match content {
        0..=0x7f => 1,
        0x80..=0xff => 2,
        0x100..=0xffff => 3,
        _ => 5,
    }
}

/// Writes tag and length of an element with `content` bytes in it.
pub(super) fn header(dst: &mut WriteCursor<'_>, tag: u8, content: usize) -> EncodeResult<()> {
    dst.u8(tag)?;
    let digits = u32::try_from(content).unwrap_or(u32::MAX).to_be_bytes();
    match content {
        0..=0x7f => dst.bytes(&digits[3..]),
        0x80..=0xff => {
            dst.u8(0x81)?;
            dst.bytes(&digits[3..])
        }
        0x100..=0xffff => {
            dst.u8(0x82)?;
            dst.bytes(&digits[2..])
        }
        _ => {
            dst.u8(0x84)?;
            dst.bytes(&digits)
        }
    }
}

/// Bytes that the field `[number] OCTET STRING` takes.
pub(super) const fn octets_size(content: usize) -> usize {
    size(size(content))
}

/// Writes the field `[number] OCTET STRING`.
pub(super) fn octets(dst: &mut WriteCursor<'_>, number: u8, content: &[u8]) -> EncodeResult<()> {
    header(dst, field(number), size(content.len()))?;
    header(dst, OCTET_STRING, content.len())?;
    dst.bytes(content)
}
