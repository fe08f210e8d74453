//! The one error of the tasks: a sentence for the person at the terminal.

use std::fmt;

/// What went wrong, ready to print.
#[derive(Debug)]
pub(crate) struct Failure(String);

/// Result of a task or of one of its steps.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Shorthand for `Err(Failure::new(..))`.
pub(crate) fn fail<T>(message: impl Into<String>) -> Outcome<T> {
    Err(Failure::new(message))
}

/// Says what was attempted when a lower error surfaces.
pub(crate) trait Context<T> {
    fn context(self, attempt: impl fmt::Display) -> Outcome<T>;
}

impl<T, E: fmt::Display> Context<T> for Result<T, E> {
    fn context(self, attempt: impl fmt::Display) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{attempt}: {error}")))
    }
}
