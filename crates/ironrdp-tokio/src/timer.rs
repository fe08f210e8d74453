//! Tokio's timers, for the machinery of `ironrdp-async`.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use ironrdp_async::{Timer, from_std, to_std};
use ironrdp_core::MonotonicInstant;
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer of tokio, and its clock, which tests may pause.
///
/// Holds nothing while it is not set. Setting it panics outside of a runtime with time enabled, as tokio's own do.
#[derive(Debug, Default)]
pub struct TokioTimer(Option<Pin<Box<Sleep>>>);

impl Timer for TokioTimer {
    fn now() -> MonotonicInstant {
        from_std(Instant::now().into_std())
    }

    fn set(&mut self, at: Option<MonotonicInstant>) {
        let at = at.and_then(to_std).map(Instant::from_std);
        match (at, &mut self.0) {
            (None, sleep) => *sleep = None,
            (Some(at), Some(sleep)) => sleep.as_mut().reset(at),
            (Some(at), sleep) => *sleep = Some(Box::pin(sleep_until(at))),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(sleep) => sleep.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}
