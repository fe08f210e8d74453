//! TCP, TLS and the connection sequence in one call, with a deadline for every phase.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use ironrdp_async::{ClientAnswers, Driven, drive_while};
use ironrdp_connector::{
    ClientConnector, ConnectionResult, ConnectorError, Driver, Phase, Reply, Sequence as _, ServerIdentity,
    ServerName,
};
use ironrdp_graphics::Framebuffer;
use ironrdp_session::SessionError;
use ironrdp_tls::{PeerCertificate, TlsClient, TlsError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::dial::dial;
use crate::error::{ConnectError, ConnectErrorKind, ConnectResult};
use crate::{ConnectConfig, KdcClient, ServerAddr, Session, ToServerAddr, TokioFramed, Transport};

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
    let activate = config.client().deadlines().activate;
    // Boxed, so that the caller's task does not carry the states of the connection for as long as the session lives.
    let connected = Box::pin(async { Connect::new(server.clone(), config).run().await }).await?;
    let size = connected.result.desktop_size();
    let session = Framebuffer::new(size.width(), size.height())
        .map_err(SessionError::from)
        .and_then(|pixels| connected.into_session(pixels));
    let mut session = session.map_err(|error| {
        ConnectError::new(Some(server), Phase::Activate, ConnectErrorKind::Session(error))
    })?;
    session.set_reactivation_timeout(activate);
    Ok(session)
}

/// A connection that is being made: all of its progress, and none in a future.
///
/// [`run`](Self::run) may be dropped at any time, inside the TLS handshake too, and called again. [`connect`](crate::connect()) is a
/// thin wrapper for those who do not need that.
pub struct Connect<T = TcpStream> {
    server: ServerAddr,
    config: ConnectConfig,
    link: Link<T>,
    driver: Driver<ClientConnector>,
    answers: ClientAnswers<KdcClient>,
    clock: PhaseClock,
    failed: Option<ConnectError>,
}

/// What the connection stands on.
enum Link<T> {
    Dialing(Pin<Box<dyn Future<Output = io::Result<T>> + Send>>),
    Open(TokioFramed<Transport<T>>),
    Upgrading(Box<tokio_rustls::Connect<T>>),
    /// Handed over to the session, or lost.
    Gone,
}

/// A connection whose sequence is at its end: the stream, what was agreed upon, and how long it took.
#[derive(Debug)]
pub struct Connected<T = TcpStream> {
    /// The stream. Frames that came early may be buffered in it.
    pub framed: TokioFramed<Transport<T>>,
    /// What was agreed upon.
    pub result: ConnectionResult,
    /// How long each phase took.
    pub timings: PhaseTimings,
}

impl Connect {
    /// A connection to `server` over TCP.
    pub fn new(server: ServerAddr, config: impl Into<ConnectConfig>) -> Self {
        let dialing = Box::pin(dial(server.clone()));
        Self::start(server, config.into(), Link::Dialing(dialing), Phase::Dial)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connect<T> {
    /// A connection over a stream that is open already: a proxy's, a pipe, a socket with options of its own.
    /// `server` names the server for TLS and authentication.
    pub fn over(stream: T, server: ServerAddr, config: impl Into<ConnectConfig>) -> Self {
        let framed = TokioFramed::new(Transport::Plain(stream));
        Self::start(server, config.into(), Link::Open(framed), Phase::Negotiate)
    }

    fn start(server: ServerAddr, config: ConnectConfig, link: Link<T>, phase: Phase) -> Self {
        let identity = ServerIdentity {
            name: ServerName::from(server.host()),
            public_key: Vec::new(),
            kerberos: config.kerberos().map(|kerberos| kerberos.config.clone()),
        };
        let network = match config.kerberos() {
            Some(kerberos) => kerberos.client.clone(),
            None => KdcClient::new(),
        };
        let driver = Driver::new(ClientConnector::new(config.client().clone()));
        Self {
            server,
            config,
            link,
            driver,
            answers: ClientAnswers { identity, network },
            clock: PhaseClock::new(phase),
            failed: None,
        }
    }

    /// The phase that the connection is in.
    pub fn phase(&self) -> Phase {
        self.clock.phase
    }

    /// How long each phase has taken so far.
    pub fn timings(&self) -> PhaseTimings {
        self.clock.timings()
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
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match self.run_phases().await {
            Ok(connected) => Ok(connected),
            Err(kind) => {
                let error = ConnectError::new(Some(self.server.clone()), self.clock.phase, kind);
                tracing::debug!(server = %self.server, %error, "connection failed");
                self.link = Link::Gone;
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    async fn run_phases(&mut self) -> Result<Connected<T>, ConnectErrorKind> {
        let deadlines = *self.config.client().deadlines();
        let started = self.clock.start();
        loop {
            let phase_end = self
                .clock
                .phase_started
                .checked_add(deadlines.of(self.clock.phase));
            let whole_end = started.checked_add(deadlines.overall);
            // Durations beyond the clock's range mean "no deadline"; tokio has a far future of its own for that.
            let advance = self.advance();
            let advanced = match [phase_end, whole_end].into_iter().flatten().min() {
                Some(end) => timeout_at(end, advance).await.map_err(|_| {
                    if Some(end) == phase_end {
                        ConnectErrorKind::Timeout
                    } else {
                        ConnectErrorKind::OverallTimeout
                    }
                })?,
                None => advance.await,
            };
            match advanced? {
                Some(phase) => {
                    tracing::trace!(server = %self.server, from = %self.clock.phase, to = %phase, "phase");
                    self.clock.enter(phase);
                }
                None => return self.hand_over(),
            }
        }
    }

    /// Runs until the phase changes and gives the new one; none at the end of the sequence.
    ///
    /// Every await is on a future that lives in `self` or is cancel safe.
    async fn advance(&mut self) -> Result<Option<Phase>, ConnectErrorKind> {
        match &mut self.link {
            Link::Dialing(dialing) => {
                let stream = dialing.as_mut().await.map_err(ConnectErrorKind::Io)?;
                self.link = Link::Open(TokioFramed::new(Transport::Plain(stream)));
                Ok(Some(Phase::Negotiate))
            }
            Link::Open(framed) => {
                let phase = self.clock.phase;
                // The connector counts as in the TLS phase as soon as it asks for the upgrade.
                let same_phase = |connector: &ClientConnector| {
                    connector.phase() == phase
                        || (phase == Phase::Negotiate && connector.phase() == Phase::Tls)
                };
                match drive_while(framed, &mut self.driver, &mut self.answers, same_phase).await? {
                    Driven::Done => Ok(None),
                    Driven::Paused => Ok(Some(self.driver.sequence().phase())),
                    Driven::UpgradeToTls => {
                        self.link = upgrade(
                            std::mem::replace(&mut self.link, Link::Gone),
                            &self.config,
                            &self.server,
                        )?;
                        Ok(Some(Phase::Tls))
                    }
                }
            }
            Link::Upgrading(handshake) => {
                let stream = handshake.as_mut().await.map_err(TlsError::from_io)?;
                let certificate = PeerCertificate::from_connection(stream.get_ref().1)?;
                tracing::debug!(server = %self.server, certificate = %certificate.sha256(), "TLS established");
                // The key in the certificate is what CredSSP binds the login to.
                self.answers.identity.public_key = certificate.subject_public_key().to_vec();
                self.driver.answer(Reply::Upgraded)?;
                self.link = Link::Open(TokioFramed::new(Transport::Tls(Box::new(stream))));
                Ok(Some(self.driver.sequence().phase()))
            }
            Link::Gone => Err(ConnectorError::misuse("a connection was run after its end").into()),
        }
    }

    fn hand_over(&mut self) -> Result<Connected<T>, ConnectErrorKind> {
        let Link::Open(framed) = std::mem::replace(&mut self.link, Link::Gone) else {
            return Err(ConnectorError::misuse("a connection was run after its end").into());
        };
        // What stays behind only says that the connection has been handed over.
        let spent = Driver::new(ClientConnector::new(self.config.client().clone()));
        let result = std::mem::replace(&mut self.driver, spent)
            .into_sequence()
            .into_result()?;
        let timings = self.clock.stop();
        tracing::info!(
            server = %self.server,
            width = result.desktop_size().width(),
            height = result.desktop_size().height(),
            took_ms = timings.total().as_millis(),
            "connected"
        );
        Ok(Connected {
            framed,
            result,
            timings,
        })
    }
}

/// Starts the TLS handshake on the stream of `link`.
fn upgrade<T>(link: Link<T>, config: &ConnectConfig, server: &ServerAddr) -> Result<Link<T>, ConnectErrorKind>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let Link::Open(framed) = link else {
        return Err(ConnectorError::misuse("an upgrade of a stream that is not open").into());
    };
    // The shell has seen to both: everything is sent, nothing was received ahead.
    let Ok(Transport::Plain(stream)) = framed.try_into_inner_no_leftover() else {
        return Err(ConnectorError::misuse("an upgrade of a stream in use").into());
    };
    let tls = config.tls()?.for_host(server.host(), server.port())?;
    let name = TlsClient::server_name(server.host())?;
    Ok(Link::Upgrading(Box::new(
        TlsConnector::from(tls).connect(name, stream),
    )))
}

impl<T> fmt::Debug for Connect<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("server", &self.server)
            .field("phase", &self.clock.phase)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// How long the phases of a connection took; zero for those that were not gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PhaseTimings {
    /// Resolving the name and opening the TCP connection.
    pub dial: Duration,
    /// Agreeing on a security protocol.
    pub negotiate: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// CredSSP.
    pub authenticate: Duration,
    /// From the conference to the active share.
    pub activate: Duration,
}

impl PhaseTimings {
    /// All phases together.
    pub fn total(&self) -> Duration {
        self.dial + self.negotiate + self.tls + self.authenticate + self.activate
    }

    fn of(&mut self, phase: Phase) -> &mut Duration {
        match phase {
            Phase::Dial => &mut self.dial,
            Phase::Negotiate => &mut self.negotiate,
            Phase::Tls => &mut self.tls,
            Phase::Authenticate => &mut self.authenticate,
            Phase::Activate => &mut self.activate,
        }
    }
}

/// Knows the phase, and since when.
struct PhaseClock {
    phase: Phase,
    started: Option<Instant>,
    phase_started: Instant,
    past: PhaseTimings,
    stopped: bool,
}

impl PhaseClock {
    fn new(phase: Phase) -> Self {
        Self {
            phase,
            started: None,
            phase_started: Instant::now(),
            past: PhaseTimings::default(),
            stopped: false,
        }
    }

    /// Starts counting at the first call; says when that was.
    fn start(&mut self) -> Instant {
        *self.started.get_or_insert_with(|| {
            let now = Instant::now();
            self.phase_started = now;
            now
        })
    }

    fn enter(&mut self, phase: Phase) {
        let now = Instant::now();
        *self.past.of(self.phase) += now - self.phase_started;
        self.phase = phase;
        self.phase_started = now;
    }

    fn stop(&mut self) -> PhaseTimings {
        self.enter(self.phase);
        self.stopped = true;
        self.past
    }

    fn timings(&self) -> PhaseTimings {
        let mut timings = self.past;
        if self.started.is_some() && !self.stopped {
            *timings.of(self.phase) += self.phase_started.elapsed();
        }
        timings
    }
}
