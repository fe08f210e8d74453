//! Talking to a KDC: what is the same on every runtime.

use std::future::{Future, ready};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ironrdp_connector::{
    AuthFailure, ConnectorError, ConnectorErrorKind, ConnectorResult, NetworkProtocol, NetworkRequest,
};
use ironrdp_core::{Limits, MonotonicInstant};

use crate::{Framed, FramedRead, FramedWrite, ServerAddr, StreamWrapper, Timer, within};

/// The size of the length before each message over TCP (RFC 4120 7.2.2).
const LENGTH_SIZE: usize = 4;

/// More than any datagram holds.
const MAX_DATAGRAM: usize = 64 * 1024;

/// How long a datagram may take before it is sent again. MIT's clients wait as long.
const RESEND_AFTER: Duration = Duration::from_secs(1);

/// Addresses of one KDC that are asked at most.
const MAX_ADDRESSES: usize = 16;

/// How a runtime reaches KDCs: what [`KdcBounds::ask`] stands on.
///
/// `ironrdp-tokio`, `ironrdp-futures` and `ironrdp-blocking` have one each, inside of their `KdcClient`.
pub trait KdcNetwork {
    /// A TCP connection, in the adapter of the runtime.
    type Stream: StreamWrapper + FramedRead + FramedWrite;

    /// A UDP socket that sends to one address, and receives from no other.
    type Socket;

    /// The timer of the runtime.
    type Timer: Timer;

    /// Opens a TCP connection to the first address of `kdc` that answers.
    fn connect(
        &self,
        kdc: &ServerAddr,
    ) -> impl Future<Output = io::Result<<Self::Stream as StreamWrapper>::InnerStream>>;

    /// The addresses of `kdc`.
    fn resolve(&self, kdc: &ServerAddr) -> impl Future<Output = io::Result<Vec<SocketAddr>>>;

    /// A socket that is bound to `own`, any address of the right family, and connected to `kdc`.
    fn open(&self, own: SocketAddr, kdc: SocketAddr) -> impl Future<Output = io::Result<Self::Socket>>;

    /// Sends one datagram.
    fn send(socket: &Self::Socket, datagram: &[u8]) -> impl Future<Output = io::Result<usize>>;

    /// Receives one datagram; what does not fit into `buffer` is cut off.
    fn receive(socket: &Self::Socket, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>>;

    /// Posts `request` to the HTTP or HTTPS proxy at `proxy` (MS-KKDCP); refuses unless overridden.
    fn post(
        &self,
        _proxy: ServerAddr,
        _request: &NetworkRequest,
        _max_answer: usize,
    ) -> impl Future<Output = io::Result<Vec<u8>>> {
        ready(Err(unknown_way()))
    }
}

fn unknown_way() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "a way to the KDC that this build does not know (feature `kdc-proxy`)",
    )
}

/// How long a KDC may take for an answer, and how long the answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdcBounds {
    /// For all of it, name resolution and connecting included.
    pub deadline: Duration,
    /// [`Limits::credssp_bytes`] as a rule: a KDC's answer is the ticket that goes into a CredSSP message.
    pub max_answer: usize,
}

impl Default for KdcBounds {
    /// 5 s, a tenth of what a login may take, since there are three round trips and perhaps another KDC to try; and 64 KiB.
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(5),
            max_answer: Limits::DEFAULT.credssp_bytes,
        }
    }
}

impl KdcBounds {
    /// Sends `request` over `network` and waits for the answer, within these bounds.
    ///
    /// A datagram that is lost is sent again, to the KDC's addresses in turns, and an answer too big for a datagram comes over TCP.
    /// Whatever goes wrong is [`NoKdc`](AuthFailure::NoKdc) with the reason as its source.
    ///
    /// # Cancel safety
    ///
    /// Nothing is left behind; the request may be sent again.
    pub async fn ask<N: KdcNetwork>(
        &self,
        network: &N,
        request: &NetworkRequest,
    ) -> ConnectorResult<Vec<u8>> {
        let mut exchange = Exchange {
            bounds: *self,
            network,
            until: N::Timer::now() + self.deadline,
            timer: N::Timer::default(),
        };
        exchange.run(request).await.map_err(|error| {
            tracing::debug!(url = request.url, %error, "no answer from the KDC");
            ConnectorError::with_source(
                ConnectorErrorKind::Auth(AuthFailure::NoKdc),
                "sending to the KDC",
                error,
            )
        })
    }

    fn too_long(&self) -> io::Error {
        let message = format!("the KDC's answer is longer than {} bytes", self.max_answer);
        io::Error::new(io::ErrorKind::InvalidData, message)
    }
}

/// One request, until its answer is there.
struct Exchange<'a, N: KdcNetwork> {
    bounds: KdcBounds,
    network: &'a N,
    until: MonotonicInstant,
    timer: N::Timer,
}

impl<N: KdcNetwork> Exchange<'_, N> {
    async fn run(&mut self, request: &NetworkRequest) -> io::Result<Vec<u8>> {
        let (host, port) = request
            .host_and_port()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the URL names no host"))?;
        let kdc = ServerAddr::new(host, port);
        match request.protocol {
            NetworkProtocol::Tcp => self.tcp(&kdc, &request.data).await,
            NetworkProtocol::Udp => {
                let answer = self.udp(&kdc, &request.data).await?;
                match request.to_tcp() {
                    Some(request) if NetworkRequest::is_too_big_for_udp(&answer) => {
                        let mut answer = self.tcp(&kdc, &request.data).await?;
                        // The caller waits for a datagram, which has no length before it.
                        answer.drain(..LENGTH_SIZE);
                        Ok(answer)
                    }
                    _ => Ok(answer),
                }
            }
            NetworkProtocol::Http | NetworkProtocol::Https => {
                let post = self.network.post(kdc, request, self.bounds.max_answer);
                in_time(&mut self.timer, self.until, post).await
            }
            _ => Err(unknown_way()),
        }
    }

    /// RFC 4120 7.2.2: each message behind its length.
    async fn tcp(&mut self, kdc: &ServerAddr, data: &[u8]) -> io::Result<Vec<u8>> {
        let (bounds, network) = (self.bounds, self.network);
        let exchange = async {
            let mut framed = Framed::<N::Stream>::new(network.connect(kdc).await?);
            framed.write_all(data).await?;
            let mut answer = [0; LENGTH_SIZE];
            answer.copy_from_slice(&framed.read_exact(LENGTH_SIZE).await?);
            let length = usize::try_from(u32::from_be_bytes(answer)).unwrap_or(usize::MAX);
            if length > bounds.max_answer {
                return Err(bounds.too_long());
            }
            framed.max_frame = bounds.max_answer;
            // Grows as bytes arrive: the length is the peer's word.
            let message = framed.read_exact(length).await?;
            Ok([&answer, &message[..]].concat())
        };
        in_time(&mut self.timer, self.until, exchange).await
    }

    /// RFC 4120 7.2.1: one datagram each way, sent again if nothing comes back.
    async fn udp(&mut self, kdc: &ServerAddr, data: &[u8]) -> io::Result<Vec<u8>> {
        let addresses = in_time(&mut self.timer, self.until, self.network.resolve(kdc)).await?;
        let mut error = io::Error::new(io::ErrorKind::NotFound, "the KDC has no address");
        let mut sockets = Vec::new();
        for address in addresses.into_iter().take(MAX_ADDRESSES) {
            let opened = self.network.open(any_address_like(&address), address).await;
            match opened {
                Ok(socket) => sockets.push(socket),
                Err(failed) => error = failed,
            }
        }
        // A byte more than is allowed: a datagram that does not fit is cut without a word.
        let mut buffer = vec![0; self.bounds.max_answer.min(MAX_DATAGRAM)];
        let mut turn = 0;
        loop {
            if turn >= sockets.len() {
                turn = 0;
            }
            let Some(socket) = sockets.get(turn) else {
                return Err(error);
            };
            let until = self.until.min(N::Timer::now() + RESEND_AFTER);
            let turn_of_one = async {
                N::send(socket, data).await?;
                N::receive(socket, &mut buffer).await
            };
            match within(&mut self.timer, Some(until), turn_of_one).await {
                Some(Ok(length)) if length > self.bounds.max_answer => return Err(self.bounds.too_long()),
                Some(Ok(length)) => {
                    buffer.truncate(length);
                    return Ok(buffer);
                }
                Some(Err(failed)) => {
                    error = failed;
                    drop(sockets.remove(turn));
                }
                None if N::Timer::now() >= self.until => return Err(io::ErrorKind::TimedOut.into()),
                None => turn += 1,
            }
        }
    }
}

/// What comes of `future` if it comes in time.
async fn in_time<T: Timer, R>(
    timer: &mut T,
    until: MonotonicInstant,
    future: impl Future<Output = io::Result<R>>,
) -> io::Result<R> {
    let result = within(timer, Some(until), future).await;
    result.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
}

/// Any address and port of this machine, of the family of `address`.
fn any_address_like(address: &SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}
