//! TCP, TLS and the connection sequence in one call, with a deadline for every phase.

use ironrdp_async::{Connecting, Observer, PhaseTimings, StreamLink};
use ironrdp_connector::Phase;
use ironrdp_graphics::Framebuffer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::dial::dial;
use crate::{
    ConnectConfig, ConnectResult, KdcClient, ServerAddr, Session, ToServerAddr, TokioStream, TokioTimer,
    Transport,
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
    let mut connect = Connect::new(addr.to_server_addr()?, config);
    // Boxed, so that the caller's task does not carry the states of the connection for as long as the session lives.
    let connected = Box::pin(async move { connect.run().await }).await?;
    connected.into_framebuffer_session()
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
    inner: Connecting<StreamLink<TokioStream<Transport<T>>>, KdcClient, TokioTimer>,
}

/// A connection whose sequence is at its end: the stream, what was agreed upon, and how long it took.
pub type Connected<T = TcpStream> = ironrdp_async::Connected<TokioStream<Transport<T>>, TokioTimer>;

impl Connect {
    /// A connection to `server` over TCP.
    pub fn new(server: ServerAddr, config: impl Into<ConnectConfig>) -> Self {
        let config = config.into();
        let link = StreamLink::dialing(dial(server.clone(), *config.client().liveness()));
        let network = config.kdc_client();
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
        let (network, stream) = (config.kdc_client(), Transport::Plain(stream));
        Self {
            inner: Connecting::over(StreamLink::open(), stream, server, config, network),
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
