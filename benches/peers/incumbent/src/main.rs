//! Runs what the benchmark asks this side for.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: bench_common::measure::Counting = bench_common::measure::Counting;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match bench_common::child::run::<bench_incumbent::stack::Stack>(&words) {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
