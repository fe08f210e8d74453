//! The server's side: one certificate, one configuration for all clients.

use core::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, ServerConnection};

use crate::crypto::default_provider;
use crate::error::{TlsError, TlsErrorKind, TlsResult};
use crate::x509::X509;

/// TLS for any number of clients of a server; make one, clone it freely.
///
/// Takes every certificate a client could accept, version 1 and CA:TRUE included: whether it is a good one
/// is the client's question. What is checked is that certificate and key belong together.
#[derive(Clone)]
pub struct TlsServer(Arc<Shared>);

struct Shared {
    config: Arc<ServerConfig>,
    certificate: CertificateDer<'static>,
    subject_public_key: Box<[u8]>,
}

impl TlsServer {
    /// From PEM text: the certificate, first, then its issuers if any; and the private key (PKCS #8, PKCS #1
    /// or SEC 1, not encrypted).
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> TlsResult<Self> {
        let chain = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| unusable("certificate pem").with_source(source))?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|source| unusable("private key pem").with_source(source))?;
        Self::from_der(chain, key)
    }

    /// As [`from_pem`](Self::from_pem), from two files. Reads them now, once.
    pub fn from_files(certificates: impl AsRef<Path>, key: impl AsRef<Path>) -> TlsResult<Self> {
        let read = |path: &Path| {
            fs::read(path).map_err(|source| unusable(path.display().to_string()).with_source(source))
        };
        Self::from_pem(&read(certificates.as_ref())?, &read(key.as_ref())?)
    }

    /// From DER: the certificate and its issuers, and the key.
    pub fn from_der(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> TlsResult<Self> {
        let certificate = chain.first().ok_or_else(|| unusable("no certificate"))?.clone();
        let x509 = X509::parse(&certificate).map_err(|source| unusable("").with_source(source))?;
        let subject_public_key = x509.key.into();
        let provider = default_provider();
        let key = provider
            .key_provider
            .load_private_key(key)
            .map_err(|source| unusable("private key").with_source(source))?;
        // Not rustls' own check of the pair: that one refuses version 1 certificates.
        if key
            .public_key()
            .is_some_and(|public| public.as_ref() != x509.spki)
        {
            return Err(unusable("the private key belongs to another certificate"));
        }
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key))));
        // No resumption, for the reasons given in the client: nothing to keep for each client, no tickets.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self(Arc::new(Shared {
            config: Arc::new(config),
            certificate,
            subject_public_key,
        })))
    }

    /// The configuration, the same for every client: for a `tokio_rustls::TlsAcceptor`.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.config)
    }

    /// A new connection, before its first byte: for a blocking stream, or one driven by hand.
    pub fn connection(&self) -> TlsResult<ServerConnection> {
        Ok(ServerConnection::new(self.server_config())?)
    }

    /// The certificate shown to clients, in DER; [`PeerCertificate::from_der`](crate::PeerCertificate::from_der)
    /// reads it.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.0.certificate
    }

    /// The contents of the certificate's subjectPublicKey BIT STRING: what CredSSP binds to (MS-CSSP 3.1.5).
    pub fn subject_public_key(&self) -> &[u8] {
        &self.0.subject_public_key
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer").finish_non_exhaustive()
    }
}

fn unusable(subject: impl Into<String>) -> TlsError {
    TlsError::new(TlsErrorKind::Credentials, subject)
}
