//! Keeps a foreign package's log and its panics to itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::dispatcher::{self, Dispatch};

use crate::{ConnectorError, ConnectorErrorKind, ConnectorResult};

/// Runs `work` of the security package so that it can neither log nor end the process.
///
/// `sspi` traces its arguments and results, and among them are the password and the keys: whatever runs in here is cut off
/// from every `tracing` subscriber, and from the `log` crate, which `tracing` serves only while nobody ever set a subscriber.
/// And its decoders index into what the peer sent: a panic there becomes an error of the one connection.
pub(super) fn quietly<T>(work: impl FnOnce() -> T) -> ConnectorResult<T> {
    dispatcher::with_default(&Dispatch::none(), || catch_unwind(AssertUnwindSafe(work))).map_err(|_| {
        ConnectorError::new(
            ConnectorErrorKind::Malformed,
            "the security package panics over a token",
        )
    })
}
