//! `cargo xtask peers up`: the servers in the foreground, for trying things by hand.

use std::io::Read;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::fail::{Outcome, fail};
use crate::install::{self, Needs, PASSWORD, USER};
use crate::lab::Lab;
use crate::peers::{Backend, Sesman, Shadow, ShadowSecurity, Weston, Xrdp};
use crate::process::{free_port, interrupt_flag, pause};

/// Names that select servers.
const NAMES: &[&str] = &["all", "xrdp", "shadow", "shadow-rdp", "shadow-nla", "weston"];

/// Starts the named servers, prints a line about each, and runs until a signal or the end of standard input.
pub(crate) fn up(arguments: &[String]) -> Outcome<()> {
    let mut names = Vec::new();
    let mut fresh_sessions = false;
    let mut users = 1;
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        match argument {
            "--fresh-sessions" => fresh_sessions = true,
            "--users" => match rest.next().and_then(|count| count.parse::<u8>().ok()) {
                Some(count @ 1..=99) => users = count,
                _ => return fail("--users takes a number from 1 to 99"),
            },
            name if NAMES.contains(&name) => names.push(name),
            other => {
                return fail(format!(
                    "unknown argument {other}; peers are {}",
                    NAMES.join(", ")
                ));
            }
        }
    }
    if names.is_empty() {
        names.push("all");
    }
    let wanted = |name: &str| names.contains(&name) || names.contains(&"all");

    install::packages(Needs::Peers)?;
    let lab = Lab::new(false)?;
    let certificate = lab.certificate("server")?;
    println!(
        "lab={} certificate={} certificate_sha256={} key_sha256={}",
        lab.root().display(),
        certificate.certificate.display(),
        certificate.sha256,
        certificate.key_sha256
    );

    let mut sesman = None;
    let mut listeners = Vec::new();
    if wanted("xrdp") {
        for number in 1..=users {
            // PAM decides, so each is a user of the machine.
            install::user(&if number == 1 {
                USER.to_owned()
            } else {
                format!("{USER}{number}")
            })?;
        }
        sesman = Some(Sesman::start(&lab, fresh_sessions)?);
        for backend in [Backend::Xorg, Backend::Xvnc] {
            let listener = Xrdp::start(&lab, backend, &certificate)?;
            println!(
                "name={} addr=127.0.0.1:{} user={USER} password={PASSWORD} certificate_sha256={}",
                backend.name(),
                listener.port,
                certificate.sha256
            );
            listeners.push(listener);
        }
    }
    let mut shadows = Vec::new();
    for security in [ShadowSecurity::Tls, ShadowSecurity::Rdp, ShadowSecurity::Nla] {
        if wanted(security.name()) {
            let shadow = Shadow::start(&lab, security)?;
            println!(
                "name={} addr=127.0.0.1:{} user={USER} password={PASSWORD} display={}{}",
                security.name(),
                shadow.port,
                shadow.screen.display(),
                shadow
                    .certificate
                    .as_ref()
                    .map(|made| format!(
                        " certificate={} certificate_sha256={}",
                        made.certificate.display(),
                        made.sha256
                    ))
                    .unwrap_or_default()
            );
            shadows.push(shadow);
        }
    }
    let mut weston = None;
    if wanted("weston") {
        let started = Weston::start(&lab, "weston", free_port()?, &certificate)?;
        println!(
            "name=weston addr=127.0.0.1:{} user={USER} password={PASSWORD} certificate_sha256={}",
            started.port, certificate.sha256
        );
        weston = Some(started);
    }
    println!("ready");

    thread::spawn(|| {
        // Whatever is written to us is nothing to us; the end of it is.
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        interrupt_flag().store(true, Ordering::Relaxed);
    });
    while pause(Duration::from_secs(1)).is_ok() {}
    // Stopped in the order listeners, sessions, the rest; the lab's directory goes last.
    drop(listeners);
    drop(sesman);
    drop(shadows);
    drop(weston);
    Ok(())
}
