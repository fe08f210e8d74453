//! A KDC behind an HTTPS proxy (MS-KKDCP).

use std::io;

use hyper_util::rt::TokioIo;
use ironrdp_async::{platform_tls, post_to_kdc_proxy};
use ironrdp_connector::{NetworkProtocol, NetworkRequest};
use ironrdp_tls::TlsClient;

use crate::dial::dial;
use crate::kdc::Network;
use crate::{Liveness, ServerAddr, TlsStream};

impl Network {
    /// Sends a `KDC-PROXY-MESSAGE`, over TLS unless the URL says otherwise.
    pub(crate) async fn post_to_proxy(
        &self,
        proxy: ServerAddr,
        request: &NetworkRequest,
        max_answer: usize,
    ) -> io::Result<Vec<u8>> {
        let stream = dial(proxy.clone(), Liveness::OFF).await?;
        if request.protocol == NetworkProtocol::Http {
            return post_to_kdc_proxy(TokioIo::new(stream), request, max_answer).await;
        }
        let tls = match &self.tls {
            Some(tls) => tls.clone(),
            None => platform_tls().map_err(io::Error::other)?,
        };
        let config = tls
            .for_host(proxy.host(), proxy.port())
            .map_err(io::Error::other)?;
        let name = TlsClient::server_name(proxy.host()).map_err(io::Error::other)?;
        let stream = TlsStream::connect(stream, config, name).await?;
        post_to_kdc_proxy(TokioIo::new(stream), request, max_answer).await
    }
}

#[cfg(test)]
mod tests {
    use ironrdp_async::NetworkClient as _;
    use ironrdp_connector::{AuthFailure, ConnectorErrorKind, ConnectorResult};
    use ironrdp_tls::{CertificatePolicy, Fingerprint, TlsServer};
    use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::{KdcClient, Limit, Limits};

    /// A proxy's turn: reads the request and answers with these bytes; gives what it read.
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, answer: &[u8]) -> String {
        let mut seen = Vec::new();
        while !seen.ends_with(b"the message") {
            assert!(stream.read_buf(&mut seen).await.unwrap() > 0);
        }
        for piece in answer.chunks(7) {
            // The client may have seen enough.
            if stream.write_all(piece).await.is_err() || stream.flush().await.is_err() {
                break;
            }
        }
        String::from_utf8(seen).unwrap()
    }

    /// Posts to a proxy that answers with these bytes; gives the proxy's view too.
    async fn post(answer: &'static [u8]) -> (ConnectorResult<Vec<u8>>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream, answer).await
        });
        let request = NetworkRequest {
            protocol: NetworkProtocol::Http,
            url: format!("http://127.0.0.1:{port}/KdcProxy?token=1"),
            data: b"the message".to_vec(),
        };
        let mut client = KdcClient::new().with_limits(Limits::DEFAULT.with(Limit::Credssp, 100));
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

    #[tokio::test]
    async fn over_https_the_certificate_must_be_the_right_one() {
        let server = TlsServer::from_pem(
            include_bytes!("../tests/data/self-signed.pem"),
            include_bytes!("../tests/data/ec.key.pem"),
        )
        .unwrap();
        let right = Fingerprint::of(server.certificate());
        let wrong = Fingerprint::of(b"another certificate");
        for (policy, is_good) in [
            (CertificatePolicy::pin_certificate(right), true),
            (CertificatePolicy::pin_certificate(wrong), false),
            // Nobody vouches for it.
            (CertificatePolicy::platform_roots(), false),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let acceptor = TlsAcceptor::from(server.server_config());
            let proxy = tokio::spawn(async move {
                let (stream, _) = listener.accept().await.unwrap();
                let stream = acceptor.accept(stream).await?;
                io::Result::Ok(serve(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nreply").await)
            });
            let request = NetworkRequest {
                protocol: NetworkProtocol::Https,
                url: format!("https://localhost:{port}/KdcProxy"),
                data: b"the message".to_vec(),
            };
            let mut client = KdcClient::new().with_tls(TlsClient::new(policy).unwrap());
            let answer = client.send(&request).await;
            let seen = proxy.await.unwrap();
            if is_good {
                assert_eq!(answer.unwrap(), b"reply");
                assert!(seen.unwrap().starts_with("POST /KdcProxy HTTP/1.1\r\n"));
            } else {
                assert_eq!(
                    *answer.unwrap_err().kind(),
                    ConnectorErrorKind::Auth(AuthFailure::NoKdc)
                );
                assert!(seen.is_err(), "the message was sent");
            }
        }
    }
}
