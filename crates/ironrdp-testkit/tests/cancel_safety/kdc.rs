//! Questions to a KDC.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ironrdp_async::NetworkClient as _;
use ironrdp_connector::{NetworkProtocol, NetworkRequest};
use ironrdp_tokio::KdcClient;

/// Longer than anything takes.
const LONG: Duration = Duration::from_secs(60);

/// Reads a request whose last bytes are `end`.
fn read(mut stream: &TcpStream, end: &[u8]) -> Vec<u8> {
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        seen.extend(byte);
    }
    seen
}

/// Asks a KDC that answers only the second time, and breaks the first question off once it was heard.
fn ask(protocol: NetworkProtocol, scheme: &str, answer: &'static [u8]) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let request = NetworkRequest {
        protocol,
        url: format!("{scheme}://{}/KdcProxy", listener.local_addr().unwrap()),
        data: b"\0\0\0\x07request".to_vec(),
    };
    let (hears, heard) = mpsc::channel();
    let kdc = thread::spawn(move || {
        let (first, _) = listener.accept().unwrap();
        let question = read(&first, b"request");
        hears.send(()).unwrap();
        // Whoever drops the future leaves nothing open.
        match (&first).read(&mut [0]) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            still_open => panic!("{still_open:?}"),
        }
        let (second, _) = listener.accept().unwrap();
        assert_eq!(read(&second, b"request"), question);
        (&second).write_all(answer).unwrap();
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let answer = runtime.block_on(async {
        let mut client = KdcClient::new().with_deadline(LONG);
        let dropped = async {
            tokio::select! {
                answer = client.send(&request) => panic!("{answer:?}"),
                () = async {
                    while heard.try_recv().is_err() {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                } => {}
            }
        };
        tokio::time::timeout(LONG, dropped).await.unwrap();
        client.send(&request).await.unwrap()
    });
    kdc.join().unwrap();
    answer
}

pub(crate) fn a_request_is_asked_for_again() {
    let answer = ask(NetworkProtocol::Tcp, "tcp", b"\0\0\0\x06answer");
    assert_eq!(answer, b"\0\0\0\x06answer");
}

pub(crate) fn a_proxy_is_asked_again_on_a_fresh_stream() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer";
    assert_eq!(ask(NetworkProtocol::Http, "http", answer), b"answer");
}
