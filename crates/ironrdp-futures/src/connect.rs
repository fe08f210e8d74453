//! The network, TLS and the connection sequence in one call, with a deadline for every phase.

use std::future::Future;
use std::io;

use futures_io::{AsyncRead, AsyncWrite};
use ironrdp_async::{
    ConnectResult, Connecting, NetworkClient, Observer, PhaseTimings, ServerAddr, StreamLink, TimedSession,
    Timer,
};
use ironrdp_connector::Phase;

use crate::config::Kdc;
use crate::{ConnectConfig, FuturesStream, Transport};

/// A connection that is being made: all of its progress, and none in a future.
///
/// [`run`](Self::run) may be dropped at any time, inside the TLS handshake too, and called again. `C` is the timer of the runtime,
/// `AsyncIoTimer` where the feature `async-io` is on, and `K` carries Kerberos messages: `KdcClient` with that feature, else a way of
/// your own.
///
/// ```
/// # use futures_io::{AsyncRead, AsyncWrite};
/// # use ironrdp_futures::{AsyncIoTimer, Connect, ConnectConfig};
/// # async fn example<T>(stream: T, config: ConnectConfig) -> Result<(), Box<dyn std::error::Error>>
/// # where T: AsyncRead + AsyncWrite + Unpin {
/// let mut connect = Connect::<_, AsyncIoTimer>::over(stream, "desk.example".parse()?, config);
/// let connected = connect.run().await?;
/// println!("connected in {:?}", connected.timings.total());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Connect<T, C, K = Kdc>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    inner: Connecting<StreamLink<FuturesStream<Transport<T>>>, K, C>,
}

/// A connection whose sequence is at its end: the stream, what was agreed upon, and how long it took.
pub type Connected<T, C> = ironrdp_async::Connected<FuturesStream<Transport<T>>, C>;

/// A running session: events out, input in, timers driven.
///
/// Dereferences to [`SessionStream`](crate::SessionStream), which has everything else: the pixels, commands, input. Its methods that
/// wait do not drive the timers, those of this type do.
///
/// `O` is who measures it: nobody, unless [`with_observer`](TimedSession::with_observer) gave it one.
pub type Session<P, T, C, O = ()> = TimedSession<FuturesStream<Transport<T>>, P, C, O>;

impl<T, C, K> Connect<T, C, K>
where
    T: AsyncRead + AsyncWrite + Unpin,
    C: Timer,
    K: NetworkClient + Clone + Default,
{
    /// A connection to `server` that begins by `dial`, whatever it is that opens a stream; its deadline is that for dialling.
    pub fn dialing(
        dial: impl Future<Output = io::Result<T>> + Send + 'static,
        server: ServerAddr,
        config: impl Into<ConnectConfig<K>>,
    ) -> Self {
        let config = config.into();
        let network = config.kdc_client();
        Self {
            inner: Connecting::dial(StreamLink::dialing(dial), server, config, network),
        }
    }

    /// A connection over a stream that is open already: a proxy's, a pipe, a socket with options of its own.
    /// `server` names the server for TLS and authentication.
    pub fn over(stream: T, server: ServerAddr, config: impl Into<ConnectConfig<K>>) -> Self {
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
    pub async fn run(&mut self) -> ConnectResult<Connected<T, C>> {
        self.inner.run().await
    }

    /// [`run`](Self::run), with `observer` to hear how long the phases take and how they end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: call it again and it goes on where it stopped.
    pub async fn run_observed<O: Observer>(&mut self, observer: &mut O) -> ConnectResult<Connected<T, C>> {
        self.inner.run_observed(observer).await
    }
}
