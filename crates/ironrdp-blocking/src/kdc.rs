//! Carries Kerberos messages to a KDC, or to a proxy in front of one.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ironrdp_async::{KdcBounds, KdcNetwork, ServerAddr};
use ironrdp_connector::{ConnectorResult, NetworkRequest};

use crate::answers::answered;
use crate::dial::dial;
use crate::stream::BlockingStream;
use crate::timed::{time_left, wait};
use crate::{BlockingTimer, Limits, NetworkClient, Timed};

/// How long one UDP socket is waited for before the next is looked at: there is one for each address of a KDC, and any may answer.
const SLICE: Duration = Duration::from_millis(10);

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
        answered(wait_in_slices(bounds.ask(&self.network, network_request)))
    }

    fn set_limits(&mut self, limits: &Limits) {
        self.bounds.max_answer = limits.credssp_bytes;
    }
}

/// [`wait`] for a future that is not ready when one of its sockets had nothing within its slice, and worth polling until time is up.
fn wait_in_slices<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    wait(poll_fn(|cx| {
        loop {
            match future.as_mut().poll(cx) {
                Poll::Pending if time_left().is_some_and(|left| !left.is_zero()) => {}
                polled => return polled,
            }
        }
    }))
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
        socket.set_read_timeout(Some(SLICE))?;
        Ok(socket)
    }

    async fn send(socket: &UdpSocket, datagram: &[u8]) -> io::Result<usize> {
        socket.send(datagram)
    }

    fn poll_receive(socket: &UdpSocket, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if time_left().is_some_and(|left| left.is_zero()) {
            return Poll::Pending;
        }
        match socket.recv(buffer) {
            Err(error) if is_timeout(&error) => Poll::Pending,
            result => Poll::Ready(result),
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

#[cfg(test)]
mod tests {
    use std::thread;

    use ironrdp_connector::NetworkProtocol;

    use super::*;

    /// A KDC that has these addresses, whatever its name is.
    struct At(Vec<SocketAddr>);

    impl KdcNetwork for At {
        type Stream = <Network as KdcNetwork>::Stream;
        type Socket = UdpSocket;
        type Timer = BlockingTimer;

        async fn connect(&self, kdc: &ServerAddr) -> io::Result<Timed<TcpStream>> {
            Network::default().connect(kdc).await
        }

        async fn resolve(&self, _: &ServerAddr) -> io::Result<Vec<SocketAddr>> {
            Ok(self.0.clone())
        }

        async fn open(&self, own: SocketAddr, kdc: SocketAddr) -> io::Result<UdpSocket> {
            Network::default().open(own, kdc).await
        }

        async fn send(socket: &UdpSocket, datagram: &[u8]) -> io::Result<usize> {
            Network::send(socket, datagram).await
        }

        fn poll_receive(
            socket: &UdpSocket,
            cx: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Network::poll_receive(socket, cx, buffer)
        }
    }

    #[test]
    fn a_silent_address_does_not_take_the_time_in_which_another_answers() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let answers = UdpSocket::bind("127.0.0.1:0").unwrap();
        let kdc = At([&silent, &answers]
            .map(|socket| socket.local_addr().unwrap())
            .into());
        // It ends with the test's process if it is never asked.
        thread::spawn(move || {
            let (_, from) = answers.recv_from(&mut [0; 9]).unwrap();
            answers.send_to(b"answer", from).unwrap();
        });
        let request = NetworkRequest {
            protocol: NetworkProtocol::Udp,
            url: "udp://kdc.lab.example".to_owned(),
            data: b"hello".to_vec(),
        };
        let bounds = KdcBounds {
            deadline: Duration::from_secs(60),
            ..KdcBounds::default()
        };
        let answer = wait_in_slices(bounds.ask(&kdc, &request)).unwrap();
        assert_eq!(answer.unwrap(), b"answer");
    }
}
