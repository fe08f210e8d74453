//! `ironrdp probe`: what servers offer, asked without logging in.

#[cfg(feature = "nla")]
mod identity;
mod questions;
mod report;
mod table;

use std::collections::VecDeque;

use ironrdp_tokio::ServerAddr;
use tokio::task::JoinSet;

use crate::args::ProbeArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::output;
use report::Report;

/// Probes all servers, a bounded number at a time, and prints what was found in the order given.
pub(crate) async fn run(args: ProbeArgs) -> Outcome {
    let mut waiting: VecDeque<(usize, ServerAddr)> = args.servers.iter().cloned().enumerate().collect();
    let mut reports: Vec<Option<Report>> = args.servers.iter().map(|_| None).collect();
    let mut running = JoinSet::new();
    let mut printed = 0;
    loop {
        while running.len() < usize::from(args.jobs)
            && let Some((index, server)) = waiting.pop_front()
        {
            running.spawn(async move { (index, questions::probe(server, args.timeout).await) });
        }
        let Some(finished) = running.join_next().await else {
            break;
        };
        let (index, report) =
            finished.map_err(|error| Failure::new(Exit::Local, format!("a probe broke off: {error}")))?;
        if let Some(slot) = reports.get_mut(index) {
            *slot = Some(report);
        }
        if !args.json {
            // As soon as its turn has come: with many servers the first lines should not wait for the last.
            while let Some(report) = reports.get(printed).and_then(Option::as_ref) {
                show(report, printed == 0)?;
                printed += 1;
            }
        }
    }
    let reports: Vec<Report> = reports.into_iter().flatten().collect();
    if args.json {
        output::json(&reports)?;
        for failure in reports.iter().filter_map(Report::failure) {
            failure.print();
        }
    }
    Ok(reports
        .iter()
        .find_map(Report::failure)
        .map_or(Exit::Done, Failure::exit))
}

/// Facts go to standard output, a failure to standard error.
fn show(report: &Report, first: bool) -> Result<(), Failure> {
    match report.failure() {
        Some(failure) => failure.print(),
        None => {
            let blank = if first { "" } else { "\n" };
            output::data(format!("{blank}{}", table::render(report)).as_bytes())?;
        }
    }
    Ok(())
}
