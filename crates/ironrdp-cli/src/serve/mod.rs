//! `serve`: a server with a desktop of its own.

mod clock;
mod desktop;
mod scenery;
mod sheet;
mod visitor;

use std::fs::{self, File};
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

#[cfg(feature = "nla")]
use clap::ValueEnum;
use clap::{Args, ValueHint};
#[cfg(feature = "nla")]
use ironrdp_connector::Keytab;
use ironrdp_graphics::Framebuffer;
use ironrdp_pdu::DesktopSize;
use ironrdp_server::{Account, Client, Screen, Seat, Server, ServerConfig, self_signed};
use ironrdp_tls::{Fingerprint, TlsServer};
use tokio::signal::ctrl_c;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use crate::exit::{Exit, Failure, Outcome};
use crate::{args, output, password};
use desktop::Desktop;
use visitor::Visitor;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Listen here; other machines can connect only if this is not a loopback address
    #[arg(short, long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:3389")]
    listen: SocketAddr,

    /// Make the desktop this large. Without it, it takes the size that the client who came last asked for
    #[arg(long, value_name = "WxH", value_parser = args::parse_size)]
    size: Option<DesktopSize>,

    /// Let things move so many times a second; 0 for a desktop on which nothing does
    #[arg(long, value_name = "N", default_value = "25", value_parser = clap::value_parser!(u32).range(0..=240))]
    fps: u32,

    /// Let in this user
    #[arg(short, long, default_value = "demo")]
    user: String,

    /// Take the password from this environment variable; without it one is made up and shown
    #[arg(long, value_name = "VARIABLE")]
    password_env: Option<String>,

    /// Show this certificate (PEM, issuers behind it); without it one is made up
    #[arg(long, value_name = "FILE.pem", requires = "key", value_hint = ValueHint::FilePath)]
    cert: Option<PathBuf>,

    /// The private key of the certificate (PEM)
    #[arg(long, value_name = "FILE.pem", requires = "cert", value_hint = ValueHint::FilePath)]
    key: Option<PathBuf>,

    /// How clients must log in
    #[cfg(feature = "nla")]
    #[arg(long, value_enum, default_value_t = Login::Auto)]
    security: Login,

    /// Also let in whoever has a Kerberos ticket for one of the services in this keytab, as TERMSRV/host.example.com
    #[cfg(feature = "nla")]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    keytab: Option<PathBuf>,

    /// Also let in clients with CredSSP older than May 2018, such as rdesktop; an attacker in the middle can make use of
    /// their logins
    #[cfg(feature = "nla")]
    #[arg(long)]
    dangerously_allow_old_nla: bool,

    /// Show this picture in place of the built-in desktop, and again whenever the file changes. Without --size the desktop
    /// is as large as the picture
    #[arg(long, value_name = "FILE.png", value_hint = ValueHint::FilePath)]
    mirror_png: Option<PathBuf>,

    /// Keep the last 400 characters that clients have typed in this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    typed_to: Option<PathBuf>,
}

/// How `--security` may be given.
#[cfg(feature = "nla")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Login {
    /// By network level authentication if they can, else over TLS
    Auto,
    /// By network level authentication
    Nla,
    /// Over TLS, without network level authentication
    Tls,
}

/// Everything that could be wrong has been looked at.
#[derive(Debug)]
pub(crate) struct Job {
    #[cfg(feature = "nla")]
    keytab: Option<Keytab>,
    args: ServeArgs,
    tls: TlsServer,
    password: String,
    made_up: bool,
    mirror: Option<Mirror>,
}

/// A picture file and what of it was seen.
struct Mirror {
    path: PathBuf,
    modified: Option<SystemTime>,
    first: Option<Framebuffer>,
}

impl std::fmt::Debug for Mirror {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mirror")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

pub(crate) fn prepare(args: ServeArgs) -> Result<Job, Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    let (password, made_up) = match &args.password_env {
        Some(variable) => match std::env::var(variable) {
            Ok(password) if !password.is_empty() => (password, false),
            _ => return Err(usage(format!("the variable {variable} holds no password"))),
        },
        None => (password::random()?, true),
    };
    let tls = match (&args.cert, &args.key) {
        (Some(certificate), Some(key)) => {
            TlsServer::from_files(certificate, key).map_err(|error| usage(error.to_string()))?
        }
        _ => self_signed(["localhost"]).map_err(Failure::local)?,
    };
    let mirror = match &args.mirror_png {
        Some(path) => Some(Mirror {
            modified: modified(path),
            first: Some(read_png(path).map_err(|error| usage(format!("{}: {error}", path.display())))?),
            path: path.clone(),
        }),
        None => None,
    };
    if let Some(path) = &args.typed_to {
        fs::write(path, "").map_err(|error| usage(format!("{}: {error}", path.display())))?;
    }
    #[cfg(feature = "nla")]
    let keytab = match &args.keytab {
        Some(_) if args.security == Login::Tls => {
            return Err(usage(
                "Kerberos is part of network level authentication; use --security nla or auto".to_owned(),
            ));
        }
        Some(path) => {
            let bytes = fs::read(path).map_err(|error| usage(format!("{}: {error}", path.display())))?;
            let keytab = Keytab::from_bytes(&bytes);
            Some(keytab.map_err(|error| usage(format!("{}: {error}", path.display())))?)
        }
        None => None,
    };
    Ok(Job {
        #[cfg(feature = "nla")]
        keytab,
        args,
        tls,
        password,
        made_up,
        mirror,
    })
}

/// What a client gets that comes before any other has said a size.
const FIRST_SIZE: DesktopSize = match DesktopSize::new(1024, 768) {
    Some(size) => size,
    None => unreachable!(),
};

impl Job {
    pub(crate) async fn run(mut self) -> Outcome {
        let picture = self.mirror.as_mut().and_then(|mirror| mirror.first.take());
        let pictured = picture.as_ref().and_then(size_of);
        let fixed = self.args.size.or(pictured);
        let size = fixed.unwrap_or(FIRST_SIZE);
        let desktop = Arc::new(match picture {
            None if self.args.fps > 0 => Desktop::new(size),
            picture => Desktop::still(size, picture),
        });
        let screen = Screen::new(size, Arc::clone(&desktop));
        let certificate = Fingerprint::of(self.tls.certificate());
        let account = Account::new(self.args.user.clone(), self.password.clone());
        let mut config =
            ServerConfig::new(self.tls.clone(), account).with_max_frame_rate(self.args.fps.max(30));
        if let Some(size) = fixed {
            config = config.with_desktop_size(size);
        }
        #[cfg(feature = "nla")]
        {
            config = match self.args.security {
                Login::Auto => config.with_nla(),
                Login::Nla => config.require_nla(),
                Login::Tls => config,
            };
            if self.args.dangerously_allow_old_nla {
                config = config.dangerously_allow_old_credssp();
            }
            if let Some(keytab) = self.keytab.take() {
                config = config.with_keytab(keytab);
            }
        }
        let host = {
            let (desktop, screen) = (Arc::clone(&desktop), screen.clone());
            move |client: &Client| {
                if fixed.is_none()
                    && let Some(size) = client.desktop_size
                {
                    desktop.resize(size);
                    screen.resize(size);
                }
                let came = client.came_back_to.map_or("is here", |_| "is back");
                output::note(&format!("{} {came}, from {}", client.user_name, client.address));
                let visitor = Visitor {
                    desktop: Arc::clone(&desktop),
                    screen: screen.clone(),
                    name: client.user_name.clone(),
                };
                Some(Seat::new(screen.clone(), visitor))
            }
        };
        let server = Server::bind(self.args.listen, config, host)
            .await
            .map_err(|error| Failure::new(Exit::Network, format!("{}: {error}", self.args.listen)))?;
        self.announce(server.local_addr().map_err(Failure::local)?, certificate);
        let handle = server.handle();
        let moving = animate(&desktop, &screen, &self.args, self.mirror);
        let noting = note_typing(&desktop, self.args.typed_to.as_deref());
        let serving = server.run();
        tokio::pin!(serving);
        tokio::select! {
            () = &mut serving => {}
            () = moving => {}
            failed = noting => return Err(failed),
            interrupted = told_to_stop() => interrupted.map_err(Failure::local)?,
        }
        handle.shutdown();
        serving.await;
        Ok(Exit::Done)
    }

    fn announce(&self, address: SocketAddr, certificate: Fingerprint) {
        let user = &self.args.user;
        output::note(&format!("serving on {address} to {user}; Ctrl-C ends it"));
        if self.made_up {
            output::note(&format!("password: {}", self.password));
        }
        output::note(&format!("certificate (SHA-256): {certificate}"));
        output::note(&format!(
            "try: ironrdp screenshot {address} --user {user} --cert pin:{certificate} -o desktop.png"
        ));
        output::note(&format!("or:  xfreerdp /v:{address} /u:{user} /cert:ignore"));
    }
}

/// Waits for Ctrl-C, or for what a supervisor sends to end a service.
async fn told_to_stop() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminated = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = ctrl_c() => interrupted,
            _ = terminated.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    ctrl_c().await
}

/// Lets time pass on the desktop, for ever.
async fn animate(desktop: &Desktop, screen: &Screen, args: &ServeArgs, mut mirror: Option<Mirror>) {
    // Without movement there is still a file to look at.
    let fps = args.fps.max(1);
    let mut ticks = interval(Duration::from_secs(1) / fps);
    // After a pause the desktop goes on; it does not catch up.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut count = 0_u32;
    loop {
        ticks.tick().await;
        count = count.wrapping_add(1);
        if let Some(mirror) = &mut mirror
            && count.is_multiple_of(fps)
            && let Some(picture) = mirror.changed()
        {
            let size = size_of(&picture).filter(|_| args.size.is_none());
            desktop.set_picture(picture);
            if let Some(size) = size {
                desktop.resize(size);
                screen.resize(size);
            }
            screen.damage_all();
        }
        let damage = desktop.tick(SystemTime::now());
        if !damage.is_empty() {
            screen.damage_each(damage);
        }
    }
}

/// Keeps what is typed in the file, until that fails.
async fn note_typing(desktop: &Desktop, path: Option<&Path>) -> Failure {
    loop {
        desktop.typed.notified().await;
        if let Some(path) = path
            && let Err(error) = fs::write(path, desktop.text())
        {
            return Failure::new(Exit::Local, format!("{}: {error}", path.display()));
        }
    }
}

fn size_of(picture: &Framebuffer) -> Option<DesktopSize> {
    DesktopSize::new(picture.width(), picture.height())
}

impl Mirror {
    /// The picture, if the file is another than the last time.
    fn changed(&mut self) -> Option<Framebuffer> {
        let now = modified(&self.path);
        if now == self.modified {
            return None;
        }
        self.modified = now;
        match read_png(&self.path) {
            Ok(picture) => Some(picture),
            Err(error) => {
                // Perhaps it is being written: the old picture stays, and the next change is looked at again.
                tracing::debug!(path = %self.path.display(), error, "unreadable picture");
                None
            }
        }
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}

/// Reads a PNG file of any kind as pixels.
fn read_png(path: &Path) -> Result<Framebuffer, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(png::Transformations::normalize_to_color8() | png::Transformations::ALPHA);
    let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
    let side = |side: u32| {
        u16::try_from(side)
            .ok()
            .filter(|side| (1..=DesktopSize::MAX).contains(side))
            .ok_or_else(|| format!("a side of {side} pixels; 1 to {} are possible", DesktopSize::MAX))
    };
    let (width, height) = (side(reader.info().width)?, side(reader.info().height)?);
    let bytes = reader.output_buffer_size().ok_or("too large")?;
    let mut pixels = vec![0; bytes];
    let info = reader
        .next_frame(&mut pixels)
        .map_err(|error| error.to_string())?;
    let mut picture = Framebuffer::new(width, height).map_err(|error| error.to_string())?;
    let grey = info.color_type == png::ColorType::GrayscaleAlpha;
    let samples = if grey { 2 } else { 4 };
    let mut image = picture.as_image_mut();
    for (y, row) in (0..height).zip(pixels.chunks_exact(info.line_size)) {
        let Some(to) = image.row_mut(y) else { break };
        for (pixel, from) in to
            .as_chunks_mut::<4>()
            .0
            .iter_mut()
            .zip(row.chunks_exact(samples))
        {
            *pixel = match *from {
                [level, _] => [level, level, level, 0xff],
                [red, green, blue, _] => [blue, green, red, 0xff],
                _ => *pixel,
            };
        }
    }
    Ok(picture)
}
