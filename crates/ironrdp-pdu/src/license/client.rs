//! What the client says in licensing.

use alloc::string::String;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use super::blob::{ansi_z_size, blob_size, read_ansi, read_blob, write_ansi_z, write_blob_header};
use super::{BlobKind, LicenseBlob, MAC_SIZE};

/// The client has no licence and asks for one (`CLIENT_NEW_LICENSE_REQUEST`, MS-RDPELE 2.2.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientNewLicenseRequest {
    /// The key exchange chosen; see [`KEY_EXCHANGE_RSA`](super::KEY_EXCHANGE_RSA).
    pub key_exchange_algorithm: u32,
    /// Operating system (high byte) and maker of the client (next byte).
    pub platform_id: u32,
    /// The client's share in the keys of this exchange.
    pub client_random: [u8; 32],
    /// The premaster secret, encrypted with the server's public key.
    pub encrypted_premaster: LicenseBlob,
    /// The user's name, 8-bit on the wire.
    pub user_name: String,
    /// The client machine's name, 8-bit on the wire.
    pub machine_name: String,
}

impl Decode<'_> for ClientNewLicenseRequest {
    const NAME: &'static str = "ClientNewLicenseRequest";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            key_exchange_algorithm: src.u32_le("PreferredKeyExchangeAlg")?,
            platform_id: src.u32_le("PlatformId")?,
            client_random: src.array("ClientRandom")?,
            encrypted_premaster: LicenseBlob::read(src, "EncryptedPreMasterSecret")?,
            user_name: read_ansi(&mut read_blob(src, "ClientUserName")?.1),
            machine_name: read_ansi(&mut read_blob(src, "ClientMachineName")?.1),
        })
    }
}

impl Encode for ClientNewLicenseRequest {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        const FIXED: usize = 4 /* PreferredKeyExchangeAlg */ + 4 /* PlatformId */ + 32 /* ClientRandom */;
        FIXED
            + self.encrypted_premaster.size()
            + blob_size(ansi_z_size(&self.user_name))
            + blob_size(ansi_z_size(&self.machine_name))
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.key_exchange_algorithm)?;
        dst.u32_le(self.platform_id)?;
        dst.bytes(&self.client_random)?;
        self.encrypted_premaster
            .write(dst, Self::NAME, "EncryptedPreMasterSecret")?;
        for (kind, text, field) in [
            (BlobKind::CLIENT_USER_NAME, &self.user_name, "ClientUserName"),
            (
                BlobKind::CLIENT_MACHINE_NAME,
                &self.machine_name,
                "ClientMachineName",
            ),
        ] {
            write_blob_header(dst, kind, ansi_z_size(text), Self::NAME, field)?;
            write_ansi_z(dst, text)?;
        }
        Ok(())
    }
}

/// The client shows a licence it was issued before (`CLIENT_LICENSE_INFO`, MS-RDPELE 2.2.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientLicenseInfo {
    /// The key exchange chosen; see [`KEY_EXCHANGE_RSA`](super::KEY_EXCHANGE_RSA).
    pub key_exchange_algorithm: u32,
    /// Operating system (high byte) and maker of the client (next byte).
    pub platform_id: u32,
    /// The client's share in the keys of this exchange.
    pub client_random: [u8; 32],
    /// The premaster secret, encrypted with the server's public key.
    pub encrypted_premaster: LicenseBlob,
    /// The licence as it was issued.
    pub license: LicenseBlob,
    /// The [`HardwareId`](super::HardwareId), encrypted with the licensing key.
    pub encrypted_hardware_id: LicenseBlob,
    /// MAC over the hardware id in the clear.
    pub mac: [u8; MAC_SIZE],
}

impl Decode<'_> for ClientLicenseInfo {
    const NAME: &'static str = "ClientLicenseInfo";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            key_exchange_algorithm: src.u32_le("PreferredKeyExchangeAlg")?,
            platform_id: src.u32_le("PlatformId")?,
            client_random: src.array("ClientRandom")?,
            encrypted_premaster: LicenseBlob::read(src, "EncryptedPreMasterSecret")?,
            license: LicenseBlob::read(src, "LicenseInfo")?,
            encrypted_hardware_id: LicenseBlob::read(src, "EncryptedHWID")?,
            mac: src.array("MACData")?,
        })
    }
}

impl Encode for ClientLicenseInfo {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        const FIXED: usize = 4 /* PreferredKeyExchangeAlg */ + 4 /* PlatformId */ + 32 /* ClientRandom */;
        FIXED
            + self.encrypted_premaster.size()
            + self.license.size()
            + self.encrypted_hardware_id.size()
            + MAC_SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.key_exchange_algorithm)?;
        dst.u32_le(self.platform_id)?;
        dst.bytes(&self.client_random)?;
        self.encrypted_premaster
            .write(dst, Self::NAME, "EncryptedPreMasterSecret")?;
        self.license.write(dst, Self::NAME, "LicenseInfo")?;
        self.encrypted_hardware_id
            .write(dst, Self::NAME, "EncryptedHWID")?;
        dst.bytes(&self.mac)
    }
}

/// The client answers the platform challenge (`CLIENT_PLATFORM_CHALLENGE_RESPONSE`, MS-RDPELE 2.2.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientPlatformChallengeResponse {
    /// The [`PlatformChallengeResponseData`](super::PlatformChallengeResponseData), encrypted with the licensing key.
    pub encrypted_response: LicenseBlob,
    /// The [`HardwareId`](super::HardwareId), encrypted with the licensing key.
    pub encrypted_hardware_id: LicenseBlob,
    /// MAC over both in the clear, the response first.
    pub mac: [u8; MAC_SIZE],
}

impl Decode<'_> for ClientPlatformChallengeResponse {
    const NAME: &'static str = "ClientPlatformChallengeResponse";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            encrypted_response: LicenseBlob::read(src, "EncryptedPlatformChallengeResponse")?,
            encrypted_hardware_id: LicenseBlob::read(src, "EncryptedHWID")?,
            mac: src.array("MACData")?,
        })
    }
}

impl Encode for ClientPlatformChallengeResponse {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        self.encrypted_response.size() + self.encrypted_hardware_id.size() + MAC_SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        self.encrypted_response
            .write(dst, Self::NAME, "EncryptedPlatformChallengeResponse")?;
        self.encrypted_hardware_id
            .write(dst, Self::NAME, "EncryptedHWID")?;
        dst.bytes(&self.mac)
    }
}
