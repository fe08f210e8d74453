//! `cargo xtask fuzz`: cargo-fuzz on the targets in `fuzz/`, each for a given time.

use std::process::Command;
use std::time::Duration;

use crate::fail::{Context, Outcome, fail};
use crate::process::run;
use crate::visible::{Deadline, run_visibly};
use crate::workspace::{cargo, root};

/// Largest input in bytes. The longest fast-path PDU has 32,767; a decoder that is wrong is wrong on less.
const MAX_INPUT: u32 = 33_000;

/// Memory in MiB above which a single input counts as a find.
const MAX_MEMORY: u32 = 1024;

/// What building may take, before and beside the fuzzing.
const BUILD_MINUTES: u64 = 20;

/// Fuzzes one target, or every one in turn.
pub(crate) fn fuzz(arguments: &[String]) -> Outcome<()> {
    let mut minutes = 10_u32;
    let mut chosen = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--minutes" => match rest.next().and_then(|text| text.parse().ok()) {
                Some(number @ 1..=1440) => minutes = number,
                _ => return fail("--minutes takes a number from 1 to 1440"),
            },
            name if !name.starts_with('-') && chosen.is_none() => chosen = Some(name.to_owned()),
            other => return fail(format!("unknown argument {other}")),
        }
    }
    if !succeeds(cargo().args(["fuzz", "--version"])) {
        println!("installing cargo-fuzz");
        run_visibly(
            cargo().args(["install", "cargo-fuzz", "--locked"]),
            Deadline::minutes(BUILD_MINUTES),
        )?;
    }
    let targets = targets()?;
    let selected: Vec<&String> = targets
        .iter()
        .filter(|target| chosen.as_ref().is_none_or(|name| name == *target))
        .collect();
    if selected.is_empty() {
        return fail(format!("no such fuzz target; there are {}", targets.join(", ")));
    }
    for target in selected {
        println!("\n=== {target}: {minutes} min ===");
        // What the fuzzer learns goes into the first folder: the seeds in the repository stay few and small.
        let learned = root().join("fuzz/target/corpus").join(target);
        std::fs::create_dir_all(&learned).context("the corpus of the fuzzer")?;
        let seeds = root().join("fuzz/corpus").join(target);
        run_visibly(
            sanitizing_cargo()
                .args(["fuzz", "run", target])
                .args([&learned, &seeds])
                .arg("--")
                .arg(format!("-max_total_time={}", u64::from(minutes) * 60))
                .arg(format!("-max_len={MAX_INPUT}"))
                .arg(format!("-rss_limit_mb={MAX_MEMORY}"))
                .args(["-timeout=10", "-print_final_stats=1"]),
            Deadline::minutes(u64::from(minutes) + BUILD_MINUTES),
        )?;
    }
    Ok(())
}

/// Names of the targets, as cargo-fuzz lists them.
fn targets() -> Outcome<Vec<String>> {
    let listed = run(sanitizing_cargo().args(["fuzz", "list"]), Duration::from_secs(60))?;
    if !listed.status.success() {
        return fail(format!("cargo fuzz list: {}", listed.stderr.trim()));
    }
    let text = String::from_utf8(listed.stdout).context("cargo fuzz list")?;
    Ok(text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect())
}

/// The sanitizers are unstable: a nightly compiler where there is one, else the stable one told to allow them.
fn sanitizing_cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root());
    // These would pin the toolchain that built this program.
    for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(variable);
    }
    if succeeds(
        Command::new("cargo")
            .args(["+nightly", "--version"])
            .env_remove("RUSTUP_TOOLCHAIN"),
    ) {
        command.arg("+nightly");
    } else {
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    command
}

fn succeeds(command: &mut Command) -> bool {
    run(command, Duration::from_secs(60)).is_ok_and(|finished| finished.status.success())
}
