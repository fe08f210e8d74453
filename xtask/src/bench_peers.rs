//! `cargo xtask bench-peers`: this project and other RDP crates on the same work, in the workspace `benches/peers`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::fail::Outcome;
use crate::install::{self, Needs};
use crate::lab::Lab;
use crate::peers::{Shadow, ShadowSecurity};
use crate::process::run_ok;
use crate::visible::{Deadline, run_visibly};
use crate::workspace::{cargo, root};

/// The task's name on the command line.
pub(crate) const TASK: &str = "bench-peers";

/// Longer than any run takes: all sections with `--build` compile both sides from nothing, several times.
const MINUTES: u64 = 240;

/// Builds the comparison and runs it with `arguments`; it prints its tables.
pub(crate) fn bench_peers(arguments: &[String]) -> Outcome<()> {
    let server = if wants_nla(arguments) {
        match NlaServer::start() {
            Ok(server) => Some(server),
            Err(error) => {
                eprintln!("note: no freerdp-shadow, so no connections with NLA: {error}");
                None
            }
        }
    } else {
        None
    };
    let mut command = cargo();
    command
        .args(["run", "--release", "--locked", "--manifest-path"])
        .arg(root().join("benches/peers/Cargo.toml"))
        .arg("--")
        .args(arguments);
    if let Some(server) = &server {
        command
            .args(["--nla", &server.shadow.port.to_string()])
            .arg(&server.certificate);
    }
    run_visibly(&mut command, Deadline::minutes(MINUTES))
}

fn wants_nla(arguments: &[String]) -> bool {
    let mut sections = arguments
        .windows(2)
        .filter(|words| words.first().is_some_and(|word| word == "--only"))
        .filter_map(|words| words.get(1))
        .peekable();
    sections.peek().is_none() || sections.any(|section| section == "nla")
}

/// A server nobody here wrote. NTLM's challenges are new each time, so this one cannot be replayed.
struct NlaServer {
    certificate: PathBuf,
    // Dropped in this order.
    shadow: Shadow,
    _lab: Lab,
}

impl NlaServer {
    fn start() -> Outcome<Self> {
        install::packages(Needs::Shadow)?;
        let lab = Lab::new(false)?;
        let shadow = Shadow::start(&lab, ShadowSecurity::Nla)?;
        let certificate = lab.path("shadow.der");
        if let Some(pem) = &shadow.certificate {
            run_ok(
                Command::new("openssl")
                    .args(["x509", "-outform", "der", "-in"])
                    .arg(&pem.certificate)
                    .arg("-out")
                    .arg(&certificate),
                Duration::from_secs(20),
            )?;
        }
        Ok(Self {
            certificate,
            shadow,
            _lab: lab,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_started_for_whoever_asks_for_its_section_or_for_all() {
        let wants = |text: &str| {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            wants_nla(&words)
        };
        assert!(wants(""));
        assert!(wants("--quick --json all.json"));
        assert!(wants("--only frames --only nla"));
        assert!(!wants("--quick --only frames"));
    }
}
