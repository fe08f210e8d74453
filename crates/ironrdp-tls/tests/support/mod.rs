//! Handshakes in memory, and the certificates to make them with.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, process};

use ironrdp_tls::{CertificatePolicy, Fingerprint, PeerCertificate, TlsClient, TlsError, TlsServer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConnection, ServerConfig, ServerConnection, SupportedProtocolVersion};

pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

pub(crate) fn data(name: &str) -> Vec<u8> {
    fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data")
            .join(name),
    )
    .unwrap()
}

pub(crate) fn der(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(&data(&format!("{name}.pem"))).unwrap()
}

pub(crate) fn key(name: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(&data(&format!("{name}.key.pem"))).unwrap()
}

/// A server as others are: one TLS version, and whatever certificate and key, be they a pair or not.
pub(crate) fn server(
    certificate: &str,
    key_name: &str,
    version: &'static SupportedProtocolVersion,
) -> Arc<ServerConfig> {
    let provider = ironrdp_tls::default_provider();
    let signer = provider.key_provider.load_private_key(key(key_name)).unwrap();
    let resolver = SingleCertAndKey::from(CertifiedKey::new(vec![der(certificate)], signer));
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    Arc::new(config)
}

pub(crate) fn key_of(certificate: &str) -> Fingerprint {
    PeerCertificate::from_der(&der(certificate))
        .unwrap()
        .public_key_sha256()
}

pub(crate) fn tls_server(certificate: &str, key_name: &str) -> TlsServer {
    TlsServer::from_der(vec![der(certificate)], key(key_name)).unwrap()
}

pub(crate) fn client(policy: CertificatePolicy) -> TlsClient {
    TlsClient::new(policy).unwrap()
}

/// Runs a handshake to its end; the client's verdict.
pub(crate) fn handshake(
    client: ClientConnection,
    server: &Arc<ServerConfig>,
) -> Result<ClientConnection, TlsError> {
    let server = ServerConnection::new(Arc::clone(server)).unwrap();
    run(client, server).0
}

/// As `handshake`, with the server's error, if it had one.
pub(crate) fn run(
    mut client: ClientConnection,
    mut server: ServerConnection,
) -> (Result<ClientConnection, TlsError>, Option<rustls::Error>) {
    let mut server_error = None;
    for _ in 0..16 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut input = wire.as_slice();
        while !input.is_empty() && server_error.is_none() {
            server.read_tls(&mut input).unwrap();
            server_error = server.process_new_packets().err();
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut input = wire.as_slice();
        while !input.is_empty() {
            client.read_tls(&mut input).unwrap();
            if let Err(error) = client.process_new_packets() {
                // The alert goes out before the error is returned.
                let mut wire = Vec::new();
                client.write_tls(&mut wire).unwrap();
                let mut input = wire.as_slice();
                server.read_tls(&mut input).unwrap();
                let server_error = server_error.or(server.process_new_packets().err());
                return (Err(TlsError::from(error)), server_error);
            }
        }
        if !client.is_handshaking() && !client.wants_write() && !server.is_handshaking() {
            return (Ok(client), server_error);
        }
    }
    panic!("the handshake does not end");
}

/// A directory of its own for one test, gone afterwards.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(test: &str) -> Self {
        let path = env::temp_dir().join(format!("ironrdp-tls-{}-{test}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
