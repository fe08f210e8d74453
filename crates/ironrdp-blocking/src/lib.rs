#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod answers;
pub use answers::{Answers, NetworkClient};

mod connect;
pub use connect::{
    connect_begin, connect_finalize, drive, drive_while, single_sequence_step, single_sequence_step_read,
    single_sequence_step_write,
};

mod framed;
pub use framed::Framed;

mod kdc;
pub use kdc::KdcClient;

#[cfg(feature = "kdc-proxy")]
mod kdc_proxy;

mod session;
pub use session::SessionStream;

mod stream;
pub use stream::{BlockingRead, BlockingStream};

pub use ironrdp_async::{
    ClientAnswers, Driven, EndOfStream, Limit, LimitExceeded, Limits, NoAnswers, NoNetwork, QueueFull,
    SLICE_READ_AHEAD, ShouldUpgrade, StreamError, StreamErrorKind, UnexpectedFrame, Upgraded, exceeded_limit,
    mark_as_upgraded, now, to_std,
};
