//! The TLS stream against an implementation of the other end that is not ours.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ironrdp_tls::{CertificatePolicy, Fingerprint, PeerCertificate, TlsClient, TlsError, TlsServer};
use ironrdp_tokio::{TlsServerStream, TlsStream};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion, version};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const CERTIFICATE: &[u8] = include_bytes!("data/self-signed.pem");
const KEY: &[u8] = include_bytes!("data/ec.key.pem");
const VERSIONS: [&[&SupportedProtocolVersion]; 2] = [&[&version::TLS13], &[&version::TLS12]];

fn server() -> Arc<ServerConfig> {
    TlsServer::from_pem(CERTIFICATE, KEY).unwrap().server_config()
}

fn client(versions: &'static [&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let server = TlsServer::from_pem(CERTIFICATE, KEY).unwrap();
    let pin = CertificatePolicy::pin_certificate(Fingerprint::of(server.certificate()));
    let tls = TlsClient::builder(pin)
        .protocol_versions(versions)
        .build()
        .unwrap();
    tls.for_host("localhost", 3389).unwrap()
}

fn name() -> ServerName<'static> {
    TlsClient::server_name("localhost").unwrap()
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (at.wrapping_mul(31) >> 3).to_le_bytes()[0])
        .collect()
}

/// Polls until ready without a runtime: everything here is in memory.
fn now<F: Future>(future: F) -> Option<F::Output> {
    // Or tokio's streams would be pending now and then to let other tasks run.
    let mut future = pin!(tokio::task::unconstrained(future));
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// A stream that gives and takes so many bytes at a time, and wants to be asked twice each time.
struct Trickle<T> {
    inner: T,
    step: usize,
    read_again: bool,
    write_again: bool,
    writes: usize,
}

impl<T> Trickle<T> {
    fn new(inner: T, step: usize) -> Self {
        Self {
            inner,
            step,
            read_again: false,
            write_again: false,
            writes: 0,
        }
    }
}

/// Says no every other time.
fn refuses(again: &mut bool, step: usize, cx: &Context<'_>) -> bool {
    *again = step < usize::MAX && !*again;
    if *again {
        cx.waker().wake_by_ref();
    }
    *again
}

impl<T: AsyncRead + Unpin> AsyncRead for Trickle<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let step = self.step;
        if refuses(&mut self.read_again, step, cx) {
            return Poll::Pending;
        }
        let mut part = vec![0; self.step.min(buf.remaining())];
        let mut part = ReadBuf::new(&mut part);
        let result = Pin::new(&mut self.inner).poll_read(cx, &mut part);
        buf.put_slice(part.filled());
        result
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Trickle<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let step = self.step;
        if refuses(&mut self.write_again, step, cx) {
            return Poll::Pending;
        }
        let part = &buf[..self.step.min(buf.len())];
        let result = Pin::new(&mut self.inner).poll_write(cx, part);
        if result.is_ready() {
            self.writes += 1;
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Both write much at the same time, and read what the other wrote.
async fn talk(
    one: &mut (impl AsyncRead + AsyncWrite + Unpin),
    other: &mut (impl AsyncRead + AsyncWrite + Unpin),
    len: usize,
) {
    let sent = pattern(len);
    let speak = async |stream: &mut (dyn Duplex + '_)| {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut got = vec![0; len];
        let write = async {
            writer.write_all(&sent).await?;
            writer.flush().await
        };
        let (wrote, read) = tokio::join!(write, reader.read_exact(&mut got));
        wrote.unwrap();
        read.unwrap();
        assert!(got == sent);
    };
    tokio::join!(speak(one), speak(other));
}

trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

/// Both ends say that they are done, and see it of the other.
async fn part(
    one: &mut (impl AsyncRead + AsyncWrite + Unpin),
    other: &mut (impl AsyncRead + AsyncWrite + Unpin),
) {
    one.shutdown().await.unwrap();
    assert_eq!(other.read(&mut [0; 8]).await.unwrap(), 0);
    other.shutdown().await.unwrap();
    assert_eq!(one.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(
        one.write(b"late").await.unwrap_err().kind(),
        io::ErrorKind::BrokenPipe
    );
}

#[tokio::test]
async fn both_ends_speak_with_the_other_implementation_at_any_pace() {
    for versions in VERSIONS {
        for (step, len) in [(1, 700), (7, 20_000), (1500, 200_000), (usize::MAX, 1_000_000)] {
            let (near, far) = duplex(8 * 1024);
            let near = TlsStream::connect(Trickle::new(near, step), client(versions), name());
            let far = TlsAcceptor::from(server()).accept(far);
            let (near, far) = tokio::join!(near, far);
            let (mut near, mut far) = (near.unwrap(), far.unwrap());
            let certificate = PeerCertificate::from_connection(near.connection()).unwrap();
            let mine = TlsServer::from_pem(CERTIFICATE, KEY).unwrap();
            assert_eq!(certificate.sha256(), Fingerprint::of(mine.certificate()));
            talk(&mut near, &mut far, len).await;
            part(&mut near, &mut far).await;

            let (near, far) = duplex(8 * 1024);
            let near = TlsServerStream::accept(Trickle::new(near, step), server());
            let far = TlsConnector::from(client(versions)).connect(name(), far);
            let (near, far) = tokio::join!(near, far);
            let (mut near, mut far) = (near.unwrap(), far.unwrap());
            talk(&mut near, &mut far, len).await;
            part(&mut near, &mut far).await;
        }
    }
}

#[tokio::test]
async fn the_last_message_of_the_handshake_leaves_with_the_first_data() {
    let (near, far) = duplex(64 * 1024);
    let far = tokio::spawn(async move {
        let mut far = TlsAcceptor::from(server()).accept(far).await.unwrap();
        let mut got = [0; 5];
        far.read_exact(&mut got).await.unwrap();
        got
    });
    let near = Trickle::new(near, usize::MAX);
    let handshake = TlsStream::connect(near, client(VERSIONS[0]), name());
    let mut near = handshake.finish_with_first_write().await.unwrap();
    assert_eq!(near.stream().writes, 1);
    near.write_all(b"hello").await.unwrap();
    assert_eq!(near.stream().writes, 2);
    assert_eq!(&far.await.unwrap(), b"hello");
}

/// Both ends with a wire of 1 MiB, shaken hands.
async fn pair(
    versions: &'static [&'static SupportedProtocolVersion],
) -> (
    TlsStream<DuplexStream>,
    tokio_rustls::server::TlsStream<DuplexStream>,
) {
    let (near, far) = duplex(1024 * 1024);
    let near = TlsStream::connect(near, client(versions), name());
    let far = TlsAcceptor::from(server()).accept(far);
    let (near, far) = tokio::join!(near, far);
    (near.unwrap(), far.unwrap())
}

#[tokio::test]
async fn new_keys_in_the_middle_of_the_data_change_nothing() {
    let (mut near, mut far) = pair(VERSIONS[0]).await;
    for _ in 0..5 {
        talk(&mut near, &mut far, 50_000).await;
        // Ours has to answer with new keys of its own.
        far.get_mut().1.refresh_traffic_keys().unwrap();
        talk(&mut near, &mut far, 50_000).await;
    }
}

#[tokio::test]
async fn a_reader_with_little_room_gets_all_of_a_record() {
    let (mut near, mut far) = pair(VERSIONS[0]).await;
    let sent = pattern(40_000);
    far.write_all(&sent).await.unwrap();
    far.shutdown().await.unwrap();
    let mut got = Vec::new();
    for room in (1..700).cycle() {
        let mut part = vec![0; room];
        match near.read(&mut part).await.unwrap() {
            0 => break,
            count => got.extend_from_slice(&part[..count]),
        }
    }
    assert!(got == sent);
}

#[tokio::test]
async fn an_end_without_the_end_of_tls_is_told_apart() {
    for versions in VERSIONS {
        let (mut near, mut far) = pair(versions).await;
        far.write_all(b"last words").await.unwrap();
        drop(far);
        let mut got = [0; 64];
        assert_eq!(near.read(&mut got).await.unwrap(), 10);
        for _ in 0..2 {
            let error = near.read(&mut got).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_the_pinned_one_ends_the_handshake_and_the_server_is_told() {
    let (near, far) = duplex(64 * 1024);
    let policy = CertificatePolicy::pin_certificate(Fingerprint::of(b"another certificate"));
    let config = TlsClient::new(policy)
        .unwrap()
        .for_host("localhost", 3389)
        .unwrap();
    let near = TlsStream::connect(near, config, name());
    let far = TlsAcceptor::from(server()).accept(far);
    let (near, far) = tokio::join!(near, far);
    let error = TlsError::from_io(near.unwrap_err());
    assert!(
        matches!(error.kind(), ironrdp_tls::TlsErrorKind::CertificateRejected(_)),
        "{error:?}"
    );
    let alert = far.unwrap_err();
    assert!(alert.to_string().contains("alert"), "{alert}");
}

#[tokio::test]
async fn garbage_in_place_of_a_server_is_an_error_and_takes_no_memory() {
    for garbage in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        &[0; 43],
        &[22, 3, 3, 255, 255],
        &[21, 3, 3, 0, 2, 2, 40],
    ] {
        let (near, mut far) = duplex(64 * 1024);
        let near = TlsStream::connect(near, client(VERSIONS[0]), name());
        far.write_all(garbage).await.unwrap();
        let error = near.await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{garbage:?}: {error}");
    }
}

#[tokio::test]
async fn a_record_changed_at_any_byte_is_an_error_after_all_that_was_good() {
    for versions in VERSIONS {
        let mut at = 0;
        loop {
            let (mut near, mut far) = pair(versions).await;
            far.write_all(b"good").await.unwrap();
            far.flush().await.unwrap();
            // What it says next goes over a wire of its own, where it can be changed.
            let (spare, mut tap) = duplex(64 * 1024);
            *far.get_mut().0 = spare;
            far.write_all(b"bad").await.unwrap();
            let mut record = [0; 128];
            let len = tap.read(&mut record).await.unwrap();
            // The length of the record can also make it one that waits for more.
            if at >= len {
                break;
            }
            record[at] ^= 0x55;
            let (spare, mut wire) = duplex(64 * 1024);
            let mut good = Vec::new();
            let mut part = [0; 3];
            let count = near.read(&mut part).await.unwrap();
            good.extend_from_slice(&part[..count]);
            let mut near = swap(near, spare);
            wire.write_all(&record[..len]).await.unwrap();
            drop(wire);
            let mut rest = Vec::new();
            let error = near.read_to_end(&mut rest).await.unwrap_err();
            good.extend_from_slice(&rest);
            match error.kind() {
                io::ErrorKind::InvalidData => assert_eq!(good, b"good", "byte {at}"),
                // The length, and more is waited for; or the version, which nobody looks at (RFC 8446 5.1).
                io::ErrorKind::UnexpectedEof => assert!((1..5).contains(&at), "byte {at}"),
                other => panic!("byte {at}: {other}"),
            }
            at += 1;
        }
        assert!(at > 20);
    }
}

/// The same stream over another wire.
fn swap(mut stream: TlsStream<DuplexStream>, wire: DuplexStream) -> TlsStream<DuplexStream> {
    *stream.stream_mut() = wire;
    stream
}

#[tokio::test]
async fn a_handshake_that_is_dropped_between_polls_goes_on_where_it_stopped() {
    let (near, far) = duplex(64 * 1024);
    let mut near = TlsStream::connect(Trickle::new(near, 3), client(VERSIONS[0]), name());
    let mut far = Box::pin(TlsAcceptor::from(server()).accept(far));
    let mut polls = 0;
    let mut accepted = None;
    let near = loop {
        // Each future lives for one poll only.
        if let Some(result) = now(&mut near) {
            break result.unwrap();
        }
        if accepted.is_none() {
            accepted = now(&mut far);
        }
        polls += 1;
    };
    assert!(polls > 100, "{polls}");
    let mut near = near;
    let mut far = match accepted {
        Some(far) => far.unwrap(),
        None => far.await.unwrap(),
    };
    talk(&mut near, &mut far, 1000).await;
}

#[tokio::test]
async fn a_write_that_the_stream_does_not_take_waits_without_growing() {
    let (mut near, far) = pair(VERSIONS[0]).await;
    let data = pattern(1_000_000);
    let mut taken = 0;
    // Nobody reads: 1 MiB of wire and the queue fill up.
    while let Some(count) = now(near.write(&data)) {
        taken += count.unwrap();
        assert!(taken < 1_500_000);
    }
    assert!(taken >= 1024 * 1024);
    drop(far);
    let error = poll_fn(|cx| Pin::new(&mut near).poll_flush(cx))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

/// A stream whose writes fail as they are told to, and which counts the bytes it was given since.
struct Faulty {
    inner: DuplexStream,
    /// The next write gives this; none of them fails if there is none.
    next: Option<io::Result<usize>>,
    /// The same for the next flush.
    next_flush: Option<io::Result<()>>,
    taken: usize,
}

impl AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(result) = self.next.take() {
            self.taken = 0;
            return Poll::Ready(result);
        }
        self.taken += buf.len();
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(result) = self.next_flush.take() {
            self.taken = 0;
            return Poll::Ready(result);
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// TLS over one of those, shaken hands.
async fn faulty() -> (TlsStream<Faulty>, tokio_rustls::server::TlsStream<DuplexStream>) {
    let (inner, far) = duplex(1024 * 1024);
    let near = Faulty {
        inner,
        next: None,
        next_flush: None,
        taken: 0,
    };
    let near = TlsStream::connect(near, client(VERSIONS[0]), name());
    let (near, far) = tokio::join!(near, TlsAcceptor::from(server()).accept(far));
    (near.unwrap(), far.unwrap())
}

#[tokio::test]
async fn nothing_is_sent_behind_a_write_that_failed_and_a_stream_that_takes_nothing_is_no_hang() {
    type Fault = fn(&mut Faulty);
    let faults: [(Fault, io::ErrorKind); 3] = [
        (
            |stream| stream.next = Some(Err(io::ErrorKind::ConnectionReset.into())),
            io::ErrorKind::ConnectionReset,
        ),
        (|stream| stream.next = Some(Ok(0)), io::ErrorKind::WriteZero),
        (
            |stream| stream.next_flush = Some(Err(io::ErrorKind::TimedOut.into())),
            io::ErrorKind::TimedOut,
        ),
    ];
    for (fault, kind) in faults {
        let (mut near, mut far) = faulty().await;
        far.write_all(b"last words").await.unwrap();
        far.flush().await.unwrap();
        fault(near.stream_mut());
        // The write, or the flush behind it; and then both, although the stream would take bytes again.
        let failed = now(async {
            near.write_all(&pattern(100_000)).await?;
            near.flush().await
        });
        assert_eq!(failed.unwrap().unwrap_err().kind(), kind);
        for _ in 0..2 {
            assert_eq!(now(near.write(b"more")).unwrap().unwrap_err().kind(), kind);
            assert_eq!(now(near.flush()).unwrap().unwrap_err().kind(), kind);
        }
        assert_eq!(near.stream().taken, 0, "{kind:?}");
        // What the peer has said can still be read, and then it is an error and not a wait.
        let mut heard = [0; 10];
        now(near.read_exact(&mut heard)).unwrap().unwrap();
        assert_eq!(&heard, b"last words");
        assert_eq!(now(near.read(&mut heard)).unwrap().unwrap_err().kind(), kind);
    }
}
