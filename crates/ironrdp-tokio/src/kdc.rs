//! Carries Kerberos messages to a KDC, or to a proxy in front of one.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use ironrdp_async::{KdcBounds, KdcNetwork, NetworkClient};
#[cfg(feature = "kdc-proxy")]
use ironrdp_async::{StreamWrapper as _, ask_kdc_proxy};
use ironrdp_connector::{ConnectorResult, NetworkRequest};
use tokio::io::ReadBuf;
use tokio::net::{TcpStream, UdpSocket, lookup_host};

use crate::dial::dial;
use crate::{Limits, Liveness, ServerAddr, TokioStream, TokioTimer};

/// Speaks to KDCs over TCP and UDP, and with the feature `kdc-proxy` to KDC proxies over HTTPS (MS-KKDCP).
///
/// Each message has a deadline and each answer a limit; a KDC that does not answer is
/// [`NoKdc`](ironrdp_connector::AuthFailure::NoKdc). Costs nothing until it is used, and keeps no connection.
#[derive(Debug, Clone, Default)]
pub struct KdcClient {
    bounds: KdcBounds,
    network: Network,
}

/// The ways of tokio to a KDC.
#[derive(Debug, Clone, Default)]
struct Network {
    #[cfg(feature = "kdc-proxy")]
    tls: Option<ironrdp_tls::TlsClient>,
}

impl KdcClient {
    /// A client that waits 5 s for an answer of at most 64 KiB.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a KDC may take for an answer, name resolution and connecting included.
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
    async fn send(&mut self, network_request: &NetworkRequest) -> ConnectorResult<Vec<u8>> {
        self.bounds.ask(&self.network, network_request).await
    }

    fn set_limits(&mut self, limits: &Limits) {
        self.bounds.max_answer = limits.credssp_bytes;
    }
}

impl KdcNetwork for Network {
    type Stream = TokioStream<TcpStream>;
    type Socket = UdpSocket;
    type Timer = TokioTimer;

    async fn connect(&self, kdc: &ServerAddr) -> io::Result<TcpStream> {
        dial(kdc.clone(), Liveness::OFF).await
    }

    async fn resolve(&self, kdc: &ServerAddr) -> io::Result<Vec<SocketAddr>> {
        Ok(lookup_host((kdc.host(), kdc.port())).await?.collect())
    }

    async fn open(&self, own: SocketAddr, kdc: SocketAddr) -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind(own).await?;
        socket.connect(kdc).await?;
        Ok(socket)
    }

    async fn send(socket: &UdpSocket, datagram: &[u8]) -> io::Result<usize> {
        socket.send(datagram).await
    }

    fn poll_receive(socket: &UdpSocket, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        socket
            .poll_recv(cx, &mut buffer)
            .map_ok(|()| buffer.filled().len())
    }

    #[cfg(feature = "kdc-proxy")]
    async fn post(
        &self,
        proxy: ServerAddr,
        request: &NetworkRequest,
        max_answer: usize,
    ) -> io::Result<Vec<u8>> {
        let stream = TokioStream::from_inner(self.connect(&proxy).await?);
        ask_kdc_proxy(stream, &proxy, self.tls.as_ref(), request, max_answer).await
    }
}
