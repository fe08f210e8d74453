//! Futures that are dropped half-way and made again.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use ironrdp_testkit::Rng;

/// Drops futures, or does not.
pub(crate) struct Drops {
    rng: Option<Rng>,
    /// Futures dropped so far.
    pub(crate) count: usize,
}

impl Drops {
    /// Lets every future run to its end.
    pub(crate) fn never() -> Self {
        Self { rng: None, count: 0 }
    }

    /// Drops most futures at one of the first points where they wait.
    pub(crate) fn often(seed: u64) -> Self {
        Self {
            rng: Some(Rng::new(seed)),
            count: 0,
        }
    }

    /// Awaits what `attempt` makes, dropping it on the way and making it again, sometimes after a pause, in which time passes
    /// and nobody is polled, as in a task that is busy with something else.
    pub(crate) async fn through<T>(
        &mut self,
        pause: impl AsyncFn(Duration),
        mut attempt: impl AsyncFnMut() -> T,
    ) -> T {
        loop {
            // The first wait is a point to be dropped at as well; but not for ever, or nobody would be woken.
            let patience = self.rng.as_mut().map(|rng| rng.below(3));
            let mut waits = 0;
            {
                let mut future = pin!(attempt());
                let done = poll_fn(|cx| match future.as_mut().poll(cx) {
                    Poll::Ready(output) => Poll::Ready(Some(output)),
                    Poll::Pending if Some(waits) == patience => Poll::Ready(None),
                    Poll::Pending => {
                        waits += 1;
                        Poll::Pending
                    }
                });
                if let Some(output) = done.await {
                    return output;
                }
            }
            self.count += 1;
            if let Some(rng) = &mut self.rng
                && rng.below(4) == 0
            {
                let millis = rng.below(300) as u64;
                pause(Duration::from_millis(millis)).await;
            }
        }
    }
}
