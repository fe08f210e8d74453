//! The shells, each with real TLS of its own.

use std::any::Any;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use ironrdp_async::{Framed, FramedFlush, FramedRead, FramedWrite, StreamWrapper, drive};
use ironrdp_connector::{ConnectorResult, Driver, Reply, Sequence as _};
use ironrdp_futures::FuturesStream;
use ironrdp_testkit::Pair;
use ironrdp_tls::{CertificatePolicy, TlsClient, TlsServer};
use ironrdp_tokio::{Driven, TokioStream};
use rustls::StreamOwned;

use crate::scenarios::{End, Lab, Outcome, Scenario, Tapped, users};

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
    let outcome = Pair::new(scenario.client, scenario.server)
        .with_decision(move |_| authorized)
        .with_users(users)
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
    sequence: Tapped,
    authorized: bool,
    upgrade: impl AsyncFnOnce(P::InnerStream) -> io::Result<T::InnerStream>,
) -> (End, Option<Box<dyn Any>>)
where
    P: StreamWrapper + FramedRead + FramedWrite + FramedFlush + 'static,
    T: StreamWrapper + FramedRead + FramedWrite + FramedFlush + 'static,
{
    let mut driver = Driver::new(sequence);
    let mut lab = Lab { authorized };
    let mut framed = Framed::<P>::new(stream);
    let result = drive(&mut framed, &mut driver, &mut lab).await;
    if !matches!(result, Ok(Driven::UpgradeToTls)) {
        let open = keep_or_close(&result, framed).await;
        return (end(result, &driver), open);
    }
    let stream = upgrade(framed.into_inner_no_leftover()).await.unwrap();
    driver.answer(Reply::Upgraded).unwrap();
    let mut framed = Framed::<T>::new(stream);
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

/// `ironrdp-tokio`, over a pipe that holds `capacity` bytes.
pub(crate) fn tokio(scenario: Scenario, capacity: usize) -> Outcome {
    use tokio::io::DuplexStream;
    use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

    let said = scenario.said();
    let (near, far) = tokio::io::duplex(capacity);
    let client = side::<TokioStream<DuplexStream>, TokioStream<client::TlsStream<DuplexStream>>>(
        near,
        scenario.client,
        scenario.authorized,
        async |stream| {
            let tls = TlsConnector::from(CLIENT.for_host("localhost", 1).unwrap());
            tls.connect(TlsClient::server_name("localhost").unwrap(), stream)
                .await
        },
    );
    let server = side::<TokioStream<DuplexStream>, TokioStream<server::TlsStream<DuplexStream>>>(
        far,
        scenario.server,
        scenario.authorized,
        async |stream| TlsAcceptor::from(SERVER.server_config()).accept(stream).await,
    );
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ((client, _open), (server, _also)) = runtime.block_on(async { tokio::join!(client, server) });
    Scenario::outcome(&said, client, server)
}

/// `ironrdp-futures` on smol, over a pipe that does everything in crumbs.
pub(crate) fn smol(scenario: Scenario, seed: u64) -> Outcome {
    use crate::crumbs::{End, pipe};
    use futures_rustls::{TlsAcceptor, TlsConnector, client, server};

    let said = scenario.said();
    let (near, far) = pipe(3_000, seed);
    let client = side::<FuturesStream<End>, FuturesStream<client::TlsStream<End>>>(
        near.with_prompt_flush(),
        scenario.client,
        scenario.authorized,
        async |stream| {
            let tls = TlsConnector::from(CLIENT.for_host("localhost", 1).unwrap());
            tls.connect(TlsClient::server_name("localhost").unwrap(), stream)
                .await
        },
    );
    let server = side::<FuturesStream<End>, FuturesStream<server::TlsStream<End>>>(
        far.with_prompt_flush(),
        scenario.server,
        scenario.authorized,
        async |stream| TlsAcceptor::from(SERVER.server_config()).accept(stream).await,
    );
    let ((client, _open), (server, _also)) = smol::future::block_on(smol::future::zip(client, server));
    Scenario::outcome(&said, client, server)
}

/// One end in the blocking shell; it says no more after an error, and its stream stays open.
fn blocking_side<T: Read + Write + Send + 'static>(
    stream: TcpStream,
    sequence: Tapped,
    authorized: bool,
    upgrade: impl FnOnce(TcpStream) -> T,
) -> (End, Box<dyn Any + Send>) {
    use ironrdp_blocking::{Framed, drive};

    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let socket = stream.try_clone().unwrap();
    let mut driver = Driver::new(sequence);
    let mut lab = Lab { authorized };
    let mut framed = Framed::new(stream);
    let mut result = drive(&mut framed, &mut driver, &mut lab);
    let open: Box<dyn Any + Send> = if matches!(result, Ok(Driven::UpgradeToTls)) {
        let mut framed = Framed::new(upgrade(framed.into_inner_no_leftover()));
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

/// `ironrdp-blocking`, over a socket, with a thread each.
pub(crate) fn blocking(scenario: Scenario) -> Outcome {
    let said = scenario.said();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let far = listener.accept().unwrap().0;
    let authorized = scenario.authorized;
    let (client, server) = (scenario.client, scenario.server);
    let server = thread::spawn(move || {
        blocking_side(far, server, authorized, |mut stream| {
            let mut tls = SERVER.connection().unwrap();
            tls.complete_io(&mut stream).unwrap();
            StreamOwned::new(tls, stream)
        })
    });
    let (client, _open) = blocking_side(near, client, authorized, |mut stream| {
        let mut tls = CLIENT.connection("localhost", 1).unwrap();
        tls.complete_io(&mut stream).unwrap();
        StreamOwned::new(tls, stream)
    });
    let (server, _also) = server.join().unwrap();
    Scenario::outcome(&said, client, server)
}
