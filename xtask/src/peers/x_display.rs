//! An Xvfb, with the scene on it or with nothing.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use crate::fail::{Context, Outcome};
use crate::lab::{Lab, root_window};
use crate::picture::Picture;
use crate::process::{Daemon, wait_for};
use crate::scene::{HEIGHT, WIDTH, ready_name};

/// A virtual X display.
#[derive(Debug)]
pub(crate) struct XDisplay {
    display: String,
    // Dropped in this order: the terminal before its server.
    _scene: Option<Daemon>,
    _server: Daemon,
}

impl XDisplay {
    /// Starts the server on a free display and waits until the scene is complete.
    pub(crate) fn start(lab: &Lab, name: &str) -> Outcome<Self> {
        let mut blank = Self::blank(lab, name)?;
        let display = &blank.display;
        let scene = Daemon::spawn(
            "scene",
            Command::new(lab.path("scene.sh"))
                .env("DISPLAY", display)
                .env("HOME", lab.path("home")),
            &lab.log(&format!("{name}-scene")),
        )?;
        wait_for_scene(lab, display, || root_window(display, None))?;
        blank._scene = Some(scene);
        Ok(blank)
    }

    /// Starts the server on a free display that shows nothing.
    pub(crate) fn blank(lab: &Lab, name: &str) -> Outcome<Self> {
        let number = lab.path(&format!("{name}-display"));
        let log = lab.log(&format!("{name}-xvfb"));
        let mut server = Daemon::spawn_with_streams(
            "Xvfb",
            Command::new("Xvfb")
                // The server picks the display itself and tells on its standard output.
                .args(["-displayfd", "1", "-screen", "0", &format!("{WIDTH}x{HEIGHT}x24")])
                .args(["-nolisten", "tcp", "-noreset"])
                .stdout(File::create(&number).context(number.display())?)
                .stderr(File::create(&log).context(log.display())?),
            &log,
        )?;
        let display = wait_for("Xvfb's display number", Duration::from_secs(15), || {
            server.check_alive()?;
            let text = std::fs::read_to_string(&number).context(number.display())?;
            Ok(text.ends_with('\n').then(|| format!(":{}", text.trim())))
        })?;
        Ok(Self {
            display,
            _scene: None,
            _server: server,
        })
    }

    pub(crate) fn display(&self) -> &str {
        &self.display
    }

    /// What the display shows now.
    pub(crate) fn picture(&self) -> Outcome<Picture> {
        root_window(&self.display, None)
    }
}

/// Waits until the terminal of the scene has started and two looks in a row are equal.
pub(crate) fn wait_for_scene(
    lab: &Lab,
    display: &str,
    mut look: impl FnMut() -> Outcome<Picture>,
) -> Outcome<()> {
    let ready = lab.path("ready").join(ready_name(display));
    let what = format!("scene on {display}");
    wait_for(&what, Duration::from_secs(20), || {
        Ok(ready.exists().then_some(()))
    })?;
    let mut last = None;
    wait_for(&what, Duration::from_secs(20), || {
        crate::process::pause(Duration::from_millis(300))?;
        let now = look()?;
        let still = last.as_ref() == Some(&now) && now.colours() > 1000;
        last = Some(now);
        Ok(still.then_some(()))
    })
}
