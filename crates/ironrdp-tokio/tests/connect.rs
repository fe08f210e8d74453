//! Connecting to servers that misbehave in every phase, and being dropped on the way.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ironrdp_connector::{Config, ConnectorErrorKind, Credentials, Deadlines, Phase, Refusal};
use ironrdp_tls::{CertificatePolicy, Fingerprint, TlsClient, TlsServer};
use ironrdp_tokio::{Connect, ConnectConfig, ConnectError, ConnectErrorKind, ServerAddr, TokioFramed};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// TPKT and X.224 Connection Confirm with a Negotiation Response that selects TLS (MS-RDPBCGR 2.2.1.2.1).
const SELECT_TLS: &[u8] = &[3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 1, 0, 0, 0];

/// The same with a Negotiation Failure: SSL_NOT_ALLOWED_BY_SERVER (2.2.1.2.2).
const REFUSE_TLS: &[u8] = &[3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 3, 0, 8, 0, 2, 0, 0, 0];

const CERTIFICATE: &[u8] = include_bytes!("data/self-signed.pem");
const KEY: &[u8] = include_bytes!("data/ec.key.pem");

fn server() -> ServerAddr {
    ServerAddr::new("localhost", 3389)
}

fn config(deadlines: Deadlines) -> ConnectConfig {
    let client = Config::new(Credentials::new("rdptest", "secret")).with_deadlines(deadlines);
    ConnectConfig::new(client).with_tls(TlsClient::new(CertificatePolicy::dangerously_accept_any()).unwrap())
}

/// A connection that meets `peer`, and its error.
async fn meet<F>(config: ConnectConfig, peer: impl FnOnce(DuplexStream) -> F) -> ConnectError
where
    F: Future<Output = ()> + Send + 'static,
{
    let (left, right) = tokio::io::duplex(64 * 1024);
    let peer = tokio::spawn(peer(right));
    let error = Connect::over(left, server(), config).run().await.unwrap_err();
    peer.abort();
    assert_eq!(error.server(), Some(&server()));
    error
}

/// Reads one TPKT packet.
async fn read_tpkt(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut packet = vec![0; 4];
    stream.read_exact(&mut packet).await?;
    let size = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    packet.resize(size, 0);
    stream.read_exact(&mut packet[4..]).await?;
    Ok(packet)
}

async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), with: &[u8]) -> std::io::Result<Vec<u8>> {
    let request = read_tpkt(stream).await?;
    stream.write_all(with).await?;
    Ok(request)
}

#[tokio::test]
async fn a_closed_port_is_refused_while_dialing() {
    let addr = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let mut connect = Connect::new(addr.into(), config(Deadlines::default()));
    for _ in 0..2 {
        let error = connect.run().await.unwrap_err();
        assert!(
            matches!(error.kind(), ConnectErrorKind::Io(io) if io.kind() == ErrorKind::ConnectionRefused)
        );
        assert_eq!(error.phase(), Phase::Dial);
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_rdp_is_malformed_or_unexpected() {
    for text in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"SSH-2.0-x\r\n",
        b"220 mail ESMTP\r\n",
        &[3, 0, 0, 1],
    ] {
        let error = meet(
            config(Deadlines::default()),
            async move |mut stream: DuplexStream| {
                let _ = stream.write_all(text).await;
                std::future::pending::<()>().await;
            },
        )
        .await;
        let ConnectErrorKind::Sequence(sequence) = error.kind() else {
            panic!("{error:?}")
        };
        assert!(
            matches!(
                sequence.kind(),
                ConnectorErrorKind::Malformed | ConnectorErrorKind::Unexpected
            ),
            "{sequence:?}"
        );
        assert_eq!(error.phase(), Phase::Negotiate);
    }
}

#[tokio::test]
async fn a_refusal_says_why() {
    let error = meet(config(Deadlines::default()), async |mut stream| {
        let _ = answer(&mut stream, REFUSE_TLS).await;
        std::future::pending::<()>().await;
    })
    .await;
    let ConnectErrorKind::Sequence(sequence) = error.kind() else {
        panic!("{error:?}")
    };
    assert!(matches!(
        sequence.kind(),
        ConnectorErrorKind::Refused(Refusal::Negotiation(_))
    ));
}

#[tokio::test]
async fn bytes_injected_before_the_handshake_end_the_connection() {
    let error = meet(config(Deadlines::default()), async |mut stream| {
        let _ = answer(&mut stream, &[SELECT_TLS, b"x"].concat()).await;
        std::future::pending::<()>().await;
    })
    .await;
    let ConnectErrorKind::Sequence(sequence) = error.kind() else {
        panic!("{error:?}")
    };
    assert_eq!(sequence.kind(), &ConnectorErrorKind::Unexpected);
}

#[tokio::test]
async fn a_server_that_hangs_up_is_an_io_error_with_the_phase() {
    let error = meet(config(Deadlines::default()), async |mut stream| {
        let _ = read_tpkt(&mut stream).await;
    })
    .await;
    assert!(matches!(error.kind(), ConnectErrorKind::Io(io) if io.kind() == ErrorKind::UnexpectedEof));
    assert_eq!(error.phase(), Phase::Negotiate);
    assert_eq!(
        error.to_string(),
        "localhost:3389: negotiate: reading from the peer"
    );

    let error = meet(config(Deadlines::default()), async |mut stream| {
        let _ = answer(&mut stream, SELECT_TLS).await;
    })
    .await;
    assert!(matches!(error.kind(), ConnectErrorKind::Io(_)), "{error:?}");
    assert_eq!(error.phase(), Phase::Tls);
}

#[tokio::test]
async fn a_certificate_that_the_policy_does_not_accept_comes_with_its_fingerprints() {
    let pin = CertificatePolicy::pin(Fingerprint::new([7; 32]));
    let config = config(Deadlines::default()).with_certificate_policy(pin).unwrap();
    let error = meet(config, async |mut stream| {
        let _ = answer(&mut stream, SELECT_TLS).await;
        let tls = TlsServer::from_pem(CERTIFICATE, KEY).unwrap();
        let _ = TlsAcceptor::from(tls.server_config()).accept(stream).await;
    })
    .await;
    let server = TlsServer::from_pem(CERTIFICATE, KEY).unwrap();
    assert_eq!(
        error.rejection().unwrap().sha256(),
        Some(Fingerprint::of(server.certificate()))
    );
    assert_eq!(error.phase(), Phase::Tls);
}

#[tokio::test]
async fn a_name_that_tls_cannot_check_is_an_error_and_not_a_panic() {
    let (left, mut right) = tokio::io::duplex(1_024);
    let peer = tokio::spawn(async move { answer(&mut right, SELECT_TLS).await });
    let mut connect = Connect::over(
        left,
        ServerAddr::new("not a name", 1),
        config(Deadlines::default()),
    );
    let error = connect.run().await.unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Tls(_)), "{error:?}");
    peer.await.unwrap().unwrap();
}

/// What the server sees of a client that is polled by `patience`: the request, and the first PDU inside TLS.
async fn seen_by_the_server<F>(patience: impl FnOnce(Connect<DuplexStream>) -> F) -> (Vec<u8>, Vec<u8>)
where
    F: Future<Output = ConnectError> + Send + 'static,
{
    // So narrow that no write and no record passes in one go.
    let (left, mut right) = tokio::io::duplex(17);
    let client = tokio::spawn(patience(Connect::over(
        left,
        server(),
        config(Deadlines::default()),
    )));
    let request = answer(&mut right, SELECT_TLS).await.unwrap();
    let tls = TlsServer::from_pem(CERTIFICATE, KEY).unwrap();
    let stream = TlsAcceptor::from(tls.server_config())
        .accept(right)
        .await
        .unwrap();
    let mut framed = TokioFramed::new(stream);
    let (_, initial) = framed.read_pdu().await.unwrap();
    framed.into_inner_no_leftover().shutdown().await.unwrap();
    let error = client.await.unwrap();
    assert_eq!(error.phase(), Phase::Activate);
    assert!(matches!(error.kind(), ConnectErrorKind::Io(io) if io.kind() == ErrorKind::UnexpectedEof));
    (request, initial.to_vec())
}

#[tokio::test]
async fn a_connection_dropped_after_every_poll_goes_on_even_inside_the_handshake() {
    let undisturbed = seen_by_the_server(async |mut connect| connect.run().await.unwrap_err()).await;
    let dropped = seen_by_the_server(async |mut connect| {
        let mut drops = 0;
        let error = loop {
            tokio::select! {
                biased;
                result = connect.run() => break result.unwrap_err(),
                () = std::future::ready(()) => drops += 1,
            }
            tokio::task::yield_now().await;
        };
        assert!(drops > 50, "{drops}");
        let timings = connect.timings();
        assert!(
            timings.tls > Duration::ZERO && timings.dial.is_zero(),
            "{timings:?}"
        );
        error
    })
    .await;
    assert_eq!(undisturbed, dropped);
    assert_eq!(undisturbed.1[..2], [3, 0]);
}

#[test]
fn a_connection_can_be_spawned() {
    fn spawnable<T: Send + 'static>(_: T) {}
    spawnable(async {
        let mut connect = Connect::new(server(), Config::new(Credentials::new("a", "b")));
        connect.run().await.map(drop)
    });
}

/// A pipe that is large itself.
struct Big {
    pipe: DuplexStream,
    _ballast: [u8; BIG],
}
const BIG: usize = 16 * 1024;

impl AsyncRead for Big {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncWrite for Big {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

#[test]
fn a_task_stores_its_stream_once_and_the_states_of_the_connection_not_at_all() {
    let mut connect = Connect::over(
        Big {
            pipe: tokio::io::duplex(1).0,
            _ballast: [0; BIG],
        },
        server(),
        config(Deadlines::default()),
    );
    let stored = size_of_val(&connect);
    assert!((BIG..BIG + 2_048).contains(&stored), "{stored}");
    let running = size_of_val(&connect.run());
    assert!(running < BIG, "{running}");
    // What waits while the session lives is what comes out of it: nothing of this is the connection's.
    let one_call = size_of_val(&ironrdp_tokio::connect(
        "desk.example",
        config(Deadlines::default()),
    ));
    assert!(one_call < 1_024, "{one_call}");
}
