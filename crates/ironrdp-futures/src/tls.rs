//! TLS over a stream of futures-rs.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use futures_io::{AsyncRead, AsyncWrite};
use ironrdp_async::{ByteStream, StreamWrapper as _, Tls, TlsSide, poll_read_slice};
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, CommonState, ServerConfig};

use crate::FuturesStream;

/// TLS over a stream of futures-rs, without a buffer of its own while nothing is on its way; the client's end unless `C` is the server's.
///
/// [`connect`](Self::connect) and [`accept`](Self::accept) make one.
pub struct TlsStream<T, C = UnbufferedClientConnection>(Tls<FuturesStream<T>, C>);

/// The server's end of TLS over a stream of futures-rs.
pub type TlsServerStream<T> = TlsStream<T, UnbufferedServerConnection>;

/// A TLS handshake under way; becomes a [`TlsStream`].
pub type TlsHandshake<T, C = UnbufferedClientConnection> =
    ironrdp_async::TlsHandshake<TlsStream<T, C>, FuturesStream<T>, C>;

impl<T> TlsStream<T> {
    /// Shakes hands as a client with the server that is called `name`.
    pub fn connect(stream: T, config: Arc<ClientConfig>, name: ServerName<'static>) -> TlsHandshake<T> {
        TlsHandshake::connect(FuturesStream::from_inner(stream), config, name)
    }
}

impl<T> TlsServerStream<T> {
    /// Shakes hands as a server.
    pub fn accept(stream: T, config: Arc<ServerConfig>) -> TlsHandshake<T, UnbufferedServerConnection> {
        TlsHandshake::accept(FuturesStream::from_inner(stream), config)
    }
}

impl<T, C: TlsSide> TlsStream<T, C> {
    /// The stream that the ciphertext travels on.
    pub fn stream(&self) -> &T {
        self.0.stream().get_inner()
    }

    /// The stream that the ciphertext travels on, to change its settings. Bytes read or written behind TLS's back break it.
    pub fn stream_mut(&mut self) -> &mut T {
        self.0.stream_mut().get_inner_mut()
    }

    /// What TLS has agreed upon: version, cipher suite, certificates.
    pub fn connection(&self) -> &CommonState {
        self.0.connection()
    }
}

impl<T: fmt::Debug, C> fmt::Debug for TlsStream<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsStream").field(&self.0).finish()
    }
}

impl<T, C> From<Tls<FuturesStream<T>, C>> for TlsStream<T, C> {
    fn from(tls: Tls<FuturesStream<T>, C>) -> Self {
        Self(tls)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> ByteStream for FuturesStream<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        poll_read_slice(buf, |slice| Pin::new(self.get_inner_mut()).poll_read(cx, slice))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin, C: TlsSide + Unpin> AsyncRead for TlsStream<T, C> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut filled = 0;
        let deliver = |bytes: &[u8]| {
            let count = bytes.len().min(buf.len() - filled);
            if let (Some(to), Some(from)) = (buf.get_mut(filled..filled + count), bytes.get(..count)) {
                to.copy_from_slice(from);
            }
            filled += count;
            count
        };
        self.get_mut().0.poll_read(cx, deliver)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin, C: TlsSide + Unpin> AsyncWrite for TlsStream<T, C> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().0.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().0.poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.0.poll_close(cx))?;
        Pin::new(this.stream_mut()).poll_close(cx)
    }
}
