//! Carries Kerberos messages to a KDC, or to a proxy in front of one.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::time::Duration;

use ironrdp_async::{KdcBounds, KdcNetwork, ServerAddr};
use ironrdp_connector::{ConnectorResult, NetworkRequest};

use crate::answers::answered;
use crate::dial::dial;
use crate::stream::BlockingStream;
use crate::timed::{time_left, wait};
use crate::{BlockingTimer, Limits, NetworkClient, Timed};

/// Speaks to KDCs over TCP and UDP, and with the feature `kdc-proxy` to KDC proxies over HTTPS (MS-KKDCP).
///
/// Each message has a deadline and each answer a limit; a KDC that does not answer is
/// [`NoKdc`](ironrdp_connector::AuthFailure::NoKdc). The name of a KDC is resolved by the system, which has a deadline of its own.
#[derive(Debug, Clone, Default)]
pub struct KdcClient {
    bounds: KdcBounds,
    network: Network,
}

/// The ways of threads to a KDC. Its futures block when they are polled, no longer than the call they are in may wait.
#[derive(Debug, Clone, Default)]
pub(crate) struct Network {
    #[cfg(feature = "kdc-proxy")]
    pub(crate) tls: Option<ironrdp_tls::TlsClient>,
}

impl KdcClient {
    /// A client that waits 5 s for an answer of at most 64 KiB.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a KDC may take for an answer, connecting included.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.bounds.deadline = deadline;
        self
    }

    /// Bounds answers by [`Limits::credssp_bytes`]: a KDC's answer is the ticket that goes into a CredSSP message. A connection tells
    /// the client those of its configuration, which then count.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.set_limits(&limits);
        self
    }

    /// The TLS client for KDC proxies, which carries the certificate policy; by default the platform's roots must vouch for them.
    #[cfg(feature = "kdc-proxy")]
    #[must_use]
    pub fn with_tls(mut self, tls: ironrdp_tls::TlsClient) -> Self {
        self.network.tls = Some(tls);
        self
    }
}

impl NetworkClient for KdcClient {
    fn send(&mut self, network_request: &NetworkRequest) -> ConnectorResult<Vec<u8>> {
        let mut bounds = self.bounds;
        // The phase that the login is in has a deadline too.
        bounds.deadline = time_left().map_or(bounds.deadline, |left| left.min(bounds.deadline));
        answered(wait(bounds.ask(&self.network, network_request)))
    }

    fn set_limits(&mut self, limits: &Limits) {
        self.bounds.max_answer = limits.credssp_bytes;
    }
}

impl KdcNetwork for Network {
    type Stream = BlockingStream<Timed<TcpStream>>;
    type Socket = UdpSocket;
    type Timer = BlockingTimer;

    async fn connect(&self, kdc: &ServerAddr) -> io::Result<Timed<TcpStream>> {
        Timed::new(dial(kdc)?)
    }

    async fn resolve(&self, kdc: &ServerAddr) -> io::Result<Vec<SocketAddr>> {
        Ok((kdc.host(), kdc.port()).to_socket_addrs()?.collect())
    }

    async fn open(&self, own: SocketAddr, kdc: SocketAddr) -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind(own)?;
        socket.connect(kdc)?;
        Ok(socket)
    }

    async fn send(socket: &UdpSocket, datagram: &[u8]) -> io::Result<usize> {
        socket.send(datagram)
    }

    async fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match time_left() {
                // Whoever set the time sees that it is over.
                Some(left) if left.is_zero() => return pending().await,
                // Systems count in milliseconds, and take zero for ever.
                left => socket.set_read_timeout(left.map(|left| left.max(Duration::from_millis(1))))?,
            }
            match socket.recv(buffer) {
                Err(error) if is_timeout(&error) => {}
                result => return result,
            }
        }
    }

    #[cfg(feature = "kdc-proxy")]
    async fn post(
        &self,
        proxy: ServerAddr,
        request: &NetworkRequest,
        max_answer: usize,
    ) -> io::Result<Vec<u8>> {
        self.post_to_proxy(&proxy, request, max_answer)
    }
}

/// Which of these a socket's timeout is depends on the system.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

#[cfg(all(test, not(feature = "kdc-proxy")))]
mod tests {
    use ironrdp_connector::NetworkProtocol;

    use super::*;

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
}
