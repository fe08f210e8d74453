//! `cargo xtask bench-peers`: this project and other RDP crates on the same work, in the workspace `benches/peers`.

use crate::fail::Outcome;
use crate::workspace::{cargo, root, run_visibly};

/// The task's name on the command line.
pub(crate) const TASK: &str = "bench-peers";

/// Builds the comparison and runs it with `arguments`; it prints its tables.
pub(crate) fn bench_peers(arguments: &[String]) -> Outcome<()> {
    run_visibly(
        cargo()
            .args(["run", "--release", "--locked", "--manifest-path"])
            .arg(root().join("benches/peers/Cargo.toml"))
            .arg("--")
            .args(arguments),
    )
}
