#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod answers;
pub use answers::{Answers, ClientAnswers, NetworkClient, NoAnswers, NoNetwork};

mod chunk;
pub use chunk::{READ_AHEAD, poll_fill};

mod clock;
pub use clock::{now, to_std};

mod connect;
pub use connect::{
    ShouldUpgrade, Upgraded, connect_begin, connect_finalize, mark_as_upgraded, single_sequence_step,
    single_sequence_step_read, single_sequence_step_write,
};

mod drive;
pub use drive::{Driven, drive, drive_while};

mod error;
pub use error::{EndOfStream, UnexpectedFrame, exceeded_limit};

mod framed;
pub use framed::Framed;

#[cfg(feature = "kdc-proxy")]
mod kdc_proxy;
#[cfg(feature = "kdc-proxy")]
pub use kdc_proxy::post_to_kdc_proxy;

mod queue;
pub use queue::QueueFull;

mod session;
pub use session::{SessionStream, StreamError, StreamErrorKind, session_config, share};

mod slice;
pub use slice::{SLICE_READ_AHEAD, poll_fill_slice};

mod split;

mod traits;
pub use traits::{FramedFlush, FramedRead, FramedWrite, StreamWrapper};

pub use ironrdp_core::{Limit, LimitExceeded, Limits};
