//! Whether the server is still there. What real servers answer to which question is in this crate's README.

use core::time::Duration;

use ironrdp_core::{Liveness, MonotonicInstant};
use ironrdp_pdu::InclusiveRect;
use ironrdp_pdu::autodetect::Heartbeat;
use ironrdp_pdu::share::RefreshRect;

use crate::pixel_store::PixelStore;
use crate::session::{Session, State};
use crate::{Event, LifeSign, SessionError, SessionErrorKind};

/// Questions in a row that may stay unanswered, less one. The network carries them reliably; a server may still lose one to a
/// desktop that is being locked or resized at that moment.
const QUESTIONS: u8 = 2;

/// What a silent server is asked to paint again (MS-RDPBCGR 2.2.11.2): four by four pixels, which xrdp answers with 55 bytes and
/// freerdp-shadow with 44. FreeRDP's servers take the last row and column for the first ones outside, so that a single pixel is
/// nothing to them.
const CORNER: InclusiveRect = InclusiveRect {
    left: 0,
    top: 0,
    right: 3,
    bottom: 3,
};

/// What is known of the server's habits, and since when it is silent.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Since when silence counts; `None` until the session is told the time.
    since: Option<MonotonicInstant>,
    heartbeat: Option<Heartbeat>,
    question: Option<Question>,
    habit: Habit,
}

#[derive(Debug, Clone, Copy)]
struct Question {
    asked_at: MonotonicInstant,
    number: u8,
}

/// Whether a server answers questions; found out by asking, since the capability sets do not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Habit {
    #[default]
    Unknown,
    Answers,
    /// It let a question pass and went on all the same, as far as anybody can tell.
    Ignores,
}

/// What the watch wants when its time has come.
enum Due {
    Ask,
    GiveUpAsking,
    Dead(LifeSign),
}

impl Watch {
    /// Something arrived.
    #[inline]
    pub(crate) fn saw(&mut self, now: MonotonicInstant) {
        self.since = Some(now);
        if let Some(question) = self.question.take()
            // One answered only when repeated may have been passed over, and what came now be something else.
            && question.number == 1
        {
            self.habit = Habit::Answers;
        }
    }

    /// The session did not see what came meanwhile: silence counts from when it is told the time again.
    pub(crate) fn restart(&mut self) {
        self.since = None;
        self.question = None;
    }

    /// Starts to count silence, unless it counts already.
    pub(crate) fn start(&mut self, now: MonotonicInstant) {
        self.since.get_or_insert(now);
    }

    /// The server promised heartbeats, or took the promise back by a period of zero (MS-RDPBCGR 2.2.16.1).
    pub(crate) fn promised(&mut self, heartbeat: Heartbeat) {
        self.heartbeat = (heartbeat.period_seconds > 0).then_some(heartbeat);
    }

    /// A question that is open is not held against the server: it may not answer as things are now.
    pub(crate) fn excuse(&mut self) {
        self.question = None;
    }

    /// When something is due, if the server may be asked (`can_ask`).
    fn due_at(&self, liveness: &Liveness, can_ask: bool) -> Option<MonotonicInstant> {
        let since = self.since.filter(|_| !liveness.is_off())?;
        if let Some(heartbeat) = &self.heartbeat {
            // 2.2.16.1: after so many missed heartbeats a client should try to reconnect.
            let periods = u32::from(heartbeat.reconnect_after.max(1));
            return Some(since + Duration::from_secs(heartbeat.period_seconds.into()) * periods);
        }
        if !can_ask || self.habit == Habit::Ignores {
            return None;
        }
        Some(match self.question {
            Some(question) => question.asked_at + liveness.answer,
            None => since + liveness.idle,
        })
    }

    fn due(&self, liveness: &Liveness, can_ask: bool, now: MonotonicInstant) -> Option<Due> {
        self.due_at(liveness, can_ask).filter(|due| *due <= now)?;
        Some(match (self.heartbeat, self.question, self.habit) {
            (Some(_), ..) => Due::Dead(LifeSign::Heartbeat),
            (_, None, _) => Due::Ask,
            (_, Some(_), Habit::Unknown | Habit::Ignores) => Due::GiveUpAsking,
            (_, Some(question), Habit::Answers) if question.number < QUESTIONS => Due::Ask,
            (_, Some(_), Habit::Answers) => Due::Dead(LifeSign::Answer),
        })
    }

    fn asked(&mut self, now: MonotonicInstant) {
        let number = self
            .question
            .map_or(1, |question| question.number.saturating_add(1));
        self.question = Some(Question {
            asked_at: now,
            number,
        });
    }

    fn silent_for(&self, now: MonotonicInstant) -> Duration {
        now - self.since.unwrap_or(now)
    }
}

impl<P: PixelStore> Session<P> {
    /// Notes that bytes arrived at `now` that are not for the session, of a reactivation say, or of a frame that is not whole yet:
    /// a sign of life too.
    pub fn note_arrival(&mut self, now: MonotonicInstant) {
        self.watch.saw(now);
    }

    /// When the server has to give a sign of life, or is to be asked for one.
    pub(crate) fn liveness_due_at(&self) -> Option<MonotonicInstant> {
        self.watched()
            .then(|| self.watch.due_at(&self.config.liveness, self.can_ask()))?
    }

    /// Asks a silent server, or takes it for dead.
    pub(crate) fn check_liveness(&mut self, now: MonotonicInstant) {
        self.watch.start(now);
        if !self.watched() {
            return;
        }
        match self.watch.due(&self.config.liveness, self.can_ask(), now) {
            Some(Due::Ask) => {
                tracing::trace!("asking a silent server for a sign of life");
                let areas = vec![CORNER];
                // No room for 50 bytes means that nobody takes the output: there will be no answer either, which is the truth.
                let _ = self.outbox.share_data(&self.config, RefreshRect { areas });
                self.watch.asked(now);
            }
            Some(Due::GiveUpAsking) => {
                tracing::debug!("the server does not answer when asked to refresh a pixel");
                self.watch.habit = Habit::Ignores;
                self.watch.excuse();
            }
            Some(Due::Dead(missed)) => {
                let silent_for = self.watch.silent_for(now);
                tracing::info!(?missed, ?silent_for, "the server gives no sign of life");
                self.events.push(Event::PeerSilent { missed, silent_for });
                self.state = State::Failed(SessionError::new(
                    SessionErrorKind::PeerSilent,
                    "no sign of life in time",
                ));
            }
            None => {}
        }
    }

    /// A dead server matters only while the session lives; whoever runs a reactivation has a deadline for it.
    fn watched(&self) -> bool {
        matches!(self.state, State::Active | State::Disconnecting)
    }

    /// Whether an answer can be expected: a server that does not refresh, or was told to send no graphics, gives none.
    fn can_ask(&self) -> bool {
        self.is_active() && self.config.share.server.refresh_rect && !self.suppressed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVENESS: Liveness = Liveness::DEFAULT;

    fn at(seconds: u64) -> MonotonicInstant {
        MonotonicInstant::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn silence_counts_from_the_first_look_at_the_clock_and_from_each_arrival() {
        let mut watch = Watch::default();
        assert_eq!(watch.due_at(&LIVENESS, true), None);
        watch.start(at(5));
        watch.start(at(7));
        assert_eq!(watch.due_at(&LIVENESS, true), Some(at(35)));
        watch.saw(at(9));
        assert_eq!(watch.due_at(&LIVENESS, true), Some(at(39)));
        assert_eq!(watch.due_at(&LIVENESS, false), None);
        assert_eq!(watch.due_at(&Liveness::OFF, true), None);
    }

    #[test]
    fn only_a_first_question_shows_that_a_server_answers() {
        let mut watch = Watch::default();
        watch.start(at(0));
        watch.asked(at(30));
        watch.asked(at(50));
        watch.saw(at(51));
        assert_eq!(watch.habit, Habit::Unknown);
        watch.asked(at(81));
        watch.saw(at(82));
        assert_eq!(watch.habit, Habit::Answers);
    }

    #[test]
    fn an_excused_question_is_asked_anew_and_not_counted() {
        let mut watch = Watch::default();
        watch.start(at(0));
        watch.asked(at(30));
        watch.excuse();
        assert!(matches!(watch.due(&LIVENESS, true, at(50)), Some(Due::Ask)));
        watch.asked(at(50));
        assert!(watch.due(&LIVENESS, true, at(69)).is_none());
        assert!(matches!(
            watch.due(&LIVENESS, true, at(70)),
            Some(Due::GiveUpAsking)
        ));
    }
}
