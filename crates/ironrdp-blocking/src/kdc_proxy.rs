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
