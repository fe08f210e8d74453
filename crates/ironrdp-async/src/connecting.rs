//! The network, TLS and the connection sequence as one value, with a deadline for every phase.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use ironrdp_connector::{
    ClientConnector, ConnectionResult, ConnectorError, Driver, Phase, Reply, Sequence as _, ServerIdentity,
    ServerName,
};
use ironrdp_graphics::Framebuffer;
use ironrdp_session::{PixelStore, SessionError};
use ironrdp_tls::{PeerCertificate, TlsClient, TlsError, TlsResult};

use crate::phases::PhaseClock;
use crate::{
    ClientAnswers, ConnectConfig, ConnectError, ConnectErrorKind, ConnectResult, Driven, Framed, FramedRead,
    FramedWrite, NetworkClient, Observer, PhaseEnd, PhaseTimings, ServerAddr, StreamWrapper, TimedSession,
    Timer, drive_while,
};

/// The stream of a [`Link`].
type Inner<L> = <<L as Link>::Stream as StreamWrapper>::InnerStream;

/// How a runtime opens a stream and wraps it in TLS; what a [`Connecting`] stands on.
///
/// All progress is in the link and none in a future, so these are poll methods. With the feature `tls`, `StreamLink` is one for every
/// async runtime.
pub trait Link {
    /// The adapter around the stream, which is the same type before and after the upgrade.
    type Stream: StreamWrapper + FramedRead + FramedWrite;

    /// Opens the connection, or goes on with that.
    fn poll_dial(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Inner<Self>>>;

    /// Takes a plain stream on which nothing is buffered, for a TLS handshake with `server` as `tls` wants it.
    fn begin_tls(&mut self, stream: Inner<Self>, tls: &TlsClient, server: &ServerAddr) -> TlsResult<()>;

    /// Goes on with the handshake, and gives the encrypted stream.
    fn poll_tls(&mut self, cx: &mut Context<'_>) -> Poll<TlsResult<Inner<Self>>>;

    /// The server's certificate, to which CredSSP binds the login; none on a plain stream.
    fn certificate(stream: &Inner<Self>) -> Option<TlsResult<PeerCertificate<'_>>>;
}

/// A connection that is being made over a link of any runtime: all of its progress, and none in a future.
///
/// The `Connect` of each runtime's crate is one of these.
pub struct Connecting<L: Link, N, T> {
    steps: Steps<L, N>,
    clock: PhaseClock,
    timer: T,
    failed: Option<ConnectError>,
}

/// What a phase works on, apart from the clock that watches it.
struct Steps<L: Link, N> {
    server: ServerAddr,
    tls: Option<TlsClient>,
    link: L,
    stage: Stage<L::Stream>,
    driver: Option<Driver<ClientConnector>>,
    answers: ClientAnswers<N>,
}

/// What the connection stands on.
enum Stage<S> {
    Dialing,
    Open(Framed<S>),
    Upgrading,
    /// Handed over to the session, or lost.
    Gone,
}

/// A connection whose sequence is at its end: the stream, what was agreed upon, and how long it took.
pub struct Connected<S, T> {
    /// The stream. Frames that came early may be buffered in it.
    pub framed: Framed<S>,
    /// What was agreed upon.
    pub result: ConnectionResult,
    /// How long each phase took.
    pub timings: PhaseTimings,
    server: ServerAddr,
    timer: PhantomData<fn() -> T>,
}

impl<S, T: Timer> Connected<S, T> {
    /// The server that it is a connection to.
    pub fn server(&self) -> &ServerAddr {
        &self.server
    }

    /// Starts the session, drawing into `pixels`.
    ///
    /// Fails only if the pixel store refuses the size of the desktop.
    pub fn into_session<P: PixelStore>(self, pixels: P) -> Result<TimedSession<S, P, T>, SessionError> {
        Ok(TimedSession::new(self.framed, self.result, pixels)?.with_timings(self.timings))
    }

    /// Starts the session, drawing into a [`Framebuffer`] as large as the desktop.
    ///
    /// Fails only if the limits do not allow a desktop of that size.
    pub fn into_framebuffer_session(self) -> ConnectResult<TimedSession<S, Framebuffer, T>> {
        let (server, size) = (self.server.clone(), self.result.desktop_size());
        Framebuffer::new(size.width(), size.height())
            .map_err(SessionError::from)
            .and_then(|pixels| self.into_session(pixels))
            .map_err(|error| {
                ConnectError::new(Some(server), Phase::Activate, ConnectErrorKind::Session(error))
            })
    }
}

impl<S, T> fmt::Debug for Connected<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected")
            .field("framed", &self.framed)
            .field("result", &self.result)
            .field("timings", &self.timings)
            .finish()
    }
}

impl<L: Link, N: NetworkClient, T: Timer> Connecting<L, N, T> {
    /// A connection that `link` dials. `network` carries Kerberos messages, if `config` asks for that.
    pub fn dial<K>(link: L, server: ServerAddr, config: ConnectConfig<K>, network: N) -> Self {
        Self::start(link, Stage::Dialing, Phase::Dial, server, config, network)
    }

    /// A connection over a stream that is open already; `server` names the server for TLS and authentication.
    pub fn over<K>(
        link: L,
        stream: Inner<L>,
        server: ServerAddr,
        config: ConnectConfig<K>,
        network: N,
    ) -> Self {
        let stage = Stage::Open(framed::<L, T>(stream));
        Self::start(link, stage, Phase::Negotiate, server, config, network)
    }

    fn start<K>(
        link: L,
        stage: Stage<L::Stream>,
        phase: Phase,
        server: ServerAddr,
        config: ConnectConfig<K>,
        mut network: N,
    ) -> Self {
        network.set_limits(config.client().limits());
        let identity = ServerIdentity {
            name: ServerName::from(server.host()),
            public_key: Vec::new(),
            kerberos: config.kerberos().cloned(),
        };
        let deadlines = *config.client().deadlines();
        let (client, tls) = config.into_parts();
        Self {
            steps: Steps {
                server,
                tls,
                link,
                stage,
                driver: Some(Driver::new(ClientConnector::new(client))),
                answers: ClientAnswers { identity, network },
            },
            clock: PhaseClock::new(phase, deadlines),
            timer: T::default(),
            failed: None,
        }
    }

    /// The phase that the connection is in.
    pub fn phase(&self) -> Phase {
        self.clock.phase()
    }

    /// How long each phase has taken so far.
    pub fn timings(&self) -> PhaseTimings {
        self.clock.timings(T::now())
    }
}

/// Frames by the clock that the timers go by.
fn framed<L: Link, T: Timer>(stream: Inner<L>) -> Framed<L::Stream> {
    let mut framed = Framed::new(stream);
    framed.set_clock(T::now);
    framed
}

impl<L: Link, N: NetworkClient, T: Timer> Connecting<L, N, T> {
    /// Connects, or goes on connecting. Deadlines count from the first call.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: call it again and it goes on where it stopped, inside the TLS handshake too. After an error every call gives
    /// that error.
    ///
    /// # Panics
    ///
    /// Where the runtime's sockets and timers do; tokio's outside of a runtime with both enabled.
    pub async fn run(&mut self) -> ConnectResult<Connected<L::Stream, T>> {
        self.run_observed(&mut ()).await
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
    pub async fn run_observed<O: Observer>(
        &mut self,
        observer: &mut O,
    ) -> ConnectResult<Connected<L::Stream, T>> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match self.run_phases(observer).await {
            Ok(connected) => Ok(connected),
            Err(kind) => {
                if O::ENABLED {
                    let end = match kind {
                        ConnectErrorKind::Timeout | ConnectErrorKind::OverallTimeout => PhaseEnd::TimedOut,
                        _ => PhaseEnd::Failed,
                    };
                    observer.phase_ended(self.clock.phase(), self.clock.elapsed(T::now()), end);
                }
                let server = &self.steps.server;
                let error = ConnectError::new(Some(server.clone()), self.clock.phase(), kind);
                tracing::debug!(%server, %error, "connection failed");
                self.steps.stage = Stage::Gone;
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    async fn run_phases<O: Observer>(
        &mut self,
        observer: &mut O,
    ) -> Result<Connected<L::Stream, T>, ConnectErrorKind> {
        loop {
            let phase = self.clock.phase();
            let advance = self.steps.advance::<T>(phase);
            match self.clock.bound(&mut self.timer, advance).await? {
                Some(next) => {
                    tracing::trace!(server = %self.steps.server, from = %phase, to = %next, "phase");
                    let took = self.clock.enter(next, T::now());
                    observer.phase_ended(phase, took, PhaseEnd::Passed);
                }
                None => {
                    let took = O::ENABLED.then(|| self.clock.elapsed(T::now()));
                    let connected = self.hand_over()?;
                    if let Some(took) = took {
                        observer.phase_ended(phase, took, PhaseEnd::Passed);
                    }
                    return Ok(connected);
                }
            }
        }
    }

    fn hand_over(&mut self) -> Result<Connected<L::Stream, T>, ConnectErrorKind> {
        let stage = std::mem::replace(&mut self.steps.stage, Stage::Gone);
        let (Stage::Open(framed), Some(driver)) = (stage, self.steps.driver.take()) else {
            return Err(gone());
        };
        let result = driver.into_sequence().into_result()?;
        self.timer.set(None);
        let timings = self.clock.stop(T::now());
        tracing::info!(
            server = %self.steps.server,
            width = result.desktop_size().width(),
            height = result.desktop_size().height(),
            took_ms = timings.total().as_millis(),
            "connected"
        );
        Ok(Connected {
            framed,
            result,
            timings,
            server: self.steps.server.clone(),
            timer: PhantomData,
        })
    }
}

impl<L: Link, N: NetworkClient> Steps<L, N> {
    /// Runs until the phase changes and gives the new one; none at the end of the sequence.
    ///
    /// Every await is on progress that lives in `self`.
    async fn advance<T: Timer>(&mut self, phase: Phase) -> Result<Option<Phase>, ConnectErrorKind> {
        let driver = self.driver.as_mut().ok_or_else(gone)?;
        match &mut self.stage {
            Stage::Dialing => {
                let dialed = poll_fn(|cx| self.link.poll_dial(cx)).await;
                let stream = dialed.map_err(ConnectErrorKind::Io)?;
                self.stage = Stage::Open(framed::<L, T>(stream));
                Ok(Some(Phase::Negotiate))
            }
            Stage::Open(framed) => {
                // The connector counts as in the TLS phase as soon as it asks for the upgrade.
                let same_phase = |connector: &ClientConnector| {
                    connector.phase() == phase
                        || (phase == Phase::Negotiate && connector.phase() == Phase::Tls)
                };
                match drive_while(framed, driver, &mut self.answers, same_phase).await? {
                    Driven::Done => Ok(None),
                    Driven::Paused => Ok(Some(driver.sequence().phase())),
                    Driven::UpgradeToTls => {
                        self.begin_tls()?;
                        Ok(Some(Phase::Tls))
                    }
                }
            }
            Stage::Upgrading => {
                let stream = poll_fn(|cx| self.link.poll_tls(cx)).await?;
                let certificate = L::certificate(&stream)
                    .ok_or_else(|| TlsError::from_io(io::ErrorKind::NotConnected.into()))??;
                tracing::debug!(server = %self.server, certificate = %certificate.sha256(), "TLS established");
                self.answers.identity.public_key = certificate.subject_public_key().to_vec();
                driver.answer(Reply::Upgraded)?;
                self.stage = Stage::Open(framed::<L, T>(stream));
                Ok(Some(driver.sequence().phase()))
            }
            Stage::Gone => Err(gone()),
        }
    }

    fn begin_tls(&mut self) -> Result<(), ConnectErrorKind> {
        let Stage::Open(framed) = std::mem::replace(&mut self.stage, Stage::Gone) else {
            return Err(gone());
        };
        // The shell has seen to both: everything is sent, nothing was received ahead.
        let Ok(stream) = framed.try_into_inner_no_leftover() else {
            return Err(ConnectorError::misuse("an upgrade of a stream in use").into());
        };
        let tls = match &self.tls {
            Some(tls) => tls.clone(),
            None => crate::config::platform_tls()?,
        };
        self.link.begin_tls(stream, &tls, &self.server)?;
        self.stage = Stage::Upgrading;
        Ok(())
    }
}

fn gone() -> ConnectErrorKind {
    ConnectorError::misuse("a connection was run after its end").into()
}

impl<L: Link, N, T> fmt::Debug for Connecting<L, N, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting")
            .field("server", &self.steps.server)
            .field("phase", &self.clock.phase())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
