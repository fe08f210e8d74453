//! The one HTTP request of MS-KKDCP, over whatever carries it.

#[cfg(all(feature = "connect", feature = "tls"))]
mod stream;
#[cfg(all(feature = "connect", feature = "tls"))]
pub use stream::ask_kdc_proxy;

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use ironrdp_connector::NetworkRequest;

/// Posts `request`, a `KDC-PROXY-MESSAGE`, to the proxy at the other end of `stream`, and gives the one that comes back, without
/// having looked into either (MS-KKDCP 3.1.5.1).
///
/// For the clients of the shells, which bring the connection, TLS included, and the deadline. An answer of more than `max_answer`
/// bytes is [`InvalidData`](io::ErrorKind::InvalidData); a URL with a user name or a password in it is
/// [`InvalidInput`](io::ErrorKind::InvalidInput), and nothing is sent.
///
/// # Cancel safety
///
/// A dropped call leaves nothing behind but a stream that is good for nothing more. Asking again on a fresh one does no harm.
pub async fn post_to_kdc_proxy<S>(
    stream: S,
    request: &NetworkRequest,
    max_answer: usize,
) -> io::Result<Vec<u8>>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    let uri: Uri = request.url.parse().map_err(invalid)?;
    let host = uri.authority().map_or("", |authority| authority.as_str());
    if host.contains('@') {
        // RFC 9110 4.2.4. In the Host header the proxy's log would have it, and leaving it out would pass for a login.
        return Err(invalid("the proxy's URL names a user, whom nobody logs in"));
    }
    let target = uri.path_and_query().map_or("/KdcProxy", |path| path.as_str());
    let post = Request::post(target)
        .header(HOST, host)
        .header(CONTENT_TYPE, "application/kerberos")
        .body(Full::new(Bytes::copy_from_slice(&request.data)))
        .map_err(invalid)?;
    let (mut sender, connection) = http1::handshake(stream).await.map_err(io::Error::other)?;
    let answer = async {
        let response = sender.send_request(post).await.map_err(io::Error::other)?;
        if response.status() != StatusCode::OK {
            let message = format!("the KDC proxy answers {}", response.status());
            return Err(io::Error::other(message));
        }
        let too_long = || {
            let message = format!("the KDC's answer is longer than {max_answer} bytes");
            io::Error::new(io::ErrorKind::InvalidData, message)
        };
        // What it says of its length is believed if it is too much, and else counted.
        if usize::try_from(response.body().size_hint().lower()).unwrap_or(usize::MAX) > max_answer {
            return Err(too_long());
        }
        let body = Limited::new(response.into_body(), max_answer);
        let body = body
            .collect()
            .await
            .map_err(|error| match error.downcast::<LengthLimitError>() {
                Ok(_) => too_long(),
                Err(error) => io::Error::other(error),
            })?;
        Ok(body.to_bytes().to_vec())
    };
    // The connection must be polled for the answer to come; it needs no task of its own, and ends with this future.
    let mut connection = pin!(connection);
    let mut is_open = true;
    let mut answer = pin!(answer);
    poll_fn(|cx| {
        if is_open && let Poll::Ready(result) = connection.as_mut().poll(cx) {
            is_open = false;
            // A request that failed over it says so itself; a connection that broke after the answer is no matter.
            if let Err(error) = result {
                tracing::debug!(%error, "the connection to the KDC proxy broke");
            }
        }
        answer.as_mut().poll(cx)
    })
    .await
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
