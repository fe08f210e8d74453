#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod admission;

mod canvas;
pub use canvas::Canvas;

#[cfg(feature = "self-signed")]
mod certificate;
#[cfg(feature = "self-signed")]
pub use certificate::self_signed;

mod client;

mod config;
pub use config::{Capacity, ServerConfig};

pub use ironrdp_core::{Limit, LimitExceeded, Limits};

mod credentials;
pub use credentials::{Account, Credentials, DangerouslyAnyone, Login, Lookup, Verdict};

mod display;
pub use display::Display;

mod encode;

mod error;
pub use error::{ServerError, ServerErrorKind, ServerResult};

mod handshake;

mod host;
pub use host::{Client, Host, Seat};

mod input;
pub use input::{Button, IgnoreInput, Input, WheelAxis};

mod pointer;
pub use pointer::Pointer;

mod reconnect;

mod screen;
pub use screen::{Screen, ScreenStats};

mod server;
pub use server::{Server, ServerHandle, ServerStats};

mod seen;

mod session;
pub use session::ServerSession;

mod sharing;

mod stall;

mod support;

mod transport;
pub use transport::ServerTransport;
