//! Ciphers of Standard RDP Security: what the client offers, what the server picks.

use alloc::vec::Vec;

use bitflags::bitflags;
use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u32};

bitflags! {
    /// Ciphers of Standard RDP Security (`encryptionMethods`, MS-RDPBCGR 2.2.1.3.3). Empty under TLS.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct EncryptionMethods: u32 {
        /// RC4 with 40 bits of key.
        const RC4_40_BIT = 0x0000_0001;
        /// RC4 with 128 bits of key.
        const RC4_128_BIT = 0x0000_0002;
        /// RC4 with 56 bits of key.
        const RC4_56_BIT = 0x0000_0008;
        /// 3DES and SHA-1, as FIPS 140-1 has them.
        const FIPS = 0x0000_0010;
        const _ = !0;
    }
}

/// What Standard RDP Security protects (`encryptionLevel`, MS-RDPBCGR 2.2.1.4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum EncryptionLevel {
    /// Nothing; also under TLS.
    #[default]
    None,
    /// What the client sends.
    Low,
    /// Both directions, with the longest key the client has.
    ClientCompatible,
    /// Both directions, with the longest key the server has.
    High,
    /// Both directions, with FIPS 140-1 methods.
    Fips,
}

impl EncryptionLevel {
    /// The value on the wire.
    pub const fn code(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Low => 1,
            Self::ClientCompatible => 2,
            Self::High => 3,
            Self::Fips => 4,
        }
    }

    /// The level that `code` stands for; `None` above 4.
    pub const fn from_code(code: u32) -> Option<Self> {
        match code {
            0 => Some(Self::None),
            1 => Some(Self::Low),
            2 => Some(Self::ClientCompatible),
            3 => Some(Self::High),
            4 => Some(Self::Fips),
            _ => None,
        }
    }
}

/// Ciphers that a client offers (TS_UD_CS_SEC, MS-RDPBCGR 2.2.1.3.3). Both are empty under TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientSecurityData {
    /// The ciphers.
    pub encryption_methods: EncryptionMethods,
    /// The ciphers of a French client, which puts none into the field above.
    pub ext_encryption_methods: EncryptionMethods,
}

impl ClientSecurityData {
    /// The ciphers offered, from whichever field holds them.
    pub const fn offered(&self) -> EncryptionMethods {
        if self.encryption_methods.is_empty() {
            self.ext_encryption_methods
        } else {
            self.encryption_methods
        }
    }
}

impl Decode<'_> for ClientSecurityData {
    const NAME: &'static str = "ClientSecurityData";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            encryption_methods: EncryptionMethods::from_bits_retain(src.u32_le("encryptionMethods")?),
            ext_encryption_methods: EncryptionMethods::from_bits_retain(src.u32_le("extEncryptionMethods")?),
        })
    }
}

impl Encode for ClientSecurityData {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        8
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.encryption_methods.bits())?;
        dst.u32_le(self.ext_encryption_methods.bits())
    }
}

/// The cipher a server picked (TS_UD_SC_SEC1, MS-RDPBCGR 2.2.1.4.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerSecurityData {
    /// The cipher: one of those offered, or none.
    pub encryption_method: EncryptionMethods,
    /// What it protects.
    pub encryption_level: EncryptionLevel,
    /// What session keys are made from. Absent where nothing is encrypted, though some servers send empty ones.
    pub keys: Option<ServerKeys>,
}

/// What session keys are made from (in TS_UD_SC_SEC1, MS-RDPBCGR 2.2.1.4.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerKeys {
    /// 32 random bytes.
    pub random: Vec<u8>,
    /// The server's certificate, not yet parsed.
    pub certificate: Vec<u8>,
}

impl Decode<'_> for ServerSecurityData {
    const NAME: &'static str = "ServerSecurityData";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let encryption_method = EncryptionMethods::from_bits_retain(src.u32_le("encryptionMethod")?);
        let level = src.u32_le("encryptionLevel")?;
        let Some(encryption_level) = EncryptionLevel::from_code(level) else {
            return Err(src.invalid("encryptionLevel", level));
        };
        let keys = match src.is_empty() {
            true => None,
            false => Some(ServerKeys::read(src)?),
        };
        Ok(Self {
            encryption_method,
            encryption_level,
            keys,
        })
    }
}

impl ServerKeys {
    fn read(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let random_length = usize::try_from(src.u32_le("serverRandomLen")?).unwrap_or(usize::MAX);
        let certificate_length = usize::try_from(src.u32_le("serverCertLen")?).unwrap_or(usize::MAX);
        Ok(Self {
            random: src.sub(random_length, "serverRandomLen")?.rest().to_vec(),
            certificate: src.sub(certificate_length, "serverCertLen")?.rest().to_vec(),
        })
    }
}

impl Encode for ServerSecurityData {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        let keys = self.keys.as_ref().map_or(0, |keys| {
            4 /* serverRandomLen */ + 4 /* serverCertLen */ + keys.random.len() + keys.certificate.len()
        });
        4 /* encryptionMethod */ + 4 /* encryptionLevel */ + keys
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.encryption_method.bits())?;
        dst.u32_le(self.encryption_level.code())?;
        let Some(keys) = &self.keys else {
            return Ok(());
        };
        dst.u32_le(len_u32(keys.random.len(), Self::NAME, "serverRandomLen")?)?;
        dst.u32_le(len_u32(keys.certificate.len(), Self::NAME, "serverCertLen")?)?;
        dst.bytes(&keys.random)?;
        dst.bytes(&keys.certificate)
    }
}
