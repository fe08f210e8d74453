//! Proxies in front of a KDC (MS-KKDCP), good and bad, and what the client of every runtime makes of them.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use ironrdp_async::{Limit, Limits, NetworkClient as _};
use ironrdp_connector::{
    AuthFailure, ConnectorError, ConnectorErrorKind, ConnectorResult, NetworkProtocol, NetworkRequest,
};
use ironrdp_tls::{CertificatePolicy, Fingerprint, TlsClient, TlsServer};
use rustls::StreamOwned;

/// Long enough for nothing at all, which is what comes.
const SOON: Duration = Duration::from_millis(150);

/// For answers that come, however busy the machine is.
const LATER: Duration = Duration::from_secs(60);

/// How a client is made: its deadline, and the certificates it accepts.
struct Setting {
    deadline: Duration,
    tls: Option<TlsClient>,
}

impl Setting {
    fn plain(deadline: Duration) -> Self {
        Self { deadline, tls: None }
    }
}

macro_rules! client {
    ($shell:ident, $setting:ident) => {{
        let client = $shell::KdcClient::new()
            .with_deadline($setting.deadline)
            .with_limits(Limits::DEFAULT.with(Limit::Credssp, 100));
        match &$setting.tls {
            Some(tls) => client.with_tls(tls.clone()),
            None => client,
        }
    }};
}

fn tokio(request: &NetworkRequest, setting: &Setting) -> ConnectorResult<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(client!(ironrdp_tokio, setting).send(request))
}

fn smol(request: &NetworkRequest, setting: &Setting) -> ConnectorResult<Vec<u8>> {
    smol::block_on(client!(ironrdp_futures, setting).send(request))
}

fn blocking(request: &NetworkRequest, setting: &Setting) -> ConnectorResult<Vec<u8>> {
    ironrdp_blocking::NetworkClient::send(&mut client!(ironrdp_blocking, setting), request)
}

type Runtime = fn(&NetworkRequest, &Setting) -> ConnectorResult<Vec<u8>>;
const RUNTIMES: [(&str, Runtime); 3] = [("tokio", tokio), ("smol", smol), ("blocking", blocking)];

fn request(protocol: NetworkProtocol, port: u16) -> NetworkRequest {
    let scheme = if protocol == NetworkProtocol::Https {
        "https"
    } else {
        "http"
    };
    NetworkRequest {
        protocol,
        url: format!("{scheme}://localhost:{port}/KdcProxy?token=1"),
        data: b"the message".to_vec(),
    }
}

/// Reads the request to its end.
fn read(stream: &mut impl Read) -> io::Result<String> {
    let mut seen = Vec::new();
    while !seen.ends_with(b"the message") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        seen.extend(byte);
    }
    Ok(String::from_utf8(seen).unwrap())
}

/// Reads the request, answers with these bytes in pieces, and waits for the client to go; gives the request.
fn serve(mut stream: impl Read + Write, answer: &[u8]) -> io::Result<String> {
    let seen = read(&mut stream)?;
    for piece in answer.chunks(7) {
        // The client may have seen enough.
        if stream.write_all(piece).and_then(|()| stream.flush()).is_err() {
            break;
        }
    }
    let _ = io::copy(&mut stream, &mut io::sink());
    Ok(seen)
}

/// A proxy that does this with every connection, and where to hear what came of it.
fn proxy<T: Send + 'static>(serve: impl Fn(TcpStream) -> T + Send + 'static) -> (u16, Receiver<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tells, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            if tells.send(serve(stream.unwrap())).is_err() {
                break;
            }
        }
    });
    (port, told)
}

/// Why there was no answer.
fn why(error: &ConnectorError) -> String {
    assert_eq!(*error.kind(), ConnectorErrorKind::Auth(AuthFailure::NoKdc));
    std::error::Error::source(error).unwrap().to_string()
}

#[test]
fn a_message_is_posted_and_the_answer_is_the_body() {
    for (name, ask) in RUNTIMES {
        for answer in [
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nreply".as_slice(),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrep\r\n2\r\nly\r\n0\r\n\r\n",
        ] {
            let (port, told) = proxy(move |stream| serve(stream, answer));
            let answer = ask(&request(NetworkProtocol::Http, port), &Setting::plain(LATER));
            assert_eq!(answer.unwrap(), b"reply", "{name}");
            let seen = told.recv_timeout(LATER).unwrap().unwrap();
            assert!(
                seen.starts_with("POST /KdcProxy?token=1 HTTP/1.1\r\n"),
                "{name}: {seen}"
            );
            for header in [
                format!("host: localhost:{port}\r\n"),
                "content-type: application/kerberos\r\n".to_owned(),
                "content-length: 11\r\n".to_owned(),
            ] {
                assert!(seen.contains(&header), "{name}: {seen}");
            }
        }
    }
}

#[test]
fn a_proxy_that_closes_behind_its_answer_has_given_all_of_it() {
    for (name, ask) in RUNTIMES {
        let (port, _told) = proxy(|mut stream| {
            read(&mut stream)?;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nreply")
        });
        let answer = ask(&request(NetworkProtocol::Http, port), &Setting::plain(LATER));
        assert_eq!(answer.unwrap(), b"reply", "{name}");
    }
}

#[test]
fn a_proxy_that_refuses_lies_or_talks_too_much_is_no_kdc() {
    let declared = b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n0123456789".as_slice();
    let chunked = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice(),
        b"40\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n",
        b"40\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n0\r\n\r\n",
    ]
    .concat();
    for (answer, reason) in [
        (
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_vec(),
            "403",
        ),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec(), ""),
        (declared.to_vec(), "longer than 100 bytes"),
        (chunked, "longer than 100 bytes"),
    ] {
        let (port, _told) = proxy(move |stream| serve(stream, &answer));
        for (name, ask) in RUNTIMES {
            let error = ask(&request(NetworkProtocol::Http, port), &Setting::plain(LATER)).unwrap_err();
            let told = why(&error);
            assert!(told.contains(reason) && told != "timed out", "{name}: {told}");
        }
    }
}

#[test]
fn a_user_in_the_url_of_a_proxy_is_refused_and_not_sent() {
    let (port, told) = proxy(|mut stream: TcpStream| {
        let mut seen = Vec::new();
        stream.read_to_end(&mut seen).map(|_| seen)
    });
    for (name, ask) in RUNTIMES {
        let mut request = request(NetworkProtocol::Http, port);
        request.url = request.url.replace("localhost", "user:secret@localhost");
        let reason = why(&ask(&request, &Setting::plain(LATER)).unwrap_err());
        assert!(
            reason.contains("names a user") && !reason.contains("secret"),
            "{name}: {reason}"
        );
        assert_eq!(told.recv_timeout(LATER).unwrap().unwrap(), b"", "{name}");
    }
}

#[test]
fn a_proxy_that_falls_silent_costs_its_deadline() {
    for (protocol, said) in [
        (NetworkProtocol::Http, b"".as_slice()),
        (NetworkProtocol::Https, b""),
        (
            NetworkProtocol::Http,
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nrep",
        ),
    ] {
        let (port, _told) = proxy(move |mut stream: TcpStream| {
            if !said.is_empty() {
                return serve(stream, said).map(drop);
            }
            io::copy(&mut stream, &mut io::sink()).map(drop)
        });
        for (name, ask) in RUNTIMES {
            let error = ask(&request(protocol, port), &Setting::plain(SOON)).unwrap_err();
            assert_eq!(why(&error), "timed out", "{name}: {protocol:?}");
        }
    }
}

#[test]
fn over_https_the_certificate_must_be_the_right_one() {
    let server = TlsServer::from_pem(
        include_bytes!("../../../ironrdp-tls/tests/data/self-signed.pem"),
        include_bytes!("../../../ironrdp-tls/tests/data/ec.key.pem"),
    )
    .unwrap();
    let right = Fingerprint::of(server.certificate());
    let wrong = Fingerprint::of(b"another certificate");
    for (policy, is_good) in [
        (Some(CertificatePolicy::pin_certificate(right)), true),
        (Some(CertificatePolicy::pin_certificate(wrong)), false),
        // Nobody vouches for it.
        (None, false),
    ] {
        let setting = Setting {
            deadline: LATER,
            tls: policy.map(|policy| TlsClient::new(policy).unwrap()),
        };
        let server = server.clone();
        let (port, told) = proxy(move |mut stream: TcpStream| {
            let mut connection = server.connection().unwrap();
            while connection.is_handshaking() {
                connection.complete_io(&mut stream)?;
            }
            let stream = StreamOwned::new(connection, stream);
            serve(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nreply")
        });
        for (name, ask) in RUNTIMES {
            let answer = ask(&request(NetworkProtocol::Https, port), &setting);
            let seen = told.recv_timeout(LATER).unwrap();
            if is_good {
                assert_eq!(answer.unwrap(), b"reply", "{name}");
                assert!(seen.unwrap().starts_with("POST /KdcProxy?token=1 HTTP/1.1\r\n"));
            } else {
                let told = why(&answer.unwrap_err());
                assert_ne!(told, "timed out", "{name}");
                assert!(seen.is_err(), "{name}: the message was sent");
            }
        }
    }
}
