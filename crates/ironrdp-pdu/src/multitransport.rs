//! The server's offer of a UDP side transport, and the client's answer (MS-RDPBCGR 2.2.15).

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use crate::client_info::Secret;

/// The server offers a side transport (`initiateMultitransportRequest`, MS-RDPBCGR 2.2.15.1).
///
/// Travels behind a security header with
/// [`TRANSPORT_REQUEST`](crate::security::SecurityFlags::TRANSPORT_REQUEST).
#[derive(Clone, PartialEq, Eq)]
pub struct MultitransportRequest {
    /// To be repeated in the answer and on the side transport.
    pub request_id: u32,
    /// Which transport.
    pub protocol: TransportProtocol,
    /// Proves on the side transport that both connections are one client's.
    pub security_cookie: Secret<[u8; 16]>,
}

crate::debug_hiding!(MultitransportRequest { request_id, protocol } hides { security_cookie });

/// A side transport (`requestedProtocol`, MS-RDPBCGR 2.2.15.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportProtocol {
    /// UDP with retransmission and TLS.
    UdpReliable,
    /// UDP without retransmission, with DTLS.
    UdpLossy,
    /// A transport this version does not know.
    Other(u16),
}

impl From<u16> for TransportProtocol {
    fn from(protocol: u16) -> Self {
        match protocol {
            0x0001 => Self::UdpReliable,
            0x0002 => Self::UdpLossy,
            other => Self::Other(other),
        }
    }
}

impl From<TransportProtocol> for u16 {
    fn from(protocol: TransportProtocol) -> Self {
        match protocol {
            TransportProtocol::UdpReliable => 0x0001,
            TransportProtocol::UdpLossy => 0x0002,
            TransportProtocol::Other(other) => other,
        }
    }
}

impl Decode<'_> for MultitransportRequest {
    const NAME: &'static str = "MultitransportRequest";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let request_id = src.u32_le("requestId")?;
        let protocol = src.u16_le("requestedProtocol")?.into();
        src.skip(2, "reserved")?;
        Ok(Self {
            request_id,
            protocol,
            security_cookie: Secret::new(src.array("securityCookie")?),
        })
    }
}

impl Encode for MultitransportRequest {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 /* requestId */ + 2 /* requestedProtocol */ + 2 /* reserved */ + 16 /* securityCookie */
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.request_id)?;
        dst.u16_le(self.protocol.into())?;
        dst.u16_le(0)?;
        dst.bytes(self.security_cookie.expose())
    }
}

/// The client's answer (`MULTITRANSPORT_RESPONSE`, MS-RDPBCGR 2.2.15.2).
///
/// Travels behind a security header with
/// [`TRANSPORT_RESPONSE`](crate::security::SecurityFlags::TRANSPORT_RESPONSE).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MultitransportResponse {
    /// That of the request.
    pub request_id: u32,
    /// An HRESULT: [`S_OK`](Self::S_OK), or why there is no side transport.
    pub result: u32,
}

impl MultitransportResponse {
    /// The side transport stands.
    pub const S_OK: u32 = 0;
    /// The client could not, or would not, make the side transport.
    pub const E_ABORT: u32 = 0x8000_4004;
}

impl Decode<'_> for MultitransportResponse {
    const NAME: &'static str = "MultitransportResponse";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            request_id: src.u32_le("requestId")?,
            result: src.u32_le("hrResponse")?,
        })
    }
}

impl Encode for MultitransportResponse {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 /* requestId */ + 4 /* hrResponse */
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.request_id)?;
        dst.u32_le(self.result)
    }
}
