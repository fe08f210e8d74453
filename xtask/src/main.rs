//! Project tasks: `cargo xtask try`, `ci`, `interop`, `peers up`, `bench-peers` and `fuzz`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks on its terminal"
)]

mod bench_peers;
mod browser;
mod checks;
mod ci;
mod client;
mod fail;
mod features;
mod first_try;
mod fuzz;
mod install;
mod interop;
mod lab;
mod peers;
mod picture;
mod process;
mod scene;
mod visible;
mod workspace;

use std::process::ExitCode;

use crate::fail::{Outcome, fail};

const USAGE: &str = "\
usage: cargo xtask TASK

  try                  start a real desktop on a loopback port, log in, save its picture as desktop.png
  ci [--without PART]...
                       format, clippy, documentation, tests, features, the other workspaces, demo, try, interop;
                       a step that hangs is stopped; --without: as for interop
  interop [--only PART]... [--without PART]... [--release] [--keep]
                       the client against xrdp, freerdp-shadow, weston and GNOME; xfreerdp, rdesktop and Devolutions'
                       client against the server; the demo's gallery in Chromium; it installs and starts all of them
                       (root on Debian; adds the user rdptest and leaves it); --only: checks with PART in their name;
                       --without: none of those, and they count as skipped (gnome: where there are no network namespaces)
  peers up [xrdp|shadow|shadow-rdp|shadow-nla|weston|all]... [--fresh-sessions] [--users N]
                       the same servers in the foreground, until Ctrl-C, SIGTERM or the end of standard input;
                       --fresh-sessions: an xrdp session per connection; --users: also rdptest2, rdptest3, ...
  bench-peers [--quick] [--build] [--profile] [--only SECTION]... [--markdown FILE] [--json FILE]
                       these crates beside other RDP crates on the same work; --build: compile times too;
                       --profile: and where the CPU time goes, by perf
  fuzz [TARGET] [--minutes N]
                       fuzz one target, or each, for N minutes (10)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Outcome<()> {
    process::catch_signals()?;
    let (task, rest) = arguments
        .split_first()
        .map_or(("", arguments), |(task, rest)| (task.as_str(), rest));
    match task {
        "try" if rest.is_empty() => first_try::first_try(),
        "ci" => ci::ci(rest),
        interop::TASK => interop::interop(rest),
        bench_peers::TASK => bench_peers::bench_peers(rest),
        "fuzz" => fuzz::fuzz(rest),
        "peers" if rest.first().is_some_and(|word| word == "up") => {
            peers::up(rest.get(1..).unwrap_or_default())
        }
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        _ => fail(format!("no such task\n{USAGE}")),
    }
}
