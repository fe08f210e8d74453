//! A running session with its timers.

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::ops::{Deref, DerefMut};
use std::pin::{Pin, pin};
use std::task::Poll;

use ironrdp_async::{SessionStream, StreamError, now, to_std};
use ironrdp_session::{Event, PixelStore, SessionError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{Connected, PhaseTimings, TokioStream, Transport};

/// A running session: events out, input in, timers driven.
///
/// ```no_run
/// use ironrdp_connector::{Config, Credentials};
/// use ironrdp_session::Event;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::new(Credentials::new("user", "password"));
/// let mut session = ironrdp_tokio::connect("desk.example", config).await?;
/// while let Some(event) = session.next_event().await? {
///     if event == Event::Painted {
///         println!("{} rectangles changed", session.session().damage().len());
///         session.session_mut().clear_damage();
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// Dereferences to [`SessionStream`], which has everything else: the pixels, commands, input. Its methods that wait do not drive
/// the timers, [`next_event`](Self::next_event) of this type does.
pub struct Session<P, T = TcpStream> {
    stream: SessionStream<TokioStream<Transport<T>>, P>,
    timings: PhaseTimings,
    /// Armed while the session has something to time; an idle one has nothing.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<T> Connected<T> {
    /// Starts the session, drawing into `pixels`.
    ///
    /// Fails only if the pixel store refuses the size of the desktop.
    pub fn into_session<P: PixelStore>(self, pixels: P) -> Result<Session<P, T>, SessionError> {
        let stream = SessionStream::new(self.framed, self.result, pixels)?;
        Ok(Session {
            stream,
            timings: self.timings,
            timer: None,
        })
    }
}

impl<P, T> Session<P, T> {
    /// How long each phase of the connection took.
    pub fn timings(&self) -> &PhaseTimings {
        &self.timings
    }
}

impl<P: PixelStore, T: AsyncRead + AsyncWrite + Unpin> Session<P, T> {
    /// The stream the session runs on: addresses, TLS version, the server's certificate.
    pub fn transport(&self) -> &Transport<T> {
        self.stream.framed().get_inner().0
    }

    /// Waits for the next event; `None` once the connection has ended in order.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: an event is taken only when it is returned.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with time enabled.
    pub async fn next_event(&mut self) -> Result<Option<Event>, StreamError> {
        loop {
            if let Some(event) = self.stream.poll_event() {
                return Ok(Some(event));
            }
            if self.stream.is_ended() {
                return Ok(None);
            }
            self.arm();
            if self.progress_or_timer().await? {
                self.timer = None;
                self.stream.handle_timeout(now());
            }
        }
    }

    /// Waits until the stream got on (false) or the timer fired (true).
    async fn progress_or_timer(&mut self) -> Result<bool, StreamError> {
        let Self { stream, timer, .. } = self;
        let mut progress = pin!(stream.progress());
        poll_fn(|cx| {
            if let Poll::Ready(result) = progress.as_mut().poll(cx) {
                return Poll::Ready(result.map(|()| false));
            }
            match timer {
                Some(timer) => timer.as_mut().poll(cx).map(|()| Ok(true)),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Makes the timer fire no later than the session wants.
    fn arm(&mut self) {
        let wanted = self.stream.poll_timeout().and_then(to_std).map(Instant::from_std);
        match (wanted, &mut self.timer) {
            (None, _) => self.timer = None,
            // Most deadlines move on with every frame. Waking too early now and then is cheaper than moving the timer each time.
            (Some(wanted), Some(timer)) if timer.deadline() <= wanted => {}
            (Some(wanted), Some(timer)) => timer.as_mut().reset(wanted),
            (Some(wanted), None) => self.timer = Some(Box::pin(sleep_until(wanted))),
        }
    }
}

impl<P, T> Deref for Session<P, T> {
    type Target = SessionStream<TokioStream<Transport<T>>, P>;

    fn deref(&self) -> &Self::Target {
        &self.stream
    }
}

impl<P, T> DerefMut for Session<P, T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.stream
    }
}

impl<P, T> fmt::Debug for Session<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("stream", &self.stream)
            .field("timings", &self.timings)
            .finish_non_exhaustive()
    }
}
