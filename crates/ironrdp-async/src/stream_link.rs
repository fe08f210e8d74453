//! How the async runtimes open a stream and wrap it in TLS.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ironrdp_tls::{PeerCertificate, TlsClient, TlsError, TlsResult};
use rustls::client::UnbufferedClientConnection;

use crate::{ByteStream, FramedRead, FramedWrite, Link, ServerAddr, StreamWrapper, Tls, TlsHandshake};

/// The stream that an [`Upgrade`] starts as.
type Plain<U> = <<U as Upgrade>::Below as StreamWrapper>::InnerStream;

/// TLS over it.
type Encrypted<U> = Tls<<U as Upgrade>::Below, UnbufferedClientConnection>;

/// A stream that is plain until the upgrade and TLS after it: the `Transport` of a runtime's crate.
pub trait Upgrade: Sized {
    /// The adapter around the plain stream, on which the ciphertext travels after the upgrade.
    type Below: ByteStream + StreamWrapper + Unpin;

    /// Before the upgrade.
    fn plain(stream: Plain<Self>) -> Self;

    /// The plain stream back; none after the upgrade.
    fn into_plain(self) -> Option<Plain<Self>>;

    /// After the upgrade.
    fn encrypted(tls: Encrypted<Self>) -> Self;

    /// The server's certificate; none before the upgrade.
    fn certificate(&self) -> Option<TlsResult<PeerCertificate<'_>>>;
}

/// The [`Link`] of every runtime whose stream has an adapter `S`: what is left to the runtime is to dial.
pub struct StreamLink<S: StreamWrapper<InnerStream: Upgrade>>(Step<S::InnerStream>);

enum Step<U: Upgrade> {
    Dialing(Pin<Box<dyn Future<Output = io::Result<Plain<U>>> + Send>>),
    Handshake(Box<TlsHandshake<Encrypted<U>, U::Below, UnbufferedClientConnection>>),
    Idle,
}

impl<S: StreamWrapper<InnerStream: Upgrade>> StreamLink<S> {
    /// A link whose stream `dial` opens.
    pub fn dialing(dial: impl Future<Output = io::Result<Plain<S::InnerStream>>> + Send + 'static) -> Self {
        Self(Step::Dialing(Box::pin(dial)))
    }

    /// A link over a stream that is open already.
    pub const fn open() -> Self {
        Self(Step::Idle)
    }
}

impl<S> Link for StreamLink<S>
where
    S: StreamWrapper<InnerStream: Upgrade> + FramedRead + FramedWrite,
{
    type Stream = S;

    fn poll_dial(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<S::InnerStream>> {
        let Step::Dialing(dialing) = &mut self.0 else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let stream = ready!(dialing.as_mut().poll(cx))?;
        self.0 = Step::Idle;
        Poll::Ready(Ok(S::InnerStream::plain(stream)))
    }

    fn begin_tls(&mut self, stream: S::InnerStream, tls: &TlsClient, server: &ServerAddr) -> TlsResult<()> {
        let stream = stream
            .into_plain()
            .ok_or_else(|| TlsError::from_io(io::ErrorKind::InvalidInput.into()))?;
        let config = tls.for_host(server.host(), server.port())?;
        let name = TlsClient::server_name(server.host())?;
        let handshake = TlsHandshake::connect(StreamWrapper::from_inner(stream), config, name);
        // The connection sequence writes or flushes next.
        self.0 = Step::Handshake(Box::new(handshake.finish_with_first_write()));
        Ok(())
    }

    fn poll_tls(&mut self, cx: &mut Context<'_>) -> Poll<TlsResult<S::InnerStream>> {
        let Step::Handshake(handshake) = &mut self.0 else {
            return Poll::Ready(Err(TlsError::from_io(io::ErrorKind::NotConnected.into())));
        };
        let tls = ready!(Pin::new(handshake).poll(cx)).map_err(TlsError::from_io)?;
        self.0 = Step::Idle;
        Poll::Ready(Ok(S::InnerStream::encrypted(tls)))
    }

    fn certificate(stream: &S::InnerStream) -> Option<TlsResult<PeerCertificate<'_>>> {
        stream.certificate()
    }
}

impl<S: StreamWrapper<InnerStream: Upgrade>> fmt::Debug for StreamLink<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Step::Dialing(_) => "StreamLink::Dialing",
            Step::Handshake(_) => "StreamLink::Handshake",
            Step::Idle => "StreamLink::Idle",
        })
    }
}
