//! Cookies that let a client come back to its session after the connection broke.

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use super::Secret;

const PACKET_SIZE: usize = 4 /* cbLen */ + 4 /* Version */ + 4 /* LogonId */ + 16 /* random or verifier */;
const PACKET_LENGTH: u32 = 0x1c;
const VERSION_1: u32 = 1;

/// What the server hands out for a later reconnect (`ARC_SC_PRIVATE_PACKET`, MS-RDPBCGR 2.2.4.2).
#[derive(Clone, PartialEq, Eq)]
pub struct ServerAutoReconnect {
    /// The session to come back to.
    pub logon_id: u32,
    /// The key for the client's proof; whoever holds it can take the session over.
    pub random_bits: Secret<[u8; 16]>,
}

crate::debug_hiding!(ServerAutoReconnect { logon_id } hides { random_bits });

impl ServerAutoReconnect {
    /// Bytes on the wire.
    pub const SIZE: usize = PACKET_SIZE;
}

/// The client's proof that it held the session (`ARC_CS_PRIVATE_PACKET`, MS-RDPBCGR 2.2.4.3).
#[derive(Clone, PartialEq, Eq)]
pub struct ClientAutoReconnect {
    /// The session to come back to, from [`ServerAutoReconnect`].
    pub logon_id: u32,
    /// HMAC-MD5 under the server's random bits over the client random (32 zero bytes under TLS); 5.5.
    pub security_verifier: [u8; 16],
}

impl ClientAutoReconnect {
    /// Bytes on the wire.
    pub const SIZE: usize = PACKET_SIZE;
}

// Under TLS the verifier is a constant of the session, as good as the random bits for whoever reads it in a log.
crate::debug_hiding!(ClientAutoReconnect { logon_id } hides { security_verifier });

fn decode_packet(src: &mut ReadCursor<'_>, last: &'static str) -> DecodeResult<(u32, [u8; 16])> {
    let length = src.u32_le("cbLen")?;
    if length != PACKET_LENGTH {
        return Err(src.invalid("cbLen", length));
    }
    let version = src.u32_le("Version")?;
    if version != VERSION_1 {
        return Err(src.unsupported("Version", version));
    }
    Ok((src.u32_le("LogonId")?, src.array(last)?))
}

fn encode_packet(dst: &mut WriteCursor<'_>, logon_id: u32, last: &[u8; 16]) -> EncodeResult<()> {
    dst.u32_le(PACKET_LENGTH)?;
    dst.u32_le(VERSION_1)?;
    dst.u32_le(logon_id)?;
    dst.bytes(last)
}

impl Decode<'_> for ServerAutoReconnect {
    const NAME: &'static str = "ServerAutoReconnect";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let (logon_id, random_bits) = decode_packet(src, "ArcRandomBits")?;
        Ok(Self {
            logon_id,
            random_bits: Secret::new(random_bits),
        })
    }
}

impl Encode for ServerAutoReconnect {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        Self::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        encode_packet(dst, self.logon_id, self.random_bits.expose())
    }
}

impl Decode<'_> for ClientAutoReconnect {
    const NAME: &'static str = "ClientAutoReconnect";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let (logon_id, security_verifier) = decode_packet(src, "SecurityVerifier")?;
        Ok(Self {
            logon_id,
            security_verifier,
        })
    }
}

impl Encode for ClientAutoReconnect {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        Self::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        encode_packet(dst, self.logon_id, &self.security_verifier)
    }
}
