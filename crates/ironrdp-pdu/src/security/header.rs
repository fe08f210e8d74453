//! The basic security header, the first four bytes of many connection PDUs.

use bitflags::bitflags;
use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

bitflags! {
    /// What follows a security header (`flags` of `TS_SECURITY_HEADER`, MS-RDPBCGR 2.2.8.1.1.2.1).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct SecurityFlags: u16 {
        /// A Security Exchange PDU.
        const EXCHANGE_PACKET = 0x0001;
        /// An Initiate Multitransport Request.
        const TRANSPORT_REQUEST = 0x0002;
        /// A Multitransport Response.
        const TRANSPORT_RESPONSE = 0x0004;
        /// The body is encrypted with the keys of standard RDP security.
        const ENCRYPT = 0x0008;
        /// Obsolete: reset the packet sequence number.
        const RESET_SEQUENCE_NUMBER = 0x0010;
        /// Obsolete: ignore the packet sequence number.
        const IGNORE_SEQUENCE_NUMBER = 0x0020;
        /// A Client Info PDU.
        const INFO_PACKET = 0x0040;
        /// A licensing PDU.
        const LICENSE_PACKET = 0x0080;
        /// From the client: it can read encrypted licensing packets. From the server: send them encrypted.
        const LICENSE_ENCRYPT = 0x0200;
        /// A Server Redirection packet, always encrypted under standard RDP security.
        const REDIRECTION_PACKET = 0x0400;
        /// The MAC is salted with the packet count.
        const SECURE_CHECKSUM = 0x0800;
        /// An auto-detect request from the server.
        const AUTODETECT_REQUEST = 0x1000;
        /// An auto-detect response from the client.
        const AUTODETECT_RESPONSE = 0x2000;
        /// A heartbeat of the server.
        const HEARTBEAT = 0x4000;
        /// `flagsHi` is meaningful; no use of it is defined.
        const FLAGS_HI_VALID = 0x8000;
        /// Bits this version does not know.
        const _ = !0;
    }
}

/// The basic security header alone (`TS_SECURITY_HEADER`, MS-RDPBCGR 2.2.8.1.1.2.1).
///
/// Decode it first, then the body its flags announce from the same cursor, so that errors keep their offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecurityHeader {
    /// What follows.
    pub flags: SecurityFlags,
}

impl SecurityHeader {
    /// Bytes on the wire.
    pub const SIZE: usize = 2 /* flags */ + 2 /* flagsHi */;
}

impl Decode<'_> for SecurityHeader {
    const NAME: &'static str = "SecurityHeader";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let flags = SecurityFlags::from_bits_retain(src.u16_le("flags")?);
        // 2.2.8.1.1.2.1: flagsHi is reserved and old clients leave stack garbage in it, so it is never looked at.
        src.skip(2, "flagsHi")?;
        Ok(Self { flags })
    }
}

impl Encode for SecurityHeader {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        Self::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.flags.bits())?;
        dst.u16_le(0)
    }
}

/// A basic security header and the unencrypted body behind it (`TS_SECURITY_HEADER`, MS-RDPBCGR 2.2.8.1.1.2.1).
///
/// Encodes any body; decoding takes all that is left as the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasicSecurity<T> {
    /// What the body is.
    pub flags: SecurityFlags,
    /// The body.
    pub body: T,
}

impl<'de> Decode<'de> for BasicSecurity<&'de [u8]> {
    const NAME: &'static str = "BasicSecurity";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let header = SecurityHeader::decode(src)?;
        Ok(Self {
            flags: header.flags,
            body: src.rest(),
        })
    }
}

impl<T: Encode> Encode for BasicSecurity<T> {
    fn name(&self) -> &'static str {
        "BasicSecurity"
    }

    fn size(&self) -> usize {
        SecurityHeader::SIZE + self.body.size()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        SecurityHeader { flags: self.flags }.encode(dst)?;
        self.body
            .encode(dst)
            .map_err(|error| error.in_pdu(self.body.name()))
    }
}
