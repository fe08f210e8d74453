//! TLS over a tokio stream.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ironrdp_async::{StreamWrapper as _, Tls, TlsSide};
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, CommonState, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::TokioStream;

/// TLS over a tokio stream, without a buffer of its own while nothing is on its way; the client's end unless `C` is the server's.
///
/// [`connect`](Self::connect) and [`accept`](Self::accept) make one.
pub struct TlsStream<T, C = UnbufferedClientConnection>(Tls<TokioStream<T>, C>);

/// The server's end of TLS over a tokio stream.
pub type TlsServerStream<T> = TlsStream<T, UnbufferedServerConnection>;

/// A TLS handshake under way; becomes a [`TlsStream`].
pub type TlsHandshake<T, C = UnbufferedClientConnection> =
    ironrdp_async::TlsHandshake<TlsStream<T, C>, TokioStream<T>, C>;

impl<T> TlsStream<T> {
    /// Shakes hands as a client with the server that is called `name`.
    pub fn connect(stream: T, config: Arc<ClientConfig>, name: ServerName<'static>) -> TlsHandshake<T> {
        TlsHandshake::connect(TokioStream::from_inner(stream), config, name)
    }
}

impl<T> TlsServerStream<T> {
    /// Shakes hands as a server.
    pub fn accept(stream: T, config: Arc<ServerConfig>) -> TlsHandshake<T, UnbufferedServerConnection> {
        TlsHandshake::accept(TokioStream::from_inner(stream), config)
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

impl<T, C> From<Tls<TokioStream<T>, C>> for TlsStream<T, C> {
    fn from(tls: Tls<TokioStream<T>, C>) -> Self {
        Self(tls)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin, C: TlsSide + Unpin> AsyncRead for TlsStream<T, C> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let deliver = |bytes: &[u8]| {
            let bytes = bytes.get(..buf.remaining()).unwrap_or(bytes);
            buf.put_slice(bytes);
            bytes.len()
        };
        self.get_mut().0.poll_read(cx, deliver).map_ok(|_| ())
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin, C: TlsSide + Unpin> AsyncWrite for TlsStream<T, C> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().0.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().0.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.0.poll_close(cx))?;
        Pin::new(this.stream_mut()).poll_shutdown(cx)
    }
}
