//! The server's first message.

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use super::header::{
    CODE_CONNECTION_CONFIRM, CONNECTION_SIZE, ConnectionHeader, TPKT_SIZE, read_connection_header, read_tpkt,
    write_connection_header,
};
use super::request::read_part;
use super::{FailureCode, ResponseFlags, SecurityProtocol};

/// Answers a [`ConnectionRequest`](super::ConnectionRequest) (X.224 Connection Confirm, MS-RDPBCGR 2.2.1.2), with
/// its TPKT header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionConfirm {
    /// The server's reference for the transport connection. Windows sends 0x1234, others 0; it means nothing.
    pub source_reference: u16,
    /// What the server decided.
    pub outcome: NegotiationOutcome,
}

/// How a server answers the protocols offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NegotiationOutcome {
    /// No answer: the server knows no negotiation, so Standard RDP Security follows.
    Legacy,
    /// One protocol was picked (RDP_NEG_RSP, MS-RDPBCGR 2.2.1.2.1).
    Selected {
        /// What the server can do.
        flags: ResponseFlags,
        /// The protocol that follows at once; empty is Standard RDP Security. Check that it was offered.
        protocol: SecurityProtocol,
    },
    /// None of them will do (RDP_NEG_FAILURE, MS-RDPBCGR 2.2.1.2.2). The server closes the connection.
    Failed(FailureCode),
}

impl NegotiationOutcome {
    const SIZE: usize = 1 /* type */ + 1 /* flags */ + 2 /* length */ + 4 /* selectedProtocol or failureCode */;
    const TYPE_RESPONSE: u8 = 2;
    const TYPE_FAILURE: u8 = 3;
}

impl ConnectionConfirm {
    /// A confirm with the reference that Windows servers send.
    pub const fn new(outcome: NegotiationOutcome) -> Self {
        Self {
            source_reference: 0x1234,
            outcome,
        }
    }

    fn variable_size(&self) -> usize {
        match self.outcome {
            NegotiationOutcome::Legacy => 0,
            _ => NegotiationOutcome::SIZE,
        }
    }
}

impl Decode<'_> for ConnectionConfirm {
    const NAME: &'static str = "ConnectionConfirm";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let mut tpdu = read_tpkt(src)?;
        let (header, mut rest) = read_connection_header(&mut tpdu, CODE_CONNECTION_CONFIRM)?;
        let outcome = match rest.peek_u8() {
            None => NegotiationOutcome::Legacy,
            Some(NegotiationOutcome::TYPE_FAILURE) => {
                read_part(
                    &mut rest,
                    NegotiationOutcome::TYPE_FAILURE,
                    NegotiationOutcome::SIZE,
                )?;
                NegotiationOutcome::Failed(FailureCode::from_code(rest.u32_le("failureCode")?))
            }
            Some(_) => {
                let flags = read_part(
                    &mut rest,
                    NegotiationOutcome::TYPE_RESPONSE,
                    NegotiationOutcome::SIZE,
                )?;
                NegotiationOutcome::Selected {
                    flags: ResponseFlags::from_bits_retain(flags),
                    protocol: SecurityProtocol::from_bits_retain(rest.u32_le("selectedProtocol")?),
                }
            }
        };
        Ok(Self {
            source_reference: header.source_reference,
            outcome,
        })
    }
}

impl Encode for ConnectionConfirm {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        TPKT_SIZE + CONNECTION_SIZE + self.variable_size()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let variable = self.variable_size();
        let header = ConnectionHeader {
            source_reference: self.source_reference,
            class_or_reason: 0,
        };
        write_connection_header(dst, CODE_CONNECTION_CONFIRM, &header, variable, Self::NAME)?;
        match self.outcome {
            NegotiationOutcome::Legacy => Ok(()),
            NegotiationOutcome::Selected { flags, protocol } => {
                dst.bytes(&[NegotiationOutcome::TYPE_RESPONSE, flags.bits(), 8, 0])?;
                dst.u32_le(protocol.bits())
            }
            NegotiationOutcome::Failed(code) => {
                dst.bytes(&[NegotiationOutcome::TYPE_FAILURE, 0, 8, 0])?;
                dst.u32_le(code.code())
            }
        }
    }
}
