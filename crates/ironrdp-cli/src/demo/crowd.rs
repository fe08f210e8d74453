//! The clients of the demo: one session, from the first byte to the right picture.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ironrdp_connector::{Compression, Config, Credentials, SecurityPolicy};
use ironrdp_graphics::Framebuffer;
use ironrdp_pdu::DesktopSize;
use ironrdp_session::Event;
use ironrdp_tls::TlsClient;
use ironrdp_tokio::{Connect, ConnectConfig, ServerAddr, Session};
use tokio::time::timeout;

use super::desk::Desk;
use crate::keyboard::Typing;

/// Where and as whom clients connect, and how long each may take for each step.
pub(crate) struct Crowd {
    pub(crate) server: ServerAddr,
    pub(crate) tls: TlsClient,
    pub(crate) password: String,
    pub(crate) size: DesktopSize,
    pub(crate) security: SecurityPolicy,
    pub(crate) patience: Duration,
}

/// A client in its session.
pub(crate) struct Member {
    pub(crate) number: usize,
    pub(crate) session: Session<Framebuffer>,
    pub(crate) connected_in: Duration,
    /// From the first byte to the first pixels.
    pub(crate) first_frame_in: Duration,
}

/// The name that session `number` logs in with.
pub(crate) fn user_name(number: usize) -> String {
    format!("session-{number:04}")
}

/// What is typed into session `number`.
pub(crate) fn greeting(number: usize) -> String {
    format!("Hello from {number:04}.\nThis was typed over\nRDP, key by key.")
}

impl Crowd {
    /// Connects session `number` and waits for its first pixels.
    pub(crate) async fn join(&self, number: usize) -> Result<Member, String> {
        let credentials = Credentials::new(user_name(number), self.password.clone());
        // All of this stays on one machine: compressing it would only cost memory and time.
        let config = Config::new(credentials)
            .with_desktop_size(self.size)
            .with_security(self.security)
            .with_compression(Compression::Off);
        let config = ConnectConfig::new(config).with_tls(self.tls.clone());
        let started = Instant::now();
        let work = async {
            let connected = Box::pin(Connect::new(self.server.clone(), config).run())
                .await
                .map_err(|error| error.to_string())?;
            let connected_in = started.elapsed();
            let pixels = Framebuffer::new(1, 1).map_err(|error| error.to_string())?;
            let session = connected
                .into_session(pixels)
                .map_err(|error| error.to_string())?;
            let mut member = Member {
                number,
                session,
                connected_in,
                first_frame_in: Duration::ZERO,
            };
            member.painted().await?;
            member.first_frame_in = started.elapsed();
            Ok(member)
        };
        timeout(self.patience, work)
            .await
            .unwrap_or_else(|_| Err("no picture in time".to_owned()))
    }

    /// Types into a session and waits until it shows what `desk` shows with the text on it.
    pub(crate) async fn work(&self, member: &mut Member, desk: &Arc<Desk>) -> Result<(), String> {
        let work = async {
            let text = greeting(member.number);
            member.write(&text).await?;
            member.shows(desk, &text).await
        };
        timeout(self.patience, work)
            .await
            .unwrap_or_else(|_| Err("the right picture did not come in time".to_owned()))
    }
}

impl Member {
    async fn painted(&mut self) -> Result<(), String> {
        loop {
            match self.session.next_event().await {
                Ok(Some(Event::Painted)) => {
                    self.session.session_mut().clear_damage();
                    return Ok(());
                }
                Ok(Some(Event::Disconnected { error_info, .. })) => {
                    return Err(error_info.map_or_else(
                        || "the server disconnected".to_owned(),
                        |info| format!("the server disconnected: {info}"),
                    ));
                }
                Ok(Some(_)) => {}
                Ok(None) => return Err("the session ended".to_owned()),
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    async fn write(&mut self, text: &str) -> Result<(), String> {
        let typing = Typing::new(text).map_err(|key| format!("no key for {key:?}"))?;
        let mut events = vec![Typing::unlock()];
        events.extend(typing.strokes().flatten());
        self.session
            .send_input(&events)
            .await
            .map_err(|error| error.to_string())
    }

    /// Waits until the picture is, pixel by pixel, what the server drew.
    async fn shows(&mut self, desk: &Desk, text: &str) -> Result<(), String> {
        loop {
            // Before all of it was typed there is nothing to compare with.
            if desk.text() == text {
                let drawn = desk.picture().map_err(|error| error.to_string())?;
                if drawn.pixels() == self.session.session().pixels().pixels() {
                    return Ok(());
                }
            }
            self.painted().await?;
        }
    }

    pub(crate) async fn leave(mut self) {
        // The server will find out by itself if this does not arrive.
        if self.session.disconnect().await.is_ok() {
            drop(timeout(Duration::from_secs(1), self.session.flush()).await);
        }
    }
}
