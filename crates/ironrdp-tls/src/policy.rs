//! Which certificates a client accepts.

use core::fmt;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::sync::Arc;

use crate::error::{TlsError, TlsErrorKind, TlsResult};
use crate::fingerprint::Fingerprint;
use crate::known_hosts::KnownHosts;

/// Which server certificates are accepted; [`platform_roots`](Self::platform_roots) by default.
///
/// | policy | accepts | name, dates, issuer checked |
/// |---|---|---|
/// | `platform_roots`, `roots_from_pem` | what a trusted authority signed for this name | yes |
/// | `pin`, `pin_certificate`, `pin_public_key`, `pins` | exactly these certificates or keys | no |
/// | `known_hosts` | the key seen at the first connection to this host and port | no |
/// | `dangerously_accept_any` | anything | no |
///
/// Under every policy the server has to prove in the handshake that it holds the private key.
#[derive(Clone, Debug, Default)]
pub struct CertificatePolicy(pub(crate) Policy);

#[derive(Clone, Debug, Default)]
pub(crate) enum Policy {
    #[default]
    PlatformRoots,
    Roots(Arc<RootCertStore>),
    Pins(Arc<[Pin]>),
    KnownHosts(KnownHosts),
    AcceptAny,
}

/// One accepted certificate or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pin {
    /// SHA-256 of the certificate; to be changed with each renewal.
    Certificate(Fingerprint),
    /// SHA-256 of the public key (SubjectPublicKeyInfo); holds as long as the server keeps its key.
    PublicKey(Fingerprint),
    /// SHA-256 of either: for a user's input that does not say which of the two it is.
    Either(Fingerprint),
}

impl Pin {
    pub(crate) fn matches(&self, certificate: Fingerprint, public_key: Fingerprint) -> bool {
        match self {
            Self::Certificate(pin) => *pin == certificate,
            Self::PublicKey(pin) => *pin == public_key,
            Self::Either(pin) => *pin == certificate || *pin == public_key,
        }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(pin) => write!(f, "certificate sha256:{pin}"),
            Self::PublicKey(pin) => write!(f, "public key sha256:{pin}"),
            Self::Either(pin) => write!(f, "certificate or public key sha256:{pin}"),
        }
    }
}

impl CertificatePolicy {
    /// Accepts what the operating system's trusted authorities have signed for the server's name.
    ///
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` replace the system's store.
    pub fn platform_roots() -> Self {
        Self(Policy::PlatformRoots)
    }

    /// Accepts what these authorities, and no others, have signed for the server's name.
    ///
    /// Takes the text of a PEM file with one or more CA certificates. A server's own self-signed
    /// certificate is no authority, even if it says so: pin it instead.
    pub fn roots_from_pem(pem: &[u8]) -> TlsResult<Self> {
        let error = |subject| TlsError::new(TlsErrorKind::Roots, subject);
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|source| error("malformed pem").with_source(source))?;
            roots
                .add(certificate)
                .map_err(|source| error("not a ca certificate").with_source(source))?;
        }
        if roots.is_empty() {
            return Err(error("no certificate in the pem text"));
        }
        Ok(Self(Policy::Roots(Arc::new(roots))))
    }

    /// Accepts the one certificate with this SHA-256, whoever signed it, whatever it says.
    pub fn pin_certificate(sha256: impl Into<Fingerprint>) -> Self {
        Self::pins([Pin::Certificate(sha256.into())])
    }

    /// Accepts every certificate with the public key of this SHA-256 (of its SubjectPublicKeyInfo).
    pub fn pin_public_key(sha256: impl Into<Fingerprint>) -> Self {
        Self::pins([Pin::PublicKey(sha256.into())])
    }

    /// Accepts the certificate, or every certificate with the public key, of this SHA-256.
    pub fn pin(sha256: impl Into<Fingerprint>) -> Self {
        Self::pins([Pin::Either(sha256.into())])
    }

    /// Accepts what any of these pins accepts; nothing at all if there are none.
    pub fn pins(pins: impl IntoIterator<Item = Pin>) -> Self {
        Self(Policy::Pins(pins.into_iter().collect()))
    }

    /// Trusts a server's public key on first use, and refuses another one from then on.
    pub fn known_hosts(known_hosts: KnownHosts) -> Self {
        Self(Policy::KnownHosts(known_hosts))
    }

    /// Accepts every certificate.
    ///
    /// Whoever can answer in the server's place can read and change everything, the password included.
    pub fn dangerously_accept_any() -> Self {
        Self(Policy::AcceptAny)
    }
}
