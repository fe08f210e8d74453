//! The header of every settings block, and blocks this crate does not know.

use alloc::vec::Vec;

use ironrdp_core::{
    Decode, DecodeError, DecodeErrorKind, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor,
    len_u16,
};

pub(super) const HEADER_SIZE: usize = 2 /* type */ + 2 /* length, header included */;

/// Most blocks kept as they came. The specification has eight types a side; without a bound a peer that is not yet
/// authenticated could have 16,000 empty blocks stored from one packet.
const MAX_UNKNOWN: usize = 64;

/// A block of a type that this crate does not know, or the second one of a type (TS_UD_HEADER, MS-RDPBCGR 2.2.1.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawBlock {
    /// Type of the block.
    pub kind: u16,
    /// What follows its header.
    pub body: Vec<u8>,
}

impl Encode for RawBlock {
    fn name(&self) -> &'static str {
        "RawBlock"
    }

    fn size(&self) -> usize {
        HEADER_SIZE + self.body.len()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.kind)?;
        dst.u16_le(len_u16(self.size(), "RawBlock", "length")?)?;
        dst.bytes(&self.body)
    }
}

/// Reads a block's header and gives its type and its body.
pub(super) fn read_block<'a>(src: &mut ReadCursor<'a>) -> DecodeResult<(u16, ReadCursor<'a>)> {
    let kind = src.u16_le("type")?;
    let length = usize::from(src.u16_le("length")?);
    match length.checked_sub(HEADER_SIZE) {
        Some(body) => Ok((kind, src.sub(body, "length")?)),
        None => Err(src.lies("length", length, HEADER_SIZE)),
    }
}

/// Where the blocks of one side are collected: the first of a type counts, any later one is kept as it came.
pub(super) struct Slot<'a> {
    pub(super) kind: u16,
    pub(super) unknown: &'a mut Vec<RawBlock>,
}

impl Slot<'_> {
    /// Decodes `body` into `slot`. Bytes after the last field that is known belong to a newer version and are skipped.
    pub(super) fn fill<'de, T: Decode<'de>>(
        self,
        slot: &mut Option<T>,
        mut body: ReadCursor<'de>,
    ) -> DecodeResult<()> {
        if slot.is_some() {
            return self.keep(body);
        }
        *slot = Some(T::decode(&mut body)?);
        Ok(())
    }

    pub(super) fn keep(self, mut body: ReadCursor<'_>) -> DecodeResult<()> {
        if self.unknown.len() >= MAX_UNKNOWN {
            return Err(body.limit("unknown blocks", self.unknown.len() + 1, MAX_UNKNOWN));
        }
        self.unknown.push(RawBlock {
            kind: self.kind,
            body: body.rest().to_vec(),
        });
        Ok(())
    }
}

/// An error for a block that must be there and is not.
pub(super) fn missing(src: &ReadCursor<'_>, block: &'static str) -> DecodeError {
    let kind = DecodeErrorKind::NotEnough {
        needed: HEADER_SIZE,
        left: 0,
    };
    DecodeError::new(block, src.offset(), kind)
}

pub(super) fn block_size(body: &impl Encode) -> usize {
    HEADER_SIZE + body.size()
}

pub(super) fn optional_size(body: Option<&impl Encode>) -> usize {
    body.map_or(0, block_size)
}

pub(super) fn write_block(dst: &mut WriteCursor<'_>, kind: u16, body: &impl Encode) -> EncodeResult<()> {
    dst.u16_le(kind)?;
    dst.u16_le(len_u16(block_size(body), body.name(), "length")?)?;
    body.encode(dst).map_err(|error| error.in_pdu(body.name()))
}

pub(super) fn write_optional(
    dst: &mut WriteCursor<'_>,
    kind: u16,
    body: Option<&impl Encode>,
) -> EncodeResult<()> {
    body.map_or(Ok(()), |body| write_block(dst, kind, body))
}
