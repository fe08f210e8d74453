//! The client of a session: `ironrdp-tokio` as an application uses it.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use ironrdp_connector::{Config, Credentials, Phase};
use ironrdp_graphics::Framebuffer;
use ironrdp_pdu::input::{InputEvent, KeyFlags};
use ironrdp_session::Event;
use ironrdp_testkit::net::{End, TokioClock};
use ironrdp_testkit::{Direction, Rng};
use ironrdp_tls::{CertificatePolicy, TlsClient};
use ironrdp_tokio::{Connect, ConnectConfig, ConnectErrorKind, ServerAddr, StreamError, StreamErrorKind};
use rustls::crypto::{CryptoProvider, GetRandomFailed, SecureRandom};
use tokio::time::timeout;

use crate::drops::Drops;
use crate::picture::{expected, is_between};
use crate::plan::Plan;

/// How long an application waits for a picture: longer than it takes to find out that a server is dead, where that can be found out.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// How long a client looks at a picture that it dwells upon: longer than a silent server is left in peace, and not twice as long.
pub(crate) const DWELL: Duration = Duration::from_secs(45);

/// How a session ended for its client.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ClientEnd {
    /// All pictures were right, and the client took its leave.
    Right,
    /// The connection did not come about: the phase, and what kind of error it was.
    NotConnected(String, String),
    /// The session broke while the client waited for a picture, or took its leave.
    Broke(String),
    /// The server ended the session of its own accord.
    Disconnected,
    /// No error, but no picture either for as long as the application was willing to wait.
    GaveUp,
    /// Pixels that no picture has.
    Wrong,
}

/// The name of an enum's variant, with the one inside it if that is all it holds.
pub(crate) fn name(kind: &impl Debug) -> String {
    let text = format!("{kind:?}");
    text.split(['{', ','])
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn stream_error(error: &StreamError) -> String {
    match error.kind() {
        StreamErrorKind::Io(error) => format!("Io({:?})", error.kind()),
        StreamErrorKind::Session(error) => format!("Session({})", name(&error.kind())),
        StreamErrorKind::Reactivation(error) => format!("Reactivation({})", name(error.kind())),
        other => name(other),
    }
}

fn connect_error(kind: &ConnectErrorKind) -> String {
    match kind {
        ConnectErrorKind::Io(error) => format!("Io({:?})", error.kind()),
        ConnectErrorKind::Tls(error) => format!("Tls({})", name(&error.kind())),
        ConnectErrorKind::Sequence(error) => format!("Sequence({})", name(error.kind())),
        other => name(other),
    }
}

pub(crate) fn config(plan: &Plan) -> Config {
    let config = Config::new(Credentials::new("storm", "Lab-Pass-1")).with_desktop_size(plan.pictures[0]);
    match plan.secured {
        true => config,
        false => config.dangerously_require_plain(),
    }
}

/// Accepts any certificate, since that of the storm's server is nobody's, and says hello in the same way every time: rustls shuffles
/// what a hello consists of, so that a byte of it would be another byte in every run.
pub(crate) fn tls() -> TlsClient {
    let mut provider = CryptoProvider::clone(&ironrdp_tls::default_provider());
    provider.secure_random = &NotRandom;
    TlsClient::builder(CertificatePolicy::dangerously_accept_any())
        .crypto_provider(Arc::new(provider))
        .build()
        .unwrap()
}

#[derive(Debug)]
struct NotRandom;

impl SecureRandom for NotRandom {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        buf.copy_from_slice(&Rng::new(1).bytes(buf.len()));
        Ok(())
    }
}

/// What a client has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Bytes that it had read from the network when it had seen all pictures, if it has.
    pub(crate) all_after: Option<u64>,
}

/// Runs the client of `plan`.
pub(crate) async fn client(
    stream: End<TokioClock>,
    plan: &Arc<Plan>,
    tls: TlsClient,
    drops: &mut Drops,
    seen: &mut Seen,
) -> ClientEnd {
    let probe = stream.probe();
    let server = ServerAddr::new("storm.example", 3389);
    let config = ConnectConfig::new(config(plan)).with_tls(tls);
    let mut connect = Connect::over(stream, server, config);
    let connected = match drops
        .through(tokio::time::sleep, async || connect.run().await)
        .await
    {
        Ok(connected) => connected,
        Err(error) => {
            let phase: Phase = error.phase();
            return ClientEnd::NotConnected(phase.to_string(), connect_error(error.kind()));
        }
    };
    let size = plan.pictures[0];
    let pixels = Framebuffer::new(size.width(), size.height()).unwrap();
    let mut session = connected.into_session(pixels).unwrap();
    let mut before = Framebuffer::new(size.width(), size.height()).unwrap();
    for (index, size) in plan.pictures.iter().enumerate() {
        let wanted = expected(plan, index);
        if (before.width(), before.height()) != (size.width(), size.height()) {
            before = Framebuffer::new(size.width(), size.height()).unwrap();
        }
        let painted = timeout(PATIENCE, async {
            loop {
                let event = drops
                    .through(tokio::time::sleep, async || session.next_event().await)
                    .await;
                match event {
                    Ok(Some(Event::Painted)) => session.session_mut().clear_damage(),
                    Ok(Some(Event::Disconnected { .. }) | None) => return Err(ClientEnd::Disconnected),
                    Ok(Some(_)) => continue,
                    Err(error) => return Err(ClientEnd::Broke(stream_error(&error))),
                }
                // Until the new size is there the old picture stays.
                if session.session().desktop_size() != *size {
                    continue;
                }
                let pixels = session.session().pixels();
                if pixels.pixels() == wanted.pixels() {
                    return Ok(());
                }
                if !is_between(pixels, &before, &wanted) {
                    return Err(ClientEnd::Wrong);
                }
            }
        })
        .await;
        match painted {
            Ok(Ok(())) => {}
            Ok(Err(end)) => return end,
            Err(_) => return ClientEnd::GaveUp,
        }
        if index == 0 && plan.dwells {
            let dwelt = timeout(DWELL, async {
                loop {
                    match drops
                        .through(tokio::time::sleep, async || session.next_event().await)
                        .await
                    {
                        Ok(Some(Event::Disconnected { .. }) | None) => return ClientEnd::Disconnected,
                        Ok(Some(_)) => {}
                        Err(error) => return ClientEnd::Broke(stream_error(&error)),
                    }
                }
            });
            if let Ok(end) = dwelt.await {
                return end;
            }
            if session.session().pixels().pixels() != wanted.pixels() {
                return ClientEnd::Wrong;
            }
        }
        before = wanted;
        if index + 1 < plan.pictures.len() {
            // A share that is gone while the key is pressed is an error of its own kind.
            if let Err(error) = session.send_input(&[key()]).await {
                return ClientEnd::Broke(stream_error(&error));
            }
        }
    }
    seen.all_after = Some(probe.report(Direction::ToClient).read);
    let farewell = timeout(PATIENCE, async {
        session.disconnect().await?;
        drops
            .through(tokio::time::sleep, async || session.flush().await)
            .await?;
        while drops
            .through(tokio::time::sleep, async || session.next_event().await)
            .await?
            .is_some()
        {}
        Ok::<_, StreamError>(())
    });
    match farewell.await {
        Ok(Ok(())) => ClientEnd::Right,
        Ok(Err(error)) => ClientEnd::Broke(stream_error(&error)),
        Err(_) => ClientEnd::GaveUp,
    }
}

pub(crate) fn key() -> InputEvent {
    InputEvent::Scancode {
        flags: KeyFlags::empty(),
        code: 0x1e,
    }
}
