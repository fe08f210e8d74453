//! A stream with TLS on top, and the handshake that makes one; the stream types of runtimes are wrapped around them.

use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, CommonState, ServerConfig};

use super::{ByteStream, TlsLayer, TlsSide};

/// TLS and the stream below it.
pub struct Tls<S, C> {
    stream: S,
    layer: TlsLayer<C>,
}

impl<S, C: TlsSide> Tls<S, C> {
    /// The stream that the ciphertext travels on.
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    /// The stream that the ciphertext travels on, to change its settings. Bytes read or written behind TLS's back break it.
    pub const fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// What TLS has agreed upon: version, cipher suite, certificates.
    pub fn connection(&self) -> &CommonState {
        self.layer.connection()
    }
}

impl<S: ByteStream, C: TlsSide> Tls<S, C> {
    /// See [`TlsLayer::poll_read`].
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        deliver: impl FnMut(&[u8]) -> usize,
    ) -> Poll<io::Result<usize>> {
        self.layer.poll_read(cx, &mut self.stream, deliver)
    }

    /// See [`TlsLayer::poll_write`].
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.layer.poll_write(cx, &mut self.stream, bytes)
    }

    /// See [`TlsLayer::poll_flush`].
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.layer.poll_flush(cx, &mut self.stream)
    }

    /// See [`TlsLayer::poll_close`].
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.layer.poll_close(cx, &mut self.stream)
    }
}

impl<S: fmt::Debug, C> fmt::Debug for Tls<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("stream", &self.stream)
            .field("layer", &self.layer)
            .finish()
    }
}

/// A TLS handshake under way over `S`; becomes `W`, the stream type of a runtime.
///
/// # Cancel safety
///
/// All progress is in the value and none is lost while it is kept: poll it by `&mut`.
#[must_use = "futures do nothing unless polled"]
pub struct TlsHandshake<W, S, C> {
    /// None once it was handed out.
    tls: Option<Tls<S, C>>,
    /// Whether the last message may wait for what follows.
    may_wait: bool,
    /// What made it impossible from the start.
    error: Option<io::Error>,
    wrapped: PhantomData<fn() -> W>,
}

impl<W, S> TlsHandshake<W, S, UnbufferedClientConnection> {
    /// Shakes hands as a client with the server that is called `name`.
    pub fn connect(stream: S, config: Arc<ClientConfig>, name: ServerName<'static>) -> Self {
        Self::new(stream, UnbufferedClientConnection::new(config, name))
    }
}

impl<W, S> TlsHandshake<W, S, UnbufferedServerConnection> {
    /// Shakes hands as a server.
    pub fn accept(stream: S, config: Arc<ServerConfig>) -> Self {
        Self::new(stream, UnbufferedServerConnection::new(config))
    }
}

impl<W, S, C: TlsSide> TlsHandshake<W, S, C> {
    fn new(stream: S, side: Result<C, rustls::Error>) -> Self {
        let (tls, error) = match side {
            Ok(side) => {
                let layer = TlsLayer::new(side);
                (Some(Tls { stream, layer }), None)
            }
            Err(error) => (None, Some(io::Error::new(io::ErrorKind::InvalidInput, error))),
        };
        Self {
            tls,
            may_wait: false,
            error,
            wrapped: PhantomData,
        }
    }

    /// Lets the last message of the handshake leave together with the first data, which saves a packet and a system call. For those who
    /// write, read or flush next: until they do, the peer waits.
    pub fn finish_with_first_write(mut self) -> Self {
        self.may_wait = true;
        self
    }
}

impl<W, S, C> Future for TlsHandshake<W, S, C>
where
    W: From<Tls<S, C>>,
    S: ByteStream + Unpin,
    C: TlsSide + Unpin,
{
    type Output = io::Result<W>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(Tls { stream, layer }) = &mut this.tls {
            let mut result = ready!(layer.poll_handshake(cx, stream));
            if result.is_ok() && !this.may_wait {
                result = ready!(layer.poll_flush(cx, stream));
            }
            if let Err(error) = result {
                this.tls = None;
                return Poll::Ready(Err(error));
            }
        }
        let spent = || io::Error::other("a handshake was polled after its end");
        let tls = this.tls.take().map(W::from);
        Poll::Ready(tls.ok_or_else(|| this.error.take().unwrap_or_else(spent)))
    }
}

impl<W, S: fmt::Debug, C> fmt::Debug for TlsHandshake<W, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsHandshake")
            .field("tls", &self.tls)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}
