//! `cargo xtask ci`: everything that must hold before a change is taken, in one command.

use std::process::Command;
use std::time::Instant;

use crate::fail::{Context, Failure, Outcome};
use crate::interop;
use crate::workspace::{cargo, root, run_visibly};

/// One step of the run.
struct Step {
    title: &'static str,
    run: fn() -> Outcome<()>,
}

const STEPS: &[Step] = &[
    Step {
        title: "format",
        run: || run_visibly(cargo().args(["fmt", "--all", "--check"])),
    },
    Step {
        title: "clippy",
        run: || {
            run_visibly(cargo().args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ]))
        },
    },
    Step {
        title: "documentation",
        run: || {
            run_visibly(
                cargo()
                    .args([
                        "doc",
                        "--workspace",
                        "--no-deps",
                        "--document-private-items",
                        "--locked",
                    ])
                    .env("RUSTDOCFLAGS", "-D warnings"),
            )
        },
    },
    Step {
        title: "tests",
        run: || run_visibly(cargo().args(["test", "--workspace", "--locked"])),
    },
    Step {
        title: "features",
        run: features,
    },
    Step {
        title: "demo",
        // README's first command, with fewer sessions and without the optimising build.
        run: || {
            run_visibly(cargo().args([
                "run",
                "--locked",
                "--package",
                "ironrdp-cli",
                "--",
                "demo",
                "--sessions",
                "40",
                "--out",
                "target/demo",
            ]))
        },
    },
    Step {
        title: "try",
        run: || run_self("try"),
    },
    Step {
        title: "interop",
        // A process of its own: it replaces itself by one inside a network namespace.
        run: || run_self(interop::TASK),
    },
];

/// Runs every step; stops at the first that fails, with its name.
pub(crate) fn ci() -> Outcome<()> {
    for (number, step) in (1..).zip(STEPS) {
        println!("\n=== {number}/{}: {} ===", STEPS.len(), step.title);
        let started = Instant::now();
        (step.run)().map_err(|error| Failure::new(format!("step {} failed: {error}", step.title)))?;
        println!(
            "=== {} passed in {:.0} s ===",
            step.title,
            started.elapsed().as_secs_f32()
        );
    }
    println!("\nall {} steps passed", STEPS.len());
    Ok(())
}

/// What the workspace does not build by itself: crates without network level authentication, and KDC proxies in every shell.
fn features() -> Outcome<()> {
    const WITHOUT: [&str; 10] = [
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
    ];
    run_visibly(
        cargo()
            .arg("clippy")
            .args(WITHOUT)
            .args(["--all-targets", "--", "-D", "warnings"]),
    )?;
    // Without the examples in the documentation, which are for who takes all.
    run_visibly(cargo().arg("test").args(WITHOUT).arg("--tests"))?;
    for command in ["clippy", "test"] {
        run_visibly(cargo().arg(command).args([
            "--locked",
            "--package",
            "ironrdp-blocking",
            "--lib",
            "--features",
            "kdc-proxy",
        ]))?;
    }
    Ok(())
}

/// Runs another task of this program.
fn run_self(task: &str) -> Outcome<()> {
    let program = std::env::current_exe().context("own path")?;
    run_visibly(Command::new(program).arg(task).current_dir(root()))
}
