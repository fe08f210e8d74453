//! What [`connect`](crate::connect()) needs to know beside the address.

use std::sync::{Arc, Mutex, PoisonError};

use ironrdp_connector::{Config, KerberosConfig};
use ironrdp_tls::{CertificatePolicy, TlsClient, TlsResult};

use crate::KdcClient;

/// The platform's roots take milliseconds to read, so they are read once a process, by the first session that needs them.
static PLATFORM: Mutex<Option<TlsClient>> = Mutex::new(None);

/// What the client asks for, and which server certificates it accepts.
///
/// Make one and clone it for every session; a clone is two reference counts. A [`Config`] converts into one that accepts the
/// certificates that the platform's roots vouch for.
#[derive(Debug, Clone)]
pub struct ConnectConfig {
    client: Arc<Config>,
    tls: Option<TlsClient>,
    kerberos: Option<Arc<Kerberos>>,
}

/// How Kerberos is spoken.
#[derive(Debug)]
pub(crate) struct Kerberos {
    pub(crate) config: KerberosConfig,
    pub(crate) client: KdcClient,
}

impl ConnectConfig {
    /// Connects as `client` says, to servers whose certificate the platform's roots vouch for.
    pub fn new(client: impl Into<Arc<Config>>) -> Self {
        Self {
            client: client.into(),
            tls: None,
            kerberos: None,
        }
    }

    /// Uses this TLS client, which carries the certificate policy. Share one between all sessions.
    #[must_use]
    pub fn with_tls(mut self, tls: TlsClient) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Uses a new TLS client with this certificate policy.
    pub fn with_certificate_policy(self, policy: CertificatePolicy) -> TlsResult<Self> {
        Ok(self.with_tls(TlsClient::new(policy)?))
    }

    /// Logs in by Kerberos where the server has network level authentication.
    #[must_use]
    pub fn with_kerberos(self, kerberos: KerberosConfig) -> Self {
        self.with_kerberos_over(kerberos, KdcClient::new())
    }

    /// [`with_kerberos`](Self::with_kerberos), with deadlines, limits and certificate policy of your own for the KDC.
    #[must_use]
    pub fn with_kerberos_over(mut self, kerberos: KerberosConfig, client: KdcClient) -> Self {
        self.kerberos = Some(Arc::new(Kerberos {
            config: kerberos,
            client,
        }));
        self
    }

    pub(crate) fn kerberos(&self) -> Option<&Kerberos> {
        self.kerberos.as_deref()
    }

    /// What the client asks for.
    pub fn client(&self) -> &Arc<Config> {
        &self.client
    }

    /// The TLS client; the process's shared one with the platform's roots unless one was set.
    pub(crate) fn tls(&self) -> TlsResult<TlsClient> {
        match &self.tls {
            Some(tls) => Ok(tls.clone()),
            None => platform_tls(),
        }
    }
}

/// The process's shared TLS client with the platform's roots.
pub(crate) fn platform_tls() -> TlsResult<TlsClient> {
    // A panic while the roots were read leaves the slot empty, which is a sound state.
    let mut platform = PLATFORM.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(tls) = &*platform {
        return Ok(tls.clone());
    }
    let tls = TlsClient::new(CertificatePolicy::platform_roots())?;
    *platform = Some(tls.clone());
    Ok(tls)
}

impl From<Config> for ConnectConfig {
    fn from(client: Config) -> Self {
        Self::new(client)
    }
}

impl From<Arc<Config>> for ConnectConfig {
    fn from(client: Arc<Config>) -> Self {
        Self::new(client)
    }
}
