//! A KDC behind an HTTPS proxy (MS-KKDCP).

use std::future::Future as _;
use std::io;
use std::pin::pin;
use std::task::Poll;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use ironrdp_connector::{NetworkProtocol, NetworkRequest};
use ironrdp_tls::TlsClient;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::dial::dial;
use crate::{KdcClient, ServerAddr};

impl KdcClient {
    /// Posts a `KDC-PROXY-MESSAGE` and gives the one that comes back, without having looked into either.
    pub(crate) async fn proxy(&self, server: ServerAddr, request: &NetworkRequest) -> io::Result<Vec<u8>> {
        let uri: Uri = request.url.parse().map_err(invalid)?;
        let stream = dial(server.clone()).await?;
        if request.protocol == NetworkProtocol::Http {
            return self.post(stream, &uri, &request.data).await;
        }
        let tls = match &self.tls {
            Some(tls) => tls.clone(),
            None => crate::config::platform_tls().map_err(io::Error::other)?,
        };
        let config = tls
            .for_host(server.host(), server.port())
            .map_err(io::Error::other)?;
        let name = TlsClient::server_name(server.host()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(config).connect(name, stream).await?;
        self.post(stream, &uri, &request.data).await
    }

    async fn post<S>(&self, stream: S, uri: &Uri, data: &[u8]) -> io::Result<Vec<u8>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut sender, connection) = http1::Builder::new()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let target = uri.path_and_query().map_or("/KdcProxy", |path| path.as_str());
        let request = Request::post(target)
            .header(HOST, host)
            .header(CONTENT_TYPE, "application/kerberos")
            .body(Full::new(Bytes::copy_from_slice(data)))
            .map_err(invalid)?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(io::Error::other)?;
            if response.status() != StatusCode::OK {
                let message = format!("the KDC proxy answers {}", response.status());
                return Err(io::Error::other(message));
            }
            let body = Limited::new(response.into_body(), self.max_answer());
            let body = body.collect().await.map_err(|error| {
                match error.downcast::<http_body_util::LengthLimitError>() {
                    Ok(_) => self.too_long(),
                    Err(error) => io::Error::other(error),
                }
            })?;
            Ok(body.to_bytes().to_vec())
        };
        // The connection must be polled for the answer to come; it needs no task of its own, and ends with this future.
        let mut connection = pin!(connection);
        let mut is_open = true;
        let mut answer = pin!(answer);
        std::future::poll_fn(|cx| {
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
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}

#[cfg(test)]
mod tests {
    use ironrdp_async::NetworkClient as _;
    use ironrdp_connector::{AuthFailure, ConnectorErrorKind, ConnectorResult};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Posts to a proxy that answers with these bytes; gives the proxy's view too.
    async fn post(answer: &'static [u8]) -> (ConnectorResult<Vec<u8>>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            while !seen.ends_with(b"the message") {
                assert!(stream.read_buf(&mut seen).await.unwrap() > 0);
            }
            for piece in answer.chunks(7) {
                // The client may have seen enough.
                if stream.write_all(piece).await.is_err() {
                    break;
                }
            }
            String::from_utf8(seen).unwrap()
        });
        let request = NetworkRequest {
            protocol: NetworkProtocol::Http,
            url: format!("http://127.0.0.1:{port}/KdcProxy?token=1"),
            data: b"the message".to_vec(),
        };
        let mut client = KdcClient::new().with_max_answer(100);
        (client.send(&request).await, proxy.await.unwrap())
    }

    #[tokio::test]
    async fn a_message_is_posted_and_the_answer_is_the_body() {
        let (answer, seen) = post(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nreply").await;
        assert_eq!(answer.unwrap(), b"reply");
        assert!(seen.starts_with("POST /KdcProxy?token=1 HTTP/1.1\r\n"), "{seen}");
        for line in [
            "host: 127.0.0.1:",
            "content-type: application/kerberos\r\n",
            "content-length: 11\r\n",
        ] {
            assert!(seen.to_lowercase().contains(line), "{seen}");
        }
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrep\r\n2\r\nly\r\n0\r\n\r\n";
        assert_eq!(post(chunked).await.0.unwrap(), b"reply");
        assert_eq!(post(b"HTTP/1.1 200 OK\r\n\r\nreply").await.0.unwrap(), b"reply");
    }

    #[tokio::test]
    async fn a_proxy_that_refuses_lies_or_talks_too_much_is_no_kdc() {
        for (answer, why) in [
            (
                b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".as_slice(),
                "403",
            ),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nreply", ""),
            (b"SSH-2.0-OpenSSH_9.2p1\r\n", ""),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n\
                0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n40\r\n\
                0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n0\r\n\r\n",
                "longer than 100 bytes",
            ),
        ] {
            let error = post(answer).await.0.unwrap_err();
            assert_eq!(*error.kind(), ConnectorErrorKind::Auth(AuthFailure::NoKdc));
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.contains(why), "{source}");
        }
    }
}
