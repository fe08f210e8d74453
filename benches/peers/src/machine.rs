//! Where and with what it was measured.

use std::process::Command;

use serde_json::{Value, json};

/// The machine, the versions and the day.
pub struct Machine {
    day: String,
    processor: String,
    cores: String,
    memory: String,
    kernel: String,
    rustc: String,
    /// The project's commit, if it is in a repository; with a `+` if something is changed since.
    commit: String,
    versions: Vec<(&'static str, String)>,
}

impl Machine {
    pub fn look() -> Self {
        Self {
            day: shell("date -u +%Y-%m-%d"),
            processor: shell("grep -m1 'model name' /proc/cpuinfo | cut -d: -f2"),
            cores: shell("nproc"),
            memory: shell("free -h | awk '/^Mem/ {print $2}'"),
            kernel: shell("uname -r"),
            rustc: shell("rustc --version"),
            commit: shell(concat!(
                "cd '",
                env!("CARGO_MANIFEST_DIR"),
                "' && commit=$(git rev-parse --short HEAD) || exit; printf %s \"$commit\"; ",
                "git diff --quiet HEAD -- ../../crates . || echo +"
            ))
            .replace('\n', ""),
            versions: versions(),
        }
    }

    pub fn to_text(&self) -> String {
        let versions: Vec<String> = self
            .versions
            .iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        format!(
            "{} at commit {}, on {} with {} cores, {} of memory, Linux {}. {}. Versions: {}.\n",
            self.day,
            self.commit,
            self.processor,
            self.cores,
            self.memory,
            self.kernel,
            self.rustc,
            versions.join(", ")
        )
    }

    pub fn to_json(&self) -> Value {
        json!({
            "day": self.day,
            "commit": self.commit,
            "processor": self.processor,
            "cores": self.cores,
            "memory": self.memory,
            "kernel": self.kernel,
            "rustc": self.rustc,
            "versions": self.versions.iter().map(|(name, version)| (*name, version)).collect::<std::collections::BTreeMap<_, _>>(),
        })
    }
}

fn shell(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn versions() -> Vec<(&'static str, String)> {
    let locks = concat!(
        include_str!("../incumbent/Cargo.lock"),
        include_str!("../Cargo.lock")
    );
    [
        "ironrdp-async",
        "ironrdp-bulk",
        "ironrdp-connector",
        "ironrdp-graphics",
        "ironrdp-pdu",
        "ironrdp-session",
        "ironrdp-tls",
        "rustls",
        "tokio",
        "tokio-util",
    ]
    .map(|name| {
        // Ours have no source in the lock file; of the others the incumbent's come first.
        let mut packages = locks.split("[[package]]").filter(|package| {
            package.contains(&format!("name = \"{name}\"\n")) && package.contains("\nsource = ")
        });
        let version = packages
            .next()
            .and_then(|package| package.split("version = \"").nth(1)?.split('"').next());
        (name, version.unwrap_or("?").to_owned())
    })
    .into()
}
