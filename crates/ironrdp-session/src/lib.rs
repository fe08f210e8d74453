#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod channels;

mod commands;

mod config;
pub use config::{Channel, ServerSupport, SessionConfig, Share};

pub use ironrdp_core::{Limit, LimitExceeded, Limits, Liveness};

mod damage;

mod error;
pub use error::{SessionError, SessionErrorKind, SessionResult};

mod event;
pub use event::{ChannelMessage, Event, LifeSign, PointerBitmap, PointerState, Unsupported};

mod fast_path;

mod liveness;

mod outbox;

mod pixel_store;
pub use pixel_store::{NoPixels, PixelStore};

mod pointers;

mod queue;

mod screen;

mod session;
pub use session::Session;

mod slow_path;

mod stats;
pub use stats::{PduKind, SessionStats};
