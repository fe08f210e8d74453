//! What callers get to see: every way a TLS connection ends, through the `io::Error` of a stream.

#[cfg(test)]
mod support;

use std::error::Error as _;
use std::io::{self, Cursor, Read, Write};
use std::sync::Arc;

use ironrdp_tls::{CertificatePolicy, PeerCertificate, RejectionReason, TlsClient, TlsError, TlsErrorKind};
use rustls::AlertDescription;
use support::{client, data, der, run, server, tls_server};

/// A peer that has said all it will ever say.
struct Canned(Cursor<Vec<u8>>);

impl Read for Canned {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Canned {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
fn against(answer: &[u8]) -> TlsError {
    let tls = client(CertificatePolicy::dangerously_accept_any());
    let mut connection = tls.connection("localhost", 3389).unwrap();
    let mut stream = Canned(Cursor::new(answer.to_vec()));
    TlsError::from_io(connection.complete_io(&mut stream).unwrap_err())
}

#[test]
fn a_web_server_is_malformed() {
    let error = against(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert!(matches!(error.kind(), TlsErrorKind::Malformed), "{error:?}");
    assert!(error.source().is_some());
}

#[test]
fn a_peer_that_hangs_up_is_io_and_an_alert_is_that_alert() {
    let error = against(b"");
    assert!(
        matches!(error.kind(), TlsErrorKind::Io(io::ErrorKind::UnexpectedEof)),
        "{error:?}"
    );
    // Record type 21, TLS 1.2, 2 bytes: fatal, handshake_failure (RFC 5246 7.2).
    let error = against(&[21, 3, 3, 0, 2, 2, 40]);
    assert!(
        matches!(
            error.kind(),
            TlsErrorKind::Alert(AlertDescription::HandshakeFailure)
        ),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "peer ended tls with the alert HandshakeFailure"
    );
}

#[test]
fn a_rejection_keeps_its_reason_through_an_io_error() {
    let tls = client(CertificatePolicy::roots_from_pem(&data("root.pem")).unwrap());
    let mut connection = tls.connection("localhost", 3389).unwrap();
    let mut server = tls_server("windows", "rsa").connection().unwrap();
    // complete_io wraps the error of rustls as async streams do.
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    server.read_tls(&mut hello.as_slice()).unwrap();
    server.process_new_packets().unwrap();
    let mut answer = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut answer).unwrap();
    }
    let wrapped = connection
        .complete_io(&mut Canned(Cursor::new(answer)))
        .unwrap_err();
    let error = TlsError::from_io(wrapped);
    assert!(
        matches!(error.rejection().unwrap().reason(), RejectionReason::SelfSigned),
        "{error:?}"
    );
    // Wrapped again by someone in between, it is still the same.
    let error = TlsError::from_io(io::Error::other(error));
    assert!(matches!(error.kind(), TlsErrorKind::CertificateRejected(_)));
}

#[test]
fn the_transports_own_errors_stay_io_errors() {
    let error = TlsError::from_io(io::Error::from(io::ErrorKind::ConnectionReset));
    assert!(matches!(
        error.kind(),
        TlsErrorKind::Io(io::ErrorKind::ConnectionReset)
    ));
    let error = TlsError::from_io(io::Error::other("something else"));
    assert!(matches!(error.kind(), TlsErrorKind::Io(io::ErrorKind::Other)));
    assert_eq!(error.source().unwrap().to_string(), "something else");
}

#[test]
fn the_server_learns_of_a_rejection_by_an_alert() {
    let tls = client(CertificatePolicy::pins([]));
    let connection = tls.connection("localhost", 3389).unwrap();
    let (client, server) = run(connection, tls_server("good", "ec").connection().unwrap());
    assert!(client.is_err());
    assert_eq!(
        server,
        Some(rustls::Error::AlertReceived(AlertDescription::CertificateUnknown))
    );
    assert!(matches!(
        TlsError::from(server.unwrap()).kind(),
        TlsErrorKind::Alert(AlertDescription::CertificateUnknown)
    ));
}

#[test]
fn nothing_in_common_is_incompatible_on_the_side_that_sees_it() {
    let tls = client(CertificatePolicy::dangerously_accept_any());
    // ServerHello of TLS 1.0: 32 bytes of random, no session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    let mut hello = vec![22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
    hello.extend([7; 32]);
    hello.extend([0, 0, 0x2f, 0]);
    let mut connection = tls.connection("localhost", 3389).unwrap();
    let error = connection
        .complete_io(&mut Canned(Cursor::new(hello)))
        .unwrap_err();
    let error = TlsError::from_io(error);
    assert!(matches!(error.kind(), TlsErrorKind::Incompatible), "{error:?}");
}

#[test]
fn hosts_that_are_no_name_are_refused_before_any_connection() {
    let tls = client(CertificatePolicy::dangerously_accept_any());
    for host in [
        "",
        " ",
        "a b",
        "büro.example",
        "a..b",
        "[rdp.example]",
        "[::1",
        "[127.0.0.1]",
        "host:3389",
        "-a",
    ] {
        let error = tls.connection(host, 3389).unwrap_err();
        assert!(
            matches!(error.kind(), TlsErrorKind::InvalidName),
            "{host:?}: {error:?}"
        );
        assert!(TlsClient::server_name(host).is_err());
    }
    for host in [
        "a",
        "WIN_7.example",
        "a.example.",
        "127.0.0.1",
        "::1",
        "[fe80::1]",
    ] {
        tls.connection(host, 3389)
            .unwrap_or_else(|error| panic!("{host}: {error}"));
    }
}

#[test]
fn the_certificate_before_the_handshake_is_a_misuse() {
    let tls = client(CertificatePolicy::dangerously_accept_any());
    let connection = tls.connection("localhost", 3389).unwrap();
    let error = PeerCertificate::from_connection(&connection).unwrap_err();
    assert!(matches!(error.kind(), TlsErrorKind::Misuse));
}

#[test]
fn a_verdict_of_another_verifier_has_a_reason_and_no_fingerprints() {
    let error = TlsError::from(rustls::Error::InvalidCertificate(
        rustls::CertificateError::Revoked,
    ));
    let rejection = error.rejection().unwrap();
    assert!(matches!(rejection.reason(), RejectionReason::Revoked));
    assert_eq!(rejection.sha256(), None);
    assert_eq!(error.to_string(), "certificate rejected: revoked by its issuer");
}

#[test]
fn messages_are_short_lower_case_and_without_a_full_stop() {
    let tls = client(CertificatePolicy::pin_certificate([0; 32]));
    let connection = tls.connection("localhost", 3389).unwrap();
    let error = support::handshake(connection, &server("windows", "rsa", support::VERSIONS[1])).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "certificate rejected: not the pinned certificate sha256:{} (CN=WIN-7EXAMPLE; certificate sha256:{}; \
             public key sha256:{})",
            "0".repeat(64),
            ironrdp_tls::Fingerprint::of(&der("windows")),
            PeerCertificate::from_der(&der("windows"))
                .unwrap()
                .public_key_sha256(),
        )
    );
    // An error is pointer-sized: it is in the Result of every read.
    assert_eq!(size_of::<TlsError>(), size_of::<usize>());
    let _: Arc<dyn std::error::Error + Send + Sync> = Arc::new(error);
}
