//! What can go wrong in licensing.

use core::fmt;

use ironrdp_core::{DecodeError, EncodeError};
use ironrdp_pdu::license::{
    BlobKind, LicenseBlob, LicenseErrorAlert, LicenseErrorCode, LicenseMessage, LicensePdu, PreambleFlags,
    StateTransition,
};

/// Why licensing ended without a licence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LicenseError {
    /// The peer gave up and said why.
    Alert(LicenseErrorAlert),
    /// A message, or what is encrypted inside one, is not what it should be.
    Malformed(DecodeError),
    /// A message that has no place here.
    Unexpected {
        /// What was waited for.
        waiting_for: &'static str,
        /// `bMsgType` of what came.
        message_type: u8,
    },
    /// The server showed no certificate to encrypt with.
    NoCertificate,
    /// The certificate's key cannot be used, and why.
    UnusableKey(&'static str),
    /// The peer knows no key exchange that we know.
    UnsupportedKeyExchange,
    /// The MAC of this message is not that of its contents.
    WrongMac(&'static str),
    /// The client answered another challenge than the one it was given.
    WrongChallenge,
    /// A message cannot be written, because what we were configured with does not fit.
    Encode(EncodeError),
}

impl LicenseError {
    /// The alert to send to the peer before disconnecting; `None` when it knows already or it is our own fault.
    pub(crate) fn alert(&self) -> Option<LicensePdu> {
        let code = match self {
            Self::Alert(_) | Self::Encode(_) => return None,
            Self::Malformed(_) => LicenseErrorCode::InvalidMessageLength,
            Self::NoCertificate | Self::UnusableKey(_) => LicenseErrorCode::InvalidServerCertificate,
            Self::Unexpected { .. } | Self::UnsupportedKeyExchange | Self::WrongChallenge => {
                LicenseErrorCode::InvalidClient
            }
            Self::WrongMac(_) => LicenseErrorCode::InvalidMac,
        };
        Some(message(LicenseMessage::ErrorAlert(LicenseErrorAlert {
            code,
            transition: StateTransition::TotalAbort,
            info: LicenseBlob::empty(BlobKind::ERROR),
        })))
    }
}

/// `message` with the preamble of every sender since RDP 5.
pub(super) const fn message(message: LicenseMessage) -> LicensePdu {
    LicensePdu {
        flags: PreambleFlags::VERSION_3,
        message,
    }
}

impl fmt::Display for LicenseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(alert) => write!(f, "{}", alert.code),
            Self::Malformed(error) => write!(f, "{error}"),
            Self::Unexpected {
                waiting_for,
                message_type,
            } => write!(
                f,
                "licensing message 0x{message_type:02x} came in place of {waiting_for}"
            ),
            Self::NoCertificate => f.write_str("the server showed no licensing certificate"),
            Self::UnusableKey(why) => write!(f, "the key of the server's licensing certificate {why}"),
            Self::UnsupportedKeyExchange => f.write_str("no common key exchange for licensing"),
            Self::WrongMac(which) => write!(f, "the checksum of the {which} is wrong"),
            Self::WrongChallenge => f.write_str("the answer is to another platform challenge"),
            Self::Encode(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for LicenseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            Self::Encode(error) => Some(error),
            _ => None,
        }
    }
}

impl From<DecodeError> for LicenseError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

impl From<EncodeError> for LicenseError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}
