//! The running session over a stream that blocks.

use std::fmt;
use std::io::{Read, Write};
use std::time::Duration;

use ironrdp_async::{StreamError, now};
use ironrdp_connector::ConnectionResult;
use ironrdp_pdu::input::InputEvent;
use ironrdp_session::{Event, PixelStore, Session, SessionError};

use crate::Framed;
use crate::stream::{BlockingStream, wait};

/// A [`Session`] and the stream it runs on: frames in, answers out, reactivations by itself.
///
/// The [`SessionStream`](ironrdp_async::SessionStream) of `ironrdp-async` around a stream that blocks. Give the stream a read timeout
/// (`TcpStream::set_read_timeout`): only then does a thread that waits for the server look at the clock, and only then does
/// [`progress`](Self::progress) come back from a server that is silent.
pub struct SessionStream<S, P> {
    inner: ironrdp_async::SessionStream<BlockingStream<S>, P>,
}

impl<S, P: PixelStore> SessionStream<S, P> {
    /// The session that `connection` has agreed upon, over the stream it came about on, drawing into `pixels`.
    ///
    /// Fails only if the pixel store refuses the size of the desktop.
    pub fn new(framed: Framed<S>, connection: ConnectionResult, pixels: P) -> Result<Self, SessionError> {
        let inner = ironrdp_async::SessionStream::new(framed.inner, connection, pixels)?;
        Ok(Self { inner })
    }

    /// The session itself: pixels, damage, desktop size, counters.
    pub const fn session(&self) -> &Session<P> {
        self.inner.session()
    }

    /// The session itself, for commands: what they queue is sent by the next call that waits.
    ///
    /// Take events with [`poll_event`](Self::poll_event) of this type and not of the session, or deactivations go unanswered.
    pub const fn session_mut(&mut self) -> &mut Session<P> {
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

    /// Sets how long a server that deactivated the share may take to activate it again (default 20 s).
    pub fn set_reactivation_timeout(&mut self, timeout: Duration) {
        self.inner.set_reactivation_timeout(timeout);
    }

    /// Whether the server is bringing the share to life again, after it has deactivated it.
    pub const fn is_reactivating(&self) -> bool {
        self.inner.is_reactivating()
    }

    /// Whether the connection has ended in order: no event and no error will come any more.
    pub const fn is_ended(&self) -> bool {
        self.inner.is_ended()
    }

    /// The next event that waits, without waiting for one.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.inner.poll_event()
    }
}

impl<S: Read + Write, P: PixelStore> SessionStream<S, P> {
    /// Waits for the next event, however often the stream's timeout passes; `None` once the connection has ended in order.
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

    /// Sends what is queued, waits for bytes, and handles the frames in them; or goes on with a reactivation. False if the
    /// stream's timeout passed instead, and nothing is lost by that.
    ///
    /// Call it when [`poll_event`](Self::poll_event) has nothing more. An error comes after the events before it.
    pub fn progress(&mut self) -> Result<bool, StreamError> {
        let progressed = wait(self.inner.progress()).transpose()?.is_some();
        let at = now();
        if self.inner.poll_timeout().is_some_and(|due| due <= at) {
            self.inner.handle_timeout(at);
        }
        Ok(progressed)
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

impl<S, P> fmt::Debug for SessionStream<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
