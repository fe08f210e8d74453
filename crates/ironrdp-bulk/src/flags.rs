//! The byte that says how a packet was compressed.

use core::fmt;
use core::ops::BitOr;

/// Compression types a client may ask for and a packet may have (`PACKET_COMPR_TYPE_*`, MS-RDPBCGR 2.2.8.1.1.1.2).
///
/// They are ordered: a client that asks for one must understand those below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CompressionType {
    /// MPPC with 8 KiB of history, RDP 4.0.
    K8,
    /// MPPC with 64 KiB of history, RDP 5.0.
    K64,
    /// NCRUSH, RDP 6.0. Not implemented.
    Rdp6,
    /// XCRUSH, RDP 6.1. Not implemented.
    Rdp61,
}

impl CompressionType {
    /// The type of a number on the wire.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::K8),
            1 => Some(Self::K64),
            2 => Some(Self::Rdp6),
            3 => Some(Self::Rdp61),
            _ => None,
        }
    }

    /// Its number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::K8 => 0,
            Self::K64 => 1,
            Self::Rdp6 => 2,
            Self::Rdp61 => 3,
        }
    }
}

/// How a packet was compressed (`compressedType`, MS-RDPBCGR 2.2.8.1.1.1.2, and `compressionFlags`, 2.2.9.1.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CompressionFlags(u8);

impl CompressionFlags {
    /// The packet is as it is; the history is not concerned.
    pub const NONE: Self = Self(0);
    /// `PACKET_COMPRESSED`: the packet is to be decompressed.
    pub const COMPRESSED: Self = Self(0x20);
    /// `PACKET_AT_FRONT`: the data goes to the start of the history, what is there stays until written over.
    pub const AT_FRONT: Self = Self(0x40);
    /// `PACKET_FLUSHED`: the history is all zeros from here on, and the data goes to its start.
    pub const FLUSHED: Self = Self(0x80);

    const TYPE_MASK: u8 = 0x0f;

    /// The flags in a byte of the wire; every byte is taken, unknown bits and types too.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The byte on the wire.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all flags of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The type in the low bits, or `None` for a number that has no meaning here.
    pub const fn compression_type(self) -> Option<CompressionType> {
        CompressionType::from_code(self.0 & Self::TYPE_MASK)
    }

    /// The same flags with that type.
    #[must_use]
    pub const fn with_type(self, compression_type: CompressionType) -> Self {
        Self(self.0 & !Self::TYPE_MASK | compression_type.code())
    }
}

impl BitOr for CompressionFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for CompressionFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompressionFlags({:#04x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_their_numbers_name_each_other() {
        for code in 0..4 {
            assert_eq!(CompressionType::from_code(code).unwrap().code(), code);
        }
        assert_eq!(CompressionType::from_code(4), None);
        assert!(CompressionType::K8 < CompressionType::Rdp61);
    }

    #[test]
    fn flags_and_type_share_a_byte() {
        let flags =
            (CompressionFlags::COMPRESSED | CompressionFlags::AT_FRONT).with_type(CompressionType::K64);
        assert_eq!(flags.bits(), 0x61);
        assert_eq!(flags.compression_type(), Some(CompressionType::K64));
        assert!(flags.contains(CompressionFlags::COMPRESSED));
        assert!(!flags.contains(CompressionFlags::FLUSHED));
        assert_eq!(flags.with_type(CompressionType::K8).bits(), 0x60);
        assert_eq!(CompressionFlags::from_bits(0x2f).compression_type(), None);
    }
}
