//! The running session with the timers of its runtime.

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::task::Poll;

use ironrdp_connector::ConnectionResult;
use ironrdp_session::{Event, PixelStore, SessionError};

use crate::timer::Alarm;
use crate::{
    Framed, FramedFlush, FramedRead, FramedWrite, Observer, PhaseTimings, SessionStream, StreamError,
    StreamWrapper, Timer,
};

/// A [`SessionStream`] whose timers are driven: events out, input in, a dead server found out.
///
/// The `Session` of `ironrdp-tokio` and of `ironrdp-futures` is one, and that of `ironrdp-blocking` stands on one; with another
/// runtime, bring a [`Timer`].
///
/// Dereferences to [`SessionStream`], which has everything else: the pixels, commands, input. Its methods that wait do not drive
/// the timers, those of this type do.
pub struct TimedSession<S, P, T, O = ()> {
    stream: SessionStream<S, P, O>,
    alarm: Alarm<T>,
    timings: PhaseTimings,
}

impl<S, P: PixelStore, T: Timer> TimedSession<S, P, T> {
    /// The session that `connection` has agreed upon, over the stream it came about on, drawing into `pixels`.
    ///
    /// Fails only if the pixel store refuses the size of the desktop.
    pub fn new(mut framed: Framed<S>, connection: ConnectionResult, pixels: P) -> Result<Self, SessionError> {
        framed.set_clock(T::now);
        Ok(SessionStream::new(framed, connection, pixels)?.into())
    }

    /// Notes how long the phases of the connection took, for [`timings`](Self::timings).
    #[must_use]
    pub fn with_timings(mut self, timings: PhaseTimings) -> Self {
        self.timings = timings;
        self
    }
}

impl<S, P: PixelStore, T, O: Observer> TimedSession<S, P, T, O> {
    /// The same session, with `observer` to measure it from here on.
    pub fn with_observer<N: Observer>(self, observer: N) -> TimedSession<S, P, T, N> {
        TimedSession {
            stream: self.stream.with_observer(observer),
            alarm: self.alarm,
            timings: self.timings,
        }
    }
}

impl<S, P, T, O> TimedSession<S, P, T, O> {
    /// How long each phase of the connection took; all zero if it was not made by this workspace's own `connect`.
    pub const fn timings(&self) -> &PhaseTimings {
        &self.timings
    }
}

impl<S: StreamWrapper, P: PixelStore, T, O: Observer> TimedSession<S, P, T, O> {
    /// The stream the session runs on: addresses, TLS version, the server's certificate.
    pub fn transport(&self) -> &S::InnerStream {
        self.stream.framed().get_inner().0
    }
}

impl<S, P, T, O> TimedSession<S, P, T, O>
where
    S: FramedRead + FramedWrite + FramedFlush,
    P: PixelStore,
    T: Timer,
    O: Observer,
{
    /// Waits for the next event; `None` once the connection has ended in order.
    ///
    /// A server that is [taken for dead](ironrdp_session::Liveness) is told by [`Event::PeerSilent`] and after it by an error.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: an event is taken only when it is returned.
    ///
    /// # Panics
    ///
    /// Where the runtime's timers do; tokio's outside of a runtime with time enabled.
    pub async fn next_event(&mut self) -> Result<Option<Event>, StreamError> {
        loop {
            if let Some(event) = self.stream.poll_event() {
                return Ok(Some(event));
            }
            if self.stream.is_ended() {
                return Ok(None);
            }
            self.progress().await?;
        }
    }

    /// [`SessionStream::progress`] until the next timer goes off, which is progress too.
    ///
    /// Call it when [`poll_event`](SessionStream::poll_event) has nothing more. An error comes after the events before it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe in both directions.
    ///
    /// # Panics
    ///
    /// As [`next_event`](Self::next_event).
    pub async fn progress(&mut self) -> Result<(), StreamError> {
        let Self { stream, alarm, .. } = self;
        alarm.arm(stream.poll_timeout());
        let is_late = {
            let mut progress = pin!(stream.progress());
            poll_fn(|cx| {
                // In this order, because a stream that blocks has to block before it is late.
                if let Poll::Ready(result) = progress.as_mut().poll(cx) {
                    return Poll::Ready(result.map(|()| false));
                }
                alarm.poll(cx).map(|()| Ok(true))
            })
            .await?
        };
        if is_late {
            stream.handle_timeout(T::now());
        }
        Ok(())
    }
}

impl<S, P, T: Timer> From<SessionStream<S, P>> for TimedSession<S, P, T> {
    fn from(stream: SessionStream<S, P>) -> Self {
        Self {
            stream,
            alarm: Alarm::default(),
            timings: PhaseTimings::default(),
        }
    }
}

impl<S, P, T, O> Deref for TimedSession<S, P, T, O> {
    type Target = SessionStream<S, P, O>;

    fn deref(&self) -> &Self::Target {
        &self.stream
    }
}

impl<S, P, T, O> DerefMut for TimedSession<S, P, T, O> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.stream
    }
}

impl<S, P, T, O> fmt::Debug for TimedSession<S, P, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimedSession")
            .field("stream", &self.stream)
            .field("timings", &self.timings)
            .finish_non_exhaustive()
    }
}
