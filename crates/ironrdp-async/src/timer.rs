//! Timers, as far as every runtime has them.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use ironrdp_core::MonotonicInstant;

/// One timer of a runtime, and the clock that it goes by.
///
/// `ironrdp-tokio`, `ironrdp-futures` (for `async-io`, which smol uses) and `ironrdp-blocking` have one each. A new one
/// ([`Default`]) is not set and holds nothing.
pub trait Timer: Default {
    /// The time now. Instants of all timers have the origin of [`now`](crate::now), so that [`to_std`](crate::to_std) understands
    /// them; a runtime that has a virtual clock for tests tells that one's time.
    fn now() -> MonotonicInstant;

    /// Sets the timer to go off at `at` and not before, or never; what it was set to is forgotten.
    fn set(&mut self, at: Option<MonotonicInstant>);

    /// Ready once the time that was set has come, again and again until another is set; else the task is woken then.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// Waits for `future`, but no longer than to `until`; `None` if that came first.
///
/// # Cancel safety
///
/// That of `future`, which is dropped when the time comes.
pub async fn within<T: Timer, F: Future>(
    timer: &mut T,
    until: Option<MonotonicInstant>,
    future: F,
) -> Option<F::Output> {
    timer.set(until);
    let mut future = pin!(future);
    poll_fn(|cx| {
        // In this order, because what is there in time counts, and because a future that blocks has to block first.
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        timer.poll(cx).map(|()| None)
    })
    .await
}

/// A timer that is not moved for every frame.
#[derive(Debug, Default)]
pub(crate) struct Alarm<T> {
    timer: T,
    set_to: Option<MonotonicInstant>,
}

impl<T: Timer> Alarm<T> {
    /// Makes it go off no later than at `wanted`.
    pub(crate) fn arm(&mut self, wanted: Option<MonotonicInstant>) {
        let is_early_enough = match (wanted, self.set_to) {
            // Most deadlines move on with every frame. Waking too early now and then is cheaper than moving the timer each time.
            (Some(wanted), Some(set_to)) => set_to <= wanted,
            (None, None) => true,
            _ => false,
        };
        if !is_early_enough {
            self.set_to = wanted;
            self.timer.set(wanted);
        }
    }

    /// Ready when it goes off; arm it anew before the next poll.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let polled = self.timer.poll(cx);
        if polled.is_ready() {
            // Later than anything that may be wanted, so that the next one is set in any case.
            self.set_to = Some(MonotonicInstant::from_origin(std::time::Duration::MAX));
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::task::Waker;
    use std::time::Duration;

    use super::*;

    thread_local! {
        static NOW: Cell<MonotonicInstant> = const { Cell::new(MonotonicInstant::ORIGIN) };
    }

    fn at(seconds: u64) -> MonotonicInstant {
        MonotonicInstant::from_origin(Duration::from_secs(seconds))
    }

    /// Goes by a clock that the test sets, and counts how often it was moved.
    #[derive(Default)]
    struct ByHand {
        at: Option<MonotonicInstant>,
        moved: u32,
    }

    impl Timer for ByHand {
        fn now() -> MonotonicInstant {
            NOW.get()
        }

        fn set(&mut self, at: Option<MonotonicInstant>) {
            self.at = at;
            self.moved += 1;
        }

        fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
            match self.at {
                Some(at) if at <= NOW.get() => Poll::Ready(()),
                _ => Poll::Pending,
            }
        }
    }

    #[test]
    fn an_alarm_is_moved_to_earlier_times_only_and_anew_when_it_went_off() {
        let cx = &mut Context::from_waker(Waker::noop());
        let mut alarm = Alarm::<ByHand>::default();
        alarm.arm(None);
        assert_eq!(alarm.timer.moved, 0);
        for (wanted, moved) in [(30, 1), (31, 1), (45, 1), (20, 2), (20, 2)] {
            alarm.arm(Some(at(wanted)));
            assert_eq!(alarm.timer.moved, moved, "{wanted}");
        }
        NOW.set(at(19));
        assert!(alarm.poll(cx).is_pending());
        NOW.set(at(20));
        assert!(alarm.poll(cx).is_ready());
        alarm.arm(Some(at(50)));
        assert!(alarm.poll(cx).is_pending());
        NOW.set(at(50));
        assert!(alarm.poll(cx).is_ready());
        alarm.arm(None);
        assert_eq!(alarm.timer.at, None);
        assert!(alarm.poll(cx).is_pending());
    }

    #[test]
    fn what_is_there_in_time_counts_even_at_the_last_moment() {
        let cx = &mut Context::from_waker(Waker::noop());
        let mut timer = ByHand::default();
        NOW.set(at(9));
        let ready = pin!(within(&mut timer, Some(at(9)), std::future::ready(7))).poll(cx);
        assert_eq!(ready, Poll::Ready(Some(7)));
        let late = pin!(within(&mut timer, Some(at(9)), std::future::pending::<u8>())).poll(cx);
        assert_eq!(late, Poll::Ready(None));
        let early = pin!(within(&mut timer, Some(at(10)), std::future::pending::<u8>())).poll(cx);
        assert_eq!(early, Poll::Pending);
    }
}
