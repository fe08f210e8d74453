//! `ironrdp completions`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::{Exit, Outcome};
use crate::output;

/// Prints the script for `shell`, made from the same definition that parses the command line.
pub(crate) fn print(shell: Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ironrdp", &mut script);
    output::data(&script)?;
    Ok(Exit::Done)
}
