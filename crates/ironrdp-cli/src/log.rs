//! What `-v` shows.

use std::io;

use tracing::level_filters::LevelFilter;

/// Sends events to standard error: warnings always, the rest by how often `-v` was given.
pub(crate) fn init(verbosity: u8) {
    let level = match verbosity {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_max_level(level)
        .init();
}
