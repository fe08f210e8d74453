//! Where the CPU time of a client goes, by `perf`: the reasons behind the figures.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use bench_common::{Answer, Policy};

use crate::rows::Server;
use crate::stats::{number, table};

/// Who connects to the replayed server, and how the table calls them.
const CONNECTS: [(&str, &str); 3] = [
    ("canned", "canned replay"),
    ("ours", "ours"),
    ("incumbent-ring", "incumbent, ring"),
];

/// Who reads frames over TCP, how the table calls them, and how many bytes one run reads.
const READERS: [(&str, &str, usize); 3] = [
    ("copy", "read and copy", 2_000_000_000),
    ("ours-lent", "ours, `next_frame`", 2_000_000_000),
    ("incumbent", "incumbent", 100_000_000),
];

/// The parts, in the order of the table: whether the kernel's, and how the names of crates or C functions begin.
const PARTS: [(&str, bool, &[&str]); 7] = [
    (
        "kernel: switching tasks",
        true,
        &["finish_task_switch", "__schedule"],
    ),
    (
        "kernel: copying",
        true,
        &[
            "_copy_to_iter",
            "copy_to_iter",
            "_copy_from_iter",
            "rep_movs",
            "copy_user",
        ],
    ),
    ("kernel: the rest", true, &[""]),
    (
        "cryptography (ring, aws-lc)",
        false,
        &[
            "ring", "aws_lc", "__bn_", "bn_", "_bn_", "fe_", "fe4_", "ge_", "fiat_", "aes_", "gcm_",
            "sha256_", "sha512_", "x25519",
        ],
    ),
    (
        "rustls and certificates",
        false,
        &["rustls", "tokio_rustls", "webpki", "x509"],
    ),
    ("runtime (tokio, mio)", false, &["tokio", "mio"]),
    (
        "memory (allocator, memcpy)",
        false,
        &[
            "alloc", "__rust", "malloc", "_int_", "cfree", "free", "realloc", "__mem", "mem",
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
    let mut add = |name: String, who: &str, port: &str, words: &[&str]| -> Answer {
        eprintln!("profile, {name}");
        let shares = profile(server, directory, who, port, words)?;
        let parts = PARTS.iter().map(|(part, ..)| *part).chain([RDP]);
        let cells = parts.map(|part| number(shares.get(part).copied().unwrap_or_default()));
        rows.push(std::iter::once(name).chain(cells).collect());
        Ok(())
    };
    for (who, called) in CONNECTS {
        let words = ["connect-only", who, Policy::Any.name(), "1500"];
        add(format!("connect, any certificate: {called}"), who, "idle", &words)?;
    }
    for (size, written) in [(64, "64 B"), (1024, "1 KiB")] {
        for (who, called, bytes) in READERS {
            let (size, count) = (size.to_string(), (bytes / size).to_string());
            let words = ["frames", who, "tcp", &size, &count];
            add(format!("{written} over TCP: {called}"), who, "frames_tcp", &words)?;
        }
    }
    let mut header = vec!["% of the client's CPU time"];
    header.extend(PARTS.map(|(part, ..)| part));
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
    let in_kernel = object.contains("kernel") || object.contains("vdso");
    let name = origin(symbol);
    PARTS
        .iter()
        .find(|(_, of_kernel, known)| {
            *of_kernel == in_kernel && known.iter().any(|known| name.starts_with(known))
        })
        .map_or(RDP, |(part, ..)| part)
}

/// The crate that a symbol is of, or the symbol itself if it is C's: `<&ring::hkdf::Okm as core::fmt::Debug>::fmt` is of ring.
fn origin(symbol: &str) -> &str {
    let symbol = symbol.strip_prefix("core::ptr::drop_in_place").unwrap_or(symbol);
    let symbol = symbol.trim_start_matches(['<', '&', '[', '(']);
    let symbol = symbol.strip_prefix("__rustc::").unwrap_or(symbol);
    symbol.split("::").next().unwrap_or(symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_count_for_who_they_are_of() {
        let program = |symbol| part("bench-peers", symbol);
        assert_eq!(program("ring_core_0_17_14__fiat_curve25519_adx_mul"), PARTS[3].0);
        assert_eq!(program("<&ring::hkdf::Okm as core::fmt::Debug>::fmt"), PARTS[3].0);
        assert_eq!(
            program("core::ptr::drop_in_place<rustls::ClientConfig>"),
            PARTS[4].0
        );
        assert_eq!(
            program("<alloc::string::String as core::clone::Clone>::clone"),
            PARTS[6].0
        );
        assert_eq!(program("__rustc::__rust_dealloc"), PARTS[6].0);
        assert_eq!(
            program("ironrdp_async::framed::Framed<S>::next_frame::{{closure}}"),
            RDP
        );
        assert_eq!(part("[kernel.kallsyms]", "tcp_sendmsg"), PARTS[2].0);
        assert_eq!(part("[kernel.kallsyms]", "finish_task_switch.isra.0"), PARTS[0].0);
    }
}
