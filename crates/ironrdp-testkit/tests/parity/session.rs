//! A session in every shell: a share that ends and starts again, input, and a farewell.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use ironrdp_async::{Framed, FramedFlush, FramedRead, FramedWrite, NoAnswers, SessionStream, drive};
use ironrdp_connector::{
    AcceptResult, AcceptorConfig, ClientConnector, ConnectionResult, Driver, ServerAcceptor,
};
use ironrdp_futures::FuturesFramed;
use ironrdp_pdu::input::{InputEvent, KeyFlags};
use ironrdp_pdu::{Action, DesktopSize};
use ironrdp_session::{Event, NoPixels};
use ironrdp_testkit::Pair;
use ironrdp_tokio::TokioFramed;

use crate::crumbs::pipe;
use crate::scenarios::{config, farewell, redirection};
use crate::shells::{PATIENCE, joined, on_smol, on_tokio};

const KEY: InputEvent = InputEvent::Scancode {
    flags: KeyFlags::empty(),
    code: 0x1e,
};

/// What the client was told, and what the server heard.
#[derive(Debug, PartialEq)]
pub(crate) struct Heard {
    pub(crate) events: Vec<Event>,
    pub(crate) input: Vec<u8>,
}

fn connected() -> (ConnectionResult, AcceptResult) {
    let server = ServerAcceptor::new(AcceptorConfig::new());
    let outcome = Pair::new(ClientConnector::new(config()), server).run();
    (
        outcome.client.unwrap().into_result().unwrap(),
        outcome.server.unwrap().into_result().unwrap(),
    )
}

fn new_size() -> DesktopSize {
    DesktopSize::new(1280, 720).unwrap()
}

/// Plays the client until the server ends the session: a key once the desktop has its new size.
async fn client<S: FramedRead + FramedWrite + FramedFlush>(
    framed: Framed<S>,
    result: ConnectionResult,
) -> Vec<Event> {
    let mut session = SessionStream::new(framed, result, NoPixels).unwrap();
    let mut events = Vec::new();
    while let Some(event) = session.next_event().await.unwrap() {
        if matches!(event, Event::Resized(_)) {
            session.send_input(&[KEY]).await.unwrap();
        }
        events.push(event);
    }
    events
}

/// Plays the server: ends the share and starts it with another size, waits for a key, says farewell.
async fn server<S: FramedRead + FramedWrite + FramedFlush>(
    mut framed: Framed<S>,
    result: AcceptResult,
) -> io::Result<Vec<u8>> {
    let mut driver = Driver::new(result.reactivation(new_size()));
    let _ = drive(&mut framed, &mut driver, &mut NoAnswers).await.unwrap();
    loop {
        let (action, frame) = framed.read_pdu().await?;
        if action == Action::FastPath {
            framed.write_all(&[redirection(), farewell()].concat()).await?;
            return Ok(frame.to_vec());
        }
    }
}

pub(crate) fn tokio(capacity: usize) -> Heard {
    let (client_result, server_result) = connected();
    let (near, far) = tokio::io::duplex(capacity);
    let both = async {
        tokio::join!(
            client(TokioFramed::new(near), client_result),
            server(TokioFramed::new(far), server_result)
        )
    };
    let (events, input) = on_tokio(both);
    let input = input.unwrap();
    Heard { events, input }
}

pub(crate) fn smol(seed: u64) -> Heard {
    let (client_result, server_result) = connected();
    let (near, far) = pipe(500, seed);
    let (events, input) = on_smol(smol::future::zip(
        client(FuturesFramed::new(near), client_result),
        server(FuturesFramed::new(far), server_result),
    ));
    let input = input.unwrap();
    Heard { events, input }
}

pub(crate) fn blocking() -> Heard {
    use ironrdp_blocking::{Framed, SessionStream, drive};

    let (client_result, server_result) = connected();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    // So short that it passes many times in between.
    near.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let far = listener.accept().unwrap().0;
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    let server = thread::spawn(move || {
        let mut framed = Framed::new(far);
        let mut driver = Driver::new(server_result.reactivation(new_size()));
        let _ = drive(&mut framed, &mut driver, &mut NoAnswers).unwrap();
        loop {
            let (action, frame) = framed.read_pdu().unwrap();
            if action == Action::FastPath {
                framed.write_all(&[redirection(), farewell()].concat()).unwrap();
                return frame.to_vec();
            }
        }
    });
    let mut session = SessionStream::new(Framed::new(near), client_result, NoPixels).unwrap();
    let mut events = Vec::new();
    while let Some(event) = session.next_event().unwrap() {
        if matches!(event, Event::Resized(_)) {
            session.send_input(&[KEY]).unwrap();
        }
        events.push(event);
    }
    let input = joined(server);
    Heard { events, input }
}
