//! The running session over a stream that blocks.

use std::fmt;
use std::io::{Read, Write};
use std::time::Duration;

use ironrdp_async::{Observer, PhaseTimings, StreamError, TimedSession, now};
use ironrdp_connector::ConnectionResult;
use ironrdp_core::MonotonicInstant;
use ironrdp_pdu::input::InputEvent;
use ironrdp_session::{Event, PixelStore, Session, SessionError};

use crate::Framed;
use crate::stream::BlockingStream;
use crate::timed::{BlockingTimer, wait, wait_until};

/// A [`Session`] and the stream it runs on: frames in, answers out, reactivations by itself.
///
/// The [`TimedSession`] of `ironrdp-async` around a stream that blocks. Its timers, which find out a dead server among others, need a
/// socket that is [`Timed`](crate::Timed), or a read timeout (`TcpStream::set_read_timeout`): only then does a thread that waits for
/// the server look at the clock.
///
/// `O` is who measures it: nobody, unless [`with_observer`](Self::with_observer) gave it one.
pub struct SessionStream<S, P, O = ()> {
    inner: TimedSession<BlockingStream<S>, P, BlockingTimer, O>,
}

impl<S, P: PixelStore> SessionStream<S, P> {
    /// The session that `connection` has agreed upon, over the stream it came about on, drawing into `pixels`.
    ///
    /// Fails only if the limits or the pixel store do not allow the size of the desktop.
    pub fn new(framed: Framed<S>, connection: ConnectionResult, pixels: P) -> Result<Self, SessionError> {
        let inner = TimedSession::new(framed.inner, connection, pixels)?;
        Ok(Self { inner })
    }

    #[cfg(feature = "connect")]
    pub(crate) fn with_timings(mut self, timings: PhaseTimings) -> Self {
        self.inner = self.inner.with_timings(timings);
        self
    }
}

impl<S, P: PixelStore, O: Observer> SessionStream<S, P, O> {
    /// The same session, with `observer` to measure it from here on.
    pub fn with_observer<N: Observer>(self, observer: N) -> SessionStream<S, P, N> {
        SessionStream {
            inner: self.inner.with_observer(observer),
        }
    }

    /// The session itself: pixels, damage, desktop size, counters.
    pub fn session(&self) -> &Session<P> {
        self.inner.session()
    }

    /// The session itself, for commands: what they queue is sent by the next call that waits.
    ///
    /// Take events with [`poll_event`](Self::poll_event) of this type and not of the session, or deactivations go unanswered.
    pub fn session_mut(&mut self) -> &mut Session<P> {
        self.inner.session_mut()
    }

    /// What the connection sequence agreed upon.
    pub fn connection(&self) -> &ConnectionResult {
        self.inner.connection()
    }

    /// The stream, to look at.
    pub fn stream(&self) -> &S {
        self.inner.framed().get_inner().0
    }

    /// How long each phase of the connection took; all zero if it was not made by [`connect`](crate::connect()).
    pub fn timings(&self) -> &PhaseTimings {
        self.inner.timings()
    }

    /// Sets how long a server that deactivated the share may take to activate it again. Unless set, it is as long as the first
    /// activation might take ([`Deadlines::activate`](ironrdp_connector::Deadlines::activate)).
    pub fn set_reactivation_timeout(&mut self, timeout: Duration) {
        self.inner.set_reactivation_timeout(timeout);
    }

    /// Whether the server is bringing the share to life again, after it has deactivated it.
    pub fn is_reactivating(&self) -> bool {
        self.inner.is_reactivating()
    }

    /// Whether the connection has ended in order: no event and no error will come any more.
    pub fn is_ended(&self) -> bool {
        self.inner.is_ended()
    }

    /// The next event that waits, without waiting for one.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.inner.poll_event()
    }
}

impl<S: Read + Write, P: PixelStore, O: Observer> SessionStream<S, P, O> {
    /// Waits for the next event, however often the stream's timeout passes; `None` once the connection has ended in order.
    ///
    /// A server that is [taken for dead](ironrdp_session::Liveness) is told by [`Event::PeerSilent`] and after it by an error.
    ///
    /// Not for streams that never block: it would go round and round. Those use [`progress`](Self::progress).
    pub fn next_event(&mut self) -> Result<Option<Event>, StreamError> {
        loop {
            if let Some(event) = self.poll_event() {
                return Ok(Some(event));
            }
            if self.is_ended() {
                return Ok(None);
            }
            self.progress()?;
        }
    }

    /// Sends what is queued, waits for bytes, and handles the frames in them; or goes on with a reactivation, or does what a timer
    /// wants. False if the stream's own timeout passed instead, and nothing is lost by that.
    ///
    /// Call it when [`poll_event`](Self::poll_event) has nothing more. An error comes after the events before it.
    pub fn progress(&mut self) -> Result<bool, StreamError> {
        self.progress_until(self.inner.poll_timeout())
    }

    /// [`progress`](Self::progress) for at most `patience`; needs a socket that is [`Timed`](crate::Timed).
    pub fn progress_within(&mut self, patience: Duration) -> Result<bool, StreamError> {
        let until = now() + patience;
        self.progress_until(self.inner.poll_timeout().into_iter().chain([until]).min())
    }

    fn progress_until(&mut self, until: Option<MonotonicInstant>) -> Result<bool, StreamError> {
        Ok(wait_until(until, self.inner.progress()).transpose()?.is_some())
    }

    /// Sends what the user did. What the stream does not take before its write timeout goes with the next call that waits.
    pub fn send_input(&mut self, events: &[InputEvent]) -> Result<(), StreamError> {
        wait(self.inner.send_input(events)).unwrap_or(Ok(()))
    }

    /// Waits until everything that was asked for has been sent; false if the stream's write timeout passed before, and the next
    /// call that waits goes on.
    pub fn flush(&mut self) -> Result<bool, StreamError> {
        Ok(wait(self.inner.flush()).transpose()?.is_some())
    }

    /// Tells the server that the client leaves. Its session goes on and can be come back to; nothing more can be sent.
    ///
    /// Go on with [`next_event`](Self::next_event) until it gives `None`, or drop the stream.
    pub fn disconnect(&mut self) -> Result<(), StreamError> {
        wait(self.inner.disconnect()).unwrap_or(Ok(()))
    }
}

impl<S, P, O> fmt::Debug for SessionStream<S, P, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
