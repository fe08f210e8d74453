#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod config;
pub use config::ConnectConfig;

mod connect;
pub use connect::{Connect, Connected, connect};

mod dial;

mod kdc;
pub use kdc::KdcClient;

mod session;
pub use session::Session;

mod stream;
pub use stream::{TokioFramed, TokioRead, TokioStream, TokioWriteAll};

mod timer;
pub use timer::TokioTimer;
mod tls;
pub use tls::{TlsHandshake, TlsServerStream, TlsStream};

mod transport;
pub use transport::Transport;

pub use ironrdp_async::{
    Answers, ClientAnswers, ConnectError, ConnectErrorKind, ConnectResult, DEFAULT_PORT, Driven, EndOfStream,
    Finalize, Framed, FramedFlush, FramedRead, FramedWrite, KdcBounds, KdcNetwork, Limit, LimitExceeded,
    Limits, Liveness, NetworkClient, NoAnswers, NoNetwork, Observer, ParseAddrError, PhaseEnd, PhaseTimings,
    QueueFull, READ_AHEAD, ServerAddr, SessionStream, ShouldUpgrade, StreamError, StreamErrorKind,
    StreamWrapper, TimedSession, Timer, ToServerAddr, UnexpectedFrame, Upgraded, Work, connect_begin,
    connect_begin_within, connect_finalize, drive, drive_while, exceeded_limit, from_std, mark_as_upgraded,
    now, poll_fill, session_config, share, single_sequence_step, single_sequence_step_read,
    single_sequence_step_write, to_std, watch_socket, within,
};

/// The page on futures that are dropped, so that its loop compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/cancel-safety.md")]
pub struct CancelSafety;

/// The page on limits and counters, likewise.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/limits.md")]
pub struct LimitsAndCounters;

#[cfg(feature = "metrics")]
pub use ironrdp_async::{Metrics, MetricsObserver};
