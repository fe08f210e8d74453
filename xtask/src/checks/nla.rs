//! Network level authentication beyond freerdp-shadow: GNOME's server, other people's clients on our server, and Kerberos.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Finding, Run};
use crate::client::{Shot, expect_exit, negotiated};
use crate::fail::{Context, Outcome, fail};
use crate::install::{PASSWORD, USER};
use crate::lab::Certificate;
use crate::peers::{Gnome, Kdc, REALM};
use crate::process::{Daemon, free_port, pause, wait_for};

fn names(group: &str, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("{group}/{name}")).collect()
}

/// gnome-remote-desktop: takes NLA only, measures the network, and sends bitmaps to who knows no better.
pub(super) fn gnome(run: &mut Run) -> Outcome<()> {
    let names = names("gnome", &["picture-32", "wrong-password", "tls-only", "probe"]);
    if !run.wants(&names) {
        return Ok(());
    }
    let left_out = names.iter().all(|name| run.left_out_by(name).is_some());
    if left_out || !has_loopback_only() {
        for name in &names {
            run.check(name, |_| {
                fail("it listens on every address, and there is no network namespace to be had; --without gnome leaves it out")
            });
        }
        return Ok(());
    }
    let started = run
        .lab
        .certificate("gnome")
        .and_then(|certificate| Gnome::start(&run.lab, free_port()?, &certificate));
    let server = match started {
        Ok(server) => server,
        Err(error) => {
            run.fail_all(&names, &error);
            return Ok(());
        }
    };
    run.check("gnome/picture-32", |run| {
        // What mutter draws is its own affair: two looks must agree, and it is no empty screen.
        let shot = Shot::new(server.port, run.picture_file("gnome/picture-32"));
        let first = run.client.take(&shot)?;
        let second = run.client.take(&shot)?;
        if first.picture != second.picture {
            return fail("two looks at the same desktop differ");
        }
        let colours = first.picture.colours();
        if colours < 100 {
            return fail(format!("a desktop of {colours} colours"));
        }
        let says_nla = negotiated(&first.facts);
        if !says_nla.starts_with("nla") {
            return fail(format!("not by NLA: {says_nla}"));
        }
        Finding::passed(says_nla, format!("{colours} colours, the same twice"))
    });
    run.check("gnome/wrong-password", |run| {
        let mut shot = Shot::new(server.port, run.picture_file("gnome/wrong-password"));
        shot.password = "wrong";
        shot.timeout = Duration::from_secs(20);
        expect_exit(&run.client.shoot(&shot)?, 6)?;
        Finding::passed("", "exit code 6")
    });
    run.check("gnome/tls-only", |run| {
        let mut shot = Shot::new(server.port, run.picture_file("gnome/tls-only"));
        shot.security = Some("tls");
        expect_exit(&run.client.shoot(&shot)?, 7)?;
        Finding::passed("", "exit code 7")
    });
    run.check("gnome/probe", |run| gnome_says_who_it_is(run, server.port));
    Ok(())
}

fn gnome_says_who_it_is(run: &Run, port: u16) -> Outcome<Finding> {
    let address = format!("127.0.0.1:{port}");
    let probe = run
        .client
        .plain(&["probe", "-vv", &address], Duration::from_secs(30))?;
    expect_exit(&probe, 0)?;
    let table = String::from_utf8_lossy(&probe.stdout).into_owned();
    let row = table
        .lines()
        .find_map(|line| line.trim().strip_prefix("computer"));
    match row {
        Some(name) => Finding::passed("", format!("the server calls itself {}", name.trim())),
        None => {
            // Why is in the client's log.
            let why = probe.stderr.lines().find(|line| line.contains("challenge"));
            fail(format!("no computer in the table: {}", why.unwrap_or_default()))
        }
    }
}

/// Whether nobody outside of this machine can reach us.
fn has_loopback_only() -> bool {
    let table = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    let mut interfaces = table.lines().filter_map(|line| line.split_once(':'));
    interfaces.all(|(name, _)| name.trim() == "lo") && !table.is_empty()
}

/// `ironrdp serve` with NLA.
struct Serve {
    port: u16,
    log: std::path::PathBuf,
    _server: Daemon,
}

impl Serve {
    fn start(run: &Run, name: &str, certificate: &Certificate, more: &[&str]) -> Outcome<Self> {
        let port = free_port()?;
        let log = run.lab.log(name);
        let mut command = run.client.command();
        command
            .args(["serve", "-vvv", "-l", &format!("127.0.0.1:{port}"), "--fps", "1"])
            .args(["-u", USER, "--password-env", "LAB_PASSWORD", "--security", "nla"])
            .arg("--cert")
            .arg(&certificate.certificate)
            .arg("--key")
            .arg(&certificate.key)
            .args(more)
            .env("LAB_PASSWORD", PASSWORD);
        let mut server = Daemon::spawn("serve", &mut command, &log)?;
        server.wait_for_port(port, Duration::from_secs(20))?;
        Ok(Self {
            port,
            log,
            _server: server,
        })
    }

    fn log(&self) -> Outcome<String> {
        fs::read_to_string(&self.log).context(self.log.display())
    }

    /// The line of the log that says who has logged in, once it is there.
    fn logged_in(&self) -> Outcome<String> {
        wait_for("the login in the server's log", Duration::from_secs(20), || {
            Ok(self
                .log()?
                .lines()
                .find(|line| line.contains("logged in"))
                .map(str::to_owned))
        })
    }
}

/// xfreerdp against our server.
pub(super) fn xfreerdp(run: &mut Run) -> Outcome<()> {
    let names = names("own-nla", &["xfreerdp", "xfreerdp-wrong-password"]);
    if !run.wants(&names) {
        return Ok(());
    }
    let certificate = run.lab.certificate("own-nla")?;
    run.check("own-nla/xfreerdp", |run| {
        let server = Serve::start(run, "own-nla", &certificate, &[])?;
        let _client = xfreerdp_at(run, server.port, PASSWORD)?;
        let line = server.logged_in()?;
        if !line.contains("method=Ntlm") {
            return fail(line);
        }
        wait_for("the session", Duration::from_secs(20), || {
            Ok(server.log()?.contains("client accepted").then_some(()))
        })?;
        Finding::passed("nla", "a session")
    });
    run.check("own-nla/xfreerdp-wrong-password", |run| {
        let server = Serve::start(run, "own-nla-wrong", &certificate, &[])?;
        let _client = xfreerdp_at(run, server.port, "wrong")?;
        let log = run.lab.log("xfreerdp");
        wait_for("xfreerdp to be told", Duration::from_secs(20), || {
            let text = fs::read_to_string(&log).context(log.display())?;
            Ok(text.contains("ERRCONNECT_LOGON_FAILURE").then_some(()))
        })?;
        Finding::passed("nla", "ERRCONNECT_LOGON_FAILURE")
    });
    Ok(())
}

fn xfreerdp_at(run: &Run, port: u16, password: &str) -> Outcome<Daemon> {
    let mut command = Command::new("xvfb-run");
    command
        .args([
            "-a",
            "xfreerdp",
            &format!("/v:127.0.0.1:{port}"),
            "/sec:nla",
            "/cert:ignore",
        ])
        .args([format!("/u:{USER}"), format!("/p:{password}")])
        .env("HOME", run.lab.path("home"));
    Daemon::spawn("xfreerdp", &mut command, &run.lab.log("xfreerdp"))
}

/// A real KDC: our client and rdesktop log in to our server with tickets.
pub(super) fn kerberos(run: &mut Run) -> Outcome<()> {
    let names = names(
        "kerberos",
        &[
            "tcp",
            "udp",
            "wrong-password",
            "unknown-server",
            "no-kdc",
            "clock-skew",
            "foreign-keytab",
            "rdesktop",
        ],
    );
    if !run.wants(&names) {
        return Ok(());
    }
    let started = Kdc::start(&run.lab).and_then(|kdc| Ok((kdc, run.lab.certificate("kerberos")?)));
    let (kdc, certificate) = match started {
        Ok(started) => started,
        Err(error) => {
            run.fail_all(&names, &error);
            return Ok(());
        }
    };
    let keytab = kdc.keytab.display().to_string();
    let address = format!("127.0.0.1:{}", kdc.port);
    for (name, kdc_url) in [
        ("kerberos/tcp", address.clone()),
        ("kerberos/udp", format!("udp://{address}")),
    ] {
        run.check(name, |run| {
            let server = Serve::start(run, &name.replace('/', "-"), &certificate, &["--keytab", &keytab])?;
            let ended = shoot(run, name, server.port, "localhost", PASSWORD, &kdc_url)?;
            expect_exit(&ended, 0)?;
            let line = server.logged_in()?;
            if !line.contains("method=Kerberos") || !line.contains(REALM) {
                return fail(line);
            }
            for log in [server.log()?, ended.stderr] {
                shows_no_password(&log)?;
            }
            Finding::passed("nla, Kerberos", "a session; no password in the logs at TRACE")
        });
    }
    kerberos_refusals(run, &kdc, &certificate);
    run.check("kerberos/rdesktop", |run| {
        // It speaks CredSSP 2.
        let more = ["--keytab", keytab.as_str(), "--dangerously-allow-old-nla"];
        let server = Serve::start(run, "kerberos-rdesktop", &certificate, &more)?;
        let home = run.lab.path("home-rdesktop");
        fs::create_dir_all(&home).context(home.display())?;
        let mut command = kdc.with_ticket(&run.lab, "xvfb-run")?;
        let line = format!(
            "yes yes | rdesktop -v -u {USER} -d {REALM} localhost:{}",
            server.port
        );
        command.args(["-a", "sh", "-c", &line]).env("HOME", &home);
        let _client = Daemon::spawn("rdesktop", &mut command, &run.lab.log("rdesktop"))?;
        let line = server.logged_in()?;
        if !line.contains("method=Kerberos") {
            return fail(line);
        }
        wait_for("the session", Duration::from_secs(20), || {
            Ok(server.log()?.contains("client accepted").then_some(()))
        })?;
        // Long enough to see a client off that does not like what follows.
        pause(Duration::from_secs(1))?;
        let said = fs::read_to_string(run.lab.log("rdesktop")).unwrap_or_default();
        if !said.contains("Connection established using CredSSP") {
            return fail(said);
        }
        Finding::passed("nla, Kerberos", "as far as there is: a session")
    });
    Ok(())
}

/// Logins by Kerberos that must fail, what the client says of each, and what it tells the user to do.
fn kerberos_refusals(run: &mut Run, kdc: &Kdc, certificate: &Certificate) {
    struct Login<'a> {
        host: &'a str,
        password: &'a str,
        kdc: u16,
        keytab: &'a Path,
    }
    let good = Login {
        host: "localhost",
        password: PASSWORD,
        kdc: kdc.port,
        keytab: &kdc.keytab,
    };
    let try_in_vain = |run: &mut Run, name: &str, login: &Login<'_>, said: &str, hint: &str| {
        let keytab = login.keytab.display().to_string();
        let server = Serve::start(run, &name.replace('/', "-"), certificate, &["--keytab", &keytab])?;
        let kdc = format!("127.0.0.1:{}", login.kdc);
        let ended = shoot(run, name, server.port, login.host, login.password, &kdc)?;
        expect_exit(&ended, 6)?;
        let hinted = ended
            .stderr
            .lines()
            .any(|line| line.starts_with("hint: ") && line.contains(hint));
        if !ended.stderr.contains(said) || !hinted {
            return fail(format!(
                "{said}, or a hint of {hint}, is not in: {}",
                ended.stderr
            ));
        }
        Finding::passed("", format!("exit code 6: {said}"))
    };
    run.check("kerberos/wrong-password", |run| {
        let login = Login {
            password: "wrong",
            ..good
        };
        try_in_vain(
            run,
            "kerberos/wrong-password",
            &login,
            "KDC_ERR_PREAUTH_FAILED",
            "check user name, password",
        )
    });
    run.check("kerberos/unknown-server", |run| {
        let login = Login {
            host: "127.0.0.1",
            ..good
        };
        try_in_vain(
            run,
            "kerberos/unknown-server",
            &login,
            "KDC_ERR_S_PRINCIPAL_UNKNOWN",
            "not by an address",
        )
    });
    run.check("kerberos/no-kdc", |run| {
        let login = Login {
            kdc: free_port()?,
            ..good
        };
        try_in_vain(run, "kerberos/no-kdc", &login, "cannot be reached", "check --kdc")
    });
    run.check("kerberos/clock-skew", |run| {
        let (kdc, _ahead) = kdc.an_hour_ahead(&run.lab)?;
        let login = Login { kdc, ..good };
        try_in_vain(
            run,
            "kerberos/clock-skew",
            &login,
            "the clocks differ too much",
            "set the clocks",
        )
    });
    run.check("kerberos/foreign-keytab", |run| {
        let login = Login {
            keytab: &kdc.foreign_keytab,
            ..good
        };
        try_in_vain(
            run,
            "kerberos/foreign-keytab",
            &login,
            "SEC_E_INVALID_TOKEN",
            "the server's own log",
        )
    });
}

/// Whether a log at TRACE keeps the password to itself: as text, and as bytes in UTF-16, where it goes over the wire.
fn shows_no_password(log: &str) -> Outcome<()> {
    if !log.contains("TRACE") {
        return fail("nothing is logged at TRACE");
    }
    let bytes: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let list = format!("{bytes:?}");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    for form in [PASSWORD, list.trim_matches(['[', ']']), &hex] {
        if log.to_lowercase().contains(&form.to_lowercase()) {
            return fail("the password is in a log");
        }
    }
    Ok(())
}

fn shoot(
    run: &Run,
    name: &str,
    port: u16,
    host: &str,
    password: &str,
    kdc: &str,
) -> Outcome<crate::process::Finished> {
    let file = run.picture_file(name);
    let file: &Path = &file;
    let mut command = run.client.command();
    command
        .args(["screenshot", "-vvv"])
        .arg(format!("{host}:{port}"))
        .args([
            "-u",
            USER,
            "--realm",
            REALM,
            "--kdc",
            kdc,
            "--timeout",
            "10",
            "-o",
        ])
        .arg(file)
        .args(["--cert", "dangerously-accept-any"])
        .env("IRONRDP_PASSWORD", password);
    crate::process::run(&mut command, Duration::from_secs(30))
}
