//! Talking to a KDC: what is the same on every runtime.

use std::cmp::Ordering;
use std::future::{Future, poll_fn, ready};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
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

    /// Opens a TCP connection to the first address of `kdc` that answers; [`dial_any`](crate::dial_any) finds it.
    ///
    /// # Cancel safety
    ///
    /// What a future has opened goes with it.
    fn connect(
        &self,
        kdc: &ServerAddr,
    ) -> impl Future<Output = io::Result<<Self::Stream as StreamWrapper>::InnerStream>>;

    /// The addresses of `kdc`.
    ///
    /// # Cancel safety
    ///
    /// May be asked again.
    fn resolve(&self, kdc: &ServerAddr) -> impl Future<Output = io::Result<Vec<SocketAddr>>>;

    /// A socket that is bound to `own`, any address of the right family, and connected to `kdc`.
    ///
    /// # Cancel safety
    ///
    /// What a future has opened goes with it.
    fn open(&self, own: SocketAddr, kdc: SocketAddr) -> impl Future<Output = io::Result<Self::Socket>>;

    /// Sends one datagram.
    ///
    /// # Cancel safety
    ///
    /// A datagram is sent or it is not; one that is sent twice does no harm.
    fn send(socket: &Self::Socket, datagram: &[u8]) -> impl Future<Output = io::Result<usize>>;

    /// Receives one datagram; what does not fit into `buffer` is cut off. `Pending` has taken nothing, and wakes the task when
    /// there is something to receive; one task polls all sockets of a KDC in turns.
    fn poll_receive(
        socket: &Self::Socket,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>>;

    /// Posts `request` to the HTTP or HTTPS proxy at `proxy` (MS-KKDCP); refuses unless overridden.
    ///
    /// # Cancel safety
    ///
    /// The connection goes with the future; the same request may be posted again.
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
    /// 5 s, a quarter of what a login may take ([`Deadlines::authenticate`](ironrdp_connector::Deadlines::authenticate)), since
    /// there are three round trips and perhaps another KDC to try; and 64 KiB.
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
    /// A datagram is sent to the KDC's addresses in turns until one of them answers, each of up to 16 within the deadline, and an answer
    /// too big for a datagram comes over TCP.
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
            // Not the URL, which may hold a token or a password.
            let kdc = request.host_and_port();
            tracing::debug!(?kdc, %error, "no answer from the KDC");
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
            let opening = self.network.open(any_address_like(&address), address);
            match in_time(&mut self.timer, self.until, opening).await {
                Ok(socket) => sockets.push(socket),
                Err(failed) => error = failed,
            }
        }
        // A byte more than is allowed: a datagram that does not fit is cut without a word.
        let mut buffer = vec![0; self.bounds.max_answer.min(MAX_DATAGRAM) + 1];
        // Short enough for each to be asked before the time is over.
        let count = u32::try_from(sockets.len()).unwrap_or(u32::MAX).max(1);
        let turn_length = RESEND_AFTER.min((self.until - N::Timer::now()) / count);
        let mut turn = 0;
        while !sockets.is_empty() {
            if turn >= sockets.len() {
                turn = 0;
            }
            let until = self.until.min(N::Timer::now() + turn_length);
            let one_turn = udp_turn::<N>(&mut sockets, &mut turn, data, &mut buffer, &mut error);
            match within(&mut self.timer, Some(until), one_turn).await {
                Some(Some(length)) if length > self.bounds.max_answer => return Err(self.bounds.too_long()),
                Some(Some(length)) => {
                    buffer.truncate(length);
                    return Ok(buffer);
                }
                // The socket after it has moved into its place.
                Some(None) => {}
                None if N::Timer::now() >= self.until => return Err(io::ErrorKind::TimedOut.into()),
                None => turn += 1,
            }
        }
        Err(error)
    }
}

/// Sends to the socket at `turn` and waits for the answer of any: one that is slow may answer in the turn of another. Removes those
/// that fail, and leaves the last `error` there; `None` once that whose turn it is has failed.
///
/// Dropped when the turn is over, it leaves `turn` at the same socket, though another before it may be gone.
async fn udp_turn<N: KdcNetwork>(
    sockets: &mut Vec<N::Socket>,
    turn: &mut usize,
    data: &[u8],
    buffer: &mut [u8],
    error: &mut io::Error,
) -> Option<usize> {
    if let Err(failed) = N::send(sockets.get(*turn)?, data).await {
        *error = failed;
        drop(sockets.remove(*turn));
        return None;
    }
    poll_fn(|cx| {
        let mut index = 0;
        while let Some(socket) = sockets.get(index) {
            match N::poll_receive(socket, cx, buffer) {
                // Nobody's answer. That there may be more behind it is looked at in the next poll, so that a flood of these does
                // not keep the timer from being polled.
                Poll::Ready(Ok(0)) => cx.waker().wake_by_ref(),
                Poll::Ready(Ok(length)) => return Poll::Ready(Some(length)),
                Poll::Ready(Err(failed)) => {
                    *error = failed;
                    drop(sockets.remove(index));
                    match index.cmp(turn) {
                        Ordering::Less => *turn -= 1,
                        Ordering::Equal => return Poll::Ready(None),
                        Ordering::Greater => {}
                    }
                    continue;
                }
                Poll::Pending => {}
            }
            index += 1;
        }
        Poll::Pending
    })
    .await
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
    use std::sync::Arc;
    use std::task::{Wake, Waker};

    use bytes::BytesMut;

    use super::*;

    thread_local! {
        static NOW: Cell<MonotonicInstant> = const { Cell::new(MonotonicInstant::ORIGIN) };
        /// Who was sent a datagram, and when, in milliseconds.
        static SENT: RefCell<Vec<(u16, u128)>> = const { RefCell::new(Vec::new()) };
        /// Whether there is something to do before time goes on.
        static IS_WOKEN: Cell<bool> = const { Cell::new(false) };
    }

    fn now_ms() -> u128 {
        NOW.get().since_origin().as_millis()
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
            if IS_WOKEN.get() {
                return Poll::Pending;
            }
            NOW.set(NOW.get().max(self.0.unwrap()));
            Poll::Ready(())
        }
    }

    struct Woken;

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            IS_WOKEN.set(true);
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
        /// So many milliseconds after the first datagram.
        AnswersAfter(u128),
        /// With an empty datagram before the answer.
        IsEmptyFirst,
        Silent,
        /// A host that has no such port and says so after so many milliseconds.
        RefusesAfter(u128),
        /// A family that this machine does not speak.
        Unreachable,
        /// Opening a socket takes for ever.
        Stuck,
    }

    const ANSWERS: Manner = Manner::AnswersAfter(0);
    const REFUSES: Manner = Manner::RefusesAfter(0);

    struct Socket {
        port: u16,
        manner: Manner,
        sent_at: Cell<Option<u128>>,
        has_said: Cell<bool>,
    }

    /// A KDC with several addresses, told apart by their ports.
    struct Addresses(Vec<Manner>);

    impl KdcNetwork for Addresses {
        type Stream = NoStream;
        type Socket = Socket;
        type Timer = Jumps;

        async fn connect(&self, _: &ServerAddr) -> io::Result<()> {
            Err(io::ErrorKind::ConnectionRefused.into())
        }

        async fn resolve(&self, _: &ServerAddr) -> io::Result<Vec<SocketAddr>> {
            let ports = 0..u16::try_from(self.0.len()).unwrap();
            Ok(ports.map(|port| ([127, 0, 0, 1], port).into()).collect())
        }

        async fn open(&self, own: SocketAddr, kdc: SocketAddr) -> io::Result<Socket> {
            assert!(own.is_ipv4() && own.ip().is_unspecified() && own.port() == 0);
            match self.0[usize::from(kdc.port())] {
                Manner::Unreachable => Err(io::ErrorKind::AddrNotAvailable.into()),
                Manner::Stuck => std::future::pending().await,
                manner => Ok(Socket {
                    port: kdc.port(),
                    manner,
                    sent_at: Cell::new(None),
                    has_said: Cell::new(false),
                }),
            }
        }

        async fn send(socket: &Socket, datagram: &[u8]) -> io::Result<usize> {
            SENT.with_borrow_mut(|sent| sent.push((socket.port, now_ms())));
            socket.sent_at.set(socket.sent_at.get().or(Some(now_ms())));
            Ok(datagram.len())
        }

        fn poll_receive(socket: &Socket, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
            let Some(sent_at) = socket.sent_at.get() else {
                return Poll::Pending;
            };
            match socket.manner {
                Manner::IsEmptyFirst if !socket.has_said.replace(true) => Poll::Ready(Ok(0)),
                Manner::AnswersAfter(ms) if now_ms() < sent_at + ms => Poll::Pending,
                Manner::AnswersAfter(_) | Manner::IsEmptyFirst => {
                    buffer[..2].copy_from_slice(b"ok");
                    Poll::Ready(Ok(2))
                }
                Manner::RefusesAfter(ms) if now_ms() >= sent_at + ms => {
                    Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into()))
                }
                _ => Poll::Pending,
            }
        }
    }

    /// The answer or why there is none, and who was sent a datagram when.
    type Asked = (Result<Vec<u8>, String>, Vec<(u16, u128)>);

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
        let waker = Waker::from(Arc::new(Woken));
        let mut asking = pin!(bounds.ask(&addresses, &request));
        let answer = loop {
            IS_WOKEN.set(false);
            if let Poll::Ready(answer) = asking.as_mut().poll(&mut Context::from_waker(&waker)) {
                break answer;
            }
            assert!(IS_WOKEN.get(), "the clock jumps");
        };
        let answer = answer.map_err(|error| {
            assert_eq!(*error.kind(), ConnectorErrorKind::Auth(AuthFailure::NoKdc));
            std::error::Error::source(&error).unwrap().to_string()
        });
        (answer, SENT.take())
    }

    fn udp(kdc: &[Manner]) -> Asked {
        ask(NetworkProtocol::Udp, kdc)
    }

    fn ok() -> Result<Vec<u8>, String> {
        Ok(b"ok".to_vec())
    }

    fn timed_out() -> Result<Vec<u8>, String> {
        Err("timed out".to_owned())
    }

    #[test]
    fn addresses_are_asked_in_turns_and_those_that_refuse_not_again() {
        use Manner::{RefusesAfter, Silent, Unreachable};

        assert_eq!(udp(&[ANSWERS]), (ok(), vec![(0, 0)]));
        assert_eq!(udp(&[Silent, ANSWERS]), (ok(), vec![(0, 0), (1, 1_000)]));
        assert_eq!(udp(&[REFUSES, ANSWERS]), (ok(), vec![(0, 0), (1, 0)]));
        assert_eq!(udp(&[Unreachable, ANSWERS]), (ok(), vec![(1, 0)]));
        assert_eq!(
            udp(&[Silent]),
            (
                timed_out(),
                vec![(0, 0), (0, 1_000), (0, 2_000), (0, 3_000), (0, 4_000)]
            )
        );
        assert_eq!(
            udp(&[Silent, REFUSES, Silent]),
            (
                timed_out(),
                vec![(0, 0), (1, 1_000), (2, 1_000), (0, 2_000), (2, 3_000), (0, 4_000)]
            )
        );
        // One that refuses in the turn of another takes nobody's turn away.
        assert_eq!(
            udp(&[RefusesAfter(1_500), Silent, Silent, ANSWERS]),
            (ok(), vec![(0, 0), (1, 1_000), (2, 2_000), (3, 3_000)])
        );
        let refused = || Err("connection refused".to_owned());
        assert_eq!(udp(&[REFUSES, REFUSES]), (refused(), vec![(0, 0), (1, 0)]));
        assert_eq!(udp(&[]), (Err("the KDC has no address".to_owned()), vec![]));
        assert_eq!(ask(NetworkProtocol::Tcp, &[ANSWERS]), (refused(), vec![]));
    }

    #[test]
    fn a_late_answer_is_heard_in_the_turn_of_another_address() {
        let mut kdc = [Manner::Silent; 5];
        kdc[0] = Manner::AnswersAfter(1_100);
        assert_eq!(udp(&kdc), (ok(), vec![(0, 0), (1, 1_000), (2, 2_000)]));
    }

    #[test]
    fn each_of_sixteen_addresses_is_asked_within_the_deadline_and_no_more() {
        for (last, expected) in [(15, ok()), (16, timed_out())] {
            let mut kdc = [Manner::Silent; 20];
            kdc[last] = ANSWERS;
            let (answer, sent) = udp(&kdc);
            assert_eq!(answer, expected);
            let asked: Vec<u16> = sent.iter().map(|(port, _)| *port).collect();
            assert_eq!(asked, (0..16).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_empty_datagram_is_no_answer() {
        assert_eq!(udp(&[Manner::IsEmptyFirst]), (ok(), vec![(0, 0)]));
    }

    #[test]
    fn the_deadline_counts_for_opening_sockets_too() {
        assert_eq!(udp(&[Manner::Stuck]), (timed_out(), vec![]));
        assert_eq!(NOW.get().since_origin(), KdcBounds::default().deadline);
    }

    #[test]
    fn a_proxy_is_refused_by_a_network_that_knows_none() {
        let (answer, sent) = ask(NetworkProtocol::Https, &[ANSWERS]);
        assert!(answer.unwrap_err().contains("kdc-proxy") && sent.is_empty());
    }
}
