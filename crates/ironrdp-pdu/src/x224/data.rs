//! What follows the connection: data, and the end.

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use super::header::{
    CODE_CONNECTION_CONFIRM, CODE_CONNECTION_REQUEST, CODE_DATA, CODE_DISCONNECT_REQUEST, CONNECTION_SIZE,
    ConnectionHeader, TPKT_SIZE, read_connection_header, read_tpkt, write_connection_header, write_tpkt,
};
use super::{ConnectionConfirm, ConnectionRequest};

/// X.224 Data header: LI, code, end of TSDU.
const DATA_SIZE: usize = 3;
const END_OF_TSDU: u8 = 0x80;

/// An X.224 Data PDU with its TPKT header (X.224 13.7): seven bytes around every slow-path PDU.
///
/// Decoding borrows the payload; encoding writes any payload that can be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct X224Data<T>(pub T);

impl<'de> Decode<'de> for X224Data<&'de [u8]> {
    const NAME: &'static str = "X224Data";

    #[inline]
    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let mut tpdu = read_tpkt(src)?;
        let [length_indicator, code, end] = tpdu.array("X.224 header")?;
        if length_indicator != 2 {
            return Err(tpdu.lies("LI", usize::from(length_indicator), 2));
        }
        if code != CODE_DATA {
            return Err(tpdu.invalid("code", code));
        }
        // Without the mark the rest of the TSDU would follow in another packet: X.224 may do that, RDP peers do not.
        if end & END_OF_TSDU == 0 {
            return Err(tpdu.unsupported("EOT", end));
        }
        Ok(Self(tpdu.rest()))
    }
}

impl<T: Encode> Encode for X224Data<T> {
    fn name(&self) -> &'static str {
        "X224Data"
    }

    fn size(&self) -> usize {
        TPKT_SIZE + DATA_SIZE + self.0.size()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        write_tpkt(dst, self.size(), "X224Data")?;
        dst.bytes(&[2, CODE_DATA, END_OF_TSDU])?;
        self.0.encode(dst).map_err(|error| error.in_pdu(self.0.name()))
    }
}

/// The end of the transport connection (X.224 13.5). RDP peers close TCP instead, but some gateways send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisconnectRequest {
    /// The sender's reference for the transport connection.
    pub source_reference: u16,
    /// Why: 0 is not specified, 128 a normal end begun by a user.
    pub reason: u8,
}

impl Decode<'_> for DisconnectRequest {
    const NAME: &'static str = "DisconnectRequest";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let mut tpdu = read_tpkt(src)?;
        // The same fixed part as in a connection request, with the reason in place of the class.
        let (header, _) = read_connection_header(&mut tpdu, CODE_DISCONNECT_REQUEST)?;
        Ok(Self {
            source_reference: header.source_reference,
            reason: header.class_or_reason,
        })
    }
}

impl Encode for DisconnectRequest {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        TPKT_SIZE + CONNECTION_SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let header = ConnectionHeader {
            source_reference: self.source_reference,
            class_or_reason: self.reason,
        };
        write_connection_header(dst, CODE_DISCONNECT_REQUEST, &header, 0, Self::NAME)
    }
}

/// Any transport PDU that RDP knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum X224Pdu<'a> {
    /// A client asks for a connection.
    ConnectionRequest(ConnectionRequest),
    /// A server answers.
    ConnectionConfirm(ConnectionConfirm),
    /// An MCS PDU.
    Data(&'a [u8]),
    /// The transport connection ends.
    DisconnectRequest(DisconnectRequest),
}

impl<'de> Decode<'de> for X224Pdu<'de> {
    const NAME: &'static str = "X224Pdu";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        const CODE_OFFSET: usize = TPKT_SIZE + 1;
        match src.peek().get(CODE_OFFSET).map(|code| code & 0xf0) {
            Some(CODE_CONNECTION_REQUEST) => ConnectionRequest::decode(src).map(Self::ConnectionRequest),
            Some(CODE_CONNECTION_CONFIRM) => ConnectionConfirm::decode(src).map(Self::ConnectionConfirm),
            Some(CODE_DISCONNECT_REQUEST) => DisconnectRequest::decode(src).map(Self::DisconnectRequest),
            // Data, and what is no PDU at all: its decoder tells what is wrong.
            _ => X224Data::decode(src).map(|data| Self::Data(data.0)),
        }
    }
}

impl Encode for X224Pdu<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::ConnectionRequest(pdu) => pdu.name(),
            Self::ConnectionConfirm(pdu) => pdu.name(),
            Self::Data(payload) => X224Data(*payload).name(),
            Self::DisconnectRequest(pdu) => pdu.name(),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::ConnectionRequest(pdu) => pdu.size(),
            Self::ConnectionConfirm(pdu) => pdu.size(),
            Self::Data(payload) => X224Data(*payload).size(),
            Self::DisconnectRequest(pdu) => pdu.size(),
        }
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        match self {
            Self::ConnectionRequest(pdu) => pdu.encode(dst),
            Self::ConnectionConfirm(pdu) => pdu.encode(dst),
            Self::Data(payload) => X224Data(*payload).encode(dst),
            Self::DisconnectRequest(pdu) => pdu.encode(dst),
        }
    }
}
