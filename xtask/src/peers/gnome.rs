//! gnome-remote-desktop on a headless mutter: network level authentication only.

use std::process::Command;
use std::time::Duration;

use crate::fail::{Context, Outcome};
use crate::install::{PASSWORD, USER, set_mode};
use crate::lab::{Certificate, Lab};
use crate::process::{Daemon, run_ok, wait_for};
use crate::scene::{HEIGHT, WIDTH};

/// A running gnome-remote-desktop with everything under it.
#[derive(Debug)]
pub(crate) struct Gnome {
    pub(crate) port: u16,
    // Dropped in this order: from the top down.
    _server: Daemon,
    _mutter: Daemon,
    _wireplumber: Daemon,
    _pipewire: Daemon,
    _bus: Daemon,
}

impl Gnome {
    /// Starts it on `port`. It listens on every address and cannot be told
    /// otherwise: the run must have a network of its own.
    pub(crate) fn start(lab: &Lab, port: u16, certificate: &Certificate) -> Outcome<Self> {
        let runtime = lab.path("run-gnome");
        let home = lab.path("home-gnome");
        for directory in [&runtime, &home] {
            std::fs::create_dir(directory).context(directory.display())?;
            set_mode(directory, 0o700)?;
        }
        let bus_socket = runtime.join("bus");
        let address = format!("unix:path={}", bus_socket.display());
        let command = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            command
                .args(arguments)
                .env("HOME", &home)
                .env("XDG_RUNTIME_DIR", &runtime)
                .env("XDG_CONFIG_HOME", home.join(".config"))
                .env("XDG_DATA_HOME", home.join(".local/share"))
                .env("DBUS_SESSION_BUS_ADDRESS", &address)
                // dconf would need a service of its own.
                .env("GSETTINGS_BACKEND", "keyfile")
                .env("XDG_SESSION_TYPE", "wayland")
                .env("XDG_CURRENT_DESKTOP", "GNOME")
                .env("LIBGL_ALWAYS_SOFTWARE", "1")
                .env_remove("DISPLAY")
                .env_remove("WAYLAND_DISPLAY");
            command
        };
        let start = |program: &str, arguments: &[&str], socket: Option<&str>| {
            let log = lab.log(&format!(
                "gnome-{}",
                program.rsplit('/').next().unwrap_or(program)
            ));
            let daemon = Daemon::spawn(program, &mut command(program, arguments), &log)?;
            if let Some(socket) = socket {
                let socket = runtime.join(socket);
                wait_for(program, Duration::from_secs(20), || {
                    Ok(socket.exists().then_some(()))
                })?;
            }
            Outcome::Ok(daemon)
        };
        let bus = start(
            "dbus-daemon",
            &["--session", "--nofork", &format!("--address={address}")],
            Some("bus"),
        )?;
        let pipewire = start("pipewire", &[], Some("pipewire-0"))?;
        let wireplumber = start("wireplumber", &[], None)?;
        let monitor = format!("{WIDTH}x{HEIGHT}");
        let mutter = start(
            "mutter",
            &[
                "--headless",
                "--wayland",
                "--no-x11",
                "--virtual-monitor",
                &monitor,
            ],
            Some("wayland-0"),
        )?;
        let file = |path: &std::path::Path| path.display().to_string();
        for words in [
            vec!["set-tls-cert".to_owned(), file(&certificate.certificate)],
            vec!["set-tls-key".to_owned(), file(&certificate.key)],
            vec!["set-credentials".to_owned(), USER.to_owned(), PASSWORD.to_owned()],
            vec!["disable-view-only".to_owned()],
            vec!["enable".to_owned()],
        ] {
            let mut grdctl = command("grdctl", &["--headless", "rdp"]);
            run_ok(grdctl.args(words), Duration::from_secs(20))?;
        }
        let mut server = start(
            "/usr/libexec/gnome-remote-desktop-daemon",
            &["--headless", "--rdp-port", &port.to_string()],
            None,
        )?;
        server.wait_for_port(port, Duration::from_secs(20))?;
        Ok(Self {
            port,
            _server: server,
            _mutter: mutter,
            _wireplumber: wireplumber,
            _pipewire: pipewire,
            _bus: bus,
        })
    }
}
