//! The TLS stream over a pipe that does everything in crumbs, against an implementation of the other end that is not ours.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

#[allow(dead_code, reason = "each test binary uses its own part")]
mod crumbs;

use crumbs::pipe;
use futures_rustls::{TlsAcceptor, TlsConnector};
use ironrdp_futures::{TlsServerStream, TlsStream};
use ironrdp_tls::{CertificatePolicy, Fingerprint, PeerCertificate, TlsClient, TlsServer};
use smol::future::{block_on, zip};
use smol::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};

const SEEDS: u64 = 20;

fn server() -> TlsServer {
    TlsServer::from_pem(
        include_bytes!("../../ironrdp-tls/tests/data/self-signed.pem"),
        include_bytes!("../../ironrdp-tls/tests/data/ec.key.pem"),
    )
    .unwrap()
}

fn client() -> TlsClient {
    TlsClient::new(CertificatePolicy::pin_certificate(Fingerprint::of(
        server().certificate(),
    )))
    .unwrap()
}

/// Sends much, receives as much at the same time, and sees the other's end.
async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin, seed: u64) {
    let data: Vec<u8> = (0..=250).cycle().take(50_000).collect();
    let (mut reader, mut writer) = split(stream);
    let write = async {
        writer.write_all(&data).await.unwrap();
        writer.close().await.unwrap();
    };
    let mut got = Vec::new();
    let read = async { reader.read_to_end(&mut got).await.unwrap() };
    zip(write, read).await;
    assert!(got == data, "seed {seed}");
}

#[test]
fn both_ends_speak_with_the_other_implementation_in_crumbs() {
    let name = || TlsClient::server_name("localhost").unwrap();
    let config = client().for_host("localhost", 3389).unwrap();
    for seed in 0..SEEDS {
        let (near, far) = pipe(3_000, seed);
        block_on(zip(
            async {
                let near = TlsStream::connect(near, config.clone(), name()).await.unwrap();
                let certificate = PeerCertificate::from_connection(near.connection()).unwrap();
                assert_eq!(certificate.sha256(), Fingerprint::of(server().certificate()));
                talk(near, seed).await;
            },
            async {
                let far = TlsAcceptor::from(server().server_config())
                    .accept(far.with_prompt_flush())
                    .await
                    .unwrap();
                talk(far, seed).await;
            },
        ));
        let (near, far) = pipe(3_000, seed);
        block_on(zip(
            async {
                let near = TlsServerStream::accept(near, server().server_config())
                    .await
                    .unwrap();
                talk(near, seed).await;
            },
            async {
                let far = TlsConnector::from(config.clone())
                    .connect(name(), far.with_prompt_flush())
                    .await
                    .unwrap();
                talk(far, seed).await;
            },
        ));
    }
}
