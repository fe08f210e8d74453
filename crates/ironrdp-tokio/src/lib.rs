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
    Answers, ClientAnswers, DEFAULT_QUEUE_LIMIT, Driven, EndOfStream, Framed, FramedFlush, FramedRead,
    FramedWrite, NetworkClient, NoAnswers, NoNetwork, QueueFull, READ_AHEAD, SessionStream, ShouldUpgrade,
    StreamError, StreamErrorKind, StreamWrapper, UnexpectedFrame, Upgraded, connect_begin, connect_finalize,
    drive, drive_while, mark_as_upgraded, now, poll_fill, session_config, share, single_sequence_step,
    single_sequence_step_read, single_sequence_step_write, to_std,
};
