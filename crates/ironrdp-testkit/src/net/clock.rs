//! The clocks that simulated streams live by.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ironrdp_core::MonotonicInstant;

/// What a simulated stream needs of a runtime: the time, and to be woken later.
pub trait Clock: Clone + Unpin {
    /// What a wait for a point in time keeps; dropping it ends the wait.
    type Timer: Default + Unpin;

    /// The time.
    fn now(&self) -> MonotonicInstant;

    /// Has the task of `cx` woken at `at`, in place of what `timer` waited for. It may be woken earlier.
    fn wake_at(&self, timer: &mut Self::Timer, at: MonotonicInstant, cx: &mut Context<'_>);
}

/// Tokio's clock: virtual where a test has paused it, in steps of a millisecond; else the real one.
#[derive(Debug, Clone, Copy)]
pub struct TokioClock {
    origin: tokio::time::Instant,
}

impl TokioClock {
    /// The clock of the runtime, with its origin now.
    ///
    /// # Panics
    ///
    /// When a stream waits, outside of a tokio runtime with time enabled.
    pub fn new() -> Self {
        Self {
            origin: tokio::time::Instant::now(),
        }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    type Timer = Option<Pin<Box<tokio::time::Sleep>>>;

    fn now(&self) -> MonotonicInstant {
        MonotonicInstant::from_origin(self.origin.elapsed())
    }

    fn wake_at(&self, timer: &mut Self::Timer, at: MonotonicInstant, cx: &mut Context<'_>) {
        // Later than tokio can tell is never.
        let Some(at) = self.origin.checked_add(at.since_origin()) else {
            *timer = None;
            return;
        };
        let sleep = match timer {
            Some(sleep) => {
                if sleep.deadline() != at {
                    sleep.as_mut().reset(at);
                }
                sleep
            }
            None => timer.insert(Box::pin(tokio::time::sleep_until(at))),
        };
        if sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}

/// A clock that stands still until [`Sim`](super::Sim), or [`advance`](Self::advance), moves it on. Clones are the same clock.
#[derive(Clone, Default)]
pub struct SimClock(Arc<Mutex<SimTime>>);

#[derive(Default)]
struct SimTime {
    now: MonotonicInstant,
    /// Those who wait, by when and then by who came first.
    waiting: BTreeMap<Key, Waker>,
    next: u64,
}

type Key = (MonotonicInstant, u64);

impl SimClock {
    /// A clock at its origin.
    pub fn new() -> Self {
        Self::default()
    }

    /// The time.
    pub fn now(&self) -> MonotonicInstant {
        self.lock().now
    }

    /// Moves on to the next point in time that somebody waits for, and wakes all who wait for it; false if nobody waits.
    pub fn advance(&self) -> bool {
        let mut due = Vec::new();
        {
            let mut time = self.lock();
            let Some((&(at, _), _)) = time.waiting.first_key_value() else {
                return false;
            };
            time.now = time.now.max(at);
            while let Some(entry) = time.waiting.first_entry()
                && entry.key().0 == at
            {
                due.push(entry.remove());
            }
        }
        due.into_iter().for_each(Waker::wake);
        true
    }

    /// Waits until `at`.
    pub fn sleep_until(&self, at: MonotonicInstant) -> SimSleep {
        SimSleep {
            clock: self.clone(),
            timer: SimTimer::default(),
            at,
        }
    }

    /// Waits for `duration`.
    pub fn sleep(&self, duration: Duration) -> SimSleep {
        self.sleep_until(self.now() + duration)
    }

    fn lock(&self) -> MutexGuard<'_, SimTime> {
        // Nothing in here can be left half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for SimClock {
    type Timer = SimTimer;

    fn now(&self) -> MonotonicInstant {
        self.now()
    }

    fn wake_at(&self, timer: &mut SimTimer, at: MonotonicInstant, cx: &mut Context<'_>) {
        let mut time = self.lock();
        if let Some((_, key)) = timer.0.take() {
            time.waiting.remove(&key);
        }
        let key = (at, time.next);
        time.next += 1;
        time.waiting.insert(key, cx.waker().clone());
        timer.0 = Some((self.clone(), key));
    }
}

impl fmt::Debug for SimClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.lock();
        f.debug_struct("SimClock")
            .field("now", &time.now)
            .field("waiting", &time.waiting.len())
            .finish()
    }
}

/// A wait on a [`SimClock`].
#[derive(Debug, Default)]
pub struct SimTimer(Option<(SimClock, Key)>);

impl Drop for SimTimer {
    fn drop(&mut self) {
        if let Some((clock, key)) = self.0.take() {
            clock.lock().waiting.remove(&key);
        }
    }
}

/// A future that ends at a point in time of a [`SimClock`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct SimSleep {
    clock: SimClock,
    timer: SimTimer,
    at: MonotonicInstant,
}

impl Future for SimSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { clock, timer, at } = self.get_mut();
        if *at <= clock.now() {
            return Poll::Ready(());
        }
        clock.wake_at(timer, *at, cx);
        Poll::Pending
    }
}
