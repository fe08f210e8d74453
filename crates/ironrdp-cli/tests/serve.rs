//! `ironrdp serve`: what it says, whom it lets in, and how it ends.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]
// It is ended by signals.
#![cfg(unix)]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ironrdp_tls::PeerCertificate;
use support::{PASSWORD, PATIENCE, ironrdp, read_png, run, scratch, tls_server, wait};

/// A running `serve`, and what it has said so far.
struct Served {
    child: Child,
    lines: mpsc::Receiver<String>,
    said: Vec<String>,
}

impl Served {
    fn start(more: &[&str]) -> Self {
        let mut child = ironrdp()
            .env("LAB_PASSWORD", PASSWORD)
            .args(["serve", "--listen", "127.0.0.1:0", "--user", "ada"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // The test may have seen enough.
                drop(sender.send(line));
            }
        });
        Self {
            child,
            lines,
            said: Vec::new(),
        }
    }

    /// What follows `words` in the first line that has them.
    fn says(&mut self, words: &str) -> String {
        loop {
            if let Some(after) = self.said.iter().find_map(|line| Some(line.split_once(words)?.1)) {
                return after.to_owned();
            }
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.said.push(line),
                Err(_) => panic!("it never says {words:?}, but {:#?}", self.said),
            }
        }
    }

    fn address(&mut self) -> String {
        let line = self.says("serving on ");
        line.split_whitespace().next().unwrap().to_owned()
    }

    fn certificate(&mut self) -> String {
        self.says("certificate (SHA-256): ")
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end; gives the exit code and all it said.
    fn end(mut self) -> (Option<i32>, String) {
        let mut output = self.child.stdout.take().unwrap();
        let reader = thread::spawn(move || {
            let mut stdout = String::new();
            output.read_to_string(&mut stdout).map(|_| stdout)
        });
        let status = wait(&mut self.child);
        let stdout = reader.join().unwrap().unwrap();
        assert!(stdout.is_empty(), "it has no data: {stdout}");
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.said.push(line);
        }
        (status.code(), self.said.join("\n"))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `ironrdp screenshot` of what is served, with the password in the environment.
fn screenshot(served: &mut Served, more: &[&str]) -> Command {
    let mut command = ironrdp();
    command
        .args(["screenshot", &served.address(), "--user", "ada", "--cert"])
        .arg(format!("pin:{}", served.certificate()))
        .args(more)
        .arg("-o")
        .arg(scratch().join("picture.png"));
    command
}

#[test]
fn it_says_where_it_is_and_lets_in_who_knows_the_password() {
    let ways: &[&[&str]] = if cfg!(feature = "nla") {
        &[
            &["--security", "auto"],
            &["--security", "nla"],
            &["--security", "tls"],
        ]
    } else {
        &[&[]]
    };
    for way in ways {
        let options = [
            "--password-env",
            "LAB_PASSWORD",
            "--fps",
            "1",
            "--size",
            "320x200",
        ];
        let mut served = Served::start(&[&options, *way].concat());
        assert!(!served.address().ends_with(":0"), "the port that it found");
        let finished = run(screenshot(&mut served, &["--json"]).args(["--settle", "50"])).expect(0);
        assert_eq!(
            (
                &finished.json()["desktop"]["width"],
                &finished.json()["desktop"]["height"]
            ),
            (&320.into(), &200.into())
        );
        served.says("ada is here");
        let refused = run(screenshot(&mut served, &[]).env("IRONRDP_PASSWORD", "wrong")).expect(6);
        assert!(refused.stderr.contains("error: "), "{}", refused.stderr);
        served.signal("TERM");
        let (code, said) = served.end();
        assert_eq!(code, Some(0), "{said}");
        assert!(!said.contains(PASSWORD), "{said}");
    }
}

#[test]
fn without_a_password_it_makes_one_up_and_says_it() {
    let mut served = Served::start(&["--fps", "1"]);
    let password = served.says("password: ");
    assert_eq!(password.len(), 20, "{password}");
    run(screenshot(&mut served, &["--settle", "50"]).env("IRONRDP_PASSWORD", &password)).expect(0);
}

#[test]
fn either_signal_ends_it_in_order_and_its_clients_are_told() {
    for signal in ["TERM", "INT"] {
        let mut served = Served::start(&["--password-env", "LAB_PASSWORD", "--fps", "20"]);
        // Things move, so this one never sees the screen hold still.
        let mut staying = screenshot(&mut served, &["--settle", "100000", "--timeout", "110"]);
        let staying = thread::spawn(move || run(&mut staying));
        served.says("ada is here");
        served.signal(signal);
        let (code, said) = served.end();
        assert_eq!(code, Some(0), "SIG{signal}: {said}");
        let client = staying.join().unwrap().expect(7);
        assert!(client.stderr.contains("the server ended it"), "{}", client.stderr);
    }
}

/// The picture that a client gets, as red, green and blue.
fn picture(served: &mut Served) -> (u32, u32, Vec<u8>) {
    let mut command = screenshot(served, &["--settle", "200", "--timeout", "110"]);
    // The last one counts.
    command.args(["-o", "-"]);
    read_png(&run(&mut command).expect(0).stdout)
}

#[test]
fn a_picture_is_mirrored_and_again_when_its_file_has_changed() {
    // Grey, and with colours and transparency, which is not looked at.
    let first: Vec<u8> = (0..60 * 40).map(|at: u32| at.to_le_bytes()[0]).collect();
    let second: Vec<u8> = (0..75 * 30)
        .flat_map(|at: u32| {
            let [low, high, ..] = at.to_le_bytes();
            [low, 255 - low, high * 9, low]
        })
        .collect();
    let (file, half) = (scratch().join("shown.png"), scratch().join("half.png"));
    let write = |size: (u32, u32), color, data: &[u8]| {
        let mut encoder = png::Encoder::new(fs::File::create(&half).unwrap(), size.0, size.1);
        encoder.set_color(color);
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        // Whole in an instant, as programs should that write what others read.
        fs::rename(&half, &file).unwrap();
    };
    write((60, 40), png::ColorType::Grayscale, &first);
    let mut served = Served::start(&[
        "--password-env",
        "LAB_PASSWORD",
        "--mirror-png",
        file.to_str().unwrap(),
    ]);
    let grey: Vec<u8> = first.iter().flat_map(|level| [*level; 3]).collect();
    let before = (60, 40, grey);
    assert!(picture(&mut served) == before, "the first picture");

    write((75, 30), png::ColorType::Rgba, &second);
    let seen = second
        .as_chunks::<4>()
        .0
        .iter()
        .flat_map(|[r, g, b, _]| [*r, *g, *b]);
    let after = (75, 30, seen.collect());
    let started = Instant::now();
    loop {
        let shown = picture(&mut served);
        if shown == after {
            break;
        }
        assert!(shown == before, "a picture that is in neither file");
        assert!(started.elapsed() < PATIENCE, "it never shows the changed file");
    }

    // What is no picture changes nothing.
    fs::write(&file, "this is no picture").unwrap();
    thread::sleep(Duration::from_millis(1_500));
    assert!(picture(&mut served) == after, "the last picture there was");
}

#[test]
fn a_certificate_of_ones_own_is_shown_to_clients() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let path = |name: &str| data.join(name).to_str().unwrap().to_owned();
    let mut served = Served::start(&[
        "--password-env",
        "LAB_PASSWORD",
        "--fps",
        "0",
        "--cert",
        &path("windows.pem"),
        "--key",
        &path("rsa.key.pem"),
    ]);
    let tls = tls_server("windows.pem", "rsa.key.pem");
    let expected = PeerCertificate::from_der(tls.certificate()).unwrap().sha256();
    assert_eq!(served.certificate(), expected.to_string());
    // Pinned, so that a client with another certificate before it would not come in.
    run(&mut screenshot(&mut served, &["--settle", "200"])).expect(0);
    let other = format!("pin:{}", "00".repeat(32));
    run(&mut screenshot(&mut served, &["--cert", &other])).expect(5);
}

#[test]
fn wrong_usage_is_refused_before_anything_is_bound() {
    let missing = scratch().join("missing");
    let missing = missing.to_str().unwrap();
    let calls: [(&[&str], &str); 9] = [
        (&["--size", "0x600"], "from 1 to 8192"),
        (&["--size", "800x8193"], "from 1 to 8192"),
        (&["--size", "800"], "1024x768"),
        (&["--fps", "241"], "240"),
        (&["--password-env", "NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE"),
        (&["--cert", missing], "--key"),
        (&["--cert", missing, "--key", missing], "missing"),
        (&["--mirror-png", missing], "missing"),
        (&["--listen", "localhost"], "--listen"),
    ];
    for (call, word) in calls {
        let finished = run(ironrdp().arg("serve").args(call)).expect(2);
        assert!(finished.stderr.contains(word), "{call:?}: {}", finished.stderr);
        assert!(!finished.stderr.contains("serving on"), "{call:?}");
    }
}

#[test]
fn a_port_that_is_taken_is_a_failure_of_the_network_and_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let finished = run(ironrdp().args(["serve", "--listen", &address])).expect(3);
    assert!(finished.stderr.contains(&address), "{}", finished.stderr);
}
