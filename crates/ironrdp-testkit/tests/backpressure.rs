//! What happens when the application does not take events, and when the server does not read: nothing grows, nothing is lost.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use ironrdp_async::{Observer, SessionStream, Work};
use ironrdp_connector::{
    AcceptorConfig, ClientConnector, Config, ConnectionResult, Credentials, ServerAcceptor,
};
use ironrdp_core::{Limit, Limits};
use ironrdp_pdu::channel::{ChannelChunk, ChannelFlags, ChannelPduHeader};
use ironrdp_pdu::fastpath::{FastPathOutput, FastPathUpdate, UpdateCode};
use ironrdp_pdu::gcc::{ChannelDefinition, ChannelName, ChannelOptions};
use ironrdp_pdu::input::{FastPathInputPdu, InputEvent};
use ironrdp_pdu::mcs::IO_CHANNEL_ID;
use ironrdp_session::{Event, NoPixels};
use ironrdp_testkit::{Pair, frames, poll_once};
use ironrdp_tokio::{TokioFramed, TokioStream};
use tokio::io::{AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _, DuplexStream};

type Session = SessionStream<TokioStream<DuplexStream>, NoPixels>;

const CLIPRDR: u16 = IO_CHANNEL_ID + 1;

fn connected(limits: Limits) -> ConnectionResult {
    let channel = ChannelDefinition {
        name: ChannelName::new("cliprdr").unwrap(),
        options: ChannelOptions::INITIALIZED,
    };
    let config = Config::new(Credentials::new("rdptest", "Lab-Pass-1"))
        .with_channels(vec![channel])
        .with_limits(limits);
    let server = ServerAcceptor::new(AcceptorConfig::new());
    let outcome = Pair::new(ClientConnector::new(config), server).run();
    outcome.client.unwrap().into_result().unwrap()
}

/// A session and the server's end of its stream, which holds `room` bytes each way.
fn session(limits: Limits, room: usize) -> (Session, DuplexStream) {
    let (near, far) = tokio::io::duplex(room);
    let session = SessionStream::new(TokioFramed::new(near), connected(limits), NoPixels).unwrap();
    (session, far)
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(test)
}

/// Writes as often as the stream has room; how many bytes it took.
fn write_until_full(far: &mut DuplexStream, frame: &[u8]) -> usize {
    let mut cx = Context::from_waker(Waker::noop());
    let mut taken = 0;
    while let std::task::Poll::Ready(written) = pin!(&mut *far).poll_write(&mut cx, frame) {
        taken += written.unwrap();
        assert!(taken < 100_000_000, "the session reads without end");
    }
    taken
}

fn message(data: &[u8]) -> Vec<u8> {
    let header = ChannelPduHeader {
        length: u32::try_from(data.len()).unwrap(),
        flags: ChannelFlags::FIRST | ChannelFlags::LAST,
    };
    frames::from_server(CLIPRDR, ChannelChunk { header, data })
}

fn pointer(x: u8) -> Vec<u8> {
    frames::encode(&FastPathOutput {
        update: FastPathUpdate::single(UpdateCode::PointerPosition, &[x, 0, 0, 0]),
    })
}

#[test]
fn an_application_that_waits_for_no_event_makes_the_server_wait() {
    run(async {
        let (mut session, mut far) = session(Limits::default(), 10_000);
        // The first message is an event; until it is taken nothing more is read.
        far.write_all(&message(&[0; 1_000])).await.unwrap();
        session.progress().await.unwrap();
        let taken = write_until_full(&mut far, &message(&[0; 1_000]));
        assert!(taken <= 10_000, "{taken} bytes");
        let mut messages = 0;
        // Whoever takes events gets all of them.
        while messages < 9 {
            assert!(matches!(
                session.next_event().await.unwrap(),
                Some(Event::ChannelData(_))
            ));
            messages += 1;
        }
    });
}

#[test]
fn an_application_that_goes_on_without_taking_events_keeps_the_newest_of_each_kind() {
    run(async {
        let limits = Limits {
            event_bytes: 20_000,
            ..Limits::default()
        };
        let (mut session, mut far) = session(limits, 100_000);
        for round in 0..100 {
            far.write_all(&pointer(round)).await.unwrap();
            far.write_all(&message(&[round; 1_000])).await.unwrap();
            session.progress().await.unwrap();
        }
        let mut kept = Vec::new();
        let (mut moved, mut lost) = (Vec::new(), 0);
        while let Some(event) = session.poll_event() {
            match event {
                Event::ChannelData(message) => kept.push(message.data[0]),
                Event::PointerMoved { x, .. } => moved.push(x),
                Event::ChannelDataLost { messages, exceeded } => {
                    lost += messages;
                    assert_eq!(exceeded.unwrap().limit, Limit::Event);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(moved, [99], "the newest position, once");
        assert_eq!(kept, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "the oldest messages, whole");
        assert_eq!(lost, 90, "and the number of the others");
    });
}

/// Remembers how much waited when the session was last asked.
struct Depth(usize);

impl Observer for Depth {
    fn worked(&mut self, work: &Work<'_>) {
        self.0 = work.queued_bytes;
    }
}

#[test]
fn an_observer_hears_of_all_that_waits_for_a_server_that_does_not_read() {
    run(async {
        let (session, far) = session(Limits::default(), 1_000);
        let mut session = session.with_observer(Depth(0));
        // A header of one byte, a length of two, one of the number of events, and 7 bytes an event (MS-RDPBCGR 2.2.8.1.2).
        let events = [InputEvent::moved_to(1, 1); 200];
        let mut sent = 0;
        while sent < 1_000_000 {
            session.send_input(&events).await.unwrap();
            sent += 4 + 7 * events.len();
        }
        let (in_stream, in_session) = (session.framed().queued(), session.session().queued_bytes());
        assert!(in_stream > 0 && in_session > 0, "{in_stream} and {in_session}");
        assert_eq!(session.observer().0, in_stream + in_session);
        assert_eq!(session.observer().0, sent - 1_000, "but for what the pipe holds");
        drop(far);
    });
}

#[test]
fn a_server_that_does_not_read_gets_all_that_was_accepted_and_nothing_of_what_was_refused() {
    run(async {
        let limits = Limits {
            output_bytes: 50_000,
            ..Limits::default()
        };
        let (mut session, mut far) = session(limits, 1_000);
        let (mut accepted, mut refused) = (Vec::new(), 0);
        for number in 0..20_000_u16 {
            match session.send_input(&[InputEvent::moved_to(number, 0)]).await {
                Ok(()) => accepted.push(number),
                Err(error) => {
                    assert_eq!(error.limit().unwrap().limit, Limit::Output);
                    refused += 1;
                }
            }
            assert!(session.framed().queued() <= 50_000);
        }
        assert!(refused > 0 && accepted.len() > 1_000, "{refused} refused");
        // It reads again: while it does, the session goes on where it was.
        let reading = async {
            let mut heard = Vec::new();
            let mut frame = [0; 10];
            while heard.len() < accepted.len() {
                far.read_exact(&mut frame[..2]).await.unwrap();
                let length = usize::from(frame[1]);
                far.read_exact(&mut frame[2..length]).await.unwrap();
                let pdu: FastPathInputPdu<'_> = ironrdp_core::decode_exact(&frame[..length]).unwrap();
                for event in pdu.events() {
                    let InputEvent::Mouse { x, .. } = event.unwrap() else {
                        panic!("another event than was sent")
                    };
                    heard.push(x);
                }
            }
            heard
        };
        let (flushed, heard) = tokio::join!(session.flush(), reading);
        flushed.unwrap();
        assert_eq!(heard, accepted);
        // Nothing more is on its way, and there is room again.
        assert!(poll_once(far.read_u8()).is_none());
        session.send_input(&[InputEvent::moved_to(1, 1)]).await.unwrap();
    });
}
