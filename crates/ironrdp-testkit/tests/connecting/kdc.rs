//! KDCs, good and bad, and what the client of every runtime makes of them.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use ironrdp_async::{
    ConnectConfig, ConnectError, ConnectErrorKind, Limit, Limits, NetworkClient, ServerAddr,
};
use ironrdp_connector::{
    AuthFailure, Config, ConnectorError, ConnectorErrorKind, ConnectorResult, Credentials, Deadlines,
    KerberosConfig, NetworkProtocol, NetworkRequest, Phase, SecurityPolicy,
};
use ironrdp_tls::{CertificatePolicy, TlsClient, TlsServer};

use crate::krb_error::{PREAUTH_FAILED, PREAUTH_REQUIRED, refusal};

/// Long enough for nothing at all, which is what comes.
const SOON: Duration = Duration::from_millis(150);

/// For answers that come, however busy the machine is.
const LATER: Duration = Duration::from_secs(60);

/// An answer this long is the longest that is taken.
const MAX: usize = 1_000;

fn limits() -> Limits {
    Limits::DEFAULT.with(Limit::Credssp, MAX)
}

type Answer = ConnectorResult<Vec<u8>>;

fn tokio(request: &NetworkRequest, deadline: Duration) -> Answer {
    let mut client = ironrdp_tokio::KdcClient::new()
        .with_deadline(deadline)
        .with_limits(limits());
    runtime().block_on(client.send(request))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn smol(request: &NetworkRequest, deadline: Duration) -> Answer {
    let mut client = ironrdp_futures::KdcClient::new()
        .with_deadline(deadline)
        .with_limits(limits());
    smol::block_on(client.send(request))
}

fn blocking(request: &NetworkRequest, deadline: Duration) -> Answer {
    let mut client = ironrdp_blocking::KdcClient::new()
        .with_deadline(deadline)
        .with_limits(limits());
    ironrdp_blocking::NetworkClient::send(&mut client, request)
}

type Runtime = fn(&NetworkRequest, Duration) -> Answer;
const RUNTIMES: [(&str, Runtime); 3] = [("tokio", tokio), ("smol", smol), ("blocking", blocking)];

fn tcp(port: u16, data: &[u8]) -> NetworkRequest {
    NetworkRequest {
        protocol: NetworkProtocol::Tcp,
        url: format!("tcp://127.0.0.1:{port}"),
        data: data.to_vec(),
    }
}

fn udp(port: u16, data: &[u8]) -> NetworkRequest {
    NetworkRequest {
        protocol: NetworkProtocol::Udp,
        url: format!("udp://127.0.0.1:{port}"),
        data: data.to_vec(),
    }
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A KDC that does this with every connection. Who breaks it off gets a KDC that does not mind.
fn tcp_kdc(serve: impl Fn(TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> u16 {
    let (listener, port) = listen();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = serve(stream.unwrap());
        }
    });
    port
}

/// A KDC that answers `hello` with these pieces, and closes.
fn answering(pieces: &'static [&'static [u8]]) -> u16 {
    tcp_kdc(move |mut stream| {
        stream.set_nodelay(true)?;
        stream.read_exact(&mut [0; 5])?;
        for piece in pieces {
            stream.write_all(piece)?;
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    })
}

/// A KDC that answers every datagram with this one.
fn udp_kdc(answer: Vec<u8>) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((_, from)) = socket.recv_from(&mut [0; 100]) {
            socket.send_to(&answer, from).unwrap();
        }
    });
    port
}

/// TCP and UDP on one port.
fn both() -> (TcpListener, UdpSocket, u16) {
    loop {
        let (listener, port) = listen();
        match UdpSocket::bind(("127.0.0.1", port)) {
            Ok(socket) => return (listener, socket, port),
            // Free for the one is not free for the other.
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// A port that nobody listens on, for as long as this is held.
fn closed() -> (socket2::Socket, u16) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port)
}

/// A port that takes datagrams from nobody but itself, for as long as this is held.
fn closed_udp() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let own = socket.local_addr().unwrap();
    socket.connect(own).unwrap();
    (socket, own.port())
}

/// Why there was no answer.
fn why(error: &ConnectorError) -> String {
    assert_eq!(*error.kind(), ConnectorErrorKind::Auth(AuthFailure::NoKdc));
    std::error::Error::source(error).unwrap().to_string()
}

#[test]
fn an_answer_over_tcp_is_read_to_its_end_with_its_length() {
    let port = answering(&[&[0, 0], &[0, 3, 1], &[2, 3], b"more"]);
    for (name, ask) in RUNTIMES {
        let answer = ask(&tcp(port, b"hello"), LATER).unwrap();
        assert_eq!(answer, [0, 0, 0, 3, 1, 2, 3], "{name}");
    }
}

#[test]
fn a_kdc_that_lies_breaks_off_or_is_not_there_is_no_kdc() {
    let (_held, closed) = closed();
    let (_held_udp, closed_udp) = closed_udp();
    for (request, reason) in [
        (
            tcp(answering(&[&[0xff, 0xff, 0xff, 0xff, 1]]), b"hello"),
            "longer than 1000 bytes",
        ),
        (tcp(answering(&[&[0, 0, 1, 0, 1]]), b"hello"), ""),
        (tcp(answering(&[&[0, 0]]), b"hello"), ""),
        (tcp(answering(&[]), b"hello"), ""),
        (tcp(closed, b"hello"), "refused"),
        (udp(closed_udp, b"hello"), "refused"),
    ] {
        for (name, ask) in RUNTIMES {
            let reason_told = why(&ask(&request, LATER).unwrap_err());
            assert!(reason_told.contains(reason), "{name}: {reason_told}");
            assert_ne!(reason_told, "timed out", "{name}: {request:?}");
        }
    }
}

#[test]
fn an_answer_may_be_as_long_as_the_limit_and_no_longer() {
    for (length, is_good) in [(MAX, true), (MAX + 1, false)] {
        let message = vec![7; length];
        let head = u32::try_from(length).unwrap().to_be_bytes();
        let framed = [&head, message.as_slice()].concat();
        let sent = framed.clone();
        let over_tcp = tcp_kdc(move |mut stream| {
            stream.read_exact(&mut [0; 5])?;
            stream.write_all(&sent)?;
            stream.read_to_end(&mut Vec::new()).map(drop)
        });
        let over_udp = udp_kdc(message.clone());
        for (name, ask) in RUNTIMES {
            for (request, wanted) in [
                (tcp(over_tcp, b"hello"), &framed),
                (udp(over_udp, b"hello"), &message),
            ] {
                match ask(&request, LATER) {
                    Ok(answer) => assert!(is_good && answer == *wanted, "{name}: {}", request.url),
                    Err(error) => {
                        assert!(!is_good, "{name}: {error:?}");
                        assert_eq!(why(&error), "the KDC's answer is longer than 1000 bytes");
                    }
                }
            }
        }
    }
}

#[test]
fn a_kdc_that_is_silent_or_trickles_costs_its_deadline() {
    let (_silent, silent) = listen();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent_udp = socket.local_addr().unwrap().port();
    let empty = udp_kdc(Vec::new());
    let trickling = tcp_kdc(|mut stream| {
        stream.write_all(&[0, 0, 3])?;
        loop {
            thread::sleep(Duration::from_millis(5));
            stream.write_all(&[0])?;
        }
    });
    for (name, ask) in RUNTIMES {
        for request in [
            tcp(silent, b"hello"),
            udp(silent_udp, b"hello"),
            // No answer is not an empty answer.
            udp(empty, b"hello"),
            // The 768 bytes of this take four seconds.
            tcp(trickling, b"hello"),
        ] {
            let reason = why(&ask(&request, SOON).unwrap_err());
            assert_eq!(reason, "timed out", "{name}: {}", request.url);
        }
    }
}

#[test]
fn a_lost_datagram_is_sent_again_and_an_answer_too_big_for_one_comes_over_tcp() {
    for (name, ask) in RUNTIMES {
        let (listener, socket, port) = both();
        let kdc = thread::spawn(move || {
            let mut buf = [0; 100];
            // The first is lost.
            socket.recv_from(&mut buf).unwrap();
            let (length, from) = socket.recv_from(&mut buf).unwrap();
            assert_eq!(&buf[..length], b"hello");
            // A `KRB-ERROR` with 52, `KRB_ERR_RESPONSE_TOO_BIG`.
            let too_big = [0x7e, 7, 0x30, 5, 0xa6, 3, 2, 1, 52];
            socket.send_to(&too_big, from).unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            let mut got = [0; 9];
            stream.read_exact(&mut got).unwrap();
            assert_eq!(&got, b"\0\0\0\x05hello");
            stream.write_all(b"\0\0\0\x03big").unwrap();
        });
        assert_eq!(ask(&udp(port, b"hello"), LATER).unwrap(), b"big", "{name}");
        kdc.join().unwrap();
    }
}

#[test]
fn a_request_is_written_whole_however_slowly_the_kdc_reads() {
    // More than the system buffers for a socket.
    const LENGTH: usize = 8 * 1024 * 1024;
    let request: Vec<u8> = (0..=250).cycle().take(LENGTH).collect();
    let (listener, port) = listen();
    socket2::SockRef::from(&listener)
        .set_recv_buffer_size(8 * 1024)
        .unwrap();
    let expected = request.clone();
    let kdc = thread::spawn(move || {
        for _ in RUNTIMES {
            let (mut stream, _) = listener.accept().unwrap();
            // By now the client has written what there is room for.
            thread::sleep(Duration::from_millis(100));
            let mut got = vec![0; LENGTH];
            stream.read_exact(&mut got).unwrap();
            assert!(got == expected);
            stream.write_all(b"\0\0\0\x02ok").unwrap();
        }
    });
    for (name, ask) in RUNTIMES {
        assert_eq!(
            ask(&tcp(port, &request), LATER).unwrap(),
            b"\0\0\0\x02ok",
            "{name}"
        );
    }
    kdc.join().unwrap();
}

/// A server that has come as far as the login when the client asks its KDC.
fn server() -> SocketAddr {
    /// TPKT and X.224 Connection Confirm with a Negotiation Response that selects NLA (MS-RDPBCGR 2.2.1.2.1).
    const SELECT_NLA: &[u8] = &[3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 2, 0, 0, 0];
    let (listener, port) = listen();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut head = [0; 4];
                stream.read_exact(&mut head).unwrap();
                stream.read_exact(&mut vec![0; usize::from(head[3]) - 4]).unwrap();
                stream.write_all(SELECT_NLA).unwrap();
                let tls = TlsServer::from_pem(
                    include_bytes!("../../../ironrdp-tls/tests/data/self-signed.pem"),
                    include_bytes!("../../../ironrdp-tls/tests/data/ec.key.pem"),
                );
                let mut connection = tls.unwrap().connection().unwrap();
                while connection.is_handshaking() {
                    connection.complete_io(&mut stream).unwrap();
                }
                // Until the client gives up.
                let _ = stream.read_to_end(&mut Vec::new());
            });
        }
    });
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A configuration that logs in over this KDC within this time, with a client for it that would take a longer answer.
fn config<K>(kdc: u16, authenticate: Duration, client: K) -> ConnectConfig<K> {
    let config = Config::new(Credentials::new("rdptest", "wrong"))
        .with_security(SecurityPolicy::Nla)
        .with_limits(limits())
        .with_deadlines(Deadlines {
            dial: LATER,
            negotiate: LATER,
            tls: LATER,
            authenticate,
            activate: LATER,
            overall: LATER,
        });
    let kerberos = KerberosConfig::new(format!("tcp://127.0.0.1:{kdc}")).with_realm("LAB.TEST");
    let any = TlsClient::new(CertificatePolicy::dangerously_accept_any()).unwrap();
    ConnectConfig::new(config)
        .with_tls(any)
        .with_kerberos_over(kerberos, client)
}

/// How connections to this server end whose KDC is at this port, in each runtime.
fn logins(server: SocketAddr, kdc: u16, authenticate: Duration) -> [(&'static str, ConnectError); 3] {
    let address = || ServerAddr::from(server);
    let tokio = {
        let client = ironrdp_tokio::KdcClient::new().with_deadline(LATER);
        let mut connect = ironrdp_tokio::Connect::new(address(), config(kdc, authenticate, client));
        runtime().block_on(connect.run()).unwrap_err()
    };
    let smol = {
        let client = ironrdp_futures::KdcClient::new().with_deadline(LATER);
        let mut connect = ironrdp_futures::Connect::new(address(), config(kdc, authenticate, client));
        smol::block_on(connect.run()).unwrap_err()
    };
    let blocking = {
        let client = ironrdp_blocking::KdcClient::new().with_deadline(LATER);
        let mut connect = ironrdp_blocking::Connect::new(address(), config(kdc, authenticate, client));
        connect.run().unwrap_err()
    };
    [("tokio", tokio), ("smol", smol), ("blocking", blocking)]
}

fn of_the_sequence(error: &ConnectError) -> &ConnectorError {
    match error.kind() {
        ConnectErrorKind::Sequence(error) => error,
        _ => panic!("{error:?}"),
    }
}

#[test]
fn a_login_by_kerberos_ends_as_the_kdc_says() {
    let kdc = tcp_kdc(|mut stream| {
        let mut head = [0; 4];
        stream.read_exact(&mut head)?;
        let mut request = vec![0; u32::from_be_bytes(head) as usize];
        stream.read_exact(&mut request)?;
        // The second request proves the password: PA-ENC-TIMESTAMP, `padata-type` 2.
        let is_proof = request.windows(5).any(|bytes| bytes == [0xa1, 3, 2, 1, 2]);
        stream.write_all(&refusal(if is_proof {
            PREAUTH_FAILED
        } else {
            PREAUTH_REQUIRED
        }))
    });
    for (name, error) in logins(server(), kdc, LATER) {
        let wrong = ConnectorErrorKind::Auth(AuthFailure::BadCredentials);
        assert_eq!(*of_the_sequence(&error).kind(), wrong, "{name}: {error:?}");
    }
}

#[test]
fn the_limit_of_the_configuration_counts_for_answers_of_its_kdc() {
    let too_long = tcp_kdc(|mut stream| {
        stream.read_exact(&mut [0; 4])?;
        // More than the configuration allows, and less than the client would take by itself.
        stream.write_all(&u32::try_from(MAX + 1).unwrap().to_be_bytes())?;
        stream.write_all(&[0x7e; MAX + 1])?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    });
    for (name, error) in logins(server(), too_long, LATER) {
        let reason = why(of_the_sequence(&error));
        assert_eq!(reason, "the KDC's answer is longer than 1000 bytes", "{name}");
    }
}

#[test]
fn a_kdc_silent_for_longer_than_the_login_may_take_is_the_phases_timeout() {
    let (_silent, silent) = listen();
    for (name, error) in logins(server(), silent, SOON) {
        assert_eq!(error.timed_out(), Some(Phase::Authenticate), "{name}: {error:?}");
    }
}

#[test]
fn a_connection_by_kerberos_may_be_made_by_a_task_that_moves_between_threads() {
    fn may_move<T: Send>(_: &T) {}

    may_move(&ironrdp_tokio::connect(
        "127.0.0.1",
        config(88, LATER, ironrdp_tokio::KdcClient::new()),
    ));
    may_move(&ironrdp_futures::connect(
        "127.0.0.1",
        config(88, LATER, ironrdp_futures::KdcClient::new()),
    ));
}
