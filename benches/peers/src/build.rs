//! What it takes to build a program with either stack.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use bench_common::Answer;
use bench_common::measure::children_cpu;

pub struct Row {
    pub name: &'static str,
    pub crates: usize,
    pub cpu_seconds: f64,
    pub stripped_kb: f64,
}

impl Row {
    pub fn to_json(&self) -> Value {
        json!({
            "crates": self.crates,
            "cpu_seconds": self.cpu_seconds,
            "stripped_kb": self.stripped_kb,
        })
    }
}

/// The row of ours without network level authentication; the incumbent cannot be had without.
pub const WITHOUT_NLA: &str = "ours, without NLA";

const OURS: &str = include_str!("../programs/ours.rs");
const INCUMBENT: &str = include_str!("../programs/incumbent.rs");

const MANIFEST: &str = "\
[package]
name = \"program\"
version = \"0.0.0\"
edition = \"2024\"

[workspace]

[profile.release]
strip = true

[dependencies]
tokio = { version = \"1\", features = [\"rt\", \"net\", \"time\"] }
";

pub fn run(directory: &str) -> Answer<Vec<Row>> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates");
    let ours = |features: &str| {
        let mut text = String::new();
        for name in ["tokio", "connector", "session", "graphics", "tls"] {
            let has_nla = matches!(name, "tokio" | "connector");
            let features = if has_nla { features } else { "" };
            text.push_str(&format!(
                "ironrdp-{name} = {{ path = {:?}{features} }}\n",
                crates.join(format!("ironrdp-{name}"))
            ));
        }
        text
    };
    let incumbent = |tls: &str| {
        let versions = [
            ("async", "0.12"),
            ("connector", "0.12"),
            ("graphics", "0.11"),
            ("pdu", "0.11"),
            ("session", "0.13"),
            ("tokio", "0.12"),
        ];
        let mut text: String = versions
            .map(|(name, version)| format!("ironrdp-{name} = {version:?}\n"))
            .concat();
        text.push_str(&format!(
            "ironrdp-tls = {{ version = \"0.3\", features = [{tls:?}] }}\n"
        ));
        text
    };
    Ok(vec![
        build(WITHOUT_NLA, directory, &ours(", default-features = false"), OURS)?,
        build("ours, with NLA", directory, &ours(""), OURS)?,
        build("incumbent, aws-lc-rs", directory, &incumbent("rustls"), INCUMBENT)?,
        build("incumbent, ring", directory, &incumbent("rustls-ring"), INCUMBENT)?,
    ])
}

fn build(name: &'static str, directory: &str, dependencies: &str, program: &str) -> Answer<Row> {
    eprintln!("build, {name}");
    let package = Path::new(directory).join(name.replace([',', ' '], "-"));
    std::fs::create_dir_all(package.join("src"))?;
    std::fs::write(package.join("Cargo.toml"), format!("{MANIFEST}{dependencies}"))?;
    std::fs::write(package.join("src/main.rs"), program)?;
    let cargo = |words: &[&str]| {
        let mut command = Command::new("cargo");
        command.args(words).current_dir(&package);
        command.env_remove("CARGO_TARGET_DIR").stderr(Stdio::inherit());
        command
    };
    let tree = cargo(&["tree", "-q", "--edges", "normal,build", "--prefix", "none"]).output()?;
    let mut crates: Vec<&str> = std::str::from_utf8(&tree.stdout)?
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty())
        .collect();
    crates.sort_unstable();
    crates.dedup();
    if !cargo(&["fetch", "-q"]).status()?.success() {
        return Err("cargo fetch did not work".into());
    }
    let before = children_cpu();
    if !cargo(&["build", "-q", "--release", "-j1"]).status()?.success() {
        return Err(format!("{name} does not build").into());
    }
    let cpu = children_cpu() - before;
    let program = package.join("target/release/program");
    let stripped = std::fs::metadata(program)?.len();
    let row = Row {
        name,
        // The program itself is none.
        crates: crates.len() - 1,
        cpu_seconds: cpu.as_secs_f64(),
        stripped_kb: stripped as f64 / 1e3,
    };
    std::fs::remove_dir_all(package)?;
    Ok(row)
}
