//! The conference PDUs around the blocks (T.124 `ConnectData`, in aligned PER).
//!
//! Clients and servers write all of it as constants, so reading insists on the constants where another value would
//! mean other fields, and passes over the rest.

use core::fmt;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use super::{ClientGccBlocks, ServerGccBlocks};
use crate::per;

/// `Key`: choice "object", six bytes, {itu-t recommendation t 124 version(0) 1}.
const T124_OBJECT_KEY: [u8; 7] = [0x00, 0x05, 0x00, 0x14, 0x7c, 0x00, 0x01];

/// What stands in front of the only set of user data: their number, 1; choice h221NonStandard with a value; the key's
/// length less the least, 4.
const USER_DATA_HEADER: [u8; 3] = [0x01, 0xc0, 0x00];

/// Vendor key of what clients send.
const CLIENT_KEY: [u8; 4] = *b"Duca";
/// Vendor key of what servers send.
const SERVER_KEY: [u8; 4] = *b"McDn";

fn read_object_key(src: &mut ReadCursor<'_>) -> DecodeResult<()> {
    expect(src, T124_OBJECT_KEY, "t124Identifier")
}

/// Reads the header of the user data, and gives the blocks.
fn read_user_data<'a>(src: &mut ReadCursor<'a>, key: [u8; 4]) -> DecodeResult<ReadCursor<'a>> {
    expect(src, USER_DATA_HEADER, "userData")?;
    expect(src, key, "h221NonStandard")?;
    per::read_octets(src, "userData")
}

fn expect<const N: usize>(
    src: &mut ReadCursor<'_>,
    wanted: [u8; N],
    field: &'static str,
) -> DecodeResult<()> {
    let before = src.clone();
    let got = src.array::<N>(field)?;
    match got.iter().zip(wanted).find(|(got, wanted)| **got != *wanted) {
        Some((got, _)) => Err(before.unsupported(field, *got)),
        None => Ok(()),
    }
}

const fn user_data_size(blocks: usize) -> usize {
    USER_DATA_HEADER.len() + CLIENT_KEY.len() + per::length_size(blocks) + blocks
}

fn write_user_data(
    dst: &mut WriteCursor<'_>,
    key: [u8; 4],
    blocks: &impl Encode,
    pdu: &'static str,
) -> EncodeResult<()> {
    dst.bytes(&USER_DATA_HEADER)?;
    dst.bytes(&key)?;
    per::write_length(dst, blocks.size(), pdu, "userData")?;
    blocks.encode(dst).map_err(|error| error.in_pdu(blocks.name()))
}

/// A client's conference around its blocks (T.124 `ConferenceCreateRequest`, MS-RDPBCGR 2.2.1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConferenceCreateRequest {
    /// The client's settings.
    pub blocks: ClientGccBlocks,
}

impl ConferenceCreateRequest {
    /// Choice conferenceCreateRequest, and of its optional fields userData only.
    const CHOICE: [u8; 2] = [0x00, 0x08];
    /// Conference name "1": its length less one, then four bits a digit.
    const NAME_ONE: [u8; 2] = [0x00, 0x10];
    /// Not locked, not listed, not conductible, ends automatically.
    const PROPERTIES: u8 = 0x00;

    fn pdu_size(&self) -> usize {
        Self::CHOICE.len() + Self::NAME_ONE.len() + 1 /* properties */ + user_data_size(self.blocks.size())
    }
}

impl Decode<'_> for ConferenceCreateRequest {
    const NAME: &'static str = "ConferenceCreateRequest";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        read_object_key(src)?;
        // ironrdp-pdu of Devolutions, up to 0.11 at least, leaves the length of the user data's length out of this one: it is
        // two bytes short. The inner lengths bound everything, so it need only be possible.
        let declared = per::read_length(src, "connectPDU")?;
        if declared > src.remaining() {
            return Err(src.lies("connectPDU", declared, src.remaining()));
        }
        expect(src, Self::CHOICE, "connectGCCPDU")?;
        per::skip_numeric_string(src, "conferenceName")?;
        let _properties = src.u8("conferenceProperties")?;
        let mut blocks = read_user_data(src, CLIENT_KEY)?;
        Ok(Self {
            blocks: ClientGccBlocks::decode(&mut blocks)?,
        })
    }
}

impl Encode for ConferenceCreateRequest {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        let pdu = self.pdu_size();
        T124_OBJECT_KEY.len() + per::length_size(pdu) + pdu
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.bytes(&T124_OBJECT_KEY)?;
        per::write_length(dst, self.pdu_size(), Self::NAME, "connectPDU")?;
        dst.bytes(&Self::CHOICE)?;
        dst.bytes(&Self::NAME_ONE)?;
        dst.u8(Self::PROPERTIES)?;
        write_user_data(dst, CLIENT_KEY, &self.blocks, Self::NAME)
    }
}

/// How the making of a conference ended (`result`, T.124 section 8.7), as the byte on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConferenceResult(pub u8);

impl ConferenceResult {
    /// It was made.
    pub const SUCCESS: Self = Self(0);
}

impl fmt::Display for ConferenceResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An extension bit, then three bits of value.
        match self.0 >> 4 {
            0 => f.write_str("success"),
            1 => f.write_str("rejected by the user"),
            2 => f.write_str("resources are not available"),
            3 => f.write_str("rejected for symmetry breaking"),
            4 => f.write_str("locked conferences are not supported"),
            _ => write!(f, "result 0x{:02x}", self.0),
        }
    }
}

/// A server's conference around its blocks (T.124 `ConferenceCreateResponse`, MS-RDPBCGR 2.2.1.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConferenceCreateResponse {
    /// Node id of the server in the conference; means nothing in RDP.
    pub node_id: u16,
    /// Tag of the conference; 1.
    pub tag: u32,
    /// Whether it was made.
    pub result: ConferenceResult,
    /// The server's settings.
    pub blocks: ServerGccBlocks,
}

impl ConferenceCreateResponse {
    /// Choice conferenceCreateResponse, and of its optional fields userData.
    const CHOICE: [u8; 1] = [0x14];
    const NODE_ID_BASE: u16 = 1001;
    /// Windows writes 42 as the length of the conference PDU whatever its length is, and clients must ignore it
    /// (MS-RDPBCGR 4.1.4). We write what every client has seen.
    const PDU_LENGTH: u8 = 42;

    /// A conference that was made, around `blocks`, with the node id that Windows servers send.
    pub fn new(blocks: ServerGccBlocks) -> Self {
        Self {
            node_id: 31_219,
            tag: 1,
            result: ConferenceResult::SUCCESS,
            blocks,
        }
    }
}

impl Decode<'_> for ConferenceCreateResponse {
    const NAME: &'static str = "ConferenceCreateResponse";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        read_object_key(src)?;
        let _ignored = per::read_length(src, "connectPDU")?;
        expect(src, Self::CHOICE, "connectGCCPDU")?;
        let node_id = per::read_u16_from(src, Self::NODE_ID_BASE, "nodeID")?;
        let tag = per::read_integer(src, "tag")?;
        let result = ConferenceResult(src.u8("result")?);
        let mut blocks = read_user_data(src, SERVER_KEY)?;
        Ok(Self {
            node_id,
            tag,
            result,
            blocks: ServerGccBlocks::decode(&mut blocks)?,
        })
    }
}

impl Encode for ConferenceCreateResponse {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        T124_OBJECT_KEY.len() + 1 /* connectPDU length */ + Self::CHOICE.len() + 2 /* nodeID */
            + per::integer_size(self.tag) + 1 /* result */ + user_data_size(self.blocks.size())
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.bytes(&T124_OBJECT_KEY)?;
        dst.u8(Self::PDU_LENGTH)?;
        dst.bytes(&Self::CHOICE)?;
        per::write_u16_from(dst, self.node_id, Self::NODE_ID_BASE, Self::NAME, "nodeID")?;
        per::write_integer(dst, self.tag)?;
        dst.u8(self.result.0)?;
        write_user_data(dst, SERVER_KEY, &self.blocks, Self::NAME)
    }
}
