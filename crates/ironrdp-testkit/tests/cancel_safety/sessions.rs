//! Running sessions.

use ironrdp_connector::{
    AcceptorConfig, ClientConnector, Config, ConnectionResult, Credentials, ServerAcceptor,
};
use ironrdp_futures::{AsyncIoTimer, FuturesFramed, FuturesStream, SessionStream, TimedSession};
use ironrdp_pdu::channel::{ChannelChunk, ChannelFlags, ChannelPduHeader};
use ironrdp_pdu::fastpath::{FastPathOutput, FastPathUpdate, UpdateCode};
use ironrdp_pdu::gcc::{ChannelDefinition, ChannelName, ChannelOptions};
use ironrdp_pdu::input::InputEvent;
use ironrdp_pdu::mcs::{DisconnectReason, IO_CHANNEL_ID};
use ironrdp_session::{Event, NoPixels};
use ironrdp_testkit::{Pair, frames, poll_once};

use crate::crumbs::{End, pipe};
use crate::{block_on, dropping};

const SEEDS: u64 = 10;

type Session = SessionStream<FuturesStream<End>, NoPixels>;

fn connected() -> ConnectionResult {
    let channel = ChannelDefinition {
        name: ChannelName::new("cliprdr").unwrap(),
        options: ChannelOptions::INITIALIZED,
    };
    let config = Config::new(Credentials::new("rdptest", "Lab-Pass-1")).with_channels(vec![channel]);
    let server = ServerAcceptor::new(AcceptorConfig::new());
    let outcome = Pair::new(ClientConnector::new(config), server).run();
    outcome.client.unwrap().into_result().unwrap()
}

fn message(data: &[u8]) -> Vec<u8> {
    let header = ChannelPduHeader {
        length: u32::try_from(data.len()).unwrap(),
        flags: ChannelFlags::FIRST | ChannelFlags::LAST,
    };
    frames::from_server(IO_CHANNEL_ID + 1, ChannelChunk { header, data })
}

/// Messages, frame markers that want an answer each, and the end.
fn server_says() -> Vec<u8> {
    let marker = frames::encode(&FastPathOutput {
        update: FastPathUpdate::single(UpdateCode::SurfaceCommands, &[4, 0, 1, 0, 9, 0, 0, 0]),
    });
    let mut said = Vec::new();
    for number in 0..30 {
        said.extend(message(&[number; 200]));
        said.extend(&marker);
    }
    said.extend(frames::ultimatum(DisconnectReason::UserRequested));
    said
}

/// A session over a pipe in crumbs, and the server's end of that.
fn session(seed: u64) -> (Session, End) {
    let (near, mut far) = pipe(400, seed);
    far.queue(&server_says());
    let session = SessionStream::new(FuturesFramed::new(near), connected(), NoPixels).unwrap();
    (session, far)
}

/// What it tells, with `event` to wait for the next; and what the server hears.
fn told(far: &mut End, mut event: impl FnMut() -> Option<Option<Event>>) -> (Vec<Event>, Vec<u8>, usize) {
    let (mut events, mut heard, mut all) = (Vec::new(), Vec::new(), 0);
    loop {
        let (event, drops) = block_on(dropping(|| {
            far.drain_into(&mut heard);
            event()
        }));
        all += drops;
        match event {
            Some(event) => events.push(event),
            None => return (events, heard, all),
        }
    }
}

fn undisturbed() -> (Vec<Event>, Vec<u8>) {
    let (mut session, mut far) = session(0);
    block_on(async {
        let (mut events, mut heard) = (Vec::new(), Vec::new());
        while let Some(event) = session.next_event().await.unwrap() {
            events.push(event);
            far.drain_into(&mut heard);
        }
        session.flush().await.unwrap();
        far.drain_into(&mut heard);
        assert_eq!(events.len(), 31);
        (events, heard)
    })
}

pub(crate) fn an_event_is_taken_only_when_it_is_returned() {
    let (events, heard) = undisturbed();
    for seed in 0..SEEDS {
        for by_progress in [false, true] {
            let (mut session, mut far) = session(seed);
            let mut disturbed = told(&mut far, || {
                if !by_progress {
                    return poll_once(session.next_event()).map(Result::unwrap);
                }
                if let Some(event) = session.poll_event() {
                    return Some(Some(event));
                }
                if session.is_ended() {
                    return Some(None);
                }
                poll_once(session.progress()).map(Result::unwrap);
                None
            });
            block_on(dropping(|| {
                far.drain_into(&mut disturbed.1);
                poll_once(session.flush())
            }))
            .0
            .unwrap();
            far.drain_into(&mut disturbed.1);
            assert_eq!(disturbed.0, events, "seed {seed}, {by_progress}");
            assert_eq!(disturbed.1, heard, "seed {seed}, {by_progress}");
            assert!(disturbed.2 > 5, "seed {seed}: {}", disturbed.2);
        }
    }
}

pub(crate) fn so_it_is_with_timers() {
    let (events, _) = undisturbed();
    for seed in 0..SEEDS {
        for by_progress in [false, true] {
            let (session, mut far) = session(seed);
            let mut session = TimedSession::<_, _, AsyncIoTimer>::from(session);
            let disturbed = told(&mut far, || {
                if !by_progress {
                    return poll_once(session.next_event()).map(Result::unwrap);
                }
                if let Some(event) = session.poll_event() {
                    return Some(Some(event));
                }
                if session.is_ended() {
                    return Some(None);
                }
                poll_once(session.progress()).map(Result::unwrap);
                None
            });
            assert_eq!(disturbed.0, events, "seed {seed}, {by_progress}");
            assert!(disturbed.2 > 5, "seed {seed}: {}", disturbed.2);
        }
    }
}

pub(crate) fn a_flush_sends_the_rest() {
    for seed in 0..SEEDS {
        let (near, mut far) = pipe(400, seed);
        let mut session: Session =
            SessionStream::new(FuturesFramed::new(near), connected(), NoPixels).unwrap();
        let events = [InputEvent::moved_to(1, 1); 200];
        let mut sent = 0;
        // So much that some of it has to wait in the session.
        for _ in 0..250 {
            block_on(session.send_input(&events)).unwrap();
            sent += 4 + 7 * events.len();
        }
        assert!(session.session().queued_bytes() > 0);
        let mut heard = Vec::new();
        let (flushed, drops) = block_on(dropping(|| {
            far.drain_into(&mut heard);
            poll_once(session.flush())
        }));
        flushed.unwrap();
        far.drain_into(&mut heard);
        assert_eq!(heard.len(), sent, "seed {seed}");
        let one = &heard[..4 + 7 * events.len()];
        assert!(heard.chunks(one.len()).all(|chunk| chunk == one), "seed {seed}");
        assert!(drops > 5, "seed {seed}: {drops}");
    }
}

pub(crate) fn commands_resolve_at_their_first_poll() {
    for seed in 0..SEEDS {
        // A pipe that takes nothing any more.
        let (near, mut far) = pipe(0, seed);
        let mut session: Session =
            SessionStream::new(FuturesFramed::new(near), connected(), NoPixels).unwrap();
        let key = [InputEvent::key_pressed(0x1e, false)];
        for _ in 0..10 {
            poll_once(session.send_input(&key)).unwrap().unwrap();
        }
        poll_once(session.disconnect()).unwrap().unwrap();
        let mut heard = Vec::new();
        far.drain_into(&mut heard);
        assert!(heard.is_empty() && session.framed().queued() > 40, "seed {seed}");
    }
}
