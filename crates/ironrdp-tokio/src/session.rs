//! A running session with its timers.

use ironrdp_async::TimedSession;
use tokio::net::TcpStream;

use crate::{TokioStream, TokioTimer, Transport};

/// A running session: events out, input in, timers driven.
///
/// ```no_run
/// use ironrdp_connector::{Config, Credentials};
/// use ironrdp_session::Event;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::new(Credentials::new("user", "password"));
/// let mut session = ironrdp_tokio::connect("desk.example", config).await?;
/// while let Some(event) = session.next_event().await? {
///     if event == Event::Painted {
///         println!("{} rectangles changed", session.session().damage().len());
///         session.session_mut().clear_damage();
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// Dereferences to [`SessionStream`](crate::SessionStream), which has everything else: the pixels, commands, input. Its methods that
/// wait do not drive the timers, those of this type do.
///
/// `O` is who measures it: nobody, unless [`with_observer`](TimedSession::with_observer) gave it one.
pub type Session<P, T = TcpStream, O = ()> = TimedSession<TokioStream<Transport<T>>, P, TokioTimer, O>;
