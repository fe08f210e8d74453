//! Holds the walls of the house: which crate may depend on which, and what may not be named below the I/O line.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace crates each crate may depend on (normal dependencies). Arrows point down only.
const EDGES: &[(&str, &[&str])] = &[
    ("ironrdp-core", &[]),
    ("ironrdp-pdu", &["core"]),
    ("ironrdp-graphics", &["core"]),
    ("ironrdp-bulk", &["core"]),
    ("ironrdp-connector", &["core", "pdu"]),
    ("ironrdp-session", &["core", "pdu", "graphics", "bulk"]),
    ("ironrdp-tls", &[]),
    (
        "ironrdp-async",
        &["core", "pdu", "graphics", "connector", "session", "tls"],
    ),
    (
        "ironrdp-tokio",
        &["core", "pdu", "graphics", "connector", "session", "async", "tls"],
    ),
    (
        "ironrdp-futures",
        &["core", "pdu", "graphics", "connector", "session", "async", "tls"],
    ),
    (
        "ironrdp-blocking",
        &["core", "pdu", "graphics", "connector", "session", "async", "tls"],
    ),
    (
        "ironrdp-testkit",
        &[
            "core",
            "pdu",
            "graphics",
            "bulk",
            "connector",
            "session",
            "async",
            "server",
        ],
    ),
    (
        "ironrdp",
        &[
            "core",
            "pdu",
            "graphics",
            "bulk",
            "connector",
            "session",
            "tls",
            "async",
            "tokio",
            "futures",
            "blocking",
            "server",
        ],
    ),
    (
        "ironrdp-cli",
        &[
            "core",
            "pdu",
            "graphics",
            "connector",
            "session",
            "tls",
            "async",
            "tokio",
            "server",
        ],
    ),
    (
        "ironrdp-server",
        &[
            "core",
            "pdu",
            "graphics",
            "bulk",
            "connector",
            "async",
            "tokio",
            "tls",
        ],
    ),
    ("xtask", &[]),
];

/// Crates without I/O: no runtime, no socket, no clock, no random source.
const BELOW_IO: &[&str] = &[
    "ironrdp-core",
    "ironrdp-pdu",
    "ironrdp-graphics",
    "ironrdp-bulk",
    "ironrdp-connector",
    "ironrdp-session",
];

/// What those crates must not name.
const FORBIDDEN_BELOW_IO: &[&str] = &[
    "tokio",
    "async_std",
    "smol",
    "std::net",
    "std::thread",
    "std::fs",
    "time::Instant",
    "time::SystemTime",
    "getrandom",
    "rand::",
    "OsRng",
    "rustls",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

/// Package name to its normal dependencies and the directory it is in.
fn packages() -> BTreeMap<String, (BTreeSet<String>, PathBuf)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut packages = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let dependencies = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|dependency| dependency["kind"].is_null())
            .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
            .collect();
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        packages.insert(
            package["name"].as_str().unwrap().to_owned(),
            (dependencies, manifest.parent().unwrap().to_owned()),
        );
    }
    packages
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The lines of a source file that are code, up to its unit tests.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn crates_depend_only_on_crates_below_them() {
    let packages = packages();
    for (name, (dependencies, _)) in &packages {
        let allowed = EDGES
            .iter()
            .find(|(known, _)| known == name)
            .unwrap_or_else(|| panic!("{name} has no row in the table of allowed edges"))
            .1;
        for dependency in dependencies
            .iter()
            .filter(|dependency| packages.contains_key(*dependency))
        {
            let short = dependency.strip_prefix("ironrdp-").unwrap_or(dependency);
            assert!(allowed.contains(&short), "{name} must not depend on {dependency}");
        }
        for dependency in dependencies
            .iter()
            .filter(|dependency| dependency.starts_with("ironrdp"))
        {
            assert!(
                packages.contains_key(dependency),
                "{name} takes {dependency} from outside this workspace"
            );
        }
    }
    for (name, _) in EDGES {
        assert!(
            packages.contains_key(*name),
            "the table of allowed edges names {name}, which does not exist"
        );
    }
}

#[test]
fn nothing_below_the_io_line_names_a_runtime_a_socket_a_clock_or_a_random_source() {
    let packages = packages();
    let mut looked_at = 0;
    for name in BELOW_IO {
        let (dependencies, directory) = &packages[*name];
        for forbidden in ["tokio", "getrandom", "rand", "rustls", "socket2", "mio"] {
            assert!(!dependencies.contains(forbidden), "{name} depends on {forbidden}");
        }
        let mut files = Vec::new();
        sources(&directory.join("src"), &mut files);
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for (number, line) in code_lines(&text) {
                looked_at += 1;
                for forbidden in FORBIDDEN_BELOW_IO {
                    assert!(
                        !line.contains(forbidden),
                        "{}:{}: names {forbidden}",
                        file.display(),
                        number + 1
                    );
                }
            }
        }
    }
    assert!(looked_at > 1_000, "only {looked_at} lines looked at");
}

#[test]
fn every_library_forbids_unsafe_code_and_denies_missing_docs() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("missing_docs = \"deny\""));
    for (name, (_, directory)) in packages() {
        let library = directory.join("src/lib.rs");
        if let Ok(text) = fs::read_to_string(&library) {
            assert!(
                text.contains("#![forbid(unsafe_code)]"),
                "{name} does not forbid unsafe code"
            );
        }
        let manifest = fs::read_to_string(directory.join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{name} does not take the workspace's lints"
        );
        for switched_off in ["\ntest = false", "\ndoctest = false"] {
            assert!(!manifest.contains(switched_off), "{name} switches tests off");
        }
    }
}

#[test]
fn crates_without_std_stay_without_it() {
    for name in ["core", "pdu", "graphics", "bulk"] {
        let text = fs::read_to_string(root().join(format!("crates/ironrdp-{name}/src/lib.rs"))).unwrap();
        assert!(
            text.contains("no_std"),
            "ironrdp-{name} lost its no_std attribute"
        );
    }
}
