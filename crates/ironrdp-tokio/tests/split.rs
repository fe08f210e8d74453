//! The connection in three calls around the caller's own TLS, over adapters with and without poll methods.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod common;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::BytesMut;
use common::{Host, client, config, size};
use ironrdp_connector::{ClientConnector, Config, ConnectionResult, ConnectorErrorKind, ServerName};
use ironrdp_core::WriteBuf;
use ironrdp_tls::{CertificatePolicy, PeerCertificate, TlsClient};
use ironrdp_tokio::{
    Framed, FramedRead, FramedWrite, NoNetwork, StreamWrapper, TokioFramed, TokioStream, connect_begin,
    connect_finalize, mark_as_upgraded, single_sequence_step,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What somebody writes who has read no more than the traits: boxed futures, and no poll methods.
struct Boxed<S>(S);

impl<S> StreamWrapper for Boxed<S> {
    type InnerStream = S;
    fn from_inner(stream: S) -> Self {
        Self(stream)
    }
    fn into_inner(self) -> S {
        self.0
    }
    fn get_inner(&self) -> &S {
        &self.0
    }
    fn get_inner_mut(&mut self) -> &mut S {
        &mut self.0
    }
}

impl<S: AsyncRead + Unpin> FramedRead for Boxed<S> {
    type ReadFut<'read>
        = Pin<Box<dyn Future<Output = io::Result<usize>> + 'read>>
    where
        Self: 'read;

    fn read<'a>(&'a mut self, buf: &'a mut BytesMut) -> Self::ReadFut<'a> {
        Box::pin(async { self.0.read_buf(buf).await })
    }
}

impl<S: AsyncWrite + Unpin> FramedWrite for Boxed<S> {
    type WriteAllFut<'write>
        = Pin<Box<dyn Future<Output = io::Result<()>> + 'write>>
    where
        Self: 'write;

    fn write_all<'a>(&'a mut self, buf: &'a [u8]) -> Self::WriteAllFut<'a> {
        Box::pin(async {
            self.0.write_all(buf).await?;
            self.0.flush().await
        })
    }
}

/// TLS with any certificate, and the server's key.
async fn upgrade(stream: DuplexStream) -> (TlsStream<DuplexStream>, Vec<u8>) {
    let tls = TlsClient::new(CertificatePolicy::dangerously_accept_any()).unwrap();
    let connector = TlsConnector::from(tls.for_host("localhost", 3389).unwrap());
    let stream = connector
        .connect(TlsClient::server_name("localhost").unwrap(), stream)
        .await
        .unwrap();
    let key = PeerCertificate::from_connection(stream.get_ref().1)
        .unwrap()
        .subject_public_key()
        .to_vec();
    (stream, key)
}

async fn three_calls<P, S>(stream: DuplexStream) -> ConnectionResult
where
    P: StreamWrapper<InnerStream = DuplexStream> + FramedRead + FramedWrite,
    S: StreamWrapper<InnerStream = TlsStream<DuplexStream>> + FramedRead + FramedWrite,
{
    let mut framed = Framed::<P>::new(stream);
    let mut connector = ClientConnector::new(client());
    let should_upgrade = connect_begin(&mut framed, &mut connector).await.unwrap();
    assert!(should_upgrade.is_needed());
    let (stream, key) = upgrade(framed.into_inner_no_leftover()).await;
    let mut framed = Framed::<S>::new(stream);
    let upgraded = mark_as_upgraded(should_upgrade, &mut connector);
    let name = ServerName::from("localhost");
    connect_finalize(upgraded, connector, &mut framed, &mut NoNetwork, name, key, None)
        .await
        .unwrap()
}

#[test]
fn three_calls_can_be_spawned_with_a_network_client_that_is_known() {
    fn spawnable<T: Send + 'static>(_: T) {}
    // That the future of a network client in general is `Send` cannot be asked for; that of each of ours is.
    spawnable(async move {
        let mut connector = ClientConnector::new(Config::new(ironrdp_connector::Credentials::new("a", "b")));
        let mut framed = TokioFramed::new(tokio::net::TcpStream::connect("desk.example:3389").await.unwrap());
        let should_upgrade = connect_begin(&mut framed, &mut connector).await.unwrap();
        let upgraded = mark_as_upgraded(should_upgrade, &mut connector);
        let mut network = ironrdp_tokio::KdcClient::new();
        let name = ServerName::from("desk.example");
        let finalize = connect_finalize(
            upgraded,
            connector,
            &mut framed,
            &mut network,
            name,
            vec![1],
            None,
        );
        drop(finalize.await);
    });
}

#[tokio::test]
async fn three_calls_connect_over_any_adapter() {
    for boxed in [false, true] {
        let (left, right) = tokio::io::duplex(4_096);
        let server = tokio::spawn(async { Host::accept(right).await.accepted });
        let result = if boxed {
            three_calls::<Boxed<_>, Boxed<_>>(left).await
        } else {
            three_calls::<TokioStream<_>, TokioStream<_>>(left).await
        };
        assert_eq!(result.desktop_size(), size(640, 480));
        assert_eq!(
            server.await.unwrap().activated.share_id,
            result.activated.share_id
        );
    }
}

#[tokio::test]
async fn plain_rdp_needs_no_upgrade_and_nothing_stays_behind() {
    let (left, right) = tokio::io::duplex(4_096);
    let server = tokio::spawn(async { Host::accept_plain(right).await.accepted });
    let mut framed = TokioFramed::new(left);
    let mut connector = ClientConnector::new(client().dangerously_require_plain());
    let should_upgrade = connect_begin(&mut framed, &mut connector).await.unwrap();
    assert!(!should_upgrade.is_needed());
    assert!(framed.is_flushed() && framed.peek().is_empty());
    let upgraded = mark_as_upgraded(should_upgrade, &mut connector);
    let name = ServerName::from("localhost");
    connect_finalize(
        upgraded,
        connector,
        &mut framed,
        &mut NoNetwork,
        name,
        Vec::new(),
        None,
    )
    .await
    .unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn marking_another_connector_than_the_one_that_began_is_misuse() {
    let (left, right) = tokio::io::duplex(4_096);
    let _server = tokio::spawn(async { Host::accept(right).await });
    let mut framed = TokioFramed::new(left);
    let client: Arc<Config> = config().client().clone();
    let mut connector = ClientConnector::new(client.clone());
    let should_upgrade = connect_begin(&mut framed, &mut connector).await.unwrap();
    let mut other = ClientConnector::new(client);
    let upgraded = mark_as_upgraded(should_upgrade, &mut other);
    let name = ServerName::from("localhost");
    let error = connect_finalize(
        upgraded,
        other,
        &mut framed,
        &mut NoNetwork,
        name,
        Vec::new(),
        None,
    )
    .await
    .unwrap_err();
    assert_eq!(error.kind(), &ConnectorErrorKind::Misuse);
}

#[tokio::test]
async fn the_negotiation_goes_by_single_steps_too() {
    let (left, right) = tokio::io::duplex(4_096);
    let _server = tokio::spawn(async { Host::accept(right).await });
    let mut framed = TokioFramed::new(left);
    let mut connector = ClientConnector::new(client());
    let mut buf = WriteBuf::new();
    for _ in 0..2 {
        single_sequence_step(&mut framed, &mut connector, &mut buf)
            .await
            .unwrap();
    }
    assert!(connector.should_upgrade());
}
