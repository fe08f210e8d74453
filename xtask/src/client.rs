//! Runs the `ironrdp` command as a user would, and reads what it says.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::fail::{Context, Outcome, fail};
use crate::install::{PASSWORD, USER};
use crate::picture::Picture;
use crate::process::{Finished, run, run_logged};
use crate::scene::{HEIGHT, WIDTH};

/// Time past its own `--timeout` after which a client that has not given up is broken.
const GRACE: Duration = Duration::from_secs(20);

/// The command under test.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    program: PathBuf,
    home: PathBuf,
}

/// One call of `ironrdp screenshot`.
#[derive(Debug, Clone)]
pub(crate) struct Shot<'a> {
    pub(crate) port: u16,
    pub(crate) file: PathBuf,
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    pub(crate) size: (u16, u16),
    pub(crate) depth: u8,
    pub(crate) settle: Duration,
    pub(crate) timeout: Duration,
    /// Value of `--cert`; `None` leaves the option out.
    pub(crate) certificate: Option<String>,
    pub(crate) security: Option<&'a str>,
    pub(crate) text: Option<String>,
}

impl Shot<'_> {
    pub(crate) fn new(port: u16, file: PathBuf) -> Self {
        Self {
            port,
            file,
            user: USER,
            password: PASSWORD,
            size: (WIDTH, HEIGHT),
            depth: 32,
            settle: Duration::from_millis(1500),
            timeout: Duration::from_secs(30),
            certificate: Some("dangerously-accept-any".to_owned()),
            security: None,
            text: None,
        }
    }
}

/// What a successful screenshot gave.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) picture: Picture,
    pub(crate) facts: Value,
}

impl Client {
    pub(crate) fn new(program: PathBuf, home: PathBuf) -> Self {
        Self { program, home }
    }

    /// The command without arguments, at a home of its own.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("HOME", &self.home)
            .env("NO_COLOR", "1")
            .env_remove("IRONRDP_PASSWORD");
        command
    }

    /// Runs the command with these arguments only.
    pub(crate) fn plain(&self, arguments: &[&str], timeout: Duration) -> Outcome<Finished> {
        run(self.command().args(arguments), timeout)
    }

    /// Runs `screenshot` to its end, whatever that is.
    pub(crate) fn shoot(&self, shot: &Shot<'_>) -> Outcome<Finished> {
        run(&mut self.screenshot(shot), shot.timeout + GRACE)
    }

    fn screenshot(&self, shot: &Shot<'_>) -> Command {
        let mut command = self.command();
        command
            .arg("screenshot")
            .arg(format!("127.0.0.1:{}", shot.port))
            .args(["-u", shot.user, "-o"])
            .arg(&shot.file)
            .arg(format!("--size={}x{}", shot.size.0, shot.size.1))
            .arg(format!("--depth={}", shot.depth))
            .arg(format!("--settle={}", shot.settle.as_millis()))
            .arg(format!("--timeout={}", shot.timeout.as_secs()))
            .arg("--json")
            .env("IRONRDP_PASSWORD", shot.password);
        if let Some(policy) = &shot.certificate {
            command.arg(format!("--cert={policy}"));
        }
        if let Some(security) = shot.security {
            command.arg(format!("--security={security}"));
        }
        if let Some(text) = &shot.text {
            command.arg("--type").arg(text);
        }
        command
    }

    /// Runs `screenshot`, which must succeed, and reads the picture and the facts.
    pub(crate) fn take(&self, shot: &Shot<'_>) -> Outcome<Taken> {
        taken(&self.shoot(shot)?, shot)
    }

    /// Like [`take`](Self::take), and tells in `log` how far it is, see [`is_in_session`].
    pub(crate) fn take_logged(&self, shot: &Shot<'_>, log: &Path) -> Outcome<Taken> {
        let finished = run_logged(self.screenshot(shot).arg("-v"), log, shot.timeout + GRACE)?;
        taken(&finished, shot)
    }

    /// Runs the example that holds many sessions in one process; gives its summary, a line each.
    pub(crate) fn concurrent(&self, port: u16, sessions: u16) -> Outcome<Vec<String>> {
        let folder = self.program.parent().unwrap_or(Path::new("."));
        let mut command = Command::new(program(&folder.join("examples/concurrent"))?);
        command
            .args([
                "--host",
                &format!("127.0.0.1:{port}"),
                "--user",
                USER,
                "--hold",
                "2",
            ])
            .args(["--sessions", &sessions.to_string(), "--dangerously-accept-any"])
            .env("IRONRDP_PASSWORD", PASSWORD);
        let finished = run(&mut command, Duration::from_secs(120))?;
        expect_exit(&finished, 0)?;
        let summary = String::from_utf8_lossy(&finished.stdout).into_owned();
        // Columns are for the eye.
        Ok(summary
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect())
    }

    /// Runs `probe --json` on one address, which must succeed.
    pub(crate) fn probe(&self, port: u16) -> Outcome<Value> {
        let address = format!("127.0.0.1:{port}");
        let finished = self.plain(&["probe", "--json", &address], Duration::from_secs(30))?;
        expect_exit(&finished, 0)?;
        json(&finished)
    }
}

/// Fails unless the command ended with this exit code. A signal is no exit code.
pub(crate) fn expect_exit(finished: &Finished, code: i32) -> Outcome<()> {
    if finished.status.code() == Some(code) {
        return Ok(());
    }
    fail(format!(
        "expected exit code {code}, got {} after {:.1} s; stderr: {}",
        finished.status,
        finished.elapsed.as_secs_f32(),
        finished.stderr.trim()
    ))
}

fn taken(finished: &Finished, shot: &Shot<'_>) -> Outcome<Taken> {
    expect_exit(finished, 0)?;
    let facts = json(finished)?;
    let picture = Picture::load(&shot.file)?;
    Ok(Taken { picture, facts })
}

/// Whether the client that writes this log has come as far as its session.
pub(crate) fn is_in_session(log: &Path) -> bool {
    std::fs::read_to_string(log).is_ok_and(|text| text.contains(": connected server="))
}

fn json(finished: &Finished) -> Outcome<Value> {
    serde_json::from_slice(&finished.stdout).context(format!(
        "stdout is not JSON: {}",
        String::from_utf8_lossy(&finished.stdout).trim()
    ))
}

/// One line about a session: protocol, depth, size, kinds of updates, time.
pub(crate) fn negotiated(facts: &Value) -> String {
    let text = |key| facts.get(key).and_then(Value::as_str);
    let mut words: Vec<String> = text("protocol")
        .map(|protocol| {
            [protocol, text("tls_version").unwrap_or_default()]
                .join(" ")
                .trim()
                .to_owned()
        })
        .into_iter()
        .collect();
    if let Some(depth) = facts.get("depth").and_then(Value::as_u64) {
        words.push(format!("{depth} bpp"));
    }
    let side = |name| {
        facts
            .get("desktop")
            .and_then(|desktop| desktop.get(name))
            .and_then(Value::as_u64)
    };
    if let (Some(width), Some(height)) = (side("width"), side("height")) {
        words.push(format!("{width}x{height}"));
    }
    if let Some(Value::Object(updates)) = facts.get("updates") {
        let kinds: Vec<String> = updates
            .iter()
            .filter_map(|(kind, count)| Some((kind, count.as_u64()?)))
            .filter(|(_, count)| *count > 0)
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        words.push(kinds.join("+"));
    }
    words.join(", ")
}

/// Where a program is, checked.
pub(crate) fn program(path: &Path) -> Outcome<PathBuf> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    fail(format!("{} has not been built", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_become_one_line() {
        let facts = serde_json::json!({
            "protocol": "tls", "tls_version": "1.3", "depth": 16, "desktop": {"width": 1024, "height": 768},
            "updates": {"bitmap": 3, "surface": 0}
        });
        assert_eq!(negotiated(&facts), "tls 1.3, 16 bpp, 1024x768, bitmap 3");
        assert_eq!(negotiated(&serde_json::json!({"protocol": "rdp"})), "rdp");
        assert_eq!(negotiated(&Value::Null), "");
    }
}
