//! Carries Kerberos messages to a KDC.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::time::{Duration, Instant};

use ironrdp_connector::{
    AuthFailure, ConnectorError, ConnectorErrorKind, ConnectorResult, NetworkProtocol, NetworkRequest,
};

use crate::timed::time_left;
use crate::{Limits, NetworkClient};

/// Speaks to KDCs over TCP and UDP, and with the feature `kdc-proxy` to KDC proxies over HTTPS (MS-KKDCP).
///
/// Each message has a deadline and each answer a limit; a KDC that does not answer is
/// [`NoKdc`](AuthFailure::NoKdc). The name of a KDC is resolved by the system, which has a deadline of its own.
#[derive(Debug, Clone)]
pub struct KdcClient {
    deadline: Duration,
    max_answer: usize,
    #[cfg(feature = "kdc-proxy")]
    pub(crate) tls: Option<ironrdp_tls::TlsClient>,
}

/// A tenth of what a login may take: there are three round trips, and perhaps another KDC to try.
const DEADLINE: Duration = Duration::from_secs(5);

/// How long a datagram may take before it is sent again. MIT's clients wait as long.
const RESEND_AFTER: Duration = Duration::from_secs(1);

const LENGTH_SIZE: usize = 4;

impl KdcClient {
    /// A client that waits 5 s for an answer of at most 64 KiB.
    pub fn new() -> Self {
        Self {
            deadline: DEADLINE,
            max_answer: Limits::DEFAULT.credssp_bytes,
            #[cfg(feature = "kdc-proxy")]
            tls: None,
        }
    }

    /// How long a KDC may take for an answer, connecting included.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Bounds answers by [`Limits::credssp_bytes`]: a KDC's answer is the ticket that goes into a CredSSP message. What
    /// `Connect` is configured with counts there.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.max_answer = limits.credssp_bytes;
        self
    }

    /// The TLS client for KDC proxies, which carries the certificate policy; by default the platform's roots must vouch for them.
    #[cfg(feature = "kdc-proxy")]
    #[must_use]
    pub fn with_tls(mut self, tls: ironrdp_tls::TlsClient) -> Self {
        self.tls = Some(tls);
        self
    }

    #[cfg(feature = "kdc-proxy")]
    pub(crate) fn max_answer(&self) -> usize {
        self.max_answer
    }

    fn exchange(&self, request: &NetworkRequest) -> io::Result<Vec<u8>> {
        let addresses: Vec<SocketAddr> = request
            .host_and_port()
            .ok_or_else(no_host)?
            .to_socket_addrs()?
            .collect();
        // The phase that the login is in has a deadline too.
        let patience = time_left().map_or(self.deadline, |left| left.min(self.deadline));
        let until = Instant::now() + patience;
        let mut error = io::Error::new(io::ErrorKind::NotFound, "the KDC has no address");
        for address in addresses {
            match self.exchange_with(address, request, until) {
                Ok(answer) => return Ok(answer),
                Err(failed) => error = failed,
            }
        }
        Err(error)
    }

    fn exchange_with(
        &self,
        address: SocketAddr,
        request: &NetworkRequest,
        until: Instant,
    ) -> io::Result<Vec<u8>> {
        match request.protocol {
            NetworkProtocol::Tcp => self.tcp(address, &request.data, until),
            NetworkProtocol::Udp => {
                let answer = self.udp(address, &request.data, until)?;
                match request.to_tcp() {
                    Some(request) if NetworkRequest::is_too_big_for_udp(&answer) => {
                        let mut answer = self.tcp(address, &request.data, until)?;
                        // The caller waits for a datagram, which has no length before it.
                        answer.drain(..LENGTH_SIZE);
                        Ok(answer)
                    }
                    _ => Ok(answer),
                }
            }
            #[cfg(feature = "kdc-proxy")]
            NetworkProtocol::Http | NetworkProtocol::Https => self.proxy(address, request, until),
            _ => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a way to the KDC that this build does not know (feature `kdc-proxy`)",
            )),
        }
    }

    /// RFC 4120 7.2.2: each message behind its length.
    fn tcp(&self, address: SocketAddr, data: &[u8], until: Instant) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&address, left(until)?)?;
        stream.set_write_timeout(Some(left(until)?))?;
        stream.write_all(data)?;
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            if let Some(head) = answer.first_chunk::<LENGTH_SIZE>() {
                let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
                if length > self.max_answer {
                    let message = format!("the KDC's answer is longer than {} bytes", self.max_answer);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, message));
                }
                if answer.len() >= LENGTH_SIZE + length {
                    answer.truncate(LENGTH_SIZE + length);
                    return Ok(answer);
                }
            }
            stream.set_read_timeout(Some(left(until)?))?;
            match stream.read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => answer.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// RFC 4120 7.2.1: one datagram each way, sent again if nothing comes back.
    fn udp(&self, address: SocketAddr, data: &[u8], until: Instant) -> io::Result<Vec<u8>> {
        const MAX_DATAGRAM: usize = 64 * 1024;
        let own: IpAddr = if address.is_ipv4() {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            Ipv6Addr::UNSPECIFIED.into()
        };
        let socket = UdpSocket::bind((own, 0))?;
        // Only answers from this address are received then.
        socket.connect(address)?;
        let mut answer = vec![0; self.max_answer.min(MAX_DATAGRAM)];
        loop {
            socket.send(data)?;
            socket.set_read_timeout(Some(left(until)?.min(RESEND_AFTER)))?;
            match socket.recv(&mut answer) {
                Ok(length) => {
                    answer.truncate(length);
                    return Ok(answer);
                }
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

pub(crate) fn no_host() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the URL names no host")
}

/// The time left; an error once there is none.
pub(crate) fn left(until: Instant) -> io::Result<Duration> {
    until
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
        .ok_or_else(|| io::ErrorKind::TimedOut.into())
}

/// Which of the two a socket's timeout is depends on the system.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

impl Default for KdcClient {
    fn default() -> Self {
        Self::new()
    }
}

impl NetworkClient for KdcClient {
    fn send(&mut self, network_request: &NetworkRequest) -> ConnectorResult<Vec<u8>> {
        self.exchange(network_request).map_err(|error| {
            ConnectorError::with_source(
                ConnectorErrorKind::Auth(AuthFailure::NoKdc),
                "sending to the KDC",
                error,
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn request(protocol: NetworkProtocol, port: u16) -> NetworkRequest {
        let scheme = if protocol == NetworkProtocol::Tcp {
            "tcp"
        } else {
            "udp"
        };
        NetworkRequest {
            protocol,
            url: format!("{scheme}://127.0.0.1:{port}"),
            data: b"hello".to_vec(),
        }
    }

    /// A KDC that answers one TCP connection with these bytes.
    fn tcp_kdc(answer: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 5]).unwrap();
            for byte in answer {
                stream.write_all(&[*byte]).unwrap();
            }
        });
        port
    }

    fn send(protocol: NetworkProtocol, port: u16) -> ConnectorResult<Vec<u8>> {
        let mut client = KdcClient::new().with_deadline(Duration::from_millis(1500));
        client.send(&request(protocol, port))
    }

    #[test]
    fn an_answer_over_tcp_is_read_to_its_end_with_its_length() {
        let port = tcp_kdc(b"\0\0\0\x03abcmore");
        assert_eq!(send(NetworkProtocol::Tcp, port).unwrap(), b"\0\0\0\x03abc");
    }

    #[test]
    fn a_kdc_that_lies_breaks_off_is_silent_or_not_there_is_no_kdc() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let silent_port = silent.local_addr().unwrap().port();
        for port in [
            tcp_kdc(b"\xff\xff\xff\xffa"),
            tcp_kdc(b"\0\0\x01\0a"),
            silent_port,
            closed,
        ] {
            let error = send(NetworkProtocol::Tcp, port).unwrap_err();
            assert_eq!(*error.kind(), ConnectorErrorKind::Auth(AuthFailure::NoKdc));
        }
    }

    #[cfg(not(feature = "kdc-proxy"))]
    #[test]
    fn a_proxy_needs_the_feature() {
        let request = NetworkRequest {
            protocol: NetworkProtocol::Https,
            url: "https://127.0.0.1:9/KdcProxy".to_owned(),
            data: Vec::new(),
        };
        let error = KdcClient::new().send(&request).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("kdc-proxy"), "{source}");
    }

    #[test]
    fn a_lost_datagram_is_sent_again_and_an_answer_too_big_for_one_comes_over_tcp() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
        thread::spawn(move || {
            let mut buf = [0; 100];
            // The first is lost.
            socket.recv_from(&mut buf).unwrap();
            let (_, from) = socket.recv_from(&mut buf).unwrap();
            socket
                .send_to(&[0x7e, 7, 0x30, 5, 0xa6, 3, 2, 1, 52], from)
                .unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            let mut got = [0; 9];
            stream.read_exact(&mut got).unwrap();
            assert_eq!(&got, b"\0\0\0\x05hello");
            stream.write_all(b"\0\0\0\x03big").unwrap();
        });
        assert_eq!(send(NetworkProtocol::Udp, port).unwrap(), b"big");
    }
}
