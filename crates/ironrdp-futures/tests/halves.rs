//! A connection in two tasks and back in one, over TLS and a pipe that does everything in crumbs: nothing is lost on the way.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

#[allow(dead_code, reason = "each test binary uses its own part")]
mod crumbs;

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crumbs::{End, pipe};
use futures_rustls::TlsAcceptor;
use ironrdp_futures::{Framed, FuturesFramed, FuturesStream, TlsStream};
use ironrdp_tls::{CertificatePolicy, TlsClient, TlsServer};
use smol::future::{block_on, yield_now, zip};
use smol::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// One half of a stream; either half can do both.
struct Half(Arc<Mutex<TlsStream<End>>>);

impl AsyncRead for Half {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock().unwrap()).poll_read(cx, buf)
    }
}

impl AsyncWrite for Half {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock().unwrap()).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock().unwrap()).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock().unwrap()).poll_close(cx)
    }
}

fn split(stream: TlsStream<End>) -> (Half, Half) {
    let stream = Arc::new(Mutex::new(stream));
    (Half(Arc::clone(&stream)), Half(stream))
}

fn join(reader: Half, writer: Half) -> TlsStream<End> {
    drop(reader);
    Arc::into_inner(writer.0).unwrap().into_inner().unwrap()
}

/// Polls once and drops the future; whether it was ready.
fn poll_once(future: impl Future) -> bool {
    pin!(future)
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_ready()
}

#[test]
fn bytes_received_unsent_and_held_by_tls_survive_the_split_and_its_end() {
    let server = TlsServer::from_pem(
        include_bytes!("../../ironrdp-tls/tests/data/self-signed.pem"),
        include_bytes!("../../ironrdp-tls/tests/data/ec.key.pem"),
    )
    .unwrap();
    let client = TlsClient::new(CertificatePolicy::dangerously_accept_any()).unwrap();
    for seed in 0..20 {
        let (near, far) = pipe(700, seed);
        let config = client.for_host("localhost", 3389).unwrap();
        let (near, far) = block_on(zip(
            TlsStream::connect(near, config, TlsClient::server_name("localhost").unwrap()),
            TlsAcceptor::from(server.server_config()).accept(far.with_prompt_flush()),
        ));
        let (mut framed, mut far) = (FuturesFramed::new(near.unwrap()), far.unwrap());
        // A frame and a half.
        block_on(async {
            far.write_all(&[0, 4, 1, 1, 0, 6, 2]).await.unwrap();
            far.flush().await.unwrap();
            while framed.peek().len() < 7 {
                framed.exchange().await.unwrap();
            }
            assert_eq!(framed.next_frame().await.unwrap().1, [0, 4, 1, 1], "seed {seed}");
        });
        let message: Vec<u8> = (0..=250).cycle().take(60_000).collect();
        framed.send(&message).unwrap();
        assert!(!poll_once(framed.flush()));

        let (reader, mut writer) = framed.split_with::<FuturesStream<Half>, FuturesStream<Half>>(split);
        assert_eq!(
            (reader.peek(), reader.queued()),
            (&[0, 6, 2][..], 0),
            "seed {seed}"
        );
        let mut got = vec![0; message.len()];
        let (first, second) = got.split_at_mut(1_000);
        let has_read = Cell::new(false);
        let flush = async {
            // Dropped at every await point, until the other end has read its part.
            while !has_read.get() {
                poll_once(writer.flush());
                yield_now().await;
            }
        };
        let read = async {
            far.read_exact(first).await.unwrap();
            has_read.set(true);
        };
        block_on(zip(read, flush));
        assert!(writer.queued() == 0 && !writer.is_flushed(), "seed {seed}");

        let mut framed: FuturesFramed<TlsStream<End>> = Framed::unsplit_with(reader, writer, join);
        let flush = async {
            framed.flush().await.unwrap();
            framed
        };
        let (read, mut framed) = block_on(zip(far.read_exact(second), flush));
        read.unwrap();
        assert!(got == message, "seed {seed}");
        block_on(async {
            far.write_all(&[2, 2, 2]).await.unwrap();
            far.flush().await.unwrap();
            assert_eq!(
                framed.next_frame().await.unwrap().1,
                [0, 6, 2, 2, 2, 2],
                "seed {seed}"
            );
        });
    }
}
