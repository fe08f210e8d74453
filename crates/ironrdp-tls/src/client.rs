//! The client's side: one configuration for all sessions.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientConnection, DEFAULT_VERSIONS, KeyLogFile, RootCertStore, SupportedProtocolVersion,
};

use crate::crypto::default_provider;
use crate::error::{TlsError, TlsErrorKind, TlsResult};
use crate::known_hosts::{HostKey, KnownHosts};
use crate::policy::{CertificatePolicy, Policy};
use crate::roots;
use crate::verifier::{PolicyVerifier, Rule};

/// TLS for any number of client sessions; make one, clone it freely.
///
/// Everything heavy (crypto provider, trusted roots, protocol settings) is built here, once.
///
/// ```
/// use ironrdp_tls::{CertificatePolicy, Fingerprint, TlsClient};
///
/// let pin: Fingerprint = "5e5de1222c2d7f0cbc603569d231632a2183972a30fe9a9a3276ca65428f2d1b".parse()?;
/// let tls = TlsClient::new(CertificatePolicy::pin_public_key(pin))?;
/// let config = tls.for_host("rdp.example", 3389)?; // for a `tokio_rustls::TlsConnector`
/// let name = TlsClient::server_name("rdp.example")?;
/// # let _ = (config, name);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TlsClient(Arc<Shared>);

struct Shared {
    config: Arc<ClientConfig>,
    known_hosts: Option<KnownHosts>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl TlsClient {
    /// A client with this policy and the default for everything else.
    ///
    /// The first client of a process that needs the platform's roots reads them here, which blocks for some
    /// milliseconds; no other policy touches them.
    pub fn new(policy: CertificatePolicy) -> TlsResult<Self> {
        Self::builder(policy).build()
    }

    /// Starts a client with more choices.
    pub fn builder(policy: CertificatePolicy) -> TlsClientBuilder {
        TlsClientBuilder {
            policy,
            provider: None,
            versions: DEFAULT_VERSIONS,
            key_log: false,
        }
    }

    /// The configuration for a connection to this host and port.
    ///
    /// The same `Arc` for every host, and no allocation, unless the policy is known hosts. There the result
    /// is a small object of its own, which shares everything with the others but the name of the host: rustls
    /// does not tell a certificate verifier the port. Keep it for the next connection to the same host, or
    /// ask again.
    pub fn for_host(&self, host: &str, port: u16) -> TlsResult<Arc<ClientConfig>> {
        let Shared {
            config,
            known_hosts,
            algorithms,
        } = &*self.0;
        let Some(known_hosts) = known_hosts else {
            return Ok(Arc::clone(config));
        };
        let rule = Rule::KnownHost(known_hosts.clone(), HostKey::new(&Self::server_name(host)?, port));
        let mut config = ClientConfig::clone(config);
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(PolicyVerifier::new(rule, *algorithms)));
        Ok(Arc::new(config))
    }

    /// The name to connect to, as rustls wants it: a DNS name or an IP address, IPv6 with or without brackets.
    ///
    /// DNS names are sent to the server (SNI), addresses never.
    pub fn server_name(host: &str) -> TlsResult<ServerName<'static>> {
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let parsed = match bracketed {
            Some(inner) => inner
                .parse::<Ipv6Addr>()
                .ok()
                .map(|ip| ServerName::from(IpAddr::V6(ip))),
            None => ServerName::try_from(host.to_owned()).ok(),
        };
        parsed.ok_or_else(|| TlsError::new(TlsErrorKind::InvalidName, format!("{host:?}")))
    }

    /// A new connection, before its first byte: for a blocking stream, or one driven by hand.
    pub fn connection(&self, host: &str, port: u16) -> TlsResult<ClientConnection> {
        Ok(ClientConnection::new(
            self.for_host(host, port)?,
            Self::server_name(host)?,
        )?)
    }
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient")
            .field("known_hosts", &self.0.known_hosts)
            .finish_non_exhaustive()
    }
}

/// Choices for a [`TlsClient`] beyond its policy.
#[must_use]
pub struct TlsClientBuilder {
    policy: CertificatePolicy,
    provider: Option<Arc<CryptoProvider>>,
    versions: &'static [&'static SupportedProtocolVersion],
    key_log: bool,
}

impl TlsClientBuilder {
    /// Uses another crypto provider than [`default_provider`]: other cipher suites, a FIPS module.
    ///
    /// Fingerprints are always computed by the default provider.
    pub fn crypto_provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Offers only these versions of TLS, to find out which a server has; 1.2 and 1.3 unless called.
    pub fn protocol_versions(mut self, versions: &'static [&'static SupportedProtocolVersion]) -> Self {
        self.versions = versions;
        self
    }

    /// Appends the keys of every session to the file that `SSLKEYLOGFILE` names, for Wireshark.
    ///
    /// Whoever reads that file reads the sessions. Without this call the variable has no effect.
    pub fn dangerously_enable_key_log(mut self) -> Self {
        self.key_log = true;
        self
    }

    /// Builds the client. Fails with [`TlsErrorKind::Roots`] if the policy needs roots and there are none.
    pub fn build(self) -> TlsResult<TlsClient> {
        let provider = self.provider.unwrap_or_else(default_provider);
        let algorithms = provider.signature_verification_algorithms;
        let (rule, known_hosts) = match self.policy.0 {
            Policy::PlatformRoots => (webpki(roots::platform()?, &provider)?, None),
            Policy::Roots(roots) => (webpki(roots, &provider)?, None),
            Policy::Pins(pins) => (Rule::Pins(pins), None),
            // What `for_host` copies; it never leaves this module with a verifier that accepts nothing.
            Policy::KnownHosts(known_hosts) => (Rule::Pins(Arc::new([])), Some(known_hosts)),
            Policy::AcceptAny => (Rule::AcceptAny, None),
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(PolicyVerifier::new(rule, algorithms)))
            .with_no_client_auth();
        // An RDP session is one long connection. Resuming would save a reconnect some 0.1 ms of CPU, keep
        // tickets in memory for each server, and skip the look at the certificate.
        config.resumption = Resumption::disabled();
        if self.key_log {
            config.key_log = Arc::new(KeyLogFile::new());
        }
        Ok(TlsClient(Arc::new(Shared {
            config: Arc::new(config),
            known_hosts,
            algorithms,
        })))
    }
}

impl fmt::Debug for TlsClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClientBuilder")
            .field("policy", &self.policy)
            .field("key_log", &self.key_log)
            .finish_non_exhaustive()
    }
}

fn webpki(roots: Arc<RootCertStore>, provider: &Arc<CryptoProvider>) -> TlsResult<Rule> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
        .build()
        .map_err(|source| TlsError::new(TlsErrorKind::Roots, "").with_source(source))?;
    Ok(Rule::Roots(verifier))
}
