//! The task of one client.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use ironrdp_async::{Answers, Driven, EndOfStream, NoAnswers, drive};
use ironrdp_connector::{
    AcceptResult, ConnectorError, ConnectorResult, Driver, Reply, Request, ServerAcceptor, ServerIdentity,
};
use ironrdp_core::WriteBuf;
use ironrdp_pdu::client_info::{ClientInfo, Secret};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_tokio::{TlsServerStream, TokioFramed};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::admission::Permit;
use crate::screen::Mark;
use crate::server::Shared;
use crate::session::color_depth;
use crate::{
    Client, Input, Login, Seat, ServerError, ServerErrorKind, ServerResult, ServerSession, ServerTransport,
};

type ServerFramed = TokioFramed<ServerTransport<TcpStream>>;

/// Frames handled before others get their turn. A frame holds at most 255 events on the fast path, so a flood of input
/// keeps a thread for well under a millisecond.
const FRAMES_A_TURN: u32 = 64;

/// How long the last words may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves one client from its first byte to its last.
pub(crate) async fn run(stream: TcpStream, address: SocketAddr, mut permit: Permit, shared: Arc<Shared>) {
    let mut shutdown = shared.shutdown.subscribe();
    // The handshake needs much more memory than what follows; in a box of its own it is gone afterwards.
    let handshake = Box::pin(timeout(
        shared.config.handshake_timeout,
        accept(stream, address, &shared),
    ));
    let accepted = tokio::select! {
        accepted = handshake => accepted,
        _ = shutdown.changed() => return,
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

/// A client after its handshake.
struct Accepted {
    framed: ServerFramed,
    result: Box<AcceptResult>,
    client: Client,
}

async fn accept(stream: TcpStream, address: SocketAddr, shared: &Shared) -> ServerResult<Accepted> {
    let mut framed = ServerFramed::new(ServerTransport::Plain(stream));
    let mut driver = Driver::new(ServerAcceptor::new(Arc::clone(&shared.acceptor)));
    let mut answers = ServerAnswers {
        shared,
        address,
        came_back_to: None,
        nla: false,
    };
    loop {
        match drive(&mut framed, &mut driver, &mut answers).await? {
            Driven::Done => break,
            Driven::Paused => {}
            Driven::UpgradeToTls => {
                framed = upgrade(framed, shared).await?;
                driver.answer(Reply::Upgraded)?;
            }
        }
    }
    let mut result = driver.into_sequence().into_result()?;
    // Who has proved to be somebody is that, whatever the client information says. The password that came along is not kept.
    let (user_name, domain) = match result.logon.take() {
        Some(logon) => (logon.name.user, logon.name.domain),
        None => (result.info.user_name.clone(), result.info.domain.clone()),
    };
    let client = Client {
        id: shared.next_id.fetch_add(1, Ordering::Relaxed),
        address,
        name: result.core.client_name.clone(),
        user_name,
        domain,
        desktop_size: result.core.desktop_size(),
        color_depth: color_depth(&result),
        came_back_to: answers.came_back_to,
    };
    Ok(Accepted {
        framed,
        result: Box::new(result),
        client,
    })
}

async fn upgrade(framed: ServerFramed, shared: &Shared) -> ServerResult<ServerFramed> {
    // The shell has seen to both: everything is sent, nothing was received ahead.
    let Ok(ServerTransport::Plain(stream)) = framed.try_into_inner_no_leftover() else {
        return Err(ServerError::misuse("an upgrade of a stream in use"));
    };
    let stream = TlsServerStream::accept(stream, shared.config.tls.server_config())
        .await
        .map_err(|error| ServerError::io("TLS handshake", error))?;
    Ok(ServerFramed::new(ServerTransport::Tls(Box::new(stream))))
}

/// Decides about the client while its sequence is driven.
struct ServerAnswers<'a> {
    shared: &'a Shared,
    address: SocketAddr,
    came_back_to: Option<u32>,
    /// The client logs in by network level authentication, or has done so.
    nla: bool,
}

impl Answers for ServerAnswers<'_> {
    async fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply> {
        let config = &self.shared.config;
        let info = match request {
            Request::ServerIdentity => {
                self.nla = true;
                return Ok(Reply::ServerIdentity(ServerIdentity {
                    // Only clients need a name for the server.
                    name: "".into(),
                    public_key: config.tls.subject_public_key().to_vec(),
                    kerberos: None,
                }));
            }
            Request::UserSecret(name) => {
                return Ok(Reply::UserSecret(config.credentials.secret(name).await));
            }
            Request::Authorize(info) => info,
            _ => {
                return Err(ConnectorError::misuse(
                    "the sequence asks what a server does not answer",
                ));
            }
        };
        self.came_back_to = self.redeem(info);
        // The acceptor comes this far with network level authentication only if it succeeded.
        if self.came_back_to.is_some() || self.nla {
            return Ok(Reply::Authorized(true));
        }
        let login = Login {
            address: self.address,
            domain: &info.domain,
            user_name: &info.user_name,
            password: &info.password,
        };
        Ok(Reply::Authorized(
            self.shared.config.credentials.check(login).await,
        ))
    }
}

impl ServerAnswers<'_> {
    fn redeem(&self, info: &ClientInfo) -> Option<u32> {
        let proof = info.extended.as_ref()?.auto_reconnect.as_ref()?;
        self.shared.cookies.redeem(proof, &info.user_name)
    }
}

/// Everything of a session that lives as long as it does.
struct Running<'a> {
    shared: &'a Shared,
    framed: ServerFramed,
    result: Box<AcceptResult>,
    session: ServerSession,
    input: Box<dyn Input>,
    screen: watch::Receiver<Mark>,
    heard: Instant,
    stall: Stall,
    next_frame: Instant,
}

async fn serve(accepted: Accepted, shared: &Shared, shutdown: watch::Receiver<bool>) -> ServerResult<()> {
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
    let watch = screen.watch();
    let session = ServerSession::new(&result, screen, shared.config.bulk);
    let mut out = WriteBuf::new();
    let extended = result.info.extended.as_ref();
    if client.came_back_to.is_none() && extended.is_some_and(|info| info.auto_reconnect.is_some()) {
        session.refuse_cookie(&mut out)?;
    }
    if shared.config.auto_reconnect && session.takes_cookies() {
        shared.cookies.give(client.id, &client.user_name, |cookie| {
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
        input,
        screen: watch,
        heard: now,
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
async fn refuse(mut framed: ServerFramed, result: &AcceptResult) -> ServerResult<()> {
    let nothing = crate::Screen::new(result.activated.desktop_size, Nothing);
    let mut session = ServerSession::new(result, nothing, false);
    let mut out = WriteBuf::new();
    session.disconnect(ErrorInfo::SERVER_DENIED_CONNECTION, &mut out)?;
    send(&mut framed, &out)?;
    close(&mut framed).await;
    Err(ServerError::new(
        ServerErrorKind::Unexpected,
        "the host has no seat for the client",
    ))
}

struct Nothing;

impl crate::Display for Nothing {
    fn paint(&self, _: ironrdp_graphics::Rect, _: &mut ironrdp_graphics::ImageMut<'_>) {}
}

impl Running<'_> {
    /// Runs until one of both sides ends it; the reason if it was this one.
    async fn run(&mut self, mut shutdown: watch::Receiver<bool>) -> ServerResult<Option<ErrorInfo>> {
        loop {
            if *shutdown.borrow() {
                return Ok(Some(ErrorInfo::RPC_INITIATED_DISCONNECT));
            }
            if let Some(why) = self.session.closing() {
                return Ok(Some(why));
            }
            let more = self.handle_frames()?;
            if self.session.is_ended() {
                return Ok(None);
            }
            if self.session.wanted_size().is_some() {
                self.reactivate().await?;
                continue;
            }
            self.update()?;
            if more {
                tokio::task::yield_now().await;
                continue;
            }
            let now = Instant::now();
            if self.idle_until().is_some_and(|until| until <= now) {
                return Ok(Some(ErrorInfo::IDLE_TIMEOUT));
            }
            if self.stalled_until().is_some_and(|until| until <= now)
                && !self.stall.goes_on(now, self.framed.queued())
            {
                return Err(ServerError::new(
                    ServerErrorKind::Timeout,
                    "the client does not read",
                ));
            }
            let flushed = self.framed.is_flushed();
            let early = flushed && now < self.next_frame;
            let pace = early.then_some(self.next_frame);
            let wake = [pace, self.idle_until(), self.stalled_until()]
                .into_iter()
                .flatten()
                .min();
            tokio::select! {
                moved = moved(&mut self.framed) => match moved {
                    Ok(Moved::In) => self.heard = Instant::now(),
                    Ok(Moved::Out) => {}
                    Err(error) if EndOfStream::of(&error).is_some_and(EndOfStream::is_between_frames) => return Ok(None),
                    Err(error) => return Err(ServerError::io("serving the client", error)),
                },
                _ = self.screen.changed(), if flushed && !early => {}
                () = sleep_until(wake.unwrap_or(now)), if wake.is_some() => {}
                _ = shutdown.changed() => {}
            }
        }
    }

    /// Handles the frames that are here; true if there are more, and it is the others' turn.
    fn handle_frames(&mut self) -> ServerResult<bool> {
        let mut handled = 0;
        while !self.session.is_ended()
            && let Some((action, frame)) = self
                .framed
                .buffered_frame()
                .map_err(|error| ServerError::io("reading from the client", error))?
        {
            self.session.handle_frame(action, frame, &mut *self.input)?;
            handled += 1;
            if handled == FRAMES_A_TURN {
                break;
            }
        }
        let mut out = WriteBuf::new();
        if self.session.poll_transmit(&mut out) {
            send(&mut self.framed, &out)?;
        }
        Ok(handled == FRAMES_A_TURN)
    }

    fn handle(&mut self, frame: &[u8]) -> ServerResult<()> {
        let action = ironrdp_pdu::Action::from_first_byte(frame.first().copied().unwrap_or_default())?;
        self.session.handle_frame(action, frame, &mut *self.input)
    }

    /// Queues the next update if the one before has left and it is time.
    fn update(&mut self) -> ServerResult<()> {
        let now = Instant::now();
        if self.framed.is_flushed() && now >= self.next_frame {
            // Before looking: what changes from here on wakes the task again.
            self.screen.borrow_and_update();
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
        if self.framed.is_flushed() && !self.session.awaits_acknowledgement() {
            self.stall.end();
        } else {
            self.stall.begin(now, self.framed.queued());
        }
        Ok(())
    }

    fn idle_until(&self) -> Option<Instant> {
        self.shared
            .config
            .idle_timeout
            .and_then(|timeout| self.heard.checked_add(timeout))
    }

    fn stalled_until(&self) -> Option<Instant> {
        self.stall
            .since
            .and_then(|since| since.checked_add(self.shared.config.stall_timeout))
    }

    /// Ends the share and starts one with the size that the screen has now.
    async fn reactivate(&mut self) -> ServerResult<()> {
        let Some(size) = self.session.wanted_size() else {
            return Ok(());
        };
        tracing::debug!(width = size.width(), height = size.height(), "reactivation");
        let mut driver = Box::new(Driver::new(self.result.reactivation(size)));
        let mut answers = NoAnswers;
        let driven = Box::pin(drive(&mut self.framed, &mut driver, &mut answers));
        // A sequence without TLS or questions ends or fails, and nothing else.
        let _ = timeout(self.shared.config.handshake_timeout, driven)
            .await
            .map_err(|_| {
                ServerError::new(ServerErrorKind::Timeout, "the client did not reactivate in time")
            })??;
        let sequence = driver.into_sequence();
        self.result.ignored += sequence.ignored();
        let (activated, deferred) = sequence.into_result()?;
        self.session.reactivated(&activated);
        self.result.activated = activated;
        self.result.activated.capabilities.sets = Vec::new();
        self.stall.end();
        deferred.iter().try_for_each(|frame| self.handle(frame))
    }

    async fn say_farewell(&mut self, why: ErrorInfo) -> ServerResult<()> {
        let mut out = WriteBuf::new();
        self.session.disconnect(why, &mut out)?;
        send(&mut self.framed, &out)?;
        close(&mut self.framed).await;
        Ok(())
    }
}

/// Something waits for the client to read it, or to say that it did.
#[derive(Default)]
struct Stall {
    since: Option<Instant>,
    /// How much was queued then.
    queued: usize,
}

impl Stall {
    /// Something waits, perhaps for some time already.
    fn begin(&mut self, now: Instant, queued: usize) {
        if self.since.is_none() {
            *self = Self {
                since: Some(now),
                queued,
            };
        }
    }

    /// Nothing waits any more.
    fn end(&mut self) {
        self.since = None;
    }

    /// Whether the client has read some of it, if not all: then it counts from now.
    fn goes_on(&mut self, now: Instant, queued: usize) -> bool {
        let has_read = queued < self.queued;
        if has_read {
            *self = Self {
                since: Some(now),
                queued,
            };
        }
        has_read
    }
}

/// What a wait was ended by.
enum Moved {
    In,
    Out,
}

/// Waits until bytes came, or until all that was queued has left.
///
/// Cancel safe: all progress is in `framed`.
async fn moved(framed: &mut ServerFramed) -> std::io::Result<Moved> {
    let flushed = framed.is_flushed();
    poll_fn(|cx| match framed.poll_exchange(cx) {
        Poll::Ready(result) => Poll::Ready(result.map(|()| Moved::In)),
        Poll::Pending if !flushed && framed.is_flushed() => Poll::Ready(Ok(Moved::Out)),
        Poll::Pending => Poll::Pending,
    })
    .await
}

fn send(framed: &mut ServerFramed, out: &WriteBuf) -> ServerResult<()> {
    // Graphics leave room, so it is answers that do not fit: the client asks faster than it reads.
    framed.send(out.filled()).map_err(|full| full.exceeded().into())
}

/// Sends what is queued and closes the stream, if the client reads at all.
async fn close(framed: &mut ServerFramed) {
    let closing = async {
        framed.flush().await?;
        framed.get_inner_mut().0.shutdown().await
    };
    if let Ok(Err(error)) = timeout(FAREWELL, closing).await {
        tracing::debug!(%error, "the last words did not go out");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_reads_slowly_has_not_stalled_and_one_that_reads_nothing_has() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let mut stall = Stall::default();
        stall.begin(start, 100);
        stall.begin(later(1), 90);
        assert_eq!(stall.since, Some(start), "it has waited from the first on");
        assert!(stall.goes_on(later(2), 80));
        assert_eq!(stall.since, Some(later(2)));
        assert!(!stall.goes_on(later(3), 80));
        stall.end();
        stall.begin(later(4), 0);
        assert!(!stall.goes_on(later(5), 0), "the acknowledgement did not come");
    }
}
