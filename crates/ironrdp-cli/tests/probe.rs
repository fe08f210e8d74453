//! `ironrdp probe` against servers whose answers are known.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod support;

use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use support::{
    CONFIRM_HYBRID, CONFIRM_PLAIN, CONFIRM_TLS, PATIENCE, REFUSE_NLA_REQUIRED, REFUSE_PLAIN, REFUSE_TLS,
    closed_port, closed_port_of, ironrdp, read_request, run, serve, stay_silent, tls_server,
};

/// Answers by what is offered, and does the handshake where TLS follows.
fn server(answer: impl Fn(u32) -> [u8; 19] + Clone + Send + 'static) -> u16 {
    let tls = tls_server("self-signed.pem", "ec.key.pem");
    serve(move |mut stream: TcpStream| {
        let answer = answer(read_request(&mut stream)?);
        stream.write_all(&answer)?;
        if answer == CONFIRM_TLS || answer == CONFIRM_HYBRID {
            let mut connection = tls.connection().unwrap();
            while connection.is_handshaking() {
                connection.complete_io(&mut stream)?;
            }
            // Whoever begins to log in is hung up on: silence would be waited for.
            while matches!(connection.reader().read(&mut [0; 64]), Err(error) if error.kind() == ErrorKind::WouldBlock)
            {
                connection.read_tls(&mut stream)?;
                connection.process_new_packets().map_err(Error::other)?;
            }
            return Ok(());
        }
        stay_silent(stream)
    })
}

/// For servers that answer, however long they are held up.
const LONG: [&str; 2] = ["--timeout", "100"];

fn probe(port: u16) -> serde_json::Value {
    let server = format!("127.0.0.1:{port}");
    let finished = run(ironrdp().args(["probe", "--json", &server]).args(LONG)).expect(0);
    assert!(finished.stderr.is_empty(), "{}", finished.stderr);
    let mut json = finished.json();
    assert_eq!(json.as_array().unwrap().len(), 1);
    json[0].take()
}

#[test]
fn a_server_that_requires_nla_is_told_from_its_refusals() {
    let facts = probe(server(|offer| {
        if offer & 2 != 0 {
            CONFIRM_HYBRID
        } else {
            REFUSE_NLA_REQUIRED
        }
    }));
    assert_eq!(facts["nla_required"], true);
    assert_eq!(facts["protocols"]["nla"]["answer"], "accepted");
    assert_eq!(facts["protocols"]["nla_extended"]["answer"], "other");
    assert_eq!(facts["protocols"]["nla_extended"]["selected"], "nla");
    for refused in ["rdp", "tls"] {
        assert_eq!(facts["protocols"][refused]["answer"], "refused", "{refused}");
        assert_eq!(facts["protocols"][refused]["code"], 5, "{refused}");
    }
    // The certificate is shown before the login.
    assert_eq!(facts["certificate"]["subject"], "CN=localhost");
}

#[test]
fn certificate_versions_and_times_of_a_tls_server_are_told() {
    let port = server(|offer| if offer & 1 != 0 { CONFIRM_TLS } else { REFUSE_PLAIN });
    let facts = probe(port);
    assert_eq!(
        (&facts["host"], &facts["port"]),
        (&"127.0.0.1".into(), &port.into())
    );
    assert_eq!(facts["nla_required"], false);
    assert_eq!(facts["protocols"]["rdp"]["code"], 1);
    assert_eq!(facts["protocols"]["tls"]["answer"], "accepted");
    assert_eq!(facts["protocols"]["nla"]["selected"], "tls");
    for (index, version) in ["1.2", "1.3"].into_iter().enumerate() {
        assert_eq!(facts["tls_versions"][index]["version"], version);
        assert_eq!(facts["tls_versions"][index]["accepted"], true);
        assert!(
            facts["tls_versions"][index]["cipher_suite"]
                .as_str()
                .unwrap()
                .starts_with("TLS")
        );
    }
    let tls = tls_server("self-signed.pem", "ec.key.pem");
    let certificate = ironrdp_tls::PeerCertificate::from_der(tls.certificate()).unwrap();
    assert_eq!(facts["certificate"]["sha256"], certificate.sha256().to_string());
    assert_eq!(
        facts["certificate"]["public_key_sha256"],
        certificate.public_key_sha256().to_string()
    );
    assert_eq!(facts["certificate"]["self_signed"], true);
    assert_eq!(facts["certificate"]["valid_now"], true);
    assert!(facts["round_trip_ms"]["tcp"].as_f64().unwrap() > 0.0);
    assert!(facts["round_trip_ms"]["x224"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_server_without_tls_has_no_certificate() {
    let facts = probe(server(
        |offer| if offer == 0 { CONFIRM_PLAIN } else { REFUSE_TLS },
    ));
    assert_eq!(facts["protocols"]["rdp"]["answer"], "accepted");
    assert_eq!(facts["protocols"]["tls"]["code"], 2);
    assert!(facts["certificate"].is_null());
    assert_eq!(facts["tls_versions"].as_array().unwrap().len(), 0);
}

#[test]
fn a_server_older_than_negotiation_speaks_standard_rdp_security() {
    let port = serve(|mut stream: TcpStream| {
        read_request(&mut stream)?;
        stream.write_all(&[3, 0, 0, 11, 6, 0xd0, 0, 0, 0, 0, 0])?;
        stay_silent(stream)
    });
    let facts = probe(port);
    assert_eq!(facts["protocols"]["rdp"]["answer"], "accepted");
    assert_eq!(facts["protocols"]["tls"]["selected"], "rdp");
}

#[test]
fn a_server_that_hangs_up_on_one_question_is_asked_the_others() {
    let port = serve(|mut stream: TcpStream| {
        if read_request(&mut stream)? != 0 {
            return Ok(());
        }
        stream.write_all(&CONFIRM_PLAIN)?;
        stay_silent(stream)
    });
    let facts = probe(port);
    assert_eq!(facts["protocols"]["tls"]["answer"], "none");
    assert_eq!(facts["protocols"]["rdp"]["answer"], "accepted");
    assert!(facts["error"].is_null() && facts["nla_required"].is_null());
}

#[test]
fn a_server_that_breaks_off_tls_is_reported_without_a_certificate() {
    let port = serve(|mut stream: TcpStream| {
        read_request(&mut stream)?;
        stream.write_all(&CONFIRM_TLS)?;
        let _hello = stream.read(&mut [0; 1024])?;
        // alert: fatal, protocol_version
        stream.write_all(&[0x15, 3, 3, 0, 2, 2, 70])
    });
    let facts = probe(port);
    assert_eq!(facts["tls_versions"][0]["accepted"], false);
    assert!(
        facts["tls_versions"][0]["error"]
            .as_str()
            .unwrap()
            .contains("ProtocolVersion")
    );
    assert!(facts["certificate"].is_null());
}

#[test]
fn each_failure_has_its_exit_code_and_names_the_host() {
    let http = serve(|mut stream: TcpStream| {
        let _asked = stream.read(&mut [0; 1024])?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    });
    let cases = [
        (closed_port(), 3),
        (serve(stay_silent), 4),
        (serve(|_| Ok(())), 3),
        (http, 8),
    ];
    for (port, code) in cases {
        let server = format!("127.0.0.1:{port}");
        // Only silence has to be waited for.
        let timeout = if code == 4 { "0.5" } else { "100" };
        let finished = run(ironrdp().args(["probe", "--timeout", timeout, &server])).expect(code);
        assert!(finished.stdout.is_empty());
        assert!(
            finished.stderr.starts_with(&format!("error: {server}: ")),
            "{}",
            finished.stderr
        );
        assert!(finished.stderr.contains("\nhint: "), "{}", finished.stderr);
        let json = run(ironrdp().args(["probe", "--json", "--timeout", timeout, &server]))
            .expect(code)
            .json();
        assert_eq!(json[0]["error"]["exit_code"], code);
    }
}

#[test]
fn a_name_that_does_not_resolve_is_a_network_failure() {
    // 63 letters are the most that a question has room for, so this one is never asked.
    let name = format!("{}.invalid", "n".repeat(64));
    let finished = run(ironrdp().args(["probe", &name])).expect(3);
    assert!(finished.stderr.contains(&name), "{}", finished.stderr);
}

#[test]
fn several_servers_come_in_order_and_the_first_failure_gives_the_code() {
    let good = server(|offer| if offer & 1 != 0 { CONFIRM_TLS } else { REFUSE_PLAIN });
    let silent = serve(stay_silent);
    let closed = closed_port();
    let servers = [good, silent, closed, good].map(|port| format!("127.0.0.1:{port}"));
    // Ten seconds are for the silent one, and the others have them too. All runs at the same time, for the test's sake.
    let ask = |more: &[&str]| {
        let mut command = ironrdp();
        command
            .args(["probe", "--timeout", "10"])
            .args(more)
            .args(&servers);
        run(&mut command).expect(4)
    };
    let finished = thread::scope(|scope| {
        let one_by_one = scope.spawn(|| ask(&["--json", "--jobs", "1"]));
        let together = scope.spawn(|| ask(&["--json", "--jobs", "16"]));
        let table = ask(&[]);
        for finished in [one_by_one, together].map(|run| run.join().unwrap()) {
            let json = finished.json();
            let ports: Vec<u64> = json
                .as_array()
                .unwrap()
                .iter()
                .map(|host| host["port"].as_u64().unwrap())
                .collect();
            assert_eq!(ports, [good, silent, closed, good].map(u64::from));
            assert!(json[3]["error"].is_null());
        }
        table
    });
    let table = String::from_utf8(finished.stdout).unwrap();
    assert_eq!(table.matches("  NLA required   no\n").count(), 2, "{table}");
    assert_eq!(
        finished.stderr.matches("error: ").count(),
        2,
        "{}",
        finished.stderr
    );
}

#[test]
fn jobs_bound_how_many_servers_are_asked_at_once() {
    /// Who is being asked now, and the most there were at the same time.
    #[derive(Default)]
    struct Guests {
        now: usize,
        most: usize,
    }

    let guests = Arc::new((Mutex::new(Guests::default()), Condvar::new()));
    let gate = Arc::clone(&guests);
    let port = serve(move |mut stream: TcpStream| {
        read_request(&mut stream)?;
        let (guests, came) = &*gate;
        let mut here = guests.lock().unwrap();
        here.now += 1;
        here.most = here.most.max(here.now);
        came.notify_all();
        // Nobody leaves before two have been here together; who is one too many has a moment to show up.
        let alone = |here: &mut Guests| here.most < 2;
        let (here, _) = came.wait_timeout_while(here, PATIENCE / 4, alone).unwrap();
        drop(here);
        thread::sleep(Duration::from_millis(30));
        // The next one comes when this one has been hung up on, so it is not counted with it.
        guests.lock().unwrap().now -= 1;
        Ok(())
    });
    let servers = vec![format!("127.0.0.1:{port}"); 6];
    run(ironrdp().args(["probe", "--jobs", "2"]).args(LONG).args(&servers)).expect(3);
    assert_eq!(guests.0.lock().unwrap().most, 2);
}

#[test]
fn an_address_in_brackets_is_understood() {
    let Some(port) = closed_port_of("::1") else {
        return; // a machine without IPv6
    };
    let finished = run(ironrdp().args(["probe", &format!("[::1]:{port}")])).expect(3);
    assert!(
        finished.stderr.contains(&format!("[::1]:{port}: ")),
        "{}",
        finished.stderr
    );
}
