//! The timers of `async-io`, which smol uses, for the machinery of `ironrdp-async`.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use ironrdp_async::{Timer, now, to_std};
use ironrdp_core::MonotonicInstant;

/// A timer of `async-io`: for smol, and for whatever else runs its reactor.
///
/// Nothing is boxed, and it holds nothing while it is not set.
#[derive(Debug, Default)]
pub struct AsyncIoTimer {
    at: Option<MonotonicInstant>,
    timer: Option<async_io::Timer>,
}

impl Timer for AsyncIoTimer {
    fn now() -> MonotonicInstant {
        now()
    }

    fn set(&mut self, at: Option<MonotonicInstant>) {
        self.at = at;
        match (at.and_then(to_std), &mut self.timer) {
            (None, timer) => *timer = None,
            (Some(at), Some(timer)) => timer.set_at(at),
            (Some(at), timer) => *timer = Some(async_io::Timer::at(at)),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // One of `async-io` tells only once that its time has come.
        if self.at.is_some_and(|at| at <= now()) {
            return Poll::Ready(());
        }
        match &mut self.timer {
            Some(timer) => Pin::new(timer).poll(cx).map(|_| ()),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_timer_goes_off_when_it_was_set_to_and_again_until_it_is_set_anew() {
        smol::block_on(async {
            let mut timer = AsyncIoTimer::default();
            let start = now();
            timer.set(Some(start + Duration::from_secs(3_600)));
            timer.set(Some(start + Duration::from_millis(20)));
            for _ in 0..2 {
                poll_fn(|cx| timer.poll(cx)).await;
                assert!(now() >= start + Duration::from_millis(20));
            }
            timer.set(None);
            assert!(poll_fn(|cx| Poll::Ready(timer.poll(cx))).await.is_pending());
            assert!(timer.timer.is_none());
        });
    }
}
