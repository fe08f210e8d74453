//! Replays the fuzz corpus and everything that fuzzing ever found through the same oracles.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};

use ironrdp_testkit::{Rng, oracles, vectors};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn inputs(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect()
}

/// Runs an oracle and names the input if it panics.
fn replay((name, oracle): oracles::Oracle, from: &str, bytes: &[u8]) {
    let result = std::panic::catch_unwind(|| oracle(bytes));
    assert!(result.is_ok(), "{name}: {from}");
}

#[test]
fn the_corpus_and_past_finds_hold() {
    for oracle in oracles::ALL {
        let corpus = inputs(&fuzz().join("corpus").join(oracle.0));
        let seeds = corpus.iter().filter(|(name, _)| !name.contains("/find-")).count();
        assert!((1..=20).contains(&seeds), "{} has {seeds} seeds", oracle.0);
        for (name, bytes) in corpus {
            replay(*oracle, &name, &bytes);
        }
    }
}

#[test]
fn every_target_has_an_oracle_and_every_oracle_a_target() {
    let mut targets: Vec<String> = fs::read_dir(fuzz().join("fuzz_targets"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    targets.sort();
    let names: Vec<&str> = oracles::ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(targets, names);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for (name, _) in oracles::ALL {
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} is not in the manifest"
        );
    }
}

/// Seeds that stop half-way would teach the fuzzer nothing of the other half.
#[test]
fn recorded_connections_come_to_a_session_again() {
    let recorded = |target: &str| -> Vec<(String, Vec<u8>)> {
        inputs(&fuzz().join("corpus").join(target))
            .into_iter()
            // 40 is the one that the server denies.
            .filter(|(path, _)| path.contains("/connection_") && !path.ends_with("_40"))
            .collect()
    };
    // Not those of `nla`: NTLM's challenge is new each time, so a recorded answer never fits.
    for target in ["client", "acceptor", "server"] {
        let seeds = recorded(target);
        assert!(seeds.len() > 1, "{target}");
        for (path, bytes) in seeds {
            let ends_well = match target {
                "client" => oracles::connects(&bytes),
                "server" => oracles::serves(&bytes),
                _ => oracles::accepts(&bytes),
            };
            assert!(ends_well, "{path}");
        }
    }
}

#[test]
fn recorded_sessions_are_understood_to_their_end() {
    let seeds = inputs(&fuzz().join("corpus/server_session"));
    assert!(seeds.len() > 10);
    for (path, bytes) in seeds.into_iter().filter(|(path, _)| !path.contains("/find-")) {
        assert!(oracles::plays(&bytes), "{path}");
    }
}

#[test]
fn vectors_hold_under_every_oracle() {
    for package in ["ironrdp-pdu", "ironrdp-graphics", "ironrdp-bulk"] {
        for vector in vectors::load_all(package).unwrap() {
            for oracle in oracles::ALL {
                replay(*oracle, &vector.name, &vector.bytes);
            }
        }
    }
}

#[test]
fn seeds_with_a_few_bytes_changed_hold() {
    let mut rng = Rng::new(0x5eed);
    for oracle in oracles::ALL {
        for (name, seed) in inputs(&fuzz().join("corpus").join(oracle.0)) {
            for round in 0..40 {
                let mut bytes = seed.clone();
                for _ in 0..1 + rng.below(4) {
                    let at = rng.below(bytes.len());
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = rng.bytes(1)[0];
                    }
                }
                bytes.truncate(bytes.len().saturating_sub(rng.below(3)));
                replay(*oracle, &format!("{name}, round {round}"), &bytes);
            }
        }
    }
}
