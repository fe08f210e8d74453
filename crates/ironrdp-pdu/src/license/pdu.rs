//! The preamble and the message behind it.

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u16};

use super::{
    ClientLicenseInfo, ClientNewLicenseRequest, ClientPlatformChallengeResponse, LicenseErrorAlert,
    ServerLicense, ServerLicenseRequest, ServerPlatformChallenge,
};
use crate::security::SecurityHeader;

/// A licensing message with its preamble (`LICENSE_PREAMBLE`, MS-RDPBCGR 2.2.1.12.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicensePdu {
    /// Version of the sender's licensing protocol.
    pub flags: PreambleFlags,
    /// The message.
    pub message: LicenseMessage,
}

/// Version and abilities of a sender (`flags` of `LICENSE_PREAMBLE`, MS-RDPBCGR 2.2.1.12.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PreambleFlags(pub u8);

impl PreambleFlags {
    /// RDP 4.
    pub const VERSION_2: Self = Self(0x02);
    /// RDP 5 and all later versions.
    pub const VERSION_3: Self = Self(0x03);

    /// Version of the licensing protocol, the low four bits.
    pub const fn version(self) -> u8 {
        self.0 & 0x0f
    }

    /// Whether the sender understands error alerts with details.
    pub const fn extended_errors(self) -> bool {
        self.0 & 0x80 != 0
    }
}

/// Any message of the licensing protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LicenseMessage {
    /// The server asks for a licence.
    LicenseRequest(ServerLicenseRequest),
    /// The server wants to know the client's hardware.
    PlatformChallenge(ServerPlatformChallenge),
    /// The server issues a licence.
    NewLicense(ServerLicense),
    /// The server replaces an older licence.
    UpgradeLicense(ServerLicense),
    /// The client has a licence and shows it.
    LicenseInfo(ClientLicenseInfo),
    /// The client has none and asks for one.
    NewLicenseRequest(ClientNewLicenseRequest),
    /// The client tells its hardware.
    PlatformChallengeResponse(ClientPlatformChallengeResponse),
    /// Either side gives up, or the server needs no licence.
    ErrorAlert(LicenseErrorAlert),
}

const LICENSE_REQUEST: u8 = 0x01;
const PLATFORM_CHALLENGE: u8 = 0x02;
const NEW_LICENSE: u8 = 0x03;
const UPGRADE_LICENSE: u8 = 0x04;
const LICENSE_INFO: u8 = 0x12;
const NEW_LICENSE_REQUEST: u8 = 0x13;
const PLATFORM_CHALLENGE_RESPONSE: u8 = 0x15;
const ERROR_ALERT: u8 = 0xff;

impl LicenseMessage {
    /// `bMsgType` of the preamble.
    pub const fn message_type(&self) -> u8 {
        match self {
            Self::LicenseRequest(_) => LICENSE_REQUEST,
            Self::PlatformChallenge(_) => PLATFORM_CHALLENGE,
            Self::NewLicense(_) => NEW_LICENSE,
            Self::UpgradeLicense(_) => UPGRADE_LICENSE,
            Self::LicenseInfo(_) => LICENSE_INFO,
            Self::NewLicenseRequest(_) => NEW_LICENSE_REQUEST,
            Self::PlatformChallengeResponse(_) => PLATFORM_CHALLENGE_RESPONSE,
            Self::ErrorAlert(_) => ERROR_ALERT,
        }
    }

    fn body(&self) -> &dyn Encode {
        match self {
            Self::LicenseRequest(body) => body,
            Self::PlatformChallenge(body) => body,
            Self::NewLicense(body) | Self::UpgradeLicense(body) => body,
            Self::LicenseInfo(body) => body,
            Self::NewLicenseRequest(body) => body,
            Self::PlatformChallengeResponse(body) => body,
            Self::ErrorAlert(body) => body,
        }
    }
}

const PREAMBLE_SIZE: usize = 1 /* bMsgType */ + 1 /* flags */ + 2 /* wMsgSize */;

impl Decode<'_> for LicensePdu {
    const NAME: &'static str = "LicensePdu";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let message_type = src.u8("bMsgType")?;
        let flags = PreambleFlags(src.u8("flags")?);
        let size = usize::from(src.u16_le("wMsgSize")?);
        // wMsgSize counts the preamble too.
        let there = src.remaining();
        let length = match size.checked_sub(PREAMBLE_SIZE) {
            // Some senders also count the security header before the preamble: tests/vectors/license/license_error_valid_client.bin.
            Some(length) if length == there + SecurityHeader::SIZE => there,
            Some(length) if length <= there => length,
            _ => return Err(src.lies("wMsgSize", size, there + PREAMBLE_SIZE)),
        };
        let mut body = src.sub(length, "wMsgSize")?;
        let message = match message_type {
            LICENSE_REQUEST => LicenseMessage::LicenseRequest(Decode::decode(&mut body)?),
            PLATFORM_CHALLENGE => LicenseMessage::PlatformChallenge(Decode::decode(&mut body)?),
            NEW_LICENSE => LicenseMessage::NewLicense(Decode::decode(&mut body)?),
            UPGRADE_LICENSE => LicenseMessage::UpgradeLicense(Decode::decode(&mut body)?),
            LICENSE_INFO => LicenseMessage::LicenseInfo(Decode::decode(&mut body)?),
            NEW_LICENSE_REQUEST => LicenseMessage::NewLicenseRequest(Decode::decode(&mut body)?),
            PLATFORM_CHALLENGE_RESPONSE => {
                LicenseMessage::PlatformChallengeResponse(Decode::decode(&mut body)?)
            }
            ERROR_ALERT => LicenseMessage::ErrorAlert(Decode::decode(&mut body)?),
            other => return Err(src.invalid("bMsgType", other)),
        };
        Ok(Self { flags, message })
    }
}

impl Encode for LicensePdu {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        PREAMBLE_SIZE + self.message.body().size()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u8(self.message.message_type())?;
        dst.u8(self.flags.0)?;
        dst.u16_le(len_u16(self.size(), Self::NAME, "wMsgSize")?)?;
        let body = self.message.body();
        body.encode(dst).map_err(|error| error.in_pdu(body.name()))
    }
}
