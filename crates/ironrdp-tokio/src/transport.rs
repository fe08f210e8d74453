//! The stream of a session: plain until the upgrade, TLS after it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use ironrdp_async::{Tls, Upgrade};
use ironrdp_tls::{PeerCertificate, TlsResult};
use rustls::client::UnbufferedClientConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{TlsStream, TokioStream};

/// A plain stream, or TLS over one: the client's end of it unless `U` is the server's.
///
/// TLS is boxed: its 1 KiB of state would otherwise be stored once more in every state of the futures that move it.
#[derive(Debug)]
pub enum Transport<T, U = TlsStream<T>> {
    /// Readable by everyone on the way.
    Plain(T),
    /// Encrypted.
    Tls(Box<U>),
}

impl<T> Transport<T> {
    /// Whether the stream is encrypted.
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// The stream that the bytes travel on, to look at its addresses or set its options.
    pub fn stream(&self) -> &T {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(tls) => tls.stream(),
        }
    }

    /// The TLS session: version, cipher suite, certificates.
    pub fn tls(&self) -> Option<&rustls::CommonState> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => Some(tls.connection()),
        }
    }

    /// The server's certificate, read in place; none over a plain stream.
    pub fn peer_certificate(&self) -> Option<TlsResult<PeerCertificate<'_>>> {
        self.tls().map(PeerCertificate::from_connection)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Upgrade for Transport<T> {
    type Below = TokioStream<T>;

    fn plain(stream: T) -> Self {
        Self::Plain(stream)
    }

    fn into_plain(self) -> Option<T> {
        match self {
            Self::Plain(stream) => Some(stream),
            Self::Tls(_) => None,
        }
    }

    fn encrypted(tls: Tls<TokioStream<T>, UnbufferedClientConnection>) -> Self {
        Self::Tls(Box::new(tls.into()))
    }

    fn certificate(&self) -> Option<TlsResult<PeerCertificate<'_>>> {
        self.peer_certificate()
    }
}

macro_rules! delegate {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Self::Plain(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Self::Tls(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
        }
    };
}

impl<T: AsyncRead + Unpin, U: AsyncRead + Unpin> AsyncRead for Transport<T, U> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_read(cx, buf))
    }
}

impl<T: AsyncWrite + Unpin, U: AsyncWrite + Unpin> AsyncWrite for Transport<T, U> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, stream => stream.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_shutdown(cx))
    }
}
