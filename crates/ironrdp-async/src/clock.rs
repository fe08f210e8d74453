//! The one clock of the process that machines are told the time of.

use std::sync::OnceLock;
use std::time::Instant;

use ironrdp_core::MonotonicInstant;

static ORIGIN: OnceLock<Instant> = OnceLock::new();

/// The time now. All instants in this crate have the same origin, the first use of this function.
pub fn now() -> MonotonicInstant {
    MonotonicInstant::from_origin(ORIGIN.get_or_init(Instant::now).elapsed())
}

/// The same instant as the standard library gives it, for a runtime's timers; `None` if it lies too far ahead.
pub fn to_std(at: MonotonicInstant) -> Option<Instant> {
    ORIGIN.get_or_init(Instant::now).checked_add(at.since_origin())
}

/// The instant that the standard library gives, of a runtime's clock say; the origin if it lies before that.
pub fn from_std(at: Instant) -> MonotonicInstant {
    let origin = *ORIGIN.get_or_init(Instant::now);
    MonotonicInstant::from_origin(at.saturating_duration_since(origin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn both_clocks_tell_the_same_time() {
        let before = Instant::now();
        let at = to_std(now()).unwrap();
        assert!(at.saturating_duration_since(before) < Duration::from_secs(5));
        assert!(before.saturating_duration_since(at) < Duration::from_millis(1));
        let later = at + Duration::from_secs(3);
        assert_eq!(to_std(from_std(later)), Some(later));
    }
}
