#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod answers;
pub use answers::{Answers, NetworkClient};

mod connect;
pub use connect::{
    connect_begin, connect_finalize, drive, drive_while, single_sequence_step, single_sequence_step_read,
    single_sequence_step_write,
};

#[cfg(feature = "connect")]
mod connecting;
#[cfg(feature = "connect")]
pub use connecting::{Connect, ConnectConfig, Connected, Session, connect};

mod dial;

mod finalize;
pub use finalize::Finalize;

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

mod timed;
pub use timed::{BlockingTimer, Timed, Timeouts};

#[cfg(feature = "connect")]
mod transport;
#[cfg(feature = "connect")]
pub use transport::Transport;

pub use ironrdp_async::{
    ClientAnswers, DEFAULT_PORT, Driven, EndOfStream, Limit, LimitExceeded, Limits, Liveness, NoAnswers,
    NoNetwork, Observer, ParseAddrError, PhaseEnd, PhaseTimings, QueueFull, SLICE_READ_AHEAD, ServerAddr,
    ShouldUpgrade, StreamError, StreamErrorKind, Timer, ToServerAddr, UnexpectedFrame, Upgraded, Work,
    exceeded_limit, from_std, mark_as_upgraded, now, session_config, share, to_std,
};
#[cfg(feature = "connect")]
pub use ironrdp_async::{ConnectError, ConnectErrorKind, ConnectResult, watch_socket};

#[cfg(feature = "metrics")]
pub use ironrdp_async::{Metrics, MetricsObserver};
