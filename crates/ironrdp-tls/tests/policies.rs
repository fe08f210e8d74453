//! Every policy against good and bad servers, over TLS 1.2 and 1.3.

#[cfg(test)]
mod support;

use std::sync::Arc;

use ironrdp_tls::{
    CertificatePolicy, Fingerprint, KnownHosts, PeerCertificate, Pin, RejectionReason, TlsError, TlsErrorKind,
};
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{ProtocolVersion, ServerConfig, SignatureAlgorithm, SignatureScheme};
use support::{VERSIONS, client, data, der, handshake, key_of, run, server, tls_server};

/// Certificates and keys that every policy but the roots takes: RSA and ECDSA, version 1, CA:TRUE, expired.
const SERVERS: [(&str, &str); 9] = [
    ("good", "ec"),
    ("good-rsa", "rsa"),
    ("windows", "rsa"),
    ("v1-rsa", "rsa"),
    ("v1-ec", "ec"),
    ("sha1", "rsa"),
    ("ec384", "ec384"),
    ("ed25519", "ed25519"),
    ("expired", "ec"),
];

#[cfg(test)]
fn roots() -> CertificatePolicy {
    CertificatePolicy::roots_from_pem(&data("root.pem")).unwrap()
}

#[cfg(test)]
fn reason(error: &TlsError) -> &RejectionReason {
    error.rejection().unwrap_or_else(|| panic!("{error:?}")).reason()
}

#[test]
fn pins_known_hosts_and_accept_any_take_every_kind_of_certificate() {
    for version in VERSIONS {
        for (certificate, key) in SERVERS {
            let server = server(certificate, key, version);
            for policy in [
                CertificatePolicy::pin_certificate(Fingerprint::of(&der(certificate))),
                CertificatePolicy::pin_public_key(key_of(certificate)),
                CertificatePolicy::pin(Fingerprint::of(&der(certificate))),
                CertificatePolicy::pin(key_of(certificate)),
                CertificatePolicy::pins([
                    Pin::Certificate(Fingerprint::new([0; 32])),
                    Pin::PublicKey(key_of(certificate)),
                ]),
                CertificatePolicy::known_hosts(KnownHosts::in_memory()),
                CertificatePolicy::dangerously_accept_any(),
            ] {
                let name = format!("{certificate} over {version:?} under {policy:?}");
                let connection = client(policy).connection("localhost", 3389).unwrap();
                let connection =
                    handshake(connection, &server).unwrap_or_else(|error| panic!("{name}: {error}"));
                let peer = PeerCertificate::from_connection(&connection).unwrap();
                assert_eq!(peer.der(), der(certificate).as_ref(), "{name}");
            }
        }
    }
}

#[test]
fn every_policy_refuses_a_server_that_does_not_hold_the_key() {
    for version in VERSIONS {
        // Same algorithm, other key: only the signature tells.
        for (certificate, key) in [("self-signed", "ec-other"), ("good", "ec-other")] {
            let server = server(certificate, key, version);
            let known_hosts = KnownHosts::in_memory();
            let mut policies = vec![
                CertificatePolicy::pin_certificate(Fingerprint::of(&der(certificate))),
                CertificatePolicy::known_hosts(known_hosts.clone()),
                CertificatePolicy::dangerously_accept_any(),
            ];
            if certificate == "good" {
                policies.push(roots());
            }
            for policy in policies {
                let connection = client(policy).connection("localhost", 3389).unwrap();
                let error = handshake(connection, &server).unwrap_err();
                assert!(matches!(reason(&error), RejectionReason::BadSignature), "{error}");
            }
            // A key that was only shown, not held, must not become the trusted one.
            assert_eq!(known_hosts.keys("localhost", 3389).unwrap(), []);
        }
    }
}

#[test]
fn a_wrong_pin_is_refused_with_the_fingerprints_to_pin() {
    let wrong = Fingerprint::new([7; 32]);
    for version in VERSIONS {
        let server = server("windows", "rsa", version);
        for policy in [
            CertificatePolicy::pin_certificate(wrong),
            CertificatePolicy::pin_public_key(wrong),
            CertificatePolicy::pin(wrong),
            CertificatePolicy::pins([]),
            // The right hash of the wrong thing.
            CertificatePolicy::pin_public_key(Fingerprint::of(&der("windows"))),
            CertificatePolicy::pin_certificate(key_of("windows")),
        ] {
            let connection = client(policy).connection("localhost", 3389).unwrap();
            let error = handshake(connection, &server).unwrap_err();
            assert!(
                matches!(reason(&error), RejectionReason::PinMismatch { .. }),
                "{error}"
            );
            let rejection = error.rejection().unwrap();
            assert_eq!(rejection.sha256(), Some(Fingerprint::of(&der("windows"))));
            assert_eq!(rejection.public_key_sha256(), Some(key_of("windows")));
            assert_eq!(rejection.subject(), Some("CN=WIN-7EXAMPLE"));
            assert!(
                error.to_string().contains(&key_of("windows").to_string()),
                "{error}"
            );
        }
    }
}

#[test]
fn a_pinned_key_survives_a_renewal_and_a_pinned_certificate_does_not() {
    for version in VERSIONS {
        let renewed = server("windows-renewed", "rsa", version);
        let by_key = client(CertificatePolicy::pin_public_key(key_of("windows")));
        handshake(by_key.connection("localhost", 3389).unwrap(), &renewed).unwrap();
        let by_certificate = client(CertificatePolicy::pin_certificate(Fingerprint::of(&der(
            "windows",
        ))));
        handshake(by_certificate.connection("localhost", 3389).unwrap(), &renewed).unwrap_err();
    }
}

#[test]
fn roots_accept_what_they_have_signed_for_the_name() {
    let client = client(roots());
    for version in VERSIONS {
        for (certificate, key) in [("good", "ec"), ("good-rsa", "rsa")] {
            let server = server(certificate, key, version);
            for host in [
                "localhost",
                "LOCALHOST",
                "rdp.example",
                "127.0.0.1",
                "::1",
                "[::1]",
            ] {
                handshake(client.connection(host, 3389).unwrap(), &server)
                    .unwrap_or_else(|error| panic!("{host}: {error}"));
            }
        }
    }
}

#[test]
fn roots_name_the_rule_that_a_certificate_broke() {
    let client = client(roots());
    type Expected = fn(&RejectionReason) -> bool;
    let cases: [(&str, &str, &str, Expected); 11] = [
        ("good", "ec", "other.example", |reason| {
            matches!(reason, RejectionReason::NameMismatch { expected, presented }
                if expected == "other.example" && presented.len() == 4)
        }),
        ("good", "ec", "127.0.0.2", |reason| {
            matches!(reason, RejectionReason::NameMismatch { .. })
        }),
        ("expired", "ec", "localhost", |reason| {
            matches!(reason, RejectionReason::Expired { not_after: Some(time) }
                if time.to_string() == "2024-02-01T00:00:00Z")
        }),
        ("not-yet", "ec", "localhost", |reason| {
            matches!(reason, RejectionReason::NotYetValid { not_before: Some(time) }
                if time.to_string() == "2123-01-01T00:00:00Z")
        }),
        ("client-only", "ec", "localhost", |reason| {
            matches!(reason, RejectionReason::WrongPurpose)
        }),
        // For these webpki has other words: no issuer, a CA as end entity, version 1.
        ("self-signed", "ec", "localhost", |reason| {
            matches!(reason, RejectionReason::SelfSigned)
        }),
        ("windows", "rsa", "localhost", |reason| {
            matches!(reason, RejectionReason::SelfSigned)
        }),
        ("v1-ec", "ec", "localhost", |reason| {
            matches!(reason, RejectionReason::SelfSigned)
        }),
        ("sha1", "rsa", "localhost", |reason| {
            matches!(reason, RejectionReason::SelfSigned)
        }),
        ("foreign", "ec", "localhost", |reason| {
            matches!(reason, RejectionReason::UnknownIssuer)
        }),
        ("foreign-v1", "ec", "localhost", |reason| {
            matches!(reason, RejectionReason::Invalid(_))
        }),
    ];
    for version in VERSIONS {
        for (certificate, key, host, expected) in cases {
            let connection = client.connection(host, 3389).unwrap();
            let error = handshake(connection, &server(certificate, key, version)).unwrap_err();
            assert!(expected(reason(&error)), "{certificate} for {host}: {error:?}");
            let rejection = error.rejection().unwrap();
            assert_eq!(rejection.sha256(), Some(Fingerprint::of(&der(certificate))));
            assert_eq!(rejection.public_key_sha256(), Some(key_of(certificate)));
        }
    }
}

#[test]
fn a_self_signed_certificate_is_no_root_even_if_it_is_given_as_one() {
    let client = client(CertificatePolicy::roots_from_pem(&data("windows.pem")).unwrap());
    for version in VERSIONS {
        let connection = client.connection("localhost", 3389).unwrap();
        let error = handshake(connection, &server("windows", "rsa", version)).unwrap_err();
        assert!(matches!(reason(&error), RejectionReason::SelfSigned), "{error:?}");
    }
}

#[test]
fn unusable_roots_are_an_error_before_any_connection() {
    let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for pem in [&b""[..], b"no pem", &data("ec.key.pem"), garbage, &garbage[..40]] {
        let error = CertificatePolicy::roots_from_pem(pem).unwrap_err();
        assert!(matches!(error.kind(), TlsErrorKind::Roots), "{error:?}");
    }
}

#[test]
fn a_key_too_small_for_the_provider_is_unsupported_not_a_forgery() {
    // The server must sign with some key; the client looks at the size before it blames the signature.
    for version in VERSIONS {
        let connection = client(CertificatePolicy::dangerously_accept_any())
            .connection("localhost", 3389)
            .unwrap();
        let error = handshake(connection, &server("rsa1024", "rsa", version)).unwrap_err();
        assert!(
            matches!(reason(&error), RejectionReason::UnsupportedKey),
            "{error:?}"
        );
        // A signature by another kind of key than the certificate's.
        let connection = client(CertificatePolicy::dangerously_accept_any())
            .connection("localhost", 3389)
            .unwrap();
        let error = handshake(connection, &server("self-signed", "ed25519", version)).unwrap_err();
        assert!(
            matches!(reason(&error), RejectionReason::UnsupportedKey),
            "{error:?}"
        );
    }
}

/// A server that signs as TLS 1.3 forbids: with PKCS #1 v1.5.
#[derive(Debug)]
struct Pkcs1Only(Arc<dyn SigningKey>);

impl SigningKey for Pkcs1Only {
    fn choose_scheme(&self, _offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.0.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

#[test]
fn pkcs1_signatures_are_for_tls_1_2_only() {
    for version in VERSIONS {
        let provider = ironrdp_tls::default_provider();
        let signer = provider
            .key_provider
            .load_private_key(support::key("rsa"))
            .unwrap();
        let certified = CertifiedKey::new(vec![der("windows")], Arc::new(Pkcs1Only(signer)));
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        let connection = client(CertificatePolicy::dangerously_accept_any())
            .connection("localhost", 3389)
            .unwrap();
        match handshake(connection, &Arc::new(config)) {
            Ok(_) => assert_eq!(version.version, ProtocolVersion::TLSv1_2),
            Err(error) => {
                assert_eq!(version.version, ProtocolVersion::TLSv1_3);
                assert!(matches!(error.kind(), TlsErrorKind::Malformed), "{error:?}");
            }
        }
    }
}

#[test]
fn an_unreadable_certificate_is_refused_as_malformed() {
    let provider = ironrdp_tls::default_provider();
    let signer = provider
        .key_provider
        .load_private_key(support::key("ec"))
        .unwrap();
    let mut bytes = der("self-signed").to_vec();
    bytes.push(0); // one byte too many
    let certified = CertifiedKey::new(vec![bytes.into()], signer);
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    let config = Arc::new(config);
    let connection = client(CertificatePolicy::dangerously_accept_any())
        .connection("localhost", 3389)
        .unwrap();
    let error = handshake(connection, &config).unwrap_err();
    assert!(
        matches!(reason(&error), RejectionReason::Malformed(_)),
        "{error:?}"
    );
    assert_eq!(error.rejection().unwrap().public_key_sha256(), None);
    assert!(error.rejection().unwrap().sha256().is_some());
}

#[test]
fn our_server_takes_every_certificate_and_shows_it() {
    for (certificate, key) in SERVERS {
        let server = tls_server(certificate, key);
        let connection = client(CertificatePolicy::dangerously_accept_any())
            .connection("localhost", 3389)
            .unwrap();
        let (connection, server_error) = run(connection, server.connection().unwrap());
        assert_eq!(server_error, None);
        let connection = connection.unwrap();
        let peer = PeerCertificate::from_connection(&connection).unwrap();
        assert_eq!(peer.der(), server.certificate().as_ref());
        assert_eq!(peer.subject_public_key(), server.subject_public_key());
    }
}

#[test]
fn our_server_refuses_a_key_of_another_certificate() {
    let error = ironrdp_tls::TlsServer::from_pem(&data("v1-ec.pem"), &data("ec-other.key.pem")).unwrap_err();
    assert!(matches!(error.kind(), TlsErrorKind::Credentials), "{error:?}");
    for (certificate, key) in [("root.pem", "root.pem"), ("ec.key.pem", "ec.key.pem")] {
        let error = ironrdp_tls::TlsServer::from_pem(&data(certificate), &data(key)).unwrap_err();
        assert!(matches!(error.kind(), TlsErrorKind::Credentials), "{error:?}");
    }
    let scratch = support::Scratch::new("no-such-file");
    let missing = scratch.file("cert.pem");
    let error = ironrdp_tls::TlsServer::from_files(&missing, &missing).unwrap_err();
    assert!(error.to_string().contains("cert.pem"), "{error}");
}
