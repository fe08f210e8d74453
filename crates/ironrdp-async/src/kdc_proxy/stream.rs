//! The request over the streams of the async runtimes, through TLS where the URL says so.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use hyper::rt::ReadBufCursor;
use ironrdp_connector::{NetworkProtocol, NetworkRequest};
use ironrdp_tls::TlsClient;
use rustls::client::UnbufferedClientConnection;

use super::post_to_kdc_proxy;
use crate::{ByteStream, ServerAddr, Tls, TlsHandshake, platform_tls};

/// [`post_to_kdc_proxy`] over a fresh connection to `proxy`: through TLS unless the URL of `request` says `http`, with `tls` to judge
/// the certificate, or the platform's roots.
///
/// # Cancel safety
///
/// As [`post_to_kdc_proxy`].
pub async fn ask_kdc_proxy<S: ByteStream + Unpin>(
    stream: S,
    proxy: &ServerAddr,
    tls: Option<&TlsClient>,
    request: &NetworkRequest,
    max_answer: usize,
) -> io::Result<Vec<u8>> {
    if request.protocol == NetworkProtocol::Http {
        let stream = Plain {
            stream,
            received: BytesMut::new(),
        };
        return post_to_kdc_proxy(stream, request, max_answer).await;
    }
    let tls = match tls {
        Some(tls) => tls.clone(),
        None => platform_tls().map_err(io::Error::other)?,
    };
    let config = tls
        .for_host(proxy.host(), proxy.port())
        .map_err(io::Error::other)?;
    let name = TlsClient::server_name(proxy.host()).map_err(io::Error::other)?;
    let handshake = TlsHandshake::<Tls<S, _>, _, _>::connect(stream, config, name);
    let tls = handshake.finish_with_first_write().await?;
    post_to_kdc_proxy(Encrypted(tls), request, max_answer).await
}

/// A stream as hyper takes it.
struct Plain<S> {
    stream: S,
    /// What was read and not yet passed on.
    received: BytesMut,
}

impl<S: ByteStream + Unpin> hyper::rt::Read for Plain<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        const CHUNK: usize = 4096;
        let Self { stream, received } = self.get_mut();
        if received.is_empty() {
            received.reserve(CHUNK);
            ready!(stream.poll_read(cx, received))?;
        }
        let count = received.len().min(buffer.remaining());
        buffer.put_slice(received.get(..count).unwrap_or_default());
        received.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: ByteStream + Unpin> hyper::rt::Write for Plain<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().stream.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// TLS as hyper takes it.
struct Encrypted<S>(Tls<S, UnbufferedClientConnection>);

impl<S: ByteStream + Unpin> hyper::rt::Read for Encrypted<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let deliver = |bytes: &[u8]| {
            let count = bytes.len().min(buffer.remaining());
            buffer.put_slice(bytes.get(..count).unwrap_or_default());
            count
        };
        self.get_mut().0.poll_read(cx, deliver).map_ok(drop)
    }
}

impl<S: ByteStream + Unpin> hyper::rt::Write for Encrypted<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().0.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().0.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().0.poll_close(cx)
    }
}
