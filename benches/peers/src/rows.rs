//! The measured rows, section by section: who is run, how often, and in which order.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bench_common::{Answer, Policy};
use serde_json::Value;

use crate::Options;
use crate::stats::Series;

/// The figures of one contender by name, each in as many rounds as were run.
pub type Figures = BTreeMap<String, Series>;

/// The server's process; it ends with this value.
pub struct Server {
    child: Child,
    ports: Value,
    directory: String,
    /// Another one with network level authentication.
    foreign: Option<(u16, String)>,
    /// The program of the other side.
    incumbent: PathBuf,
}

impl Server {
    pub fn start(directory: &str, options: &Options) -> Answer<Self> {
        let incumbent = build_incumbent()?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["server", directory])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let facts: Value = serde_json::from_str(&line)?;
        Ok(Self {
            child,
            ports: facts["ports"].clone(),
            directory: directory.to_owned(),
            foreign: options.nla.clone(),
            incumbent,
        })
    }

    /// The program a contender is part of.
    fn program(&self, who: &str) -> Answer<PathBuf> {
        if who.starts_with("incumbent") {
            return Ok(self.incumbent.clone());
        }
        Ok(std::env::current_exe()?)
    }

    fn child_arguments(&self, command: &mut Command, port: &str, words: &[&str]) {
        if let (FOREIGN, Some((port, certificate))) = (port, &self.foreign) {
            command.arg(port.to_string()).arg(certificate).args(words);
            return;
        }
        // The floor that speaks TLS from the first byte.
        let port = if words.contains(&"tls") && port == "idle" {
            "tls"
        } else {
            port
        };
        command
            .arg(self.ports[port].to_string())
            .arg(format!("{}/certificate.der", self.directory))
            .args(words);
        if words.contains(&Policy::Roots.name()) {
            command.env("SSL_CERT_FILE", format!("{}/roots.pem", self.directory));
        }
    }

    /// Adds a child's program and its arguments to a command that watches it.
    pub fn child_of(&self, watcher: &mut Command, who: &str, port: &str, words: &[&str]) -> Answer {
        watcher.arg(self.program(who)?);
        if !who.starts_with("incumbent") {
            watcher.arg("child");
        }
        self.child_arguments(watcher, port, words);
        Ok(())
    }

    /// Runs one child and reads its figures.
    fn measure(&self, who: &str, port: &str, words: &[&str]) -> Answer<Value> {
        let mut command = Command::new(self.program(who)?);
        if !who.starts_with("incumbent") {
            command.arg("child");
        }
        self.child_arguments(&mut command, port, words);
        let output = command.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(format!("{words:?} ended with {}", output.status).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// System calls of each connection: what 20 more of them cost.
    fn system_calls(&self, task: &str, who: &str, port: &str, policy: Policy) -> Answer<Option<f64>> {
        let mut totals = [0.0; 2];
        for (total, count) in totals.iter_mut().zip(["2", "22"]) {
            let report = format!("{}/strace", self.directory);
            let mut command = Command::new("strace");
            command.args(["-f", "-c", "-U", "calls,name", "-o", &report]);
            let words = [task, who, policy.name(), count];
            self.child_of(&mut command, who, port, &words)?;
            let Ok(output) = command.output() else {
                return Ok(None);
            };
            if !output.status.success() {
                return Ok(None);
            }
            let report = std::fs::read_to_string(&report)?;
            let line = report
                .lines()
                .find(|line| line.ends_with(" total"))
                .ok_or("strace has no total")?;
            *total = line.split_whitespace().next().ok_or("an empty total")?.parse()?;
        }
        Ok(Some((totals[1] - totals[0]) / 20.0))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its standard input is its sign to leave.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Builds the other side's program beside this one.
fn build_incumbent() -> Answer<PathBuf> {
    let program = std::env::current_exe()?;
    let directory = program.parent().ok_or("a program is in a directory")?;
    let target = directory.parent().ok_or("no target directory")?;
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("incumbent/Cargo.toml");
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(target)
        .status()?;
    if !status.success() {
        return Err("the incumbent's program does not build".into());
    }
    Ok(target.join("release/bench-incumbent"))
}

fn collect(figures: &mut Figures, values: &Value) {
    for (name, value) in values.as_object().into_iter().flatten() {
        if let Some(value) = value.as_f64() {
            figures.entry(name.clone()).or_default().0.push(value);
        }
    }
}

/// The port of the server with network level authentication that somebody else wrote.
const FOREIGN: &str = "foreign";

/// Who connects under which policy.
pub const CONNECTIONS: [(&str, Policy); 11] = [
    ("tls", Policy::Any),
    ("canned", Policy::Any),
    ("ours", Policy::Any),
    ("incumbent", Policy::Any),
    ("incumbent-ring", Policy::Any),
    ("ours", Policy::Pin),
    ("incumbent", Policy::Pin),
    ("incumbent-ring", Policy::Pin),
    ("ours", Policy::Roots),
    ("incumbent", Policy::Roots),
    ("incumbent-ring", Policy::Roots),
];

pub type ByConnection = Vec<((&'static str, Policy), Figures)>;

pub fn connect(server: &Server, options: &Options) -> Answer<ByConnection> {
    let mut all: ByConnection = CONNECTIONS.map(|key| (key, Figures::new())).into();
    for round in 0..options.rounds() {
        eprintln!("connect, round {}", round + 1);
        for ((who, policy), figures) in &mut all {
            let values = server.measure(who, "idle", &["connect", who, policy.name(), "40"])?;
            collect(figures, &values);
        }
    }
    eprintln!("connect, system calls");
    for ((who, policy), figures) in &mut all {
        if let Some(calls) = server.system_calls("connect-only", who, "idle", *policy)? {
            figures.insert("system_calls".to_owned(), Series(vec![calls]));
        }
    }
    Ok(all)
}

/// With network level authentication. There is no floor: an answer to a challenge cannot be canned.
pub fn connect_nla(server: &Server, options: &Options, is_foreign: bool) -> Answer<ByConnection> {
    // A connection to the foreign one takes a tenth of a second, of which the client works a hundredth.
    let (port, count) = if is_foreign {
        (FOREIGN, "20")
    } else {
        ("nla", "40")
    };
    let mut all: ByConnection = CONNECTIONS
        .into_iter()
        .filter(|(who, policy)| !matches!(*who, "tls" | "canned") && *policy != Policy::Roots)
        .map(|key| (key, Figures::new()))
        .collect();
    for round in 0..options.rounds() {
        eprintln!("connect with NLA, port {port}, round {}", round + 1);
        for ((who, policy), figures) in &mut all {
            let values = server.measure(who, port, &["connect-nla", who, policy.name(), count])?;
            collect(figures, &values);
        }
    }
    for ((who, policy), figures) in &mut all {
        if let Some(calls) = server.system_calls("connect-nla-only", who, port, *policy)? {
            figures.insert("system_calls".to_owned(), Series(vec![calls]));
        }
    }
    Ok(all)
}

pub fn cold(server: &Server, options: &Options) -> Answer<ByConnection> {
    // A canned client has to connect twice to know its lines.
    let mut all: ByConnection = CONNECTIONS
        .into_iter()
        .filter(|(who, _)| *who != "canned")
        .map(|key| (key, Figures::new()))
        .collect();
    for round in 0..options.rounds() {
        eprintln!("cold, round {}", round + 1);
        for ((who, policy), figures) in &mut all {
            collect(
                figures,
                &server.measure(who, "idle", &["cold", who, policy.name()])?,
            );
        }
    }
    Ok(all)
}

/// What an idle session is made of, the port of the server that brings it there, and who can be in that state.
pub const IDLE: [(&str, &str, &[&str]); 4] = [
    ("connected", "idle", &["tls", "ours", "incumbent-ring"]),
    ("active", "idle", &["ours", "incumbent-ring"]),
    ("mppc", "mppc", &["ours", "incumbent-ring"]),
    ("painted", "painted", &["ours", "incumbent-ring"]),
];

pub type ByState = Vec<((&'static str, &'static str), BTreeMap<usize, Figures>)>;

pub fn idle(server: &Server, options: &Options) -> Answer<ByState> {
    let mut all = ByState::new();
    for (state, port, contenders) in IDLE {
        let counts = match (options.quick, state) {
            (true, _) => "100",
            // 3 MB of pixels each: 2,000 of them say nothing new.
            (_, "painted") => "100,500",
            _ => "100,500,2000",
        };
        for round in 0..options.rounds().min(2) {
            for who in contenders {
                eprintln!("idle, {state}, {}, round {}", who, round + 1);
                let values = server.measure(who, port, &["idle", who, state, counts])?;
                let key = (state, *who);
                let index = all
                    .iter()
                    .position(|(known, _)| *known == key)
                    .unwrap_or_else(|| {
                        all.push((key, BTreeMap::new()));
                        all.len() - 1
                    });
                for (count, figures) in values.as_object().into_iter().flatten() {
                    collect(all[index].1.entry(count.parse()?).or_default(), figures);
                }
            }
        }
    }
    Ok(all)
}

/// Who reads frames, and how they are called in the table.
pub const WAYS: [(&str, &str); 6] = [
    ("incumbent", "incumbent `read_pdu`"),
    ("ours", "ours `read_pdu`"),
    ("ours-lent", "ours `next_frame`"),
    ("tokio-util", "tokio-util `LengthDelimitedCodec`, 8 KiB"),
    ("tokio-util-large", "tokio-util, decoder by hand, 64 KiB"),
    ("copy", "floor: read and copy, no frames"),
];

pub const MEDIA: [&str; 3] = ["memory", "tcp", "tls"];

/// Frame sizes, and how many of them one run reads.
pub const SIZES: [(usize, usize); 3] = [(64, 400_000), (1024, 150_000), (16 * 1024, 15_000)];

pub type ByFrame = Vec<((&'static str, usize, &'static str), Figures)>;

pub fn frames(server: &Server, options: &Options) -> Answer<ByFrame> {
    let mut all = ByFrame::new();
    for medium in MEDIA {
        for (size, _) in SIZES {
            all.extend(WAYS.map(|(who, _)| ((medium, size, who), Figures::new())));
        }
    }
    for round in 0..options.rounds() {
        eprintln!("frames, round {}", round + 1);
        for ((medium, size, who), figures) in &mut all {
            let count = SIZES
                .iter()
                .find(|(known, _)| known == size)
                .map_or(0, |(_, count)| *count);
            let port = if *medium == "tls" {
                "frames_tls"
            } else {
                "frames_tcp"
            };
            let words = ["frames", who, medium, &size.to_string(), &count.to_string()];
            collect(figures, &server.measure(who, port, &words)?);
        }
    }
    Ok(all)
}

/// A decoder's name, and the figures of both.
pub type ByDecoder = Vec<(String, Figures, Figures)>;

pub fn decode(server: &Server, options: &Options) -> Answer<ByDecoder> {
    let mut all: ByDecoder = bench_common::cases()
        .into_iter()
        .map(|(name, _)| (name.to_owned(), Figures::new(), Figures::new()))
        .collect();
    for round in 0..options.rounds() {
        eprintln!("decoders, round {}", round + 1);
        let theirs = server.measure("incumbent", "idle", &["decode", &server.directory])?;
        let ours = server.measure("ours", "idle", &["decode", &server.directory])?;
        for (name, our_figures, their_figures) in &mut all {
            collect(our_figures, &ours[name.as_str()]);
            collect(their_figures, &theirs[name.as_str()]);
        }
    }
    Ok(all)
}
