//! TCP, TLS and the connection sequence in one call, with a deadline for every phase.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::task::{Context, Poll};

use ironrdp_async::{
    ConnectError, ConnectErrorKind, ConnectResult, Connecting, Link, Liveness, Observer, PhaseTimings,
    ServerAddr, ToServerAddr, watch_socket,
};
use ironrdp_connector::{ConnectionResult, Phase};
use ironrdp_graphics::Framebuffer;
use ironrdp_session::{PixelStore, SessionError};
use ironrdp_tls::{PeerCertificate, TlsClient, TlsError, TlsResult};
use rustls::{ClientConnection, StreamOwned};

use crate::answers::Blocking;
use crate::dial::dial;
use crate::stream::BlockingStream;
use crate::timed::{time_left, wait};
use crate::{BlockingTimer, Framed, KdcClient, SessionStream, Timed, Timeouts, Transport};

/// What the client asks for, which server certificates it accepts, and how Kerberos is spoken.
pub type ConnectConfig = ironrdp_async::ConnectConfig<KdcClient>;

/// Connects to an RDP server and starts the session, drawing into a [`Framebuffer`]: TCP, TLS, the whole connection sequence.
///
/// `addr` is `host`, `host:port` or a [`ServerAddr`]; the port is 3389 unless given. `config` is a
/// [`Config`](ironrdp_connector::Config), for which the platform's roots must vouch for the server's certificate, or a
/// [`ConnectConfig`] with another certificate policy. Each phase has a deadline, and so has the whole; only resolving a name takes as
/// long as the system lets it. For another pixel store, or a stream that is open already, use [`Connect`].
pub fn connect(
    addr: impl ToServerAddr,
    config: impl Into<ConnectConfig>,
) -> ConnectResult<Session<Framebuffer>> {
    Connect::new(addr.to_server_addr()?, config)
        .run()?
        .into_framebuffer_session()
}

/// A running session over a socket: events out, input in, timers driven.
pub type Session<P, T = TcpStream, O = ()> = SessionStream<Transport<T>, P, O>;

/// A connection that is being made.
#[derive(Debug)]
pub struct Connect<T: Read + Write + Timeouts = TcpStream> {
    /// An error if the stream could not be taken.
    inner: Result<Connecting<BlockingLink<T>, Blocking<KdcClient>, BlockingTimer>, ConnectError>,
}

/// A connection whose sequence is at its end: the stream, what was agreed upon, and how long it took.
pub struct Connected<T: Read + Write + Timeouts = TcpStream> {
    /// The stream. Frames that came early may be buffered in it.
    pub framed: Framed<Transport<T>>,
    /// What was agreed upon.
    pub result: ConnectionResult,
    /// How long each phase took.
    pub timings: PhaseTimings,
    server: ServerAddr,
}

impl<T: Read + Write + Timeouts> Connected<T> {
    /// The server that it is a connection to.
    pub fn server(&self) -> &ServerAddr {
        &self.server
    }

    /// Starts the session, drawing into `pixels`.
    ///
    /// Fails only if the limits or the pixel store do not allow the size of the desktop.
    pub fn into_session<P: PixelStore>(self, pixels: P) -> Result<Session<P, T>, SessionError> {
        Ok(SessionStream::new(self.framed, self.result, pixels)?.with_timings(self.timings))
    }

    /// Starts the session, drawing into a [`Framebuffer`] as large as the desktop.
    ///
    /// Fails only if the limits do not allow a desktop of that size.
    pub fn into_framebuffer_session(self) -> ConnectResult<Session<Framebuffer, T>> {
        let (server, size) = (self.server.clone(), self.result.desktop_size());
        Framebuffer::new(size.width(), size.height())
            .map_err(SessionError::from)
            .and_then(|pixels| self.into_session(pixels))
            .map_err(|error| {
                ConnectError::new(Some(server), Phase::Activate, ConnectErrorKind::Session(error))
            })
    }
}

impl<T: Read + Write + Timeouts> fmt::Debug for Connected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected")
            .field("framed", &self.framed)
            .field("result", &self.result)
            .field("timings", &self.timings)
            .finish()
    }
}

impl Connect {
    /// A connection to `server` over TCP.
    pub fn new(server: ServerAddr, config: impl Into<ConnectConfig>) -> Self {
        let config = config.into();
        let link = BlockingLink {
            dial: Some((server.clone(), *config.client().liveness())),
            dialed: Ok,
            handshake: None,
        };
        let network = Blocking(config.kdc_client());
        Self {
            inner: Ok(Connecting::dial(link, server, config, network)),
        }
    }
}

impl<T: Read + Write + Timeouts> Connect<T> {
    /// A connection over a stream that is open already: a proxy's, a Unix socket, a socket with options of its own.
    /// `server` names the server for TLS and authentication. If the stream cannot say what timeouts it has, running it fails.
    pub fn over(stream: T, server: ServerAddr, config: impl Into<ConnectConfig>) -> Self {
        let config = config.into();
        let link = BlockingLink {
            dial: None,
            dialed: |_| Err(ErrorKind::NotConnected.into()),
            handshake: None,
        };
        let network = Blocking(config.kdc_client());
        let inner = match Timed::new(stream) {
            Ok(stream) => Ok(Connecting::over(
                link,
                Transport::Plain(stream),
                server,
                config,
                network,
            )),
            Err(error) => {
                let kind = ConnectErrorKind::Io(error);
                Err(ConnectError::new(Some(server), Phase::Negotiate, kind))
            }
        };
        Self { inner }
    }

    /// The phase that the connection is in.
    pub fn phase(&self) -> Phase {
        self.inner
            .as_ref()
            .map_or_else(ConnectError::phase, Connecting::phase)
    }

    /// How long each phase has taken so far.
    pub fn timings(&self) -> PhaseTimings {
        self.inner.as_ref().map(Connecting::timings).unwrap_or_default()
    }

    /// Connects; waits no longer than the deadlines allow. After an error every call gives that error.
    pub fn run(&mut self) -> ConnectResult<Connected<T>> {
        self.run_observed(&mut ())
    }

    /// [`run`](Self::run), with `observer` to hear how long the phases take and how they end.
    pub fn run_observed<O: Observer>(&mut self, observer: &mut O) -> ConnectResult<Connected<T>> {
        let connecting = match &mut self.inner {
            Ok(connecting) => connecting,
            Err(error) => return Err(error.clone()),
        };
        loop {
            // Nothing comes back when a timeout of the stream's own has passed; the next turn goes on.
            if let Some(result) = wait(connecting.run_observed(observer)) {
                let connected = result?;
                return Ok(Connected {
                    server: connected.server().clone(),
                    framed: Framed {
                        inner: connected.framed,
                    },
                    result: connected.result,
                    timings: connected.timings,
                });
            }
        }
    }
}

/// How threads open a stream.
struct BlockingLink<T: Read + Write + Timeouts> {
    dial: Option<(ServerAddr, Liveness)>,
    /// Only TCP is dialled; this says so to the compiler.
    dialed: fn(TcpStream) -> io::Result<T>,
    handshake: Option<Box<(ClientConnection, Timed<T>)>>,
}

impl<T: Read + Write + Timeouts> Link for BlockingLink<T> {
    type Stream = BlockingStream<Transport<T>>;

    fn poll_dial(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Transport<T>>> {
        let Some((server, liveness)) = &self.dial else {
            return Poll::Ready(Err(ErrorKind::NotConnected.into()));
        };
        let dialed = dial(server).and_then(|stream| watch_socket(&stream, liveness).map(|()| stream));
        match dialed {
            // The time that the addresses share is that of the phase.
            Err(error) if is_late(&error) => Poll::Pending,
            dialed => Poll::Ready(
                dialed
                    .and_then(self.dialed)
                    .and_then(Timed::new)
                    .map(Transport::Plain),
            ),
        }
    }

    fn begin_tls(&mut self, stream: Transport<T>, tls: &TlsClient, server: &ServerAddr) -> TlsResult<()> {
        let Transport::Plain(stream) = stream else {
            return Err(TlsError::from_io(ErrorKind::InvalidInput.into()));
        };
        let connection = tls.connection(server.host(), server.port())?;
        self.handshake = Some(Box::new((connection, stream)));
        Ok(())
    }

    fn poll_tls(&mut self, _: &mut Context<'_>) -> Poll<TlsResult<Transport<T>>> {
        let Some(mut handshake) = self.handshake.take() else {
            return Poll::Ready(Err(TlsError::from_io(ErrorKind::NotConnected.into())));
        };
        let (connection, stream) = &mut *handshake;
        while connection.is_handshaking() {
            match connection.complete_io(stream) {
                // It came some of the way before the time was up, and tells so only when asked again.
                Ok((1.., _) | (_, 1..)) => {}
                Ok((0, 0)) => {
                    self.handshake = Some(handshake);
                    return Poll::Pending;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.handshake = Some(handshake);
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(Err(TlsError::from_io(error))),
            }
        }
        let (connection, stream) = *handshake;
        let stream = StreamOwned::new(connection, stream);
        Poll::Ready(Ok(Transport::Tls(Box::new(stream))))
    }

    fn certificate(stream: &Transport<T>) -> Option<TlsResult<PeerCertificate<'_>>> {
        stream.peer_certificate()
    }
}

/// Whether an attempt ended because the time that was left is over.
fn is_late(error: &io::Error) -> bool {
    error.kind() == ErrorKind::TimedOut && time_left().is_some_and(|left| left.is_zero())
}
