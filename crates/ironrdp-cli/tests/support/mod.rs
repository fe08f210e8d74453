//! Runs the command as a user would, against small servers inside the test.

#![allow(dead_code, reason = "each test binary uses its part of this")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use ironrdp_tls::TlsServer;

/// How long anything may take. Nothing is measured against it: what never comes, does not come in this time either.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Never printed by the command, whatever happens: `run` checks that.
pub(crate) const PASSWORD: &str = "S3cret-never-shown";

/// RDP_NEG_RSP in a connection confirm (MS-RDPBCGR 2.2.1.2.1): TLS.
pub(crate) const CONFIRM_TLS: [u8; 19] = confirm(2, 1);
/// The same with PROTOCOL_HYBRID.
pub(crate) const CONFIRM_HYBRID: [u8; 19] = confirm(2, 2);
/// The same with Standard RDP Security.
pub(crate) const CONFIRM_PLAIN: [u8; 19] = confirm(2, 0);
/// RDP_NEG_FAILURE (2.2.1.2.2): HYBRID_REQUIRED_BY_SERVER.
pub(crate) const REFUSE_NLA_REQUIRED: [u8; 19] = confirm(3, 5);
/// SSL_NOT_ALLOWED_BY_SERVER.
pub(crate) const REFUSE_TLS: [u8; 19] = confirm(3, 2);
/// SSL_REQUIRED_BY_SERVER.
pub(crate) const REFUSE_PLAIN: [u8; 19] = confirm(3, 1);

const fn confirm(kind: u8, value: u8) -> [u8; 19] {
    [
        0x03, 0x00, 0x00, 0x13, 0x0e, 0xd0, 0x00, 0x00, 0x12, 0x34, 0x00, kind, 0x00, 0x08, 0x00, value,
        0x00, 0x00, 0x00,
    ]
}

/// The command, with a home of its own and the password in the environment.
pub(crate) fn ironrdp() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ironrdp"));
    command
        .env("HOME", scratch())
        .env_remove("XDG_STATE_HOME")
        .env_remove("CLICOLOR_FORCE")
        .env("IRONRDP_PASSWORD", PASSWORD)
        .stdin(Stdio::null());
    command
}

/// `ironrdp screenshot` of a local port into a file of its own, and that file.
pub(crate) fn screenshot(port: u16) -> (Command, PathBuf) {
    let file = scratch().join("picture.png");
    let mut command = ironrdp();
    command
        .arg("screenshot")
        .arg(format!("127.0.0.1:{port}"))
        .args(["-u", "alice", "-o"])
        .arg(&file);
    (command, file)
}

/// A directory that nobody else uses.
pub(crate) fn scratch() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{}-{number}", std::process::id()));
    fs::create_dir_all(&path).unwrap();
    path
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Finished {
    /// Fails unless the exit code is `code`.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "stderr: {}", self.stderr);
        self
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap()
    }
}

/// Runs the command to its end; the password must not be in what it prints.
pub(crate) fn run(command: &mut Command) -> Finished {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let stdout = thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let stderr = thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    let status = wait(&mut child);
    let finished = Finished {
        status,
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    };
    assert!(!finished.stderr.contains(PASSWORD), "{}", finished.stderr);
    assert!(!String::from_utf8_lossy(&finished.stdout).contains(PASSWORD));
    finished
}

/// Waits for the end of a process; one that hangs is killed, and the test fails.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("the command hangs");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Width, height, and the pixels as red, green, blue.
pub(crate) fn read_png(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(
        (info.color_type, info.bit_depth),
        (png::ColorType::Rgb, png::BitDepth::Eight)
    );
    pixels.truncate(info.buffer_size());
    (info.width, info.height, pixels)
}

/// Serves each connection on a free port with `answer`, in threads that end with the test.
pub(crate) fn serve(answer: impl Fn(TcpStream) -> std::io::Result<()> + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            // The client may have gone: that is its business, and the test looks at how it ended.
            thread::spawn(move || drop(answer(stream)));
        }
    });
    port
}

/// A port of 127.0.0.1 that nobody listens on.
pub(crate) fn closed_port() -> u16 {
    closed_port_of("127.0.0.1").unwrap()
}

/// A port of this address that nobody listens on, or none if there is no such address.
pub(crate) fn closed_port_of(host: &str) -> Option<u16> {
    // The near end of a connection: as long as that lasts, the port is given to nobody else, and it does not listen.
    let listener = TcpListener::bind((host, 0)).ok()?;
    let held = TcpStream::connect(listener.local_addr().ok()?).ok()?;
    let port = held.local_addr().ok()?.port();
    std::mem::forget((listener, held));
    Some(port)
}

/// Reads the client's connection request and gives the protocols it offers.
pub(crate) fn read_request(stream: &mut TcpStream) -> std::io::Result<u32> {
    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let mut rest = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]])) - 4];
    stream.read_exact(&mut rest)?;
    let tail = rest.last_chunk::<4>().unwrap();
    Ok(u32::from_le_bytes(*tail))
}

/// Answers the connection request with these bytes, whatever was offered, and stays.
pub(crate) fn answer_request(mut stream: TcpStream, answer: &[u8]) -> std::io::Result<TcpStream> {
    read_request(&mut stream)?;
    stream.write_all(answer)?;
    Ok(stream)
}

/// Keeps the connection open and silent until the client leaves.
pub(crate) fn stay_silent(mut stream: TcpStream) -> std::io::Result<()> {
    let mut sink = [0; 4096];
    while stream.read(&mut sink)? > 0 {}
    Ok(())
}

/// The server side of TLS with one of the certificates in `tests/data`.
pub(crate) fn tls_server(certificate: &str, key: &str) -> TlsServer {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    TlsServer::from_files(data.join(certificate), data.join(key)).unwrap()
}
