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
    /// its IP address or is not known to the KDC, for a user of another realm than the KDC's, and when the clocks differ too
    /// much. Without it NTLM is neither offered nor taken.
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

impl NetworkRequest {
    /// Host and port that the message goes to, from [`url`](Self::url); a port that is not given is the protocol's own (88, 80
    /// or 443). `None` if the URL names no host.
    pub fn host_and_port(&self) -> Option<(&str, u16)> {
        let (_, rest) = self.url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let authority = authority.rsplit('@').next().unwrap_or(authority);
        let (host, port) = match authority.strip_prefix('[') {
            Some(literal) => {
                let (host, port) = literal.split_once(']')?;
                (host, port.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if host.is_empty() {
            return None;
        }
        let port = match port {
            Some(port) => port.parse().ok()?,
            None => match self.protocol {
                NetworkProtocol::Tcp | NetworkProtocol::Udp => 88,
                NetworkProtocol::Http => 80,
                NetworkProtocol::Https => 443,
            },
        };
        Some((host, port))
    }

    /// The same message for TCP, if this one goes by UDP: for an answer that [does not fit](Self::is_too_big_for_udp).
    pub fn to_tcp(&self) -> Option<Self> {
        let length = u32::try_from(self.data.len()).ok()?;
        (self.protocol == NetworkProtocol::Udp).then(|| Self {
            protocol: NetworkProtocol::Tcp,
            url: self.url.clone(),
            data: [&length.to_be_bytes(), self.data.as_slice()].concat(),
        })
    }

    /// Whether a KDC's answer by UDP says that the real one takes TCP (`KRB_ERR_RESPONSE_TOO_BIG`, RFC 4120 7.2.1).
    pub fn is_too_big_for_udp(answer: &[u8]) -> bool {
        const KRB_ERROR: u8 = 0x7e;
        /// The field `error-code` with 52.
        const TOO_BIG: [u8; 5] = [0xa6, 3, 2, 1, 52];
        answer.first() == Some(&KRB_ERROR) && answer.windows(TOO_BIG.len()).any(|window| window == TOO_BIG)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_come_from_the_url() {
        for (protocol, url, expected) in [
            (
                NetworkProtocol::Tcp,
                "tcp://kdc.lab.example:750",
                Some(("kdc.lab.example", 750)),
            ),
            (
                NetworkProtocol::Udp,
                "udp://kdc.lab.example",
                Some(("kdc.lab.example", 88)),
            ),
            (NetworkProtocol::Tcp, "tcp://[::1]:8888", Some(("::1", 8888))),
            (NetworkProtocol::Tcp, "tcp://[::1]", Some(("::1", 88))),
            (
                NetworkProtocol::Https,
                "https://gateway.lab.example/KdcProxy?token=a:b",
                Some(("gateway.lab.example", 443)),
            ),
            (
                NetworkProtocol::Http,
                "http://gateway:8080/KdcProxy",
                Some(("gateway", 8080)),
            ),
            (NetworkProtocol::Tcp, "tcp://:88", None),
            (NetworkProtocol::Tcp, "tcp://kdc:port", None),
            (NetworkProtocol::Tcp, "kdc", None),
        ] {
            let request = NetworkRequest {
                protocol,
                url: url.to_owned(),
                data: Vec::new(),
            };
            assert_eq!(request.host_and_port(), expected, "{url}");
        }
    }

    #[test]
    fn a_message_that_got_too_big_an_answer_goes_by_tcp() {
        let request = NetworkRequest {
            protocol: NetworkProtocol::Udp,
            url: "udp://kdc".to_owned(),
            data: vec![7; 300],
        };
        let tcp = request.to_tcp().unwrap();
        assert_eq!((tcp.protocol, tcp.data.len()), (NetworkProtocol::Tcp, 304));
        assert_eq!(tcp.data[..5], [0, 0, 1, 0x2c, 7]);
        assert_eq!(tcp.to_tcp(), None);
        assert!(NetworkRequest::is_too_big_for_udp(&[
            0x7e, 7, 0x30, 5, 0xa6, 3, 2, 1, 52
        ]));
        assert!(!NetworkRequest::is_too_big_for_udp(&[
            0x7e, 7, 0x30, 5, 0xa6, 3, 2, 1, 25
        ]));
        assert!(!NetworkRequest::is_too_big_for_udp(&[]));
    }
}
