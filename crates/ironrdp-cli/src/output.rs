//! Standard output, which is for data, and notes on standard error.

use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};

use crate::exit::{Exit, Failure};

/// Writes all of `bytes`. A reader that has gone away has seen what it wanted: no failure.
pub(crate) fn data(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Local, format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes `value` as JSON with line breaks.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    match serde_json::to_string_pretty(value) {
        Ok(text) => data(format!("{text}\n").as_bytes()),
        Err(error) => Err(Failure::new(Exit::Local, format!("JSON: {error}"))),
    }
}

/// Says something on standard error that is no data.
pub(crate) fn note(text: &str) {
    line("", Style::new(), text);
}

/// Warns on standard error.
pub(crate) fn warning(text: &str) {
    line("warning: ", AnsiColor::Yellow.on_default().bold(), text);
}

/// One line on standard error, its label in colour on terminals; there is nobody to tell if that fails.
pub(crate) fn line(label: &str, style: Style, text: &str) {
    drop(writeln!(anstream::stderr(), "{style}{label}{style:#}{text}"));
}
