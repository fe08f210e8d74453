//! When a silent peer is taken for dead.

use core::time::Duration;

/// When a server that says nothing is taken for dead. One value, given with the configuration, rules the session and its socket.
///
/// Whatever arrives is a sign of life. A still desktop may be silent for hours, so silence alone says nothing: after
/// [`idle`](Self::idle) of it the server is asked to paint four by four pixels again. A server that has answered such a question before and
/// now leaves two in a row unanswered is dead; one that never answered is not asked again, since some never do. A server that
/// promises heartbeats is held to its promise instead.
///
/// The socket is told the same: it probes the other end after `idle`, and gives the connection up once nothing was acknowledged
/// for [`dead_after`](Self::dead_after).
///
/// Times may be added: write those that you change, and `..Liveness::DEFAULT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liveness {
    /// Silence after which the server is asked. 30 s: half of what many gateways allow before they drop an idle connection.
    pub idle: Duration,
    /// How long each of the two answers may take. 20 s: a loaded server that redraws is slow, not dead. Together with `idle` it
    /// stays clear of a minute, so that the clock in a corner of the desktop does not pass for an answer.
    pub answer: Duration,
}

impl Liveness {
    /// What [`default`](Self::default) gives.
    pub const DEFAULT: Self = Self {
        idle: Duration::from_secs(30),
        answer: Duration::from_secs(20),
    };

    /// No server is ever taken for dead, whatever it has promised, and the socket is left as it is.
    pub const OFF: Self = Self {
        idle: Duration::MAX,
        answer: Duration::MAX,
    };

    /// Whether nobody is to be taken for dead.
    pub const fn is_off(&self) -> bool {
        self.idle.as_nanos() == Duration::MAX.as_nanos()
    }

    /// The silence that proves a server dead which answers: the time to ask and two answers, 70 s by default.
    pub const fn dead_after(&self) -> Duration {
        self.idle.saturating_add(self.answer.saturating_mul(2))
    }
}

impl Default for Liveness {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_silence_that_proves_it_is_the_sum_and_saturates() {
        assert_eq!(Liveness::default().dead_after(), Duration::from_secs(70));
        assert_eq!(Liveness::OFF.dead_after(), Duration::MAX);
        assert!(Liveness::OFF.is_off() && !Liveness::DEFAULT.is_off());
    }
}
