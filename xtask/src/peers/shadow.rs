//! freerdp-shadow: shares an X display of its own, in one of its security modes.

use std::process::Command;
use std::time::Duration;

use crate::fail::{Context, Outcome};
use crate::install::{PASSWORD, USER};
use crate::lab::{Certificate, Lab, sha256_of};
use crate::peers::XDisplay;
use crate::process::{Daemon, free_port, run_ok, wait_for};

/// What the server asks of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShadowSecurity {
    /// TLS only; anyone may enter.
    Tls,
    /// Standard RDP security, which this server leaves unencrypted (method 0, level 0).
    Rdp,
    /// Network level authentication only.
    Nla,
}

impl ShadowSecurity {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tls => "shadow",
            Self::Rdp => "shadow-rdp",
            Self::Nla => "shadow-nla",
        }
    }
}

/// A running freerdp-shadow with its display.
#[derive(Debug)]
pub(crate) struct Shadow {
    pub(crate) port: u16,
    pub(crate) screen: XDisplay,
    /// The certificate it made itself; none in the mode without TLS.
    pub(crate) certificate: Option<Certificate>,
    _server: Daemon,
}

impl Shadow {
    pub(crate) fn start(lab: &Lab, security: ShadowSecurity) -> Outcome<Self> {
        let name = security.name();
        let screen = XDisplay::start(lab, name)?;
        let home = lab.path(&format!("home-{name}"));
        std::fs::create_dir(&home).context(home.display())?;
        let port = free_port()?;
        let mut command = Command::new("freerdp-shadow-cli");
        command.args([&format!("/port:{port}"), "/bind-address:127.0.0.1"]);
        match security {
            ShadowSecurity::Tls => command.args(["/sec:tls", "-auth"]),
            ShadowSecurity::Rdp => command.args(["/sec:rdp", "-auth"]),
            ShadowSecurity::Nla => {
                let hash = run_ok(
                    Command::new("winpr-hash").args(["-u", USER, "-p", PASSWORD, "-f", "sam"]),
                    Duration::from_secs(10),
                )?;
                let sam = lab.write("sam", String::from_utf8_lossy(&hash.stdout).trim_end())?;
                command
                    .arg("/sec:nla")
                    .arg(format!("/sam-file:{}", sam.display()))
            }
        };
        command.env("DISPLAY", screen.display()).env("HOME", &home);
        let mut server = Daemon::spawn(name, &mut command, &lab.log(name))?;
        server.wait_for_port(port, Duration::from_secs(20))?;
        let certificate = match security {
            ShadowSecurity::Rdp => None,
            ShadowSecurity::Tls | ShadowSecurity::Nla => {
                let folder = home.join(".config/freerdp/shadow");
                let file = folder.join("shadow.crt");
                wait_for("certificate of freerdp-shadow", Duration::from_secs(10), || {
                    Ok(file.exists().then_some(()))
                })?;
                Some(Certificate {
                    sha256: sha256_of("openssl x509 -in \"$0\" -outform der", &file)?,
                    key_sha256: sha256_of(
                        "openssl x509 -in \"$0\" -noout -pubkey | openssl pkey -pubin -outform der",
                        &file,
                    )?,
                    key: folder.join("shadow.key"),
                    certificate: file,
                })
            }
        };
        Ok(Self {
            port,
            screen,
            certificate,
            _server: server,
        })
    }
}
