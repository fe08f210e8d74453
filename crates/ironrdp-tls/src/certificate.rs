//! What a server's certificate says.

use core::fmt;

use rustls::CommonState;

use crate::der::{DerReader, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, X509Error};
use crate::error::{TlsError, TlsErrorKind, TlsResult};
use crate::fingerprint::Fingerprint;
use crate::name;
use crate::time::CertificateTime;
use crate::x509::X509;

/// The certificate of a connected server, read in place.
///
/// Borrows from the connection, which keeps the certificate anyway: copy what is to be kept. Reading it
/// says nothing about trust; that was decided by the [`CertificatePolicy`](crate::CertificatePolicy)
/// during the handshake.
#[derive(Clone, Copy)]
pub struct PeerCertificate<'a> {
    der: &'a [u8],
    x509: X509<'a>,
}

impl<'a> PeerCertificate<'a> {
    /// The certificate the peer of this connection has shown.
    ///
    /// Takes a `&ClientConnection` as it is. [`Misuse`](TlsErrorKind::Misuse) before the handshake is
    /// complete, [`Malformed`](TlsErrorKind::Malformed) if the certificate cannot be read.
    pub fn from_connection(connection: &'a CommonState) -> TlsResult<Self> {
        match connection.peer_certificates().and_then(<[_]>::first) {
            Some(der) => Self::from_der(der).map_err(|error| {
                TlsError::new(TlsErrorKind::Malformed, "peer certificate").with_source(error)
            }),
            None => Err(TlsError::new(
                TlsErrorKind::Misuse,
                "no certificate before the tls handshake is complete",
            )),
        }
    }

    /// Reads a certificate from its DER form.
    pub fn from_der(der: &'a [u8]) -> Result<Self, X509Error> {
        Ok(Self {
            der,
            x509: X509::parse(der)?,
        })
    }

    /// The whole certificate in DER.
    pub fn der(&self) -> &'a [u8] {
        self.der
    }

    /// SHA-256 of the certificate; changes with every renewal.
    pub fn sha256(&self) -> Fingerprint {
        Fingerprint::of(self.der)
    }

    /// SHA-256 of the public key ([`spki`](Self::spki)); survives a renewal with the same key.
    pub fn public_key_sha256(&self) -> Fingerprint {
        Fingerprint::of(self.x509.spki)
    }

    /// SubjectPublicKeyInfo in DER (RFC 5280 4.1.2.7).
    pub fn spki(&self) -> &'a [u8] {
        self.x509.spki
    }

    /// The contents of the subjectPublicKey BIT STRING: what CredSSP binds to (MS-CSSP 3.1.5).
    pub fn subject_public_key(&self) -> &'a [u8] {
        self.x509.key
    }

    /// Whom the certificate names, as `CN=rdp.example, O=Example`; safe to print.
    pub fn subject(&self) -> String {
        name::render(&self.x509.subject)
    }

    /// Who issued it, in the same form; not verified here.
    pub fn issuer(&self) -> String {
        name::render(&self.x509.issuer)
    }

    /// Start of validity; none if the certificate's date is malformed.
    pub fn not_before(&self) -> Option<CertificateTime> {
        CertificateTime::from_der(&self.x509.not_before)
    }

    /// End of validity; none if the certificate's date is malformed.
    pub fn not_after(&self) -> Option<CertificateTime> {
        CertificateTime::from_der(&self.x509.not_after)
    }

    /// Whether issuer and subject are the same name. The signature is not checked.
    pub fn is_self_signed(&self) -> bool {
        self.x509.is_self_signed()
    }

    /// The kind of key.
    pub fn key_type(&self) -> PublicKeyType {
        PublicKeyType::of(&self.x509)
    }

    /// Size of the key in bits, as usually quoted: the modulus for RSA, the curve for the others; none for
    /// kinds not known here.
    pub fn key_bits(&self) -> Option<usize> {
        key_bits(&self.x509)
    }
}

impl fmt::Debug for PeerCertificate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCertificate")
            .field("subject", &self.subject())
            .field("sha256", &self.sha256())
            .field("public_key_sha256", &self.public_key_sha256())
            .finish()
    }
}

/// The kind of a certificate's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKeyType {
    /// RSA.
    Rsa,
    /// ECDSA on NIST P-256.
    EcdsaP256,
    /// ECDSA on NIST P-384.
    EcdsaP384,
    /// ECDSA on NIST P-521.
    EcdsaP521,
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// Another one, by its object identifier in dotted form.
    Other(String),
}

impl PublicKeyType {
    pub(crate) fn of(x509: &X509<'_>) -> Self {
        let mut algorithm = DerReader::new(x509.algorithm);
        let Ok(oid) = algorithm.expect(OBJECT_IDENTIFIER, "algorithm") else {
            return Self::Other("#".to_owned());
        };
        let curve = algorithm
            .expect(OBJECT_IDENTIFIER, "namedCurve")
            .map_or(&[][..], |curve| curve.contents);
        match (oid.contents, curve) {
            ([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01], _) => Self::Rsa,
            ([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01], curve) => match curve {
                [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => Self::EcdsaP256,
                [0x2b, 0x81, 0x04, 0x00, 0x22] => Self::EcdsaP384,
                [0x2b, 0x81, 0x04, 0x00, 0x23] => Self::EcdsaP521,
                other => Self::other(other),
            },
            ([0x2b, 0x65, 0x70], _) => Self::Ed25519,
            ([0x2b, 0x65, 0x71], _) => Self::Ed448,
            (other, _) => Self::other(other),
        }
    }

    fn other(oid: &[u8]) -> Self {
        let mut text = String::new();
        name::dotted(oid, &mut text);
        Self::Other(text)
    }
}

impl fmt::Display for PublicKeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa => "RSA",
            Self::EcdsaP256 => "ECDSA P-256",
            Self::EcdsaP384 => "ECDSA P-384",
            Self::EcdsaP521 => "ECDSA P-521",
            Self::Ed25519 => "Ed25519",
            Self::Ed448 => "Ed448",
            Self::Other(oid) => oid,
        })
    }
}

pub(crate) fn key_bits(x509: &X509<'_>) -> Option<usize> {
    match PublicKeyType::of(x509) {
        PublicKeyType::Rsa => {
            // RFC 8017 A.1.1: SEQUENCE { modulus INTEGER, publicExponent INTEGER }.
            let mut key = DerReader::new(x509.key)
                .expect(SEQUENCE, "rsaPublicKey")
                .ok()?
                .reader();
            let modulus = key.expect(INTEGER, "modulus").ok()?.contents;
            let start = modulus.iter().position(|byte| *byte != 0)?;
            let digits = modulus.get(start..)?;
            let spare = usize::try_from(digits.first()?.leading_zeros()).ok()?;
            Some(digits.len() * 8 - spare)
        }
        PublicKeyType::EcdsaP256 | PublicKeyType::Ed25519 => Some(256),
        PublicKeyType::EcdsaP384 => Some(384),
        PublicKeyType::EcdsaP521 => Some(521),
        PublicKeyType::Ed448 => Some(456),
        PublicKeyType::Other(_) => None,
    }
}
