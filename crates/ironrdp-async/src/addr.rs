//! Where a server is.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The port of RDP.
pub const DEFAULT_PORT: u16 = 3389;

/// A server's host name or IP address, and its port.
///
/// Parses from `host`, `host:port`, `192.0.2.1:port`, `2001:db8::1` and `[2001:db8::1]:port`; without a port it is 3389.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerAddr {
    host: String,
    port: u16,
}

impl ServerAddr {
    /// A host name, or an IP address without brackets, and a port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// The host name or IP address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for ServerAddr {
    type Err = ParseAddrError;

    fn from_str(text: &str) -> Result<Self, ParseAddrError> {
        let error = || ParseAddrError(text.to_owned());
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::new(ip.to_string(), DEFAULT_PORT));
        }
        if let Some(bracketed) = text.strip_prefix('[') {
            let (ip, rest) = bracketed.split_once(']').ok_or_else(error)?;
            let ip: Ipv6Addr = ip.parse().map_err(|_| error())?;
            let port = match rest.strip_prefix(':') {
                Some(port) => parse_port(port).ok_or_else(error)?,
                None if rest.is_empty() => DEFAULT_PORT,
                None => return Err(error()),
            };
            return Ok(Self::new(ip.to_string(), port));
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, parse_port(port).ok_or_else(error)?),
            None => (text, DEFAULT_PORT),
        };
        // A name with blanks or control characters is a slip of the pen, and would go into logs as it is.
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
            return Err(error());
        }
        Ok(Self::new(host, port))
    }
}

/// Digits only: `u16::from_str` would take a plus sign.
fn parse_port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .filter(|port| *port != 0)
}

impl From<SocketAddr> for ServerAddr {
    fn from(addr: SocketAddr) -> Self {
        Self::new(addr.ip().to_string(), addr.port())
    }
}

impl fmt::Display for ServerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

/// Text that is no server address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseAddrError(String);

impl fmt::Display for ParseAddrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no host, host:port or [address]:port", self.0)
    }
}

impl std::error::Error for ParseAddrError {}

/// What the `connect` of each runtime's crate takes for an address.
pub trait ToServerAddr {
    /// The address, or why it is none.
    fn to_server_addr(&self) -> Result<ServerAddr, ParseAddrError>;
}

impl ToServerAddr for ServerAddr {
    fn to_server_addr(&self) -> Result<ServerAddr, ParseAddrError> {
        Ok(self.clone())
    }
}

impl ToServerAddr for SocketAddr {
    fn to_server_addr(&self) -> Result<ServerAddr, ParseAddrError> {
        Ok(Self::into(*self))
    }
}

impl ToServerAddr for str {
    fn to_server_addr(&self) -> Result<ServerAddr, ParseAddrError> {
        self.parse()
    }
}

impl ToServerAddr for String {
    fn to_server_addr(&self) -> Result<ServerAddr, ParseAddrError> {
        self.parse()
    }
}

impl<A: ToServerAddr + ?Sized> ToServerAddr for &A {
    fn to_server_addr(&self) -> Result<ServerAddr, ParseAddrError> {
        (**self).to_server_addr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_form_of_an_address_parses_and_prints() {
        for (text, printed) in [
            ("desk.example", "desk.example:3389"),
            ("desk.example:4000", "desk.example:4000"),
            ("192.0.2.1", "192.0.2.1:3389"),
            ("192.0.2.1:1", "192.0.2.1:1"),
            ("2001:db8::1", "[2001:db8::1]:3389"),
            ("[2001:db8::1]", "[2001:db8::1]:3389"),
            ("[2001:db8::1]:65535", "[2001:db8::1]:65535"),
        ] {
            let addr: ServerAddr = text.parse().unwrap();
            assert_eq!(addr.to_string(), printed);
            assert_eq!(printed.parse::<ServerAddr>().unwrap(), addr);
        }
        let addr = SocketAddr::from(([127, 0, 0, 1], 5)).to_server_addr().unwrap();
        assert_eq!((addr.host(), addr.port()), ("127.0.0.1", 5));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "", ":1", "a:", "a:b", "a:0", "a:65536", "a:+1", "[::1", "[::1]1", "[a]:1", "a b", "a/b", "a:1:2",
        ] {
            assert!(text.parse::<ServerAddr>().is_err(), "{text}");
        }
    }
}
