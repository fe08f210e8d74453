//! Static channel chunks: bytes written out from the specification.

mod common;

use common::{decode_error, encode_round_trip, hex, round_trip};
use ironrdp_core::{decode_exact, encode_vec};
use ironrdp_pdu::channel::{CHANNEL_CHUNK_LENGTH, ChannelChunk, ChannelFlags, ChannelPduHeader, chunks};
use ironrdp_pdu::client_info::CompressionType;

#[test]
fn a_chunk_is_a_header_and_the_rest() {
    let chunk: ChannelChunk<'_> = round_trip(hex("0a000000 13000000 aabbcc"));
    assert_eq!(chunk.header.length, 10);
    assert_eq!(
        chunk.header.flags,
        ChannelFlags::FIRST | ChannelFlags::LAST | ChannelFlags::SHOW_PROTOCOL
    );
    assert_eq!(chunk.data, [0xaa, 0xbb, 0xcc]);
    let error = decode_error::<ChannelChunk<'_>>(hex("0a000000 130000"));
    assert_eq!((error.pdu(), error.field()), ("ChannelPduHeader", "flags"));
}

#[test]
fn compression_bits_stand_where_share_data_has_them() {
    let flags = ChannelFlags::from_bits_retain(0x0061_0003);
    assert_eq!(flags.compression_type(), Some(CompressionType::Mppc64K));
    assert_eq!(flags.bulk_flags(), 0x61);
    // A type without the flag means nothing.
    assert_eq!(
        ChannelFlags::from_bits_retain(0x0001_0003).compression_type(),
        None
    );
    encode_round_trip(&ChannelPduHeader { length: 1, flags });
}

/// The place bits and the length of each chunk, after a check of everything else.
#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn cut(message: &[u8], chunk_length: usize) -> Vec<(u32, usize)> {
    let flags = ChannelFlags::SHOW_PROTOCOL | ChannelFlags::LAST;
    let mut joined = Vec::new();
    let cuts = chunks(message, flags, chunk_length)
        .unwrap()
        .map(|chunk| {
            assert_eq!(usize::try_from(chunk.header.length).unwrap(), message.len());
            let bytes = encode_vec(&chunk).unwrap();
            assert_eq!(decode_exact::<ChannelChunk<'_>>(&bytes).unwrap(), chunk);
            joined.extend_from_slice(chunk.data);
            (chunk.header.flags.bits() & !0x10, chunk.data.len())
        })
        .collect();
    assert_eq!(joined, message);
    cuts
}

#[test]
fn a_message_is_cut_into_chunks_that_know_their_place() {
    assert_eq!(
        cut(&[7; 3_201], CHANNEL_CHUNK_LENGTH),
        [(1, 1_600), (0, 1_600), (2, 1)]
    );
    assert_eq!(cut(&[7; 3_200], CHANNEL_CHUNK_LENGTH), [(1, 1_600), (2, 1_600)]);
    assert_eq!(cut(&[7; 1_600], CHANNEL_CHUNK_LENGTH), [(3, 1_600)]);
    assert_eq!(cut(&[7; 2], CHANNEL_CHUNK_LENGTH), [(3, 2)]);
}

#[test]
fn an_empty_message_is_one_empty_chunk_and_a_zero_chunk_length_still_ends() {
    assert_eq!(cut(&[], CHANNEL_CHUNK_LENGTH), [(3, 0)]);
    assert_eq!(cut(&[1, 2], 0), [(1, 1), (2, 1)]);
}
