//! How long a connection may take, and how long it took.

use std::future::Future;
use std::time::Duration;

use ironrdp_connector::{ConnectorError, Deadlines, Phase};
use ironrdp_core::MonotonicInstant;

use crate::{Timer, within};

/// How long the phases of a connection took; zero for those that were not gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PhaseTimings {
    /// Resolving the name and opening the TCP connection.
    pub dial: Duration,
    /// Agreeing on a security protocol.
    pub negotiate: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// CredSSP.
    pub authenticate: Duration,
    /// From the conference to the active share.
    pub activate: Duration,
}

impl PhaseTimings {
    /// All phases together.
    pub fn total(&self) -> Duration {
        self.dial + self.negotiate + self.tls + self.authenticate + self.activate
    }

    fn of(&mut self, phase: Phase) -> &mut Duration {
        match phase {
            Phase::Dial => &mut self.dial,
            Phase::Negotiate => &mut self.negotiate,
            Phase::Tls => &mut self.tls,
            Phase::Authenticate => &mut self.authenticate,
            Phase::Activate => &mut self.activate,
        }
    }
}

/// Knows the phase, since when, and until when.
#[derive(Debug, Clone)]
pub(crate) struct PhaseClock {
    phase: Phase,
    deadlines: Deadlines,
    /// When the whole and the phase began; they begin at the first call that waits.
    started: Option<MonotonicInstant>,
    phase_started: Option<MonotonicInstant>,
    past: PhaseTimings,
    stopped: bool,
}

impl PhaseClock {
    pub(crate) fn new(phase: Phase, deadlines: Deadlines) -> Self {
        Self {
            phase,
            deadlines,
            started: None,
            phase_started: None,
            past: PhaseTimings::default(),
            stopped: false,
        }
    }

    /// The whole began at `started` already.
    pub(crate) fn since(mut self, started: MonotonicInstant) -> Self {
        self.started = Some(started);
        self
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Goes on to the next phase; says how long this one took.
    pub(crate) fn enter(&mut self, phase: Phase, now: MonotonicInstant) -> Duration {
        let took = self.elapsed(now);
        *self.past.of(self.phase) += took;
        self.phase = phase;
        self.phase_started = Some(now);
        took
    }

    /// How long this phase has taken.
    pub(crate) fn elapsed(&self, now: MonotonicInstant) -> Duration {
        now - self.phase_started.unwrap_or(now)
    }

    pub(crate) fn stop(&mut self, now: MonotonicInstant) -> PhaseTimings {
        self.enter(self.phase, now);
        self.stopped = true;
        self.past
    }

    pub(crate) fn timings(&self, now: MonotonicInstant) -> PhaseTimings {
        let mut timings = self.past;
        if let Some(phase_started) = self.phase_started.filter(|_| !self.stopped) {
            *timings.of(self.phase) += now - phase_started;
        }
        timings
    }

    /// When the time is up, and the error that says so.
    fn end(&mut self, now: MonotonicInstant) -> (MonotonicInstant, fn(Phase) -> ConnectorError) {
        let started = *self.started.get_or_insert(now);
        let phase_started = *self.phase_started.get_or_insert(now);
        let phase_end = phase_started + self.deadlines.of(self.phase);
        let whole_end = started + self.deadlines.overall;
        if whole_end < phase_end {
            (whole_end, ConnectorError::overall_timeout)
        } else {
            (phase_end, ConnectorError::timeout)
        }
    }

    /// Waits for `future`, but not beyond the deadline of this phase nor that of the whole.
    ///
    /// # Cancel safety
    ///
    /// That of `future`; the deadlines stay where they are.
    pub(crate) async fn bound<T, F, R, E>(&mut self, timer: &mut T, future: F) -> Result<R, E>
    where
        T: Timer,
        F: Future<Output = Result<R, E>>,
        E: From<ConnectorError>,
    {
        let (end, error) = self.end(T::now());
        match within(timer, Some(end), future).await {
            Some(result) => result,
            None => Err(error(self.phase).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use ironrdp_connector::ConnectorErrorKind;

    use super::*;

    fn at(seconds: u64) -> MonotonicInstant {
        MonotonicInstant::from_origin(Duration::from_secs(seconds))
    }

    fn clock() -> PhaseClock {
        let seconds = Duration::from_secs;
        PhaseClock::new(
            Phase::Dial,
            Deadlines {
                dial: seconds(10),
                negotiate: seconds(10),
                tls: seconds(10),
                authenticate: seconds(20),
                activate: seconds(20),
                overall: seconds(35),
            },
        )
    }

    fn end(clock: &mut PhaseClock, now: u64) -> (MonotonicInstant, ConnectorErrorKind) {
        let (end, error) = clock.end(at(now));
        (end, error(clock.phase()).kind().clone())
    }

    #[test]
    fn whichever_deadline_comes_first_is_the_one_and_names_the_phase() {
        let mut clock = clock();
        let timeout = ConnectorErrorKind::Timeout;
        assert_eq!(end(&mut clock, 100), (at(110), timeout(Phase::Dial)));
        // A later look does not move it.
        assert_eq!(end(&mut clock, 105), (at(110), timeout(Phase::Dial)));
        clock.enter(Phase::Negotiate, at(108));
        assert_eq!(end(&mut clock, 108), (at(118), timeout(Phase::Negotiate)));
        clock.enter(Phase::Authenticate, at(117));
        let overall = ConnectorErrorKind::OverallTimeout(Phase::Authenticate);
        assert_eq!(end(&mut clock, 117), (at(135), overall));
        let timings = clock.timings(at(120));
        let seconds = Duration::from_secs;
        assert_eq!(
            (timings.dial, timings.negotiate, timings.authenticate),
            (seconds(8), seconds(9), seconds(3))
        );
        assert_eq!(timings.total(), seconds(20));
        assert_eq!(clock.stop(at(121)).total(), seconds(21));
        assert_eq!(clock.timings(at(999)).total(), seconds(21));
    }

    #[test]
    fn the_whole_may_have_begun_before() {
        let mut clock = clock().since(at(90));
        let overall = ConnectorErrorKind::OverallTimeout(Phase::Dial);
        assert_eq!(end(&mut clock, 120), (at(125), overall));
    }
}
