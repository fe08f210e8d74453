//! The shells, each with real TLS of its own.

use std::any::Any;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, LazyLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ironrdp_async::{Framed, FramedFlush, FramedRead, FramedWrite, StreamWrapper, drive};
use ironrdp_connector::{ClientConnector, ConnectorResult, Driver, Reply, Sequence as _};
use ironrdp_futures::FuturesStream;
use ironrdp_testkit::Pair;
use ironrdp_tls::{CertificatePolicy, TlsClient, TlsServer};
use ironrdp_tokio::{Driven, TokioStream};
use rustls::StreamOwned;

use crate::scenarios::{End, Lab, Outcome, Product, Scenario, Tapped, kdc, users};
use crate::tap::{Tap, Tape};

/// Longer than anything takes, so that a hang is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

static CLIENT: LazyLock<TlsClient> =
    LazyLock::new(|| TlsClient::new(CertificatePolicy::dangerously_accept_any()).unwrap());
static SERVER: LazyLock<TlsServer> = LazyLock::new(|| {
    let certificate = include_bytes!("../../../ironrdp-tls/tests/data/self-signed.pem");
    TlsServer::from_pem(
        certificate,
        include_bytes!("../../../ironrdp-tls/tests/data/ec.key.pem"),
    )
    .unwrap()
});

fn end(result: ConnectorResult<Driven>, driver: &Driver<Tapped>) -> End {
    match result {
        Ok(driven) => {
            assert_eq!(driven, Driven::Done);
            Ok(driver.sequence().state().name())
        }
        Err(error) => Err((error.kind().clone(), error.phase())),
    }
}

/// In memory, without any shell.
pub(crate) fn pair(scenario: Scenario) -> Outcome {
    let said = scenario.said();
    let authorized = scenario.authorized;
    let mut asked = 0;
    let outcome = Pair::new(scenario.client, scenario.server)
        .with_decision(move |_| authorized)
        .with_users(users)
        .with_kdc(move |_| {
            asked += 1;
            Ok(kdc(asked - 1))
        })
        .run();
    let end = |result: ConnectorResult<Tapped>| match result {
        Ok(sequence) => Ok(sequence.state().name()),
        Err(error) => Err((error.kind().clone(), error.phase())),
    };
    Scenario::outcome(&said, end(outcome.client), end(outcome.server))
}

/// One end in an async shell; its stream stays open after success, and closes after an error.
async fn side<P, T>(
    stream: P::InnerStream,
    tape: &Tape,
    sequence: Tapped,
    authorized: bool,
    upgrade: impl AsyncFnOnce(P::InnerStream) -> io::Result<T::InnerStream>,
) -> (End, Option<Box<dyn Any>>)
where
    P: StreamWrapper + FramedRead + FramedWrite + FramedFlush + 'static,
    T: StreamWrapper + FramedRead + FramedWrite + FramedFlush + 'static,
{
    let mut driver = Driver::new(sequence);
    let mut lab = Lab::new(authorized);
    let mut framed = Framed::<Tap<P>>::new((stream, Arc::clone(tape)));
    let result = drive(&mut framed, &mut driver, &mut lab).await;
    if !matches!(result, Ok(Driven::UpgradeToTls)) {
        let open = keep_or_close(&result, framed).await;
        return (end(result, &driver), open);
    }
    let (stream, tape) = framed.into_inner_no_leftover();
    let stream = upgrade(stream).await.unwrap();
    driver.answer(Reply::Upgraded).unwrap();
    let mut framed = Framed::<Tap<T>>::new((stream, tape));
    let result = drive(&mut framed, &mut driver, &mut lab).await;
    let open = keep_or_close(&result, framed).await;
    (end(result, &driver), open)
}

async fn keep_or_close<S: FramedFlush + 'static>(
    result: &ConnectorResult<Driven>,
    mut framed: Framed<S>,
) -> Option<Box<dyn Any>> {
    if result.is_ok() {
        return Some(Box::new(framed));
    }
    // The shell does not wait for room for the last words of a failed sequence; this caller does.
    let _ = framed.flush().await;
    None
}

/// Whose TLS it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum TlsOf {
    /// An implementation of the streams that knows nothing of this workspace.
    Others,
    /// This workspace.
    Ours,
}

/// Runs both to their ends on tokio.
pub(crate) fn on_tokio<T>(both: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let both = async { tokio::time::timeout(PATIENCE, both).await };
    runtime.block_on(both).unwrap()
}

/// Runs both to their ends on smol.
pub(crate) fn on_smol<T>(both: impl Future<Output = T>) -> T {
    smol::future::block_on(smol::future::or(both, async {
        smol::Timer::after(PATIENCE).await;
        panic!("they wait for each other")
    }))
}

/// `ironrdp-tokio`, over a pipe that holds `capacity` bytes.
pub(crate) fn tokio(scenario: Scenario, capacity: usize, tls: TlsOf) -> Outcome {
    use ironrdp_tokio::{TlsServerStream, TlsStream};
    use tokio::io::DuplexStream;
    use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

    type Plain = TokioStream<DuplexStream>;
    let (said, name, authorized) = (scenario.said(), scenario.name, scenario.authorized);
    let (near, far) = tokio::io::duplex(capacity);
    let (left, right) = <(Tape, Tape)>::default();
    let config = CLIENT.for_host("localhost", 1).unwrap();
    let host = TlsClient::server_name("localhost").unwrap();
    let ((client, _open), (server, _also)) = match tls {
        TlsOf::Others => on_tokio(async {
            tokio::join!(
                side::<Plain, TokioStream<client::TlsStream<DuplexStream>>>(
                    near,
                    &left,
                    scenario.client,
                    authorized,
                    async |stream| TlsConnector::from(config).connect(host, stream).await,
                ),
                side::<Plain, TokioStream<server::TlsStream<DuplexStream>>>(
                    far,
                    &right,
                    scenario.server,
                    authorized,
                    async |stream| TlsAcceptor::from(SERVER.server_config()).accept(stream).await,
                )
            )
        }),
        TlsOf::Ours => on_tokio(async {
            tokio::join!(
                side::<Plain, TokioStream<TlsStream<DuplexStream>>>(
                    near,
                    &left,
                    scenario.client,
                    authorized,
                    async |stream| {
                        let handshake = TlsStream::connect(stream, config, host);
                        handshake.finish_with_first_write().await
                    },
                ),
                side::<Plain, TokioStream<TlsServerStream<DuplexStream>>>(
                    far,
                    &right,
                    scenario.server,
                    authorized,
                    async |stream| TlsServerStream::accept(stream, SERVER.server_config()).await,
                )
            )
        }),
    };
    Scenario::outcome_on(&said, (client, &left), (server, &right), name)
}

/// `ironrdp-futures` on smol, over a pipe that does everything in crumbs.
pub(crate) fn smol(scenario: Scenario, seed: u64, tls: TlsOf) -> Outcome {
    use crate::crumbs::{End, pipe};
    use futures_rustls::{TlsAcceptor, TlsConnector, client, server};
    use ironrdp_futures::{TlsServerStream, TlsStream};
    use smol::future::zip;

    type Plain = FuturesStream<End>;
    let (said, name, authorized) = (scenario.said(), scenario.name, scenario.authorized);
    let (near, far) = pipe(3_000, seed);
    let (left, right) = <(Tape, Tape)>::default();
    let config = CLIENT.for_host("localhost", 1).unwrap();
    let host = TlsClient::server_name("localhost").unwrap();
    let ((client, _open), (server, _also)) = match tls {
        TlsOf::Others => on_smol(zip(
            side::<Plain, FuturesStream<client::TlsStream<End>>>(
                near.with_prompt_flush(),
                &left,
                scenario.client,
                authorized,
                async |stream| TlsConnector::from(config).connect(host, stream).await,
            ),
            side::<Plain, FuturesStream<server::TlsStream<End>>>(
                far.with_prompt_flush(),
                &right,
                scenario.server,
                authorized,
                async |stream| TlsAcceptor::from(SERVER.server_config()).accept(stream).await,
            ),
        )),
        TlsOf::Ours => on_smol(zip(
            side::<Plain, FuturesStream<TlsStream<End>>>(
                near,
                &left,
                scenario.client,
                authorized,
                async |stream| {
                    let handshake = TlsStream::connect(stream, config, host);
                    handshake.finish_with_first_write().await
                },
            ),
            side::<Plain, FuturesStream<TlsServerStream<End>>>(
                far,
                &right,
                scenario.server,
                authorized,
                async |stream| TlsServerStream::accept(stream, SERVER.server_config()).await,
            ),
        )),
    };
    Scenario::outcome_on(&said, (client, &left), (server, &right), name)
}

/// A stream of threads with an ear at it.
struct Ear<S> {
    stream: S,
    tape: Tape,
}

impl<S: Read> Read for Ear<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buf)?;
        self.tape.lock().unwrap().read.extend(&buf[..count]);
        Ok(count)
    }
}

impl<S: Write> Write for Ear<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(buf)?;
        self.tape.lock().unwrap().written.extend(&buf[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// One end in the blocking shell; it says no more after an error, and its stream stays open.
fn blocking_side<T: Read + Write + Send + 'static>(
    stream: TcpStream,
    tape: &Tape,
    sequence: Tapped,
    authorized: bool,
    upgrade: impl FnOnce(TcpStream) -> T,
) -> (End, Box<dyn Any + Send>) {
    use ironrdp_blocking::{Framed, drive};

    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let socket = stream.try_clone().unwrap();
    let mut driver = Driver::new(sequence);
    let mut lab = Lab::new(authorized);
    let tape = Arc::clone(tape);
    let mut framed = Framed::new(Ear { stream, tape });
    let mut result = drive(&mut framed, &mut driver, &mut lab);
    let open: Box<dyn Any + Send> = if matches!(result, Ok(Driven::UpgradeToTls)) {
        let Ear { stream, tape } = framed.into_inner_no_leftover();
        let stream = upgrade(stream);
        let mut framed = Framed::new(Ear { stream, tape });
        driver.answer(Reply::Upgraded).unwrap();
        result = drive(&mut framed, &mut driver, &mut lab);
        Box::new(framed)
    } else {
        Box::new(framed)
    };
    if result.is_err() {
        // A stream that closes with unread bytes would take away what it said last.
        let _ = socket.shutdown(Shutdown::Write);
    }
    (end(result, &driver), open)
}

/// The two ends of a connection over loopback.
fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

type ServerSide = JoinHandle<(End, Box<dyn Any + Send>)>;

fn blocking_server(stream: TcpStream, tape: &Tape, sequence: Tapped, authorized: bool) -> ServerSide {
    let tape = Arc::clone(tape);
    thread::spawn(move || {
        blocking_side(stream, &tape, sequence, authorized, |mut stream| {
            let mut tls = SERVER.connection().unwrap();
            tls.complete_io(&mut stream).unwrap();
            StreamOwned::new(tls, stream)
        })
    })
}

/// `ironrdp-blocking`, over a socket, with a thread each.
pub(crate) fn blocking(scenario: Scenario) -> Outcome {
    let (said, name, authorized) = (scenario.said(), scenario.name, scenario.authorized);
    let (near, far) = sockets();
    let (left, right) = <(Tape, Tape)>::default();
    let server = blocking_server(far, &right, scenario.server, authorized);
    let (client, _open) = blocking_side(near, &left, scenario.client, authorized, |mut stream| {
        let mut tls = CLIENT.connection("localhost", 1).unwrap();
        tls.complete_io(&mut stream).unwrap();
        StreamOwned::new(tls, stream)
    });
    let (server, _also) = joined(server);
    Scenario::outcome_on(&said, (client, &left), (server, &right), name)
}

/// What the server hears of the `Connect` of a runtime, and how the server ends.
pub(crate) type Heard = (Vec<u8>, End);

fn connect_config<K>(product: &Product) -> ironrdp_async::ConnectConfig<K> {
    ironrdp_async::ConnectConfig::new(product.client.clone()).with_tls(CLIENT.clone())
}

/// The `Connect` of `ironrdp-tokio`.
pub(crate) fn connect_on_tokio(product: &Product, room: u64) -> Heard {
    use ironrdp_tokio::{Connect, TlsServerStream};
    use tokio::io::DuplexStream;

    let (near, far) = tokio::io::duplex(usize::try_from(19 + 1_000 * room).unwrap());
    let tape = Tape::default();
    let server = side::<TokioStream<DuplexStream>, TokioStream<TlsServerStream<DuplexStream>>>(
        far,
        &tape,
        product.scenario().server,
        true,
        async |stream| TlsServerStream::accept(stream, SERVER.server_config()).await,
    );
    let mut connect = Connect::over(near, "localhost".parse().unwrap(), connect_config(product));
    let (client, (server, _open)) = on_tokio(async { tokio::join!(connect.run(), server) });
    let connected = client.unwrap();
    assert!(connected.framed.is_flushed());
    (std::mem::take(&mut tape.lock().unwrap().read), server)
}

/// The three calls of `ironrdp-tokio`, around TLS of somebody else.
pub(crate) fn three_calls_on_tokio(product: &Product, _: u64) -> Heard {
    use ironrdp_tokio::{NoNetwork, TokioFramed, connect_begin, connect_finalize, mark_as_upgraded};
    use tokio::io::DuplexStream;
    use tokio_rustls::{TlsAcceptor, TlsConnector, server};

    let (near, far) = tokio::io::duplex(64 * 1024);
    let tape = Tape::default();
    let server = side::<TokioStream<DuplexStream>, TokioStream<server::TlsStream<DuplexStream>>>(
        far,
        &tape,
        product.scenario().server,
        true,
        async |stream| TlsAcceptor::from(SERVER.server_config()).accept(stream).await,
    );
    let client = async {
        let mut connector = ClientConnector::new(product.client.clone());
        let mut framed = TokioFramed::new(near);
        let should_upgrade = connect_begin(&mut framed, &mut connector).await.unwrap();
        let is_needed = should_upgrade.is_needed();
        let upgraded = mark_as_upgraded(should_upgrade, &mut connector);
        let (name, mut network) = ("localhost".into(), NoNetwork);
        if !is_needed {
            let finalize = connect_finalize(
                upgraded,
                connector,
                &mut framed,
                &mut network,
                name,
                Vec::new(),
                None,
            );
            let result = finalize.await.unwrap();
            return (result, Box::new(framed) as Box<dyn Any>);
        }
        let tls = TlsConnector::from(CLIENT.for_host("localhost", 1).unwrap());
        let host = TlsClient::server_name("localhost").unwrap();
        let stream = tls.connect(host, framed.into_inner_no_leftover()).await.unwrap();
        let mut framed = TokioFramed::new(stream);
        let finalize = connect_finalize(
            upgraded,
            connector,
            &mut framed,
            &mut network,
            name,
            vec![1],
            None,
        );
        (finalize.await.unwrap(), Box::new(framed))
    };
    let (_client, (server, _open)) = on_tokio(async { tokio::join!(client, server) });
    (std::mem::take(&mut tape.lock().unwrap().read), server)
}

/// The `Connect` of `ironrdp-futures`.
pub(crate) fn connect_on_smol(product: &Product, seed: u64) -> Heard {
    use crate::crumbs::{End, pipe};
    use ironrdp_futures::{AsyncIoTimer, Connect, TlsServerStream};

    let (near, far) = pipe(700, seed);
    let tape = Tape::default();
    let server = side::<FuturesStream<End>, FuturesStream<TlsServerStream<End>>>(
        far,
        &tape,
        product.scenario().server,
        true,
        async |stream| TlsServerStream::accept(stream, SERVER.server_config()).await,
    );
    let config = connect_config(product);
    let mut connect = Connect::<End, AsyncIoTimer>::over(near, "localhost".parse().unwrap(), config);
    let (client, (server, _open)) = on_smol(smol::future::zip(connect.run(), server));
    let connected = client.unwrap();
    assert!(connected.framed.is_flushed());
    (std::mem::take(&mut tape.lock().unwrap().read), server)
}

/// The `Connect` of `ironrdp-blocking`.
pub(crate) fn connect_on_threads(product: &Product, _: u64) -> Heard {
    let (near, far) = sockets();
    let tape = Tape::default();
    let server = blocking_server(far, &tape, product.scenario().server, true);
    let config = connect_config(product);
    let mut connect = ironrdp_blocking::Connect::over(near, "localhost".parse().unwrap(), config);
    let connected = connect.run().unwrap();
    assert!(connected.framed.is_flushed());
    let (server, _open) = joined(server);
    (std::mem::take(&mut tape.lock().unwrap().read), server)
}

/// What the thread gives, once it has ended.
pub(crate) fn joined<T>(thread: JoinHandle<T>) -> T {
    let end = Instant::now() + PATIENCE;
    while !thread.is_finished() {
        assert!(Instant::now() < end, "the other end hangs");
        thread::sleep(Duration::from_millis(1));
    }
    thread.join().unwrap()
}
