//! Blocking calls over real sockets, and over a stream that times out wherever it likes.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fastrand::Rng;
use ironrdp_blocking::{
    Answers, Connect, ConnectErrorKind, Driven, EndOfStream, Finalize, Framed, NoNetwork, Timeouts,
    connect_begin, connect_finalize, drive, mark_as_upgraded,
};
use ironrdp_connector::{
    AcceptorConfig, ClientConnector, Config, ConnectorErrorKind, ConnectorResult, Credentials, Driver, Phase,
    Reply, Request, ServerAcceptor,
};
use ironrdp_pdu::{Action, X224_HINT};
use ironrdp_tls::{CertificatePolicy, PeerCertificate, TlsClient, TlsServer};
use rustls::StreamOwned;

/// TPKT and X.224 Connection Confirm with a Negotiation Response that selects TLS (MS-RDPBCGR 2.2.1.2.1).
const SELECT_TLS: &[u8] = &[3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 1, 0, 0, 0];

/// Longer than anything takes, so that a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the thread gives, once it has ended.
fn joined<T>(thread: JoinHandle<T>) -> T {
    let end = Instant::now() + PATIENCE;
    while !thread.is_finished() {
        assert!(Instant::now() < end, "the other end hangs");
        thread::sleep(Duration::from_millis(1));
    }
    thread.join().unwrap()
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// Reads what it was given and keeps what is written, in short pieces, with a timeout or a signal in between; what was written
/// arrives when it was flushed.
struct Moody {
    incoming: VecDeque<u8>,
    held: Vec<u8>,
    arrived: Vec<u8>,
    dice: Rng,
}

impl Moody {
    fn new(incoming: &[u8], seed: u64) -> Self {
        Self {
            incoming: incoming.iter().copied().collect(),
            held: Vec::new(),
            arrived: Vec::new(),
            dice: Rng::with_seed(seed),
        }
    }

    fn mood(&mut self) -> io::Result<()> {
        match self.dice.usize(..6) {
            0 => Err(ErrorKind::WouldBlock.into()),
            1 => Err(ErrorKind::TimedOut.into()),
            2 => Err(ErrorKind::Interrupted.into()),
            _ => Ok(()),
        }
    }
}

impl Read for Moody {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        buf.fill(0xee);
        self.mood()?;
        let most = 1 + self.dice.usize(..700);
        let count = buf.len().min(most);
        self.incoming.read(&mut buf[..count])
    }
}

impl Write for Moody {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.mood()?;
        let count = buf.len().min(1 + self.dice.usize(..300));
        self.held.extend_from_slice(&buf[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.mood()?;
        self.arrived.append(&mut self.held);
        Ok(())
    }
}

/// Calls until it is no timeout; says how many there were.
fn insist<T>(mut call: impl FnMut() -> io::Result<T>) -> (io::Result<T>, usize) {
    let mut timeouts = 0;
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => timeouts += 1,
            result => return (result, timeouts),
        }
    }
}

fn frames(dice: &mut Rng) -> Vec<Vec<u8>> {
    let frame = |_| {
        let size = 3 + dice.usize(..2_000);
        let [high, low] = u16::try_from(size).unwrap().to_be_bytes();
        let mut frame = vec![0, 0x80 | high, low];
        frame.resize_with(size, || dice.u8(..));
        frame
    };
    (0..20).map(frame).collect()
}

#[test]
fn frames_cross_a_socket_and_an_idle_one_holds_no_buffer() {
    let (client, mut server) = pair();
    client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut framed = Framed::new(client);
    framed.send(b"ping").unwrap();
    framed.write_all(b"-pong").unwrap();
    let mut got = [0; 9];
    server.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"ping-pong");

    let error = framed.next_frame().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert_eq!(framed.get_inner().1.capacity(), 0);

    // Half a frame, a timeout, and the other half.
    server.write_all(&[0, 5, 1]).unwrap();
    assert_eq!(framed.next_frame().unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(framed.peek(), [0, 5, 1]);
    server.write_all(&[2, 3, 3, 0, 0, 8, 2, 0xf0, 0x80, 9]).unwrap();
    assert_eq!(
        framed.next_frame().unwrap(),
        (Action::FastPath, &[0, 5, 1, 2, 3][..])
    );
    let bytes = framed.read_by_hint(&X224_HINT).unwrap();
    assert_eq!(bytes[..], [3, 0, 0, 8, 2, 0xf0, 0x80, 9]);

    drop(server);
    let end = framed.read_pdu().unwrap_err();
    assert!(EndOfStream::of(&end).unwrap().is_between_frames());
}

#[test]
fn reads_that_time_out_anywhere_lose_nothing() {
    for seed in 0..200 {
        let expected = frames(&mut Rng::with_seed(seed));
        let mut framed = Framed::new(Moody::new(&expected.concat(), seed));
        let mut timeouts = 0;
        for frame in &expected {
            let (got, waited) = insist(|| framed.read_pdu());
            assert_eq!(got.unwrap().1[..], frame[..], "seed {seed}");
            timeouts += waited;
        }
        let end = insist(|| framed.read_pdu()).0.unwrap_err();
        assert!(EndOfStream::of(&end).unwrap().is_between_frames(), "seed {seed}");
        assert!(timeouts > 0, "seed {seed}");
    }
}

#[test]
fn flushes_that_time_out_anywhere_go_on_at_the_same_byte() {
    for seed in 0..200 {
        let messages = frames(&mut Rng::with_seed(seed));
        let mut framed = Framed::new(Moody::new(&[], seed));
        let mut timeouts = 0;
        for message in &messages {
            framed.send(message).unwrap();
            timeouts += usize::from(framed.flush().is_err());
        }
        let (flushed, waited) = insist(|| framed.flush());
        flushed.unwrap();
        assert!(framed.is_flushed() && timeouts + waited > 0, "seed {seed}");
        assert!(
            framed.into_inner_no_leftover().arrived == messages.concat(),
            "seed {seed}"
        );
    }
}

#[test]
fn exchange_sends_before_it_waits() {
    let (client, server) = pair();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let echo = thread::spawn(move || {
        let mut framed = Framed::new(server);
        let frame = framed.read_pdu().unwrap().1;
        framed.write_all(&frame).unwrap();
    });
    let mut framed = Framed::new(client);
    framed.send(&[0, 3, 7]).unwrap();
    framed.exchange().unwrap();
    assert_eq!(framed.buffered_frame().unwrap().unwrap().1, [0, 3, 7]);
    joined(echo);
}

#[test]
fn a_connection_that_times_out_while_it_negotiates_goes_on() {
    let (client, server) = pair();
    client.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let (impatient, waited_for) = mpsc::channel();
    let tls = TlsServer::from_pem(
        include_bytes!("../../ironrdp-tls/tests/data/self-signed.pem"),
        include_bytes!("../../ironrdp-tls/tests/data/ec.key.pem"),
    )
    .unwrap();
    // A server that takes its time, selects TLS in two pieces, and ends the connection at the first PDU inside TLS.
    let server = thread::spawn(move || {
        let mut framed = Framed::new(server);
        let request = framed.read_pdu().unwrap().1;
        let (first, second) = SELECT_TLS.split_at(7);
        for part in [first, second] {
            // Until the client's read has timed out.
            waited_for.recv_timeout(PATIENCE).unwrap();
            framed.write_all(part).unwrap();
        }
        let mut stream = framed.into_inner_no_leftover();
        let mut connection = tls.connection().unwrap();
        connection.complete_io(&mut stream).unwrap();
        let mut framed = Framed::new(StreamOwned::new(connection, stream));
        let initial = framed.read_pdu().unwrap().1;
        framed.get_inner_mut().0.conn.send_close_notify();
        framed.get_inner_mut().0.flush().unwrap();
        (request, initial)
    });

    let mut connector = ClientConnector::new(Config::new(Credentials::new("rdptest", "secret")));
    let mut framed = Framed::new(client);
    let mut timeouts = 0;
    let should_upgrade = loop {
        match connect_begin(&mut framed, &mut connector) {
            Ok(should_upgrade) => break should_upgrade,
            Err(error) => {
                assert_eq!(
                    *error.kind(),
                    ConnectorErrorKind::Io(ErrorKind::WouldBlock),
                    "{error:?}"
                );
                timeouts += 1;
                // The server may have gone on already.
                let _ = impatient.send(());
            }
        }
    };
    assert!(should_upgrade.is_needed() && timeouts > 1, "{timeouts}");
    let mut stream = framed.into_inner_no_leftover();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let tls = TlsClient::new(CertificatePolicy::dangerously_accept_any()).unwrap();
    let mut connection = tls.connection("localhost", 3389).unwrap();
    connection.complete_io(&mut stream).unwrap();
    let certificate = PeerCertificate::from_connection(&connection).unwrap();
    let key = certificate.subject_public_key().to_vec();
    let upgraded = mark_as_upgraded(should_upgrade, &mut connector);
    let mut framed = Framed::new(StreamOwned::new(connection, stream));
    let error = connect_finalize(
        upgraded,
        connector,
        &mut framed,
        &mut NoNetwork,
        "localhost".into(),
        key,
        None,
    )
    .unwrap_err();
    assert_eq!(
        *error.kind(),
        ConnectorErrorKind::Io(ErrorKind::UnexpectedEof),
        "{error:?}"
    );
    assert_eq!(error.phase(), Some(Phase::Activate));
    let (request, initial) = joined(server);
    assert_eq!((&request[..2], &initial[..2]), (&[3, 0][..], &[3, 0][..]));
}

#[test]
fn bytes_that_come_before_tls_are_an_error() {
    let (client, server) = pair();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let server = thread::spawn(move || {
        let mut framed = Framed::new(server);
        drop(framed.read_pdu().unwrap());
        // Whoever sits on the way may add something in the clear and hope that it counts as said inside TLS.
        framed
            .write_all(&[SELECT_TLS, &[3, 0, 0, 7, 2, 0xf0, 0x80]].concat())
            .unwrap();
        framed
    });
    let mut connector = ClientConnector::new(Config::new(Credentials::new("rdptest", "secret")));
    let error = connect_begin(&mut Framed::new(client), &mut connector).unwrap_err();
    assert_eq!(*error.kind(), ConnectorErrorKind::Unexpected, "{error:?}");
    drop(joined(server));
}

#[test]
fn a_thread_that_reads_and_one_that_writes_share_a_stream_and_give_it_back() {
    let (client, mut server) = pair();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut framed = Framed::new(client);
    // A whole frame that is lent, and the start of the next.
    server.write_all(&[0, 4, 1, 1, 0, 6, 2]).unwrap();
    while framed.peek().len() < 7 {
        framed.exchange().unwrap();
    }
    assert_eq!(framed.next_frame().unwrap().1, [0, 4, 1, 1]);
    framed.send(b"unsent, ").unwrap();
    let (mut reader, mut writer) = framed.split_with(|stream| (stream.try_clone().unwrap(), stream));
    let reading = thread::spawn(move || {
        let frame = reader.read_pdu().unwrap().1;
        assert_eq!(frame[..], [0, 6, 2, 2, 2, 2]);
        reader
    });
    writer.write_all(b"and sent").unwrap();
    let mut got = [0; 16];
    server.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"unsent, and sent");
    server.write_all(&[2, 2, 2, 0, 9]).unwrap();
    let mut framed = Framed::unsplit_with(joined(reading), writer, |_, stream| stream);
    server.write_all(&[7; 7]).unwrap();
    assert_eq!(framed.read_pdu().unwrap().1[..], [0, 9, 7, 7, 7, 7, 7, 7, 7]);
    assert!(framed.is_flushed());
}

/// One end of a pipe for two machines in one thread: what is not there yet is a timeout.
struct Alternating {
    incoming: Arc<Mutex<VecDeque<u8>>>,
    outgoing: Arc<Mutex<VecDeque<u8>>>,
}

impl Read for Alternating {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.incoming.lock().unwrap().read(buf)? {
            0 => Err(ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Alternating {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.outgoing.lock().unwrap().extend(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lets everybody in.
struct Hospitable;

impl Answers for Hospitable {
    fn answer(&mut self, _: Request<'_>) -> ConnectorResult<Reply> {
        Ok(Reply::Authorized(true))
    }
}

/// The result, or none if the stream's timeout has passed.
fn unless_late<T>(result: ConnectorResult<T>) -> Option<T> {
    match result {
        Ok(output) => Some(output),
        Err(error) => {
            assert_eq!(
                *error.kind(),
                ConnectorErrorKind::Io(ErrorKind::WouldBlock),
                "{error:?}"
            );
            None
        }
    }
}

#[test]
fn a_connection_that_times_out_while_it_is_finalized_goes_on() {
    let (up, down) = <(Arc<Mutex<VecDeque<u8>>>, Arc<Mutex<VecDeque<u8>>>)>::default();
    let end = |incoming: &Arc<_>, outgoing: &Arc<_>| {
        Framed::new(Alternating {
            incoming: Arc::clone(incoming),
            outgoing: Arc::clone(outgoing),
        })
    };
    let (mut near, mut far) = (end(&down, &up), end(&up, &down));
    let mut server = Driver::new(ServerAcceptor::new(AcceptorConfig::new()));
    let mut connector = ClientConnector::new(Config::new(Credentials::new("rdptest", "secret")));
    let mut serve = |framed: &mut Framed<_>| match unless_late(drive(framed, &mut server, &mut Hospitable)) {
        Some(Driven::UpgradeToTls) => {
            server.answer(Reply::Upgraded).unwrap();
            false
        }
        Some(driven) => driven == Driven::Done,
        None => false,
    };
    let should_upgrade = loop {
        if let Some(should_upgrade) = unless_late(connect_begin(&mut near, &mut connector)) {
            break should_upgrade;
        }
        serve(&mut far);
    };
    let upgraded = mark_as_upgraded(should_upgrade, &mut connector);
    let (name, key) = ("localhost".into(), vec![1]);
    let mut finalize = Finalize::new(upgraded, connector, &mut near, NoNetwork, name, key, None).unwrap();
    let (mut timeouts, mut is_done) = (0, false);
    let result = loop {
        if let Some(result) = unless_late(finalize.run()) {
            break result;
        }
        timeouts += 1;
        assert!(timeouts < 100);
        is_done |= serve(&mut far);
    };
    assert!(timeouts > 3 && (is_done || serve(&mut far)), "{timeouts}");
    assert_eq!(finalize.phase(), Phase::Activate);
    assert_eq!(result.channels.len(), 0);
    assert_eq!(*finalize.run().unwrap_err().kind(), ConnectorErrorKind::Misuse);
    assert!(finalize.into_framed().is_flushed());
}

/// A stream that cannot say what timeouts it has.
struct Mute;

impl Read for Mute {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Write for Mute {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Timeouts for Mute {
    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Err(ErrorKind::Unsupported.into())
    }

    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(None)
    }

    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stream_whose_waits_cannot_be_bounded_is_an_error_of_the_connection() {
    let config = Config::new(Credentials::new("rdptest", "secret"));
    let mut connect = Connect::over(Mute, "desk.example".parse().unwrap(), config);
    assert_eq!(connect.phase(), Phase::Negotiate);
    for _ in 0..2 {
        let error = connect.run().unwrap_err();
        assert!(
            matches!(error.kind(), ConnectErrorKind::Io(io) if io.kind() == ErrorKind::Unsupported),
            "{error:?}"
        );
        assert_eq!(error.server().unwrap().host(), "desk.example");
    }
    assert!(connect.timings().total().is_zero());
}
