//! The connection sequence over an upgraded stream, as a value.

use std::borrow::{Borrow, BorrowMut};
use std::fmt;
use std::io::{Read, Write};
use std::marker::PhantomData;

use ironrdp_connector::{
    ClientConnector, ConnectionResult, ConnectorResult, KerberosConfig, Phase, ServerName,
};

use crate::answers::{Blocking, NetworkClient, answered};
use crate::stream::BlockingStream;
use crate::timed::{BlockingTimer, wait};
use crate::{Framed, PhaseTimings, Upgraded};

/// What [`connect_finalize`](crate::connect_finalize) does, with all of its progress in a value: a call that ends because the
/// stream's own timeout has passed can be made again.
///
/// Made of the same arguments; `framed` is a [`Framed`] or a `&mut` of one.
pub struct Finalize<F, S, N> {
    inner: ironrdp_async::Finalize<Inner<F, S>, BlockingStream<S>, Blocking<N>>,
}

/// The frames of `ironrdp-async` in those of this crate.
struct Inner<F, S>(F, PhantomData<fn() -> S>);

impl<F: Borrow<Framed<S>>, S> Borrow<ironrdp_async::Framed<BlockingStream<S>>> for Inner<F, S> {
    fn borrow(&self) -> &ironrdp_async::Framed<BlockingStream<S>> {
        &self.0.borrow().inner
    }
}

impl<F: BorrowMut<Framed<S>>, S> BorrowMut<ironrdp_async::Framed<BlockingStream<S>>> for Inner<F, S> {
    fn borrow_mut(&mut self) -> &mut ironrdp_async::Framed<BlockingStream<S>> {
        &mut self.0.borrow_mut().inner
    }
}

impl<F: BorrowMut<Framed<S>>, S, N: NetworkClient> Finalize<F, S, N> {
    /// Goes on with `connector` over `framed`; see [`connect_finalize`](crate::connect_finalize) for the rest.
    ///
    /// Fails if `upgraded` says that another connector was marked.
    pub fn new(
        upgraded: Upgraded,
        connector: ClientConnector,
        framed: F,
        network_client: N,
        server_name: ServerName,
        server_public_key: Vec<u8>,
        kerberos_config: Option<KerberosConfig>,
    ) -> ConnectorResult<Self> {
        let inner = ironrdp_async::Finalize::new(
            upgraded,
            connector,
            Inner(framed, PhantomData),
            Blocking(network_client),
            server_name,
            server_public_key,
            kerberos_config,
        )?;
        Ok(Self { inner })
    }

    /// The phase that the connection is in.
    pub fn phase(&self) -> Phase {
        self.inner.phase()
    }

    /// How long each phase has taken so far.
    pub fn timings(&self) -> PhaseTimings {
        self.inner.timings()
    }

    /// The stream, after the end of the sequence or to give up.
    pub fn into_framed(self) -> F {
        self.inner.into_framed().0
    }
}

impl<F, S, N> Finalize<F, S, N>
where
    F: BorrowMut<Framed<S>>,
    S: Read + Write,
    N: NetworkClient,
{
    /// Runs the rest of the connection sequence, or goes on with it; over a [`Timed`](crate::Timed) socket within the deadlines of the
    /// connector's configuration, which count from the first call.
    ///
    /// If the stream's own timeout passes, the error is [`Io`](ironrdp_connector::ConnectorErrorKind::Io) of
    /// [`WouldBlock`](std::io::ErrorKind::WouldBlock), and the next call goes on. After any other error every call gives that error;
    /// a result is given once.
    pub fn run(&mut self) -> ConnectorResult<ConnectionResult> {
        answered(wait(self.inner.run_within(&mut BlockingTimer::default())))
    }
}

impl<F, S, N> fmt::Debug for Finalize<F, S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
