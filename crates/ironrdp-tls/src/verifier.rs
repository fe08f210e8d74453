//! The policy as rustls asks for it.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error as RustlsError, OtherError, PeerMisbehaved,
    SignatureScheme,
};

use crate::certificate::{PublicKeyType, key_bits};
use crate::fingerprint::Fingerprint;
use crate::known_hosts::{HostKey, KnownHosts, KnownHostsError, Verdict};
use crate::policy::Pin;
use crate::rejection::{CertificateRejection, RejectionReason};
use crate::x509::X509;

#[derive(Debug)]
pub(crate) struct PolicyVerifier {
    rule: Rule,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
pub(crate) enum Rule {
    Roots(Arc<WebPkiServerVerifier>),
    Pins(Arc<[Pin]>),
    /// One verifier a host: rustls names the host to a verifier, but not the port.
    KnownHost(KnownHosts, HostKey),
    AcceptAny,
}

impl PolicyVerifier {
    pub(crate) fn new(rule: Rule, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { rule, algorithms }
    }

    fn verify_signature(
        &self,
        version: Version,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        if let Rule::Roots(webpki) = &self.rule {
            let verdict = match version {
                Version::Tls12 => webpki.verify_tls12_signature(message, certificate, signed),
                Version::Tls13 => webpki.verify_tls13_signature(message, certificate, signed),
            };
            return verdict.map_err(|error| match error {
                RustlsError::InvalidCertificate(CertificateError::BadSignature) => {
                    reject(RejectionReason::BadSignature, certificate)
                }
                error => with_certificate(error, certificate),
            });
        }
        let x509 = X509::parse(certificate)
            .map_err(|error| reject(RejectionReason::Malformed(error), certificate))?;
        let valid = verify_with_raw_key(&self.algorithms, version, message, certificate, &x509, signed)?;
        if let Rule::KnownHost(known_hosts, host) = &self.rule {
            // Only now: before this signature anybody could have shown the certificate, and a key that the
            // server does not hold would be on record.
            let key = Fingerprint::of(x509.spki);
            let verdict = known_hosts.trust(host, key).map_err(file_error)?;
            judge(verdict, known_hosts, host, certificate)?;
        }
        Ok(valid)
    }
}

impl ServerCertVerifier for PolicyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, RustlsError> {
        if let Rule::Roots(webpki) = &self.rule {
            return webpki
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .map_err(|error| with_certificate(error, end_entity));
        }
        let x509 =
            X509::parse(end_entity).map_err(|error| reject(RejectionReason::Malformed(error), end_entity))?;
        match &self.rule {
            Rule::Roots(_) | Rule::AcceptAny => {}
            Rule::Pins(pins) => {
                let (certificate, key) = (Fingerprint::of(end_entity), Fingerprint::of(x509.spki));
                if !pins.iter().any(|pin| pin.matches(certificate, key)) {
                    return Err(reject(
                        RejectionReason::PinMismatch { pins: pins.to_vec() },
                        end_entity,
                    ));
                }
            }
            Rule::KnownHost(known_hosts, host) => {
                let verdict = known_hosts
                    .check(host, Fingerprint::of(x509.spki))
                    .map_err(file_error)?;
                judge(verdict, known_hosts, host, end_entity)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        self.verify_signature(Version::Tls12, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        self.verify_signature(Version::Tls13, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Tls12,
    Tls13,
}

/// Checks the handshake's signature with the key as it stands in the certificate.
///
/// webpki would parse the certificate again and refuse version 1; these policies have decided about the
/// certificate already, and only ask whether the server holds its key.
fn verify_with_raw_key(
    algorithms: &WebPkiSupportedAlgorithms,
    version: Version,
    message: &[u8],
    certificate: &CertificateDer<'_>,
    x509: &X509<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, RustlsError> {
    let unadvertised = || RustlsError::from(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme);
    if version == Version::Tls13 && !is_for_tls13(signed.scheme) {
        return Err(unadvertised());
    }
    let (_, candidates) = algorithms
        .mapping
        .iter()
        .find(|(scheme, _)| *scheme == signed.scheme)
        .ok_or_else(unadvertised)?;
    // RFC 8446 4.2.3: in TLS 1.3 the scheme fixes the curve, in 1.2 it does not. The first is the fixed one.
    let candidates = match version {
        Version::Tls12 => candidates,
        Version::Tls13 => candidates.get(..1).unwrap_or_default(),
    };
    let unsupported = || reject(RejectionReason::UnsupportedKey, certificate);
    let algorithm = candidates
        .iter()
        .find(|algorithm| algorithm.public_key_alg_id().as_ref() == x509.algorithm)
        .ok_or_else(unsupported)?;
    match algorithm.verify_signature(x509.key, message, signed.signature()) {
        Ok(()) => Ok(HandshakeSignatureValid::assertion()),
        // The provider does not tell a wrong signature from a key of a size that it does not do.
        Err(_) if has_unsupported_size(x509) => Err(unsupported()),
        Err(_) => Err(reject(RejectionReason::BadSignature, certificate)),
    }
}

fn is_for_tls13(scheme: SignatureScheme) -> bool {
    // RFC 8446 4.2.3: PKCS #1 v1.5 and SHA-1 sign certificates only, never the handshake.
    matches!(
        scheme,
        SignatureScheme::ECDSA_NISTP256_SHA256
            | SignatureScheme::ECDSA_NISTP384_SHA384
            | SignatureScheme::ECDSA_NISTP521_SHA512
            | SignatureScheme::RSA_PSS_SHA256
            | SignatureScheme::RSA_PSS_SHA384
            | SignatureScheme::RSA_PSS_SHA512
            | SignatureScheme::ED25519
            | SignatureScheme::ED448
    )
}

fn has_unsupported_size(x509: &X509<'_>) -> bool {
    PublicKeyType::of(x509) == PublicKeyType::Rsa
        && !key_bits(x509).is_some_and(|bits| (2_048..=8_192).contains(&bits))
}

fn judge(
    verdict: Verdict,
    known_hosts: &KnownHosts,
    host: &HostKey,
    certificate: &CertificateDer<'_>,
) -> Result<(), RustlsError> {
    let host = host.to_string();
    let reason = match verdict {
        Verdict::Trusted => return Ok(()),
        Verdict::Unknown if known_hosts.trusts_on_first_use() => return Ok(()),
        Verdict::Unknown => RejectionReason::UnknownHost { host },
        Verdict::Changed(known) => RejectionReason::KnownHostChanged {
            host,
            known,
            file: known_hosts.path().map(Into::into),
        },
    };
    Err(reject(reason, certificate))
}

fn reject(reason: RejectionReason, certificate: &CertificateDer<'_>) -> RustlsError {
    carry(CertificateRejection::new(reason, certificate))
}

/// Adds to webpki's verdict which certificate it was about.
fn with_certificate(error: RustlsError, certificate: &CertificateDer<'_>) -> RustlsError {
    match error {
        RustlsError::InvalidCertificate(reason) => {
            carry(CertificateRejection::by_path_validation(reason, certificate))
        }
        other => other,
    }
}

/// The price of carrying our own type: the server gets the alert certificate_unknown for every reason.
fn carry(rejection: CertificateRejection) -> RustlsError {
    RustlsError::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(rejection))))
}

fn file_error(error: KnownHostsError) -> RustlsError {
    RustlsError::Other(OtherError(Arc::new(error)))
}
