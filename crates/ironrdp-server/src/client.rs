//! The task of one client.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use ironrdp_async::{EndOfStream, NoAnswers, drive};
use ironrdp_connector::{AcceptResult, Driver};
use ironrdp_core::WriteBuf;
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::client_info::{ClientInfo, Secret};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::input::InputEvent;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::admission::Permit;
use crate::handshake::{Accepted, ServerFramed, accept};
use crate::screen::Mark;
use crate::server::Shared;
use crate::stall::{Progress, Stall};
use crate::{
    Input, Screen, Seat, ServerError, ServerErrorKind, ServerResult, ServerSession, ServerTransport,
};

/// Work done before others get their turn, in events: 64 frames of one each. The last frame of a turn may hold more, 1,785
/// areas at most, so that whatever a client sends keeps a thread for a millisecond or so.
const WORK_A_TURN: u32 = 4_096;

/// How long the last words may take, and the client to close the connection after them.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves one client from its first byte to its last.
pub(crate) async fn run<T>(stream: T, address: SocketAddr, mut permit: Permit, shared: Arc<Shared>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut shutdown = shared.shutdown.subscribe();
    // The handshake needs much more memory than what follows; in a box of its own it is gone afterwards.
    let handshake = Box::pin(timeout(
        shared.config.handshake_timeout,
        accept(stream, address, &shared),
    ));
    let accepted = tokio::select! {
        accepted = handshake => accepted,
        () = shut_down(&mut shutdown) => return,
    };
    permit.handshake_done();
    let error = match accepted {
        Ok(Ok(accepted)) => match serve(accepted, &shared, shutdown).await {
            Ok(()) => return,
            Err(error) => error,
        },
        Ok(Err(error)) => error,
        Err(_) => ServerError::new(
            ServerErrorKind::Timeout,
            "the client did not finish the handshake in time",
        ),
    };
    tracing::info!(%address, error = chain(&error), "client dropped");
}

/// Waits for the server to be shut down.
async fn shut_down(shutdown: &mut watch::Receiver<bool>) {
    // An error is the end of the sender, which lives as long as the server.
    let _ = shutdown.wait_for(|shutdown| *shutdown).await;
}

/// The message of an error and of its causes: the last one names the byte.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        next = cause.source();
    }
    line
}

/// Everything of a session that lives as long as it does.
struct Running<'a, T> {
    shared: &'a Shared,
    framed: ServerFramed<T>,
    result: Box<AcceptResult>,
    session: ServerSession,
    input: Attended,
    screen: watch::Receiver<Mark>,
    alarm: watch::Receiver<()>,
    /// When the user was last seen to do something.
    attended: Instant,
    stall: Stall,
    next_frame: Instant,
}

/// Hands on what the user does, and notes that there is one.
struct Attended {
    input: Box<dyn Input>,
    used: bool,
}

impl Input for Attended {
    fn event(&mut self, event: InputEvent) {
        // Those come from the client's machine, at times of its own.
        let by_itself = matches!(event, InputEvent::QoeTimestamp { .. } | InputEvent::Other { .. });
        self.used |= !by_itself;
        self.input.event(event);
    }
}

async fn serve<T: AsyncRead + AsyncWrite + Unpin>(
    accepted: Accepted<T>,
    shared: &Shared,
    shutdown: watch::Receiver<bool>,
) -> ServerResult<()> {
    let Accepted {
        mut framed,
        mut result,
        client,
    } = accepted;
    tracing::info!(id = client.id, address = %client.address, user = client.user_name, depth = client.color_depth.bits(), "client accepted");
    shared.counters.accepted.fetch_add(1, Ordering::Relaxed);
    let Some(Seat { screen, input }) = shared.host.seat(&client) else {
        // There is nothing to show, but the farewell needs a session.
        return refuse(framed, &result).await;
    };
    let (watch, alarm) = (screen.watch(), screen.alarm());
    let session = ServerSession::new(&result, screen, shared.config.bulk);
    let mut out = WriteBuf::new();
    let extended = result.info.extended.as_ref();
    if client.came_back_to.is_none() && extended.is_some_and(|info| info.auto_reconnect.is_some()) {
        session.refuse_cookie(&mut out)?;
    }
    if shared.config.auto_reconnect && session.takes_cookies() {
        shared
            .cookies
            .give(client.id, &client.user_name, &client.domain, |cookie| {
                session.greet(&client, Some(cookie), &mut out)
            })??;
    } else {
        session.greet(&client, None, &mut out)?;
    }
    send(&mut framed, &out)?;
    let deferred = result.take_deferred();
    // What has done its work and would stay for hours otherwise.
    result.activated.capabilities.sets = Vec::new();
    result.channels = Vec::new();
    result.info = ClientInfo {
        extended: None,
        password: Secret::default(),
        ..ClientInfo::new("", "")
    };
    let now = Instant::now();
    let mut running = Running {
        shared,
        framed,
        result,
        session,
        input: Attended { input, used: false },
        screen: watch,
        alarm,
        attended: now,
        stall: Stall::default(),
        next_frame: now,
    };
    drop(out);
    for frame in deferred {
        running.handle(&frame)?;
    }
    let farewell = running.run(shutdown).await;
    shared.counters.ended.fetch_add(1, Ordering::Relaxed);
    let ignored = running.result.ignored + running.session.ignored();
    shared.counters.ignored.fetch_add(ignored, Ordering::Relaxed);
    match farewell? {
        Some(why) => running.say_farewell(why).await,
        None => Ok(()),
    }
}

/// Turns away a client that nobody has a place for.
async fn refuse<T: AsyncRead + AsyncWrite + Unpin>(
    mut framed: ServerFramed<T>,
    result: &AcceptResult,
) -> ServerResult<()> {
    // Nothing of it is ever sent, and every tile would cost memory.
    let size = DesktopSize::new(1, 1).unwrap_or(result.activated.desktop_size);
    let mut session = ServerSession::new(result, Screen::new(size, BlankDisplay), false);
    let mut out = WriteBuf::new();
    session.disconnect(ErrorInfo::SERVER_DENIED_CONNECTION, &mut out)?;
    send(&mut framed, &out)?;
    close(&mut framed).await;
    Err(ServerError::new(
        ServerErrorKind::Unexpected,
        "the host has no seat for the client",
    ))
}

struct BlankDisplay;

impl crate::Display for BlankDisplay {
    fn paint(&self, _: ironrdp_graphics::Rect, _: &mut ironrdp_graphics::ImageMut<'_>) {}
}

impl<T: AsyncRead + AsyncWrite + Unpin> Running<'_, T> {
    /// Runs until one of both sides ends it; the reason if it was this one.
    async fn run(&mut self, mut shutdown: watch::Receiver<bool>) -> ServerResult<Option<ErrorInfo>> {
        let stall_timeout = self.shared.config.stall_timeout;
        loop {
            if *shutdown.borrow() {
                return Ok(Some(ErrorInfo::RPC_INITIATED_DISCONNECT));
            }
            // Before the first look at the screen: what others change from here on wakes the task again.
            self.screen.mark_unchanged();
            self.alarm.mark_unchanged();
            if let Some(why) = self.session.closing() {
                return Ok(Some(why));
            }
            let turn_is_over = self.handle_frames()?;
            if self.session.is_ended() {
                return Ok(None);
            }
            // Only when everything before has left, so that the time for it is not that for a queue on a slow line.
            if self.session.wanted_size().is_some() && self.framed.is_flushed() {
                if let Some(why) = self.reactivate(&mut shutdown).await? {
                    return Ok(Some(why));
                }
                continue;
            }
            // The same instant for all that follows: whoever is too early now is woken when it is time, and not by the screen.
            let now = Instant::now();
            self.update(now)?;
            if turn_is_over {
                tokio::task::yield_now().await;
                continue;
            }
            if self.idle_until().is_some_and(|until| until <= now) {
                return Ok(Some(ErrorInfo::IDLE_TIMEOUT));
            }
            if self.stall.is_over(now, stall_timeout) {
                return Err(ServerError::new(
                    ServerErrorKind::Timeout,
                    "the client does not read",
                ));
            }
            let flushed = self.framed.is_flushed();
            let early = flushed && now < self.next_frame;
            let may_update = flushed && !early;
            let pace = early.then_some(self.next_frame);
            let wake = [pace, self.idle_until(), self.stall.until(stall_timeout)]
                .into_iter()
                .flatten()
                .min();
            tokio::select! {
                // What the client does comes before the time that it has for that: after a pause of the process both are there.
                biased;
                moved = moved(&mut self.framed, &mut self.stall) => match moved {
                    Ok(()) => {}
                    Err(error) if EndOfStream::of(&error).is_some_and(EndOfStream::is_between_frames) => return Ok(None),
                    Err(error) => return Err(ServerError::io("serving the client", error)),
                },
                _ = shutdown.changed() => {}
                _ = self.screen.changed(), if may_update => {}
                _ = self.alarm.changed(), if !may_update => {}
                () = sleep_until(wake.unwrap_or(now)), if wake.is_some() => {}
            }
        }
    }

    /// Handles the frames that are here; true if there may be more, and it is the others' turn.
    fn handle_frames(&mut self) -> ServerResult<bool> {
        while !self.session.is_ended()
            && let Some((action, frame)) = self
                .framed
                .buffered_frame()
                .map_err(|error| ServerError::io("reading from the client", error))?
        {
            self.session.handle_frame(action, frame, &mut self.input)?;
            if self.session.work() >= WORK_A_TURN {
                break;
            }
        }
        if std::mem::take(&mut self.input.used) {
            self.attended = Instant::now();
        }
        let mut out = WriteBuf::new();
        if self.session.poll_transmit(&mut out) {
            send(&mut self.framed, &out)?;
        }
        // Counted on when there is nothing more for the moment: what the client says next may be there already, and so on.
        let is_over = self.session.work() >= WORK_A_TURN;
        if is_over {
            self.session.begin_turn();
        }
        Ok(is_over)
    }

    fn handle(&mut self, frame: &[u8]) -> ServerResult<()> {
        let action = ironrdp_pdu::Action::from_first_byte(frame.first().copied().unwrap_or_default())?;
        self.session.handle_frame(action, frame, &mut self.input)
    }

    /// Queues the next update if the one before has left and it is time.
    fn update(&mut self, now: Instant) -> ServerResult<()> {
        if self.framed.is_flushed() && now >= self.next_frame {
            let mut out = WriteBuf::new();
            if self
                .session
                .poll_update(&mut out, self.shared.config.graphics_bytes())?
            {
                send(&mut self.framed, &out)?;
                let counters = &self.shared.counters;
                counters.updates.fetch_add(1, Ordering::Relaxed);
                let bytes = u64::try_from(out.filled_len()).unwrap_or(u64::MAX);
                counters.update_bytes.fetch_add(bytes, Ordering::Relaxed);
                if !self.session.has_backlog() {
                    self.next_frame = now + Duration::from_secs(1) / self.shared.config.max_frame_rate;
                }
            }
        }
        // Whoever has seen everything, or wants to see nothing, need not say so.
        if self.framed.is_flushed() && !self.session.withholds_updates() {
            self.stall.end();
        } else {
            let progress = Progress {
                taken: taken(&self.framed),
                acknowledged: self.session.acknowledged(),
            };
            self.stall.waits(now, progress);
        }
        Ok(())
    }

    fn idle_until(&self) -> Option<Instant> {
        self.shared
            .config
            .idle_timeout
            .and_then(|timeout| self.attended.checked_add(timeout))
    }

    /// Ends the share and starts one with the size that the screen has now, unless the session ends first: then the reason.
    async fn reactivate(&mut self, shutdown: &mut watch::Receiver<bool>) -> ServerResult<Option<ErrorInfo>> {
        let Some(size) = self.session.wanted_size() else {
            return Ok(None);
        };
        tracing::debug!(width = size.width(), height = size.height(), "reactivation");
        let idle_until = self.idle_until();
        let mut driver = Box::new(Driver::new(self.result.reactivation(size)));
        let mut answers = NoAnswers;
        let driven = Box::pin(drive(&mut self.framed, &mut driver, &mut answers));
        let driven = tokio::select! {
            biased;
            driven = timeout(self.shared.config.handshake_timeout, driven) => driven,
            why = reason_to_leave(&mut self.screen, shutdown, idle_until) => return Ok(Some(why)),
        };
        // A sequence without TLS or questions ends or fails, and nothing else.
        let _ = driven.map_err(|_| {
            ServerError::new(ServerErrorKind::Timeout, "the client did not reactivate in time")
        })??;
        let sequence = driver.into_sequence();
        self.result.ignored += sequence.ignored();
        let (activated, deferred) = sequence.into_result()?;
        self.session.reactivated(&activated);
        self.result.activated = activated;
        self.result.activated.capabilities.sets = Vec::new();
        self.stall.end();
        deferred.iter().try_for_each(|frame| self.handle(frame))?;
        Ok(None)
    }

    async fn say_farewell(&mut self, why: ErrorInfo) -> ServerResult<()> {
        let mut out = WriteBuf::new();
        self.session.disconnect(why, &mut out)?;
        send(&mut self.framed, &out)?;
        close(&mut self.framed).await;
        Ok(())
    }
}

/// Waits until the session is to be ended by this side.
async fn reason_to_leave(
    screen: &mut watch::Receiver<Mark>,
    shutdown: &mut watch::Receiver<bool>,
    idle_until: Option<Instant>,
) -> ErrorInfo {
    let closed = async {
        match screen.wait_for(|mark| mark.closed.is_some()).await {
            Ok(mark) => mark.closed,
            Err(_) => None,
        }
    };
    tokio::select! {
        () = shut_down(shutdown) => ErrorInfo::RPC_INITIATED_DISCONNECT,
        Some(why) = closed => why,
        () = sleep_until(idle_until.unwrap_or_else(Instant::now)), if idle_until.is_some() => ErrorInfo::IDLE_TIMEOUT,
    }
}

/// Waits until bytes came, or until all that was queued has left.
///
/// Cancel safe: all progress is in `framed`.
fn moved<'a, T: AsyncRead + AsyncWrite + Unpin>(
    framed: &'a mut ServerFramed<T>,
    stall: &'a mut Stall,
) -> impl Future<Output = std::io::Result<()>> + use<'a, T> {
    let flushed = framed.is_flushed();
    poll_fn(move |cx| {
        let exchanged = framed.poll_exchange(cx);
        stall.took(taken(framed));
        if exchanged.is_pending() && !flushed && framed.is_flushed() {
            return Poll::Ready(Ok(()));
        }
        exchanged
    })
}

/// Bytes that have gone into the client's connection.
fn taken<T>(framed: &ServerFramed<T>) -> u64 {
    match framed.get_inner().0 {
        ServerTransport::Plain(stream) => stream.taken(),
        ServerTransport::Tls(tls) => tls.stream().taken(),
    }
}

fn send<T>(framed: &mut ServerFramed<T>, out: &WriteBuf) -> ServerResult<()> {
    // Graphics leave room, so it is answers that do not fit: the client asks faster than it reads.
    framed.send(out.filled()).map_err(|full| full.exceeded().into())
}

/// Sends what is queued and closes the stream, if the client reads at all.
async fn close<T: AsyncRead + AsyncWrite + Unpin>(framed: &mut ServerFramed<T>) {
    let closing = async {
        framed.flush().await?;
        let stream = framed.get_inner_mut().0;
        stream.shutdown().await?;
        // Bytes that nobody reads make the kernel reset the connection, and the client lose the last words.
        let mut unheard = vec![0; 1024];
        while stream.read(&mut unheard).await? > 0 {}
        std::io::Result::Ok(())
    };
    if let Ok(Err(error)) = timeout(FAREWELL, closing).await {
        tracing::debug!(%error, "the last words did not go out");
    }
}
