#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod args;
mod certificate;
mod completions;
mod demo;
mod drawing;
mod exit;
mod keyboard;
mod log;
mod output;
mod password;
mod picture;
mod probe;
mod screenshot;
mod serve;
mod trust;

use std::future::Future;
use std::process::ExitCode;

use clap::Parser as _;
use tokio::runtime::Runtime;

use args::{Cli, Command};
use exit::{Exit, Failure, Outcome};

fn main() -> ExitCode {
    // Usage errors end here with code 2, --help and --version with 0.
    let cli = Cli::parse();
    log::init(cli.verbose);
    let outcome = match cli.command {
        Command::Screenshot(args) => screenshot::prepare(*args).and_then(|job| block_on(job.run())),
        Command::Probe(args) => block_on(probe::run(args)),
        Command::Serve(args) => serve::prepare(*args).and_then(|job| block_on(job.run())),
        Command::Demo(args) => demo::run(&args),
        Command::Completions { shell } => completions::print(shell),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print();
            failure.exit().into()
        }
    }
}

/// One thread is enough: all the work is waiting, and decoding one desktop.
fn block_on(work: impl Future<Output = Outcome>) -> Outcome {
    runtime()?.block_on(work)
}

fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Local, format!("no async runtime: {error}")))
}
