//! Sessions whose server answers once and then falls silent, in every runtime by its own clock.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use ironrdp_async::{
    FramedFlush, FramedRead, FramedWrite, StreamError, StreamErrorKind, TimedSession, Timer,
};
use ironrdp_connector::{
    AcceptorConfig, ClientConnector, Config, ConnectionResult, Credentials, ServerAcceptor,
};
use ironrdp_futures::{AsyncIoTimer, FuturesFramed};
use ironrdp_session::{Event, LifeSign, Liveness, NoPixels, PointerState, SessionErrorKind};
use ironrdp_testkit::Pair;
use ironrdp_tokio::{TokioFramed, TokioTimer};

/// Asked soon; but time enough for the one answer that comes, on a busy machine too. All runtimes wait for it at once.
const LIVENESS: Liveness = Liveness {
    idle: Duration::from_millis(40),
    answer: Duration::from_secs(8),
};

/// A fast-path update that hides the pointer (MS-RDPBCGR 2.2.9.1.2.1.5).
const ANSWER: &[u8] = &[0, 5, 5, 0, 0];

fn connected() -> ConnectionResult {
    let config = Config::new(Credentials::new("rdptest", "secret")).with_liveness(LIVENESS);
    let server = ServerAcceptor::new(AcceptorConfig::new());
    let outcome = Pair::new(ClientConnector::new(config), server).run();
    outcome.client.unwrap().into_result().unwrap()
}

/// Answers the first question of each client and no other.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let mut framed = ironrdp_blocking::Framed::new(stream.unwrap());
                framed.read_pdu().unwrap();
                framed.get_inner_mut().0.write_all(ANSWER).unwrap();
                while framed.read_pdu().is_ok() {}
            });
        }
    });
    address
}

/// All that a session tells, up to its end.
type Told = (Vec<Event>, Result<(), StreamError>);

async fn told<S, T>(mut session: TimedSession<S, NoPixels, T>) -> Told
where
    S: FramedRead + FramedWrite + FramedFlush,
    T: Timer,
{
    let mut events = Vec::new();
    loop {
        match session.next_event().await {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, Ok(())),
            Err(error) => return (events, Err(error)),
        }
    }
}

fn tokio(server: SocketAddr) -> Told {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let framed = TokioFramed::new(tokio::net::TcpStream::connect(server).await.unwrap());
        told(TimedSession::<_, _, TokioTimer>::new(framed, connected(), NoPixels).unwrap()).await
    })
}

fn smol(server: SocketAddr) -> Told {
    smol::block_on(async {
        let framed = FuturesFramed::new(smol::net::TcpStream::connect(server).await.unwrap());
        told(TimedSession::<_, _, AsyncIoTimer>::new(framed, connected(), NoPixels).unwrap()).await
    })
}

fn blocking(server: SocketAddr) -> Told {
    use ironrdp_blocking::{Framed, SessionStream, Timed};

    let framed = Framed::new(Timed::new(TcpStream::connect(server).unwrap()).unwrap());
    let mut session = SessionStream::new(framed, connected(), NoPixels).unwrap();
    let mut events = Vec::new();
    loop {
        match session.next_event() {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, Ok(())),
            Err(error) => return (events, Err(error)),
        }
    }
}

type Runtime = fn(SocketAddr) -> Told;
const RUNTIMES: [(&str, Runtime); 3] = [("tokio", tokio), ("smol", smol), ("blocking", blocking)];

#[test]
fn a_server_that_answers_once_and_no_more_is_dead_in_every_runtime() {
    let server = server();
    let sessions = RUNTIMES.map(|(name, runtime)| (name, thread::spawn(move || runtime(server))));
    for (runtime, session) in sessions {
        let (events, end) = session.join().unwrap();
        let [
            Event::PointerChanged(PointerState::Hidden),
            Event::PeerSilent {
                missed: LifeSign::Answer,
                silent_for,
            },
        ] = events[..]
        else {
            panic!("{runtime}: {events:?}")
        };
        assert!(silent_for >= LIVENESS.dead_after(), "{runtime}: {silent_for:?}");
        let error = end.unwrap_err();
        let StreamErrorKind::Session(cause) = error.kind() else {
            panic!("{runtime}: {error:?}")
        };
        assert_eq!(cause.kind(), SessionErrorKind::PeerSilent, "{runtime}");
        assert_eq!(error.to_string(), "the server is silent: no sign of life in time");
    }
}
