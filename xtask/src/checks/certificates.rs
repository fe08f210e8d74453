//! Certificate policies against real servers: first use, change, pins, and the strict default.

use std::path::Path;

use super::{Finding, Run};
use crate::client::{Shot, expect_exit, negotiated};
use crate::fail::{Outcome, fail};
use crate::lab::Certificate;
use crate::peers::Weston;
use crate::process::{Finished, free_port};

const NAMES: [&str; 6] = [
    "cert/verify-refuses-self-signed",
    "cert/pin-certificate",
    "cert/pin-key",
    "cert/pin-wrong",
    "cert/known-hosts-first-use",
    "cert/known-hosts-changed",
];

/// Exit code of a certificate that was rejected.
const REJECTED: i32 = 5;

/// The same address with one certificate, then with another.
pub(super) fn run(run: &mut Run) -> Outcome<()> {
    let names = NAMES.map(str::to_owned);
    if !run.wants(&names) {
        return Ok(());
    }
    let [verify, pin_certificate, pin_key, pin_wrong, first_use, changed] = NAMES;
    let started = run.lab.certificate("first").and_then(|first| {
        let second = run.lab.certificate("second")?;
        let server = Weston::start(&run.lab, "weston-cert", free_port()?, &first)?;
        Ok((server, first, second))
    });
    let (server, first, second) = match started {
        Ok(started) => started,
        Err(error) => {
            run.fail_all(&names, &error);
            return Ok(());
        }
    };
    let port = server.port;
    run.check(verify, |run| {
        let finished = shoot(run, verify, port, None)?;
        expect_rejected(&finished)?;
        Finding::passed("", "exit code 5")
    });
    for (name, pin) in [(pin_certificate, &first.sha256), (pin_key, &first.key_sha256)] {
        run.check(name, |run| {
            let mut shot = Shot::new(port, run.picture_file(name));
            shot.certificate = Some(format!("pin:{pin}"));
            let taken = run.client.take(&shot)?;
            Finding::passed(negotiated(&taken.facts), "exit code 0")
        });
    }
    run.check(pin_wrong, |run| {
        let finished = shoot(run, pin_wrong, port, Some(format!("pin:{}", second.sha256)))?;
        expect_rejected(&finished)?;
        Finding::passed("", "exit code 5")
    });

    let known = run.lab.path("known-hosts");
    let policy = format!("known-hosts:{}", known.display());
    run.check(first_use, |run| {
        for time in ["first", "second"] {
            let finished = shoot(run, first_use, port, Some(policy.clone()))?;
            expect_exit(&finished, 0)?;
            if !remembers(&known, &first) {
                return fail(format!("the {time} connection left no fingerprint in the file"));
            }
        }
        Finding::passed("", "exit code 0 twice")
    });
    drop(server);
    run.check(changed, |run| {
        if !known.exists() {
            // Asked for alone: the first use belongs to it then.
            let server = Weston::start(&run.lab, "weston-cert", port, &first)?;
            expect_exit(&shoot(run, changed, port, Some(policy.clone()))?, 0)?;
            drop(server);
        }
        let _server = Weston::start(&run.lab, "weston-cert", port, &second)?;
        let finished = shoot(run, changed, port, Some(policy.clone()))?;
        expect_rejected(&finished)?;
        if !finished.stderr.contains("chang") {
            return fail(format!(
                "the message does not speak of a change: {}",
                finished.stderr.trim()
            ));
        }
        if !remembers(&known, &first) {
            return fail("the remembered certificate was overwritten");
        }
        Finding::passed("", "exit code 5, message, file untouched")
    });
    Ok(())
}

fn shoot(run: &Run, name: &str, port: u16, certificate: Option<String>) -> Outcome<Finished> {
    let mut shot = Shot::new(port, run.picture_file(name));
    shot.certificate = certificate;
    run.client.shoot(&shot)
}

fn expect_rejected(finished: &Finished) -> Outcome<()> {
    expect_exit(finished, REJECTED)?;
    if !finished.stderr.contains("127.0.0.1") || !finished.stderr.contains("hint:") {
        return fail(format!(
            "the message lacks the host or a hint: {}",
            finished.stderr.trim()
        ));
    }
    Ok(())
}

/// Whether the file holds a digest of this certificate or of its key, in hex with or without colons.
fn remembers(file: &Path, certificate: &Certificate) -> bool {
    let text = std::fs::read_to_string(file)
        .unwrap_or_default()
        .replace(':', "")
        .to_lowercase();
    text.contains(&certificate.sha256) || text.contains(&certificate.key_sha256)
}
