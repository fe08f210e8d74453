//! weston with its RDP backend: the scene is its wallpaper, so every pixel is known.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::fail::{Context, Outcome};
use crate::install::set_mode;
use crate::lab::{Certificate, Lab};
use crate::process::{Daemon, wait_for};
use crate::scene::{HEIGHT, WIDTH};

/// A running weston.
#[derive(Debug)]
pub(crate) struct Weston {
    pub(crate) port: u16,
    runtime: PathBuf,
    server: Daemon,
}

impl Weston {
    /// Starts weston on `port` with this certificate; `name` tells two of them apart.
    pub(crate) fn start(lab: &Lab, name: &str, port: u16, certificate: &Certificate) -> Outcome<Self> {
        let runtime = lab.path(&format!("run-{name}"));
        // A socket left by an earlier server under this name would look like a ready one.
        if runtime.exists() {
            fs::remove_dir_all(&runtime).context(runtime.display())?;
        }
        fs::create_dir(&runtime).context(runtime.display())?;
        set_mode(&runtime, 0o700)?;
        let config = lab.write(
            &format!("{name}.ini"),
            &format!(
                "[core]\nidle-time=0\nrequire-input=false\n\
                 [shell]\nbackground-color=0xff2e6e8e\nbackground-image={}\nbackground-type=tile\n\
                 panel-position=none\nclock-format=none\nlocking=false\nanimation=none\nstartup-animation=none\n",
                lab.path("scene.png").display()
            ),
        )?;
        let mut server = Daemon::spawn(
            "weston",
            Command::new("weston")
                .args([
                    "--backend=rdp-backend.so",
                    "--socket=wayland-lab",
                    "--idle-time=0",
                ])
                .args(["--address=127.0.0.1", &format!("--port={port}")])
                .args([format!("--width={WIDTH}"), format!("--height={HEIGHT}")])
                .arg(format!("--config={}", config.display()))
                .arg(format!("--rdp-tls-cert={}", certificate.certificate.display()))
                .arg(format!("--rdp-tls-key={}", certificate.key.display()))
                .env("XDG_RUNTIME_DIR", &runtime)
                .env("HOME", lab.path("home"))
                .env_remove("DISPLAY")
                .env_remove("WAYLAND_DISPLAY"),
            &lab.log(name),
        )?;
        server.wait_for_port(port, Duration::from_secs(20))?;
        let socket = runtime.join("wayland-lab");
        wait_for("weston's socket", Duration::from_secs(10), || {
            Ok(socket.exists().then_some(()))
        })?;
        Ok(Self {
            port,
            runtime,
            server,
        })
    }

    /// Opens a terminal on it. The shell gives the keyboard of every connected client to a new window.
    pub(crate) fn terminal(&self, lab: &Lab) -> Outcome<Daemon> {
        Daemon::spawn(
            "weston-terminal",
            Command::new("weston-terminal")
                .env("XDG_RUNTIME_DIR", &self.runtime)
                .env("WAYLAND_DISPLAY", "wayland-lab")
                .env("HOME", lab.path("home"))
                .env("SHELL", "/bin/sh")
                .env_remove("DISPLAY"),
            &lab.log("weston-terminal"),
        )
    }

    pub(crate) fn check_alive(&mut self) -> Outcome<()> {
        self.server.check_alive()
    }
}
