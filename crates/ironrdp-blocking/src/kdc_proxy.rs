//! A KDC behind an HTTPS proxy (MS-KKDCP).

use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use hyper::rt::ReadBufCursor;
use ironrdp_async::{ServerAddr, post_to_kdc_proxy};
use ironrdp_connector::{NetworkProtocol, NetworkRequest};
use ironrdp_tls::{CertificatePolicy, TlsClient};
use rustls::StreamOwned;

use crate::dial::dial;
use crate::kdc::{Network, is_timeout};
use crate::timed::time_left;

impl Network {
    /// Sends a `KDC-PROXY-MESSAGE`, over TLS unless the URL says otherwise; ends with the time that the call has left.
    pub(crate) fn post_to_proxy(
        &self,
        proxy: &ServerAddr,
        request: &NetworkRequest,
        max_answer: usize,
    ) -> io::Result<Vec<u8>> {
        let stream = InTime(dial(proxy)?);
        if request.protocol == NetworkProtocol::Http {
            return post(stream, request, max_answer);
        }
        let tls = match &self.tls {
            Some(tls) => tls.clone(),
            None => TlsClient::new(CertificatePolicy::platform_roots()).map_err(io::Error::other)?,
        };
        let connection = tls
            .connection(proxy.host(), proxy.port())
            .map_err(io::Error::other)?;
        post(StreamOwned::new(connection, stream), request, max_answer)
    }
}

fn post<S: Read + Write + Unpin>(
    stream: S,
    request: &NetworkRequest,
    max_answer: usize,
) -> io::Result<Vec<u8>> {
    let turn = Arc::new(Turn::default());
    let stream = Turned {
        stream,
        turn: Arc::clone(&turn),
    };
    let waker = Waker::from(Arc::clone(&turn));
    let mut cx = Context::from_waker(&waker);
    let mut answer = pin!(post_to_kdc_proxy(stream, request, max_answer));
    loop {
        if let Poll::Ready(answer) = answer.as_mut().poll(&mut cx) {
            // What is over in there because time is up says so here.
            return answer.or_else(|error| in_time().and(Err(error)));
        }
        if !turn.is_woken.swap(false, Ordering::Relaxed) {
            turn.may_read.store(true, Ordering::Relaxed);
        }
        in_time()?;
    }
}

/// An error once the time of the call is over.
fn in_time() -> io::Result<()> {
    match time_left() {
        Some(left) if left.is_zero() => Err(ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}

/// Whose turn it is. A read blocks, so it may happen only once nothing can go on without it: before the request is written, or
/// while an answer that is complete has not been looked at, it would wait for bytes that do not come.
#[derive(Default)]
struct Turn {
    is_woken: AtomicBool,
    may_read: AtomicBool,
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Relaxed);
    }
}

/// A stream that blocks, in the clothes of one that does not.
struct Turned<S> {
    stream: S,
    turn: Arc<Turn>,
}

impl<S: Read + Unpin> hyper::rt::Read for Turned<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.turn.may_read.swap(false, Ordering::Relaxed) {
            return Poll::Pending;
        }
        let mut chunk = [0; 4096];
        let room = buffer.remaining().min(chunk.len());
        let result = self.get_mut().stream.read(&mut chunk[..room]);
        Poll::Ready(result.map(|length| buffer.put_slice(&chunk[..length])))
    }
}

impl<S: Write + Unpin> hyper::rt::Write for Turned<S> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.get_mut().stream.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.get_mut().stream.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Closing it is all, and dropping does that.
        Poll::Ready(Ok(()))
    }
}

/// A socket whose calls end with the time that the call has left, by an error that TLS and HTTP do not take for a reason to try again.
struct InTime(TcpStream);

impl InTime {
    fn attempt<T>(&mut self, mut call: impl FnMut(&mut TcpStream) -> io::Result<T>) -> io::Result<T> {
        loop {
            in_time()?;
            let left = time_left().map(|left| left.max(Duration::from_millis(1)));
            self.0.set_read_timeout(left)?;
            self.0.set_write_timeout(left)?;
            match call(&mut self.0) {
                // The loop's first line says whether it was the end.
                Err(error) if is_timeout(&error) => {}
                result => return result,
            }
        }
    }
}

impl Read for InTime {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.attempt(|stream| stream.read(buffer))
    }
}

impl Write for InTime {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.attempt(|stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use ironrdp_connector::{AuthFailure, ConnectorErrorKind, ConnectorResult};
    use ironrdp_tls::{Fingerprint, TlsServer};

    use super::*;
    use crate::{KdcClient, Limit, Limits, NetworkClient as _};

    /// What the KDC behind the proxy gives for `the message`.
    const REPLY: &[u8] = b"\0\0\0\x05reply";

    fn request(protocol: NetworkProtocol, port: u16) -> NetworkRequest {
        let scheme = if protocol == NetworkProtocol::Https {
            "https"
        } else {
            "http"
        };
        NetworkRequest {
            protocol,
            url: format!("{scheme}://localhost:{port}/KdcProxy"),
            data: b"the message".to_vec(),
        }
    }

    fn listen() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    /// A proxy's turn: reads the request, answers with these bytes, and waits for the client to go.
    fn serve(mut stream: impl Read + Write, answer: &[u8]) -> String {
        let mut seen = Vec::new();
        let mut chunk = [0; 64];
        while !seen.ends_with(b"the message") {
            let length = stream.read(&mut chunk).unwrap();
            assert!(length > 0);
            seen.extend_from_slice(&chunk[..length]);
        }
        for piece in answer.chunks(7) {
            // The client may have seen enough.
            if stream.write_all(piece).is_err() || stream.flush().is_err() {
                break;
            }
        }
        let _ = stream.read(&mut chunk);
        String::from_utf8(seen).unwrap()
    }

    /// What the thread gives, once it has ended.
    fn joined<T>(thread: JoinHandle<T>) -> T {
        let end = std::time::Instant::now() + Duration::from_secs(60);
        while !thread.is_finished() {
            assert!(std::time::Instant::now() < end, "the proxy hangs");
            thread::sleep(Duration::from_millis(1));
        }
        thread.join().unwrap()
    }

    fn post(answer: &'static [u8]) -> (ConnectorResult<Vec<u8>>, String) {
        let (listener, port) = listen();
        let proxy = thread::spawn(move || serve(listener.accept().unwrap().0, answer));
        let mut client = KdcClient::new().with_limits(Limits::DEFAULT.with(Limit::Credssp, 100));
        let answer = client.send(&request(NetworkProtocol::Http, port));
        (answer, joined(proxy))
    }

    #[test]
    fn a_message_is_posted_and_the_answer_is_the_body() {
        let (answer, seen) = post(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nreply");
        assert_eq!(answer.unwrap(), b"reply");
        assert!(seen.starts_with("POST /KdcProxy HTTP/1.1\r\n"), "{seen}");
        assert!(seen.contains("content-type: application/kerberos\r\n"), "{seen}");
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrep\r\n2\r\nly\r\n0\r\n\r\n";
        assert_eq!(post(chunked).0.unwrap(), b"reply");
    }

    #[test]
    fn a_proxy_that_refuses_lies_is_silent_or_talks_too_much_is_no_kdc() {
        let long = b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n0123456789012345678901234567890123456789\
            0123456789012345678901234567890123456789012345678901234567890";
        for (answer, why) in [
            (
                b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".as_slice(),
                "403",
            ),
            (b"SSH-2.0-OpenSSH_9.2p1\r\n", ""),
            (long, "longer than 100 bytes"),
        ] {
            let error = post(answer).0.unwrap_err();
            assert_eq!(*error.kind(), ConnectorErrorKind::Auth(AuthFailure::NoKdc));
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.contains(why), "{source}");
        }
        for (protocol, said) in [
            (NetworkProtocol::Http, b"".as_slice()),
            (NetworkProtocol::Https, b""),
            (
                NetworkProtocol::Http,
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nrep",
            ),
        ] {
            let (listener, port) = listen();
            let silent = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                stream.write_all(said).unwrap();
                // Until the client has gone.
                let _ = io::copy(&mut stream, &mut io::sink());
            });
            let mut client = KdcClient::new().with_deadline(Duration::from_millis(50));
            let error = client.send(&request(protocol, port)).unwrap_err();
            assert_eq!(*error.kind(), ConnectorErrorKind::Auth(AuthFailure::NoKdc));
            joined(silent);
        }
    }

    /// A proxy with TLS in front of a KDC that speaks TCP; it ends after one connection.
    fn proxy_of_kdc(server: TlsServer) -> (u16, JoinHandle<io::Result<String>>) {
        let (kdc, kdc_port) = listen();
        let (listener, port) = listen();
        let proxy = thread::spawn(move || {
            let (stream, _) = listener.accept()?;
            let mut stream = StreamOwned::new(server.connection().unwrap(), stream);
            stream.conn.complete_io(&mut stream.sock)?;
            let behind = thread::spawn(move || {
                let (mut stream, _) = kdc.accept().unwrap();
                let mut message = [0; 15];
                stream.read_exact(&mut message).unwrap();
                assert_eq!(&message, b"\0\0\0\x0bthe message");
                stream.write_all(REPLY).unwrap();
            });
            let asked = KdcClient::new().send(&NetworkRequest {
                protocol: NetworkProtocol::Tcp,
                url: format!("tcp://127.0.0.1:{kdc_port}"),
                data: b"\0\0\0\x0bthe message".to_vec(),
            });
            joined(behind);
            let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec();
            answer.extend_from_slice(&asked.unwrap());
            Ok(serve(stream, &answer))
        });
        (port, proxy)
    }

    #[test]
    fn a_kdc_is_reached_through_https_if_the_certificate_is_the_right_one() {
        let server = TlsServer::from_pem(
            include_bytes!("../tests/data/self-signed.pem"),
            include_bytes!("../tests/data/ec.key.pem"),
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
            let (port, proxy) = proxy_of_kdc(server.clone());
            let mut client = KdcClient::new();
            if let Some(policy) = policy {
                client = client.with_tls(TlsClient::new(policy).unwrap());
            }
            let answer = client.send(&request(NetworkProtocol::Https, port));
            let seen = joined(proxy);
            if is_good {
                assert_eq!(answer.unwrap(), REPLY);
                assert!(seen.unwrap().starts_with("POST /KdcProxy HTTP/1.1\r\n"));
            } else {
                let error = answer.unwrap_err();
                assert_eq!(*error.kind(), ConnectorErrorKind::Auth(AuthFailure::NoKdc));
                assert!(seen.is_err(), "the message was sent");
            }
        }
    }
}
