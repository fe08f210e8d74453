//! The header that fast-path input and output share: action, four bits of the direction's own, flags, length.

use ironrdp_core::{DecodeResult, EncodeResult, ReadCursor, WriteCursor};
use ironrdp_core::{EncodeError, EncodeErrorKind};

/// Longest frame: the length has 15 bits.
pub(crate) const MAX_FRAME_SIZE: usize = 0x7fff;

const NAME: &str = "FastPathHeader";
const MAX_SHORT_LENGTH: usize = 0x7f;

/// Reads the header; gives the four bits between action and flags, and a cursor over the body.
pub(crate) fn read<'de>(src: &mut ReadCursor<'de>) -> DecodeResult<(u8, ReadCursor<'de>)> {
    read_inner(src).map_err(|error| error.in_pdu(NAME))
}

fn read_inner<'de>(src: &mut ReadCursor<'de>) -> DecodeResult<(u8, ReadCursor<'de>)> {
    let first = src.u8("action")?;
    if first & 0b11 != 0 {
        return Err(src.invalid("action", first & 0b11));
    }
    let flags = first >> 6;
    // Flags say that the body is encrypted, or signed in one of two ways, by standard RDP security: without its keys
    // there is no telling where the body starts.
    if flags != 0 {
        return Err(src.unsupported("flags", flags));
    }
    let (length, header_size) = match src.u8("length1")? {
        short @ 0..0x80 => (usize::from(short), 2),
        high => (
            usize::from(u16::from_be_bytes([high & 0x7f, src.u8("length2")?])),
            3,
        ),
    };
    let Some(body_size) = length.checked_sub(header_size) else {
        return Err(src.lies("length", length, header_size));
    };
    if body_size > src.remaining() {
        return Err(src.lies("length", length, header_size + src.remaining()));
    }
    Ok((first >> 2 & 0x0f, src.sub(body_size, "length")?))
}

/// Bytes of a frame with a body of `body_size`.
pub(crate) const fn frame_size(body_size: usize) -> usize {
    let short = 1 + 1 + body_size;
    if short <= MAX_SHORT_LENGTH {
        short
    } else {
        short + 1
    }
}

/// Writes the header of a frame with a body of `body_size`; `bits` go between action and flags.
pub(crate) fn write(dst: &mut WriteCursor<'_>, bits: u8, body_size: usize) -> EncodeResult<()> {
    let length = frame_size(body_size);
    let too_large = || {
        let kind = EncodeErrorKind::TooLarge {
            value: length,
            max: MAX_FRAME_SIZE,
        };
        EncodeError::new(NAME, "length", kind)
    };
    let wire = u16::try_from(length)
        .ok()
        .filter(|wire| usize::from(*wire) <= MAX_FRAME_SIZE)
        .ok_or_else(too_large)?;
    dst.u8((bits & 0x0f) << 2)?;
    let [high, low] = wire.to_be_bytes();
    if length > MAX_SHORT_LENGTH {
        dst.u8(0x80 | high)?;
    }
    dst.u8(low)
}
