//! Where the project is, and cargo run in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::client;
use crate::fail::Outcome;
use crate::visible::{Deadline, run_visibly};

/// The top of the workspace.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The cargo that started us, or the one on the path.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Where cargo builds the workspace.
pub(crate) fn target_directory() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    // A relative one counts from where cargo runs.
    root().join(target)
}

/// The client made of Devolutions' published crates, which has a workspace of its own.
pub(crate) fn published_client() -> PathBuf {
    root().join("benches/peers/target/debug/client")
}

/// Builds that client and the side of the comparison beside it, where warnings are errors. Says how long it took: it is
/// some 230 crates.
pub(crate) fn build_published_client() -> Outcome<()> {
    println!("building the client of the published crates");
    let started = Instant::now();
    run_visibly(
        cargo()
            .args(["build", "--quiet", "--locked", "--bins"])
            .args(["--manifest-path", "benches/peers/incumbent/Cargo.toml"])
            .args(["--target-dir", "benches/peers/target"]),
        Deadline::minutes(15),
    )?;
    println!("built it in {:.0} s", started.elapsed().as_secs_f32());
    Ok(())
}

/// Builds the `ironrdp` command, and its example beside it, and gives the path of the command.
pub(crate) fn build_client(release: bool) -> Outcome<PathBuf> {
    let mut command = cargo();
    command.args([
        "build",
        "--quiet",
        "--package",
        "ironrdp-cli",
        "--bin",
        "ironrdp",
        "--example",
        "concurrent",
    ]);
    if release {
        command.arg("--release");
    }
    run_visibly(&mut command, Deadline::minutes(15))?;
    client::program(
        &target_directory()
            .join(if release { "release" } else { "debug" })
            .join("ironrdp"),
    )
}
