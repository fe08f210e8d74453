//! What a connection needs to know beside the address.

use std::sync::{Arc, Mutex, PoisonError};

use ironrdp_connector::{Config, KerberosConfig};
use ironrdp_tls::{CertificatePolicy, TlsClient, TlsResult};

use crate::NoNetwork;

/// The platform's roots take milliseconds to read, so they are read once a process, by the first session that needs them.
static PLATFORM: Mutex<Option<TlsClient>> = Mutex::new(None);

/// What the client asks for, and which server certificates it accepts.
///
/// Make one and clone it for every session; a clone is two reference counts. A [`Config`] converts into one that accepts the
/// certificates that the platform's roots vouch for.
///
/// `K` carries Kerberos messages to a KDC: the `KdcClient` of the runtime's crate, where it has one.
#[derive(Debug)]
pub struct ConnectConfig<K = NoNetwork> {
    client: Arc<Config>,
    tls: Option<TlsClient>,
    kerberos: Option<Arc<Kerberos<K>>>,
}

/// How Kerberos is spoken.
#[derive(Debug)]
struct Kerberos<K> {
    config: KerberosConfig,
    client: K,
}

// Cloning shares the KDC client.
impl<K> Clone for ConnectConfig<K> {
    fn clone(&self) -> Self {
        Self {
            client: Arc::clone(&self.client),
            tls: self.tls.clone(),
            kerberos: self.kerberos.clone(),
        }
    }
}

impl<K> ConnectConfig<K> {
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
    pub fn with_kerberos(self, kerberos: KerberosConfig) -> Self
    where
        K: Default,
    {
        self.with_kerberos_over(kerberos, K::default())
    }

    /// [`with_kerberos`](Self::with_kerberos), with a way to the KDC of your own: another deadline, other certificates. Its
    /// limits are those of the [`Config`].
    #[must_use]
    pub fn with_kerberos_over(mut self, kerberos: KerberosConfig, client: K) -> Self {
        self.kerberos = Some(Arc::new(Kerberos {
            config: kerberos,
            client,
        }));
        self
    }

    pub(crate) fn kerberos(&self) -> Option<&KerberosConfig> {
        self.kerberos.as_deref().map(|kerberos| &kerberos.config)
    }

    /// The way to the KDC; a new one, which nobody will ask, if there is no Kerberos.
    pub fn kdc_client(&self) -> K
    where
        K: Clone + Default,
    {
        let kerberos = self.kerberos.as_deref();
        kerberos.map_or_else(K::default, |kerberos| kerberos.client.clone())
    }

    /// What the client asks for.
    pub fn client(&self) -> &Arc<Config> {
        &self.client
    }

    pub(crate) fn into_parts(self) -> (Arc<Config>, Option<TlsClient>) {
        (self.client, self.tls)
    }
}

/// The process's shared TLS client with the platform's roots.
pub fn platform_tls() -> TlsResult<TlsClient> {
    // A panic while the roots were read leaves the slot empty, which is a sound state.
    let mut platform = PLATFORM.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(tls) = &*platform {
        return Ok(tls.clone());
    }
    let tls = TlsClient::new(CertificatePolicy::platform_roots())?;
    *platform = Some(tls.clone());
    Ok(tls)
}

impl<K> From<Config> for ConnectConfig<K> {
    fn from(client: Config) -> Self {
        Self::new(client)
    }
}

impl<K> From<Arc<Config>> for ConnectConfig<K> {
    fn from(client: Arc<Config>) -> Self {
        Self::new(client)
    }
}
