#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[cfg(feature = "connect")]
mod config;
#[cfg(feature = "connect")]
pub use config::ConnectConfig;

#[cfg(feature = "connect")]
mod connect;
#[cfg(feature = "connect")]
pub use connect::{Connect, Connected, Session};

#[cfg(all(feature = "connect", feature = "async-io"))]
mod dial;
#[cfg(all(feature = "connect", feature = "async-io"))]
pub use dial::connect;

#[cfg(feature = "async-io")]
mod kdc;
#[cfg(feature = "async-io")]
pub use kdc::KdcClient;

mod stream;
pub use stream::{FuturesFramed, FuturesRead, FuturesStream, FuturesWriteAll};

#[cfg(feature = "async-io")]
mod tcp;

#[cfg(feature = "async-io")]
mod timer;
#[cfg(feature = "async-io")]
pub use timer::AsyncIoTimer;

#[cfg(feature = "connect")]
mod tls;
#[cfg(feature = "connect")]
pub use tls::{TlsHandshake, TlsServerStream, TlsStream};

#[cfg(feature = "connect")]
mod transport;
#[cfg(feature = "connect")]
pub use transport::Transport;

pub use ironrdp_async::{
    Answers, ClientAnswers, DEFAULT_PORT, Driven, EndOfStream, Finalize, Framed, FramedFlush, FramedRead,
    FramedWrite, KdcBounds, KdcNetwork, Limit, LimitExceeded, Limits, Liveness, NetworkClient, NoAnswers,
    NoNetwork, Observer, ParseAddrError, PhaseEnd, PhaseTimings, QueueFull, SLICE_READ_AHEAD, ServerAddr,
    SessionStream, ShouldUpgrade, StreamError, StreamErrorKind, StreamWrapper, TimedSession, Timer,
    ToServerAddr, UnexpectedFrame, Upgraded, Work, connect_begin, connect_begin_within, connect_finalize,
    drive, drive_while, exceeded_limit, from_std, mark_as_upgraded, now, poll_fill_slice, session_config,
    share, single_sequence_step, single_sequence_step_read, single_sequence_step_write, to_std, within,
};
#[cfg(feature = "connect")]
pub use ironrdp_async::{ConnectError, ConnectErrorKind, ConnectResult, watch_socket};

#[cfg(feature = "metrics")]
pub use ironrdp_async::{Metrics, MetricsObserver};
