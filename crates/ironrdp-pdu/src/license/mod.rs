//! Licensing messages as they travel (MS-RDPELE 2.2, MS-RDPBCGR 2.2.1.12).
//!
//! Each travels as a [`LicensePdu`] behind a security header with
//! [`LICENSE_PACKET`](crate::security::SecurityFlags::LICENSE_PACKET). What is encrypted inside is opaque here;
//! the plain forms of it ([`NewLicenseInfo`], [`PlatformChallengeResponseData`], [`HardwareId`]) are structures of their own.

mod blob;
mod client;
mod error_alert;
mod pdu;
mod plain;
mod server;

pub use blob::{BlobKind, LicenseBlob};
pub use client::{ClientLicenseInfo, ClientNewLicenseRequest, ClientPlatformChallengeResponse};
pub use error_alert::{LicenseErrorAlert, LicenseErrorCode, StateTransition};
pub use pdu::{LicenseMessage, LicensePdu, PreambleFlags};
pub use plain::{HardwareId, LicenseDetailLevel, NewLicenseInfo, PlatformChallengeResponseData};
pub use server::{ProductInfo, ServerLicense, ServerLicenseRequest, ServerPlatformChallenge};

/// RSA, the only key exchange of licensing (`KEY_EXCHANGE_ALG_RSA`, MS-RDPELE 2.2.2.1.3).
pub const KEY_EXCHANGE_RSA: u32 = 1;

/// Bytes of a message authentication code (`MACData`, MS-RDPELE 5.1.6).
pub const MAC_SIZE: usize = 16;
