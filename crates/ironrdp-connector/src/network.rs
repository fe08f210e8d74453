//! What authentication needs to know about the world outside the byte stream.

use core::fmt;

/// The name a client connects to, as given by the user: certificate checks and Kerberos use it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerName(String);

impl ServerName {
    /// The name as it was given, without a port.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ServerName {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl From<String> for ServerName {
    fn from(name: String) -> Self {
        Self(name)
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where and as whom Kerberos is spoken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KerberosConfig {
    kdc_url: Option<String>,
    hostname: Option<String>,
    realm: Option<String>,
    ntlm_allowed: bool,
}

impl KerberosConfig {
    /// Kerberos with the KDC at `kdc_url` (`tcp://host:88`, `udp://host:88`, or the `https://` address of a KDC proxy).
    pub fn new(kdc_url: impl Into<String>) -> Self {
        Self {
            kdc_url: Some(kdc_url.into()),
            ..Self::default()
        }
    }

    /// The client's own host name, which some realms ask for.
    #[must_use]
    pub fn with_hostname(mut self, hostname: impl Into<String>) -> Self {
        self.hostname = Some(hostname.into());
        self
    }

    /// The realm of the user, where the domain of the credentials is not its name. With it `user@suffix` is the user of
    /// that name in the realm; without it the whole is looked up, as domain controllers do (MIT's KDC does not).
    #[must_use]
    pub fn with_realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// Lets the server choose NTLM instead, and takes NTLM where Kerberos cannot work: for a server that is connected to by
    /// its IP address or is not known to the KDC, and when the clocks differ too much.
    #[must_use]
    pub fn allow_ntlm(mut self) -> Self {
        self.ntlm_allowed = true;
        self
    }

    /// The KDC's address.
    pub fn kdc_url(&self) -> Option<&str> {
        self.kdc_url.as_deref()
    }

    /// The client's own host name.
    pub fn hostname(&self) -> Option<&str> {
        self.hostname.as_deref()
    }

    /// The user's realm.
    pub fn realm(&self) -> Option<&str> {
        self.realm.as_deref()
    }

    /// Whether NTLM will do where Kerberos cannot work.
    pub const fn is_ntlm_allowed(&self) -> bool {
        self.ntlm_allowed
    }
}

/// How a message travels to a KDC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NetworkProtocol {
    /// TCP, each message behind a four-byte big-endian length (RFC 4120 7.2.2).
    Tcp,
    /// One UDP datagram each way.
    Udp,
    /// HTTP POST (MS-KKDCP).
    Http,
    /// HTTPS POST (MS-KKDCP).
    Https,
}

/// A message for a Kerberos KDC, exactly as it goes over the wire, and so must its answer be. Sending it twice does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRequest {
    /// How it travels.
    pub protocol: NetworkProtocol,
    /// Where it goes.
    pub url: String,
    /// The message.
    pub data: Vec<u8>,
}

/// Who the server is, for CredSSP: its name, the key its TLS certificate proves, and how Kerberos is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerIdentity {
    /// The name connected to.
    pub name: ServerName,
    /// The contents of the certificate's `subjectPublicKey` bit string, to which CredSSP binds the login.
    pub public_key: Vec<u8>,
    /// Set if Kerberos is wanted.
    pub kerberos: Option<KerberosConfig>,
}
