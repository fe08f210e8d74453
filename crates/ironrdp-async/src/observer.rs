//! Who measures a connection, if anybody does.

use std::time::Duration;

use ironrdp_connector::Phase;
use ironrdp_session::SessionStats;

/// Hears what a connection and its session do, to count it somewhere.
///
/// `()` is the one that hears nothing, and it is what every session has unless it is given another: with it no clock is read
/// and no call is made, since [`ENABLED`](Self::ENABLED) is known when the code is compiled. The plain numbers of
/// [`Session::stats`](ironrdp_session::Session::stats) are there with and without.
///
/// The calls come between two frames, in the task of the session: an observer must not block.
pub trait Observer {
    /// Whether anything is measured for this observer.
    const ENABLED: bool = true;

    /// A phase of the connection is over.
    fn phase_ended(&mut self, phase: Phase, took: Duration, end: PhaseEnd) {
        let _ = (phase, took, end);
    }

    /// The session has handled frames, or written.
    fn worked(&mut self, work: &Work<'_>) {
        let _ = work;
    }
}

impl Observer for () {
    const ENABLED: bool = false;
}

impl<O: Observer> Observer for &mut O {
    const ENABLED: bool = O::ENABLED;

    fn phase_ended(&mut self, phase: Phase, took: Duration, end: PhaseEnd) {
        (**self).phase_ended(phase, took, end);
    }

    fn worked(&mut self, work: &Work<'_>) {
        (**self).worked(work);
    }
}

/// How a phase of a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PhaseEnd {
    /// The next phase, or the session, has begun.
    Passed,
    /// The deadline of the phase, or of the whole, passed.
    TimedOut,
    /// Something else went wrong.
    Failed,
}

/// What a session did since it was last asked.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Work<'a> {
    /// What it has seen and done since it was made: bytes, PDUs by kind, what was passed over. The difference to the last time
    /// is what is new.
    pub stats: &'a SessionStats,
    /// How long it handled frames (decoding, drawing, answering); `None` if there were none.
    pub decoding: Option<Duration>,
    /// Bytes that wait for the server to read them.
    pub queued_bytes: usize,
}
