#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod addr;
pub use addr::{DEFAULT_PORT, ParseAddrError, ServerAddr, ToServerAddr};

mod config;
pub use config::ConnectConfig;

mod connect;
pub use connect::{Connect, Connected, PhaseTimings, connect};

mod dial;

mod error;
pub use error::{ConnectError, ConnectErrorKind, ConnectResult};

mod kdc;
pub use kdc::KdcClient;

#[cfg(feature = "kdc-proxy")]
mod kdc_proxy;

mod session;
pub use session::Session;

mod stream;
pub use stream::{TokioFramed, TokioRead, TokioStream, TokioWriteAll};

mod transport;
pub use transport::Transport;

pub use ironrdp_async::{
    Answers, ClientAnswers, Driven, EndOfStream, Framed, FramedFlush, FramedRead, FramedWrite, Limit,
    LimitExceeded, Limits, NetworkClient, NoAnswers, NoNetwork, QueueFull, READ_AHEAD, SessionStream,
    ShouldUpgrade, StreamError, StreamErrorKind, StreamWrapper, UnexpectedFrame, Upgraded, connect_begin,
    connect_finalize, drive, drive_while, exceeded_limit, mark_as_upgraded, now, poll_fill, session_config,
    share, single_sequence_step, single_sequence_step_read, single_sequence_step_write, to_std,
};
