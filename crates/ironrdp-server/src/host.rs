//! What the application gives each client.

use std::fmt;
use std::net::SocketAddr;

use ironrdp_connector::ColorDepth;
use ironrdp_pdu::DesktopSize;

use crate::{IgnoreInput, Input, Screen};

/// Gives every client that was let in what it is to see, and who takes its input.
///
/// Any `Fn(&Client) -> Option<Seat>` is one.
pub trait Host: Send + Sync + 'static {
    /// A place for `client`, or none to turn it away.
    fn seat(&self, client: &Client) -> Option<Seat>;
}

impl<F: Fn(&Client) -> Option<Seat> + Send + Sync + 'static> Host for F {
    fn seat(&self, client: &Client) -> Option<Seat> {
        self(client)
    }
}

/// What one client sees and does.
pub struct Seat {
    /// What it sees. Many clients may see the same screen.
    pub screen: Screen,
    /// Who takes what its user does.
    pub input: Box<dyn Input>,
}

impl Seat {
    /// A place in front of `screen`.
    pub fn new(screen: Screen, input: impl Input) -> Self {
        Self {
            screen,
            input: Box::new(input),
        }
    }

    /// A place in front of `screen` to look from.
    pub fn to_look(screen: Screen) -> Self {
        Self::new(screen, IgnoreInput)
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("screen", &self.screen)
            .finish_non_exhaustive()
    }
}

/// Who a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Client {
    /// Number of the session, unique while the server runs.
    pub id: u32,
    /// Where it comes from.
    pub address: SocketAddr,
    /// The name the client's machine gives itself.
    pub name: String,
    /// Who logged in.
    pub user_name: String,
    /// The user's domain, empty for none.
    pub domain: String,
    /// The desktop size the client asked for, as far as it was a possible one.
    pub desktop_size: Option<DesktopSize>,
    /// The colour depth in use.
    pub color_depth: ColorDepth,
    /// The session this client had before its connection broke, if it proved it with its cookie.
    pub came_back_to: Option<u32>,
}
