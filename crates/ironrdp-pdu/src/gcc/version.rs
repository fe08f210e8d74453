//! The protocol version that both core data blocks start with.

use core::fmt;

/// Version of RDP that a peer speaks (`version` of TS_UD_CS_CORE and TS_UD_SC_CORE, MS-RDPBCGR 2.2.1.3.2).
///
/// The high half is the major number; the low half counts revisions and is what tells versions apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RdpVersion(pub u32);

impl RdpVersion {
    /// RDP 4.0.
    pub const V4: Self = Self(0x0008_0001);
    /// RDP 5.0 to 8.1, which all send the same number.
    pub const V5_PLUS: Self = Self(0x0008_0004);
    /// RDP 10.0.
    pub const V10: Self = Self(0x0008_0005);
    /// RDP 10.1.
    pub const V10_1: Self = Self(0x0008_0006);
    /// RDP 10.2.
    pub const V10_2: Self = Self(0x0008_0007);
    /// RDP 10.3.
    pub const V10_3: Self = Self(0x0008_0008);
    /// RDP 10.4.
    pub const V10_4: Self = Self(0x0008_0009);
    /// RDP 10.5.
    pub const V10_5: Self = Self(0x0008_000a);
    /// RDP 10.6.
    pub const V10_6: Self = Self(0x0008_000b);
    /// RDP 10.7.
    pub const V10_7: Self = Self(0x0008_000c);
    /// RDP 10.8.
    pub const V10_8: Self = Self(0x0008_000d);
    /// RDP 10.9.
    pub const V10_9: Self = Self(0x0008_000e);
    /// RDP 10.10.
    pub const V10_10: Self = Self(0x0008_000f);
    /// RDP 10.11.
    pub const V10_11: Self = Self(0x0008_0010);
    /// RDP 10.12.
    pub const V10_12: Self = Self(0x0008_0011);
}

impl fmt::Display for RdpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0x0008_0001 => f.write_str("RDP 4.0"),
            0x0008_0004 => f.write_str("RDP 5.0 to 8.1"),
            number @ 0x0008_0005..=0x0008_0011 => write!(f, "RDP 10.{}", number - 0x0008_0005),
            number => write!(f, "RDP version 0x{number:08x}"),
        }
    }
}
