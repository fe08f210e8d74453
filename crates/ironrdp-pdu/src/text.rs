//! UTF-16LE text as RDP carries it: in fixed fields padded with zeros, or counted with or without a terminator.

use alloc::string::String;

use ironrdp_core::{DecodeResult, EncodeError, EncodeErrorKind, EncodeResult, ReadCursor, WriteCursor};

/// Bytes `text` takes as UTF-16LE, without terminator.
pub fn utf16_size(text: &str) -> usize {
    text.encode_utf16().count() * 2
}

/// Reads a field of `size` bytes and takes the text before the first NUL (or all of it).
///
/// Unpaired surrogates become U+FFFD: names are information, and a peer with a broken one is still a peer.
pub fn read_utf16(src: &mut ReadCursor<'_>, size: usize, field: &'static str) -> DecodeResult<String> {
    let bytes = src.sub(size, field)?.rest();
    let units = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|unit| u16::from_le_bytes(*unit))
        .take_while(|unit| *unit != 0);
    Ok(char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect())
}

/// Writes `text` without terminator.
pub fn write_utf16(dst: &mut WriteCursor<'_>, text: &str) -> EncodeResult<()> {
    text.encode_utf16().try_for_each(|unit| dst.u16_le(unit))
}

/// Writes `text` and a terminating NUL.
pub fn write_utf16_z(dst: &mut WriteCursor<'_>, text: &str) -> EncodeResult<()> {
    write_utf16(dst, text)?;
    dst.u16_le(0)
}

/// Writes `text` into a field of `size` bytes, padded with zeros; at least one NUL must fit behind it.
pub fn write_utf16_padded(
    dst: &mut WriteCursor<'_>,
    text: &str,
    size: usize,
    field: &'static str,
) -> EncodeResult<()> {
    let used = utf16_size(text);
    if used + 2 > size {
        let max = size.saturating_sub(2);
        return Err(EncodeError::new(
            "",
            field,
            EncodeErrorKind::TooLarge { value: used, max },
        ));
    }
    write_utf16(dst, text)?;
    dst.zeros(size - used)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn text_ends_at_the_first_nul_and_broken_surrogates_do_not_matter() {
        let bytes = [b'a', 0, 0, 0xd8, b'b', 0, 0, 0, b'x', 0];
        let text = read_utf16(&mut ReadCursor::new(&bytes), 10, "name").unwrap();
        assert_eq!(text, "a\u{fffd}b");
    }

    #[test]
    fn a_padded_field_keeps_room_for_its_terminator() {
        let mut out = vec![0xff; 6];
        write_utf16_padded(&mut WriteCursor::new(&mut out), "ab", 6, "name").unwrap();
        assert_eq!(out, [b'a', 0, b'b', 0, 0, 0]);
        assert!(write_utf16_padded(&mut WriteCursor::new(&mut out), "abc", 6, "name").is_err());
    }
}
