//! `ironrdp screenshot` against servers of every temper.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

#[path = "support/host.rs"]
mod host;
mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use host::{Host, Reception};
use ironrdp_connector::AcceptorConfig;
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::capability::{Input, InputFlags};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::input::{InputEvent, KeyFlags};
use ironrdp_tls::{PeerCertificate, TlsServer};
use support::{
    CONFIRM_TLS, Finished, PATIENCE, REFUSE_NLA_REQUIRED, REFUSE_TLS, answer_request, closed_port, ironrdp,
    read_png, run, scratch, screenshot, serve, stay_silent, tls_server,
};

const SIZE: &str = "--size=96x64";

/// A colour for each place, no two channels alike.
fn scene(x: u16, y: u16) -> [u8; 3] {
    let [x, _] = x.to_le_bytes();
    let [y, _] = y.to_le_bytes();
    [x.wrapping_mul(2), y.wrapping_mul(3), 255 - x]
}

/// Paints the scene and waits for the client to leave.
async fn painter(host: &mut Host) {
    host.paint(scene).await;
    host.until_left().await;
}

fn expect_picture(bytes: &[u8], width: u16, height: u16, color: impl Fn(u16, u16) -> [u8; 3]) {
    let expected: Vec<u8> = (0..height)
        .flat_map(|y| (0..width).flat_map(|x| color(x, y)).collect::<Vec<_>>())
        .collect();
    let (got_width, got_height, pixels) = read_png(bytes);
    assert_eq!((got_width, got_height), (width.into(), height.into()));
    assert!(pixels == expected, "the picture is not the one painted");
}

/// A settling time that is over at once. Enough for what a server paints in one write and never changes.
const AT_ONCE: &str = "--settle=200";

/// One in which a server that has been held up goes on all the same.
const WITH_PATIENCE: &str = "--settle=4000";

/// One that is never over: the server does something before.
const NEVER: &str = "--settle=100000";

/// Time in which a server that does nothing more has done all that it will.
const LONG_SILENCE: &str = "--timeout=8";

/// Takes a picture of a server whose certificate does not matter.
fn shoot(port: u16, arguments: &[&str]) -> (Finished, std::path::PathBuf) {
    let (mut command, file) = screenshot(port);
    command
        .args([SIZE, AT_ONCE, "--timeout=110", "--cert=dangerously-accept-any"])
        .args(arguments);
    (run(&mut command), file)
}

#[test]
fn the_picture_is_what_the_server_painted_pixel_by_pixel() {
    let port = Reception::tls().serve(painter);
    let (finished, file) = shoot(port, &["--json"]);
    let facts = finished.expect(0).json();
    expect_picture(&std::fs::read(&file).unwrap(), 96, 64, scene);
    assert_eq!(facts["protocol"], "tls");
    assert_eq!(facts["tls_version"], "1.3");
    assert_eq!(facts["desktop"], serde_json::json!({"width": 96, "height": 64}));
    assert_eq!(facts["depth"], 32);
    assert_eq!(facts["settled"], true);
    assert_eq!(facts["updates"]["bitmap"], 64);
    assert_eq!(facts["certificate"]["subject"], "CN=localhost");
    assert_eq!(facts["file"], file.display().to_string());
    assert!(facts["bytes_in"].as_u64().unwrap() > 96 * 64 * 4);
    for phase in ["dial", "negotiate", "tls", "activate"] {
        assert!(facts["phases"][phase].as_f64().unwrap() > 0.0, "{phase}");
    }
    let first = facts["first_pixels_ms"].as_f64().unwrap();
    assert!(first > 0.0 && first < facts["elapsed_ms"].as_f64().unwrap());
    // Only the picture is left, no half-written file beside it.
    let left: Vec<_> = std::fs::read_dir(file.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[test]
fn the_picture_can_go_to_standard_output() {
    let port = Reception::tls().serve(painter);
    let mut command = ironrdp();
    command
        .args([
            "screenshot",
            &format!("127.0.0.1:{port}"),
            "-u",
            "alice",
            "-o",
            "-",
            SIZE,
            AT_ONCE,
        ])
        .arg("--cert=dangerously-accept-any");
    expect_picture(&run(&mut command).expect(0).stdout, 96, 64, scene);
}

#[test]
fn the_most_talkative_log_of_a_login_does_not_hold_the_password() {
    let port = Reception::tls().serve(painter);
    let (finished, _) = shoot(port, &["-vvv", "--domain=LAB"]);
    // `run` looks for the password.
    assert!(finished.expect(0).stderr.contains("TRACE"));
}

#[test]
fn text_is_typed_as_keys_after_the_first_picture_and_seen_in_the_second() {
    let (typed, all_typed) = mpsc::channel();
    let port = Reception::tls().serve(async move |host: &mut Host| {
        host.paint(|_, _| [1, 2, 3]).await;
        let mut keys = Vec::new();
        loop {
            let events = host.input().await;
            let enter = InputEvent::key_released(0x1c, false);
            let ended = events.is_empty() || events.contains(&enter);
            keys.extend(events);
            if ended {
                break;
            }
        }
        typed.send(keys).unwrap();
        host.paint(scene).await;
        host.until_left().await;
    });
    let (finished, file) = shoot(port, &["--type", "aZ\n", WITH_PATIENCE]);
    finished.expect(0);
    expect_picture(&std::fs::read(file).unwrap(), 96, 64, scene);
    let keys: Vec<(bool, u8)> = all_typed
        .recv_timeout(PATIENCE)
        .unwrap()
        .into_iter()
        .filter_map(|event| match event {
            InputEvent::Scancode { flags, code } => Some((!flags.contains(KeyFlags::RELEASE), code)),
            _ => None,
        })
        .collect();
    let expected = [
        (true, 0x1e),
        (false, 0x1e),
        (true, 0x2a),
        (true, 0x2c),
        (false, 0x2c),
        (false, 0x2a),
        (true, 0x1c),
        (false, 0x1c),
    ];
    assert_eq!(keys, expected);
}

#[test]
fn a_character_on_no_key_is_refused_if_the_server_takes_only_keys() {
    let flags = InputFlags::SCANCODES | InputFlags::FASTPATH_INPUT2;
    let config = AcceptorConfig::new().with_capability(Input {
        flags,
        keyboard: None,
    });
    let port = Reception {
        config: config.into(),
        ..Reception::tls()
    }
    .serve(painter);
    let (finished, file) = shoot(port, &["--type", "Grüße"]);
    let finished = finished.expect(7);
    assert!(
        finished.stderr.contains('ü') && finished.stderr.contains("hint: "),
        "{}",
        finished.stderr
    );
    assert!(!file.exists());
}

#[test]
fn a_desktop_that_changes_its_size_is_pictured_in_the_new_one() {
    let port = Reception::tls().serve(async |host: &mut Host| {
        host.paint(|_, _| [9, 9, 9]).await;
        host.resize(DesktopSize::new(120, 40).unwrap()).await;
        host.paint(scene).await;
        host.until_left().await;
    });
    let (finished, file) = shoot(port, &["--json", WITH_PATIENCE]);
    let facts = finished.expect(0).json();
    assert_eq!(facts["desktop"], serde_json::json!({"width": 120, "height": 40}));
    assert_eq!(facts["updates"]["reactivations"], 1);
    expect_picture(&std::fs::read(file).unwrap(), 120, 40, scene);
}

#[test]
fn a_screen_that_never_holds_still_is_pictured_with_a_warning() {
    let port = Reception::tls().serve(async |host: &mut Host| {
        for shade in (0..=255).cycle() {
            host.paint(|_, _| [shade, 0, 0]).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    // Not even when the server is held up for seconds is there quiet.
    let (finished, file) = shoot(port, &["--settle=7000", LONG_SILENCE, "--json"]);
    let finished = finished.expect(0);
    assert!(finished.stderr.starts_with("warning: "), "{}", finished.stderr);
    assert_eq!(finished.json()["settled"], false);
    assert!(file.exists());
}

#[test]
fn a_screen_that_stays_blank_times_out() {
    let port = Reception::tls().serve(async |host: &mut Host| host.until_left().await);
    let (finished, file) = shoot(port, &[LONG_SILENCE]);
    let finished = finished.expect(4);
    assert!(finished.stderr.contains("first pixels"), "{}", finished.stderr);
    assert!(!file.exists());
}

#[test]
fn a_session_that_the_server_ends_says_why() {
    let cases = [
        (ErrorInfo::LOGOFF_BY_USER, 7, "LOGOFF_BY_USER"),
        (
            ErrorInfo::SERVER_INSUFFICIENT_PRIVILEGES,
            6,
            "hint: the user needs the right",
        ),
        (
            ErrorInfo::DISCONNECTED_BY_OTHER_CONNECTION,
            7,
            "hint: another client",
        ),
    ];
    for (reason, code, word) in cases {
        let port = Reception::tls().serve(async move |host: &mut Host| {
            host.paint(scene).await;
            host.dismiss(reason).await;
        });
        let (finished, file) = shoot(port, &[NEVER]);
        let finished = finished.expect(code);
        assert!(finished.stderr.contains(word), "{}", finished.stderr);
        assert!(
            finished.stderr.contains(&format!("127.0.0.1:{port}: session: ")),
            "{}",
            finished.stderr
        );
        assert!(!file.exists());
    }
}

#[test]
fn a_user_who_may_not_enter_is_told_apart_from_a_server_that_refuses() {
    let port = Reception {
        open: false,
        ..Reception::tls()
    }
    .serve(painter);
    let (finished, _) = shoot(port, &[]);
    finished.expect(6);
}

#[test]
fn a_session_that_breaks_off_is_a_network_failure() {
    let port = Reception::tls().serve(async |host: &mut Host| host.paint(scene).await);
    let (finished, file) = shoot(port, &[NEVER]);
    finished.expect(3);
    assert!(!file.exists());
}

#[test]
fn malformed_data_in_the_session_is_the_servers_fault() {
    let port = Reception::tls().serve(async |host: &mut Host| {
        host.paint(scene).await;
        // A fast-path bitmap update whose rectangle announces more than there is.
        host.write(&[0, 9, 0x01, 4, 0, 1, 0, 1, 0]).await;
        host.until_left().await;
    });
    let (finished, _) = shoot(port, &[NEVER]);
    let finished = finished.expect(8);
    assert!(finished.stderr.contains("malformed"), "{}", finished.stderr);
}

#[test]
fn without_tls_there_is_no_session_unless_asked_for_by_name() {
    let plain = Reception {
        config: AcceptorConfig::new().dangerously_require_plain().into(),
        tls: None,
        open: true,
    };
    let port = plain.serve(painter);
    for unasked in [&[][..], &["--security=auto"], &["--security=tls"]] {
        let (finished, _) = shoot(port, unasked);
        let finished = finished.expect(7);
        assert!(finished.stderr.contains("hint: ") && finished.stderr.contains("dangerously-plain"));
    }
    let (finished, file) = shoot(port, &["--security=dangerously-plain", "--json"]);
    let facts = finished.expect(0).json();
    assert_eq!(facts["protocol"], "rdp");
    assert!(facts["certificate"].is_null() && facts["tls_version"].is_null());
    expect_picture(&std::fs::read(file).unwrap(), 96, 64, scene);
}

#[test]
fn a_self_signed_certificate_is_rejected_with_the_pin_that_would_accept_it() {
    let port = Reception::tls().serve(painter);
    let (mut command, file) = screenshot(port);
    command.args([SIZE, AT_ONCE]);
    let finished = run(&mut command).expect(5);
    let tls = tls_server("self-signed.pem", "ec.key.pem");
    let certificate = PeerCertificate::from_der(tls.certificate()).unwrap();
    let pin = format!("pin:{}", certificate.public_key_sha256());
    assert!(
        finished.stderr.contains(&format!("--cert {pin}")),
        "{}",
        finished.stderr
    );
    assert!(
        finished.stderr.contains("--cert known-hosts"),
        "{}",
        finished.stderr
    );
    assert!(!file.exists());
    for pin in [pin, format!("pin:{:#}", certificate.sha256())] {
        let (finished, _) = shoot(port, &["--cert", &pin]);
        finished.expect(0);
    }
    let other = format!("pin:{}", "00".repeat(32));
    let (finished, _) = shoot(port, &["--cert", &other]);
    assert!(
        finished
            .expect(5)
            .stderr
            .contains("hint: someone may be in between")
    );
}

#[test]
fn a_known_host_is_trusted_once_and_a_changed_key_refused() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (first, second): (TlsServer, TlsServer) = (
        tls_server("self-signed.pem", "ec.key.pem"),
        tls_server("windows.pem", "rsa.key.pem"),
    );
    let (known, port) = (scratch().join("hosts"), address.port());
    let policy = format!("--cert=known-hosts:{}", known.display());
    // The server is set up anew after two clients.
    let answers = std::sync::Mutex::new([first.clone(), first, second].into_iter());
    let served = std::sync::Arc::new(answers);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tls = served.lock().unwrap().next().unwrap();
            let inner = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let target = inner.local_addr().unwrap();
            Reception {
                tls: Some(tls),
                ..Reception::tls()
            }
            .serve_on(inner, painter);
            relay(stream, TcpStream::connect(target).unwrap());
        }
    });
    for _ in 0..2 {
        let (finished, _) = shoot(port, &[&policy]);
        finished.expect(0);
    }
    let before = std::fs::read_to_string(&known).unwrap();
    let (finished, _) = shoot(port, &[&policy]);
    let finished = finished.expect(5);
    let line = before.lines().position(|line| line.starts_with('[')).unwrap() + 1;
    assert!(finished.stderr.contains("has changed"), "{}", finished.stderr);
    assert!(
        finished
            .stderr
            .contains(&format!("remove line {line} of {}", known.display())),
        "{}",
        finished.stderr
    );
    assert_eq!(std::fs::read_to_string(&known).unwrap(), before);
}

/// Copies both ways until one side ends.
fn relay(mut near: TcpStream, mut far: TcpStream) {
    let (mut near2, mut far2) = (near.try_clone().unwrap(), far.try_clone().unwrap());
    let copy = |from: &mut TcpStream, to: &mut TcpStream| {
        drop(std::io::copy(from, to));
        drop(to.shutdown(std::net::Shutdown::Write));
    };
    std::thread::spawn(move || copy(&mut near2, &mut far2));
    std::thread::spawn(move || copy(&mut far, &mut near));
}

#[test]
fn a_broken_known_hosts_file_is_a_failure_on_this_side() {
    let known = scratch().join("hosts");
    std::fs::write(&known, "this is no line of it\n").unwrap();
    let policy = format!("--cert=known-hosts:{}", known.display());
    let (finished, _) = shoot(closed_port(), &[&policy]);
    assert!(finished.expect(1).stderr.contains(known.to_str().unwrap()));
}

#[test]
fn servers_that_are_no_servers_give_the_right_code_in_time() {
    let http = serve(|mut stream: TcpStream| {
        let _asked = stream.read(&mut [0; 1024])?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<h1>400</h1>")
    });
    let malformed = serve(|stream: TcpStream| {
        let mut wrong = CONFIRM_TLS;
        wrong[4] = 0x7e; // X.224 says more than the TPKT holds
        stay_silent(answer_request(stream, &wrong)?)
    });
    // In one packet with the answer, which is before TLS began, and as an answer to the first message of TLS.
    let talks_on = serve(|stream: TcpStream| {
        let stream = answer_request(stream, &[&CONFIRM_TLS[..], b"this is not TLS at all"].concat())?;
        stay_silent(stream)
    });
    let no_tls = serve(|stream: TcpStream| {
        let mut stream = answer_request(stream, &CONFIRM_TLS)?;
        let _hello = stream.read(&mut [0; 4096])?;
        stream.write_all(b"this is not TLS at all")?;
        stay_silent(stream)
    });
    let cases = [
        ("closed", closed_port(), 3, "dial"),
        ("hangs up", serve(|_| Ok(())), 3, "negotiate"),
        ("silent", serve(stay_silent), 4, "negotiate"),
        (
            "silent in TLS",
            serve(|stream| stay_silent(answer_request(stream, &CONFIRM_TLS)?)),
            4,
            "tls",
        ),
        (
            "requires NLA",
            serve(|stream| stay_silent(answer_request(stream, &REFUSE_NLA_REQUIRED)?)),
            7,
            "negotiate",
        ),
        (
            "has no TLS",
            serve(|stream| stay_silent(answer_request(stream, &REFUSE_TLS)?)),
            7,
            "negotiate",
        ),
        ("http", http, 8, "negotiate"),
        ("malformed", malformed, 8, "negotiate"),
        ("talks on before TLS", talks_on, 8, "tls"),
        ("no TLS after it said so", no_tls, 8, "tls"),
    ];
    let check = |(name, port, code, phase): (&str, u16, i32, &str)| {
        // Only silence has to be waited for; everybody else has said enough.
        let timeout = if code == 4 { LONG_SILENCE } else { "--timeout=110" };
        let (finished, file) = shoot(port, &["--security=tls", timeout]);
        let finished = finished.expect(code);
        let start = format!("error: 127.0.0.1:{port}: {phase}: ");
        assert!(finished.stderr.starts_with(&start), "{name}: {}", finished.stderr);
        let once = finished.stderr.matches(&format!(" {phase}: ")).count();
        assert_eq!(once, 1, "{name}: {}", finished.stderr);
        assert!(finished.stdout.is_empty() && !file.exists(), "{name}");
        if code != 8 || phase == "negotiate" {
            assert!(
                finished.stderr.contains("\nhint: "),
                "{name}: {}",
                finished.stderr
            );
        }
    };
    // At the same time, for the sake of those that are waited for.
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(move || check(case));
        }
    });
}

#[test]
fn a_device_is_written_to_and_not_replaced() {
    let port = Reception::tls().serve(painter);
    let mut command = ironrdp();
    command
        .args([
            "screenshot",
            &format!("127.0.0.1:{port}"),
            "-u",
            "alice",
            "-o",
            "/dev/null",
            SIZE,
            AT_ONCE,
        ])
        .arg("--cert=dangerously-accept-any");
    run(&mut command).expect(0);
    assert!(!Path::new("/dev/null").is_file());
}

#[test]
fn the_first_message_offers_what_the_user_allowed() {
    let cases = [
        #[cfg(feature = "nla")]
        ("auto", 0b1011),
        #[cfg(not(feature = "nla"))]
        ("auto", 0b0001),
        #[cfg(feature = "nla")]
        ("nla", 0b1010),
        ("tls", 0b0001),
        ("dangerously-plain", 0),
    ];
    for (security, protocols) in cases {
        let (offered, offers) = mpsc::channel();
        let port = serve(move |mut stream: TcpStream| {
            offered.send(support::read_request(&mut stream)?).unwrap();
            Ok(())
        });
        let (finished, _) = shoot(port, &["--security", security]);
        finished.expect(3);
        assert_eq!(offers.recv_timeout(PATIENCE).unwrap(), protocols, "{security}");
    }
}

#[cfg(feature = "nla")]
#[test]
fn a_server_without_nla_is_refused_when_nothing_else_will_do() {
    let port = serve(|stream: TcpStream| stay_silent(answer_request(stream, &REFUSE_TLS)?));
    let (finished, _) = shoot(port, &["--security=nla"]);
    let finished = finished.expect(7);
    assert!(finished.stderr.contains("\nhint: "), "{}", finished.stderr);
}
