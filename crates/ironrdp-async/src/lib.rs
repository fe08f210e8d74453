#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod addr;
pub use addr::{DEFAULT_PORT, ParseAddrError, ServerAddr, ToServerAddr};

mod answers;
pub use answers::{Answers, ClientAnswers, NetworkClient, NoAnswers, NoNetwork};

mod chunk;
pub use chunk::{READ_AHEAD, poll_fill};

mod clock;
pub use clock::{from_std, now, to_std};

#[cfg(feature = "connect")]
mod config;
#[cfg(feature = "connect")]
pub use config::{ConnectConfig, platform_tls};

mod connect;
pub use connect::{
    ShouldUpgrade, Upgraded, connect_begin, connect_begin_within, connect_finalize, mark_as_upgraded,
    single_sequence_step, single_sequence_step_read, single_sequence_step_write,
};

#[cfg(feature = "connect")]
mod connect_error;
#[cfg(feature = "connect")]
pub use connect_error::{ConnectError, ConnectErrorKind, ConnectResult};

#[cfg(feature = "connect")]
mod connecting;
#[cfg(feature = "connect")]
pub use connecting::{Connected, Connecting, Link};

mod dial;
pub use dial::dial_any;

mod drive;
pub use drive::{Driven, drive, drive_while};

mod error;
pub use error::{EndOfStream, UnexpectedFrame, exceeded_limit};

mod finalize;
pub use finalize::Finalize;

mod framed;
pub use framed::Framed;

mod kdc;
pub use kdc::{KdcBounds, KdcNetwork};

#[cfg(feature = "kdc-proxy")]
mod kdc_proxy;
#[cfg(all(feature = "kdc-proxy", feature = "connect", feature = "tls"))]
pub use kdc_proxy::ask_kdc_proxy;
#[cfg(feature = "kdc-proxy")]
pub use kdc_proxy::post_to_kdc_proxy;

#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "metrics")]
pub use metrics::{Metrics, MetricsObserver};

mod observer;
pub use observer::{Observer, PhaseEnd, Work};

mod phases;
pub use phases::PhaseTimings;

mod queue;
pub use queue::QueueFull;

mod session;
pub use session::{SessionStream, session_config, share};

mod slice;
pub use slice::{SLICE_READ_AHEAD, poll_fill_slice, poll_read_slice};

#[cfg(feature = "connect")]
mod socket;
#[cfg(feature = "connect")]
pub use socket::watch_socket;

mod split;

mod stream_error;
pub use stream_error::{StreamError, StreamErrorKind};

#[cfg(all(feature = "connect", feature = "tls"))]
mod stream_link;
#[cfg(all(feature = "connect", feature = "tls"))]
pub use stream_link::{StreamLink, Upgrade};

mod timed;
pub use timed::TimedSession;

mod timer;
pub use timer::{Timer, within};
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tls")]
pub use tls::{ByteStream, Tls, TlsHandshake, TlsLayer, TlsSide};

mod traits;
pub use traits::{FramedFlush, FramedRead, FramedWrite, StreamWrapper};

pub use ironrdp_core::{Limit, LimitExceeded, Limits, Liveness};
