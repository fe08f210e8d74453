//! Static virtual channel data, cut into chunks (MS-RDPBCGR 2.2.6.1).

use bitflags::bitflags;
use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u32};

use crate::client_info::CompressionType;

/// Most bytes of a message in one chunk unless the capabilities say more (`CHANNEL_CHUNK_LENGTH`, MS-RDPBCGR 2.2.6.1).
pub const CHANNEL_CHUNK_LENGTH: usize = 1_600;

bitflags! {
    /// What a chunk is (`flags` of `CHANNEL_PDU_HEADER`, MS-RDPBCGR 2.2.6.1.1).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct ChannelFlags: u32 {
        /// The first chunk of its message.
        const FIRST = 0x0000_0001;
        /// The last chunk of its message.
        const LAST = 0x0000_0002;
        /// The receiver is to see this header.
        const SHOW_PROTOCOL = 0x0000_0010;
        /// All channels pause.
        const SUSPEND = 0x0000_0020;
        /// All channels go on.
        const RESUME = 0x0000_0040;
        /// The chunk is for session shadowing.
        const SHADOW_PERSISTENT = 0x0000_0080;
        /// The data is bulk-compressed; see [`compression_type`](Self::compression_type).
        const PACKET_COMPRESSED = 0x0020_0000;
        /// The compressor started over at the front of its history.
        const PACKET_AT_FRONT = 0x0040_0000;
        /// The compressor emptied its history.
        const PACKET_FLUSHED = 0x0080_0000;
        /// The compression type and bits this version does not know.
        const _ = !0;
    }
}

impl ChannelFlags {
    const COMPRESSION_TYPE_SHIFT: u32 = 16;

    /// The kind of compression; `None` when the data is not compressed.
    pub fn compression_type(self) -> Option<CompressionType> {
        self.contains(Self::PACKET_COMPRESSED)
            .then(|| CompressionType::from(self.bits() >> Self::COMPRESSION_TYPE_SHIFT))
    }

    /// The bits that a bulk decompressor wants in one byte: the type in the low four, and
    /// `PACKET_COMPRESSED` 0x20, `PACKET_AT_FRONT` 0x40, `PACKET_FLUSHED` 0x80, as in a share data header.
    pub const fn bulk_flags(self) -> u8 {
        (self.bits() >> Self::COMPRESSION_TYPE_SHIFT).to_le_bytes()[0]
    }
}

/// The header of a chunk (`CHANNEL_PDU_HEADER`, MS-RDPBCGR 2.2.6.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelPduHeader {
    /// Bytes of the whole message, not of this chunk. A promise of the peer: never allocate by it.
    pub length: u32,
    /// What this chunk is.
    pub flags: ChannelFlags,
}

impl ChannelPduHeader {
    /// Bytes on the wire.
    pub const SIZE: usize = 4 /* length */ + 4 /* flags */;
}

impl Decode<'_> for ChannelPduHeader {
    const NAME: &'static str = "ChannelPduHeader";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            length: src.u32_le("length")?,
            flags: ChannelFlags::from_bits_retain(src.u32_le("flags")?),
        })
    }
}

impl Encode for ChannelPduHeader {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        Self::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.length)?;
        dst.u32_le(self.flags.bits())
    }
}

/// A part of a channel message (`virtualChannelData` with its header, MS-RDPBCGR 2.2.6.1).
///
/// Takes all of its envelope. Whether chunks add up to the message their headers promise is for the receiver to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelChunk<'a> {
    /// Which part of which message.
    pub header: ChannelPduHeader,
    /// The bytes of this part.
    pub data: &'a [u8],
}

impl<'de> Decode<'de> for ChannelChunk<'de> {
    const NAME: &'static str = "ChannelChunk";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        Ok(Self {
            header: ChannelPduHeader::decode(src)?,
            data: src.rest(),
        })
    }
}

impl Encode for ChannelChunk<'_> {
    fn name(&self) -> &'static str {
        "ChannelChunk"
    }

    fn size(&self) -> usize {
        ChannelPduHeader::SIZE + self.data.len()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        self.header.encode(dst)?;
        dst.bytes(self.data)
    }
}

/// Cuts `message` into chunks of at most `chunk_length` bytes (see [`CHANNEL_CHUNK_LENGTH`]; 0 counts as 1).
///
/// `flags` go into every header; `FIRST` and `LAST` are set where they belong. An empty message gives one empty chunk.
pub fn chunks(message: &[u8], flags: ChannelFlags, chunk_length: usize) -> EncodeResult<Chunks<'_>> {
    Ok(Chunks {
        total: len_u32(message.len(), "ChannelChunk", "length")?,
        rest: Some(message),
        is_first: true,
        flags: flags.difference(ChannelFlags::FIRST.union(ChannelFlags::LAST)),
        chunk_length: chunk_length.max(1),
    })
}

/// The chunks of one message, in order; made by [`chunks`].
#[derive(Debug, Clone)]
pub struct Chunks<'a> {
    total: u32,
    rest: Option<&'a [u8]>,
    is_first: bool,
    flags: ChannelFlags,
    chunk_length: usize,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = ChannelChunk<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest?;
        let mut flags = self.flags;
        flags.set(ChannelFlags::FIRST, self.is_first);
        self.is_first = false;
        let data = match rest.split_at_checked(self.chunk_length) {
            Some((data, more)) if !more.is_empty() => {
                self.rest = Some(more);
                data
            }
            _ => {
                self.rest = None;
                flags |= ChannelFlags::LAST;
                rest
            }
        };
        Some(ChannelChunk {
            header: ChannelPduHeader {
                length: self.total,
                flags,
            },
            data,
        })
    }
}
