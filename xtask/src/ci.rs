//! `cargo xtask ci`: everything that must hold before a change is taken, in one command.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::fail::{Context, Failure, Outcome, fail};
use crate::features;
use crate::interop;
use crate::visible::{Deadline, run_tests, run_visibly};
use crate::workspace::{cargo, root, target_directory};

/// One step of the run.
struct Step {
    title: &'static str,
    /// After so many it has failed. Three times what it takes on two cores and from nothing, or more: it is there for what hangs, and
    /// what such a step waits for by itself, as for packages, has deadlines of its own that come first.
    minutes: u64,
    run: fn(&Order, Deadline) -> Outcome<()>,
}

/// How `cargo xtask ci` was called.
#[derive(Debug, Default, PartialEq, Eq)]
struct Order {
    /// Parts of names of interop checks that cannot run here.
    without: Vec<String>,
}

const STEPS: &[Step] = &[
    Step {
        title: "format",
        minutes: 2,
        run: |_, deadline| run_visibly(cargo().args(["fmt", "--all", "--check"]), deadline),
    },
    Step {
        title: "clippy",
        minutes: 12,
        run: |_, deadline| {
            run_visibly(
                cargo().args([
                    "clippy",
                    "--workspace",
                    "--all-targets",
                    "--locked",
                    "--",
                    "-D",
                    "warnings",
                ]),
                deadline,
            )
        },
    },
    Step {
        title: "documentation",
        minutes: 8,
        run: |_, deadline| {
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
                deadline,
            )
        },
    },
    Step {
        title: "tests",
        minutes: 20,
        run: |_, deadline| run_tests(cargo().args(["test", "--workspace", "--locked"]), deadline),
    },
    Step {
        title: "features",
        minutes: 20,
        run: |_, deadline| features::features(deadline),
    },
    Step {
        title: "workspaces",
        minutes: 20,
        run: |_, deadline| other_workspaces(deadline),
    },
    Step {
        title: "demo",
        minutes: 5,
        // README's first command, with fewer sessions and without the optimising build.
        run: |_, deadline| {
            run_visibly(
                cargo().args([
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
                ]),
                deadline,
            )
        },
    },
    Step {
        title: "try",
        // Packages may have to be installed.
        minutes: 25,
        run: |_, deadline| run_self(&["try"], deadline),
    },
    Step {
        title: "interop",
        minutes: 40,
        // A process of its own: it replaces itself by one inside a network namespace.
        run: |order, deadline| {
            let mut words = vec![interop::TASK];
            for part in &order.without {
                words.extend([interop::WITHOUT, part]);
            }
            run_self(&words, deadline)
        },
    },
];

/// Runs every step; stops at the first that fails, with its name.
pub(crate) fn ci(arguments: &[String]) -> Outcome<()> {
    let order = order(arguments)?;
    for (number, step) in (1..).zip(STEPS) {
        println!("\n=== {number}/{}: {} ===", STEPS.len(), step.title);
        take(step, &order)?;
    }
    let mut left_out = order.without.join(", ");
    if !left_out.is_empty() {
        left_out.insert_str(0, ", without ");
    }
    println!("\nall {} steps passed{left_out}", STEPS.len());
    Ok(())
}

fn order(arguments: &[String]) -> Outcome<Order> {
    let mut order = Order::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match (argument.as_str(), rest.next()) {
            (interop::WITHOUT, Some(part)) => order.without.push(part.clone()),
            (interop::WITHOUT, None) => {
                return fail(format!("{} takes a part of a check's name", interop::WITHOUT));
            }
            (other, _) => return fail(format!("unknown argument {other}")),
        }
    }
    Ok(order)
}

fn take(step: &Step, order: &Order) -> Outcome<()> {
    let started = Instant::now();
    let deadline = Deadline::after(Duration::from_secs(step.minutes * 60));
    (step.run)(order, deadline)
        .map_err(|error| Failure::new(format!("step {} failed: {error}", step.title)))?;
    println!(
        "=== {} passed in {:.0} s ===",
        step.title,
        started.elapsed().as_secs_f32()
    );
    Ok(())
}

/// The workspaces with lock files of their own: what nobody compiles stops compiling. The third one, of the published
/// crates, is built for the interop checks.
fn other_workspaces(deadline: Deadline) -> Outcome<()> {
    for manifest in ["fuzz/Cargo.toml", "benches/peers/Cargo.toml"] {
        run_visibly(
            cargo()
                .args(["clippy", "--locked", "--workspace", "--all-targets"])
                .args(["--manifest-path", manifest])
                // Other people's crates are there already, for the most part.
                .arg("--target-dir")
                .arg(target_directory())
                .args(["--", "-D", "warnings"]),
            deadline,
        )?;
    }
    Ok(())
}

/// Runs another task of this program.
fn run_self(arguments: &[&str], deadline: Deadline) -> Outcome<()> {
    let program = std::env::current_exe().context("own path")?;
    run_visibly(
        Command::new(program).args(arguments).current_dir(root()),
        // What the task has started is ended by the task, if it gets to it.
        deadline.with_grace(Duration::from_secs(40)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_hangs_fails_by_its_name() {
        let step = Step {
            title: "patience",
            minutes: 0,
            run: |_, deadline| run_visibly(Command::new("sleep").arg("3600"), deadline),
        };
        let error = take(&step, &Order::default()).unwrap_err().to_string();
        assert_eq!(
            error,
            "step patience failed: sleep 3600: not done after 0 s, killed"
        );
    }

    #[test]
    fn every_step_has_time_to_run() {
        assert!(STEPS.iter().all(|step| step.minutes > 0));
    }

    #[test]
    fn what_is_left_out_is_named_and_anything_else_refused() {
        let read = |text: &str| order(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(read("").unwrap(), Order::default());
        let without = read("--without gnome --without own-rdesktop").unwrap().without;
        assert_eq!(without, ["gnome", "own-rdesktop"]);
        assert!(read("--without").is_err());
        assert!(read("--fast").is_err());
    }
}
