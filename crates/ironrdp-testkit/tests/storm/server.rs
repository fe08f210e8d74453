//! The server of a session: lets everybody in, and draws the next picture at each key.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use ironrdp_async::{
    Answers, Driven, Framed, FramedFlush, FramedRead, FramedWrite, NoAnswers, StreamWrapper, drive,
};
use ironrdp_connector::{
    AcceptResult, AcceptorConfig, ConnectorError, ConnectorResult, Driver, Reply, Request, ServerAcceptor,
};
use ironrdp_core::WriteBuf;
use ironrdp_pdu::Action;
use ironrdp_server::{Canvas, Input, Screen, ServerError, ServerSession};
use ironrdp_testkit::Rng;

use crate::picture::paint;
use crate::plan::Plan;
use crate::tap::{Tap, Tape};

/// Bytes of an update; a picture takes several.
const UPDATE_BYTES: usize = 8 * 1024;

/// Why the server gave a session up.
#[derive(Debug)]
pub(crate) enum Failure {
    Sequence(ConnectorError),
    Session(ServerError),
    Io(io::Error),
}

impl From<ConnectorError> for Failure {
    fn from(error: ConnectorError) -> Self {
        Self::Sequence(error)
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        Self::Session(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Serves a session until the client takes its leave; gives the number of keys it has pressed.
pub(crate) async fn serve<P, T>(
    stream: P::InnerStream,
    upgrade: impl AsyncFnOnce(P::InnerStream) -> io::Result<T::InnerStream>,
    plan: Arc<Plan>,
    tape: Tape,
) -> Result<usize, Failure>
where
    P: StreamWrapper + FramedRead + FramedWrite + FramedFlush,
    T: StreamWrapper + FramedRead + FramedWrite + FramedFlush,
{
    let config = match plan.secured {
        true => AcceptorConfig::new(),
        false => AcceptorConfig::new().dangerously_allow_plain(),
    };
    let mut answers = Welcome(Rng::new(plan.seed));
    let mut driver = Driver::new(ServerAcceptor::new(config));
    let mut framed = Framed::<Tap<P>>::new((stream, Tape::clone(&tape)));
    match drive(&mut framed, &mut driver, &mut answers).await? {
        Driven::UpgradeToTls => {
            let (stream, _) = framed.into_inner_no_leftover();
            let mut framed = Framed::<Tap<T>>::new((upgrade(stream).await?, tape));
            driver.answer(Reply::Upgraded)?;
            let _ = drive(&mut framed, &mut driver, &mut answers).await?;
            show(framed, driver.into_sequence().into_result()?, &plan).await
        }
        _ => show(framed, driver.into_sequence().into_result()?, &plan).await,
    }
}

/// Lets everybody in.
struct Welcome(Rng);

impl Answers for Welcome {
    async fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply> {
        match request {
            Request::Authorize(_) => Ok(Reply::Authorized(true)),
            _ => Err(ConnectorError::misuse(
                "a question that no client without NLA leads to",
            )),
        }
    }

    fn random(&mut self, count: usize) -> ConnectorResult<Vec<u8>> {
        Ok(self.0.bytes(count))
    }
}

/// Counts the keys that were pressed.
#[derive(Clone, Default)]
struct Keys(Arc<AtomicUsize>);

impl Input for Keys {
    fn key(&mut self, _: u8, _: bool, pressed: bool) {
        self.0.fetch_add(usize::from(pressed), Ordering::Relaxed);
    }
}

async fn show<S>(mut framed: Framed<S>, result: AcceptResult, plan: &Arc<Plan>) -> Result<usize, Failure>
where
    S: FramedRead + FramedWrite + FramedFlush,
{
    let mut result = result;
    let canvas = Arc::new(Canvas::new(plan.pictures[0]).unwrap());
    canvas.draw(|image| paint(plan, 0, image));
    let screen = Screen::new(plan.pictures[0], Arc::clone(&canvas));
    let mut session = ServerSession::new(&result, screen.clone(), true);
    let (mut keys, mut shown) = (Keys::default(), 0);
    for frame in result.take_deferred() {
        handle(&mut session, &frame, &mut keys)?;
    }
    loop {
        while !session.is_ended()
            && let Some((action, frame)) = framed.buffered_frame()?
        {
            session.handle_frame(action, frame, &mut keys)?;
        }
        let mut out = WriteBuf::new();
        session.poll_transmit(&mut out);
        if session.is_ended() {
            return Ok(keys.0.load(Ordering::Relaxed));
        }
        let pressed = keys.0.load(Ordering::Relaxed).min(plan.pictures.len() - 1);
        if shown < pressed {
            shown = pressed;
            canvas.resize(plan.pictures[shown]).unwrap();
            canvas.draw(|image| paint(plan, shown, image));
            screen.resize(plan.pictures[shown]);
            screen.damage_all();
        }
        if let Some(size) = session.wanted_size() {
            framed.send(out.filled()).unwrap();
            let mut driver = Driver::new(result.reactivation(size));
            let _ = drive(&mut framed, &mut driver, &mut NoAnswers).await?;
            let (activated, deferred) = driver.into_sequence().into_result()?;
            session.reactivated(&activated);
            result.activated = activated;
            for frame in deferred {
                handle(&mut session, &frame, &mut keys)?;
            }
            continue;
        }
        if framed.is_flushed() {
            session.poll_update(&mut out, UPDATE_BYTES)?;
        }
        framed.send(out.filled()).unwrap();
        let idle = framed.is_flushed();
        let moved = poll_fn(|cx| match framed.poll_exchange(cx) {
            // What was queued has left, and there may be more to show.
            Poll::Pending if !idle && framed.is_flushed() => Poll::Ready(Ok(())),
            polled => polled,
        })
        .await;
        moved?;
    }
}

fn handle(session: &mut ServerSession, frame: &[u8], keys: &mut Keys) -> Result<(), Failure> {
    let action =
        Action::from_first_byte(frame.first().copied().unwrap_or_default()).map_err(ConnectorError::from)?;
    Ok(session.handle_frame(action, frame, keys)?)
}
