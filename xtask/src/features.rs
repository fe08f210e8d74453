//! The combinations of features that the workspace as a whole does not build: there, one crate's features are every crate's.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::fail::{Outcome, fail};
use crate::process::run_ok;
use crate::visible::{Deadline, run_tests, run_visibly};
use crate::workspace::cargo;

/// Builds of a library alone, each by itself: several at once would lend each other their features.
const LIBRARIES: &[(&str, &[&str])] = &[
    // A runtime of one's own, with its own timer.
    ("ironrdp-async", &[]),
    ("ironrdp-async", &["--no-default-features"]),
    (
        "ironrdp-async",
        &["--no-default-features", "--features", "connect"],
    ),
    ("ironrdp-async", &["--no-default-features", "--features", "tls"]),
    (
        "ironrdp-async",
        &["--no-default-features", "--features", "kdc-proxy"],
    ),
    ("ironrdp-futures", &["--no-default-features"]),
    ("ironrdp-futures", &["--no-default-features", "--features", "nla"]),
    (
        "ironrdp-futures",
        &["--no-default-features", "--features", "connect"],
    ),
    (
        "ironrdp-futures",
        &["--no-default-features", "--features", "async-io,connect"],
    ),
    (
        "ironrdp-futures",
        &["--no-default-features", "--features", "async-io"],
    ),
    ("ironrdp-blocking", &["--no-default-features"]),
    (
        "ironrdp-blocking",
        &["--no-default-features", "--features", "connect"],
    ),
    (
        "ironrdp-blocking",
        &["--no-default-features", "--features", "kdc-proxy"],
    ),
    ("ironrdp-tokio", &["--features", "metrics"]),
    ("ironrdp-futures", &["--features", "metrics"]),
    ("ironrdp-blocking", &["--features", "metrics"]),
    ("ironrdp-tokio", &["--features", "kdc-proxy"]),
    (
        "ironrdp-futures",
        &["--no-default-features", "--features", "kdc-proxy"],
    ),
    ("ironrdp-blocking", &["--features", "kdc-proxy"]),
    ("ironrdp", &["--no-default-features"]),
    (
        "ironrdp",
        &[
            "--no-default-features",
            "--features",
            "tokio,futures,blocking,server",
        ],
    ),
];

/// Crates whose tests run without network level authentication too.
const WITHOUT_NLA: &[&str] = &[
    "--locked",
    "--package",
    "ironrdp-connector",
    "--package",
    "ironrdp-tokio",
    "--package",
    "ironrdp-blocking",
    "--package",
    "ironrdp-cli",
    "--no-default-features",
    "--features",
    "ironrdp-blocking/connect",
];

/// Most crates that `ironrdp-tokio` may be without network level authentication. It is fifty; with it, three times as many:
/// a dependency that forgets to leave its default features out brings them all back.
const MAX_CRATES_WITHOUT_NLA: usize = 70;

/// Checks every combination and runs the tests of some.
pub(crate) fn features(deadline: Deadline) -> Outcome<()> {
    few_crates_without_nla()?;
    for (package, features) in LIBRARIES {
        run_visibly(
            cargo()
                .args(["clippy", "--locked", "--lib", "--package", package])
                .args(*features)
                .args(["--", "-D", "warnings"]),
            deadline,
        )?;
    }
    run_visibly(
        cargo()
            .arg("clippy")
            .args(WITHOUT_NLA)
            .args(["--all-targets", "--", "-D", "warnings"]),
        deadline,
    )?;
    // Without the examples in the documentation, which are for who takes all.
    run_tests(cargo().arg("test").args(WITHOUT_NLA).arg("--tests"), deadline)
}

fn few_crates_without_nla() -> Outcome<()> {
    let listed = run_ok(
        cargo().args([
            "tree",
            "--locked",
            "--package",
            "ironrdp-tokio",
            "--no-default-features",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ]),
        Duration::from_secs(120),
    )?;
    let crates = count(&String::from_utf8_lossy(&listed.stdout));
    println!("ironrdp-tokio without NLA: {crates} crates");
    // A tree of nothing would be few crates, too.
    if (10..=MAX_CRATES_WITHOUT_NLA).contains(&crates) {
        Ok(())
    } else {
        fail(format!(
            "ironrdp-tokio without NLA is {crates} crates, and {MAX_CRATES_WITHOUT_NLA} are allowed"
        ))
    }
}

/// Different crates in what `cargo tree` prints without indentation.
fn count(tree: &str) -> usize {
    let name_and_version = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    tree.lines()
        .filter_map(name_and_version)
        .collect::<BTreeSet<_>>()
        .len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_counted_once_a_version() {
        let tree = "ironrdp-tokio v0.1.0 (/src)\nbytes v1.10.0\nrand v0.8.5\nrand v0.9.1\n\nbytes v1.10.0\nrand v0.8.5 (*)\n";
        assert_eq!(count(tree), 4);
    }
}
