//! The client's random number on its way to the server.

use alloc::vec::Vec;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u32};

/// The client random of standard RDP security, encrypted with the server's public key
/// (`TS_SECURITY_PACKET`, MS-RDPBCGR 2.2.1.10.1). Travels behind a header with
/// [`EXCHANGE_PACKET`](super::SecurityFlags::EXCHANGE_PACKET).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityExchange {
    /// The RSA result, little-endian, with the eight zero bytes that the wire puts behind it.
    pub encrypted_client_random: Vec<u8>,
}

impl Decode<'_> for SecurityExchange {
    const NAME: &'static str = "SecurityExchange";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let length = src.u32_le("length")?;
        // A length above the address space lies in any case: saturating keeps the error message honest.
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(Self {
            encrypted_client_random: src.sub(length, "length")?.rest().to_vec(),
        })
    }
}

impl Encode for SecurityExchange {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 /* length */ + self.encrypted_client_random.len()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let length = len_u32(self.encrypted_client_random.len(), Self::NAME, "length")?;
        dst.u32_le(length)?;
        dst.bytes(&self.encrypted_client_random)
    }
}
