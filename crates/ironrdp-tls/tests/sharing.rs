//! What one more session costs, and what a process loads.

#[cfg(test)]
mod support;

use std::env;
use std::process::Command;
use std::sync::Arc;

use allocation_counter::measure;
use ironrdp_tls::{CertificatePolicy, Fingerprint, KnownHosts, TlsClient, TlsErrorKind};
use rustls::pki_types::ServerName;
use support::{Scratch, client, data, der, handshake, run, server, tls_server};

#[test]
fn all_hosts_share_one_configuration_and_asking_allocates_nothing() {
    for policy in [
        CertificatePolicy::roots_from_pem(&data("root.pem")).unwrap(),
        CertificatePolicy::pin(Fingerprint::new([0; 32])),
        CertificatePolicy::dangerously_accept_any(),
    ] {
        let tls = client(policy);
        let first = tls.for_host("a.example", 3389).unwrap();
        let cost = measure(|| {
            let second = tls.clone().for_host("b.example", 3390).unwrap();
            assert!(Arc::ptr_eq(&first, &second));
        });
        assert_eq!(cost.count_total, 0);
    }
}

#[test]
fn under_known_hosts_a_host_costs_less_than_a_kilobyte_and_builds_nothing() {
    let tls = client(CertificatePolicy::known_hosts(KnownHosts::in_memory()));
    let base = tls.for_host("a.example", 3389).unwrap();
    let mut kept = None;
    let cost = measure(|| kept = Some(tls.for_host("rdp.example", 3389).unwrap()));
    println!(
        "one host: {} bytes in {} allocations, {} in all",
        cost.bytes_current, cost.count_current, cost.count_total
    );
    assert!(cost.bytes_current < 1_024, "{cost:?}");
    // The configuration, its verifier, the host's name.
    assert_eq!(cost.count_current, 3, "{cost:?}");
    assert!(cost.count_total <= 8, "{cost:?}");
    // The provider, with its tables of suites and groups, is the same object.
    assert!(Arc::ptr_eq(
        base.crypto_provider(),
        kept.unwrap().crypto_provider()
    ));
}

#[test]
fn clients_share_the_provider() {
    let provider = ironrdp_tls::default_provider();
    for policy in [
        CertificatePolicy::dangerously_accept_any(),
        CertificatePolicy::pins([]),
    ] {
        let config = client(policy).for_host("localhost", 1).unwrap();
        assert!(Arc::ptr_eq(config.crypto_provider(), &provider));
    }
}

#[test]
fn a_given_provider_is_the_one_that_is_used() {
    let mut provider = rustls::crypto::CryptoProvider::clone(&ironrdp_tls::default_provider());
    provider
        .cipher_suites
        .retain(|suite| suite.suite() == rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
    let provider = Arc::new(provider);
    let tls = TlsClient::builder(CertificatePolicy::dangerously_accept_any())
        .crypto_provider(Arc::clone(&provider))
        .build()
        .unwrap();
    assert!(Arc::ptr_eq(
        tls.for_host("localhost", 1).unwrap().crypto_provider(),
        &provider
    ));
    let connection = tls.connection("localhost", 3389).unwrap();
    let (connection, _) = run(connection, tls_server("good", "ec").connection().unwrap());
    let suite = connection.unwrap().negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
}

#[test]
fn a_client_offers_only_the_versions_it_was_told() {
    const OLD: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
    const NEW: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
    let connect = |versions, server_version| {
        let tls = TlsClient::builder(CertificatePolicy::dangerously_accept_any())
            .protocol_versions(versions)
            .build()
            .unwrap();
        let connection = tls.connection("localhost", 3389).unwrap();
        handshake(connection, &server("good", "ec", server_version))
            .map(|connection| connection.protocol_version())
    };
    let [old, new] = support::VERSIONS;
    assert_eq!(connect(OLD, old).unwrap(), Some(old.version));
    assert_eq!(connect(NEW, new).unwrap(), Some(new.version));
    assert!(connect(OLD, new).is_err());
    assert!(connect(NEW, old).is_err());
}

#[test]
fn the_second_session_resumes_nothing() {
    let tls = client(CertificatePolicy::dangerously_accept_any());
    for version in support::VERSIONS {
        // This server would: it has rustls' session store, and sends tickets.
        let server = server("good", "ec", version);
        for _ in 0..2 {
            let connection = handshake(tls.connection("localhost", 3389).unwrap(), &server).unwrap();
            assert_eq!(connection.handshake_kind(), Some(rustls::HandshakeKind::Full));
        }
    }
}

#[test]
fn names_are_sent_to_the_server_and_addresses_are_not() {
    let tls = client(CertificatePolicy::dangerously_accept_any());
    for (host, sni) in [
        ("rdp.example", Some("rdp.example")),
        ("127.0.0.1", None),
        ("[::1]", None),
    ] {
        let mut connection = tls.connection(host, 3389).unwrap();
        let mut hello = Vec::new();
        connection.write_tls(&mut hello).unwrap();
        let mut acceptor = rustls::server::Acceptor::default();
        acceptor.read_tls(&mut hello.as_slice()).unwrap();
        let accepted = acceptor.accept().ok().flatten().unwrap();
        assert_eq!(accepted.client_hello().server_name(), sni);
    }
    assert!(matches!(
        TlsClient::server_name("[::1]"),
        Ok(ServerName::IpAddress(_))
    ));
}

/// The rest is about environment variables, so it runs in a process of its own: this binary again, one test.
#[cfg(test)]
fn in_child(test: &str, variables: &[(&str, &std::ffi::OsStr)]) {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env_remove("SSL_CERT_DIR")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn platform_roots_are_read_once_and_only_when_they_are_needed() {
    let scratch = Scratch::new("platform-roots");
    let file = scratch.file("roots.pem");
    std::fs::write(&file, "").unwrap();
    in_child("child_platform_roots", &[("SSL_CERT_FILE", file.as_os_str())]);
}

#[test]
#[ignore = "run by platform_roots_are_read_once_and_only_when_they_are_needed"]
fn child_platform_roots() {
    let file = env::var_os("SSL_CERT_FILE").unwrap();
    // The file is empty: a policy that needs roots fails, and only such.
    client(CertificatePolicy::dangerously_accept_any());
    client(CertificatePolicy::known_hosts(KnownHosts::in_memory()));
    client(CertificatePolicy::pins([]));
    let error = TlsClient::new(CertificatePolicy::default()).unwrap_err();
    assert!(matches!(error.kind(), TlsErrorKind::Roots), "{error:?}");

    // A failure is not kept.
    std::fs::write(&file, data("root.pem")).unwrap();
    let first = client(CertificatePolicy::platform_roots());
    // A success is: now nobody reads the file any more.
    std::fs::remove_file(&file).unwrap();
    let second = client(CertificatePolicy::default());
    for tls in [first, second] {
        for version in support::VERSIONS {
            let good = server("good", "ec", version);
            handshake(tls.connection("localhost", 3389).unwrap(), &good).unwrap();
            let bad = server("self-signed", "ec", version);
            handshake(tls.connection("localhost", 3389).unwrap(), &bad).unwrap_err();
        }
    }
}

#[test]
fn keys_are_logged_only_if_asked_for() {
    let scratch = Scratch::new("key-log");
    let file = scratch.file("keys");
    in_child("child_key_log", &[("SSLKEYLOGFILE", file.as_os_str())]);
}

#[test]
#[ignore = "run by keys_are_logged_only_if_asked_for"]
fn child_key_log() {
    let file = std::path::PathBuf::from(env::var_os("SSLKEYLOGFILE").unwrap());
    let connect = |tls: TlsClient| {
        let connection = tls.connection("localhost", 3389).unwrap();
        let (client, server) = run(connection, tls_server("good", "ec").connection().unwrap());
        client.unwrap();
        assert_eq!(server, None);
    };
    connect(client(CertificatePolicy::dangerously_accept_any()));
    assert!(!file.exists());
    connect(
        TlsClient::builder(CertificatePolicy::pin(Fingerprint::of(&der("good"))))
            .dangerously_enable_key_log()
            .build()
            .unwrap(),
    );
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("CLIENT_TRAFFIC_SECRET_0"), "{text}");
}

#[test]
fn the_default_path_follows_the_environment() {
    let scratch = Scratch::new("default-path");
    let home = scratch.file("home");
    for (variables, expected) in [
        (
            vec![("HOME", home.as_os_str()), ("XDG_STATE_HOME", "".as_ref())],
            home.join(".local/state/ironrdp/known_hosts"),
        ),
        (
            vec![("XDG_STATE_HOME", home.as_os_str())],
            home.join("ironrdp/known_hosts"),
        ),
        (
            vec![
                ("HOME", home.as_os_str()),
                ("XDG_STATE_HOME", "relative".as_ref()),
            ],
            home.join(".local/state/ironrdp/known_hosts"),
        ),
    ] {
        let mut variables = variables;
        variables.push(("EXPECTED", expected.as_os_str()));
        in_child("child_default_path", &variables);
    }
}

#[test]
#[ignore = "run by the_default_path_follows_the_environment"]
fn child_default_path() {
    assert_eq!(
        KnownHosts::default_path(),
        env::var_os("EXPECTED").map(Into::into)
    );
}
