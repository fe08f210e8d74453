//! The connection sequence, whichever way it is driven.

use std::cell::Cell;
use std::future::{pending, ready};
use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ironrdp_async::{
    Answers, ClientAnswers, ConnectConfig, Driven, Finalize, FramedRead, FramedWrite, NoNetwork, Observer,
    PhaseEnd, StreamWrapper, connect_begin, connect_finalize, dial_any, drive, drive_while, mark_as_upgraded,
    single_sequence_step, single_sequence_step_read,
};
use ironrdp_connector::{
    AcceptResult, AcceptorConfig, ClientConnector, Config, ConnectionResult, ConnectorError, ConnectorResult,
    Credentials, Driver, Phase, Reply, Request, SecurityPolicy, Sequence as _, ServerAcceptor,
    ServerIdentity, UserSecret,
};
use ironrdp_core::WriteBuf;
use ironrdp_futures::{AsyncIoTimer, Framed, FuturesFramed, FuturesStream};
use ironrdp_pdu::x224::{NegotiationOutcome, ResponseFlags, SecurityProtocol};
use ironrdp_testkit::{frames, poll_once};
use ironrdp_tls::{CertificatePolicy, PeerCertificate, TlsClient, TlsServer};
use ironrdp_tokio::TokioStream;
use smol::future::zip;

use crate::crumbs::{End, pipe};
use crate::{block_on, dropping};

const PASSWORD: &str = "Lab-Pass-1";
const KEY: &[u8] = b"the server's public key";
const SEEDS: u64 = 10;

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(120);

fn config(security: SecurityPolicy) -> Config {
    Config::new(Credentials::new("LAB\\rdptest", PASSWORD)).with_security(security)
}

fn acceptor(security: SecurityPolicy) -> Driver<ServerAcceptor> {
    Driver::new(ServerAcceptor::new(match security {
        SecurityPolicy::Nla => AcceptorConfig::new().require_nla(),
        _ => AcceptorConfig::new(),
    }))
}

fn identity(public_key: &[u8]) -> ServerIdentity {
    ServerIdentity {
        name: "localhost".into(),
        public_key: public_key.to_vec(),
        kerberos: None,
    }
}

/// Knows one user, and lets everybody in who got so far.
struct Lab {
    public_key: Vec<u8>,
}

impl Answers for Lab {
    async fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply> {
        Ok(match request {
            Request::UserSecret(_) => Reply::UserSecret(Some(UserSecret::Password(PASSWORD.into()))),
            Request::ServerIdentity => Reply::ServerIdentity(identity(&self.public_key)),
            Request::Network(_) => return Err(ConnectorError::misuse("the lab has no KDC")),
            // May this user in?
            _ => Reply::Authorized(true),
        })
    }
}

/// The server's end, with the upgrade that it is given; its stream stays open for as long as the client needs it.
async fn serve<P, T>(
    stream: P::InnerStream,
    security: SecurityPolicy,
    public_key: &[u8],
    upgrade: impl AsyncFnOnce(P::InnerStream) -> T::InnerStream,
) -> (AcceptResult, Framed<T>)
where
    P: StreamWrapper + FramedRead + FramedWrite,
    T: StreamWrapper + FramedRead + FramedWrite,
{
    let mut lab = Lab {
        public_key: public_key.to_vec(),
    };
    let mut driver = acceptor(security);
    let mut framed = Framed::<P>::new(stream);
    let driven = drive(&mut framed, &mut driver, &mut lab).await.unwrap();
    assert_eq!(driven, Driven::UpgradeToTls);
    driver.answer(Reply::Upgraded).unwrap();
    let mut framed = Framed::<T>::new(upgrade(framed.into_inner_no_leftover()).await);
    let driven = drive(&mut framed, &mut driver, &mut lab).await.unwrap();
    assert_eq!(driven, Driven::Done);
    (driver.into_sequence().into_result().unwrap(), framed)
}

/// Ways through the sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Undisturbed,
    BeginAndFinalize,
    Drive,
    DriveWhile,
    HalfSteps,
    Steps,
}

/// The client's end, with TLS that is only pretended.
async fn client(way: Way, stream: End, security: SecurityPolicy) -> (ConnectionResult, usize) {
    let mut connector = ClientConnector::new(config(security));
    let mut framed = FuturesFramed::new(stream);
    let mut answers = ClientAnswers {
        identity: identity(KEY),
        network: NoNetwork,
    };
    let mut drops = 0;
    match way {
        Way::BeginAndFinalize => {
            let (began, count) = dropping(|| poll_once(connect_begin(&mut framed, &mut connector))).await;
            drops += count;
            let upgraded = mark_as_upgraded(began.unwrap(), &mut connector);
            let (name, key) = ("localhost".into(), KEY.to_vec());
            let mut finalize =
                Finalize::new(upgraded, connector, framed, NoNetwork, name, key, None).unwrap();
            let (result, count) = dropping(|| poll_once(finalize.run())).await;
            assert!(finalize.into_framed().is_flushed());
            (result.unwrap(), drops + count)
        }
        Way::HalfSteps => {
            let mut buf = WriteBuf::new();
            while !connector.state().is_terminal() {
                if matches!(connector.request(), Some(Request::UpgradeToTls)) {
                    connector.answer(Reply::Upgraded).unwrap();
                }
                let step = || poll_once(single_sequence_step_read(&mut framed, &mut connector, &mut buf));
                let (written, count) = dropping(step).await;
                drops += count;
                framed.send(&buf.filled()[..written.unwrap().size()]).unwrap();
                let (flushed, count) = dropping(|| poll_once(framed.flush())).await;
                flushed.unwrap();
                drops += count;
            }
            (connector.into_result().unwrap(), drops)
        }
        Way::Steps => {
            let mut buf = WriteBuf::new();
            while !connector.state().is_terminal() {
                if matches!(connector.request(), Some(Request::UpgradeToTls)) {
                    connector.answer(Reply::Upgraded).unwrap();
                }
                let step = || poll_once(single_sequence_step(&mut framed, &mut connector, &mut buf));
                let (taken, count) = dropping(step).await;
                taken.unwrap();
                drops += count;
            }
            (connector.into_result().unwrap(), drops)
        }
        Way::Undisturbed | Way::Drive | Way::DriveWhile => {
            let mut driver = Driver::new(connector);
            loop {
                let phase = driver.sequence().phase();
                let driven = match way {
                    Way::Drive => {
                        let (driven, count) =
                            dropping(|| poll_once(drive(&mut framed, &mut driver, &mut answers))).await;
                        drops += count;
                        driven
                    }
                    Way::DriveWhile => {
                        let (driven, count) = dropping(|| {
                            let same_phase = |connector: &ClientConnector| connector.phase() == phase;
                            poll_once(drive_while(&mut framed, &mut driver, &mut answers, same_phase))
                        })
                        .await;
                        drops += count;
                        driven
                    }
                    _ => drive(&mut framed, &mut driver, &mut answers).await,
                };
                match driven.unwrap() {
                    Driven::UpgradeToTls => driver.answer(Reply::Upgraded).unwrap(),
                    Driven::Done => break,
                    _ => assert_ne!(driver.sequence().phase(), phase),
                }
            }
            (driver.into_sequence().into_result().unwrap(), drops)
        }
    }
}

/// What either end may know of the connection, and how often the client's future was dropped.
fn connection(way: Way, security: SecurityPolicy, seed: u64) -> ((String, String), usize) {
    let (near, far) = pipe(if way == Way::Steps { 1_000_000 } else { 700 }, seed);
    let near = if way == Way::Steps {
        near.with_prompt_writes()
    } else {
        near
    };
    let server = serve::<FuturesStream<End>, FuturesStream<End>>(far, security, KEY, async |stream| stream);
    let ((client, drops), (server, _open)) = block_on(zip(client(way, near, security), server));
    ((format!("{client:?}"), format!("{server:?}")), drops)
}

fn goes_on(way: Way, security: SecurityPolicy) {
    let (expected, _) = connection(Way::Undisturbed, security, 0);
    for seed in 0..SEEDS {
        let (known, drops) = connection(way, security, seed);
        assert_eq!(known, expected, "{way:?}, {security:?}, seed {seed}");
        assert!(drops > 5, "{way:?}, {security:?}, seed {seed}: {drops}");
    }
}

pub(crate) fn each_way_through_the_sequence_goes_on() {
    for way in [Way::BeginAndFinalize, Way::Drive, Way::DriveWhile] {
        goes_on(way, SecurityPolicy::Tls);
        goes_on(way, SecurityPolicy::Nla);
    }
    goes_on(Way::HalfSteps, SecurityPolicy::Tls);
}

pub(crate) fn single_steps_go_on_while_they_read() {
    // The stream takes each write at once, so that it is always reading which is dropped.
    goes_on(Way::Steps, SecurityPolicy::Tls);
}

pub(crate) fn the_connector_goes_with_the_future_and_the_stream_stays() {
    for seed in 0..SEEDS {
        let (near, mut far) = pipe(100, seed);
        far.queue(&frames::confirm(NegotiationOutcome::Selected {
            protocol: SecurityProtocol::SSL,
            flags: ResponseFlags::empty(),
        }));
        let mut connector = ClientConnector::new(config(SecurityPolicy::Tls));
        let mut framed = FuturesFramed::new(near);
        let mut heard = Vec::new();
        let (began, _) = block_on(dropping(|| {
            far.drain_into(&mut heard);
            poll_once(connect_begin(&mut framed, &mut connector))
        }));
        far.drain_into(&mut heard);
        heard.clear();
        let upgraded = mark_as_upgraded(began.unwrap(), &mut connector);
        let (name, key) = ("localhost".into(), KEY.to_vec());
        let mut network = NoNetwork;
        let finalize = connect_finalize(upgraded, connector, &mut framed, &mut network, name, key, None);
        assert!(poll_once(finalize).is_none());
        // What it had begun to say is said to its end, and what is said next comes behind it.
        framed.send(b"behind it").unwrap();
        let (flushed, _) = block_on(dropping(|| {
            far.drain_into(&mut heard);
            poll_once(framed.flush())
        }));
        flushed.unwrap();
        far.drain_into(&mut heard);
        let length = usize::from(u16::from_be_bytes([heard[2], heard[3]]));
        assert_eq!(&heard[length..], b"behind it", "seed {seed}");
    }
}

/// Hears how phases end.
#[derive(Default)]
struct Ear(Vec<(Phase, PhaseEnd)>);

impl Observer for Ear {
    fn phase_ended(&mut self, phase: Phase, _: Duration, end: PhaseEnd) {
        self.0.push((phase, end));
    }
}

fn tls_server() -> TlsServer {
    TlsServer::from_pem(
        include_bytes!("../../../ironrdp-tls/tests/data/self-signed.pem"),
        include_bytes!("../../../ironrdp-tls/tests/data/ec.key.pem"),
    )
    .unwrap()
}

fn public_key(server: &TlsServer) -> Vec<u8> {
    let certificate = PeerCertificate::from_der(server.certificate()).unwrap();
    certificate.subject_public_key().to_vec()
}

fn any_certificate() -> TlsClient {
    TlsClient::new(CertificatePolicy::dangerously_accept_any()).unwrap()
}

type Known = ((String, String), usize, Ear);

fn on_smol(security: SecurityPolicy, seed: u64, observed: bool) -> Known {
    let tls = tls_server();
    let key = public_key(&tls);
    let (near, far) = pipe(3_000, seed);
    let server = serve::<FuturesStream<End>, FuturesStream<futures_rustls::server::TlsStream<End>>>(
        far.with_prompt_flush(),
        security,
        &key,
        async |stream| {
            let acceptor = futures_rustls::TlsAcceptor::from(tls.server_config());
            acceptor.accept(stream).await.unwrap()
        },
    );
    let config = ConnectConfig::new(config(security)).with_tls(any_certificate());
    let address = "localhost".parse().unwrap();
    let mut connect = ironrdp_futures::Connect::<End, AsyncIoTimer>::over(near, address, config);
    let mut ear = Ear::default();
    let client = dropping(|| match observed {
        true => poll_once(connect.run_observed(&mut ear)),
        false => poll_once(connect.run()),
    });
    let ((client, drops), (server, _open)) = block_on(zip(client, server));
    let client = client.unwrap();
    assert!(client.framed.get_inner().0.is_tls());
    (
        (format!("{:?}", client.result), format!("{server:?}")),
        drops,
        ear,
    )
}

fn on_tokio(security: SecurityPolicy, room: u64, observed: bool) -> Known {
    use tokio::io::DuplexStream;
    use tokio::time::timeout;

    let tls = tls_server();
    let key = public_key(&tls);
    let (near, far) = tokio::io::duplex(usize::try_from(17 + room).unwrap());
    let server = serve::<TokioStream<DuplexStream>, TokioStream<tokio_rustls::server::TlsStream<DuplexStream>>>(
        far,
        security,
        &key,
        async |stream| {
            let acceptor = tokio_rustls::TlsAcceptor::from(tls.server_config());
            acceptor.accept(stream).await.unwrap()
        },
    );
    let config = ironrdp_tokio::ConnectConfig::new(config(security)).with_tls(any_certificate());
    let address = "localhost".parse().unwrap();
    let mut connect = ironrdp_tokio::Connect::over(near, address, config);
    let mut ear = Ear::default();
    let client = dropping(|| match observed {
        true => poll_once(connect.run_observed(&mut ear)),
        false => poll_once(connect.run()),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let ((client, drops), (server, _open)) = runtime.block_on(async {
        timeout(PATIENCE, async { tokio::join!(client, server) })
            .await
            .unwrap()
    });
    let client = client.unwrap();
    assert!(client.framed.get_inner().0.is_tls());
    (
        (format!("{:?}", client.result), format!("{server:?}")),
        drops,
        ear,
    )
}

pub(crate) fn a_connection_goes_on_and_each_phase_is_told_once() {
    for security in [SecurityPolicy::Tls, SecurityPolicy::Nla] {
        // The server's end takes the channels for known to the byte, so the two runtimes can be compared too.
        let (expected, _) = connection(Way::Undisturbed, security, 0);
        let phases: Vec<Phase> = [Phase::Negotiate, Phase::Tls, Phase::Authenticate, Phase::Activate]
            .into_iter()
            .filter(|phase| *phase != Phase::Authenticate || security == SecurityPolicy::Nla)
            .collect();
        for seed in 0..4 {
            for observed in [false, true] {
                for (runtime, connect) in [("smol", on_smol as fn(_, _, _) -> _), ("tokio", on_tokio)] {
                    let (known, drops, ear): Known = connect(security, seed, observed);
                    let name = format!("{runtime}, {security:?}, seed {seed}, observed {observed}");
                    assert_eq!(known, expected, "{name}");
                    assert!(drops > 10, "{name}: {drops}");
                    let told = ear.0.iter().map(|(phase, end)| {
                        assert_eq!(*end, PhaseEnd::Passed, "{name}");
                        *phase
                    });
                    assert_eq!(
                        told.collect::<Vec<_>>(),
                        if observed { phases.clone() } else { Vec::new() },
                        "{name}"
                    );
                }
            }
        }
    }
}

/// A server that tells when it has heard something, and then waits for the end of the connection.
fn listener() -> (SocketAddr, Receiver<()>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (hears, heard) = mpsc::channel();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.read_exact(&mut [0]).unwrap();
        hears.send(()).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    });
    (address, heard, server)
}

pub(crate) fn a_dropped_call_closes_the_connection() {
    let (address, heard, server) = listener();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::select! {
            session = ironrdp_tokio::connect(address, config(SecurityPolicy::Tls)) => panic!("{session:?}"),
            () = async {
                while heard.try_recv().is_err() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            } => {}
        }
    });
    server.join().unwrap();

    let (address, heard, server) = listener();
    block_on(smol::future::or(
        async {
            let session = ironrdp_futures::connect(address, config(SecurityPolicy::Tls)).await;
            panic!("{session:?}")
        },
        async {
            while heard.try_recv().is_err() {
                smol::Timer::after(Duration::from_millis(1)).await;
            }
        },
    ));
    server.join().unwrap();
}

pub(crate) fn attempts_to_connect_go_with_the_future() {
    let open = Cell::new(0);
    /// A socket that never connects.
    struct Attempt<'a>(&'a Cell<u32>);
    impl Drop for Attempt<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    let connect = |_| {
        open.set(open.get() + 1);
        let attempt = Attempt(&open);
        async move {
            let _attempt = attempt;
            pending::<std::io::Result<()>>().await
        }
    };
    let addresses: [SocketAddr; 2] = [([127, 0, 0, 1], 1).into(), ([127, 0, 0, 2], 1).into()];
    let mut timer = AsyncIoTimer::default();
    {
        let mut dialing = Box::pin(dial_any(&mut timer, addresses, connect));
        assert!(poll_once(&mut dialing).is_none());
        assert_eq!(open.get(), 1);
    }
    assert_eq!(open.get(), 0);
    // Begun again, it begins with the first.
    let first = |address: SocketAddr| {
        ready(if address == addresses[0] {
            Ok(address)
        } else {
            Err(ErrorKind::Other.into())
        })
    };
    assert_eq!(
        poll_once(dial_any(&mut timer, addresses, first))
            .unwrap()
            .unwrap(),
        addresses[0]
    );
}
