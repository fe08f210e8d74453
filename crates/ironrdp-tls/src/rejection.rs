//! Why a certificate was refused, with all that is needed to accept it after a look.

use core::error::Error;
use core::fmt;
use std::path::PathBuf;

use rustls::CertificateError;
use rustls::pki_types::UnixTime;

use crate::certificate::PeerCertificate;
use crate::der::X509Error;
use crate::fingerprint::Fingerprint;
use crate::known_hosts::KnownKey;
use crate::policy::Pin;
use crate::time::CertificateTime;

/// A refused certificate: the reason, and what it was, so that a user can compare and pin it.
#[derive(Clone, Debug)]
pub struct CertificateRejection {
    reason: RejectionReason,
    sha256: Option<Fingerprint>,
    public_key_sha256: Option<Fingerprint>,
    subject: Option<String>,
}

/// The rule a certificate broke.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RejectionReason {
    /// Signed by itself. Windows and most RDP servers do that out of the box: pin it or use known hosts.
    SelfSigned,
    /// Signed by an authority that is not trusted here.
    UnknownIssuer,
    /// Its time is over.
    Expired {
        /// When it ended; none if the certificate's date is malformed.
        not_after: Option<CertificateTime>,
    },
    /// Its time has not come; often a wrong clock, here or there.
    NotYetValid {
        /// When it starts; none if the certificate's date is malformed.
        not_before: Option<CertificateTime>,
    },
    /// Made for other names than the one connected to.
    NameMismatch {
        /// The name connected to.
        expected: String,
        /// The names in the certificate.
        presented: Vec<String>,
    },
    /// Not made for servers (extended key usage).
    WrongPurpose,
    /// Revoked by its issuer.
    Revoked,
    /// Neither the certificate nor its key is among the pinned ones.
    PinMismatch {
        /// The pins.
        pins: Vec<Pin>,
    },
    /// The server had another public key before: a new installation, or someone in between.
    KnownHostChanged {
        /// `[host]:port`.
        host: String,
        /// The keys on record.
        known: Vec<KnownKey>,
        /// The file with the record; none for a record in memory.
        file: Option<PathBuf>,
    },
    /// Not on record, and unknown hosts are refused.
    UnknownHost {
        /// `[host]:port`.
        host: String,
    },
    /// The server did not prove that it holds the private key.
    BadSignature,
    /// A kind or size of key this crypto provider cannot verify, such as RSA below 2048 bits.
    UnsupportedKey,
    /// Cannot be read.
    Malformed(X509Error),
    /// Another rule of path validation.
    Invalid(CertificateError),
}

impl CertificateRejection {
    pub(crate) fn new(reason: RejectionReason, der: &[u8]) -> Self {
        let certificate = PeerCertificate::from_der(der).ok();
        Self {
            reason,
            sha256: Some(Fingerprint::of(der)),
            public_key_sha256: certificate.map(|certificate| certificate.public_key_sha256()),
            subject: certificate.map(|certificate| certificate.subject()),
        }
    }

    /// The verdict of path validation on this certificate.
    pub(crate) fn by_path_validation(error: CertificateError, der: &[u8]) -> Self {
        let certificate = PeerCertificate::from_der(der).ok();
        let reason = match error {
            // For a self-signed CA:TRUE certificate webpki does not get as far as the issuer: it complains
            // about a CA in the place of an end entity, or about version 1, in errors without a variant.
            // The user can act on the fact below them.
            CertificateError::UnknownIssuer | CertificateError::Other(_)
                if certificate.is_some_and(|certificate| certificate.is_self_signed()) =>
            {
                RejectionReason::SelfSigned
            }
            // Dates from the certificate if webpki gives none.
            CertificateError::Expired => RejectionReason::Expired {
                not_after: certificate.and_then(|certificate| certificate.not_after()),
            },
            CertificateError::NotValidYet => RejectionReason::NotYetValid {
                not_before: certificate.and_then(|certificate| certificate.not_before()),
            },
            error => RejectionReason::from(error),
        };
        Self::new(reason, der)
    }

    /// A verdict from another verifier than ours: no fingerprints.
    pub(crate) fn foreign(error: CertificateError) -> Self {
        Self {
            reason: error.into(),
            sha256: None,
            public_key_sha256: None,
            subject: None,
        }
    }

    /// The rule it broke.
    pub fn reason(&self) -> &RejectionReason {
        &self.reason
    }

    /// SHA-256 of the certificate; none only if another verifier than this crate's refused it.
    pub fn sha256(&self) -> Option<Fingerprint> {
        self.sha256
    }

    /// SHA-256 of its public key; none also if the certificate could not be read.
    pub fn public_key_sha256(&self) -> Option<Fingerprint> {
        self.public_key_sha256
    }

    /// Whom it names, safe to print; none if it could not be read.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }
}

impl From<CertificateError> for RejectionReason {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::Expired => Self::Expired { not_after: None },
            CertificateError::ExpiredContext { not_after, .. } => Self::Expired {
                not_after: time(not_after),
            },
            CertificateError::NotValidYet => Self::NotYetValid { not_before: None },
            CertificateError::NotValidYetContext { not_before, .. } => Self::NotYetValid {
                not_before: time(not_before),
            },
            CertificateError::NotValidForNameContext { expected, presented } => Self::NameMismatch {
                expected: expected.to_str().into_owned(),
                presented,
            },
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::WrongPurpose
            }
            CertificateError::Revoked => Self::Revoked,
            CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => Self::UnsupportedKey,
            other => Self::Invalid(other),
        }
    }
}

fn time(time: UnixTime) -> Option<CertificateTime> {
    i64::try_from(time.as_secs())
        .ok()
        .map(CertificateTime::from_unix_seconds)
}

impl fmt::Display for CertificateRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        let parts = [
            self.subject
                .as_deref()
                .filter(|subject| !subject.is_empty())
                .map(str::to_owned),
            self.sha256.map(|sha256| format!("certificate sha256:{sha256}")),
            self.public_key_sha256
                .map(|sha256| format!("public key sha256:{sha256}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", parts.join("; "))
        }
    }
}

impl Error for CertificateRejection {}

impl fmt::Display for RejectionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SelfSigned => f.write_str("signed by itself, not by a trusted authority"),
            Self::UnknownIssuer => f.write_str("signed by an authority that is not trusted here"),
            Self::Expired {
                not_after: Some(time),
            } => write!(f, "expired at {time}"),
            Self::Expired { not_after: None } => f.write_str("expired"),
            Self::NotYetValid {
                not_before: Some(time),
            } => write!(f, "not valid before {time}"),
            Self::NotYetValid { not_before: None } => f.write_str("not valid yet"),
            Self::NameMismatch { expected, presented } if presented.is_empty() => {
                write!(f, "not made for {expected}, nor for any name")
            }
            Self::NameMismatch { expected, presented } => {
                write!(f, "not made for {expected} but for {}", presented.join(", "))
            }
            Self::WrongPurpose => f.write_str("not made for use by a server"),
            Self::Revoked => f.write_str("revoked by its issuer"),
            Self::PinMismatch { pins } if pins.is_empty() => f.write_str("nothing is pinned"),
            Self::PinMismatch { pins } => {
                let pins: Vec<String> = pins.iter().map(Pin::to_string).collect();
                write!(f, "not the pinned {}", pins.join(" or "))
            }
            Self::KnownHostChanged { host, known, file } => {
                write!(f, "the public key of {host} has changed; on record ")?;
                f.write_str(if file.is_some() { "" } else { "in memory " })?;
                for (at, key) in known.iter().enumerate() {
                    f.write_str(if at == 0 { "is " } else { " and " })?;
                    write!(f, "sha256:{}", key.fingerprint())?;
                    if let (Some(file), Some(line)) = (file, key.line()) {
                        write!(f, " at {}:{line}", file.display())?;
                    }
                }
                Ok(())
            }
            Self::UnknownHost { host } => write!(f, "{host} is not among the known hosts"),
            Self::BadSignature => f.write_str("the server does not hold its private key"),
            Self::UnsupportedKey => f.write_str("its kind or size of key is not supported"),
            Self::Malformed(error) => error.fmt(f),
            Self::Invalid(error) => error.fmt(f),
        }
    }
}
