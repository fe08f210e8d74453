//! The connection sequence over an upgraded stream, as a value.

use std::borrow::BorrowMut;
use std::fmt;
use std::marker::PhantomData;

use ironrdp_connector::{
    ClientConnector, ConnectionResult, ConnectorError, ConnectorResult, Driver, KerberosConfig, Phase,
    Sequence as _, ServerIdentity, ServerName,
};
use ironrdp_core::MonotonicInstant;

use crate::connect::Upgraded;
use crate::phases::PhaseClock;
use crate::{
    ClientAnswers, Driven, Framed, FramedRead, FramedWrite, NetworkClient, PhaseTimings, Timer, drive_while,
};

/// What [`connect_finalize`](crate::connect_finalize) does, with all of its progress in a value and none in a future.
///
/// Made of the same arguments; `framed` is a [`Framed`] or a `&mut` of one. [`run`](Self::run) may be dropped at any time and called
/// again, and [`run_within`](Self::run_within) keeps the [`Deadlines`](ironrdp_connector::Deadlines) of the connector's
/// configuration besides.
///
/// ```
/// # use ironrdp_async::{Finalize, Framed, FramedRead, FramedWrite, NoNetwork, StreamWrapper, Upgraded};
/// # use ironrdp_connector::{ClientConnector, ConnectionResult, ConnectorResult};
/// # async fn example<S: StreamWrapper + FramedRead + FramedWrite>(
/// #     upgraded: Upgraded,
/// #     connector: ClientConnector,
/// #     framed: Framed<S>,
/// #     mut patience: impl AsyncFnMut(),
/// # ) -> ConnectorResult<(Framed<S>, ConnectionResult)> {
/// let mut finalize = Finalize::new(upgraded, connector, framed, NoNetwork, "desk.example".into(), Vec::new(), None)?;
/// let result = loop {
/// #   let lost = async { patience().await; None };
/// #   let run = async { Some(finalize.run().await) };
/// #   async fn race<T>(_: impl Future<Output = Option<T>>, run: impl Future<Output = Option<T>>) -> Option<T> { run.await }
///     // Whatever else wins the race, the next turn goes on where this one stopped.
///     if let Some(result) = race(lost, run).await {
///         break result?;
///     }
/// };
/// let framed = finalize.into_framed();
/// # Ok((framed, result))
/// # }
/// ```
pub struct Finalize<F, S, N> {
    framed: F,
    // None once the sequence was taken out of it, or has failed: then `failed` has the error.
    driver: Option<Driver<ClientConnector>>,
    answers: ClientAnswers<N>,
    clock: PhaseClock,
    failed: Option<ConnectorError>,
    stream: PhantomData<fn() -> S>,
}

impl<F: BorrowMut<Framed<S>>, S, N: NetworkClient> Finalize<F, S, N> {
    /// Goes on with `connector` over `framed`; see [`connect_finalize`](crate::connect_finalize) for the rest.
    ///
    /// Fails if `upgraded` says that another connector was marked.
    pub fn new(
        upgraded: Upgraded,
        connector: ClientConnector,
        framed: F,
        mut network_client: N,
        server_name: ServerName,
        server_public_key: Vec<u8>,
        kerberos_config: Option<KerberosConfig>,
    ) -> ConnectorResult<Self> {
        let started = upgraded.into_started()?;
        network_client.set_limits(connector.limits());
        let clock = PhaseClock::new(connector.phase(), *connector.config().deadlines()).since(started);
        let identity = ServerIdentity {
            name: server_name,
            public_key: server_public_key,
            kerberos: kerberos_config,
        };
        Ok(Self {
            framed,
            driver: Some(Driver::new(connector)),
            answers: ClientAnswers {
                identity,
                network: network_client,
            },
            clock,
            failed: None,
            stream: PhantomData,
        })
    }

    /// The phase that the connection is in.
    pub fn phase(&self) -> Phase {
        self.clock.phase()
    }

    /// How long each phase has taken so far.
    pub fn timings(&self) -> PhaseTimings {
        self.clock.timings(self.framed.borrow().now())
    }

    /// The stream, after the end of the sequence or to give up.
    pub fn into_framed(self) -> F {
        self.framed
    }
}

impl<F, S, N> Finalize<F, S, N>
where
    F: BorrowMut<Framed<S>>,
    S: FramedRead + FramedWrite,
    N: NetworkClient,
{
    /// Runs the rest of the connection sequence, or goes on with it. Has no deadline of its own.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe with an adapter that has [`FramedWrite::as_flush`]: call it again and it goes on where it stopped. After an
    /// error every call gives that error; a result is given once.
    pub async fn run(&mut self) -> ConnectorResult<ConnectionResult> {
        self.run_within(&mut Never).await
    }

    /// [`run`](Self::run), within the deadlines of the connector's configuration: one for each phase, and one for the whole since
    /// [`connect_begin`](crate::connect_begin). They count from the first call.
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub async fn run_within<T: Timer>(&mut self, timer: &mut T) -> ConnectorResult<ConnectionResult> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.run_phases(timer).await;
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    async fn run_phases<T: Timer>(&mut self, timer: &mut T) -> ConnectorResult<ConnectionResult> {
        loop {
            let Some(driver) = &mut self.driver else {
                return Err(ConnectorError::misuse("a connection was run after its end"));
            };
            let phase = self.clock.phase();
            let framed = self.framed.borrow_mut();
            let driven = drive_while(framed, driver, &mut self.answers, |connector| {
                connector.phase() == phase
            });
            match self.clock.bound(timer, driven).await? {
                Driven::Done => {
                    self.clock.stop(T::now());
                    let connector = self.driver.take().map(Driver::into_sequence);
                    return connector.map_or_else(
                        || Err(ConnectorError::misuse("a connection was run after its end")),
                        ClientConnector::into_result,
                    );
                }
                Driven::Paused => {
                    self.clock.enter(driver.sequence().phase(), T::now());
                }
                Driven::UpgradeToTls => {
                    return Err(ConnectorError::misuse(
                        "the connector asks for an upgrade that was not marked",
                    ));
                }
            }
        }
    }
}

impl<F, S, N> fmt::Debug for Finalize<F, S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finalize")
            .field("phase", &self.clock.phase())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// For those who set deadlines of their own, around everything.
#[derive(Debug, Clone, Copy, Default)]
struct Never;

impl Timer for Never {
    fn now() -> MonotonicInstant {
        crate::now()
    }

    fn set(&mut self, _: Option<MonotonicInstant>) {}

    fn poll(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        std::task::Poll::Pending
    }
}
