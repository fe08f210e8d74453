//! An observer hears the same of a session in every shell: what the session itself has counted.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::any::Any;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ironrdp_async::{ConnectConfig, Driven, Observer, PhaseEnd, ServerAddr, Work};
use ironrdp_connector::{
    AcceptorConfig, ClientConnector, Config, ConnectionResult, ConnectorResult, Credentials, Deadlines,
    Driver, Phase, Reply, Request, ServerAcceptor, ServerIdentity, UserSecret,
};
use ironrdp_pdu::fastpath::{FastPathOutput, FastPathUpdate, UpdateCode};
use ironrdp_pdu::mcs::DisconnectReason;
use ironrdp_session::{Event, NoPixels, PduKind, SessionStats};
use ironrdp_testkit::{Pair, frames};
use ironrdp_tls::{CertificatePolicy, PeerCertificate, TlsServer};
use rustls::StreamOwned;
use tokio::io::AsyncWriteExt as _;

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Remembers what it heard last, and how much of it was new each time.
#[derive(Debug, Default)]
struct Ear {
    stats: SessionStats,
    frames: u64,
    decoded: u64,
}

impl Observer for Ear {
    fn worked(&mut self, work: &Work<'_>) {
        let new = work.stats.frames_in() - self.stats.frames_in();
        assert_eq!(
            work.decoding.is_some(),
            new > 0,
            "decoding is timed when there is some"
        );
        self.frames += new;
        self.decoded += u64::from(work.decoding.is_some());
        self.stats = *work.stats;
    }
}

fn connected() -> ConnectionResult {
    let client = ClientConnector::new(Config::new(Credentials::new("rdptest", "Lab-Pass-1")));
    let outcome = Pair::new(client, ServerAcceptor::new(AcceptorConfig::new())).run();
    outcome.client.unwrap().into_result().unwrap()
}

/// Pointers that come and go, a kind that nobody knows, and the end.
fn server_says() -> Vec<u8> {
    let update = |code, data: &[u8]| {
        frames::encode(&FastPathOutput {
            update: FastPathUpdate::single(code, data),
        })
    };
    let mut said = Vec::new();
    for number in 0..50 {
        said.extend(update(UpdateCode::PointerPosition, &[number, 0, 0, 0]));
        said.extend(update(UpdateCode::Unknown(14), &[]));
    }
    said.extend(frames::ultimatum(DisconnectReason::UserRequested));
    said
}

fn check(ear: &Ear, stats: &SessionStats) {
    assert_eq!(ear.stats, *stats);
    assert_eq!(ear.frames, 101);
    assert!(ear.decoded > 0);
    assert_eq!(stats.bytes_in, server_says().len() as u64);
    let kinds = [PduKind::Pointer, PduKind::Unknown, PduKind::Disconnect];
    assert_eq!(kinds.map(|kind| stats.pdus(kind)), [50, 50, 1]);
}

/// Hears how phases end.
#[derive(Debug, Default)]
struct Phases(Vec<(Phase, PhaseEnd)>);

impl Observer for Phases {
    fn phase_ended(&mut self, phase: Phase, took: Duration, end: PhaseEnd) {
        assert!(took > Duration::ZERO, "{phase}");
        self.0.push((phase, end));
    }
}

/// What a server does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    LetsIn,
    HangsUpInTls,
    SilentInTls,
}

/// Lets the one user in that there is.
struct Lab(Vec<u8>);

impl ironrdp_blocking::Answers for Lab {
    fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply> {
        Ok(match request {
            Request::UserSecret(_) => Reply::UserSecret(Some(UserSecret::Password("Lab-Pass-1".into()))),
            Request::ServerIdentity => Reply::ServerIdentity(ServerIdentity {
                name: "localhost".into(),
                public_key: self.0.clone(),
                kerberos: None,
            }),
            _ => Reply::Authorized(true),
        })
    }
}

/// A server that deals so with its only client, and what it keeps open for it.
fn server(manner: Manner) -> (ServerAddr, JoinHandle<Box<dyn Any + Send>>) {
    use ironrdp_blocking::{Framed, drive};

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    let serve = move || -> Box<dyn Any + Send> {
        let stream = listener.accept().unwrap().0;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let tls = TlsServer::from_pem(
            include_bytes!("../../ironrdp-tls/tests/data/self-signed.pem"),
            include_bytes!("../../ironrdp-tls/tests/data/ec.key.pem"),
        )
        .unwrap();
        let certificate = PeerCertificate::from_der(tls.certificate()).unwrap();
        let mut lab = Lab(certificate.subject_public_key().to_vec());
        let mut driver = Driver::new(ServerAcceptor::new(AcceptorConfig::new().require_nla()));
        let mut framed = Framed::new(stream);
        assert_eq!(
            drive(&mut framed, &mut driver, &mut lab).unwrap(),
            Driven::UpgradeToTls
        );
        let mut stream = framed.into_inner_no_leftover();
        match manner {
            Manner::SilentInTls => return Box::new(stream),
            Manner::HangsUpInTls => {
                // Not before the handshake has begun: a socket that closes with unread bytes resets the connection.
                stream.read_exact(&mut [0]).unwrap();
                return Box::new(());
            }
            Manner::LetsIn => {}
        }
        let mut connection = tls.connection().unwrap();
        connection.complete_io(&mut stream).unwrap();
        driver.answer(Reply::Upgraded).unwrap();
        let mut framed = Framed::new(StreamOwned::new(connection, stream));
        assert_eq!(drive(&mut framed, &mut driver, &mut lab).unwrap(), Driven::Done);
        Box::new(framed)
    };
    (address, thread::spawn(serve))
}

fn config<K>(manner: Manner) -> ConnectConfig<K> {
    let mut deadlines = Deadlines {
        dial: PATIENCE,
        negotiate: PATIENCE,
        tls: PATIENCE,
        authenticate: PATIENCE,
        activate: PATIENCE,
        overall: PATIENCE,
    };
    if manner == Manner::SilentInTls {
        deadlines.tls = Duration::from_millis(100);
    }
    let client = Config::new(Credentials::new("rdptest", "Lab-Pass-1")).with_deadlines(deadlines);
    ConnectConfig::new(client)
        .with_certificate_policy(CertificatePolicy::dangerously_accept_any())
        .unwrap()
}

fn on_tokio(server: ServerAddr, manner: Manner, ear: &mut Phases) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut connect = ironrdp_tokio::Connect::new(server, config(manner));
    runtime.block_on(connect.run_observed(ear)).is_ok()
}

fn on_smol(server: ServerAddr, manner: Manner, ear: &mut Phases) -> bool {
    let mut connect: ironrdp_futures::Connect<_, ironrdp_futures::AsyncIoTimer> =
        ironrdp_futures::Connect::new(server, config(manner));
    smol::block_on(connect.run_observed(ear)).is_ok()
}

fn blocking(server: ServerAddr, manner: Manner, ear: &mut Phases) -> bool {
    let mut connect = ironrdp_blocking::Connect::new(server, config(manner));
    connect.run_observed(ear).is_ok()
}

#[test]
fn the_phases_of_a_connection_are_told_alike_in_each_shell() {
    use Phase::{Activate, Authenticate, Dial, Negotiate, Tls};
    use PhaseEnd::{Failed, Passed, TimedOut};

    type Shell = fn(ServerAddr, Manner, &mut Phases) -> bool;
    let shells: [(&str, Shell); 3] = [("tokio", on_tokio), ("smol", on_smol), ("blocking", blocking)];
    let cases: [(Manner, &[_]); 3] = [
        (
            Manner::LetsIn,
            &[
                (Dial, Passed),
                (Negotiate, Passed),
                (Tls, Passed),
                (Authenticate, Passed),
                (Activate, Passed),
            ],
        ),
        (
            Manner::HangsUpInTls,
            &[(Dial, Passed), (Negotiate, Passed), (Tls, Failed)],
        ),
        (
            Manner::SilentInTls,
            &[(Dial, Passed), (Negotiate, Passed), (Tls, TimedOut)],
        ),
    ];
    for (manner, expected) in cases {
        for (shell, connect) in shells {
            let (address, serving) = server(manner);
            let mut ear = Phases::default();
            let connected = connect(address, manner, &mut ear);
            assert_eq!(ear.0, expected, "{shell}, {manner:?}");
            assert_eq!(connected, manner == Manner::LetsIn, "{shell}, {manner:?}");
            drop(serving.join().unwrap());
        }
    }
}

#[test]
fn tokio_tells() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        // In crumbs, so that most reads bring no frame.
        let (near, mut far) = tokio::io::duplex(7);
        let framed = ironrdp_tokio::TokioFramed::new(near);
        let session = ironrdp_async::SessionStream::new(framed, connected(), NoPixels).unwrap();
        let mut session = session.with_observer(Ear::default());
        let writing = tokio::spawn(async move {
            far.write_all(&server_says()).await.unwrap();
            far
        });
        while session.next_event().await.unwrap().is_some() {}
        check(session.observer(), session.session().stats());
        drop(writing.await.unwrap());
    });
}

#[test]
fn smol_tells() {
    smol::block_on(async {
        let (near, mut far) = smol::net::unix::UnixStream::pair().unwrap();
        smol::io::AsyncWriteExt::write_all(&mut far, &server_says())
            .await
            .unwrap();
        let framed = ironrdp_futures::FuturesFramed::new(near);
        let session = ironrdp_futures::SessionStream::new(framed, connected(), NoPixels).unwrap();
        let mut session = session.with_observer(Ear::default());
        while session.next_event().await.unwrap().is_some() {}
        check(session.observer(), session.session().stats());
    });
}

#[test]
fn threads_that_block_tell() {
    let (near, mut far) = UnixStream::pair().unwrap();
    far.write_all(&server_says()).unwrap();
    let framed = ironrdp_blocking::Framed::new(near);
    let session = ironrdp_blocking::SessionStream::new(framed, connected(), NoPixels).unwrap();
    let mut ear = Ear::default();
    let mut session = session.with_observer(&mut ear);
    let mut told = 0;
    while let Some(event) = session.next_event().unwrap() {
        told += u64::from(!matches!(event, Event::Disconnected { .. }));
    }
    assert!(told > 0);
    let stats = *session.session().stats();
    drop(session);
    check(&ear, &stats);
}
