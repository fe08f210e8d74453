//! Where the CPU time of a client goes, by `perf`: the reasons behind the figures.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use bench_common::Answer;

use crate::rows::Server;
use crate::stats::{number, table};

/// What is looked into: a name, who, the server's port, and the task.
const PROFILED: [(&str, &str, &str, &[&str]); 9] = [
    (
        "connect, any certificate: canned replay",
        "canned",
        "idle",
        &["connect-only", "canned", "any", "1500"],
    ),
    (
        "connect, any certificate: ours",
        "ours",
        "idle",
        &["connect-only", "ours", "any", "1500"],
    ),
    (
        "connect, any certificate: incumbent, ring",
        "incumbent-ring",
        "idle",
        &["connect-only", "incumbent-ring", "any", "1500"],
    ),
    (
        "64 B over TCP: read and copy",
        "copy",
        "frames_tcp",
        &["frames", "copy", "tcp", "64", "20000000"],
    ),
    (
        "64 B over TCP: ours, `next_frame`",
        "ours-lent",
        "frames_tcp",
        &["frames", "ours-lent", "tcp", "64", "20000000"],
    ),
    (
        "64 B over TCP: incumbent",
        "incumbent",
        "frames_tcp",
        &["frames", "incumbent", "tcp", "64", "1000000"],
    ),
    (
        "1 KiB over TCP: read and copy",
        "copy",
        "frames_tcp",
        &["frames", "copy", "tcp", "1024", "3000000"],
    ),
    (
        "1 KiB over TCP: ours, `next_frame`",
        "ours-lent",
        "frames_tcp",
        &["frames", "ours-lent", "tcp", "1024", "3000000"],
    ),
    (
        "1 KiB over TCP: incumbent",
        "incumbent",
        "frames_tcp",
        &["frames", "incumbent", "tcp", "1024", "1000000"],
    ),
];

/// The parts, in the order of the table, and how the symbols of each begin or what they contain.
const PARTS: [(&str, &[&str]); 7] = [
    ("kernel: switching tasks", &["finish_task_switch", "__schedule"]),
    (
        "kernel: copying",
        &[
            "copy_user",
            "rep_movs",
            "copyout",
            "_copy_to_iter",
            "copy_to_iter",
        ],
    ),
    ("kernel: the rest", &[]),
    (
        "cryptography (ring)",
        &[
            "ring_core",
            "ring::",
            "_bn_",
            "bn_",
            "fe4_",
            "fe_",
            "fiat_",
            "aes_",
            "sha256",
            "sha512",
            "gcm_",
        ],
    ),
    ("rustls and certificates", &["rustls", "webpki", "x509"]),
    ("runtime (tokio, mio)", &["tokio", "mio::"]),
    (
        "memory (allocator, memcpy)",
        &[
            "malloc", "free", "realloc", "memmove", "memcpy", "memset", "alloc::",
        ],
    ),
];
const RDP: &str = "RDP and the rest of the program";

/// Shares of the time in percent by part.
type Shares = BTreeMap<&'static str, f64>;

/// A table of all, or why there is none.
pub fn run(server: &Server, directory: &str) -> Answer<String> {
    if Command::new("perf")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        return Ok("\n## Profiles\n\nNone: there is no `perf` on this machine.\n".to_owned());
    }
    let mut rows = Vec::new();
    for (name, who, port, words) in PROFILED {
        eprintln!("profile, {name}");
        let shares = profile(server, directory, who, port, words)?;
        let mut cells = vec![name.to_owned()];
        let parts = PARTS.iter().map(|(part, _)| *part).chain([RDP]);
        cells.extend(parts.map(|part| number(shares.get(part).copied().unwrap_or_default())));
        rows.push(cells);
    }
    let mut header = vec!["% of the client's CPU time"];
    header.extend(PARTS.map(|(part, _)| part));
    header.push(RDP);
    Ok(format!("\n## Profiles\n\n{}", table(&header, &rows)))
}

fn profile(server: &Server, directory: &str, who: &str, port: &str, words: &[&str]) -> Answer<Shares> {
    let data = format!("{directory}/perf.data");
    let mut record = Command::new("perf");
    record.args([
        "record",
        "-q",
        "-e",
        "cpu-clock",
        "-F",
        "10000",
        "-o",
        &data,
        "--",
    ]);
    server.child_of(&mut record, who, port, words)?;
    let output = record.stdout(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(format!("perf: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let report = Command::new("perf")
        .args([
            "report", "-i", &data, "--stdio", "-q", "-g", "none", "--sort", "dso,sym", "-t", "\t",
        ])
        .output()?;
    let mut shares = Shares::new();
    for line in String::from_utf8_lossy(&report.stdout).lines() {
        let mut fields = line.split('\t').map(str::trim);
        let (Some(share), Some(object), Some(symbol)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let Ok(share) = share.trim_end_matches('%').parse::<f64>() else {
            continue;
        };
        let symbol = symbol.trim_start_matches("[k] ").trim_start_matches("[.] ");
        *shares.entry(part(object, symbol)).or_default() += share;
    }
    Ok(shares)
}

fn part(object: &str, symbol: &str) -> &'static str {
    let is_kernel = object.contains("kernel") || object.contains("vdso");
    let of = |(name, symbols): &(&'static str, &[&str])| {
        let matches = symbols.iter().any(|known| symbol.contains(known));
        (matches && name.starts_with("kernel") == is_kernel).then_some(*name)
    };
    match PARTS.iter().find_map(of) {
        Some(name) => name,
        None if is_kernel => "kernel: the rest",
        None => RDP,
    }
}
