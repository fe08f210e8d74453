//! Project tasks: `cargo xtask peers up`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks on its terminal")]

mod fail;
mod install;
mod lab;
mod peers;
mod picture;
mod process;
mod scene;

use std::process::ExitCode;

use crate::fail::{Outcome, fail};

const USAGE: &str = "\
usage: cargo xtask TASK

  peers up [xrdp|shadow|shadow-rdp|shadow-nla|weston|all]... [--fresh-sessions] [--users N]
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
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["peers", "up", ..] => peers::up(arguments.get(2..).unwrap_or_default()),
        _ => fail(format!("no such task\n{USAGE}")),
    }
}
