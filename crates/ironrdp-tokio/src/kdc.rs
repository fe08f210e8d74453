//! Carries Kerberos messages to a KDC, or to a proxy in front of one.

use std::io;
use std::time::Duration;

use ironrdp_async::NetworkClient;
use ironrdp_connector::{
    AuthFailure, ConnectorError, ConnectorErrorKind, ConnectorResult, NetworkProtocol, NetworkRequest,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::dial::dial;
use crate::{Limits, Liveness, ServerAddr};

/// Speaks to KDCs over TCP and UDP, and with the feature `kdc-proxy` to KDC proxies over HTTPS (MS-KKDCP).
///
/// Each message has a deadline and each answer a limit; a KDC that does not answer is
/// [`NoKdc`](AuthFailure::NoKdc). Costs nothing until it is used, and keeps no connection.
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

    /// How long a KDC may take for an answer, name resolution and connecting included.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Bounds answers by [`Limits::credssp_bytes`]: a KDC's answer is the ticket that goes into a CredSSP message. What
    /// [`Connect`](crate::Connect) is configured with counts there.
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

    async fn exchange(&self, request: &NetworkRequest) -> io::Result<Vec<u8>> {
        let (host, port) = request
            .host_and_port()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the URL names no host"))?;
        let server = ServerAddr::new(host, port);
        match request.protocol {
            NetworkProtocol::Tcp => self.tcp(server, &request.data).await,
            NetworkProtocol::Udp => {
                let answer = self.udp(&server, &request.data).await?;
                match request.to_tcp() {
                    Some(request) if NetworkRequest::is_too_big_for_udp(&answer) => {
                        let mut answer = self.tcp(server, &request.data).await?;
                        // The caller waits for a datagram, which has no length before it.
                        answer.drain(..LENGTH_SIZE);
                        Ok(answer)
                    }
                    _ => Ok(answer),
                }
            }
            #[cfg(feature = "kdc-proxy")]
            NetworkProtocol::Http | NetworkProtocol::Https => self.proxy(server, request).await,
            _ => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a way to the KDC that this build does not know (feature `kdc-proxy`)",
            )),
        }
    }

    /// RFC 4120 7.2.2: each message behind its length.
    async fn tcp(&self, server: ServerAddr, data: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = dial(server, Liveness::OFF).await?;
        stream.write_all(data).await?;
        stream.flush().await?;
        let mut head = [0; LENGTH_SIZE];
        stream.read_exact(&mut head).await?;
        let length = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
        if length > self.max_answer {
            return Err(self.too_long());
        }
        // Grows as bytes arrive: the length is the peer's word.
        let mut answer = head.to_vec();
        let limit = u64::try_from(length).unwrap_or(u64::MAX);
        stream.take(limit).read_to_end(&mut answer).await?;
        if answer.len() < LENGTH_SIZE + length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer)
    }

    /// RFC 4120 7.2.1: one datagram each way, sent again if nothing comes back.
    async fn udp(&self, server: &ServerAddr, data: &[u8]) -> io::Result<Vec<u8>> {
        let mut error = io::Error::new(io::ErrorKind::NotFound, "the KDC has no address");
        for address in tokio::net::lookup_host((server.host(), server.port())).await? {
            let own: std::net::IpAddr = if address.is_ipv4() {
                std::net::Ipv4Addr::UNSPECIFIED.into()
            } else {
                std::net::Ipv6Addr::UNSPECIFIED.into()
            };
            let socket = UdpSocket::bind((own, 0)).await?;
            // Only answers from this address are received then.
            socket.connect(address).await?;
            match self.udp_from(&socket, data).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => error = failed,
            }
        }
        Err(error)
    }

    async fn udp_from(&self, socket: &UdpSocket, data: &[u8]) -> io::Result<Vec<u8>> {
        const MAX_DATAGRAM: usize = 64 * 1024;
        let mut answer = vec![0; self.max_answer.min(MAX_DATAGRAM)];
        loop {
            socket.send(data).await?;
            if let Ok(received) = timeout(RESEND_AFTER, socket.recv(&mut answer)).await {
                answer.truncate(received?);
                return Ok(answer);
            }
        }
    }

    pub(crate) fn too_long(&self) -> io::Error {
        let message = format!("the KDC's answer is longer than {} bytes", self.max_answer);
        io::Error::new(io::ErrorKind::InvalidData, message)
    }

    #[cfg(feature = "kdc-proxy")]
    pub(crate) fn max_answer(&self) -> usize {
        self.max_answer
    }
}

const LENGTH_SIZE: usize = 4;

impl Default for KdcClient {
    fn default() -> Self {
        Self::new()
    }
}

impl NetworkClient for KdcClient {
    async fn send(&mut self, network_request: &NetworkRequest) -> ConnectorResult<Vec<u8>> {
        let exchanged = timeout(self.deadline, self.exchange(network_request)).await;
        let result = exchanged.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        result.map_err(|error| {
            tracing::debug!(url = network_request.url, %error, "no answer from the KDC");
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn request(protocol: NetworkProtocol, port: u16, data: &[u8]) -> NetworkRequest {
        let scheme = if protocol == NetworkProtocol::Tcp {
            "tcp"
        } else {
            "udp"
        };
        NetworkRequest {
            protocol,
            url: format!("{scheme}://127.0.0.1:{port}"),
            data: data.to_vec(),
        }
    }

    /// A KDC that answers each TCP connection with these bytes, piece by piece, once it has read `wait_for` bytes.
    async fn tcp_kdc(wait_for: usize, pieces: &'static [&'static [u8]]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.read_exact(&mut vec![0; wait_for]).await.unwrap();
                for piece in pieces {
                    stream.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        port
    }

    fn failure(error: &ConnectorError) -> String {
        assert_eq!(*error.kind(), ConnectorErrorKind::Auth(AuthFailure::NoKdc));
        std::error::Error::source(error).unwrap().to_string()
    }

    #[tokio::test]
    async fn an_answer_over_tcp_is_read_to_its_end_with_its_length() {
        let port = tcp_kdc(5, &[&[0, 0], &[0, 3, 1], &[2, 3], b"more"]).await;
        let answer = KdcClient::new()
            .send(&request(NetworkProtocol::Tcp, port, b"hello"))
            .await
            .unwrap();
        assert_eq!(answer, [0, 0, 0, 3, 1, 2, 3]);
    }

    #[tokio::test]
    async fn a_kdc_that_lies_breaks_off_or_is_not_there_is_no_kdc() {
        let send = async |port| {
            let request = request(NetworkProtocol::Tcp, port, b"hello");
            KdcClient::new().send(&request).await.unwrap_err()
        };
        let lies = tcp_kdc(5, &[&[0xff, 0xff, 0xff, 0xff, 1]]).await;
        assert!(failure(&send(lies).await).contains("longer than"));
        let breaks_off = tcp_kdc(5, &[&[0, 0, 1, 0, 1]]).await;
        failure(&send(breaks_off).await);
        let closed = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap().port()
        };
        failure(&send(closed).await);
    }

    #[tokio::test]
    async fn a_silent_kdc_costs_its_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut client = KdcClient::new().with_deadline(Duration::from_millis(50));
        let error = client
            .send(&request(NetworkProtocol::Tcp, port, b"hello"))
            .await
            .unwrap_err();
        assert_eq!(failure(&error), "timed out");
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let error = client
            .send(&request(NetworkProtocol::Udp, port, b"hello"))
            .await
            .unwrap_err();
        assert_eq!(failure(&error), "timed out");
    }

    #[tokio::test]
    async fn a_lost_datagram_is_sent_again_and_an_answer_too_big_for_one_comes_over_tcp() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let socket = UdpSocket::bind(("127.0.0.1", port)).await.unwrap();
        tokio::spawn(async move {
            let mut buf = [0; 100];
            // The first is lost.
            socket.recv_from(&mut buf).await.unwrap();
            let (length, from) = socket.recv_from(&mut buf).await.unwrap();
            assert_eq!(&buf[..length], b"hello");
            let too_big = [0x7e, 7, 0x30, 5, 0xa6, 3, 2, 1, 52];
            socket.send_to(&too_big, from).await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = [0; 9];
            stream.read_exact(&mut got).await.unwrap();
            assert_eq!(&got, b"\0\0\0\x05hello");
            stream.write_all(b"\0\0\0\x03big").await.unwrap();
        });
        let answer = KdcClient::new()
            .send(&request(NetworkProtocol::Udp, port, b"hello"))
            .await
            .unwrap();
        assert_eq!(answer, b"big");
    }

    #[cfg(not(feature = "kdc-proxy"))]
    #[tokio::test]
    async fn a_proxy_needs_the_feature() {
        let request = NetworkRequest {
            protocol: NetworkProtocol::Https,
            url: "https://127.0.0.1:9/KdcProxy".to_owned(),
            data: Vec::new(),
        };
        let error = KdcClient::new().send(&request).await.unwrap_err();
        assert!(failure(&error).contains("kdc-proxy"));
    }
}
