//! What the server says in licensing.

use alloc::string::String;
use alloc::vec::Vec;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, decode, len_u32};

use super::blob::{ansi_z_size, blob_size, read_ansi, read_blob, write_ansi_z, write_blob_header};
use super::{BlobKind, LicenseBlob, MAC_SIZE};
use crate::security::ServerCertificate;
use crate::text::{read_utf16, utf16_size, write_utf16_z};

/// The server asks for a licence (`SERVER_LICENSE_REQUEST`, MS-RDPELE 2.2.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLicenseRequest {
    /// The server's share in the keys of this exchange.
    pub server_random: [u8; 32],
    /// What a licence is asked for.
    pub product: ProductInfo,
    /// Key exchanges the server takes; see [`KEY_EXCHANGE_RSA`](super::KEY_EXCHANGE_RSA).
    pub key_exchange_algorithms: Vec<u32>,
    /// The encoded certificate with the key for the premaster secret. Empty when the server has shown it in its
    /// security data already. Read it with [`certificate`](Self::certificate).
    pub server_certificate: Vec<u8>,
    /// Issuers whose licences the server accepts.
    pub scopes: Vec<String>,
}

impl ServerLicenseRequest {
    /// The certificate, or `None` if the blob is empty.
    ///
    /// Read on demand, since a server that ends with "no licence needed" may well send one that nobody could use.
    pub fn certificate(&self) -> DecodeResult<Option<ServerCertificate>> {
        if self.server_certificate.is_empty() {
            return Ok(None);
        }
        decode(&self.server_certificate).map(Some)
    }
}

impl Decode<'_> for ServerLicenseRequest {
    const NAME: &'static str = "ServerLicenseRequest";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let server_random = src.array("ServerRandom")?;
        let product = ProductInfo::decode(src)?;
        let (_, mut list) = read_blob(src, "KeyExchangeList")?;
        let mut key_exchange_algorithms = Vec::new();
        while !list.is_empty() {
            key_exchange_algorithms.push(list.u32_le("KeyExchangeList")?);
        }
        let (_, mut certificate) = read_blob(src, "ServerCertificate")?;
        let scope_count = src.u32_le("ScopeCount")?;
        let mut scopes = Vec::new();
        // Each turn takes four bytes at least, so the input bounds the loop whatever the count says.
        for _ in 0..scope_count {
            let (_, mut scope) = read_blob(src, "ScopeArray")?;
            scopes.push(read_ansi(&mut scope));
        }
        Ok(Self {
            server_random,
            product,
            key_exchange_algorithms,
            server_certificate: certificate.rest().to_vec(),
            scopes,
        })
    }
}

impl Encode for ServerLicenseRequest {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        let scopes: usize = self
            .scopes
            .iter()
            .map(|scope| blob_size(ansi_z_size(scope)))
            .sum();
        32 /* ServerRandom */
            + self.product.size()
            + blob_size(self.key_exchange_algorithms.len() * 4)
            + blob_size(self.server_certificate.len())
            + 4 /* ScopeCount */
            + scopes
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.bytes(&self.server_random)?;
        self.product.encode(dst)?;
        write_blob_header(
            dst,
            BlobKind::KEY_EXCHANGE_ALGORITHMS,
            self.key_exchange_algorithms.len() * 4,
            Self::NAME,
            "KeyExchangeList",
        )?;
        self.key_exchange_algorithms
            .iter()
            .try_for_each(|algorithm| dst.u32_le(*algorithm))?;
        write_blob_header(
            dst,
            BlobKind::CERTIFICATE,
            self.server_certificate.len(),
            Self::NAME,
            "ServerCertificate",
        )?;
        dst.bytes(&self.server_certificate)?;
        dst.u32_le(len_u32(self.scopes.len(), Self::NAME, "ScopeCount")?)?;
        for scope in &self.scopes {
            write_blob_header(dst, BlobKind::SCOPE, ansi_z_size(scope), Self::NAME, "ScopeArray")?;
            write_ansi_z(dst, scope)?;
        }
        Ok(())
    }
}

/// The product a licence is for (`PRODUCT_INFO`, MS-RDPELE 2.2.2.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductInfo {
    /// Version: major in the high, minor in the low 16 bits.
    pub version: u32,
    /// The vendor.
    pub company_name: String,
    /// The product, such as `A02` for remote desktop.
    pub product_id: String,
}

impl Decode<'_> for ProductInfo {
    const NAME: &'static str = "ProductInfo";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let version = src.u32_le("dwVersion")?;
        Ok(Self {
            version,
            company_name: read_text(src, "cbCompanyName")?,
            product_id: read_text(src, "cbProductId")?,
        })
    }
}

pub(super) fn read_text(src: &mut ReadCursor<'_>, field: &'static str) -> DecodeResult<String> {
    let size = src.u32_le(field)?;
    if !size.is_multiple_of(2) {
        return Err(src.invalid(field, size));
    }
    read_utf16(src, usize::try_from(size).unwrap_or(usize::MAX), field)
}

pub(super) fn text_size(text: &str) -> usize {
    4 /* count */ + utf16_size(text) + 2 /* terminator */
}

pub(super) fn write_text(
    dst: &mut WriteCursor<'_>,
    text: &str,
    pdu: &'static str,
    field: &'static str,
) -> EncodeResult<()> {
    dst.u32_le(len_u32(utf16_size(text) + 2, pdu, field)?)?;
    write_utf16_z(dst, text)
}

impl Encode for ProductInfo {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 /* dwVersion */ + text_size(&self.company_name) + text_size(&self.product_id)
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.version)?;
        write_text(dst, &self.company_name, Self::NAME, "cbCompanyName")?;
        write_text(dst, &self.product_id, Self::NAME, "cbProductId")
    }
}

/// The server wants to know the client's hardware (`SERVER_PLATFORM_CHALLENGE`, MS-RDPELE 2.2.2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPlatformChallenge {
    /// Reserved; zero.
    pub connect_flags: u32,
    /// The challenge, encrypted with the licensing key.
    pub encrypted_challenge: LicenseBlob,
    /// MAC over the challenge in the clear.
    pub mac: [u8; MAC_SIZE],
}

impl Decode<'_> for ServerPlatformChallenge {
    const NAME: &'static str = "ServerPlatformChallenge";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            connect_flags: src.u32_le("ConnectFlags")?,
            encrypted_challenge: LicenseBlob::read(src, "EncryptedPlatformChallenge")?,
            mac: src.array("MACData")?,
        })
    }
}

impl Encode for ServerPlatformChallenge {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 /* ConnectFlags */ + self.encrypted_challenge.size() + MAC_SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.connect_flags)?;
        self.encrypted_challenge
            .write(dst, Self::NAME, "EncryptedPlatformChallenge")?;
        dst.bytes(&self.mac)
    }
}

/// A licence on its way to the client (`SERVER_NEW_LICENSE` and `SERVER_UPGRADE_LICENSE`, MS-RDPELE 2.2.2.6 and 2.2.2.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLicense {
    /// A [`NewLicenseInfo`](super::NewLicenseInfo), encrypted with the licensing key.
    pub encrypted_license_info: LicenseBlob,
    /// MAC over the licence info in the clear.
    pub mac: [u8; MAC_SIZE],
}

impl Decode<'_> for ServerLicense {
    const NAME: &'static str = "ServerLicense";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            encrypted_license_info: LicenseBlob::read(src, "EncryptedLicenseInfo")?,
            mac: src.array("MACData")?,
        })
    }
}

impl Encode for ServerLicense {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        self.encrypted_license_info.size() + MAC_SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        self.encrypted_license_info
            .write(dst, Self::NAME, "EncryptedLicenseInfo")?;
        dst.bytes(&self.mac)
    }
}
