//! Carries Kerberos messages to a KDC, or to a proxy in front of one.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_io::Async;
use async_net::TcpStream;
use ironrdp_async::{KdcBounds, KdcNetwork, Limits, NetworkClient, ServerAddr};
#[cfg(feature = "kdc-proxy")]
use ironrdp_async::{StreamWrapper as _, ask_kdc_proxy};
use ironrdp_connector::{ConnectorResult, NetworkRequest};

use crate::tcp::dial_tcp;
use crate::{AsyncIoTimer, FuturesStream};

/// Speaks to KDCs over TCP and UDP by the reactor of `async-io`, and with the feature `kdc-proxy` to KDC proxies over HTTPS (MS-KKDCP).
///
/// Each message has a deadline and each answer a limit; a KDC that does not answer is
/// [`NoKdc`](ironrdp_connector::AuthFailure::NoKdc). Costs nothing until it is used, and keeps no connection.
#[derive(Debug, Clone, Default)]
pub struct KdcClient {
    bounds: KdcBounds,
    network: Network,
}

/// The ways of `async-io` to a KDC.
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
    type Stream = FuturesStream<TcpStream>;
    // That of `async-net` cannot be polled.
    type Socket = Async<UdpSocket>;
    type Timer = AsyncIoTimer;

    async fn connect(&self, kdc: &ServerAddr) -> io::Result<TcpStream> {
        dial_tcp(kdc).await
    }

    async fn resolve(&self, kdc: &ServerAddr) -> io::Result<Vec<SocketAddr>> {
        async_net::resolve((kdc.host(), kdc.port())).await
    }

    async fn open(&self, own: SocketAddr, kdc: SocketAddr) -> io::Result<Async<UdpSocket>> {
        let socket = Async::<UdpSocket>::bind(own)?;
        socket.get_ref().connect(kdc)?;
        Ok(socket)
    }

    async fn send(socket: &Async<UdpSocket>, datagram: &[u8]) -> io::Result<usize> {
        socket.send(datagram).await
    }

    fn poll_receive(
        socket: &Async<UdpSocket>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match socket.get_ref().recv(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(socket.poll_readable(cx))?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
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
        let stream = FuturesStream::from_inner(self.connect(&proxy).await?);
        ask_kdc_proxy(stream, &proxy, self.tls.as_ref(), request, max_answer).await
    }
}
