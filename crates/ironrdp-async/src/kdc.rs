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
        let mut buffer = vec![0; self.bounds.max_answer.min(MAX_DATAGRAM) + 1];
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

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use bytes::BytesMut;

    use super::*;

    thread_local! {
        static NOW: Cell<MonotonicInstant> = const { Cell::new(MonotonicInstant::ORIGIN) };
        /// Who was sent a datagram, and when.
        static SENT: RefCell<Vec<(u16, u64)>> = const { RefCell::new(Vec::new()) };
    }

    /// Goes by a clock that jumps to whatever is waited for.
    #[derive(Default)]
    struct Jumps(Option<MonotonicInstant>);

    impl Timer for Jumps {
        fn now() -> MonotonicInstant {
            NOW.get()
        }

        fn set(&mut self, at: Option<MonotonicInstant>) {
            self.0 = at;
        }

        fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
            NOW.set(NOW.get().max(self.0.unwrap()));
            Poll::Ready(())
        }
    }

    /// No TCP at all.
    struct NoStream;

    impl StreamWrapper for NoStream {
        type InnerStream = ();

        fn from_inner((): ()) -> Self {
            Self
        }

        fn into_inner(self) {}

        fn get_inner(&self) -> &() {
            &()
        }

        fn get_inner_mut(&mut self) -> &mut () {
            unreachable!("nobody asks")
        }
    }

    impl FramedRead for NoStream {
        type ReadFut<'read> = std::future::Ready<io::Result<usize>>;

        fn read<'a>(&'a mut self, _: &'a mut BytesMut) -> Self::ReadFut<'a> {
            ready(Ok(0))
        }
    }

    impl FramedWrite for NoStream {
        type WriteAllFut<'write> = std::future::Ready<io::Result<()>>;

        fn write_all<'a>(&'a mut self, _: &'a [u8]) -> Self::WriteAllFut<'a> {
            ready(Ok(()))
        }
    }

    /// What is at an address of the KDC.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Manner {
        Answers,
        Silent,
        /// A host that has no such port.
        Refuses,
        /// A family that this machine does not speak.
        Unreachable,
    }

    /// A KDC with several addresses, told apart by their ports.
    struct Addresses(Vec<Manner>);

    impl KdcNetwork for Addresses {
        type Stream = NoStream;
        type Socket = (u16, Manner);
        type Timer = Jumps;

        async fn connect(&self, _: &ServerAddr) -> io::Result<()> {
            Err(io::ErrorKind::ConnectionRefused.into())
        }

        async fn resolve(&self, _: &ServerAddr) -> io::Result<Vec<SocketAddr>> {
            let ports = 0..u16::try_from(self.0.len()).unwrap();
            Ok(ports.map(|port| ([127, 0, 0, 1], port).into()).collect())
        }

        async fn open(&self, own: SocketAddr, kdc: SocketAddr) -> io::Result<(u16, Manner)> {
            assert!(own.is_ipv4() && own.ip().is_unspecified() && own.port() == 0);
            match self.0[usize::from(kdc.port())] {
                Manner::Unreachable => Err(io::ErrorKind::AddrNotAvailable.into()),
                manner => Ok((kdc.port(), manner)),
            }
        }

        async fn send(socket: &(u16, Manner), datagram: &[u8]) -> io::Result<usize> {
            let at = NOW.get().since_origin().as_secs();
            SENT.with_borrow_mut(|sent| sent.push((socket.0, at)));
            Ok(datagram.len())
        }

        async fn receive(socket: &(u16, Manner), buffer: &mut [u8]) -> io::Result<usize> {
            match socket.1 {
                Manner::Answers => {
                    buffer[..2].copy_from_slice(b"ok");
                    Ok(2)
                }
                Manner::Silent => std::future::pending().await,
                _ => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        }
    }

    /// The answer or why there is none, and who was sent a datagram when.
    type Asked = (Result<Vec<u8>, String>, Vec<(u16, u64)>);

    fn ask(protocol: NetworkProtocol, kdc: &[Manner]) -> Asked {
        NOW.set(MonotonicInstant::ORIGIN);
        SENT.take();
        let request = NetworkRequest {
            protocol,
            url: "udp://kdc.lab.example".to_owned(),
            data: b"hello".to_vec(),
        };
        let addresses = Addresses(kdc.to_vec());
        let bounds = KdcBounds::default();
        let asked = pin!(bounds.ask(&addresses, &request)).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(answer) = asked else {
            panic!("the clock jumps")
        };
        let answer = answer.map_err(|error| {
            assert_eq!(*error.kind(), ConnectorErrorKind::Auth(AuthFailure::NoKdc));
            std::error::Error::source(&error).unwrap().to_string()
        });
        (answer, SENT.take())
    }

    #[test]
    fn addresses_are_asked_in_turns_and_those_that_refuse_not_again() {
        use Manner::{Answers, Refuses, Silent, Unreachable};

        let udp = |kdc: &[Manner]| ask(NetworkProtocol::Udp, kdc);
        let ok = || Ok(b"ok".to_vec());
        assert_eq!(udp(&[Answers]), (ok(), vec![(0, 0)]));
        assert_eq!(udp(&[Silent, Answers]), (ok(), vec![(0, 0), (1, 1)]));
        assert_eq!(udp(&[Refuses, Answers]), (ok(), vec![(0, 0), (1, 0)]));
        assert_eq!(udp(&[Unreachable, Answers]), (ok(), vec![(1, 0)]));
        let timed_out = || Err("timed out".to_owned());
        assert_eq!(
            udp(&[Silent]),
            (timed_out(), vec![(0, 0), (0, 1), (0, 2), (0, 3), (0, 4)])
        );
        assert_eq!(
            udp(&[Silent, Refuses, Silent]),
            (timed_out(), vec![(0, 0), (1, 1), (2, 1), (0, 2), (2, 3), (0, 4)])
        );
        let refused = || Err("connection refused".to_owned());
        assert_eq!(udp(&[Refuses, Refuses]), (refused(), vec![(0, 0), (1, 0)]));
        assert_eq!(udp(&[]), (Err("the KDC has no address".to_owned()), vec![]));
        assert_eq!(ask(NetworkProtocol::Tcp, &[Answers]), (refused(), vec![]));
    }

    #[test]
    fn a_proxy_is_refused_by_a_network_that_knows_none() {
        let (answer, sent) = ask(NetworkProtocol::Https, &[Manner::Answers]);
        assert!(answer.unwrap_err().contains("kdc-proxy") && sent.is_empty());
    }
}
