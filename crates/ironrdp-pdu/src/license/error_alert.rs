//! The licensing error message, which is also how a server says that it needs no licence.

use core::fmt;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use super::{BlobKind, LicenseBlob};

/// An error, or the good news of [`ValidClient`](LicenseErrorCode::ValidClient)
/// (`LICENSE_ERROR_MESSAGE`, MS-RDPBCGR 2.2.1.12.1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenseErrorAlert {
    /// What happened.
    pub code: LicenseErrorCode,
    /// What the receiver should do next.
    pub transition: StateTransition,
    /// Details; usually empty.
    pub info: LicenseBlob,
}

impl LicenseErrorAlert {
    /// The server's word that the client may go on without a licence.
    pub const fn valid_client() -> Self {
        Self {
            code: LicenseErrorCode::ValidClient,
            transition: StateTransition::NoTransition,
            info: LicenseBlob::empty(BlobKind::ERROR),
        }
    }

    /// Whether this ends licensing well. The transition is not looked at: there is nothing else it could ask for.
    pub fn is_valid_client(&self) -> bool {
        self.code == LicenseErrorCode::ValidClient
    }
}

/// What happened in licensing (`dwErrorCode`, MS-RDPBCGR 2.2.1.12.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LicenseErrorCode {
    /// The client cannot use the server's certificate.
    InvalidServerCertificate,
    /// The client has no licence and cannot get one.
    NoLicense,
    /// A message's MAC is wrong.
    InvalidMac,
    /// The licence was issued for another scope.
    InvalidScope,
    /// The server found no licence server.
    NoLicenseServer,
    /// Not an error: the client needs no licence, or has shown a good one.
    ValidClient,
    /// The server does not accept this client.
    InvalidClient,
    /// The licence is for another product.
    InvalidProductId,
    /// A message's length is wrong.
    InvalidMessageLength,
    /// A code this version does not know.
    Other(u32),
}

impl From<u32> for LicenseErrorCode {
    fn from(code: u32) -> Self {
        match code {
            0x01 => Self::InvalidServerCertificate,
            0x02 => Self::NoLicense,
            0x03 => Self::InvalidMac,
            0x04 => Self::InvalidScope,
            0x06 => Self::NoLicenseServer,
            0x07 => Self::ValidClient,
            0x08 => Self::InvalidClient,
            0x0b => Self::InvalidProductId,
            0x0c => Self::InvalidMessageLength,
            other => Self::Other(other),
        }
    }
}

impl From<LicenseErrorCode> for u32 {
    fn from(code: LicenseErrorCode) -> Self {
        match code {
            LicenseErrorCode::InvalidServerCertificate => 0x01,
            LicenseErrorCode::NoLicense => 0x02,
            LicenseErrorCode::InvalidMac => 0x03,
            LicenseErrorCode::InvalidScope => 0x04,
            LicenseErrorCode::NoLicenseServer => 0x06,
            LicenseErrorCode::ValidClient => 0x07,
            LicenseErrorCode::InvalidClient => 0x08,
            LicenseErrorCode::InvalidProductId => 0x0b,
            LicenseErrorCode::InvalidMessageLength => 0x0c,
            LicenseErrorCode::Other(other) => other,
        }
    }
}

impl fmt::Display for LicenseErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::InvalidServerCertificate => "the server's licensing certificate is not usable",
            Self::NoLicense => "the client has no licence and cannot get one",
            Self::InvalidMac => "a licensing message was damaged",
            Self::InvalidScope => "the licence was issued for another scope",
            Self::NoLicenseServer => "the server finds no licence server",
            Self::ValidClient => "no licence is needed",
            Self::InvalidClient => "the server does not accept this client",
            Self::InvalidProductId => "the licence is for another product",
            Self::InvalidMessageLength => "a licensing message has a wrong length",
            Self::Other(code) => return write!(f, "licensing error 0x{code:x}"),
        };
        f.write_str(text)
    }
}

/// What the receiver of an error should do next (`dwStateTransition`, MS-RDPBCGR 2.2.1.12.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StateTransition {
    /// Give up and disconnect.
    TotalAbort,
    /// Go on as before.
    NoTransition,
    /// Begin licensing again.
    ResetPhaseToStart,
    /// Send the last message again.
    ResendLastMessage,
    /// A transition this version does not know.
    Other(u32),
}

impl From<u32> for StateTransition {
    fn from(transition: u32) -> Self {
        match transition {
            1 => Self::TotalAbort,
            2 => Self::NoTransition,
            3 => Self::ResetPhaseToStart,
            4 => Self::ResendLastMessage,
            other => Self::Other(other),
        }
    }
}

impl From<StateTransition> for u32 {
    fn from(transition: StateTransition) -> Self {
        match transition {
            StateTransition::TotalAbort => 1,
            StateTransition::NoTransition => 2,
            StateTransition::ResetPhaseToStart => 3,
            StateTransition::ResendLastMessage => 4,
            StateTransition::Other(other) => other,
        }
    }
}

impl Decode<'_> for LicenseErrorAlert {
    const NAME: &'static str = "LicenseErrorAlert";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            code: src.u32_le("dwErrorCode")?.into(),
            transition: src.u32_le("dwStateTransition")?.into(),
            info: LicenseBlob::read(src, "bbErrorInfo")?,
        })
    }
}

impl Encode for LicenseErrorAlert {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 /* dwErrorCode */ + 4 /* dwStateTransition */ + self.info.size()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.code.into())?;
        dst.u32_le(self.transition.into())?;
        self.info.write(dst, Self::NAME, "bbErrorInfo")
    }
}
