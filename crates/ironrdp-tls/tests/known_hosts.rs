//! Trust on first use: what is recorded, what is refused, and that nothing is lost among threads.

#[cfg(test)]
mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ironrdp_tls::{
    CertificatePolicy, Fingerprint, KnownHosts, KnownHostsErrorKind, RejectionReason, TlsClient, TlsErrorKind,
};
use support::{Scratch, VERSIONS, client, handshake, key_of, server};

fn tls(known_hosts: &KnownHosts) -> TlsClient {
    client(CertificatePolicy::known_hosts(known_hosts.clone()))
}

#[test]
fn the_first_key_is_recorded_the_same_accepted_another_refused() {
    for version in VERSIONS {
        let scratch = Scratch::new(&format!("first-use-{version:?}"));
        // Neither the file nor the two directories above it exist.
        let path = scratch.file("state").join("ironrdp").join("known_hosts");
        let known_hosts = KnownHosts::open(&path).unwrap();
        assert!(!path.exists());
        let tls = tls(&known_hosts);
        let connect = |host: &str, port, certificate, key| {
            handshake(
                tls.connection(host, port).unwrap(),
                &server(certificate, key, version),
            )
        };

        connect("rdp.example", 3389, "self-signed", "ec").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let line = format!("[rdp.example]:3389 sha256:{}", key_of("self-signed"));
        assert_eq!(text.lines().nth(1), Some(line.as_str()));
        assert!(text.starts_with('#') && text.ends_with('\n'));

        connect("RDP.example.", 3389, "self-signed", "ec").unwrap();
        // Another certificate with the same key is no change.
        connect("rdp.example", 3389, "v1-ec", "ec").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);

        let error = connect("rdp.example", 3389, "windows", "rsa").unwrap_err();
        let RejectionReason::KnownHostChanged { host, known, file } = error.rejection().unwrap().reason()
        else {
            panic!("{error:?}");
        };
        assert_eq!(host, "[rdp.example]:3389");
        assert_eq!(file.as_deref(), Some(path.as_path()));
        assert_eq!(known.len(), 1);
        assert_eq!(
            (known[0].fingerprint(), known[0].line()),
            (key_of("self-signed"), Some(2))
        );
        let message = error.to_string();
        for part in [
            "has changed",
            &key_of("self-signed").to_string(),
            &key_of("windows").to_string(),
            &format!("{}:2", path.display()),
        ] {
            assert!(message.contains(part), "{part} not in {message}");
        }
        // A refusal changes nothing.
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        connect("rdp.example", 3389, "self-signed", "ec").unwrap();

        // Another port is another server.
        connect("rdp.example", 3390, "windows", "rsa").unwrap();
        connect("127.0.0.1", 3389, "windows", "rsa").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4);
        assert_eq!(known_hosts.keys("rdp.example", 3390).unwrap()[0].line(), Some(3));
    }
}

#[cfg(unix)]
#[test]
fn the_file_and_its_directories_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new("private");
    let path = scratch.file("state").join("known_hosts");
    KnownHosts::open(&path)
        .unwrap()
        .insert("a", 1, Fingerprint::new([1; 32]))
        .unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&scratch.file("state")), 0o700);
}

#[test]
fn a_store_in_memory_refuses_a_change_too() {
    let known_hosts = KnownHosts::in_memory();
    let tls = tls(&known_hosts);
    for version in VERSIONS {
        let same = server("self-signed", "ec", version);
        let other = server("windows", "rsa", version);
        handshake(tls.connection("localhost", 1).unwrap(), &same).unwrap();
        let error = handshake(tls.connection("localhost", 1).unwrap(), &other).unwrap_err();
        assert!(matches!(
            error.rejection().unwrap().reason(),
            RejectionReason::KnownHostChanged { file: None, known, .. } if known[0].line().is_none()
        ));
        // The configuration of one host serves many connections.
        let config = tls.for_host("localhost", 1).unwrap();
        for _ in 0..2 {
            let name = TlsClient::server_name("localhost").unwrap();
            let connection = rustls::ClientConnection::new(Arc::clone(&config), name).unwrap();
            handshake(connection, &same).unwrap();
        }
    }
    assert_eq!(known_hosts.keys("localhost", 1).unwrap().len(), 1);
}

#[test]
fn unknown_hosts_are_refused_if_asked_and_known_ones_are_not() {
    for version in VERSIONS {
        let known_hosts = KnownHosts::in_memory();
        let strict = tls(&known_hosts.clone().refuse_unknown());
        let same = server("self-signed", "ec", version);
        let error = handshake(strict.connection("localhost", 3389).unwrap(), &same).unwrap_err();
        assert!(
            matches!(error.rejection().unwrap().reason(), RejectionReason::UnknownHost { host }
                if host == "[localhost]:3389")
        );
        assert!(known_hosts.keys("localhost", 3389).unwrap().is_empty());
        assert!(
            known_hosts
                .insert("localhost", 3389, key_of("self-signed"))
                .unwrap()
        );
        assert!(
            !known_hosts
                .insert("localhost", 3389, key_of("self-signed"))
                .unwrap()
        );
        handshake(strict.connection("localhost", 3389).unwrap(), &same).unwrap();
    }
}

#[test]
fn several_keys_of_one_host_are_alternatives() {
    let scratch = Scratch::new("farm");
    let path = scratch.file("known_hosts");
    let known_hosts = KnownHosts::open(&path).unwrap();
    known_hosts
        .insert("localhost", 3389, key_of("self-signed"))
        .unwrap();
    known_hosts.insert("localhost", 3389, key_of("windows")).unwrap();
    let tls = tls(&known_hosts);
    for version in VERSIONS {
        for (certificate, key) in [("self-signed", "ec"), ("windows", "rsa")] {
            let server = server(certificate, key, version);
            handshake(tls.connection("localhost", 3389).unwrap(), &server).unwrap();
        }
        let third = server("ed25519", "ed25519", version);
        let error = handshake(tls.connection("localhost", 3389).unwrap(), &third).unwrap_err();
        assert!(error.to_string().contains(":3 ("), "{error}");
    }
}

#[test]
fn edits_by_others_are_seen_at_the_next_connection() {
    let scratch = Scratch::new("edits");
    let path = scratch.file("known_hosts");
    let known_hosts = KnownHosts::open(&path).unwrap();
    let key = Fingerprint::new([1; 32]);
    known_hosts.insert("a", 1, key).unwrap();

    // Another instance, as another process would be.
    let other = KnownHosts::open(&path).unwrap();
    other.insert("b", 1, key).unwrap();
    assert_eq!(known_hosts.keys("b", 1).unwrap()[0].line(), Some(3));

    // An editor that renames, and leaves no line feed at the end.
    let replacement = scratch.file("known_hosts.tmp");
    fs::write(&replacement, format!("[c]:1 sha256:{key}")).unwrap();
    fs::rename(&replacement, &path).unwrap();
    assert!(known_hosts.keys("a", 1).unwrap().is_empty());
    known_hosts.insert("d", 1, key).unwrap();
    known_hosts.insert("e", 1, key).unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!("[c]:1 sha256:{key}\n[d]:1 sha256:{key}\n[e]:1 sha256:{key}\n")
    );
    let line = |host| known_hosts.keys(host, 1).unwrap()[0].line();
    assert_eq!([line("c"), line("d"), line("e")], [Some(1), Some(2), Some(3)]);
    // The same numbers as after reading it anew.
    assert_eq!(
        KnownHosts::open(&path).unwrap().keys("e", 1).unwrap()[0].line(),
        Some(3)
    );

    fs::remove_file(&path).unwrap();
    assert!(known_hosts.keys("c", 1).unwrap().is_empty());
}

#[test]
fn a_malformed_line_stops_connections_and_names_itself() {
    let scratch = Scratch::new("malformed");
    let path = scratch.file("known_hosts");
    fs::write(&path, "# fine\n[a]:1 sha256:00\n").unwrap();
    let error = KnownHosts::open(&path).unwrap_err();
    assert_eq!(error.kind(), KnownHostsErrorKind::Malformed { line: 2 });
    assert!(error.to_string().contains("known_hosts:2: "), "{error}");

    fs::write(&path, "").unwrap();
    let known_hosts = KnownHosts::open(&path).unwrap();
    let tls = tls(&known_hosts);
    fs::write(&path, "\n\nrubbish\n").unwrap();
    for version in VERSIONS {
        let connection = tls.connection("localhost", 3389).unwrap();
        let error = handshake(connection, &server("self-signed", "ec", version)).unwrap_err();
        assert!(matches!(error.kind(), TlsErrorKind::KnownHosts), "{error:?}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("known_hosts:3: "), "{source}");
    }
    // Nothing was appended to the broken file.
    assert_eq!(fs::read_to_string(&path).unwrap(), "\n\nrubbish\n");
    // Mended, it works again.
    fs::write(&path, "").unwrap();
    assert!(known_hosts.keys("localhost", 3389).unwrap().is_empty());
}

#[test]
fn a_file_that_cannot_be_written_refuses_new_hosts_with_the_reason() {
    let scratch = Scratch::new("unwritable");
    // A file where a directory should be: fails for root too.
    fs::write(scratch.file("state"), "").unwrap();
    let path = scratch.file("state").join("known_hosts");
    let error = KnownHosts::open(&path).unwrap_err();
    assert!(matches!(error.kind(), KnownHostsErrorKind::Io(_)), "{error:?}");
    assert_eq!(error.path(), path);
    // A directory in place of the file.
    fs::create_dir(scratch.file("directory")).unwrap();
    assert!(KnownHosts::open(scratch.file("directory")).is_err());
}

#[test]
fn a_lock_held_by_another_process_is_not_waited_for_without_end() {
    let scratch = Scratch::new("locked");
    let path = scratch.file("known_hosts");
    let wait = Duration::from_secs(1);
    let known_hosts = KnownHosts::open(&path).unwrap().with_lock_wait(wait);
    let key = Fingerprint::new([1; 32]);
    known_hosts.insert("a", 1, key).unwrap();
    let mut other = fs::OpenOptions::new().append(true).open(&path).unwrap();
    other.lock().unwrap();
    let error = known_hosts.insert("b", 1, key).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("locked by another process"), "{source}");
    // The next ones do not wait as well: a thousand sessions may come one after the other.
    let start = Instant::now();
    for _ in 0..20 {
        known_hosts.insert("b", 1, key).unwrap_err();
    }
    assert!(start.elapsed() < 20 * wait, "{:?}", start.elapsed());
    // What is known needs no lock.
    assert_eq!(known_hosts.keys("a", 1).unwrap().len(), 1);
    other.write_all(b"# done\n").unwrap();
    other.unlock().unwrap();
    assert!(known_hosts.insert("b", 1, key).unwrap());
    assert_eq!(known_hosts.keys("b", 1).unwrap()[0].line(), Some(4));
}

/// A store that waits for a busy machine: its default is made for handshakes.
#[expect(clippy::unwrap_used, reason = "where the tests write, the file can be opened")]
fn patient(path: &Path) -> KnownHosts {
    KnownHosts::open(path)
        .unwrap()
        .with_lock_wait(Duration::from_secs(60))
}

#[test]
fn many_threads_and_instances_lose_no_line_and_write_none_twice() {
    let scratch = Scratch::new("threads");
    let path = scratch.file("known_hosts");
    let key = |host: usize| Fingerprint::of(&host.to_le_bytes());
    // 4 instances, as 4 processes would have, with 4 threads each, all meeting the same 64 hosts.
    let instances: [KnownHosts; 4] = std::array::from_fn(|_| patient(&path));
    let threads: Vec<_> = instances
        .iter()
        .flat_map(|known_hosts| (0..4).map(|thread| (known_hosts.clone(), thread)))
        .map(|(known_hosts, offset)| {
            thread::spawn(move || {
                for host in 0..64 {
                    let host = (host + offset * 16) % 64;
                    known_hosts
                        .insert(&format!("host-{host}.example"), 3389, key(host))
                        .unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 1 + 64, "{text}");
    let known_hosts = KnownHosts::open(&path).unwrap();
    for host in 0..64 {
        let keys = known_hosts.keys(&format!("host-{host}.example"), 3389).unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].fingerprint(), key(host));
    }
}

#[test]
fn of_two_keys_met_at_once_only_one_becomes_trusted() {
    for version in VERSIONS {
        let scratch = Scratch::new(&format!("race-{version:?}"));
        let path = scratch.file("known_hosts");
        let servers = [
            server("self-signed", "ec", version),
            server("ec384", "ec384", version),
        ];
        let clients: [TlsClient; 8] = std::array::from_fn(|_| tls(&patient(&path)));
        let threads: Vec<_> = clients
            .into_iter()
            .enumerate()
            .map(|(at, tls)| {
                let server = Arc::clone(&servers[at % 2]);
                thread::spawn(move || {
                    let connection = tls.connection("localhost", 3389).unwrap();
                    match handshake(connection, &server) {
                        Ok(_) => Some(at % 2),
                        Err(error) => {
                            let rejection = error.rejection().unwrap();
                            assert!(matches!(
                                rejection.reason(),
                                RejectionReason::KnownHostChanged { .. }
                            ));
                            None
                        }
                    }
                })
            })
            .collect();
        let accepted: Vec<usize> = threads
            .into_iter()
            .filter_map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(accepted.len(), 4, "{accepted:?}");
        assert!(
            accepted.iter().all(|server| *server == accepted[0]),
            "{accepted:?}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    }
}

#[cfg(unix)]
#[test]
fn a_file_replaced_while_its_lock_is_awaited_gets_the_line() {
    let scratch = Scratch::new("replaced");
    let path = scratch.file("known_hosts");
    let known_hosts = patient(&path);
    let key = Fingerprint::new([1; 32]);
    known_hosts.insert("a", 1, key).unwrap();
    let old = fs::File::open(&path).unwrap();
    old.lock().unwrap();
    let inserting = {
        let known_hosts = known_hosts.clone();
        thread::spawn(move || known_hosts.insert("b", 1, key).unwrap())
    };
    // Time to open the old file and wait for its lock. Too short a time would only make the test weaker.
    thread::sleep(Duration::from_millis(100));
    let replacement = scratch.file("known_hosts.tmp");
    fs::write(&replacement, "# edited\n").unwrap();
    fs::rename(&replacement, &path).unwrap();
    drop(old);
    assert!(inserting.join().unwrap());
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!("# edited\n[b]:1 sha256:{key}\n")
    );
    assert!(known_hosts.keys("a", 1).unwrap().is_empty());
}
