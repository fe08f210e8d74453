//! A session that is watched until its screen holds still.

use std::time::Duration;

use ironrdp_connector::Refusal;
use ironrdp_graphics::Framebuffer;
use ironrdp_pdu::input::InputEvent;
use ironrdp_session::{Event, SessionStats};
use ironrdp_tokio::{Connected, ServerAddr, Session};
use tokio::time::{Instant, timeout, timeout_at};

use super::patience::{Ended, Patience};
use crate::exit::{Exit, Failure, chain, in_session, refused_in_session, seconds, session_exit};
use crate::keyboard::Typing;

/// Pause after each character. Servers hand keys on to a window system, which may mix up what comes all at once.
const PACE: Duration = Duration::from_millis(10);

/// How long to wait for the last words to leave; the picture is taken already.
const FAREWELL: Duration = Duration::from_millis(500);

/// A running session, and when something of it changed.
pub(super) struct Watch<'a> {
    server: &'a ServerAddr,
    session: Session<Framebuffer>,
    started: Instant,
    end: Instant,
    first_pixels: Option<Instant>,
    /// The last pixels or keys.
    changed: Option<Instant>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        connected: Connected,
        server: &'a ServerAddr,
        started: Instant,
        end: Instant,
    ) -> Result<Self, Failure> {
        let size = connected.result.desktop_size();
        let pixels = Framebuffer::new(size.width(), size.height())
            .map_err(|error| Failure::new(Exit::Malformed, format!("{server}: {error}")))?;
        let session = connected.into_session(pixels).map_err(|error| {
            Failure::new(
                session_exit(error.kind()),
                format!("{server}: session: {}", chain(&error)),
            )
        })?;
        Ok(Self {
            server,
            session,
            started,
            end,
            first_pixels: None,
            changed: None,
        })
    }

    /// Waits until no new pixels have come for `quiet`; false if time was up before. There are pixels then, in any case.
    ///
    /// With `more_to_come` only half of the time that is left is spent on waiting.
    pub(super) async fn settle(&mut self, quiet: Duration, more_to_come: bool) -> Result<bool, Failure> {
        let now = Instant::now();
        let share = if more_to_come { 2 } else { 1 };
        let limit = now + self.end.saturating_duration_since(now) / share;
        let mut patience = Patience::new(quiet, limit, self.changed);
        loop {
            let waited = timeout_at(patience.wake_at(), self.session.next_event()).await;
            let arrived = waited.is_ok();
            if let Ok(event) = waited {
                let event = event.map_err(|error| self.broken(&error))?;
                if self.note(event)? {
                    patience.note(Instant::now());
                }
            }
            let now = Instant::now();
            // Quiet is looked for only when nothing has arrived: on a slow machine it would otherwise be found in our own
            // delay, between two pieces of the same picture.
            if arrived && now < limit {
                continue;
            }
            match patience.ended(now) {
                Some(Ended::Still) => return Ok(true),
                Some(Ended::Restless) => return Ok(false),
                Some(Ended::Nothing) => return Err(self.blank()),
                None => {}
            }
        }
    }

    /// Types, a character at a time, and goes on watching meanwhile.
    pub(super) async fn enter(&mut self, typing: &Typing) -> Result<(), Failure> {
        if let Some(character) = typing.needs_unicode()
            && !self.session.session().share().server.unicode_input
        {
            let message = format!(
                "{}: the server takes only keys, and {character:?} is on none of them",
                self.server
            );
            return Err(Failure::new(Exit::Refused, message)
                .hint("--type can type what is on a US keyboard to such a server"));
        }
        self.send(&[Typing::unlock()]).await?;
        for stroke in typing.strokes() {
            self.send(&stroke).await?;
            let pause = Instant::now() + PACE;
            while let Ok(event) = timeout_at(pause, self.session.next_event()).await {
                let event = event.map_err(|error| self.broken(&error))?;
                self.note(event)?;
            }
            if Instant::now() >= self.end {
                let message = format!(
                    "{}: timed out while typing, {} after the start",
                    self.server,
                    seconds(self.elapsed())
                );
                return Err(Failure::new(Exit::Timeout, message).hint("a long text needs a larger --timeout"));
            }
        }
        self.changed = Some(Instant::now());
        Ok(())
    }

    /// Sends input; while the share is being activated again it waits for that.
    async fn send(&mut self, events: &[InputEvent]) -> Result<(), Failure> {
        while !self.session.session().is_active() {
            match timeout_at(self.end, self.session.next_event()).await {
                Ok(event) => {
                    let event = event.map_err(|error| self.broken(&error))?;
                    self.note(event)?;
                }
                Err(_) => return Err(self.blank()),
            }
        }
        self.session
            .send_input(events)
            .await
            .map_err(|error| self.broken(&error))
    }

    /// Takes note of an event; true if there are new pixels.
    fn note(&mut self, event: Option<Event>) -> Result<bool, Failure> {
        match event {
            Some(Event::Painted) => {
                let now = Instant::now();
                self.first_pixels.get_or_insert(now);
                self.changed = Some(now);
                self.session.session_mut().clear_damage();
                Ok(true)
            }
            // The picture is black now: what was there does not count as a picture.
            Some(Event::Resized(size)) => {
                tracing::info!(
                    width = size.width(),
                    height = size.height(),
                    "the desktop was resized"
                );
                self.changed = None;
                Ok(false)
            }
            Some(Event::Disconnected { reason, error_info }) => {
                let refusal = error_info
                    .filter(|info| !info.is_none())
                    .map(Refusal::ErrorInfo)
                    .or(reason.map(Refusal::Disconnected));
                Err(refused_in_session(self.server, refusal))
            }
            Some(Event::Redirected(_)) => {
                let message = format!("{}: the server redirects to another host or session", self.server);
                Err(Failure::new(Exit::Refused, message)
                    .hint("redirections are not followed yet; connect to the target itself"))
            }
            None => Err(refused_in_session(self.server, None)),
            Some(other) => {
                tracing::debug!(event = ?other, "event");
                Ok(false)
            }
        }
    }

    fn broken(&self, error: &ironrdp_tokio::StreamError) -> Failure {
        let said = self.session.session().error_info().filter(|info| !info.is_none());
        match said {
            Some(info) => refused_in_session(self.server, Some(Refusal::ErrorInfo(info))),
            None => in_session(self.server, error),
        }
    }

    /// Time is up and there is nothing to show.
    fn blank(&self) -> Failure {
        let message = format!(
            "{}: timed out while waiting for the first pixels, {} after the start",
            self.server,
            seconds(self.elapsed())
        );
        Failure::new(Exit::Timeout, message).hint("a slow server may need a larger --timeout")
    }

    /// Leaves the session, which goes on without us.
    pub(super) async fn leave(&mut self) {
        let farewell = async {
            self.session.disconnect().await?;
            self.session.flush().await
        };
        match timeout(FAREWELL, farewell).await {
            Ok(Ok(())) => {}
            // The picture is taken. A server that does not listen any more is no failure of ours.
            Ok(Err(error)) => tracing::debug!(%error, "the farewell did not go out"),
            Err(_) => tracing::debug!("the farewell did not go out in time"),
        }
    }

    pub(super) fn pixels(&self) -> &Framebuffer {
        self.session.session().pixels()
    }

    pub(super) fn stats(&self) -> &SessionStats {
        self.session.session().stats()
    }

    /// Bits a pixel, as the last activation agreed upon.
    pub(super) fn depth(&self) -> u16 {
        self.session.session().share().bits_per_pixel
    }

    /// From the start to the first pixels.
    pub(super) fn first_pixels(&self) -> Option<Duration> {
        self.first_pixels.map(|at| at - self.started)
    }

    /// Since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
