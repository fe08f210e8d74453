//! `ironrdp serve`, with what it shows and what it was typed in files.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::checks::Run;
use crate::fail::{Context, Outcome, fail};
use crate::install::{PASSWORD, USER};
use crate::lab::Certificate;
use crate::picture::Picture;
use crate::process::{Daemon, free_port, wait_for};
use crate::scene;

/// How long anything may take: the machine may have other things to do.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Serve {
    pub(super) port: u16,
    log: PathBuf,
    /// What it shows, if it is no desktop of its own.
    picture: PathBuf,
    typed: PathBuf,
    _server: Daemon,
}

impl Serve {
    /// A server of its built-in desktop.
    pub(super) fn start(run: &Run, name: &str, certificate: &Certificate, options: &[&str]) -> Outcome<Self> {
        let name = name.replace('/', "-");
        let port = free_port()?;
        let log = run.lab.log(&name);
        let typed = run.lab.path(&format!("{name}-typed"));
        let mut command = run.client.command();
        command
            .args(["serve", "-vv", "-l", &format!("127.0.0.1:{port}")])
            .args(["-u", USER, "--password-env", "LAB_PASSWORD"])
            .arg("--cert")
            .arg(&certificate.certificate)
            .arg("--key")
            .arg(&certificate.key)
            .arg("--typed-to")
            .arg(&typed)
            .args(options)
            .env("LAB_PASSWORD", PASSWORD);
        let mut server = Daemon::spawn("ironrdp serve", &mut command, &log)?;
        server.wait_for_port(port, PATIENCE)?;
        Ok(Self {
            port,
            log,
            picture: run.lab.path(&format!("{name}-shown.png")),
            typed,
            _server: server,
        })
    }

    /// A server of the picture that the other servers have on their screens.
    pub(super) fn with_scene(
        run: &Run,
        name: &str,
        certificate: &Certificate,
        options: &[&str],
    ) -> Outcome<Self> {
        let picture = run.lab.path(&format!("{}-shown.png", name.replace('/', "-")));
        scene::picture().save(&picture)?;
        let file = picture.display().to_string();
        let options = [&["--mirror-png", &file], options].concat();
        Self::start(run, name, certificate, &options)
    }

    /// Replaces the picture as a whole, so that the server never sees half of it.
    pub(super) fn show(&self, picture: &Picture) -> Outcome<()> {
        let part = self.picture.with_extension("part");
        picture.save(&part)?;
        fs::rename(&part, &self.picture).context(self.picture.display())
    }

    /// Waits until what was typed is this, to the letter.
    pub(super) fn wait_for_typed(&self, text: &str) -> Outcome<()> {
        let mut last = String::new();
        let waited = wait_for("the typed text", PATIENCE, || {
            last = fs::read_to_string(&self.typed).context(self.typed.display())?;
            Ok((last == text).then_some(()))
        });
        waited.or_else(|error| fail(format!("{error}: typed {text:?}, arrived {last:?}")))
    }

    /// Waits until a client is in its session.
    pub(super) fn wait_for_client(&self) -> Outcome<()> {
        self.wait_to_say("client accepted").map(drop)
    }

    /// Waits for a line in the log; the last such one.
    pub(super) fn wait_to_say(&self, words: &str) -> Outcome<String> {
        let what = format!("the server to say {words:?}");
        let found = wait_for(&what, PATIENCE, || {
            let text = fs::read_to_string(&self.log).context(self.log.display())?;
            Ok(text
                .lines()
                .rev()
                .find(|line| line.contains(words))
                .map(str::to_owned))
        });
        found.or_else(|error| fail(format!("{error}; its log:\n{}", crate::process::tail(&self.log))))
    }

    /// Bits a pixel of the first client.
    pub(super) fn depth_in_use(&self) -> Outcome<u8> {
        let text = fs::read_to_string(&self.log).context(self.log.display())?;
        let line = text.lines().find(|line| line.contains("client accepted"));
        let depth = line.and_then(|line| line.rsplit_once("depth="));
        match depth {
            Some((_, depth)) => depth.trim().parse().context("colour depth in the log"),
            None => fail("the log tells of no client"),
        }
    }
}
