//! Clients that show a session on an X display, and a hand for its keyboard.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use super::Manner;
use crate::checks::Run;
use crate::fail::{Context, Failure, Outcome};
use crate::install::{PASSWORD, USER};
use crate::peers::XDisplay;
use crate::picture::{Bits, Picture};
use crate::process::{Daemon, pause, run_ok};

/// How long a client may take until it shows what it should.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client and the display it draws on.
pub(super) struct Viewer {
    // Dropped in this order: the client before its display.
    client: Daemon,
    screen: XDisplay,
    /// Its colours are off by that much.
    rounds_green: bool,
}

impl Viewer {
    pub(super) fn xfreerdp(run: &Run, name: &str, port: u16, manner: Manner) -> Outcome<Self> {
        let (width, height) = manner.size;
        let mut command = Command::new("stdbuf");
        command
            // Its log comes in time, in case it is killed.
            .args(["-oL", "xfreerdp", &format!("/v:127.0.0.1:{port}")])
            .args([
                &format!("/u:{USER}"),
                &format!("/p:{PASSWORD}"),
                "/cert:ignore",
                &format!("/sec:{}", if manner.nla { "nla" } else { "tls" }),
                &format!("/bpp:{}", manner.depth),
                &format!("/size:{width}x{height}"),
                "-decorations",
                "+auto-reconnect",
                "/auto-reconnect-max-retries:10",
            ]);
        let viewer = Self::start(run, name, &mut command)?;
        // 2.11 turns 16 bits into more than they say: 128 of green comes out as 132.
        Ok(Self {
            rounds_green: manner.depth == 16,
            ..viewer
        })
    }

    pub(super) fn rdesktop(run: &Run, name: &str, port: u16, manner: Manner) -> Outcome<Self> {
        let (width, height) = manner.size;
        // It asks on standard input whether to trust the certificate. -D: no window decorations.
        let line = format!(
            "yes yes | rdesktop -D -u {USER} -p {PASSWORD} -g {width}x{height} -a {} 127.0.0.1:{port}",
            manner.depth
        );
        Self::start(run, name, Command::new("sh").args(["-c", &line]))
    }

    fn start(run: &Run, name: &str, command: &mut Command) -> Outcome<Self> {
        let name = name.replace('/', "-");
        // A home of its own each time: they remember certificates there.
        let home = run.lab.path(&format!("home-{name}"));
        fs::create_dir_all(&home).context(home.display())?;
        let screen = XDisplay::blank(&run.lab, &name)?;
        command.env("DISPLAY", screen.display()).env("HOME", home);
        let log = run.lab.log(&format!("{name}-client"));
        Ok(Self {
            client: Daemon::spawn("the client", command, &log)?,
            screen,
            rounds_green: false,
        })
    }

    /// Waits until the upper left of the display is `truth`, at the depth of the session, and says what was compared.
    pub(super) fn wait_to_show(
        &mut self,
        run: &Run,
        name: &str,
        truth: &Picture,
        depth: u8,
    ) -> Outcome<String> {
        let end = Instant::now() + PATIENCE;
        let (width, height) = truth.size();
        let exact = Bits::of_depth(depth);
        let bits = if self.rounds_green {
            exact.with_rounded_green()
        } else {
            exact
        };
        loop {
            self.client.check_alive()?;
            let shown = self.screen.picture()?.crop(width, height);
            let difference = shown.compare(truth, bits, &[])?;
            if difference.differing == 0 || Instant::now() >= end {
                return run
                    .judge(name, &shown, truth, &difference)
                    .map_err(|error| Failure::new(format!("{error}\n{}", self.client.log_tail())));
            }
            pause(Duration::from_millis(200))?;
        }
    }

    /// Types on the display's keyboard, into the window under the pointer: there is no window manager to ask.
    pub(super) fn write(&self, text: &str) -> Outcome<()> {
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                self.xdotool(&["key", "Return"])?;
            }
            self.xdotool(&["mousemove", "300", "250", "type", "--delay", "30", "--", line])?;
        }
        Ok(())
    }

    fn xdotool(&self, arguments: &[&str]) -> Outcome<()> {
        let mut command = Command::new("xdotool");
        command.args(arguments).env("DISPLAY", self.screen.display());
        run_ok(&mut command, Duration::from_secs(30)).map(drop)
    }
}
