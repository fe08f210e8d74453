//! What standard RDP security can encrypt with, and how much of it.

use bitflags::bitflags;

bitflags! {
    /// Ciphers of standard RDP security, offered by the client and chosen by the server
    /// (`encryptionMethods` of `TS_UD_CS_SEC`, MS-RDPBCGR 2.2.1.3.3, and of `TS_UD_SC_SEC1`, 2.2.1.4.3).
    ///
    /// Empty in a server's answer means no encryption, as always under TLS.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct EncryptionMethods: u32 {
        /// RC4 with a key reduced to 40 bits.
        const RC4_40 = 0x0000_0001;
        /// RC4 with a 128-bit key.
        const RC4_128 = 0x0000_0002;
        /// RC4 with a key reduced to 56 bits.
        const RC4_56 = 0x0000_0008;
        /// Triple DES with SHA-1 (FIPS 140-1).
        const FIPS = 0x0000_0010;
        /// Bits of methods this version does not know.
        const _ = !0;
    }
}

/// How much of the traffic the server wants encrypted (`encryptionLevel` of `TS_UD_SC_SEC1`, MS-RDPBCGR 2.2.1.4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EncryptionLevel {
    /// Nothing is encrypted; the only level under TLS.
    None,
    /// Only what the client sends, with the best key both know.
    Low,
    /// Both ways, with the best key the client knows.
    ClientCompatible,
    /// Both ways, with the server's best key.
    High,
    /// Both ways, FIPS 140-1 methods only.
    Fips,
    /// A level this version does not know.
    Other(u32),
}

impl From<u32> for EncryptionLevel {
    fn from(level: u32) -> Self {
        match level {
            0 => Self::None,
            1 => Self::Low,
            2 => Self::ClientCompatible,
            3 => Self::High,
            4 => Self::Fips,
            other => Self::Other(other),
        }
    }
}

impl From<EncryptionLevel> for u32 {
    fn from(level: EncryptionLevel) -> Self {
        match level {
            EncryptionLevel::None => 0,
            EncryptionLevel::Low => 1,
            EncryptionLevel::ClientCompatible => 2,
            EncryptionLevel::High => 3,
            EncryptionLevel::Fips => 4,
            EncryptionLevel::Other(other) => other,
        }
    }
}
