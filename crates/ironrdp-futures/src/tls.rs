//! TLS over a stream of futures-rs.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use futures_io::{AsyncRead, AsyncWrite};
use ironrdp_async::{ByteStream, TlsLayer, TlsSide, poll_read_slice};
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, CommonState, ServerConfig};

/// TLS over a stream of futures-rs, without a buffer of its own while nothing is on its way; the client's end unless `C` is the server's.
///
/// [`connect`](Self::connect) and [`accept`](Self::accept) make one.
pub struct TlsStream<T, C = UnbufferedClientConnection> {
    stream: T,
    layer: TlsLayer<C>,
}

/// The server's end of TLS over a stream of futures-rs.
pub type TlsServerStream<T> = TlsStream<T, UnbufferedServerConnection>;

/// A TLS handshake under way; becomes the stream.
///
/// # Cancel safety
///
/// All progress is in the value and none is lost while it is kept: poll it by `&mut`.
#[must_use = "futures do nothing unless polled"]
pub struct TlsHandshake<T, C = UnbufferedClientConnection> {
    /// None once it was handed out.
    stream: Option<TlsStream<T, C>>,
    /// Whether the last message may wait for what follows.
    may_wait: bool,
    /// What made it impossible from the start.
    error: Option<io::Error>,
}

impl<T> TlsStream<T> {
    /// Shakes hands as a client with the server that is called `name`.
    pub fn connect(stream: T, config: Arc<ClientConfig>, name: ServerName<'static>) -> TlsHandshake<T> {
        TlsHandshake::new(stream, UnbufferedClientConnection::new(config, name))
    }
}

impl<T> TlsServerStream<T> {
    /// Shakes hands as a server.
    pub fn accept(stream: T, config: Arc<ServerConfig>) -> TlsHandshake<T, UnbufferedServerConnection> {
        TlsHandshake::new(stream, UnbufferedServerConnection::new(config))
    }
}

impl<T, C: TlsSide> TlsStream<T, C> {
    /// The stream that the ciphertext travels on.
    pub const fn stream(&self) -> &T {
        &self.stream
    }

    /// The stream that the ciphertext travels on, to change its settings. Bytes read or written behind TLS's back break it.
    pub const fn stream_mut(&mut self) -> &mut T {
        &mut self.stream
    }

    /// What TLS has agreed upon: version, cipher suite, certificates.
    pub fn connection(&self) -> &CommonState {
        self.layer.connection()
    }
}

impl<T, C: TlsSide> TlsHandshake<T, C> {
    /// Lets the last message of the handshake leave together with the first data, which saves a packet and a system call. For those who
    /// write, read or flush next: until they do, the peer waits.
    pub fn finish_with_first_write(mut self) -> Self {
        self.may_wait = true;
        self
    }

    fn new(stream: T, side: Result<C, rustls::Error>) -> Self {
        match side {
            Ok(side) => Self {
                stream: Some(TlsStream {
                    stream,
                    layer: TlsLayer::new(side),
                }),
                may_wait: false,
                error: None,
            },
            Err(error) => Self {
                stream: None,
                may_wait: false,
                error: Some(io::Error::new(io::ErrorKind::InvalidInput, error)),
            },
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin, C: TlsSide + Unpin> Future for TlsHandshake<T, C> {
    type Output = io::Result<TlsStream<T, C>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(TlsStream { stream, layer }) = &mut this.stream {
            let mut stream = Ciphertext(stream);
            let mut result = ready!(layer.poll_handshake(cx, &mut stream));
            if result.is_ok() && !this.may_wait {
                result = ready!(layer.poll_flush(cx, &mut stream));
            }
            if let Err(error) = result {
                this.stream = None;
                return Poll::Ready(Err(error));
            }
        }
        let spent = || io::Error::other("a handshake was polled after its end");
        let stream = this.stream.take();
        Poll::Ready(stream.ok_or_else(|| this.error.take().unwrap_or_else(spent)))
    }
}

/// The stream below TLS.
struct Ciphertext<'a, T>(&'a mut T);

impl<T: AsyncRead + AsyncWrite + Unpin> ByteStream for Ciphertext<'_, T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        poll_read_slice(buf, |slice| Pin::new(&mut *self.0).poll_read(cx, slice))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, bytes)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin, C: TlsSide + Unpin> AsyncRead for TlsStream<T, C> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let Self { stream, layer } = self.get_mut();
        let mut filled = 0;
        let deliver = |bytes: &[u8]| {
            let count = bytes.len().min(buf.len() - filled);
            if let (Some(to), Some(from)) = (buf.get_mut(filled..filled + count), bytes.get(..count)) {
                to.copy_from_slice(from);
            }
            filled += count;
            count
        };
        layer.poll_read(cx, &mut Ciphertext(stream), deliver)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin, C: TlsSide + Unpin> AsyncWrite for TlsStream<T, C> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, layer } = self.get_mut();
        layer.poll_write(cx, &mut Ciphertext(stream), buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, layer } = self.get_mut();
        layer.poll_flush(cx, &mut Ciphertext(stream))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, layer } = self.get_mut();
        ready!(layer.poll_close(cx, &mut Ciphertext(stream)))?;
        Pin::new(stream).poll_close(cx)
    }
}

impl<T: fmt::Debug, C> fmt::Debug for TlsStream<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("stream", &self.stream)
            .field("layer", &self.layer)
            .finish()
    }
}

impl<T: fmt::Debug, C> fmt::Debug for TlsHandshake<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsHandshake")
            .field("stream", &self.stream)
            .field("error", &self.error)
            .finish()
    }
}
