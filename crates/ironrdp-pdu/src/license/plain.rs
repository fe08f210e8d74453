//! What is inside the encrypted blobs of licensing.

use alloc::string::String;
use alloc::vec::Vec;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u16, len_u32};

use super::blob::{ansi_z_size, read_ansi, write_ansi_z};
use super::server::{read_text, text_size, write_text};

/// A licence as the client may store it and show it later (`NEW_LICENSE_INFO`, MS-RDPELE 2.2.2.6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLicenseInfo {
    /// Version of the product: major in the high, minor in the low 16 bits.
    pub version: u32,
    /// The issuer, 8-bit on the wire.
    pub scope: String,
    /// The vendor of the product.
    pub company_name: String,
    /// The product.
    pub product_id: String,
    /// The licence itself, opaque to the client.
    pub license: Vec<u8>,
}

impl Decode<'_> for NewLicenseInfo {
    const NAME: &'static str = "NewLicenseInfo";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let version = src.u32_le("dwVersion")?;
        let scope_size = usize::try_from(src.u32_le("cbScope")?).unwrap_or(usize::MAX);
        let scope = read_ansi(&mut src.sub(scope_size, "cbScope")?);
        let company_name = read_text(src, "cbCompanyName")?;
        let product_id = read_text(src, "cbProductId")?;
        let license_size = usize::try_from(src.u32_le("cbLicenseInfo")?).unwrap_or(usize::MAX);
        Ok(Self {
            version,
            scope,
            company_name,
            product_id,
            license: src.sub(license_size, "cbLicenseInfo")?.rest().to_vec(),
        })
    }
}

impl Encode for NewLicenseInfo {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 /* dwVersion */
            + 4 /* cbScope */ + ansi_z_size(&self.scope)
            + text_size(&self.company_name)
            + text_size(&self.product_id)
            + 4 /* cbLicenseInfo */ + self.license.len()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.version)?;
        dst.u32_le(len_u32(ansi_z_size(&self.scope), Self::NAME, "cbScope")?)?;
        write_ansi_z(dst, &self.scope)?;
        write_text(dst, &self.company_name, Self::NAME, "cbCompanyName")?;
        write_text(dst, &self.product_id, Self::NAME, "cbProductId")?;
        dst.u32_le(len_u32(self.license.len(), Self::NAME, "cbLicenseInfo")?)?;
        dst.bytes(&self.license)
    }
}

/// The answer to a platform challenge before encryption
/// (`PLATFORM_CHALLENGE_RESPONSE_DATA`, MS-RDPELE 2.2.2.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformChallengeResponseData {
    /// Kind of client: [`WINDOWS_32`](Self::WINDOWS_32) or [`OTHER`](Self::OTHER) and their like.
    pub client_type: u16,
    /// How much detail the server may put into the licence.
    pub detail_level: LicenseDetailLevel,
    /// The challenge, decrypted.
    pub challenge: Vec<u8>,
}

impl PlatformChallengeResponseData {
    /// A client on 32-bit Windows or later.
    pub const WINDOWS_32: u16 = 0x0100;
    /// Any other client.
    pub const OTHER: u16 = 0xff00;

    const VERSION: u16 = 0x0100;
}

/// How much a licence says (`wLicenseDetailLevel`, MS-RDPELE 2.2.2.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LicenseDetailLevel {
    /// The licence alone.
    Simple,
    /// The licence and its issuer's certificate.
    Moderate,
    /// The licence and the whole certificate chain.
    Detail,
    /// A level this version does not know.
    Other(u16),
}

impl From<u16> for LicenseDetailLevel {
    fn from(level: u16) -> Self {
        match level {
            1 => Self::Simple,
            2 => Self::Moderate,
            3 => Self::Detail,
            other => Self::Other(other),
        }
    }
}

impl From<LicenseDetailLevel> for u16 {
    fn from(level: LicenseDetailLevel) -> Self {
        match level {
            LicenseDetailLevel::Simple => 1,
            LicenseDetailLevel::Moderate => 2,
            LicenseDetailLevel::Detail => 3,
            LicenseDetailLevel::Other(other) => other,
        }
    }
}

impl Decode<'_> for PlatformChallengeResponseData {
    const NAME: &'static str = "PlatformChallengeResponseData";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let version = src.u16_le("wVersion")?;
        if version != Self::VERSION {
            return Err(src.unsupported("wVersion", version));
        }
        let client_type = src.u16_le("wClientType")?;
        let detail_level = src.u16_le("wLicenseDetailLevel")?.into();
        let size = src.u16_le("cbChallenge")?;
        Ok(Self {
            client_type,
            detail_level,
            challenge: src.sub(size.into(), "cbChallenge")?.rest().to_vec(),
        })
    }
}

impl Encode for PlatformChallengeResponseData {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        const FIXED: usize =
            2 /* wVersion */ + 2 /* wClientType */ + 2 /* wLicenseDetailLevel */ + 2 /* cbChallenge */;
        FIXED + self.challenge.len()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(Self::VERSION)?;
        dst.u16_le(self.client_type)?;
        dst.u16_le(self.detail_level.into())?;
        dst.u16_le(len_u16(self.challenge.len(), Self::NAME, "cbChallenge")?)?;
        dst.bytes(&self.challenge)
    }
}

/// What ties a licence to a machine (`CLIENT_HARDWARE_ID`, MS-RDPELE 2.2.2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HardwareId {
    /// Operating system (high byte) and maker of the client (next byte).
    pub platform_id: u32,
    /// Four numbers that stay the same on this machine.
    pub data: [u32; 4],
}

impl HardwareId {
    /// Bytes on the wire.
    pub const SIZE: usize = 4 + 4 * 4;
}

impl Decode<'_> for HardwareId {
    const NAME: &'static str = "HardwareId";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            platform_id: src.u32_le("PlatformId")?,
            data: [
                src.u32_le("Data1")?,
                src.u32_le("Data2")?,
                src.u32_le("Data3")?,
                src.u32_le("Data4")?,
            ],
        })
    }
}

impl Encode for HardwareId {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        Self::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.platform_id)?;
        self.data.into_iter().try_for_each(|word| dst.u32_le(word))
    }
}
