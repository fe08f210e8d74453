//! This project's crates and the IronRDP crates of Devolutions on the same work, in interleaved rounds.

mod build;
mod decode;
mod machine;
mod ours;
mod profile;
mod report;
mod rows;
mod server;
mod stats;
mod tokio_util;
mod wire;

use std::process::ExitCode;
use std::sync::Arc;

use bench_common::{Answer, Target, child};

#[global_allocator]
static ALLOCATOR: bench_common::measure::Counting = bench_common::measure::Counting;

const USAGE: &str = "\
usage: bench-peers [--quick] [--build] [--profile] [--nla PORT CERTIFICATE] [--only SECTION]... [--markdown FILE] [--json FILE]
       bench-peers record PORT

  --quick      fewer rounds
  --build      also crates compiled, CPU time of a clean build, size of a program (minutes)
  --profile    also where the CPU time goes, by `perf`
  --nla        connections with network level authentication to this one, too: a port of 127.0.0.1, the certificate (DER);
               it must know the user rdptest. `cargo xtask bench-peers` starts a freerdp-shadow and passes it
  --only       connect, nla, cold, idle, frames or decode
  --markdown   write the tables here and not to standard output
  --json       write every single figure here, with the machine and the bars
  record       connect to a server on a port of 127.0.0.1 and print its part of the connection
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Answer {
    match words {
        ["server", directory] => server::run(directory),
        ["child", rest @ ..] => {
            println!("{}", child::run::<ours::Stack>(rest)?);
            Ok(())
        }
        ["record", port] => {
            let target = Target {
                port: port.parse()?,
                certificate: Arc::new([]),
                nla: false,
            };
            let flights = child::block_on(ours::record(&target))?;
            print!("{}", wire::Replay::from_flights(&flights)?.to_text());
            Ok(())
        }
        ["--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => report::run(&Options::parse(words)?),
    }
}

/// What to measure and where to write.
#[derive(Default)]
pub struct Options {
    pub quick: bool,
    pub build: bool,
    pub profile: bool,
    /// Port and certificate of another server with network level authentication.
    pub nla: Option<(u16, String)>,
    pub only: Vec<String>,
    pub markdown: Option<String>,
    pub json: Option<String>,
}

impl Options {
    fn parse(words: &[&str]) -> Answer<Self> {
        let mut options = Self::default();
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let mut value = || words.next().map(str::to_owned).ok_or("a value is missing");
            match word {
                "--quick" => options.quick = true,
                "--build" => options.build = true,
                "--profile" => options.profile = true,
                "--nla" => options.nla = Some((value()?.parse()?, value()?)),
                "--only" => options.only.push(value()?),
                "--markdown" => options.markdown = Some(value()?),
                "--json" => options.json = Some(value()?),
                _ => return Err(format!("unknown argument {word}\n{USAGE}").into()),
            }
        }
        Ok(options)
    }

    pub fn wants(&self, section: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == section)
    }

    pub fn rounds(&self) -> u32 {
        if self.quick { 2 } else { 9 }
    }
}
