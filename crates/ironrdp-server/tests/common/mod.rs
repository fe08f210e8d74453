//! A server and clients on loopback.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ironrdp_connector::{Config, Credentials};
use ironrdp_core::encode_vec;
use ironrdp_graphics::{Framebuffer, Rect};
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::input::ToggleFlags;
use ironrdp_pdu::x224::{ConnectionRequest, SecurityProtocol};
use ironrdp_server::{
    Account, Button, Canvas, Client, Input, Screen, Seat, Server, ServerConfig, ServerHandle, WheelAxis,
    self_signed,
};
use ironrdp_session::Event;
use ironrdp_tls::{CertificatePolicy, Fingerprint, Pin};
use ironrdp_tokio::{Connect, ConnectConfig, Connected, ServerAddr, Session};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, DuplexStream};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

pub(crate) const USER: &str = "ada";
pub(crate) const PASSWORD: &str = "lovelace";
/// After so long a test has failed. No test depends on anything being faster.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type ClientSession<T = TcpStream> = Session<Framebuffer, T>;

/// What users did, as text.
pub(crate) type Log = Arc<Mutex<Vec<String>>>;

pub(crate) struct Recorder(pub(crate) Log);

impl Recorder {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }
}

impl Input for Recorder {
    fn key(&mut self, code: u8, extended: bool, pressed: bool) {
        self.note(format!("key {code:#04x} {extended} {pressed}"));
    }

    fn unicode(&mut self, unit: u16, pressed: bool) {
        self.note(format!("unicode {unit:#06x} {pressed}"));
    }

    fn pointer_moved(&mut self, x: u16, y: u16) {
        self.note(format!("at {x},{y}"));
    }

    fn button(&mut self, button: Button, pressed: bool) {
        self.note(format!("{button:?} {pressed}"));
    }

    fn wheel(&mut self, axis: WheelAxis, rotation: i16) {
        self.note(format!("{axis:?} {rotation}"));
    }

    fn synchronize(&mut self, toggles: ToggleFlags) {
        self.note(format!("locks {:#x}", toggles.bits()));
    }
}

/// A server with one canvas that everybody sees, and what everybody does.
pub(crate) struct TestServer {
    pub(crate) address: ServerAddr,
    pub(crate) port: u16,
    pub(crate) canvas: Arc<Canvas>,
    pub(crate) screen: Screen,
    pub(crate) log: Log,
    pub(crate) handle: ServerHandle,
    pub(crate) pin: Pin,
    pub(crate) running: JoinHandle<()>,
    pub(crate) clients: Arc<Mutex<Vec<Client>>>,
}

pub(crate) fn size(width: u16, height: u16) -> DesktopSize {
    DesktopSize::new(width, height).unwrap()
}

impl TestServer {
    pub(crate) async fn start(size: DesktopSize) -> Self {
        Self::start_with(size, |config| config).await
    }

    pub(crate) async fn start_with(
        size: DesktopSize,
        change: impl FnOnce(ServerConfig) -> ServerConfig,
    ) -> Self {
        let log = Log::default();
        let recorder = {
            let log = Arc::clone(&log);
            move || Box::new(Recorder(Arc::clone(&log))) as Box<dyn Input>
        };
        Self {
            log,
            ..Self::start_for(size, change, recorder).await
        }
    }

    /// A server whose input goes elsewhere, and not to the log.
    pub(crate) async fn start_for(
        size: DesktopSize,
        change: impl FnOnce(ServerConfig) -> ServerConfig,
        input: impl Fn() -> Box<dyn Input> + Send + Sync + 'static,
    ) -> Self {
        let canvas = Arc::new(Canvas::new(size).unwrap());
        paint_scene(&canvas, 1);
        let screen = Screen::new(size, Arc::clone(&canvas));
        let tls = self_signed(["localhost"]).unwrap();
        let pin = Pin::Certificate(Fingerprint::of(tls.certificate()));
        let config = change(ServerConfig::new(tls, Account::new(USER, PASSWORD)));
        let clients = Arc::<Mutex<Vec<Client>>>::default();
        let host = {
            let (screen, clients) = (screen.clone(), Arc::clone(&clients));
            move |client: &Client| {
                clients.lock().unwrap().push(client.clone());
                Some(Seat {
                    screen: screen.clone(),
                    input: input(),
                })
            }
        };
        let server = Server::bind(([127, 0, 0, 1], 0).into(), config, host)
            .await
            .unwrap();
        let port = server.local_addr().unwrap().port();
        let handle = server.handle();
        let running = tokio::spawn(server.run());
        Self {
            address: format!("127.0.0.1:{port}").parse().unwrap(),
            port,
            canvas,
            screen,
            log: Log::default(),
            handle,
            pin,
            running,
            clients,
        }
    }

    pub(crate) fn config(&self, client: Config) -> ConnectConfig {
        ConnectConfig::new(client)
            .with_certificate_policy(CertificatePolicy::pins([self.pin]))
            .unwrap()
    }

    pub(crate) async fn connect(&self) -> ClientSession {
        self.connect_as(|config| config).await
    }

    pub(crate) async fn connect_as(&self, change: impl FnOnce(Config) -> Config) -> ClientSession {
        let mut connect = Connect::new(self.address.clone(), self.config(self.client(change)));
        connect.run().await.map(into_session).unwrap()
    }

    /// A client of the user, with the desktop of the server.
    pub(crate) fn client(&self, change: impl FnOnce(Config) -> Config) -> Config {
        change(Config::new(Credentials::new(USER, PASSWORD)).with_desktop_size(self.screen.size()))
    }

    /// A connection to the server that is no socket, and holds `room` bytes each way.
    ///
    /// With it a test can have virtual time: that goes on when there is nothing else to do, and of what the kernel still has to do
    /// nobody would know.
    pub(crate) fn pipe(&self, room: usize) -> DuplexStream {
        let (near, far) = tokio::io::duplex(room);
        tokio::spawn(self.handle.serve(far, ([127, 0, 0, 1], 1).into()));
        near
    }

    pub(crate) async fn connect_over<T>(&self, stream: T) -> ClientSession<T>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let config = self.config(self.client(|config| config));
        let mut connect = Connect::over(stream, self.address.clone(), config);
        connect.run().await.map(into_session).unwrap()
    }

    /// Waits until the client shows what the canvas shows, as far as `same` sees a difference.
    pub(crate) async fn wait_for_picture<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        client: &mut ClientSession<T>,
        same: impl Fn([u8; 4], [u8; 4]) -> bool,
    ) {
        let waiting = async {
            while !pictures_match(client, &self.canvas.snapshot(), &same) {
                client.next_event().await.unwrap().expect("the session goes on");
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!(
                "the pictures never matched: {}",
                first_difference(client, &self.canvas.snapshot(), &same)
            );
        }
    }
}

pub(crate) fn into_session<T>(connected: Connected<T>) -> ClientSession<T>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    connected.into_session(Framebuffer::new(1, 1).unwrap()).unwrap()
}

pub(crate) fn exactly(server: [u8; 4], client: [u8; 4]) -> bool {
    server == client
}

pub(crate) fn pictures_match<T: AsyncRead + AsyncWrite + Unpin>(
    client: &ClientSession<T>,
    drawn: &Framebuffer,
    same: &impl Fn([u8; 4], [u8; 4]) -> bool,
) -> bool {
    let seen = client.session().pixels();
    (seen.width(), seen.height()) == (drawn.width(), drawn.height())
        && drawn
            .pixels()
            .as_chunks::<4>()
            .0
            .iter()
            .zip(seen.pixels().as_chunks::<4>().0)
            .all(|(drawn, seen)| same(*drawn, *seen))
}

fn first_difference<T: AsyncRead + AsyncWrite + Unpin>(
    client: &ClientSession<T>,
    drawn: &Framebuffer,
    same: &impl Fn([u8; 4], [u8; 4]) -> bool,
) -> String {
    let seen = client.session().pixels();
    if (seen.width(), seen.height()) != (drawn.width(), drawn.height()) {
        return format!(
            "{}x{} for {}x{}",
            seen.width(),
            seen.height(),
            drawn.width(),
            drawn.height()
        );
    }
    for y in 0..drawn.height() {
        for x in 0..drawn.width() {
            let (a, b) = (drawn.pixel(x, y).unwrap(), seen.pixel(x, y).unwrap());
            if !same(a, b) {
                return format!("{b:?} for {a:?} at {x},{y}");
            }
        }
    }
    "they do now".to_owned()
}

const fn low(value: u16) -> u8 {
    value.to_le_bytes()[0]
}

/// Gradients, flat parts and noise: something for every form of every codec.
pub(crate) fn paint_scene(canvas: &Canvas, seed: u32) {
    canvas.draw(|image| {
        let (width, height) = (image.width(), image.height());
        let mut noise = fastrand::Rng::with_seed(seed.into());
        for y in 0..height {
            for x in 0..width {
                let [a, b, c, _] = noise.u32(..).to_le_bytes();
                let colour = if x < width / 3 {
                    [low(x * 5), low(y * 3), seed.to_le_bytes()[0]]
                } else if y < height / 3 {
                    [200, 30, 60]
                } else if x > width / 3 * 2 {
                    [a, b, c]
                } else {
                    [0xff, if (x / 8 + y / 8) % 2 == 0 { 0 } else { 0xff }, 0]
                };
                image.fill(Rect::new(x, y, 1, 1), colour);
            }
        }
    });
}

/// Takes events until one is found.
pub(crate) async fn wait_for_event<T: AsyncRead + AsyncWrite + Unpin>(
    client: &mut ClientSession<T>,
    mut found: impl FnMut(&Event) -> bool,
) -> Option<Event> {
    tokio::time::timeout(PATIENCE, async {
        loop {
            match client.next_event().await {
                Ok(Some(event)) if found(&event) => return Some(event),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    })
    .await
    .expect("an event in time")
}

/// Waits until the server has closed a connection, whatever it says before.
pub(crate) async fn closed(stream: &mut (impl AsyncRead + Unpin)) {
    let mut rest = [0; 4096];
    let end = async {
        // An error is an end as well.
        while !matches!(stream.read(&mut rest).await, Ok(0) | Err(_)) {}
    };
    assert!(
        tokio::time::timeout(PATIENCE, end).await.is_ok(),
        "the server keeps the connection"
    );
}

pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = tokio::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What a client says first, and after which the server waits for TLS.
pub(crate) fn first_words() -> Vec<u8> {
    encode_vec(&ConnectionRequest::new(SecurityProtocol::SSL)).unwrap()
}

pub(crate) async fn dial(server: &TestServer) -> TcpStream {
    TcpStream::connect(("127.0.0.1", server.port)).await.unwrap()
}
