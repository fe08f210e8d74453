//! When a screen has settled, and how long to wait for that.

use std::time::Duration;

use tokio::time::Instant;

/// Waits for quiet: ends when nothing has changed for `quiet`, or when `limit` has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    quiet: Duration,
    limit: Instant,
    /// The last change; none as long as there is nothing to see.
    changed: Option<Instant>,
}

/// How the wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Nothing changed for long enough.
    Still,
    /// Changes kept coming.
    Restless,
    /// Nothing was ever to be seen.
    Nothing,
}

impl Patience {
    /// Counts from the last change so far, if there was one.
    pub(super) fn new(quiet: Duration, limit: Instant, changed: Option<Instant>) -> Self {
        Self {
            quiet,
            limit,
            changed,
        }
    }

    /// Something changed.
    pub(super) fn note(&mut self, at: Instant) {
        self.changed = Some(at);
    }

    /// When to look at the clock again.
    pub(super) fn wake_at(&self) -> Instant {
        self.changed
            .map_or(self.limit, |changed| (changed + self.quiet).min(self.limit))
    }

    /// Whether the wait is over.
    pub(super) fn ended(&self, now: Instant) -> Option<Ended> {
        match self.changed {
            Some(changed) if now >= changed + self.quiet => Some(Ended::Still),
            Some(_) if now >= self.limit => Some(Ended::Restless),
            None if now >= self.limit => Some(Ended::Nothing),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_secs(1);
    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn each_change_starts_the_quiet_anew() {
        let start = Instant::now();
        let mut patience = Patience::new(QUIET, start + LIMIT, None);
        assert_eq!(patience.wake_at(), start + LIMIT);
        patience.note(start);
        patience.note(start + QUIET / 2);
        assert_eq!(patience.ended(start + QUIET), None);
        assert_eq!(patience.wake_at(), start + QUIET * 3 / 2);
        assert_eq!(patience.ended(start + QUIET * 3 / 2), Some(Ended::Still));
    }

    #[test]
    fn at_the_limit_a_blank_screen_differs_from_a_restless_one() {
        let start = Instant::now();
        let mut patience = Patience::new(QUIET, start + LIMIT, None);
        assert_eq!(patience.ended(start + LIMIT), Some(Ended::Nothing));
        patience.note(start + LIMIT - QUIET / 2);
        assert_eq!(patience.wake_at(), start + LIMIT);
        assert_eq!(patience.ended(start + LIMIT), Some(Ended::Restless));
    }
}
