//! Time without a clock.

use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// A reading of a clock that never goes back, in nanoseconds since an origin of the caller's choice.
///
/// State machines take these instead of `std::time::Instant`, so that they build without `std` and tests run in
/// virtual time. Readings of different origins must not be mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MonotonicInstant(u64);

impl MonotonicInstant {
    /// The origin itself.
    pub const ORIGIN: Self = Self(0);

    /// The instant `since_origin` after the origin; saturates after 584 years.
    pub fn from_origin(since_origin: Duration) -> Self {
        Self(nanos(since_origin))
    }

    /// Time since the origin.
    pub const fn since_origin(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// Time since `earlier`, zero if that lies ahead.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Add<Duration> for MonotonicInstant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

impl AddAssign<Duration> for MonotonicInstant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

/// Zero if `earlier` lies ahead.
impl Sub for MonotonicInstant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let second = MonotonicInstant::ORIGIN + Duration::from_secs(1);
        assert_eq!(second - MonotonicInstant::ORIGIN, Duration::from_secs(1));
        assert_eq!(MonotonicInstant::ORIGIN - second, Duration::ZERO);
        assert_eq!(second + Duration::MAX, second + Duration::MAX);
    }
}
