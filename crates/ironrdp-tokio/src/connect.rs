//! TCP, TLS and the connection sequence in one call, with a deadline for every phase.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ironrdp_async::{Connecting, Link, Observer, PhaseTimings};
use ironrdp_connector::Phase;
use ironrdp_graphics::Framebuffer;
use ironrdp_session::SessionError;
use ironrdp_tls::{PeerCertificate, TlsClient, TlsError, TlsResult};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::dial::dial;
use crate::{
    ConnectConfig, ConnectError, ConnectErrorKind, ConnectResult, KdcClient, ServerAddr, Session,
    TlsHandshake, TlsStream, ToServerAddr, TokioStream, TokioTimer, Transport,
};

/// Connects to an RDP server and starts the session, drawing into a [`Framebuffer`]: TCP, TLS, the whole connection sequence.
///
/// `addr` is `host`, `host:port` or a [`ServerAddr`]; the port is 3389 unless given. `config` is a
/// [`Config`](ironrdp_connector::Config), for which the platform's roots must vouch for the server's certificate, or a
/// [`ConnectConfig`] with another certificate policy. Each phase has a deadline, and so has the whole. For another pixel store, or a
/// stream that is open already, use [`Connect`].
///
/// # Cancel safety
///
/// Dropping the future closes the connection. To go on after a drop use [`Connect`].
///
/// # Panics
///
/// Outside of a tokio runtime with I/O and time enabled.
pub async fn connect(
    addr: impl ToServerAddr,
    config: impl Into<ConnectConfig>,
) -> ConnectResult<Session<Framebuffer>> {
    let server = addr
        .to_server_addr()
        .map_err(|error| ConnectError::new(None, Phase::Dial, ConnectErrorKind::Address(error)))?;
    let config = config.into();
    // Boxed, so that the caller's task does not carry the states of the connection for as long as the session lives.
    let connected = Box::pin(async { Connect::new(server.clone(), config).run().await }).await?;
    let size = connected.result.desktop_size();
    Framebuffer::new(size.width(), size.height())
        .map_err(SessionError::from)
        .and_then(|pixels| connected.into_session(pixels))
        .map_err(|error| ConnectError::new(Some(server), Phase::Activate, ConnectErrorKind::Session(error)))
}

/// A connection that is being made: all of its progress, and none in a future.
///
/// [`run`](Self::run) may be dropped at any time, inside the TLS handshake too, and called again. [`connect`](crate::connect()) is a
/// thin wrapper for those who do not need that.
#[derive(Debug)]
pub struct Connect<T = TcpStream>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    inner: Connecting<TokioLink<T>, KdcClient, TokioTimer>,
}

/// A connection whose sequence is at its end: the stream, what was agreed upon, and how long it took.
pub type Connected<T = TcpStream> = ironrdp_async::Connected<TokioStream<Transport<T>>, TokioTimer>;

impl Connect {
    /// A connection to `server` over TCP.
    pub fn new(server: ServerAddr, config: impl Into<ConnectConfig>) -> Self {
        let config = config.into();
        let link = TokioLink::Dialing(Box::pin(dial(server.clone(), *config.client().liveness())));
        let network = config.kdc_client().with_limits(*config.client().limits());
        Self {
            inner: Connecting::dial(link, server, config, network),
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connect<T> {
    /// A connection over a stream that is open already: a proxy's, a pipe, a socket with options of its own.
    /// `server` names the server for TLS and authentication.
    pub fn over(stream: T, server: ServerAddr, config: impl Into<ConnectConfig>) -> Self {
        let config = config.into();
        let network = config.kdc_client().with_limits(*config.client().limits());
        Self {
            inner: Connecting::over(TokioLink::Idle, Transport::Plain(stream), server, config, network),
        }
    }

    /// The phase that the connection is in.
    pub fn phase(&self) -> Phase {
        self.inner.phase()
    }

    /// How long each phase has taken so far.
    pub fn timings(&self) -> PhaseTimings {
        self.inner.timings()
    }

    /// Connects, or goes on connecting. Deadlines count from the first call.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: call it again and it goes on where it stopped. After an error every call gives that error.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and time enabled.
    pub async fn run(&mut self) -> ConnectResult<Connected<T>> {
        self.inner.run().await
    }

    /// [`run`](Self::run), with `observer` to hear how long the phases take and how they end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: call it again and it goes on where it stopped.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    pub async fn run_observed<O: Observer>(&mut self, observer: &mut O) -> ConnectResult<Connected<T>> {
        self.inner.run_observed(observer).await
    }
}

/// How tokio opens a stream.
enum TokioLink<T> {
    Dialing(Pin<Box<dyn Future<Output = io::Result<T>> + Send>>),
    Handshake(Box<TlsHandshake<T>>),
    Idle,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Link for TokioLink<T> {
    type Stream = TokioStream<Transport<T>>;

    fn poll_dial(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Transport<T>>> {
        let Self::Dialing(dialing) = self else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let stream = ready!(dialing.as_mut().poll(cx))?;
        *self = Self::Idle;
        Poll::Ready(Ok(Transport::Plain(stream)))
    }

    fn begin_tls(&mut self, stream: Transport<T>, tls: &TlsClient, server: &ServerAddr) -> TlsResult<()> {
        let Transport::Plain(stream) = stream else {
            return Err(TlsError::from_io(io::ErrorKind::InvalidInput.into()));
        };
        let config = tls.for_host(server.host(), server.port())?;
        let name = TlsClient::server_name(server.host())?;
        let handshake = TlsStream::connect(stream, config, name);
        // The connection sequence writes or flushes next.
        *self = Self::Handshake(Box::new(handshake.finish_with_first_write()));
        Ok(())
    }

    fn poll_tls(&mut self, cx: &mut Context<'_>) -> Poll<TlsResult<(Transport<T>, Vec<u8>)>> {
        let Self::Handshake(handshake) = self else {
            return Poll::Ready(Err(TlsError::from_io(io::ErrorKind::NotConnected.into())));
        };
        let stream = ready!(Pin::new(handshake).poll(cx)).map_err(TlsError::from_io)?;
        let certificate = PeerCertificate::from_connection(stream.connection())?;
        tracing::debug!(certificate = %certificate.sha256(), "the server's certificate is accepted");
        let public_key = certificate.subject_public_key().to_vec();
        *self = Self::Idle;
        Poll::Ready(Ok((Transport::Tls(Box::new(stream)), public_key)))
    }
}
