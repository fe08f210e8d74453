//! The running session over a stream.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use ironrdp_connector::{
    Activated, Activation, Compression, ConnectionResult, ConnectorError, ConnectorErrorKind, Driver, Need,
    Refusal,
};
use ironrdp_core::{FrameBuf, MonotonicInstant, WriteBuf};
use ironrdp_pdu::Action;
use ironrdp_pdu::client_info::CompressionType;
use ironrdp_pdu::input::InputEvent;
use ironrdp_session::{
    Channel, Event, PixelStore, ServerSupport, Session, SessionConfig, SessionError, Share,
};

use crate::stream_error::read_error;
use crate::{
    Driven, EndOfStream, Framed, FramedFlush, FramedRead, FramedWrite, NoAnswers, Observer, StreamError,
    StreamErrorKind, Work, drive,
};

/// Answers to frames do not move to a stream's queue that has this much; they wait in the session, within its limits.
const MAX_MOVED: usize = 256 * 1024;

thread_local! {
    /// Answers on their way from the session to the queue: one buffer a thread, not one a session.
    static SCRATCH: Cell<WriteBuf> = const { Cell::new(WriteBuf::new()) };
}

/// A [`Session`] and the stream it runs on: frames in, answers out, reactivations by itself.
///
/// Drives no timers: [`TimedSession`](crate::TimedSession) does, with any [`Timer`](crate::Timer).
///
/// Everything is sent in the order in which it was asked for, and nothing is lost by dropping a future.
///
/// `O` is who measures it: nobody, unless [`with_observer`](Self::with_observer) gave it one.
pub struct SessionStream<S, P, O = ()> {
    framed: Framed<S>,
    session: Session<P>,
    connection: Box<ConnectionResult>,
    /// Frames that a connection sequence kept back; they come before those in the buffer.
    early: VecDeque<Vec<u8>>,
    reactivation: Option<Box<Reactivation>>,
    reactivation_timeout: Duration,
    /// An end that the stream found out about; told after all that the session has to tell.
    last_event: Option<Event>,
    ended: bool,
    failed: Option<StreamError>,
    observer: O,
}

struct Reactivation {
    driver: Driver<Activation>,
    deadline: MonotonicInstant,
}

impl<S, P: PixelStore> SessionStream<S, P> {
    /// The session that `connection` has agreed upon, over the stream it came about on, drawing into `pixels`.
    ///
    /// Fails only if the limits or the pixel store do not allow the size of the desktop.
    pub fn new(
        mut framed: Framed<S>,
        mut connection: ConnectionResult,
        pixels: P,
    ) -> Result<Self, SessionError> {
        framed.set_limits(connection.limits());
        let mut session = Session::new(session_config(&connection), pixels)?;
        // Silence counts from now on.
        session.handle_timeout(framed.now());
        let reactivation_timeout = connection.deadlines().activate;
        let early = connection.take_deferred().into();
        Ok(Self {
            framed,
            session,
            connection: Box::new(connection),
            early,
            reactivation: None,
            reactivation_timeout,
            last_event: None,
            ended: false,
            failed: None,
            observer: (),
        })
    }
}

impl<S, P: PixelStore, O: Observer> SessionStream<S, P, O> {
    /// The same session, with `observer` to measure it from here on.
    pub fn with_observer<N: Observer>(self, observer: N) -> SessionStream<S, P, N> {
        SessionStream {
            framed: self.framed,
            session: self.session,
            connection: self.connection,
            early: self.early,
            reactivation: self.reactivation,
            reactivation_timeout: self.reactivation_timeout,
            last_event: self.last_event,
            ended: self.ended,
            failed: self.failed,
            observer,
        }
    }

    /// Who measures the session.
    pub const fn observer(&self) -> &O {
        &self.observer
    }

    /// The session itself: pixels, damage, desktop size, counters.
    pub const fn session(&self) -> &Session<P> {
        &self.session
    }

    /// The session itself, for commands: what they queue is sent by the next call that waits.
    ///
    /// Take events with [`poll_event`](Self::poll_event) of this type and not of the session, or deactivations go unanswered.
    pub const fn session_mut(&mut self) -> &mut Session<P> {
        &mut self.session
    }

    /// What the connection sequence agreed upon.
    pub fn connection(&self) -> &ConnectionResult {
        &self.connection
    }

    /// The stream, to look at.
    pub const fn framed(&self) -> &Framed<S> {
        &self.framed
    }

    /// Sets how long a server that deactivated the share may take to activate it again. Unless set, it is as long as the first
    /// activation might take ([`Deadlines::activate`](ironrdp_connector::Deadlines::activate)).
    pub fn set_reactivation_timeout(&mut self, timeout: Duration) {
        self.reactivation_timeout = timeout;
    }

    /// Whether the server is bringing the share to life again, after it has deactivated it.
    pub const fn is_reactivating(&self) -> bool {
        self.reactivation.is_some()
    }

    /// Whether the connection has ended in order: no event and no error will come any more.
    pub const fn is_ended(&self) -> bool {
        self.ended
    }

    /// The next event that waits, without waiting for one.
    ///
    /// After [`Event::Deactivated`] the stream reactivates the share by itself; commands are refused meanwhile.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.session.poll_event().or_else(|| self.last_event.take())?;
        match &event {
            Event::Deactivated => self.begin_reactivation(),
            Event::Disconnected { .. } => self.ended = true,
            _ => {}
        }
        Some(event)
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, if at all.
    pub fn poll_timeout(&self) -> Option<MonotonicInstant> {
        let deadline = self
            .reactivation
            .as_ref()
            .map(|reactivation| reactivation.deadline);
        self.session.poll_timeout().into_iter().chain(deadline).min()
    }

    /// Handles the passing of time up to `now`.
    pub fn handle_timeout(&mut self, now: MonotonicInstant) {
        self.session.handle_timeout(now);
        if self
            .reactivation
            .as_ref()
            .is_some_and(|reactivation| reactivation.deadline <= now)
        {
            self.fail(StreamErrorKind::ReactivationTimeout);
        }
        // A server that is taken for dead.
        if let Some(error) = self.session.failure().cloned() {
            self.fail(error.into());
        }
    }

    fn begin_reactivation(&mut self) {
        let mut driver = Driver::new(self.connection.reactivation());
        // The server may have been faster than we are: its Demand Active came before the session could say that it ended.
        if let Some(frame) = self.session.take_activation_frame() {
            let mut rx = FrameBuf::new();
            rx.extend_from_slice(&frame);
            rx.set_received_at(self.framed.received_at());
            // An error comes again when the driver is driven.
            while let Ok(Need::Send(bytes)) = driver.poll(&mut rx) {
                self.framed.out.push(bytes);
            }
        }
        let deadline = self.framed.now() + self.reactivation_timeout;
        self.reactivation = Some(Box::new(Reactivation { driver, deadline }));
    }

    /// Hands the session its new share and what came for it meanwhile.
    fn end_reactivation(&mut self, reactivation: Reactivation) -> Result<(), StreamErrorKind> {
        let activation = reactivation.driver.into_sequence();
        self.connection.ignored += activation.ignored();
        let (activated, kept) = activation.into_result()?;
        self.session.reactivated(share(&activated))?;
        self.session.note_arrival(self.framed.received_at());
        tracing::debug!(share_id = activated.share_id, "share reactivated");
        self.early.extend(kept);
        Ok(())
    }

    /// Handles the whole frames that are here; false if there are none.
    fn handle_frames(&mut self) -> Result<bool, StreamErrorKind> {
        if !O::ENABLED {
            return self.handle_frames_unobserved();
        }
        let started = self.framed.now();
        let handled = self.handle_frames_unobserved();
        if !matches!(handled, Ok(false)) {
            self.tell(Some(self.framed.now() - started));
        }
        handled
    }

    /// Tells the observer what the session has done.
    fn tell(&mut self, decoding: Option<Duration>) {
        if O::ENABLED {
            self.observer.worked(&Work {
                stats: self.session.stats(),
                decoding,
                // Some of it may not have moved to the stream's queue yet.
                queued_bytes: self.framed.queued() + self.session.queued_bytes(),
            });
        }
    }

    fn handle_frames_unobserved(&mut self) -> Result<bool, StreamErrorKind> {
        let mut handled = false;
        // A share that ends in the middle of it: what follows belongs to the activation.
        let was_active = self.session.is_active();
        let received_at = self.framed.received_at();
        while self.session.is_active() == was_active {
            if let Some(frame) = self.early.pop_front() {
                let first = frame.first().copied().unwrap_or_default();
                let action = Action::from_first_byte(first).map_err(SessionError::from)?;
                self.session.handle_frame(received_at, action, &frame)?;
            } else if let Some((action, frame)) = self.framed.buffered_frame().map_err(read_error)? {
                self.session.handle_frame(received_at, action, frame)?;
            } else {
                break;
            }
            handled = true;
        }
        Ok(handled)
    }

    /// Moves what the session wants to send to the stream's queue, if that is not long already.
    fn transmit(&mut self) -> bool {
        let queued = self.framed.queued();
        let together = queued.saturating_add(self.session.queued_bytes());
        if queued >= MAX_MOVED || queued > 0 && together > self.connection.limits().output_bytes {
            return false;
        }
        SCRATCH.with(|slot| {
            let mut scratch = slot.take();
            let moved = self.session.poll_transmit(&mut scratch);
            self.framed.out.push(scratch.filled());
            if scratch.filled_len() > MAX_MOVED {
                scratch.release();
            }
            scratch.clear();
            slot.set(scratch);
            moved
        })
    }

    /// The connection has ended as the kind says, and every call says so from now on.
    fn fail(&mut self, kind: StreamErrorKind) -> StreamError {
        let error = StreamError::new(kind);
        tracing::debug!(%error, "session stream failed");
        self.failed.get_or_insert(error).clone()
    }

    /// Sorts the failure of a reactivation: servers deactivate the share before they disconnect, too.
    fn note_failed_reactivation(&mut self, error: ConnectorError) -> Result<(), StreamErrorKind> {
        let said_why = self.session.error_info().filter(|info| !info.is_none());
        let (reason, error_info) = match error.kind() {
            ConnectorErrorKind::Refused(Refusal::ErrorInfo(info)) => (None, Some(*info)),
            ConnectorErrorKind::Refused(Refusal::Disconnected(reason)) => (Some(*reason), said_why),
            ConnectorErrorKind::Io(io::ErrorKind::UnexpectedEof) if said_why.is_some() => (None, said_why),
            _ => return Err(error.into()),
        };
        self.reactivation = None;
        self.last_event = Some(Event::Disconnected { reason, error_info });
        Ok(())
    }

    /// Sorts the failure of the stream: an end that was announced is none.
    fn note_end(&mut self, error: io::Error) -> Result<(), StreamErrorKind> {
        let is_leaving = !self.session.is_active() && self.reactivation.is_none();
        let is_clean = EndOfStream::of(&error).is_some_and(EndOfStream::is_between_frames);
        let said_why = self.session.error_info().filter(|info| !info.is_none());
        if is_leaving {
            self.ended = true;
        } else if is_clean && said_why.is_some() {
            self.last_event = Some(Event::Disconnected {
                reason: None,
                error_info: said_why,
            });
        } else {
            return Err(read_error(error));
        }
        Ok(())
    }
}

impl<S, P, O> SessionStream<S, P, O>
where
    S: FramedRead + FramedWrite + FramedFlush,
    P: PixelStore,
    O: Observer,
{
    /// Waits for the next event; `None` once the connection has ended in order.
    ///
    /// Does not call [`handle_timeout`](Self::handle_timeout); a [`TimedSession`](crate::TimedSession) does.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: an event is taken only when it is returned.
    pub async fn next_event(&mut self) -> Result<Option<Event>, StreamError> {
        loop {
            if let Some(event) = self.poll_event() {
                return Ok(Some(event));
            }
            if self.ended {
                return Ok(None);
            }
            self.progress().await?;
        }
    }

    /// Sends what is queued, waits for bytes, and handles the frames in them; or goes on with a reactivation.
    ///
    /// Call it when [`poll_event`](Self::poll_event) has nothing more. An error comes after the events before it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe in both directions.
    pub async fn progress(&mut self) -> Result<(), StreamError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.step().await;
        // Answers to what was handled, also to what came before an error, go out as far as there is room.
        self.transmit();
        self.tell(None);
        if let Err(kind) = result {
            // What was good before it is told first; then the next call finds the error.
            self.fail(kind);
        }
        Ok(())
    }

    async fn step(&mut self) -> Result<(), StreamErrorKind> {
        self.transmit();
        if let Some(reactivation) = &mut self.reactivation {
            return match drive(&mut self.framed, &mut reactivation.driver, &mut NoAnswers).await {
                Ok(Driven::Done) => match self.reactivation.take() {
                    Some(reactivation) => self.end_reactivation(*reactivation),
                    None => Ok(()),
                },
                Ok(Driven::UpgradeToTls | Driven::Paused) => Ok(()),
                Err(error) => self.note_failed_reactivation(error),
            };
        }
        if self.handle_frames()? {
            return Ok(());
        }
        let exchanged = poll_fn(|cx| {
            loop {
                let polled = self.framed.poll_exchange(cx);
                // The queue has gone, and what did not fit into it comes next.
                if polled.is_pending() && self.framed.queued() == 0 && self.transmit() {
                    continue;
                }
                return polled;
            }
        })
        .await;
        match exchanged {
            Ok(()) => {
                self.session.note_arrival(self.framed.received_at());
                self.handle_frames().map(|_| ())
            }
            Err(error) => self.note_end(error),
        }
    }

    /// Sends what the user did: queues it and writes what the stream takes at once. The rest goes with the next call that waits.
    ///
    /// Never waits for the server, so it cannot deadlock with one that waits for us to read. An error is a refusal of these events:
    /// the share is not active, as during a reactivation ([`is_not_active`](StreamError::is_not_active)), or
    /// [`Limits::output_bytes`](ironrdp_core::Limits::output_bytes) wait for a server that does not read
    /// ([`limit`](StreamError::limit)). Nothing of them is sent then and the session goes on; if it has ended,
    /// [`next_event`](Self::next_event) says so.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: resolves at its first poll.
    pub async fn send_input(&mut self, events: &[InputEvent]) -> Result<(), StreamError> {
        self.session
            .send_input(events)
            .map_err(|error| StreamError::new(error.into()))?;
        self.write_some().await;
        Ok(())
    }

    /// Waits until everything that was asked for has been sent.
    ///
    /// Reads nothing meanwhile: bound it with a timeout, since a server may be waiting for us to read.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next call that waits goes on.
    pub async fn flush(&mut self) -> Result<(), StreamError> {
        loop {
            self.transmit();
            self.framed
                .flush()
                .await
                .map_err(|error| self.fail(StreamErrorKind::Io(error)))?;
            // What did not fit into the queue comes next.
            if self.session.queued_bytes() == 0 {
                self.tell(None);
                return Ok(());
            }
        }
    }

    /// Tells the server that the client leaves. Its session goes on and can be come back to; nothing more can be sent.
    ///
    /// Queues the message and writes what the stream takes at once: [`flush`](Self::flush), or go on with
    /// [`next_event`](Self::next_event) until it gives `None`, then drop the stream.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: resolves at its first poll.
    pub async fn disconnect(&mut self) -> Result<(), StreamError> {
        self.session
            .disconnect()
            .map_err(|error| StreamError::new(error.into()))?;
        self.reactivation = None;
        self.write_some().await;
        Ok(())
    }

    /// One attempt to write, in the task's own context so that it is woken for the rest.
    async fn write_some(&mut self) {
        self.transmit();
        poll_fn(|cx| {
            // A failure comes again, and is told, where the stream is waited for.
            let _ = self.framed.poll_flush(cx);
            Poll::Ready(())
        })
        .await;
        self.tell(None);
    }
}

impl<S, P, O> fmt::Debug for SessionStream<S, P, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionStream")
            .field("framed", &self.framed)
            .field("reactivating", &self.reactivation.is_some())
            .field("ended", &self.ended)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// What a session has to know of the connection, in its own terms.
pub fn session_config(connection: &ConnectionResult) -> SessionConfig {
    SessionConfig {
        user_channel_id: connection.user_channel_id,
        io_channel_id: connection.io_channel_id,
        message_channel_id: connection.message_channel_id,
        channels: connection
            .channels
            .iter()
            .map(|channel| Channel {
                name: channel.name.clone(),
                id: channel.id,
            })
            .collect(),
        compression: match connection.compression {
            Compression::Off => None,
            Compression::Mppc8K => Some(CompressionType::Mppc8K),
            Compression::Mppc64K => Some(CompressionType::Mppc64K),
        },
        share: share(&connection.activated),
        limits: *connection.limits(),
        liveness: *connection.liveness(),
    }
}

/// What an activation agreed upon, in the session's terms.
pub fn share(activated: &Activated) -> Share {
    let server = &activated.server;
    Share {
        share_id: activated.share_id,
        desktop_size: activated.desktop_size,
        bits_per_pixel: activated.color_depth.bits(),
        server: ServerSupport {
            fast_path_input: server.input.fast_path,
            unicode_input: server.input.unicode,
            extended_mouse: server.input.extended_mouse,
            horizontal_wheel: server.input.horizontal_wheel,
            relative_mouse: server.input.relative_mouse,
            refresh_rect: server.refresh_rect,
            suppress_output: server.suppress_output,
            frame_acknowledge: server.frame_acknowledge,
            channel_chunk_size: server.channel_chunk_size,
        },
    }
}
